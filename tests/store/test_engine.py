"""The embedded engine finds the same integers as a slow evaluator in Python, and nothing else."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pytest
from doubles import (
    columns,
    crowds,
    exact_by_hand,
    literal,
    persons,
    queries,
    query,
    register,
    schemas,
    write_statistics,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.engines.duckdb import DuckdbEngine, EngineFailed
from datasets.engines.sql import RAW_GROUPS_MAX, statement
from privacy.plan import Plan, plan
from privacy.query import All, Any, Compare, Key, Statistic
from privacy.schema import Category, Column, Date, Number, Schema

REAL = settings(deadline=None, derandomize=True, max_examples=40)
SIGNED = (("TINYINT", 8), ("SMALLINT", 16), ("INTEGER", 32), ("BIGINT", 64))
REACH_MAX = 2**56  # 64 rows of it still fit into 64 bits
N = Number(name="n", low=0, high=9)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckdbEngine]:
    engine = DuckdbEngine(threads=1, timeout_s=60, temporary=tmp_path_factory.mktemp("engine"))
    yield engine
    engine._open.clear()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names for new files."""
    folder = tmp_path_factory.mktemp("files")
    return (folder / f"{number}.duckdb" for number in range(1_000_000))  # type: ignore[return-value]


def narrowest(column: Column) -> str:
    """The type that registration stores a column in."""
    return next(
        name
        for name, bits in SIGNED
        if -(2 ** (bits - 1)) <= column.missing and column.high < 2 ** (bits - 1)
    )


def written(files: Iterator[Path], schema: Schema, people: list[list[tuple[int, ...]]]) -> Path:
    return write_statistics(
        next(files), schema, people, types=[narrowest(column) for column in schema.queryable]
    )


def assert_alike(engine: DuckdbEngine, file: Path, planned: Plan, people: list) -> None:
    found, expected = engine.exact(planned, file), exact_by_hand(planned, people)
    assert found.keys() == expected.keys()
    for exact, cells in expected.items():
        assert found[exact].dtype == np.int64
        assert found[exact].tolist() == cells.tolist()


@st.composite
def extreme_columns(draw: st.DrawFn, name: str, widths: tuple[int, ...] = (8, 16, 32, 57)) -> Column:
    """Numbers and dates whose codes reach to the ends of 8, 16, 32 or nearly 64 bits, or span few far codes."""
    bits = draw(st.sampled_from(widths))
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    low, high = draw(
        st.sampled_from(
            ((least + 1, most), (least + 1, least + 4), (most - 3, most), (-1, most), (least + 1, 0))
        )
    )
    made = Date if bits < 16 and draw(st.booleans()) else Number
    return draw(columns(name)) if draw(st.integers(0, 3)) == 0 else made(name=name, low=low, high=high)


@REAL
@given(data=st.data())
def test_exact_integers_of_small_domains_are_those_found_by_hand(engine, files, data) -> None:
    schema = data.draw(schemas())
    people = data.draw(crowds(schema, most=12))
    file = written(files, schema, people)
    for _ in range(4):
        assert_alike(engine, file, plan(data.draw(queries(schema)), schema), people)


@REAL
@given(data=st.data())
def test_exact_integers_at_the_ends_of_every_width_are_those_found_by_hand(engine, files, data) -> None:
    schema = data.draw(schemas(extreme_columns))
    ends = st.tuples(
        *(
            st.sampled_from((column.missing, column.low, column.low + 1, column.high - 1, column.high))
            for column in schema.queryable
        )
    )
    extreme = st.lists(ends, min_size=1, max_size=schema.rows_per_person)
    people = data.draw(st.lists(extreme | persons(schema), max_size=12))
    file = written(files, schema, people)
    for _ in range(4):
        asked = data.draw(queries(schema))
        assert_alike(engine, file, plan(asked, schema), people)


@REAL
@given(data=st.data())
def test_rehearsals_of_any_question_succeed_in_every_cell(engine, data) -> None:
    schema = data.draw(schemas() | schemas(partial(extreme_columns, widths=(8, 16, 32))))
    planned = plan(data.draw(queries(schema)), schema)
    assert {len(cells) for cells in engine.rehearse(planned).values()} == {planned.cells}


