"""Planning in a process of its own: the same results, refusals as they were, and no process that stays or is missed."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from doubles import TOWN, Silence, count, query

from datasets.engines.base import EngineLimits
from datasets.engines.rehearsal import DummyEngine
from datasets.queries import planner as planner_module
from datasets.queries.errors import PlanningBusy
from datasets.queries.planner import Planner, PlannerProcess, PlanningFailed
from datasets.queries.preparation import Preparation
from privacy.plan import plan
from privacy.query import InvalidQuery, Key
from privacy.work import PlanningTooDear, planning_work

ROOT = Path(__file__).resolve().parents[2]
GONE_S_MAX = 10.0
ORPHAN = """
import sys, threading
from pathlib import Path
from datasets.engines.base import EngineLimits
from datasets.queries.planner import PlannerProcess

class Endless:
    def __reduce__(self):
        return exec, ("while True: pass",)

apart = PlannerProcess(EngineLimits(threads=1, timeout_s=60, temporary=Path(sys.argv[1])))
threading.Thread(target=apart.prepared, args=("plan", Endless(), None), daemon=True).start()
while apart.pid is None:
    pass
print(apart.pid, flush=True)
sys.stdin.readline()
"""


class Endless:
    """Whoever unpickles this computes for ever."""

    def __reduce__(self) -> Any:
        return exec, ("while True: pass",)


@pytest.fixture(scope="module")
def limits(tmp_path_factory: pytest.TempPathFactory) -> EngineLimits:
    return EngineLimits(threads=1, timeout_s=60, temporary=tmp_path_factory.mktemp("planner"))


@pytest.fixture(scope="module")
def here(limits: EngineLimits) -> Preparation:
    return Preparation(DummyEngine(limits), Silence())


@pytest.fixture(scope="module")
def apart(limits: EngineLimits) -> Iterator[PlannerProcess]:
    made = PlannerProcess(limits)
    yield made
    made.end()


@pytest.fixture(autouse=True)
def _all_work_is_heavy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner_module, "LIGHT_UNITS", 0)


def ask_endlessly(apart: PlannerProcess, refused: list[Exception]) -> None:
    """Ask for what is never done, and note the refusal."""
    try:
        apart.prepared("plan", Endless(), TOWN)  # type: ignore[arg-type]
    except PlanningBusy as busy:
        refused.append(busy)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, or does so within some seconds."""
    ends_at = time.monotonic() + GONE_S_MAX
    while time.monotonic() < ends_at:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_another_process_prepares_what_this_one_would(here: Preparation, apart: PlannerProcess) -> None:
    planner = Planner(here, apart, work_max=1_000_000, slots=1)
    asked = query(count())
    assert planner.plan(asked, TOWN) == plan(asked, TOWN)
    quoted = planner.quote(asked, TOWN)
    assert quoted == here.quote(asked, TOWN)
    rehearsed = planner.rehearse(asked, TOWN)
    assert [column.name for column in rehearsed.table.columns] == ["n", "n_low", "n_high"]
    assert apart.pid is not None
    assert psutil.Process(apart.pid).nice() > psutil.Process().nice()


def test_a_process_for_planning_has_no_setting_of_ours(apart: PlannerProcess, monkeypatch: Any) -> None:
    monkeypatch.setenv("SUDARE_SECRET_KEY", "a secret")
    apart.end()
    apart.prepared("plan", query(count()), TOWN)
    assert not any(name.startswith("SUDARE_") for name in psutil.Process(apart.pid).environ())


def test_what_another_process_refuses_is_refused_here(here: Preparation, apart: PlannerProcess) -> None:
    planner = Planner(here, apart, work_max=1_000_000, slots=1)
    asked = query(count(), group_by=(Key(column="nothing"),))
    with pytest.raises(InvalidQuery) as expected:
        plan(asked, TOWN)
    with pytest.raises(InvalidQuery) as refused:
        planner.plan(asked, TOWN)
    assert refused.value.problems == expected.value.problems
    assert refused.value.message() == expected.value.message()


def test_a_fault_in_another_process_is_one_here(apart: PlannerProcess) -> None:
    with pytest.raises(PlanningFailed):
        apart.prepared("plan", None, TOWN)  # type: ignore[arg-type]
    assert apart.prepared("plan", query(count()), TOWN)


