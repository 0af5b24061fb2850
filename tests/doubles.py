"""Stand-ins that are obviously right: no noise, a slow engine, and made-up registers, questions and people.

A person is a list of rows, a row a tuple of codes, one for each queryable column, and of the numbers of the second
units that it names, 0 for none. Nothing here is fast.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise, product
from pathlib import Path

import duckdb
import numpy as np
from hypothesis import strategies as st
from recorded_noise import RecordedDraw, RecordedNoise
from sqlalchemy import Connection

from datasets.catalog import DatasetVersion, NoSuchDataset
from datasets.database.store import Store
from datasets.engines.base import EngineLimits, Place
from datasets.engines.duckdb import DuckdbEngine
from datasets.engines.format import ENGINE, STATISTICS_FILE, STORAGE
from privacy.answer import release
from privacy.budget import Price
from privacy.exact import AxisSubset, ExactAggregate, ExactRequest, cells_over
from privacy.filters import Every, Filter, Member
from privacy.noise import Integers, Mechanism, OpendpNoise
from privacy.plan import Plan, plan
from privacy.query import (
    AGGREGATES,
    CALENDAR,
    All,
    Any,
    Compare,
    Group,
    Key,
    Not,
    Query,
    Scalar,
    Span,
    Statistic,
    Where,
    WorkloadTable,
)
from privacy.schema import Category, Column, Date, Measure, Number, Schema, day_of

Row = tuple[int, ...]
Person = list[Row]
ONE = Price.parse("1")


class Silence:
    """No noise at all."""

    def add(self, exact: Integers, mechanism: Mechanism) -> Integers:
        return exact.copy()

    def top(self, scores: Integers, mechanism: Mechanism) -> int:
        return int(np.argmax(scores))


@dataclass
class CountingNoise:
    """Noise that differs at every draw: the number of draws so far, added to every cell."""

    draws: int = 0

    def add(self, exact: Integers, mechanism: Mechanism) -> Integers:
        self.draws += 1
        return exact + self.draws

    def top(self, scores: Integers, mechanism: Mechanism) -> int:
        self.draws += 1
        return self.draws % len(scores)


@dataclass
class NoiseOfManyRuns:
    """Real noise for `runs` releases of one plan, each draw of all runs made at once, which is quicker."""

    runs: int
    run: int = -1
    made: int = 0
    blocks: list[Integers] = field(default_factory=list)

    def next_run(self) -> "NoiseOfManyRuns":
        self.run, self.made = self.run + 1, 0
        return self

    def add(self, exact: Integers, mechanism: Mechanism) -> Integers:
        if self.made == len(self.blocks):
            zeros = np.zeros(len(exact) * self.runs, dtype=np.int64)
            self.blocks.append(OpendpNoise().add(zeros, mechanism).reshape(self.runs, -1))
        self.made += 1
        return exact + self.blocks[self.made - 1][self.run]

    def top(self, scores: Integers, mechanism: Mechanism) -> int:
        return OpendpNoise().top(scores, mechanism)


@dataclass
class MadeUpEngine:
    """An engine that answers `value` in every cell, or fails, or cannot be opened; counts how often it computed."""

    value: int = 100
    failure: Exception | None = None
    closed: Exception | None = None
    opened: list[Place] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def ready(self, place: Place) -> None:
        if self.closed is not None:
            raise self.closed

    def probe(self, place: Place) -> None:
        self.ready(place)

    def exact(self, plan: Plan, place: Place, run: str) -> Mapping[ExactRequest, Integers]:
        self.opened.append(place)
        self.runs.append(run)
        if self.failure is not None:
            raise self.failure
        return filled(plan, self.value)

    def values(self, plan: Plan, place: Place, codes: Integers, run: str) -> list[str]:
        self.runs.append(run)
        return [f"value {code}" for code in codes]

    def cancel(self, run: str) -> None:
        self.cancelled.append(run)


class MadeUpDummy:
    """A dummy engine that answers 100 in every cell."""

    def exact(self, plan: Plan) -> Mapping[ExactRequest, Integers]:
        return filled(plan, 100)


def filled(plan: Plan, value: int) -> dict[ExactRequest, Integers]:
    """The same exact integer wherever one is needed."""
    return {
        (subset, exact): np.full(cells_over(plan.axes, subset) * exact.size, value, dtype=np.int64)
        for subset, exact in plan.exact_requests
    }


@dataclass
class Shelf:
    """A catalog of datasets made up on the spot."""

    held: list[DatasetVersion]

    def current(self, id: str) -> DatasetVersion:
        for held in self.held:
            if held.id == id:
                return held
        raise NoSuchDataset(id)


class RacedStore(Store):
    """A store whose next transaction to begin lets a rival go first, wholly."""

    rival: Callable[[], object] | None = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        rival, self.rival = self.rival, None
        if rival is not None:
            rival()
        with super().writing() as connection:
            yield connection


# A slow engine


def exact_by_hand(plan: Plan, people: Sequence[Person]) -> dict[ExactRequest, Integers]:
    """What an engine must find for a plan, row by row in Python's own integers."""
    return {request: _by_hand(plan, people, *request) for request in plan.exact_requests}


