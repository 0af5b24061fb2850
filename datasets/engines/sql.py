"""A plan's exact part as SQL aggregates over integers, compiled by sqlglot and cached by their shape.

Each pass over the table is one statement: all plain aggregates over the same cells together, each histogram
(histogram) and each sum of persons' clamped totals by itself.

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

from datasets.engines.format import PERSON, RANK, TABLE, code_name
from privacy.exact import Axis, AxisSubset, ExactAggregate, ExactRequest, cells_over
from privacy.filters import Every, Filter, Member
from privacy.noise import Integers
from privacy.plan import Plan
from privacy.schema import Column

# Up to so many groups fit the engine's perfect hash table (see `PERFECT_HASH_BITS`) and little memory.
RAW_GROUPS_MAX = 1 << 18
# Needs a statement of its own: its groups or its rows are not those of plain aggregates.
ALONE = ("histogram", "person_total", "values", "value_persons")

# Gives a row for each bin or value even where there are no keys.
GROUPED = ("histogram", "values", "value_persons")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text with `?` placeholders and the values to bind.

    Its result is a group number, then one column for each exact.
    """

    text: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pass:
    """One statement's part of a plan: exact integers over the same cells and rows."""

    over: AxisSubset
    exacts: tuple[ExactAggregate, ...]

    @property
    def first(self) -> ExactAggregate:
        """What stands alone in its pass: a histogram or a total of persons; else the first of several."""
        return self.exacts[0]


def passes(plan: Plan) -> tuple[Pass, ...]:
    """The statements that a plan needs."""
    together: dict[tuple[AxisSubset, bool, ExactAggregate | None], list[ExactAggregate]] = {}
    for over, exact in plan.exact_requests:
        # The aggregate itself is part of the key, so that nothing else can join its statement.
        alone = exact if exact.kind in ALONE else None
        together.setdefault((over, exact.all_rows, alone), []).append(exact)
    return tuple(Pass(key[0], tuple(exacts)) for key, exacts in together.items())


def statement(plan: Plan, part: Pass, dialect: str) -> Statement:
    """The aggregate statement of one pass."""
    shape = _Shape.of(plan, part)
    return Statement(_text(shape, dialect), tuple(_values(plan, part, shape)))


