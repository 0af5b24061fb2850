"""Removal, swaps, PRAM, samples, dates and pseudonyms: what stays, what must not, and who counts."""

import base64
import hashlib
import hmac
from collections import Counter
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.deidentify.operations import pram, pseudonyms
from privacy.deidentify.operations.columns import changed_cells, strata_of
from privacy.deidentify.operations.dates import offsets, shift
from privacy.deidentify.operations.edges import Edge
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.operations.removal import (
    holding,
    mask,
    rare,
    remove_column,
    suppress_rare,
    suppress_values,
)
from privacy.deidentify.operations.sampling import sample, shares, stratified
from privacy.deidentify.operations.swapping import rank_swap, record_swap
from privacy.deidentify.randomness import draws
from privacy.deidentify.table import Column, Table

SMALL = settings(deadline=None, derandomize=True, max_examples=100)
SEED = st.integers(0, 10**6).map(lambda number: number.to_bytes(4, "big"))
KEY = b"sixteen bytes ok"


def column(*texts: str) -> Column:
    return Column.of("x", texts)


def told(made: Column) -> list[str]:
    return made.texts().tolist()


def test_a_removed_column_is_gone_and_an_unknown_one_is_refused() -> None:
    table = Table([column("1"), Column.of("y", ["2"])])
    assert list(remove_column(table, "x")) == ["y"]
    with pytest.raises(BadOperation, match="no column z"):
        remove_column(table, "z")


def test_a_value_of_too_few_persons_is_blanked_in_all_its_cells() -> None:
    given = column("a", "a", "a", "b", "b", "")
    unit = np.array([0, 0, 0, 1, 2, 3], dtype=np.int32)
    assert (told(suppress_rare(given, least=2, unit=unit)[0])) == ["", "", "", "b", "b", ""]
    blanked, cells = suppress_rare(given, least=3)
    assert told(blanked) == ["a", "a", "a", "", "", ""]
    assert cells == 2
    assert "b" not in blanked.values


def test_listed_values_are_blanked_and_counted() -> None:
    blanked, cells = suppress_values(column("a", "b", "", "a"), ["a", "", "c"])
    assert told(blanked) == ["", "b", "", ""]
    assert cells == 2


def test_rows_are_chosen_by_a_text_or_by_a_rare_value() -> None:
    given = column("a", "b", "", "a")
    assert holding(given, ["b", ""]).tolist() == [False, True, True, False]
    assert rare(given, least=2).tolist() == [False, True, False, False]


def test_a_mask_never_shows_a_whole_value() -> None:
    assert told(mask(column("1234567", "123", "1234", ""), keep=3)) == ["123****", "***", "123*", ""]
    assert told(mask(column("1234567", "12"), keep=2, last=True, sign="●")) == ["●●●●●67", "●●"]


@given(
    st.lists(st.integers(0, 20).map(str) | st.just(""), min_size=1, max_size=40), st.integers(1, 100), SEED
)
@SMALL
def test_a_rank_swap_keeps_the_values_and_the_distance_of_ranks(
    texts: list[str], percent: int, seed: bytes
) -> None:
    known = [int(text) for text in texts if text]
    reach = int(len(known) * percent / 100 + 1e-9)
    if reach < 1 or len(known) < 2:
        return
    swapped = rank_swap(column(*texts), percent=percent, draws=draws(seed, "swap"))
    after = told(swapped.column)
    assert Counter(after) == Counter(texts)
    assert [text == "" for text in after] == [text == "" for text in texts]
    for old, new in zip(texts, after, strict=True):
        if old:
            low, high = sorted((int(old), int(new)))
            assert sum(low < value < high for value in known) < reach
    assert swapped.alone <= (1 if reach == 1 else 0)


@pytest.mark.parametrize("seed", range(20))
def test_distinct_ranks_all_move_and_none_too_far(seed: int) -> None:
    for rows, percent in ((4, 50), (5, 60), (12, 25), (50, 5), (50, 10), (7, 100)):
        before = np.arange(rows)
        swapped = rank_swap(column(*map(str, before)), percent=percent, draws=draws(bytes([seed]), "swap"))
        moved = np.abs(np.array(told(swapped.column), dtype=int) - before)
        assert 1 <= moved.min() <= moved.max() <= rows * percent // 100


