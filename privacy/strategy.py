"""Which margins of a table to measure, and at which share of the price, so that the wanted ones err least.

Follows from sizes and wanted tables alone: no data is read, so the choice costs no privacy. The error of a
choice has the closed form of `privacy.margins`. Refuses what does not fit together with ValueError.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from privacy.distributions import Floats
from privacy.margins import Grid, axes_of, below, cells_of, dimension_of, mask_of

Power = Literal[1, 2]

CANDIDATES_MAX = 256
"""Grids that a strategy chooses from: at least the wanted ones, as many of their unions as fit."""

SHARE_MIN = Fraction(1, 1_000)
"""The least share of the price that is worth a measurement of its own."""

SHARE_STEP = Fraction(1, 1_000_000)
STEPS, PROMISING = 60, 6
GLANCES = ((2, 32), (12, PROMISING))
ROUNDS = {1: 0, 2: 6}
TRIALS_MAX = 400
"""How long to search: steps down from each start worth finishing, and how many these are; before that a few steps
from every start and how many are kept after them, twice; rounds of changes by one grid (none where the problem is
convex) and changes in a round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """What to measure: `grids[i]` at `shares[i]` of the price; the shares add up to exactly 1.

    `error` is the weighted sum over the wanted tables of the variances of all their cells after `fit`, in
    units of the variance that the whole price gives a cell of one grid. For comparison the same sum for
    each wanted table measured alone, the price split equally (`error_alone`) or as well as can be
    (`error_alone_best`), and for one common finer grid (`error_common`, None where it has too many cells).
    """

    grids: tuple[Grid, ...]
    shares: tuple[Fraction, ...]
    error: float
    error_alone: float
    error_alone_best: float
    error_common: float | None


