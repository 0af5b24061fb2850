"""Registration: a source, or a join of datasets, becomes a dataset's next version, wholly or not at all.

The import is built in a staging folder, renamed into place, and named in the database in one transaction: until that
commits the old version answers, and whatever is left of a killed import is swept by the next one or later (`folders`).
No folder is used twice: of two machines that register at once, the later one finds its number taken. Of all
registrations only one commits at a time, and looks again whether it may: what was registered meanwhile counts, too.
"""

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, Row, Table, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from datasets.catalog import Catalog, DatasetVersion, seal_of
from datasets.database.files import sync
from datasets.database.installation import add_line
from datasets.database.locks import LockTaken, alone
from datasets.database.owner import claim
from datasets.database.store import Store, now
from datasets.database.tables import Base, DatasetRow, LineageRow, VersionRow, ViewLineageRow
from datasets.database.texts import line_of
from datasets.descriptor.descriptor import Descriptor, View
from datasets.engines.format import ENGINE
from datasets.ledger.accounts import join_population, open_dataset, person
from datasets.ledger.errors import REASON_CHARACTERS_MAX
from datasets.ledger.journal import REGISTERED, SEPARATED, append
from datasets.registration.errors import RegistrationRefused
from datasets.registration.folders import REGISTERING, own_staging, version_folder
from datasets.registration.identities import Identities, identity_secret
from datasets.registration.ingest import (
    Identifier,
    ImportEngine,
    IngestReport,
    JoinedPart,
    SourceFile,
    ingest,
    ingest_joined,
    vault_of,
    write_identity,
)
from datasets.registration.joined import resolve
from datasets.registration.overlap import Overlaps, RegistrationNotice
from datasets.registration.terms import DATASET, agreed
from privacy import delta
from privacy.words import Words

SALT_BYTES = 32
REGISTRATION_LOCK = 0x5DA8F  # any number but the other lock's, the same for every version of this program
TABLES = Base.metadata.tables
DATASETS, VERSIONS = TABLES[DatasetRow.__tablename__], TABLES[VersionRow.__tablename__]
LINEAGES, VIEW_LINEAGES = TABLES[LineageRow.__tablename__], TABLES[ViewLineageRow.__tablename__]
SALT = select(LINEAGES.c.salt).where(LINEAGES.c.id == bindparam("lineage"))
LAST_NUMBER = select(func.coalesce(func.max(VERSIONS.c.number), 0)).where(
    VERSIONS.c.dataset == bindparam("dataset")
)
VIEW_LINEAGES_OF = select(VIEW_LINEAGES.c.lineage).where(VIEW_LINEAGES.c.dataset == bindparam("dataset"))
ANSWER_FROM = (
    update(DATASETS).where(DATASETS.c.id == bindparam("dataset")).values(version=bindparam("number"))
)


