"""From a source to exact integers: the bound on rows per person, seen through the engine."""

import random
from pathlib import Path

import pytest
from doubles import RUN, at, embedded, query
from town import VISITS, derived

from datasets.descriptor.descriptor import parse
from datasets.engines.duckdb import DuckdbEngine
from datasets.registration.ingest import SourceFile, ingest
from privacy.plan import plan
from privacy.query import Key, Statistic

FAMILIES = parse(
    derived(
        VISITS,
        id="families",
        privacy={"max_rows_per_person": 2},
        columns={
            "kind": {"type": "category", "values": ["a", "b", "c"]},
            "n": {"type": "integer", "min": 0, "max": 99},
        },
    )
)
ROWS = [
    f"p{person},{'abc'[(person + row) % 3]},{(37 * person + 11 * row) % 130}"
    for person in range(40)
    for row in range(1 + person % 6)
]
BY_ALL = (Key(column="kind", missing=True), Key(column="n", missing=True))


@pytest.fixture
def engine(tmp_path: Path) -> DuckdbEngine:
    return embedded(tmp_path / "engine")


def counted(engine: DuckdbEngine, folder: Path, rows: list[str]) -> list[list[int]]:
    """Register rows and count rows and persons by everything there is."""
    folder.mkdir()
    source = folder / "source.csv"
    source.write_text("\n".join(["person,kind,n", *rows]) + "\n")
    (folder / "staging").mkdir()
    ingest(FAMILIES, SourceFile.at(source), folder / "staging", b"a salt of 16 byte", lambda *_: None)
    select = Statistic(name="c", agg="count"), Statistic(name="p", agg="count_persons")
    planned = plan(query(*select, group_by=BY_ALL), FAMILIES.schema)
    return [cells.tolist() for cells in engine.exact(planned, at(folder / "staging"), RUN).values()]


def test_which_rows_of_a_person_count_does_not_depend_on_where_they_stand(engine, tmp_path) -> None:
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    assert counted(engine, tmp_path / "a", ROWS) == counted(engine, tmp_path / "b", shuffled)


@pytest.mark.parametrize("leaver", [0, 5, 17, 39])
def test_one_person_less_moves_counts_by_at_most_the_bound(engine, tmp_path, leaver: int) -> None:
    rest = [row for row in ROWS if not row.startswith(f"p{leaver},")]
    everybody, others = counted(engine, tmp_path / "a", ROWS), counted(engine, tmp_path / "b", rest)
    kept = min(2, 1 + leaver % 6)
    rows = [a - b for a, b in zip(everybody[0], others[0], strict=True)]
    assert (sum(rows), min(rows)) == (kept, 0)
    assert sum(abs(a - b) for a, b in zip(everybody[1], others[1], strict=True)) <= 2


def test_nobody_keeps_more_rows_than_the_bound(engine, tmp_path) -> None:
    rows, _ = counted(engine, tmp_path / "a", ROWS)
    assert sum(rows) == sum(min(2, 1 + person % 6) for person in range(40))
