"""Kill -9 between any two statements of a settlement: all of it happened, or nothing did."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent.parent / "store"))
from ledger_town import settle_in
from settlements import LINEAGE, asked, balances

from datasets.database.store import Direct, Store
from datasets.ledger.answers import StoredAnswer
from datasets.ledger.errors import NoAnswer
from datasets.ledger.service import Ledger
from datasets.ledger.settlement import AlreadyAnswered, Settlement

STATEMENTS = {"sqlite": 6, "postgresql": 1}


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return settle_in(store, user="99999", shop="99999", cap="99999")


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
    def act(store: Store) -> object:
        Direct.commit = lambda self: die()  # type: ignore[method-assign]  # in this child only
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


def test_killed_before_any_statement_nothing_happened(store: Store, store_url: str, ledger: Ledger) -> None:
    before = balances(ledger)
    statements = STATEMENTS[store.engine.dialect.name]
    for number in range(statements):
        settlement = asked(number)
        assert in_a_child(store_url, settle_dying_before_statement(number, settlement))
        assert not everything_or_nothing(ledger, settlement)
    assert balances(ledger) == before
    survivor = settle_dying_before_statement(statements, asked(statements))
    assert not in_a_child(store_url, survivor), "a settlement has more statements than this test kills at"


def test_killed_before_the_commit_nothing_happened_and_a_retry_settles_once(
    store_url: str, ledger: Ledger
) -> None:
    settlement = asked(1)
    assert in_a_child(store_url, settle_dying_before_commit(settlement))
    assert not everything_or_nothing(ledger, settlement)
    assert retry(ledger, settlement) == retry(ledger, settlement)
    assert balances(ledger)["user:aoi"] == "1"
    assert ledger.verify() == []


def test_killed_after_the_commit_a_retry_gets_the_stored_answer(store_url: str, ledger: Ledger) -> None:
    settlement = asked(1)
    assert in_a_child(store_url, settle_dying_after_commit(settlement))
    assert everything_or_nothing(ledger, settlement)
    stored = retry(ledger, asked(1))
    assert (stored.id, ledger.load(id=stored.id)) == (settlement.id, settlement.table)
    assert balances(ledger)["user:aoi"] == "1"


def settle_without_end(tell: int) -> Callable[[Store], object]:
    """Settle and tell each answer's id, for ever."""

    def act(store: Store) -> object:
        ledger = Ledger(store)
        for number in count():
            os.write(tell, ledger.settle(asked(number)).id.encode() + b"\n")
        return None

    return act


@pytest.mark.parametrize("delay_ms", [40, 90, 150])
def test_whenever_killed_all_that_was_told_is_charged(store_url: str, ledger: Ledger, delay_ms: int) -> None:
    told = told_until_killed(store_url, delay_ms)
    kept = {entry.number: entry for entry in ledger.journal(lineage=LINEAGE, limit=1000)}
    assert ledger.verify() == []
    for id in told:
        assert kept[ledger.answer(id=id, user="aoi").entry].kind == "charge"


def told_until_killed(url: str, delay_ms: int) -> list[str]:
    read, write = os.pipe()
    with closing(os.fdopen(read)) as listening:
        child = started(url, settle_without_end(write))
        os.close(write)
        first = listening.readline()
        time.sleep(delay_ms / 1000)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return [line.strip() for line in lines_of(first, listening)]


def lines_of(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
