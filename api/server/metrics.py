"""Prometheus metrics: requests by route and status, and how long they took. Not public: /metrics needs a key."""

import os

from flask import Blueprint, Flask, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)

from api.http.headers import elapsed_s
from api.http.roles import allowed
from api.server.routes import method_name, route_name

# Made at import: the registry belongs to the process, and an application made twice would register them twice.
REQUESTS = Counter("sudare_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("sudare_request_seconds", "Time to answer.", ["route"])
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
blueprint = Blueprint("metrics", __name__)


def install(app: Flask) -> None:
    """Count and time every request of the application."""
    app.after_request(_count)


def _count(response: Response) -> Response:
    REQUESTS.labels(method_name(unknown="none"), route_name(), response.status_code).inc()
    SECONDS.labels(route_name()).observe(elapsed_s())
    return response


@blueprint.get("/metrics")
@allowed("administrator")
def metrics() -> Response:
    """Prometheus metrics of all workers. Needs an administrator's key: it is not public."""
    registry = REGISTRY
    if MULTIPROCESS in os.environ:
        # Each worker keeps counters of its own in files; a reader wants their sums, whichever worker answers.
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
