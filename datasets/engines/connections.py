"""Connections to DuckDB that are bounded in time, memory and reach, and one plan run on such a connection.

Connections are opened in the process that uses them and never shared with a forked child. Every statement
has a time limit, bounded memory and no access to anything outside its database.
"""

import atexit
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import numpy as np

from datasets.engines.base import EngineLimits
from datasets.engines.errors import EngineFailed, EngineUnavailable
from datasets.engines.sql import (
    Pass,
    is_grouped,
    is_of_values,
    one_cell,
    passes,
    roll_up,
    statement,
    values_found,
)
from privacy.exact import ExactRequest
from privacy.noise import Integers
from privacy.plan import Plan

OPEN_MAX = 16
MEMORY_LIMIT = "1GB"
# All that may rewrite a statement. Whatever else a version of DuckDB has is switched off, since most of it reads the
# table's statistics (minima, maxima, numbers of distinct values), and work would depend on them.
OPTIMIZERS = {
    "column_lifetime",
    "common_aggregate",
    "common_subexpressions",
    "expression_rewriter",
    "unused_columns",
}

LOOK_S = 0.1

Connection = duckdb.DuckDBPyConnection


@dataclass(slots=True, eq=False)
class _Running:
    """The cursor that computes for a run, and when it must have ended (monotonic seconds)."""

    run: str
    cursor: Connection
    deadline: float


