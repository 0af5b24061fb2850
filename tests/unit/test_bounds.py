"""Bounds of shares and variances made from noisy sums."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lanes import first, only

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


# Cells of a few rows


FEW = {
    "all low": lambda rows: np.zeros(rows),
    "all in the middle": lambda rows: np.full(rows, 0.5),
    "half and half": lambda rows: np.arange(rows) % 2 * 1.0,
    "spread": lambda rows: np.linspace(0, 1, rows),
    "one in twenty high": lambda rows: (np.arange(rows) % 20 == 0) * 1.0,
}
SPAN_SQUARED = 10_000


def noise_of(kind: str, scale: float, draws: int, runs: int) -> np.ndarray:
    dice = np.random.default_rng(23)
    return (
        dice.laplace(0, scale, (draws, runs)) if kind == "laplace" else dice.normal(0, scale, (draws, runs))
    )


def small_variances(
    kind: str, scale: float, rows: int, crowd: str, runs: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """The exact variance of a few values on a span of 100 steps, and bounds of many noisy answers."""
    values = FEW[crowd](rows)
    noisy = SPAN_SQUARED * (bernstein(values)[:, None] + noise_of(kind, scale, 3, runs))
    _, lows, highs = variance_of(noisy, NoiseDistribution(kind, SPAN_SQUARED * scale), 0.95)
    return values.var(), lows, highs


@pytest.mark.parametrize("crowd", FEW)
@pytest.mark.parametrize("rows", only([5, 20], [1, 5, 10, 20, 40, 100]))
@pytest.mark.parametrize(("kind", "scale"), first(1, [("laplace", 1.0), ("laplace", 6.0), ("gaussian", 2.0)]))
def test_bounds_of_a_variance_hold_it_in_cells_of_a_few_rows(
    kind: str, scale: float, rows: int, crowd: str
) -> None:
    exact, lows, highs = small_variances(kind, scale, rows, crowd, 1_500)
    # Six deviations of 1,500 trials below 0.95.
    assert ((lows <= exact + 1e-12) & (exact - 1e-12 <= highs)).mean() >= 0.916


@pytest.mark.parametrize(
    ("crowd", "rows", "most"),
    [("half and half", 10, 0.19), ("half and half", 20, 0.09), ("all low", 20, 0.16), ("spread", 40, 0.10)],
)
def test_a_variance_of_a_few_rows_is_known_to_a_part_of_its_range(crowd: str, rows: int, most: float) -> None:
    """At one ε; 0.25, 0.23, 0.25 and 0.21 where mean and variance were bounded one after the other."""
    _, lows, highs = small_variances("laplace", 1.0, rows, crowd, 500)
    assert (highs - lows).mean() < most


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("rows", only([2, 10], [1, 2, 5, 10, 20]))
@pytest.mark.parametrize(("kind", "scale"), first(1, [("laplace", 0.5), ("laplace", 4.0), ("gaussian", 1.0)]))
@pytest.mark.parametrize("classes", [2, 3])
def test_bounds_of_a_share_hold_it_in_cells_of_a_few_rows(
    classes: int, kind: str, scale: float, rows: int, share: float
) -> None:
    above = round(share * rows)
    draws = np.rint(noise_of(kind, scale, 3, 3_000))
    noise = draws[:2] if classes == 2 else np.array([draws[0] + draws[1], draws[1] + draws[2]])
    distribution = NoiseDistribution(kind, scale)
    _, lows, highs = share_of(above + noise[0], rows - above + noise[1], distribution, 0.95, classes=classes)
    # Six deviations of 3,000 trials below 0.95.
    assert ((lows <= above / rows) & (above / rows <= highs)).mean() >= 0.926


@pytest.mark.parametrize(
    ("share", "rows", "most"), [(0.0, 5, 0.6), (0.2, 10, 0.48), (0.5, 10, 0.65), (1.0, 10, 0.31)]
)
def test_a_share_of_a_few_rows_is_known_to_a_part_of_its_range(share: float, rows: int, most: float) -> None:
    """At one ε; 0.89, 0.52, 0.71 and 0.34 where nothing was said of totals within four scales."""
    above, noise = round(share * rows), np.rint(noise_of("laplace", 1.0, 2, 1_000))
    _, lows, highs = share_of(
        above + noise[0], rows - above + noise[1], NoiseDistribution("laplace", 1.0), 0.95, classes=2
    )
    assert (highs - lows).mean() < most


def test_whole_laplace_noise_is_more_peaked_than_continuous_noise_rounded() -> None:
    """Why half a unit a weight is enough for whole noise."""
    whole = np.arange(-600, 601)
    for scale in (0.05, 0.1, 0.3, 0.5, 0.8, 1.0, 2.0, 5.0, 30.0):
        mass = np.exp(-np.abs(whole) / scale)
        for least in range(1, 60):
            tail = float(mass[np.abs(whole) >= least].sum() / mass.sum())
            assert tail <= math.exp(-(least - 0.5) / scale) * (1 + 1e-9) + 1e-14


@pytest.mark.parametrize("total", [-30.0, -1.0, 0.0, 2.0, 9.0, 40.0])
def test_what_is_told_lies_inside_its_bounds_however_far_noise_carried_the_sums(total: float) -> None:
    distribution = NoiseDistribution("laplace", 2.0)
    some = np.linspace(-60, 60, 121)
    value, low, high = share_of(some, total - some, distribution, 0.95, classes=2)
    assert (low <= value).all()
    assert (value <= high).all()
    sums = np.stack(np.meshgrid(some[::6], some[::6], some[::6])).reshape(3, -1)
    value, low, high = variance_of(sums, distribution, 0.95)
    assert (low <= value).all()
    assert (value <= high).all()
