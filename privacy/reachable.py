"""Which rows a question's filter and keys can count, from the question and the public schema alone.

A row that a filter turns away moves nothing, so only rows that pass decide how far a person moves an answer: `where
x <= 1` leaves a sum of x with rows of at most 1, and a key that `where` fixes leaves one cell to stand in. What is told
here may be more than what can really occur, never less: sensitivities stay upper bounds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import TypeAlias

import numpy as np

from privacy.exact import Axis
from privacy.filters import EVERYTHING, Every, Filter, Interval, Member, intersection, union
from privacy.noise import Integers

Box: TypeAlias = Mapping[int, tuple[Interval, ...]]
"""Rows whose code of each named column lies in one of its intervals; other columns hold anything."""

CellRange: TypeAlias = tuple[int, int, int]
"""The least and the greatest code that a row can hold in some cells, and how many cells these are."""

BOXES_MAX = 64
"""More boxes than that are made one, so that planning stays quick whatever is asked."""

_NO_CODE = 2**62
"""Above every code."""


@dataclass(frozen=True, slots=True)
class ReachableRows:
    """The rows that can count: a union of boxes that holds every row which passes the filter and has a cell.

    No box: no row can count.
    """

    boxes: tuple[Box, ...]
    keys: tuple["KeyBuckets", ...] = ()

    @classmethod
    def of(cls, tree: Filter, axes: Sequence[Axis] = ()) -> "ReachableRows":
        """Of a canonical filter, over these keys: a row outside every bucket of a key counts in no cell."""
        keys = tuple(KeyBuckets.of(axis) for axis in axes)
        # A key that was refused has no bucket; its problem is told with all others, once they are found.
        beside = (({key.column: codes},) if (codes := key.codes()) else () for key in keys)
        return cls(_all_of([_boxes(tree), *beside]), keys)

    def narrowed(self, tree: Filter) -> "ReachableRows":
        """The same rows under one filter more, such as that of a single statistic."""
        if tree == EVERYTHING:
            return self
        return ReachableRows(_all_of([self.boxes, _boxes(tree)]), self.keys)

    def codes(self, column: int, domain: Interval) -> Interval | None:
        """The least and the greatest code of a column's `domain` that a row can hold; None if none can.

        Missing is no part of a domain: a missing value adds nothing to any sum.
        """
        inside = [intersection(box.get(column, (domain,)), (domain,)) for box in self.boxes]
        ends = [(codes[0][0], codes[-1][1]) for codes in inside if codes]
        return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None

    def cells(self) -> int:
        """In how many cells of the table by all keys a row can stand; 1 without keys."""
        reached = np.zeros([key.size for key in self.keys], dtype=np.bool_)
        for box in self.boxes:
            buckets = [np.flatnonzero(key.ends_in(box[key.column])[0] < _NO_CODE) for key in self.keys]
            reached[np.ix_(*buckets)] = True
        return int(reached.sum())

    def ranges(self, column: int, domain: Interval) -> tuple[CellRange, ...]:
        """The cells in which a row with a code of `domain` can stand, by the codes that it can hold there."""
        sizes = [key.size for key in self.keys]
        least, most = np.full(sizes, _NO_CODE), np.full(sizes, -_NO_CODE)
        for box in self.boxes:
            inside = intersection(box.get(column, (domain,)), (domain,))
            if not inside:
                continue
            low, high = np.array(inside[0][0]), np.array(inside[-1][1])
            buckets = []
            for place, key in enumerate(self.keys):
                lows, highs = key.ends_in(inside if key.column == column else box[key.column])
                buckets.append(np.flatnonzero(lows < _NO_CODE))
                if key.column == column:
                    # The cells of the key on that column itself differ in what they hold.
                    shape = [-1 if other == place else 1 for other in range(len(sizes))]
                    low, high = lows[buckets[-1]].reshape(shape), highs[buckets[-1]].reshape(shape)
            cells = np.ix_(*buckets)
            least[cells] = np.minimum(least[cells], low)
            most[cells] = np.maximum(most[cells], high)
        pairs = np.stack([least.ravel(), most.ravel()], axis=1)
        found, counts = np.unique(pairs[pairs[:, 0] < _NO_CODE], axis=0, return_counts=True)
        return tuple(
            (int(low), int(high), int(cells)) for (low, high), cells in zip(found, counts, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeyBuckets:
    """A key's intervals of codes, ascending and disjoint, and the bucket of each."""

    column: int
    size: int
    lows: Integers
    highs: Integers
    buckets: Integers

    @classmethod
    def of(cls, axis: Axis) -> "KeyBuckets":
        pieces = axis.pieces
        lows, highs, buckets = (
            np.array(numbers, dtype=np.int64)
            for numbers in (
                [low for (low, _), _ in pieces],
                [high for (_, high), _ in pieces],
                [bucket for _, bucket in pieces],
            )
        )
        return cls(column=axis.column, size=axis.size, lows=lows, highs=highs, buckets=buckets)

    def codes(self) -> tuple[Interval, ...]:
        """The codes that have a bucket."""
        gaps = np.flatnonzero(self.lows[1:] > self.highs[:-1] + 1)
        firsts = [0, *(gaps + 1).tolist()] if len(self.lows) else []
        lasts = [*gaps.tolist(), len(self.lows) - 1]
        return tuple(
            (int(self.lows[first]), int(self.highs[last])) for first, last in zip(firsts, lasts, strict=False)
        )

    def ends_in(self, codes: Sequence[Interval]) -> tuple[Integers, Integers]:
        """The least and the greatest of the codes in each bucket; above and below every code if there are none."""
        firsts, lasts = np.array(codes, dtype=np.int64).T
        # The first interval that does not end before the piece, and the last that does not begin behind it.
        low = np.maximum(self.lows, np.append(firsts, _NO_CODE)[np.searchsorted(lasts, self.lows)])
        high = np.minimum(
            self.highs, np.append(lasts, -_NO_CODE)[np.searchsorted(firsts, self.highs, side="right") - 1]
        )
        met = low <= self.highs
        least, most = np.full(self.size, _NO_CODE), np.full(self.size, -_NO_CODE)
        # A bucket may have several pieces.
        np.minimum.at(least, self.buckets[met], low[met])
        np.maximum.at(most, self.buckets[met], high[met])
        return least, most


