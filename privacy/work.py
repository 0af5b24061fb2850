"""What planning a question, and rehearsing it, costs in CPU: counted from request and schema, before either is done.

Counts and refuses; plans nothing, lists no domain and reads no data. The counts are the same on every machine, so
that one question is refused everywhere or nowhere.
"""

from dataclasses import dataclass, fields, replace
from fractions import Fraction

from privacy import margins
from privacy.axes import CELLS_MAX, KEYS_MAX, buckets_of, cells_of, edges_of
from privacy.quantiles import bins_max, plan_bins, plan_method
from privacy.query import (
    TERMS_MAX,
    Accuracy,
    All,
    Any,
    Compare,
    Not,
    Query,
    Statistic,
    Where,
    comparisons_in,
    conditions_of,
    measured,
    terms_in,
)
from privacy.refusal import Refusal
from privacy.schema import Category, Schema
from privacy.statistics import BINS_MIN
from privacy.strategy import CANDIDATES_MAX, TRIALS_MAX
from privacy.trees import levels_of
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
        ja="精度から予算の消費を求める計算（epsilon か rho を直接指定するか、表や分位数を減らしてください）",
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

PREPARING = Words(
    ja="準備の計算量 {work:,} 単位が上限 {limit:,} 単位を超えています。主な原因は{why}",
    en="preparing this takes {work:,} units of work, and {limit:,} are allowed. Most of it is {why}",
)
EACH_ROW = Words(
    ja="データ 1 行あたりの演算 {work:,} 回が上限 {limit:,} 回を超えています。原因は{why}",
    en="each row of the data would take {work:,} operations, and {limit:,} are allowed. This is {why}",
)


