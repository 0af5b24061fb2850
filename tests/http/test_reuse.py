"""The same canonical question again: free for who paid, for others' own accounts at what it is worth, never better."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from odd_engines import NoEngine, with_engine
from small_town import Visitor
from town import RESIDENTS, add, derived, grant, residents_csv

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
CHEAP: dict[str, Any] = {**FIRST, "budget": {"epsilon": "0.25"}}
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


def test_a_better_answer_is_told_again_for_what_it_is_worth(visitor: Visitor) -> None:
    better = visitor.ask({**FIRST, "weights": {"n": 3}}).json
    told = visitor.ask({**CHEAP, "weights": {"n": 3}}, user="ren", key="again")
    assert (told.json["reused"], told.json["rows"]) == (True, better["rows"])
    assert (told.json["charge"]["amount"], told.json["charge"]["split"]) == (
        "1",
        {"n": "0.75", "points": "0.25"},
    )
    assert visitor.spent()["residents/user:ren"] == "1"
    assert visitor.ask({**CHEAP, "weights": {"n": 3}}, user="ren", key="again").data == told.data
    assert visitor.ledger.verify() == []


def test_no_price_is_too_small_to_be_asked_for_a_large_answer(visitor: Visitor) -> None:
    """Whoever cannot pay what it is worth gets an answer of its own, as small as its price."""
    better = visitor.ask({**FIRST, "budget": {"epsilon": "2"}}).json
    grant(visitor.services.store, [("residents", "user", "noa", "0.00001")])
    told = visitor.ask({**FIRST, "budget": {"epsilon": "0.000004"}}, user="noa").json
    assert (told["reused"], told["charge"]["amount"]) == (False, "0.000004")
    assert told["rows"] != better["rows"]
    assert visitor.spent()["residents/user:noa"] == "0.000004"
    assert visitor.spent()["residents/dataset:residents"] == "2.000004"


def test_what_was_told_again_is_worth_as_much_to_the_next(visitor: Visitor) -> None:
    first = visitor.ask(FIRST).json
    visitor.ask(CHEAP, user="mei")
    # Its buyer has it at the accuracy that was paid for, and not at that asked for.
    again = visitor.ask(FIRST, user="mei").json
    assert (again["rows"], again["charge"]["amount"]) == (first["rows"], "0")
    told = visitor.ask(CHEAP, user="ren").json
    assert (told["rows"], told["charge"]["amount"]) == (first["rows"], "1")
    assert visitor.spent()["residents/dataset:residents"] == "1"


def test_of_several_answers_the_cheapest_that_is_good_enough_is_told(visitor: Visitor) -> None:
    for epsilon in ("1", "0.2", "0.5"):
        visitor.ask({**FIRST, "reuse": "never", "budget": {"epsilon": epsilon}})
    told = visitor.ask(CHEAP, user="ren").json
    assert (told["reused"], told["charge"]["amount"]) == (True, "0.5")


def test_of_own_answers_the_best_is_told_before_a_cheaper_one_of_others(visitor: Visitor) -> None:
    visitor.ask(CHEAP, user="ren")
    visitor.ask({**CHEAP, "reuse": "never"})
    best = visitor.ask({**FIRST, "reuse": "never"}).json
    told = visitor.ask(CHEAP).json
    assert (told["rows"], told["charge"]["amount"]) == (best["rows"], "0")


@pytest.mark.parametrize("others", [True, False], ids=["told again", "fresh"])
def test_equal_questions_asked_at_once_are_paid_for_once(visitor: Visitor, others: bool) -> None:
    if others:
        visitor.ask(CHEAP, user="ren")
    before, start = visitor.spent(), threading.Barrier(6)
    told: list[Any] = []

    def ask(key: str) -> None:
        start.wait()
        told.append(visitor.ask(CHEAP, user="aoi", key=key).json)

    threads = [threading.Thread(target=ask, args=(f"key-{place}",)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer["charge"]["amount"] for answer in told) == ["0"] * 5 + ["0.25"]
    assert len({json.dumps(answer["rows"]) for answer in told}) == 1
    assert visitor.spent() != before


def test_a_statistic_that_is_told_twice_is_paid_once(visitor: Visitor) -> None:
    twice = {**FIRST, "select": [{"as": "n", "agg": "count"}, {"as": "m", "agg": "count"}]}
    visitor.ask(twice)
    told = visitor.ask(twice, user="ren").json
    assert (told["charge"]["amount"], told["charge"]["split"]) == ("0.5", {"n": "0.5", "m": "0"})
    assert {row["n"] == row["m"] for row in told["rows"]} == {True}


@pytest.fixture
def confined(visitor: Visitor) -> Visitor:
    """The town with a register whose owner confines reuse to an organisation."""
    services = visitor.services
    others = residents_csv().replace("\np", "\nq")
    descriptor = derived(RESIDENTS, id="guarded", reuse="organisation")
    add(services.store, Path(services.settings.data_dir), descriptor, others)
    grant(services.store, [("guarded", "user", user, "3") for user in ("aoi", "mei", "ren")])
    return visitor


def test_confined_answers_are_told_again_within_the_organisation_alone(confined: Visitor) -> None:
    first = confined.ask(FIRST, dataset="guarded").json
    other = confined.ask(CHEAP, user="ren", dataset="guarded").json
    assert (other["reused"], other["charge"]["amount"]) == (False, "0.25")
    told = confined.ask(FIRST, user="mei", dataset="guarded").json
    assert (told["reused"], told["rows"], told["charge"]["amount"]) == (True, first["rows"], "1")
    grant(confined.services.store, [("guarded", "user", "noa", "3")])
    # The other organisation has its own, the cheaper one of its colleague.
    assert confined.ask(CHEAP, user="noa", dataset="guarded").json["rows"] == other["rows"]
    assert confined.ask(CHEAP, user="ren", dataset="guarded").json["charge"]["amount"] == "0"
    assert confined.spent()["guarded/dataset:guarded"] == "1.25"


@pytest.mark.parametrize("dataset", ["guarded", "residents"])
def test_no_refusal_tells_what_others_asked(confined: Visitor, dataset: str) -> None:
    """Whoever cannot pay is refused for the price asked, as if nobody had asked before."""
    grant(confined.services.store, [(dataset, "user", "noa", "0.5")])
    before = confined.ask(FIRST, user="noa", dataset=dataset).json
    confined.ask({**FIRST, "budget": {"epsilon": "2"}}, dataset=dataset)
    after = confined.ask(FIRST, user="noa", dataset=dataset).json
    assert before.pop("request_id") != after.pop("request_id")
    assert (after, after["code"]) == (before, "budget_exhausted")


def test_a_dataset_says_whose_answers_are_told_again(confined: Visitor) -> None:
    shown = [confined.get(f"/v1/datasets/{id}").json["reuse"] for id in ("guarded", "residents")]
    assert shown == ["organisation", "everyone"]


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
