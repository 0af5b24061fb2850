"""openapi.yaml says what every answer holds: answers that it long did not fit, and what the check itself notices."""

from collections.abc import Callable
from typing import Any

import pytest
from described import UndescribedAnswer
from flask import Response
from small_town import Town, Visitor

from api.http.answers import json_response

DATASET = {
    "id": "x",
    "version": 1,
    "title": {"en": "X"},
    "body": "131016",
    "retired": False,
    "stopped": False,
    "reference_date": None,
    "row_is": {},
    "contact": {},
    "terms": {},
}
LISTING = "datasets.listing"


@pytest.fixture
def faulty(template: Town) -> Callable[[Callable[[], Response]], Visitor]:
    """A server whose list of datasets is what a test makes of it."""

    def with_listing(view: Callable[[], Response]) -> Visitor:
        visitor = template.open()
        visitor.app.view_functions[LISTING] = view
        return visitor

    return with_listing


def test_several_quantiles_say_by_what_share_of_the_rows_a_rank_may_be_off(visitor: Visitor) -> None:
    ages = {"as": "m", "agg": "quantile", "column": "age", "q": [0.25, 0.5, 0.75]}
    answer = visitor.ask({"select": [ages], "budget": {"epsilon": "0.2"}})
    assert answer.status_code == 200
    shares = {column.get("within_share") for column in answer.json["columns"] if column["role"] == "value"}
    assert None not in shares


def test_an_answer_as_described_passes(faulty: Any) -> None:
    assert faulty(lambda: json_response({"items": [DATASET]})).get("/v1/datasets").status_code == 200


def without(name: str) -> dict[str, Any]:
    return {member: value for member, value in DATASET.items() if member != name}


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        ({"items": [without("version")]}, "'version' is a required property"),
        ({"items": [{**DATASET, "version": "1"}]}, "is not of type 'integer'"),
        ({"items": [{**DATASET, "colour": "red"}]}, "'colour' was unexpected"),
        ({"items": [DATASET], "next": None}, "'next' was unexpected"),
        ({}, "'items' is a required property"),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_an_answer_with_other_members_than_described_is_noticed(faulty: Any, sent: Any, fault: str) -> None:
    with pytest.raises(UndescribedAnswer, match=fault):
        faulty(lambda: json_response(sent)).get("/v1/datasets")


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        (lambda: json_response({}, 202), "a status that is not described"),
        (lambda: Response("items", content_type="text/csv"), "a media type that is not described"),
        (lambda: Response("{}", 401, content_type="application/json"), "a media type that is not described"),
        (
            lambda: Response(
                '{"type": "", "code": "gone", "title": "", "status": 401, "detail": "", "request_id": ""}',
                401,
                content_type="application/problem+json",
            ),
            "gone is not among",
        ),
        (lambda: Response("{}", 401, content_type="application/problem+json"), "is a required property"),
    ],
)
def test_an_answer_of_another_status_or_kind_than_described_is_noticed(
    faulty: Any, sent: Any, fault: str
) -> None:
    with pytest.raises(UndescribedAnswer, match=fault):
        faulty(sent).get("/v1/datasets")


def test_a_path_that_is_not_described_is_noticed(template: Town) -> None:
    visitor = template.open()
    visitor.app.add_url_rule("/v1/secrets", view_func=lambda: json_response({}))
    with pytest.raises(UndescribedAnswer, match="a path that is not described"):
        visitor.get("/v1/secrets")
