"""A descriptor is read strictly, and every fault says where in the text it is."""

import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from datasets.descriptor.descriptor import (
    Descriptor,
    DescriptorError,
    SourceOptions,
    View,
    ViewColumn,
    parse,
    read,
)
from datasets.descriptor.structure import SCHEMA_FILE
from privacy.about import About
from privacy.budget import Price
from privacy.schema import Category, Date, Number, Text
from privacy.statistics import INT64_MAX, NOISE_SCALES, ROW_CAPACITY, SCALE_PER_PRICE, largest_reach
from privacy.words import LANGUAGES

ROOT = Path(__file__).resolve().parents[2]

RESIDENTS = """\
id: residents
title: {ja: 住民基本台帳, en: Residents}
body: "131016"
privacy:
  unit: resident_id
  max_rows_per_person: 1
  measure: pure
  cap: "20"
  max_per_query: "1"
columns:
  district: {type: category, values: [chuo, kita], labels: {ja: [中央, 北]}, other: false}
  answer: {type: category, values: [no, yes, 1, 0.10, null, true, 2020-01-01], other: no}
  age: {type: integer, min: 0, max: 119}
  weight: {type: decimal, min: -0.5, max: 200, step: 0.10, unit: kg, missing: allowed}
  moved_in: {type: date, min: 1990-01-01, max: 2026-12-31}
  氏名: {type: text}
"""


ZCDP = RESIDENTS.replace('measure: pure\n  cap: "20"', 'measure: zcdp\n  delta: "1e-9"\n  cap: "20"')
PURSE = ZCDP.replace('"1e-9"', '"1e-9"\n  delta_per_query: "1e-10"\n  delta_cap: 0.000001')
VIEW = """\
id: residents-care
title: {ja: 住民と介護, en: Residents and care}
body: "131016"
view: {of: [residents, care]}
privacy: {max_rows_per_person: 6, max_per_query: "1"}
columns:
  district: {from: residents}
  level: {from: care, column: care_level}
"""


