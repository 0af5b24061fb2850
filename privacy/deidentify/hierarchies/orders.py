"""Hierarchies made from an order alone: neighbours are grouped, level by level, in groups of like size."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from privacy.deidentify.hierarchies.hierarchy import SUPPRESSED, Hierarchy
from privacy.deidentify.hierarchies.intervals import parsed
from privacy.deidentify.hierarchies.parts import HEIGHT_MAX, fault, items, label, require, unlike, whole
from privacy.words import Words

ELLIPSIS = "…"
GROUPS_MAX = 1_000_000


def orders(
    name: str,
    values: Sequence[str],
    *,
    order: Literal["numeric", "lexicographic"] | Sequence[str | int],
    fanout: int | None = None,
    groups: Sequence[int] | None = None,
) -> Hierarchy:
    """Neighbours joined until one group is left, which is labelled `*`; a group is labelled `first…last`.

    `order` is the domain in its order, or says how to order the distinct `values`: as numbers, or by code point.
    Either `fanout` neighbours are joined on each level (2 where nothing is said), or `groups` gives how many
    groups each level has, falling.

    Groups are balanced by how many values of the *domain* they hold (they differ by one at most on level 1), not
    by how many records: cut points set by counts would say something of the data, and would move with every person.
    A list says nothing; `numeric` and `lexicographic` still show which values occur, so prefer a list in a release
    that is repeated.

    Raises `BadHierarchy` when a list misses a value of the data (counted, not quoted), a value is no number, or
    a value holds `…`, which would make labels ambiguous.
    """
    domain = _domain(name, order, values)
    ambiguous = sum(ELLIPSIS in text for text in domain)
    require(
        ambiguous == 0,
        name,
        Words(
            ja=f"order：ラベルに使う文字「{ELLIPSIS}」を含む値が {ambiguous} 種あります。",
            en=f"order: {ambiguous} values hold the character {ELLIPSIS} of the labels",
        ),
    )
    levels = [_starts(len(domain), len(domain))]
    for count in _counts(name, len(domain), fanout=fanout, groups=groups):
        # Groups of groups, not of values: else a coarser group could cut a finer one in two.
        finer = levels[-1]
        levels.append([finer[place] for place in _starts(len(finer), count)])
    columns = [_labels(domain, starts) for starts in levels]
    return Hierarchy.of(name, [(*path, SUPPRESSED) for path in zip(*columns, strict=True)])


def _starts(length: int, count: int) -> list[int]:
    """Where each of `count` runs of like length begins."""
    # Whole-number division spreads the remainder evenly, so lengths differ by one at most.
    return [run * length // count for run in range(count)]


def _labels(domain: Sequence[str], starts: Sequence[int]) -> list[str]:
    labels: list[str] = []
    for start, end in zip(starts, [*starts[1:], len(domain)], strict=True):
        ends = (domain[start],) if end - start == 1 else (domain[start], domain[end - 1])
        labels += [ELLIPSIS.join(ends)] * (end - start)
    return labels


def _counts(name: str, length: int, *, fanout: object, groups: object) -> list[int]:
    """How many groups each level between the values and the top has."""
    require(
        fanout is None or groups is None,
        name,
        Words(
            ja="fanout と groups を同時に指定することはできません。",
            en="fanout and groups exclude each other",
        ),
    )
    if groups is not None:
        counts = [
            whole(name, "groups", count, least=1, most=GROUPS_MAX) for count in items(name, "groups", groups)
        ]
        require(
            len(counts) <= HEIGHT_MAX,
            name,
            Words(
                ja=f"groups：段階は {HEIGHT_MAX} までです（指定された数：{len(counts)}）。",
                en=f"groups: at most {HEIGHT_MAX} levels, not {len(counts)}",
            ),
        )
        require(
            counts == sorted(set(counts), reverse=True),
            name,
            Words(
                ja=f"groups は大きい順でなければなりません（指定された値：{counts}）。",
                en=f"groups must fall, and {counts} does not",
            ),
        )
        # A plan is written before the data are seen: more groups than values is no fault, each value is one.
        return [min(count, length) for count in counts]
    by = 2 if fanout is None else whole(name, "fanout", fanout, least=2, most=GROUPS_MAX)
    counts = []
    while (length := -(-length // by)) > 1:
        counts.append(length)
    return counts


def _domain(name: str, order: object, values: Sequence[str]) -> Sequence[str]:
    if order == "lexicographic":
        return sorted(set(values))
    if order == "numeric":
        # Two spellings of a number stand beside each other, in the order of their texts.
        return [text for _, text in sorted(_numbered(name, set(values)))]
    if isinstance(order, str):
        wanted = Words(
            ja=" numeric、lexicographic 又は値の一覧", en="numeric, lexicographic or a list of the values"
        )
        raise fault(name, unlike("order", wanted, order))
    listed = [label(name, "order", value) for value in items(name, "order", order)]
    missing = len(set(values).difference(listed))
    require(
        missing == 0,
        name,
        Words(
            ja=f"order に、異なる値 {len(values)} 種のうち {missing} 種がありません。",
            en=f"order misses {missing} of {len(values)} distinct values",
        ),
    )
    return listed


def _numbered(name: str, texts: set[str]) -> list[tuple[Decimal, str]]:
    known = [(value, text) for text in texts if (value := parsed(text)) is not None]
    unread = len(texts) - len(known)
    require(
        unread == 0,
        name,
        Words(
            ja=f"order：異なる値 {len(texts)} 種のうち {unread} 種が数値ではありません。",
            en=f"order: {unread} of {len(texts)} distinct values are not numbers",
        ),
    )
    return known
