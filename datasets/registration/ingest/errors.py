"""Why a source cannot be read as its descriptor says. Quotes line numbers and declared names, never a cell's text."""

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
