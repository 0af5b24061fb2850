"""One person in many registers: a population is charged what any of its registers is, also for the time before."""

import json
from collections.abc import Callable
from threading import Thread

import pytest
from backends import soon
from ledger_town import limit
from settlements import (
    ASKED,
    BOTH,
    CARE_LINEAGE,
    LINEAGE,
    VIEWED,
    asked,
    balances,
    changed,
    in_the_city,
    left,
)
from sqlalchemy import select, text, update
from town import grant

from datasets.database.store import Store
from datasets.database.tables import AccountRow, LineageRow
from datasets.ledger.accounts import AccountState, join_population, population_key
from datasets.ledger.errors import (
    BudgetExhausted,
    JoinAboveCap,
    NoAccount,
    NobodyNamed,
    OtherPopulation,
    PopulationJoined,
)
from datasets.ledger.service import Ledger
from privacy.budget import Price

CITY = population_key("city")
SHARED = asked(3, dataset_charge=Price(0))
UNLOCK = {
    "sqlite": ["DROP TRIGGER journal_kept_as_it_is", "DROP TRIGGER journal_kept_whole"],
    "postgresql": ["DROP TRIGGER journal_kept ON journal"],
}


def join(store: Store, *lineages: str, name: str = "city") -> AccountState:
    with store.writing() as tx:
        return [join_population(tx, lineage=lineage, name=name, actor="mayor") for lineage in lineages][-1]


def spent(ledger: Ledger, *lineages: str) -> dict[str, str]:
    """What the caps have spent."""
    found = [balances(ledger, lineage=lineage) for lineage in lineages]
    return {name: amount for each in found for name, amount in each.items() if "user" not in name}


def of_city(ledger: Ledger) -> AccountState:
    (state,) = ledger.states([CITY])
    return state


def lines(ledger: Ledger) -> list[dict]:
    return [json.loads(line.body) for line in ledger.journal(lineage=CITY.lineage)]


def test_a_register_that_joins_late_brings_what_it_has_spent(store: Store, settled_in_both: Ledger) -> None:
    settled_in_both.settle(changed(delta_atto=5))
    settled_in_both.settle(asked(2, of=changed(lineages=(CARE_LINEAGE,), dataset="care")))
    joined = join(store, LINEAGE, CARE_LINEAGE)
    assert (str(joined.spent), joined.delta_spent, joined.granted) == ("2", 5, None)
    told = [
        (body["kind"], body.get("register"), body.get("spent"), body.get("delta"))
        for body in lines(settled_in_both)
    ]
    assert told == [
        ("open", None, None, None),
        ("joined", "residents", "1", "0.000000000000000005"),
        ("joined", "care", "1", None),
    ]
    assert settled_in_both.verify() == []


def test_joining_again_changes_nothing(store: Store, ledger: Ledger) -> None:
    ledger.settle(ASKED)
    join(store, LINEAGE)
    before = ledger.all_accounts(), ledger.journal()
    assert str(join(store, LINEAGE).spent) == "1"
    assert (ledger.all_accounts(), ledger.journal()) == before


def test_a_register_keeps_its_population(store: Store, ledger: Ledger) -> None:
    join(store, LINEAGE)
    before = ledger.all_accounts(), ledger.journal()
    with pytest.raises(OtherPopulation) as refused:
        join(store, LINEAGE, name="region")
    assert (refused.value.lineage, refused.value.population) == (LINEAGE, "city")
    assert (ledger.all_accounts(), ledger.journal()) == before


def test_a_register_that_has_spent_more_than_the_population_has_left_does_not_join(
    store: Store, settled_in_both: Ledger
) -> None:
    join(store, CARE_LINEAGE)
    limit(store, CITY, "0.9")
    settled_in_both.settle(ASKED)
    before = settled_in_both.all_accounts(), settled_in_both.journal()
    with pytest.raises(JoinAboveCap) as refused:
        join(store, LINEAGE)
    assert "1" in refused.value.message().en
    assert (settled_in_both.all_accounts(), settled_in_both.journal()) == before
    with store.reading() as connection:
        assert not connection.execute(select(LineageRow.population).where(LineageRow.id == LINEAGE)).scalar()
    limit(store, CITY, "0.1")
    assert str(join(store, LINEAGE).remaining) == "0"
    assert settled_in_both.verify() == []


