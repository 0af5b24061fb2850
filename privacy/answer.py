"""exact × plan × noise → the released integers, and the table that is made of them and of nothing else.

`release` is the only place where exact values meet noise. `table` is post-processing: deterministic, from
noisy integers and the plan alone, so it costs nothing and is the same in every rendering.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import Any

import numpy as np

from privacy import left_out, result_columns
from privacy.aggregates import Get
from privacy.budget import Price
from privacy.exact import AxisSubset, ExactAggregate, ExactRequest
from privacy.filters import Filter
from privacy.measurement import Measurement, filtered
from privacy.noise import Integers, Noise
from privacy.notes import NOTES
from privacy.partition_selection import UndeclaredValueCount
from privacy.plan import Plan
from privacy.quantiles import Quantiles
from privacy.result_columns import AnswerColumn
from privacy.schema import Label

Released = tuple[Integers, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTable:
    """An answer's table, the columns in order; `notes` and `postprocessing` are codes.

    `details` are notes on this very question: each a code with its text in both languages.

    Several tables (margins, a workload) stand one after the other; a key that a table does not have shows
    the label of a total.
    """

    columns: tuple[AnswerColumn, ...]
    notes: tuple[str, ...]
    postprocessing: tuple[str, ...]
    details: tuple[Mapping[str, str], ...] = ()

    def as_json(self, annotations: Mapping[str, Any] | None = None) -> bytes:
        """The table as it stands in a JSON answer: one object in UTF-8, the same bytes each time.

        What is said beside columns and rows is `annotations()`, unless something else is given.
        """
        rest = _text(self.annotations() if annotations is None else annotations)
        # The order of members is that of answers which are kept: the same table must give the same digest.
        return f"{{{self.data_json()}, {rest[1:]}".encode()

    def data_json(self) -> str:
        """Columns and rows as the members of a JSON object, without its braces."""
        columns = _text([column.description() for column in self.columns])
        return f'"columns": {columns}, "rows": [{self._rows()}]'

    def annotations(self) -> dict[str, Any]:
        """What JSON says of the table beside columns and rows: the codes of the postprocessing, notes in words."""
        notes = [{"code": code, **NOTES[code].as_texts()} for code in self.notes]
        return {"postprocessing": list(self.postprocessing), "notes": [*notes, *map(dict, self.details)]}

    def _rows(self) -> str:
        """One JSON object a row, by name and in the order of the columns."""
        # Written column by column: a dict a row would cost more than all the rest of an answer, and so many objects at
        # once call the garbage collector time and again.
        texts = [_texts(column.values) for column in self.columns]
        assert len(set(map(len, texts))) == 1, "all columns are of one length"
        names = [f"{_text(column.name)}: " for column in self.columns]
        openings = [f"{{{names[0]}", *(f", {name}" for name in names[1:])]
        pieces = [(repeat(opening), cells) for opening, cells in zip(openings, texts, strict=True)]
        return "".join(chain.from_iterable(zip(*chain.from_iterable(pieces), repeat("}, "), strict=False)))[
            :-2
        ]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "AnswerTable":
        """Read back what `as_json` wrote, as JSON values; other members of the object are left alone."""
        columns = tuple(
            AnswerColumn(
                name=about["name"],
                role=about["role"],
                values=[row[about["name"]] for row in body["rows"]],
                about={key: value for key, value in about.items() if key not in ("name", "role")},
            )
            for about in body["columns"]
        )
        return cls(
            columns=columns,
            notes=tuple(note["code"] for note in body["notes"] if note["code"] in NOTES),
            postprocessing=tuple(body["postprocessing"]),
            # As they were told: their words name the ranges of the question that was answered.
            details=tuple(note for note in body["notes"] if note["code"] not in NOTES),
        )


# Japanese as it is read; ValueError for NaN and infinities. Kept, since json.dumps would make one at every call.
_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _texts(values: Sequence[Label]) -> list[str]:
    """Each value as JSON."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return list(map(str, values))
    if str not in kinds:
        # Numbers and null hold no comma, so one call writes them all.
        return _text(list(values))[1:-1].split(", ") if values else []
    if kinds <= {str, type(None)}:
        # Labels of keys come again and again: each is written once.
        return list(map({value: _text(value) for value in set(values)}.__getitem__, values))
    return list(map(_text, values))


def release(plan: Plan, exact: Mapping[ExactRequest, Integers], noise: Noise) -> Released:
    """Draw the noise of every measurement of a plan: one array for each, in the plan's order.

    Private because: each additive draw is a vector of integers that one person moves by at most the
    mechanism's sensitivity, and each choice's scores likewise (privacy.aggregates, privacy.quantiles), so a
    draw costs its price; the prices of draws add up to the statistic's and those to the plan's (basic
    composition of ε; ρ adds up alike, Bun & Steinke 2016, lemma 1.7), statistics of disjoint filters counting once
    together (privacy.parallel).
    """
    return tuple(array for part in plan.measurements for array in _release(part, exact, noise))


