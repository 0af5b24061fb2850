"""The kill switch over HTTP: whoever or whatever is stopped gets nothing, at once, and others go on."""

from pathlib import Path
from typing import Any

import pytest
from odd_engines import WaitingEngine, engine_of, with_engine
from small_town import COUNT, Town, Visitor
from town import RESIDENTS_VISITS, join

WHY = {"by": "operator:town", "reason": "a leak of Aoi's key"}
MODES = [{}, {"mode": "quote"}, {"mode": "dummy"}]
OF_VIEW = {**COUNT, "reuse": "never"}


def stop(visitor: Visitor, kind: str, name: str) -> None:
    visitor.services.stops.stop(kind, name, **WHY)


def refused(answer: Any) -> bool:
    """Whether it is refused as stopped, without the reason."""
    stopped = answer.status_code == 403 and answer.json["code"] == "stopped"
    whole = not stopped or answer.json["detail"].endswith(("。", "."))
    return stopped and whole and "leak" not in answer.text and "operator:" not in answer.text


@pytest.mark.parametrize(("kind", "name"), [("user", "aoi"), ("organisation", "shop")])
def test_a_stopped_user_is_refused_everywhere_and_others_are_not(
    visitor: Visitor, kind: str, name: str
) -> None:
    id = visitor.ask(key="one").json["id"]
    stop(visitor, kind, name)
    paths = ("/v1/datasets", "/v1/budgets", "/v1/queries", f"/v1/queries/{id}")
    answers = [visitor.get(path) for path in paths]
    answers += [visitor.ask({**COUNT, **mode}) for mode in MODES]
    answers.append(visitor.ask(key="one"))
    assert all(refused(answer) for answer in answers)
    assert visitor.ask(user="ren").status_code == 200
    assert (visitor.ask(user="mei").status_code == 200) == (kind == "user")
    visitor.services.stops.resume(kind, name, **WHY)
    assert visitor.ask(key="one").status_code == 200


def test_a_stopped_dataset_is_neither_answered_nor_told_again(visitor: Visitor) -> None:
    first = visitor.ask(key="one")
    stop(visitor, "dataset", "residents")
    answers = [visitor.ask({**COUNT, **mode}) for mode in MODES]
    answers += [visitor.ask(key="one"), visitor.get(f"/v1/queries/{first.json['id']}")]
    assert all(refused(answer) for answer in answers)
    assert visitor.spent()["residents/user:aoi"] == "0.5"
    assert visitor.ask(dataset="visits").status_code == 200
    shown = {item["id"]: item["stopped"] for item in visitor.get("/v1/datasets").json["items"]}
    assert shown == {"residents": True, "visits": False}
    assert visitor.get("/v1/datasets/residents").json["stopped"] is True
    more = {"dataset": "residents", "user": "aoi", "epsilon": "1", "reason": "the contract"}
    assert visitor.post("/v1/grants", more).status_code == 201
    visitor.services.stops.resume("dataset", "residents", **WHY)
    assert visitor.ask(key="one").data == first.data


def test_who_may_not_know_of_a_dataset_is_not_told_that_it_is_stopped(visitor: Visitor) -> None:
    stop(visitor, "dataset", "visits")
    assert visitor.ask(dataset="visits", user="ren").status_code == 404


@pytest.mark.parametrize("name", ["residents", "visits", "residents-visits"])
def test_a_view_is_stopped_with_each_of_its_sources(visitor: Visitor, name: str) -> None:
    services = visitor.services
    join(services.store, Path(services.settings.data_dir), RESIDENTS_VISITS)
    id = visitor.ask(OF_VIEW, dataset="residents-visits", key="one").json["id"]
    stop(visitor, "dataset", name)
    assert refused(visitor.ask(OF_VIEW, dataset="residents-visits"))
    assert refused(visitor.get(f"/v1/queries/{id}"))
    assert refused(visitor.ask(OF_VIEW, dataset="residents-visits", key="one"))
    assert visitor.ask().status_code == (403 if name == "residents" else 200)


@pytest.mark.parametrize(
    ("kind", "name"), [("dataset", "residents"), ("user", "aoi"), ("organisation", "shop")]
)
def test_a_question_underway_is_not_answered_any_more(town: Town, kind: str, name: str) -> None:
    """Stopped by another machine while the rows are read."""
    import threading

    visitor, other = town.open(), town.open()
    engine = WaitingEngine(engine_of(visitor))
    with_engine(visitor, engine)
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(visitor.ask(COUNT, key="one")))
    asking.start()
    assert engine.entered.wait(timeout=30)
    stop(other, kind, name)
    engine.go_on.set()
    asking.join(timeout=30)
    assert refused(answers[0])
    assert other.spent() == {}
    assert other.ledger.verify() == []
