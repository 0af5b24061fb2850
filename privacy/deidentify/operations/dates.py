"""Dates of one person shifted together, so that the times between them stay and the calendar does not.

Refuses whatever is not an ISO date (2026-11-22) or missing. A publicly known event in a history gives its shift away.
"""

import re
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.operations.columns import MISSING, Persons, places_in_use
from privacy.deidentify.operations.edges import Edge, kept_inside
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.operations.numbers import rows_named
from privacy.deidentify.randomness import Draws
from privacy.deidentify.table import Column
from privacy.words import Words

DAYS_MAX = 36_525
"""A hundred years: further shifts leave no season, age or weekday to use."""
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Shifted:
    """The shifted column, and how many of its cells met a bound: there times between dates did change."""

    column: Column
    at_bounds: int


def offsets(persons: int, *, days: int, draws: Draws, zero: bool = False) -> NDArray[np.int64]:
    """A number of days for each person, uniform in ±`days`; 0 only where `zero` allows it."""
    if not 1 <= days <= DAYS_MAX:
        raise BadOperation(
            Words(
                ja=f"日付をずらす日数は 1 から {DAYS_MAX} まででなければなりません（指定された値：{days}）。",
                en=f"dates are shifted by 1 to {DAYS_MAX} days, not {days}",
            )
        )
    if zero:
        return draws.integers(-days, days + 1, persons)
    # Uniform over the 2 × days other numbers: what lies at 0 or above moves up by one, over the 0.
    drawn = draws.integers(-days, days, persons)
    return drawn + (drawn >= 0)


def shift(
    column: Column,
    days: NDArray[np.int64],
    *,
    unit: Persons,
    low: date | None = None,
    high: date | None = None,
    edge: Edge = Edge.REFLECT,
) -> Shifted:
    """The dates of each row moved by `days[unit[row]]`, brought back into [low, high] at its edge.

    Give the columns of a table the same `days` and they keep their distances too.
    """
    # Without bounds of the plan, Python's: a shift must not leave the years 1 to 9999.
    first, last = (low or date.min).toordinal(), (high or date.max).toordinal()
    if first > last:
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の日付：from {low} が to {high} より後です。",
                en=f"dates of column {column.name}: from {low} lies after to {high}",
            )
        )
    ordinals, known = _ordinals(column)
    moved = ordinals[column.codes] + days[unit]
    inside = kept_inside(moved, low=first, high=last, edge=edge)
    here = known[column.codes]
    # Day 0 does not exist in Python's count, which begins with 1: it stands for missing.
    distinct, new = np.unique(np.where(here, inside, 0), return_inverse=True)
    texts = [date.fromordinal(day).isoformat() if day else MISSING for day in distinct.tolist()]
    result = Column(column.name, tuple(texts), new.astype(np.int32))
    return Shifted(result, int(((moved != inside) & here).sum()))


def _ordinals(column: Column) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Day numbers of the values, and which of them are dates; raises `BadOperation` for a text in use that is neither

    a date nor missing.
    """
    days = np.zeros(len(column.values), dtype=np.int64)
    bad = np.zeros(len(column.values), dtype=np.bool_)
    for place in places_in_use(column):
        try:
            days[place] = _ordinal(column.values[place])
        except ValueError:
            bad[place] = True
    if bad.any():
        rows = rows_named(bad[column.codes])
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の値は 2026-11-22 の形の日付でなければなりませんが、{rows.ja}が違います。",
                en=f"column {column.name} must hold dates as 2026-11-22: {rows.en} do not",
            )
        )
    return days, days > 0


def _ordinal(text: str) -> int:
    if text == MISSING:
        return 0
    # Since Python 3.11 fromisoformat reads 20261122 and 2026-W47-7 too, which would be published as other texts.
    if not _ISO.fullmatch(text):
        raise ValueError
    return date.fromisoformat(text).toordinal()
