"""Tumult Analytics on a local Spark: pure ε, one person with all rows added or removed, as with us.

A Spark job takes seconds, so the runs are drawn in one: the rows are repeated once a run, with persons of
their own, and the query is grouped by run and cell. A person is then in one run only, so that each run is
answered at the whole ε with the noise of a single question.
"""

import os
import sys
import tempfile
from functools import lru_cache
from importlib.metadata import version

import numpy as np
from pyspark.sql import SparkSession
from tmlt.analytics import (
    AddOneRow,
    AddRowsWithID,
    KeySet,
    MaxGroupsPerID,
    MaxRowsPerGroupPerID,
    MaxRowsPerID,
    PureDPBudget,
    QueryBuilder,
    Session,
)

from bench.peers.job import NotOffered, Task, Values, rows, serve

ROWS_AT_ONCE_MAX = 7_000_000


def release(task: Task) -> Values:
    """All runs, a batch of them a Spark job."""
    if task.agg == "person_sum":
        raise NotOffered("no sum clamped per person")
    if len(task.quantiles) > 1:
        shares = [_single(task, level, task.epsilon / len(task.quantiles)) for level in task.quantiles]
        return [[run[0] for run in runs] for runs in zip(*shares, strict=True)]
    return _single(task, task.quantiles[0] if task.quantiles else None, task.epsilon)


def _single(task: Task, level: float | None, epsilon: float) -> Values:
    batch = max(1, min(task.runs, ROWS_AT_ONCE_MAX // len(rows(task.data).value)))
    values: Values = []
    while len(values) < task.runs:
        values += _batch(task, level, epsilon, min(batch, task.runs - len(values)))
    return values


def _batch(task: Task, level: float | None, epsilon: float, runs: int) -> Values:
    session = _session(task, runs, epsilon)
    slots = list(range(runs * len(task.keys)))
    query = QueryBuilder("register")
    if task.rows_per_person > 1:
        query = _bounded(query, task)
    grouped = query.groupby(KeySet.from_dict({"slot": slots}))
    told = session.evaluate(_asked(grouped, task, level), PureDPBudget(epsilon)).toPandas()
    found = told.set_index("slot")["asked"].astype(float)
    return found.loc[slots].to_numpy().reshape(runs, len(task.keys)).tolist()


def _bounded(query: QueryBuilder, task: Task) -> QueryBuilder:
    """At most k rows a person; to count persons, one row in each of at most min(k, cells) cells."""
    if task.agg != "count_persons":
        return query.enforce(MaxRowsPerID(task.rows_per_person))
    return query.enforce(MaxGroupsPerID("slot", task.groups_per_person)).enforce(
        MaxRowsPerGroupPerID("slot", 1)
    )


def _asked(query, task: Task, level: float | None):
    bounds = {"low": task.low, "high": task.high}
    match task.agg:
        case "count" | "count_persons":
            return query.count(name="asked")
        case "sum":
            return query.sum("value", **bounds, name="asked")
        case "mean":
            return query.average("value", **bounds, name="asked")
        case "variance":
            return query.variance("value", **bounds, name="asked")
        case "stddev":
            return query.stdev("value", **bounds, name="asked")
        case "quantile":
            return query.quantile("value", quantile=level, **bounds, name="asked")
    raise NotOffered("no such statistic")


def _session(task: Task, runs: int, epsilon: float) -> Session:
    held = rows(task.data)
    cell = held.group if task.groups else np.zeros(len(held.value), dtype=np.int64)
    register = _spark().createDataFrame(
        list(zip(held.person.tolist(), cell.tolist(), held.value.tolist(), strict=True)),
        "person long, cell long, value long",
    )
    repeated = register.crossJoin(_spark().range(runs).withColumnRenamed("id", "run")).selectExpr(
        f"person + run * {held.person.max() + 1} AS person", f"cell + run * {len(task.keys)} AS slot", "value"
    )
    one_row = task.rows_per_person == 1
    return Session.from_dataframe(
        PureDPBudget(epsilon),
        "register",
        repeated.drop("person") if one_row else repeated,
        protected_change=AddOneRow() if one_row else AddRowsWithID("person"),
    )


@lru_cache(maxsize=1)
def _spark() -> SparkSession:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[2]").config("spark.driver.memory", "6g")
    settings = {
        "spark.sql.warehouse.dir": tempfile.mkdtemp(prefix="sudare-spark-"),
        "spark.sql.shuffle.partitions": "4",
        "spark.ui.enabled": "false",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


if __name__ == "__main__":
    told = ", ".join(f"{name} {version(name)}" for name in ("tmlt.analytics", "tmlt.core", "pyspark"))
    serve(told, release)
