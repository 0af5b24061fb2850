"""Questions: the bodies of /queries and /workloads as the wire allows them, and their translation to the language.

Shape only: whether a column exists or a value lies in its domain is decided by `privacy.plan`.
"""

import re
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, pre_load, validate

from api.http.fields import (
    AMOUNT,
    SCALAR,
    AmountField,
    ChoiceField,
    CodedField,
    FieldFault,
    FlagField,
    ItemsField,
    NamedPartField,
    NumberBetween,
    PartField,
    Pointer,
    ScalarField,
    SeveralField,
    Strict,
    TextField,
    WeightsField,
    WholeField,
    is_scalar,
    span,
)
from api.http.wire import escaped
from api.queries.conditions import ConditionField
from api.queries.foreign_forms import AggregateField, SelectField, refuse_sql
from api.queries.groups import GROUPS_SCHEMA, GroupsField
from api.queries.presentation import (
    DERIVED_FORMS,
    OPERANDS,
    ORDER_BY,
    HavingField,
    OperandsField,
    OrderField,
    derived_of,
)
from privacy import query as q
from privacy.axes import CELLS_MAX, KEYS_MAX
from privacy.budget import InvalidAmount, Price
from privacy.groups import GROUPS_MAX
from privacy.plan import STATISTICS_MAX, TABLES_MAX
from privacy.presentation import DERIVED_MAX
from privacy.pricing import CONFIDENCE_MAX, CONFIDENCE_MIN
from privacy.statistics import QUANTILES_MAX

EDGES_MAX = 1_001  # of 1,000 bins
NAME = re.compile(r"[^\W\d]\w{0,62}")
COLUMN_NAME_MAX = 64
MODES = ("run", "quote", "dummy")
REUSES = ("prefer", "never")
WEIGHTS = {
    "type": "object",
    "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
    "description": "How the price is shared over the statistics; those not named weigh 1.",
}
NAME_PATTERN = {"pattern": rf"^{NAME.pattern}$"}


def _name_check() -> validate.Regexp:
    # \Z and not $, which also matches before a line end; JSON Schema's $ does not, so the description says $.
    return validate.Regexp(re.compile(rf"{NAME.pattern}\Z"), error="bad_name")


def _column_check() -> validate.Length:
    return validate.Length(max=COLUMN_NAME_MAX, error="bad_name")


class ClampField(CodedField):
    """Two bounds, or two for each of some cells of a key by their labels."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[Any] | dict[str, list[Any]]:
        faults: dict[str, list[str]] = {}
        by_label = value if isinstance(value, dict) else {"": value}
        if not 1 <= len(by_label) <= GROUPS_MAX:
            raise ValidationError(FieldFault("wrong_length", span(1, GROUPS_MAX)))
        for label, pair in by_label.items():
            here = f"/{escaped(label)}" if isinstance(value, dict) else ""
            if not isinstance(pair, list):
                faults[Pointer(here)] = ["not_a_list"]
            elif len(pair) != 2:
                faults[Pointer(here)] = [FieldFault("wrong_length", span(2, 2))]
            else:
                faults |= {
                    Pointer(f"{here}/{place}"): ["not_scalar"]
                    for place, end in enumerate(pair)
                    if not is_scalar(end)
                }
        if faults:
            raise ValidationError(faults)
        found: list[Any] | dict[str, list[Any]] = value
        return found


PAIR = {"type": "array", "items": SCALAR, "minItems": 2, "maxItems": 2}


class StatisticSchema(Strict):
    """One statistic to compute."""

    name = TextField(
        data_key="as",
        validate=_name_check(),
        metadata={
            "description": "Name of the column in the answer; default: the aggregate and column.",
            **NAME_PATTERN,
        },
    )
    agg = AggregateField(q.AGGREGATES, required=True)
    column = TextField(validate=_column_check())
    clamp = ClampField(
        metadata={
            "description": "Bounds inside the declared domain; values outside are moved onto them. By label of a key's "
            'cells they may differ, all at one price; "*" is that of the cells not named.',
            "anyOf": [PAIR, {"type": "object", "minProperties": 1, "additionalProperties": PAIR}],
        },
    )
    per_person_clamp = ItemsField(
        ScalarField(metadata=SCALAR),
        least=2,
        most=2,
        metadata={"description": "sum: bounds of one person's whole sum in a cell."},
    )
    q = SeveralField(
        most=QUANTILES_MAX,
        metadata={
            "description": "quantile: which, of 0 to 1; several ascending in a list.",
            "anyOf": [
                {"type": "number"},
                {"type": "array", "items": {"type": "number"}, "maxItems": QUANTILES_MAX},
            ],
        },
    )
    # By choice: whoever needs none keeps the whole price for the ranks.
    value_bounds = FlagField(
        metadata={
            "type": "boolean",
            "description": "median, quantile: spend half of the price on bounds of the value.",
        }
    )
    where = ConditionField(
        metadata={
            "description": "The rows of this statistic alone, beside the question's `where`. Statistics whose "
            "conditions exclude each other share one price."
        }
    )
    unit = TextField(
        validate=_column_check(),
        metadata={"description": "count_units: which of the units that the dataset declares."},
    )
    numerator = ConditionField(metadata={"description": "ratio: the rows counted above the line."})
    denominator = ConditionField(
        metadata={"description": "ratio: the rows counted below the line; by default all of the cell."}
    )


class KeySchema(Strict):
    """A key to group by: a column's declared values, or bins or groups of them."""

    column = TextField(required=True, validate=_column_check())
    bins = ItemsField(
        ScalarField(metadata=SCALAR),
        least=2,
        most=EDGES_MAX,
        metadata={"description": "Ascending edges of half-open bins, the last one closed."},
    )
    groups = GroupsField(metadata=GROUPS_SCHEMA)
    by = ChoiceField(q.CALENDAR, metadata={"description": "Of a date: its years, fiscal years from April …"})
    missing = FlagField(metadata={"type": "boolean", "description": "Add a cell for missing values."})


