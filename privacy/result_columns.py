"""Released integers → the columns of an answer, in units, with bounds.

Post-processing only: deterministic, from noisy integers and the plan alone.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any, Literal

import numpy as np

from privacy import groups, margins
from privacy.aggregates import Estimate, Mean, Plain, Ratio, Share, Variance
from privacy.budget import plain_text
from privacy.exact import Axis
from privacy.integers import whole
from privacy.layout import PlannedTable
from privacy.measurement import CONFIDENCE, Measurement, distribution_of
from privacy.noise import Integers
from privacy.partition_selection import UndeclaredValueCount
from privacy.plan import Plan
from privacy.quantiles import Quantiles
from privacy.query import Statistic
from privacy.schema import Label, Number, all_in_units, day_of, in_units
from privacy.sentences import statistic_words


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerColumn:
    """A column of the answer: a key, a value, a bound of a value, the raw noisy sums behind one, or derived.

    A label is what a key's value is called; it is made for a reader and never kept.
    """

    name: str
    role: Literal["key", "label", "value", "bound", "raw", "derived"]
    values: Sequence[Label]
    about: Mapping[str, Any]

    def description(self) -> dict[str, Any]:
        """The column as answers describe it: name, role and what else is known of it."""
        return {"name": self.name, "role": self.role, **self.about}


# Keys


def total_label(axis: Axis) -> str:
    """The label of a total over an axis: *, or more of them where a value is called that."""
    label = "*"
    while label in axis.labels:
        label += "*"
    return label


def keys(plan: Plan) -> Iterator[AnswerColumn]:
    """The key columns: every combination of labels, table after table."""
    tables = plan.layout.tables
    if plan.query.tables:
        names = [table.name for table in tables for _ in range(_cells(plan, table))]
        yield AnswerColumn(name=plan.layout.table_column, role="key", values=names, about={})
    for place, axis in enumerate(plan.axes):
        values: list[Label] = []
        for table in tables:
            if place in table.keys:
                # The last key changes fastest: each label stands as often as the keys after it have cells.
                here = table.keys.index(place)
                after = _combinations(plan, table.keys[here + 1 :])
                block = [label for label in axis.labels for _ in range(after)]
                values += block * _combinations(plan, table.keys[:here])
            else:
                values += [total_label(axis)] * _cells(plan, table)
        about: dict[str, Any] = {} if plan.layout.direct else {"total": total_label(axis)}
        if title := plan.schema.about.column(axis.name).title:
            about["title"] = dict(title)
        if axis.owners:
            about["groups"] = groups.told(plan.schema.queryable[axis.column], axis)
        if missing_groups := left_out_of(plan, axis):
            about["left_out"] = missing_groups
        yield AnswerColumn(name=axis.name, role="key", values=values, about=about)


def left_out_of(plan: Plan, axis: Axis) -> list[str]:
    """The declared values that are in none of an axis's groups; empty where it has none."""
    return groups.left_out(plan.schema.queryable[axis.column], axis) if axis.owners else []


def _cells(plan: Plan, table: PlannedTable) -> int:
    return _combinations(plan, table.keys)


def _combinations(plan: Plan, keys: Sequence[int]) -> int:
    """How many combinations of labels these axes have; 1 of none."""
    return math.prod(len(plan.axes[key].labels) for key in keys)


# Values


def columns(plan: Plan, part: Measurement, released: Sequence[Integers]) -> Iterator[AnswerColumn]:
    """The columns of one statistic: values, their bounds, and the raw noisy sums behind them."""
    if isinstance(part.estimator, Quantiles):
        yield from _quantiles(plan, part, released[0])
        return
    assert not isinstance(part.estimator, UndeclaredValueCount)
    if plan.layout.direct:
        estimate = part.additive.estimate(released[0], part.distributions[0], CONFIDENCE)
        raw: list[Sequence[int | None]] = [row.tolist() for row in released[0]]
    else:
        estimate, raw = _least_squares(plan, part, released)
    yield from _with_bounds(plan, part, estimate)
    # A count measured alone has no raw column beside it: its value is the released number.
    names: Sequence[str] = [f"{part.name}_{name}" for name in part.additive.components if name]
    if not names and not plan.layout.direct:
        names = [f"{part.name}_noisy"]
    for name, values in zip(names, raw, strict=False):
        about = {**_common(part), "of": part.name, **_mechanism(plan, part)}
        shown = all_in_units(values, raw_step(part))
        yield AnswerColumn(name=name, role="raw", values=shown, about=about)