def test_nobody_joins_without_a_name_or_an_account(store: Store, ledger: Ledger) -> None:
    before = ledger.all_accounts()
    with pytest.raises(NobodyNamed), store.writing() as tx:
        join_population(tx, lineage=LINEAGE, name="city", actor=" ")
    with pytest.raises(NoAccount):
        join(store, "nowhere")
    assert ledger.all_accounts() == before


def test_a_population_called_as_a_register_is_another_chain(store: Store, ledger: Ledger) -> None:
    join(store, LINEAGE, name=LINEAGE)
    ledger.settle(in_the_city(ASKED, (LINEAGE,)))
    told = {
        state.holder: str(state.spent)
        for state in ledger.all_accounts()
        if state.kind in ("dataset", "population")
    }
    assert told == {LINEAGE: "1", f"population:{LINEAGE}": "1"}
    assert ledger.verify() == []


def test_a_view_over_two_registers_of_one_population_costs_it_once(
    store: Store, settled_in_both: Ledger
) -> None:
    join(store, *BOTH)
    settled_in_both.settle(in_the_city(VIEWED))
    assert spent(settled_in_both, *BOTH, CITY.lineage) == {
        "dataset:care": "1",
        "organisation:shop": "1",
        "dataset:residents": "1",
        "population:population:city": "1",
    }
    assert settled_in_both.verify() == []


def test_the_delta_of_an_answer_is_the_populations_too(store: Store, settled_in_both: Ledger) -> None:
    join(store, LINEAGE)
    settled_in_both.settle(in_the_city(changed(delta_atto=7)))
    assert of_city(settled_in_both).delta_spent == 7
    assert settled_in_both.verify() == []


def test_its_cap_ends_what_its_registers_answer_together(store: Store, settled_in_both: Ledger) -> None:
    join(store, *BOTH)
    limit(store, CITY, "1.5")
    settled_in_both.settle(in_the_city(ASKED))
    of_care = in_the_city(asked(2, lineages=(CARE_LINEAGE,), dataset="care"))
    with pytest.raises(BudgetExhausted) as refused:
        settled_in_both.settle(of_care)
    assert (refused.value.kind, str(refused.value.remaining)) == ("population", "0.5")
    assert str(refused.value.message().en) == "population:city needs 1 and has 0.5"
    assert spent(settled_in_both, CARE_LINEAGE)["dataset:care"] == "0"


def test_no_answer_is_settled_without_the_population_of_its_register(
    store: Store, settled_in_both: Ledger
) -> None:
    """Whoever was let in before the register joined does not settle after: in one register, and in any of a view."""
    join(store, LINEAGE)
    join(store, CARE_LINEAGE, name="region")
    before = settled_in_both.all_accounts(), settled_in_both.journal()
    for settlement in (ASKED, in_the_city(VIEWED, ("region",)), in_the_city(ASKED, ("region",)), SHARED):
        with pytest.raises(PopulationJoined) as refused:
            settled_in_both.settle(settlement)
        assert (refused.value.lineage, refused.value.population) == (LINEAGE, CITY.lineage)
    assert (settled_in_both.all_accounts(), settled_in_both.journal()) == before


