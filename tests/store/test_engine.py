"""The embedded engine finds the same integers as a slow evaluator in Python, and nothing else."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pytest
from doubles import (
    FAMILIES,
    RUN,
    at,
    columns,
    count,
    crowds,
    embedded,
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
from lanes import first

from datasets.engines.base import EngineLimits, Place
from datasets.engines.duckdb import DuckdbEngine
from datasets.engines.errors import EngineFailed, EngineUnavailable
from datasets.engines.format import STATISTICS_FILE
from datasets.engines.rehearsal import DummyEngine
from datasets.engines.sql import RAW_GROUPS_MAX, passes, statement
from privacy.exact import cells_over
from privacy.plan import Plan, plan
from privacy.query import CALENDAR, All, Any, Compare, Group, Key, Not, Statistic, WorkloadTable
from privacy.schema import Category, Column, Date, Number, Schema, day_number

REAL = settings(deadline=None, derandomize=True, max_examples=40)
FEW_AND_MANY = first(1, [settings(REAL, max_examples=15), REAL])
"""Sixty questions to fifteen registers, and more of both where there is time."""
SIGNED = (("TINYINT", 8), ("SMALLINT", 16), ("INTEGER", 32), ("BIGINT", 64))
REACH_MAX = 2**56  # 64 rows of it still fit into 64 bits
N = Number(name="n", low=0, high=9)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckdbEngine]:
    engine = embedded(tmp_path_factory.mktemp("engine"))
    yield engine
    engine.connections.clear()


@pytest.fixture(scope="module")
def dummy(tmp_path_factory: pytest.TempPathFactory) -> DummyEngine:
    return DummyEngine(EngineLimits(threads=1, timeout_s=60, temporary=tmp_path_factory.mktemp("dummy")))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names for the folders of new files."""
    folder = tmp_path_factory.mktemp("files")
    return (folder / str(number) for number in range(1_000_000))  # type: ignore[return-value]


def narrowest(column: Column) -> str:
    """The type that registration stores a column in."""
    return next(
        name
        for name, bits in SIGNED
        if -(2 ** (bits - 1)) <= column.missing and column.high < 2 ** (bits - 1)
    )


def written(files: Iterator[Path], schema: Schema, people: list[list[tuple[int, ...]]]) -> Place:
    return write_statistics(
        next(files), schema, people, types=[narrowest(column) for column in schema.queryable]
    )


def assert_alike(engine: DuckdbEngine, place: Place, planned: Plan, people: list) -> None:
    found, expected = engine.exact(planned, place, RUN), exact_by_hand(planned, people)
    assert found.keys() == expected.keys()
    for exact, cells in expected.items():
        assert found[exact].dtype == np.int64
        assert found[exact].tolist() == cells.tolist()


def sql_of(planned: Plan) -> str:
    """The text of a plan's only statement."""
    (only,) = passes(planned)
    return statement(planned, only, "duckdb").text


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


def ends_of(column: Column) -> tuple[int, ...]:
    """The codes at the ends of a column, none outside of a domain of one value."""
    low, high = column.low, column.high
    return column.missing, low, min(low + 1, high), max(high - 1, low), high


@pytest.mark.parametrize("often", FEW_AND_MANY)
def test_exact_integers_of_small_domains_are_those_found_by_hand(engine, files, often) -> None:
    @often
    @given(data=st.data())
    def agree(data) -> None:
        schema = data.draw(schemas())
        people = data.draw(crowds(schema, most=12))
        file = written(files, schema, people)
        for _ in range(4):
            assert_alike(engine, file, plan(data.draw(queries(schema)), schema), people)

    agree()


