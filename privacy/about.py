"""What an owner says of a dataset for people: words that are shown and never computed with. Refuses nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from privacy.words import LANGUAGES, Language

ByLanguage = Mapping[str, str]
"""A text by language, such as {"ja": …, "en": …}; empty where nothing was declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnAbout:
    """A column in words. `unit` is how its unit is called in each language, empty where it has one name for all."""

    title: ByLanguage = field(default_factory=dict)
    description: ByLanguage = field(default_factory=dict)
    unit: ByLanguage = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """A dataset in words: as of which day it is, what a row stands for, whom to ask, on what terms it is used.

    `reference_date` is a day in ISO 8601, None where none was declared; `columns` has the columns that have words.
    """

    reference_date: str | None = None
    row_is: ByLanguage = field(default_factory=dict)
    contact: ByLanguage = field(default_factory=dict)
    terms: ByLanguage = field(default_factory=dict)
    columns: Mapping[str, ColumnAbout] = field(default_factory=dict)

    def column(self, name: str) -> ColumnAbout:
        """What was declared of a column; nothing of one that has no words."""
        return self.columns.get(name, ColumnAbout())

    @property
    def members(self) -> dict[str, Any]:
        """The dataset's own members as the catalogue and descriptors name them."""
        return {
            "reference_date": self.reference_date,
            "row_is": dict(self.row_is),
            "contact": dict(self.contact),
            "terms": dict(self.terms),
        }


def spoken(words: ByLanguage, language: Language, otherwise: str = "") -> str:
    """The text in a language, else in the other one that is spoken here, else `otherwise`."""
    other = next((words[one] for one in LANGUAGES if one in words), otherwise)
    return words.get(language, other)
