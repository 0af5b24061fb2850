"""Undeclared values: the threshold is the least that its proof allows, and only what reaches it is released."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from doubles import Silence, count, query, register
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.answer import release, released_codes, table
from privacy.budget import Price
from privacy.exact import ExactAggregate
from privacy.noise import Mechanism
from privacy.partition_selection import exposure, threshold
from privacy.plan import Plan, plan
from privacy.query import Compare, InvalidQuery, Key, Query, Statistic
from privacy.schema import Category, Number, Schema, UndeclaredColumn

MANY = settings(deadline=None, derandomize=True, max_examples=150)
EMPLOYER, SEX, HOURS = (
    UndeclaredColumn(name="employer"),
    Category(name="sex", values=("f", "m")),
    Number(name="hours", low=0, high=60),
)
PERSONS = Statistic(name="n", agg="count_persons")
SUM, MEDIAN = (Statistic(name="h", agg=agg, column="hours") for agg in ("sum", "median"))
BY_EMPLOYER = (Key(column="employer"),)

sigmas = st.floats(0.3, 1_000)
deltas = st.integers(6, 60).map(lambda power: Fraction(1, 2**power))
bounds = st.integers(1, 50)


def jobs(rows: int = 1, delta: Fraction = Fraction(1, 10**6)) -> Schema:
    """A register of where people work, with at most so many rows each."""
    made = register(EMPLOYER, SEX, HOURS, UndeclaredColumn(name="school"), rows=rows, measure="zcdp")
    return replace(made, delta_per_query=delta, delta_cap=1000 * delta)


def planned(asked: Query | None = None, rows: int = 1) -> Plan:
    return plan(asked or query(count(), group_by=BY_EMPLOYER), jobs(rows))


def tail(least: int, sigma: float) -> float:
    """P(Z ≥ least) of discrete Gaussian noise, added up term by term."""
    reach = math.ceil(40 * sigma)
    weights = {x: math.exp(-(x**2) / (2 * sigma**2)) for x in range(-reach, reach + 1)}
    return math.fsum(weight for x, weight in weights.items() if x >= least) / math.fsum(weights.values())


def any_released(at: int, sigma: float, counts: list[int]) -> float:
    """The exact probability that any of these values, each with its own noise, reaches `at`."""
    tails = [tail(at - each, sigma) for each in counts]
    return 1.0 if 1.0 in tails else -math.expm1(math.fsum(math.log1p(-one) for one in tails))


def partitions(total: int, most: int) -> Iterator[list[int]]:
    """Every way to share out up to `total` rows over values, none with more than `most`."""
    yield []
    for first in range(1, min(total, most) + 1):
        for rest in partitions(total - first, first):
            yield [first, *rest]


# The threshold


@MANY
@given(sigmas, bounds, deltas, st.booleans())
def test_the_threshold_is_the_least_whose_exposure_delta_allows(sigma, rows, delta, persons) -> None:
    least = threshold(sigma, rows, delta, persons=persons)
    assert exposure(least, sigma, rows, persons=persons) <= delta
    assert exposure(least - 1, sigma, rows, persons=persons) > delta


@MANY
@given(sigmas, bounds, deltas, st.booleans())
def test_the_threshold_grows_with_the_bound_the_noise_and_the_strictness(sigma, rows, delta, persons) -> None:
    least = threshold(sigma, rows, delta, persons=persons)
    assert threshold(sigma, rows + 1, delta, persons=persons) >= least
    assert threshold(sigma, rows, delta / 2, persons=persons) >= least
    assert threshold(sigma * 1.5, rows, delta, persons=persons) >= least
    assert threshold(sigma * 4, rows, delta, persons=persons) > least
    assert threshold(sigma, rows, delta, persons=False) >= threshold(sigma, rows, delta, persons=True)


@pytest.mark.long
@MANY
@given(st.sampled_from((0.5, 0.7, 1.0, 2.5, 9.0, 40.0)), st.integers(1, 6), st.integers(-2, 120))
def test_no_way_of_having_values_alone_is_told_more_often_than_the_exposure(sigma, rows, at) -> None:
    """Step 3 of the proof, over every way to share out a person's rows over values that nobody else has."""
    for counts in partitions(rows, rows):
        probability = any_released(at, sigma, counts)
        assert probability <= exposure(at, sigma, rows, persons=False) * (1 + 1e-9)
    probability = any_released(at, sigma, [1] * rows)
    assert probability <= exposure(at, sigma, rows, persons=True) * (1 + 1e-9)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 7.3])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_the_exposure_is_hardly_more_than_the_worst_person_needs(sigma, rows) -> None:
    for at in range(rows + 1, rows + math.ceil(6 * sigma) + 2):
        worst = max(any_released(at, sigma, counts) for counts in partitions(rows, rows))
        bound = exposure(at, sigma, rows, persons=False)
        assert worst <= bound * (1 + 1e-9)
        if bound < 0.01:
            assert bound < 1.5 * rows * worst


