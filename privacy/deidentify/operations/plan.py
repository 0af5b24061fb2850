"""Operations read from a plan, and applied to a table in the plan's order.

Refuses unknown operations and parameters, naming those it knows; reads no file and no YAML, only what comes of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar

from privacy.deidentify.operations.edges import Edge
from privacy.deidentify.operations.errors import BadOperation, of_column
from privacy.deidentify.operations.microaggregation import Centre
from privacy.deidentify.operations.numbers import NoiseKind, Rounding
from privacy.deidentify.operations.steps import (
    AddNoise,
    Applied,
    BottomCode,
    DateShift,
    DrawSample,
    Mask,
    Means,
    Microaggregate,
    Operation,
    Pram,
    Pseudonym,
    RecordSwap,
    Remove,
    RemoveRows,
    Renumber,
    Round,
    Suppress,
    SuppressRare,
    Swap,
    TopCode,
    WorkingRecords,
)
from privacy.deidentify.randomness import Draws
from privacy.deidentify.table import Table
from privacy.words import Words

OPERATIONS: Mapping[str, type[Operation]] = MappingProxyType(
    {
        kind.NAME: kind
        for kind in (
            Remove,
            RemoveRows,
            Suppress,
            SuppressRare,
            Mask,
            TopCode,
            BottomCode,
            Round,
            AddNoise,
            Microaggregate,
            Swap,
            RecordSwap,
            Pram,
            DrawSample,
            DateShift,
            Pseudonym,
            Renumber,
        )
    }
)
"""The operations a plan can ask for, by name."""


@dataclass(frozen=True, slots=True)
class InOrder(Operation):
    """Several operations on one column, one after the other; `apply` runs and reports each of them."""

    NAME: ClassVar[str] = "in_order"
    steps: tuple[Operation, ...]

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        raise AssertionError("apply runs the steps one by one")


class _Mistyped(Exception):
    """A parameter is not of its type; `wanted` says what it should have been. Never leaves this module."""

    def __init__(self, *, ja: str, en: str) -> None:
        super().__init__(en)
        self.wanted = Words(ja=ja, en=en)


Reader = Callable[[object], Any]
"""Reads a parameter, or raises `_Mistyped`."""


def _whole(value: object) -> int:
    # YAML's yes is a bool, which Python counts among the integers.
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Mistyped(ja="整数", en="a whole number")
    return value


def _number(value: object) -> Decimal:
    mistyped = _Mistyped(ja="数値", en="a number")
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise mistyped
    try:
        # Through the text, so that 0.1 in a plan is one tenth and not the float beside it.
        number = Decimal(str(value))
    except InvalidOperation:
        raise mistyped from None
    if not number.is_finite():
        raise mistyped
    return number


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Mistyped(ja=" true 又は false ", en="true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Mistyped(ja="文字列", en="a text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise _Mistyped(ja="文字列の一覧", en="a list of texts")
    return tuple(_text(item) for item in value)


def _date(value: object) -> date:
    # Exactly a date, as YAML makes of 2026-11-22: a time of day would be cut off without a word.
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(_text(value))
    except (ValueError, _Mistyped):
        raise _Mistyped(ja=" 2026-11-22 の形の日付", en="a date as 2026-11-22") from None


def _choice(kind: type[StrEnum]) -> Reader:
    def read(value: object) -> StrEnum:
        if not isinstance(value, str) or value not in list(kind):
            names = ", ".join(kind)
            raise _Mistyped(ja=f"次のいずれか（{names}）", en=f"one of {names}")
        return kind(value)

    return read


def _matrix(value: object) -> Mapping[str, Mapping[str, float]]:
    mistyped = _Mistyped(ja="値から値への確率を示す対応", en="a mapping from value to value to probability")
    if not isinstance(value, Mapping) or not all(isinstance(row, Mapping) for row in value.values()):
        raise mistyped
    try:
        return MappingProxyType({_text(own): _shares(row) for own, row in value.items()})
    except _Mistyped:
        raise mistyped from None


def _shares(row: Mapping[object, object]) -> Mapping[str, float]:
    return {_text(to): float(_number(share)) for to, share in row.items()}


READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "at": _number,
        "base": _number,
        "centre": _choice(Centre),
        "companions": _texts,
        "days": _whole,
        "edge": _choice(Edge),
        "high": _number,
        "invariant": _flag,
        "k": _whole,
        "keep": _whole,
        "kind": _choice(NoiseKind),
        "label": _text,
        "last": _flag,
        "least": _whole,
        "length": _whole,
        "low": _number,
        "matrix": _matrix,
        "method": _choice(Rounding),
        "percent": _number,
        "relative": _number,
        "retain": _number,
        "sd": _number,
        "share": _number,
        "sign": _text,
        "size": _whole,
        "stratified": _flag,
        "values": _texts,
        "within": _texts,
        "as_text": _flag,
        "zero": _flag,
    }
)
"""How a field of an operation is read."""
PLAN_NAMES: Mapping[str, str] = MappingProxyType({"companions": "with"})
DATE_NAMES: Mapping[str, str] = MappingProxyType({"companions": "with", "low": "from", "high": "to"})
"""Fields that a plan calls otherwise, for dates and for all else."""


def parse(spec: object, *, column: str) -> Operation:
    """The operation that an attribute's plan asks for: "remove", {top_code: {at: 90}}, or a list of such.

    Raises `BadOperation`, which names the column, what was given, and what is known.
    """
    if isinstance(spec, Sequence) and not isinstance(spec, str):
        if not spec:
            raise of_column(column, Words(ja="加工方法の一覧が空です。", en="an empty list of operations"))
        return InOrder(tuple(_parse_one(one, column) for one in spec))
    return _parse_one(spec, column)


def _parse_one(spec: object, column: str) -> Operation:
    # `operation: pseudonym` is short for one without parameters.
    if isinstance(spec, str):
        spec = {spec: {}}
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise of_column(
            column,
            Words(
                ja="加工方法は、名前、又は名前 1 つとそのパラメータで指定してください。",
                en="an operation is a name, or one name with its parameters",
            ),
        )
    (name, given), *_ = spec.items()
    if name not in OPERATIONS:
        known = ", ".join(OPERATIONS)
        raise of_column(
            column,
            Words(
                ja=f"{name!r} という加工方法はありません（使えるもの：{known}）。",
                en=f"operation {name!r} is not known; known are {known}",
            ),
        )
    if given is not None and not isinstance(given, Mapping):
        raise of_column(
            column,
            Words(
                ja=f"{name} のパラメータは、名前と値の対応でなければなりません（指定された値：{given!r}）。",
                en=f"the parameters of {name} must be a mapping, not {given!r}",
            ),
        )
    return _made(OPERATIONS[name], given or {}, column)


def _made(kind: type[Operation], given: Mapping[object, object], column: str) -> Operation:
    # A plan says `with`, `from` and `to`, which Python's fields cannot be called.
    names = DATE_NAMES if kind is DateShift else PLAN_NAMES
    known = {names.get(field.name, field.name): field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = [name for name in given if name not in known]
    if unknown:
        named = ", ".join(map(repr, unknown))
        raise of_column(
            column,
            Words(
                ja=f"{kind.NAME} に {named} というパラメータはありません（使えるもの：{', '.join(known) or 'なし'}）。",
                en=f"{kind.NAME} has no parameter {named}; known are {', '.join(known) or 'none'}",
            ),
        )
    # What a dataclass has no default for is needed; the fields are the one place that says so.
    needed = [name for name, field in known.items() if field.default is MISSING and name not in given]
    if needed:
        listed = ", ".join(needed)
        raise of_column(
            column, Words(ja=f"{kind.NAME} には {listed} が必要です。", en=f"{kind.NAME} needs {listed}")
        )
    read = {
        known[name].name: _read(kind, known[name].name, name, value, column)
        for name, value in given.items()
        if isinstance(name, str)
    }
    try:
        return kind(**read)
    except BadOperation as fault:
        raise of_column(column, fault.message()) from None


def _read(kind: type[Operation], field: str, name: str, value: object, column: str) -> object:
    # `low` and `high` are numbers everywhere but where dates are shifted.
    reader = _date if kind is DateShift and field in ("low", "high") else READERS[field]
    try:
        return reader(value)
    except _Mistyped as fault:
        raise of_column(
            column,
            Words(
                ja=f"{kind.NAME} の {name} は{fault.wanted.ja}でなければなりません（指定された値：{value!r}）。",
                en=f"{name} of {kind.NAME} must be {fault.wanted.en}, not {value!r}",
            ),
        ) from None


def apply(
    table: Table,
    operations: Sequence[tuple[str, Operation]],
    *,
    draws_for: Callable[[str], Draws],
    key: bytes,
    unit: str | None,
) -> tuple[Table, tuple[Applied, ...]]:
    """The table after all operations in order, and a record of each.

    `unit` names the column that tells the persons, None where rows are persons; persons are those of the table
    given, whatever happens to that column. `draws_for(purpose)` gives the draws of an operation, the purpose being
    "noise:income", with ":2" for a second one of the kind on the column; all date shifts of equal days share one.
    """
    # Frozen records handed from step to step: a step that fails leaves no table half changed.
    records, done, times = WorkingRecords.of(table, unit), list[Applied](), dict[str, int]()
    for column, operation in operations:
        for step in operation.steps if isinstance(operation, InOrder) else (operation,):
            # Draws by purpose, not by position: an operation put before another leaves the other's draws as they were.
            purpose = f"{step.NAME}:{column}"
            times[purpose] = times.get(purpose, 0) + 1
            if times[purpose] > 1:
                purpose = f"{purpose}:{times[purpose]}"
            means = Means(draws_for=draws_for, key=key, purpose=purpose)
            records, applied = step.run(records, column, means)
            done.append(applied)
    return records.table, tuple(done)
