"""A plan's exact part as one SQL aggregate over integers, compiled by sqlglot and cached by its shape.

Literals never enter the text: they are bound, in the order in which `Statement.values` lists them. Codes
are widened before arithmetic, so that no row can overflow a narrow column.

Keys travel in one of two ways. Where the codes of all key columns span few combinations ("raw"), the
statement groups by the codes themselves and `roll_up` adds the groups into cells; otherwise, and wherever
persons are counted (a person may stand in two codes of one bin), each key is first turned into the number
of its segment (a bucket, or the gap between two buckets): by a subtraction where every segment is a single
code, else by a balanced tree of comparisons.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from sqlglot import exp

from privacy.filters import Every, Filter, Member
from privacy.noise import Integers
from privacy.plan import Axis, Exact, Plan
from privacy.schema import Column

RAW_GROUPS_MAX = 1 << 18
TABLE = "rows"
PERSON, RANK = "person", "rank"


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text with `?` placeholders and the values to bind.

    Its result is a group number, then one column for each exact.
    """

    text: str
    values: tuple[int, ...]


def statement(plan: Plan, dialect: str) -> Statement:
    """The one aggregate statement that gives every exact integer of the plan."""
    shape = _Shape.of(plan)
    return Statement(_text(shape, dialect), tuple(_values(plan, shape)))


def roll_up(plan: Plan, groups: Integers, exacts: Sequence[Integers]) -> dict[Exact, Integers]:
    """Add the statement's groups into the plan's cells; cells without a group are zero."""
    cells = _cell_of_group(plan)[groups]
    inside = cells >= 0
    totals = {}
    for exact, column in zip(plan.exacts, exacts, strict=True):
        summed = np.zeros(plan.cells, dtype=np.int64)
        np.add.at(summed, cells[inside], column[inside])
        totals[exact] = summed
    return totals


def one_cell(plan: Plan, row: Sequence[int]) -> dict[Exact, Integers]:
    """The exact integers of a plan without keys, from the statement's only row."""
    return {
        exact: np.array([value], dtype=np.int64) for exact, value in zip(plan.exacts, row[1:], strict=True)
    }


@dataclass(frozen=True, slots=True)
class _Shape:
    """Everything of a plan that decides the SQL text; literals left out."""

    keys: tuple[tuple[int, int, bool], ...]
    raw: bool
    filter: object
    exacts: tuple[tuple[str, int, bool, bool], ...]
    persons_by_rank: bool

    @classmethod
    def of(cls, plan: Plan) -> "_Shape":
        columns = plan.schema.queryable
        sizes = [_codes(columns[axis.column]) for axis in plan.axes]
        persons = any(exact.kind == "persons" for exact in plan.exacts)
        raw = not persons and math.prod(sizes) <= RAW_GROUPS_MAX
        alone = plan.exacts == (Exact("persons"),) and not plan.axes and plan.filter == Every()
        return cls(
            keys=tuple(
                (
                    axis.column,
                    0 if raw or _is_plain(axis) else len(_segments(axis)),
                    _is_wide(columns[axis.column]),
                )
                for axis in plan.axes
            ),
            raw=raw,
            filter=_outline(plan.filter),
            exacts=tuple((exact.kind, exact.column, *_narrowed(columns, exact)) for exact in plan.exacts),
            persons_by_rank=alone,
        )


def _is_plain(axis: Axis) -> bool:
    """Whether each segment is a single code, so that its number is the code less the lowest."""
    segments = _segments(axis)
    return max(high for _, high in axis.buckets) - segments[0][0] + 1 == len(segments)


def _is_wide(column: Column) -> bool:
    """Whether a column's codes need 64 bits."""
    return max(abs(column.missing), abs(column.high)) >= 1 << 30


def _narrowed(columns: Sequence[Column], exact: Exact) -> tuple[bool, bool]:
    """Whether a total clamps tighter than the stored codes already are, below and above."""
    if exact.kind != "total":
        return False, False
    column = columns[exact.column]
    return exact.low > column.low, exact.high < column.high


def _outline(tree: Filter) -> object:
    """A filter without its literals."""
    if isinstance(tree, Member):
        return ("in", tree.column, tuple(low == high for low, high in tree.intervals))
    return ("every" if isinstance(tree, Every) else "some", *(_outline(term) for term in tree.terms))


@lru_cache(maxsize=2048)
def _text(shape: _Shape, dialect: str) -> str:
    if shape.persons_by_rank:
        count = exp.select(exp.Literal.number(0), exp.Count(this=exp.Star())).from_(TABLE)
        return count.where(exp.column(RANK).eq(exp.Literal.number(1))).sql(dialect)
    query = exp.select(exp.alias_(_group(shape), "cell"), *map(_aggregate, shape.exacts)).from_(TABLE)
    conditions = [_condition(shape.filter)] if shape.filter != ("every",) else []
    if not shape.raw:
        conditions += [
            exp.Between(this=_code(column), low=_mark(), high=_mark()) for column, *_ in shape.keys
        ]
    if conditions:
        query = query.where(exp.and_(*conditions))
    return (query.group_by("cell") if shape.keys else query).sql(dialect)


def _group(shape: _Shape) -> exp.Expression:
    """The number of a row's group: the keys' numbers in mixed radix, the first key the slowest."""
    number: exp.Expression = exp.cast(exp.Literal.number(0), "INTEGER")
    for place, (column, segments, wide) in enumerate(shape.keys):
        digit = exp.cast(_segment(column, 0, segments), "BIGINT") if segments else _offset(column, wide)
        number = exp.paren(number * _mark() + digit) if place else digit
    return number


