"""A source becomes a table of whole numbers: nothing lost that counts, nothing kept that tells."""

import re
import stat
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal, localcontext
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lanes import first

from datasets.descriptor.descriptor import Descriptor, parse
from datasets.registration.ingest import CellProblem, ColumnCounts, IngestReport, SourceFile, check, ingest
from datasets.registration.ingest.coding import final_code, raw_code
from datasets.registration.ingest.statistics import content_hash
from privacy.schema import Category, Column, Date, Number, day_number

SALT = bytes(range(32))
SHARED_ADULT = Path(__file__).resolve().parents[3] / "shared" / "data" / "adult" / "adult.csv"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

SMALL = "{type: integer, min: 0, max: 99}"
few_files = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def described(
    columns: dict[str, str], *, unit: str = "pid", bound: int = 2, source: str = "{}"
) -> Descriptor:
    lines = "".join(f"  {name}: {column}\n" for name, column in columns.items())
    return parse(
        f'id: t\ntitle: {{en: T}}\nbody: "131016"\nsource: {source}\n'
        f"privacy: {{unit: {unit}, max_rows_per_person: {bound}, measure: pure, cap: 9, max_per_query: 1}}\n"
        f"columns:\n{lines}"
    )


@pytest.fixture
def imported(tmp_path):
    """Import a source's bytes (CSV) or table (Parquet); gives the report and the rows of the table."""
    times = 0

    def run(
        descriptor: Descriptor, source: bytes | pa.Table, salt: bytes = SALT
    ) -> tuple[IngestReport, list[tuple]]:
        nonlocal times
        times += 1
        file, staging = tmp_path / f"source-{times}", tmp_path / f"staging-{times}"
        if isinstance(source, bytes):
            file.write_bytes(source)
        else:
            pq.write_table(source, file)
        staging.mkdir()
        report = ingest(descriptor, SourceFile.at(file), staging, salt, lambda stage, share: None)
        return report, rows_of(staging)

    run.folder = tmp_path
    return run


def rows_of(staging: Path) -> list[tuple]:
    with duckdb.connect(staging / "statistics.duckdb", read_only=True) as engine:
        return engine.execute("FROM rows").fetchall()


# The table


def test_the_folder_holds_the_table_and_a_sealed_vault_and_nothing_else(imported):
    imported(described({"age": SMALL, "name": "{type: text}"}), b"pid,age,name\np1,30,Aoi\n")
    staging = imported.folder / "staging-1"
    assert {str(path.relative_to(staging)) for path in staging.rglob("*")} == {
        "statistics.duckdb",
        "vault",
        "vault/vault.parquet",
    }
    assert stat.S_IMODE((staging / "vault").stat().st_mode) == 0o700
    assert stat.S_IMODE((staging / "vault/vault.parquet").stat().st_mode) == 0o600
    vault = pq.read_table(staging / "vault/vault.parquet").to_pylist()
    assert vault == [{"pid": "p1", "age": "30", "name": "Aoi"}]
    assert b"Aoi" not in (staging / "statistics.duckdb").read_bytes()


def test_columns_are_the_smallest_integers_and_never_null(imported):
    columns = {
        "a": SMALL,
        "b": "{type: integer, min: -128, max: 0}",
        "name": "{type: text}",
        "c": "{type: integer, min: 0, max: 30000000}",
        "d": "{type: date, min: 1990-01-01, max: 2026-12-31}",
    }
    imported(described(columns), b"pid,a,b,name,c,d\np1,,,,,\n")
    with duckdb.connect(imported.folder / "staging-1/statistics.duckdb", read_only=True) as engine:
        found = engine.execute('SELECT column_name, column_type, "null" FROM (DESCRIBE rows)').fetchall()
        assert engine.execute("FROM rows").fetchall() == [(-1, -129, -1, 7304, 1, 1)]
    assert found == [
        ("c0", "TINYINT", "NO"),
        ("c1", "SMALLINT", "NO"),
        ("c2", "INTEGER", "NO"),
        ("c3", "SMALLINT", "NO"),
        ("rank", "TINYINT", "NO"),
        ("person", "INTEGER", "NO"),
    ]


