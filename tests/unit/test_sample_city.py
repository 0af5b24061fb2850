"""The sample city: the same from the same seed, shaped like a Japanese city, and as its descriptors say."""

import datetime
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
import yaml

from datasets.sample import FILES, generate
from datasets.sample.places import CHOME_CODES, CHOME_NAMES, DISTRICT_CODES
from datasets.sample.pyramid import pyramid
from datasets.sample.write import CHUNK_RESIDENTS

RESIDENTS = 60_000
SMALL = 3_000
REFERENCE_DATE = datetime.date(2026, 4, 1)
DESCRIPTORS = Path(__file__).parents[2] / "datasets" / "sample"


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """One generated city, to be read by all tests."""
    return generate(tmp_path_factory.mktemp("city"), residents=RESIDENTS, seed=7)


@pytest.fixture(scope="module")
def ask(city):
    """Ask a question in SQL about the tables residents, care and childcare; get rows of plain values."""
    with duckdb.connect() as connection:
        for name, path in city.items():
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{path}')")
        yield lambda sql: connection.execute(sql).fetchall()


def descriptor(name):
    return yaml.safe_load((DESCRIPTORS / f"{name}.yaml").read_text(encoding="utf-8"))


def declared_columns():
    return [(name, column) for name in FILES for column in descriptor(name)["columns"]]


# The same city again


def test_same_seed_gives_the_same_city(tmp_path):
    once = generate(tmp_path / "once", residents=SMALL, seed=5)
    again = generate(tmp_path / "again", residents=SMALL, seed=5)
    assert all(pq.read_table(once[name]).equals(pq.read_table(again[name])) for name in FILES)


def test_different_seeds_give_different_cities(tmp_path):
    one = generate(tmp_path / "one", residents=SMALL, seed=1)
    two = generate(tmp_path / "two", residents=SMALL, seed=2)
    assert all(not pq.read_table(one[name]).equals(pq.read_table(two[name])) for name in FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_the_same_whether_or_not_others_are_written(tmp_path, name):
    everything = generate(tmp_path / "all", residents=SMALL)
    alone = generate(tmp_path / "one", residents=SMALL, files=[name])
    assert list(alone) == [name]
    assert pq.read_table(alone[name]).equals(pq.read_table(everything[name]))


# Any size


@pytest.mark.parametrize("residents", [1, 2, 3, 10, 999])
def test_a_city_has_exactly_as_many_residents_as_asked(tmp_path, residents):
    paths = generate(tmp_path, residents=residents)
    assert pq.read_metadata(paths["residents"]).num_rows == residents


def test_a_single_resident_lives_alone(tmp_path):
    paths = generate(tmp_path, residents=1)
    (person,) = pq.read_table(paths["residents"]).to_pylist()
    assert (person["household_size"], person["relation"]) == (1, "head")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"residents": 0}, "residents must be from 1"),
        ({"residents": -1}, "residents must be from 1"),
        ({"residents": 100_000_001}, "residents must be from 1"),
        ({"seed": -1}, "seed must not be negative"),
        ({"files": []}, "files must name"),
        ({"files": ["taxes"]}, "files must name"),
    ],
)
def test_an_impossible_city_is_refused_before_anything_is_written(tmp_path, wrong, said):
    with pytest.raises(ValueError, match=said):
        generate(tmp_path / "city", **wrong)
    assert not (tmp_path / "city").exists()


def test_a_large_city_is_written_chunk_by_chunk_with_progress(tmp_path):
    total, calls = CHUNK_RESIDENTS + 10, []
    paths = generate(
        tmp_path, residents=total, files=["residents"], progress=lambda *call: calls.append(call)
    )
    chunks = pq.ParquetFile(paths["residents"]).metadata
    assert [chunks.row_group(place).num_rows for place in range(2)] == [CHUNK_RESIDENTS, 10]
    assert calls == [(CHUNK_RESIDENTS, total), (total, total)]
    identifiers = pq.read_table(paths["residents"], columns=["resident_id"]).column("resident_id")
    assert len(identifiers.unique()) == total


