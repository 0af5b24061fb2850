"""What the builders share: refusals that name the hierarchy, checked parameters, and values that cannot be read."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from privacy.deidentify.errors import BadHierarchy
from privacy.deidentify.hierarchies.hierarchy import SUPPRESSED, Hierarchy
from privacy.words import Words

DOMAIN_MAX = 1_000_000
"""The most values that a domain written as `from … to` may have."""
DIGITS_MAX = 12
"""The most digits before the point of a number, and behind it: exact in 28-digit decimals, scaled or not."""
HEIGHT_MAX = 64
"""The most levels that a hierarchy is built with."""

Path = tuple[str, ...]


def fault(name: str, words: Words) -> BadHierarchy:
    """The error to raise about the hierarchy of an attribute."""
    return BadHierarchy(
        Words(ja=f"項目「{name}」の一般化階層：{words.ja}", en=f"the hierarchy of {name}: {words.en}")
    )


def require(holds: bool, name: str, words: Words) -> None:
    """Refuse unless the condition holds."""
    if not holds:
        raise fault(name, words)


def unlike(parameter: str, wanted: Words, value: object) -> Words:
    """The sentence that a parameter must be something else than what the plan says."""
    return Words(
        ja=f"{parameter} は{wanted.ja}でなければなりません（指定された値：{value!r}）。",
        en=f"{parameter} must be {wanted.en}, not {value!r}",
    )


def whole(name: str, parameter: str, value: object, *, least: int, most: int) -> int:
    """A parameter that must be a whole number between two bounds."""
    # YAML's yes is a bool, which Python counts among the integers.
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    wanted = Words(ja=f" {least} から {most:,} までの整数", en=f"a whole number from {least} to {most:,}")
    raise fault(name, unlike(parameter, wanted, value))


def number(name: str, parameter: str, value: object) -> Decimal:
    """A parameter that must be a finite number, exactly as it was written: 0.1 is one tenth."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        # Through the text: Decimal(0.1) would be the float's 55 digits, which fit no step.
        exact = Decimal(str(value))
        if exact.is_finite() and exact.adjusted() <= DIGITS_MAX:
            return exact
    raise fault(name, unlike(parameter, Words(ja="数値", en="a number"), value))


def items(name: str, parameter: str, value: object) -> Sequence[object]:
    """A parameter that must be a list with something in it."""
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value):
        return value
    raise fault(
        name, unlike(parameter, Words(ja="要素が 1 つ以上の一覧", en="a list of at least one"), value)
    )


def choice(name: str, parameter: str, value: object, known: Iterable[str]) -> str:
    """A parameter that must be one of some words."""
    names = tuple(known)
    if isinstance(value, str) and value in names:
        return value
    listed = ", ".join(names)
    raise fault(name, unlike(parameter, Words(ja=f"次のいずれか（{listed}）", en=f"one of {listed}"), value))


def label(name: str, parameter: str, value: object) -> str:
    """A parameter that is a value or a label; YAML's yes, 1.50 and 2024-04-01 must be quoted to be told apart."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise fault(
        name,
        Words(
            ja=f"{parameter} は文字列又は整数でなければなりませんが、{value!r} はいずれでもありません"
            "（引用符で囲んでください）。",
            en=f"{parameter} must be texts or whole numbers; {value!r} is neither (put it in quotes)",
        ),
    )


def spellings(known: Mapping[str, int], canonical: Mapping[int, str]) -> list[tuple[str, int]]:
    """Each place of a domain with its texts: those that the data use, else the canonical one.

    So the domain has as many values as places, whatever the data hold, unless the data write one place in
    several ways; then each way is a value of its own below the same labels.
    """
    used: dict[int, list[str]] = {}
    # Sorted, so that the order of the rows, which may tell of persons, has no part in the hierarchy.
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
    words: Words,
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
        Words(
            ja=f"異なる値 {of} 種のうち {len(unread)} 種は{words.ja}。`unknown: ラベル` を指定すると、"
            "1 つのグループとして扱います。",
            en=f"{len(unread)} of {of} distinct values {words.en}; `unknown: LABEL` would take them as one group",
        ),
    )
    # The top comes on last: `unknown` must meet the other labels there, and only there.
    lines = [(*path, SUPPRESSED) for path in paths]
    if unknown is not None:
        own = label(name, "unknown", unknown)
        require(
            all(own not in path[1:] for path in paths),
            name,
            Words(
                ja=f"unknown の「{own}」は、読み取れた値のラベルとしても使われています。",
                en=f"unknown {own!r} is the label of known values too",
            ),
        )
        lines += [(value, *[own] * levels, SUPPRESSED) for value in sorted(unread)]
    return Hierarchy.of(name, lines)
