"""What planning a question, and rehearsing it, costs in CPU: counted from request and schema, before either is done.

Counts and refuses; plans nothing, lists no domain and reads no data. The counts are the same on every machine, so
that one question is refused everywhere or nowhere.
"""

from dataclasses import dataclass, fields

from privacy.axes import CELLS_MAX, KEYS_MAX, buckets_of, cells_of
from privacy.quantiles import bins_max
from privacy.query import (
    Accuracy,
    All,
    Any,
    Compare,
    Key,
    Not,
    Query,
    Statistic,
    Where,
    comparisons_in,
    conditions_of,
)
from privacy.refusal import Refusal
from privacy.schema import Schema
from privacy.strategy import CANDIDATES_MAX, TRIALS_MAX
from privacy.words import Words

PARTS = {
    "cells": Words(
        ja="セルの数（キー、区間または統計を減らしてください）",
        en="the number of cells: use fewer keys, bins or statistics",
    ),
    "terms": Words(
        ja="条件の数（where や ratio の条件を減らしてください）",
        en="the number of conditions: use fewer terms in where and in ratios",
    ),
    "draws": Words(
        ja="ノイズの回数（分位数または統計を減らしてください）",
        en="the number of draws of noise: use fewer quantiles or statistics",
    ),
    "search": Words(
        ja="精度から価格を求める計算（価格を直接指定するか、表や分位数を減らしてください）",
        en="the search for the price of an accuracy: give a price, or use fewer tables or quantiles",
    ),
    "strategy": Words(
        ja="測定方法の選択（表を減らすか、totals のキーを減らしてください）",
        en="the choice of what to measure: use fewer tables, or totals over fewer keys",
    ),
    "rows": Words(
        ja="1 行あたりの比較の回数（条件、区間または統計を減らしてください）",
        en="the comparisons for each row: use fewer conditions, bins or statistics",
    ),
}
"""What each part of the work is, and what to change so that it becomes less."""


