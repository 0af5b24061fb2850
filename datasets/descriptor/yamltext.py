"""Reads YAML that people wrote into nested dicts, lists and texts, knowing the line and column of each.

Refuses what could grow, run or hide (anchors, aliases, tags, merge keys, duplicate keys, further documents) and
leaves every scalar as text, so that whoever knows the type of a value decides what it means.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from privacy.refusal import Refusal
from privacy.words import Words

TEXT_BYTES_MAX = 1 << 20
DEPTH_MAX = 8
EVENTS_MAX = 400_000
FAULTS_MAX = 100

INTEGER = re.compile(r"-?[0-9]{1,30}", re.ASCII)
DECIMAL = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?", re.ASCII)
NULLS = frozenset({"", "~", "null"})
BOOLEANS = frozenset({"true", "false"})

Path_ = tuple[str | int, ...]
# libyaml is about ten times faster; both loaders give the same events and marks.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a text: where in it (from 1), at which path, and why."""

    line: int
    column: int
    path: str
    message: Words

    def placed(self) -> Words:
        """The message behind its place."""
        ja, en = (f"{self.path}：", f"{self.path}: ") if self.path else ("", "")
        return Words(
            ja=f"{self.line} 行目 {self.column} 文字目：{ja}{self.message.ja}",
            en=f"line {self.line}, column {self.column}: {en}{self.message.en}",
        )

    def __str__(self) -> str:
        return self.placed().en


def _in_the_text(fault: Fault) -> tuple[int, int, str, str]:
    return fault.line, fault.column, fault.path, fault.message.en


class Faulty(Refusal, ValueError):
    """A text that cannot be used; `faults` holds every reason found, in the order of the text."""

    code = "faulty_text"

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = sorted(faults, key=_in_the_text)[:FAULTS_MAX]
        placed = [fault.placed() for fault in self.faults]
        super().__init__(
            Words(ja="\n".join(one.ja for one in placed), en="\n".join(one.en for one in placed))
        )


class YamlScalar(str):
    """The text of a YAML scalar; `plain` when it was written without quotes."""

    plain: bool = False

    @classmethod
    def of(cls, node: yaml.ScalarNode) -> "YamlScalar":
        scalar = cls(node.value)
        scalar.plain = not node.style  # libyaml says "" where Python says None
        return scalar

    @property
    def is_null(self) -> bool:
        """Whether nothing was written."""
        return self.plain and self in NULLS


def is_plain(value: Any, pattern: re.Pattern[str]) -> bool:
    """Whether a value is a scalar without quotes that looks like the pattern."""
    return isinstance(value, YamlScalar) and value.plain and pattern.fullmatch(value) is not None


