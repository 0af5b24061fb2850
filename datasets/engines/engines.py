"""The engines by name. Whoever asks gives a place; which engine computes there is looked up here and nowhere else.

A further engine is a file beside this one and a line in `MAKERS`.
"""

import threading
from collections.abc import Callable, Mapping

from datasets.engines import format
from datasets.engines.base import Engine, EngineLimits, Place
from datasets.engines.errors import EngineUnavailable
from privacy.exact import ExactRequest
from privacy.noise import Integers
from privacy.plan import Plan


def _duckdb(limits: EngineLimits) -> Engine:
    from datasets.engines.duckdb import DuckdbEngine

    return DuckdbEngine(limits)


# Each imports its library itself: an installation loads only those that its versions name.
MAKERS: Mapping[str, Callable[[EngineLimits], Engine]] = {format.ENGINE: _duckdb}


class Engines:
    """All engines behind one: each question goes to the engine that its place names, made when first asked."""

    def __init__(
        self, limits: EngineLimits, makers: Mapping[str, Callable[[EngineLimits], Engine]] = MAKERS
    ) -> None:
        self._limits, self._makers = limits, makers
        self._lock = threading.Lock()
        self._made: dict[str, Engine] = {}

    def ready(self, place: Place) -> None:
        """Open the place. Raises EngineUnavailable, also where this installation has no such engine."""
        self._of(place).ready(place)

    def probe(self, place: Place) -> None:
        """Whether the place can be opened. Raises EngineUnavailable, also where there is no such engine here."""
        self._of(place).probe(place)

    def exact(self, plan: Plan, place: Place, run: str) -> Mapping[ExactRequest, Integers]:
        """The exact integers of a plan, one int64 a cell. Raises EngineFailed."""
        return self._of(place).exact(plan, place, run)

    def values(self, plan: Plan, place: Place, codes: Integers, run: str) -> list[str]:
        """The values behind released codes of the undeclared column that the plan groups by. Raises EngineFailed."""
        return self._of(place).values(plan, place, codes, run)

    def cancel(self, run: str) -> None:
        """Interrupt what the run computes, wherever that is; an unknown run is no error."""
        # Only engines that were asked can know the run.
        for engine in list(self._made.values()):
            engine.cancel(run)

    def _of(self, place: Place) -> Engine:
        # Two threads that ask first would make two, and each would open every file again.
        with self._lock:
            if place.engine not in self._made:
                self._made[place.engine] = self._make(place.engine)
            return self._made[place.engine]

    def _make(self, name: str) -> Engine:
        maker = self._makers.get(name)
        # A version of an installation with other engines, or one whose library is not installed here.
        if maker is None:
            raise EngineUnavailable
        try:
            return maker(self._limits)
        except ImportError as missing:
            raise EngineUnavailable from missing
