"""The hierarchy that a processing plan describes: one kind, its parameters; files are read by the caller."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from privacy.deidentify.hierarchies.areas import areas
from privacy.deidentify.hierarchies.categories import categories
from privacy.deidentify.hierarchies.dates import dates
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.hierarchies.intervals import between_cuts, intervals
from privacy.deidentify.hierarchies.layout import parse
from privacy.deidentify.hierarchies.masks import masks
from privacy.deidentify.hierarchies.orders import orders
from privacy.deidentify.hierarchies.parts import fault, require
from privacy.words import Words


@dataclass(frozen=True, slots=True)
class HierarchyKind:
    """A builder, and by the plan's words the arguments that it needs and those that it can do without."""

    builder: Callable[..., Hierarchy]
    needed: Mapping[str, str]
    optional: Mapping[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> Mapping[str, str]:
        """Every parameter by the plan's word, with the builder's argument."""
        return {**self.needed, **self.optional}


def _same(*words: str) -> Mapping[str, str]:
    return {word: word for word in words}


KINDS = {
    "intervals": HierarchyKind(
        intervals,
        {"intervals": "widths", "from": "low", "to": "high"},
        _same("step", "outside", "unknown"),
    ),
    "cuts": HierarchyKind(between_cuts, _same("cuts"), _same("step", "outside", "unknown")),
    "dates": HierarchyKind(
        dates, {"dates": "steps", "from": "low", "to": "high"}, _same("outside", "unknown")
    ),
    "areas": HierarchyKind(areas, {"areas": "kind"}, _same("levels", "unknown")),
    "mask": HierarchyKind(masks, {"mask": "side"}, _same("character", "steps", "align", "padding", "length")),
    "order": HierarchyKind(orders, _same("order"), _same("fanout", "groups")),
    "tree": HierarchyKind(categories, _same("tree"), _same("unknown")),
}


def build(spec: Mapping[str, object] | str, *, name: str, values: Sequence[str]) -> Hierarchy:
    """The hierarchy of attribute `name`, whose distinct texts are `values`, as a plan's `hierarchy:` says it.

    A text is the *content* of a file in ARX's layout. A mapping holds the word of one kind and its parameters:

        {intervals: [5, 10, 20], from: 0, to: 119}      step: 1, outside: refuse | code, unknown: LABEL
        {cuts: [[0, 20, 65, 120], [0, 65, 120]]}        step, outside, unknown
        {dates: [month, year, decade], from: 1906-04-02, to: 2026-04-01}      outside, unknown
        {areas: address | code | postcode}              levels: [town, prefecture], unknown
        {mask: right | left}                            character, steps: 1 | [2, 2], align, padding, length
        {order: numeric | lexicographic | [a, b, c]}    fanout: 2, or groups: [10, 5, 2]
        {tree: {Higher: [a, b], Lower: {x: [c]}}}       unknown

    The builders' docstrings say what each parameter means. Raises `BadHierarchy` for anything else: no kind or
    two, a parameter that the kind does not know or misses, and whatever the builder refuses.
    """
    # The caller has read the file: this package opens none.
    if isinstance(spec, str):
        return parse(name, spec)
    require(
        isinstance(spec, Mapping),
        name,
        Words(
            ja=f"ファイル又は項目の対応でなければなりません（指定された値：{spec!r}）。",
            en=f"must be a file or a mapping, not {spec!r}",
        ),
    )
    kind = KINDS[_kind(name, spec)]
    for word in kind.needed:
        own = _kind(name, spec)
        require(word in spec, name, Words(ja=f"{own} には {word} も必要です。", en=f"{own} needs {word} too"))
    # `from` is a keyword of Python and `dates` is the builder itself, so a plan's words are not the arguments' names.
    return kind.builder(name, values, **{kind.parameters[word]: value for word, value in spec.items()})


def _kind(name: str, spec: Mapping[str, object]) -> str:
    # Two kinds in one mapping would leave it to the order of the words which of them counts.
    kinds = [word for word in spec if word in KINDS]
    if len(kinds) != 1:
        given = ", ".join(map(repr, spec))
        raise fault(
            name,
            Words(
                ja=f"種類は次のうち 1 つだけを指定してください：{', '.join(KINDS)}"
                f"（指定されたもの：{'、'.join(kinds) or given or 'なし'}）。",
                en=f"must be of one kind of {', '.join(KINDS)}, and it says "
                f"{' and '.join(kinds) or given or 'nothing'}",
            ),
        )
    known = KINDS[kinds[0]].parameters
    unknown = [word for word in spec if word not in known]
    require(
        not unknown,
        name,
        Words(
            ja=f"{kinds[0]} に {', '.join(map(repr, unknown))} というパラメータはありません"
            f"（使えるもの：{', '.join(known)}）。",
            en=f"{kinds[0]} does not know {', '.join(map(repr, unknown))}; it knows {', '.join(known)}",
        ),
    )
    return kinds[0]
