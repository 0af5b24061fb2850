"""Hints over HTTP: in quotes and refusals, with changes that can be pasted; in answers only what explains them."""

import json
from typing import Any

import pytest
from small_town import Town, Visitor

WIDE = {"select": [{"as": "s", "agg": "count"}], "group_by": [{"column": "kind"}], "mode": "quote"}
AGES = {
    "select": [{"as": "residents", "agg": "count"}],
    "group_by": [{"column": "age", "bins": [20, 65]}, {"column": "district"}],
    "budget": {"epsilon": "0.1"},
}
EXPLAINING = {"may_be_negative", "bounds_per_cell", "values_left_out", "missing_left_out"}


def test_a_quote_has_hints_whose_changes_give_what_they_say(visitor: Visitor) -> None:
    body = {**WIDE, "budget": {"epsilon": 0.5}}
    first = visitor.ask(body, dataset="visits").json
    (hint,) = [note for note in first["notes"] if note["code"] == "one_row_per_person"]
    assert hint["change"] == {"rows_per_person": 1}
    again = visitor.ask({**body, **hint["change"]}, dataset="visits").json
    assert hint["half_width_before"] == first["expected"][0]["half_width"]
    assert hint["half_width_after"] == again["expected"][0]["half_width"]
    assert "edits" not in json.dumps(first)
    assert again["notes"] == []


@pytest.mark.parametrize("mode", ["quote", "run", "dummy"])
@pytest.mark.parametrize(("language", "member"), [("ja", "text_ja"), ("en", "text")])
def test_a_refused_accuracy_names_what_reaches_it(
    visitor: Visitor, mode: str, language: str, member: str
) -> None:
    budget = {"accuracy": {"of": "s", "within": 4}}
    body: dict[str, Any] = {**WIDE, "mode": mode, "budget": budget}
    refused = visitor.ask(body, dataset="visits", Accept_Language=language)
    assert (refused.status_code, refused.json["code"]) == (422, "accuracy_not_reachable")
    hint = refused.json["hints"][0]
    assert hint["price_after"] in hint[member]
    reached = visitor.ask({**body, "mode": "quote", **hint["change"]}, dataset="visits").json
    assert reached["charge"]["amount"] == hint["price_after"]
    widened = refused.json["hints"][-1]["change"]["budget"]["accuracy"]
    wider = {**budget["accuracy"], **widened}
    assert (
        visitor.ask({**body, "mode": "quote", "budget": {"accuracy": wider}}, dataset="visits").status_code
        == 200
    )


def test_an_answer_says_what_it_leaves_out_and_says_it_again(town: Town) -> None:
    visitor = town.open()
    first, again = visitor.ask(AGES).json, visitor.ask(AGES).json
    notes = {note["code"]: note for note in first["notes"]}
    assert set(notes) == EXPLAINING
    assert "age: 0 … 19, 66 … 119" in notes["values_left_out"]["text"]
    assert "district" in notes["missing_left_out"]["text_ja"]
    assert again["reused"]
    assert again["notes"] == first["notes"]
    assert visitor.get(f"/v1/queries/{first['id']}").json["notes"] == first["notes"]
