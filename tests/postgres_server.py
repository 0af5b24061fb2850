"""A real PostgreSQL of our own, started in a temporary folder on a Unix socket, and stopped with all it held."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_S_MAX = 60


class NoPostgres(Exception):
    """Why PostgreSQL can't be started here."""


def binaries() -> Path:
    """The folder of initdb and pg_ctl; raises NoPostgres."""
    found = shutil.which("pg_ctl")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "pg_ctl").exists() and (folder / "initdb").exists():
            return folder
    raise NoPostgres("no PostgreSQL binaries in PATH or /usr/lib/postgresql/*/bin")


@contextmanager
def server(*, durable: bool) -> Iterator[str]:
    """The URL prefix of a running server: add a query for a database, see `address`. Raises NoPostgres."""
    folder = binaries()
    home = Path(tempfile.mkdtemp(prefix="sudare-pg-", dir="/tmp"))  # short: a socket's path has 107 bytes
    become = _become_postgres(home)
    data = str(home / "data")
    settings = "-c listen_addresses= -c max_connections=200 -c unix_socket_directories=" + str(home)
    settings += "" if durable else " -c fsync=off"
    ctl = [*become, str(folder / "pg_ctl"), "-D", data, "-w", "-t", str(START_S_MAX), "-l", str(home / "log")]
    try:
        _run([*become, str(folder / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"])
        _run([*ctl, "-o", settings, "start"])
        try:
            yield str(home)
        finally:
            _run([*ctl, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(home, ignore_errors=True)


def address(home: str, database: str) -> str:
    """The URL of a database on the server that `server` gave."""
    return f"postgresql://postgres@/{database}?host={home}"


def _become_postgres(home: Path) -> list[str]:
    """PostgreSQL refuses to run as root, so root runs it as the user postgres."""
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise NoPostgres("root can't run PostgreSQL, and there is no user postgres") from None
    os.chown(home, user.pw_uid, user.pw_gid)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        check=False,
    )
    if done.returncode != 0:
        raise NoPostgres(f"{Path(command[-1]).name}: {done.stdout.decode(errors='replace')[-500:]}")
