"""How well a clock tells two neighbours apart: answers timed in turns, and the area under the ROC curve."""

import math
import random
import time
from collections.abc import Callable, Sequence

import numpy as np

Task = Callable[[], object]


def durations(tasks: Callable[[], Sequence[Task]], *, blocks: int, runs: int, warm_up: int = 5) -> np.ndarray:
    """Seconds of each task, of shape (tasks, blocks × runs), in random turns.

    `tasks` makes them anew for each block, in random order too, so that where an object happens to lie in memory, which
    makes one of two equal tasks a little faster for as long as it lives, is not taken for a difference.
    """
    shuffler = random.Random(1)
    found: list[list[list[float]]] = []
    for _ in range(blocks):
        made = list(tasks())
        times: list[list[float]] = [[] for _ in made]
        for run in range(warm_up + runs):
            for place in shuffler.sample(range(len(made)), len(made)):
                started = time.perf_counter()
                made[place]()
                if run >= warm_up:
                    times[place].append(time.perf_counter() - started)
        found.append(times)
        # Let go of before the next are made: DuckDB gives an open database again.
        made.clear()
    return np.concatenate(np.array(found), axis=1)


def auc(one: np.ndarray, other: np.ndarray) -> float:
    """The probability that a random time of `other` is longer than one of `one`; ½: a clock tells nothing."""
    ranks = np.concatenate([one, other]).argsort().argsort() + 1
    return float((ranks[len(one) :].sum() - len(other) * (len(other) + 1) / 2) / (len(one) * len(other)))


def deviations_apart(one: np.ndarray, other: np.ndarray) -> float:
    """How many standard errors the shares of two samples of 0 and 1 lie apart."""
    both = np.concatenate([one, other]).mean()
    error = math.sqrt(both * (1 - both) * (1 / len(one) + 1 / len(other)))
    return float(abs(one.mean() - other.mean()) / error) if error else 0.0
