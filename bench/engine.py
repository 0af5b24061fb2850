"""Exact parts beside the statement that a WHERE would make of them: what equal work costs, and what a clock tells.

*With WHERE* is how an engine is usually asked, on a table that DuckDB has compressed, with all its optimizers: it skips
row groups by their minima and maxima, so that a clock sees whether a district is empty.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from api.queries.schemas import QuerySchema, to_query
from bench.town import REGIONS, descriptor
from datasets.descriptor.descriptor import parse
from datasets.engines.base import EngineLimits, Place
from datasets.engines.duckdb import DuckdbEngine
from datasets.engines.format import ENGINE, STATISTICS_FILE, STORAGE
from privacy.plan import plan

Task = Callable[[], object]

RUNS, WARM_UP = 15, 3
BLOCKS, RUNS_A_BLOCK = 40, 50
SIZES, ROWS = (20_000, 100_000, 1_000_000), 1_000_000
TYPES = {
    "c0": "TINYINT",
    "c1": "TINYINT",
    "c2": "TINYINT",
    "c3": "INTEGER",
    "rank": "TINYINT",
    "person": "INTEGER",
}
ASKED_OF_MANY_ROWS, MANY_ROWS = ("count", "sum", "count by age"), 1_000_000
NOBODYS, EVERYBODYS = len(REGIONS) - 1, 1
"""The code of the region where nobody lives, or one person more, and that of another."""

SCHEMA = parse(descriptor()).schema
CLAMP = [0, 8_000_000]
CLAMPED = "CASE WHEN c3 = -1 THEN 0 WHEN c3 > 8000000 THEN 8000000 ELSE c3 END"
AGES = list(range(0, 121, 20))
BY_AGE = {"group_by": [{"column": "age", "bins": AGES}]}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the statement with a WHERE that finds its exact integers."""

    statistic: dict[str, Any]
    select: str
    further: dict[str, Any] = field(default_factory=dict)
    group: str = ""
    present: str = ""

    def question(self, region: int | None) -> dict[str, Any]:
        where = {} if region is None else {"where": {"column": "region", "op": "=", "value": REGIONS[region]}}
        return {"select": [self.statistic], "budget": {"epsilon": "0.5"}, **self.further, **where}

    def with_where(self, region: int | None) -> str:
        tests = [test for test in (self.present, "" if region is None else f"c0 = {region}") if test]
        where = f" WHERE {' AND '.join(tests)}" if tests else ""
        return f"SELECT {self.select} FROM rows{where} {self.group}"


QUESTIONS = {
    "count": Asked({"agg": "count"}, "count(*)"),
    "sum": Asked({"agg": "sum", "column": "income", "clamp": CLAMP}, f"sum({CLAMPED})"),
    "mean": Asked(
        {"agg": "mean", "column": "income", "clamp": CLAMP},
        f"sum({CLAMPED}), sum(CASE WHEN c3 = -1 THEN 0 ELSE 1 END)",
    ),
    "persons": Asked({"agg": "count_persons"}, "count(DISTINCT person)"),
    "count by age": Asked({"agg": "count"}, "c2, count(*)", BY_AGE, "GROUP BY c2"),
    "median age": Asked({"agg": "median", "column": "age"}, "c2, count(*)", {}, "GROUP BY c2", "c2 <> -1"),
    "sum per person": Asked(
        {"agg": "sum", "column": "income", "clamp": CLAMP, "per_person_clamp": [0, 9_000_000]},
        "sum(least(total, 9000000)) FROM (SELECT person, sum(least(c3, 8000000)) AS total",
        {},
        "GROUP BY person)",
        "c3 <> -1",
    ),
}


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One register's table, asked by the engine and by statements with a WHERE."""

    place: Place
    compressed: Path

    @classmethod
    def of(cls, folder: Path, rows: int, *, more: bool) -> "Neighbour":
        """Made-up rows as registration writes them, in all regions but one; perhaps one person more."""
        folder.mkdir(parents=True)
        made = cls(Place(ENGINE, folder), folder / "compressed.duckdb")
        for file, storage in ((folder / STATISTICS_FILE, STORAGE), (made.compressed, "")):
            columns = ", ".join(f"{name} {kind} NOT NULL {storage}" for name, kind in TYPES.items())
            with duckdb.connect(str(file)) as connection:
                connection.execute(f"CREATE TABLE rows ({columns})")
                connection.execute(f"INSERT INTO rows {_rows(rows, more=more)} ORDER BY rank, person")
        return made

    def task(self, asked: Asked, region: int | None, folder: Path) -> Task:
        """The exact part of the question, on connections of its own."""
        engine = DuckdbEngine(EngineLimits(threads=2, timeout_s=600, temporary=folder / "temporary"))
        planned = plan(to_query(QuerySchema().load(asked.question(region))), SCHEMA)
        return lambda: engine.exact(planned, self.place, "bench")

    def task_with_where(self, asked: Asked, region: int | None) -> Task:
        """The statement with a WHERE, on a connection of its own."""
        connection = duckdb.connect(str(self.compressed), read_only=True)
        connection.execute("SET threads = 2")
        # Groups were found by their numbers then.
        connection.execute("SET perfect_ht_threshold = 20")
        text = asked.with_where(region)
        return lambda: connection.cursor().execute(text).fetchnumpy()