def at_once(act: Callable[[], object]) -> tuple[Thread, list[BaseException]]:
    """Do it in a thread; what it raised is in the list."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as failure:  # noqa: BLE001 - looked at by the test
            raised.append(failure)

    thread = Thread(target=run)
    thread.start()
    return thread, raised


def wait_for_locks(store: Store, waiting: int) -> None:
    question = text(
        "SELECT count(*) = :waiting FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    soon(store, lambda connection: connection.execute(question, {"waiting": waiting}).scalar())


@pytest.mark.parametrize("first", ["joining", "settling"])
def test_a_settlement_under_way_while_a_register_joins_is_counted_or_refused(
    store: Store, ledger: Ledger, first: str
) -> None:
    if store.is_sqlite:
        pytest.skip("SQLite lets one writer work at a time: nothing waits for a row")
    acts = {"settling": lambda: ledger.settle(ASKED), "joining": lambda: join(store, LINEAGE)}
    # Both wait for the register's row, which is held here; the first of them gets it first.
    with store.writing() as tx:
        row = (AccountRow.lineage == LINEAGE, AccountRow.kind == "dataset")
        tx.execute(update(AccountRow).where(*row).values(spent=AccountRow.spent))
        started = {}
        for name in sorted(acts, key=lambda name: name != first):
            started[name] = at_once(acts[name])
            wait_for_locks(store, len(started))
    for thread, _ in started.values():
        thread.join()
    assert started["joining"][1] == []
    refused = [type(failure) for failure in started["settling"][1]]
    assert refused == ([PopulationJoined] if first == "joining" else [])
    expected = "0" if first == "joining" else "1"
    assert (str(of_city(ledger).spent), spent(ledger, LINEAGE)["dataset:residents"]) == (expected, expected)
    assert ledger.verify() == []


def test_two_registers_join_a_new_population_at_once(store: Store, settled_in_both: Ledger) -> None:
    threads = [at_once(lambda lineage=lineage: join(store, lineage)) for lineage in BOTH]
    for thread, raised in threads:
        thread.join()
        assert raised == []
    assert [body["kind"] for body in lines(settled_in_both)] == ["open", "joined", "joined"]
    assert settled_in_both.verify() == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("UPDATE accounts SET population = NULL WHERE kind = 'dataset'", (LINEAGE, "join_differs")),
        ("UPDATE lineages SET population = 'region' WHERE id = 'residents'", (LINEAGE, "join_differs")),
        ("UPDATE accounts SET spent = 1 WHERE kind = 'population'", (CITY.lineage, "balance")),
        ("DELETE FROM journal WHERE kind = 'joined'", (LINEAGE, "join_differs")),
        (
            'UPDATE journal SET body = replace(body, \'"spent":"1"\', \'"spent":"0.5"\')',
            (LINEAGE, "join_differs"),
        ),
        (
            'UPDATE journal SET body = replace(body, \'"register":"\', \'"register":"x\')',
            (LINEAGE, "join_differs"),
        ),
        (
            'UPDATE journal SET body = replace(body, \'"spent":"1"\', \'"spent":[]\')',
            (CITY.lineage, "unreadable"),
        ),
    ],
    ids=["account", "lineage", "balance", "no line", "spent less", "another register", "unreadable"],
)
def test_what_was_changed_about_a_joining_is_found(
    store: Store, ledger: Ledger, change: str, finding: tuple[str, str]
) -> None:
    ledger.settle(ASKED)
    join(store, LINEAGE)
    ledger.settle(in_the_city(asked(2)))
    assert ledger.verify() == []
    with store.writing() as tx:
        for statement in (*UNLOCK[tx.dialect.name], change):
            tx.exec_driver_sql(statement)
    assert finding in {(found.lineage, found.problem) for found in ledger.verify()}


def test_an_answer_that_its_population_was_not_charged_for_is_found(store: Store, ledger: Ledger) -> None:
    join(store, LINEAGE)
    with store.writing() as tx:
        tx.execute(update(AccountRow).values(population=None))
    ledger.settle(ASKED)
    with store.writing() as tx:
        tx.execute(update(AccountRow).where(AccountRow.kind == "dataset").values(population=CITY.lineage))
    assert [(found.lineage, found.problem) for found in ledger.verify()] == [(LINEAGE, "links_differ")]


def test_the_population_of_the_own_registers_is_among_what_a_user_pays_with(
    store: Store, settled_in_both: Ledger
) -> None:
    join(store, CARE_LINEAGE)
    join(store, LINEAGE, name="region")
    grant(store, [(LINEAGE, "user", "ren", "1")])
    found = {
        user: [state.holder for state in settled_in_both.accounts_of_user(user=user)]
        for user in ("aoi", "ren", "noa")
    }
    assert found == {
        "aoi": ["aoi", "shop", "care", "population:city", "population:region", "aoi", "shop", "residents"],
        "ren": ["population:region", "ren", "institute", "residents"],
        "noa": [],
    }


def test_what_a_city_has_left_stands_among_the_balances(store: Store, ledger: Ledger) -> None:
    join(store, LINEAGE)
    assert left(ledger.settle(in_the_city(ASKED)))[0] is None
    limit(store, CITY, "3")
    assert left(ledger.settle(in_the_city(asked(2))))[0] is not None
