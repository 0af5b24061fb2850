"""What groups of records hold besides their size: persons, and the values of sensitive attributes.

Contents are kept sparse (codes with weights for each group), as most groups hold few of the many values.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.search import kernels
from privacy.deidentify.table import Codes


@dataclass(frozen=True, slots=True, eq=False)
class GroupValues:
    """Group g holds `codes[start[g]:start[g+1]]`, each `weights[…]` times."""

    start: NDArray[np.int64]
    codes: Codes
    weights: Codes


@dataclass(frozen=True, slots=True, eq=False)
class Facet:
    """One thing that records hold, as codes below `size`; `once` where a repetition within a group counts once.

    `value_of[code]` is the attribute's value; the codes are the values themselves, or (person, value) pairs.
    """

    attribute: str | None
    size: int
    value_of: Codes
    once: bool
    of_rows: Codes

    @classmethod
    def values(cls, attribute: str, codes: Codes, size: int) -> "Facet":
        """The values of an attribute, counted in records."""
        return cls(attribute, size, np.arange(size, dtype=np.int32), False, codes)

    @classmethod
    def persons(cls, persons: Codes) -> "Facet":
        """The persons themselves."""
        size = int(persons.max()) + 1 if len(persons) else 0
        return cls(None, size, np.arange(size, dtype=np.int32), True, persons)

    @classmethod
    def values_of_persons(cls, attribute: str, codes: Codes, size: int, persons: Codes) -> "Facet":
        """The values of an attribute, each counted once a person."""
        # Each pair gets a code of its own, so that a person whose rows meet in a coarser group is still counted once.
        pairs, of = np.unique(persons.astype(np.int64) * size + codes, return_inverse=True)
        return cls(attribute, len(pairs), (pairs % size).astype(np.int32), True, of.astype(np.int32))

    def of_groups(self, of: Codes, groups: int) -> GroupValues:
        """What each group of rows holds; of[row] is its group."""
        n = len(of)
        return self.merged(GroupValues(np.arange(n + 1), self.of_rows, np.ones(n, np.int32)), of, groups)

    def merged(self, contents: GroupValues, of: Codes, groups: int) -> GroupValues:
        """What each coarser group holds, of[finer group] being its coarser one."""
        # Contents of coarser groups come from finer ones, never from rows: nodes near the top cost next to nothing.
        seen = np.full(self.size, -1, np.int64)
        return GroupValues(
            *kernels.merge(of, groups, contents.start, contents.codes, contents.weights, self.once, seen)
        )
