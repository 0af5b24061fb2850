"""Answers in the hands of whoever did not ask: every form of every kind of answer says what its columns are."""

import csv
import io
import itertools
import json
import re
from typing import Any

import openpyxl
import pyarrow.ipc
import pytest
from japanese import JAPANESE
from odd_requests import ARROW, CSV
from small_town import Town, Visitor

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
JSON = "application/json"
WARDS = """
id: wards
title: {ja: 住民（見本）, en: Residents (sample)}
body: "131016"
row_is: {ja: 転入の届出 1 件, en: one notice of moving in}
contact: {ja: 統計係, en: Statistics section}
terms: {ja: 出典を示すこと, en: Name the source}
privacy: {unit: person, max_rows_per_person: 2, measure: pure, cap: "1000", max_per_query: "2"}
units: {household: {column: hid, title: {ja: 世帯, en: households}}}
columns:
  district:
    type: category
    title: {ja: 区, en: ward}
    values: [chuo, kita, minami]
    labels: {ja: [中央区, 北区, 南区], en: [Chuo-ku, Kita-ku, Minami-ku]}
    groups: {side: {川の北: [chuo, minami], 川の南: [kita]}}
  age:
    type: integer
    title: {ja: 年齢, en: age}
    min: 0
    max: 119
    unit: {ja: 歳, en: years}
    groups: {life: {子ども: [{from: 0, to: 14}], 高齢者: [{from: 65, to: 119}]}}
  income: {type: integer, title: {ja: 所得, en: income}, min: 0, max: 9000000, unit: {ja: 円, en: yen}}
"""
ROWS = "person,hid,district,age,income\n" + "".join(
    f"p{n},h{n // 2},{('chuo', 'kita', 'minami')[n % 3]},{n},{n * 1000}\n" for n in range(90)
)
BY = [{"column": "district"}]
N = {"as": "n", "agg": "count"}
OLD = {"as": "old", "agg": "count", "where": {"column": "age", "op": ">=", "value": 65}}
DERIVED = [
    {"as": "share", "of": ["old", "/", "n"]},
    {"as": "per", "of": ["n", "/", 2]},
    {"as": "part", "share_of_total": "n"},
]
DECLARED = [{"column": "district", "groups": "side"}, {"column": "age", "groups": True}]
OWN = [{"column": "district", "groups": {"edge": ["chuo", "minami"]}, "missing": False}]
INCOME = {"as": "s", "agg": "mean", "column": "income"}
MEDIAN = {"as": "m", "agg": "median", "column": "age"}
QUESTIONS: dict[str, dict[str, Any]] = {
    "derive": {"select": [N, OLD], "group_by": BY, "derive": DERIVED},
    "having, order and limit": {
        "select": [N],
        "group_by": BY,
        "having": {"n": ">-100"},
        "order_by": [{"column": "n", "descending": True}],
        "limit": 2,
    },
    "nothing left": {"select": [N], "group_by": BY, "derive": DERIVED[1:], "having": {"n": ">100000"}},
    "clamp by group": {
        "select": [{**INCOME, "clamp": {"chuo": [0, 8000000], "*": [0, 5000000]}}],
        "group_by": BY,
    },
    "clamp by bin": {
        "select": [{**INCOME, "clamp": {"[20,40)": [0, 8000000]}}],
        "group_by": [{"column": "age", "bins": [0, 20, 40, 119]}],
    },
    "where of a statistic": {"select": [OLD, {**INCOME, "where": OLD["where"]}]},
    "ratio": {"select": [{"as": "r", "agg": "ratio", "numerator": OLD["where"]}]},
    "declared groups": {"select": [N], "group_by": DECLARED},
    "groups": {"select": [N], "group_by": OWN},
    "units": {"select": [{"as": "h", "agg": "count_units", "unit": "household"}], "group_by": BY},
    "totals": {"select": [N], "group_by": DECLARED, "totals": True, "derive": DERIVED[1:]},
    "workload": {
        "select": [N],
        "tables": [{"as": "a", "group_by": BY}, {"as": "b", "group_by": DECLARED[1:]}],
        "derive": DERIVED[1:],
    },
    "value_bounds": {"select": [{**MEDIAN, "value_bounds": True}], "group_by": BY},
    "median": {"select": [MEDIAN]},
}
_keys = itertools.count()


