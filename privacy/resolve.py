"""Names and literals of a query → columns and codes of a schema. Collects every problem, reads no data."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from privacy import filters
from privacy.filters import Filter, Interval, Member
from privacy.nearest import nearest
from privacy.query import All, Any, Compare, InvalidQuery, Key, Not, Problem, Scalar, Where
from privacy.schema import Category, Column, Date, Number, Schema, UndeclaredColumn, day_number, day_of
from privacy.words import Words

LISTED_MAX = 20
"""So many values of a column are listed in a refusal."""
SUGGESTIONS_MAX = 5
"""For so many faults of a question what was probably meant is looked for."""
NUMBER_CHARACTERS_MAX = 40
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", re.ASCII)
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", re.ASCII)
# `date.fromisoformat` also takes 20260401 and 2026-W14-3; questions have one way to write a day.
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
EXPRESSION_MAX = 200
# Signs of arithmetic, or a call: what is asked for is no column but something computed from one.
_EXPRESSION = re.compile(r"[+*/%]|\|\||\s-\s|\w-\d|[A-Za-z_]\w*\s*\(.*\)", re.ASCII)


class Resolver:
    """Reads literals against one schema; `problems` gathers what did not fit."""

    def __init__(self, schema: Schema) -> None:
        # Columns kept for record sets are not among them: a refusal must not even list their names.
        self.columns = schema.queryable
        self.places = {column.name: place for place, column in enumerate(self.columns)}
        # What people call columns, in any language, and columns that name second units: neither is a name of a column.
        self._titles = {
            title: column.name
            for column in reversed(self.columns)
            for title in schema.about.column(column.name).title.values()
        }
        self._units = {unit.column: unit.name for unit in schema.units}
        self.problems: list[Problem] = []
        # A thousand literals each looked for in a list of thousands would be millions of comparisons.
        self._codes: dict[str, dict[str, int]] = {}
        self._listed: dict[str, tuple[Words, dict[Scalar, str]]] = {}

    def refuse(
        self,
        pointer: str,
        reason: str,
        given: object = None,
        expected: object = None,
        known: Iterable[str] = (),
    ) -> None:
        """Note a problem; of the `known` names the one most like `given` is told, too."""
        # What is most alike is looked for among all names: of a thousand wrong literals not for each of them.
        meant = nearest(given, known) if len(self.problems) < SUGGESTIONS_MAX else None
        self.problems.append(
            Problem(pointer=pointer, reason=reason, given=given, expected=expected, nearest=meant)
        )

    def _meant(self, meant: str | Decimal | None) -> None:
        """Say of the last problem what was certainly meant, if that is known."""
        if meant is not None:
            self.problems[-1] = replace(self.problems[-1], nearest=meant)

    def cells_by_label(self, key: str) -> dict[Scalar, str]:
        """The values of a key's column that its labels stand for, in whatever language."""
        column = self.columns[self.places[key]] if key in self.places else None
        return _values_by_label(column) if isinstance(column, Category) else {}

    def refuse_cell(
        self, pointer: str, reason: str, name: Scalar, key: str, cells: Sequence[str], given: object = None
    ) -> None:
        """Refuse a name of no cell of a key: with its `cells` in their order, and the one that was probably meant.

        Cells are told with their labels, and who wrote a label is told its cell. `given` is quoted in place of `name`.
        """
        by_label = self.cells_by_label(key)
        listed = _cells_words(self.columns[self.places[key]], cells) if by_label else _list_text(tuple(cells))
        self.refuse(pointer, reason, name if given is None else given, listed)
        if len(self.problems) <= SUGGESTIONS_MAX:
            meant = by_label.get(name)
            self._meant(meant if meant in cells else nearest(name, cells))

    def done(self) -> None:
        """Raise what was noted."""
        if self.problems:
            raise InvalidQuery(self.problems)

    def place(self, name: str, pointer: str) -> int | None:
        """The number of a queryable column."""
        if name not in self.places:
            self._refuse_column(name, pointer)
            return None
        return self.places[name]

    def _refuse_column(self, name: str, pointer: str) -> None:
        """Refuse what is no queryable column, with those that are, and the one whose name or title is most alike."""
        if name in self._units:
            form = f'{{"agg": "count_units", "unit": "{self._units[name]}"}}'
            self.refuse(pointer, "unknown_column:unit", name, form)
            return
        # Only the beginning of a longer text: searching it takes as long as the square of its length.
        reason = "expression" if _EXPRESSION.search(name[:EXPRESSION_MAX]) else "unknown_column"
        self.refuse(pointer, reason, name, ", ".join(self.places), [*self.places, *self._titles])
        meant = self._titles.get(name, self.problems[-1].nearest)
        self._meant(self._titles.get(str(meant), meant))

    def code(self, column: Column, value: Scalar, pointer: str, *, beyond: int = 0) -> int | None:
        """The code of a literal; up to `beyond` codes above the domain are let through."""
        match column:
            case Category():
                return self._category(column, value, pointer)
            case Number():
                code = self.steps(column, value, pointer)
            case Date():
                code = self._date(value, pointer)
            case UndeclaredColumn():
                self.refuse(pointer, "open_column", column.name)
                return None
        if code is not None and not column.low <= code <= column.high + beyond:
            self.refuse(pointer, "outside_domain", value, domain_text(column))
            return None
        return code

    def _category(self, column: Category, value: Scalar, pointer: str) -> int | None:
        if column.name not in self._codes:
            self._codes[column.name] = {value: code for code, value in enumerate(column.values)}
        code = self._codes[column.name].get(value) if isinstance(value, str) else None
        if code is None:
            self._refuse_undeclared(column, value, pointer)
        return code

    def _refuse_undeclared(self, column: Category, value: Scalar, pointer: str) -> None:
        """Refuse a value that nobody declared: with the declared ones, and the code where it is a code's label."""
        if column.name not in self._listed:
            self._listed[column.name] = values_words(column), _values_by_label(column)
        listed, by_label = self._listed[column.name]
        self.refuse(pointer, "undeclared_value", value, listed, column.values)
        self._meant(by_label.get(value))

    def steps(self, column: Number, value: Scalar, pointer: str) -> int | None:
        """A number as whole steps of a column, whatever its domain."""
        if isinstance(value, str):
            self.refuse_text(pointer, value)
            return None
        # Exact: floats would find 0.3 to be no multiple of 0.1.
        steps = Fraction(value) / Fraction(column.step)
        if steps.denominator != 1:
            self.refuse(pointer, "off_step", value, str(column.step))
            return None
        return steps.numerator

    def refuse_text(self, pointer: str, value: str) -> None:
        """Refuse text where a number is wanted, and say which number it looks like."""
        self.refuse(pointer, "not_a_number", value)
        self._meant(plain_number(value))

    def _date(self, value: Scalar, pointer: str) -> int | None:
        if isinstance(value, str) and _ISO_DATE.fullmatch(value):
            try:
                return day_number(date.fromisoformat(value))
            except ValueError:
                pass
        self.refuse(pointer, "not_a_date", value)
        self._meant(_day_meant(value))
        return None

    def where(self, where: Where | None, pointer: str = "/where", *, negated: bool = False) -> Filter:
        """The canonical filter. Negation travels down; De Morgan turns all into any on the way."""
        match where:
            case None:
                return filters.EVERYTHING
            case Not(term):
                return self.where(term, f"{pointer}/not", negated=not negated)
            case All(terms) | Any(terms):
                name = "all" if isinstance(where, All) else "any"
                parts = [
                    self.where(term, f"{pointer}/{name}/{place}", negated=negated)
                    for place, term in enumerate(terms)
                ]
                return filters.every(parts) if isinstance(where, All) is not negated else filters.some(parts)
            case Compare():
                return self._compare(where, pointer, negated=negated)

    def _compare(self, compare: Compare, pointer: str, *, negated: bool) -> Filter:
        place = self.place(compare.column, f"{pointer}/column")
        if place is None:
            return filters.EVERYTHING
        column = self.columns[place]
        if isinstance(column, UndeclaredColumn) and compare.op != "is_missing":
            self.refuse(f"{pointer}/column", "open_column", column.name)
            return filters.EVERYTHING
        if isinstance(column, Category) and compare.op in ("<", "<=", ">", ">=", "between"):
            self.refuse(f"{pointer}/op", "no_order", compare.op, "=, !=, in, is_missing")
            return filters.EVERYTHING
        domain = column.low, column.high
        if compare.op == "is_missing":
            intervals = [domain] if negated else [(column.missing, column.missing)]
            # Missing is a code below the domain, so its negation is the whole domain.
            return Member(place, filters.union(intervals))
        intervals = self._intervals(column, compare, f"{pointer}/value")
        # Inside the domain, so that a missing cell matches neither a comparison nor its negation.
        kept = filters.complement(intervals, domain) if negated else filters.union(intervals)
        return filters.every([Member(place, kept)])

    def _intervals(self, column: Column, compare: Compare, pointer: str) -> list[Interval]:
        many = compare.op in ("in", "between")
        # One step beyond the domain has a meaning where there is an order: below it lies every value.
        beyond = 0 if compare.op in ("=", "!=", "in") else 1
        codes = [
            self.code(column, value, f"{pointer}/{place}" if many else pointer, beyond=beyond)
            for place, value in enumerate(compare.values)
        ]
        if None in codes:
            return []
        first, last = codes[0], codes[-1]
        assert first is not None
        assert last is not None
        low, high = column.low, column.high
        if compare.op == "between" and first > last:
            self.refuse(pointer, "not_ascending", list(compare.values))
        spans: dict[str, list[Interval]] = {
            "=": [(first, first)],
            "!=": [(low, first - 1), (first + 1, high)],
            "<": [(low, first - 1)],
            "<=": [(low, min(first, high))],
            ">": [(first + 1, high)],
            ">=": [(first, high)],
            "in": [(code, code) for code in codes if code is not None],
            "between": [(first, min(last, high))],
        }
        return spans[compare.op]

    def bins(self, column: Column, key: Key, pointer: str) -> list[tuple[Interval, str]]:
        """The half-open bins of a key, the last one closed, as intervals of codes with their labels."""
        assert key.bins is not None
        if isinstance(column, Category | UndeclaredColumn):
            self.refuse(f"{pointer}/bins", "no_order", list(key.bins))
            return []
        edges = [
            self.code(column, edge, f"{pointer}/bins/{place}", beyond=1)
            for place, edge in enumerate(key.bins)
        ]
        known = [edge for edge in edges if edge is not None]
        if len(known) < len(edges):
            return []
        if any(right <= left for left, right in pairwise(known)):
            self.refuse(f"{pointer}/bins", "not_ascending", list(key.bins))
            return []
        texts = [str(edge) for edge in key.bins]
        last = len(known) - 2
        return [
            (
                (known[place], min(known[place + 1], column.high) if place == last else known[place + 1] - 1),
                f"[{texts[place]},{texts[place + 1]}{']' if place == last else ')'}",
            )
            for place in range(last + 1)
        ]


