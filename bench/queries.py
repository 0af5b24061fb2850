"""Sudare's exact part and whole HTTP answer, before and now, against plain, non-private DuckDB on the raw Parquet file.

The exact part is today's; both answers are compared with it, since both are asked of the same rows.
"""

import contextlib
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import duckdb

from api.queries.schemas import QuerySchema, to_query
from bench.code import Code, codes
from bench.serving import Client, serving
from bench.town import REGIONS, Town, build, built_by
from datasets.catalog import Catalog
from datasets.database.store import Store
from datasets.engines.base import EngineLimits
from datasets.engines.duckdb import DuckdbEngine
from privacy.plan import plan

RUNS, WARM_UP = 30, 4
SMALL_CELLS_MAX, OVER_MS_MAX, OVER_MS_MAX_OF_MANY_CELLS = 200, 8, 15
REPLAYS, CLIENTS = 2_000, 4
EDGES = [*range(0, 110, 10), 119]
CLAMP = [0, 8_000_000]
BINS = " ".join(f"WHEN age < {edge} THEN {place}" for place, edge in enumerate(EDGES[1:-1]))
INCOME = "least(greatest(income, 0), 8000000)"
QUESTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "count": ({"select": [{"agg": "count"}]}, "SELECT count(*) FROM raw"),
    "count by 47 × 2 × 11": (
        {
            "select": [{"agg": "count"}],
            "group_by": [{"column": "region"}, {"column": "sex"}, {"column": "age", "bins": EDGES}],
        },
        f"SELECT region, sex, CASE {BINS} ELSE 10 END AS bin, count(*) FROM raw GROUP BY ALL",
    ),
    "mean": (
        {"select": [{"agg": "mean", "column": "income", "clamp": CLAMP}]},
        f"SELECT avg({INCOME}) FROM raw",
    ),
    "sum by 47": (
        {"select": [{"agg": "sum", "column": "income", "clamp": CLAMP}], "group_by": [{"column": "region"}]},
        f"SELECT region, sum({INCOME}) FROM raw GROUP BY region",
    ),
    "median age": (
        {"select": [{"agg": "median", "column": "age"}]},
        "SELECT median(age) FROM raw",
    ),
    "median income": (
        {"select": [{"agg": "median", "column": "income", "clamp": CLAMP}]},
        f"SELECT median({INCOME}) FROM raw",
    ),
    "variance": (
        {"select": [{"agg": "variance", "column": "income", "clamp": CLAMP}]},
        f"SELECT var_pop({INCOME}) FROM raw",
    ),
    "count with totals": (
        {
            "select": [{"agg": "count"}],
            "group_by": [{"column": "region"}, {"column": "sex"}],
            "totals": True,
        },
        "SELECT region, sex, count(*) FROM raw GROUP BY CUBE (region, sex)",
    ),
}

AGES, INCOMES = 120, 17
MANY_CELLS: dict[str, Any] = {
    "select": [{"agg": "count"}],
    "group_by": [
        {"column": "region"},
        {"column": "age"},
        {"column": "income", "bins": [1_000_000 * place for place in range(INCOMES + 1)]},
    ],
}
MANY_CELLS_CELLS = len(REGIONS) * AGES * INCOMES
MEDIA_TYPES = ("application/json", "text/csv", "application/vnd.apache.arrow.stream")
NOT_MEASURED = "–"


