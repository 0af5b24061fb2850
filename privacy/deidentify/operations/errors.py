"""What can be wrong with an operation, its parameters or the column it is asked of."""

from privacy.deidentify.errors import DeidentifyError


class BadOperation(DeidentifyError):
    """An operation is unknown, its parameters make no sense, or the column cannot take it."""

    code = "bad_operation"
