"""What a `where` means: a tree of memberships of codes in intervals. Total: each row matches or does not.

A missing cell matches no comparison, nor its negation; only `is_missing` asks for it. Negation is pushed
down to the memberships, so that no third truth value is left. Equal questions get equal trees.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, groupby
from typing import TypeAlias

Interval: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """Column number `column` has a code inside one of the disjoint, ascending, closed `intervals`."""

    column: int
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Every:
    """All terms hold; no terms: every row."""

    terms: tuple["Filter", ...] = ()


@dataclass(frozen=True, slots=True)
class Some:
    """At least one term holds; no terms: no row."""

    terms: tuple["Filter", ...] = ()


Filter: TypeAlias = Member | Every | Some
EVERYTHING = Every()


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The set that intervals cover, as ascending, disjoint, non-adjacent intervals; empty ones are dropped."""
    joined: list[Interval] = []
    for low, high in sorted(interval for interval in intervals if interval[0] <= interval[1]):
        # Codes are whole, so intervals that touch are one: equal sets become equal tuples, and equal fingerprints.
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], high)
        else:
            joined.append((low, high))
    return tuple(joined)


def intersection(*sets: Iterable[Interval]) -> tuple[Interval, ...]:
    """The codes that lie in all of the sets, of which there is at least one.

    One sweep over the ends of all intervals: pairs of intervals, or of sets, would be as many as their squares.
    """
    disjoint = [union(intervals) for intervals in sets]
    ends = chain.from_iterable(((low, 1), (high + 1, -1)) for low, high in chain.from_iterable(disjoint))
    found: list[Interval] = []
    inside = begin = 0
    for place, moves in groupby(sorted(ends), key=lambda end: end[0]):
        if inside == len(disjoint):
            found.append((begin, place - 1))
        inside += sum(move for _, move in moves)
        begin = place
    return tuple(found)


def complement(intervals: Iterable[Interval], domain: Interval) -> tuple[Interval, ...]:
    """The codes of `domain` that lie in none of the intervals; missing is no part of a domain."""
    gaps, start = [], domain[0]
    for low, high in union(intervals):
        gaps.append((start, low - 1))
        start = high + 1
    return union([*gaps, (start, domain[1])])


def every(terms: Iterable[Filter]) -> Filter:
    """The canonical form of "all of these"."""
    return _combine(terms, Every, Some, lambda sets: intersection(*sets))


def some(terms: Iterable[Filter]) -> Filter:
    """The canonical form of "any of these"."""
    return _combine(terms, Some, Every, lambda sets: union(chain.from_iterable(sets)))


def _combine(
    terms: Iterable[Filter],
    kind: type[Every] | type[Some],
    dual: type[Every] | type[Some],
    merge: Callable[[Iterable[tuple[Interval, ...]]], tuple[Interval, ...]],
) -> Filter:
    """Flatten, merge memberships of one column, settle constants, sort, drop repeats."""
    # Brackets inside brackets of one kind mean nothing, and must not change a fingerprint.
    flat = [part for term in terms for part in (term.terms if isinstance(term, kind) else (term,))]
    members = sorted(part for part in flat if isinstance(part, Member))
    merged: list[Filter] = []
    for column, group in groupby(members, key=lambda member: member.column):
        merged.append(Member(column, merge(member.intervals for member in group)))
    rest = {canonical_text(part): part for part in flat if not isinstance(part, Member)}
    parts = [_constant(part) for part in merged] + [rest[text] for text in sorted(rest)]
    # "No row" decides an "all of these", "every row" an "any of these".
    if dual() in parts:
        return dual()
    # The neutral term adds nothing, and a single term needs no bracket.
    parts = [part for part in parts if part != kind()]
    return parts[0] if len(parts) == 1 else kind(tuple(parts))


def _constant(member: Filter) -> Filter:
    """A membership in no interval is "no row"."""
    return Some() if isinstance(member, Member) and not member.intervals else member


def canonical(tree: Filter) -> list[object]:
    """The tree as plain lists, for fingerprints."""
    if isinstance(tree, Member):
        return ["in", tree.column, [list(interval) for interval in tree.intervals]]
    return ["every" if isinstance(tree, Every) else "some", *(canonical(term) for term in tree.terms)]


def canonical_text(tree: Filter) -> str:
    return repr(canonical(tree))