def faults_of(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(DescriptorError) as refused:
        read(text)
    return [(fault.line, fault.column, fault.message.en) for fault in refused.value.faults]


def changed(old: str, new: str, text: str = RESIDENTS) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


def fault_is_at_triangle(text: str, message: str) -> None:
    """The place where the fault belongs is marked by a triangle."""
    before, after = text.split("▸")
    place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    found = faults_of(before + after)
    assert any(place == (line, column) and message in told for line, column, told in found), found


def test_a_good_descriptor_becomes_a_schema():
    descriptor = parse(RESIDENTS)
    schema = descriptor.schema
    assert schema.unit == "resident_id"
    assert schema.cap == Price.parse("20")
    assert schema.price_per_query_max == Price.parse("1")
    assert descriptor.source == SourceOptions(delimiter=",", encoding="utf-8", quote='"')
    assert descriptor.lineage == "residents"
    assert descriptor.text == RESIDENTS
    district, _, age, weight, moved_in, name = schema.columns
    assert district == Category(name="district", values=("chuo", "kita"), labels={"ja": ("中央", "北")})
    assert age == Number(name="age", low=0, high=119)
    assert weight == Number(
        name="weight", low=-5, high=2000, step=Decimal("0.1"), unit="kg", kind="decimal", missing_allowed=True
    )
    assert moved_in == Date(name="moved_in", low=7305, high=20818)
    assert name == Text(name="氏名", role="identifier")


def test_what_is_said_to_people_changes_nothing_else():
    spoken = changed('body: "131016"', 'body: "131016"\nreference_date: 2026-04-01\nrow_is: 住民 1 人')
    spoken = changed(
        "unit: kg", "unit: {ja: キロ, en: kg}, title: {ja: 体重}, description: {en: of 2025}", spoken
    )
    schema, plain = parse(spoken).schema, parse(RESIDENTS).schema
    assert schema.columns == plain.columns
    assert (schema.about.reference_date, schema.about.row_is) == (
        "2026-04-01",
        dict.fromkeys(LANGUAGES, "住民 1 人"),
    )
    weight = schema.about.column("weight")
    assert (weight.title, weight.description) == ({"ja": "体重"}, {"en": "of 2025"})
    assert weight.unit == {"ja": "キロ", "en": "kg"}
    assert plain.about == About()


def test_words_in_a_list_of_values_stay_words():
    answer = parse(RESIDENTS).schema.columns[1]
    assert isinstance(answer, Category)
    assert answer.values == ("no", "yes", "1", "0.10", "null", "true", "2020-01-01")
    assert answer.other == "no"


def test_rows_may_be_persons():
    schema = parse(changed("unit: resident_id", "unit: null")).schema
    assert schema.unit is None


def test_a_source_may_say_how_it_is_written():
    text = changed("privacy:", 'source: {delimiter: "\\t", encoding: cp932, quote: null}\nprivacy:')
    assert parse(text).source == SourceOptions(delimiter="\t", encoding="cp932", quote=None)


def test_a_renamed_dataset_keeps_the_account_of_its_lineage():
    assert parse(changed("id: residents\n", "id: people\nlineage: residents\n")).lineage == "residents"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id: residents", "id: ▸Residents", "must be a small letter"),
        ("id: residents\n", "id: residents\nlineage: ▸residents\n", "own id"),
        ("title: {ja: 住民基本台帳, en: Residents}", "title: ▸{}", "at least 1 entry"),
        ("{ja: 住民", "{▸nihon: 住民", "not a language"),
        ('"131016"', '▸"13101"', "must be the six digits"),
        ("privacy:\n", "▸private:\n", "unknown key 'private'"),
        ("  unit: resident_id\n  ", "  ▸", "'unit' is missing"),
        ("unit: resident_id", "unit: null\n  ▸max: 2", "unknown key 'max'"),
        ("  age: {type", "  ▸resident_id: {type", "not declared again"),
        ("max_rows_per_person: 1", "max_rows_per_person: ▸0", "at least 1"),
        ("max_rows_per_person: 1", 'max_rows_per_person: ▸"1"', "must be a whole number"),
        ("max_rows_per_person: 1", "max_rows_per_person: ▸1.5", "must be a whole number"),
        ("measure: pure", "measure: ▸zcdp", "zcdp needs a delta"),
        ('cap: "20"\n  max_per_query: ', 'cap: "0.5"\n  max_per_query: ▸', "is above the cap of 0.5"),
        ('cap: "20"', 'cap: ▸"2e1"', "positive decimal in plain notation"),
        ('cap: "20"', 'cap: ▸"0"', "above zero"),
        ('cap: "20"', 'cap: "20"\n  ▸delta: "1e-9"', "delta belongs to zcdp"),
        ("values: [chuo, kita]", "values: [chuo, ▸chuo]", "is the same as value 1"),
        ("values: [chuo, kita]", "values: ▸[]", "at least 1 entry"),
        ("values: [chuo, kita]", 'values: [chuo, ▸""]', "must not be empty"),
        ("{ja: [中央, 北]}", "{ja: ▸[中央]}", "has 1 labels for 2 values"),
        ("other: false", "other: ▸elsewhere", "one of the values, or false"),
        ("other: false", "▸colour: red", "unknown key 'colour'"),
        ("min: 0, max: 119", "min: ▸0.5, max: 119", "whole number"),
        ("min: 0, max: 119", "min: 120, max: ▸119", "must be above min"),
        ("{type: integer, min: 0, max: 119", "▸{type: integer, max: 119", "'min' is missing"),
        ("max: 200,", "max: ▸200.05,", "not a whole multiple of the step 0.1"),
        ("step: 0.10", "step: ▸0", "must be above zero"),
        ("step: 0.10", "step: ▸0.0000000001", "at most 18 digits before and 9 after"),
        (
            "weight: {type: decimal, min: -0.5, max: 200,",
            "▸weight: {type: decimal, min: -0.5, max: 100000000,",
            "sums could exceed 64 bits",
        ),
        ("missing: allowed", "missing: ▸yes", "must be allowed"),
        ("1990-01-01,", "▸1990-02-30,", "not a day of the calendar"),
        ("1990-01-01, max: ", "2027-01-01, max: ▸", "must be after min"),
        ("{type: text}", "{type: ▸texts}", "one of category, integer"),
        ("{type: text}", "▸{role: quasi}", "'type' is missing"),
        ("{type: text}", "▸text", "must be a mapping such as"),
        ('body: "131016"', 'reference_date: ▸2026-02-30\nbody: "131016"', "not a day of the calendar"),
        ('body: "131016"', 'reference_date: ▸2026\nbody: "131016"', "must be a date such as"),
        (
            'body: "131016"',
            'row_is: {ja: 人, ▸japanese: x}\nbody: "131016"',
            "not a language that is spoken here: ja, en",
        ),
        (
            'body: "131016"',
            'contact: {ja: 課, ▸fr: x}\nbody: "131016"',
            "'fr' is not a language that is spoken",
        ),
        ('body: "131016"', 'terms: {▸ko: x}\nbody: "131016"', "'ko' is not a language that is spoken"),
        ("unit: kg", "unit: kg, title: {ja: 体重, ▸zh: x}", "'zh' is not a language that is spoken"),
        ('body: "131016"', '▸unit: {h: {column: c}}\nbody: "131016"', "(did you mean units?)"),
        ("max_rows_per_person:", "▸max_row_per_person:", "(did you mean max_rows_per_person?)"),
        ('body: "131016"', 'contact: ▸[a]\nbody: "131016"', "must be text, or texts by language"),
        ('body: "131016"', 'terms: ▸{}\nbody: "131016"', "at least 1 entry"),
        ('body: "131016"', f'terms: ▸{"x" * 1001}\nbody: "131016"', "at most 1000 characters"),
        ("min: 0, max: 119", "title: ▸[], min: 0, max: 119", "must be text, or texts by language"),
        ("min: 0, max: 119", 'description: {ja: ▸""}, min: 0, max: 119', "must not be empty"),
        ("unit: kg", "unit: {ja: ▸{}}", "must be text"),
        ("  氏名:", "  ▸氏 名:", "a column name is a letter"),
        ("  氏名:", "  ▸District:", "differs from 'district' by capitals only"),
        ("  氏名:", "  ▸age:", "'age' stands twice"),
        ("  氏名:", "  ▸file_row_number:", "uses itself"),
        ("  氏名:", "  ▸が:", "composed form"),
        ("title: {ja", "title: ▸&t {ja", "anchors"),
        ("en: Residents", "en: ▸*t", "aliases"),
        ("en: Residents", "en: ▸!!str Residents", "tags"),
        ("unit: resident_id", "▸<<: {}", "merge keys"),
        ("en: Residents}", "en: [Residents▸}", "not valid YAML"),
        ("en: Residents", 'en: ▸"Resi\\ndents"', "control characters"),
    ],
)
def test_a_fault_names_its_line_and_column(old, new, message):
    fault_is_at_triangle(changed(old, new), message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('\n  delta: "1e-9"', "", "zcdp needs a delta"),
        ('delta: "1e-9"', 'delta: ▸"0"', "above 0 and at most 0.001"),
        ('delta: "1e-9"', 'delta: ▸"0.01"', "above 0 and at most 0.001"),
        ('delta: "1e-9"', 'delta: ▸"1e-19"', "at most 18 decimals"),
        ('delta: "1e-9"', "delta: ▸-1", "above 0 and at most 0.001"),
        ('delta: "1e-9"', "delta: ▸[1e-9]", "must be a δ above 0"),
        ('\n  delta_per_query: "1e-10"', "", "needs delta_per_query beside it"),
        ("\n  delta_cap: 0.000001", "", "needs delta_cap beside it"),
        ('delta_per_query: "1e-10"', 'delta_per_query: ▸"1e-5"', "is above delta_cap"),
        ("delta_cap: 0.000001", "delta_cap: ▸1", "above 0 and at most 0.001"),
        ("delta_cap: 0.000001", "▸delta_total: 1", "unknown key 'delta_total'"),
    ],
)
def test_a_fault_in_terms_of_zcdp_names_its_line_and_column(old, new, message):
    text = changed(old, new, PURSE)
    if "▸" not in text:  # what stands there without the other half
        at = {"zcdp": "zcdp", "delta_per_query": "delta_cap", "delta_cap": "delta_per_query"}
        wanted = next(at[key] for key in at if key in message)
        text = text.replace(wanted, f"▸{wanted}", 1)
    fault_is_at_triangle(text, message)