class PlanningTooDear(Refusal, ValueError):
    """Planning or rehearsing a question would cost more work than one request may; `part` says where most of it is."""

    code = "planning_too_dear"

    def __init__(self, *, work: int, limit: int, part: str) -> None:
        why = PARTS[part]
        super().__init__(
            Words(
                ja=f"準備の計算量が {work:,} 単位で、上限の {limit:,} 単位を超えます。主な原因: {why.ja}",
                en=f"preparing this takes {work:,} units of work; the limit is {limit:,}. Most of it is {why.en}",
            )
        )
        self.work, self.limit, self.part = work, limit, part


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Counted work by part, in units; 1,000,000 units are about a second of CPU on a small server."""

    cells: int = 0
    terms: int = 0
    draws: int = 0
    search: int = 0
    strategy: int = 0
    rows: int = 0

    @property
    def total(self) -> int:
        return sum(getattr(self, part.name) for part in fields(self))

    def __add__(self, other: "Work") -> "Work":
        return Work(
            **{part.name: getattr(self, part.name) + getattr(other, part.name) for part in fields(self)}
        )

    def must_be_within(self, limit: int) -> None:
        """Raises PlanningTooDear if all parts together are more than `limit` units."""
        if self.total > limit:
            dearest = max(PARTS, key=lambda part: getattr(self, part))
            raise PlanningTooDear(work=self.total, limit=limit, part=dearest)


# What each thing counted costs, in units. Measured by `bench`, and held against it in the long tests.
BASE, LABEL, EDGE = 2_000, 3, 15
COMPARISON, LITERAL, BRACKET = 40, 15, 4
SCALE, SCALES, METHOD, CHOICE = 700, 1_800, 4_000, 60
HALVINGS, STEP, STEP_CHOICE, STEP_GRID, LEAST = 45, 100, 12, 30, 300
STRATEGY, TABLE, SETTLING = 10_000, 40, 1_104
LAPLACE, GAUSSIAN, VALUE, ESTIMATE = 9, 18, 2, 8
SCORE, CHOOSING, FIT = 1, 1_000, 30
PASS, OPERATION, PERSONS = 4_000, 70, 60
_COMPONENTS = {"mean": 2, "variance": 3, "stddev": 3, "ratio": 2, "share_kept": 2}
_OPERATIONS = {"mean": 4, "variance": 8, "stddev": 8}

ROW_OPERATIONS_MAX = 10_000
"""How many operations a question may cost the engine for each row: a minute or so for ten million rows."""


def must_be_cheap_a_row(query: Query, schema: Schema) -> None:
    """Raises PlanningTooDear for a question whose every row would cost the engine more than ROW_OPERATIONS_MAX."""
    operations = _Counted.of(query, schema).row_operations
    if operations > ROW_OPERATIONS_MAX:
        raise PlanningTooDear(work=operations, limit=ROW_OPERATIONS_MAX, part="rows")


def planning_work(query: Query, schema: Schema) -> Work:
    """What `plan`, and a quote of what it gives, costs at most. Takes time linear in the size of the request."""
    return _Counted.of(query, schema).planning


def rehearsal_work(query: Query, schema: Schema) -> Work:
    """What planning and a dummy answer from generated rows cost at most."""
    counted = _Counted.of(query, schema)
    return counted.planning + counted.rehearsal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What a request holds, by number alone.

    `listed` buckets of keys are listed, cut by `edges`; `cells` are released in all `tables` together, each of which
    is a mask over `axes` keys.
    """

    query: Query
    schema: Schema
    listed: int
    edges: int
    cells: int
    axes: int
    tables: tuple[int, ...]

    @classmethod
    def of(cls, query: Query, schema: Schema) -> "_Counted":
        columns = {column.name: column for column in schema.queryable}
        asked = [table.group_by for table in query.tables] or [query.group_by]
        cells = sum(cells_of(keys, columns, totals=query.totals) for keys in asked)
        # `plan` refuses too many cells and too many keys before it lists anything.
        if cells * len(query.select) > CELLS_MAX or max(map(len, asked)) > KEYS_MAX:
            asked, cells = [()], 1
        # A column is listed once, however many tables have it: a second way to cut it is refused.
        keys = {key.column: key for some in asked for key in some if key.column in columns}
        place_of = {name: place for place, name in enumerate(keys)}
        masks = [sum({1 << place_of[key.column] for key in some if key.column in keys}) for some in asked]
        if query.totals:
            masks = list(range(1 << len(keys)))
        return cls(
            query=query,
            schema=schema,
            listed=sum(buckets_of(columns[name], key) for name, key in keys.items()),
            edges=sum(len(key.bins or ()) for key in keys.values()),
            cells=cells,
            axes=len(keys),
            tables=tuple(dict.fromkeys(masks)),
        )

    @property
    def direct(self) -> bool:
        """Whether one table is measured as it stands, so that there is no choice of grids."""
        return not (self.query.totals or self.query.tables)

    @property
    def pure(self) -> bool:
        return self.schema.measure == "pure"

    @property
    def bound(self) -> int:
        return self.query.rows_per_person or self.schema.rows_per_person

    @property
    def subspaces(self) -> int:
        """How many subspaces the tables span: each subset of each one's keys."""
        return min(1 << self.axes, self.subsets)

    @property
    def subsets(self) -> int:
        return sum(1 << mask.bit_count() for mask in self.tables)

    @property
    def planning(self) -> Work:
        statistics = self.query.select
        return Work(
            cells=BASE + LABEL * self.listed + EDGE * self.edges,
            terms=sum(_reading(where) for _, where in conditions_of(self.query)),
            draws=sum(self._settling(statistic) for statistic in statistics),
            search=self._search(),
            strategy=0 if self.direct else self._strategy() + TABLE * len(self.tables) * len(statistics),
        )

    def _settling(self, statistic: Statistic) -> int:
        """Settling the draws of a statistic: OpenDP is asked for the scale of each that is no choice."""
        if choices := _choices(statistic):
            return METHOD + CHOICE * choices
        return (SCALE if self.pure else SCALES) * (1 if self.direct else len(self.tables))

    def _search(self) -> int:
        """Halving an interval of prices until one reaches the accuracy."""
        if not isinstance(self.query.budget, Accuracy):
            return 0
        leasts = sum(LEAST * _choices(statistic) for statistic in self.query.select)
        steps = [self._step(one) for one in self.query.select if one.name == self.query.budget.of]
        return leasts + HALVINGS * max(steps, default=0)

    def _step(self, statistic: Statistic) -> int:
        if choices := _choices(statistic):
            return STEP + STEP_CHOICE * choices
        # Under zCDP both mechanisms are tried at each price.
        return STEP + (STEP_GRID if self.pure else 2 * STEP_GRID) * len(self.tables)

    def _strategy(self) -> int:
        """The search of `privacy.strategy`: sweeps over candidates and subspaces, and merges of tables."""
        tables, subspaces = len(self.tables), self.subspaces
        candidates = min(CANDIDATES_MAX, 1 << min(self.axes, 8), 1 << min(tables, 8))
        # Columns of shares times steps: those of the starts, and under pure ε some rounds of changes by one grid.
        starts = 2 * tables + SETTLING
        rounds = 0 if not self.pure else 2 * (2 * min(TRIALS_MAX, candidates**2 // 2) + SETTLING)
        sweep = candidates * subspaces
        settling = 6 * candidates * (1 + (0 if not self.pure else 2)) * (20_000 + sweep // 2)
        nanoseconds = (starts + rounds) * sweep + settling + tables * (400_000 + 4 * tables**2)
        return STRATEGY + nanoseconds // 1_000

    @property
    def rehearsal(self) -> Work:
        statistics = self.query.select
        return Work(
            cells=sum(self._noise(statistic) for statistic in statistics if not _choices(statistic)),
            draws=sum(self._choosing(statistic) for statistic in statistics if _choices(statistic)),
            strategy=0 if self.direct else FIT * self.subsets * len(statistics),
            rows=PASS * self._passes + OPERATION * self.row_operations,
        )

    def _noise(self, statistic: Statistic) -> int:
        """Noise on every measured number, and the columns that are made of them."""
        numbers = _COMPONENTS.get(statistic.agg, 1) + (statistic.denominator is not None)
        columns = numbers + 3 + (ESTIMATE if numbers > 1 else 0)
        return self.cells * (numbers * (LAPLACE if self.pure else GAUSSIAN) + columns * VALUE)

    def _choosing(self, statistic: Statistic) -> int:
        """A score for each bin of each choice in each cell, or noise on each node of a tree of bins."""
        choices = _choices(statistic)
        bins = min(bins_max(self.cells, choices), self._span(statistic))
        noise = LAPLACE if self.pure else GAUSSIAN
        return self.cells * (bins * max(noise, choices * SCORE) + choices * CHOOSING)

    def _span(self, statistic: Statistic) -> int:
        """The codes of a statistic's column: at least as many as its clamp leaves."""
        spans = [one.high - one.low + 1 for one in self.schema.queryable if one.name == statistic.column]
        return max(spans, default=1)

    @property
    def row_operations(self) -> int:
        """Comparisons and additions that one row of the data costs the engine, in all passes over it."""
        where = 0 if self.query.where is None else _testing(self.query.where)
        # Keys are told apart by halving their edges, in each pass anew.
        row = 1 + where + sum(1 + len(key.bins or ()).bit_length() for key in self._keys)
        together = [self._aggregate(one) for one in self.query.select if not self._is_alone(one)]
        alone = [self._aggregate(one) for one in self.query.select if self._is_alone(one)]
        passes = len(self.tables) * (row + sum(together)) if together else 0
        return passes + sum(row + one for one in alone)

    @property
    def _keys(self) -> tuple[Key, ...]:
        return max([table.group_by for table in self.query.tables] or [self.query.group_by], key=len)

    @property
    def _passes(self) -> int:
        alone = sum(self._is_alone(statistic) for statistic in self.query.select)
        return alone + (len(self.tables) if alone < len(self.query.select) else 0)

    def _is_alone(self, statistic: Statistic) -> bool:
        """Whether a statistic needs a pass over the data of its own: a histogram, or persons' totals."""
        return bool(_choices(statistic)) or statistic.per_person_clamp is not None

    def _aggregate(self, statistic: Statistic) -> int:
        """Operations of one statistic in a pass."""
        numerator, denominator = (
            0 if where is None else _testing(where) for where in (statistic.numerator, statistic.denominator)
        )
        persons = statistic.agg == "count_persons" and self.bound > 1
        if persons or statistic.per_person_clamp is not None:
            # Persons are told apart in a hash table of their own.
            return PERSONS
        return _OPERATIONS.get(statistic.agg, 2) + 2 * (numerator + denominator)


def _choices(statistic: Statistic) -> int:
    """How many choices the quantiles of a statistic are at most: values, ends of bounds, shares of bins that split."""
    if statistic.agg not in ("median", "quantile"):
        return 0
    values = len(statistic.q or ()) if statistic.agg == "quantile" else 1
    return max(1, values * (3 if statistic.value_bounds else 1))


def _reading(where: Where, depth: int = 1) -> int:
    """Turning a condition into a canonical filter: its literals, and its text once for each bracket around it."""
    match where:
        case Compare(values=values):
            return COMPARISON + LITERAL * len(values) + BRACKET * depth
        case Not(term):
            return _reading(term, depth)
        case All(terms) | Any(terms):
            return COMPARISON + sum(_reading(term, depth + 1) for term in terms)


def _testing(where: Where) -> int:
    """The comparisons that a condition costs a row."""
    return sum(1 + len(one.values) for one in comparisons_in(where))
