"""Attributes of a plan: the role of each column, its hierarchy and what is done to it.

Refuses roles that exclude each other, hierarchies where none belongs, and individual identification codes that
would stay.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets.records.plan.entries import PlanEntry, texts
from datasets.records.plan.files import ENCODINGS, delimiter_of, file_of
from datasets.records.plan.plan import Attribute, HierarchyFile
from datasets.sources.style import Style
from privacy.deidentify.operations import plan as operations
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.operations.steps import Operation, Remove
from privacy.deidentify.table import Role
from privacy.words import Words

REMOVED = (Role.IDENTIFIER, Role.CODE, Role.LINKAGE)


class AttributeReader:
    """Reads attributes whose hierarchy files lie relative to `folder`; faults gather in the entries' tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def attribute(self, name: str, entry: PlanEntry) -> Attribute:
        """One attribute of the plan. What cannot be read is noted and read as something harmless."""
        members = entry.members("role", "hierarchy", "operation", "order", "weight")
        role = self._role(entry, members.get("role"))
        hierarchy = self._hierarchy(members.get("hierarchy"))
        # Without a role there is a fault already, and which hierarchy is needed depends on the role.
        if role is Role.QUASI and "hierarchy" not in members and "role" in members:
            message = Words(ja="準識別子には階層が必要です", en="a quasi-identifier needs a hierarchy")
            entry.fault(message, key=True)
        if role not in (Role.QUASI, Role.SENSITIVE) and "hierarchy" in members:
            message = Words(
                ja="階層を付けられるのは準識別子と機微な属性です",
                en="a hierarchy belongs to a quasi-identifier or a sensitive attribute",
            )
            members["hierarchy"].fault(message)
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
                roles = ", ".join(Role)
                message = Words(
                    ja=f"役割（role）がありません。役割：{roles}", en=f"has no role; roles: {roles}"
                )
                entry.fault(message, key=True)
            return Role.INSENSITIVE
        if isinstance(role.content, list):
            role.fault(
                Words(
                    ja=(
                        "属性の役割は 1 つです。他人が知り得る情報は秘匿できないため、"
                        "機微な属性を同時に準識別子とすることはできません"
                    ),
                    en=(
                        "an attribute has one role: a sensitive attribute cannot be a quasi-identifier too, "
                        "since what others know about a person cannot be kept from them"
                    ),
                )
            )
            return Role.INSENSITIVE
        # After a fault this is the first role; the plan is refused, so nothing is published by it.
        return Role(role.choice(*Role))

    def _hierarchy(self, entry: PlanEntry | None) -> HierarchyFile | Mapping[str, Any] | None:
        if entry is None:
            return None
        # What `hierarchies.plan` understands is checked there, against the values of the data.
        if entry.is_mapping and "file" not in entry.content:
            spec: Mapping[str, Any] = entry.plain()
            return spec
        members = entry.members("file", "delimiter", "encoding") if entry.is_mapping else {"file": entry}
        path = file_of(members["file"], self.folder)
        style = self._style_of_hierarchy(members)
        return HierarchyFile(
            path=path, delimiter=style.delimiter, text=self._text(members["file"], path, style)
        )

    def _style_of_hierarchy(self, members: Mapping[str, PlanEntry]) -> Style:
        encoding = members["encoding"].choice(*ENCODINGS) if "encoding" in members else "utf-8"
        return Style(delimiter=delimiter_of(members.get("delimiter"), ";"), encoding=encoding)

    def _text(self, entry: PlanEntry, path: Path, style: Style) -> str:
        if not path.is_file():
            return ""
        # A byte-order mark, which spreadsheets write, would become part of the first value.
        codec = "utf-8-sig" if style.codec == "utf-8" else style.codec
        try:
            return path.read_bytes().decode(codec)
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            entry.fault(
                Words(
                    ja=f"{path.name} の {line} 行目が {style.encoding} として読めません。encoding を指定してください",
                    en=f"line {line} of {path.name} is not {style.encoding}; name its encoding",
                )
            )
            return ""

    def _operation(self, name: str, role: Role, entry: PlanEntry | None) -> Operation | None:
        """What is done to the attribute; identifiers, codes and linkage codes go unless the plan names an operation."""
        if entry is None:
            return Remove() if role in REMOVED else None
        try:
            operation = operations.parse(entry.plain(), column=name)
        except BadOperation as fault:
            entry.fault(fault.message())
            return None
        # Items 1 and 2 of the processing standard: such a code is replaced by nothing that leads back to it.
        if role is Role.CODE and not isinstance(operation, Remove):
            entry.fault(
                Words(
                    ja="個人識別符号は削除し、その仮名も残しません",
                    en="an individual identification code (個人識別符号) is removed, and no pseudonym of it is kept",
                )
            )
        if role is Role.QUASI and isinstance(operation, Remove):
            entry.fault(
                Words(
                    ja="削除する準識別子に階層は不要です。役割を linkage にしてください",
                    en="a quasi-identifier that is removed needs no hierarchy; give it the role linkage",
                )
            )
        return operation
