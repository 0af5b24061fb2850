"""Sketches estimate shares within their error; identities know no order, are keyed, and cannot be padded away."""

import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.registration.ingest.engine import ImportEngine, Watch
from datasets.registration.ingest.identity import (
    IDENTITY_FILE,
    SKETCH_SIZE,
    Identifier,
    RegisterIdentity,
    Sketch,
    contained,
    jaccard,
    read_identity,
    write_identity,
)
from datasets.registration.ingest.limits import Limits

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
ERRORS = 5
"""How many standard errors an estimate may be off: once in a million tries by chance."""


def sketched(elements: Iterable[object], *, salt: int = 0) -> Sketch:
    """The sketch of a bag of whatever prints differently."""
    counted = Counter(elements)
    hashes = sorted((hash_of(element, salt), times) for element, times in counted.items())
    return Sketch(tuple(hashes[:SKETCH_SIZE]), whole=len(hashes) <= SKETCH_SIZE)


def hash_of(element: object, salt: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{salt} {element}".encode(), digest_size=8).digest(), "big")


bags = st.lists(st.integers(0, 30), max_size=60)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(bags, bags)
def test_shares_of_few_are_exact_and_count_how_often_a_row_stands(one: list[int], other: list[int]) -> None:
    mine, others = Counter(one), Counter(other)
    both, either = (mine & others).total(), (mine | others).total()
    assert jaccard(sketched(one), sketched(other)) == (both / either if either else 0.0)
    assert contained(sketched(one), sketched(other)) == (both / len(one) if one else 0.0)


@pytest.mark.parametrize(
    ("mine", "others", "common"),
    [
        (4_000, 4_000, 2_400),
        (3_000, 9_000, 2_900),
        (500, 6_000, 400),
        (5_000, 5_000, 0),
        (5_000, 5_000, 5_000),
    ],
)
def test_shares_of_many_are_estimated_within_their_error(mine: int, others: int, common: int) -> None:
    one, other = range(mine), range(mine - common, mine - common + others)
    share, part = common / (mine + others - common), common / mine
    seen = SKETCH_SIZE * mine / max(mine, others)
    for salt in range(2):
        sketches = sketched(one, salt=salt), sketched(other, salt=salt)
        found = jaccard(*sketches)
        assert found == jaccard(*reversed(sketches))
        assert abs(found - share) <= ERRORS * math.sqrt(share * (1 - share) / SKETCH_SIZE)
        # Of the smaller set fewer are seen below the larger one's bound.
        assert abs(contained(*sketches) - part) <= ERRORS * math.sqrt(part * (1 - part) / min(mine, seen / 2))


# Identities


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportEngine]:
    scratch = tmp_path_factory.mktemp("scratch")
    watch = Watch(folder=scratch, bytes_max=1 << 30, progress=lambda stage, share: None)
    engine = ImportEngine(scratch=scratch, limits=Limits(), watch=watch)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def identifier(engine: ImportEngine) -> Identifier:
    return Identifier(KEY, engine)


_vaults = itertools.count()


def identity(
    by: Identifier, folder: Path, columns: dict[str, list[str | None]], unit: str | None = "id"
) -> RegisterIdentity:
    vault = folder / f"vault-{next(_vaults)}.parquet"
    pq.write_table(pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()}), vault)
    return by.identity(vault, unit=unit, rows_per_person=3)


ROWS: dict[str, list[str | None]] = {
    "id": ["1", "2", "2", "3", ""],
    "town": ["kita", "chuo", "chuo", "", "kita"],
}


def test_neither_the_order_of_rows_nor_of_columns_counts(identifier: Identifier, tmp_path: Path) -> None:
    first = identity(identifier, tmp_path, ROWS)
    turned = {name: cells[::-1] for name, cells in reversed(ROWS.items())}
    assert identity(identifier, tmp_path, turned) == first
    assert (first.row_count, len(first.rows.least)) == (5, 4)
    assert first.people is not None
    assert len(first.people.least) == 3


