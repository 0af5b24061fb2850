"""The bodies of answers to questions, for openapi.yaml and for readers.

Answers are written as stored bytes, not dumped: what stands here describes `privacy.answer`,
`privacy.result_columns` and `datasets.queries.service`, and the tests of the HTTP lane hold every answer against it.
"""

from marshmallow import fields

from api.http.answers import AccountLine, DatasetRef, ExtensibleSchema, NoteSchema, SpentAs
from api.http.paging import PagedSchema

# Names of columns are the reader's own, so rows are maps; null stands where nothing was measured.
CELL = {"additionalProperties": {"type": ["string", "number", "null"]}}


class ChargeSchema(ExtensibleSchema):
    """What an answer cost, how the price was split, and what every account has left."""

    measure = fields.String(required=True, metadata={"enum": ["epsilon", "rho"]})
    amount = fields.String(required=True)
    split = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    delta = fields.String(metadata={"description": "Of an answer by undeclared values: its price in δ."})
    shown_as = fields.Nested(
        SpentAs, data_key="as", metadata={"description": "This charge of ρ, by itself, as (ε, δ)."}
    )
    accounts = fields.List(fields.Nested(AccountLine))


class ColumnSchema(ExtensibleSchema):
    """A column of an answer; a bound or raw sum names the value it belongs to in `of`, a label its key."""

    name = fields.String(required=True)
    role = fields.String(
        required=True, metadata={"enum": ["key", "label", "value", "bound", "raw", "derived"]}
    )
    language = fields.String(metadata={"description": "Of a label: its language."})
    of = fields.String()
    statistic = fields.String(
        metadata={
            "description": "What is measured, alike wherever it is the same; conditions stand there as a digest."
        }
    )
    statistic_text = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "Of a value: what is measured, in words."},
    )
    title = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "Of a key: what the owner calls the column."},
    )
    groups = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={
            "description": "Of a key of groups: what each holds; of 100 groups, 20 values and ranges each."
        },
    )
    unit = fields.String()
    units = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "Of a value: what its unit is called, where the owner said it."},
    )
    mechanism = fields.String()
    epsilon = fields.String()
    rho = fields.String()
    scale = fields.String()
    confidence = fields.Float()
    within_rows = fields.Integer(metadata={"description": "How far a quantile's rank may be off."})
    within_share = fields.String(
        metadata={
            "description": "Of several quantiles by splits: the share of a cell's rows by which a rank may be off "
            "besides `within_rows`."
        }
    )
    # A number of the column's unit, or of dates text as "7 d".
    resolution = fields.Raw(metadata={"description": "The width of the bins a quantile was found in."})
    total = fields.String(metadata={"description": "How a total over this key is told."})
    left_out = fields.List(
        fields.String(), metadata={"description": "Of a key of groups: the declared values in none of them."}
    )
    asked_as = fields.String(data_key="as", metadata={"description": "The statistic it belongs to."})
    undeclared = fields.Boolean(metadata={"description": "Its values were declared by nobody."})
    threshold = fields.Integer(metadata={"description": "The least noisy count that is told."})
    by_cells = fields.List(
        fields.Dict(), metadata={"description": "Of clamps by group: the scale in each group's cells."}
    )
    delta = fields.String()
    derived = fields.Dict(
        metadata={"description": "What a derived column is computed from, as it was asked for."}
    )


class AnsweredDataset(DatasetRef):
    """Which version of which dataset, and for whoever was not there what it is, so far as the owner said it."""

    title = fields.Dict(keys=fields.String(), values=fields.String())
    reference_date = fields.String(metadata={"description": "As of which day the rows are."})
    row_is = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata={"description": "What a row stands for."}
    )
    body = fields.String(metadata={"description": "The local government whose data it is, by its code."})
    contact = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata={"description": "Whom to ask about it."}
    )
    terms = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "On what terms answers may be used."},
    )


class WidthByRows(ExtensibleSchema):
    """The half-width to expect where a cell holds so many rows."""

    rows = fields.Integer(required=True)
    half_width = fields.Float(required=True)


class WidthSchema(ExtensibleSchema):
    """The half-width of the bounds to expect: one for all cells, or by the rows that a cell holds."""

    half_width = fields.Float()
    half_width_by_rows = fields.List(fields.Nested(WidthByRows))


class TableWidthSchema(WidthSchema):
    """The half-widths to expect in one of several tables."""

    keys = fields.List(fields.String(), required=True)


