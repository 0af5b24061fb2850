"""Changes of a question that may make it more exact, as questions to plan and as edits of the request.

From request and schema alone; nothing is planned here, and what a change is worth is for `privacy.hints` to find out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from privacy.axes import cells_of
from privacy.hint_words import ALIKE, BY_BINS, BY_END, BY_SQUARE, BY_WIDTH, DECLARE, HINTS
from privacy.query import Accuracy, Key, Query, Scalar, Statistic, comparisons_in, conditions_of
from privacy.schema import Column, Date, Number, Schema, day_of, in_units
from privacy.words import Words

Edits = tuple[tuple[str, Any], ...]
"""JSON Pointers into the request and what is to stand there; None: nothing."""

FAVOUR = 4
"""How many times as much a favoured statistic weighs."""

COUNTS = ("count", "count_persons")
CLAMPED = ("sum", "mean", "variance", "stddev", "median", "quantile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A changed question and how to write it; `of` is the statistic that is to gain."""

    code: str
    of: str
    query: Query
    edits: Edits
    words: Words


def candidates(query: Query, schema: Schema) -> Iterator[Candidate]:
    """Changes worth planning for a quote, those that usually give most first."""
    yield from _mechanism(query)
    yield from _persons(query, schema)
    for place, _ in enumerate(query.select):
        yield from _clamp(query, schema, place, 2)
        yield from _person_clamp(query, schema, place)
    yield from _fewer_rows(query, schema)
    yield from _weights(query)


def better_ways(query: Query, schema: Schema) -> Iterator[Candidate]:
    """Changes that may bring an accuracy within the limit of a query, those that change least first."""
    asked = query.budget
    assert isinstance(asked, Accuracy)
    places = [place for place, one in enumerate(query.select) if one.name == asked.of]
    yield from _mechanism(query)
    yield from _persons(query, schema)
    for place in places:
        yield from _alone(query, place)
        yield from _clamp(query, schema, place, 2)
        yield from _person_clamp(query, schema, place)
    if asked.every_cell:
        yield from _periods(query, schema)
        edits: Edits = (("/budget/accuracy/every_cell", False),)
        changed = replace(query, budget=replace(asked, every_cell=False))
        yield Candidate(code="each_cell", of=asked.of, query=changed, edits=edits, words=HINTS["each_cell"])
    yield from _fewer_rows(query, schema)
    for place in places:
        for parts in (4, 8):
            yield from _clamp(query, schema, place, parts)


def _bound(query: Query, schema: Schema) -> int:
    return query.rows_per_person or schema.rows_per_person


def _replaced(query: Query, place: int, **changes: Any) -> Query:
    """The question with one statistic changed."""
    changed = replace(query.select[place], **changes)
    return replace(query, select=(*query.select[:place], changed, *query.select[place + 1 :]))


# Persons instead of rows


def _persons(query: Query, schema: Schema) -> Iterator[Candidate]:
    """Counting persons, for counts of rows; each by one row, unless that would leave most of a sum out."""
    if _bound(query, schema) == 1:
        return
    for place, statistic in enumerate(query.select):
        if statistic.agg == "count" and not (query.totals or query.tables):
            yield Candidate(
                code="count_persons_instead",
                of=statistic.name,
                query=_replaced(query, place, agg="count_persons"),
                # Named as before: weights or an accuracy may speak of it.
                edits=((f"/select/{place}/agg", "count_persons"), (f"/select/{place}/as", statistic.name)),
                words=HINTS["count_persons_instead"],
            )
    if all(statistic.agg in COUNTS for statistic in query.select):
        yield Candidate(
            code="one_row_per_person",
            of=query.select[0].name,
            query=replace(query, rows_per_person=1),
            edits=(("/rows_per_person", 1),),
            words=_one_row_words(query, schema),
        )


