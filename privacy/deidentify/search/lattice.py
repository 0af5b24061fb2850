"""One look at a node of the lattice: its groups, which of them fail, and what that costs.

Groups of a coarse node are unions of groups of any finer node (roll-up: LeFevre, DeWitt & Ramakrishnan, SIGMOD 2005),
so that rows are read once and every look starts from groups that are kept.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.search import kernels
from privacy.deidentify.search.conditions import Conditions
from privacy.deidentify.search.facets import GroupValues
from privacy.deidentify.search.loss import BY_CLASS, Floats, MeasureName, Scale, lost_bits
from privacy.deidentify.search.packing import Grouping, Levels, Packing
from privacy.deidentify.search.table_models import smallest_dropped
from privacy.deidentify.table import Codes

CACHED_GROUPS_MAX = 40_000_000
"""Groups kept at once for later roll-ups; at most 12 bytes each for one word, 20 for two, and what they hold."""
FEW = 1 << 11
"""Groupings of so few tuples are not worth steps in between."""
LARGE = 1 << 12
"""Groupings of so many tuples are looked at in part before they are made."""


@dataclass(frozen=True, slots=True, eq=False)
class NodeGroups:
    """A grouping, the contents of its groups by facet, and how many of the population have the same labels."""

    grouping: Grouping
    contents: tuple[GroupValues, ...]
    population: NDArray[np.int64] | None

    @property
    def weight(self) -> int:
        """How many entries are kept."""
        return len(self.grouping) + sum(len(contents.codes) for contents in self.contents)


@dataclass(frozen=True, slots=True, eq=False)
class NodeCost:
    """What a node costs.

    `suppressed` records are lost on it, `surely` of them on every finer node too; `value` is the measure, and
    `extra_at_least` [columns] what losing those records adds to every finer node's own generalisation. Where
    suppression cannot help, `fixable` is false.
    """

    levels: Levels
    suppressed: int
    surely: int
    value: float
    extra_at_least: Floats
    fixable: bool


class Lattice:
    """All level combinations of a packing, with the groups of nodes already seen kept for finer-to-coarser use."""

    def __init__(
        self,
        packing: Packing,
        scale: Scale,
        conditions: Conditions,
        *,
        counted: NDArray[np.bool_] | None = None,
    ) -> None:
        self.packing, self.scale, self.conditions = packing, scale, conditions
        self.counted = counted
        rows, self.of_rows = packing.rows()
        self.rows = len(self.of_rows) if counted is None else int(counted.sum())
        # Rows of the population make groups as the table's do, but weigh nothing: models ask how many they are.
        population = None
        if counted is not None:
            here = np.bincount(self.of_rows[counted], minlength=len(rows)).astype(np.int32)
            population = np.bincount(self.of_rows[~counted], minlength=len(rows)).astype(np.int64)
            rows = Grouping(rows.levels, rows.keys, here)
        of = self.of_rows if counted is None else self.of_rows[counted]
        contents = tuple(facet.of_groups(of, len(rows)) for facet in conditions.facets)
        self.bottom = NodeGroups(rows, contents, population)
        self.checked = 0
        self._kept: OrderedDict[Levels, NodeGroups] = OrderedDict()
        self._weight = 0
        widths = [len(levels[0]) for levels in packing.reached]
        self._by_width = sorted(range(len(widths)), key=lambda j: -widths[j])
        self.shape = packing.heights

    def groups(self, levels: Levels) -> NodeGroups:
        """The groups of a node, rolled up from a kept finer node: the same node with one column less generalised.

        The columns are raised one after the other, the widest first, and the node after each step is kept, so that
        nodes that agree in their wide columns share all the work but the last small steps. What has become small is
        rolled up to the node at once.
        """
        at = self.bottom
        node = [0] * len(levels)
        last = max((i for i, j in enumerate(self._by_width) if levels[j]), default=-1)
        for i, j in enumerate(self._by_width[: last + 1]):
            if not levels[j]:
                continue
            node[j] = levels[j]
            # From few tuples one step to the node is cheaper than several, and their results are not worth keeping.
            here = tuple(node) if len(at.grouping) > FEW else levels
            kept = self._kept.get(here)
            if kept is None:
                kept = self.roll_up(at, here)
                # The node itself is not kept: a search hardly asks for it again, but for those on the way to others.
                if i < last:
                    self._keep(here, kept)
            else:
                self._kept.move_to_end(here)
            at = kept
            if here == levels:
                break
        return at

    def _hopeless(self, levels: Levels, limit: int) -> bool:
        """Whether part of a large grouping is enough to rule the node out."""
        if levels in self._kept:
            return False
        # The way of `groups`, as far as it has been gone already: the coarsest grouping that costs nothing to get.
        at, node = self.bottom, [0] * len(levels)
        for j in self._by_width:
            if levels[j]:
                node[j] = levels[j]
                kept = self._kept.get(tuple(node))
                if kept is None:
                    break
                at = kept
        worth = len(at.grouping) >= LARGE and self.conditions.k > 1
        return worth and self.packing.loses_more(at.grouping, levels, k=self.conditions.k, limit=limit)

    def of_all_rows(self, levels: Levels) -> tuple[NodeGroups, Codes]:
        """The groups of a node, and the group of each row."""
        groups, of = self._roll_up(self.bottom, levels)
        return groups, of[self.of_rows]

    def roll_up(self, fine: NodeGroups, levels: Levels) -> NodeGroups:
        """Coarser groups from finer ones."""
        return self._roll_up(fine, levels)[0]

    def _roll_up(self, fine: NodeGroups, levels: Levels) -> tuple[NodeGroups, Codes]:
        """Coarser groups from finer ones, and of[finer group], the coarser group that it falls in."""
        grouping, of = self.packing.group(fine.grouping, levels)
        contents = tuple(
            facet.merged(its, of, len(grouping))
            for facet, its in zip(self.conditions.facets, fine.contents, strict=True)
        )
        population = None if fine.population is None else kernels.sums(of, len(grouping), fine.population)
        return NodeGroups(grouping, contents, population), of

    def _keep(self, levels: Levels, groups: NodeGroups) -> None:
        self._kept[levels] = groups
        self._weight += groups.weight
        # The one not used for longest goes first; the one just made stays, however large.
        while self._weight > CACHED_GROUPS_MAX and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._weight -= dropped.weight

    def lost(self, groups: NodeGroups) -> tuple[NDArray[np.uint8], NDArray[np.int64], bool]:
        """Which groups are suppressed, what each surely loses when split, and whether suppression can help."""
        sizes = groups.grouping.counts
        failed, least, fixable = self.conditions.judge(sizes, groups.contents, groups.population)
        # Models of all classes come last: they are asked of the classes that pass every other model.
        if self.conditions.of_table and not failed.all():
            persons = self.conditions.persons_of(sizes, groups.contents)
            cost = self._cost_of_each(groups.grouping) * sizes
            for model in self.conditions.of_table:
                smallest_dropped(model, persons, cost, failed)
        # Suppressing one class of several would leave a class that only the population has, which is too rare then.
        if self.conditions.all_or_nothing and failed.any():
            failed[:] = 1
        return failed, least, fixable

    def _cost_of_each(self, grouping: Grouping) -> Floats:
        """What losing one record of each group costs, all columns added up by their weights."""
        total = np.zeros(len(grouping))
        for j, level in enumerate(grouping.levels):
            start = self.scale.cost_start[j, level]
            total += self.scale.weights[j] * self.scale.costs[start + self.packing.codes(grouping, j)]
        return total

    def check(self, levels: Levels, limit: int | None = None) -> NodeCost:
        """Look at a node; only so far as to see that more than `limit` records are lost for certain, if they are."""
        self.checked += 1
        # Every record counts as lost: a bound above the limit rules the node out, and its value is never looked at.
        if limit is not None and self._hopeless(levels, limit):
            return NodeCost(levels, self.rows, self.rows, np.inf, np.zeros(len(levels)), True)
        groups = self.groups(levels)
        grouping = groups.grouping
        if self._plain:
            lost, extra = self._small_cost(grouping)
            return NodeCost(levels, lost, lost, self.scale.one(self._base(levels) + extra), extra, True)
        failed, least, fixable = self.lost(groups)
        gone = grouping.counts * failed
        suppressed, surely = int(gone.sum()), int(least.sum())
        extra = self._extra(grouping, gone)
        # Of models that stay failed when groups split both are the same, and the sum is made once.
        certain = extra if surely == suppressed else self._extra(grouping, least)
        value = self._value(grouping, failed, self._base(levels) + extra)
        return NodeCost(levels, suppressed, surely, value, certain, fixable)

    @property
    def _plain(self) -> bool:
        """Whether a group's size alone decides, and costs are those of the labels."""
        return self.conditions.by_size_alone and self.scale.measure.name not in (
            MeasureName.ENTROPY,
            *BY_CLASS,
        )

    def _small_cost(self, grouping: Grouping) -> tuple[int, Floats]:
        """How many records fail k, and what losing them costs each column: `lost` and `_extra` in one look."""
        packing, scale = self.packing, self.scale
        lost, extra = kernels.small_cost(
            grouping.keys,
            grouping.counts,
            self.conditions.k,
            np.array(grouping.levels),
            packing.word,
            packing.shift,
            packing.mask,
            scale.cost_start,
            scale.costs,
        )
        return int(lost), extra

    def _base(self, levels: Sequence[int]) -> Floats:
        return np.array([base[level] for base, level in zip(self.scale.base, levels, strict=True)])

    def _extra(self, grouping: Grouping, lost: Codes | NDArray[np.int64]) -> Floats:
        """What each column costs more when `lost[group]` records go."""
        if self.scale.measure.name is MeasureName.ENTROPY:
            return self._lost_bits(grouping, lost)
        packing, out = self.packing, np.zeros(len(grouping.levels))
        levels = np.array(grouping.levels, np.int64)
        word, shift, mask = packing.word, packing.shift, packing.mask
        kernels.cost_of(
            grouping.keys, lost, levels, word, shift, mask, self.scale.cost_start, self.scale.costs, out
        )
        return out

    def _lost_bits(self, grouping: Grouping, lost: Codes | NDArray[np.int64]) -> Floats:
        # Bits are not additive over groups: suppressed records' labels are counted together, then summed.
        some = np.flatnonzero(lost)
        columns = range(len(grouping.levels))
        picked = Grouping(grouping.levels, grouping.keys[:, some], grouping.counts[some])
        counts = [np.bincount(self.packing.codes(picked, j), lost[some]) for j in columns]
        return self.scale.measure.of_suppression * np.array(
            [lost_bits(np.rint(c).astype(np.int64)) for c in counts]
        )

    def _value(self, grouping: Grouping, failed: NDArray[np.uint8], columns: Floats) -> float:
        name = self.scale.measure.name
        if name not in BY_CLASS:
            return self.scale.one(columns)
        sizes = grouping.counts[failed == 0].astype(np.float64)
        suppressed = self.rows - sizes.sum()
        if name is MeasureName.DISCERNIBILITY:
            # As floats: the squares of some million records exceed 64 bits.
            return float((sizes**2).sum() + suppressed * self.rows)
        return self.rows / (len(sizes) + int(suppressed > 0))
