"""What is measured: a case is one entry of CASES. Exact values are computed here with NumPy, not by our engine."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from bench.accuracy import theory
from bench.accuracy.registers import Register, Rows
from bench.accuracy.theory import Expected
from bench.peers.job import Task
from privacy.budget import Price
from privacy.quantiles import Quantiles
from privacy.query import Compare, Key, Query, Statistic

DECILES = tuple(place / 10 for place in range(1, 10))
RUNS, RUNS_OF_CHOICES, RUNS_OF_DECILES = 1_000, 100, 50
NAME = "asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One statistic of one register. `value` is the column aggregated, clamped to `clamp`."""

    name: str
    register: str
    agg: str
    value: str | None = None
    clamp: tuple[int, int] = (0, 1)
    group: str | None = None
    q: tuple[float, ...] = ()
    person_clamp: tuple[int, int] | None = None
    numerator: tuple[str, str, int] | None = None

    @property
    def runs(self) -> int:
        """How often ours is drawn."""
        if not self.q or self.clamp[1] - self.clamp[0] < 200:
            return RUNS
        return RUNS_OF_CHOICES if len(self.q) == 1 else RUNS_OF_DECILES

    def query(self, epsilon: str) -> Query:
        """The question at a price for the whole of it."""
        column, clamp = (self.value, self.clamp) if self.takes_numbers else (None, None)
        statistic = Statistic(
            name=NAME,
            agg=self.agg,
            column=column,
            clamp=clamp,
            per_person_clamp=self.person_clamp,
            q=tuple(Decimal(str(level)) for level in self.q) or None,
            numerator=self._condition(),
        )
        keys = () if self.group is None else (Key(column=self.group),)
        return Query(select=(statistic,), budget=Price.parse(epsilon), group_by=keys)

    @property
    def takes_numbers(self) -> bool:
        """Whether the statistic is one of a numeric column."""
        return self.agg not in ("count", "count_persons", "ratio")

    def at(self, epsilon: str) -> str:
        """The case's name at a price."""
        return f"{self.register}: {self.name} at {epsilon}"

    def _condition(self) -> Compare | None:
        if self.numerator is None:
            return None
        column, label, _ = self.numerator
        return Compare(column=column, op="=", values=(label,))

    def rows(self, register: Register) -> Rows:
        """The rows behind it."""
        return register.rows(self.value, self.group)

    def exact(self, register: Register) -> np.ndarray:
        """The true answer: a number a cell, or a number a quantile."""
        return EXACT[self.agg](self, self.rows(register), register.cells(self.group))

    def task(self, register: Register, data: str, epsilon: str, runs: int) -> Task:
        """The same question to a peer."""
        return Task(
            name=self.at(epsilon),
            data=data,
            agg="person_sum" if self.person_clamp else self.agg,
            epsilon=float(epsilon),
            runs=runs,
            rows_per_person=register.schema.rows_per_person,
            groups=0 if self.group is None else register.cells(self.group),
            low=(self.person_clamp or self.clamp)[0],
            high=(self.person_clamp or self.clamp)[1],
            quantiles=self.q,
        )


# Exact values


def _clipped(case: Case, rows: Rows) -> np.ndarray:
    return np.clip(rows.value, *case.clamp).astype(np.float64)


def _per_cell(rows: Rows, weights: np.ndarray | None, cells: int) -> np.ndarray:
    return np.bincount(rows.group, weights=weights, minlength=cells).astype(np.float64)


def _count(case: Case, rows: Rows, cells: int) -> np.ndarray:
    return _per_cell(rows, None, cells)


def _count_persons(case: Case, rows: Rows, cells: int) -> np.ndarray:
    seen = np.unique(np.stack([rows.group, rows.person]), axis=1)
    return np.bincount(seen[0], minlength=cells).astype(np.float64)


def _sum(case: Case, rows: Rows, cells: int) -> np.ndarray:
    if case.person_clamp is not None:
        totals = np.bincount(rows.person, weights=_clipped(case, rows))
        return np.array([np.clip(totals, *case.person_clamp).sum()])
    return _per_cell(rows, _clipped(case, rows), cells)


def _mean(case: Case, rows: Rows, cells: int) -> np.ndarray:
    """Of empty cells nothing is asked: 0 / 1."""
    return _sum(case, rows, cells) / np.maximum(1, _count(case, rows, cells))


def _variance(case: Case, rows: Rows, cells: int) -> np.ndarray:
    distance = (_clipped(case, rows) - _mean(case, rows, cells)[rows.group]) ** 2
    return _per_cell(rows, distance, cells) / np.maximum(1, _count(case, rows, cells))


def _stddev(case: Case, rows: Rows, cells: int) -> np.ndarray:
    return np.sqrt(_variance(case, rows, cells))