@pytest.mark.parametrize(
    "groups",
    [
        (Group("both", ("f", "m")), Group("x", ("x",))),
        # Members apart: every code begins a group anew, as if each were a group of its own.
        (Group("both", ("f", "x")), Group("m", ("m",))),
    ],
    ids=["side by side", "apart"],
)
def test_a_filter_of_a_statistic_and_persons_in_a_group(engine, files, groups) -> None:
    """Sums and persons of one statistic's own filter, by groups of values in which a person stands twice."""
    women = Compare(column="sex", op="in", values=("f", "x"))
    select = [
        Statistic(name=f"s{place}", agg=agg, column=column, where=women)
        for place, (agg, column) in enumerate(
            (
                ("sum", "age"),
                ("mean", "age"),
                ("variance", "income"),
                ("count_persons", None),
                ("median", "age"),
            )
        )
    ]
    keys = (Key(column="sex", groups=groups),)
    people = [[(0, 30, 5, 0), (1, 31, 6, 0), (2, 32, 7, 0)], [(0, 40, 5, 0), (0, 41, 5, 0)], [(1, 50, 5, 0)]]
    file = written(files, FAMILIES, people)
    asked = query(*select, group_by=keys)
    assert_alike(engine, file, plan(asked, FAMILIES), people)
    alone = query(Statistic(name="n", agg="count_persons"), group_by=keys)
    assert_alike(engine, file, plan(alone, FAMILIES), people)


@pytest.mark.long
@pytest.mark.parametrize("often", FEW_AND_MANY)
def test_exact_integers_at_the_ends_of_every_width_are_those_found_by_hand(engine, files, often) -> None:
    @often
    @given(data=st.data())
    def agree(data) -> None:
        schema = data.draw(schemas(extreme_columns))
        ends = st.tuples(*(st.sampled_from(ends_of(column)) for column in schema.queryable))
        extreme = st.lists(ends, min_size=1, max_size=schema.rows_per_person)
        people = data.draw(st.lists(extreme | persons(schema), max_size=12))
        file = written(files, schema, people)
        for _ in range(4):
            asked = data.draw(queries(schema))
            assert_alike(engine, file, plan(asked, schema), people)

    agree()


@pytest.mark.long
@REAL
@given(data=st.data())
def test_rehearsals_of_any_question_succeed_in_every_cell(dummy, data) -> None:
    schema = data.draw(schemas() | schemas(partial(extreme_columns, widths=(8, 16, 32))))
    planned = plan(data.draw(queries(schema)), schema)
    found = dummy.exact(planned)
    assert set(found) == set(planned.exact_requests)
    for (over, exact), cells in found.items():
        assert len(cells) == cells_over(planned.axes, over) * exact.size


def test_an_empty_table_has_every_cell_and_all_are_zero(engine, files) -> None:
    schema = register(N, Category(name="k", values=("a", "b")), rows=3)
    select = (
        Statistic(name="c", agg="count"),
        Statistic(name="p", agg="count_persons"),
        Statistic(name="s", agg="sum", column="n"),
        Statistic(name="m", agg="mean", column="n"),
        Statistic(name="v", agg="variance", column="n"),
        Statistic(name="q", agg="median", column="n"),
        Statistic(name="t", agg="sum", column="n", per_person_clamp=(0, 9)),
        Statistic(name="r", agg="ratio", numerator=Compare(column="k", op="=", values=("a",))),
        Statistic(name="x", agg="share_kept"),
    )
    file = written(files, schema, [])
    for group_by in ((), (Key(column="k", missing=True), Key(column="n"))):
        planned = plan(query(*select, group_by=group_by, rows_per_person=2), schema)
        found = engine.exact(planned, file, RUN)
        assert set(found) == set(planned.exact_requests)
        for (_, exact), cells in found.items():
            assert cells.tolist() == [0] * (planned.cells * exact.size)


WIDE = register(Number(name="a", low=-500, high=499), Number(name="b", low=2**31, high=2**31 + 999), rows=2)


