"""Kill -9 between any two statements of a settlement: all of it happened, or nothing did."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent.parent / "store"))
from backends import gone, terminate, waiting_backend
from lanes import first
from ledger_town import settle_in, settle_in_six, settle_in_three
from settlements import ASKED, CARE_LINEAGE, LINEAGE, VIEWED_BY_THREE, in_the_city, of_six
from sqlalchemy import event, update

from datasets.database.ids import new_id
from datasets.database.store import Direct, Store
from datasets.database.tables import AccountRow
from datasets.ledger.accounts import AccountKey, join_population, population_key
from datasets.ledger.answers import StoredAnswer
from datasets.ledger.errors import NoAnswer
from datasets.ledger.service import Ledger
from datasets.ledger.settlement import AlreadyAnswered, Settlement
from privacy.budget import Price

PLENTY = "99999"


def settle_in_a_city(store: Store) -> Ledger:
    """The town with a view of three registers, of which two are of one population."""
    ledger = settle_in_three(store)
    with store.writing() as tx:
        for lineage in (CARE_LINEAGE, LINEAGE):
            join_population(tx, lineage=lineage, name="city", actor="mayor")
    return ledger


TOWNS: dict[str, tuple[Callable[[Store], Ledger], Settlement]] = {
    "one register": (
        partial(settle_in, user=PLENTY, shop=PLENTY, cap=PLENTY),
        ASKED,
    ),
    "six payers": (
        partial(
            settle_in_six,
            user=PLENTY,
            shop=PLENTY,
            cap=PLENTY,
            contract=PLENTY,
            reserve=PLENTY,
            population=PLENTY,
        ),
        of_six(),
    ),
    "three registers": (settle_in_three, VIEWED_BY_THREE),
    "two of one population": (settle_in_a_city, in_the_city(VIEWED_BY_THREE)),
}


@pytest.fixture(params=first(3, TOWNS))
def town(request: pytest.FixtureRequest, store: Store) -> tuple[Ledger, Settlement]:
    """A ledger, and a settlement whose payers stand in one register, in three, and in a population too."""
    settle, settlement = TOWNS[request.param]
    return settle(store), settlement


def statements_of(store: Store, settlement: Settlement) -> int:
    """On SQLite one for all payers, one for each line, the table and the answer; on PostgreSQL one for all."""
    return 1 + len(settlement.chains) + 2 if store.is_sqlite else 1


def fresh(number: int, of: Settlement) -> Settlement:
    """The settlement of another question, by the same payers."""
    return replace(of, id=new_id("q"), idempotency_key=f"key-{number}")


def spent(ledger: Ledger) -> dict[AccountKey, str]:
    return {state.key: str(state.spent) for state in ledger.all_accounts()}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_child(url: str, act: Callable[[Store], object]) -> bool:
    """Do it in a process of its own; whether that was killed. Fails if it ended in another way."""
    status = os.waitstatus_to_exitcode(os.waitpid(started(url, act), 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def started(url: str, act: Callable[[Store], object]) -> int:
    """The id of a process that does it and then ends, whatever happens."""
    child = os.fork()
    if child != 0:
        return child
    try:
        act(Store(url))
        os._exit(0)
    finally:
        os._exit(1)


def settle_dying_before_statement(number: int, settlement: Settlement) -> Callable[[Store], object]:
    def act(store: Store) -> object:
        statements, execute = count(), Direct.execute

        def counted(self: Direct, statement: str, values: Mapping[str, Any]) -> Any:
            if next(statements) == number:
                die()
            return execute(self, statement, values)

        Direct.execute = counted  # type: ignore[method-assign]  # in this child only
        return Ledger(store).settle(settlement)

    return act


def settle_dying_before_commit(settlement: Settlement) -> Callable[[Store], object]:
    """Killed when every statement has run: SQLite has not committed, PostgreSQL's one statement is not sent."""

    def act(store: Store) -> object:
        @event.listens_for(store.engine, "commit")
        def on_commit(connection: object) -> None:
            die()

        return Ledger(store).settle(settlement)

    return act


def settle_dying_after_commit(settlement: Settlement) -> Callable[[Store], object]:
    def act(store: Store) -> None:
        Ledger(store).settle(settlement)
        die()

    return act


def retry(ledger: Ledger, settlement: Settlement) -> StoredAnswer:
    """What a client that heard nothing does."""
    try:
        return ledger.settle(settlement)
    except AlreadyAnswered as earlier:
        return earlier.stored


def everything_or_nothing(ledger: Ledger, settlement: Settlement) -> bool:
    """Whether it was settled; fails if it was settled by halves."""
    assert ledger.verify() == []
    try:
        ledger.earlier(user="aoi", key=settlement.idempotency_key)
    except NoAnswer:
        return False
    return True


def test_killed_before_any_statement_nothing_happened(
    store: Store, store_url: str, town: tuple[Ledger, Settlement]
) -> None:
    ledger, settlement = town
    before, lines = spent(ledger), ledger.journal()
    statements = statements_of(store, settlement)
    for number in range(statements):
        one = fresh(number, settlement)
        assert in_a_child(store_url, settle_dying_before_statement(number, one))
        assert not everything_or_nothing(ledger, one)
        assert (spent(ledger), ledger.journal()) == (before, lines)
    survivor = settle_dying_before_statement(statements, fresh(statements, settlement))
    assert not in_a_child(store_url, survivor), "a settlement has more statements than this test kills at"