def test_rows_stand_by_rank_then_person(imported):
    source = "pid,a\n" + "".join(f"p{row % 7},{row % 50}\n" for row in range(60))
    _, rows = imported(described({"a": SMALL}, bound=3), source.encode())
    assert [row[1:] for row in rows] == [(rank, person) for rank in (1, 2, 3) for person in range(1, 8)]


def test_neither_person_numbers_nor_rows_follow_the_source(imported):
    lines = [f"p{row:03},{row % 100}\n" for row in range(200)]
    forward = ("pid,a\n" + "".join(lines)).encode()
    backward = ("pid,a\n" + "".join(reversed(lines))).encode()
    descriptor = described({"a": SMALL})
    rows = imported(descriptor, forward)[1]
    assert rows == imported(descriptor, backward)[1]
    assert rows != imported(descriptor, forward, salt=b"another salt " * 3)[1]
    assert [row[0] for row in rows] != [row % 100 for row in range(200)]


def test_one_row_a_person_needs_no_person_column(imported):
    descriptor = described({"a": SMALL}, unit="null", bound=1)
    report, rows = imported(descriptor, b"a\n5\n3\n5\n")
    assert rows == [(3, 1), (5, 1), (5, 1)]
    assert (report.rows_kept, report.persons) == (3, 3)


def test_a_register_of_text_alone_can_be_counted(imported):
    descriptor = described({"name": "{type: text}"}, bound=2)
    assert imported(descriptor, b"pid,name\np1,a\np1,b\np1,c\n")[1] == [(1, 1), (2, 1)]
    assert imported(described({"name": "{type: text}"}, unit="null", bound=1), b"name\na\nb\n")[1] == [
        (1,),
        (1,),
    ]


def test_a_table_may_have_no_rows(imported):
    for source in (
        b"pid,a\n",
        b"pid,a",
        b"pid,a\n\n\r\n",
        pa.table({"pid": pa.array([], pa.string()), "a": []}),
    ):
        report, rows = imported(described({"a": SMALL}), source)
        assert (report.rows_read, rows) == (0, [])


# The report


def test_the_report_counts_what_was_changed(imported):
    columns = {
        "age": SMALL,
        "ward": "{type: category, values: [chuo, kita, other], other: other}",
        "sex": "{type: category, values: [f, m], missing: allowed}",
        "day": "{type: date, min: 2000-01-01, max: 2000-12-31}",
    }
    source = (
        b"pid,age,ward,sex,day\n"
        b"a,5,chuo,f,2000-05-05\n"
        b"a,500,kita,x,1999-01-01\n"
        b"a,abc,,,2000-02-30\n"
        b",1,x,m,2000-01-01\n"
    )
    report, _ = imported(described(columns), source)
    assert (report.rows_read, report.rows_kept, report.persons) == (4, 2, 1)
    assert (report.rows_without_person, report.dropped_by_bound) == (1, 1)
    assert report.columns == {
        "age": ColumnCounts(clamped=1, unreadable=1),
        "ward": ColumnCounts(missing=1, undeclared=1),
        "sex": ColumnCounts(missing=1, undeclared=1),
        "day": ColumnCounts(clamped=1, unreadable=1),
    }
    assert report.problems == (
        CellProblem(3, "sex", "undeclared"),
        CellProblem(4, "age", "unreadable"),
        CellProblem(4, "day", "unreadable"),
        CellProblem(4, "ward", "missing"),
        CellProblem(5, "pid", "without person"),
    )


def test_the_report_tells_what_each_bound_would_keep(imported):
    source = b"pid,a\n" + b"p1,1\n" * 1 + b"p2,2\n" * 3 + b"p3,3\n" * 6
    report, _ = imported(described({"a": SMALL}, bound=2), source)
    assert report.kept_by_bound == {1: 0.3, 2: 0.5, 3: 0.7, 4: 0.8, 5: 0.9, 6: 1.0}


