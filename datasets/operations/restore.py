"""Restoring a backup: verified whole before anything is touched, and then all of it or nothing.

What is to stand there is made beside what stands there: a database with everything that happened after the backup
applied or stopped, and folders. Folders get their names first, since new ones disturb nobody; the database comes last.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain as chained
from pathlib import Path, PurePosixPath

from sqlalchemy import URL, Connection, func, select, text, update

from datasets.database.errors import NotInitialised, Unavailable
from datasets.database.failures import DATABASE_FAILURES, described
from datasets.database.files import SET_ASIDE, private_folder, private_folders, remove, sync
from datasets.database.installation import installation
from datasets.database.locks import SERVING, LockTaken, alone
from datasets.database.owner import write_owner
from datasets.database.revision import mismatch
from datasets.database.store import Store, now
from datasets.database.tables import Base, VersionRow
from datasets.ledger.journal import RESTORED, RESUMED, STOPPED, pages
from datasets.operations.backup import ENDS, FOLDER, Installed, files_below
from datasets.operations.errors import (
    ANOTHER_STANDS,
    DAMAGED,
    LACKS,
    NO_SPACE,
    NOT_RESTORED,
    OCCUPIED,
    OTHER_DATABASE,
    SERVER_RUNS,
    UNCERTAIN,
    RestoreRefused,
)
from datasets.operations.exports import ExportTail, tail_after
from datasets.operations.manifest import (
    DATA,
    SECRET_KEY,
    ChainEnd,
    FileDigest,
    Manifest,
    Progress,
    copy_file,
    digest_of,
    read_manifest,
)
from datasets.operations.postgres_tools import (
    RESTORE_LOCK,
    load,
    must_be_alone,
    must_have_restore_program,
    standing_tables,
)
from datasets.operations.reapplication import EFFECTS, Applied, Restoration, apply_again, stop_everything
from datasets.operations.sqlite_file import exchange, fold, keep, stands_at
from datasets.people.secret import digest_of as digest_of_secret
from datasets.registration.ingest.identity import IDENTITY_FILE

STAGING = ".restoring-"
OF_RESTORES = (STOPPED, RESUMED, RESTORED)
VERSION_FOLDERS = "[!.]*/v[0-9]*"
VERSIONS = Base.metadata.tables[VersionRow.__tablename__]
FOLDERS = select(VERSIONS.c.folder, VERSIONS.c.number, VERSIONS.c.purged_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest:
    """A restore that somebody asks for. `export` is a copy of the journal after the backup, None for none."""

    target: Installed
    source: Path
    export: Path | None
    replace: bool
    by: str
    discard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A restore that was done. `kept` is where the database that stood there lies now, None where there was none.

    `known_until` is the time of the last line of the journal that was given. `has_former_secret` says that the secret
    of the backup is not the one that the restored keys are kept under, so that it was left out.
    """

    backup_at: str
    lines: int
    stopped: tuple[tuple[str, str], ...]
    kept: Path | None
    absent: tuple[str, ...]
    has_secret: bool
    has_former_secret: bool
    known_until: str | None


def restore(request: RestoreRequest, progress: Progress) -> Restored:
    """Restore a backup; raises RestoreRefused or ExportRefused, and then what stood there stands there still."""
    manifest = read_manifest(request.source)
    target = request.target
    if manifest.database != target.kind:
        raise RestoreRefused(OTHER_DATABASE.filled(theirs=manifest.database, ours=target.kind))
    try:
        target.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with alone(target.data_dir / SERVING):
            return _restored(request, manifest, progress)
    except LockTaken:
        raise RestoreRefused(SERVER_RUNS.filled(folder=target.data_dir)) from None
    except (OSError, Unavailable) as failure:
        cause = (failure.strerror if isinstance(failure, OSError) else None) or str(failure)
        raise RestoreRefused(NOT_RESTORED.filled(cause=cause)) from failure
    # Its own text may quote rows.
    except DATABASE_FAILURES as failure:
        cause = str(described(failure, target.store.url)["cause"])
        raise RestoreRefused(NOT_RESTORED.filled(cause=cause)) from failure
    finally:
        target.store.close()


