"""Budgets and the journal: GET /v1/budgets for everybody, grants and the journal for administrators and auditors."""

from typing import Any

from flask import Response

from api.budgets.balances import balance
from api.budgets.schemas import (
    BudgetsSchema,
    DecisionSchema,
    GrantAnswerSchema,
    GrantSchema,
    GrantsSchema,
    JournalSchema,
)
from api.http import wire
from api.http.answers import json_response
from api.http.blueprints import Blueprint
from api.http.identity import caller
from api.http.operations import refuses
from api.http.paging import PageRequest, PageSchema
from api.http.problems import RequestRefused
from api.http.roles import allowed
from api.services import services
from datasets.budgets.service import GrantRequest, account_name
from datasets.ledger.journal import JournalEntry
from privacy.query import Problem

blueprint = Blueprint("budgets", __name__, description="Privacy budgets, grants and the journal.")
NUMBER_DIGITS_MAX = 18  # of what fits 64 bits


@blueprint.route("/v1/budgets", methods=["GET"])
@allowed()
@blueprint.response(200, BudgetsSchema)
def budgets() -> Response:
    """Your accounts: what you, your organisation, each dataset and its population were granted and have spent.

    A population's account is one for all of its datasets, and is listed with each of yours. Amounts are ε, or ρ where
    `measure` is zcdp; `spent_as` then tells the spent ρ as (ε, δ). A view has no accounts of its own: each of its
    sources' pays.
    """
    members = services().catalog.lineage_members()
    states = services().ledger.accounts_of_user(user=caller().name)
    own = {name for state in states if state.kind == "user" for name in members[state.lineage].names}
    items = [
        {
            "dataset": name,
            "account": account_name(state.account, name),
            **balance(state, members[state.lineage]),
        }
        for state in states
        # What has no limit limits nobody, so it is no budget of theirs.
        if state.is_limited and state.lineage in members
        for name in members[state.lineage].names
        # A population is shown with each of the reader's datasets; names of others are not theirs to know.
        if name in own
    ]
    return json_response({"items": items})


@blueprint.route("/v1/grants", methods=["POST"])
@allowed("administrator")
@blueprint.arguments(GrantSchema)
@blueprint.response(201, GrantAnswerSchema)
def grant(asked: dict[str, Any]) -> Response:
    """Grant budget with a reason, or take back what is unspent.

    To a user or an organisation it takes effect at once, under the dataset's cap; raising the cap itself, or that of
    a population, waits for a second administrator. Lowering takes effect at once and never goes below what was spent.
    The dataset is named by its id; a population stands without one. The first grant to a population sets its cap:
    the total for ever, of which what was spent before is a part. The amount is `epsilon`, or `rho` where the
    measure is zcdp.
    """
    made = services().budgets.grant(GrantRequest(**asked, requested_by=caller().name))
    return json_response(made.as_json(), 201)


@blueprint.route("/v1/grants", methods=["GET"])
@allowed("administrator", "auditor")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, GrantsSchema)
def grants(asked: PageRequest) -> Response:
    """All grants, newest first, with the people who answer for them."""
    found = services().budgets.grants(after=asked.after, limit=asked.rows_wanted)
    page = asked.cut(found, lambda made: made.grant.id)
    return json_response({"items": [made.as_json() for made in page.rows], "next": page.next})


@blueprint.route("/v1/grants/<id>/decision", methods=["POST"])
@allowed("administrator")
@refuses("not_found", "conflict")
@blueprint.arguments(DecisionSchema)
@blueprint.response(200, GrantAnswerSchema)
def decide(asked: dict[str, Any], id: str) -> Response:
    """Approve or decline a pending grant, or return it with what is missing. Whoever asked may only decline it."""
    made = services().budgets.decide(grant_id=id, decided_by=caller().name, **asked)
    return json_response(made.as_json())


@blueprint.route("/v1/journal", methods=["GET"])
@allowed("administrator", "auditor")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, JournalSchema)
def journal(asked: PageRequest) -> Response:
    """The hash-chained journal of all datasets, in order.

    Lines of the installation itself (organisations, users, keys, stops) stand in a chain whose name begins with
    `installation:`. Of a key they hold the keyed digest, which opens nothing.
    """
    found = services().ledger.journal(after=_place(asked.after), limit=asked.rows_wanted)
    page = asked.cut(found, lambda line: f"{line.lineage}:{line.number}")
    return json_response({"items": [_line(line) for line in page.rows], "next": page.next})


def _line(line: JournalEntry) -> dict[str, Any]:
    # The strict reader, because the hash is over the text: what it would not read back the same, it refuses.
    entry = wire.parse(line.body.encode())
    return {"lineage": line.lineage, "number": line.number, "head": line.head, "entry": entry}


def _place(after: str | None) -> tuple[str, int] | None:
    """Where a page of the journal begins: lineage:number."""
    if after is None:
        return None
    # From the right: a number holds no colon, whatever a lineage may hold one day.
    lineage, _, number = after.rpartition(":")
    if not (number.isascii() and number.isdigit() and len(number) <= NUMBER_DIGITS_MAX):
        place = Problem(pointer="/after", reason="bad_place", given=after)
        raise RequestRefused("invalid_query", errors=[place])
    return lineage, int(number)
