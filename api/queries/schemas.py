"""The bodies of requests and answers as marshmallow schemas: what the wire allows, and openapi.yaml says.

Shape only: whether a column exists or a value lies in its domain is decided by `privacy.plan`. Messages are
codes of the catalogue, so that a refusal can be told in the reader's language.
"""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from api.http.wire import Unreadable, escaped
from privacy import query as q
from privacy.axes import CELLS_MAX, KEYS_MAX
from privacy.budget import InvalidAmount, Price
from privacy.plan import STATISTICS_MAX, TABLES_MAX
from privacy.pricing import CONFIDENCE_MAX, CONFIDENCE_MIN
from privacy.statistics import QUANTILES_MAX

TERMS_MAX = 1_000
EDGES_MAX = 1_001
NAME = re.compile(r"[^\W\d]\w{0,62}")
COLUMN_NAME_MAX = 64
REASON_LENGTH_MAX = 1_000
PAGE_MAX = 200
AFTER_LENGTH_MAX = 100  # lineage:number of the journal has up to 82
MODES = ("run", "quote", "dummy")
DECISIONS = ("approve", "decline")
SCALAR = {"anyOf": [{"type": "string"}, {"type": "number"}]}
AMOUNT = {
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]{1,7}(\.[0-9]{1,9})?$"},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000},
    ]
}


class Strict(Schema):
    """A JSON object with no members but the declared ones."""

    error_messages = {"unknown": "unknown_field", "type": "not_an_object"}  # noqa: RUF012

    class Meta:
        unknown = RAISE


class CodedField(fields.Field[Any]):
    default_error_messages = {  # noqa: RUF012
        "required": "required",
        "null": "null",
        "validator_failed": "not_one_of",
        "invalid": "not_text",
    }


class TextField(CodedField, fields.String):
    """Text. NUL is none: PostgreSQL cannot hold it."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> str:
        if isinstance(value, str) and "\0" in value:
            raise ValidationError("not_text")
        text: str = super()._deserialize(value, *args, **options)
        return text


class Pointer(str):
    """A relative JSON Pointer as the key of a message; any other key is a member's name."""


class FlagField(CodedField):
    """true or false, and nothing that merely looks like it."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("not_a_boolean")
        return value


class ScalarField(CodedField):
    """A literal of the query language: text, or a number in plain notation."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> q.Scalar:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise ValidationError("not_scalar")
        return value


class AmountField(CodedField):
    """A positive decimal with at most nine decimals, as text or number."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Price:
        if isinstance(value, bool | Unreadable) or not isinstance(value, str | int | Decimal):
            raise ValidationError("not_an_amount")
        try:
            return Price.parse(f"{value:f}" if isinstance(value, Decimal) else str(value))
        except InvalidAmount:
            raise ValidationError("not_an_amount") from None


class ChoiceField(TextField):
    """One of a closed list of words."""

    def __init__(self, words: tuple[str, ...], **options: Any) -> None:
        super().__init__(validate=validate.OneOf(words, error="not_one_of"), **options)
        self.words = words


class ItemsField(CodedField, fields.List[Any]):
    """A list of limited length."""

    default_error_messages = {"invalid": "not_a_list"}  # noqa: RUF012

    def __init__(self, inner: Any, *, least: int, most: int, **options: Any) -> None:
        length = validate.Length(min=least, max=most, error="wrong_length")
        super().__init__(inner, validate=length, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> list[Any]:
        if isinstance(value, list):
            assert self.validate is not None
            self._validate(value)
        return super()._deserialize(value, attr, data, **options)


class PartField(CodedField, fields.Nested):
    """A nested object."""

    default_error_messages = {"type": "not_an_object"}  # noqa: RUF012


class WholeField(CodedField):
    """A whole number written as one."""

    default_error_messages = {"invalid": "not_a_whole_number"}  # noqa: RUF012

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 10**15:
            raise ValidationError("not_a_whole_number")
        return value


class SeveralField(CodedField):
    """One literal or a list of them."""

    def __init__(self, *, most: int, **options: Any) -> None:
        super().__init__(**options)
        self.most = most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[q.Scalar, ...]:
        values = value if isinstance(value, list) else [value]
        if not 1 <= len(values) <= self.most:
            raise ValidationError("wrong_length")
        faults = {}
        for place, one in enumerate(values):
            if isinstance(one, bool) or not isinstance(one, str | int | Decimal):
                faults[Pointer(f"/{place}" if isinstance(value, list) else "")] = ["not_scalar"]
        if faults:
            raise ValidationError(faults)
        return tuple(values)


class ConditionField(CodedField):
    """A filter: a comparison, or all / any / not of filters. Turned into `privacy.query` values."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> q.Where:
        reader = _ConditionReader()
        where = reader.read(value, "")
        if reader.faults:
            raise ValidationError(reader.faults)
        return where