@pytest.mark.parametrize(
    "other",
    [
        {"id": ["1", "2", "3", "3", ""], "town": ["kita", "chuo", "chuo", "", "kita"]},
        {"id": ["1", "2", "2", "3"], "town": ["kita", "chuo", "chuo", ""]},
        {"id": ["1", "2", "2", "2", "2", "3", ""], "town": ["kita", *["chuo"] * 4, "", "kita"]},
        {"id": ["kita", "chuo", "chuo", "", "kita"], "town": ["1", "2", "2", "3", ""]},
        {"id": ["1", "2", "2", "3", ""], "city": ["kita", "chuo", "chuo", "", "kita"]},
        {"id": ["1k", "2", "2", "3", ""], "town": ["ita", "chuo", "chuo", "", "kita"]},
    ],
    ids=["another cell", "a row fewer", "rows twice", "cells exchanged", "another name", "cells moved"],
)
def test_other_rows_have_another_identity(
    identifier: Identifier, tmp_path: Path, other: dict[str, list[str | None]]
) -> None:
    assert identity(identifier, tmp_path, other).digest != identity(identifier, tmp_path, ROWS).digest


def test_a_missing_cell_is_an_empty_one(identifier: Identifier, tmp_path: Path) -> None:
    missing = {name: [cell or None for cell in cells] for name, cells in ROWS.items()}
    assert identity(identifier, tmp_path, missing) == identity(identifier, tmp_path, ROWS)


def test_another_key_gives_other_values_and_is_told_by_them(identifier: Identifier, tmp_path: Path) -> None:
    watch = Watch(folder=tmp_path, bytes_max=1 << 30, progress=lambda stage, share: None)
    apart = ImportEngine(scratch=tmp_path, limits=Limits(), watch=watch)
    one, other = (identity(by, tmp_path, ROWS) for by in (identifier, Identifier(OTHER_KEY, apart)))
    apart.close()
    assert one.people is not None
    assert other.people is not None
    for mine, others in ((one.rows, other.rows), (one.people, other.people)):
        assert not {hash for hash, _ in mine.least} & {hash for hash, _ in others.least}
    assert one.digest != other.digest
    assert one.shared_with(other) == 0.0
    write_identity(one, tmp_path)
    assert read_identity(tmp_path, KEY) == one
    assert read_identity(tmp_path, OTHER_KEY) is None
    assert (tmp_path / IDENTITY_FILE).stat().st_mode & 0o777 == 0o600
    (tmp_path / IDENTITY_FILE).write_bytes((tmp_path / IDENTITY_FILE).read_bytes()[:-9])
    assert read_identity(tmp_path, KEY) is None


@pytest.mark.parametrize(
    ("written", "same"),
    [
        (" a12 ", True),
        ("\ta12\r\n", True),
        ("\N{IDEOGRAPHIC SPACE}a12", True),
        ("A12", True),
        ("ａ１２", True),
        ("Ａ１２", True),
        ("a\N{ZERO WIDTH SPACE}12", True),
        ("\N{ZERO WIDTH NO-BREAK SPACE}a12", True),
        ("a012", True),
        ("a00012", True),
        ("a120", False),
        ("a0", False),
        ("a1 2", False),
        ("a13", False),
    ],
)
def test_a_unit_is_compared_without_blanks_capitals_and_widths(
    identifier: Identifier, tmp_path: Path, written: str, same: bool
) -> None:
    one, other = (identity(identifier, tmp_path, {"id": [text], "x": [""]}) for text in ("a12", written))
    assert (one.people == other.people) == same


def test_a_blank_unit_is_nobody(identifier: Identifier, tmp_path: Path) -> None:
    found = identity(identifier, tmp_path, {"id": ["", " ", "\N{IDEOGRAPHIC SPACE}", "1"], "x": ["a"] * 4})
    assert found.people is not None
    assert len(found.people.least) == 1


def test_without_a_unit_each_row_is_a_person_however_alike(identifier: Identifier, tmp_path: Path) -> None:
    mostly_women: list[str | None] = [*"fffffffffm"]
    mostly_men: list[str | None] = [*"fmmmmmmmmm"]
    one = identity(identifier, tmp_path, {"sex": mostly_women}, unit=None)
    other = identity(identifier, tmp_path, {"sex": mostly_men}, unit=None)
    assert one.people is None
    assert one.shared_with(other) == 2 / 18


