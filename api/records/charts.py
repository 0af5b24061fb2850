"""The chart of a column before and after publishing; it reads in black and white, and aloud.

It refuses to count: what is drawn is a `ColumnComparison`. Few values are bars to the right, many numbers a histogram.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import ceil
from types import MappingProxyType

from api.formats.svg import (
    INK,
    SOFT,
    box,
    document,
    group,
    line,
    pointer_area,
    shortened,
    text,
    width_of,
)
from privacy.deidentify.utility.comparison import Bar, BarKind, ColumnComparison, number_text, round_step
from privacy.words import Language, Words

WORDS: Mapping[str, Words] = MappingProxyType({
    "title": Words(ja="{name}：加工前と加工後の分布", en="{name}: before and after publishing"),
    "before": Words(ja="加工前", en="Before"),
    "after": Words(ja="加工後", en="After"),
    "rest": Words(ja="その他（{values}種）", en="Others ({values} values)"),
    "missing": Words(ja="欠損", en="Missing"),
    "suppressed": Words(ja="削除", en="Suppressed"),
    "rows": Words(ja="全{rows}行に占める割合。", en="Share of all {rows} rows."),
    "spread": Words(
        ja="加工後の一般化された値は、含みうる元の値に等分して示す。",
        en="A generalised label is drawn spread evenly over the values it covers.",
    ),
    "beyond": Words(
        ja="両端の階級は、軸の外の値を含む。", en="The bins at the ends hold the values beyond the axis."
    ),
    "bar": Words(
        ja="{label}：加工前 {before}、加工後 {after}", en="{label}: before {before}, after {after}"
    ),
    "join": Words(ja="。", en=". "),
})  # fmt: skip

LABEL_WIDTH_MAX = 26
"""Of a label, in half-width characters."""
TITLE_WIDTH_MAX = 62
WIDTH = 720
"""In user units of the SVG, like every length here: a px where the page does not scale it."""
BEFORE, AFTER = "#e6d3a3", "#2f6b4f"
"""Light with an outline, and dark: apart to every eye, in print and on a grey screen."""
TOP = 64
ROW, THICK = 34, 12
"""The height of a pair of bars with its gap, and of one bar."""
NOTE = 16
PLOT_HEIGHT = 230
ASIDE = 92
"""The width of a pair of bars beside a histogram."""


def svg(drawn: ColumnComparison, *, language: Language = "ja") -> str:
    """The chart as an `<svg>` element to stand in a page or alone; its ids come from its content."""
    words = {key: each.within(language) for key, each in WORDS.items()}
    body, foot = _histogram(drawn, words) if drawn.edges else _rows(drawn, words)
    notes = _notes(drawn, words)
    title = words["title"].format(name=drawn.name)
    # Ids of the content: unique among the charts of one page, and the same page for the same record set. A lone
    # surrogate, which a text may hold, has no UTF-8 and is replaced.
    ident = "p" + hashlib.sha256(f"{drawn!r} {language}".encode("utf-8", "replace")).hexdigest()[:12]
    return document(
        ident=ident,
        language=language,
        width=WIDTH,
        height=foot + NOTE * len(notes) + 12,
        title=title,
        description=" ".join([*notes, words["join"].join(_sentence(bar, words) for bar in drawn.bars)]),
        parts=[
            text(16, 26, shortened(title, TITLE_WIDTH_MAX), size=16, weight=600),
            *_legend(words, as_line=bool(drawn.edges)),
            *body,
            *(text(16, foot + NOTE * place, note, size=11, fill=SOFT) for place, note in enumerate(notes, 1)),
        ],
    )


def _percent(share: float) -> str:
    # What is not nothing is never written as 0.0 %.
    if 0 < share < 0.0005:
        return "<0.1 %"
    return f"{share * 100:.1f} %" if share else "0 %"


def _name(bar: Bar, words: Mapping[str, str]) -> str:
    return bar.label if bar.kind is BarKind.VALUE else words[bar.kind].format(values=f"{bar.values:,}")


def _sentence(bar: Bar, words: Mapping[str, str]) -> str:
    """The bar as a sentence."""
    return words["bar"].format(
        label=_name(bar, words), before=_percent(bar.before), after=_percent(bar.after)
    )


def _notes(drawn: ColumnComparison, words: Mapping[str, str]) -> list[str]:
    """What the reader must know, a sentence a line."""
    parts = [words["rows"].format(rows=f"{drawn.rows:,}")]
    return parts + [words["spread"]] * drawn.spread + [words["beyond"]] * drawn.beyond


def _bar(x: float, y: float, width: float, height: float, *, after: bool) -> str:
    """A bar of either series."""
    if after:
        return box(x, y, width, height, fill=AFTER)
    return box(x, y, width, height, fill=BEFORE, outline=INK)


def _legend(words: Mapping[str, str], *, as_line: bool) -> Iterator[str]:
    """What is before and what is after; `as_line` where after is drawn as one."""
    room = 28 + 6.5 * width_of(words["before"]) + 24
    yield _bar(16, 39, 22, THICK, after=False)
    yield text(44, 49.5, words["before"])
    yield _bar(16 + room, 43.5 if as_line else 39, 22, 3 if as_line else THICK, after=True)
    yield text(44 + room, 49.5, words["after"])


def _group(bar: Bar, words: Mapping[str, str], *inside: str) -> str:
    """Shapes that belong to one bar, with its figures where the pointer rests."""
    return group(_sentence(bar, words), *inside)


def _ticks(most: float) -> list[float]:
    """Round shares from 0 up to the first that is at least `most`."""
    # Five steps of the largest share; a chart of nothing still has an axis to divide by.
    step = round_step(max(most, 1e-6) / 5)
    return [step * place for place in range(max(1, ceil(most / step - 1e-9)) + 1)]


def _tick(share: float) -> str:
    return f"{share * 100:.4g} %"


def _most(bars: Sequence[Bar]) -> float:
    return max((max(bar.before, bar.after) for bar in bars), default=0.0)


def _rows(drawn: ColumnComparison, words: Mapping[str, str]) -> tuple[list[str], int]:
    """Bars to the right, one pair a value, missing and suppressed below a rule; and where the chart ends."""
    names = [shortened(_name(bar, words), LABEL_WIDTH_MAX) for bar in drawn.bars]
    left = 30 + 7.3 * max((width_of(name) for name in names), default=0)
    ticks = _ticks(_most(drawn.bars))
    # The longest bar leaves room for its figure, which stands behind its end.
    scale = (WIDTH - 74 - left) / ticks[-1]
    own = drawn.of(BarKind.VALUE, BarKind.REST)
    ends = TOP + 8 + ROW * len(drawn.bars) + (14 if len(own) < len(drawn.bars) else 0)
    body = []
    for tick in ticks:
        body.append(line(left + tick * scale, TOP, left + tick * scale, ends))
        body.append(text(left + tick * scale, ends + 16, _tick(tick), size=11, anchor="middle", fill=SOFT))
    y = TOP + 8.0
    for place, (bar, name) in enumerate(zip(drawn.bars, names, strict=True)):
        if place == len(own):
            body.append(line(16, y + 4, WIDTH - 16, y + 4, SOFT))
            y += 14
        body.append(_group(bar, words, *_pair(bar, name, left, y, scale)))
        y += ROW
    # The axis comes last, over the outlines of the bars that begin on it.
    body.append(line(left, TOP, left, ends, INK))
    return body, int(ends) + 26


def _pair(bar: Bar, name: str, left: float, y: float, scale: float) -> Iterator[str]:
    yield text(left - 10, y + 17, name, size=13, anchor="end")
    bars = [(False, bar.before, y), (True, bar.after, y + THICK + 1)]
    # Nothing is suppressed before publishing: a bar of 0 % there would only raise a question.
    if bar.kind is BarKind.SUPPRESSED:
        bars = [(True, bar.after, y + THICK / 2)]
    for after, share, top in bars:
        yield _bar(left, top, share * scale, THICK, after=after)
        yield text(left + share * scale + 5, top + 10, _percent(share), size=10, fill=SOFT, halo=True)


def _histogram(drawn: ColumnComparison, words: Mapping[str, str]) -> tuple[list[str], int]:
    """Steps over the numbers: before as a filled shape, after as a line; missing and suppressed to the right."""
    own, aside = drawn.of(BarKind.VALUE), drawn.of(BarKind.MISSING, BarKind.SUPPRESSED)
    ticks = _ticks(_most(drawn.bars))
    left, right, foot = 58.0, WIDTH - 24.0 - ASIDE * len(aside), TOP + 14.0 + PLOT_HEIGHT
    rise = PLOT_HEIGHT / ticks[-1]
    body = []
    for tick in ticks:
        body.append(line(left, foot - tick * rise, WIDTH - 16, foot - tick * rise))
        body.append(text(left - 8, foot - tick * rise + 4, _tick(tick), size=11, anchor="end", fill=SOFT))
    across = [left + (right - left) * place / len(own) for place in range(len(own) + 1)]
    before = _steps([bar.before for bar in own], across, foot, rise)
    after = _steps([bar.after for bar in own], across, foot, rise)
    body.append(f"<path d='{before}Z' fill='{BEFORE}' stroke='{INK}' stroke-width='0.8'/>")
    body.append(f"<path d='{after}' fill='none' stroke='{AFTER}' stroke-width='3' stroke-linejoin='round'/>")
    # Areas of full height: a bin that is almost empty must be as easy to point at as a full one.
    body += [
        _group(bar, words, pointer_area(low, foot - PLOT_HEIGHT, high - low, PLOT_HEIGHT))
        for bar, (low, high) in zip(own, pairwise(across), strict=True)
    ]
    body.append(line(left, foot, right, foot, INK))
    body += _edge_labels(drawn.edges, across, foot)
    for place, bar in enumerate(aside):
        body.append(
            _group(bar, words, *_column(bar, _name(bar, words), right + ASIDE * (place + 0.5), foot, rise))
        )
    return body, int(foot) + 32


def _steps(shares: Sequence[float], across: Sequence[float], foot: float, rise: float) -> str:
    """A path up from the foot, along the top of each bin and down again."""
    points = [(across[0], foot)]
    for share, (low, high) in zip(shares, pairwise(across), strict=True):
        points += [(low, foot - share * rise), (high, foot - share * rise)]
    points.append((across[-1], foot))
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _edge_labels(edges: Sequence[float], across: Sequence[float], foot: float) -> Iterator[str]:
    """The edges' numbers below the axis, as many as there is room for."""
    names = [number_text(edge) for edge in edges]
    room = 7.0 * max(width_of(name) for name in names) + 10
    # Every second, third … edge is named: numbers turned on their side would be hard to read.
    every = ceil(room / (across[1] - across[0]))
    for place, (name, x) in enumerate(zip(names, across, strict=True)):
        yield line(x, foot, x, foot + (6 if place % every == 0 else 3), INK)
        if place % every == 0:
            yield text(x, foot + 20, name, size=11, anchor="middle", fill=SOFT)


def _column(bar: Bar, name: str, x: float, foot: float, rise: float) -> Iterator[str]:
    """An upright pair beside the histogram, on the same scale."""
    yield line(x - 36, foot, x + 36, foot, INK)
    pairs = [(True, bar.after, x - 12)]
    if bar.kind is not BarKind.SUPPRESSED:
        pairs = [(False, bar.before, x - 30), (True, bar.after, x + 6)]
    for after, share, at in pairs:
        yield _bar(at, foot - share * rise, 24, share * rise, after=after)
        yield text(
            at + 12, foot - share * rise - 5, _percent(share), size=10, anchor="middle", fill=SOFT, halo=True
        )
    yield text(x, foot + 20, name, size=12, anchor="middle")
