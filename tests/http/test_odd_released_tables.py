"""Odd questions about released tables: refused or answered, in every form, and never a fault of the server."""

from typing import Any

import pytest
from small_town import Town, Visitor
from town import JOBS

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BASE: dict[str, Any] = {
    "select": [{"as": "n", "agg": "count"}],
    "group_by": [{"column": "district"}],
    "budget": {"epsilon": "0.01"},
}


def test_derived_columns_are_told_as_a_spreadsheet(visitor: Visitor) -> None:
    visitor.app.testing = False
    answer = visitor.ask({**BASE, "derive": [{"as": "half", "of": ["n", "/", 2]}]}, Accept=XLSX)
    assert answer.status_code == 200


@pytest.mark.parametrize("operand", ["1" * 5000, "9" * 100_000, "0." + "1" * 5000])
def test_an_operand_of_endless_digits_is_refused(visitor: Visitor, operand: str) -> None:
    visitor.app.testing = False
    answer = visitor.ask({**BASE, "derive": [{"as": "d", "of": ["n", "/", operand]}]})
    assert answer.status_code == 422
    assert visitor.spent() == {}


@pytest.mark.parametrize("word", ["1/0", "1e4000000"])
def test_a_word_that_looks_like_a_number_is_no_number_where_nothing_is_released(
    town: Town, word: str
) -> None:
    town.register(JOBS, "person,employer,hours\np1,a,1\n", [("jobs", "user", "aoi", "5")])
    jobs = town.open()
    jobs.app.testing = False
    asked = {
        "select": [{"as": "n", "agg": "count_persons"}],
        "group_by": [{"column": "employer"}],
        "budget": {"rho": "0.5"},
        "having": {"column": "employer", "op": "=", "value": word},
    }
    answer = jobs.ask(asked, dataset="jobs")
    assert (answer.status_code, answer.json["rows"]) == (200, [])


@pytest.mark.parametrize(
    "key",
    [
        {"column": "district", "groups": {"ends": ["chuo", "minami"], "middle": ["kita"]}},
        {"column": "age", "groups": {"some": [1, 5, 9], "one": [3]}},
    ],
)
def test_groups_of_several_intervals_have_labels(visitor: Visitor, key: dict[str, Any]) -> None:
    visitor.app.testing = False
    answer = visitor.post(
        "/v1/datasets/residents/queries?labels=ja",
        {**BASE, "group_by": [key]},
        "aoi",
        Idempotency_Key="labels",
    )
    assert answer.status_code == 200
    assert [row[f"{key['column']}_label"] for row in answer.json["rows"]] == list(key["groups"])
