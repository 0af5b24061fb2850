"""The noise is what it claims to be: its distribution, its independence, and the law of noisy choices.

Thresholds are so far out, and samples so large, that a run fails by chance less than once in 10^9 runs and a
planted fault passes about as rarely.
"""

import math
from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
import pytest
from doubles import count, query, register
from lanes import first
from numpy.polynomial import Polynomial
from scipy.stats import chi2, dlaplace, norm

from privacy.answer import release
from privacy.budget import Price
from privacy.distributions import NoiseDistribution
from privacy.measurement import distribution_of
from privacy.noise import CELLS_PER_THREAD, Kind, Mechanism, OpendpNoise
from privacy.plan import Plan, plan
from privacy.query import Key, Statistic
from privacy.schema import Measure, Number

RARE = 1e-11
SIGMAS = 7.0  # a normal variable is further out once in 4·10^11
DRAWS = 50_000
CHOICES = 12_000
ONE_THREAD = CELLS_PER_THREAD


def additive(kind: Kind, measure: Measure, sensitivity: int, price: str) -> Mechanism:
    return Mechanism(kind=kind, measure=measure, sensitivity=sensitivity, price=Price.parse(price))


TEN = additive("discrete_laplace", "pure", 1, "0.1")


def draws(mechanism: Mechanism, cells: int = DRAWS) -> np.ndarray:
    return OpendpNoise().add(np.zeros(cells, dtype=np.int64), mechanism)


class Gaussian:
    """P(X = x) ∝ exp(-x²/2σ²) over the integers, summed up; beyond σ = 10,000 the normal law."""

    def __init__(self, sigma: float) -> None:
        self.sigma = sigma
        self.reach = math.ceil(12 * min(sigma, 10_000)) + 12
        mass = np.exp(-((np.arange(-self.reach, self.reach + 1) / sigma) ** 2) / 2)
        self.mass = np.cumsum(mass) / mass.sum()

    def ppf(self, parts: np.ndarray) -> np.ndarray:
        if self.sigma > 10_000:
            return np.ceil(norm.ppf(parts) * self.sigma)
        return np.searchsorted(self.mass, parts) - self.reach

    def cdf(self, places: np.ndarray) -> np.ndarray:
        if self.sigma > 10_000:
            return norm.cdf((places + 0.5) / self.sigma)
        return self.mass[np.clip(np.asarray(places) + self.reach, 0, 2 * self.reach)]


def fits(noise: np.ndarray, distribution: NoiseDistribution) -> bool:
    """Pearson's chi-square test against discrete noise of that law, on about 24 equally likely bins."""
    known = (
        dlaplace(1 / distribution.scale) if distribution.kind == "laplace" else Gaussian(distribution.scale)
    )
    edges = np.unique(known.ppf(np.arange(1, 24) / 24)).astype(np.int64)
    edges = edges[(1 - known.cdf(edges)) * len(noise) > 50]
    expected = np.diff(known.cdf(edges), prepend=0, append=1) * len(noise)
    found = np.bincount(np.searchsorted(edges, noise), minlength=len(expected))
    return likely(found, expected)


def likely(found: np.ndarray, expected: np.ndarray) -> bool:
    distance = float(((found - expected) ** 2 / expected).sum())
    return bool(chi2(len(expected) - 1).sf(distance) > RARE)


def correlated(left: np.ndarray, right: np.ndarray) -> bool:
    """Whether two vectors of independent noise would agree so well, in value or in size, once in 10^11 times."""
    pairs = ((left, right), (np.abs(left), np.abs(right)))
    return any(abs(np.corrcoef(a, b)[0, 1]) * math.sqrt(len(a)) > SIGMAS for a, b in pairs)


# Additive noise