def run(
    folder: Path,
    *,
    sizes: tuple[int, ...] = (1_000_000, 10_000_000),
    runs: int = RUNS,
    warm_up: int = WARM_UP,
    compared: Sequence[Code] | None = None,
) -> list[dict[str, Any]]:
    """One row a question and size: milliseconds (median) and the ratio of exact part to plain DuckDB."""
    rows, compared = [], compared or codes(folder)
    for size in sizes:
        with contextlib.ExitStack() as ends:
            served = [Served.of(code, folder / f"{code.name}-{size}", size, ends) for code in compared]
            rows += _measure(served, runs, warm_up)
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A town made and served by one code, and its analyst."""

    name: str
    town: Town
    client: Client

    @classmethod
    def of(cls, code: Code, folder: Path, rows: int, ends: contextlib.ExitStack) -> Self:
        """Made now and served until the stack ends."""
        town = built_by(code, folder, rows)
        address = ends.enter_context(serving(town, code)).address
        return cls(name=code.name, town=town, client=Client(address, town.key))


def _measure(served: Sequence[Served], runs: int, warm_up: int) -> list[dict[str, Any]]:
    town = served[-1].town
    store = Store(town.database_url)
    held = Catalog(store, town.data_dir).current("town")
    limits = EngineLimits(threads=2, timeout_s=600, temporary=town.data_dir / "temporary")
    engine = DuckdbEngine(limits)
    plain = duckdb.connect()
    plain.execute("SET threads = 2")
    plain.execute(f"CREATE VIEW raw AS FROM read_parquet('{town.raw}')")
    rows = []
    for name, (question, sql) in QUESTIONS.items():
        asked = {**question, "budget": {"epsilon": "0.5"}, "reuse": "never"}
        planned = plan(to_query(QuerySchema().load(asked)), held.schema)
        exact_part = partial(engine.exact, planned, held.place, "bench")
        exact, raw = _interleaved(runs, warm_up, exact_part, lambda sql=sql: plain.execute(sql).fetchall())
        beside, *answers = _interleaved(
            runs, warm_up, exact_part, *(partial(one.client.ask, asked) for one in served)
        )
        rows.append(
            {
                "rows": town.rows,
                "question": name,
                "cells": planned.cells,
                "plain DuckDB ms": raw,
                "exact part ms": exact,
                "exact / plain": exact / raw,
            }
            | _of_each("HTTP answer ms", served, answers)
            | _of_each("over exact ms", served, [answer - beside for answer in answers])
            | {"goal": _goal(planned.cells, answers[-1] - beside)}
        )
    store.close()
    return rows


def _goal(cells: int, over_ms: float) -> str:
    most = OVER_MS_MAX if cells <= SMALL_CELLS_MAX else OVER_MS_MAX_OF_MANY_CELLS
    return f"≤ {most}: {'reached' if over_ms <= most else '**missed**'}"


def _of_each(title: str, served: Sequence[Served], values: Sequence[float]) -> dict[str, float | str]:
    """A column for the state before and one for now."""
    by_name = {one.name: value for one, value in zip(served, values, strict=True)}
    return {f"{title}, {name}": by_name.get(name, NOT_MEASURED) for name in ("before", "now")}


def run_formats(
    folder: Path, *, size: int = 100_000, runs: int = RUNS, warm_up: int = WARM_UP
) -> list[dict[str, Any]]:
    """One row a format: a stored answer of nearly as many cells as one may have, read again over HTTP."""
    compared = codes(folder)
    with contextlib.ExitStack() as ends:
        served = [Served.of(code, folder / f"formats-{code.name}", size, ends) for code in compared]
        ids = [
            json.loads(one.client.ask({**MANY_CELLS, "budget": {"epsilon": "0.5"}}))["id"] for one in served
        ]
        return [_format_row(served, ids, media_type, runs, warm_up) for media_type in MEDIA_TYPES]


def _format_row(
    served: Sequence[Served], ids: Sequence[str], media_type: str, runs: int, warm_up: int
) -> dict[str, Any]:
    readings = [partial(one.client.again, id, media_type) for one, id in zip(served, ids, strict=True)]
    times = _interleaved(runs, warm_up, *readings)
    return {
        "format": media_type,
        "cells": MANY_CELLS_CELLS,
        "MiB": len(readings[-1]()) / 2**20,
        **_of_each("ms", served, times),
        "now / before": times[-1] / times[0] if len(times) > 1 else NOT_MEASURED,
    }


def _interleaved(runs: int, warm_up: int, *tasks: Callable[[], object]) -> list[float]:
    """Median milliseconds of each task, taking turns in this and in the reverse order, to share the machine's moods."""
    times: list[list[float]] = [[] for _ in tasks]
    for turn in range(runs + warm_up):
        order = list(enumerate(tasks))
        for place, task in order if turn % 2 else reversed(order):
            started = time.perf_counter()
            task()
            if turn >= warm_up:
                times[place].append((time.perf_counter() - started) * 1000)
    return [statistics.median(of_task) for of_task in times]


def run_server(
    folder: Path,
    *,
    sizes: tuple[int, ...] = (1_000_000, 10_000_000),
    replays: int = REPLAYS,
    clients: int = CLIENTS,
) -> list[dict[str, Any]]:
    """Start, replays a second with four clients, and the largest worker's memory, for each size."""
    rows = []
    for size in sizes:
        town = build(folder / f"server-{size}", size)
        with serving(town) as server:
            client = Client(server.address, town.key)
            for question, _ in QUESTIONS.values():
                for _ in range(8):
                    client.ask({**question, "budget": {"epsilon": "0.5"}, "reuse": "never"})
            memory = server.workers_rss_mib()
            rows.append(
                {
                    "rows": size,
                    "start s": server.start_s,
                    "replays / s": _replays(server.address, town.key, replays, clients),
                    "worker MiB": memory,
                }
            )
    return rows


def _replays(address: str, key: str, replays: int, clients: int) -> float:
    """How many replayed answers a second the client processes get together."""
    question = {"select": [{"agg": "count"}], "budget": {"epsilon": "0.5"}}
    Client(address, key).ask(question, "replayed")
    with get_context("spawn").Pool(clients) as pool:
        pool.starmap(_replay, [(address, key, min(replays, 50))] * clients, chunksize=1)
        started = time.perf_counter()
        pool.starmap(_replay, [(address, key, replays)] * clients, chunksize=1)
        return clients * replays / (time.perf_counter() - started)


def _replay(address: str, key: str, times: int) -> None:
    client = Client(address, key)
    question = {"select": [{"agg": "count"}], "budget": {"epsilon": "0.5"}}
    for _ in range(times):
        client.ask(question, "replayed")
