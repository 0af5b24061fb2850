"""Answers: how a JSON value becomes a response, and the parts of answers that several rooms tell alike.

Schemas of answers describe what the views build; nothing is dumped through them, because answers are stored and
sent as bytes. They are open: a reader has to expect members that are added later.
"""

from typing import Any

from flask import Response
from marshmallow import INCLUDE, Schema, fields

from api.http import wire

JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(wire.dumps(value), status, content_type=JSON_TYPE)


class ExtensibleSchema(Schema):
    """A JSON object with at least the described members."""

    class Meta:
        # What apispec turns into `additionalProperties: true`.
        unknown = INCLUDE


class DatasetRef(ExtensibleSchema):
    """Which version of which dataset."""

    id = fields.String(required=True)
    version = fields.Integer(required=True)


class AccountLine(ExtensibleSchema):
    """An account by kind and holder, what it has left, and in an answer what it paid."""

    account = fields.String(required=True, metadata={"example": "user:aoi"})
    # Of a view only, whose answers are paid from an account in every source.
    lineage = fields.String(metadata={"description": "Of a view: which source's account this is."})
    charged = fields.String(metadata={"example": "0.5"})
    remaining = fields.String(required=True, metadata={"example": "1.5"})


class SpentAs(ExtensibleSchema):
    """A spent ρ as (ε, δ)."""

    epsilon = fields.String(required=True)
    delta = fields.String(required=True)


class ErrorItem(ExtensibleSchema):
    """One place of a request and what is wrong there."""

    pointer = fields.String(required=True)
    reason = fields.String(required=True)
    message = fields.String(required=True)


class NoteSchema(ExtensibleSchema):
    """Something to know about the numbers, in both languages; a hint says what to change and what that does."""

    code = fields.String(required=True)
    text = fields.String(required=True)
    text_ja = fields.String(required=True)
    of = fields.String(metadata={"description": "The statistic that a hint is about."})
    change = fields.Dict(
        metadata={
            "description": "What to change: a JSON merge patch (RFC 7396) of the request that was sent."
        }
    )
    half_width_before = fields.Float()
    half_width_after = fields.Float()
    rows = fields.Integer(metadata={"description": "Of a cell of so many rows."})
    within_rows_before = fields.Integer()
    within_rows_after = fields.Integer()
    price_before = fields.String()
    price_after = fields.String()
    ratio = fields.Float(metadata={"description": "How many times smaller the change makes it."})
    # A number of the column's unit, or of dates text as "7 d".
    resolution_before = fields.Raw()
    resolution_after = fields.Raw()
    half_width = fields.Float(metadata={"description": "sums_of_cells: of one cell."})
    half_width_of_sum = fields.Float(metadata={"description": "sums_of_cells: of the sum of all cells."})
    cells = fields.Integer()
    cells_by = fields.Dict(keys=fields.String(), values=fields.Integer())


class ProblemSchema(ExtensibleSchema):
    """Why a request was refused (RFC 9457)."""

    type = fields.String(required=True)
    code = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(ErrorItem))
    hints = fields.List(
        fields.Nested(NoteSchema),
        metadata={"description": "Of a question: changes that reach what is wanted."},
    )
    request_id = fields.String(required=True)
