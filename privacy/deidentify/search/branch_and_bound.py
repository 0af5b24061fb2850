"""The best full-domain generalisation: one level a column, proven optimal unless stopped before.

The lattice of levels is that of Samarati (IEEE TKDE 13, 2001); bounds and order are of this module.

Nodes of the lattice are looked at from those with the most finer nodes below, after a greedy descent has found a
first solution. Three facts rule out nodes unseen. (1) A node costs at least its generalisation, known without the
data. (2) If a node loses a record for certain, every finer one does (hierarchies are trees, so classes only split):
more than the limit, and all of them are impossible. (3) A record lost at a node costs a finer one no less than it
cost here, so that this cost adds to every finer node's own generalisation. Where the models' failing classes may
split into passing ones (entropy, closeness), what is lost for certain is what no split can keep: `kernels.judge`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from privacy.deidentify.search.lattice import Lattice, NodeCost
from privacy.deidentify.search.loss import BY_CLASS, Floats
from privacy.deidentify.search.packing import Levels

NODES_MAX = 5_000_000
"""Lattices beyond this are not enumerated: a greedy descent alone, said to be unproven."""
EQUAL = 1e-12
CHUNK = 1024

Progress = Callable[[float, str], None]
Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The best node seen; `gap` bounds how much better the best unseen could be (0 when proven)."""

    best: NodeCost | None
    nearest: NodeCost | None
    gap: float
    nodes: int
    checked: int


