"""The five items of the processing standard (加工基準: APPI article 116(1), rule 62 of the PPC) as checks.

Every check that a program can make is made; what none can judge is a question to the reviewer. A table whose
checks all passed has passed these checks: nothing here says that it is legally anonymous.
"""

from privacy.deidentify.standard.examine import examine
from privacy.deidentify.standard.said import (
    Check,
    Examination,
    Finding,
    Operation,
    Question,
    Result,
    Rows,
    Severity,
    Words,
)
from privacy.deidentify.standard.setting import BadExamination, Thresholds

__all__ = [
    "BadExamination",
    "Check",
    "Examination",
    "Finding",
    "Operation",
    "Question",
    "Result",
    "Rows",
    "Severity",
    "Thresholds",
    "Words",
    "examine",
]
