"""What a registration did, for the operator only: exact counts of real rows must never reach a client."""

from dataclasses import dataclass, field
from typing import Literal

# Printed by the command line as they are, and never sent to a client.
Kind = Literal["missing", "undeclared", "unreadable", "without person"]


@dataclass(frozen=True, slots=True, order=True)
class CellProblem:
    """A cell worth a look: its line in the source (from 1; in Parquet its row) and column, never its text."""

    line: int
    column: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnCounts:
    """How many cells of a column, over all rows read, were changed on their way into the table.

    `missing` cells were empty, `unreadable` ones not a number or a date, `undeclared` ones not among the
    declared values; `clamped` ones lay outside the declared bounds. `persons_not_constant` counts persons and no
    cells: those whose rows had several values of a column that is constant per person.
    """

    missing: int = 0
    clamped: int = 0
    unreadable: int = 0
    undeclared: int = 0
    persons_not_constant: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCounts:
    """Of a second unit, over all rows read: how many there are, and rows that name none.

    `persons_not_constant` named several of a unit that is constant per person.
    """

    number: int
    rows_without: int
    persons_not_constant: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """Counts of one registration. `kept_by_bound` tells which share of the rows each bound k would keep."""

    rows_read: int
    rows_kept: int
    persons: int
    rows_without_person: int
    dropped_by_bound: int
    columns: dict[str, ColumnCounts]
    kept_by_bound: dict[int, float]
    # At most PROBLEMS_SHOWN_MAX, in the order of the source.
    problems: tuple[CellProblem, ...]
    units: dict[str, UnitCounts] = field(default_factory=dict)
