"""Budgets and the journal: GET /v1/budgets for everybody, grants and the journal for administrators."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from api.budgets.balances import PRICE_NAMES, balance
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
from datasets.catalog import DatasetVersion, LineageMembers, NoSuchDataset
from datasets.ledger.accounts import Account
from datasets.ledger.grants import Grant
from datasets.ledger.journal import JournalEntry
from privacy.budget import InvalidAmount, Price
from privacy.query import Problem
from privacy.schema import Measure

blueprint = Blueprint("budgets", __name__, description="Privacy budgets, grants and the journal.")
NUMBER_DIGITS_MAX = 18  # of what fits 64 bits


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
        # What has no limit limits nobody, so it is no budget of theirs.
        if state.is_limited and state.lineage in members
        for name in members[state.lineage].names
    ]
    return json_response({"items": items})


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
    dataset = _dataset(asked["dataset"])
    account = _account(asked, dataset.lineage)
    name, amount = _amount(asked, dataset.schema.measure)
    try:
        made = services().ledger.grant(
            lineage=dataset.lineage,
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
def grants(asked: PageRequest) -> Response:
    """All grants, newest first, with the people who answer for them."""
    found = services().ledger.grants(after=asked.after, limit=asked.rows_wanted)
    page = asked.cut(found, lambda made: made.id)
    members = services().catalog.lineage_members()
    return json_response({"items": [_grant(made, members) for made in page.rows], "next": page.next})


@blueprint.route("/v1/grants/<id>/decision", methods=["POST"])
@allowed("administrator")
@refuses("not_found", "conflict")
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
def journal(asked: PageRequest) -> Response:
    """The hash-chained journal of all datasets, in order."""
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
        raise _refused("/after", "bad_place", after)
    return lineage, int(number)


def _account(asked: dict[str, Any], lineage: str) -> Account:
    # By truth and not by presence: `"dataset_cap": false` beside a user chooses nothing.
    named = [name for name in GrantSchema.exactly_one if asked.get(name)]
    if len(named) != 1:
        raise _refused("", "choose_one", None, ", ".join(GrantSchema.exactly_one))
    if named[0] == "dataset_cap":
        return Account(kind="dataset", holder=lineage)
    return Account(kind=named[0], holder=asked[named[0]])  # type: ignore[arg-type]


def _amount(asked: dict[str, Any], measure: Measure) -> tuple[str, Price]:
    """The amount and under which name it was given: the one that fits the measure."""
    given = [name for name in PRICE_NAMES.values() if name in asked]
    if len(given) != 1:
        raise _refused("", "choose_one", None, ", ".join(PRICE_NAMES.values()))
    # Nobody may grant one for the other by mistake: 1 of ρ amounts to some 10 of ε.
    if given[0] != PRICE_NAMES[measure]:
        raise _refused(f"/{given[0]}", "wrong_measure", given[0], PRICE_NAMES[measure])
    return given[0], asked[given[0]]


def _dataset(id: str) -> DatasetVersion:
    """A dataset with accounts of its own."""
    try:
        dataset = services().catalog.current(id)
    except NoSuchDataset:
        # In a body a name that does not exist is a wrong value, not a missing page.
        raise _refused("/dataset", "unknown_dataset", id) from None
    if dataset.is_view:
        raise _refused("/dataset", "is_a_view", id, ", ".join(dataset.sources))
    return dataset


def _granted(made: Grant, status: int) -> Response:
    return json_response(_grant(made, services().catalog.lineage_members()), status)


def _grant(made: Grant, members: Mapping[str, LineageMembers]) -> dict[str, Any]:
    family = members[made.lineage]
    # Datasets of one lineage share its accounts; the first name stands for all of them.
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
