"""How a column becomes the number of the bucket that its code lies in: a part of a statement, and what it found.

Each way is one class, which says both what the statement groups by and what the groups mean, so that the two cannot
part. None branches on a row's value.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from datasets.engines.expressions import Bound, Node, Operand, all_of, cast, code, mask, masked
from privacy.exact import Axis, ExactAggregate
from privacy.filters import Interval
from privacy.noise import Integers
from privacy.schema import Column

# A list is bound with the statement: so many entries take a few milliseconds.
TABLE_ENTRIES_MAX = 1 << 16


class Lists(Protocol):
    """Puts lists of numbers beside the rows of a statement."""

    def looked_up(self, column: int, table: "CodeTable", entries: Sequence[int], kind: str) -> Node:
        """The entry that a row's code has in a table, as that type."""

    def edges_passed(self, column: int, edges: Sequence[int]) -> Node:
        """How many of the ascending edges a row's code reaches."""


class GroupKey(Protocol):
    """One key of the groups of a statement."""

    @property
    def size(self) -> int:
        """How many buckets there are."""

    def expression(self, lists: Lists) -> Node:
        """What the statement groups by."""

    def buckets(self, found: Integers) -> Integers:
        """The bucket of each group from what the expression gave, -1 for none."""


@dataclass(frozen=True, slots=True)
class ByCode:
    """A key column's own codes."""

    column: Column
    axis: Axis

    @property
    def size(self) -> int:
        return self.axis.size

    def expression(self, lists: Lists) -> Node:
        return code(self.axis.column)

    def buckets(self, found: Integers) -> Integers:
        missing = self.column.missing
        known = np.full(codes_of(self.column), -1, dtype=np.int64)
        for (low, high), bucket in self.axis.pieces:
            known[low - missing : high - missing + 1] = bucket
        return known[found - missing]


@dataclass(frozen=True, slots=True)
class ByOffset:
    """Distances from the first code, where each bucket and each gap is a single code; -1 outside of all."""

    column: Column
    axis: Axis

    @property
    def size(self) -> int:
        return self.axis.size

    def expression(self, lists: Lists) -> Node:
        segments, kind = segments_of(self.axis), "BIGINT" if is_wide(self.column) else "INTEGER"
        key, low, high = code(self.axis.column), segments[0][0], last_code(self.axis)
        inside: Node = ("between", key, Bound(low), Bound(high))
        offset = masked(("-", cast(key, kind), Bound(low)), inside, kind)
        return ("|", offset, mask(("not", inside), kind))

    def buckets(self, found: Integers) -> Integers:
        # Number -1 is the last entry: it stands for what lies outside.
        known = np.array([*(bucket for _, bucket in segments_of(self.axis)), -1], dtype=np.int64)
        return known[found]


@dataclass(frozen=True, slots=True)
class ByTable:
    """Buckets looked up in a list by code, or by codes in steps where all edges are whole steps apart."""

    axis: Axis
    table: "CodeTable"

    @property
    def size(self) -> int:
        return self.axis.size

    def expression(self, lists: Lists) -> Node:
        entries = self.table.entries(self.axis.pieces, outside=-1)
        return lists.looked_up(self.axis.column, self.table, entries, "INTEGER")

    def buckets(self, found: Integers) -> Integers:
        return found


@dataclass(frozen=True, slots=True)
class BySearch:
    """Segments found by a binary search among their lower edges."""

    column: Column
    axis: Axis

    @property
    def size(self) -> int:
        return self.axis.size

    def expression(self, lists: Lists) -> Node:
        return lists.edges_passed(self.axis.column, [low for low, _ in self._segments()[1:]])

    def buckets(self, found: Integers) -> Integers:
        return np.array([bucket for _, bucket in self._segments()], dtype=np.int64)[found]

    def _segments(self) -> list[tuple[int, int]]:
        """The axis's segments and, so that every code has one, those before and behind them."""
        inner = segments_of(self.axis)
        before = [(self.column.missing, -1)] if inner[0][0] > self.column.missing else []
        behind = [(last_code(self.axis) + 1, -1)] if last_code(self.axis) < self.column.high else []
        return [*before, *inner, *behind]


@dataclass(frozen=True, slots=True)
class ByBinOfCode:
    """A histogram's column by its own codes."""

    column: Column
    exact: ExactAggregate

    @property
    def size(self) -> int:
        return self.exact.size

    def expression(self, lists: Lists) -> Node:
        return code(self.exact.column)

    def buckets(self, found: Integers) -> Integers:
        exact = self.exact
        bins = (np.clip(found, exact.low, exact.high) - exact.low) // exact.grid
        return np.where(found == self.column.missing, -1, bins)


