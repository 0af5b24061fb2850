"""A released table → the table that is shown: derived columns, selected rows, another order. Post-processing only.

Everything here is a function of the released table and the request (dp.md, 9: after the noise, anything goes): no
exact value, no draw and no plan comes in, so the answer tells no more than the released table does.
"""

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any as AnyValue
from typing import cast

from privacy.answer import AnswerTable
from privacy.presentation import INTERVALS_MAX, Presentation, total_intervals
from privacy.query import All, Any, Compare, Derived, Not, Scalar, Where
from privacy.result_columns import AnswerColumn
from privacy.schema import Label

INT64_MAX = 2**63 - 1
_OPERATORS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
Risks = dict[str, Mapping[str, Fraction] | None]
"""By derived column, what `_Numbers.risks` says."""


def presented(table: AnswerTable, asked: Presentation) -> AnswerTable:
    """The table as it is shown. Notes stay those of the released table; `asked.notes` has the words of the others."""
    columns = list(table.columns)
    derived: Risks = {}
    for one in asked.derive:
        numbers = _computed_of(one, columns, derived, asked.table_column)
        derived[one.name] = numbers.risks
        columns += _shown(one, numbers)
    by_name = {column.name: column.values for column in columns}
    rows = list(range(len(columns[0].values)))
    if asked.having is not None:
        kept = _matching(asked.having, by_name)
        rows = [row for row in rows if kept[row]]
    for order in reversed(asked.order_by):
        column = next(column for column in columns if column.name == order.column)
        rows = _ordered(rows, column, descending=order.descending)
    rows = rows[: asked.limit]
    return replace(
        table,
        columns=tuple(replace(one, values=[one.values[row] for row in rows]) for one in columns),
        postprocessing=(*table.postprocessing, *asked.codes),
    )


# Arithmetic


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    """Numbers of each row with their bounds, None where there is none.

    `risks` has, for each released interval that they are made of, the probability that it misses the exact value; None
    where there are no bounds. `whole` says that all are whole numbers by their kind.
    """

    values: Sequence[Fraction | None]
    low: Sequence[Fraction | None]
    high: Sequence[Fraction | None]
    risks: Mapping[str, Fraction] | None
    whole: bool
    literal: bool = False

    @property
    def confidence(self) -> Fraction | None:
        """The probability with which the bounds of a row hold its exact value, at least; None where there are none.

        k intervals hold together with a probability of at least one minus the sum of their k risks, however their
        noises depend on each other (Bonferroni's inequality).
        """
        if self.risks is None or len(self.risks) > INTERVALS_MAX:
            return None
        return 1 - sum(self.risks.values(), Fraction(0))


def _computed_of(
    one: Derived, columns: Sequence[AnswerColumn], derived: Risks, table_column: str | None
) -> _Numbers:
    """A derived column's numbers; `derived` has the risks of those before it."""
    if one.share_of_total is not None:
        return _share(one.share_of_total, columns, table_column)
    assert one.op is not None
    rows = len(columns[0].values)
    left, right = (_side(side, columns, derived, rows) for side in (one.left, one.right))
    return _computed(one.op, left, right)


def _shown(one: Derived, numbers: _Numbers) -> Iterator[AnswerColumn]:
    """A derived column and, where they are known, its bounds."""
    if one.share_of_total is not None:
        asked: dict[str, object] = {"share_of_total": one.share_of_total}
    else:
        asked = {"of": [str(one.left), one.op, str(one.right)]}
    values = [_label(value, whole=numbers.whole) for value in numbers.values]
    yield AnswerColumn(name=one.name, role="derived", values=values, about={"derived": asked})
    confidence = numbers.confidence
    if confidence is None:
        return
    bounds = [
        _bounds(value, low, high, whole=numbers.whole)
        for value, low, high in zip(values, numbers.low, numbers.high, strict=True)
    ]
    about = {"of": one.name, "confidence": round(float(confidence), 6)}
    for place, end in enumerate(("low", "high")):
        ends = [pair[place] for pair in bounds]
        yield AnswerColumn(name=f"{one.name}_{end}", role="bound", values=ends, about=about)


def _side(side: object, columns: Sequence[AnswerColumn], derived: Risks, rows: int) -> _Numbers:
    """An operand: a literal, which is as it is, or a column."""
    if isinstance(side, str):
        return _numbers(side, columns, derived)
    number = Fraction(str(side))
    each = [number] * rows
    return _Numbers(values=each, low=each, high=each, risks={}, whole=number.denominator == 1, literal=True)


