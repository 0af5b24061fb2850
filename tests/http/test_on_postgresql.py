"""The same server on PostgreSQL: one story, and what PostgreSQL alone would choke on."""

from pathlib import Path

import pytest
from odd_engines import lose_rows
from small_town import BY_DISTRICT, COUNT, Visitor, build


@pytest.fixture
def postgres_visitor(postgres_url: str, tmp_path: Path) -> Visitor:
    return build(tmp_path / "town", database_url=postgres_url).open()


def test_asking_retrying_and_reading_again_on_postgresql(postgres_visitor: Visitor) -> None:
    visitor = postgres_visitor
    first = visitor.ask(BY_DISTRICT, key="one")
    assert first.status_code == 200
    assert visitor.ask(BY_DISTRICT, key="one").data == first.data
    assert visitor.ask(COUNT, key="one").json["code"] == "idempotency_conflict"
    assert visitor.ask(BY_DISTRICT, key="two").json["reused"] is True
    assert visitor.get(f"/v1/queries/{first.json['id']}").data == first.data
    assert len(visitor.get("/v1/queries").json["items"]) == 2
    assert visitor.spent()["residents/user:aoi"] == "0.5"
    wish = {"dataset": "residents", "dataset_cap": True, "epsilon": "5", "reason": "the council decided"}
    path = f"/v1/grants/{visitor.post('/v1/grants', wish).json['id']}/decision"
    assert visitor.post(path, {"decision": "approve"}, "kenji").json["state"] == "effective"
    assert visitor.granted("dataset:residents") == "25"
    assert visitor.get("/v1/journal", user="hana").status_code == 200
    assert visitor.ledger.verify() == []


def test_names_that_postgresql_cannot_hold_are_refused_and_never_fail(postgres_visitor: Visitor) -> None:
    visitor = postgres_visitor
    wish = {"dataset": "residents", "user": "aoi", "epsilon": "1", "reason": "more"}
    answers = [
        visitor.get("/v1/datasets/a%00"),
        visitor.get("/v1/queries/a%00"),
        visitor.get("/v1/queries?after=%00"),
        visitor.get("/v1/queries?after=%ff"),
        visitor.get("/v1/journal?after=%00:1", user="hana"),
        visitor.get(f"/v1/journal?after=a:{'9' * 18}", user="hana"),
        visitor.ask(dataset="a%00"),
        visitor.ask({**COUNT, "where": {"column": "\0", "op": "=", "value": "\0"}}),
        visitor.ask({**COUNT, "\0": 1}),
        visitor.post("/v1/grants/a%00/decision", {"decision": "approve"}),
        *(visitor.post("/v1/grants", {**wish, name: "a\0"}) for name in ("dataset", "user", "reason")),
        visitor.post("/v1/grants", {**wish, "user": "x" * 100_000}),
        visitor.post("/v1/grants", {**wish, "reason": "\u2028😀\x7f"}),
    ]
    assert {answer.status_code for answer in answers} <= {200, 201, 404, 422}
    assert visitor.spent() == {}


def test_a_failing_engine_is_charged_once_on_postgresql(postgres_visitor: Visitor) -> None:
    lose_rows(postgres_visitor, "residents")
    told = [postgres_visitor.ask(key="one") for _ in range(2)]
    assert [answer.json["code"] for answer in told] == ["internal", "internal"]
    assert postgres_visitor.spent()["residents/user:aoi"] == "0.5"