def test_problems_name_lines_across_quoted_and_blank_lines(imported):
    source = b'pid,a,b\r\np1,"1\n\n2",3\r\n\r\n\r\np2,"x, ""y""",1\r\np3,1,zz'
    report, _ = imported(described({"a": SMALL, "b": SMALL}), source)
    assert report.rows_read == 3
    assert report.problems == (
        CellProblem(2, "a", "unreadable"),
        CellProblem(7, "a", "unreadable"),
        CellProblem(8, "b", "unreadable"),
    )


def test_lines_are_right_far_into_a_file(imported):
    rows = "".join(
        f'p{row},"{row}\n",1\n' if row % 3 == 0 else f"p{row},{row},1\n\n" for row in range(300_000)
    )
    descriptor = described({"a": "{type: text}", "b": SMALL})
    report, _ = imported(descriptor, f"pid,a,b\n{rows}last,x,oops\n".encode())
    assert report.problems == (CellProblem(2 + 2 * 300_000, "b", "unreadable"),)


def test_check_reads_alike_and_leaves_nothing(imported, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(imported.folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    source = imported.folder / "source.csv"
    source.write_bytes(b"pid,a\np1,x\np1,2\np1,3\n")
    report = check(described({"a": SMALL}), source)
    assert (report.rows_read, report.rows_kept) == (3, 2)
    assert report.problems == (CellProblem(2, "a", "unreadable"),)
    assert list(imported.folder.iterdir()) == [source]


# Coding


def code_by_hand(column: Column, text: str) -> int:
    """The code of a cell, slowly, from the documentation."""
    if isinstance(column, Category):
        other = column.missing if column.other is None else column.values.index(column.other)
        return column.values.index(text) if text in column.values else column.missing if text == "" else other
    text = text.strip(" \t")
    code = day_by_hand(text) if isinstance(column, Date) else steps_by_hand(column, text)
    return column.missing if code is None else min(max(code, column.low), column.high)


def steps_by_hand(column: Number, text: str) -> int | None:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text, re.ASCII):
        return None
    mantissa, _, power = text.lower().partition("e")
    with localcontext(prec=3000):
        shift = min(max(int(power or "0"), -1000), 1000)
        return int((Decimal(mantissa).scaleb(shift) / column.step).to_integral_value(ROUND_FLOOR))


def day_by_hand(text: str) -> int | None:
    found = re.fullmatch(r"(\d{4})([-/])(\d\d)\2(\d\d)([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?", text, re.ASCII)
    try:
        return day_number(date(int(found[1]), int(found[3]), int(found[4]))) if found else None
    except ValueError:
        return None


def codes_of(column: Column, texts: list[str]) -> list[int]:
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE cells (place INTEGER, cell VARCHAR)")
        engine.executemany("INSERT INTO cells VALUES (?, ?)", list(enumerate(texts)))
        sql = f"SELECT {final_code(column, 'raw')} FROM (SELECT place, {raw_code(column, 'cell')} AS raw FROM cells)"
        return [code for (code,) in engine.execute(sql + " ORDER BY place").fetchall()]


NUMBERS = [
    Number(name="n", low=0, high=119),
    Number(name="n", low=-5, high=305, step=Decimal("0.1")),
    Number(name="n", low=-7, high=90, step=Decimal("0.25")),
    Number(name="n", low=0, high=10**8, step=Decimal("0.000000001")),
    Number(name="n", low=-30, high=30, step=Decimal(1000)),
    Number(name="n", low=-(2**40), high=2**40, step=Decimal(7)),
]
AWKWARD = [
    "",
    "  ",
    "5",
    "-0",
    "1e400",
    "-1e400",
    "1e-400",
    "-1e-400",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "1_000",
    "0x1A",
    "+5",
    ".5",
    "5.",
    ".",
    "-",
    "e5",
    "5e",
    "0.3",
    "-0.3",
    " 12 ",
    "1e3",
    "0.30000000000000004",
    "１２",
    "99999999999999999999999999999999999999999999",
    "-1e-99999999999999999999",
    "0e9999999999",
    "1e99999999999999999999",
    "1,000",
    "5'",
    "1 2",
    "--1",
    "119.99999999999999999999",
    "-0.1",
    "-0.5",
    "-0.51",
    "22.5",
    "22.75",
    "22.74",
    "\t7",
    "999999999999999999",
    "9223372036854775808",
    "-9223372036854775809",
    "1e+02",
    "30.5",
    "30.59999",
    "-0.0000000000000000000001",
    "1\n",
]
numerals = st.one_of(
    st.from_regex(
        re.compile(r"[+-]?[0-9]{0,22}\.?[0-9]{0,22}([eE][+-]?[0-9]{1,3})?", re.ASCII), fullmatch=True
    ),
    st.decimals(-400, 400, places=2).map(str),
    st.floats().map(repr),
    st.text(alphabet="0123456789+-.eE _xn ", max_size=12),
)


@pytest.mark.long
@pytest.mark.parametrize("column", first(2, NUMBERS), ids=lambda column: f"step {column.step}")
@settings(max_examples=10, deadline=None)
@given(texts=st.lists(numerals, min_size=50, max_size=200))
def test_numbers_are_exact_decimals_floored_to_the_step(column, texts):
    assert codes_of(column, AWKWARD + texts) == [code_by_hand(column, text) for text in AWKWARD + texts]


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.dates(date(1985, 1, 1), date(2031, 1, 1)).map(str),
            st.dates().map(lambda day: day.strftime("%Y/%m/%d").rjust(10, "0")),
            st.from_regex(r"\A20[0-9]{2}[-/][0-3][0-9][-/][0-3][0-9]( 1[0-9]:00)?\Z"),
            st.sampled_from(
                ["", " ", "infinity", "-infinity", "0000-01-01", "2020-1-2", "0044-03-15 (BC)", "today"]
            ),
        ),
        min_size=50,
    )
)
def test_dates_are_days_of_the_calendar(texts):
    column = Date(name="d", low=day_number(date(1990, 1, 1)), high=day_number(date(2026, 12, 31)))
    assert codes_of(column, texts) == [code_by_hand(column, text) for text in texts]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "it's", "", "A", " a", "rest", "zzz", "0", "NULL"]), min_size=20))
