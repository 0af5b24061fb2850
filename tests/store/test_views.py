"""Views: datasets joined on the person, bounded like any source, charged to everybody they tell about."""

import json
import random
import shutil
import tempfile
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from databases import MIGRATED, Beginning
from sqlalchemy import text
from town import CARE, CARE_CSV, add, join

from datasets.catalog import Catalog, DatasetVersion
from datasets.database.store import Store
from datasets.descriptor.descriptor import Descriptor, DescriptorError, parse, read
from datasets.engines.format import STATISTICS_FILE
from datasets.ledger.service import Ledger
from datasets.registration.errors import RegistrationRefused
from datasets.registration.ingest import IngestReport, JoinedPart, Limits, ingest_joined
from datasets.registration.ingest.errors import ImportProblem
from datasets.registration.lifecycle import retire
from datasets.registration.registry import Registered
from privacy import delta
from privacy.budget import Price
from privacy.schema import Category, Number

SALT = bytes(range(32))
RESIDENTS = """\
id: residents
title: {en: Residents}
body: "131016"
privacy: {unit: pid, max_rows_per_person: 1, measure: pure, cap: "20", max_per_query: "2"}
columns:
  district: {type: category, values: [chuo, "no", kita], labels: {ja: [中央, いいえ, 北]}, other: kita}
  weight: {type: decimal, min: -0.5, max: 200, step: 0.10, unit: kg, missing: allowed}
  name: {type: text}
"""
VIEW = """\
id: residents-care
title: {en: Residents and care}
body: "131016"
view: {of: [residents, care]}
privacy: {max_rows_per_person: 2, max_per_query: "1"}
columns:
  district: {from: residents}
  level: {from: care, column: care_level}
  weight: {from: residents}
"""
RESIDENTS_CSV = "pid,district,weight,name\np1,chuo,50.5,A\np2,no,,B\np3,kita,70,C\n,chuo,1,D\nP1,chuo,9,E\n"


@pytest.fixture
def store_url(sqlite_first_url: str) -> str:
    """What a database decides is tested with the ledger and the store; here its turn comes in the long lane."""
    return sqlite_first_url