def _by_hand(plan: Plan, people: Sequence[Person], subset: AxisSubset, exact: ExactAggregate) -> Integers:
    found = [0] * (cells_over(plan.axes, subset) * exact.size)
    # Over all persons: a household of two is one.
    named: set[tuple[int, int]] = set()
    for person in people:
        totals: dict[int, int] = {}
        ranked = sorted(person)[: None if exact.all_rows else plan.bound]
        for row in ranked:
            cell = cell_of(plan, subset, row)
            if cell is None or not holds(plan.filter, row):
                continue
            if exact.where is not None and not holds(exact.where, row):
                continue
            if exact.kind == "units":
                unit = row[len(plan.schema.queryable) + exact.column]
                if unit and (cell, unit) not in named:
                    named.add((cell, unit))
                    found[cell] += 1
                continue
            code = row[exact.column]
            present = code != plan.schema.queryable[exact.column].missing
            clamped = min(max(code, exact.low), exact.high)
            above = (clamped - exact.low + exact.grid // 2) // exact.grid if exact.grid else 0
            match exact.kind:
                case "rows":
                    found[cell] += 1
                case "persons":
                    found[cell] += cell not in totals
                    totals[cell] = 0
                case "present":
                    found[cell] += present
                case "total":
                    found[cell] += (above if exact.grid else clamped) if present else 0
                case "square":
                    found[cell] += above**2 if present else 0
                case "person_total":
                    if present:
                        totals[cell] = totals.get(cell, 0) + clamped
                case "histogram":
                    if present:
                        found[cell * exact.size + (clamped - exact.low) // exact.grid] += 1
        if exact.kind == "person_total":
            for cell, total in totals.items():
                found[cell] += min(max(total, exact.person_low), exact.person_high)
    return np.array(found, dtype=np.int64)


def holds(tree: Filter, row: Row) -> bool:
    """Whether a row matches a canonical filter."""
    if isinstance(tree, Member):
        return any(low <= row[tree.column] <= high for low, high in tree.intervals)
    found = [holds(term, row) for term in tree.terms]
    return all(found) if isinstance(tree, Every) else any(found)


def cell_of(plan: Plan, subset: AxisSubset, row: Row) -> int | None:
    """The cell a row falls in, over some of the plan's axes; None outside every bucket."""
    cell = 0
    for axis in (plan.axes[place] for place in subset):
        owners = axis.owners or range(len(axis.buckets))
        inside = [
            owner
            for owner, (low, high) in zip(owners, axis.buckets, strict=True)
            if low <= row[axis.column] <= high
        ]
        if not inside and not axis.rest:
            return None
        cell = cell * axis.size + (inside[0] if inside else len(axis.labels))
    return cell


def exact_vectors(plan: Plan, people: Sequence[Person]) -> list[list[int]]:
    """The vector that each draw of a plan adds noise to."""
    return [part.ravel().tolist() for part in release(plan, exact_by_hand(plan, people), Silence())]


def drawn(plan: Plan, people: Sequence[Person], replay: Sequence[RecordedDraw] = ()) -> list[RecordedDraw]:
    """Every call of a mechanism for a plan, with the vector or the scores that went in.

    Noiseless, or with the noise and the choices of an earlier run.
    """
    noise = RecordedNoise(replay=replay) if replay else RecordedNoise(source=Silence())
    release(plan, exact_by_hand(plan, people), noise)
    return noise.draws


def moved(plan: Plan, left: Sequence[Person], right: Sequence[Person]) -> list[Fraction]:
    """How far apart two crowds are, for each draw of a plan, in the norm of its sensitivity.

    L1 for Laplace noise, squared L2 for Gaussian noise. Of choices, which may follow from each other, it is the
    part of the statistic's price that they all use up together, times the sensitivity.
    """
    first = drawn(plan, left)
    pairs = iter(list(zip(first, drawn(plan, right, replay=first), strict=True)))
    found: list[Fraction] = []
    for part in plan.measurements:
        if part.draws[0].mechanism.kind != "noisy_max":
            found += [Fraction(_apart(*next(pairs))) for _ in part.draws]
            continue
        used = Fraction(0)
        for one, other in (next(pairs) for _ in range(plan.cells * len(part.draws))):
            share = Fraction(_apart(one, other), one.mechanism.sensitivity)
            used += one.mechanism.price.nano * (share if plan.schema.measure == "pure" else share**2)
        found += [used / part.price.nano * draw.mechanism.sensitivity for draw in part.draws]
    assert next(pairs, None) is None
    return found


def _apart(one: RecordedDraw, other: RecordedDraw) -> int:
    assert one.mechanism == other.mechanism
    sizes = np.abs(one.exact - other.exact).tolist()
    if one.mechanism.kind == "discrete_laplace":
        return sum(sizes)
    return sum(size**2 for size in sizes) if one.mechanism.kind == "discrete_gaussian" else max(sizes)


def everybody(schema: Schema) -> Iterator[Person]:
    """Every person there can be: every choice of up to `rows_per_person` rows, alike where columns are constant."""
    for rows in range(1, schema.rows_per_person + 1):
        chosen = map(list, combinations_with_replacement(every_row(schema), rows))
        yield from (person for person in chosen if alike(schema, person) == person)


RUN = "run"
"""The name of a run that nobody cancels."""


def embedded(folder: Path, *, timeout_s: float = 60) -> DuckdbEngine:
    """The embedded engine with one thread; what it spills goes into the folder."""
    return DuckdbEngine(EngineLimits(threads=1, timeout_s=timeout_s, temporary=folder))


def at(folder: Path) -> Place:
    """The place of a version that lies in a folder, for the embedded engine."""
    return Place(ENGINE, folder)


def write_statistics(
    folder: Path, schema: Schema, people: Sequence[Person], *, types: Sequence[str]
) -> Place:
    """A statistics file as registration makes it: one narrow integer a column, rank and person; in a new folder."""
    folder.mkdir()
    kinds = [
        *((f"c{place}", kind) for place, kind in enumerate(types)),
        *((f"u{place}", "INTEGER") for place in range(len(schema.units))),
        ("rank", "INTEGER"),
        ("person", "BIGINT"),
    ]
    columns = [f"{name} {kind} NOT NULL {STORAGE}" for name, kind in kinds]
    rows = [
        (*row, rank, number)
        for number, person in enumerate(people)
        for rank, row in enumerate(sorted(person), start=1)
    ]
    with duckdb.connect(str(folder / STATISTICS_FILE)) as connection:
        connection.execute(f"CREATE TABLE rows ({', '.join(columns)})")
        if rows:
            connection.execute(f"INSERT INTO rows VALUES {', '.join(map(str, rows))}")
    return at(folder)


# Registers


def register(
    *columns: Column, rows: int = 1, limit: str = "10", cap: str = "1000", measure: Measure = "pure"
) -> Schema:
    """A register of persons with at most so many rows each."""
    return Schema(
        id="town",
        title={"ja": "町", "en": "Town"},
        body="131016",
        unit="person" if rows > 1 else None,
        rows_per_person=rows,
        cap=Price.parse(cap),
        price_per_query_max=Price.parse(limit),
        columns=columns,
        measure=measure,
        delta=Fraction(1, 10**9) if measure == "zcdp" else None,
    )


SEX = Category(name="sex", values=("f", "m", "x"))
AGE = Number(name="age", low=0, high=120, unit="years")
INCOME = Number(name="income", low=-5, high=20, step=Decimal("0.5"), unit="JPY")
BORN = Date(name="born", low=-100, high=200)
TOWN = register(SEX, AGE, INCOME, BORN)
FAMILIES = register(SEX, AGE, INCOME, BORN, rows=3)


def count(name: str = "n") -> Statistic:
    return Statistic(name=name, agg="count")


def query(*select: Statistic, **changes: object) -> Query:
    """A question of ε 1: a count, unless other statistics are named."""
    known = {"select": select or (count(),), "budget": ONE}
    return Query(**{**known, **changes})  # type: ignore[arg-type]


def literal(column: Column, code: int) -> Scalar:
    """A code as a caller writes it."""
    match column:
        case Category(values=values):
            return values[code]
        case Number(step=step):
            return code * step if step != step.to_integral_value() else code * int(step)
        case Date():
            return day_of(code).isoformat()


# Strategies


@st.composite
def columns(draw: st.DrawFn, name: str) -> Column:
    match draw(st.sampled_from(("category", "number", "number", "date"))):
        case "category":
            return Category(name=name, values=tuple("abcd"[: draw(st.integers(1, 4))]))
        case "number":
            low = draw(st.integers(-6, 6))
            step = draw(st.sampled_from((Decimal(1), Decimal("0.1"), Decimal(1000))))
            return Number(name=name, low=low, high=low + draw(st.integers(1, 8)), step=step)
        case _:
            low = draw(st.integers(-5, 5))
            return Date(name=name, low=low, high=low + draw(st.integers(1, 6)))


@st.composite
def wide_columns(draw: st.DrawFn, name: str) -> Column:
    """A third of them numbers of many values, so that trees of bins have several levels."""
    if draw(st.integers(0, 2)):
        return draw(columns(name))
    low = draw(st.integers(-6, 6))
    return Number(name=name, low=low, high=low + draw(st.integers(20, 150)))


@st.composite
def schemas(draw: st.DrawFn, made_of: object = columns) -> Schema:
    """Up to three columns, the last one of numbers more often than not, and up to three rows a person."""
    made = [draw(made_of(f"k{place}")) for place in range(draw(st.integers(1, 3)))]  # type: ignore[operator]
    measure = draw(st.sampled_from(("pure", "zcdp")))
    return register(*made, rows=draw(st.integers(1, 3)), measure=measure)


@st.composite
def rows_of(draw: st.DrawFn, schema: Schema) -> Row:
    codes = tuple(draw(st.integers(column.missing, column.high)) for column in schema.queryable)
    return codes + tuple(draw(st.integers(0, UNITS_MOST)) for _ in schema.units)


def persons(schema: Schema) -> st.SearchStrategy[Person]:
    rows = st.lists(rows_of(schema), min_size=1, max_size=schema.rows_per_person)
    return rows.map(lambda person: alike(schema, person))


def alike(schema: Schema, person: Person) -> Person:
    """The person's rows with the first one's codes of the columns that are constant per person."""
    constant = [one.constant_per_person for one in (*schema.queryable, *schema.units)]
    return [
        tuple(one if same else code for same, one, code in zip(constant, person[0], row, strict=True))
        for row in person
    ]


def crowds(schema: Schema, *, most: int = 8) -> st.SearchStrategy[list[Person]]:
    return st.lists(persons(schema), max_size=most)


@st.composite
def comparisons(draw: st.DrawFn, schema: Schema) -> Compare:
    column = draw(st.sampled_from(schema.queryable))
    ordered = ("<", "<=", ">", ">=", "between") if not isinstance(column, Category) else ()
    op = draw(st.sampled_from(("=", "!=", "in", "is_missing", *ordered)))
    codes = st.integers(column.low, column.high)
    if op == "is_missing":
        chosen = []
    elif op == "in":
        chosen = draw(st.lists(codes, min_size=1, max_size=4))
    elif op == "between":
        chosen = sorted((draw(codes), draw(codes)))
    else:
        chosen = [draw(codes)]
    return Compare(column=column.name, op=op, values=tuple(literal(column, code) for code in chosen))


def wheres(schema: Schema) -> st.SearchStrategy[Where]:
    return st.recursive(
        comparisons(schema),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda terms: All(tuple(terms))),
            st.lists(inner, max_size=3).map(lambda terms: Any(tuple(terms))),
            inner.map(Not),
        ),
        max_leaves=5,
    )