def _one_row_words(query: Query, schema: Schema) -> Words:
    """Under which condition one row of each person gives the number of persons, and what the owner can do."""
    keys = [key.column for key in _keys(query)]
    conditions = [one.column for _, where in conditions_of(query) for one in comparisons_in(where)]
    named = ", ".join(dict.fromkeys([*keys, *conditions]))
    words = HINTS["one_row_per_person"]
    if named:
        words = _and(words, ALIKE.filled(columns=named))
    varying = [name for name in dict.fromkeys(keys) if not _is_constant(schema, name)]
    by_persons = all(statistic.agg == "count_persons" for statistic in query.select)
    # A declaration narrows counts of persons by keys; of rows, or without keys, it changes nothing.
    if varying and by_persons:
        words = _and(words, DECLARE.filled(columns=", ".join(varying)))
    return words


def _is_constant(schema: Schema, name: str) -> bool:
    """Whether a column is declared to be the same in all rows of a person."""
    return any(column.constant_per_person for column in schema.queryable if column.name == name)


def _keys(query: Query) -> Iterator[Key]:
    yield from query.group_by
    for table in query.tables:
        yield from table.group_by


def _and(first: Words, second: Words) -> Words:
    return Words(ja=first.ja + second.ja, en=f"{first.en} {second.en}")


# Narrower ranges


def _clamp(query: Query, schema: Schema, place: int, parts: int) -> Iterator[Candidate]:
    """A clamp of a part of the declared domain, where the whole of it is taken."""
    statistic = query.select[place]
    column = _column(schema, statistic)
    if statistic.agg not in CLAMPED or column is None or not _is_whole(statistic, column):
        return
    low, high = _part_of(column.low, column.high, parts)
    if low >= high:
        return
    ends = tuple(_literal(column, code) for code in (low, high))
    told = [_told(column, code) for code in (column.low, column.high, low, high)]
    rule = {"sum": BY_END, "mean": BY_WIDTH, "variance": BY_SQUARE, "stddev": BY_WIDTH}
    fields = dict(zip(("low", "high", "near", "far"), map(str, told), strict=True))
    sentence = rule.get(statistic.agg, BY_BINS)
    template = HINTS["narrower_clamp"]
    yield Candidate(
        code="narrower_clamp",
        of=statistic.name,
        query=_replaced(query, place, clamp=ends),
        edits=((f"/select/{place}/clamp", told[2:]),),
        # Each language takes its own sentence.
        words=Words(
            ja=template.ja.format(column=column.name, rule=sentence.ja, **fields),
            en=template.en.format(column=column.name, rule=sentence.en, **fields),
        ),
    )


def _column(schema: Schema, statistic: Statistic) -> Number | Date | None:
    for column in schema.queryable:
        if column.name == statistic.column and isinstance(column, Number | Date):
            return column
    return None


def _is_whole(statistic: Statistic, column: Number | Date) -> bool:
    if statistic.clamp is None:
        # Ranges that are given group by group stand in a member of their own.
        return not statistic.clamps
    return statistic.clamp == (_literal(column, column.low), _literal(column, column.high))


