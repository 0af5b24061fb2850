"""How far one person moves sums that are clamped per person, when the cells and their values are known.

A person of at most k rows touches cells c = 1 … n with jc ≥ 1 rows each, Σ jc ≤ k and n ≤ m, m the least of k, the
number of cells in reach of any row and that in reach of one person.
In a cell whose codes lie in [l, h] the person's total t lies in [jl, jh] and adds
clamp(t, L, H). A cell without a row of the person gets nothing, also where 0 lies outside [L, H].

*One cell.* The clamp is monotone, so its size over [jl, jh] is largest at an end:
g(j) = max(|clamp(jl)|, |clamp(jh)|), which grows with j: each end moves away from 0 or stays where the clamp holds it.

*All cells.* For every λ ≥ 0 and p = 1 (L1) or 2 (squared L2), Σ g(jc)^p = λ Σ jc + Σ (g(jc)^p - λ jc)
≤ λ k + the m largest of max(0, max over j of g(j)^p - λ j): the Lagrange dual of the choice of rows, so each λ gives a
bound and the least over some of them is one. λ = 0 says mP^p with P what k rows can reach; λ = max g(j)^p / j says that
no row brings more than that; λ = max (g(j)^p - g(1)^p) / (j - 1) that no row beyond a cell's first one does.

*Which j.* clamp(jl) and clamp(jh) are constant up to where they leave the near end of the clamp, linear up to its far
end, constant from there on. On each of these pieces g^p - λj is convex and (g^p - g(1)^p) / (j - 1) quasi-convex in j
(a convex function over a positive linear one), so the largest values stand at ends of pieces.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from privacy.filters import Interval
from privacy.reachable import CellRange

KINDS_MAX = 8
"""Of more kinds of cells the smaller ones are treated as one kind: a looser bound, found in milliseconds."""


@lru_cache(maxsize=1024)
def farthest_move(
    rows: int, cells: int, ranges: tuple[CellRange, ...], clamp: Interval, power: Literal[1, 2]
) -> int:
    """A bound on Σ |moved|^power by one person of at most so many rows, in at most so many cells, in steps."""
    kinds = [_Cells(rows, kind, clamp, power) for kind in _kinds(ranges)]
    touched = min(rows, cells, sum(count for *_, count in ranges))
    slopes = {slope for kind in kinds for slope in kind.slopes()} | {Fraction(0)}
    # The farthest move is whole, so what a bound has beyond a whole number is slack.
    return int(min(slope * rows + _largest(kinds, slope, touched) for slope in slopes))


def _largest(cells: Sequence["_Cells"], slope: Fraction, touched: int) -> Fraction:
    """What the best so many cells bring together beyond `slope` a row."""
    total = Fraction(0)
    for gain, count in sorted(((kind.gain(slope), kind.count) for kind in cells), reverse=True):
        total += max(Fraction(0), gain) * min(count, touched)
        touched -= min(count, touched)
    return total


def _kinds(ranges: Sequence[CellRange]) -> list[CellRange]:
    """The kinds of cells, those of the widest codes first, all beyond a few made one that is as wide as any of them."""
    ordered = sorted(ranges, key=lambda one: (-max(abs(one[0]), abs(one[1])), one))
    kept, rest = ordered[: KINDS_MAX - 1], ordered[KINDS_MAX - 1 :]
    if rest:
        lows, highs, counts = zip(*rest, strict=True)
        kept.append((min(lows), max(highs), sum(counts)))
    return kept


class _Cells:
    """Cells of one kind: g(j)^p at the j that matter."""

    def __init__(self, rows: int, kind: CellRange, clamp: Interval, power: int) -> None:
        low, high, self.count = kind
        self.moves: dict[int, int] = {
            j: max(abs(_clamped(j * end, clamp)) for end in (low, high)) ** power
            for j in _turning_points(rows, (low, high), clamp)
        }

    def slopes(self) -> Iterator[Fraction]:
        """What a row brings at most: any row, and any row beyond a cell's first."""
        yield max(Fraction(move, j) for j, move in self.moves.items())
        first = self.moves[1]
        yield max(
            (Fraction(move - first, j - 1) for j, move in self.moves.items() if j > 1), default=Fraction(0)
        )

    def gain(self, slope: Fraction) -> Fraction:
        """What one of these cells brings at most beyond `slope` a row."""
        return max(move - slope * j for j, move in self.moves.items())


def _clamped(total: int, clamp: Interval) -> int:
    return min(max(total, clamp[0]), clamp[1])


def _turning_points(rows: int, codes: Interval, clamp: Interval) -> set[int]:
    """The numbers of rows next to which a clamped total turns, and both ends, 2 among them for slopes from 1."""
    found = {1, 2, rows}
    for code in codes:
        for end in clamp:
            if code:
                found |= {end // code, end // code + 1}
    return {j for j in found if 1 <= j <= rows}
