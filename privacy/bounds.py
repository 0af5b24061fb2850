"""Bounds of shares and variances from noisy sums: confidence sets, so that no data is asked again.

Each holds the exact value with at least the stated probability over the noise, in cells of every size; where
the noise hides how many rows there are at all, the bounds are the whole range. Draws nothing.
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from privacy.distributions import Floats, NoiseDistribution
from privacy.noise import Integers

Numbers = npt.NDArray[np.float64] | Integers
SHARES_OF_DOUBT = 0.1
"""The part of the doubt 1 - confidence that a variance's bounds spend on placing the mean."""


def share_of(
    above: Numbers, below: Numbers, distribution: NoiseDistribution, confidence: float, *, classes: int
) -> tuple[Floats, Floats, Floats]:
    """a / (a + b) in [0, 1] and its bounds, from noisy `above` of a and `below` of b.

    Fieller's method: s is kept while (1-s)·above - s·below, which is pure noise at the true s, stays inside
    that noise's central interval (`NoiseDistribution.shares_tail`, plus one for rounding).
    """
    a, b = above.astype(np.float64), below.astype(np.float64)
    total = a + b
    # Of a total within a few scales of its own noise nothing is known, and a ratio by it says nothing.
    known = total > 4 * distribution.deviation / math.sqrt(2) + 2
    total = np.where(known, total, 1.0)
    centre = np.where(known, np.clip(a / total, 0, 1), _share_of_hidden_total(a, b))

    def excess(share: Floats) -> Floats:
        """How far the residual lies outside the noise's central interval."""
        allowed = distribution.shares_tail(confidence, share, classes=classes) + 1
        return np.asarray(np.abs(a - share * total) - allowed)

    inside = excess(centre) <= 0
    # Where noise carried the sums out of [0, 1] no share explains both. Then each lies within its own half-width
    # with √confidence, so both do with `confidence`; with three classes a sum holds the noise of two.
    box = (distribution.half_width(math.sqrt(confidence)) * (classes - 1) + 1) / total
    least, most = _roots(excess, centre)
    low = np.where(inside, least, np.clip(centre - box, 0, 1))
    high = np.where(inside, most, np.clip(centre + box, 0, 1))
    return centre, np.where(known, low, 0.0), np.where(known, high, 1.0)


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
    shown = np.clip(value, 0, 0.25)
    return (
        np.where(known, shown, np.where(total > 0, _variance_of_hidden_total(noisy), 0.0)),
        np.where(known, low, 0.0),
        np.where(known, np.maximum(high, low), 0.25),
    )


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
