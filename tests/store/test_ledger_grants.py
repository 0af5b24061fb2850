"""Who may raise a limit, and what stays visible of it."""

import json

import pytest
from settlements import AOI, CAP, LINEAGE, ONE, SHOP
from sqlalchemy.exc import IntegrityError

from datasets.database.store import Store
from datasets.ledger.accounts import Account
from datasets.ledger.errors import (
    GrantDecided,
    NoAccount,
    NobodyNamed,
    NoReason,
    NoSuchGrant,
    NoSuchHolder,
    SamePerson,
)
from datasets.ledger.grants import Grant
from datasets.ledger.service import Ledger
from privacy.budget import InvalidAmount, Price


def wish(ledger: Ledger, account: Account = CAP, **changes: str) -> Grant:
    words = {"reason": "a census year", "requested_by": "mayor"} | changes
    return ledger.grant(lineage=LINEAGE, account=account, amount=ONE, **words)  # type: ignore[arg-type]


def granted(ledger: Ledger, account: Account) -> str:
    return next(str(state.granted) for state in ledger.all_accounts() if state.account == account)


def kinds(ledger: Ledger) -> list[str]:
    return [entry.kind for entry in ledger.journal(lineage=LINEAGE)]


def test_opening_again_never_resets_an_account(ledger: Ledger) -> None:
    state = ledger.open(lineage=LINEAGE, cap=Price.parse("99"), actor="somebody else")
    assert state.granted == Price.parse("10")
    assert kinds(ledger).count("open") == 1


def test_more_for_a_user_is_effective_at_once_and_adds_up(ledger: Ledger) -> None:
    assert wish(ledger, AOI).state == "effective"
    assert granted(ledger, AOI) == "3"


def test_journal_tells_who_granted_what_and_why(ledger: Ledger) -> None:
    grant = wish(ledger, SHOP)
    body = json.loads(ledger.journal(lineage=LINEAGE)[-1].body)
    assert (body["kind"], body["grant"], body["amount"]) == ("grant", grant.id, "1")
    assert (body["reason"], body["requested_by"], body["decided_by"]) == ("a census year", "mayor", None)
    assert body["account"] == {"kind": "organisation", "holder": "shop"}


def test_more_of_a_lifetime_cap_waits_for_a_second_person(ledger: Ledger) -> None:
    grant = wish(ledger)
    assert (grant.state, granted(ledger, CAP)) == ("pending", "10")
    assert [one.id for one in ledger.grants() if one.state == "pending"] == [grant.id]
    approved = ledger.approve(grant_id=grant.id, decided_by="auditor")
    assert (approved.state, granted(ledger, CAP)) == ("effective", "11")
    assert kinds(ledger)[-2:] == ["grant_requested", "grant"]
    assert all(one.state != "pending" for one in ledger.grants())


@pytest.mark.parametrize("same", ["mayor", " Mayor "])
def test_the_same_person_can_not_approve(ledger: Ledger, same: str) -> None:
    grant = wish(ledger)
    with pytest.raises(SamePerson):
        ledger.approve(grant_id=grant.id, decided_by=same)
    with pytest.raises(SamePerson):
        wish(ledger, approved_by=same)
    assert granted(ledger, CAP) == "10"


def test_two_people_at_once_may_raise_a_cap(ledger: Ledger) -> None:
    assert wish(ledger, approved_by="auditor").state == "effective"
    assert granted(ledger, CAP) == "11"


def test_a_declined_grant_changes_nothing_and_stays_declined(ledger: Ledger) -> None:
    grant = wish(ledger)
    ledger.decline(grant_id=grant.id, decided_by="mayor")
    with pytest.raises(GrantDecided) as refused:
        ledger.approve(grant_id=grant.id, decided_by="auditor")
    assert refused.value.state == "declined"
    assert granted(ledger, CAP) == "10"
    assert kinds(ledger)[-1] == "grant_declined"


def test_a_grant_is_approved_once(ledger: Ledger) -> None:
    grant = wish(ledger)
    ledger.approve(grant_id=grant.id, decided_by="auditor")
    with pytest.raises(GrantDecided):
        ledger.approve(grant_id=grant.id, decided_by="auditor")
    assert granted(ledger, CAP) == "11"


def test_unknown_grants_are_not_decided(ledger: Ledger) -> None:
    with pytest.raises(NoSuchGrant):
        ledger.approve(grant_id="g_0", decided_by="auditor")


@pytest.mark.parametrize("reason", ["", " \n", "x" * 1001])
def test_a_grant_has_a_reason_of_a_readable_length(ledger: Ledger, reason: str) -> None:
    with pytest.raises(NoReason):
        wish(ledger, AOI, reason=reason)


def test_a_grant_names_a_person(ledger: Ledger) -> None:
    with pytest.raises(NobodyNamed):
        wish(ledger, AOI, requested_by=" ")


@pytest.mark.parametrize(
    "nobody",
    [
        Account(kind="user", holder="eve"),
        Account(kind="organisation", holder="aoi"),
        Account(kind="dataset", holder="other"),
    ],
)
def test_a_grant_is_for_somebody_known(ledger: Ledger, nobody: Account) -> None:
    with pytest.raises(NoSuchHolder):
        wish(ledger, nobody)


def test_a_grant_needs_a_dataset_that_has_its_cap(ledger: Ledger) -> None:
    with pytest.raises(NoAccount):
        ledger.grant(lineage="unopened", account=AOI, amount=ONE, reason="a contract", requested_by="mayor")


def test_amounts_stay_within_their_limits(ledger: Ledger) -> None:
    for amount in (Price(0), Price.parse("999999")):
        with pytest.raises(InvalidAmount):
            ledger.grant(
                lineage=LINEAGE, account=AOI, amount=amount, reason="a contract", requested_by="mayor"
            )
    assert granted(ledger, AOI) == "2"


def test_the_database_itself_wants_a_second_person(store: Store, ledger: Ledger) -> None:
    grant = wish(ledger)
    for person in ("NULL", "'mayor'"):
        with pytest.raises(IntegrityError), store.writing() as tx:
            tx.exec_driver_sql(
                f"UPDATE grants SET state = 'effective', decided_by = {person} WHERE id = '{grant.id}'"
            )


def test_grants_turn_their_pages_newest_first(ledger: Ledger) -> None:
    first, second = wish(ledger, AOI), wish(ledger, SHOP)
    newest = ledger.grants(limit=2)
    assert {grant.id for grant in newest} == {first.id, second.id}
    assert len(ledger.grants(after=newest[-1].id)) == 3
