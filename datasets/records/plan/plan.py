"""A processing plan as values: what a proposal asks for and how its record set is to be made. Reads nothing."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets.descriptor.yamltext import Fault, Path_, Tree, dotted
from datasets.records.plan.entries import PlanError
from datasets.records.plan.plan_models import ModelEntry
from datasets.sources.style import Style
from privacy.deidentify.models import Model
from privacy.deidentify.operations.plan import InOrder
from privacy.deidentify.operations.steps import Operation, Remove
from privacy.deidentify.table import Role
from privacy.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchyFile:
    """A hierarchy written out: per line a value and its labels."""

    path: Path
    delimiter: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Another table that the plan names: the population, or a public register."""

    path: Path
    style: Style


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One column of the source: its role, and what is done to it.

    `hierarchy` is a file or a mapping that `hierarchies.plan.build` understands, `level` the finest level to be
    published (its grain).
    """

    name: str
    role: Role
    hierarchy: HierarchyFile | Mapping[str, Any] | None = None
    operation: Operation | None = None
    order: tuple[str, ...] = ()
    weight: float = 1.0
    level: int = 0

    @property
    def removed(self) -> bool:
        """Whether the column is left out (項目削除)."""
        # Removed by any step of several is removed.
        steps = self.operation.steps if isinstance(self.operation, InOrder) else (self.operation,)
        return any(isinstance(step, Remove) for step in steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCondition:
    """Which rows are asked for: those whose text is one of `values`, or lies in [low, high]."""

    attribute: str
    values: tuple[str, ...] = ()
    low: str | None = None
    high: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How many of these rows: a share of them, or a number, drawn by the seed; whole persons where a unit is named."""

    share: float | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSettings:
    """The measure that the search makes small."""

    measure: str = "loss"
    gs_factor: float = 0.5
    aggregate: str = "arithmetic_mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How the record set is written."""

    shuffle: bool = False
    scheme_column: bool = False
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingPlan:
    """A checked plan. `items` are the published attributes in their order, empty for all in the source's order."""

    title: str
    source: Style
    unit: str | None
    attributes: Mapping[str, Attribute]
    items: tuple[str, ...]
    where: tuple[RowCondition, ...]
    sampling: Sampling | None
    model_entries: tuple[ModelEntry, ...]
    population: Reference | None
    reference: Reference | None
    suppression: float
    loss: LossSettings
    recoding: str
    seed: str | None
    seconds_max: float | None
    output: Output
    classify: str | None
    notes: tuple[str, ...]
    # Digested and part of the seed: two texts that ask for the same are the same plan.
    canonical: str
    # Kept for the places of later faults; its texts are those of the plan file.
    tree: Tree = field(repr=False)

    @property
    def models(self) -> tuple[Model, ...]:
        """The models asked for."""
        return tuple(entry.model for entry in self.model_entries)

    def of(self, role: Role) -> tuple[str, ...]:
        """The attributes of a role, in the plan's order."""
        return tuple(name for name, attribute in self.attributes.items() if attribute.role is role)

    @property
    def digest(self) -> str:
        """SHA-256 of what the plan asks for, the same for any layout of its text."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    def refusal(self, path: Path_, message: Words) -> PlanError:
        """The error for something wrong with the place `path` of the plan, or with what holds it."""
        return PlanError([self.fault(path, message)])

    def fault(self, path: Path_, message: Words) -> Fault:
        """A fault at a place of the plan."""
        # Whoever edits the plan looks for the key; only the whole text has a value and no key.
        places = self.tree.keys | {path: place for path, place in self.tree.values.items() if not path}
        known = next((path[:size] for size in range(len(path), -1, -1) if path[:size] in places), ())
        return Fault(*places.get(known, (1, 1)), dotted(path), message)

    def publishes(self, name: str) -> bool:
        """Whether an attribute is in the record set."""
        if self.items and name not in self.items:
            return False
        return not self.attributes[name].removed
