"""What a question wants done with its released table: `derive`, `having`, `order_by`, `limit`, as the wire allows them.

Shape only: which columns an answer has is known to `privacy.presentation`. Forms that people bring from elsewhere are
refused with the form that is accepted here.
"""

import json
import re
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError

from api.http.fields import SCALAR, CodedField, FieldFault, Pointer, is_scalar, span
from api.http.wire import escaped
from api.queries.conditions import MEMBERS, REFERENCE, ConditionField, ConditionReader
from privacy import presentation
from privacy import query as q

DERIVED_FORMS = ("of", "share_of_total")
OPERANDS = {
    "description": "Left operand, one of + - * /, right operand: columns of numbers of the answer, those derived "
    "before among them, or numbers in plain notation.",
    "type": "array",
    "minItems": 3,
    "maxItems": 3,
    "items": SCALAR,
}
ACCEPTED_TERM = '{"column": "n", "op": ">=", "value": 10}, {"n": ">=10"}'
_SHORT = re.compile(r"\s*(?P<op>>=|<=|!=|=|>|<)\s*(?P<number>-?\d{1,30}(?:\.\d{1,30})?)\s*", re.ASCII)
_EXPRESSION = re.compile(r"\s*(\w+(?:\.\d+)?)\s*([-+*/])\s*(\w+(?:\.\d+)?)\s*")


class OperandsField(CodedField):
    """`[left, operator, right]` of a derived column; an operand is a name or a literal."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[str | Decimal, str, str | Decimal]:
        if isinstance(value, str):
            raise ValidationError(FieldFault("not_operands", _operands_of(value)))
        if not isinstance(value, list):
            raise ValidationError("not_a_list")
        if len(value) != 3:
            raise ValidationError(FieldFault("not_operands", '["total", "/", "n"]'))
        faults: dict[str, list[str]] = {}
        for place in (0, 2):
            if not is_scalar(value[place]):
                # Brackets within brackets: each step gets a name of its own, and so its place in the answer.
                nested = isinstance(value[place], list)
                faults[Pointer(f"/{place}")] = ["nested_operand" if nested else "not_scalar"]
        if value[1] not in q.ARITHMETIC:
            faults[Pointer("/1")] = [FieldFault("not_one_of", ", ".join(q.ARITHMETIC))]
        if faults:
            raise ValidationError(faults)
        return _operand(value[0]), value[1], _operand(value[2])


def _operand(value: q.Scalar) -> str | Decimal:
    found = presentation.operand(value) if isinstance(value, str) else Decimal(value)
    assert found is not None
    return found


def _operands_of(text: str) -> str:
    """The accepted form of an expression in text, where it is one operation; else an example."""
    found = _EXPRESSION.fullmatch(text)
    return json.dumps(found.groups() if found else ("total", "/", "n"), ensure_ascii=False)


class HavingField(ConditionField):
    """Which rows of the released table are shown, loaded as `privacy.query.Where` over the answer's columns."""

    # No component of its own: the description shows a condition, and the short form beside it.
    component = (
        "Having",
        {
            "description": "A condition on columns of the answer, or short: a number column with a comparison as text.",
            "anyOf": [
                REFERENCE,
                {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": {"type": "string", "pattern": r"^\s*(>=|<=|!=|=|>|<)\s*-?[0-9]"},
                },
            ],
        },
    )

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> q.Where:
        reader = HavingReader()
        where = reader.read(value, "")
        if reader.faults:
            raise ValidationError(reader.faults)
        return where


class HavingReader(ConditionReader):
    """Reads conditions on released columns, which may be short: `{"n": ">=10"}`."""

    def __init__(self) -> None:
        super().__init__()
        self.comparisons = 0

    def read(self, value: Any, pointer: str) -> q.Where:
        """The condition at a pointer."""
        if not isinstance(value, dict):
            return self._fault(pointer, "having_form", ACCEPTED_TERM)
        return super().read(value, pointer)

    def _comparison(self, value: dict[str, Any], pointer: str) -> q.Where:
        self.comparisons += 1
        if self.comparisons > presentation.COMPARISONS_MAX:
            return self._fault(pointer, "too_many_comparisons", str(presentation.COMPARISONS_MAX))
        if not value.keys() & set(MEMBERS):
            return self._short(value, pointer)
        return super()._comparison(value, pointer)

    def _short(self, value: dict[str, Any], pointer: str) -> q.Where:
        if len(value) != 1:
            return self._fault(pointer, "having_form", ACCEPTED_TERM)
        ((name, written),) = value.items()
        found = _SHORT.fullmatch(written) if isinstance(written, str) else None
        if found is None:
            return self._fault(f"{pointer}/{escaped(name)}", "having_form", ACCEPTED_TERM)
        return q.Compare(column=name, op=found["op"], values=(Decimal(found["number"]),))


class OrderField(CodedField):
    """Columns to order by: one, as a name or an object, or a list of them."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[q.Order, ...]:
        several = isinstance(value, list)
        asked = value if several else [value]
        if not 1 <= len(asked) <= presentation.ORDERS_MAX:
            raise ValidationError(FieldFault("wrong_length", span(1, presentation.ORDERS_MAX)))
        faults: dict[str, list[str]] = {}
        found = []
        for place, one in enumerate(asked):
            here = f"/{place}" if several else ""
            read = _order(one, here, faults)
            found += [] if read is None else [read]
        if faults:
            raise ValidationError(faults)
        return tuple(found)


def _order(value: Any, here: str, faults: dict[str, list[str]]) -> q.Order | None:
    """One column to order by; None, and a fault noted, where it is none."""
    if isinstance(value, str):
        return q.Order(column=value)
    if not isinstance(value, dict) or not isinstance(value.get("column"), str):
        faults[Pointer(here)] = [FieldFault("order_by_form", '"n", {"column": "n", "descending": true}')]
        return None
    for name in value:
        if name not in ("column", "descending"):
            faults[Pointer(f"{here}/{escaped(name)}")] = [
                FieldFault("order_by_form", '{"column": "n", "descending": true}')
            ]
    if not isinstance(value.get("descending", False), bool):
        faults[Pointer(f"{here}/descending")] = ["not_a_boolean"]
    return None if faults else q.Order(column=value["column"], descending=value.get("descending", False))


ORDER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["column"],
    "properties": {"column": {"type": "string"}, "descending": {"type": "boolean", "default": False}},
}
ORDER_BY = {
    "description": "Columns of the answer to order its rows by; equal ones stay in declared order, missing come last.",
    "anyOf": [
        {"type": "string"},
        ORDER,
        {
            "type": "array",
            "minItems": 1,
            "maxItems": presentation.ORDERS_MAX,
            "items": {"anyOf": [{"type": "string"}, ORDER]},
        },
    ],
}


def derived_of(loaded: list[dict[str, Any]]) -> tuple[tuple[q.Derived, ...], list[q.Problem]]:
    """Loaded members of `derive` as values of `privacy.query`, and where one thing had to be chosen and was not."""
    problems = [
        q.Problem(pointer=f"/derive/{place}", reason="choose_one", expected=", ".join(DERIVED_FORMS))
        for place, one in enumerate(loaded)
        if ("of" in one) == ("share_of_total" in one)
    ]
    if problems:
        return (), problems
    return tuple(_derived(one) for one in loaded), []


def _derived(loaded: dict[str, Any]) -> q.Derived:
    left, op, right = loaded.get("of", (None, None, None))
    return q.Derived(
        name=loaded["name"], left=left, op=op, right=right, share_of_total=loaded.get("share_of_total")
    )
