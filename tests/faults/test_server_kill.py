"""The real server, killed at random moments under load: every key is answered once and charged once."""

import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil
import pytest

sys.path.append(str(Path(__file__).parent.parent / "http"))

from real_server import Server
from small_town import Town, build

from datasets.database.store import Store
from datasets.ledger.accounts import Account
from datasets.ledger.service import Ledger
from privacy.budget import Price

ASKED: dict[str, Any] = {
    "select": [{"as": "n", "agg": "count"}],
    "group_by": [{"column": "district"}],
    "budget": {"epsilon": "0.001"},
    "reuse": "never",
}
USERS = ("aoi", "mei", "ren")
SEED = 7
CHAOS_S = 6
WAIT_S_MAX = 60


@dataclass
class Client(threading.Thread):
    """Asks one question after another, each under a new key, and notes what it was told."""

    server: Server
    user: str
    number: int
    stop: threading.Event
    told: dict[str, dict[str, Any] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        while not self.stop.is_set():
            key = f"{self.user}-{self.number}-{len(self.told)}"
            try:
                status, body = self.server.ask(ASKED, key=key, user=self.user)
            except ConnectionRefusedError:  # nobody was asked anything
                self.stop.wait(0.05)
            except (OSError, HTTPException):
                self.told[key] = None
            else:
                self.told[key] = body if status == 200 else None


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return build(tmp_path / "town")


@pytest.fixture
def ledger(town: Town) -> Iterator[Ledger]:
    store = Store(town.settings.database_url)
    yield Ledger(store)
    store.close()


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """Those started by a test; none outlives it."""
    started: list[Server] = []
    yield started
    for server in started:
        server.kill_everything()


def start(servers: list[Server], town: Town, **options: Any) -> Server:
    server = Server(town, **options)
    server.start()
    servers.append(server)
    return server


def spent(ledger: Ledger, kind: Any, holder: str) -> Price:
    account = Account(kind=kind, holder=holder)
    return next(
        state.spent
        for state in ledger.all_accounts()
        if state.lineage == "residents" and state.account == account
    )


def wait_until_charged(ledger: Ledger) -> None:
    deadline = time.monotonic() + WAIT_S_MAX
    while spent(ledger, "user", "aoi").nano == 0:
        assert time.monotonic() < deadline, "nothing was charged"
        time.sleep(0.01)


@pytest.mark.long
def test_killed_at_random_moments_every_key_is_answered_and_charged_once(
    town: Town, ledger: Ledger, servers: list[Server], record_property: Any
) -> None:
    server = start(servers, town)
    stop = threading.Event()
    clients = [Client(server, user, number, stop) for number, user in enumerate(USERS * 2)]
    for client in clients:
        client.start()
    kills = wreak_havoc(server)
    stop.set()
    for client in clients:
        client.join(timeout=WAIT_S_MAX)
    server.kill_everything()
    server.start()
    questions = lost = 0
    for client in clients:
        for key, told in client.told.items():
            status, body = server.ask(ASKED, key=key, user=client.user)
            assert status == 200, body
            assert told in (None, body)
            questions, lost = questions + 1, lost + (told is None)
    record_property("kills", kills)
    record_property("questions", questions)
    record_property("lost", lost)
    print(f"{questions} questions, {lost} of them without an answer at first, {kills} kills")
    assert 0 < lost < questions, "nothing was interrupted, or nothing was answered: it proved nothing"
    assert ledger.verify() == []
    for user in USERS:
        keys = sum(len(client.told) for client in clients if client.user == user)
        assert spent(ledger, "user", user) == Price(keys * 1_000_000)
    assert spent(ledger, "dataset", "residents") == Price(questions * 1_000_000)


def wreak_havoc(server: Server) -> int:
    """For some seconds kill -9 workers at random moments, and twice the whole server; returns the kills."""
    dice, kills, ends = random.Random(SEED), 0, time.monotonic() + CHAOS_S
    whole = [time.monotonic() + CHAOS_S / 3, time.monotonic() + 2 * CHAOS_S / 3]
    while time.monotonic() < ends:
        time.sleep(dice.uniform(0.1, 1.0))  # the moments are the point
        kills += 1
        if whole and time.monotonic() > whole[0]:
            whole.pop(0)
            server.kill_everything()
            server.start()
        elif workers := server.workers():
            with suppress(psutil.NoSuchProcess):
                dice.choice(workers).kill()
    return kills


def test_killed_between_the_charge_and_the_answer_the_retry_is_told_and_charged_nothing(
    town: Town, ledger: Ledger, servers: list[Server]
) -> None:
    server = start(servers, town, workers=1, SUDARE_RESPONSE_QUANTUM_MS="60000")
    asking = threading.Thread(target=ask_and_forget, args=(server,), daemon=True)
    asking.start()
    wait_until_charged(ledger)
    server.kill_everything()
    asking.join(timeout=WAIT_S_MAX)
    again = start(servers, town, workers=1)
    first, second = again.ask(ASKED, key="one"), again.ask(ASKED, key="one")
    assert (first[0], first[1]) == (200, second[1])
    assert spent(ledger, "user", "aoi") == Price(1_000_000)
    assert ledger.verify() == []


def ask_and_forget(server: Server) -> None:
    with suppress(OSError, HTTPException):
        server.ask(ASKED, key="one")


@pytest.mark.long
def test_a_graceful_stop_lets_the_running_request_finish(
    town: Town, ledger: Ledger, servers: list[Server]
) -> None:
    server = start(servers, town, workers=1, SUDARE_RESPONSE_QUANTUM_MS="1500")
    told: list[tuple[int, dict[str, Any]]] = []
    asking = threading.Thread(target=lambda: told.append(server.ask(ASKED, key="one")), daemon=True)
    asking.start()
    wait_until_charged(ledger)
    server.terminate()
    asking.join(timeout=WAIT_S_MAX)
    assert [status for status, _ in told] == [200]
    assert server.process.wait(timeout=WAIT_S_MAX) == 0
