"""Columns whose values nobody declared: a code depends on its word alone, and only words that occur are kept."""

import stat
import unicodedata
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from doubles import RUN, at, count, embedded, query
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_views import Shelf

from datasets.database.store import Store
from datasets.descriptor.descriptor import DescriptorError, parse
from datasets.engines.base import EngineLimits
from datasets.engines.duckdb import DuckdbEngine
from datasets.engines.format import STATISTICS_FILE
from datasets.engines.rehearsal import DummyEngine
from datasets.registration.ingest import CellProblem, ColumnCounts, IngestReport, SourceFile, ingest
from privacy.answer import release, released_codes, table
from privacy.exact import ExactAggregate
from privacy.noise import OpendpNoise
from privacy.plan import plan
from privacy.query import Compare, Key, Not, Statistic
from privacy.schema import UndeclaredColumn

SALT = bytes(range(32))
DELTAS = 'delta_per_query: "1e-6", delta_cap: "1e-5"'
TERMS = f'measure: zcdp, delta: "1e-9", cap: "10", max_per_query: "1", {DELTAS}'
HEAD = f"""\
id: jobs
title: {{en: Jobs}}
body: "131016"
privacy: {{unit: pid, max_rows_per_person: 2, {TERMS}}}
columns:
"""
JOBS = f"""{HEAD}\
  employer: {{type: open, max_length: 12}}
  hours: {{type: integer, min: 0, max: 60, missing: allowed}}
  school: {{type: open}}
"""
HEADER = "pid,employer,hours,school\n"
few_files = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def imported(tmp_path):
    """Import CSV lines or a Parquet table; gives the report and the file of the statistics table."""
    times = 0

    def run(source: str | pa.Table, salt: bytes = SALT, descriptor: str = JOBS) -> tuple[IngestReport, Path]:
        nonlocal times
        times += 1
        file, staging = tmp_path / f"source-{times}", tmp_path / f"staging-{times}"
        if isinstance(source, str):
            file.write_text(HEADER + source, encoding="utf-8", newline="")
        else:
            pq.write_table(source, file)
        staging.mkdir()
        report = ingest(parse(descriptor), SourceFile.at(file), staging, salt, lambda stage, share: None)
        return report, staging / "statistics.duckdb"

    return run


def fetched(file: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(file), read_only=True) as engine:
        return engine.execute(sql).fetchall()


def words_of(file: Path, place: int = 0) -> dict[str, int]:
    """The code of each word of a column."""
    return {word: code for code, word in fetched(file, f"SELECT code, word FROM words WHERE place = {place}")}


# Codes


def test_a_word_has_the_same_code_whatever_else_is_in_the_register(imported):
    alone = words_of(imported("1,Acme,1,\n")[1])
    among = words_of(imported("".join(f"{n},W{n},1,\n" for n in range(50)) + "x,Acme,1,\nx,Aaa,2,\n")[1])
    elsewhere = words_of(imported("9,,7,Acme\n")[1], place=2)
    assert alone["Acme"] == among["Acme"] == elsewhere["Acme"]
    assert len(set(among.values())) == len(among) == 52
    assert all(0 <= code < 2**62 for code in among.values())


def test_another_salt_gives_other_codes(imported):
    first, second = (
        words_of(imported("1,Acme,1,\n")[1]),
        words_of(imported("1,Acme,1,\n", salt=b"other" * 6)[1]),
    )
    assert first["Acme"] != second["Acme"]


people = st.dictionaries(
    st.integers(0, 12),
    st.lists(st.tuples(st.sampled_from("ABCDEFGH"), st.integers(0, 3)), min_size=1, max_size=6),
    max_size=6,
)


@pytest.mark.long
@few_files
@given(people, st.randoms(use_true_random=False))
def test_one_person_more_changes_no_other_persons_rows(imported, persons, dice):
    """Not even if that person brings words that would stand before all others in any order."""

    def kept(everybody: dict[int, list[tuple[str, int]]]) -> dict[str, list[tuple]]:
        lines = [f"{who},{word},{n},s{who}\n" for who, own in everybody.items() for word, n in own]
        dice.shuffle(lines)
        file = imported("".join(lines))[1]
        names = {code: word for word, code in words_of(file, place=2).items()}
        found = defaultdict(list)
        for word, hours, school, rank, _person in fetched(file, "FROM rows"):
            found[names[school]].append((rank, word, hours))
        return {who: sorted(rows) for who, rows in found.items()}

    newcomer = [(word, 1) for word in ("", "0", "ん", "AA", "zz")]
    before, after = kept(persons), kept({**persons, 99: newcomer})
    assert len(after.pop("s99")) == 2
    assert after == before