def test_a_dataset_may_be_accounted_in_rho():
    schema = parse(PURSE).schema
    assert (schema.measure, schema.delta) == ("zcdp", Fraction(1, 10**9))
    assert (schema.delta_per_query, schema.delta_cap) == (Fraction(1, 10**10), Fraction(1, 10**6))
    assert (schema.cap, schema.price_per_query_max) == (Price.parse("20"), Price.parse("1"))


def test_a_purse_of_delta_may_be_left_out():
    schema = parse(ZCDP).schema
    assert (schema.measure, schema.delta_per_query, schema.delta_cap) == ("zcdp", None, None)


@pytest.mark.parametrize("key", ["delta", "delta_per_query", "delta_cap"])
def test_no_delta_belongs_to_a_pure_dataset(key):
    text = changed('cap: "20"', f'cap: "20"\n  ▸{key}: "1e-9"')
    fault_is_at_triangle(text, f"{key} belongs to zcdp; pure needs none")


def test_a_view_says_what_it_joins_and_takes_from_where():
    view = read(VIEW)
    assert isinstance(view, View)
    assert (view.id, view.sources, view.rows_per_person) == ("residents-care", ("residents", "care"), 6)
    assert view.price_per_query_max == Price.parse("1")
    assert view.columns == (
        ViewColumn(name="district", source="residents", column="district"),
        ViewColumn(name="level", source="care", column="care_level"),
    )


