"""Engines that fail, wait or count, written by hand; `with_engine` puts one behind a visitor's door."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
from small_town import Visitor

from datasets.engines.base import Place
from datasets.engines.errors import EngineFailed
from datasets.engines.format import SEAL, SEALED, STATISTICS_FILE, TABLE
from privacy.exact import ExactRequest
from privacy.noise import Integers
from privacy.plan import Plan


class NoEngine:
    """Whoever opens data here has made a mistake; generated data is another matter."""

    def ready(self, place: Place) -> None:
        raise AssertionError("data was opened")


class BrokenEngine:
    """Fails after the data was opened, and counts how often."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure, self.calls = failure or EngineFailed(), 0

    def ready(self, place: Place) -> None:
        """It can be opened."""

    def exact(self, plan: Plan, place: Place, run: str) -> Mapping[ExactRequest, Integers]:
        self.calls += 1
        raise self.failure


class CountingEngine:
    """Counts how often the data is opened."""

    def __init__(self, real: Any) -> None:
        self.real, self.calls = real, 0

    def ready(self, place: Place) -> None:
        self.real.ready(place)

    def exact(self, plan: Plan, place: Place, run: str) -> Mapping[ExactRequest, Integers]:
        self.calls += 1
        found: Mapping[ExactRequest, Integers] = self.real.exact(plan, place, run)
        return found


class WaitingEngine:
    """Opens the data, then waits to be let on."""

    def __init__(self, real: Any) -> None:
        self.real, self.entered, self.go_on = real, threading.Event(), threading.Event()

    def ready(self, place: Place) -> None:
        self.real.ready(place)

    def exact(self, plan: Plan, place: Place, run: str) -> Mapping[ExactRequest, Integers]:
        self.entered.set()
        assert self.go_on.wait(timeout=30)
        found: Mapping[ExactRequest, Integers] = self.real.exact(plan, place, run)
        return found


def engine_of(visitor: Visitor) -> Any:
    """The engine that answers now."""
    return visitor.services.engine


def file_of(visitor: Visitor, dataset: str) -> Path:
    """The statistics file of a dataset."""
    location: Path = visitor.services.catalog.current(dataset).place.location
    return location / STATISTICS_FILE


def lose_rows(visitor: Visitor, dataset: str) -> None:
    """From now on a dataset can be opened, and reading any of its rows fails."""
    file = file_of(visitor, dataset)
    file.unlink()
    with duckdb.connect(str(file)) as connection:
        seal = visitor.services.catalog.current(dataset).place.seal
        connection.execute(f"CREATE TABLE {SEALED} AS SELECT ? AS {SEAL}", [seal])
        failing = "CAST(concat('no number ', i) AS INTEGER) > 0"
        connection.execute(f"CREATE VIEW {TABLE} AS SELECT i AS c0 FROM range(9) AS r(i) WHERE {failing}")


def with_engine(visitor: Visitor, engine: Any) -> Visitor:
    """The same visitor at a server with another engine."""
    return with_parts(visitor, engine=engine)


def with_parts(visitor: Visitor, **parts: Any) -> Visitor:
    """The same visitor at a server with other parts, around which the rest is made anew."""
    services = replace(visitor.services)
    vars(services).update(store=visitor.services.store, **parts)  # where cached_property looks first
    visitor.app.extensions["sudare"] = services
    return visitor
