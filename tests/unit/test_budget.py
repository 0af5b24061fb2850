"""ε is money: plain decimals in, whole nano-ε inside, nothing lost and nothing else let in."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.budget import NANO, PRICE_NANO_MAX, InvalidAmount, Price, split

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