def _boxes(tree: Filter) -> tuple[Box, ...]:
    """Boxes that hold every row which matches: the disjunctive normal form, or less of it where that is long."""
    match tree:
        case Member(column, intervals):
            return ({column: intervals},) if intervals else ()
        case Every(terms):
            return _all_of([_boxes(term) for term in terms])
        case _:
            boxes = tuple(chain.from_iterable(_boxes(term) for term in tree.terms))
            return boxes if len(boxes) <= BOXES_MAX else (_around(boxes),)


def _all_of(terms: Iterable[tuple[Box, ...]]) -> tuple[Box, ...]:
    """Boxes of the rows that lie in one box of every term."""
    found: tuple[Box, ...] = ({},)
    # The shortest first: a box or two may leave little of the others.
    for boxes in sorted(terms, key=len):
        if len(found) * len(boxes) > BOXES_MAX:
            found, boxes = (_around(found),), (_around(boxes),)
        both = (_overlap(one, other) for one, other in product(found, boxes))
        found = tuple(box for box in both if box is not None)
    return found


def _overlap(one: Box, other: Box) -> Box | None:
    """The rows in both boxes; None if there are none."""
    found = {**one, **other}
    for column in one.keys() & other.keys():
        found[column] = intersection(one[column], other[column])
        if not found[column]:
            return None
    return found


def _around(boxes: Sequence[Box]) -> Box:
    """One box that holds them all: of each column what any of them lets through."""
    # A column that one box does not name is free there, and so it is in the whole.
    named = set.intersection(*(set(box) for box in boxes)) if boxes else set()
    return {column: union(chain.from_iterable(box[column] for box in boxes)) for column in sorted(named)}
