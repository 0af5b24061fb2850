"""A client process of a benchmark: does a program's works when told to, with the code that PYTHONPATH names.

Run by path, for the folder of that code may be of a time when this file did not exist:

    python -P client.py PROGRAM URL NUMBER

PROGRAM is a file of Python with WORKS, functions by name. Each takes the database's URL and the client's number and
returns what is to be done again and again. A line on standard input is a JSON list: name of a work, seconds to warm
up, seconds to measure. The answer is `ready`; the next line starts it; the answer is how often a second it was done.
"""

import json
import os
import runpy
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path


def main() -> None:
    """Serve until standard input ends."""
    program, url, number = sys.argv[1:]
    works = runpy.run_path(program)["WORKS"]
    _must_be_of(Path(os.environ["PYTHONPATH"]))
    made: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        name, warm_up_s, seconds = json.loads(line)
        once = made.setdefault(name, works[name](url, int(number)))
        _during(once, warm_up_s)
        print("ready", flush=True)
        sys.stdin.readline()
        started = time.monotonic()
        done = _during(once, seconds)
        print(done / (time.monotonic() - started), flush=True)


def _must_be_of(root: Path) -> None:
    """An installed Sudare that came first would be measured twice, and nobody would see it."""
    found = Path(str(import_module("datasets").__file__))
    assert found.is_relative_to(root), f"{found} is not below {root}"


def _during(once: Callable[[], object], seconds: float) -> int:
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        once()
        done += 1
    return done


if __name__ == "__main__":
    main()