def _with_bounds(plan: Plan, part: Measurement, estimate: Estimate) -> Iterator[AnswerColumn]:
    about = {**_common(part), **_mechanism(plan, part), **_price(plan, part)}
    yield AnswerColumn(
        name=part.name, role="value", values=all_in_units(estimate.values, estimate.fine), about=about
    )
    for end, values in (("low", estimate.low), ("high", estimate.high)):
        bound = {**_common(part), "of": part.name, "confidence": CONFIDENCE}
        yield AnswerColumn(
            name=f"{part.name}_{end}", role="bound", values=all_in_units(values, estimate.fine), about=bound
        )


def _common(part: Measurement) -> dict[str, Any]:
    unit = part.estimator.unit
    return {"statistic": part.key, "as": part.name, **({"unit": unit} if unit else {})}


def _price(plan: Plan, part: Measurement) -> dict[str, str]:
    return {"epsilon" if plan.schema.measure == "pure" else "rho": str(part.price)}


def _mechanism(plan: Plan, part: Measurement) -> dict[str, str]:
    """The mechanism; its scale where one scale is behind all values."""
    first = part.draws[0].mechanism
    about = {"mechanism": str(first.kind)}
    if plan.layout.direct and not isinstance(part.estimator, Quantiles):
        about["scale"] = _number_text(first.scale * float(raw_step(part)))
    return about


def _number_text(number: float) -> str:
    """A number as people write it: to twelve digits, which is exact for whatever was not meant to have more."""
    # 10.000000000000002 is what binary floats make of 1 / 0.1; the noise knows the difference, no reader does.
    return f"{Decimal(f'{number:.11e}').normalize():f}"


def raw_step(part: Measurement) -> Decimal:
    """What one of the released integers stands for, in units."""
    match part.estimator:
        case Plain(step=step) | Mean(step=step):
            return step
        case Variance(step=step, grid=grid):
            return (step * grid) ** 2
        case _:
            return Decimal(1)


# Several tables from several grids


def _least_squares(
    plan: Plan, part: Measurement, released: Sequence[Integers]
) -> tuple[Estimate, list[Sequence[int | None]]]:
    """Least-squares estimates of all tables, one after the other, and the raw noisy numbers of each."""
    layout = plan.layout
    subsets = [table.subset for table in layout.tables]
    variances = [distribution_of(draw.mechanism).deviation ** 2 for draw in part.draws]
    found = margins.fit(layout.sizes, layout.grids, list(released), variances, subsets)
    estimates = []
    for table, margin, distribution in zip(layout.tables, found, part.distributions, strict=True):
        values = _in_key_order(plan, table, margin.values)
        if len(layout.grids) == 1:  # mere sums of whole numbers
            values = np.rint(values).astype(np.int64)
        estimates.append(part.additive.estimate(values, distribution, CONFIDENCE))
    if plan.query.whole and isinstance(part.estimator, Plain) and _never_negative(part.estimator):
        # Bounds stay those of the unbiased estimates; only values move to whole numbers.
        single = [margins.FittedMargin(values=margin.values[0], variance=margin.variance) for margin in found]
        estimates = [
            _whole_estimate(estimate, _in_key_order(plan, table, numbers[None, :])[0], part.estimator.step)
            for table, estimate, numbers in zip(
                layout.tables, estimates, whole(layout.sizes, single, subsets), strict=True
            )
        ]
    return _concatenated(estimates), _raw(plan, part, released)


