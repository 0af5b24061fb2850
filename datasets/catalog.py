"""Which datasets are registered, in which version, on what terms. Knows descriptors and folders, never rows."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, func, select

from datasets.database.prepared import PreparedSelect
from datasets.database.stops import is_stopped
from datasets.database.store import Store
from datasets.database.tables import Base, DatasetRow, LineageRow, VersionRow, ViewLineageRow
from datasets.descriptor.descriptor import Descriptor, Reuse, parse
from datasets.engines.base import Place
from privacy.refusal import Refusal
from privacy.schema import Measure, Schema
from privacy.words import Words

TABLES = Base.metadata.tables
DATASETS, VERSIONS = TABLES[DatasetRow.__tablename__], TABLES[VersionRow.__tablename__]
VIEW_LINEAGES, LINEAGES = TABLES[ViewLineageRow.__tablename__], TABLES[LineageRow.__tablename__]
# A view stands in several lineages, so the join gives one row for each of them; every other dataset gives
# one.
ALL = (
    select(
        DATASETS.c.id,
        DATASETS.c.lineage,
        DATASETS.c.version,
        DATASETS.c.retired_at,
        VERSIONS.c.descriptor,
        VERSIONS.c.folder,
        VERSIONS.c.engine,
        VERSIONS.c.sealed,
        VERSIONS.c.registered_at,
        VERSIONS.c.sources,
        LINEAGES.c.id.label("payer"),
        LINEAGES.c.population,
        is_stopped("dataset", LINEAGES.c.id, DATASETS.c.id).label("stopped"),
    )
    .join_from(
        DATASETS, VERSIONS, (VERSIONS.c.dataset == DATASETS.c.id) & (VERSIONS.c.number == DATASETS.c.version)
    )
    .outerjoin(VIEW_LINEAGES, VIEW_LINEAGES.c.dataset == DATASETS.c.id)
    .join(LINEAGES, LINEAGES.c.id == func.coalesce(VIEW_LINEAGES.c.lineage, DATASETS.c.lineage))
    .order_by(DATASETS.c.id)
)
CURRENT = PreparedSelect(ALL.order_by(None).where(DATASETS.c.id == bindparam("dataset")))

OF_VERSION = PreparedSelect(
    select(VERSIONS.c.descriptor).where(
        VERSIONS.c.dataset == bindparam("dataset"), VERSIONS.c.number == bindparam("number")
    )
)


class NoSuchDataset(Refusal):
    """There is no dataset of that name."""

    code = "no_such_dataset"
    words = Words(ja="データセット {id} はありません", en="no dataset {id}")

    def __init__(self, id: str) -> None:
        super().__init__()
        self.id = id


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """A dataset as it answers now. `place` is where its rows lie and who computes there.

    `lineages` are those whose accounts pay for an answer: one, or for a view all that it joins, sorted; `populations`
    are the distinct names of the populations that these belong to, sorted. `reuse` says whose earlier answers may be
    told again to others. `stopped` says that nothing of it is answered for now. `sources` are the datasets and versions
    that a view was joined from, empty for any other dataset.
    """

    id: str
    lineages: tuple[str, ...]
    populations: tuple[str, ...]
    version: int
    schema: Schema
    reuse: Reuse
    place: Place
    registered_at: str
    retired: bool
    stopped: bool = False
    sources: Mapping[str, int] = field(default_factory=dict)

    @property
    def lineage(self) -> str:
        """The lineage under which answers are kept."""
        return self.lineages[0]

    @property
    def is_view(self) -> bool:
        return bool(self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageMembers:
    """What the datasets of one lineage have in common; `delta` is that of the latest registered."""

    names: tuple[str, ...]
    measure: Measure
    delta: Fraction | None


class Catalog:
    """Looks datasets up; descriptors are read once a version and process."""

    def __init__(self, store: Store, data_dir: Path) -> None:
        self._store, self._data_dir = store, data_dir

    def current(self, id: str) -> DatasetVersion:
        """The version that answers now. Raises NoSuchDataset."""
        rows = self._store.find(CURRENT, {"dataset": id})
        if not rows:
            raise NoSuchDataset(id)
        return _version_of(tuple(rows), self._data_dir)

    def schema(self, id: str, version: int) -> Schema:
        """What was public about a version, also about one that does not answer any more. Raises NoSuchDataset."""
        row = self._store.find_one(OF_VERSION, {"dataset": id, "number": version})
        if row is None:
            raise NoSuchDataset(id)
        return described(row.descriptor).schema

    def all(self) -> list[DatasetVersion]:
        """Every dataset, retired ones too, by name."""
        with self._store.reading() as connection:
            rows = connection.execute(ALL).all()
        # The rows are ordered by id, so that those of one view stand together.
        return [_version_of(tuple(same), self._data_dir) for _, same in groupby(rows, key=lambda row: row.id)]

    def lineage_members(self) -> dict[str, LineageMembers]:
        """By lineage, and by population:name, the datasets that share its accounts; views have none of their own."""
        families: dict[str, list[DatasetVersion]] = {}
        for version in self.all():
            if not version.is_view:
                chains = (f"population:{name}" for name in version.populations)
                for lineage in (version.lineage, *chains):
                    families.setdefault(lineage, []).append(version)
        return {lineage: _members(family) for lineage, family in families.items()}


# Rows that are the same mean the same version, and every question reads those of one.
@lru_cache(maxsize=256)
def _version_of(rows: tuple[Any, ...], data_dir: Path) -> DatasetVersion:
    """From the dataset's rows: one, or for a view one for each lineage."""
    row = rows[0]
    descriptor = described(row.descriptor)
    lineages = tuple(sorted(same.payer for same in rows))
    seal = seal_of(row.id, row.version, lineages, row.descriptor) if row.sealed else None
    return DatasetVersion(
        id=row.id,
        lineages=lineages,
        populations=tuple(sorted({same.population for same in rows if same.population is not None})),
        version=row.version,
        schema=descriptor.schema,
        reuse=descriptor.reuse,
        place=Place(engine=row.engine, location=data_dir / row.folder, seal=seal),
        registered_at=row.registered_at,
        retired=row.retired_at is not None,
        # In the row of each lineage of a view: it is stopped where one of them is.
        stopped=any(same.stopped for same in rows),
        sources=json.loads(row.sources or "{}"),
    )


def seal_of(id: str, number: int, lineages: Sequence[str], descriptor: str) -> str:
    """What tells the rows of a version from any others: its name, and a digest of who pays and on which terms.

    `lineages` are sorted, `descriptor` is the registered text. It stands in the statistics file.
    """
    # The terms, too: with a smaller bound on rows per person the same rows would be told with too little noise.
    content = json.dumps([id, number, list(lineages), descriptor])
    return f"{id} v{number} {hashlib.sha256(content.encode()).hexdigest()}"


def _members(family: Iterable[DatasetVersion]) -> LineageMembers:
    # The latest registered version decides: older ones answer no questions any more.
    by_age = sorted(family, key=lambda version: version.registered_at)
    latest = by_age[-1].schema
    names = tuple(sorted(version.id for version in by_age))
    return LineageMembers(names=names, measure=latest.measure, delta=latest.delta)


# A registered text never changes, so it is its own key and nothing has to be dropped when a version comes.
@lru_cache(maxsize=256)
def described(text: str) -> Descriptor:
    """A registered descriptor, read again."""
    return parse(text)
