"""PostgreSQL's own programs: `pg_dump` writes a backup, and what `pg_restore` prints is run in our transaction.

Passwords go by the environment, never by arguments, which every user of the machine can list.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import URL, Connection, inspect, text

from datasets.database.store import APPLICATION
from datasets.database.tables import Base
from datasets.operations.errors import (
    NO_CLIENT,
    NOT_RESTORED,
    NOT_WRITTEN,
    SESSIONS,
    BackupRefused,
    RestoreRefused,
)

RESTORE_LOCK = 0x5DA90  # any number but the other locks', the same for every version of this program
TABLES = (*sorted(Base.metadata.tables), "alembic_version")
COPY, COPY_ENDS = b"COPY ", b"\\.\n"
PSQL_ONLY = (b"\\restrict ", b"\\unrestrict ")
OTHER_SESSIONS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = :application "
    "AND pid <> pg_backend_pid()"
)


def dump(url: URL, file: Path, snapshot: str) -> None:
    """Write our tables, as an exported snapshot has them, into `file`; raises BackupRefused."""
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupRefused(NO_CLIENT.filled(program="pg_dump"))
    address, environment = _connection(url)
    tables = [f"--table={name}" for name in TABLES]
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", *tables]
    command = [program, *options, f"--file={file}", f"--dbname={address}"]
    done = subprocess.run(
        command, env=environment, capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise BackupRefused(NOT_WRITTEN.filled(cause=_last_line(done.stderr)))
    file.chmod(0o600)


def _connection(url: URL) -> tuple[str, dict[str, str]]:
    """The address as PostgreSQL's programs read it, without a password, and the environment that has it."""
    environment = os.environ | {"PGCONNECT_TIMEOUT": "30"}
    password = url.password or url.query.get("password")
    if isinstance(password, str):
        environment["PGPASSWORD"] = password
    plain = URL.create(
        "postgresql",
        username=url.username,
        host=url.host,
        port=url.port,
        database=url.database,
        query={name: value for name, value in url.query.items() if name != "password"},
    )
    return plain.render_as_string(hide_password=False), environment


def must_have_restore_program() -> str:
    """Where `pg_restore` is; raises RestoreRefused."""
    program = shutil.which("pg_restore")
    if program is None:
        raise RestoreRefused(NO_CLIENT.filled(program="pg_restore"))
    return program


def must_be_alone(connection: Connection) -> None:
    """Raise RestoreRefused where other sessions of ours are in the database, of this machine or of another."""
    count = connection.execute(OTHER_SESSIONS, {"application": APPLICATION}).scalar_one()
    if count:
        raise RestoreRefused(SESSIONS.filled(count=count))


def standing_tables(connection: Connection) -> list[str]:
    """Those of our tables that are there."""
    return sorted(set(inspect(connection).get_table_names()) & set(TABLES))


def load(tx: Connection, file: Path) -> None:
    """Replace our tables by those of a dump, within a transaction. Raises RestoreRefused or the driver's errors."""
    driver: Any = tx.connection.driver_connection
    with _script(file) as script, driver.cursor() as cursor:
        statements: list[bytes] = []
        for line in script:
            if line.startswith(COPY) and line.rstrip().endswith(b"FROM stdin;"):
                _execute(cursor, statements)
                _copy(cursor, line, script)
            elif not line.startswith(PSQL_ONLY):
                statements.append(line)
        _execute(cursor, statements)
    # The script empties the search path and turns time limits off, for the session.
    driver.execute("RESET ALL")


@contextmanager
def _script(file: Path) -> Iterator[IO[bytes]]:
    """The SQL of a dump, with its rows as COPY tells them. Raises RestoreRefused if it cannot be made."""
    options = ["--clean", "--if-exists", "--no-owner", "--no-privileges", "--exit-on-error", "--file=-"]
    command = [must_have_restore_program(), *options, str(file)]
    # Nobody reads what it says of an error until it has ended, and a line of it fits into the pipe.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None, "asked for"
        assert process.stderr is not None, "asked for"
        try:
            yield process.stdout
        except BaseException:
            process.kill()
            raise
        said = process.stderr.read()
    # What was read may have been half of it: the transaction must not commit.
    if process.returncode != 0:
        raise RestoreRefused(NOT_RESTORED.filled(cause=_last_line(said)))


def _execute(cursor: Any, statements: list[bytes]) -> None:
    """Run what was gathered; without parameters the driver sends several statements at once."""
    if script := b"".join(statements).strip():
        cursor.execute(script)
    statements.clear()


def _copy(cursor: Any, statement: bytes, script: IO[bytes]) -> None:
    with cursor.copy(statement) as copy:
        for row in script:
            if row == COPY_ENDS:
                return
            copy.write(row)
    raise RestoreRefused(NOT_RESTORED.filled(cause="pg_restore ended within a table"))


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "?"
