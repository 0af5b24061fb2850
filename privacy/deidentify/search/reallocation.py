"""Reallocation of records among the nodes that a sweep ended with: classes that can spare records lend them.

A sweep takes each group as soon as it can and leaves the stragglers to coarse nodes. Here a group with too few
unplaced records may borrow what it lacks, if together that loses less than the stragglers would lose later. What
they would lose is learnt from the round before. The idea of moving surplus members to groups that lack some is that
of the adjustment stage in clustering for k-anonymity (Lin & Wei, PAIS 2008); the rest is of this module.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.search import kernels
from privacy.deidentify.search.branch_and_bound import Stop
from privacy.deidentify.search.lattice import Lattice
from privacy.deidentify.search.local import Cells, SchemeAssignment, Sweep, by_rows, losses
from privacy.deidentify.search.loss import Floats
from privacy.deidentify.table import Codes

GATHERED_MAX = 40_000_000
"""Records of groups looked at, all nodes together: 4 bytes each."""
LOOKED_AT_MAX = 8 * GATHERED_MAX
"""Nodes times rows beyond which the sweep's result is left as it is."""
ROUNDS_MIN, ROUNDS_MAX = 6, 16
VISITS_MAX = 30_000_000
"""Members looked at in all rounds, where that allows more than the least number of rounds."""
DAMPINGS = (0.3, 0.1)
"""How fast hope follows what happened; one chain of rounds for each, side by side."""


@dataclass(frozen=True, slots=True, eq=False)
class CandidateGroups:
    """All groups of at least k records on some nodes: group e has members[first[e]:first[e + 1]] (records)."""

    k: int
    first: NDArray[np.int64]
    members: Codes
    blur: Floats
    node: Codes
    order: NDArray[np.intp]

    @classmethod
    def of(cls, lattice: Lattice, cells: Cells) -> "CandidateGroups | None":
        """The groups, in `order` of their blur; None where they are too many to keep."""
        # Records, not tuples: a class lends single ones, and equal records may end up in different classes.
        tuples = lattice.bottom.grouping
        records = np.ascontiguousarray(np.repeat(tuples.keys, tuples.counts, axis=1))
        k = lattice.conditions.k
        done, first, members, blur, node = kernels.gather_groups(
            records,
            cells.word,
            cells.shift,
            cells.mask,
            cells.starts,
            cells.tables,
            cells.starts,  # labels and blurs of a node begin at the same places of their arrays
            cells.blurs,
            k,
            min(GATHERED_MAX, len(cells.nodes) * records.shape[1]),
        )
        if done < len(cells.nodes):
            return None
        return cls(k, first, members, blur, node, np.argsort(blur, kind="stable"))


@dataclass(frozen=True, slots=True, eq=False)
class Reallocation:
    """The node of each record, as its place among the cells' nodes (-1 for none), and what all of that loses."""

    node: Codes
    loss: float


def reallocate(lattice: Lattice, sweep: Sweep, assigned: SchemeAssignment, stop: Stop) -> SchemeAssignment:
    """What a sweep of cells found, by rows instead of tuples, or something better on the same nodes.

    Left as it is where models other than k-anonymity are asked for, since a class that lends may come to fail
    them, and where there are too many groups to keep.
    """
    plain = by_rows(lattice, assigned)
    used = np.unique(assigned.scheme[assigned.scheme >= 0])
    if not (lattice.conditions.by_size_alone and len(used) and len(used) * lattice.rows <= LOOKED_AT_MAX):
        return plain
    # The last node is the top, where any k records are a class: so that records in no other group can be placed.
    cells = sweep.cells.only(np.union1d(used, [len(assigned.nodes) - 1]))
    groups = CandidateGroups.of(lattice, cells)
    if groups is None:
        return plain
    # The records of the candidate groups lie in the order of their tuples; `rows` has the row of each of them.
    rows = np.argsort(lattice.of_rows, kind="stable")
    hope = losses(sweep, plain)[rows]
    with ThreadPoolExecutor(len(DAMPINGS)) as chains:
        found = chains.map(lambda damping: _rounds(groups, hope, damping, stop), DAMPINGS)
        best = min((one for one in found if one is not None), key=lambda one: one.loss, default=None)
    if best is None or best.loss >= hope.sum():
        return plain
    scheme = np.empty(len(rows), np.int32)
    scheme[rows] = best.node
    return SchemeAssignment(cells.nodes, scheme)


def _rounds(groups: CandidateGroups, hope: Floats, damping: float, stop: Stop) -> Reallocation | None:
    """The best of some rounds; `hope` is what each record is expected to lose when the first begins."""
    best = None
    for _ in range(min(ROUNDS_MAX, max(ROUNDS_MIN, VISITS_MAX // max(len(groups.members), 1)))):
        if stop():
            break
        loss, group_of = np.empty(len(hope)), np.empty(len(hope), np.int32)
        taken = np.zeros(len(hope) // groups.k + 2, np.int64)  # its last is read where group_of is -1
        kernels.reallocate(
            groups.order, groups.first, groups.members, groups.blur, groups.k, hope, loss, group_of, taken
        )
        # A round may be worse than the one before it, as each only guesses what the others will leave over.
        if best is None or loss.sum() < best.loss:
            node = np.where(group_of >= 0, groups.node[taken[group_of]], -1).astype(np.int32)
            best = Reallocation(node, float(loss.sum()))
        # Without damping two groups that want the same records take turns and the rounds never settle.
        hope = hope * (1 - damping) + loss * damping
    return best
