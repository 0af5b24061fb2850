"""What can be asked: GET /v1/datasets and GET /v1/datasets/{id}. Public schema only, nothing from the data."""

from collections.abc import Sequence
from typing import Any

from flask import Response

from api.catalog.schemas import DatasetSchema, DatasetsSchema
from api.http import wire
from api.http.answers import json_response
from api.http.blueprints import Blueprint
from api.http.identity import caller
from api.http.operations import refuses
from api.http.roles import allowed
from api.services import services
from datasets.catalog import DatasetVersion
from datasets.ledger.accounts import AccountState
from datasets.people.service import Caller
from datasets.queries.service import OpenDataset
from privacy import delta
from privacy.about import ColumnAbout
from privacy.axes import CELLS_MAX, KEYS_MAX
from privacy.groups import shown_code, written
from privacy.measurement import CONFIDENCE
from privacy.plan import STATISTICS_MAX
from privacy.pricing import count_within
from privacy.query import TERMS_MAX
from privacy.schema import (
    AnyColumn,
    Category,
    Column,
    Date,
    Number,
    Schema,
    SecondUnit,
    Text,
    UndeclaredColumn,
    day_of,
    in_units,
)

blueprint = Blueprint("datasets", __name__, description="Which datasets are open to you, and their schemas.")
ASKED_OPEN = {"group_by": "alone", "select": ["count", "count_persons"], "where": ["is_missing"]}
"""How a column of undeclared values can be asked."""

SEE_ALL = ("administrator", "auditor")
"""The roles that need no account to know of a dataset."""

WITHIN = (10, 50, 100, 500)
LIMITS = {
    "cells": CELLS_MAX,
    "statistics": STATISTICS_MAX,
    "keys": KEYS_MAX,
    "filter_terms": TERMS_MAX,
    "body_bytes": wire.BODY_BYTES_MAX,
}


@blueprint.route("/v1/datasets", methods=["GET"])
@allowed()
@blueprint.response(200, DatasetsSchema)
def listing() -> Response:
    """The datasets open to you; administrators see all."""
    found = services().catalog.all()
    if caller().role not in SEE_ALL:
        own = {state.lineage for state in services().ledger.accounts_of_user(user=caller().name)}
        # A view is open to whoever has an account in each of its sources: all of them pay for an answer.
        found = [dataset for dataset in found if own.issuperset(dataset.lineages)]
    return json_response({"items": [_item(dataset) for dataset in found]})


@blueprint.route("/v1/datasets/<id>", methods=["GET"])
@allowed()
@refuses("not_found")
@blueprint.response(200, DatasetSchema)
def one(id: str) -> Response:
    """A dataset's public schema, its limits, your accounts, and how many answers they still buy."""
    opened = visible(caller(), id)
    dataset, states = opened.dataset, opened.states
    return json_response(
        {
            **_item(dataset),
            "registered_at": dataset.registered_at,
            "reuse": dataset.reuse,
            "populations": dataset.populations,
            "privacy": _privacy(dataset.schema, states),
            "columns": [
                _column(column) | _words(dataset.schema.about.column(column.name))
                for column in dataset.schema.columns
            ],
            "units": [_unit(unit) for unit in dataset.schema.units],
            "limits": LIMITS,
            "accounts": opened.account_lines(),
            "answers_left": _answers_left(dataset.schema, states),
        }
    )


def visible(who: Caller, id: str) -> OpenDataset:
    """A dataset that the caller may know of: its own, or any for an administrator or an auditor."""
    # Both refuse as "not found", or names of datasets could be guessed from the difference.
    if who.role in SEE_ALL:
        return services().queries.seen_by(who, services().catalog.current(id))
    return services().queries.open_to(who, id)


def _privacy(schema: Schema, states: Sequence[AccountState]) -> dict[str, Any]:
    """On what terms a dataset answers, and what is left of its δ."""
    return {
        # Whatever column names the person: its name is nobody's concern, for it can't be asked.
        "unit": "person",
        "max_rows_per_person": schema.rows_per_person,
        "measure": schema.measure,
        "cap": str(schema.cap),
        "max_per_query": str(schema.price_per_query_max),
        **_deltas(schema),
        **_delta_left(states),
    }


