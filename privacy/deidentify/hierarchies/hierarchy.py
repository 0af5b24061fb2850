"""A generalisation hierarchy: ever coarser labels for each value of a domain, up to one label for all of it.

It refuses lines that are no tree; how the lines come about is the builders' matter (`plan.build`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.errors import BadHierarchy
from privacy.deidentify.table import Codes, Column
from privacy.words import Words

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
    def of(
        cls, name: str, paths: Sequence[Sequence[str]], *, lines: Sequence[int] | None = None
    ) -> "Hierarchy":
        """The hierarchy of lines `(value, label on level 1, …, top label)`, checked.

        `lines` are the numbers by which errors name the paths; without them they are counted from 1.
        """
        places = _Lines(name, range(1, len(paths) + 1) if lines is None else lines)
        _check_shape(places, paths)
        # Turned over: levels are checked and coded whole, which a loop over a million lines would not be.
        columns = list(zip(*paths, strict=True))
        _check_distinct(places, columns[0])
        coded = [_coded(column) for column in columns]
        made = cls(name, tuple(labels for labels, _ in coded), tuple(codes for _, codes in coded))
        if len(made.labels[-1]) > 1:
            count = len(made.labels[-1])
            raise places.fault(
                Words(
                    ja=f"：最上位の段階は 1 つのラベルでなければなりませんが、{count} 個あります。",
                    en=f": the top level must be one label, and there are {count}",
                )
            )
        made._check_monotone(places)
        return made

    def _check_monotone(self, places: "_Lines") -> None:
        """Level 0 needs no look, its labels being distinct, nor does the top, being one."""
        for level in range(1, self.height - 1):
            # One parent a label, whichever line wrote it last: a line that disagrees breaks the tree.
            parent = np.full(len(self.labels[level]), -1, dtype=np.int32)
            parent[self.maps[level]] = self.maps[level + 1]
            wrong = np.flatnonzero(parent[self.maps[level]] != self.maps[level + 1])
            if len(wrong):
                label = self.labels[level][self.maps[level][wrong[0]]]
                line = places.numbers[wrong[0]]
                raise places.fault(
                    Words(
                        ja=f"が木になっていません：段階 {level} の「{label}」が、段階 {level + 1} の 2 つのラベルの"
                        f"下にあります（{line} 行目）。",
                        en=f" is not monotone: {label!r} of level {level} lies under two labels of level "
                        f"{level + 1} (line {line})",
                    )
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
        # One value has nothing to lose, and no width to divide by.
        if len(self.domain) == 1:
            return np.zeros(len(self.labels[level]))
        return (self.leaves(level) - 1) / (len(self.domain) - 1)

    def places(self, column: Column) -> Codes:
        """For each value of a column its place in the domain; raises `BadHierarchy` where a value in use has none."""
        known = {value: place for place, value in enumerate(self.domain)}
        found = np.fromiter((known.get(value, -1) for value in column.values), np.int32, len(column.values))
        if (found < 0).any():
            # Values of rows that are gone (a sample, removed rows) need no place.
            used = column.counts() > 0
            missing = np.flatnonzero((found < 0) & used)
            if len(missing):
                rows = np.flatnonzero(np.isin(column.codes, missing))
                named = ", ".join(str(row + 1) for row in rows[:ROWS_NAMED_MAX])
                more = ", …" if len(rows) > ROWS_NAMED_MAX else ""
                raise BadHierarchy(
                    Words(
                        ja=f"項目「{self.name}」の一般化階層に、項目「{column.name}」の値 {int(used.sum())} 種のうち "
                        f"{len(missing)} 種がありません（データの {named}{more} 行目）。",
                        en=f"the hierarchy of {self.name} misses {len(missing)} of the {int(used.sum())} values of "
                        f"column {column.name}: rows {named}{more} of the data",
                    )
                )
            # Values without rows get any place: nothing is ever looked up there.
            found = np.maximum(found, 0)
        return found


@dataclass(frozen=True, slots=True)
class _Lines:
    """How errors name a hierarchy and its lines."""

    name: str
    numbers: Sequence[int]

    def fault(self, words: Words) -> BadHierarchy:
        return BadHierarchy(
            Words(
                ja=f"項目「{self.name}」の一般化階層{words.ja}", en=f"the hierarchy of {self.name}{words.en}"
            )
        )


def _check_shape(places: _Lines, paths: Sequence[Sequence[str]]) -> None:
    if not paths:
        raise places.fault(Words(ja="が空です。", en=" is empty"))
    length = len(paths[0])
    if not length:
        line = places.numbers[0]
        raise places.fault(Words(ja=f"：{line} 行目が空です。", en=f": line {line} is empty"))
    if {len(path) for path in paths} != {length}:
        wrong = next(place for place, path in enumerate(paths) if len(path) != length)
        line, levels, first = places.numbers[wrong], len(paths[wrong]), places.numbers[0]
        raise places.fault(
            Words(
                ja=f"：段階の数が行によって違います（{line} 行目は {levels}、{first} 行目は {length}）。",
                en=f": line {line} has {levels} levels, line {first} has {length}",
            )
        )


def _check_distinct(places: _Lines, values: Sequence[str]) -> None:
    # The usual case first: a set of a million values is quicker than the loop that names the line.
    if len(set(values)) == len(values):
        return
    seen: dict[str, int] = {}
    for line, value in zip(places.numbers, values, strict=True):
        if value in seen:
            raise places.fault(
                Words(
                    ja=f"：{line} 行目の「{value}」は {seen[value]} 行目と重複しています。",
                    en=f": line {line} repeats {value!r} of line {seen[value]}",
                )
            )
        seen[value] = line


def _coded(column: Sequence[str]) -> tuple[tuple[str, ...], Codes]:
    """The distinct labels in order of first appearance, and each line's place among them."""
    labels = tuple(dict.fromkeys(column))
    places = {label: place for place, label in enumerate(labels)}
    return labels, np.fromiter(map(places.__getitem__, column), np.int32, len(column))
