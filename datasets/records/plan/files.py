"""The files that a plan names beside itself, and how they are written. Reads no table."""

from pathlib import Path

from datasets.descriptor.yamltext import shown
from datasets.records.plan.entries import PlanEntry
from datasets.sources.style import Style
from privacy.words import Words

ENCODINGS = ("utf-8", "utf-8-sig", "cp932", "shift_jis")


def style_of(entry: PlanEntry | None, default: Style | None = None) -> Style:
    """How a text file is written, `default` where nothing else is named; only another table may name a file."""
    # Another table is written as the source is unless it says otherwise.
    base = default or Style()
    if entry is None:
        return base
    members = entry.members("delimiter", "encoding", *(["file"] if default else []))
    return Style(
        delimiter=delimiter_of(members.get("delimiter"), base.delimiter),
        encoding=members["encoding"].choice(*ENCODINGS) if "encoding" in members else base.encoding,
    )


def delimiter_of(entry: PlanEntry | None, default: str) -> str:
    """One character that is no quote and no line end."""
    if entry is None:
        return default
    text = entry.text()
    if text and (len(text) != 1 or text in '"\r\n' or not text.isascii()):
        entry.fault(
            Words(
                ja='"," や ";" のような 1 文字でなければなりません',
                en='must be one character such as "," or ";"',
            )
        )
    return text[:1] or default


def file_of(entry: PlanEntry, folder: Path) -> Path:
    """A file named relative to the plan's folder, which must be there."""
    path = folder / entry.text()
    # What is no text has its fault already, and then the path is the folder itself.
    if entry.is_text and not path.is_file():
        entry.fault(
            Words(
                ja=f"計画の隣にファイル {shown(entry.content)} がありません",
                en=f"there is no file {shown(entry.content)} beside the plan",
            )
        )
    return path
