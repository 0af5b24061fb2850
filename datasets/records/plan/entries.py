"""One value of a processing plan with its place in the text: read as one type, or a fault is noted there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from datasets.descriptor.yamltext import (
    BOOLEANS,
    DECIMAL,
    INTEGER,
    Faulty,
    Path_,
    Tree,
    YamlScalar,
    is_plain,
    shown,
)


class PlanError(Faulty):
    """A processing plan that cannot be run; `faults` holds every reason found, in the order of the text."""

    code = "bad_plan"


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """A value of the plan. What cannot be read is noted in the tree and read as something harmless."""

    tree: Tree
    content: Any
    path: Path_ = ()

    def fault(self, message: str, *, key: bool = False) -> None:
        """Note what is wrong with this value, or with its key."""
        self.tree.fault(self.path, message, key=key)

    @property
    def is_text(self) -> bool:
        """Whether this is a single value."""
        return isinstance(self.content, YamlScalar)

    @property
    def is_mapping(self) -> bool:
        """Whether this has keys."""
        return isinstance(self.content, dict)

    @property
    def is_null(self) -> bool:
        """Whether nothing was written."""
        return isinstance(self.content, YamlScalar) and self.content.is_null

    def members(self, *known: str) -> dict[str, "PlanEntry"]:
        """The members of a mapping whose keys are all known."""
        given = self.entries()
        for key in given.keys() - set(known):
            given.pop(key).fault(f"unknown key {shown(key)}; known here: {', '.join(known)}", key=True)
        return given

    def entries(self) -> dict[str, "PlanEntry"]:
        """The members of a mapping with keys of the caller's own."""
        if not isinstance(self.content, dict):
            self.fault("must be a mapping")
            return {}
        return {key: PlanEntry(self.tree, value, (*self.path, key)) for key, value in self.content.items()}

    def items(self) -> list["PlanEntry"]:
        """The members of a list."""
        if not isinstance(self.content, list):
            self.fault("must be a list")
            return []
        return [PlanEntry(self.tree, item, (*self.path, place)) for place, item in enumerate(self.content)]

    def text(self) -> str:
        """Any text that is not empty."""
        if not isinstance(self.content, YamlScalar) or not self.content:
            self.fault("must be text")
            return ""
        return str(self.content)

    def choice(self, *allowed: str) -> str:
        """One of some words."""
        if self.content not in allowed or not self.is_text:
            self.fault(f"must be one of {', '.join(allowed)}")
            return allowed[0]
        return str(self.content)

    def whole(self, *, least: int) -> int:
        """A whole number, written as one: "5" in quotes is a text."""
        if not is_plain(self.content, INTEGER):
            self.fault(f"must be a whole number{self._instead()}")
            return least
        if (number := int(self.content)) < least:
            self.fault(f"must be at least {least}, not {number}")
        return max(number, least)

    def number(self, *, least: float = 0.0, most: float = float("inf")) -> float:
        """A decimal number in plain notation."""
        if not is_plain(self.content, DECIMAL):
            self.fault(f"must be a number such as 0.05{self._instead()}")
            return least
        number = float(self.content)
        if not least <= number <= most:
            bounds = f"at least {least:g}" if most == float("inf") else f"between {least:g} and {most:g}"
            self.fault(f"must be {bounds}, not {self.content}")
            return least
        return number

    def flag(self) -> bool:
        """true or false."""
        if not (self.is_text and self.content.plain and self.content in BOOLEANS):
            self.fault(f"must be true or false{self._instead()}")
            return False
        return bool(self.content == "true")

    def plain(self) -> Any:
        """The value as numbers, booleans, None, texts, lists and dicts, for those who read it further."""
        return typed(self.content)

    def _instead(self) -> str:
        if not isinstance(self.content, YamlScalar):
            return ""
        kind = "nothing" if self.is_null else f"the text {shown(self.content)}"
        return f", not {kind}"


def entry_of(text: str) -> PlanEntry:
    """The whole of a plan's text; raises PlanError where it isn't YAML of the plain kind."""
    tree = Tree("a plan", PlanError)
    return PlanEntry(tree, tree.read(text))


def typed(content: Any) -> Any:
    """Scalars without quotes as what they look like, codes such as 01101 and everything else as text."""
    if isinstance(content, dict):
        return {key: typed(value) for key, value in content.items()}
    if isinstance(content, list):
        return [typed(value) for value in content]
    return _scalar(content)


_PADDED = re.compile(r"-?0[0-9]")


def _scalar(scalar: YamlScalar) -> str | int | float | bool | None:
    if scalar.is_null:
        return None
    if _PADDED.match(scalar):
        return str(scalar)
    if is_plain(scalar, INTEGER):
        return int(scalar)
    if is_plain(scalar, DECIMAL):
        return float(scalar)
    return scalar == "true" if scalar.plain and scalar in BOOLEANS else str(scalar)


def texts(entries: list[PlanEntry]) -> Iterator[str]:
    """Each value of a list as the text that was written, numbers included."""
    for entry in entries:
        if not isinstance(entry.content, YamlScalar):
            entry.fault("must be a single value")
        else:
            yield str(entry.content)
