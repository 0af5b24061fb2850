"""query × schema → the cells, the exact integers needed, sensitivities, noise scales and the price.

Everything here follows from the request and the public schema alone; no data is read, nothing is drawn.
Refuses a query that does not fit, with every problem it has, before anything is charged.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from privacy import clamps, filters, parallel, presentation, pricing
from privacy import layout as layouts
from privacy.axes import CELLS_MAX, axes_of, axis_of, cells_of, known_keys
from privacy.budget import Price
from privacy.exact import Axis, ExactRequest, cells_over
from privacy.filters import Filter, canonical
from privacy.layout import Layout, PlannedTable
from privacy.measurement import Measurement, Terms, is_additive, measurement_of
from privacy.partition_selection import UndeclaredValueCount
from privacy.pricing import AboveQueryLimit
from privacy.query import MECHANISMS, TERMS_MAX, Key, Query, Statistic, conditions_of, measured, terms_in
from privacy.reachable import ReachableRows
from privacy.resolve import Resolver
from privacy.schema import Schema, UndeclaredColumn
from privacy.statistics import AnyEstimator, StatisticReader, component_names, value_names
from privacy.work import must_be_cheap_a_row

__all__ = ["AboveQueryLimit", "Plan", "plan"]

STATISTICS_MAX = 20
TABLES_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A query that can be answered: canonical, priced, and independent of any data.

    `bound` is how many rows of a person count: at most the schema's. Statistics of one of the `sets` share a price.
    """

    schema: Schema
    query: Query
    layout: Layout
    filter: Filter
    bound: int
    measurements: tuple[Measurement, ...]
    price: Price
    fingerprint: str
    sets: parallel.Partition

    @property
    def delta(self) -> Fraction:
        """What an answer costs in δ: nothing unless it names values that nobody declared."""
        return max(
            (
                part.estimator.delta
                for part in self.measurements
                if isinstance(part.estimator, UndeclaredValueCount)
            ),
            default=Fraction(0),
        )

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.layout.axes

    @property
    def cells(self) -> int:
        """The number of answer rows: every combination of the keys, 1 without keys, in all tables."""
        return self.layout.cells

    @property
    def exact_requests(self) -> tuple[ExactRequest, ...]:
        """The distinct exact integers needed, and over which axes, in a fixed order."""
        return tuple(
            dict.fromkeys(
                (draw.subset, exact)
                for part in self.measurements
                for draw in part.draws
                for exact in part.exacts
            )
        )

    @property
    def prices(self) -> dict[str, int]:
        """Billionths by canonical statistic; of two equal statistics the dearer one stands."""
        found: dict[str, int] = {}
        for part in self.measurements:
            found[part.key] = max(part.price.nano, found.get(part.key, 0))
        return found

    def worth(self, prices: Mapping[str, int]) -> Price:
        """What an answer to this question is worth whose canonical statistics cost so many billionths."""
        return parallel.worth([part.key for part in self.measurements], self.sets, prices)


def plan(query: Query, schema: Schema) -> Plan:
    """Check a query against a schema, price it and settle how each statistic is measured.

    What the request alone decides is checked before anything is worked out whose time grows with the size of a
    domain or a table. Raises InvalidQuery with every problem found, PlanningTooDear, AboveQueryLimit or NotReachable.
    """
    resolver = Resolver(schema)
    _check_size(query, resolver)
    must_be_cheap_a_row(query, schema)
    bound = _bound(query, schema, resolver)
    layout = _layout(query, schema, resolver)
    tree = _inside(layout, resolver.where(query.where), schema)
    reachable = ReachableRows.of(tree, layout.axes)
    reader = StatisticReader(schema, resolver, rows=bound, cells=layout.cells, reachable=reachable)
    undeclared = undeclared_key(query, schema)
    parts = clamps.parts_of(query, layout, _own_filters(query, resolver, undeclared), resolver)
    # Of a statistic in parts, from here on each part stands for it.
    asked, query = query, replace(query, select=tuple(part.statistic for part in parts))
    estimators = [
        reader.estimator(part.statistic, f"/select/{part.place}")
        if undeclared is None
        else reader.undeclared_count(part.statistic, undeclared, f"/select/{part.place}")
        for part in parts
    ]
    _check_names(query, parts, estimators, layout, resolver)
    _check_mechanism(query, schema, resolver)
    _check_additive(query, estimators, layout, resolver)
    weights = _weights(query, resolver)
    known = [estimator for estimator in estimators if estimator is not None]
    if len(known) == len(estimators):
        pricing.check_accuracy(query, known, resolver)
        _check_presentation(query, known, layout, resolver)
    # All problems at once, and before a price is looked for: from here on the query fits the schema.
    resolver.done()
    names = [statistic.name for statistic in query.select]
    drafts = [pricing.Draft(name, estimator) for name, estimator in zip(names, known, strict=True)]
    sizes = [cells_over(layout.axes, grid) for grid in layout.grids]
    sets = parallel.partition(known, [part.where for part in parts], bound, sizes)
    terms = Terms(schema=schema, layout=layout, mechanism=query.mechanism, sets=sets)
    price = pricing.price(query, terms, drafts, weights)
    shares = parallel.prices(price, weights, sets)
    # Before the draws are made: noise of a cheaper one could leave the int64 range, and of no price has no scale.
    pricing.check_shares(known, shares, layout)
    measurements = _with_wholes(
        replace(measurement_of(part.statistic, estimator, share, terms), where=part.where, cells=part.cells)
        for part, estimator, share in zip(parts, known, shares, strict=True)
    )
    return Plan(
        schema=schema,
        query=asked,
        layout=layout,
        filter=tree,
        bound=bound,
        measurements=measurements,
        price=price,
        fingerprint=_fingerprint(query, layout, tree, bound, measurements),
        sets=sets,
    )


