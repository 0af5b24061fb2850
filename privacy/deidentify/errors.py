"""What can be wrong with a table, a hierarchy or a plan, stated about what the caller sent.

DeidentifyError (Refusal)
├── BadTable            the table cannot be worked on
├── BadHierarchy        a tree of labels is no hierarchy
├── BadModel            a privacy model cannot be asked of this table
├── BadOperation        (operations.errors) an operation, its parameters or its column
├── BadExamination      (standard.context) source, output and roles do not fit together
├── BadEvidence         (evidence) evidence cannot be made, signed or read
└── NoSolution          (search.engine) no recoding meets the models

Cancelled               no refusal: the caller itself stopped the work
"""

from privacy.refusal import Refusal


class DeidentifyError(Refusal, ValueError):
    """A fault in what was asked for; its words quote the caller's words and counts, never a value of the data."""

    code = "deidentify"


class BadTable(DeidentifyError):
    """The table cannot be worked on."""

    code = "bad_table"


class BadHierarchy(DeidentifyError):
    """A generalisation hierarchy is not total, not monotone, repeats a value or has no single top."""

    code = "bad_hierarchy"


class BadModel(DeidentifyError):
    """A privacy model, or several together, cannot be asked of this table."""

    code = "bad_model"


class Cancelled(Exception):
    """The caller stopped the work; nothing was published."""
