"""What tells whether two registers hold the same people: a digest of all rows in any order, and sketches of them.

Computed from a vault under a secret of the installation, and kept beside it, for the owner's eyes only. Nothing of it
is ever told to whoever asks questions.

A row's hash is a keyed digest (MD5 behind a secret prefix, 128 bits) of its cells in the order of their columns'
names; the names are part of the key. The identity is a keyed digest of the number of rows and the sum of all hashes, so
that the order of rows and of columns plays no part, and how often a row stands does (an additive multiset hash: Clarke,
Devadas, van Dijk, Gassend and Suh, ASIACRYPT 2003). Without the key the hashes are random numbers: the two halves of
the sums of two different multisets agree with probability at most 2^-128, since whatever all hashes but one are, at
most one value of that one makes both sums equal. Both sums are exact, so an even number of equal rows is no exception.

A sketch holds the SKETCH_SIZE least hashes (bottom-k: Cohen and Kaplan, PODC 2007): of the hashes of two registers
together, the least ones are a random sample, of which those that stand in both tell the share (Jaccard's index) with a
standard error of at most 1/(2·√k), 0.016. Registers of fewer than SKETCH_SIZE are compared exactly.

Contents are the rows without the column that names the people, so that people whose ids are written in another way, or
left out, are found by what stands about them. They tell where rows identify people, that is where at least half of them
differ: of two registers of other people whose values are drawn alike, the shares are at most 0.4 then
(for each value of which λ rows are expected, two Poisson numbers; E min / E max is largest for one λ for all, of which
(1 - e^-λ)/λ = 1/2 are different). Where few values stand in many rows, two towns look alike and nothing is told.
"""

import glob
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from duckdb.func import PythonUDFType

from datasets.database.files import create_private, sync
from datasets.registration.ingest.engine import ImportEngine, named, problem_of, quoted

SKETCH_SIZE = 1_024
IDENTITY_FILE = "identity.json"
IDENTIFYING = "comparing"
FORMAT = 2
DIFFERENT_SHARE_MIN, DIFFERENT_MIN = 0.5, 50
"""Rows identify people where this share of them differ, and so many: of fewer, shares by chance vary too much."""

# More than are kept, so that one look is mostly enough although hashes do not fall evenly.
_SOUGHT = 4 * SKETCH_SIZE
_ROWS_OF_PERSON_MAX = 64
_LAST = 2**64 - 1
# Zeros before a number, with what stands before and after them.
_PADDED = "(^|[^0-9])0+([0-9])"
# All that looks like a hyphen in some font, the long vowel mark too; NFKC has made its half-width form full by then.
_DASHES = r"[\p{Pd}\x{2212}\x{30FC}\x{2043}\x{02D7}\x{2500}\x{2501}]"
_CANONICAL, _HASHES = "canonical_unit", "hashes"


@dataclass(frozen=True, slots=True)
class Sketch:
    """The least hashes of a set, ascending, each with how often its row stands; `whole` if there are no others."""

    least: tuple[tuple[int, int], ...]
    whole: bool

    @property
    def bound(self) -> int:
        """Up to here all hashes of the set are known."""
        return _LAST if self.whole else self.least[-1][0]

    @property
    def different(self) -> float:
        """How many hashes the set has; estimated with a standard error of 1/√k where not all are known."""
        # The k-th least of n evenly spread numbers lies at k/n.
        known = len(self.least)
        return known if self.whole else (known - 1) * _LAST / self.bound


def jaccard(one: Sketch, other: Sketch) -> float:
    """Which share of all that stands in either of two sets stands in both; 0 where there is nothing."""
    mine, others = dict(one.least), dict(other.least)
    known = sorted(mine.keys() | others.keys())
    # The least of both together are known for certain, since whatever is among them is among the least of its own set.
    if not (one.whole and other.whole):
        known = known[:SKETCH_SIZE]
    both = sum(min(mine.get(hash, 0), others.get(hash, 0)) for hash in known)
    either = sum(max(mine.get(hash, 0), others.get(hash, 0)) for hash in known)
    return both / either if either else 0.0


