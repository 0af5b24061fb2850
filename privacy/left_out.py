"""Which declared values of the keys stand in no cell of an answer, in words: notes of answers and quotes.

From the plan alone: no data is read, so a note says which values could be left out and never whether any row was.
"""

from collections.abc import Iterator
from typing import Any

from privacy import filters
from privacy.exact import Axis
from privacy.filters import Every, Filter, Interval, Member
from privacy.plan import Plan
from privacy.resolve import Resolver
from privacy.schema import Category, Column, Date, Number, day_of, in_units
from privacy.words import Words

RANGES_MAX = 10
"""How many ranges of a column are written out."""

LEFT_OUT: dict[str, Words] = {
    "values_left_out": Words(
        ja="どのセルにも入らない値があり、その行は数えられていません：{ranges}",
        en="These values are in no bin and no group, so that their rows stand in no cell: {ranges}",
    ),
    "missing_left_out": Words(
        ja=(
            "{columns} が欠損の行はどのセルにも数えられていません。"
            'キーに "missing": true を加えるとセルが一つ増えます。'
        ),
        en='Rows where {columns} is missing stand in no cell; "missing": true with a key adds a cell for them.',
    ),
}


def notes(plan: Plan) -> list[dict[str, Any]]:
    """The notes on what stands in no cell: a code with text in both languages. Plans nothing and reads no data."""
    ranges = [f"{axis.name}: {_text(column, gaps)}" for axis, column, gaps in _gaps(plan)]
    columns = [axis.name for axis in _without_missing(plan)]
    found = []
    if ranges:
        found.append(_note("values_left_out", ranges="; ".join(ranges)))
    if columns:
        found.append(_note("missing_left_out", columns=", ".join(columns)))
    return found


def columns_without_missing(plan: Plan) -> tuple[str, ...]:
    """The keys whose missing values stand in no cell."""
    return tuple(axis.name for axis in _without_missing(plan))


def _note(code: str, **fields: str) -> dict[str, Any]:
    return {"code": code, **LEFT_OUT[code].filled(**fields).as_texts()}


def _gaps(plan: Plan) -> Iterator[tuple[Axis, Column, tuple[Interval, ...]]]:
    """The keys that leave declared values out which the conditions do not exclude anyway."""
    for axis in plan.axes:
        column = plan.schema.queryable[axis.column]
        # Counted first: a hundred thousand single values have no gaps, and would be sorted to find none.
        taken = sum(high - low + 1 for low, high in axis.buckets if low >= column.low)
        if taken == column.high - column.low + 1:
            continue
        gaps = filters.complement(axis.buckets, (column.low, column.high))
        if left := filters.intersection(gaps, _asked_for(plan, axis.column)):
            yield axis, column, left


def _without_missing(plan: Plan) -> Iterator[Axis]:
    for axis in plan.axes:
        column = plan.schema.queryable[axis.column]
        # Not by the buckets' labels: None is the label of missing alone, but a value may be called anything.
        has_cell = any(low <= column.missing <= high for low, high in axis.buckets)
        if column.missing_allowed and not has_cell and _takes(plan, axis.column, column.missing):
            yield axis


def _takes(plan: Plan, column: int, code: int) -> bool:
    return any(low <= code <= high for low, high in _asked_for(plan, column))


def _asked_for(plan: Plan, place: int) -> tuple[Interval, ...]:
    """The codes of a column that the conditions let through, as far as that can be told of one column alone."""
    column = plan.schema.queryable[place]
    # Fitted tables are filtered by their keys as well (`privacy.plan`), and that is what is to be told here.
    tree = plan.filter if plan.layout.direct else Resolver(plan.schema).where(plan.query.where)
    members = [term.intervals for term in _terms(tree) if isinstance(term, Member) and term.column == place]
    return filters.intersection(((column.missing, column.high),), *members)


def _terms(tree: Filter) -> tuple[Filter, ...]:
    return tree.terms if isinstance(tree, Every) else (tree,)


def _text(column: Column, gaps: tuple[Interval, ...]) -> str:
    """Ranges of codes as the caller writes values."""
    names = [name for low, high in gaps[:RANGES_MAX] for name in _names(column, low, high)]
    shown = ", ".join(names[:RANGES_MAX])
    return f"{shown}, …" if len(names) > RANGES_MAX or len(gaps) > RANGES_MAX else shown


def _names(column: Column, low: int, high: int) -> list[str]:
    """A range by its ends; values without an order each by its name."""
    match column:
        case Category(values=values):
            return list(values[low : high + 1])
        case Date():
            ends = [day_of(low).isoformat(), day_of(high).isoformat()]
        case Number(step=step):
            ends = [str(in_units(code, step)) for code in (low, high)]
        case _:
            return []
    return [" … ".join(dict.fromkeys(ends))]
