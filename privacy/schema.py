"""What is public about a dataset: columns, domains, the privacy unit and the limits. Knows no data.

Every queryable column is stored as whole numbers ("codes"): a category as the position of its value, a number
as a count of its declared step, a date as days since 1970-01-01. A column's codes are `low` … `high`;
`missing` is the code `low - 1`, so that missing is a value like any other and never NULL.

Of a column that is `constant_per_person` all rows of a person in the statistics table have one code (or are all
missing): registration sees to it whatever the source says (`datasets.registration.ingest.statistics`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from privacy.about import About
from privacy.budget import Price

EPOCH = date(1970, 1, 1)
Labels = dict[str, tuple[str, ...]]
Label = str | int | float | None
"""How a code or an interval of codes is shown: None stands for missing."""

Measure = Literal["pure", "zcdp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """A declared way to count several values of a column as one: for each label its closed intervals of codes.

    Intervals of one label ascend and do not touch; those of different labels are disjoint.
    """

    name: str
    labels: tuple[str, ...]
    intervals: tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A column with a closed list of values; `other` names the value that takes undeclared ones."""

    name: str
    values: tuple[str, ...]
    # A dict has no hash, and what a value is called changes no question.
    labels: Labels = field(default_factory=dict, hash=False)
    other: str | None = None
    missing_allowed: bool = False
    groupings: tuple[Grouping, ...] = ()
    constant_per_person: bool = False

    @property
    def low(self) -> int:
        return 0

    @property
    def high(self) -> int:
        return len(self.values) - 1

    @property
    def missing(self) -> int:
        # Below the domain, so that no interval of values takes missing in by accident.
        return -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A column of numbers, stored as whole multiples of `step` between `low` and `high` (in steps)."""

    name: str
    low: int
    high: int
    step: Decimal = Decimal(1)
    unit: str | None = None
    kind: Literal["integer", "decimal"] = "integer"
    missing_allowed: bool = False
    groupings: tuple[Grouping, ...] = ()
    constant_per_person: bool = False

    @property
    def missing(self) -> int:
        return self.low - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Date:
    """A column of dates, stored as days since 1970-01-01."""

    name: str
    low: int
    high: int
    missing_allowed: bool = False
    groupings: tuple[Grouping, ...] = ()
    constant_per_person: bool = False

    @property
    def missing(self) -> int:
        return self.low - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeclaredColumn:
    """A column of values that nobody declared, stored as keyed digests of 62 bits; see `privacy.partition_selection`.

    Values of more than `length_max` characters are missing.
    """

    name: str
    length_max: int = 100
    low: int = 0
    high: int = 2**62 - 1
    missing: int = -1
    missing_allowed: bool = True
    constant_per_person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A column kept for record sets only; no query can name it."""

    name: str
    role: str = "identifier"


Column = Category | Number | Date | UndeclaredColumn
AnyColumn = Category | Number | Date | UndeclaredColumn | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondUnit:
    """What can be counted beside persons, such as households: the text in the source's column `column` names one.

    No question can name that column. `constant_per_person`: all rows of a person name one unit, or none.
    """

    name: str
    column: str
    title: dict[str, str] = field(default_factory=dict, hash=False)
    constant_per_person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The public face of one dataset version.

    `unit` names the column that tells persons apart; None means that each row is one person.
    `rows_per_person` is the contribution bound: no person has more rows than that in the statistics table.
    `columns` are all declared columns in declared order, the unit's column not among them. `units` are the second units
    that can be counted; registration wrote a number for each of them to the statistics table, in this order.
    `cap` and `price_per_query_max` are ε, or ρ where `measure` is zcdp. Only there stand `delta`, at which ρ is
    shown as (ε, δ), and, both or neither, `delta_per_query` and `delta_cap`: what one answer with undeclared
    keys costs in δ, and the lifetime total of these over everybody. `about` is what the owner says of it to people.
    """

    id: str
    # Titles have no part in the identity of a schema, and a dict has no hash.
    title: dict[str, str] = field(hash=False)
    body: str
    unit: str | None
    rows_per_person: int
    cap: Price
    price_per_query_max: Price
    columns: tuple[AnyColumn, ...]
    measure: Measure = "pure"
    delta: Fraction | None = None
    delta_per_query: Fraction | None = None
    delta_cap: Fraction | None = None
    # Words for people have no part in the identity either.
    about: About = field(default_factory=About, hash=False)
    units: tuple[SecondUnit, ...] = ()

    @property
    def queryable(self) -> tuple[Column, ...]:
        # Queries number the columns in this order, so it must not depend on columns that they cannot name.
        return tuple(column for column in self.columns if not isinstance(column, Text))


def day_number(day: date) -> int:
    """The code of a date: days since 1970-01-01."""
    return (day - EPOCH).days


def day_of(code: int) -> date:
    """The date of a code."""
    return EPOCH + timedelta(days=code)


def in_units(steps: int, step: Decimal) -> int | float:
    """Steps in the column's unit: a whole number where the step is whole."""
    above, below = step.as_integer_ratio()
    # Multiplied first: one rounding, and 3 steps of 0.1 are 0.3.
    return steps * above if below == 1 else steps * above / below


def all_in_units(steps: Iterable[int | None], step: Decimal) -> list[Label]:
    """Many amounts of steps in the column's unit: whole numbers where the step is whole; None stays None."""
    above, below = step.as_integer_ratio()
    if below == 1:
        return [None if one is None else one * above for one in steps]
    return [None if one is None else one * above / below for one in steps]
