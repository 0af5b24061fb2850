"""Local recoding: records keep different levels, each the cheapest at which enough records look alike.

Nodes are walked from the least generalised. At each, every group of still open records that meets the models is
published on that node's levels; the others stay open for a coarser one. What differs is how many nodes may be
used: a few (each must take a share of what is open) or one for every cell. A published class is always one cell of
the product of the hierarchies, so that each value stands in its hierarchy and a class is told by its texts alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify import kernels
from privacy.deidentify.facets import Held
from privacy.deidentify.lattice import Lattice
from privacy.deidentify.measure import Floats, Measure, Scale
from privacy.deidentify.packing import Keys, Packing
from privacy.deidentify.search import Progress, Stop
from privacy.deidentify.table import Codes

NODES_MAX = 100_000
"""Of a larger lattice every so manieth node is walked, in the order of cost."""
CELL_BITS = 9
CELL_ENTRIES_MAX = 1 << 17
ROUNDS_MIN, ROUNDS_MAX = 6, 30
VISITS_MAX = 80_000_000
"""Members looked at in all rounds of `improved` together, where that is more than the least number of rounds."""
GATHERED_MAX = 40_000_000
"""Records of groups kept for `improved`: 4 bytes each."""
DAMPING = 0.3
NODES_A_STEP = 256
"""Nodes walked between two looks at whether to stop."""


@dataclass(frozen=True, slots=True, eq=False)
class Assigned:
    """Record i is published on levels nodes[scheme[i]], or left out where scheme[i] is -1."""

    nodes: NDArray[np.intp]
    scheme: Codes

    def compact(self) -> "Assigned":
        """Only the nodes in use, in the order of their cost."""
        used = np.unique(self.scheme[self.scheme >= 0])
        place = np.full(len(self.nodes) + 1, -1, np.int32)
        place[used] = np.arange(len(used), dtype=np.int32)
        return Assigned(self.nodes[used], place[self.scheme])


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Tables from a record's own values to its labels on any levels, for parts of few bits.

    starts[t, p] is where node t's table of part p begins in `tables` (labels shifted into place) and in `blurs`
    (the weighted loss of the part's labels).
    """

    nodes: NDArray[np.intp]
    word: NDArray[np.int64]
    shift: Keys
    mask: Keys
    starts: NDArray[np.int64]
    tables: Keys
    blurs: Floats

    @classmethod
    def of(cls, packing: Packing, scale: Scale, nodes: NDArray[np.intp]) -> "Cells":
        """The tables of some nodes [nodes, columns]; the blur of a record is its share of the arithmetic mean."""
        weights = scale.weights / scale.weights.sum()
        word, shift, mask, starts = [], [], [], []
        tables: list[Keys] = []
        blurs: list[Floats] = []
        at = 0
        for part in _parts(packing):
            bits = sum(packing.bits[j] for j in part)
            word.append(packing.word[part[0]])
            shift.append(packing.shift[part[0]])
            mask.append((1 << bits) - 1)
            heights = [packing.heights[j] for j in part]
            which = np.ravel_multi_index([nodes[:, j] for j in part], heights)
            starts.append(at + which * (1 << bits))
            for levels in np.ndindex(*heights):
                table, blur = _cell_table(packing, part, levels, weights)
                tables.append(table)
                blurs.append(blur)
                at += 1 << bits
        return cls(
            nodes,
            np.array(word),
            np.array(shift, np.uint64),
            np.array(mask, np.uint64),
            np.ascontiguousarray(np.array(starts, np.int64).T),
            np.concatenate(tables),
            np.concatenate(blurs),
        )

    def only(self, picked: NDArray[np.intp]) -> "Cells":
        """The tables of some of the nodes."""
        starts = np.ascontiguousarray(self.starts[picked])
        return Cells(self.nodes[picked], self.word, self.shift, self.mask, starts, self.tables, self.blurs)


def _parts(packing: Packing) -> Iterator[list[int]]:
    """Columns side by side in a word whose codes and level combinations stay few."""
    part: list[int] = []
    for j in sorted(range(len(packing.bits)), key=lambda j: (packing.word[j], packing.shift[j])):
        joined = [*part, j]
        bits = sum(packing.bits[i] for i in joined)
        entries = int(np.prod([packing.heights[i] for i in joined])) << bits
        apart = bool(part) and packing.word[part[0]] != packing.word[j]
        if part and (apart or bits > CELL_BITS or entries > CELL_ENTRIES_MAX):
            yield part
            joined = [j]
        part = joined
    yield part


