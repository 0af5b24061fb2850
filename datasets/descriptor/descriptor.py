"""Reads a dataset's descriptor (YAML) into what is public about it. Refuses whatever it does not know.

Two kinds are read: a dataset with a source of its own, and a view, which joins registered datasets and takes
its columns' domains from them (`datasets.registration.joined` fills them in). Structure is described once, in
`docs/descriptor.schema.json`; what a schema cannot say (bounds in order, values distinct, sums that fit) is
checked here. Every fault has the line and column of the text it is about. Scalars stay text until a column's
type is known, so `values: [no, yes]` are the words "no" and "yes" and decimals keep their digits. Anchors,
aliases, tags, merge keys and duplicate keys are refused.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from datasets.descriptor.yamltext import (
    BOOLEANS,
    DECIMAL,
    FAULTS_MAX,
    INTEGER,
    Fault,
    Faulty,
    Path_,
    Tree,
    YamlScalar,
    dotted,
    is_plain,
    shown,
)
from privacy import delta
from privacy.budget import InvalidAmount, Price
from privacy.schema import AnyColumn, Category, Date, Number, Schema, Text, UndeclaredColumn, day_number
from privacy.statistics import largest_reach

SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "descriptor.schema.json"

RESERVED_NAME = "file_row_number"
CODE_MAX = 2**53
UNITS_DIGITS_MAX = 18
OPEN_LENGTH = 100
DELTAS = ("delta", "delta_per_query", "delta_cap")

_NAME = re.compile(r"[^\W\d][\w-]{0,62}")


class DescriptorError(Faulty):
    """A descriptor that cannot be used; `faults` holds every reason found, in the order of the text."""

    code = "bad_descriptor"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How a CSV source is written. `quote` None means that no value is ever quoted."""

    delimiter: str = ","
    encoding: str = "utf-8"
    quote: str | None = '"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A checked descriptor.

    `lineage` is the id under which the lifetime cap is kept: the dataset's own id unless the text names an
    earlier dataset about the same people. `text` is the descriptor as it was given.
    """

    schema: Schema
    source: SourceOptions
    lineage: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewColumn:
    """A column of a view: the column `column` of the dataset `source`."""

    name: str
    source: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A checked descriptor of a view: registered datasets (or views), joined on the person.

    A person's rows are all pairs of that person's rows in the sources. Unit, measure and caps are the sources'.
    `places` tells where the text says what, for faults that only the sources can show.
    """

    id: str
    title: dict[str, str]
    body: str
    sources: tuple[str, ...]
    rows_per_person: int
    price_per_query_max: Price
    columns: tuple[ViewColumn, ...]
    text: str
    places: Mapping[Path_, tuple[int, int]]

    def fault(self, path: Path_, message: str) -> Fault:
        """A fault at the place of `path`, or of what holds it."""
        known = next((path[:size] for size in range(len(path), 0, -1) if path[:size] in self.places), ())
        return Fault(*self.places.get(known, (1, 1)), dotted(path), message)


def read(text: str) -> Descriptor | View:
    """Read a descriptor of either kind or raise DescriptorError with every fault found."""
    tree = Tree("a descriptor", DescriptorError)
    content = tree.read(text)
    _check_structure(content, tree)
    tree.raise_faults()
    reader = _ViewReader(content, tree) if "view" in content else _DescriptorReader(content, tree)
    described = reader.read(text)
    tree.raise_faults()
    assert described is not None
    return described


def parse(text: str) -> Descriptor:
    """Read the descriptor of a dataset with a source of its own; raises DescriptorError, for a view too."""
    described = read(text)
    if isinstance(described, View):
        raise DescriptorError([described.fault(("view",), "this describes a view, which has no source")])
    return described


# Structure, by the JSON Schema


def _bounded(limit_name: str) -> Any:
    """`minimum` and `maximum` for numbers that are still text."""

    def check(_validator: Validator, limit: int, value: Any, _schema: Any) -> Iterator[ValidationError]:
        if isinstance(value, YamlScalar) and DECIMAL.fullmatch(value):
            number = Decimal(value)
            if (limit_name == "minimum" and number < limit) or (limit_name == "maximum" and number > limit):
                yield ValidationError("out of range")

    return check