class Search:
    """A branch and bound over one lattice; with `below`, for a node that costs less than that and for no other."""

    def __init__(
        self, lattice: Lattice, *, limit: int, progress: Progress, stop: Stop, below: float = np.inf
    ) -> None:
        self.below = below
        self.lattice, self.limit, self.progress, self.stop = lattice, limit, progress, stop
        self.shape = lattice.shape
        self.nodes = int(np.prod([float(height) for height in self.shape]))
        self.best: NodeCost | None = None
        self.nearest: NodeCost | None = None
        self.enumerated = self.nodes <= NODES_MAX
        if self.enumerated:
            self._bound()

    def _bound(self) -> None:
        # low[levels] bounds the loss of every node from below; it starts from generalisation alone, fact (1).
        scale = self.lattice.scale
        self._floors = [
            floor.reshape([-1 if j == axis else 1 for axis in range(len(self.shape))])
            for j, floor in enumerate(scale.base)
        ]
        # A measure of class sizes has no figure for a node that nobody looked at, so its bound is 0.
        blind = scale.measure.name in BY_CLASS
        low = np.zeros(()) if blind else scale.together(self._floors)
        self.low = np.array(np.broadcast_to(low, self.shape))
        # With a weighted sum one number carries a node's certain loss to finer nodes; a maximum or a product needs
        # the figure of each column, since they grow differently with each.
        self._floor = self.low.copy() if scale.additive else None
        self._extras = [] if scale.additive or blind else [np.zeros(self.shape) for _ in self.shape]
        self._seen = np.zeros(self.shape, bool)

    @property
    def value(self) -> float:
        """The best value so far, or what a solution has to be below."""
        return self.below if self.best is None else self.best.value

    def run(self) -> SearchResult:
        """Look until every unseen node is ruled out, or until stopped."""
        # A search for something better than `below` has its bound already; a descent would only repeat known nodes.
        stopped = self.below == np.inf and not self._descend()
        if self.enumerated:
            # `_open` reads the bounds while they rise, so that each look shortens the list it comes from.
            for looked, (at, levels) in enumerate(self._open()):
                if stopped or self.stop():
                    stopped = True
                    break
                self._look(levels)
                if looked % 32 == 0:
                    self.progress(at / self.nodes, self._words())
        return SearchResult(self.best, self.nearest, self._gap(), self.nodes, self.lattice.checked)

    def _words(self) -> str:
        best = "none yet" if self.best is None else f"{self.best.value:.6f}"
        return f"{self.lattice.checked} of {self.nodes} nodes looked at, best {best}"

    def _gap(self) -> float:
        if not self.enumerated:
            low = float(self.lattice.scale.together([base[0] for base in self.lattice.scale.base]))
            return self.value - low
        # The true optimum is either seen, and then the best, or unseen, and then at least the lowest bound.
        unseen = self.low[~self._seen]
        lowest = unseen.min() if len(unseen) else np.inf
        return 0.0 if lowest >= self.value - EQUAL else float(self.value - lowest)

    def _open(self) -> Iterator[tuple[int, Levels]]:
        """The nodes not ruled out, those with the most nodes below first, as they stand when asked for."""
        # The number of finer nodes of a node is the product of (level + 1), itself included: what a look may rule out.
        below = np.ones((), np.float64)
        for j, height in enumerate(self.shape):
            below = below * np.arange(1.0, height + 1).reshape(
                [-1 if j == i else 1 for i in range(len(self.shape))]
            )
        order = np.argsort(-below, axis=None, kind="stable")
        low, seen = self.low.reshape(-1), self._seen.reshape(-1)
        for begin in range(0, len(order), CHUNK):
            chunk = order[begin : begin + CHUNK]
            for at in np.flatnonzero(~seen[chunk] & (low[chunk] < self.value - EQUAL)):
                place = chunk[at]
                # Asked again: looks since this chunk was filtered may have ruled it out.
                if not seen[place] and low[place] < self.value - EQUAL:
                    yield begin + int(at), tuple(int(x) for x in np.unravel_index(place, self.shape))

    def _descend(self) -> bool:
        """From the top take the finer neighbour of the lowest bound that is a solution, while there is one."""
        node = tuple(height - 1 for height in self.shape)
        cost = self._look(node)
        if not self._solves(cost):
            return True
        while True:
            for finer in self._finer(node):
                if self.stop():
                    return False
                if self.enumerated and (self._seen[finer] or self.low[finer] >= self.value - EQUAL):
                    continue
                cost = self._look(finer)
                if self._solves(cost):
                    node = finer
                    break
            else:
                return True

    def _finer(self, node: Levels) -> list[Levels]:
        found = [(*node[:j], level - 1, *node[j + 1 :]) for j, level in enumerate(node) if level]
        scale = self.lattice.scale
        return sorted(
            found,
            key=lambda levels: float(
                scale.together([floor[level] for floor, level in zip(scale.base, levels, strict=True)])
            ),
        )

    def _solves(self, cost: NodeCost) -> bool:
        return cost.fixable and cost.suppressed <= self.limit and cost.suppressed < self.lattice.rows

    def _look(self, levels: Levels) -> NodeCost:
        cost = self.lattice.check(levels, self.limit)
        if self.nearest is None or (cost.fixable, -cost.suppressed) > (
            self.nearest.fixable,
            -self.nearest.suppressed,
        ):
            self.nearest = cost
        if self._solves(cost) and cost.value < self.value - EQUAL:
            self.best = cost
        if self.enumerated:
            self._rule_out(cost)
        return cost

    def _rule_out(self, cost: NodeCost) -> None:
        """Carry what is certain of a node to all finer ones."""
        self._seen[cost.levels] = True
        below = tuple(slice(0, level + 1) for level in cost.levels)
        # Fact (2): what is lost for certain here is lost in every finer node, so none of them can be a solution.
        if cost.surely > self.limit or not cost.fixable:
            self.low[below] = np.inf
        # Fact (3): the certain extra loss comes on top of each finer node's own generalisation.
        elif self._floor is not None:
            more = self.lattice.scale.one(cost.extra_at_least)
            np.maximum(self.low[below], self._floor[below] + more, out=self.low[below])
        elif self._extras:
            self._raise_columns(below, cost.extra_at_least)

    def _raise_columns(self, below: tuple[slice, ...], more: Floats) -> None:
        for extra, its in zip(self._extras, more, strict=True):
            np.maximum(extra[below], its, out=extra[below])
        parts = [
            floor[tuple(s if floor.shape[i] > 1 else slice(None) for i, s in enumerate(below))] + extra[below]
            for floor, extra in zip(self._floors, self._extras, strict=True)
        ]
        np.maximum(self.low[below], self.lattice.scale.together(parts), out=self.low[below])