@st.composite
def keys(draw: st.DrawFn, column: Column) -> Key:
    bins, by, groups = None, None, None
    wide = column.high - column.low > 50
    if draw(st.integers(0, 3)) == 0:
        groups = draw(groups_of(column))
    elif isinstance(column, Date) and draw(st.booleans()):
        by = draw(st.sampled_from(CALENDAR))
    elif not isinstance(column, Category) and (wide or draw(st.booleans())):
        edges = draw(st.sets(st.integers(column.low, column.high + 1), min_size=2, max_size=5))
        bins = tuple(literal(column, edge) for edge in sorted(edges))
    return Key(column=column.name, bins=bins, by=by, groups=groups, missing=draw(st.booleans()))


@st.composite
def groups_of(draw: st.DrawFn, column: Column) -> tuple[Group, ...]:
    """Up to three groups of stretches of a column's values, some of them in no group."""
    codes = st.integers(column.low + 1, column.high)
    inner = draw(st.sets(codes, max_size=6)) if column.high > column.low else set()
    edges = [column.low, *sorted(inner), column.high + 1]
    members: dict[str, list[Scalar | Span]] = {}
    for low, beyond in pairwise(edges):
        label = draw(st.sampled_from(("北", "b", "c", None)))
        if label is None:
            continue
        if isinstance(column, Category) or beyond - low == 1:
            members.setdefault(label, []).extend(literal(column, code) for code in range(low, beyond))
        else:
            members.setdefault(label, []).append(Span(literal(column, low), literal(column, beyond - 1)))
    if not members:
        members["all"] = [literal(column, column.low)]
    return tuple(Group(label, tuple(some)) for label, some in members.items())


