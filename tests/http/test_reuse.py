"""The same canonical question again: free for who paid, paid by others' own accounts, never better."""

from typing import Any

from odd_engines import NoEngine, with_engine
from small_town import Visitor

FIRST: dict[str, Any] = {
    "select": [
        {"as": "n", "agg": "count"},
        {"as": "points", "agg": "sum", "column": "score", "clamp": [0, 5]},
    ],
    "where": {
        "all": [
            {"column": "age", "op": ">=", "value": 20},
            {"column": "district", "op": "=", "value": "kita"},
        ]
    },
    "group_by": [{"column": "district"}],
    "budget": {"epsilon": "1"},
}
AGAIN: dict[str, Any] = {
    "select": [
        {"as": "total", "agg": "sum", "column": "score", "clamp": [0, 5]},
        {"as": "people", "agg": "count"},
    ],
    "where": {
        "not": {
            "any": [
                {"column": "district", "op": "!=", "value": "kita"},
                {"column": "age", "op": "<", "value": 20},
            ]
        }
    },
    "group_by": [{"column": "district"}],
    "budget": {"epsilon": "1"},
}


def test_the_same_question_in_other_words_is_free_and_brings_the_same_numbers(visitor: Visitor) -> None:
    first = visitor.ask(FIRST).json
    with_engine(visitor, NoEngine())
    again = visitor.ask(AGAIN).json
    assert again["reused"] is True
    assert again["fingerprint"] == first["fingerprint"]
    assert again["charge"]["amount"] == "0"
    assert [(row["people"], row["total"], row["total_low"]) for row in again["rows"]] == [
        (row["n"], row["points"], row["points_low"]) for row in first["rows"]
    ]
    assert visitor.spent()["residents/user:aoi"] == "1"


def test_the_columns_stand_in_the_order_now_asked_for(visitor: Visitor) -> None:
    visitor.ask(FIRST)
    names = [column["name"] for column in visitor.ask(AGAIN).json["columns"]]
    assert names == ["district", "total", "total_low", "total_high", "people", "people_low", "people_high"]


def test_another_user_pays_the_own_accounts_and_the_dataset_nothing(visitor: Visitor) -> None:
    first = visitor.ask(FIRST).json
    told = visitor.ask(FIRST, user="ren").json
    assert told["rows"] == first["rows"]
    assert told["reused"] is True
    assert [(line["account"], line["charged"]) for line in told["charge"]["accounts"]] == [
        ("user:ren", "1"),
        ("dataset:residents", "0"),
    ]
    assert visitor.spent()["residents/dataset:residents"] == "1"
    assert visitor.spent()["residents/user:ren"] == "1"


def test_a_better_answer_is_told_again_at_the_price_asked(visitor: Visitor) -> None:
    better = visitor.ask(FIRST).json
    told = visitor.ask({**FIRST, "budget": {"epsilon": "0.25"}}, user="ren").json
    assert told["rows"] == better["rows"]
    assert visitor.spent()["residents/user:ren"] == "0.25"


def test_a_worse_answer_is_not_told_again(visitor: Visitor) -> None:
    visitor.ask({**FIRST, "budget": {"epsilon": "0.25"}})
    told = visitor.ask(FIRST).json
    assert told["reused"] is False
    assert visitor.spent()["residents/user:aoi"] == "1.25"


def test_an_answer_that_is_worse_in_one_statistic_is_not_told_again(visitor: Visitor) -> None:
    visitor.ask({**FIRST, "weights": {"n": 9}})
    assert visitor.ask(FIRST).json["reused"] is False


def test_reuse_never_measures_anew(visitor: Visitor) -> None:
    told = [visitor.ask({**FIRST, "reuse": "never"}).json for _ in range(3)]
    assert [answer["reused"] for answer in told] == [False, False, False]
    assert visitor.spent()["residents/dataset:residents"] == "3"


def test_another_question_is_not_reused(visitor: Visitor) -> None:
    visitor.ask(FIRST)
    other = {**FIRST, "select": [{"as": "n", "agg": "count"}]}
    assert visitor.ask(other).json["reused"] is False


def test_a_reused_answer_is_refused_to_who_cannot_pay_for_it(visitor: Visitor) -> None:
    visitor.ask(FIRST, user="ren")
    for price in ("2", "2", "0.5"):
        visitor.ask(
            {**FIRST, "reuse": "never", "where": {"all": []}, "budget": {"epsilon": price}}, user="mei"
        )
    before = visitor.spent()
    assert visitor.ask(FIRST, user="mei").json["code"] == "budget_exhausted"
    assert visitor.spent() == before


def test_a_replayed_answer_is_free_even_when_nothing_is_left(visitor: Visitor) -> None:
    visitor.ask({**FIRST, "budget": {"epsilon": "2"}}, user="ren")
    visitor.ask({**FIRST, "budget": {"epsilon": "2"}, "reuse": "never"}, user="ren")
    visitor.ask({**FIRST, "reuse": "never"}, user="ren")
    assert visitor.spent()["residents/user:ren"] == "5"
    assert visitor.ask(FIRST, user="ren").json["charge"]["amount"] == "0"
