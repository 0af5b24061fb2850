"""Asking, and reading answers again: POST /v1/datasets/{id}/queries and /workloads, GET /v1/queries."""

from typing import Any

from flask import Response, g, request

from api.formats.registry import TABLE_FORMATS
from api.http import wire
from api.http.addresses import address
from api.http.answers import JSON_TYPE
from api.http.blueprints import Blueprint
from api.http.changes import with_changes
from api.http.identity import caller
from api.http.limits import count_work, wait_for_quantum
from api.http.operations import answer_format, formats, refuses
from api.http.problems import RequestRefused
from api.http.roles import MONITOR, allowed
from api.queries.answers import AnswerSchema, HistorySchema
from api.queries.display import Display, DisplaySchema
from api.queries.history import HistoryPageSchema, HistoryRequest
from api.queries.idempotency import idempotency_key, idempotent
from api.queries.question import json_text, question_text
from api.queries.rendering import answer_response, settled_response
from api.queries.schemas import QUERY_EXAMPLE, WORKLOAD_EXAMPLE, QuerySchema, WorkloadSchema, to_query
from api.services import services
from datasets.database.closed_lists import ROLES
from datasets.ledger.answers import StoredAnswer
from datasets.queries.answer import SettledAnswer, told_in
from datasets.queries.service import QueryRequest
from privacy.query import Query

blueprint = Blueprint("queries", __name__, description="Ask a question; read an answer again.")
AUDITOR, OVERSEERS = "auditor", ("auditor", "administrator")
ASKING = (
    *("not_found", "gone", "budget_exhausted", "above_query_limit", "accuracy_not_reachable"),
    *("planning_too_dear", "planning_busy", "engine_unavailable"),
)
"""What a question may be refused for, whichever way it is asked."""


@blueprint.route("/v1/datasets/<id>/workloads", methods=["POST"])
@allowed("analyst")
@blueprint.arguments(DisplaySchema, location="query")
@idempotent
@refuses(*ASKING)
@formats(*TABLE_FORMATS)
@blueprint.arguments(WorkloadSchema, example=WORKLOAD_EXAMPLE)
@blueprint.response(200, AnswerSchema)
def ask_workload(shown: Display, loaded: dict[str, Any], id: str) -> Response:
    """Ask for several tables at once, at one price for all.

    The server chooses what to measure so that the total squared error is least, estimates all tables from
    that, and says so in a quote's `strategy`. The answer's rows stand table after table; a key that a table
    does not have is told as its total. Otherwise as for one question.
    """
    return ask_query(to_query(loaded), id, shown)


@blueprint.route("/v1/datasets/<id>/queries", methods=["POST"])
@allowed("analyst")
@blueprint.arguments(DisplaySchema, location="query")
@idempotent
@refuses(*ASKING)
@formats(*TABLE_FORMATS)
@blueprint.arguments(QuerySchema, example=QUERY_EXAMPLE)
@blueprint.response(200, AnswerSchema)
def ask(shown: Display, loaded: dict[str, Any], id: str) -> Response:
    """Ask a question of a dataset.

    `run` needs an Idempotency-Key and charges the accounts; the same key gives the same bytes for ever.
    `quote` and `dummy` open no data and cost nothing.
    """
    return ask_query(to_query(loaded), id, shown)


def ask_query(query: Query, id: str, shown: Display) -> Response:
    """Quote, rehearse or answer."""
    # Format and key are settled first: what cannot be delivered or repeated must not be charged for.
    form, queries, question = answer_format(), services().queries, question_text(query)
    key = idempotency_key(required=query.mode == "run")
    if query.mode == "quote":
        # A quote has no table, so it is JSON in whatever format the answer is wanted.
        quoted = queries.quote(caller(), id, query, count_work)
        body = wire.dumps({**quoted, "notes": with_changes(quoted["notes"], g.body)})
        # As text: numbers of the question keep the digits of the caller.
        asked_for = f', "question": {question}}}'.encode()
        response = Response(body[:-1] + asked_for, content_type=JSON_TYPE)
        response.headers["Vary"] = "Accept"
        return response
    if query.mode == "dummy":
        rehearsed = queries.rehearse(caller(), id, query, question, count_work)
        return answer_response(rehearsed, form, shown, asked=question)
    asked = QueryRequest(
        caller=caller(),
        dataset=id,
        query=query,
        key=key,
        text=wire.canonical(g.body),
        question=question,
        admit=count_work,
    )
    return settled_response(_answered(asked), form, shown)


def _answered(asked: QueryRequest) -> SettledAnswer:
    try:
        return services().queries.answer(asked)
    finally:
        # Refusals wait as well: whether and when one is refused may depend on the data's size.
        wait_for_quantum()


@blueprint.route("/v1/queries", methods=["GET"])
@allowed()
@refuses("not_found")
@blueprint.arguments(HistoryPageSchema, location="query")
@blueprint.response(200, HistorySchema)
def history(asked: HistoryRequest) -> Response:
    """Your own answers, newest first; `next` is the `after` of the page behind.

    With `user`, for auditors and administrators alone, what that user asked: the questions, and nothing of their
    results.
    """
    if asked.user is not None:
        _must_oversee()
        services().people.user(asked.user)
    of = asked.user or caller().name
    found = services().ledger.history(user=of, after=asked.after, limit=asked.rows_wanted)
    page = asked.cut(found, lambda stored: stored.id)
    items = [_item(stored, with_user=asked.user is not None) for stored in page.rows]
    response = Response(json_text({"items": items, "next": page.next}).encode(), content_type=JSON_TYPE)
    response.headers["Vary"] = "Accept"
    if page.next:
        whose = f"user={asked.user}&" if asked.user else ""
        behind = address(f"/v1/queries?{whose}limit={asked.limit}&after={page.next}")
        response.headers["Link"] = f'<{behind}>; rel="next"'
    return response


@blueprint.route("/v1/queries/<id>", methods=["GET"])
@allowed(*(role for role in ROLES if role not in (MONITOR, AUDITOR)))
@refuses("not_found")
@formats(*TABLE_FORMATS)
@blueprint.arguments(DisplaySchema, location="query")
@blueprint.alt_response(304, description="Not modified", success=True)
@blueprint.response(200, AnswerSchema)
def again(shown: Display, id: str) -> Response:
    """One of your answers as it was told, in any format, free of charge."""
    form = answer_format()
    response = settled_response(services().queries.again(user=caller().name, id=id), form, shown)
    response.add_etag()
    response.make_conditional(request)
    return response


def _must_oversee() -> None:
    if caller().role not in OVERSEERS:
        raise RequestRefused("forbidden", expected=", ".join(OVERSEERS))


def _item(stored: StoredAnswer, *, with_user: bool) -> dict[str, Any]:
    """An answer in a list: what was asked, and never what was answered."""
    told = told_in(stored)
    return {
        "id": stored.id,
        "dataset": {"id": stored.dataset, "version": stored.version},
        "asked_at": stored.asked_at,
        "outcome": stored.outcome,
        "charged": str(stored.charge),
        "fingerprint": stored.fingerprint,
        # The strict reader, whose decimals stay what they were; of earlier versions the body as it was sent.
        "question": wire.parse(stored.question.encode()),
        **({} if told is None else {"question_text": told}),
        **({"user": stored.user} if with_user else {}),
    }
