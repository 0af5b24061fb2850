"""Writes records as delimited text: quoted only where RFC 4180 needs it, in the source's encoding, by chunks.

A value is quoted and encoded once, however many rows hold it. Nothing is written that cannot be read back.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from datasets.records.errors import NotWritable
from datasets.sources.table import BOM, Source, Stop
from privacy.deidentify.errors import Cancelled
from privacy.deidentify.hierarchies.hierarchy import SUPPRESSED
from privacy.deidentify.table import Column, Table
from privacy.words import Words

CHUNK_ROWS = 1 << 18
FILE_MODE = 0o600

Progress = Callable[[float], None]


def records(
    path: Path,
    table: Table,
    *,
    like: Source,
    suppressed: NDArray[np.bool_],
    progress: Progress,
    stop: Stop,
) -> str:
    """Write a header and the rows, `*` throughout in suppressed ones; tells the SHA-256 of what was written.

    Delimiter, encoding, byte-order mark and line ends are the source's; those of Parquet are `,`, UTF-8 and \\n.
    """
    assert len(suppressed) == table.rows
    columns = list(table.values())
    # Each cell carries the separator behind it, so that joining cells makes whole lines.
    ends = [like.style.delimiter] * (len(columns) - 1) + [like.newline]
    alone = len(columns) == 1
    cells = [_cells(column, end, like=like, alone=alone) for column, end in zip(columns, ends, strict=True)]
    with _Hashed(path) as file:
        file.write(BOM if like.bom else b"")
        file.write(_line([column.name for column in columns], like=like))
        for start in range(0, table.rows, CHUNK_ROWS):
            if stop():
                raise Cancelled
            part = slice(start, start + CHUNK_ROWS)
            file.write(_chunk(columns, cells, suppressed[part], part))
            progress(min(1.0, (start + CHUNK_ROWS) / table.rows))
    return file.digest.hexdigest()


def _cells(column: Column, end: str, *, like: Source, alone: bool) -> Any:
    """Each value as bytes with its separator behind, the suppressed cell last."""
    codec, delimiter = like.style.codec, like.style.delimiter
    # The suppressed cell comes last, where `_chunk` looks for it.
    cells = (quoted(value, delimiter=delimiter, alone=alone) for value in (*column.values, SUPPRESSED))
    try:
        return pa.array([(text + end).encode(codec) for text in cells], pa.large_binary())
    except UnicodeEncodeError:
        raise NotWritable(
            Words(
                ja=(
                    f"列 {column.name} に {like.style.encoding} で書けないラベルがあります。"
                    "階層のラベルを変えるか、データの文字コードを変えてください"
                ),
                en=(
                    f"column {column.name} has a label that {like.style.encoding} cannot write; "
                    "give the hierarchy other labels, or the source another encoding"
                ),
            )
        ) from None


def _chunk(
    columns: Sequence[Column], cells: Sequence[Any], suppressed: NDArray[np.bool_], part: slice
) -> Any:
    """The bytes of some rows: a value looked up for every cell, and all of them joined."""
    taken = [
        cell.take(pa.array(np.where(suppressed, np.int32(len(cell) - 1), column.codes[part])))
        for column, cell in zip(columns, cells, strict=True)
    ]
    joined = pc.binary_join_element_wise(*taken, pa.scalar(b"", pa.large_binary()))
    # The third buffer of a binary array is its bytes without a gap: the lines as they are written.
    return joined.buffers()[2]


def _line(texts: Sequence[str], *, like: Source) -> bytes:
    delimiter = like.style.delimiter
    line = delimiter.join(quoted(text, delimiter=delimiter, alone=len(texts) == 1) for text in texts)
    return (line + like.newline).encode(like.style.codec)


def quoted(text: str, *, delimiter: str, alone: bool = False) -> str:
    """A field as RFC 4180 writes it; an empty one only needs quotes where it would make an empty line."""
    # Nothing else is quoted, so that a source without quotes is written without them.
    if any(mark in text for mark in (delimiter, '"', "\r", "\n")) or (alone and not text):
        return '"' + text.replace('"', '""') + '"'
    return text


def lines(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """A small table as comma-separated UTF-8."""
    text = "".join(",".join(quoted(cell, delimiter=",") for cell in row) + "\n" for row in rows)
    private(path, text.encode())


def numbers(path: Path, name: str, values: NDArray[np.int32]) -> None:
    """One number a line under a header, by chunks; negative ones are the suppressed records."""
    with _Hashed(path) as file:
        file.write(f"{name}\n".encode())
        for start in range(0, len(values), CHUNK_ROWS):
            part = values[start : start + CHUNK_ROWS]
            file.write("".join(f"{number}\n" if number >= 0 else "*\n" for number in part.tolist()).encode())


def private(path: Path, content: bytes) -> None:
    """A file that only its owner reads."""
    # Mode and existence in one call: there is no moment at which others could read or have made it.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb") as file:
        file.write(content)


class _Hashed:
    """A new file of the owner's only, hashed on the way."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.digest = hashlib.sha256()

    def __enter__(self) -> "_Hashed":
        self._file: BinaryIO = open(
            os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb"
        )
        return self

    def write(self, content: Any) -> None:
        self.digest.update(content)
        self._file.write(content)

    def __exit__(self, *exit: Any) -> None:
        self._file.close()
