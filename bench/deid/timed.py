"""Times the engine from the coded table to the recoded one, and has every result proven by the verifier."""

import gc
import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from privacy.deidentify.proof.verify import PublishedTable, verdicts
from privacy.deidentify.search.engine import Recoded, Task, recode
from privacy.deidentify.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a task came to. Seconds are medians: on the clock, and of the processors (all threads together).

    `met` says that the verifier, which is no part of the search, found every model met.
    """

    seconds: float
    cpu_seconds: float
    loss: float
    granularity_loss: float
    suppressed: int
    levels: tuple[int, ...] | None
    schemes: int
    optimal: bool
    nodes: int
    checked: int
    met: bool


def measured(tasks: Mapping[str, Task], times: int) -> dict[str, Outcome]:
    """Each task as often, one round of all after another, so that a disturbed minute harms no single one."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    found: dict[str, Recoded] = {}
    for _ in range(times):
        for name, task in tasks.items():
            seconds, cpu_seconds, recoded = _once(task)
            runs[name].append((seconds, cpu_seconds))
            assert name not in found or found[name].loss == recoded.loss, "the same task has the same result"
            found[name] = recoded
    return {name: _outcome(tasks[name], found[name], runs[name]) for name in tasks}


def _once(task: Task) -> tuple[float, float, Recoded]:
    gc.collect()
    began, cpu_began = time.perf_counter(), time.process_time()
    recoded = recode(task, progress=lambda share, words: None, stop=lambda: False)
    return time.perf_counter() - began, time.process_time() - cpu_began, recoded


def _outcome(task: Task, recoded: Recoded, runs: list[tuple[float, float]]) -> Outcome:
    return Outcome(
        seconds=median(seconds for seconds, _ in runs),
        cpu_seconds=median(cpu_seconds for _, cpu_seconds in runs),
        loss=recoded.loss,
        granularity_loss=recoded.granularity_loss,
        suppressed=int(recoded.suppressed.sum()),
        levels=None if recoded.levels is None else tuple(recoded.levels.values()),
        schemes=len(recoded.schemes),
        optimal=recoded.optimal,
        nodes=recoded.nodes,
        checked=recoded.checked,
        met=_is_met(task, recoded),
    )


def _is_met(task: Task, recoded: Recoded) -> bool:
    kept = [column for name, column in task.table.items() if name not in task.quasi]
    published = PublishedTable(
        table=Table([*recoded.table.values(), *kept]),
        quasi=tuple(task.quasi),
        suppressed=recoded.suppressed,
        source=task.table,
    )
    return all(verdict.met for verdict in verdicts(task.models, published))
