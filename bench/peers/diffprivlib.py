"""diffprivlib (IBM): functions on an array whose length is public; neighbours change one value.

It knows no persons. To promise something about a person with up to k rows its user must divide ε by k (group
privacy), which is what is done here.
"""

from collections.abc import Callable

import diffprivlib
import numpy as np
from diffprivlib import tools

from bench.peers.job import NotOffered, Task, Values, rows, serve


def release(task: Task) -> Values:
    """Each cell at the whole ε: a value changed within a cell is seen there only."""
    held = rows(task.data)
    if task.agg == "count":
        if not task.groups:
            raise NotOffered("the number of values is public")
        cells = [held.group == key for key in task.keys]
    else:
        cells = [held.value[held.group == key] for key in task.keys] if task.groups else [held.value]
    draw = _statistic(task, task.epsilon / task.rows_per_person)
    if task.quantiles:
        return [list(map(float, draw(cells[0]))) for _ in range(task.runs)]
    return [[float(draw(cell)) for cell in cells] for _ in range(task.runs)]


def _statistic(task: Task, epsilon: float) -> Callable[[np.ndarray], np.ndarray]:
    bounds = (task.low, task.high)
    match task.agg:
        case "count":
            return lambda cell: tools.count_nonzero(cell, epsilon=epsilon)
        case "sum":
            return lambda cell: tools.sum(cell, epsilon=epsilon, bounds=bounds)
        case "mean":
            return lambda cell: tools.mean(cell, epsilon=epsilon, bounds=bounds)
        case "variance":
            return lambda cell: tools.var(cell.astype(float), epsilon=epsilon, bounds=bounds)
        case "stddev":
            return lambda cell: tools.std(cell.astype(float), epsilon=epsilon, bounds=bounds)
        case "quantile":
            levels = list(task.quantiles)
            return lambda cell: np.atleast_1d(tools.quantile(cell, levels, epsilon=epsilon, bounds=bounds))
        case _:
            raise NotOffered("knows values, not persons")


if __name__ == "__main__":
    serve(f"diffprivlib {diffprivlib.__version__}", release)
