"""Privacy models applied to a table: from a grouping to which groups fail, and what they cost for certain.

Two figures of each group go to the search: whether it fails, and how many of its records are lost in every finer
grouping. The second makes pruning possible: a failing group may split into groups that pass, so failing alone proves
nothing about finer nodes, except for k-anonymity and distinct diversity.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.errors import BadModel
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.models import (
    AverageRisk,
    BetaLikeness,
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
)
from privacy.deidentify.search import kernels
from privacy.deidentify.search.facets import Facet, GroupValues
from privacy.deidentify.table import Codes, Column
from privacy.words import Words

Flags = NDArray[np.uint8]
Counts = NDArray[np.int64]
NOT_ENOUGH = np.int64(1)


@dataclass(frozen=True, slots=True, eq=False)
class AttributeModels:
    """All models of one sensitive attribute as `kernels.judge` takes them: kinds with one or two parameters each.

    `whole` [values] is the attribute's distribution in the whole table, `level_labels` and `level_sizes` its tree.
    """

    facet: Facet
    whole: NDArray[np.float64]
    kinds: NDArray[np.int64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    level_labels: Codes
    level_sizes: NDArray[np.int64]

    def judge(self, contents: GroupValues, sizes: Codes, failed: Flags, least: Counts) -> None:
        """Mark the groups that fail, and how many records each surely loses in every finer grouping."""
        kernels.judge(
            contents.start,
            contents.codes,
            contents.weights,
            self.facet.value_of,
            not self.facet.once,
            sizes,
            self.whole,
            self.kinds,
            self.first,
            self.second,
            self.level_labels,
            self.level_sizes,
            failed,
            least,
        )


def _numbers(model: SensitiveModel) -> tuple[int, float, float]:
    match model:
        case DistinctDiversity(l=l):
            return kernels.K_DISTINCT, float(l), 0.0
        case EntropyDiversity(l=entropy):
            return kernels.K_ENTROPY, float(entropy), 0.0
        case RecursiveDiversity(c=c, l=l):
            return kernels.K_RECURSIVE, float(l), float(c)
        case TCloseness(t=t, distance=Distance.EQUAL):
            return kernels.K_EQUAL, float(t), 0.0
        case TCloseness(t=t, distance=Distance.ORDERED):
            return kernels.K_ORDERED, float(t), 0.0
        case TCloseness(t=t):
            return kernels.K_HIERARCHICAL, float(t), 0.0
        case DeltaDisclosure(delta=delta):
            return kernels.K_DISCLOSURE, float(delta), 0.0
        case BetaLikeness(beta=beta, enhanced=enhanced):
            return kernels.K_LIKENESS, float(beta), float(enhanced)


class Conditions:
    """All models of a search over one table, ready to judge groupings of its rows.

    `k` persons or records a group; `facets` what the search must carry along with a grouping (persons first
    where they are counted), `of_table` the models that only the sizes of all groups together decide.
    """

    def __init__(
        self,
        models: Sequence[Model],
        *,
        sensitive: Mapping[str, Column],
        orders: Mapping[str, Sequence[str]],
        hierarchies: Mapping[str, Hierarchy],
        persons: Codes | None,
    ) -> None:
        self.models = tuple(models)
        # Of several k the largest implies the others.
        self.k = max((model.k for model in models if isinstance(model, KAnonymity)), default=1)
        self.k_map = max((model.k for model in models if isinstance(model, KMap)), default=0)
        self.presence = tuple(model for model in models if isinstance(model, DeltaPresence))
        self.of_table: tuple[TableModel, ...] = tuple(
            model
            for model in models
            if isinstance(model, AverageRisk | SampleUniqueness | PopulationUniqueness)
        )
        self.persons = None if persons is None else Facet.persons(persons)
        self.attributes: list[AttributeModels] = []
        wanted: dict[str, list[SensitiveModel]] = {}
        for model in models:
            if isinstance(model, SensitiveModel):
                wanted.setdefault(model.attribute, []).append(model)
        for name, its in wanted.items():
            if name not in sensitive:
                raise BadModel(
                    Words(
                        ja=f"プライバシーモデルが指定された項目 {name} は、秘匿したい項目（sensitive）ではありません",
                        en=f"{name} has a privacy model but is no sensitive attribute",
                    )
                )
            self.attributes.append(
                self._laid(its, sensitive[name], orders.get(name), hierarchies.get(name), persons)
            )

    @property
    def by_size_alone(self) -> bool:
        """Whether a group's number of records decides alone, so that failing groups stay failing when split."""
        return not (self.attributes or self.persons or self.of_table or self.k_map or self.presence)

    @property
    def facets(self) -> tuple[Facet, ...]:
        """What a search has to carry along."""
        persons = () if self.persons is None else (self.persons,)
        return persons + tuple(attribute.facet for attribute in self.attributes)

    def _laid(
        self,
        models: list[SensitiveModel],
        column: Column,
        order: Sequence[str] | None,
        hierarchy: Hierarchy | None,
        persons: Codes | None,
    ) -> AttributeModels:
        if order is None and any(_by_order(model) for model in models):
            raise BadModel(
                Words(
                    ja=f"項目 {column.name} の順序距離には、値の順序の指定が必要です",
                    en=f"the ordered distance of {column.name} needs an order of its values",
                )
            )
        column = column if order is None else ordered(column, order)
        size = len(column.values)
        facet = (
            Facet.values(column.name, column.codes, size)
            if persons is None
            else Facet.values_of_persons(column.name, column.codes, size, persons)
        )
        # With persons a pair (person, value) counts once; without, each row does.
        counts = np.bincount(
            facet.value_of[facet.of_rows] if persons is None else facet.value_of, minlength=size
        )
        numbers = [_numbers(model) for model in models]
        labels, sizes = np.zeros((1, size), np.int32), np.array([size], np.int64)
        if any(isinstance(model, TCloseness) and model.distance is Distance.HIERARCHICAL for model in models):
            if hierarchy is None:
                raise BadModel(
                    Words(
                        ja=f"項目 {column.name} の階層距離には、{column.name} の一般化階層が必要です",
                        en=f"the hierarchical distance of {column.name} needs a hierarchy of {column.name}",
                    )
                )
            labels, sizes = _tree(column, hierarchy)
        kinds, first, second = (np.array(part) for part in zip(*numbers, strict=True))
        return AttributeModels(
            facet,
            counts / counts.sum(),
            kinds.astype(np.int64),
            first.astype(np.float64),
            second.astype(np.float64),
            labels,
            sizes,
        )

    def judge(
        self, sizes: Codes, contents: Sequence[GroupValues], population: Counts | None
    ) -> tuple[Flags, Counts, bool]:
        """Which groups fail, what each surely loses when split further, and whether suppression can help."""
        # Every model adds to the same two arrays: a group fails if it fails one, and loses what the hardest takes.
        failed, least = np.zeros(len(sizes), np.uint8), np.zeros(len(sizes), np.int64)
        rest = list(contents)
        if self.persons is None:
            kernels.small_groups(sizes, self.k, failed, least)
        else:
            kernels.few_persons(rest.pop(0).start, self.k, sizes, failed, least)
        for attribute, its in zip(self.attributes, rest, strict=True):
            attribute.judge(its, sizes, failed, least)
        if population is None:
            return failed, least, True
        persons = self.persons_of(sizes, contents)
        return failed, least, self._judge_population(sizes, persons, population, failed, least)

    def persons_of(self, sizes: Codes, contents: Sequence[GroupValues]) -> Codes:
        """The persons of each group: its records, where records are persons."""
        return sizes if self.persons is None else np.diff(contents[0].start).astype(np.int32)

    @property
    def all_or_nothing(self) -> bool:
        """Whether nothing may be suppressed: a class that only the population has would then be too rare here."""
        return any(model.low > kernels.CLOSE for model in self.presence)

    def _judge_population(
        self, sizes: Codes, persons: Codes, population: Counts, failed: Flags, least: Counts
    ) -> bool:
        """A share that is too high stays so in some finer group; one too low only where records are persons."""
        # Groups without a record of ours are the population's alone: nothing of them can be suppressed.
        here = sizes > 0
        unknown = here & (population < self.k_map)
        failed[unknown] = 1
        least[unknown] = sizes[unknown]
        for model in self.presence:
            # Persons whom the population's table lacks have an infinite share: a class of them always fails.
            share = np.divide(persons, population, out=np.full(len(sizes), np.inf), where=population > 0)
            rare, frequent = share < model.low - kernels.CLOSE, share > model.high + kernels.CLOSE
            failed[rare | frequent] = 1
            # A group is a mixture of its parts: if its share is out of bounds, that of some part is too. With several
            # rows a person a person may be in several parts, so that only "too high" carries over.
            sure = rare | frequent if self.persons is None else frequent
            least[sure] = np.maximum(least[sure], np.minimum(sizes[sure], 1))
            # Too rare because nobody of it is in the table: suppressing records cannot help.
            if (rare & ~here).any():
                return False
        return True


