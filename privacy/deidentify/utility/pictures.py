"""A column's distribution before and after publishing, as one SVG that reads in black and white and aloud.

It refuses what needs a second file: no script, style sheet or font is loaded. The picture names values of the
source and how common they are, so it belongs to the reviewer's report and not beside the published records.
"""

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import ceil, floor, log10
from types import MappingProxyType
from typing import Any, Literal
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.hierarchies.hierarchy import SUPPRESSED, Hierarchy
from privacy.deidentify.table import Column
from privacy.deidentify.utility.measures import cells_of, spread

Floats = NDArray[np.float64]
Language = Literal["ja", "en"]

BARS_MAX = 20
NUMBERS_AS_BARS_MAX = 12
"""Up to so many different numbers are drawn as a bar each, more as a histogram."""
NUMBER_MAX = 1e15
"""Beyond it whole numbers have no exact place, and are taken for texts."""
TAIL = 0.005
"""The share of rows on either side that may lie beyond a histogram's axis; its end bins hold them."""
STEP_MIN = 1e-9
"""Numbers nearer than this share a bin."""
LABEL_WIDTH_MAX = 26
"""Of a label, in half-width characters."""


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


def generalised(
    column: Column,
    hierarchy: Hierarchy,
    level: int | NDArray[Any],
    suppressed: NDArray[np.bool_],
    *,
    numeric: bool | None = None,
) -> ColumnComparison:
    """The source's values, and the published labels' rows shared out evenly among the values of each label.

    `level` is the column's, or one a row; rows of the mask `suppressed` are a bar of their own. `numeric` tells
    whether the texts are amounts; None asks the texts, of which codes ("13101") may look like numbers.
    """
    before = cells_of(column, hierarchy, 0)[:, 0].astype(float)
    cells = cells_of(column, hierarchy, level, ~suppressed)
    values = _Values(hierarchy.domain, before, spread(hierarchy, cells), float(suppressed.sum()))
    blurred = any(
        (hierarchy.leaves(each)[hierarchy.maps[each]][cells[:, each] > 0] > 1).any()
        for each in range(hierarchy.height)
    )
    return _distribution(column.name, values, spread=blurred, numeric=numeric)


def beside(
    before: Column, after: Column, suppressed: NDArray[np.bool_], *, numeric: bool | None = None
) -> ColumnComparison:
    """Two columns of the same rows, text by text: for numbers rounded, capped, averaged or with noise.

    A published text "*" is a suppressed cell, unless the source has it; `numeric` as in `generalised`.
    """
    assert len(before) == len(after) == len(suppressed)
    texts = list(dict.fromkeys((*before.values, *after.values)))
    places = {text: place for place, text in enumerate(texts)}
    first, second = np.zeros(len(texts)), np.zeros(len(texts))
    first[[places[text] for text in before.values]] = before.counts()
    second[[places[text] for text in after.values]] = after.take(~suppressed).counts()
    gone = float(suppressed.sum())
    if SUPPRESSED in places and SUPPRESSED not in before.values:
        gone += float(second[places[SUPPRESSED]])
        second[places[SUPPRESSED]] = 0
    return _distribution(
        before.name, _Values(tuple(texts), first, second, gone), spread=False, numeric=numeric
    )


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


def _distribution(name: str, values: _Values, *, spread: bool, numeric: bool | None) -> ColumnComparison:
    held = (values.before > 0) | (values.after > 0)
    missing = np.array([not text.strip() for text in values.texts], dtype=bool)
    shown = np.flatnonzero(held & ~missing)
    numbers = (
        None if numeric is False else _numbers([values.texts[place] for place in shown], sure=bool(numeric))
    )
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


def _numbers(texts: Sequence[str], *, sure: bool) -> Floats | None:
    """The texts as numbers; None unless all are finite ones, or where a leading zero betrays a code."""
    if not sure and any(len(text) > 1 and text[0] == "0" and text.isdigit() for text in texts):
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
    risen = np.cumsum(weights[order]) / weights.sum()
    low, high = (float(numbers[order][np.searchsorted(risen, share)]) for share in (TAIL, 1 - TAIL))
    whole = bool((numbers == np.round(numbers)).all())
    step = _round_step((high - low) / BARS_MAX, 1.0 if whole else 0.0)
    while _place(high, step) - _place(low, step) >= BARS_MAX:
        step = _round_step(step * 1.01, step)
    return tuple(float(f"{step * place:.12g}") for place in range(_place(low, step), _place(high, step) + 2))


def _place(number: float, step: float) -> int:
    """Which step a number lies on, a decimal on an edge not falling below it by rounding."""
    return floor(number / step + 1e-9)


