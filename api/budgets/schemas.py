"""The bodies of requests and answers about budgets, grants and the journal."""

import re

from marshmallow import fields, validate

from api.http.answers import ExtensibleSchema, SpentAs
from api.http.fields import AMOUNT, AmountField, ChoiceField, FlagField, LengthBetween, Strict, TextField
from api.http.paging import PagedSchema

REASON_LENGTH_MAX = 1_000
DECISIONS = ("approve", "decline")
STATES = ["pending", "effective", "declined"]


class GrantSchema(Strict):
    """More budget, with a reason. Exactly one of user, organisation, dataset_cap; epsilon or rho, as measured."""

    exactly_one = ("user", "organisation", "dataset_cap")

    dataset = TextField(required=True)
    user = TextField()
    organisation = TextField()
    dataset_cap = FlagField(metadata={"type": "boolean", "description": "Raise the cap over everybody."})
    epsilon = AmountField(metadata={**AMOUNT, "example": "2.0"})
    rho = AmountField(metadata={**AMOUNT, "example": "0.1"})
    reason = TextField(
        required=True,
        validate=[
            LengthBetween(most=REASON_LENGTH_MAX),
            # Whoever audits a grant later has nothing but this line, so blanks are no reason.
            validate.Regexp(re.compile(r"(?s).*\S"), error="blank"),
        ],
        metadata={"pattern": r"\S"},
    )


class DecisionSchema(Strict):
    """What a second administrator decides on a pending grant."""

    decision = ChoiceField(DECISIONS, required=True)


class BudgetLine(ExtensibleSchema):
    """An account: what it was granted and has spent, in its dataset's measure."""

    dataset = fields.String(required=True)
    account = fields.String(required=True)
    measure = fields.String(required=True, metadata={"enum": ["pure", "zcdp"]})
    spent_as = fields.Nested(SpentAs)
    delta_cap = fields.String()
    delta_spent = fields.String()
    granted = fields.String(required=True)
    spent = fields.String(required=True)
    remaining = fields.String(required=True)


class BudgetsSchema(ExtensibleSchema):
    """The reader's accounts."""

    items = fields.List(fields.Nested(BudgetLine), required=True)


class GrantAnswerSchema(ExtensibleSchema):
    """A grant; a dataset's cap stays `pending` until a second administrator decides."""

    id = fields.String(required=True)
    dataset = fields.String(required=True)
    account = fields.String(required=True)
    epsilon = fields.String(metadata={"description": "Of a dataset whose measure is pure."})
    rho = fields.String(metadata={"description": "Of a dataset whose measure is zcdp."})
    reason = fields.String(required=True)
    state = fields.String(required=True, metadata={"enum": STATES})
    requested_by = fields.String(required=True)
    decided_by = fields.String(required=True, allow_none=True)
    at = fields.String(required=True)


class GrantsSchema(PagedSchema):
    """A page of grants."""

    items = fields.List(fields.Nested(GrantAnswerSchema), required=True)


class JournalLineSchema(ExtensibleSchema):
    """A line of a lineage's journal: its number, what happened, and the hash up to it."""

    lineage = fields.String(required=True)
    number = fields.Integer(required=True)
    head = fields.String(required=True)
    entry = fields.Dict(
        required=True, metadata={"description": "What was hashed; its members depend on `kind`."}
    )


class JournalSchema(PagedSchema):
    """A page of the journal."""

    items = fields.List(fields.Nested(JournalLineSchema), required=True)
