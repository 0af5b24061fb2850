"""The bodies of answers, for openapi.yaml and for readers. Answers are written as stored bytes, not dumped."""

from marshmallow import Schema, fields


class DatasetRef(Schema):
    id = fields.String(required=True)
    version = fields.Integer(required=True)


class AccountLine(Schema):
    account = fields.String(required=True, metadata={"example": "user:aoi"})
    lineage = fields.String(metadata={"description": "Of a view: which source's account this is."})
    charged = fields.String(metadata={"example": "0.5"})
    remaining = fields.String(required=True, metadata={"example": "1.5"})


class ChargeSchema(Schema):
    """What an answer cost, how the price was split, and what every account has left."""

    measure = fields.String(required=True, metadata={"enum": ["epsilon", "rho"]})
    amount = fields.String(required=True)
    split = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    delta = fields.String(metadata={"description": "Of an answer by undeclared values: its price in δ."})
    shown_as = fields.Nested(
        "SpentAs", data_key="as", metadata={"description": "This charge of ρ, by itself, as (ε, δ)."}
    )
    accounts = fields.List(fields.Nested(AccountLine))


class ColumnSchema(Schema):
    """A column of an answer; a bound or raw sum names the value it belongs to in `of`."""

    name = fields.String(required=True)
    role = fields.String(required=True, metadata={"enum": ["key", "value", "bound", "raw"]})
    of = fields.String()
    statistic = fields.String()
    unit = fields.String()
    mechanism = fields.String()
    epsilon = fields.String()
    rho = fields.String()
    scale = fields.String()
    confidence = fields.Float()
    within_rows = fields.Integer(metadata={"description": "How far a quantile's rank may be off."})
    resolution = fields.Raw(metadata={"description": "The width of the bins a quantile was found in."})
    total = fields.String(metadata={"description": "How a total over this key is told."})
    asked_as = fields.String(data_key="as", metadata={"description": "The statistic it belongs to."})
    undeclared = fields.Boolean(metadata={"description": "Its values were declared by nobody."})
    threshold = fields.Integer(metadata={"description": "The least noisy count that is told."})
    delta = fields.String()


class NoteSchema(Schema):
    code = fields.String(required=True)
    text = fields.String(required=True)
    text_ja = fields.String(required=True)


class AnswerSchema(Schema):
    """An answer: for `run` with id and accounts, for `dummy` from generated data, for `quote` without rows."""

    id = fields.String()
    dataset = fields.Nested(DatasetRef, required=True)
    mode = fields.String(required=True, metadata={"enum": ["run", "quote", "dummy"]})
    reused = fields.Boolean()
    fingerprint = fields.String(required=True)
    asked_at = fields.String(metadata={"format": "date-time"})
    charge = fields.Nested(ChargeSchema, required=True)
    fits = fields.Boolean()
    accounts = fields.List(fields.Nested(AccountLine))
    cells = fields.Integer()
    expected = fields.List(fields.Dict())
    strategy = fields.Dict(metadata={"description": "How several tables are measured, and why."})
    rows_per_person = fields.Dict(metadata={"description": "What a narrower bound does."})
    columns = fields.List(fields.Nested(ColumnSchema))
    rows = fields.List(fields.Dict())
    postprocessing = fields.List(fields.String())
    notes = fields.List(fields.Nested(NoteSchema))


class HistoryItem(Schema):
    id = fields.String(required=True)
    dataset = fields.Nested(DatasetRef, required=True)
    asked_at = fields.String(required=True)
    outcome = fields.String(required=True, metadata={"enum": ["answered", "failed"]})
    charged = fields.String(required=True)
    fingerprint = fields.String(required=True)


class HistorySchema(Schema):
    items = fields.List(fields.Nested(HistoryItem), required=True)
    next = fields.String(required=True, allow_none=True)


class DatasetItem(Schema):
    id = fields.String(required=True)
    version = fields.Integer(required=True)
    title = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    body = fields.String(required=True)
    retired = fields.Boolean(required=True)


class DatasetsSchema(Schema):
    items = fields.List(fields.Nested(DatasetItem), required=True)


class DatasetSchema(DatasetItem):
    """The public face of a dataset: what may be asked, on what terms, and what you can still ask."""

    registered_at = fields.String(required=True)
    privacy = fields.Dict(required=True)
    columns = fields.List(fields.Dict(), required=True)
    limits = fields.Dict(required=True)
    accounts = fields.List(fields.Nested(AccountLine), required=True)
    answers_left = fields.List(fields.Dict(), required=True)


class SpentAs(Schema):
    """A spent ρ as (ε, δ)."""

    epsilon = fields.String(required=True)
    delta = fields.String(required=True)


class BudgetLine(Schema):
    dataset = fields.String(required=True)
    account = fields.String(required=True)
    measure = fields.String(required=True, metadata={"enum": ["pure", "zcdp"]})
    spent_as = fields.Nested(SpentAs)
    delta_cap = fields.String()
    delta_spent = fields.String()
    granted = fields.String(required=True)
    spent = fields.String(required=True)
    remaining = fields.String(required=True)


class BudgetsSchema(Schema):
    items = fields.List(fields.Nested(BudgetLine), required=True)


class GrantAnswerSchema(Schema):
    """A grant; a dataset's cap stays `pending` until a second administrator decides."""

    id = fields.String(required=True)
    dataset = fields.String(required=True)
    account = fields.String(required=True)
    epsilon = fields.String(metadata={"description": "Of a dataset whose measure is pure."})
    rho = fields.String(metadata={"description": "Of a dataset whose measure is zcdp."})
    reason = fields.String(required=True)
    state = fields.String(required=True, metadata={"enum": ["pending", "effective", "declined"]})
    requested_by = fields.String(required=True)
    decided_by = fields.String(required=True, allow_none=True)
    at = fields.String(required=True)


class GrantsSchema(Schema):
    items = fields.List(fields.Nested(GrantAnswerSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class JournalSchema(Schema):
    items = fields.List(fields.Dict(), required=True)
    next = fields.String(required=True, allow_none=True)


class ErrorItem(Schema):
    pointer = fields.String(required=True)
    reason = fields.String(required=True)
    message = fields.String(required=True)


class ProblemSchema(Schema):
    """Why a request was refused (RFC 9457)."""

    type = fields.String(required=True)
    code = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(ErrorItem))
    request_id = fields.String(required=True)
