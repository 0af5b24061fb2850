"""gunicorn's master, which also keeps the process of jobs: started once the server listens, again if it dies.

A process of its own, so that a job neither holds up a request nor takes a worker's memory or connections with it.
"""

import math
import os
import signal
import subprocess
import sys
import time
from typing import Any

import structlog
from gunicorn.app.wsgiapp import WSGIApplication  # type: ignore[import-untyped]
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]

FIRST_START_S = 2.0
"""Seconds until the process is started: the workers come first."""
RESTART_S = 10.0
"""Seconds at least between two starts, so that one that dies at once costs little."""
STOP_S_MAX = 5.0
"""Seconds that the process has to end once it is told to."""
log = structlog.get_logger("sudare")


class JobsProcess:
    """`sudare jobs` as a child of this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._next_start = time.monotonic() + FIRST_START_S
        self._ends_by = math.inf

    def look(self) -> None:
        """Start the process where it does not run; never waits."""
        if self._process is not None and self._process.poll() is not None:
            log.warning("jobs ended", restart_s=RESTART_S)
            self._process = None
        if self._process is None and time.monotonic() >= self._next_start:
            self._next_start = time.monotonic() + RESTART_S
            self._start()

    def _start(self) -> None:
        command = [sys.executable, "-P", "-m", "api", "jobs", "--server", str(os.getpid())]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        # No memory, or too many processes: the server goes on, and it is tried again.
        except OSError as failure:
            log.error("jobs not started", kind=type(failure).__name__)

    def terminate(self) -> None:
        """Tell the process to end, without waiting."""
        self._ends_by = time.monotonic() + STOP_S_MAX
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Wait until the process has ended; what has not by its time, which began when it was told, is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(min(STOP_S_MAX, max(0.0, self._ends_by - time.monotonic())))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class JobKeepingArbiter(Arbiter):
    """gunicorn's master with a process of jobs."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self._jobs = JobsProcess()

    def manage_workers(self) -> None:
        """gunicorn asks at each turn of its loop, once a second or more, for workers that are missing."""
        super().manage_workers()
        self._jobs.look()

    def stop(self, graceful: bool = True) -> None:
        """Stop workers and jobs, at the same time."""
        self._jobs.terminate()
        super().stop(graceful)
        self._jobs.wait()


class ServerApplication(WSGIApplication):
    """gunicorn's application of the command line, under our master."""

    def run(self) -> None:
        """Serve until stopped."""
        JobKeepingArbiter(self).run()
