"""Reads CSV bytes as checked UTF-8 text, one pass, flat memory. Refuses text whose rows are in doubt.

What is let through has whole records of the right number of values, quotes that open and close where RFC
4180 says, lines of at most 1 MiB, no NUL and no broken character. So the parser behind it cannot disagree
about where a row ends, and every refusal knows its line.
"""

import codecs
import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from datasets.descriptor.descriptor import SourceOptions
from datasets.registration.ingest.errors import ImportProblem
from datasets.registration.ingest.limits import COLUMNS_MAX, LINE_BYTES_MAX
from privacy.words import Words

CHUNK_BYTES = 4 << 20
LINE_TOO_LONG = Words(ja="1 MiB を超える行があります", en="a line is longer than 1 MiB")
_LF, _CR = 10, 13
Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]


class CsvRecords:
    """Checks the shape of records as chunks of UTF-8 arrive, and counts rows and lines.

    Each call of `feed` looks at whole records only, from the first byte of one, so no state of quoting is
    carried over. `wanted` are row numbers (from 0, in order) whose lines are to be found.
    """

    def __init__(self, options: SourceOptions, fields: int, wanted: Sequence[int] = ()) -> None:
        self.delimiter = ord(options.delimiter)
        self.quote = None if options.quote is None else ord(options.quote)
        self.fields = fields
        self.wanted = wanted
        self.found: list[int] = []
        self.rows = 0
        self.line = 2  # the header is line 1
        self.rest = b""

    def feed(self, chunk: bytes) -> None:
        """Check the records that end in this chunk; raises ImportProblem."""
        self.rest = self._check(self.rest + chunk)
        # A record without an end would gather the whole file in memory.
        if len(self.rest) > LINE_BYTES_MAX:
            raise self._too_long(self.rest)

    def finish(self) -> None:
        """Check the last record, which may lack its line end."""
        if self.rest and self._check(self.rest + b"\n"):
            message = Words(ja="引用符が閉じられていません", en="a quote is opened and never closed")
            raise ImportProblem(message, line=self.line)
        self.rest = b""

    def _check(self, text: bytes) -> bytes:
        """Check the whole records of a text that begins at one; returns what is left over."""
        data = np.frombuffer(text, np.uint8)
        lines = np.flatnonzero(data == _LF)
        inside = self._quoted(text, data, lines)
        # Line ends inside quotes belong to a value.
        ends = lines if inside is None else lines[~inside[lines]]
        self._refuse_lone_returns(text, data, lines, inside)
        if not len(ends):
            return text
        starts = np.empty_like(ends)
        starts[0], starts[1:] = 0, ends[:-1] + 1
        self._count(data, lines, inside, starts, ends)
        end = int(ends[-1]) + 1
        self.line += int(np.searchsorted(lines, end))
        return text[end:]

    def _quoted(self, text: bytes, data: Bytes, lines: Places) -> npt.NDArray[np.bool_] | None:
        """Which bytes stand inside quotes (None: no quotes at all); refuses quotes that begin or end midway."""
        if self.quote is None or bytes([self.quote]) not in text:
            return None
        is_quote = data == self.quote
        quotes = np.flatnonzero(is_quote)
        # What stands before the first byte of a record is a line end.
        before = np.where(quotes > 0, data[quotes - 1], _LF)
        after = data[np.minimum(quotes + 1, len(data) - 1)]
        known = quotes + 1 < len(data)
        opens, closes = slice(0, None, 2), slice(1, None, 2)
        edge = [self.delimiter, _LF]
        midway = ~np.isin(before[opens], [*edge, self.quote])  # a quote after a quote is a doubled one
        unfinished = ~np.isin(after[closes], [*edge, _CR, self.quote]) & known[closes]
        bad = np.concatenate([quotes[opens][midway], quotes[opens][: len(unfinished)][unfinished]])
        if len(bad):
            line = self._line_at(lines, int(bad.min()))
            message = Words(
                ja="引用符が値の端にありません", en="a quote does not open or close at the edge of its value"
            )
            raise ImportProblem(message, line=line)
        # An odd number of quotes so far means inside. A doubled quote flips twice and changes nothing.
        return np.bitwise_xor.accumulate(is_quote)

    def _refuse_lone_returns(
        self, text: bytes, data: Bytes, lines: Places, inside: npt.NDArray[np.bool_] | None
    ) -> None:
        if text.count(b"\r") == text.count(b"\r\n"):
            return
        # A return as the last byte waits for the next chunk, which shows what follows it.
        returns = np.flatnonzero(data[:-1] == _CR)
        lone = returns[data[returns + 1] != _LF]
        if inside is not None:
            lone = lone[~inside[lone]]
        if len(lone):
            message = Words(
                ja="CR が単独で使われています。行末は LF または CRLF です",
                en="a carriage return stands alone; lines end in LF or CRLF",
            )
            raise ImportProblem(message, line=self._line_at(lines, int(lone[0])))

    def _count(
        self, data: Bytes, lines: Places, inside: npt.NDArray[np.bool_] | None, starts: Places, ends: Places
    ) -> None:
        lengths = ends - starts
        if lengths.max() > LINE_BYTES_MAX:
            place = int(starts[np.argmax(lengths > LINE_BYTES_MAX)])
            raise ImportProblem(LINE_TOO_LONG, line=self._line_at(lines, place))
        # Empty lines are no records; the reader behind skips them too (ignore_empty_lines).
        blank = (lengths == 0) | ((lengths == 1) & (data[starts] == _CR))
        splits = data == self.delimiter
        if inside is not None:
            splits &= ~inside
        counts = np.diff(np.searchsorted(np.flatnonzero(splits), ends), prepend=0) + 1
        ragged = (counts != self.fields) & ~blank
        if ragged.any():
            first = int(np.argmax(ragged))
            message = Words(
                ja=f"値が {int(counts[first])} 個あります。ヘッダーは {self.fields} 個です",
                en=f"has {int(counts[first])} values; the header has {self.fields}",
            )
            raise ImportProblem(message, line=self._line_at(lines, int(starts[first])))
        self._find(lines, starts[~blank])

    def _find(self, lines: Places, starts: Places) -> None:
        """Count rows and note the lines of wanted ones."""
        while len(self.found) < len(self.wanted) and self.wanted[len(self.found)] < self.rows + len(starts):
            start = int(starts[self.wanted[len(self.found)] - self.rows])
            self.found.append(self._line_at(lines, start))
        self.rows += len(starts)

    def _line_at(self, lines: Places, place: int) -> int:
        return self.line + int(np.searchsorted(lines, place))

    def _too_long(self, rest: bytes) -> ImportProblem:
        if b"\n" in rest:
            message = Words(
                ja="引用符で囲まれた値が 1 MiB を超えています。引用符が閉じているか確認してください",
                en="a quoted value runs on for more than 1 MiB; is it closed?",
            )
            return ImportProblem(message, line=self.line)
        return ImportProblem(LINE_TOO_LONG, line=self.line)


