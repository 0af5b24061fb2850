"""What can be wrong with a table, a hierarchy or a plan, said about what the caller sent."""


class DeidentifyError(ValueError):
    """A fault in what was asked for; its text quotes the caller's words and counts, never a value of the data."""


class BadTable(DeidentifyError):
    """The table cannot be worked on."""


class BadHierarchy(DeidentifyError):
    """A generalisation hierarchy is not total, not monotone, repeats a value or has no single top."""


class BadModel(DeidentifyError):
    """A privacy model, or several together, cannot be asked of this table."""


class Cancelled(Exception):
    """The caller stopped the work; nothing was published."""
