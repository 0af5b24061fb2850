"""Numbers as text: exact reading, tails, rounding and noise."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.deidentify.operations.edges import Edge, kept_inside
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.operations.numbers import (
    NoiseKind,
    Numbers,
    Rounding,
    Tail,
    add_correlated_noise,
    add_noise,
    code_tail,
    code_tail_of,
    round_to,
)
from privacy.deidentify.randomness import draws
from privacy.deidentify.table import Column

SMALL = settings(deadline=None, derandomize=True, max_examples=100)
DECIMALS = st.decimals(
    min_value=-(10**6), max_value=10**6, places=2, allow_nan=False, allow_infinity=False
).map(str)
CELLS = st.lists(DECIMALS | st.just(""), min_size=1, max_size=30)


def column(*texts: str) -> Column:
    return Column.of("x", texts)


def told(made: Column) -> list[str]:
    return made.texts().tolist()


@given(CELLS)
@SMALL
def test_what_is_read_is_written_back_equal(texts: list[str]) -> None:
    numbers = Numbers.of(column(*texts))
    written = told(numbers.written(numbers.rows()[0]))
    assert [text and Decimal(text) for text in written] == [text and Decimal(text) for text in texts]


def test_decimal_places_are_those_of_the_finest_number() -> None:
    numbers = Numbers.of(column("1", "2.50", "", "-3.1", "1e1", "+.5"))
    assert numbers.places == 2
    assert told(numbers.written(numbers.rows()[0])) == ["1.00", "2.50", "", "-3.10", "10.00", "0.50"]


@pytest.mark.parametrize("text", ["1,000", "NaN", "inf", "１２", "1_000", " 1", "-", ".", "90以上", "0x1"])
def test_what_is_not_a_number_is_refused_by_row_and_never_quoted(text: str) -> None:
    with pytest.raises(BadOperation, match=r"column x: 2 of 4 rows \(2, 4\) are not numbers") as fault:
        Numbers.of(column("1", text, "2", text))
    assert text in (".", "-") or text not in str(fault.value)


def test_a_value_that_no_row_holds_is_not_read() -> None:
    left = column("1", "unknown").take(np.array([0]))
    assert told(round_to(left, base=Decimal(1))) == ["1"]


def test_no_unheld_original_survives_in_the_values() -> None:
    rounded = round_to(column("11", "27", "").take(np.array([0, 2])), base=Decimal(10))
    assert rounded.values == ("10", "")


def test_too_many_digits_are_refused() -> None:
    with pytest.raises(BadOperation, match="more than 15 digits"):
        Numbers.of(column("1234567890123", "0.001"))


def test_the_bound_itself_lies_in_the_tail() -> None:
    coded = code_tail(column("89", "90", "104", ""), tail=Tail.TOP, at=Decimal(90), label="{bound}以上")
    assert told(coded.column) == ["89", "90以上", "90以上", ""]
    assert coded.rows == 2
    assert coded.column.values == ("89", "90以上", "")


def test_without_a_label_the_tail_is_the_bound() -> None:
    coded = code_tail(column("5", "-3", "0.5"), tail=Tail.BOTTOM, at=Decimal("1.5"))
    assert told(coded.column) == ["5", "1.5", "1.5"]


@given(CELLS, st.integers(1, 5), st.sampled_from(Tail))
@SMALL
def test_a_tail_of_at_least_m_is_the_smallest_such(texts: list[str], least: int, tail: Tail) -> None:
    known = [Decimal(text) for text in texts if text]
    if len(known) < least:
        with pytest.raises(BadOperation, match=f"at least {least} cannot be had from {len(known)} rows"):
            code_tail_of(column(*texts), tail=tail, least=least)
        return
    coded = code_tail_of(column(*texts), tail=tail, least=least, label="tail")
    bound = Decimal(coded.bound)
    beyond = [value for value in known if (value >= bound if tail is Tail.TOP else value <= bound)]
    assert told(coded.column).count("tail") == coded.rows == len(beyond) >= least
    assert len([value for value in beyond if value != bound]) < least


def test_a_tail_counts_persons() -> None:
    unit = np.array([0, 0, 0, 1, 2], dtype=np.int32)
    coded = code_tail_of(column("9", "8", "7", "5", "1"), tail=Tail.TOP, least=2, unit=unit)
    assert told(coded.column) == ["5", "5", "5", "5", "1"]


@given(CELLS, st.sampled_from(["1", "10", "0.5", "250", "0.125"]), st.sampled_from(Rounding))
@SMALL
def test_a_rounded_number_is_a_multiple_less_than_a_base_away(
    texts: list[str], base: str, method: Rounding
) -> None:
    rounded = told(round_to(column(*texts), base=Decimal(base), method=method, draws=draws(b"1", "round")))
    for before, after in zip(texts, rounded, strict=True):
        assert (before == "") == (after == "")
        if before:
            apart = Decimal(after) - Decimal(before)
            assert Decimal(after) % Decimal(base) == 0
            if method is Rounding.NEAREST:
                assert abs(apart) <= Decimal(base) / 2
            elif method is Rounding.DOWN:
                assert -Decimal(base) < apart <= 0
            else:
                assert abs(apart) < Decimal(base)


def test_halfway_goes_to_the_even_multiple() -> None:
    assert told(round_to(column("5", "15", "25", "-5", "-15"), base=Decimal(10))) == [
        "0",
        "20",
        "20",
        "0",
        "-20",
    ]


def test_random_rounding_is_unbiased() -> None:
    rounded = round_to(
        column(*["13"] * 20_000), base=Decimal(10), method=Rounding.RANDOM, draws=draws(b"1", "round")
    )
    assert set(told(rounded)) == {"10", "20"}
    assert abs(Numbers.of(rounded).rows()[0].mean() - 13) < 5 * np.sqrt(21 / 20_000)


@pytest.mark.parametrize("kind", NoiseKind)
def test_noise_has_the_stated_deviation_and_no_bias(kind: NoiseKind) -> None:
    noisy = add_noise(column(*["500.0"] * 20_000), kind=kind, sd=12.5, draws=draws(b"1", "noise"))
    values = Numbers.of(noisy).rows()[0] / 10
    assert values.mean() == pytest.approx(500, abs=5 * 12.5 / np.sqrt(20_000))
    assert values.std() == pytest.approx(12.5, rel=0.04)
    assert {len(text.split(".")[1]) for text in told(noisy)} == {1}


def test_uniform_noise_is_bounded_and_the_others_have_their_tails() -> None:
    widest = {
        kind: np.abs(
            Numbers.of(
                add_noise(column(*["0"] * 20_000), kind=kind, sd=1000, draws=draws(b"1", "noise"))
            ).rows()[0]
        ).max()
        for kind in NoiseKind
    }
    assert widest[NoiseKind.UNIFORM] <= 1733 < widest[NoiseKind.NORMAL] < 6000 < widest[NoiseKind.LAPLACE]


@given(st.lists(st.integers(0, 50).map(str), min_size=1, max_size=20), st.sampled_from(Edge))
@SMALL
def test_noise_stays_inside_its_bounds(texts: list[str], edge: Edge) -> None:
    noisy = add_noise(
        column(*texts),
        kind=NoiseKind.LAPLACE,
        sd=100,
        draws=draws(b"1", "noise"),
        low=Decimal("-0.5"),
        high=Decimal("50.7"),
        edge=edge,
    )
    assert all(0 <= int(text) <= 50 for text in told(noisy))


@given(
    st.lists(st.integers(-60, 60), min_size=1, max_size=20),
    st.none() | st.integers(-9, 0),
    st.none() | st.integers(0, 9),
)
@SMALL
def test_reflection_is_mirroring_until_inside(values: list[int], low: int | None, high: int | None) -> None:
    def mirrored(value: int) -> int:
        if low is not None and low == high:
            return low
        while (low is not None and value < low) or (high is not None and value > high):
            value = 2 * low - value if low is not None and value < low else 2 * (high or 0) - value
        return value

    kept = kept_inside(np.array(values, dtype=np.int64), low=low, high=high, edge=Edge.REFLECT)
    assert kept.tolist() == [mirrored(value) for value in values]


def test_noise_with_impossible_bounds_is_refused() -> None:
    with pytest.raises(BadOperation, match="no number lies from"):
        add_noise(
            column("1"),
            kind=NoiseKind.NORMAL,
            sd=1,
            draws=draws(b"1", "x"),
            low=Decimal("0.2"),
            high=Decimal("0.8"),
        )


def test_correlated_noise_keeps_correlations_and_adds_its_share_of_variance() -> None:
    base = np.random.Generator(np.random.Philox(7)).normal(size=(2, 5000)) * 1000
    own = Column.of("a", [str(round(value)) for value in base[0]])
    other = Column.of("b", [str(round(value)) for value in 2 * base[0] + base[1]])
    noisy = add_correlated_noise([own, other], relative=0.5, draws=draws(b"1", "noise"))
    before = np.array([Numbers.of(one).rows()[0] for one in (own, other)])
    after = np.array([Numbers.of(one).rows()[0] for one in noisy])
    assert np.corrcoef(after)[0, 1] == pytest.approx(np.corrcoef(before)[0, 1], abs=0.02)
    assert after.var(axis=1) / before.var(axis=1) == pytest.approx([1.25, 1.25], rel=0.05)


def test_correlated_noise_leaves_missing_cells_and_needs_complete_rows() -> None:
    own, other = Column.of("a", ["1", "", "7", "9"]), Column.of("b", ["", "5", "60", "10"])
    noisy = add_correlated_noise([own, other], relative=0.1, draws=draws(b"1", "noise"))
    assert told(noisy[0])[1] == ""
    assert told(noisy[1])[0] == ""
    with pytest.raises(BadOperation, match="2 rows complete in a, b; there are 1"):
        add_correlated_noise(
            [own.take(np.arange(3)), other.take(np.arange(3))], relative=0.1, draws=draws(b"1", "noise")
        )
