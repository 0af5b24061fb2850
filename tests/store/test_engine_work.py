"""The engine does the same work whatever the rows hold: one person more is not seen in how an answer is computed.

Two registers differ in one person, the only one in a district, the only one with a flag.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from doubles import RUN, at, embedded, exact_by_hand, query, register, write_statistics
from timing import auc, durations

from datasets.descriptor.descriptor import parse
from datasets.engines.base import Place
from datasets.engines.duckdb import DuckdbEngine
from datasets.engines.format import STATISTICS_FILE, STORAGE
from datasets.engines.sql import passes, statement
from datasets.registration.ingest import SourceFile, ingest
from privacy.plan import plan
from privacy.query import All, Any, Compare, Key, Not, Query, Statistic
from privacy.schema import Category, Date, Number

ROW_GROUP_ROWS = 122_880
SCHEMA = register(
    Category(name="district", values=tuple(f"d{number}" for number in range(47))),
    Category(name="flag", values=("no", "yes")),
    Number(name="age", low=0, high=119),
    Number(name="income", low=-1_000, high=10_000_000),
    Date(name="born", low=0, high=30_000),
    rows=3,
)
TYPES = {
    **dict.fromkeys(("c0", "c1", "c2", "rank"), "TINYINT"),
    **dict.fromkeys(("c3", "person"), "INTEGER"),
    "c4": "SMALLINT",
}
NAMES = ("c0", "c1", "c2", "c3", "c4", "rank", "person")
PERSON_MORE = (46, 1, 20, 9_000_000, 29_999, 1)


def equal(column: str, value: str | int) -> Compare:
    return Compare(column=column, op="=", values=(value,))


OF_DISTRICT, OF_FLAG = equal("district", "d46"), equal("flag", "yes")
LISTED = Compare(column="age", op="in", values=tuple(range(0, 120, 2)))
CONDITIONS = {
    "all": None,
    "district": OF_DISTRICT,
    "flag": OF_FLAG,
    "many terms": Any(
        tuple(
            All((Any((OF_DISTRICT, equal("income", 9_999_000 + age))), equal("age", age)))
            for age in range(60)
        )
    ),
    "several": All((OF_DISTRICT, Any((LISTED, Not(OF_FLAG))))),
}


def of(agg: str, **members: object) -> Statistic:
    return Statistic(**{"name": agg, "agg": agg, **members})  # type: ignore[arg-type]


INCOME = {"column": "income", "clamp": (0, 8_000_000)}
BY_AGE = (Key(column="age", bins=tuple(range(0, 121, 20))),)
BY_INCOME = (Key(column="income", bins=(-1_000, 7, 1_111, 10_000_000)),)
SHAPES: dict[str, Query] = {
    "count": query(of("count")),
    "sum": query(of("sum", **INCOME)),
    "mean": query(of("mean", **INCOME)),
    "variance": query(of("variance", **INCOME)),
    "ratio": query(of("ratio", numerator=LISTED)),
    "median": query(of("median", column="age")),
    "median of many": query(of("median", **INCOME)),
    "persons": query(of("count_persons")),
    "per person": query(of("sum", **INCOME, per_person_clamp=(0, 9_000_000))),
    "by district": query(of("count"), group_by=(Key(column="district", missing=True),)),
    "by age and year": query(of("count"), of("mean", **INCOME), group_by=(*BY_AGE, Key(column="born", by="year"))),
    "persons by age": query(of("count_persons"), group_by=BY_AGE),
    "persons by income": query(of("count_persons"), group_by=BY_INCOME),
    "narrow bound": query(of("count"), of("share_kept"), rows_per_person=1),
}  # fmt: skip


def asked(shape: str, condition: str) -> Query:
    return replace(SHAPES[shape], where=CONDITIONS[condition])


def written(folder: Path, rows: int, *, more: bool, person: int = 1) -> Place:
    """A statistics file of `rows` rows in 46 districts, nobody with the flag; and perhaps one person more."""
    folder.mkdir(parents=True)
    columns = ", ".join(f"{name} {TYPES[name]} NOT NULL {STORAGE}" for name in NAMES)
    made = (
        "SELECT hash(i, 1) % 46 AS c0, 0 AS c1, hash(i, 2) % 120 AS c2, hash(i, 3)::BIGINT % 7000000 - 1 AS c3,"
        f" hash(i, 4) % 20000 AS c4, i // {rows // 2 + 1} + 1 AS rank, 2 * (i % {rows // 2 + 1}) AS person"
        f" FROM range({rows}) AS numbers(i)"
    ).replace("hash(i, 3)::BIGINT", "(hash(i, 3) >> 1)::BIGINT")
    one = f" UNION ALL SELECT {', '.join(map(str, PERSON_MORE))}, {person}" if more else ""
    with duckdb.connect(str(folder / STATISTICS_FILE)) as connection:
        connection.execute(f"CREATE TABLE rows ({columns})")
        connection.execute(f"INSERT INTO rows SELECT * FROM ({made}{one}) ORDER BY rank, person")
    return at(folder)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckdbEngine]:
    engine = embedded(tmp_path_factory.mktemp("engine"))
    yield engine
    engine.connections.clear()


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> list[Place]:
    """Two row groups and a bit, without and with the person; and an empty table."""
    folder = tmp_path_factory.mktemp("neighbours")
    rows = 2 * ROW_GROUP_ROWS + 1_000
    return [
        written(folder / "without", rows, more=False),
        written(folder / "with", rows, more=True),
        written(folder / "empty", 0, more=False),
    ]


def explained(engine: DuckdbEngine, place: Place, asked: Query, how: str) -> list[str]:
    """How DuckDB computes each statement of a question."""
    engine.ready(place)
    connection = engine.connections.open(place, lambda: pytest.fail("open already"))
    planned = plan(asked, SCHEMA)
    texts = []
    for part in passes(planned):
        wanted = statement(planned, part, "duckdb")
        rows = connection.cursor().execute(f"{how} {wanted.text}", wanted.values).fetchall()
        texts.append("\n".join(text for _, text in rows))
    return texts


@pytest.mark.parametrize("shape", SHAPES)
def test_a_plan_is_the_same_for_neighbours_and_for_an_empty_table(engine, neighbours, shape: str) -> None:
    for condition in CONDITIONS:
        plans = [explained(engine, place, asked(shape, condition), "EXPLAIN") for place in neighbours]
        # Only how many rows DuckDB expects differs, and how wide that makes its boxes.
        shown = [[re.sub(r"~?[\d,]+ rows?|[─ ]+", "", text) for text in texts] for texts in plans]
        assert shown[0] == shown[1] == shown[2], condition


@pytest.mark.parametrize("condition", CONDITIONS)
def test_all_rows_of_all_row_groups_reach_the_aggregates(engine, neighbours, condition: str) -> None:
    for shape in ("count", "mean", "median", "persons", "per person", "by district", "narrow bound"):
        for place in neighbours[:2]:
            for text in explained(engine, place, asked(shape, condition), "EXPLAIN ANALYZE"):
                assert "Row Groups Scanned: 3 / 3" in text, (shape, text)
                assert "Filter" not in text, (shape, text)
                assert not re.search(r"\bEmpty\b", text), (shape, text)


def test_what_a_row_holds_outside_the_condition_cannot_overflow(engine, tmp_path: Path) -> None:
    """Three hundred rows of 2^56 would leave 64 bits together, and one of them squared."""
    huge = 2**56
    schema = register(Number(name="n", low=-huge, high=huge), Category(name="k", values=("a", "b")), rows=2)
    people = [[(huge, 1), (huge, 1)]] * 300 + [[(-huge, 1), (7, 0)], [(9, 0), (3, 0)]]
    place = write_statistics(tmp_path / "huge", schema, people, types=("BIGINT", "TINYINT"))
    inside = Compare(column="k", op="=", values=("a",))
    for statistic in (
        of("sum", column="n"),
        of("sum", column="n", per_person_clamp=(-3, 11)),
        of("variance", column="n", clamp=(0, 2**24)),
        of("median", column="n", clamp=(0, 100)),
    ):
        for group_by in ((), (Key(column="k", missing=True),)):
            where = None if group_by and statistic.clamp else inside
            planned = plan(query(statistic, where=where, group_by=group_by), schema)
            found, expected = engine.exact(planned, place, RUN), exact_by_hand(planned, people)
            assert {request: cells.tolist() for request, cells in found.items()} == {
                request: cells.tolist() for request, cells in expected.items()
            }


DESCRIPTOR = """
id: flags
title: {ja: 旗, en: Flags}
body: "131016"
privacy: {unit: person, max_rows_per_person: 2, measure: pure, cap: "10", max_per_query: "1"}
columns:
  flag: {type: category, values: ["no", "yes"]}
  n: {type: integer, min: 0, max: 99999}