class StatisticSchema(Strict):
    """One statistic to compute."""

    name = TextField(
        data_key="as",
        validate=validate.Regexp(re.compile(rf"{NAME.pattern}\Z"), error="bad_name"),
        metadata={
            "description": "Name of the column in the answer; default: the aggregate and column.",
            "pattern": rf"^{NAME.pattern}$",
        },
    )
    agg = ChoiceField(q.AGGREGATES, required=True)
    column = TextField(validate=validate.Length(max=COLUMN_NAME_MAX, error="bad_name"))
    clamp = ItemsField(
        ScalarField(metadata=SCALAR),
        least=2,
        most=2,
        metadata={"description": "Bounds inside the declared domain; values outside are moved onto them."},
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
            "anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "maxItems": 99}],
        },
    )
    value_bounds = FlagField(
        metadata={
            "type": "boolean",
            "description": "median, quantile: spend half of the price on bounds of the value.",
        }
    )
    numerator = ConditionField(metadata={"description": "ratio: the rows counted above the line."})
    denominator = ConditionField(
        metadata={"description": "ratio: the rows counted below the line; by default all of the cell."}
    )


class KeySchema(Strict):
    """A key to group by: a column's declared values, or bins of it."""

    column = TextField(required=True, validate=validate.Length(max=COLUMN_NAME_MAX, error="bad_name"))
    bins = ItemsField(
        ScalarField(metadata=SCALAR),
        least=2,
        most=EDGES_MAX,
        metadata={"description": "Ascending edges of half-open bins, the last one closed."},
    )
    by = ChoiceField(q.CALENDAR, metadata={"description": "Of a date: its years, fiscal years from April …"})
    missing = FlagField(metadata={"type": "boolean", "description": "Add a cell for missing values."})


class AccuracySchema(Strict):
    """An error to stay within, instead of a price."""

    of = TextField(required=True)
    within = ScalarField(required=True, metadata={"type": "number", "exclusiveMinimum": 0})
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


