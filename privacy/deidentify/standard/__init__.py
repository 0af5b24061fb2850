"""The five items of the processing standard (加工基準: APPI article 116(1), rule 62 of the PPC) as checks.

Every check that a program can make is made; what none can judge is a question to the reviewer. A table whose
checks all passed has passed these checks: nothing here says that it is legally anonymous.
"""

from privacy.deidentify.standard.context import BadExamination, Thresholds
from privacy.deidentify.standard.examine import examine
from privacy.deidentify.standard.findings import (
    Check,
    CheckResult,
    Examination,
    Finding,
    Question,
    Remedy,
    Rows,
    Severity,
)

__all__ = [
    "BadExamination",
    "Check",
    "CheckResult",
    "Examination",
    "Finding",
    "Question",
    "Remedy",
    "Rows",
    "Severity",
    "Thresholds",
    "examine",
]
