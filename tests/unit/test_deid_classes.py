"""Equivalence classes: rows published alike, persons in them, and the values they hold."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.deidentify import classes as cl
from privacy.deidentify.table import Column, Table

SMALL = settings(deadline=None, derandomize=True, max_examples=60)
ROWS = st.lists(st.tuples(*[st.sampled_from("abc")] * 3, st.integers(0, 3)), max_size=12)
Row = tuple[str, str, str, int]


def tabled(rows: list[Row]) -> tuple[Table, np.ndarray]:
    """Three columns x, y, z, and the persons."""
    columns = [Column.of(name, [row[i] for row in rows]) for i, name in enumerate("xyz")]  # type: ignore[misc]
    return Table(columns), np.array([row[3] for row in rows], dtype=np.int32)


@SMALL
@given(ROWS)
def test_rows_are_in_one_class_exactly_if_their_texts_agree(rows: list[Row]) -> None:
    found = cl.classes(tabled(rows)[0], ["x", "z"])
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            assert (found.of[i] == found.of[j]) == ((one[0], one[2]) == (other[0], other[2]))


@SMALL
@given(ROWS)
def test_a_class_knows_its_size_and_its_first_row(rows: list[Row]) -> None:
    found = cl.classes(tabled(rows)[0], ["x", "y"])
    assert len(found) == len({row[:2] for row in rows})
    assert found.sizes.tolist() == [Counter(found.of.tolist())[c] for c in range(len(found))]
    assert found.first.tolist() == [found.of.tolist().index(c) for c in range(len(found))]


@SMALL
@given(ROWS, st.data())
def test_rows_left_out_are_in_no_class_and_change_none(rows: list[Row], data: st.DataObject) -> None:
    table, _ = tabled(rows)
    mask = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))), dtype=np.bool_
    )
    found, taken = cl.classes(table, ["x", "y"], rows=mask), cl.classes(table.take(mask), ["x", "y"])
    assert (found.of[~mask] == -1).all()
    assert found.of[mask].tolist() == taken.of.tolist()
    assert found.sizes.tolist() == taken.sizes.tolist()
    assert found.first.tolist() == np.flatnonzero(mask)[taken.first].tolist()


def test_without_columns_all_rows_are_one_class() -> None:
    assert cl.classes(tabled([("a", "b", "c", 0)] * 3)[0], []).sizes.tolist() == [3]


def test_keys_beyond_64_bits_are_ranked_on_the_way_and_nothing_collides() -> None:
    draws = np.random.default_rng(5)
    codes = draws.integers(0, 2**20, size=(7, 500)).astype(np.int32)
    codes[:, 250:] = codes[:, :250]
    codes[6, 499] = (codes[6, 499] + 1) % 2**20
    of, count = cl.grouped(((column, 2**20) for column in codes), 500)
    assert count == 251
    assert (of[:249] == of[250:499]).all()
    assert of[249] != of[499]


@SMALL
@given(ROWS)
def test_sorting_and_counting_in_a_table_rank_alike(rows: list[Row]) -> None:
    keys = np.array([hash(row[:2]) % 50 for row in rows], dtype=np.int64)
    by_table, by_sorting = cl.ranked(keys, 50), cl.ranked(keys, 2**40)
    assert by_table[0].tolist() == by_sorting[0].tolist()
    if rows:
        assert by_table[1] == by_sorting[1]


@SMALL
@given(ROWS)
def test_a_person_counts_once_in_a_class(rows: list[Row]) -> None:
    table, units = tabled(rows)
    found = cl.classes(table, ["x"])
    expected = [len({row[3] for row in rows if row[0] == table["x"].values[c]}) for c in range(len(found))]
    assert cl.persons(found, units).tolist() == expected


@SMALL
@given(ROWS, st.booleans())
def test_a_distribution_counts_persons_or_rows_of_each_value(rows: list[Row], by_person: bool) -> None:
    table, units = tabled(rows)
    found = cl.classes(table, ["x"])
    got = cl.distribution(found, table["y"], units=units if by_person else None)
    seen = {(*row, i if not by_person else 0) for i, row in enumerate(rows)}
    cells = Counter((x, y) for x, y, *_ in {(row[0], row[1], row[3], row[4]) for row in seen})
    told = zip(got.class_of, got.value_of, got.counts, strict=True)
    assert {(table["x"].values[c], table["y"].values[v]): n for c, v, n in told} == dict(cells)
    assert got.dense().sum(axis=1).tolist() == got.totals().tolist()


def test_shares_of_persons_count_a_repeated_value_once() -> None:
    column = Column.of("illness", ["flu", "flu", "flu", "cold"])
    assert cl.shares(column).tolist() == [0.75, 0.25]
    assert cl.shares(column, units=np.array([0, 0, 1, 1], dtype=np.int32)).tolist() == [2 / 3, 1 / 3]


def test_joined_columns_agree_where_their_texts_do() -> None:
    both = cl.joined(Column.of("x", ["a", "b"]), Column.of("x", ["b", "c"]))
    assert both.texts().tolist() == ["a", "b", "b", "c"]
    assert len(both.values) == 3
