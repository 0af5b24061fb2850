"""Registration: a source, or a join of datasets, becomes a dataset's next version, wholly or not at all.

The import is built in a staging folder, renamed into place, and named in the database in one transaction:
until that commits the old version answers, and whatever is left of a killed import is swept by the next.
"""

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, Row, Table, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from datasets.catalog import Catalog, DatasetVersion, described
from datasets.database.files import sync
from datasets.database.locks import LockTaken, alone
from datasets.database.store import Store, now
from datasets.database.tables import Base, DatasetRow, LineageRow, VersionRow, ViewLineageRow
from datasets.descriptor.descriptor import Descriptor, View
from datasets.engines.format import ENGINE
from datasets.ledger.accounts import open_dataset
from datasets.registration.errors import RegistrationRefused
from datasets.registration.ingest import (
    IngestReport,
    JoinedPart,
    SourceFile,
    ingest,
    ingest_joined,
    vault_of,
)
from datasets.registration.joined import resolve
from privacy import delta
from privacy.schema import Schema
from privacy.words import Words

SALT_BYTES = 32
TABLES = Base.metadata.tables
DATASETS, VERSIONS = TABLES[DatasetRow.__tablename__], TABLES[VersionRow.__tablename__]
LINEAGES, VIEW_LINEAGES = TABLES[LineageRow.__tablename__], TABLES[ViewLineageRow.__tablename__]
OF_DATASET = VERSIONS.c.dataset == DATASETS.c.id
# Views are left out where lineages are compared: their terms are their sources', their source no file.
NO_VIEW = VERSIONS.c.sources.is_(None)
# The current version tells whether this is a view: only views have sources.
DATASET = (
    select(DATASETS.c.lineage, DATASETS.c.retired_at, VERSIONS.c.sources)
    .join_from(DATASETS, VERSIONS, OF_DATASET & (VERSIONS.c.number == DATASETS.c.version))
    .where(DATASETS.c.id == bindparam("dataset"))
)
SALT = select(LINEAGES.c.salt).where(LINEAGES.c.id == bindparam("lineage"))
# Of any dataset of the lineage: the terms are the lineage's.
LAST_DESCRIPTOR = (
    select(VERSIONS.c.descriptor)
    .join_from(VERSIONS, DATASETS, OF_DATASET)
    .where(DATASETS.c.lineage == bindparam("lineage"), NO_VIEW)
    .order_by(VERSIONS.c.registered_at.desc())
    .limit(1)
)
# By the bytes of the source: the same file under another name would otherwise get a second lifetime cap.
SAME_SOURCE = (
    select(DATASETS.c.id)
    .join_from(VERSIONS, DATASETS, OF_DATASET)
    .where(
        VERSIONS.c.source_digest == bindparam("digest"), NO_VIEW, DATASETS.c.lineage != bindparam("lineage")
    )
    .limit(1)
)
LAST_NUMBER = select(func.coalesce(func.max(VERSIONS.c.number), 0)).where(
    VERSIONS.c.dataset == bindparam("dataset")
)
VIEW_LINEAGES_OF = select(VIEW_LINEAGES.c.lineage).where(VIEW_LINEAGES.c.dataset == bindparam("dataset"))
ANSWER_FROM = (
    update(DATASETS).where(DATASETS.c.id == bindparam("dataset")).values(version=bindparam("number"))
)