"""


def test_registration_stores_columns_as_they_are(tmp_path: Path) -> None:
    """Compressed columns take as long to read as their values make them; DuckDB would compress all of these."""
    source = tmp_path / "source.csv"
    lines = (f"p{row // 2},{'no' if row % 3 else 'yes'},{row % 100}" for row in range(20_000))
    source.write_text("\n".join(["person,flag,n", *lines]) + "\n")
    (tmp_path / "staging").mkdir()
    ingest(
        parse(DESCRIPTOR), SourceFile.at(source), tmp_path / "staging", b"a salt of 16 byte", lambda *_: None
    )
    with duckdb.connect(str(tmp_path / "staging" / STATISTICS_FILE), read_only=True) as connection:
        found = connection.execute(
            "SELECT DISTINCT column_name, compression FROM pragma_storage_info('rows')"
            " WHERE segment_type <> 'VALIDITY' ORDER BY ALL"
        ).fetchall()
    assert found == [(name, "Uncompressed") for name in ("c0", "c1", "person", "rank")]


# By the clock

APART_MAX = 0.04
"""Four standard errors of an area under the curve of 2,000 times a side."""


@pytest.mark.long
@pytest.mark.parametrize(
    ("shape", "condition", "rows", "person"),
    [
        # The person's row is the first of all, or stands among those of others.
        ("count", "district", 20_000, -1),
        ("count", "district", 100_000, -1),
        ("count", "flag", 100_000, 20_001),
        ("count", "many terms", 20_000, -1),
        ("mean", "district", 20_000, -1),
        ("persons", "district", 20_000, -1),
        ("by age and year", "district", 20_000, 20_001),
        ("median", "district", 100_000, -1),
        ("per person", "district", 20_000, 20_001),
    ],
)
def test_a_clock_does_not_tell_whether_one_person_is_there(
    tmp_path: Path, shape: str, condition: str, rows: int, person: int
) -> None:
    """2,000 answers a side in turns; with a WHERE and the table's statistics a count of 100,000 rows had 0.81."""
    places = [written(tmp_path / str(more), rows, more=more, person=person) for more in (False, True)]
    planned = plan(asked(shape, condition), SCHEMA)

    def answers() -> list:
        engines = [embedded(tmp_path / "spilled") for _ in places]
        return [
            lambda engine=engine, place=place: engine.exact(planned, place, RUN)
            for engine, place in zip(engines, places, strict=True)
        ]

    without, with_one = durations(answers, blocks=20, runs=100)
    assert abs(auc(without, with_one) - 0.5) < APART_MAX
