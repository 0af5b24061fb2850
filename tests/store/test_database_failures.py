"""Three things that go wrong with a database: it is not there, its tables are others, or the fault is ours."""

from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from structlog.testing import capture_logs

from datasets.database import store as store_module
from datasets.database.errors import NotInitialised, Unavailable
from datasets.database.failures import DATABASE_FAILURES, described
from datasets.database.store import Direct, Store, migrate
from datasets.people.errors import UnknownKey
from datasets.people.keys import new_key
from datasets.people.service import People

SECRET = b"a secret for tests only"
LATER = "UPDATE alembic_version SET version_num = '9999'"
Logged = list[MutableMapping[str, Any]]


@pytest.fixture
def empty(empty_url: str) -> Iterator[Store]:
    store = Store(empty_url)
    yield store
    store.close()


@pytest.fixture
def logged() -> Iterator[Logged]:
    with capture_logs() as lines:
        yield lines


def run(store: Store, statement: str, **values: object) -> None:
    with store.writing() as tx:
        tx.execute(text(statement), values)


def run_directly(store: Store, statement: str) -> None:
    with store.writing() as tx:
        Direct(tx).execute(statement, {})


RUNS = pytest.mark.parametrize("ask", [run, run_directly])


def test_a_database_without_tables_is_to_be_initialised(empty: Store, logged: Logged) -> None:
    with pytest.raises(NotInitialised, match="not initialised: run sudare init") as caught:
        People(empty, SECRET).authenticate(new_key())
    assert caught.value.tables == "none"
    assert "sudare init を実行してください" in caught.value.message().ja
    [line] = logged
    assert line["event"] == "database not_initialised"
    assert line["kind"] == ("OperationalError" if empty.is_sqlite else "UndefinedTable")
    assert line["database_code"] == ("SQLITE_ERROR" if empty.is_sqlite else "42P01")
    assert "installations" in line["cause"]


@RUNS
def test_tables_of_an_earlier_version_are_to_be_upgraded(
    empty: Store, ask: Callable[[Store, str], None]
) -> None:
    migrate(empty, revision="0001")
    with pytest.raises(NotInitialised, match="earlier version: run sudare init") as caught:
        ask(empty, "SELECT delta_spent FROM accounts")
    assert caught.value.tables == "earlier"
    migrate(empty)
    ask(empty, "SELECT delta_spent FROM accounts")


@RUNS
def test_tables_of_a_later_version_ask_for_a_newer_program(
    store: Store, ask: Callable[[Store, str], None]
) -> None:
    run(store, "ALTER TABLE users RENAME COLUMN role TO duty")
    run(store, LATER)
    with pytest.raises(NotInitialised, match="later version than this program") as caught:
        ask(store, "SELECT role FROM users")
    assert caught.value.tables == "later"


def test_a_later_database_is_never_migrated(store: Store) -> None:
    run(store, LATER)
    with pytest.raises(NotInitialised, match="upgrade the program"):
        migrate(store)


def test_whether_the_tables_are_ours_is_known_without_a_statement_that_fails(
    empty: Store, logged: Logged
) -> None:
    with pytest.raises(NotInitialised, match="not initialised"):
        empty.must_be_current()
    migrate(empty, revision="0002")
    with pytest.raises(NotInitialised, match="earlier version"):
        empty.must_be_current()
    migrate(empty)
    empty.must_be_current()
    run(empty, LATER)
    with pytest.raises(NotInitialised, match="later version"):
        empty.must_be_current()
    assert logged == []


@pytest.mark.parametrize("wrong", ["SELECT colour FROM users", "SELECT 1 FROM nowhere", "SELEC 1"])
@RUNS
def test_a_wrong_statement_of_ours_is_no_refusal(
    store: Store, ask: Callable[[Store, str], None], wrong: str, logged: Logged
) -> None:
    with pytest.raises(DATABASE_FAILURES) as caught:
        ask(store, wrong)
    assert type(caught.value).__module__ in ("sqlalchemy.exc", "sqlite3", "psycopg.errors")
    assert logged == []


