"""Reads a processing plan (YAML) strictly into `plan.Plan`.

Refuses unknown keys, numbers written as texts, and whatever contradicts itself without looking at the data;
what only the data can show is refused by `checks`. Every fault has the line and column of the text it is about.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets.descriptor.yamltext import Fault, Path_, shown
from datasets.records.plan import plan_models
from datasets.records.plan.entries import PlanEntry, PlanError, entry_of, texts
from datasets.records.plan.plan import (
    Attribute,
    HierarchyFile,
    LossSettings,
    Output,
    ProcessingPlan,
    Reference,
    RowCondition,
    Sampling,
    Style,
)
from datasets.records.plan.plan_models import ModelEntry
from privacy.deidentify.models import DeltaPresence, Distance, KMap, TCloseness
from privacy.deidentify.operations import plan as operations
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.operations.steps import Operation, Remove
from privacy.deidentify.table import Role

LOSSES = ("loss", "height", "precision", "discernibility", "average_class_size", "entropy")
AGGREGATES = ("arithmetic_mean", "geometric_mean", "maximum", "sum")
LOCAL = ("few", "some", "cells", "ranges")
ENCODINGS = ("utf-8", "utf-8-sig", "cp932", "shift_jis")
LANGUAGES = ("ja", "en")
REMOVED = (Role.IDENTIFIER, Role.CODE, Role.LINKAGE)


def read(file: Path) -> ProcessingPlan:
    """The plan of a file and of the hierarchies beside it; raises PlanError with every fault found."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise PlanError([Fault(1, 1, "", "a plan is text in UTF-8")]) from None
    except OSError:
        raise PlanError([Fault(1, 1, "", "the plan cannot be read")]) from None
    return parse(text, folder=file.parent)


def parse(text: str, *, folder: Path) -> ProcessingPlan:
    """The plan of a text whose files lie relative to `folder`."""
    entry = entry_of(text)
    plan = _PlanReader(entry, folder).read()
    entry.tree.raise_faults()
    return plan


KEYS = (
    "title",
    "source",
    "unit",
    "attributes",
    "items",
    "grain",
    "where",
    "sampling",
    "models",
    "population",
    "reference",
    "suppression",
    "loss",
    "recoding",
    "seed",
    "limits",
    "output",
    "classify",
)


