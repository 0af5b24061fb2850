"""Reads a processing plan (YAML) strictly into `plan.Plan`.

Refuses unknown keys, numbers written as texts, and whatever contradicts itself without looking at the data;
what only the data can show is refused by `checks`. Every fault has the line and column of the text it is about.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from datasets.descriptor.yamltext import Fault, shown
from datasets.records.plan import consistency, plan_models
from datasets.records.plan.attributes import AttributeReader
from datasets.records.plan.entries import PlanEntry, PlanError, entry_of, no_attribute, texts
from datasets.records.plan.files import file_of, style_of
from datasets.records.plan.plan import (
    Attribute,
    HierarchyFile,
    LossSettings,
    Output,
    ProcessingPlan,
    Reference,
    RowCondition,
    Sampling,
)
from datasets.records.plan.plan_models import ModelEntry
from privacy.deidentify.table import Role
from privacy.words import LANGUAGES, Words

LOSSES = ("loss", "height", "precision", "discernibility", "average_class_size", "entropy")
AGGREGATES = ("arithmetic_mean", "geometric_mean", "maximum", "sum")
LOCAL = ("few", "some", "cells", "ranges")
NOT_UTF_8 = Words(ja="加工計画は UTF-8 のテキストです", en="a plan is text in UTF-8")
UNREADABLE = Words(ja="加工計画を読み取れません", en="the plan cannot be read")


def read(file: Path) -> ProcessingPlan:
    """The plan of a file and of the hierarchies beside it; raises PlanError with every fault found."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise PlanError([Fault(1, 1, "", NOT_UTF_8)]) from None
    except OSError:
        # Not the reason of the system, which differs by platform and names absolute paths.
        raise PlanError([Fault(1, 1, "", UNREADABLE)]) from None
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
        self.style = style_of(self.given.get("source"))

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
        consistency.check(plan, self.given)
        return plan

    # Files

    def _reference(self, key: str) -> Reference | None:
        entry = self.given.get(key)
        if entry is None or entry.is_null:
            return None
        members = entry.entries() if entry.is_mapping else {"file": entry}
        if "file" not in members:
            entry.fault(Words(ja="file が必要です", en="needs a file"))
            return None
        path = file_of(members["file"], self.folder)
        return Reference(path=path, style=style_of(entry if entry.is_mapping else None, self.style))

    # Attributes

    def _attributes(self) -> dict[str, Attribute]:
        if "attributes" not in self.given:
            self.entry.fault(Words(ja="キー 'attributes' がありません", en="the key 'attributes' is missing"))
            return {}
        reader = AttributeReader(self.folder)
        return {
            name: reader.attribute(name, entry) for name, entry in self.given["attributes"].entries().items()
        }

    # What the proposal asks for

    def _items(self, attributes: dict[str, Attribute]) -> tuple[str, ...]:
        if "items" not in self.given:
            return ()
        entries = self.given["items"].items()
        names = tuple(texts(entries))
        # `texts` leaves out what is no single value; its fault is noted and the plan fails anyway.
        for entry, name in zip(entries, names, strict=False):
            self._known(entry, name, attributes)
            # The fault belongs to the second one; the first is fine by itself.
            if names.count(name) > 1 and names.index(name) != entry.path[-1]:
                entry.fault(Words(ja="重複しています", en="stands twice"))
            if name in attributes and attributes[name].removed:
                entry.fault(
                    Words(
                        ja=f"{shown(name)} は公表と削除の両方が指定されています。別の加工を指定してください",
                        en=f"{shown(name)} is to be published and to be removed; give it another operation",
                    )
                )
        return names

    def _known(self, entry: PlanEntry, name: str, attributes: Mapping[str, Attribute]) -> bool:
        if name not in attributes:
            entry.fault(no_attribute(name), key=entry.content != name)
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
                message = Words(
                    ja="grain は準識別子の階層の段階です",
                    en="a grain is a level of a quasi-identifier's hierarchy",
                )
                entry.fault(message, key=True)
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
            entry.fault(Words(ja="from と to の一方または両方が必要です", en="needs from, to or both"))
        low, high = (members[key].text() if key in members else None for key in ("from", "to"))
        return RowCondition(attribute=name, low=low, high=high)

    def _sampling(self) -> Sampling | None:
        entry = self.given.get("sampling")
        if entry is None or entry.is_null:
            return None
        if not entry.is_mapping:
            return Sampling(share=self._positive(entry, most=1))
        # A bare number is a share; rows are asked for by name.
        members = entry.members("share", "rows")
        if len(members) != 1:
            entry.fault(Words(ja="share と rows のいずれか一方が必要です", en="needs either share or rows"))
        if "share" in members:
            return Sampling(share=self._positive(members["share"], most=1))
        return Sampling(rows=members["rows"].whole(least=1)) if "rows" in members else None

    def _positive(self, entry: PlanEntry, *, most: float = float("inf")) -> float:
        before = len(self.tree.faults)
        number = entry.number(most=most)
        # Zero stands in for what could not be read, which has its fault already.
        if not number and len(self.tree.faults) == before:
            entry.fault(Words(ja="0 より大きくなければなりません", en="must be above 0"))
        return number

    # How the record set is made

    def _models(self) -> tuple[list[ModelEntry], list[str]]:
        entry = self.given.get("models")
        if entry is None or entry.content == []:
            message = Words(
                ja="加工計画には {k_anonymity: 5} のようなプライバシーモデルが 1 つ以上必要です",
                en="a plan names at least one privacy model, such as {k_anonymity: 5}",
            )
            (entry or self.entry).fault(message)
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


def _canonical(given: Mapping[str, PlanEntry], attributes: Mapping[str, Attribute]) -> str:
    """The plan as JSON with sorted keys, its hierarchy files by their digests; the seed isn't part of it."""
    content = {key: entry.plain() for key, entry in given.items() if key not in ("seed", "title")}
    files = {
        name: hashlib.sha256(attribute.hierarchy.text.encode()).hexdigest()
        for name, attribute in attributes.items()
        if isinstance(attribute.hierarchy, HierarchyFile)
    }
    return json.dumps([content, files], ensure_ascii=False, sort_keys=True)
