"""How large noise is: half-widths and tail quantiles of single draws and of weighted sums of draws.

Knows scales only, never data, and draws nothing. `NoiseDistribution` is the distribution of the noise of one released
number: discrete Laplace, discrete Gaussian, or the "mixed" noise of a least-squares estimate.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
SHARES = np.linspace(0, 1, 2_049)
"""The shares at which the tail of a share's noise is tabulated."""
EXACT_SIGMA_MAX = 200.0
GAP = 1e-3
STEPS = 60


@dataclass(frozen=True, slots=True)
class NoiseDistribution:
    """Noise around zero. `scale` is b of Laplace noise, σ of Gaussian noise, the deviation of mixed noise.

    `whole` noise is always a whole number; a least-squares estimate's is not, though made of whole draws.
    """

    kind: Literal["laplace", "gaussian", "mixed"]
    scale: float
    whole: bool = True

    @property
    def deviation(self) -> float:
        """The standard deviation (of the continuous distribution of that scale; the discrete ones are narrower)."""
        return self.scale * math.sqrt(2) if self.kind == "laplace" else self.scale

    def half_width(self, confidence: float) -> int:
        """The least whole t with P(|X| ≤ t) ≥ `confidence` for one draw X.

        Laplace: P(|X| > t) = 2 αᵗ⁺¹ / (1 + α) with α = exp(-1/b) (Inusah & Kozubowski 2006, section 2).
        Gaussian: summed up to σ = 200, beyond that by the continuous distribution, whose error is far below one.
        """
        if self.kind == "laplace":
            alpha = math.exp(-1 / self.scale)
            steps = self.scale * (math.log(2) - math.log1p(alpha) - math.log1p(-confidence))
            # t + 1 ≥ steps, less a hair: floats may put a whole number just above itself and cost a whole unit.
            return max(0, math.ceil(steps - 1e-9 * max(1.0, steps)) - 1)
        if not self.whole:
            return math.ceil(self.half_width_real(confidence))
        if self.kind == "gaussian" and self.scale <= EXACT_SIGMA_MAX:
            return _summed_half_width(self.scale, confidence)
        return math.ceil(self.tail_of_sum(confidence))

    def half_width_real(self, confidence: float) -> float:
        """t with P(|X| ≤ t) ≥ `confidence` for noise that is no whole number, as that of a least-squares estimate.

        Half a unit wider than the continuous distribution: one draw may still outweigh the others, and a whole number
        is up to half a unit further out than a continuous draw that it is the rounding of.
        """
        return self.tail_of_sum(confidence) + 0.5

    def tail(self, confidence: float, weights: Floats) -> Floats:
        """t with P(|Σ wᵢXᵢ| ≤ t) ≥ `confidence` for independent draws; `weights` is (draws, …)."""
        if self.kind == "laplace":
            return self.scale * _laplace_tail(confidence, np.abs(weights))
        factor = _normal_or_mixed(self.kind, confidence)
        return np.asarray(self.scale * factor * np.sqrt((weights**2).sum(axis=0)))

    def tail_of_sum(self, confidence: float, draws: int = 1) -> float:
        """`tail` of the plain sum of so many draws."""
        return self.scale * _unit_tail(self.kind, confidence, draws)

    def shares_tail(self, confidence: float, share: Floats, *, classes: int) -> Floats:
        """`tail` for the noise of (1-s)A - sB as a function of s in [0, 1], from a table at `SHARES`.

        With two classes A and B are released numbers; with three, A = X₁ + X₂ and B = X₂ + X₃, so that the
        weights are 1-s, 1-2s and s.
        """
        table = _shares_table(self.kind, confidence, classes)
        return np.asarray(self.scale * np.interp(share, SHARES, table))

    def shares_slope(self, confidence: float, *, classes: int) -> float:
        """How much `shares_tail` changes at most from one share to another, a unit of share."""
        table = _shares_table(self.kind, confidence, classes)
        return float(self.scale * np.abs(np.diff(table)).max() * (len(SHARES) - 1))


