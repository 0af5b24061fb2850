"""The one door to the server's database: engine, transactions and migrations. Holds no query of its own.

A transaction rolls back unless it finishes. Connections are opened lazily, so that they belong to the
process that uses them (gunicorn forks after loading).
"""

import hashlib
import math
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import structlog
from alembic import command
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError, IntegrityError

from datasets.database.errors import NotInitialised, Unavailable
from datasets.database.failures import DATABASE_FAILURES, DatabaseFailure, described, meaning_of
from datasets.database.files import create_private
from datasets.database.prepared import PreparedSelect
from datasets.database.revision import migrations, mismatch

LOCK_WAIT_MS_MAX = 30_000
WAL_PAGES = 8_000  # 32 MB between checkpoints; the usual 1,000 come every 80 settlements
CONNECTIONS_MAX = 32
IDLE_S_UNTESTED_MAX = 10
FAILURE_LOG_S = 60.0
MIGRATION_LOCK = 0x5DA8E  # any number, the same for every version of this program
SESSION = {
    "lock_timeout": LOCK_WAIT_MS_MAX,
    "synchronous_commit": "on",
    # Ours are look-ups by key, whatever the values are, and planning a settlement anew takes a good part of settling.
    "plan_cache_mode": "force_generic_plan",
}
"""Of every session with PostgreSQL."""
APPLICATION = "sudare"
"""What every session with PostgreSQL is called there, so that one machine sees the servers of another."""

REFUSED = (IntegrityError, sqlite3.IntegrityError, psycopg.IntegrityError)
CHECK_FAILED = psycopg.errors.CheckViolation
"""What PostgreSQL raises of values that no row may hold, also where they follow from a row that has changed since."""

log = structlog.get_logger("sudare")