def _release(part: Measurement, exact: Mapping[ExactRequest, Integers], noise: Noise) -> list[Integers]:
    """The released arrays of one statistic: (components, cells) for each draw, or (choices, cells) at once."""
    if isinstance(part.estimator, Quantiles) and not part.estimator.by_tree:
        # A later choice may depend on an earlier one (splits), so all are made at once and not draw by draw.
        return [
            part.estimator.choose(_getter(exact, part.draws[0].subset, part.where), part.mechanisms, noise)
        ]
    if isinstance(part.estimator, UndeclaredValueCount):
        (draw,) = part.draws
        return [part.estimator.choose(_getter(exact, draw.subset, part.where), draw.mechanism, noise)]
    found = []
    for draw in part.draws:
        get = _getter(exact, draw.subset, part.where)
        vector = (
            part.estimator.counts(get)
            if isinstance(part.estimator, Quantiles)
            else part.estimator.vector(get)
        )
        # One call for all components and cells: the sensitivity is that of the whole vector.
        found.append(noise.add(vector.ravel(), draw.mechanism).reshape(vector.shape))
    return found


def _getter(exact: Mapping[ExactRequest, Integers], subset: AxisSubset, where: Filter | None) -> Get:
    """Exact integers over some axes, of the rows that a statistic's own filter lets through, by name."""

    def get(wanted: ExactAggregate) -> Integers:
        return exact[subset, filtered(wanted, where)]

    return get


def released_codes(plan: Plan, released: Released) -> Integers:
    """Codes of the undeclared values that an answer names, of shape (values,); empty where all are declared.

    Only they may be looked up: which other values exist is not released.
    """
    undeclared = any(isinstance(part.estimator, UndeclaredValueCount) for part in plan.measurements)
    return released[0][0] if undeclared else np.zeros(0, dtype=np.int64)


def table(plan: Plan, released: Released, values: Sequence[str] = ()) -> AnswerTable:
    """The answer's table from released arrays, in the plan's order.

    `values` are the undeclared values behind `released_codes`, in that order.
    """
    if any(isinstance(part.estimator, UndeclaredValueCount) for part in plan.measurements):
        part = plan.measurements[0]
        counted = result_columns.by_undeclared_value(plan, part, released[0], values)
        columns = list(result_columns.described(plan, [part], counted))
        return AnswerTable(columns=tuple(columns), notes=tuple(result_columns.notes(plan)), postprocessing=())
    columns = list(result_columns.keys(plan))
    # Arrays carry no names: they are taken in the order of `release`, as many a statistic as it has draws.
    rest = list(released)
    done: list[str] = []
    for parts in by_statistic(plan):
        found = []
        for part in parts:
            arrays, rest = rest[: _arrays(part)], rest[_arrays(part) :]
            found.append(list(result_columns.columns(plan, part, arrays)))
            done += result_columns.postprocessing(plan, part)
        whole = found[0] if parts[0].cells is None else result_columns.of_parts(plan, parts, found)
        columns += result_columns.described(plan, parts, whole)
    assert not rest, "every released array is in the table"
    return AnswerTable(
        columns=tuple(columns),
        notes=tuple(result_columns.notes(plan)),
        postprocessing=tuple(dict.fromkeys(done)),
        details=tuple(left_out.notes(plan)),
    )


def by_statistic(plan: Plan) -> list[list[Measurement]]:
    """The measurements of each statistic: one, or its parts where it has clamps by group."""
    found: dict[str, list[Measurement]] = {}
    for part in plan.measurements:
        found.setdefault(part.name, []).append(part)
    return list(found.values())


def _arrays(part: Measurement) -> int:
    by_choice = isinstance(part.estimator, Quantiles) and not part.estimator.by_tree
    return 1 if by_choice else len(part.draws)


def renamed_table(earlier: AnswerTable, plan: Plan) -> AnswerTable:
    """An earlier answer to the same canonical question, under the names and in the order now asked for.

    Of two equal statistics the dearer one is kept: it is the one that `Plan.prices` speaks of.
    """
    columns = [column for column in earlier.columns if column.role == "key"]
    for parts in by_statistic(plan):
        part = parts[0]
        # Tables that are kept from before columns told a digest of conditions have the canonical text itself.
        keys = (result_columns.told_key(parts), result_columns.key_of(parts))
        equal = [
            column
            for column in earlier.columns
            if column.role == "value" and column.about["statistic"] in keys
        ]
        # By price, since equal statistics at unequal shares of a price were released with unequal noise.
        first = max(equal, key=lambda column: _price_of(column.about))
        columns += _under_new_name(earlier.columns, first.about["as"], part)
    return replace(earlier, columns=tuple(columns))


def _under_new_name(columns: Sequence[AnswerColumn], before: str, part: Measurement) -> list[AnswerColumn]:
    """All columns of one statistic under its new name."""
    found = []
    for column in columns:
        if column.about.get("as") == before:
            about = {**column.about, "as": part.name}
            # Several quantiles add their own ends to the statistic's name, which stay.
            if "of" in about:
                about["of"] = part.name + about["of"].removeprefix(before)
            found.append(replace(column, name=part.name + column.name.removeprefix(before), about=about))
    return found


def _price_of(about: Mapping[str, Any]) -> Price:
    return Price.parse(about.get("epsilon") or about["rho"])
