"""What an error of a database driver means: the database is not there now, its tables are others, or neither.

Both drivers and SQLAlchemy sort errors by exception class, but not alike: that of a missing table is an
OperationalError on SQLite, as a lock is, and a ProgrammingError on PostgreSQL. So the database's own code decides.
Codes: https://sqlite.org/rescode.html and https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import sqlite3
from typing import Literal

import psycopg
from psycopg.errors import PipelineAborted
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

DatabaseFailure = DBAPIError | PoolTimeout | sqlite3.Error | psycopg.Error
DATABASE_FAILURES = (DBAPIError, PoolTimeout, sqlite3.Error, psycopg.Error)
Meaning = Literal["unavailable", "tables", "other"]
"""`tables`: a name in the statement means nothing to the database, whether by its fault or by ours."""

SQLITE_UNAVAILABLE = frozenset(
    {
        *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM),
        *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT),
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS),
        *(sqlite3.SQLITE_AUTH, sqlite3.SQLITE_NOTADB),
    }
)
POSTGRES_UNAVAILABLE = (
    "08",  # connection exception
    "25006",  # a standby that only reads
    "28",  # the role may not come in
    "3D",  # there is no such database
    "40001",  # cancelled, to be tried again: serialisation
    "40P01",  # … and deadlock
    "42501",  # the role may not use the table
    "53",  # insufficient resources
    "55006",  # in use
    "55P03",  # locked for longer than lock_timeout
    "57",  # an operator stopped or cancelled it
    "58",  # the system below failed
    "XX",  # damaged
)
POSTGRES_TABLES = (
    "42",  # an unknown table, column or function
    "3F",  # an unknown schema
)


def meaning_of(failure: DatabaseFailure) -> Meaning:
    """Whether the database is not there, knows other tables, or whether the statement itself is refused."""
    cause = _cause(failure)
    if isinstance(cause, PoolTimeout):
        return "unavailable"
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(getattr(cause, "sqlite_errorcode", None))
    if isinstance(cause, psycopg.Error):
        return _of_postgres(cause)
    return "other"


def _of_sqlite(code: int | None) -> Meaning:
    if code is None:  # Python's own refusal of how it was called
        return "other"
    primary = code & 0xFF  # extended codes keep their primary one in the lowest byte
    if primary in SQLITE_UNAVAILABLE:
        return "unavailable"
    return "tables" if primary == sqlite3.SQLITE_ERROR else "other"


def _of_postgres(cause: psycopg.Error) -> Meaning:
    if cause.sqlstate is None:
        # Said by the client, not by the server: that it can't connect, or that the connection is gone.
        # A pipeline that was aborted only follows from another statement's error.
        gone = isinstance(cause, psycopg.OperationalError) and not isinstance(cause, PipelineAborted)
        return "unavailable" if gone else "other"
    if cause.sqlstate.startswith(POSTGRES_UNAVAILABLE):
        return "unavailable"
    return "tables" if cause.sqlstate.startswith(POSTGRES_TABLES) else "other"


def described(failure: DatabaseFailure, url: URL) -> dict[str, str | None]:
    """A failure for the log: class, the database's code and sentence, without statement, parameters and passwords."""
    cause = _cause(failure)
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return {"kind": type(cause).__name__, "database_code": code, "cause": _sentence(cause, url)}


def _cause(failure: DatabaseFailure) -> BaseException:
    """The driver's own error: the text of SQLAlchemy's around it holds the statement and its parameters."""
    return (failure.orig or failure) if isinstance(failure, DBAPIError) else failure


def _sentence(cause: BaseException, url: URL) -> str:
    # PostgreSQL's detail and context may quote rows, its primary message names tables and columns.
    primary = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    sentence = " ".join((primary or str(cause)).split())
    for password in _passwords(url):
        sentence = sentence.replace(password, "***")
    return sentence


def _passwords(url: URL) -> list[str]:
    """Every password in an address: it may stand before the host, or as a parameter behind it."""
    behind = [value for name, value in url.normalized_query.items() if "password" in name]
    return [
        password for password in (url.password, *(one for values in behind for one in values)) if password
    ]
