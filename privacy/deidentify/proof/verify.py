"""The proof: each privacy model computed anew from the published table, apart from the search that made it.

It imports nothing of `search/`: a fault there that lets a failing class pass must not be repeated here.

Counts come from the published texts alone; suppressed rows are left out. It answers with figures, never with a
sentence about the law.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify import classes as cl
from privacy.deidentify import uniqueness
from privacy.deidentify.classes import Classes, ClassValueCounts, Ints, Mask
from privacy.deidentify.errors import BadModel
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.models import (
    AverageRisk,
    BetaLikeness,
    ClassModel,
    DeltaDisclosure,
    DeltaPresence,
    Distance,
    DistinctDiversity,
    EntropyDiversity,
    KAnonymity,
    KMap,
    Model,
    PopulationUniqueness,
    RecursiveDiversity,
    SampleUniqueness,
    SensitiveModel,
    TableModel,
    TCloseness,
    name_of,
    title_of,
)
from privacy.deidentify.table import Codes, Column, Table
from privacy.words import Words

Floats = NDArray[np.float64]

TOLERANCE = 1e-12
"""Relative, and absolute below 1: entropy log 3 is met by three equal counts, whatever the last bit says."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PublishedTable:
    """A published table and what its models compare it with.

    `suppressed` [rows] are left out. `units` [rows] names each row's person; without it a row is a person.
    `source` holds the sensitive attributes of the whole source, suppressed rows included, whose distribution
    closeness is measured to (`source_units` names its rows' persons); without it that of the published rows is.
    `orders[attribute]` lists the values of an ordered attribute from low to high, `hierarchies[attribute]` is
    the tree of a hierarchical distance. `population` is the population's table, one row a person, its
    quasi-identifiers published by the same rule as the table's.
    """

    table: Table
    quasi: tuple[str, ...]
    suppressed: Mask
    units: Codes | None = None
    source: Table | None = None
    source_units: Codes | None = None
    orders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    hierarchies: Mapping[str, Hierarchy] = field(default_factory=dict)
    population: Table | None = None

    def __post_init__(self) -> None:
        assert self.suppressed.shape == (self.table.rows,)

    @cached_property
    def classes(self) -> Classes:
        """The classes of the rows that are not suppressed."""
        return cl.classes(self.table, self.quasi, rows=~self.suppressed)

    @cached_property
    def sizes(self) -> Ints:
        """The persons of each class."""
        return cl.weights(self.classes, self.units)

    def distribution(self, attribute: str) -> ClassValueCounts:
        """The persons of each class with each value of an attribute; values are those of `with_reference`."""
        return cl.distribution(self.classes, self.with_reference(attribute)[0], units=self.units)

    def with_reference(self, attribute: str) -> tuple[Column, Floats]:
        """An attribute as published, on the values of source and published rows, and each value's share."""
        # The source is the reference where there is one: what is known of everybody beforehand is the distribution of
        # the whole table, suppressed rows included.
        column, kept = self.table[attribute], ~self.suppressed
        if self.source is None:
            units = None if self.units is None else self.units[kept]
            return column, cl.shares(column.take(kept), units=units)
        both = cl.joined(column, self.source[attribute])
        whole = Column(attribute, both.values, both.codes[len(column) :])
        return Column(attribute, both.values, both.codes[: len(column)]), cl.shares(
            whole, units=self.source_units
        )

    @cached_property
    def populated(self) -> tuple[Ints, Ints]:
        """The population's persons in each class, and those of each class that only the population has."""
        if self.population is None:
            raise BadModel(
                Words(
                    ja="delta_presence、k_map 及び journalist_risk には母集団の表が必要です",
                    en="delta_presence, k_map and journalist_risk need a population table",
                )
            )
        return _populated(self.table, self.classes, self.population, self.quasi)


def _populated(table: Table, found: Classes, population: Table, names: Sequence[str]) -> tuple[Ints, Ints]:
    """How many rows of the population have each class's texts, and the counts of the other texts."""
    joined = Table([cl.joined(table[name].take(found.first), population[name]) for name in names])
    both = cl.classes(joined, names)
    # One row of each class was put in to have its texts; it is not the population's and is taken off again.
    counts = both.sizes.copy()
    mine = both.of[: len(found)]
    counts[mine] -= 1
    others = np.ones(len(both), dtype=np.bool_)
    others[mine] = False
    return counts[mine], counts[others]