def _normal_or_mixed(kind: str, confidence: float) -> float:
    """The central quantile in deviations.

    A least-squares estimate's noise is a weighted sum of Laplace or Gaussian draws; among such sums of one
    deviation the central quantile at 0.9 and above is largest for a single Laplace draw,
    ln(1/(1-c))/√2 deviations, so that is what mixed noise is given; the normal one below that.
    """
    normal = NormalDist().inv_cdf((1 + confidence) / 2)
    # A sum of many draws is nearly normal, one dominating Laplace draw is not: the wider of both covers every mixture.
    return normal if kind == "gaussian" else max(normal, -math.log1p(-confidence) / math.sqrt(2))


@lru_cache(maxsize=4096)
def _summed_half_width(sigma: float, confidence: float) -> int:
    """The least whole t with P(|X| ≤ t) ≥ `confidence` for discrete Gaussian X, by summing exp(-x²/2σ²).

    The distribution is that of Canonne, Kamath & Steinke 2020.
    """
    # Beyond ten deviations lies e⁻⁵⁰ of the mass: less than floats can add to 1.
    reach = math.ceil(sigma * 10) + 10
    mass = np.exp(-(np.arange(reach + 1) ** 2) / (2 * sigma**2))
    inside = np.cumsum(np.concatenate([mass[:1], 2 * mass[1:]]))
    return int(np.searchsorted(inside / inside[-1], confidence - 1e-12))


def _laplace_tail(confidence: float, weights: Floats) -> Floats:
    """The `confidence` quantile of |Σ wᵢLᵢ| for unit Laplace Lᵢ.

    P(|Σ wᵢLᵢ| > t) = Σᵢ wᵢ^(2m-2) / Πⱼ≠ᵢ(wᵢ² - wⱼ²) · e^(-t/wᵢ) for distinct wᵢ, by partial fractions of the
    characteristic function Π 1/(1 + wᵢ²s²). Equal weights are moved apart upwards, which can only widen.
    """
    ordered = np.sort(weights.astype(np.float64), axis=0)
    top = np.maximum(ordered[-1], 1e-300)
    # Partial fractions divide by differences of squares, so nearly equal weights would cancel all digits away.
    apart = np.empty_like(ordered)
    apart[0] = np.maximum(ordered[0], top * 1e-6)
    for place in range(1, len(ordered)):
        apart[place] = np.maximum(ordered[place], apart[place - 1] * (1 + GAP))
    unit = apart / top
    squares = unit**2
    factors = np.ones_like(unit)
    for i in range(len(unit)):
        for j in range(len(unit)):
            if i != j:
                factors[i] *= squares[i] / (squares[i] - squares[j])
    low, high = (
        np.zeros(unit.shape[1:]),
        np.full(unit.shape[1:], 4.0 * len(unit) - 2 * math.log1p(-confidence)),
    )
    for _ in range(STEPS):
        middle = (low + high) / 2
        wide = (factors * np.exp(-middle / unit)).sum(axis=0) > 1 - confidence
        low, high = np.where(wide, middle, low), np.where(wide, high, middle)
    # The upper end of the bisection holds at least the confidence.
    return np.asarray(high * top)


@lru_cache(maxsize=256)
def _unit_tail(kind: Literal["laplace", "gaussian", "mixed"], confidence: float, draws: int) -> float:
    """The tail at a scale of 1: the same at every step of a search for a price."""
    return float(NoiseDistribution(kind, 1.0).tail(confidence, np.ones((draws, 1)))[0])


@lru_cache(maxsize=64)
def _shares_table(kind: Literal["laplace", "gaussian", "mixed"], confidence: float, classes: int) -> Floats:
    rows = [1 - SHARES, SHARES] if classes == 2 else [1 - SHARES, 1 - 2 * SHARES, SHARES]
    return NoiseDistribution(kind, 1.0).tail(confidence, np.array(rows))