class ExpectedSchema(WidthSchema):
    """How exact a statistic would be, and by which mechanism."""

    of = fields.String(required=True)
    confidence = fields.Float(required=True)
    cells = fields.List(
        fields.Raw(), metadata={"description": "Of clamps by group: the cells this is about."}
    )
    tables = fields.List(fields.Nested(TableWidthSchema))
    mechanism = fields.String()
    half_width_by_mechanism = fields.Dict(keys=fields.String(), values=fields.Float())
    why = fields.String(metadata={"description": "Why this mechanism is used."})
    method = fields.String(metadata={"description": "How quantiles are found."})
    within_rows = fields.Integer(metadata={"description": "How far a quantile's rank may be off."})
    resolution = fields.Raw(metadata={"description": "The width of the bins a quantile is found in."})
    threshold = fields.Integer(metadata={"description": "The least noisy count that is told."})
    # Above the threshold by the noise's half-width: a count at the threshold itself is released every other time.
    told_at_least_95_percent_from = fields.Integer(
        metadata={"description": "A value of so many persons is told with a probability of 95 % or more."}
    )
    delta = fields.String()


class MeasuredTableSchema(ExtensibleSchema):
    """A table that is measured, and its share of the price."""

    keys = fields.List(fields.String(), required=True)
    share = fields.String(required=True)


class StrategySchema(ExtensibleSchema):
    """How several tables are measured, and why: errors are relative to the chosen way, null where unknown."""

    measured = fields.List(fields.Nested(MeasuredTableSchema), required=True)
    total_squared_error = fields.Dict(
        keys=fields.String(), values=fields.Float(allow_none=True), required=True
    )
    text = fields.String(required=True)
    text_ja = fields.String(required=True)


class NarrowerBoundSchema(ExtensibleSchema):
    """What a narrower bound on the rows of a person does."""

    dataset = fields.Integer(required=True)
    asked = fields.Integer(required=True)
    text = fields.String(required=True)
    text_ja = fields.String(required=True)


class AnswerSchema(ExtensibleSchema):
    """An answer: for `run` with id and accounts, for `dummy` from generated data, for `quote` without rows."""

    # One schema for three modes: readers look at `mode`, and generators of clients make one class of it.
    id = fields.String()
    dataset = fields.Nested(AnsweredDataset, required=True)
    mode = fields.String(required=True, metadata={"enum": ["run", "quote", "dummy"]})
    reused = fields.Boolean()
    fingerprint = fields.String(required=True)
    question = fields.Dict(
        metadata={"description": "What was asked, canonical: sent again it asks the same."}
    )
    question_text = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "The question in a sentence, in Japanese and English."},
    )
    asked_at = fields.String(metadata={"format": "date-time"})
    charge = fields.Nested(ChargeSchema, required=True)
    fits = fields.Boolean(metadata={"description": "quote: whether every account could pay this now."})
    accounts = fields.List(fields.Nested(AccountLine))
    cells = fields.Integer()
    expected = fields.List(fields.Nested(ExpectedSchema))
    strategy = fields.Nested(
        StrategySchema, metadata={"description": "How several tables are measured, and why."}
    )
    rows_per_person = fields.Nested(
        NarrowerBoundSchema, metadata={"description": "What a narrower bound does."}
    )
    columns = fields.List(fields.Nested(ColumnSchema))
    rows = fields.List(fields.Dict(metadata=CELL))
    postprocessing = fields.List(fields.String())
    notes = fields.List(fields.Nested(NoteSchema))
    released_rows = fields.Integer(
        metadata={
            "description": "With derive, having, order_by or limit: how many rows were released and charged."
        }
    )


class HistoryItem(ExtensibleSchema):
    """What was asked, without the answer: one's own, or with `user` another's, for auditors and administrators."""

    id = fields.String(required=True)
    dataset = fields.Nested(DatasetRef, required=True)
    asked_at = fields.String(required=True)
    outcome = fields.String(required=True, metadata={"enum": ["answered", "failed"]})
    charged = fields.String(required=True)
    fingerprint = fields.String(required=True)
    question = fields.Dict(required=True)
    question_text = fields.Dict(keys=fields.String(), values=fields.String())
    user = fields.String()


class HistorySchema(PagedSchema):
    """A page of answers."""

    items = fields.List(fields.Nested(HistoryItem), required=True)