def test_a_view_is_not_the_descriptor_of_a_source():
    with pytest.raises(DescriptorError, match="line 4, column 7: view: this describes a view"):
        parse(VIEW)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[residents, care]", "▸[residents]", "at least 2 entries"),
        ("[residents, care]", "[residents, ▸residents]", "stands twice"),
        ("[residents, care]", "[residents, care, ▸residents-care]", "is the view itself"),
        ("[residents, care]", "[residents, ▸Care]", "a small letter"),
        ("view: {of: [residents, care]}", "view: ▸[residents, care]", "must be a mapping such as"),
        ("of: [residents, care]", "of: [residents, care], ▸on: pid", "unknown key 'on'"),
        ("of: [residents, care]", "of: [" + ", ".join(f"d{n}" for n in range(9)) + "]", "at most 8 entries"),
        ("{from: residents}", "{from: ▸school}", "must be one of residents, care"),
        ("{from: residents}", "▸{column: district}", "'from' is missing"),
        ("{from: residents}", "{from: residents, ▸type: text}", "unknown key 'type'"),
        ("{from: residents}", "▸residents", "must be a mapping such as {from: residents}"),
        ("  district:", "  ▸dis trict:", "a column name is a letter"),
        ("  level:", "  ▸District:", "differs from 'district' by capitals only"),
        ("max_rows_per_person: 6", "max_rows_per_person: ▸0", "at least 1"),
        ("max_rows_per_person: 6", "max_rows_per_person: 6, ▸measure: pure", "unknown key 'measure'"),
        ('max_per_query: "1"', 'max_per_query: ▸"0"', "above zero"),
        ('body: "131016"', 'body: "131016"\n▸lineage: residents', "unknown key 'lineage'"),
        ('body: "131016"', 'body: "131016"\n▸source: {}', "unknown key 'source'"),
    ],
)
def test_a_fault_in_a_view_names_its_line_and_column(old, new, message):
    text = changed(old, new, VIEW)
    fault_is_at_triangle(text if "▸" in text else text.replace("of: [", "of: ▸["), message)


