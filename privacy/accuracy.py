"""From noise to error bounds and from error bounds to a price. Knows scales only, never data.

All bounds are two-sided at `confidence` for one cell. Draws nothing.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from privacy.budget import Price
from privacy.noise import Integers, calibrate

CONFIDENCE = 0.95
GRID = 2048
Floats = npt.NDArray[np.float64]


def half_width(scale: float, confidence: float = CONFIDENCE) -> int:
    """The least t with P(|X| ≤ t) ≥ `confidence` for discrete Laplace noise X of that scale.

    P(|X| > t) = 2 αᵗ⁺¹ / (1 + α) with α = exp(-1/scale) (Inusah & Kozubowski 2006, section 2).
    """
    alpha = math.exp(-1 / scale)
    steps = scale * (math.log(2) - math.log1p(alpha) - math.log1p(-confidence))
    return max(0, math.ceil(steps - 1e-9 * max(1.0, steps)) - 1)


def price_of(sensitivity: int, within: int, confidence: float, most: Price) -> Price | None:
    """The least price at which noise of that sensitivity stays within ±`within`; None if above `most`.

    Found by bisection over whole nano-ε: the half-width falls as the price rises.
    """
    if half_width(calibrate(sensitivity, most), confidence) > within:
        return None
    low, high = 1, most.nano
    while low < high:
        middle = (low + high) // 2
        if half_width(calibrate(sensitivity, Price(middle)), confidence) <= within:
            high = middle
        else:
            low = middle + 1
    return Price(high)


def ratio_bounds(above: Integers, below: Integers, scale: float) -> tuple[Floats, Floats]:
    """Bounds of a / (a + b) in [0, 1] from noisy `above` = a + X and `below` = b + Y, X, Y of that scale.

    Fieller's method with Laplace noise: p is kept while (1-p)·above - p·below, which is pure noise
    (1-p)X - pY at the true p, stays inside that noise's central interval. Where the noisy total is too
    small to place p at all, the bounds are 0 and 1.
    """
    a, b = above.astype(np.float64), below.astype(np.float64)
    total = a + b
    known = total > 4 * scale + 2
    total = np.where(known, total, 1.0)
    centre = np.clip(a / total, 0, 1)
    inside = _excess(centre, a, total, scale) <= 0
    low = np.where(_excess(np.zeros_like(a), a, total, scale) <= 0, 0.0, _root(0.0, centre, a, total, scale))
    high = np.where(_excess(np.ones_like(a), a, total, scale) <= 0, 1.0, _root(1.0, centre, a, total, scale))
    box = (half_width(scale, math.sqrt(CONFIDENCE)) + 1) / total
    low = np.where(inside, low, np.clip(centre - box, 0, 1))
    high = np.where(inside, high, np.clip(centre + box, 0, 1))
    return np.where(known, low, 0.0), np.where(known, high, 1.0)


def ratio_half_width(scale: float, total: float) -> float:
    """The half-width of `ratio_bounds` to expect at worst (p near 0 or 1) for a true total; at most 1."""
    return min(1.0, float(_quantiles()[0]) * scale / total) if total > 0 else 1.0


def _excess(p: Floats, a: Floats, total: Floats, scale: float) -> Floats:
    """How far the residual a - p·total lies outside the noise's central interval (plus one for rounding)."""
    bound: Floats = scale * np.interp(p, np.linspace(0, 1, GRID + 1), _quantiles()) + 1
    return np.abs(a - p * total) - bound


def _root(outside: float, inside: Floats, a: Floats, total: Floats, scale: float) -> Floats:
    """Bisect between an end that is refused and a centre that is kept; answers the refused side."""
    out, kept = np.full_like(a, outside), inside.copy()
    for _ in range(60):
        middle = (out + kept) / 2
        refused = _excess(middle, a, total, scale) > 0
        out, kept = np.where(refused, middle, out), np.where(refused, kept, middle)
    return out


@lru_cache(maxsize=1)
def _quantiles() -> Floats:
    """The CONFIDENCE quantile of |(1-p)X - pY| for unit Laplace X, Y, on a grid of p in [0, 1].

    P(|(1-p)X - pY| > t) = (u² e^(-t/u) - v² e^(-t/v)) / (u² - v²) with u = 1-p, v = p, and
    (1 + t/2u) e^(-t/u) where u = v: the sum of two independent Laplace variables.
    """
    p = np.linspace(0, 1, GRID + 1)
    u, v = np.maximum(1 - p, 1e-12), np.maximum(p, 1e-12)
    low, high = np.zeros_like(p), np.full_like(p, 50.0)
    for _ in range(80):
        t = (low + high) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = (u**2 * np.exp(-t / u) - v**2 * np.exp(-t / v)) / (u**2 - v**2)
        tail = np.where(p == 0.5, (1 + t / (2 * u)) * np.exp(-t / u), apart)
        wide = tail > 1 - CONFIDENCE
        low, high = np.where(wide, t, low), np.where(wide, high, t)
    return high
