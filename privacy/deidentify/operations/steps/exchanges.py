"""Operations that leave the values and move them: swaps between records, and categories replaced at random."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from privacy.deidentify.operations import pram, swapping
from privacy.deidentify.operations.columns import strata_of
from privacy.deidentify.operations.steps.base import Applied, Means, Operation, WorkingRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap(Operation):
    """Values change places between records at most `percent` % of the ranks apart, `within` equal other columns."""

    NAME: ClassVar[str] = "swap"
    percent: Decimal
    within: tuple[str, ...] = ()
    as_text: bool = False

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        # Named together, so that a column swapped within itself is refused: every stratum would be one value.
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
        # Made from the counts of the column as it is now, after the operations before.
        if self.invariant:
            matrix = pram.invariant(matrix, pram.frequencies(given))
        # Of the invariant matrix only, which depends on the counts of the data; the plan's own is known to its reader.
        least = {"least_retained": float(matrix.diagonal().min())}
        return self._done(
            records,
            pram.pram(given, matrix=matrix, draws=means.draws()),
            restricted=least if self.invariant else {},
        )