@pytest.mark.parametrize(
    ("kind", "measure", "sensitivity", "price"),
    first(
        5,
        [
            ("discrete_laplace", "pure", 3, "0.5"),
            ("discrete_laplace", "pure", 1, "0.001"),
            ("discrete_laplace", "zcdp", 7, "0.002"),
            ("discrete_gaussian", "zcdp", 9, "0.05"),
            ("discrete_gaussian", "zcdp", 2, "0.000001"),
            ("discrete_laplace", "pure", 1, "1"),
            ("discrete_laplace", "pure", 1, "0.3"),
            ("discrete_laplace", "pure", 8_000_000, "0.25"),
            ("discrete_laplace", "zcdp", 1, "0.5"),
            ("discrete_gaussian", "zcdp", 1, "0.5"),
            ("discrete_gaussian", "zcdp", 8_000_000**2, "0.1"),
        ],
    ),
)
def test_noise_fits_its_scale_and_none_a_tenth_smaller_or_larger(
    kind: Kind, measure: Measure, sensitivity: int, price: str
) -> None:
    mechanism = additive(kind, measure, sensitivity, price)
    noise, distribution = draws(mechanism), distribution_of(mechanism)
    assert fits(noise, distribution)
    assert not fits(noise, NoiseDistribution(distribution.kind, 0.9 * distribution.scale))
    assert not fits(noise, NoiseDistribution(distribution.kind, 1.1 * distribution.scale))


@pytest.mark.parametrize(
    ("mechanism", "scale"),
    [
        (TEN, 10),
        (additive("discrete_laplace", "zcdp", 1, "0.005"), 10),
        (additive("discrete_gaussian", "zcdp", 1, "0.005"), 10),
        (additive("discrete_gaussian", "zcdp", 4, "0.02"), 10),
    ],
)
def test_scales_are_those_of_the_papers(mechanism: Mechanism, scale: float) -> None:
    """Δ/ε; 1/√(2ρ) of an ε that costs ε²/2; √(Δ²/2ρ)."""
    assert mechanism.scale == pytest.approx(scale, rel=1e-12)


@pytest.mark.long
@pytest.mark.parametrize("mechanism", [TEN, additive("discrete_gaussian", "zcdp", 1, "0.005")])
def test_noise_of_few_cells_is_of_the_same_kind(mechanism: Mechanism) -> None:
    noise, distribution = (
        np.concatenate([draws(mechanism, ONE_THREAD) for _ in range(100)]),
        distribution_of(mechanism),
    )
    assert fits(noise, distribution)
    assert not fits(noise, NoiseDistribution(distribution.kind, 9))
    assert not fits(noise, NoiseDistribution(distribution.kind, 11))


@pytest.mark.long
@pytest.mark.parametrize("mechanism", first(1, [TEN, additive("discrete_gaussian", "zcdp", 1, "0.005")]))
def test_noise_of_one_cell_is_of_the_same_kind(mechanism: Mechanism) -> None:
    noise, distribution = (
        np.concatenate([draws(mechanism, 1) for _ in range(8_000)]),
        distribution_of(mechanism),
    )
    assert fits(noise, distribution)
    assert not fits(noise, NoiseDistribution(distribution.kind, 7.5))
    assert not fits(noise, NoiseDistribution(distribution.kind, 13))


@pytest.mark.parametrize(
    "planted",
    first(
        2,
        [
            lambda noise: np.where(noise < 0, noise + 1, noise),
            lambda noise: np.clip(noise, -20, 20),
            lambda noise: noise // 2,
            lambda noise: np.abs(noise),
            lambda noise: np.where(np.arange(len(noise)) % 8, noise, 0),
            lambda noise: noise + 1,
        ],
    ),
    ids=["rounded", "cut", "half", "one side", "gaps", "shifted"],
)
def test_the_test_of_fit_sees_planted_faults(planted) -> None:
    noise, distribution = draws(TEN, 2 * DRAWS), distribution_of(TEN)
    assert fits(noise, distribution)
    assert not fits(planted(noise), distribution)


def test_gaussian_noise_is_not_taken_for_laplace_noise_of_its_deviation() -> None:
    gaussian = draws(additive("discrete_gaussian", "zcdp", 1, "0.005"))
    assert not fits(gaussian, NoiseDistribution("laplace", 10 / math.sqrt(2)))
    assert not fits(draws(TEN), NoiseDistribution("gaussian", 10 * math.sqrt(2)))


# Noisy choices


