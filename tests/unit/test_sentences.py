"""A question in a sentence, in both languages: everything that changes the answer is said."""

import re
from dataclasses import fields
from typing import Any

import pytest

from api.queries.schemas import QuerySchema, WorkloadSchema, to_query
from datasets.descriptor.descriptor import parse
from privacy.query import AGGREGATES, COMPARISONS, Key, Query, Statistic
from privacy.sentences import COMPARED, COUNTS, LENGTH_MAX, OF_COLUMN, sentence
from privacy.words import Words

DESCRIPTOR = """
id: people
title: {ja: 人, en: People}
body: "131016"
privacy: {unit: person, max_rows_per_person: 1, measure: pure, cap: "20", max_per_query: "2"}
units: {household: {column: household_id, title: {ja: 世帯, en: households}}}
columns:
  household_id: {type: text, role: identifier}
  district:
    type: category
    title: {ja: 区, en: district}
    values: [chuo, kita]
    labels: {ja: [中央区, 北区], en: [Chuo-ku, Kita-ku]}
  age: {type: integer, title: {ja: 年齢, en: age}, min: 0, max: 119, unit: {ja: 歳, en: years}}
  income: {type: integer, title: {ja: 所得, en: income}, min: 0, max: 9000000, unit: {ja: 円, en: JPY}}
  moved_in: {type: date, title: {ja: 転入日, en: day of moving in}, min: 2020-01-01, max: 2026-12-31}
"""
SCHEMA = parse(DESCRIPTOR).schema
BUDGET = {"budget": {"epsilon": "0.5"}}
OLD = {"column": "age", "op": ">=", "value": 65}
WORKING = {"column": "age", "op": "between", "value": [15, 64]}


def said(body: dict[str, Any]) -> Words:
    schema = WorkloadSchema if "tables" in body else QuerySchema
    return sentence(to_query(schema().load({**body, **BUDGET})), SCHEMA)


def test_what_is_counted_by_what_and_for_whom() -> None:
    words = said(
        {
            "select": [{"agg": "count"}, {"agg": "mean", "column": "income", "clamp": [0, 8000000]}],
            "where": {"all": [{"column": "district", "op": "in", "value": ["chuo", "kita"]}, OLD]},
            "group_by": [{"column": "district"}, {"column": "age", "bins": [65, 75, 119]}],
            "totals": True,
        }
    )
    assert words.ja == (
        "区・年齢（65、75、119 で区切る）ごとの人数、所得の平均（0〜8,000,000円に制限）。"
        "対象：区が中央区、北区のいずれか、かつ年齢が65歳以上。合計の行を含む。"
    )
    assert words.en == (
        "Number of persons, mean of income (clamped to 0 – 8,000,000 JPY) by district and age (cut at 65, 75, 119). "
        "For: district is one of Chuo-ku, Kita-ku and age is at least 65 years. With totals."
    )


@pytest.mark.parametrize("agg", AGGREGATES)
def test_every_statistic_has_words(agg: str) -> None:
    needs = {
        "ratio": {"numerator": OLD, "denominator": WORKING},
        "quantile": {"q": 0},
        "count_units": {"unit": "household"},
    }
    column = {"column": "income"} if agg in OF_COLUMN else {}
    words = said({"select": [{"agg": agg, **column, **needs.get(agg, {})}]})
    assert words.ja.startswith("全体の")
    assert not re.search(r"[A-Za-z{}]", words.ja)


@pytest.mark.parametrize("op", COMPARISONS)
def test_every_comparison_has_words(op: str) -> None:
    value = {"is_missing": {}, "in": {"value": [20]}, "between": {"value": [20, 30]}}.get(op, {"value": 20})
    where = {"not": {"any": [{"column": "age", "op": op, **value}, WORKING]}}
    words = said({"select": [{"agg": "count"}], "where": where})
    assert "年齢が" in words.ja
    assert "age is" in words.en
    assert op == "is_missing" or "20" in words.ja


def test_a_workload_names_its_tables() -> None:
    tables = [{"as": "a", "group_by": [{"column": "district"}]}, {"as": "b", "group_by": []}]
    words = said({"select": [{"agg": "count"}], "tables": tables})
    assert words.ja == "2 つの表（区／すべて）の人数。"


