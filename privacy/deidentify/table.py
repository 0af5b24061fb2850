"""A table about people as integer codes: what each attribute is and which distinct texts it holds.

Every cell is a text, as in the file: 01 and 1 are two values, and nothing is lost by reading a number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.errors import BadTable
from privacy.words import Words

Codes = NDArray[np.int32]


class Role(StrEnum):
    """What an attribute is to the person it describes (行政機関等匿名加工情報の加工基準, rule 62 of the PPC)."""

    IDENTIFIER = "identifier"
    """特定の個人を識別することができる記述: names, addresses; removed or replaced (item 1)."""
    CODE = "code"
    """個人識別符号: My Number, passport, licence, insurance numbers; removed (item 2)."""
    LINKAGE = "linkage"
    """連結符号: the key that ties source and output; removed or renumbered at random (item 3)."""
    QUASI = "quasi"
    """Known to others and joinable: generalised until the privacy models hold (item 5)."""
    SENSITIVE = "sensitive"
    """What must not be learnt about a person: kept, and guarded by diversity or closeness."""
    INSENSITIVE = "insensitive"
    """Kept as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One attribute: `codes[row]` is the place of the row's text in `values`, which are distinct."""

    name: str
    values: tuple[str, ...]
    codes: Codes

    def __post_init__(self) -> None:
        # 32 bits: ten million rows of a column are 40 MB, and no register has 2³¹ distinct texts.
        assert self.codes.ndim == 1
        assert self.codes.dtype == np.int32
        assert len(set(self.values)) == len(self.values), "values are distinct"

    @classmethod
    def of(cls, name: str, texts: Sequence[str]) -> "Column":
        """The column of a sequence of texts, its values in order of first appearance."""
        places: dict[str, int] = {}
        # setdefault numbers a text when it first appears: one pass, and no sort of texts.
        codes = np.fromiter((places.setdefault(text, len(places)) for text in texts), np.int32, len(texts))
        return cls(name, tuple(places), codes)

    def __len__(self) -> int:
        return len(self.codes)

    def texts(self) -> NDArray[np.object_]:
        """The text of each row."""
        # Objects: an array of texts of fixed width would take the longest text's room for every row.
        taken: NDArray[np.object_] = np.array(self.values, dtype=object)[self.codes]
        return taken

    def counts(self) -> NDArray[np.int64]:
        """How many rows hold each value, in the order of `values`."""
        return np.bincount(self.codes, minlength=len(self.values)).astype(np.int64)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Column":
        """The column of some rows (indices or a mask); `values` stay as they are."""
        return Column(self.name, self.values, self.codes[rows])

    def recoded(self, texts: Sequence[str]) -> "Column":
        """The column with `texts[i]` in place of `values[i]`; equal texts become one value."""
        assert len(texts) == len(self.values)
        places: dict[str, int] = {}
        new = np.fromiter((places.setdefault(text, len(places)) for text in texts), np.int32, len(texts))
        return Column(self.name, tuple(places), new[self.codes] if len(new) else self.codes)


class Table(Mapping[str, Column]):
    """Named columns of equal length, in the order of the source."""

    def __init__(self, columns: Sequence[Column]) -> None:
        # A read-only view, since tables are shared between steps that each take them for unchanged.
        self._columns = MappingProxyType({column.name: column for column in columns})
        if len(self._columns) != len(columns):
            raise BadTable(Words(ja="同じ名前の項目が 2 つあります", en="two columns have the same name"))
        lengths = {len(column) for column in columns}
        assert len(lengths) <= 1, "columns are equally long"
        self.rows = lengths.pop() if lengths else 0

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Table":
        """The table of some rows (indices or a mask)."""
        return Table([column.take(rows) for column in self.values()])

    def replacing(self, *columns: Column) -> "Table":
        """The table with the named columns in place of its own of those names."""
        new = {column.name: column for column in columns}
        assert new.keys() <= self._columns.keys()
        return Table([new.get(name, column) for name, column in self.items()])

    def without(self, *names: str) -> "Table":
        """The table without some columns (項目削除)."""
        return Table([column for name, column in self.items() if name not in names])
