"""Numbers published as the range that they span in their class, instead of as a label of a hierarchy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.classes import classes
from privacy.deidentify.search.local import SchemeAssignment
from privacy.deidentify.search.loss import Floats
from privacy.deidentify.search.packing import Packing
from privacy.deidentify.table import Column, Table

CLOSE = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class RangeColumns:
    """Columns with ranges, and how much less each quasi-identifier loses by them (0 where it has none)."""

    columns: tuple[Column, ...]
    saved: Floats

    def loss(self, before: float, weights: Floats) -> float:
        """The mean loss by some weights, given what it was."""
        return before - float((self.saved * weights).sum() / weights.sum())


def number(text: str) -> float | None:
    """The number that a text is, or None."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if np.isfinite(found) else None


def ranks(packing: Packing, j: int) -> NDArray[np.int64] | None:
    """The rank of each value of column j among its domain as numbers; None if the domain is not all numbers."""
    # The domain, not the values of the data: a range's loss is then comparable with that of the hierarchy's labels.
    domain = [number(text) for text in packing.hierarchies[j].domain]
    if any(found is None for found in domain):
        return None
    sorted_domain = sorted({found for found in domain if found is not None})
    place = {found: at for at, found in enumerate(sorted_domain)}
    return np.array([place[float(text)] for text in packing.columns[j].values], np.int64)


def tighten(packing: Packing, assigned: SchemeAssignment, published: Table) -> RangeColumns:
    """Publish each number as [least, most] of its class; the classes, and so all models, stay as they are.

    A range loses (ranks between its ends) / (ranks of the domain). A column whose labels are no ranges, so that
    ranges would lose more, keeps its labels.
    """
    kept = assigned.scheme >= 0
    # With the scheme as one more column: equal texts of two schemes may be labels of different levels, and each class
    # needs a range of its own.
    with_scheme = Table([*published.values(), _scheme_column(assigned)])
    of = classes(with_scheme, list(with_scheme), rows=kept).of
    columns, saved = [], np.zeros(len(packing.columns))
    for j, column in enumerate(packing.columns):
        rank = ranks(packing, j)
        if rank is None:
            continue
        own = rank[column.codes]
        low = np.full(of.max() + 1, len(packing.hierarchies[j].domain), np.int64)
        high = np.full(of.max() + 1, -1, np.int64)
        np.minimum.at(low, of[kept], own[kept])
        np.maximum.at(high, of[kept], own[kept])
        widest = max(len(packing.hierarchies[j].domain) - 1, 1)
        blur = np.stack(
            [
                packing.hierarchies[j].loss(level)[packing.reached[j][level]][packing.labels[j][level]]
                for level in range(packing.heights[j])
            ]
        )
        before = blur[assigned.nodes[assigned.scheme, j], column.codes][kept].sum()
        gain = float(before - ((high - low) / widest)[of[kept]].sum()) / len(of)
        # Ranges lie within their labels only where labels are ranges themselves. A label such as "odd" spans nearly the
        # whole domain, so ranges would lose more.
        if gain > -CLOSE:
            saved[j] = gain
            columns.append(_range_column(packing, j, published[column.name], of, kept, low, high))
    return RangeColumns(tuple(columns), saved)


def _scheme_column(assigned: SchemeAssignment) -> Column:
    schemes = tuple(str(scheme) for scheme in range(-1, len(assigned.nodes)))
    return Column("\0scheme", schemes, (assigned.scheme + 1).astype(np.int32))


def _range_column(
    packing: Packing,
    j: int,
    published: Column,
    of: NDArray[np.int64],
    kept: NDArray[np.bool_],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
) -> Column:
    # A number as the hierarchy writes it: of several spellings of one number the last in the order of texts.
    texts = dict(sorted((float(text), text) for text in packing.hierarchies[j].domain))
    names = list(texts.values())
    values: dict[str, int] = {published.values[0]: 0}
    of_class = np.array(
        [
            values.setdefault(names[a] if a == b else f"[{names[a]}, {names[b]}]", len(values))
            for a, b in zip(low.tolist(), high.tolist(), strict=True)
        ],
        np.int32,
    )
    codes = np.zeros(len(of), np.int32)
    codes[kept] = of_class[of[kept]]
    return Column(published.name, tuple(values), codes)
