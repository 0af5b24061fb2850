"""Whole, non-negative tables that add up, made from fitted margins after the noise.

Everything here is deterministic post-processing of released numbers; it reads no data and draws nothing.
Refuses tables that no single wanted grid contains, and totals that leave int64.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from privacy.distributions import Floats
from privacy.margins import FittedMargin, Grid, axes_of, below, block, cells_of, mask_of, reflect

Integers = npt.NDArray[np.int64]

TOTAL_MAX = 2**62
STEPS = 60
"""Steps towards the nearest table without negative cells, each a few milliseconds at 100,000 cells."""

# Boyd et al. 2011 (section 3.4.3) advise an over-relaxation of 1.5 to 1.8.
RELAXED, RHO = 1.6, 2.0
CONTROLLED_MAX = 8
"""Margins that the rounding of a cell looks at: those with the fewest cells, where most roundings meet."""


def whole(sizes: Sequence[int], fitted: Sequence[FittedMargin], wanted: Sequence[Grid]) -> list[Integers]:
    """The wanted margins as whole numbers ≥ 0 that add up exactly, near the fitted ones.

    For the case that one wanted grid, the finest, contains all others; `fitted` is what `fit` made of
    `wanted`. Among all tables without negative cells that have the fitted grand total (0 if that is
    negative), the one is sought whose margins differ least from the fitted ones, squares weighted by
    1 / variance; it is rounded so that the grand total keeps its rounded value and margins move by little
    more than a rounding of their own; margins are then sums. Tables that are whole, non-negative and add
    up already come back as they are. Shapes are those of `fitted`.

    Only for tables that cannot be negative. The result is no longer unbiased: cells that were negative
    have moved up, the others down for them.

    Raises ValueError without a finest grid, or for a grand total of 2⁶² and more.
    """
    masks = [mask_of(sizes, grid) for grid in wanted]
    finest = max(range(len(masks)), key=lambda place: masks[place].bit_count())
    if any(mask | masks[finest] != masks[finest] for mask in masks):
        raise ValueError("no wanted grid contains all others")
    shape = tuple(sizes[axis] for axis in axes_of(masks[finest]))
    top = fitted[finest]
    weights = {mask: top.variance / margin.variance for mask, margin in zip(masks, fitted, strict=True)}
    tables = [
        _whole(row.reshape(shape), sizes, masks[finest], weights, math.sqrt(top.variance))
        for row in np.atleast_2d(top.values)
    ]
    return [
        np.stack([_margin(table, masks[finest], mask).ravel() for table in tables]).reshape(
            margin.values.shape
        )
        for mask, margin in zip(masks, fitted, strict=True)
    ]


def _whole(
    table: Floats, sizes: Sequence[int], finest: int, weights: dict[int, float], unit: float
) -> Integers:
    """One finest table made whole and non-negative; `unit` is the deviation of its cells."""
    total = _total(table)
    # Half of int64: rounded cells may add up to more than the total before they are corrected.
    if total >= TOTAL_MAX:
        raise ValueError("the grand total leaves the range of 64 bits")
    # No other table without negative cells adds up to so little.
    if total <= 0:
        return np.zeros(table.shape, dtype=np.int64)
    if (table < 0).any():
        near = _nearest(table / unit, total / unit, _stay(sizes, finest, weights))
        # The steps keep the total in the limit only, and are few: the last cut makes it exact.
        table = np.maximum(near - _cut(near, total / unit), 0.0) * unit
    return _controlled_rounding(table, total, finest, weights)


def _total(table: Floats) -> int:
    """The rounded sum, without the rounding of a sum of floats: whole parts add up as integers."""
    down = np.floor(table)
    return sum(int(part) for part in down.ravel()) + round(float((table - down).sum()))


def _nearest(table: Floats, total: float, stay: Floats) -> Floats:
    """The table without negative cells whose weighted margins are nearest, its grand total kept.

    By the alternating direction method of multipliers (Boyd et al. 2011), over-relaxed: the quadratic part
    Σ_R weight_R ‖margin_R‖² is a multiple h_T of one in each subspace T of privacy.margins, h_T = Σ_{R⊇T}
    weight_R · cells / cells_R, so its step is exact there; the other part is cutting off at zero. The
    grand total's h is taken as infinite. The start is the solution for the finest margin alone.
    """
    cut = _cut(table, total)
    near, over = np.maximum(table - cut, 0.0), np.minimum(table - cut, 0.0) / RHO
    for _ in range(STEPS):
        moved = table + reflect(reflect((near - over - table)[None]) * stay)[0]
        moved = RELAXED * moved + (1 - RELAXED) * near
        near = np.maximum(moved + over, 0.0)
        over += moved - near
    return near


def _cut(table: Floats, total: float) -> float:
    """What to take off every cell so that the cells left above zero add up to `total` > 0."""
    falling = np.sort(table, axis=None)[::-1]
    cuts = (np.cumsum(falling) - total) / np.arange(1, table.size + 1)
    return float(cuts[np.flatnonzero(falling >= cuts)[-1]])


def _stay(sizes: Sequence[int], finest: int, weights: dict[int, float]) -> Floats:
    """How far a step follows the last table in each coordinate: ρ / (h_T + ρ), and 0 for the total."""
    cells = cells_of(sizes, finest)
    pull = {
        part: sum(
            weight * cells / cells_of(sizes, mask) for mask, weight in weights.items() if part | mask == mask
        )
        for part in below([finest])
    }
    found = np.zeros((1, *(sizes[axis] for axis in axes_of(finest))))
    # The first subspace is the grand total, which stays where the released numbers put it.
    for part in below([finest])[1:]:
        found[block(part, finest)] = RHO / (pull[part] + RHO)
    return found


def _controlled_rounding(table: Floats, total: int, finest: int, weights: dict[int, float]) -> Integers:
    """Each cell rounded up or down, so that the coarse margins stay close and the grand total is `total`.

    What the total lacks after the rounding goes to the cells that mind least, one each; what is left even
    then, the rounding of numbers beyond 2⁵³, to the largest cell.
    """
    flat = table.ravel()
    found = np.rint(flat).astype(np.int64)
    # Whole cells keep their value, so that a table which needs no change comes back unchanged.
    free = np.flatnonzero(np.abs(flat - found) > 1e-6 + 1e-13 * flat)
    down = np.floor(flat[free])
    up, pull = _error_diffusion(flat[free] - down, _places(table.shape, free, finest, weights))
    found[free] = down.astype(np.int64) + up
    lacking = total - int(found.sum())
    step = 1 if lacking > 0 else -1
    # Only cells that have not gone this way yet: each stays within one of its value.
    able = np.flatnonzero(up == (step < 0))
    chosen = able[np.argsort(step * pull[able], kind="stable")[: abs(lacking)]]
    found[free[chosen]] += step
    found[np.argmax(found)] += lacking - step * len(chosen)
    return found.reshape(table.shape)


def _places(
    shape: tuple[int, ...], free: Integers, finest: int, weights: dict[int, float]
) -> list[tuple[float, Integers]]:
    """The controlled margins: the weight of each, and which of its cells each free cell lies in."""
    found = []
    for mask, weight in {0: weights.get(0, 1.0), **weights}.items():
        kept = tuple(n if mask >> axis & 1 else 1 for n, axis in zip(shape, axes_of(finest), strict=True))
        if mask == 0 or mask != finest:
            place = np.arange(math.prod(kept)).reshape(kept)
            found.append((weight, np.broadcast_to(place, shape).ravel()[free]))
    return sorted(found, key=lambda one: int(one[1].max(initial=0)))[: CONTROLLED_MAX + 1]


def _error_diffusion(parts: Floats, places: list[tuple[float, Integers]]) -> tuple[Integers, Floats]:
    """Round each fraction to 0 or 1 so that sums over the cells of every margin stay close: error diffusion.

    In turn, each goes the way that leaves the squared errors of its sums, weighted, the least. Also
    answers the weighted sum of these errors at the end, for each fraction.
    """
    # Lists and a plain loop: each cell depends on all before it, and numpy is slow on single numbers.
    sums = [(weight, [0.0] * (int(place.max(initial=0)) + 1), place.tolist()) for weight, place in places]
    middle = sum(weight for weight, _ in places) / 2
    ups = []
    for number, part in enumerate(parts.tolist()):
        pull = 0.0
        for weight, errors, place in sums:
            pull += weight * (errors[place[number]] - part)
        up = pull + middle < 0
        ups.append(up)
        for _, errors, place in sums:
            errors[place[number]] += up - part
    pulls = sum((weight * np.array(errors)[place] for weight, errors, place in sums), np.zeros(len(parts)))
    return np.array(ups, dtype=np.int64), pulls


def _margin(table: Integers, finest: int, mask: int) -> Integers:
    """The table summed over the axes that a mask leaves out."""
    left_out = tuple(place for place, axis in enumerate(axes_of(finest)) if not mask >> axis & 1)
    found: Integers = table.sum(axis=left_out)
    return found
