"""Requests gathered from pieces: the same as from the whole, and what is no HTTP/1.1 is refused."""

import random
from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.parser import RequestParser

from api.http.wire import BODY_BYTES_MAX
from api.server.gathering import RequestGatherer

HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
CLIENT = ("127.0.0.1", 1)
CONFIG = Config()
SEEDS = range(20)


def sized(body: bytes, told: str | None = None) -> bytes:
    return HEAD + f"Content-Length: {len(body) if told is None else told}\r\n\r\n".encode() + body


def gathered(pieces: list[bytes]) -> RequestGatherer:
    """The first request of these pieces, which must be whole before they end."""
    request = RequestGatherer(CONFIG, CLIENT)
    for place, piece in enumerate(pieces):
        request.received += piece
        if request.advance():
            request.received += b"".join(pieces[place + 1 :])
            return request
    raise AssertionError("not whole")


def cut(whole: bytes, seed: int) -> list[bytes]:
    """The same bytes in random pieces."""
    source, pieces, at = random.Random(seed), [], 0
    while at < len(whole):
        size = source.choice([1, 1, 2, 3, 5, 17, 1 << 16])
        pieces.append(whole[at : at + size])
        at += size
    return pieces


def as_gunicorn_reads(whole: bytes) -> tuple[str, bytes, bytes]:
    """Method, body and rest by gunicorn's own reader, which waits for what is lacking."""
    parser = RequestParser(CONFIG, iter([whole]), CLIENT)
    message = next(parser)
    return message.method, message.body.read(), parser.unreader.take_buffered()


WHOLE = {
    "no body": NEXT,
    "a length": sized(b"{}"),
    "no length": HEAD + b"\r\n",
    "a line before": b"\r\n" + NEXT,
    "chunks": CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
    "many chunks": CHUNKED + b"".join(b"1\r\nx\r\n" for _ in range(20)) + b"0\r\n\r\n",
    "large letters": CHUNKED + b"0A\r\n0123456789\r\n00\r\n\r\n",
    "extensions": CHUNKED + b'3;a=b;c="d;\\"e"\r\nabc\r\n0;last\r\n\r\n',
    "trailers": CHUNKED + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n",
    "nothing in chunks": CHUNKED + b"0\r\n\r\n",
}
BROKEN = {
    "letters for a size": CHUNKED + b"zz\r\n",
    "a sign": CHUNKED + b"-1\r\nx\r\n0\r\n\r\n",
    "another sign": CHUNKED + b"+1\r\nx\r\n0\r\n\r\n",
    "a prefix": CHUNKED + b"0x1\r\nx\r\n0\r\n\r\n",
    "an underline": CHUNKED + b"1_0\r\nx\r\n0\r\n\r\n",
    "a space": CHUNKED + b" 1\r\nx\r\n0\r\n\r\n",
    "no size": CHUNKED + b"\r\nx\r\n",
    "a size of a page": CHUNKED + b"0" * 2_000,
    "more digits than any size has": CHUNKED + b"0" * 20 + b"1\r\nx\r\n0\r\n\r\n",
    "a size line that ends bare": CHUNKED + b"1\nx\n0\n\n",
    "a chunk longer than told": CHUNKED + b"1\r\nxy\r\n0\r\n\r\n",
    "an extension that is none": CHUNKED + b"1;=\r\nx\r\n0\r\n\r\n",
    "a length as a trailer": CHUNKED + b"0\r\nContent-Length: 3\r\n\r\n",
    "a trailer that is none": CHUNKED + b"0\r\nnothing\r\n\r\n",
    "a trailer that ends bare": CHUNKED + b"0\r\nA: b\nC: d",
    "trailers without an end": CHUNKED + b"0\r\n" + b"A: b\r\n" * 2_000,
    "a length and chunks": HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "two lengths in one": sized(b"x", "1, 1"),
    "a length with a sign": sized(b"x", "+1"),
    "a length below nothing": sized(b"x", "-1"),
    "a length in hex": sized(b"x", "0x1"),
    "a length that is no number": sized(b"x", "²"),
    "a length of five thousand digits": sized(b"x", "9" * 5_000),
    "an unknown coding": HEAD + b"Transfer-Encoding: br\r\n\r\n",
    "chunks twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
    "chunks, then another": HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
    "a coding without chunks": HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
    "chunks of the old version": CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a folded header": HEAD + b"A: b\r\n c\r\n\r\n",
    "a header with a space": HEAD + b"A : b\r\n\r\n",
    "a header without a name": HEAD + b": b\r\n\r\n",
    "a header that is none": HEAD + b"nothing\r\n\r\n",
    "NUL": HEAD + b"A: \x00\r\n\r\n",
    "a coding before the chunks": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n",
    "two hosts": HEAD + b"Host: y\r\n\r\n",
    "an expectation that nobody knows": HEAD + b"Expect: miracles\r\n\r\n",
    "lines that end bare": b"GET / HTTP/1.1\nHost: x\n\n",
    "a head that ends bare": HEAD + b"A: b\n",
    "a head without an end": HEAD + b"".join(b"A%d: %s\r\n" % (n, b"b" * 1_000) for n in range(70)),
    "many headers": HEAD + b"A: b\r\n" * 100 + b"\r\n",
    "a long header": HEAD + b"A: " + b"b" * 10_000 + b"\r\n\r\n",
    "a long line": b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n",
    "a version to come": b"GET / HTTP/2.0\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "no request": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\r\n\r\n",
    "empty lines": b"\r\n\r\n\r\n",
}


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_a_request_in_any_pieces_is_what_gunicorn_reads_in_one(whole: bytes) -> None:
    method, body, rest = as_gunicorn_reads(whole + NEXT)
    for seed in SEEDS:
        request = gathered(cut(whole + NEXT, seed))
        assert (request.message.method, request.message.body.read(), bytes(request.received)) == (
            method,
            body,
            rest,
        )


