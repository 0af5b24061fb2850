"""A generalisation hierarchy: each value of a domain told ever more coarsely, up to one single label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.faults import BadHierarchy
from privacy.deidentify.table import Codes, Column

SUPPRESSED = "*"
ROWS_NAMED_MAX = 5


@dataclass(frozen=True, slots=True, eq=False)
class Hierarchy:
    """Levels 0 (the values themselves) to `height - 1` (one label for all).

    `labels[level][c]` is the text of label c, `maps[level][v]` the label of domain value v. Checked when
    made: no value twice, every value has a label on every level, one label on top, and monotone: two values
    that share a label share all coarser ones, so that the hierarchy is a tree.
    """

    name: str
    labels: tuple[tuple[str, ...], ...]
    maps: tuple[Codes, ...]

    @classmethod
    def of(cls, name: str, paths: Sequence[Sequence[str]]) -> "Hierarchy":
        """The hierarchy of lines `(value, label on level 1, …, top label)`, checked."""
        if not paths:
            raise BadHierarchy(f"the hierarchy of {name} is empty")
        heights = {len(path) for path in paths}
        if len(heights) > 1:
            line = next(i for i, path in enumerate(paths, 1) if len(path) != len(paths[0]))
            raise BadHierarchy(
                f"the hierarchy of {name}: line {line} has {len(paths[line - 1])} levels, line 1 has {len(paths[0])}"
            )
        seen: dict[str, int] = {}
        for line, path in enumerate(paths, 1):
            if path[0] in seen:
                raise BadHierarchy(
                    f"the hierarchy of {name}: line {line} repeats {path[0]!r} of line {seen[path[0]]}"
                )
            seen[path[0]] = line
        labels: list[tuple[str, ...]] = []
        maps: list[Codes] = []
        for level in range(heights.pop()):
            places: dict[str, int] = {}
            maps.append(
                np.fromiter(
                    (places.setdefault(path[level], len(places)) for path in paths), np.int32, len(paths)
                )
            )
            labels.append(tuple(places))
        if len(labels[-1]) != 1 and len(labels[0]) > 1:
            raise BadHierarchy(
                f"the hierarchy of {name}: the top level must be one label, and there are {len(labels[-1])}"
            )
        made = cls(name, tuple(labels), tuple(maps))
        made._check_monotone()
        return made

    def _check_monotone(self) -> None:
        for level in range(1, self.height - 1):
            parent = np.full(len(self.labels[level]), -1, dtype=np.int32)
            parent[self.maps[level]] = self.maps[level + 1]
            wrong = np.flatnonzero(parent[self.maps[level]] != self.maps[level + 1])
            if len(wrong):
                label = self.labels[level][self.maps[level][wrong[0]]]
                raise BadHierarchy(
                    f"the hierarchy of {self.name} is not monotone: {label!r} of level {level} "
                    f"lies under two labels of level {level + 1} (line {wrong[0] + 1})"
                )

    @property
    def domain(self) -> tuple[str, ...]:
        """The values covered, in the order of the lines."""
        return self.labels[0]

    @property
    def height(self) -> int:
        """The number of levels, the values' own included."""
        return len(self.labels)

    def leaves(self, level: int) -> NDArray[np.int64]:
        """How many domain values each label of a level covers."""
        return np.bincount(self.maps[level], minlength=len(self.labels[level])).astype(np.int64)

    def loss(self, level: int) -> NDArray[np.float64]:
        """The share of the domain that each label of a level blurs, 0 for a value alone, 1 for all of it.

        (leaves - 1) / (domain - 1), the measure Loss (Iyengar, KDD 2002) scaled to [0, 1]; 0 for a domain of one.
        """
        if len(self.domain) == 1:
            return np.zeros(len(self.labels[level]))
        return (self.leaves(level) - 1) / (len(self.domain) - 1)

    def places(self, column: Column) -> Codes:
        """For each value of a column its place in the domain; a value that is missing here is a fault."""
        known = {value: place for place, value in enumerate(self.domain)}
        found = np.fromiter((known.get(value, -1) for value in column.values), np.int32, len(column.values))
        if (found < 0).any():
            held = column.counts() > 0
            missing = np.flatnonzero((found < 0) & held)
            if len(missing):
                rows = np.flatnonzero(np.isin(column.codes, missing))
                named = ", ".join(str(row + 1) for row in rows[:ROWS_NAMED_MAX])
                more = ", …" if len(rows) > ROWS_NAMED_MAX else ""
                raise BadHierarchy(
                    f"the hierarchy of {self.name} misses {len(missing)} of the {int(held.sum())} values of column "
                    f"{column.name}: rows {named}{more} of the data"
                )
            found = np.maximum(found, 0)
        return found
