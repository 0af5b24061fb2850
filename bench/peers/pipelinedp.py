"""PipelineDP with public partitions and Laplace noise: its own combiners, fed once, drawn from many times.

Neighbours differ in one person with all rows, as with us. The rows given already keep the bounds, so its
sampling of contributions would change nothing and is left out; its combiners still price for the bounds.
"""

from collections import defaultdict
from importlib.metadata import version

import pipeline_dp
from pipeline_dp.combiners import CompoundCombiner, create_compound_combiner

from bench.peers.job import NotOffered, Task, Values, rows, serve

METRICS = {
    "count": pipeline_dp.Metrics.COUNT,
    "count_persons": pipeline_dp.Metrics.PRIVACY_ID_COUNT,
    "sum": pipeline_dp.Metrics.SUM,
    "person_sum": pipeline_dp.Metrics.SUM,
    "mean": pipeline_dp.Metrics.MEAN,
    "variance": pipeline_dp.Metrics.VARIANCE,
}


def release(task: Task) -> Values:
    """Accumulate each cell once, then draw its metrics again and again."""
    combiner = _combiner(task)
    cells = _accumulated(task, combiner)
    return [
        [value for cell in cells for value in _numbers(combiner.compute_metrics(cell))]
        for _ in range(task.runs)
    ]


def _combiner(task: Task) -> CompoundCombiner:
    if task.agg == "quantile":
        metrics = [pipeline_dp.Metrics.PERCENTILE(100 * level) for level in task.quantiles]
    elif task.agg in METRICS:
        metrics = [METRICS[task.agg]]
    else:
        raise NotOffered("no such metric")
    budget = pipeline_dp.NaiveBudgetAccountant(total_epsilon=task.epsilon, total_delta=0)
    values = {} if task.agg in ("count", "count_persons") else {"min_value": task.low, "max_value": task.high}
    if task.agg == "person_sum":
        values = {"min_sum_per_partition": task.low, "max_sum_per_partition": task.high}
    parameters = pipeline_dp.AggregateParams(
        metrics=metrics,
        noise_kind=pipeline_dp.NoiseKind.LAPLACE,
        **_bounds(task),
        **values,
    )
    combiner = create_compound_combiner(parameters, budget)
    budget.compute_budgets()
    return combiner


def _bounds(task: Task) -> dict[str, int]:
    """The tightest way it has to say "at most k rows a person, in at most that many cells"."""
    if task.groups and task.agg in ("count", "sum", "mean"):
        return {"max_contributions": task.rows_per_person}
    per_cell = 1 if task.agg == "count_persons" else task.rows_per_person
    return {
        "max_partitions_contributed": task.groups_per_person,
        "max_contributions_per_partition": per_cell,
    }


def _accumulated(task: Task, combiner: CompoundCombiner) -> list[object]:
    held = rows(task.data)
    contributions: dict[tuple[int, int], list[float]] = defaultdict(list)
    groups = held.group.tolist() if task.groups else [0] * len(held.group)
    for person, group, value in zip(held.person.tolist(), groups, held.value.tolist(), strict=True):
        contributions[person, group].append(float(value))
    cells = {key: combiner.create_accumulator([]) for key in task.keys}
    for (_, group), values in contributions.items():
        cells[group] = combiner.merge_accumulators(cells[group], combiner.create_accumulator(values))
    return list(cells.values())


def _numbers(told: tuple[float, ...]) -> list[float]:
    return [float(value) for value in told]


if __name__ == "__main__":
    serve(f"pipeline-dp {version('pipeline-dp')}, python-dp {version('python-dp')}", release)