def test_a_swap_inside_strata_keeps_each_stratum_whole() -> None:
    texts, areas = [str(number) for number in range(40)], ["n", "s"] * 20
    strata = strata_of([Column.of("area", areas)], 40)
    for swapped in (
        rank_swap(column(*texts), percent=50, draws=draws(b"1", "swap"), strata=strata),
        record_swap(column(*texts), share=1, draws=draws(b"1", "swap"), strata=strata),
    ):
        after = told(swapped.column)
        assert after != texts
        assert all(int(text) % 2 == row % 2 for row, text in enumerate(after))


def test_dates_are_swapped_in_the_order_of_their_texts() -> None:
    days = [f"2020-01-{day:02}" for day in range(1, 32)]
    swapped = told(rank_swap(column(*days), percent=10, draws=draws(b"1", "swap"), as_text=True).column)
    assert sorted(swapped) == days
    assert all(1 <= abs(int(new[-2:]) - int(old[-2:])) <= 3 for old, new in zip(days, swapped, strict=True))


def test_a_swap_that_can_move_nothing_is_refused() -> None:
    with pytest.raises(BadOperation, match=r"5 % is less than one rank of its 12 values"):
        rank_swap(column(*map(str, range(12))), percent=5, draws=draws(b"1", "swap"))
    with pytest.raises(BadOperation, match="less than two"):
        record_swap(column("a", "b"), share=0.5, draws=draws(b"1", "swap"))


@given(st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=2, max_size=40), SEED)
@SMALL
def test_a_record_swap_keeps_the_values_and_changes_all_that_can_change(
    texts: list[str], seed: bytes
) -> None:
    known = Counter(text for text in texts if text)
    if known.total() < 2:
        return
    after = told(record_swap(column(*texts), share=1, draws=draws(seed, "swap")).column)
    assert Counter(after) == Counter(texts)
    if 2 * max(known.values()) <= known.total():
        assert all(old != new for old, new in zip(texts, after, strict=True) if old)


def test_a_record_swap_touches_its_share_of_records_only() -> None:
    before = column(*["a", "b"] * 500)
    after = record_swap(before, share=0.1, draws=draws(b"1", "swap")).column
    assert 0 < changed_cells(before, after) <= 100


def test_pram_keeps_a_value_with_its_probability_and_leaves_gaps() -> None:
    before = column(*["a"] * 6000, *["b"] * 3000, *["c"] * 1000, "")
    after = pram.pram(before, matrix=pram.retaining(0.8, 3), draws=draws(b"1", "pram"))
    old, new = np.array(told(before)), np.array(told(after))
    assert new[-1] == ""
    for value, count in (("a", 6000), ("b", 3000), ("c", 1000)):
        kept = (new[old == value] == value).sum()
        assert abs(kept - 0.8 * count) < 5 * np.sqrt(0.16 * count)
    assert abs((new[old == "a"] == "b").sum() - 600) < 5 * np.sqrt(540)


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=3, max_size=3),
    st.lists(st.integers(1, 50), min_size=3, max_size=3),
)
@SMALL
def test_an_invariant_matrix_expects_the_counts_it_was_made_of(
    weights: list[list[int]], counts: list[int]
) -> None:
    matrix = np.array(weights, dtype=float) + np.eye(3)
    matrix /= matrix.sum(axis=1, keepdims=True)
    held = np.array(counts, dtype=float)
    both = pram.invariant(matrix, held)
    assert both.sum(axis=1) == pytest.approx(np.ones(3))
    assert held @ both == pytest.approx(held)


def test_a_category_of_probability_nought_is_never_drawn() -> None:
    given = column("a", "b", "c", *["a"] * 3000)
    matrix = pram.stated({"a": {"b": 1.0}, "b": {"a": 0.3, "b": 0.7}, "c": {"c": 1.0}}, given)
    after = told(pram.pram(given, matrix=matrix, draws=draws(b"1", "pram")))
    assert set(after[3:]) == {"b"}
    assert after[2] == "c"


