"""Counted work against measured CPU: the same order, and much the same distances, whatever the machine's speed."""

import functools
import importlib
import math
import multiprocessing
import pkgutil
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from decimal import Decimal
from itertools import combinations

import pytest
from doubles import count, query, register

import privacy
from privacy.plan import plan
from privacy.query import Accuracy, Any, Compare, Key, Query, Statistic, WorkloadTable
from privacy.quote import expectation, narrower_bound, strategy_comparison
from privacy.schema import Category, Date, Measure, Number, Schema
from privacy.work import planning_work

BITS = tuple(Category(name=f"b{place}", values=("x", "y")) for place in range(8))
DIGITS = tuple(Number(name=f"t{place}", low=0, high=high) for place, high in enumerate((9, 19, 39)))
MONEY = Number(name="money", low=0, high=10**8, step=Decimal("0.01"))
WIDE = Number(name="wide", low=0, high=99_999)
DAYS = Date(name="day", low=-5_000, high=900_000)
BY_BITS = tuple(Key(column=column.name) for column in BITS)
BY_DIGITS = tuple(Key(column=column.name) for column in DIGITS)
RUNS = 3


def among(column: str, values: int) -> Compare:
    return Compare(column=column, op="in", values=tuple(range(0, 2 * values, 2)))


def quantiles(number: int, qs: int, **more: object) -> list[Statistic]:
    q = tuple(Decimal(place + 1) / 100 for place in range(qs))
    clamps = [(0, 10**6 - place) for place in range(number)]
    return [
        Statistic(name=f"q{place}", agg="quantile", column="money", q=q, clamp=clamp, **more)  # type: ignore[arg-type]
        for place, clamp in enumerate(clamps)
    ]


def means(number: int) -> list[Statistic]:
    return [
        Statistic(name=f"m{place}", agg="mean", column="money", clamp=(0, 1000 + place))
        for place in range(number)
    ]


def tables(number: int, most: int, keys: tuple[Key, ...] = BY_BITS) -> tuple[WorkloadTable, ...]:
    chosen = [some for size in range(most, -1, -1) for some in combinations(keys, size)][:number]
    return tuple(WorkloadTable(name=f"t{place}", group_by=some) for place, some in enumerate(chosen))


def within(error: int, **more: object) -> Accuracy:
    return Accuracy(of="c", within=error, confidence=Decimal("0.95"), **more)  # type: ignore[arg-type]


C = query(count("c"))
ASKED: dict[str, Query] = {
    "a count": C,
    "by digits": replace(C, group_by=BY_DIGITS),
    "100,000 cells": replace(C, group_by=(Key(column="wide"),)),
    "months": replace(C, group_by=(Key(column="day", by="month"),)),
    "900 values": replace(C, where=among("wide", 900)),
    "a nest": replace(C, where=Any(tuple(Any((among("wide", 9), among("money", 9))) for _ in range(40)))),
    "20 means": query(*means(20)),
    "20 times 99 quantiles": query(*quantiles(20, 99)),
    "9 quantiles with bounds": query(*quantiles(4, 9, value_bounds=True)),
    "totals over 3": replace(C, group_by=BY_DIGITS, totals=True),
    "totals over 6": replace(C, group_by=BY_BITS[:6], totals=True),
    "totals over 8": replace(C, group_by=BY_BITS, totals=True),
    "10 means in totals": query(*means(10), group_by=BY_BITS[:5], totals=True),
    "20 tables": replace(C, tables=tables(20, 2)),
    "100 tables": replace(C, tables=tables(100, 3, (*BY_BITS, BY_DIGITS[0]))),
    "an accuracy": replace(C, budget=within(30)),
    "an accuracy in totals": replace(
        C, group_by=BY_BITS[:6], totals=True, budget=within(3000, every_cell=True)
    ),
    "an accuracy of 99": query(
        *[replace(one, name="c") for one in quantiles(1, 99)], budget=within(1, rows=10**6)
    ),
}


def caches() -> Iterator[functools._lru_cache_wrapper]:  # type: ignore[type-arg]
    for module in pkgutil.iter_modules(privacy.__path__, "privacy."):
        for one in vars(importlib.import_module(module.name)).values():
            if isinstance(one, functools._lru_cache_wrapper):
                yield one


def seconds(asked: Query, schema: Schema) -> float:
    """The CPU of a quote of which nothing is known yet, at best of a few."""
    found = []
    for _ in range(RUNS):
        for cache in caches():
            cache.cache_clear()
        begun = time.process_time()
        planned = plan(asked, schema)
        expectation(planned), strategy_comparison(planned), narrower_bound(planned)
        found.append(time.process_time() - begun)
    return min(found)


def ranks(values: Sequence[float]) -> list[int]:
    ascending = sorted(values)
    return [ascending.index(value) for value in values]


def work_and_cpu() -> tuple[list[int], list[float]]:
    """The counted work of every quote, and its CPU in seconds."""
    counted, measured = [], []
    measures: tuple[Measure, ...] = ("pure", "zcdp")
    for measure in measures:
        schema = register(*BITS, *DIGITS, MONEY, WIDE, DAYS, rows=2, measure=measure)
        for asked in ASKED.values():
            counted.append(planning_work(asked, schema).total)
            measured.append(seconds(asked, schema))
    return counted, measured


@pytest.mark.long
def test_counted_work_predicts_the_cpu_of_quotes_within_a_factor_of_three() -> None:
    # In a process of its own, like the planner's: in this one the objects of all other tests slow down the collector.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        counted, measured = pool.submit(work_and_cpu).result()
    assert statistics.correlation(ranks(counted), ranks(measured)) > 0.85
    # How fast this machine is, in units a second, is the middle one of all.
    speed = statistics.median(units / cpu for units, cpu in zip(counted, measured, strict=True))
    off = [math.log(units / cpu / speed, 3) for units, cpu in zip(counted, measured, strict=True)]
    assert sum(abs(one) <= 1 for one in off) >= 0.85 * len(off), list(zip([*ASKED, *ASKED], off, strict=True))
    # The dearest of all is no more than what a server lets through.
    assert max(counted) < 1_000_000
