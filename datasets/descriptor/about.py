"""What a descriptor says for people: titles, descriptions, reference date, contact, terms. Shown, never computed with.

Content has the right structure already (`structure`). A text stands for both languages of the server; a mapping says
each by itself.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from datasets.descriptor.yamltext import Tree
from privacy.about import About, ByLanguage, ColumnAbout
from privacy.words import LANGUAGES, Words


def about_of(content: Mapping[str, Any], tree: Tree) -> About:
    """The words of a descriptor of either kind; faults gather in the tree."""
    return About(
        reference_date=_reference_date(content, tree),
        row_is=by_language(content.get("row_is")),
        contact=by_language(content.get("contact")),
        terms=by_language(content.get("terms")),
        columns={
            name: found
            for name, declared in content["columns"].items()
            if (found := _column(declared)) != ColumnAbout()
        },
    )


def by_language(declared: Any) -> ByLanguage:
    """A declared text by language; a text alone stands for each language of the server, no declaration for none."""
    if declared is None:
        return {}
    if isinstance(declared, Mapping):
        return {language: str(words) for language, words in declared.items()}
    return dict.fromkeys(LANGUAGES, str(declared))


def unit_of(declared: Mapping[str, Any]) -> str | None:
    """The one name under which answers tell a column's unit: of several by language the English, else the first."""
    unit = declared.get("unit")
    if isinstance(unit, Mapping):
        return str(unit.get("en", next(iter(unit.values()))))
    return None if unit is None else str(unit)


def _column(declared: Mapping[str, Any]) -> ColumnAbout:
    unit = declared.get("unit")
    return ColumnAbout(
        title=by_language(declared.get("title")),
        description=by_language(declared.get("description")),
        unit=by_language(unit) if isinstance(unit, Mapping) else {},
    )


def _reference_date(content: Mapping[str, Any], tree: Tree) -> str | None:
    declared = content.get("reference_date")
    if declared is None:
        return None
    try:
        return date.fromisoformat(str(declared)).isoformat()
    except ValueError:
        message = Words(ja="暦にない日付です", en="is not a day of the calendar")
        tree.fault(("reference_date",), message)
        return None
