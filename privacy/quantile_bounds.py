"""Bounds of a quantile's value: both ends from one noisy choice among pairs of cells around the released value.

The bins are put together in cells that grow with their distance from the value, two sizes an octave: a wide column has
hardly more of them than a narrow one. The score of a pair is that of its worse end, so that one choice at half of the
price does for both ends. What it may stray by grows with the logarithm of the number of pairs, and each end alone, at a
quarter of the price and among all bins, would stray about twice as far. Reads no data; draws through `Noise` alone.
"""

import math
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import numpy as np

from privacy.budget import NANO
from privacy.noise import Integers, Mechanism, Noise

DOUBT = 0.05
"""With what probability the quantile may lie outside, at most."""

_FAR = 1 << 61
"""Stands for a rank beyond every row: scaled ranks stay below 2³³ rows times 10⁴, so differences fit int64."""


@lru_cache(maxsize=4096)
def cells_around(value: int, bins: int) -> tuple[int, ...]:
    """The first bins of the cells, ascending, and `bins` at the end: `value` is a cell of its own.

    To either side lie cells of 1, 1, 1, 1, 2, 2, 4, 4, 8, 8, … bins, cut off at the ends of the domain.
    """
    starts = {0, bins}
    distance = size = 1
    starts |= {value, min(value + 1, bins)}
    while distance < bins:
        for _ in range(4 if size == 1 else 2):
            distance += size
            # A cell above ends where the next one begins, one below begins where it is furthest from the value.
            starts |= {max(0, value + 1 - distance), min(bins, value + distance)}
        size *= 2
    return tuple(sorted(starts))


def choose(
    histogram: Integers, value: int, q: Fraction, mechanism: Mechanism, noise: Noise
) -> tuple[int, int]:
    """The lowest and the highest bin of the bounds of one cell's `histogram`; -1 and `bins` are the domain's ends.

    The low end aims `shift` ranks below q·n, the high end as many above. An end's loss is the rows between its cell
    and its aim, a pair's score minus the larger loss of both. A row more moves each loss by max(q, 1-q) at most, and
    so the larger one; `value` is released before, so the cells are the same with and without it.
    """
    bins = len(histogram)
    starts = cells_around(value, bins)
    lows, highs = _pairs(len(starts) + 1)
    shift = stray(mechanism, len(lows), DOUBT)
    upto = np.cumsum(histogram)
    edges = np.concatenate([[0], upto])[list(starts)] * q.denominator
    goal, whole = q.numerator * int(upto[-1]), q.denominator * int(upto[-1])
    # Two cells more, below and above all rows: with them some pair always has the score 0.
    left = np.concatenate([[-_FAR], edges[:-1], [whole]])
    right = np.concatenate([[0], edges[1:], [_FAR]])
    low_loss, high_loss = (
        np.maximum(np.maximum(left - aim, aim - right), 0) for aim in (goal - shift, goal + shift)
    )
    place = noise.top(-np.maximum(low_loss[lows], high_loss[highs]), mechanism)
    first, last = [-1, *starts[:-1], bins], [-1, *(after - 1 for _, after in pairwise(starts)), bins]
    return first[lows[place]], last[highs[place]]


def stray(mechanism: Mechanism, wrong: int, doubt: float) -> int:
    """The least whole t so that one of `wrong` candidates that score t or more below the best is rarely chosen.

    Rarely is with probability `doubt` at most. Under ε each beats the best with probability e^(-t/s)/2 at most, s the
    scale: permute-and-flip is report noisy max with exponential noise (Ding, Kifer, Saiyed, Steinke, Wang, Xiao &
    Zhang 2021, "The permute-and-flip mechanism is identical to report-noisy-max with exponential noise"). Under ρ all
    together have odds of `wrong`·e^(-t/s) against the best (Gumbel noise is the exponential mechanism).
    """
    price = mechanism.price.nano / NANO
    # A choice of ε has bounded range and costs ρ = ε²/8 (Cesar & Rogers 2021, lemma 3.4).
    epsilon = price if mechanism.measure == "pure" else math.sqrt(8 * price)
    odds = wrong / (2 * doubt) if mechanism.measure == "pure" else wrong * (1 - doubt) / doubt
    return max(1, math.ceil(2 * mechanism.sensitivity / epsilon * math.log(odds)))


@lru_cache(maxsize=256)
def _pairs(cells: int) -> tuple[Integers, Integers]:
    """The numbers of the cells of all pairs of a low end and a high end that is no lower."""
    lows, highs = np.triu_indices(cells)
    return lows.astype(np.int64), highs.astype(np.int64)
