"""Groups of a column's values that are counted as one: read, held against each other, and turned into an axis.

A person's rows are counted in a group as they are in one of its values, and the groups of a key are disjoint, so that
each row stands in one cell of a table or in none: the sensitivities of `privacy.aggregates` hold unchanged, and any
number of values costs no more than one. Refuses groups that overlap or are empty; reads no data.
"""

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from privacy import filters
from privacy.exact import Axis
from privacy.filters import Interval
from privacy.query import Group, Key, Scalar, Span
from privacy.resolve import Resolver
from privacy.schema import Category, Column, Date, Grouping, Label, UndeclaredColumn, day_of

GROUPS_MAX = 1_000
MEMBERS_MAX = 10_000
"""How many values and ranges all groups of one key may name."""
LABEL_MAX = 200
LEFT_OUT_MAX = 20
"""How many of the values in no group are named."""
TOLD_GROUPS_MAX, TOLD_VALUES_MAX = 100, 20
"""Of so many groups an answer tells the values, and so many values and ranges of each."""

_REFUSED_IN_LABELS = ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")

Intervals = tuple[Interval, ...]


def is_label(text: str) -> bool:
    """Whether a group may be called so: one visible line of at most LABEL_MAX characters."""
    fits = 0 < len(text) <= LABEL_MAX and text.strip() == text
    return fits and not any(unicodedata.category(sign) in _REFUSED_IN_LABELS for sign in text)


def labels_of(column: Column, key: Key) -> int:
    """How many groups a key has; 1 where it names none that there is."""
    if isinstance(key.groups, tuple):
        return len(key.groups)
    found = declared(column, key)
    return 1 if found is None else len(found.labels)


def members_of(column: Column, key: Key) -> int:
    """How many values and ranges the groups of a key name, or intervals where they are declared."""
    if isinstance(key.groups, tuple):
        return sum(len(group.members) for group in key.groups)
    found = declared(column, key)
    return 0 if found is None else sum(map(len, found.intervals))


def axis_of(key: Key, place: int, resolver: Resolver, pointer: str) -> Axis:
    """The axis of groups on the column number `place`; without buckets, and problems noted, if they do not fit."""
    column = resolver.columns[place]
    found = _grouping(column, key, resolver, pointer)
    labels: tuple[Label, ...] = () if found is None else found.labels
    owned = [] if found is None else list(enumerate(found.intervals))
    if key.missing and found is not None:
        owned.append((len(labels), ((column.missing, column.missing),)))
        labels = (*labels, None)
    return Axis(
        name=key.column,
        column=place,
        buckets=tuple(interval for _, intervals in owned for interval in intervals),
        labels=labels,
        owners=tuple(owner for owner, intervals in owned for _ in intervals),
        constant=column.constant_per_person,
    )


def _grouping(column: Column, key: Key, resolver: Resolver, pointer: str) -> Grouping | None:
    here = f"{pointer}/groups"
    if key.bins is not None or key.by is not None:
        resolver.refuse(pointer, "choose_one", expected="groups, bins, by")
        return None
    if isinstance(column, UndeclaredColumn):
        resolver.refuse(f"{pointer}/column", "open_key_alone", key.column)
        return None
    if isinstance(key.groups, tuple):
        return _read(column, key.groups, resolver, here)
    if (found := declared(column, key)) is None:
        known = ", ".join(one.name for one in column.groupings)
        if not known:
            resolver.refuse(here, "no_groupings", column.name)
        elif key.groups is True:
            resolver.refuse(here, "choose_grouping", column.name, known)
        else:
            resolver.refuse(here, "unknown_grouping", key.groups, known)
    return found


def declared(column: Column, key: Key) -> Grouping | None:
    """The declared grouping that a key names, or the only one."""
    if isinstance(column, UndeclaredColumn):
        return None
    if key.groups is True:
        return column.groupings[0] if len(column.groupings) == 1 else None
    return next((one for one in column.groupings if one.name == key.groups), None)


def _read(column: Column, asked: Sequence[Group], resolver: Resolver, pointer: str) -> Grouping | None:
    """The caller's own groups as codes."""
    problems = len(resolver.problems)
    if not 1 <= len(asked) <= GROUPS_MAX:
        resolver.refuse(pointer, "too_many_groups", len(asked), GROUPS_MAX)
        return None
    if (members := sum(len(group.members) for group in asked)) > MEMBERS_MAX:
        resolver.refuse(pointer, "too_many_group_values", members, MEMBERS_MAX)
        return None
    found = [_intervals(column, group, resolver, f"{pointer}/{escaped(group.label)}") for group in asked]
    labels = tuple(group.label for group in asked)
    for first, second, code in overlaps(found):
        # Once for each pair of neighbours: a row would stand in two cells of one table, and cost twice.
        resolver.refuse(
            f"{pointer}/{escaped(labels[second])}",
            "overlapping_groups",
            shown_code(column, code),
            f"{labels[first]}, {labels[second]}",
        )
    if len(resolver.problems) > problems:
        return None
    return Grouping(name="", labels=labels, intervals=tuple(found))