def contained(one: Sketch, other: Sketch) -> float:
    """Which share of a set stands in another, as far as both are known; 0 where nothing is."""
    others, bound = dict(other.least), other.bound
    known = [(hash, times) for hash, times in one.least if hash <= bound]
    both = sum(min(times, others.get(hash, 0)) for hash, times in known)
    return both / sum(times for _, times in known) if known else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterIdentity:
    """What a register is told by: `digest` (hex) of all rows, and sketches of rows, people and contents.

    `people` is None where no column names them; `contents` are the rows without that column, None where there is none.
    `key` (hex) tells under which secret the rest was made.
    """

    key: str
    row_count: int
    digest: str
    rows: Sketch
    people: Sketch | None
    contents: Sketch | None

    def is_of_the_same_rows(self, other: "RegisterIdentity") -> bool:
        """Whether both hold the same rows, in whatever order. Registers without rows are not compared."""
        return bool(self.row_count) and self.digest == other.digest

    def shared_with(self, other: "RegisterIdentity") -> float:
        """The largest of the shares (Jaccard's index) of people, rows and contents that stand in both.

        Rows are compared, too, since without a column that names the people, or with another one, they are all that
        tells; and contents, since ids can be written in another way.
        """
        people = jaccard(self.people, other.people) if self.people and other.people else 0.0
        return max(people, jaccard(self.rows, other.rows), self._contents_shared_with(other))

    def _contents_shared_with(self, other: "RegisterIdentity") -> float:
        """The share of contents in both, 0 where they do not identify people."""
        if not (self._contents_identify and other._contents_identify):
            return 0.0
        return jaccard(self._nameless, other._nameless)

    @property
    def _nameless(self) -> Sketch:
        """The rows as they are without a column that names people."""
        return self.contents or self.rows

    @property
    def _contents_identify(self) -> bool:
        return self._nameless.different >= max(DIFFERENT_MIN, DIFFERENT_SHARE_MIN * self.row_count)

    def contained_in(self, other: "RegisterIdentity") -> float:
        """Which share of the people, or without a column that names them of the rows, stands in the other, too."""
        if self.people and other.people:
            return contained(self.people, other.people)
        return contained(self.rows, other.rows)