@dataclass(frozen=True, slots=True)
class ByBin:
    """A histogram's bins, computed for each row: missing is -1, values outside are in the first or the last bin."""

    column: Column
    exact: ExactAggregate

    @property
    def size(self) -> int:
        return self.exact.size

    def expression(self, lists: Lists) -> Node:
        exact, kind = self.exact, "BIGINT" if is_wide(self.column) else "INTEGER"
        value = code(exact.column)
        # Inside the clamp the distance is never negative, so a division that truncates is a floor.
        bin: Node = ("-", cast(value, kind), Bound(exact.low))
        if exact.grid > 1:
            bin = ("//", bin, Bound(exact.grid))
        # Values below the clamp are masked to 0, the first bin.
        number = masked(bin, all_of(*within(value, self.column, exact)), kind)
        if exact.high < self.column.high:
            above: Node = (">", value, Bound(exact.high))
            number = ("|", number, masked(cast(Bound(exact.size - 1), kind), above, kind))
        return ("|", number, mask(("<", value, Bound(self.column.low)), kind))

    def buckets(self, found: Integers) -> Integers:
        return found


def within(value: Node, column: Column, exact: ExactAggregate) -> list[Operand]:
    """What a code in the clamp passes; missing does not."""
    # Missing is the code below the lowest, so that one comparison rules out both.
    tests: list[Operand] = [(">=", value, Bound(max(exact.low, column.low)))]
    if exact.high < column.high:
        tests.append(("<=", value, Bound(exact.high)))
    return tests


@dataclass(frozen=True, slots=True)
class CodeTable:
    """Which entry of a list, counted from 1, a code has: (code - base) // step; `closed` has that of the code below it.

    Bins of 10,000 from 0 to 100,000 hold 100,000 itself as well, so that all edges but one are whole steps apart.
    """

    base: int
    step: int
    high: int
    closed: int | None = None

    @classmethod
    def of(cls, column: Column, intervals: Sequence[Interval]) -> "CodeTable":
        """The list with the fewest entries that tells these intervals, and missing, apart."""
        span = column.high - column.low + 1
        edges = sorted({edge - column.low for low, high in intervals for edge in (low, high + 1)})
        edges = [edge for edge in edges if 0 < edge < span]
        step, closed = math.gcd(*edges) or span, None
        for edge, others in zip(edges, _gcds_without_one(edges), strict=True):
            wider = others or edge - 1
            # The code below has the same entry: no edge may part the two, nor is it the code of missing.
            if edge - 1 not in {0, *edges} and wider > step and (edge - 1) % wider == 0:
                step, closed = wider, column.low + edge - 1
        # Missing has the first entry to itself, whatever the step.
        return cls(base=column.low - 2 * step, step=step, high=column.high, closed=closed)

    @property
    def size(self) -> int:
        return self._entry_of(self.high)

    def entries(self, pieces: Sequence[tuple[Interval, int]], outside: int) -> list[int]:
        """The list itself: the number of the interval, or `outside`."""
        found = [outside] * self.size
        for (low, high), number in pieces:
            first, last = self._entry_of(low), self._entry_of(high)
            found[first - 1 : last] = [number] * (last - first + 1)
        return found

    def expression(self, column: int) -> Node:
        """A row's entry."""
        offset: Node = ("-", cast(code(column), "BIGINT"), Bound(self.base))
        if self.closed is not None:
            offset = ("-", offset, cast(("=", code(column), Bound(self.closed)), "BIGINT"))
        return offset if self.step == 1 else ("//", offset, Bound(self.step))

    def _entry_of(self, code: int) -> int:
        return (code - self.base - (code == self.closed)) // self.step


def _gcds_without_one(numbers: Sequence[int]) -> list[int]:
    """For each number the greatest common divisor of all the others."""
    before, behind = [0], [0]
    for number in numbers:
        before.append(math.gcd(before[-1], number))
    for number in reversed(numbers):
        behind.append(math.gcd(behind[-1], number))
    return [math.gcd(before[place], behind[-place - 2]) for place in range(len(numbers))]


def key_of(axis: Axis, column: Column, *, raw: bool) -> GroupKey:
    """The quickest way from a column to the buckets of an axis; `raw`: its own codes, which are few."""
    segments = segments_of(axis)
    # Not of groups: whoever stands in two values of one group would be counted there twice.
    plain = not axis.owners and last_code(axis) - segments[0][0] + 1 == len(segments)
    if raw or (plain and codes_of(column) <= len(segments) + 1):
        return ByCode(column, axis)
    if plain:
        return ByOffset(column, axis)
    table = CodeTable.of(column, [interval for interval, _ in axis.pieces])
    return ByTable(axis, table) if table.size <= TABLE_ENTRIES_MAX else BySearch(column, axis)


def segments_of(axis: Axis) -> list[tuple[int, int]]:
    """Lower edge and bucket of each segment, ascending; a gap between two buckets is a segment of -1."""
    segments: list[tuple[int, int]] = []
    end = None
    for (low, high), bucket in axis.pieces:
        # Without a segment of its own a gap would be counted into the bucket below it.
        if end is not None and low > end + 1:
            segments.append((end + 1, -1))
        segments.append((low, bucket))
        end = high
    return segments


def last_code(axis: Axis) -> int:
    """The last code that any bucket has."""
    return max(high for (_, high), _ in axis.pieces)


def codes_of(column: Column) -> int:
    """How many codes a column has, missing included."""
    return column.high - column.missing + 1


def is_wide(column: Column) -> bool:
    """Whether a column's codes need 64 bits."""
    # Half of 32 bits: the difference of two such codes still fits an INTEGER.
    return max(abs(column.missing), abs(column.high)) >= 1 << 30
