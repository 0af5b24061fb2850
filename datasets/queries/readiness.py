"""Whether this installation can answer now: the database is of this program, the rows of what serves can be opened."""

import threading
import time

import structlog

from datasets.catalog import Catalog, DatasetVersion
from datasets.database.store import Store
from datasets.engines.base import Engine
from datasets.engines.errors import EngineUnavailable

REMEMBERED_S = 1.0
"""How long what was found good is taken to be so: load balancers and questions ask far more often than it changes."""
log = structlog.get_logger("sudare")


class Readiness:
    """Looks again once in a while; what was not good is looked at each time, so that its mending shows at once."""

    def __init__(self, store: Store, catalog: Catalog, engine: Engine) -> None:
        self._store, self._catalog, self._engine = store, catalog, engine
        self._lock = threading.Lock()
        self._current_until = self._open_until = 0.0

    def must_be_current(self) -> None:
        """Raises NotInitialised unless the tables are those of this program, and Unavailable without a database."""
        # A program that is older than its tables may not know who else is to be charged.
        if time.monotonic() >= self._current_until:
            self._store.must_be_current()
            self._current_until = time.monotonic() + REMEMBERED_S

    def must_be_open(self) -> None:
        """Raises EngineUnavailable if the rows of a dataset that serves cannot be opened; the log says of which."""
        # One at a time: of several that ask at once the others find what the first one found.
        with self._lock:
            if time.monotonic() < self._open_until:
                return
            closed = [
                version for version in self._catalog.all() if not version.retired and self._is_closed(version)
            ]
            if closed:
                log.error("data unavailable", datasets=[version.id for version in closed])
                raise EngineUnavailable
            self._open_until = time.monotonic() + REMEMBERED_S

    def _is_closed(self, version: DatasetVersion) -> bool:
        try:
            self._engine.probe(version.place)
        except EngineUnavailable:
            return True
        return False