def plain_number(text: str) -> Decimal | None:
    """The number that text spells, in quotation marks, with separators or full-width (６，５００); else None."""
    bare = unicodedata.normalize("NFKC", text[:NUMBER_CHARACTERS_MAX]).strip().replace(",", "")
    return Decimal(bare) if len(text) < NUMBER_CHARACTERS_MAX and _NUMBER.fullmatch(bare) else None


def _day_meant(value: Scalar) -> str | None:
    """The day that 2026/4/1 or 2026年4月1日 spells, as questions write it; else None."""
    spelt = _DAY.fullmatch(unicodedata.normalize("NFKC", value).strip()) if isinstance(value, str) else None
    return None if spelt is None else f"{spelt[1]}-{spelt[2]:0>2}-{spelt[3]:0>2}"


def values_words(column: Category) -> Words:
    """The declared values as a refusal lists them, each with its label: chuo（中央区）."""
    return Words(
        ja=_labelled_text(column, column.labels.get("ja"), "{}（{}）"),
        en=_labelled_text(column, column.labels.get("en"), "{} ({})"),
    )


def _labelled_text(column: Category, labels: Sequence[str] | None, form: str) -> str:
    if not labels:
        return _list_text(column.values)
    shown = [
        value if value == label else form.format(value, label)
        for value, label in zip(column.values[:LISTED_MAX], labels, strict=False)
    ]
    rest = () if len(column.values) <= LISTED_MAX else (f"… ({len(column.values)})",)
    return ", ".join((*shown, *rest))


