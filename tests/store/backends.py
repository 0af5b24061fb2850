"""The server's processes of a PostgreSQL: which one waits, and how to end one."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, text

from datasets.database.store import Store

LOOKS = 400
"""Every twentieth of a second."""


def waiting_backend(store: Store) -> int:
    """The process of the server that waits for a lock."""
    question = text(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return int(soon(store, lambda connection: connection.execute(question).scalar()))


def terminate(store: Store, backend: int) -> None:
    with store.reading() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": backend})


def gone(store: Store, backend: int) -> None:
    """Wait until that process of the server has ended."""
    question = text("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = :pid")
    soon(store, lambda connection: connection.execute(question, {"pid": backend}).scalar())


def soon(store: Store, look: Callable[[Connection], Any]) -> Any:
    """What a look finds, as soon as it finds anything."""
    for _ in range(LOOKS):
        with store.reading() as connection:
            if found := look(connection):
                return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")
