"""Bytes to JSON: strictly, within limits, and never slowly."""

import json
import time
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.http.wire import (
    BODY_BYTES_MAX,
    DEPTH_MAX,
    DIGITS_MAX,
    MalformedJson,
    Unreadable,
    at,
    canonical,
    escaped,
    parse,
    quoted,
    surrogate_at,
)

SMALL = settings(deadline=None, derandomize=True, max_examples=80)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(max_size=8).map(
        lambda text: text.encode("utf-8", "ignore").decode()
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab~/", max_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
SLOW_S = 1.0
"""Of CPU, not of the clock: other programs on the machine make nothing of this slow."""


def refused(body: bytes) -> str:
    started = time.process_time()
    with pytest.raises(MalformedJson) as refusal:
        parse(body)
    assert time.process_time() - started < SLOW_S
    return refusal.value.reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[" * 100_000, "too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b'[{"a":' * 50_000 + b"1" + b"}]" * 50_000, "too_deep"),
        (b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), "too_deep"),
        (b'{"a":1,"a":1}', "duplicate_key"),
        (b'{"a":1,"\\u0061":2}', "duplicate_key"),
        (b'[{"b":{"a":null,"a":null}}]', "duplicate_key"),
        (b'"\\ud800"', "lone_surrogate"),
        (b'{"\\udfff":1}', "lone_surrogate"),
        (b'[["\\ud83d\\u0020\\ude00"]]', "lone_surrogate"),
        (b'{"' + b"~" * 8_001 + b'":1}', "name_too_long"),
        (b"[" + b",".join([b'{"a":1}'] * 50_001) + b"]", "too_many_members"),
        (b"NaN", "not_a_json_number"),
        (b"[Infinity]", "not_a_json_number"),
        (b'{"a":-Infinity}', "not_a_json_number"),
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"[1,]", "not_json"),
        (b"{'a':1}", "not_json"),
        (b"01", "not_json"),
        (b"+1", "not_json"),
        (b".5", "not_json"),
        (b"1 2", "not_json"),
        (b'"\n"', "not_json"),
        (b'"\x00"', "not_json"),
        (b"\xef\xbb\xbf1", "not_json"),
        (b"\xff", "not_utf8"),
        (b'"\xed\xa0\x80"', "not_utf8"),
        (b"\xfe\xff\x001", "not_utf8"),
        (b'"' + b"\\" * 100_000, "not_json"),
        (b'"' * 99_999, "not_json"),
    ],
    ids=lambda value: repr(value[:12]) if isinstance(value, bytes) else value,
)
def test_what_is_not_strictly_json_is_refused_at_once(body: bytes, reason: str) -> None:
    assert refused(body) == reason


@pytest.mark.parametrize(
    "text",
    ["1e5", "1E5", "1e999", "-1e-5", "1.0e0", "9" * (DIGITS_MAX + 1), "9" * 5_000, "0." + "1" * 5_000,
     "-" + "1" * 4_299, "1" + "0" * 100_000],
    ids=lambda text: text[:8],
)  # fmt: skip
def test_numbers_in_exponent_notation_or_without_end_are_unreadable(text: str) -> None:
    started = time.process_time()
    read = parse(f'{{"a":{text}}}'.encode())["a"]
    assert isinstance(read, Unreadable)
    assert read.text.rstrip("…") == text[:DIGITS_MAX]
    assert time.process_time() - started < SLOW_S


def test_the_largest_body_is_read_quickly() -> None:
    body = b"[" + b"1," * (BODY_BYTES_MAX // 2 - 2) + b"1]"
    started = time.process_time()
    assert len(parse(body)) == BODY_BYTES_MAX // 2 - 1
    assert time.process_time() - started < 2 * SLOW_S


@pytest.mark.parametrize("unit", [b'{"a":', b'"\\"', b"[[[]", b'"[', b"}{"], ids=repr)
def test_no_pattern_of_a_megabyte_is_slow(unit: bytes) -> None:
    assert refused(unit * (BODY_BYTES_MAX // len(unit))) in ("too_deep", "not_json")


def test_many_members_are_refused_quickly() -> None:
    members = ",".join(f'"{number}":0' for number in range(60_000))
    assert refused(f'{{{members},"0":0}}'.encode()) == "too_many_members"


def test_a_name_is_not_copied_for_each_of_the_many_items_below_it() -> None:
    """40,000 copies of two megabytes took more than six seconds of CPU."""
    below = {"😀" + "~" * 500_000: [1] * 40_000}
    started = time.process_time()
    assert surrogate_at(below) is None
    assert time.process_time() - started < SLOW_S


def test_half_a_character_is_told_with_its_place() -> None:
    with pytest.raises(MalformedJson) as refusal:
        parse(b'{"a":[1,{"b~/":["x",{"c":"\\ud800"}]}]}')
    assert refusal.value.pointer == "/a/1/b~0~1/1/c"


def test_brackets_inside_strings_are_not_depth() -> None:
    assert parse(b'"' + b"[" * 1_000 + b'"') == "[" * 1_000
    assert parse(b'"\\"' + b"[" * 1_000 + b'"') == '"' + "[" * 1_000


def test_the_deepest_allowed_value_is_read() -> None:
    assert parse(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX) is not None


def test_numbers_keep_their_decimal_meaning() -> None:
    assert parse(b"0.1") == Decimal("0.1")
    assert type(parse(b"1")) is int
    assert parse(b"-0").is_signed()
    assert parse(b"9" * DIGITS_MAX) == int("9" * DIGITS_MAX)


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert parse(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


@SMALL
@given(JSON)
def test_ordinary_json_reads_as_it_was_meant(value) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@SMALL
@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_but_a_refusal(body: bytes) -> None:
    with suppress(MalformedJson):
        parse(body)


@SMALL
@given(st.text(max_size=10), JSON)
def test_a_pointer_finds_what_stands_there(name: str, value) -> None:
    assert at({name: [value]}, f"/{escaped(name)}/0") == value


@pytest.mark.parametrize("pointer", ["/b", "/a/2", "/a/x", "/a/0/0", "/a/-1"])
def test_where_nothing_stands_a_pointer_finds_nothing(pointer: str) -> None:
    assert at({"a": [1, 2]}, pointer) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [(b'{"a":1,"b":[2]}', b'{ "b" : [2], "a" : 1 }'), (b"0.50", b"0.5"), (b'"\\u3042"', '"あ"'.encode())],
)
def test_the_same_question_has_one_canonical_text(one: bytes, other: bytes) -> None:
    assert canonical(parse(one)) == canonical(parse(other))


@pytest.mark.parametrize("other", [b'{"a":"1"}', b'{"a":[1]}', b'{"a":1.5}', b'{"b":1}', b'{"a":null}'])
def test_different_questions_have_different_canonical_texts(other: bytes) -> None:
    assert canonical(parse(b'{"a":1}')) != canonical(parse(other))


@pytest.mark.parametrize("value", ["x" * 10_000, list(range(10_000)), {"a": 1}, "\ud800", 10**39, None, True])
def test_what_is_quoted_back_is_short_and_can_be_sent(value: object) -> None:
    assert len(quoted(value).encode()) <= 400
