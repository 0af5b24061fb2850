"""The privacy models of a plan, in every spelling that a plan knows, each with its place in the text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf

from datasets.descriptor.yamltext import Path_
from datasets.records.plan.entries import PlanEntry
from privacy.deidentify import models
from privacy.deidentify.errors import BadModel
from privacy.deidentify.models import Distance, Model, UniquenessEstimator, name_of
from privacy.words import Words


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model and where the plan asks for it."""

    model: Model
    path: Path_

    @property
    def attribute(self) -> str | None:
        """The sensitive attribute it guards, if it is about one."""
        return getattr(self.model, "attribute", None)


def read(entries: list[PlanEntry]) -> tuple[list[ModelEntry], list[str]]:
    """The models of a plan and the notes that the report makes of them; faults are noted at their places."""
    found = [model for entry in entries for model in _one(entry)]
    return _merged(found)


def _one(entry: PlanEntry) -> list[ModelEntry]:
    """The models of one item: `{k_anonymity: 5}`; several keys are several models."""
    made = []
    for name, value in entry.members(*SPELLINGS).items():
        # A model with a fault is left out, whether the fault was noted by an entry or raised by the model.
        before = len(entry.tree.faults)
        try:
            model = SPELLINGS[name](value)
        except BadModel as fault:
            if len(entry.tree.faults) == before:
                # Said by the entry already where it could not be read; the model would only repeat it.
                value.fault(fault.message())
            continue
        if len(entry.tree.faults) == before:
            made.append(ModelEntry(model, value.path))
    return made


def _merged(found: list[ModelEntry]) -> tuple[list[ModelEntry], list[str]]:
    """Of several k the largest counts, with a note in the report; a model that stands twice counts once."""
    kept: dict[Model, ModelEntry] = {}
    notes = []
    for entry in found:
        if entry.model in kept:
            notes.append(f"{name_of(entry.model)} is asked for twice")
        kept.setdefault(entry.model, entry)
    # Only these two: other models of one kind may guard different attributes, and all of them hold.
    for kind in (models.KAnonymity, models.KMap):
        same = [model for model in kept if isinstance(model, kind)]
        if len(same) > 1:
            # Every k below it is implied, and the search would prove it twice.
            strictest = max(same, key=lambda model: model.k)
            for model in same:
                if model != strictest:
                    notes.append(f"{name_of(model)} is asked for beside {name_of(strictest)}, which holds it")
                    del kept[model]
    return list(kept.values()), notes


def _needed(entry: PlanEntry, members: Mapping[str, PlanEntry], *names: str) -> None:
    missing = [name for name in names if name not in members]
    if missing and entry.is_mapping:
        entry.fault(Words(ja=f"{' と '.join(missing)} が必要です", en=f"needs {' and '.join(missing)}"))
    if missing:
        # Ends the reading of this model only; `_one` sees that the fault is noted.
        raise BadModel(Words(ja="不完全です", en="incomplete"))


def _l_diversity(entry: PlanEntry) -> Model:
    members = entry.members("attribute", "kind", "l", "c")
    _needed(entry, members, "attribute", "l")
    attribute = members["attribute"].text()
    kind = members["kind"].choice("distinct", "entropy", "recursive") if "kind" in members else "distinct"
    if kind != "recursive" and "c" in members:
        message = Words(ja="c は再帰的 (c, l)-多様性のものです", en="c belongs to recursive (c, l)-diversity")
        members["c"].fault(message, key=True)
    if kind == "entropy":
        return models.EntropyDiversity(attribute, members["l"].number(least=1))
    l_wanted = members["l"].whole(least=1)
    if kind == "distinct":
        return models.DistinctDiversity(attribute, l_wanted)
    _needed(entry, members, "c")
    return models.RecursiveDiversity(attribute, members["c"].number(), l_wanted)


def _t_closeness(entry: PlanEntry) -> Model:
    members = entry.members("attribute", "t", "distance")
    _needed(entry, members, "attribute", "t")
    distance = members["distance"].choice(*map(str, Distance)) if "distance" in members else "equal"
    return models.TCloseness(members["attribute"].text(), members["t"].number(most=1), Distance(distance))


def _delta_disclosure(entry: PlanEntry) -> Model:
    members = entry.members("attribute", "delta")
    _needed(entry, members, "attribute", "delta")
    return models.DeltaDisclosure(members["attribute"].text(), members["delta"].number())


def _beta_likeness(entry: PlanEntry) -> Model:
    members = entry.members("attribute", "beta", "enhanced")
    _needed(entry, members, "attribute", "beta")
    enhanced = members["enhanced"].flag() if "enhanced" in members else True
    return models.BetaLikeness(members["attribute"].text(), members["beta"].number(), enhanced)


def _delta_presence(entry: PlanEntry) -> Model:
    members = entry.members("min", "max")
    _needed(entry, members, "min", "max")
    return models.DeltaPresence(members["min"].number(most=1), members["max"].number(most=1))


def _population_uniqueness(entry: PlanEntry) -> Model:
    members = entry.members("threshold", "population", "estimator")
    _needed(entry, members, "threshold", "population")
    estimator = (
        members["estimator"].choice(*map(str, UniquenessEstimator)) if "estimator" in members else "dankar"
    )
    return models.PopulationUniqueness(
        members["threshold"].number(most=1),
        members["population"].whole(least=1),
        UniquenessEstimator(estimator),
    )


def _share(entry: PlanEntry) -> float:
    """A threshold: the bare number, or `{threshold: …}`."""
    if entry.is_mapping:
        members = entry.members("threshold")
        _needed(entry, members, "threshold")
        entry = members["threshold"]
    return entry.number(most=inf)


def _size(entry: PlanEntry) -> int:
    """A k: the bare number, or `{k: …}`."""
    if entry.is_mapping:
        members = entry.members("k")
        _needed(entry, members, "k")
        entry = members["k"]
    return entry.whole(least=1)


SPELLINGS: Mapping[str, Callable[[PlanEntry], Model]] = {
    "k_anonymity": lambda entry: models.KAnonymity(_size(entry)),
    "l_diversity": _l_diversity,
    "t_closeness": _t_closeness,
    "delta_disclosure": _delta_disclosure,
    "beta_likeness": _beta_likeness,
    "delta_presence": _delta_presence,
    "k_map": lambda entry: models.KMap(_size(entry)),
    "average_risk": lambda entry: models.AverageRisk(_share(entry)),
    # Thresholds of single records are k-anonymity and k-map in other words, and are made into them.
    "prosecutor_risk": lambda entry: models.prosecutor_risk(_share(entry)),
    "journalist_risk": lambda entry: models.journalist_risk(_share(entry)),
    "sample_uniqueness": lambda entry: models.SampleUniqueness(_share(entry)),
    "population_uniqueness": _population_uniqueness,
}
