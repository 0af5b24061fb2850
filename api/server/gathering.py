"""One HTTP/1.1 request gathered from the bytes of a connection, without ever waiting for them.

gunicorn reads heads, chunk extensions and trailers; only where a body ends is worked out here, because gunicorn's own
reader of bodies can but wait. Whatever is no HTTP/1.1 raises one of gunicorn's ParseExceptions.
"""

import re
from abc import ABC, abstractmethod
from typing import Any

from gunicorn.http.body import CHUNK_EXT_RE, Body, ChunkedReader, LengthReader  # type: ignore[import-untyped]
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    ChunkMissingTerminator,
    InvalidChunkSize,
    InvalidHeader,
    LimitRequestHeaders,
    NoMoreData,
    ParseException,
)
from gunicorn.http.message import Request  # type: ignore[import-untyped]
from gunicorn.http.unreader import Unreader  # type: ignore[import-untyped]

from api.http.wire import BODY_BYTES_MAX

LINE_END = b"\r\n"
HEAD_END = b"\r\n\r\n"
HEAD_BYTES_MAX = 64 << 10
# A body sent in chunks of a few bytes has more bytes of framing than of body.
FRAMING_BYTES_MAX = BODY_BYTES_MAX
STRICTLY = ("HOST", "TRANSFER-ENCODING")
"""Headers of which gunicorn lets pass what RFC 9112 does not."""
SIZE_LINE_BYTES_MAX = 1 << 10
TRAILER_BYTES_MAX = 8 << 10
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})" + CHUNK_EXT_RE.pattern)


class HeldBytes(Unreader):
    """Bytes in memory, read like a socket behind which nothing comes any more."""

    def __init__(self, held: bytes | bytearray) -> None:
        super().__init__()
        self.buf.write(held)

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Nothing: the buffer holds all there is."""
        return b""


class RequestGatherer:
    """A request as far as it has come. `received` holds what is not used yet; after the request, the next one's bytes.

    `message` is gunicorn's request once its head is there; once all is there, its body reads from memory.
    """

    def __init__(self, config: Any, client: Any, received: bytes = b"") -> None:
        self.received, self.message = bytearray(received), None
        self.expects_continue = False
        self._config, self._client = config, client
        self._looked = self._handed = 0
        self._body: _Body | None = None

    @property
    def size(self) -> int:
        """Bytes held in memory, the body of a whole request included."""
        return len(self.received) + (len(self._body.decoded) if self._body else self._handed)

    @property
    def is_begun(self) -> bool:
        """Whether anything of the request has come."""
        return bool(self.received) or self.message is not None

    def advance(self) -> bool:
        """Use what was received; whether the request is whole. Raises ParseException."""
        if self._body is None:
            self._read_head()
        if self._body is None or not self._body.advance(self.received):
            return False
        assert self.message is not None
        body, self._handed = self._body.decoded, len(self._body.decoded)
        self.message.body = Body(LengthReader(HeldBytes(body), len(body)))
        if self._body.is_too_large:
            # Its rest is not read, so no further request can be found on this connection.
            self.message.force_close()
        self._body = None
        return True

    def _read_head(self) -> None:
        # Only the last bytes that were looked at can begin an end that came with these.
        begin = max(self._looked - len(HEAD_END) + 1, 0)
        end = self.received.find(HEAD_END, begin)
        if end < 0 and not self._is_hopeless(begin):
            self._looked = len(self.received)
            return
        size = len(self.received) if end < 0 else end + len(HEAD_END)
        self.message = message = _message(self._config, bytes(self.received[:size]), self._client)
        del self.received[:size]
        # Said by the worker as soon as the head is there: a thread would say it when the body has come.
        self.expects_continue, message._expected_100_continue = message._expected_100_continue, False
        reader = message.body.reader
        self._body = _ChunkedBody(message) if isinstance(reader, ChunkedReader) else _SizedBody(reader.length)

    def _is_hopeless(self, begin: int) -> bool:
        """Whether the head is too long already, or has a line that gunicorn will refuse (RFC 9112, section 2.2)."""
        bare = self.received.count(b"\n", begin) > self.received.count(LINE_END, max(begin - 1, 0))
        return bare or len(self.received) >= HEAD_BYTES_MAX


def _message(config: Any, head: bytes, client: Any) -> Any:
    """gunicorn's request from a head. Raises ParseException."""
    try:
        message = Request(config, HeldBytes(head), client)
    except NoMoreData as unended:
        raise LimitRequestHeaders("the head has no end") from unended
    named = {name: [value for other, value in message.headers if other == name] for name in STRICTLY}
    # RFC 9112, section 3.2: without it, or with two, a proxy and we could mean different servers.
    if message.version == (1, 1) and len(named["HOST"]) != 1:
        raise InvalidHeader("HOST")
    # Whatever else the body was packed in, nothing here would unpack it.
    if [coding.strip().lower() for coding in named["TRANSFER-ENCODING"]] not in ([], ["chunked"]):
        raise InvalidHeader("TRANSFER-ENCODING")
    return message