def now() -> str:
    """The time in UTC, ISO 8601 with microseconds: sorts as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Store:
    """A database, SQLite in a file or PostgreSQL, with the same three kinds of transaction on both."""

    def __init__(self, url: str | URL) -> None:
        parsed = make_url(url)
        # What PostgreSQL's own tools and many hosts call it; SQLAlchemy knows the long name alone.
        if parsed.drivername == "postgres":
            parsed = parsed.set(drivername="postgresql")
        backend = parsed.get_backend_name()
        if backend not in ("sqlite", "postgresql") or not parsed.database:
            raise ValueError("the database is sqlite:///path or postgresql://host/name")
        self.is_sqlite = backend == "sqlite"
        self.url = parsed.set(drivername="sqlite" if self.is_sqlite else "postgresql+psycopg")
        self.engine = _sqlite(self.url) if self.is_sqlite else _postgres(self.url)
        self._pid = os.getpid()
        self._failures: dict[tuple[str | None, ...], tuple[float, int]] = {}
        # SQLite takes the write lock at BEGIN: a transaction that read first and wrote later could otherwise
        # fail with SQLITE_BUSY in its middle, without waiting.
        writes = {"begins": "BEGIN IMMEDIATE"} if self.is_sqlite else {}
        # A single statement needs no transaction; AUTOCOMMIT saves PostgreSQL two round trips.
        reads = {} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        views = {"begins": "BEGIN"} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._writer = self.engine.execution_options(**writes)
        self._reader = self.engine.execution_options(**reads)
        self._viewer = self.engine.execution_options(**views)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may change rows; committed when the block ends, rolled back if it raises.

        SQLite: BEGIN IMMEDIATE, one writer at a time. PostgreSQL: READ COMMITTED.
        """
        with self._refusing(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for single statements, each of which sees all that is committed by then."""
        with self._refusing(), self._reader.connect() as connection:
            yield connection

    def find(self, question: PreparedSelect, values: Mapping[str, Any]) -> list[Any]:
        """The rows that a question asked at every request finds, by itself."""
        with self._refusing(), self._driver() as driver:
            return question.all(driver, self.engine.dialect, values)

    def find_one(self, question: PreparedSelect, values: Mapping[str, Any]) -> Any:
        """The only row, or None if there is none."""
        rows = self.find(question, values)
        assert len(rows) <= 1, "more rows than one"
        return rows[0] if rows else None

    @contextmanager
    def _driver(self) -> Iterator[Any]:
        """A driver's own connection for single statements, from the pool."""
        if self.is_sqlite:
            # Where nothing is to be set for it, SQLAlchemy's connection around it costs more than a small statement.
            with closing(self.engine.raw_connection()) as pooled:
                yield pooled.driver_connection
            return
        with self._reader.connect() as connection:
            yield connection.connection.driver_connection

    @contextmanager
    def at_once(self) -> Iterator[Connection]:
        """A connection whose every statement is a transaction of its own: PostgreSQL, without a BEGIN and a COMMIT."""
        assert not self.is_sqlite, "SQLite takes several statements for what PostgreSQL does in one"
        with self._refusing(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def viewing(self) -> Iterator[Connection]:
        """One unchanging view of the database for many statements, for as long as the block runs."""
        with self._refusing(), self._viewer.begin() as connection:
            yield connection

    def must_be_current(self) -> None:
        """Raise NotInitialised unless the tables are those that this program was written for."""
        with self._refusing():
            refusal = self._mismatch()
        if refusal is not None:
            raise refusal

    def _mismatch(self) -> NotInitialised | None:
        with self._reader.connect() as connection:
            return mismatch(connection)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Raise Unavailable or NotInitialised for what the driver raises of a database that can't be used.

        Raises everything else as it is: constraints, and faults of ours.
        """
        try:
            yield
        except DATABASE_FAILURES as failure:
            refusal = self._refusal(failure)
            if refusal is None:
                raise
            # The caller learns no more than the refusal's sentence, so the log has to hold the cause.
            self._log(f"database {refusal.code}", described(failure, self.url))
            raise refusal from failure

    def _log(self, event: str, failure: Mapping[str, str | None]) -> None:
        """Write a failure down; the same one again at most once a minute, with how often it was met since."""
        # While a database is away each request meets it: the log would hold nothing else, and fill the disk.
        kind, now_s = (event, *failure.values()), time.monotonic()
        logged_at, unlogged = self._failures.get(kind, (-math.inf, 0))
        if now_s - logged_at < FAILURE_LOG_S:
            self._failures[kind] = (logged_at, unlogged + 1)
            return
        # Causes may differ by an address or a process each time: of those that are over none is kept.
        self._failures = {kind: (now_s, 0)}
        log.error(event, **failure, **({"repeated": unlogged} if unlogged else {}))

    def _refusal(self, failure: DatabaseFailure) -> Unavailable | NotInitialised | None:
        meaning = meaning_of(failure)
        if meaning == "tables":
            # No table or column of that name: because the tables are others, or because our statement is wrong.
            with suppress(*DATABASE_FAILURES):
                return self._mismatch()
        return Unavailable() if meaning == "unavailable" else None

    def close(self) -> None:
        """Close every connection; in a forked child, forget those of the parent without touching them."""
        # Closing a connection sends bytes: a child that did so would end the session of its parent.
        self.engine.dispose(close=self._pid == os.getpid())
        self._pid = os.getpid()


class Direct:
    """A transaction's own driver connection: no layer between, for the few statements that others wait for.

    Raises the driver's errors; `REFUSED` are those of constraints.
    """

    def __init__(self, connection: Connection) -> None:
        self._driver: Any = connection.connection.driver_connection

    def execute(self, statement: str, values: Mapping[str, Any]) -> Any:
        """The driver's cursor of one statement in the driver's notation."""
        return self._driver.execute(statement, values)


def sha256_hex(value: str | bytes) -> str:
    """SHA-256 of bytes, or of text in UTF-8, in hexadecimal."""
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).hexdigest()


def _sqlite(url: URL) -> Engine:
    _make_private(Path(str(url.database)))
    engine = create_engine(
        url,
        pool_size=CONNECTIONS_MAX,
        hide_parameters=True,  # SQLAlchemy's errors would show them: names, questions, digests of keys
        connect_args={
            "timeout": LOCK_WAIT_MS_MAX / 1000,
            "isolation_level": None,
            # The pool lends a connection to one thread at a time; SQLite itself would refuse any thread but
            # the first.
            "check_same_thread": False,
        },
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private(file: Path) -> None:
    """Make the file where there is none, so that only its owner reads it: SQLite itself obeys the umask alone.

    SQLite gives the files beside it (the log, its index) the mode of this one.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    # Where it can be neither made nor opened, SQLite says so when it is asked.
    with suppress(OSError):
        os.close(create_private(file))


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    _write_ahead(connection)
    # A charge that was reported must outlive a power cut; NORMAL could lose the last commits.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
    connection.create_function("sha256_hex", 1, sha256_hex, deterministic=True)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn WAL on, once for the life of the file. SQLite doesn't wait for a lock here, so we do."""
    deadline = time.monotonic() + LOCK_WAIT_MS_MAX / 1000
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    """Begin as the kind of transaction asks; the driver itself begins nothing (isolation_level=None)."""
    if begins := connection.get_execution_options().get("begins"):
        driver: Any = connection.connection.driver_connection
        driver.execute(begins)


def _postgres(url: URL) -> Engine:
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=CONNECTIONS_MAX,
        hide_parameters=True,
        connect_args={
            "options": " ".join(f"-c {name}={value}" for name, value in SESSION.items()),
            "application_name": APPLICATION,
        },
    )

    @event.listens_for(engine, "checkin")
    def note_the_time(_connection: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ask_if_idle_long(connection: Any, record: Any, *_: Any) -> None:
        idle_since = record.info.get("idle_since", time.monotonic())
        # A firewall drops idle connections silently. A ping at every checkout would cost a round trip each.
        if time.monotonic() - idle_since > IDLE_S_UNTESTED_MAX and not _answers(engine, connection):
            raise DisconnectionError

    return engine


def _answers(engine: Engine, connection: Any) -> bool:
    try:
        return engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error:
        return False


def migrate(store: Store, *, revision: str = "head") -> None:
    """Bring the database to the newest (or that) revision, or leave it as it was. Two at once: one waits.

    Raises NotInitialised if the database is newer than this program.
    """
    configuration = migrations()
    with store.writing() as connection:
        if not store.is_sqlite:
            # DDL of PostgreSQL takes no lock that a second upgrade would wait for; on SQLite BEGIN IMMEDIATE
            # is that lock.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        found = mismatch(connection)
        if found is not None and found.tables == "later":
            raise found
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)