class AccuracySchema(Strict):
    """An error to stay within, instead of a price."""

    of = TextField(required=True)
    within = ScalarField(required=True, metadata={"type": "number", "exclusiveMinimum": 0})
    # Scalars, not floats: a Decimal keeps 0.999999 what it says, and prices follow from it.
    confidence = ScalarField(
        metadata={
            "type": "number",
            "default": 0.95,
            "minimum": float(CONFIDENCE_MIN),
            "maximum": float(CONFIDENCE_MAX),
        }
    )
    every_cell = FlagField(
        metadata={"type": "boolean", "description": "All cells at once, not each by itself."}
    )
    rows = WholeField(
        metadata={
            "type": "integer",
            "minimum": 1,
            "description": "For cells of at least so many rows, where the error depends on that.",
        }
    )
    relative = ScalarField(
        metadata={
            "type": "number",
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 1,
            "description": "Large cells may be off by this share instead. Lowers no price.",
        }
    )

    def handle_error(self, error: ValidationError, data: Any, *, many: bool, **options: Any) -> None:
        """Where a share alone is given, say what goes with it, and that it buys nothing by itself."""
        super().handle_error(error, data, many=many, **options)
        relative = data.get("relative") if isinstance(data, dict) else None
        if relative is not None and isinstance(error.messages, dict) and "within" not in data:
            error.messages["within"] = ["required:relative_alone"]


class BudgetSchema(Strict):
    """What the whole request may cost: a price, or an accuracy from which the least price follows."""

    exactly_one = ("epsilon", "rho", "accuracy")

    epsilon = AmountField(metadata={**AMOUNT, "example": "0.5"})
    rho = AmountField(metadata={**AMOUNT, "example": "0.05", "description": "Where the measure is zcdp."})
    accuracy = PartField(AccuracySchema)
    weights = WeightsField(metadata=WEIGHTS)