def _in_key_order(plan: Plan, table: PlannedTable, values: Any) -> Any:
    """Cells in the order of the plan's axes → in the order of the table's keys, without those never released."""
    sizes = [plan.layout.sizes[axis] for axis in table.subset]
    released = tuple(slice(len(plan.axes[axis].labels)) for axis in table.subset)
    order = [0, *(1 + table.subset.index(key) for key in table.keys)]
    return (
        values.reshape(len(values), *sizes)[(slice(None), *released)]
        .transpose(order)
        .reshape(len(values), -1)
    )


def _never_negative(estimator: Plain) -> bool:
    exact = estimator.exact
    if exact.kind == "person_total":
        # A total of values that are all negative, or are clamped so as a whole, stays below zero.
        return exact.person_low >= 0 or (exact.low >= 0 and exact.person_high >= 0)
    return exact.kind == "rows" or exact.low >= 0


def _whole_estimate(estimate: Estimate, numbers: Integers, step: Decimal) -> Estimate:
    """An estimate with whole `numbers` of `step` as values; bounds give way where they would leave a value outside."""
    values = [int(number) for number in numbers.tolist()]
    each = Fraction(estimate.fine) / Fraction(step)
    low = [math.floor(one * each) for one in estimate.low if one is not None]
    high = [math.ceil(one * each) for one in estimate.high if one is not None]
    return Estimate(
        values=values,
        low=[min(one, value) for one, value in zip(low, values, strict=True)],
        high=[max(one, value) for one, value in zip(high, values, strict=True)],
        fine=step,
    )


def _concatenated(estimates: Sequence[Estimate]) -> Estimate:
    return Estimate(
        values=[value for one in estimates for value in one.values],
        low=[value for one in estimates for value in one.low],
        high=[value for one in estimates for value in one.high],
        fine=estimates[0].fine,
    )


def _raw(plan: Plan, part: Measurement, released: Sequence[Integers]) -> list[Sequence[int | None]]:
    """The released integers of each component; None in the cells of tables that were not measured."""
    measured = dict(zip(plan.layout.grids, released, strict=True))
    raw: list[list[int | None]] = [[] for _ in part.additive.components]
    for table in plan.layout.tables:
        if table.subset in measured:
            rows = _in_key_order(plan, table, measured[table.subset]).tolist()
        else:
            # A table that was estimated only has no released numbers of its own to show.
            rows = [[None] * _cells(plan, table)] * len(raw)
        for values, row in zip(raw, rows, strict=True):
            values += row
    return [*raw]


# Quantiles


def _quantiles(plan: Plan, part: Measurement, released: Integers) -> Iterator[AnswerColumn]:
    estimator = part.estimator
    assert isinstance(estimator, Quantiles)
    distribution = part.distributions[0] if part.distributions else None
    within = estimator.rank_error(distribution, CONFIDENCE, part.mechanisms)
    ended = estimator.by_tree or estimator.value_bounds
    bins = released
    if estimator.by_tree:
        assert distribution is not None
        bins = estimator.from_tree(released, distribution, CONFIDENCE)
    each = 3 if ended else 1
    # Separate noisy choices may cross, quantiles may not; sorting is free and moves none further from its own.
    values = np.sort(bins[::each], axis=0)
    about = {
        **_common(part),
        "mechanism": method_of(estimator),
        "within_rows": within,
        **({"within_share": str(round(float(estimator.rank_share), 6))} if estimator.rank_share else {}),
        "resolution": resolution_of(estimator),
        **_price(plan, part),
    }
    for place, name in enumerate(part.names):
        shown = [_code(estimator, "value", bin) for bin in values[place].tolist()]
        yield AnswerColumn(name=name, role="value", values=shown, about=about)
        if not ended:
            continue
        for offset, end in ((1, "low"), (2, "high")):
            row = bins[each * place + offset].tolist()
            bound = {**_common(part), "of": name, "confidence": CONFIDENCE}
            shown = [_code(estimator, end, bin) for bin in row]  # type: ignore[arg-type]
            yield AnswerColumn(name=f"{name}_{end}", role="bound", values=shown, about=bound)


def method_of(estimator: Quantiles) -> str:
    if estimator.by_tree:
        return "noisy_tree"
    return "noisy_splits" if estimator.by_splits else "noisy_max"