def _quantiles(case: Case, rows: Rows, cells: int) -> np.ndarray:
    """The least value that at least q·n values do not exceed."""
    ordered = np.sort(np.clip(rows.value, *case.clamp))
    places = [-(-Fraction(str(level)) * len(ordered) // 1) - 1 for level in case.q]
    return np.array([ordered[max(0, int(place))] for place in places], dtype=np.float64)


def _ratio(case: Case, rows: Rows, cells: int) -> np.ndarray:
    assert case.numerator is not None
    return np.array([np.mean(rows.value == case.numerator[2])])


EXACT: dict[str, Callable[[Case, Rows, int], np.ndarray]] = {
    "count": _count,
    "count_persons": _count_persons,
    "sum": _sum,
    "mean": _mean,
    "variance": _variance,
    "stddev": _stddev,
    "quantile": _quantiles,
    "ratio": _ratio,
}


# Theory


def expected(case: Case, register: Register, epsilon: float, estimator: object) -> Expected | None:
    """What the mechanism should err by; None where it is not worked out."""
    rows, cells = case.rows(register), register.cells(case.group)
    low, high = case.clamp
    k = register.schema.rows_per_person
    count, reach = _count(case, rows, cells), max(abs(low), abs(high))
    match case.agg:
        case "count":
            return theory.laplace(k, epsilon)
        case "count_persons":
            return theory.laplace(min(k, cells), epsilon)
        case "sum" if case.person_clamp is not None:
            return theory.laplace(min(k * reach, max(map(abs, case.person_clamp))), epsilon)
        case "sum":
            return theory.laplace(k * reach, epsilon)
        case "mean":
            return theory.mean(count, _mean(case, rows, cells), low, high, k, epsilon)
        case "variance" | "stddev":
            means, variances = _mean(case, rows, cells), _variance(case, rows, cells)
            root = case.agg == "stddev"
            return theory.variance(count, means, variances, low, high, k, epsilon, root)
        case "ratio":
            return theory.share(count, _ratio(case, rows, cells), k, epsilon)
        case "quantile":
            assert isinstance(estimator, Quantiles)
            return _expected_quantiles(case, rows, k, epsilon, estimator)
    raise AssertionError(case.agg)


def _expected_quantiles(
    case: Case, rows: Rows, k: int, epsilon: float, estimator: Quantiles
) -> Expected | None:
    """Of choices; the error of splits and trees is not worked out. Best for several: recursive splitting."""
    histogram, middles = binned(case, rows, estimator.width)
    exact = _quantiles(case, rows, 1)
    if len(case.q) == 1:
        return theory.choice(histogram, middles, exact[0], case.q[0], k, epsilon)
    best = theory.recursive_splitting(histogram, middles, exact, case.q, k, epsilon).rmse
    if estimator.by_tree or estimator.by_splits:
        return Expected(rmse=math.nan, p95=math.nan, best=best)
    each = [
        theory.choice(histogram, middles, value, q, k, epsilon / len(case.q)).rmse
        for q, value in zip(case.q, exact, strict=True)
    ]
    return Expected(rmse=float(np.sqrt(np.mean(np.square(each)))), p95=math.nan, best=best)


def binned(case: Case, rows: Rows, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts by bins of that width over the clamp, and the middles of the bins."""
    low, high = case.clamp
    bins = (high - low) // width + 1
    places = (np.clip(rows.value, low, high) - low) // width
    first = low + np.arange(bins) * width
    return np.bincount(places, minlength=bins), (first + np.minimum(first + width - 1, high)) / 2


AGE, INCOME, AMOUNT = (0, 99), (0, 10_000_000), (0, 300_000)


def _quantile_cases(register: str, value: str, clamp: tuple[int, int]) -> list[Case]:
    names = {"median": (0.5,), "90th percentile": (0.9,), "nine deciles": DECILES}
    return [
        Case(name=f"{name} of {value}", register=register, agg="quantile", value=value, clamp=clamp, q=q)
        for name, q in names.items()
    ]


CASES: list[Case] = [
    Case(name="persons", register="adult", agg="count"),
    Case(name="persons by education (16)", register="adult", agg="count", group="education"),
    Case(name="share of men", register="adult", agg="ratio", value="sex", numerator=("sex", "Male", 1)),
    Case(name="sum of age", register="adult", agg="sum", value="age", clamp=AGE),
    Case(name="mean age", register="adult", agg="mean", value="age", clamp=AGE),
    Case(
        name="mean age by race (5)",
        register="adult",
        agg="mean",
        value="age",
        clamp=AGE,
        group="race",
    ),
    Case(name="variance of age", register="adult", agg="variance", value="age", clamp=AGE),
    Case(name="deviation of age", register="adult", agg="stddev", value="age", clamp=AGE),
    *_quantile_cases("adult", "age", AGE),
    Case(name="sum of income", register="residents", agg="sum", value="income", clamp=INCOME),
    Case(name="mean income", register="residents", agg="mean", value="income", clamp=INCOME),
    Case(
        name="mean income by district (12)",
        register="residents",
        agg="mean",
        value="income",
        clamp=INCOME,
        group="district",
    ),
    Case(name="variance of income", register="residents", agg="variance", value="income", clamp=INCOME),
    Case(name="deviation of income", register="residents", agg="stddev", value="income", clamp=INCOME),
    *_quantile_cases("residents", "income", INCOME),
    Case(name="benefits", register="care", agg="count"),
    Case(name="benefits by service (9)", register="care", agg="count", group="service"),
    Case(name="recipients", register="care", agg="count_persons"),
    Case(name="recipients by service (9)", register="care", agg="count_persons", group="service"),
    Case(name="sum of amount", register="care", agg="sum", value="amount", clamp=AMOUNT),
    Case(
        name="sum of amount, persons clamped",
        register="care",
        agg="sum",
        value="amount",
        clamp=AMOUNT,
        person_clamp=(0, 2_000_000),
    ),
    Case(name="mean amount", register="care", agg="mean", value="amount", clamp=AMOUNT),
    Case(name="variance of amount", register="care", agg="variance", value="amount", clamp=AMOUNT),
    Case(name="median of amount", register="care", agg="quantile", value="amount", clamp=AMOUNT, q=(0.5,)),
]
