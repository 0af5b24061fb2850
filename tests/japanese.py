"""Japanese texts of the code and of guides, and the English that must not stand in them."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("api", "datasets", "privacy")
JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠]")
LATIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*")
PLACE = re.compile(r"\{[^{}]*\}")
NAME_OF_FILE = re.compile(
    r"[\w./-]*/[\w./-]+|[\w-]+\.(?:csv|db|json|jsonl|key|log|md|sock|yaml)\b|\d{4}-\d\d-\d\dT[\d:+]+"
)
"""Addresses, names of files, and points in time."""

PROPER_NAMES = frozenset(
    (
        # formats, standards and products
        *(
            "API",
            "CSV",
            "JSON",
            "YAML",
            "HTTP",
            "URL",
            "IP",
            "ZIP",
            "NFC",
            "UTC",
            "UTF-8",
            "UTF-16",
            "Unicode",
        ),
        *(
            "Excel",
            "Parquet",
            "PostgreSQL",
            "SQLite",
            "Sudare",
            "gzip",
            "zstd",
            "bzip2",
            "xz",
            "MD5",
            "SHA",
            "SHA-256",
        ),
        *("NaN", "MiB", "NUL", "CR", "LF", "CRLF", "Ctrl-C", "scikit-learn", "JavaScript", "SQL"),
        # the sheet of notes in a workbook is called in both languages
        "Notes",
        # the words of statistics and anonymisation that Japanese writes so, too
        *("ID", "k", "l", "t", "c", "n", "k-map", "map"),
    )
)
"""What Japanese texts write in Latin letters besides what people type."""

NEVER_TYPED = frozenset(
    (
        "or",
        "and",
        "the",
        "a",
        "an",
        "must",
        "be",
        "more",
        "than",
        "is",
        "are",
        "has",
        "this",
        "that",
        "which",
        "on",
    )
)
"""Words of English that the guides' code holds here and there, and that nobody types by themselves."""
BILINGUAL = ("datasets/operations/reapplication.py",)
"""Reasons that are written into the journal, where they stand in both languages for ever."""


@dataclass(frozen=True)
class Text:
    """A Japanese text and where it stands."""

    place: str
    text: str


def english_in(text: str) -> list[str]:
    """The Latin words of a Japanese text that are neither proper names nor stand as code in a guide."""
    words = LATIN.findall(NAME_OF_FILE.sub(" ", PLACE.sub(" ", text)))
    return [word for word in words if word not in PROPER_NAMES and word not in typed()]


@cache
def typed() -> frozenset[str]:
    """What people type, as the guides show it: the words of code in lines, and the keys and options of blocks."""
    found: set[str] = set()
    for guide in [*ROOT.glob("docs/*.md"), *ROOT.glob("*.md")]:
        parts = guide.read_text(encoding="utf-8").split("```")
        for span in re.findall(r"`([^`]+)`", "".join(parts[::2])):
            found.update(LATIN.findall(span))
        for block in parts[1::2]:
            found.update(_keys(block))
    return frozenset(found) - NEVER_TYPED


def _keys(block: str) -> Iterator[str]:
    """Keys of JSON and YAML, and options of commands; not the words of their comments."""
    without = re.sub(r"(?m)(?:^|\s)#.*$", "", block)
    yield from re.findall(r'"(\w+)"\s*:', without)
    yield from re.findall(r"(?m)(?:^|[{,-])\s*(\w+):(?:\s|$)", without)
    yield from re.findall(r"--([a-z-]+)", without)


def texts() -> Iterator[Text]:
    """Every Japanese text of the code: literals (docstrings aside), templates, the descriptor's schema."""
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            if "sample" not in file.parts and str(file.relative_to(ROOT)) not in BILINGUAL:
                yield from _literals(file)
        for file in sorted((ROOT / room).rglob("templates/*.html")):
            yield from _templates(file)
    schema = ROOT / "docs" / "descriptor.schema.json"
    for text in _described(json.loads(schema.read_text(encoding="utf-8"))):
        yield Text(schema.name, text)


def _literals(file: Path) -> Iterator[Text]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    # Detectors are patterns, but for the names of what they find.
    is_prose = "detectors" not in file.parts
    for parent in ast.walk(tree):
        for node, is_words in _texts_of(parent):
            text = _text(node)
            if text is not None and (is_words or (is_prose and JAPANESE.search(text))):
                yield Text(f"{file.relative_to(ROOT)}:{node.lineno}", text)


def _texts_of(node: ast.AST) -> Iterator[tuple[Any, bool]]:
    """The texts that stand right below a node, and whether each is the Japanese side of `Words`."""
    # Docstrings are for programmers, and patterns for machines; English sides may quote a Japanese term.
    if isinstance(node, ast.Expr | ast.JoinedStr | ast.keyword) or _is_pattern(node):
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.keyword):
            if child.arg != "en":
                yield child.value, child.arg == "ja"
        else:
            yield child, False


def _is_pattern(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile"


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        # Places that are filled in are judged where they are filled: over HTTP, and at the terminal.
        return "".join(_part(part) for part in node.values)
    return None


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    # Settings write the beginning of their names so.
    return "SUDARE_" if isinstance(part, ast.FormattedValue) and ast.unparse(part.value) == "PREFIX" else "{}"


def _templates(file: Path) -> Iterator[Text]:
    html = file.read_text(encoding="utf-8")
    for text in re.findall(r'{% if language == "ja" %}(.*?){% else %}', html, re.DOTALL):
        yield Text(str(file.relative_to(ROOT)), re.sub(r"<[^>]*>", " ", text))


def _described(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        for name, inner in part.items():
            if name.endswith("-ja") and isinstance(inner, str):
                yield inner
            yield from _described(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _described(inner)
