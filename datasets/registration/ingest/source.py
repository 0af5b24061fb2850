"""Reads a source and writes the vault: every column as text, in the source's order, for the owner's eyes only.

Refuses what is not a plain file, is packed, claims to be huge, or does not have the declared columns. The
names of undeclared columns are not repeated: where a header is lacking they are a person's row.
"""

import glob
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from datasets.database.files import create_private, sync
from datasets.descriptor.descriptor import Descriptor
from datasets.registration.ingest.engine import ImportEngine, Watch, named, problem_of, quoted
from datasets.registration.ingest.errors import ImportProblem
from datasets.registration.ingest.limits import (
    COLUMNS_MAX,
    GIB,
    PARQUET_EXPANSION_MAX,
    PARQUET_FOOTER_BYTES_MAX,
    ROWS_MAX,
    VALUE_BYTES_MAX,
)
from datasets.registration.ingest.text import CHUNK_BYTES, CheckedText
from privacy.words import Words

READING = "reading"

GROUP_ROWS_MAX = 500_000
GROUP_BYTES_MAX = 64 << 20
BATCH_ROWS = 100_000

_PARQUET_MAGIC = b"PAR1"
_UTF_16 = Words(
    ja="元データは UTF-16 のテキストです。先に UTF-8 に変換してください",
    en="the source is UTF-16 text; convert it to UTF-8 first",
)
_BROKEN_FOOTER = Words(
    ja="Parquet ファイルが途中で切れているか、フッターが壊れています",
    en="the Parquet file is cut off or its footer is broken",
)
_TOO_MANY_ROWS = Words(ja="元データの行数が 2^33 を超えています", en="the source has more than 2^33 rows")
_EXPANDS_TOO_MUCH = Words(
    ja="Parquet ファイルを展開すると元の大きさの百倍を超えます",
    en="the Parquet file unpacks to more than a hundred times its size",
)
# Told apart by their first bytes, since names of files prove nothing; each with what to do about it.
_REFUSED_MAGIC = (
    (
        b"\x1f\x8b",
        Words(
            ja="元データは圧縮されています（gzip）。先に展開してください",
            en="the source is compressed (gzip); decompress it first",
        ),
    ),
    (
        b"PK\x03\x04",
        Words(
            ja="元データは ZIP ファイルまたは Excel ブックです。先に展開するか CSV で保存してください",
            en="the source is a ZIP archive or an Excel workbook; unpack it, or save it as CSV, first",
        ),
    ),
    (
        b"\x28\xb5\x2f\xfd",
        Words(
            ja="元データは圧縮されています（zstd）。先に展開してください",
            en="the source is compressed (zstd); decompress it first",
        ),
    ),
    (
        b"BZh",
        Words(
            ja="元データは圧縮されています（bzip2）。先に展開してください",
            en="the source is compressed (bzip2); decompress it first",
        ),
    ),
    (
        b"\xfd7zXZ\x00",
        Words(
            ja="元データは圧縮されています（xz）。先に展開してください",
            en="the source is compressed (xz); decompress it first",
        ),
    ),
    (
        b"PARE",
        Words(
            ja="元データは暗号化された Parquet ファイルです。先に復号してください",
            en="the source is an encrypted Parquet file; decrypt it first",
        ),
    ),
    (b"\xff\xfe", _UTF_16),
    (b"\xfe\xff", _UTF_16),
)
# An allowlist: nested and binary types have no one text that codes could be made of.
_PLAIN_TYPES = (
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "DATE", "TIMESTAMP", "VARCHAR", "UUID", '"NULL"',
)  # fmt: skip


def is_parquet(source: Path) -> bool:
    """Parquet or CSV, by the first bytes; refuses whatever is neither a plain file nor plain text."""
    try:
        status = source.stat()
    except OSError as error:
        raise _not_opened(error) from None
    # A pipe or device would block or never end, and could not be read twice.
    if not stat.S_ISREG(status.st_mode):
        raise ImportProblem(Words(ja="元データがファイルではありません", en="the source is not a file"))
    if status.st_size == 0:
        raise ImportProblem(Words(ja="元データが空です", en="the source is empty"))
    first = _first_bytes(source)
    for magic, message in _REFUSED_MAGIC:
        if first.startswith(magic):
            raise ImportProblem(message)
    return first.startswith(_PARQUET_MAGIC)


def _not_opened(error: OSError) -> ImportProblem:
    kind = type(error).__name__
    return ImportProblem(
        Words(ja=f"元データを開けませんでした（{kind}）", en=f"the source could not be opened ({kind})")
    )


def _first_bytes(source: Path) -> bytes:
    try:
        with source.open("rb") as file:
            return file.read(8)
    except OSError as error:
        raise _not_opened(error) from None


def fill_vault(descriptor: Descriptor, source: Path, vault: Path, engine: ImportEngine) -> int:
    """Write the vault file from the source; returns the rows read. The file has mode 0600 from its birth."""
    if is_parquet(source):
        names, batches = _parquet_batches(descriptor, source, engine)
    else:
        names, batches = _csv_batches(descriptor, source, engine.watch)
    rows = _write(names, batches, vault)
    sync(vault)
    return rows


