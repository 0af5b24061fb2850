"""The real server as a child process, and a small client that keeps its connection."""

import contextlib
import http.client
import json
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from bench.code import NOW, Code
from bench.town import Town


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server; `start_s` is the time from its start to its first ready answer."""

    address: str
    process: "subprocess.Popen[str]"
    start_s: float

    def workers_rss_mib(self) -> float:
        """Resident memory of the largest worker."""
        children = psutil.Process(self.process.pid).children()
        return max(child.memory_info().rss for child in children) / 2**20


@contextlib.contextmanager
def serving(town: Town, code: Code = NOW) -> Iterator[Server]:
    """Serve the town on a free port, by the code that made it, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = town.environment | {"SUDARE_BIND": address, "SUDARE_LOG_LEVEL": "warning"}
    started = time.perf_counter()
    process = code.start("-m", "api", "serve", environment=environment)
    try:
        while not _ready(address):
            if process.poll() is not None:
                raise RuntimeError("the server did not start")
            time.sleep(0.01)
        yield Server(address=address, process=process, start_s=time.perf_counter() - started)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _ready(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=5)
    with contextlib.suppress(OSError), contextlib.closing(connection):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    return False


class Client:
    """Asks over one kept connection."""

    def __init__(self, address: str, key: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=600)
        self._key = key

    def ask(self, question: Mapping[str, Any], idempotency_key: str | None = None) -> bytes:
        """The answer's bytes; a new question each time unless a key is repeated."""
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key or secrets.token_hex(8),
        }
        return self._asked("POST", "/v1/datasets/town/queries", headers, json.dumps(question))

    def again(self, id: str, media_type: str) -> bytes:
        """An earlier answer in a format."""
        return self._asked("GET", f"/v1/queries/{id}", {"Accept": media_type})

    def _asked(self, method: str, path: str, headers: dict[str, str], body: str | None = None) -> bytes:
        headers |= {"Authorization": f"Bearer {self._key}"}
        try:
            response = self._sent(method, path, body, headers)
        except (OSError, http.client.HTTPException):  # the server ended a connection that was idle
            self._connection.close()
            response = self._sent(method, path, body, headers)
        answer = response.read()
        if response.status != http.client.OK:
            raise RuntimeError(answer.decode())
        return answer

    def _sent(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        self._connection.request(method, path, body, headers)
        return self._connection.getresponse()
