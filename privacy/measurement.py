"""How a priced statistic is measured: which draws of which mechanism, and the noise of each table's values."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from privacy.aggregates import AdditiveEstimator, Plain
from privacy.budget import Price, split
from privacy.clamps import Cells
from privacy.distributions import NoiseDistribution
from privacy.exact import AxisSubset, ExactAggregate, reachable_over
from privacy.filters import Filter, canonical_text, every
from privacy.layout import Layout
from privacy.noise import Kind, Mechanism
from privacy.partition_selection import UndeclaredValueCount
from privacy.quantiles import Quantiles
from privacy.query import Statistic
from privacy.schema import Measure, Schema
from privacy.statistics import AnyEstimator, value_names
from privacy.units import UnitCount

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the whole query settles for all of its statistics; `sets` as in `privacy.parallel`."""

    schema: Schema
    layout: Layout
    mechanism: str | None
    sets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDraw:
    """One drawing of noise: over which axes, by which mechanism."""

    subset: AxisSubset
    mechanism: Mechanism


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One statistic as it will be measured and released.

    `names` are those of its values. An additive estimator has a draw for each grid; quantiles by choice one for
    each choice. `distributions` is the noise of the values of each table of the layout; empty for choices. `where` is
    the statistic's own filter, which takes rows away and so raises no sensitivity. A part of a statistic with clamps by
    group is shown in its own `cells` alone; `whole` tells by which statistic.
    """

    name: str
    agg: str
    names: tuple[str, ...]
    estimator: AnyEstimator
    price: Price
    draws: tuple[PlannedDraw, ...]
    distributions: tuple[NoiseDistribution, ...]
    where: Filter | None = None
    cells: Cells | None = None
    whole: str = ""

    @property
    def key(self) -> str:
        """The canonical text of the statistic and of its own filter; of a part, of which statistic it is one."""
        # A part is no statistic by itself: one that has the same filter and clamp is told with noise of its own.
        return f"{self.text} of {self.whole}" if self.whole else self.text

    @property
    def text(self) -> str:
        """The canonical text of what is measured."""
        if self.where is None:
            return self.estimator.key
        return f"{self.estimator.key} where {canonical_text(self.where)}"

    @property
    def exacts(self) -> tuple[ExactAggregate, ...]:
        """The exact integers that are asked for: the estimator's, of the rows that its own filter lets through."""
        return tuple(filtered(exact, self.where) for exact in self.estimator.exacts)

    @property
    def additive(self) -> AdditiveEstimator:
        """The estimator where it is a vector of sums. Asserts that it is no quantile and no undeclared count."""
        assert not isinstance(self.estimator, Quantiles | UndeclaredValueCount)
        return self.estimator

    @property
    def mechanisms(self) -> list[Mechanism]:
        return [draw.mechanism for draw in self.draws]


def filtered(exact: ExactAggregate, where: Filter | None) -> ExactAggregate:
    """An exact integer of those rows that match a filter as well."""
    if where is None:
        return exact
    return replace(exact, where=where if exact.where is None else every([where, exact.where]))


def is_additive(estimator: AnyEstimator, layout: Layout) -> bool:
    """Whether a statistic's cells add up to those of a margin.

    By keys that are all constant per person, a person is in one cell of the finest table and in the cells above it, or
    in none, with all rows that count. So persons, and totals clamped per person, add up as rows do.
    """
    if isinstance(estimator, Quantiles | UndeclaredValueCount | UnitCount):
        return False
    if not isinstance(estimator, Plain) or estimator.exact.kind in ("rows", "total"):
        return True
    # Elsewhere a person in two cells is one person of their sum, and a total clamped per person is clamped anew.
    return all(axis.constant for axis in layout.axes)


def measurement_of(statistic: Statistic, estimator: AnyEstimator, price: Price, terms: Terms) -> Measurement:
    """Settle the draws of a statistic at its price."""
    draws = draws_of(estimator, price, terms)
    return Measurement(
        name=statistic.name,
        agg=statistic.agg,
        names=value_names(statistic),
        estimator=estimator,
        price=price,
        draws=draws,
        distributions=distributions_of(draws, terms.layout),
    )


def draw_prices(estimator: AnyEstimator, price: Price, layout: Layout) -> list[Price]:
    """What each draw of a statistic costs, without settling its noise: a share of nothing has none."""
    if isinstance(estimator, Quantiles) and not estimator.by_tree:
        return estimator.draw_prices(price)
    return split(price, list(layout.shares))


