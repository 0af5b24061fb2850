"""Bytes → JSON values, strictly and within limits, before anything else looks at a request.

Refuses what lenient parsers let through: deep nesting, duplicate keys, NaN, lone surrogates, endless digits.
Numbers keep their decimal meaning: whole numbers are int, others Decimal; a number in exponent notation or
with too many digits becomes `Unreadable`, which no field accepts, so that the refusal can name its place.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

import numpy as np

from privacy.refusal import Refusal
from privacy.words import Words

BODY_BYTES_MAX = 1 << 20
DEPTH_MAX = 32
DIGITS_MAX = 40
MEMBERS_MAX, NAME_CHARACTERS_MAX = 50_000, 8_000
QUOTE_LENGTH_MAX, QUOTED_PARTS_LENGTH_MAX = 80, 160
SHOWN_MAX, LEVELS_SHOWN_MAX = 4, 4
"""Of an object or a list that is quoted so many members, and so many levels, are shown."""
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


class MalformedJson(Refusal, ValueError):
    """The body is not JSON as this server reads it; `reason` is a code of the message catalogue."""

    code = "malformed_json"
    words = Words(ja="JSON として読めません（{reason}）", en="not readable as JSON ({reason})")

    def __init__(
        self, reason: str, *, pointer: str = "", given: object = None, expected: object = None
    ) -> None:
        super().__init__()
        self.reason, self.pointer, self.given, self.expected = reason, pointer, given, expected


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A JSON number that is no plain decimal of reasonable length; `text` quotes its beginning."""

    text: str


def parse(body: bytes) -> Any:
    """Read one JSON value. Raises MalformedJson."""
    # Before json.loads, which recurses: deep nesting would exhaust the stack of the thread.
    if _depth(body) > DEPTH_MAX:
        raise MalformedJson("too_deep", expected=DEPTH_MAX)
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text,
            parse_int=_whole,
            parse_float=_decimal,
            parse_constant=_constant,
            object_pairs_hook=_Members(),
        )
    except UnicodeDecodeError as fault:
        raise MalformedJson("not_utf8", given=fault.start) from fault
    except json.JSONDecodeError as fault:
        raise MalformedJson("not_json", given=f"{fault.lineno}:{fault.colno}") from fault
    if (found := surrogate_at(value)) is not None:
        raise MalformedJson(
            "lone_surrogate", pointer="".join(f"/{escaped(name)}" for name in reversed(found))
        )
    return value


def _depth(body: bytes) -> int:
    """The deepest nesting outside of strings; for a body with few brackets, their number will do."""
    if (brackets := body.count(b"[") + body.count(b"{")) <= DEPTH_MAX:
        return brackets
    bare = np.frombuffer(_STRING.sub(b"", body), dtype=np.uint8)
    opened = np.isin(bare, np.frombuffer(b"[{", dtype=np.uint8)).astype(np.int64)
    closed = np.isin(bare, np.frombuffer(b"]}", dtype=np.uint8)).astype(np.int64)
    return int(np.cumsum(opened - closed).max(initial=0))


def _whole(text: str) -> int | Decimal | Unreadable:
    # int() of n digits takes n² steps; one long number would hold a worker.
    if len(text) > DIGITS_MAX:
        return Unreadable(f"{text[:DIGITS_MAX]}…")
    # An int has no negative zero, and the digest of a question must not confuse it with 0.
    return Decimal(text) if text == "-0" else int(text)


def _decimal(text: str) -> Decimal | Unreadable:
    if len(text) > DIGITS_MAX:
        return Unreadable(f"{text[:DIGITS_MAX]}…")
    return Unreadable(text) if "e" in text or "E" in text else Decimal(text)


def _constant(text: str) -> Any:
    raise MalformedJson("not_a_json_number", given=text)