class _Body(ABC):
    """A body as far as it has come."""

    def __init__(self) -> None:
        self.decoded = bytearray()
        self.is_too_large = False

    @abstractmethod
    def advance(self, received: bytearray) -> bool:
        """Take what belongs to the body from the front; whether it has ended, or is too large to be read."""


class _SizedBody(_Body):
    """A body of a length that the head tells, none included."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._length = length
        self.is_too_large = length > BODY_BYTES_MAX

    def advance(self, received: bytearray) -> bool:
        # The view refuses it by the length that the head tells: nothing of it needs to be held.
        if self.is_too_large:
            return True
        taken = received[: self._length - len(self.decoded)]
        del received[: len(taken)]
        self.decoded += taken
        return len(self.decoded) == self._length


class _ChunkedBody(_Body):
    """A body in chunks (RFC 9112, section 7.1); its trailers are checked and dropped."""

    def __init__(self, message: Any) -> None:
        super().__init__()
        self._message = message
        self._framing = 0
        # What comes next: a chunk's size line (None), the rest of a chunk with its line end, or the trailers (0).
        self._left: int | None = None

    def advance(self, received: bytearray) -> bool:
        at, ended = 0, False
        while not ended:
            step, ended = self._step(received, at)
            if not step:
                break
            at += step
            if len(self.decoded) > BODY_BYTES_MAX or self._framing > FRAMING_BYTES_MAX:
                self.is_too_large = ended = True
                # One byte more than is allowed: no head tells the view that the body is too large, but this does.
                self.decoded += bytes(BODY_BYTES_MAX + 1 - len(self.decoded))
        del received[:at]
        return ended

    def _step(self, received: bytearray, at: int) -> tuple[int, bool]:
        """How many bytes the next part took, none where more must come first; whether the body has ended."""
        if self._left is None:
            return self._size_line(received, at), False
        if self._left == 0:
            size = self._trailers(received, at)
            return size, size > 0
        if self._left > len(LINE_END):
            return self._data(received, at, self._left - len(LINE_END)), False
        return self._data_end(received, at), False

    def _size_line(self, received: bytearray, at: int) -> int:
        end = received.find(LINE_END, at, at + SIZE_LINE_BYTES_MAX)
        if end < 0:
            if len(received) - at >= SIZE_LINE_BYTES_MAX or b"\n" in received[at:]:
                raise InvalidChunkSize(b"a line without an end")
            return 0
        read = _SIZE_LINE.fullmatch(received, at, end)
        if read is None:
            raise InvalidChunkSize(b"no size")
        size = int(read[1], 16)
        self._left = size + len(LINE_END) if size else 0
        return self._framed(end - at + len(LINE_END))

    def _data(self, received: bytearray, at: int, wanted: int) -> int:
        # Of a chunk of any announced size no more than one byte too many is ever held.
        wanted = min(wanted, BODY_BYTES_MAX + 1 - len(self.decoded))
        taken = received[at : at + wanted]
        self.decoded += taken
        assert self._left is not None
        self._left -= len(taken)
        return len(taken)

    def _data_end(self, received: bytearray, at: int) -> int:
        found = received[at : at + len(LINE_END)]
        if not LINE_END.startswith(found):
            raise ChunkMissingTerminator(b"")
        if len(found) < len(LINE_END):
            return 0
        self._left = None
        return self._framed(len(LINE_END))

    def _trailers(self, received: bytearray, at: int) -> int:
        if received.startswith(LINE_END, at):
            return len(LINE_END)
        end = received.find(HEAD_END, at, at + TRAILER_BYTES_MAX)
        if end < 0:
            if len(received) - at >= TRAILER_BYTES_MAX:
                raise LimitRequestHeaders("the trailers have no end")
            if received.count(b"\n", at) > received.count(LINE_END, at):
                raise InvalidHeader("bare LF as line terminator")
            return 0
        self._message.parse_headers(bytes(received[at:end]), from_trailer=True)
        return end - at + len(HEAD_END)

    def _framed(self, size: int) -> int:
        self._framing += size
        return size


__all__ = ["ParseException", "RequestGatherer"]
