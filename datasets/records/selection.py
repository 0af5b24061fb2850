"""Which rows of the source a proposal asks for: by conditions on their texts, and by a seeded sample."""

import numpy as np
from numpy.typing import NDArray

from datasets.records.plan.plan import RowCondition, Sampling
from privacy.deidentify.errors import BadTable
from privacy.deidentify.operations import sampling
from privacy.deidentify.randomness import Draws
from privacy.deidentify.table import Codes, Column, Table
from privacy.words import Words


def chosen(table: Table, conditions: tuple[RowCondition, ...]) -> NDArray[np.bool_]:
    """The rows that meet every condition."""
    rows = np.ones(table.rows, dtype=np.bool_)
    for condition in conditions:
        column = table[condition.attribute]
        rows &= _meeting(column, condition)[column.codes]
    if not rows.any():
        raise BadTable(
            Words(
                ja="計画の条件（where）を満たす行がデータにありません",
                en="no row of the data meets the plan's conditions (where)",
            )
        )
    return rows


def _meeting(column: Column, condition: RowCondition) -> NDArray[np.bool_]:
    """Which values of a column meet a condition: listed, or between two numbers, or between two texts."""
    if condition.values:
        wanted = frozenset(condition.values)
        return np.array([value in wanted for value in column.values], dtype=np.bool_)
    low, high = condition.low, condition.high
    # If one bound is no number both are compared as texts, as for dates in ISO 8601.
    bounds = [_number(bound) for bound in (low, high) if bound is not None]
    if all(bound is not None for bound in bounds):
        least = -np.inf if low is None else float(low)
        most = np.inf if high is None else float(high)
        # What is no number becomes NaN, which lies between no bounds.
        numbers = np.array([_number(value) for value in column.values], dtype=np.float64)
        return (numbers >= least) & (numbers <= most)
    return np.array([(low or "") <= value <= (high or value) for value in column.values], dtype=np.bool_)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def sampled(rows: int, wanted: Sampling, *, unit: Codes | None, draws: Draws) -> NDArray[np.intp]:
    """The rows of a sample, in their order: whole persons where `unit` names each row's."""
    # Persons are drawn, not rows: half of a person's rows would still point to that person.
    entities = rows if unit is None else len(np.unique(unit))
    size = wanted.rows if wanted.rows is not None else max(1, round(entities * (wanted.share or 1.0)))
    if size > entities:
        raise BadTable(
            Words(
                ja=f"{size} 件の標本が指定されていますが、{entities} 件しかありません",
                en=f"a sample of {size} is asked for, and there are {entities}",
            )
        )
    return sampling.sample(rows, size=size, draws=draws, unit=unit)
