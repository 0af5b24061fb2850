"""Bounds hold the exact value as often as they say, in cells of every size: real noise, cell by cell.

Bounds of counts and sums are exact: they hold hardly more often than that either. Bounds of means, variances
and ratios may be wider than they need be in small cells; missing the exact value is not allowed.
"""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from doubles import query, register
from lanes import first, only

from privacy.answer import release, table
from privacy.budget import Price
from privacy.measurement import distribution_of
from privacy.noise import OpendpNoise
from privacy.plan import Plan, plan
from privacy.query import Compare, Key, Statistic
from privacy.schema import Category, Measure, Number

SIGMAS = 6.0
CONFIDENCE = 0.95
EACH = 500
SIZES = (1, 2, 5, 20, 100, 1_000, 100_000)
SPAN = 100
PRICES: list[tuple[Measure, str]] = [("pure", "0.1"), ("pure", "2"), ("zcdp", "0.01"), ("zcdp", "2")]
TELLING = [("pure", "0.1"), ("zcdp", "2")]
"""Much noise of one kind and little of the other."""

A, B = (Compare(column=name, op="=", values=("y",)) for name in "ab")


def planned(
    cells: int, select: Statistic, price: str, measure: Measure, rows: int, bound: int | None
) -> Plan:
    columns = (
        Number(name="k", low=1, high=cells),
        Number(name="v", low=0, high=SPAN),
        Category(name="a", values=("n", "y")),
        Category(name="b", values=("n", "y")),
    )
    return plan(
        query(select, group_by=(Key(column="k"),), budget=Price.parse(price), rows_per_person=bound),
        register(*columns, rows=rows, measure=measure),
    )


def bounds(
    select: Statistic,
    exacts: Sequence[np.ndarray],
    *,
    price: str,
    measure: Measure,
    rows: int = 1,
    bound: int | None = None,
) -> tuple[np.ndarray, np.ndarray, Plan]:
    """Low and high ends of a statistic over many cells; no end counts as endless."""
    one = planned(len(exacts[0]), select, price, measure, rows, bound)
    exact = {
        (subset, need): np.asarray(values, dtype=np.int64)
        for (subset, need), values in zip(one.exact_requests, exacts, strict=True)
    }
    columns = {
        column.name: column.values for column in table(one, release(one, exact, OpendpNoise())).columns
    }
    low, high = (
        np.array([end * math.inf if one is None else one for one in columns[name]], dtype=np.float64)
        for name, end in (("s_low", -1), ("s_high", 1))
    )
    return low, high, one


def held(low: np.ndarray, high: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """The share of the cells whose bounds hold the exact value, for each run of EACH equal cells."""
    slight = 1e-9 * np.maximum(1, np.abs(exact))
    inside = (low - slight <= exact) & (exact <= high + slight)
    return inside.reshape(-1, EACH).mean(axis=1)


def slack(trials: int) -> float:
    return SIGMAS * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / trials)


def enough(shares: np.ndarray) -> bool:
    """No kind of cell far below 95 %, nor all of them together."""
    return shares.min() >= CONFIDENCE - slack(EACH) and shares.mean() >= CONFIDENCE - slack(
        EACH * len(shares)
    )


def repeated(values: Sequence[float] | np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(values), EACH)


# Counts and sums


@pytest.mark.parametrize(
    ("measure", "price"), [("pure", "0.05"), ("pure", "0.7"), ("zcdp", "0.03"), ("zcdp", "1")]
)
@pytest.mark.parametrize(
    "select",
    [
        Statistic(name="s", agg="count"),
        Statistic(name="s", agg="count_persons"),
        Statistic(name="s", agg="sum", column="v"),
        Statistic(name="s", agg="sum", column="v", per_person_clamp=(-20, 70)),
    ],
    ids=["count", "count_persons", "sum", "sum per person"],
)
def test_bounds_of_counts_and_sums_hold_as_often_as_they_say_and_hardly_more(
    select: Statistic, measure: Measure, price: str
) -> None:
    exact = np.arange(-3_000, 3_000, dtype=np.int64)
    low, high, one = bounds(select, [exact], price=price, measure=measure, rows=3)
    (part,) = one.measurements
    distribution = distribution_of(part.draws[0].mechanism)
    width = distribution.half_width(CONFIDENCE)
    assert set(high - low) == {2 * width}
    found = float(((low <= exact) & (exact <= high)).mean())
    assert found >= CONFIDENCE - slack(len(exact))
    narrower = float(((low < exact) & (exact < high)).mean())
    assert narrower <= CONFIDENCE + slack(len(exact))


