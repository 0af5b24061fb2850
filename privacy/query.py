"""The closed query language, as the caller says it: names and literals, not yet held against a schema.

Refuses nothing itself but malformed values of its own; `privacy.plan` holds a query against a schema and
collects every `Problem`, each with the JSON Pointer of what the caller sent.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Literal, TypeAlias

from privacy.budget import Price

Scalar: TypeAlias = str | int | Decimal
Mode = Literal["run", "quote", "dummy"]
Reuse = Literal["prefer", "never"]

AGGREGATES = ("count", "count_persons", "sum", "mean")
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=", "in", "between", "is_missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a request: where (`pointer`), what (`reason`), the caller's words, the remedy.

    `given` quotes the caller, `expected` quotes the public schema; neither ever quotes data.
    """

    pointer: str
    reason: str
    given: object = None
    expected: object = None


class InvalidQuery(ValueError):
    """The query does not fit the language or the schema. Decided before any data is opened."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problem(s)")
        self.problems = problems


class NotReachable(ValueError):
    """The accuracy asked for costs more than one query may. `reachable` is the best `within` that fits."""

    def __init__(self, *, pointer: str, within: str, reachable: str, limit: Price) -> None:
        super().__init__("accuracy not reachable")
        self.pointer, self.within, self.reachable, self.limit = pointer, within, reachable, limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One selected value column: an aggregate, of a column where it needs one, clamped on request."""

    name: str
    agg: str
    column: str | None = None
    clamp: tuple[Scalar, Scalar] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One grouping key: all values of a column's domain, or its bins; `missing` adds a cell for missing."""

    column: str
    bins: tuple[Scalar, ...] | None = None
    missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """A comparison of a column with literals. `value` is empty for `is_missing`."""

    column: str
    op: str
    values: tuple[Scalar, ...] = ()


@dataclass(frozen=True, slots=True)
class All:
    terms: tuple["Where", ...]


@dataclass(frozen=True, slots=True)
class Any:
    terms: tuple["Where", ...]


@dataclass(frozen=True, slots=True)
class Not:
    term: "Where"


Where: TypeAlias = All | Any | Not | Compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """A budget said as an error: `of` within ±`within` with probability `confidence`, at the least price."""

    of: str
    within: Scalar
    confidence: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A whole request. `weights` share the price over the statistics; those not named weigh 1;
    `weights_at` is where the caller wrote them."""

    select: tuple[Statistic, ...]
    budget: Price | Accuracy
    where: Where | None = None
    group_by: tuple[Key, ...] = ()
    weights: dict[str, Fraction] = field(default_factory=dict)
    weights_at: str = "/budget/weights"
    mode: Mode = "run"
    reuse: Reuse = "prefer"
