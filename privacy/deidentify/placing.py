"""Rows that a local recoding left out, brought into a class with others."""

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.facets import Held
from privacy.deidentify.lattice import Lattice
from privacy.deidentify.local import Assigned
from privacy.deidentify.table import Codes


def placed(lattice: Lattice, assigned: Assigned, limit: int) -> Assigned:
    """Rows left out brought into a class of the top node where more are left than may be suppressed.

    Too few to be a class, or failing a model, they need company: whole classes, the most blurred first, as few as
    make the joint class meet every model. Models that hold for two classes hold for both together, so that the
    other classes are as they were.
    """
    out = assigned.scheme < 0
    if int(out.sum()) <= limit:
        return assigned
    scheme, of, dearest = _classes_by_blur(lattice, assigned)
    top = len(scheme.nodes) - 1
    rank = np.full(len(dearest) + 1, 0, np.int64)
    rank[dearest] = np.arange(1, len(dearest) + 1)
    order = rank[of]
    low, high = 0, len(dearest)
    while low < high:
        middle = (low + high) // 2
        if _one_class_holds(lattice, order <= middle):
            high = middle
        else:
            low = middle + 1
    joined = order <= low
    if not _one_class_holds(lattice, joined):
        return assigned
    return Assigned(scheme.nodes, np.where(joined, top, scheme.scheme).astype(np.int32))


def _classes_by_blur(lattice: Lattice, assigned: Assigned) -> tuple[Assigned, Codes, NDArray[np.intp]]:
    """The assignment with the top node last, each row's class (the last number: none), and classes by blur."""
    packing = lattice.packing
    top = np.array([height - 1 for height in lattice.shape], np.intp)
    nodes = np.concatenate([assigned.nodes, [top]])
    labels = [assigned.scheme.astype(np.int64)]
    blur = np.zeros(len(assigned.scheme))
    for j, column in enumerate(packing.columns):
        level = nodes[assigned.scheme, j]
        by_level = np.stack([packing.labels[j][at] for at in range(packing.heights[j])])
        shares = np.stack(
            [
                packing.hierarchies[j].loss(at)[packing.told[j][at]][packing.labels[j][at]]
                for at in range(packing.heights[j])
            ]
        )
        labels.append(by_level[level, column.codes].astype(np.int64))
        blur += shares[level, column.codes]
    found = np.unique(np.stack(labels), axis=1, return_index=True, return_inverse=True)
    first, of = found[1], found[2].reshape(-1)
    out = assigned.scheme < 0
    dearest = np.argsort(-blur[first], kind="stable")
    dearest = dearest[~out[first][dearest]]
    of = np.where(out, len(first), of)
    small = np.full(len(first) + 1, len(dearest), np.int64)
    small[dearest] = np.arange(len(dearest))
    return Assigned(nodes, assigned.scheme), small[of].astype(np.int32), np.arange(len(dearest))


def _one_class_holds(lattice: Lattice, rows: NDArray[np.bool_]) -> bool:
    """Whether some rows together meet the models."""
    which = np.flatnonzero(rows)
    of = np.zeros(len(which), np.int32)
    held = []
    for facet in lattice.conditions.facets:
        picked = np.arange(len(which) + 1)
        held.append(facet.merged(Held(picked, facet.of_rows[which], np.ones(len(which), np.int32)), of, 1))
    failed, _, _ = lattice.conditions.judge(np.array([len(which)], np.int32), held, None)
    return not failed.any()