class Shelf:
    """A place to register in."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.data_dir = store, folder / "data"

    def add(self, descriptor: str, csv: str) -> Registered:
        return add(self.store, self.data_dir, descriptor, csv)

    def join(self, text: str = VIEW) -> Registered:
        return join(self.store, self.data_dir, text)

    @property
    def catalog(self) -> Catalog:
        return Catalog(self.store, self.data_dir)

    def held(self, id: str = "residents-care") -> DatasetVersion:
        return self.catalog.current(id)


@cache
def templates() -> tempfile.TemporaryDirectory[str]:
    """Where the data lies that belongs to the databases of FILLED, until the process ends."""
    return tempfile.TemporaryDirectory(prefix="sudare-shelf-")


def template_of(store: Store) -> Path:
    return Path(templates().name) / store.engine.dialect.name


def fill(store: Store) -> None:
    shelf = Shelf(store, template_of(store))
    shelf.add(RESIDENTS, RESIDENTS_CSV)
    shelf.add(CARE, CARE_CSV)


FILLED = Beginning(name="residents_and_care", prepare=fill)


@pytest.fixture
def beginning(request: pytest.FixtureRequest) -> Beginning:
    return FILLED if "shelf" in request.fixturenames else MIGRATED


@pytest.fixture
def empty(store: Store, tmp_path: Path) -> Shelf:
    return Shelf(store, tmp_path)


@pytest.fixture
def shelf(empty: Shelf) -> Shelf:
    """Residents and their care, registered once and copied."""
    shutil.copytree(template_of(empty.store) / "data", empty.data_dir)
    return empty


def rows_of(held: DatasetVersion) -> list[tuple]:
    return rows_in(held.place.location)


def rows_in(folder: Path) -> list[tuple]:
    with duckdb.connect(folder / STATISTICS_FILE, read_only=True) as engine:
        return engine.execute("FROM rows").fetchall()


# What a view is


def test_a_view_takes_its_terms_and_domains_from_its_sources(shelf: Shelf) -> None:
    shelf.join()
    schema = shelf.held().schema
    residents = shelf.held("residents").schema
    assert (schema.unit, schema.measure, schema.rows_per_person) == ("pid", "pure", 2)
    assert (schema.cap, schema.price_per_query_max) == (Price.parse("10"), Price.parse("1"))
    district, level, weight = schema.columns
    assert district == residents.columns[0]
    assert isinstance(district, Category)
    assert (district.labels, district.other) == ({"ja": ("中央", "いいえ", "北")}, "kita")
    assert weight == residents.columns[1]
    assert level == Number(name="level", low=1, high=5)


def test_a_view_says_what_its_sources_say_unless_it_says_it_itself(shelf: Shelf) -> None:
    words = "title: {ja: 体重, en: Weight}, unit: {ja: キロ, en: kg}, description: 朝に量った体重"
    spoken = RESIDENTS.replace("unit: kg", words)
    shelf.add(spoken.replace("body:", "contact: 住民課\nbody:"), RESIDENTS_CSV)
    said = VIEW.replace("weight: {from: residents}", "weight: {from: residents, title: 体重（ビュー）}")
    shelf.join(said.replace("view:", "reference_date: 2026-04-01\nterms: {ja: 条件}\nview:"))
    about = shelf.held().schema.about
    assert about.members == {
        "reference_date": "2026-04-01",
        "row_is": {},
        "contact": {},
        "terms": {"ja": "条件"},
    }
    weight = about.column("weight")
    assert weight.title == {"ja": "体重（ビュー）", "en": "体重（ビュー）"}
    assert weight.description == {"ja": "朝に量った体重", "en": "朝に量った体重"}
    assert weight.unit == {"ja": "キロ", "en": "kg"}
    assert about.column("district").title == {}


@pytest.mark.parametrize(
    ("said", "expected"),
    [("", True), (", constant_per_person: true", True), (", constant_per_person: false", False)],
)
def test_what_is_constant_in_a_source_is_so_in_the_view_unless_that_says_otherwise(
    empty: Shelf, said: str, expected: bool
) -> None:
    empty.add(RESIDENTS.replace("other: kita}", "other: kita, constant_per_person: true}"), RESIDENTS_CSV)
    empty.add(CARE, CARE_CSV)
    empty.join(VIEW.replace("{from: residents}", f"{{from: residents{said}}}", 1))
    district, level, weight = empty.held().schema.columns
    constants = [column.constant_per_person for column in (district, level, weight)]  # type: ignore[union-attr]
    assert constants == [expected, False, False]


def test_a_view_may_say_itself_what_is_constant_and_sees_to_it_in_its_own_rows(empty: Shelf) -> None:
    # One row a person there, so that which of two districts is kept is decided by each registration by itself.
    empty.add(RESIDENTS, f"{RESIDENTS_CSV}p1,kita,60,A\n")
    empty.add(CARE, CARE_CSV)
    constant = VIEW.replace("{from: residents}", "{from: residents, constant_per_person: true}", 1)
    report = empty.join(constant).report
    districts: dict[int, set[int]] = defaultdict(set)
    for row in rows_of(empty.held()):
        districts[row[-1]].add(row[0])
    assert all(len(found) == 1 for found in districts.values())
    assert report.columns["district"].persons_not_constant == 1


def test_a_person_has_all_pairs_of_its_rows_up_to_the_bound(shelf: Shelf) -> None:
    report = shelf.join().report
    assert (report.rows_read, report.rows_kept, report.persons, report.dropped_by_bound) == (4, 3, 2, 1)
    assert (report.rows_without_person, report.problems) == (0, ())
    found = Counter((district, weight) for district, _, weight, _, _ in rows_of(shelf.held()))
    assert found == {(0, 505): 2, (2, 700): 1}


def test_the_joined_rows_lie_in_a_vault_as_text(shelf: Shelf) -> None:
    shelf.join()
    vault = shelf.held().place.location / "vault" / "vault.parquet"
    assert vault.stat().st_mode & 0o777 == 0o600
    assert pq.read_schema(vault).names == ["pid", "district", "level", "weight"]
    people = Counter(row["pid"] for row in pq.read_table(vault).to_pylist())
    assert people == {"p1": 3, "p3": 1}
    assert "A" not in {cell for row in pq.read_table(vault).to_pylist() for cell in row.values()}


def test_a_view_belongs_to_the_lineages_of_all_its_sources(shelf: Shelf) -> None:
    shelf.join()
    held = shelf.held()
    assert (held.lineages, held.lineage) == (("care", "residents"), "care")
    assert held.sources == {"residents": 1, "care": 1}
    assert shelf.held("care").lineages == ("care",)
    assert not shelf.held("care").is_view
    assert [state.holder for state in Ledger(shelf.store).all_accounts()] == ["care", "residents"]


def test_a_view_of_views_belongs_to_each_lineage_once(shelf: Shelf) -> None:
    shelf.join()
    again = VIEW.replace("id: residents-care", "id: wider").replace(
        "of: [residents, care]", "of: [care, residents-care]"
    )
    again = again.replace("{from: residents}", "{from: residents-care}")
    report = shelf.join(again).report
    assert shelf.held("wider").lineages == ("care", "residents")
    assert report.rows_read == 3 * 3 + 1


def test_datasets_of_one_lineage_are_joined_and_charged_once(shelf: Shelf) -> None:
    shelf.add(CARE.replace("id: care", "id: care-2\nlineage: care"), CARE_CSV.replace(",5,", ",4,"))
    shelf.join(
        VIEW.replace("[residents, care]", "[care, care-2]")
        .replace("{from: residents}", "{from: care-2, column: month}")
        .replace("  weight: {from: care-2, column: month}\n", "")
    )
    assert shelf.held().lineages == ("care",)
    assert shelf.held().is_view


def test_the_salt_of_a_view_is_its_own_and_stays(shelf: Shelf) -> None:
    """Rows are chosen alike in the next version, and no source's order tells of it."""
    csv = CARE_CSV + "".join(f"p1,{level % 5 + 1},2025-07-01\n" for level in range(20))
    shelf.add(CARE, csv)
    shelf.join()
    first = rows_of(shelf.held())
    shelf.join()
    assert (shelf.held().version, rows_of(shelf.held())) == (2, first)
    with shelf.store.reading() as connection:
        salts = set(connection.execute(text("SELECT salt FROM lineages")).scalars())
    assert len(salts) == 2


