"""The price of a query: the one given, or the least that reaches an accuracy. Knows no data."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from privacy import parallel
from privacy.aggregates import Plain
from privacy.budget import Price
from privacy.exact import ExactAggregate
from privacy.layout import Layout, plain
from privacy.measurement import (
    CONFIDENCE,
    Terms,
    distribution_of,
    distributions_of,
    draw_prices,
    draws_of,
    ideal_distribution,
)
from privacy.partition_selection import UndeclaredValueCount
from privacy.quantiles import Quantiles
from privacy.query import Accuracy, InvalidQuery, NotReachable, Problem, Query
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
        ja="予算の消費 {price} は 1 回の上限 {limit} を超えています",
        en="the price {price} is above the limit of {limit} a query",
    )

    def __init__(self, *, price: Price, limit: Price) -> None:
        super().__init__()
        self.price, self.limit = price, limit
        # What would cost less (`privacy.hints`), where somebody looked for that.
        self.hints: list[dict[str, object]] = []


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
    if isinstance(asked.within, str):
        _refuse_text(asked.within, resolver)
    elif asked.within <= 0:
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


def _refuse_text(within: str, resolver: Resolver) -> None:
    """Refuse an error given as text: as a share, as a number in quotation marks, or as no number at all."""
    pointer = "/budget/accuracy/within"
    # A share of a cell's size is a width that only the data knows, so no price follows from it.
    if within.rstrip().endswith(("%", "％")):
        resolver.refuse(pointer, "not_a_number:percentage", within)
    else:
        resolver.refuse_text(pointer, within)


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


def check_shares(estimators: Sequence[AnyEstimator], shares: Sequence[Price], layout: Layout) -> None:
    """Raise InvalidQuery for statistics whose shares leave a draw less than PRICE_MIN; draws nothing up yet."""
    problems = [
        Problem(
            pointer=f"/select/{place}",
            reason="share_too_small",
            given=str(cheapest),
            expected=str(PRICE_MIN),
        )
        for place, (estimator, share) in enumerate(zip(estimators, shares, strict=True))
        # Noise of a cheaper draw could saturate int64, and a saturated sum is no Laplace or Gaussian sum any more.
        if (cheapest := min(draw_prices(estimator, share, layout))) < PRICE_MIN
    ]
    if problems:
        raise InvalidQuery(problems)


def _price_of_accuracy(
    asked: Accuracy, terms: Terms, drafts: Sequence[Draft], weights: list[Fraction]
) -> Price:
    """Solve for the statistic's share, then for the whole price that gives it that share."""
    limit = terms.schema.price_per_query_max
    estimators = [draft.estimator for draft in drafts]
    # Where even the dearest query buys some statistic no draw, no accuracy of another one helps it.
    check_shares(estimators, parallel.prices(limit, weights, terms.sets), terms.layout)
    place = _widest([place for place, draft in enumerate(drafts) if draft.name == asked.of], estimators)
    estimator = estimators[place]
    shares = parallel.shares(weights, terms.sets)
    least = _least_share(terms.layout, estimator)
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
    # The accuracy fixes one statistic's price; the others must still afford their draws.
    floors = [_floor(terms.layout, other) for other in estimators]
    floors[place] = least
    # Prices in a set are rounded down twice: two billionths more are enough.
    spare = 0 if len(set(terms.sets)) == len(terms.sets) else 2
    floor = max(math.ceil((price.nano + spare) / share) for price, share in zip(floors, shares, strict=True))
    # `split` hands out remainders of a billionth, so the least whole price lies within one of the quotient.
    low = max(math.ceil((part.nano - 1) / shares[place]), floor)
    high = max(math.ceil((part.nano + spare) / shares[place]), floor)
    high = _least(low, high, lambda nano: parallel.prices(Price(nano), weights, terms.sets)[place] >= part)
    if high > limit.nano:
        raise AboveQueryLimit(price=Price(high), limit=limit)
    return Price(high)


def _widest(places: Sequence[int], estimators: Sequence[AnyEstimator]) -> int:
    """Of the parts of a statistic with clamps by group the one that errs most: the others keep the accuracy then."""
    reach = {place: found.l1(1) for place in places if not isinstance(found := estimators[place], Quantiles)}
    return max(reach, key=reach.__getitem__) if reach else places[0]


