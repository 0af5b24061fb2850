"""What a mechanism's error should be, worked out here anew from sensitivities, never taken from a plan.

Closed forms for discrete Laplace and Gaussian noise; where an estimate is a ratio of noisy sums its error to
the first order, a weighted sum of the draws; for noisy choices the law is drawn from, many times.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 200_000
CHOICES, SPLITS = 10_000, 100
FINE = 1 << 13
Floats = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The root mean square of the error and the 95th percentile of its size.

    `best` is the root mean square of the best mechanism known for the same promise, where one is known.
    """

    rmse: float
    p95: float
    best: float | None = None


def laplace(sensitivity: int, epsilon: float) -> Expected:
    """Discrete Laplace noise on whole numbers. Best: the staircase mechanism."""
    scale = sensitivity / epsilon
    alpha = math.exp(-1 / scale)
    rmse = math.sqrt(2 * alpha) / (1 - alpha)
    beyond = scale * (math.log(2) - math.log1p(alpha) - math.log(0.05))
    best = rmse if sensitivity == 1 else staircase(sensitivity, epsilon)
    return Expected(rmse=rmse, p95=math.ceil(beyond) - 1, best=best)


def staircase(sensitivity: float, epsilon: float) -> float:
    """The least root mean square of any ε-private noise on a real number (Geng & Viswanath 2016, theorem 3).

    For whole numbers and sensitivity 1 that is discrete Laplace noise (Ghosh, Roughgarden & Sundararajan 2009).
    """
    b = math.exp(-epsilon)
    above = 2 ** (-2 / 3) * b ** (2 / 3) * (1 + b) ** (2 / 3) + b
    return sensitivity * math.sqrt(above) / (1 - b)


def gaussian(squared: float, rho: float) -> Expected:
    """Discrete Gaussian noise of ρ-zCDP; beyond σ of a few its moments are those of the continuous law."""
    sigma = math.sqrt(squared / (2 * rho))
    return Expected(rmse=sigma, p95=sigma * 1.959964)


def weighted(scale: float, weights: Sequence[Floats]) -> Expected:
    """Errors Σ wᵢXᵢ of Laplace draws of one scale; each weight is an array of cells, all cells pooled."""
    matrix = np.array([np.atleast_1d(weight) for weight in weights], dtype=float)
    rmse = scale * math.sqrt(2 * float((matrix**2).sum(axis=0).mean()))
    random = np.random.default_rng(1)
    each = max(1, DRAWS // matrix.shape[1])
    draws = random.laplace(size=(each, *matrix.shape))
    errors = np.abs((draws * matrix).sum(axis=1))
    return Expected(rmse=rmse, p95=scale * float(np.quantile(errors, 0.95)))


def mean(rows: Floats, means: Floats, low: int, high: int, per_person: int, epsilon: float) -> Expected:
    """The mean from distances to both bounds: with p the mean's place, ((1-p)X - pY)/rows."""
    p = (means - low) / (high - low)
    scale = per_person * (high - low) / epsilon
    return weighted(scale, [(1 - p) / rows, -p / rows])


def variance(
    rows: Floats,
    means: Floats,
    variances: Floats,
    low: int,
    high: int,
    per_person: int,
    epsilon: float,
    root: bool = False,
) -> Expected:
    """The variance from three sums of degree 2, each with noise of scale k(h-l)²/ε.

    With m, v the mean and variance on the unit interval, the draws weigh m²-v, m²-m-v and (1-m)²-v, over n.
    """
    span = high - low
    m, v = (means - low) / span, variances / span**2
    weights = [(m * m - v) / rows, (m * m - m - v) / rows, ((1 - m) ** 2 - v) / rows]
    if root:
        weights = [weight / (2 * np.sqrt(variances)) for weight in weights]
    return weighted(per_person * span**2 / epsilon, weights)


def share(rows: Floats, shares: Floats, per_person: int, epsilon: float) -> Expected:
    """A share of rows from the counts of both classes."""
    return weighted(per_person / epsilon, [(1 - shares) / rows, -shares / rows])


Chooser = Callable[[np.random.Generator, Floats, Floats, float, float], np.ndarray]


def choice(
    histogram: np.ndarray, middles: Floats, exact: float, q: float, per_person: int, epsilon: float
) -> Expected:
    """Permute-and-flip over bins: the largest of scores with exponential noise of scale 2Δ/ε."""
    random = np.random.default_rng(2)
    places = noisy_max(random, histogram, q, per_person, epsilon, CHOICES)
    return summary(middles[places] - exact)


def noisy_max(
    random: np.random.Generator, histogram: np.ndarray, q: float, per_person: int, epsilon: float, draws: int
) -> np.ndarray:
    """The chosen bins. A row moves a bin's distance from the rank by max(q, 1-q) at most."""
    upto = np.cumsum(histogram)
    goal = q * upto[-1]
    loss = np.maximum(np.maximum(upto - histogram - goal, goal - upto), 0)
    scale = 2 * per_person * max(q, 1 - q) / epsilon
    near = np.flatnonzero(loss < scale * (20 + math.log(len(loss))))
    chosen = [near[np.argmax(random.exponential(scale, (len(near))) - loss[near])] for _ in range(draws)]
    return np.array(chosen)


def recursive_splitting(
    histogram: np.ndarray,
    middles: Floats,
    exact: Floats,
    qs: Sequence[float],
    per_person: int,
    epsilon: float,
) -> Expected:
    """Several quantiles by halving: the middle one first, then each side among its own rows.

    A row lies on one path, so each of ⌈log₂(m + 1)⌉ levels may take its part of ε (Kaplan, Schnapp & Stemmer
    2022). Drawn here as a reference, with the same noisy choice at each step. Rows that share a bin are spread
    within it by chance, here evenly, so that both sides of a split get their part of them.
    """
    parts = max(1, FINE // len(histogram))
    histogram, middles = np.repeat(histogram / parts, parts), np.repeat(middles, parts)
    random = np.random.default_rng(3)
    part = epsilon / math.ceil(math.log2(len(qs) + 1))
    errors = []
    for _ in range(SPLITS):
        found: dict[float, int] = {}
        _split(random, histogram, 0, len(histogram), list(qs), 0.0, 1.0, per_person, part, found)
        errors.append([middles[found[q]] - value for q, value in zip(qs, exact, strict=True)])
    return summary(np.array(errors))


def _split(
    random: np.random.Generator,
    histogram: np.ndarray,
    first: int,
    last: int,
    qs: list[float],
    low: float,
    high: float,
    per_person: int,
    epsilon: float,
    found: dict[float, int],
) -> None:
    """Choose the middle of `qs` among the bins first … last - 1, which hold the ranks low … high."""
    if not qs:
        return
    if last - first <= 1:
        found.update(dict.fromkeys(qs, first))
        return
    middle = len(qs) // 2
    q = qs[middle]
    inside = (q - low) / (high - low)
    (place,) = noisy_max(random, histogram[first:last], inside, per_person, epsilon, 1)
    found[q] = first + int(place)
    _split(random, histogram, first, found[q] + 1, qs[:middle], low, q, per_person, epsilon, found)
    _split(random, histogram, found[q], last, qs[middle + 1 :], q, high, per_person, epsilon, found)


def summary(errors: Floats) -> Expected:
    """The figures of drawn errors."""
    return Expected(rmse=float(np.sqrt((errors**2).mean())), p95=float(np.quantile(np.abs(errors), 0.95)))
