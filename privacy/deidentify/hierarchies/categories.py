"""Hierarchies drawn as a tree in the plan: labels over labels over values."""

from collections.abc import Iterator, Mapping, Sequence

from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.hierarchies.parts import HEIGHT_MAX, Path, fault, label, require, with_unread
from privacy.words import Words

Tree = Mapping[str, "Tree | Sequence[str | int | Tree]"]


def categories(name: str, values: Sequence[str], *, tree: Tree, unknown: str | None = None) -> Hierarchy:
    """The tree `{Higher: [a, b], Lower: {x: [c]}}`: a key is a label, a list holds values (or further trees).

    The domain is the values of the tree, in its order, whatever the data hold; a value of the data that the tree
    lacks is refused (counted, not quoted) or, with `unknown`, gets that label from level 1 on. Where a branch
    is shallower than the deepest, its highest label is repeated upward: a, Higher, Higher and c, x, Lower. On top
    is `*`, unless the tree has a single root, which then is the top itself.

    A label may stand in one place only, a value too: else two values that share a label would part above it.
    """
    require(
        isinstance(tree, Mapping) and len(tree) > 0,
        name,
        Words(
            ja=f"tree はラベルと値の対応でなければなりません（指定された値：{tree!r}）。",
            en=f"tree must map labels to values, not {tree!r}",
        ),
    )
    branches = list(_paths(name, tree, ()))
    # Looked for in the tree: in the lines a label of two places cannot be told from one with many values.
    _check_labels(name, tree, set())
    deepest = max(map(len, branches))
    paths = [(*path, *[path[-1]] * (deepest - len(path))) for path in branches]
    known = {path[0] for path in paths}
    unread = [text for text in set(values) if text not in known]
    # A single root is the one label on top already; a `*` above it would be a level that changes nothing.
    if len(tree) == 1 and unknown is None:
        require(not unread, name, _missing(unread, values))
        return Hierarchy.of(name, paths)
    return with_unread(
        name,
        paths,
        levels=deepest - 1,
        unread=unread,
        of=len(values),
        words=Words(ja=" tree にありません", en="are not in the tree"),
        unknown=unknown,
    )


def _missing(unread: Sequence[str], values: Sequence[str]) -> Words:
    return Words(
        ja=f"異なる値 {len(values)} 種のうち {len(unread)} 種は tree にありません。",
        en=f"{len(unread)} of {len(values)} distinct values are not in the tree",
    )


def _paths(name: str, node: object, above: Path) -> Iterator[Path]:
    """The lines (value, label, …, root) under a node; `above` are the labels over it, nearest first."""
    # Bounded before it goes down: a deeper tree would end in Python's own limit on recursion.
    require(
        len(above) < HEIGHT_MAX,
        name,
        Words(ja=f"tree：段階は {HEIGHT_MAX} までです。", en=f"tree: at most {HEIGHT_MAX} levels"),
    )
    if isinstance(node, Mapping):
        for key, below in node.items():
            yield from _paths(name, below, (label(name, "tree", key), *above))
    elif isinstance(node, Sequence) and not isinstance(node, str) and len(node):
        for item in node:
            if isinstance(item, Mapping):
                yield from _paths(name, item, above)
            else:
                yield label(name, "tree", item), *above
    else:
        raise fault(
            name,
            Words(
                ja=f"tree：「{above[0]}」の下は、値の一覧又は下位のラベルでなければなりません"
                f"（指定された値：{node!r}）。",
                en=f"tree: {above[0]!r} must hold a list or further labels, not {node!r}",
            ),
        )


def _check_labels(name: str, node: object, seen: set[str]) -> None:
    # Values in two places need no look here: `Hierarchy.of` refuses them as repeated lines.
    if isinstance(node, Mapping):
        for key, below in node.items():
            own = label(name, "tree", key)
            require(
                own not in seen,
                name,
                Words(
                    ja=f"tree：ラベル「{own}」が 2 か所にあります。",
                    en=f"tree: the label {own!r} stands in two places",
                ),
            )
            seen.add(own)
            _check_labels(name, below, seen)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for item in node:
            _check_labels(name, item, seen)
