"""Asking, and reading again what was told: POST /v1/datasets/{id}/queries and /v1/queries."""

import contextlib
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Response, g, request

from api.formats import AVAILABLE, JSON, chosen, content_type, rendered
from api.http import wire
from api.http.blueprints import Blueprint, json_body
from api.http.identity import allowed, caller
from api.http.limits import wait_for_quantum
from api.http.problems import RequestRefused
from api.queries.answers import AnswerSchema, HistorySchema
from api.queries.schemas import PageSchema, QuerySchema, WorkloadSchema, to_query
from api.services import services
from datasets.ledger.errors import NoAnswer
from datasets.ledger.ledger import StoredAnswer
from datasets.queries.errors import AnswerFailed, Conflict
from datasets.queries.service import QueryRequest, digest_of, joined
from privacy.query import Query

blueprint = Blueprint("queries", __name__, description="Ask a question; read an answer again.")
View = TypeVar("View", bound=Callable[..., Any])
KEY = re.compile(r'"[\x21\x23-\x7e]{1,255}"|[\x21\x23-\x7e]{1,255}')


def replayed_first(view: View) -> View:
    """Give a retry its first answer before its body is looked at any closer than to see that it is the same."""

    @wraps(view)
    def answered(*args: Any, **kwargs: Any) -> Any:
        body, key = json_body(), request.headers.get("Idempotency-Key", "")
        if KEY.fullmatch(key) and isinstance(body, dict) and body.get("mode", "run") == "run":
            with contextlib.suppress(NoAnswer, Conflict, wire.NotCanonical):
                kind = _format()
                text = wire.canonical(body)
                stored, told = services().queries.replay_whole(
                    user=caller().name, key=key.strip('"'), digest=digest_of(kwargs["id"], text)
                )
                return _stored_response(stored, told, kind)
        return view(*args, **kwargs)

    return answered  # type: ignore[return-value]


@blueprint.route("/v1/datasets/<id>/workloads", methods=["POST"])
@allowed("analyst")
@replayed_first
@blueprint.arguments(WorkloadSchema)
@blueprint.response(200, AnswerSchema)
def ask_workload(loaded: dict[str, Any], id: str) -> Response:
    """Ask for several tables at once, at one price for all.

    The server chooses what to measure so that the total squared error is least, estimates all tables from
    that, and says so in a quote's `strategy`. The answer's rows stand table after table; a key that a table
    does not have is told as its total. Otherwise as for one question.
    """
    return ask_query(to_query(loaded), id)


@blueprint.route("/v1/datasets/<id>/queries", methods=["POST"])
@allowed("analyst")
@replayed_first
@blueprint.arguments(QuerySchema)
@blueprint.response(200, AnswerSchema)
def ask(loaded: dict[str, Any], id: str) -> Response:
    """Ask a question of a dataset.

    `run` needs an Idempotency-Key and charges the accounts; the same key gives the same bytes for ever.
    `quote` and `dummy` open no data and cost nothing.
    """
    return ask_query(to_query(loaded), id)


def ask_query(query: Query, id: str) -> Response:
    """Quote, rehearse or answer."""
    kind, queries = _format(), services().queries
    key = _key(required=query.mode == "run")
    if query.mode == "quote":
        return _respond(wire.dumps(queries.quote(caller(), id, query)), JSON)
    if query.mode == "dummy":
        return _respond(rendered(wire.dumps(queries.rehearse(caller(), id, query)), kind), kind)
    asked = QueryRequest(caller=caller(), dataset=id, query=query, key=key, text=wire.canonical(g.body))
    return _answered(asked, kind)


def _answered(asked: QueryRequest, kind: str) -> Response:
    try:
        stored = services().queries.answer(asked)
    finally:
        wait_for_quantum()
    return _stored_response(stored, services().queries.table_of(stored), kind)


def _stored_response(stored: StoredAnswer, told: bytes, kind: str) -> Response:
    body = rendered(joined(stored, told), kind)
    response = _respond(body, kind)
    response.headers["Content-Location"] = f"/v1/queries/{stored.id}"
    response.headers["Link"] = f'</v1/queries/{stored.id}>; rel="self", </v1/budgets>; rel="budget"'
    response.headers["Sudare-Query-Id"] = stored.id
    response.headers["Sudare-Charge"] = str(stored.charge)
    return response


@blueprint.route("/v1/queries", methods=["GET"])
@allowed()
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, HistorySchema)
def history(page: dict[str, Any]) -> Response:
    """Your own answers, newest first; `next` is the `after` of the page behind."""
    limit = page["limit"]
    found = services().ledger.history(user=caller().name, after=page.get("after"), limit=limit + 1)
    items = [
        {
            "id": stored.id,
            "dataset": {"id": stored.dataset, "version": stored.version},
            "asked_at": stored.asked_at,
            "outcome": stored.outcome,
            "charged": str(stored.charge),
            "fingerprint": stored.fingerprint,
        }
        for stored in found[:limit]
    ]
    following = found[limit - 1].id if len(found) > limit else None
    response = _respond(wire.dumps({"items": items, "next": following}), JSON)
    if following:
        response.headers["Link"] = f'</v1/queries?limit={limit}&after={following}>; rel="next"'
    return response


@blueprint.route("/v1/queries/<id>", methods=["GET"])
@allowed()
@blueprint.response(200, AnswerSchema)
def again(id: str) -> Response:
    """One of your answers as it was told, in any format, free of charge."""
    kind = _format()
    stored = services().ledger.answer(id=id, user=caller().name)
    if stored.outcome == "failed":
        raise AnswerFailed
    response = _stored_response(stored, services().queries.table_of(stored), kind)
    response.add_etag()
    response.make_conditional(request)
    return response


def _format() -> str:
    """The answer's format, settled before anything is read or charged."""
    kind = chosen(request.accept_mimetypes)
    if kind is None:
        raise RequestRefused("not_acceptable", expected=", ".join(AVAILABLE))
    return kind


def _key(*, required: bool) -> str:
    """The idempotency key; a malformed one is refused even where none is needed."""
    key = request.headers.get("Idempotency-Key", "")
    if not KEY.fullmatch(key) and (required or "Idempotency-Key" in request.headers):
        raise RequestRefused("precondition_required")
    return key.strip('"')


def _respond(body: bytes, kind: str) -> Response:
    response = Response(body, content_type=content_type(kind))
    response.headers["Vary"] = "Accept"
    return response