class PlanningTooDear(Refusal, ValueError):
    """Preparing a question, or each row of the data, would cost more work than one request may.

    `part` says where most of `work` is: a part of `Work`, or "row" for the operations of the engine on each row.
    """

    code = "planning_too_dear"

    def __init__(self, *, work: int, limit: int, part: str) -> None:
        template = EACH_ROW if part == "row" else PREPARING
        why = PARTS["rows" if part == "row" else part]
        # A sentence in its own language each, so it is filled by language and not by field.
        super().__init__(
            Words(
                ja=template.ja.format(work=work, limit=limit, why=why.ja),
                en=template.en.format(work=work, limit=limit, why=why.en),
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


# What each thing counted costs, in units; `tests/unit/test_counted_work.py` holds the sums against measured CPU.
BASE, LABEL, EDGE = 2_000, 3, 15
COMPARISON, LITERAL, BRACKET, VALUES_A_UNIT = 40, 15, 4, 5
SCALE_PURE, SCALE_ZCDP, COMPARED, METHOD, CHOICE = 700, 1_800, 5_000, 4_000, 40
HALVINGS, STEP, STEP_CHOICE, STEP_GRID, LEAST = 45, 100, 36, 30, 20
STRATEGY, TABLE, SETTLING = 10_000, 40, 1_104
LAPLACE, GAUSSIAN, DRAW, VALUE, BOUNDS, TAILS = 10, 20, 1_000, 2, 16, 5_000
SCORES, SCORE, SHARES, FIT = 150, 2, 1_000, 30
PASS, OPERATION, COMPILED, PERSONS = 5_000, 10, 220, 60
_COMPONENTS = {"mean": 2, "variance": 3, "stddev": 3, "ratio": 2, "share_kept": 2}

ROW_OPERATIONS_MAX = 10_000
"""How many operations a question may cost the engine for each row: a minute or so for ten million rows."""


def must_be_cheap_a_row(query: Query, schema: Schema) -> None:
    """Raises PlanningTooDear for a question whose every row would cost the engine more than ROW_OPERATIONS_MAX."""
    operations = _RequestCounts.of(query, schema).row_operations
    if operations > ROW_OPERATIONS_MAX:
        raise PlanningTooDear(work=operations, limit=ROW_OPERATIONS_MAX, part="row")


def planning_work(query: Query, schema: Schema) -> Work:
    """What `plan`, and a quote of what it gives, costs at most. Takes time linear in the size of the request."""
    return _RequestCounts.of(query, schema).planning


def rehearsal_work(query: Query, schema: Schema) -> Work:
    """What planning and a dummy answer from generated rows cost at most."""
    counted = _RequestCounts.of(query, schema)
    return counted.planning + counted.rehearsal


@dataclass(frozen=True, slots=True, kw_only=True)
class _RequestCounts:
    """What a request holds, by number alone.

    `listed` buckets of keys are listed, cut by `edges`; `cells` are released in all `tables` together, each of which is
    a mask over the keys; `sizes` are those of the keys' axes. `where` comparisons are made for every row, `ratios` for
    every row in each pass that counts rows.
    """

    query: Query
    schema: Schema
    listed: int
    edges: int
    cells: int
    sizes: tuple[int, ...]
    tables: tuple[int, ...]
    where: int
    ratios: int

    @classmethod
    def of(cls, query: Query, schema: Schema) -> "_RequestCounts":
        # A clamp of a group is measured as a statistic of its own, under the condition of its cells.
        known = {column.name: column for column in schema.queryable}
        keys_known = [key for key in query.group_by if key.column in known]
        cut = sum(buckets_of(known[key.column], key) + edges_of(known[key.column], key) for key in keys_known)
        select = tuple(one for one in query.select for _ in range(1 + len(one.clamps or ())))
        own = sum(3 * cut * (1 + len(one.clamps)) for one in query.select if one.clamps)
        query = replace(query, select=select)
        columns = {column.name: column for column in schema.queryable}
        asked = [table.group_by for table in query.tables] or [query.group_by]
        cells = sum(cells_of(keys, columns, totals=query.totals) for keys in asked)
        # `plan` refuses too many cells and too many keys before it lists anything.
        if cells * measured(query) > CELLS_MAX or max(map(len, asked)) > KEYS_MAX:
            asked, cells = [()], 1
        # A column is listed once, however many tables have it: a second way to cut it is refused.
        keys = {key.column: key for some in asked for key in some if key.column in columns}
        place_of = {name: place for place, name in enumerate(keys)}
        masks = [sum({1 << place_of[key.column] for key in some if key.column in keys}) for some in asked]
        buckets = {name: buckets_of(columns[name], key) for name, key in keys.items()}
        # A key that some table does not have gets a bucket for the rest, which holds missing cells at least.
        rests = [
            bool(query.tables) and not key.missing and any(not mask >> place_of[name] & 1 for mask in masks)
            for name, key in keys.items()
        ]
        if query.totals:
            masks = list(range(1 << len(keys)))
        tests = [(pointer == "/where", _testing(where)) for pointer, where in conditions_of(query)]
        return cls(
            query=query,
            schema=schema,
            listed=sum(buckets.values()),
            edges=sum(edges_of(columns[name], key) for name, key in keys.items()),
            cells=cells,
            sizes=tuple(size + rest for size, rest in zip(buckets.values(), rests, strict=True)),
            tables=tuple(dict.fromkeys(masks)),
            where=sum(tests for whole, tests in tests if whole),
            # Three times: a ratio with a filter of its own has the filter in each of its three counts.
            ratios=own + sum(3 * tests for whole, tests in tests if not whole),
        )

    @property
    def direct(self) -> bool:
        """Whether one table is measured as it stands, so that there is no choice of grids."""
        return not (self.query.totals or self.query.tables)

    @property
    def axes(self) -> int:
        return len(self.sizes)

    @property
    def pure(self) -> bool:
        return self.schema.measure == "pure"

    @property
    def grids(self) -> int:
        """How many grids are measured: under pure ε few, since each of them takes from the price of the others."""
        return min(len(self.tables), 2 * self.axes + 1) if self.pure else len(self.tables)

    @property
    def noise(self) -> int:
        """The units of one additive draw."""
        return LAPLACE if self.pure else GAUSSIAN

    @property
    def planning(self) -> Work:
        statistics = self.query.select
        return Work(
            cells=BASE + LABEL * self.listed + EDGE * self.edges,
            terms=self._terms(),
            draws=sum(map(self._settling, statistics)),
            search=self._search(),
            strategy=0 if self.direct else self._strategy() + TABLE * len(self.tables) * len(statistics),
        )

    def _terms(self) -> int:
        wheres = [where for _, where in conditions_of(self.query)]
        # `plan` refuses too many terms before it reads any.
        if sum(map(terms_in, wheres)) > TERMS_MAX:
            return 0
        named = {one.column for where in wheres for one in comparisons_in(where)}
        # The values of a category are numbered once, when first one of them is looked for.
        values = sum(
            len(one.values)
            for one in self.schema.queryable
            if isinstance(one, Category) and one.name in named
        )
        return values // VALUES_A_UNIT + sum(map(_reading, wheres))

    def _settling(self, statistic: Statistic) -> int:
        """Settling the draws of a statistic: OpenDP is asked for the scale of each that is no choice."""
        if choices := _choices(statistic):
            return METHOD + CHOICE * choices
        # Under zCDP a quote compares both mechanisms.
        return SCALE_PURE * self.grids if self.pure else COMPARED + SCALE_ZCDP * self.grids

    def _search(self) -> int:
        """Halving an interval of prices until one reaches the accuracy."""
        asked = self.query.budget
        if not isinstance(asked, Accuracy):
            return 0
        steps = [self._step(statistic) for statistic in self.query.select if statistic.name == asked.of]
        leasts = sum(LEAST * _choices(statistic) for statistic in self.query.select)
        return leasts + HALVINGS * max(steps, default=0)

    def _step(self, statistic: Statistic) -> int:
        """One look at the error that a price gives; under zCDP both mechanisms are tried for each grid."""
        if choices := _choices(statistic):
            return STEP + STEP_CHOICE * choices
        return STEP + (1 if self.pure else 2) * STEP_GRID * self.grids

    def _strategy(self) -> int:
        """The search of `privacy.strategy`: sweeps over candidates and subspaces, and merges of tables."""
        tables, candidates = len(self.tables), self._candidates()
        sweep = candidates * min(1 << self.axes, self._subsets)
        # Columns of shares times steps: those of the starts, and under pure ε a round of changes by one grid.
        columns = 2 * tables + SETTLING
        if self.pure:
            columns += 2 * min(TRIALS_MAX, candidates) + SETTLING
        covers = 6 * candidates * (20_000 + sweep // 2)
        merges = tables * (400_000 + 4 * tables**2)
        return STRATEGY + (columns * sweep + covers + merges) // 1_000

    def _candidates(self) -> int:
        """The grids to choose from: unions of tables, as many as fit."""
        found, smallest = set(self.tables), min(self.sizes, default=1)
        for mask in self.tables:
            if len(found) >= CANDIDATES_MAX:
                break
            unions = {mask | other for other in found} - found
            found |= {
                union
                for union in unions
                # By the number of keys first, which is known at a glance.
                if smallest ** union.bit_count() <= CELLS_MAX
                and margins.cells_of(self.sizes, union) <= CELLS_MAX
            }
        return min(CANDIDATES_MAX, len(found))

    @property
    def _subsets(self) -> int:
        """The subspaces of each table, those of two tables twice."""
        return sum(1 << mask.bit_count() for mask in self.tables)

    @property
    def rehearsal(self) -> Work:
        statistics = self.query.select
        return Work(
            cells=sum(map(self._noising, statistics)),
            draws=sum(map(self._choosing, statistics)),
            strategy=0 if self.direct else FIT * self._subsets * len(statistics),
            rows=PASS * self._passes + OPERATION * self.row_operations + COMPILED * self._compiled,
        )

    def _noising(self, statistic: Statistic) -> int:
        """Noise on every number that is no choice, and the columns that are made of these numbers."""
        if _choices(statistic):
            return 0
        numbers = _COMPONENTS.get(statistic.agg, 1) + (statistic.denominator is not None)
        # What divides noisy sums by each other has bounds from the tails of weighted sums.
        divided = numbers > 1
        columns = VALUE * (numbers + 3) + BOUNDS * divided
        return DRAW * self.grids + TAILS * divided + self.cells * (numbers * self.noise + columns)

    def _choosing(self, statistic: Statistic) -> int:
        """A score for each bin of each choice in each cell, or noise on each node of a tree of bins."""
        qs, choices, span = _quantiles(statistic), _choices(statistic), self._span(statistic)
        most = bins_max(self.cells, choices)
        # `plan` refuses quantiles of so few bins.
        if not qs or most < min(BINS_MIN, span):
            return 0
        bins = (span - 1) // plan_bins(1, span, most) + 1
        method = plan_method(bins, qs, self.schema.measure, value_bounds=statistic.value_bounds is True)
        if method.branching:
            return DRAW + self.cells * self.noise * sum(levels_of(bins, method.branching))
        shares = SHARES * len(qs) if method.by_splits else 0
        return self.cells * (shares + choices * (SCORES + SCORE * bins))

    def _span(self, statistic: Statistic) -> int:
        """The codes of a statistic's column: at least as many as its clamp leaves."""
        spans = [one.high - one.low + 1 for one in self.schema.queryable if one.name == statistic.column]
        return max(spans, default=1)

    @property
    def row_operations(self) -> int:
        """Comparisons and additions that one row of the data costs the engine, in all passes over it."""
        # Keys are told apart by halving their edges, in each pass anew.
        keys = max([table.group_by for table in self.query.tables] or [self.query.group_by], key=len)
        columns = {column.name: column for column in self.schema.queryable}
        steps = (edges_of(columns[key.column], key).bit_length() for key in keys if key.column in columns)
        row = 1 + self.where + len(keys) + sum(steps)
        together = self.ratios + sum(map(self._aggregating, self.query.select))
        return self._passes * row + self._shared_passes * together + self._alone

    @property
    def _compiled(self) -> int:
        """The comparisons in the text of all passes, which cost more to write than to run over few rows."""
        return self._passes * self.where + self._shared_passes * self.ratios + self._alone

    @property
    def _alone(self) -> int:
        """The comparisons of filters of statistics that have a pass of their own."""
        wheres = (one.where for one in self.query.select if _is_alone(one) and one.where is not None)
        return sum(map(_testing, wheres))

    @property
    def _passes(self) -> int:
        return self._shared_passes + sum(map(_is_alone, self.query.select))

    @property
    def _shared_passes(self) -> int:
        return 0 if all(map(_is_alone, self.query.select)) else self.grids

    def _aggregating(self, statistic: Statistic) -> int:
        """Additions for one statistic, or the place of a person in a hash table."""
        bound = self.query.rows_per_person or self.schema.rows_per_person
        # Units are told apart even where a person has one row.
        persons = statistic.agg == "count_units" or (statistic.agg == "count_persons" and bound > 1)
        return PERSONS if persons or statistic.per_person_clamp is not None else 4


def _is_alone(statistic: Statistic) -> bool:
    """Whether a statistic needs a pass over the data of its own: a histogram, or persons' totals."""
    return bool(_choices(statistic)) or statistic.per_person_clamp is not None


def _quantiles(statistic: Statistic) -> tuple[Fraction, ...]:
    """The quantiles of a statistic as far as they are shares; none of another aggregate."""
    if statistic.agg == "median":
        return (Fraction(1, 2),)
    asked = statistic.q or () if statistic.agg == "quantile" else ()
    return tuple(Fraction(q) for q in asked if not isinstance(q, str) and 0 <= q <= 1)


def _choices(statistic: Statistic) -> int:
    """How many values and ends of bounds the quantiles of a statistic have; 0 for another aggregate."""
    return len(_quantiles(statistic)) * (3 if statistic.value_bounds else 1)


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