NO_REASON = Words(
    ja=f"--separate-lineage の理由を 1〜{REASON_CHARACTERS_MAX:,} 文字の 1 行で指定してください"
    "（制御文字や目に見えない文字は使えません）",
    en=f"give --separate-lineage a reason: one line of 1 to {REASON_CHARACTERS_MAX:,} characters, without control or "
    "invisible characters",
)
ANOTHER_CAME_FIRST = Words(
    ja="登録の間に、別のマシンでこのデータセットの別のバージョンが登録されました。必要であればもう一度登録してください",
    en="another machine registered a version of this dataset meanwhile; register again if this one is still wanted",
)
ALREADY_RUNNING = Words(
    ja="このデータセットの別の登録が実行中です", en="another registration of this dataset is running"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What a registration made. `report` and `notices` are for the operator only."""

    dataset: str
    version: int
    report: IngestReport
    notices: tuple[RegistrationNotice, ...] = ()


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

    def seal(self, descriptor: Descriptor) -> str:
        """What the version's file says of itself, as the catalogue says it of the version's rows in the database."""
        return seal_of(descriptor.schema.id, self.number, self.lineages, descriptor.text)


@dataclass(slots=True, kw_only=True)
class _Admission:
    """Whether a source may be registered on its descriptor's terms: asked before, during and at the end of the import.

    `digest` is the source's; `reason` is why its people are others than those of another lineage, None where nobody
    said so. `identities` and `overlaps` are there as soon as the vault is.
    """

    store: Store
    data_dir: Path
    descriptor: Descriptor
    digest: str
    reason: str | None
    lineage: str = ""
    identities: Identities | None = None
    overlaps: Overlaps | None = None

    def before(self) -> None:
        """Settle the lineage; refuse what needs no look at the rows."""
        with self.store.reading() as connection:
            self.lineage = agreed(connection, self.descriptor, self.digest)

    def examine(self, vault: Path, engine: ImportEngine, *, folder: Path) -> None:
        """Keep the identity of a complete vault in the version's folder, and compare it with all others."""
        self.identities = identities = Identities(self.data_dir, identity_secret(self.store))
        schema, identifier = self.descriptor.schema, Identifier(identities.secret, engine)
        identity = identifier.identity(vault, unit=schema.unit, rows_per_person=schema.rows_per_person)
        write_identity(identity, folder)
        self.overlaps = Overlaps(
            lineage=self.lineage,
            population=self.descriptor.population,
            identity=identity,
            reason=self.reason,
        )
        with self.store.reading() as connection:
            self.overlaps.look(connection, identities.kept_or_made(identifier))

    def at_last(self, tx: Connection) -> tuple[str, ...]:
        """In the transaction that commits: the lineages that the new one is kept apart from."""
        assert self.identities is not None, "the vault was examined"
        assert self.overlaps is not None, "the vault was examined"
        _hold_registrations(tx)
        # The lineage is what the salt was taken from, so it cannot have become another one.
        assert agreed(tx, self.descriptor, self.digest) == self.lineage, "a lineage stays"
        # Whatever was registered since the first look has its identity beside it.
        self.overlaps.look(tx, self.identities.kept)
        return self.overlaps.separate_from

    def notices(self) -> tuple[RegistrationNotice, ...]:
        """What the operator should know of a registration that was accepted."""
        return () if self.overlaps is None else self.overlaps.notices()


def _hold_registrations(tx: Connection) -> None:
    """Be the only one that commits a registration, on all machines; SQLite has one writer anyway."""
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(REGISTRATION_LOCK)))


def register(
    *,
    store: Store,
    data_dir: Path,
    descriptor: Descriptor,
    source: Path,
    actor: str,
    progress: Callable[[str, float], None],
    separate_reason: str | None = None,
) -> Registered:
    """Import `source` as the next version of the described dataset and switch to it.

    `separate_reason` is why its people are not those of another lineage with which it has most of them in common.
    Raises RegistrationRefused, LedgerError, or whatever `ingest` refuses the source for; then nothing has changed.
    """
    reason = None if separate_reason is None else _reason(separate_reason)
    with _alone(data_dir, descriptor.schema.id) as home:
        guarded = SourceFile.at(source)
        admission = _Admission(
            store=store,
            data_dir=data_dir,
            descriptor=descriptor,
            # The source is read whole for its digest before anything is built: a refusal must come early.
            digest=guarded.digest(),
            reason=reason,
        )
        admission.before()
        claim(data_dir, store)
        terms = _terms(store, descriptor, admission)
        with _next_version(store, home, descriptor, terms, actor, admission) as staging:
            examine = partial(admission.examine, folder=staging)
            # Refuses a source that is not the one of the digest any more.
            report = ingest(
                descriptor,
                guarded,
                staging,
                terms.salt,
                progress,
                examine=examine,
                seal=terms.seal(descriptor),
            )
    return Registered(
        dataset=descriptor.schema.id, version=terms.number, report=report, notices=admission.notices()
    )


