"""ε is money: plain decimals in, whole nano-ε inside, nothing lost and nothing else let in."""

import math
from fractions import Fraction

import opendp.prelude as dp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.budget import NANO, PRICE_NANO_MAX, InvalidAmount, Price, epsilon_of, split

SMALL = settings(deadline=None, derandomize=True, max_examples=80)
AMOUNTS = st.integers(1, PRICE_NANO_MAX)
WEIGHTS = st.lists(st.fractions(Fraction(1, 10**9), 10**9), min_size=1, max_size=20)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-1", "+1", "0", "0.0", "-0.0", "0.000000000", "5e-324", "1e3", "1E3", "NaN", "nan", "Infinity",
        "1e999", "1_0", "１", "0.１", "٣", "1,5", "1.", ".5", "1.0000000001", "0.0000000001", " 1", "1 ", "1\n",
        "0x1", "1/2", "10000000", "1" + "0" * 30, "9999999", "1000000.000000001", "1\u00a0",
    ],
)  # fmt: skip
def test_what_is_no_plain_positive_amount_is_refused(text: str) -> None:
    with pytest.raises(InvalidAmount):
        Price.parse(text)


@pytest.mark.parametrize(
    ("text", "nano"),
    [("1", NANO), ("0.5", NANO // 2), ("0.000000001", 1), ("007.10", 7_100_000_000), ("1000000", 10**15)],
)
def test_a_plain_amount_is_read_to_the_last_digit(text: str, nano: int) -> None:
    assert Price.parse(text).nano == nano


@SMALL
@given(AMOUNTS)
def test_an_amount_reads_back_as_it_was_written(nano: int) -> None:
    assert Price.parse(str(Price(nano))) == Price(nano)


@pytest.mark.parametrize("nano", [1.0, True, "1", None, Fraction(1)])
def test_only_whole_numbers_make_an_amount(nano: object) -> None:
    with pytest.raises(TypeError):
        Price(nano)  # type: ignore[arg-type]


@pytest.mark.parametrize("nano", [-1, PRICE_NANO_MAX + 1, 2**63])
def test_amounts_outside_the_limits_do_not_exist(nano: int) -> None:
    with pytest.raises(InvalidAmount):
        Price(nano)


def test_taking_more_than_there_is_fails() -> None:
    with pytest.raises(InvalidAmount):
        Price(1) - Price(2)


@SMALL
@given(AMOUNTS, WEIGHTS)
def test_shares_add_up_to_the_total_exactly(nano: int, weights: list[Fraction]) -> None:
    assert sum(share.nano for share in split(Price(nano), weights)) == nano


@SMALL
@given(AMOUNTS, WEIGHTS)
def test_each_share_is_in_proportion_to_its_weight_within_one_billionth(
    nano: int, weights: list[Fraction]
) -> None:
    fair = [nano * weight / sum(weights) for weight in weights]
    assert all(
        abs(share.nano - just) <= 1 for share, just in zip(split(Price(nano), weights), fair, strict=True)
    )


# ρ as (ε, δ)


dp.enable_features("contrib")
DELTAS = [Fraction(1, 10**power) for power in (3, 6, 9, 12)]
RHOS = [1, 10_000, 1_000_000, 50_000_000, 10**9, 20 * 10**9]


@pytest.mark.parametrize("delta", DELTAS, ids=str)
@pytest.mark.parametrize("nano", RHOS)
def test_rho_is_told_as_the_epsilon_of_the_tight_curve(nano: int, delta: Fraction) -> None:
    """OpenDP's own conversion of zCDP: never told as less, and hardly as more."""
    data = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
    wide = dp.m.make_gaussian(*data, scale=1.0)
    curve = dp.c.make_zCDP_to_approxDP(wide).map((2 * nano / NANO) ** 0.5)  # ρ = Δ²/2σ²
    expected = curve.epsilon(float(delta))
    assert expected - 1e-9 <= float(epsilon_of(Price(nano), delta)) <= expected + 1e-5


@SMALL
@given(st.integers(1, 10**11), st.sampled_from(DELTAS))
def test_epsilon_is_sound_for_some_order_and_tighter_than_the_first_conversion(
    nano: int, delta: Fraction
) -> None:
    rho = nano / NANO
    stated = float(epsilon_of(Price(nano), delta))
    assert stated <= rho + 2 * (rho * math.log(1 / delta)) ** 0.5 + 1e-6
    found = min(
        math.exp((alpha - 1) * (alpha * rho - stated)) / (alpha - 1) * (1 - 1 / alpha) ** alpha
        for alpha in (1 + 1.01**step for step in range(-2_500, 2_500))
        if abs((alpha - 1) * (alpha * rho - stated)) < 600
    )
    assert found <= float(delta) * (1 + 1e-3)


@SMALL
@given(st.integers(1, 10**11), st.integers(1, 10**9), st.sampled_from(DELTAS))
def test_more_rho_is_never_told_as_less_epsilon_and_a_smaller_delta_never_as_less(
    nano: int, more: int, delta: Fraction
) -> None:
    least = epsilon_of(Price(nano), delta)
    assert least <= epsilon_of(Price(nano + more), delta)
    assert least <= epsilon_of(Price(nano), delta / 10)


def test_no_rho_is_no_epsilon_and_a_delta_is_a_probability() -> None:
    assert epsilon_of(Price(0), Fraction(1, 10**9)) == 0
    for delta in (Fraction(0), Fraction(1), Fraction(-1, 2)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            epsilon_of(Price(1), delta)
