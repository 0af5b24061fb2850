"""Bytes on a connection to a server, whether they are HTTP or not, and what it answers to them."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
ANSWER_S_MAX = 20.0


def connected(port: int) -> socket.socket:
    """A connection on which small pieces are sent at once."""
    made = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S_MAX)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def until_closed(connection: socket.socket) -> bytes:
    """Everything that is answered until the server closes the connection."""
    told = b""
    while received := connection.recv(1 << 16):
        told += received
    return told


def until_quiet(connection: socket.socket, seconds: float) -> bytes:
    """What is answered until nothing has come for so long, or the server has closed the connection."""
    connection.settimeout(seconds)
    told = b""
    with suppress(OSError):
        while received := connection.recv(1 << 16):
            told += received
    return told


def answers(told: bytes) -> list[int]:
    """The status codes of a connection, in order; 100 Continue is no answer."""
    return [int(status) for status in STATUS.findall(told) if status != b"100"]


class Pulse:
    """Asks for /healthz again and again; `slowest` is the longest that it ever took, in seconds."""

    def __init__(self, port: int) -> None:
        self._port, self._ended = port, threading.Event()
        self.slowest, self.beats = 0.0, 0

    def beat(self) -> None:
        while not self._ended.wait(0.02):
            started = time.monotonic()
            with connected(self._port) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert answers(until_closed(connection)) == [200]
            self.slowest, self.beats = max(self.slowest, time.monotonic() - started), self.beats + 1

    def end(self) -> None:
        self._ended.set()


@contextmanager
def pulse(port: int) -> Iterator[Pulse]:
    """A pulse for the length of a block; one that found no answer fails the test through its number of beats."""
    found = Pulse(port)
    thread = threading.Thread(target=found.beat, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.end()
        thread.join(ANSWER_S_MAX)
