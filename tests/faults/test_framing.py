"""HTTP/1.1 as no polite client frames it, against the real server: no 5xx, nobody held up, nothing left behind."""

import itertools
import os
import random
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

sys.path.append(str(Path(__file__).parent.parent / "http"))

from raw_http import answers, connected, pulse, until_closed, until_quiet
from real_server import Server, serving
from small_town import Town, build

from api.server.worker import BufferingWorker

HERE = Path(__file__).parent
LENGTHS = ("0", "2", "1", "3", "-1", "+2", "2, 2", "0x2", "two", "", "2 ", "9" * 30, "1048577", "²")
CODINGS = (
    "chunked",
    "Chunked",
    "br",
    "gzip, chunked",
    "chunked, chunked",
    "identity",
    "",
    "chunked;q=1",
    "\x0bchunked",
)
SIZES = (
    "2",
    "02",
    "0",
    "1",
    "3",
    "-2",
    "+2",
    "0x2",
    " 2",
    "2 ",
    "",
    "zz",
    "f" * 16,
    "2" * 40,
    "2;a=b",
    "2;",
    '2;a="',
    "²",
)
ENDS = ("\r\n", "\r\n", "\r\n", "\n", "", "\r", "\r\r\n")
TRAILERS = (
    "",
    "X-Sum: 1\r\n",
    "Content-Length: 2\r\n",
    "nothing\r\n",
    " folded\r\n",
    "A: b\r\n" * 3_000,
    "A: \x00\r\n",
)
ODD_HEADERS = (
    *(
        "A : b",
        "A",
        ": b",
        " folded",
        "\tfolded",
        "A: \x00",
        "A: " + "b" * 9_000,
        "A_B: c",
        "Host: other",
        "Expect: 100-continue",
    ),
    *(
        "Expect: all",
        "Connection: close",
        "Connection: upgrade",
        "Upgrade: h2c",
        "SCRIPT_NAME: /x",
        "PATH_INFO: /x",
        "Trailer: X",
    ),
    *(
        "X-Forwarded-Proto: https",
        "X-Forwarded-Protocol: ssl",
        "X-Forwarded-Ssl: off",
        "Content-Type: text/plain",
        "Range: bytes=9-",
    ),
    *(
        "Content-Encoding: gzip",
        "Transfer-Encoding: chunked",
        "Content-Length: 2",
        "Accept-Language: ja",
        "Accept: ;;;",
        "Idempotency-Key: \xff",
    ),
)
TARGETS = (
    "/healthz",
    "/healthz",
    "/docs",
    "/nothing",
    "/v1/budgets",
    "*",
    "",
    "//",
    "/%00",
    "/%ff",
    "http://other/healthz",
    "/" + "a" * 9_000,
)
METHODS = ("GET", "GET", "GET", "POST", "HEAD", "OPTIONS", "PUT", "get", "CONNECT", "G" * 30, "GE T")
VERSIONS = (
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/2.0",
    "HTTP/1.2",
    "HTTP/1.10",
    "http/1.1",
    "",
)
AT_ONCE = 12


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return build(tmp_path_factory.mktemp("framing") / "town")


@pytest.fixture(scope="module")
def server(town: Town) -> Iterator[Server]:
    with serving(town, workers=1, threads=2) as running:
        yield running