UNITS_MOST = 3
"""The greatest number of a second unit that made-up rows name."""

ADDITIVE = ("count", "sum", "mean", "variance", "stddev", "ratio")
OF_NUMBERS = ("sum", "mean", "variance", "stddev", "median", "quantile")


@st.composite
def statistics(
    draw: st.DrawFn, schema: Schema, name: str, aggregates: Sequence[str] = AGGREGATES
) -> Statistic:
    numbers = [column for column in schema.queryable if isinstance(column, Number)]
    # Without second units the aggregates are drawn from as if there were none to count.
    fitting = [agg for agg in aggregates if schema.units or agg != "count_units"]
    agg = draw(st.sampled_from([agg for agg in fitting if numbers or agg not in OF_NUMBERS]))
    if agg == "count_units":
        return Statistic(name=name, agg=agg, unit=draw(st.sampled_from(schema.units)).name)
    if agg == "ratio":
        denominator = draw(st.none() | wheres(schema))
        return Statistic(name=name, agg=agg, numerator=draw(wheres(schema)), denominator=denominator)
    if agg not in OF_NUMBERS:
        return Statistic(name=name, agg=agg)
    column = draw(st.sampled_from(numbers))
    ends = st.tuples(st.integers(column.low, column.high), st.integers(column.low, column.high))
    clamp = draw(st.none() | ends.filter(lambda pair: pair[0] < pair[1]))
    least = column.low if clamp is None else clamp[0]
    limits = st.tuples(st.integers(least - 9, least), st.integers(least + 1, least + 9))
    alone = agg == "sum" and "median" in aggregates
    bounded = alone and schema.rows_per_person > 1 and abs(least) < 10**6
    person = draw(st.none() | limits) if bounded else None
    some = st.sampled_from((0, Decimal("0.1"), Decimal("0.5"), Decimal("0.9"), 1))
    many = st.lists(some, min_size=1, max_size=1) | st.lists(some, min_size=1)
    return Statistic(
        name=name,
        agg=agg,
        column=column.name,
        clamp=_literals(column, clamp),
        per_person_clamp=_literals(column, person),
        q=tuple(sorted(set(draw(many)))) if agg == "quantile" else None,
        value_bounds=draw(st.booleans()) if agg in ("median", "quantile") else None,
    )


