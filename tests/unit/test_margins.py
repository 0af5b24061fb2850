"""Margins: the closed forms against matrices written out in full, and strategies against simpler ones."""

import math
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.distributions import Floats
from privacy.margins import FittedMargin, Grid, fit, reflect
from privacy.strategy import Power, best_strategy

SMALL = settings(deadline=None, derandomize=True, max_examples=25)
ADULT = (2, 5, 7, 16, 41, 7, 14, 2, 74)
PAIRS = list(combinations(range(9), 2))[:20]
MIXED: list[Grid] = [(0,), (3,), (8,), (0, 1), (1, 3), (2, 3), (5, 6), (0, 8), (7, 8), (0, 1, 2), (0, 1, 8)]
SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


def summing(sizes: tuple[int, ...], grid: Grid) -> Floats:
    """The matrix that takes a full table, in C order, to its margin."""
    rows = {cell: place for place, cell in enumerate(product(*(range(sizes[axis]) for axis in grid)))}
    matrix = np.zeros((len(rows), math.prod(sizes)))
    for column, cell in enumerate(product(*map(range, sizes))):
        matrix[rows[tuple(cell[axis] for axis in grid)], column] = 1
    return matrix


def margin(table: Floats, grid: Grid) -> Floats:
    """A margin of a full table, flat."""
    found: Floats = table.sum(axis=tuple(axis for axis in range(table.ndim) if axis not in grid)).ravel()
    return found


def covariance(
    sizes: tuple[int, ...], grids: tuple[Grid, ...], variances: list[float], grid: Grid
) -> tuple[Floats, Floats]:
    """The least-squares estimator of a margin and its covariance, from matrices written out in full."""
    measured = np.vstack([summing(sizes, one) for one in grids])
    noise = np.concatenate(
        [
            np.full(math.prod(sizes[axis] for axis in one), variance)
            for one, variance in zip(grids, variances, strict=True)
        ]
    )
    estimator = summing(sizes, grid) @ np.linalg.pinv(measured / np.sqrt(noise)[:, None]) / np.sqrt(noise)
    return estimator, estimator * noise @ estimator.T


@st.composite
def questions(draw: st.DrawFn) -> tuple[tuple[int, ...], list[Grid]]:
    """Sizes, some of them 1, and one to four wanted grids."""
    sizes = draw(SIZES)
    grids = [grid for count in range(len(sizes) + 1) for grid in combinations(range(len(sizes)), count)]
    return sizes, draw(st.lists(st.sampled_from(grids), min_size=1, max_size=4))


POWERS: tuple[Power, ...] = (1, 2)


@SMALL
@given(questions(), st.sampled_from(POWERS), st.integers(1, 3))
def test_the_predicted_error_is_that_of_least_squares_written_out(
    question: tuple[tuple[int, ...], list[Grid]], power: Power, weight: int
) -> None:
    sizes, wanted = question
    weights = [weight, *[1] * (len(wanted) - 1)]
    made = best_strategy(sizes, wanted, power=power, cells_max=1_000, weights=weights)
    variances = [1 / float(share) ** power for share in made.shares]
    traces = [float(np.trace(covariance(sizes, made.grids, variances, grid)[1])) for grid in wanted]
    assert made.error == pytest.approx(sum(w * trace for w, trace in zip(weights, traces, strict=True)))


@SMALL
@given(questions(), st.integers(0, 2**32 - 1))
def test_fit_is_weighted_least_squares_and_knows_its_variance(
    question: tuple[tuple[int, ...], list[Grid]], seed: int
) -> None:
    sizes, wanted = question
    draw = np.random.default_rng(seed)
    grids = (*wanted, tuple(range(len(sizes))))
    variances = draw.uniform(0.5, 20, len(grids)).tolist()
    noisy = [draw.normal(0, 9, math.prod(sizes[axis] for axis in grid)) for grid in grids]
    for grid, found in zip(wanted, fit(sizes, grids, noisy, variances, wanted), strict=True):
        estimator, spread = covariance(sizes, grids, variances, grid)
        np.testing.assert_allclose(found.values, estimator @ np.concatenate(noisy), atol=1e-9)
        np.testing.assert_allclose(np.diag(spread), found.variance)


def test_fit_agrees_with_numpy_least_squares() -> None:
    sizes, grids, draw = (3, 2, 4), [(0, 1), (1, 2), (0, 1, 2)], np.random.default_rng(5)
    noisy = [draw.normal(0, 9, summing(sizes, grid).shape[0]) for grid in grids]
    roots = np.repeat([1.0, 0.5, 2.0], [len(values) for values in noisy])
    measured = np.vstack([summing(sizes, grid) for grid in grids])
    table = np.linalg.lstsq(measured * roots[:, None], np.concatenate(noisy) * roots)[0].reshape(sizes)
    found = fit(sizes, grids, noisy, [1.0, 4.0, 0.25], [(0,), (1, 2), (0, 1, 2)])
    for grid, fitted in zip([(0,), (1, 2), (0, 1, 2)], found, strict=True):
        np.testing.assert_allclose(fitted.values, margin(table, grid), atol=1e-9)


