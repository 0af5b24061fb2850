"""A search by brute force: made-up questions over tiny registers, and every person there can be.

For each question the farthest that any person moves what the noise is added to is found by trying them all, and held
against the sensitivity that the plan claims: never more (or the promise is broken), and never much less (or everybody
gets noise for nothing). A claim of more than SLACK times what anybody can do needs a reason, one of REASONS.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations_with_replacement
from random import Random

import pytest
from doubles import (
    Person,
    Row,
    Silence,
    cell_of,
    every_row,
    exact_by_hand,
    holds,
    literal,
    moved,
    query,
    register,
)
from lanes import first

from privacy.answer import release, table
from privacy.exact import ExactAggregate
from privacy.person_totals import KINDS_MAX, farthest_move
from privacy.plan import Plan, plan
from privacy.query import All, Any, Compare, InvalidQuery, Key, Not, Query, Statistic, Where, WorkloadTable
from privacy.reachable import BOXES_MAX, CellRange, ReachableRows
from privacy.resolve import Resolver
from privacy.schema import Category, Column, Measure, Number, Schema

SLACK = 1.5
QUESTIONS = 100
NOBODY = "no row that can count moves anything, but noise has a scale and a mean its span: at least 1"
REASONS = (NOBODY,)
CLAMPED = ("sum", "mean", "variance", "stddev", "median", "quantile")
ADDITIVE = ("count", "sum", "mean", "variance", "ratio")
EVERY = (
    *ADDITIVE,
    "sum",
    "sum",
    "count_persons",
    "count_persons",
    "stddev",
    "share_kept",
    "median",
    "quantile",
)


@dataclass(frozen=True)
class Found:
    """A draw of a plan: the sensitivity claimed, and the farthest that anybody moves it, in the same norm."""

    claimed: int
    reached: float
    kind: str

    @property
    def slack(self) -> float:
        """How many times too wide the noise is: a scale is the root of a squared sensitivity."""
        ratio = self.claimed / self.reached
        return math.sqrt(ratio) if self.kind == "discrete_gaussian" else ratio

    @property
    def reason(self) -> str | None:
        return NOBODY if self.reached == 0 else None


def farthest(planned: Plan) -> list[Found]:
    """Every draw of a plan against every person: what adds up over people needs no other neighbours."""
    people = [moved(planned, [], [person]) for person in telling_people(planned)]
    draws = [draw for part in planned.measurements for draw in part.draws]
    return [
        Found(draw.mechanism.sensitivity, float(max(one)), str(draw.mechanism.kind))
        for draw, one in zip(draws, zip(*people, strict=True), strict=True)
    ]


def telling_people(planned: Plan) -> Iterator[Person]:
    """Every person, rows that count alike taken as one, but for two of each kind: a rank is an order of rows."""
    kinds: dict[object, list[Row]] = {}
    for row in every_row(planned.schema):
        kinds.setdefault(signature(planned, row), []).append(row)
    rows = sorted({row for alike in kinds.values() for row in (alike[0], alike[-1])})
    for size in range(1, planned.schema.rows_per_person + 1):
        yield from map(list, combinations_with_replacement(rows, size))


def signature(planned: Plan, row: Row) -> object:
    """All that any exact integer of a plan depends on in a row."""
    if not holds(planned.filter, row):
        return None
    return tuple(
        (cell_of(planned, subset, row), codes_that_matter(planned, exact, row))
        for subset, exact in planned.exact_requests
    )


def codes_that_matter(planned: Plan, exact: ExactAggregate, row: Row) -> object:
    if exact.column < 0:
        return exact.where is None or holds(exact.where, row)
    code = row[exact.column]
    missing = code == planned.schema.queryable[exact.column].missing
    return None if missing else min(max(code, exact.low), exact.high)


def assert_tight(asked: Query, schema: Schema) -> None:
    for found in farthest(plan(asked, schema)):
        assert found.reached <= found.claimed, (asked, schema, found)
        assert found.reason in REASONS or found.slack <= SLACK, (asked, schema, found)


# Made-up registers and questions


class Maker:
    """Questions made from a seed: the same ones at every run."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)

    def schema(self) -> Schema:
        dice = self.dice
        columns: list[Column] = [
            self.number("x"),
            Category(name="k", values=tuple("abc"[: dice.randint(1, 3)])),
        ]
        if dice.random() < 0.3:
            columns.append(Number(name="y", low=0, high=dice.randint(1, 2)))
        measure: Measure = dice.choice(("pure", "zcdp"))
        # Three columns and three rows a person are thousands of people.
        return register(*columns, rows=dice.randint(1, 3 if len(columns) < 3 else 2), measure=measure)

    def number(self, name: str) -> Number:
        low = self.dice.randint(-5, 3)
        return Number(name=name, low=low, high=low + self.dice.randint(1, 5))

    def question(self, schema: Schema) -> Query:
        dice = self.dice
        columns = [column for column in schema.queryable if dice.random() < 0.4]
        keys = tuple(map(self.key, columns))
        layout = dice.choice(("plain", "plain", "plain", "totals", "tables")) if keys else "plain"
        agg, bound = dice.choice(EVERY if layout == "plain" else ADDITIVE), schema.rows_per_person
        if bound > 1 and (agg == "share_kept" or dice.random() < 0.3):
            bound = dice.randint(1, bound - 1)
        tables = tuple(WorkloadTable(name=f"t{place}", group_by=(key,)) for place, key in enumerate(keys))
        return query(
            self.statistic(agg, schema),
            where=self.where(schema.queryable) if dice.random() < 0.6 else None,
            group_by=() if layout == "tables" else keys,
            totals=layout == "totals",
            tables=tables if layout == "tables" else (),
            rows_per_person=bound,
            mechanism="discrete_gaussian" if schema.measure == "zcdp" and dice.random() < 0.5 else None,
        )

    def key(self, column: Column) -> Key:
        bins = None
        if isinstance(column, Number) and self.dice.random() < 0.5:
            size = self.dice.randint(2, min(4, column.high - column.low + 2))
            bins = tuple(sorted(self.dice.sample(range(column.low, column.high + 2), size)))
        return Key(column=column.name, bins=bins, missing=self.dice.random() < 0.3)

    def statistic(self, agg: str, schema: Schema) -> Statistic:
        if agg == "ratio":
            below = self.where(schema.queryable) if self.dice.random() < 0.5 else None
            return Statistic(name="s", agg=agg, numerator=self.where(schema.queryable), denominator=below)
        if agg not in CLAMPED:
            return Statistic(name="s", agg=agg)
        column = next(one for one in schema.queryable if isinstance(one, Number))
        clamp = self.ends(column.low, column.high) if self.dice.random() < 0.4 else None
        person = None
        if agg == "sum" and self.dice.random() < 0.7:
            far = self.dice.choice((4, 12, 300))
            person = self.ends(-far, far)
        quantiles = self.dice.choice(((0,), (0.25, 0.5), (0.9,), (1,)))
        q = tuple(map(str, quantiles))
        return Statistic(
            name="s",
            agg=agg,
            column=column.name,
            clamp=clamp,
            per_person_clamp=person,
            q=tuple(Decimal(one) for one in q) if agg == "quantile" else None,
        )

    def ends(self, low: int, high: int) -> tuple[int, int]:
        one, other = sorted(self.dice.sample(range(low, high + 1), 2))
        return one, other

    def where(self, columns: Sequence[Column], depth: int = 2) -> Where:
        kind = self.dice.choice(("all", "any", "not", "compare", "compare")) if depth else "compare"
        if kind == "compare":
            return self.comparison(self.dice.choice(columns))
        terms = tuple(self.where(columns, depth - 1) for _ in range(self.dice.randint(1, 3)))
        return All(terms) if kind == "all" else Any(terms) if kind == "any" else Not(terms[0])

    def comparison(self, column: Column) -> Compare:
        ordered = ("<", "<=", ">", ">=", "between") if isinstance(column, Number) else ()
        op = self.dice.choice(("=", "!=", "in", "is_missing", *ordered, *ordered))
        codes = sorted(self.dice.choices(range(column.low, column.high + 1), k=2))
        many = codes if op in ("in", "between") else [] if op == "is_missing" else codes[:1]
        return Compare(column=column.name, op=op, values=tuple(literal(column, code) for code in many))


