"""Backups: the database at one moment, and the rows of every version that it names. Stops nobody and changes nothing.

A version's folder never changes, so it is copied after the database was; the manifest is written last of all.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL, Connection, func, select

from datasets.database.closed_lists import CHAINED
from datasets.database.errors import Unavailable
from datasets.database.files import private_folder, private_folders, remove, sync
from datasets.database.installation import installation
from datasets.database.revision import newest
from datasets.database.store import Store, now
from datasets.database.tables import AccountRow, VersionRow
from datasets.operations.errors import NOT_EMPTY, NOT_WRITTEN, ODD_FOLDER, BackupRefused
from datasets.operations.manifest import (
    DATA,
    DATABASE_FILES,
    SECRET_KEY,
    ChainEnd,
    DatabaseKind,
    FileDigest,
    Manifest,
    Progress,
    copy_file,
    digest_of,
    program,
)
from datasets.operations.postgres_tools import dump
from datasets.operations.sqlite_file import copy_database, fold

FOLDER = re.compile(r"[a-z][a-z0-9-]{0,62}/v[1-9][0-9]{0,17}(?:-[0-9a-f]{1,64})?", re.ASCII)
"""Where a version lies within a data folder."""

_a, _v = AccountRow.__table__.c, VersionRow.__table__.c
ENDS = select(_a.lineage, _a.entries, _a.head).where(_a.kind.in_(CHAINED)).order_by(_a.lineage)
FOLDERS = select(_v.folder, _v.purged_at).order_by(_v.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What is backed up or restored: a database, its data folder, and the secret's file where that is in use."""

    store: Store
    data_dir: Path
    secret_file: Path | None

    @property
    def kind(self) -> DatabaseKind:
        return "sqlite" if self.store.is_sqlite else "postgresql"

    @property
    def database_path(self) -> Path:
        """Where a SQLite database lies."""
        return Path(str(self.store.url.database))


@dataclass(slots=True)
class _Copies:
    """What has been copied into a backup so far, and what was not there."""

    folder: Path
    files: dict[str, FileDigest] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    def add(self, source: Path, path: str) -> None:
        self.files[path] = copy_file(source, self.folder / path)

    def add_version(self, data_dir: Path, folder: str, *, is_purged: bool) -> None:
        """Copy a version's folder; it may be gone, also while it is read: purged since, or lost before."""
        # A row that was changed by hand could have any folder of the machine copied.
        if FOLDER.fullmatch(folder) is None:
            raise BackupRefused(ODD_FOLDER.filled(folder=folder))
        target = private_folders(self.folder / DATA / folder)
        copied: dict[str, FileDigest] = {}
        try:
            for file in files_below(data_dir / folder):
                private_folders((target / file).parent)
                copied[f"{DATA}/{folder}/{file}"] = copy_file(data_dir / folder / file, target / file)
        except FileNotFoundError:
            copied = {}
        if copied:
            self.files |= copied
        else:
            remove(target)
            self.absent += [] if is_purged else [folder]


def files_below(folder: Path) -> list[str]:
    """The files of a version at any depth, its vault's too, by their path in it; none whose names begin with a dot."""
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = (Path(root) / name for name in names if not name.startswith("."))
        found += [str(file.relative_to(folder)) for file in files if not file.is_symlink()]
    return sorted(found)


def back_up(installed: Installed, destination: Path, progress: Progress) -> Manifest:
    """Back everything up into a new folder; raises BackupRefused or NotInitialised, and removes it then."""
    installed.store.must_be_current()
    _claim(destination)
    try:
        made = _written(installed, destination, progress)
    except BaseException as failure:
        remove(destination)
        if isinstance(failure, (OSError, sqlite3.Error, Unavailable)):
            raise BackupRefused(NOT_WRITTEN.filled(cause=_cause(failure))) from failure
        raise
    finally:
        installed.store.close()
    progress("data", 1.0)
    return made


def _claim(destination: Path) -> None:
    """Make the folder, so that of two backups into one only one goes on."""
    try:
        if destination.is_dir() and not destination.is_symlink():
            destination.rmdir()
        private_folder(destination)
    except (FileExistsError, NotADirectoryError):
        raise BackupRefused(NOT_EMPTY.filled(folder=destination)) from None
    except OSError as failure:
        # rmdir of a folder that holds something says so by another name on some systems.
        if destination.is_dir() and any(destination.iterdir()):
            raise BackupRefused(NOT_EMPTY.filled(folder=destination)) from None
        raise BackupRefused(NOT_WRITTEN.filled(cause=_cause(failure))) from failure


def _cause(failure: Exception) -> str:
    return (failure.strerror if isinstance(failure, OSError) else None) or str(failure)


def _written(installed: Installed, destination: Path, progress: Progress) -> Manifest:
    at, file = now(), destination / DATABASE_FILES[installed.kind]
    snapshot = _sqlite_snapshot if installed.store.is_sqlite else _postgres_snapshot
    with snapshot(installed, file, progress) as connection:
        own = installation(connection)
        chains = {own.id: ChainEnd(number=own.entries, head=own.head)}
        chains |= {
            row.lineage: ChainEnd(number=row.entries, head=row.head) for row in connection.execute(ENDS)
        }
        folders = connection.execute(FOLDERS).all()
    copies = _Copies(destination, files={file.name: _at_last(file)})
    for done, (folder, purged_at) in enumerate(folders):
        progress("data", done / len(folders))
        # Of a purged version the sketch of its people is left, so that they get no second cap.
        copies.add_version(installed.data_dir, folder, is_purged=purged_at is not None)
    if installed.secret_file is not None and installed.secret_file.is_file():
        copies.add(installed.secret_file, SECRET_KEY)
    made = Manifest(
        program=program(),
        revision=newest(),
        installation=own.id,
        database=installed.kind,
        at=at,
        chains=chains,
        files=copies.files,
        absent=tuple(copies.absent),
    )
    _sync_folders(destination)
    made.write(destination)
    sync(destination.parent)
    return made


@contextmanager
def _sqlite_snapshot(installed: Installed, file: Path, progress: Progress) -> Iterator[Connection]:
    copy_database(installed.database_path, file, progress)
    copy = Store(URL.create("sqlite", database=str(file)))
    try:
        with copy.viewing() as connection:
            yield connection
    finally:
        copy.close()
    fold(file)


@contextmanager
def _postgres_snapshot(installed: Installed, file: Path, progress: Progress) -> Iterator[Connection]:
    progress("database", 0.0)
    with installed.store.viewing() as connection:
        # What is read here and what the program writes are one and the same moment.
        dump(installed.store.url, file, connection.execute(select(func.pg_export_snapshot())).scalar_one())
        progress("database", 1.0)
        yield connection


def _at_last(file: Path) -> FileDigest:
    sync(file)
    return digest_of(file)


def _sync_folders(folder: Path) -> None:
    for root, _, _ in os.walk(folder):
        sync(Path(root))
