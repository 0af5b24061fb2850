"""A descriptor is read strictly, and every fault says where in the text it is."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from datasets.descriptor import (
    INT64_MAX,
    NOISE_SCALES,
    ROW_CAPACITY,
    SCALE_PER_PRICE,
    SCHEMA_FILE,
    DescriptorError,
    SourceOptions,
    largest_reach,
    parse,
)
from privacy.budget import Price
from privacy.schema import Category, Date, Number, Text

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


def faults_of(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(DescriptorError) as refused:
        parse(text)
    return [(fault.line, fault.column, fault.message) for fault in refused.value.faults]


def changed(old: str, new: str) -> str:
    assert RESIDENTS.count(old) == 1
    return RESIDENTS.replace(old, new)


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
    """The place where the fault belongs is marked by a triangle."""
    before, after = changed(old, new).split("▸")
    place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    found = faults_of(before + after)
    assert any(place == (line, column) and message in told for line, column, told in found), found


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
    assert parse(file.read_text("utf-8")).schema.queryable


def test_the_descriptor_in_the_guide_is_good():
    guide = (ROOT / "docs" / "datasets.md").read_text("utf-8")
    assert parse(guide.split("```yaml\n")[1].split("```")[0]).lineage == "old-residents"
