"""Fixtures that every folder of tests may use. Only what needs a real database stands here."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import MIGRATED, Beginning, execute, postgres_template, sqlite_file
from hypothesis import Phase, settings
from postgres_server import NoPostgres, address, server

from datasets.database.store import Store

# Where a fault is planted, the first failing example says all: to make it small takes longer than to find it.
settings.register_profile("first failure", phases=(Phase.explicit, Phase.generate), database=None)
if profile := os.environ.get("TESTS_HYPOTHESIS"):
    settings.load_profile(profile)

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The home of a PostgreSQL server; one for the whole run, skipped if impossible.

    TESTS_POSTGRES tells of one that runs already, for runs of tests within a test.
    """
    if running := os.environ.get("TESTS_POSTGRES"):
        yield running
        return
    try:
        with server(durable=False) as home:
            yield home
    except NoPostgres as reason:
        pytest.skip(f"PostgreSQL: {reason}")


@pytest.fixture(scope="session")
def postgres_or_none(request: pytest.FixtureRequest) -> str | None:
    """The same, or None where there can be none."""
    try:
        return str(request.getfixturevalue("postgres"))
    except pytest.skip.Exception:
        return None


@pytest.fixture(scope="session")
def sqlite_template() -> bytes:
    """The bytes of a migrated, empty SQLite database."""
    return sqlite_file(MIGRATED)


@pytest.fixture
def beginning() -> Beginning:
    """The state that a test's database begins in; a folder of tests may have others."""
    return MIGRATED


@pytest.fixture
def sqlite_url(tmp_path: Path, beginning: Beginning) -> str:
    """A fresh SQLite database."""
    path = tmp_path / "sudare.db"
    path.write_bytes(sqlite_file(beginning))
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres: str, beginning: Beginning) -> Iterator[str]:
    """A fresh PostgreSQL database."""
    name = f"sudare_{os.getpid()}_{next(_numbers)}"
    execute(postgres, f"CREATE DATABASE {name} TEMPLATE {postgres_template(postgres, beginning)}")
    yield address(postgres, name)
    execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_postgres_url(postgres: str) -> Iterator[str]:
    """A PostgreSQL database without tables."""
    name = f"sudare_{os.getpid()}_{next(_numbers)}"
    execute(postgres, f"CREATE DATABASE {name}")
    yield address(postgres, name)
    execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that was never initialised, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    return str(request.getfixturevalue("empty_postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database, once on SQLite and once on PostgreSQL."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def sqlite_first_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database, on PostgreSQL in the long lane only: for what does not depend on the database."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store on `store_url`."""
    store = Store(store_url)
    yield store
    store.close()
