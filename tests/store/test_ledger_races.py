"""Eight real processes at once on the same accounts, on both databases."""

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from multiprocessing.pool import Pool

import pytest
from ledger_town import settle_in, settle_in_both, settle_in_six
from racers import (
    PROCESSES,
    Settle,
    do_all,
    honest,
    honest_of_six,
    line_up,
    lower_many,
    naive,
    settle_all_sides,
    settle_many,
    settle_same,
)
from settlements import CARE_LINEAGE, POPULATION_CHAIN, balances, of_six

from datasets.database.store import Store

ADMITTED = 20
ATTEMPTS = 5


@pytest.fixture(scope="module")
def racers() -> Iterator[Pool]:
    """Processes that run one task each at the same moment."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES, line_up, (context.Barrier(PROCESSES),)) as pool:
        yield pool


def race(racers: Pool, store_url: str, users: tuple[str, ...], settle: Settle) -> Counter[str]:
    tasks = [(store_url, number, ATTEMPTS, users, settle) for number in range(PROCESSES)]
    return sum(racers.starmap(settle_many, tasks, chunksize=1), Counter())


@pytest.mark.parametrize(
    ("limits", "users", "level"),
    [
        ({"user": str(ADMITTED), "shop": "99", "cap": "99"}, ("aoi",), "user"),
        ({"user": "99", "shop": str(ADMITTED), "cap": "99"}, ("aoi", "mei"), "organisation"),
        ({"user": "99", "shop": "99", "cap": str(ADMITTED)}, ("aoi", "mei"), "dataset"),
    ],
)
def test_exactly_as_many_settle_as_fit(
    racers: Pool, store: Store, store_url: str, limits: dict[str, str], users: tuple[str, ...], level: str
) -> None:
    ledger = settle_in(store, **limits)
    outcomes = race(racers, store_url, users, honest)
    assert outcomes == {"settled": ADMITTED, level: PROCESSES * ATTEMPTS - ADMITTED}
    assert balances(ledger)["dataset:residents"] == str(ADMITTED)
    assert ledger.verify() == []


@pytest.mark.parametrize("level", ["user", "organisation", "contract", "reserve", "dataset", "population"])
def test_of_six_payers_none_ever_pays_more_than_it_has(
    racers: Pool, store: Store, store_url: str, level: str
) -> None:
    """Each in turn has just enough for some of those who ask at once; the other five have plenty."""
    names = {"organisation": "shop", "dataset": "cap"}
    limits = dict.fromkeys(("user", "shop", "contract", "reserve", "cap", "population"), "99")
    ledger = settle_in_six(store, **limits | {names.get(level, level): str(ADMITTED)})
    outcomes = race(racers, store_url, ("aoi",) if level == "user" else ("aoi", "mei"), honest_of_six)
    assert outcomes == {"settled": ADMITTED, level: PROCESSES * ATTEMPTS - ADMITTED}
    spent = balances(ledger) | balances(ledger, lineage=POPULATION_CHAIN)
    of_payers = {payer.kind: f"{payer.kind}:{payer.holder}" for payer in of_six().payers}
    paid = {kind: spent[name] for kind, name in of_payers.items() if kind != "user"}
    assert paid == dict.fromkeys(paid, str(ADMITTED))
    assert ledger.verify() == []


def test_the_race_catches_a_ledger_that_reads_and_then_writes(
    racers: Pool, store: Store, store_url: str
) -> None:
    ledger = settle_in(store, user="99", shop="99", cap=str(ADMITTED))
    assert race(racers, store_url, ("aoi", "mei"), naive)["settled"] > ADMITTED
    assert ledger.verify() != []


def test_one_key_settles_once_and_everybody_gets_that_answer(
    racers: Pool, store: Store, store_url: str
) -> None:
    ledger = settle_in(store, user="1")
    told = racers.starmap(settle_same, [(store_url, number) for number in range(PROCESSES)], chunksize=1)
    assert Counter(how for how, _ in told) == {"settled": 1, "earlier": PROCESSES - 1}
    assert len({answer for _, answer in told}) == 1
    assert balances(ledger)["user:aoi"] == "1"
    assert ledger.verify() == []


def test_grants_and_settlements_do_not_wait_in_a_circle(racers: Pool, store: Store, store_url: str) -> None:
    ledger = settle_in(store, cap="99")
    tasks = [(store_url, number, 2) for number in range(PROCESSES)]
    assert racers.starmap(do_all, tasks, chunksize=1) == [2] * PROCESSES
    rounds = 2 * PROCESSES
    assert balances(ledger)["dataset:residents"] == str(rounds)
    granted = {f"{state.kind}:{state.holder}": str(state.granted) for state in ledger.all_accounts()}
    # Each round raised by two and took one back; what was sent back raised nothing.
    assert granted["user:aoi"] == str(2 + rounds)
    assert granted["dataset:residents"] == str(99 + rounds)
    assert ledger.verify() == []


def test_what_is_spent_and_what_is_taken_back_at_once_never_pass_what_was_granted(
    racers: Pool, store: Store, store_url: str
) -> None:
    ledger = settle_in(store, user="12", shop="11", cap="10")
    attempts = 6
    tasks = [(store_url, number, attempts) for number in range(PROCESSES)]
    done = sum(racers.starmap(lower_many, tasks, chunksize=1), Counter())
    assert done.total() == PROCESSES * attempts
    for state in ledger.all_accounts():
        if state.holder != "mei":
            first = {"user": 12, "organisation": 11, "dataset": 10}[state.kind]
            assert str(state.granted) == str(first - done[state.kind])
            assert str(state.spent) == str(done["settled"])
            assert state.spent <= state.granted
    assert done["refused"] > 0
    assert ledger.verify() == []


def test_a_view_and_its_sources_neither_overspend_nor_wait_in_a_circle(
    racers: Pool, store: Store, store_url: str
) -> None:
    """Every settlement takes rows of one lineage or of both, and begins anywhere in the turn."""
    attempts = 9
    limits = {"user": "99", "shop": "99", "care": "99", "care_cap": "99", "cap": str(ADMITTED)}
    ledger = settle_in_both(store, delta_cap_atto=99, **limits)
    tasks = [(store_url, number, attempts) for number in range(PROCESSES)]
    settled = sum(racers.starmap(settle_all_sides, tasks, chunksize=1), Counter())
    assert settled["view"] + settled["residents"] == ADMITTED
    assert settled["care"] == PROCESSES * attempts // 3
    assert sum(settled.values()) == PROCESSES * attempts
    assert balances(ledger)["dataset:residents"] == str(ADMITTED)
    assert balances(ledger, lineage=CARE_LINEAGE)["dataset:care"] == str(settled["view"] + settled["care"])
    deltas = {state.holder: state.delta_spent for state in ledger.all_accounts() if state.kind == "dataset"}
    assert deltas == {"residents": ADMITTED, CARE_LINEAGE: settled["view"] + settled["care"]}
    assert ledger.verify() == []