def _part_of(low: int, high: int, parts: int) -> tuple[int, int]:
    """A part of a range: that next to zero, where amounts of people and money lie; around zero of both signs."""
    if low < 0 < high:
        return -(-low // parts), high // parts
    return (low, low + (high - low) // parts) if low >= 0 else (high - (high - low) // parts, high)


def _literal(column: Column, code: int) -> Scalar:
    """A code as a question holds it."""
    if isinstance(column, Date):
        return day_of(code).isoformat()
    assert isinstance(column, Number)
    exact = code * column.step
    return int(exact) if exact == exact.to_integral_value() else exact


def _told(column: Column, code: int) -> int | float | str:
    """A code as JSON holds it."""
    if isinstance(column, Date):
        return day_of(code).isoformat()
    assert isinstance(column, Number)
    found = in_units(code, column.step)
    return int(found) if found == int(found) else found


# What one person may add


def _person_clamp(query: Query, schema: Schema, place: int) -> Iterator[Candidate]:
    """A bound of a person's whole sum: a quarter of what all the person's rows can reach in one cell."""
    statistic, rows = query.select[place], _bound(query, schema)
    column = _column(schema, statistic)
    if statistic.agg != "sum" or statistic.per_person_clamp is not None or rows == 1 or column is None:
        return
    if query.totals or query.tables or not isinstance(column, Number):
        return
    low, high = statistic.clamp or (_literal(column, column.low), _literal(column, column.high))
    if isinstance(low, str) or isinstance(high, str):
        return
    share = max(1, rows // (FAVOUR * min(rows, _cells(query, schema))))
    ends = min(0, low) * share, max(0, high) * share
    told = [int(end) if end == int(end) else float(Decimal(end)) for end in ends]
    yield Candidate(
        code="per_person_clamp",
        of=statistic.name,
        query=_replaced(query, place, per_person_clamp=ends),
        edits=((f"/select/{place}/per_person_clamp", told),),
        words=HINTS["per_person_clamp"].filled(bound=rows, near=told[0], far=told[1]),
    )


def _cells(query: Query, schema: Schema) -> int:
    return cells_of(query.group_by, {column.name: column for column in schema.queryable})


def _fewer_rows(query: Query, schema: Schema) -> Iterator[Candidate]:
    """Half as many rows of a person, unless the caller has narrowed the bound already, or counts alone."""
    others = [statistic for statistic in query.select if statistic.agg not in (*COUNTS, "share_kept")]
    rows = schema.rows_per_person
    if query.rows_per_person is not None or rows == 1 or not others:
        return
    fewer = rows // 2
    yield Candidate(
        code="fewer_rows_per_person",
        of=others[0].name,
        query=replace(query, rows_per_person=fewer),
        edits=(("/rows_per_person", fewer),),
        words=HINTS["fewer_rows_per_person"].filled(fewer=fewer, bound=rows),
    )


# How a price is spent


def _mechanism(query: Query) -> Iterator[Candidate]:
    """The better mechanism instead of the one insisted on."""
    if query.mechanism is not None:
        yield Candidate(
            code="other_mechanism",
            of=query.select[0].name,
            query=replace(query, mechanism=None),
            edits=(("/mechanism", None),),
            words=HINTS["other_mechanism"].filled(mechanism=query.mechanism),
        )


def _weights(query: Query) -> Iterator[Candidate]:
    """More of a shared price for the first statistic that divides noisy sums, which errs most; else the first."""
    if len(query.select) == 1 or query.weights or isinstance(query.budget, Accuracy):
        return
    names = [one.name for one in query.select if one.agg not in (*COUNTS, "sum")]
    of = (names or [query.select[0].name])[0]
    yield Candidate(
        code="shared_price",
        of=of,
        query=replace(query, weights={of: Fraction(FAVOUR)}),
        edits=(("/budget/weights", {of: FAVOUR}),),
        words=HINTS["shared_price"].filled(number=len(query.select), of=of),
    )


def _alone(query: Query, place: int) -> Iterator[Candidate]:
    """One statistic without the others, whose weights go with them."""
    if len(query.select) == 1:
        return
    of = query.select[place].name
    edits: Edits = tuple((f"/select/{other}", None) for other in range(len(query.select)) if other != place)
    weights = ((query.weights_at, None),) if query.weights else ()
    changed = replace(query, select=(query.select[place],), weights={})
    yield Candidate(
        code="fewer_statistics",
        of=of,
        query=changed,
        edits=(*edits, *weights),
        words=HINTS["fewer_statistics"].filled(of=of),
    )


def _periods(query: Query, schema: Schema) -> Iterator[Candidate]:
    """Coarser keys: a date by month or by year instead of by day."""
    dates = {column.name for column in schema.queryable if isinstance(column, Date)}
    for place, key in enumerate(query.group_by):
        if key.column in dates and replace(key, missing=False) == Key(column=key.column):
            for by in ("month", "year"):
                keys = (*query.group_by[:place], replace(key, by=by), *query.group_by[place + 1 :])
                yield Candidate(
                    code="coarser_keys",
                    of=query.select[0].name,
                    query=replace(query, group_by=keys),
                    edits=((f"/group_by/{place}/by", by),),
                    words=HINTS["coarser_keys"].filled(column=key.column, by=by),
                )
