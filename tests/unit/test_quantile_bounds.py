"""Bounds of a quantile's value: what one row more moves, that they hold the quantile, and that they are narrow."""

import math
from decimal import Decimal
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise

import numpy as np
import pytest
from doubles import Silence, query, register
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.answer import release, table
from privacy.budget import Price
from privacy.noise import Integers, Mechanism, OpendpNoise
from privacy.plan import plan
from privacy.quantile_bounds import cells_around, choose
from privacy.query import Key, Statistic
from privacy.schema import Measure, Number

SMALL = settings(deadline=None, derandomize=True, max_examples=150)
HALF = Fraction(1, 2)
QS = (Fraction(0), Fraction(1, 4), HALF, Fraction(9, 10), Fraction(1))
SIGMAS = 6.0
PRICES: list[tuple[Measure, str]] = [("pure", "0.5"), ("zcdp", "0.06")]


class Watching(Silence):
    """Keeps the scores that it chooses from."""

    def __init__(self) -> None:
        self.scores: list[Integers] = []

    def top(self, scores: Integers, mechanism: Mechanism) -> int:
        self.scores.append(scores)
        return super().top(scores, mechanism)


def mechanism(q: Fraction, measure: Measure = "pure", price: str = "0.5") -> Mechanism:
    farthest = max(q.numerator, q.denominator - q.numerator)
    return Mechanism(kind="noisy_max", measure=measure, sensitivity=farthest, price=Price.parse(price))


def scores(histogram: Integers, value: int, q: Fraction) -> Integers:
    noise = Watching()
    choose(histogram, value, q, mechanism(q), noise)
    return noise.scores[0]


@SMALL
@given(st.integers(1, 20_000), st.data())
def test_cells_cover_the_bins_and_grow_with_their_distance_from_the_value(bins: int, data) -> None:
    value = data.draw(st.integers(0, bins - 1))
    starts = cells_around(value, bins)
    assert starts[0] == 0
    assert starts[-1] == bins
    assert all(here < after for here, after in pairwise(starts))
    assert (value, value + 1) in pairwise(starts)
    for here, after in pairwise(starts):
        nearest = max(here - value, value - (after - 1), 0)
        assert after - here <= max(1, nearest / 2)
    assert len(starts) <= 4 * math.log2(bins + 1) + 8


@pytest.mark.parametrize("q", QS, ids=str)
def test_a_row_more_moves_a_pairs_score_by_its_sensitivity_at_most_and_once_as_far(q: Fraction) -> None:
    farthest = 0
    for size in range(4):
        for crowd in combinations_with_replacement(range(0, 12, 3), size):
            histogram = np.bincount(crowd, minlength=12).astype(np.int64)
            for row in range(12):
                other = histogram.copy()
                other[row] += 1
                apart = np.abs(scores(histogram, 5, q) - scores(other, 5, q)).max()
                farthest = max(farthest, int(apart))
    assert farthest == mechanism(q).sensitivity


@SMALL
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=40).filter(any), st.sampled_from(QS), st.integers(0, 39)
)
def test_without_noise_bounds_hold_the_quantile(counts: list[int], q: Fraction, value: int) -> None:
    histogram = np.array(counts, dtype=np.int64)
    low, high = choose(histogram, value % len(counts), q, mechanism(q), Silence())
    goal = max(1, math.ceil(q * int(histogram.sum())))
    exact = int(np.flatnonzero(np.cumsum(histogram) >= goal)[0])
    assert low <= exact <= high


@pytest.mark.parametrize(("measure", "price"), PRICES)
@pytest.mark.parametrize("lower", [True, False], ids=["low end", "high end"])
def test_at_worst_bounds_miss_the_quantile_as_often_as_they_may_and_no_more(
    lower: bool, measure: Measure, price: str
) -> None:
    """Half of the rows at each end of the column: all pairs of cells in between are just as far off as counts."""
    draws, bins, rows = 600, 40, 4_000
    histogram = np.zeros(bins, dtype=np.int64)
    histogram[[0, -1]] = (rows // 2, rows // 2) if lower else (rows // 2 - 1, rows // 2 + 1)
    exact = 0 if lower else bins - 1
    one, noise = mechanism(HALF, measure, price), OpendpNoise()
    found = [choose(histogram, bins // 2, HALF, one, noise) for _ in range(draws)]
    held = sum(low <= exact <= high for low, high in found) / draws
    assert held >= 0.95 - SIGMAS * math.sqrt(0.95 * 0.05 / draws)
    # Some 27 of 600 miss where the low end is tried; counts being whole, the high end is a rank safer.
    assert not lower or held < 1


def asked(rows: int, cells: int, measure: Measure, price: str, seed: int) -> tuple[float, float]:
    """Ages of so many rows in each of many cells: the share of cells whose bounds hold the median, and their width."""
    columns = Number(name="k", low=1, high=cells), Number(name="v", low=0, high=120)
    median = Statistic(name="m", agg="quantile", column="v", q=(Decimal("0.5"),), value_bounds=True)
    planned = plan(
        query(median, group_by=(Key(column="k"),), budget=Price.parse(price)),
        register(*columns, measure=measure, limit="1000"),
    )
    ages = np.clip(np.random.default_rng(seed).normal(46, 24, (cells, rows)).round(), 0, 120).astype(int)
    histograms = np.array([np.bincount(one, minlength=121) for one in ages], dtype=np.int64)
    exact = {need: histograms.reshape(-1) for need in planned.exact_requests}
    columns_told = table(planned, release(planned, exact, OpendpNoise())).columns
    told = {column.name: column.values for column in columns_told}
    low, high = (np.array(told[f"m_{end}"], dtype=np.float64) for end in ("low", "high"))
    medians = np.sort(ages, axis=1)[:, math.ceil(rows / 2) - 1]
    return float(((low <= medians) & (medians <= high)).mean()), float((high - low).mean()) / 120


@pytest.mark.parametrize(("measure", "price"), [("pure", "1"), ("zcdp", "0.125")])
@pytest.mark.parametrize("rows", [8, 25])
def test_bounds_of_small_cells_hold_the_median(rows: int, measure: Measure, price: str) -> None:
    held, _ = asked(rows, 150, measure, price, seed=rows)
    assert held >= 0.95 - SIGMAS * math.sqrt(0.95 * 0.05 / 150)


@pytest.mark.parametrize(
    ("measure", "price", "rows", "share"),
    [("pure", "1", 40, 0.8), ("pure", "1", 100, 0.3), ("zcdp", "0.125", 40, 0.55)],
)
def test_bounds_of_small_cells_are_not_the_whole_range(
    measure: Measure, price: str, rows: int, share: float
) -> None:
    assert asked(rows, 100, measure, price, seed=7)[1] < share
