"""Runs tests in copies of the tree, each in a fork of this process, which has imported the libraries already.

A process of its own for each copy would spend most of its time importing what never changes. Nothing of the tree
itself is imported here: a fork finds the copy that it is told of first on its path. Started by `Copies`; reads one
run a line from standard input and writes how each ended to standard output, in JSON both.
"""

import importlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen

LIBRARIES = (
    "_pytest.assertion.rewrite",
    "alembic",
    "click",
    "duckdb",
    "flask",
    "flask_smorest",
    "hypothesis",
    "jsonschema",
    "marshmallow",
    "numba",
    "numpy",
    "opendp.prelude",
    "psutil",
    "psycopg",
    "pyarrow.ipc",
    "pytest",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.orm",
    "sqlglot",
    "structlog",
    "yaml",
)
TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of tests ended: pytest's exit code (or minus the signal that ended it) and all that it printed."""

    returncode: int
    output: str


class Copies:
    """Asks a process of this file for runs, and waits for them; any number at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = Popen([sys.executable, __file__], stdin=PIPE, stdout=PIPE, text=True)
        self._lock = threading.Lock()
        self._asked: dict[int, Future[int]] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def run(self, tree: Path, arguments: tuple[str, ...], environment: Mapping[str, str]) -> Ended:
        """Run pytest with these arguments in a copy of the tree."""
        with self._lock:
            number = len(self._asked)
            self._asked[number] = ended = Future()
            output = self._folder / f"{number}.txt"
            asked = {
                "number": number,
                "tree": str(tree),
                "output": str(output),
                "arguments": arguments,
                "environment": dict(environment),
            }
            print(json.dumps(asked), file=self._process.stdin, flush=True)
        return Ended(ended.result(), output.read_text(encoding="utf-8", errors="replace"))

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            number, code = json.loads(line)
            self._asked[number].set_result(code)
        for ended in self._asked.values():
            if not ended.done():
                ended.set_exception(ChildProcessError("the process that runs tests in copies has ended"))


def main() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    # Nobody waits for the watchers, and no thread runs here: a fork would inherit the locks that it holds.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _watch(json.loads(line))


def _watch(asked: dict[str, object]) -> None:
    """In a fork: start the run in another, tell how it ended. Never returns."""
    runner = os.fork()
    if runner == 0:
        _run(asked)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(runner, signal.SIGKILL))
    signal.alarm(TIMEOUT_S)
    _, status = os.waitpid(runner, 0)
    os.write(1, f"{json.dumps([asked['number'], os.waitstatus_to_exitcode(status)])}\n".encode())
    os._exit(0)


def _run(asked: dict[str, object]) -> None:
    """In the fork: become a run of pytest in the copy. Never returns."""
    code = 70
    try:
        os.setsid()  # a run that takes too long ends with all that it started
        output = os.open(str(asked["output"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, there in ((0, nothing), (1, output), (2, output)):
            os.dup2(there, number)
        os.chdir(str(asked["tree"]))
        os.environ.clear()
        os.environ.update(asked["environment"])  # type: ignore[arg-type]
        sys.path[0] = str(asked["tree"])
        import pytest

        code = int(pytest.main(list(asked["arguments"])))  # type: ignore[call-overload]
    except BaseException:  # noqa: BLE001
        traceback.print_exc()  # into what the run printed; nothing may leave this function in a fork
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
