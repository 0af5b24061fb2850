"""GET /v1/budgets, POST and GET /v1/grants, the second person's decision, and GET /v1/journal."""

from typing import Any

import pytest
from small_town import COUNT, Visitor

TO_AOI = {"dataset": "residents", "user": "aoi", "epsilon": "1.5", "reason": "the contract was extended"}
TO_SHOP = {"dataset": "residents", "organisation": "shop", "epsilon": "1", "reason": "the same"}
LESS = {**TO_AOI, "change": "lower", "reason": "the contract ended"}
CAP = {"dataset": "residents", "dataset_cap": True, "epsilon": "5", "reason": "the council decided"}


def pending(visitor: Visitor, user: str = "hana") -> str:
    """The path of the decision on a new wish for a higher cap."""
    return f"/v1/grants/{visitor.post('/v1/grants', CAP, user).json['id']}/decision"


def test_budgets_are_the_own_accounts_and_those_above_them(visitor: Visitor) -> None:
    visitor.ask()
    visitor.ask(user="mei", body={**COUNT, "reuse": "never"})
    lines = visitor.get("/v1/budgets").json["items"]
    assert [(line["account"], line["granted"], line["spent"], line["remaining"]) for line in lines] == [
        ("user:aoi", "5", "0.5", "4.5"),
        ("organisation:shop", "8", "1", "7"),
        ("dataset:residents", "20", "1", "19"),
        ("user:aoi", "5", "0", "5"),
        ("dataset:visits", "10", "0", "10"),
    ]


@pytest.mark.parametrize("user", ["noa", "sora", "hana"])
def test_who_has_no_account_sees_none(onlooker: Visitor, user: str) -> None:
    assert onlooker.get("/v1/budgets", user=user).json == {"items": []}


@pytest.mark.parametrize(
    ("wish", "account", "after"), [(TO_AOI, "user:aoi", "6.5"), (TO_SHOP, "organisation:shop", "9")]
)
def test_a_grant_to_a_user_or_an_organisation_works_at_once(
    visitor: Visitor, wish: dict[str, Any], account: str, after: str
) -> None:
    made = visitor.post("/v1/grants", wish)
    assert made.status_code == 201
    assert {"state": "effective", "account": account, "requested_by": "hana"}.items() <= made.json.items()
    assert visitor.granted(account) == after


def test_a_first_grant_opens_the_dataset_to_a_user(visitor: Visitor) -> None:
    assert visitor.ask(user="noa").status_code == 404
    visitor.post("/v1/grants", {**TO_AOI, "user": "noa"})
    assert visitor.ask(user="noa").status_code == 200


def test_a_higher_cap_takes_two_people(visitor: Visitor) -> None:
    made = visitor.post("/v1/grants", CAP)
    assert (made.status_code, made.json["state"], made.json["decided_by"]) == (201, "pending", None)
    assert visitor.granted("dataset:residents") == "20"
    path = f"/v1/grants/{made.json['id']}/decision"
    refused = visitor.post(path, {"decision": "approve"}, "hana")
    assert (refused.status_code, refused.json["errors"][0]["reason"]) == (422, "same_person")
    assert visitor.granted("dataset:residents") == "20"
    approved = visitor.post(path, {"decision": "approve"}, "kenji")
    assert (approved.status_code, approved.json["state"], approved.json["decided_by"]) == (
        200,
        "effective",
        "kenji",
    )
    assert visitor.granted("dataset:residents") == "25"
    assert visitor.ledger.verify() == []


def test_a_decision_is_made_once(visitor: Visitor) -> None:
    path = pending(visitor)
    visitor.post(path, {"decision": "approve"}, "kenji")
    again = visitor.post(path, {"decision": "approve"}, "kenji")
    assert (again.status_code, again.json["code"]) == (409, "conflict")
    assert visitor.granted("dataset:residents") == "25"


def test_a_declined_wish_changes_nothing_and_who_asked_may_take_it_back(visitor: Visitor) -> None:
    declined = visitor.post(pending(visitor), {"decision": "decline"}, "hana")
    assert (declined.status_code, declined.json["state"]) == (200, "declined")
    assert visitor.granted("dataset:residents") == "20"


