"""Whether the server lives (/healthz) and whether it can answer (/readyz)."""

import os

from flask import Blueprint, Response

from api.http.answers import json_response
from api.http.problems import RequestRefused
from api.services import services
from datasets.database.store import is_current

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """The process answers."""
    return json_response({"status": "ok"})


@blueprint.get("/readyz")
def ready() -> Response:
    """The database answers and is at the newest revision, and the data directory is there."""
    found = services()
    # The cause stays in here: this needs no key, and a stranger is not to learn how the server is set up.
    if not (is_current(found.store) and os.access(found.settings.data_dir, os.R_OK | os.W_OK)):
        raise RequestRefused("unavailable")
    return json_response({"status": "ready"})