def roll_up(
    plan: Plan, part: Pass, groups: Integers, exacts: Sequence[Integers]
) -> dict[ExactRequest, Integers]:
    """Add the statement's groups into the plan's cells; cells without a group are zero."""
    size = part.first.size
    cells = _cell_of_group(plan, part)[groups // size]
    # Groups between two buckets belong to no cell. They were counted because leaving them out in SQL costs
    # more.
    inside = cells >= 0
    places = cells[inside] * size + groups[inside] % size
    totals = {}
    for exact, column in zip(part.exacts, exacts, strict=True):
        summed = np.zeros(cells_over(plan.axes, part.over) * size, dtype=np.int64)
        # Several groups fall into one cell, which `summed[places] += column` would count once.
        np.add.at(summed, places, column[inside])
        totals[part.over, exact] = summed
    return totals


def one_cell(part: Pass, row: Sequence[int]) -> dict[ExactRequest, Integers]:
    """The exact integers of a pass without keys, from the statement's only row."""
    return {
        (part.over, exact): np.array([value], dtype=np.int64)
        for exact, value in zip(part.exacts, row[1:], strict=True)
    }


def is_grouped(part: Pass) -> bool:
    """Whether the statement has a row for each group, rather than one row."""
    return bool(part.over) or part.first.kind in GROUPED


@dataclass(frozen=True, slots=True)
class _Shape:
    """Everything of a pass that decides the SQL text; literals left out."""

    keys: tuple[tuple[int, int, bool], ...]
    raw: bool
    filter: object
    bounded: bool
    exacts: tuple["_ExactShape", ...]
    persons_by_rank: bool

    @classmethod
    def of(cls, plan: Plan, part: Pass) -> "_Shape":
        columns = plan.schema.queryable
        axes = _axes(plan, part)
        sizes = [_codes(columns[axis.column]) for axis in axes]
        # A person who stands in two codes of one bucket must be counted once there, so no adding up
        # afterwards.
        persons = any(exact.kind in ("persons", "person_total") for exact in part.exacts)
        raw = not persons and math.prod(sizes) * part.first.size <= RAW_GROUPS_MAX
        # Every person has a row of rank 1, so that all persons are counted without telling them apart.
        alone = part.exacts == (ExactAggregate(kind="persons"),) and not axes and plan.filter == Every()
        return cls(
            keys=tuple(
                (
                    axis.column,
                    0 if raw or _is_plain(axis) else len(_segments(axis)),
                    _is_wide(columns[axis.column]),
                )
                for axis in axes
            ),
            raw=raw,
            filter=_outline(plan.filter),
            bounded=_is_bounded(plan, part),
            exacts=tuple(_ExactShape.of(columns, exact) for exact in part.exacts),
            persons_by_rank=alone,
        )


@dataclass(frozen=True, slots=True)
class _ExactShape:
    """An exact integer without its literals; `below`, `above`: it clamps tighter than the stored codes."""

    kind: str
    column: int
    below: bool
    above: bool
    grid: int
    where: object
    wide: bool

    @classmethod
    def of(cls, columns: Sequence[Column], exact: ExactAggregate) -> "_ExactShape":
        clamped = exact.kind in ("total", "square", "person_total", "histogram")
        return cls(
            kind=exact.kind,
            column=exact.column,
            below=clamped and exact.low > columns[exact.column].low,
            above=clamped and exact.high < columns[exact.column].high,
            grid=min(exact.grid, 2),
            where=None if exact.where is None else _outline(exact.where),
            # Column -1 stands for aggregates of no column, such as counts of rows.
            wide=exact.column >= 0 and _is_wide(columns[exact.column]),
        )


def _axes(plan: Plan, part: Pass) -> list[Axis]:
    return [plan.axes[place] for place in part.over]


def _is_bounded(plan: Plan, part: Pass) -> bool:
    """Whether ranks beyond the plan's bound must be left out."""
    return plan.bound < plan.schema.rows_per_person and not part.first.all_rows


def _is_plain(axis: Axis) -> bool:
    """Whether each segment is a single code, so that its number is the code less the lowest."""
    segments = _segments(axis)
    return _last(axis) - segments[0][0] + 1 == len(segments)


def _is_wide(column: Column) -> bool:
    """Whether a column's codes need 64 bits."""
    # Half of 32 bits: the difference of two such codes still fits an INTEGER.
    return max(abs(column.missing), abs(column.high)) >= 1 << 30


def _outline(tree: Filter) -> object:
    """A filter without its literals."""
    if isinstance(tree, Member):
        return ("in", tree.column, tuple(low == high for low, high in tree.intervals))
    return ("every" if isinstance(tree, Every) else "some", *(_outline(term) for term in tree.terms))


# Building and printing the tree costs more than a small query; questions of one portal share few shapes.
@lru_cache(maxsize=2048)
def _text(shape: _Shape, dialect: str) -> str:
    if shape.persons_by_rank:
        count = exp.select(exp.Literal.number(0), exp.Count(this=exp.Star())).from_(TABLE)
        return count.where(exp.column(RANK).eq(exp.Literal.number(1))).sql(dialect)
    first = shape.exacts[0]
    if first.kind == "person_total":
        # Summed per person first, since a person's total is clamped as a whole before persons are added up.
        inner = _from_rows(
            shape, exp.select(exp.alias_(_group(shape), "cell"), exp.alias_(_sum(first), "total"))
        )
        persons = inner.group_by("cell", exp.column(PERSON)).subquery("persons")
        query = exp.select("cell" if shape.keys else exp.Literal.number(0), _clamped_total()).from_(persons)
        return (query.group_by("cell") if shape.keys else query).sql(dialect)
    query = _from_rows(shape, exp.select(exp.alias_(_group(shape), "cell"), *map(_aggregate, shape.exacts)))
    return (query.group_by("cell") if shape.keys or first.kind in GROUPED else query).sql(dialect)


def _from_rows(shape: _Shape, query: exp.Select) -> exp.Select:
    """The rows that take part."""
    conditions = [_condition(shape.filter)] if shape.filter != ("every",) else []
    if shape.bounded:
        conditions.append(exp.LTE(this=exp.column(RANK), expression=_mark()))
    if shape.exacts[0].kind in ALONE:
        conditions.append(exp.NEQ(this=_code(shape.exacts[0].column), expression=_mark()))
    if not shape.raw:
        conditions += [
            # Rows outside of all buckets never reach the grouping; what lies in a gap between two does
            # (bucket -1).
            exp.Between(this=_code(column), low=_mark(), high=_mark())
            for column, *_ in shape.keys
        ]
    query = query.from_(TABLE)
    return query.where(exp.and_(*conditions)) if conditions else query


def _group(shape: _Shape) -> exp.Expression:
    """The number of a row's group: the keys' numbers in mixed radix, the first key the slowest, a bin last."""
    # Without keys all rows are one group, number 0.
    number: exp.Expression = exp.cast(exp.Literal.number(0), "INTEGER")
    for place, (column, segments, wide) in enumerate(shape.keys):
        digit = exp.cast(_segment(column, 0, segments), "BIGINT") if segments else _offset(column, wide)
        number = exp.paren(number * _mark() + digit) if place else digit
    first = shape.exacts[0]
    if first.kind in ("values", "value_persons"):
        return _big(_code(first.column))
    if first.kind == "histogram":
        number = exp.paren(number * _mark() + _bin(first)) if shape.keys else _bin(first)
    return number


def _bin(exact: _ExactShape) -> exp.Expression:
    """The number of a histogram's bin, for rows where the column is not missing."""
    offset = _offset(exact.column, exact.wide)
    if exact.grid > 1:
        # The offset is never negative here, so a division that truncates is a floor.
        offset = exp.paren(exp.IntDiv(this=offset, expression=_mark()))
    cases = _ends(exact)
    return exp.paren(exp.Case(ifs=cases, default=offset)) if cases else offset


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


def _aggregate(exact: _ExactShape) -> exp.Expression:
    """An aggregate as plain comparisons and one sum: faster here than FILTER, LEAST and GREATEST."""
    if exact.kind in ("rows", "histogram", "values"):
        if exact.where is None:
            return exp.Count(this=exp.Star())
        test = exp.If(this=_condition(exact.where), true=exp.Literal.number(1))
        return _whole(exp.Case(ifs=[test], default=exp.Literal.number(0)))
    if exact.kind in ("persons", "value_persons"):
        return exp.Count(this=exp.Distinct(expressions=[exp.column(PERSON)]))
    return _whole(_case(exact, [exp.If(this=_code(exact.column).eq(_mark()), true=exp.Literal.number(0))]))


def _sum(exact: _ExactShape) -> exp.Expression:
    """The total of one person's rows in a cell."""
    return _whole(_case(exact, []))


def _case(exact: _ExactShape, cases: list[exp.If]) -> exp.Expression:
    """What a row adds: 1, its clamped code, or (the square of) its distance above the lower clamp."""
    value: exp.Expression = exp.Literal.number(1)
    if exact.kind in ("total", "person_total"):
        value = _distance(exact) if exact.grid else _code(exact.column)
    elif exact.kind == "square":
        # Distances from the lower clamp keep squares small enough for 64 bits.
        value = _distance(exact) * _distance(exact)
    cases += _ends(exact)
    return exp.Case(ifs=cases, default=value) if cases else value


def _ends(exact: _ExactShape) -> list[exp.If]:
    """What stands for the values outside the clamp."""
    sides = ((exp.LT, exact.below), (exp.GT, exact.above))
    return [
        # A clamp no tighter than the stored codes is left out: registration has clamped to those already.
        exp.If(this=side(this=_code(exact.column), expression=_mark()), true=_mark())
        for side, narrowed in sides
        if narrowed
    ]


def _distance(exact: _ExactShape) -> exp.Expression:
    """How far a code lies above the lower clamp, in grids."""
    offset: exp.Expression = exp.paren(_big(_code(exact.column)) - _mark())
    return exp.paren(exp.IntDiv(this=offset, expression=_mark())) if exact.grid > 1 else offset


def _clamped_total() -> exp.Expression:
    # A node of the tree has one parent, hence the copies.
    total = exp.column("total")
    cases = [
        exp.If(this=side(this=total.copy(), expression=_mark()), true=_mark()) for side in (exp.LT, exp.GT)
    ]
    return _whole(exp.Case(ifs=cases, default=total.copy()))


def _whole(value: exp.Expression) -> exp.Expression:
    """A sum as a 64-bit integer, zero of no rows."""
    return exp.cast(exp.func("COALESCE", exp.Sum(this=value), exp.Literal.number(0)), "BIGINT")


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


def _values(plan: Plan, part: Pass, shape: _Shape) -> Iterator[int]:
    """The literals in the order of their placeholders.

    A total of persons first clamps outside; then keys, aggregates, filter, bound, missing, key ranges.
    """
    if shape.persons_by_rank:
        return
    columns = plan.schema.queryable
    first = part.first
    if first.kind == "person_total":
        # Outermost in the text, hence first. Each bound is compared with and is the result, so it comes
        # twice.
        yield from (first.person_low, first.person_low, first.person_high, first.person_high)
    yield from _key_values(plan, part, shape, columns)
    for exact, outline in zip(part.exacts, shape.exacts, strict=True):
        yield from _exact_values(exact, outline, columns)
    if plan.filter != Every():
        yield from _filter_values(plan.filter)
    if shape.bounded:
        yield plan.bound
    if first.kind in ALONE:
        yield columns[first.column].missing
    if not shape.raw:
        for axis in _axes(plan, part):
            yield from (_segments(axis)[0][0], _last(axis))


def _exact_values(exact: ExactAggregate, shape: _ExactShape, columns: Sequence[Column]) -> Iterator[int]:
    if exact.kind == "rows":
        if exact.where is not None:
            yield from _filter_values(exact.where)
        return
    if exact.kind in ("histogram", "persons", "values", "value_persons"):
        return
    if exact.kind != "person_total":
        yield columns[exact.column].missing
    # Two factors, each with its own placeholders.
    squared = 2 if exact.kind == "square" else 1
    # Rounded to the nearest grid, as `_distance` does by starting half a grid lower.
    top = (exact.high - exact.low + exact.grid // 2) // exact.grid if exact.grid else exact.high
    if shape.below:
        yield from (exact.low, 0 if exact.grid else exact.low)
    if shape.above:
        yield from (exact.high, top**squared)
    if exact.grid:
        for _ in range(squared):
            yield exact.low - exact.grid // 2
            if exact.grid > 1:
                yield exact.grid


def _key_values(plan: Plan, part: Pass, shape: _Shape, columns: Sequence[Column]) -> Iterator[int]:
    for place, (axis, (_, segments, _)) in enumerate(zip(_axes(plan, part), shape.keys, strict=True)):
        column = columns[axis.column]
        lows = [low for low, _ in _segments(axis)]
        if place:
            yield _codes(column) if shape.raw else len(lows)
        if segments:
            yield from _edges(lows, 0, len(lows))
        else:
            yield column.missing if shape.raw else lows[0]
    if part.first.kind == "histogram":
        yield from _bin_values(part.first, shape)


def _bin_values(exact: ExactAggregate, shape: _Shape) -> Iterator[int]:
    if shape.keys:
        yield exact.size
    if shape.exacts[0].below:
        yield from (exact.low, 0)
    if shape.exacts[0].above:
        yield from (exact.high, exact.size - 1)
    yield exact.low
    if exact.grid > 1:
        yield exact.grid


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


def _cell_of_group(plan: Plan, part: Pass) -> Integers:
    """For each group number of the statement, bins aside, the cell it belongs to, -1 for none."""
    # The order of keys and radices here must be that of `_group`, or groups land in other cells.
    raw = _Shape.of(plan, part).raw
    cells = np.zeros(1, dtype=np.int64)
    for axis in _axes(plan, part):
        digits = _buckets_of_codes(plan, axis) if raw else np.array([bucket for _, bucket in _segments(axis)])
        outer = cells[:, None] * axis.size + digits[None, :]
        cells = np.where((cells[:, None] < 0) | (digits[None, :] < 0), -1, outer).ravel()
    return cells


def _buckets_of_codes(plan: Plan, axis: Axis) -> Integers:
    """For each code of a key column, missing first, its bucket; -1 for none."""
    column = plan.schema.queryable[axis.column]
    buckets = np.full(_codes(column), -1, dtype=np.int64)
    for (low, high), number in axis.pieces:
        buckets[low - column.missing : high - column.missing + 1] = number
    return buckets


def _segments(axis: Axis) -> list[tuple[int, int]]:
    """Lower edge and bucket of each segment, ascending; a gap between two buckets is a segment of -1."""
    segments: list[tuple[int, int]] = []
    end = None
    for (low, high), bucket in axis.pieces:
        # Without a segment of its own a gap would be counted into the bucket below it.
        if end is not None and low > end + 1:
            segments.append((end + 1, -1))
        segments.append((low, bucket))
        end = high
    return segments


def _last(axis: Axis) -> int:
    """The last code that any bucket has."""
    return max(high for (_, high), _ in axis.pieces)


def _codes(column: Column) -> int:
    """How many codes a column has, missing included."""
    return column.high - column.missing + 1


def _code(column: int) -> exp.Column:
    return exp.column(code_name(column))


def _offset(column: int, wide: bool) -> exp.Expression:
    return exp.paren(exp.cast(_code(column), "BIGINT" if wide else "INTEGER") - _mark())


def _big(value: exp.Expression) -> exp.Expression:
    return exp.cast(value, "BIGINT")


def _mark() -> exp.Placeholder:
    return exp.Placeholder()
