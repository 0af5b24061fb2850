"""How large noise is: half-widths and tails against the distributions themselves, summed up."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import dlaplace, norm

from privacy.distributions import NoiseDistribution

SMALL = settings(deadline=None, derandomize=True, max_examples=40)
CONFIDENCES = st.sampled_from((0.5, 0.9, 0.95, 0.99, 0.999999))
WEIGHTS = st.lists(st.floats(-1, 1), min_size=1, max_size=3).filter(lambda sizes: max(map(abs, sizes)) > 0.01)


def inside(distribution: NoiseDistribution, width: int) -> float:
    """P(|X| ≤ width): of Laplace noise from scipy's distribution function, of Gaussian noise summed up."""
    if width < 0:
        return 0.0
    if distribution.kind == "laplace":
        return 1 - 2 * float(dlaplace(1 / distribution.scale).cdf(-width - 1))
    mass = np.exp(
        -(
            (
                np.arange(-math.ceil(40 * distribution.scale) - 40, math.ceil(40 * distribution.scale) + 41)
                / distribution.scale
            )
            ** 2
        )
        / 2
    )
    middle = len(mass) // 2
    return float(mass[middle - width : middle + width + 1].sum() / mass.sum())


@SMALL
@given(st.floats(0.05, 10_000), CONFIDENCES)
def test_half_width_is_the_least_that_holds_the_noise_often_enough(scale: float, confidence: float) -> None:
    distribution = NoiseDistribution("laplace", scale)
    width = distribution.half_width(confidence)
    assert inside(distribution, width) >= confidence - 1e-9
    assert inside(distribution, width - 1) < confidence + 1e-9


@SMALL
@given(st.floats(0.05, 200), CONFIDENCES)
def test_half_width_of_gaussian_noise_is_the_least_that_holds_it_often_enough(
    sigma: float, confidence: float
) -> None:
    distribution = NoiseDistribution("gaussian", sigma)
    width = distribution.half_width(confidence)
    assert inside(distribution, width) >= confidence - 1e-9
    assert inside(distribution, width - 1) < confidence + 1e-9


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999999])
def test_half_widths_of_wide_gaussian_noise_go_on_where_the_sum_ends(confidence: float) -> None:
    for sigma in (200.0, 200.1, 1_000.0, 54_321.5):
        width = NoiseDistribution("gaussian", sigma).half_width(confidence)
        assert abs(width - sigma * norm.ppf((1 + confidence) / 2)) <= 1.5


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
    assert NoiseDistribution("laplace", -1 / math.log(alpha)).half_width(float(confidence)) == width


@pytest.mark.parametrize("kind", ["laplace", "gaussian", "mixed"])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_half_widths_rise_with_the_scale_and_with_the_confidence(kind, confidence: float) -> None:
    widths = [
        NoiseDistribution(kind, scale).half_width(confidence) for scale in (0.1, 1, 3, 50, 199, 201, 5_000)
    ]
    assert widths == sorted(widths)
    assert NoiseDistribution(kind, 50).half_width(confidence) < NoiseDistribution(kind, 50).half_width(0.9999)


def test_deviations_are_those_of_the_continuous_laws() -> None:
    assert NoiseDistribution("laplace", 3.0).deviation == pytest.approx(3 * math.sqrt(2))
    assert NoiseDistribution("gaussian", 3.0).deviation == NoiseDistribution("mixed", 3.0).deviation == 3.0


def laplace_tail_by_quadrature(weights: list[float], width: float) -> float:
    """P(|Σ wᵢLᵢ| > t) from the characteristic function Π 1/(1 + wᵢ²s²), by numerical integration."""

    def integrand(frequency: float) -> float:
        return (
            math.prod(1 / (1 + (weight * frequency) ** 2) for weight in weights)
            * math.sin(width * frequency)
            / frequency
            if frequency
            else width
        )

    return 1 - 2 / math.pi * quad(integrand, 0, 400 / max(map(abs, weights)), limit=2_000)[0]


@settings(SMALL, max_examples=15)
@given(WEIGHTS)
def test_the_tail_of_a_sum_of_laplace_draws_is_that_of_their_characteristic_function(weights) -> None:
    width = float(NoiseDistribution("laplace", 1.0).tail(0.95, np.array(weights)[:, None])[0])
    assert laplace_tail_by_quadrature(weights, width) == pytest.approx(0.05, abs=2e-3)


@SMALL
@given(WEIGHTS, st.floats(0.1, 100))
def test_tails_scale_with_the_noise(weights: list[float], scale: float) -> None:
    for kind in ("laplace", "gaussian", "mixed"):
        one, many = (
            NoiseDistribution(kind, size).tail(0.95, np.array(weights)[:, None])[0] for size in (1.0, scale)
        )
        assert many == pytest.approx(scale * one, rel=1e-6)


@SMALL
@given(WEIGHTS)
def test_equal_weights_are_no_worse_than_weights_moved_apart(weights: list[float]) -> None:
    """Equal weights have no partial fractions of their own; moving them apart may only widen."""
    doubled = np.array([*weights, *weights])[:, None]
    tail = NoiseDistribution("laplace", 1.0).tail(0.95, doubled)[0]
    apart = NoiseDistribution("laplace", 1.0).tail(
        0.95, doubled * (1 + 0.02 * np.arange(len(doubled)))[:, None]
    )[0]
    assert tail <= apart * 1.01
    deviation = math.sqrt(2 * float((doubled**2).sum()))
    assert norm.ppf(0.975) * deviation * 0.98 <= tail <= math.log(20) * deviation


@pytest.mark.parametrize("kind", ["laplace", "gaussian", "mixed"])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_table_for_shares_agrees_with_the_tail_itself(kind, classes: int) -> None:
    shares = np.array([0.0, 0.1, 1 / 3, 0.5, 0.77, 1.0])
    weights = [1 - shares, shares] if classes == 2 else [1 - shares, 1 - 2 * shares, shares]
    distribution = NoiseDistribution(kind, 7.0)
    expected = distribution.tail(0.95, np.array(weights))
    assert distribution.shares_tail(0.95, shares, classes=classes) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
@pytest.mark.parametrize("draws", [1, 2, 3, 10])
def test_mixed_noise_is_given_no_less_than_any_sum_of_laplace_draws_has(
    draws: int, confidence: float
) -> None:
    """Of sums of equal deviation a single Laplace draw has the heaviest tail at 0.9 and beyond."""
    weights = 1 + 0.01 * np.arange(draws)
    summed = float(NoiseDistribution("laplace", 1.0).tail(confidence, weights[:, None])[0])
    mixed = NoiseDistribution("mixed", math.sqrt(2 * float((weights**2).sum())))
    assert mixed.half_width_real(confidence) >= summed * (1 - 1e-9)
