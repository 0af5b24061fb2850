"""A view without a key: described as such, and its address is checked like that of any other."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from small_town import Town

from api.description.openapi import operations
from api.http.answers import json_response
from api.http.blueprints import Blueprint
from api.http.roles import public
from datasets.database.closed_lists import ROLES


@pytest.fixture
def app(template: Town) -> Any:
    """The town's server with one more view, which nobody needs a key for."""
    app = template.open().app
    blueprint = Blueprint("figures", __name__, description="Figures for everybody.")

    @blueprint.route("/v1/figures/<id>", methods=["GET"])
    @public
    def figure(id: str) -> Any:
        """A figure."""
        return json_response({"id": id})

    app.register_blueprint(blueprint)
    app.test_client_class = FlaskClient  # the view is not in openapi.yaml, against which others are held
    return app


def test_it_is_answered_without_a_key(app: Any) -> None:
    assert app.test_client().get("/v1/figures/one").json == {"id": "one"}


def test_it_says_that_it_needs_none(app: Any) -> None:
    roles = {path: operation.roles for path, _, operation in operations(app)}
    assert roles["/v1/figures/{id}"] is None
    assert set(roles["/v1/datasets"]) == set(ROLES) - {"monitor"}


@pytest.mark.parametrize("path", ["/v1/figures/one?mode=quote", "/v1/figures/one?a=1&a=2"])
def test_a_parameter_that_nobody_reads_is_refused(app: Any, path: str) -> None:
    refused = app.test_client().get(path)
    assert (refused.status_code, refused.json["code"]) == (422, "invalid_query")


def test_a_name_with_nul_is_not_found(app: Any) -> None:
    assert app.test_client().get("/v1/figures/a%00b").status_code == 404
