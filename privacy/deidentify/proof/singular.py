"""Singular descriptions (特異な記述, item 4 of the standard): values, tails and combinations that few persons hold.

Finds them and says where; what is done about them is a reviewer's choice.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify import classes as cl
from privacy.deidentify.classes import Mask, Places
from privacy.deidentify.errors import DeidentifyError
from privacy.deidentify.table import Codes, Table

SUBSETS_MAX = 20_000
"""Sets of columns that are looked at; 9 columns have 129 of up to three, 40 have 10,700."""


@dataclass(frozen=True, slots=True, eq=False)
class Singular:
    """The rows (ascending, from 0) that are rare in these columns, though in no part of them."""

    columns: tuple[str, ...]
    rows: Places


@dataclass(frozen=True, slots=True, eq=False)
class SpecialUniques:
    """The minimal sample uniques, smaller sets of columns first, and each row's SUDA score (0: it has none)."""

    found: tuple[Singular, ...]
    scores: NDArray[np.float64]


def special_uniques(table: Table, names: Sequence[str], *, size: int = 3) -> SpecialUniques:
    """Minimal sample uniques of up to `size` columns, and the SUDA score of every row.

    A row is a minimal sample unique on a set of columns if no other row has its values there, and the same
    holds of no part of the set (SUDA2: Elliot, Manning & Ford, 2002; Manning, Haglin & Keane, 2008). A set of k
    of the n columns scores Π_{i=k}^{min(size, n-1)} (n - i), a row the sum over its sets.
    """
    found = tuple(rare_combinations(table, names, size=size, persons_min=2))
    scores = np.zeros(table.rows)
    for one in found:
        scores[one.rows] += suda_score(len(one.columns), columns=len(names), size=size)
    return SpecialUniques(found, scores)


def suda_score(k: int, *, columns: int, size: int) -> float:
    """The score of one minimal unique on k columns; 1 on all columns."""
    return float(math.prod(columns - i for i in range(k, min(size, columns - 1) + 1)))


def rare_combinations(
    table: Table, names: Sequence[str], *, size: int, persons_min: int, units: Codes | None = None
) -> Iterator[Singular]:
    """Per set of up to `size` columns the rows whose values fewer than `persons_min` persons hold,

    rows that a part of the set already makes rare left out; sets without such rows are not told. `units`
    [rows] names each row's person; without it a row is a person. Too many sets are a fault.
    """
    size = min(size, len(names))
    sets = sum(math.comb(len(names), k) for k in range(1, size + 1))
    if sets > SUBSETS_MAX:
        raise DeidentifyError(
            f"{len(names)} columns have {sets} combinations of up to {size}; at most {SUBSETS_MAX} are looked at"
        )
    rare: dict[tuple[str, ...], Places] = {}
    for k in range(1, size + 1):
        wider: dict[tuple[str, ...], Places] = {}
        for subset in combinations(names, k):
            rows = _rare(table, subset, persons_min, units)
            fresh = _without(rows, [rare[part] for part in combinations(subset, k - 1) if k > 1], table.rows)
            wider[subset] = rows
            if len(fresh):
                yield Singular(subset, fresh)
        rare = wider


def _rare(table: Table, names: Sequence[str], persons_min: int, units: Codes | None) -> Places:
    """The rows in classes of fewer persons."""
    found = cl.classes(table, names)
    few = found.sizes < persons_min
    if units is not None and persons_min > 1:
        few |= cl.persons(found, units) < persons_min
    return np.flatnonzero(few[found.of]) if few.any() else np.zeros(0, dtype=np.intp)


def _without(rows: Places, parts: Sequence[Places], length: int) -> Places:
    if not len(rows) or not any(len(part) for part in parts):
        return rows
    fresh: Mask = np.zeros(length, dtype=np.bool_)
    fresh[rows] = True
    for part in parts:
        fresh[part] = False
    return np.flatnonzero(fresh)


def rare_values(table: Table, name: str, *, persons_min: int, units: Codes | None = None) -> Singular:
    """The rows whose value of a column fewer than `persons_min` persons hold."""
    return Singular((name,), _rare(table, [name], persons_min, units))


@dataclass(frozen=True, slots=True, eq=False)
class Tails:
    """The rows beyond two caps: `low` is the least number with enough persons at or below it, `high` the mirror.

    Where fewer persons than that have a number at all, every such row is in both tails and the caps are
    NaN.
    """

    low: float
    high: float
    below: Places
    above: Places


def tails(numbers: NDArray[np.float64], *, persons_min: int, units: Codes | None = None) -> Tails:
    """The numbers [rows] so far out that fewer than `persons_min` persons reach them; NaN is in no tail.

    Setting the tails to the caps (トップ(ボトム)コーディング) leaves at least `persons_min` persons at each.
    """
    rows = np.flatnonzero(~np.isnan(numbers))
    high = _cap(-numbers[rows], persons_min, None if units is None else units[rows])
    low = _cap(numbers[rows], persons_min, None if units is None else units[rows])
    if math.isnan(low):
        return Tails(low, -high, rows, rows)
    return Tails(low, -high, rows[numbers[rows] < low], rows[numbers[rows] > -high])


def _cap(numbers: NDArray[np.float64], persons_min: int, units: Codes | None) -> float:
    """The least of the numbers that at least so many persons lie at or below, by their own least number."""
    if units is not None:
        least = np.full(int(units.max(initial=-1)) + 1, np.inf)
        np.minimum.at(least, units, numbers)
        numbers = least[np.isfinite(least)]
    if len(numbers) < max(1, persons_min):
        return math.nan
    return float(np.partition(numbers, max(1, persons_min) - 1)[max(1, persons_min) - 1])
