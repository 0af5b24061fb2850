"""Checks a plan against the data before any work starts; faults have the line and key of the plan."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from datasets.descriptor.yamltext import Fault, Path_, shown
from datasets.records.plan.entries import PlanError
from datasets.records.plan.model_words import words_of_model
from datasets.records.plan.plan import Attribute, HierarchyFile, ProcessingPlan, Reference
from datasets.sources.table import Source
from privacy.deidentify.errors import BadModel, DeidentifyError
from privacy.deidentify.hierarchies import layout
from privacy.deidentify.hierarchies import plan as built
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.models import (
    AverageRisk,
    Distance,
    DistinctDiversity,
    EntropyDiversity,
    KAnonymity,
    Model,
    PopulationUniqueness,
    RecursiveDiversity,
    TCloseness,
    distinct_needed,
    name_of,
)
from privacy.deidentify.table import Column, Role, Table
from privacy.words import Words


def columns(plan: ProcessingPlan, source: Source) -> None:
    """Every attribute of the plan is a column of the data and the other way round."""
    refuse(_column_faults(plan, source))


def _column_faults(plan: ProcessingPlan, source: Source) -> Iterator[Fault]:
    for name in plan.attributes:
        if name not in source.columns:
            known = _named(source.columns)
            message = Words(
                ja=f"データに列 {shown(name)} がありません。データの列：{known}",
                en=f"the data has no column {shown(name)}; its columns: {known}",
            )
            yield plan.fault(("attributes", name), message)
    # A column without a role could be published by oversight, so every one needs a decision in the plan.
    for name in source.columns:
        if name not in plan.attributes:
            message = Words(
                ja=f"データの列 {shown(name)} の役割が書かれていません。役割：{', '.join(Role)}",
                en=f"column {shown(name)} of the data has no role here; roles: {', '.join(Role)}",
            )
            yield plan.fault(("attributes",), message)


def _named(names: Sequence[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def refuse(faults: Iterator[Fault]) -> None:
    """Raise the faults together, if there are any."""
    if found := list(faults):
        raise PlanError(found)


def reference(
    plan: ProcessingPlan, key: str, other: Reference, source: Source, *, needed: Sequence[str]
) -> None:
    """Another table has the columns that it is needed for."""
    missing = [name for name in needed if name not in source.columns]
    if missing:
        message = Words(
            ja=f"{other.path.name} に列 {_named(missing)} がありません",
            en=f"{other.path.name} has no column {_named(missing)}",
        )
        raise plan.refusal((key,), message)


def hierarchies(plan: ProcessingPlan, table: Table, names: Sequence[str]) -> dict[str, Hierarchy]:
    """The hierarchies of some attributes, each total over the values of its column."""
    found: dict[str, Hierarchy] = {}
    faults: list[Fault] = []
    for name in names:
        try:
            found[name] = _hierarchy(plan.attributes[name], table[name])
            # Only to be refused early: a value of the data without a place in the tree has no label.
            found[name].places(table[name])
        except DeidentifyError as fault:
            faults.append(plan.fault(("attributes", name, "hierarchy"), fault.message()))
    refuse(iter(faults))
    return found


def _hierarchy(attribute: Attribute, column: Column) -> Hierarchy:
    spec = attribute.hierarchy
    if isinstance(spec, HierarchyFile):
        return layout.parse(attribute.name, spec.text, spec.delimiter)
    assert spec is not None, "a plan without this hierarchy is refused when it is read"
    occurs = column.counts() > 0
    # Values that operations have emptied out would widen generated ranges.
    values = [value for value, used in zip(column.values, occurs.tolist(), strict=True) if used]
    return built.build(spec, name=attribute.name, values=values)


def grained(
    plan: ProcessingPlan, table: Table, trees: Mapping[str, Hierarchy]
) -> tuple[Table, dict[str, Hierarchy]]:
    """Quasi-identifiers at the grain that the proposal asks for, and their hierarchies from there on."""
    cut = dict(trees)
    for name, tree in trees.items():
        level = plan.attributes[name].level
        if not level:
            continue
        # A grain above the last level names no label.
        if level >= tree.height:
            message = Words(
                ja=f"階層の段階は 0 から {tree.height - 1} までです",
                en=f"the hierarchy has the levels 0 to {tree.height - 1}",
            )
            raise plan.refusal(("grain", name), message)
        table = table.replacing(_at_level(table[name], tree, level))
        cut[name] = _from_level(tree, level)
    return table, cut


def _at_level(column: Column, tree: Hierarchy, level: int) -> Column:
    labels = tree.labels[level]
    return column.recoded([labels[label] for label in tree.maps[level][tree.places(column)].tolist()])


def _from_level(tree: Hierarchy, level: int) -> Hierarchy:
    # One value under each label is enough: everything below the grain is cut off.
    first = np.unique(tree.maps[level], return_index=True)[1]
    paths = [
        [tree.labels[above][tree.maps[above][value]] for above in range(level, tree.height)]
        for value in first.tolist()
    ]
    return Hierarchy.of(tree.name, paths)


def feasible(plan: ProcessingPlan, table: Table, *, persons: int) -> None:
    """What the models ask for is possible with as many persons and values as there are."""
    if persons < 2:
        counted = _counted(persons, plan)
        message = Words(
            ja=f"対象は {counted.ja} です。誰も紛れることができません",
            en=f"the data has {counted.en}: nobody can be hidden in it",
        )
        raise plan.refusal(("models",), message)
    refuse(
        plan.fault(entry.path, impossible)
        for entry in plan.model_entries
        if (impossible := _impossible(entry.model, table, persons, plan))
    )


def _impossible(model: Model, table: Table, persons: int, plan: ProcessingPlan) -> Words | None:
    counted = _counted(persons, plan)
    if isinstance(model, KAnonymity) and model.k > persons:
        return _unmet(model, Words(ja=f"対象は {counted.ja} です", en=f"the data has {counted.en}"))
    # A single class of all persons has the smallest average risk there is, 1 / persons.
    if isinstance(model, AverageRisk) and model.threshold * persons < 1:
        return _unmet(
            model,
            Words(ja=f"全員を 1 つの組にしても 1 / {persons} です", en=f"one group of all has 1 / {persons}"),
        )
    if isinstance(model, PopulationUniqueness) and model.population < persons:
        return Words(
            ja=f"母集団の {model.population} 人はデータの {counted.ja} より少なくなっています",
            en=f"the population of {model.population} is smaller than the data, which has {counted.en}",
        )
    if isinstance(model, DistinctDiversity | EntropyDiversity | RecursiveDiversity):
        distinct = int((table[model.attribute].counts() > 0).sum())
        if distinct_needed(model) > distinct:
            return _unmet(
                model,
                Words(
                    ja=f"データの {model.attribute} の値は {distinct} 種類です",
                    en=f"the data has {distinct} values of {model.attribute}",
                ),
            )
    if isinstance(model, TCloseness) and model.distance is Distance.ORDERED:
        try:
            order(plan.attributes[model.attribute], table[model.attribute])
        except BadModel as fault:
            return fault.message()
    return None


def _unmet(model: Model, why: Words) -> Words:
    return Words(
        ja=f"「{words_of_model(model).ja}」は満たせません：{why.ja}",
        en=f"{name_of(model)} cannot be met: {why.en}",
    )


def _counted(persons: int, plan: ProcessingPlan) -> Words:
    one = "row" if plan.unit is None else "person"
    return Words(
        ja=f"{persons} {'行' if plan.unit is None else '人'}",
        en=f"{persons} {one}" if persons == 1 else f"{persons} {one}s",
    )


def orders(plan: ProcessingPlan, table: Table) -> dict[str, tuple[str, ...]]:
    """The values of each attribute that ordered closeness is asked for, from low to high."""
    return {
        model.attribute: order(plan.attributes[model.attribute], table[model.attribute])
        for model in plan.models
        if isinstance(model, TCloseness) and model.distance is Distance.ORDERED
    }


def order(attribute: Attribute, column: Column) -> tuple[str, ...]:
    """The plan's order, or that of numbers; raises BadModel where there is neither."""
    present = [value for value, rows in zip(column.values, column.counts().tolist(), strict=True) if rows]
    if attribute.order:
        missing = len(set(present) - set(attribute.order))
        if missing or len(set(attribute.order)) < len(attribute.order):
            raise BadModel(
                Words(
                    ja=(
                        f"{attribute.name} の order に値の重複があるか、データの {len(present)} 種類のうち "
                        f"{missing} 種類がありません"
                    ),
                    en=(
                        f"the order of {attribute.name} repeats a value or misses {missing} of the data's "
                        f"{len(present)}"
                    ),
                )
            )
        return attribute.order
    try:
        # By value: as texts "10" would come before "9".
        return tuple(sorted(present, key=float))
    except ValueError:
        raise BadModel(
            Words(
                ja=f"順序距離には数値、または属性 {attribute.name} の order に書いた値の順序が必要です",
                en=f"ordered distance needs numbers, or an order of the values of {attribute.name} in its attribute",
            )
        ) from None


def writable(plan: ProcessingPlan, source: Source, trees: Mapping[str, Hierarchy]) -> None:
    """Every label can be written in the source's encoding."""
    refuse(_writable_faults(plan, source, trees))


def _writable_faults(plan: ProcessingPlan, source: Source, trees: Mapping[str, Hierarchy]) -> Iterator[Fault]:
    for name, tree in trees.items():
        for level, labels in enumerate(tree.labels):
            try:
                # All labels of a level at once; which of them fails is not needed, and it could be a value of
                # the data.
                "\n".join(labels).encode(source.style.codec)
            except UnicodeEncodeError:
                path: Path_ = ("attributes", name, "hierarchy")
                message = Words(
                    ja=f"段階 {level} に {source.style.encoding} で書けないラベルがあります",
                    en=f"a label of level {level} cannot be written in {source.style.encoding}",
                )
                yield plan.fault(path, message)
                break


def needed(plan: ProcessingPlan) -> list[str]:
    """The columns that a run reads although they are not published: the person, and the rows asked for."""
    used = {plan.unit, *(condition.attribute for condition in plan.where)}
    return [name for name, attribute in plan.attributes.items() if not attribute.removed or name in used]