def test_an_empty_table_has_every_cell_and_all_are_zero(engine, files) -> None:
    schema = register(N, Category(name="k", values=("a", "b")), rows=3)
    select = (
        Statistic(name="c", agg="count"),
        Statistic(name="p", agg="count_persons"),
        Statistic(name="s", agg="sum", column="n"),
        Statistic(name="m", agg="mean", column="n"),
    )
    for group_by in ((), (Key(column="k", missing=True), Key(column="n"))):
        planned = plan(query(*select, group_by=group_by), schema)
        found = engine.exact(planned, written(files, schema, []))
        assert {tuple(cells.tolist()) for cells in found.values()} == {(0,) * planned.cells}


WIDE = register(Number(name="a", low=-500, high=499), Number(name="b", low=2**31, high=2**31 + 999), rows=2)


@pytest.mark.parametrize("agg", ["count", "count_persons"])
@pytest.mark.parametrize("grouped", [("a",), ("b",), ("a", "b"), ("b", "a")])
def test_keys_of_few_and_of_many_codes_are_told_apart_alike(engine, files, agg, grouped) -> None:
    """Up to 2^18 combinations of codes are grouped as they are, more by segments."""
    bins = {
        "a": tuple(literal(WIDE.queryable[0], code) for code in (-400, -3, 0, 77, 499)),
        "b": tuple(literal(WIDE.queryable[1], 2**31 + code) for code in (1, 2, 500, 1_000)),
    }
    keys = tuple(Key(column=name, bins=bins[name], missing=name == "a") for name in grouped)
    planned = plan(query(Statistic(name="s", agg=agg), group_by=keys), WIDE)
    combinations = 1_001 ** len(grouped)
    assert ("CASE" in statement(planned, "duckdb").text) == (
        combinations > RAW_GROUPS_MAX or agg == "count_persons"
    )
    codes = (-501, -500, -401, -400, -4, -3, -1, 0, 76, 77, 498, 499)
    others = (2**31 - 1, 2**31, 2**31 + 1, 2**31 + 2, 2**31 + 499, 2**31 + 500, 2**31 + 999)
    people = [[(a, b), (codes[place - 1], b)] for place, a in enumerate(codes) for b in others]
    assert_alike(engine, written(files, WIDE, people), planned, people)


def test_values_outside_a_clamp_count_as_its_ends_and_missing_ones_not_at_all(engine, files) -> None:
    schema = register(N, rows=2)
    clamped = Statistic(name="m", agg="mean", column="n", clamp=(3, 7))
    planned = plan(query(clamped), schema)
    found = engine.exact(planned, written(files, schema, [[(-1,), (0,)], [(9,), (5,)]]))
    assert [found[exact].tolist() for exact in planned.exacts] == [[3 + 7 + 5], [3]]


def test_a_person_in_two_codes_of_one_bin_is_counted_once(engine, files) -> None:
    schema = register(N, rows=3)
    binned = (Key(column="n", bins=(0, 5, 9)),)
    planned = plan(query(Statistic(name="p", agg="count_persons"), group_by=binned), schema)
    found = engine.exact(planned, written(files, schema, [[(0,), (4,), (9,)], [(1,)]]))
    assert found[planned.exacts[0]].tolist() == [2, 1]


def test_persons_in_tens_of_thousands_of_single_values_are_counted_quickly(engine, files) -> None:
    """Each value is its own cell: no tree of comparisons is built, which would take a minute."""
    schema = register(Number(name="n", low=-20_000, high=29_999), rows=2)
    every = (Key(column="n", missing=True),)
    planned = plan(query(Statistic(name="p", agg="count_persons"), group_by=every), schema)
    assert "CASE" not in statement(planned, "duckdb").text
    people = [[(-20_001,), (-20_000,)], [(0,), (0,)], [(29_999,)]]
    assert_alike(engine, written(files, schema, people), planned, people)


def test_hundreds_of_separate_values_in_a_filter_are_all_heeded(engine, files) -> None:
    schema = register(Number(name="n", low=0, high=5_000))
    chosen = tuple(range(0, 1_998, 2))
    people = [[(code,)] for code in range(0, 5_001, 3)]
    file = written(files, schema, people)
    listed = Compare(column="n", op="in", values=chosen)
    alternating = Any(
        tuple(All((Compare(column="n", op=">", values=(3 * code,)),) * 2) for code in chosen[:60])
    )
    for where in (listed, alternating):
        assert_alike(engine, file, plan(query(where=where), schema), people)


