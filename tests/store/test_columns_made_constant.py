"""What is constant per person is so in the statistics table, whatever the source says; households are numbered."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from doubles import RUN, columns, crowds, embedded, exact_by_hand, queries, query, register, write_statistics
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.descriptor.descriptor import Descriptor, parse
from datasets.engines.base import EngineLimits
from datasets.engines.rehearsal import DummyEngine
from datasets.engines.sql import passes, statement
from datasets.registration.ingest import IngestReport, SourceFile, ingest
from privacy.plan import plan
from privacy.query import Compare, Key, Statistic
from privacy.schema import Category, SecondUnit

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


# Second units


UNITS = DESCRIPTOR.replace("columns:", "units: {household: {column: hid}}\ncolumns:")
HEADER = "pid,home,born,cost,hid\n"


def counted_by_units(
    tmp_path: Path, source: str, text: str = UNITS
) -> tuple[IngestReport, list[tuple[int, ...]]]:
    """Import a source; gives the report and the rows of (home, born, cost, household, rank, person)."""
    folder = tmp_path / f"units-{sum(1 for _ in tmp_path.iterdir())}"
    file, staging = folder / "source.csv", folder / "staging"
    staging.mkdir(parents=True)
    file.write_text(HEADER + source)
    report = ingest(parse(text), SourceFile.at(file), staging, SALT, lambda stage, share: None)
    with duckdb.connect(staging / "statistics.duckdb", read_only=True) as engine:
        return report, engine.execute("FROM rows").fetchall()


PEOPLE = "a,chuo,1950,1,h1\na,chuo,1950,1,h2\nb,kita,1980,2,h2\nc,kita,1990,3,\nd,kita,1990,3,  \n"


def test_households_are_numbered_and_a_row_without_one_names_none(tmp_path) -> None:
    report, rows = counted_by_units(tmp_path, PEOPLE)
    named = sorted((row[2], row[3]) for row in rows)
    numbers = {number for _, number in named}
    assert numbers == {0, 1, 2}
    assert [cost for cost, number in named if number == 0] == [3, 3]
    # One of a's two households is b's.
    assert sorted(number for cost, number in named if cost == 1) == [1, 2]
    assert (report.units["household"].number, report.units["household"].rows_without) == (2, 2)


@pytest.mark.parametrize("bound", [1, 2])
def test_a_person_names_one_household_where_it_is_constant(tmp_path, bound) -> None:
    text = UNITS.replace("column: hid", "column: hid, constant_per_person: true")
    text = text.replace("max_rows_per_person: 2", f"max_rows_per_person: {bound}")
    report, rows = counted_by_units(tmp_path, PEOPLE, text)
    assert len({row[3] for row in rows if row[2] == 1}) == 1
    assert report.units["household"].persons_not_constant == 1


def test_each_row_may_be_a_person_of_a_household(tmp_path) -> None:
    text = UNITS.replace("unit: pid, max_rows_per_person: 2", "unit: null, max_rows_per_person: 1")
    text = text.replace("columns:", "columns:\n  pid: {type: text}")
    report, rows = counted_by_units(tmp_path, PEOPLE, text)
    assert (report.persons, sorted(row[3] for row in rows)) == (5, [0, 0, 1, 2, 2])


def test_one_person_more_changes_nobody_elses_rows_nor_whom_they_live_with(tmp_path) -> None:
    """Up to the numbers of persons and households, which are never told."""

    def alike(rows: list[tuple[int, ...]]) -> list[list[tuple[int, ...]]]:
        """Each person's rows by rank, with the persons that share the household of each."""
        people: dict[int, list[tuple[int, ...]]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: (row[5], row[4])):
            people[row[5]].append(row)
        shared = defaultdict(list)
        for row in rows:
            shared[row[3]].append((row[:3], row[4]))
        return sorted([(*row[:3], row[4], row[3] > 0) for row in person] for person in people.values())

    others = "".join(
        f"p{place % 5},{'chuo' if place % 2 else 'kita'},19{50 + place % 3},{place % 2},h{place % 4}\n"
        for place in range(30)
    )
    _, without = counted_by_units(tmp_path, others)
    # A household that comes before, between and after the others' in any order of digests.
    for one in range(8):
        _, having = counted_by_units(tmp_path, f"{others}z,minami,2000,9,new{one}\n")
        kept = [row for row in having if row[0] != 2]
        assert len(having) == len(without) + 1
        assert alike(kept) == alike(without)
        # The households of the others are told apart as before: their numbers are shifted and nothing else.
        pairs = {
            (one[3], other[3])
            for one, other in zip(
                sorted(kept, key=lambda row: (row[5], row[4])),
                sorted(without, key=lambda row: (row[5], row[4])),
                strict=True,
            )
        }
        assert len(pairs) == len({old for _, old in pairs}) == len({new for new, _ in pairs})


def test_the_engine_counts_the_households_that_are_found_by_hand(tmp_path: Path) -> None:
    engine, number = embedded(tmp_path), iter(range(1000))
    household = SecondUnit(name="household", column="hid")

    @settings(FEW, max_examples=8)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        made = [data.draw(columns(f"k{place}")) for place in range(2)]
        schema = replace(register(*made, rows=3), units=(household,))
        people = data.draw(crowds(schema))
        place = write_statistics(tmp_path / str(next(number)), schema, people, types=["INTEGER"] * 2)
        for _ in range(3):
            asked = data.draw(queries(schema))
            counted = Statistic(name="s", agg="count_units", unit="household")
            planned = plan(replace(asked, select=(counted,), totals=False, tables=(), whole=False), schema)
            found, expected = engine.exact(planned, place, RUN), exact_by_hand(planned, people)
            assert {key: cells.tolist() for key, cells in found.items()} == {
                key: cells.tolist() for key, cells in expected.items()
            }

    check()
    engine.connections.clear()


def test_no_row_is_left_out_before_households_are_counted() -> None:
    """Nobody sees from the time that an answer takes how many rows a condition leaves (decision 13)."""
    schema = replace(register(HOME, KIND, rows=3), units=(SecondUnit(name="household", column="hid"),))
    asked = query(
        Statistic(name="s", agg="count_units", unit="household"),
        where=Compare(column="kind", op="=", values=("x",)),
        group_by=(Key(column="home"),),
    )
    planned = plan(asked, schema)
    (only,) = passes(planned)
    assert " WHERE " not in statement(planned, only, "duckdb").text


def test_a_dummy_counts_made_up_households(tmp_path: Path) -> None:
    dummy = DummyEngine(EngineLimits(threads=1, timeout_s=60, temporary=tmp_path))
    schema = replace(register(HOME, rows=2), units=(SecondUnit(name="household", column="hid"),))
    (found,) = dummy.exact(
        plan(query(Statistic(name="s", agg="count_units", unit="household")), schema)
    ).values()
    assert 100 < found[0] < 10_000
