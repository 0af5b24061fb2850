"""What can be wrong with an operation, its parameters or the column it is asked of."""

from privacy.deidentify.errors import DeidentifyError
from privacy.words import Words


class BadOperation(DeidentifyError):
    """An operation is unknown, its parameters make no sense, or the column cannot take it."""

    code = "bad_operation"


def of_column(name: str, words: Words) -> BadOperation:
    """The refusal with the column of the plan before it."""
    return BadOperation(Words(ja=f"項目「{name}」：{words.ja}", en=f"column {name}: {words.en}"))
