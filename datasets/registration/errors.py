"""Why a dataset cannot be registered. Quotes the descriptor, line numbers and limits, never a cell's text.

    Refusal
    ├── ImportProblem        the source cannot be read as the descriptor says
    └── RegistrationRefused  the dataset cannot be registered on these terms

A descriptor that is wrong in itself is a DescriptorError (datasets.descriptor).
"""

from privacy.refusal import Refusal
from privacy.words import Words


class ImportProblem(Refusal, ValueError):
    """The source is refused. `line` counts from 1 (in Parquet: rows); `column` is a declared name."""

    code = "import_problem"

    def __init__(self, message: Words, *, line: int | None = None, column: str | None = None) -> None:
        self.message, self.line, self.column = message, line, column
        super().__init__(_placed(self.message, line))


def _placed(message: Words, line: int | None) -> Words:
    """The message behind the line that it is about."""
    if line is None:
        return message
    return Words(ja=f"{line} 行目：{message.ja}", en=f"line {line}: {message.en}")


class RegistrationRefused(Refusal, ValueError):
    """The dataset cannot be registered on these terms; the words say why and what to do."""

    code = "registration_refused"
