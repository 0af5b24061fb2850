"""Bounds of shares and variances made from noisy sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.bounds import share_of, variance_of
from privacy.distributions import NoiseDistribution

SMALL = settings(deadline=None, derandomize=True, max_examples=40)
SUMS = st.lists(st.integers(-50, 5_000), min_size=1, max_size=10)
DISTRIBUTIONS = st.builds(
    NoiseDistribution, st.sampled_from(("laplace", "gaussian", "mixed")), st.floats(0.5, 200)
)


def ratio_bounds(
    above: np.ndarray, below: np.ndarray, distribution: NoiseDistribution
) -> tuple[np.ndarray, np.ndarray]:
    return share_of(above, below, distribution, 0.95, classes=2)[1:]


@SMALL
@given(SUMS, DISTRIBUTIONS)
def test_ratio_bounds_stay_inside_0_and_1_and_hold_the_ratio(
    sums: list[int], distribution: NoiseDistribution
) -> None:
    above, below = np.array(sums), np.array(sums[::-1])
    ratio, lows, highs = share_of(above, below, distribution, 0.95, classes=2)
    assert ((lows >= 0) & (lows <= highs) & (highs <= 1)).all()
    assert ((lows <= ratio + 1e-9) & (ratio - 1e-9 <= highs)).all()
    known = above + below > 4 * distribution.deviation + 2
    total = np.maximum(above + below, 1)
    assert np.allclose(ratio[known], np.clip(above / total, 0, 1)[known])


@SMALL
@given(SUMS, DISTRIBUTIONS)
def test_ratio_bounds_of_the_complement_are_mirrored(
    sums: list[int], distribution: NoiseDistribution
) -> None:
    above, below = np.array(sums), np.array(sums[::-1])
    lows, highs = ratio_bounds(above, below, distribution)
    other_lows, other_highs = ratio_bounds(below, above, distribution)
    assert np.allclose(lows, 1 - other_highs, atol=1e-6)
    assert np.allclose(highs, 1 - other_lows, atol=1e-6)


def test_where_noise_hides_the_total_a_ratio_may_be_anything() -> None:
    lows, highs = ratio_bounds(np.array([3, -4]), np.array([1, 2]), NoiseDistribution("laplace", 50.0))
    assert (lows.tolist(), highs.tolist()) == ([0, 0], [1, 1])


def test_ratio_bounds_tighten_as_cells_grow() -> None:
    sizes = np.array([100, 1_000, 10_000, 100_000])
    lows, highs = ratio_bounds(sizes, sizes, NoiseDistribution("laplace", 5.0))
    widths = highs - lows
    assert (np.diff(widths) < 0).all()
    assert widths[-1] < 0.001


@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.4, 1.0])
@pytest.mark.parametrize("total", [30, 300, 30_000])
def test_ratio_bounds_hold_the_exact_ratio_as_often_as_promised(kind, classes, share, total) -> None:
    dice, distribution = np.random.default_rng(7), NoiseDistribution(kind, 4.0)
    draws = dice.laplace(0, 4, (3, 4_000)) if kind == "laplace" else dice.normal(0, 4, (3, 4_000))
    above, below = round(share * total), total - round(share * total)
    noise = draws[:2] if classes == 2 else np.array([draws[0] + draws[1], draws[1] + draws[2]])
    _, lows, highs = share_of(above + noise[0], below + noise[1], distribution, 0.95, classes=classes)
    held = ((lows <= above / total) & (above / total <= highs)).mean()
    assert held >= 0.937  # four deviations of 4,000 trials below 0.95


def bernstein(shares: np.ndarray) -> np.ndarray:
    """The three sums of values in [0, 1], and so their exact variance."""
    return np.array([((1 - shares) ** 2).sum(), (2 * shares * (1 - shares)).sum(), (shares**2).sum()])


@SMALL
@given(st.lists(st.floats(0, 1), min_size=30, max_size=200))
def test_without_noise_a_variance_is_that_of_the_values(values: list[float]) -> None:
    shares = np.array(values)
    value, low, high = variance_of(bernstein(shares)[:, None], NoiseDistribution("laplace", 1e-3), 0.95)
    assert value[0] == pytest.approx(shares.var(), abs=1e-9)
    assert low[0] <= value[0] + 1e-12
    assert value[0] - 1e-12 <= high[0]


@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
@pytest.mark.parametrize(
    "values", [[0.0, 1.0], [0.0], [1.0], [0.5], [0.1, 0.2, 0.9], [0.0, 0.0, 0.0, 1.0]], ids=str
)
@pytest.mark.parametrize("total", [60, 600, 60_000])
def test_bounds_of_a_variance_hold_it_as_often_as_promised(kind, values: list[float], total: int) -> None:
    dice = np.random.default_rng(11)
    noise = dice.laplace(0, 2, (3, 4_000)) if kind == "laplace" else dice.normal(0, 2, (3, 4_000))
    shares = np.array(values * (total // len(values)))
    _, lows, highs = variance_of(bernstein(shares)[:, None] + noise, NoiseDistribution(kind, 2.0), 0.95)
    assert ((lows <= shares.var() + 1e-12) & (shares.var() - 1e-12 <= highs)).mean() >= 0.937


@SMALL
@given(st.lists(st.tuples(*[st.integers(-50, 5_000)] * 3), min_size=1, max_size=10), DISTRIBUTIONS)
def test_a_variance_and_its_bounds_stay_between_0_and_a_quarter(
    sums, distribution: NoiseDistribution
) -> None:
    value, low, high = variance_of(np.array(sums, dtype=float).T, distribution, 0.95)
    assert ((value >= 0) & (value <= 0.25) & (low >= 0) & (low <= high) & (high <= 0.25)).all()


def test_where_noise_hides_the_total_a_variance_may_be_anything() -> None:
    _, low, high = variance_of(np.array([[3.0], [-4.0], [2.0]]), NoiseDistribution("laplace", 50.0), 0.95)
    assert (low.tolist(), high.tolist()) == ([0.0], [0.25])


def test_bounds_of_a_variance_tighten_as_cells_grow() -> None:
    sizes = np.array([100.0, 1_000, 10_000, 100_000])
    _, low, high = variance_of(np.array([sizes, sizes, sizes]), NoiseDistribution("laplace", 2.0), 0.95)
    assert (np.diff(high - low) < 0).all()
    assert high[-1] - low[-1] < 0.001
