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
from privacy.words import words_of

TEXT_BYTES_MAX = 1 << 20
DEPTH_MAX = 8
EVENTS_MAX = 400_000
FAULTS_MAX = 100

INTEGER = re.compile(r"-?[0-9]{1,30}", re.ASCII)
DECIMAL = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?", re.ASCII)
NULLS = frozenset({"", "~", "null"})
BOOLEANS = frozenset({"true", "false"})

Path_ = tuple[str | int, ...]
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong with a text: where in it (from 1), at which path, and why."""

    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"line {self.line}, column {self.column}: {where}{self.message}"


class Faulty(Refusal, ValueError):
    """A text that cannot be used; `faults` holds every reason found, in the order of the text."""

    code = "faulty_text"

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = sorted(faults)[:FAULTS_MAX]
        super().__init__(words_of("\n".join(map(str, self.faults))))


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

    `noun` is what the text is ("a descriptor") and `refusal` the error that its faults become.
    """

    noun: str
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

    def fault(self, path: Path_, message: str, *, key: bool = False) -> None:
        """Note a fault at the value of a path, or at its key."""
        places = self.keys if key else self.values
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
            raise self._at(None, f"{self.noun} is Unicode text in UTF-8") from None
        if size_bytes > TEXT_BYTES_MAX:
            raise self._at(None, f"{self.noun} has at most 1 MiB")
        depth = documents = 0
        for count, event in enumerate(self._events(text)):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
            message = self._danger(event, depth=depth, documents=documents, count=count)
            if message:
                raise self._at(event.start_mark, message)

    def _danger(self, event: yaml.Event, *, depth: int, documents: int, count: int) -> str:
        if isinstance(event, yaml.AliasEvent):
            return "aliases (*name) are not allowed"
        if getattr(event, "anchor", None) is not None:
            return "anchors (&name) are not allowed"
        if getattr(event, "tag", None) is not None:
            return "tags (!name) are not allowed"
        if documents > 1:
            return f"{self.noun} is one YAML document"
        if depth > DEPTH_MAX:
            return f"nested deeper than {DEPTH_MAX} levels"
        return "too many values" if count > EVENTS_MAX else ""

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
        return self._at(mark, f"not valid YAML: {problem}")

    def _at(self, mark: Any, message: str) -> Faulty:
        line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        return self.refusal([Fault(line, column, "", message)])

    # Nodes to content

    def _content_of(self, node: yaml.Node | None, path: Path_ = ()) -> Any:
        """Nested dicts, lists and Scalars; notes places and faults on the way."""
        if node is None:
            self.fault(path, f"{_definite(self.noun)} is empty")
            return {}
        self.values[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._content_of(item, (*path, place)) for place, item in enumerate(node.value)]
        return self._mapping(node, path)

    def _scalar(self, node: yaml.ScalarNode, path: Path_) -> YamlScalar:
        if any(unicodedata.category(letter) == "Cc" for letter in node.value) and node.value != "\t":
            self.fault(path, "control characters and line breaks are not allowed in a value")
        return YamlScalar.of(node)

    def _mapping(self, node: yaml.Node, path: Path_) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = key_node.start_mark
            if not isinstance(key_node, yaml.ScalarNode):
                self.faults.append(Fault(mark.line + 1, mark.column + 1, dotted(path), "a key is plain text"))
                continue
            key = str(key_node.value)
            self.keys.setdefault((*path, key), (mark.line + 1, mark.column + 1))
            if key == "<<":
                self.fault((*path, key), "merge keys (<<) are not allowed", key=True)
            elif key in content:
                message = f"the key {shown(key)} stands twice"
                self.faults.append(Fault(mark.line + 1, mark.column + 1, dotted(path), message))
            else:
                content[key] = self._content_of(value_node, (*path, key))
        return content


def _definite(noun: str) -> str:
    return f"the {noun.partition(' ')[2]}"
