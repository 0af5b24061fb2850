"""What a run of a plan refuses, beside what de-identification itself does. Quotes the plan and paths, never a value.

DeidentifyError (privacy.deidentify)
├── FolderRefused   the output folder is there already, or cannot be made
├── NotProven       what was written does not meet the plan
└── BadTable
    ├── BadSource   (sources.table) the source cannot be read as one table of text
    └── NotWritable a label has a character that the source's encoding lacks
Faulty (descriptor.yamltext)
└── PlanError       (plan.entries) a processing plan that cannot be run
"""

from privacy.deidentify.errors import BadTable, DeidentifyError


class FolderRefused(DeidentifyError):
    """The output folder is there already, or cannot be made."""

    code = "folder_refused"


class NotProven(DeidentifyError):
    """What was written does not meet the plan; it was taken away again. A fault of this program."""

    # A refusal all the same: the operator must read it as a sentence, and nothing was given away.
    code = "not_proven"


class NotWritable(BadTable):
    """A label has a character that the source's encoding lacks."""

    code = "not_writable"