@pytest.mark.parametrize("agg", ["count", "count_persons"])
@pytest.mark.parametrize("grouped", [("a",), ("b",), ("a", "b"), ("b", "a")])
def test_keys_of_few_and_of_many_codes_are_told_apart_alike(engine, files, agg, grouped) -> None:
    """Up to 2^18 combinations of codes are grouped as they are, more by their buckets."""
    bins = {
        "a": tuple(literal(WIDE.queryable[0], code) for code in (-400, -3, 0, 77, 499)),
        "b": tuple(literal(WIDE.queryable[1], 2**31 + code) for code in (1, 2, 500, 1_000)),
    }
    keys = tuple(Key(column=name, bins=bins[name], missing=name == "a") for name in grouped)
    planned = plan(query(Statistic(name="s", agg=agg), group_by=keys), WIDE)
    combinations = 1_001 ** len(grouped)
    assert ("LIST_EXTRACT" in sql_of(planned)) == (combinations > RAW_GROUPS_MAX or agg == "count_persons")
    codes = (-501, -500, -401, -400, -4, -3, -1, 0, 76, 77, 498, 499)
    others = (2**31 - 1, 2**31, 2**31 + 1, 2**31 + 2, 2**31 + 499, 2**31 + 500, 2**31 + 999)
    people = [[(a, b), (codes[place - 1], b)] for place, a in enumerate(codes) for b in others]
    assert_alike(engine, written(files, WIDE, people), planned, people)


def test_values_outside_a_clamp_count_as_its_ends_and_missing_ones_not_at_all(engine, files) -> None:
    schema = register(N, rows=2)
    clamped = Statistic(name="m", agg="mean", column="n", clamp=(3, 7))
    planned = plan(query(clamped), schema)
    found = engine.exact(planned, written(files, schema, [[(-1,), (0,)], [(9,), (5,)]]), RUN)
    assert [found[request].tolist() for request in planned.exact_requests] == [[3 + 7 + 5], [3]]


def test_a_person_in_two_codes_of_one_bin_is_counted_once(engine, files) -> None:
    schema = register(N, rows=3)
    binned = (Key(column="n", bins=(0, 5, 9)),)
    planned = plan(query(Statistic(name="p", agg="count_persons"), group_by=binned), schema)
    found = engine.exact(planned, written(files, schema, [[(0,), (4,), (9,)], [(1,)]]), RUN)
    assert found[planned.exact_requests[0]].tolist() == [2, 1]


@pytest.mark.long
def test_persons_in_tens_of_thousands_of_single_values_are_counted_quickly(engine, files) -> None:
    """Each value is its own cell: no tree of comparisons is built, which would take a minute."""
    schema = register(Number(name="n", low=-20_000, high=29_999), rows=2)
    every = (Key(column="n", missing=True),)
    planned = plan(query(Statistic(name="p", agg="count_persons"), group_by=every), schema)
    assert "CASE" not in sql_of(planned)
    people = [[(-20_001,), (-20_000,)], [(0,), (0,)], [(29_999,)]]
    assert_alike(engine, written(files, schema, people), planned, people)


FAR = register(Number(name="a", low=-300_000, high=700_001), rows=2)
EDGES = {
    "steps": tuple(range(-300_000, 600_001, 100_000)),
    "steps of the domain": tuple(range(-300_000, 700_001, 100_000)),
    "odd steps": (-299_999, -77, 0, 1, 65_537, 700_001),
    "steps and one value": (-300_000, -200_000, -100_000, -99_999, 700_001),
    "steps from the second value": (-299_999, -200_000, 0, 700_001),
    "beyond": (-300_000, 700_002),
    "inside": (3, 4),
    "single values": tuple(range(-7, 12)),
    "the last values": tuple(range(699_990, 700_003)),
}


@pytest.mark.parametrize("agg", ["count", "count_persons"])
@pytest.mark.parametrize("edges", EDGES)
def test_wide_keys_are_told_apart_by_a_table_a_search_or_an_offset(engine, files, agg, edges: str) -> None:
    (column,) = FAR.queryable
    ends = {column.missing, column.low, column.high}
    near = {edge + off for edge in EDGES[edges] for off in (-1, 0, 1)}
    codes = sorted({min(max(code, column.missing), column.high) for code in near} | ends)
    people = [[(code,), (codes[place - 1],)] for place, code in enumerate(codes)]
    place = written(files, FAR, people)
    for missing in (False, True):
        key = Key(column="a", bins=tuple(literal(column, edge) for edge in EDGES[edges]), missing=missing)
        planned = plan(query(Statistic(name="s", agg=agg), group_by=(key,)), FAR)
        assert "CASE" not in sql_of(planned)
        assert ("s0_0" in sql_of(planned)) >= (edges == "odd steps")
        assert ("s0_0" in sql_of(planned)) <= (edges not in ("steps", "steps of the domain"))
        assert_alike(engine, place, planned, people)