class Highest:
    """Draws the largest number below 1, time and again."""

    def random(self, size: int) -> np.ndarray:
        return np.full(size, np.nextafter(1, 0))


def test_no_draw_however_large_leads_to_a_category_of_probability_nought() -> None:
    given = column(*"abc")
    row = {"a": 0.9999999997, "b": 2e-10, "c": 0.0}
    matrix = pram.stated({"a": row, "b": row, "c": row}, given)
    assert told(pram.pram(given, matrix=matrix, draws=Highest())) == ["b", "b", "b"]


def test_bad_matrices_are_refused() -> None:
    given = column("a", "b")
    with pytest.raises(BadOperation, match="no row for 1 of its values"):
        pram.stated({"a": {"a": 1.0}}, given)
    with pytest.raises(BadOperation, match="must add up to 1"):
        pram.stated({"a": {"a": 0.9}, "b": {"b": 1.0}}, given)
    with pytest.raises(BadOperation, match="leads to values it does not hold"):
        pram.stated({"a": {"z": 1.0}, "b": {"b": 1.0}}, given)
    with pytest.raises(BadOperation, match="needs 2 to 2000 values, and it has 1"):
        pram.categories(column("a", "a", ""))


@given(st.lists(st.integers(0, 8), min_size=1, max_size=40), st.integers(1, 40), SEED)
@SMALL
def test_a_sample_has_its_exact_size_in_persons_and_takes_them_whole(
    unit: list[int], size: int, seed: bytes
) -> None:
    people = np.array(unit, dtype=np.int32)
    if size > len(set(unit)):
        with pytest.raises(BadOperation, match=f"a sample of {size} cannot be taken from {len(set(unit))}"):
            sample(len(unit), size=size, draws=draws(seed, "sample"), unit=people)
        return
    rows = sample(len(unit), size=size, draws=draws(seed, "sample"), unit=people)
    chosen = set(people[rows].tolist())
    assert len(chosen) == size
    assert rows.tolist() == [row for row, person in enumerate(unit) if person in chosen]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.data())
@SMALL
def test_a_stratified_sample_gives_each_stratum_its_quota_to_less_than_one(
    strata: list[int], data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, len(strata)))
    codes = np.array(strata, dtype=np.int32)
    rows = stratified(codes, size=size, draws=draws(b"1", "sample"))
    assert len(rows) == len(set(rows.tolist())) == size
    for code, count in Counter(strata).items():
        assert abs(int((codes[rows] == code).sum()) - count * size / len(strata)) < 1


def test_largest_remainders_share_out_the_rest() -> None:
    assert shares(np.array([5, 3, 2]), 4).tolist() == [2, 1, 1]


def test_a_person_in_two_strata_is_refused() -> None:
    with pytest.raises(BadOperation, match="1 persons have rows in more than one stratum"):
        stratified(
            np.array([0, 1, 1], dtype=np.int32),
            size=1,
            draws=draws(b"1", "s"),
            unit=np.array([0, 0, 1], dtype=np.int32),
        )


def test_every_row_is_as_likely_in_a_sample() -> None:
    times = Counter(
        row
        for seed in range(600)
        for row in sample(6, size=2, draws=draws(seed.to_bytes(2, "big"), "s")).tolist()
    )
    assert all(abs(times[row] - 200) < 5 * np.sqrt(600 * 2 / 9) for row in range(6))


@given(
    st.lists(
        st.tuples(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 4)), min_size=1, max_size=20
    ),
    st.integers(1, 400),
    SEED,
)
@SMALL
def test_all_dates_of_a_person_move_by_one_offset(
    rows: list[tuple[date, int]], days: int, seed: bytes
) -> None:
    unit = np.array([person for _, person in rows], dtype=np.int32)
    drawn = offsets(5, days=days, draws=draws(seed, "dates"))
    moved = shift(column(*(day.isoformat() for day, _ in rows)), drawn, unit=unit)
    found = {
        (person, (date.fromisoformat(new) - old).days)
        for (old, person), new in zip(rows, told(moved.column), strict=True)
    }
    assert len(found) == len({person for _, person in rows})
    assert all(1 <= abs(offset) <= days for _, offset in found)
    assert moved.at_bounds == 0