def _cells_words(column: Column, cells: Sequence[str]) -> Words:
    """Cells of a key as a refusal lists them, each that is a declared value with its label."""
    assert isinstance(column, Category), "only values of a category have labels"
    labels = {
        language: dict(zip(column.values, words, strict=False)) for language, words in column.labels.items()
    }
    forms = {"ja": "{}（{}）", "en": "{} ({})"}
    texts = {
        language: _list_text(
            tuple(
                form.format(cell, label)
                if (label := labels.get(language, {}).get(cell, cell)) != cell
                else cell
                for cell in cells
            )
        )
        for language, form in forms.items()
    }
    return Words(**texts)


def _values_by_label(column: Category) -> dict[Scalar, str]:
    """The value that each label stands for, in whatever language."""
    return {
        label: value
        for labels in column.labels.values()
        for label, value in zip(labels, column.values, strict=False)
    }


def domain_text(column: Column) -> str:
    """A column's domain as the descriptor writes it."""
    match column:
        case Category(values=values):
            return _list_text(values)
        case Number(low=low, high=high, step=step):
            return f"{low * step} … {high * step}"
        case Date(low=low, high=high):
            return f"{day_of(low)} … {day_of(high)}"
        case UndeclaredColumn():
            return "…"


def _list_text(values: tuple[str, ...]) -> str:
    # A refusal quotes the schema, which may list thousands of values.
    shown = ", ".join(values[:LISTED_MAX])
    return shown if len(values) <= LISTED_MAX else f"{shown}, … ({len(values)})"
