"""Plans: sensitivities against brute force, fingerprints, and the price of an accuracy."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import combinations_with_replacement

import pytest
from doubles import (
    FAMILIES,
    TOWN,
    Person,
    count,
    every_row,
    exact_vectors,
    queries,
    query,
    register,
    schemas,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.accuracy import half_width
from privacy.budget import Price
from privacy.noise import calibrate
from privacy.plan import PRICE_MIN, AboveQueryLimit, Plan, in_units, plan
from privacy.query import Accuracy, Compare, InvalidQuery, Key, NotReachable, Statistic
from privacy.schema import Category, Number, Schema

SMALL = settings(deadline=None, derandomize=True, max_examples=30)
TINY = (Category(name="k", values=("a", "b")), Number(name="n", low=-3, high=1))
WITHIN_5 = Accuracy(of="n", within=5, confidence=Decimal("0.95"))


def total(name: str = "s", **changes: object) -> Statistic:
    return Statistic(**{"name": name, "agg": "sum", "column": "n", **changes})  # type: ignore[arg-type]


def everybody(schema: Schema) -> Iterator[Person]:
    """Every person there can be: every choice of up to `rows_per_person` rows."""
    for rows in range(1, schema.rows_per_person + 1):
        yield from map(list, combinations_with_replacement(every_row(schema), rows))


def moved(planned: Plan, crowd: list[Person], person: Person) -> list[int]:
    """How far one person moves each measurement of a plan in L1."""
    without, having = exact_vectors(planned, crowd), exact_vectors(planned, [*crowd, person])
    return [
        sum(abs(a - b) for a, b in zip(left, right, strict=True))
        for left, right in zip(without, having, strict=True)
    ]


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize(
    "group_by", [(), (Key(column="k"),), (Key(column="k", missing=True), Key(column="n"))]
)
@pytest.mark.parametrize(
    "statistic",
    [
        count("s"),
        Statistic(name="s", agg="count_persons"),
        total(),
        total(clamp=(-1, 1)),
        total(clamp=(0, 1)),
        total(agg="mean"),
        total(agg="mean", clamp=(-1, 1)),
    ],
    ids=lambda statistic: f"{statistic.agg}{statistic.clamp or ''}",
)
def test_sensitivity_is_what_the_most_extreme_person_moves_and_no_more(statistic, group_by, rows) -> None:
    schema = register(*TINY, rows=rows)
    planned = plan(query(statistic, group_by=group_by), schema)
    most = max(moved(planned, [], person)[0] for person in everybody(schema))
    assert planned.measurements[0].sensitivity == most


@SMALL
@given(st.data())
def test_nobody_moves_a_measurement_further_than_its_sensitivity(data) -> None:
    schema = data.draw(schemas())
    planned = plan(data.draw(queries(schema)), schema)
    rows = st.sampled_from(every_row(schema))
    person = data.draw(st.lists(rows, min_size=1, max_size=schema.rows_per_person))
    for part, distance in zip(planned.measurements, moved(planned, [], person), strict=True):
        assert distance <= part.sensitivity


@SMALL
@given(st.data())
def test_prices_of_the_parts_add_up_to_the_price_of_the_question(data) -> None:
    schema = data.draw(schemas())
    planned = plan(data.draw(queries(schema)), schema)
    assert sum(part.price.nano for part in planned.measurements) == planned.price.nano


def test_weights_share_the_price() -> None:
    planned = plan(query(count("a"), count("b"), weights={"a": Fraction(3)}), TOWN)
    assert [str(part.price) for part in planned.measurements] == ["0.75", "0.25"]


def test_of_two_equal_statistics_the_dearer_price_stands() -> None:
    planned = plan(query(count("a"), count("b"), weights={"b": Fraction(3)}), TOWN)
    assert planned.prices == {"count": 750_000_000}


def test_persons_with_one_row_each_are_counted_as_rows() -> None:
    asked = query(Statistic(name="p", agg="count_persons"))
    assert plan(asked, TOWN).exacts == plan(query(), TOWN).exacts
    assert plan(asked, FAMILIES).exacts != plan(query(), FAMILIES).exacts


# Fingerprints


BASE = query(count("n"), total("s", column="age"), group_by=(Key(column="age", bins=(0, 20, 120)),))


@pytest.mark.parametrize(
    "same",
    [
        replace(BASE, budget=Price.parse("0.3")),
        replace(BASE, select=BASE.select[::-1]),
        replace(BASE, select=(count("other"), total("t", column="age"))),
        replace(BASE, select=(*BASE.select, count("again"))),
        replace(BASE, select=(BASE.select[0], total("s", column="age", clamp=(0, 120)))),
        replace(BASE, group_by=(Key(column="age", bins=(Decimal("0.0"), 20, 120)),)),
        replace(BASE, weights={"n": Fraction(7)}),
        replace(BASE, reuse="never"),
    ],
)
def test_equal_questions_have_one_fingerprint(same) -> None:
    assert plan(same, TOWN).fingerprint == plan(BASE, TOWN).fingerprint


@pytest.mark.parametrize(
    "other",
    [
        replace(BASE, select=BASE.select[:1]),
        replace(BASE, select=(BASE.select[0], total("s", column="age", agg="mean"))),
        replace(BASE, select=(BASE.select[0], total("s", column="income"))),
        replace(BASE, select=(BASE.select[0], total("s", column="age", clamp=(0, 119)))),
        replace(BASE, group_by=()),
        replace(BASE, group_by=(Key(column="age", bins=(0, 20, 119)),)),
        replace(BASE, group_by=(Key(column="age", bins=(0, 20, 120), missing=True),)),
        replace(BASE, where=Compare(column="age", op="<", values=(120,))),
    ],
)
def test_different_questions_have_different_fingerprints(other) -> None:
    assert plan(other, TOWN).fingerprint != plan(BASE, TOWN).fingerprint


# Prices and limits


@pytest.mark.parametrize("schema", [TOWN, FAMILIES], ids=["one row", "three rows"])
@pytest.mark.parametrize("within", [1, 5, 25, 1_000, Decimal("24.9")])
def test_the_price_of_an_accuracy_is_the_least_that_reaches_it(schema: Schema, within) -> None:
    planned = plan(query(budget=replace(WITHIN_5, within=within)), schema)
    part = planned.measurements[0]
    dearer, cheaper = part.scale, calibrate(part.sensitivity, Price(part.price.nano - 1))
    assert half_width(dearer) <= within < half_width(cheaper)


def test_the_price_of_an_accuracy_in_units_counts_the_step() -> None:
    half = plan(query(total("n", column="income"), budget=WITHIN_5), TOWN).measurements[0]
    assert half_width(half.scale) * half.step <= 5 < (half_width(half.scale) + 1) * half.step


def test_an_accuracy_of_one_statistic_prices_the_others_by_their_weights() -> None:
    alone = plan(query(budget=WITHIN_5), TOWN)
    both = plan(query(count("n"), count("m"), budget=WITHIN_5, weights={"m": Fraction(3)}), TOWN)
    assert both.measurements[0].price == alone.price
    assert both.price.nano == 4 * alone.price.nano


def test_a_question_above_the_limit_of_one_query_is_refused_with_both_amounts() -> None:
    with pytest.raises(AboveQueryLimit) as refused:
        plan(query(budget=Price.parse("10.000000001")), TOWN)
    assert (str(refused.value.price), str(refused.value.limit)) == ("10.000000001", "10")


def test_the_limit_of_one_query_itself_is_allowed() -> None:
    assert str(plan(query(budget=Price.parse("10")), TOWN).price) == "10"


def test_an_accuracy_beyond_the_limit_is_refused_with_the_best_that_can_be_had() -> None:
    tight = register(*TOWN.columns, limit="0.1")
    with pytest.raises(NotReachable) as refused:
        plan(query(budget=WITHIN_5), tight)
    best = int(refused.value.reachable)
    assert plan(query(budget=replace(WITHIN_5, within=best)), tight).price <= tight.price_per_query_max
    with pytest.raises(NotReachable):
        plan(query(budget=replace(WITHIN_5, within=best - 1)), tight)


def test_an_accuracy_whose_neighbours_must_cost_too_much_is_above_the_limit() -> None:
    wide = Accuracy(of="n", within=10**9, confidence=Decimal("0.95"))
    with pytest.raises(AboveQueryLimit):
        plan(query(count("n"), count("m"), budget=wide, weights={"n": Fraction(10**8)}), TOWN)


def test_a_share_below_the_least_price_is_refused() -> None:
    assert plan(query(budget=PRICE_MIN), TOWN).price == PRICE_MIN
    with pytest.raises(InvalidQuery) as refused:
        plan(query(count("n"), count("m"), budget=PRICE_MIN), TOWN)
    assert [(problem.pointer, problem.reason) for problem in refused.value.problems] == [
        ("/select/0", "share_too_small"),
        ("/select/1", "share_too_small"),
    ]


# Axes


def test_bins_cover_from_the_first_edge_to_the_last_which_is_inside() -> None:
    axis = plan(query(group_by=(Key(column="age", bins=(0, 20, 65, 120), missing=True),)), TOWN).axes[0]
    assert axis.buckets == ((0, 19), (20, 64), (65, 120), (-1, -1))
    assert axis.labels == ("[0,20)", "[20,65)", "[65,120]", None)


def test_an_edge_one_step_above_the_domain_closes_the_last_bin_at_the_domain() -> None:
    assert plan(query(group_by=(Key(column="age", bins=(100, 121)),)), TOWN).axes[0].buckets == ((100, 120),)


def test_a_key_without_bins_has_every_declared_value_in_order() -> None:
    assert plan(query(group_by=(Key(column="sex"),)), TOWN).axes[0].labels == ("f", "m", "x")
    assert plan(query(group_by=(Key(column="born"),)), TOWN).axes[0].labels[100] == "1970-01-01"


@pytest.mark.parametrize(
    ("steps", "step", "units"), [(3, "1000", 3000), (-5, "0.5", -2.5), (3, "0.1", 0.3), (2, "1", 2)]
)
def test_steps_are_told_in_units(steps: int, step: str, units: float) -> None:
    assert in_units(steps, Decimal(step)) == units
