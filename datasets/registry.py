"""Registration: a source becomes a dataset's next version, wholly or not at all.

The import is built in a staging folder, renamed into place, and named in the database in one transaction:
until that commits the old version answers, and whatever is left of a killed import is swept by the next.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

from datasets.catalog import described
from datasets.descriptor import Descriptor
from datasets.ingest import IngestReport, ingest
from datasets.ledger import open_dataset
from datasets.store import Store, now
from privacy.budget import Price

SALT_BYTES = 32
CHUNK_BYTES = 1 << 20
DATASET = text("SELECT lineage, version, retired_at FROM datasets WHERE id = :id")
SALT = text("SELECT salt FROM lineages WHERE id = :id")
LAST_DESCRIPTOR = text("""
    SELECT versions.descriptor FROM versions JOIN datasets ON datasets.id = versions.dataset
    WHERE datasets.lineage = :lineage ORDER BY versions.registered_at DESC LIMIT 1
""")
SAME_SOURCE = text("""
    SELECT datasets.id FROM versions JOIN datasets ON datasets.id = versions.dataset
    WHERE versions.source_digest = :digest AND datasets.lineage <> :lineage LIMIT 1
""")
LAST_NUMBER = text("SELECT coalesce(max(number), 0) FROM versions WHERE dataset = :id")
KEEP_LINEAGE = text(
    "INSERT INTO lineages (id, salt, created_at) VALUES (:id, :salt, :at) ON CONFLICT DO NOTHING"
)
KEEP_DATASET = text("""
    INSERT INTO datasets (id, lineage, version, created_at) VALUES (:id, :lineage, :version, :at)
    ON CONFLICT (id) DO UPDATE SET version = excluded.version
""")
KEEP_VERSION = text("""
    INSERT INTO versions (dataset, number, descriptor, folder, source_digest, registered_at)
    VALUES (:id, :version, :descriptor, :folder, :digest, :at)
""")


class RegistrationRefused(ValueError):
    """The dataset cannot be registered on these terms; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What a registration made. `report` is for the operator only."""

    dataset: str
    version: int
    report: IngestReport


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """Under which lineage and salt the next version is built."""

    lineage: str
    salt: bytes
    number: int


def register(
    *,
    store: Store,
    data_dir: Path,
    descriptor: Descriptor,
    source: Path,
    actor: str,
    progress: Callable[[str, float], None],
) -> Registered:
    """Import `source` as the next version of the described dataset and switch to it.

    Raises RegistrationRefused, or whatever `ingest` refuses the source for; then nothing has changed.
    """
    id = descriptor.schema.id
    home = data_dir / id
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(home):
        digest = _digest(source)
        terms = _terms(store, descriptor, digest)
        folder = home / f"v{terms.number}"
        staging = home / f".staging-{secrets.token_hex(8)}"
        staging.mkdir(mode=0o700)
        try:
            report = ingest(descriptor, source, staging, terms.salt, progress)
            shutil.rmtree(folder, ignore_errors=True)
            staging.rename(folder)
            _sync(home)
            with store.writing() as tx:
                _keep(tx, descriptor, terms, digest=digest, folder=f"{id}/{folder.name}", actor=actor)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return Registered(dataset=id, version=terms.number, report=report)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Be the only registration of this dataset, and sweep what a killed one left behind."""
    lock = os.open(home / ".registering", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in home.glob(".staging-*"):
            shutil.rmtree(left)
        yield
    except BlockingIOError:
        raise RegistrationRefused("another registration of this dataset is running") from None
    finally:
        os.close(lock)


def _terms(store: Store, descriptor: Descriptor, digest: str) -> _Terms:
    """Settle the lineage; refuse what would reset or sidestep a lifetime cap."""
    id = descriptor.schema.id
    with store.reading() as connection:
        lineage = _lineage(connection, descriptor)
        twin = connection.execute(SAME_SOURCE, {"digest": digest, "lineage": lineage}).scalar()
        if twin is not None:
            raise RegistrationRefused(
                f"this very source is registered as {twin}: it would get a second lifetime cap. "
                f"Say `lineage: {twin}` in the descriptor to share the cap"
            )
        last = connection.execute(LAST_DESCRIPTOR, {"lineage": lineage}).scalar()
        if last is not None:
            _must_keep_cap(described(last).schema.cap, descriptor.schema.cap)
        number = connection.execute(LAST_NUMBER, {"id": id}).scalar_one() + 1
        salt = connection.execute(SALT, {"id": lineage}).scalar()
    return _Terms(lineage=lineage, salt=_salt(salt), number=number)


def _lineage(connection: Connection, descriptor: Descriptor) -> str:
    id, named = descriptor.schema.id, descriptor.lineage
    own = connection.execute(DATASET, {"id": id}).one_or_none()
    if own is not None and own.retired_at is not None:
        raise RegistrationRefused(
            f"{id} is retired; register under a new id with `lineage: {id}`, which keeps its cap"
        )
    if named == id:
        return id if own is None else str(own.lineage)
    other = connection.execute(DATASET, {"id": named}).one_or_none()
    if other is None:
        raise RegistrationRefused(f"lineage names {named}, which is no registered dataset")
    if own is not None and own.lineage != other.lineage:
        raise RegistrationRefused(f"{id} belongs to the lineage {own.lineage} already and keeps it")
    return str(other.lineage)


def _must_keep_cap(before: Price, asked: Price) -> None:
    if before != asked:
        raise RegistrationRefused(
            f"cap says {asked}, the registered dataset has {before}: a registration never changes a cap. "
            "Keep it in the descriptor and raise it by `sudare grant --dataset-cap`"
        )


def _salt(known: str | None) -> bytes:
    return bytes.fromhex(known) if known else secrets.token_bytes(SALT_BYTES)


def _keep(
    tx: Connection, descriptor: Descriptor, terms: _Terms, *, digest: str, folder: str, actor: str
) -> None:
    at, id = now(), descriptor.schema.id
    tx.execute(KEEP_LINEAGE, {"id": terms.lineage, "salt": terms.salt.hex(), "at": at})
    tx.execute(KEEP_DATASET, {"id": id, "lineage": terms.lineage, "version": terms.number, "at": at})
    tx.execute(
        KEEP_VERSION,
        {
            "id": id,
            "version": terms.number,
            "descriptor": descriptor.text,
            "folder": folder,
            "digest": digest,
            "at": at,
        },
    )
    open_dataset(tx, lineage=terms.lineage, cap=descriptor.schema.cap, actor=actor)


def _digest(source: Path) -> str:
    """SHA-256 of the source; empty for what is no regular file, which `ingest` refuses with better words."""
    if not source.is_file():
        return ""
    digest = hashlib.sha256()
    with source.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    """Make renames inside the folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