def test_an_offset_of_nought_only_where_it_is_allowed() -> None:
    without, allowed = (offsets(2000, days=2, draws=draws(b"1", "d"), zero=zero) for zero in (False, True))
    assert set(without.tolist()) == {-2, -1, 1, 2}
    assert set(allowed.tolist()) == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize(("edge", "expected"), [(Edge.REFLECT, "2020-01-04"), (Edge.CLAMP, "2020-01-01")])
def test_a_date_over_the_bound_comes_back_and_is_counted(edge: Edge, expected: str) -> None:
    moved = shift(
        column("2020-01-02", "", "2020-03-01"),
        np.array([-4]),
        unit=np.zeros(3, dtype=np.int32),
        low=date(2020, 1, 1),
        edge=edge,
    )
    assert told(moved.column) == [expected, "", (date(2020, 3, 1) - timedelta(4)).isoformat()]
    assert moved.at_bounds == 1


@pytest.mark.parametrize("text", ["2020-02-30", "20200201", "2020-W01-1", "2020/02/01", "令和2年"])
def test_what_is_not_an_iso_date_is_refused_by_row(text: str) -> None:
    with pytest.raises(BadOperation, match=r"1 of 2 rows \(2\) do not") as fault:
        shift(column("2020-01-01", text), np.array([1, 1]), unit=np.array([0, 1], dtype=np.int32))
    assert text not in str(fault.value)


def test_a_pseudonym_is_the_keyed_function_of_name_and_value() -> None:
    made = told(pseudonyms.pseudonyms(column("住民", "", "住民"), key=KEY))
    message = len(b"x").to_bytes(4, "big") + b"x" + "住民".encode()
    expected = base64.b32encode(hmac.new(KEY, message, hashlib.sha256).digest()).decode()[:16]
    assert made == [expected, "", expected]


def test_pseudonyms_differ_by_key_and_by_column() -> None:
    made = {
        told(pseudonyms.pseudonyms(Column.of(name, ["1"]), key=key))[0]
        for name, key in (("x", KEY), ("y", KEY), ("x", KEY[::-1]))
    }
    assert len(made) == 3


def test_name_and_value_cannot_be_read_as_another_pair() -> None:
    one = told(pseudonyms.pseudonyms(Column.of("ab", ["c"]), key=KEY))
    assert one != told(pseudonyms.pseudonyms(Column.of("a", ["bc"]), key=KEY))


def test_pseudonyms_that_collide_grow_until_they_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudonyms, "LENGTH_MIN", 1)
    made = told(pseudonyms.pseudonyms(column(*map(str, range(500))), key=KEY, length=1))
    assert len(set(made)) == 500
    assert {len(text) for text in made} < {2, 3, 4, 5, 6, 7, 8}


@pytest.mark.parametrize(("key", "length"), [(b"short", 16), (KEY, 7), (KEY, 52)])
def test_weak_keys_and_lengths_are_refused(key: bytes, length: int) -> None:
    with pytest.raises(BadOperation):
        pseudonyms.pseudonyms(column("1"), key=key, length=length)


def test_linkage_codes_get_the_numbers_from_one_on_in_random_order() -> None:
    texts = [f"H{number:03}" for number in range(50)]
    made = told(pseudonyms.renumber(column(*texts, "", "H000"), draws=draws(b"1", "renumber")))
    assert sorted(map(int, made[:50])) == list(range(1, 51))
    assert made[50:] == ["", made[0]]
    assert made[:50] != sorted(made[:50], key=int)


def test_no_value_of_the_source_is_left_in_a_renumbered_or_pseudonymous_column() -> None:
    held = column("secret-1", "secret-2", "secret-3").take(np.array([0, 2]))
    for made in (
        pseudonyms.renumber(held, draws=draws(b"1", "r")),
        pseudonyms.pseudonyms(held, key=KEY),
        mask(held, keep=2),
    ):
        assert not any("secret" in value for value in made.values)
        assert len(made.values) <= 2
