"""The price of a query: the one given, or the least that reaches an accuracy. Knows no data."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from privacy.aggregates import Plain
from privacy.budget import PRICE_NANO_MAX, Price, split
from privacy.exact import ExactAggregate
from privacy.layout import Layout, plain
from privacy.measurement import (
    CONFIDENCE,
    Terms,
    distribution_of,
    distributions_of,
    draws_of,
    ideal_distribution,
)
from privacy.partition_selection import UndeclaredValueCount
from privacy.quantiles import Quantiles
from privacy.query import Accuracy, NotReachable, Query
from privacy.refusal import Refusal
from privacy.resolve import Resolver
from privacy.schema import Schema, in_units
from privacy.statistics import AnyEstimator
from privacy.words import Words

PRICE_MIN = Price(1_000)
"""The least price of one draw of noise, 0.000001: below it the noise could leave the int64 range."""

CONFIDENCE_MIN, CONFIDENCE_MAX = Decimal("0.5"), Decimal("0.999999")
WITHIN_MIN = Decimal("1e-12")


class AboveQueryLimit(Refusal, ValueError):
    """The price of one query is above what the owner lets a single query cost."""

    code = "above_query_limit"
    words = Words(
        ja="価格 {price} は 1 回の上限 {limit} を超えています",
        en="the price {price} is above the limit of {limit} a query",
    )

    def __init__(self, *, price: Price, limit: Price) -> None:
        super().__init__()
        self.price, self.limit = price, limit


@dataclass(frozen=True, slots=True)
class Draft:
    """A statistic that fits the schema, not yet priced."""

    name: str
    estimator: AnyEstimator


def check_accuracy(query: Query, estimators: Sequence[AnyEstimator], resolver: Resolver) -> None:
    """Note what is wrong with a budget given as an accuracy."""
    asked = query.budget
    if not isinstance(asked, Accuracy):
        return
    names = [statistic.name for statistic in query.select]
    if asked.of not in names:
        resolver.refuse("/budget/accuracy/of", "unknown_statistic", asked.of, ", ".join(names))
    elif asked.rows is None and depends_on_rows(estimators[names.index(asked.of)]):
        resolver.refuse("/budget/accuracy/rows", "error_depends_on_rows", asked.of)
    if isinstance(asked.within, str) or asked.within <= 0:
        resolver.refuse("/budget/accuracy/within", "not_positive", asked.within)
    elif asked.within < WITHIN_MIN:
        resolver.refuse("/budget/accuracy/within", "outside_domain", asked.within, f"{WITHIN_MIN} …")
    if not CONFIDENCE_MIN <= asked.confidence <= CONFIDENCE_MAX:
        expected = f"{CONFIDENCE_MIN} … {CONFIDENCE_MAX}"
        resolver.refuse("/budget/accuracy/confidence", "outside_domain", asked.confidence, expected)
    if asked.rows is not None and asked.rows < 1:
        resolver.refuse("/budget/accuracy/rows", "not_positive", asked.rows)
    if asked.relative is not None and not 0 < asked.relative < 1:
        resolver.refuse("/budget/accuracy/relative", "outside_domain", asked.relative, "0 … 1")


def depends_on_rows(estimator: AnyEstimator) -> bool:
    """Whether the error depends on how many rows a cell holds, so on the data."""
    return isinstance(estimator, Quantiles) or estimator.depends_on_rows


def price(query: Query, terms: Terms, drafts: Sequence[Draft], weights: Sequence[Fraction]) -> Price:
    """The price given, or the least price that reaches the accuracy given."""
    limit = terms.schema.price_per_query_max
    if isinstance(query.budget, Accuracy):
        return _price_of_accuracy(query.budget, terms, drafts, list(weights))
    if query.budget > limit:
        raise AboveQueryLimit(price=query.budget, limit=limit)
    return query.budget


def _price_of_accuracy(
    asked: Accuracy, terms: Terms, drafts: Sequence[Draft], weights: list[Fraction]
) -> Price:
    """Solve for the statistic's share, then for the whole price that gives it that share."""
    limit = terms.schema.price_per_query_max
    place = next(place for place, draft in enumerate(drafts) if draft.name == asked.of)
    estimator = drafts[place].estimator
    least = _least_share(terms.layout, estimator)
    shares = [weight / sum(weights) for weight in weights]
    # Rounded down: at this share the whole price still keeps the limit of a query.
    most = Price(int(limit.nano * shares[place]))
    part = _solve(asked, estimator, terms, least, most)
    if part is None:
        raise NotReachable(
            pointer="/budget/accuracy/within",
            within=str(asked.within),
            reachable=_error_text(estimator, error_at(asked, estimator, terms, max(most, least))),
            limit=limit,
        )
    # The accuracy fixes one statistic's price; the others must still afford a draw.
    floor = math.ceil(PRICE_MIN.nano / min(shares))
    if floor > limit.nano:
        raise AboveQueryLimit(price=Price(min(floor, PRICE_NANO_MAX)), limit=limit)
    # `split` hands out remainders of a billionth, so the least whole price lies within one of the quotient.
    low = max(math.ceil((part.nano - 1) / shares[place]), floor)
    high = max(math.ceil(part.nano / shares[place]), floor)
    while low < high:
        middle = (low + high) // 2
        if split(Price(middle), weights)[place] >= part:
            high = middle
        else:
            low = middle + 1
    if high > limit.nano:
        raise AboveQueryLimit(price=Price(high), limit=limit)
    return Price(high)