ALREADY_RUNNING = Words(
    ja="このデータセットの別の登録が実行中です", en="another registration of this dataset is running"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What a registration made. `report` is for the operator only."""

    dataset: str
    version: int
    report: IngestReport


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """Under which lineages and salt the next version is built, and from what.

    `digest` is the source's; `sources` are a view's datasets and their versions.
    """

    lineages: tuple[str, ...]
    salt: bytes
    number: int
    digest: str
    sources: dict[str, int] = field(default_factory=dict)

    @property
    def lineage(self) -> str:
        return self.lineages[0]


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
    with _alone(data_dir, descriptor.schema.id) as home:
        guarded = SourceFile.at(source)
        # The source is read whole for its digest before anything is built: a refusal must come early.
        terms = _terms(store, descriptor, guarded.digest())
        with _next_version(store, home, descriptor, terms, actor) as staging:
            # Refuses a source that is not the one of the digest any more.
            report = ingest(descriptor, guarded, staging, terms.salt, progress)
    return Registered(dataset=descriptor.schema.id, version=terms.number, report=report)


def register_view(
    *,
    store: Store,
    data_dir: Path,
    view: View,
    actor: str,
    progress: Callable[[str, float], None],
) -> Registered:
    """Join the view's sources, as they stand now, as its next version and switch to it.

    Raises DescriptorError where the sources don't allow the view, RegistrationRefused, or whatever
    `ingest_joined` refuses; then nothing has changed.
    """
    with _alone(data_dir, view.id) as home:
        # Read under the lock and used for all that follows, so that a source's next version cannot mix in.
        known = {version.id: version for version in Catalog(store, data_dir).all()}
        sources = {id: known[id] for id in view.sources if id in known}
        descriptor = resolve(view, sources, lambda id: _joined_from(id, known))
        terms = _terms_of_view(store, view, sources)
        with _next_version(store, home, descriptor, terms, actor) as staging:
            parts = [_part(view, source) for source in sources.values()]
            report = ingest_joined(descriptor, parts, staging, terms.salt, progress)
    return Registered(dataset=view.id, version=terms.number, report=report)


def _joined_from(id: str, known: Mapping[str, DatasetVersion]) -> set[str]:
    """Everything that a dataset is joined from, at any depth, as registered."""
    found: set[str] = set()
    # A loop and no recursion: views of views may be deep, and `found` ends circles.
    ahead = [id]
    while ahead:
        new = set(known[ahead.pop()].sources) - found
        found |= new
        ahead += new
    return found


def _part(view: View, source: DatasetVersion) -> JoinedPart:
    assert source.schema.unit is not None, "a source of a view has a unit"
    return JoinedPart(
        vault=vault_of(source.place.location),
        unit=source.schema.unit,
        columns={wanted.name: wanted.column for wanted in view.columns if wanted.source == source.id},
    )


@contextmanager
def _next_version(
    store: Store, home: Path, descriptor: Descriptor, terms: _Terms, actor: str
) -> Iterator[Path]:
    """A staging folder to fill; when the block ends it is put in place and answers from then on."""
    folder = home / f"v{terms.number}"
    staging = home / f".staging-{secrets.token_hex(8)}"
    staging.mkdir(mode=0o700)
    try:
        yield staging
        # No committed version has this number: it is what a registration left that died before its commit.
        shutil.rmtree(folder, ignore_errors=True)
        staging.rename(folder)
        # The rename must be on the disk before the database names the folder; the other order could name
        # nothing.
        sync(home)
        with store.writing() as tx:
            _keep(tx, descriptor, terms, folder=f"{home.name}/{folder.name}", actor=actor)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _alone(data_dir: Path, id: str) -> Iterator[Path]:
    """Be the only registration of this dataset, and sweep what a killed one left behind; gives its home."""
    home = data_dir / id
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with alone(home / ".registering"):
            # Nobody else is at work here, so every staging folder is what a killed registration left behind.
            for left in home.glob(".staging-*"):
                shutil.rmtree(left)
            yield home
    except LockTaken:
        raise RegistrationRefused(ALREADY_RUNNING) from None


def _terms(store: Store, descriptor: Descriptor, digest: str) -> _Terms:
    """Settle the lineage; refuse what would reset or sidestep a lifetime cap."""
    id = descriptor.schema.id
    with store.reading() as connection:
        lineage = _lineage(connection, descriptor)
        twin = connection.execute(SAME_SOURCE, {"digest": digest, "lineage": lineage}).scalar()
        if twin is not None:
            raise RegistrationRefused(
                Words(
                    ja=(
                        f"この元データは既に {twin} として登録されており、生涯上限が 2 つになります。"
                        f"上限を共有するには、ディスクリプタに `lineage: {twin}` と書いてください"
                    ),
                    en=(
                        f"this very source is registered as {twin}: it would get a second lifetime cap. "
                        f"Say `lineage: {twin}` in the descriptor to share the cap"
                    ),
                )
            )
        last = connection.execute(LAST_DESCRIPTOR, {"lineage": lineage}).scalar()
        if last is not None:
            # Refused rather than ignored: a cap that was lowered or raised by editing a file would never be
            # journalled.
            _must_keep_terms(lineage, described(last).schema, descriptor.schema)
        number = connection.execute(LAST_NUMBER, {"dataset": id}).scalar_one() + 1
        salt = connection.execute(SALT, {"lineage": lineage}).scalar()
    return _Terms(lineages=(lineage,), salt=_salt(salt), number=number, digest=digest)


def _terms_of_view(store: Store, view: View, sources: Mapping[str, DatasetVersion]) -> _Terms:
    """The lineages of all sources, which pay for every answer; a view keeps them for ever."""
    lineages = tuple(sorted({lineage for version in sources.values() for lineage in version.lineages}))
    with store.reading() as connection:
        own = connection.execute(DATASET, {"dataset": view.id}).one_or_none()
        if own is not None:
            before = tuple(connection.execute(VIEW_LINEAGES_OF, {"dataset": view.id}).scalars())
            _must_stay_the_view(view.id, own, before, lineages)
        number = connection.execute(LAST_NUMBER, {"dataset": view.id}).scalar_one() + 1
        # The first lineage in sorted order: the same one in every version, whatever order the view names them
        # in.
        salt = connection.execute(SALT, {"lineage": lineages[0]}).scalar_one()
    versions = {id: source.version for id, source in sources.items()}
    digest = hashlib.sha256(view.text.encode()).hexdigest()
    salt = _salt_of_view(bytes.fromhex(salt), lineages)
    return _Terms(lineages=lineages, salt=salt, number=number, digest=digest, sources=versions)


def _must_stay_the_view(
    id: str, own: Row[*tuple[Any, ...]], before: Sequence[str], lineages: Sequence[str]
) -> None:
    if own.retired_at is not None:
        raise RegistrationRefused(
            Words(
                ja=f"{id} は廃止されています。ビューを新しい id で登録してください",
                en=f"{id} is retired; register the view under a new id",
            )
        )
    if own.sources is None:
        raise RegistrationRefused(
            Words(
                ja=f"{id} は独自の元データを持つデータセットです。ビューには別の id を付けてください",
                en=f"{id} is a dataset with a source of its own; give the view another id",
            )
        )
    if sorted(before) != list(lineages):
        known, named = ", ".join(sorted(before)), ", ".join(lineages)
        raise RegistrationRefused(
            Words(
                ja=(
                    f"{id} は系統 {known} を結合し、今後もこれらに課金されます。{named} には変えられません。"
                    "ビューには別の id を付けてください"
                ),
                en=(
                    f"{id} joins the lineages {known} and is charged to these for ever, not to "
                    f"{named}; give the view another id"
                ),
            )
        )


def _salt_of_view(salt: bytes, lineages: Sequence[str]) -> bytes:
    """A salt of its own, so that no order of a source's rows tells of the view's; the same in every version."""
    return hashlib.blake2b("\0".join(["view", *lineages]).encode(), key=salt, digest_size=SALT_BYTES).digest()


def _lineage(connection: Connection, descriptor: Descriptor) -> str:
    id, named = descriptor.schema.id, descriptor.lineage
    own = connection.execute(DATASET, {"dataset": id}).one_or_none()
    if own is not None and own.retired_at is not None:
        raise RegistrationRefused(
            Words(
                ja=f"{id} は廃止されています。上限を引き継ぐ `lineage: {id}` を付けて新しい id で登録してください",
                en=f"{id} is retired; register under a new id with `lineage: {id}`, which keeps its cap",
            )
        )
    if own is not None and own.sources is not None:
        raise RegistrationRefused(
            Words(
                ja=f"{id} はビューです。データセットには別の id を付けてください",
                en=f"{id} is a view; give the dataset another id",
            )
        )
    if named == id:
        return id if own is None else str(own.lineage)
    other = connection.execute(DATASET, {"dataset": named}).one_or_none()
    if other is None:
        raise RegistrationRefused(
            Words(
                ja=f"lineage の {named} は登録済みのデータセットではありません",
                en=f"lineage names {named}, which is no registered dataset",
            )
        )
    if other.sources is not None:
        raise RegistrationRefused(
            Words(
                ja=f"lineage の {named} はビューです。結合元のいずれかを指定してください",
                en=f"lineage names {named}, which is a view: name one of its sources",
            )
        )
    # Moving to another lineage would leave what was spent behind.
    if own is not None and own.lineage != other.lineage:
        raise RegistrationRefused(
            Words(
                ja=f"{id} は既に系統 {own.lineage} に属しており、変更できません",
                en=f"{id} belongs to the lineage {own.lineage} already and keeps it",
            )
        )
    return str(other.lineage)


def _must_keep_terms(lineage: str, before: Schema, proposed: Schema) -> None:
    """What a lifetime cap is counted in, and how high it is, holds for all datasets and versions under it."""
    if before.measure != proposed.measure:
        raise RegistrationRefused(
            Words(
                ja=(
                    f"measure が {proposed.measure} ですが、{lineage} の上限と消費は {before.measure} で数えています。"
                    f"系統の measure は変えられません。`measure: {before.measure}` のままにしてください"
                ),
                en=(
                    f"measure says {proposed.measure}, but what {lineage} may spend and has spent is counted in "
                    f"{before.measure}: a lineage never changes its measure. Keep `measure: {before.measure}`"
                ),
            )
        )
    if before.cap != proposed.cap:
        raise RegistrationRefused(
            Words(
                ja=(
                    f"cap が {proposed.cap} ですが、登録済みのデータセットでは {before.cap} です。"
                    "登録では上限は変わりません。ディスクリプタはそのままにし、"
                    "`sudare grant --dataset-cap` で引き上げてください"
                ),
                en=(
                    f"cap says {proposed.cap}, the registered dataset has {before.cap}: a registration never "
                    "changes a cap. Keep it in the descriptor and raise it by `sudare grant --dataset-cap`"
                ),
            )
        )
    if before.delta_cap != proposed.delta_cap:
        amounts = [delta.shown(delta.atto_of(schema.delta_cap)) for schema in (proposed, before)]
        raise RegistrationRefused(
            Words(
                ja=(
                    f"delta_cap が {amounts[0]} ですが、登録済みのデータセットでは {amounts[1]} です。"
                    "登録では上限は変わりません。ディスクリプタはそのままにしてください"
                ),
                en=(
                    f"delta_cap says {amounts[0]}, the registered dataset has {amounts[1]}: a registration never "
                    "changes a cap. Keep it in the descriptor"
                ),
            )
        )


def _salt(known: str | None) -> bytes:
    return bytes.fromhex(known) if known else secrets.token_bytes(SALT_BYTES)


def _keep(tx: Connection, descriptor: Descriptor, terms: _Terms, *, folder: str, actor: str) -> None:
    at, id = now(), descriptor.schema.id
    new = _insert_where_missing(tx)
    # A view opens no lineage and no account: those of its sources pay. A lineage that is there keeps its salt, or a
    # new version would keep other rows of a person.
    if not terms.sources:
        tx.execute(new(LINEAGES), {"id": terms.lineage, "salt": terms.salt.hex(), "created_at": at})
    tx.execute(new(DATASETS), {"id": id, "lineage": terms.lineage, "version": terms.number, "created_at": at})
    tx.execute(ANSWER_FROM, {"dataset": id, "number": terms.number})
    tx.execute(
        insert(VERSIONS),
        {
            "dataset": id,
            "number": terms.number,
            "descriptor": descriptor.text,
            "folder": folder,
            "source_digest": terms.digest,
            "registered_at": at,
            "sources": json.dumps(terms.sources) if terms.sources else None,
            "engine": ENGINE,
        },
    )
    if terms.sources:
        tx.execute(new(VIEW_LINEAGES), [{"dataset": id, "lineage": lineage} for lineage in terms.lineages])
        return
    schema = descriptor.schema
    delta_cap = delta.atto_of(schema.delta_cap)
    open_dataset(tx, lineage=terms.lineage, cap=schema.cap, actor=actor, delta_cap_atto=delta_cap)


def _insert_where_missing(tx: Connection) -> Callable[[Table], Executable]:
    """Makes the statement that inserts a row unless its key is there already, in the words of the database."""
    # Both databases know ON CONFLICT, but SQLAlchemy has it in each one's dialect only.
    own = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    return lambda table: own(table).on_conflict_do_nothing()
