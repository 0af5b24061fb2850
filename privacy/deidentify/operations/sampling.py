"""Samples of exact size: of rows or of persons with all their rows, simple or proportional to strata.

Answers with the rows to take, in the order of the table.
"""

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.operations.columns import Persons, places_within
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.randomness import Draws
from privacy.deidentify.table import Codes
from privacy.words import Words

Rows = NDArray[np.intp]


def sample(rows: int, *, size: int, draws: Draws, unit: Persons | None = None) -> Rows:
    """A simple random sample without replacement of `size` rows, or of `size` persons with all their rows."""
    entities = _entities(rows, unit)
    count = int(entities.max(initial=-1)) + 1
    _fits(size, count)
    chosen = np.zeros(count, dtype=np.bool_)
    chosen[draws.choice(count, size, replace=False, shuffle=False)] = True
    return np.flatnonzero(chosen[entities])


def stratified(strata: Codes, *, size: int, draws: Draws, unit: Persons | None = None) -> Rows:
    """A sample of `size` rows (persons) that gives each stratum its share, by the largest remainders.

    Each stratum gets the whole part of its quota; what is left goes to the largest remainders, at equality to
    the stratum that comes first (Hamilton's rule). A person whose rows lie in two strata is a fault.
    """
    entities = _entities(len(strata), unit)
    count = int(entities.max(initial=-1)) + 1
    _fits(size, count)
    # The last row's stratum of each person, then every row is held against it.
    own = np.zeros(count, dtype=np.int32)
    own[entities] = strata
    wrong = np.unique(entities[own[entities] != strata])
    if len(wrong):
        raise BadOperation(
            Words(
                ja=f"{len(wrong)} 人の行が 2 つ以上の層にまたがっています。",
                en=f"{len(wrong)} persons have rows in more than one stratum",
            )
        )
    # Persons in random order inside each stratum: its first so many are a simple random sample of it.
    order = np.lexsort((draws.random(count), own))
    chosen = np.zeros(count, dtype=np.bool_)
    chosen[order] = places_within(own[order])[0] < shares(np.bincount(own), size)[own[order]]
    return np.flatnonzero(chosen[entities])


def shares(sizes: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """`size` split in proportion to `sizes` in whole numbers that add up to it."""
    # Quotients and remainders in whole numbers: float quotas could tie or not by rounding alone.
    quotas = sizes.astype(np.int64) * size
    total = int(sizes.sum())
    whole, rest = quotas // total, quotas % total
    whole[np.argsort(-rest, kind="stable")[: size - int(whole.sum())]] += 1
    return whole


def _entities(rows: int, unit: Persons | None) -> NDArray[np.int64]:
    """For each row the number of what is drawn: itself, or its person, counted from 0 without gaps."""
    if unit is None:
        return np.arange(rows, dtype=np.int64)
    return np.unique(unit, return_inverse=True)[1].astype(np.int64)


def _fits(size: int, count: int) -> None:
    if not 1 <= size <= count:
        raise BadOperation(
            Words(
                ja=f"{count} 件から {size} 件を抽出することはできません。",
                en=f"a sample of {size} cannot be taken from {count}",
            )
        )
