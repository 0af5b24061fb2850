"""Hierarchies written out as text in ARX's layout; reading the file itself is the caller's."""

import csv
from collections.abc import Iterator
from io import StringIO

from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.hierarchies.parts import fault, require
from privacy.words import Words

BYTE_ORDER_MARK = "\ufeff"


def parse(name: str, text: str, delimiter: str = ";") -> Hierarchy:
    """The hierarchy of lines `value;level 1;…;top`, as ARX reads and writes them.

    No header; every line has as many cells; cells are quoted as in RFC 4180 (quotes doubled, a quoted cell may
    hold the delimiter or a line break) and taken as they stand, spaces included. A byte order mark and blank
    lines are skipped, and the last line needs no newline. Raises `BadHierarchy` with the number of the line in
    the text, counted from 1.
    """
    require(
        isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '"\r\n',
        name,
        Words(
            ja=f"delimiter は引用符と改行以外の 1 文字でなければなりません（指定された値：{delimiter!r}）。",
            en=f"delimiter must be one character that is no quote and no line break, not {delimiter!r}",
        ),
    )
    lines, paths = [], []
    for line, cells in _records(name, text.removeprefix(BYTE_ORDER_MARK), delimiter):
        lines.append(line)
        paths.append(cells)
    return Hierarchy.of(name, paths, lines=lines)


def _records(name: str, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    # Newlines are left to the reader: StringIO would turn a carriage return in a cell into a line feed.
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    # A quoted cell may hold line breaks: a record is named by the line on which it begins.
    start = 1
    try:
        for cells in reader:
            if len(cells) > 1 or "".join(cells).strip():
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as wrong:
        raise fault(
            name,
            Words(
                ja=f"{start} 行目は CSV として読み取れません。",
                en=f"line {start} is not CSV: {wrong}",
            ),
        ) from None
