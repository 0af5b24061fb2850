"""Why a source cannot be read as its descriptor says. Quotes line numbers and declared names, never a cell's text."""

from privacy.refusal import Refusal
from privacy.words import Words


class ImportProblem(Refusal, ValueError):
    """The source is refused. `line` counts from 1 (in Parquet: rows); `column` is a declared name.

    `reason` is the sentence without the line that it is about.
    """

    code = "import_problem"

    def __init__(self, reason: Words, *, line: int | None = None, column: str | None = None) -> None:
        self.reason, self.line, self.column = reason, line, column
        super().__init__(_placed(reason, line))


def _placed(reason: Words, line: int | None) -> Words:
    """The reason behind the line that it is about."""
    if line is None:
        return reason
    return Words(ja=f"{line} 行目：{reason.ja}", en=f"line {line}: {reason.en}")
