"""The real server, `python -m api serve`, as a child process on a free port: started, asked, killed, stopped."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from small_town import Town

START_S_MAX = 60
STOP_S_MAX = 60


class Server:
    """A server of a town; the same address through every restart."""

    command: Sequence[str] = ("-m", "api", "serve")

    def __init__(self, town: Town, *, workers: int = 2, threads: int = 4, **settings: str) -> None:
        self.town, self.port = town, free_port()
        self.log = town.settings.data_dir.parent / "server.log"
        own = {name: value for name, value in os.environ.items() if not name.startswith("SUDARE_")}
        self.environment = {
            **own,
            **town.environment,
            "SUDARE_BIND": f"127.0.0.1:{self.port}",
            "SUDARE_WORKERS": str(workers),
            "SUDARE_THREADS": str(threads),
            **settings,
        }
        self.workers_wanted = workers

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Start and wait until it is ready; returns the seconds that took."""
        started = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.command],
                env=self.environment,
                stdout=log,
                stderr=log,
                cwd=self.log.parent,
                start_new_session=True,
            )
        while time.monotonic() < started + START_S_MAX:
            if self.process.poll() is not None:
                break
            with suppress(OSError, http.client.HTTPException):
                if self.call("GET", "/readyz")[0] == 200:
                    return time.monotonic() - started
            time.sleep(0.02)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()[-2_000:]}")

    def workers(self) -> list[psutil.Process]:
        """The worker processes that live now."""
        return self._children(jobs=False)

    def jobs(self) -> list[psutil.Process]:
        """The process of jobs, if it lives now."""
        return self._children(jobs=True)

    def _children(self, *, jobs: bool) -> list[psutil.Process]:
        found = []
        with suppress(psutil.NoSuchProcess):
            found = psutil.Process(self.process.pid).children()
        alive = []
        for child in found:
            # Gone meanwhile, or ended and not yet reaped, which has no command line any more.
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if ("jobs" in child.cmdline()) == jobs:
                    alive.append(child)
        return alive

    def kill_everything(self) -> None:
        """kill -9 for the master and every worker at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=STOP_S_MAX)

    def terminate(self) -> None:
        """Ask the server to stop, without waiting."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Stop gracefully; returns the exit code."""
        if self.process.poll() is None:
            self.terminate()
        try:
            return self.process.wait(timeout=STOP_S_MAX)
        finally:
            self.kill_everything()

    def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """One request on a connection of its own: status and JSON body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = {"Content-Type": "application/json", **(headers or {})}
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def ask(
        self, body: Any, *, key: str, user: str = "aoi", dataset: str = "residents"
    ) -> tuple[int, dict[str, Any]]:
        """Ask as a user of the town."""
        headers = {"Authorization": f"Bearer {self.town.keys[user]}", "Idempotency-Key": key}
        return self.call("POST", f"/v1/datasets/{dataset}/queries", body, headers)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(town: Town, **options: Any) -> Iterator[Server]:
    """A server for the length of a block."""
    server = Server(town, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def folder_of(town: Town) -> Path:
    return town.settings.data_dir.parent