def _least(low: int, high: int, enough: Callable[[int], bool]) -> int:
    """The least whole number of `low` … `high` that is enough, as `high` is; every one above it is, too."""
    # Each step halves what is left, so that it ends after as many steps as the interval's width has binary digits.
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def _least_share(layout: Layout, estimator: AnyEstimator) -> Price:
    """The least price at which every draw of a statistic costs PRICE_MIN."""
    high = _floor(layout, estimator).nano
    # Rounding gives a draw a billionth more at most, so the least price is no further below.
    low = max(0, high - 2 * len(draw_prices(estimator, Price(high), layout)))
    return Price(
        _least(low, high, lambda nano: min(draw_prices(estimator, Price(nano), layout)) >= PRICE_MIN)
    )


def _floor(layout: Layout, estimator: AnyEstimator) -> Price:
    """A price at which every draw of a statistic costs PRICE_MIN, within some billionths of the least."""
    if isinstance(estimator, Quantiles) and not estimator.by_tree:
        return estimator.price_of_draws(PRICE_MIN)
    return Price(math.ceil(PRICE_MIN.nano / min(layout.shares)))


def _solve(asked: Accuracy, estimator: AnyEstimator, terms: Terms, least: Price, most: Price) -> Price | None:
    """Bisect over whole billionths, the error falling as the price rises; None if `most` is not enough."""
    assert not isinstance(asked.within, str)
    within = Fraction(asked.within)
    if most < least or error_at(asked, estimator, terms, most) > within:
        return None

    def enough(nano: int, *, ideal: bool) -> bool:
        return error_at(asked, estimator, terms, Price(nano), ideal=ideal) <= within

    # By formula first: exact scales ask OpenDP at each step. The formula's are larger by less than 10⁻¹¹, so that
    # the last few billionths are left to settle.
    near = _least(least.nano, most.nano, lambda nano: enough(nano, ideal=True))
    low = max(least.nano, near - near // 10**11 - 2)
    return Price(_least(low, near, lambda nano: enough(nano, ideal=False)))


def error_at(
    asked: Accuracy, estimator: AnyEstimator, terms: Terms, part: Price, *, ideal: bool = False
) -> Fraction:
    """The half-width of the bounds at a price, in units; of a quantile the share of rows in between.

    In every cell at once: the noise of different cells is independent where each is measured alone, so each
    must hold with confidence c^(1/cells); estimates from several grids share noise, so the doubt is divided
    (Bonferroni). A choice's error is bounded cell by cell, and cells are independent. `ideal` takes scales by their
    formulas instead of asking OpenDP.
    """
    confidence, layout = float(asked.confidence), terms.layout
    if asked.every_cell:
        cells = layout.cells
        # Independent cells multiply; estimates that share noise may fail together or apart, so their doubts add up.
        confidence = confidence ** (1 / cells) if layout.direct else 1 - (1 - confidence) / cells
    draws = draws_of(estimator, part, terms)
    rows = asked.rows or 1
    # Several grids are priced by formula: exact scales ask OpenDP for each grid at each step of the bisection.
    distribution_from = distribution_of if layout.direct and not ideal else ideal_distribution
    distributions = distributions_of(draws, layout, distribution_from)
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


def error_of_count(schema: Schema, price: Price) -> int | None:
    """Within what one count at a price is exact at 95 %, in rows rounded up; None for less than a draw costs."""
    if price < PRICE_MIN:
        return None
    estimator, asked, terms = _one_count(schema, 1)
    return math.ceil(error_at(asked, estimator, terms, price))


def _one_count(schema: Schema, within: int) -> tuple[Plain, Accuracy, Terms]:
    """One count of all rows, to be exact within ±`within` at 95 %."""
    estimator = Plain(key="count", exact=ExactAggregate(kind="rows"), rows=schema.rows_per_person)
    asked = Accuracy(of="", within=within, confidence=Decimal(str(CONFIDENCE)))
    return estimator, asked, Terms(schema=schema, layout=plain(()), mechanism=None)


def count_within(schema: Schema, within: int) -> Price | None:
    """The least price of one count within ±`within` at 95 %; None where no query may cost as much."""
    estimator, asked, terms = _one_count(schema, within)
    return _solve(asked, estimator, terms, PRICE_MIN, schema.price_per_query_max)
