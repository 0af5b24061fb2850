"""What additive aggregates measure, how far a person can move it, and what noise makes of it."""

import math
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from statistics import fmean, pvariance

import numpy as np
import pytest
from doubles import FAMILIES, TOWN, Silence, count, exact_by_hand, query, register
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.aggregates import Mean, Plain, Ratio, Share, Variance
from privacy.answer import release, table
from privacy.distributions import NoiseDistribution
from privacy.exact import ExactAggregate
from privacy.plan import plan
from privacy.query import Compare, Statistic
from privacy.schema import Number
from privacy.statistics import largest_reach

SMALL = settings(deadline=None, derandomize=True, max_examples=40)
TINY_NOISE = NoiseDistribution("laplace", 1e-3)
ONE_ROW = {"key": "", "rows": 1}
ROWS = ExactAggregate(kind="rows")


def mean_of(low: int, high: int, rows: int = 1) -> Mean:
    return Mean(key="", column=0, rows=rows, low=low, high=high, unit=None, step=Decimal(1))


def variance_of(low: int, high: int, *, rows: int = 1, grid: int = 1, root: bool = False) -> Variance:
    return Variance(
        key="", column=0, rows=rows, low=low, high=high, grid=grid, root=root, unit=None, step=Decimal(1)
    )


def vector_of(estimator: Mean | Variance, codes: list[int]) -> list[int]:
    """The vector of one cell, its exact integers by their definitions."""

    def get(exact: ExactAggregate) -> np.ndarray:
        clamped = [min(max(code, estimator.low), estimator.high) for code in codes]
        grid = exact.grid
        shown = [(code - exact.low + grid // 2) // grid for code in clamped] if grid else clamped
        found = {"present": len(codes), "total": sum(shown), "square": sum(one**2 for one in shown)}
        return np.array([found[exact.kind]])

    return [int(number) for number in estimator.vector(get)[:, 0]]


# How far one row moves the vector


@pytest.mark.parametrize("bounds", [(-3, 4), (0, 1), (5, 900), (-7, -2)])
def test_every_row_moves_a_mean_by_exactly_its_span_in_l1_and_the_ends_as_far_in_l2(bounds) -> None:
    estimator = mean_of(*bounds)
    span = bounds[1] - bounds[0]
    vectors = [vector_of(estimator, [code]) for code in range(bounds[0] - 1, bounds[1] + 2)]
    assert {sum(map(abs, vector)) for vector in vectors} == {span} == {estimator.l1(1)}
    assert max(sum(one**2 for one in vector) for vector in vectors) == span**2 == estimator.squared(1)


@pytest.mark.parametrize("bounds", [(-3, 4), (0, 1), (5, 105), (-7, -2)])
@pytest.mark.parametrize("grid", [1, 2, 4, 16])
def test_every_row_moves_a_variance_by_exactly_the_squared_range(bounds, grid: int) -> None:
    """With a grid too: the three sums are whole, none negative, and add up to the same for every value."""
    estimator = variance_of(*bounds, grid=grid)
    vectors = [vector_of(estimator, [code]) for code in range(bounds[0] - 1, bounds[1] + 2)]
    assert {sum(vector) for vector in vectors} == {estimator.top**2} == {estimator.l1(1)}
    assert min(min(vector) for vector in vectors) >= 0
    assert (
        max(sum(one**2 for one in vector) for vector in vectors) == estimator.top**4 == estimator.squared(1)
    )


@pytest.mark.parametrize("rows", [1, 2, 10, 1_000])
@pytest.mark.parametrize("span", [10, 1_000, 30_000, 40_000, 10**6, 10**9, 2**40])
def test_the_grid_of_a_variance_is_the_finest_whose_squares_still_fit(rows: int, span: int) -> None:
    wide = register(Number(name="n", low=-5, high=span - 5), rows=rows)
    estimator = plan(query(Statistic(name="v", agg="variance", column="n")), wide).measurements[0].estimator
    assert isinstance(estimator, Variance)
    assert estimator.top**2 <= largest_reach(rows)
    finer = estimator.grid // 2
    assert estimator.grid == 1 or ((span + finer // 2) // finer) ** 2 > largest_reach(rows)
    assert abs(estimator.top * estimator.grid - span) <= estimator.grid / 2


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
@pytest.mark.parametrize("cells", [1, 2, 3, 100])
def test_a_person_moves_the_count_of_persons_in_as_many_cells_as_the_person_has_rows(rows, cells) -> None:
    estimator = Plain(key="", exact=ExactAggregate(kind="persons"), rows=rows)
    assert (estimator.l1(cells), estimator.squared(cells)) == (min(rows, cells), min(rows, cells))


@pytest.mark.parametrize("estimator", [
    Plain(key="", exact=ROWS, rows=4),
    Share(key="", rows=4, some=ROWS, all=ROWS),
    Ratio(key="", rows=4, numerator=ROWS, both=ROWS, denominator=ROWS),
    mean_of(0, 1, rows=4),
], ids=lambda estimator: type(estimator).__name__)  # fmt: skip
def test_all_rows_of_a_person_may_stand_in_one_cell_so_l2_gains_nothing_from_many(estimator) -> None:
    assert {estimator.l1(cells) for cells in (1, 2, 100)} == {4}
    assert {estimator.squared(cells) for cells in (1, 2, 100)} == {16}


@pytest.mark.parametrize(
    ("clamp", "rows", "cells", "l1", "squared"),
    [
        ((-10, 10), 3, 1, 10, 100),  # one cell: the clamp alone
        ((-10, 10), 3, 100, 30, 300),  # three cells at the clamp
        ((0, 10), 1_000, 100, 1_000, 10_000),  # every cell at the clamp
        ((-100, 100), 3, 100, 60, 3_600),  # a clamp that never binds: rows of 20 each
        ((-100, 100), 3, 1, 60, 3_600),
        ((5, 10), 3, 100, 30, 300),  # zero outside: each cell touched jumps to the clamp
        ((5, 10), 3, 2, 20, 200),
        ((-10, -5), 3, 1, 10, 100),
    ],
)
def test_a_sum_clamped_per_person_is_bounded_by_the_clamp_and_by_the_rows(
    clamp: tuple[int, int], rows: int, cells: int, l1: int, squared: int
) -> None:
    exact = ExactAggregate(kind="person_total", person_low=clamp[0], person_high=clamp[1])
    estimator = Plain(key="", exact=exact, rows=rows, reach=20)
    assert (estimator.l1(cells), estimator.squared(cells)) == (l1, squared)


# Results without noise


def rendered(people: list[list[tuple[int, ...]]], statistic: Statistic, schema=TOWN) -> dict[str, object]:
    planned = plan(query(statistic), schema)
    made = table(planned, release(planned, exact_by_hand(planned, people), Silence()))
    return {column.name: column.values[0] for column in made.columns}


PEOPLE = st.lists(
    st.tuples(st.integers(-1, 2), st.integers(-1, 120), st.integers(-6, 20), st.integers(-101, 200)).map(
        lambda row: [row]
    ),
    min_size=40,
    max_size=80,
)


@SMALL
@given(PEOPLE)
def test_without_noise_means_and_variances_are_those_of_the_clamped_values(people) -> None:
    ages = [min(max(row[1], 10), 90) for (row,) in people if row[1] >= 0]
    mean = rendered(people, Statistic(name="m", agg="mean", column="age", clamp=(10, 90)))
    assert mean["m"] == pytest.approx(fmean(ages), abs=1e-4)
    variance = rendered(people, Statistic(name="v", agg="variance", column="age", clamp=(10, 90)))
    assert variance["v"] == pytest.approx(pvariance(ages), abs=1e-3)
    deviation = rendered(people, Statistic(name="d", agg="stddev", column="age", clamp=(10, 90)))
    assert deviation["d"] == pytest.approx(math.sqrt(pvariance(ages)), abs=1e-3)


@SMALL
@given(PEOPLE)
def test_without_noise_a_ratio_is_that_of_the_two_counts(people) -> None:
    young = Compare(column="age", op="<", values=(60,))
    women = Compare(column="sex", op="=", values=("f",))
    rows = [row for (row,) in people]
    above = sum(0 <= row[1] < 60 for row in rows)
    below = sum(row[0] == 0 for row in rows)
    both = rendered(people, Statistic(name="r", agg="ratio", numerator=young, denominator=women))
    share = rendered(people, Statistic(name="r", agg="ratio", numerator=young))
    assert share["r"] == pytest.approx(above / len(rows), abs=1e-6)
    assert (share["r_matching"], share["r_others"]) == (above, len(rows) - above)
    assert both["r_numerator_only"] + both["r_both"] == above
    assert both["r_denominator_only"] + both["r_both"] == below
    if below and above + below > 10:
        assert both["r"] == pytest.approx(above / below, rel=1e-5)


def test_a_narrower_bound_keeps_the_first_rows_of_each_person() -> None:
    people = [[(0, age, 0, 0) for age in range(size)] for size in (1, 2, 3, 3)]
    asked = query(count(), Statistic(name="kept", agg="share_kept"), rows_per_person=2)
    planned = plan(asked, FAMILIES)
    made = table(planned, release(planned, exact_by_hand(planned, people), Silence()))
    values = {column.name: column.values[0] for column in made.columns}
    assert (values["n"], values["kept_kept"], values["kept_left_out"]) == (7, 7, 2)


@pytest.mark.parametrize(("agg", "unit"), [("variance", "JPY²"), ("stddev", "JPY"), ("mean", "JPY")])
def test_a_variance_is_told_in_the_square_of_the_columns_unit(agg: str, unit: str) -> None:
    planned = plan(query(Statistic(name="s", agg=agg, column="income")), TOWN)
    made = table(planned, release(planned, exact_by_hand(planned, []), Silence()))
    assert {column.about["unit"] for column in made.columns} == {unit}


# Estimates and their bounds


@pytest.mark.parametrize("root", [False, True])
def test_bounds_of_a_variance_enclose_it_and_round_outwards(root: bool) -> None:
    estimator = variance_of(0, 100, root=root)
    exact = np.array(vector_of(estimator, [0, 20, 50, 90] * 300))[:, None]
    estimate = estimator.estimate(exact, NoiseDistribution("laplace", 1e4), 0.95)
    assert estimate.low[0] < estimate.values[0] < estimate.high[0]
    assert estimate.fine == Decimal("0.0001")


def test_a_ratio_without_rows_below_has_no_upper_bound() -> None:
    estimator = Ratio(key="", rows=1, numerator=ROWS, both=ROWS, denominator=ROWS)
    estimate = estimator.estimate(np.array([[500], [0], [0]]), NoiseDistribution("laplace", 2.0), 0.95)
    assert estimate.high == [None]
    assert estimate.low[0] > 10**6  # more than one to one


def test_a_ratio_may_be_any_size() -> None:
    estimator = Ratio(key="", rows=1, numerator=ROWS, both=ROWS, denominator=ROWS)
    estimate = estimator.estimate(
        np.array([[300_000], [0], [1_000]]), NoiseDistribution("laplace", 0.01), 0.95
    )
    assert Fraction(estimate.values[0], 10**6) == pytest.approx(300, rel=1e-4)


def test_nothing_is_known_of_a_ratio_of_few_rows_under_much_noise() -> None:
    share = Share(key="", rows=1, some=ROWS, all=ROWS)
    estimate = share.estimate(np.array([[3], [-5]]), NoiseDistribution("laplace", 50.0), 0.95)
    assert (estimate.low, estimate.high) == ([0], [10**6])


# What to expect


ESTIMATORS = [
    mean_of(0, 100),
    variance_of(0, 100),
    variance_of(0, 100, root=True),
    Share(key="", rows=1, some=ROWS, all=ROWS),
    Ratio(key="", rows=1, numerator=ROWS, both=ROWS, denominator=ROWS),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_the_error_to_expect_falls_with_the_rows_of_a_cell(estimator) -> None:
    distribution = NoiseDistribution("laplace", estimator.l1(1) / 0.5)
    widths = [estimator.half_width(distribution, 0.95, rows) for rows in (100, 1_000, 10_000, 100_000)]
    assert all(more > less for more, less in pairwise(widths))
    assert estimator.depends_on_rows


@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
@pytest.mark.parametrize("rows", [2_000, 50_000])
@pytest.mark.parametrize(
    "estimator", ESTIMATORS[:1] + ESTIMATORS[3:4], ids=lambda estimator: type(estimator).__name__
)
def test_the_half_width_to_expect_is_that_of_the_worst_ratio(estimator, rows: int, kind) -> None:
    distribution = NoiseDistribution(kind, 5.0 * estimator.l1(1))
    span = estimator.l1(1)
    shares = np.linspace(0, 1, 41)
    above = np.rint(shares * rows * span).astype(np.int64)
    estimate = estimator.estimate(np.array([above, rows * span - above]), distribution, 0.95)
    fine = float(estimate.fine)
    widest = max(
        fine * max(high - value, value - low)
        for low, value, high in zip(estimate.low, estimate.values, estimate.high, strict=True)
    )
    assert estimator.half_width(distribution, 0.95, rows) == pytest.approx(widest, rel=0.15)


@pytest.mark.parametrize("rows", [2_000, 50_000])
@pytest.mark.parametrize("root", [False, True])
def test_the_half_width_to_expect_of_a_variance_is_reached_where_it_is_worst(rows: int, root: bool) -> None:
    """All values at one end: a root's error there is that of the square root near zero."""
    estimator = variance_of(0, 100, root=root)
    distribution = NoiseDistribution("laplace", 2.0 * estimator.l1(1))
    estimate = estimator.estimate(np.array([[0], [0], [rows * 100**2]]), distribution, 0.95)
    worst = float(estimate.fine) * (estimate.high[0] - estimate.values[0])
    assert estimator.half_width(distribution, 0.95, rows) == pytest.approx(worst, rel=0.2)
