"""Folders of versions: two machines that register at once, and what registrations that died have left."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from town import RESIDENTS, VISITS, add, residents_csv, visits_csv

import datasets.registration.registry as registry
from datasets.catalog import Catalog
from datasets.database.locks import alone
from datasets.database.store import Store
from datasets.database.tables import VersionRow
from datasets.engines.base import EngineLimits
from datasets.engines.engines import Engines
from datasets.engines.format import STATISTICS_FILE
from datasets.registration.errors import RegistrationRefused
from datasets.registration.folders import sweep_abandoned

AGES = (89, 119)
NOW = timedelta(0)


def described(widest: int) -> str:
    """The residents, with ages up to that."""
    return RESIDENTS.replace("max: 119", f"max: {widest}")


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks of a machine hold nobody back, and of two registrations none commits before both are that far."""
    barrier, sync = threading.Barrier(2), registry.sync  # type: ignore[attr-defined]

    def renamed(home: Path) -> None:
        sync(home)
        barrier.wait(timeout=20)

    monkeypatch.setattr(registry, "alone", lambda file: nullcontext())
    monkeypatch.setattr(registry, "sync", renamed)


def outcome(url: str, data_dir: Path, widest: int) -> str:
    """What comes of registering residents, from a store of its own."""
    store = Store(url)
    try:
        add(store, data_dir, described(widest), residents_csv())
    except RegistrationRefused as refused:
        return str(refused)
    finally:
        store.close()
    return "registered"


@pytest.mark.parametrize("has_earlier", [False, True], ids=["first", "later"])
def test_of_two_machines_that_register_at_once_one_is_refused_and_the_other_serves(
    store: Store, store_url: str, tmp_path: Path, has_earlier: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = tmp_path / "data"
    if has_earlier:
        add(store, data_dir, described(100), residents_csv())
    at_once(monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        made = {widest: pool.submit(outcome, store_url, data_dir, widest) for widest in AGES}
        outcomes = {widest: future.result() for widest, future in made.items()}
    (winner,) = (widest for widest, outcome in outcomes.items() if outcome == "registered")
    (refusal,) = (outcome for outcome in outcomes.values() if outcome != "registered")
    assert "another machine registered a version of this dataset meanwhile" in refusal
    current = Catalog(store, data_dir).current("residents")
    assert current.version == 1 + has_earlier
    # The descriptor is the winner's, and so are the rows: their seal says so.
    assert f"max: {winner}" in _text(store, current.version)
    limits = EngineLimits(threads=1, timeout_s=30, temporary=tmp_path / "temporary")
    Engines(limits).probe(current.place)
    left = sorted(path.parent.name for path in data_dir.glob(f"residents/*/{STATISTICS_FILE}"))
    assert len(left) == current.version
    assert current.place.location.name in left


def _text(store: Store, number: int) -> str:
    with store.reading() as connection:
        return str(
            connection.execute(select(VersionRow.descriptor).where(VersionRow.number == number)).scalar_one()
        )


@pytest.fixture
def data_dir(sqlite_url: str, tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def one(sqlite_url: str, data_dir: Path) -> Store:
    """A store with one dataset of two versions."""
    store = Store(sqlite_url)
    add(store, data_dir, VISITS, visits_csv())
    add(store, data_dir, VISITS, visits_csv() + "1,bus,3\n")
    return store


def died(store: Store, data_dir: Path) -> set[Path]:
    """What a registration leaves that is killed between the rename and the commit."""
    before = set((data_dir / "visits").iterdir())
    child = os.fork()
    if child == 0:
        registry._keep = lambda *_, **__: os.kill(os.getpid(), 9)  # type: ignore[attr-defined, assignment]
        add(Store(str(store.url)), data_dir, VISITS, visits_csv() + "2,bus,3\n")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == 9
    return set((data_dir / "visits").iterdir()) - before


def test_what_a_killed_registration_left_harms_nobody_and_is_swept(one: Store, data_dir: Path) -> None:
    (left,) = died(one, data_dir)
    assert left.name.startswith("v3-")
    staging = data_dir / "visits" / ".staging-other-1"
    staging.mkdir()
    assert sweep_abandoned(data_dir, one) == []
    assert add(one, data_dir, VISITS, visits_csv() + "3,bus,3\n").version == 3
    kept = {data_dir / folder for folder in _folders(one)}
    assert set(sweep_abandoned(data_dir, one, NOW)) == {left, staging}
    assert {path for path in (data_dir / "visits").iterdir() if path.is_dir()} == kept


def test_what_is_at_work_or_old_only_by_its_folder_is_not_swept(one: Store, data_dir: Path) -> None:
    staging = data_dir / "visits" / ".staging-other-1"
    staging.mkdir()
    with alone(data_dir / "visits" / ".registering"):
        assert sweep_abandoned(data_dir, one, NOW) == []
    (staging / "vault").write_text("rows")
    long_ago = time.time() - 10 * 86_400
    os.utime(staging, (long_ago, long_ago))
    assert sweep_abandoned(data_dir, one) == []
    os.utime(staging / "vault", (long_ago, long_ago))
    assert sweep_abandoned(data_dir, one) == [staging]


def test_a_database_of_another_data_folder_sweeps_no_version(one: Store, data_dir: Path) -> None:
    with one.writing() as tx:
        tx.execute(update(VersionRow).where(VersionRow.number == 1).values(folder="visits/v1-elsewhere"))
    assert sweep_abandoned(data_dir, one, NOW) == []


def _folders(store: Store) -> list[str]:
    with store.reading() as connection:
        return [str(folder) for folder in connection.execute(select(VersionRow.folder)).scalars()]
