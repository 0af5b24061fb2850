"""The exact integers that a plan asks an engine for. Names them; computes nothing."""

import math
from dataclasses import dataclass
from typing import Literal

from privacy.filters import Filter, Interval
from privacy.schema import Label

# Whole numbers only, and no price among them: an engine has one right result and cannot spend a budget.
ExactKind = Literal[
    "rows",
    "persons",
    "present",
    "total",
    "square",
    "person_total",
    "histogram",
    "values",
    "value_persons",
    "units",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One grouping key: `buckets[i]` is the closed interval of codes that `labels[i]` stands for.

    Where groups of values are counted as one, a label may have several intervals: `buckets[i]` is then one of those of
    `labels[owners[i]]`.

    Where `rest` names the codes in no bucket, they are counted in one bucket more that is never released: tables
    that share a grid but not this key then count the same rows.

    `constant`: all rows of a person have one code of the column, so that they fall into one bucket, or all into none.
    """

    name: str
    column: int
    buckets: tuple[Interval, ...]
    labels: tuple[Label, ...]
    rest: tuple[Interval, ...] = ()
    owners: tuple[int, ...] = ()
    constant: bool = False

    @property
    def size(self) -> int:
        """How many buckets are counted, released or not."""
        return self._labelled + bool(self.rest)

    @property
    def _labelled(self) -> int:
        return len(self.labels) if self.owners else len(self.buckets)

    @property
    def pieces(self) -> list[tuple[Interval, int]]:
        """Intervals of codes and the bucket of each, ascending."""
        # The rest is the last bucket, so that labels number the buckets before it.
        rest = [(interval, self._labelled) for interval in self.rest]
        owners = self.owners or range(len(self.buckets))
        return sorted([*zip(self.buckets, owners, strict=True), *rest])


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactAggregate:
    """An exact integer per cell, over the rows of the plan's filter.

    - rows: rows;
    - persons: distinct persons;
    - present: rows where `column` is not missing;
    - total, square: Σu and Σu² over those rows, where the code x is clamped to `low` … `high` and u is x
      itself or, on a `grid` above zero, the nearest whole number of grids that x lies above `low`;
    - person_total: Σ over persons of their total in the cell, each clamped to `person_low` … `person_high`;
    - histogram: `size` integers per cell: rows by bins of `grid` codes from `low` to `high`, values outside
      counting in the first or the last bin, missing ones in none;
    - units: distinct second units that rows name, of the schema's unit number `column`;
    - values, value_persons: rows or distinct persons by the values of an undeclared `column`, those that occur:
      an array of shape (2, values), of codes and counts.

    Of rows that do not match `where`, if given, none takes part. Rows of a person beyond the plan's bound take no part
    unless `all_rows`.
    """

    kind: ExactKind
    column: int = -1
    low: int = 0
    high: int = 0
    grid: int = 0
    person_low: int = 0
    person_high: int = 0
    where: Filter | None = None
    all_rows: bool = False

    @property
    def size(self) -> int:
        """How many integers a cell has."""
        return (self.high - self.low) // self.grid + 1 if self.kind == "histogram" else 1


# Ascending, so that a subset is one tuple only and an exact integer is asked for once.
AxisSubset = tuple[int, ...]
"""Numbers of the plan's axes, ascending: the cells over which an exact integer is wanted."""

ExactRequest = tuple[AxisSubset, ExactAggregate]
"""What a measurement names and an engine delivers: an array of cells (times the size of a histogram)."""


def cells_over(axes: tuple[Axis, ...], subset: AxisSubset) -> int:
    """The number of cells of some of the axes, released or not; 1 of none."""
    return math.prod(axes[place].size for place in subset)


def reachable_over(axes: tuple[Axis, ...], subset: AxisSubset) -> int:
    """How many cells over some of the axes the rows of one person can fall into, at most, however many they are.

    All rows of a person have one code of a column that is constant per person, so that their cells differ in the
    buckets of the other axes alone. A filter, or a bound on the rows that count, takes rows away and adds no cell.
    """
    return math.prod(axes[place].size for place in subset if not axes[place].constant)
