"""query × schema → the cells, the exact integers needed, sensitivities, noise scales and the price.

Everything here follows from the request and the public schema alone; no data is read, nothing is drawn.
Refuses a query that does not fit, with every problem it has, before anything is charged.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from privacy import accuracy
from privacy.budget import Price, split
from privacy.filters import Filter, Interval, canonical
from privacy.noise import calibrate
from privacy.query import AGGREGATES, Accuracy, InvalidQuery, Key, NotReachable, Problem, Query, Statistic
from privacy.resolve import Resolver, domain_text
from privacy.schema import Category, Date, Number, Schema, day_of

CELLS_MAX = 100_000
STATISTICS_MAX = 20
KEYS_MAX = 8
PRICE_MIN = Price(1_000)
"""The least price of one statistic, ε 0.000001: below it the noise could leave the int64 range."""

CONFIDENCE_MIN, CONFIDENCE_MAX = Decimal("0.5"), Decimal("0.999999")
Label = str | int | float | None


class AboveQueryLimit(ValueError):
    """The price of one query is above what the owner lets a single query cost."""

    def __init__(self, *, price: Price, limit: Price) -> None:
        super().__init__("above the limit of one query")
        self.price, self.limit = price, limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One grouping key: `buckets[i]` is the closed interval of codes that `labels[i]` stands for."""

    name: str
    column: int
    buckets: tuple[Interval, ...]
    labels: tuple[Label, ...]
    binned: bool = False


@dataclass(frozen=True, slots=True)
class Exact:
    """An exact integer per cell: rows, persons, rows where a column is present, or its clamped total.

    Totals are in steps of the column, each row's code clamped to `low` … `high`.
    """

    kind: Literal["rows", "persons", "present", "total"]
    column: int = -1
    low: int = 0
    high: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One statistic as it will be measured: which exact integers, at what sensitivity, price and scale.

    `low`, `high` are the clamping bounds in steps; `step` turns steps into units of the column.
    """

    name: str
    agg: str
    key: str
    exacts: tuple[Exact, ...]
    sensitivity: int
    price: Price
    scale: float
    unit: str | None
    step: Decimal = Decimal(1)
    low: int = 0
    high: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A query that can be answered: canonical, priced, and independent of any data."""

    schema: Schema
    query: Query
    axes: tuple[Axis, ...]
    filter: Filter
    measurements: tuple[Measurement, ...]
    price: Price
    fingerprint: str

    @property
    def cells(self) -> int:
        """The number of answer rows: every combination of the keys, 1 without keys."""
        return math.prod(len(axis.labels) for axis in self.axes)

    @property
    def exacts(self) -> tuple[Exact, ...]:
        """The distinct exact integers needed, in a fixed order."""
        return tuple(dict.fromkeys(exact for part in self.measurements for exact in part.exacts))

    @property
    def prices(self) -> dict[str, int]:
        """Nano-ε by canonical statistic; of two equal statistics the dearer one stands."""
        found: dict[str, int] = {}
        for part in self.measurements:
            found[part.key] = max(part.price.nano, found.get(part.key, 0))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A statistic held against the schema, not yet priced."""

    statistic: Statistic
    key: str
    exacts: tuple[Exact, ...]
    sensitivity: int
    unit: str | None
    step: Decimal = Decimal(1)
    low: int = 0
    high: int = 0


def plan(query: Query, schema: Schema) -> Plan:
    """Hold a query against a schema, price it and settle how each statistic is measured.

    Raises InvalidQuery with every problem found, AboveQueryLimit or NotReachable.
    """
    resolver = Resolver(schema)
    axes = _axes(query.group_by, resolver)
    tree = resolver.where(query.where)
    cells = math.prod(len(axis.labels) for axis in axes)
    drafts = [
        draft
        for place, statistic in enumerate(query.select)
        if (draft := _draft(statistic, schema, resolver, cells, f"/select/{place}")) is not None
    ]
    _check_size(query, cells, resolver)
    _check_names(query, resolver)
    weights = _weights(query, resolver)
    _check_accuracy(query, resolver)
    resolver.done()
    price = _price(query, schema, drafts, weights)
    shares = split(price, weights)
    _check_shares(query, shares)
    return Plan(
        schema=schema,
        query=query,
        axes=axes,
        filter=tree,
        measurements=tuple(_measure(draft, share) for draft, share in zip(drafts, shares, strict=True)),
        price=price,
        fingerprint=_fingerprint(axes, tree, drafts),
    )


def _axes(keys: tuple[Key, ...], resolver: Resolver) -> tuple[Axis, ...]:
    if len(keys) > KEYS_MAX:
        resolver.refuse("/group_by", "too_many_keys", len(keys), KEYS_MAX)
        return ()
    axes: list[Axis] = []
    for number, key in enumerate(keys):
        pointer = f"/group_by/{number}"
        place = resolver.place(key.column, f"{pointer}/column")
        if place is None:
            continue
        if place in (axis.column for axis in axes):
            resolver.refuse(f"{pointer}/column", "repeated_key", key.column)
        axes.append(_axis(key, place, resolver, pointer))
    return tuple(axes)


def _axis(key: Key, place: int, resolver: Resolver, pointer: str) -> Axis:
    column = resolver.columns[place]
    if key.bins is not None:
        pairs: list[tuple[Interval, Label]] = list(resolver.bins(column, key, pointer))
    elif column.high - column.low >= CELLS_MAX:
        resolver.refuse(f"{pointer}/column", "too_many_values", key.column, CELLS_MAX)
        pairs = []
    else:
        pairs = [((code, code), _label(column, code)) for code in range(column.low, column.high + 1)]
    if key.missing:
        pairs.append(((column.missing, column.missing), None))
    buckets, labels = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
    return Axis(name=key.column, column=place, buckets=buckets, labels=labels, binned=key.bins is not None)


def _label(column: Category | Number | Date, code: int) -> Label:
    match column:
        case Category(values=values):
            return values[code]
        case Date():
            return day_of(code).isoformat()
        case Number(step=step):
            return in_units(code, step)


def in_units(steps: int, step: Decimal) -> int | float:
    """Steps in the column's unit: a whole number where the step is whole."""
    if step == step.to_integral_value():
        return steps * int(step)
    return float(Fraction(step) * steps)


