"""The noise is what it claims to be: its distribution, its independence, and the bounds made from it.

Thresholds are so far out, and samples so large, that a run fails by chance less than once in 10^9 runs and a
planted fault passes about as rarely.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
from doubles import count, query, register
from scipy.stats import chi2, dlaplace

from privacy.answer import release, table
from privacy.budget import Price
from privacy.noise import CELLS_PER_THREAD, OpendpNoise, calibrate
from privacy.plan import Plan, plan
from privacy.query import Key, Statistic
from privacy.schema import Number

RARE = 1e-11
SIGMAS = 7.0  # a normal variable is further out once in 4·10^11
DRAWS = 100_000
ONE_THREAD = CELLS_PER_THREAD
ONE = Price.parse("1")


def draws(sensitivity: int, price: Price, cells: int = DRAWS) -> np.ndarray:
    return OpendpNoise().laplace(np.zeros(cells, dtype=np.int64), sensitivity=sensitivity, price=price)


def fits(noise: np.ndarray, scale: float) -> bool:
    """Pearson's chi-square test against discrete Laplace noise of that scale, on about 24 equally likely bins."""
    law = dlaplace(1 / scale)
    edges = np.unique(law.ppf(np.arange(1, 24) / 24)).astype(np.int64)
    edges = edges[law.sf(edges) * len(noise) > 50]
    expected = np.diff(law.cdf(edges), prepend=0, append=1) * len(noise)
    found = np.bincount(np.searchsorted(edges, noise), minlength=len(expected))
    distance = float(((found - expected) ** 2 / expected).sum())
    return bool(chi2(len(expected) - 1).sf(distance) > RARE)


def correlated(left: np.ndarray, right: np.ndarray) -> bool:
    """Whether two vectors of independent noise would agree so well, in value or in size, once in 10^11 times."""
    pairs = ((left, right), (np.abs(left), np.abs(right)))
    return any(abs(np.corrcoef(a, b)[0, 1]) * math.sqrt(len(a)) > SIGMAS for a, b in pairs)


@pytest.mark.parametrize(
    ("sensitivity", "price"), [(1, "1"), (1, "0.3"), (3, "0.5"), (8_000_000, "0.25"), (1, "0.001")]
)
def test_noise_fits_its_scale_and_none_a_tenth_smaller_or_larger(sensitivity: int, price: str) -> None:
    scale = calibrate(sensitivity, Price.parse(price))
    noise = draws(sensitivity, Price.parse(price))
    assert fits(noise, scale)
    assert not fits(noise, 0.9 * scale)
    assert not fits(noise, 1.1 * scale)


def test_noise_of_few_cells_is_of_the_same_kind() -> None:
    price = Price.parse("0.1")
    noise = np.concatenate([draws(1, price, ONE_THREAD) for _ in range(120)])
    assert fits(noise, 10)
    assert not fits(noise, 9)
    assert not fits(noise, 11)


@pytest.mark.parametrize(
    "planted",
    [
        lambda noise: noise // 2,
        lambda noise: np.where(noise < 0, noise + 1, noise),
        lambda noise: np.abs(noise),
        lambda noise: np.where(np.arange(len(noise)) % 8, noise, 0),
        lambda noise: noise + 1,
        lambda noise: np.clip(noise, -20, 20),
    ],
    ids=["half", "rounded", "one side", "gaps", "shifted", "cut"],
)
def test_the_test_of_fit_sees_planted_faults(planted) -> None:
    noise = draws(1, Price.parse("0.1"))
    assert fits(noise, 10)
    assert not fits(planted(noise), 10)


# Independence


def by_value(cells: int) -> Plan:
    return plan(query(group_by=(Key(column="k"),)), register(Number(name="k", low=1, high=cells)))


def noise_of(planned: Plan) -> np.ndarray:
    exact = {needed: np.zeros(planned.cells, dtype=np.int64) for needed in planned.exacts}
    return np.concatenate(release(planned, exact, OpendpNoise()))


def test_cells_of_one_answer_get_independent_noise() -> None:
    noise = noise_of(by_value(40_000))
    for apart in (1, 2, ONE_THREAD, 20_000):
        assert not correlated(noise[:-apart], noise[apart:])


def test_threads_do_not_share_their_noise() -> None:
    parts = np.split(noise_of(by_value(40_000)), 4)
    assert all(np.mean(left == right) < 0.4 for left, right in pairwise(parts))


