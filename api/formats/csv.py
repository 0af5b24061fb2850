"""CSV after RFC 4180: one header row, then the table. A missing key is an empty field."""

import csv
import io
import re
from collections.abc import Sequence
from decimal import Decimal

from api.formats.base import AnswerFormat, RenderableAnswer
from privacy.result_columns import AnswerColumn
from privacy.schema import Label

# What spreadsheets take for the beginning of a formula (after OWASP, "CSV injection"), and our own mark.
# Tabs and line ends belong there, too, but no undeclared word, declared value or name of a group begins with one.
FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "'")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]+)?)?", re.ASCII)
"""What a spreadsheet reads as a number, or as no more than a sign, and never as a formula."""


def _csv(answer: RenderableAnswer) -> bytes:
    table = answer.table
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([column.name for column in table.columns])
    writer.writerows(zip(*(_fields(column) for column in table.columns), strict=True))
    return text.getvalue().encode()


def _fields(column: AnswerColumn) -> Sequence[Label]:
    """A column's fields; words that a spreadsheet would run begin with an apostrophe, numbers never do.

    Words are those of keys and labels: the register's, the owner's and, of groups, those of whoever asked.
    """
    if column.role in ("value", "bound", "raw", "derived"):
        return [_plain(value) if isinstance(value, float) else value for value in column.values]
    # An undeclared word is the register's: one that looks like a number is a word all the same.
    guarded = _guarded if column.about.get("undeclared") else _guarded_word
    safe = {word: guarded(word) for word in set(column.values) if isinstance(word, str)}
    return [safe[value] if isinstance(value, str) else value for value in column.values]


def _guarded(word: str) -> str:
    return f"'{word}" if word.startswith(FORMULA_STARTS) else word


def _guarded_word(word: str) -> str:
    return word if _NUMBER.fullmatch(word) else _guarded(word)


def _plain(number: float) -> str:
    """A number without an exponent, which few people can read: 0.000012."""
    text = repr(number)
    return f"{Decimal(text):f}" if "e" in text else text


CSV = AnswerFormat(
    media_type="text/csv",
    content_type="text/csv; charset=utf-8; header=present",
    schema={"type": "string"},
    render=_csv,
    suffix="csv",
)