def lines_of(descriptor: Descriptor, source: Path, rows: Sequence[int]) -> dict[int, int]:
    """The lines on which rows (numbered from 0) begin; in Parquet a row's own number, from 1."""
    if not rows:
        return {}
    if is_parquet(source):
        return {row: row + 1 for row in rows}
    text = CheckedText(source, descriptor.source, wanted=sorted(rows))
    try:
        text.drain()
    finally:
        text.close()
    return dict(zip(sorted(rows), text.records.found, strict=True))


def _check_names(descriptor: Descriptor, names: Sequence[str], line: int | None) -> None:
    """The source's columns are exactly the declared ones, in any order."""
    schema = descriptor.schema
    declared = {column.name for column in schema.columns} | (
        {schema.unit} if schema.unit is not None else set()
    )
    declared |= {unit.column for unit in schema.units}
    if len(names) > COLUMNS_MAX:
        message = Words(
            ja=f"元データの列数が {COLUMNS_MAX:,} を超えています",
            en=f"the source has more than {COLUMNS_MAX:,} columns",
        )
        raise ImportProblem(message, line=line)
    seen: set[str] = set()
    for name in names:
        # Only declared names are named: an undeclared one may be a person's value where the header is
        # lacking.
        if name in seen and name in declared:
            message = Words(ja="ヘッダーで列が重複しています", en="the column stands twice in the header")
            raise ImportProblem(message, line=line, column=name)
        seen.add(name)
    # Sorted, so that the same fault is the same message each time.
    for name in sorted(declared - seen):
        message = Words(
            ja=f"ヘッダーに列 {name} がありません", en=f"the column {name} is missing from the header"
        )
        raise ImportProblem(message, line=line, column=name)
    for place, name in enumerate(names, start=1):
        if name not in declared:
            message = Words(
                ja=f"ヘッダーの {place} 列目がデータ定義ファイルで宣言されていません",
                en=f"column {place} of the header is not declared in the descriptor",
            )
            raise ImportProblem(message, line=line)


Batches = Iterator[pa.RecordBatch]


def _write(names: Sequence[str], batches: Batches, vault: Path) -> int:
    """Write batches as row groups of bounded size."""
    schema = pa.schema([(name, pa.string()) for name in names])
    rows = 0
    with (
        os.fdopen(create_private(vault), "wb") as file,
        # No statistics: smallest and largest values of a column would stand in the footer in clear.
        pq.ParquetWriter(file, schema, compression="zstd", write_statistics=False) as writer,
    ):
        for group in _groups(batches):
            table = pa.Table.from_batches(group, schema=schema)
            writer.write_table(table, row_group_size=max(1, len(table)))
            rows += len(table)
            if rows > ROWS_MAX:
                raise ImportProblem(_TOO_MANY_ROWS)
    return rows


def _groups(batches: Batches) -> Iterator[list[pa.RecordBatch]]:
    group: list[pa.RecordBatch] = []
    rows = size_bytes = 0
    for batch in batches:
        group.append(batch)
        rows, size_bytes = rows + len(batch), size_bytes + batch.nbytes
        # Whichever comes first, so that wide tables take no more memory than long ones.
        if rows >= GROUP_ROWS_MAX or size_bytes >= GROUP_BYTES_MAX:
            yield group
            group, rows, size_bytes = [], 0, 0
    if group:
        yield group


# CSV


def _csv_batches(descriptor: Descriptor, source: Path, watch: Watch) -> tuple[list[str], Batches]:
    # A cell to write into from the callback; the generator reads it between batches.
    shares: list[float] = [0.0]
    text = CheckedText(source, descriptor.source, progress=lambda share: shares.__setitem__(0, share))
    try:
        _check_names(descriptor, text.header, line=1)
    except ImportProblem:
        text.close()
        raise
    return text.header, _csv_rows(descriptor, text, watch, lambda: shares[0])


def _csv_rows(descriptor: Descriptor, text: CheckedText, watch: Watch, share: Callable[[], float]) -> Batches:
    failure: BaseException | None = None
    rows = 0
    try:
        if text.has_rows():
            for batch in _arrow_reader(descriptor, text):
                watch.look(READING, share())
                rows += len(batch)
                yield batch
    except pa.ArrowException as error:
        failure = error
    finally:
        text.close()
    if failure is not None:
        raise problem_of(failure)
    # Two parsers have counted; where they differ a row may be split or joined, and with it a person's rows.
    if rows != text.records.rows:
        raise ImportProblem(
            Words(
                ja="元データを読み取れませんでした（2 通りに数えた行数が一致しません）",
                en="the source could not be read (rows counted twice differ)",
            )
        )


def _arrow_reader(descriptor: Descriptor, text: CheckedText) -> Batches:
    options = descriptor.source
    reader: Batches = pyarrow.csv.open_csv(
        text,
        read_options=pyarrow.csv.ReadOptions(column_names=text.header, block_size=CHUNK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=options.delimiter,
            quote_char=options.quote or False,
            double_quote=options.quote is not None,
            escape_char=False,
            newlines_in_values=options.quote is not None,
            ignore_empty_lines=True,
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={name: pa.string() for name in text.header},
            strings_can_be_null=False,
            check_utf8=False,  # checked on the way in
        ),
    )
    return reader


