"""The log: JSON lines on standard output, one a request.

It holds routes, never paths or queries, and neither literals of questions nor results.
"""

import logging
import sys

import structlog
from flask import Flask, Response, g, request

from api.http.headers import elapsed_s, request_id
from api.server.routes import method_name, route_name

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
    """Log every request of the application."""
    app.after_request(_log)


def _log(response: Response) -> Response:
    # Load balancers ask for these every few seconds: they would drown the rest.
    if route_name() not in QUIET:
        who = g.get("caller")
        log.info(
            "request",
            method=method_name(unknown="other"),
            route=route_name(),
            status=response.status_code,
            # The code of a refusal and not its detail, which may quote the caller.
            code=g.get("problem_code"),
            ms=round(elapsed_s() * 1000, 1),
            user=who.name if who else None,
            # Of a trusted proxy's client; a unix socket's has none.
            client=request.remote_addr or None,
            request_id=request_id(),
        )
    return response