def test_a_table_of_revisions_that_is_none_is_a_fault_and_no_endless_question(empty: Store) -> None:
    run(empty, "CREATE TABLE alembic_version (colour integer)")
    with pytest.raises(DBAPIError):
        empty.must_be_current()


def test_a_constraint_stays_a_constraint(store: Store, logged: Logged) -> None:
    with pytest.raises(IntegrityError) as caught:
        run(
            store,
            "INSERT INTO users (name, organisation, role, key_digest, created_at) "
            "VALUES (:name, 'none', 'analyst', 'x', 'y')",
            name="verysecret",
        )
    assert "verysecret" not in str(caught.value).partition("DETAIL")[0]
    assert logged == []


def test_a_lock_that_is_held_too_long_is_unavailable(
    store_url: str, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    monkeypatch.setattr(store_module, "LOCK_WAIT_MS_MAX", 50)
    store = Store(store_url)
    run(store, "INSERT INTO organisations (name, created_at) VALUES ('shop', '')")
    with store.writing() as tx:
        tx.execute(text("UPDATE organisations SET created_at = 'x'"))
        with pytest.raises(Unavailable):
            run(store, "UPDATE organisations SET created_at = 'y'")
    store.close()
    assert [line["database_code"] for line in logged] == ["SQLITE_BUSY" if store.is_sqlite else "55P03"]


def _end_own_connection(store: Store, operator: Store) -> None:
    with store.writing() as tx:
        number = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
        run(operator, "SELECT pg_terminate_backend(:number)", number=number)
        tx.execute(text("SELECT 1"))


def test_a_connection_that_an_operator_ended_is_unavailable(postgres_url: str, logged: Logged) -> None:
    store, operator = Store(postgres_url), Store(postgres_url)
    with pytest.raises(Unavailable):
        _end_own_connection(store, operator)
    assert [line["database_code"] for line in logged] == ["57P01"]
    with pytest.raises(UnknownKey):
        People(store, SECRET).authenticate(new_key())
    store.close()
    operator.close()


def test_the_cause_of_a_database_out_of_reach_is_logged(tmp_path: Path, logged: Logged) -> None:
    with pytest.raises(Unavailable):
        run(Store(f"postgresql://nobody@/none?host={tmp_path}"), "SELECT 1")
    [line] = logged
    assert (line["event"], line["kind"]) == ("database unavailable", "OperationalError")
    assert "No such file or directory" in line["cause"]


@pytest.mark.parametrize(
    "address", ["postgresql://u:verysecret@h/d", "postgresql://h/d?password=verysecret&host=h"]
)
def test_a_password_that_a_driver_repeats_is_not_logged(address: str) -> None:
    failure = psycopg.OperationalError("can't read\n  'host=h password=verysecret'")
    cause = described(failure, make_url(address))["cause"]
    assert cause == "can't read 'host=h password=***'"


def test_a_file_that_is_no_database_is_unavailable_and_the_log_says_why(
    tmp_path: Path, logged: Logged
) -> None:
    (tmp_path / "notes.csv").write_text("a,b\n" * 100, encoding="utf-8")
    with pytest.raises(Unavailable):
        run(Store(f"sqlite:///{tmp_path}/notes.csv"), "SELECT 1")
    [line] = logged
    assert (line["database_code"], line["cause"]) == ("SQLITE_NOTADB", "file is not a database")


def test_a_full_pool_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: Logged) -> None:
    monkeypatch.setattr(store_module, "CONNECTIONS_MAX", 1)
    store = Store(f"sqlite:///{tmp_path}/sudare.db")
    monkeypatch.setattr(store.engine.pool, "_timeout", 0.01)
    monkeypatch.setattr(store.engine.pool, "_max_overflow", 0)
    with store.reading(), pytest.raises(Unavailable):
        run(store, "SELECT 1")
    assert [line["kind"] for line in logged] == ["TimeoutError"]
    store.close()