def permute_and_flip(scores: Sequence[int], scale: float) -> np.ndarray:
    """Who is first, in a random order, to be taken with probability exp((score - best) / scale).

    Place i comes at a uniform time x; each other place j came earlier with probability x and, having come,
    was passed over with 1 - e_j. So P(i) = e_i ∫ Π_j≠i (1 - x e_j) dx: McKenna & Sheldon 2020, section 3.
    """
    chances = [math.exp((score - max(scores)) / scale) for score in scores]
    found = []
    for place, chance in enumerate(chances):
        passed = Polynomial([1.0])
        for other in chances[:place] + chances[place + 1 :]:
            passed *= Polynomial([1.0, -other])
        found.append(chance * passed.integ()(1.0))
    return np.array(found)


def exponential(scores: Sequence[int], scale: float) -> np.ndarray:
    weights = np.exp((np.array(scores) - max(scores)) / scale)
    return weights / weights.sum()


DISTRIBUTIONS = {"pure": permute_and_flip, "zcdp": exponential}
LEVELS = np.repeat(np.arange(10), np.exp(0.35 * np.arange(10)).round().astype(int))
SCORES = -LEVELS
"""The lower a score, the more places have it, so that the level chosen tells most about the scale."""


def chosen(mechanism: Mechanism, scores: np.ndarray, draws: int = CHOICES) -> np.ndarray:
    """How often each level of SCORES was chosen."""
    noise = OpendpNoise()
    return np.bincount(LEVELS[[noise.top(scores, mechanism) for _ in range(draws)]], minlength=10)


def expected(measure: Measure, scale: float, draws: int = CHOICES) -> np.ndarray:
    return np.bincount(LEVELS, DISTRIBUTIONS[measure](SCORES.tolist(), scale)) * draws


@pytest.mark.parametrize("scores", [(0, 1), (3, 0, 0), (5, 4, 2, 0, 5)])
def test_permute_and_flip_by_hand(scores) -> None:
    """The same law by going through all subsets (inclusion and exclusion), and for two places in one's head."""
    distribution = permute_and_flip(scores, 2.0)
    assert distribution.sum() == pytest.approx(1)
    chances = np.exp((np.array(scores) - max(scores)) / 2)
    for place, chance in enumerate(chances):
        others = np.delete(chances, place)
        parts = [
            (-1) ** size / (size + 1) * math.prod(some)
            for size in range(len(others) + 1)
            for some in combinations(others, size)
        ]
        assert distribution[place] == pytest.approx(chance * sum(parts))
    if len(scores) == 2:
        assert distribution[0] == pytest.approx(math.exp(-1 / 2) / 2)


@pytest.mark.long
@pytest.mark.parametrize(
    ("measure", "sensitivity", "price", "factor"),
    first(
        1,
        [("pure", 1, "1", 1), ("zcdp", 3, "1.125", 1_000), ("pure", 5, "5", 1_000), ("zcdp", 1, "0.125", 1)],
    ),
)
def test_choices_follow_their_law_and_none_a_tenth_sharper_or_blunter(
    measure: Measure, sensitivity: int, price: str, factor: int
) -> None:
    """At a scale of twice the sensitivity over ε, and over √(8ρ): two scores here."""
    mechanism = additive("noisy_max", measure, factor * sensitivity, price)
    assert mechanism.scale == pytest.approx(2 * factor, rel=1e-12)
    found = chosen(mechanism, factor * SCORES)
    assert likely(found, expected(measure, 2))
    assert not likely(found, expected(measure, 2 * 0.9))
    assert not likely(found, expected(measure, 2 * 1.1))


@pytest.mark.long
def test_each_measure_has_a_law_of_its_own() -> None:
    """Permute-and-flip is the sharper of the two at equal scales, most so between two places."""
    noise, scores = OpendpNoise(), np.array([0, -2])
    for measure, other, price in (("pure", "zcdp", "1"), ("zcdp", "pure", "0.125")):
        mechanism = additive("noisy_max", measure, 1, price)
        found = np.bincount([noise.top(scores, mechanism) for _ in range(4_000)], minlength=2)
        assert likely(found, DISTRIBUTIONS[measure](scores.tolist(), 2) * 4_000)
        assert not likely(found, DISTRIBUTIONS[other](scores.tolist(), 2) * 4_000)