@pytest.mark.parametrize("sigma", [201.0, 777.7])
def test_wide_noise_is_bounded_by_a_continuous_tail_that_is_no_smaller(sigma) -> None:
    """Step 4."""
    for deviations in (1, 3, 5):
        least = round(sigma * deviations)
        bound = exposure(least + 1, sigma, 1, persons=True)
        assert tail(least, sigma) <= bound <= 1.1 * tail(least, sigma)


# The mechanism


def exact_of(asked: Plan, counts: list[int], kind: str = "values") -> dict:
    """An exact part: so many rows of the words whose codes are 1, 2, …"""
    codes = np.arange(1, len(counts) + 1, dtype=np.int64)
    return {
        ((), ExactAggregate(kind=kind, column=0)): np.stack([codes, np.array(counts, dtype=np.int64)])  # type: ignore[arg-type]
    }


def test_a_value_is_told_from_the_threshold_on_and_not_one_below() -> None:
    asked = planned()
    (part,) = asked.measurements
    least = part.estimator.threshold(part.draws[0].mechanism)
    released = release(asked, exact_of(asked, [least, least - 1, 5 * least, 0]), Silence())
    assert released[0].tolist() == [[1, 3], [least, 5 * least]]
    made = table(asked, released, ["b", "a"])
    assert [column.name for column in made.columns] == ["employer", "n", "n_low", "n_high"]
    assert [list(column.values) for column in made.columns[:2]] == [["a", "b"], [5 * least, least]]
    assert made.columns[0].about["threshold"] == least


def test_of_no_values_nothing_is_drawn_and_none_are_told() -> None:
    asked = planned()
    released = release(asked, exact_of(asked, []), Silence())
    assert released_codes(asked, released).tolist() == []
    assert json.loads(table(asked, released).as_json())["rows"] == []


@pytest.mark.parametrize(
    ("statistic", "rows", "kind", "squared"),
    [
        (count(), 1, "values", 1),
        (count(), 3, "values", 9),
        (PERSONS, 1, "values", 1),
        (PERSONS, 3, "value_persons", 3),
    ],
)
def test_sensitivity_is_that_of_the_worst_person(statistic, rows, kind, squared) -> None:
    """Rows may all have one value (k in L2); as a person each of k values moves by 1 (√k in L2)."""
    asked = planned(query(statistic, group_by=BY_EMPLOYER), rows)
    (part,) = asked.measurements
    assert asked.exact_requests == (((), ExactAggregate(kind=kind, column=0)),)
    assert part.draws[0].mechanism == Mechanism(
        kind="discrete_gaussian", measure="zcdp", sensitivity=squared, price=Price.parse("1")
    )
    assert asked.delta == Fraction(1, 10**6)


def test_a_narrower_bound_lowers_the_threshold() -> None:
    def least(**changes: object) -> int:
        (part,) = planned(query(count(), group_by=BY_EMPLOYER, **changes), rows=5).measurements
        return part.estimator.threshold(part.draws[0].mechanism)

    assert least(rows_per_person=1) < least(rows_per_person=3) < least()


def test_only_a_question_by_undeclared_values_costs_delta() -> None:
    assert planned(query(count(), group_by=(Key(column="sex"),))).delta == 0
    missing = Compare(column="employer", op="is_missing")
    assert planned(query(count(), where=missing)).delta == 0


def test_two_open_columns_are_two_questions() -> None:
    by_school = query(count(), group_by=(Key(column="school"),))
    assert planned(by_school).fingerprint != planned().fingerprint
    assert planned(by_school).fingerprint != planned(query(count())).fingerprint


@pytest.mark.parametrize(
    ("asked", "pointer", "reason"),
    [
        (query(where=Compare(column="employer", op="=", values=("x",))), "/where/column", "open_column"),
        (query(where=Compare(column="employer", op="in", values=("x",))), "/where/column", "open_column"),
        (query(group_by=(*BY_EMPLOYER, Key(column="sex"))), "/group_by/0/column", "open_key_alone"),
        (query(group_by=(*BY_EMPLOYER, Key(column="school"))), "/group_by/0/column", "open_key_alone"),
        (query(group_by=(Key(column="employer", bins=("a", "b")),)), "/group_by/0/column", "open_key_alone"),
        (query(group_by=(Key(column="employer", missing=True),)), "/group_by/0/column", "open_key_alone"),
        (query(group_by=BY_EMPLOYER, totals=True), "/totals", "open_key_alone"),
        (query(count("a"), count("b"), group_by=BY_EMPLOYER), "/select", "open_key_alone"),
        (query(SUM, group_by=BY_EMPLOYER), "/select/0/agg", "only_counts_open"),
        (query(MEDIAN, group_by=BY_EMPLOYER), "/select/0/agg", "only_counts_open"),
        (query(Statistic(name="e", agg="sum", column="employer")), "/select/0/column", "not_numeric"),
        (query(count("employer"), group_by=BY_EMPLOYER), "/select/0/as", "repeated_name"),
    ],
)
def test_what_undeclared_values_cannot_be_asked_is_refused_with_its_place(asked, pointer, reason) -> None:
    with pytest.raises(InvalidQuery) as refused:
        planned(asked)
    assert (pointer, reason) in [(problem.pointer, problem.reason) for problem in refused.value.problems]
