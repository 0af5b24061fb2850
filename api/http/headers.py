"""What the operator sees: one JSON log line a request, metrics, and the headers that guard every response.

Logs and metrics hold routes, never paths or queries, and neither literals nor results.
"""

import logging
import secrets
import sys
import time

import structlog
from flask import Flask, Response, g, request
from prometheus_client import Counter, Histogram

REQUESTS = Counter("sudare_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("sudare_request_seconds", "Time to answer.", ["route"])
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
QUIET = ("/healthz", "/readyz", "/metrics")
log = structlog.get_logger("sudare")


def set_up_logs(level: str) -> None:
    """JSON lines on standard output from the given level up."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )


def install(app: Flask) -> None:
    """Time, name, log and guard every request."""
    app.before_request(_arrive)
    app.after_request(_leave)


def _arrive() -> None:
    g.arrived = time.monotonic()
    g.request_id = f"r_{secrets.token_hex(10)}"


def _leave(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    route = request.url_rule.rule if request.url_rule else "none"
    seconds = time.monotonic() - g.get("arrived", time.monotonic())
    REQUESTS.labels(request.method if request.url_rule else "none", route, response.status_code).inc()
    SECONDS.labels(route).observe(seconds)
    if route not in QUIET:
        who = g.get("caller")
        log.info(
            "request",
            method=request.method if request.url_rule else "other",
            route=route,
            status=response.status_code,
            code=g.get("problem_code"),
            ms=round(seconds * 1000, 1),
            user=who.name if who else None,
            request_id=g.get("request_id", ""),
        )
    return response
