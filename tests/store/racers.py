"""What the racing processes do: all start at once, each on its own connection."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.synchronize import Barrier

from settlements import AOI, ASKED, CAP, CARE_LINEAGE, LINEAGE, ONE, SHOP, VIEWED, asked, changed, of_six
from sqlalchemy import text

from datasets.database.store import Store, migrate
from datasets.ledger.errors import AboveUnspent, BudgetExhausted, GrantDecided
from datasets.ledger.grants import Grant
from datasets.ledger.service import Ledger
from datasets.ledger.settlement import AlreadyAnswered, Settlement, must_fit
from privacy.budget import Price

PROCESSES = 8
TWO = Price.parse("2")
START_S_MAX = 60
Settle = Callable[[Store, Settlement], object]
_barrier: list[Barrier] = []


def migrated(url: str) -> None:
    """Bring a database forward, as every process does that starts on it."""
    migrate(Store(url))


def line_up(barrier: Barrier) -> None:
    _barrier[:] = [barrier]


def honest(store: Store, settlement: Settlement) -> object:
    return Ledger(store).settle(settlement)


def honest_of_six(store: Store, settlement: Settlement) -> object:
    return Ledger(store).settle(of_six(settlement))


def naive(store: Store, settlement: Settlement) -> object:
    """The mutant: look whether it fits, then write what was seen plus the charge."""
    states = Ledger(store).states([payer.key for payer in settlement.payers])
    must_fit(states, settlement.payers)
    time.sleep(0.005)
    with store.writing() as tx:
        for state in states:
            tx.execute(
                text("UPDATE accounts SET spent = :spent WHERE kind = :kind AND holder = :holder"),
                {"spent": state.spent.nano + ONE.nano, "kind": state.kind, "holder": state.holder},
            )
    return None


def connect(store: Store) -> None:
    """Open the first connection before the race begins, so that nobody starts late for it."""
    with store.reading():
        pass


def settle_many(url: str, number: int, attempts: int, users: tuple[str, ...], settle: Settle) -> Counter[str]:
    """Settle different questions one after the other, and count how they went."""
    store, outcomes = Store(url), Counter[str]()
    connect(store)
    _barrier[0].wait(START_S_MAX)
    for attempt in range(attempts):
        question = asked(number * attempts + attempt, user=users[attempt % len(users)])
        try:
            settle(store, question)
        except BudgetExhausted as refused:
            outcomes[refused.kind] += 1
        else:
            outcomes["settled"] += 1
    store.close()
    return outcomes


OF_CARE = changed(ASKED, dataset="care", lineages=(CARE_LINEAGE,))
SIDES = {"view": VIEWED, "residents": ASKED, "care": OF_CARE}
SIX = {"population": of_six(), "residents": ASKED}


def settle_all_sides(url: str, number: int, attempts: int) -> Counter[str]:
    """Ask the view, the residents and care in turn, each process beginning elsewhere; count what settled."""
    store, outcomes = Store(url), Counter[str]()
    ledger = Ledger(store)
    _barrier[0].wait(START_S_MAX)
    for attempt in range(attempts):
        side = list(SIDES)[(number + attempt) % 3]
        user = ("aoi", "mei")[(number + attempt) % 2]
        try:
            ledger.settle(asked(number * attempts + attempt, SIDES[side], user=user, delta_atto=1))
        except BudgetExhausted as refused:
            outcomes[f"{refused.kind}:{refused.holder}"] += 1
        else:
            outcomes[side] += 1
    store.close()
    return outcomes


def settle_same(url: str, number: int) -> tuple[str, str]:
    """Settle the one question that all others settle, too: how it went, and which answer it is."""
    store = Store(url)
    connect(store)
    _barrier[0].wait(START_S_MAX)
    try:
        return "settled", Ledger(store).settle(asked(1, request_digest=str(number))).id
    except AlreadyAnswered as earlier:
        return "earlier", earlier.stored.id
    finally:
        store.close()


def pending_grants(ledger: Ledger) -> list[Grant]:
    """What waits for a second person, newest first, of the last thousand grants."""
    return [grant for grant in ledger.grants(limit=1_000) if grant.state == "pending"]


def do_all(url: str, number: int, attempts: int) -> int:
    """Settle, grant, lower, ask for more cap and decide on what others asked for; how often all of it went well."""
    store, done = Store(url), 0
    ledger, me = Ledger(store), f"official-{number}"
    _barrier[0].wait(START_S_MAX)
    for attempt in range(attempts):
        # So much that one settlement and one lowering fit, whatever the others do meanwhile.
        for account in (AOI, SHOP, CAP):
            ledger.grant(lineage=LINEAGE, account=account, amount=TWO, reason="more", requested_by=me)
        ledger.grant(lineage=LINEAGE, account=CAP, amount=ONE, reason="unclear", requested_by=me)
        ledger.settle(asked(number * attempts + attempt))
        for account in (AOI, SHOP, CAP):
            ledger.lower(lineage=LINEAGE, account=account, amount=ONE, reason="less", requested_by=me)
        for grant in reversed(pending_grants(ledger)):
            _decide(ledger, grant, me if grant.requested_by != me else f"{me}-too")
        done += 1
    store.close()
    return done


def _decide(ledger: Ledger, grant: Grant, person: str) -> None:
    with contextlib.suppress(GrantDecided):
        if grant.reason == "unclear":
            ledger.send_back(grant_id=grant.id, decided_by=person, reason="say why")
        else:
            ledger.approve(grant_id=grant.id, decided_by=person)


def lower_many(url: str, number: int, attempts: int) -> Counter[str]:
    """Settle and lower the same accounts in turn, each process beginning with the other; count what went through."""
    store, outcomes = Store(url), Counter[str]()
    ledger = Ledger(store)
    connect(store)
    _barrier[0].wait(START_S_MAX)
    for attempt in range(attempts):
        try:
            if (number + attempt) % 2:
                ledger.settle(asked(number * attempts + attempt))
                outcomes["settled"] += 1
            else:
                account = (AOI, SHOP, CAP)[attempt % 3]
                ledger.lower(lineage=LINEAGE, account=account, amount=ONE, reason="less", requested_by="me")
                outcomes[account.kind] += 1
        except (BudgetExhausted, AboveUnspent):
            outcomes["refused"] += 1
    store.close()
    return outcomes