@pytest.mark.parametrize("seed", first(1, range(9)))
def test_of_many_made_up_questions_none_claims_less_than_somebody_moves_nor_much_more(seed: int) -> None:
    maker = Maker(seed)
    met: Counter[str] = Counter()
    while met.total() < QUESTIONS:
        schema = maker.schema()
        asked = maker.question(schema)
        try:
            assert_tight(asked, schema)
        # Two clamps without a common value, a ratio without a cell: such questions have no plan.
        except InvalidQuery:
            continue
        met[asked.select[0].agg] += 1
    assert min(met[agg] for agg in EVERY) >= 1, met


# Questions that got noise too wide before their filter, their keys and their rows were taken into account


X, K = Number(name="x", low=0, high=5), Category(name="k", values=("a", "b", "c", "d"))
FAR = Number(name="x", low=-2, high=2)
BY_K = (Key(column="k"),)
OF_A = Compare(column="k", op="=", values=("a",))
AT_MOST_1 = Compare(column="x", op="<=", values=(1,))
EITHER = Any((All((OF_A, AT_MOST_1)), All((Compare(column="k", op="=", values=("b",)), Not(Not(AT_MOST_1))))))


def summed(**changes: object) -> Statistic:
    return Statistic(**{"name": "s", "agg": "sum", "column": "x", **changes})  # type: ignore[arg-type]


