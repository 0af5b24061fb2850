"""Quasi-identifiers packed into one or two 64-bit words a record, and the tables that tell them more coarsely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify import kernels
from privacy.deidentify.faults import BadTable
from privacy.deidentify.hierarchy import Hierarchy
from privacy.deidentify.table import Codes, Column

WORD_BITS = 64
WORDS_MAX = 2

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


class Packing:
    """How the columns of some quasi-identifiers lie in the words of a key, on every level.

    `labels[j][level]` gives, for each value of column j that the data holds, the place of its label among the
    labels of that level that the data reaches; `told[j][level]` the hierarchy's label of each such place.
    """

    def __init__(self, columns: Sequence[Column], hierarchies: Sequence[Hierarchy]) -> None:
        self.columns = tuple(columns)
        self.hierarchies = tuple(hierarchies)
        self.heights = tuple(hierarchy.height for hierarchy in hierarchies)
        self.labels: list[list[Codes]] = []
        self.told: list[list[NDArray[np.intp]]] = []
        for column, hierarchy in zip(columns, hierarchies, strict=True):
            places = hierarchy.places(column)
            pairs = [np.unique(places_on[places], return_inverse=True) for places_on in hierarchy.maps]
            self.labels.append([pair[1].astype(np.int32) for pair in pairs])
            self.told.append([pair[0].astype(np.intp) for pair in pairs])
        self._lay_out()
        self._tabulate()

    def _lay_out(self) -> None:
        """Give each column its word and bits; wide columns first, so that two words hold the most."""
        bits = [max(1, (len(levels[0]) - 1).bit_length()) for levels in self.told]
        free = [WORD_BITS] * WORDS_MAX
        self.word = np.zeros(len(bits), np.int64)
        self.shift = np.zeros(len(bits), np.uint64)
        for j in (
            sorted(range(len(bits)), key=lambda j: -bits[j]) if sum(bits) > WORD_BITS else range(len(bits))
        ):
            word = next((w for w in range(WORDS_MAX) if free[w] >= bits[j]), None)
            if word is None:
                raise BadTable(
                    f"the quasi-identifiers need {sum(bits)} bits together; {WORD_BITS * WORDS_MAX} are the most"
                )
            self.word[j] = word
            self.shift[j] = WORD_BITS - free[word]
            free[word] -= bits[j]
        self.mask = np.array([(1 << b) - 1 for b in bits], np.uint64)
        self.words = int(self.word.max()) + 1
        self.bits = tuple(bits)

    def _tabulate(self) -> None:
        """Tables from each level to each coarser one, entries shifted into place, all in one array."""
        parts: list[Keys] = []
        heights = max(self.heights)
        self.start = np.full((len(self.heights), heights, heights), -1, np.int64)
        at = 0
        for j, height in enumerate(self.heights):
            for fine in range(height):
                for coarse in range(fine, height):
                    table = np.zeros(len(self.told[j][fine]), np.uint64)
                    table[self.labels[j][fine]] = self.labels[j][coarse].astype(np.uint64) << self.shift[j]
                    self.start[j, fine, coarse] = at
                    parts.append(table)
                    at += len(table)
        self.tables = np.concatenate(parts)

    def rows(self) -> tuple[Grouping, Codes]:
        """The distinct tuples of the rows, and the tuple of each row."""
        n = len(self.columns[0])
        keys = np.zeros((self.words, n), np.uint64)
        for j, column in enumerate(self.columns):
            np.bitwise_or(
                keys[self.word[j]],
                self.tables[self.start[j, 0, 0] + self.labels[j][0]][column.codes],
                out=keys[self.word[j]],
            )
        bottom = (0,) * len(self.heights)
        return self.group(Grouping(bottom, keys, np.ones(n, np.int32)), bottom)

    def group(self, fine: Grouping, levels: Levels) -> tuple[Grouping, Codes]:
        """A grouping on coarser levels, and for each finer group the coarser one it falls in."""
        n = len(fine)
        changed = np.array([j for j, level in enumerate(levels) if level != fine.levels[j]], np.int64)
        keep = np.full(WORDS_MAX, ~np.uint64(0))
        for j in changed:
            keep[self.word[j]] &= ~(self.mask[j] << self.shift[j])
        start = np.array([self.start[j, fine.levels[j], level] for j, level in enumerate(levels)], np.int64)
        bits = max(4, (2 * n - 1).bit_length())
        of = np.empty(n, np.int32)
        keys = np.empty((self.words, n), np.uint64)
        counts = np.empty(n, np.int32)
        slots = np.empty(1 << bits, np.int32)
        found = kernels.group(
            fine.keys,
            fine.counts,
            keep,
            changed,
            self.word,
            self.shift,
            self.mask,
            start,
            self.tables,
            slots,
            bits,
            of,
            keys,
            counts,
        )
        return Grouping(levels, keys[:, :found].copy(), counts[:found].copy()), of

    def codes(self, grouping: Grouping, j: int) -> NDArray[np.intp]:
        """The place of each group's label of column j among `told[j][level]`."""
        return ((grouping.keys[self.word[j]] >> self.shift[j]) & self.mask[j]).astype(np.intp)

    def published(self, j: int, level: int) -> tuple[str, ...]:
        """The text that each value of column j is told by on a level."""
        names = self.hierarchies[j].labels[level]
        told = self.told[j][level]
        return tuple(names[told[label]] for label in self.labels[j][level])


def packed(table: Mapping[str, Column], hierarchies: Mapping[str, Hierarchy]) -> Packing:
    """The packing of the quasi-identifiers named by their hierarchies, in that order."""
    return Packing([table[name] for name in hierarchies], list(hierarchies.values()))
