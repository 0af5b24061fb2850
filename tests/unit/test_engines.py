"""Several engines behind one: a place names who computes there."""

from pathlib import Path

import numpy as np
import pytest
from doubles import TOWN, MadeUpEngine, query

from datasets.engines.base import Engine, EngineLimits, Place
from datasets.engines.engines import Engines
from datasets.engines.errors import EngineUnavailable
from privacy.plan import plan

LIMITS = EngineLimits(threads=1, timeout_s=1, temporary=Path("nowhere"))
HERE, THERE = Place("here", Path("town/v1")), Place("there", Path("town/v2"))
ASKED = plan(query(), TOWN)


def both() -> tuple[Engines, MadeUpEngine, MadeUpEngine]:
    here, there = MadeUpEngine(value=1), MadeUpEngine(value=2)
    return Engines(LIMITS, {"here": lambda _: here, "there": lambda _: there}), here, there


def test_a_question_goes_to_the_engine_that_its_place_names() -> None:
    engines, here, there = both()
    for place, value in ((HERE, 1), (THERE, 2), (HERE, 1)):
        engines.ready(place)
        (found,) = engines.exact(ASKED, place, "q_1").values()
        assert found.tolist() == [value]
    assert (here.opened, there.opened) == ([HERE, HERE], [THERE])
    assert engines.values(ASKED, THERE, np.array([7]), "q_2") == ["value 7"]
    assert (here.runs, there.runs) == (["q_1", "q_1"], ["q_1", "q_2"])


def test_whether_a_place_is_ready_is_for_its_engine_to_say() -> None:
    engines, here, _ = both()
    here.closed = EngineUnavailable()
    engines.ready(THERE)
    with pytest.raises(EngineUnavailable):
        engines.ready(HERE)


def test_an_engine_is_made_when_it_is_first_asked_for_and_once() -> None:
    made: list[EngineLimits] = []

    def make(limits: EngineLimits) -> Engine:
        made.append(limits)
        return MadeUpEngine()

    engines = Engines(LIMITS, {"here": make, "there": make})
    engines.cancel("q_1")
    assert made == []
    engines.ready(HERE)
    engines.exact(ASKED, HERE, "q_1")
    assert made == [LIMITS]


def test_a_run_is_cancelled_wherever_it_is_computed() -> None:
    engines, here, there = both()
    engines.ready(HERE)
    engines.ready(THERE)
    engines.cancel("q_1")
    assert (here.cancelled, there.cancelled) == (["q_1"], ["q_1"])


def test_an_engine_that_this_installation_does_not_know_is_unavailable() -> None:
    engines, *_ = both()
    with pytest.raises(EngineUnavailable):
        engines.ready(Place("elsewhere", Path("town/v3")))


def test_an_engine_whose_library_is_not_installed_is_unavailable_until_it_is() -> None:
    installed: list[Engine] = []

    def make(_: EngineLimits) -> Engine:
        if not installed:
            raise ImportError("a library")
        return installed[0]

    engines = Engines(LIMITS, {"here": make})
    with pytest.raises(EngineUnavailable):
        engines.ready(HERE)
    installed.append(MadeUpEngine())
    engines.ready(HERE)
