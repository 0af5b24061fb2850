"""A column that is constant per person is so in the statistics table, whatever the source says."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from doubles import RUN, columns, crowds, embedded, exact_by_hand, queries, query, register, write_statistics
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.descriptor.descriptor import Descriptor, parse
from datasets.engines.sql import passes, statement
from datasets.registration.ingest import IngestReport, SourceFile, ingest
from privacy.plan import plan
from privacy.query import Compare, Key, Statistic
from privacy.schema import Category

SALT = bytes(range(32))
DESCRIPTOR = """
id: t
title: {en: T}
body: "131016"
privacy: {unit: pid, max_rows_per_person: 2, measure: pure, cap: 9, max_per_query: 1}
columns:
  home: {type: category, values: [chuo, kita, minami], missing: allowed, constant_per_person: true}
  born: {type: integer, min: 1900, max: 2026, constant_per_person: true}
  cost: {type: integer, min: 0, max: 99}
"""
FEW = settings(
    derandomize=True,
    deadline=None,
    max_examples=5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

Source = list[tuple[str, str, str, str]]


@pytest.fixture
def imported(tmp_path: Path):
    """Import lines of a source; gives the report and each person's rows, (home, born, cost, rank) in order of rank."""
    times = 0

    def run(source: Source, text: str = DESCRIPTOR) -> tuple[IngestReport, dict[int, list[tuple[int, ...]]]]:
        nonlocal times
        times += 1
        file, staging = tmp_path / f"source-{times}", tmp_path / f"staging-{times}"
        file.write_text("".join(f"{','.join(line)}\n" for line in [("pid", "home", "born", "cost"), *source]))
        staging.mkdir()
        descriptor: Descriptor = parse(text)
        report = ingest(descriptor, SourceFile.at(file), staging, SALT, lambda stage, share: None)
        found: dict[int, list[tuple[int, ...]]] = defaultdict(list)
        with duckdb.connect(staging / "statistics.duckdb", read_only=True) as engine:
            for *row, rank, person in engine.execute("FROM rows ORDER BY person, rank").fetchall():
                found[person].append((*row, rank))
        return report, found

    return run


def lines(numbers: st.SearchStrategy[str], *, most: int = 12) -> st.SearchStrategy[Source]:
    homes = st.sampled_from(("chuo", "kita", "minami", "", "elsewhere"))
    born = st.sampled_from(("1950", "1980", "2010", "nonsense", ""))
    return st.lists(st.tuples(numbers, homes, born, st.sampled_from("0123")), max_size=most)


def test_every_row_of_a_person_has_the_codes_of_the_first_whatever_the_file_says(imported) -> None:
    @FEW
    @given(lines(st.sampled_from("abc")))
    def check(source: Source) -> None:
        _, constant = imported(source)
        _, varying = imported(source, DESCRIPTOR.replace(", constant_per_person: true", ""))
        assert constant.keys() == varying.keys()
        for person, rows in constant.items():
            assert len({row[:2] for row in rows}) == 1
            # The ranks, and what may vary, are those of rows that nobody made alike.
            assert [row[2:] for row in rows] == [row[2:] for row in varying[person]]
            assert rows[0] == varying[person][0]

    check()


def test_one_person_more_changes_nobody_elses_rows(imported) -> None:
    @FEW
    @given(lines(st.sampled_from("abc")), lines(st.just("z"), most=4), st.randoms(use_true_random=False))
    def check(others: Source, one: Source, order) -> None:
        mixed = [*others, *one]
        order.shuffle(mixed)
        without, having = imported(others)[1], imported(mixed)[1]
        # Numbers of persons are nobody's concern: what is compared are their rows.
        left = sorted(without.values())
        rows = sorted(having.values())
        for person in left:
            rows.remove(person)
        assert len(rows) == bool(one)

    check()


def test_the_operator_is_told_how_many_persons_were_made_alike(imported) -> None:
    source = [
        ("a", "chuo", "1950", "1"),
        ("a", "kita", "1950", "2"),
        ("a", "kita", "1950", "3"),
        ("b", "chuo", "1950", "1"),
        ("b", "", "1951", "1"),
        ("c", "kita", "1990", "1"),
        ("c", "kita", "1990", "2"),
    ]
    report, _ = imported(source)
    counted = {name: counts.persons_not_constant for name, counts in report.columns.items()}
    assert counted == {"home": 2, "born": 1, "cost": 0}


# The engine


HOME = Category(name="home", values=("a", "b", "c"), constant_per_person=True)
KIND = Category(name="kind", values=("x", "y"))
PERSONS = Statistic(name="s", agg="count_persons")


@pytest.mark.parametrize(
    ("changes", "by_first_rows"),
    [
        ({"group_by": (Key(column="home"),)}, True),
        ({"where": Compare(column="home", op="=", values=("a",))}, True),
        ({"where": Compare(column="kind", op="=", values=("x",))}, False),
        ({"group_by": (Key(column="home"), Key(column="kind"))}, False),
    ],
)
def test_persons_need_not_be_told_apart_where_their_first_rows_tell(changes, by_first_rows) -> None:
    planned = plan(query(PERSONS, **changes), register(HOME, KIND, rows=3))
    (only,) = passes(planned)
    assert ("person" not in statement(planned, only, "duckdb").text.replace("persons", "")) is by_first_rows


def test_the_engine_finds_what_is_found_by_hand(tmp_path: Path) -> None:
    engine, number = embedded(tmp_path), iter(range(1000))

    @settings(FEW, max_examples=6)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        made = [
            replace(data.draw(columns(f"k{place}")), constant_per_person=bool(place < 2))
            for place in range(3)
        ]
        schema = register(*made, rows=3)
        people = data.draw(crowds(schema))
        place = write_statistics(tmp_path / str(next(number)), schema, people, types=["INTEGER"] * 3)
        for _ in range(3):
            asked = data.draw(queries(schema))
            for select in (asked.select, (PERSONS,)):
                if select is not asked.select and (asked.totals or asked.tables):
                    continue
                planned = plan(replace(asked, select=select), schema)
                found, expected = engine.exact(planned, place, RUN), exact_by_hand(planned, people)
                assert {key: cells.tolist() for key, cells in found.items()} == {
                    key: cells.tolist() for key, cells in expected.items()
                }

    check()
    engine.connections.clear()
