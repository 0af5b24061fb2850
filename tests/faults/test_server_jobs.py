"""The process of jobs beside a real server: it is started, started again, and ends with the server."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

sys.path.append(str(Path(__file__).parent.parent / "http"))

from real_server import Server
from small_town import Town, build

WAIT_S_MAX = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(build(tmp_path / "town"), workers=1, threads=2)
    yield made
    made.kill_everything()


def soon(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_S_MAX
    while not (found := look()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return found


def abandoned(town: Town) -> Path:
    folder = town.settings.data_dir / "residents" / ".staging-0123"
    folder.mkdir()
    then = time.time() - 2 * 86_400
    os.utime(folder, (then, then))
    return folder


def test_the_server_does_what_waits_for_time_and_ends_it_with_itself(server: Server) -> None:
    left = abandoned(server.town)
    server.start()
    soon(lambda: not left.exists())
    (process,) = server.jobs()
    assert server.stop() == 0
    assert not psutil.pid_exists(process.pid)
    log = server.log.read_text()
    # What a library says of its own memory at the end of a process, and looks like a fault.
    assert "leaked" not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert {line["job"] for line in lines if line["event"] == "job"} == {"registrations", "temporary"}


@pytest.mark.long
def test_jobs_that_die_are_started_again_and_the_server_goes_on(server: Server) -> None:
    server.start()
    (first,) = soon(server.jobs)
    first.kill()
    (second,) = soon(lambda: [process for process in server.jobs() if process.pid != first.pid])
    assert server.call("GET", "/readyz")[0] == 200
    # Killed, the master can end nothing itself.
    psutil.Process(server.process.pid).kill()
    soon(lambda: not second.is_running() or second.status() == psutil.STATUS_ZOMBIE)
