"""Reads a dataset's descriptor (YAML) into what is public about it. Refuses whatever it does not know.

Two kinds are read: a dataset with a source of its own, and a view, which joins registered datasets and takes
its columns' domains from them (`datasets.registration.joined` fills them in). `structure` checks which keys and
types there are, `columns` reads the columns, and what belongs together is checked here. Every fault has the line
and column of the text it is about. Scalars stay text until a column's type is known, so `values: [no, yes]` are
the words "no" and "yes" and decimals keep their digits. Anchors, aliases, tags, merge keys and duplicate keys are
refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from datasets.descriptor.about import about_of
from datasets.descriptor.columns import ColumnReader, check_name, is_constant
from datasets.descriptor.structure import check_structure
from datasets.descriptor.yamltext import Fault, Faulty, Path_, Tree, YamlScalar, dotted, shown
from privacy import delta
from privacy.about import About
from privacy.budget import InvalidAmount, Price
from privacy.schema import AnyColumn, Schema, SecondUnit, Text
from privacy.words import Words

Reuse = Literal["everyone", "organisation"]
DELTAS = ("delta", "delta_per_query", "delta_cap")
_UNIT_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_UNIT_NAMES = Words(
    ja="単位の名前は英小文字で始まり、31 文字までの英小文字、数字、_ が続きます",
    en="a unit's name is a small letter, then up to 31 small letters, digits or _",
)


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
    earlier dataset about the same people. `population` names the body of people over all of their registers, None
    where the text names none. `reuse` says whose earlier answers may be told again to others. `text` is the descriptor
    as it was given.
    """

    schema: Schema
    source: SourceOptions
    lineage: str
    population: str | None
    reuse: Reuse
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewColumn:
    """A column of a view: the column `column` of the dataset `source`.

    `constant_per_person` is what the view itself says of it; None leaves it to the source.
    """

    name: str
    source: str
    column: str
    constant_per_person: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A checked descriptor of a view: registered datasets (or views), joined on the person.

    A person's rows are all pairs of that person's rows in the sources. Unit, measure and caps are the sources'.
    `about` has the view's own words; a column without any takes its source's.
    `places` tells where the text says what, for faults that only the sources can show.
    """

    id: str
    title: dict[str, str]
    body: str
    sources: tuple[str, ...]
    rows_per_person: int
    price_per_query_max: Price
    columns: tuple[ViewColumn, ...]
    about: About
    text: str
    places: Mapping[Path_, tuple[int, int]]

    def fault(self, path: Path_, message: Words) -> Fault:
        """A fault at the place of `path`, or of what holds it."""
        # The longest part of the path that has a place: a key that is missing is shown where it should stand.
        known = next((path[:size] for size in range(len(path), 0, -1) if path[:size] in self.places), ())
        return Fault(*self.places.get(known, (1, 1)), dotted(path), message)


def read(text: str) -> Descriptor | View:
    """Read a descriptor of either kind or raise DescriptorError with every fault found."""
    tree = Tree(Words(ja="データ定義ファイル", en="a descriptor"), DescriptorError)
    content = tree.read(text)
    # Reading assumes the structure, so faults of structure end it; those of meaning are all gathered.
    check_structure(content, tree)
    tree.raise_faults()
    # The schema has decided by this key already which members there are.
    reader = _ViewReader(content, tree) if "view" in content else _DescriptorReader(content, tree)
    described = reader.read(text)
    tree.raise_faults()
    assert described is not None
    return described


def parse(text: str) -> Descriptor:
    """Read the descriptor of a dataset with a source of its own; raises DescriptorError, for a view too."""
    described = read(text)
    if isinstance(described, View):
        message = Words(
            ja="ビューのデータ定義ファイルであり、元データがありません",
            en="this describes a view, which has no source",
        )
        raise DescriptorError([described.fault(("view",), message)])
    return described


def _differs_by_capitals(other: str) -> Words:
    # DuckDB's identifiers know no capitals, so two such columns would be one.
    return Words(
        ja=f"{shown(other)} と大文字・小文字が違うだけです",
        en=f"differs from {shown(other)} by capitals only",
    )


def _amount(tree: Tree, privacy: Mapping[str, Any], key: str) -> Price:
    try:
        return Price.parse(str(privacy[key]))
    except InvalidAmount as error:
        tree.fault(("privacy", key), error.message())
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
        # An amount that could not be read is zero and has its fault already.
        if cap.nano and per_query > cap:
            message = Words(ja=f"cap の {cap} を超えています", en=f"is above the cap of {cap}")
            self.tree.fault(("privacy", "max_per_query"), message)
        self._check_measure()
        deltas = {key: self._delta(key) for key in DELTAS}
        self._check_purse(deltas)
        columns = tuple(self._columns(unit, rows_per_person))
        about = about_of(self.content, self.tree)
        units = tuple(self._units(unit, columns))
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
            units=units,
            **deltas,
            about=about,
        )
        population = self.content.get("population")
        return Descriptor(
            schema=schema,
            source=self._source(),
            lineage=lineage,
            population=None if population is None else str(population),
            reuse="organisation" if self.content.get("reuse") == "organisation" else "everyone",
            text=text,
        )

    def _rows_per_person(self) -> int:
        rows = int(self.privacy["max_rows_per_person"])
        if self._unit() is None and rows != 1:
            message = Words(
                ja="1 でなければなりません（unit がない場合は 1 行が 1 人です）",
                en="must be 1, since without a unit each row is one person",
            )
            self.tree.fault(("privacy", "max_rows_per_person"), message)
        return rows

    def _unit(self) -> str | None:
        # A quoted "null" is a column's name.
        unit = self.privacy["unit"]
        if unit.is_null:
            return None
        return str(unit)

    def _check_measure(self) -> None:
        if self.privacy["measure"] == "pure":
            for key in DELTAS:
                if key in self.privacy:
                    message = Words(
                        ja=f"{key} は zcdp のものです。pure には要りません",
                        en=f"{key} belongs to zcdp; pure needs none",
                    )
                    self.tree.fault(("privacy", key), message, key=True)
        elif "delta" not in self.privacy:
            message = Words(
                ja='zcdp には、(ε, δ) として示すための delta が必要です（例：delta: "1e-9"）',
                en='zcdp needs a delta, at which it is shown to people as (ε, δ), such as delta: "1e-9"',
            )
            # ρ alone says nothing to people; (ε, δ) does, and which δ is the owner's decision.
            self.tree.fault(("privacy", "measure"), message)

    def _delta(self, key: str) -> Fraction | None:
        if key not in self.privacy:
            return None
        try:
            return delta.parse(str(self.privacy[key]))
        except delta.InvalidDelta as error:
            self.tree.fault(("privacy", key), error.message())
            return None

    def _check_purse(self, deltas: Mapping[str, Fraction | None]) -> None:
        """What one answer costs in δ and the lifetime total belong together."""
        for one, other in (("delta_per_query", "delta_cap"), ("delta_cap", "delta_per_query")):
            if one in self.privacy and other not in self.privacy:
                message = Words(
                    ja=f"{other} も必要です。両方書くか、どちらも書かないでください",
                    en=f"needs {other} beside it: both or neither",
                )
                self.tree.fault(("privacy", one), message, key=True)
        per_query, cap = deltas["delta_per_query"], deltas["delta_cap"]
        if per_query is not None and cap is not None and per_query > cap:
            message = Words(ja="delta_cap を超えています", en="is above delta_cap")
            self.tree.fault(("privacy", "delta_per_query"), message)

    def _lineage(self) -> str:
        lineage = self.content.get("lineage")
        if lineage is None:
            return str(self.content["id"])
        if lineage == self.content["id"]:
            message = Words(
                ja="このデータセット自身の id です。キーを書かないでください",
                en="is the dataset's own id; leave the key out",
            )
            self.tree.fault(("lineage",), message)
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
            check_name(self.tree, unit, ("privacy", "unit"), key=False)
        # The unit takes part: a column that differs from it by capitals would be the same one to DuckDB.
        seen = {} if unit is None else {unit.casefold(): unit}
        reader = ColumnReader(
            self.tree,
            rows_per_person=rows_per_person,
            may_be_open=self.privacy["measure"] == "zcdp" and all(key in self.privacy for key in DELTAS),
        )
        for name, declared in self.content["columns"].items():
            path = ("columns", name)
            check_name(self.tree, name, path)
            if name == unit:
                message = Words(
                    ja="保護の単位の列は重ねて宣言しません",
                    en="is the unit of privacy, which is not declared again",
                )
                self.tree.fault(path, message, key=True)
            elif name.casefold() in seen:
                self.tree.fault(path, _differs_by_capitals(seen[name.casefold()]), key=True)
            seen.setdefault(name.casefold(), name)
            yield reader.column(name, declared, path)

    def _units(self, unit: str | None, columns: Sequence[AnyColumn]) -> Iterator[SecondUnit]:
        """What is counted beside persons, each named by a column that no question can."""
        taken = {column.name.casefold(): column for column in columns}
        seen = {} if unit is None else {unit.casefold(): "privacy.unit"}
        for name, declared in self.content.get("units", {}).items():
            path, column = ("units", name, "column"), str(declared["column"])
            check_name(self.tree, column, path, key=False)
            if not _UNIT_NAME.fullmatch(name):
                self.tree.fault(("units", name), _UNIT_NAMES, key=True)
            if (fault := _unit_fault(column, taken.get(column.casefold()), seen)) is not None:
                self.tree.fault(path, fault)
            seen.setdefault(column.casefold(), f"units.{name}")
            yield SecondUnit(
                name=name,
                column=column,
                title={language: str(words) for language, words in declared.get("title", {}).items()},
                constant_per_person=is_constant(declared),
            )


def _unit_fault(column: str, declared: AnyColumn | None, seen: Mapping[str, str]) -> Words | None:
    """Why a column cannot name a second unit, if so; `declared` is the column that has this name but for capitals."""
    if column.casefold() in seen:
        other = seen[column.casefold()]
        return Words(ja=f"{other} の列と同じです", en=f"is the column of {other}")
    if declared is not None and declared.name != column:
        return _differs_by_capitals(declared.name)
    if declared is not None and not isinstance(declared, Text):
        return Words(
            ja=(
                "質問に使える列です。単位を示す列は質問に使えないよう、"
                "type: text とするか、columns に書かないでください"
            ),
            en="is a column that questions can name; what names a unit is text, or is left out of columns",
        )
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
        about = about_of(self.content, self.tree)
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
            about=about,
            text=text,
            # A view's faults that only its sources show come long after reading: the places are kept for
            # them. Faults of a column point to its name.
            places=self.tree.values | {("columns", name): self.tree.keys["columns", name] for name in names},
        )

    def _sources(self) -> tuple[str, ...]:
        # Whether they are registered is not known here; the file can be checked before its sources are.
        sources = tuple(map(str, self.content["view"]["of"]))
        for place, source in enumerate(sources):
            if source == self.content["id"]:
                message = Words(ja="ビュー自身です", en="is the view itself")
                self.tree.fault(("view", "of", place), message)
            if source in sources[:place]:
                message = Words(
                    ja="重複しています。1 つのデータセットは 1 度だけ結合します",
                    en="stands twice: a dataset is joined once",
                )
                self.tree.fault(("view", "of", place), message)
        return sources

    def _columns(self, sources: Sequence[str]) -> Iterator[ViewColumn]:
        seen: dict[str, str] = {}
        for name, declared in self.content["columns"].items():
            check_name(self.tree, name, ("columns", name))
            if name.casefold() in seen:
                self.tree.fault(("columns", name), _differs_by_capitals(seen[name.casefold()]), key=True)
            seen.setdefault(name.casefold(), name)
            source = str(declared["from"])
            if source not in sources:
                message = Words(
                    ja=f"{', '.join(sources)} のいずれかでなければなりません",
                    en=f"must be one of {', '.join(sources)}",
                )
                self.tree.fault(("columns", name, "from"), message)
            yield ViewColumn(
                name=name,
                source=source,
                column=str(declared.get("column", name)),
                constant_per_person=is_constant(declared) if "constant_per_person" in declared else None,
            )
