"""A SQLite database as one file: copied while others write to it, and exchanged for another. Knows no table."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from datasets.database.files import create_private, sync
from datasets.operations.errors import IN_USE, RestoreRefused
from datasets.operations.manifest import Progress

PAGES_AT_ONCE = 4_096
LOCK_WAIT_S = 2.0
BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database, and would take for a part of any other of that name."""
DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def copy_database(source: Path, target: Path, progress: Progress) -> None:
    """Copy a database as it is at one moment, with what stands in its log, whoever writes meanwhile.

    Raises sqlite3.Error or OSError.
    """
    os.close(create_private(target))
    with (
        closing(sqlite3.connect(source, isolation_level=None)) as read,
        closing(sqlite3.connect(target)) as made,
    ):
        # An open view: without one every commit of the server would begin the copy anew.
        read.execute("BEGIN")
        read.execute("SELECT count(*) FROM sqlite_master").fetchone()
        read.backup(
            made,
            pages=PAGES_AT_ONCE,
            progress=lambda _, left, pages: progress("database", 1 - left / max(1, pages)),
        )


def fold(file: Path) -> None:
    """Bring what stands in the log of a database into its file, so that the file is all of it. Raises sqlite3.Error."""
    with closing(sqlite3.connect(file, timeout=LOCK_WAIT_S, isolation_level=None)) as connection:
        # Refused while anybody else has the database open.
        (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        assert mode == "delete", "SQLite says it where it cannot"
    sync(file)


def stands_at(file: Path) -> bool:
    """Whether anything was ever written to a database there."""
    return any(_size(Path(f"{file}{suffix}")) for suffix in ("", "-wal", "-journal"))


def keep(target: Path, kept: Path) -> bool:
    """Give the database that stands there another name beside its own; whether there was one.

    Raises RestoreRefused where somebody uses it.
    """
    stood = stands_at(target)
    if stood:
        _keep(target, kept)
    return stood


def exchange(staged: Path, target: Path) -> None:
    """Put a whole database where another stands. At every moment the old one or the new one stands there whole."""
    for suffix in BESIDE:
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    os.replace(staged, target)
    sync(target.parent)


def _keep(target: Path, kept: Path) -> None:
    try:
        fold(target)
    except sqlite3.Error as failure:
        # A database that is damaged is why backups are restored: its log is kept beside it as it is.
        if getattr(failure, "sqlite_errorcode", 0) & 0xFF not in DAMAGED:
            raise RestoreRefused(IN_USE.filled(file=target)) from None
    # A second name of the same file, not a move: there must be a database at its place until the new one is there.
    for suffix in ("", *BESIDE):
        if (file := Path(f"{target}{suffix}")).exists():
            os.link(file, f"{kept}{suffix}")
    sync(target.parent)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