# Means, variances and shares


@pytest.mark.parametrize(("measure", "price"), PRICES)
def test_bounds_of_a_mean_hold_it_in_cells_of_any_size(measure: Measure, price: str) -> None:
    shares = np.array([0, 0.02, 0.5, 1])
    rows = np.repeat(SIZES, len(shares))
    total = np.round(rows * SPAN * np.tile(shares, len(SIZES)))
    exacts = [repeated(total), repeated(rows)]
    low, high, _ = bounds(Statistic(name="s", agg="mean", column="v"), exacts, price=price, measure=measure)
    assert enough(held(low, high, exacts[0] / exacts[1]))
    assert (high - low)[-EACH:].max() < 3


def crowds_of_values(rows: int) -> list[np.ndarray]:
    """All low, all in the middle, half low and half high, spread evenly, one in twenty high, all high."""
    place = np.arange(rows)
    middle = np.full(rows, SPAN // 2)
    few = np.where(place % 20 == 1, SPAN, 0)
    return [0 * place, middle, SPAN * (place % 2), place * 37 % (SPAN + 1), few, 0 * place + SPAN]


@pytest.mark.long
@pytest.mark.parametrize("agg", ["variance", "stddev"])
@pytest.mark.parametrize(("measure", "price"), only(TELLING, PRICES))
def test_bounds_of_a_variance_hold_it_in_cells_of_any_size(agg: str, measure: Measure, price: str) -> None:
    crowds = [values for rows in SIZES for values in crowds_of_values(rows)]
    exacts = [
        repeated([len(values) for values in crowds]),
        repeated([values.sum() for values in crowds]),
        repeated([(values**2).sum() for values in crowds]),
    ]
    low, high, _ = bounds(Statistic(name="s", agg=agg, column="v"), exacts, price=price, measure=measure)
    spread = [values.var() if agg == "variance" else values.std() for values in crowds]
    assert enough(held(low, high, repeated(spread)))
    assert (high - low)[-2 * EACH : -EACH].max() < 10


@pytest.mark.long
@pytest.mark.parametrize(("measure", "price"), only(TELLING, PRICES))
@pytest.mark.parametrize("agg", ["ratio", "share_kept"])
def test_bounds_of_a_share_hold_it_in_cells_of_any_size(agg: str, measure: Measure, price: str) -> None:
    shares = np.array([0, 0.02, 0.5, 1])
    rows = np.repeat(SIZES, len(shares))
    some = np.round(rows * np.tile(shares, len(SIZES)))
    exacts = [repeated(some), repeated(rows)]
    select = Statistic(name="s", agg=agg, numerator=A if agg == "ratio" else None)
    low, high, _ = bounds(select, exacts, price=price, measure=measure, rows=3, bound=2)
    assert enough(held(low, high, exacts[0] / exacts[1]))
    assert (high - low)[-EACH:].max() < 0.01


@pytest.mark.parametrize(("measure", "price"), only(TELLING, PRICES))
@pytest.mark.parametrize("overlap", first(1, [0.5, 0, 1]))
def test_bounds_of_a_ratio_hold_it_whatever_the_denominator(
    overlap: float, measure: Measure, price: str
) -> None:
    ratios = np.array([0, 0.2, 1, 5])
    below = np.repeat(SIZES, len(ratios))
    above = np.round(below * np.tile(ratios, len(SIZES)))
    both = np.round(np.minimum(above, below) * overlap)
    exacts = [repeated(above), repeated(both), repeated(below)]
    select = Statistic(name="s", agg="ratio", numerator=A, denominator=B)
    low, high, _ = bounds(select, exacts, price=price, measure=measure)
    assert enough(held(low, high, exacts[0] / exacts[2]))
    assert (high - low)[-EACH:].max() < 0.1


def test_bounds_taken_for_granted_are_seen_to_fail() -> None:
    """The test is not blind: bounds a fifth narrower hold too seldom."""
    exact = np.zeros(6_000, dtype=np.int64)
    low, high, _ = bounds(Statistic(name="s", agg="count"), [exact], price="0.05", measure="pure")
    narrow = np.round(0.1 * (high - low))
    found = float(((low + narrow <= exact) & (exact <= high - narrow)).mean())
    assert found < CONFIDENCE - slack(len(exact))


# Errors


def errors(
    select: Statistic, exacts: Sequence[int], value: float, *, price: str, measure: Measure, rows: int = 1
) -> float:
    """The root mean squared error of a statistic in one large cell, over 12,000 answers."""
    cells = 12_000
    one = planned(cells, select, price, measure, rows, None)
    exact = {
        key: np.full(cells, number, dtype=np.int64)
        for key, number in zip(one.exact_requests, exacts, strict=True)
    }
    columns = {
        column.name: column.values for column in table(one, release(one, exact, OpendpNoise())).columns
    }
    return math.sqrt(float(((np.array(columns["s"], dtype=np.float64) - value) ** 2).mean()))


def deviation(select: Statistic, *, price: str, measure: Measure, rows: int = 1) -> float:
    """The standard deviation of the discrete noise of a statistic's sums."""
    (part,) = planned(2, select, price, measure, rows, None).measurements
    scale = part.draws[0].mechanism.scale
    if measure == "zcdp":
        return scale
    alpha = math.exp(-1 / scale)
    return math.sqrt(2 * alpha) / (1 - alpha)


N = 100_000
LARGE: dict[str, tuple[Statistic, tuple[int, ...], float, tuple[float, ...]]] = {
    # statistic, exact integers, its value, and its derivative by each noisy sum
    "count": (Statistic(name="s", agg="count"), (N,), N, (1,)),
    "sum": (Statistic(name="s", agg="sum", column="v"), (30 * N,), 30 * N, (1,)),
    "mean": (Statistic(name="s", agg="mean", column="v"), (30 * N, N), 30, (0.7 / N, -0.3 / N)),
    "share": (
        Statistic(name="s", agg="ratio", numerator=A),
        (N // 5, N),
        0.2,
        (0.8 / N, -0.2 / N),
    ),
    "ratio": (  # s = N/D of sums N = X₁ + X₂ and D = X₂ + X₃
        Statistic(name="s", agg="ratio", numerator=A, denominator=B),
        (N // 2, N // 4, N),
        0.5,
        (1 / N, (1 - 0.5) / N, -0.5 / N),
    ),
    "variance": (  # of values with mean m = 0.3 and variance V = 0.1 of the span
        Statistic(name="s", agg="variance", column="v"),
        (N, 30 * N, 1_900 * N),
        1_000,
        tuple(SPAN**2 * weight / (SPAN**2 * N) for weight in (0.09 - 0.1, 0.09 - 0.3 - 0.1, 0.49 - 0.1)),
    ),
}


@pytest.mark.long
@pytest.mark.parametrize(("measure", "price"), first(1, [("pure", "0.3"), ("zcdp", "0.05")]))
@pytest.mark.parametrize("name", first(2, LARGE))
def test_the_error_in_a_large_cell_is_that_of_theory(name: str, measure: Measure, price: str) -> None:
    """By the delta method: the root of the summed squares of the derivatives, times the noise's deviation."""
    select, exacts, value, slopes = LARGE[name]
    unit = SPAN if name == "mean" else 1
    if name == "mean":
        slopes = tuple(slope / SPAN for slope in slopes)
    expected = deviation(select, price=price, measure=measure) * unit * math.hypot(*slopes)
    found = errors(select, exacts, value, price=price, measure=measure)
    assert found == pytest.approx(expected, rel=0.065)


@pytest.mark.parametrize(("measure", "price"), [("pure", "0.3"), ("zcdp", "0.05")])
def test_the_error_of_a_standard_deviation_is_that_of_its_square_over_twice_itself(
    measure: Measure, price: str
) -> None:
    _, exacts, value, _ = LARGE["variance"]
    square, root = (Statistic(name="s", agg=agg, column="v") for agg in ("variance", "stddev"))
    found = errors(root, exacts, math.sqrt(value), price=price, measure=measure)
    assert found == pytest.approx(
        errors(square, exacts, value, price=price, measure=measure) / (2 * math.sqrt(value)), rel=0.09
    )


@pytest.mark.parametrize(("agg", "norm"), [("count", 3), ("count_persons", 3), ("sum", 3 * SPAN)])
def test_the_error_of_counts_and_sums_grows_with_the_rows_of_a_person(agg: str, norm: int) -> None:
    """In L1 with a person's rows; in L2 of persons counted in three cells with the root only."""
    select = Statistic(name="s", agg=agg, column="v" if agg == "sum" else None)
    exact = 30 * N if agg == "sum" else N
    laplace = errors(select, (exact,), exact, price="0.3", measure="pure", rows=3)
    assert laplace == pytest.approx(math.sqrt(2) * norm / 0.3, rel=0.065)
    gaussian = errors(select, (exact,), exact, price="0.05", measure="zcdp", rows=3)
    norm_l2 = math.sqrt(norm) if agg == "count_persons" else norm
    assert gaussian == pytest.approx(norm_l2 / math.sqrt(2 * 0.05), rel=0.065)