def _draft(
    statistic: Statistic, schema: Schema, resolver: Resolver, cells: int, pointer: str
) -> _Draft | None:
    """How a statistic is measured, and by how much one person can move it in L1 over all cells.

    With at most k rows a person, each row in exactly one cell (or none):
    - count: each row moves one cell by 1, so k in all.
    - count_persons: a person moves a cell by 1 at most, and at most min(k, cells) cells.
    - sum of codes clamped to [l, h]: each row moves one cell by max(|l|, |h|), so k·max(|l|, |h|).
    - mean: the pair Σ(x-l), Σ(h-x) is measured; each row moves it by (x-l) + (h-x) = h-l in one cell,
      so k·(h-l). Its L1 ball is the convex hull of what a row can do to (sum, count), so no other norm
      fits tighter (the K-norm mechanism of Hardt & Talwar 2010 in the plane), and the whole price
      serves sum and count together instead of being split between them.
    """
    rows = schema.rows_per_person
    if statistic.agg not in AGGREGATES:
        resolver.refuse(f"{pointer}/agg", "unknown_aggregate", statistic.agg, ", ".join(AGGREGATES))
        return None
    if statistic.agg in ("count", "count_persons"):
        for member in ("column", "clamp"):
            if getattr(statistic, member) is not None:
                resolver.refuse(f"{pointer}/{member}", "takes_no_member", statistic.agg)
        if statistic.agg == "count":
            unit = "persons" if rows == 1 else "rows"
            return _Draft(
                statistic=statistic, key="count", exacts=(Exact("rows"),), sensitivity=rows, unit=unit
            )
        exact = Exact("rows") if rows == 1 else Exact("persons")
        return _Draft(
            statistic=statistic,
            key="count_persons",
            exacts=(exact,),
            sensitivity=max(1, min(rows, cells)),
            unit="persons",
        )
    return _draft_of_numbers(statistic, rows, resolver, pointer)


def _draft_of_numbers(statistic: Statistic, rows: int, resolver: Resolver, pointer: str) -> _Draft | None:
    if statistic.column is None:
        resolver.refuse(f"{pointer}/column", "column_needed", statistic.agg)
        return None
    place = resolver.place(statistic.column, f"{pointer}/column")
    if place is None:
        return None
    column = resolver.columns[place]
    if not isinstance(column, Number):
        resolver.refuse(f"{pointer}/column", "not_numeric", statistic.column)
        return None
    bounds = _clamp(statistic, column, resolver, f"{pointer}/clamp")
    if bounds is None:
        return None
    low, high = bounds
    total = Exact("total", place, low, high)
    exacts = (total, Exact("present", place)) if statistic.agg == "mean" else (total,)
    return _Draft(
        statistic=statistic,
        key=f"{statistic.agg}({column.name},{low},{high})",
        exacts=exacts,
        sensitivity=rows * ((high - low) if statistic.agg == "mean" else max(abs(low), abs(high))),
        unit=column.unit,
        step=column.step,
        low=low,
        high=high,
    )


def _clamp(statistic: Statistic, column: Number, resolver: Resolver, pointer: str) -> tuple[int, int] | None:
    if statistic.clamp is None:
        return column.low, column.high
    low, high = (
        resolver.code(column, end, f"{pointer}/{place}") for place, end in enumerate(statistic.clamp)
    )
    if low is None or high is None:
        return None
    if low >= high:
        resolver.refuse(pointer, "not_ascending", list(statistic.clamp), domain_text(column))
        return None
    return low, high


def _check_size(query: Query, cells: int, resolver: Resolver) -> None:
    if not 1 <= len(query.select) <= STATISTICS_MAX:
        resolver.refuse("/select", "too_many_statistics", len(query.select), STATISTICS_MAX)
    elif cells * len(query.select) > CELLS_MAX:
        resolver.refuse("/group_by", "too_many_cells", cells * len(query.select), CELLS_MAX)


