"""The price of an accuracy: the least that reaches it, and what can be had where it is not reachable."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from doubles import AGE, BORN, FAMILIES, INCOME, SEX, TOWN, count, query, register
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.budget import Price, split
from privacy.measurement import Terms
from privacy.plan import Plan, plan
from privacy.pricing import PRICE_MIN, count_within, error_at
from privacy.query import Accuracy, Compare, InvalidQuery, Key, NotReachable, Statistic, WorkloadTable
from privacy.schema import Schema

SMALL = settings(deadline=None, derandomize=True, max_examples=15)
WITHIN_5 = Accuracy(of="n", within=5, confidence=Decimal("0.95"))
ZCDP = register(SEX, AGE, INCOME, BORN, rows=3, measure="zcdp", limit="10")
YOUNG = Compare(column="age", op="<", values=(20,))
WOMEN = Compare(column="sex", op="=", values=("f",))
BY_SEX = (Key(column="sex"),)
AGES = (Key(column="age", bins=(0, 20, 65, 120)),)


def statistic(agg: str, **changes: object) -> Statistic:
    column = "age" if agg in ("sum", "mean", "variance", "stddev", "median", "quantile") else None
    return Statistic(**{"name": "n", "agg": agg, "column": column, **changes})  # type: ignore[arg-type]


# Every aggregate, with an error that costs something between the least and the most
EVERY = [
    (statistic("count"), 7),
    (statistic("count_persons"), 7),
    (statistic("sum"), 2_000),
    (statistic("sum", per_person_clamp=(0, 200)), 1_000),
    (statistic("mean"), Decimal("2.5")),
    (statistic("variance"), 90),
    (statistic("stddev"), 20),
    (statistic("median"), Decimal("0.05")),
    (statistic("median", value_bounds=True), Decimal("0.08")),
    (statistic("quantile", q=(Decimal("0.1"), Decimal("0.5"), Decimal("0.9"))), Decimal("0.09")),
    (statistic("ratio", numerator=YOUNG), Decimal("0.05")),
    (statistic("ratio", numerator=YOUNG, denominator=WOMEN), Decimal("0.07")),
    (statistic("share_kept"), Decimal("0.03")),
]


def terms(planned: Plan) -> Terms:
    return Terms(schema=planned.schema, layout=planned.layout, mechanism=planned.query.mechanism)


def error(planned: Plan, nano: int, place: int = 0) -> Fraction:
    """The error of a statistic at a price of its own, with the accuracy as it was asked."""
    asked = planned.query.budget
    assert isinstance(asked, Accuracy)
    return error_at(asked, planned.measurements[place].estimator, terms(planned), Price(nano))


def assert_least(planned: Plan) -> None:
    """At its price the accuracy is reached, a billionth below it is not."""
    within = Fraction(planned.query.budget.within)  # type: ignore[union-attr, arg-type]
    nano = planned.measurements[0].price.nano
    assert error(planned, nano) <= within < error(planned, nano - 1)


@pytest.mark.parametrize("schema", [FAMILIES, ZCDP], ids=["pure", "zcdp"])
@pytest.mark.parametrize(
    ("group_by", "every_cell"), [((), False), (BY_SEX, False), (BY_SEX, True)], ids=["alone", "cell", "cells"]
)
@pytest.mark.parametrize(("asked", "within"), EVERY, ids=lambda value: str(getattr(value, "agg", "")))
def test_the_price_of_an_accuracy_is_the_least_that_reaches_it(
    schema: Schema, group_by, every_cell: bool, asked: Statistic, within
) -> None:
    accuracy = Accuracy(of="n", within=within, confidence=Decimal("0.95"), every_cell=every_cell, rows=1_000)
    bound = 2 if asked.agg == "share_kept" else None
    assert_least(plan(query(asked, budget=accuracy, group_by=group_by, rows_per_person=bound), schema))


@pytest.mark.parametrize(
    ("agg", "kind", "schema", "every_cell"),
    [
        ("count", "totals", FAMILIES, True),
        ("count", "totals", ZCDP, False),
        ("sum", "tables", FAMILIES, False),
        ("mean", "totals", FAMILIES, False),
        ("variance", "tables", ZCDP, True),
        ("ratio", "tables", FAMILIES, True),
    ],
)
def test_the_price_of_an_accuracy_in_several_tables_is_the_least_as_well(
    agg: str, kind: str, schema: Schema, every_cell: bool
) -> None:
    asked = statistic(agg, numerator=YOUNG if agg == "ratio" else None)
    within = {"count": 30, "sum": 5_000, "mean": 3, "variance": 200, "ratio": Decimal("0.1")}[agg]
    accuracy = Accuracy(of="n", within=within, confidence=Decimal("0.9"), every_cell=every_cell, rows=1_000)
    tables = (WorkloadTable(name="a", group_by=BY_SEX), WorkloadTable(name="b", group_by=AGES))
    wanted = {"totals": True, "group_by": (*BY_SEX, *AGES)} if kind == "totals" else {"tables": tables}
    assert_least(plan(query(asked, budget=accuracy, **wanted), schema))


@pytest.mark.parametrize("schema", [TOWN, FAMILIES], ids=["one row", "three rows"])
@pytest.mark.parametrize("within", [1, 5, 25, 1_000, Decimal("24.9")])
def test_the_price_of_a_count_within_so_many_is_the_least(schema: Schema, within) -> None:
    planned = plan(query(budget=replace(WITHIN_5, within=within)), schema)
    assert_least(planned)
    distribution = planned.measurements[0].distributions[0]
    assert distribution.half_width(0.95) <= within


def test_the_price_of_an_accuracy_in_units_counts_the_step() -> None:
    planned = plan(query(statistic("sum", column="income"), budget=WITHIN_5), TOWN)
    width = planned.measurements[0].distributions[0].half_width(0.95)
    assert width * INCOME.step <= 5 < (width + 1) * INCOME.step


def test_every_cell_at_once_is_dearer_than_each_by_itself_and_of_one_cell_the_same() -> None:
    def price(group_by: tuple[Key, ...], *, every_cell: bool) -> int:
        asked = replace(WITHIN_5, every_cell=every_cell)
        return plan(query(budget=asked, group_by=group_by), TOWN).price.nano

    assert price((), every_cell=True) == price((), every_cell=False) == price(BY_SEX, every_cell=False)
    assert price(BY_SEX, every_cell=True) > price(BY_SEX, every_cell=False)
    assert price((*BY_SEX, *AGES), every_cell=True) > price(BY_SEX, every_cell=True)


@pytest.mark.parametrize("cells", [2, 3, 100])
def test_every_cell_holds_with_the_confidence_asked_for_all_of_them(cells: int) -> None:
    """Cells have independent noise: each must hold with the root of the confidence."""
    bins = (Key(column="age", bins=tuple(range(cells + 1))),)
    planned = plan(query(budget=replace(WITHIN_5, every_cell=True), group_by=bins), TOWN)
    distribution = planned.measurements[0].distributions[0]
    assert distribution.half_width(0.95 ** (1 / cells)) == 5
    assert error(planned, planned.price.nano) == 5
    assert distribution.half_width(0.95) < 5


def test_a_relative_error_lowers_no_price() -> None:
    """Any cell may be small, and then the absolute error counts."""
    prices = {
        plan(query(budget=replace(WITHIN_5, every_cell=True, relative=share)), TOWN).price
        for share in (None, Decimal("0.05"), Decimal("0.9"))
    }
    assert len(prices) == 1


def test_more_rows_make_a_mean_cheaper() -> None:
    prices = [
        plan(query(statistic("mean"), budget=replace(WITHIN_5, rows=rows)), TOWN).price.nano
        for rows in (100, 1_000, 10_000)
    ]
    assert prices == sorted(prices, reverse=True)
    assert len(set(prices)) == 3


# Several statistics


def test_an_accuracy_of_one_statistic_prices_the_others_by_their_weights() -> None:
    alone = plan(query(budget=WITHIN_5), TOWN)
    both = plan(query(count("n"), count("m"), budget=WITHIN_5, weights={"m": Fraction(3)}), TOWN)
    assert both.measurements[0].price == alone.price
    assert both.price.nano == 4 * (alone.price.nano - 1) + 1  # the odd billionth goes to the first


@SMALL
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 3), st.integers(20, 60))
def test_a_billionth_less_than_the_whole_price_leaves_the_statistic_too_little(
    weights: list[int], place: int, within: int
) -> None:
    names = [f"s{number}" for number in range(len(weights))]
    place %= len(weights)
    named = {name: Fraction(weight) for name, weight in zip(names, weights, strict=True)}
    accuracy = replace(WITHIN_5, of=names[place], within=within)
    asked = query(*(count(name) for name in names), weights=named, budget=accuracy)
    planned = plan(asked, register(AGE, limit="1000"))
    assert error(planned, planned.measurements[place].price.nano, place) <= within
    share = split(Price(planned.price.nano - 1), list(named.values()))[place]
    assert error(planned, share.nano, place) > within


@pytest.mark.parametrize("agg", ["count", "mean", "median", "quantile", "variance", "ratio", "count_persons"])
@pytest.mark.parametrize("value_bounds", [False, True])
def test_an_accuracy_that_anything_reaches_costs_the_least_price_of_every_draw(
    agg: str, value_bounds: bool
) -> None:
    many = (Decimal("0.1"), Decimal("0.2"), Decimal("0.7")) if agg == "quantile" else None
    ordered = agg in ("median", "quantile")
    numerator = YOUNG if agg == "ratio" else None
    asked = statistic(agg, q=many, value_bounds=value_bounds if ordered else None, numerator=numerator)
    accuracy = replace(WITHIN_5, within=10**14, rows=1)
    planned = plan(query(asked, budget=accuracy), FAMILIES)
    assert min(draw.mechanism.price for draw in planned.measurements[0].draws) == PRICE_MIN
    with pytest.raises(InvalidQuery) as refused:
        plan(query(asked, budget=Price(planned.price.nano - 1)), FAMILIES)
    assert refused.value.problems[0].reason == "share_too_small"


@pytest.mark.parametrize("of", ["m", "n"])
def test_weights_so_far_apart_that_no_price_buys_a_draw_are_refused_as_a_share_too_small(of: str) -> None:
    far = {"m": Fraction(10**9), "n": Fraction(1, 10**12)}
    with pytest.raises(InvalidQuery) as refused:
        plan(query(count("n"), count("m"), budget=replace(WITHIN_5, of=of), weights=far), TOWN)
    assert [(one.pointer, one.reason) for one in refused.value.problems] == [("/select/0", "share_too_small")]


# Not reachable


@pytest.mark.parametrize("schema", [FAMILIES, ZCDP], ids=["pure", "zcdp"])
@pytest.mark.parametrize("every_cell", [False, True])
@pytest.mark.parametrize(("asked", "within"), EVERY, ids=lambda value: str(getattr(value, "agg", "")))
def test_what_is_called_reachable_is_and_the_next_smaller_unit_is_not(
    schema: Schema, every_cell: bool, asked: Statistic, within
) -> None:
    tight = replace(schema, price_per_query_max=Price.parse("0.0005"))
    rows = 100_000 if schema.measure == "pure" else 1_000
    accuracy = Accuracy(of="n", within=within, confidence=Decimal("0.95"), every_cell=every_cell, rows=rows)
    bound = 2 if asked.agg == "share_kept" else None
    wanted = query(asked, budget=accuracy, group_by=BY_SEX, rows_per_person=bound)
    with pytest.raises(NotReachable) as refused:
        plan(wanted, tight)
    best = Decimal(refused.value.reachable)
    unit = (
        Decimal(1)
        if asked.agg in ("count", "count_persons", "sum")
        else Decimal(1).scaleb(best.as_tuple().exponent)
    )  # type: ignore[arg-type]
    reached = plan(replace(wanted, budget=replace(accuracy, within=best)), tight)
    assert reached.price <= tight.price_per_query_max
    with pytest.raises(NotReachable):
        plan(replace(wanted, budget=replace(accuracy, within=best - unit)), tight)


def test_an_accuracy_beyond_the_limit_is_refused_with_the_best_that_can_be_had() -> None:
    tight = register(*TOWN.columns, limit="0.1")
    with pytest.raises(NotReachable) as refused:
        plan(query(budget=WITHIN_5), tight)
    best = int(refused.value.reachable)
    assert plan(query(budget=replace(WITHIN_5, within=best)), tight).price <= tight.price_per_query_max
    with pytest.raises(NotReachable):
        plan(query(budget=replace(WITHIN_5, within=best - 1)), tight)


def test_what_is_reachable_in_units_is_told_in_them() -> None:
    tight = register(*TOWN.columns, limit="0.1")
    with pytest.raises(NotReachable) as refused:
        plan(query(statistic("sum", column="income"), budget=WITHIN_5), tight)
    best = Decimal(refused.value.reachable)
    assert best % INCOME.step == 0
    plan(query(statistic("sum", column="income"), budget=replace(WITHIN_5, within=best)), tight)


def test_an_accuracy_whose_neighbours_get_too_small_a_share_at_the_limit_is_refused_for_that() -> None:
    wide = Accuracy(of="n", within=10**9, confidence=Decimal("0.95"))
    with pytest.raises(InvalidQuery) as refused:
        plan(query(count("n"), count("m"), budget=wide, weights={"n": Fraction(10**8)}), TOWN)
    assert [(one.pointer, one.reason) for one in refused.value.problems] == [("/select/1", "share_too_small")]


# One count, for the descriptor


@pytest.mark.parametrize("schema", [TOWN, FAMILIES, ZCDP], ids=["one row", "three rows", "zcdp"])
@pytest.mark.parametrize("within", [1, 10, 100])
def test_the_price_of_one_count_is_that_of_the_question(schema: Schema, within: int) -> None:
    asked = query(budget=replace(WITHIN_5, within=within))
    assert count_within(schema, within) == plan(asked, schema).price


def test_a_count_that_no_query_may_pay_for_has_no_price() -> None:
    assert count_within(register(AGE, limit="0.1"), 1) is None