class _Members:
    """Reads the objects of one body, whose members are counted over all of it."""

    def __init__(self) -> None:
        self._left = MEMBERS_MAX

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self._left -= len(pairs)
        # Each unknown member is told with its place, and no question has so many.
        if self._left < 0:
            raise MalformedJson("too_many_members", expected=MEMBERS_MAX)
        members = dict(pairs)
        # Parsers disagree on which of two equal names counts: a proxy might check one budget and we charge the other.
        if len(members) < len(pairs):
            raise MalformedJson("duplicate_key", given=quoted(_repeated(pairs)))
        for name in members:
            if len(name) > NAME_CHARACTERS_MAX:
                raise MalformedJson("name_too_long", given=quoted(name), expected=NAME_CHARACTERS_MAX)
        return members


def _repeated(pairs: list[tuple[str, Any]]) -> str:
    """The first name that stands twice; there is one."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            break
        seen.add(name)
    return name


def surrogate_at(value: Any) -> list[str] | None:
    """Where half a character stands: the names and places that lead to it, innermost first; None if nowhere.

    Names and places are gathered on the way back from a find. Kept on the way in, a long name would be copied for
    each of the many items below it.
    """
    inner: Iterable[tuple[object, Any]] = ()
    match value:
        case str():
            return [] if _SURROGATE.search(value) else None
        case dict():
            if any(_SURROGATE.search(name) for name in value):
                return []
            inner = value.items()
        case list():
            inner = enumerate(value)
    for name, member in inner:
        if (found := surrogate_at(member)) is not None:
            return [*found, str(name)]
    return None


def escaped(name: str) -> str:
    """A member name as a part of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def at(value: Any, pointer: str) -> Any:
    """What the caller sent at a JSON Pointer; None where nothing stands."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def quoted(value: Any) -> str:
    """A caller's value as short JSON-like text that is safe to repeat in a message.

    Of objects and lists as many levels are shown as fit into QUOTED_PARTS_LENGTH_MAX characters.
    """
    if not isinstance(value, dict | list | tuple):
        return _quoted(value, 0)
    for levels in range(LEVELS_SHOWN_MAX, 0, -1):
        text = _quoted(value, levels)
        if len(text) <= QUOTED_PARTS_LENGTH_MAX:
            return text
    return f"{text[:QUOTED_PARTS_LENGTH_MAX]}…"


def _quoted(value: Any, levels: int) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Unreadable(text):
            return text
        case Decimal() | int():
            text = str(value)
        case str():
            # Cut before it is escaped: a member may be as long as a body.
            cut = value[: QUOTE_LENGTH_MAX + 1].encode("utf-8", "backslashreplace").decode("utf-8")
            text = json.dumps(cut, ensure_ascii=False)
        case dict():
            return _members(value, levels)
        case list() | tuple():
            return _items(value, levels)
        case _:
            text = str(value)
    return text if len(text) <= QUOTE_LENGTH_MAX else f"{text[:QUOTE_LENGTH_MAX]}…"


def _members(value: dict[str, Any], levels: int) -> str:
    """An object with its first members, or {…} below the last level that is shown."""
    if not levels and value:
        return "{…}"
    inner = [
        f"{_quoted(name, 0)}: {_quoted(member, levels - 1)}"
        for name, member in islice(value.items(), SHOWN_MAX)
    ]
    return f"{{{', '.join([*inner, *(['…'] if len(value) > SHOWN_MAX else [])])}}}"


def _items(value: list[Any] | tuple[Any, ...], levels: int) -> str:
    """A list with its first items, or […] below the last level that is shown."""
    if not levels and value:
        return "[…]"
    inner = [_quoted(item, levels - 1) for item in value[:SHOWN_MAX]]
    return f"[{', '.join([*inner, *(['…'] if len(value) > SHOWN_MAX else [])])}]"


class NotCanonical(Refusal, ValueError):
    """The value holds a number that nothing accepts."""

    code = "not_canonical"
    words = Words(ja="どの項目でも使えない数値があります", en="a number that no field accepts")


def canonical(value: Any) -> str:
    """A JSON value as canonical text: sorted names, no spaces, decimals as written without trailing zeros.

    Raises NotCanonical where a number is Unreadable.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Unreadable):
        raise NotCanonical
    # As text: 1.0 and 1 are one number to whoever asks, and must be one question to a retry.
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value


def dumps(value: Any) -> bytes:
    """A JSON answer: UTF-8, Japanese as it is read, no NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(", ", ": ")).encode()
