"""What every operation is made of: the records between two steps, what a step is lent, and what it reports.

The operations themselves are values that a plan states: see the modules beside this one, by kind.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.operations.columns import Persons, changed_cells
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.operations.naming import TERMS, Term
from privacy.deidentify.randomness import Draws
from privacy.deidentify.table import Column, Table
from privacy.words import Words

Figure = int | float | str
NO_FIGURES: Mapping[str, Figure] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """One operation that was applied: to which column, what it changed, and what has to be kept apart.

    `cells` counts cells of all its columns that differ afterwards, `rows` the rows that went. `figures` may be
    reported; `restricted` are parameters drawn from the data (加工方法情報), for the restricted part of a report.
    """

    column: str
    operation: str
    term: Term
    cells: int = 0
    rows: int = 0
    figures: Mapping[str, Figure] = field(default_factory=dict)
    restricted: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorkingRecords:
    """The table between two operations, with what must outlive changes of its columns.

    `people` is a person code per row, taken before any operation; `unit` is that code too, or None where rows are
    persons. `persons` is their number at the start; `labels` are texts that coding put into numeric columns.
    """

    table: Table
    people: Persons
    unit: Persons | None
    persons: int
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Table, unit: str | None) -> "WorkingRecords":
        """The records of a table whose column `unit`, if any, names the persons; a missing one is a person too."""
        if unit is None:
            return cls(
                table=table, people=np.arange(table.rows, dtype=np.int32), unit=None, persons=table.rows
            )
        if unit not in table:
            raise BadOperation(
                Words(
                    ja=f"本人を示す項目「{unit}」がありません。",
                    en=f"there is no column {unit} to tell the persons",
                )
            )
        # Kept beside the table: later operations may pseudonymise or remove the column, and persons still count.
        people = table[unit].codes
        return cls(table=table, people=people, unit=people, persons=len(table[unit].values))

    def column(self, name: str, operation: str) -> Column:
        """A column that an operation names."""
        if name not in self.table:
            raise BadOperation(
                Words(
                    ja=f"{operation}：項目「{name}」がないか、既に削除されています。",
                    en=f"{operation}: there is no column {name}, or it was removed before",
                )
            )
        return self.table[name]

    def columns(self, names: Sequence[str], operation: str) -> list[Column]:
        """Several columns that an operation names, each once."""
        if len(set(names)) < len(names):
            listed = ", ".join(names)
            raise BadOperation(
                Words(
                    ja=f"{operation} が同じ項目を 2 回指定しています：{listed}。",
                    en=f"{operation} names a column twice: {listed}",
                )
            )
        return [self.column(name, operation) for name in names]

    def kept(self, *names: str) -> frozenset[str]:
        """The labels that coding put into some columns."""
        return frozenset[str]().union(*(self.labels.get(name, frozenset()) for name in names))

    def with_columns(self, *columns: Column) -> "WorkingRecords":
        """The records with some columns changed."""
        return replace(self, table=self.table.replacing(*columns))

    def taking(self, rows: NDArray[np.intp]) -> "WorkingRecords":
        """The records of some rows; who the persons are stays."""
        # Codes are not renumbered: a person has the same draws before and after a row went.
        people = self.people[rows]
        return replace(
            self, table=self.table.take(rows), people=people, unit=None if self.unit is None else people
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What operations are lent: draws by purpose, the key of pseudonyms, and the place of this one in the plan."""

    draws_for: Callable[[str], Draws]
    key: bytes
    purpose: str

    def draws(self) -> Draws:
        """The draws of this operation alone."""
        return self.draws_for(self.purpose)


class Operation(ABC):
    """Something done to a column of a table."""

    # Empty, so that the frozen subclasses with slots get no dictionary through their base.
    __slots__ = ()
    NAME: ClassVar[str]

    @property
    def term(self) -> Term:
        """What the PPC secretariat's list calls it."""
        return TERMS[self.NAME]

    @abstractmethod
    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        """The records after the operation on a column, and what it did."""

    def _done(
        self,
        records: WorkingRecords,
        *after: Column,
        figures: Mapping[str, Figure] = NO_FIGURES,
        restricted: Mapping[str, Figure] = NO_FIGURES,
    ) -> tuple[WorkingRecords, Applied]:
        # Counted from the columns, not by the operations: one definition of a changed cell for all reports.
        cells = sum(changed_cells(records.table[column.name], column) for column in after)
        return records.with_columns(*after), Applied(
            column=after[0].name,
            operation=self.NAME,
            term=self.term,
            cells=cells,
            figures=figures,
            restricted=restricted,
        )

    def _check(self, holds: bool, words: Words) -> None:
        if not holds:
            raise BadOperation(Words(ja=f"{self.NAME}：{words.ja}", en=f"{self.NAME} {words.en}"))

    def _one_of(self, *names: str) -> None:
        # None and both are one fault: a plan must say which of them it means.
        given = [name for name in names if getattr(self, name) is not None]
        listed = ", ".join(names)
        self._check(
            len(given) == 1,
            Words(ja=f"{listed} のうち 1 つだけを指定してください。", en=f"needs exactly one of {listed}"),
        )


class RowRemoval(Operation):
    """An operation that takes rows out and changes no cell."""

    __slots__ = ()

    def _left(
        self, records: WorkingRecords, column: str, rows: NDArray[np.intp]
    ) -> tuple[WorkingRecords, Applied]:
        gone = records.table.rows - len(rows)
        return records.taking(rows), Applied(column=column, operation=self.NAME, term=self.term, rows=gone)
