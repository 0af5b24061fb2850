"""An answer that is told again is the one that was told: every number, bound and note of it, in every form."""

from typing import Any

import pyarrow.ipc
import pytest
from odd_engines import NoEngine, with_engine
from odd_requests import ARROW, CSV
from small_town import Visitor
from werkzeug.test import TestResponse

AGES = {"column": "age", "bins": [0, 20, 65, 119]}
QUESTIONS: dict[str, dict[str, Any]] = {
    "totals": {
        "select": [{"as": "n", "agg": "count"}, {"as": "points", "agg": "mean", "column": "score"}],
        "group_by": [{"column": "district"}, AGES],
        "totals": True,
    },
    "ranks": {
        "select": [
            {"as": "ages", "agg": "quantile", "column": "age", "q": [0.25, 0.5, 0.75], "value_bounds": True}
        ],
        "group_by": [{"column": "district"}],
    },
    "shares": {
        "select": [
            {"as": "old", "agg": "ratio", "numerator": {"column": "age", "op": ">=", "value": 65}},
            {"as": "spread", "agg": "variance", "column": "score"},
            {"as": "people", "agg": "count_persons"},
        ],
    },
    "workload": {
        "select": [{"as": "n", "agg": "count"}],
        "tables": [
            {"as": "by_district", "group_by": [{"column": "district"}]},
            {"as": "by_age", "group_by": [AGES]},
        ],
    },
}
JSON = "application/json"
ITS_OWN = {"id", "reused", "asked_at", "charge"}
"""What belongs to the telling and not to the answer."""


def ask(visitor: Visitor, question: dict[str, Any], user: str, key: str, accept: str) -> TestResponse:
    """The answer to a question at ε 1; how often it was computed is for the key to say."""
    path = f"/v1/datasets/residents/{'workloads' if 'tables' in question else 'queries'}"
    body = {**question, "budget": {"epsilon": "1"}}
    answer = visitor.post(path, body, user, Accept=accept, Idempotency_Key=key)
    assert answer.status_code == 200, answer.text
    return answer


def answered(answer: TestResponse) -> dict[str, Any]:
    assert answer.json is not None
    return {member: value for member, value in answer.json.items() if member not in ITS_OWN}


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_whole_answer_is_told_again_to_whoever_asks(visitor: Visitor, name: str) -> None:
    told = ask(visitor, QUESTIONS[name], "aoi", "first", JSON)
    # From here on nothing can be computed from the data.
    with_engine(visitor, NoEngine())
    for user in ("aoi", "ren"):
        again = ask(visitor, QUESTIONS[name], user, f"again-{user}", JSON)
        assert again.json is not None
        assert again.json["reused"] is True
        assert answered(again) == answered(told)


@pytest.mark.parametrize("accept", [CSV, ARROW])
def test_other_forms_hold_the_same_numbers(visitor: Visitor, accept: str) -> None:
    ask(visitor, QUESTIONS["totals"], "aoi", "first", JSON)
    with_engine(visitor, NoEngine())
    tables = [
        numbers(ask(visitor, QUESTIONS["totals"], user, f"again-{user}", accept)) for user in ("aoi", "ren")
    ]
    fresh = numbers(ask(visitor, QUESTIONS["totals"], "aoi", "first", accept))
    assert tables == [fresh, fresh]


def numbers(answer: TestResponse) -> object:
    """All cells of a table, without what an Arrow stream says about the telling."""
    if answer.mimetype == CSV:
        return answer.text
    table: dict[str, list[object]] = pyarrow.ipc.open_stream(answer.data).read_all().to_pydict()
    return table
