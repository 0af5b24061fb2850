"""Whose a data folder is: it says so itself, since another database would take what lies in it for rubbish."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from datasets.database.files import create_private, sync
from datasets.database.installation import installation
from datasets.database.store import Store
from privacy.refusal import Refusal
from privacy.words import Words

OWNER = "installation"
"""The file in a data folder that holds the name of the installation whose rows lie there."""


class OtherDataFolder(Refusal):
    """The data folder belongs to the database of another installation."""

    code = "other_data_folder"
    words = Words(
        ja="データ用フォルダ {folder} は別のデータベース（{theirs}）のものです。SUDARE_DATABASE_URL（{ours}）と "
        "SUDARE_DATA_DIR の組合せを確認してください",
        en="the data folder {folder} belongs to another database ({theirs}): look whether SUDARE_DATABASE_URL ({ours}) "
        "and SUDARE_DATA_DIR belong together",
    )

    def __init__(self, folder: Path, theirs: str, ours: str) -> None:
        super().__init__()
        self.folder, self.theirs, self.ours = folder, theirs, ours

    def message(self) -> Words:
        """What the operator is told."""
        return self.words.filled(folder=self.folder, theirs=self.theirs, ours=self.ours)


def claim(data_dir: Path, store: Store) -> None:
    """Make the data folder that of the store's installation, where it is nobody's yet; raises OtherDataFolder."""
    with store.reading() as connection:
        ours = installation(connection).id
    if (theirs := owner(data_dir)) is None:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_owner(data_dir, ours, replace=False)
        theirs = owner(data_dir)
    if theirs != ours:
        raise OtherDataFolder(data_dir, str(theirs), ours)


def is_own(data_dir: Path, store: Store) -> bool:
    """Whether the data folder says that it is that of the store's installation."""
    with store.reading() as connection:
        return owner(data_dir) == installation(connection).id


def owner(data_dir: Path) -> str | None:
    """The installation whose folder it is; None where nobody has claimed it."""
    try:
        return (data_dir / OWNER).read_text("utf-8").strip()
    except FileNotFoundError:
        return None


def write_owner(data_dir: Path, id: str, *, replace: bool) -> None:
    """Write whose folder it is; without `replace` the first of two writers wins."""
    draft = data_dir / f".{OWNER}-{secrets.token_hex(8)}"
    with os.fdopen(create_private(draft), "w", encoding="utf-8") as file:
        file.write(id + "\n")
        file.flush()
        os.fsync(file.fileno())
    if replace:
        draft.replace(data_dir / OWNER)
    else:
        # A link fails where the name is taken.
        with suppress(FileExistsError):
            os.link(draft, data_dir / OWNER)
        draft.unlink()
    sync(data_dir)
