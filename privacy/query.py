"""The closed query language, as the caller sends it: names and literals, not yet checked against a schema.

Refuses nothing itself but malformed values of its own; `privacy.plan` checks a query against a schema and
collects every `Problem`, each with the JSON Pointer of what the caller sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Literal, TypeAlias

from privacy.budget import Price
from privacy.refusal import Refusal
from privacy.words import Words, grouped

# No floats: a literal 0.1 must be the 0.1 of a declared step.
Scalar: TypeAlias = str | int | Decimal
Mode = Literal["run", "quote", "dummy"]
Reuse = Literal["prefer", "never"]

# In the order in which documentation and refusals list them.
AGGREGATES = (
    "count",
    "count_persons",
    "count_units",
    "sum",
    "mean",
    "variance",
    "stddev",
    "median",
    "quantile",
    "ratio",
    "share_kept",
)
CALENDAR = ("year", "fiscal_year", "quarter", "month")
MECHANISMS = ("discrete_laplace", "discrete_gaussian")
TERMS_MAX = 1_000
"""How many terms of lists and values of `in` and `between` all conditions of one request may hold together."""
ARITHMETIC = ("+", "-", "*", "/")
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=", "in", "between", "is_missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a request: where (`pointer`), what (`reason`), the caller's words, the remedy.

    `given` quotes the caller, `expected` quotes the public schema (as Words where it reads otherwise in another
    language), `nearest` is what was probably meant; none ever quotes data. A reason may be told in other words for
    one kind of mistake, which then stands behind it: not_a_number:percentage.
    """

    pointer: str
    reason: str
    given: object = None
    expected: object = None
    nearest: str | Decimal | None = None


class InvalidQuery(Refusal, ValueError):
    """The query does not fit the language or the schema. Decided before any data is opened."""

    code = "invalid_query"
    words = Words(ja="質問の内容に誤りが {number} 件あります", en="the query has {number} problem(s)")

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__()
        self.problems, self.number = problems, len(problems)


