"""Exact integers from the embedded engine: one read-only DuckDB file a dataset version.

Connections are opened in the process that uses them and never shared with a forked child. Every statement
has a time limit, bounded memory and no access to anything outside its file.
"""

import atexit
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np

from datasets.engines.sql import (
    PERSON,
    RANK,
    TABLE,
    WORDS,
    Pass,
    is_grouped,
    one_cell,
    passes,
    roll_up,
    statement,
)
from privacy.exact import ExactRequest
from privacy.noise import Integers
from privacy.partition_selection import UndeclaredValueCount
from privacy.plan import Plan
from privacy.schema import Schema, UndeclaredColumn

STATISTICS_FILE = "statistics.duckdb"
OPEN_FILES_MAX = 16
MEMORY_LIMIT = "1GB"
DUMMY_ROWS = 10_000
DUMMY_WORDS = 12
# Groups of up to 2^20 possible numbers are found by their number, not by hashing: twice as fast.
PERFECT_HASH_BITS = 20

LOOK_S = 0.1


Deadlines = dict[int, tuple[float, duckdb.DuckDBPyConnection]]


class EngineFailed(RuntimeError):
    """The exact part could not be computed. Carries no text: the engine's words could quote data.

    A fault and no refusal: nobody is answered with it, the query service charges it and says AnswerFailed.
    """


