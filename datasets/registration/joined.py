"""Fills in what a view takes from the datasets it joins. Knows what is public about them, never a row.

The outcome is the descriptor of a dataset like any other, with every column's domain as it was declared when the
view was registered: a source's next version changes nothing about the view.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

from datasets.catalog import DatasetVersion
from datasets.descriptor.descriptor import Descriptor, DescriptorError, Reuse, View, ViewColumn, parse
from datasets.descriptor.yamltext import Fault
from privacy import delta, groups
from privacy.about import ColumnAbout
from privacy.budget import Price
from privacy.schema import AnyColumn, Category, Date, Number, Schema, Text, UndeclaredColumn, day_of
from privacy.words import Words

Sources = Mapping[str, DatasetVersion]


def resolve(view: View, sources: Sources, all_of: Callable[[str], set[str]]) -> Descriptor:
    """The view as a descriptor of its own. Raises DescriptorError where the sources don't allow it.

    `sources` are those of the view's that are registered; `all_of` tells what a dataset is joined from, itself
    and at any depth.
    """
    faults = [*_source_faults(view, sources, all_of)]
    # Columns are looked up in the sources, so these must be there first.
    if not faults:
        faults += _column_faults(view, sources)
    if faults:
        raise DescriptorError(faults)
    schemas = [sources[id].schema for id in view.sources]
    _refuse(view, _limit_faults(view, schemas))
    try:
        descriptor = parse(_written(view, schemas, _strictest(sources)))
    except DescriptorError as error:
        raise DescriptorError([_at_its_place(view, fault) for fault in error.faults]) from None
    for wanted, column in zip(view.columns, descriptor.schema.columns, strict=True):
        # What was written as text and read again must mean what the source declares: a domain that came back
        # narrower or wider would break the sensitivity.
        declared = _declared(wanted, sources[wanted.source].schema)
        assert declared is not None
        assert replace(column, name=wanted.column) == _of_view(wanted, declared)
    return descriptor


def _refuse(view: View, faults: Iterator[Fault]) -> None:
    found = list(faults)
    if found:
        raise DescriptorError(found)


def _source_faults(view: View, sources: Sources, all_of: Callable[[str], set[str]]) -> Iterator[Fault]:
    measures = [sources[id].schema.measure for id in view.sources if id in sources]
    for place, id in enumerate(view.sources):
        for message in _against(view, id, sources.get(id), measures[:1], all_of):
            yield view.fault(("view", "of", place), message)


def _against(
    view: View,
    id: str,
    version: DatasetVersion | None,
    measures: Sequence[str],
    all_of: Callable[[str], set[str]],
) -> Iterator[Words]:
    """What speaks against joining a dataset."""
    if version is None:
        yield Words(
            ja=f"{id} は登録されていません。先に登録してください",
            en=f"{id} is no registered dataset; register it first",
        )
        return
    if version.retired:
        yield Words(
            ja=f"{id} は廃止され、新しい質問に回答しません。これを結合したビューも同様です",
            en=f"{id} is retired and answers no new questions, nor does a view of it",
        )
    if version.schema.unit is None:
        yield Words(
            ja=f"{id} は個人を示さない（unit が null である）ため、他のデータと結合できません",
            en=f"{id} names no person (its unit is null), so its rows cannot be joined with others",
        )
    if version.schema.measure not in measures:
        own, first = version.schema.measure, measures[0]
        yield Words(
            ja=f"{id} の measure は {own}、最初の結合元は {first} です。同じものだけを結合してください",
            en=f"{id} is accounted in {own}, the first source in {first}: join one kind only",
        )
    # At any depth, or two views could each contain the other.
    if view.id in all_of(id):
        yield Words(
            ja=f"{id} 自身が {view.id} を結合しています。ビューは自身を含めません",
            en=f"{id} is itself joined from {view.id}: a view cannot contain itself",
        )


def _column_faults(view: View, sources: Sources) -> Iterator[Fault]:
    for wanted in view.columns:
        path = ("columns", wanted.name, "column")
        declared = _declared(wanted, sources[wanted.source].schema)
        if declared is None:
            message = Words(
                ja=f"{wanted.source} に列 {wanted.column!r} の宣言がありません",
                en=f"{wanted.source} declares no column {wanted.column!r}",
            )
            yield view.fault(path, message)
        elif isinstance(declared, Text):
            message = Words(
                ja=f"{wanted.column} は {wanted.source} で text です。質問に使えないため、含めないでください",
                en=f"{wanted.column} is text in {wanted.source}: no question can name it, so leave it out",
            )
            yield view.fault(path, message)
        elif isinstance(declared, UndeclaredColumn):
            for id in view.sources:
                if sources[id].schema.delta_cap is None:
                    message = Words(
                        ja=(
                            f"{wanted.column} の値は宣言されておらず、示すには全ての結合元で δ を消費しますが、"
                            f"{id} には delta_per_query と delta_cap がありません。列を含めないでください"
                        ),
                        en=(
                            f"{wanted.column} has undeclared values, and naming them costs every source δ, but "
                            f"{id} declares no delta_per_query and delta_cap: leave the column out"
                        ),
                    )
                    yield view.fault(path, message)


def _declared(wanted: ViewColumn, schema: Schema) -> AnyColumn | None:
    return next((column for column in schema.columns if column.name == wanted.column), None)


def _of_view(wanted: ViewColumn, declared: AnyColumn) -> AnyColumn:
    """The source's column as it is one of the view.

    Whether it is constant per person may be said anew: the view's registration sees to it in the view's own rows.
    """
    if wanted.constant_per_person is None or isinstance(declared, Text):
        return declared
    return replace(declared, constant_per_person=wanted.constant_per_person)


def _limit_faults(view: View, schemas: Sequence[Schema]) -> Iterator[Fault]:
    cap = _cap(schemas)
    if view.price_per_query_max > cap:
        message = Words(
            ja=f"結合元の cap の最小値 {cap} を超えています",
            en=f"is above {cap}, the lowest cap of its sources",
        )
        yield view.fault(("privacy", "max_per_query"), message)


def _cap(schemas: Sequence[Schema]) -> Price:
    """Every source pays for each answer, so the lowest cap is the view's."""
    return min(schema.cap for schema in schemas)


