"""Equivalence classes: which rows are published alike, how many persons each class holds, and of which values.

Works on codes only; what counts as risk, and what a model asks of a class, is for `proof/` and `search/` to say. An
equivalence class is a set of records with the same quasi-identifiers (Samarati & Sweeney 1998).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.table import Codes, Column, Table

Ints = NDArray[np.int64]
Places = NDArray[np.intp]
Mask = NDArray[np.bool_]

WORD_MAX = 2**62
"""Packed keys stay below this, so that one more multiplication is checked before it overflows."""
TABLE_MAX = 1 << 16
"""Up to this many keys (or twice the rows) are counted in a table instead of sorted."""


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """`of[row]` is the row's class, -1 for a row left out; `sizes[class]` its rows; `first[class]` one of them."""

    of: Places
    sizes: Ints
    first: Places

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def kept(self) -> Places:
        """The rows that are in a class."""
        return np.flatnonzero(self.of >= 0)


@dataclass(frozen=True, slots=True, eq=False)
class ClassValueCounts:
    """How often each class holds each value: `counts[i]` of value `value_of[i]` in class `class_of[i]`, all above 0.

    Sorted by class, then value; `values` is the number of values of the column.
    """

    class_of: Places
    value_of: Places
    counts: Ints
    classes: int
    values: int

    def dense(self) -> Ints:
        """The counts as a matrix [classes, values]."""
        matrix = np.zeros((self.classes, self.values), dtype=np.int64)
        matrix[self.class_of, self.value_of] = self.counts
        return matrix

    def totals(self) -> Ints:
        """The sum of counts of each class."""
        return summed(self.class_of, self.counts, self.classes)


def summed(places: Places, amounts: Ints, length: int) -> Ints:
    """The sum of the amounts of each place; exact below 2⁵³."""
    return np.bincount(places, weights=amounts, minlength=length).astype(np.int64)


