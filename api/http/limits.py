"""Limits: bytes a request, requests a caller, and the response quantum that hides how long the data took."""

import math
import threading
import time

from flask import Flask, current_app

from api.http.headers import elapsed_s
from api.http.identity import caller
from api.http.problems import RequestRefused
from api.http.wire import BODY_BYTES_MAX
from api.services import services
from api.settings import Rate

LIMITER = "sudare_limiter"
UNITS_PER_REQUEST = 1_000
"""Counted work that weighs like one more request: a millisecond or so, with the default rate 60 seconds a minute."""
BYTES_PER_REQUEST = 2_000
"""Bytes of a body that take about as long to be read as a small request takes."""


class Limiter:
    """Counts requests in fixed windows, in this process."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._window = 0
        self._counts: dict[str, int] = {}

    def hit(self, name: str, cost: int = 1) -> None:
        """Count a request of `name`, or work as that many requests; refuse it if the window is full."""
        now = time.time()
        with self._lock:
            # The counts of a window are dropped with it, so memory holds the callers of one window at most.
            if (window := int(now // self._rate.seconds)) != self._window:
                self._window, self._counts = window, {}
            self._counts[name] = count = self._counts.get(name, 0) + cost
        if count > self._rate.requests:
            wait = math.ceil((window + 1) * self._rate.seconds - now)
            raise RequestRefused("rate_limited", expected=str(wait), headers={"Retry-After": str(wait)})


def install(app: Flask) -> None:
    """Give the application its limits: of the wire, and of the settings."""
    # No form is read anywhere: whatever calls itself one has no bytes at all.
    app.config.update(MAX_CONTENT_LENGTH=BODY_BYTES_MAX, MAX_FORM_MEMORY_SIZE=0)
    app.extensions[LIMITER] = Limiter(Rate.read(app.extensions["sudare"].settings.rate_limit))


def count_request(name: str) -> None:
    """Count a request of an identified caller."""
    limiter: Limiter = current_app.extensions[LIMITER]
    limiter.hit(name)


def count_body(size: int) -> None:
    """Count a large body like so many requests of its caller: reading it takes as long."""
    limiter: Limiter = current_app.extensions[LIMITER]
    limiter.hit(caller().name, size // BYTES_PER_REQUEST)


def count_work(units: int) -> None:
    """Count the work that a question takes to be prepared, like so many requests of its caller."""
    limiter: Limiter = current_app.extensions[LIMITER]
    limiter.hit(caller().name, units // UNITS_PER_REQUEST)


def wait_for_quantum() -> None:
    """Sleep to the next multiple of the response quantum since the request arrived."""
    # How long the exact aggregates took depends on the data, and noise protects numbers only, not the clock.
    quantum = services().settings.response_quantum_ms / 1000
    if quantum:
        elapsed = elapsed_s()
        time.sleep(math.ceil(elapsed / quantum) * quantum - elapsed)
