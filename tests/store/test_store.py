"""Transactions, migrations and processes."""

import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from lanes import first
from racers import migrated
from sqlalchemy import text
from town import RESIDENTS, add, residents_csv

from datasets.database.errors import Unavailable
from datasets.database.store import Direct, Store, migrate, now
from datasets.database.tables import Base

COUNT = text("SELECT count(*) FROM lineages")


def count(store: Store) -> int:
    with store.reading() as connection:
        return int(connection.execute(COUNT).scalar_one())


def test_migrations_equal_the_models(store: Store) -> None:
    with store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_migrated_database_is_current_and_migrating_again_changes_nothing(
    store: Store, tmp_path: Path
) -> None:
    add(store, tmp_path / "data", RESIDENTS, residents_csv())
    migrate(store)
    store.must_be_current()
    assert count(store) == 1


@pytest.mark.long
@pytest.mark.parametrize("kind", first(1, ["postgresql", "sqlite"]))
def test_processes_may_migrate_at_once(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sudare.db"
    if kind == "postgresql":
        url = request.getfixturevalue("empty_postgres_url")
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.map(migrated, [url] * 4)
    Store(url).must_be_current()


def add_and_raise(store: Store, *, directly: bool) -> None:
    with store.writing() as tx:
        if directly:
            Direct(tx).execute("INSERT INTO lineages (id, salt, created_at) VALUES ('l', '', '')", {})
        else:
            tx.execute(text("INSERT INTO lineages (id, salt, created_at) VALUES ('l', '', '')"))
        raise ZeroDivisionError


@pytest.mark.parametrize("directly", [False, True])
def test_a_transaction_that_raises_is_rolled_back(store: Store, directly: bool) -> None:
    with pytest.raises(ZeroDivisionError):
        add_and_raise(store, directly=directly)
    assert count(store) == 0


def test_a_view_does_not_change_while_others_write(store: Store, tmp_path: Path) -> None:
    with store.viewing() as view:
        assert view.execute(COUNT).scalar_one() == 0
        add(store, tmp_path / "data", RESIDENTS, residents_csv())
        assert view.execute(COUNT).scalar_one() == 0
    assert count(store) == 1


def test_a_commit_is_on_disk(store: Store) -> None:
    with store.writing() as tx:
        if store.is_sqlite:
            settings = [
                tx.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "journal_mode")
            ]
            assert settings == [2, "wal"]
        else:
            assert tx.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
            assert tx.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"


def answers(store: Store) -> bool:
    with store.reading() as connection:
        return bool(connection.execute(text("SELECT 1")).scalar() == 1)


def test_a_forked_child_opens_its_own_connections(store: Store) -> None:
    assert answers(store)
    child = os.fork()
    if child == 0:
        store.close()
        os._exit(0 if answers(store) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert answers(store)


def test_a_database_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        answers(Store(f"postgresql://nobody@/none?host={tmp_path}"))


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite://", "postgresql://host"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///path or postgresql://host/name"):
        Store(url)


def test_times_sort_as_text() -> None:
    assert now() <= now()
    assert len(now()) == 27


def test_a_new_database_file_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        store = Store(f"sqlite:///{tmp_path}/sudare.db")
        migrate(store)
        with store.writing() as tx:
            tx.execute(text("INSERT INTO lineages (id, salt, created_at) VALUES ('l', '', '')"))
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes == {"sudare.db": 0o600, "sudare.db-wal": 0o600, "sudare.db-shm": 0o600}


def test_the_short_name_of_postgresql_is_the_long_one() -> None:
    assert Store("postgres://aoi@host/name").url == Store("postgresql://aoi@host/name").url