def test_categories_are_places_in_the_declared_list(texts):
    for other in (None, "rest"):
        column = Category(name="c", values=("a", "it's", "0", "rest"), other=other)
        assert codes_of(column, texts) == [code_by_hand(column, text) for text in texts]


def test_a_float_is_read_as_it_is_written():
    tenths = Number(name="n", low=0, high=100, step=Decimal("0.1"))
    assert codes_of(tenths, ["0.3", "0.7", "0.29999999999999999"]) == [3, 7, 2]


def test_ten_thousand_categories_are_coded(imported):
    values = [f"v{number}" for number in range(10_000)]
    column = "{type: category, values: [" + ", ".join(values) + "]}"
    source = ("pid,a\n" + "".join(f"p{value},{value}\n" for value in values)).encode()
    _, rows = imported(described({"a": column}), source)
    assert sorted(row[0] for row in rows) == list(range(10_000))


# Sources


COLUMNS = {
    "n": "{type: integer, min: 0, max: 50}",
    "x": "{type: decimal, min: -2, max: 2, step: 0.1}",
    "d": "{type: date, min: 2000-01-01, max: 2001-12-31}",
    "w": "{type: category, values: [a, b, ん], other: b}",
    "t": "{type: text}",
}
cells = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6)
records = st.tuples(
    st.sampled_from(["p1", "p2", "p3", ""]),
    st.one_of(st.integers(-10, 60).map(str), cells),
    st.one_of(st.floats(-3, 3).map(repr), st.just("")),
    st.one_of(st.dates(date(1999, 6, 1), date(2002, 6, 1)).map(str), cells),
    st.one_of(st.sampled_from(["a", "b", "ん"]), cells),
    cells,
)