def _deltas(schema: Schema) -> dict[str, str]:
    """The amounts of δ that a dataset in ρ declares."""
    names = ("delta", "delta_per_query", "delta_cap")
    amounts = {name: getattr(schema, name) for name in names}
    return {
        name: delta.shown(delta.atto_of(amount)) for name, amount in amounts.items() if amount is not None
    }


def _delta_left(states: Sequence[AccountState]) -> dict[str, str]:
    """What is left for answers that name undeclared values; of a view the least of its sources'."""
    left = [state.delta_remaining for state in states if state.kind == "dataset" and state.delta_granted]
    return {"delta_left": delta.shown(delta.atto_of(min(left)))} if left else {}


def _answers_left(schema: Schema, states: Sequence[AccountState]) -> list[dict[str, Any]]:
    """How many counts of a few accuracies the accounts still buy."""
    # Every account pays the whole price, so the poorest decides. An administrator may have none.
    left = min((state.remaining for state in states), default=None)
    return [_left(schema, within, left.nano if left else 0) for within in WITHIN]


def _left(schema: Schema, within: int, nano: int) -> dict[str, Any]:
    """How many counts within ±`within` (95 %) the remaining budget buys; null where no query reaches it."""
    price = count_within(schema, within)
    return {
        "question": "count",
        "within": within,
        "confidence": CONFIDENCE,
        "epsilon" if schema.measure == "pure" else "rho": str(price) if price else None,
        "answers": nano // price.nano if price else 0,
    }


def _item(dataset: DatasetVersion) -> dict[str, Any]:
    """A dataset in a list."""
    return {
        "id": dataset.id,
        "version": dataset.version,
        "title": dataset.schema.title,
        "body": dataset.schema.body,
        **dataset.schema.about.members,
        "retired": dataset.retired,
        "stopped": dataset.stopped,
    }


def _unit(unit: SecondUnit) -> dict[str, Any]:
    """What can be counted beside persons; the column that names it is nobody's concern, for it can't be asked."""
    return {"name": unit.name, "title": unit.title, "constant_per_person": unit.constant_per_person}


def _column(column: AnyColumn) -> dict[str, Any]:
    """A column's declared domain."""
    match column:
        case Text(name=name):
            return {"name": name, "type": "text", "queryable": False}
        case Category(name=name, values=values, labels=labels):
            domain: dict[str, Any] = {"type": "category", "values": values, "labels": labels}
        case Number(name=name, low=low, high=high, step=step, kind=kind, unit=unit):
            domain = {"type": kind, "min": in_units(low, step), "max": in_units(high, step)}
            domain |= {"step": str(step), "unit": unit}
        case Date(name=name, low=low, high=high):
            domain = {"type": "date", "min": day_of(low).isoformat(), "max": day_of(high).isoformat()}
        case UndeclaredColumn(name=name, length_max=length):
            domain = {"type": "open", "max_length": length, "asked_by": ASKED_OPEN}
    domain |= {"constant_per_person": True} if column.constant_per_person else {}
    return {"name": name, **domain, **_groups(column), "missing": column.missing_allowed, "queryable": True}


def _groups(column: Column) -> dict[str, Any]:
    """The declared groups of a column by name, each as the descriptor writes it; nothing where there are none."""
    if isinstance(column, UndeclaredColumn) or not column.groupings:
        return {}

    def value(code: int) -> str | int | float:
        return in_units(code, column.step) if isinstance(column, Number) else shown_code(column, code)

    return {"groups": {one.name: written(one, column, value) for one in column.groupings}}


def _words(about: ColumnAbout) -> dict[str, Any]:
    """What a column is called, what it means and how its unit is called, so far as the owner said it."""
    said = {"title": about.title, "description": about.description, "units": about.unit}
    return {name: dict(words) for name, words in said.items() if words}
