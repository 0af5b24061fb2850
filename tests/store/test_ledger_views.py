"""An answer from a view is paid in every lineage that the view joins, or in none; and what an answer costs in δ."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from ledger_town import settle_in_both
from settlements import (
    AOI,
    ASKED,
    BOTH,
    CARE_LINEAGE,
    DELTA_CAP,
    LINEAGE,
    VIEWED,
    asked,
    balances,
    changed,
    fits,
    left,
)
from sqlalchemy.exc import IntegrityError

from datasets.database.chain import next_head
from datasets.database.store import Store
from datasets.ledger.errors import BudgetExhausted, DeltaExhausted, NoAccount
from datasets.ledger.service import Ledger
from datasets.ledger.settlement import AlreadyAnswered, Payer
from privacy.budget import Price

NOTHING = Price(0)
DELTA = 10**9  # 1e-9 in 10^-18
UNLOCK = {
    "sqlite": ["DROP TRIGGER journal_kept_as_it_is", "DROP TRIGGER journal_kept_whole"],
    "postgresql": ["DROP TRIGGER journal_kept ON journal"],
}


@pytest.fixture
def ledger(settled_in_both: Ledger) -> Ledger:
    return settled_in_both


def spent(ledger: Ledger) -> tuple[dict[str, str], dict[str, str]]:
    return balances(ledger, lineage=CARE_LINEAGE), balances(ledger, lineage=LINEAGE)


def last(ledger: Ledger, lineage: str) -> dict:
    return json.loads(ledger.journal(lineage=lineage)[-1].body)


# Paying


def test_every_lineage_of_a_view_pays_the_same(ledger: Ledger) -> None:
    ledger.settle(VIEWED)
    assert spent(ledger) == (
        {"dataset:care": "1", "organisation:shop": "1", "user:aoi": "1", "user:mei": "0"},
        {"dataset:residents": "1", "organisation:shop": "1", "user:aoi": "1", "user:mei": "0"},
    )
    assert ledger.verify() == []


def test_an_answer_knows_what_the_payers_of_all_lineages_had_left(ledger: Ledger) -> None:
    assert left(ledger.settle(VIEWED)) == ["1", None, "9", "1", "2", "9"]


def test_each_journal_has_a_line_and_the_others_name_the_first(ledger: Ledger) -> None:
    stored = ledger.settle(VIEWED)
    first, other = last(ledger, CARE_LINEAGE), last(ledger, LINEAGE)
    assert (first["kind"], first["linked"]) == ("charge", [LINEAGE])
    assert (other["kind"], other["query"]) == ("linked", stored.id)
    assert other["of"] == {"lineage": CARE_LINEAGE}
    assert other["charged"] == {"user": "1", "organisation": "1", "dataset": "1"}
    assert (stored.lineage, stored.dataset) == (CARE_LINEAGE, "residents-care")


@pytest.mark.parametrize(
    ("limits", "refusing"),
    [
        ({"care": "1.5"}, ("user", "aoi")),
        ({"user": "1.5"}, ("user", "aoi")),
        ({"shop": "1.5"}, ("organisation", "shop")),
        ({"cap": "1.5"}, ("dataset", LINEAGE)),
    ],
)
def test_what_does_not_fit_in_one_lineage_is_paid_in_none(
    store: Store, limits: dict[str, str], refusing: tuple[str, str]
) -> None:
    ledger = settle_in_both(store, **limits)
    ledger.settle(VIEWED)
    before = spent(ledger), ledger.journal()
    with pytest.raises(BudgetExhausted) as settling:
        ledger.settle(asked(2, VIEWED))
    with pytest.raises(BudgetExhausted) as looking:
        fits(ledger, asked(2, VIEWED))
    for refused in (settling.value, looking.value):
        assert (refused.kind, refused.holder, refused.remaining) == (*refusing, Price.parse("0.5"))
    assert (spent(ledger), ledger.journal()) == before


def test_a_user_needs_an_account_in_every_lineage(store: Store, ledger: Ledger) -> None:
    with store.writing() as tx:
        tx.exec_driver_sql(f"DELETE FROM accounts WHERE lineage = '{LINEAGE}' AND holder = 'aoi'")
    with pytest.raises(NoAccount):
        fits(ledger, asked(2, VIEWED))
    with pytest.raises(NoAccount):
        ledger.settle(VIEWED)
    assert spent(ledger)[0]["user:aoi"] == "0"


def test_an_answer_told_to_another_user_costs_no_lineage_anything(ledger: Ledger) -> None:
    ledger.settle(VIEWED)
    ledger.settle(asked(2, VIEWED, user="mei", dataset_charge=NOTHING))
    ledger.settle(asked(3, VIEWED, charge=NOTHING, dataset_charge=NOTHING))
    care, residents = spent(ledger)
    assert (care["dataset:care"], residents["dataset:residents"]) == ("1", "1")
    assert (care["user:mei"], residents["user:mei"], residents["user:aoi"]) == ("1", "1", "1")
    assert ledger.verify() == []


def test_a_key_that_was_used_before_is_paid_in_no_lineage(ledger: Ledger) -> None:
    first = ledger.settle(ASKED)
    with pytest.raises(AlreadyAnswered) as refused:
        ledger.settle(changed(VIEWED, id="q_2"))
    assert refused.value.stored == first
    assert spent(ledger)[0]["user:aoi"] == "0"
    assert ledger.verify() == []


def test_views_and_their_sources_share_what_is_left(ledger: Ledger) -> None:
    ledger.settle(VIEWED)
    ledger.settle(asked(2))
    with pytest.raises(BudgetExhausted):
        ledger.settle(asked(3, VIEWED))
    assert spent(ledger)[0]["user:aoi"] == "1"
    assert ledger.verify() == []


def test_accounts_come_in_the_order_in_which_they_pay(ledger: Ledger) -> None:
    states = ledger.states([payer.key for payer in reversed(VIEWED.payers)])
    assert [(state.lineage, state.kind) for state in states] == [
        (lineage, kind) for lineage in BOTH for kind in ("user", "organisation", "dataset")
    ]


@pytest.mark.parametrize("payers", [(), VIEWED.payers[::-1], VIEWED.payers * 2, VIEWED.payers[3:]])
def test_a_settlement_names_its_payers_once_and_in_order(payers: tuple[Payer, ...]) -> None:
    with pytest.raises(AssertionError):
        replace(VIEWED, payers=payers)


# Proof


def tampered(store: Store, *statements: str) -> None:
    with store.writing() as tx:
        for statement in (*UNLOCK[tx.dialect.name], *statements):
            tx.exec_driver_sql(statement)


def problems(ledger: Ledger) -> set[tuple[str, int, str, str]]:
    return {(found.lineage, found.entry, found.problem, found.account) for found in ledger.verify()}


LINE = f"lineage = '{LINEAGE}' AND kind = 'linked'"


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (f"UPDATE journal SET body = replace(body, 'aoi', 'mei') WHERE {LINE}", (5, "chain", "")),
        (f"UPDATE journal SET body = replace(body, 'aoi', 'mei') WHERE {LINE}", (0, "balance", "user:aoi")),
        (
            f"""UPDATE journal SET body = replace(body, '"lineage":"care"', '"lineage":"visits"') WHERE {LINE}""",
            (5, "link_differs", ""),
        ),
        (f"DELETE FROM journal WHERE {LINE} AND number = 5", (6, "gap", "")),
        (f"DELETE FROM journal WHERE {LINE} AND number = 5", (0, "link_missing", "")),
        (f"DELETE FROM journal WHERE {LINE} AND number = 6", (0, "end", "")),
        (f"DELETE FROM view_lineages WHERE lineage = '{LINEAGE}'", (4, "links_differ", "")),
        ("UPDATE answers SET charge = 2000000000 WHERE id = 'q_1'", (5, "link_differs", "")),
        ("DELETE FROM answers WHERE id = 'q_1'", (5, "answer_missing", "")),
        ("UPDATE accounts SET delta_spent = 0 WHERE kind = 'dataset'", (0, "balance", "dataset:residents")),
        (
            "UPDATE accounts SET delta_granted = 9000000000000 WHERE kind = 'dataset'",
            (0, "balance", "dataset:residents"),
        ),
    ],
)
def test_what_was_changed_about_a_view_is_found(
    store: Store, ledger: Ledger, change: str, finding: tuple[int, str, str]
) -> None:
    ledger.settle(changed(VIEWED, delta_atto=DELTA))
    ledger.settle(asked(2, VIEWED, delta_atto=DELTA))
    assert ledger.verify() == []
    tampered(store, change)
    entry, problem, account = finding
    lineage = CARE_LINEAGE if problem == "links_differ" else LINEAGE
    assert (lineage, entry, problem, account) in problems(ledger)


def test_a_linked_line_that_was_taken_out_without_a_trace_in_its_journal_is_missed(
    store: Store, ledger: Ledger
) -> None:
    """Somebody removes the last line, and makes head and balances agree: the answer gives them away."""
    before = ledger.journal(lineage=LINEAGE)[-1]
    ledger.settle(VIEWED)
    tampered(
        store,
        f"DELETE FROM journal WHERE {LINE}",
        f"UPDATE accounts SET spent = 0 WHERE lineage = '{LINEAGE}'",
        f"UPDATE accounts SET entries = {before.number}, head = '{before.head}'"
        f" WHERE lineage = '{LINEAGE}' AND kind = 'dataset'",
    )
    assert problems(ledger) == {(LINEAGE, 0, "link_missing", "")}


def test_a_linked_line_that_was_written_twice_is_found(store: Store, ledger: Ledger) -> None:
    """In the place of another one, so that numbers and balances agree."""
    ledger.settle(VIEWED)
    ledger.settle(asked(2, VIEWED))
    first, second = ledger.journal(lineage=LINEAGE)[-2:]
    head = next_head(first.head, first.body)
    tampered(
        store,
        f"UPDATE journal SET body = (SELECT body FROM journal WHERE {LINE} AND number = {first.number}),"
        f" at = '{first.at}', head = '{head}' WHERE {LINE} AND number = {second.number}",
        f"UPDATE accounts SET head = '{head}' WHERE lineage = '{LINEAGE}' AND kind = 'dataset'",
    )
    assert problems(ledger) == {(LINEAGE, second.number, "link_differs", "")}


# δ


def deltas(ledger: Ledger) -> dict[str, int]:
    return {state.holder: state.delta_spent for state in ledger.all_accounts() if state.kind == "dataset"}


def test_the_delta_of_an_answer_is_paid_by_the_dataset_and_stands_in_the_journal(ledger: Ledger) -> None:
    ledger.settle(changed(ASKED, delta_atto=DELTA))
    assert deltas(ledger) == {CARE_LINEAGE: 0, LINEAGE: DELTA}
    assert last(ledger, LINEAGE)["delta"] == "0.000000001"
    written: list[str] = []
    ledger.export(written.append)
    assert [json.loads(json.loads(line)["body"]).get("delta") for line in written].count("0.000000001") == 1
    assert ledger.verify() == []


def test_the_delta_of_a_view_is_paid_in_every_lineage(ledger: Ledger) -> None:
    ledger.settle(changed(VIEWED, delta_atto=DELTA))
    assert deltas(ledger) == {CARE_LINEAGE: DELTA, LINEAGE: DELTA}
    assert last(ledger, LINEAGE)["delta"] == "0.000000001"
    assert ledger.verify() == []


def test_delta_above_its_lifetime_total_is_refused_and_changes_nothing(store: Store) -> None:
    ledger = settle_in_both(store, user="9", shop="9", delta_cap_atto=DELTA_CAP)
    for number in range(3):
        ledger.settle(asked(number, delta_atto=DELTA))
    before = balances(ledger), deltas(ledger), ledger.journal()
    with pytest.raises(DeltaExhausted) as settling:
        ledger.settle(asked(3, delta_atto=1))
    with pytest.raises(DeltaExhausted) as looking:
        fits(ledger, asked(3, delta_atto=1))
    for refused in (settling.value, looking.value):
        assert (refused.needed, refused.remaining) == (Fraction(1, 10**18), 0)
    assert (balances(ledger), deltas(ledger), ledger.journal()) == before


def test_a_dataset_without_a_purse_pays_no_delta(store: Store) -> None:
    ledger = settle_in_both(store)
    with pytest.raises(DeltaExhausted):
        ledger.settle(changed(ASKED, delta_atto=1))
    assert balances(ledger)["user:aoi"] == "0"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE accounts SET delta_spent = 1 WHERE kind = 'user'",
        "UPDATE accounts SET delta_granted = 1 WHERE kind = 'user'",
        "UPDATE accounts SET delta_spent = delta_granted + 1 WHERE kind = 'dataset'",
        "UPDATE accounts SET delta_spent = -1 WHERE kind = 'dataset'",
    ],
)
def test_the_database_itself_holds_the_lifetime_total_of_delta(
    store: Store, ledger: Ledger, change: str
) -> None:
    with pytest.raises(IntegrityError), store.writing() as tx:
        tx.exec_driver_sql(change)


def test_aoi_has_no_delta_of_her_own(ledger: Ledger) -> None:
    states = {state.account: state for state in ledger.accounts_of_user(user="aoi")}
    assert states[AOI].delta_remaining == 0
