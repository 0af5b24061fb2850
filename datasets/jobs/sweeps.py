"""Jobs that clean up what a killed process left in the data folder. They touch nothing that a living one uses."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from datasets.jobs.runner import Job, StillMine
from privacy.words import Words

HOUR_S, DAY_S = 3_600.0, 86_400.0
ENGINE_FILES = "duckdb_temp_*"


def sweeps(data_dir: Path, sweep_abandoned: Callable[[], int]) -> tuple[Job, ...]:
    """The jobs that clean up a data folder; `sweep_abandoned` removes what dead registrations left, and counts it."""
    return (
        Job(
            name="registrations",
            title=Words(
                ja="中断された登録が残したフォルダの削除",
                en="remove folders that interrupted registrations left",
            ),
            interval_s=HOUR_S,
            run=lambda still_mine: sweep_abandoned() if still_mine() else 0,
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