@pytest.mark.parametrize("step", [1_000, 2_003])
def test_many_intervals_are_looked_up_or_searched_for(engine, files, step: int) -> None:
    chosen = tuple(step * number for number in range(-149, 150))
    people = [[(code + off,)] for code in chosen for off in (-1, 0, 1)] + [[(-300_001,)], [(700_001,)]]
    place = written(files, FAR, people)
    listed = Compare(column="a", op="in", values=chosen)
    ranges = Any(tuple(Compare(column="a", op="between", values=(low, low + 500)) for low in chosen))
    for where in (listed, Not(listed), ranges, Not(ranges)):
        planned = plan(query(where=where), FAR)
        assert "LIST_EXTRACT" in sql_of(planned)
        assert_alike(engine, place, planned, people)


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


# Each kind of exact integer


WHOLE = Number(name="n", low=-3, high=40)
KIND = Category(name="k", values=("a", "b"))
DAY = Date(name="d", low=day_number(date(2023, 2, 20)), high=day_number(date(2025, 4, 1)))
MIXED = register(WHOLE, KIND, DAY, rows=3)
CODES = (-4, -3, -2, 0, 5, 6, 7, 17, 39, 40)
PEOPLE = [
    [
        (CODES[(place + turn) % 10], (place + turn) % 3 - 1, DAY.low - 1 + 37 * place * turn % 773)
        for turn in range(1 + place % 3)
    ]
    for place in range(60)
]
A = Compare(column="k", op="=", values=("a",))
SMALL_N = Compare(column="n", op="<", values=(6,))
GROUPS = [(), (Key(column="k"),), (Key(column="k", missing=True), Key(column="n", bins=(-3, 0, 7, 41)))]


@pytest.fixture(scope="module")
def mixed(files) -> Path:
    return written(files, MIXED, PEOPLE)


def of_n(agg: str, **members: object) -> Statistic:
    return Statistic(**{"name": "s", "agg": agg, "column": "n", **members})  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("group_by", GROUPS, ids=["alone", "keyed", "two keys"])
@pytest.mark.parametrize(
    "statistic",
    [
        Statistic(name="s", agg="count_persons"),
        *(of_n(agg, clamp=clamp) for agg in ("variance", "median") for clamp in (None, (0, 40), (-3, 17), (5, 7))),
        *(of_n("sum", per_person_clamp=person) for person in ((-100, 100), (-2, 9), (0, 3), (6, 20), (-9, -1))),
        of_n("sum", clamp=(0, 6), per_person_clamp=(1, 9)),
        Statistic(name="s", agg="ratio", numerator=SMALL_N),
        Statistic(name="s", agg="ratio", numerator=SMALL_N, denominator=A),
        Statistic(name="s", agg="ratio", numerator=All(()), denominator=Any(())),
    ],
    ids=lambda one: f"{one.agg}{one.clamp or ''}{one.per_person_clamp or ''}",
)  # fmt: skip
def test_each_kind_of_exact_integer_is_that_found_by_hand(engine, mixed, statistic, group_by, rows) -> None:
    for where in (None, A, Any((SMALL_N, Not(A)))):
        planned = plan(query(statistic, group_by=group_by, where=where, rows_per_person=rows), MIXED)
        assert_alike(engine, mixed, planned, PEOPLE)


@pytest.mark.parametrize("group_by", GROUPS, ids=["alone", "keyed", "two keys"])
def test_rows_beyond_a_narrower_bound_count_only_where_all_rows_are_asked_for(
    engine, mixed, group_by
) -> None:
    kept = Statistic(name="x", agg="share_kept")
    median = of_n("median", name="m")
    planned = plan(query(kept, of_n("mean"), median, group_by=group_by, rows_per_person=1), MIXED)
    assert len(passes(planned)) == 3
    assert_alike(engine, mixed, planned, PEOPLE)
    found = engine.exact(planned, mixed, RUN)
    (over, bounded), (_, whole) = planned.exact_requests[:2]
    assert found[over, bounded].sum() < found[over, whole].sum()


