"""What is done with a released table is a function of that table alone, and of nothing that the noise saw."""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from doubles import FAMILIES, SEX, TOWN, count, crowds, drawn, exact_by_hand, persons, queries, query, schemas
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from privacy.answer import AnswerTable, release, table
from privacy.derived import presented
from privacy.noise import Integers, Mechanism
from privacy.plan import Plan, plan
from privacy.presentation import Presentation, presentation_of
from privacy.query import All as Every
from privacy.query import Any as Some
from privacy.query import (
    Compare,
    Derived,
    InvalidQuery,
    Key,
    Not,
    Order,
    Query,
    Statistic,
    Where,
    WorkloadTable,
)
from privacy.result_columns import AnswerColumn
from privacy.schema import Schema

MANY = settings(deadline=None, derandomize=True, max_examples=50)
SUM = Statistic(name="s", agg="sum", column="income")
BY_SEX = (Key(column="sex"),)
OPERATORS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


class Shaken:
    """Noise of a known seed: cells of either sign and of many sizes, the same in every run."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def add(self, exact: Integers, mechanism: Mechanism) -> Integers:
        return exact + self.random.integers(-20, 60, exact.shape)

    def top(self, scores: Integers, mechanism: Mechanism) -> int:
        return int(self.random.integers(len(scores)))


def released(planned: Plan, seed: int = 1) -> AnswerTable:
    return table(planned, release(planned, exact_by_hand(planned, []), Shaken(seed)))


def asked_of(planned: Plan) -> Presentation:
    found = presentation_of(planned.query, planned.layout)
    assert found is not None
    return found


def rows_of(told: AnswerTable) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(told.as_json())["rows"]
    return rows


def shown(question: Query, schema: Schema = TOWN, seed: int = 1) -> list[dict[str, Any]]:
    planned = plan(question, schema)
    return rows_of(presented(released(planned, seed), asked_of(planned)))


# Questions with all members, of columns that the plain answer has


@st.composite
def conditions(draw: st.DrawFn, told: AnswerTable) -> Where:
    """A condition on columns of an answer, whose literal is often one of the cells."""
    column = draw(st.sampled_from(told.columns))
    present = [cell for cell in column.values if cell is not None]
    is_key = column.role == "key"
    ordered = [] if is_key else ["<", "<=", ">", ">="]
    op = draw(st.sampled_from(["=", "!=", "in", *ordered] if present else ["is_missing"]))
    values: tuple[Any, ...] = ()
    if present:
        cell = draw(st.sampled_from(present))
        near = [] if isinstance(cell, str) else [draw(st.integers(-30, 60)), Decimal(str(cell))]
        values = (
            draw(
                st.sampled_from([cell if isinstance(cell, str) else str(cell)] if is_key else near or [cell])
            ),
        )
    compare: Where = Compare(column=column.name, op=op, values=values)
    return draw(
        st.sampled_from([compare, Not(compare), Every((compare, Not(Some((compare,))))), Some((compare,))])
    )


@st.composite
def presentations(draw: st.DrawFn, question: Query, told: AnswerTable) -> Query:
    """The question with `derive`, `having`, `order_by` and `limit`, or some of them."""
    numbers = [
        column.name
        for column in told.columns
        if column.role != "key" and not any(isinstance(cell, str) for cell in column.values)
    ]
    assume(numbers)
    operands = st.sampled_from(numbers)
    derive = [
        Derived(
            name=f"d{place}",
            left=draw(operands),
            op=draw(st.sampled_from("+-*/")),
            right=draw(operands | st.sampled_from([Decimal(3), Decimal("-0.5")])),
        )
        for place in range(draw(st.integers(0, 2)))
    ]
    if derive:
        derive.append(Derived(name="d9", left="d0", op=draw(st.sampled_from("+-*/")), right=derive[-1].name))
    names = [*(column.name for column in told.columns), *(one.name for one in derive)]
    order = st.builds(Order, column=st.sampled_from(names), descending=st.booleans())
    return replace(
        question,
        derive=tuple(derive),
        having=draw(st.none() | conditions(told)),
        order_by=tuple(draw(st.lists(order, max_size=2))),
        limit=draw(st.none() | st.integers(1, 8)),
    )


# The same in plain Python, of the JSON that everybody gets


def by_hand(question: Query, rows: list[dict[str, Any]], keys: set[str]) -> list[dict[str, Any]]:
    """Rows of the plain answer's JSON → the values (no bounds of derived columns) of those shown."""
    rows = [dict(row) for row in rows]
    for one in question.derive:
        for row in rows:
            left, right = (side if isinstance(side, Decimal) else row[side] for side in (one.left, one.right))
            row[one.name] = number_of(one, left, right)
    ranks = {
        name: {label: place for place, label in enumerate(dict.fromkeys(row[name] for row in rows))}
        for name in keys
    }
    if question.having is not None:
        rows = [row for row in rows if truth(question.having, row, keys) is True]
    for order in reversed(question.order_by):
        cells = {id(row): row[order.column] for row in rows}
        places = {
            place: ranks[order.column][cell] if order.column in keys else cell
            for place, cell in cells.items()
        }
        present = [row for row in rows if cells[id(row)] is not None]
        present.sort(key=lambda row, places=places: places[id(row)], reverse=order.descending)
        rows = present + [row for row in rows if cells[id(row)] is None]
    return rows[: question.limit]