def _reason(given: str) -> str:
    reason = line_of(given, most=REASON_CHARACTERS_MAX)
    if reason is None:
        raise RegistrationRefused(NO_REASON)
    return reason


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
    claim(data_dir, store)
    with _alone(data_dir, view.id) as home:
        # Read under the lock and used for all that follows, so that a source's next version cannot mix in.
        known = {version.id: version for version in Catalog(store, data_dir).all()}
        sources = {id: known[id] for id in view.sources if id in known}
        descriptor = resolve(view, sources, lambda id: _joined_from(id, known))
        terms = _terms_of_view(store, view, sources)
        with _next_version(store, home, descriptor, terms, actor) as staging:
            parts = [_part(view, source) for source in sources.values()]
            report = ingest_joined(
                descriptor, parts, staging, terms.salt, progress, seal=terms.seal(descriptor)
            )
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
    store: Store,
    home: Path,
    descriptor: Descriptor,
    terms: _Terms,
    actor: str,
    admission: _Admission | None = None,
) -> Iterator[Path]:
    """A staging folder to fill; when the block ends it is put in place and answers from then on.

    `admission` is asked for the last time then; a view needs none.
    """
    # By chance, too: another machine may be making a version of this number, whose folder must stay what it is.
    folder = home / version_folder(terms.number)
    staging = home / f"{own_staging()}{secrets.token_hex(8)}"
    staging.mkdir(mode=0o700)
    try:
        yield staging
        staging.rename(folder)
        # The rename must be on the disk before the database names the folder; the other order could name
        # nothing.
        sync(home)
        is_written = False
        try:
            with store.writing() as tx:
                apart = admission.at_last(tx) if admission else ()
                _keep(tx, descriptor, terms, folder=f"{home.name}/{folder.name}", actor=actor)
                if admission and apart:
                    _journal_separation(tx, terms, admission, apart, actor)
                is_written = True
        except BaseException:
            # Before the commit no version has this folder: it is people's data that nobody looks for. Whether a commit
            # that failed took place nobody knows, so what it left is left to the sweep.
            if not is_written:
                shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _alone(data_dir: Path, id: str) -> Iterator[Path]:
    """Be the only registration of this dataset, and sweep what a killed one left behind; gives its home."""
    home = data_dir / id
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with alone(home / REGISTERING):
            # Nobody else of this machine is at work here, so its staging folders are what a killed registration left.
            for left in home.glob(f"{own_staging()}*"):
                shutil.rmtree(left)
            yield home
    except LockTaken:
        raise RegistrationRefused(ALREADY_RUNNING) from None


def _terms(store: Store, descriptor: Descriptor, admission: _Admission) -> _Terms:
    """The number and the salt of the next version of the lineage that was agreed."""
    with store.reading() as connection:
        number = connection.execute(LAST_NUMBER, {"dataset": descriptor.schema.id}).scalar_one() + 1
        salt = connection.execute(SALT, {"lineage": admission.lineage}).scalar()
    return _Terms(lineages=(admission.lineage,), salt=_salt(salt), number=number, digest=admission.digest)


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
                    f"{id} は系統 {known} を結合し、今後もこれらの予算を消費します。{named} には変えられません。"
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
    version = {
        "dataset": id,
        "number": terms.number,
        "descriptor": descriptor.text,
        "folder": folder,
        "source_digest": terms.digest,
        "registered_at": at,
        "sources": json.dumps(terms.sources) if terms.sources else None,
        "engine": ENGINE,
        "sealed": 1,
    }
    try:
        tx.execute(insert(VERSIONS), version)
    # Another machine, whose locks are its own, has registered this number meanwhile.
    except IntegrityError:
        raise RegistrationRefused(ANOTHER_CAME_FIRST) from None
    # Not in the lineages' chains, whose lines are of budget: a restore reads here which rows its backup cannot have.
    registered = {"dataset": id, "version": terms.number, "lineages": list(terms.lineages)}
    add_line(tx, REGISTERED, by=person(actor), **registered)
    if terms.sources:
        tx.execute(new(VIEW_LINEAGES), [{"dataset": id, "lineage": lineage} for lineage in terms.lineages])
        return
    schema = descriptor.schema
    delta_cap = delta.atto_of(schema.delta_cap)
    open_dataset(tx, lineage=terms.lineage, cap=schema.cap, actor=actor, delta_cap_atto=delta_cap)
    if descriptor.population is not None:
        join_population(tx, lineage=terms.lineage, name=descriptor.population, actor=actor)


def _journal_separation(
    tx: Connection, terms: _Terms, admission: _Admission, apart: Sequence[str], actor: str
) -> None:
    """Who said of which lineages that their people are others, and why, in the chain of the lineage that is opened."""
    body = {"kind": SEPARATED, "at": now(), "by": person(actor), "from": list(apart)}
    about = {"dataset": admission.descriptor.schema.id, "version": terms.number, "reason": admission.reason}
    append(tx, terms.lineage, body | about)


def _insert_where_missing(tx: Connection) -> Callable[[Table], Executable]:
    """Makes the statement that inserts a row unless its key is there already, in the words of the database."""
    # Both databases know ON CONFLICT, but SQLAlchemy has it in each one's dialect only.
    own = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    return lambda table: own(table).on_conflict_do_nothing()
