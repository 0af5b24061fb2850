"""Grouping keys → axes: the cells of a table as intervals of codes, with their labels. Reads no data."""

from datetime import date, timedelta

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
    day_number,
    day_of,
    in_units,
)

CELLS_MAX = 100_000
KEYS_MAX = 8
FISCAL_YEAR_BEGINS = 4
"""Local governments' fiscal years run from April (Local Autonomy Act, article 208)."""


def axes_of(keys: tuple[Key, ...], resolver: Resolver, pointer: str = "/group_by") -> tuple[Axis, ...]:
    """The axes of a `group_by`; notes a problem for each key that does not fit."""
    if len(keys) > KEYS_MAX:
        resolver.refuse(pointer, "too_many_keys", len(keys), KEYS_MAX)
        return ()
    axes: list[Axis] = []
    for number, key in enumerate(keys):
        here = f"{pointer}/{number}"
        place = resolver.place(key.column, f"{here}/column")
        if place is None:
            continue
        # A key column is named after its column, and two of one name could not be read apart.
        if place in (axis.column for axis in axes):
            resolver.refuse(f"{here}/column", "repeated_key", key.column)
        axes.append(_axis(key, place, resolver, here))
    return tuple(axes)


def _axis(key: Key, place: int, resolver: Resolver, pointer: str) -> Axis:
    column = resolver.columns[place]
    pairs = _pairs(column, key, resolver, pointer)
    # Only on request: without it a row that lacks the value stands in no cell, which moves nothing.
    if key.missing:
        pairs.append(((column.missing, column.missing), None))
    buckets, labels = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
    return Axis(name=key.column, column=place, buckets=buckets, labels=labels)


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
    return [((code, code), _label(column, code)) for code in range(column.low, column.high + 1)]


def _label(column: Column, code: int) -> Label:
    match column:
        case Category(values=values):
            return values[code]
        case Date():
            return day_of(code).isoformat()
        case Number(step=step):
            return in_units(code, step)
        case UndeclaredColumn():
            raise AssertionError("has no labels")


def periods(column: Date, by: str) -> list[tuple[Interval, str]]:
    """The periods of the calendar that meet the column's domain, the first and last cut to it.

    Labels are 2026, 2026-Q3 (calendar quarters), 2026-07, and FY2026 for April 2026 to March 2027.
    """
    assert by in CALENDAR
    found, low = [], column.low
    while low <= column.high:
        high = min(day_number(_last(day_of(low), by)), column.high)
        found.append(((low, high), _name(day_of(low), by)))
        # Periods follow without gap or overlap, so that each row stands in one cell and sensitivities hold.
        low = high + 1
    return found


def _last(day: date, by: str) -> date:
    """The last day of the period that holds `day`; the calendar itself ends with the year 9999."""
    if by == "fiscal_year":
        year = _fiscal_year(day) + 1
        return date(year, FISCAL_YEAR_BEGINS, 1) - timedelta(days=1) if year <= date.max.year else date.max
    month = {"year": 12, "quarter": (day.month + 2) // 3 * 3, "month": day.month}[by]
    return date(day.year, 12, 31) if month == 12 else date(day.year, month + 1, 1) - timedelta(days=1)


def _name(day: date, by: str) -> str:
    match by:
        case "year":
            return f"{day.year:04d}"
        case "fiscal_year":
            return f"FY{_fiscal_year(day):04d}"
        case "quarter":
            return f"{day.year:04d}-Q{(day.month + 2) // 3}"
        case _:
            return f"{day.year:04d}-{day.month:02d}"


def _fiscal_year(day: date) -> int:
    return day.year if day.month >= FISCAL_YEAR_BEGINS else day.year - 1