def test_a_wish_is_returned_with_what_is_missing(visitor: Visitor) -> None:
    path = pending(visitor)
    for missing in ({}, {"reason": " "}, {"reason": "\x1b[2J"}, {"reason": "ok\u2028a"}):
        refused = visitor.post(path, {"decision": "return", **missing}, "kenji")
        assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/reason")
    by_who_asked = visitor.post(path, {"decision": "return", "reason": "unclear"}, "hana")
    assert by_who_asked.json["errors"][0]["reason"] == "same_person"
    returned = visitor.post(path, {"decision": "return", "reason": "which decision?"}, "kenji")
    assert (returned.status_code, returned.json["state"]) == (200, "returned")
    assert (returned.json["decision_reason"], returned.json["decided_by"]) == ("which decision?", "kenji")
    assert visitor.post(path, {"decision": "approve"}, "kenji").json["code"] == "conflict"
    assert visitor.granted("dataset:residents") == "20"
    (line, *_) = visitor.get("/v1/grants", user="hana").json["items"]
    assert line == returned.json


def test_lowering_takes_effect_at_once_and_by_one_person(visitor: Visitor) -> None:
    made = visitor.post("/v1/grants", LESS)
    assert made.status_code == 201
    assert {"change": "lower", "state": "effective", "decided_by": None}.items() <= made.json.items()
    assert visitor.granted("user:aoi") == "3.5"
    assert visitor.post("/v1/grants", {**CAP, "change": "lower"}).json["state"] == "effective"
    assert visitor.granted("dataset:residents") == "15"
    assert visitor.ledger.verify() == []


def test_what_was_spent_is_not_taken_back(visitor: Visitor) -> None:
    visitor.ask()
    refused = visitor.post("/v1/grants", {**LESS, "epsilon": "4.6"})
    (error,) = refused.json["errors"]
    assert (refused.status_code, error["pointer"], error["reason"]) == (422, "/epsilon", "more_than_unspent")
    assert "4.5 is unspent" in error["message"]
    assert visitor.granted("user:aoi") == "5"


def test_an_organisation_without_a_limit_is_hidden_and_not_lowered(visitor: Visitor) -> None:
    shop = {"dataset": "visits", "organisation": "shop", "epsilon": "1", "reason": "less"}
    refused = visitor.post("/v1/grants", {**shop, "change": "lower"})
    (error,) = refused.json["errors"]
    assert (refused.status_code, error["pointer"], error["reason"]) == (422, "/organisation", "not_limited")
    accounts = [(line["dataset"], line["account"]) for line in visitor.get("/v1/budgets").json["items"]]
    assert ("visits", "organisation:shop") not in accounts
    visitor.post("/v1/grants", shop)
    accounts = [(line["dataset"], line["account"]) for line in visitor.get("/v1/budgets").json["items"]]
    assert ("visits", "organisation:shop") in accounts


def test_more_than_the_cap_has_left_is_granted_with_a_notice(visitor: Visitor) -> None:
    made = visitor.post("/v1/grants", {**TO_AOI, "epsilon": "16"}).json
    (notice,) = made["notices"]
    assert (notice["code"], notice["account"], notice["remaining"]) == (
        "above_cap",
        "dataset:residents",
        "20",
    )
    assert "notices" not in visitor.post("/v1/grants", LESS).json


def test_a_cap_past_the_limit_of_amounts_is_refused_to_whoever_approves_it(visitor: Visitor) -> None:
    id = visitor.post("/v1/grants", {**CAP, "epsilon": "999999"}).json["id"]
    refused = visitor.post(f"/v1/grants/{id}/decision", {"decision": "approve"}, "kenji")
    (error,) = refused.json["errors"]
    assert (refused.status_code, error["pointer"]) == (422, "/decision")
    assert error["reason"] == "above_lifetime_limit"


@pytest.mark.parametrize("id", ["g_nothing", "%00", "x" * 2_000])
def test_there_is_nothing_to_decide_on_a_grant_that_is_not_there(onlooker: Visitor, id: str) -> None:
    assert onlooker.post(f"/v1/grants/{id}/decision", {"decision": "approve"}).status_code == 404


