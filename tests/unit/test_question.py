"""A query written back as the question that asks it: reading it gives an equal query, whatever it holds."""

from dataclasses import fields, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.http import wire
from api.queries.question import question_text
from api.queries.schemas import QuerySchema, WorkloadSchema, to_query
from privacy import query as q
from privacy.budget import Price

COUNT = q.Statistic(name="n", agg="count")
SEX = q.Compare(column="sex", op="=", values=("female",))
PLAIN = q.Query(select=(COUNT,), budget=Price(500_000_000), priced_in="epsilon")
ACCURATE = q.Accuracy(of="n", within=25, confidence=Decimal("0.95"))
TABLE = q.WorkloadTable(name="t", group_by=(q.Key(column="sex"),))
ANOTHER: list[tuple[Any, dict[str, Any]]] = [
    (
        PLAIN,
        {
            "select": (q.Statistic(name="m", agg="count"),),
            "budget": Price(1),
            "where": q.Not(q.All((SEX, q.Any((SEX,))))),
            "group_by": (q.Key(column="sex"),),
            "weights": {"n": Fraction(7, 2)},
            "weights_at": "/weights",
            "rows_per_person": 3,
            "totals": True,
            "whole": True,
            "tables": (TABLE,),
            "mechanism": "discrete_laplace",
            "priced_in": "rho",
            "reuse": "never",
            "derive": (
                q.Derived(name="half", left="n", op="/", right=Decimal(2)),
                q.Derived(name="share", share_of_total="n"),
            ),
            "having": q.Any((q.Compare(column="n", op=">=", values=(10,)), q.Not(SEX))),
            "order_by": (q.Order(column="n", descending=True), q.Order(column="sex")),
            "limit": 3,
        },
    ),
    (
        COUNT,
        {
            "name": "m",
            "agg": "sum",
            "column": "income",
            "clamp": (0, Decimal("0.10")),
            "per_person_clamp": ("2020-01-01", -3),
            "q": (Decimal("0.5"),),
            "value_bounds": False,
            "numerator": SEX,
            "denominator": q.Any(()),
            "where": q.Any(()),
            "clamps": (("f", (0, 10)), ("*", (Decimal("0.5"), 3))),
            "unit": "household",
        },
    ),
    (
        q.Key(column="age"),
        {
            "column": "sex",
            "bins": (0, Decimal("0.5"), 10**18),
            "by": "year",
            "groups": (q.Group("a", ("x", q.Span(1, 3))), q.Group("い", (Decimal("0.5"),))),
            "missing": True,
        },
    ),
    (
        ACCURATE,
        {
            "of": "m",
            "within": Decimal("0.000001"),
            "confidence": Decimal("0.999"),
            "every_cell": True,
            "rows": 1000,
            "relative": Decimal("0.05"),
        },
    ),
    (TABLE, {"name": "u", "group_by": ()}),
    (SEX, {"column": "age", "op": "!=", "values": ("male",)}),
]
"""Of each part of a question another value for each of its members."""

NOT_TOLD = {"mode"}
"""An answer says itself whether it was run or rehearsed."""


def read(text: str) -> q.Query:
    body = wire.parse(text.encode())
    return to_query((WorkloadSchema if "tables" in body else QuerySchema)().load(body))


def holding(part: Any) -> q.Query:
    """A question that holds a part."""
    match part:
        case q.Query():
            return part
        case q.Statistic():
            return replace(PLAIN, select=(part,))
        case q.Key():
            return replace(PLAIN, group_by=(part,))
        case q.Accuracy():
            return replace(PLAIN, budget=part, priced_in="accuracy")
        case q.WorkloadTable():
            return replace(PLAIN, tables=(part,))
    return replace(PLAIN, where=part)


def test_every_member_of_a_question_has_another_value_here() -> None:
    """A member that is added to the language must be written, too."""
    for part, others in ANOTHER:
        assert {member.name for member in fields(part)} == others.keys() | (
            NOT_TOLD if part == PLAIN else set()
        )


@pytest.mark.parametrize(
    ("part", "member", "value"),
    [(part, member, value) for part, others in ANOTHER for member, value in others.items()],
)
def test_every_member_is_written_and_read_back(part: Any, member: str, value: Any) -> None:
    asked = holding(replace(part, **{member: value}))
    if member == "weights_at":
        asked = replace(asked, weights={"n": Fraction(1, 8)})
    assert read(question_text(asked)) == asked
    assert question_text(asked) != question_text(holding(part))


