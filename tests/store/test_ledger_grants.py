"""Who may raise a limit, and what stays visible of it."""

import json

import pytest
from ledger_town import settle_in, settle_in_without_budgets
from settlements import AOI, CAP, LINEAGE, ONE, SHOP, asked
from sqlalchemy.exc import IntegrityError

from datasets.database.store import Store
from datasets.ledger.accounts import Account, AccountState, open_population
from datasets.ledger.errors import (
    AboveUnspent,
    GrantDecided,
    NoAccount,
    NobodyNamed,
    NoReason,
    NoSuchGrant,
    NoSuchHolder,
    NotLimited,
    SamePerson,
)
from datasets.ledger.grants import Grant
from datasets.ledger.service import Ledger
from privacy.budget import InvalidAmount, Price


@pytest.fixture
def empty(store: Store) -> Ledger:
    return settle_in_without_budgets(store)


def wish(ledger: Ledger, account: Account = CAP, **changes: str) -> Grant:
    words = {"reason": "a census year", "requested_by": "mayor"} | changes
    return ledger.grant(lineage=LINEAGE, account=account, amount=ONE, **words)  # type: ignore[arg-type]


def lower(ledger: Ledger, account: Account = CAP, amount: str = "1", lineage: str = LINEAGE) -> Grant:
    return ledger.lower(
        lineage=lineage,
        account=account,
        amount=Price.parse(amount),
        reason="the contract ended",
        requested_by="mayor",
    )


def state(ledger: Ledger, account: Account) -> AccountState:
    return next(state for state in ledger.all_accounts() if state.account == account)


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


@pytest.mark.parametrize("same", ["mayor", " Mayor ", "ｍａｙｏｒ"])
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


@pytest.mark.parametrize(("account", "left"), [(AOI, "1"), (SHOP, "2"), (CAP, "9")])
def test_one_person_lowers_any_account_at_once(ledger: Ledger, account: Account, left: str) -> None:
    made = lower(ledger, account)
    assert (made.change, made.state, made.decided_by) == ("lower", "effective", None)
    assert granted(ledger, account) == left
    body = json.loads(ledger.journal(lineage=LINEAGE)[-1].body)
    assert (body["kind"], body["amount"], body["reason"]) == ("grant_lowered", "1", "the contract ended")
    assert ledger.grants(limit=1) == [made]
    assert ledger.verify() == []


def test_no_account_is_lowered_below_what_it_spent(ledger: Ledger) -> None:
    ledger.settle(asked(1))
    for account, remaining in ((AOI, "1"), (SHOP, "2"), (CAP, "9")):
        before = granted(ledger, account)
        with pytest.raises(AboveUnspent) as refused:
            lower(ledger, account, f"{remaining}.000000001")
        assert str(refused.value.remaining) == remaining
        assert granted(ledger, account) == before
        lower(ledger, account, remaining)
        assert granted(ledger, account) == "1"
    assert ledger.verify() == []


def test_a_refused_lowering_leaves_no_trace(ledger: Ledger) -> None:
    before = ledger.grants(), kinds(ledger)
    with pytest.raises(AboveUnspent):
        lower(ledger, AOI, "3")
    assert (ledger.grants(), kinds(ledger)) == before


def test_an_account_without_a_limit_is_not_lowered_and_its_first_grant_limits_it(empty: Ledger) -> None:
    wish(empty, AOI)
    empty.settle(asked(1))
    with pytest.raises(NotLimited):
        lower(empty, SHOP)
    assert state(empty, SHOP).granted is None
    wish(empty, SHOP)
    assert granted(empty, SHOP) == "2"
    lower(empty, SHOP)
    assert granted(empty, SHOP) == "1"
    assert empty.verify() == []


def test_who_has_no_account_has_nothing_to_take_back(empty: Ledger) -> None:
    with pytest.raises(NoAccount):
        lower(empty, AOI)
    with pytest.raises(NoSuchHolder):
        lower(empty, Account(kind="user", holder="eve"))


def test_lowering_a_cap_leaves_its_delta(store: Store) -> None:
    ledger = settle_in(store, delta_cap_atto=5)
    lower(ledger)
    assert state(ledger, CAP).delta_granted == 5
    assert ledger.verify() == []


def test_a_wish_that_lacks_something_is_sent_back_with_what_is_missing(ledger: Ledger) -> None:
    grant = wish(ledger)
    with pytest.raises(NoReason):
        ledger.send_back(grant_id=grant.id, decided_by="auditor", reason=" ")
    back = ledger.send_back(grant_id=grant.id, decided_by="auditor", reason="which decision of the council?")
    assert (back.state, back.decided_by) == ("returned", "auditor")
    assert back.decision_reason == "which decision of the council?"
    assert granted(ledger, CAP) == "10"
    body = json.loads(ledger.journal(lineage=LINEAGE)[-1].body)
    assert (body["kind"], body["decision_reason"]) == ("grant_returned", back.decision_reason)
    with pytest.raises(GrantDecided) as decided:
        ledger.approve(grant_id=grant.id, decided_by="auditor")
    assert decided.value.state == "returned"
    assert ledger.verify() == []


def test_who_asked_takes_back_and_does_not_send_back(ledger: Ledger) -> None:
    grant = wish(ledger)
    with pytest.raises(SamePerson):
        ledger.send_back(grant_id=grant.id, decided_by="Mayor", reason="unclear")
    taken = ledger.decline(grant_id=grant.id, decided_by="mayor", reason="asked by mistake")
    assert (taken.state, taken.decision_reason) == ("declined", "asked by mistake")


@pytest.fixture
def population(store: Store, ledger: Ledger) -> Account:
    with store.writing() as tx:
        return open_population(tx, name="residents-131016", actor="mayor").account


def test_the_cap_over_a_population_takes_two_people_and_is_lowered_by_one(
    ledger: Ledger, population: Account
) -> None:
    grant = ledger.grant(
        lineage=population.holder, account=population, amount=ONE, reason="a law", requested_by="mayor"
    )
    assert (grant.state, state(ledger, population).granted) == ("pending", None)
    ledger.approve(grant_id=grant.id, decided_by="auditor")
    assert granted(ledger, population) == "1"
    lower(ledger, population, "0.4", lineage=population.holder)
    assert granted(ledger, population) == "0.6"
    assert ledger.verify() == []


def test_a_cap_belongs_to_its_own_chain(ledger: Ledger, population: Account) -> None:
    for lineage, account in ((LINEAGE, population), (population.holder, CAP)):
        with pytest.raises(NoSuchHolder):
            lower(ledger, account, lineage=lineage)


def test_a_contract_is_limited_by_one_person_and_a_reserve_by_two(ledger: Ledger) -> None:
    contract, reserve = Account(kind="contract", holder="c-12"), Account(kind="reserve", holder="r-1")
    assert wish(ledger, contract).state == "effective"
    waiting = wish(ledger, reserve)
    assert waiting.state == "pending"
    ledger.approve(grant_id=waiting.id, decided_by="auditor")
    assert (granted(ledger, contract), granted(ledger, reserve)) == ("1", "1")
    assert ledger.verify() == []


def test_grants_turn_their_pages_newest_first(ledger: Ledger) -> None:
    first, second = wish(ledger, AOI), wish(ledger, SHOP)
    newest = ledger.grants(limit=2)
    assert {grant.id for grant in newest} == {first.id, second.id}
    assert len(ledger.grants(after=newest[-1].id)) == 3
