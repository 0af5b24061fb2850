"""The groups of microaggregation: at least k persons each, as alike as can be had.

One column: the optimum by dynamic programme. Several: MDAV. Knows neither texts nor missing cells.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from privacy.deidentify.operations.columns import Persons, places_within
from privacy.deidentify.table import Codes

Points = NDArray[np.float64]
"""Coordinates by rows, or columns × rows: a row of the array is a column of the table."""
Ints = NDArray[np.int64]

CELLS_MAX = 1 << 24
"""The largest table of costs (rows × k) of one dynamic programme: 128 MiB."""
STEPS_MAX = 200_000
"""The most steps (rows / k) of one dynamic programme over all rows."""
PIECE_ROWS_MIN = 4_096
"""Long enough that the two groups at a cut are a small part of a piece."""
K_OPTIMAL_MAX = 1_000
MDAV_ROWS_MAX = 40_000
"""Up to here MDAV sees all rows at once; above, pieces of at most `MDAV_PIECE_ROWS`."""
MDAV_PIECE_ROWS = 10_000


class Method(StrEnum):
    """How the groups were found, the surer ones first: `microaggregation` reports the last of those used."""

    OPTIMAL = "optimal"
    """The least within-group sum of squares there is (Hansen & Mukherjee 2003)."""
    PIECEWISE = "piecewise"
    """The optimum inside pieces of thousands of sorted rows: only groups at the cuts can be worse."""
    IN_ORDER = "in_order"
    """Sorted rows cut as soon as k persons are together."""
    MDAV = "mdav"
    """Maximum distance to average vector (Domingo-Ferrer & Mateo-Sanz 2002), a heuristic."""
    MDAV_PIECES = "mdav_pieces"
    """MDAV inside pieces cut at medians."""


@dataclass(frozen=True, slots=True, eq=False)
class PersonGroups:
    """A group code from 0 for each row, every code in use."""

    group: Codes
    method: Method


def group_one(values: Points, *, k: int, unit: Persons | None = None) -> PersonGroups:
    """Groups of one column, of least within-group sum of squares, for at least k persons.

    The optimum consists of runs of k to 2k - 1 sorted rows (Domingo-Ferrer & Mateo-Sanz 2002), and the best runs
    are a shortest path (Hansen & Mukherjee 2003), O(n k). Above the limits on size the path is found in pieces; with
    k above 1,000, or with persons of several rows, rows are cut in order, which keeps k but is not optimal.
    """
    assert 1 <= k <= len(values)
    order = np.argsort(values, kind="stable")
    # The theorem counts rows: with several rows a person, runs of 2k - 1 rows may hold fewer than k persons.
    if unit is not None and len(np.unique(unit)) < len(unit):
        return _labelled(order, _cuts_by_persons(unit[order], k), Method.IN_ORDER)
    if k > K_OPTIMAL_MAX:
        return _labelled(order, np.arange(0, len(values) - k + 1, k), Method.IN_ORDER)
    ranked = values[order]
    # Registers have long runs of one value (an income of 0): shortened, the path is many times quicker.
    place, _ = places_within(_runs(ranked))
    kept = place < max(1, 5 * k - 4)
    cuts, method = _cuts(ranked[kept], k)
    labels = np.zeros(len(values), dtype=np.int64)
    labels[kept] = _labels(cuts, int(kept.sum()))
    labels[~kept] = _pure(ranked[kept], cuts, ranked[~kept])
    group = np.zeros(len(values), dtype=np.int32)
    group[order] = labels
    return PersonGroups(group, method)


def _runs(ranked: Points) -> Ints:
    """A number for each run of equal sorted values."""
    return np.cumsum(np.diff(ranked, prepend=ranked[:1]) > 0)


def _pure(ranked: Points, cuts: Ints, more: Points) -> Ints:
    """A group that holds nothing but its value, for each further row of a value that 5k - 4 rows hold already.

    Groups shared with a neighbouring value take at most 2k - 2 rows at either end of a run of equal rows, so at
    least k of 5k - 4 rows lie in groups of their own, at cost 0; and so the optimum of the shortened
    runs is the optimum of the whole.
    """
    last = np.append(cuts[1:], len(ranked)) - 1
    alone = np.flatnonzero(ranked[cuts] == ranked[last])
    return alone[np.searchsorted(ranked[cuts[alone]], more)]


def _labels(cuts: Ints, rows: int) -> Ints:
    marks = np.zeros(rows, dtype=np.int64)
    marks[cuts[1:]] = 1
    return np.cumsum(marks)


def _labelled(order: NDArray[np.intp], cuts: Ints, method: Method) -> PersonGroups:
    group = np.zeros(len(order), dtype=np.int32)
    group[order] = _labels(cuts, len(order))
    return PersonGroups(group, method)


def _cuts_by_persons(people: Persons, k: int) -> Ints:
    """Where groups begin if sorted rows are cut as soon as k persons are in; what is left joins the last group."""
    before = _previous(people)
    # A row counts where its person has none before it in the group: its last row lies before the group's start.
    starts, end, rows = [0], 0, len(people)
    while (end := _end(before, starts[-1], k)) < rows:
        starts.append(end)
    if len(starts) > 1 and int((before[starts[-1] :] < starts[-1]).sum()) < k:
        starts.pop()
    return np.array(starts, dtype=np.int64)


def _previous(people: Persons) -> Ints:
    """For each row the last row before it of the same person, -1 for none."""
    order = np.argsort(people, kind="stable")
    before = np.full(len(people), -1, dtype=np.int64)
    same = people[order][1:] == people[order][:-1]
    before[order[1:][same]] = order[:-1][same]
    return before


def _end(before: Ints, start: int, k: int) -> int:
    """The row after the first at which k persons are in since `start`, or the number of rows."""
    # Looked for in doubling windows: usually k persons are within 4k rows, and a whole cumsum a group is quadratic.
    width = 4 * k
    while True:
        fresh = np.cumsum(before[start : start + width] < start)
        if len(fresh) and fresh[-1] >= k:
            return start + int(np.searchsorted(fresh, k)) + 1
        if start + width >= len(before):
            return len(before)
        width *= 2


def _cuts(ranked: Points, k: int) -> tuple[Ints, Method]:
    """Where the groups of sorted rows begin."""
    rows = len(ranked)
    if rows * k <= CELLS_MAX and rows // k <= STEPS_MAX:
        return _paths(ranked[None, :], k)[0], Method.OPTIMAL
    width = max(PIECE_ROWS_MIN, 8 * k)
    pieces = rows // width - 1
    batch = max(1, CELLS_MAX // (width * k))
    # All pieces but the last are equally long, and go through the dynamic programme as lines of one array.
    cuts = [
        found + width * (first + place)
        for first in range(0, pieces, batch)
        for place, found in enumerate(
            _paths(ranked[width * first : width * min(first + batch, pieces)].reshape(-1, width), k)
        )
    ]
    cuts.append(_paths(ranked[None, width * pieces :], k)[0] + width * pieces)
    return np.concatenate(cuts), Method.PIECEWISE


def _paths(ranked: Points, k: int) -> list[Ints]:
    """For each line of sorted values where its optimal groups of at least k begin; k lengths at once, k rows a step.

    `best[i]` is the least cost of the first i rows, and its last group has k to 2k - 1 of them, so `best` of k
    rows in a row needs only what lies before all of them.
    """
    lines, rows = ranked.shape
    costs = _costs(ranked, k)
    # 2k - 1 places of infinite cost lie before row 0, so that a window over them needs no bounds.
    best = np.full((lines, 2 * k + rows), np.inf)
    best[:, 2 * k - 1] = 0.0
    before = sliding_window_view(best, k, axis=1)
    chosen = np.zeros((lines, rows + 1), dtype=np.int32)
    for start in range(k, rows + 1, k):
        end = min(start + k, rows + 1)
        total = before[:, start:end] + costs[:, start:end]
        found = total.argmin(axis=2)
        chosen[:, start:end] = 2 * k - 1 - found
        best[:, 2 * k - 1 + start : 2 * k - 1 + end] = np.take_along_axis(total, found[:, :, None], 2)[
            :, :, 0
        ]
    return [_back(line) for line in chosen]


def _costs(ranked: Points, k: int) -> Points:
    """`[line, i, j]` is the sum of squares about the mean of the 2k - 1 - j rows before row i, ∞ where there are none.

    Built up one row at a time (Welford 1962), which never subtracts large squares.
    """
    lines, rows = ranked.shape
    costs = np.full((lines, rows + 1, k), np.inf)
    mean, cost = ranked.copy(), np.zeros_like(ranked)
    for length in range(1, min(2 * k, rows + 1)):
        if length > 1:
            step = ranked[:, length - 1 :] - mean[:, :-1]
            cost = cost[:, :-1] + step**2 * (length - 1) / length
            mean = mean[:, :-1] + step / length
        if length >= k:
            costs[:, length:, 2 * k - 1 - length] = cost
    return costs


def _back(lengths: NDArray[np.int32]) -> Ints:
    """Where groups begin, followed from the end."""
    starts, end = [], len(lengths) - 1
    while end > 0:
        end -= int(lengths[end])
        starts.append(end)
    return np.array(starts[::-1], dtype=np.int64)


def group_many(points: Points, *, k: int, unit: Persons | None = None) -> PersonGroups:
    """Groups of rows alike in several columns (columns × rows, standardised), of at least k persons: MDAV.

    Domingo-Ferrer & Mateo-Sanz 2002, in the form of Domingo-Ferrer & Torra 2005: while 3k persons are left, the row
    farthest from the centre takes its nearest rows until k persons are in, then the row farthest from it; 2k
    to 3k - 1 give one such group and a rest, fewer are one group. O(n² / k) distances; above 40,000 rows inside
    pieces cut at medians. Equal distances go by the order of the coordinates, so the order of rows has no part.
    """
    order = np.lexsort((*(() if unit is None else (unit,)), *points[::-1]))
    ranked = points[:, order]
    people = None if unit is None else np.unique(unit[order], return_inverse=True)[1].astype(np.int32)
    whole = ranked.shape[1] <= MDAV_ROWS_MAX
    group = np.zeros(len(order), dtype=np.int32)
    made = 0
    for piece in [np.arange(len(order))] if whole else _pieces(ranked, k, people):
        for rows in _mdav(ranked[:, piece], k, None if people is None else people[piece]):
            group[order[piece[rows]]] = made
            made += 1
    return PersonGroups(group, Method.MDAV if whole else Method.MDAV_PIECES)


def _count(people: Persons | None, rows: Ints) -> int:
    return len(rows) if people is None else int(np.count_nonzero(np.bincount(people[rows])))


def _pieces(points: Points, k: int, people: Persons | None) -> Iterator[Ints]:
    """Rows cut in two at the median of their widest column, until a piece is small or its halves hold no k persons."""
    # As in Mondrian (LeFevre et al. 2006): the widest column, cut where both halves are equally large.
    waiting = [np.arange(points.shape[1])]
    while waiting:
        rows = waiting.pop()
        inside = points[:, rows]
        widest = int((inside.max(axis=1) - inside.min(axis=1)).argmax())
        ranked = rows[np.argsort(inside[widest], kind="stable")]
        halves = [np.sort(half) for half in np.array_split(ranked, 2)]
        if len(rows) <= MDAV_PIECE_ROWS or min(_count(people, half) for half in halves) < k:
            yield rows
        else:
            waiting += halves


def _mdav(points: Points, k: int, people: Persons | None) -> Iterator[Ints]:
    """The groups of rows in canonical order."""
    left = np.arange(points.shape[1])
    while len(left):
        here = points[:, left]
        # From the edge inwards: groups begun in the middle would leave the far rows to be grouped with each other.
        seed = _farthest(here, here.mean(axis=1))
        taken = _nearest(_distances(here, here[:, seed]), k, None if people is None else people[left])
        rest = left[~taken]
        # A rest of fewer than k persons is no group: the last one takes it in, and holds fewer than 3k.
        if _count(people, rest) < k:
            yield left
            return
        yield left[taken]
        if _count(people, rest) >= 2 * k:
            there = points[:, rest]
            other = _farthest(there, here[:, seed])
            taken = _nearest(_distances(there, there[:, other]), k, None if people is None else people[rest])
            yield rest[taken]
            rest = rest[~taken]
        left = rest


def _distances(points: Points, to: Points) -> Points:
    """Squared Euclidean distances of all rows to a point."""
    apart = points - to[:, None]
    squared: Points = np.einsum("ij,ij->j", apart, apart)
    return squared


def _farthest(points: Points, of: Points) -> int:
    return int(_distances(points, of).argmax())


def _nearest(distances: Points, k: int, people: Persons | None) -> NDArray[np.bool_]:
    """The nearest rows until k persons are in, the earlier of equal ones; all rows where there are not k."""
    taken = np.zeros(len(distances), dtype=np.bool_)
    if people is None:
        taken[_first(distances, k)] = True
        return taken
    width = 4 * k
    while True:
        order = _first(distances, width)
        firsts = np.sort(np.unique(people[order], return_index=True)[1])
        if len(firsts) >= k or width >= len(distances):
            taken[order if len(firsts) < k else order[: firsts[k - 1] + 1]] = True
            return taken
        width *= 2


def _first(distances: Points, count: int) -> NDArray[np.intp]:
    """The `count` nearest rows, nearest first, the earlier of equal ones first; all where there are fewer."""
    if count >= len(distances):
        return np.argsort(distances, kind="stable")
    # Partitioned and then sorted: only `count` rows of many need an order.
    near = np.flatnonzero(distances <= np.partition(distances, count - 1)[count - 1])
    return near[np.argsort(distances[near], kind="stable")[:count]]
