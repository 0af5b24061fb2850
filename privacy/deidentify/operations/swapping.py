"""Exchange of values between records: the column's multiset of texts stays exactly what it was.

Missing cells stay where they are. The seed undoes a swap, so it is kept apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.operations.columns import MISSING, places_within
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.operations.numbers import Numbers
from privacy.deidentify.randomness import Draws
from privacy.deidentify.table import Codes, Column
from privacy.words import Words

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Swapped:
    """The column after the exchange, and how many cells had no partner and kept their value for that reason."""

    column: Column
    alone: int


def rank_swap(
    column: Column,
    *,
    percent: float,
    draws: Draws,
    strata: Codes | None = None,
    as_text: bool = False,
    kept: frozenset[str] = frozenset(),
) -> Swapped:
    """Values exchanged between records whose ranks differ by at most `percent` % of the records (Moore 1996).

    Moore draws a partner from the next p % of ranks, one record after the other. Here the ranks are cut into
    runs at a random offset, so that all records are exchanged at once: in each run, in random order, every record
    gets the next one's value. The bound on ranks is the same, partners are nearer on average. Ranks are those
    within the stratum where `strata` (a code per row) is given; equal values are ranked at random. `as_text` orders
    texts, which is right for ISO dates. A record is `alone` where its stratum is too small for p % to be one rank.
    """
    if not 0 < percent <= 100:
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の swap の percent は 0 より大きく 100 以下でなければなりません"
                f"（指定された値：{percent:g}）。",
                en=f"swap of column {column.name} needs percent above 0 and up to 100, not {percent:g}",
            )
        )
    rows, order = _orders(column, as_text=as_text, kept=kept)
    strata = np.zeros(len(column), dtype=np.int32) if strata is None else strata
    # Random keys last: equal values are ranked at random, not by their place in the file.
    ranked = rows[np.lexsort((draws.random(len(rows)), order[rows], strata[rows]))]
    runs = _runs(strata[ranked], percent, draws)
    codes = column.codes.copy()
    mixed = np.lexsort((draws.random(len(ranked)), runs))
    source, sizes = _next_in_group(runs[mixed], shift=1)
    codes[ranked[mixed]] = column.codes[ranked[mixed][source]]
    alone = int((sizes < 2).sum())
    if alone == len(rows):
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の swap：{percent:g} % は、値 {len(rows)} 件の順位 1 つ分に足りません。",
                en=f"swap of column {column.name}: {percent:g} % is less than one rank of its {len(rows)} values",
            )
        )
    return Swapped(Column(column.name, column.values, codes), alone)


def record_swap(column: Column, *, share: float, draws: Draws, strata: Codes | None = None) -> Swapped:
    """The values of a random share of the records exchanged between records of the same stratum.

    With a geographic column, and strata of equal values in key attributes, this moves matched records between areas
    (Dalenius & Reiss 1982; Fienberg & McIntyre 2004); with the area as stratum it stays inside areas. A record
    gets a value other than its own wherever no value is held by more than half of the chosen of its stratum.
    """
    if not 0 < share <= 1:
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の record_swap の share は 0 より大きく 1 以下でなければなりません"
                f"（指定された値：{share:g}）。",
                en=f"record_swap of column {column.name} needs a share above 0 and up to 1, not {share:g}",
            )
        )
    known = np.array([value != MISSING for value in column.values], dtype=np.bool_)
    rows = np.flatnonzero(known[column.codes]) if len(column) else np.zeros(0, dtype=np.intp)
    chosen = np.sort(draws.choice(rows, round(len(rows) * share), replace=False)) if len(rows) else rows
    if len(chosen) < 2:
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の record_swap：値 {len(rows)} 件の {share:g} では 2 件に足りません。",
                en=f"record_swap of column {column.name}: {share:g} of its {len(rows)} values is less than two",
            )
        )
    strata = np.zeros(len(column), dtype=np.int32) if strata is None else strata
    order = chosen[np.lexsort((draws.random(len(chosen)), column.codes[chosen], strata[chosen]))]
    # Sorted by value, a shift as long as the commonest value's run takes every record to another value.
    groups = strata[order].astype(np.int64)
    source, sizes = _next_in_group(groups, shift=_largest(groups, column.codes[order]))
    codes = column.codes.copy()
    codes[order] = column.codes[order[source]]
    return Swapped(Column(column.name, column.values, codes), int((sizes < 2).sum()))


def _orders(column: Column, *, as_text: bool, kept: frozenset[str]) -> tuple[NDArray[np.intp], Ints]:
    """The rows to exchange, and for every row a number that puts its value in order."""
    if not as_text:
        order, known = Numbers.of(column, kept=kept).rows()
        return np.flatnonzero(known), order
    # Sorted twice, positions become ranks.
    places = np.argsort(np.argsort(np.array(column.values, dtype=object))).astype(np.int64)
    known = np.array([value != MISSING and value not in kept for value in column.values], dtype=np.bool_)
    return np.flatnonzero(known[column.codes]), places[column.codes]


def _runs(strata: Codes, percent: float, draws: Draws) -> Ints:
    """A run number for each record in rank order; the ranks of a run differ by at most percent of its stratum.

    Runs are as long as that allows less one, so that a single record left at either end joins its neighbours.
    """
    place, size = places_within(strata)
    # The trace above keeps 7 % of 100 records at 7, which floats make 7.000000000000001 or 6.999….
    reach = np.floor(size * percent / 100 + 1e-9).astype(np.int64)
    # A run of `length` records has ranks `length` - 1 apart; one spare rank is kept for a joined single record.
    length = np.where(reach == 1, 2, np.maximum(np.minimum(reach, size), 1))
    stratum = np.cumsum(place == 0) - 1
    # Cut at a random place: with fixed cuts a reader would know which ranks never change places.
    offset = np.floor(draws.random(int(stratum[-1]) + 1 if len(stratum) else 0)[stratum] * length)
    offset = np.where(reach < 2, 0, offset).astype(np.int64)
    both_ends_lonely = (offset == length - 1) & (size == length + 2)
    offset = np.where(both_ends_lonely, 0, offset)
    run, last = (place + offset) // length, (size - 1 + offset) // length
    lonely_end = (reach >= 2) & ((size + offset) % length == 1)
    run = np.where(lonely_end & (run == last), last - 1, run)
    lonely_start = (reach >= 2) & (offset == length - 1) & (last > 0)
    run = np.where(lonely_start & (run == 0), 1, run)
    begins: NDArray[np.bool_] = (np.diff(run, prepend=-1) != 0) | (place == 0)
    return np.cumsum(begins) - 1


def _largest(groups: Ints, codes: Codes) -> Ints:
    """For rows sorted by group and code: how often the commonest code of the row's group occurs."""
    block = np.cumsum((np.diff(groups, prepend=-1) != 0) | (np.diff(codes, prepend=-1) != 0)) - 1
    counts = np.bincount(block)
    group = np.cumsum(np.diff(groups, prepend=-1) != 0) - 1
    most = np.zeros(int(group[-1]) + 1, dtype=np.int64)
    np.maximum.at(most, group, counts[block])
    found: Ints = most[group]
    return found


def _next_in_group(groups: Ints, shift: Ints | int) -> tuple[NDArray[np.intp], Ints]:
    """For ascending groups: the row `shift` places on, round the circle of the group; and the groups' sizes."""
    place, size = places_within(groups)
    here = np.arange(len(groups))
    return here - place + (place + shift) % np.maximum(size, 1), size