def dotted(path: Path_) -> str:
    """A path as people write it: columns.age.values[2]."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def shown(text: str) -> str:
    """What the caller wrote, quoted and not too long."""
    return repr(str(text) if len(text) <= 80 else text[:77] + "…")


@dataclass(slots=True)
class Tree:
    """Where each value and each key stands in one text, and the faults found so far.

    `noun` is what the text is ("a descriptor", 「データ定義ファイル」) and `refusal` the error that its faults become.
    """

    noun: Words
    refusal: type[Faulty]
    values: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def read(self, text: str) -> Any:
        """Nested dicts, lists and Scalars; raises every fault of the text as YAML."""
        self._refuse_dangerous(text)
        content = self._content_of(self._compose(text))
        self.raise_faults()
        return content

    def fault(self, path: Path_, message: Words, *, key: bool = False) -> None:
        """Note a fault at the value of a path, or at its key."""
        places = self.keys if key else self.values
        # A key that is missing has no place of its own; whoever holds it has.
        line, column = places.get(path) or self.values.get(path) or (1, 1)
        self.faults.append(Fault(line, column, dotted(path), message))

    def raise_faults(self) -> None:
        """Raise what was noted, if anything."""
        if self.faults:
            raise self.refusal(self.faults)

    # Text to nodes

    def _refuse_dangerous(self, text: str) -> None:
        """Refuse size, depth, aliases, anchors, tags and further documents before anything is built."""
        try:
            size_bytes = len(text.encode())
        except UnicodeEncodeError:
            raise self._at(None, _not_unicode(self.noun)) from None
        if size_bytes > TEXT_BYTES_MAX:
            raise self._at(None, _too_large(self.noun))
        depth = documents = 0
        for count, event in enumerate(self._events(text)):
            # Counted on events, of which no more exist than bytes: nothing that grows has been built yet.
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
            message = self._danger(event, depth=depth, documents=documents, count=count)
            if message is not None:
                raise self._at(event.start_mark, message)

    def _danger(self, event: yaml.Event, *, depth: int, documents: int, count: int) -> Words | None:
        if isinstance(event, yaml.AliasEvent):
            return Words(ja="エイリアス（*名前）は使えません", en="aliases (*name) are not allowed")
        if getattr(event, "anchor", None) is not None:
            return Words(ja="アンカー（&名前）は使えません", en="anchors (&name) are not allowed")
        if getattr(event, "tag", None) is not None:
            return Words(ja="タグ（!名前）は使えません", en="tags (!name) are not allowed")
        if documents > 1:
            return Words(
                ja=f"{self.noun.ja}は 1 つの YAML 文書です", en=f"{self.noun.en} is one YAML document"
            )
        if depth > DEPTH_MAX:
            return Words(ja=f"入れ子は {DEPTH_MAX} 段までです", en=f"nested deeper than {DEPTH_MAX} levels")
        return Words(ja="値が多すぎます", en="too many values") if count > EVENTS_MAX else None

    def _events(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=_Loader)
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from None

    def _compose(self, text: str) -> yaml.Node | None:
        try:
            return yaml.compose(text, Loader=_Loader)
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from None

    def _syntax_error(self, error: yaml.YAMLError) -> Faulty:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or "a character that YAML does not allow"
        # The parser's own sentence, which there is in English only; the place says most of it.
        ja = "YAML として読めません（字下げ、コロン、引用符や括弧の対応を確認してください）"
        return self._at(mark, Words(ja=ja, en=f"not valid YAML: {problem}"))

    def _at(self, mark: Any, message: Words) -> Faulty:
        line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        return self.refusal([Fault(line, column, "", message)])

    # Nodes to content

    def _content_of(self, node: yaml.Node | None, path: Path_ = ()) -> Any:
        """Nested dicts, lists and Scalars; notes places and faults on the way."""
        if node is None:
            self.fault(path, _empty(self.noun))
            return {}
        self.values[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._content_of(item, (*path, place)) for place, item in enumerate(node.value)]
        return self._mapping(node, path)

    def _scalar(self, node: yaml.ScalarNode, path: Path_) -> YamlScalar:
        if any(unicodedata.category(letter) == "Cc" for letter in node.value) and node.value != "\t":
            message = Words(
                ja="値に制御文字や改行は使えません",
                en="control characters and line breaks are not allowed in a value",
            )
            self.fault(path, message)
        return YamlScalar.of(node)

    def _mapping(self, node: yaml.Node, path: Path_) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = key_node.start_mark
            if not isinstance(key_node, yaml.ScalarNode):
                message = Words(ja="キーは文字列です", en="a key is plain text")
                self.faults.append(Fault(mark.line + 1, mark.column + 1, dotted(path), message))
                continue
            key = str(key_node.value)
            # The first one: a key that stands twice is a fault at its second place.
            self.keys.setdefault((*path, key), (mark.line + 1, mark.column + 1))
            if key == "<<":
                message = Words(ja="マージキー（<<）は使えません", en="merge keys (<<) are not allowed")
                self.fault((*path, key), message, key=True)
            elif key in content:
                message = Words(
                    ja=f"キー {shown(key)} が重複しています", en=f"the key {shown(key)} stands twice"
                )
                self.faults.append(Fault(mark.line + 1, mark.column + 1, dotted(path), message))
            else:
                content[key] = self._content_of(value_node, (*path, key))
        return content


def _not_unicode(noun: Words) -> Words:
    return Words(ja=f"{noun.ja}は UTF-8 の Unicode テキストです", en=f"{noun.en} is Unicode text in UTF-8")


def _too_large(noun: Words) -> Words:
    return Words(ja=f"{noun.ja}は 1 MiB までです", en=f"{noun.en} has at most 1 MiB")


def _empty(noun: Words) -> Words:
    return Words(ja=f"{noun.ja}が空です", en=f"the {noun.en.partition(' ')[2]} is empty")