def test_killed_before_the_commit_nothing_happened_and_a_retry_settles_once(
    store: Store, store_url: str, town: tuple[Ledger, Settlement]
) -> None:
    ledger, settlement = town
    if not store.is_sqlite:
        pytest.skip("on PostgreSQL a settlement is one statement, which is its own transaction")
    before = spent(ledger)
    assert in_a_child(store_url, settle_dying_before_commit(settlement))
    assert not everything_or_nothing(ledger, settlement)
    assert spent(ledger) == before
    assert retry(ledger, settlement) == retry(ledger, settlement)
    assert paid_once(ledger, settlement)


def test_killed_after_the_commit_a_retry_gets_the_stored_answer(
    store_url: str, town: tuple[Ledger, Settlement]
) -> None:
    ledger, settlement = town
    assert in_a_child(store_url, settle_dying_after_commit(settlement))
    assert everything_or_nothing(ledger, settlement)
    stored = retry(ledger, settlement)
    assert (stored.id, ledger.load(id=stored.id)) == (settlement.id, settlement.table)
    assert paid_once(ledger, settlement)


def test_a_view_killed_at_any_moment_costs_its_population_once_or_nothing(
    store: Store, store_url: str
) -> None:
    """Killed before each statement, before and after the commit, and then asked again: all registers pay, or none."""
    ledger, settlement = settle_in_a_city(store), in_the_city(VIEWED_BY_THREE)
    deaths = [
        settle_dying_before_statement(number, settlement)
        for number in range(statements_of(store, settlement))
    ]
    deaths += [settle_dying_before_commit(settlement)] if store.is_sqlite else []
    for death in deaths:
        assert in_a_child(store_url, death)
        assert not everything_or_nothing(ledger, settlement)
        assert set(spent(ledger).values()) == {"0"}
    assert in_a_child(store_url, settle_dying_after_commit(settlement))
    retry(ledger, settlement)
    caps = {
        key.holder: amount for key, amount in spent(ledger).items() if key.kind in ("dataset", "population")
    }
    assert caps == dict.fromkeys((CARE_LINEAGE, LINEAGE, "visits", population_key("city").holder), "1")
    assert paid_once(ledger, settlement)


def paid_once(ledger: Ledger, settlement: Settlement) -> bool:
    """Whether each payer has paid its charge and no more; the proof agrees."""
    after = spent(ledger)
    assert ledger.verify() == []
    return all(after[payer.key] == str(payer.charge) for payer in settlement.payers)


@pytest.mark.parametrize("place", first(1, ["three registers", "two of one population"]))
@pytest.mark.parametrize("killed", ["client", "server"])
def test_killed_between_the_locks_of_two_registers_all_pay_or_none(
    store: Store, store_url: str, killed: str, place: str
) -> None:
    """The settlement holds rows of two registers and waits for the third when its client or its backend is killed."""
    if store.is_sqlite:
        pytest.skip("SQLite lets one writer work at a time: nothing waits for a row")
    settle, settlement = TOWNS[place]
    ledger = settle(store)
    before = spent(ledger)
    last = settlement.payers[-1]
    with store.writing() as tx:
        of_last = (AccountRow.lineage == last.lineage, AccountRow.kind == last.kind)
        tx.execute(update(AccountRow).where(*of_last).values(spent=AccountRow.spent))
        child = started(store_url, lambda own: Ledger(own).settle(settlement))
        backend = waiting_backend(store)
        if killed == "client":
            os.kill(child, signal.SIGKILL)
        else:
            terminate(store, backend)
        os.waitpid(child, 0)
    gone(store, backend)
    settled = everything_or_nothing(ledger, settlement)
    # Nobody tells a backend at work that its client is gone: it settles, and the retry gets that answer.
    assert settled == (killed == "client")
    assert paid_once(ledger, settlement) if settled else spent(ledger) == before
    assert retry(ledger, settlement) == retry(ledger, settlement)
    assert paid_once(ledger, settlement)


def settle_without_end(tell: int, settlement: Settlement) -> Callable[[Store], object]:
    """Settle and tell each answer's id, for ever."""

    def act(store: Store) -> object:
        ledger = Ledger(store)
        for number in count():
            os.write(tell, ledger.settle(fresh(number, settlement)).id.encode() + b"\n")
        return None

    return act


@pytest.mark.parametrize("delay_ms", [40, 90, 150])
def test_whenever_killed_all_that_was_told_is_charged(
    store: Store, store_url: str, town: tuple[Ledger, Settlement], delay_ms: int
) -> None:
    ledger, settlement = town
    cheap = with_charge(settlement, Price(1))
    told = told_until_killed(store_url, cheap, delay_ms)
    # The database may still be at work on what it was sent: an empty change of the accounts waits for it.
    with store.writing() as tx:
        tx.execute(update(AccountRow).values(spent=AccountRow.spent))
    assert ledger.verify() == []
    for id in told:
        assert ledger.answer(id=id, user="aoi").outcome == "answered"
    kept = len(ledger.history(user="aoi", limit=1000))
    after = {state.key: state.spent.nano for state in ledger.all_accounts()}
    assert {after[payer.key] for payer in cheap.payers} == {kept}
    assert kept >= len(told)


def with_charge(settlement: Settlement, charge: Price) -> Settlement:
    """The settlement at another price, for every payer the same."""
    payers = tuple(replace(payer, charge=charge) for payer in settlement.payers)
    return replace(settlement, charge=charge, dataset_charge=charge, payers=payers)


def told_until_killed(url: str, settlement: Settlement, delay_ms: int) -> list[str]:
    read, write = os.pipe()
    with closing(os.fdopen(read)) as listening:
        child = started(url, settle_without_end(write, settlement))
        os.close(write)
        first = listening.readline()
        time.sleep(delay_ms / 1000)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return [line.strip() for line in lines_of(first, listening)]


def lines_of(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
