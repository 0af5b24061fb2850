"""exact × plan × noise → the released integers, and the table that is made of them and of nothing else.

`release` is the only place where exact values meet noise. `table` is post-processing: deterministic, from
noisy integers and the plan alone, so it costs nothing and is the same in every rendering.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any, Literal

import numpy as np

from privacy import accuracy
from privacy.budget import Price
from privacy.noise import Integers, Noise
from privacy.plan import Exact, Label, Measurement, Plan, in_units

Value = Label
Released = tuple[Integers, ...]
MEAN_DIGITS = 4
"""Means are shown to a ten-thousandth of the column's step, far below their noise."""

MEAN_SIZES = (100, 1_000, 10_000, 100_000)

NOTES = {
    "may_be_negative": {
        "text": "Counts and sums carry noise around zero and may be negative; they add up without bias.",
        "text_ja": "件数や合計には 0 を中心とする誤差が加わり、負になることがあります。足しても偏りません。",
    },
    "bounds_per_cell": {
        "text": "Each pair of bounds holds the exact value of its cell with probability 0.95.",
        "text_ja": "各区間は、そのセルの正確な値を 95 % の確率で含みます。",
    },
    "mean_from_sums": {
        "text": "A mean is the ratio of two released sums: distance above the lower clamp and below the upper.",
        "text_ja": "平均は、公表された二つの和（下限からの距離の和と上限までの距離の和）の比です。",
    },
    "dummy_data": {
        "text": "This answer was made from generated data. It says nothing about any person.",
        "text_ja": "この回答は生成した模擬データによるもので、実在の人については何も示しません。",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerColumn:
    """A column of the answer: a key, a value, a bound of a value, or the raw noisy sums behind a value."""

    name: str
    role: Literal["key", "value", "bound", "raw"]
    values: tuple[Value, ...]
    about: Mapping[str, Any]

    def description(self) -> dict[str, Any]:
        """What a reader is told about the column."""
        return {"name": self.name, "role": self.role, **self.about}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An answer's table, the columns in order; `notes` and `postprocessing` are codes."""

    columns: tuple[AnswerColumn, ...]
    notes: tuple[str, ...]
    postprocessing: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The table as it stands in a JSON answer."""
        names = [column.name for column in self.columns]
        rows = zip(*(column.values for column in self.columns), strict=True)
        return {
            "columns": [column.description() for column in self.columns],
            "rows": [dict(zip(names, row, strict=True)) for row in rows],
            "postprocessing": list(self.postprocessing),
            "notes": [{"code": code, **NOTES[code]} for code in self.notes],
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Table":
        """Read back what `as_json` wrote."""
        columns = tuple(
            AnswerColumn(
                name=about["name"],
                role=about["role"],
                values=tuple(row[about["name"]] for row in body["rows"]),
                about={key: value for key, value in about.items() if key not in ("name", "role")},
            )
            for about in body["columns"]
        )
        notes = tuple(note["code"] for note in body["notes"])
        return cls(columns=columns, notes=notes, postprocessing=tuple(body["postprocessing"]))


def release(plan: Plan, exact: Mapping[Exact, Integers], noise: Noise) -> Released:
    """Add noise to every measurement of a plan.

    Private because: each measurement is a vector of integers that one person moves by at most its
    `sensitivity` in L1 (privacy.plan._draft); discrete Laplace noise calibrated to its price makes it
    ε-private for that price; the prices add up to the plan's (basic composition).
    """
    return tuple(
        noise.laplace(_vector(part, exact), sensitivity=part.sensitivity, price=part.price)
        for part in plan.measurements
    )


def _vector(part: Measurement, exact: Mapping[Exact, Integers]) -> Integers:
    """The exact integers of a measurement, one per cell; for a mean the distances from both clamps."""
    if part.agg != "mean":
        return exact[part.exacts[0]]
    total, present = (exact[needed] for needed in part.exacts)
    return np.concatenate([total - part.low * present, part.high * present - total])


def table(plan: Plan, released: Released) -> Table:
    """Make the answer's table from released integers."""
    columns = list(_keys(plan))
    for part, noisy in zip(plan.measurements, released, strict=True):
        columns.extend(_mean(part, noisy) if part.agg == "mean" else _plain(part, noisy))
    means = any(part.agg == "mean" for part in plan.measurements)
    plain = any(part.agg != "mean" for part in plan.measurements)
    notes = [("may_be_negative", plain), ("bounds_per_cell", True), ("mean_from_sums", means)]
    notes.append(("dummy_data", plan.query.mode == "dummy"))
    return Table(
        columns=tuple(columns),
        notes=tuple(code for code, holds in notes if holds),
        postprocessing=("mean_from_sums",) if means else (),
    )


def retold(told: Table, plan: Plan) -> Table:
    """An earlier answer to the same canonical question, under the names and in the order now asked for.

    Of two equal statistics the dearer one is told: it is the one that `Plan.prices` speaks of.
    """
    columns = [column for column in told.columns if column.role == "key"]
    for part in plan.measurements:
        equal = [
            column
            for column in told.columns
            if column.role == "value" and column.about["statistic"] == part.key
        ]
        first = max(equal, key=lambda column: Price.parse(column.about["epsilon"]))
        for column in told.columns:
            if column is first or column.about.get("of") == first.name:
                name = part.name + column.name.removeprefix(first.name)
                about = {**column.about, **({"of": part.name} if "of" in column.about else {})}
                columns.append(replace(column, name=name, about=about))
    return replace(told, columns=tuple(columns))


def expectation(plan: Plan) -> list[dict[str, Any]]:
    """The half-widths of the 95 % bounds to expect, from the plan alone.

    Those of counts and sums are certain. A mean's depends on how many rows its cell holds, so it is given
    for a few sizes, at its worst (a mean at one of the clamping bounds).
    """
    return [_expected(part) for part in plan.measurements]


def _expected(part: Measurement) -> dict[str, Any]:
    about: dict[str, Any] = {"of": part.name, "confidence": accuracy.CONFIDENCE}
    if part.agg != "mean":
        return {**about, "half_width": in_units(accuracy.half_width(part.scale), part.step)}
    span = part.high - part.low
    fine = part.step / 10**MEAN_DIGITS
    widths = [
        {"rows": rows, "half_width": in_units(round(ratio * span * 10**MEAN_DIGITS), fine)}
        for rows in MEAN_SIZES
        for ratio in (accuracy.ratio_half_width(part.scale, rows * span),)
    ]
    return {**about, "half_width_by_rows": widths}


def _keys(plan: Plan) -> list[AnswerColumn]:
    cells = list(product(*(axis.labels for axis in plan.axes)))
    return [
        AnswerColumn(name=axis.name, role="key", values=tuple(cell[place] for cell in cells), about={})
        for place, axis in enumerate(plan.axes)
    ]


def _plain(part: Measurement, noisy: Integers) -> list[AnswerColumn]:
    """Counts and sums: the noisy integer is the answer, its bounds lie evenly around it."""
    width = accuracy.half_width(part.scale)
    values = noisy.tolist()
    return [
        _value(part, _in_units(part, values), scale=in_units_text(part, part.scale)),
        _bound(part, "low", _in_units(part, [value - width for value in values])),
        _bound(part, "high", _in_units(part, [value + width for value in values])),
    ]


def _mean(part: Measurement, noisy: Integers) -> list[AnswerColumn]:
    """The mean low + (high - low)·a / (a + b) of noisy sums a above `low` and b below `high`."""
    above, below = np.split(noisy, 2)
    ratios = [_ratio(a, b) for a, b in zip(above.tolist(), below.tolist(), strict=True)]
    lows, highs = accuracy.ratio_bounds(above, below, part.scale)
    span = part.high - part.low
    grid = 10**MEAN_DIGITS
    low_steps = [part.low * grid + int(np.floor(span * grid * low)) for low in lows]
    high_steps = [part.low * grid + int(np.ceil(span * grid * high)) for high in highs]
    middles = [part.low * grid + round(span * grid * ratio) for ratio in ratios]
    fine = replace(part, step=part.step / grid)
    about = {"of": part.name, "mechanism": "discrete_laplace", "scale": in_units_text(part, part.scale)}
    raw = {"from_low": above.tolist(), "to_high": below.tolist()}
    return [
        _value(part, _in_units(fine, middles)),
        _bound(part, "low", _in_units(fine, low_steps)),
        _bound(part, "high", _in_units(fine, high_steps)),
        *(
            AnswerColumn(
                name=f"{part.name}_{end}",
                role="raw",
                values=_in_units(part, values),
                about=_with_unit(part, about),
            )
            for end, values in raw.items()
        ),
    ]


def _ratio(above: int, below: int) -> Fraction:
    """above / (above + below) inside [0, 1]; one half where noise hides the total."""
    if above + below <= 0:
        return Fraction(1, 2)
    return min(Fraction(1), max(Fraction(0), Fraction(above, above + below)))


def _in_units(part: Measurement, steps: list[int]) -> tuple[Value, ...]:
    if part.step == 1:
        return tuple(steps)
    return tuple(in_units(value, part.step) for value in steps)


def in_units_text(part: Measurement, steps: float) -> str:
    """A scale in the column's unit, as text that reads back to the same number."""
    units = steps * float(part.step)
    return str(int(units)) if units == int(units) else repr(units)


def _value(part: Measurement, values: tuple[Value, ...], **about: str) -> AnswerColumn:
    known = _with_unit(part, {"mechanism": "discrete_laplace", "epsilon": str(part.price), **about})
    return AnswerColumn(name=part.name, role="value", values=values, about=known)


def _with_unit(part: Measurement, about: Mapping[str, Any]) -> dict[str, Any]:
    return {"statistic": part.key, **({"unit": part.unit} if part.unit else {}), **about}


def _bound(part: Measurement, end: str, values: tuple[Value, ...]) -> AnswerColumn:
    about = {"of": part.name, "confidence": accuracy.CONFIDENCE}
    return AnswerColumn(name=f"{part.name}_{end}", role="bound", values=values, about=_with_unit(part, about))
