"""Bounds of shares and variances from noisy sums: confidence sets, so that no data is asked again.

Each holds the exact value with at least the stated probability over the noise, in cells of every size; where
the noise hides how many rows there are at all, the bounds are the whole range. Draws nothing.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from privacy.distributions import Floats, NoiseDistribution
from privacy.noise import Integers

Numbers = npt.NDArray[np.float64] | Integers
MEAN_STEPS, VARIANCE_STEPS = 40, 5
"""Into how many parts the means, and the variances that go with each, are cut."""

SHARE_STEPS = 512
"""Into how many steps shares are cut where those that are kept are looked for one by one."""

SMALL_TOTAL = 300
"""Cells of a total up to so many deviations of its noise are looked at rectangle by rectangle."""

SHARES_OF_DOUBT = 0.1
"""The part of the doubt 1 - confidence that a variance's bounds spend on placing the mean."""


def share_of(
    above: Numbers, below: Numbers, distribution: NoiseDistribution, confidence: float, *, classes: int
) -> tuple[Floats, Floats, Floats]:
    """a / (a + b) in [0, 1] and its bounds, from noisy `above` of a and `below` of b.

    Fieller's method (1954): s is kept while (1-s)·above - s·below, which is pure noise at the true s whatever the
    total, stays inside that noise's central interval (`NoiseDistribution.shares_tail`, plus a rounding). In small
    cells what is kept may be several intervals; the bounds are around them all.
    """
    a, b = above.astype(np.float64), below.astype(np.float64)
    total = a + b
    # Of a total within a few scales of its own noise nothing is known, and a ratio by it says nothing.
    known = total > 4 * distribution.deviation / math.sqrt(2) + 2
    safe = np.where(known, total, 1.0)
    centre = np.where(known, np.clip(a / safe, 0, 1), _share_of_hidden_total(a, b))

    def excess(share: Floats) -> Floats:
        """How far the residual lies outside the noise's central interval."""
        allowed = distribution.shares_tail(confidence, share, classes=classes) + _rounding(
            distribution.kind, share, classes
        )
        return np.asarray(np.abs(a - share * total) - allowed)

    inside = excess(centre) <= 0
    # Where noise carried the sums out of [0, 1] no share explains both. Then each lies within its own half-width
    # with √confidence, so both do with `confidence`; with three classes a sum holds the noise of two.
    box = (distribution.half_width(math.sqrt(confidence)) * (classes - 1) + 1) / safe
    least, most = _roots(excess, centre)
    low = np.where(inside, least, np.clip(centre - box, 0, 1))
    high = np.where(inside, most, np.clip(centre + box, 0, 1))
    low, high = np.where(known, low, 0.0), np.where(known, high, 1.0)
    # Where the total outweighs how fast the interval widens, the kept shares are one interval around the centre.
    slope = distribution.shares_slope(confidence, classes=classes) + 1
    small = np.flatnonzero(~known | (total <= slope))
    grid = np.linspace(0, 1, SHARE_STEPS + 1)
    allowed = distribution.shares_tail(confidence, grid, classes=classes) + _rounding(
        distribution.kind, grid, classes
    )
    for some in np.array_split(small, len(small) // 1_000 + 1):
        outside = np.abs(a[some] - grid[:, None] * total[some]) - allowed[:, None]
        # The excess changes by at most its slope, so a share that is kept between two steps shows at the nearer one.
        kept = outside <= (np.abs(total[some]) + slope) / (2 * SHARE_STEPS)
        first, last = kept.argmax(axis=0) - 1, SHARE_STEPS + 1 - kept[::-1].argmax(axis=0)
        found = kept.any(axis=0)
        # A step outwards, as what is kept may end before the next one.
        low[some] = np.where(found, grid[np.maximum(first, 0)], low[some])
        high[some] = np.where(found, grid[np.minimum(last, SHARE_STEPS)], high[some])
    # Of sums that noise carried far beyond [0, 1] the nearest share may be ruled out; wider bounds hold no less.
    return centre, np.minimum(low, centre), np.maximum(high, centre)


def _rounding(kind: str, share: Floats, classes: int) -> Floats:
    """By how much whole noise, so weighted, may lie further out than continuous noise.

    Discrete Laplace noise is more peaked than continuous noise of that scale rounded to the nearest whole number, and
    sums of symmetric unimodal variables keep that order (Birnbaum 1948): half a unit a weight. One of other noise,
    which may be a sum of many draws.
    """
    if kind != "laplace":
        return np.ones_like(share)
    return np.full_like(share, 0.5) if classes == 2 else 0.5 + np.abs(0.5 - share)


def _share_of_hidden_total(a: Floats, b: Floats) -> Floats:
    """The share where noise hides the total: what the numbers say if they say anything, else one half."""
    total = a + b
    return np.asarray(np.where(total > 0, np.clip(a / np.where(total > 0, total, 1.0), 0, 1), 0.5))


def _roots(excess: Callable[[Floats], Floats], kept: Floats) -> Floats:
    """Bisect between a kept share and each end of [0, 1]: the refused side, or the end if kept. Shape (2, …)."""
    # Both ends at once: a step is a few calls of numpy, whatever the number of cells.
    ends = np.stack([np.zeros_like(kept), np.ones_like(kept)])
    end_kept = excess(ends) <= 0
    out, kept = ends, np.stack([kept, kept])
    # Sixty halvings go below the spacing of floats; the refused side is returned, so bounds err outwards.
    for _ in range(60):
        middle = (out + kept) / 2
        refused = excess(middle) > 0
        out, kept = np.where(refused, middle, out), np.where(refused, kept, middle)
    return np.asarray(np.where(end_kept, ends, out))


def variance_of(
    noisy: Floats, distribution: NoiseDistribution, confidence: float
) -> tuple[Floats, Floats, Floats]:
    """The variance in [0, 1/4] of values in [0, 1], and its bounds, from three noisy Bernstein sums.

    With N, m̂ and V̂ what the noisy sums say, the residual N·((m - m̂)² + V̂ - V) is pure noise at the true
    mean m and variance V, with weights (m²-V, m²-m-V, (1-m)²-V): it vanishes for exact sums. A tenth of the
    doubt places m (its residual N·(m̂ - m) has weights -m, ½-m, 1-m); the rest bounds that residual over all m
    left. Weights are taken at their largest over the m and V left, which can only widen.
    """
    doubt = 1 - confidence
    near, between, far = noisy
    total = near + between + far
    known = total > 8 * distribution.deviation / math.sqrt(2) + 4
    count = np.where(known, total, 1.0)
    mean = (between / 2 + far) / count
    value = (near * far - between**2 / 4) / count**2
    ones = np.ones_like(mean)
    reach = (distribution.tail(1 - SHARES_OF_DOUBT * doubt, np.array([ones, ones / 2, ones])) + 1) / count
    mean_low, mean_high = np.clip(mean - reach, 0, 1), np.clip(mean + reach, 0, 1)
    low, high = np.zeros_like(mean), np.full_like(mean, 0.25)
    # Weights depend on the bounds and bounds on the weights. Each round begins with bounds that hold and can
    # only narrow them, so stopping after any number of rounds is valid.
    for _ in range(3):
        weights = _largest_weights(mean_low, mean_high, low, high)
        width = (distribution.tail(1 - (1 - SHARES_OF_DOUBT) * doubt, weights) + 1) / count
        # V = V̂ + (m - m̂)² less noise: not knowing the mean lifts the upper bound only.
        drift = np.maximum(np.abs(mean - mean_low), np.abs(mean_high - mean)) ** 2
        low = np.clip(value - width, 0, 0.25)
        high = np.clip(value + width + drift, 0, 0.25)
    low, high = np.where(known, low, 0.0), np.where(known, np.maximum(high, low), 0.25)
    # In large cells the rectangles are coarser than these bounds.
    small = np.flatnonzero((total > 0) & (total < SMALL_TOTAL * distribution.deviation))
    for some in np.array_split(small, len(small) // 2_000 + 1):
        first, last = _kept_variances(noisy[:, some], distribution, confidence)
        # Both hold whenever the two residuals lie inside their intervals, so what is left by both does; where nothing
        # is left, noise was larger than that.
        first, last = np.maximum(low[some], first), np.minimum(high[some], last)
        low[some], high[some] = np.where(first <= last, [first, last], [low[some], high[some]])
    hidden = np.where(total > 0, _variance_of_hidden_total(noisy), 0.0)
    shown = np.where(known, np.clip(value, 0, 0.25), hidden)
    return shown, np.minimum(low, shown), np.maximum(high, shown)


def _kept_variances(
    noisy: Floats, distribution: NoiseDistribution, confidence: float
) -> tuple[Floats, Floats]:
    """The least and the greatest variance that some mean goes with, both residuals inside their intervals.

    The joint confidence region of mean and variance by the same two residuals, projected onto the variance: a cover of
    the means and variances that values in [0, 1] can have, V ≤ m(1-m), by small rectangles. In a rectangle the
    residual of the mean lies between its ends', that of the variance between its ends' and its vertex's less V times
    the total, which must be positive and nothing else. The least is above the greatest where nothing is kept.
    """
    near, between, far = noisy
    total = near + between + far
    low, high = np.full_like(total, np.inf), np.full_like(total, -np.inf)
    table = _rectangles(distribution.kind, confidence)
    for left, right, bottom, top, of_mean, of_variance in table.tolist():
        # The mean's residual is linear in m: inside somewhere if its ends are not outside on one side.
        ends = np.stack([between / 2 + far - m * total for m in (left, right)])
        reach = distribution.scale * of_mean + 1
        meets = (ends.min(axis=0) <= reach) & (ends.max(axis=0) >= -reach)
        # That of the variance is total·m² - (B₁ + 2B₂)·m + B₂ less V·total, a parabola in m that opens upwards.
        vertex = np.clip((between / 2 + far) / total, left, right)
        values = np.stack(
            [total * m * m - (between + 2 * far) * m + far for m in (left + 0 * total, vertex, right)]
        )
        reach = distribution.scale * of_variance + 1
        first = np.maximum((values.min(axis=0) - reach) / total, bottom)
        last = np.minimum((values.max(axis=0) + reach) / total, top)
        meets &= first <= last
        low = np.where(meets, np.minimum(low, first), low)
        high = np.where(meets, np.maximum(high, last), high)
    return low, high


@lru_cache(maxsize=32)
def _rectangles(kind: Literal["laplace", "gaussian", "mixed"], confidence: float) -> Floats:
    """Rectangles of means and variances, and how far both residuals stray at a scale of 1, of shape (rectangles, 6)."""
    edges = np.linspace(0, 1, MEAN_STEPS + 1)
    left, right = np.repeat(edges[:-1], VARIANCE_STEPS), np.repeat(edges[1:], VARIANCE_STEPS)
    # m(1-m) is at most that of the end nearer to one half.
    most = np.where(right <= 0.5, right * (1 - right), left * (1 - left))
    most = np.where((left < 0.5) & (right > 0.5), 0.25, most)
    part = np.tile(np.arange(VARIANCE_STEPS), MEAN_STEPS) / VARIANCE_STEPS
    bottom, top = most * part, most * (part + 1 / VARIANCE_STEPS)
    unit, doubt = NoiseDistribution(kind, 1.0), 1 - confidence
    # Of each weight the largest size in the rectangle: noise of larger weights strays further.
    size_of_half = np.maximum(np.abs(0.5 - left), np.abs(0.5 - right))
    of_mean = unit.tail(1 - SHARES_OF_DOUBT * doubt, np.array([right, size_of_half, 1 - left]))
    of_variance = unit.tail(1 - (1 - SHARES_OF_DOUBT) * doubt, _largest_weights(left, right, bottom, top))
    return np.stack([left, right, bottom, top, of_mean, of_variance], axis=1)


def _variance_of_hidden_total(noisy: Floats) -> Floats:
    """The variance that sums say which noise may have carried anywhere."""
    near, between, far = np.maximum(noisy, 0)
    count = np.maximum(near + between + far, 1.0)
    return np.asarray(np.clip((near * far - between**2 / 4) / count**2, 0, 0.25))


def _largest_weights(mean_low: Floats, mean_high: Floats, low: Floats, high: Floats) -> Floats:
    """The largest size of each weight over a box of means and variances.

    m² and (1-m)² are monotone and m² - m = -m(1-m) is lowest at one half, so ends and one half suffice.
    """
    half = np.clip(0.5, mean_low, mean_high)
    sizes = [
        np.abs(np.array([m * m - v, m * m - m - v, (1 - m) ** 2 - v]))
        for m in (mean_low, half, mean_high)
        for v in (low, high)
    ]
    return np.asarray(np.max(sizes, axis=0))
