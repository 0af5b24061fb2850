"""Filters: a JSON tree of comparisons under all, any and not → values of `privacy.query`, with every fault found.

A hand-written reader, because a filter nests without end and marshmallow would lose the place of a fault in it.
"""

from typing import Any

from marshmallow import ValidationError

from api.http.fields import SCALAR, CodedField, FieldFault, Pointer, is_scalar, span, unknown_member
from api.http.wire import escaped, quoted
from api.queries.foreign_forms import condition_in
from privacy import query as q
from privacy.nearest import nearest

MEMBERS = ("column", "op", "value")
CONNECTIVES = ("all", "any", "not")
EXAMPLE = '{"column": "age", "op": ">=", "value": 65}'
OTHER_SIGNS = {
    "==": "=",
    "<>": "!=",
    "≠": "!=",
    "≤": "<=",
    "≦": "<=",
    "≥": ">=",
    "≧": ">=",
    "is_null": "is_missing",
}
"""Comparisons as other languages and people write them."""
CONDITION = "Condition"
REFERENCE = {"$ref": f"#/components/schemas/{CONDITION}"}


def _connective(word: str, inner: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": [word], "properties": {word: inner}}


CONDITION_SCHEMA: dict[str, Any] = {
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
                    "anyOf": [
                        *SCALAR["anyOf"],
                        {"type": "array", "items": SCALAR, "maxItems": q.TERMS_MAX},
                    ],
                },
            },
        },
        _connective("all", {"type": "array", "items": REFERENCE, "maxItems": q.TERMS_MAX}),
        _connective("any", {"type": "array", "items": REFERENCE, "maxItems": q.TERMS_MAX}),
        _connective("not", REFERENCE),
    ],
}


class ConditionField(CodedField):
    """A filter, loaded as `privacy.query.Where`."""

    # A schema that refers to itself needs a name, so the description keeps one of it for all members that hold it.
    component = (CONDITION, CONDITION_SCHEMA)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> q.Where:
        reader = ConditionReader()
        where = reader.read(value, "")
        if reader.faults:
            raise ValidationError(reader.faults)
        return where


class ConditionReader:
    """Reads one filter tree. `faults` maps relative pointers to codes; what is read with a fault is no filter."""

    def __init__(self) -> None:
        self.faults: dict[str, list[str]] = {}
        self.terms = 0

    def read(self, value: Any, pointer: str) -> q.Where:
        """The filter at a pointer."""
        if isinstance(value, list):
            # One condition in brackets, or several: what is meant, mostly, is that all of them hold.
            return self._fault(pointer, "not_an_object:list_of_conditions", quoted({"all": value}))
        if isinstance(value, str):
            return self._fault(pointer, "not_an_object:where_text", condition_in(value))
        if not isinstance(value, dict):
            return self._fault(pointer, "not_an_object:condition", EXAMPLE)
        for word, kind in (("all", q.All), ("any", q.Any)):
            if word in value:
                return self._not_alone(value, word, pointer) or kind(
                    self._terms(value[word], f"{pointer}/{word}")
                )
        if "not" in value:
            return self._not_alone(value, "not", pointer) or q.Not(self.read(value["not"], f"{pointer}/not"))
        return self._comparison(value, pointer)

    def _fault(self, pointer: str, code: str, expected: str | None = None) -> q.Where:
        # Too many terms are too many once: every further list would say so again.
        if code != "too_many_terms" or not any("too_many_terms" in codes for codes in self.faults.values()):
            self.faults[Pointer(pointer)] = [FieldFault(code, expected)]
        # Something has to stand in the tree so that reading goes on and finds the other faults.
        return q.All(())

    def _not_alone(self, value: dict[str, Any], word: str, pointer: str) -> q.Where | None:
        """A fault where members stand beside a connective."""
        others = [name for name in value if name != word]
        return self._unknown(others[0], pointer, (word,)) if others else None

    def _unknown(self, name: str, pointer: str, known: tuple[str, ...]) -> q.Where:
        place = Pointer(f"{pointer}/{escaped(name)}")
        self.faults[place] = [unknown_member(name, known)]
        return q.All(())

    def _terms(self, value: Any, pointer: str) -> tuple[q.Where, ...]:
        if not isinstance(value, list):
            self._fault(pointer, "not_a_list", f"[{quoted(value)}]")
            return ()
        if not self._counted(len(value), pointer):
            return ()
        return tuple(self.read(term, f"{pointer}/{place}") for place, term in enumerate(value))

    def _counted(self, more: int, pointer: str) -> bool:
        """Count terms and literals of the whole tree; false above the limit."""
        # Nested lists multiply, so each list's own limit would not bound the SQL that comes of them.
        self.terms += more
        if self.terms > q.TERMS_MAX:
            self._fault(pointer, "too_many_terms", str(q.TERMS_MAX))
        return self.terms <= q.TERMS_MAX

    def _comparison(self, value: dict[str, Any], pointer: str) -> q.Where:
        faults = len(self.faults)
        for name in value:
            if name not in MEMBERS:
                self._unknown(name, pointer, (*MEMBERS, *CONNECTIVES))
        for name in ("column", "op"):
            if name not in value:
                self._fault(f"{pointer}/{name}", "required")
            elif not isinstance(value[name], str):
                self._fault(f"{pointer}/{name}", "not_text")
        op = value.get("op")
        if isinstance(op, str) and op not in q.COMPARISONS:
            meant = OTHER_SIGNS.get(op) or nearest(op, q.COMPARISONS)
            self.faults[Pointer(f"{pointer}/op")] = [
                FieldFault("not_one_of", ", ".join(q.COMPARISONS), meant)
            ]
        literals = self._literals(value, op, f"{pointer}/value")
        if len(self.faults) > faults:
            return q.All(())
        return q.Compare(column=value["column"], op=value["op"], values=literals)

    def _literals(self, value: dict[str, Any], op: Any, pointer: str) -> tuple[q.Scalar, ...]:
        if op == "is_missing":
            if "value" in value:
                self._unknown("value", pointer.removesuffix("/value"), ("column", "op"))
            return ()
        if "value" not in value:
            self._fault(pointer, "required")
            return ()
        if isinstance(value["value"], dict):
            self._fault(pointer, "compares_a_cell", '{"column": "age", "op": ">=", "value": 20}')
            return ()
        if op not in ("in", "between"):
            if value["value"] is None:
                self._fault(pointer, "not_scalar:null", _missing(value.get("column"), op))
                return ()
            return self._scalars([value["value"]], pointer, several=False)
        if not isinstance(value["value"], list):
            self._fault(pointer, "not_a_list", f"[{quoted(value['value'])}]")
            return ()
        length = len(value["value"])
        if length == 0 or (op == "between" and length != 2):
            self._fault(pointer, "wrong_length", "2" if op == "between" else span(1, q.TERMS_MAX))
            return ()
        return self._scalars(value["value"], pointer, several=True) if self._counted(length, pointer) else ()

    def _scalars(self, values: list[Any], pointer: str, *, several: bool) -> tuple[q.Scalar, ...]:
        for place, value in enumerate(values):
            if value is None:
                self._fault(f"{pointer}/{place}", "not_scalar:null", _missing(None, "="))
            elif not is_scalar(value):
                self._fault(f"{pointer}/{place}" if several else pointer, "not_scalar")
        return tuple(values)


def _missing(column: Any, op: Any) -> str:
    """The condition that asks for rows without a value, or, instead of `!=`, for those with one."""
    condition = {"column": column if isinstance(column, str) else "…", "op": "is_missing"}
    return quoted({"not": condition} if op == "!=" else condition)