def ranked(keys: Ints, span: int) -> tuple[Places, int]:
    """Keys of 0 … span - 1 → their ranks among the distinct ones, and how many those are."""
    # Counting is linear in rows and span, sorting is not, but needs no table of the span.
    if span <= max(TABLE_MAX, 2 * len(keys)):
        places = np.cumsum(np.bincount(keys, minlength=1) > 0)
        return places[keys] - 1, int(places[-1])
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    new = np.empty(len(keys), dtype=np.bool_)
    new[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    of = np.empty(len(keys), dtype=np.intp)
    of[order] = np.cumsum(new) - 1
    return of, int(new.sum())


def packed(parts: Iterable[tuple[Codes | Places, int]], length: int) -> tuple[Ints, int]:
    """Codes with their numbers of values, row by row as one key of 0 … span - 1, and the span.

    Mixed-radix digits; where the next would overflow a 64-bit word the keys so far become ranks.
    """
    keys, span = np.zeros(length, dtype=np.int64), 1
    for codes, count in parts:
        # Ranks are below the number of rows, so that a word has room again for many more digits.
        if span * count > WORD_MAX:
            keys, span = ranked(keys, span)
        assert span * count <= WORD_MAX
        keys, span = keys * count + codes, span * count
    return keys, span


def grouped(parts: Iterable[tuple[Codes | Places, int]], length: int) -> tuple[Places, int]:
    """The ranks of rows by their codes, and the number of different ones."""
    return ranked(*packed(parts, length))


def classes(table: Table, names: Sequence[str], *, rows: Mask | None = None) -> Classes:
    """The classes of rows that agree in the named columns, of all rows or those of a mask [rows].

    Without columns all rows are one class. `first` is each class's first row.
    """
    places = np.arange(table.rows) if rows is None else np.flatnonzero(rows)
    columns = [table[name] for name in names]
    parts = ((c.codes if rows is None else c.codes[places], max(1, len(c.values))) for c in columns)
    ranks, count = grouped(parts, len(places))
    first = places[_first(ranks, count)]
    if rows is None:
        return Classes(ranks, np.bincount(ranks, minlength=count).astype(np.int64), first)
    of = np.full(table.rows, -1, dtype=np.intp)
    of[places] = ranks
    return Classes(of, np.bincount(ranks, minlength=count).astype(np.int64), first)


def persons(found: Classes, units: Codes) -> Ints:
    """How many different persons each class holds; `units[row]` is the row's person."""
    rows = found.kept
    of, _ = _pairs(found, units, rows)
    return np.bincount(of, minlength=len(found)).astype(np.int64)


def _pairs(found: Classes, codes: Codes, rows: Places) -> tuple[Places, Ints]:
    """Class and code of each different pair of them among the rows, sorted, each pair once."""
    # A pair as one number: sorting numbers is much faster than sorting rows of two.
    count = _span(codes)
    keys, _ = _counted(found.of[rows].astype(np.int64) * count + codes[rows])
    return keys // count, keys % count


def _counted(keys: Ints) -> tuple[Ints, Ints]:
    """The different keys in order, and how often each occurs."""
    # np.unique hashes integers in newer versions, which is slower than a sort at these sizes.
    ordered = np.sort(keys)
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(keys) else np.arange(0)
    return ordered[ends], np.diff(ends, prepend=-1).astype(np.int64)


def _span(codes: Codes) -> int:
    return int(codes.max(initial=0)) + 1


def distribution(found: Classes, column: Column, *, units: Codes | None = None) -> ClassValueCounts:
    """How many rows of each class hold each value, or persons where `units` [rows] names the row's person.

    A person with several rows of the same class and value is counted there once.
    """
    rows, count = found.kept, max(1, len(column.values))
    cells = found.of[rows].astype(np.int64) * count + column.codes[rows]
    # Of the rows with one class, value and person only the first is counted.
    if units is not None:
        ranks, number = grouped((_as_part(cells), (units[rows], _span(units))), len(rows))
        cells = cells[_first(ranks, number)]
    if len(found) * count <= max(TABLE_MAX, 2 * len(rows)):
        table = np.bincount(cells, minlength=len(found) * count)
        cells = np.flatnonzero(table)
        counts = table[cells]
    else:
        cells, counts = _counted(cells)
    return ClassValueCounts(cells // count, cells % count, counts.astype(np.int64), len(found), count)


def _as_part(cells: Ints) -> tuple[Places, int]:
    """Keys as a part that `packed` takes: their ranks, and the number of different ones."""
    return ranked(cells, int(cells.max(initial=0)) + 1)


def _first(ranks: Places, count: int) -> Places:
    """The first place of each rank."""
    # Written from the last row to the first, so that the first is what remains.
    first = np.empty(count, dtype=np.intp)
    first[ranks[::-1]] = np.arange(len(ranks))[::-1]
    return first


def weights(found: Classes, units: Codes | None) -> Ints:
    """What a class counts for: its persons where units are given, or else its rows."""
    return found.sizes if units is None else persons(found, units)


def shares(column: Column, *, units: Codes | None = None) -> NDArray[np.float64]:
    """The share of each value of a column over all rows, in the order of `values`.

    Where `units` names persons a person's repeated value counts once.
    """
    whole = Classes(
        np.zeros(len(column), dtype=np.intp),
        np.array([len(column)], dtype=np.int64),
        np.zeros(1, dtype=np.intp),
    )
    counts = distribution(whole, column, units=units).dense()[0, : len(column.values)]
    taken: NDArray[np.float64] = counts / max(1, int(counts.sum()))
    return taken


def joined(one: Column, other: Column) -> Column:
    """Two columns one below the other, alike where their texts are."""
    # Alike by text, never by code: two columns number their values each in their own order.
    places = {value: place for place, value in enumerate(one.values)}
    moved = np.array([places.setdefault(value, len(places)) for value in other.values], dtype=np.int32)
    below = moved[other.codes] if len(moved) else other.codes
    return Column(one.name, tuple(places), np.concatenate([one.codes, below]))