@pytest.mark.parametrize(
    ("change", "pointer", "reason"),
    [
        ({"reason": None}, "/reason", "null"),
        ({"reason": ""}, "/reason", "blank"),
        ({"reason": " \n\t"}, "/reason", "blank"),
        ({"reason": "x" * 1_001}, "/reason", "wrong_length"),
        ({"reason": "a\0b"}, "/reason", "not_text"),
        ({"reason": "\x1b[2J"}, "/reason", "not_one_line"),
        ({"reason": "ok\n"}, "/reason", "not_one_line"),
        ({"reason": "a\u202eb"}, "/reason", "not_one_line"),
        ({"user": "nobody"}, "/user", "unknown_holder"),
        ({"user": "a\0"}, "/user", "not_text"),
        ({"dataset": "nothing"}, "/dataset", "unknown_dataset"),
        ({"organisation": "shop"}, "", "choose_one"),
        ({"user": ""}, "", "choose_one"),
        ({"dataset_cap": 1}, "/dataset_cap", "not_a_boolean"),
        ({"epsilon": "0"}, "/epsilon", "not_an_amount"),
        ({"epsilon": "-1"}, "/epsilon", "not_an_amount"),
        ({"epsilon": "999999"}, "/epsilon", "above_lifetime_limit"),
        ({"approved_by": "kenji"}, "/approved_by", "unknown_field"),
        ({"dataset_cap": False}, "", "choose_one"),
        ({"user": "noa", "change": "lower"}, "/user", "nothing_granted"),
        ({"change": "less"}, "/change", "not_one_of"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_grant_that_does_not_fit_is_refused_where_it_breaks(
    visitor: Visitor, change: dict[str, Any], pointer: str, reason: str
) -> None:
    refused = visitor.post("/v1/grants", {**TO_AOI, **change})
    assert refused.status_code == 422
    assert (pointer, reason) in [(error["pointer"], error["reason"]) for error in refused.json["errors"]]
    assert visitor.granted("user:aoi") == "5"


def test_a_reason_is_required(onlooker: Visitor) -> None:
    wish = {name: value for name, value in TO_AOI.items() if name != "reason"}
    assert onlooker.post("/v1/grants", wish).json["errors"][0]["pointer"] == "/reason"


@pytest.mark.parametrize("user", ["aoi", "sora"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/grants"),
        ("GET", "/v1/grants"),
        ("POST", "/v1/grants/g_1/decision"),
        ("GET", "/v1/journal"),
        ("GET", "/metrics"),
    ],
)
def test_only_administrators_come_here(onlooker: Visitor, user: str, method: str, path: str) -> None:
    sent = {**onlooker.key_of(user), "Content-Type": "application/json"}
    refused = onlooker.client.open(path, method=method, headers=sent, data="{}")
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert "administrator" in refused.json["detail"]


def test_grants_are_listed_newest_first_and_page_by_page(visitor: Visitor) -> None:
    made = [visitor.post("/v1/grants", wish).json["id"] for wish in (TO_AOI, TO_SHOP, CAP)]
    first = visitor.get("/v1/grants?limit=2", user="hana").json
    rest = visitor.get(f"/v1/grants?limit=200&after={first['next']}", user="hana").json
    ids = [line["id"] for line in first["items"] + rest["items"]]
    assert sorted(ids[:3]) == sorted(made)
    assert len(ids) == len(set(ids)) == 8
    assert rest["next"] is None


def test_the_journal_shows_every_charge_and_grant_with_its_people_and_reason(visitor: Visitor) -> None:
    visitor.post("/v1/grants", TO_AOI)
    visitor.ask()
    entries = [line["entry"] for line in visitor.get("/v1/journal", user="kenji").json["items"]]
    grant = next(entry for entry in entries if entry.get("requested_by") == "hana")
    charge = next(entry for entry in entries if entry["kind"] == "charge")
    assert (grant["reason"], grant["amount"]) == ("the contract was extended", "1.5")
    assert charge["user"] == "aoi"
    assert charge["charged"] == {"user": "0.5", "organisation": "0.5", "dataset": "0.5"}


def test_the_journal_turns_its_pages_in_order(visitor: Visitor) -> None:
    whole = visitor.get("/v1/journal?limit=200", user="hana").json["items"]
    after, seen = "", []
    while after is not None:
        page = visitor.get(f"/v1/journal?limit=2{after and '&after=' + after}", user="hana").json
        seen += page["items"]
        after = page["next"]
    assert seen == whole


@pytest.mark.parametrize(
    "after", ["residents", "residents:", "residents:-1", ":x", "residents:１", "a:" + "9" * 30]
)
def test_a_page_of_the_journal_after_no_place_is_refused(onlooker: Visitor, after: str) -> None:
    refused = onlooker.get(f"/v1/journal?after={after}", user="hana")
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/after")


def test_the_longest_place_in_a_journal_is_a_place(onlooker: Visitor) -> None:
    assert onlooker.get(f"/v1/journal?after={'a' * 63}:{'9' * 18}", user="hana").status_code == 200


def test_the_heads_of_the_journal_form_the_chain(visitor: Visitor) -> None:
    visitor.ask()
    for line in visitor.get("/v1/journal", user="hana").json["items"]:
        assert len(line["head"]) == 64
    assert visitor.ledger.verify() == []