def _round_step(least: float, floor_at: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least so much."""
    wanted = max(least, floor_at, STEP_MIN)
    power = 10.0 ** floor(log10(wanted))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= wanted * (1 - 1e-9))


def _bins(values: _Values, shown: NDArray[np.intp], numbers: Floats, edges: tuple[float, ...]) -> list[Bar]:
    at = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    rows = values.rows or 1
    before, after = (
        np.bincount(at, weights=each[shown], minlength=len(edges) - 1) / rows
        for each in (values.before, values.after)
    )
    return [
        Bar(f"{_number(low)}–{_number(high)}", float(before[place]), float(after[place]))
        for place, (low, high) in enumerate(pairwise(edges))
    ]


# words

WORDS: Mapping[Language, Mapping[str, str]] = MappingProxyType({
    "ja": MappingProxyType({
        "title": "{name}：加工前と加工後の分布",
        "before": "加工前",
        "after": "加工後",
        "rest": "その他（{values}種）",
        "missing": "欠損",
        "suppressed": "削除",
        "rows": "全{rows}行に占める割合。",
        "spread": "加工後の一般化された値は、含みうる元の値に等分して示す。",
        "beyond": "両端の階級は、軸の外の値を含む。",
        "bar": "{label}：加工前 {before}、加工後 {after}",
        "join": "。",
    }),
    "en": MappingProxyType({
        "title": "{name}: before and after publishing",
        "before": "Before",
        "after": "After",
        "rest": "Others ({values} values)",
        "missing": "Missing",
        "suppressed": "Suppressed",
        "rows": "Share of all {rows} rows.",
        "spread": "A generalised label is drawn spread evenly over the values it covers.",
        "beyond": "The bins at the ends hold the values beyond the axis.",
        "bar": "{label}: before {before}, after {after}",
        "join": ". ",
    }),
})  # fmt: skip


def _number(value: float) -> str:
    """Digits grouped from 10,000 on, so that a year stays a year."""
    text = f"{value:.6g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _percent(share: float) -> str:
    if 0 < share < 0.0005:
        return "<0.1 %"
    return f"{share * 100:.1f} %" if share else "0 %"


def _named(bar: Bar, words: Mapping[str, str]) -> str:
    return bar.label if bar.kind is BarKind.VALUE else words[bar.kind].format(values=f"{bar.values:,}")


def _told(bar: Bar, words: Mapping[str, str]) -> str:
    """The bar as a sentence."""
    return words["bar"].format(
        label=_named(bar, words), before=_percent(bar.before), after=_percent(bar.after)
    )


def _notes(drawn: ColumnComparison, words: Mapping[str, str]) -> list[str]:
    """What the reader must know, a sentence a line."""
    parts = [words["rows"].format(rows=f"{drawn.rows:,}")]
    return parts + [words["spread"]] * drawn.spread + [words["beyond"]] * drawn.beyond


def width_of(text: str) -> int:
    """The room a text takes, in half-width characters."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WFA" else 1
        for sign in text
    )