class Watchdog:
    """Interrupts statements that run too long or are cancelled: one sleeping thread, no thread a statement."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = 0
        self._running: list[_Running] = []

    @contextmanager
    def limiting(self, cursor: Connection, timeout_s: float, run: str) -> Iterator[None]:
        """Let the cursor compute for `timeout_s` at most, rounded up to the next look of the thread."""
        entry = _Running(run, cursor, time.monotonic() + timeout_s)
        with self._lock:
            self._begin_in_this_process()
            self._running.append(entry)
        try:
            yield
        finally:
            # Under the lock: whoever holds it may interrupt every cursor of the list, and a closed one would raise.
            with self._lock:
                self._running.remove(entry)

    def cancel(self, run: str) -> None:
        """Interrupt the cursors of a run."""
        with self._lock:
            for entry in self._running:
                if entry.run == run:
                    # Between two statements an interrupt is lost: as one that is late it is interrupted at every
                    # look until it gives up.
                    entry.deadline = 0.0
                    entry.cursor.interrupt()

    def _begin_in_this_process(self) -> None:
        """A forked child begins with nothing running and a thread of its own."""
        if self._process != os.getpid():
            # Threads do not survive a fork: without one of its own a child would run statements for ever.
            self._process, self._running = os.getpid(), []
            self._start()

    def _start(self) -> None:
        stopped = threading.Event()
        thread = threading.Thread(target=self._watch, args=(stopped,), daemon=True)
        thread.start()
        # Called in reverse: first the thread is asked to stop, then waited for, while DuckDB still exists.
        atexit.register(thread.join)
        atexit.register(stopped.set)

    def _watch(self, stopped: threading.Event) -> None:
        while not stopped.wait(LOOK_S):
            with self._lock:
                for entry in self._running:
                    if entry.deadline < time.monotonic():
                        entry.cursor.interrupt()


class Connections:
    """The open databases of this process, each opened when first asked for, the least recently used dropped."""

    def __init__(self, limits: EngineLimits) -> None:
        self._limits = limits
        self._watchdog = Watchdog()
        self._process = 0
        self._lock = threading.Lock()
        self._open: OrderedDict[Hashable, Connection] = OrderedDict()
        self._files: dict[Hashable, Hashable] = {}

    def open(self, key: Hashable, connect: Callable[[], Connection], file: Hashable = None) -> Connection:
        """The connection of a key, made by `connect` where there is none. Raises EngineUnavailable.

        `connect` passes what it opened to `locked`. `file` tells files of one name apart: where it is given and another
        than that which was opened, the connection is made anew.
        """
        with self._lock:
            self._drop_what_is_gone(key, file)
            if key not in self._open:
                try:
                    self._open[key] = connect()
                    self._files[key] = file
                # A folder for spilled rows that cannot be made keeps the database from being opened, too.
                except (duckdb.Error, OSError, MemoryError) as failure:
                    raise EngineUnavailable from failure
            self._open.move_to_end(key)
            # Dropped, not closed: another thread may be reading from it, and the last reference closes it.
            while len(self._open) > OPEN_MAX:
                dropped, _ = self._open.popitem(last=False)
                self._files.pop(dropped, None)
            return self._open[key]

    def probe(self, key: Hashable, connect: Callable[[], Connection], file: Hashable) -> None:
        """Make a connection as `open` does and let go of it at once. Raises EngineUnavailable."""
        # Not beside `open`: what two make at once of one file is one database, and only one of them can lock it.
        with self._lock:
            self._drop_what_is_gone(key, file)
            try:
                connect().close()
            except (duckdb.Error, OSError, MemoryError) as failure:
                raise EngineUnavailable from failure

    def _drop_what_is_gone(self, key: Hashable, file: Hashable) -> None:
        """Let go of the parent's connections, and of the key's if it is of another file than this one."""
        if self._process != os.getpid():
            self._open, self._files, self._process = OrderedDict(), {}, os.getpid()
        # Before the new one is opened: DuckDB gives the old one to whoever asks for its name.
        if file is not None and self._files.get(key, file) != file:
            self._open.pop(key, None)

    def locked(self, connection: Connection) -> Connection:
        """Bound the connection's resources and shut every door out of it, in that order."""
        # A file that was dropped while a thread still reads from it comes back as the same database, locked before.
        if connection.execute("SELECT current_setting('lock_configuration')").fetchall() == [(True,)]:
            return connection
        self._limits.temporary.mkdir(parents=True, exist_ok=True)
        known = connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()
        settings = {
            "threads": self._limits.threads,
            "disabled_optimizers": f"'{','.join(sorted({one for (one,) in known} - OPTIMIZERS))}'",
            "memory_limit": f"'{MEMORY_LIMIT}'",
            "temp_directory": f"'{self._limits.temporary}'",
            "enable_external_access": "false",
            # Last: it keeps the statements that follow from taking any of these back.
            "lock_configuration": "true",
        }
        for name, value in settings.items():
            connection.execute(f"SET {name} = {value}")
        return connection

    @contextmanager
    def computing(self, connection: Connection, run: str) -> Iterator[Connection]:
        """A cursor for a run's statements, limited and watched. Raises EngineFailed for whatever DuckDB raises."""
        try:
            with (
                connection.cursor() as cursor,
                self._watchdog.limiting(cursor, self._limits.timeout_s, run),
            ):
                yield cursor
        except (duckdb.Error, MemoryError) as failure:
            raise EngineFailed from failure

    def cancel(self, run: str) -> None:
        """Interrupt the statements of a run; one that is not running is no error."""
        self._watchdog.cancel(run)

    def clear(self) -> None:
        """Let go of all of them."""
        with self._lock:
            self._open.clear()
            self._files.clear()

    def __len__(self) -> int:
        return len(self._open)


def exact_integers(plan: Plan, cursor: Connection) -> Mapping[ExactRequest, Integers]:
    """The exact integers of a plan from the statistics table that the cursor sees, one int64 a cell."""
    found: dict[ExactRequest, Integers] = {}
    for part in passes(plan):
        found |= _of_pass(plan, part, cursor)
    return found


def _of_pass(plan: Plan, part: Pass, cursor: Connection) -> dict[ExactRequest, Integers]:
    wanted = statement(plan, part, "duckdb")
    answered = cursor.execute(wanted.text, wanted.values)
    if not is_grouped(part):
        return one_cell(part, answered.fetchall()[0])
    columns = [np.asarray(column, dtype=np.int64) for column in answered.fetchnumpy().values()]
    return (values_found if is_of_values(part) else roll_up)(plan, part, columns)
