"""Our answers: exact integers once, then noise drawn and released again and again through the real path."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.accuracy.cases import Case
from bench.accuracy.registers import Register
from datasets.engines.base import EngineLimits, Place
from datasets.engines.duckdb import DuckdbEngine
from datasets.engines.format import ENGINE
from privacy.answer import release, table
from privacy.noise import OpendpNoise
from privacy.plan import Plan, plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Measured errors: root mean square with its standard error, 95th percentile of the size, and bias."""

    rmse: float
    rmse_se: float
    p95: float
    bias: float
    runs: int

    @classmethod
    def of(cls, values: np.ndarray, exact: np.ndarray) -> "Errors":
        """From released values, a row a run. The standard error is that of means over independent runs."""
        errors = values - exact
        squares = (errors**2).mean(axis=1)
        rmse = float(np.sqrt(squares.mean()))
        spread = float(squares.std(ddof=1) / np.sqrt(len(squares))) if len(squares) > 1 else 0.0
        return cls(
            rmse=rmse,
            rmse_se=spread / (2 * rmse) if rmse else 0.0,
            p95=float(np.quantile(np.abs(errors), 0.95)),
            bias=float(errors.mean()),
            runs=len(values),
        )


def measure(case: Case, register: Register, epsilon: str, temporary: Path, runs: int | None = None) -> Errors:
    """Draw a case `runs` times."""
    planned = plan(case.query(epsilon), register.schema)
    values = draws(planned, register, temporary, case.runs if runs is None else runs)
    return Errors.of(values, case.exact(register))


def draws(planned: Plan, register: Register, temporary: Path, runs: int) -> np.ndarray:
    """The released values, a row a run: a number a cell, or a number a quantile."""
    limits = EngineLimits(threads=1, timeout_s=600, temporary=temporary)
    exact = DuckdbEngine(limits).exact(planned, Place(ENGINE, register.folder), "bench")
    noise = OpendpNoise()
    (part,) = planned.measurements
    found = []
    for _ in range(runs):
        released = {
            column.name: column.values for column in table(planned, release(planned, exact, noise)).columns
        }
        found.append([float(value) for name in part.names for value in released[name]])
    return np.array(found)
