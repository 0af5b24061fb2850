"""Starting the real server, refusing to start it, and clients that never finish their request."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent.parent / "http"))

from real_server import Server, serving
from small_town import Town, build

HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
CLIENTS = 40
ROUNDS = 3


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return build(tmp_path_factory.mktemp("start") / "town")


@pytest.fixture
def server(town: Town) -> Iterator[Server]:
    made = Server(town, workers=1, threads=2)
    yield made
    if hasattr(made, "process"):
        made.kill_everything()


@pytest.fixture(scope="module")
def running(town: Town) -> Iterator[Server]:
    """Started once, for clients that must not harm it."""
    with serving(town, workers=1, threads=2) as server:
        yield server


def refused(server: Server, **settings: str) -> subprocess.CompletedProcess[str]:
    """What starting with these settings says."""
    command = [sys.executable, "-m", "api", "serve"]
    environment = {**server.environment, **settings}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.long
def test_from_start_to_ready_is_measured(server: Server, record_property: Any) -> None:
    seconds = server.start()
    record_property("seconds_to_ready", round(seconds, 2))
    print(f"ready after {seconds:.2f} s")
    assert server.call("GET", "/readyz") == (200, {"status": "ready"})
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SUDARE_X", "1", "SUDARE_X is not a setting"),
        ("SUDARE_SECRET_KEY", "short", "SUDARE_SECRET_KEY must have at least 32 characters"),
        ("SUDARE_LOG_LEVEL_FILE", "/nowhere", "SUDARE_LOG_LEVEL_FILE: the file cannot be read"),
    ],
)
def test_a_setting_that_is_unknown_or_wrong_stops_the_start_in_plain_words(
    server: Server, name: str, value: str, said: str
) -> None:
    done = refused(server, **{name: value})
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "short" not in done.stderr.replace(said, "")


def test_clients_that_never_finish_their_headers_block_nobody(running: Server) -> None:
    slow = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(CLIENTS)]
    try:
        for connection in slow:
            connection.sendall(HALF)
        assert [running.call("GET", "/healthz")[0] for _ in range(5)] == [200] * 5
    finally:
        for connection in slow:
            connection.close()


def test_a_request_in_small_pieces_is_answered_and_the_connection_kept(running: Server) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(ROUNDS):
            for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n":
                connection.sendall(bytes([byte]))
            told = b""
            while not told.endswith(b"}"):
                told += connection.recv(4096)
            assert told.startswith(b"HTTP/1.1 200 OK")


def test_two_requests_sent_at_once_are_both_answered(running: Server) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
        told = b""
        while told.count(b"HTTP/1.1 200 OK") < 2:
            received = connection.recv(4096)
            assert received, told
            told += received


def test_connections_that_send_nothing_block_nobody(running: Server) -> None:
    silent = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(CLIENTS)]
    try:
        assert [running.call("GET", "/healthz")[0] for _ in range(5)] == [200] * 5
    finally:
        for connection in silent:
            connection.close()
