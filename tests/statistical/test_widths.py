"""How large noise is, against the draws themselves: half-widths by exact sums, tails by simulation and transform."""

import math
from fractions import Fraction

import numpy as np
import pytest

from privacy.distributions import NoiseDistribution

CONFIDENCES = (0.5, 0.8, 0.9, 0.905, 0.91, 0.95, 0.99, 0.999, 0.99999)
SIMULATED = 400_000
SIGMAS = 6.0


@pytest.mark.parametrize("confidence", [Fraction(1, 2), Fraction(19, 20), Fraction(999, 1_000)])
@pytest.mark.parametrize("base", [2, 3, 10, 50])
def test_a_laplace_half_width_is_that_of_an_exact_sum(base: int, confidence: Fraction) -> None:
    """With α = 1 - 1/base all probabilities are fractions: P(0) = (1-α)/(1+α), P(±x) = P(0)·αˣ."""
    alpha = 1 - Fraction(1, base)
    held = each = (1 - alpha) / (1 + alpha)
    width = 0
    while held < confidence:
        width += 1
        each *= alpha
        held += 2 * each
    assert NoiseDistribution("laplace", -1 / math.log(alpha)).half_width(float(confidence)) == width


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("sigma", [0.2, 0.5, 1, 1.9, 7.3, 60, 199])
def test_a_gaussian_half_width_is_that_of_a_long_sum(sigma: float, confidence: float) -> None:
    reach = math.ceil(20 * sigma) + 20
    mass = [math.exp(-(x * x) / (2 * sigma * sigma)) for x in range(reach)]
    whole = math.fsum(mass) * 2 - 1
    held, width = 1 / whole, 0
    while held < confidence:
        width += 1
        held += 2 * mass[width] / whole
    assert NoiseDistribution("gaussian", sigma).half_width(confidence) == width


def beyond(weights: np.ndarray, sigma: float, widths: list[float]) -> list[float]:
    """P(|Σ wᵢLᵢ + σN| > t): 1 - 2/π ∫ φ(s)·sin(ts)/s ds of the characteristic function φ, by midpoints."""
    step = 2e-3
    s = (np.arange(150_000) + 0.5) * step
    phi = np.exp(-((sigma * s) ** 2) / 2)
    for weight in weights:
        phi = phi / (1 + (weight * s) ** 2)
    return [1 - 2 / math.pi * float((phi * np.sin(width * s) / s).sum()) * step for width in widths]


def mixtures() -> list[tuple[np.ndarray, float]]:
    """Weights of Laplace draws and a Gaussian deviation, one in all: equal ones, lone ones, made-up ones."""
    dice = np.random.default_rng(1)
    made = [(np.ones(draws), share) for draws in (1, 2, 3, 5, 10) for share in (0.0, 0.5, 1.5)]
    made += [
        (dice.random(size) ** power, dice.choice([0.0, 0.3])) for size in (2, 3, 6) for power in (1, 3, 8)
    ] * 2
    made += [(np.zeros(1), 1.0)]
    whole = [math.sqrt(2 * float((weights**2).sum()) + sigma**2) for weights, sigma in made]
    return [(weights / one, sigma / one) for (weights, sigma), one in zip(made, whole, strict=True)]


def test_no_sum_of_laplace_and_gaussian_draws_is_wider_than_mixed_noise_of_its_deviation() -> None:
    widths = [float(NoiseDistribution("mixed", 1.0).tail(one, np.ones((1, 1)))[0]) for one in CONFIDENCES]
    for weights, sigma in mixtures():
        for confidence, doubt in zip(CONFIDENCES, beyond(weights, sigma, widths), strict=True):
            assert doubt <= (1 - confidence) * (1 + 1e-3) + 1e-9


def test_mixed_noise_is_as_wide_as_the_widest_sum_there_is() -> None:
    """A lone Laplace draw at 0.95, a lone Gaussian one at 0.8: nothing narrower would do."""
    widths = [
        0.97 * float(NoiseDistribution("mixed", 1.0).tail(one, np.ones((1, 1)))[0]) for one in (0.8, 0.95)
    ]
    assert beyond(np.zeros(1), 1.0, widths)[0] > 0.2
    assert beyond(np.full(1, math.sqrt(0.5)), 0.0, widths)[1] > 0.05


WEIGHTS = [
    (1.0,),
    (1.0, 0.3),
    (1.0, 1.0),
    (0.5, -0.5),
    (1.0, 0.5, 0.2),
    (1.0, 1.0, 1.0),
    (0.7, -0.4, 0.3),
    (1, 1, 0),
]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_the_tail_of_weighted_laplace_draws_is_that_of_their_transform(weights, confidence: float) -> None:
    """Equal weights are moved apart by a thousandth, so the tail may be a little wider, never narrower."""
    width = float(NoiseDistribution("laplace", 1.0).tail(confidence, np.array(weights)[:, None])[0])
    doubt, narrower = beyond(np.abs(weights), 0.0, [width, 0.99 * width])
    assert doubt <= (1 - confidence) * (1 + 1e-3) + 1e-7
    assert narrower > 1 - confidence


@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.93, 1.0])
def test_the_tail_for_shares_is_that_of_simulated_draws(kind, classes: int, share: float) -> None:
    """(1-s)A - sB, where with three classes A and B have the middle one in common."""
    dice = np.random.default_rng(2)
    draws = dice.laplace(size=(3, SIMULATED)) if kind == "laplace" else dice.normal(size=(3, SIMULATED))
    above, below = (draws[0], draws[1]) if classes == 2 else (draws[0] + draws[1], draws[1] + draws[2])
    width = float(NoiseDistribution(kind, 1.0).shares_tail(0.95, np.array([share]), classes=classes)[0])
    held = float((np.abs((1 - share) * above - share * below) <= width).mean())
    assert held == pytest.approx(0.95, abs=SIGMAS * math.sqrt(0.95 * 0.05 / SIMULATED) + 5e-4)


@pytest.mark.parametrize("scale", [0.3, 0.66, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
def test_half_a_unit_more_covers_for_draws_that_are_whole_numbers(kind, scale: float) -> None:
    """A least-squares estimate of nearly one draw is nearly a whole number: fuzz beside it must not fall outside."""
    reach = np.arange(1, math.ceil(40 * scale) + 40)
    mass = np.exp(-reach / scale) if kind == "laplace" else np.exp(-((reach / scale) ** 2) / 2)
    whole = 1 + 2 * mass.sum()
    width = NoiseDistribution(kind, scale, whole=False).half_width_real(0.95)
    assert 2 * mass[reach > width].sum() / whole <= 0.05
