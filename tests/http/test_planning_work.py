"""Work to prepare a question: limited, counted against the caller's rate, and never charged."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from small_town import COUNT, Town, Visitor

from api.http.limits import LIMITER, UNITS_PER_REQUEST
from api.queries.schemas import QuerySchema, WorkloadSchema, to_query
from datasets.queries.planner import REHEARSAL_TIMES
from privacy.work import Work, planning_work, rehearsal_work

DEAR: dict[str, Any] = {
    "select": [{"as": f"n{place}", "agg": "count"} for place in range(3)],
    "budget": {"epsilon": "1"},
    "tables": [
        {"as": "districts", "group_by": [{"column": "district"}]},
        {"as": "ages", "group_by": [{"column": "age"}]},
        {"as": "both", "group_by": [{"column": "district"}, {"column": "age"}]},
    ],
}
MODES = ("quote", "dummy", "run")


def asked(visitor: Visitor, body: Mapping[str, Any], mode: str) -> Any:
    way = "workloads" if "tables" in body else "queries"
    path = f"/v1/datasets/residents/{way}"
    key = f"{mode}-{way}-{body.get('reuse')}"
    return visitor.post(path, {**body, "mode": mode}, "aoi", Idempotency_Key=key)


def units(visitor: Visitor, body: Mapping[str, Any], mode: str) -> int:
    """The counted work of a question."""
    schema = visitor.services.catalog.current("residents").schema
    form = WorkloadSchema() if "tables" in body else QuerySchema()
    query = to_query(form.load({**body, "mode": mode}))
    work: Work = (rehearsal_work if mode == "dummy" else planning_work)(query, schema)
    return work.total


def counted(visitor: Visitor) -> int:
    """How many requests were counted of the caller."""
    found: int = visitor.app.extensions[LIMITER]._counts.get("aoi", 0)
    return found


@pytest.mark.parametrize("mode", MODES)
def test_a_question_counts_like_as_many_requests_as_its_work_weighs(visitor: Visitor, mode: str) -> None:
    weight = units(visitor, DEAR, mode) // UNITS_PER_REQUEST
    assert weight > 1
    before = counted(visitor)
    assert asked(visitor, DEAR, mode).status_code == 200
    assert counted(visitor) == before + 1 + weight


@pytest.mark.parametrize("mode", MODES)
def test_who_has_no_rate_left_for_the_work_is_refused_before_it_is_done(
    town: Town, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = units(town.open(), DEAR, mode) // UNITS_PER_REQUEST
    hurried = Town(settings=replace(town.settings, rate_limit=f"{weight} per day"), keys=town.keys).open()
    for name in ("plan", "quote", "rehearse"):
        monkeypatch.delattr(f"datasets.queries.preparation.Preparation.{name}")
    refused = asked(hurried, DEAR, mode)
    assert (refused.status_code, refused.json["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) > 0
    assert hurried.spent() == {}


@pytest.mark.parametrize("mode", MODES)
def test_more_work_than_a_question_may_take_is_refused_before_it_is_done_or_counted(
    town: Town, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = -(-units(town.open(), DEAR, mode) // (REHEARSAL_TIMES if mode == "dummy" else 1))
    generous, strict = (
        Town(settings=replace(town.settings, planning_work_max=work_max), keys=town.keys).open()
        for work_max in (most, most - 1)
    )
    assert asked(generous, DEAR, mode).status_code == 200
    spent = strict.spent()
    assert asked(strict, COUNT, "quote").status_code == 200
    before = counted(strict)
    for name in ("plan", "quote", "rehearse"):
        monkeypatch.delattr(f"datasets.queries.preparation.Preparation.{name}")
    refused = asked(strict, {**DEAR, "reuse": "never"}, mode)
    assert (refused.status_code, refused.json["code"]) == (422, "planning_too_dear")
    assert counted(strict) == before + 1
    assert strict.spent() == spent
    # What was answered before is answered again, whatever it would take to prepare now.
    if mode == "run":
        assert asked(strict, DEAR, mode).status_code == 200
