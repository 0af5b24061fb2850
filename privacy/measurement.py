"""How a priced statistic is measured: which draws of which mechanism, and the noise of each table's values."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from privacy.aggregates import Plain
from privacy.budget import Price, split
from privacy.distributions import Law
from privacy.exact import AxisSubset, cells_over
from privacy.layout import Layout
from privacy.noise import Kind, Mechanism
from privacy.partition_selection import OpenCount
from privacy.quantiles import Quantiles
from privacy.query import Statistic
from privacy.schema import Measure, Schema
from privacy.statistics import AnyEstimator, value_names

CONFIDENCE = 0.95


class TermsOf(Protocol):
    """What the whole query settles for all of its statistics."""

    @property
    def schema(self) -> Schema: ...

    @property
    def layout(self) -> Layout: ...

    @property
    def mechanism(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDraw:
    """One drawing of noise: over which axes, by which mechanism."""

    over: AxisSubset
    mechanism: Mechanism


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One statistic as it will be measured and told.

    `names` are those of its values. An additive form has a draw for each grid; quantiles by choice one for
    each choice. `laws` is the noise of the values of each table of the layout; empty for choices.
    """

    name: str
    agg: str
    names: tuple[str, ...]
    form: AnyEstimator
    price: Price
    draws: tuple[PlannedDraw, ...]
    laws: tuple[Law, ...]

    @property
    def key(self) -> str:
        return self.form.key

    @property
    def mechanisms(self) -> list[Mechanism]:
        return [draw.mechanism for draw in self.draws]


def is_additive(form: AnyEstimator) -> bool:
    """Whether a statistic's cells add up to those of a margin."""
    if isinstance(form, Quantiles | OpenCount):
        return False
    return not isinstance(form, Plain) or form.exact.kind in ("rows", "total")


def measured(statistic: Statistic, form: AnyEstimator, price: Price, terms: TermsOf) -> Measurement:
    """Settle the draws of a statistic at its price."""
    draws = draws_of(form, price, terms)
    return Measurement(
        name=statistic.name,
        agg=statistic.agg,
        names=value_names(statistic),
        form=form,
        price=price,
        draws=draws,
        laws=laws_of(draws, terms.layout),
    )


def draws_of(form: AnyEstimator, price: Price, terms: TermsOf) -> tuple[PlannedDraw, ...]:
    """The draws that the price buys."""
    layout, measure = terms.layout, terms.schema.measure
    if isinstance(form, Quantiles) and not form.by_tree:
        (over,) = layout.grids
        return tuple(PlannedDraw(over=over, mechanism=one) for one in form.mechanisms(price, measure))
    parts = split(price, list(layout.shares))
    draws = []
    for over, part in zip(layout.grids, parts, strict=True):
        cells = cells_over(layout.axes, over)
        kind = terms.mechanism or best_kind(form, cells, part, measure)
        if isinstance(form, OpenCount):
            kind = "discrete_gaussian"
        draws.append(PlannedDraw(over=over, mechanism=mechanism_of(form, cells, part, measure, kind)))
    return tuple(draws)


def mechanism_of(form: AnyEstimator, cells: int, price: Price, measure: Measure, kind: str) -> Mechanism:
    """Additive noise of one kind for a form over so many cells."""
    laplace = kind == "discrete_laplace"
    return Mechanism(
        kind="discrete_laplace" if laplace else "discrete_gaussian",
        measure=measure,
        sensitivity=form.l1(cells) if laplace else form.squared(cells),
        price=price,
    )


def best_kind(form: AnyEstimator, cells: int, price: Price, measure: Measure) -> Kind:
    """The mechanism with the narrower bounds at the price; pure ε knows Laplace noise only."""
    if measure == "pure" or price.nano < 1:
        return "discrete_laplace"
    laplace, gaussian = (
        ideal_law(mechanism_of(form, cells, price, measure, kind)).half_width(CONFIDENCE) for kind in KINDS
    )
    return "discrete_laplace" if laplace < gaussian else "discrete_gaussian"


def widths_by_kind(form: AnyEstimator, cells: int, price: Price, measure: Measure) -> dict[str, int]:
    """The half-width of one draw's bounds under each mechanism."""
    return {
        kind: law_of(mechanism_of(form, cells, price, measure, kind)).half_width(CONFIDENCE) for kind in KINDS
    }


def law_of(mechanism: Mechanism) -> Law:
    """The law of additive noise."""
    return Law(_LAWS[mechanism.kind], mechanism.scale)


def ideal_law(mechanism: Mechanism) -> Law:
    """The same by formula, for searches: never below `law_of`, and above it by rounding only."""
    return Law(_LAWS[mechanism.kind], mechanism.ideal_scale * (1 + 1e-12))


def laws_of(
    draws: tuple[PlannedDraw, ...], layout: Layout, law: Callable[[Mechanism], Law] = law_of
) -> tuple[Law, ...]:
    """The noise of each table's values: that of the one draw, or of the least-squares estimates.

    Grids share one price, so their variances are as 1/share² (pure) or 1/share (zCDP), up to the rounding of
    prices; the largest deviation from that is applied to all, which can only widen.
    """
    if draws[0].mechanism.kind == "noisy_max":
        return ()
    laws = tuple(law(draw.mechanism) for draw in draws)
    if layout.direct:
        return laws
    power = 2 if draws[0].mechanism.measure == "pure" else 1
    base = max(
        law.deviation**2 * float(share) ** power for law, share in zip(laws, layout.shares, strict=True)
    )
    kind = "gaussian" if all(law.kind == "gaussian" for law in laws) else "mixed"
    whole = len(laws) == 1  # mere sums of whole numbers
    return tuple(
        Law(kind, math.sqrt(base * relative), whole)  # type: ignore[arg-type]
        for relative in layout.relative_variances(power)
    )


KINDS: tuple[Kind, Kind] = ("discrete_laplace", "discrete_gaussian")
_LAWS: dict[str, Literal["laplace", "gaussian"]] = {
    "discrete_laplace": "laplace",
    "discrete_gaussian": "gaussian",
}
