"""Reads a source (CSV or Parquet) into a table of codes, with everything as text, in bounded memory.

Refuses what is not one rectangular table in one encoding: the error names the line, never a value. An empty
field is the value "", and so is a missing one of Parquet.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from datasets.sources.style import Style
from privacy.deidentify.errors import BadTable, Cancelled
from privacy.deidentify.table import Column, Table
from privacy.words import Words

BLOCK_BYTES = 8 << 20
HASH_BYTES = 1 << 20
COLUMNS_MAX = 2_000
# Codes and row numbers are int32.
ROWS_MAX = (1 << 31) - 2
BOM = b"\xef\xbb\xbf"
DICTIONARY = pa.dictionary(pa.int32(), pa.string())

Progress = Callable[[float], None]
Stop = Callable[[], bool]


class BadSource(BadTable):
    """The source cannot be read as one table of text."""

    code = "bad_source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source whose header has been read. `newline` and `bom` are how its lines end and whether it began with one."""

    path: Path
    style: Style
    columns: tuple[str, ...]
    is_parquet: bool = False
    newline: str = "\n"
    bom: bool = False


def look(path: Path, style: Style) -> Source:
    """What a source is and which columns it has; reads only its beginning."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
            if start == b"PAR1":
                return _look_at_parquet(path)
            return _look_at_text(path, style)
    except OSError:
        raise BadSource(Words(ja=f"{path.name} を読み取れません", en=f"{path.name} cannot be read")) from None


def _look_at_parquet(path: Path) -> Source:
    try:
        names = tuple(pq.ParquetFile(path).schema_arrow.names)
    except pa.ArrowException:
        raise BadSource(
            Words(
                ja=f"{path.name} は完全な Parquet ファイルではありません",
                en=f"{path.name} is not a whole Parquet file",
            )
        ) from None
    _check_header(path, names)
    return Source(path=path, style=Style(), columns=names, is_parquet=True)


def _look_at_text(path: Path, style: Style) -> Source:
    with path.open("rb") as file:
        bom = file.read(3) == BOM
    # A file of a byte-order mark alone is empty.
    if path.stat().st_size <= 3 * bom:
        raise BadSource(Words(ja=f"{path.name} は空です", en=f"{path.name} is empty"))
    codec = "utf-8-sig" if style.codec == "utf-8" else style.codec
    try:
        with path.open(encoding=codec, newline="") as file:
            first = next(iter(csv.reader(file, delimiter=style.delimiter)), [])
            file.seek(0)
            # From the first physical line: what is written back ends its lines as this file does.
            newline = "\r\n" if file.readline().endswith("\r\n") else "\n"
    except (UnicodeDecodeError, csv.Error):
        raise _diagnosed(path, style) from None
    _check_header(path, first)
    return Source(path=path, style=style, columns=tuple(first), newline=newline, bom=bom)


def _check_header(path: Path, names: Sequence[str]) -> None:
    if not names or not any(names):
        raise BadSource(
            Words(
                ja=f"{path.name} の 1 行目が空です。列名が必要です",
                en=f"line 1 of {path.name} is empty; it must name the columns",
            )
        )
    if len(names) > COLUMNS_MAX:
        raise BadSource(
            Words(
                ja=f"{path.name} には {len(names)} 列あります。読み取れるのは {COLUMNS_MAX} 列までです",
                en=f"{path.name} has {len(names)} columns; at most {COLUMNS_MAX} are read",
            )
        )
    for place, name in enumerate(names):
        if not name:
            raise BadSource(
                Words(
                    ja=f"{path.name} の 1 行目：{place + 1} 列目に名前がありません",
                    en=f"line 1 of {path.name}: column {place + 1} has no name",
                )
            )
        if (first := names.index(name)) != place:
            raise BadSource(
                Words(
                    ja=f"{path.name} の 1 行目：{first + 1} 列目と {place + 1} 列目の名前が同じ {name!r} です",
                    en=f"line 1 of {path.name}: columns {first + 1} and {place + 1} have the same name {name!r}",
                )
            )


def read_columns(
    source: Source, *, columns: Sequence[str], progress: Progress, stop: Stop
) -> tuple[Table, str]:
    """The named columns in the source's order, and the SHA-256 of the source's bytes.

    Raises BadSource with a line number, and Cancelled when `stop` says so.
    """
    wanted = [name for name in source.columns if name in set(columns)]
    watched = _Watched(source.path, progress, stop)
    with watched:
        if source.is_parquet:
            chunked = _parquet(source, wanted, watched)
            # Parquet is read from the path, in any order; the digest needs the bytes in theirs.
            watched.drain()
        else:
            chunked = _text(source, wanted, watched)
    table = Table([_column(name, chunked.pop(name)) for name in wanted])
    # Without a quote in the file no line can have been swallowed by one.
    if not source.is_parquet and watched.quotes:
        _check_quotes(source, table, watched.quotes)
    if not table.rows:
        raise BadSource(
            Words(
                ja=f"{source.path.name} にはヘッダーだけがあり、行がありません",
                en=f"{source.path.name} has a header and no rows",
            )
        )
    if table.rows > ROWS_MAX:
        raise BadSource(
            Words(
                ja=f"{source.path.name} には {table.rows} 行あります。読み取れるのは {ROWS_MAX} 行までです",
                en=f"{source.path.name} has {table.rows} rows; at most {ROWS_MAX} are read",
            )
        )
    return table, watched.digest.hexdigest()


class _Watched(io.RawIOBase):
    """The bytes of a file on their way to a reader: hashed, counted, and cut off when the caller stops."""

    def __init__(self, path: Path, progress: Progress, stop: Stop) -> None:
        self._file = path.open("rb")
        self._size = max(1, path.stat().st_size)
        self._done = 0
        self._progress = progress
        self._stop = stop
        self.stopped = False
        self.quotes = 0
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        # RawIOBase says no, and Arrow's readers ask before the first byte.
        return True

    def read(self, size: int = -1) -> bytes:
        if self._stop():
            self.stopped = True
            # Ends the reader from below; `stopped` tells it from an error of the disk.
            raise OSError("stopped")
        block = self._file.read(BLOCK_BYTES if size is None or size < 0 else size)
        self.digest.update(block)
        self.quotes += block.count(b'"')
        self._done += len(block)
        self._progress(self._done / self._size)
        return block

    def drain(self) -> None:
        """Hash what is left."""
        while self.read(HASH_BYTES):
            pass

    def close(self) -> None:
        self._file.close()
        super().close()


def _text(source: Source, wanted: list[str], watched: _Watched) -> dict[str, Any]:
    options = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(wanted, DICTIONARY), include_columns=wanted, strings_can_be_null=False
    )
    try:
        with ThreadPoolExecutor(1) as reader:  # in the main thread Arrow would take Ctrl-C for itself
            read = reader.submit(
                arrow_csv.read_csv,
                pa.PythonFile(watched, mode="r"),
                read_options=arrow_csv.ReadOptions(block_size=BLOCK_BYTES, encoding=source.style.codec),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=source.style.delimiter,
                    newlines_in_values=True,
                    # In a file of one column an empty line is a row with an empty value.
                    ignore_empty_lines=len(source.columns) > 1,
                ),
                convert_options=options,
            ).result()
    except (pa.ArrowException, UnicodeError, OSError):
        if watched.stopped:
            raise Cancelled from None
        raise _diagnosed(source.path, source.style) from None
    return {name: read.column(name) for name in wanted}


def _check_quotes(source: Source, table: Table, quotes: int) -> None:
    """Refuse a quote that is never closed, which the fast reader takes for the beginning of a long value.

    Where the number of quotes is even and no value has a line break, none can have swallowed a line.
    """
    lines = any("\n" in value or "\r" in value for column in table.values() for value in column.values)
    if (quotes % 2 or lines) and (fault := _shape_fault(source.path, source.style)):
        raise BadSource(fault)


def _parquet(source: Source, wanted: list[str], watched: _Watched) -> dict[str, Any]:
    file = pq.ParquetFile(source.path)
    parts: dict[str, list[Any]] = {name: [] for name in wanted}
    for batch in file.iter_batches(batch_size=1 << 18, columns=wanted):
        if watched._stop():
            raise Cancelled
        for name in wanted:
            parts[name].append(_as_text(name, batch.column(name)))
    return {name: pa.chunked_array(chunks, type=DICTIONARY) for name, chunks in parts.items()}


def _no_text(name: str, array: Any) -> BadSource:
    return BadSource(
        Words(
            ja=f"列 {name} の型 {array.type} は文字列にできません",
            en=f"column {name} holds {array.type}, which has no form as text",
        )
    )


def _as_text(name: str, array: Any) -> Any:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_nested(array.type) or pa.types.is_binary(array.type):
        raise _no_text(name, array)
    try:
        # Missing and empty are one value here: text files cannot tell them apart, so no release may depend on
        # it.
        text = pc.fill_null(array.cast(pa.string()), "")
    except pa.ArrowException:
        raise _no_text(name, array) from None
    return pc.dictionary_encode(text)


def _column(name: str, chunked: Any) -> Column:
    """One column of codes; values in order of first appearance."""
    # Chunks were coded apart, each in its own order of appearance.
    unified = chunked.unify_dictionaries()
    if not len(unified):
        return Column(name, (), np.zeros(0, dtype=np.int32))
    values = tuple(unified.chunk(0).dictionary.to_pylist())
    codes = np.concatenate([chunk.indices.to_numpy(zero_copy_only=False) for chunk in unified.chunks])
    return Column(name, values, codes.astype(np.int32, copy=False))


# What is wrong with a text that could not be read


def _diagnosed(path: Path, style: Style) -> BadSource:
    """Reads the text again, slowly, to name the line that is wrong."""
    with path.open("rb") as file:
        line = _undecodable(file, style.codec)
    if line:
        return BadSource(
            Words(
                ja=(
                    f"{path.name} の {line} 行目が {style.encoding} として読めません。"
                    "計画の文字コードが誤っているか、ファイルに複数の文字コードが混在しています"
                ),
                en=(
                    f"line {line} of {path.name} is not {style.encoding}: either the plan's encoding is wrong "
                    "or the file mixes encodings"
                ),
            )
        )
    unknown = Words(
        ja=f"{path.name} を計画の区切り文字と文字コードの CSV として読み取れません",
        en=f"{path.name} cannot be read as CSV with the plan's delimiter and encoding",
    )
    return BadSource(_shape_fault(path, style) or unknown)


def _undecodable(lines: Iterable[bytes], codec: str) -> int:
    """The first line that is no text in this encoding; 0 if all are."""
    for number, line in enumerate(lines, 1):
        try:
            line.decode(codec)
        except UnicodeDecodeError:
            return number
    return 0


def _shape_fault(path: Path, style: Style) -> Words | None:
    """The first record that has not as many fields as line 1, or breaks the rules of quotes."""
    codec = "utf-8-sig" if style.codec == "utf-8" else style.codec
    # Process-wide in Python's csv, hence put back at the end.
    limit = csv.field_size_limit(BLOCK_BYTES)
    width = ended = 0
    try:
        with path.open(encoding=codec, newline="") as text:
            rows = csv.reader(text, delimiter=style.delimiter, strict=True)
            for row in rows:
                width = width or len(row)
                if row and len(row) != width:
                    return Words(
                        ja=(
                            f"{path.name} の {ended + 1} 行目は {len(row)} 項目、1 行目は {width} 項目です。"
                            "区切り文字と引用符の閉じ忘れを確認してください"
                        ),
                        en=(
                            f"line {ended + 1} of {path.name} has {len(row)} fields, and line 1 has {width}; "
                            "is the delimiter right, and every quote closed?"
                        ),
                    )
                ended = rows.line_num
    except csv.Error:
        return Words(
            ja=(
                f"{path.name} の {ended + 1} 行目を読み取れません。"
                "引用符の閉じ忘れと、8 MiB を超える項目がないかを確認してください"
            ),
            en=(
                f"line {ended + 1} of {path.name} cannot be read; "
                "is every quote closed, and no field longer than 8 MiB?"
            ),
        )
    finally:
        csv.field_size_limit(limit)
    return None