@cache
def _validator() -> Validator:
    """The schema's validator, taught that scalars are text with a look."""
    types = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "string": lambda _, value: isinstance(value, YamlScalar),
            "null": lambda _, value: isinstance(value, YamlScalar) and value.is_null,
            "boolean": lambda _, value: isinstance(value, YamlScalar) and value.plain and value in BOOLEANS,
            "integer": lambda _, value: is_plain(value, INTEGER),
            "number": lambda _, value: is_plain(value, DECIMAL),
        }
    )
    checks = {"minimum": _bounded("minimum"), "maximum": _bounded("maximum"), "enum": _one_of}
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    taught: Validator = extend(Draft202012Validator, validators=checks, type_checker=types)(schema)
    return taught


def _one_of(
    _validator: Validator, allowed: Sequence[Any], value: Any, _schema: Any
) -> Iterator[ValidationError]:
    is_null = isinstance(value, YamlScalar) and value.is_null
    if not (value in allowed or (is_null and None in allowed)):
        yield ValidationError("not one of the allowed values")


def _check_structure(content: Any, tree: Tree) -> None:
    errors: Iterator[Any] = _validator().iter_errors(content)
    for error in islice(errors, FAULTS_MAX):
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            for key in _unknown_keys(error):
                tree.fault((*path, key), _unknown_key_message(key, error.schema), key=True)
        elif error.validator == "required":
            for key in error.validator_value:
                if key not in error.instance and f"{key!r} is a required" in error.message:
                    tree.fault(path, f"the key {key!r} is missing")
        else:
            tree.fault(path, _structure_message(error), key=error.validator == "propertyNames")


def _unknown_keys(error: Any) -> list[str]:
    known = error.schema.get("properties", {})
    patterns = error.schema.get("patternProperties", {})
    return [
        key for key in error.instance if key not in known and not any(re.search(p, key) for p in patterns)
    ]


def _unknown_key_message(key: str, schema: Mapping[str, Any]) -> str:
    if "patternProperties" in schema:
        return f"{shown(key)} is not a language such as ja or en"
    known = ", ".join(schema.get("properties", {}))
    return f"unknown key {shown(key)}; known here: {known}"


def _structure_message(error: Any) -> str:
    wanted = error.validator_value
    description = error.schema.get("description") if isinstance(error.schema, Mapping) else None
    match error.validator:
        case "enum":
            shown = ", ".join("null" if value is None else str(value) for value in wanted)
            return f"must be {description or 'one of ' + shown}"
        case "minimum" | "maximum":
            return f"must be at {'least' if error.validator == 'minimum' else 'most'} {wanted}"
        case "minItems" | "minProperties":
            return (
                f"must have at least {wanted} entry"
                if wanted == 1
                else f"must have at least {wanted} entries"
            )
        case "maxItems" | "maxProperties":
            return f"may have at most {wanted} entries"
        case "minLength":
            return "must not be empty"
        case "maxLength":
            return f"may have at most {wanted} characters"
        case "type" if description is None:
            kinds = [wanted] if isinstance(wanted, str) else wanted
            names = {"array": "a list", "object": "a mapping", "integer": "a whole number", "string": "text"}
            return "must be " + " or ".join(names.get(kind, kind) for kind in kinds if kind != "boolean")
        case _:
            return f"must be {description}" if description else f"does not fit {error.validator}"


# Meaning


def _check_name(tree: Tree, name: str, path: Path_, *, key: bool = True) -> None:
    if unicodedata.normalize("NFC", name) != name:
        tree.fault(path, "a column name is written in Unicode's composed form (NFC)", key=key)
    elif not _NAME.fullmatch(name):
        message = "a column name is a letter or _, then up to 62 letters, digits, _ or -"
        tree.fault(path, message, key=key)
    elif name.casefold() == RESERVED_NAME:
        tree.fault(path, "is a name that the server uses itself", key=key)


