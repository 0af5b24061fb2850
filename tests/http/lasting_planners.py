"""Planner processes that servers of one test process share: to start one takes longer than most tests.

They keep nothing between two questions. That they start, end with their server and are replaced is told by
tests/faults/test_planner.py, with processes of its own.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets.engines.base import EngineLimits


class LastingPlanner:
    """As the child that it wraps, but it ends only where it left a question unanswered; then it answers no other."""

    def __init__(self, child: Any) -> None:
        self._child, self._lock = child, threading.Lock()
        self.failed = False

    @property
    def owner(self) -> int:
        return int(self._child.owner)

    @property
    def process(self) -> Any:
        return self._child.process

    def asked(self, message: object, seconds: float) -> Any:
        with self._lock:
            self.failed = True
            answer = self._child.asked(message, seconds)
            self.failed = False
            return answer

    def end(self) -> None:
        if self.failed:
            self._child.end()

    def end_for_good(self) -> None:
        self._child.end()


class LastingPlanners:
    """The process for these limits, started with `start` if there is none that answers; all spill into one folder."""

    def __init__(self, start: Callable[[EngineLimits], Any], temporary: Path) -> None:
        self._start, self._temporary = start, temporary
        self._lock = threading.Lock()
        self._running: dict[EngineLimits, LastingPlanner] = {}

    def __call__(self, limits: EngineLimits) -> LastingPlanner:
        limits = replace(limits, temporary=self._temporary)
        with self._lock:
            planner = self._running.get(limits)
            # A forked copy of this process has no right to ask what the other one started.
            is_ours = planner is not None and planner.owner == os.getpid()
            if planner is None or not is_ours or planner.failed or planner.process.poll() is not None:
                planner = self._running[limits] = LastingPlanner(self._start(limits))
            return planner

    def end(self) -> None:
        for planner in self._running.values():
            planner.end_for_good()
