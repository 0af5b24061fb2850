"""Singular descriptions: minimal uniques by brute force, their scores, rare values and tails."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.deidentify.errors import DeidentifyError
from privacy.deidentify.proof import singular as sg
from privacy.deidentify.table import Column, Table

SMALL = settings(deadline=None, derandomize=True, max_examples=60)
NAMES = "wxyz"
ROWS = st.lists(st.tuples(*[st.sampled_from("abc")] * 4), max_size=10)
Rows = list[tuple[str, ...]]


def tabled(rows: Rows) -> Table:
    return Table([Column.of(name, [row[i] for row in rows]) for i, name in enumerate(NAMES)])


def few(rows: Rows, units: list[int], row: int, columns: tuple[int, ...], persons_min: int) -> bool:
    """Whether fewer persons than that hold the row's values in the columns."""
    alike = {
        u for other, u in zip(rows, units, strict=True) if all(other[c] == rows[row][c] for c in columns)
    }
    return len(alike) < persons_min


def by_hand(rows: Rows, units: list[int], size: int, persons_min: int) -> set[tuple[int, tuple[str, ...]]]:
    """Minimal rare (row, columns), by trying everything."""
    found = set()
    for row in range(len(rows)):
        for k in range(1, size + 1):
            for columns in combinations(range(4), k):
                parts = [part for j in range(1, k) for part in combinations(columns, j)]
                rare = few(rows, units, row, columns, persons_min)
                if rare and not any(few(rows, units, row, part, persons_min) for part in parts):
                    found.add((row, tuple(NAMES[c] for c in columns)))
    return found


@SMALL
@given(ROWS, st.integers(1, 4))
def test_minimal_uniques_are_those_of_a_brute_force_search(rows: Rows, size: int) -> None:
    found = sg.special_uniques(tabled(rows), NAMES, size=size)
    told = {(int(row), one.columns) for one in found.found for row in one.rows}
    assert told == by_hand(rows, list(range(len(rows))), size, 2)


@SMALL
@given(st.lists(st.tuples(*[st.sampled_from("ab")] * 4, st.integers(0, 3)), max_size=10), st.integers(1, 4))
def test_rare_combinations_count_persons(
    rows: list[tuple[str, str, str, str, int]], persons_min: int
) -> None:
    texts, units = [row[:4] for row in rows], [row[4] for row in rows]
    found = sg.rare_combinations(
        tabled(texts), NAMES, size=3, persons_min=persons_min, units=np.array(units, dtype=np.int32)
    )
    told = {(int(row), one.columns) for one in found for row in one.rows}
    assert told == by_hand(texts, units, 3, persons_min)


def test_a_record_scores_by_its_minimal_uniques() -> None:
    rows = [("a", "a", "a", "a"), ("b", "a", "a", "a"), ("b", "c", "a", "a"), ("b", "c", "a", "a")]
    found = sg.special_uniques(tabled(rows), NAMES, size=3)
    assert [(one.columns, one.rows.tolist()) for one in found.found] == [(("w",), [0]), (("w", "x"), [1])]
    assert found.scores.tolist() == [3 * 2 * 1, 2 * 1, 0, 0]


@pytest.mark.parametrize(("k", "size", "score"), [(1, 3, 8 * 7 * 6), (2, 3, 7 * 6), (3, 3, 6), (1, 1, 8)])
def test_smaller_sets_score_more(k: int, size: int, score: int) -> None:
    assert sg.suda_score(k, columns=9, size=size) == score


def test_a_unique_on_all_columns_alone_scores_one() -> None:
    assert sg.suda_score(3, columns=3, size=3) == 1


def test_too_many_combinations_are_refused_before_work() -> None:
    table = Table([Column.of(str(i), ["a"]) for i in range(60)])
    with pytest.raises(DeidentifyError, match="60 columns have 36050 combinations of up to 3"):
        sg.special_uniques(table, list(table))


def test_a_value_of_few_persons_is_found_though_it_has_many_rows() -> None:
    table = tabled([("a", *"xxx"), ("a", *"xxx"), ("a", *"xxx"), ("b", *"xxx"), ("b", *"xxx")])
    units = np.array([0, 0, 0, 1, 2], dtype=np.int32)
    assert sg.rare_values(table, "w", persons_min=2).rows.tolist() == []
    assert sg.rare_values(table, "w", persons_min=2, units=units).rows.tolist() == [0, 1, 2]


def test_numbers_beyond_the_caps_are_the_tails() -> None:
    found = sg.tails(np.array([1.0, 5, 6, 7, 8, 8, np.nan, 116]), persons_min=3)
    assert (found.low, found.high) == (6, 8)
    assert (found.below.tolist(), found.above.tolist()) == ([0, 1], [7])


@SMALL
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), min_size=1, max_size=12), st.integers(1, 4))
def test_capping_leaves_enough_persons_at_the_caps_and_no_tighter_cap_is_needed(
    rows: list[tuple[int, int]], persons_min: int
) -> None:
    numbers = np.array([float(row[0]) for row in rows])
    units = np.array([row[1] for row in rows], dtype=np.int32)
    found = sg.tails(numbers, persons_min=persons_min, units=units)
    if len(set(units.tolist())) < persons_min:
        assert found.above.tolist() == found.below.tolist() == list(range(len(rows)))
        return
    assert len(set(units[numbers >= found.high].tolist())) >= persons_min
    assert len(set(units[numbers > found.high].tolist())) < persons_min
    assert len(set(units[numbers <= found.low].tolist())) >= persons_min
    assert len(set(units[numbers < found.low].tolist())) < persons_min
    assert found.above.tolist() == np.flatnonzero(numbers > found.high).tolist()
    assert found.below.tolist() == np.flatnonzero(numbers < found.low).tolist()