@pytest.mark.parametrize("by", CALENDAR)
@pytest.mark.parametrize(
    "statistic",
    [count("s"), Statistic(name="s", agg="count_persons"), of_n("variance"), of_n("median")],
    ids=lambda one: one.agg,
)
def test_periods_of_the_calendar_hold_their_days(engine, files, by: str, statistic: Statistic) -> None:
    """Every day from February 2023 to April 2025, the leap day among them, and missing dates."""
    people = [[(5, 0, day)] for day in range(DAY.missing, DAY.high + 1)]
    planned = plan(query(statistic, group_by=(Key(column="d", by=by, missing=True),)), MIXED)
    file = written(files, MIXED, people)
    assert_alike(engine, file, planned, people)
    if statistic.agg == "count":
        (cells,) = engine.exact(planned, file, RUN).values()
        days = [high - low + 1 for low, high in planned.axes[0].buckets]
        assert cells.tolist() == days


@pytest.mark.parametrize("by", CALENDAR)
def test_a_day_at_the_turn_of_a_period_counts_in_the_right_one(engine, files, by: str) -> None:
    turns = [
        date(2023, 12, 31),
        date(2024, 1, 1),
        date(2024, 2, 29),
        date(2024, 3, 1),
        date(2024, 3, 31),
        date(2024, 4, 1),
    ]
    labels = {
        "year": ["2023", "2024", "2024", "2024", "2024", "2024"],
        "fiscal_year": ["FY2023", "FY2023", "FY2023", "FY2023", "FY2023", "FY2024"],
        "quarter": ["2023-Q4", "2024-Q1", "2024-Q1", "2024-Q1", "2024-Q1", "2024-Q2"],
        "month": ["2023-12", "2024-01", "2024-02", "2024-03", "2024-03", "2024-04"],
    }[by]
    planned = plan(query(group_by=(Key(column="d", by=by),)), MIXED)
    for day, label in zip(turns, labels, strict=True):
        (cells,) = engine.exact(planned, written(files, MIXED, [[(0, 0, day_number(day))]]), RUN).values()
        assert [name for name, cell in zip(planned.axes[0].labels, cells, strict=True) if cell] == [label]


