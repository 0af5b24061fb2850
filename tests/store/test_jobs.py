"""Jobs under their leases: one runner at a time, killed holders, failures, and what the sweeps remove."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Row, select, text
from structlog.testing import capture_logs

from api.commands.main import main
from datasets.database.owner import claim
from datasets.database.store import Store
from datasets.jobs.leases import LEASES, Leases
from datasets.jobs.runner import Job, JobRunner, Outcome, StillMine
from datasets.jobs.sweeps import sweep_temporary, sweeps
from privacy.words import Words

DAY_S = 86_400
HOLD = """
import sys, time
from datasets.database.store import Store
from datasets.jobs.leases import Leases
assert Leases(Store(sys.argv[1]), lease_s=1).take("sweep", after_s=0, retry_s=0)
print("held", flush=True)
time.sleep(60)
"""


def job(run: Callable[[StillMine], int], *, name: str = "sweep", interval_s: float = 3_600) -> Job:
    return Job(name=name, title=Words(ja="掃除", en="sweep"), interval_s=interval_s, run=run)


def runner(store: Store, *jobs: Job, lease_s: float = 60) -> JobRunner:
    return JobRunner(jobs, Leases(store, lease_s=lease_s))


def states(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.state for outcome in outcomes]


def lease(store: Store, name: str = "sweep") -> Row[tuple[str, ...]]:
    with store.reading() as connection:
        return connection.execute(select(LEASES).where(LEASES.c.name == name)).one()


@pytest.mark.parametrize("once", [True, False])
def test_of_runners_at_once_each_job_is_done_by_one(store: Store, once: bool) -> None:
    done, started = [], threading.Barrier(4)
    names = ("first", "second")

    def run(name: str) -> int:
        done.append(name)
        # Long enough that the others come meanwhile.
        time.sleep(0.2)
        return 1

    def work() -> None:
        mine = runner(store, *(job(lambda _, name=name: run(name), name=name) for name in names))  # type: ignore[misc]
        started.wait()
        mine.run_each_once() if once else mine.run_due()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == sorted(names)


def test_a_job_that_was_done_is_due_again_after_its_interval(store: Store) -> None:
    done: list[int] = []
    hourly = runner(store, job(lambda _: done.append(1) or 1))
    quick = runner(store, job(lambda _: done.append(1) or 1, interval_s=0.05))
    assert states(hourly.run_due()) == ["done"]
    assert states(hourly.run_due()) == []
    time.sleep(0.1)
    assert states(quick.run_due()) == ["done"]
    # Asked for by hand or by a timer, it does not wait for its interval.
    assert states(hourly.run_each_once()) == ["done"]
    assert len(done) == 3


def test_what_another_holds_is_left_alone_and_told(store: Store) -> None:
    other = Leases(store)
    assert other.take("sweep", after_s=0, retry_s=0)
    mine = runner(store, job(lambda _: pytest.fail("it is the other's")))
    assert states(mine.run_due()) == []
    assert states(mine.run_each_once()) == ["elsewhere"]
    assert lease(store).holder == other.holder


def test_the_lease_of_a_killed_holder_runs_out(store: Store) -> None:
    url = store.url.render_as_string(hide_password=False)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, url], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    holder.stdout.close()
    mine = runner(store, job(lambda _: 7))
    assert states(mine.run_due()) == []
    deadline = time.monotonic() + 20
    while not (found := mine.run_due()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (found[0].state, found[0].count) == ("done", 7)


def test_a_job_longer_than_its_lease_keeps_it(store: Store) -> None:
    met = []

    def long(still_mine: StillMine) -> int:
        time.sleep(1)
        met.extend([still_mine(), runner(store, job(lambda _: pytest.fail("two at once"))).run_due()])
        return 1

    assert states(runner(store, job(long), lease_s=0.4).run_due()) == ["done"]
    assert met == [True, []]


def test_who_lost_its_lease_is_told_and_ends_nothing_of_the_next_holder(store: Store) -> None:
    def overtaken(still_mine: StillMine) -> int:
        with store.writing() as tx:
            tx.execute(text("UPDATE leases SET holder = 'another'"))
        deadline = time.monotonic() + 10
        while still_mine():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return 0

    runner(store, job(overtaken), lease_s=0.4).run_due()
    assert (lease(store).holder, lease(store).ended_at) == ("another", None)


def test_a_failing_job_stops_no_other_is_tried_again_and_tells_its_class_alone(store: Store) -> None:
    tried = []

    def fail(_: StillMine) -> int:
        tried.append(1)
        raise ValueError("secret of a row")

    both = runner(store, job(fail, name="broken", interval_s=0.05), job(lambda _: 1, name="sound"))
    with capture_logs() as lines:
        assert states(both.run_due()) == ["failed", "done"]
    assert [line["kind"] for line in lines if line["event"] == "job failed"] == ["ValueError"]
    assert "secret" not in str(lines)
    assert (lease(store, "broken").failure, lease(store, "broken").holder) == ("ValueError", None)
    time.sleep(0.1)
    assert states(both.run_due()) == ["failed"]
    assert len(tried) == 2


def test_who_is_told_to_end_lets_go_of_its_job(store: Store) -> None:
    def ended(_: StillMine) -> int:
        raise SystemExit

    with pytest.raises(SystemExit):
        runner(store, job(ended)).run_due()
    assert states(runner(store, job(lambda _: 1)).run_due()) == ["done"]


def test_a_database_that_is_away_is_told_once(tmp_path: Path) -> None:
    away = runner(Store(f"sqlite:///{tmp_path}"), job(lambda _: 1))
    with capture_logs() as lines:
        assert [away.run_due() for _ in range(3)] == [[], [], []]
    assert [line["code"] for line in lines if line["event"] == "jobs wait"] == ["unavailable"]


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def staging(data: Path, dataset: str, *, age_s: float, file_age_s: float | None = None) -> Path:
    folder = data / dataset / ".staging-0123"
    folder.mkdir(parents=True)
    (folder.parent / ".registering").touch()
    (folder / "half").write_text("1")
    aged(folder / "half", age_s if file_age_s is None else file_age_s)
    aged(folder, age_s)
    return folder


def test_who_lost_the_lease_removes_nothing_more(tmp_path: Path) -> None:
    file = tmp_path / "duckdb_temp_block-1"
    file.touch()
    aged(file, 2 * DAY_S)
    assert sweep_temporary(tmp_path, DAY_S, lambda: False) == 0
    (registrations, _) = sweeps(tmp_path, lambda: pytest.fail("the lease is another's"))
    assert registrations.run(lambda: False) == 0
    assert file.exists()


def test_temporary_files_of_the_engine_go_when_they_are_old(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("duckdb_temp_storage-0.tmp", "duckdb_temp_block-1", "notes")}
    for file in files.values():
        file.touch()
        aged(file, 2 * DAY_S)
    files["duckdb_temp_block-1"].touch()
    assert sweep_temporary(tmp_path, DAY_S, lambda: True) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["duckdb_temp_block-1", "notes"]
    assert sweep_temporary(tmp_path / "missing", DAY_S, lambda: True) == 0


@pytest.fixture
def operating(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    data = tmp_path / "data"
    claim(data, store)
    monkeypatch.setenv("SUDARE_DATABASE_URL", store.url.render_as_string(hide_password=False))
    monkeypatch.setenv("SUDARE_DATA_DIR", str(data))
    return data


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "that interrupted registrations left: done (1)"), ("ja", "フォルダの削除：完了（1 件）")],
)
def test_once_does_every_job_and_says_so(
    operating: Path, monkeypatch: pytest.MonkeyPatch, language: str, told: str
) -> None:
    monkeypatch.setenv("SUDARE_LANGUAGE", language)
    left = staging(operating, "old", age_s=2 * DAY_S)
    done = CliRunner().invoke(main, ["jobs", "--once"])
    assert done.exit_code == 0, done.output
    assert told in done.stdout
    assert not left.exists()


def test_once_ends_with_1_where_a_job_failed(operating: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(path)

    monkeypatch.setenv("SUDARE_LANGUAGE", "en")
    left = staging(operating, "old", age_s=2 * DAY_S)
    monkeypatch.setattr(shutil, "rmtree", refuse)
    done = CliRunner().invoke(main, ["jobs", "--once"])
    assert done.exit_code == 1
    assert "failed (PermissionError)" in done.stdout
    assert "temporary files that interrupted computations left: done (0)" in done.stdout
    assert str(left) not in done.output