def _intervals(column: Column, group: Group, resolver: Resolver, pointer: str) -> Intervals:
    if not is_label(group.label):
        resolver.refuse(pointer, "bad_label", group.label, LABEL_MAX)
    if not group.members:
        resolver.refuse(pointer, "empty_group", group.label)
    pairs = (
        _interval(column, member, resolver, f"{pointer}/{place}")
        for place, member in enumerate(group.members)
    )
    return filters.union(pair for pair in pairs if pair is not None)


def _interval(column: Column, member: Scalar | Span, resolver: Resolver, pointer: str) -> Interval | None:
    if not isinstance(member, Span):
        code = resolver.code(column, member, pointer)
        return None if code is None else (code, code)
    if isinstance(column, Category):
        resolver.refuse(pointer, "no_order", f"{member.low} … {member.high}")
        return None
    low = resolver.code(column, member.low, f"{pointer}/from")
    high = resolver.code(column, member.high, f"{pointer}/to")
    if low is None or high is None:
        return None
    if low > high:
        resolver.refuse(pointer, "not_ascending", f"{member.low} … {member.high}")
        return None
    return low, high


def overlaps(groups: Sequence[Intervals]) -> list[tuple[int, int, int]]:
    """Pairs of groups that share codes, the earlier group first, with the first shared code; each pair once."""
    ends = sorted((interval, owner) for owner, intervals in enumerate(groups) for interval in intervals)
    found: dict[tuple[int, int], int] = {}
    reach = ends[:1]
    for interval, owner in ends[1:]:
        ((_, last), before) = reach[0]
        if interval[0] <= last and owner != before:
            found.setdefault((min(owner, before), max(owner, before)), interval[0])
        # The furthest end so far decides about all that follow.
        if interval[1] > last:
            reach = [(interval, owner)]
    return [(first, second, code) for (first, second), code in found.items()]


def left_out(column: Column, axis: Axis) -> list[str]:
    """The declared values that no group of an axis takes, the first LEFT_OUT_MAX of them, as people write them."""
    gaps = filters.complement(axis.buckets, (column.low, column.high))
    values = _shown(column, gaps)
    return _first(values, LEFT_OUT_MAX)


def _first(values: list[str], most: int) -> list[str]:
    """The first values, and where there are more how many there are in all."""
    return values[:most] + ([f"… ({len(values)})"] if len(values) > most else [])


def told(column: Column, axis: Axis) -> dict[str, list[str]]:
    """What each group of an axis holds, as people write it: {"north": ["kita"], "young": ["0 … 19"]}.

    The first TOLD_GROUPS_MAX groups, and of each the first TOLD_VALUES_MAX values and ranges.
    """
    intervals: dict[str, list[Interval]] = {}
    for interval, bucket in axis.pieces:
        # The cell of missing is no group, nor is one that takes what is in none and is never told.
        label = axis.labels[bucket] if bucket < len(axis.labels) else None
        if label is not None:
            intervals.setdefault(str(label), []).append(interval)
    named = list(intervals)[:TOLD_GROUPS_MAX]
    return {label: _first(_shown(column, intervals[label]), TOLD_VALUES_MAX) for label in named}


def _shown(column: Column, intervals: Sequence[Interval]) -> list[str]:
    """Intervals of codes as people write them: each value of a category by itself, of others ranges."""
    if isinstance(column, Category):
        return [column.values[code] for low, high in intervals for code in range(low, high + 1)]
    return [
        shown_code(column, low) if low == high else f"{shown_code(column, low)} … {shown_code(column, high)}"
        for low, high in intervals
    ]


def shown_code(column: Column, code: int) -> str:
    """A code as people write it."""
    match column:
        case Category(values=values):
            return values[code]
        case Date():
            return day_of(code).isoformat()
        case UndeclaredColumn():
            return "…"
        case _:
            # As a decimal: a float of a small step would be written with an exponent.
            return f"{code * column.step:f}"


def written(grouping: Grouping, column: Column, value: Callable[[int], Any]) -> dict[str, list[Any]]:
    """A declared grouping as a descriptor writes it: for each label its values, each a code's `value`, and ranges."""
    spread = isinstance(column, Category)
    found: dict[str, list[Any]] = {}
    for label, intervals in zip(grouping.labels, grouping.intervals, strict=True):
        members: list[Any] = []
        for low, high in intervals:
            if spread or low == high:
                members += [value(code) for code in range(low, high + 1)]
            else:
                members.append({"from": value(low), "to": value(high)})
        found[label] = members
    return found


def escaped(name: str) -> str:
    """A name as a step of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
