"""What the operations share: values in use, persons per value, and columns written without unused values."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.table import Codes, Column

MISSING = ""
Persons = NDArray[np.int32]
"""A person code per row; where it is None each row is a person of its own."""


def places_in_use(column: Column) -> NDArray[np.intp]:
    """The places in `values` that some row has, the missing one among them."""
    return np.flatnonzero(column.counts())


def mapped(column: Column, text_of: Callable[[str], str]) -> Column:
    """The column with a new text for each value; missing cells stay missing, values without a row are dropped."""
    places = places_in_use(column)
    texts = [
        value if value == MISSING else text_of(value) for value in (column.values[place] for place in places)
    ]
    return with_texts(column, places=places, texts=texts)


def with_texts(column: Column, *, places: NDArray[np.intp], texts: Sequence[str]) -> Column:
    """The column with the values at `places` written as `texts`; equal texts become one value.

    Only values in use come in: a value that stayed in the list though no row has it would be published with the set.
    """
    assert len(places) == len(texts)
    known: dict[str, int] = {}
    new = np.zeros(len(column.values), dtype=np.int32)
    new[places] = np.fromiter((known.setdefault(text, len(known)) for text in texts), np.int32, len(texts))
    return Column(column.name, tuple(known), new[column.codes])


def persons_per_value(column: Column, unit: Persons | None) -> NDArray[np.int64]:
    """How many persons (rows where `unit` is None) have each value, in the order of `values`."""
    if unit is None or not len(column):
        return column.counts()
    # A person with one value in many rows is one person: pairs are counted once.
    pairs = np.unique(unit.astype(np.int64) * len(column.values) + column.codes)
    return np.bincount(pairs % len(column.values), minlength=len(column.values)).astype(np.int64)


def persons_in(unit: Persons | None, rows: NDArray[np.bool_]) -> int:
    """How many persons the rows of a mask belong to."""
    return int(rows.sum()) if unit is None else len(np.unique(unit[rows]))


def changed_cells(before: Column, after: Column) -> int:
    """In how many rows the two columns, of equal length, have different texts."""
    assert len(before) == len(after)
    # By text: the same text may have another code after an operation.
    places = {value: place for place, value in enumerate(after.values)}
    same = np.fromiter((places.get(value, -1) for value in before.values), np.int64, len(before.values))
    return int((same[before.codes] != after.codes).sum()) if len(before) else 0


def strata_of(columns: Sequence[Column], rows: int) -> Codes:
    """A code per row for the combination of texts of some columns; one stratum where there are none."""
    codes = np.zeros(rows, dtype=np.int64)
    for column in columns:
        # Ranked after each column: the product of many columns' sizes would leave 64 bits.
        combined = codes * max(len(column.values), 1) + column.codes
        codes = np.unique(combined, return_inverse=True)[1].astype(np.int64)
    return codes.astype(np.int32)


def places_within(groups: NDArray[np.int64] | Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For ascending group codes: each row's place inside its group, and the size of its group."""
    # One less than the first code stands before it, so that the first row begins a group in any numbering.
    starts = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))
    sizes = np.diff(starts, append=len(groups))
    return np.arange(len(groups)) - np.repeat(starts, sizes), np.repeat(sizes, sizes)
