"""The embedded engine: one read-only DuckDB file a version, in the version's folder."""

import os
from collections.abc import Collection, Hashable, Mapping
from pathlib import Path

import duckdb
import structlog

from datasets.engines.base import EngineLimits, Place
from datasets.engines.connections import Connection, Connections, exact_integers
from datasets.engines.errors import EngineFailed, EngineUnavailable
from datasets.engines.format import CODE, PLACE, SEAL, SEALED, STATISTICS_FILE, TABLE, WORD, WORDS
from privacy.exact import ExactRequest
from privacy.noise import Integers
from privacy.partition_selection import UndeclaredValueCount
from privacy.plan import Plan

# Three headers of 4 KiB each stand before the first block (DuckDB's storage format).
HEADERS_BYTES = 3 * 4096
log = structlog.get_logger("sudare")


class DuckdbEngine:
    """Answers plans from the statistics file in the folder of a place."""

    def __init__(self, limits: EngineLimits) -> None:
        self.connections = Connections(limits)
        self._probed: dict[Place, Hashable] = {}

    def ready(self, place: Place) -> None:
        """Open the file: it is there, it is whole, and it is the place's own. Raises EngineUnavailable.

        Looked at each time, though it is open: an operator who takes it away, or puts it back, means it.
        """
        self._opened(place, _file_of(place))

    def probe(self, place: Place) -> None:
        """What `ready` looks at, but nothing is kept open. Raises EngineUnavailable."""
        # Kept open, the files of many datasets would drive those out that answers are computed from.
        file = _file_of(place)
        if self._probed.get(place) != file:
            self.connections.probe(place, lambda: self._connect(place), file)
            self._probed[place] = file

    def exact(self, plan: Plan, place: Place, run: str) -> Mapping[ExactRequest, Integers]:
        """The exact integers of a plan, one int64 a cell. Raises EngineFailed."""
        with self.connections.computing(self._reopened(place), run) as cursor:
            return exact_integers(plan, cursor)

    def values(self, plan: Plan, place: Place, codes: Integers, run: str) -> list[str]:
        """The values behind released codes of the undeclared column that the plan groups by, in that order.

        Raises EngineFailed.
        """
        (column,) = (
            part.estimator.column
            for part in plan.measurements
            if isinstance(part.estimator, UndeclaredValueCount)
        )
        # The codes come from the released answer, so what is looked up here is public already.
        wanted = [int(code) for code in codes]
        sql = (
            f"SELECT {CODE}, {WORD} FROM {WORDS} WHERE {PLACE} = ? AND {CODE} IN (SELECT unnest(?::BIGINT[]))"
        )
        with self.connections.computing(self._reopened(place), run) as cursor:
            known = dict(cursor.execute(sql, [column, wanted]).fetchall())
        return [known[code] for code in wanted]

    def cancel(self, run: str) -> None:
        """Interrupt what the run computes, from another thread; an unknown run is no error."""
        self.connections.cancel(run)

    def _opened(self, place: Place, file: Hashable = None) -> Connection:
        return self.connections.open(place, lambda: self._connect(place), file)

    def _reopened(self, place: Place) -> Connection:
        """Open already, unless so many other files came between that it was dropped. Raises EngineFailed."""
        try:
            return self._opened(place)
        # It was ready a moment ago: what fails from then on is charged, whatever the reason.
        except EngineUnavailable as failure:
            raise EngineFailed from failure

    def _connect(self, place: Place) -> Connection:
        file = place.location / STATISTICS_FILE
        # Opening a pipe waits for whoever writes into it, and everybody who opens a file waits with it.
        if not file.is_file():
            raise EngineUnavailable
        connection = self.connections.locked(duckdb.connect(str(file), read_only=True))
        tables = {
            name
            for (name,) in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
        }
        if TABLE in tables and _is_whole(connection, file) and _is_own(connection, tables, place):
            return connection
        # Left open, it would be given again, as it is now, to whoever opens the file when it is whole.
        connection.close()
        raise EngineUnavailable


def _is_whole(connection: Connection, file: Path) -> bool:
    """Whether no part of the file is lacking."""
    # DuckDB opens a file that was cut off, and fails only when it reads a block that is gone: too late.
    sizes = connection.execute("SELECT block_size, total_blocks FROM pragma_database_size()").fetchall()
    ((block_bytes, blocks),) = sizes
    return bool(file.stat().st_size >= HEADERS_BYTES + block_bytes * blocks)


def _is_own(connection: Connection, tables: Collection[str], place: Place) -> bool:
    """Whether the file is what was registered at the place; the log says whose it is where it is not."""
    # Another version's rows would be answered from with this one's noise, and charged to this one's people.
    found = connection.execute(f"SELECT {SEAL} FROM {SEALED}").fetchall() if SEALED in tables else []
    # A version of before there were seals has none: one in its file is another's.
    if found == ([] if place.seal is None else [(place.seal,)]):
        return True
    log.error("another file", place=str(place.location), sealed=place.seal, found=[seal for (seal,) in found])
    return False


def _file_of(place: Place) -> Hashable:
    """What tells the file of a place from another of its name. Raises EngineUnavailable where there is none."""
    try:
        found = os.stat(f"{place.location}/{STATISTICS_FILE}")
    except OSError as failure:
        raise EngineUnavailable from failure
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