# Words


def test_spaces_at_the_ends_and_the_way_of_composing_make_no_difference(imported):
    ga, apart = "がっこう", unicodedata.normalize("NFD", "がっこう")
    assert ga != apart
    lines = f"1,{ga},1,\n2,{apart},2,\n3,\u3000{ga} ,3,\n4,\t{apart}\u00a0,4,\n5,{ga} {ga},5,\n"
    _, file = imported(lines)
    assert set(words_of(file)) == {ga, f"{ga} {ga}"}
    assert sorted(Counter(fetched(file, "SELECT c0 FROM rows")).values()) == [1, 4]


@pytest.mark.parametrize(
    "strange",
    ["a\x07b", '"a\nb"', "a\u2028b", "a\u2029b", "\u202eab", "a\u2066b", "a\x85b", "a\x7f", "a\tb"],
    ids=ascii,
)
def test_a_control_character_makes_a_word_unreadable(imported, strange):
    report, file = imported(f"1,Acme,1,\n2,{strange},2,\n")
    assert report.columns["employer"] == ColumnCounts(unreadable=1)
    assert report.problems == (CellProblem(3, "employer", "unreadable"),)
    assert list(words_of(file)) == ["Acme"]
    assert (-1,) in fetched(file, "SELECT c0 FROM rows")


def test_a_word_that_is_too_long_is_unreadable_and_its_length_is_that_of_the_composed_form(imported):
    fits, long = "が" * 12, "が" * 13
    apart = unicodedata.normalize("NFD", fits)
    report, file = imported(f"1,{fits},1,\n2,{apart},1,\n3,{long},1,{long}\n4,{'x' * 1_000_000},1,\n")
    assert report.columns["employer"] == ColumnCounts(unreadable=2)
    assert list(words_of(file)) == [fits]
    assert list(words_of(file, place=2)) == [long]


def test_no_word_is_missing_and_nothing_to_worry_about(imported):
    report, file = imported("1,,1,\n2, \u3000,1,\n3,\t,1,\n")
    assert report.columns["employer"] == ColumnCounts(missing=3)
    assert report.problems == ()
    assert words_of(file) == {}
    assert fetched(file, "SELECT DISTINCT c0, c2 FROM rows") == [(-1, -1)]


@pytest.mark.long
@few_files
@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=60))
def test_any_text_at_all_can_be_read(imported, texts):
    source = pa.table(
        {
            "pid": [f"p{place}" for place in range(len(texts))],
            "employer": pa.array(texts, pa.string()),
            "hours": ["1"] * len(texts),
            "school": pa.array([None] * len(texts), pa.string()),
        }
    )
    report, file = imported(source)
    found = words_of(file)
    for word in found:
        assert 1 <= len(word) <= 12
        assert not any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in word)
    plain = {text for text in texts if text.isalnum() and text.isascii() and len(text) <= 12}
    assert plain <= set(found)
    counts = report.columns["employer"]
    coded = sum(code >= 0 for (code,) in fetched(file, "SELECT c0 FROM rows"))
    assert counts.missing + counts.unreadable + coded == len(texts)


# The file


