"""Bounds in tables with margins and in workloads hold the exact values as often as they say: real noise."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from doubles import NoiseOfManyRuns, count, query, register
from lanes import first

from privacy.answer import release, table
from privacy.budget import Price
from privacy.exact import AxisSubset, ExactAggregate
from privacy.layout import Layout
from privacy.plan import Plan, plan
from privacy.query import Key, Query, Statistic, WorkloadTable
from privacy.schema import Measure, Number

SIGMAS = 6.0  # cells of one table share noise, so the deviation below is only about right
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Found:
    """Per table of the layout: the share of bounds that held, the mean width, the squared error."""

    held: list[float]
    width: list[float]
    squared: list[float]
    expected: list[float]


def keys(*places: int) -> tuple[Key, ...]:
    return tuple(Key(column=f"k{place}") for place in places)


def planned(sizes: tuple[int, ...], asked: Query, measure: Measure) -> Plan:
    columns = [Number(name=f"k{place}", low=1, high=size) for place, size in enumerate(sizes)]
    return plan(asked, register(*columns, Number(name="v", low=0, high=100), measure=measure, limit="1000"))


def margin(full: np.ndarray, subset: AxisSubset) -> np.ndarray:
    return full.sum(axis=tuple(axis for axis in range(full.ndim) if axis not in subset)).ravel()


def told(layout: Layout, subset: AxisSubset, cells: np.ndarray) -> np.ndarray:
    """The cells of a table, without the rows that a workload counts in buckets of their own and never tells."""
    table = cells.reshape([layout.sizes[axis] for axis in subset])
    return table[tuple(slice(len(layout.axes[axis].labels)) for axis in subset)].ravel()


def truths(layout: Layout, agg: str, full: list[np.ndarray]) -> list[np.ndarray]:
    margins = [
        [told(layout, table.subset, margin(part, table.subset)) for part in full] for table in layout.tables
    ]
    return [parts[0] / parts[1] if agg == "mean" else parts[0] for parts in margins]


def measured(one: Plan, runs: int) -> Found:
    """Ask one question many times; cells of all sizes, empty ones among them."""
    (part,), layout, dice = one.measurements, one.layout, np.random.default_rng(5)
    shape = layout.sizes
    rows = dice.integers(1, 1_000, size=shape)
    full = [rows * dice.integers(0, 101, size=shape), rows] if part.agg == "mean" else [rows - 1]
    wanted: dict[ExactAggregate, np.ndarray] = dict(zip(part.estimator.exacts, full, strict=True))
    exact = {(subset, need): margin(wanted[need], subset) for subset, need in one.exact_requests}
    true = truths(layout, part.agg, full)
    whole, ends = np.concatenate(true), np.cumsum([len(cells) for cells in true])[:-1]
    noise, held, squared = NoiseOfManyRuns(runs), [], []
    for _ in range(runs):
        columns = {
            column.name: column.values for column in table(one, release(one, exact, noise.next_run())).columns
        }
        value, low, high = (np.array(columns[name], dtype=np.float64) for name in ("s", "s_low", "s_high"))
        inside = (low - 1e-6 <= whole) & (whole <= high + 1e-6)
        held.append([cells.mean() for cells in np.split(inside, ends)])
        squared.append([(cells**2).mean() for cells in np.split(value - whole, ends)])
    return Found(
        held=np.mean(held, axis=0).tolist(),
        width=[float(cells.mean()) for cells in np.split(high - low, ends)],
        squared=np.mean(squared, axis=0).tolist(),
        expected=[distribution.deviation**2 for distribution in part.distributions],
    )


def slack(trials: int) -> float:
    return SIGMAS * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / trials)


def with_totals(price: str, *, select: Statistic | None = None, **changes: object) -> Query:
    return query(select or count("s"), group_by=keys(0, 1), totals=True, budget=Price.parse(price), **changes)


def workload(price: str, *tables: tuple[int, ...]) -> Query:
    asked = tuple(WorkloadTable(name=f"t{place}", group_by=keys(*axes)) for place, axes in enumerate(tables))
    return query(count("s"), tables=asked, budget=Price.parse(price))


@pytest.mark.parametrize(
    ("measure", "price"),
    first(2, [("pure", "0.5"), ("zcdp", "0.02"), ("pure", "3"), ("zcdp", "2"), ("zcdp", "8")]),
)
def test_bounds_of_a_table_with_margins_hold(measure: Measure, price: str) -> None:
    runs = 400
    found = measured(planned((4, 3), with_totals(price), measure), runs)
    assert min(found.held) >= CONFIDENCE - slack(runs)


@pytest.mark.long
@pytest.mark.parametrize(
    ("measure", "price", "tables"),
    first(
        1,
        [
            ("pure", "1", ((0, 1), (1, 2), (2,))),
            ("zcdp", "0.1", ((0, 1), (1, 2), (2,))),
            ("zcdp", "4", ((0, 1), (1, 2), (2,))),
            ("pure", "9", ((0, 1), (1, 2), (2,))),
        ],
    ),
)
def test_bounds_of_a_workload_hold(measure: Measure, price: str, tables) -> None:
    runs = 250
    found = measured(planned((6, 5, 4), workload(price, *tables), measure), runs)
    assert min(found.held) >= CONFIDENCE - slack(2 * runs)


@pytest.mark.parametrize(
    ("measure", "price"), first(2, [("zcdp", "0.97"), ("pure", "3"), ("zcdp", "0.255"), ("pure", "1.5")])
)
def test_bounds_hold_where_one_draw_outweighs_all_others(measure: Measure, price: str) -> None:
    """Noise of about one whole number is nothing like continuous noise: here 1.96 σ is just below a whole."""
    found = measured(planned((100, 90), workload(price, (0,), (1,)), measure), 60)
    assert min(found.held) >= CONFIDENCE - slack(60 * 90)


@pytest.mark.long
@pytest.mark.parametrize("measure", first(1, ["zcdp", "pure"]))
def test_bounds_of_means_in_a_table_with_margins_hold(measure: Measure) -> None:
    mean = Statistic(name="s", agg="mean", column="v")
    found = measured(planned((4, 3), with_totals("1", select=mean), measure), 150)
    assert min(found.held) >= CONFIDENCE - slack(150)
    assert max(found.width) < 5


def test_bounds_around_values_made_whole_and_non_negative_hold() -> None:
    found = measured(planned((4, 3), with_totals("1", whole=True), "pure"), 150)
    assert min(found.held) >= CONFIDENCE - slack(150)


@pytest.mark.long
@pytest.mark.parametrize(("measure", "price"), [("pure", "0.2"), ("zcdp", "0.05")])
def test_the_error_of_every_table_is_that_of_theory(measure: Measure, price: str) -> None:
    """The closed form of the variances after least squares, measured within 10 % of each margin's error."""
    found = measured(planned((12, 10), with_totals(price), measure), 600)
    for squared, expected in zip(found.squared[:-1], found.expected[:-1], strict=True):
        assert squared == pytest.approx(expected, rel=0.1)
    assert found.squared[-1] == pytest.approx(found.expected[-1], rel=0.35)


def test_bounds_of_tables_are_hardly_wider_than_they_must_be() -> None:
    found = measured(planned((4, 3), with_totals("0.02"), "zcdp"), 400)
    assert max(found.held) <= CONFIDENCE + slack(400)
