"""Twenty margins of Adult as one workload, against twenty separate tables at a twentieth of the price each."""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np

from bench.accuracy.ours import draws
from bench.accuracy.registers import Register
from privacy.budget import Price
from privacy.plan import Plan, plan
from privacy.query import Key, Query, Statistic, WorkloadTable

AGES = tuple(range(0, 101, 10))
ONE_WAY = (
    *("age", "sex", "race", "marital_status", "education", "native_country", "workclass", "occupation"),
    "salary_class",
)
TWO_WAY = (
    *product(["sex"], ["age", "race", "marital_status", "education", "occupation", "salary_class"]),
    *product(["salary_class"], ["age", "race", "marital_status", "education", "occupation"]),
)
MARGINS: tuple[tuple[str, ...], ...] = (*((name,) for name in ONE_WAY), *TWO_WAY)
RUNS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Squared errors per table, summed over its cells: in one workload, and alone; and what was predicted.

    `total_se` is the standard error of the workload's total, `alone_se` that of the others'.
    """

    price: str
    together: np.ndarray
    alone: np.ndarray
    total_se: float
    alone_se: float
    predicted: float
    predicted_alone: float

    @property
    def gain(self) -> float:
        """How many times less the total squared error is."""
        return float(self.alone.sum() / self.together.sum())

    @property
    def gain_se(self) -> float:
        """The standard error of the gain."""
        relative = self.total_se / self.together.sum(), self.alone_se / self.alone.sum()
        return self.gain * float(np.hypot(*relative))


def compare(register: Register, price: str, temporary: Path, runs: int = RUNS) -> Compared:
    """Draw both ways `runs` times. The register's measure decides whether the price is ε or ρ."""
    exact = [_exact(register, margin) for margin in MARGINS]
    workload = plan(_workload(price), register.schema)
    part = Price(Price.parse(price).nano // len(MARGINS))
    single = [plan(_table(margin, part), register.schema) for margin in MARGINS]
    squares = (draws(workload, register, temporary, runs) - np.concatenate(exact)) ** 2
    ends = np.cumsum([len(cells) for cells in exact])[:-1]
    together = [cells.sum(axis=1) for cells in np.split(squares, ends, axis=1)]
    alone = [
        ((draws(planned, register, temporary, runs) - cells) ** 2).sum(axis=1)
        for planned, cells in zip(single, exact, strict=True)
    ]
    assert workload.layout.chosen is not None
    return Compared(
        price=price,
        together=np.array([table.mean() for table in together]),
        alone=np.array([table.mean() for table in alone]),
        total_se=float(np.sum(together, axis=0).std(ddof=1) / np.sqrt(runs)),
        alone_se=float(np.sum(alone, axis=0).std(ddof=1) / np.sqrt(runs)),
        predicted=_predicted(workload),
        predicted_alone=float(sum(_predicted(planned) for planned in single)),
    )


def in_rho(register: Register) -> Register:
    """The same register accounted in zCDP."""
    return replace(register, schema=replace(register.schema, measure="zcdp", delta=Fraction(1, 10**6)))


def _predicted(planned: Plan) -> float:
    """The total squared error that the plan itself expects."""
    (part,) = planned.measurements
    sizes = [
        np.prod([len(planned.axes[key].labels) for key in table.keys]) for table in planned.layout.tables
    ]
    return float(
        sum(
            size * distribution.deviation**2
            for size, distribution in zip(sizes, part.distributions, strict=True)
        )
    )


def _key(column: str) -> Key:
    return Key(column=column, bins=AGES if column == "age" else None)


def _table(margin: tuple[str, ...], price: Price) -> Query:
    count = Statistic(name="asked", agg="count")
    return Query(select=(count,), budget=price, group_by=tuple(_key(column) for column in margin))


def _workload(price: str) -> Query:
    tables = tuple(
        WorkloadTable(name="_".join(margin), group_by=tuple(_key(column) for column in margin))
        for margin in MARGINS
    )
    count = Statistic(name="asked", agg="count")
    return Query(select=(count,), budget=Price.parse(price), tables=tables)


def _exact(register: Register, margin: tuple[str, ...]) -> np.ndarray:
    """The margin's counts, cells in the order of its keys."""
    place, cells = np.zeros(1, dtype=np.int64), 1
    for column in margin:
        codes, size = register.rows(None, column).group, register.cells(column)
        if column == "age":
            codes, size = codes // 10, len(AGES) - 1
        place, cells = place * size + codes, cells * size
    return np.bincount(place, minlength=cells).astype(np.float64)
