"""One cap per resident over all registers: asked, refused, granted and shown over HTTP."""

from pathlib import Path
from typing import Any

import pytest
from small_town import COUNT, Town, Visitor
from town import RESIDENTS_VISITS, TAXES, add, grant, join, taxes_csv

from datasets.ledger.accounts import join_population, population_key

FRESH = {**COUNT, "reuse": "never"}
CAP = {"population": "city", "epsilon": "1.2", "reason": "the council decided"}


@pytest.fixture
def city(visitor: Visitor) -> Visitor:
    """The town whose residents and visits are registers of one population, and the view of both."""
    return populated(visitor)


@pytest.fixture(scope="module")
def asked_city(template: Town, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    """The same, where something was asked already; for requests that change nothing."""
    city = populated(template.copy(tmp_path_factory.mktemp("city") / "town").open())
    city.ask(FRESH)
    return city


def populated(visitor: Visitor) -> Visitor:
    services = visitor.services
    join(services.store, Path(services.settings.data_dir), RESIDENTS_VISITS)
    with services.store.writing() as tx:
        for lineage in ("residents", "visits"):
            join_population(tx, lineage=lineage, name="city", actor="tester")
    return visitor


def lost(city: Visitor) -> str:
    """What a resident has lost over all registers."""
    (state,) = city.ledger.states([population_key("city")])
    return str(state.spent)


def set_cap(city: Visitor, **changes: Any) -> Any:
    """The decision of the second person on a cap that the first one asked for."""
    id = city.post("/v1/grants", {**CAP, **changes}).json["id"]
    return city.post(f"/v1/grants/{id}/decision", {"decision": "approve"}, "kenji").json


def test_every_register_costs_the_population_and_a_view_of_several_once(city: Visitor) -> None:
    city.ask(FRESH)
    city.ask(FRESH, dataset="visits")
    assert lost(city) == "1"
    city.ask(FRESH, dataset="residents-visits")
    assert lost(city) == "1.5"
    assert city.spent()["residents/dataset:residents"] == city.spent()["visits/dataset:visits"] == "1"
    assert city.ledger.verify() == []


def test_an_answer_told_again_costs_the_population_nothing(city: Visitor) -> None:
    for user in ("aoi", "aoi", "mei", "ren"):
        assert city.ask(COUNT, user=user).status_code == 200
    assert lost(city) == "0.5"


def test_a_cap_shows_among_the_accounts_and_ends_what_all_registers_answer(city: Visitor) -> None:
    accounts = ["user:aoi", "organisation:shop", "dataset:residents"]
    before = city.ask(FRESH).json["charge"]["accounts"]
    # Without a cap it limits nobody, so callers do not see it.
    assert [line["account"] for line in before] == accounts
    set_cap(city)
    after = city.ask(FRESH).json["charge"]["accounts"]
    assert after[0] == {"account": "population:city", "charged": "0.5", "remaining": "0.2"}
    assert [line["account"] for line in after[1:]] == accounts
    for dataset in ("residents", "visits", "residents-visits"):
        quote = city.ask({**FRESH, "mode": "quote"}, dataset=dataset).json
        assert {"account": "population:city", "remaining": "0.2"} in quote["accounts"]
        assert quote["fits"] is False
        refused = city.ask(FRESH, dataset=dataset)
        assert (refused.status_code, refused.json["code"]) == (403, "budget_exhausted")
        assert all(part in refused.json["detail"] for part in ("population:city", "0.2"))
    assert "population:city" in city.ask(FRESH, Accept_Language="ja").json["detail"]
    assert city.ask({**FRESH, "budget": {"epsilon": "0.2"}}, dataset="visits").status_code == 200
    assert city.ledger.verify() == []


def test_the_own_budgets_list_the_population_with_own_datasets_alone(city: Visitor) -> None:
    city.ask(FRESH, dataset="visits")
    set_cap(city)
    lines = [line for line in city.get("/v1/budgets").json["items"] if line["account"] == "population:city"]
    assert [(line["dataset"], line["granted"], line["spent"], line["remaining"]) for line in lines] == [
        ("residents", "1.2", "0.5", "0.7"),
        ("visits", "1.2", "0.5", "0.7"),
    ]
    # Mei has no account on the visits, of which she hears nothing but what they cost everybody.
    answer = city.get("/v1/budgets", user="mei")
    lines = [line for line in answer.json["items"] if line["account"] == "population:city"]
    assert [(line["dataset"], line["spent"]) for line in lines] == [("residents", "0.5")]
    assert "visits" not in answer.text
    assert city.get("/v1/budgets", user="noa").json == {"items": []}


def test_a_dataset_names_its_populations_and_its_accounts(city: Visitor) -> None:
    before = {id: city.get(f"/v1/datasets/{id}").json for id in ("residents", "residents-visits")}
    set_cap(city)
    for id, earlier in before.items():
        shown = city.get(f"/v1/datasets/{id}").json
        assert shown["populations"] == earlier["populations"] == ["city"]
        assert {"account": "population:city", "remaining": "1.2"} in shown["accounts"]
        # Of an account of 1.2 fewer can be bought than of one of 5.
        assert shown["answers_left"][1]["answers"] < earlier["answers_left"][1]["answers"]


def test_the_first_cap_takes_two_people_and_is_the_total_of_a_lifetime(city: Visitor) -> None:
    city.ask(FRESH)
    made = city.post("/v1/grants", CAP)
    assert made.status_code == 201
    assert {
        "population": "city",
        "account": "population:city",
        "state": "pending",
    }.items() <= made.json.items()
    assert "dataset" not in made.json
    (notice,) = made.json["notices"]
    assert (notice["code"], notice["total"], notice["spent"]) == ("lifetime_total", "1.2", "0.5")
    path = f"/v1/grants/{made.json['id']}/decision"
    refused = city.post(path, {"decision": "approve"}, "hana")
    assert (refused.status_code, refused.json["errors"][0]["reason"]) == (422, "same_person")
    approved = city.post(path, {"decision": "approve"}, "kenji").json
    assert (approved["state"], approved["notices"]) == ("effective", made.json["notices"])
    more = set_cap(city, epsilon="0.3")
    assert [(line["total"], line["spent"], line["remaining"]) for line in more["notices"]] == [
        ("1.5", "0.5", "1")
    ]
    less = city.post("/v1/grants", {**CAP, "change": "lower", "epsilon": "0.5"}).json
    assert (less["state"], less["notices"][0]["total"]) == ("effective", "1")
    listed = city.get("/v1/grants", user="hana").json["items"][:3]
    assert [(line["population"], line["change"]) for line in listed] == [
        ("city", "lower"),
        ("city", "raise"),
        ("city", "raise"),
    ]
    assert city.ledger.verify() == []


@pytest.mark.parametrize(
    ("change", "pointer", "reason"),
    [
        ({"population": "nowhere"}, "/population", "unknown_population"),
        ({"population": "population:city"}, "/population", "unknown_population"),
        ({"population": "residents"}, "/population", "unknown_population"),
        ({"population": ""}, "", "choose_one"),
        ({"dataset": "residents"}, "/dataset", "population_stands_alone"),
        ({"user": "aoi"}, "", "choose_one"),
        ({"user": "aoi", "population": None}, "/population", "null"),
        ({"epsilon": None, "rho": "1"}, "/epsilon", "null"),
        ({"epsilon": "0.4"}, "/epsilon", "total_below_spent"),
        ({"epsilon": "0.4", "change": "lower"}, "/population", "not_limited"),
    ],
    ids=str,
)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_grant_to_a_population_that_does_not_fit_is_refused_where_it_breaks(
    asked_city: Visitor, change: dict[str, Any], pointer: str, reason: str, language: str
) -> None:
    refused = asked_city.post("/v1/grants", {**CAP, **change}, Accept_Language=language)
    assert refused.status_code == 422
    assert (pointer, reason) in [(error["pointer"], error["reason"]) for error in refused.json["errors"]]


@pytest.mark.parametrize("account", [{"user": "aoi"}, {"organisation": "shop"}, {"dataset_cap": True}])
def test_every_other_account_is_one_on_a_dataset(onlooker: Visitor, account: dict[str, Any]) -> None:
    refused = onlooker.post("/v1/grants", {**account, "epsilon": "1", "reason": "a contract"})
    (error,) = refused.json["errors"]
    assert (refused.status_code, error["pointer"], error["reason"]) == (422, "/dataset", "required")


def test_a_cap_that_was_passed_before_it_was_approved_is_refused_to_the_second_person(city: Visitor) -> None:
    id = city.post("/v1/grants", {**CAP, "epsilon": "0.4"}).json["id"]
    city.ask(FRESH)
    refused = city.post(f"/v1/grants/{id}/decision", {"decision": "approve"}, "kenji")
    (error,) = refused.json["errors"]
    assert (refused.status_code, error["pointer"], error["reason"]) == (422, "/decision", "total_below_spent")
    assert city.ledger.verify() == []


def test_a_grant_below_the_cap_of_a_population_that_has_less_left_says_so(city: Visitor) -> None:
    set_cap(city)
    wish = {"dataset": "residents", "user": "noa", "epsilon": "2", "reason": "a contract"}
    (notice,) = city.post("/v1/grants", wish).json["notices"]
    assert (notice["code"], notice["account"], notice["remaining"]) == ("above_cap", "population:city", "1.2")


def test_a_population_of_registers_in_rho_is_counted_in_rho(visitor: Visitor) -> None:
    services = visitor.services
    add(services.store, Path(services.settings.data_dir), TAXES, taxes_csv())
    with services.store.writing() as tx:
        join_population(tx, lineage="taxes", name="payers", actor="tester")
    wish = {"population": "payers", "reason": "the council decided"}
    refused = visitor.post("/v1/grants", {**wish, "epsilon": "1"})
    assert [error["reason"] for error in refused.json["errors"]] == ["wrong_measure"]
    made = visitor.post("/v1/grants", {**wish, "rho": "0.2"}).json
    visitor.post(f"/v1/grants/{made['id']}/decision", {"decision": "approve"}, "kenji")
    grant(services.store, [("taxes", "user", "aoi", "1")])
    visitor.ask({**FRESH, "budget": {"rho": "0.1"}}, dataset="taxes")
    lines = [
        line for line in visitor.get("/v1/budgets").json["items"] if line["account"] == "population:payers"
    ]
    assert [(line["dataset"], line["measure"], line["spent"]) for line in lines] == [("taxes", "zcdp", "0.1")]
    assert lines[0]["spent_as"]["delta"] == "0.000000001"
