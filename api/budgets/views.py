"""Budgets and the journal: GET /v1/budgets for everybody, grants and the journal for administrators."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from api.budgets.balances import PRICE_NAMES, balance
from api.http import wire
from api.http.blueprints import Blueprint
from api.http.identity import allowed, caller
from api.http.problems import RequestRefused
from api.queries.answers import BudgetsSchema, GrantAnswerSchema, GrantsSchema, JournalSchema
from api.queries.schemas import DecisionSchema, GrantSchema, PageSchema
from api.services import services
from datasets.catalog import DatasetVersion, LineageMembers, NoSuchDataset
from datasets.ledger.ledger import Account, Grant
from privacy.budget import InvalidAmount, Price
from privacy.query import Problem
from privacy.schema import Measure

blueprint = Blueprint("budgets", __name__, description="Privacy budgets, grants and the journal.")


@blueprint.route("/v1/budgets", methods=["GET"])
@allowed()
@blueprint.response(200, BudgetsSchema)
def budgets() -> Response:
    """Your accounts: what you, your organisation and each dataset were granted and have spent.

    Amounts are ε, or ρ where `measure` is zcdp; `spent_as` then tells the spent ρ as (ε, δ). A view has no
    accounts of its own: each of its sources' pays.
    """
    members = services().catalog.lineage_members()
    states = services().ledger.accounts_of_user(user=caller().name)
    items = [
        {
            "dataset": name,
            "account": f"{state.kind}:{name if state.kind == 'dataset' else state.holder}",
            **balance(state, members[state.lineage]),
        }
        for state in states
        if state.lineage in members
        for name in members[state.lineage].names
    ]
    return _json({"items": items})


@blueprint.route("/v1/grants", methods=["POST"])
@allowed("administrator")
@blueprint.arguments(GrantSchema)
@blueprint.response(201, GrantAnswerSchema)
def grant(asked: dict[str, Any]) -> Response:
    """Grant budget with a reason.

    To a user or an organisation it takes effect at once, under the dataset's cap; raising the cap itself
    waits for a second administrator. The dataset is named by its id. The amount is `epsilon`, or `rho` where
    the dataset's measure is zcdp.
    """
    held = _dataset(asked["dataset"])
    account = _account(asked, held.lineage)
    name, amount = _amount(asked, held.schema.measure)
    try:
        made = services().ledger.grant(
            lineage=held.lineage,
            account=account,
            amount=amount,
            reason=asked["reason"],
            requested_by=caller().name,
        )
    except InvalidAmount:
        # Only here is it known under which name the amount was sent.
        raise _refused(f"/{name}", "above_lifetime_limit", str(amount)) from None
    return _granted(made, 201)


@blueprint.route("/v1/grants", methods=["GET"])
@allowed("administrator")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, GrantsSchema)
def grants(page: dict[str, Any]) -> Response:
    """All grants, newest first, with the people who answer for them."""
    limit = page["limit"]
    found = services().ledger.grants(after=page.get("after"), limit=limit + 1)
    following = found[limit - 1].id if len(found) > limit else None
    members = services().catalog.lineage_members()
    return _json({"items": [_grant(made, members) for made in found[:limit]], "next": following})


@blueprint.route("/v1/grants/<id>/decision", methods=["POST"])
@allowed("administrator")
@blueprint.arguments(DecisionSchema)
@blueprint.response(200, GrantAnswerSchema)
def decide(asked: dict[str, Any], id: str) -> Response:
    """Approve or decline a pending grant. Whoever asked for it cannot approve it."""
    ledger = services().ledger
    act = ledger.approve if asked["decision"] == "approve" else ledger.decline
    return _granted(act(grant_id=id, decided_by=caller().name), 200)


@blueprint.route("/v1/journal", methods=["GET"])
@allowed("administrator")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, JournalSchema)
def journal(page: dict[str, Any]) -> Response:
    """The hash-chained journal of all datasets, in order."""
    limit = page["limit"]
    found = services().ledger.journal(after=_place(page.get("after")), limit=limit + 1)
    items = [
        {
            "lineage": line.lineage,
            "number": line.number,
            "head": line.head,
            "entry": wire.parse(line.body.encode()),
        }
        for line in found[:limit]
    ]
    last = found[limit - 1] if len(found) > limit else None
    return _json({"items": items, "next": f"{last.lineage}:{last.number}" if last else None})


def _place(after: str | None) -> tuple[str, int] | None:
    """Where a page of the journal begins: lineage:number."""
    if after is None:
        return None
    lineage, _, number = after.rpartition(":")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise _refused("/after", "bad_place", after)
    return lineage, int(number)


def _account(asked: dict[str, Any], lineage: str) -> Account:
    named = [name for name in ("user", "organisation", "dataset_cap") if asked.get(name)]
    if len(named) != 1:
        raise _refused("", "choose_one", None, "user, organisation, dataset_cap")
    if named[0] == "dataset_cap":
        return Account(kind="dataset", holder=lineage)
    return Account(kind=named[0], holder=asked[named[0]])  # type: ignore[arg-type]


def _amount(asked: dict[str, Any], measure: Measure) -> tuple[str, Price]:
    """The amount and under which name it was given: the one that fits the measure."""
    given = [name for name in PRICE_NAMES.values() if name in asked]
    if len(given) != 1:
        raise _refused("", "choose_one", None, ", ".join(PRICE_NAMES.values()))
    if given[0] != PRICE_NAMES[measure]:
        raise _refused(f"/{given[0]}", "wrong_measure", given[0], PRICE_NAMES[measure])
    return given[0], asked[given[0]]


def _dataset(id: str) -> DatasetVersion:
    """A dataset with accounts of its own."""
    try:
        held = services().catalog.current(id)
    except NoSuchDataset:
        # In a body a name that does not exist is a wrong value, not a missing page.
        raise _refused("/dataset", "unknown_dataset", id) from None
    if held.is_view:
        raise _refused("/dataset", "is_a_view", id, ", ".join(held.sources))
    return held


def _granted(made: Grant, status: int) -> Response:
    response = _json(_grant(made, services().catalog.lineage_members()))
    response.status_code = status
    return response


def _grant(made: Grant, members: Mapping[str, LineageMembers]) -> dict[str, Any]:
    family = members[made.lineage]
    dataset = family.names[0]
    holder = dataset if made.account.kind == "dataset" else made.account.holder
    return {
        "id": made.id,
        "dataset": dataset,
        "account": f"{made.account.kind}:{holder}",
        PRICE_NAMES[family.measure]: str(made.amount),
        "reason": made.reason,
        "state": made.state,
        "requested_by": made.requested_by,
        "decided_by": made.decided_by,
        "at": made.at,
    }


def _refused(pointer: str, reason: str, given: object, expected: object = None) -> RequestRefused:
    place = Problem(pointer=pointer, reason=reason, given=given, expected=expected)
    return RequestRefused("invalid_query", errors=[place])


def _json(value: dict[str, Any]) -> Response:
    return Response(wire.dumps(value), content_type="application/json")
