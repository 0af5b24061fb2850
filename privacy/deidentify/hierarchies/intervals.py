"""Hierarchies of numbers: blocks of a width, or between cuts; the domain is the plan's range, not the data."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, pairwise
from typing import Literal

from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.hierarchies.parts import (
    DIGITS_MAX,
    DOMAIN_MAX,
    HEIGHT_MAX,
    Path,
    choice,
    fault,
    items,
    number,
    require,
    spellings,
    with_unread,
)
from privacy.words import Words

Number = int | float | Decimal
Outside = Literal["refuse", "code"]
OUTSIDE = ("refuse", "code")
NUMERAL = re.compile(rf"[+-]?[0-9]{{1,{DIGITS_MAX}}}(\.[0-9]{{1,{DIGITS_MAX}}})?", re.ASCII)


def intervals(
    name: str,
    values: Sequence[str],
    *,
    widths: Sequence[Number],
    low: Number,
    high: Number,
    step: Number = 1,
    outside: Outside = "refuse",
    unknown: str | None = None,
) -> Hierarchy:
    """Blocks of each width in turn, aligned at `low`, then `*`.

    The domain is every number from `low` to `high`, both included, in steps of `step`: it does not depend on
    the data, so neither does the loss of a level. Level i cuts it into half-open blocks of `widths[i - 1]`; the
    last one ends with the domain. Each width is a multiple of the one before, the first of `step`.

    Labels name what is in a block: `20-24` where all parameters are whole (a block of one number is `20`;
    `-5…-1` where `low` is negative), else `[36.5,37.0)`.

    `values` are the distinct texts of the column. Two spellings of a number (7, 07) are two values under the
    same labels. Numbers below or above the domain are refused or, with `outside="code"`, labelled `<0` and `≥120`
    from level 1 on (top and bottom coding; level 0 still shows them as they are). Texts that are no numbers are
    refused or, with `unknown`, get that label from level 1 on.

    Raises `BadHierarchy` that quotes the plan's parameter, or counts the values; it never quotes a value.
    """
    steps = [number(name, "intervals", width) for width in items(name, "intervals", widths)]
    grid = _grid(name, low=low, high=high, step=step, others=steps)
    scaled = [grid.scaled(width) for width in steps]
    for width, before in zip(scaled, [grid.step, *scaled], strict=False):
        require(
            width > 0 and width % before == 0,
            name,
            Words(
                ja=f"intervals：{grid.text(width)} は {grid.text(before)} の倍数でなければなりません"
                "（細かい区間が粗い区間に収まりません）。",
                en=f"intervals: {grid.text(width)} must be a multiple of {grid.text(before)}, or no block fits "
                "the next",
            ),
        )
    require(
        len(set(scaled)) == len(scaled),
        name,
        Words(
            ja="intervals：同じ幅を 2 回指定することはできません。",
            en="intervals: no width may be there twice",
        ),
    )
    # The last block ends with the domain even where it is shorter: a label must not name numbers that cannot occur.
    edges = [[*range(grid.low, grid.end, width), grid.end] for width in scaled]
    return _hierarchy(name, values, grid=grid, edges=edges, outside=outside, unknown=unknown)


def between_cuts(
    name: str,
    values: Sequence[str],
    *,
    cuts: Sequence[Sequence[Number]],
    step: Number = 1,
    outside: Outside = "refuse",
    unknown: str | None = None,
) -> Hierarchy:
    """Blocks between explicit cut points, one rising list a level, finest first; then `*`.

    `[[0, 20, 65, 120], [0, 65, 120]]` has the blocks 0-19, 20-64, 65-119 and above them 0-64, 65-119. All lists
    begin and end alike: the domain is every number from the first cut up to, but without, the last, in steps of
    `step`. The cuts of a level are among those of the level before. The rest is as for `intervals`.
    """
    lists = [
        [number(name, "cuts", cut) for cut in items(name, "cuts", level)]
        for level in items(name, "cuts", cuts)
    ]
    first, last = lists[0][0], lists[0][-1]
    # The last cut is the first number beyond the domain, as in Python's ranges: one step less is the largest inside.
    grid = _grid(
        name, low=first, high=last - number(name, "step", step), step=step, others=[*chain(*lists)], of="cuts"
    )
    edges = [[grid.scaled(cut) for cut in level] for level in lists]
    for level, own in enumerate(edges, 1):
        require(
            own == sorted(set(own)),
            name,
            Words(
                ja=f"cuts：{level} 番目の一覧は小さい順でなければなりません。",
                en=f"cuts: list {level} must rise",
            ),
        )
        require(
            all((cut - grid.low) % grid.step == 0 for cut in own),
            name,
            Words(
                ja=f"cuts：{level} 番目の一覧に、刻み（step）に合わない値があります。",
                en=f"cuts: list {level} leaves the step",
            ),
        )
        require(
            (own[0], own[-1]) == (grid.low, grid.end),
            name,
            Words(
                ja=f"cuts：{level} 番目の一覧は、1 番目の一覧と同じ値で始まり、同じ値で終わらなければなりません。",
                en=f"cuts: list {level} must begin and end as list 1",
            ),
        )
        # Otherwise a coarser label would lie over half of a finer one, and the levels would be no tree.
        require(
            set(own) <= set(edges[max(level - 2, 0)]),
            name,
            Words(
                ja=f"cuts：{level} 番目の一覧に、{level - 1} 番目の一覧にない区切りがあります。",
                en=f"cuts: list {level} cuts where list {level - 1} does not",
            ),
        )
    return _hierarchy(name, values, grid=grid, edges=edges, outside=outside, unknown=unknown)


def parsed(text: str) -> Decimal | None:
    """The number that a text is, or none: digits with at most one point, ASCII, blanks around them allowed."""
    bare = text.strip()
    return Decimal(bare) if NUMERAL.fullmatch(bare) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """The domain as whole numbers of 10^-digits: low, low + step, … below end."""

    low: int
    end: int
    step: int
    digits: int

    def scaled(self, value: Decimal) -> int:
        return int(value.scaleb(self.digits))

    def text(self, scaled: int) -> str:
        return f"{Decimal(scaled).scaleb(-self.digits):.{self.digits}f}" if self.digits else str(scaled)

    def label(self, start: int, end: int) -> str:
        if self.digits:
            return f"[{self.text(start)},{self.text(end)})"
        if end - start == self.step:
            return str(start)
        # With a hyphen, -5--1 could not be read.
        return f"{start}{'…' if self.low < 0 else '-'}{end - self.step}"


def _grid(
    name: str, *, low: object, high: object, step: object, others: Sequence[Decimal], of: str = "from"
) -> _Grid:
    first, last, by = number(name, of, low), number(name, "to", high), number(name, "step", step)
    # Whole numbers of the finest decimal place: floats would leave a block's edge a trace above its own number.
    digits = max(_digits(value) for value in (first, last, by, *others))
    require(
        digits <= DIGITS_MAX,
        name,
        Words(
            ja=f"{of}：小数点以下は {DIGITS_MAX} 桁までです（指定された桁数：{digits}）。",
            en=f"{of}: at most {DIGITS_MAX} digits behind the point, not {digits}",
        ),
    )
    grid = _Grid(
        low=int(first.scaleb(digits)),
        end=int((last + by).scaleb(digits)),
        step=int(by.scaleb(digits)),
        digits=digits,
    )
    require(
        grid.step > 0,
        name,
        Words(
            ja=f"step は 0 より大きくなければなりません（指定された値：{by}）。",
            en=f"step must be above 0, not {by}",
        ),
    )
    require(
        first <= last,
        name,
        Words(
            ja=f"{of}：{first} から {last} までの範囲が空です。",
            en=f"{of}: the range from {first} to {last} is empty",
        ),
    )
    require(
        (grid.end - grid.low) % grid.step == 0,
        name,
        Words(
            ja=f"{of}：{first} から {last} までの範囲が刻み（step）で割り切れません。",
            en=f"{of}: the range from {first} to {last} is no whole steps",
        ),
    )
    count = (grid.end - grid.low) // grid.step
    require(
        count <= DOMAIN_MAX,
        name,
        Words(
            ja=f"{of}：範囲の値が {count:,} 個あります（上限 {DOMAIN_MAX:,}）。",
            en=f"{of}: the range has {count:,} values, at most {DOMAIN_MAX:,} are allowed",
        ),
    )
    return grid


def _digits(value: Decimal) -> int:
    # 10 is 1E+1 when normalised: its exponent is above 0, and it has no digits behind the point.
    return max(0, -int(value.normalize().as_tuple().exponent))


def _hierarchy(
    name: str,
    values: Sequence[str],
    *,
    grid: _Grid,
    edges: Sequence[Sequence[int]],
    outside: object,
    unknown: object,
) -> Hierarchy:
    require(
        len(edges) <= HEIGHT_MAX,
        name,
        Words(
            ja=f"段階は {HEIGHT_MAX} までです（指定された数：{len(edges)}）。",
            en=f"at most {HEIGHT_MAX} levels, not {len(edges)}",
        ),
    )
    # Spellings such as 07 and 7.0 are read here once; everything after goes by whole steps.
    found = _Found.of(name, values, grid)
    beyond = len(found.below) + len(found.above)
    if choice(name, "outside", outside, OUTSIDE) == "refuse" and beyond:
        low, high = grid.text(grid.low), grid.text(grid.end - grid.step)
        raise fault(
            name,
            Words(
                ja=f"異なる値 {len(values)} 種のうち {beyond} 種が {low} から {high} までの範囲の外にあります"
                f"（下 {len(found.below)}、上 {len(found.above)}）。`outside: code` を指定すると、範囲外として"
                "コーディングします。",
                en=f"{beyond} of {len(values)} distinct values lie outside {low} to {high} "
                f"({len(found.below)} below, {len(found.above)} above); `outside: code` would code them",
            ),
        )
    columns = [list(_labels(grid, own)) for own in edges]
    canonical = {place: grid.text(place) for place in range(grid.low, grid.end, grid.step)}
    paths: list[Path] = [
        (text, *(column[(place - grid.low) // grid.step] for column in columns))
        for text, place in spellings(found.within, canonical)
    ]
    # Sorted, so that lines do not stand in the order of the rows.
    for label, texts in ((f"<{grid.text(grid.low)}", found.below), (f"≥{grid.text(grid.end)}", found.above)):
        paths += [(text, *[label] * len(edges)) for text in sorted(texts)]
    return with_unread(
        name,
        paths,
        levels=len(edges),
        unread=found.unread,
        of=len(values),
        words=Words(ja="数値ではありません", en="are not numbers"),
        unknown=unknown,
    )


def _labels(grid: _Grid, edges: Sequence[int]) -> Iterator[str]:
    for start, end in pairwise(edges):
        yield from [grid.label(start, end)] * ((end - start) // grid.step)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The distinct texts of the data, sorted by where they lie."""

    within: Mapping[str, int]
    below: Sequence[str]
    above: Sequence[str]
    unread: Sequence[str]

    @classmethod
    def of(cls, name: str, values: Sequence[str], grid: _Grid) -> "_Found":
        known = {text: parsed(text) for text in values}
        scaled = {text: value.scaleb(grid.digits) for text, value in known.items() if value is not None}
        within = {text: value for text, value in scaled.items() if grid.low <= value < grid.end}
        # A half year in a column of whole years is refused rather than put into either block.
        off = sum((value - grid.low) % grid.step != 0 for value in within.values())
        require(
            off == 0,
            name,
            Words(
                ja=f"step：異なる値 {len(values)} 種のうち {off} 種が、刻み {grid.text(grid.step)} に合いません。",
                en=f"step: {off} of {len(values)} distinct values are not whole steps of {grid.text(grid.step)}",
            ),
        )
        return cls(
            within={text: int(value) for text, value in within.items()},
            below=[text for text, value in scaled.items() if value < grid.low],
            above=[text for text, value in scaled.items() if value >= grid.end],
            unread=[text for text, value in known.items() if value is None],
        )