def measured(sizes: tuple[int, ...], grids: list[Grid], seed: int, high: int) -> list[Floats]:
    """Independent whole numbers for each grid: noisy margins that do not add up."""
    draw = np.random.default_rng(seed)
    return [draw.integers(-high, high, math.prod(sizes[axis] for axis in grid)) for grid in grids]


def test_fitted_margins_add_up() -> None:
    sizes, grids = (5, 4, 1, 3), [(0, 1), (1, 3), (0, 2, 3), (1,)]
    noisy = measured(sizes, grids, seed=1, high=10**6)
    pair, one, other, total = fit(sizes, grids, noisy, [1, 2, 3, 4], [(0, 1), (0,), (1, 2), ()])
    table = pair.values.reshape(5, 4)
    for values, sums in ((one.values, table.sum(axis=1)), (other.values, table.sum(axis=0))):
        np.testing.assert_allclose(values, sums, rtol=1e-9, atol=1e-6)
    assert total.values == pytest.approx(table.sum(), rel=1e-9, abs=1e-6)


def test_fit_returns_exact_margins_as_they_are() -> None:
    table = np.random.default_rng(2).integers(0, 1_000, (6, 1, 5, 3)).astype(float)
    grids = [(0, 2), (2, 3), (0, 1, 3), (3,)]
    wanted = [(0,), (0, 2), (1, 2), (2, 3), (), (3,)]
    for grid, found in zip(
        wanted, fit(table.shape, grids, [margin(table, g) for g in grids], [1, 5, 2, 9], wanted), strict=True
    ):
        np.testing.assert_allclose(found.values, margin(table, grid), rtol=1e-12)


def test_fitting_several_vectors_at_once_is_fitting_each() -> None:
    sizes, grids, wanted = (4, 3, 2), [(0, 1), (1, 2)], [(1,), (1, 2)]
    each = [measured(sizes, grids, seed=seed, high=100) for seed in range(3)]
    together = fit(sizes, grids, [np.stack(rows) for rows in zip(*each, strict=True)], [1, 2], wanted)
    for row, noisy in enumerate(each):
        for one, all_of_them in zip(fit(sizes, grids, noisy, [1, 2], wanted), together, strict=True):
            np.testing.assert_allclose(all_of_them.values[row], one.values)
            assert all_of_them.variance == one.variance


def test_numbers_near_the_end_of_int64_lose_a_few_last_bits_only() -> None:
    sizes, draw = (20, 30), np.random.default_rng(3)
    table = draw.integers(0, 2**53, sizes) * 2
    table[0, 0] = 2**62
    for found, exact in zip(
        fit(sizes, [(0, 1), (0,)], [table.ravel(), table.sum(axis=1)], [1, 1], [(0, 1), (0,)]),
        (table.ravel(), table.sum(axis=1)),
        strict=True,
    ):
        off = [abs(int(value) - int(true)) for value, true in zip(found.values, exact, strict=True)]
        assert max(off) <= 16 * 2 ** (62 - 53)


def test_a_margin_that_nothing_determines_is_refused() -> None:
    with pytest.raises(ValueError, match="do not determine"):
        fit((2, 3), [(0,), (1,)], [np.zeros(2), np.zeros(3)], [1, 1], [(0, 1)])


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("wanted", [PAIRS, MIXED, [(0, 1)], [()], [(0, 1, 2), (0, 1), (0,), ()]])
def test_a_strategy_is_never_worse_than_the_simple_ones(wanted: list[Grid], power: Power) -> None:
    made = best_strategy(ADULT, wanted, power=power, cells_max=100_000)
    others = (made.error_alone, made.error_alone_best, made.error_common or math.inf)
    assert made.error <= min(others) * (1 + 1e-6)


