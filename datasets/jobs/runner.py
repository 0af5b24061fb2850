"""Runs jobs under their leases: all that are due, again and again, or each once.

A job that fails stops no other, and is tried again sooner than one that ended well.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import structlog

from datasets.jobs.leases import Leases
from privacy.refusal import Refusal
from privacy.words import Words

RETRY_S = 300.0
"""Seconds after which a job that failed is tried again, unless its interval is shorter."""
RENEWALS = 4
"""How often a lease is renewed within its time: some of these may fail before it runs out."""
FAILURE_CHARACTERS_MAX = 64
log = structlog.get_logger("sudare")

StillMine = Callable[[], bool]
"""Whether the lease still holds. A job asks before each step, and ends where it is False: another has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to be done every `interval_s` seconds. `run` gives the number of things that it did."""

    name: str
    title: Words
    interval_s: float
    run: Callable[[StillMine], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a job: `done` so many things, `failed` with a class, or `elsewhere`: another runner has it."""

    job: Job
    state: Literal["done", "failed", "elsewhere"]
    count: int = 0
    failure: str | None = None


class JobRunner:
    """Some jobs, and the leases under which they are done."""

    def __init__(self, jobs: Sequence[Job], leases: Leases) -> None:
        self._jobs, self._leases = jobs, leases
        self._refused: str | None = None

    def run_each_once(self) -> list[Outcome]:
        """Do every job that nobody does now, or has done since this call began, whatever its interval."""
        began, outcomes = time.monotonic(), []
        for job in self._jobs:
            # The age of this call instead of the interval: a timer's intervals are its own, and of two runners that
            # are started at once only one finds the job undone since.
            age = time.monotonic() - began
            outcomes.append(self._run(job, after_s=age, retry_s=age) or Outcome(job=job, state="elsewhere"))
        return outcomes

    def run_due(self) -> list[Outcome]:
        """Do every job that is due; what the database refuses is logged when it begins and no more until it ends."""
        try:
            found = [
                self._run(job, after_s=job.interval_s, retry_s=min(RETRY_S, job.interval_s))
                for job in self._jobs
            ]
        except Refusal as refusal:
            if self._refused != refusal.code:
                log.warning("jobs wait", code=refusal.code)
            self._refused = refusal.code
            return []
        self._refused = None
        return [outcome for outcome in found if outcome is not None]

    def _run(self, job: Job, *, after_s: float, retry_s: float) -> Outcome | None:
        """Do a job if it is due; None where it is not. Raises Refusal where the database cannot be used."""
        if not self._leases.take(job.name, after_s=after_s, retry_s=retry_s):
            return None
        started = time.monotonic()
        try:
            with self._renewing(job) as still_mine:
                count = job.run(still_mine)
        # Whatever it is, the other jobs go on; only its class is told, since its text may hold data.
        except Exception as failure:  # noqa: BLE001
            kind = type(failure).__name__
            log.error("job failed", job=job.name, kind=kind)
            self._leases.end(job.name, kind[:FAILURE_CHARACTERS_MAX])
            return Outcome(job=job, state="failed", failure=kind)
        # The process is told to end: the job is done by whoever comes next, and need not wait for the lease's end.
        except BaseException:
            self._leases.release(job.name)
            raise
        self._leases.end(job.name, None)
        log.info("job", job=job.name, count=count, ms=round((time.monotonic() - started) * 1000, 1))
        return Outcome(job=job, state="done", count=count)

    @contextmanager
    def _renewing(self, job: Job) -> Iterator[StillMine]:
        """Renew a lease while the block runs; gives what tells whether it still holds."""
        ended, lost = threading.Event(), threading.Event()

        def renew() -> None:
            deadline = time.monotonic() + self._leases.lease_s
            while not ended.wait(self._leases.lease_s / RENEWALS):
                try:
                    held = self._leases.renew(job.name)
                # The database may come back before the lease runs out.
                except Exception as failure:  # noqa: BLE001
                    log.warning("lease not renewed", job=job.name, kind=type(failure).__name__)
                    held = time.monotonic() < deadline
                else:
                    deadline = time.monotonic() + self._leases.lease_s
                if not held:
                    lost.set()
                    return

        thread = threading.Thread(target=renew, name=f"lease of {job.name}", daemon=True)
        thread.start()
        try:
            yield lambda: not lost.is_set()
        finally:
            ended.set()
            thread.join()