@pytest.mark.long
@pytest.mark.parametrize("often", first(1, [8, 20]))
def test_csv_and_parquet_of_the_same_text_agree(imported, often):
    @settings(few_files, max_examples=often)
    @given(st.lists(records, max_size=15), st.sampled_from(["\n", "\r\n"]), st.sampled_from([",", ";", "\t"]))
    def hold(rows, newline, delimiter):
        names = ["pid", *COLUMNS]
        table = pa.table(
            {name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(names)}
        )
        text = "".join(
            delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) + newline
            for row in [names, *rows]
        )
        descriptor = described(COLUMNS, source=f'{{delimiter: "{delimiter}"}}'.replace("\t", "\\t"))
        from_csv, from_parquet = imported(descriptor, text.encode()), imported(descriptor, table)
        assert from_csv[1] == from_parquet[1]
        assert from_csv[0].columns == from_parquet[0].columns
        latest = sorted(
            imported.folder.glob("staging-*"), key=lambda path: int(path.name.rpartition("-")[2])
        )[-2:]
        vaults = [pq.read_table(folder / "vault/vault.parquet").to_pydict() for folder in latest]
        assert vaults[0] == vaults[1] == table.to_pydict()

    hold()


def test_typed_parquet_columns_mean_what_their_text_means(imported):
    days = [datetime(2000, 1, 1, 23, 59) + timedelta(days=place) for place in range(3)]
    table = pa.table(
        {
            "pid": pa.array([1, 2, 3], pa.int64()),
            "n": pa.array([5.0, float("nan"), 70.9], pa.float64()),
            "x": pa.array([Decimal("0.30"), None, Decimal("1.99")], pa.decimal128(5, 2)),
            "d": pa.array(days, pa.timestamp("us")),
            "w": pa.array(["a", "ん", None]).dictionary_encode(),
            "t": pa.array([True, False, None]),
        }
    )
    report, rows = imported(described(COLUMNS), table)
    first = day_number(days[0].date())
    assert Counter(row[:4] for row in rows) == Counter(
        [(5, 3, first, 0), (-1, -21, first + 1, 2), (50, 19, first + 2, -1)]
    )
    assert report.columns["n"] == ColumnCounts(clamped=1, unreadable=1)


def test_shift_jis_and_a_byte_order_mark_are_read(imported):
    columns = {"氏名": "{type: text}", "年齢": SMALL, "課": "{type: category, values: [総務, 税務]}"}
    text = "pid,課,年齢,氏名\n1,税務,20,表示\n2,総務,30,ソ能\n"
    shift_jis = imported(described(columns, source="{encoding: shift_jis}"), text.encode("shift_jis"))
    marked = imported(described(columns), b"\xef\xbb\xbf" + text.encode())
    assert shift_jis == marked
    assert Counter(row[:2] for row in marked[1]) == Counter([(20, 1), (30, 0)])


def test_a_name_full_of_wild_cards_is_only_a_name(imported):
    folder = imported.folder / "we[1]"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"pid,a\np,1\n")
    (folder / "*?.csv").write_bytes(b"pid,a\np,1\np,2\n")
    assert check(described({"a": SMALL}), folder / "*?.csv").rows_read == 2
    pq.write_table(pa.table({"pid": ["p"], "a": [1]}), folder / "*.parquet")
    assert check(described({"a": SMALL}), folder / "*.parquet").rows_read == 1


def test_no_declared_name_means_anything_to_the_server(imported):
    names = [
        "part",
        "number",
        "v",
        "s",
        "h",
        "x",
        "w",
        "t0",
        "c1",
        "place",
        "unit",
        "unit_text",
        "person",
        "coded",
        "rank",
        "n",
        "raw",
        "rows",
        "made",
        "work",
    ]
    source = (",".join(["pid", *names]) + "\np" + ",1e1" * len(names) + "\n").encode()
    _, rows = imported(described({f'"{name}"': SMALL for name in names}), source)
    assert rows == [(*[10] * len(names), 1, 1)]


@pytest.mark.skipif(not SHARED_ADULT.exists(), reason="../shared/data/adult is not here")
def test_the_adult_example_declares_every_value_of_its_file():
    report = check(parse((EXAMPLES / "adult.yaml").read_text("utf-8")), SHARED_ADULT)
    assert (report.rows_read, report.rows_kept) == (30_162, 30_162)
    assert set(report.columns.values()) == {ColumnCounts()}


