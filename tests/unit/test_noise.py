"""The door to randomness: priced by OpenDP's own arithmetic before every draw."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy import noise
from privacy.budget import NANO, Price
from privacy.noise import OpendpNoise, RecordedNoise, calibrate

SMALL = settings(deadline=None, derandomize=True, max_examples=60)
SENSITIVITIES = st.integers(1, 10**12)
PRICES = st.integers(1_000, 10**15).map(Price)
ONE = Price.parse("1")
ZEROS = np.zeros(64, dtype=np.int64)


@SMALL
@given(SENSITIVITIES, PRICES)
def test_a_scale_is_never_below_sensitivity_over_price(sensitivity: int, price: Price) -> None:
    assert Fraction(calibrate(sensitivity, price)) >= Fraction(sensitivity * NANO, price.nano)


@SMALL
@given(SENSITIVITIES, PRICES)
def test_opendp_prices_a_scale_at_no_more_than_is_charged(sensitivity: int, price: Price) -> None:
    measurement = noise._measurement(calibrate(sensitivity, price))
    assert Fraction(measurement.map(sensitivity)) <= Fraction(price.nano, NANO)


@pytest.mark.parametrize("price", ["0.1", "0.3", "0.7", "0.000001", "0.999999999", "3"])
@pytest.mark.parametrize("sensitivity", [1, 3, 7, 10**9 + 7])
def test_a_scale_is_hardly_larger_than_it_must_be(sensitivity: int, price: str) -> None:
    exact = Fraction(sensitivity * NANO, Price.parse(price).nano)
    assert exact <= Fraction(calibrate(sensitivity, Price.parse(price))) <= exact * (1 + Fraction(1, 2**48))


@pytest.mark.parametrize(("sensitivity", "price"), [(0, ONE), (-1, ONE), (1, Price(0))])
def test_nothing_is_calibrated_for_a_price_or_sensitivity_of_zero(sensitivity: int, price: Price) -> None:
    with pytest.raises(ValueError, match="above zero"):
        calibrate(sensitivity, price)
    with pytest.raises(ValueError, match="above zero"):
        OpendpNoise().laplace(ZEROS, sensitivity=sensitivity, price=price)


def test_a_scale_of_zero_is_refused() -> None:
    with pytest.raises(AssertionError):
        noise._measurement(0.0)


def test_noise_that_is_too_small_for_its_price_is_never_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "calibrate", lambda sensitivity, price: 0.999)
    with pytest.raises(AssertionError, match="too small"):
        OpendpNoise().laplace(ZEROS, sensitivity=1, price=ONE)


@pytest.mark.parametrize(
    "exact", [np.zeros(3), np.zeros(3, dtype=np.int32), np.zeros((2, 2), dtype=np.int64)]
)
def test_only_vectors_of_int64_get_noise(exact: np.ndarray) -> None:
    with pytest.raises(AssertionError):
        OpendpNoise().laplace(exact, sensitivity=1, price=ONE)


def test_empty_cells_get_noise_like_any_other() -> None:
    noisy = OpendpNoise().laplace(ZEROS, sensitivity=1, price=Price.parse("0.01"))
    assert np.count_nonzero(noisy) > 32
    assert noisy.dtype == np.int64


def test_noise_is_added_to_the_exact_value() -> None:
    exact = np.array([10**15, -(10**15)])
    noisy = OpendpNoise().laplace(exact, sensitivity=1, price=ONE)
    assert np.abs(noisy - exact).max() < 100


def test_many_cells_come_back_in_their_order() -> None:
    exact = np.arange(25_001) * 1_000
    noisy = OpendpNoise().laplace(exact, sensitivity=1, price=ONE)
    assert np.array_equal(np.rint(noisy / 1_000).astype(np.int64), np.arange(25_001))


def test_no_two_draws_are_alike() -> None:
    draws = [OpendpNoise().laplace(ZEROS, sensitivity=1, price=Price.parse("0.01")) for _ in range(4)]
    assert len({draw.tobytes() for draw in draws}) == 4


def test_a_recording_repeats_the_noise_cell_by_cell() -> None:
    first = RecordedNoise(source=OpendpNoise())
    noisy = first.laplace(ZEROS, sensitivity=2, price=ONE)
    second = RecordedNoise(replay=first.draws)
    assert np.array_equal(second.laplace(ZEROS + 5, sensitivity=2, price=ONE), noisy + 5)
    assert [(draw.sensitivity, draw.price, draw.scale) for draw in second.draws] == [
        (2, ONE, calibrate(2, ONE))
    ]