def _restored(request: RestoreRequest, manifest: Manifest, progress: Progress) -> Restored:
    """Nobody else serves from the data folder or restores into it."""
    target = request.target
    _must_be_free(target, replace=request.replace)
    manifest.verify(request.source, progress)
    tail = None
    if request.export is not None:
        progress("journal", 0.0)
        tail = tail_after(manifest, request.export, known_kinds=frozenset(EFFECTS))
    if not request.discard:
        _must_lose_nothing(target, manifest, tail)
    # What a killed restore left: nobody else is at work here.
    for left in (*target.data_dir.glob(f"{STAGING}*"), *_staged_databases(target)):
        remove(left)
    _must_have_space(target, manifest)
    with _staging(target.data_dir) as staging:
        folders = _Folders(source=request.source, manifest=manifest, target=target, staging=staging)
        folders.stage(progress)
        change = _Change(manifest=manifest, tail=tail, by=request.by, folders=folders)
        try:
            kept = _replace_database(request, manifest, change)
        except BaseException as failure:
            # Once it is decided the new database may be the one that stands: taking its folders away would destroy it.
            if not change.is_decided:
                folders.take_back()
            elif isinstance(failure, Exception):
                raise RestoreRefused(UNCERTAIN.filled(cause=type(failure).__name__)) from failure
            raise
    write_owner(target.data_dir, manifest.installation, replace=True)
    assert change.applied is not None, "the change was made"
    progress("database", 1.0)
    return Restored(
        backup_at=manifest.at,
        lines=change.applied.lines,
        stopped=change.applied.stopped,
        kept=kept,
        absent=manifest.absent,
        has_secret=SECRET_KEY in manifest.files,
        has_former_secret=folders.has_former_secret,
        known_until=None if tail is None else tail.last_at,
    )


def _must_be_free(target: Installed, *, replace: bool) -> None:
    if target.store.is_sqlite:
        place = str(target.database_path) if stands_at(target.database_path) else ""
    else:
        must_have_restore_program()
        with target.store.reading() as connection:
            must_be_alone(connection)
            place = ", ".join(standing_tables(connection)[:1])
    versions = next(target.data_dir.glob(VERSION_FOLDERS), None)
    place = place or (str(versions) if versions is not None else "")
    if place and not replace:
        raise RestoreRefused(OCCUPIED.filled(place=place))


def _must_lose_nothing(target: Installed, manifest: Manifest, tail: ExportTail | None) -> None:
    """Raise RestoreRefused where what stands there is another installation, or knows more than the export."""
    with _standing(target) as connection:
        if connection is None:
            return
        theirs = installation(connection).id
        if theirs != manifest.installation:
            raise RestoreRefused(ANOTHER_STANDS.filled(theirs=theirs, ours=manifest.installation))
        if tail is None:
            return
        for entry in chained.from_iterable(pages(connection)):
            # What a restore without the journal stopped, and who was resumed since, is another history of no charges.
            if entry.head not in tail.heads and entry.kind not in OF_RESTORES:
                told = {"file": tail.file, "chain": entry.lineage, "number": entry.number, "at": entry.at}
                raise RestoreRefused(LACKS.filled(**told))


@contextmanager
def _standing(target: Installed) -> Iterator[Connection | None]:
    """The database that stands there, as far as it can be read; None where none of this version can."""
    if target.store.is_sqlite and not stands_at(target.database_path):
        yield None
        return
    with ExitStack() as opened:
        connection = None
        # A damaged one is why backups are restored.
        with suppress(Unavailable, NotInitialised, *DATABASE_FAILURES):
            found = opened.enter_context(target.store.viewing())
            connection = found if mismatch(found) is None else None
        yield connection
    target.store.close()


def _staged_databases(target: Installed) -> list[Path]:
    if not target.store.is_sqlite:
        return []
    file = target.database_path
    return list(file.parent.glob(f"{file.name}{STAGING}*"))


