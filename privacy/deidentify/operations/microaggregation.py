"""Microaggregation: records in groups of at least k persons, each number replaced by its group's mean or median.

Which groups: `grouping.py`. Refuses a column with fewer than k persons who have a number. Not differential privacy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.operations.columns import MISSING, Persons, persons_in, places_within
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.operations.grouping import Method, PersonGroups, Points, group_many, group_one
from privacy.deidentify.operations.numbers import Numbers, Units
from privacy.deidentify.table import Codes, Column
from privacy.words import Words

COLUMNS_MAX = 16
"""Distances over more columns tell rows hardly apart, and every pattern of missing cells makes groups of its own."""


class Centre(StrEnum):
    """What stands for a group."""

    MEAN = "mean"
    MEDIAN = "median"


@dataclass(frozen=True, slots=True, eq=False)
class Aggregated:
    """The columns with their groups' centres, and what that did.

    `smallest` is the fewest persons in a group; `lost` is SSE / SST over the standardised columns, 0 for nothing
    lost and 1 for everything; `blanked` counts cells of rows that no group of k could take. `group` is a code per
    row, -1 for rows in none.
    """

    columns: tuple[Column, ...]
    group: Codes
    groups: int
    smallest: int
    lost: float
    method: Method
    blanked: int


def microaggregate(
    columns: Sequence[Column],
    *,
    k: int,
    centre: Centre = Centre.MEAN,
    unit: Persons | None = None,
    kept: frozenset[str] = frozenset(),
) -> Aggregated:
    """Numeric columns, alone or together, with each number replaced by the centre of its group of k persons or more.

    Rows are grouped with those that have numbers in the same columns, and distances are over the columns divided
    by their standard deviations; where fewer than k persons share such a pattern their numbers are blanked. Centres
    are rounded half to even to the column's decimal places, so a column's sum moves by at most half a unit a row.
    """
    if k < 2 or not 1 <= len(columns) <= COLUMNS_MAX:
        raise BadOperation(
            Words(
                ja=f"microaggregate の k は 2 以上、項目は 1 個から {COLUMNS_MAX} 個まででなければなりません"
                f"（指定された値：k = {k}）。",
                en=f"microaggregate needs k of at least 2 and 1 to {COLUMNS_MAX} columns, not k = {k}",
            )
        )
    read = [Numbers.of(column, kept=kept) for column in columns]
    units = [numbers.rows()[0] for numbers in read]
    known = np.array([numbers.rows()[1] for numbers in read])
    numbered: NDArray[np.bool_] = np.logical_or.reduce(known)
    persons = persons_in(unit, numbered)
    if persons < k:
        raise BadOperation(
            Words(
                ja=f"項目 {_names(columns)} の microaggregate：数値のある {persons} "
                f"{'件' if unit is None else '人'}から k = {k} のグループを作ることはできません。",
                en=f"microaggregate of {_names(columns)}: groups of k = {k} cannot be made of {persons} "
                f"{'rows' if unit is None else 'persons'} with a number",
            )
        )
    points = _standardised(units, known)
    group, method = _grouped(points, known, k, unit)
    if (group < 0).all():
        raise BadOperation(
            Words(
                ja=f"項目 {_names(columns)} の microaggregate：同じ項目に数値のある人が {k} 人そろいません。",
                en=f"microaggregate of {_names(columns)}: no {k} persons have numbers in the same columns",
            )
        )
    return Aggregated(
        columns=tuple(
            _with_centres(numbers, _centres(values, group, centre), group)
            for numbers, values in zip(read, units, strict=True)
        ),
        group=group,
        groups=int(group.max()) + 1,
        smallest=_smallest(group, unit),
        lost=_lost(points, known, group),
        method=method,
        blanked=int((known & (group < 0)).sum()),
    )


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(column.name for column in columns)


def _standardised(units: Sequence[Units], known: NDArray[np.bool_]) -> Points:
    """The columns less their means and divided by their deviations; a constant column is all 0."""
    points = np.zeros(known.shape)
    for place, (values, here) in enumerate(zip(units, known, strict=True)):
        if here.any():
            centred = values[here] - values[here].mean()
            points[place, here] = centred / (centred.std() or 1.0)
    return points


def _grouped(points: Points, known: NDArray[np.bool_], k: int, unit: Persons | None) -> tuple[Codes, Method]:
    """The group of each row, -1 for none, made apart for each pattern of columns with a number."""
    # Each pattern of missing cells apart: a distance over columns that one of two rows lacks means nothing.
    group, made, method = np.full(known.shape[1], -1, dtype=np.int32), 0, Method.OPTIMAL
    pattern = (1 << np.arange(len(known))) @ known
    for code in np.unique(pattern[pattern > 0]).tolist():
        rows, shown = np.flatnonzero(pattern == code), np.flatnonzero((code >> np.arange(len(known))) & 1)
        people = None if unit is None else unit[rows]
        if persons_in(people, np.ones(len(rows), dtype=np.bool_)) < k:
            continue
        found = _groups(points[np.ix_(shown, rows)], k, people)
        group[rows] = found.group + made
        made += int(found.group.max()) + 1
        # The least sure method of all patterns is the one reported.
        method = max(method, found.method, key=list(Method).index)
    return group, method


def _groups(points: Points, k: int, people: Persons | None) -> PersonGroups:
    return (
        group_one(points[0], k=k, unit=people) if len(points) == 1 else group_many(points, k=k, unit=people)
    )


def _centres(units: Units, group: Codes, centre: Centre) -> Units:
    """The centre of each group, in whole units, half to even."""
    rows = group >= 0
    if centre is Centre.MEAN:
        # Sums of differences from the least number: sums of the numbers themselves could leave the exact floats.
        counts = np.bincount(group[rows])
        base = units[rows].min()
        means: Units = np.rint(base + np.bincount(group[rows], units[rows] - base) / counts).astype(np.int64)
        return means
    order = np.lexsort((units[rows], group[rows]))
    place, size = places_within(group[rows][order])
    ranked = units[rows][order]
    # The mean of the two middle numbers, which are one where the size is odd.
    twice = ranked[place == (size - 1) // 2] + ranked[place == size // 2]
    # Half to even without floats: the shift rounds down, and an odd half with a remainder goes up.
    half = twice >> 1
    middle: Units = half + (twice & half & 1)
    return middle


def _with_centres(numbers: Numbers, centres: Units, group: Codes) -> Column:
    """Each number as its group's centre; numbers of rows in no group are blanked, other texts stay."""
    _, known = numbers.rows()
    column = numbers.written(np.where(group >= 0, centres[group], 0))
    alone = known & (group < 0)
    if not alone.any():
        return column
    values = column.values if MISSING in column.values else (*column.values, MISSING)
    codes = np.where(alone, values.index(MISSING), column.codes).astype(np.int32)
    return Column(column.name, values, codes)


def _smallest(group: Codes, unit: Persons | None) -> int:
    rows = group >= 0
    if unit is None:
        return int(np.bincount(group[rows]).min())
    span = int(unit.max()) + 1
    pairs = np.unique(group[rows].astype(np.int64) * span + unit[rows])
    return int(np.bincount(pairs // span).min())


def _lost(points: Points, known: NDArray[np.bool_], group: Codes) -> float:
    """SSE / SST of the grouped cells: squares about the groups' means, by those about the columns'."""
    # Blanked cells count in neither sum: they are reported by themselves.
    rows = group >= 0
    within, total = 0.0, 0.0
    for values, here in zip(points, known & rows, strict=True):
        if not here.any():
            continue
        counts = np.maximum(np.bincount(group[here]), 1)
        means = np.bincount(group[here], values[here]) / counts
        within += float(((values[here] - means[group[here]]) ** 2).sum())
        total += float(((values[here] - values[here].mean()) ** 2).sum())
    return within / total if total else 0.0
