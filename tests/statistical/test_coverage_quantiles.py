"""Quantiles are as near as they say: ranks within the stated rows, values inside their bounds. Real noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest
from doubles import query, register
from lanes import first, only

from privacy.answer import release, table
from privacy.budget import Price
from privacy.noise import OpendpNoise
from privacy.plan import Plan, plan
from privacy.quantiles import Quantiles
from privacy.query import Key, Statistic
from privacy.schema import Measure, Number

SIGMAS = 6.0
CONFIDENCE = 0.95
PRICES: list[tuple[Measure, str]] = [("pure", "0.3"), ("zcdp", "0.05")]
SHAPES = ("smooth", "atom", "sparse", "empty", "bottom", "top", "a gap above", "a gap below")
TELLING = ("atom", "sparse", "a gap above")
"""A value that many have, cells of few rows, and the worst case."""

EIGHT = ("0", "0.1", "0.25", "0.5", "0.75", "0.9", "0.99", "1")


def histogram(shape: str, bins: int, within: int) -> np.ndarray:
    """Rows by bin. The gaps are the worst case: nearly all bins are just further off than they should be."""
    dice, rows = np.random.default_rng(3), 40_000
    left = {"a gap above": rows // 2 + within + 5, "a gap below": rows // 2 - within - 5}
    values = {
        "smooth": lambda: np.clip(dice.normal(bins / 2, bins / 8, 4_000), 0, bins - 1),
        "atom": lambda: np.append(dice.integers(0, bins, 1_600), np.full(2_400, bins // 3)),
        "sparse": lambda: dice.integers(0, bins, 5),
        "empty": lambda: np.zeros(0),
        "bottom": lambda: np.zeros(3_000),
        "top": lambda: np.full(3_000, bins - 1),
    }
    if shape in left:
        return np.array([left[shape], *[0] * (bins - 2), rows - left[shape]])
    return np.bincount(values[shape]().astype(np.int64), minlength=bins)


@dataclass(frozen=True)
class Found:
    """Shares of the cells: ranks within the stated rows, exact quantiles inside the bounds; per quantile."""

    within: list[float]
    inside: list[float]
    estimator: Quantiles


def planned(bins: int, qs: Sequence[str], price: str, measure: Measure, cells: int, *, ends: bool) -> Plan:
    asked = Statistic(
        name="s", agg="quantile", column="v", q=tuple(map(Decimal, qs)), value_bounds=ends or None
    )
    columns = Number(name="k", low=1, high=cells), Number(name="v", low=0, high=bins - 1)
    return plan(
        query(asked, group_by=(Key(column="k"),), budget=Price.parse(price)),
        register(*columns, measure=measure, limit="1000"),
    )


def measured(
    shape: str, bins: int, qs: Sequence[str], price: str, measure: Measure, cells: int, *, ends: bool = False
) -> Found:
    """Ask for quantiles of the same rows in many cells."""
    one = planned(bins, qs, price, measure, cells, ends=ends)
    (part,) = one.measurements
    estimator = part.estimator
    assert isinstance(estimator, Quantiles)
    assert estimator.width == 1
    stated = estimator.rank_error(
        part.distributions[0] if part.distributions else None, CONFIDENCE, part.mechanisms
    )
    rows = histogram(shape, bins, stated)
    exact = {need: np.tile(rows, cells) for need in one.exact_requests}
    columns = {column.name: column for column in table(one, release(one, exact, OpendpNoise())).columns}
    upto, total = np.cumsum(rows), int(rows.sum())
    within, inside = [], []
    for q, name in zip(estimator.qs, part.names, strict=True):
        assert columns[name].about["within_rows"] == stated
        places, goal = np.array(columns[name].values, dtype=np.int64), float(q * total)
        between = np.maximum(np.maximum((upto - rows)[places] - goal, goal - upto[places]), 0)
        within.append(float((between <= stated).mean()))
        if f"{name}_low" in columns and total:
            low, high = (
                np.array(columns[f"{name}_{end}"].values, dtype=np.float64) for end in ("low", "high")
            )
            exactly = int(np.flatnonzero(upto >= goal - 1e-9)[0])
            inside.append(float(((low <= exactly) & (exactly <= high)).mean()))
    return Found(within, inside, estimator)


def least(cells: int) -> float:
    return CONFIDENCE - SIGMAS * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / cells)


@pytest.mark.long
@pytest.mark.parametrize(("measure", "price"), PRICES)
@pytest.mark.parametrize("shape", only(TELLING, SHAPES))
def test_a_quantile_by_choice_has_as_few_rows_between_as_stated(shape, measure: Measure, price: str) -> None:
    for q in ("0.5", "0.9"):
        found = measured(shape, 60, (q,), price, measure, 500)
        assert not found.estimator.by_tree
        assert min(found.within) >= least(500)


@pytest.mark.parametrize(("measure", "price"), PRICES)
@pytest.mark.parametrize("shape", only(TELLING[:1], SHAPES))
def test_bounds_by_choice_hold_the_quantile(shape, measure: Measure, price: str) -> None:
    found = measured(shape, 60, ("0.5",), price, measure, 500, ends=True)
    assert not found.estimator.by_tree
    assert min(found.within) >= least(500)
    assert min(found.inside, default=1) >= least(500)


@pytest.mark.long
@pytest.mark.parametrize(("measure", "price"), first(1, [("pure", "0.03"), ("zcdp", "0.0001")]))
@pytest.mark.parametrize("shape", first(1, ["a gap above", "a gap below"]))
def test_of_several_quantiles_each_has_as_few_rows_between_as_stated(
    shape, measure: Measure, price: str
) -> None:
    """Put in order, the one that strays furthest becomes the last, whichever it was."""
    several = [measured(shape, 200, ("0.4999", "0.5", "0.5001"), price, measure, 430) for _ in range(3)]
    assert not several[0].estimator.by_tree
    assert np.mean([found.within for found in several], axis=0).min() >= least(3 * 430)


@pytest.mark.parametrize(
    ("bins", "measure", "price"),
    first(
        2,
        [
            (30, "pure", "0.3"),
            (8, "zcdp", "0.05"),
            (8, "pure", "0.3"),
            (8, "pure", "6"),
            (30, "pure", "6"),
            (8, "zcdp", "5"),
        ],
    ),
)
def test_quantiles_from_a_tree_are_as_near_as_stated_and_inside_their_bounds(
    bins: int, measure: Measure, price: str
) -> None:
    for shape in SHAPES:
        found = measured(shape, bins, EIGHT, price, measure, 300)
        assert found.estimator.by_tree
        assert min(found.within) >= least(300)
        assert min(found.inside, default=1) >= least(300)


@pytest.mark.long
def test_the_rows_stated_are_hardly_more_than_they_must_be_at_worst() -> None:
    """Half as many rows would be promised too often where nearly all bins lie just beyond."""
    one = planned(200, ("0.5",), "0.001", "zcdp", 1_300, ends=False)
    (part,) = one.measurements
    assert isinstance(part.estimator, Quantiles)
    stated = part.estimator.rank_error(None, CONFIDENCE, part.mechanisms)
    rows = histogram("a gap above", 200, round(0.6 * stated))
    exact = {need: np.tile(rows, 1_300) for need in one.exact_requests}
    places = np.array(table(one, release(one, exact, OpendpNoise())).columns[1].values)
    assert float((places == 0).mean()) < CONFIDENCE - 0.1
