"""The blocks of docs/operating.md, by the words behind their language, which a reader does not see.

`run` blocks are run, one after the other; `later` and `elsewhere` and those without a word are only read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
ENGLISH, JAPANESE = DOCS / "operating.md", DOCS / "operating.ja.md"
_BLOCK = re.compile(r"^```(\w*) ?([\w.-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A code block: its language, the word behind it, and its text."""

    language: str
    word: str
    text: str


def blocks(document: Path = ENGLISH) -> list[Block]:
    found = _BLOCK.findall(document.read_text(encoding="utf-8"))
    return [Block(language=language, word=word, text=text) for language, word, text in found]


def named(word: str) -> str:
    """The text of the only block with that word."""
    (found,) = [block.text for block in blocks() if block.word == word]
    return found


def commands(word: str) -> Iterator[str]:
    """The lines of all blocks of shell with that word."""
    for block in blocks():
        if (block.language, block.word) == ("sh", word):
            yield from block.text.splitlines()