PERSONS = Statistic(name="s", agg="count_persons")
SHARE = Statistic(name="s", agg="share_kept")
MEDIAN = Statistic(name="s", agg="median", column="x")


@pytest.mark.parametrize(
    ("columns", "asked", "l1", "squared"),
    [
        ((X,), query(summed(per_person_clamp=(1, 250))), 10, 100),
        ((X, K), query(summed(per_person_clamp=(-8, -1)), group_by=BY_K), 2, 2),
        ((X,), query(summed(per_person_clamp=(-100, 3))), 3, 9),
        ((X,), query(summed(), where=AT_MOST_1), 2, 4),
        ((X,), query(summed(agg="mean"), where=AT_MOST_1), 2, 4),
        ((X,), query(summed(agg="variance"), where=AT_MOST_1), 2, 4),
        ((X, K), query(summed(), where=EITHER, group_by=BY_K), 2, 4),
        ((X, K), query(summed(per_person_clamp=(0, 9)), where=EITHER, group_by=BY_K), 2, 4),
        ((FAR,), query(summed(), where=Compare(column="x", op="in", values=(0, -1))), 2, 4),
        ((X,), query(summed(), group_by=(Key(column="x", bins=(0, 1)),)), 2, 4),
        ((X, K), query(PERSONS, where=OF_A, group_by=BY_K), 1, 1),
        ((X, K), query(PERSONS, where=EITHER, group_by=BY_K), 2, 2),
        ((X,), query(SHARE, rows_per_person=1), 2, 2),
    ],
    ids=lambda case: str(case) if isinstance(case, int) else "",
)  # fmt: skip
def test_filters_keys_and_what_the_rows_can_reach_narrow_the_noise(
    columns: tuple[Column, ...], asked: Query, l1: int, squared: int
) -> None:
    for measure, mechanism, claimed in (("pure", None, l1), ("zcdp", "discrete_gaussian", squared)):
        planned = plan(replace(asked, mechanism=mechanism), register(*columns, rows=2, measure=measure))
        assert [(one.claimed, one.reached) for one in farthest(planned)] == [(claimed, claimed)]


def test_a_narrower_clamp_is_the_same_question_and_has_the_same_exact_value() -> None:
    """The text that replays go by is that of the clamp asked for; a filter may make it narrower for the engine."""
    people: list[Person] = [[(0,), (1,)], [(5,), (1,)], [(-1,), (3,)]]
    schema = register(X, rows=2)
    for statistic in (
        summed(),
        summed(agg="mean"),
        summed(agg="stddev"),
        summed(per_person_clamp=(-3, 9)),
        MEDIAN,
    ):
        whole = plan(query(statistic, where=AT_MOST_1), schema)
        clamped = [one for one in whole.measurements[0].estimator.exacts if one.kind != "present"]
        assert {(one.low, one.high) for one in clamped} == {(0, 1)}
        assert whole.measurements[0].key.startswith(
            ("sum(x,0,5", "mean(x,0,5", "stddev(x,0,5", "quantile(x,0,5")
        )
        made = table(whole, release(whole, exact_by_hand(whole, people), Silence()))
        value = {column.name: column.values[0] for column in made.columns}["s"]
        # Of the rows that pass, whose values are 0, 1 and 1.
        expected = {
            "sum": 2,
            "mean": pytest.approx(2 / 3, abs=1e-4),
            "stddev": pytest.approx(0.4714, abs=1e-4),
        }
        assert value == expected.get(statistic.agg, 1)


