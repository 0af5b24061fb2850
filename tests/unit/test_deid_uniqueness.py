"""Population uniqueness: every estimator on populations of its own law, and all on others, against the truth.

Bounds were set from what these seeds gave, with room: they pin the estimators, they promise nothing about towns.
"""

import math
from collections import Counter

import numpy as np
import pytest
from scipy.optimize import minimize

from privacy.deidentify import uniqueness as un
from privacy.deidentify.errors import BadModel
from privacy.deidentify.models import PopulationUniqueness, UniquenessEstimator

POPULATION = 50_000
FRACTIONS = [0.01, 0.05, 0.2]
OWN = {
    UniquenessEstimator.PITMAN: un.pitman,
    UniquenessEstimator.ZAYATZ: un.zayatz,
    UniquenessEstimator.SNB: un.snb,
}


def drawn(people: np.ndarray, fraction: float, seed: int = 0) -> tuple[np.ndarray, int]:
    """Class sizes of a sample of a population (each person's class), and the true number of uniques."""
    draws = np.random.default_rng(seed)
    sample = draws.choice(len(people), round(fraction * len(people)), replace=False)
    sizes = np.bincount(people[sample])
    return sizes[sizes > 0], int((np.bincount(people) == 1).sum())


def chinese_restaurant(theta: float, alpha: float) -> np.ndarray:
    """A population of the Ewens-Pitman law, by Pitman's prediction rule told as one draw a person.

    The next person opens a class with probability (θ + α u) / (θ + i), joins class j as its size - α.
    """
    draws = np.random.default_rng(3)
    people, opened = np.empty(POPULATION, dtype=np.int64), 0
    owner: list[int] = []
    for i in range(POPULATION):
        at = draws.random() * (theta + i)
        earlier = int(people[int(at)]) if at < i else -1
        if earlier < 0 or (owner[earlier] == int(at) and draws.random() < alpha):
            people[i] = opened
            owner.append(i)
            opened += 1
        else:
            people[i] = earlier
    return people


def slide_negative_binomial(alpha: float, beta: float) -> np.ndarray:
    sizes = 1 + np.random.default_rng(4).negative_binomial(alpha, beta, 20_000)
    people = np.repeat(np.arange(len(sizes)), sizes)
    return people


def zeta(exponent: float, classes: int) -> np.ndarray:
    weights = 1 / np.arange(1, classes + 1) ** exponent
    return np.random.default_rng(5).choice(classes, POPULATION, p=weights / weights.sum())


def lognormal() -> np.ndarray:
    weights = np.random.default_rng(6).lognormal(0, 2, 10_000)
    return np.random.default_rng(7).choice(10_000, POPULATION, p=weights / weights.sum())


def estimate(sizes: np.ndarray, population: int, estimator: UniquenessEstimator) -> float:
    found = un.estimate(sizes, population=population, estimator=estimator)
    assert found.estimator is estimator
    assert found.note == ""
    return found.uniques


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize(("theta", "alpha"), [(20.0, 0.6), (500.0, 0.3), (5.0, 0.85)])
def test_pitman_finds_the_uniques_of_an_ewens_pitman_population(
    theta: float, alpha: float, fraction: float
) -> None:
    people = chinese_restaurant(theta, alpha)
    samples = [drawn(people, fraction, seed) for seed in range(5)]
    middle = np.median([estimate(sizes, POPULATION, UniquenessEstimator.PITMAN) for sizes, _ in samples])
    assert middle == pytest.approx(samples[0][1], rel={0.01: 0.6, 0.05: 0.15, 0.2: 0.1}[fraction])


@pytest.mark.parametrize("fraction", [0.2, 0.3, 0.5])
def test_snb_finds_the_uniques_of_a_slide_negative_binomial_population(fraction: float) -> None:
    people = slide_negative_binomial(0.5, 0.1)
    sizes, truth = drawn(people, fraction)
    assert estimate(sizes, len(people), UniquenessEstimator.SNB) == pytest.approx(truth, rel=0.15)


@pytest.mark.parametrize("fraction", [0.01, 0.05])
def test_snb_tells_far_too_many_from_a_small_sample_so_the_rule_does_not_use_it_there(
    fraction: float,
) -> None:
    people = slide_negative_binomial(0.5, 0.1)
    sizes, truth = drawn(people, fraction)
    by_snb = estimate(sizes, len(people), UniquenessEstimator.SNB)
    assert by_snb > 3 * truth
    assert un.estimate(sizes, population=len(people)).uniques < by_snb / 2


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize(
    "people", [zeta(1.2, 30_000), zeta(1.6, 200_000), lognormal()], ids=["zeta", "steep", "log"]
)
def test_dankars_choice_lies_within_a_bound_of_the_truth(people: np.ndarray, fraction: float) -> None:
    sizes, truth = drawn(people, fraction)
    found = un.estimate(sizes, population=POPULATION)
    assert 0.5 * truth < found.uniques < {0.01: 6, 0.05: 3, 0.2: 2}[fraction] * truth


def test_the_estimators_differ_and_the_sample_itself_says_far_too_much() -> None:
    sizes, truth = drawn(lognormal(), 0.2)
    found = {name: estimate(sizes, POPULATION, name) for name in OWN}
    assert len({round(uniques) for uniques in found.values()}) == 3
    assert (sizes == 1).sum() / 0.2 > 1.5 * max(found.values()) > truth