def shortened(text: str, width_max: int = LABEL_WIDTH_MAX) -> str:
    """The text within a width, its middle left out: names of places and jobs differ at both ends."""
    if width_of(text) <= width_max:
        return text
    head, tail = text, text[len(text) // 2 :]
    while width_of(tail) > (width_max - 2) * 2 // 5:
        tail = tail[1:]
    while width_of(head) > width_max - 2 - width_of(tail):
        head = head[:-1]
    return f"{head.rstrip()}…{tail.lstrip()}"


# drawing

WIDTH = 720
INK, SOFT, RULE = "#1d2b24", "#4f5f57", "#dcdfd9"
BEFORE, AFTER = "#e6d3a3", "#2f6b4f"
"""Light with an outline, and dark: apart to every eye, in print and on a grey screen."""
FONT = "system-ui, 'Noto Sans', 'Noto Sans CJK JP', 'Hiragino Sans', 'Yu Gothic', sans-serif"
HALO = " stroke='#fff' stroke-width='3' stroke-linejoin='round' paint-order='stroke'"
TOP = 64
ROW, THICK = 34, 12
NOTE = 16
PLOT_HEIGHT = 230
ASIDE = 92


def svg(drawn: ColumnComparison, *, language: Language = "ja") -> str:
    """The picture as an `<svg>` element to stand in a page or alone; its ids come from its content."""
    words = WORDS[language]
    title = words["title"].format(name=drawn.name)
    body, foot = _histogram(drawn, words) if drawn.edges else _rows(drawn, words)
    notes = _notes(drawn, words)
    height = foot + NOTE * len(notes) + 12
    told = [_told(bar, words) for bar in drawn.bars]
    described = " ".join([*notes, words["join"].join(told)])
    ident = "p" + hashlib.sha256(f"{drawn!r} {language}".encode("utf-8", "replace")).hexdigest()[:12]
    opening = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' "
        f"height='{height}' style='max-width:100%;height:auto' role='img' xml:lang='{language}' "
        f"lang='{language}' aria-labelledby='{ident}-t' aria-describedby='{ident}-d' font-family=\"{FONT}\">"
    )
    parts = [
        opening,
        f"<title id='{ident}-t'>{_safe(title)}</title>",
        f"<desc id='{ident}-d'>{_safe(described)}</desc>",
        f"<rect width='{WIDTH}' height='{height}' fill='#fff'/>",
        _text(16, 26, shortened(title, 62), size=16, weight=600),
        *_legend(words, line=bool(drawn.edges)),
        *body,
        *(_text(16, foot + NOTE * place, note, size=11, fill=SOFT) for place, note in enumerate(notes, 1)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _safe(text: str) -> str:
    """Text for an XML element: escaped, and signs that XML has no room for replaced."""
    return escape("".join(sign if _in_xml(sign) else "\N{REPLACEMENT CHARACTER}" for sign in text))


def _in_xml(sign: str) -> bool:
    code = ord(sign)
    return sign in "\t\n\r" or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 12,
    anchor: str = "start",
    weight: int = 400,
    fill: str = INK,
    halo: bool = False,
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' text-anchor='{anchor}' font-weight='{weight}' "
        f"fill='{fill}'{HALO if halo else ''}>{_safe(words)}</text>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = RULE) -> str:
    return f"<path d='M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}' stroke='{colour}' fill='none'/>"


def _box(x: float, y: float, width: float, height: float, *, after: bool) -> str:
    """A bar of either series; nothing is drawn for a share of 0."""
    if width <= 0 or height <= 0:
        return ""
    paint = f"fill='{AFTER}'" if after else f"fill='{BEFORE}' stroke='{INK}' stroke-width='0.8'"
    return f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' {paint}/>"


def _legend(words: Mapping[str, str], *, line: bool) -> Iterator[str]:
    """What is before and what is after; `line` where after is drawn as one."""
    room = 28 + 6.5 * width_of(words["before"]) + 24
    yield _box(16, 39, 22, THICK, after=False)
    yield _text(44, 49.5, words["before"])
    yield _box(16 + room, 43.5 if line else 39, 22, 3 if line else THICK, after=True)
    yield _text(44 + room, 49.5, words["after"])


def _group(bar: Bar, words: Mapping[str, str], *inside: str) -> str:
    """Shapes that belong to one bar, with its figures where the pointer rests."""
    return f"<g><title>{_safe(_told(bar, words))}</title>{''.join(inside)}</g>"


def _ticks(most: float) -> list[float]:
    """Round shares from 0 up to the first that is at least `most`."""
    step = _round_step(max(most, 1e-6) / 5, 0.0)
    return [step * place for place in range(max(1, ceil(most / step - 1e-9)) + 1)]


def _most(bars: Sequence[Bar]) -> float:
    return max((max(bar.before, bar.after) for bar in bars), default=0.0)


def _rows(drawn: ColumnComparison, words: Mapping[str, str]) -> tuple[list[str], int]:
    """Bars to the right, one pair a value; missing and suppressed below a rule."""
    names = [shortened(_named(bar, words)) for bar in drawn.bars]
    left = 30 + 7.3 * max((width_of(name) for name in names), default=0)
    ticks = _ticks(_most(drawn.bars))
    scale = (WIDTH - 74 - left) / ticks[-1]
    own = drawn.of(BarKind.VALUE, BarKind.REST)
    ends = TOP + 8 + ROW * len(drawn.bars) + (14 if len(own) < len(drawn.bars) else 0)
    body = []
    for tick in ticks:
        body.append(_line(left + tick * scale, TOP, left + tick * scale, ends))
        body.append(_text(left + tick * scale, ends + 16, _tick(tick), size=11, anchor="middle", fill=SOFT))
    y = TOP + 8.0
    for place, (bar, name) in enumerate(zip(drawn.bars, names, strict=True)):
        if place == len(own):
            body.append(_line(16, y + 4, WIDTH - 16, y + 4, SOFT))
            y += 14
        body.append(_group(bar, words, *_pair(bar, name, left, y, scale)))
        y += ROW
    body.append(_line(left, TOP, left, ends, INK))
    return body, int(ends) + 26


def _pair(bar: Bar, name: str, left: float, y: float, scale: float) -> Iterator[str]:
    yield _text(left - 10, y + 17, name, size=13, anchor="end")
    bars = [(False, bar.before, y), (True, bar.after, y + THICK + 1)]
    if bar.kind is BarKind.SUPPRESSED:
        bars = [(True, bar.after, y + THICK / 2)]
    for after, share, top in bars:
        yield _box(left, top, share * scale, THICK, after=after)
        yield _text(left + share * scale + 5, top + 10, _percent(share), size=10, fill=SOFT, halo=True)


def _tick(share: float) -> str:
    return f"{share * 100:.4g} %"


def _histogram(drawn: ColumnComparison, words: Mapping[str, str]) -> tuple[list[str], int]:
    """Steps over the numbers: before as a filled shape, after as a line; missing and suppressed to the right."""
    own, aside = drawn.of(BarKind.VALUE), drawn.of(BarKind.MISSING, BarKind.SUPPRESSED)
    ticks = _ticks(_most(drawn.bars))
    left, right, foot = 58.0, WIDTH - 24.0 - ASIDE * len(aside), TOP + 14.0 + PLOT_HEIGHT
    rise = PLOT_HEIGHT / ticks[-1]
    body = []
    for tick in ticks:
        body.append(_line(left, foot - tick * rise, WIDTH - 16, foot - tick * rise))
        body.append(_text(left - 8, foot - tick * rise + 4, _tick(tick), size=11, anchor="end", fill=SOFT))
    across = [left + (right - left) * place / len(own) for place in range(len(own) + 1)]
    steps = [_steps([bar.before for bar in own], across, foot, rise)]
    steps.append(_steps([bar.after for bar in own], across, foot, rise))
    body.append(f"<path d='{steps[0]}Z' fill='{BEFORE}' stroke='{INK}' stroke-width='0.8'/>")
    body.append(
        f"<path d='{steps[1]}' fill='none' stroke='{AFTER}' stroke-width='3' stroke-linejoin='round'/>"
    )
    body += [
        _group(bar, words, _area(low, foot - PLOT_HEIGHT, high - low, PLOT_HEIGHT))
        for bar, (low, high) in zip(own, pairwise(across), strict=True)
    ]
    body.append(_line(left, foot, right, foot, INK))
    body += _edge_labels(drawn.edges, across, foot)
    for place, bar in enumerate(aside):
        body.append(
            _group(bar, words, *_column(bar, _named(bar, words), right + ASIDE * (place + 0.5), foot, rise))
        )
    return body, int(foot) + 32


def _steps(shares: Sequence[float], across: Sequence[float], foot: float, rise: float) -> str:
    """A path up from the foot, along the top of each bin and down again."""
    points = [(across[0], foot)]
    for share, (low, high) in zip(shares, pairwise(across), strict=True):
        points += [(low, foot - share * rise), (high, foot - share * rise)]
    points.append((across[-1], foot))
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _area(x: float, y: float, width: float, height: float) -> str:
    """Where the pointer may rest, unseen."""
    return (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' fill='none' "
        "pointer-events='all'/>"
    )


def _edge_labels(edges: Sequence[float], across: Sequence[float], foot: float) -> Iterator[str]:
    """The edges' numbers below the axis, as many as there is room for."""
    names = [_number(edge) for edge in edges]
    room = 7.0 * max(width_of(name) for name in names) + 10
    every = ceil(room / (across[1] - across[0]))
    for place, (name, x) in enumerate(zip(names, across, strict=True)):
        yield _line(x, foot, x, foot + (6 if place % every == 0 else 3), INK)
        if place % every == 0:
            yield _text(x, foot + 20, name, size=11, anchor="middle", fill=SOFT)


def _column(bar: Bar, name: str, x: float, foot: float, rise: float) -> Iterator[str]:
    """An upright pair beside the histogram, on the same scale."""
    yield _line(x - 36, foot, x + 36, foot, INK)
    pairs = [(True, bar.after, x - 12)]
    if bar.kind is not BarKind.SUPPRESSED:
        pairs = [(False, bar.before, x - 30), (True, bar.after, x + 6)]
    for after, share, at in pairs:
        yield _box(at, foot - share * rise, 24, share * rise, after=after)
        yield _text(
            at + 12, foot - share * rise - 5, _percent(share), size=10, anchor="middle", fill=SOFT, halo=True
        )
    yield _text(x, foot + 20, name, size=12, anchor="middle")