def _numbers(name: str, columns: Sequence[AnswerColumn], derived: Risks) -> _Numbers:
    """A released or derived column with its bounds, as it is shown: what readers see is what is computed with."""
    by_name = {column.name: column for column in columns}
    column = by_name[name]
    low, high = (by_name.get(f"{name}_{end}") for end in ("low", "high"))
    values = list(map(_exact, column.values))
    whole = not any(isinstance(value, float) for value in column.values)
    if low is None or high is None or low.about.get("of") != name:
        none: list[Fraction | None] = [None] * len(values)
        return _Numbers(values=values, low=none, high=none, risks=None, whole=whole)
    return _Numbers(
        values=values,
        low=list(map(_exact, low.values)),
        high=list(map(_exact, high.values)),
        # Those of what it is made of; a released value has the one of its own interval.
        risks=derived.get(name, {name: 1 - Fraction(str(low.about["confidence"]))}),
        whole=whole,
    )


def _exact(value: Label) -> Fraction | None:
    """A shown number as the decimal that it is shown as: 0.1 is a tenth."""
    if value is None:
        return None
    assert isinstance(value, int | float)
    return Fraction(str(value))


def _computed(op: str, left: _Numbers, right: _Numbers) -> _Numbers:
    """The operation row by row; its bounds by interval arithmetic.

    Where both operands lie in their intervals, the result lies between the least and the greatest of what the ends of
    the intervals give (Moore 1966, Interval Analysis, section 2): the operations are monotone in each operand, division
    where the divisor's interval does not hold zero.
    """
    divides = op == "/"
    # A literal is no released denominator: it is what the caller wrote, and not zero.
    positive = divides and not right.literal
    values = [_result(op, a, b, positive=positive) for a, b in zip(left.values, right.values, strict=True)]
    ends = [
        _interval(op, (a, b), (c, d), positive=positive)
        for a, b, c, d in zip(left.low, left.high, right.low, right.high, strict=True)
    ]
    known = left.risks is not None and right.risks is not None
    return _Numbers(
        values=values,
        low=[low for low, _ in ends],
        high=[high for _, high in ends],
        risks={**(left.risks or {}), **(right.risks or {})} if known else None,
        whole=left.whole and right.whole and not divides,
    )


def _result(op: str, left: Fraction | None, right: Fraction | None, *, positive: bool) -> Fraction | None:
    """The result; None where an operand is, and where a denominator that has to be positive is not."""
    if left is None or right is None or (positive and right <= 0):
        return None
    return _OPERATORS[op](left, right)


_End = Fraction | None


def _interval(
    op: str, left: tuple[_End, _End], right: tuple[_End, _End], *, positive: bool
) -> tuple[_End, _End]:
    """The interval of the result; (None, None) where an operand has none or a denominator may not be positive."""
    # The low end of a denominator decides for both: where it may be zero the quotient has no bounds.
    ends = [_result(op, a, b, positive=positive) for a in left for b in right]
    if any(end is None for end in ends):
        return None, None
    known = cast("list[Fraction]", ends)
    return min(known), max(known)


def _share(name: str, columns: Sequence[AnswerColumn], table_column: str | None) -> _Numbers:
    """Each cell's share of the total.

    The total is the row of everybody where margins were released: it has bounds of its own. Elsewhere it is the sum
    over the cells of the answer, or in a workload over those of the row's own table, and no bounds are known but those
    that hold of all cells at once.
    """
    part = _numbers(name, columns, {})
    total = _total_row(columns)
    if table_column is None and total is not None:
        whole = [[ends[total]] * len(part.values) for ends in (part.values, part.low, part.high)]
        shared = _computed("/", part, replace(part, values=whole[0], low=whole[1], high=whole[2]))
        # The total's interval is another one, and holds as often as a cell's.
        risk = (part.risks or {})[name]
        return replace(shared, risks=dict.fromkeys(total_intervals(frozenset({name})), risk))
    tables: Sequence[Label] = [None] * len(part.values)
    if table_column is not None:
        tables = next(column.values for column in columns if column.name == table_column)
    totals: dict[Label, Fraction] = {}
    for table, value in zip(tables, part.values, strict=True):
        totals[table] = totals.get(table, Fraction(0)) + (value or 0)
    none: list[Fraction | None] = [None] * len(part.values)
    over = _Numbers(
        values=[totals[table] for table in tables], low=none, high=none, risks=None, whole=part.whole
    )
    return _computed("/", part, over)


