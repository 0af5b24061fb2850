"""Fixtures that every folder of tests may use. Only what needs a real database stands here."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from postgres_server import NoPostgres, address, server

from datasets.database.store import Store, migrate

TEMPLATE = "sudare_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The home of a PostgreSQL server with a migrated template; one for the whole run, skipped if impossible."""
    try:
        with server(durable=False) as home:
            _execute(home, f"CREATE DATABASE {TEMPLATE}")
            template = Store(address(home, TEMPLATE))
            migrate(template)
            template.close()
            yield home
    except NoPostgres as reason:
        pytest.skip(f"PostgreSQL: {reason}")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a migrated, empty SQLite database."""
    path = tmp_path_factory.mktemp("template") / "sudare.db"
    store = Store(f"sqlite:///{path}")
    migrate(store)
    store.close()
    return path.read_bytes()


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: bytes) -> str:
    """A fresh SQLite database."""
    path = tmp_path / "sudare.db"
    path.write_bytes(sqlite_template)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """A fresh PostgreSQL database."""
    name = f"sudare_{next(_numbers)}"
    _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield address(postgres, name)
    _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database, once on SQLite and once on PostgreSQL."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store on `store_url`."""
    store = Store(store_url)
    yield store
    store.close()


def _execute(home: str, statement: str) -> None:
    with psycopg.connect(f"host={home} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(statement)
