"""What people call an organisation, in each language: a line of text that can stand anywhere a name is shown."""

from dataclasses import dataclass

from datasets.database.texts import line_of
from datasets.people.errors import InvalidTitle

TITLE_CHARACTERS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """Display names; None where there is none in that language. Raises InvalidTitle."""

    ja: str | None = None
    en: str | None = None

    def __post_init__(self) -> None:
        for title in (self.ja, self.en):
            if title is not None and line_of(title, most=TITLE_CHARACTERS_MAX) != title:
                raise InvalidTitle

    def over(self, before: "Titles") -> "Titles":
        """These, and those of before in the languages that these have none in."""
        return Titles(
            ja=before.ja if self.ja is None else self.ja, en=before.en if self.en is None else self.en
        )

    def columns(self) -> dict[str, str | None]:
        """By the names of the database's columns."""
        return {"title_ja": self.ja, "title_en": self.en}

    def members(self) -> dict[str, str]:
        """Those that there are, by the same names."""
        return {name: title for name, title in self.columns().items() if title is not None}


NO_TITLES = Titles()
