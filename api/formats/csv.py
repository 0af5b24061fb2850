"""CSV after RFC 4180: one header row, then the table. A missing key is an empty field."""

import csv
import io
from collections.abc import Sequence

from api.formats.base import AnswerFormat, RenderableAnswer
from privacy.result_columns import AnswerColumn
from privacy.schema import Label

# What spreadsheets take for the beginning of a formula (after OWASP, "CSV injection"), and our own mark.
# Tabs and line ends belong there, too, but no undeclared word begins with one.
FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "'")


def _csv(answer: RenderableAnswer) -> bytes:
    table = answer.table
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([column.name for column in table.columns])
    writer.writerows(zip(*(_fields(column) for column in table.columns), strict=True))
    return text.getvalue().encode()


def _fields(column: AnswerColumn) -> Sequence[Label]:
    """A column's fields; undeclared words that a spreadsheet would run begin with an apostrophe."""
    # Only undeclared words come from the register, so only there can a stranger have written a formula.
    if not column.about.get("undeclared"):
        return column.values
    return [f"'{word}" if str(word).startswith(FORMULA_STARTS) else word for word in column.values]


CSV = AnswerFormat(
    media_type="text/csv",
    content_type="text/csv; charset=utf-8; header=present",
    schema={"type": "string"},
    render=_csv,
)
