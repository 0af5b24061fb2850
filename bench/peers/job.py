"""What a runner is asked and what it answers. Needs numpy only: it runs in the peers' environments too."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

Values = list[list[float]]


class NotOffered(Exception):
    """The peer has no such statistic, or refuses these parameters; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One statistic to release `runs` times at `epsilon` for the whole of it, neighbours one person apart.

    `data` is a NumPy archive of whole numbers: `person`, `group` (0 … groups - 1) and `value`, a row each;
    no person has more than `rows_per_person` rows. `groups` is 0 where there is one cell. `person_sum` clamps
    each person's sum to `low` … `high`. `quantiles` are asked for together, at one ε.
    """

    name: str
    data: str
    agg: str
    epsilon: float
    runs: int
    rows_per_person: int = 1
    groups: int = 0
    low: int = 0
    high: int = 1
    quantiles: tuple[float, ...] = ()

    @property
    def groups_per_person(self) -> int:
        """The most cells that one person can be in."""
        return max(1, min(self.groups, self.rows_per_person))

    @property
    def keys(self) -> list[int]:
        """The cells to answer, in order."""
        return list(range(max(1, self.groups)))


@dataclass(frozen=True, slots=True)
class Rows:
    person: np.ndarray
    group: np.ndarray
    value: np.ndarray


@lru_cache(maxsize=4)
def rows(path: str) -> Rows:
    """The rows of a task's archive."""
    with np.load(path) as held:
        return Rows(person=held["person"], group=held["group"], value=held["value"])


def as_json(tasks: list[Task]) -> str:
    """The job as a runner reads it."""
    return json.dumps([asdict(task) for task in tasks])


def serve(version: str, release: Callable[[Task], Values]) -> None:
    """Run every task of the job on standard input; tell each result at once, a line of JSON.

    A line has `name`, `version`, and `values` (a list a run) or `not_offered`.
    """
    out, sys.stdout = sys.stdout, sys.stderr  # libraries print
    for task in tasks(sys.stdin.read()):
        told: dict[str, Any] = {"name": task.name, "version": version}
        try:
            told["values"] = release(task)
            assert len(told["values"]) == task.runs
        except NotOffered as reason:
            told["not_offered"] = str(reason)
        print(json.dumps(told), file=out, flush=True)


def tasks(text: str) -> Iterator[Task]:
    """Read a job back."""
    for task in json.loads(text):
        yield Task(**{**task, "quantiles": tuple(task["quantiles"])})


def environment(peer: str) -> Path:
    """The interpreter that runs a peer."""
    return Path(__file__).resolve().parent.parent.parent / ".venv-peers" / peer / "bin" / "python"
