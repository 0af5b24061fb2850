"""The door to randomness: priced by OpenDP's own arithmetic before every draw."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_noise import RecordedNoise

from privacy import noise
from privacy.budget import NANO, Price
from privacy.noise import Kind, Mechanism, OpendpNoise, calibrate

SMALL = settings(deadline=None, derandomize=True, max_examples=60)
SENSITIVITIES = st.integers(1, 10**12)
PRICES = st.integers(1_000, 10**15).map(Price)
ONE = Price.parse("1")
ZEROS = np.zeros(64, dtype=np.int64)
WAYS = [
    ("discrete_laplace", "pure"),
    ("discrete_laplace", "zcdp"),
    ("discrete_gaussian", "zcdp"),
    ("noisy_max", "pure"),
    ("noisy_max", "zcdp"),
]
ADDED = WAYS[:3]


def laplace(sensitivity: int = 1, price: Price = ONE) -> Mechanism:
    return Mechanism(kind="discrete_laplace", measure="pure", sensitivity=sensitivity, price=price)


def gaussian(sensitivity: int = 1, price: Price = ONE) -> Mechanism:
    return Mechanism(kind="discrete_gaussian", measure="zcdp", sensitivity=sensitivity, price=price)


def choice(sensitivity: int = 1, price: Price = ONE) -> Mechanism:
    return Mechanism(kind="noisy_max", measure="pure", sensitivity=sensitivity, price=price)


@st.composite
def mechanisms(draw: st.DrawFn) -> Mechanism:
    kind, measure = draw(st.sampled_from(WAYS))
    return Mechanism(kind=kind, measure=measure, sensitivity=draw(SENSITIVITIES), price=draw(PRICES))


def formula(one: Mechanism) -> float:
    """The scale that theory says is needed."""
    price = one.price.nano / NANO
    match one.kind, one.measure:
        case "discrete_laplace", "pure":
            return one.sensitivity / price
        case "discrete_laplace", "zcdp":
            return one.sensitivity / math.sqrt(2 * price)
        case "discrete_gaussian", _:
            return math.sqrt(one.sensitivity / (2 * price))
        case "noisy_max", "pure":
            return 2 * one.sensitivity / price
        case _:
            return 2 * one.sensitivity / math.sqrt(8 * price)


@SMALL
@given(SENSITIVITIES, PRICES)
def test_a_scale_is_never_below_sensitivity_over_price(sensitivity: int, price: Price) -> None:
    assert Fraction(laplace(sensitivity, price).scale) >= Fraction(sensitivity * NANO, price.nano)


@SMALL
@given(SENSITIVITIES, PRICES)
def test_the_variance_of_gaussian_noise_is_never_below_squared_sensitivity_over_twice_the_price(
    squared: int, price: Price
) -> None:
    scale = Fraction(gaussian(squared, price).scale)
    assert scale**2 >= Fraction(squared * NANO, 2 * price.nano) * (1 - Fraction(1, 2**50))


@SMALL
@given(mechanisms())
def test_a_scale_is_that_of_theory(one: Mechanism) -> None:
    assert one.scale == pytest.approx(formula(one), rel=1e-12)


@SMALL
@given(mechanisms())
def test_opendp_prices_a_scale_at_no_more_than_is_charged(one: Mechanism) -> None:
    sampler = noise._measurement(one.kind, one.measure, one.scale)
    moved = one.sensitivity
    if one.kind == "discrete_gaussian":
        root = math.sqrt(one.sensitivity)
        moved = root if Fraction(root) ** 2 >= one.sensitivity else math.nextafter(root, math.inf)
    assert Fraction(sampler.measurement.map(moved)) <= Fraction(one.price.nano, NANO)


@SMALL
@given(mechanisms())
def test_a_scale_is_larger_at_a_lower_price_and_at_a_higher_sensitivity(one: Mechanism) -> None:
    assert replace(one, price=Price(one.price.nano // 2)).scale > one.scale
    assert replace(one, sensitivity=2 * one.sensitivity).scale > one.scale


@pytest.mark.parametrize("price", ["0.1", "0.3", "0.7", "0.000001", "0.999999999", "3"])
@pytest.mark.parametrize("sensitivity", [1, 3, 7, 10**9 + 7])
def test_a_scale_is_hardly_larger_than_it_must_be(sensitivity: int, price: str) -> None:
    exact = Fraction(sensitivity * NANO, Price.parse(price).nano)
    scale = Fraction(laplace(sensitivity, Price.parse(price)).scale)
    assert exact <= scale <= exact * (1 + Fraction(1, 2**48))


@pytest.mark.parametrize(("kind", "measure"), WAYS)
@pytest.mark.parametrize(("sensitivity", "price"), [(0, ONE), (-1, ONE), (1, Price(0))])
def test_nothing_is_calibrated_for_a_price_or_sensitivity_of_zero(
    kind: Kind, measure: str, sensitivity: int, price: Price
) -> None:
    one = Mechanism(kind=kind, measure=measure, sensitivity=sensitivity, price=price)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="above zero"):
        calibrate(one)
    with pytest.raises(ValueError, match="above zero"):
        OpendpNoise().top(ZEROS, one) if kind == "noisy_max" else OpendpNoise().add(ZEROS, one)


def test_gaussian_noise_has_no_pure_price() -> None:
    with pytest.raises(AssertionError):
        calibrate(replace(gaussian(), measure="pure"))


@pytest.mark.parametrize(("kind", "measure"), WAYS)
def test_a_scale_of_zero_is_refused(kind: Kind, measure: str) -> None:
    with pytest.raises(AssertionError):
        noise._measurement(kind, measure, 0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "measure"), ADDED)
def test_noise_that_is_too_small_for_its_price_is_never_drawn(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, measure: str
) -> None:
    one = Mechanism(kind=kind, measure=measure, sensitivity=1, price=ONE)  # type: ignore[arg-type]
    honest = one.scale
    monkeypatch.setattr(noise, "calibrate", lambda mechanism: 0.999 * honest)
    with pytest.raises(AssertionError, match="too small"):
        OpendpNoise().add(ZEROS, one)


@pytest.mark.parametrize("measure", ["pure", "zcdp"])
def test_a_choice_that_is_too_sharp_for_its_price_is_never_made(
    monkeypatch: pytest.MonkeyPatch, measure: str
) -> None:
    one = replace(choice(), measure=measure)  # type: ignore[arg-type]
    honest = one.scale
    monkeypatch.setattr(noise, "calibrate", lambda mechanism: 0.999 * honest)
    with pytest.raises(AssertionError, match="too small"):
        OpendpNoise().top(ZEROS, one)


@pytest.mark.parametrize(
    "exact", [np.zeros(3), np.zeros(3, dtype=np.int32), np.zeros((2, 2), dtype=np.int64)]
)
@pytest.mark.parametrize("one", [laplace(), gaussian()], ids=lambda one: one.kind)
def test_only_vectors_of_int64_get_noise(exact: np.ndarray, one: Mechanism) -> None:
    with pytest.raises(AssertionError):
        OpendpNoise().add(exact, one)


@pytest.mark.parametrize("scores", [np.zeros(3), np.zeros(3, dtype=np.int32)])
def test_only_int64_scores_are_chosen_from(scores: np.ndarray) -> None:
    with pytest.raises(AssertionError):
        OpendpNoise().top(scores, choice())


def test_a_choice_is_no_noise_and_noise_no_choice() -> None:
    with pytest.raises(AssertionError):
        OpendpNoise().add(ZEROS, choice())
    with pytest.raises(AssertionError):
        OpendpNoise().top(ZEROS, laplace())


@pytest.mark.parametrize("make", [laplace, gaussian])
def test_empty_cells_get_noise_like_any_other(make) -> None:
    noisy = OpendpNoise().add(ZEROS, make(1, Price.parse("0.001")))
    assert np.count_nonzero(noisy) > 32
    assert noisy.dtype == np.int64


@pytest.mark.parametrize("make", [laplace, gaussian])
def test_noise_is_added_to_the_exact_value(make) -> None:
    exact = np.array([10**15, -(10**15)])
    noisy = OpendpNoise().add(exact, make())
    assert np.abs(noisy - exact).max() < 100


@pytest.mark.parametrize("make", [laplace, gaussian])
def test_many_cells_come_back_in_their_order(make) -> None:
    exact = np.arange(25_001) * 1_000
    noisy = OpendpNoise().add(exact, make())
    assert np.array_equal(np.rint(noisy / 1_000).astype(np.int64), np.arange(25_001))


def test_no_two_draws_are_alike() -> None:
    cheap = laplace(1, Price.parse("0.01"))
    draws = [OpendpNoise().add(ZEROS, cheap) for _ in range(4)]
    assert len({draw.tobytes() for draw in draws}) == 4


@pytest.mark.parametrize("measure", ["pure", "zcdp"])
def test_a_choice_far_ahead_is_made_and_one_far_behind_is_not(measure: str) -> None:
    scores = np.array([-(10**12), -200, 0, -300], dtype=np.int64)
    one = replace(choice(), measure=measure)  # type: ignore[arg-type]
    assert {OpendpNoise().top(scores, one) for _ in range(50)} == {2}


def test_equal_scores_are_all_chosen_sometimes() -> None:
    assert {OpendpNoise().top(np.zeros(3, dtype=np.int64), choice()) for _ in range(200)} == {0, 1, 2}


def test_a_recording_repeats_the_noise_cell_by_cell() -> None:
    first, twice = RecordedNoise(source=OpendpNoise()), laplace(2)
    noisy = first.add(ZEROS, twice)
    second = RecordedNoise(replay=first.draws)
    assert np.array_equal(second.add(ZEROS + 5, twice), noisy + 5)
    assert [(draw.mechanism, draw.scale) for draw in second.draws] == [(twice, twice.scale)]


def test_a_recording_repeats_choices() -> None:
    first = RecordedNoise(source=OpendpNoise())
    places = [first.top(ZEROS, choice()) for _ in range(5)]
    second = RecordedNoise(replay=first.draws)
    assert [second.top(ZEROS - 3, choice()) for _ in range(5)] == places


def test_a_scale_that_opendp_never_finds_cheap_enough_ends_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []
    monkeypatch.setattr(noise, "_cost", lambda sampler, mechanism: asked.append(0.0) or NANO * 10**9)
    with pytest.raises(AssertionError, match="not by rounding"):
        calibrate.__wrapped__(laplace(sensitivity=987_654_321))
    assert len(asked) == noise.HAIRS_MAX
