"""Values of keys as people read them: 中央区, 15〜64歳, 2026年度. From the public schema and the question alone.

The words are the owner's where some were declared; a value that nobody gave a word to stands for itself.
"""

from collections.abc import Mapping
from decimal import Decimal

from privacy.about import About, spoken
from privacy.axes import axis_of
from privacy.filters import Interval
from privacy.query import Key
from privacy.resolve import Resolver
from privacy.schema import Category, Column, Label, Number, Schema, UndeclaredColumn, day_of
from privacy.words import Language, Words

TOTAL = Words(ja="合計", en="Total")
MISSING = Words(ja="不明", en="Unknown")
# Where a value is itself called that, the two must be told apart.
TOTAL_ELSE, MISSING_ELSE = Words(ja="合計（全体）", en="Total (all)"), Words(ja="値なし", en="No value")
GROUPED_FROM = 10_000
"""Digits of smaller numbers stand together: years are written so, and four digits are read at a glance."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def labels_of(key: Key, schema: Schema, language: Language, *, total: str | None = None) -> dict[Label, str]:
    """What each value of a key is called; `total` is the value that stands for a total, if there is one.

    Of a column whose values nobody declared only what the server itself calls so: the other values are words already.
    """
    resolver = Resolver(schema)
    place = resolver.places[key.column]
    column = resolver.columns[place]
    found: dict[Label, str] = {}
    if not isinstance(column, UndeclaredColumn):
        axis = axis_of(key, place, resolver, "")
        named = _Words(column, key, schema.about, language)
        # Groups were named by whoever made them, and may hold several intervals.
        cells = [] if axis.owners else [*zip(axis.buckets, axis.labels, strict=True)]
        found = {label: str(label) for label in axis.labels if label is not None}
        found |= {label: named.of(bucket, label) for bucket, label in cells if label is not None}
    if key.missing:
        found[None] = _unlike(found, MISSING, MISSING_ELSE, language)
    if total is not None:
        found[total] = _unlike(found, TOTAL, TOTAL_ELSE, language)
    return found


def _unlike(found: Mapping[Label, str], words: Words, otherwise: Words, language: Language) -> str:
    """The words, or others where a value is called the same."""
    return otherwise.within(language) if words.within(language) in found.values() else words.within(language)


class _Words:
    """The words of one key's values."""

    def __init__(self, column: Column, key: Key, about: About, language: Language) -> None:
        self.column, self.key, self.language = column, key, language
        self.unit = unit_words(column, about, language)

    def of(self, bucket: Interval, label: Label) -> str:
        """The word of a cell that stands for the codes of `bucket` and is shown as `label`."""
        if self.key.bins is not None:
            return range_words(self.column, bucket, self.unit, self.language)
        if self.key.by is not None:
            return period_words(str(label), self.language)
        # A cell that is no value by itself was named by whoever made it.
        if bucket[0] == bucket[1]:
            return value_words(self.column, bucket[0], self.unit, self.language)
        return str(label)


def unit_words(column: Column, about: About, language: Language) -> str:
    """The unit of a column in a language; empty where it has none."""
    if not isinstance(column, Number):
        return ""
    return spoken(about.column(column.name).unit, language, column.unit or "")


def range_words(column: Column, bucket: Interval, unit: str, language: Language) -> str:
    """A closed interval of codes: 15〜64歳, 15–64 years; a single value where it holds one only."""
    low, high = bucket
    if low == high:
        return value_words(column, low, unit, language)
    ends = (_bare(column, low, language), _bare(column, high, language))
    return with_unit(("〜" if language == "ja" else "–").join(ends), unit, language)


def value_words(column: Column, code: int, unit: str, language: Language) -> str:
    """A single value."""
    return with_unit(_bare(column, code, language), unit, language)


def with_unit(text: str, unit: str, language: Language) -> str:
    """A number in words with its unit: 15歳, 15 years."""
    # Japanese writes 15歳 without a space, but not 15JPY: a word in Latin letters stands apart.
    joint = "" if not unit or (language == "ja" and not unit[0].isascii()) else " "
    return f"{text}{joint}{unit}"


def _bare(column: Column, code: int, language: Language) -> str:
    """A value without its unit."""
    match column:
        case Category(values=values, labels=labels):
            words = labels.get(language)
            return values[code] if words is None else words[code]
        case Number(step=step):
            return number_words(code * step)
        case _:
            return day_words(code, language)


def number_words(number: Decimal | int) -> str:
    """A number as people write it: 0.5, 1990, 1,999,999, and below zero with the minus sign of printing."""
    size = abs(Decimal(number))
    text = f"{size:,f}" if size >= GROUPED_FROM else f"{size:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    # Not a hyphen: spreadsheets take a text that begins with one for a formula.
    return f"\N{MINUS SIGN}{text}" if number < 0 else text


def day_words(code: int, language: Language) -> str:
    """A day: 2026年4月1日, 2026-04-01."""
    day = day_of(code)
    return f"{day.year}年{day.month}月{day.day}日" if language == "ja" else day.isoformat()


def period_words(label: str, language: Language) -> str:
    """A period of the calendar, from its label of `privacy.axes.periods`: 2026年度, 2026年4月, Apr–Jun 2026."""
    if label.startswith("FY"):
        return f"{int(label[2:])}年度" if language == "ja" else f"FY{int(label[2:])}"
    year, _, part = label.partition("-")
    if not part:
        return f"{int(year)}年" if language == "ja" else str(int(year))
    if part.startswith("Q"):
        # By its months: a number alone could be a quarter of the fiscal year.
        first = 3 * int(part[1:]) - 2
        if language == "ja":
            return f"{int(year)}年{first}〜{first + 2}月"
        return f"{MONTHS[first - 1]}–{MONTHS[first + 1]} {int(year)}"
    month = int(part)
    return f"{int(year)}年{month}月" if language == "ja" else f"{MONTHS[month - 1]} {int(year)}"
