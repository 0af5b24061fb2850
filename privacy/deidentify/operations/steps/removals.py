"""Operations that take away: the column, rows, cells, parts of texts, and all but a sample."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar

import numpy as np

from privacy.deidentify.operations import removal, sampling
from privacy.deidentify.operations.steps.base import Applied, Means, Operation, RowRemoval, WorkingRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove(Operation):
    """The column is left out (項目削除)."""

    NAME: ClassVar[str] = "remove"

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        records.column(column, self.NAME)
        after = replace(records, table=removal.remove_column(records.table, column))
        return after, Applied(column=column, operation=self.NAME, term=self.term, cells=records.table.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRows(RowRemoval):
    """Rows with one of `values`, or with a value of fewer than `least` persons, are left out (レコード削除)."""

    NAME: ClassVar[str] = "remove_rows"
    values: tuple[str, ...] | None = None
    least: int | None = None

    def __post_init__(self) -> None:
        self._one_of("values", "least")

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        given = records.column(column, self.NAME)
        if self.least is not None:
            # By persons where the plan names them: a value in many rows of one person is rare.
            gone = removal.rare(given, least=self.least, unit=records.unit)
        else:
            gone = removal.holding(given, self.values or ())
        return self._left(records, column, np.flatnonzero(~gone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppress(Operation):
    """Cells with one of `values` are blanked (セル削除)."""

    NAME: ClassVar[str] = "suppress"
    values: tuple[str, ...]

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        return self._done(records, removal.suppress_values(records.column(column, self.NAME), self.values)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressRare(Operation):
    """Cells with a value that fewer than `least` persons have are blanked (セル削除)."""

    NAME: ClassVar[str] = "suppress_rare"
    least: int

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        given = records.column(column, self.NAME)
        return self._done(records, removal.suppress_rare(given, least=self.least, unit=records.unit)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask(Operation):
    """All but the first (last) `keep` characters are replaced by a sign."""

    NAME: ClassVar[str] = "mask"
    keep: int
    last: bool = False
    sign: str = "*"

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        given = records.column(column, self.NAME)
        return self._done(records, removal.mask(given, keep=self.keep, last=self.last, sign=self.sign))


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSample(RowRemoval):
    """A sample of `size` persons, or a `share` of them; `stratified` in proportion to the column's values."""

    NAME: ClassVar[str] = "sample"
    size: int | None = None
    share: Decimal | None = None
    stratified: bool = False

    def __post_init__(self) -> None:
        self._one_of("size", "share")

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        given = records.column(column, self.NAME)
        size = self._size(records)
        # By the column's codes as strata: a stratum is a text, the missing one too.
        if self.stratified:
            rows = sampling.stratified(given.codes, size=size, draws=means.draws(), unit=records.unit)
        else:
            rows = sampling.sample(records.table.rows, size=size, draws=means.draws(), unit=records.unit)
        return self._left(records, column, rows)

    def _size(self, records: WorkingRecords) -> int:
        if self.size is not None:
            return self.size
        assert self.share is not None
        # Of the persons left, not of those of the source: rows may have been removed before.
        return round(len(np.unique(records.people)) * self.share)
