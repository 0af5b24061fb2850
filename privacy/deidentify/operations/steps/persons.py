"""Operations on what tells persons: their dates shifted together, their identifiers replaced."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from privacy.deidentify.operations import dates, pseudonyms
from privacy.deidentify.operations.edges import Edge
from privacy.deidentify.operations.steps.base import Applied, Means, Operation, WorkingRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class DateShift(Operation):
    """All dates of a person moved by the same number of days, in the column, those it goes `with`, and every other

    column whose plan says the same `days` and `zero`.
    """

    NAME: ClassVar[str] = "date_shift"
    days: int
    zero: bool = False
    low: date | None = None
    high: date | None = None
    edge: Edge = Edge.REFLECT
    companions: tuple[str, ...] = ()

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        # Not the column's own draws: dates of one person in several columns must move by the same days.
        purpose = f"{self.NAME}:{self.days}:{self.zero}"
        days = dates.offsets(records.persons, days=self.days, draws=means.draws_for(purpose), zero=self.zero)
        shifted = [
            dates.shift(given, days, unit=records.people, low=self.low, high=self.high, edge=self.edge)
            for given in records.columns((column, *self.companions), self.NAME)
        ]
        # Where a bound was met, times between dates did change: the user of the set has to know in how many cells.
        figures = {"at_bounds": sum(one.at_bounds for one in shifted)}
        return self._done(records, *(one.column for one in shifted), figures=figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pseudonym(Operation):
    """Values replaced by a keyed function of them (仮ID)."""

    NAME: ClassVar[str] = "pseudonym"
    length: int = 16

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        given = records.column(column, self.NAME)
        return self._done(records, pseudonyms.pseudonyms(given, key=means.key, length=self.length))


@dataclass(frozen=True, slots=True, kw_only=True)
class Renumber(Operation):
    """Values replaced by the numbers from 1 on, in random order."""

    NAME: ClassVar[str] = "renumber"

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        given = records.column(column, self.NAME)
        return self._done(records, pseudonyms.renumber(given, draws=means.draws()))