class Watchdog:
    """Interrupts statements that run too long: one sleeping thread a process, no thread a statement."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = 0
        self._deadlines: Deadlines = {}

    @contextmanager
    def limiting(self, cursor: duckdb.DuckDBPyConnection, timeout_s: float) -> Iterator[None]:
        """Let the cursor run for `timeout_s` at most, rounded up to the next look of the thread."""
        deadlines = self._of_this_process()
        # By identity, since cursors cannot be compared; the entry holds the cursor, so that no other gets its
        # id.
        deadlines[id(cursor)] = time.monotonic() + timeout_s, cursor
        try:
            yield
        finally:
            del deadlines[id(cursor)]

    def _of_this_process(self) -> Deadlines:
        """The running statements; a forked child begins with none and its own thread."""
        with self._lock:
            if self._process != os.getpid():
                # Threads do not survive a fork: without one of its own a child would run statements for ever.
                self._process, self._deadlines = os.getpid(), {}
                self._start(self._deadlines)
            return self._deadlines

    def _start(self, deadlines: Deadlines) -> None:
        stopped = threading.Event()
        thread = threading.Thread(target=self._watch, args=(deadlines, stopped), daemon=True)
        thread.start()
        # Called in reverse: first the thread is asked to stop, then waited for, while DuckDB still exists.
        atexit.register(thread.join)
        atexit.register(stopped.set)

    @staticmethod
    def _watch(deadlines: Deadlines, stopped: threading.Event) -> None:
        while not stopped.wait(LOOK_S):
            for deadline, cursor in list(deadlines.values()):
                if deadline < time.monotonic():
                    cursor.interrupt()


class DuckdbEngine:
    """Answers plans from the statistics files below `folder`."""

    def __init__(self, *, threads: int, timeout_s: float, temporary: Path) -> None:
        self.threads, self.timeout_s, self.temporary = threads, timeout_s, temporary
        self._watchdog = Watchdog()
        self._process = 0
        self._lock = threading.Lock()
        self._open: OrderedDict[object, duckdb.DuckDBPyConnection] = OrderedDict()

    def exact(self, plan: Plan, file: Path) -> Mapping[ExactRequest, Integers]:
        """The exact integers of a plan, one int64 a cell. Raises EngineFailed."""
        return self._run(plan, self._connection(file, lambda: self._connect(file)))

    def rehearse(self, plan: Plan) -> Mapping[ExactRequest, Integers]:
        """Exact integers of a plan from generated rows of its schema: no data is opened. Raises EngineFailed."""
        schema = plan.schema
        return self._run(plan, self._connection(schema, lambda: self._generated(schema)))

    def values(self, plan: Plan, file: Path, codes: Integers) -> list[str]:
        """The values behind released codes of the undeclared column that the plan groups by, in that order."""
        (column,) = (
            part.estimator.column
            for part in plan.measurements
            if isinstance(part.estimator, UndeclaredValueCount)
        )
        # The codes come from the released answer, so what is looked up here is public already.
        wanted = [int(code) for code in codes]
        sql = f"SELECT code, word FROM {WORDS} WHERE place = ? AND code IN (SELECT unnest(?::BIGINT[]))"
        try:
            connection = self._connection(file, lambda: self._connect(file))
            with connection.cursor() as cursor, self._watchdog.limiting(cursor, self.timeout_s):
                known = dict(cursor.execute(sql, [column, wanted]).fetchall())
        except (duckdb.Error, MemoryError) as failure:
            raise EngineFailed from failure
        return [known[code] for code in wanted]

    def _run(self, plan: Plan, connection: duckdb.DuckDBPyConnection) -> Mapping[ExactRequest, Integers]:
        found: dict[ExactRequest, Integers] = {}
        try:
            with connection.cursor() as cursor, self._watchdog.limiting(cursor, self.timeout_s):
                for part in passes(plan):
                    found |= self._pass(plan, part, cursor)
        except (duckdb.Error, MemoryError) as failure:
            raise EngineFailed from failure
        return found

    def _pass(
        self, plan: Plan, part: Pass, cursor: duckdb.DuckDBPyConnection
    ) -> dict[ExactRequest, Integers]:
        wanted = statement(plan, part, "duckdb")
        answered = cursor.execute(wanted.text, wanted.values)
        if not is_grouped(part):
            return one_cell(part, answered.fetchall()[0])
        columns = [np.asarray(column, dtype=np.int64) for column in answered.fetchnumpy().values()]
        if part.first.kind in ("values", "value_persons"):
            # Codes and their counts as they are: which of them are released is for the noise to decide.
            return {(part.over, part.first): np.stack(columns)}
        return roll_up(plan, part, columns[0], columns[1:])

    def _connection(self, key, connect) -> duckdb.DuckDBPyConnection:  # type: ignore[no-untyped-def]
        """An open connection for this process, the least recently used dropped beyond the limit."""
        with self._lock:
            if self._process != os.getpid():
                self._open, self._process = OrderedDict(), os.getpid()
            if key not in self._open:
                try:
                    self._open[key] = connect()
                except duckdb.Error as failure:
                    raise EngineFailed from failure
            self._open.move_to_end(key)
            # Dropped, not closed: another thread may be reading from it, and the last reference closes it.
            while len(self._open) > OPEN_FILES_MAX:
                self._open.popitem(last=False)
            return self._open[key]

    def _connect(self, file: Path) -> duckdb.DuckDBPyConnection:
        return self._locked(duckdb.connect(str(file), read_only=True))

    def _locked(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
        """Bound the connection's resources and shut every door out of it, in that order."""
        self.temporary.mkdir(parents=True, exist_ok=True)
        settings = {
            "threads": self.threads,
            "perfect_ht_threshold": PERFECT_HASH_BITS,
            "memory_limit": f"'{MEMORY_LIMIT}'",
            "temp_directory": f"'{self.temporary}'",
            "enable_external_access": "false",
            # Last: it keeps the statements that follow from taking any of these back.
            "lock_configuration": "true",
        }
        for name, value in settings.items():
            connection.execute(f"SET {name} = {value}")
        return connection

    def _generated(self, schema: Schema) -> duckdb.DuckDBPyConnection:
        """A table of evenly spread codes, one row in twenty missing, the same at every call."""
        connection = self._locked(duckdb.connect())
        columns = [
            f"(i // {schema.rows_per_person}) AS {PERSON}",
            f"(i % {schema.rows_per_person} + 1) AS {RANK}",
        ]
        for place, column in enumerate(schema.queryable):
            if isinstance(column, UndeclaredColumn):
                # Few words, so that most pass the threshold and a rehearsal shows what an answer looks like.
                columns.append(f"(hash(i, {place}) % {DUMMY_WORDS})::BIGINT AS c{place}")
                continue
            spread = f"{column.low} + (hash(i, {place}) % {column.high - column.low + 1})::BIGINT"
            missing = f"hash({place}, i) % 20 = 0"
            columns.append(f"CASE WHEN {missing} THEN {column.missing} ELSE {spread} END AS c{place}")
        connection.execute(
            f"CREATE TABLE {TABLE} AS SELECT {', '.join(columns)} FROM range({DUMMY_ROWS}) AS numbers(i)"
        )
        return connection