def test_two_statistics_of_one_question_get_independent_noise() -> None:
    schema = register(Number(name="n", low=1, high=10_000))
    left, right = np.split(
        noise_of(plan(query(count("a"), count("b"), group_by=(Key(column="n"),)), schema)), 2
    )
    assert not correlated(left, right)


def test_both_sums_of_a_mean_get_independent_noise() -> None:
    schema = register(Number(name="n", low=1, high=10_000))
    mean = Statistic(name="m", agg="mean", column="n")
    above, below = np.split(noise_of(plan(query(mean, group_by=(Key(column="n"),)), schema)), 2)
    assert not correlated(above, below)


def test_repeated_answers_get_independent_noise() -> None:
    assert not correlated(noise_of(by_value(10_000)), noise_of(by_value(10_000)))


@pytest.mark.parametrize(
    "planted",
    [
        lambda noise, other: noise,
        lambda noise, other: -noise,
        lambda noise, other: np.where(np.arange(len(noise)) % 4, other, noise),
    ],
    ids=["copied", "mirrored", "a quarter copied"],
)
def test_the_test_of_independence_sees_planted_faults(planted) -> None:
    noise, other = np.split(draws(1, Price.parse("0.1"), 20_000), 2)
    assert not correlated(noise, other)
    assert correlated(noise, planted(noise, other))


# Coverage of the bounds


CELLS = 10_000


def bounds(statistic: Statistic, exact: dict[str, np.ndarray], *, rows: int, price: str = "1") -> np.ndarray:
    """Low and high ends of one statistic over many cells, from real noise."""
    columns = Number(name="k", low=1, high=CELLS), Number(name="n", low=-10, high=50)
    planned = plan(
        query(statistic, group_by=(Key(column="k"),), budget=Price.parse(price)),
        register(*columns, rows=rows),
    )
    made = table(
        planned, release(planned, {need: exact[need.kind] for need in planned.exacts}, OpendpNoise())
    )
    ends = {column.name: column.values for column in made.columns if column.role == "bound"}
    return np.array([ends["s_low"], ends["s_high"]], dtype=np.float64)


def sigma(share: float, cells: int) -> float:
    return math.sqrt(share * (1 - share) / cells)


@pytest.mark.parametrize(
    ("statistic", "kind"),
    [
        (Statistic(name="s", agg="count"), "rows"),
        (Statistic(name="s", agg="count_persons"), "persons"),
        (Statistic(name="s", agg="sum", column="n"), "total"),
    ],
    ids=["count", "count_persons", "sum"],
)
@pytest.mark.parametrize("price", ["0.05", "0.7", "3"])
def test_bounds_hold_the_exact_value_as_often_as_they_say_and_hardly_more(statistic, kind, price) -> None:
    exact = np.arange(CELLS, dtype=np.int64)
    low, high = bounds(statistic, {kind: exact}, rows=2, price=price)
    held = float(np.mean((low <= exact) & (exact <= high)))
    scale, width = calibrate({"total": 100}.get(kind, 2), Price.parse(price)), int(high[0] - low[0]) // 2
    exactly = 1 - 2 * float(dlaplace(1 / scale).sf(width))
    assert exactly >= 0.95
    assert held >= 0.95 - SIGMAS * sigma(0.95, CELLS)
    assert abs(held - exactly) <= SIGMAS * sigma(0.95, CELLS)


@pytest.mark.parametrize("size", [1, 5, 50, 3_000])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_bounds_of_a_mean_hold_it_often_enough_in_cells_of_any_size(size: int, share: float) -> None:
    """Bounds of small cells are wider than they need be; that is allowed, missing the mean is not."""
    present = np.full(CELLS, size, dtype=np.int64)
    total = -10 * present + round(60 * size * share)
    low, high = bounds(
        Statistic(name="s", agg="mean", column="n"), {"total": total, "present": present}, rows=1
    )
    mean = total[0] / size
    held = float(np.mean((low <= mean + 1e-9) & (mean - 1e-9 <= high)))
    assert held >= 0.95 - SIGMAS * sigma(0.95, CELLS)


def test_bounds_of_the_mean_of_a_large_cell_say_something() -> None:
    present = np.full(CELLS, 30_000, dtype=np.int64)
    low, high = bounds(
        Statistic(name="s", agg="mean", column="n"), {"total": 20 * present, "present": present}, rows=1
    )
    assert float(np.max(high - low)) < 0.05
