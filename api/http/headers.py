"""A name and an arrival time for every request, and the headers that guard every response."""

import secrets
import time

from flask import Flask, Response, g

GUARDS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def install(app: Flask) -> None:
    """Name, time and guard every request."""
    app.before_request(_arrive)
    app.after_request(_guard)


def request_id() -> str:
    """The name of this request, in its response and in the log."""
    return str(g.get("request_id", ""))


def elapsed_s() -> float:
    """Seconds since this request arrived."""
    now = time.monotonic()
    return float(now - g.get("arrived", now))


def _arrive() -> None:
    # Not the wall clock, which may be set back while a request runs.
    g.arrived = time.monotonic()
    g.request_id = f"r_{secrets.token_hex(10)}"


def _guard(response: Response) -> Response:
    response.headers["X-Request-Id"] = request_id()
    # Pages set a policy of their own that lets their scripts run, and assets may be cached: theirs stand.
    for name, value in GUARDS.items():
        response.headers.setdefault(name, value)
    return response
