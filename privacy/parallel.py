"""Statistics whose filters exclude each other share one price: parallel composition for a person of several rows.

A person's k rows are split over disjoint filters: n₁ + n₂ + … ≤ k of them match the filters of a set. Every estimator
here is linear in rows: n rows move its vector (or its scores) by at most n/k of what its noise was made for, so under
pure ε its loss is at most (n/k)·ε, and the loss of the set at most Σ (nᵢ/k)·εᵢ ≤ max εᵢ. Under zCDP the loss of
Gaussian noise is ρ·(n/k)², since ρ = Δ²/2σ²; Laplace noise and choices are (n/k)·ε'-DP for an ε' with ρ = ε'²/2 (or
ε'²/8), so theirs is ρ·(n/k)² too (Bun & Steinke 2016, proposition 1.4; Cesar & Rogers 2021, theorem 1); and
Σ (nᵢ/k)²·ρᵢ ≤ max ρᵢ, as the shares nᵢ/k are at most 1 together. With one row a person this is the parallel
composition of McSherry (2009, theorem 4), for whatever estimator.

Persons are not linear in rows: one of three rows moves a count of persons as much as all three. Nor do rows beyond the
plan's bound belong to its k. Such statistics pay alone. Reads no data.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from privacy import filters
from privacy.aggregates import Mean, Plain, Ratio, Share, Variance
from privacy.budget import Price, split
from privacy.filters import EVERYTHING, Every, Filter, Interval, Member
from privacy.quantiles import Quantiles
from privacy.statistics import AnyEstimator

Partition = tuple[int, ...]
"""The number of the set that each statistic belongs to, counted from 0; a set pays its dearest statistic's price."""

Box = Mapping[int, tuple[Interval, ...]]
"""Codes by column that every matching row has: a superset of the rows that match."""


def box_of(tree: Filter) -> Box:
    """The smallest box around a filter that is found column by column."""
    if isinstance(tree, Member):
        return {tree.column: tree.intervals}
    boxes = [box_of(term) for term in tree.terms]
    found: dict[int, tuple[Interval, ...]] = {}
    if isinstance(tree, Every):
        for column in {column for box in boxes for column in box}:
            found[column] = filters.intersection(*(box[column] for box in boxes if column in box))
        return found
    # Of an "any of these" a column says something only if each term says something of it.
    possible = [box for box in boxes if all(box.values())]
    if not possible:
        # No row matches; any column will do to say so.
        return {0: ()}
    for column in set.intersection(*(set(box) for box in possible)):
        found[column] = filters.union(interval for box in possible for interval in box[column])
    return found


def are_disjoint(one: Box, other: Box) -> bool:
    """Whether no row can lie in both boxes. False where that cannot be seen, which only costs more."""
    if not all(one.values()) or not all(other.values()):
        return True
    return any(
        not filters.intersection(intervals, other[column])
        for column, intervals in one.items()
        if column in other
    )


def is_linear_in_rows(estimator: AnyEstimator, bound: int, cells: int) -> bool:
    """Whether n of the plan's `bound` rows move the statistic by at most n/bound of its sensitivity."""
    if not isinstance(estimator, Plain | Mean | Variance | Share | Ratio | Quantiles):
        return False
    # Of rows that a narrower bound leaves out a person may have more than the bound.
    if estimator.rows != bound or any(exact.all_rows for exact in estimator.exacts):
        return False
    # A person of one row is under one filter wholly. Choices and trees of quantiles are linear by their classes.
    if bound == 1 or isinstance(estimator, Quantiles):
        return True
    if isinstance(estimator, Plain) and estimator.exact.kind not in ("rows", "total"):
        return False
    # Stated with each class, and looked at again: a sensitivity that is cut off at k rows is not linear below.
    one = replace(estimator, rows=1)
    return bound * one.l1(cells) <= estimator.l1(cells) and bound**2 * one.squared(
        cells
    ) <= estimator.squared(cells)


def partition(
    estimators: Sequence[AnyEstimator], wheres: Sequence[Filter | None], bound: int, cells: Sequence[int]
) -> Partition:
    """Each statistic put into the first set whose filters all exclude its own, or into a new one."""
    boxes = [box_of(EVERYTHING if where is None else where) for where in wheres]
    sets: list[list[int]] = []
    found: list[int] = []
    for place, (estimator, where) in enumerate(zip(estimators, wheres, strict=True)):
        sharing = where is not None and all(is_linear_in_rows(estimator, bound, size) for size in cells)
        fitting = (
            number
            for number, members in enumerate(sets)
            if sharing and all(are_disjoint(boxes[place], boxes[other]) for other in members)
        )
        number = next(fitting, len(sets))
        if number == len(sets):
            sets.append([])
        # Whoever pays alone is in no set that others may join: its box is everything.
        if not sharing:
            boxes[place] = {}
        sets[number].append(place)
        found.append(number)
    return tuple(found)


def shares(weights: Sequence[Fraction], sets: Partition) -> list[Fraction]:
    """What part of the whole price each statistic gets."""
    heaviest = _heaviest(weights, sets)
    return [weight / sum(heaviest) for weight in weights]


def prices(price: Price, weights: Sequence[Fraction], sets: Partition) -> list[Price]:
    """The price of each statistic: those of a set each get the set's price, times weight over the largest weight.

    Rounded down within a set; where every statistic is its own set, they add up to the whole price.
    """
    heaviest = _heaviest(weights, sets)
    whole = split(price, heaviest)
    return [
        Price(int(whole[number].nano * weight / heaviest[number]))
        for weight, number in zip(weights, sets, strict=True)
    ]


def _heaviest(weights: Sequence[Fraction], sets: Partition) -> list[Fraction]:
    """The largest weight in each set."""
    found: dict[int, Fraction] = {}
    for weight, number in zip(weights, sets, strict=True):
        found[number] = max(weight, found.get(number, weight))
    return [found[number] for number in range(len(found))]


def worth(keys: Sequence[str], sets: Partition, prices_by_key: Mapping[str, int]) -> Price:
    """What an answer is worth whose statistics cost so much: each set its dearest, equal statistics once."""
    dearest: dict[int, int] = {}
    for key, number in _first_of_each(keys, sets):
        dearest[number] = max(dearest.get(number, 0), prices_by_key[key])
    return Price(sum(dearest.values()))


def _first_of_each(keys: Sequence[str], sets: Partition) -> Iterator[tuple[str, int]]:
    seen: set[str] = set()
    for key, number in zip(keys, sets, strict=True):
        if key not in seen:
            seen.add(key)
            yield key, number
