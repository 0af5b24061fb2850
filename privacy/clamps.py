"""Clamps by group: one statistic measured in parts, each over its own cells of a key and with its own clamp.

A part is the statistic with one clamp and, beside its own filter, the condition that the key lies in the cells of that
clamp. Cells of different clamps exclude each other, so that the parts share one price by `privacy.parallel`: n_g of a
person's k rows fall under clamp g, whose noise has the scale b_g ≥ k·D_g/ε, and Σ n_g·D_g/b_g ≤ ε. Of each part only
its own cells are shown; the others hold noise around nothing. Reads no data.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from privacy import filters
from privacy.exact import Axis
from privacy.filters import Filter, Member
from privacy.layout import Layout
from privacy.query import Query, Scalar, Statistic
from privacy.resolve import Resolver

CLAMPS_MAX = 20
REST = "*"
"""Names the clamp of all cells that are not named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The cells of one key that a part of a statistic is shown in."""

    axis: int
    buckets: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A statistic, or a part of one with clamps by group: measured under `where`, shown in `cells` or everywhere."""

    place: int
    statistic: Statistic
    where: Filter | None
    cells: Cells | None = None


def parts_of(query: Query, layout: Layout, wheres: Sequence[Filter | None], resolver: Resolver) -> list[Part]:
    """What is measured: a part for each distinct clamp. Problems are noted, and then the statistic is one part."""
    found: list[Part] = []
    for place, (statistic, where) in enumerate(zip(query.select, wheres, strict=True)):
        whole = Part(place=place, statistic=statistic, where=where)
        found += [whole] if statistic.clamps is None else _split(query, whole, layout, resolver)
    return found


def _split(query: Query, whole: Part, layout: Layout, resolver: Resolver) -> list[Part]:
    pointer, clamps = f"/select/{whole.place}/clamp", dict(whole.statistic.clamps or ())
    plain = Part(place=whole.place, statistic=replace(whole.statistic, clamps=None), where=whole.where)
    if whole.statistic.per_person_clamp is not None:
        resolver.refuse(pointer, "choose_one", expected="clamp: {…}, per_person_clamp")
        return [plain]
    if query.totals or query.tables:
        resolver.refuse(pointer, "clamps_alone", expected="totals, tables")
        return [plain]
    if len(set(clamps.values())) > CLAMPS_MAX:
        resolver.refuse(pointer, "too_many_clamps", len(set(clamps.values())), CLAMPS_MAX)
        return [plain]
    place = _axis_of(set(clamps) - {REST}, layout, resolver, pointer)
    if place is None:
        return [plain]
    axis = layout.axes[place]
    named: dict[tuple[Scalar, Scalar] | None, set[int]] = {}
    for bucket, label in enumerate(axis.labels):
        named.setdefault(clamps.get(_text(label), clamps.get(REST)), set()).add(bucket)
    return [
        Part(
            place=whole.place,
            statistic=replace(plain.statistic, clamp=clamp),
            where=filters.every([*([] if whole.where is None else [whole.where]), _inside(axis, buckets)]),
            cells=Cells(axis=place, buckets=frozenset(buckets)),
        )
        for clamp, buckets in named.items()
    ]


def _axis_of(names: set[str], layout: Layout, resolver: Resolver, pointer: str) -> int | None:
    """The one key whose cells have these labels."""
    labels = [[*map(_text, axis.labels)] for axis in layout.axes]
    fitting = [place for place, known in enumerate(labels) if names <= set(known)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        resolver.refuse(
            pointer, "choose_one", expected=", ".join(layout.axes[place].name for place in fitting)
        )
        return None
    # Of the key that most of the names are cells of, or what people call cells of it.
    alike = [
        len(names.intersection([*known, *resolver.cells_by_label(axis.name)]))
        for axis, known in zip(layout.axes, labels, strict=True)
    ]
    if not alike:
        resolver.refuse(pointer, "clamp_of_no_cell", ", ".join(sorted(names)[:20]), "–")
        return None
    place = alike.index(max(alike))
    strange = sorted(names.difference(labels[place]))
    resolver.refuse_cell(
        pointer,
        "clamp_of_no_cell",
        strange[0],
        layout.axes[place].name,
        labels[place],
        ", ".join(strange[:20]),
    )
    return None


def _inside(axis: Axis, buckets: set[int]) -> Filter:
    return Member(
        axis.column, filters.union(interval for interval, bucket in axis.pieces if bucket in buckets)
    )


def _text(label: object) -> str:
    """A label as the name of a member of JSON."""
    return "null" if label is None else str(label)
