"""Fresh databases that begin in a state made once: a migration or a registration takes longer than most tests."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg
from postgres_server import address

from datasets.database.store import Store, migrate


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """A state of a database: what `prepare` makes of a migrated one, under a name of its own."""

    name: str
    prepare: Callable[[Store], object]


MIGRATED = Beginning(name="migrated", prepare=lambda store: None)


@cache
def sqlite_file(beginning: Beginning) -> bytes:
    """The bytes of a SQLite database in that state; made once in a process."""
    with tempfile.TemporaryDirectory(prefix="sudare-template-") as folder:
        file = Path(folder) / "sudare.db"
        _prepared(f"sqlite:///{file}", beginning)
        return file.read_bytes()


@cache
def postgres_template(home: str, beginning: Beginning) -> str:
    """The name of a database of that PostgreSQL server in that state; made once in a process."""
    name = f"template_{os.getpid()}_{beginning.name}"  # others may use the same server
    execute(home, f"CREATE DATABASE {name}")
    _prepared(address(home, name), beginning)
    return name


def _prepared(url: str, beginning: Beginning) -> None:
    store = Store(url)
    migrate(store)
    beginning.prepare(store)
    store.close()  # SQLite folds its log into the file, and PostgreSQL copies only what nobody is connected to


def execute(home: str, statement: str) -> None:
    with psycopg.connect(f"host={home} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(statement)
