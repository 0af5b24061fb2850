"""The operations as a plan states them: frozen values with their parameters checked, each with its term.

`run` says what the operation does to a table; how it does it is in the modules by subject.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.operations import (
    dates,
    microaggregation,
    numbers,
    pram,
    pseudonyms,
    removal,
    sampling,
    swapping,
)
from privacy.deidentify.operations.columns import Persons, changed_cells, strata_of
from privacy.deidentify.operations.edges import Edge
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.operations.naming import TERMS, Term
from privacy.deidentify.randomness import Draws
from privacy.deidentify.table import Column, Table

Figure = int | float | str
NO_FIGURES: Mapping[str, Figure] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """One operation that was applied: to which column, what it changed, and what has to be kept apart.

    `cells` counts cells of all its columns that differ afterwards, `rows` the rows that went. `figures` may be
    reported; `restricted` are parameters drawn from the data (加工方法情報), for the restricted part of a report.
    """

    column: str
    operation: str
    term: Term
    cells: int = 0
    rows: int = 0
    figures: Mapping[str, Figure] = field(default_factory=dict)
    restricted: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorkingRecords:
    """The table between two operations, with what must outlive changes of its columns.

    `people` is a person code per row, taken before any operation; `unit` is the same, or None where rows are
    persons. `persons` is their number at the start; `labels` are texts that coding put into numeric columns.
    """

    table: Table
    people: Persons
    unit: Persons | None
    persons: int
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Table, unit: str | None) -> "WorkingRecords":
        """The records of a table whose column `unit`, if any, tells the persons; a missing one is a person too."""
        if unit is None:
            return cls(
                table=table, people=np.arange(table.rows, dtype=np.int32), unit=None, persons=table.rows
            )
        if unit not in table:
            raise BadOperation(f"there is no column {unit} to tell the persons")
        people = table[unit].codes
        return cls(table=table, people=people, unit=people, persons=len(table[unit].values))

    def column(self, name: str, operation: str) -> Column:
        """A column that an operation names."""
        if name not in self.table:
            raise BadOperation(f"{operation}: there is no column {name}, or it was removed before")
        return self.table[name]

    def columns(self, names: Sequence[str], operation: str) -> list[Column]:
        """Several columns that an operation names, each once."""
        if len(set(names)) < len(names):
            raise BadOperation(f"{operation} names a column twice: {', '.join(names)}")
        return [self.column(name, operation) for name in names]

    def kept(self, *names: str) -> frozenset[str]:
        """The labels that coding put into some columns."""
        return frozenset[str]().union(*(self.labels.get(name, frozenset()) for name in names))

    def with_columns(self, *columns: Column) -> "WorkingRecords":
        """The records with some columns changed."""
        return replace(self, table=self.table.replacing(*columns))

    def taking(self, rows: NDArray[np.intp]) -> "WorkingRecords":
        """The records of some rows; who the persons are stays."""
        people = self.people[rows]
        return replace(
            self, table=self.table.take(rows), people=people, unit=None if self.unit is None else people
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What operations are lent: draws by purpose, the key of pseudonyms, and the place of this one in the plan."""

    draws_for: Callable[[str], Draws]
    key: bytes
    purpose: str

    def draws(self) -> Draws:
        """The draws of this operation alone."""
        return self.draws_for(self.purpose)


class Operation(ABC):
    """Something done to a column of a table."""

    __slots__ = ()
    NAME: ClassVar[str]

    @property
    def term(self) -> Term:
        """What the PPC secretariat's list calls it."""
        return TERMS[self.NAME]

    @abstractmethod
    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        """The records after the operation on a column, and what it did."""

    def _done(
        self,
        records: WorkingRecords,
        *after: Column,
        figures: Mapping[str, Figure] = NO_FIGURES,
        restricted: Mapping[str, Figure] = NO_FIGURES,
    ) -> tuple[WorkingRecords, Applied]:
        cells = sum(changed_cells(records.table[column.name], column) for column in after)
        return records.with_columns(*after), Applied(
            column=after[0].name,
            operation=self.NAME,
            term=self.term,
            cells=cells,
            figures=figures,
            restricted=restricted,
        )

    def _check(self, holds: bool, words: str) -> None:
        if not holds:
            raise BadOperation(f"{self.NAME} {words}")

    def _one_of(self, *names: str) -> None:
        given = [name for name in names if getattr(self, name) is not None]
        self._check(len(given) == 1, f"needs exactly one of {', '.join(names)}")