def test_the_file_is_private_and_holds_no_word_that_no_kept_row_has(imported):
    report, file = imported("1,Kept,1,\n1,Kept,2,\n1,Kept,3,\n,Nobodys,1,\n2,Other,,\n")
    assert (report.rows_kept, report.rows_without_person) == (3, 1)
    assert set(words_of(file)) == {"Kept", "Other"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"Nobodys" not in file.read_bytes()
    names = {str(path.relative_to(file.parent)) for path in file.parent.rglob("*")}
    assert names == {"statistics.duckdb", "vault", "vault/vault.parquet"}


def test_words_are_never_null_and_stand_in_the_order_of_their_codes(imported):
    _, file = imported("".join(f"{n},W{n % 30},1,S{n % 7}\n" for n in range(90)))
    described = fetched(file, 'SELECT column_name, column_type, "null" FROM (DESCRIBE words)')
    assert described == [("place", "INTEGER", "NO"), ("code", "BIGINT", "NO"), ("word", "VARCHAR", "NO")]
    found = fetched(file, "SELECT place, code FROM words")
    assert found == sorted(found)
    assert len(found) == 37


def test_a_register_without_open_columns_has_no_words(imported):
    columns = "  employer: {type: text}\n  hours: {type: integer, min: 0, max: 60}\n  school: {type: text}\n"
    _, file = imported("1,Acme,1,x\n", descriptor=HEAD + columns)
    assert fetched(file, "SHOW TABLES") == [("rows",)]


def test_each_row_may_be_one_person(imported):
    single = JOBS.replace("unit: pid, max_rows_per_person: 2", "unit: null, max_rows_per_person: 1")
    single = single.replace("columns:\n", "columns:\n  pid: {type: text}\n")
    _, file = imported("1,Acme,1,\n2,Acme,2,\n", descriptor=single)
    (code,) = words_of(file).values()
    assert fetched(file, "FROM rows ORDER BY ALL") == [(code, 1, -1, 1), (code, 2, -1, 1)]


# The engine


@pytest.fixture
def engine(tmp_path):
    engine = embedded(tmp_path / "temporary")
    yield engine
    engine.connections.clear()


def counted(asked, file: Path, engine: DuckdbEngine, seal: str | None = None) -> dict[str, int]:
    """The exact counts by word."""
    place = replace(at(file.parent), seal=seal)
    (found,) = engine.exact(asked, place, RUN).values()
    codes, counts = found
    return dict(zip(engine.values(asked, place, codes, RUN), counts.tolist(), strict=True))


SCHEMA = parse(JOBS).schema
BY_EMPLOYER = (Key(column="employer"),)
SOURCE = "1,A,10,\n1,A,20,\n2,A,30,\n2,B,40,\n3,B,,\n4,,50,\n5,C,60,\n"
PERSONS = Statistic(name="n", agg="count_persons")
LONG = Compare(column="hours", op=">=", values=(30,))
MISSING = Compare(column="employer", op="is_missing")


@pytest.mark.parametrize(
    ("statistic", "changes", "expected"),
    [
        (count(), {}, {"A": 3, "B": 2, "C": 1}),
        (PERSONS, {}, {"A": 2, "B": 2, "C": 1}),
        (count(), {"where": LONG}, {"A": 1, "B": 1, "C": 1}),
        (count(), {"where": Not(LONG)}, {"A": 2}),
        (PERSONS, {"where": MISSING}, {}),
    ],
)
def test_the_engine_counts_by_the_words_that_occur(imported, engine, statistic, changes, expected):
    asked = plan(query(statistic, group_by=BY_EMPLOYER, **changes), SCHEMA)
    assert counted(asked, imported(SOURCE)[1], engine) == expected


def test_missing_words_can_be_asked_for(imported, engine):
    file = imported(SOURCE)[1]
    for where, rows in ((MISSING, 1), (Not(MISSING), 6)):
        asked = plan(query(where=where), SCHEMA)
        assert engine.exact(asked, at(file.parent), RUN)[(), ExactAggregate(kind="rows")].tolist() == [rows]


def test_a_narrower_bound_counts_a_prefix_of_each_persons_rows(imported, engine):
    asked = plan(query(group_by=BY_EMPLOYER, rows_per_person=1), SCHEMA)
    found = counted(asked, imported(SOURCE)[1], engine)
    assert sum(found.values()) == 4
    assert found["A"] + found["B"] == 3


def test_an_answer_names_the_words_of_its_codes(imported, engine):
    lines = [f"{n},{'Big' if n % 4 else 'Half'},1,\n" for n in range(400)] + ["x,Rare,1,\n"]
    place = at(imported("".join(lines))[1].parent)
    asked = plan(query(group_by=BY_EMPLOYER), SCHEMA)
    released = release(asked, engine.exact(asked, place, RUN), OpendpNoise())
    made = table(asked, released, engine.values(asked, place, released_codes(asked, released), RUN))
    assert list(made.columns[0].values) == ["Big", "Half"]
    assert np.allclose(made.columns[1].values, [300, 100], atol=40)


def test_a_dummy_counts_invented_words(tmp_path):
    asked = plan(query(group_by=BY_EMPLOYER), SCHEMA)
    dummy = DummyEngine(EngineLimits(threads=1, timeout_s=60, temporary=tmp_path))
    codes, counts = dummy.exact(asked)[(), ExactAggregate(kind="values", column=0)]
    assert sorted(codes.tolist()) == list(range(12))
    assert counts.min() > 500


# Descriptors


@pytest.mark.parametrize(
    ("was", "becomes"),
    [(TERMS, 'measure: pure, cap: "10", max_per_query: "1"'), (f", {DELTAS}", "")],
    ids=["pure", "no δ"],
)
def test_a_dataset_that_sets_no_delta_aside_cannot_have_one(was, becomes):
    with pytest.raises(DescriptorError) as refused:
        parse(JOBS.replace(was, becomes))
    assert [(fault.line, fault.column, fault.path) for fault in refused.value.faults] == [
        (6, 20, "columns.employer.type"),
        (8, 18, "columns.school.type"),
    ]
    assert "needs measure: zcdp, and delta_per_query and delta_cap" in refused.value.faults[0].message.en


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("{type: open, max_length: 0}", "at least 1"),
        ("{type: open, max_length: 201}", "at most 200"),
        ("{type: open, max_length: many}", "a whole number"),
        ("{type: open, missing: allowed}", "unknown key 'missing'"),
        ("{type: open, labels: {en: [a]}}", "unknown key 'labels'"),
    ],
)
def test_a_wrong_declaration_is_refused(declared, message):
    with pytest.raises(DescriptorError, match=message):
        parse(JOBS.replace("{type: open, max_length: 12}", declared))


