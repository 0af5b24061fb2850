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
from privacy.words import Words


class PlanError(Faulty):
    """A processing plan that cannot be run; `faults` holds every reason found, in the order of the text."""

    code = "bad_plan"


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """A value of the plan. What cannot be read is noted in the tree and read as something harmless."""

    tree: Tree
    content: Any
    path: Path_ = ()

    def fault(self, message: Words, *, key: bool = False) -> None:
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
        # Taken out too, so that nobody reads what has been refused.
        for key in given.keys() - set(known):
            message = Words(
                ja=f"不明なキー {shown(key)} です。使えるキー：{', '.join(known)}",
                en=f"unknown key {shown(key)}; known here: {', '.join(known)}",
            )
            given.pop(key).fault(message, key=True)
        return given

    def entries(self) -> dict[str, "PlanEntry"]:
        """The members of a mapping with keys of the caller's own."""
        if not isinstance(self.content, dict):
            self.fault(Words(ja="マッピングでなければなりません", en="must be a mapping"))
            return {}
        return {key: PlanEntry(self.tree, value, (*self.path, key)) for key, value in self.content.items()}

    def items(self) -> list["PlanEntry"]:
        """The members of a list."""
        if not isinstance(self.content, list):
            self.fault(Words(ja="リストでなければなりません", en="must be a list"))
            return []
        return [PlanEntry(self.tree, item, (*self.path, place)) for place, item in enumerate(self.content)]

    def text(self) -> str:
        """Any text that is not empty."""
        if not isinstance(self.content, YamlScalar) or not self.content:
            self.fault(Words(ja="文字列でなければなりません", en="must be text"))
            return ""
        return str(self.content)

    def choice(self, *allowed: str) -> str:
        """One of some words."""
        # After a fault the first choice stands in, so that reading goes on and finds the other faults.
        if self.content not in allowed or not self.is_text:
            listed = ", ".join(allowed)
            self.fault(Words(ja=f"{listed} のいずれかでなければなりません", en=f"must be one of {listed}"))
            return allowed[0]
        return str(self.content)

    def whole(self, *, least: int) -> int:
        """A whole number, written as one: "5" in quotes is a text."""
        # YAML readers of other programs would take "5" in quotes for a text, so it is refused here.
        if not is_plain(self.content, INTEGER):
            self._must_be(Words(ja="整数", en="a whole number"))
            return least
        if (number := int(self.content)) < least:
            self.fault(
                Words(
                    ja=f"{number} ではなく {least} 以上でなければなりません",
                    en=f"must be at least {least}, not {number}",
                )
            )
        return max(number, least)

    def number(self, *, least: float = 0.0, most: float = float("inf")) -> float:
        """A decimal number in plain notation."""
        if not is_plain(self.content, DECIMAL):
            self._must_be(Words(ja="0.05 のような数", en="a number such as 0.05"))
            return least
        # Shares and limits of a search are no money: the nearest float is exact enough.
        number = float(self.content)
        if not least <= number <= most:
            self.fault(_out_of_bounds(str(self.content), least, most))
            return least
        return number

    def flag(self) -> bool:
        """true or false."""
        if not (self.is_text and self.content.plain and self.content in BOOLEANS):
            self._must_be(Words(ja="true または false", en="true or false"))
            return False
        return bool(self.content == "true")

    def plain(self) -> Any:
        """The value as numbers, booleans, None, texts, lists and dicts, for those who read it further."""
        return typed(self.content)

    def _must_be(self, noun: Words) -> None:
        if not isinstance(self.content, YamlScalar):
            self.fault(Words(ja=f"{noun.ja}でなければなりません", en=f"must be {noun.en}"))
            return
        text = shown(self.content)
        given = (
            Words(ja="空", en="nothing")
            if self.is_null
            else Words(ja=f"文字列 {text} ", en=f"the text {text}")
        )
        self.fault(
            Words(
                ja=f"{given.ja}ではなく{noun.ja}でなければなりません", en=f"must be {noun.en}, not {given.en}"
            )
        )


def _out_of_bounds(given: str, least: float, most: float) -> Words:
    if most == float("inf"):
        return Words(
            ja=f"{given} ではなく {least:g} 以上でなければなりません",
            en=f"must be at least {least:g}, not {given}",
        )
    return Words(
        ja=f"{given} ではなく {least:g} 以上 {most:g} 以下でなければなりません",
        en=f"must be between {least:g} and {most:g}, not {given}",
    )


def entry_of(text: str) -> PlanEntry:
    """The whole of a plan's text; raises PlanError where it isn't YAML of the plain kind."""
    tree = Tree(Words(ja="加工計画", en="a plan"), PlanError)
    return PlanEntry(tree, tree.read(text))


def typed(content: Any) -> Any:
    """Scalars without quotes as what they look like, codes such as 01101 and everything else as text."""
    if isinstance(content, dict):
        return {key: typed(value) for key, value in content.items()}
    if isinstance(content, list):
        return [typed(value) for value in content]
    return _scalar(content)


# Codes of municipalities begin with zeros, and a number would lose them.
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
    # YAML 1.1 takes yes, no, on and off for booleans; here they stay words.
    return scalar == "true" if scalar.plain and scalar in BOOLEANS else str(scalar)


def texts(entries: list[PlanEntry]) -> Iterator[str]:
    """Each value of a list as the text that was written, numbers included."""
    for entry in entries:
        # Numbers come as they were written: 1.0 and 1 may be two values of a text column.
        if not isinstance(entry.content, YamlScalar):
            entry.fault(Words(ja="単一の値でなければなりません", en="must be a single value"))
        else:
            yield str(entry.content)


def no_attribute(name: str) -> Words:
    """The sentence that a plan names an attribute which it does not have."""
    return Words(
        ja=f"この計画に属性 {shown(name)} がありません",
        en=f"there is no attribute {shown(name)} in this plan",
    )
