"""Hints: what a small change of a question would do to its error, in numbers, and what is easily misread.

Pure functions of a plan, so of the request and the public schema: no data is read, and a hint says nothing about any
person. A hint names its change as edits of the request, and its numbers come from planning the changed question.
Only changes that make the error GAIN_MIN times smaller are told, besides what prevents a misreading.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from privacy import left_out
from privacy.aggregates import Plain
from privacy.axes import buckets_of
from privacy.budget import Price
from privacy.candidates import Candidate, Edits, better_ways, candidates
from privacy.hint_words import EFFECTS, HINTS, MISREAD, SHARED, Effect, share_of, shown
from privacy.measurement import CONFIDENCE, Measurement, is_additive
from privacy.partition_selection import UndeclaredValueCount
from privacy.plan import Plan, plan
from privacy.pricing import AboveQueryLimit
from privacy.quantiles import Quantiles
from privacy.query import Accuracy, Key, NotReachable, Query
from privacy.refusal import Refusal
from privacy.result_columns import resolution_of
from privacy.schema import Date, Schema, in_units
from privacy.words import Words, grouped
from privacy.work import planning_work

HINTS_MAX = 5
GAIN_MIN = 1.5
ROWS = 1_000
"""The size of a cell for which a hint tells an error that depends on how many rows a cell holds."""

WORK_MAX, HEAVY = 30_000, 20_000
"""Counted work (`privacy.work`) of all questions planned for the hints of one quote, beside as much as the quote's own;
and of the heaviest question for which any is planned: some milliseconds. Counts are for planning without caches."""

ALIKE_MAX = 2
"""How many hints of one code a quote holds: of ten counts each would say the same."""

WAYS_MAX, WAYS_WORK_MAX = 3, 100_000
"""How many ways to an accuracy a refusal names, and the counted work of all questions planned to find them."""

NORMAL_95 = 1.959964
CELLS_MANY, KEYS_MANY = 20, 2
PERIODS = ("month", "quarter", "fiscal_year", "year")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One hint: `gain` orders them, `edits` say where in the request what is to stand, None taking a member away.

    `numbers` are told as members of their own beside the words.
    """

    code: str
    words: Words
    gain: float
    of: str | None = None
    edits: Edits = ()
    numbers: dict[str, Any] | None = None

    def as_note(self) -> dict[str, Any]:
        """The note as quotes hold it; `edits` become a merge where the request's own JSON is at hand."""
        note: dict[str, Any] = {"code": self.code, **self.words.as_texts()}
        if self.of is not None:
            note["of"] = self.of
        if self.edits:
            note["edits"] = [list(edit) for edit in self.edits]
        return note | (self.numbers or {})


def notes(plan: Plan) -> list[dict[str, Any]]:
    """The notes of a quote: what stands in no cell, what is easily misread, then changes by what they gain."""
    told = [*left_out.notes(plan), *(hint.as_note() for hint in _misread(plan))]
    missing = left_out.columns_without_missing(plan)
    for note in told:
        if note["code"] == "missing_left_out":
            note["edits"] = [[pointer, True] for pointer in _key_pointers(plan.query, missing, "missing")]
    return [*told, *(hint.as_note() for hint in _best(list(_gains(plan))))][:HINTS_MAX]


def _best(gains: list[Hint]) -> Iterator[Hint]:
    """Hints by what they gain, but few of one code, and one row a person only where that is more than persons are."""
    persons = max((hint.gain for hint in gains if hint.code == "count_persons_instead"), default=0.0)
    told: Counter[str] = Counter()
    for hint in sorted(gains, key=lambda hint: -hint.gain):
        told[hint.code] += 1
        is_more = hint.code != "one_row_per_person" or hint.gain >= GAIN_MIN * persons
        if is_more and told[hint.code] <= ALIKE_MAX:
            yield hint


