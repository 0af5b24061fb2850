"""Several client processes of one code that do the same work at once, as often as they can."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.code import Code

CLIENT = Path(__file__).with_name("client.py")


@dataclass(frozen=True, slots=True)
class Clients:
    """Running client processes; see bench/client.py for what is said between."""

    processes: "Sequence[subprocess.Popen[str]]"

    def rate(self, work: str, *, clients: int, warm_up_seconds: float, seconds: float) -> float:
        """How often a second that many of them did the work together."""
        at_work = self.processes[:clients]
        for process in at_work:
            _say(process, json.dumps([work, warm_up_seconds, seconds]))
        # All are warm before any is measured, and nobody's start-up takes from another's time.
        for process in at_work:
            assert _heard(process) == "ready"
        for process in at_work:
            _say(process, "go")
        return sum(float(_heard(process)) for process in at_work)


@contextmanager
def running(code: Code, program: Path, url: str, *, clients: int) -> Iterator[Clients]:
    """So many client processes on that database, until the block ends."""
    started = [
        code.start("-P", str(CLIENT), str(program), url, str(number), piped=True) for number in range(clients)
    ]
    try:
        yield Clients(started)
    finally:
        for process in started:
            process.communicate()  # ends its input, and with that the process


def _say(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _heard(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise RuntimeError(f"a client ended with {process.wait()}")
    return line
