"""How many persons of a population are unique in it, estimated from the class sizes of a sample of it.

Every estimator is a model of how classes are filled, so every figure names the one that made it; where one fails
the figure says so and what stands in for it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.errors import BadModel
from privacy.deidentify.models import PopulationUniqueness, UniquenessEstimator
from privacy.words import Words

Floats = NDArray[np.float64]

SMALL_SAMPLE = 0.1
"""Up to this sampling fraction Dankar's rule takes Pitman's estimate."""
ALPHA_MAX = 1 - 1e-12
LOG_TAU = (math.log(1e-12), math.log(1e18))
"""The bracket of ln τ: far beyond the likeliest of any sample of fewer than 10⁹ persons."""
ROOT = 1e-12
"""How near roots are sought: of α, and relatively of τ."""
EXACT_MAX = 4096
"""Terms of a smooth sum that are added one by one; the rest is an integral, to about 1e-9 of the sum."""


@dataclass(frozen=True, slots=True)
class UniquenessEstimate:
    """`uniques` persons of `population` are thought unique, by `estimator`; `note` says what did not work."""

    uniques: float
    population: int
    estimator: UniquenessEstimator
    note: str = ""

    @property
    def share(self) -> float:
        """The share of the population that is unique."""
        return self.uniques / self.population


@dataclass(frozen=True, slots=True, eq=False)
class ClassSizeSample:
    """Classes of a sample of a population: `counts[i]` of them hold `sizes[i]` persons, sizes ascending."""

    sizes: Floats
    counts: Floats
    population: int

    @classmethod
    def of(cls, sizes: NDArray[np.integer], population: int) -> "ClassSizeSample":
        """The histogram of class sizes; a population smaller than the sample is a fault."""
        sizes = sizes[sizes > 0]
        total = int(sizes.sum())
        if population < total:
            raise BadModel(
                Words(
                    ja=f"母集団の人数 {population} が、標本の人数 {total} を下回っています",
                    en=f"a population of {population} is smaller than the {total} persons of the sample",
                )
            )
        places, counts = np.unique(sizes, return_counts=True)
        return cls(places.astype(np.float64), counts.astype(np.float64), population)

    @property
    def persons(self) -> float:
        return float(self.sizes @ self.counts)

    @property
    def classes(self) -> float:
        return float(self.counts.sum())

    @property
    def fraction(self) -> float:
        """The persons of the sample by those of the population."""
        return self.persons / self.population

    def of_size(self, size: int) -> float:
        """How many classes have a size."""
        return float(self.counts[self.sizes == size].sum())


def estimate(
    sizes: NDArray[np.integer],
    *,
    population: int,
    estimator: UniquenessEstimator = UniquenessEstimator.DANKAR,
) -> UniquenessEstimate:
    """The persons unique in a population of which the sample has classes of these sizes.

    A sample without uniques has none whatever the model, and one that is the whole population has its own.
    Where the estimator fails, Zayatz's stands in, which always exists, and `note` says so.
    """
    # Neither case needs a model: the answer is exact.
    sample = ClassSizeSample.of(sizes, population)
    if sample.of_size(1) == 0 or sample.persons == population:
        return UniquenessEstimate(sample.of_size(1), population, estimator)
    if estimator is UniquenessEstimator.DANKAR:
        return _dankar(sample)
    return _or_zayatz(sample, estimator)


def unique_share(model: PopulationUniqueness, sizes: NDArray[np.integer]) -> float:
    """The figure that the model bounds, for classes of these sizes; 0 for a table without any."""
    return estimate(sizes, population=model.population, estimator=model.estimator).share


def _dankar(sample: ClassSizeSample) -> UniquenessEstimate:
    """The rule of Dankar, El Emam, Neisa & Roffey (BMC Medical Informatics and Decision Making 12:66, 2012):

    up to a tenth of the population Pitman's estimate; above that the lower of Zayatz's and SNB's.
    """
    # In small samples SNB finds many times too many, see the tests of its own population.
    if sample.fraction <= SMALL_SAMPLE:
        return _or_zayatz(sample, UniquenessEstimator.PITMAN)
    other = _or_zayatz(sample, UniquenessEstimator.SNB)
    return min(
        other,
        UniquenessEstimate(zayatz(sample), sample.population, UniquenessEstimator.ZAYATZ),
        key=lambda e: e.uniques,
    )


def _or_zayatz(sample: ClassSizeSample, estimator: UniquenessEstimator) -> UniquenessEstimate:
    found = ESTIMATORS[estimator](sample)
    if found is not None:
        # No estimator knows the population's size as a bound: more uniques than persons are cut off.
        return UniquenessEstimate(min(found, sample.population), sample.population, estimator)
    note = f"{estimator} has no solution for these classes: zayatz instead"
    return UniquenessEstimate(zayatz(sample), sample.population, UniquenessEstimator.ZAYATZ, note)


# -- Zayatz ---------------------------------------------------------------------------------------------------


def zayatz(sample: ClassSizeSample) -> float:
    """Zayatz (Bureau of the Census, SRD report 91/08, 1991): the population's class sizes spread as the sample's.

    With s_j classes of size j in the sample of n out of N, and h(j) the hypergeometric probability that exactly
    one of a class of j is drawn, a sample unique is a population unique with probability
    s₁ h(1) / Σ_j s_j h(j); times s₁ and N / n that is the estimate.
    """
    drawn = np.array([_one_drawn(int(j), int(sample.persons), sample.population) for j in sample.sizes])
    alone = sample.of_size(1)
    probability = alone * drawn[0] / float(sample.counts @ drawn)
    return float(alone * probability / sample.fraction)


def _one_drawn(size: int, drawn: int, population: int) -> float:
    """size · C(population - size, drawn - 1) / C(population, drawn)."""
    if population - size < drawn - 1:
        return 0.0
    # By logarithms, as binomials of a town's size exceed every float.
    log = math.log(size) + _log_choose(population - size, drawn - 1) - _log_choose(population, drawn)
    return math.exp(log)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


# -- Pitman ---------------------------------------------------------------------------------------------------


def pitman(sample: ClassSizeSample) -> float | None:
    """The Ewens-Pitman model (Hoshino, Journal of Official Statistics 17, 2001); None without a most likely one.

    A partition of n persons into u classes, s_j of size j, has the log-likelihood, but for a constant,
    Σ_{i=1}^{u-1} ln(θ + i α) - Σ_{i=1}^{n-1} ln(θ + i) + Σ_j s_j Σ_{i=1}^{j-1} ln(i - α), 0 ≤ α < 1, θ > -α.
    For each α the likeliest θ is sought by Brent's method, and so is α on that curve; where the likelihood falls
    from α = 0 on, α is 0 (Ewens). The estimate is the exact expectation
    N Γ(θ + 1) Γ(θ + α + N - 1) / (Γ(θ + α) Γ(θ + N)), which for large N is Hoshino's N^α Γ(θ + 1) / Γ(θ + α).
    A sample of uniques alone, or of one class, has no maximum of the likelihood.
    """
    if sample.classes in (1.0, sample.persons):
        return None
    from scipy.optimize import brentq

    likelihood = _PitmanLikelihood(sample)
    alpha = brentq(likelihood.along, 0.0, ALPHA_MAX, xtol=ROOT) if likelihood.along(0.0) > 0 else 0.0
    shifted, population = likelihood.likeliest(alpha), sample.population
    log = _log_rise(shifted, 1 - alpha) - _log_rise(shifted + population - 1, 1 - alpha)
    return population * math.exp(log)


def _log_rise(x: float, a: float) -> float:
    """ln Γ(x + a) - ln Γ(x); for large x its expansion, of error below 1 / x²."""
    if x < 1e6:
        return math.lgamma(x + a) - math.lgamma(x)
    return a * math.log(x) + a * (a - 1) / (2 * x)


def _terms(count: float) -> tuple[Floats, Floats]:
    """Places and weights of the sum of a smooth function over 1 … count.

    Beyond EXACT_MAX the sum is the integral from half before to half after, by Gauss's rule in ln i.
    """
    exact = np.arange(1, min(count, EXACT_MAX) + 1, dtype=np.float64)
    if count <= EXACT_MAX:
        return exact, np.ones(len(exact))
    nodes, parts = np.polynomial.legendre.leggauss(48)
    low, high = math.log(EXACT_MAX + 0.5), math.log(count + 0.5)
    rest = np.exp(low + (high - low) * (nodes + 1) / 2)
    weights = parts * (high - low) / 2 * rest
    return np.concatenate([exact, rest]), np.concatenate([np.ones(len(exact)), weights])


class _PitmanLikelihood:
    """The log-likelihood's derivatives, in α and τ = θ + α > 0."""

    def __init__(self, sample: ClassSizeSample) -> None:
        # Differences of digamma functions are these sums in closed form, but lose all digits for α near 0 or a
        # large τ; so terms are added up.
        self._class, self._class_weight = _terms(sample.classes - 1)
        self._person, self._person_weight = _terms(sample.persons - 1)
        self._sizes, self._counts = sample.sizes, sample.counts

    def likeliest(self, alpha: float) -> float:
        """The likeliest τ given α."""
        from scipy.optimize import brentq

        # In ln τ, as the likeliest lies anywhere from 10⁻¹² to 10¹⁸; times τ, so that the score stays near 1.
        def score(log: float) -> float:
            tau = math.exp(log)
            by_class = float(self._class_weight @ (1 / (tau + (self._class - 1) * alpha)))
            by_person = float(self._person_weight @ (1 / (tau - alpha + self._person)))
            return tau * (by_class - by_person)

        return math.exp(brentq(score, *LOG_TAU, xtol=ROOT))

    def along(self, alpha: float) -> float:
        """The derivative in α where τ is the likeliest."""
        tau = self.likeliest(alpha)
        by_class = float(self._class_weight @ (self._class / (tau + (self._class - 1) * alpha)))
        return by_class - self._within(alpha)

    def _within(self, alpha: float) -> float:
        """Σ_j s_j Σ_{i=1}^{j-1} 1 / (i - α)."""
        from scipy.special import digamma

        return float(self._counts @ (digamma(self._sizes - alpha) - digamma(1 - alpha)))


