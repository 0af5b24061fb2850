"""Budgets and the journal: GET /v1/budgets for everybody, grants and the journal for administrators."""

from typing import Any

from flask import Response

from api import wire
from api.answers import BudgetsSchema, GrantAnswerSchema, GrantsSchema, JournalSchema
from api.auth import allowed, caller
from api.blueprints import Blueprint
from api.errors import Refusal
from api.schemas import DecisionSchema, GrantSchema, PageSchema
from api.services import services
from datasets.ledger import Account, Grant, GrantDecided, NoSuchGrant, NoSuchHolder, SamePerson
from privacy.budget import InvalidAmount
from privacy.query import Problem

blueprint = Blueprint("budgets", __name__, description="Privacy budgets, grants and the journal.")


@blueprint.route("/v1/budgets", methods=["GET"])
@allowed()
@blueprint.response(200, BudgetsSchema)
def budgets() -> Response:
    """Your accounts: what you, your organisation and each dataset were granted and have spent."""
    names = _names()
    states = services().ledger.accounts_of_user(user=caller().name)
    items = [
        {
            "dataset": name,
            "account": f"{state.kind}:{name if state.kind == 'dataset' else state.holder}",
            "granted": str(state.granted),
            "spent": str(state.spent),
            "remaining": str(state.remaining),
        }
        for state in states
        for name in names.get(state.lineage, [])
    ]
    return _json({"items": items})


@blueprint.route("/v1/grants", methods=["POST"])
@allowed("administrator")
@blueprint.arguments(GrantSchema)
@blueprint.response(201, GrantAnswerSchema)
def grant(asked: dict[str, Any]) -> Response:
    """Grant budget with a reason.

    To a user or an organisation it takes effect at once, under the dataset's cap; raising the cap itself
    waits for a second administrator. The dataset is named by its id.
    """
    account = _account(asked)
    try:
        made = services().ledger.grant(
            lineage=_lineage(asked["dataset"]),
            account=account,
            amount=asked["epsilon"],
            reason=asked["reason"],
            requested_by=caller().name,
        )
    except NoSuchHolder:
        place = "/user" if account.kind == "user" else "/organisation"
        raise _refused(place, "unknown_holder", account.holder) from None
    except InvalidAmount:
        raise _refused("/epsilon", "above_lifetime_limit", str(asked["epsilon"])) from None
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
    return _json({"items": [_grant(made) for made in found[:limit]], "next": following})


@blueprint.route("/v1/grants/<id>/decision", methods=["POST"])
@allowed("administrator")
@blueprint.arguments(DecisionSchema)
@blueprint.response(200, GrantAnswerSchema)
def decide(asked: dict[str, Any], id: str) -> Response:
    """Approve or decline a pending grant. Whoever asked for it cannot approve it."""
    ledger = services().ledger
    act = ledger.approve if asked["decision"] == "approve" else ledger.decline
    try:
        return _granted(act(grant_id=id, decided_by=caller().name), 200)
    except NoSuchGrant:
        raise Refusal("not_found") from None
    except SamePerson:
        raise _refused("/decision", "same_person", asked["decision"]) from None
    except GrantDecided as decided:
        raise Refusal("conflict", expected=decided.state) from None


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


def _account(asked: dict[str, Any]) -> Account:
    named = [name for name in ("user", "organisation", "dataset_cap") if asked.get(name)]
    if len(named) != 1:
        raise _refused("", "choose_one", None, "user, organisation, dataset_cap")
    if named[0] == "dataset_cap":
        return Account(kind="dataset", holder=_lineage(asked["dataset"]))
    return Account(kind=named[0], holder=asked[named[0]])  # type: ignore[arg-type]


def _lineage(dataset: str) -> str:
    try:
        return services().catalog.current(dataset).lineage
    except LookupError:
        raise _refused("/dataset", "unknown_dataset", dataset) from None


def _names() -> dict[str, list[str]]:
    """Dataset ids by lineage."""
    names: dict[str, list[str]] = {}
    for held in services().catalog.all():
        names.setdefault(held.lineage, []).append(held.id)
    return names


def _granted(made: Grant, status: int) -> Response:
    response = _json(_grant(made))
    response.status_code = status
    return response


def _grant(made: Grant) -> dict[str, Any]:
    dataset = next(iter(_names().get(made.lineage, [made.lineage])))
    holder = dataset if made.account.kind == "dataset" else made.account.holder
    return {
        "id": made.id,
        "dataset": dataset,
        "account": f"{made.account.kind}:{holder}",
        "epsilon": str(made.amount),
        "reason": made.reason,
        "state": made.state,
        "requested_by": made.requested_by,
        "decided_by": made.decided_by,
        "at": made.at,
    }


def _refused(pointer: str, reason: str, given: object, expected: object = None) -> Refusal:
    place = Problem(pointer=pointer, reason=reason, given=given, expected=expected)
    return Refusal("invalid_query", errors=[place])


def _json(value: dict[str, Any]) -> Response:
    return Response(wire.dumps(value), content_type="application/json")