def test_a_new_version_of_a_source_changes_nothing_about_the_view(shelf: Shelf) -> None:
    shelf.join()
    before = rows_of(shelf.held())
    shelf.add(CARE.replace("max: 5", "max: 7"), CARE_CSV + "p2,7,2025-04-01\n")
    assert (shelf.held().sources["care"], rows_of(shelf.held())) == (1, before)
    assert shelf.held().schema.columns[1] == Number(name="level", low=1, high=5)
    shelf.join()
    assert (shelf.held().sources["care"], len(rows_of(shelf.held()))) == (2, 4)
    assert shelf.held().schema.columns[1] == Number(name="level", low=1, high=7)


def test_registering_a_source_again_is_measured_by_its_own_terms_and_not_the_views(shelf: Shelf) -> None:
    """The view's cap is the lowest of its sources' and stands under the first lineage's name."""
    shelf.join(VIEW.replace('max_per_query: "1"', 'max_per_query: "0.5"'))
    shelf.add(CARE, CARE_CSV + "p2,2,2025-04-01\n")
    shelf.add(RESIDENTS, RESIDENTS_CSV + "p4,chuo,1,F\n")
    assert shelf.held("residents").version == 2


# What a view cannot be

FURTHER = {
    "gone": (RESIDENTS.replace("id: residents", "id: gone"), RESIDENTS_CSV + "p7,chuo,1,G\n"),
    "nobody": (
        RESIDENTS.replace("id: residents", "id: nobody").replace("unit: pid", "unit: null"),
        "district,weight,name\nchuo,1,x\n",
    ),
    "rho": (
        CARE.replace("id: care", "id: rho").replace("pure", 'zcdp, delta: "1e-9"'),
        CARE_CSV + "p8,1,2025-05-01\n",
    ),
}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[residents, care]", "[residents, ▸nowhere]", "nowhere is no registered dataset"),
        ("[residents, care]", "[residents, ▸gone]", "gone is retired"),
        ("[residents, care]", "[residents, ▸nobody]", "nobody names no person"),
        ("[residents, care]", "[residents, ▸rho]", "rho is accounted in zcdp, the first source in pure"),
        ("column: care_level", "column: ▸level", "care declares no column 'level'"),
        (
            "district: {from: residents}",
            "district: {from: residents, column: ▸name}",
            "name is text in residents: no question can name it",
        ),
        ('max_per_query: "1"', 'max_per_query: ▸"11"', "is above 10, the lowest cap of its sources"),
        ("  level: {from: care,", "  ▸pid: {from: care,", "is the unit of privacy"),
        ("  level: {", "  ▸DISTRICT: {", "differs from 'district' by capitals only"),
    ],
)
def test_a_view_is_refused_with_line_and_column(shelf: Shelf, old: str, new: str, message: str) -> None:
    changed = VIEW.replace(old, new)
    for id in FURTHER:
        if f"▸{id}]" in new:
            shelf.add(*FURTHER[id])
            changed = changed.replace("from: care", f"from: {id}")
    if "gone" in new:
        retire(shelf.store, "gone", by="tester")
    changed = changed.replace("from: care", "from: nowhere") if "nowhere" in new else changed
    before, after = changed.split("▸")
    place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    with pytest.raises(DescriptorError) as refused:
        shelf.join(before + after)
    found = [(fault.line, fault.column, fault.message.en) for fault in refused.value.faults]
    assert any((line, column) == place and message in told for line, column, told in found), found
    assert not any(held.id == "residents-care" for held in shelf.catalog.all())