# -- what each class is worth ---------------------------------------------------------------------------------


def values(model: ClassModel, published: PublishedTable) -> Floats:
    """The figure of each class that the model bounds: see `value`, which takes the worst of them."""
    match model:
        case KAnonymity():
            return published.sizes.astype(np.float64)
        case KMap():
            return published.populated[0].astype(np.float64)
        case DeltaPresence():
            return _presences(published)
        case _:
            return _of_attribute(model, published)


def _presences(published: PublishedTable) -> Floats:
    """The share of the population that is published, of each class and then of each that only it has."""
    # A class that the population lacks has an infinite share, so it fails rather than passes unseen.
    mine, others = published.populated
    with np.errstate(divide="ignore"):
        return np.concatenate([published.sizes / mine, np.zeros(len(others))])


def _of_attribute(model: SensitiveModel, published: PublishedTable) -> Floats:
    counts = published.distribution(model.attribute)
    match model:
        case DistinctDiversity():
            return np.bincount(counts.class_of, minlength=counts.classes).astype(np.float64)
        case EntropyDiversity():
            return np.exp(_entropies(counts))
        case RecursiveDiversity(l=least):
            return _recursive(counts, least)
        case DeltaDisclosure():
            return _disclosures(counts, published.with_reference(model.attribute)[1])
        case BetaLikeness(enhanced=enhanced):
            return _gains(counts, published.with_reference(model.attribute)[1], enhanced)
        case TCloseness():
            return _distances(model, counts, published)


def _entropies(counts: ClassValueCounts) -> Floats:
    """The natural-log entropy of each class: log n - Σ c log c / n."""
    totals = counts.totals()
    logs = np.bincount(
        counts.class_of, weights=counts.counts * np.log(counts.counts), minlength=counts.classes
    )
    return np.asarray(np.log(totals) - logs / totals)


def _recursive(counts: ClassValueCounts, least: int) -> Floats:
    """r₁ / (r_l + … + r_m) of each class; infinite where a class has fewer than l values."""
    # r is the counts of a class from most to least; `tail` marks r_l and all after it.
    order = np.lexsort((-counts.counts, counts.class_of))
    ordered, of = counts.counts[order], counts.class_of[order]
    starts = np.searchsorted(of, np.arange(counts.classes))
    tail = np.arange(len(of)) - starts[of] >= least - 1
    rest = cl.summed(of[tail], ordered[tail], counts.classes)
    with np.errstate(divide="ignore"):
        return np.asarray(ordered[starts] / rest)


def _shares(counts: ClassValueCounts) -> Floats:
    return np.asarray(counts.counts / counts.totals()[counts.class_of])


def _worst(counts: ClassValueCounts, amounts: Floats) -> Floats:
    """The largest amount of each class; every class has a value."""
    starts = np.searchsorted(counts.class_of, np.arange(counts.classes))
    return np.asarray(np.maximum.reduceat(amounts, starts)) if counts.classes else np.zeros(0)


def _disclosures(counts: ClassValueCounts, reference: Floats) -> Floats:
    """max |log₂(p / q)| over the values that the class holds."""
    with np.errstate(divide="ignore"):
        return _worst(counts, np.abs(np.log2(_shares(counts) / reference[counts.value_of])))


def _gains(counts: ClassValueCounts, reference: Floats, enhanced: bool) -> Floats:
    """The least β that each class would meet: max (p - q) / q, infinite where that exceeds -ln q if enhanced."""
    # A value with p below q has a negative gain and asks for nothing; one that the reference lacks an infinite one.
    q = reference[counts.value_of]
    with np.errstate(divide="ignore"):
        gains = (_shares(counts) - q) / q
        if enhanced:
            gains = np.where(_at_most(gains, -np.log(q)), gains, np.inf)
    return np.maximum(_worst(counts, gains), 0)


# -- the earth mover's distance -------------------------------------------------------------------------------


