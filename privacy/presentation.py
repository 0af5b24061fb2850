"""What a question wants done with its released table: columns computed from others, rows selected, ordered and cut.

All of it is post-processing: it reads released columns by name and nothing else, so it costs nothing, changes nothing
of what is measured, and has no part in a question's fingerprint. Refuses what is no released column, with those that
are, and whatever of it could not be computed for every table.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any as AnyValue
from typing import Literal

from privacy.axes import CELLS_MAX
from privacy.layout import Layout
from privacy.notes import NOTES
from privacy.partition_selection import UndeclaredValueCount
from privacy.quantiles import Quantiles
from privacy.query import ARITHMETIC, All, Any, Compare, Derived, Not, Order, Query, Scalar, Statistic, Where
from privacy.resolve import Resolver
from privacy.schema import Label
from privacy.statistics import AnyEstimator, component_names, value_names

DERIVED_MAX = 20
"""How many columns one request may derive."""
DERIVED_CELLS_MAX = 20_000
"""How many cells all derived columns may have together: exact arithmetic takes some 20 µs a cell."""
COMPARISONS_MAX = 20
"""How many comparisons `having` may hold: each looks at every row."""
ORDERS_MAX = 8
INTERVALS_MAX = 10
"""Of how many released intervals a derived column has bounds: more hold together less than every other time."""
SUMMABLE = ("count", "count_persons", "sum")
"""Statistics of which a share of the total means something: those of all cells add up to those of everybody."""
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
ORDER_MAX = 200
"""Longer text is no column with a direction; looking for one in it would take as long as its length squared."""
_WORDED_ORDER = re.compile(r"[-+](?P<signed>.+)|(?P<name>.+?)\s+(asc|desc)(ending)?", re.IGNORECASE)

Code = Literal["derived", "selected", "ordered", "limited"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """What is done with a released table, in this order: derive, select by `having`, order, cut to `limit` rows.

    `table_column` names the column that tells the tables of a workload apart. `notes` are the words that an answer
    carries because of it: they are kept with an answer, which has to be told in the same bytes for ever.
    """

    derive: tuple[Derived, ...] = ()
    having: Where | None = None
    order_by: tuple[Order, ...] = ()
    limit: int | None = None
    table_column: str | None = None
    notes: tuple[Mapping[str, str], ...] = ()

    @property
    def codes(self) -> tuple[Code, ...]:
        """What is done, as answers list it under `postprocessing`; nothing where the table is told as it is."""
        done: dict[Code, bool] = {
            "derived": bool(self.derive),
            "selected": self.having is not None,
            "ordered": bool(self.order_by),
            "limited": self.limit is not None,
        }
        return tuple(code for code, holds in done.items() if holds)

    def as_json(self) -> dict[str, AnyValue]:
        """As it is kept with an answer. Literals are text: JSON's numbers would lose their decimals."""
        return {
            "derive": [_derived_json(one) for one in self.derive],
            "having": None if self.having is None else _where_json(self.having),
            "order_by": [[one.column, one.descending] for one in self.order_by],
            "limit": self.limit,
            "table_column": self.table_column,
            "notes": [dict(note) for note in self.notes],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, AnyValue]) -> "Presentation":
        """What `as_json` wrote."""
        return cls(
            derive=tuple(_derived_of(one) for one in kept["derive"]),
            having=None if kept["having"] is None else _where_of(kept["having"]),
            order_by=tuple(Order(column=column, descending=down) for column, down in kept["order_by"]),
            limit=kept["limit"],
            table_column=kept["table_column"],
            notes=tuple(kept["notes"]),
        )


def presentation_of(query: Query, layout: Layout) -> Presentation | None:
    """What a query wants done with its table; None where it is told as it was released."""
    asked = Presentation(
        derive=query.derive,
        having=query.having,
        order_by=query.order_by,
        limit=query.limit,
        table_column=layout.table_column if query.tables else None,
    )
    if not asked.codes:
        return None
    conditions = {
        "derived_values": bool(asked.derive),
        "rows_not_shown": asked.having is not None or asked.limit is not None,
        "selected_by_noise": _selects_by_noise(asked, set(key_columns(query, layout))),
    }
    codes = [code for code, holds in conditions.items() if holds]
    return replace(asked, notes=tuple({"code": code, **NOTES[code].as_texts()} for code in codes))


def _selects_by_noise(asked: Presentation, keys: set[str]) -> bool:
    """Whether noisy values decide which rows are shown: keys, and their order, are known before anything is asked."""
    compared = [] if asked.having is None else [one.column for _, one in _comparisons(asked.having, "")]
    ordered = [] if asked.limit is None else [one.column for one in asked.order_by]
    return not keys.issuperset([*compared, *ordered])


def _derived_json(one: Derived) -> list[str | None]:
    # A name never begins with a digit, so a literal is known by its first sign.
    sides = [f"{side:f}" if isinstance(side, Decimal) else side for side in (one.left, one.right)]
    return [one.name, sides[0], one.op, sides[1], one.share_of_total]