def _at_its_place(view: View, fault: Fault) -> Fault:
    """A fault of the written descriptorat the place of the view's text that it comes from."""
    path: tuple[str | int, ...] = tuple(fault.path.split(".")[:2])
    if path == ("privacy", "unit"):
        path = ("view", "of", 0)
    return view.fault(path, fault.message)


# Writing


def _strictest(sources: Sources) -> Reuse:
    """Where one owner confines its answers to an organisation, those of the view are confined, too."""
    confined = any(source.reuse == "organisation" for source in sources.values())
    return "organisation" if confined else "everyone"


def _written(view: View, schemas: Sequence[Schema], reuse: Reuse) -> str:
    """The text of the descriptor: JSON, which is YAML."""
    by_id = dict(zip(view.sources, schemas, strict=True))
    columns = {}
    for wanted in view.columns:
        source = by_id[wanted.source]
        declared = _declared(wanted, source)
        assert declared is not None
        words = _words(view.about.column(wanted.name), source.about.column(wanted.column))
        columns[wanted.name] = _column(_of_view(wanted, declared)) | words
    content = {
        "id": view.id,
        "title": view.title,
        "body": view.body,
        "reuse": reuse,
        "privacy": _privacy(view, schemas),
        "columns": columns,
        **{name: words for name, words in view.about.members.items() if words},
    }
    # JSON is YAML but for two characters, which end a line in YAML only.
    text = json.dumps(content, ensure_ascii=False)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")  # line breaks to YAML alone


def _privacy(view: View, schemas: Sequence[Schema]) -> dict[str, Any]:
    """The view's own bounds, and the strictest of its sources' terms."""
    deltas = {
        # The strictest terms of all sources: δ for showing ρ and the lifetime total are the least.
        "delta": _least([schema.delta for schema in schemas]),
        "delta_per_query": _most([schema.delta_per_query for schema in schemas]),
        "delta_cap": _least([schema.delta_cap for schema in schemas]),
    }
    return {
        # The join names the person by the first source's column.
        "unit": schemas[0].unit,
        "max_rows_per_person": view.rows_per_person,
        "measure": schemas[0].measure,
        "cap": str(_cap(schemas)),
        "max_per_query": str(view.price_per_query_max),
        **{key: delta.shown(delta.atto_of(amount)) for key, amount in deltas.items() if amount is not None},
    }


def _least(amounts: Sequence[Fraction | None]) -> Fraction | None:
    """The least, if every source names one."""
    named = [amount for amount in amounts if amount is not None]
    return min(named) if len(named) == len(amounts) else None


def _most(amounts: Sequence[Fraction | None]) -> Fraction | None:
    """The most, if every source names one: an answer costs what the dearest of them asks."""
    named = [amount for amount in amounts if amount is not None]
    return max(named) if len(named) == len(amounts) else None


def _words(own: ColumnAbout, source: ColumnAbout) -> dict[str, Any]:
    """A column's words: the view's own where it has some, else its source's."""
    words = {
        "title": own.title or source.title,
        "description": own.description or source.description,
        "unit": source.unit,
    }
    return {name: dict(said) for name, said in words.items() if said}


def _column(column: AnyColumn) -> dict[str, Any]:
    """A column's declaration, which means what the source's means."""
    match column:
        case Category(values=values, labels=labels, other=other):
            written: dict[str, Any] = {"type": "category", "values": values, "labels": labels}
            written |= {} if other is None else {"other": other}
        case Number(low=low, high=high, step=step, kind=kind, unit=unit):
            written = {"type": kind, "min": f"{low * step:f}", "max": f"{high * step:f}", "step": f"{step:f}"}
            written |= {} if unit is None else {"unit": unit}
        case Date(low=low, high=high):
            written = {"type": "date", "min": day_of(low).isoformat(), "max": day_of(high).isoformat()}
        case UndeclaredColumn(length_max=length):
            written = {"type": "open", "max_length": length}
            return written | ({"constant_per_person": True} if column.constant_per_person else {})
        case Text():
            raise AssertionError("no view has a text column")
    if column.groupings:
        named = {
            one.name: groups.written(one, column, partial(groups.shown_code, column))
            for one in column.groupings
        }
        written |= {"groups": named}
    written |= {"constant_per_person": True} if column.constant_per_person else {}
    return written | ({"missing": "allowed"} if column.missing_allowed else {})
