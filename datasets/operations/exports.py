"""Copies of the journal as `sudare ledger export` writes them: read strictly, line after line. Changes nothing."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from datasets.database import chain
from datasets.database.chain import ChainWalk
from datasets.database.installation import PREFIX
from datasets.operations.errors import (
    BAD_LINE,
    DIFFERS,
    OLDER,
    OTHER_INSTALLATION,
    UNKNOWN_KIND,
    ExportRefused,
)
from datasets.operations.manifest import ChainEnd, Manifest
from privacy.words import Words

LINE_BYTES_MAX = 1 << 24
LINES_AT_ONCE = 1_000
BROKEN: Mapping[str, Words] = {
    "truncated": Words(ja="途中で終わっています", en="it ends in the middle"),
    "unreadable": Words(ja="予算台帳の書式ではありません", en="it is not what the journal writes"),
    "gap": Words(ja="前の行が欠けているか、順序が違います", en="lines before it are missing or out of order"),
    "chain": Words(
        ja="ハッシュが前の行から導かれるものと一致しません",
        en="its hash does not follow from the line before",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportLine:
    """A line of a copy. `text` is the JSON that was hashed, `body` what it says; `at` is its place in the file."""

    lineage: str
    number: int
    head: str
    text: str
    body: Mapping[str, Any]
    at: int

    @property
    def kind(self) -> str:
        kind: str = self.body["kind"]
        return kind

    @property
    def row(self) -> dict[str, Any]:
        """The columns of the journal."""
        told = {name: self.body.get(name) for name in ("at", "kind", "user")}
        return {
            "lineage": self.lineage,
            "number": self.number,
            "body": self.text,
            "head": self.head,
            **told,
        }


def read_export(file: Path) -> Iterator[ExportLine]:
    """Every line of a copy, each one verified against the line before it in its chain; raises ExportRefused."""
    walks: dict[str, ChainWalk] = {}
    with file.open("rb") as opened:
        at = 0
        while written := opened.readline(LINE_BYTES_MAX):
            at += 1
            line = _line(file, at, written)
            for problem in walks.setdefault(line.lineage, ChainWalk()).step(
                line.number, line.head, line.text
            ):
                raise _broken(file, at, problem)
            yield line


def _broken(file: Path, at: int, problem: str) -> ExportRefused:
    words = BROKEN[problem]
    return ExportRefused(
        Words(
            ja=BAD_LINE.ja.format(file=file, line=at, why=words.ja),
            en=BAD_LINE.en.format(file=file, line=at, why=words.en),
        )
    )


def _line(file: Path, at: int, written: bytes) -> ExportLine:
    if not written.endswith(b"\n"):
        raise _broken(file, at, "truncated")
    try:
        text = written[:-1].decode()
        told = json.loads(text)
        # Written in any other way it is not what we wrote, and a member that stands there twice is found, too.
        if chain.canonical(told) != text or sorted(told) != ["body", "head", "lineage", "number"]:
            raise ValueError("another spelling")
        body = json.loads(told["body"])
        line = ExportLine(
            lineage=told["lineage"],
            number=told["number"],
            head=told["head"],
            text=told["body"],
            body=body,
            at=at,
        )
        if not _is_sound(line):
            raise ValueError("another type")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _broken(file, at, "unreadable") from None
    return line


def _is_sound(line: ExportLine) -> bool:
    texts = (line.lineage, line.head, line.body["kind"], line.body["at"], line.body.get("user", ""))
    return (
        all(isinstance(text, str) for text in texts)
        and type(line.number) is int
        and line.body["lineage"] == line.lineage
    )


def in_parts(lines: Iterable[ExportLine]) -> Iterator[list[ExportLine]]:
    """Lines, as many at once as a statement takes."""
    ahead = iter(lines)
    while part := list(islice(ahead, LINES_AT_ONCE)):
        yield part


@dataclass(slots=True)
class ExportTail:
    """What a copy of the journal has beyond a backup: `lines` by chain, in their order.

    `heads` are those of all its lines, and `last_at` is the time of the latest.
    """

    file: Path
    lines: dict[str, list[ExportLine]] = field(default_factory=dict)
    heads: set[str] = field(default_factory=set)
    last_at: str = ""


def tail_after(manifest: Manifest, file: Path, *, known_kinds: frozenset[str]) -> ExportTail:
    """The lines after a backup, of a copy that has all lines of the backup; raises ExportRefused."""
    tail, ends = ExportTail(file), dict[str, int]()
    for line in read_export(file):
        if line.lineage.startswith(PREFIX) and line.lineage != manifest.installation:
            told = {"file": file, "theirs": line.lineage, "ours": manifest.installation}
            raise ExportRefused(OTHER_INSTALLATION.filled(**told))
        ends[line.lineage] = line.number
        tail.heads.add(line.head)
        tail.last_at = max(tail.last_at, line.body["at"])
        end = manifest.chains.get(line.lineage, ChainEnd(number=0, head=chain.START))
        if line.number == end.number and line.head != end.head:
            raise ExportRefused(DIFFERS.filled(file=file, chain=line.lineage, number=line.number))
        if line.number > end.number:
            if line.kind not in known_kinds:
                raise ExportRefused(UNKNOWN_KIND.filled(file=file, line=line.at, kind=line.kind))
            tail.lines.setdefault(line.lineage, []).append(line)
    for name, end in manifest.chains.items():
        if ends.get(name, 0) < end.number:
            told = {"file": file, "chain": name, "number": end.number, "last": ends.get(name, 0)}
            raise ExportRefused(OLDER.filled(**told))
    return tail
