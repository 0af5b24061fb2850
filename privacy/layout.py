"""Which tables an answer has and over which cells its statistics are measured. Reads no data.

A plain answer has one table, measured as it stands. An answer with margins, or a workload, has several: then
`privacy.strategy` chooses the grids to measure, and every table is estimated from all of them.
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, lru_cache
from itertools import combinations

from privacy import margins
from privacy.exact import Axis, AxisSubset
from privacy.schema import Measure
from privacy.strategy import Strategy, best_strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTable:
    """A table of the answer: its cells are those of some of the plan's axes, `keys` in the order asked for."""

    name: str
    keys: tuple[int, ...]

    @property
    def subset(self) -> AxisSubset:
        """The axes of the keys, ascending: their order in the plan and not in the question."""
        return tuple(sorted(self.keys))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Tables to answer, grids to measure, and each grid's share of a statistic's price.

    `chosen` compares the strategy with others; None where there is nothing to choose.
    """

    axes: tuple[Axis, ...]
    tables: tuple[PlannedTable, ...]
    grids: tuple[AxisSubset, ...]
    shares: tuple[Fraction, ...] = (Fraction(1),)
    # Not compared: plans that measure alike are equal, whatever was found about other ways.
    chosen: Strategy | None = field(default=None, compare=False)

    @property
    def direct(self) -> bool:
        """Whether the one table is measured as it stands, so that nothing needs to be fitted."""
        return self.chosen is None

    @property
    def table_column(self) -> str:
        """The name of the column that tells the tables of a workload apart: "table" unless a key is called so."""
        name = "table"
        while name in (axis.name for axis in self.axes):
            name += "_"
        return name

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(axis.size for axis in self.axes)

    @property
    def cells(self) -> int:
        """The cells of all tables together: the answer's rows."""
        # Labels, not sizes: the rest bucket of an axis is measured and never released.
        return sum(math.prod(len(self.axes[key].labels) for key in table.keys) for table in self.tables)

    def relative_variances(self, power: int) -> tuple[float, ...]:
        """The variance of a cell of each table after least squares, in units of what the whole price gives.

        A grid of share w has the variance 1/w^power.
        """
        subsets = tuple(table.subset for table in self.tables)
        return _relative_variances(self.sizes, subsets, self.grids, self.shares, power)


@lru_cache(maxsize=256)
# Cached: a price is found by bisection, which asks for these at every step.
def _relative_variances(
    sizes: tuple[int, ...],
    tables: tuple[AxisSubset, ...],
    grids: tuple[AxisSubset, ...],
    shares: tuple[Fraction, ...],
    power: int,
) -> tuple[float, ...]:
    """Cell variances of fitted tables: Σ over the subspaces T of a table of dim_T / (cells² · J_T).

    The closed form of `privacy.margins`; a grid of share w has noise of variance 1/w^power.
    """
    masks = [margins.mask_of(sizes, grid) for grid in grids]
    # A grid of share w has noise of variance 1/w^power a cell, and sums cells into a subspace.
    informs = [
        float(share) ** power / margins.cells_of(sizes, mask)
        for mask, share in zip(masks, shares, strict=True)
    ]

    @cache
    def variance_of_part(part: int) -> float:
        """dim_T / J_T."""
        known = sum(inform for other, inform in zip(masks, informs, strict=True) if part | other == other)
        return math.prod(sizes[axis] - 1 for axis in margins.axes_of(part)) / known

    found = []
    for table in tables:
        mask = margins.mask_of(sizes, table)
        total = sum(variance_of_part(part) for part in margins.below([mask]))
        found.append(total / margins.cells_of(sizes, mask) ** 2)
    return tuple(found)


def plain(axes: tuple[Axis, ...]) -> Layout:
    """One table over all axes."""
    whole = tuple(range(len(axes)))
    return Layout(axes=axes, tables=(PlannedTable(name="", keys=whole),), grids=(whole,))


def with_totals(axes: tuple[Axis, ...], measure: Measure, cells_max: int) -> Layout:
    """A table and all its margins, the finest first, the grand total last."""
    whole = range(len(axes))
    subsets = [subset for size in range(len(axes), -1, -1) for subset in combinations(whole, size)]
    return _chosen(axes, tuple(PlannedTable(name="", keys=subset) for subset in subsets), measure, cells_max)


def workload(
    axes: tuple[Axis, ...], tables: tuple[PlannedTable, ...], measure: Measure, cells_max: int
) -> Layout:
    """Several tables that share their axes."""
    return _chosen(axes, tables, measure, cells_max)


def _chosen(
    axes: tuple[Axis, ...], tables: tuple[PlannedTable, ...], measure: Measure, cells_max: int
) -> Layout:
    sizes = tuple(axis.size for axis in axes)
    # From sizes only, so the grids tell nothing about the data.
    found = _strategy(sizes, tuple(table.subset for table in tables), measure, cells_max)
    return Layout(axes=axes, tables=tables, grids=found.grids, shares=found.shares, chosen=found)


@lru_cache(maxsize=256)
# Cached by sizes alone: the search may take seconds, and quote, question and retry need the same one.
def _strategy(
    sizes: tuple[int, ...], wanted: tuple[AxisSubset, ...], measure: Measure, cells_max: int
) -> Strategy:
    return best_strategy(sizes, wanted, power=2 if measure == "pure" else 1, cells_max=cells_max)
