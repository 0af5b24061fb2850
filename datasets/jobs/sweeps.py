"""Jobs that clean up what a killed process left in the data folder. They touch nothing that a living one uses."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from datasets.database.locks import LockTaken, alone
from datasets.jobs.runner import Job, StillMine
from privacy.words import Words

HOUR_S, DAY_S = 3_600.0, 86_400.0
REGISTRATION_LOCK_FILE = ".registering"
"""Beside the staging folders of a dataset: whoever registers it holds this lock."""
ENGINE_FILES = "duckdb_temp_*"


def sweeps(data_dir: Path) -> tuple[Job, ...]:
    """The jobs that clean up a data folder."""
    return (
        Job(
            name="staging",
            title=Words(
                ja="中断された登録が残した作業用フォルダの削除",
                en="remove working folders that interrupted registrations left",
            ),
            interval_s=HOUR_S,
            run=lambda still_mine: sweep_staging(data_dir, DAY_S, still_mine),
        ),
        Job(
            name="temporary",
            title=Words(
                ja="中断された計算が残した一時ファイルの削除",
                en="remove temporary files that interrupted computations left",
            ),
            interval_s=HOUR_S,
            run=lambda still_mine: sweep_temporary(data_dir / "temporary", DAY_S, still_mine),
        ),
    )


def sweep_staging(data_dir: Path, older_s: float, still_mine: StillMine) -> int:
    """Remove staging folders that nothing changed for `older_s` seconds and no registration works in; how many."""
    removed = 0
    for home in sorted({folder.parent for folder in _older(data_dir, "*/.staging-*", older_s)}):
        if not still_mine():
            break
        # A registration of this machine holds the lock; one of another machine changes its folder all the time.
        try:
            with alone(home / REGISTRATION_LOCK_FILE):
                for folder in list(_older(home, ".staging-*", older_s)):
                    shutil.rmtree(folder)
                    removed += 1
        except LockTaken:
            continue
    return removed


def sweep_temporary(folder: Path, older_s: float, still_mine: StillMine) -> int:
    """Remove the engine's temporary files that nothing was written to for `older_s` seconds; how many."""
    removed = 0
    # No computation may run for nearly so long, and a process that has a file open keeps it, whatever its name.
    for file in list(_older(folder, ENGINE_FILES, older_s)):
        if not still_mine():
            break
        file.unlink(missing_ok=True)
        removed += 1
    return removed


def _older(folder: Path, pattern: str, older_s: float) -> Iterator[Path]:
    """What fits the pattern and has not changed for so long; for a folder, nothing inside of it either."""
    limit = time.time() - older_s
    for found in folder.glob(pattern):
        # Whatever goes away while it is looked at is nothing to sweep.
        try:
            newest = max(one.lstat().st_mtime for one in (found, *found.rglob("*")))
        except FileNotFoundError:
            continue
        if newest < limit:
            yield found