def test_all_faults_are_told_in_the_order_of_the_text():
    text = changed("max: 119", "max: -1").replace("1990-01-01", "1990-13-01").replace('cap: "20"', 'cap: "0"')
    assert [line for line, _, _ in faults_of(text)] == [8, 13, 15]


def test_rows_without_a_unit_are_one_a_person():
    text = RESIDENTS.replace("unit: resident_id", "unit: null").replace("person: 1", "person: 2")
    assert faults_of(text) == [(6, 24, "must be 1, since without a unit each row is one person")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "[]",
        "\ud800",
        "\x00",
        "a: " + "[" * 2000,
        "a: b\n---\nc: d",
        "- " * 5000,
        "x" * (2 << 20),
        "? [a]\n: b",
    ],
)
def test_text_that_is_no_descriptor_is_refused(text):
    assert faults_of(text)


def test_many_faults_are_cut_off():
    columns = "".join(f"  c{number}: {{type: nothing}}\n" for number in range(900))
    assert len(faults_of(RESIDENTS + columns)) == 100


@given(st.text(max_size=60))
def test_no_text_crashes_the_parser(text):
    with pytest.raises(DescriptorError):
        parse(text)


@given(
    st.integers(-(10**6), 10**6),
    st.integers(1, 10**6),
    st.sampled_from(["1", "0.1", "0.25", "5", "1000", "0.000000001"]),
)
def test_bounds_become_whole_steps(low, width, step):
    size = Decimal(step)
    bounds = f"min: {low * size:f}, max: {(low + width) * size:f}, step: {step}"
    text = changed("{type: integer, min: 0, max: 119}", f"{{type: decimal, {bounds}}}")
    age = parse(text).schema.columns[2]
    assert isinstance(age, Number)
    assert (age.low, age.high, age.step) == (low, low + width, size)


@given(st.integers(1, 10_000))
def test_sums_of_the_largest_reach_fit_and_of_one_more_do_not(rows_per_person):
    def worst_sum(reach: int) -> int:
        return ROW_CAPACITY * reach + NOISE_SCALES * rows_per_person * reach * SCALE_PER_PRICE

    reach = largest_reach(rows_per_person)
    assert worst_sum(reach) <= INT64_MAX < worst_sum(reach + 1)


def test_the_schema_file_is_a_json_schema():
    Draft202012Validator.check_schema(json.loads(SCHEMA_FILE.read_text("utf-8")))


@pytest.mark.parametrize(
    "file",
    [ROOT / "examples" / "adult.yaml", *sorted((ROOT / "datasets" / "sample").glob("*.yaml"))],
    ids=str,
)
def test_the_descriptors_that_come_with_sudare_are_good(file):
    described = read(file.read_text("utf-8"))
    assert described.columns if isinstance(described, View) else described.schema.queryable


def test_the_descriptor_in_the_guide_is_good():
    guide = (ROOT / "docs" / "datasets.md").read_text("utf-8")
    dataset, view = (read(part.split("```")[0]) for part in guide.split("```yaml\n")[1:])
    assert isinstance(dataset, Descriptor)
    assert isinstance(view, View)
    assert (dataset.lineage, view.sources) == ("old-residents", ("residents", "care"))


def descriptions(schema: object) -> Iterator[dict[str, object]]:
    """Every part of a JSON Schema that has a description."""
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    if isinstance(schema, dict) and isinstance(schema.get("description"), str):
        yield schema
    for part in parts:
        yield from descriptions(part)


def test_every_description_of_a_value_has_its_japanese_twin():
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    described = list(descriptions(schema["$defs"]))
    assert described
    assert all("x-description-ja" in part for part in described)


@pytest.mark.parametrize(
    ("old", "new", "japanese"),
    [
        ("max: 119", "max: -1", "13 行目 37 文字目：columns.age.max：min より大きくなければなりません"),
        (
            'cap: "20"',
            'cap: "-"',
            "引用符で囲んだ正の十進数（指数表記なし、小数 9 桁まで）でなければなりません",
        ),
        ("body:", "town: x\nbody:", "不明なキー 'town' です。使えるキー：id, lineage, population"),
        ("unit: resident_id", "unit: &a resident_id", "アンカー（&名前）は使えません"),
    ],
)
def test_a_fault_is_told_in_japanese_too(old: str, new: str, japanese: str) -> None:
    with pytest.raises(DescriptorError) as refused:
        read(changed(old, new))
    assert japanese in refused.value.message().ja