def draws_of(estimator: AnyEstimator, price: Price, terms: Terms) -> tuple[PlannedDraw, ...]:
    """The draws that the price buys."""
    layout, measure = terms.layout, terms.schema.measure
    if isinstance(estimator, Quantiles) and not estimator.by_tree:
        # Ranks of a margin are no sums of ranks, so choices are measured in one table only.
        (subset,) = layout.grids
        return tuple(
            PlannedDraw(subset=subset, mechanism=one) for one in estimator.mechanisms(price, measure)
        )
    parts = split(price, list(layout.shares))
    draws = []
    for subset, part in zip(layout.grids, parts, strict=True):
        # Cells that one person can reach, not those of the table: the sensitivities are about one person's rows.
        cells = reachable_over(layout.axes, subset)
        # From sensitivity and price alone: a choice that looked at data would itself cost privacy.
        kind = terms.mechanism or best_kind(estimator, cells, part, measure)
        if isinstance(estimator, UndeclaredValueCount):
            # The proof of the threshold is one for Gaussian noise, whatever would be narrower.
            kind = "discrete_gaussian"
        draws.append(
            PlannedDraw(subset=subset, mechanism=mechanism_of(estimator, cells, part, measure, kind))
        )
    return tuple(draws)


def mechanism_of(estimator: AnyEstimator, cells: int, price: Price, measure: Measure, kind: str) -> Mechanism:
    """Additive noise of one kind for an estimator over so many cells."""
    laplace = kind == "discrete_laplace"
    return Mechanism(
        kind="discrete_laplace" if laplace else "discrete_gaussian",
        measure=measure,
        # Laplace noise answers for L1 and Gaussian noise for L2, which is squared because only its square is whole.
        sensitivity=estimator.l1(cells) if laplace else estimator.squared(cells),
        price=price,
    )


def best_kind(estimator: AnyEstimator, cells: int, price: Price, measure: Measure) -> Kind:
    """The mechanism with the narrower bounds at the price; pure ε knows Laplace noise only."""
    if measure == "pure" or price.nano < 1:
        return "discrete_laplace"
    laplace, gaussian = (
        ideal_distribution(mechanism_of(estimator, cells, price, measure, kind)).half_width(CONFIDENCE)
        for kind in KINDS
    )
    return "discrete_laplace" if laplace < gaussian else "discrete_gaussian"


def widths_by_kind(estimator: AnyEstimator, cells: int, price: Price, measure: Measure) -> dict[str, int]:
    """The half-width of one draw's bounds under each mechanism."""
    return {
        kind: distribution_of(mechanism_of(estimator, cells, price, measure, kind)).half_width(CONFIDENCE)
        for kind in KINDS
    }


def distribution_of(mechanism: Mechanism) -> NoiseDistribution:
    """The distribution of additive noise."""
    return NoiseDistribution(_DISTRIBUTIONS[mechanism.kind], mechanism.scale)


def ideal_distribution(mechanism: Mechanism) -> NoiseDistribution:
    """The distribution of additive noise by formula, without asking OpenDP: for searches over many prices.

    Its scale is never below that of `distribution_of`, and above it by rounding only.
    """
    return NoiseDistribution(_DISTRIBUTIONS[mechanism.kind], mechanism.ideal_scale * (1 + 1e-12))


def distributions_of(
    draws: tuple[PlannedDraw, ...],
    layout: Layout,
    distribution: Callable[[Mechanism], NoiseDistribution] = distribution_of,
) -> tuple[NoiseDistribution, ...]:
    """The noise of each table's values: that of the one draw, or of the least-squares estimates.

    Grids share one price, so their variances are as 1/share² (pure) or 1/share (zCDP), up to the rounding of
    prices; the largest deviation from that is applied to all, which can only widen.
    """
    if draws[0].mechanism.kind == "noisy_max":
        return ()
    distributions = tuple(distribution(draw.mechanism) for draw in draws)
    if layout.direct:
        return distributions
    power = 2 if draws[0].mechanism.measure == "pure" else 1
    # One base for all grids keeps the closed form; the largest overstates the others by a rounding.
    base = max(
        distribution.deviation**2 * float(share) ** power
        for distribution, share in zip(distributions, layout.shares, strict=True)
    )
    kind = "gaussian" if all(distribution.kind == "gaussian" for distribution in distributions) else "mixed"
    whole = len(distributions) == 1  # mere sums of whole numbers
    return tuple(
        NoiseDistribution(kind, math.sqrt(base * relative), whole)  # type: ignore[arg-type]
        for relative in layout.relative_variances(power)
    )


KINDS: tuple[Kind, Kind] = ("discrete_laplace", "discrete_gaussian")
_DISTRIBUTIONS: dict[str, Literal["laplace", "gaussian"]] = {
    "discrete_laplace": "laplace",
    "discrete_gaussian": "gaussian",
}