def _distances(model: TCloseness, counts: ClassValueCounts, published: PublishedTable) -> Floats:
    column, reference = published.with_reference(model.attribute)
    measure = _measure(model, published, _needed(counts, column, reference))
    found = np.zeros(counts.classes)
    # In steps, since all classes times all values may not fit into memory.
    step = max(1, CELLS_MAX // counts.values)
    for start in range(0, counts.classes, step):
        found[start : start + step] = measure(_differences(counts, start, step, reference))
    return found


def _needed(counts: ClassValueCounts, column: Column, reference: Floats) -> dict[str, int]:
    """The values that some row of source or table has, with their places in the column's values.

    Other values of a domain have a difference of 0, but still are steps of an order or leaves of a tree.
    """
    present = reference > 0
    present[counts.value_of] = True
    return {column.values[place]: place for place in np.flatnonzero(present).tolist()}


CELLS_MAX = 1 << 22
"""Classes times values that are laid out at once: 32 MiB."""


def _differences(counts: ClassValueCounts, start: int, step: int, reference: Floats) -> Floats:
    """p - q of the classes from `start` on, [classes, values]."""
    stop = min(start + step, counts.classes)
    some = slice(*np.searchsorted(counts.class_of, (start, stop)))
    p = np.zeros((stop - start, len(reference)))
    p[counts.class_of[some] - start, counts.value_of[some]] = counts.counts[some]
    return np.asarray(p / p.sum(axis=1, keepdims=True) - reference)


def _measure(
    model: TCloseness, published: PublishedTable, needed: dict[str, int]
) -> Callable[[Floats], Floats]:
    match model.distance:
        case Distance.EQUAL:
            return _equal
        case Distance.ORDERED:
            order = _laid(model, needed, published.orders.get(model.attribute))
            return lambda differences: _ordered(_taken(differences, order))
        case Distance.HIERARCHICAL:
            tree = published.hierarchies.get(model.attribute)
            order = _laid(model, needed, tree.domain if tree else None)
            return lambda differences: _hierarchical(_taken(differences, order), cast(Hierarchy, tree))


def _laid(model: TCloseness, needed: dict[str, int], domain: Sequence[str] | None) -> NDArray[np.intp]:
    """For each value of the domain its place in the column, -1 for one that nobody holds."""
    title, need = title_of(model), NEEDS[model.distance]
    if domain is None:
        raise BadModel(Words(ja=f"「{title.ja}」には{need.ja}が必要です", en=f"{title.en} needs {need.en}"))
    missing = len(needed.keys() - set(domain))
    if missing:
        raise BadModel(
            Words(
                ja=f"「{title.ja}」：{need.ja}に、値 {len(needed)} 種類のうち {missing} 種類が含まれていません",
                en=f"{title.en}: {need.en} misses {missing} of its {len(needed)} values",
            )
        )
    # -1 reads the column of zeros that `_taken` adds at the end.
    return np.array([needed.get(value, -1) for value in domain], dtype=np.intp)


NEEDS = {
    Distance.ORDERED: Words(ja="値の順序の指定", en="the order of the attribute's values"),
    Distance.HIERARCHICAL: Words(ja="一般化階層", en="the attribute's hierarchy"),
}


def _taken(differences: Floats, places: NDArray[np.intp]) -> Floats:
    """The differences of the values at some places, 0 at place -1."""
    return np.asarray(np.pad(differences, ((0, 0), (0, 1)))[:, places])


def _equal(differences: Floats) -> Floats:
    """½ Σ |p - q| (Li, Li & Venkatasubramanian, ICDE 2007, section 5.2)."""
    return np.asarray(np.abs(differences).sum(axis=1) / 2)


def _ordered(differences: Floats) -> Floats:
    """Σ |Σ_{j ≤ i} (p_j - q_j)| / (m - 1) over the m values in order (Li et al., ICDE 2007, section 5.1)."""
    steps = np.abs(np.cumsum(differences, axis=1)).sum(axis=1)
    return np.asarray(steps / max(1, differences.shape[1] - 1))


def _hierarchical(differences: Floats, tree: Hierarchy) -> Floats:
    """The distance on a tree (Li et al., ICDE 2007, section 5.2): the sum over all labels of

    height(label) / H · min(Σ of its children's surpluses, Σ of their lacks).
    """
    # What a label's children cannot exchange among themselves goes up, to be exchanged under a higher label.
    surplus = differences
    cost = np.zeros(len(differences))
    for level in range(1, tree.height):
        parent = np.zeros(len(tree.labels[level - 1]), dtype=np.intp)
        parent[tree.maps[level - 1]] = tree.maps[level]
        length = len(tree.labels[level])
        more = _gathered(np.maximum(surplus, 0), parent, length)
        less = _gathered(np.maximum(-surplus, 0), parent, length)
        cost += np.minimum(more, less).sum(axis=1) * level / (tree.height - 1)
        surplus = _gathered(surplus, parent, length)
    return cost


def _gathered(amounts: Floats, places: NDArray[np.integer], length: int) -> Floats:
    """The amounts [rows, n] summed by the place of each of the n, [rows, length]."""
    # add.at and not an assignment: several of the n have the same place.
    found = np.zeros((length, len(amounts)))
    np.add.at(found, places, amounts.T)
    return found.T


# -- the verdict ----------------------------------------------------------------------------------------------


def _slack(bound: float | Floats) -> Floats:
    return np.asarray(TOLERANCE * np.maximum(1.0, np.abs(bound)))


def _at_most(amounts: Floats, bound: float | Floats) -> Mask:
    return np.asarray(amounts <= np.asarray(bound) + _slack(bound))


def _below(amounts: Floats, bound: float) -> Mask:
    """Strictly below: what equals the bound but for rounding isn't."""
    return np.asarray(amounts < bound - _slack(bound))


def _at_least(amounts: Floats, bound: float) -> Mask:
    return np.asarray(amounts >= bound - _slack(bound))


def holds(model: ClassModel, published: PublishedTable) -> Mask:
    """Whether the model holds in each class; for δ-presence then in each class that only the population has."""
    found = values(model, published)
    match model:
        case KAnonymity(k=k) | KMap(k=k):
            return _at_least(found, k)
        case DistinctDiversity(l=least) | EntropyDiversity(l=least):
            return _at_least(found, least)
        case RecursiveDiversity(c=bound) | DeltaDisclosure(delta=bound):
            return _below(found, bound)
        case TCloseness(t=bound) | BetaLikeness(beta=bound):
            return _at_most(found, bound)
        case DeltaPresence(low=low, high=high):
            return _at_least(found, low) & _at_most(found, high)


def value(model: Model, published: PublishedTable) -> float:
    """The figure that the model bounds, of the whole table: the worst class's.

    k-anonymity, k-map: the fewest persons; distinct l: the fewest values; entropy l: the least exp(entropy);
    recursive (c, l): the largest r₁ / (r_l + … + r_m), to lie below c; t-closeness: the largest distance;
    δ-disclosure: the largest |log₂(p / q)| over values that a class holds, to lie below δ; β-likeness: the least β
    that would be met; δ-presence: of the least and the largest share that which is nearer to its bound or
    further beyond; average risk: classes by persons; sample uniqueness: persons alone in their class by
    persons; population uniqueness: the estimated share of the population. A table with nothing published meets
    everything: its least figures are infinite, its largest 0.
    """
    if isinstance(model, TableModel):
        return _of_table(model, published)
    found = values(model, published)
    match model:
        case KAnonymity() | KMap() | DistinctDiversity() | EntropyDiversity():
            return float(found.min(initial=np.inf))
        case DeltaPresence(low=low, high=high) if len(found):
            # One figure for two bounds: the side that decides, or would decide first.
            least, most = float(found.min()), float(found.max())
            return least if least - low < high - most else most
        case _:
            return float(found.max(initial=0.0))


def _of_table(model: TableModel, published: PublishedTable) -> float:
    sizes = published.sizes
    # An empty table puts nobody at risk; 0 / 0 would say nothing.
    total = int(sizes.sum())
    if total == 0:
        return 0.0
    match model:
        case AverageRisk():
            return len(sizes) / total
        case SampleUniqueness():
            return int((sizes == 1).sum()) / total
        case PopulationUniqueness():
            return uniqueness.unique_share(model, sizes)


def met(model: Model, published: PublishedTable) -> bool:
    """Whether the published table meets the model."""
    if isinstance(model, TableModel):
        return bool(_at_most(np.array([_of_table(model, published)]), model.threshold).all())
    return bool(holds(model, published).all())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a report says of one model."""

    name: str
    met: bool
    value: float


def verdicts(models: Sequence[Model], published: PublishedTable) -> list[Verdict]:
    """The proof of each model, in order."""
    return [Verdict(name_of(model), met(model, published), value(model, published)) for model in models]