# Parquet


def _parquet_batches(descriptor: Descriptor, source: Path, engine: ImportEngine) -> tuple[list[str], Batches]:
    names, rows = _parquet_shape(source)
    _check_names(descriptor, names, line=None)
    table = f"read_parquet({quoted(glob.escape(str(source)))}, hive_partitioning = false)"
    types = engine.run(
        READING, f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {table})", end=0.0
    )
    for name, kind in types:
        if not str(kind).startswith(_PLAIN_TYPES) or "[" in str(kind):
            message = Words(
                ja="列の Parquet の型が単純な数、日付、文字列ではありません",
                en="the column's Parquet type is not a plain number, date or text",
            )
            raise ImportProblem(message, column=str(name))
    texts = [str(name) for name, kind in types if kind == "VARCHAR"]
    _check_text_sizes(texts, table, source, engine)
    return names, _parquet_rows(names, rows, table, engine)


def _parquet_shape(source: Path) -> tuple[list[str], int]:
    """Column names and rows from the footer, which is distrusted before it is read."""
    size_bytes = source.stat().st_size
    footer_bytes = _footer_bytes(source, size_bytes)
    if not 0 < footer_bytes <= min(PARQUET_FOOTER_BYTES_MAX, size_bytes - 12):
        raise ImportProblem(_BROKEN_FOOTER)
    try:
        with pq.ParquetFile(source) as file:
            metadata = file.metadata
            if metadata.num_columns > COLUMNS_MAX:
                raise ImportProblem(
                    Words(
                        ja=f"ファイルの列数が {COLUMNS_MAX:,} を超えています",
                        en=f"the file has more than {COLUMNS_MAX:,} columns",
                    )
                )
            groups = (metadata.row_group(group) for group in range(metadata.num_row_groups))
            unpacked = sum(group.total_byte_size for group in groups)
            names, rows = list(file.schema_arrow.names), metadata.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        names, rows, unpacked = [], -1, 0
    if rows < 0 or unpacked < 0:
        raise ImportProblem(_BROKEN_FOOTER)
    if rows > ROWS_MAX:
        raise ImportProblem(_TOO_MANY_ROWS)
    # The footer is only a claim; `_check_text_sizes` and the watch bound what really comes.
    if unpacked > expanded_bytes_max(size_bytes):
        raise ImportProblem(_EXPANDS_TOO_MUCH)
    return names, rows


def _footer_bytes(source: Path, size_bytes: int) -> int:
    """The length of the footer as the last eight bytes tell it; 0 where the file does not end as Parquet."""
    # Magic number, length and magic number again: the smallest Parquet there can be.
    if size_bytes < 12:
        return 0
    with source.open("rb") as file:
        file.seek(-8, os.SEEK_END)
        end = file.read(8)
    return int.from_bytes(end[:4], "little") if end[4:] == _PARQUET_MAGIC else 0


def expanded_bytes_max(size_bytes: int) -> int:
    """How large a Parquet file may become when unpacked."""
    return max(GIB, PARQUET_EXPANSION_MAX * size_bytes)


def _check_text_sizes(texts: Sequence[str], table: str, source: Path, engine: ImportEngine) -> None:
    """No text above 1 MiB and not more text than an honest file can hold: a dictionary of one long word
    repeated for each row is tiny on the disk and in the footer."""
    if not texts:
        return
    wanted = ", ".join(f"max(strlen({named(name)})), sum(strlen({named(name)}))::HUGEINT" for name in texts)
    sizes = [size or 0 for size in engine.run(READING, f"SELECT {wanted} FROM {table}", end=0.0)[0]]
    for name, longest in zip(texts, sizes[::2], strict=True):
        if longest > VALUE_BYTES_MAX:
            message = Words(ja="1 MiB を超える値があります", en="a value is longer than 1 MiB")
            raise ImportProblem(message, column=name)
    if sum(sizes[1::2]) > expanded_bytes_max(source.stat().st_size):
        raise ImportProblem(_EXPANDS_TOO_MUCH)


def _parquet_rows(names: Sequence[str], rows: int, table: str, engine: ImportEngine) -> Batches:
    # Everything as text, so that one coding serves CSV and Parquet.
    columns = ", ".join(f"{named(name)}::VARCHAR AS {named(name)}" for name in names)
    failure: BaseException | None = None
    done = 0
    try:
        for batch in engine.connection.sql(f"SELECT {columns} FROM {table}").to_arrow_reader(BATCH_ROWS):
            done += len(batch)
            engine.watch.look(READING, done / max(1, rows))
            yield batch
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        failure = error
    if failure is not None:
        raise problem_of(failure)
    # Fewer rows than promised would silently be a smaller dataset.
    if done != rows:
        raise ImportProblem(
            Words(
                ja="Parquet ファイルの行数がフッターの記載と異なります",
                en="the Parquet file holds another number of rows than its footer says",
            )
        )