def test_sums_that_fit_a_source_may_not_fit_a_view_with_a_larger_bound(shelf: Shelf) -> None:
    big = CARE.replace("id: care", "id: big").replace("max: 5", "max: 100000000")
    shelf.add(big.replace("max_rows_per_person: 3", "max_rows_per_person: 1"), CARE_CSV + "p5,1,2025-04-01\n")
    joined = VIEW.replace("care]", "big]").replace("from: care", "from: big")
    shelf.join(joined)
    with pytest.raises(DescriptorError, match=r"line 8, column 3: columns.level: sums could exceed 64 bits"):
        shelf.join(joined.replace("max_rows_per_person: 2", "max_rows_per_person: 9000"))


def test_a_view_cannot_contain_itself_at_any_depth(shelf: Shelf) -> None:
    def view(id: str, *of: str) -> str:
        return (
            f'id: {id}\ntitle: {{en: V}}\nbody: "131016"\nview: {{of: [{", ".join(of)}]}}\n'
            'privacy: {max_rows_per_person: 2, max_per_query: "1"}\n'
            f"columns:\n  weight: {{from: {of[0]}}}\n"
        )

    shelf.join(view("a", "residents", "care"))
    shelf.join(view("b", "a", "care"))
    shelf.join(view("c", "b", "residents"))
    with pytest.raises(DescriptorError, match="c is itself joined from a: a view cannot contain itself"):
        shelf.join(view("a", "residents", "c"))
    with pytest.raises(DescriptorError, match="is the view itself"):
        read(view("a", "residents", "a"))
    assert shelf.held("a").version == 1


def test_a_view_keeps_its_lineages_for_ever(shelf: Shelf) -> None:
    shelf.join()
    shelf.add(CARE.replace("id: care", "id: school"), CARE_CSV + "p6,1,2025-04-01\n")
    with pytest.raises(RegistrationRefused, match="joins the lineages care, residents"):
        shelf.join(VIEW.replace("[residents, care]", "[residents, care, school]"))


def test_a_view_and_a_dataset_never_take_each_others_name(shelf: Shelf) -> None:
    shelf.join()
    shelf.add(CARE.replace("id: care", "id: school"), CARE_CSV + "y,1,2025-04-01\n")
    with pytest.raises(RegistrationRefused, match="residents-care is a view"):
        shelf.add(CARE.replace("id: care", "id: residents-care"), CARE_CSV + "x,1,2025-04-01\n")
    with pytest.raises(RegistrationRefused, match="which is a view: name one of its sources"):
        shelf.add(
            CARE.replace("id: care", "id: other\nlineage: residents-care"), CARE_CSV + "x,1,2025-04-01\n"
        )
    with pytest.raises(RegistrationRefused, match="a source of its own"):
        shelf.join(VIEW.replace("id: residents-care", "id: school"))


