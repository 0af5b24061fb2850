"""Hierarchies that mask the characters of a text from one end: 1000001, 100000*, 10000**, …, `*`."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

from privacy.deidentify.hierarchies.hierarchy import SUPPRESSED, Hierarchy
from privacy.deidentify.hierarchies.parts import HEIGHT_MAX, Path, choice, items, require, unlike, whole
from privacy.words import Words

Side = Literal["right", "left"]
SIDES = ("right", "left")
LENGTH_MAX = 256


def masks(
    name: str,
    values: Sequence[str],
    *,
    side: Side = "right",
    character: str = "*",
    steps: int | Sequence[int] = 1,
    align: Side | None = None,
    padding: str | None = None,
    length: int | None = None,
) -> Hierarchy:
    """Each level masks more characters from `side` with `character`, until all would be masked: that level is `*`.

    The domain is the distinct `values`. Texts of unequal length are first padded to `length` (of the longest
    text, where it is not given) with `padding` (the mask's `character`): `align="left"` pads on the right,
    `"right"` on the left; without it the masked side is padded. Whole numbers are grouped by magnitude with
    `align="right", padding="0"` (7, 12 and 105 are 00*, 01* and 10* on level 1).

    `steps` is how many characters a level masks more: one number for all levels, or a list with one a level;
    after the list comes `*`. A level's label fixes that of the next, so the hierarchy is monotone for any texts.
    """
    _one_character(name, "character", character)
    filler = character if padding is None else padding
    _one_character(name, "padding", filler)
    choice(name, "mask", side, SIDES)
    aligned = choice(name, "align", align or ("left" if side == "right" else "right"), SIDES)
    # One length for all, so that a level masks as many characters of each.
    texts = sorted(set(values))
    longest = _length(name, texts, length)
    masked = _masked(name, steps, longest)
    pad = str.ljust if aligned == "left" else str.rjust
    return Hierarchy.of(
        name,
        [
            _path(text, pad(text, longest, filler), side=side, character=character, masked=masked)
            for text in texts
        ],
    )


def _path(text: str, padded: str, *, side: str, character: str, masked: Sequence[int]) -> Path:
    # Level 0 is the text as the data have it, without the padding.
    if side == "right":
        return text, *(padded[: len(padded) - count] + character * count for count in masked), SUPPRESSED
    return text, *(character * count + padded[count:] for count in masked), SUPPRESSED


def _one_character(name: str, parameter: str, value: object) -> None:
    require(
        isinstance(value, str) and len(value) == 1,
        name,
        unlike(parameter, Words(ja=" 1 文字", en="one character"), value),
    )


def _length(name: str, texts: Sequence[str], length: object) -> int:
    longest = max(map(len, texts), default=0)
    limit = LENGTH_MAX if length is None else whole(name, "length", length, least=1, most=LENGTH_MAX)
    longer = sum(len(text) > limit for text in texts)
    require(
        longer == 0,
        name,
        Words(
            ja=f"length：異なる値 {len(texts)} 種のうち {longer} 種が {limit} 文字を超えています。",
            en=f"length: {longer} of {len(texts)} distinct values are longer than {limit} characters",
        ),
    )
    return longest if length is None else limit


def _masked(name: str, steps: object, length: int) -> Sequence[int]:
    """How many characters the levels between the values and the top mask; never all of them."""
    # A level that masks every character would be one label for all texts, which the top already is.
    if isinstance(steps, int):
        by = whole(name, "steps", steps, least=1, most=LENGTH_MAX)
        counts = list(range(by, length, by))
    else:
        given = [whole(name, "steps", step, least=1, most=LENGTH_MAX) for step in items(name, "steps", steps)]
        counts = [count for count in accumulate(given) if count < length]
    require(
        len(counts) <= HEIGHT_MAX,
        name,
        Words(
            ja=f"steps：段階が {len(counts)} になります（上限 {HEIGHT_MAX}）。",
            en=f"steps: {len(counts)} levels, at most {HEIGHT_MAX} are allowed",
        ),
    )
    return counts
