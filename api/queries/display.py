"""How a reader wants an answer shown: `?labels=ja|en` names what keys stand for, `?bom=1` is for Excel.

Neither changes what is told or charged; both are checked before anything is asked.
"""

from dataclasses import dataclass
from typing import Any

from marshmallow import post_load

from api.http.fields import ChoiceField, Strict
from privacy.words import LANGUAGES, Language

BOMS = ("0", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """In which language keys are labelled, None for no labels; and whether CSV begins with a byte order mark."""

    labels: Language | None = None
    bom: bool = False


class DisplaySchema(Strict):
    """The query string of an answer. Loads a Display."""

    labels = ChoiceField(
        LANGUAGES,
        metadata={"description": "Beside each key a column `…_label` of what people call its values."},
    )
    bom = ChoiceField(
        BOMS, metadata={"description": "1: CSV begins with a byte order mark, by which Excel knows UTF-8."}
    )

    @post_load
    def _display(self, loaded: dict[str, Any], **_: Any) -> Display:
        return Display(labels=loaded.get("labels"), bom=loaded.get("bom") == "1")