def test_groups_conditions_and_clamps_of_single_statistics_are_said() -> None:
    words = said(
        {
            "select": [
                {"agg": "count", "where": OLD},
                {"agg": "mean", "column": "income", "clamp": {"north": [0, 5000000], "*": [0, 8000000]}},
                {"agg": "count_units", "unit": "household"},
            ],
            "group_by": [{"column": "district", "groups": {"north": ["kita"], "south": ["chuo"]}}],
        }
    )
    assert words.ja == (
        "区（north、south）ごとの人数（対象：年齢が65歳以上）、"
        "所得の平均（northは 0〜5,000,000円、その他は 0〜8,000,000円に制限）、世帯数。"
    )
    assert "number of households" in words.en


def test_what_is_done_with_the_released_table_is_said() -> None:
    words = said(
        {
            "select": [{"as": "n", "agg": "count"}],
            "group_by": [{"column": "district"}],
            "derive": [{"as": "half", "of": ["n", "/", 2]}, {"as": "share", "share_of_total": "n"}],
            "having": {"not": {"any": [{"n": "<10"}, {"column": "half", "op": ">", "value": 900}]}},
            "order_by": [{"column": "n", "descending": True}, "district"],
            "limit": 3,
        }
    )
    assert words.ja == (
        "区ごとの人数。half は n / 2 で計算。share は n の合計に占める割合。"
        "公表値が「「n が 10 未満、またはhalf が 900 を超える」でない」の行だけを表示。"
        "n の降順、district の昇順で並べ替え。先頭の 3 行まで表示。"
    )
    assert words.en.endswith("Shown: the first 3 rows at most.")


def test_long_lists_are_cut_and_say_how_much_is_missing() -> None:
    days = [f"2020-01-{day:02d}" for day in range(1, 31)]
    terms = [{"column": "moved_in", "op": "in", "value": days} for _ in range(30)]
    words = said({"select": [{"agg": "count"}], "where": {"any": terms}})
    assert "ほか 22 件" in words.ja
    assert "22 more" in words.en
    short = [{"column": "moved_in", "op": "in", "value": days[:20]}] * 4
    deep = {"all": [{"any": [{"all": short}] * 8}]}
    assert len(said({"select": [{"agg": "count"}], "where": deep}).en) == LENGTH_MAX


SAID: dict[Any, set[str]] = {
    Query: {
        "select",
        "where",
        "group_by",
        "rows_per_person",
        "totals",
        "whole",
        "tables",
        "derive",
        "having",
        "order_by",
        "limit",
    },
    Statistic: {
        "agg",
        "column",
        "clamp",
        "per_person_clamp",
        "q",
        "numerator",
        "denominator",
        "where",
        "clamps",
        "unit",
    },
    Key: {"column", "bins", "by", "groups"},
}
LEFT_OUT: dict[Any, set[str]] = {
    # How exactly, at what price and under which names: the answer's other members say that.
    Query: {"budget", "weights", "weights_at", "mechanism", "priced_in", "mode", "reuse"},
    Statistic: {"name", "value_bounds"},
    # A cell more for missing: its row shows it.
    Key: {"missing"},
}


@pytest.mark.parametrize("part", SAID)
def test_every_member_is_said_or_left_out_on_purpose(part: Any) -> None:
    """Whoever adds a member of the language decides whether a reader who was not there must hear of it."""
    assert {member.name for member in fields(part)} == SAID[part] | LEFT_OUT[part]


def test_counts_of_rows_are_no_counts_of_persons() -> None:
    rows = parse(DESCRIPTOR.replace("max_rows_per_person: 1", "max_rows_per_person: 3")).schema
    asked = to_query(QuerySchema().load({"select": [{"agg": "count"}], **BUDGET}))
    assert sentence(asked, rows).ja == f"全体の{COUNTS['rows'].ja}。"
    assert sentence(asked, SCHEMA).ja == f"全体の{COUNTS['persons'].ja}。"
    assert COMPARED.keys() == set(COMPARISONS)