def ways_to_reach(
    query: Query, schema: Schema, refused: NotReachable | AboveQueryLimit
) -> list[dict[str, Any]]:
    """What reaches an accuracy that costs more than a query may: changes, the cheapest first, and the price of each.

    Of a price above the limit, the limit. Work is bounded: of many candidates only the first are tried.
    """
    if not isinstance(query.budget, Accuracy):
        return [_at_the_limit(query, refused.limit).as_note()]
    # Of one code the first that reaches it: a narrower clamp than needed would move more values.
    found: dict[str, tuple[Price, Candidate]] = {}
    left = WAYS_WORK_MAX
    for candidate in better_ways(query, schema):
        if candidate.code in found:
            continue
        left -= planning_work(candidate.query, schema).total
        if left < 0:
            break
        changed = _planned(candidate.query, schema)
        if changed is not None:
            found[candidate.code] = changed.price, candidate
    cheapest = sorted(found.values(), key=lambda way: way[0])[:WAYS_MAX]
    ways = [_way(price, candidate, refused.limit) for price, candidate in cheapest]
    if isinstance(refused, NotReachable):
        edits = ((refused.pointer, _number(refused.reachable)),)
        words = HINTS["wider_accuracy"].filled(within=grouped(refused.reachable), limit=refused.limit)
        ways.append(Hint(code="wider_accuracy", words=words, gain=0, of=query.budget.of, edits=edits))
    return [way.as_note() for way in ways]


def _way(price: Price, candidate: Candidate, limit: Price) -> Hint:
    words = _joined(candidate.words, HINTS["reaches"].filled(price=price, limit=limit))
    numbers = {"price_after": str(price)}
    return Hint(
        code=candidate.code, words=words, gain=0, of=candidate.of, edits=candidate.edits, numbers=numbers
    )


def _at_the_limit(query: Query, limit: Price) -> Hint:
    edits = ((f"/budget/{query.priced_in or 'epsilon'}", str(limit)),)
    return Hint(code="price_at_limit", words=HINTS["price_at_limit"].filled(limit=limit), gain=0, edits=edits)


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _joined(first: Words, second: Words) -> Words:
    return Words(ja=first.ja + second.ja, en=f"{first.en} {second.en}")


# Changes that are planned


def _gains(plan: Plan) -> Iterator[Hint]:
    """The changes that pay; planned one after the other until the work for them is used up."""
    own = planning_work(plan.query, plan.schema).total
    left = WORK_MAX + own if own <= HEAVY else 0
    for candidate in candidates(plan.query, plan.schema):
        left -= planning_work(candidate.query, plan.schema).total
        if left < 0:
            break
        changed = _planned(candidate.query, plan.schema)
        hint = None if changed is None else _hint_of(candidate, plan, changed)
        if hint is not None and hint.gain >= GAIN_MIN:
            yield hint
    yield from _sums_of_cells(plan)


def _planned(query: Query, schema: Schema) -> Plan | None:
    """A changed question planned; None where it does not fit the schema or costs too much."""
    try:
        return plan(query, schema)
    except Refusal:
        return None


def _hint_of(candidate: Candidate, before: Plan, after: Plan) -> Hint:
    effect = _effect(candidate.of, before, after)
    template = EFFECTS[effect.measure]
    told = template.filled(
        before=shown(effect.before),
        after=shown(effect.after),
        ratio=shown(effect.ratio, 3),
        share=share_of(effect.ratio),
        rows=f"{ROWS:,}",
    )
    words = _joined(candidate.words, told)
    if candidate.code == "shared_price":
        words = _joined(words, _shares(before, after))
    return Hint(
        code=candidate.code,
        words=words,
        gain=effect.ratio,
        of=candidate.of,
        edits=candidate.edits,
        numbers=_numbers(effect),
    )


def _numbers(effect: Effect) -> dict[str, Any]:
    of_rows = {"rows": ROWS} if effect.measure == "half_width_by_rows" else {}
    name = "half_width" if of_rows else effect.measure
    # A price is text wherever it is told.
    ends = [str(end) if name == "price" else end for end in (effect.before, effect.after)]
    return {f"{name}_before": ends[0], f"{name}_after": ends[1], **of_rows, "ratio": round(effect.ratio, 2)}


def _effect(of: str, before: Plan, after: Plan) -> Effect:
    """What a change does to one statistic: to its error at a given price, to the price of a given accuracy."""
    if isinstance(before.query.budget, Accuracy):
        return Effect("price", before.price, after.price, before.price.nano / after.price.nano)
    (old, measure), (new, _) = (error_of(one, _part(one, of)) for one in (before, after))
    ratio = old / new if new else 1.0
    coarse, fine = (_part(one, of).estimator for one in (before, after))
    # Quantiles are exact to their bins as well, and narrower bins may be all that a narrower clamp gives.
    if isinstance(coarse, Quantiles) and isinstance(fine, Quantiles) and coarse.width > ratio * fine.width:
        return Effect("resolution", resolution_of(coarse), resolution_of(fine), coarse.width / fine.width)
    return Effect(measure, old, new, ratio)


