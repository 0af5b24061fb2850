"""The bodies of answers about datasets: what is public about them, and what is left to ask."""

from marshmallow import fields

from api.http.answers import AccountLine, ExtensibleSchema

COLUMN_TYPES = ["text", "category", "integer", "decimal", "date", "open"]
SCALARS = {"type": ["string", "number"]}


class DatasetItem(ExtensibleSchema):
    """A dataset in a list."""

    id = fields.String(required=True)
    version = fields.Integer(required=True)
    title = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    body = fields.String(required=True)
    reference_date = fields.String(
        required=True,
        allow_none=True,
        metadata={"format": "date", "description": "As of which day the rows are."},
    )
    row_is = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={
            "description": "What a row stands for, by language; empty where undeclared, as all texts here."
        },
    )
    contact = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    terms = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "On what terms answers may be used."},
    )
    retired = fields.Boolean(required=True)
    stopped = fields.Boolean(
        required=True, metadata={"description": "Nothing of it is answered or told again for now."}
    )


class DatasetsSchema(ExtensibleSchema):
    """All datasets open to the reader."""

    items = fields.List(fields.Nested(DatasetItem), required=True)


class PrivacySchema(ExtensibleSchema):
    """On what terms a dataset answers; the amounts of δ only where there are any."""

    unit = fields.String(required=True, metadata={"enum": ["person"]})
    max_rows_per_person = fields.Integer(required=True)
    measure = fields.String(required=True, metadata={"enum": ["pure", "zcdp"]})
    cap = fields.String(required=True)
    max_per_query = fields.String(required=True)
    # Amounts are texts: a binary float cannot hold most decimals, and budgets are money.
    delta = fields.String(metadata={"description": "The δ at which (ε, δ) is shown."})
    delta_per_query = fields.String(metadata={"description": "What an answer by undeclared values costs."})
    delta_cap = fields.String(metadata={"description": "Lifetime δ of such answers."})
    delta_left = fields.String(metadata={"description": "What is left of it."})


class OpenColumnUses(ExtensibleSchema):
    """How a column of undeclared values can be asked."""

    group_by = fields.String(required=True)
    select = fields.List(fields.String(), required=True)
    where = fields.List(fields.String(), required=True)


class PublicColumn(ExtensibleSchema):
    """A column's declared domain; which members it has depends on the type."""

    name = fields.String(required=True)
    type = fields.String(required=True, metadata={"enum": COLUMN_TYPES})
    queryable = fields.Boolean(required=True)
    title = fields.Dict(keys=fields.String(), values=fields.String())
    description = fields.Dict(keys=fields.String(), values=fields.String())
    units = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "How the unit is called, where it is declared by language."},
    )
    # Identifiers are held for record sets only, and say no more than their name.
    missing = fields.Boolean()
    values = fields.List(fields.String())
    labels = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))
    groups = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(keys=fields.String(), values=fields.List(fields.Raw())),
        metadata={"description": "Declared groups of values by name: for each label its values and ranges."},
    )
    min = fields.Raw(metadata=SCALARS)
    max = fields.Raw(metadata=SCALARS)
    step = fields.String()
    unit = fields.String(allow_none=True)
    max_length = fields.Integer()
    constant_per_person = fields.Boolean(
        metadata={"description": "True where all rows of a person have one value; left out elsewhere."}
    )
    asked_by = fields.Nested(OpenColumnUses)


class PublicUnit(ExtensibleSchema):
    """What count_units can count beside persons, such as households."""

    name = fields.String(required=True)
    title = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    constant_per_person = fields.Boolean(
        required=True, metadata={"description": "Whether all rows of a person name one of them."}
    )


class LimitsSchema(ExtensibleSchema):
    """How large a question may be."""

    cells = fields.Integer(required=True)
    statistics = fields.Integer(required=True)
    keys = fields.Integer(required=True)
    filter_terms = fields.Integer(required=True)
    body_bytes = fields.Integer(required=True)


class AnswersLeft(ExtensibleSchema):
    """How many counts of an accuracy the reader's budget still buys, and the price of one; null if out of reach."""

    question = fields.String(required=True)
    within = fields.Integer(required=True)
    confidence = fields.Float(required=True)
    # One of the two, as the dataset is measured; null where no single query is that exact.
    epsilon = fields.String(allow_none=True)
    rho = fields.String(allow_none=True)
    answers = fields.Integer(required=True)


class DatasetSchema(DatasetItem):
    """The public face of a dataset: what may be asked, on what terms, and what you can still ask."""

    registered_at = fields.String(required=True)
    reuse = fields.String(
        required=True,
        metadata={
            "enum": ["everyone", "organisation"],
            "description": "Whose earlier answers may be told again to you: anybody's, or your organisation's.",
        },
    )
    populations = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "Whose accounts pay beside the dataset's: one for all registers of a population."
        },
    )
    privacy = fields.Nested(PrivacySchema, required=True)
    columns = fields.List(fields.Nested(PublicColumn), required=True)
    units = fields.List(
        fields.Nested(PublicUnit), required=True, metadata={"description": "What count_units can count."}
    )
    limits = fields.Nested(LimitsSchema, required=True)
    accounts = fields.List(fields.Nested(AccountLine), required=True)
    answers_left = fields.List(fields.Nested(AnswersLeft), required=True)