class Characters:
    """Turns bytes of the declared encoding into UTF-8 bytes; refuses NUL and broken characters."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.decoder = codecs.getincrementaldecoder(encoding)("strict")
        self.bytes_read = 0
        self.lines = 0

    def feed(self, raw: bytes, *, final: bool = False) -> bytes:
        if b"\0" in raw:
            line = self.lines + raw.count(b"\n", 0, raw.index(b"\0")) + 1
            message = Words(
                ja="NUL バイトがあります。テキストではありません", en="a NUL byte; this is not text"
            )
            raise ImportProblem(message, line=line)
        pending = len(self.decoder.getstate()[0])
        text = self._decode(raw, pending, final=final)
        self.bytes_read += len(raw)
        self.lines += raw.count(b"\n")
        return text

    def _decode(self, raw: bytes, pending: int, *, final: bool) -> bytes:
        if not pending and raw.isascii() and self.encoding != "shift_jis":
            return raw
        try:
            text = self.decoder.decode(raw, final)
        except UnicodeDecodeError as error:
            broken = (error.start, error.object)
        else:
            return raw if self.encoding == "utf-8" else text.encode()
        start, whole = broken
        # The decoder keeps bytes of an unfinished character, so its input may begin before this chunk.
        offset = self.bytes_read + len(raw) - len(whole) + start
        line = self.lines + whole.count(b"\n", 0, start) + 1
        message = Words(
            ja=f"バイト位置 {offset} が {self.encoding} として読めません",
            en=f"the bytes are not {self.encoding} at byte offset {offset}",
        )
        raise ImportProblem(message, line=line)


class CheckedText:
    """A CSV file as a stream of checked UTF-8 bytes, header taken off: what pyarrow reads from.

    `header` holds the names. `read(n)` returns n bytes until the end comes; the progress callback gets
    the share of the file's bytes that were read.
    """

    def __init__(
        self,
        path: Path,
        options: SourceOptions,
        *,
        wanted: Sequence[int] = (),
        progress: Callable[[float], None] = lambda share: None,
    ) -> None:
        self.file = path.open("rb", buffering=0)
        self.size = max(1, path.stat().st_size)
        self.progress = progress
        self.characters = Characters(options.encoding)
        self.ready = bytearray()
        self.ended = False
        try:
            self.header = _names(self._first_line(options), options)
            self.records = CsvRecords(options, len(self.header), wanted)
            self.records.feed(bytes(self.ready))
            if self.ended:
                self.records.finish()
        except ImportProblem:
            self.file.close()
            raise

    closed = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def writable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes, fewer at the end only (a block must hold a whole record)."""
        while not self.ended and (size < 0 or len(self.ready) < size):
            self._more()
        size = len(self.ready) if size < 0 else size
        taken = bytes(self.ready[:size])
        del self.ready[:size]
        return taken

    def has_rows(self) -> bool:
        """Whether any byte follows the header and is not part of an empty line."""
        # pyarrow fails on a file without rows, so whether there is one is found out before.
        while not self.ended and not self.records.rows:
            self._more()
            if not self.records.rows:
                self.ready = bytearray(self.records.rest)  # the rest were empty lines
        return self.records.rows > 0

    def drain(self) -> None:
        """Check the rest without keeping it; stops early once every wanted line is known."""
        while not self.ended and not (
            self.records.wanted and len(self.records.found) == len(self.records.wanted)
        ):
            self._more()
            self.ready.clear()

    def close(self) -> None:
        self.closed = True
        self.file.close()

    def _more(self) -> None:
        text = self._next_chunk()
        self.records.feed(text)
        if self.ended:
            self.records.finish()
        self.ready += text

    def _next_chunk(self) -> bytes:
        raw = self.file.read(CHUNK_BYTES)
        self.ended = not raw
        first = self.characters.bytes_read == 0
        text = self.characters.feed(raw, final=self.ended)
        self.progress(min(1.0, self.characters.bytes_read / self.size))
        # The mark of UTF-8 after decoding, whatever the encoding was.
        return text.removeprefix(codecs.BOM_UTF8) if first else text

    def _first_line(self, options: SourceOptions) -> str:
        """Take the header line off; looks at no more than 1 MiB for it."""
        while b"\n" not in self.ready and not self.ended and len(self.ready) <= LINE_BYTES_MAX:
            self.ready += self._next_chunk()
        end = self.ready.find(b"\n")
        line = bytes(self.ready if end < 0 else self.ready[:end])
        # Counted before the header is parsed: a list of a million names must not be built to be refused.
        if line.count(options.delimiter.encode()) >= COLUMNS_MAX:
            message = Words(
                ja=f"ヘッダーの列数が {COLUMNS_MAX:,} を超えています",
                en=f"the header has more than {COLUMNS_MAX:,} columns",
            )
            raise ImportProblem(message, line=1)
        if len(line) > LINE_BYTES_MAX:
            raise ImportProblem(LINE_TOO_LONG, line=1)
        del self.ready[: len(line) + 1]
        return line.removesuffix(b"\r").decode()


def _names(line: str, options: SourceOptions) -> list[str]:
    """The column names of a header line."""
    if not line.strip():
        message = Words(
            ja="1 行目が空です。列名が必要です", en="the first line is empty; it must name the columns"
        )
        raise ImportProblem(message, line=1)
    reader = csv.reader(
        io.StringIO(line, newline=""),
        delimiter=options.delimiter,
        quotechar=options.quote,
        quoting=csv.QUOTE_NONE if options.quote is None else csv.QUOTE_MINIMAL,
        strict=True,
    )
    try:
        rows = list(reader)
    except csv.Error:
        rows = []
    if len(rows) != 1:
        message = Words(
            ja="ヘッダーの引用符が列名を囲んでいません",
            en="the header's quotes do not open and close around names",
        )
        raise ImportProblem(message, line=1)
    return rows[0]