def _literals(column: Column, ends: tuple[int, int] | None) -> tuple[Scalar, Scalar] | None:
    return None if ends is None else (literal(column, ends[0]), literal(column, ends[1]))


@st.composite
def queries(draw: st.DrawFn, schema: Schema) -> Query:
    """A question or a workload that fits the schema."""
    grouped = draw(st.lists(st.sampled_from(schema.queryable), max_size=2, unique_by=lambda key: key.name))
    group_by = tuple(draw(keys(column)) for column in grouped)
    kind = draw(st.sampled_from(("plain", "totals", "tables"))) if grouped else "plain"
    bound = draw(st.integers(1, schema.rows_per_person))
    aggregates = ADDITIVE if kind != "plain" else AGGREGATES
    if bound == schema.rows_per_person:
        aggregates = tuple(agg for agg in aggregates if agg != "share_kept")
    tables = (
        WorkloadTable(name="whole", group_by=group_by),
        WorkloadTable(name="last", group_by=group_by[-1:]),
    )
    select = [draw(statistics(schema, f"s{place}", aggregates)) for place in range(draw(st.integers(1, 3)))]
    if draw(st.integers(0, 2)) == 0:
        select = [replace(one, where=draw(own_filters(schema, place))) for place, one in enumerate(select)]
    if kind == "plain" and len(group_by) == 1 and draw(st.integers(0, 1)):
        labels = plan(query(group_by=group_by), schema).axes[0].labels
        select = [draw(with_clamps(one, schema, labels)) for one in select]
    return Query(
        select=tuple(select),
        where=draw(st.none() | wheres(schema)),
        group_by=() if kind == "tables" else group_by,
        tables=tables if kind == "tables" else (),
        totals=kind == "totals",
        whole=kind == "totals" and draw(st.booleans()),
        rows_per_person=bound,
        mechanism=draw(st.none() | st.just("discrete_laplace")),
        budget=Price(draw(st.sampled_from((10**7, 10**8 + 1, 3 * 10**8, 10**9, 9_999_999_999)))),
    )