# Independence


def by_value(cells: int, measure: Measure = "pure") -> Plan:
    columns = Number(name="k", low=1, high=cells), Number(name="v", low=0, high=1)
    return plan(query(group_by=(Key(column="k"),)), register(*columns, measure=measure))


def noise_of(planned: Plan) -> list[np.ndarray]:
    """The noise of every released vector of an empty register."""
    cells = {
        subset: math.prod(planned.layout.sizes[axis] for axis in subset)
        for subset, _ in planned.exact_requests
    }
    exact = {
        (subset, need): np.zeros(cells[subset] * need.size, dtype=np.int64)
        for subset, need in planned.exact_requests
    }
    return [row for part in release(planned, exact, OpendpNoise()) for row in part]


@pytest.mark.parametrize("measure", ["pure", "zcdp"])
def test_cells_of_one_answer_get_independent_noise(measure: Measure) -> None:
    (noise,) = noise_of(by_value(40_000, measure))
    for apart in (1, 2, ONE_THREAD, 20_000):
        assert not correlated(noise[:-apart], noise[apart:])


def test_threads_do_not_share_their_noise() -> None:
    parts = np.split(noise_of(by_value(40_000))[0], 4)
    assert all(np.mean(left == right) < 0.4 for left, right in pairwise(parts))


@pytest.mark.parametrize(
    "select",
    [
        (count("a"), count("b")),
        (Statistic(name="m", agg="mean", column="v"),),
        (Statistic(name="s", agg="variance", column="v"),),
        (Statistic(name="q", agg="quantile", column="v", q=(0, 1)),),
    ],
    ids=["two statistics", "sums of a mean", "sums of a variance", "quantiles"],
)
def test_vectors_of_one_answer_get_independent_noise(select: tuple[Statistic, ...]) -> None:
    schema = register(Number(name="n", low=1, high=10_000), Number(name="v", low=0, high=1))
    rows = noise_of(plan(query(*select, group_by=(Key(column="n"),)), schema))
    assert len(rows) > 1
    for left, right in combinations(rows, 2):
        assert not correlated(left, right)


def test_tables_of_one_answer_get_independent_noise() -> None:
    schema = register(Number(name="k", low=1, high=200), Number(name="v", low=1, high=200))
    rows = noise_of(plan(query(group_by=(Key(column="k"), Key(column="v")), totals=True), schema))
    one, other, fine = sorted(rows, key=len)[-3:]
    assert (len(one), len(other), len(fine)) == (200, 200, 40_000)
    assert not correlated(one, other)
    for part in (fine[:200], fine[::200], *(fine.reshape(200, 200).sum(axis=axis) for axis in (0, 1))):
        assert not correlated(one, part)
        assert not correlated(other, part)


def test_choices_of_different_cells_are_independent() -> None:
    """In empty cells every value is as likely as any other."""
    schema = register(Number(name="k", low=1, high=4_000), Number(name="v", low=0, high=19))
    median = Statistic(name="m", agg="median", column="v")
    (places,) = noise_of(plan(query(median, group_by=(Key(column="k"),)), schema))
    assert likely(np.bincount(places, minlength=20), np.full(20, 200.0))
    for apart in (1, 2, 2_000):
        assert not correlated(places[:-apart], places[apart:])


def test_repeated_answers_get_independent_noise() -> None:
    assert not correlated(noise_of(by_value(10_000))[0], noise_of(by_value(10_000))[0])


@pytest.mark.parametrize(
    "planted",
    [
        lambda noise, other: noise,
        lambda noise, other: -noise,
        lambda noise, other: np.where(np.arange(len(noise)) % 4, other, noise),
    ],
    ids=["copied", "mirrored", "a quarter copied"],
)
def test_the_test_of_independence_sees_planted_faults(planted) -> None:
    noise, other = np.split(draws(TEN, 20_000), 2)
    assert not correlated(noise, other)
    assert correlated(noise, planted(noise, other))