def test_an_interrupted_run_leaves_no_file_behind(tmp_path):
    class Interrupted(Exception):
        pass

    def interrupt(done, total):
        raise Interrupted

    with pytest.raises(Interrupted):
        generate(tmp_path, residents=SMALL, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_writes_the_files_and_names_them(tmp_path):
    command = [sys.executable, "-m", "datasets.sample", str(tmp_path), "--residents", "100", "--seed", "3"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, cwd=DESCRIPTORS.parents[1]
    )
    assert done.stdout.split() == [str(tmp_path / f"{name}.parquet") for name in FILES]
    assert "100 of 100 residents" in done.stderr


# As the descriptors say


@pytest.mark.parametrize("name", FILES)
def test_file_and_descriptor_have_the_same_columns(city, name):
    said = descriptor(name)
    assert pq.read_schema(city[name]).names == [said["privacy"]["unit"], *said["columns"]]


@pytest.mark.parametrize(("name", "column"), declared_columns())
def test_every_value_lies_in_the_declared_domain(ask, name, column):
    said = descriptor(name)["columns"][column]
    if said["type"] == "category":
        values = {value for (value,) in ask(f"SELECT DISTINCT {column} FROM {name}")}
        assert values <= set(said["values"])
        return
    low, high, missing = ask(f"SELECT min({column}), max({column}), count(*) - count({column}) FROM {name}")[
        0
    ]
    assert missing == 0 or said.get("missing") == "allowed"
    if said["type"] == "text":
        assert said["role"] == "identifier"
        assert low
    else:
        assert said["min"] <= low <= high <= said["max"]


@pytest.mark.parametrize("name", FILES)
def test_every_category_value_has_a_label_in_both_languages(name):
    for column in descriptor(name)["columns"].values():
        if column["type"] == "category":
            assert {len(labels) for labels in column["labels"].values()} == {len(column["values"])}
            assert set(column["labels"]) == {"ja", "en"}
            assert column["other"] is False or column["other"] in column["values"]


def test_descriptors_name_the_places_of_the_city():
    columns = descriptor("residents")["columns"]
    assert columns["district"]["values"] == list(DISTRICT_CODES)
    assert columns["chome"]["values"] == list(CHOME_CODES)
    assert columns["chome"]["labels"]["ja"] == list(CHOME_NAMES)


@pytest.mark.parametrize("name", FILES)
def test_the_bound_on_rows_per_person_keeps_nine_rows_in_ten(ask, name):
    privacy = descriptor(name)["privacy"]
    rows = f"SELECT count(*) AS rows FROM {name} GROUP BY {privacy['unit']}"
    ((kept,),) = ask(f"SELECT sum(least(rows, {privacy['max_rows_per_person']})) / sum(rows) FROM ({rows})")
    assert kept >= 0.9


def test_readers_see_plain_text_and_decimal_yen(city):
    person = pq.read_table(city["residents"]).slice(0, 1).to_pylist()[0]
    assert isinstance(person["district"], str)
    assert isinstance(person["income"], Decimal)


# People


def test_identifiers_are_unique_and_tell_no_order(ask):
    ((people, alike),) = ask(
        "SELECT count(DISTINCT resident_id),"
        " count(*) FILTER (substr(resident_id, 2) = substr(household_id, 2)) FROM residents"
    )
    assert people == RESIDENTS
    assert alike < 10


def test_age_is_what_the_birth_date_gives_on_the_reference_date(ask):
    people = ask("SELECT birth_date, age FROM residents USING SAMPLE 2000 ROWS (reservoir, 1)")
    for born, age in people:
        before_birthday = (born.month, born.day) > (REFERENCE_DATE.month, REFERENCE_DATE.day)
        assert age == REFERENCE_DATE.year - born.year - before_birthday


def test_three_residents_in_ten_are_sixty_five_or_over(ask):
    ((share,),) = ask("SELECT avg((age >= 65)::INT) FROM residents")
    assert 0.25 < share < 0.33


def test_most_of_the_very_old_are_women(ask):
    ((share,),) = ask("SELECT avg((sex = 'female')::INT) FROM residents WHERE age >= 85")
    assert share > 0.6


def test_both_baby_booms_and_the_dent_of_1966_show_in_the_pyramid():
    by_age = pyramid().sum(axis=0)
    assert by_age[76:79].min() > 1.3 * by_age[80]
    assert by_age[52:55].min() > 1.2 * by_age[42]
    assert by_age[59] < 0.9 * min(by_age[58], by_age[61])


def test_generated_people_follow_the_pyramid(ask):
    drawn = dict(ask("SELECT age // 5, count(*) FROM residents GROUP BY 1"))
    wanted = pyramid().sum(axis=0).reshape(-1, 5).sum(axis=1)
    assert all(abs(drawn[band] / RESIDENTS - wanted[band]) < 0.005 for band in range(18))


def test_foreign_residents_are_few_and_young(ask):
    ((share, theirs, ours),) = ask(
        "SELECT avg((nationality <> 'japan')::INT), median(age) FILTER (nationality <> 'japan'),"
        " median(age) FILTER (nationality = 'japan') FROM residents"
    )
    assert 0.02 < share < 0.045
    assert theirs + 10 < ours


def test_young_adults_moved_in_later_than_the_old(ask):
    ((young, old),) = ask(
        "SELECT median(moved_in) FILTER (age BETWEEN 22 AND 34),"
        " median(moved_in) FILTER (age >= 65) FROM residents"
    )
    assert (young - old).days > 5 * 365


# Households


def test_household_sizes_are_those_of_a_japanese_city(ask):
    ((alone, mean),) = ask(
        "SELECT avg((household_size = 1)::INT), avg(household_size) FROM residents WHERE relation = 'head'"
    )
    assert 0.35 < alone < 0.41
    assert 2.1 < mean < 2.3


def test_a_household_has_one_head_one_address_and_its_stated_size(ask):
    broken = ask(
        "SELECT household_id FROM residents GROUP BY household_id"
        " HAVING count(*) <> any_value(household_size) OR count(DISTINCT address) <> 1"
        " OR count(*) FILTER (relation = 'head') <> 1 OR count(*) FILTER (relation = 'spouse') > 1"
    )
    assert broken == []


def test_an_address_lies_in_its_neighbourhood(ask):
    names = dict(zip(CHOME_CODES, CHOME_NAMES, strict=True))
    people = ask("SELECT address, chome, district FROM residents LIMIT 500")
    assert all(address.startswith(names[chome]) for address, chome, _ in people)
    assert all(chome.startswith(f"{district}-") for _, chome, district in people)


def test_children_are_younger_and_parents_older_than_heads(ask):
    ((children, parents),) = ask(
        "SELECT min(head.age - member.age) FILTER (member.relation = 'child'),"
        " min(member.age - head.age) FILTER (member.relation = 'parent')"
        " FROM residents head JOIN residents member USING (household_id) WHERE head.relation = 'head'"
    )
    assert children >= 15
    assert parents >= 15


# Money


def test_income_is_missing_below_fifteen_and_rarely_above(ask):
    ((children, adults),) = ask(
        "SELECT count(income) FILTER (age < 15), avg((income IS NULL)::INT) FILTER (age >= 15) FROM residents"
    )
    assert children == 0
    assert 0.01 < adults < 0.06


def test_household_incomes_are_skewed_with_a_heavy_tail_clipped_at_thirty_million(ask):
    homes = "SELECT household_id, sum(income)::DOUBLE AS yen FROM residents GROUP BY household_id"
    ((mean, median),) = ask(f"SELECT avg(yen), median(yen) FROM ({homes})")
    assert 3_500_000 < median < 4_800_000
    assert 1.2 < mean / median < 1.5
    ((top, clipped),) = ask("SELECT max(income), avg((income = 30000000)::INT) FROM residents")
    assert top == 30_000_000
    assert clipped < 0.002


def test_members_of_a_household_share_their_luck(ask):
    ((together,),) = ask(
        "SELECT corr(ln(head.income), ln(spouse.income)) FROM residents head"
        " JOIN residents spouse USING (household_id) WHERE head.relation = 'head'"
        " AND spouse.relation = 'spouse' AND head.income > 0 AND spouse.income > 0"
        " AND head.age BETWEEN 30 AND 55"
    )
    assert 0.15 < together < 0.6


# Care and childcare


def test_the_share_with_care_benefits_rises_steeply_with_age(ask):
    shares = ask(
        "SELECT avg((resident_id IN (SELECT resident_id FROM care))::INT) FROM residents"
        " WHERE age BETWEEN 65 AND 94 GROUP BY age // 10 ORDER BY age // 10"
    )
    sixties, seventies, eighties, nineties = (share for (share,) in shares)
    assert sixties < 0.04
    assert 2 * sixties < seventies
    assert 2.5 * seventies < eighties < 0.45
    assert nineties > 0.5


def test_care_rows_repeat_what_the_register_says(ask):
    ((rows, agreeing),) = ask(
        "SELECT count(*), count(*) FILTER (care.age = residents.age AND care.sex = residents.sex"
        " AND care.district = residents.district) FROM care LEFT JOIN residents USING (resident_id)"
    )
    assert rows == agreeing > RESIDENTS / 2


def test_a_person_has_a_service_once_a_month_and_one_care_level(ask):
    assert ask("SELECT 1 FROM care GROUP BY resident_id, month, service HAVING count(*) > 1") == []
    assert ask("SELECT 1 FROM care GROUP BY resident_id HAVING count(DISTINCT care_level) > 1") == []


def test_higher_care_levels_cost_more(ask):
    monthly = ask(
        "SELECT sum(amount) / count(DISTINCT (resident_id, month)) FROM care"
        " WHERE care_level <> 'support1' GROUP BY care_level ORDER BY care_level"
    )
    care1, _, care3, _, care5, support2 = (yen for (yen,) in monthly)
    assert support2 < care1 < care3 < care5


def test_childcare_is_free_from_class_three_and_dearer_for_richer_homes(ask):
    ((free,),) = ask("SELECT max(fee) FROM childcare WHERE class_age >= 3")
    assert free == 0
    ((together,),) = ask(
        "SELECT corr(childcare.fee, home.yen) FROM childcare JOIN residents ON child_id = resident_id"
        " JOIN (SELECT household_id, sum(income)::DOUBLE AS yen FROM residents GROUP BY household_id) home"
        " USING (household_id)"
        " WHERE class_age < 3 AND waiting = 'no'"
    )
    assert together > 0.4


def test_only_waiting_children_have_no_facility(ask):
    assert ask("SELECT DISTINCT waiting FROM childcare WHERE facility_type = 'none'") == [("yes",)]
    assert ask("SELECT DISTINCT waiting FROM childcare WHERE facility_type <> 'none'") == [("no",)]


@pytest.mark.long
def test_no_child_has_a_place_before_its_birth(ask):
    early = ask(
        "SELECT 1 FROM childcare JOIN residents ON child_id = resident_id"
        " WHERE birth_date + 57 > month LIMIT 1"
    )
    assert early == []