# -- slide negative binomial ----------------------------------------------------------------------------------


def snb(sample: ClassSizeSample) -> float | None:
    """The slide negative binomial (Chen & Keller-McNulty, Journal of Official Statistics 14, 1998); None if unsolved.

    A class of the population holds 1 + X persons, X negative binomial of shape α and probability β, so that
    K classes have K β^α uniques. With each person drawn with probability π, q = (1 - π)(1 - β) and
    g = (β / (1 - q))^α, the sample is to expect
    s₁ = K π g (1 + α q / (1 - q)) and s₂ = K π² g α (1 - β) (2 - (1 - α) q) / (2 (1 - q)²);
    K is Shlosser's estimate as modified by Haas & Stokes (JASA 93, 1998). Solved for (ln α, logit β) by
    Levenberg and Marquardt's method from the best points of a grid; a point counts as solved within 1e-8.
    """
    number, two = _shlosser(sample), sample.of_size(2)
    if two == 0:
        return None
    aim = np.log([sample.of_size(1) / number, two / number])

    def miss(point: Floats) -> Floats:
        return _snb_logs(point, sample.fraction) - aim

    # The two equations are flat over wide regions, where no method finds its way; a coarse grid leads past them.
    starts = [np.array([a, b]) for a in np.linspace(-7, 7, 15) for b in np.linspace(-12, 6, 19)]
    starts.sort(key=lambda start: float(np.abs(miss(start)).sum()))
    for start in starts[:5]:
        point = _solve(miss, start)
        if np.abs(miss(point)).max() < 1e-8:
            return float(number * np.exp(math.exp(point[0]) * _log_logistic(point[1])))
    return None


