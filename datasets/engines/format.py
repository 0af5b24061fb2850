"""The statistics table as registration writes it and engines read it: names and widths, and nothing else.

One row a row of the dataset that the bound keeps: the codes of the queryable columns (c0, c1, …), the row's rank
within its person from 1, where a person may have several rows the person's number, and the numbers of the second
units that it names (u0, u1, …, from 1; 0 names none). A second table tells
which word each code of an undeclared column stands for, and a third one whose rows they are.
"""

import re

from privacy.schema import Column, Schema

ENGINE = "duckdb"
"""The engine that reads `STATISTICS_FILE`, by the name that places and versions bear."""

STATISTICS_FILE = "statistics.duckdb"
TABLE, WORDS = "rows", "words"
SEALED, SEAL = "sealed", "seal"
"""The table of one row, and its column, that name the version and descriptor that the file was registered with.
Files of before there were seals have no such table."""
STORAGE = "USING COMPRESSION uncompressed"
"""How columns of TABLE are stored: which compression a block gets, and how long it takes to read, depends on its
values, so that a single person would be seen in it."""
PERSON, RANK = "person", "rank"
ROW_NUMBER = "rowid"
"""A number of each row from 0, which no column of the file holds."""
PLACE, CODE, WORD = "place", "code", "word"
"""The columns of WORDS: the number of the undeclared column, a code of it, the word behind it."""

_SIGNED = (("TINYINT", 2**7), ("SMALLINT", 2**15), ("INTEGER", 2**31), ("BIGINT", 2**63))


def code_name(place: int) -> str:
    """The name of the queryable column number `place`."""
    return f"c{place}"


def unit_name(place: int) -> str:
    """The name of the column with the numbers of the schema's second unit number `place`."""
    return f"u{place}"


def is_column(name: str) -> bool:
    """Whether TABLE may have a column of that name."""
    return name in (PERSON, RANK) or re.fullmatch(r"[cu]\d+", name) is not None


def integer_type(low: int, high: int) -> str:
    """The smallest signed SQL type that holds low … high."""
    # Narrow columns are what makes a scan of all rows fast.
    return next(name for name, limit in _SIGNED if -limit <= low and high < limit)


def code_type(column: Column) -> str:
    """The type of a queryable column, missing included."""
    return integer_type(column.missing, column.high)


def rank_type(schema: Schema) -> str:
    """The type of RANK: as wide as the bound on rows per person asks for."""
    return integer_type(0, schema.rows_per_person)


def person_type(persons: int) -> str:
    """The type of PERSON for so many persons, who are numbered from 1; and of a second unit's numbers."""
    return "INTEGER" if persons < 2**31 else "BIGINT"


def words_columns() -> list[tuple[str, str]]:
    """The names and types of the columns of WORDS."""
    return [(PLACE, "INTEGER"), (CODE, "BIGINT"), (WORD, "VARCHAR")]
