"""Whether the server lives (/healthz), can answer (/readyz), and how it fares (/metrics, administrators)."""

import os

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess

from api.http import wire
from api.http.identity import allowed
from api.http.problems import RequestRefused
from api.services import services
from datasets.database.store import is_current

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """The process answers."""
    return _json({"status": "ok"})


@blueprint.get("/readyz")
def ready() -> Response:
    """The database answers and is at the newest revision, and the data directory is there."""
    found = services()
    if not (is_current(found.store) and os.access(found.settings.data_dir, os.R_OK | os.W_OK)):
        raise RequestRefused("unavailable")
    return _json({"status": "ready"})


@blueprint.get("/metrics")
@allowed("administrator")
def metrics() -> Response:
    """Prometheus metrics of all workers. Needs an administrator's key: it is not public."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _json(value: dict[str, str]) -> Response:
    return Response(wire.dumps(value), content_type="application/json")