def test_a_retired_view_is_not_registered_again(shelf: Shelf) -> None:
    shelf.join()
    retire(shelf.store, "residents-care", by="tester")
    with pytest.raises(RegistrationRefused, match="retired"):
        shelf.join()


# Neighbours


def vault(folder: Path, name: str, unit: str, rows: list[tuple[str, ...]], *columns: str) -> JoinedPart:
    names = [unit, *columns]
    table = pa.table({column: [row[place] for row in rows] for place, column in enumerate(names)})
    file = folder / f"{name}.parquet"
    pq.write_table(table.cast(pa.schema([(column, pa.string()) for column in names])), file)
    return JoinedPart(vault=file, unit=unit, columns={column: column for column in columns})


JOINED = parse("""\
id: v
title: {en: V}
body: "131016"
privacy: {unit: a, max_rows_per_person: 3, measure: pure, cap: 9, max_per_query: 1}
columns:
  x: {type: integer, min: 0, max: 99}
  y: {type: integer, min: 0, max: 99}
""")


def joined(
    folder: Path, first: list[tuple[str, ...]], second: list[tuple[str, ...]]
) -> tuple[IngestReport, list[tuple]]:
    folder.mkdir()
    parts = [vault(folder, "first", "a", first, "x"), vault(folder, "second", "b", second, "y")]
    staging = folder / "staging"
    staging.mkdir()
    report = ingest_joined(JOINED, parts, staging, SALT, lambda stage, share: None)
    return report, rows_in(staging)


def people_of(rows: list[tuple]) -> Counter[tuple]:
    """The persons as their kept rows in rank order: numbers of persons tell nothing."""
    people = defaultdict(list)
    for x, y, rank, person in rows:
        people[person].append((rank, x, y))
    return Counter(tuple(sorted(kept)) for kept in people.values())


