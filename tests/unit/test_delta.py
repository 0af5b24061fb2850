"""Amounts of δ are read exactly or not at all."""

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy import delta


@pytest.mark.parametrize("text", ["1e-9", "1E-9", "1.0e-9", "0.000000001", "0.0000000010", "1e-09"])
def test_one_billionth_is_read_in_either_notation(text: str) -> None:
    assert delta.parse(text) == Fraction(1, 10**9)


@pytest.mark.parametrize(
    "text",
    [
        "", "0", "0.0", "-1e-9", "+1e-9", "1", "0.002", "1.1e-3", "1e-19", "1.5e-18", "1e9", "1e-9 ", "１e-9",
        "nan", "inf", "1e-999", ".1e-3", "0.0000000000000000001", "1_0e-9", "0x1p-9", "10e-9", "1e-9\n",
    ],
)  # fmt: skip
def test_what_is_no_amount_of_delta_is_refused(text: str) -> None:
    with pytest.raises(delta.InvalidDelta):
        delta.parse(text)


def test_the_least_and_the_most_are_amounts() -> None:
    assert delta.atto_of(delta.parse("1e-18")) == 1
    assert delta.parse("0.001") == delta.parse("1e-3") == delta.DELTA_MAX


@given(st.integers(1, 10**15))
def test_amounts_are_written_and_read_again_without_loss(atto: int) -> None:
    text = delta.shown(atto)
    assert delta.read(text) == atto
    assert delta.atto_of(delta.parse(text)) == atto
    assert delta.delta_of(atto) == Fraction(text)


@pytest.mark.parametrize("text", ["", "1e-9", "0.10", "-1", "0.", "00.1", "0.0000000000000000001"])
def test_what_the_journal_never_writes_is_not_read(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which words a forged line gets is no matter
        delta.read(text)


@given(st.text(max_size=24))
def test_no_text_crashes_the_reader(text: str) -> None:
    with contextlib.suppress(delta.InvalidDelta):
        assert 0 < delta.parse(text) <= delta.DELTA_MAX