@pytest.mark.parametrize("whole", BROKEN.values(), ids=BROKEN)
def test_what_is_no_request_is_refused_in_any_pieces(whole: bytes) -> None:
    for seed in SEEDS:
        with pytest.raises(ParseException):
            gathered(cut(whole, seed))


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_no_part_of_a_request_is_whole_or_refused(whole: bytes) -> None:
    for size in range(len(whole)):
        request = RequestGatherer(CONFIG, CLIENT, whole[:size])
        assert not request.advance()


def mutated(seed: int) -> Iterator[bytes]:
    """Chunked bodies with a few bytes changed, dropped or doubled."""
    source, body = random.Random(seed), b"5\r\nabcde\r\n1A;x=y\r\n" + b"z" * 26 + b"\r\n0\r\nA: b\r\n\r\n"
    for _ in range(200):
        made = bytearray(body)
        for _ in range(source.choice([1, 1, 2])):
            at = source.randrange(len(made))
            made[at : at + 1] = source.choice(
                [b"", b"\n", b"\r\n", b"0", b"f", b";", b" ", made[at : at + 1] * 2]
            )
        yield bytes(made)


def test_bodies_in_chunks_are_taken_and_refused_as_gunicorn_does() -> None:
    differing = []
    for body in mutated(seed=7):
        try:
            as_gunicorn = as_gunicorn_reads(CHUNKED + body)[1]
        except ParseException:
            as_gunicorn = None
        except NoMoreData:
            continue  # whether more bytes could mend it, one that waits can see as little as one that does not
        try:
            request = RequestGatherer(CONFIG, CLIENT, CHUNKED + body)
            ours = request.message.body.read() if request.advance() else None
        except ParseException:
            ours = None
        if ours != as_gunicorn:
            differing.append((body, ours, as_gunicorn))
    assert differing == []


@pytest.mark.parametrize(
    "whole",
    [
        sized(b"", str(BODY_BYTES_MAX + 1)),
        sized(b"", "9" * 4_000),
        CHUNKED + b"%x\r\n" % (BODY_BYTES_MAX + 2) + b"x" * (BODY_BYTES_MAX + 1),
        CHUNKED + b"ffffffffffffffff\r\n" + b"x" * (BODY_BYTES_MAX + 1),
        CHUNKED + b"1;aaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n" * 40_000,
    ],
    ids=["told", "told in digits", "in a chunk", "in an endless chunk", "in framing"],
)
def test_of_a_body_that_is_too_large_no_more_is_held_than_shows_it(whole: bytes) -> None:
    request = RequestGatherer(CONFIG, CLIENT)
    for at in range(0, len(whole), 1 << 16):
        request.received += whole[at : at + (1 << 16)]
        whole_now = request.advance()
        assert request.size <= BODY_BYTES_MAX + (1 << 16) + 1
        if whole_now:
            break
    assert whole_now
    assert request.message.should_close()
    told = dict(request.message.headers).get("CONTENT-LENGTH")
    assert told is not None or len(request.message.body.read()) == BODY_BYTES_MAX + 1


def test_a_body_of_the_largest_size_is_taken() -> None:
    request = gathered(
        cut(CHUNKED + b"%x\r\n" % BODY_BYTES_MAX + b"x" * BODY_BYTES_MAX + b"\r\n0\r\n\r\n", 3)
    )
    assert len(request.message.body.read()) == BODY_BYTES_MAX
    assert not request.message.should_close()
