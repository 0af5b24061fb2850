"""GET /v1/datasets and /v1/datasets/{id}: what may be asked, and nothing that is in the data."""

import pytest
from small_town import COUNT, Town, Visitor

from datasets.registration.lifecycle import retire


@pytest.mark.parametrize(
    ("user", "open_to_it"),
    [
        ("aoi", ["residents", "visits"]),
        ("mei", ["residents"]),
        ("noa", []),
        ("sora", []),
        ("hana", ["residents", "visits"]),
    ],
)
def test_everybody_sees_the_own_datasets_and_administrators_all(
    onlooker: Visitor, user: str, open_to_it: list[str]
) -> None:
    assert [item["id"] for item in onlooker.get("/v1/datasets", user=user).json["items"]] == open_to_it


def test_a_dataset_shows_its_terms_and_declared_domains(onlooker: Visitor) -> None:
    shown = onlooker.get("/v1/datasets/residents").json
    assert shown["title"] == {"ja": "住民", "en": "Residents"}
    assert shown["privacy"] == {
        "unit": "person",
        "max_rows_per_person": 1,
        "measure": "pure",
        "cap": "20",
        "max_per_query": "2",
    }
    columns = {column.pop("name"): column for column in shown["columns"]}
    assert columns["name"] == {"type": "text", "queryable": False}
    assert columns["district"]["values"] == ["chuo", "kita", "minami"]
    assert columns["score"] | {"unit": None} == {
        "type": "decimal",
        "min": 0.0,
        "max": 10.0,
        "step": "0.1",
        "unit": None,
        "missing": True,
        "queryable": True,
    }
    assert columns["moved_in"]["max"] == "2026-12-31"
    assert "person" not in columns


def test_a_dataset_says_how_many_answers_the_budget_still_buys(visitor: Visitor) -> None:
    def left() -> dict[int, int]:
        shown = visitor.get("/v1/datasets/residents").json
        return {line["within"]: line["answers"] for line in shown["answers_left"]}

    before = left()
    visitor.ask({**COUNT, "budget": {"epsilon": "2"}})
    after = left()
    assert before[10] > after[10] > 0
    assert after[500] > after[100] > after[50] > after[10]


def test_the_limits_of_a_request_are_shown(onlooker: Visitor) -> None:
    limits = onlooker.get("/v1/datasets/residents").json["limits"]
    assert limits == {
        "cells": 100_000,
        "statistics": 20,
        "keys": 8,
        "filter_terms": 1_000,
        "body_bytes": 1 << 20,
    }


def test_the_same_404_for_not_yours_and_does_not_exist(onlooker: Visitor) -> None:
    refused = [
        onlooker.get(f"/v1/datasets/{name}", user="mei") for name in ("visits", "nothing", "%00", "VISITS")
    ]
    assert {answer.status_code for answer in refused} == {404}
    assert len({answer.data.replace(answer.json["request_id"].encode(), b"") for answer in refused}) == 1


def test_an_administrator_sees_any_dataset_but_not_one_that_is_not_there(onlooker: Visitor) -> None:
    assert onlooker.get("/v1/datasets/visits", user="hana").status_code == 200
    assert onlooker.get("/v1/datasets/nothing", user="hana").status_code == 404


def test_a_retired_dataset_is_still_shown_as_retired(visitor: Visitor) -> None:
    retire(visitor.services.store, "residents", by="tester")
    assert visitor.get("/v1/datasets/residents").json["retired"] is True


def test_the_schema_is_shown_without_the_data(town: Town) -> None:
    before = town.open().get("/v1/datasets/residents").json
    for file in town.settings.data_dir.glob("residents/v1-*/*.duckdb"):
        file.unlink()
    assert town.open().get("/v1/datasets/residents").json == before


@pytest.mark.parametrize(
    "path", ["/v1/datasets?x=1", "/v1/datasets/residents?version=1", "/v1/budgets?user=ren"]
)
def test_unknown_parameters_are_refused(onlooker: Visitor, path: str) -> None:
    refused = onlooker.get(path)
    assert (refused.status_code, refused.json["code"]) == (422, "invalid_query")
