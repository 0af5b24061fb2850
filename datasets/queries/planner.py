"""Planning, quotes and rehearsals within a budget of counted work, done where they cannot starve the settlement.

What is light is done by the thread that asks. What is heavy is done by a process of lower priority, one for each
process that asks: a thread of our own would hold the interpreter's lock, and every other answer would wait for it.
Nothing here opens data or charges anything, so whatever goes wrong is free.
"""

import os
import pickle
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import structlog

from datasets.engines.base import EngineLimits
from datasets.queries.errors import PlanningBusy
from datasets.queries.preparation import Preparation, PreparedQuote, Rehearsed
from privacy.plan import Plan
from privacy.query import Query
from privacy.schema import Schema
from privacy.work import Work, planning_work, rehearsal_work

LIGHT_UNITS = 10_000
"""Work that a thread does itself, some 10 ms: less than another process needs to be told and to answer."""
REHEARSAL_TIMES = 2
"""How many times as much work a rehearsal may take: beside the plan it makes a whole answer, noise and all."""
DEADLINE_S = 30.0
"""For waiting and working together. Work within its limit takes a second or so; a busy machine may take it longer."""
ROOT = Path(__file__).resolve().parents[2]
Admit = Callable[[int], None]
"""Counts so many units of work against the caller's rate, and refuses them where they are too many."""
log = structlog.get_logger("sudare")


class PlanningFailed(RuntimeError):
    """The planner process met a fault of ours. Carries no text; the log has its kind and place."""


def uncounted(units: int) -> None:
    """Counts nothing: nobody's rate is charged."""


class Planner:
    """Prepares questions. At most `slots` heavy ones at a time, waiting or worked at, in each process.

    Without `apart` the heavy ones are prepared here, too.
    """

    def __init__(
        self, here: Preparation, apart: "PlannerProcess | None" = None, *, work_max: int, slots: int
    ) -> None:
        self._here, self._apart, self._work_max = here, apart, work_max
        self._slots = threading.BoundedSemaphore(slots)

    def plan(self, query: Query, schema: Schema, admit: Admit = uncounted) -> Plan:
        """The plan. Raises what `privacy.plan.plan` raises, PlanningTooDear and PlanningBusy."""
        planned: Plan = self._prepared("plan", query, schema, planning_work(query, schema), admit)
        return planned

    def quote(self, query: Query, schema: Schema, admit: Admit = uncounted) -> PreparedQuote:
        """The plan and what a quote says. Raises what `plan` raises."""
        quoted: PreparedQuote = self._prepared("quote", query, schema, planning_work(query, schema), admit)
        return quoted

    def rehearse(self, query: Query, schema: Schema, admit: Admit = uncounted) -> Rehearsed:
        """The plan and an answer from generated rows. Raises what `plan` raises, and EngineFailed or PlanningFailed."""
        work = rehearsal_work(query, schema)
        rehearsed: Rehearsed = self._prepared("rehearse", query, schema, work, admit, times=REHEARSAL_TIMES)
        return rehearsed

    def _prepared(
        self, task: str, query: Query, schema: Schema, work: Work, admit: Admit, *, times: int = 1
    ) -> Any:
        # Both before anything is worked out: what is refused costs next to nothing.
        work.must_be_within(self._work_max * times)
        admit(work.total)
        if self._apart is None or work.total <= LIGHT_UNITS:
            return getattr(self._here, task)(query, schema)
        # Each waits in a thread that answers requests: the others must be left for those that need no planning.
        if not self._slots.acquire(blocking=False):
            raise PlanningBusy
        try:
            return self._apart.prepared(task, query, schema)
        finally:
            self._slots.release()


@dataclass(frozen=True, slots=True)
class _Child:
    """A running planner process, whose parent `owner` is, and our end of the pipe to it."""

    owner: int
    process: "subprocess.Popen[bytes]"
    pipe: Connection

    def asked(self, message: object, seconds: float) -> Any:
        """What it answers. Raises OSError or EOFError if it is gone, TimeoutError if it takes too long."""
        self.pipe.send_bytes(pickle.dumps(message))
        if not self.pipe.poll(seconds):
            raise TimeoutError
        # From a process of our own code, started here: nobody else holds the other end.
        return pickle.loads(self.pipe.recv_bytes())

    def end(self) -> None:
        # A forked copy of the parent has neither the child nor the right to end it.
        if self.owner == os.getpid():
            self.pipe.close()
            self.process.kill()
            self.process.wait()


class PlannerProcess:
    """One process at a time that prepares, started when first needed and replaced when it has gone.

    It ends with the process that started it, however that ends. `limits` are those of its engine of generated rows.
    """

    def __init__(self, limits: EngineLimits, *, deadline_s: float = DEADLINE_S) -> None:
        self._limits, self._deadline_s = limits, deadline_s
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def prepared(self, task: str, query: Query, schema: Schema) -> Any:
        """What `Preparation` gives or refuses for a task.

        Raises PlanningBusy too, where it is not done in time or the process died, and PlanningFailed for a fault there.
        """
        ends_at = time.monotonic() + self._deadline_s
        if not self._lock.acquire(timeout=self._deadline_s):
            raise PlanningBusy
        try:
            outcome, *found = self._running().asked((task, query, schema), ends_at - time.monotonic())
        except (OSError, EOFError, TimeoutError) as failure:
            log.error("planner lost", kind=type(failure).__name__)
            self.end()
            raise PlanningBusy from failure
        finally:
            self._lock.release()
        return _result(outcome, found)

    @property
    def pid(self) -> int | None:
        """The number of the process, if there is one."""
        return self._child.process.pid if self._child and self._child.owner == os.getpid() else None

    def end(self) -> None:
        """End the process; the next question starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def _running(self) -> _Child:
        if self._child is None or self._child.owner != os.getpid() or self._child.process.poll() is not None:
            self.end()
            self._child = child = _started(self._limits)
            # With this object and with this process; and where neither has the time, the child sees its pipe end.
            weakref.finalize(self, child.end)
        return self._child


def _started(limits: EngineLimits) -> _Child:
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "datasets.queries.planner_process", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env=_environment(),
        )
    ours.send_bytes(pickle.dumps(limits))
    return _Child(os.getpid(), process, ours)


def _environment() -> dict[str, str]:
    """No setting of ours: it opens no data and no database, and needs no secret."""
    passed = {
        name: value for name, value in os.environ.items() if not name.startswith(("SUDARE_", "PROMETHEUS_"))
    }
    return passed | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}


def _result(outcome: str, found: list[Any]) -> Any:
    if outcome == "done":
        return found[0]
    if outcome == "refused":
        kind, fields = found
        # Made without its constructor: each has arguments of its own.
        refusal = kind.__new__(kind)
        vars(refusal).update(fields)
        raise refusal
    kind, place = found
    log.error("planner failed", kind=kind, place=place)
    raise PlanningFailed
