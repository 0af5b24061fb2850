"""The audit's own arithmetic, held against mechanisms whose loss is known."""

import math

import numpy as np
import pytest
from evidence import (
    CONFIDENCE,
    Frequencies,
    Guesses,
    Numbers,
    best_cut,
    divergence,
    guess,
    learned_evidence,
    least,
    most,
)
from scipy.stats import binom, norm

PERSONS = 4_000


def told_by_coins(epsilon: float, dice: np.random.Generator) -> Guesses:
    """Randomised response: the dearest answer that ε allows, so that each guess is right as often as ever."""
    inside = dice.random(PERSONS) < 0.5
    right = dice.random(PERSONS) < 1 / (1 + math.exp(-epsilon))
    return guess(np.where(inside == right, 1.0, -1.0), inside, 1.0)


def told_by_numbers(epsilon: float, sold_for: float, dice: np.random.Generator) -> Guesses:
    """Two Laplace numbers of ε together, judged by somebody who was told another ε."""
    inside = dice.random(PERSONS) < 0.5
    noise = np.rint(dice.laplace(0, 2 * 30 / epsilon, (PERSONS, 2)))
    numbers = Numbers(np.zeros(2), np.full(2, 30.0), np.full(2, 2 * 30 / sold_for), gaussian=False)
    return guess(numbers.evidence(noise + 30.0 * inside[:, None]), inside, numbers.rehearsed_cut(PERSONS))


def test_bounds_of_a_probability_leave_out_no_more_than_the_doubt() -> None:
    assert binom.sf(29, 100, least(30, 100)) == pytest.approx(1 - CONFIDENCE)
    assert binom.cdf(30, 100, most(30, 100)) == pytest.approx(1 - CONFIDENCE)
    assert (least(0, 10), most(10, 10)) == (0, 1)


@pytest.mark.parametrize("epsilon", [0.5, 2])
def test_the_dearest_answers_that_a_price_allows_are_no_alarm_and_come_near_it(epsilon: float) -> None:
    dice = np.random.default_rng(1)
    found = [told_by_coins(epsilon, dice) for _ in range(200)]
    assert max(one.certain for one in found) < epsilon
    assert np.mean([one.likely for one in found]) == pytest.approx(epsilon, abs=0.02)
    assert np.mean([one.certain for one in found]) > epsilon - 6 * np.mean([one.error for one in found])


def test_noisy_numbers_sold_at_their_price_are_no_alarm_and_sold_for_less_are_one() -> None:
    dice = np.random.default_rng(2)
    fair, cheap = told_by_numbers(2, 2, dice), told_by_numbers(3, 2, dice)
    assert 1.2 < fair.certain < 2
    assert cheap.certain > 2


def test_who_learns_nothing_guesses_nothing_certain() -> None:
    dice = np.random.default_rng(3)
    inside = dice.random(PERSONS) < 0.5
    scores = learned_evidence(["same"] * PERSONS, inside, ["same"] * PERSONS)
    made = guess(scores, inside, best_cut(scores, inside, 1))
    assert made.certain == 0


def test_evidence_is_the_logarithm_of_the_odds() -> None:
    laplace = Numbers(np.array([3.0]), np.array([6.0]), np.array([2.0]), gaussian=False)
    assert laplace.evidence(np.array([[-5.0], [3.0], [6.0], [20.0]])).tolist() == [-3, -3, 0, 3]
    gaussian = Numbers(np.array([3.0]), np.array([6.0]), np.array([2.0]), gaussian=True)
    x = 4.0
    odds = norm.logpdf(x, 9, 2) - norm.logpdf(x, 3, 2)
    assert gaussian.evidence(np.array([[x]])) == pytest.approx(odds)


def test_gaussian_numbers_tell_less_than_rho_by_definition_and_all_of_it_by_their_shift() -> None:
    dice = np.random.default_rng(4)
    rho, runs = 1, 200_000
    inside = np.arange(runs) % 2 == 0
    seen = dice.normal(0, 1, runs) + math.sqrt(2 * rho) * inside
    events = [Frequencies.of(seen >= cut, inside) for cut in (0.0, 0.7, 1.4, 2.8)]
    assert 0.4 < max(event.certain for event in events) < 0.75 * rho
    assert events[1].shift ** 2 / 2 == pytest.approx(rho, abs=0.05)
    assert 0.9 < events[1].certain_shift ** 2 / 2 < rho


def test_the_divergence_of_an_event_is_that_of_two_coins() -> None:
    p, q, order = 0.6, 0.2, 2.0
    by_hand = math.log(p**order * q ** (1 - order) + (1 - p) ** order * (1 - q) ** (1 - order)) / (order - 1)
    assert divergence(p, q) >= by_hand / order
    assert divergence(0.3, 0.3) == pytest.approx(0)
    assert divergence(0.3, 0) == math.inf