GROUPED = """
id: town
title: {ja: 町, en: Town}
body: "131016"
privacy: {unit: null, max_rows_per_person: 1, measure: pure, cap: "20", max_per_query: "1"}
columns:
  district:
    type: category
    values: [kita, nishi, minami]
    groups:
      area: {北: [kita, nishi], south: [minami]}
      school: {a: [kita]}
  age: {type: integer, min: 0, max: 119, groups: {0〜4歳: {from: 0, to: 4}, other: [9, {from: 6, to: 8}]}}
  moved: {type: date, min: 2026-01-01, max: 2026-12-31, groups: {spring: {from: 2026-03-01, to: 2026-05-31}}}
  weight: {type: decimal, min: 0, max: 9, step: 0.1, groups: {light: [0.3, {from: 0.5, to: 0.7}]}}
"""


def test_groups_of_values_are_declared_once_or_by_name():
    columns = {column.name: column for column in parse(GROUPED).schema.queryable}
    found = {
        name: [(one.name, dict(zip(one.labels, one.intervals, strict=True))) for one in column.groupings]
        for name, column in columns.items()
    }
    assert found == {
        "district": [("area", {"北": ((0, 1),), "south": ((2, 2),)}), ("school", {"a": ((0, 0),)})],
        "age": [("groups", {"0〜4歳": ((0, 4),), "other": ((6, 9),)})],
        "moved": [("groups", {"spring": ((20513, 20604),)})],
        "weight": [("groups", {"light": ((3, 3), (5, 7))})],
    }


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (
            "[minami]}",
            "[minami, kita]}",
            "line 11, column 39: columns.district.groups.area.south: holds kita",
        ),
        (
            "[minami]}",
            "[ueno]}",
            "line 11, column 40: columns.district.groups.area.south[0]: 'ueno' is not a decl",
        ),
        ("{a: [kita]}", "{a: []}", "columns.district.groups.school.a: holds no value"),
        ("{a: [kita]}", "{a: kita}", "columns.district.groups.school: must be groups such as"),
        ("{a: [kita]}", "[kita]", "columns.district.groups.school: must be groups such as"),
        ("{a: [kita]}", "{}", "columns.district.groups.school: must be groups such as"),
        (
            "{a: [kita]}",
            "{a: [{from: kita, to: nishi}]}",
            "school.a[0]: is a range, which needs a column with",
        ),
        ("{a: [kita]}", "{a: [[kita]]}", "school.a[0]: must be a value, or a range"),
        ("{from: 0, to: 4}", "{from: 4, to: 0}", "columns.age.groups.0〜4歳.to: must not be below from"),
        (
            "{from: 0, to: 4}",
            "{from: 0, to: 6}",
            "columns.age.groups.other: holds 6, which is in the group 0〜4歳",
        ),
        (
            "{from: 0, to: 4}",
            "{from: -1, to: 4}",
            "columns.age.groups.0〜4歳.from: '-1' is not a declared value",
        ),
        ("2026-05-31", "2026-02-30", "columns.moved.groups.spring.to: '2026-02-30' is not a declared value"),
        (
            "[0.3,",
            "[0.35,",
            "columns.weight.groups.light[0]: '0.35' is not a declared value; declared: 0.0 … 9.0",
        ),
        ("light:", "' light':", "columns.weight.groups. light: a name is one visible line"),
    ],
)
def test_groups_that_do_not_fit_are_told_with_their_line(before, after, fault):
    assert GROUPED.count(before) == 1
    with pytest.raises(DescriptorError) as caught:
        parse(GROUPED.replace(before, after))
    (found,) = str(caught.value).splitlines()
    assert fault in found
