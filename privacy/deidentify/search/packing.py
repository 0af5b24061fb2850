"""Quasi-identifiers packed into one or two 64-bit words a record, and the tables that generalise packed keys.

A record's codes stand side by side in its key, so that comparing records is comparing words and generalising them is
a look-up of bits. Only codes that the data has are packed: a hierarchy of a million addresses may need few bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.errors import BadTable
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.search import kernels
from privacy.deidentify.table import Codes, Column
from privacy.words import Words

WORD_BITS = 64
WORDS_MAX = 2
PART_BITS = 11
"""Columns are looked up together while their codes fit into so many bits: a table stays in the nearest cache."""
PARTS_FROM = 1 << 14
"""Fewer tuples than this do not repay making the tables of several columns."""
FIRST_LOOK = 1 / 32
SECOND_LOOK_MAX = 1 / 2
"""Groups looked at to see whether too many records are lost: beyond the second share a full look costs no more."""
CELLS_PER_TUPLE = 4
"""Up to so many possible keys a tuple they are numbered; beyond, hashed."""

Keys = NDArray[np.uint64]
Levels = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Distinct generalised tuples: keys [words, groups], how many records each has, and on which levels."""

    levels: Levels
    keys: Keys
    counts: Codes

    def __len__(self) -> int:
        return len(self.counts)


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Columns that are looked up together: columns[first[p]:first[p + 1]], codes under mask[p] at word, shift."""

    columns: NDArray[np.int64]
    first: NDArray[np.int64]
    word: NDArray[np.int64]
    shift: Keys
    mask: Keys
    start: NDArray[np.int64]
    begin: Keys
    """`start` without its end, unsigned as the loops want it."""

    @classmethod
    def of(cls, packing: "Packing", parts: list[list[int]]) -> "Parts":
        """The parts of a packing, each a run of columns side by side."""
        heads = [part[0] for part in parts]
        bits = np.array([sum(packing.bits[j] for j in part) for part in parts])
        return cls(
            np.array([j for part in parts for j in part], np.int64),
            np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64),
            packing.word[heads],
            packing.shift[heads],
            (np.uint64(1) << bits.astype(np.uint64)) - np.uint64(1),
            np.concatenate([[0], np.cumsum(1 << bits)]).astype(np.int64),
            np.concatenate([[0], np.cumsum(1 << bits)[:-1]]).astype(np.uint64),
        )

    def arrays(
        self,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Keys, Keys, NDArray[np.int64], Keys]:
        """What `kernels.roll_up` takes."""
        return self.columns, self.first, self.word, self.shift, self.mask, self.start, self.begin

    def changing(
        self, packing: "Packing", fine: Levels, coarse: Levels
    ) -> tuple[Keys, NDArray[np.int64], Keys, Keys, Keys, Keys]:
        """What `kernels.group` takes: the bits kept; word, shift, mask, start and tables of the parts that change."""
        moved = np.not_equal(fine, coarse)
        some = np.flatnonzero(np.logical_or.reduceat(moved[self.columns], self.first[:-1]))
        keep = np.full(packing.words, ~np.uint64(0))
        for p in some:
            keep[self.word[p]] &= ~(self.mask[p] << self.shift[p])
        starts = packing.start[np.arange(len(fine)), fine, coarse]
        bits, times = np.array(packing.bits), np.uint64(1) << packing.shift
        tables = np.empty(self.start[-1], np.uint64)
        kernels.part_tables(self.columns, self.first, bits, starts, packing.tables, times, self.start, tables)
        return keep, self.word[some], self.shift[some], self.mask[some], self.begin[some], tables


class Packing:
    """How the columns of some quasi-identifiers lie in the words of a key, on every level.

    `labels[j][level]` gives, for each value of column j that the data holds, the place of its label among the
    labels of that level that the data reaches; `reached[j][level]` the hierarchy's label of each such place.
    """

    def __init__(self, columns: Sequence[Column], hierarchies: Sequence[Hierarchy]) -> None:
        self.columns = tuple(columns)
        self.hierarchies = tuple(hierarchies)
        self.heights = tuple(hierarchy.height for hierarchy in hierarchies)
        # Labels are numbered anew on every level, by those that the data reaches: their codes then need the least bits,
        # and tables have no gaps.
        self.labels: list[list[Codes]] = []
        self.reached: list[list[NDArray[np.intp]]] = []
        for column, hierarchy in zip(columns, hierarchies, strict=True):
            places = hierarchy.places(column)
            pairs = [np.unique(places_on[places], return_inverse=True) for places_on in hierarchy.maps]
            self.labels.append([pair[1].astype(np.int32) for pair in pairs])
            self.reached.append([pair[0].astype(np.intp) for pair in pairs])
        self._lay_out()
        self._tabulate()

    def _lay_out(self) -> None:
        """Give each column its word and bits; wide columns first, so that two words hold the most."""
        # The bits of the values are enough on every level, since a level never has more labels than the one below.
        bits = [max(1, (len(levels[0]) - 1).bit_length()) for levels in self.reached]
        free = [WORD_BITS] * WORDS_MAX
        self.word = np.zeros(len(bits), np.int64)
        self.shift = np.zeros(len(bits), np.uint64)
        # Which columns share a word matters only where there are two words to fill.
        for j in (
            sorted(range(len(bits)), key=lambda j: -bits[j]) if sum(bits) > WORD_BITS else range(len(bits))
        ):
            word = next((w for w in range(WORDS_MAX) if free[w] >= bits[j]), None)
            if word is None:
                raise BadTable(
                    Words(
                        ja=f"準識別子の値の種類が多すぎます（合わせて {sum(bits)} ビットで、"
                        f"上限は {WORD_BITS * WORDS_MAX} ビットです）",
                        en=f"the quasi-identifiers need {sum(bits)} bits together; "
                        f"{WORD_BITS * WORDS_MAX} are the most",
                    )
                )
            self.word[j] = word
            self.shift[j] = WORD_BITS - free[word]
            free[word] -= bits[j]
        self.mask = np.array([(1 << b) - 1 for b in bits], np.uint64)
        self.words = int(self.word.max()) + 1
        self.bits = tuple(bits)

    def _tabulate(self) -> None:
        """Tables from each level to each coarser one, label to label, all in one array; and the parts of columns."""
        # Any level to any coarser one, not only to the next: one look-up a column takes a kept grouping to its node.
        found: list[Keys] = []
        heights = max(self.heights)
        self.start = np.full((len(self.heights), heights, heights), -1, np.int64)
        at = 0
        for j, height in enumerate(self.heights):
            for fine in range(height):
                for coarse in range(fine, height):
                    table = np.zeros(len(self.reached[j][fine]), np.uint64)
                    table[self.labels[j][fine]] = self.labels[j][coarse].astype(np.uint64)
                    self.start[j, fine, coarse] = at
                    found.append(table)
                    at += len(table)
        # Tables of several columns are made for all codes of their bits, also those that no label has; what is read
        # for these lies behind the column's own table, and for the last column in this tail.
        beyond = np.zeros(int(self.mask.max()) + 1, np.uint64)
        self.tables = np.concatenate([*found, beyond])
        self.sizes = np.ones((len(self.heights), heights), np.int64)
        for j, levels in enumerate(self.reached):
            self.sizes[j, : len(levels)] = [len(reached) for reached in levels]
        self._bits = np.array(self.bits)
        self.apart = Parts.of(self, [[j] for j in range(len(self.bits))])
        self.together = Parts.of(self, self._neighbours())

    def _neighbours(self) -> list[list[int]]:
        """Columns side by side in a word, taken together while their codes stay few."""
        parts: list[list[int]] = []
        for j in sorted(range(len(self.bits)), key=lambda j: (self.word[j], self.shift[j])):
            last = parts[-1] if parts else []
            near = bool(last) and self.word[last[0]] == self.word[j]
            if near and sum(self.bits[i] for i in last) + self.bits[j] <= PART_BITS:
                last.append(j)
            else:
                parts.append([j])
        return parts

    def rows(self) -> tuple[Grouping, Codes]:
        """The distinct tuples of the rows, and the tuple of each row.

        The tuples are sorted by key, so that neighbours share labels: memory is then walked, not jumped about, in
        every grouping made from them.
        """
        n = len(self.columns[0])
        keys = np.zeros((self.words, n), np.uint64)
        for j, column in enumerate(self.columns):
            shifted = self.labels[j][0].astype(np.uint64) << self.shift[j]
            keys[self.word[j]] |= shifted[column.codes]
        # Grouping on level 0 merges equal rows, so that all later work is on distinct tuples.
        bottom = (0,) * len(self.heights)
        found, of = self.group(Grouping(bottom, keys, np.ones(n, np.int32)), bottom)
        order = np.argsort(found.keys[0]) if self.words == 1 else np.lexsort(found.keys)
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        return Grouping(bottom, np.ascontiguousarray(found.keys[:, order]), found.counts[order]), place[of]

    def group(self, fine: Grouping, levels: Levels) -> tuple[Grouping, Codes]:
        """A grouping on coarser levels, and for each finer group the coarser one it falls in."""
        parts = self.together if len(fine) >= PARTS_FROM else self.apart
        keys, counts, of = kernels.roll_up(
            fine.keys,
            fine.counts,
            np.array(fine.levels),
            np.array(levels),
            self.word,
            self.shift,
            self._bits,
            self.sizes,
            self.start,
            self.tables,
            *parts.arrays(),
            CELLS_PER_TUPLE,
        )
        return Grouping(levels, keys, counts), of

    def loses_more(self, fine: Grouping, levels: Levels, *, k: int, limit: int) -> bool:
        """Whether a look at some of the groups proves that more than `limit` records lie in groups of fewer than k.

        The share that a first look at few groups lets expect decides how many are looked at; False proves nothing.
        """
        changing = self.together.changing(self, fine.levels, levels)
        share = FIRST_LOOK
        # The second look takes a fifth more than the first lets expect, so that chance rarely leaves it just short.
        for _ in range(2):
            # Half of the slots have to stay empty, with some room for a share that turns out larger than its part.
            bits = max(4, int(3 * len(fine) * share).bit_length())
            slots = np.empty(1 << bits, np.int32)
            keys, counts = np.empty((self.words, len(slots)), np.uint64), np.empty(len(slots), np.int32)
            lost = int(
                kernels.lost_in_part(
                    fine.keys, fine.counts, *changing, slots, bits, keys, counts, k, np.uint64(share * 65536)
                )
            )
            if lost > limit:
                return True
            share = 1.2 * share * (limit + 1) / max(lost, 1)
            if share > SECOND_LOOK_MAX:
                return False
        return False

    def codes(self, grouping: Grouping, j: int) -> NDArray[np.intp]:
        """The place of each group's label of column j among `reached[j][level]`."""
        codes: NDArray[np.intp] = ((grouping.keys[self.word[j]] >> self.shift[j]) & self.mask[j]).astype(
            np.intp
        )
        return codes

    def published(self, j: int, level: int) -> tuple[str, ...]:
        """The text that is published for each value of column j on a level."""
        names = self.hierarchies[j].labels[level]
        reached = self.reached[j][level]
        return tuple(names[reached[label]] for label in self.labels[j][level])