def _segment(column: int, first: int, last: int) -> exp.Expression:
    """A balanced tree of comparisons that finds the segment; each inner node binds one lower edge."""
    if last - first == 1:
        return exp.Literal.number(first)
    middle = (first + last) // 2
    return exp.Case(
        ifs=[
            exp.If(this=exp.LT(this=_code(column), expression=_mark()), true=_segment(column, first, middle))
        ],
        default=_segment(column, middle, last),
    )


def _aggregate(exact: tuple[str, int, bool, bool]) -> exp.Expression:
    """An aggregate as plain comparisons and one sum: faster here than FILTER, LEAST and GREATEST."""
    kind, column, below, above = exact
    if kind == "rows":
        return exp.Count(this=exp.Star())
    if kind == "persons":
        return exp.Count(this=exp.Distinct(expressions=[exp.column(PERSON)]))
    cases = [exp.If(this=_code(column).eq(_mark()), true=exp.Literal.number(0))]
    value: exp.Expression = exp.Literal.number(1)
    if kind == "total":
        value = _code(column)
        ends = ((exp.LT, below), (exp.GT, above))
        cases += [
            exp.If(this=side(this=_code(column), expression=_mark()), true=_mark())
            for side, narrowed in ends
            if narrowed
        ]
    total = exp.Sum(this=exp.Case(ifs=cases, default=value))
    return exp.cast(exp.func("COALESCE", total, exp.Literal.number(0)), "BIGINT")


def _condition(outline: object) -> exp.Expression:
    assert isinstance(outline, tuple)
    kind, *parts = outline
    if kind == "in":
        column, singles = parts
        tests = [
            _code(column).eq(_mark())
            if single
            else exp.Between(this=_code(column), low=_mark(), high=_mark())
            for single in singles
        ]
        return exp.paren(exp.or_(*tests)) if len(tests) > 1 else tests[0]
    if not parts:
        return exp.true() if kind == "every" else exp.false()
    combine = exp.and_ if kind == "every" else exp.or_
    return exp.paren(combine(*(_condition(part) for part in parts)))


def _values(plan: Plan, shape: _Shape) -> Iterator[int]:
    """The literals in the order of their placeholders: keys, aggregates, filter, then key ranges."""
    if shape.persons_by_rank:
        return
    columns = plan.schema.queryable
    yield from _key_values(plan, shape, columns)
    for exact, (_, _, below, above) in zip(plan.exacts, shape.exacts, strict=True):
        if exact.kind in ("present", "total"):
            yield columns[exact.column].missing
        if below:
            yield from (exact.low, exact.low)
        if above:
            yield from (exact.high, exact.high)
    if plan.filter != Every():
        yield from _filter_values(plan.filter)
    if not shape.raw:
        for axis in plan.axes:
            yield from (_segments(axis)[0][0], max(high for _, high in axis.buckets))


def _key_values(plan: Plan, shape: _Shape, columns: Sequence[Column]) -> Iterator[int]:
    for place, (axis, (_, segments, _)) in enumerate(zip(plan.axes, shape.keys, strict=True)):
        column = columns[axis.column]
        lows = [low for low, _ in _segments(axis)]
        if place:
            yield _codes(column) if shape.raw else len(lows)
        if segments:
            yield from _edges(lows, 0, len(lows))
        else:
            yield column.missing if shape.raw else lows[0]


def _edges(lows: Sequence[int], first: int, last: int) -> Iterator[int]:
    """The lower edges in the order in which `_segment` binds them."""
    if last - first > 1:
        middle = (first + last) // 2
        yield lows[middle]
        yield from _edges(lows, first, middle)
        yield from _edges(lows, middle, last)


def _filter_values(tree: Filter) -> Iterator[int]:
    if isinstance(tree, Member):
        for low, high in tree.intervals:
            yield from (low,) if low == high else (low, high)
    else:
        for term in tree.terms:
            yield from _filter_values(term)


def _cell_of_group(plan: Plan) -> Integers:
    """For each group number of the statement the cell it belongs to, -1 for none."""
    raw = _Shape.of(plan).raw
    cells = np.zeros(1, dtype=np.int64)
    for axis in plan.axes:
        digits = _buckets_of_codes(plan, axis) if raw else np.array([bucket for _, bucket in _segments(axis)])
        outer = cells[:, None] * len(axis.buckets) + digits[None, :]
        cells = np.where((cells[:, None] < 0) | (digits[None, :] < 0), -1, outer).ravel()
    return cells


def _buckets_of_codes(plan: Plan, axis: Axis) -> Integers:
    """For each code of a key column, missing first, its bucket; -1 for none."""
    column = plan.schema.queryable[axis.column]
    buckets = np.full(_codes(column), -1, dtype=np.int64)
    for number, (low, high) in enumerate(axis.buckets):
        buckets[low - column.missing : high - column.missing + 1] = number
    return buckets


def _segments(axis: Axis) -> list[tuple[int, int]]:
    """Lower edge and bucket of each segment, ascending; a gap between two buckets is a segment of -1."""
    segments: list[tuple[int, int]] = []
    end = None
    for (low, high), bucket in sorted(zip(axis.buckets, range(len(axis.buckets)), strict=True)):
        if end is not None and low > end + 1:
            segments.append((end + 1, -1))
        segments.append((low, bucket))
        end = high
    return segments


def _codes(column: Column) -> int:
    """How many codes a column has, missing included."""
    return column.high - column.missing + 1


def _code(column: int) -> exp.Column:
    return exp.column(f"c{column}")


def _offset(column: int, wide: bool) -> exp.Expression:
    return exp.paren(exp.cast(_code(column), "BIGINT" if wide else "INTEGER") - _mark())


def _mark() -> exp.Placeholder:
    return exp.Placeholder()
