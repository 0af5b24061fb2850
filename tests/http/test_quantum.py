"""Whatever may have opened data is answered at a multiple of the response quantum, refusals and repetitions too."""

from collections.abc import Callable

import pytest
from odd_engines import BrokenEngine, file_of, with_engine
from small_town import COUNT, Town, Visitor

from api.http import limits

QUANTUM_MS = 5_000


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long requests waited for the quantum, which takes no time here."""
    waits: list[float] = []
    monkeypatch.setattr(limits.time, "sleep", waits.append)
    return waits


@pytest.fixture
def visitor(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    return town.copy(tmp_path_factory.mktemp("quantum"), response_quantum_ms=QUANTUM_MS).open()


def without_data(visitor: Visitor) -> None:
    file_of(visitor, "residents").unlink()
    assert visitor.ask().status_code == 503


def failing(visitor: Visitor) -> None:
    assert with_engine(visitor, BrokenEngine()).ask().status_code == 500


def told_again(user: str) -> Callable[[Visitor], None]:
    def ask(visitor: Visitor) -> None:
        first, second = visitor.ask(), visitor.ask(user=user)
        assert (first.json["reused"], second.json["reused"]) == (False, True)

    return ask


def too_dear(visitor: Visitor) -> None:
    asked = [visitor.ask({**COUNT, "budget": {"epsilon": "2"}, "reuse": "never"}) for _ in range(3)]
    assert asked[-1].json["code"] == "budget_exhausted"


WAITING = {
    "an answer": (1, lambda visitor: visitor.ask()),
    "an own answer told again": (2, told_again("aoi")),
    "another's answer told again": (2, told_again("ren")),
    "a price that no account covers": (3, too_dear),
    "an unknown dataset": (1, lambda visitor: visitor.ask(dataset="nothing")),
    "a question that does not fit": (
        1,
        lambda visitor: visitor.ask({**COUNT, "group_by": [{"column": "x"}]}),
    ),
    "data that cannot be opened": (1, without_data),
    "an answer that failed": (1, failing),
}


@pytest.mark.parametrize("case", WAITING)
def test_a_run_waits_for_the_quantum_however_it_ends(visitor: Visitor, slept: list[float], case: str) -> None:
    times, ask = WAITING[case]
    ask(visitor)
    assert len(slept) == times
    assert all(0 <= wait <= QUANTUM_MS / 1_000 for wait in slept)


@pytest.mark.parametrize("mode", ["quote", "dummy"])
def test_what_opens_no_data_waits_for_nothing(visitor: Visitor, slept: list[float], mode: str) -> None:
    assert visitor.ask({**COUNT, "mode": mode}).status_code == 200
    assert slept == []
