"""What the builders share: refusals that name the hierarchy, checked parameters, and values nobody can read."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from privacy.deidentify.errors import BadHierarchy
from privacy.deidentify.hierarchies.hierarchy import SUPPRESSED, Hierarchy

DOMAIN_MAX = 1_000_000
"""The most values that a domain written as `from … to` may have."""
DIGITS_MAX = 12
"""The most digits before the point of a number, and behind it: exact in 28-digit decimals, scaled or not."""
HEIGHT_MAX = 64
"""The most levels that a hierarchy is built with."""

Path = tuple[str, ...]


def fault(name: str, words: str) -> BadHierarchy:
    """The error to raise about the hierarchy of an attribute."""
    return BadHierarchy(f"the hierarchy of {name}: {words}")


def require(holds: bool, name: str, words: str) -> None:
    """Refuse unless the condition holds."""
    if not holds:
        raise fault(name, words)


def whole(name: str, parameter: str, value: object, *, least: int, most: int) -> int:
    """A parameter that must be a whole number between two bounds."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise fault(name, f"{parameter} must be a whole number from {least} to {most:,}, not {value!r}")


def number(name: str, parameter: str, value: object) -> Decimal:
    """A parameter that must be a finite number, exactly as it was written: 0.1 is one tenth."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        exact = Decimal(str(value))
        if exact.is_finite() and exact.adjusted() <= DIGITS_MAX:
            return exact
    raise fault(name, f"{parameter} must be a number, not {value!r}")


def items(name: str, parameter: str, value: object) -> Sequence[object]:
    """A parameter that must be a list with something in it."""
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value):
        return value
    raise fault(name, f"{parameter} must be a list of at least one, not {value!r}")


def choice(name: str, parameter: str, value: object, known: Iterable[str]) -> str:
    """A parameter that must be one of some words."""
    words = tuple(known)
    if isinstance(value, str) and value in words:
        return value
    raise fault(name, f"{parameter} must be one of {', '.join(words)}, not {value!r}")


def label(name: str, parameter: str, value: object) -> str:
    """A parameter that is a value or a label; YAML's yes, 1.50 and 2024-04-01 must be quoted to be told apart."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise fault(name, f"{parameter} must be texts or whole numbers; {value!r} is neither (put it in quotes)")


def spellings(known: Mapping[str, int], canonical: Mapping[int, str]) -> list[tuple[str, int]]:
    """Each place of a domain with its texts: those that the data use, else the canonical one.

    So the domain has as many values as places, whatever the data hold, unless the data write one place in
    several ways; then each way is a value of its own below the same labels.
    """
    used: dict[int, list[str]] = {}
    for text in sorted(known):
        used.setdefault(known[text], []).append(text)
    return [(text, place) for place, own in canonical.items() for text in used.get(place, (own,))]


def with_unread(
    name: str,
    paths: Sequence[Path],
    *,
    levels: int,
    unread: Sequence[str],
    of: int,
    words: str,
    unknown: object,
) -> Hierarchy:
    """The hierarchy of the paths, and of the values that could not be read: refused, or all under `unknown`.

    A path is a value and its labels on so many `levels`; the top `*` comes on here. `of` is the number of distinct
    values of the data, `words` says what the unread ones are not. The label `unknown` must not be one that the
    levels use themselves.
    """
    require(
        unknown is not None or not unread,
        name,
        f"{len(unread)} of {of} distinct values {words}; `unknown: LABEL` would take them as one group",
    )
    lines = [(*path, SUPPRESSED) for path in paths]
    if unknown is not None:
        own = label(name, "unknown", unknown)
        require(
            all(own not in path[1:] for path in paths),
            name,
            f"unknown {own!r} is the label of known values too",
        )
        lines += [(value, *[own] * levels, SUPPRESSED) for value in sorted(unread)]
    return Hierarchy.of(name, lines)