@st.composite
def with_clamps(draw: st.DrawFn, statistic: Statistic, schema: Schema, labels: Sequence[object]) -> Statistic:
    """The statistic with clamps by some labels of a key, where it may have them."""
    found = [one for one in schema.queryable if isinstance(one, Number) and one.name == statistic.column]
    if not found or statistic.per_person_clamp is not None:
        return statistic
    ends = st.integers(found[0].low, found[0].high)
    pairs = st.tuples(ends, ends).filter(lambda pair: pair[0] < pair[1])
    names = ["null" if label is None else str(label) for label in labels]
    chosen = draw(st.lists(st.sampled_from([*names, "*"]), min_size=1, max_size=3, unique=True))
    clamps = tuple((name, _literals(found[0], draw(pairs))) for name in chosen)
    return replace(statistic, clamp=None, clamps=clamps)  # type: ignore[arg-type]


def own_filters(schema: Schema, place: int) -> st.SearchStrategy[Where | None]:
    """A statistic's own filter; more often than not one that excludes those at other places."""
    column = schema.queryable[0]
    code = column.low + place % (column.high - column.low + 1)
    mine = Compare(column=column.name, op="=", values=(literal(column, code),))
    return st.one_of(
        st.just(mine), wheres(schema).map(lambda where: All((mine, where))), st.none(), wheres(schema)
    )


def every_row(schema: Schema) -> list[Row]:
    """Every row there can be, missing cells included."""
    codes = [range(column.missing, column.high + 1) for column in schema.queryable]
    return list(product(*codes, *(range(UNITS_MOST + 1) for _ in schema.units)))
