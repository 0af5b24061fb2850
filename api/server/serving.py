"""That this machine serves from a data folder: held by the server, so that nobody restores into it meanwhile."""

from pathlib import Path

from datasets.database.locks import SERVING, LockTaken, share
from privacy.refusal import Refusal
from privacy.words import Words


class BeingRestored(Refusal):
    """A backup is being restored into the data folder."""

    code = "being_restored"
    words = Words(
        ja="{folder} にバックアップを復元しています。終わってから、もう一度実行してください",
        en="a backup is being restored into {folder}: try again when that has ended",
    )

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder


def hold(data_dir: Path) -> int:
    """Hold the data folder for serving, until this process and all that it forks have ended; raises BeingRestored."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return share(data_dir / SERVING)
    except LockTaken:
        raise BeingRestored(data_dir) from None
