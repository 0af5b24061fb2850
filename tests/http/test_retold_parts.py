"""Answers told again: what others pay, and what one key repeats, with clamps by group or a presentation."""

from decimal import Decimal
from typing import Any

from small_town import Visitor

SUM = {"agg": "sum", "column": "age"}
BY_GROUP: dict[str, Any] = {"as": "s", **SUM, "clamp": {"chuo": [0, 50], "*": [0, 90]}}
OF_CHUO: dict[str, Any] = {
    "as": "t",
    **SUM,
    "clamp": [0, 50],
    "where": {"column": "district", "op": "=", "value": "chuo"},
}


def question(*select: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "select": list(select),
        "group_by": [{"column": "district"}],
        "budget": {"epsilon": "0.5"},
        **more,
    }


def test_a_reader_pays_for_every_number_that_is_told(visitor: Visitor) -> None:
    assert visitor.ask(question(BY_GROUP, OF_CHUO)).status_code == 200
    again = visitor.ask(question(BY_GROUP, OF_CHUO), user="ren")
    assert (again.json["reused"], Decimal(again.json["charge"]["amount"])) == (True, Decimal("0.5"))
    assert sum(map(Decimal, again.json["charge"]["split"].values())) == Decimal("0.5")


def test_a_part_of_an_earlier_answer_is_another_question(visitor: Visitor) -> None:
    visitor.app.testing = False
    assert visitor.ask(question(BY_GROUP)).status_code == 200
    answer = visitor.ask(question(BY_GROUP, OF_CHUO), user="ren")
    assert (answer.status_code, answer.json["reused"]) == (200, False)


def test_one_key_has_one_presentation(visitor: Visitor) -> None:
    shown = question(BY_GROUP, limit=1)
    assert visitor.ask(shown, key="one").status_code == 200
    assert visitor.ask(question(BY_GROUP), key="one").status_code == 409
    assert visitor.ask({**shown, "having": {"s": ">0"}}, key="one").status_code == 409
    spent = visitor.spent()
    assert visitor.ask(question(BY_GROUP), key="two").json["charge"]["amount"] == "0"
    assert visitor.spent() == spent
