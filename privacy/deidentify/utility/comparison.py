"""A column's distribution before and after publishing, as bars on one axis: what a picture of it shows.

It refuses to draw: `api.records.charts` does. A comparison names values of the source and how common they are, so it
belongs to the reviewer's report and never beside the published records.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import floor, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.table import Column
from privacy.deidentify.utility.measures import cells_of, spread

Floats = NDArray[np.float64]

BARS_MAX = 20
NUMBERS_AS_BARS_MAX = 12
"""Up to so many different numbers are a bar each, more are a histogram."""
NUMBER_MAX = 1e15
"""Beyond it whole numbers have no exact place among floats, and are taken for texts."""
TAIL = 0.005
"""The share of rows on either side that may lie beyond a histogram's axis; its end bins hold them."""
STEP_MIN = 1e-9
"""Numbers nearer than this share a bin."""


class BarKind(StrEnum):
    """What a bar stands for."""

    VALUE = "value"
    REST = "rest"
    MISSING = "missing"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class Bar:
    """A value, a bin or all rarer values together, and its share of all rows before and after."""

    label: str
    before: float
    after: float
    kind: BarKind = BarKind.VALUE
    values: int = 1


@dataclass(frozen=True, slots=True)
class ColumnComparison:
    """A column before and after on one axis; with `edges`, the VALUE bars are bins between them."""

    name: str
    rows: int
    bars: tuple[Bar, ...]
    edges: tuple[float, ...] = ()
    spread: bool = False
    """Whether labels of several values were shared out evenly among them."""
    beyond: bool = False
    """Whether the end bins hold values beyond the edges."""

    def of(self, *kinds: BarKind) -> tuple[Bar, ...]:
        """The bars of some kinds."""
        return tuple(bar for bar in self.bars if bar.kind in kinds)


def compare(
    column: Column, hierarchy: Hierarchy, level: int | NDArray[Any], suppressed: NDArray[np.bool_]
) -> ColumnComparison:
    """The source's values, and the published labels' rows shared out evenly among the values of each label.

    `level` is the column's, or one a row; rows of the mask `suppressed` are a bar of their own. Texts that are all
    numbers are drawn as amounts, unless one of them has a leading zero as codes do.
    """
    before = cells_of(column, hierarchy, 0)[:, 0].astype(float)
    cells = cells_of(column, hierarchy, level, ~suppressed)
    values = _Values(hierarchy.domain, before, spread(hierarchy, cells), float(suppressed.sum()))
    covers_several = any(
        (hierarchy.leaves(each)[hierarchy.maps[each]][cells[:, each] > 0] > 1).any()
        for each in range(hierarchy.height)
    )
    return _distribution(column.name, values, spread=covers_several)


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """Texts and how many rows have each before and after; the rest is suppressed."""

    texts: tuple[str, ...]
    before: Floats
    after: Floats
    suppressed: float

    @property
    def rows(self) -> int:
        return round(float(self.before.sum()))


def _distribution(name: str, values: _Values, *, spread: bool) -> ColumnComparison:
    # A domain may be far larger than the data: what nobody holds on either side has no bar.
    occurs = (values.before > 0) | (values.after > 0)
    missing = np.array([not text.strip() for text in values.texts], dtype=bool)
    shown = np.flatnonzero(occurs & ~missing)
    numbers = _numbers([values.texts[place] for place in shown])
    edges: tuple[float, ...] = ()
    beyond = False
    if numbers is None or len(set(numbers.tolist())) <= NUMBERS_AS_BARS_MAX:
        bars = _bars(values, shown, numbers)
    else:
        edges = _edges(numbers, values.before[shown] + values.after[shown])
        beyond = bool(numbers.min() < edges[0] or numbers.max() > edges[-1])
        bars = _bins(values, shown, numbers, edges)
    rows = values.rows or 1
    lost = (float(values.before[missing].sum()) / rows, float(values.after[missing].sum()) / rows)
    if any(lost):
        bars.append(Bar("", *lost, kind=BarKind.MISSING))
    if values.suppressed:
        bars.append(Bar("", 0.0, values.suppressed / rows, kind=BarKind.SUPPRESSED))
    return ColumnComparison(name, values.rows, tuple(bars), edges, spread, beyond)


