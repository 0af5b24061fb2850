"""Limits on time: requests per caller, and the response quantum that hides how long the data took."""

import math
import time

from flask import Flask, current_app, g
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from api.errors import Refusal
from api.services import services


class Limiter:
    """Counts requests in fixed windows, in this process."""

    def __init__(self, text: str) -> None:
        self._rate: RateLimitItem = parse(text)
        self._counter = FixedWindowRateLimiter(MemoryStorage())

    def hit(self, name: str) -> None:
        """Count one request of `name`; refuse it if the window is full."""
        if not self._counter.hit(self._rate, name):
            window = self._counter.get_window_stats(self._rate, name)
            wait = max(1, math.ceil(window.reset_time - time.time()))
            raise Refusal("rate_limited", expected=str(wait), headers={"Retry-After": str(wait)})


def install(app: Flask, rate: str) -> None:
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
