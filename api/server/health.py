"""Whether the server lives (/healthz) and whether it can answer (/readyz)."""

import os

import structlog
from flask import Blueprint, Response

from api.http.answers import json_response
from api.http.problems import RequestRefused
from api.services import services
from datasets.engines.errors import EngineUnavailable

log = structlog.get_logger("sudare")
blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """The process answers."""
    return json_response({"status": "ok"})


@blueprint.get("/readyz")
def ready() -> Response:
    """The database answers and its tables are this program's, and the data of all datasets that serve can be opened."""
    found = services()
    found.store.must_be_current()
    found.people.prove_secret()
    if not os.access(found.settings.data_dir, os.R_OK | os.W_OK):
        # Only the log says where: this needs no key, and a stranger is not to learn how the server is set up.
        log.error("data directory unavailable", folder=str(found.settings.data_dir))
        raise RequestRefused("unavailable")
    try:
        found.readiness.must_be_open()
    # The log has said of which: a stranger learns no more than of any other reason.
    except EngineUnavailable:
        raise RequestRefused("unavailable") from None
    return json_response({"status": "ready"})