def best_strategy(
    sizes: Sequence[int],
    wanted: Sequence[Grid],
    *,
    power: Power,
    cells_max: int,
    weights: Sequence[float] | None = None,
) -> Strategy:
    """Choose the grids to measure and their shares so that the wanted margins err least in all.

    A grid measured with share w has a variance per cell of 1 / w**power in units of the whole price's:
    `power` 2 for noise of a scale inverse to the price (pure ε), 1 for a variance inverse to it (zCDP).
    `weights` are positive, one per wanted table, 1 each if not given. Candidates are the wanted grids and
    unions of them with at most `cells_max` cells; the measured grids together have no more either.

    Under `power` 1 the problem is convex and the answer within about a thousandth of the optimum; under 2
    it is the best of many local optima. Never worse than the three it is compared with, but for the rounding
    of the shares and the least of them (0.2 % where weights differ a millionfold). Deterministic. Axes of
    size 1 change nothing: grids that differ only in them are one grid. Some hundredths of a second for 20
    wanted tables, a second or two for 256.

    Raises ValueError for a grid that does not fit the sizes, no or too many wanted tables, weights that
    are not positive, or wanted tables of more than `cells_max` cells together.
    """
    tables = _tables(sizes, wanted, weights)
    if not 0 < len(tables) <= CANDIDATES_MAX or sum(table.cells for table in tables) > cells_max:
        raise ValueError("no wanted table, too many of them, or too many cells")
    design = _Design.of(sizes, tables, power, cells_max)
    best = _search(design)
    names = {table.mask: table.name for table in tables}
    named = sorted((names.get(mask, axes_of(mask)), place) for place, mask in enumerate(design.masks))
    chosen = [(grid, place) for grid, place in named if best[place] > 0]
    shares = _fractions(best[[place for _, place in chosen]])
    final = np.zeros_like(best)
    final[[place for _, place in chosen]] = [float(share) for share in shares]
    return Strategy(
        grids=tuple(grid for grid, _ in chosen),
        shares=shares,
        error=float(design.error(final[:, None])[0]),
        error_alone=sum(table.cost for table in tables) * len(tables) ** power,
        error_alone_best=sum(table.cost ** (1 / (power + 1)) for table in tables) ** (power + 1),
        error_common=_error_common(sizes, tables, cells_max),
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """A wanted margin; `name` is how it was asked for, `cost` its weighted error at the whole price."""

    name: Grid
    mask: int
    cells: int
    weight: float

    @property
    def cost(self) -> float:
        return self.weight * self.cells


def _tables(sizes: Sequence[int], wanted: Sequence[Grid], weights: Sequence[float] | None) -> list[_Table]:
    """The wanted margins, equal ones made one by adding up their weights."""
    found: dict[int, _Table] = {}
    for grid, weight in zip(wanted, [1.0] * len(wanted) if weights is None else weights, strict=True):
        if not weight > 0:
            raise ValueError("a weight is positive")
        mask = mask_of(sizes, grid)
        new = _Table(grid, mask, cells_of(sizes, mask), float(weight))
        found[mask] = replace(found[mask], weight=found[mask].weight + new.weight) if mask in found else new
    return list(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Design:
    """The candidates, and the closed form of the error in their shares.

    With shares w of shape (candidates, starts), J = inform @ w**power and the error is Σ_T need_T / J_T.
    """

    masks: tuple[int, ...]
    cells: Floats
    inform: Floats
    need: Floats
    power: Power
    cells_max: int
    levels: tuple[dict[int, float], ...]

    @classmethod
    def of(cls, sizes: Sequence[int], tables: list[_Table], power: Power, cells_max: int) -> "_Design":
        """Write down the problem: one row per subspace below a wanted table, one column per candidate."""
        wanted = tuple(table.mask for table in tables)
        levels = _merges(sizes, tables, power, cells_max)
        masks = _candidates(sizes, wanted, levels, cells_max)
        cells = np.array([cells_of(sizes, mask) for mask in masks], dtype=np.float64)
        parts = np.array(below(wanted))
        inside = (parts[:, None] | np.array(masks)) == np.array(masks)
        asked = (parts[:, None] | np.array(wanted)) == np.array(wanted)
        dimensions = np.array([dimension_of(sizes, part) for part in below(wanted)], dtype=np.float64)
        need = dimensions * (asked @ np.array([table.weight / table.cells for table in tables]))
        return cls(
            masks=masks,
            cells=cells,
            inform=inside / cells,
            need=need,
            power=power,
            cells_max=cells_max,
            levels=levels,
        )

    def error(self, shares: Floats) -> Floats:
        """The error of each column of shares; infinite where a subspace is not measured."""
        # A subspace of no information divides by zero, and infinity is the error that is meant.
        with np.errstate(divide="ignore"):
            found: Floats = (self.need[:, None] / (self.inform @ shares**self.power)).sum(axis=0)
        return found

    def improve(self, shares: Floats, steps: int) -> Floats:
        """Lower the error of each column step by step; a grid without a share never gets one.

        Each step minimises a bound that touches the error at the present shares: by convexity of 1/x,
        1 / Σ_S a_S q_S ≤ Σ_S λ_S² / (a_S q_S) for any λ that add up to 1, with equality where
        λ_S = a_S q_S / Σ a q. The bound Σ_S c_S / w_S^p is least at w_S ∝ c_S^(1 / (p + 1)).
        """
        # The root of degree p + 1 of the bound's minimum.
        root = np.sqrt if self.power == 1 else np.cbrt
        used = shares.any(axis=1)
        inform, some = self.inform[:, used], shares[used]
        for _ in range(steps):
            gain = some**self.power
            got = inform @ gain
            some = root(gain * gain * (inform.T @ (self.need[:, None] / (got * got))))
            some /= some.sum(axis=0)
        found = np.zeros_like(shares)
        found[used] = some
        return found

    def covers(self, chosen: npt.NDArray[np.bool_]) -> bool:
        """Whether these candidates measure every subspace."""
        return bool((self.inform @ chosen > 0).all())

    def fits(self, chosen: npt.NDArray[np.bool_]) -> bool:
        """Whether these candidates have few enough cells together."""
        return bool(self.cells[chosen].sum() <= self.cells_max)

    def column(self, shares: dict[int, float]) -> Floats:
        """Shares by mask as a column, in proportion."""
        total = sum(shares.values())
        return np.array([shares.get(mask, 0.0) / total for mask in self.masks])


def _search(design: _Design) -> Floats:
    """The best shares found: descend from every start, then from changes by one grid while that helps."""
    # First the ways that the answer is compared with: it is never worse than the best of them.
    simple = np.stack([design.column(start) for start in (design.levels[0], *_common(design))], axis=1)
    best = min(_without_small_shares(design, simple).T, key=lambda column: _error(design, column))
    best = _best_of(design, _starts(design), best)
    for _ in range(ROUNDS[design.power]):
        better = _best_of(design, _neighbours(design, best), best)
        # A gain of less than a ten-thousandth is not worth another round of trials.
        if _error(design, better) > (1 - 1e-4) * _error(design, best):
            break
        best = better
    return best


def _starts(design: _Design) -> Floats:
    """Shares to start from: the wanted tables equally, every level of merging, the union of all, everything."""
    equal, everything = dict.fromkeys(design.levels[0], 1.0), dict.fromkeys(design.masks, 1.0)
    starts = (equal, *design.levels, *_common(design), everything)
    return np.stack([design.column(start) for start in starts], axis=1)


def _common(design: _Design) -> list[dict[int, float]]:
    """The whole price on the union of all, where that is a candidate."""
    union = _union(design.masks)
    return [{union: 1.0}] if union in design.masks else []


def _neighbours(design: _Design, shares: Floats) -> Floats:
    """Shares with one more grid at a fifth, without one grid, with two grids made their union."""
    single, used = np.eye(len(shares)), np.flatnonzero(shares)
    columns = [shares, *(shares * (1 - single[place]) for place in used)]
    columns += [0.8 * shares + 0.2 * single[place] for place in np.flatnonzero(shares == 0)]
    place_of = {mask: place for place, mask in enumerate(design.masks)}
    for one, other in combinations(used, 2):
        union = place_of.get(design.masks[one] | design.masks[other])
        if union is not None:
            rest = shares * (1 - single[one] - single[other])
            columns.append(rest + (shares[one] + shares[other]) * single[union])
    fitting = [column for column in columns[:TRIALS_MAX] if design.covers(column > 0)]
    return np.stack([column / column.sum() for column in fitting], axis=1)


def _best_of(design: _Design, trials: Floats, best: Floats) -> Floats:
    """The best of the most promising columns, each settled on grids worth measuring, and of `best`."""
    # Most starts fall behind within a few steps: to take them all to the end would cost ten times as much.
    for steps, kept in GLANCES:
        trials = design.improve(trials, steps)
        # Stable, so that ties fall alike on every machine: one question has one strategy.
        trials = trials[:, np.argsort(design.error(trials), kind="stable")[:kept]]
    settled = _without_small_shares(design, design.improve(trials, STEPS))
    fitting = [column for column in settled.T if design.fits(column > 0)]
    return min([best, *fitting], key=lambda column: _error(design, column))


def _without_small_shares(design: _Design, shares: Floats) -> Floats:
    """Columns without the grids that are not worth measuring: the least go first, as far as others cover."""
    # `improve` shrinks a useless grid at every step and never drops it.
    shares = np.where(shares < 1e-9, 0.0, shares)
    for column in shares.T:
        for place in sorted(np.flatnonzero(column), key=lambda place: float(column[place])):
            others = (column > 0) & (np.arange(len(column)) != place)
            # Least first, since each one left out gives its share to the others, which may then be worth measuring.
            if (column[place] < SHARE_MIN or not design.fits(column > 0)) and design.covers(others):
                column[place] = 0.0
    return design.improve(shares / shares.sum(axis=0), STEPS)


def _error(design: _Design, shares: Floats) -> float:
    """The error at the shares that will be paid: in whole steps, none below the least."""
    # Compared before rounding, a grid of almost no share would win, be raised to the least share and lose by it.
    paid = np.zeros_like(shares)
    paid[shares > 0] = [float(share) for share in _fractions(shares[shares > 0])]
    return float(design.error(paid[:, None])[0])


def _error_common(sizes: Sequence[int], tables: list[_Table], cells_max: int) -> float | None:
    """Every wanted margin summed from the union of all: each has the variance of all those cells."""
    cells = cells_of(sizes, _union(table.mask for table in tables))
    return cells * sum(table.weight for table in tables) if cells <= cells_max else None


def _merges(
    sizes: Sequence[int], tables: list[_Table], power: Power, cells_max: int
) -> tuple[dict[int, float], ...]:
    """Ways to sum several wanted tables from one grid, from each table alone to few grids.

    Greedy: each level merges the two groups whose union costs least more. Without least squares a group of
    tables of total weight g on a grid of c cells errs by g·c / w^p, and the best split of the price gives
    it w ∝ (g·c)^(1 / (p + 1)). Each level is that split, by mask.
    """
    masks = np.array([table.mask for table in tables])
    weights = np.array([table.weight for table in tables])
    root = 1 / (power + 1)

    def cost(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> Floats:
        """How much more the union of two groups costs than both; infinite where it may not be measured."""
        cells = _cells(sizes, masks[one] | masks[other])
        found = (cells * (weights[one] + weights[other])) ** root - roots[one] - roots[other]
        return np.where(cells > cells_max, np.inf, found)

    roots = (_cells(sizes, masks) * weights) ** root
    levels = [dict(zip(masks.tolist(), roots.tolist(), strict=True))]
    every = np.arange(len(masks))
    # Each pair once: the others are infinite, and stay so.
    costs = np.where(np.tri(len(masks), dtype=bool), np.inf, cost(every[:, None], every))
    while True:
        one, other = np.unravel_index(costs.argmin(), costs.shape)
        if costs[one, other] == np.inf:
            return tuple(levels)
        kept = np.delete(np.arange(len(masks)), [one, other])
        masks = np.append(masks[kept], masks[one] | masks[other])
        weights = np.append(weights[kept], weights[one] + weights[other])
        roots = (_cells(sizes, masks) * weights) ** root
        levels.append(dict(zip(masks.tolist(), roots.tolist(), strict=True)))
        # Only the new group's costs are new: to count them all at each level would be a cube of the tables.
        last = np.full(len(masks), len(masks) - 1)
        grown = np.full((len(masks), len(masks)), np.inf)
        grown[:-1, :-1] = costs[np.ix_(kept, kept)]
        grown[:-1, -1] = cost(np.arange(len(masks)), last)[:-1]
        costs = grown


def _candidates(
    sizes: Sequence[int], wanted: Sequence[int], levels: Sequence[dict[int, float]], cells_max: int
) -> tuple[int, ...]:
    """The wanted grids, those of the levels, and unions of two, three, … wanted ones while there is room."""
    found = dict.fromkeys((*wanted, _union(wanted), *(mask for level in levels for mask in level)))
    newest = list(wanted)
    while newest and len(found) < CANDIDATES_MAX:
        unions = dict.fromkeys(one | other for one in newest for other in wanted)
        newest = [mask for mask in unions if mask not in found and cells_of(sizes, mask) <= cells_max]
        found |= dict.fromkeys(newest)
    kept = [mask for mask in found if cells_of(sizes, mask) <= cells_max]
    # Wanted grids stand first and are never cut off: without them a subspace could be left unmeasured.
    return tuple(kept[: max(CANDIDATES_MAX, len(wanted))])


def _fractions(shares: Floats) -> tuple[Fraction, ...]:
    """Shares in whole steps that add up to exactly 1, none below the least; the largest takes the rest."""
    low = shares < float(SHARE_MIN)
    rest = 1 - float(SHARE_MIN) * int(low.sum())
    raised = np.where(low, float(SHARE_MIN), shares * rest / shares[~low].sum())
    # Whole steps: shares of a price must add up to the price, not nearly.
    steps = [int(max(SHARE_MIN, Fraction(share)) / SHARE_STEP) for share in raised.tolist()]
    steps[int(np.argmax(raised))] += int(1 / SHARE_STEP) - sum(steps)
    return tuple(step * SHARE_STEP for step in steps)


def _cells(sizes: Sequence[int], masks: npt.NDArray[np.int64]) -> Floats:
    """The cells of many grids at once."""
    found = np.ones(masks.shape)
    for axis, size in enumerate(sizes):
        found[masks >> axis & 1 == 1] *= size
    return found


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found
