"""Sudare's exact part and whole HTTP answer against plain, non-private DuckDB on the raw Parquet file."""

import statistics
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb

from api.queries.schemas import QuerySchema, to_query
from bench.serving import Client, serving
from bench.town import Town, build
from datasets.catalog import Catalog
from datasets.database.store import Store
from datasets.engines.base import EngineLimits
from datasets.engines.duckdb import DuckdbEngine
from privacy.plan import plan

RUNS, WARM_UP = 30, 4
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


def run(
    folder: Path,
    *,
    sizes: tuple[int, ...] = (1_000_000, 10_000_000),
    runs: int = RUNS,
    warm_up: int = WARM_UP,
) -> list[dict[str, Any]]:
    """One row a question and size: milliseconds (median) and the ratio of exact part to plain DuckDB."""
    rows = []
    for size in sizes:
        town = build(folder / str(size), size)
        rows += _measure(town, runs, warm_up)
    return rows


def _measure(town: Town, runs: int, warm_up: int) -> list[dict[str, Any]]:
    store = Store(town.database_url)
    held = Catalog(store, town.data_dir).current("town")
    limits = EngineLimits(threads=2, timeout_s=600, temporary=town.data_dir / "temporary")
    engine = DuckdbEngine(limits)
    plain = duckdb.connect()
    plain.execute("SET threads = 2")
    plain.execute(f"CREATE VIEW raw AS FROM read_parquet('{town.raw}')")
    rows = []
    with serving(town) as server:
        client = Client(server.address, town.key)
        for name, (question, sql) in QUESTIONS.items():
            asked = {**question, "budget": {"epsilon": "0.5"}, "reuse": "never"}
            planned = plan(to_query(QuerySchema().load(asked)), held.schema)
            exact, raw = _interleaved(
                runs,
                warm_up,
                lambda planned=planned: engine.exact(planned, held.place, "bench"),
                lambda sql=sql: plain.execute(sql).fetchall(),
            )
            beside, answer = _interleaved(
                runs,
                warm_up,
                lambda planned=planned: engine.exact(planned, held.place, "bench"),
                lambda asked=asked: client.ask(asked),
            )
            rows.append(
                {
                    "rows": town.rows,
                    "question": name,
                    "cells": planned.cells,
                    "plain DuckDB ms": raw,
                    "exact part ms": exact,
                    "exact / plain": exact / raw,
                    "HTTP answer ms": answer,
                    "HTTP over exact ms": answer - beside,
                }
            )
    store.close()
    return rows


def _interleaved(runs: int, warm_up: int, *tasks: Callable[[], object]) -> list[float]:
    """Median milliseconds of each task, taking turns, each as often first, to share the machine's moods."""
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
