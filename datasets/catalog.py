"""Which datasets are held, in which version, on what terms. Knows descriptors and folders, never rows."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Row, text

from datasets.descriptor import Descriptor, parse
from datasets.engines.duckdb import STATISTICS_FILE
from datasets.store import Store
from privacy.schema import Schema

_SELECT = """
    SELECT datasets.id, datasets.lineage, datasets.version, datasets.created_at, datasets.retired_at,
        versions.descriptor, versions.folder, versions.registered_at
    FROM datasets JOIN versions ON versions.dataset = datasets.id AND versions.number = datasets.version
"""
CURRENT = text(f"{_SELECT} WHERE datasets.id = :id")
ALL = text(f"{_SELECT} ORDER BY datasets.id")
VERSION = text("SELECT descriptor FROM versions WHERE dataset = :id AND number = :number")
RETIRE = text("UPDATE datasets SET retired_at = :at WHERE id = :id AND retired_at IS NULL")


class NoSuchDataset(LookupError):
    """There is no dataset of that name."""

    def __init__(self, id: str) -> None:
        super().__init__(f"no dataset {id}")
        self.id = id


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A dataset as it answers now. `file` is its statistics table."""

    id: str
    lineage: str
    version: int
    schema: Schema
    file: Path
    registered_at: str
    retired: bool


class Catalog:
    """Looks datasets up; descriptors are read once a version and process."""

    def __init__(self, store: Store, data_dir: Path) -> None:
        self._store, self._data_dir = store, data_dir

    def current(self, id: str) -> Held:
        """The version that answers now. Raises NoSuchDataset."""
        with self._store.reading() as connection:
            row = connection.execute(CURRENT, {"id": id}).one_or_none()
        if row is None:
            raise NoSuchDataset(id)
        return self._held(row)

    def all(self) -> list[Held]:
        """Every dataset, retired ones too, by name."""
        with self._store.reading() as connection:
            return [self._held(row) for row in connection.execute(ALL)]

    def retire(self, id: str, *, at: str) -> None:
        """End a dataset: no new question is answered; what was told and spent stays. Raises NoSuchDataset."""
        self.current(id)
        with self._store.writing() as connection:
            connection.execute(RETIRE, {"id": id, "at": at})

    def _held(self, row: Row) -> Held:  # type: ignore[type-arg]
        return Held(
            id=row.id,
            lineage=row.lineage,
            version=row.version,
            schema=described(row.descriptor).schema,
            file=self._data_dir / row.folder / STATISTICS_FILE,
            registered_at=row.registered_at,
            retired=row.retired_at is not None,
        )


@lru_cache(maxsize=256)
def described(text: str) -> Descriptor:
    """A registered descriptor, read again."""
    return parse(text)