@pytest.mark.parametrize("seed", range(6))
def test_one_person_more_with_all_rows_changes_no_other_persons_rows(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    first, second = (
        [(f"p{dice.randrange(12)}", str(dice.randrange(40))) for _ in range(dice.randrange(10, 60))]
        for _ in range(2)
    )
    _, rows = joined(tmp_path / "with", first, second)
    for person in ("p0", "p5"):
        without = [[row for row in part if row[0] != person] for part in (first, second)]
        for part in without:
            dice.shuffle(part)
        _, fewer = joined(tmp_path / f"without-{person}", *without)
        gone = people_of(rows) - people_of(fewer)
        assert people_of(fewer) - people_of(rows) == Counter()
        assert sum(gone.values()) <= 1
        assert all(len(kept) <= 3 for kept in gone)


@pytest.mark.parametrize("seed", range(3))
def test_the_join_is_what_a_loop_over_all_pairs_finds(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    first, second = (
        [
            (dice.choice(["p1", "p2", "P2", "", " ", "p 3", "é", "p1 "]), str(dice.randrange(40)))
            for _ in range(25)
        ]
        for _ in range(2)
    )
    report, rows = joined(tmp_path / "made", first, second)
    by_hand = defaultdict(list)
    for a, x in first:
        for b, y in second:
            if a == b and a.strip(" "):
                by_hand[a].append((int(x), int(y)))
    assert report.rows_read == sum(map(len, by_hand.values()))
    assert report.persons == len(by_hand)
    assert report.rows_kept == len(rows) == sum(min(3, len(pairs)) for pairs in by_hand.values())
    assert {(x, y) for x, y, *_ in rows} <= {pair for pairs in by_hand.values() for pair in pairs}


def test_people_who_stand_in_one_source_only_are_not_in_the_view(tmp_path: Path) -> None:
    report, rows = joined(tmp_path / "made", [("p1", "1")], [("p2", "2")])
    assert (report.rows_read, report.persons, rows) == (0, 0, [])


def test_a_join_that_would_fill_the_disk_is_refused_before_it_begins(tmp_path: Path) -> None:
    """One person with 10^5 rows in each of two parts makes 10^10."""
    rows = [("p1", "1")] * 100_000
    with pytest.raises(ImportProblem, match="more than 2\\^33"):
        joined(tmp_path / "made", rows, rows)
    assert list((tmp_path / "made" / "staging").iterdir()) == []


@pytest.mark.long
def test_a_join_keeps_within_little_memory(tmp_path: Path) -> None:
    """Two million joined rows, each with its text, in 200 MiB."""
    first = [(f"p{number % 50}", "1") for number in range(10_000)]
    second = [(f"p{number % 50}", "2") for number in range(10_000)]
    folder = tmp_path / "made"
    folder.mkdir()
    parts = [vault(folder, "first", "a", first, "x"), vault(folder, "second", "b", second, "y")]
    staging = folder / "staging"
    staging.mkdir()
    report = ingest_joined(
        JOINED, parts, staging, SALT, lambda stage, share: None, Limits(memory_mib=200, threads=2)
    )
    assert (report.rows_read, report.rows_kept) == (2_000_000, 150)


# Accounted in ρ


RHO = RESIDENTS.replace('measure: pure, cap: "20"', 'measure: zcdp, delta: "1e-9", cap: "20"')
PURSE = RHO.replace('delta: "1e-9"', 'delta: "1e-9", delta_per_query: "1e-10", delta_cap: "1e-6"')


def test_a_dataset_in_rho_opens_its_account_with_its_total_of_delta(empty: Shelf) -> None:
    empty.add(PURSE, RESIDENTS_CSV)
    (account,) = Ledger(empty.store).all_accounts()
    assert (account.granted, account.delta_granted) == (Price.parse("20"), 10**12)
    body = json.loads(Ledger(empty.store).journal(lineage=account.lineage)[0].body)
    assert body["delta"] == "0.000001"
    assert Ledger(empty.store).verify() == []


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        (RESIDENTS, RHO, "a lineage never changes its measure. Keep `measure: pure`"),
        (RHO, RESIDENTS, "a lineage never changes its measure. Keep `measure: zcdp`"),
        (RHO, RHO.replace('cap: "20"', 'cap: "21"'), "never changes a cap"),
        (RHO, PURSE, "delta_cap says 0.000001, the registered dataset has 0"),
        (PURSE, RHO, "delta_cap says 0, the registered dataset has 0.000001"),
    ],
)
def test_a_lineage_keeps_what_it_is_counted_in(empty: Shelf, first: str, then: str, message: str) -> None:
    empty.add(first, RESIDENTS_CSV)
    for next_one in (then, then.replace("id: residents", "id: renamed\nlineage: residents")):
        with pytest.raises(RegistrationRefused) as refused:
            empty.add(next_one, RESIDENTS_CSV + "p6,chuo,1,H\n")
        assert message in str(refused.value)


def test_how_delta_is_shown_and_priced_may_change(empty: Shelf) -> None:
    empty.add(PURSE, RESIDENTS_CSV)
    empty.add(PURSE.replace("1e-9", "1e-8").replace("1e-10", "1e-11"), RESIDENTS_CSV)
    assert empty.held("residents").version == 2


def test_a_view_in_rho_takes_the_strictest_terms_of_its_sources(empty: Shelf) -> None:
    empty.add(PURSE, RESIDENTS_CSV)
    purse = 'zcdp, delta: "1e-12", delta_per_query: "1e-9", delta_cap: "1e-7"'
    empty.add(CARE.replace("pure", purse), CARE_CSV)
    empty.join()
    schema = empty.held().schema
    assert (schema.measure, schema.delta) == ("zcdp", delta.parse("1e-12"))
    assert (schema.delta_per_query, schema.delta_cap) == (delta.parse("1e-9"), delta.parse("1e-7"))


def test_a_view_has_no_purse_where_a_source_has_none(empty: Shelf) -> None:
    empty.add(PURSE, RESIDENTS_CSV)
    empty.add(CARE.replace("pure", 'zcdp, delta: "1e-12"'), CARE_CSV)
    empty.join()
    schema = empty.held().schema
    assert (schema.delta_per_query, schema.delta_cap) == (None, None)


def test_a_written_view_is_a_descriptor_like_any_other(shelf: Shelf) -> None:
    shelf.join()
    with shelf.store.reading() as connection:
        written = connection.execute(
            text("SELECT descriptor FROM versions WHERE dataset = 'residents-care'")
        ).scalar_one()
    assert isinstance(read(written), Descriptor)
    assert parse(written).schema == shelf.held().schema
