"""Names of answers and grants: in the order they were made, in every thread and process, and not guessable."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from datasets.database import ids
from datasets.database.ids import BASE32, new_id

RANDOM_CHARACTERS = 14


def place_in_time(name: str) -> str:
    """The characters before the random ones."""
    return name[:-RANDOM_CHARACTERS]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The clock that names are made by: its one item is the time in nanoseconds."""
    reading = [time.time_ns()]
    monkeypatch.setattr(ids, "_clock", ids._AscendingClock())
    with monkeypatch.context() as patched:
        patched.setattr(time, "time_ns", lambda: reading[0])
        yield reading


def test_a_name_is_a_prefix_and_26_characters_of_base_32() -> None:
    prefix, _, rest = new_id("q").partition("_")
    assert prefix == "q"
    assert len(rest) == 26
    assert set(rest) <= set(BASE32)


def test_names_ascend_within_a_process() -> None:
    names = [new_id("q") for _ in range(20_000)]
    assert names == sorted(set(names))


@pytest.mark.usefixtures("clock")
def test_names_ascend_while_the_clock_stands_still() -> None:
    names = [new_id("q") for _ in range(5_000)]
    assert names == sorted(set(names))


def test_names_ascend_when_the_clock_is_set_back(clock: list[int]) -> None:
    before = new_id("q")
    clock[0] -= 3_600 * 10**9
    assert new_id("q") > before


def test_names_of_other_processes_sort_by_the_microsecond(
    clock: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    for _ in range(2_500):
        monkeypatch.setattr(ids, "_clock", ids._AscendingClock())  # each as by a process that has just begun
        names.append(new_id("q"))
        clock[0] += 1_000
    assert names == sorted(set(names))


@pytest.fixture
def _restless_threads() -> Iterator[None]:
    """Threads take turns after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("clock", "_restless_threads")
def test_each_thread_sees_its_names_ascend_and_none_is_made_twice() -> None:
    together = threading.Barrier(8)

    def make(_: int) -> list[str]:
        together.wait()
        return [new_id("q") for _ in range(2_000)]

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(8)))
    assert all(names == sorted(names) for names in made)
    assert len({place_in_time(name) for names in made for name in names}) == 8 * 2_000


def test_a_child_that_was_forked_while_a_thread_made_names_makes_its_own() -> None:
    """The lock is held at the moment of the fork, as it may be when another thread makes a name."""
    with ids._clock._lock:
        child = os.fork()
        if child == 0:
            new_id("q")
            os._exit(0)
        deadline = time.monotonic() + 5
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.01)
        if ended == (0, 0):
            os.kill(child, 9)
            os.waitpid(child, 0)
    assert ended == (child, 0)


def test_parent_and_child_share_no_random_bits() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_id("q").encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 28)[-RANDOM_CHARACTERS:].decode() != new_id("q")[-RANDOM_CHARACTERS:]
    os.close(reading)
    os.close(writing)


def test_a_name_has_seventy_random_bits_of_its_own() -> None:
    ends = {new_id("q")[-RANDOM_CHARACTERS:] for _ in range(1_000)}
    assert len(ends) == 1_000
    assert all(len({end[place] for end in ends}) > 20 for place in range(RANDOM_CHARACTERS))