def test_a_length_is_100_unless_declared():
    employer, _, school = SCHEMA.columns
    assert (employer, school) == (
        UndeclaredColumn(name="employer", length_max=12),
        UndeclaredColumn(name="school", length_max=100),
    )


# Views


HOMES = HEAD.replace("jobs", "homes") + "  ward: {type: category, values: [n, s]}\n"
VIEW = """\
id: homes-jobs
title: {en: Homes and jobs}
body: "131016"
view: {of: [homes, jobs]}
privacy: {max_rows_per_person: 2, max_per_query: "1"}
columns:
  ward: {from: homes}
  firm: {from: jobs, column: employer}
"""


@pytest.fixture
def shelf(sqlite_url: str, tmp_path: Path):
    store = Store(sqlite_url)
    shelf = Shelf(store, tmp_path)
    shelf.add(JOBS, HEADER + "1,Acme,5,\n2,Acme,,\n3,Zeta,,\n")
    yield shelf
    store.close()


def test_a_view_may_take_an_open_column_where_every_source_pays_delta(shelf, engine):
    shelf.add(HOMES, "pid,ward\n1,n\n2,s\n9,n\n")
    shelf.join(VIEW)
    held = shelf.held("homes-jobs")
    assert held.schema.columns[1] == UndeclaredColumn(name="firm", length_max=12)
    north = Compare(column="ward", op="=", values=("n",))
    asked = plan(query(group_by=(Key(column="firm"),), where=north), held.schema)
    file = held.place.location / STATISTICS_FILE
    assert counted(asked, file, engine, held.place.seal) == {"Acme": 1}
    assert set(words_of(file, place=1)) == {"Acme"}


def test_a_view_is_refused_where_a_source_has_no_delta_to_pay(shelf):
    shelf.add(HOMES.replace(f", {DELTAS}", ""), "pid,ward\n1,n\n")
    with pytest.raises(DescriptorError) as refused:
        shelf.join(VIEW)
    (fault,) = refused.value.faults
    assert (fault.line, fault.path) == (8, "columns.firm.column")
    assert "homes declares no delta_per_query and delta_cap: leave the column out" in fault.message.en
