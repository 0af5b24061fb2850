"""Hash chains: texts in an order that nobody changes unnoticed. Knows no table; the journal is one user of it.

head = SHA-256(previous head ‖ SHA-256(text)), all in hexadecimal, the first previous head being empty. Whoever keeps a
head elsewhere can tell later whether a text up to it was changed, removed or put in between.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datasets.database.store import sha256_hex

# Any other spelling would give another hash, so this must never change.
CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
START = ""
"""The head before the first text."""


def canonical(value: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: the same value is always the same text."""
    return CANONICAL.encode(value)


def next_head(head: str, text: str) -> str:
    """The head after `text`, from the head before it."""
    return head_after(head, sha256_hex(text))


def head_after(head: str, digest: str) -> str:
    """The head after a text of which only the SHA-256 is at hand."""
    return sha256_hex(head + digest)


@dataclass(slots=True)
class ChainWalk:
    """A walk along a chain, link after link: what does not follow from the one before."""

    number: int = 0
    head: str = START

    def step(self, number: int, head: str, text: str) -> Iterator[str]:
        """Whether the link follows: `gap` if numbers are missing or out of order, `chain` if the hash is another."""
        if number != self.number + 1:
            yield "gap"
        elif head != next_head(self.head, text):
            yield "chain"
        # Going on from the link as it stands, one bad link is one finding and not all that follow.
        self.number, self.head = number, head

    def ends_at(self, number: int, head: str) -> bool:
        """Whether this was the last link, as somebody else remembers it."""
        return (self.number, self.head) == (number, head)
