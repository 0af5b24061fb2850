"""The residue of a local recoding, in the term of Xiao & Tao (VLDB 2006): rows left out, brought into a class."""

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.search.facets import GroupValues
from privacy.deidentify.search.lattice import Lattice
from privacy.deidentify.search.local import SchemeAssignment
from privacy.deidentify.search.packing import Grouping
from privacy.deidentify.table import Codes

LATER = np.iinfo(np.int32).max


def assign_residue(lattice: Lattice, assigned: SchemeAssignment, limit: int) -> SchemeAssignment:
    """Bring rows left out into a class of the top node where more are left than may be suppressed.

    Too few to be a class, or failing a model, they need others: whole classes, those of the most generalised nodes
    first, as few as make the joint class meet every model. Models that hold for two classes hold for both together,
    so that a class which is at the top already, and all others, are as they were.
    """
    out = assigned.scheme < 0
    if int(out.sum()) <= limit:
        return assigned
    merge = ResidueMerge(lattice, assigned)
    if not merge.suffices():
        return assigned
    top = np.array([height - 1 for height in lattice.shape], np.intp)
    nodes = np.concatenate([assigned.nodes, [top]])
    # If the top node is in use already its class and the joint one have the same texts, so they must be one node too.
    first = int(np.flatnonzero((nodes == top).all(axis=1))[0])
    return SchemeAssignment(nodes, np.where(merge.rows(), first, assigned.scheme).astype(np.int32))


class ResidueMerge:
    """The joint class of the rows left out, which have rank 0, and of other classes, ranked by which comes first.

    `rank` [rows] is LATER for rows of classes not ranked yet; `ranked` classes are.
    """

    def __init__(self, lattice: Lattice, assigned: SchemeAssignment) -> None:
        self.lattice, self.assigned = lattice, assigned
        self.rank = np.where(assigned.scheme < 0, 0, LATER).astype(np.int32)
        self.ranked = 0

    def suffices(self) -> bool:
        """Rank classes, those of twice as many nodes each time, until the joint class meets the models."""
        scheme = self.assigned.scheme
        rows = np.argsort(scheme, kind="stable")
        ends = np.searchsorted(scheme[rows], np.arange(len(self.assigned.nodes) + 1))
        # Nodes stand in the order of cost: from the end, the classes that lose least by going to the top.
        used = np.flatnonzero(np.diff(ends))[::-1]
        done, more = 0, 1
        while not self._holds(self.ranked):
            if done >= len(used):
                return False
            for node in used[done : done + more].tolist():
                self._rank(node, rows[ends[node] : ends[node + 1]])
            done, more = done + more, 2 * more
        return True

    def rows(self) -> NDArray[np.bool_]:
        """The rows of the joint class [rows]: those left out, and as few classes as halving finds."""
        # Halving needs no monotone models to be right, only to be least: it ends where the models were seen to hold.
        low, high = 0, self.ranked
        while low < high:
            middle = (low + high) // 2
            if self._holds(middle):
                high = middle
            else:
                low = middle + 1
        return self.rank <= low

    def _rank(self, node: int, rows: NDArray[np.intp]) -> None:
        """Rank the classes of a node, the most blurred first."""
        packing, bottom = self.lattice.packing, self.lattice.bottom.grouping
        keys = np.ascontiguousarray(bottom.keys[:, self.lattice.of_rows[rows]])
        own = Grouping(bottom.levels, keys, np.ones(len(rows), np.int32))
        found, of = packing.group(own, tuple(self.assigned.nodes[node].tolist()))
        blur = np.zeros(len(found))
        for j, level in enumerate(found.levels):
            blur += packing.hierarchies[j].loss(level)[packing.reached[j][level]][packing.codes(found, j)]
        place = np.empty(len(found), np.int32)
        place[np.argsort(-blur, kind="stable")] = np.arange(len(found), dtype=np.int32)
        self.rank[rows] = self.ranked + 1 + place[of]
        self.ranked += len(found)

    def _holds(self, classes: int) -> bool:
        """Whether the rows left out and so many classes meet the models together."""
        which = np.flatnonzero(self.rank <= classes)
        conditions, of = self.lattice.conditions, np.zeros(len(which), np.int32)
        contents = [facet.merged(_each(facet.of_rows[which]), of, 1) for facet in conditions.facets]
        failed, _, _ = conditions.judge(np.array([len(which)], np.int32), contents, None)
        return not failed.any()


def _each(codes: Codes) -> GroupValues:
    """The contents of rows as groups of one row each."""
    return GroupValues(np.arange(len(codes) + 1), codes, np.ones(len(codes), np.int32))