def number_of(one: Derived, left: Any, right: Any) -> Any:
    if left is None or right is None or (one.op == "/" and isinstance(one.right, str) and right <= 0):
        return None
    return float(OPERATORS[str(one.op)](Fraction(str(left)), Fraction(str(right))))


def truth(where: Where, row: dict[str, Any], keys: set[str]) -> bool | None:
    """Three values, as in SQL: of a missing cell it is unknown whether it matches, and so is whether it does not."""
    match where:
        case Not(term):
            found = truth(term, row, keys)
            return None if found is None else not found
        case Every(terms):
            every = [truth(term, row, keys) for term in terms]
            return False if False in every else None if None in every else True
        case Some(terms):
            some = [truth(term, row, keys) for term in terms]
            return True if True in some else None if None in some else False
    cell = row[where.column]
    if where.op == "is_missing":
        return cell is None
    if cell is None:
        return None
    if isinstance(cell, str) or where.column in keys:
        same = str(cell) == str(where.values[0])
        return same if where.op in ("=", "in") else not same
    left, right = Fraction(str(cell)), Fraction(str(where.values[0]))
    return {
        "=": left == right,
        "in": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[where.op]


@MANY
@given(st.data())
def test_what_is_shown_can_be_made_of_the_plain_answer_by_anybody(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    question = data.draw(queries(schema))
    plain = plan(question, schema)
    told = released(plain, data.draw(st.integers(0, 99)))
    wanted = data.draw(presentations(question, told))
    asked = presentation_of(wanted, plain.layout)
    if asked is None:
        return
    planned = plan(wanted, schema)
    assert (planned.fingerprint, planned.price) == (plain.fingerprint, plain.price)
    kept = Presentation.from_json(json.loads(json.dumps(asked.as_json())))
    keys = {column.name for column in told.columns if column.role == "key"}
    # From what is kept of an answer and as it was made: the same bytes.
    again = presented(AnswerTable.from_json(json.loads(told.as_json())), kept)
    made = presented(told, asked)
    assert again.as_json() == made.as_json()
    assert values_of(rows_of(made)) == values_of(by_hand(wanted, rows_of(told), keys))


def values_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without the bounds of derived columns, which are tested below."""
    return [
        {
            name: cell
            for name, cell in row.items()
            if not (name[0] == "d" and name.endswith(("_low", "_high")))
        }
        for row in rows
    ]


@settings(MANY, max_examples=25)
@given(st.data())
def test_the_columns_that_a_question_may_name_are_those_of_its_answer(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    question = data.draw(queries(schema))
    told = released(plan(question, schema))
    with pytest.raises(InvalidQuery) as refused:
        plan(replace(question, order_by=(Order(column="nowhere"),)), schema)
    (problem,) = refused.value.problems
    assert problem.reason == "no_released_column"
    names = [column.name for column in told.columns]
    if len(names) <= 50:
        assert sorted(str(problem.expected).split(", ")) == sorted(names)


@settings(MANY, max_examples=12)
@given(st.data())
def test_noise_is_drawn_alike_on_neighbours_whatever_is_done_with_the_table(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    question = data.draw(queries(schema))
    plain = plan(question, schema)
    wanted = replace(question, order_by=(Order(column=plain.measurements[0].names[0]),), limit=1)
    planned = plan(wanted, schema)
    others = data.draw(crowds(schema, most=3))
    for people in (others, [*others, data.draw(persons(schema))]):
        first, second = drawn(plain, people), drawn(planned, people)
        assert [draw.mechanism for draw in first] == [draw.mechanism for draw in second]
        for one, other in zip(first, second, strict=True):
            if one.mechanism.kind != "noisy_max":
                assert (one.exact == other.exact).all()


# Bounds


def column(name: str, value: float, low: float, high: float) -> list[AnswerColumn]:
    about = {"of": name, "confidence": 0.95}
    return [
        AnswerColumn(name=name, role="value", values=[value], about={}),
        AnswerColumn(name=f"{name}_low", role="bound", values=[low], about=about),
        AnswerColumn(name=f"{name}_high", role="bound", values=[high], about=about),
    ]


CELLS = st.integers(-1000, 1000) | st.floats(-1e6, 1e6) | st.sampled_from([0, 0.1, 2**60, 1e300])


@settings(MANY, max_examples=120)
@given(
    st.lists(CELLS, min_size=3, max_size=3), st.lists(CELLS, min_size=3, max_size=3), st.sampled_from("+-*/")
)
def test_bounds_hold_whatever_the_operands_bounds_hold(one: list[Any], other: list[Any], op: str) -> None:
    (a, b, c), (d, e, f) = sorted(one), sorted(other)
    told = AnswerTable(columns=(*column("a", b, a, c), *column("b", e, d, f)), notes=(), postprocessing=())
    asked = Presentation(derive=(Derived(name="x", left="a", op=op, right="b"),))
    (row,) = rows_of(presented(told, asked))
    if row["x"] is None:
        assert row["x_low"] is row["x_high"] is None
        return
    if row["x_low"] is None:
        assert (op == "/" and d <= 0) or max(map(abs, (a, c))) >= 1e100 or max(map(abs, (d, f))) >= 1e100
        return
    low, high = Fraction(str(row["x_low"])), Fraction(str(row["x_high"]))
    ends = [[Fraction(str(cell)) for cell in cells] for cells in (sorted(one), sorted(other))]
    # Ends and middles of both intervals, any of which may be exact.
    results = [OPERATORS[op](left, right) for left in ends[0] for right in ends[1]]
    assert low <= min(results)
    assert max(results) <= high
    assert low <= Fraction(str(row["x"])) <= high
    # And not much wider than that: a rounding to a double each.
    assert float(low) == pytest.approx(float(min(results)), rel=1e-14, abs=1e-300)
    assert float(high) == pytest.approx(float(max(results)), rel=1e-14, abs=1e-300)


def confidence(*derive: Derived, question: Query | None = None) -> dict[str, float | None]:
    asked = question or query(count(), SUM, Statistic(name="m", agg="mean", column="age"), group_by=BY_SEX)
    planned = plan(replace(asked, derive=derive), TOWN)
    columns = presented(released(planned), asked_of(planned)).columns
    bounds = {one.about["of"]: one.about["confidence"] for one in columns if one.role == "bound"}
    return {one.name: bounds.get(one.name) for one in derive}


def test_bounds_of_several_intervals_hold_together_as_bonferroni_says() -> None:
    derive = (
        Derived(name="twice", left="n", op="*", right=Decimal(2)),
        Derived(name="ratio", left="s", op="/", right="n"),
        # Of the same two intervals as the ratio, and of a third.
        Derived(name="back", left="ratio", op="*", right="n"),
        Derived(name="three", left="back", op="+", right="m"),
        # A raw sum and a bound have no bounds of their own.
        Derived(name="raw", left="m_from_low", op="/", right="n"),
        Derived(name="end", left="n_low", op="-", right="n"),
        Derived(name="after", left="raw", op="+", right=Decimal(1)),
        Derived(name="share", share_of_total="n"),
    )
    assert confidence(*derive) == {
        "twice": 0.95,
        "ratio": 0.9,
        "back": 0.9,
        "three": 0.85,
        "raw": None,
        "end": None,
        "after": None,
        "share": None,
    }


def test_bounds_that_would_hold_less_than_every_other_time_are_left_out() -> None:
    statistics = [count(f"n{place}") for place in range(11)]
    derive = [Derived(name="d1", left="n0", op="+", right="n1")]
    for place in range(2, 11):
        derive.append(Derived(name=f"d{place}", left=f"d{place - 1}", op="+", right=f"n{place}"))
    found = confidence(*derive, question=query(*statistics, group_by=BY_SEX))
    assert found["d9"] == 0.5
    assert found["d10"] is None
    with pytest.raises(InvalidQuery):
        shown(query(*statistics, derive=tuple(derive), order_by=(Order(column="d10_low"),)))


def test_a_share_of_a_released_total_has_bounds() -> None:
    question = query(count(), group_by=BY_SEX, totals=True, derive=(Derived(name="x", share_of_total="n"),))
    assert confidence(*question.derive, question=question) == {"x": 0.9}
    rows = shown(question)
    total = next(row for row in rows if row["sex"] == "*")
    assert total["x"] == 1
    for row in rows:
        assert row["x"] == row["n"] / total["n"]
        assert row["x_low"] <= row["x"] <= row["x_high"]


def test_shares_of_a_workload_are_those_of_the_rows_own_table() -> None:
    question = query(
        count(),
        tables=(WorkloadTable(name="one", group_by=BY_SEX), WorkloadTable(name="all", group_by=())),
        derive=(Derived(name="x", share_of_total="n"),),
    )
    rows = shown(question)
    assert sum(row["x"] for row in rows if row["table"] == "one") == pytest.approx(1)
    assert [row["x"] for row in rows if row["table"] == "all"] == [1]


def test_what_cannot_be_divided_is_missing_and_comes_last_and_matches_nothing() -> None:
    derive = (Derived(name="x", left="n", op="/", right="z"), Derived(name="z_", left="x", op="+", right="n"))
    told = AnswerTable(
        columns=(
            AnswerColumn(name="k", role="key", values=["a", "b", "c", "d"], about={}),
            AnswerColumn(name="n", role="value", values=[1, 2, 3, 4], about={}),
            AnswerColumn(name="z", role="value", values=[0, 4, -1, 2], about={}),
        ),
        notes=(),
        postprocessing=(),
    )

    def keys(**members: Any) -> str:
        return "".join(row["k"] for row in rows_of(presented(told, Presentation(derive=derive, **members))))

    assert [row["x"] for row in rows_of(presented(told, Presentation(derive=derive)))] == [
        None,
        0.5,
        None,
        2.0,
    ]
    assert keys(order_by=(Order(column="z_"),)) == "bdac"
    assert keys(order_by=(Order(column="x", descending=True),)) == "dbac"
    above = Compare(column="x", op=">", values=(Decimal(1),))
    assert (keys(having=above), keys(having=Not(above))) == ("d", "b")
    assert keys(having=Compare(column="x", op="is_missing")) == "ac"


def test_products_of_products_end_in_missing_and_not_in_a_fault() -> None:
    derive = [Derived(name="d0", left="n", op="*", right=Decimal(10**39))]
    for place in range(1, 20):
        derive.append(Derived(name=f"d{place}", left=f"d{place - 1}", op="*", right=f"d{place - 1}"))
    (row,) = shown(query(count(), derive=tuple(derive)))
    assert isinstance(row["d0"], float)
    assert row["d19"] is row["d19_low"] is row["d19_high"] is None


def test_decimals_are_computed_as_they_are_shown() -> None:
    told = AnswerTable(
        columns=(*column("a", 0.1, 0.1, 0.1), *column("b", 0.2, 0.2, 0.2)), notes=(), postprocessing=()
    )
    (row,) = rows_of(presented(told, Presentation(derive=(Derived(name="x", left="a", op="+", right="b"),))))
    assert row["x"] == row["x_low"] == row["x_high"] == 0.3


def test_keys_are_ordered_as_they_were_declared() -> None:
    rows = shown(query(count(), group_by=BY_SEX, order_by=(Order(column="sex", descending=True),)))
    assert [row["sex"] for row in rows] == list(reversed(SEX.values))


def test_notes_say_of_noisy_selections_that_they_are_biased_and_of_all_what_was_charged() -> None:
    def notes(**members: Any) -> list[str]:
        return [
            note["code"] for note in asked_of(plan(query(count(), group_by=BY_SEX, **members), TOWN)).notes
        ]

    by_key, by_number = (
        Compare(column=name, op="=", values=(one,)) for name, one in (("sex", "f"), ("n", 3))
    )
    assert notes(having=by_key, order_by=(Order(column="n"),)) == ["rows_not_shown"]
    assert notes(having=by_number) == ["rows_not_shown", "selected_by_noise"]
    assert notes(limit=1) == ["rows_not_shown"]
    assert notes(limit=1, order_by=(Order(column="n"),)) == ["rows_not_shown", "selected_by_noise"]
    assert notes(order_by=(Order(column="n"),)) == []
    assert notes(derive=(Derived(name="x", share_of_total="n"),)) == ["derived_values"]


def test_too_many_derived_cells_are_refused_before_anything_is_read() -> None:
    derive = tuple(Derived(name=f"x{place}", share_of_total="n") for place in range(20))
    ages = (Key(column="age"), Key(column="income"))
    with pytest.raises(InvalidQuery) as refused:
        plan(query(count(), group_by=ages, derive=derive), FAMILIES)
    assert [problem.reason for problem in refused.value.problems] == ["too_many_derived_cells"]