def test_the_largest_sums_that_a_descriptor_allows_stay_exact(engine, files) -> None:
    largest = Number(name="n", low=-REACH_MAX, high=REACH_MAX, step=Decimal(1))
    schema = register(largest, rows=1)
    totals = (Statistic(name="s", agg="sum", column="n"), Statistic(name="m", agg="mean", column="n"))
    planned = plan(query(*totals), schema)
    for code in (REACH_MAX, -REACH_MAX):
        people = [[(code,)]] * 60
        assert_alike(engine, written(files, schema, people), planned, people)


# What an engine cannot do


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A file outside that anybody with file access could read."""
    file = tmp_path / "outside.csv"
    file.write_text("c0,rank,person\n1,1,1\n")
    return file


def with_view(file: Path, view: str) -> Path:
    """A statistics file whose table is a view of something else."""
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"CREATE VIEW rows AS {view}")
    return file


def test_a_question_that_takes_too_long_fails_without_a_word(files, tmp_path) -> None:
    endless = with_view(
        next(files), "SELECT (i % 10) AS c0, 1 AS rank, i AS person FROM range(1000000000000) AS r(i)"
    )
    hurried = DuckdbEngine(threads=1, timeout_s=0.05, temporary=tmp_path)
    with pytest.raises(EngineFailed) as failed:
        hurried.exact(plan(query(), register(N)), endless)
    assert str(failed.value) == ""


def test_after_a_timeout_the_next_question_is_answered(files, tmp_path) -> None:
    schema = register(N)
    endless = with_view(next(files), "SELECT 1 AS c0 FROM range(1000000000000)")
    hurried = DuckdbEngine(threads=1, timeout_s=0.5, temporary=tmp_path)
    with pytest.raises(EngineFailed):
        hurried.exact(plan(query(where=Compare(column="n", op="=", values=(1,))), schema), endless)
    assert_alike(hurried, written(files, schema, [[(1,)]]), plan(query(), schema), [[(1,)]])


def test_a_file_that_is_not_there_or_is_no_database_fails_without_a_word(engine, tmp_path) -> None:
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(b"no database" * 1_000)
    for file in (broken, tmp_path / "missing.duckdb"):
        with pytest.raises(EngineFailed) as failed:
            engine.exact(plan(query(), register(N)), file)
        assert str(failed.value) == ""


def test_no_file_outside_can_be_read(engine, files, foreign) -> None:
    view = f"SELECT * FROM read_csv('{foreign}')"
    file = with_view(next(files), view)
    with duckdb.connect() as unlocked:
        assert unlocked.execute(f"SELECT count(*) FROM ({view})").fetchone() == (1,)
    with pytest.raises(EngineFailed):
        engine.exact(plan(query(), register(N)), file)


@pytest.mark.parametrize(
    "attempt",
    [
        "SELECT * FROM read_csv('{outside}')",
        "SELECT * FROM '{outside}'",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '{outside}.copy'",
        "ATTACH '{outside}.duckdb'",
        "EXPORT DATABASE '{outside}.export'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SET threads = 64",
        "SET temp_directory = '/tmp'",
        "RESET lock_configuration",
        "SET lock_configuration = false",
        "CREATE TABLE more (i INTEGER)",
        "DELETE FROM rows",
        "DROP TABLE rows",
    ],
)
def test_a_connection_is_read_only_and_its_doors_are_locked(engine, files, foreign, attempt: str) -> None:
    file = written(files, register(N), [[(1,)]])
    connection = engine._connect(file)
    with pytest.raises(duckdb.Error):
        connection.execute(attempt.format(outside=foreign))
    assert [path.name for path in foreign.parent.iterdir()] == [foreign.name]


def test_a_generated_table_has_no_way_out_either(engine, foreign) -> None:
    connection = engine._generated(register(N))
    with pytest.raises(duckdb.Error):
        connection.execute(f"SELECT * FROM read_csv('{foreign}')")
    with pytest.raises(duckdb.Error):
        connection.execute("SET enable_external_access = true")


def test_only_so_many_files_stay_open(engine, files) -> None:
    schema = register(N)
    for _ in range(20):
        engine.exact(plan(query(), schema), written(files, schema, [[(1,)]]))
    assert len(engine._open) == 16