def resolution_of(estimator: Quantiles) -> Label:
    """The width of a bin: in the column's unit, or in days."""
    return f"{estimator.width} d" if estimator.dates else _shown_code(estimator, estimator.width * 2)


def _code(estimator: Quantiles, place: Literal["value", "low", "high"], bin: int) -> Label:
    halves = int(estimator.code_bounds(place, bin) * 2)
    return day_of(halves // 2).isoformat() if estimator.dates else _shown_code(estimator, halves)


def _shown_code(estimator: Quantiles, halves: int) -> Label:
    """Half steps in units: a bin of an even number of codes has its middle between two."""
    return in_units(halves // 2, estimator.step) if halves % 2 == 0 else in_units(halves, estimator.step / 2)


# Values that nobody declared


def by_undeclared_value(
    plan: Plan, part: Measurement, released: Integers, values: Sequence[str]
) -> Iterator[AnswerColumn]:
    """The released values in alphabetical order, and their noisy counts."""
    estimator, mechanism = part.estimator, part.draws[0].mechanism
    assert isinstance(estimator, UndeclaredValueCount)
    # By value: the order of codes is that of a secret digest, and nobody should look for meaning in it.
    order = sorted(range(len(values)), key=lambda place: values[place])
    counts = [int(released[1][place]) for place in order]
    width = part.distributions[0].half_width(CONFIDENCE)
    about: dict[str, Any] = {
        "undeclared": True,
        "threshold": estimator.threshold(mechanism),
        "delta": plain_text(estimator.delta),
    }
    if title := plan.schema.about.column(plan.query.group_by[0].column).title:
        about["title"] = dict(title)
    yield AnswerColumn(
        name=plan.query.group_by[0].column,
        role="key",
        values=[values[place] for place in order],
        about=about,
    )
    ends = {"": counts, "_low": [one - width for one in counts], "_high": [one + width for one in counts]}
    for end, shown in ends.items():
        value = {**_common(part), **_mechanism(plan, part), **_price(plan, part)}
        bound = {**_common(part), "of": part.name, "confidence": CONFIDENCE}
        yield AnswerColumn(
            name=f"{part.name}{end}",
            role="bound" if end else "value",
            values=shown,
            about=bound if end else value,
        )


# Parts of a statistic with clamps by group


def key_of(parts: Sequence[Measurement]) -> str:
    """The canonical text of a statistic, that of its parts together where it has clamps by group."""
    return "; ".join(part.key for part in parts)


def told_key(parts: Sequence[Measurement]) -> str:
    """The statistic as columns tell it: its canonical text, or where conditions are in that a digest of it.

    Conditions stand there by numbers of columns and codes, which say nothing to a reader and may be thousands.
    """
    key, first = key_of(parts), parts[0]
    if len(parts) == 1 and first.where is None and first.agg != "ratio":
        return key
    plain = len(parts) == 1 and first.agg != "ratio"
    name = first.estimator.key if plain else first.agg
    return f"{name}#{sha256(key.encode()).hexdigest()[:32]}"


def described(
    plan: Plan, parts: Sequence[Measurement], columns: Iterable[AnswerColumn]
) -> Iterator[AnswerColumn]:
    """The columns of one statistic as they are told: it is said what is measured, in words beside its values."""
    statistic = next(one for one in plan.query.select if one.name == parts[0].name)
    words = statistic_words(statistic, plan.query, plan.schema)
    units = _units(plan, parts[0], statistic)
    for column in columns:
        about = dict(column.about)
        if "statistic" in about:
            about["statistic"] = told_key(parts)
        if column.role == "value":
            about["statistic_text"] = {"ja": words.ja, "en": words.en}
            about |= {"units": units} if units else {}
        yield replace(column, about=about)


def _units(plan: Plan, part: Measurement, statistic: Statistic) -> dict[str, str]:
    """What the unit of a statistic's values is called in each language, as far as the owner says it."""
    if statistic.unit is not None:
        return dict(next((one.title for one in plan.schema.units if one.name == statistic.unit), {}))
    column = next((one for one in plan.schema.queryable if one.name == statistic.column), None)
    # A variance is told in squares, which have no name of their own.
    if not isinstance(column, Number) or part.estimator.unit != column.unit:
        return {}
    return dict(plan.schema.about.column(column.name).unit)


def labels_of(plan: Plan, part: Measurement) -> list[Label]:
    """The cells of its key that a part is shown in."""
    assert part.cells is not None
    return [plan.axes[part.cells.axis].labels[bucket] for bucket in sorted(part.cells.buckets)]


def of_parts(
    plan: Plan, parts: Sequence[Measurement], found: Sequence[Sequence[AnswerColumn]]
) -> Iterator[AnswerColumn]:
    """One set of columns from those of each part: every cell from the part that it belongs to, with its own scale."""
    owners = _owner_of_each_row(plan, parts)
    for same in zip(*found, strict=True):
        values = [same[owner].values[row] for row, owner in enumerate(owners)]
        about = {**same[0].about, "statistic": key_of(parts)}
        if "scale" in about:
            del about["scale"]
            about["by_cells"] = [
                {
                    "cells": labels_of(plan, part),
                    "mechanism": one.about["mechanism"],
                    "scale": one.about["scale"],
                }
                for part, one in zip(parts, same, strict=True)
            ]
        yield AnswerColumn(name=same[0].name, role=same[0].role, values=values, about=about)


def _owner_of_each_row(plan: Plan, parts: Sequence[Measurement]) -> list[int]:
    """The number of the part that each row of the one table belongs to."""
    assert plan.layout.direct
    assert parts[0].cells is not None
    axis = parts[0].cells.axis
    owner = {
        bucket: number for number, part in enumerate(parts) if part.cells for bucket in part.cells.buckets
    }
    after = _combinations(plan, range(axis + 1, len(plan.axes)))
    size = len(plan.axes[axis].labels)
    return [owner[row // after % size] for row in range(plan.cells)]


# Words


def postprocessing(plan: Plan, part: Measurement) -> list[str]:
    """What was done to the noisy integers of a statistic, by code."""
    done = []
    match part.estimator:
        case Mean():
            done.append("mean_from_sums")
        case Variance():
            done.append("variance_from_sums")
        case Share() | Ratio():
            done.append("ratio_from_counts")
        case Quantiles(by_tree=True):
            done.append("consistent_tree")
        case _:
            pass
    if not plan.layout.direct:
        done.append("weighted_least_squares")
    if plan.query.whole and isinstance(part.estimator, Plain) and _never_negative(part.estimator):
        done.append("non_negative_integers")
    return done


def share_a_price(plan: Plan) -> bool:
    """Whether statistics of several names are in one set; parts of one statistic always are."""
    named = {(part.name, number) for part, number in zip(plan.measurements, plan.sets, strict=True)}
    return len(named) > len(set(plan.sets))


def notes(plan: Plan) -> list[str]:
    """The notes that belong to an answer, by code."""
    estimators = [part.estimator for part in plan.measurements]
    conditions = {
        "above_threshold": any(isinstance(estimator, UndeclaredValueCount) for estimator in estimators),
        "may_be_negative": any(isinstance(estimator, Plain) for estimator in estimators)
        and not plan.query.whole,
        "bounds_per_cell": any(
            not isinstance(estimator, Quantiles | UndeclaredValueCount)
            or (isinstance(estimator, Quantiles) and (estimator.by_tree or estimator.value_bounds))
            for estimator in estimators
        ),
        "mean_from_sums": any(isinstance(estimator, Mean) for estimator in estimators),
        "variance_from_sums": any(isinstance(estimator, Variance) for estimator in estimators),
        "ratio_from_counts": any(isinstance(estimator, Share | Ratio) for estimator in estimators),
        "quantile_ranks": any(isinstance(estimator, Quantiles) for estimator in estimators),
        "disjoint_filters": share_a_price(plan),
        "totals": plan.query.totals,
        "workload": bool(plan.query.tables),
        "narrower_bound": plan.bound < plan.schema.rows_per_person,
        "whole_numbers": plan.query.whole,
        "dummy_data": plan.query.mode == "dummy",
    }
    return [code for code, holds in conditions.items() if holds]
