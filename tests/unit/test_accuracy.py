"""Error bounds: against the distribution itself, summed up."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import dlaplace

from privacy.accuracy import half_width, price_of, ratio_bounds, ratio_half_width
from privacy.budget import Price
from privacy.noise import calibrate

SMALL = settings(deadline=None, derandomize=True, max_examples=40)
CONFIDENCES = st.sampled_from((0.5, 0.9, 0.95, 0.99, 0.999999))


def inside(scale: float, width: int) -> float:
    """P(|X| ≤ width), from the distribution function of scipy."""
    return 1 - 2 * float(dlaplace(1 / scale).cdf(-width - 1)) if width >= 0 else 0.0


@SMALL
@given(st.floats(0.05, 10_000), CONFIDENCES)
def test_half_width_is_the_least_that_holds_the_noise_often_enough(scale: float, confidence: float) -> None:
    width = half_width(scale, confidence)
    assert inside(scale, width) >= confidence - 1e-9
    assert inside(scale, width - 1) < confidence + 1e-9


@pytest.mark.parametrize("base", [2, 3, 5, 100])
@pytest.mark.parametrize(
    "confidence", [Fraction(1, 2), Fraction(3, 4), Fraction(19, 20), Fraction(999, 1000)]
)
def test_half_width_agrees_with_a_sum_of_exact_fractions(base: int, confidence: Fraction) -> None:
    alpha = 1 - Fraction(1, base)
    head = (1 - alpha) / (1 + alpha)
    width, held = 0, head
    while held < confidence:
        width += 1
        held += 2 * head * alpha**width
    assert half_width(-1 / math.log(alpha), float(confidence)) == width


@SMALL
@given(st.integers(1, 50), st.integers(0, 500), CONFIDENCES)
def test_the_price_of_a_half_width_is_the_least(sensitivity: int, within: int, confidence: float) -> None:
    most = Price.parse("20")
    price = price_of(sensitivity, within, confidence, most)
    if price is None:
        assert half_width(calibrate(sensitivity, most), confidence) > within
    else:
        assert half_width(calibrate(sensitivity, price), confidence) <= within
        assert (
            price.nano == 1 or half_width(calibrate(sensitivity, Price(price.nano - 1)), confidence) > within
        )


SUMS = st.lists(st.integers(-50, 5_000), min_size=1, max_size=10)


@SMALL
@given(SUMS, st.floats(0.5, 200))
def test_ratio_bounds_stay_inside_0_and_1_and_hold_the_ratio(sums: list[int], scale: float) -> None:
    above, below = np.array(sums), np.array(sums[::-1])
    lows, highs = ratio_bounds(above, below, scale)
    total = np.maximum(above + below, 1)
    ratio = np.clip(above / total, 0, 1)
    assert ((lows >= 0) & (lows <= highs) & (highs <= 1)).all()
    assert ((lows <= ratio + 1e-9) & (ratio - 1e-9 <= highs)).all()


@SMALL
@given(SUMS, st.floats(0.5, 200))
def test_ratio_bounds_of_the_complement_are_mirrored(sums: list[int], scale: float) -> None:
    above, below = np.array(sums), np.array(sums[::-1])
    lows, highs = ratio_bounds(above, below, scale)
    other_lows, other_highs = ratio_bounds(below, above, scale)
    assert np.allclose(lows, 1 - other_highs, atol=1e-6)
    assert np.allclose(highs, 1 - other_lows, atol=1e-6)


def test_where_noise_hides_the_total_a_ratio_may_be_anything() -> None:
    lows, highs = ratio_bounds(np.array([3, -4]), np.array([1, 2]), 50.0)
    assert (lows.tolist(), highs.tolist()) == ([0, 0], [1, 1])


def test_ratio_bounds_tighten_as_cells_grow() -> None:
    sizes = np.array([100, 1_000, 10_000, 100_000])
    lows, highs = ratio_bounds(sizes, sizes, 5.0)
    widths = highs - lows
    assert (np.diff(widths) < 0).all()
    assert widths[-1] < 0.001


@pytest.mark.parametrize("total", [200, 1_000, 50_000])
def test_the_half_width_to_expect_is_that_of_the_worst_ratio(total: int) -> None:
    shares = np.linspace(0, 1, 41)
    above = np.rint(shares * total).astype(np.int64)
    lows, highs = ratio_bounds(above, total - above, 5.0)
    widest = float(np.maximum(highs - above / total, above / total - lows).max())
    assert ratio_half_width(5.0, total) == pytest.approx(widest, rel=0.15)


def test_nothing_can_be_expected_of_an_empty_cell() -> None:
    assert ratio_half_width(5.0, 0) == 1
