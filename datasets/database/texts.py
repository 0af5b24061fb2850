"""Free text of people that is shown again: one line that does nothing to the terminal or page that shows it."""

import unicodedata

# Controls, invisible marks (some of which turn the direction of all that follows), halves of characters, and what
# Unicode has not assigned. Private characters stay: names of Japanese people and places need them at times.
REFUSED_CATEGORIES = ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")
# Letters and marks by their category, which are drawn as nothing: a name of these alone would look like none.
BLANK_CHARACTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def is_line(text: str) -> bool:
    """Whether the text can be shown as it is: one line, without control, invisible or direction characters."""
    return not any(
        character in BLANK_CHARACTERS or unicodedata.category(character) in REFUSED_CATEGORIES
        for character in text
    )


def line_of(given: str, *, most: int) -> str | None:
    """The text without the spaces around it; None where that is no line (`is_line`) of 1 to `most` characters."""
    # Asked of all of it: strip() would take a line break or an escape at either end for a space.
    text = given.strip()
    return text if is_line(given) and 1 <= len(text) <= most else None
