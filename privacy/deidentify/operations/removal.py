"""Taking away: columns, rows by a condition, cells by a rule, and parts of texts.

Nothing tells a blanked cell from one that was empty in the source: both are "".
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.operations.columns import (
    MISSING,
    Persons,
    mapped,
    persons_per_value,
    places_in_use,
    with_texts,
)
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.table import Column, Table
from privacy.words import Words


def remove_column(table: Table, name: str) -> Table:
    """The table without a column (項目削除)."""
    if name not in table:
        raise BadOperation(
            Words(ja=f"削除する項目「{name}」がありません。", en=f"there is no column {name} to remove")
        )
    return table.without(name)


def holding(column: Column, values: Collection[str]) -> NDArray[np.bool_]:
    """The rows with one of some texts; "" asks for the missing ones."""
    asked = frozenset(values)
    wanted = np.fromiter((value in asked for value in column.values), np.bool_, len(column.values))
    return wanted[column.codes] if len(column) else np.zeros(0, dtype=np.bool_)


def rare(column: Column, *, least: int, unit: Persons | None = None) -> NDArray[np.bool_]:
    """The rows whose value fewer than `least` persons have in the whole column; a missing cell is not rare."""
    _at_least(least)
    few = persons_per_value(column, unit) < least
    # A missing value is no description of anybody, however few cells are empty.
    few &= np.fromiter((value != MISSING for value in column.values), np.bool_, len(column.values))
    return few[column.codes] if len(column) else np.zeros(0, dtype=np.bool_)


def suppress_values(column: Column, values: Collection[str]) -> tuple[Column, int]:
    """The column with the cells of some `values` blanked, and how many those are (セル削除)."""
    return _blanked(column, holding(column, values))


def suppress_rare(column: Column, *, least: int, unit: Persons | None = None) -> tuple[Column, int]:
    """The column with values of fewer than `least` persons blanked, and the number of cells blanked (セル削除).

    All cells of a rare value go, so nothing of it stays. Where just one value is rare and the list of values is
    known from elsewhere, its blank cells still tell it: then merge categories instead.
    """
    return _blanked(column, rare(column, least=least, unit=unit))


def mask(column: Column, *, keep: int, last: bool = False, sign: str = "*") -> Column:
    """Texts with all but their first (or last) `keep` characters replaced by a sign.

    The length stays. A text of no more than `keep` characters is masked whole, since it would be published as it is.
    """
    if keep < 0 or len(sign) != 1:
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の mask では、keep は 0 以上、sign は 1 文字でなければなりません"
                f"（指定された値：{keep}、{sign!r}）。",
                en=f"mask of column {column.name} needs keep of at least 0 and one character as sign, not {keep} "
                f"and {sign!r}",
            )
        )
    return mapped(column, lambda text: _masked(text, keep=keep, last=last, sign=sign))


def _masked(text: str, *, keep: int, last: bool, sign: str) -> str:
    hidden = len(text) - keep
    if hidden <= 0:
        return sign * len(text)
    return sign * hidden + text[hidden:] if last else text[:keep] + sign * hidden


def _at_least(least: int) -> None:
    if least < 1:
        raise BadOperation(
            Words(
                ja=f"最少人数（least）は 1 以上でなければなりません（指定された値：{least}）。",
                en=f"the least number of persons must be at least 1, not {least}",
            )
        )


def _blanked(column: Column, gone: NDArray[np.bool_]) -> tuple[Column, int]:
    # By value, not by cell: the masks cover all cells of a value, so that nothing of it stays.
    blank = np.zeros(len(column.values), dtype=np.bool_)
    blank[column.codes[gone]] = True
    places = places_in_use(column)
    texts = [MISSING if blank[place] else column.values[place] for place in places]
    # Cells that were empty before are not counted as taken away.
    missing = holding(column, (MISSING,))
    return with_texts(column, places=places, texts=texts), int((gone & ~missing).sum())