def _rows(rows: int, *, more: bool) -> str:
    persons = int(rows * 0.43) + 1
    made = (
        f"SELECT (hash(i, 1) % {NOBODYS}) AS c0, hash(i, 2) % 2 AS c1, hash(i, 3) % 120 AS c2,"
        " CASE WHEN hash(i, 4) % 20 = 0 THEN -1 ELSE (hash(i, 5) % 10000001)::INTEGER END AS c3,"
        f" i // {persons} + 1 AS rank, 2 * (i % {persons}) AS person FROM range({rows}) AS numbers(i)"
    )
    one = f"SELECT {NOBODYS}, 1, 20, 7000000, 1, {persons | 1}"
    return f"SELECT * FROM ({made}{f' UNION ALL {one}' if more else ''})"


def run(folder: Path, *, rows: int = ROWS, runs: int = RUNS, warm_up: int = WARM_UP) -> list[dict[str, Any]]:
    """One row a question and condition: milliseconds with a WHERE and now."""
    table = Neighbour.of(folder / "table", rows, more=True)
    found = []
    for title, region in (
        ("all rows", None),
        ("one region of 46", EVERYBODYS),
        ("one person's region", NOBODYS),
    ):
        for name, asked in QUESTIONS.items():
            tasks = table.task_with_where(asked, region), table.task(asked, region, folder)
            before, now = map(statistics.median, _in_turns(lambda tasks=tasks: list(tasks), 1, runs, warm_up))
            found.append(
                {
                    "rows": rows,
                    "of": title,
                    "question": name,
                    "with WHERE ms": before * 1000,
                    "now ms": now * 1000,
                    "now / with WHERE": now / before,
                }
            )
    return found


def run_timing(
    folder: Path,
    *,
    sizes: Sequence[int] = SIZES,
    blocks: int = BLOCKS,
    runs: int = RUNS_A_BLOCK,
    warm_up: int = 5,
) -> list[dict[str, Any]]:
    """One row a question and size: how well a clock tells the one person of a region from none."""
    found = []
    for size in sizes:
        both = [Neighbour.of(folder / f"{size}-{more}", size, more=more) for more in (False, True)]
        for name in QUESTIONS if size < MANY_ROWS else ASKED_OF_MANY_ROWS:
            asked = QUESTIONS[name]
            before = partial(_each, both, lambda one, asked=asked: one.task_with_where(asked, NOBODYS))
            now = partial(_each, both, lambda one, asked=asked: one.task(asked, NOBODYS, folder))
            found.append(
                {
                    "rows": size,
                    "question": name,
                    "with WHERE: AUC": _auc(*_in_turns(before, blocks, runs, warm_up)),
                    "now: AUC": _auc(*_in_turns(now, blocks, runs, warm_up)),
                    "answers a side": blocks * runs,
                }
            )
    return found


def _each(both: Sequence[Neighbour], task: Callable[[Neighbour], Task]) -> list[Task]:
    return [task(one) for one in both]


def _in_turns(made: Callable[[], list[Task]], blocks: int, runs: int, warm_up: int) -> list[list[float]]:
    """Seconds of each task in random turns. Each block makes its tasks anew, so that they lie elsewhere in memory."""
    shuffler = random.Random(1)
    times: list[list[float]] = []
    for _ in range(blocks):
        tasks = made()
        times = times or [[] for _ in tasks]
        for turn in range(warm_up + runs):
            for place in shuffler.sample(range(len(tasks)), len(tasks)):
                started = time.perf_counter()
                tasks[place]()
                if turn >= warm_up:
                    times[place].append(time.perf_counter() - started)
        # Let go of before the next are made: DuckDB gives an open database again.
        tasks.clear()
    return times


def _auc(one: Sequence[float], other: Sequence[float]) -> float:
    """The probability that a random time of `other` is longer than one of `one`."""
    ranks = np.concatenate([one, other]).argsort().argsort() + 1
    return float((ranks[len(one) :].sum() - len(other) * (len(other) + 1) / 2) / (len(one) * len(other)))
