"""SmartNoise SQL on a table in memory; its ε is spent on each noisy column, so a query's ε is divided by these.

Neighbours differ in one person with all rows, as with us (`row_privacy` where each row is a person). The exact
aggregates are computed by its own reader once and handed back to it for each further draw.
"""

from importlib.metadata import version

import pandas as pd
import snsql
from snsql import Privacy

from bench.peers.job import NotOffered, Task, Values, rows, serve

SELECT = {
    "count": "COUNT(*)",
    "count_persons": "COUNT(DISTINCT person)",
    "sum": "SUM(value)",
    "mean": "AVG(value)",
    "variance": "VAR(value)",
    "stddev": "STDDEV(value)",
}


def release(task: Task) -> Values:
    """Draw one query again and again; cells in the order of their keys."""
    if task.agg not in SELECT:
        raise NotOffered("no such function")
    query = _query(task)
    try:
        columns, _ = _reader(task, 1.0).get_privacy_cost(query)
        reader = _reader(task, task.epsilon / columns)
        assert abs(reader.get_privacy_cost(query)[0] - task.epsilon) < 1e-6
        subquery, _ = reader._rewrite(query)
        exact = reader._get_reader(subquery)._execute_ast(subquery)
        return [_cells(task, reader.execute(query, pre_aggregated=exact)) for _ in range(task.runs)]
    except ValueError as refusal:
        raise NotOffered(str(refusal).split(" using ")[0]) from refusal


def _query(task: Task) -> str:
    if task.groups:
        return f"SELECT cell, {SELECT[task.agg]} AS asked FROM register.rows GROUP BY cell"
    return f"SELECT {SELECT[task.agg]} AS asked FROM register.rows"


def _reader(task: Task, epsilon: float) -> snsql.sql.PrivateReader:
    held = rows(task.data)
    frame = pd.DataFrame({"person": held.person, "cell": held.group, "value": held.value})
    one_row = task.rows_per_person == 1
    table = {
        "row_privacy": one_row,
        "max_ids": task.rows_per_person,
        "censor_dims": False,
        "clamp_counts": False,
        "sample_max_ids": False,
        "rows": len(frame),
        "person": {"type": "int", "private_id": not one_row},
        "cell": {"type": "int"},
        "value": {"type": "int", "lower": task.low, "upper": task.high},
    }
    metadata = {"": {"register": {"rows": table}}}
    return snsql.from_df(frame, privacy=Privacy(epsilon=epsilon, delta=1e-15), metadata=metadata)


def _cells(task: Task, told: list[list[float]]) -> list[float]:
    answered = {row[0]: float(row[-1]) for row in told[1:]} if task.groups else {0: float(told[1][0])}
    return [answered.get(key, 0.0) for key in task.keys]


if __name__ == "__main__":
    serve(f"smartnoise-sql {version('smartnoise-sql')}, opendp {version('opendp')}", release)