# The bound


people = st.dictionaries(
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=8),
    max_size=6,
)


def as_csv(persons: dict[int, list[tuple[int, int]]], order: list[int]) -> bytes:
    rows = [f"p{person},{person},{a},{b}\n" for person, own in persons.items() for a, b in own]
    return ("pid,who,a,b\n" + "".join(rows[place] for place in order if place < len(rows))).encode()


def kept(rows: list[tuple]) -> dict[int, list[tuple]]:
    """Of each person, known by the column `who`: (rank, content) of the rows kept."""
    found = defaultdict(list)
    for who, a, b, rank, *_person in rows:
        found[who].append((rank, a, b))
    return {who: sorted(own) for who, own in found.items()}


@pytest.mark.parametrize("often", first(1, [8, 20]))
def test_one_person_more_changes_no_other_persons_rows(imported, often):
    """Also when the source comes in another order: the promise of the whole server rests on this."""

    @settings(few_files, max_examples=often)
    @given(
        people, st.integers(0, 30), st.permutations(range(60)), st.permutations(range(60)), st.integers(1, 4)
    )
    def hold(persons, newcomer, order, other_order, bound):
        descriptor = described({"who": SMALL, "a": SMALL, "b": SMALL}, bound=bound)
        without = {person: rows for person, rows in persons.items() if person != newcomer}
        enlarged = {**without, newcomer: [(1, 1), (2, 2), (3, 3), (2, 2)]}
        before = kept(imported(descriptor, as_csv(without, order))[1])
        after = kept(imported(descriptor, as_csv(enlarged, other_order))[1])
        assert len(after.pop(newcomer)) == bound
        assert after == before
        assert all(len(rows) == min(bound, len(without[who])) for who, rows in before.items())

    hold()


def test_no_person_has_more_rows_than_the_bound_and_ranks_are_a_prefix(imported):
    source = "pid,a\n" + "".join(f"p{row % 11},{row % 3}\n" for row in range(300))
    _, rows = imported(described({"a": SMALL}, bound=5), source.encode())
    ranks = defaultdict(list)
    for _, rank, person in rows:
        ranks[person].append(rank)
    assert set(map(tuple, ranks.values())) == {(1, 2, 3, 4, 5)}


@pytest.mark.long
def test_every_row_of_a_person_is_kept_about_as_often():
    """Equally spaced values too, which a polynomial alone would order unevenly."""
    schema = described({"a": SMALL}, bound=2).schema
    firsts: Counter[int] = Counter()
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE rows AS SELECT range::TINYINT AS c0 FROM range(10, 13)")
        for number in range(600):
            sql = f"SELECT c0 FROM rows ORDER BY {content_hash(schema, number.to_bytes(16, 'big'))} LIMIT 1"
            firsts[engine.execute(sql).fetchall()[0][0]] += 1
    assert all(165 < firsts[value] < 235 for value in (10, 11, 12)), firsts


def test_the_hash_is_plain_integer_arithmetic():
    """Any engine can compute it: here by hand."""
    from datasets.registration.ingest.statistics import PRIME, _number_below_prime

    schema = described({"a": SMALL, "b": SMALL}).schema
    value = _number_below_prime(SALT, b"start")
    for purpose in (b"first round", b"second round"):
        for code in (7, 42):
            value = (value * _number_below_prime(SALT, purpose) + code + 1) % PRIME
        value = pow(value, 5, PRIME)
    with duckdb.connect() as engine:
        sql = f"SELECT {content_hash(schema, SALT)} FROM (SELECT 7::TINYINT AS c0, 42::TINYINT AS c1)"
        assert engine.execute(sql).fetchall() == [(value,)]


@pytest.mark.parametrize("salt", [b"", b"short"])
def test_a_short_salt_is_refused(tmp_path, salt):
    with pytest.raises(ValueError, match="salt"):
        ingest(described({"a": SMALL}), tmp_path / "x", tmp_path, salt, lambda stage, share: None)
