"""Local recoding: records are published on different levels, each the cheapest at which enough records look alike.

Nodes are walked from the least generalised. At each, every group of still open records that meets the models is
published on that node's levels; the others stay open for a coarser one. What differs is how many nodes may be
used: a few (each must take a share of what is open) or one for every cell. A published class is always one cell of
the product of the hierarchies, so that each value stands in its hierarchy and classes differ in their texts:
multidimensional recoding in the terms of LeFevre, DeWitt & Ramakrishnan (ICDE 2006), with cells for regions.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.errors import BadTable
from privacy.deidentify.search import kernels
from privacy.deidentify.search.branch_and_bound import Progress, Stop
from privacy.deidentify.search.facets import GroupValues
from privacy.deidentify.search.lattice import Lattice
from privacy.deidentify.search.loss import Floats, Measure, Scale
from privacy.deidentify.search.packing import Keys, Packing
from privacy.deidentify.table import Codes
from privacy.words import Words

NODES_MAX = 100_000
"""Of a larger lattice every so manieth node is walked, in the order of cost."""
LISTED_MAX = 5_000_000
"""Nodes that are put in order at all."""
CELL_BITS = 9
CELL_ENTRIES_MAX = 1 << 17
NODES_A_STEP_MIN, NODES_A_STEP_MAX = 8, 256
LOOKS_A_STEP = 1 << 26
"""Nodes walked between two looks at whether to stop: about so many tuples looked at."""
WALKERS = 2
RARE = 32
"""Where fewer than one in so many nodes takes something, several walkers look ahead."""
TUPLES_SHARED = 512
"""Fewer open tuples than this are not worth a second walker."""


@dataclass(frozen=True, slots=True, eq=False)
class SchemeAssignment:
    """Record (or tuple) i is published on levels nodes[scheme[i]], or left out where scheme[i] is -1."""

    nodes: NDArray[np.intp]
    scheme: Codes

    def compact(self) -> "SchemeAssignment":
        """Only the nodes in use, in the order of their cost."""
        used = np.unique(self.scheme[self.scheme >= 0])
        # One entry more than there are nodes: index -1, records left out, reads the last one, which stays -1.
        place = np.full(len(self.nodes) + 1, -1, np.int32)
        place[used] = np.arange(len(used), dtype=np.int32)
        return SchemeAssignment(self.nodes[used], place[self.scheme])


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
    starts: Keys
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
            # A table for each combination of levels within the part, not for each node: many nodes share them.
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
            np.ascontiguousarray(np.array(starts, np.uint64).T),
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
        # Tables grow with 2^bits times the levels' combinations; beyond these limits they leave the caches.
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
        # Codes that no value has get label 0: no record asks for them.
        label = np.zeros(int(packing.mask[j]) + 1, np.intp)
        label[packing.labels[j][0]] = packing.labels[j][level]
        shares = packing.hierarchies[j].loss(level)[packing.reached[j][level]]
        keys |= label[own].astype(np.uint64) << packing.shift[j]
        blur += weights[j] * shares[label[own]]
    return keys, blur


class Sweep:
    """The walk over the nodes, with the tuples that are still open."""

    def __init__(self, lattice: Lattice, *, progress: Progress, stop: Stop) -> None:
        self.lattice, self.progress, self.stop = lattice, progress, stop
        packing = lattice.packing
        # Nodes are always ordered by Loss: a measure of class sizes has no cost of a node by itself.
        self.scale = Scale(packing, Measure(weights=lattice.scale.measure.weights))
        self.cells = Cells.of(packing, self.scale, self._in_order_of_cost())
        # Copies, as the walk closes the gaps of tuples that are placed.
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
        self._scratch = tuple(Scratch.of(self.keys) for _ in range(WALKERS))

    def _in_order_of_cost(self) -> NDArray[np.intp]:
        """All nodes, or evenly many of them, from the cheapest on; the last is always there."""
        levels = thinned(self.lattice.shape)
        axes = [
            base[its].reshape([-1 if i == j else 1 for i in range(len(levels))])
            for j, (base, its) in enumerate(zip(self.scale.base, levels, strict=True))
        ]
        shape = tuple(len(its) for its in levels)
        order = np.argsort(np.broadcast_to(self.scale.together(axes), shape), axis=None, kind="stable")
        # Counted from the end, so that the top is always among them: there the last records find company.
        every = -(-len(order) // NODES_MAX)
        picked = np.unravel_index(order[::-1][::every][::-1], shape)
        return np.stack([its[at] for its, at in zip(levels, picked, strict=True)], axis=1)

    @property
    def open_records(self) -> int:
        """How many records have no node yet."""
        return int(self.weight[: self.left].sum())

    def each_cell(self) -> SchemeAssignment:
        """Every group on the cheapest node that takes it, however few others that node takes.

        While most nodes take something one walker goes over them; later several look ahead side by side.
        """
        # Walks of k-anonymity alone are one compiled loop; other models are judged from Python, node by node.
        nodes, judged = len(self.cells.nodes), not self.lattice.conditions.by_size_alone
        at, rare = 0, judged
        with ThreadPoolExecutor(WALKERS) as walkers:
            while at < nodes and self.left and not self.stop():
                step = max(NODES_A_STEP_MIN, min(NODES_A_STEP_MAX, LOOKS_A_STEP // self.left))
                until = min(nodes, at + step)
                if not rare:
                    # Once takers become rare, looking ahead in parallel gains more than its calls cost.
                    takers = self._walk(at, until)
                    rare = takers * RARE <= until - at
                    at = until
                else:
                    found, scratch, groups = self._ahead(walkers, at, until)
                    if found < until:
                        self._accept(scratch, groups)
                        self._fix(scratch, found)
                    at = min(found + 1, until)
                self.progress(at / nodes, f"{self.open_records} records left")
        return SchemeAssignment(self.cells.nodes, self.scheme)

    def _walk(self, first: int, last: int) -> int:
        """Fix whatever some nodes take; returns how many took something."""
        scratch = self._scratch[0]
        takers, self.left = kernels.sweep(
            self.keys,
            self.weight,
            self.ident,
            self.left,
            first,
            last,
            *self._parts(),
            self.cells.starts,
            self.cells.tables,
            *scratch.arrays(),
            scratch.accepted,
            self.lattice.conditions.k,
            self.scheme,
        )
        return int(takers)

    def look_ahead(self) -> int:
        """The first node that would take something; the number of nodes if none would."""
        with ThreadPoolExecutor(WALKERS) as walkers:
            return self._ahead(walkers, 0, len(self.cells.nodes))[0]

    def _ahead(self, walkers: ThreadPoolExecutor, first: int, last: int) -> tuple[int, "Scratch", int]:
        """The next node that would take something, the groups it has in a scratch, and their number."""
        step = WALKERS if self.left >= TUPLES_SHARED else 1

        def look(scratch: Scratch, begin: int) -> tuple[int, Scratch, int]:
            node, groups = kernels.look_ahead(
                self.keys,
                self.weight,
                self.left,
                begin,
                last,
                step,
                *self._parts(),
                self.cells.starts,
                self.cells.tables,
                *scratch.arrays(),
                self.lattice.conditions.k,
            )
            return int(node), scratch, int(groups)

        # Walker i looks at every `step`-th node from first + i. The earliest find is the one that a single walker would
        # have made, so the result does not depend on the number of walkers.
        looks = [walkers.submit(look, self._scratch[i], first + i) for i in range(1, step)]
        return min(
            [look(self._scratch[0], first), *(each.result() for each in looks)], key=lambda seen: seen[0]
        )

    def few(self, share: float) -> SchemeAssignment:
        """Few nodes: each takes at least this share of all records, or all that are still open."""
        most = np.full(len(self.cells.nodes), self.open_records, np.int64)
        while self.left:
            if not self._fix_first(share, most):
                break
            self.progress(1 - self.open_records / self.lattice.rows, f"{self.open_records} records left")
        return SchemeAssignment(self.cells.nodes, self.scheme)

    def _fix_first(self, share: float, most: NDArray[np.int64]) -> bool:
        """Fix what the cheapest node takes that takes enough, if there is one.

        What a node costs is counted over the open records; `most[t]` remembers what node t could take, which can
        only become less.
        """
        # A node that once took too little is not looked at again: open records only become fewer.
        needed = max(min(share * self.lattice.rows, self.open_records), 1)
        worth = np.flatnonzero(most >= needed)
        for t in worth[np.argsort(self._costs()[worth], kind="stable")].tolist():
            if self.stop():
                return False
            scratch, groups = self._look(t)
            most[t] = scratch.sizes[:groups][scratch.accepted[:groups]].sum()
            if most[t] >= needed:
                self._fix(scratch, t)
                return True
        return False

    def _costs(self) -> Floats:
        """What each node costs the open records on average."""
        packing, nodes = self.lattice.packing, self.cells.nodes
        records, total = self.weight[: self.left], np.zeros(len(nodes))
        for j, weight in enumerate(self.scale.weights):
            codes = (self.keys[packing.word[j], : self.left] >> packing.shift[j]) & packing.mask[j]
            # By value, then one product for all levels: nodes are many, values and levels few.
            contents = np.bincount(codes.astype(np.intp), records, len(packing.reached[j][0]))
            blur = np.empty((packing.heights[j], len(contents)))
            for level in range(packing.heights[j]):
                shares = packing.hierarchies[j].loss(level)[packing.reached[j][level]]
                blur[level, packing.labels[j][0]] = shares[packing.labels[j][level]]
            total += weight * (blur @ contents)[nodes[:, j]]
        return total

    def _parts(self) -> tuple[NDArray[np.int64], Keys, Keys]:
        return self.cells.word, self.cells.shift, self.cells.mask

    def _look(self, node: int) -> tuple["Scratch", int]:
        """Group the open tuples by a node; which groups are taken stands in `accepted`."""
        scratch = self._scratch[0]
        slots, found, of, sizes = scratch.arrays()
        bits = kernels.bits_for(self.left)
        groups = kernels.group_at_node(
            self.keys,
            self.weight,
            self.left,
            *self._parts(),
            self.cells.starts[node],
            self.cells.tables,
            slots,
            bits,
            found,
            of,
            sizes,
        )
        self._accept(scratch, int(groups))
        return scratch, int(groups)

    def _fix(self, scratch: "Scratch", node: int) -> None:
        self.left = kernels.assign(
            self.keys,
            self.weight,
            self.ident,
            self.left,
            scratch.of_tuple,
            scratch.accepted,
            node,
            self.scheme,
        )

    def _accept(self, scratch: "Scratch", groups: int) -> None:
        """Accept the groups that are large enough and meet the other models."""
        conditions = self.lattice.conditions
        np.greater_equal(scratch.sizes[:groups], conditions.k, out=scratch.accepted[:groups])
        if conditions.by_size_alone:
            return
        # Only groups that are large enough already are judged: judging costs far more than counting.
        of = scratch.of_tuple[: self.left]
        large = np.flatnonzero(scratch.accepted[:groups])
        place = np.full(groups, -1, np.int32)
        place[large] = np.arange(len(large), dtype=np.int32)
        inside = np.flatnonzero(place[of] >= 0)
        contents = [
            facet.merged(contents_of(its, self.ident[inside]), place[of[inside]], len(large))
            for facet, its in zip(conditions.facets, self.lattice.bottom.contents, strict=True)
        ]
        failed, _, _ = conditions.judge(scratch.sizes[large].astype(np.int32), contents, None)
        scratch.accepted[large[failed > 0]] = False


@dataclass(frozen=True, slots=True, eq=False)
class Scratch:
    """Arrays that one walker groups with: slots, keys found, group of each tuple, sizes, and groups accepted."""

    slots: Codes
    found: Keys
    of_tuple: Codes
    sizes: NDArray[np.int64]
    accepted: NDArray[np.bool_]

    @classmethod
    def of(cls, keys: Keys) -> "Scratch":
        """Room for so many tuples."""
        n = keys.shape[1]
        slots = np.empty(1 << kernels.bits_for(n), np.int32)
        return cls(
            slots, np.empty_like(keys), np.empty(n, np.int32), np.empty(n, np.int64), np.zeros(n, np.bool_)
        )

    def arrays(self) -> tuple[Codes, Keys, Codes, NDArray[np.int64]]:
        """What the kernels take."""
        return self.slots, self.found, self.of_tuple, self.sizes


def thinned(heights: Sequence[int]) -> list[NDArray[np.intp]]:
    """The levels of each column that a walk uses: all, or fewer where the lattice is too large to list.

    Levels between the values and the top go first where there are most; too many columns for that are a fault.
    """
    # The lowest and the top level of a column always stay, so that keeping and giving up a value remain possible.
    levels = [np.arange(height) for height in heights]
    while np.prod([float(len(its)) for its in levels]) > LISTED_MAX:
        longest = max(range(len(levels)), key=lambda j: len(levels[j]))
        if len(levels[longest]) <= 2:
            raise BadTable(
                Words(
                    ja=f"局所的な一般化には準識別子 {len(heights)} 項目は多すぎます。項目を減らしてください",
                    en=f"{len(heights)} quasi-identifiers are too many for local recoding; leave some out",
                )
            )
        levels[longest] = np.delete(levels[longest], len(levels[longest]) // 2)
    return levels


def contents_of(contents: GroupValues, which: Codes) -> GroupValues:
    """The contents of some of the tuples."""
    # Runs of different lengths picked without a loop: each entry is its place in the result, moved to its run's start.
    lengths = contents.start[which + 1] - contents.start[which]
    start = np.concatenate([[0], np.cumsum(lengths)])
    picked = np.repeat(contents.start[which] - start[:-1], lengths) + np.arange(start[-1])
    return GroupValues(start, contents.codes[picked], contents.weights[picked])


def by_rows(lattice: Lattice, assigned: SchemeAssignment) -> SchemeAssignment:
    """What is assigned to tuples, by rows."""
    return SchemeAssignment(assigned.nodes, assigned.scheme[lattice.of_rows])


def losses(sweep: Sweep, assigned: SchemeAssignment) -> Floats:
    """The weighted loss of each row, 1 where it is left out."""
    packing, weights = sweep.lattice.packing, sweep.scale.weights / sweep.scale.weights.sum()
    total = np.zeros(len(assigned.scheme))
    out = assigned.scheme < 0
    # Without a class there may be no node at all, so that nothing can be looked up.
    if out.all():
        return np.ones(len(out))
    for j, column in enumerate(packing.columns):
        by_level = np.stack(
            [
                packing.hierarchies[j].loss(level)[packing.reached[j][level]][packing.labels[j][level]]
                for level in range(packing.heights[j])
            ]
        )
        total += weights[j] * by_level[assigned.nodes[assigned.scheme, j], column.codes]
    total[out] = 1.0
    return total
