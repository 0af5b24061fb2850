"""Counts of second units: of households, or of what else persons name in a column that no question can. Reads no data.

A unit counts in a cell if any row there names it. One person with at most k rows more adds at most k pairs of a unit
and a cell, one a row; each pair that no other person's row makes moves its cell by 1, every other pair nothing. So:

- k in L1, whatever the cells: rows in other cells, or of other units of one cell, are other pairs.
- k² in squared L2, since all k rows may name different units in one cell.
- Where all rows of a person name one unit (or none), the person's pairs differ by their cells alone: as many as cells
  that the person can reach, at most k, each moved by 1: that number in L1 and in squared L2.

Units do not add up over cells: a household whose people stand in two cells counts once in each of them, and once in
their sum. Nor is the promise made to units: what is bounded is what one person's rows change.
"""

from dataclasses import dataclass

from privacy.aggregates import Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCount(Plain):
    """How many units have rows in each cell; `constant`: all rows of a person name one unit."""

    constant: bool

    def l1(self, cells: int) -> int:
        return min(self.rows, cells) if self.constant else self.rows

    def squared(self, cells: int) -> int:
        return min(self.rows, cells) if self.constant else self.rows**2
