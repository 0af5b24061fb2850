"""The operations as a plan states them: frozen values with their parameters checked, each with its term.

`run` says what the operation does to a table; how it does it is in the modules by subject one folder up. What cannot
be run is refused when the value is made, or when the column is seen: `BadOperation`.
"""

from privacy.deidentify.operations.steps.amounts import AddNoise, BottomCode, Microaggregate, Round, TopCode
from privacy.deidentify.operations.steps.base import Applied, Means, Operation, WorkingRecords
from privacy.deidentify.operations.steps.exchanges import Pram, RecordSwap, Swap
from privacy.deidentify.operations.steps.persons import DateShift, Pseudonym, Renumber
from privacy.deidentify.operations.steps.removals import (
    DrawSample,
    Mask,
    Remove,
    RemoveRows,
    Suppress,
    SuppressRare,
)

__all__ = [
    "AddNoise",
    "Applied",
    "BottomCode",
    "DateShift",
    "DrawSample",
    "Mask",
    "Means",
    "Microaggregate",
    "Operation",
    "Pram",
    "Pseudonym",
    "RecordSwap",
    "Remove",
    "RemoveRows",
    "Renumber",
    "Round",
    "Suppress",
    "SuppressRare",
    "Swap",
    "TopCode",
    "WorkingRecords",
]