class _PlanReader:
    """Turns the entries of a plan into values; faults gather in the tree."""

    def __init__(self, entry: PlanEntry, folder: Path) -> None:
        self.entry = entry
        self.tree = entry.tree
        self.folder = folder
        self.given = entry.members(*KEYS)
        self.notes: list[str] = []
        self.style = self._style(self.given.get("source"))

    def read(self) -> ProcessingPlan:
        attributes = self._attributes()
        items = self._items(attributes)
        model_entries, notes = self._models()
        self.notes += notes
        plan = ProcessingPlan(
            title=self.given["title"].text() if "title" in self.given else "",
            source=self.style,
            unit=self._named("unit", attributes),
            attributes=self._with_grain(attributes),
            items=items,
            where=self._where(attributes),
            sampling=self._sampling(),
            model_entries=tuple(model_entries),
            population=self._reference("population"),
            reference=self._reference("reference"),
            suppression=self.given["suppression"].number(most=1) if "suppression" in self.given else 0.0,
            loss=self._loss(),
            recoding=self._recoding(),
            seed=self._seed(),
            seconds_max=self._seconds_max(),
            output=self._output(),
            classify=self._named("classify", attributes),
            notes=tuple(self.notes),
            canonical=_canonical(self.given, attributes),
            tree=self.tree,
        )
        self._check(plan)
        return plan

    # Files

    def _style(self, entry: PlanEntry | None, default: Style | None = None) -> Style:
        base = default or Style()
        if entry is None:
            return base
        members = entry.members("delimiter", "encoding", *(["file"] if default else []))
        return Style(
            delimiter=self._delimiter(members.get("delimiter"), base.delimiter),
            encoding=members["encoding"].choice(*ENCODINGS) if "encoding" in members else base.encoding,
        )

    def _delimiter(self, entry: PlanEntry | None, default: str) -> str:
        if entry is None:
            return default
        text = entry.text()
        if text and (len(text) != 1 or text in '"\r\n' or not text.isascii()):
            entry.fault('must be one character such as "," or ";"')
        return text[:1] or default

    def _reference(self, key: str) -> Reference | None:
        entry = self.given.get(key)
        if entry is None or entry.is_null:
            return None
        members = entry.entries() if entry.is_mapping else {"file": entry}
        if "file" not in members:
            entry.fault("needs a file")
            return None
        path = self._file(members["file"])
        return Reference(path=path, style=self._style(entry if entry.is_mapping else None, self.style))

    def _file(self, entry: PlanEntry) -> Path:
        path = self.folder / entry.text()
        if entry.is_text and not path.is_file():
            entry.fault(f"there is no file {shown(entry.content)} beside the plan")
        return path

    # Attributes

    def _attributes(self) -> dict[str, Attribute]:
        if "attributes" not in self.given:
            self.entry.fault("the key 'attributes' is missing")
            return {}
        return {
            name: self._attribute(name, entry) for name, entry in self.given["attributes"].entries().items()
        }

    def _attribute(self, name: str, entry: PlanEntry) -> Attribute:
        members = entry.members("role", "hierarchy", "operation", "order", "weight")
        role = self._role(entry, members.get("role"))
        hierarchy = self._hierarchy(members.get("hierarchy"))
        if role is Role.QUASI and "hierarchy" not in members and "role" in members:
            entry.fault("a quasi-identifier needs a hierarchy", key=True)
        if role not in (Role.QUASI, Role.SENSITIVE) and "hierarchy" in members:
            members["hierarchy"].fault("a hierarchy belongs to a quasi-identifier or a sensitive attribute")
        return Attribute(
            name=name,
            role=role,
            hierarchy=hierarchy,
            operation=self._operation(name, role, members.get("operation")),
            order=tuple(texts(members["order"].items())) if "order" in members else (),
            weight=members["weight"].number() if "weight" in members else 1.0,
        )

    def _role(self, entry: PlanEntry, role: PlanEntry | None) -> Role:
        if role is None:
            if entry.is_mapping:
                entry.fault(f"has no role; roles: {', '.join(Role)}", key=True)
            return Role.INSENSITIVE
        if isinstance(role.content, list):
            role.fault(
                "an attribute has one role: a sensitive attribute cannot be a quasi-identifier too, "
                "since what others know about a person cannot be kept from them"
            )
            return Role.INSENSITIVE
        return Role(role.choice(*Role))

    def _hierarchy(self, entry: PlanEntry | None) -> HierarchyFile | Mapping[str, Any] | None:
        if entry is None:
            return None
        if entry.is_mapping and "file" not in entry.content:
            spec: Mapping[str, Any] = entry.plain()
            return spec
        members = entry.members("file", "delimiter", "encoding") if entry.is_mapping else {"file": entry}
        path = self._file(members["file"])
        style = self._style_of_hierarchy(members)
        return HierarchyFile(
            path=path, delimiter=style.delimiter, text=self._text(members["file"], path, style)
        )

    def _style_of_hierarchy(self, members: Mapping[str, PlanEntry]) -> Style:
        encoding = members["encoding"].choice(*ENCODINGS) if "encoding" in members else "utf-8"
        return Style(delimiter=self._delimiter(members.get("delimiter"), ";"), encoding=encoding)

    def _text(self, entry: PlanEntry, path: Path, style: Style) -> str:
        if not path.is_file():
            return ""
        codec = "utf-8-sig" if style.codec == "utf-8" else style.codec
        try:
            return path.read_bytes().decode(codec)
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            entry.fault(f"line {line} of {path.name} is not {style.encoding}; name its encoding")
            return ""

    def _operation(self, name: str, role: Role, entry: PlanEntry | None) -> Operation | None:
        """What is done to the attribute; identifiers, codes and linkage codes go unless the plan names an operation."""
        if entry is None:
            return Remove() if role in REMOVED else None
        try:
            operation = operations.parse(entry.plain(), column=name)
        except BadOperation as fault:
            entry.fault(str(fault))
            return None
        if role is Role.CODE and not isinstance(operation, Remove):
            entry.fault(
                "an individual identification code (個人識別符号) is removed, and no pseudonym of it is kept"
            )
        if role is Role.QUASI and isinstance(operation, Remove):
            entry.fault("a quasi-identifier that is removed needs no hierarchy; give it the role linkage")
        return operation

    # What the proposal asks for

    def _items(self, attributes: dict[str, Attribute]) -> tuple[str, ...]:
        if "items" not in self.given:
            return ()
        entries = self.given["items"].items()
        names = tuple(texts(entries))
        for entry, name in zip(entries, names, strict=False):
            self._known(entry, name, attributes)
            if names.count(name) > 1 and names.index(name) != entry.path[-1]:
                entry.fault("stands twice")
            if name in attributes and attributes[name].removed:
                entry.fault(f"{shown(name)} is to be published and to be removed; give it another operation")
        return names

    def _known(self, entry: PlanEntry, name: str, attributes: Mapping[str, Attribute]) -> bool:
        if name not in attributes:
            entry.fault(f"there is no attribute {shown(name)} in this plan", key=entry.content != name)
        return name in attributes

    def _named(self, key: str, attributes: Mapping[str, Attribute]) -> str | None:
        entry = self.given.get(key)
        if entry is None or entry.is_null:
            return None
        name = entry.text()
        self._known(entry, name, attributes)
        return name

    def _with_grain(self, attributes: dict[str, Attribute]) -> dict[str, Attribute]:
        grain = self.given["grain"].entries() if "grain" in self.given else {}
        levels = {}
        for name, entry in grain.items():
            if self._known(entry, name, attributes) and attributes[name].role is not Role.QUASI:
                entry.fault("a grain is a level of a quasi-identifier's hierarchy", key=True)
            levels[name] = entry.whole(least=0)
        return {name: replace(attribute, level=levels.get(name, 0)) for name, attribute in attributes.items()}

    def _where(self, attributes: Mapping[str, Attribute]) -> tuple[RowCondition, ...]:
        conditions = []
        for name, entry in (self.given["where"].entries() if "where" in self.given else {}).items():
            self._known(entry, name, attributes)
            conditions.append(self._condition(name, entry))
        return tuple(conditions)

    def _condition(self, name: str, entry: PlanEntry) -> RowCondition:
        if entry.is_text:
            return RowCondition(attribute=name, values=(str(entry.content),))
        if not entry.is_mapping:
            return RowCondition(attribute=name, values=tuple(texts(entry.items())))
        members = entry.members("from", "to")
        if not entry.content:
            entry.fault("needs from, to or both")
        low, high = (members[key].text() if key in members else None for key in ("from", "to"))
        return RowCondition(attribute=name, low=low, high=high)

    def _sampling(self) -> Sampling | None:
        entry = self.given.get("sampling")
        if entry is None or entry.is_null:
            return None
        if not entry.is_mapping:
            return Sampling(share=self._positive(entry, most=1))
        members = entry.members("share", "rows")
        if len(members) != 1:
            entry.fault("needs either share or rows")
        if "share" in members:
            return Sampling(share=self._positive(members["share"], most=1))
        return Sampling(rows=members["rows"].whole(least=1)) if "rows" in members else None

    def _positive(self, entry: PlanEntry, *, most: float = float("inf")) -> float:
        before = len(self.tree.faults)
        number = entry.number(most=most)
        if not number and len(self.tree.faults) == before:
            entry.fault("must be above 0")
        return number

    # How the record set is made

    def _models(self) -> tuple[list[ModelEntry], list[str]]:
        entry = self.given.get("models")
        if entry is None or entry.content == []:
            (entry or self.entry).fault("a plan names at least one privacy model, such as {k_anonymity: 5}")
            return [], []
        return plan_models.read(entry.items())

    def _loss(self) -> LossSettings:
        if "loss" not in self.given:
            return LossSettings()
        members = self.given["loss"].members("measure", "gs_factor", "aggregate")
        return LossSettings(
            measure=members["measure"].choice(*LOSSES) if "measure" in members else "loss",
            gs_factor=members["gs_factor"].number(most=1) if "gs_factor" in members else 0.5,
            aggregate=members["aggregate"].choice(*AGGREGATES)
            if "aggregate" in members
            else "arithmetic_mean",
        )

    def _recoding(self) -> str:
        """`full_domain`, or how many schemes local recoding may use; `local` alone is a scheme per cell."""
        entry = self.given.get("recoding")
        if entry is None:
            return "full_domain"
        if entry.is_mapping:
            members = entry.members("local")
            return members["local"].choice(*LOCAL) if members else "cells"
        return "cells" if entry.choice("full_domain", "local") == "local" else "full_domain"

    def _seed(self) -> str | None:
        entry = self.given.get("seed")
        return None if entry is None or entry.is_null else entry.text()

    def _seconds_max(self) -> float | None:
        if "limits" not in self.given:
            return None
        members = self.given["limits"].members("seconds")
        return self._positive(members["seconds"]) if "seconds" in members else None

    def _output(self) -> Output:
        if "output" not in self.given:
            return Output()
        members = self.given["output"].members("shuffle", "scheme_column", "language")
        return Output(
            shuffle=members["shuffle"].flag() if "shuffle" in members else False,
            scheme_column=members["scheme_column"].flag() if "scheme_column" in members else False,
            language=members["language"].choice(*LANGUAGES) if "language" in members else None,
        )

    # What belongs together

    def _check(self, plan: ProcessingPlan) -> None:
        if plan.attributes and not plan.of(Role.QUASI):
            self.given["attributes"].fault("no attribute has the role quasi; there is nothing to generalise")
        unit = plan.attributes.get(plan.unit or "")
        if unit is not None and unit.role in (Role.QUASI, Role.SENSITIVE):
            self.given["unit"].fault("the column that names the person is an identifier or a linkage code")
        for entry in plan.model_entries:
            self._check_model(plan, entry)
        for name in plan.items and [entry.attribute for entry in plan.model_entries if entry.attribute]:
            if name not in plan.items:
                self.given["items"].fault(f"leaves out {shown(str(name))}, which a model guards")
        if (
            plan.classify is not None
            and plan.classify in plan.attributes
            and not plan.publishes(plan.classify)
        ):
            self.given["classify"].fault("this attribute is not published")

    def _check_model(self, plan: ProcessingPlan, entry: ModelEntry) -> None:
        path, model = entry.path, entry.model
        if entry.attribute is not None:
            self._check_guarded(plan, entry.attribute, path)
        if isinstance(model, DeltaPresence | KMap) and plan.population is None:
            self.tree.fault(path, "needs the population: a file with the same quasi-identifiers", key=True)
        if isinstance(model, DeltaPresence | KMap) and plan.recoding != "full_domain":
            self.tree.fault(path, "is searched for with recoding: full_domain only", key=True)
        if isinstance(model, TCloseness) and model.distance is Distance.HIERARCHICAL:
            guarded = plan.attributes.get(model.attribute)
            if guarded is not None and guarded.hierarchy is None:
                self.tree.fault(
                    path, f"hierarchical distance needs a hierarchy of {shown(guarded.name)}", key=True
                )

    def _check_guarded(self, plan: ProcessingPlan, name: str, path: Path_) -> None:
        at = (*path, "attribute")
        if name not in plan.attributes:
            self.tree.fault(at, f"there is no attribute {shown(name)} in this plan")
            return
        role = plan.attributes[name].role
        if role is Role.QUASI:
            self.tree.fault(
                at, f"{shown(name)} is a quasi-identifier; an attribute cannot be sensitive and quasi at once"
            )
        elif role is not Role.SENSITIVE:
            self.tree.fault(at, f"{shown(name)} has the role {role}; this model guards a sensitive attribute")


def _canonical(given: Mapping[str, PlanEntry], attributes: Mapping[str, Attribute]) -> str:
    """The plan as JSON with sorted keys, its hierarchy files by their digests; the seed isn't part of it."""
    content = {key: entry.plain() for key, entry in given.items() if key not in ("seed", "title")}
    files = {
        name: hashlib.sha256(attribute.hierarchy.text.encode()).hexdigest()
        for name, attribute in attributes.items()
        if isinstance(attribute.hierarchy, HierarchyFile)
    }
    return json.dumps([content, files], ensure_ascii=False, sort_keys=True)