def _cell_table(
    packing: Packing, part: Sequence[int], levels: Sequence[int], weights: Floats
) -> tuple[Keys, Floats]:
    """For each code of a part the key of its labels on some levels, and their weighted loss."""
    bits = sum(packing.bits[j] for j in part)
    codes = np.arange(1 << bits, dtype=np.uint64)
    keys, blur = np.zeros(len(codes), np.uint64), np.zeros(len(codes))
    for j, level in zip(part, levels, strict=True):
        own = (codes >> (packing.shift[j] - packing.shift[part[0]])) & packing.mask[j]
        label = np.zeros(int(packing.mask[j]) + 1, np.intp)
        label[packing.labels[j][0]] = packing.labels[j][level]
        shares = packing.hierarchies[j].loss(level)[packing.told[j][level]]
        keys |= label[own].astype(np.uint64) << packing.shift[j]
        blur += weights[j] * shares[label[own]]
    return keys, blur


class Sweep:
    """The walk over the nodes, with the tuples that are still open."""

    def __init__(self, lattice: Lattice, *, progress: Progress, stop: Stop) -> None:
        self.lattice, self.progress, self.stop = lattice, progress, stop
        packing = lattice.packing
        self.scale = Scale(packing, Measure(weights=lattice.scale.measure.weights))
        self.cells = Cells.of(packing, self.scale, self._in_order_of_cost())
        tuples = lattice.bottom.grouping
        n = len(tuples)
        self.tuples = tuples
        self.keys, self.weight, self.ident = (
            tuples.keys.copy(),
            tuples.counts.copy(),
            np.arange(n, dtype=np.int32),
        )
        self.left = n
        self.scheme = np.full(n, -1, np.int32)
        self._of, self._sizes = np.empty(n, np.int32), np.empty(n, np.int64)
        self._found, self._accepted = np.empty_like(self.keys), np.zeros(n, np.bool_)
        self._slots = np.empty(1 << max(4, (2 * n - 1).bit_length()), np.int32)

    def _in_order_of_cost(self) -> NDArray[np.intp]:
        """All nodes, or evenly many of them, from the cheapest on; the last is always there."""
        shape = self.lattice.shape
        axes = [
            base.reshape([-1 if i == j else 1 for i in range(len(shape))])
            for j, base in enumerate(self.scale.base)
        ]
        order = np.argsort(np.broadcast_to(self.scale.together(axes), shape), axis=None, kind="stable")
        every = -(-len(order) // NODES_MAX)
        picked = order[::-1][::every][::-1]
        return np.stack(np.unravel_index(picked, shape), axis=1)

    @property
    def open_records(self) -> int:
        """How many records have no node yet."""
        return int(self.weight[: self.left].sum())

    def each_cell(self) -> Assigned:
        """Every group on the cheapest node that takes it, however few others that node takes."""
        nodes, judged = len(self.cells.nodes), not self.lattice.conditions.by_size_alone
        at = 0
        while at < nodes and self.left and not self.stop():
            until = nodes if judged else min(nodes, at + NODES_A_STEP)
            at, self.left = kernels.sweep(
                self.keys,
                self.weight,
                self.ident,
                self.left,
                at,
                until,
                *self._cells_of_parts(),
                self.cells.starts,
                self.cells.tables,
                self._slots,
                self._found,
                self._of,
                self._sizes,
                self._accepted,
                self.lattice.conditions.k,
                judged,
                self.scheme,
            )
            if at < until:
                self._judge()
                self._fix(at)
                at += 1
            self.progress(at / nodes, f"{self.open_records} records left")
        return Assigned(self.cells.nodes, self.scheme)

    def few(self, share: float) -> Assigned:
        """Few nodes: each takes at least this share of all records, or all that are still open."""
        most = np.full(len(self.cells.nodes), self.open_records, np.int64)
        while self.left:
            node = self._first_taking(share, most)
            if node is None:
                break
            self._fix(node)
            self.progress(1 - self.open_records / self.lattice.rows, f"{self.open_records} records left")
        return Assigned(self.cells.nodes, self.scheme)

    def _first_taking(self, share: float, most: NDArray[np.int64]) -> int | None:
        """The cheapest node that takes enough; `most[t]` remembers what t took, which can only become less."""
        needed = max(min(share * self.lattice.rows, self.open_records), 1)
        for t in np.flatnonzero(most >= needed).tolist():
            if self.stop():
                return None
            groups = self._look(t)
            most[t] = self._sizes[:groups][self._accepted[:groups]].sum()
            if most[t] >= needed:
                return int(t)
        return None

    def _cells_of_parts(self) -> tuple[NDArray[np.int64], Keys, Keys]:
        return self.cells.word, self.cells.shift, self.cells.mask

    def _look(self, node: int) -> int:
        """Group the open tuples by a node; which groups are taken stands in `_accepted`."""
        bits = max(4, (2 * self.left - 1).bit_length())
        groups = kernels.look(
            self.keys,
            self.weight,
            self.left,
            *self._cells_of_parts(),
            self.cells.starts[node],
            self.cells.tables,
            self._slots,
            bits,
            self._found,
            self._of,
            self._sizes,
        )
        np.greater_equal(self._sizes[:groups], self.lattice.conditions.k, out=self._accepted[:groups])
        self._judge()
        return int(groups)

    def _fix(self, node: int) -> None:
        self.left = kernels.fix(
            self.keys, self.weight, self.ident, self.left, self._of, self._accepted, node, self.scheme
        )

    def _judge(self) -> None:
        """Of the groups large enough, accept only those that meet the other models."""
        conditions = self.lattice.conditions
        if conditions.by_size_alone:
            return
        of = self._of[: self.left]
        large = np.flatnonzero(self._accepted[: of.max() + 1])
        place = np.full(int(of.max()) + 1, -1, np.int32)
        place[large] = np.arange(len(large), dtype=np.int32)
        inside = np.flatnonzero(place[of] >= 0)
        held = [
            facet.merged(taken(its, self.ident[inside]), place[of[inside]], len(large))
            for facet, its in zip(conditions.facets, self.lattice.bottom.held, strict=True)
        ]
        failed, _, _ = conditions.judge(self._sizes[large].astype(np.int32), held, None)
        self._accepted[large[failed > 0]] = False


def taken(held: Held, which: Codes) -> Held:
    """What some of the tuples hold."""
    lengths = held.start[which + 1] - held.start[which]
    start = np.concatenate([[0], np.cumsum(lengths)])
    picked = np.repeat(held.start[which] - start[:-1], lengths) + np.arange(start[-1])
    return Held(start, held.codes[picked], held.weights[picked])


def by_rows(lattice: Lattice, assigned: Assigned) -> Assigned:
    """What is assigned to tuples, told of rows."""
    return Assigned(assigned.nodes, assigned.scheme[lattice.of_rows])


def improved(lattice: Lattice, sweep: Sweep, assigned: Assigned, stop: Stop) -> Assigned:
    """A better use of the nodes that a sweep of cells ended with, by rows; the same where it is too large to try.

    A sweep takes each group as soon as it can and leaves the stragglers to coarse nodes. Here a group with too few
    open records may borrow what it lacks from classes that can spare them, if together that loses less than the
    stragglers would lose later. What they would lose is learnt from the round before.
    """
    plain = by_rows(lattice, assigned)
    used = np.unique(assigned.scheme[assigned.scheme >= 0])
    if not lattice.conditions.by_size_alone or len(used) * lattice.rows > 8 * GATHERED_MAX or not len(used):
        return plain
    top = len(assigned.nodes) - 1
    cells = sweep.cells.only(np.union1d(used, [top]))
    tuples = lattice.bottom.grouping
    keys = np.ascontiguousarray(np.repeat(tuples.keys, tuples.counts, axis=1))
    k = lattice.conditions.k
    done, first, members, blur, node = kernels.gather(
        keys,
        cells.word,
        cells.shift,
        cells.mask,
        cells.starts,
        cells.tables,
        cells.starts,
        cells.blurs,
        k,
        GATHERED_MAX,
    )
    if done < len(cells.nodes):
        return plain
    rows = np.argsort(lattice.of_rows, kind="stable")
    hope = _losses(sweep, plain)[rows]
    best, best_loss = plain, float(hope.sum())
    order = np.argsort(blur, kind="stable")
    for _ in range(min(ROUNDS_MAX, max(ROUNDS_MIN, VISITS_MAX // len(members)))):
        if stop():
            break
        loss, group_of = np.empty(len(rows)), np.empty(len(rows), np.int32)
        taken_by = np.empty(len(rows) // k + 2, np.int64)
        kernels.borrow(order, first, members, blur, k, hope, loss, group_of, taken_by)
        if loss.sum() < best_loss:
            scheme = np.full(len(rows), -1, np.int32)
            placed = group_of >= 0
            scheme[rows[placed]] = node[taken_by[group_of[placed]]]
            best, best_loss = Assigned(cells.nodes, scheme), float(loss.sum())
        hope = hope * (1 - DAMPING) + loss * DAMPING
    return best


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


def total_loss(sweep: Sweep, assigned: Assigned) -> float:
    """The mean weighted loss of the rows, 1 for those left out."""
    return float(_losses(sweep, assigned).mean())


def _losses(sweep: Sweep, assigned: Assigned) -> Floats:
    """The weighted loss of each row, 1 where it is left out."""
    packing, weights = sweep.lattice.packing, sweep.scale.weights / sweep.scale.weights.sum()
    total = np.zeros(len(assigned.scheme))
    out = assigned.scheme < 0
    for j, column in enumerate(packing.columns):
        by_level = np.stack(
            [
                packing.hierarchies[j].loss(level)[packing.told[j][level]][packing.labels[j][level]]
                for level in range(packing.heights[j])
            ]
        )
        total += weights[j] * by_level[assigned.nodes[assigned.scheme, j], column.codes]
    total[out] = 1.0
    return total
