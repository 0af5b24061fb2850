"""Counted work: what it counts follows from the request alone, and what plan refuses at once counts next to nothing."""

from dataclasses import fields, replace
from decimal import Decimal

import pytest
from doubles import TOWN, count, query, register

from privacy.axes import CELLS_MAX
from privacy.plan import plan
from privacy.query import Accuracy, All, Compare, InvalidQuery, Key, Query, Statistic, WorkloadTable
from privacy.schema import Category, Date, Number
from privacy.work import (
    PARTS,
    ROW_OPERATIONS_MAX,
    PlanningTooDear,
    Work,
    planning_work,
    rehearsal_work,
)

BITS = tuple(Category(name=f"b{place}", values=("x", "y")) for place in range(8))
N = Number(name="n", low=0, high=99_999)
MONTHS = Date(name="d", low=-719_162, high=2_932_896)
WIDE = register(*BITS, N, replace(N, name="m"), MONTHS)
ALL_BITS = tuple(Key(column=column.name) for column in BITS)
WITHIN = Accuracy(of="c", within=9, confidence=Decimal("0.95"))
LIMIT = 1_000_000
"""What a server lets through unless it is told otherwise."""


def among(column: str, values: int) -> Compare:
    return Compare(column=column, op="in", values=tuple(range(0, 2 * values, 2)))


def medians(number: int, **more: object) -> tuple[Statistic, ...]:
    return tuple(Statistic(name=f"q{place}", agg="median", column="n", **more) for place in range(number))  # type: ignore[arg-type]


def tables(number: int) -> tuple[WorkloadTable, ...]:
    return tuple(
        WorkloadTable(
            name=f"t{mask}", group_by=tuple(key for bit, key in enumerate(ALL_BITS) if mask >> bit & 1)
        )
        for mask in range(number)
    )


BASE = query(count("c"))
GROWN: dict[str, tuple[Query, Query]] = {
    "cells": (BASE, replace(BASE, group_by=(Key(column="n"),))),
    "terms": (BASE, replace(BASE, where=among("n", 900))),
    "draws": (BASE, query(*medians(20))),
    "search": (BASE, replace(BASE, budget=WITHIN)),
    "strategy": (replace(BASE, tables=tables(20)), replace(BASE, tables=tables(90))),
}


@pytest.mark.parametrize("part", GROWN)
def test_each_part_grows_with_what_it_counts(part: str) -> None:
    small, large = (getattr(planning_work(asked, WIDE), part) for asked in GROWN[part])
    assert large > 3 * small


def test_work_is_the_sum_of_its_parts_and_a_rehearsal_is_more_of_each() -> None:
    asked = query(count("c"), *medians(2), group_by=ALL_BITS[:3], where=among("n", 20))
    planned, rehearsed = planning_work(asked, WIDE), rehearsal_work(asked, WIDE)
    assert planned.total == sum(getattr(planned, part.name) for part in fields(Work))
    assert all(getattr(rehearsed, part.name) >= getattr(planned, part.name) for part in fields(Work))
    assert rehearsed.rows > planned.rows == 0


def test_the_same_request_counts_the_same_whatever_was_asked_before() -> None:
    asked = replace(BASE, group_by=ALL_BITS[:5], totals=True)
    first = planning_work(asked, WIDE)
    plan(asked, WIDE)
    assert planning_work(asked, WIDE) == first


@pytest.mark.parametrize("part", [part.name for part in fields(Work)])
def test_too_much_work_is_refused_and_the_dearest_part_is_named(part: str) -> None:
    work = replace(Work(cells=1, terms=1, draws=1, search=1, strategy=1, rows=1), **{part: 995})
    work.must_be_within(1_000)
    with pytest.raises(PlanningTooDear) as refused:
        work.must_be_within(999)
    assert (refused.value.work, refused.value.limit, refused.value.part) == (1_000, 999, part)
    for words, told in (
        (PARTS[part].en, refused.value.message().en),
        (PARTS[part].ja, refused.value.message().ja),
    ):
        assert words in told
        assert "1,000" in told


# Before anything is worked out


def test_what_the_request_alone_shows_to_be_too_large_is_counted_and_refused_without_being_listed() -> None:
    many = query(count("c"), group_by=tuple(Key(column=name) for name in ("n", "m", "d")))
    for asked in (
        many,
        replace(many, totals=True),
        replace(BASE, tables=(WorkloadTable(name="t", group_by=many.group_by),)),
    ):
        assert planning_work(asked, WIDE).total < 20_000
        with pytest.raises(InvalidQuery):
            plan(asked, WIDE)


def test_domains_are_not_listed_before_the_cells_are_known_to_be_few(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    monkeypatch.setattr("privacy.axes._pairs", lambda column, *_: listed.append(column.name) or [])
    two = (Key(column="n"), Key(column="m"))
    months = Key(column="d", by="month")
    for group_by in (two, (months,), (*ALL_BITS[:2], Key(column="n"))):
        for asked in (
            query(count("c"), group_by=group_by),
            query(count("c"), group_by=group_by, totals=True),
            replace(BASE, tables=(WorkloadTable(name="t", group_by=group_by),)),
        ):
            with pytest.raises(InvalidQuery) as refused:
                plan(asked, WIDE)
            assert [one.reason for one in refused.value.problems] == ["too_many_cells"]
    assert listed == []


def test_a_column_is_listed_once_however_many_tables_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    whole = plan.__globals__["axis_of"]
    monkeypatch.setattr(
        "privacy.plan.axis_of", lambda key, *rest: listed.append(key.column) or whole(key, *rest)
    )
    many = tuple(
        WorkloadTable(name=f"t{place}", group_by=(Key(column="n", bins=(0, 9, 99)), ALL_BITS[place % 8]))
        for place in range(40)
    )
    plan(replace(BASE, tables=many), WIDE)
    assert sorted(listed) == sorted(["n", *(column.name for column in BITS)])


# Rows


def test_a_question_whose_rows_cost_the_engine_too_much_is_refused_before_anything_else() -> None:
    asked = query(*medians(20), where=All((among("n", 900),)))
    with pytest.raises(PlanningTooDear) as refused:
        plan(asked, WIDE)
    assert refused.value.part == "row"
    assert refused.value.work > refused.value.limit == ROW_OPERATIONS_MAX
    plan(replace(asked, where=among("n", 300)), WIDE)
    plan(query(count("c"), where=among("n", 900)), WIDE)


# What people ask


def test_ordinary_questions_are_far_below_the_limit() -> None:
    town = [
        query(count("c"), group_by=(Key(column="district"), Key(column="age"))),
        query(
            count("c"), Statistic(name="m", agg="mean", column="income"), group_by=(Key(column="district"),)
        ),
        query(
            count("c"),
            group_by=(Key(column="district"), Key(column="age", bins=(0, 20, 65, 119))),
            totals=True,
        ),
    ]
    assert [planning_work(asked, TOWN).total < LIMIT / 20 for asked in town] == [True] * 3
    cells = register(Category(name="k", values=tuple(map(str, range(CELLS_MAX)))))
    largest = query(count("c"), group_by=(Key(column="k"),))
    assert planning_work(largest, cells).total < LIMIT / 2