def test_the_least_hashes_are_found_however_many_rows_are_alike(
    identifier: Identifier, tmp_path: Path
) -> None:
    ids: list[str | None] = [str(number % 3_000) for number in range(60_000)]
    few: list[str | None] = [str(number % 7) for number in range(60_000)]
    crowd = identity(identifier, tmp_path, {"id": ids, "x": few})
    again = identity(identifier, tmp_path, {"id": ids[:3_000]})
    assert crowd.people == again.people
    assert crowd.people is not None
    assert (len(crowd.people.least), crowd.people.whole) == (SKETCH_SIZE, False)
    alike = identity(identifier, tmp_path, {"x": few}, unit=None)
    assert (sum(times for _, times in alike.rows.least), alike.rows.whole) == (60_000, True)


# Contents: people whose ids are written in another way


@pytest.mark.parametrize("dash", "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\uff70\uff0d\ufe63\u2500")
def test_all_dashes_are_one(identifier: Identifier, tmp_path: Path, dash: str) -> None:
    one, other = (
        identity(identifier, tmp_path, {"id": [text], "x": [""]}) for text in ("id-00102", f"ID{dash}102")
    )
    assert one.people == other.people


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("000", "0", True),
        ("a01b002", "a1b2", True),
        ("01-02", "1-2", True),
        ("０１２", "12", True),
        ("100", "1", False),
        ("1002", "12", False),
        ("10-02", "1-2", False),
    ],
)
def test_zeros_before_a_number_count_for_nothing_and_others_do(
    identifier: Identifier, tmp_path: Path, one: str, other: str, same: bool
) -> None:
    first, second = (identity(identifier, tmp_path, {"id": [text], "x": [""]}) for text in (one, other))
    assert (first.people == second.people) == same


def register_of(
    people: Iterable[int], ages: int, *, ids: bool = True, name: str = "id"
) -> dict[str, list[str | None]]:
    """A register with one of `ages` values, and one of 30, a person, by a fixed rule."""
    chosen = list(people)
    columns: dict[str, list[str | None]] = {
        "age": [str(hash_of(person, 1) % ages) for person in chosen],
        "part": [str(hash_of(person, 2) % 30) for person in chosen],
    }
    return columns | ({name: [f"ID-{person:05}" for person in chosen]} if ids else {})


@pytest.mark.parametrize(
    ("ids", "name"),
    [(True, "number"), (True, "a number"), (False, "id")],
    ids=["last", "first", "none"],
)
def test_people_are_found_by_what_stands_about_them(
    identifier: Identifier, tmp_path: Path, ids: bool, name: str
) -> None:
    one = identity(identifier, tmp_path, register_of(range(3_000), 1_000))
    copied = register_of(range(3_000), 1_000, ids=ids, name=name)
    if ids:
        copied[name] = [f"new {number}" for number in range(3_000)]
    other = identity(identifier, tmp_path, copied, unit=name if ids else None)
    assert one.shared_with(other) == other.shared_with(one) == 1.0
    write_identity(one, tmp_path)
    assert read_identity(tmp_path, KEY) == one


@pytest.mark.parametrize("size", [60, 3_000])
@pytest.mark.parametrize("ages", [1, 3, 20, 50, 100, 3_000])
def test_other_people_are_not_taken_for_the_same_however_few_values_there_are(
    identifier: Identifier, tmp_path: Path, size: int, ages: int
) -> None:
    one, other = (
        identity(identifier, tmp_path, register_of(range(first, first + size), ages)) for first in (0, size)
    )
    assert one.shared_with(other) < 0.5


def test_where_many_rows_are_alike_or_there_are_few_contents_tell_nothing(
    identifier: Identifier, tmp_path: Path
) -> None:
    for size, ages in ((3_000, 20), (45, 1_000)):
        copied = register_of(range(size), ages)
        one = identity(identifier, tmp_path, copied)
        other = identity(identifier, tmp_path, {**copied, "id": [f"new {number}" for number in range(size)]})
        assert one.shared_with(other) == 0.0


def test_a_register_of_ids_alone_has_no_contents_to_compare(identifier: Identifier, tmp_path: Path) -> None:
    one, other = (
        identity(identifier, tmp_path, {"id": [f"{kind} {number}" for number in range(200)]})
        for kind in ("a", "b")
    )
    assert one.shared_with(other) == 0.0