def column_names(statistic: Statistic) -> tuple[str, ...]:
    """Every column of the answer that a statistic brings."""
    name = statistic.name
    raw = (f"{name}_from_low", f"{name}_to_high") if statistic.agg == "mean" else ()
    return (name, f"{name}_low", f"{name}_high", *raw)


def _check_names(query: Query, resolver: Resolver) -> None:
    taken = {key.column for key in query.group_by}
    for place, statistic in enumerate(query.select):
        names = column_names(statistic)
        if taken.intersection(names):
            resolver.refuse(f"/select/{place}/as", "repeated_name", statistic.name)
        taken.update(names)


def _weights(query: Query, resolver: Resolver) -> list[Fraction]:
    names = [statistic.name for statistic in query.select]
    for name, weight in query.weights.items():
        pointer = f"{query.weights_at}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in names:
            resolver.refuse(pointer, "unknown_statistic", name, ", ".join(names))
        elif weight <= 0:
            resolver.refuse(pointer, "not_positive", str(weight))
    return [query.weights.get(name, Fraction(1)) for name in names]


def _check_accuracy(query: Query, resolver: Resolver) -> None:
    asked = query.budget
    if not isinstance(asked, Accuracy):
        return
    found = [statistic for statistic in query.select if statistic.name == asked.of]
    if not found:
        names = ", ".join(statistic.name for statistic in query.select)
        resolver.refuse("/budget/accuracy/of", "unknown_statistic", asked.of, names)
    elif found[0].agg == "mean":
        resolver.refuse("/budget/accuracy/of", "error_depends_on_data", asked.of, "count, count_persons, sum")
    if isinstance(asked.within, str) or asked.within <= 0:
        resolver.refuse("/budget/accuracy/within", "not_positive", asked.within)
    if not CONFIDENCE_MIN <= asked.confidence <= CONFIDENCE_MAX:
        expected = f"{CONFIDENCE_MIN} … {CONFIDENCE_MAX}"
        resolver.refuse("/budget/accuracy/confidence", "outside_domain", asked.confidence, expected)


def _price(query: Query, schema: Schema, drafts: list[_Draft], weights: list[Fraction]) -> Price:
    """The price said, or the least price that reaches the accuracy said."""
    limit = schema.price_per_query_max
    if isinstance(query.budget, Accuracy):
        return _price_of_accuracy(query.budget, limit, drafts, weights)
    if query.budget > limit:
        raise AboveQueryLimit(price=query.budget, limit=limit)
    return query.budget


def _price_of_accuracy(asked: Accuracy, limit: Price, drafts: list[_Draft], weights: list[Fraction]) -> Price:
    place = next(place for place, draft in enumerate(drafts) if draft.statistic.name == asked.of)
    draft, confidence = drafts[place], float(asked.confidence)
    shares = [weight / sum(weights) for weight in weights]
    assert not isinstance(asked.within, str)
    within = int(Fraction(asked.within) / Fraction(draft.step))
    most = Price(max(1, int(limit.nano * shares[place])))
    part = accuracy.price_of(draft.sensitivity, within, confidence, most)
    if part is None:
        best = accuracy.half_width(calibrate(draft.sensitivity, most), confidence)
        raise NotReachable(
            pointer="/budget/accuracy/within",
            within=str(asked.within),
            reachable=str(in_units(best, draft.step)),
            limit=limit,
        )
    total = Price(max(math.ceil(part.nano / shares[place]), math.ceil(PRICE_MIN.nano / min(shares))))
    while split(total, weights)[place] < part:
        total = total + Price(1)
    if total > limit:
        raise AboveQueryLimit(price=total, limit=limit)
    return total


def _check_shares(query: Query, shares: list[Price]) -> None:
    """Refuse a share so small that its noise could leave the int64 range."""
    problems = [
        Problem(
            pointer=f"/select/{place}", reason="share_too_small", given=str(share), expected=str(PRICE_MIN)
        )
        for place, share in enumerate(shares)
        if share < PRICE_MIN
    ]
    if problems:
        raise InvalidQuery(problems)


def _measure(draft: _Draft, price: Price) -> Measurement:
    return Measurement(
        name=draft.statistic.name,
        agg=draft.statistic.agg,
        key=draft.key,
        exacts=draft.exacts,
        sensitivity=draft.sensitivity,
        price=price,
        scale=calibrate(draft.sensitivity, price),
        unit=draft.unit,
        step=draft.step,
        low=draft.low,
        high=draft.high,
    )


def _fingerprint(axes: tuple[Axis, ...], tree: Filter, drafts: list[_Draft]) -> str:
    """The digest of the canonical question: names, order of statistics and price play no part."""
    question = {
        "group_by": [[axis.column, [list(bucket) for bucket in axis.buckets]] for axis in axes],
        "select": sorted({draft.key for draft in drafts}),
        "where": canonical(tree),
    }
    text = json.dumps(question, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