class WeightsField(CodedField):
    """How the price is shared: positive numbers by statistic."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Fraction]:
        if not isinstance(value, dict):
            raise ValidationError("not_an_object")
        faults = {}
        for name, weight in value.items():
            known = not isinstance(weight, bool) and isinstance(weight, int | Decimal)
            if not known or abs(Fraction(weight)) > 10**9:
                faults[name] = ["not_an_amount"]
        if faults:
            raise ValidationError({Pointer(f"/{escaped(name)}"): codes for name, codes in faults.items()})
        return {name: Fraction(weight) for name, weight in value.items()}


WEIGHTS = {
    "type": "object",
    "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
    "description": "How the price is shared over the statistics; those not named weigh 1.",
}


class BudgetSchema(Strict):
    """What the whole request may cost: a price, or an accuracy from which the least price follows."""

    epsilon = AmountField(metadata={**AMOUNT, "example": "0.5"})
    rho = AmountField(metadata={**AMOUNT, "example": "0.05", "description": "Where the measure is zcdp."})
    accuracy = PartField(AccuracySchema)
    weights = WeightsField(metadata=WEIGHTS)


class _ConditionReader:
    """Reads a filter tree; `faults` maps relative pointers to codes."""

    def __init__(self) -> None:
        self.faults: dict[str, list[str]] = {}
        self.terms = 0

    def fault(self, pointer: str, code: str) -> q.Where:
        if code != "too_many_terms" or not any("too_many_terms" in codes for codes in self.faults.values()):
            self.faults[Pointer(pointer)] = [code]
        return q.All(())

    def read(self, value: Any, pointer: str) -> q.Where:
        if not isinstance(value, dict):
            return self.fault(pointer, "not_an_object")
        for word, kind in (("all", q.All), ("any", q.Any)):
            if word in value:
                return self.alone(value, word, pointer) or kind(
                    self.several(value[word], f"{pointer}/{word}")
                )
        if "not" in value:
            return self.alone(value, "not", pointer) or q.Not(self.read(value["not"], f"{pointer}/not"))
        return self.comparison(value, pointer)

    def alone(self, value: dict[str, Any], word: str, pointer: str) -> q.Where | None:
        """A connective stands by itself."""
        others = [name for name in value if name != word]
        return self.fault(f"{pointer}/{escaped(others[0])}", "unknown_field") if others else None

    def several(self, value: Any, pointer: str) -> tuple[q.Where, ...]:
        if not isinstance(value, list):
            self.fault(pointer, "not_a_list")
            return ()
        if not self.counted(len(value), pointer):
            return ()
        return tuple(self.read(term, f"{pointer}/{place}") for place, term in enumerate(value))

    def counted(self, more: int, pointer: str) -> bool:
        self.terms += more
        if self.terms > TERMS_MAX:
            self.fault(pointer, "too_many_terms")
        return self.terms <= TERMS_MAX

    def comparison(self, value: dict[str, Any], pointer: str) -> q.Where:
        faults = len(self.faults)
        for name in value:
            if name not in ("column", "op", "value"):
                self.fault(f"{pointer}/{escaped(name)}", "unknown_field")
        for name in ("column", "op"):
            if name not in value:
                self.fault(f"{pointer}/{name}", "required")
            elif not isinstance(value[name], str):
                self.fault(f"{pointer}/{name}", "not_text")
        op = value.get("op")
        if isinstance(op, str) and op not in q.COMPARISONS:
            self.fault(f"{pointer}/op", "not_one_of")
        literals = self.literals(value, op, f"{pointer}/value")
        if len(self.faults) > faults:
            return q.All(())
        return q.Compare(column=value["column"], op=value["op"], values=literals)

    def literals(self, value: dict[str, Any], op: Any, pointer: str) -> tuple[q.Scalar, ...]:
        if op == "is_missing":
            if "value" in value:
                self.fault(pointer, "unknown_field")
            return ()
        if "value" not in value:
            self.fault(pointer, "required")
            return ()
        if op not in ("in", "between"):
            return self.scalars([value["value"]], pointer, several=False)
        if not isinstance(value["value"], list):
            self.fault(pointer, "not_a_list")
            return ()
        length = len(value["value"])
        if length == 0 or (op == "between" and length != 2):
            self.fault(pointer, "wrong_length")
            return ()
        return self.scalars(value["value"], pointer, several=True) if self.counted(length, pointer) else ()

    def scalars(self, values: list[Any], pointer: str, *, several: bool) -> tuple[q.Scalar, ...]:
        for place, value in enumerate(values):
            if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
                self.fault(f"{pointer}/{place}" if several else pointer, "not_scalar")
        return tuple(values)


KEYS = ItemsField(
    PartField(KeySchema),
    least=0,
    most=KEYS_MAX,
    load_default=list,
    metadata={"description": f"Every combination of the keys is answered, at most {CELLS_MAX} cells."},
)


class _Asked(Strict):
    """What questions and workloads have in common."""

    mode = ChoiceField(
        MODES, load_default="run", metadata={"description": "run, or quote (free), or dummy (free)."}
    )
    select = ItemsField(PartField(StatisticSchema), least=1, most=STATISTICS_MAX, required=True)
    where = ConditionField()
    budget = PartField(BudgetSchema, required=True)
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
    reuse = ChoiceField(("prefer", "never"), load_default="prefer")


class QuerySchema(_Asked):
    """A question about a dataset."""

    group_by = KEYS
    totals = FlagField(
        load_default=False,
        metadata={"type": "boolean", "description": "Add the margins of group_by; all rows add up."},
    )


class TableSchema(Strict):
    """One table of a workload."""

    name = TextField(
        data_key="as",
        required=True,
        validate=validate.Regexp(re.compile(rf"{NAME.pattern}\Z"), error="bad_name"),
        metadata={"pattern": rf"^{NAME.pattern}$"},
    )
    group_by = KEYS


class WorkloadSchema(_Asked):
    """Several tables of the same statistics at once, measured together with the least total error."""

    tables = ItemsField(PartField(TableSchema), least=1, most=TABLES_MAX, required=True)


CONDITION = {
    "description": "A comparison of a column with literals, or all / any / not of conditions.",
    "anyOf": [
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["column", "op"],
            "properties": {
                "column": {"type": "string"},
                "op": {"type": "string", "enum": list(q.COMPARISONS)},
                "value": {
                    "description": "A literal; a list for in and between; absent for is_missing.",
                    "anyOf": [*SCALAR["anyOf"], {"type": "array", "items": SCALAR, "maxItems": TERMS_MAX}],
                },
            },
        },
        *(
            {
                "type": "object",
                "additionalProperties": False,
                "required": [word],
                "properties": {
                    word: {
                        "type": "array",
                        "items": {"$ref": "#/components/schemas/Condition"},
                        "maxItems": TERMS_MAX,
                    }
                },
            }
            for word in ("all", "any")
        ),
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["not"],
            "properties": {"not": {"$ref": "#/components/schemas/Condition"}},
        },
    ],
}


def to_query(loaded: dict[str, Any]) -> q.Query:
    """A loaded QuerySchema or WorkloadSchema as the language of `privacy.query`. Raises InvalidQuery."""
    budget, problems = loaded["budget"], []
    named = [name for name in ("epsilon", "rho", "accuracy") if name in budget]
    if len(named) != 1:
        problems.append(q.Problem(pointer="/budget", reason="choose_one", expected="epsilon, rho, accuracy"))
    if "weights" in loaded and "weights" in budget:
        problems.append(
            q.Problem(pointer="/weights", reason="choose_one", expected="/weights, /budget/weights")
        )
    for member in ("confidence", "relative"):
        given = budget.get("accuracy", {}).get(member)
        if isinstance(given, str):
            place = f"/budget/accuracy/{member}"
            problems.append(q.Problem(pointer=place, reason="not_a_number", given=given))
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
    )


def _statistic(loaded: dict[str, Any]) -> q.Statistic:
    default = re.sub(r"\W", "_", "_".join(filter(None, (loaded["agg"], loaded.get("column")))))
    return q.Statistic(
        name=loaded.get("name", default),
        agg=loaded["agg"],
        column=loaded.get("column"),
        clamp=_pair(loaded.get("clamp")),
        per_person_clamp=_pair(loaded.get("per_person_clamp")),
        q=loaded.get("q"),
        value_bounds=loaded.get("value_bounds"),
        numerator=loaded.get("numerator"),
        denominator=loaded.get("denominator"),
    )


def _pair(ends: list[q.Scalar] | None) -> tuple[q.Scalar, q.Scalar] | None:
    return (ends[0], ends[1]) if ends else None


def _key(loaded: dict[str, Any]) -> q.Key:
    bins = tuple(loaded["bins"]) if "bins" in loaded else None
    return q.Key(
        column=loaded["column"], bins=bins, by=loaded.get("by"), missing=loaded.get("missing", False)
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


class GrantSchema(Strict):
    """More budget, with a reason. Exactly one of user, organisation, dataset_cap; epsilon or rho, as measured."""

    dataset = TextField(required=True)
    user = TextField()
    organisation = TextField()
    dataset_cap = FlagField(metadata={"type": "boolean", "description": "Raise the cap over everybody."})
    epsilon = AmountField(metadata={**AMOUNT, "example": "2.0"})
    rho = AmountField(metadata={**AMOUNT, "example": "0.1"})
    reason = TextField(
        required=True,
        validate=[
            validate.Length(max=REASON_LENGTH_MAX, error="wrong_length"),
            validate.Regexp(re.compile(r"(?s).*\S"), error="blank"),
        ],
        metadata={"pattern": r"\S"},
    )


class DecisionSchema(Strict):
    """What a second administrator decides on a pending grant."""

    decision = ChoiceField(DECISIONS, required=True)


class Length(CodedField, fields.Integer):
    """A whole number in plain ASCII digits, as it stands in an address."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9):
            raise ValidationError("not_an_integer")
        return int(value)