def _derived_of(kept: Sequence[str | None]) -> Derived:
    name, left, op, right, share = kept
    assert name is not None
    return Derived(name=name, left=operand(left), op=op, right=operand(right), share_of_total=share)


# As many digits as a number of JSON may have: Python reads no text of more than 4,300 as a whole number.
_LITERAL = re.compile(r"-?\d{1,40}(\.\d{1,40})?", re.ASCII)


def operand(written: str | None) -> str | Decimal | None:
    """A literal where the text is a number in plain notation, else the name of a column as it stands."""
    return Decimal(written) if written is not None and _LITERAL.fullmatch(written) else written


def _where_json(where: Where) -> list[AnyValue]:
    match where:
        case Compare(column=column, op=op, values=values):
            return [op, column, [f"{one:f}" if isinstance(one, Decimal) else str(one) for one in values]]
        case Not(term):
            return ["not", _where_json(term)]
        case All(terms):
            return ["all", [_where_json(term) for term in terms]]
        case Any(terms):
            return ["any", [_where_json(term) for term in terms]]


def _where_of(kept: Sequence[AnyValue]) -> Where:
    match kept:
        case ["not", term]:
            return Not(_where_of(term))
        case ["all", terms]:
            return All(tuple(map(_where_of, terms)))
        case ["any", terms]:
            return Any(tuple(map(_where_of, terms)))
    op, column, values = kept
    return Compare(column=column, op=op, values=tuple(values))


# The columns that an answer will have


@dataclass(frozen=True, slots=True)
class ReleasedColumn:
    """A column of the coming answer: a key with its labels (None where nobody declared them), a number or a date.

    `cells` are the labels in their order. `summable` says that its cells add up. `intervals` names the released
    intervals that its bounds follow from, None where it has no bounds.
    """

    kind: Literal["key", "number", "date"]
    labels: frozenset[str] | None = None
    cells: tuple[str, ...] = ()
    summable: bool = False
    intervals: frozenset[str] | None = None


def key_columns(query: Query, layout: Layout) -> dict[str, ReleasedColumn]:
    """The key columns of a query's answer, by name."""
    found: dict[str, ReleasedColumn] = {}
    if query.tables:
        found[layout.table_column] = _key_column([table.name for table in query.tables])
    for axis in layout.axes:
        found[axis.name] = _key_column(axis.labels)
    if not layout.axes and not query.tables:
        # Values that nobody declared have no axis.
        found |= {key.column: ReleasedColumn("key") for key in query.group_by}
    return found


def _key_column(labels: Sequence[Label]) -> ReleasedColumn:
    texts = tuple(str(label) for label in labels if label is not None)
    return ReleasedColumn("key", frozenset(texts), texts)


def statistic_columns(
    statistic: Statistic, estimator: AnyEstimator, layout: Layout
) -> dict[str, ReleasedColumn]:
    """The columns that a statistic brings, by name, in the answer's order."""
    dates = isinstance(estimator, Quantiles) and estimator.dates
    kind: Literal["number", "date"] = "date" if dates else "number"
    bounded = not isinstance(estimator, Quantiles) or estimator.by_tree or estimator.value_bounds
    found: dict[str, ReleasedColumn] = {}
    for name in value_names(statistic):
        intervals = frozenset({name}) if bounded else None
        found[name] = ReleasedColumn(kind, summable=statistic.agg in SUMMABLE, intervals=intervals)
        if bounded:
            found |= {f"{name}_{end}": ReleasedColumn(kind) for end in ("low", "high")}
    raw = component_names(statistic, estimator)
    if not raw and not layout.direct and not isinstance(estimator, Quantiles | UndeclaredValueCount):
        raw = (f"{statistic.name}_noisy",)
    return found | {name: ReleasedColumn("number") for name in raw}


# Checks


def check(
    query: Query,
    columns: Mapping[str, ReleasedColumn],
    taken: set[str],
    cells: int,
    resolver: Resolver,
) -> None:
    """Note what cannot be done with the coming answer's `columns`; `taken` are the names that stand in it or may."""
    known = dict(columns)
    if cells * len(query.derive) > DERIVED_CELLS_MAX:
        resolver.refuse(
            "/derive", "too_many_derived_cells", cells * len(query.derive), str(DERIVED_CELLS_MAX)
        )
    for place, one in enumerate(query.derive):
        pointer = f"/derive/{place}"
        _check_derived(one, pointer, known, resolver)
        names = {one.name, f"{one.name}_low", f"{one.name}_high"}
        if names & taken:
            resolver.refuse(f"{pointer}/as", "repeated_name", one.name)
        taken |= names
        # Known from here on only: no column can depend on itself or on a later one.
        intervals = _intervals(one, known, totals=query.totals)
        known[one.name] = ReleasedColumn("number", intervals=intervals)
        if intervals is not None:
            known |= {f"{one.name}_{end}": ReleasedColumn("number") for end in ("low", "high")}
    if query.having is not None:
        for pointer, compare in _comparisons(query.having, "/having"):
            _check_comparison(compare, pointer, known, resolver)
    for place, order in enumerate(query.order_by):
        # A column alone may have been written without a list.
        pointer = f"/order_by/{place}" if len(query.order_by) > 1 else "/order_by"
        _check_order(order, pointer, known, resolver)
    if query.limit is not None and not 1 <= query.limit <= CELLS_MAX:
        resolver.refuse("/limit", "not_an_integer", query.limit, f"1 … {CELLS_MAX}")


