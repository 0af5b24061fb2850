"""Runs SQL on DuckDB under watch: bounded memory and disk, progress, interruption, no engine text let out."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from datasets.database.files import size_of
from datasets.registration.ingest.errors import ImportProblem
from datasets.registration.ingest.limits import Limits
from privacy.words import Words

POLL_SECONDS = 0.05
TOO_MUCH_DISK = Words(
    ja="取込みに必要なディスク容量が上限を超えます",
    en="the import would take more disk space than it may use",
)
TOO_MUCH_MEMORY = Words(
    ja="取込みに必要なメモリまたはディスク容量が上限を超えます",
    en="the import needs more memory or disk space than it may use",
)

Progress = Callable[[str, float], None]


class Watch:
    """Tells progress and stops work that fills the disk. Called between batches and while a query runs.

    Shares never go back, and a stage is reported as done before the next one begins.
    """

    def __init__(self, *, folder: Path, bytes_max: int, progress: Progress) -> None:
        self.folder, self.bytes_max, self.progress = folder, bytes_max, progress
        self.stage, self.share = "", 0.0

    def look(self, stage: str, share: float) -> None:
        # DuckDB limits its spill files only; the vault and the tables grow beside them.
        if size_of(self.folder) > self.bytes_max:
            raise ImportProblem(TOO_MUCH_DISK)
        if stage != self.stage:
            if self.stage:
                self.progress(self.stage, 1.0)
            self.stage, self.share = stage, 0.0
        # DuckDB's estimate may fall when a later part of a plan begins.
        self.share = max(self.share, min(1.0, share))
        self.progress(stage, self.share)


class ImportEngine:
    """One private in-memory DuckDB connection; its temporary files stay in `scratch`."""

    def __init__(self, *, scratch: Path, limits: Limits, watch: Watch) -> None:
        self.watch = watch
        self.connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{limits.memory_mib}MiB",
                "temp_directory": str(scratch / "spill"),
                "max_temp_directory_size": f"{watch.bytes_max >> 10}KiB",
                "threads": limits.threads,
                # Nothing is ever loaded from the network while personal data is open.
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        for setting in (
            # query_progress() answers only with the bar on; printing it is another setting.
            "enable_progress_bar = true",
            "enable_progress_bar_print = false",
            "TimeZone = 'UTC'",
        ):
            self.connection.execute(f"SET {setting}")

    def run(self, stage: str, sql: str, *, begin: float = 0.0, end: float = 1.0) -> list[tuple[Any, ...]]:
        """Run one statement; `begin` and `end` are the shares of the stage before and after it.

        The statement runs in a thread of its own, so that Ctrl-C and the watch can interrupt it.
        """
        query = _Query(self.connection, sql)
        query.start()
        try:
            while query.is_alive():
                query.join(POLL_SECONDS)
                done = max(0.0, self.connection.query_progress()) / 100
                self.watch.look(stage, begin + (end - begin) * min(1.0, done))
        finally:
            while query.is_alive():
                # Again and again: an interrupt that comes before the statement has begun is lost.
                self.connection.interrupt()
                query.join(POLL_SECONDS)
        if query.failure is not None:
            raise problem_of(query.failure)
        self.watch.look(stage, end)
        return query.rows

    def close(self) -> None:
        self.connection.close()


class _Query(threading.Thread):
    def __init__(self, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
        super().__init__(name="ingest query", daemon=True)
        self.connection, self.sql = connection, sql
        self.rows: list[tuple[Any, ...]] = []
        self.failure: duckdb.Error | None = None

    def run(self) -> None:
        try:
            self.rows = self.connection.execute(self.sql).fetchall()
        except duckdb.Error as error:
            self.failure = error


def problem_of(failure: BaseException) -> ImportProblem:
    """A sentence of ours for an engine's failure: its own text may quote cells, so only its class is named."""
    if isinstance(failure, duckdb.OutOfMemoryException | MemoryError):
        return ImportProblem(TOO_MUCH_MEMORY)
    kind = type(failure).__name__
    return ImportProblem(
        Words(ja=f"元データを読み取れませんでした（{kind}）", en=f"the source could not be read ({kind})")
    )


def quoted(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def named(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