def test_work_beyond_the_limit_is_refused_before_anybody_works_or_counts(here: Preparation) -> None:
    asked = query(count())
    least = planning_work(asked, TOWN).total
    counted: list[int] = []
    with pytest.raises(PlanningTooDear):
        Planner(here, work_max=least - 1, slots=1).quote(asked, TOWN, counted.append)
    assert counted == []
    Planner(here, work_max=least, slots=1).quote(asked, TOWN, counted.append)
    assert counted == [least]


class Waiting:
    """Stands for a planner process that is at work until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Semaphore(0), threading.Event()

    def prepared(self, *asked: Any) -> str:
        self.begun.release()
        assert self.go_on.wait(30)
        return "done"


def test_more_than_the_slots_are_refused_and_light_work_is_not(here: Preparation, monkeypatch: Any) -> None:
    waiting = Waiting()
    planner = Planner(here, waiting, work_max=1_000_000, slots=2)  # type: ignore[arg-type]
    asking = [threading.Thread(target=planner.plan, args=(query(count()), TOWN)) for _ in range(2)]
    for thread in asking:
        thread.start()
    assert all(waiting.begun.acquire(timeout=30) for _ in asking)
    with pytest.raises(PlanningBusy):
        planner.plan(query(count()), TOWN)
    monkeypatch.setattr(planner_module, "LIGHT_UNITS", 1_000_000)
    assert planner.plan(query(count()), TOWN) == plan(query(count()), TOWN)
    monkeypatch.setattr(planner_module, "LIGHT_UNITS", 0)
    waiting.go_on.set()
    for thread in asking:
        thread.join(30)
    assert planner.plan(query(count()), TOWN) == "done"  # type: ignore[comparison-overlap]


def test_a_process_that_died_is_replaced_and_its_question_refused(apart: PlannerProcess) -> None:
    apart.prepared("plan", query(count()), TOWN)
    first = apart.pid
    refused: list[Exception] = []

    asking = threading.Thread(target=ask_endlessly, args=(apart, refused))
    asking.start()
    assert first is not None
    while psutil.Process(first).cpu_percent(0.05) < 10:
        """It is not at work yet."""
    psutil.Process(first).kill()
    asking.join(30)
    assert len(refused) == 1
    assert apart.prepared("plan", query(count()), TOWN)
    assert apart.pid != first
    # Also where it died while nobody asked.
    psutil.Process(apart.pid).kill()
    psutil.Process(apart.pid).wait(10)
    assert apart.prepared("plan", query(count()), TOWN)


def test_a_process_that_takes_too_long_is_ended(limits: EngineLimits) -> None:
    apart = PlannerProcess(limits, deadline_s=0.2)
    refused: list[Exception] = []
    asking = threading.Thread(target=ask_endlessly, args=(apart, refused))
    asking.start()
    while (pid := apart.pid) is None:
        """It is not started yet."""
    asking.join(30)
    assert len(refused) == 1
    assert apart.pid is None
    assert is_gone(pid)


@pytest.mark.parametrize("end", ["kill", pytest.param("terminate", marks=pytest.mark.long)])
def test_no_process_outlives_the_one_that_started_it(tmp_path: Path, end: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        # It has heard of its work and is in the middle of it.
        while psutil.Process(pid).cpu_percent(0.05) < 10:
            """It is not at work yet."""
        getattr(parent, end)()
    try:
        assert is_gone(pid)
    finally:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()


@pytest.mark.long
def test_a_forked_process_starts_one_of_its_own_and_leaves_the_other(apart: PlannerProcess) -> None:
    apart.prepared("plan", query(count()), TOWN)
    before = apart.pid
    forking = multiprocessing.get_context("fork")
    told = forking.Queue()

    def ask() -> None:
        apart.prepared("plan", query(count()), TOWN)
        told.put(apart.pid)

    child = forking.Process(target=ask)
    child.start()
    other = told.get(timeout=30)
    child.join(30)
    assert other != before
    assert is_gone(other)
    assert apart.prepared("plan", query(count()), TOWN)
    assert apart.pid == before
