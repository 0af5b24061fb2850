"""Sentences for people, in Japanese and English beside each other, so that neither is changed alone.

Refuses a language that is not spoken here; identifiers and codes are never words.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Language = Literal["ja", "en"]
LANGUAGES: tuple[Language, ...] = ("ja", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One sentence, or a template of one with {named} places, in both languages."""

    ja: str
    en: str

    def __post_init__(self) -> None:
        assert self.ja, "both languages are always there"
        assert self.en, "both languages are always there"

    def within(self, language: Language) -> str:
        """The sentence in one language."""
        return self.ja if language == "ja" else self.en

    def filled(self, **fields: object) -> "Words":
        """The sentence with its places filled. A place that no field names is a KeyError: a fault of ours."""
        return Words(ja=self.ja.format(**fields), en=self.en.format(**fields))

    def as_json(self) -> dict[str, str]:
        """As reports and answers hold it: {"ja": …, "en": …}."""
        return {"ja": self.ja, "en": self.en}

    def as_texts(self) -> dict[str, str]:
        """As answers over HTTP hold it: {"text": English, "text_ja": Japanese}."""
        return {"text": self.en, "text_ja": self.ja}


def grouped(number: str) -> str:
    """A plain decimal as people read it, its thousands apart: 89,872.5; anything else as it is."""
    return f"{Decimal(number):,f}" if _DECIMAL.fullmatch(number) else number


_DECIMAL = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