@pytest.mark.parametrize(
    ("column", "clamp"),
    [
        (Number(name="w", low=-7, high=99_999), None),
        (Number(name="w", low=-7, high=99_999), (-5, 90_000)),
        (Number(name="w", low=-7, high=99_999), (40_000, 99_999)),
        (Number(name="w", low=-50_000, high=-1), None),
        (Number(name="w", low=-50_000, high=-1), (-50_000, -12_345)),
        (Number(name="w", low=-50_000, high=-1), (-45_001, -2)),
        (Number(name="w", low=-7, high=999_999), None),
        (Number(name="w", low=-7, high=999_999), (-5, 900_000)),
        (Number(name="w", low=-700_000, high=99), (-600_001, -2)),
    ],
    ids=str,
)
@pytest.mark.parametrize("keyed", [False, True])
def test_wide_columns_are_put_on_a_grid_and_into_bins(engine, files, column, clamp, keyed: bool) -> None:
    """The variance of a wide span is measured on a grid, its median in bins of several codes."""
    low, high = clamp or (column.low, column.high)
    schema = register(column, KIND, rows=2)
    select = (
        Statistic(name="v", agg="variance", column="w", clamp=(low, high)),
        Statistic(name="m", agg="median", column="w", clamp=(low, high)),
    )
    group_by = (Key(column="k", missing=True),) if keyed else ()
    planned = plan(query(*select, group_by=group_by), schema)
    assert {
        exact.grid > 1 for _, exact in planned.exact_requests if exact.kind in ("histogram", "square")
    } == {True}
    codes = sorted(
        {
            min(max(code, column.missing), column.high)
            for end in (column.low, low, high, (low + high) // 2)
            for code in range(end - 9, end + 10)
        }
    )
    people = [[(code, place % 3 - 1), (codes[-place], 0)] for place, code in enumerate(codes)]
    assert_alike(engine, written(files, schema, people), planned, people)


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("agg", ["sum", "mean", "variance", "median"])
@pytest.mark.parametrize("person", [False, True])
def test_narrow_columns_do_not_overflow(engine, files, bits: int, agg: str, person: bool) -> None:
    """Values at both ends of the stored type, added and squared."""
    if person and agg != "sum":
        return
    low, high = -(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1
    schema = register(Number(name="n", low=low, high=high), rows=3)
    clamp = (low - 5, high + 5) if person else None
    statistic = Statistic(name="s", agg=agg, column="n", per_person_clamp=clamp)
    people = [[(end,)] * 3 for end in (low, high) for _ in range(50)] + [[(low - 1,), (0,)]]
    planned = plan(query(statistic), schema)
    assert_alike(engine, written(files, schema, people), planned, people)


@pytest.mark.parametrize("kind", ["totals", "tables"])
def test_margins_and_workloads_find_every_grid(engine, mixed, kind: str) -> None:
    keys = (Key(column="k"), Key(column="n", bins=(-3, 5, 40)), Key(column="d", by="year"))
    if kind == "totals":
        asked = query(count("c"), of_n("variance"), group_by=keys, totals=True)
    else:
        tables = tuple(WorkloadTable(name=f"t{place}", group_by=(key,)) for place, key in enumerate(keys))
        asked = query(count("c"), of_n("mean"), tables=tables)
    planned = plan(asked, MIXED)
    assert_alike(engine, mixed, planned, PEOPLE)
    assert {over for over, _ in planned.exact_requests} == set(planned.layout.grids)


def test_equal_needs_of_several_statistics_are_found_once(engine, mixed) -> None:
    planned = plan(
        query(count("a"), count("b"), of_n("mean"), Statistic(name="t", agg="sum", column="n")), MIXED
    )
    assert len(planned.exact_requests) == 3
    assert len(passes(planned)) == 1
    assert_alike(engine, mixed, planned, PEOPLE)


# What an engine cannot do


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A file outside that anybody with file access could read."""
    file = tmp_path / "outside.csv"
    file.write_text("c0,rank,person\n1,1,1\n")
    return file


def with_view(folder: Path, view: str) -> Place:
    """A statistics file whose table is a view of something else."""
    folder.mkdir()
    with duckdb.connect(str(folder / STATISTICS_FILE)) as connection:
        connection.execute(f"CREATE VIEW rows AS {view}")
    return at(folder)


def test_a_question_that_takes_too_long_fails_without_a_word(files, tmp_path) -> None:
    endless = with_view(
        next(files),
        "SELECT (i % 10) AS c0, 1 AS rank, i AS person, i AS rowid FROM range(1000000000000) AS r(i)",
    )
    hurried = embedded(tmp_path, timeout_s=0.05)
    with pytest.raises(EngineFailed) as failed:
        hurried.exact(plan(query(), register(N)), endless, RUN)
    assert str(failed.value) == ""


def test_after_a_timeout_the_next_question_is_answered(files, tmp_path) -> None:
    schema = register(N)
    endless = with_view(next(files), "SELECT 1 AS c0, i AS rowid FROM range(1000000000000) AS r(i)")
    hurried = embedded(tmp_path, timeout_s=0.5)
    with pytest.raises(EngineFailed):
        hurried.exact(plan(query(where=Compare(column="n", op="=", values=(1,))), schema), endless, RUN)
    assert_alike(hurried, written(files, schema, [[(1,)]]), plan(query(), schema), [[(1,)]])


def broken(files: Iterator[Path], how: str) -> Place:
    """A place whose file is not what registration wrote."""
    place = written(files, register(N), [[(1,)]])
    file = place.location / STATISTICS_FILE
    content = file.read_bytes()
    file.unlink()
    if how == "a folder":
        file.mkdir()
    elif how == "a pipe":
        os.mkfifo(file)
    elif how == "another database":
        with duckdb.connect(str(file)) as connection:
            connection.execute("CREATE TABLE other AS SELECT 1 AS c0")
    elif how != "missing":
        file.write_bytes({"empty": b"", "no database": b"no database" * 1_000, "half": content[:-9_999]}[how])
    return place


BROKEN = ("missing", "a folder", "a pipe", "empty", "no database", "another database", "half")


@pytest.mark.parametrize("how", BROKEN)
def test_a_file_that_is_not_there_or_not_whole_is_unavailable_without_a_word_of_duckdb(
    engine, files, how
) -> None:
    place = broken(files, how)
    with pytest.raises(EngineUnavailable) as refused:
        engine.ready(place)
    assert refused.value.message() == EngineUnavailable.words


@pytest.mark.parametrize("how", BROKEN)
def test_what_cannot_be_opened_once_computing_has_begun_is_a_failure(engine, files, how) -> None:
    with pytest.raises(EngineFailed) as failed:
        engine.exact(plan(query(), register(N)), broken(files, how), RUN)
    assert str(failed.value) == ""


def test_a_file_that_lacks_its_last_bytes_is_unavailable_though_duckdb_opens_it(engine, files) -> None:
    """What DuckDB reads at opening stands in the first block here, so it does not see that the last is cut off."""
    place = at(next(files))
    place.location.mkdir()
    file = place.location / STATISTICS_FILE
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE small AS SELECT 1 AS c0")
        connection.execute("CHECKPOINT")
        connection.execute(
            "CREATE TABLE rows AS SELECT hash(i) AS c0, 1 AS rank, i AS person FROM range(300000) t(i)"
        )
        connection.execute("CHECKPOINT")
        connection.execute("INSERT INTO small VALUES (1)")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1_000])
    with duckdb.connect(str(file), read_only=True) as unsuspecting:
        assert unsuspecting.execute("SELECT count(*) FROM small").fetchone() == (2,)
    with pytest.raises(EngineUnavailable):
        engine.ready(place)
    file.write_bytes(whole)
    engine.ready(place)


@pytest.mark.parametrize("stored", [None, [], ["theirs"], ["ours", "theirs"]])
@pytest.mark.parametrize("expected", [None, "ours"])
def test_rows_with_another_seal_than_the_places_are_unavailable(engine, files, expected, stored) -> None:
    place = replace(written(files, register(N), [[(1,)]]), seal=expected)
    file = place.location / STATISTICS_FILE
    content = file.read_bytes()
    if stored is not None:
        with duckdb.connect(str(file)) as connection:
            connection.execute("CREATE TABLE sealed AS SELECT unnest(?::VARCHAR[]) AS seal", [stored])
    if expected is None and not stored:
        engine.ready(place)
        engine.probe(place)
        return
    for opens in (engine.ready, engine.probe):
        with pytest.raises(EngineUnavailable):
            opens(place)
    file.write_bytes(content)
    with duckdb.connect(str(file)) as connection:
        if expected is not None:
            connection.execute("CREATE TABLE sealed AS SELECT ? AS seal", [expected])
    engine.probe(place)
    engine.ready(place)
    assert_alike(engine, place, plan(query(), register(N)), [[(1,)]])


def test_a_place_that_was_unavailable_is_ready_when_its_file_is_back(engine, files) -> None:
    place = written(files, register(N), [[(1,)]])
    file = place.location / STATISTICS_FILE
    content = file.read_bytes()
    file.write_bytes(content[:100])
    with pytest.raises(EngineUnavailable):
        engine.ready(place)
    file.write_bytes(content)
    engine.ready(place)
    assert_alike(engine, place, plan(query(), register(N)), [[(1,)]])


def test_a_folder_for_spilled_rows_that_cannot_be_made_is_unavailable(files, tmp_path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(EngineUnavailable):
        embedded(tmp_path / "file" / "temporary").ready(written(files, register(N), []))


def test_a_file_that_was_dropped_while_it_is_read_can_be_opened_again(files, tmp_path) -> None:
    engine, place = embedded(tmp_path), written(files, register(N), [[(1,)]])
    engine.ready(place)
    (reading,) = engine.connections._open.values()
    engine.connections.clear()
    engine.ready(place)
    assert reading.execute("SELECT count(*) FROM rows").fetchone() == (1,)
    assert_alike(engine, place, plan(query(), register(N)), [[(1,)]])


ENDLESS = "SELECT (i % 10) AS c0, 1 AS rank, i AS person, i AS rowid FROM range(1000000000000) AS r(i)"


def running(engine: DuckdbEngine, place: Place, run: str) -> Future[object]:
    """An endless question that is being computed under the name of a run."""
    pool = ThreadPoolExecutor(1)
    asked = pool.submit(engine.exact, plan(query(), register(N)), place, run)
    pool.shutdown(wait=False)
    while not (engine.connections._watchdog._running or asked.done()):
        time.sleep(0.01)
    return asked


def test_a_cancelled_run_fails_and_no_other(files, tmp_path) -> None:
    engine, endless = embedded(tmp_path), with_view(next(files), ENDLESS)
    asked = running(engine, endless, "q_1")
    engine.cancel("q_2")
    assert not wait([asked], timeout=0.3).done
    engine.cancel("q_1")
    assert isinstance(asked.exception(timeout=10), EngineFailed)
    engine.cancel("q_1")


def test_a_run_that_is_cancelled_between_two_statements_runs_no_more_of_them(files, tmp_path) -> None:
    """DuckDB forgets an interrupt while nothing runs, so the run is interrupted until it gives up."""
    engine, endless = embedded(tmp_path, timeout_s=30), with_view(next(files), ENDLESS)
    engine.ready(endless)
    (connection,) = engine.connections._open.values()

    def compute() -> None:
        with engine.connections.computing(connection, RUN) as cursor:
            engine.cancel(RUN)
            cursor.execute("SELECT 1").fetchall()
            cursor.execute("SELECT sum(person) FROM rows").fetchall()

    began = time.monotonic()
    with pytest.raises(EngineFailed):
        compute()
    assert time.monotonic() - began < 15


def test_a_run_that_has_ended_is_watched_no_more(files, tmp_path) -> None:
    """Interrupting a closed cursor raises, which would end the thread that watches all the others."""
    engine = embedded(tmp_path, timeout_s=0.05)
    place, endless = written(files, register(N), [[(1,)]]), with_view(next(files), ENDLESS)
    with pytest.raises(EngineFailed):
        engine.exact(plan(query(), register(N)), endless, RUN)
    assert_alike(engine, place, plan(query(), register(N)), [[(1,)]])
    assert engine.connections._watchdog._running == []


def test_no_file_outside_can_be_read(engine, files, foreign) -> None:
    view = f"SELECT * FROM read_csv('{foreign}')"
    file = with_view(next(files), view)
    with duckdb.connect() as unlocked:
        assert unlocked.execute(f"SELECT count(*) FROM ({view})").fetchone() == (1,)
    with pytest.raises(EngineFailed):
        engine.exact(plan(query(), register(N)), file, RUN)


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
    connection = engine.connections.open(file, lambda: engine._connect(file))
    with pytest.raises(duckdb.Error):
        connection.execute(attempt.format(outside=foreign))
    assert [path.name for path in foreign.parent.iterdir()] == [foreign.name]


def test_a_generated_table_has_no_way_out_either(dummy, foreign) -> None:
    connection = dummy._generated(register(N))
    with pytest.raises(duckdb.Error):
        connection.execute(f"SELECT * FROM read_csv('{foreign}')")
    with pytest.raises(duckdb.Error):
        connection.execute("SET enable_external_access = true")


def test_only_so_many_files_stay_open(engine, files) -> None:
    schema = register(N)
    for _ in range(20):
        engine.exact(plan(query(), schema), written(files, schema, [[(1,)]]), RUN)
    assert len(engine.connections) == 16