def _with_wholes(measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """The measurements; parts of a statistic with clamps by group tell of which one they are."""
    made = tuple(measurements)
    texts: dict[str, list[str]] = {}
    for part in made:
        texts.setdefault(part.name, []).append(part.text)
    # Short, since a statistic may have twenty parts and each of them a long filter.
    wholes = {name: hashlib.sha256("; ".join(some).encode()).hexdigest() for name, some in texts.items()}
    return tuple(part if part.cells is None else replace(part, whole=wholes[part.name]) for part in made)


def _own_filters(query: Query, resolver: Resolver, undeclared: int | None) -> list[Filter | None]:
    """The canonical filter of each statistic; None where it takes all rows of the question."""
    found: list[Filter | None] = []
    for place, statistic in enumerate(query.select):
        tree = resolver.where(statistic.where, f"/select/{place}/where")
        if statistic.where is not None and undeclared is not None:
            # One statistic alone, so that the question's own filter says the same.
            resolver.refuse(f"/select/{place}/where", "where_of_question", statistic.name, "where")
        # A filter that lets all through is none, so that equal questions get equal fingerprints.
        found.append(None if tree == filters.EVERYTHING else tree)
    return found


def _check_size(query: Query, resolver: Resolver) -> None:
    """Refuse more statistics or conditions than a request may hold: each of them alone costs time."""
    if not 1 <= len(query.select) <= STATISTICS_MAX:
        resolver.refuse("/select", "too_many_statistics", len(query.select), STATISTICS_MAX)
    terms = 0
    for pointer, where in conditions_of(query):
        terms += terms_in(where)
        if terms > TERMS_MAX:
            # Of the whole request: twenty ratios with filters of their own would otherwise hold forty times as many.
            resolver.refuse(pointer, "too_many_terms", terms, TERMS_MAX)
            break
    # At once, and not with the other problems: finding these is what would cost the time.
    resolver.done()


def _bound(query: Query, schema: Schema, resolver: Resolver) -> int:
    """How many rows of a person count: a prefix of the ranks that registration stored."""
    asked = query.rows_per_person
    if asked is None:
        return schema.rows_per_person
    if not 1 <= asked <= schema.rows_per_person:
        # The schema's bound stands in, so that the other problems of the query are found too.
        resolver.refuse("/rows_per_person", "outside_domain", asked, f"1 … {schema.rows_per_person}")
        return schema.rows_per_person
    return asked


def _layout(query: Query, schema: Schema, resolver: Resolver) -> Layout:
    """The tables, and the grids to measure; problems are noted, and then the layout is a stand-in."""
    if query.whole and not query.totals:
        resolver.refuse("/non_negative_integers", "needs_totals", expected="totals")
    if query.tables:
        return _workload(query, schema, resolver)
    if undeclared_key(query, schema) is not None:
        if query.totals or len(query.select) > 1:
            resolver.refuse(
                "/totals" if query.totals else "/select", "open_key_alone", query.group_by[0].column
            )
        return layouts.plain(())
    if not _is_small(query, schema, resolver):
        return layouts.plain(())
    axes = axes_of(query.group_by, resolver)
    if not query.totals:
        return layouts.plain(axes)
    if not axes:
        resolver.refuse("/totals", "needs_keys", expected="group_by")
    if resolver.problems:
        return layouts.plain(axes)
    return layouts.with_totals(axes, schema.measure, CELLS_MAX)


def _is_small(query: Query, schema: Schema, resolver: Resolver) -> bool:
    """Whether all tables have few enough cells, which is known from their keys before any value is listed."""
    columns = {column.name: column for column in schema.queryable}
    keys = [query.group_by] if not query.tables else [table.group_by for table in query.tables]
    pointer = "/tables" if query.tables else "/totals" if query.totals else "/group_by"
    cells = measured(query) * sum(cells_of(some, columns, totals=query.totals) for some in keys)
    if cells > CELLS_MAX:
        resolver.refuse(pointer, "too_many_cells", cells, CELLS_MAX)
    # Too many keys are refused where they are read; their cells need not be many.
    return cells <= CELLS_MAX


def undeclared_key(query: Query, schema: Schema) -> int | None:
    """The number of the undeclared column that a query groups by, if that is its one and plain key."""
    # With bins, a calendar or a cell for missing it is an ordinary key, which `axes_of` refuses for this column.
    if len(query.group_by) != 1 or query.group_by[0] != Key(column=query.group_by[0].column):
        return None
    for place, column in enumerate(schema.queryable):
        if isinstance(column, UndeclaredColumn) and column.name == query.group_by[0].column:
            return place
    return None


def _workload(query: Query, schema: Schema, resolver: Resolver) -> Layout:
    """Tables over shared axes. Keys on one column must be cut alike in all tables."""
    if not _is_small(query, schema, resolver):
        return layouts.plain(())
    known: dict[str, tuple[Key, int]] = {}
    axes: list[Axis] = []
    tables: list[PlannedTable] = []
    for place, asked in enumerate(query.tables):
        pointer = f"/tables/{place}"
        if asked.name in (table.name for table in tables):
            resolver.refuse(f"{pointer}/as", "repeated_name", asked.name)
        keys = []
        for key, here in known_keys(asked.group_by, resolver, f"{pointer}/group_by"):
            if key.column not in known:
                known[key.column] = key, len(axes)
                axes.append(axis_of(key, resolver.places[key.column], resolver, here))
            # Cut in two ways, no grid would hold both tables, and neither could help to estimate the other.
            elif known[key.column][0] != key:
                resolver.refuse(here, "cut_differently", key.column)
            keys.append(known[key.column][1])
        tables.append(PlannedTable(name=asked.name, keys=tuple(keys)))
    if resolver.problems:
        return layouts.plain(())
    axes = [
        # A row in no bucket of a key still counts in the tables that do not have the key.
        axis if all(place in table.keys for table in tables) else _with_rest(axis, schema)
        for place, axis in enumerate(axes)
    ]
    # Again, with the buckets for the rest, which are measured too.
    cells = len(query.select) * sum(cells_over(tuple(axes), table.subset) for table in tables)
    if cells > CELLS_MAX:
        resolver.refuse("/tables", "too_many_cells", cells, CELLS_MAX)
        return layouts.plain(())
    return layouts.workload(tuple(axes), tuple(tables), schema.measure, CELLS_MAX)


def _with_rest(axis: Axis, schema: Schema) -> Axis:
    """A key that some table does not have must not take rows from that table."""
    column = schema.queryable[axis.column]
    return replace(axis, rest=filters.complement(axis.buckets, (column.missing, column.high)))


def _inside(layout: Layout, tree: Filter, schema: Schema) -> Filter:
    """Tables that are fitted to each other count the same rows: those that every key has a bucket for."""
    if layout.direct:
        return tree
    keys = [axis for axis in layout.axes if not axis.rest]
    inside = [filters.Member(axis.column, filters.union(axis.buckets)) for axis in keys]
    domains = [(schema.queryable[axis.column].missing, schema.queryable[axis.column].high) for axis in keys]
    # A key with a bucket for every code filters nothing, and an empty condition would change the fingerprint.
    partial = [one for one, domain in zip(inside, domains, strict=True) if one.intervals != (domain,)]
    return filters.every([tree, *partial])


def column_names(statistic: Statistic, estimator: AnyEstimator | None, layout: Layout) -> tuple[str, ...]:
    """Every column of the answer that a statistic brings."""
    values = value_names(statistic)
    bounds = [f"{name}_{end}" for name in values for end in ("low", "high")]
    noisy = (
        ()
        if layout.direct or estimator is None or component_names(statistic, estimator)
        else (f"{statistic.name}_noisy",)
    )
    return (*values, *bounds, *component_names(statistic, estimator), *noisy)


def _check_names(
    query: Query,
    parts: Sequence[clamps.Part],
    estimators: Sequence[AnyEstimator | None],
    layout: Layout,
    resolver: Resolver,
) -> None:
    taken = {key.column for key in query.group_by} | {axis.name for axis in layout.axes}
    taken |= {layout.table_column} if query.tables else set()
    places = [part.place for part in parts]
    for number, (place, estimator) in enumerate(zip(places, estimators, strict=True)):
        # Parts of one statistic fill the same columns.
        if number and places[number - 1] == place:
            continue
        statistic = parts[number].statistic
        names = column_names(statistic, estimator, layout)
        if taken.intersection(names) or len(set(names)) < len(names):
            resolver.refuse(f"/select/{place}/as", "repeated_name", statistic.name)
        taken.update(names)


def _check_presentation(
    query: Query, estimators: Sequence[AnyEstimator], layout: Layout, resolver: Resolver
) -> None:
    """Note what cannot be done with the released table: it is made of the columns that the plan alone tells."""
    # With another problem the layout may be a stand-in, whose columns are not those of the answer.
    if resolver.problems:
        return
    columns = presentation.key_columns(query, layout)
    taken = set(columns)
    for statistic, estimator in zip(query.select, estimators, strict=True):
        columns |= presentation.statistic_columns(statistic, estimator, layout)
        taken.update(column_names(statistic, estimator, layout))
    presentation.check(query, columns, taken, layout.cells, resolver)


def _check_mechanism(query: Query, schema: Schema, resolver: Resolver) -> None:
    """Note a mechanism or a price that belongs to the other measure."""
    if query.mechanism == "discrete_laplace" and undeclared_key(query, schema) is not None:
        resolver.refuse("/mechanism", "gaussian_only", query.mechanism, "discrete_gaussian")
    fitting = "epsilon" if schema.measure == "pure" else "rho"
    if query.priced_in in ("epsilon", "rho") and query.priced_in != fitting:
        resolver.refuse(f"/budget/{query.priced_in}", "wrong_measure", query.priced_in, fitting)
    if query.mechanism is not None and schema.measure == "pure" and query.mechanism != MECHANISMS[0]:
        resolver.refuse("/mechanism", "needs_zcdp", query.mechanism, MECHANISMS[0])


def _check_additive(
    query: Query, estimators: Sequence[AnyEstimator | None], layout: Layout, resolver: Resolver
) -> None:
    """Only what adds up over cells can have margins, or be estimated from another table."""
    if not (query.totals or query.tables):
        return
    for place, (statistic, estimator) in enumerate(zip(query.select, estimators, strict=True)):
        if estimator is not None and not is_additive(estimator, layout):
            resolver.refuse(f"/select/{place}/agg", "not_additive", statistic.agg)


def _weights(query: Query, resolver: Resolver) -> list[Fraction]:
    names = [statistic.name for statistic in query.select]
    for name, weight in query.weights.items():
        # Escaped as a JSON Pointer (RFC 6901): a name may hold a slash.
        pointer = f"{query.weights_at}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in names:
            resolver.refuse(pointer, "unknown_statistic", name, ", ".join(names))
        elif weight <= 0:
            resolver.refuse(pointer, "not_positive", str(weight))
    return [query.weights.get(name, Fraction(1)) for name in names]


def _grouped(axis: Axis) -> list[object]:
    """What else tells the axes of groups apart; nothing of another axis, whose labels follow from its buckets."""
    return [axis.owners, axis.labels] if axis.owners else []


def _fingerprint(
    query: Query, layout: Layout, tree: Filter, bound: int, measurements: Sequence[Measurement]
) -> str:
    """The digest of the canonical question: names, order of statistics and price play no part."""
    question = {
        # Tuples are written as lists.
        "group_by": [[axis.column, axis.buckets, *_grouped(axis)] for axis in layout.axes],
        # Sorted and without price, so that one question asked in two ways or at two prices has one fingerprint;
        # whether an answer is good enough to be used again is decided by `Plan.prices`.
        "select": sorted({part.key for part in measurements}),
        "where": canonical(tree),
        "open": [
            part.estimator.column for part in measurements if isinstance(part.estimator, UndeclaredValueCount)
        ],
        "rows_per_person": bound,
        "tables": [[table.name, list(table.keys)] for table in layout.tables],
        "whole": query.whole,
        "mechanism": query.mechanism,
    }
    text = json.dumps(question, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