class NotReachable(Refusal, ValueError):
    """The accuracy asked for costs more than one query may. `reachable` is the best `within` that fits."""

    code = "not_reachable"
    words = Words(
        ja="誤差 {within_shown} 以内の答えに必要な予算の消費は 1 回の上限 {limit} を超えます。"
        "{reachable_shown} 以内なら得られます",
        en="within {within_shown} costs more than the limit of {limit} a query; within {reachable_shown} is reachable",
    )

    def __init__(self, *, pointer: str, within: str, reachable: str, limit: Price) -> None:
        super().__init__()
        self.pointer, self.within, self.reachable, self.limit = pointer, within, reachable, limit
        # As people read them; what is put into a changed question is the plain number.
        self.within_shown, self.reachable_shown = grouped(within), grouped(reachable)
        # What would reach it (`privacy.hints`), where somebody looked for that.
        self.hints: list[dict[str, object]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One selected value column: an aggregate, of a column where it needs one, clamped on request.

    `per_person_clamp` bounds a person's whole sum in a cell; `q` are the quantiles asked for, and
    `value_bounds` asks for bounds of their values; a ratio counts the rows of two conditions. `where` narrows the
    rows of this statistic alone, beside the question's. `clamps` are clamps by the labels of one key's cells; "*" is
    that of all cells not named. `unit` is the second unit that is counted.
    """

    name: str
    agg: str
    column: str | None = None
    clamp: tuple[Scalar, Scalar] | None = None
    per_person_clamp: tuple[Scalar, Scalar] | None = None
    q: tuple[Scalar, ...] | None = None
    value_bounds: bool | None = None
    numerator: "Where | None" = None
    denominator: "Where | None" = None
    where: "Where | None" = None
    clamps: tuple[tuple[str, tuple[Scalar, Scalar]], ...] | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """All values from one to another, both among them."""

    low: Scalar
    high: Scalar


@dataclass(frozen=True, slots=True)
class Group:
    """Some values of a column that are counted as one, under a label."""

    label: str
    members: tuple[Scalar | Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One grouping key: all values of a column's domain, its bins, groups, or of a date the years, quarters ….

    `groups` are the caller's own, or name a grouping that the descriptor declares, or are True for its only one.
    `missing` adds a cell for missing.
    """

    column: str
    bins: tuple[Scalar, ...] | None = None
    by: str | None = None
    groups: tuple[Group, ...] | str | Literal[True] | None = None
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
    """A budget given as an error: `of` within ±`within` with probability `confidence`, at the least price.

    Of one cell, or of `every_cell` at once. Where the error depends on how many rows a cell holds, it is
    promised for cells of at least `rows`. `relative` lets a large cell be off by that share instead; since
    any cell may be small, it lowers no price.
    """

    of: str
    within: Scalar
    confidence: Decimal
    every_cell: bool = False
    rows: int | None = None
    # Read and checked, though it lowers no price: any cell may be small, and which ones are is data.
    relative: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadTable:
    """One table of a workload: its name and keys."""

    name: str
    group_by: tuple[Key, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A column computed from released columns: `left` `op` `right`, each a column's name or a literal.

    With `share_of_total` it is that column's share of its total instead, and the three are None.
    """

    name: str
    left: str | Decimal | None = None
    op: str | None = None
    right: str | Decimal | None = None
    share_of_total: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A column of the answer by which its rows are ordered; missing cells come last either way."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A whole request. `weights` share the price over the statistics; those not named weigh 1;
    `weights_at` is where the caller wrote them.

    `rows_per_person` narrows the dataset's bound; `totals` adds the margins of the keys; `whole` asks for
    whole, non-negative counts in a table with totals; `tables` are the tables of a workload, which has no
    keys of its own; `mechanism` insists on one;
    `priced_in` is the name that the caller gave the price: epsilon or rho.

    `derive`, `having`, `order_by` and `limit` work on the released table alone (`privacy.presentation`), in that
    order: they change nothing of what is measured, of its price, and of the fingerprint. The columns that `having`
    compares are the answer's.
    """

    select: tuple[Statistic, ...]
    budget: Price | Accuracy
    where: Where | None = None
    group_by: tuple[Key, ...] = ()
    weights: dict[str, Fraction] = field(default_factory=dict)
    # A budget can be written in two shapes; a refusal must point into the one that was sent.
    weights_at: str = "/budget/weights"
    rows_per_person: int | None = None
    totals: bool = False
    whole: bool = False
    tables: tuple[WorkloadTable, ...] = ()
    mechanism: str | None = None
    # Kept apart from the price: ε and ρ are the same billionths, and only the schema knows which were meant.
    priced_in: str = ""
    mode: Mode = "run"
    reuse: Reuse = "prefer"
    derive: tuple[Derived, ...] = ()
    having: Where | None = None
    order_by: tuple[Order, ...] = ()
    limit: int | None = None


def conditions_of(query: Query) -> Iterator[tuple[str, Where]]:
    """Every condition of a request with its JSON Pointer."""
    if query.where is not None:
        yield "/where", query.where
    for place, statistic in enumerate(query.select):
        for name in ("where", "numerator", "denominator"):
            where: Where | None = getattr(statistic, name)
            if where is not None:
                yield f"/select/{place}/{name}", where


def measured(query: Query) -> int:
    """How many statistics are measured at most, each clamp of a group counting as one more."""
    return sum(1 + len(one.clamps or ()) for one in query.select)


def comparisons_in(where: Where) -> Iterator[Compare]:
    """The comparisons of a condition, in the order in which they were written."""
    match where:
        case Compare():
            yield where
        case Not(term):
            yield from comparisons_in(term)
        case All(terms) | Any(terms):
            for term in terms:
                yield from comparisons_in(term)


def terms_in(where: Where) -> int:
    """What a condition counts towards TERMS_MAX: the terms of each list, and each value of `in` and `between`."""
    match where:
        case Compare(op=op, values=values):
            return len(values) if op in ("in", "between") else 0
        case Not(term):
            return terms_in(term)
        case All(terms) | Any(terms):
            return len(terms) + sum(map(terms_in, terms))
