"""A query → the one JSON text that asks it: what was asked, as answers, history and auditors tell it.

Reading the text as the body of /queries or /workloads gives an equal query, its `mode` aside: an answer says itself
whether it was run or rehearsed. Members that say what holds anyway are left out; each statistic has its name.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from privacy import query as q
from privacy.budget import Price

CONFIDENCE_DEFAULT = Decimal("0.95")


def question_text(query: q.Query) -> str:
    """The question as canonical JSON: members in the order of the guide, numbers with the digits of the caller."""
    return json_text(question(query))


def question(query: q.Query) -> dict[str, Any]:
    """The members of the question; numbers are int or Decimal."""
    weights_beside = query.weights_at == "/weights"
    weights = {name: _decimal(weight) for name, weight in query.weights.items()}
    return {
        "select": [_statistic(statistic) for statistic in query.select],
        **_stated(
            where=None if query.where is None else condition(query.where),
            group_by=[_key(key) for key in query.group_by],
            tables=[
                {"as": table.name, "group_by": [_key(key) for key in table.group_by]}
                for table in query.tables
            ],
        ),
        "budget": _budget(query) | ({} if weights_beside else _stated(weights=weights)),
        **({"weights": weights} if weights_beside else {}),
        **_stated(
            rows_per_person=query.rows_per_person,
            totals=query.totals,
            non_negative_integers=query.whole,
            mechanism=query.mechanism,
            reuse=None if query.reuse == "prefer" else query.reuse,
            derive=[_derived(one) for one in query.derive],
            having=None if query.having is None else condition(query.having),
            order_by=[_order(one) for one in query.order_by],
            limit=query.limit,
        ),
    }


def condition(where: q.Where) -> dict[str, Any]:
    """A condition as it is asked."""
    match where:
        case q.All(terms):
            return {"all": [condition(term) for term in terms]}
        case q.Any(terms):
            return {"any": [condition(term) for term in terms]}
        case q.Not(term):
            return {"not": condition(term)}
        case q.Compare(column=column, op="is_missing"):
            return {"column": column, "op": "is_missing"}
        case q.Compare(column=column, op=op, values=values):
            return {"column": column, "op": op, "value": _one_or_all(values, several=op in ("in", "between"))}


def _statistic(statistic: q.Statistic) -> dict[str, Any]:
    return {
        # Always: the names of the answer's columns follow from it.
        "as": statistic.name,
        "agg": statistic.agg,
        **_stated(
            column=statistic.column,
            unit=statistic.unit,
            clamp=_clamp(statistic),
            per_person_clamp=_items(statistic.per_person_clamp),
            q=None if statistic.q is None else _one_or_all(statistic.q, several=len(statistic.q) != 1),
        ),
        # Here false and not said are two things, so that a check can tell them apart.
        **({} if statistic.value_bounds is None else {"value_bounds": statistic.value_bounds}),
        **{
            name: condition(where)
            for name, where in (
                ("where", statistic.where),
                ("numerator", statistic.numerator),
                ("denominator", statistic.denominator),
            )
            if where is not None
        },
    }


def _clamp(statistic: q.Statistic) -> list[q.Scalar] | dict[str, Any] | None:
    """One clamp, or those of the cells of a key by label."""
    if statistic.clamps is None:
        return _items(statistic.clamp)
    return {label: list(ends) for label, ends in statistic.clamps}


def _derived(one: q.Derived) -> dict[str, Any]:
    how = (
        {"of": [one.left, one.op, one.right]}
        if one.share_of_total is None
        else {"share_of_total": one.share_of_total}
    )
    return {"as": one.name, **how}


def _order(one: q.Order) -> dict[str, Any]:
    return {"column": one.column, **_stated(descending=one.descending)}


def _key(key: q.Key) -> dict[str, Any]:
    stated = _stated(bins=_items(key.bins), by=key.by, groups=_groups(key.groups), missing=key.missing)
    return {"column": key.column, **stated}


def _groups(groups: tuple[q.Group, ...] | str | Literal[True] | None) -> Any:
    """Groups by label, or how declared ones are asked for."""
    if not isinstance(groups, tuple):
        return groups
    return {
        group.label: [
            {"from": one.low, "to": one.high} if isinstance(one, q.Span) else one for one in group.members
        ]
        for group in groups
    }


def _budget(query: q.Query) -> dict[str, Any]:
    """The price under the name that the caller gave it, or the accuracy."""
    if isinstance(query.budget, Price):
        return {query.priced_in: str(query.budget)}
    wanted = query.budget
    stated = _stated(
        confidence=None if wanted.confidence == CONFIDENCE_DEFAULT else wanted.confidence,
        every_cell=wanted.every_cell,
        rows=wanted.rows,
    )
    relative = {} if wanted.relative is None else {"relative": wanted.relative}
    return {"accuracy": {"of": wanted.of, "within": wanted.within, **stated, **relative}}


def _stated(**members: Any) -> dict[str, Any]:
    """The members that say something: not those that are None, false or empty, which say what holds anyway."""
    return {
        name: value
        for name, value in members.items()
        # Zero says something, and equals false.
        if value is not None and value is not False and value not in ([], {})
    }


def _items(values: tuple[q.Scalar, ...] | None) -> list[q.Scalar] | None:
    return None if values is None else list(values)


def _one_or_all(values: tuple[q.Scalar, ...], *, several: bool) -> q.Scalar | list[q.Scalar]:
    return list(values) if several else values[0]


def _decimal(weight: Fraction) -> int | Decimal:
    """A weight as the decimal that it was read from: its denominator has no prime factors but 2 and 5."""
    if weight.denominator == 1:
        return weight.numerator
    digits = 0
    while (weight * 10**digits).denominator != 1:
        digits += 1
    # From text, since arithmetic of Decimal rounds to the digits of its context.
    sign, number = "-" if weight < 0 else "", str(abs((weight * 10**digits).numerator)).rjust(digits + 1, "0")
    return Decimal(f"{sign}{number[:-digits]}.{number[-digits:]}")


def json_text(value: Any) -> str:
    """JSON with every Decimal as a number in plain notation; json.dumps would need a float, which has other digits."""
    match value:
        case Mapping():
            members = (f"{json_text(name)}: {json_text(member)}" for name, member in value.items())
            return f"{{{', '.join(members)}}}"
        case list():
            return f"[{', '.join(map(json_text, value))}]"
        case Decimal():
            return f"{value:f}"
        case _:
            return json.dumps(value, ensure_ascii=False)