class Sender:
    """Makes requests, most of them wrong somewhere, the same ones for the same seed."""

    def __init__(self, seed: int, key: str) -> None:
        self._source, self._key = random.Random(seed), key

    def connection(self) -> list[bytes]:
        """What one connection sends, piece by piece: a pipeline of requests, or a part of it."""
        sent = b"".join(self.request() for _ in range(self._source.choice([1, 1, 1, 2, 5])))
        if self._source.random() < 0.3:
            sent = sent[: self._source.randrange(len(sent) + 1)]
        if self._source.random() < 0.1:
            at = self._source.randrange(len(sent) + 1)
            sent = sent[:at] + self._source.randbytes(self._source.choice([1, 2, 500])) + sent[at:]
        cuts = sorted(self._source.randrange(len(sent) + 1) for _ in range(self._source.choice([0, 0, 1, 3])))
        return [sent[low:high] for low, high in itertools.pairwise([0, *cuts, len(sent)])]

    def request(self) -> bytes:
        asking = self._source.random() < 0.5
        method = "POST" if asking else self._source.choice(METHODS)
        target = "/v1/datasets/residents/queries" if asking else self._source.choice(TARGETS)
        version = "HTTP/1.1" if asking else self._source.choice(VERSIONS)
        lines = [f"{method} {target} {version}", "Host: localhost", f"Authorization: Bearer {self._key}"]
        if self._source.random() < 0.8:
            lines.append("Content-Type: application/json")
        lines += self._source.sample(ODD_HEADERS, self._source.choice([0, 0, 0, 1, 2]))
        framing, body = self.body()
        end = self._source.choice(ENDS) if self._source.random() < 0.1 else "\r\n"
        return (end.join([*lines, *framing]) + end + end + body).encode("latin-1")

    def body(self) -> tuple[list[str], str]:
        kind = self._source.random()
        if kind < 0.2:
            return [], ""
        if kind < 0.5:
            return [f"Content-Length: {self._source.choice(LENGTHS)}"], "{}"
        framing = [f"Transfer-Encoding: {self._source.choice(CODINGS) if kind > 0.8 else 'chunked'}"]
        if self._source.random() < 0.1:
            framing.append("Content-Length: 2")
        return framing, self.chunks()

    def chunks(self) -> str:
        """A body of "{}" in chunks, or something like it."""
        size = self._source.choice(SIZES) if self._source.random() < 0.5 else "2"
        ends = [self._source.choice(ENDS) if self._source.random() < 0.2 else "\r\n" for _ in range(4)]
        trailers = self._source.choice(TRAILERS) if self._source.random() < 0.3 else ""
        return f"{size}{ends[0]}{{}}{ends[1]}0{ends[2]}{trailers}{ends[3]}"


def sent_by(port: int, pieces: list[bytes], *, how_it_ends: int) -> list[int]:
    """The answers to what one connection sends and then stops, half-closes, or waits a little."""
    with connected(port) as connection, suppress(OSError):
        for piece in pieces:
            connection.sendall(piece)
        if how_it_ends == 0:
            return []
        if how_it_ends == 1:
            connection.shutdown(socket.SHUT_WR)
            return answers(until_closed(connection))
        return answers(until_quiet(connection, 0.3))
    return []


def all_answers(server: Server, seeds: range) -> list[int]:
    """The answers to what so many connections send, several at a time."""

    def ask(seed: int) -> list[int]:
        pieces = Sender(seed, server.town.keys["aoi"]).connection()
        return sent_by(server.port, pieces, how_it_ends=seed % 3)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [status for told in pool.map(ask, seeds) for status in told]


def check(server: Server, seeds: range) -> None:
    with pulse(server.port) as found:
        told = all_answers(server, seeds)
    # Nobody needs to be told anything who sent half of something; most of these did get an answer.
    assert len(told) > len(seeds) / 3
    assert {status for status in told if not 200 <= status < 500} == set()
    assert {200, 400, 422} <= set(told)
    assert found.beats > 2
    # Held up by half a request it would take that one's whole patience.
    assert found.slowest < BufferingWorker.head_s_max / 2
    assert server.call("GET", "/healthz")[0] == 200


def test_what_is_framed_in_odd_ways_is_no_fault_of_ours_and_holds_nobody_up(server: Server) -> None:
    check(server, range(250))
    # What is refused is refused without a word of it in the log, which a mistyped header's key would be in.
    assert server.town.keys["aoi"] not in server.log.read_text()
    assert "Traceback" not in server.log.read_text()


@pytest.mark.long
def test_nothing_of_thousands_of_odd_requests_stays_in_the_worker(server: Server) -> None:
    (worker,) = server.workers()
    before = worker.num_fds()
    check(server, range(1_000, 6_000))
    for _ in range(300):
        if worker.num_fds() <= before + 5:
            break
        psutil.wait_procs([worker], timeout=0.2)
    assert worker.num_fds() <= before + 5
    assert "Traceback" not in server.log.read_text()