def _numbers(texts: Sequence[str]) -> Floats | None:
    """The texts as numbers; None unless all are finite ones, or where a leading zero betrays a code."""
    if any(len(text) > 1 and text[0] == "0" and text.isdigit() for text in texts):
        return None
    try:
        found = np.array([float(text) for text in texts])
    except ValueError:
        return None
    return found if len(found) and (np.abs(found) < NUMBER_MAX).all() else None


def _bars(values: _Values, shown: NDArray[np.intp], numbers: Floats | None) -> list[Bar]:
    """A bar for each value: numbers upwards, others from the commonest; the rarest summed."""
    rows = values.rows or 1
    order = (
        np.lexsort((-values.after[shown], -values.before[shown])) if numbers is None else np.argsort(numbers)
    )
    places = shown[order]
    # One bar fewer where some are summed: the sum is a bar itself.
    kept = places if len(places) <= BARS_MAX else places[: BARS_MAX - 1]
    bars = [
        Bar(values.texts[place], float(values.before[place]) / rows, float(values.after[place]) / rows)
        for place in kept
    ]
    rest = places[len(kept) :]
    if len(rest):
        before, after = (float(each[rest].sum()) / rows for each in (values.before, values.after))
        bars.append(Bar("", before, after, kind=BarKind.REST, values=len(rest)))
    return bars


def _edges(numbers: Floats, weights: Floats) -> tuple[float, ...]:
    """Round edges of at most `BARS_MAX` bins that hold all but the tails."""
    order = np.argsort(numbers)
    cumulated = np.cumsum(weights[order]) / weights.sum()
    low, high = (float(numbers[order][np.searchsorted(cumulated, share)]) for share in (TAIL, 1 - TAIL))
    whole = bool((numbers == np.round(numbers)).all())
    # Bins of whole numbers are at least 1 wide: narrower ones would stand empty between the numbers.
    step = round_step(max((high - low) / BARS_MAX, 1.0 if whole else 0.0))
    # Low and high need not lie on edges, which can take one bin more than the width alone needs.
    while _place(high, step) - _place(low, step) >= BARS_MAX:
        step = round_step(step * 1.01)
    # Twelve digits, so that 3 × 0.1 is the edge 0.3 and not 0.30000000000000004.
    return tuple(float(f"{step * place:.12g}") for place in range(_place(low, step), _place(high, step) + 2))


def _place(number: float, step: float) -> int:
    """Which step a number lies on, a decimal on an edge not falling below it by rounding."""
    return floor(number / step + 1e-9)


def round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least so much, and at least `STEP_MIN`."""
    wanted = max(least, STEP_MIN)
    power = 10.0 ** floor(log10(wanted))
    # The tolerance keeps a width of 0.3 - 0.1 at 0.2, where rounding has made it a trace more.
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= wanted * (1 - 1e-9))


def _bins(values: _Values, shown: NDArray[np.intp], numbers: Floats, edges: tuple[float, ...]) -> list[Bar]:
    # Clipped, since the end bins take what lies beyond the axis.
    at = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    rows = values.rows or 1
    before, after = (
        np.bincount(at, weights=each[shown], minlength=len(edges) - 1) / rows
        for each in (values.before, values.after)
    )
    return [
        Bar(f"{number_text(low)}–{number_text(high)}", float(before[place]), float(after[place]))
        for place, (low, high) in enumerate(pairwise(edges))
    ]


def number_text(value: float) -> str:
    """Digits grouped from 10,000 on, so that a year stays a year."""
    text = f"{value:.6g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return text.replace("-", "\N{MINUS SIGN}")