def _must_have_space(target: Installed, manifest: Manifest) -> None:
    """Raise RestoreRefused where what is copied cannot fit. A journal that is applied needs little beside it."""
    database = manifest.files[manifest.database_file].bytes
    needed = {target.data_dir: manifest.bytes - database}
    if target.store.is_sqlite:
        folder = target.database_path.parent
        same = folder.stat().st_dev == target.data_dir.stat().st_dev
        place = target.data_dir if same else folder
        needed[place] = needed.get(place, 0) + database
    for folder, count in needed.items():
        free = shutil.disk_usage(folder).free
        if free < count:
            raise RestoreRefused(NO_SPACE.filled(folder=folder, needed=count, free=free))


@contextmanager
def _staging(data_dir: Path) -> Iterator[Path]:
    staging = private_folder(data_dir / f"{STAGING}{secrets.token_hex(8)}")
    try:
        yield staging
    finally:
        remove(staging)


@dataclass(slots=True, kw_only=True)
class _Folders:
    """The folders of versions, and the secret: copied beside their places, then put there by renames alone."""

    source: Path
    manifest: Manifest
    target: Installed
    staging: Path
    places: dict[str, str] = field(default_factory=dict)
    named: frozenset[str] = frozenset()
    secret_digest: str | None = None
    has_former_secret: bool = False
    placed: list[Path] = field(default_factory=list)
    former_secret: Path | None = None

    def stage(self, progress: Progress) -> None:
        """Copy what is under `data`, and the secret; raises RestoreRefused where a file is not what it was."""
        for done, (path, expected) in enumerate(self.manifest.files.items()):
            if path == self.manifest.database_file:
                continue
            progress("data", done / len(self.manifest.files))
            copy = self.staging / path
            private_folders(copy.parent)
            # Compared again: it is what was copied that must be right.
            if copy_file(self.source / path, copy) != expected:
                raise RestoreRefused(DAMAGED.filled(file=path))

    def choose_places(self, tx: Connection) -> None:
        """Where each version's folder goes: under its name, or a new one where another stands under that."""
        for folder, number, purged_at in tx.execute(FOLDERS).all():
            files = self.manifest.files_of(folder)
            if purged_at is not None:
                # Purged after the backup, too: what was destroyed does not come back.
                for entry in _entries(self.staging / DATA / folder):
                    if entry.name != IDENTITY_FILE:
                        remove(entry)
                files = {name: file for name, file in files.items() if name == IDENTITY_FILE}
            if not files or _holds(self.target.data_dir / folder, files):
                continue
            place = folder
            if (self.target.data_dir / folder).exists():
                # What stands there stays: the database that is replaced names it.
                place = f"{PurePosixPath(folder).parent}/v{number}-{secrets.token_hex(8)}"
                tx.execute(update(VERSIONS).where(VERSIONS.c.folder == folder).values(folder=place))
            self.places[folder] = place
        self.named = frozenset(tx.execute(FOLDERS).scalars())
        self.secret_digest = installation(tx).secret_digest

    def put_in_place(self) -> None:
        """Give every folder its name, the secret last."""
        for folder, place in self.places.items():
            named = self.target.data_dir / place
            private_folders(named.parent)
            _sync_all(self.staging / DATA / folder)
            (self.staging / DATA / folder).rename(named)
            self.placed.append(named)
            sync(named.parent)
        self._set_others_aside()
        self._put_secret()
        sync(self.target.data_dir)

    def _set_others_aside(self) -> None:
        """Mark the folders of versions that only the replaced database names, or they would be swept as abandoned."""
        for folder in self.target.data_dir.glob(VERSION_FOLDERS):
            if folder.is_dir() and str(folder.relative_to(self.target.data_dir)) not in self.named:
                (folder / SET_ASIDE).touch(mode=0o600)

    def _put_secret(self) -> None:
        """Where the settings give the secret its file is not asked for, and none is put there."""
        place, staged = self.target.secret_file, self.staging / SECRET_KEY
        if place is None or not staged.exists():
            return
        # Changed after the backup, it is not the one that the keys are kept under any more.
        if self.secret_digest not in (None, _digest_of_secret(staged)):
            self.has_former_secret = True
            return
        if place.exists():
            if digest_of(place) == self.manifest.files[SECRET_KEY]:
                return
            self.former_secret = place.with_name(f"{place.name}.before-restore-{_stamp()}")
            self.former_secret.hardlink_to(place)
        else:
            self.placed.append(place)
        staged.replace(place)

    def take_back(self) -> None:
        """Undo what was put in place, where the database was not exchanged after all."""
        for path in self.placed:
            remove(path)
        if self.former_secret is not None and self.target.secret_file is not None:
            self.former_secret.replace(self.target.secret_file)


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _digest_of_secret(file: Path) -> str:
    return digest_of_secret(file.read_text("utf-8").strip().encode())