def _log_logistic(x: float) -> float:
    return -float(np.logaddexp(0, -x))


def _snb_logs(point: Floats, fraction: float) -> Floats:
    """ln s₁ / K and ln s₂ / K at (ln α, logit β)."""
    alpha, log_beta = math.exp(point[0]), _log_logistic(point[1])
    rest = math.exp(_log_logistic(-point[1]))
    q = (1 - fraction) * rest
    kept = fraction + (1 - fraction) * math.exp(log_beta)
    base = alpha * (log_beta - math.log(kept))
    one = math.log(fraction) + base + math.log1p(alpha * q / kept)
    pairs = alpha * rest * (2 - (1 - alpha) * q) / (2 * kept**2)
    return np.array([one, 2 * math.log(fraction) + base + math.log(pairs)])


def _solve(miss: Callable[[Floats], Floats], start: Floats) -> Floats:
    """The point near the start where a pair of misses is least, by Levenberg and Marquardt (MINPACK)."""
    from scipy.optimize import root

    def bounded(point: Floats) -> Floats:
        # beyond these bounds exp overflows; a point there has the misses of the edge
        return miss(np.clip(point, -30, 30))

    found = root(bounded, start, method="lm", options={"xtol": ROOT, "ftol": ROOT})
    return np.asarray(np.clip(found.x, -30, 30))


def _shlosser(sample: ClassSizeSample) -> float:
    """The number of classes of the population, from those of the sample and the uniques among them:

    u + s₁ · Σ j π² (1 - π²)^{j-1} s_j / Σ (1 - π)^j ((1 + π)^j - 1) s_j · (Σ (1 - π)^j s_j / Σ j π (1 - π)^{j-1} s_j)².
    """
    p, j, s = sample.fraction, sample.sizes, sample.counts
    missed = float(s @ (1 - p) ** j)
    once = float(s @ (j * p * (1 - p) ** (j - 1)))
    of_both = float(s @ (j * p**2 * (1 - p**2) ** (j - 1)))
    twice = float(s @ ((1 - p**2) ** j - (1 - p) ** j))
    return sample.classes + sample.of_size(1) * of_both / twice * (missed / once) ** 2


ESTIMATORS: dict[UniquenessEstimator, Callable[[ClassSizeSample], float | None]] = {
    UniquenessEstimator.PITMAN: pitman,
    UniquenessEstimator.ZAYATZ: zayatz,
    UniquenessEstimator.SNB: snb,
}
