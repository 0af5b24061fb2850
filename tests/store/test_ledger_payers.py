"""Any number of payers: a contract, a reserve and a population beside user, organisation and dataset."""

import json
from dataclasses import replace

import pytest
from ledger_town import limit, settle_in_both, settle_in_six
from settlements import (
    ASKED,
    CARE_LINEAGE,
    LINEAGE,
    ONE,
    POPULATION_CHAIN,
    VIEWED,
    asked,
    balances,
    left,
    of_six,
)

from datasets.database.store import Store
from datasets.ledger.accounts import AccountKey, open_population
from datasets.ledger.errors import BudgetExhausted, NoAccount, NobodyNamed
from datasets.ledger.service import Ledger
from datasets.ledger.settlement import Payer, Settlement
from privacy.budget import PRICE_NANO_MAX, Price

POPULATION = AccountKey(lineage=POPULATION_CHAIN, kind="population", holder=POPULATION_CHAIN)
UNLOCK = {
    "sqlite": ["DROP TRIGGER journal_kept_as_it_is", "DROP TRIGGER journal_kept_whole"],
    "postgresql": ["DROP TRIGGER journal_kept ON journal"],
}


def spent(ledger: Ledger) -> dict[str, str]:
    return balances(ledger) | balances(ledger, lineage=POPULATION_CHAIN)


def bodies(ledger: Ledger, lineage: str) -> list[dict]:
    return [json.loads(line.body) for line in ledger.journal(lineage=lineage)]


def test_each_of_six_payers_pays_and_the_answer_knows_what_each_has_left(store: Store) -> None:
    ledger = settle_in_six(store)
    # In the order in which they are locked: the population's chain sorts before the residents'.
    assert left(ledger.settle(of_six())) == ["8", "1", "2", "8", "8", "9"]
    assert spent(ledger) == {
        "user:aoi": "1",
        "user:mei": "0",
        "organisation:shop": "1",
        "contract:k-1": "1",
        "reserve:r-1": "1",
        "dataset:residents": "1",
        f"population:{POPULATION_CHAIN}": "1",
    }
    assert ledger.verify() == []


def test_the_line_names_who_paid_and_the_population_has_one_of_its_own(store: Store) -> None:
    ledger = settle_in_six(store)
    stored = ledger.settle(of_six())
    line, link = bodies(ledger, LINEAGE)[-1], bodies(ledger, POPULATION_CHAIN)[-1]
    assert line["charged"] == dict.fromkeys(("user", "organisation", "contract", "reserve", "dataset"), "1")
    assert (line["holders"], line["linked"]) == ({"contract": "k-1", "reserve": "r-1"}, [POPULATION_CHAIN])
    assert (link["kind"], link["query"], link["charged"]) == ("linked", stored.id, {"population": "1"})
    assert link["of"] == {"lineage": LINEAGE}


@pytest.mark.parametrize("level", ["user", "organisation", "contract", "reserve", "dataset", "population"])
def test_what_one_of_six_cannot_pay_nobody_pays(store: Store, level: str) -> None:
    names = {"organisation": "shop", "dataset": "cap"}
    limits = dict.fromkeys(("user", "shop", "contract", "reserve", "cap", "population"), "9")
    ledger = settle_in_six(store, **limits | {names.get(level, level): "1.5"})
    ledger.settle(of_six())
    before = spent(ledger), ledger.journal()
    with pytest.raises(BudgetExhausted) as refused:
        ledger.settle(of_six(asked(2)))
    assert (refused.value.kind, refused.value.needed, str(refused.value.remaining)) == (level, ONE, "0.5")
    assert (spent(ledger), ledger.journal()) == before


def test_a_population_without_a_limit_counts_and_refuses_nothing(store: Store) -> None:
    ledger = settle_in_six(store, population=None)
    assert left(ledger.settle(of_six()))[0] is None
    assert spent(ledger)[f"population:{POPULATION_CHAIN}"] == "1"
    assert ledger.verify() == []


def test_an_account_without_a_limit_ends_at_the_limit_of_amounts(store: Store) -> None:
    """There no constraint of the database refuses what the statement overlooks."""
    ledger = settle_in_six(store, population=None)
    with store.writing() as tx:
        nearly = PRICE_NANO_MAX - 1
        tx.exec_driver_sql(f"UPDATE accounts SET spent = {nearly} WHERE kind = 'population'")
    with pytest.raises(BudgetExhausted) as refused:
        ledger.settle(of_six())
    assert (refused.value.kind, refused.value.remaining) == ("population", Price(1))
    assert balances(ledger)["user:aoi"] == "0"


