"""Which known name somebody meant who wrote another: the one most alike, or none. Quotes names, never data."""

import difflib
import unicodedata
from collections.abc import Iterable
from itertools import islice

LIKENESS_MIN = 0.7
"""The least likeness (difflib's ratio: twice the matching characters by all characters) that is told."""
NAME_CHARACTERS_MAX = 64
NAMES_MAX = 500


def nearest(given: object, known: Iterable[str]) -> str | None:
    """The known name that `given` was most likely meant to be; None where none is alike.

    Width and case aside, as a keyboard in Japanese writes ｃｈｕｏ for chuo. Only the first NAMES_MAX names are looked
    at, and no longer text than a name is compared, since the caller chooses both and comparing takes time.
    """
    if not isinstance(given, str) or not 0 < len(given) <= NAME_CHARACTERS_MAX:
        return None
    by_form: dict[str, str] = {}
    for name in islice(known, NAMES_MAX):
        by_form.setdefault(_form(name), name)
    form = _form(given)
    if form in by_form:
        return by_form[form]
    found = difflib.get_close_matches(form, by_form, n=1, cutoff=LIKENESS_MIN)
    return by_form[found[0]] if found else None


def _form(name: str) -> str:
    """A name without what a keyboard adds to it: width, case, spaces, and hyphens for underscores."""
    return unicodedata.normalize("NFKC", name).casefold().strip().replace("-", "_").replace(" ", "_")