class Identifier:
    """Computes identities under one secret of 32 bytes, on an engine of its own or that of an import."""

    def __init__(self, key: bytes, engine: ImportEngine) -> None:
        self._key, self._engine = key, engine
        engine.connection.create_function(
            _CANONICAL, _canonical, ["VARCHAR"], "VARCHAR", type=PythonUDFType.ARROW
        )

    def identity(self, vault: Path, *, unit: str | None, rows_per_person: int) -> RegisterIdentity:
        """The identity of the rows in a vault; `unit` is the column that names people, None if there is none.

        Raises ImportProblem where the vault cannot be read.
        """
        self._engine.run(IDENTIFYING, f"CREATE TEMP TABLE {_HASHES} AS {self._hashes(vault, unit)}", end=0.9)
        try:
            sums = "count(*), coalesce(sum((digest >> 64)::UBIGINT), 0), coalesce(sum(row), 0)"
            ((count, high, low),) = self._ask(f"SELECT {sums} FROM {_HASHES}")
            people = contents = None
            if unit is not None:
                people = self._sketch("person", "1", count // min(rows_per_person, _ROWS_OF_PERSON_MAX))
                contents = self._sketch("content", "count(*)", count)
            return RegisterIdentity(
                key=key_id(self._key),
                row_count=count,
                digest=_digest(self._key, f"register {count} {high} {low}", size=32),
                rows=self._sketch("row", "count(*)", count),
                people=people,
                contents=contents,
            )
        finally:
            self._engine.connection.execute(f"DROP TABLE IF EXISTS {_HASHES}")

    def _hashes(self, vault: Path, unit: str | None) -> str:
        """SQL for `digest` (128 bits) and `row` (its lower half) of each row, and, where people are named, `person` and
        `content`.
        """
        names, nameless = _names_in(vault), ""
        columns = f"{_text(names)} AS row_text"
        hashed, wanted = (
            f"{self._digest_of(names, 'row_text')} AS digest",
            f"digest, {_half('digest')} AS row",
        )
        if unit is not None:
            # Hashed as the rows of a register that never had the column, so that it can be compared with one. Most of
            # the two texts is made once: making them costs more than hashing.
            place, others = names.index(unit), [name for name in names if name != unit]
            before, after = names[:place], names[place + 1 :]
            nameless = f"SELECT {named(unit)}, {_text(before)} AS before, {_text(after)} AS after FROM "
            columns = f"{_joined(bool(before), named(unit), bool(after))} AS row_text"
            columns += f", {_joined(bool(before), '', bool(after))} AS content_text"
            hashed += f", {self._digest_of(others, 'content_text')} AS content_digest"
            wanted += f", {_half('content_digest')} AS content"
            columns += f", {_canonical_sql(named(unit))} AS unit_text"
            person = f"md5_number({quoted(_digest(self._key, 'people'))} || unit_text)"
            # An empty unit names nobody.
            hashed += f", CASE WHEN unit_text <> '' THEN {person} END AS unit_digest"
            wanted += f", {_half('unit_digest')} AS person"
        file = f"read_parquet({quoted(glob.escape(str(vault)))})"
        rows = f"({nameless}{file})" if nameless else file
        return f"SELECT {wanted} FROM (SELECT {hashed} FROM (SELECT {columns} FROM {rows}))"

    def _digest_of(self, names: Sequence[str], text: str) -> str:
        """SQL for the keyed digest of the text of a row of these columns."""
        # Within the key, names cost nothing.
        return f"md5_number({quoted(_digest(self._key, 'rows ' + json.dumps(list(names))))} || {text})"

    def _ask(self, question: str) -> list[tuple[Any, ...]]:
        return self._engine.run(IDENTIFYING, question, begin=0.9)

    def _sketch(self, name: str, times: str, expected: int) -> Sketch:
        """The least hashes of a column, of which there are about `expected` different ones."""
        bound = min(_LAST, _LAST * _SOUGHT // max(1, expected))
        # Grouping all hashes would cost more than making them. Where too few lie below the bound, it is raised by what
        # they tell.
        while len(found := self._up_to(bound, name, times)) < SKETCH_SIZE and bound < _LAST:
            bound = min(_LAST, bound * max(4, _SOUGHT // (len(found) + 1)))
        return Sketch(tuple(found[:SKETCH_SIZE]), whole=bound == _LAST and len(found) <= SKETCH_SIZE)

    def _up_to(self, bound: int, name: str, times: str) -> list[tuple[int, int]]:
        question = f"SELECT {name}, {times} FROM {_HASHES} WHERE {name} <= {bound} GROUP BY {name}"
        return [(hash, often) for hash, often in self._ask(f"{question} ORDER BY {name} LIMIT {_SOUGHT}")]


def _names_in(vault: Path) -> list[str]:
    try:
        return sorted(pq.read_schema(vault).names)
    except (pa.ArrowException, OSError) as failure:
        raise problem_of(failure) from None


def _text(names: Sequence[str]) -> str:
    """SQL for the text of some cells of a row."""
    # Between the cells a NUL, which no CSV holds. A missing cell is an empty one, as it is for statistics.
    return f"concat({', chr(0), '.join(map(named, names))})" if names else "''"


def _joined(before: bool, unit: str, after: bool) -> str:
    """SQL for the text of a row, whose `before` and `after` are made already, with the cell of the unit or without."""
    parts = [*(["before"] if before else []), *([unit] if unit else []), *(["after"] if after else [])]
    return f"concat({', chr(0), '.join(parts)})" if parts else "''"


def _half(digest: str) -> str:
    return f"({digest} & {_LAST}::UHUGEINT)::UBIGINT"


def _canonical_sql(unit: str) -> str:
    """SQL for a unit as it is compared: without blanks at its ends, in small letters, whatever width they have, with
    numbers without leading zeros and one kind of hyphen.

    Statistics take the exact text: here two writings of one person must not look like two.
    """
    # Nearly every id is of visible ASCII, and needs no call of Python; most are one number, perhaps behind letters.
    padded = f"regexp_replace(lower({unit}), '{_PADDED}', '\\1\\2', 'g')"
    return (
        f"CASE WHEN regexp_full_match({unit}, '[!-/:-~]*[1-9][0-9]*') THEN lower({unit})"
        f" WHEN regexp_full_match({unit}, '[!-~]*') THEN {padded} ELSE {_CANONICAL}({unit}) END"
    )


def _canonical(units: Any) -> Any:
    """Units in Unicode's compatible form (NFKC: full-width digits are digits), small, without invisible characters,
    leading zeros of numbers and differences of dashes.
    """
    small = pc.utf8_lower(pc.utf8_normalize(units, "NFKC"))
    seen = pc.replace_substring_regex(small, r"\p{Cf}+", "")
    dashed = pc.replace_substring_regex(seen, _DASHES, "-")
    bare = pc.replace_substring_regex(dashed, r"^[\p{Z}\p{Cc}]+|[\p{Z}\p{Cc}]+$", "")
    return pc.replace_substring_regex(bare, _PADDED, r"\1\2")


def key_id(key: bytes) -> str:
    """What tells a key from another, and nothing about it."""
    return _digest(key, "which key")


def _digest(key: bytes, purpose: str, *, size: int = 16) -> str:
    """A keyed digest (hex). Each use has a purpose of its own, so that one tells nothing of another."""
    return hashlib.blake2b(purpose.encode(), key=key, digest_size=size).hexdigest()


# The file


def write_identity(identity: RegisterIdentity, folder: Path) -> None:
    """Keep an identity in a version's folder, mode 0600, whole or not at all."""
    content = {
        "format": FORMAT,
        "key": identity.key,
        "row_count": identity.row_count,
        "digest": identity.digest,
        "rows": _written(identity.rows),
        "people": None if identity.people is None else _written(identity.people),
        "contents": None if identity.contents is None else _written(identity.contents),
    }
    draft = folder / f".{IDENTITY_FILE}-{os.urandom(8).hex()}"
    with os.fdopen(create_private(draft), "w", encoding="utf-8") as file:
        json.dump(content, file)
    sync(draft)
    # Two processes may make it at once: each from the same rows, so whoever comes last changes nothing.
    draft.replace(folder / IDENTITY_FILE)
    sync(folder)


def read_identity(folder: Path, key: bytes) -> RegisterIdentity | None:
    """The identity that is kept in a folder; None if there is none, or none that was made under this key."""
    try:
        content = json.loads((folder / IDENTITY_FILE).read_text("utf-8"))
        identity = RegisterIdentity(
            key=content["key"],
            row_count=content["row_count"],
            digest=content["digest"],
            rows=_read(content["rows"]),
            people=None if content["people"] is None else _read(content["people"]),
            contents=None if content["contents"] is None else _read(content["contents"]),
        )
    # Cut off or written by another program: it can be made again from the vault.
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return identity if content.get("format") == FORMAT and identity.key == key_id(key) else None


def _written(sketch: Sketch) -> dict[str, Any]:
    return {"least": [list(pair) for pair in sketch.least], "whole": sketch.whole}


def _read(content: Mapping[str, Any]) -> Sketch:
    return Sketch(tuple((hash, times) for hash, times in content["least"]), whole=content["whole"])