def test_pitmans_law_is_the_likeliest_by_an_optimiser_that_knows_no_derivatives() -> None:
    sizes, _ = drawn(chinese_restaurant(20.0, 0.6), 0.05)
    counted = Counter(sizes.tolist())
    persons, classes = int(sizes.sum()), len(sizes)

    def loss(point: np.ndarray) -> float:
        theta, alpha = math.exp(point[0]), 1 / (1 + math.exp(-point[1]))
        found = sum(math.log(theta + i * alpha) for i in range(1, classes))
        found += math.lgamma(theta + 1) - math.lgamma(theta + persons)
        found += sum(s * (math.lgamma(j - alpha) - math.lgamma(1 - alpha)) for j, s in counted.items())
        return -found

    best = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9}).x
    theta, alpha = math.exp(best[0]), 1 / (1 + math.exp(-best[1]))
    logs = [math.lgamma(theta + 1), -math.lgamma(theta + alpha), math.lgamma(theta + alpha + POPULATION - 1)]
    expected = POPULATION * math.exp(sum(logs) - math.lgamma(theta + POPULATION))
    assert estimate(sizes, POPULATION, UniquenessEstimator.PITMAN) == pytest.approx(expected, rel=1e-4)


def test_long_sums_are_integrals_to_nine_digits() -> None:
    places, weights = un._terms(1_000_000.0)
    exact = np.arange(1, 1_000_001, dtype=np.float64)
    for theta, alpha in [(0.5, 0.9), (300.0, 0.2), (0.0, 0.01)]:
        assert weights @ (1 / (theta + alpha * places)) == pytest.approx(
            (1 / (theta + alpha * exact)).sum(), rel=1e-9
        )


def test_the_sum_within_classes_is_that_of_its_terms() -> None:
    sizes = np.array([1, 3, 3, 5_000, 70_000])
    within = un._PitmanLikelihood(un.ClassSizeSample.of(sizes, 10**6))._within(0.4)
    assert within == pytest.approx(sum((1 / (np.arange(1, size) - 0.4)).sum() for size in sizes), rel=1e-9)


def test_zayatz_by_hand_for_a_sample_of_two_classes() -> None:
    sizes, population = np.array([1, 2]), 6
    drawn_one = {j: j * math.comb(6 - j, 2) / math.comb(6, 3) for j in (1, 2)}
    probability = drawn_one[1] / (drawn_one[1] + drawn_one[2])
    assert estimate(sizes, population, UniquenessEstimator.ZAYATZ) == pytest.approx(probability * 2)


def test_snb_solves_its_two_equations() -> None:
    point, fraction = np.array([math.log(0.7), -1.5]), 0.3
    alpha, beta = 0.7, 1 / (1 + math.exp(1.5))
    sizes = np.arange(1, 400)
    law = np.exp([math.lgamma(alpha + j - 1) - math.lgamma(alpha) - math.lgamma(j) for j in sizes])
    law = law * beta**alpha * (1 - beta) ** (sizes - 1)
    assert law.sum() == pytest.approx(1)
    one = (law * sizes * fraction * (1 - fraction) ** (sizes - 1)).sum()
    two = (law * sizes * (sizes - 1) / 2 * fraction**2 * (1 - fraction) ** (sizes - 2.0)).sum()
    assert np.exp(un._snb_logs(point, fraction)) == pytest.approx([one, two])


def test_without_sample_uniques_there_are_no_population_uniques() -> None:
    for estimator in UniquenessEstimator:
        assert un.estimate(np.array([2, 3]), population=100, estimator=estimator).uniques == 0


def test_a_sample_that_is_the_population_has_its_own_uniques() -> None:
    assert un.estimate(np.array([1, 1, 3]), population=5).share == 0.4


def test_an_empty_table_has_no_uniques() -> None:
    assert un.estimate(np.array([], dtype=np.int64), population=5).share == 0


def test_dankars_rule_takes_pitman_up_to_a_tenth_and_then_the_lower_of_two() -> None:
    people = lognormal()
    assert un.estimate(drawn(people, 0.1)[0], population=POPULATION).estimator is UniquenessEstimator.PITMAN
    sizes, _ = drawn(people, 0.11)
    found = un.estimate(sizes, population=POPULATION)
    lower = min(
        estimate(sizes, POPULATION, one) for one in (UniquenessEstimator.ZAYATZ, UniquenessEstimator.SNB)
    )
    assert found.estimator in (UniquenessEstimator.ZAYATZ, UniquenessEstimator.SNB)
    assert found.uniques == lower


@pytest.mark.parametrize(
    "estimator", [UniquenessEstimator.PITMAN, UniquenessEstimator.DANKAR, UniquenessEstimator.SNB]
)
def test_an_estimator_without_a_solution_says_so_and_zayatz_stands_in(estimator: UniquenessEstimator) -> None:
    sizes = np.ones(50, dtype=np.int64)
    found = un.estimate(sizes, population=1_000, estimator=estimator)
    assert found.estimator is UniquenessEstimator.ZAYATZ
    assert "has no solution for these classes: zayatz instead" in found.note
    assert found.uniques == 1_000


def test_a_population_smaller_than_the_sample_is_refused() -> None:
    with pytest.raises(BadModel, match="a population of 4 is smaller than the 5 persons"):
        un.estimate(np.array([2, 3]), population=4)


def test_the_models_figure_is_the_share_of_the_population() -> None:
    sizes, _ = drawn(lognormal(), 0.05)
    model = PopulationUniqueness(0.1, POPULATION, UniquenessEstimator.ZAYATZ)
    assert (
        un.unique_share(model, sizes)
        == un.estimate(sizes, population=POPULATION, estimator=UniquenessEstimator.ZAYATZ).uniques
        / POPULATION
    )


def test_ten_million_persons_are_estimated_at_once() -> None:
    sizes = np.repeat(np.array([1, 2, 3, 10, 100_000]), [300_000, 100_000, 50_000, 10_000, 90])
    found = un.estimate(sizes, population=10**8)
    assert found.estimator is UniquenessEstimator.PITMAN
    assert 0 < found.uniques < 10**8
