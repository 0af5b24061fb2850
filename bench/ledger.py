"""Settlements a second against the bare conditional UPDATE that any ledger needs at the least.

Both run on the same database with the same durability, through SQLAlchemy Core, from the same number of client
processes, all on one hot dataset account; rounds of the two alternate, and the ratio is the median of theirs.
A settlement is six statements: three debits, and lines for the table, the journal and the answer. It goes to the
driver without SQLAlchemy's layer, its BEGIN, COMMIT and pool through it; the bare update goes through it wholly.

    python -m bench ledger
"""

import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.pool import Pool
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bench import town
from datasets.database.store import Store, migrate, new_id, sha256_hex
from datasets.ledger.accounts import Account, AccountState
from datasets.ledger.service import Ledger
from datasets.ledger.settlement import Settlement
from datasets.people.service import People
from privacy.budget import Price
from tests.postgres_server import NoPostgres, address, server

CLIENTS = (1, 4, 16)
ROUNDS = 5
SECONDS = 1.0
WARM_UP_SECONDS = 0.2
START_S_MAX = 120
LINEAGE = "hot"
PLENTY = Price.parse("1000000")
BARE = text("""
    UPDATE accounts SET spent = spent + :charge
    WHERE lineage = 'bare' AND kind = 'dataset' AND holder = 'bare' AND spent + :charge <= granted
""")
Work = Callable[[Store, int], Callable[[], None]]
_barriers: dict[int, Barrier] = {}
_warm_up_seconds: list[float] = []


def run_on_disk(_: Path) -> list[dict[str, Any]]:
    """All sizes, below the working folder: where /tmp lies in memory, a commit would cost nothing there."""
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as folder:
        return run(Path(folder))


def run(
    folder: Path,
    *,
    clients: tuple[int, ...] = CLIENTS,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    warm_up_seconds: float = WARM_UP_SECONDS,
) -> list[dict[str, Any]]:
    """One row for each database and number of client processes; `ratio` is ledger over bare."""
    rows = []
    context = multiprocessing.get_context("spawn")
    for database, url in _databases(folder):
        _fill(url, folder / database)
        barriers = {count: context.Barrier(count) for count in clients}
        with context.Pool(max(clients), _line_up, (barriers, warm_up_seconds)) as pool:
            for count in clients:
                pairs = [_pair(pool, url, count, seconds) for _ in range(rounds)]
                rows.append({"database": database, "clients": count} | _summary(pairs))
        _check(url)
    return rows


def _pair(pool: Pool, url: str, clients: int, seconds: float) -> tuple[float, float]:
    """Both, one right after the other, so that whatever else the machine does hits both."""
    return _rate(pool, url, _bare, clients, seconds), _rate(pool, url, _ledger, clients, seconds)


def _summary(pairs: list[tuple[float, float]]) -> dict[str, Any]:
    return {
        "bare_per_s": round(statistics.median(bare for bare, _ in pairs)),
        "ledger_per_s": round(statistics.median(ledger for _, ledger in pairs)),
        "ratio": round(statistics.median(ledger / bare for bare, ledger in pairs), 2),
        "ratios": [round(ledger / bare, 2) for bare, ledger in pairs],
    }


def _databases(folder: Path) -> Iterator[tuple[str, str]]:
    yield "sqlite", f"sqlite:///{folder.resolve()}/sudare.db"
    try:
        with server(durable=True) as home:
            yield "postgresql", address(home, "postgres")
    except NoPostgres as reason:
        print(f"skipped postgresql: {reason}", file=sys.stderr)


def _fill(url: str, folder: Path) -> None:
    """A register, a shop and sixteen users with plenty of budget, and an account for the bare update."""
    store = Store(url)
    migrate(store)
    for name in (LINEAGE, "bare"):
        town.register_rows(store, folder / name, id=name, rows=10)
    ledger, people = Ledger(store), People(store, b"only for the benchmark")
    people.add_organisation("shop")
    _grant(ledger, Account(kind="organisation", holder="shop"))
    for number in range(max(CLIENTS)):
        people.add_user(f"user-{number}", organisation="shop", role="analyst")
        _grant(ledger, Account(kind="user", holder=f"user-{number}"))
    store.close()


def _grant(ledger: Ledger, account: Account) -> None:
    ledger.grant(lineage=LINEAGE, account=account, amount=PLENTY, reason="bench", requested_by="bench")


def _check(url: str) -> None:
    store = Store(url)
    found = Ledger(store).verify()
    assert all(finding.lineage == "bare" for finding in found), found[:5]
    store.close()


def _bare(store: Store, number: int) -> Callable[[], None]:
    def once() -> None:
        with store.writing() as tx:
            assert tx.execute(BARE, {"charge": 1}).rowcount == 1

    return once


def _ledger(store: Store, number: int) -> Callable[[], None]:
    ledger = Ledger(store)

    def once() -> None:
        ledger.settle(_settlement(f"user-{number}"), _seal)

    return once


def _settlement(user: str) -> Settlement:
    """What a grouped count of some forty cells looks like."""
    query = new_id("q")
    return Settlement(
        id=query,
        user=user,
        organisation="shop",
        dataset=LINEAGE,
        lineages=(LINEAGE,),
        version=1,
        idempotency_key=query,
        request_digest=sha256_hex(query),
        fingerprint="sha256:" + sha256_hex(user),
        prices={"count": 1},
        outcome="answered",
        charge=Price(1),
        dataset_charge=Price(1),
        question='{"group_by":[{"column":"district"},{"column":"sex"}],"select":[{"agg":"count"}]}' * 3,
        table=(
            query + '{"district":"chuo","sex":"female","n":2130,"n_low":2106,"n_high":2154}' * 40
        ).encode(),
    )


def _seal(states: list[AccountState]) -> bytes:
    return ",".join(f'"{state.kind}:{state.holder}":"{state.remaining}"' for state in states).encode()


def _rate(pool: Pool, url: str, work: Work, clients: int, seconds: float) -> float:
    """Transactions a second of all client processes together."""
    tasks = [(url, work, number, clients, seconds) for number in range(clients)]
    return sum(pool.starmap(_client, tasks, chunksize=1))


def _line_up(barriers: dict[int, Barrier], warm_up_seconds: float) -> None:
    _barriers.update(barriers)
    _warm_up_seconds.append(warm_up_seconds)


def _client(url: str, work: Work, number: int, clients: int, seconds: float) -> float:
    store = Store(url)
    once = work(store, number)
    _during(once, _warm_up_seconds[0])
    _barriers[clients].wait(START_S_MAX)
    start = time.monotonic()
    done = _during(once, seconds)
    rate = done / (time.monotonic() - start)
    _barriers[clients].wait(START_S_MAX)
    store.close()
    return rate


def _during(once: Callable[[], None], seconds: float) -> int:
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        once()
        done += 1
    return done
