"""Starting the real server, refusing to start it, and clients that it must not wait for."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent.parent / "http"))

from raw_http import answers, connected, pulse, until_closed
from real_server import Server, serving
from small_town import COUNT, Town, build

import api

STATIC = Path(api.__file__).parent / "static"
HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
CLIENTS = 40
ROUNDS = 3
ASKING = (
    b"POST /v1/datasets/residents/queries HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
)
QUOTE = json.dumps({**COUNT, "mode": "quote"}).encode()
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


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


def listening(family: int, address: Any) -> socket.socket:
    found = socket.socket(family, socket.SOCK_STREAM)
    found.bind(address)
    found.listen()
    return found


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "cannot listen on {bind}: another process"), ("ja", "{bind} で待ち受けできません")],
)
def test_a_port_that_is_taken_is_told_in_one_line(server: Server, language: str, told: str) -> None:
    with listening(socket.AF_INET, ("127.0.0.1", server.port)):
        done = refused(server, SUDARE_LANGUAGE=language)
    assert done.returncode == 1
    assert told.format(bind=f"127.0.0.1:{server.port}") in done.stderr
    assert [line for line in done.stderr.splitlines() if "nanobind" not in line][1:] == []


def test_a_unix_socket_at_which_another_server_answers_is_not_taken_away(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "s.sock"
    with listening(socket.AF_UNIX, str(path)) as other:
        done = refused(server, SUDARE_BIND=f"unix:{path}", SUDARE_LANGUAGE="en")
        assert done.returncode == 1
        assert f"cannot listen on unix:{path}: another process uses it" in done.stderr
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            other.accept()[0].close()


def test_an_address_of_another_machine_is_told(server: Server) -> None:
    done = refused(server, SUDARE_BIND="192.0.2.1:8000", SUDARE_LANGUAGE="en")
    assert done.returncode == 1
    assert "cannot listen on 192.0.2.1:8000: Cannot assign requested address" in done.stderr


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


def asking(town: Town, user: str = "aoi") -> bytes:
    """The head of a question by somebody who may ask, up to how its body is framed."""
    return ASKING + f"Authorization: Bearer {town.keys[user]}\r\n".encode()


HALF_BODIES = {
    "of a length": b"Content-Length: 100\r\n\r\n{",
    "of a length, nothing sent": b"Content-Length: 100\r\n\r\n",
    "in chunks": CHUNKED + b"50\r\n{",
    "in chunks, nothing sent": CHUNKED,
    "without the last line": CHUNKED + b"1\r\n{\r\n0\r\n",
    "too large by its head": b"Content-Length: 2000000\r\n\r\n{",
}


@pytest.mark.parametrize("half", HALF_BODIES.values(), ids=HALF_BODIES)
def test_clients_that_may_ask_and_never_finish_their_body_block_nobody(running: Server, half: bytes) -> None:
    slow = [connected(running.port) for _ in range(CLIENTS)]
    try:
        for connection in slow:
            connection.sendall(asking(running.town) + half)
        with pulse(running.port) as found:
            assert running.ask({**COUNT, "mode": "quote"}, key="beside-half-bodies")[0] == 200
            assert [running.call("GET", "/healthz")[0] for _ in range(5)] == [200] * 5
        assert found.slowest < 1
    finally:
        for connection in slow:
            connection.close()


def test_clients_that_do_not_read_their_answers_block_nobody(running: Server) -> None:
    # Far more than the buffers of both systems hold.
    script = b"GET /assets/swagger-ui/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    greedy = [connected(running.port) for _ in range(4)]
    try:
        for connection in greedy:
            connection.sendall(script * 20)
        with pulse(running.port) as found:
            assert [running.call("GET", "/healthz")[0] for _ in range(20)] == [200] * 20
        assert found.slowest < 1
        # What waited for its client is whole when the client does read.
        size = (STATIC / "swagger-ui" / "swagger-ui-bundle.js").stat().st_size
        told = b""
        while len(told) < 20 * size:
            told += greedy[0].recv(1 << 20)
        assert told.count(b"HTTP/1.1 200 OK") == 20
    finally:
        for connection in greedy:
            connection.close()


def test_clients_that_do_not_close_their_connections_block_nobody(running: Server) -> None:
    open_still = [connected(running.port) for _ in range(CLIENTS)]
    try:
        for connection in open_still:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        with pulse(running.port) as found:
            assert [running.call("GET", "/healthz")[0] for _ in range(5)] == [200] * 5
        assert found.slowest < 1
    finally:
        for connection in open_still:
            connection.close()


MALFORMED = {
    "a chunk size that is none": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than told": CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
    "a length and chunks": b"Content-Length: 2\r\n" + CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
    "a length that is none": b"Content-Length: two\r\n\r\n{}",
    "an unknown coding": b"Transfer-Encoding: br\r\n\r\n{}",
    "a folded header": b"A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}",
    "trailers without an end": CHUNKED + b"0\r\n" + b"A: b\r\n" * 20_000,
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_http_is_refused_as_such_in_the_readers_language(running: Server, body: bytes) -> None:
    with connected(running.port) as connection:
        connection.sendall(asking(running.town) + b"Accept-Language: ja\r\n" + body)
        head, _, told = until_closed(connection).partition(b"\r\n\r\n")
    assert answers(head) == [400]
    assert b"application/problem+json" in head
    assert json.loads(told)["code"] == "bad_request"


@pytest.mark.parametrize("half", [HALF_BODIES["of a length"], HALF_BODIES["in chunks"]])
def test_a_body_that_ends_early_is_told_so(running: Server, half: bytes) -> None:
    with connected(running.port) as connection:
        connection.sendall(asking(running.town) + half)
        connection.shutdown(socket.SHUT_WR)
        assert answers(until_closed(connection)) == [400]


@pytest.mark.parametrize(
    "large",
    [
        b"Content-Length: 1048577\r\n\r\n",
        CHUNKED + b"100001\r\n" + b" " * 0x100001,
        b"Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n",
    ],
    ids=["told", "in chunks", "asked first"],
)
def test_a_body_that_is_too_large_is_refused_before_it_has_come(running: Server, large: bytes) -> None:
    with connected(running.port) as connection:
        connection.sendall(asking(running.town) + large)
        told = until_closed(connection)
    assert answers(told) == [413]
    assert b"100 Continue" not in told
    assert b"body_too_large" in told


def test_a_body_is_sent_after_the_server_said_continue(running: Server) -> None:
    with connected(running.port) as connection:
        length = f"Expect: 100-continue\r\nConnection: close\r\nContent-Length: {len(QUOTE)}\r\n\r\n"
        connection.sendall(asking(running.town) + length.encode())
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(QUOTE)
        told = until_closed(connection)
    assert answers(told) == [200]
    assert b"100 Continue" not in told


def test_what_comes_behind_a_body_is_the_next_request(running: Server) -> None:
    sized = asking(running.town) + f"Content-Length: {len(QUOTE)}\r\n\r\n".encode() + QUOTE
    chunked = asking(running.town) + CHUNKED + b"%x\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(QUOTE), QUOTE)
    # The view does not read this body; it is no request for that.
    body = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
    unread = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    last = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with connected(running.port) as connection:
        connection.sendall(sized + chunked + unread + chunked + last)
        assert answers(until_closed(connection)) == [200] * 5