def _total_row(columns: Sequence[AnswerColumn]) -> int | None:
    """The row that is a total over every key; None where margins were not released."""
    keys = [column for column in columns if column.role == "key"]
    if not keys or not all("total" in key.about for key in keys):
        return None
    for row in range(len(keys[0].values)):
        if all(key.values[row] == key.about["total"] for key in keys):
            return row
    return None


def _label(number: Fraction | None, *, whole: bool) -> Label:
    """A number as it is shown: whole numbers of 64 bits as such, others as the nearest double; None beyond those."""
    if number is None:
        return None
    if whole and number.denominator == 1 and abs(number) <= INT64_MAX:
        return number.numerator
    try:
        return float(number)
    # Products of products leave the doubles in the end; every question has an answer all the same.
    except OverflowError:
        return None


def _bounds(value: Label, low: _End, high: _End, *, whole: bool) -> tuple[Label, Label]:
    """Both bounds as they are shown, or neither; rounded away from each other, so that they hold what they held."""
    if value is None or low is None or high is None:
        return None, None
    ends = _outward(low, -math.inf, whole=whole), _outward(high, math.inf, whole=whole)
    return (None, None) if None in ends else ends


def _outward(end: Fraction, direction: float, *, whole: bool) -> Label:
    """An end as it is shown, not nearer to the other one than it is."""
    shown = _label(end, whole=whole)
    # The shortest decimal of a double may lie on its other side, so what is shown is compared.
    while isinstance(shown, float) and (_exact(shown) > end if direction < 0 else _exact(shown) < end):  # type: ignore[operator]
        shown = math.nextafter(shown, direction)
        if math.isinf(shown):
            return None
    return shown


# Selection and order


def _matching(where: Where, columns: Mapping[str, Sequence[Label]], *, negated: bool = False) -> list[bool]:
    """Which rows match. A missing cell matches no comparison nor its negation, as in `where`."""
    match where:
        case Not(term):
            return _matching(term, columns, negated=not negated)
        case All(terms) | Any(terms):
            parts = [_matching(term, columns, negated=negated) for term in terms]
            # De Morgan: a negation turns all into any.
            holds = all if isinstance(where, All) is not negated else any
            rows = len(next(iter(columns.values())))
            return [holds(part[row] for part in parts) for row in range(rows)]
        case Compare(column=column, op="is_missing"):
            return [(value is None) is not negated for value in columns[column]]
        case Compare():
            holds_for = _comparison(where, columns[where.column])
            return [value is not None and holds_for(value) is not negated for value in columns[where.column]]


def _comparison(compare: Compare, values: Sequence[Label]) -> Callable[[Label], bool]:
    """The comparison of one cell that is not missing."""
    # Nothing to compare with; a word such as 1/0 or 1e9999999 must not be read as a number then.
    if all(value is None for value in values):
        return lambda value: False
    # Labels of keys and days are text; 20 beside "20" is the same label.
    as_text = any(isinstance(value, str) for value in values)
    wanted: list[AnyValue] = [str(one) if as_text else _number(one) for one in compare.values]
    read: Callable[[Label], AnyValue] = str if as_text else lambda value: value
    first, last = wanted[0], wanted[-1]
    tests: dict[str, Callable[[AnyValue], bool]] = {
        "=": partial(operator.eq, first),
        "!=": partial(operator.ne, first),
        "<": partial(operator.gt, first),
        "<=": partial(operator.ge, first),
        ">": partial(operator.lt, first),
        ">=": partial(operator.le, first),
        "in": partial(operator.contains, set(wanted)),
        "between": lambda value: first <= value <= last,
    }
    holds = tests[compare.op]
    return lambda value: holds(read(value))


def _number(literal: Scalar) -> object:
    """A literal that compares with shown numbers: a double's nearest one, so that 0.1 is 0.1."""
    try:
        number = Fraction(str(literal))
    # A label of a key column of which no row stands here: nothing will be compared with it.
    except ValueError:
        return str(literal)
    return number.numerator if number.denominator == 1 else float(number)


def _ordered(rows: Sequence[int], column: AnswerColumn, *, descending: bool) -> list[int]:
    """Rows by a column, those of equal cells as they stood; missing cells last."""
    present = [row for row in rows if column.values[row] is not None]
    missing = [row for row in rows if column.values[row] is None]
    values: Sequence[Label] | list[int] = column.values
    if column.role == "key":
        # Labels have the order in which they were declared, in which the answer tells them first.
        places = {label: place for place, label in enumerate(dict.fromkeys(column.values))}
        values = [places[label] for label in column.values]
    return sorted(present, key=lambda row: values[row], reverse=descending) + missing  # type: ignore[arg-type,return-value]