def _by_order(model: SensitiveModel) -> bool:
    return isinstance(model, TCloseness) and model.distance is Distance.ORDERED


def ordered(column: Column, order: Sequence[str]) -> Column:
    """The column with all values of a stated order, in it; raises BadModel where the order misses one."""
    place = {value: at for at, value in enumerate(order)}
    if any(value not in place for value in column.values):
        raise BadModel(
            Words(
                ja=f"項目 {column.name} に指定された順序に、データにある値が含まれていません",
                en=f"the order given for {column.name} misses a value of the data",
            )
        )
    return Column(
        column.name, tuple(order), np.array([place[v] for v in column.values], np.int32)[column.codes]
    )


def _tree(column: Column, hierarchy: Hierarchy) -> tuple[Codes, Counts]:
    """For each level the label over each label of the level below (the column's values being level 0)."""
    # Level 0 is the column's own values, as the kernel counts those; from level 1 on labels are the hierarchy's.
    places = hierarchy.places(column)
    size = max(len(column.values), max(len(labels) for labels in hierarchy.labels))
    over = np.zeros((hierarchy.height, size), np.int32)
    over[1, : len(places)] = hierarchy.maps[1][places] if hierarchy.height > 1 else 0
    for level in range(2, hierarchy.height):
        over[level, hierarchy.maps[level - 1]] = hierarchy.maps[level]
    return over, np.array([len(places), *(len(labels) for labels in hierarchy.labels[1:])], np.int64)