def _amount(tree: Tree, privacy: Mapping[str, Any], key: str) -> Price:
    try:
        return Price.parse(str(privacy[key]))
    except InvalidAmount as error:
        tree.fault(("privacy", key), str(error))
        return Price(0)


class _DescriptorReader:
    """Turns content of the right structure into values, noting a fault wherever that is impossible."""

    def __init__(self, content: dict[str, Any], tree: Tree) -> None:
        self.content = content
        self.privacy = content["privacy"]
        self.tree = tree

    def read(self, text: str) -> Descriptor | None:
        rows_per_person = self._rows_per_person()
        unit = self._unit()
        cap, per_query = (_amount(self.tree, self.privacy, key) for key in ("cap", "max_per_query"))
        if cap.nano and per_query > cap:
            self.tree.fault(("privacy", "max_per_query"), f"is above the cap of {cap}")
        self._check_measure()
        deltas = {key: self._delta(key) for key in DELTAS}
        self._check_purse(deltas)
        columns = tuple(self._columns(unit, rows_per_person))
        lineage = self._lineage()
        if self.tree.faults:
            return None
        schema = Schema(
            id=str(self.content["id"]),
            title={language: str(words) for language, words in self.content["title"].items()},
            body=str(self.content["body"]),
            unit=unit,
            rows_per_person=rows_per_person,
            cap=cap,
            price_per_query_max=per_query,
            columns=columns,
            measure="zcdp" if self.privacy["measure"] == "zcdp" else "pure",
            **deltas,
        )
        return Descriptor(schema=schema, source=self._source(), lineage=lineage, text=text)

    def _rows_per_person(self) -> int:
        rows = int(self.privacy["max_rows_per_person"])
        if self._unit() is None and rows != 1:
            message = "must be 1, since without a unit each row is one person"
            self.tree.fault(("privacy", "max_rows_per_person"), message)
        return rows

    def _unit(self) -> str | None:
        unit = self.privacy["unit"]
        if unit.is_null:
            return None
        return str(unit)

    def _check_measure(self) -> None:
        if self.privacy["measure"] == "pure":
            for key in DELTAS:
                if key in self.privacy:
                    self.tree.fault(("privacy", key), f"{key} belongs to zcdp; pure needs none", key=True)
        elif "delta" not in self.privacy:
            message = 'zcdp needs a delta, at which it is shown to people as (ε, δ), such as delta: "1e-9"'
            self.tree.fault(("privacy", "measure"), message)

    def _delta(self, key: str) -> Fraction | None:
        if key not in self.privacy:
            return None
        try:
            return delta.parse(str(self.privacy[key]))
        except delta.InvalidDelta as error:
            self.tree.fault(("privacy", key), str(error))
            return None

    def _check_purse(self, deltas: Mapping[str, Fraction | None]) -> None:
        """What one answer costs in δ and the lifetime total belong together."""
        for one, other in (("delta_per_query", "delta_cap"), ("delta_cap", "delta_per_query")):
            if one in self.privacy and other not in self.privacy:
                self.tree.fault(("privacy", one), f"needs {other} beside it: both or neither", key=True)
        per_query, cap = deltas["delta_per_query"], deltas["delta_cap"]
        if per_query is not None and cap is not None and per_query > cap:
            self.tree.fault(("privacy", "delta_per_query"), "is above delta_cap")

    def _lineage(self) -> str:
        lineage = self.content.get("lineage")
        if lineage is None:
            return str(self.content["id"])
        if lineage == self.content["id"]:
            self.tree.fault(("lineage",), "is the dataset's own id; leave the key out")
        return str(lineage)

    def _source(self) -> SourceOptions:
        given = self.content.get("source", {})
        quote = given.get("quote", YamlScalar('"'))
        return SourceOptions(
            delimiter=str(given.get("delimiter", ",")),
            encoding=str(given.get("encoding", "utf-8")),
            quote=None if quote.is_null else str(quote),
        )

    def _columns(self, unit: str | None, rows_per_person: int) -> Iterator[AnyColumn]:
        if unit is not None:
            _check_name(self.tree, unit, ("privacy", "unit"), key=False)
        seen = {} if unit is None else {unit.casefold(): unit}
        for name, declared in self.content["columns"].items():
            path = ("columns", name)
            _check_name(self.tree, name, path)
            if name == unit:
                self.tree.fault(path, "is the unit of privacy, which is not declared again", key=True)
            elif name.casefold() in seen:
                message = f"differs from {shown(seen[name.casefold()])} by capitals only"
                self.tree.fault(path, message, key=True)
            seen.setdefault(name.casefold(), name)
            yield self._column(name, declared, path, rows_per_person)

    def _column(self, name: str, declared: dict[str, Any], path: Path_, rows_per_person: int) -> AnyColumn:
        match str(declared["type"]):
            case "category":
                return self._category(name, declared, path)
            case "date":
                return self._date(name, declared, path)
            case "text":
                return Text(name=name, role=str(declared.get("role", "identifier")))
            case "open":
                return self._open(name, declared, path)
            case _:
                number = self._number(name, declared, path)
                self._check_sums_fit(number, path, rows_per_person)
                return number

    def _category(self, name: str, declared: dict[str, Any], path: Path_) -> Category:
        values = tuple(map(str, declared["values"]))
        places: dict[str, int] = {}
        for place, value in enumerate(values):
            first = places.setdefault(value, place)
            if first != place:
                self.tree.fault((*path, "values", place), f"is the same as value {first + 1}")
        labels = {language: tuple(map(str, words)) for language, words in declared.get("labels", {}).items()}
        for language, words in labels.items():
            if len(words) != len(values):
                message = f"has {len(words)} labels for {len(values)} values"
                self.tree.fault((*path, "labels", language), message)
        return Category(
            name=name,
            values=values,
            labels=labels,
            other=self._other(declared, values, path),
            missing_allowed="missing" in declared,
        )

    def _open(self, name: str, declared: dict[str, Any], path: Path_) -> UndeclaredColumn:
        """A column of undeclared values: naming them costs δ, so the owner must have set some aside."""
        if self.privacy["measure"] != "zcdp" or any(key not in self.privacy for key in DELTAS):
            message = (
                "open needs measure: zcdp, and delta_per_query and delta_cap under privacy, since naming "
                "undeclared values costs δ; or declare the values, with type: category"
            )
            self.tree.fault((*path, "type"), message)
        length = int(declared.get("max_length", OPEN_LENGTH))
        return UndeclaredColumn(name=name, length_max=length)

    def _other(self, declared: dict[str, Any], values: tuple[str, ...], path: Path_) -> str | None:
        other = declared.get("other")
        if other is None or (other.plain and other == "false"):
            return None
        if other not in values:
            self.tree.fault((*path, "other"), "must be one of the values, or false")
        return str(other)

    def _number(self, name: str, declared: dict[str, Any], path: Path_) -> Number:
        step = Decimal(declared.get("step", "1"))
        unit = declared.get("unit")
        low, high = self._steps("min", declared, step, path), self._steps("max", declared, step, path)
        if low >= high and step > 0:
            self.tree.fault((*path, "max"), "must be above min")
        return Number(
            name=name,
            low=low,
            high=high,
            step=step.normalize() if step == 0 else _plain(step),
            unit=None if unit is None else str(unit),
            kind="integer" if declared["type"] == "integer" else "decimal",
            missing_allowed="missing" in declared,
        )

    def _steps(self, key: str, declared: dict[str, Any], step: Decimal, path: Path_) -> int:
        """A bound as a whole number of steps."""
        if step <= 0:
            if key == "min":
                self.tree.fault((*path, "step"), "must be above zero")
            return 0
        units = 10 ** decimals_of(step)
        bound = Decimal(declared[key]).scaleb(decimals_of(step))
        whole = int(step.scaleb(decimals_of(step)))
        if bound % 1 or int(bound) % whole:
            self.tree.fault((*path, key), f"is not a whole multiple of the step {_plain(step)}")
        elif abs(bound) >= 10**UNITS_DIGITS_MAX or units * whole >= 10 ** (2 * UNITS_DIGITS_MAX):
            self.tree.fault((*path, key), f"has more than {UNITS_DIGITS_MAX} digits at the step's precision")
        elif abs(int(bound) // whole) > CODE_MAX:
            self.tree.fault((*path, key), "is more than 2^53 steps from zero")
        return int(bound) // whole

    def _check_sums_fit(self, column: Number, path: Path_, rows_per_person: int) -> None:
        """Refuse a column whose noisy sum could leave 64 bits; see `largest_reach`."""
        reach = max(abs(column.low), abs(column.high), column.high - column.low)
        allowed = largest_reach(rows_per_person)
        if reach > allowed:
            message = (
                f"sums could exceed 64 bits: use a larger step or narrower bounds (at most {allowed:,} steps)"
            )
            self.tree.fault(path, message, key=True)

    def _date(self, name: str, declared: dict[str, Any], path: Path_) -> Date:
        low, high = self._day("min", declared, path), self._day("max", declared, path)
        if low is not None and high is not None and low >= high:
            self.tree.fault((*path, "max"), "must be after min")
        return Date(name=name, low=low or 0, high=high or 0, missing_allowed="missing" in declared)

    def _day(self, key: str, declared: dict[str, Any], path: Path_) -> int | None:
        try:
            return day_number(date.fromisoformat(declared[key]))
        except ValueError:
            self.tree.fault((*path, key), "is not a day of the calendar")
            return None


class _ViewReader:
    """Turns a view's content into values, as far as that needs no look at its sources."""

    def __init__(self, content: dict[str, Any], tree: Tree) -> None:
        self.content = content
        self.tree = tree

    def read(self, text: str) -> View | None:
        sources = self._sources()
        per_query = _amount(self.tree, self.content["privacy"], "max_per_query")
        columns = tuple(self._columns(sources))
        names = [column.name for column in columns]
        if self.tree.faults:
            return None
        return View(
            id=str(self.content["id"]),
            title={language: str(words) for language, words in self.content["title"].items()},
            body=str(self.content["body"]),
            sources=sources,
            rows_per_person=int(self.content["privacy"]["max_rows_per_person"]),
            price_per_query_max=per_query,
            columns=columns,
            text=text,
            places=self.tree.values | {("columns", name): self.tree.keys["columns", name] for name in names},
        )

    def _sources(self) -> tuple[str, ...]:
        sources = tuple(map(str, self.content["view"]["of"]))
        for place, source in enumerate(sources):
            if source == self.content["id"]:
                self.tree.fault(("view", "of", place), "is the view itself")
            if source in sources[:place]:
                self.tree.fault(("view", "of", place), "stands twice: a dataset is joined once")
        return sources

    def _columns(self, sources: Sequence[str]) -> Iterator[ViewColumn]:
        seen: dict[str, str] = {}
        for name, declared in self.content["columns"].items():
            _check_name(self.tree, name, ("columns", name))
            if name.casefold() in seen:
                message = f"differs from {shown(seen[name.casefold()])} by capitals only"
                self.tree.fault(("columns", name), message, key=True)
            seen.setdefault(name.casefold(), name)
            source = str(declared["from"])
            if source not in sources:
                self.tree.fault(("columns", name, "from"), f"must be one of {', '.join(sources)}")
            yield ViewColumn(name=name, source=source, column=str(declared.get("column", name)))


def decimals_of(step: Decimal) -> int:
    """How many decimals a step has, trailing zeros aside."""
    exponent = _plain(step).as_tuple().exponent
    assert isinstance(exponent, int)
    return -exponent


def _plain(step: Decimal) -> Decimal:
    """The same number without trailing decimals and without an exponent: 0.10 → 0.1, 1E+3 → 1000."""
    whole = step.to_integral_value()
    return whole.quantize(Decimal(1)) if step == whole else step.normalize()