class _RowsGo(Operation):
    __slots__ = ()

    def _left(
        self, records: WorkingRecords, column: str, rows: NDArray[np.intp]
    ) -> tuple[WorkingRecords, Applied]:
        gone = records.table.rows - len(rows)
        return records.taking(rows), Applied(column=column, operation=self.NAME, term=self.term, rows=gone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove(Operation):
    """The column is left out."""

    NAME: ClassVar[str] = "remove"

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        records.column(column, self.NAME)
        after = replace(records, table=removal.remove_column(records.table, column))
        return after, Applied(column=column, operation=self.NAME, term=self.term, cells=records.table.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRows(_RowsGo):
    """Rows that hold one of `values`, or a value of fewer than `least` persons, are left out."""

    NAME: ClassVar[str] = "remove_rows"
    values: tuple[str, ...] | None = None
    least: int | None = None

    def __post_init__(self) -> None:
        self._one_of("values", "least")

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        given = records.column(column, self.NAME)
        if self.least is not None:
            gone = removal.rare(given, least=self.least, unit=records.unit)
        else:
            gone = removal.holding(given, self.values or ())
        return self._left(records, column, np.flatnonzero(~gone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppress(Operation):
    """Cells that hold one of `values` are blanked."""

    NAME: ClassVar[str] = "suppress"
    values: tuple[str, ...]

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        return self._done(records, removal.suppress_values(records.column(column, self.NAME), self.values)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressRare(Operation):
    """Cells with a value that fewer than `least` persons hold are blanked."""

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
class _TailCode(Operation):
    TAIL: ClassVar[numbers.Tail]
    at: Decimal | None = None
    least: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        self._one_of("at", "least")

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        coded = self._coded(records, records.column(column, self.NAME))
        after, applied = self._done(
            records,
            coded.column,
            figures={"rows_in_tail": coded.rows},
            restricted={} if self.least is None else {"bound": coded.bound},
        )
        if numbers.is_number(coded.label):
            return after, applied
        labels = {**records.labels, column: records.kept(column) | {coded.label}}
        return replace(after, labels=labels), applied

    def _coded(self, records: WorkingRecords, given: Column) -> numbers.Coded:
        kept = records.kept(given.name)
        if self.at is not None:
            return numbers.code_tail(given, tail=self.TAIL, at=self.at, label=self.label, kept=kept)
        assert self.least is not None
        return numbers.code_tail_of(
            given, tail=self.TAIL, least=self.least, label=self.label, unit=records.unit, kept=kept
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TopCode(_TailCode):
    """Numbers from `at` up, or the top that leaves `least` persons together, are told as one text."""

    NAME: ClassVar[str] = "top_code"
    TAIL: ClassVar[numbers.Tail] = numbers.Tail.TOP


@dataclass(frozen=True, slots=True, kw_only=True)
class BottomCode(_TailCode):
    """The same from `at` down."""

    NAME: ClassVar[str] = "bottom_code"
    TAIL: ClassVar[numbers.Tail] = numbers.Tail.BOTTOM


@dataclass(frozen=True, slots=True, kw_only=True)
class Round(Operation):
    """Numbers become multiples of `base`."""

    NAME: ClassVar[str] = "round"
    base: Decimal
    method: numbers.Rounding = numbers.Rounding.NEAREST

    def __post_init__(self) -> None:
        self._check(self.base > 0, f"needs a base above 0, not {self.base}")

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        rounded = numbers.round_to(
            records.column(column, self.NAME),
            base=self.base,
            method=self.method,
            draws=means.draws() if self.method is numbers.Rounding.RANDOM else None,
            kept=records.kept(column),
        )
        return self._done(records, rounded)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNoise(Operation):
    """Noise of standard deviation `sd`, or `relative` times the column's own; several columns `with` each other

    get correlated normal noise, which is relative and knows no bounds. Not differential privacy.
    """

    NAME: ClassVar[str] = "noise"
    kind: numbers.NoiseKind = numbers.NoiseKind.NORMAL
    sd: Decimal | None = None
    relative: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    edge: Edge = Edge.REFLECT
    companions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._one_of("sd", "relative")
        size = self.sd if self.relative is None else self.relative
        self._check(size is not None and size > 0, f"needs a standard deviation above 0, not {size}")
        self._check(
            self.low is None or self.high is None or self.low <= self.high,
            f"needs low ≤ high, not {self.low} and {self.high}",
        )
        if self.companions:
            self._check(
                self.relative is not None and self.kind is numbers.NoiseKind.NORMAL,
                "with other columns is relative and normal",
            )
            self._check(self.low is None and self.high is None, "with other columns knows no low and high")

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        given = records.columns((column, *self.companions), self.NAME)
        kept = records.kept(column, *self.companions)
        if self.companions:
            assert self.relative is not None
            noisy = numbers.add_correlated_noise(
                given, relative=float(self.relative), draws=means.draws(), kept=kept
            )
            return self._done(records, *noisy)
        sd = self._deviation(given[0], kept)
        one = numbers.add_noise(
            given[0],
            kind=self.kind,
            sd=sd,
            draws=means.draws(),
            low=self.low,
            high=self.high,
            edge=self.edge,
            kept=kept,
        )
        return self._done(records, one, restricted={} if self.relative is None else {"sd": sd})

    def _deviation(self, given: Column, kept: frozenset[str]) -> float:
        if self.sd is not None:
            return float(self.sd)
        assert self.relative is not None
        return float(self.relative) * numbers.deviation(given, kept=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Microaggregate(Operation):
    """Groups of at least `k` persons, alike in the column and those it goes `with`, told by their centre."""

    NAME: ClassVar[str] = "microaggregate"
    k: int
    centre: microaggregation.Centre = microaggregation.Centre.MEAN
    companions: tuple[str, ...] = ()

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        names = (column, *self.companions)
        made = microaggregation.microaggregate(
            records.columns(names, self.NAME),
            k=self.k,
            centre=self.centre,
            unit=records.unit,
            kept=records.kept(*names),
        )
        figures: dict[str, Figure] = {
            "groups": made.groups,
            "smallest_group": made.smallest,
            "sse_by_sst": made.lost,
            "method": str(made.method),
            "blanked": made.blanked,
        }
        return self._done(records, *made.columns, figures=figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap(Operation):
    """Values change places between records at most `percent` % of the ranks apart, `within` equal other columns."""

    NAME: ClassVar[str] = "swap"
    percent: Decimal
    within: tuple[str, ...] = ()
    as_text: bool = False

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        given, *areas = records.columns((column, *self.within), self.NAME)
        swapped = swapping.rank_swap(
            given,
            percent=float(self.percent),
            draws=means.draws(),
            strata=strata_of(areas, records.table.rows),
            as_text=self.as_text,
            kept=records.kept(column),
        )
        return self._done(records, swapped.column, figures={"without_partner": swapped.alone})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSwap(Operation):
    """A `share` of the records exchange their values, `within` equal other columns."""

    NAME: ClassVar[str] = "record_swap"
    share: Decimal
    within: tuple[str, ...] = ()

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        given, *areas = records.columns((column, *self.within), self.NAME)
        swapped = swapping.record_swap(
            given,
            share=float(self.share),
            draws=means.draws(),
            strata=strata_of(areas, records.table.rows),
        )
        return self._done(records, swapped.column, figures={"without_partner": swapped.alone})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pram(Operation):
    """Categories replaced at random: kept with probability `retain`, or by a stated `matrix`; `invariant` keeps

    the expected counts, at the price of a smaller probability to be kept.
    """

    NAME: ClassVar[str] = "pram"
    retain: Decimal | None = None
    matrix: Mapping[str, Mapping[str, float]] | None = None
    invariant: bool = False

    def __post_init__(self) -> None:
        self._one_of("retain", "matrix")

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        given = records.column(column, self.NAME)
        if self.matrix is not None:
            matrix = pram.stated(self.matrix, given)
        else:
            assert self.retain is not None
            matrix = pram.retaining(float(self.retain), len(pram.categories(given)))
        if self.invariant:
            matrix = pram.invariant(matrix, pram.frequencies(given))
        least = {"least_retained": float(matrix.diagonal().min())}
        return self._done(
            records,
            pram.pram(given, matrix=matrix, draws=means.draws()),
            restricted=least if self.invariant else {},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSample(_RowsGo):
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
        if self.stratified:
            rows = sampling.stratified(given.codes, size=size, draws=means.draws(), unit=records.unit)
        else:
            rows = sampling.sample(records.table.rows, size=size, draws=means.draws(), unit=records.unit)
        return self._left(records, column, rows)

    def _size(self, records: WorkingRecords) -> int:
        if self.size is not None:
            return self.size
        assert self.share is not None
        return round(len(np.unique(records.people)) * self.share)


@dataclass(frozen=True, slots=True, kw_only=True)
class DateShift(Operation):
    """All dates of a person moved by the same number of days, in the column, those it goes `with`, and every other

    column whose plan says the same `days` and `zero`.
    """

    NAME: ClassVar[str] = "date_shift"
    days: int
    zero: bool = False
    low: date | None = None
    high: date | None = None
    edge: Edge = Edge.REFLECT
    companions: tuple[str, ...] = ()

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        purpose = f"{self.NAME}:{self.days}:{self.zero}"
        days = dates.offsets(records.persons, days=self.days, draws=means.draws_for(purpose), zero=self.zero)
        shifted = [
            dates.shift(given, days, unit=records.people, low=self.low, high=self.high, edge=self.edge)
            for given in records.columns((column, *self.companions), self.NAME)
        ]
        figures = {"at_bounds": sum(one.at_bounds for one in shifted)}
        return self._done(records, *(one.column for one in shifted), figures=figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pseudonym(Operation):
    """Values replaced by a keyed function of theirs."""

    NAME: ClassVar[str] = "pseudonym"
    length: int = 16

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        given = records.column(column, self.NAME)
        return self._done(records, pseudonyms.pseudonyms(given, key=means.key, length=self.length))


@dataclass(frozen=True, slots=True, kw_only=True)
class Renumber(Operation):
    """Values replaced by the numbers from 1 on, in random order."""

    NAME: ClassVar[str] = "renumber"

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        given = records.column(column, self.NAME)
        return self._done(records, pseudonyms.renumber(given, draws=means.draws()))