def _part(plan: Plan, name: str) -> Measurement:
    return next(part for part in plan.measurements if part.name == name)


def error_of(plan: Plan, part: Measurement) -> tuple[float, str]:
    """The error that a quote expects of a statistic, and which: of several tables in the first.

    What depends on how many rows a cell holds is told for ROWS of them.
    """
    estimator = part.estimator
    if isinstance(estimator, Quantiles):
        distribution = part.distributions[0] if part.distributions else None
        return estimator.rank_error(distribution, CONFIDENCE, part.mechanisms), "within_rows"
    distribution = part.distributions[0]
    if isinstance(estimator, UndeclaredValueCount):
        return distribution.half_width(CONFIDENCE), "half_width"
    if isinstance(estimator, Plain):
        return in_units(distribution.half_width(CONFIDENCE), estimator.step), "half_width"
    return round(estimator.half_width(distribution, CONFIDENCE, ROWS), 6), "half_width_by_rows"


def _shares(before: Plan, after: Plan) -> Words:
    """How a price is split, before and after."""
    texts = [
        ", ".join(f"{part.name} {part.price}" for part in planned.measurements) for planned in (before, after)
    ]
    return SHARED.filled(before=texts[0], after=texts[1])


# What needs no other plan


def _sums_of_cells(plan: Plan) -> Iterator[Hint]:
    """How far a sum of all cells errs: independent errors add up like the root of their number."""
    additive = [
        part
        for part in plan.measurements
        if isinstance(part.estimator, Plain) and is_additive(part.estimator, plan.layout)
    ]
    many = plan.cells >= CELLS_MANY or (len(plan.axes) >= KEYS_MANY and math.sqrt(plan.cells) >= GAIN_MIN)
    if not (plan.layout.direct and additive and many):
        return
    part = additive[0]
    one, _ = error_of(plan, part)
    step = part.estimator.step  # type: ignore[union-attr]
    # Near enough to a normal sum from a handful of cells on.
    whole = NORMAL_95 * part.distributions[0].deviation * math.sqrt(plan.cells) * float(step)
    whole = float(f"{whole:.3g}")
    # Only what adds up has margins: beside another statistic the change would be refused.
    alone = all(is_additive(part.estimator, plan.layout) for part in plan.measurements)
    yield Hint(
        code="sums_of_cells",
        words=MISREAD["sums_of_cells"].filled(cells=f"{plan.cells:,}", one=shown(one), whole=shown(whole)),
        gain=whole / one,
        of=part.name,
        edits=(("/totals", True),) if alone and not plan.query.tables else (),
        numbers={"half_width": one, "half_width_of_sum": whole, "cells": plan.cells},
    )


def _misread(plan: Plan) -> Iterator[Hint]:
    """A date by single days: how many cells that is, and what the periods of the calendar would be."""
    columns = {column.name: column for column in plan.schema.queryable}
    seen = set()
    for key, _ in _keys(plan.query):
        column = columns[key.column]
        if not isinstance(column, Date) or replace(key, missing=False) != Key(column=key.column):
            continue
        numbers = {by: buckets_of(column, Key(column=key.column, by=by)) for by in PERIODS}
        # Of some days only, by day may well be what is meant.
        if numbers["month"] < 2 or key.column in seen:
            continue
        seen.add(key.column)
        days = column.high - column.low + 1
        shares = {by: f"{number:,}" for by, number in numbers.items()}
        yield Hint(
            code="date_by_day",
            words=MISREAD["date_by_day"].filled(column=key.column, days=f"{days:,}", **shares),
            gain=math.inf,
            edits=tuple((one, "month") for one in _key_pointers(plan.query, (key.column,), "by")),
            numbers={"cells_by": {"day": days, **numbers}},
        )


def _keys(query: Query) -> Iterator[tuple[Key, str]]:
    """Every key of a request with its JSON Pointer."""
    for place, key in enumerate(query.group_by):
        yield key, f"/group_by/{place}"
    for table, asked in enumerate(query.tables):
        for place, key in enumerate(asked.group_by):
            yield key, f"/tables/{table}/group_by/{place}"


def _key_pointers(query: Query, columns: Sequence[str], member: str) -> list[str]:
    # In every table of a workload, since tables must cut a column alike.
    return [f"{pointer}/{member}" for key, pointer in _keys(query) if key.column in columns]