# The two parts of the argument, each by itself


def by_trying(rows: int, most: int, ranges: Sequence[CellRange], clamp: tuple[int, int], power: int) -> int:
    """The farthest move in at most so many cells, by dynamic programming over cells, cells touched and rows."""
    best = [[0] * (rows + 1) for _ in range(most + 1)]
    for low, high, cells in ranges:
        moves = [
            max(abs(min(max(j * end, clamp[0]), clamp[1])) for end in (low, high)) ** power
            for j in range(1, rows + 1)
        ]
        for _ in range(min(cells, rows, most)):
            for touched in range(most, 0, -1):
                for used in range(rows, 0, -1):
                    best[touched][used] = max(
                        best[touched][used],
                        *(best[touched - 1][used - j] + moves[j - 1] for j in range(1, used + 1)),
                    )
    return best[most][rows]


@pytest.mark.parametrize("seed", first(1, range(4)))
def test_sums_clamped_per_person_move_no_further_than_the_bound_and_nearly_as_far(seed: int) -> None:
    """With many rows and several kinds of cells, where not every person can be tried."""
    dice = Random(seed)
    for _ in range(150):
        rows = dice.randint(1, 9)
        # Fewer than rows and cells where keys are constant per person.
        most = min(rows, dice.choice((1, 2, rows)))
        ranges = []
        for _ in range(dice.choice((1, 1, 2, 3, KINDS_MAX + 4))):
            low = dice.randint(-20, 20)
            ranges.append((low, low + dice.randint(0, 20), dice.randint(1, 4)))
        one, other = sorted(dice.sample(range(-60, 60), 2))
        for power in (1, 2):
            bound = farthest_move(rows, most, tuple(ranges), (one, other), power)
            reached = by_trying(rows, most, ranges, (one, other), power)
            assert reached <= bound
            # Beyond a few kinds of cells the smaller ones are taken as one kind, which may cost more.
            assert len(ranges) > KINDS_MAX or bound <= SLACK**power * max(1, reached), (
                rows,
                ranges,
                one,
                other,
                power,
            )


def test_boxes_hold_every_row_that_passes_and_few_are_exact() -> None:
    maker = Maker(7)
    schema = register(X, K, Number(name="y", low=0, high=2), rows=2)
    rows, resolver = every_row(schema), Resolver(schema)
    for _ in range(300):
        tree = resolver.where(maker.where(schema.queryable, depth=3))
        passing = [row for row in rows if holds(tree, row)]
        reachable = ReachableRows.of(tree)
        for place, column in enumerate(schema.queryable):
            codes = [row[place] for row in passing if row[place] != column.missing]
            found = reachable.codes(place, (column.low, column.high))
            assert found == ((min(codes), max(codes)) if codes else None)


def test_filters_of_too_many_boxes_are_seen_from_outside() -> None:
    """Ten alternatives on ten columns are a thousand boxes: what any of them lets through is let through."""
    columns = [Number(name=f"c{place}", low=0, high=9) for place in range(22)]
    schema = register(*columns)

    def either(place: int) -> Where:
        low = Compare(column=f"c{place}", op="<=", values=(3,))
        return Any(
            (
                All((low, Compare(column=f"c{place + 1}", op=">", values=(1,)))),
                All((low, Compare(column="c21", op="=", values=(2,)))),
            )
        )

    reachable = ReachableRows.of(Resolver(schema).where(All(tuple(either(2 * place) for place in range(10)))))
    assert len(reachable.boxes) <= BOXES_MAX
    assert [reachable.codes(2 * place, (0, 9)) for place in range(10)] == [(0, 3)] * 10
    assert reachable.codes(21, (0, 9)) == (0, 9)
