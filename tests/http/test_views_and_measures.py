"""Views asked over HTTP, and budgets where amounts are ρ."""

from pathlib import Path
from typing import Any

import pytest
from small_town import COUNT, Visitor
from town import RESIDENTS_VISITS, TAXES, add, grant, join, taxes_csv

BY_DISTRICT = {**COUNT, "group_by": [{"column": "district"}, {"column": "how"}]}
TO_AOI = {"dataset": "taxes", "user": "aoi", "reason": "the contract"}


@pytest.fixture
def view(visitor: Visitor) -> Visitor:
    services = visitor.services
    join(services.store, Path(services.settings.data_dir), RESIDENTS_VISITS)
    return visitor


@pytest.fixture
def taxes(visitor: Visitor) -> Visitor:
    services = visitor.services
    add(services.store, Path(services.settings.data_dir), TAXES, taxes_csv())
    return visitor


def ask(view: Visitor, user: str = "aoi", **changes: Any) -> Any:
    return view.ask({**BY_DISTRICT, **changes}, user=user, dataset="residents-visits")


def test_a_question_to_a_view_is_charged_in_every_lineage(view: Visitor) -> None:
    answer = ask(view)
    assert answer.status_code == 200
    assert len(answer.json["rows"]) == 6
    assert view.spent() == {
        "residents/user:aoi": "0.5",
        "residents/organisation:shop": "0.5",
        "residents/dataset:residents": "0.5",
        "visits/user:aoi": "0.5",
        "visits/dataset:visits": "0.5",
    }
    assert [(line["lineage"], line["account"]) for line in answer.json["charge"]["accounts"]] == [
        ("residents", "user:aoi"),
        ("residents", "organisation:shop"),
        ("residents", "dataset:residents"),
        ("visits", "user:aoi"),
        ("visits", "dataset:visits"),
    ]
    assert view.ledger.verify() == []


def test_a_view_is_open_to_those_who_have_an_account_everywhere(view: Visitor) -> None:
    assert ask(view, "mei").status_code == 404
    assert view.get("/v1/datasets/residents-visits", user="mei").status_code == 404
    assert "residents-visits" not in view.get("/v1/datasets", user="mei").text
    assert "residents-visits" in view.get("/v1/datasets").text
    grant(view.services.store, [("visits", "user", "mei", "1")])
    assert ask(view, "mei").status_code == 200


def test_an_answer_from_a_view_is_told_again_for_the_askers_own_accounts(view: Visitor) -> None:
    ask(view)
    assert ask(view).json["reused"] is True
    assert view.spent()["visits/user:aoi"] == "0.5"
    grant(view.services.store, [("visits", "user", "mei", "1")])
    assert ask(view, "mei").json["reused"] is True
    spent = view.spent()
    assert (spent["visits/user:mei"], spent["residents/user:mei"]) == ("0.5", "0.5")
    assert (spent["visits/dataset:visits"], spent["residents/dataset:residents"]) == ("0.5", "0.5")
    assert view.ledger.verify() == []


def test_what_does_not_fit_in_one_lineage_is_refused_before_the_data_is_opened(view: Visitor) -> None:
    for _ in range(5):
        assert ask(view, budget={"epsilon": "1"}, reuse="never").status_code == 200
    before = view.spent()
    refused = ask(view, budget={"epsilon": "0.1"}, reuse="never")
    assert (refused.status_code, refused.json["code"]) == (403, "budget_exhausted")
    assert view.spent() == before


def test_quotes_and_rehearsals_of_a_view_are_free(view: Visitor) -> None:
    assert ask(view, mode="quote").json["fits"] is True
    assert ask(view, mode="dummy").status_code == 200
    assert view.spent() == {}


def test_budget_for_a_view_is_granted_on_its_sources(view: Visitor) -> None:
    wish = {**TO_AOI, "dataset": "residents-visits", "epsilon": "1"}
    refused = view.post("/v1/grants", wish)
    assert (refused.status_code, refused.json["errors"][0]["reason"]) == (422, "is_a_view")
    assert "residents, visits" in refused.json["errors"][0]["message"]
    assert {line["dataset"] for line in view.get("/v1/budgets").json["items"]} == {"residents", "visits"}


def test_budget_in_rho_is_granted_by_rho_and_told_as_epsilon_and_delta(taxes: Visitor) -> None:
    made = taxes.post("/v1/grants", {**TO_AOI, "rho": "0.5"})
    assert (made.status_code, made.json["rho"]) == (201, "0.5")
    assert "epsilon" not in made.json
    assert taxes.get("/v1/grants", user="hana").json["items"][0]["rho"] == "0.5"
    lines = [line for line in taxes.get("/v1/budgets").json["items"] if line["dataset"] == "taxes"]
    assert [(line["account"], line["measure"], line["granted"]) for line in lines] == [
        ("user:aoi", "zcdp", "0.5"),
        ("dataset:taxes", "zcdp", "10"),
    ]
    assert lines[0]["spent_as"] == {"epsilon": "0", "delta": "0.000000001"}


@pytest.mark.parametrize(
    ("dataset", "amounts", "reason", "pointer"),
    [
        ("taxes", {"epsilon": "1"}, "wrong_measure", "/epsilon"),
        ("residents", {"rho": "1"}, "wrong_measure", "/rho"),
        ("taxes", {"epsilon": "1", "rho": "1"}, "choose_one", ""),
        ("residents", {"epsilon": "1", "rho": "1"}, "choose_one", ""),
        ("residents", {}, "choose_one", ""),
        ("taxes", {}, "choose_one", ""),
    ],
)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_an_amount_in_the_wrong_measure_is_refused(
    taxes: Visitor, dataset: str, amounts: dict[str, str], reason: str, pointer: str, language: str
) -> None:
    wish = {**TO_AOI, "dataset": dataset, **amounts}
    refused = taxes.post("/v1/grants", wish, Accept_Language=language)
    assert (refused.status_code, refused.json["code"]) == (422, "invalid_query")
    (error,) = refused.json["errors"]
    assert (error["reason"], error["pointer"]) == (reason, pointer)
    assert "rho" in error["message"]


def test_the_schema_of_a_dataset_in_rho_names_its_measure(taxes: Visitor) -> None:
    taxes.post("/v1/grants", {**TO_AOI, "rho": "0.5"})
    told = taxes.get("/v1/datasets/taxes").json["privacy"]
    assert (told["measure"], told["delta"]) == ("zcdp", "0.000000001")
    assert "delta_cap" not in told
