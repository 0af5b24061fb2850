"""Whole tables: without negative cells, adding up, and near what was fitted."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from privacy.distributions import Floats
from privacy.integers import whole
from privacy.margins import FittedMargin, Grid, fit

SMALL = settings(deadline=None, derandomize=True, max_examples=40)
ALL: list[Grid] = [grid for count in range(4) for grid in combinations(range(3), count)]


def margin(table: Floats, grid: Grid) -> Floats:
    """A margin of a full table, flat."""
    found: Floats = table.sum(axis=tuple(axis for axis in range(table.ndim) if axis not in grid)).ravel()
    return found


def noised(
    sizes: tuple[int, ...], wanted: list[Grid], seed: int, mean: float, noise: float
) -> list[FittedMargin]:
    """What `fit` makes of noisy margins of a made-up table, each wanted margin measured with equal noise."""
    draw = np.random.default_rng(seed)
    table = draw.poisson(draw.gamma(0.3, mean / 0.3, sizes)).astype(float)
    noisy = [
        np.rint(margin(table, grid) + draw.normal(0, noise, margin(table, grid).shape)) for grid in wanted
    ]
    return fit(sizes, wanted, noisy, [noise**2] * len(wanted), wanted)


@SMALL
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
    st.integers(0, 10**6),
    st.sampled_from((0.1, 3.0, 1e4)),
    st.sampled_from((0.5, 10.0, 1e3)),
)
def test_tables_are_whole_not_negative_and_add_up(
    sizes: tuple[int, ...], seed: int, mean: float, noise: float
) -> None:
    fitted = noised(sizes, ALL, seed, mean, noise)
    tables = whole(sizes, fitted, ALL)
    for grid, table in zip(ALL, tables, strict=True):
        assert table.dtype == np.int64
        assert (table >= 0).all()
        assert (table == margin(tables[-1].reshape(sizes), grid)).all()
    assert tables[0].item() == pytest.approx(max(0.0, fitted[0].values.item()), abs=0.5 + 1e-6)


def test_tables_that_are_whole_already_stay_as_they_are() -> None:
    for high in (3, 10**15):
        table = np.random.default_rng(1).integers(0, high, (5, 1, 7, 4))
        wanted: list[Grid] = [(0, 1, 2, 3), (2,), (0, 3), ()]
        exact = [margin(table, grid) for grid in wanted]
        found = whole(
            table.shape, [FittedMargin(values=one.astype(float), variance=9.0) for one in exact], wanted
        )
        assert all((one == other).all() for one, other in zip(found, exact, strict=True))


def test_sums_of_many_yen_keep_their_total() -> None:
    sizes: tuple[int, ...] = (40, 25)
    wanted: list[Grid] = [(0, 1), (0,), (1,), ()]
    table = np.random.default_rng(2).integers(-(10**13), 10**15, sizes).astype(float)
    found = whole(sizes, fit(sizes, [(0, 1)], [table.ravel()], [1e24], wanted), wanted)
    assert abs(found[3].item() - sum(map(int, table.ravel()))) <= 1_000
    assert np.abs(found[1] - margin(table, (0,))).max() < 1e14


def test_before_rounding_it_is_non_negative_least_squares() -> None:
    sizes: tuple[int, ...] = (4, 5)
    wanted: list[Grid] = [(0, 1), (0,), (1,), ()]
    fitted = noised(sizes, wanted, seed=3, mean=1e7, noise=2e7)
    rows, sums = [], []
    cells = np.eye(20).reshape(20, *sizes)
    for grid, one in zip(wanted, fitted, strict=True):
        heavy = 1e6 if grid == () else 1 / math.sqrt(one.variance / fitted[0].variance)
        rows.append(np.stack([margin(cell, grid) for cell in cells], axis=1) * heavy)
        sums.append(one.values * heavy)
    expected = nnls(np.vstack(rows), np.concatenate(sums))[0]
    assert (fitted[0].values < 0).any()
    assert np.abs(whole(sizes, fitted, wanted)[0] - expected).max() <= 50


def test_rounding_moves_coarse_margins_by_little() -> None:
    sizes: tuple[int, ...] = (12, 15, 10)
    table = np.random.default_rng(4).uniform(0, 1, sizes) * np.linspace(0.1, 0.9, 12)[:, None, None] + 5
    fitted = [FittedMargin(values=margin(table, grid), variance=1.0) for grid in ALL]
    moved = [
        np.abs(one - other.values).max() for one, other in zip(whole(sizes, fitted, ALL), fitted, strict=True)
    ]
    assert moved[0] <= 0.5
    assert max(moved[1:4]) < 3
    assert moved[-1] < 1


def test_many_tables_at_once_are_each_of_them() -> None:
    wanted: list[Grid] = [(0,), (0, 1)]
    each = [noised((3, 4), wanted, seed=seed, mean=2.0, noise=3.0) for seed in range(3)]
    together = [
        FittedMargin(values=np.stack([one.values for one in ones]), variance=ones[0].variance)
        for ones in zip(*each, strict=True)
    ]
    found = whole((3, 4), together, wanted)
    for row, ones in enumerate(each):
        for one, rows in zip(whole((3, 4), ones, wanted), found, strict=True):
            assert (rows[row] == one).all()


def test_a_negative_total_makes_an_empty_table() -> None:
    fitted = fit((3, 2), [(0, 1)], [np.array([5, -9, 0, 2, -3, 1])], [4.0], [(0, 1), ()])
    assert [table.sum() for table in whole((3, 2), fitted, [(0, 1), ()])] == [0, 0]


def test_without_a_finest_grid_it_refuses() -> None:
    fitted = [FittedMargin(values=np.ones(2), variance=1.0), FittedMargin(values=np.ones(3), variance=1.0)]
    with pytest.raises(ValueError, match="contains all others"):
        whole((2, 3), fitted, [(0,), (1,)])


def test_a_total_beyond_64_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        whole((2,), [FittedMargin(values=np.full(2, 2.0**61), variance=1.0)], [(0,)])
