"""The bodies of requests and answers about budgets, grants and the journal."""

import re

from marshmallow import ValidationError, fields, validate

from api.http.answers import ExtensibleSchema, SpentAs
from api.http.fields import AMOUNT, AmountField, ChoiceField, FlagField, LengthBetween, Strict, TextField
from api.http.paging import PagedSchema
from datasets.budgets.errors import NotOneAccount
from datasets.budgets.service import AboveCap, LifetimeTotal
from datasets.database.closed_lists import GRANT_CHANGES, GRANT_STATES
from datasets.database.texts import is_line

REASON_LENGTH_MAX = 1_000
DECISIONS = ("approve", "decline", "return")
NOT_BLANK = re.compile(r"(?s).*\S")


def _must_be_line(text: str) -> None:
    # It is printed at terminals of other people, which an escape sequence would reach.
    if not is_line(text):
        raise ValidationError("not_one_line")


def reason_field(*, required: bool = False) -> TextField:
    """A reason: whoever audits a grant later has nothing but this line, so blanks are none, and it is one line."""
    return TextField(
        required=required,
        validate=[
            LengthBetween(most=REASON_LENGTH_MAX),
            validate.Regexp(NOT_BLANK, error="blank"),
            _must_be_line,
        ],
        metadata={
            "pattern": r"\S",
            "description": "One line, without control, invisible or direction characters.",
        },
    )


class GrantSchema(Strict):
    """More budget or less, with a reason, for an account on a dataset or for a population, in its measure."""

    exactly_one = NotOneAccount.choices
    beside = dict.fromkeys(("user", "organisation", "dataset_cap"), "dataset")

    dataset = TextField(metadata={"description": "For every account but a population's."})
    user = TextField()
    organisation = TextField()
    dataset_cap = FlagField(
        metadata={"type": "boolean", "enum": [True], "description": "Change the cap over everybody."}
    )
    population = TextField(
        metadata={
            "description": "Change the cap of a population, over all of its datasets; the first sets it."
        }
    )
    change = ChoiceField(
        GRANT_CHANGES,
        load_default="raise",
        metadata={"description": "`lower` takes back at once what is not spent."},
    )
    epsilon = AmountField(metadata={**AMOUNT, "example": "2.0"})
    rho = AmountField(metadata={**AMOUNT, "example": "0.1"})
    reason = reason_field(required=True)


class DecisionSchema(Strict):
    """What a second administrator decides on a pending grant. To return it says what is missing."""

    decision = ChoiceField(DECISIONS, required=True)
    reason = reason_field()


class BudgetLine(ExtensibleSchema):
    """An account: what it was granted and has spent, in its dataset's measure."""

    dataset = fields.String(required=True)
    account = fields.String(required=True)
    measure = fields.String(required=True, metadata={"enum": ["pure", "zcdp"]})
    spent_as = fields.Nested(SpentAs)
    delta_cap = fields.String(
        metadata={"description": "What may be spent of δ; a population has no limit of it."}
    )
    delta_spent = fields.String()
    granted = fields.String(required=True)
    spent = fields.String(required=True)
    remaining = fields.String(required=True)


class BudgetsSchema(ExtensibleSchema):
    """The reader's accounts."""

    items = fields.List(fields.Nested(BudgetLine), required=True)


class GrantNoticeSchema(ExtensibleSchema):
    """Something to know about a grant that was made all the same."""

    code = fields.String(required=True, metadata={"enum": [AboveCap.code, LifetimeTotal.code]})
    account = fields.String(required=True)
    total = fields.String(metadata={"description": "Of `lifetime_total`: all that may be spent, for ever."})
    spent = fields.String(metadata={"description": "Of `lifetime_total`: what is spent of it."})
    remaining = fields.String(required=True)
    text = fields.String(required=True)
    text_ja = fields.String(required=True)


class GrantAnswerSchema(ExtensibleSchema):
    """A grant; more of a dataset's or a population's cap stays `pending` until a second administrator decides."""

    id = fields.String(required=True)
    dataset = fields.String(metadata={"description": "Of every grant but a population's."})
    population = fields.String(metadata={"description": "Of a grant to a population."})
    account = fields.String(required=True)
    change = fields.String(required=True, metadata={"enum": list(GRANT_CHANGES)})
    epsilon = fields.String(metadata={"description": "Of a dataset whose measure is pure."})
    rho = fields.String(metadata={"description": "Of a dataset whose measure is zcdp."})
    reason = fields.String(required=True)
    state = fields.String(required=True, metadata={"enum": list(GRANT_STATES)})
    requested_by = fields.String(required=True)
    decided_by = fields.String(required=True, allow_none=True)
    decision_reason = fields.String(required=True, allow_none=True)
    at = fields.String(required=True)
    notices = fields.List(fields.Nested(GrantNoticeSchema))


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