def test_a_question_is_told_as_it_is_asked() -> None:
    assert question_text(PLAIN) == '{"select": [{"as": "n", "agg": "count"}], "budget": {"epsilon": "0.5"}}'
    assert question_text(replace(PLAIN, mode="dummy")) == question_text(PLAIN)
    half = replace(PLAIN, where=q.Compare(column="score", op=">", values=(Decimal("2.50"),)))
    assert '"value": 2.50}' in question_text(half)


SCALARS = st.one_of(
    st.text("ab'=あ\"\\", max_size=4),
    st.integers(-(10**15), 10**15),
    st.decimals(-1000, 1000, places=3, allow_nan=False),
)
SEVERAL = st.lists(SCALARS, min_size=1, max_size=3).map(tuple)
NAMES = st.text("abあ", min_size=1, max_size=4)
COMPARISONS = st.one_of(
    st.builds(
        q.Compare, column=NAMES, op=st.sampled_from(["=", "<", ">="]), values=SCALARS.map(lambda v: (v,))
    ),
    st.builds(q.Compare, column=NAMES, op=st.just("in"), values=SEVERAL),
    st.builds(q.Compare, column=NAMES, op=st.just("between"), values=st.tuples(SCALARS, SCALARS)),
    st.builds(q.Compare, column=NAMES, op=st.just("is_missing")),
)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        inner.map(q.Not),
        st.lists(inner, max_size=2).map(tuple).map(q.All),
        st.lists(inner, max_size=2).map(tuple).map(q.Any),
    ),
    max_leaves=4,
)
PAIRS = st.none() | st.tuples(SCALARS, SCALARS)
STATISTICS = st.builds(
    q.Statistic,
    name=NAMES,
    agg=st.sampled_from(q.AGGREGATES),
    column=st.none() | NAMES,
    clamp=PAIRS,
    per_person_clamp=PAIRS,
    q=st.none() | SEVERAL,
    value_bounds=st.none() | st.booleans(),
    numerator=st.none() | CONDITIONS,
    denominator=st.none() | CONDITIONS,
)
KEYS = st.lists(
    st.builds(
        q.Key,
        column=NAMES,
        bins=st.none() | st.lists(SCALARS, min_size=2, max_size=3).map(tuple),
        by=st.none() | st.sampled_from(q.CALENDAR),
        missing=st.booleans(),
    ),
    max_size=2,
).map(tuple)
DECIMALS = st.decimals("0.001", 1000, places=3, allow_nan=False)
ACCURACIES = st.builds(
    q.Accuracy,
    of=NAMES,
    within=DECIMALS,
    confidence=DECIMALS,
    every_cell=st.booleans(),
    rows=st.none() | st.integers(0, 10**6),
    relative=st.none() | DECIMALS,
)
BUDGETS = st.one_of(
    st.tuples(st.integers(1, 10**15).map(Price), st.sampled_from(["epsilon", "rho"])),
    st.tuples(ACCURACIES, st.just("accuracy")),
)


@st.composite
def questions(draw: st.DrawFn) -> q.Query:
    budget, priced_in = draw(BUDGETS)
    tables = st.lists(st.builds(q.WorkloadTable, name=NAMES, group_by=KEYS), min_size=1, max_size=2)
    several = draw(st.booleans())
    return q.Query(
        select=tuple(draw(st.lists(STATISTICS, min_size=1, max_size=2))),
        budget=budget,
        priced_in=priced_in,
        where=draw(st.none() | CONDITIONS),
        group_by=() if several else draw(KEYS),
        tables=tuple(draw(tables)) if several else (),
        totals=False if several else draw(st.booleans()),
        weights=(weights := draw(st.dictionaries(NAMES, DECIMALS.map(Fraction), max_size=2))),
        weights_at=draw(st.sampled_from(["/weights", "/budget/weights"])) if weights else "/budget/weights",
        rows_per_person=draw(st.none() | st.integers(-5, 100)),
        whole=draw(st.booleans()),
        mechanism=draw(st.none() | st.sampled_from(q.MECHANISMS)),
        reuse=draw(st.sampled_from(["prefer", "never"])),
    )


@settings(derandomize=True, max_examples=150, deadline=None)
@given(asked=questions())
def test_whatever_is_asked_is_read_back_equal(asked: q.Query) -> None:
    assert read(question_text(asked)) == asked