@pytest.fixture(scope="module")
def wards(template: Town, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    town = template.copy(tmp_path_factory.mktemp("wards") / "town")
    town.register(WARDS, ROWS, [("wards", "user", "aoi", "400")])
    return town.open()


def ask(wards: Visitor, name: str, accept: str = JSON, how: str = "", **more: Any) -> Any:
    body = {"budget": {"epsilon": "1"}, **QUESTIONS[name], **more}
    kind = "workloads" if "tables" in body else "queries"
    key = f"forwarded-{next(_keys)}"
    return wards.post(f"/v1/datasets/wards/{kind}{how}", body, "aoi", Accept=accept, Idempotency_Key=key)


def read(accept: str, body: bytes) -> tuple[list[str], int]:
    """The names of the columns and the number of rows."""
    if accept == JSON:
        told = json.loads(body)
        return [column["name"] for column in told["columns"]], len(told["rows"])
    if accept == ARROW:
        table = pyarrow.ipc.open_stream(body).read_all()
        return table.column_names, table.num_rows
    rows = [*csv.reader(io.StringIO(body.decode()))] if accept == CSV else cells(body, 0)
    return rows[0], len(rows) - 1


def cells(body: bytes, sheet: int) -> list[list[Any]]:
    return [
        [cell.value for cell in row]
        for row in openpyxl.load_workbook(io.BytesIO(body)).worksheets[sheet].iter_rows()
    ]


def explained(wards: Visitor, name: str) -> tuple[str, str]:
    """The sheet of notes of an answer, its Japanese and English columns."""
    told = ask(wards, name, XLSX)
    assert told.status_code == 200, told.text
    lines = cells(told.data, 1)
    return "\n".join(f"{line[0]}\t{line[1]}" for line in lines), "\n".join(str(line[2]) for line in lines)


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_form_tells_every_kind_of_answer(wards: Visitor, name: str) -> None:
    first = ask(wards, name)
    assert first.status_code == 200, first.text
    again = first.headers["Content-Location"]
    expected = read(JSON, first.data)
    for accept in (CSV, XLSX, ARROW):
        for told in (ask(wards, name, accept), wards.get(again, Accept=accept)):
            assert told.status_code == 200, told.text
            assert read(accept, told.data) == expected
        labelled = wards.get(f"{again}?labels=ja", Accept=accept)
        assert labelled.status_code == 200, labelled.text
        rehearsed = ask(wards, name, accept, mode="dummy")
        assert rehearsed.status_code == 200, rehearsed.text
        assert read(accept, rehearsed.data)[0] == expected[0]


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_column_tells_numbers_of_columns_and_codes(wards: Visitor, name: str) -> None:
    for column in ask(wards, name).json["columns"]:
        assert "[" not in column.get("statistic", "")
        if column["role"] == "value":
            assert JAPANESE.search(column["statistic_text"]["ja"])
            assert not JAPANESE.search(column["statistic_text"]["en"])


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_member_of_a_description_stands_in_the_japanese_notes(wards: Visitor, name: str) -> None:
    japanese, _ = explained(wards, name)
    columns = [line.split("\t")[1] for line in japanese.splitlines() if line.startswith("列 ")]
    assert columns
    for line in columns:
        assert not re.search(r"statistic|mechanism|household|persons|_laplace|noisy|[a-z]: |\"|\{", line), (
            line
        )


def test_statistics_of_equal_conditions_are_told_again_and_of_others_are_not(wards: Visitor) -> None:
    first = ask(wards, "where of a statistic")
    same = {"not": {"column": "age", "op": "<", "value": 65}}
    renamed = [{**OLD, "as": "x", "where": same}, {**INCOME, "as": "y", "where": same}]
    again = ask(wards, "where of a statistic", select=renamed)
    assert again.json["reused"] is True
    assert again.json["rows"][0]["x"] == first.json["rows"][0]["old"]
    other = [
        {**OLD, "where": {"column": "age", "op": ">=", "value": 64}},
        QUESTIONS["where of a statistic"]["select"][1],
    ]
    told = ask(wards, "where of a statistic", select=other).json
    statistics = {column["name"]: column.get("statistic") for column in told["columns"]}
    assert told["reused"] is False
    assert statistics["old"] != first.json["columns"][0]["statistic"]
    assert statistics["old"].startswith("count#")


def test_a_workbook_says_whom_to_ask_and_on_what_terms(wards: Visitor) -> None:
    dataset = ask(wards, "groups").json["dataset"]
    assert dataset["contact"] == {"ja": "統計係", "en": "Statistics section"}
    assert dataset["terms"] == {"ja": "出典を示すこと", "en": "Name the source"}
    assert dataset["body"] == "131016"
    japanese, english = explained(wards, "groups")
    assert "問い合わせ先 Contact\t統計係" in japanese
    assert "利用条件 Terms of use\t出典を示すこと" in japanese
    assert "131016" in japanese
    assert "Statistics section\nName the source" in english


def test_groups_are_called_by_their_labels_and_say_what_they_hold(wards: Visitor) -> None:
    told = ask(wards, "declared groups").json
    assert told["question_text"]["ja"] == "区（川の北、川の南）・年齢（子ども、高齢者）ごとの件数。"
    groups = {column["name"]: column["groups"] for column in told["columns"] if column["role"] == "key"}
    assert groups == {
        "district": {"川の北": ["chuo", "minami"], "川の南": ["kita"]},
        "age": {"子ども": ["0 … 14"], "高齢者": ["65 … 119"]},
    }
    japanese, english = explained(wards, "declared groups")
    assert "グループ「川の北」に含まれる値：chuo、minami" in japanese
    assert "どのグループにも含まれない値：15 … 64" in japanese
    assert "group 子ども holds: 0 … 14" in english


def test_a_label_of_several_ranges_stands_for_itself(wards: Visitor) -> None:
    rows = ask(wards, "groups", how="?labels=ja").json["rows"]
    assert [row["district_label"] for row in rows] == ["edge"]


def test_titles_units_and_statistics_stand_in_the_notes(wards: Visitor) -> None:
    japanese, english = explained(wards, "units")
    assert "列 district（区） Column\t分類、区" in japanese
    assert "列 h Column\t値、世帯数、単位：世帯、方法：離散ラプラス分布の誤差" in japanese
    assert "value, number of households, unit: households" in english
    japanese, _ = explained(wards, "where of a statistic")
    assert "列 old Column\t値、件数（対象：年齢が65歳以上）、単位：件" in japanese
    assert "単位：円" in japanese


def test_derived_columns_say_how_they_came_and_how_sure_they_are(wards: Visitor) -> None:
    japanese, english = explained(wards, "derive")
    assert "列 share Column\t公表された値から計算した値、old / n" in japanese
    assert "列 share_low Column\t「share」の区間の端、信頼度：90 %" in japanese
    assert "列 part Column\t公表された値から計算した値、n の合計に占める割合" in japanese
    assert "n：95 %、old：95 %、share：90 %、per：95 %" in japanese
    assert "computed from released values, n / 2" in english
    assert "区間の信頼度 Confidence of the bounds\t95 %\n" in explained(wards, "units")[0]


def test_times_stand_in_the_notes_as_in_japan(wards: Visitor) -> None:
    told = ask(wards, "median")
    asked_at = told.json["asked_at"]
    lines = cells(wards.get(told.headers["Content-Location"], Accept=XLSX).data, 1)
    (shown,) = (line[1] for line in lines if str(line[0]).startswith("質問した日時（日本時間）"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", shown)
    assert (int(asked_at[11:13]) + 9) % 24 == int(shown[11:13])
    assert asked_at[13:19] == shown[13:]


def test_a_median_says_by_how_many_rows_it_may_be_off(wards: Visitor) -> None:
    told = ask(wards, "median").json
    rows = told["columns"][0]["within_rows"]
    (note,) = (note for note in told["notes"] if note["code"] == "quantile_ranks")
    assert "列の説明に示した" in note["text_ja"]
    assert "description of its column" in note["text"]
    assert f"95 % の確率で {rows} 行以内" in explained(wards, "median")[0]


def test_clamps_by_group_are_said_with_words_and_units(wards: Visitor) -> None:
    told = ask(wards, "clamp by group").json
    assert told["question_text"]["ja"] == (
        "区ごとの所得の平均（中央区は 0〜8,000,000円、その他は 0〜5,000,000円に制限）。"
    )
    assert "(clamped: Chuo-ku to 0 – 8,000,000 yen" in told["question_text"]["en"]
    (note,) = (note for note in told["notes"] if note["code"] == "bounds_per_cell")
    assert "制限した後の値" in note["text_ja"]
    bins = ask(wards, "clamp by bin", mode="quote").json["question_text"]["ja"]
    assert "（20〜39歳は 0〜8,000,000円に制限）" in bins
    assert ask(wards, "units", mode="quote").json["question_text"]["ja"] == "区ごとの世帯数。"
