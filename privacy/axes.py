"""Grouping keys → axes: the cells of a table as intervals of codes, with their labels. Reads no data."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from privacy import groups
from privacy.exact import Axis
from privacy.filters import Interval
from privacy.query import CALENDAR, Key
from privacy.resolve import Resolver
from privacy.schema import (
    Category,
    Column,
    Date,
    Label,
    Number,
    UndeclaredColumn,
    all_in_units,
    day_number,
    day_of,
)

CELLS_MAX = 100_000
KEYS_MAX = 8
FISCAL_YEAR_BEGINS = 4
"""Local governments' fiscal years run from April (Local Autonomy Act, article 208)."""


def buckets_of(column: Column, key: Key) -> int:
    """How many cells a key cuts a column into, the one for missing among them; from its ends, without listing any.

    1 for a key that does not fit the column, which `axis_of` refuses without listing anything either.
    """
    values = 1
    if key.groups is not None:
        values = groups.labels_of(column, key)
    elif key.bins is not None:
        values = len(key.bins) - 1
    elif key.by is not None:
        if isinstance(column, Date):
            values = _period(day_of(column.high), key.by) - _period(day_of(column.low), key.by) + 1
    elif column.high - column.low < CELLS_MAX:
        values = column.high - column.low + 1
    return values + key.missing


def edges_of(column: Column, key: Key) -> int:
    """How many literals, or ends of declared groups, cut a column."""
    return groups.members_of(column, key) if key.groups is not None else len(key.bins or ())


def cells_of(keys: Iterable[Key], columns: Mapping[str, Column], *, totals: bool = False) -> int:
    """The cells of a table by these keys, with its margins if `totals`; a key of no column counts as one value."""
    sizes = (buckets_of(columns[key.column], key) if key.column in columns else 1 for key in keys)
    return math.prod(size + totals for size in sizes)


def axes_of(keys: tuple[Key, ...], resolver: Resolver, pointer: str = "/group_by") -> tuple[Axis, ...]:
    """The axes of a `group_by`; notes a problem for each key that does not fit.

    Lists every bucket: a caller has seen that they are few enough (`cells_of`).
    """
    return tuple(
        axis_of(key, resolver.places[key.column], resolver, here)
        for key, here in known_keys(keys, resolver, pointer)
    )


def known_keys(keys: tuple[Key, ...], resolver: Resolver, pointer: str) -> list[tuple[Key, str]]:
    """The keys on columns that exist, each column's first, with their pointers; notes a problem for each other."""
    if len(keys) > KEYS_MAX:
        resolver.refuse(pointer, "too_many_keys", len(keys), KEYS_MAX)
        return []
    found: dict[str, tuple[Key, str]] = {}
    for number, key in enumerate(keys):
        here = f"{pointer}/{number}"
        if resolver.place(key.column, f"{here}/column") is None:
            continue
        # A key column is named after its column, and two of one name could not be read apart.
        if key.column in found:
            resolver.refuse(f"{here}/column", "repeated_key", key.column)
        found.setdefault(key.column, (key, here))
    return list(found.values())


def axis_of(key: Key, place: int, resolver: Resolver, pointer: str) -> Axis:
    """The axis of one key on the column number `place`; without buckets, and problems noted, if it does not fit."""
    column = resolver.columns[place]
    if key.groups is not None:
        return groups.axis_of(key, place, resolver, pointer)
    pairs = _pairs(column, key, resolver, pointer)
    # Only on request: without it a row that lacks the value stands in no cell, which moves nothing.
    if key.missing:
        pairs.append(((column.missing, column.missing), None))
    buckets, labels = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
    return Axis(
        name=key.column,
        column=place,
        buckets=buckets,
        labels=labels,
        constant=column.constant_per_person,
    )


def _pairs(column: Column, key: Key, resolver: Resolver, pointer: str) -> list[tuple[Interval, Label]]:
    if key.bins is not None and key.by is not None:
        resolver.refuse(pointer, "choose_one", expected="bins, by")
        return []
    if isinstance(column, UndeclaredColumn):
        resolver.refuse(f"{pointer}/column", "open_key_alone", key.column)
        return []
    if key.bins is not None:
        return [*resolver.bins(column, key, pointer)]
    if key.by is not None:
        if not isinstance(column, Date):
            resolver.refuse(f"{pointer}/by", "not_a_date_column", key.column)
            return []
        return [*periods(column, key.by)]
    # Before the values are listed: a domain of numbers may have billions.
    if column.high - column.low >= CELLS_MAX:
        resolver.refuse(f"{pointer}/column", "too_many_values", key.column, CELLS_MAX)
        return []
    codes = range(column.low, column.high + 1)
    return list(zip(zip(codes, codes, strict=True), _labels(column, codes), strict=True))


def _labels(column: Category | Number | Date, codes: range) -> Sequence[Label]:
    match column:
        case Category(values=values):
            return values
        case Date():
            return [day_of(code).isoformat() for code in codes]
        case Number(step=step):
            return all_in_units(codes, step)


def periods(column: Date, by: str) -> list[tuple[Interval, str]]:
    """The periods of the calendar that meet the column's domain, the first and last cut to it.

    Labels are 2026, 2026-Q3 (calendar quarters), 2026-07, and FY2026 for April 2026 to March 2027.
    """
    assert by in CALENDAR
    found, low = [], column.low
    for number in range(_period(day_of(low), by), _period(day_of(column.high), by) + 1):
        year, part = divmod(number, _PARTS[by])
        high = min(_last_day(number, by), column.high)
        found.append(((low, high), _PERIOD_NAMES[by] % (year, part + 1)))
        # Periods follow without gap or overlap, so that each row stands in one cell and sensitivities hold.
        low = high + 1
    return found


_PARTS = {"year": 1, "fiscal_year": 1, "quarter": 4, "month": 12}
"""Into how many periods a year is cut."""

_PERIOD_NAMES = {
    # The part of a year that is one whole period says nothing.
    "year": "%04d%.0s",
    "fiscal_year": "FY%04d%.0s",
    "quarter": "%04d-Q%d",
    "month": "%04d-%02d",
}


def _period(day: date, by: str) -> int:
    """The number of the period that holds a day, counted from the year 0."""
    if by == "fiscal_year":
        return day.year if day.month >= FISCAL_YEAR_BEGINS else day.year - 1
    return day.year * _PARTS[by] + (day.month - 1) * _PARTS[by] // 12


def _last_day(number: int, by: str) -> int:
    """The code of the last day of a period; the calendar itself ends with the year 9999."""
    year, part = divmod(number + 1, _PARTS[by])
    if year > date.max.year:
        return day_number(date.max)
    month = FISCAL_YEAR_BEGINS if by == "fiscal_year" else part * 12 // _PARTS[by] + 1
    return day_number(date(year, month, 1)) - 1