def _least_share(layout: Layout, estimator: AnyEstimator) -> Price:
    """The least price at which every draw of a statistic costs PRICE_MIN."""
    if isinstance(estimator, Quantiles) and not estimator.by_tree:
        low, high = PRICE_MIN.nano, PRICE_MIN.nano * 100 * len(estimator.qs)
        while low < high:
            middle = (low + high) // 2
            # The measure shapes noise and not prices, so any will do here.
            if min(one.price for one in estimator.mechanisms(Price(middle), "pure")) >= PRICE_MIN:
                high = middle
            else:
                low = middle + 1
        return Price(high)
    return Price(math.ceil(PRICE_MIN.nano / min(layout.shares)))


def _solve(asked: Accuracy, estimator: AnyEstimator, terms: Terms, least: Price, most: Price) -> Price | None:
    """Bisect over whole billionths, the error falling as the price rises; None if `most` is not enough."""
    assert not isinstance(asked.within, str)
    within = Fraction(asked.within)
    if most < least or error_at(asked, estimator, terms, most) > within:
        return None
    low, high = least.nano, most.nano
    while low < high:
        middle = (low + high) // 2
        if error_at(asked, estimator, terms, Price(middle)) <= within:
            high = middle
        else:
            low = middle + 1
    return Price(high)


def error_at(asked: Accuracy, estimator: AnyEstimator, terms: Terms, part: Price) -> Fraction:
    """The half-width of the bounds at a price, in units; of a quantile the share of rows in between.

    In every cell at once: the noise of different cells is independent where each is measured alone, so each
    must hold with confidence c^(1/cells); estimates from several grids share noise, so the doubt is divided
    (Bonferroni). A choice's error is bounded cell by cell, and cells are independent.
    """
    confidence, layout = float(asked.confidence), terms.layout
    if asked.every_cell:
        cells = layout.cells
        # Independent cells multiply; estimates that share noise may fail together or apart, so their doubts add up.
        confidence = confidence ** (1 / cells) if layout.direct else 1 - (1 - confidence) / cells
    draws = draws_of(estimator, part, terms)
    rows = asked.rows or 1
    # Several grids are priced by formula: exact scales ask OpenDP for each grid at each step of the bisection.
    distributions = distributions_of(draws, layout, distribution_of if layout.direct else ideal_distribution)
    if isinstance(estimator, Quantiles):
        distribution = distributions[0] if distributions else None
        return Fraction(
            estimator.rank_error(distribution, confidence, [draw.mechanism for draw in draws]), rows
        )
    if isinstance(estimator, UndeclaredValueCount):
        return Fraction(distributions[0].half_width(confidence))
    if isinstance(estimator, Plain) and layout.direct:
        return distributions[0].half_width(confidence) * Fraction(estimator.step)
    return max(
        Fraction(estimator.half_width(distribution, confidence, rows)) for distribution in distributions
    )


def _error_text(estimator: AnyEstimator, error: Fraction) -> str:
    """The reachable error, rounded up where it is no whole number of steps."""
    if isinstance(estimator, Plain) and (error / Fraction(estimator.step)).denominator == 1:
        return str(in_units(int(error / Fraction(estimator.step)), estimator.step))
    # Four digits, rounded up: asked for again, the shown error must be reachable.
    digits = max(0, 3 - math.floor(math.log10(float(error) or 1.0)))
    return f"{Decimal(math.ceil(error * 10**digits)).scaleb(-digits).normalize():f}"


def count_within(schema: Schema, within: int) -> Price | None:
    """The least price of one count within ±`within` at 95 %; None where no query may cost as much."""
    estimator = Plain(key="count", exact=ExactAggregate(kind="rows"), rows=schema.rows_per_person)
    asked = Accuracy(of="", within=within, confidence=Decimal(str(CONFIDENCE)))
    terms = Terms(schema=schema, layout=plain(()), mechanism=None)
    return _solve(asked, estimator, terms, PRICE_MIN, schema.price_per_query_max)