@SMALL
@given(questions(), st.sampled_from(POWERS))
def test_small_strategies_are_never_worse_either_and_keep_within_their_cells(
    question: tuple[tuple[int, ...], list[Grid]], power: Power
) -> None:
    sizes, wanted = question
    cells_max = sum(math.prod(sizes[axis] for axis in grid) for grid in wanted)
    made = best_strategy(sizes, wanted, power=power, cells_max=cells_max)
    others = (made.error_alone, made.error_alone_best, made.error_common or math.inf)
    assert made.error <= min(others) * (1 + 1e-6)
    assert sum(math.prod(sizes[axis] for axis in grid) for grid in made.grids) <= cells_max


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("wanted", [PAIRS, MIXED, [(0,), (1,), (7,)]])
def test_shares_are_short_fractions_that_add_up_to_exactly_one(wanted: list[Grid], power: Power) -> None:
    made = best_strategy(ADULT, wanted, power=power, cells_max=100_000)
    assert sum(made.shares) == 1
    assert min(made.shares) >= Fraction(1, 1_000)
    assert max(share.denominator for share in made.shares) <= 10**6


def test_under_pure_epsilon_twenty_pairs_cost_less_than_half_of_pairs_apart() -> None:
    made = best_strategy(ADULT, PAIRS, power=2, cells_max=100_000)
    assert made.error_alone / made.error > 2.5
    assert made.error_alone_best / made.error > 1.6


def test_a_strategy_under_zcdp_is_the_best_there_is() -> None:
    """The error is convex in the shares, so it is at least its tangent plane: error · 2 - steepest slope."""
    sizes, wanted = (2, 3, 4), [(0, 1), (1, 2), (0, 2), (1,)]
    made = best_strategy(sizes, wanted, power=1, cells_max=1_000)
    grids = [grid for count in range(4) for grid in combinations(range(3), count)]
    shares = {grid: float(share) for grid, share in zip(made.grids, made.shares, strict=True)}
    slopes = []
    for grid in grids:
        mixed = {one: (1 - 1e-6) * shares.get(one, 0.0) + 1e-6 * (one == grid) for one in grids}
        used = tuple(one for one in grids if mixed[one] > 0)
        variances = [1 / mixed[one] for one in used]
        traces = [np.trace(covariance(sizes, used, variances, one)[1]) for one in wanted]
        slopes.append((made.error - float(sum(traces))) / 1e-6)
    assert max(slopes) <= 0.002 * made.error


def test_one_table_alone_takes_the_whole_price() -> None:
    made = best_strategy(ADULT, [(1, 3)], power=2, cells_max=100_000)
    assert (made.grids, made.shares) == (((1, 3),), (Fraction(1),))
    simple = (made.error_alone, made.error_alone_best, made.error_common)
    assert simple == pytest.approx((80, 80, 80))
    assert made.error == pytest.approx(80)


def test_a_table_of_more_weight_gets_more_of_the_price() -> None:
    light, heavy = (
        best_strategy((50, 60), [(0,), (1,)], power=2, cells_max=200, weights=[weight, 1]).shares[0]
        for weight in (1, 50)
    )
    assert heavy > light


def test_axes_of_one_value_change_nothing() -> None:
    plain = best_strategy((3, 4), [(0,), (0, 1)], power=2, cells_max=100)
    padded = best_strategy((3, 1, 4), [(0, 1), (0, 2)], power=2, cells_max=100)
    assert (plain.shares, plain.error) == (padded.shares, padded.error)
    assert set(padded.grids) <= {(0, 1), (0, 2)}


def test_the_same_question_gets_the_same_strategy() -> None:
    first, second = (best_strategy(ADULT, MIXED, power=2, cells_max=100_000) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("wanted", "weights"),
    [([], None), ([(1, 0)], None), ([(0, 9)], None), ([(0, 1)], [0]), ([(0, 1, 2)], None)],
)
def test_what_does_not_fit_is_refused(wanted: list[Grid], weights: list[float] | None) -> None:
    with pytest.raises(ValueError, match=r"grid|table|weight"):
        best_strategy((10, 10, 10), wanted, power=2, cells_max=999, weights=weights)


def test_reflecting_twice_changes_nothing_and_keeps_lengths() -> None:
    tables = np.random.default_rng(4).normal(size=(2, 3, 1, 5, 2))
    np.testing.assert_allclose(reflect(reflect(tables)), tables, atol=1e-12)
    assert np.linalg.norm(reflect(tables)) == pytest.approx(np.linalg.norm(tables))
    assert np.abs(reflect(np.ones((1, 3, 4)))[0].ravel()[1:]).max() < 1e-12


def test_fitted_margins_of_one_grid_are_its_sums() -> None:
    values = np.arange(6)
    found = fit((2, 3), [(0, 1)], [values], [2.0], [(0, 1), (1,), ()])
    exact = [(values, 2.0), (np.array([3, 5, 7]), 4.0), (np.array([15]), 12.0)]
    for one, (expected, variance) in zip(found, exact, strict=True):
        assert isinstance(one, FittedMargin)
        np.testing.assert_allclose(one.values, expected, atol=1e-12)
        assert one.variance == pytest.approx(variance)