def test_a_population_is_opened_once_and_by_somebody(store: Store) -> None:
    ledger = settle_in_six(store, population="2")
    ledger.settle(of_six())
    with store.writing() as tx:
        again = open_population(tx, name="city", actor="mayor")
    assert (str(again.granted), str(again.spent)) == ("2", "1")
    assert [body["kind"] for body in bodies(ledger, POPULATION_CHAIN)] == ["open", "grant", "linked"]
    with pytest.raises(NobodyNamed), store.writing() as tx:
        open_population(tx, name="other", actor=" ")
    assert ledger.verify() == []


def viewed_with_population() -> Settlement:
    """The view's settlement with the population, which is charged once however many of its registers are joined."""
    payer = Payer(**POPULATION.row, charge=ONE)
    return replace(VIEWED, payers=tuple(sorted((*VIEWED.payers, payer), key=lambda one: one.place)))


def test_a_view_over_two_registers_costs_their_population_once(store: Store) -> None:
    ledger = settle_in_both(store)
    with store.writing() as tx:
        open_population(tx, name="city", actor="mayor")
    limit(store, POPULATION, "1.5")
    ledger.settle(viewed_with_population())
    assert balances(ledger, lineage=CARE_LINEAGE)["dataset:care"] == "1"
    assert spent(ledger)["dataset:residents"] == spent(ledger)[f"population:{POPULATION_CHAIN}"] == "1"
    assert bodies(ledger, CARE_LINEAGE)[-1]["linked"] == [POPULATION_CHAIN, LINEAGE]
    with pytest.raises(BudgetExhausted) as refused:
        ledger.settle(asked_again(viewed_with_population()))
    assert refused.value.kind == "population"
    assert ledger.verify() == []


def asked_again(settlement: Settlement) -> Settlement:
    return replace(settlement, id="q_2", idempotency_key="key-2")


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("UPDATE accounts SET spent = 0 WHERE kind = 'population'", (POPULATION_CHAIN, "balance")),
        ("UPDATE accounts SET granted = NULL WHERE kind = 'population'", (POPULATION_CHAIN, "balance")),
        ("UPDATE accounts SET granted = NULL WHERE kind = 'organisation'", (LINEAGE, "balance")),
        ("UPDATE accounts SET spent = 0 WHERE kind = 'contract'", (LINEAGE, "balance")),
        ("DELETE FROM accounts WHERE kind = 'reserve'", (LINEAGE, "balance")),
        ("DELETE FROM accounts WHERE kind = 'population'", (POPULATION_CHAIN, "end")),
        ("DELETE FROM journal WHERE kind = 'linked'", (POPULATION_CHAIN, "link_missing")),
        (
            "UPDATE journal SET body = replace(body, 'k-1', 'k-2') WHERE kind = 'charge'",
            (LINEAGE, "chain"),
        ),
        (
            "INSERT INTO accounts VALUES ('residents', 'contract', 'k-9', NULL, 0, 0, '', 0, 0, NULL)",
            (LINEAGE, "balance"),
        ),
    ],
)
def test_what_was_changed_about_a_payer_is_found(store: Store, change: str, finding: tuple[str, str]) -> None:
    ledger = settle_in_six(store)
    ledger.settle(of_six())
    assert ledger.verify() == []
    with store.writing() as tx:
        for statement in (*UNLOCK[tx.dialect.name], change):
            tx.exec_driver_sql(statement)
    assert finding in {(found.lineage, found.problem) for found in ledger.verify()}


def test_a_payer_without_an_account_stops_all_six(store: Store) -> None:
    ledger = settle_in_six(store)
    stranger = Payer(lineage=LINEAGE, kind="contract", holder="k-2", charge=ONE)
    payers = [stranger if payer.kind == "contract" else payer for payer in of_six().payers]
    with pytest.raises(NoAccount) as refused:
        ledger.settle(replace(of_six(), payers=tuple(payers)))
    assert (refused.value.kind, refused.value.holder) == ("contract", "k-2")
    assert set(spent(ledger).values()) == {"0"}


def test_a_dataset_always_has_a_limit(store: Store) -> None:
    settle_in_six(store)
    with pytest.raises(Exception, match="dataset_has_a_cap"), store.writing() as tx:
        tx.exec_driver_sql("UPDATE accounts SET granted = NULL WHERE kind = 'dataset'")


def test_a_lineage_has_one_payer_of_a_kind() -> None:
    """Its line names payers by their kinds: the second of a kind would take the place of the first."""
    another = Payer(lineage=LINEAGE, kind="contract", holder="k-2", charge=ONE)
    payers = sorted((*of_six().payers, another), key=lambda payer: payer.place)
    with pytest.raises(AssertionError, match="one payer of a kind"):
        replace(of_six(), payers=tuple(payers))


def test_only_caps_pay_delta() -> None:
    with pytest.raises(AssertionError):
        replace(ASKED.payers[0], delta_atto=1)