class BudgetField(PartField):
    """A budget; an amount in place of the object is refused with the form that was meant."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Any:
        if is_scalar(value):
            raise ValidationError(
                FieldFault("not_an_object:amount", f'{{"epsilon": "{_amount_meant(value)}"}}')
            )
        return super()._deserialize(value, *args, **options)


def _amount_meant(value: q.Scalar) -> str:
    """The amount that was sent, as a budget names it; an example where it is none."""
    try:
        return str(Price.parse(f"{value:f}" if isinstance(value, Decimal) else str(value)))
    except InvalidAmount:
        return "0.5"


def _keys_field() -> ItemsField:
    # Every combination, also cells without a row: to leave those out would tell which they are.
    return ItemsField(
        NamedPartField(KeySchema, member="column"),
        least=0,
        most=KEYS_MAX,
        load_default=list,
        metadata={"description": f"Every combination of the keys is answered, at most {CELLS_MAX} cells."},
    )


class DerivedSchema(Strict):
    """A column computed from released columns, and from nothing else."""

    exactly_one = DERIVED_FORMS

    name = TextField(data_key="as", required=True, validate=_name_check(), metadata=NAME_PATTERN)
    of = OperandsField(metadata=OPERANDS)
    share_of_total = TextField(
        metadata={"description": "The count or sum whose share of its total in the answer this is."}
    )


class StatisticsSchema(Strict):
    """What questions and workloads have in common."""

    @pre_load
    def _refuse_sql(self, body: Any, **_: Any) -> Any:
        refuse_sql(body)
        return body

    mode = ChoiceField(
        MODES, load_default="run", metadata={"description": "run, or quote (free), or dummy (free)."}
    )
    select = SelectField(PartField(StatisticSchema), least=1, most=STATISTICS_MAX, required=True)
    where = ConditionField()
    budget = BudgetField(BudgetSchema, required=True)
    weights = WeightsField(metadata=WEIGHTS)
    rows_per_person = WholeField(
        metadata={
            "type": "integer",
            "minimum": 1,
            "description": "A narrower bound than the dataset's: less noise, more rows left out.",
        }
    )
    mechanism = ChoiceField(
        q.MECHANISMS, metadata={"description": "zcdp: insist on one; by default the better one."}
    )
    non_negative_integers = FlagField(
        load_default=False,
        metadata={
            "type": "boolean",
            "description": "With totals: move counts to whole numbers of zero or more that still add up.",
        },
    )
    # Preferred, because an answer given again costs the dataset nothing.
    reuse = ChoiceField(REUSES, load_default="prefer")
    derive = ItemsField(
        PartField(DerivedSchema),
        least=1,
        most=DERIVED_MAX,
        metadata={"description": "Columns computed from released columns, row by row; free."},
    )
    having = HavingField(metadata={"description": "Which rows of the released table are shown; free."})
    order_by = OrderField(metadata=ORDER_BY)
    limit = WholeField(
        validate=NumberBetween(least=1, most=CELLS_MAX),
        metadata={
            "type": "integer",
            "description": "How many rows of the released table are shown at most. All of them are charged.",
        },
    )


class QuerySchema(StatisticsSchema):
    """A question about a dataset."""

    group_by = _keys_field()
    totals = FlagField(
        load_default=False,
        metadata={"type": "boolean", "description": "Add the margins of group_by; all rows add up."},
    )


class TableSchema(Strict):
    """One table of a workload."""

    name = TextField(data_key="as", required=True, validate=_name_check(), metadata=NAME_PATTERN)
    group_by = _keys_field()


class WorkloadSchema(StatisticsSchema):
    """Several tables of the same statistics at once, measured together with the least total error."""

    tables = ItemsField(PartField(TableSchema), least=1, most=TABLES_MAX, required=True)


# Examples are quotes: whoever tries them out on the page of the description pays nothing.
QUERY_EXAMPLE = {
    "mode": "quote",
    "select": [{"as": "residents", "agg": "count"}],
    "where": {"column": "age", "op": ">=", "value": 20},
    "group_by": [{"column": "age", "bins": [20, 40, 65, 119]}],
    "budget": {"epsilon": "0.5"},
}
WORKLOAD_EXAMPLE = {
    "mode": "quote",
    "select": [{"as": "residents", "agg": "count"}],
    "tables": [
        {"as": "everybody", "group_by": []},
        {"as": "by_age", "group_by": [{"column": "age", "bins": [0, 20, 40, 65, 119]}]},
    ],
    "budget": {"epsilon": "0.5"},
}


def to_query(loaded: dict[str, Any]) -> q.Query:
    """A loaded QuerySchema or WorkloadSchema as the language of `privacy.query`. Raises InvalidQuery."""
    budget = loaded["budget"]
    named = [name for name in BudgetSchema.exactly_one if name in budget]
    derived, undecided = derived_of(loaded.get("derive", []))
    problems = [*_choices(loaded, named), *_texts_for_numbers(budget), *undecided]
    if problems:
        raise q.InvalidQuery(problems)
    return q.Query(
        mode=loaded["mode"],
        reuse=loaded["reuse"],
        select=tuple(_statistic(statistic) for statistic in loaded["select"]),
        where=loaded.get("where"),
        group_by=tuple(_key(key) for key in loaded.get("group_by", [])),
        tables=tuple(
            q.WorkloadTable(name=table["name"], group_by=tuple(_key(key) for key in table["group_by"]))
            for table in loaded.get("tables", [])
        ),
        budget=_accuracy(budget["accuracy"]) if named[0] == "accuracy" else budget[named[0]],
        priced_in=named[0],
        weights=budget.get("weights", loaded.get("weights", {})),
        weights_at="/weights" if "weights" in loaded else "/budget/weights",
        rows_per_person=loaded.get("rows_per_person"),
        totals=loaded.get("totals", False),
        whole=loaded["non_negative_integers"],
        mechanism=loaded.get("mechanism"),
        derive=derived,
        having=loaded.get("having"),
        order_by=loaded.get("order_by", ()),
        limit=loaded.get("limit"),
    )


def _choices(loaded: dict[str, Any], named: list[str]) -> list[q.Problem]:
    """Where one of several members has to be chosen and was not."""
    found = []
    if len(named) != 1:
        expected = ", ".join(BudgetSchema.exactly_one)
        found.append(q.Problem(pointer="/budget", reason="choose_one", expected=expected))
    # Either place will do; both at once would leave open which holds.
    if "weights" in loaded and "weights" in loaded["budget"]:
        found.append(q.Problem(pointer="/weights", reason="choose_one", expected="/weights, /budget/weights"))
    return found


def _texts_for_numbers(budget: dict[str, Any]) -> list[q.Problem]:
    """Texts where the accuracy wants a number: a scalar may be either, but these two are computed with."""
    given = {member: budget.get("accuracy", {}).get(member) for member in ("confidence", "relative")}
    return [
        q.Problem(pointer=f"/budget/accuracy/{member}", reason="not_a_number", given=value)
        for member, value in given.items()
        if isinstance(value, str)
    ]


def _statistic(loaded: dict[str, Any]) -> q.Statistic:
    # A column may be named with signs that a statistic may not.
    default = re.sub(
        r"\W", "_", "_".join(filter(None, (loaded["agg"], loaded.get("column") or loaded.get("unit"))))
    )
    clamp = loaded.get("clamp")
    return q.Statistic(
        name=loaded.get("name", default),
        agg=loaded["agg"],
        column=loaded.get("column"),
        clamp=None if isinstance(clamp, dict) else _pair(clamp),
        clamps=_pairs(clamp) if isinstance(clamp, dict) else None,
        per_person_clamp=_pair(loaded.get("per_person_clamp")),
        q=loaded.get("q"),
        value_bounds=loaded.get("value_bounds"),
        numerator=loaded.get("numerator"),
        denominator=loaded.get("denominator"),
        where=loaded.get("where"),
        unit=loaded.get("unit"),
    )


def _pair(ends: list[q.Scalar] | None) -> tuple[q.Scalar, q.Scalar] | None:
    return (ends[0], ends[1]) if ends else None


def _pairs(clamps: dict[str, list[q.Scalar]]) -> tuple[tuple[str, tuple[q.Scalar, q.Scalar]], ...]:
    return tuple((label, (ends[0], ends[1])) for label, ends in clamps.items())


def _key(loaded: dict[str, Any]) -> q.Key:
    bins = tuple(loaded["bins"]) if "bins" in loaded else None
    return q.Key(
        column=loaded["column"],
        bins=bins,
        by=loaded.get("by"),
        groups=loaded.get("groups"),
        missing=loaded.get("missing", False),
    )


def _accuracy(loaded: dict[str, Any]) -> q.Accuracy:
    relative = loaded.get("relative")
    return q.Accuracy(
        of=loaded["of"],
        within=loaded["within"],
        confidence=Decimal(loaded.get("confidence", "0.95")),
        every_cell=loaded.get("every_cell", False),
        rows=loaded.get("rows"),
        relative=None if relative is None else Decimal(relative),
    )