class QuickServer(Server):
    """A server whose worker has a second of patience and four mebibytes for those it waits for."""

    command = ("-m", "gunicorn", "--config", "python:quick_gunicorn", "wsgi:app")


@pytest.fixture(scope="module")
def quick(town: Town) -> Iterator[Server]:
    made = QuickServer(town, workers=1, threads=2, SUDARE_RATE_LIMIT="1 per day")
    root = HERE.parent.parent
    made.environment["PYTHONPATH"] = os.pathsep.join([str(root), str(HERE)])
    made.start()
    yield made
    made.stop()


def test_requests_that_do_not_come_in_time_are_told_so(quick: Server) -> None:
    late = {
        b"": [],
        b"GET /healthz HT": [408],
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{": [408],
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{": [408],
    }
    connections = [connected(quick.port) for _ in late]
    for connection, sent in zip(connections, late, strict=True):
        connection.sendall(sent)
    told = [answers(until_closed(connection)) for connection in connections]
    assert told == list(late.values())
    for connection in connections:
        connection.close()


def test_a_slow_body_has_time_of_its_own_and_no_more(quick: Server) -> None:
    with connected(quick.port) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n")
        told = b""
        # A byte now and then does not buy more time.
        for _ in range(30):
            with suppress(OSError):
                connection.sendall(b" ")
            told += until_quiet(connection, 0.1)
            if told:
                break
        assert answers(told) == [408]


def test_of_more_bytes_than_a_worker_holds_the_largest_go_first(quick: Server) -> None:
    mebibyte = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n" + b" " * ((1 << 20) - 1)
    small = connected(quick.port)
    small.sendall(b"POST /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{")
    large = [connected(quick.port) for _ in range(6)]
    for connection in large:
        connection.sendall(mebibyte)
    small.sendall(b"}")
    assert answers(until_closed(small)) == [404]
    told = [answers(until_closed(connection)) for connection in large]
    assert told.count([503]) >= 2
    assert {tuple(one) for one in told} <= {(503,), (408,)}
    for connection in [small, *large]:
        connection.close()


def test_who_is_in_a_hurry_is_answered_later_and_holds_no_thread(quick: Server) -> None:
    key = quick.town.keys["ren"]
    head = f"GET /v1/budgets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
    hurry = [connected(quick.port) for _ in range(20)]
    started = time.monotonic()
    for connection in hurry:
        connection.sendall(head.encode())
    with pulse(quick.port) as found:
        told = [answers(until_closed(connection)) for connection in hurry]
    assert sorted(told) == [[200], *[[429]] * 19]
    assert time.monotonic() - started > 0.5
    assert found.slowest < 0.5
    for connection in hurry:
        connection.close()


def test_of_more_connections_than_a_worker_holds_the_first_go_first(quick: Server) -> None:
    waiting = [connected(quick.port) for _ in range(100)]
    with pulse(quick.port) as found:
        assert [quick.call("GET", "/healthz")[0] for _ in range(5)] == [200] * 5
    assert found.slowest < 1
    assert waiting[0].recv(1) == b""
    for connection in waiting:
        connection.close()


def test_answers_that_nobody_takes_are_dropped(quick: Server) -> None:
    with connected(quick.port) as connection:
        script = b"GET /assets/swagger-ui/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(script * 20)
        (worker,) = quick.workers()
        for _ in range(100):
            if not any(
                one.raddr and one.raddr.port == connection.getsockname()[1]
                for one in worker.net_connections()
            ):
                break
            psutil.wait_procs([worker], timeout=0.1)
        else:
            raise AssertionError("the connection is still open")


@pytest.mark.long
def test_a_worker_that_stops_does_not_wait_for_half_a_request(town: Town) -> None:
    server = Server(town, workers=1, threads=2)
    server.start()
    with connected(server.port) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{")
        with pulse(server.port):
            pass
        server.terminate()
        # Well below the 30 seconds that a body may take, and far above what a busy machine needs to stop.
        assert server.process.wait(timeout=25) == 0
    server.kill_everything()