class PageSchema(Schema):
    """Keyset paging: `after` is the `next` of the page before."""

    error_messages = {"unknown": "unknown_field"}  # noqa: RUF012

    class Meta:
        unknown = RAISE

    limit = Length(load_default=50, validate=validate.Range(1, PAGE_MAX, error="not_an_integer"))
    after = TextField(validate=validate.Length(min=1, max=AFTER_LENGTH_MAX, error="wrong_length"))


EXPECTED: dict[str, dict[str, str]] = {
    "not_one_of": {
        "mode": ", ".join(MODES),
        "reuse": "prefer, never",
        "agg": ", ".join(q.AGGREGATES),
        "op": ", ".join(q.COMPARISONS),
        "by": ", ".join(q.CALENDAR),
        "mechanism": ", ".join(q.MECHANISMS),
        "decision": ", ".join(DECISIONS),
    },
    "wrong_length": {
        "select": f"1 … {STATISTICS_MAX}",
        "group_by": f"0 … {KEYS_MAX}",
        "clamp": "2",
        "per_person_clamp": "2",
        "q": f"1 … {QUANTILES_MAX}",
        "tables": f"1 … {TABLES_MAX}",
        "bins": f"2 … {EDGES_MAX}",
        "value": "1 or more (between: 2)",
        "reason": f"0 … {REASON_LENGTH_MAX}",
        "after": f"1 … {AFTER_LENGTH_MAX}",
    },
    "too_many_terms": {"": str(TERMS_MAX)},
    "not_an_integer": {"limit": f"1 … {PAGE_MAX}"},
}
"""What a code expects at a member of that name; "" stands for any."""


def problems(messages: Any, body: Any, pointer: str = "") -> list[q.Problem]:
    """marshmallow's nested messages as a list of problems with JSON Pointers, quoting what was sent."""
    from api.http.wire import at

    if isinstance(messages, list):
        return [_problem(str(message), pointer, at(body, pointer)) for message in messages]
    found = []
    for name, inner in messages.items():
        key = str(name)
        if key == "_schema":
            found += problems(inner, body, pointer)
        else:
            place = f"{pointer}{key}" if isinstance(name, Pointer) else f"{pointer}/{escaped(key)}"
            found += problems(inner, body, place)
    return found


def _problem(code: str, pointer: str, given: Any) -> q.Problem:
    member = pointer.rpartition("/")[2]
    if code == "unknown_field":
        given = member.replace("~1", "/").replace("~0", "~")
    by_member = EXPECTED.get(code, {})
    return q.Problem(
        pointer=pointer, reason=code, given=given, expected=by_member.get(member, by_member.get(""))
    )