def _sync_all(folder: Path) -> None:
    for root, _, _ in os.walk(folder):
        sync(Path(root))


def _holds(folder: Path, files: dict[str, FileDigest]) -> bool:
    """Whether a folder has exactly these files."""
    if not folder.is_dir():
        return False
    found = files_below(folder)
    return found == sorted(files) and all(digest_of(folder / name) == files[name] for name in found)


@dataclass(slots=True, kw_only=True)
class _Change:
    """What is done to the restored database in the transaction that makes it."""

    manifest: Manifest
    tail: ExportTail | None
    by: str
    folders: _Folders
    applied: Applied | None = None
    is_decided: bool = False

    def __call__(self, tx: Connection) -> None:
        self._must_be_of_the_manifest(tx)
        restoration = Restoration(by=self.by, backup_at=self.manifest.at)
        if self.tail is None:
            self.applied = stop_everything(tx, restoration)
        else:
            self.applied = apply_again(tx, self.tail, restoration)
        # After the journal: what it says was purged has no place any more.
        self.folders.choose_places(tx)

    def _must_be_of_the_manifest(self, tx: Connection) -> None:
        own = installation(tx) if mismatch(tx) is None else None
        found = (
            {row.lineage: ChainEnd(number=row.entries, head=row.head) for row in tx.execute(ENDS)}
            if own
            else {}
        )
        if own is not None:
            found[own.id] = ChainEnd(number=own.entries, head=own.head)
        folders = tx.execute(FOLDERS).scalars().all() if own else []
        if (
            own is None
            or (own.id, found) != (self.manifest.installation, self.manifest.chains)
            # Whoever made a backup could have folders anywhere on this machine moved or emptied otherwise.
            or not all(FOLDER.fullmatch(folder) for folder in folders)
        ):
            raise RestoreRefused(DAMAGED.filled(file=self.manifest.database_file))


def _replace_database(request: RestoreRequest, manifest: Manifest, change: _Change) -> Path | None:
    """Make the restored database, put the folders in place and exchange it; where the former one is kept."""
    run = _exchange_sqlite if request.target.store.is_sqlite else _exchange_postgres
    return run(request.target, request.source / manifest.database_file, change)


def _exchange_sqlite(target: Installed, source: Path, change: _Change) -> Path | None:
    file = target.database_path
    target.store.close()
    staged = file.with_name(f"{file.name}{STAGING}{secrets.token_hex(8)}")
    try:
        copy_file(source, staged)
        made = Store(URL.create("sqlite", database=str(staged)))
        try:
            with made.writing() as tx:
                change(tx)
        finally:
            made.close()
        fold(staged)
        change.folders.put_in_place()
        kept = file.with_name(f"{file.name}.before-restore-{_stamp()}")
        stood = keep(file, kept)
        change.is_decided = True
        exchange(staged, file)
        return kept if stood else None
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            remove(Path(f"{staged}{suffix}"))


def _exchange_postgres(target: Installed, source: Path, change: _Change) -> None:
    with target.store.writing() as tx:
        if not tx.execute(select(func.pg_try_advisory_xact_lock(RESTORE_LOCK))).scalar_one():
            raise RestoreRefused(SERVER_RUNS.filled(folder=target.data_dir))
        if tables := standing_tables(tx):
            # Whoever comes now waits until the restored state is there, whole.
            tx.execute(text(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE"))
        must_be_alone(tx)
        load(tx, source)
        change(tx)
        change.folders.put_in_place()
        change.is_decided = True


def _stamp() -> str:
    return now().translate(str.maketrans("", "", "-:")).replace(".", "-")
