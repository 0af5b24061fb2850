"""Limits on time: requests per caller, and the response quantum that hides how long the data took."""

import math
import threading
import time

from flask import Flask, current_app, g

from api.http.problems import RequestRefused
from api.services import services
from api.settings import Rate


class Limiter:
    """Counts requests in fixed windows, in this process."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._window = 0
        self._counts: dict[str, int] = {}

    def hit(self, name: str) -> None:
        """Count one request of `name`; refuse it if the window is full."""
        now = time.time()
        with self._lock:
            if (window := int(now // self._rate.seconds)) != self._window:
                self._window, self._counts = window, {}
            self._counts[name] = count = self._counts.get(name, 0) + 1
        if count > self._rate.requests:
            wait = math.ceil((window + 1) * self._rate.seconds - now)
            raise RequestRefused("rate_limited", expected=str(wait), headers={"Retry-After": str(wait)})


def install(app: Flask, rate: Rate) -> None:
    """Give the application its limiter."""
    app.extensions["sudare_limiter"] = Limiter(rate)


def count_request(name: str) -> None:
    """Count a request of an authenticated caller."""
    limiter: Limiter = current_app.extensions["sudare_limiter"]
    limiter.hit(name)


def wait_for_quantum() -> None:
    """Sleep to the next multiple of the response quantum since the request arrived."""
    quantum = services().settings.response_quantum_ms / 1000
    if quantum:
        elapsed = time.monotonic() - g.arrived
        time.sleep(math.ceil(elapsed / quantum) * quantum - elapsed)
