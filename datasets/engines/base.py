"""What an engine is: whoever computes the exact integers of a plan from the rows of one version of a dataset.

A question asks in this order: `ready`, which may refuse for free; `exact`; and, where released codes stand for
undeclared values, `values`. A `run` names one question's statements, so that another thread can `cancel` them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from privacy.exact import ExactRequest
from privacy.noise import Integers
from privacy.plan import Plan


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rows of a version lie, and the name of the engine that computes there.

    `location` is the version's own folder, `data directory/dataset/vN`. An engine whose rows lie elsewhere calls them
    by the last two parts of it, which no other version has. `seal` is what stands in the rows' file since they were
    registered and tells them from those of any other version or descriptor; None for versions of before there were
    seals, whose files have none.
    """

    engine: str
    location: Path
    seal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """What the statements of one process may use: threads and seconds each, and a folder for what spills."""

    threads: int
    timeout_s: float
    temporary: Path


class Engine(Protocol):
    """Computes exact integers. Safe to call from several threads, and in a process forked after it was made."""

    def ready(self, place: Place) -> None:
        """Open the place, so that only computing is left. Raises EngineUnavailable if that cannot be done.

        Nor can it where the rows that lie there bear another seal than the place's.

        Runs no statement over the rows and depends on none of their values; cheap where it is open already.
        """

    def probe(self, place: Place) -> None:
        """Whether the place can be opened, without keeping it open. Raises EngineUnavailable.

        Cheap where it was found to be so and has not changed since.
        """

    def exact(self, plan: Plan, place: Place, run: str) -> Mapping[ExactRequest, Integers]:
        """The exact integers of a plan, one int64 a cell. Raises EngineFailed, and nothing else that is foreseen."""

    def values(self, plan: Plan, place: Place, codes: Integers, run: str) -> list[str]:
        """The values behind released codes of the undeclared column that the plan groups by, in that order.

        Raises EngineFailed.
        """

    def cancel(self, run: str) -> None:
        """Interrupt what the run computes, from another thread: it raises EngineFailed there.

        A run that nobody knows, or that has ended, is no error.
        """