def _intervals(one: Derived, known: Mapping[str, ReleasedColumn], *, totals: bool) -> frozenset[str] | None:
    """The released intervals that a derived column's bounds follow from; None where it has no bounds."""
    if one.share_of_total is not None:
        # Only a total that was released has an interval.
        return total_intervals(frozenset({one.share_of_total})) if totals else None
    named = [known[side] for side in (one.left, one.right) if isinstance(side, str) and side in known]
    found = [column.intervals for column in named if column.intervals is not None]
    together = frozenset[str]().union(*found)
    return together if len(found) == len(named) and len(together) <= INTERVALS_MAX else None


def total_intervals(intervals: frozenset[str]) -> frozenset[str]:
    """Those of a share: the cell's own and the total's, which are two intervals of one column."""
    return intervals | {f"{name} *" for name in intervals}


def _check_derived(
    one: Derived, pointer: str, known: Mapping[str, ReleasedColumn], resolver: Resolver
) -> None:
    if one.share_of_total is not None:
        summable = [name for name, column in known.items() if column.summable]
        if one.share_of_total not in summable:
            resolver.refuse(
                f"{pointer}/share_of_total", "no_share_of", one.share_of_total, ", ".join(summable) or "—"
            )
        return
    assert one.op in ARITHMETIC, "the shape of the request has been checked"
    numbers = [name for name, column in known.items() if column.kind == "number"]
    for place, side in ((0, one.left), (2, one.right)):
        if isinstance(side, str) and side not in numbers:
            resolver.refuse(f"{pointer}/of/{place}", "no_released_number", side, _listed(numbers))
    if not isinstance(one.left, str) and not isinstance(one.right, str):
        resolver.refuse(f"{pointer}/of", "no_released_number", str(one.left), _listed(numbers))
    if one.op == "/" and one.right == 0:
        resolver.refuse(f"{pointer}/of/2", "divides_by_zero", str(one.right))


def _comparisons(where: Where, pointer: str) -> Iterator[tuple[str, Compare]]:
    """The comparisons of a condition, and where each stands."""
    match where:
        case Compare():
            yield pointer, where
        case Not(term):
            yield from _comparisons(term, f"{pointer}/not")
        case All(terms) | Any(terms):
            name = "all" if isinstance(where, All) else "any"
            for place, term in enumerate(terms):
                yield from _comparisons(term, f"{pointer}/{name}/{place}")


def _check_comparison(
    compare: Compare, pointer: str, known: Mapping[str, ReleasedColumn], resolver: Resolver
) -> None:
    if compare.column not in known:
        resolver.refuse(pointer, "no_released_column", compare.column, _listed(known))
        return
    column = known[compare.column]
    if column.kind == "key":
        if compare.op not in ("=", "!=", "in", "is_missing"):
            resolver.refuse(pointer, "key_without_order", compare.op, "=, !=, in, is_missing")
            return
        for value in compare.values:
            if not _is_label(value, column):
                resolver.refuse_cell(pointer, "undeclared_value", value, compare.column, column.cells)
        return
    for value in compare.values:
        if column.kind == "number" and isinstance(value, str):
            resolver.refuse(pointer, "not_a_number", value)
        if column.kind == "date" and not _is_date(value):
            resolver.refuse(pointer, "not_a_date", value)


def _is_label(value: Scalar, column: ReleasedColumn) -> bool:
    # A total is told as one star, or more where a value is called that.
    return column.labels is None or str(value) in column.labels or set(str(value)) == {"*"}


def _is_date(value: Scalar) -> bool:
    if not isinstance(value, str) or not _ISO_DATE.fullmatch(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _check_order(order: Order, pointer: str, known: Mapping[str, ReleasedColumn], resolver: Resolver) -> None:
    if order.column in known:
        return
    # As SQL and sort commands write it: the column is meant, and only the form is another.
    worded = _WORDED_ORDER.fullmatch(order.column[:ORDER_MAX])
    if worded and (worded["signed"] or worded["name"]) in known:
        name = worded["signed"] or worded["name"]
        resolver.refuse(pointer, "order_by_form", order.column, f'{{"column": "{name}", "descending": true}}')
        return
    resolver.refuse(pointer, "no_released_column", order.column, _listed(known))


def _listed(names: AnyValue) -> str:
    """Names for a refusal, at most fifty."""
    every = list(names)
    shown = ", ".join(every[:50])
    return shown if len(every) <= 50 else f"{shown}, … ({len(every)})"
