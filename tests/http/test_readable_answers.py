"""An answer that is forwarded is understood by whoever was not there: what was asked, of what, in words of people."""

import csv
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import openpyxl
import pyarrow.ipc
import pytest
from odd_requests import ARROW, CSV
from small_town import Town, Visitor

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
JSON = "application/json"
PLACES = """
id: places
title: {ja: "住民（見本）/1", en: Residents (sample)}
body: "131016"
reference_date: 2026-04-01
row_is: {ja: 住民 1 人, en: one resident}
contact: 統計係
terms: {ja: 出典を示すこと, en: name the source}
privacy: {unit: null, max_rows_per_person: 1, measure: pure, cap: "1000", max_per_query: "2"}
columns:
  district:
    type: category
    title: {ja: 区, en: District}
    description: 住所の区
    values: [chuo, "=1+1", "-2", "+x"]
    labels: {ja: [中央区, "=HYPERLINK(1)", 北区, "@南"], en: [Chuo-ku, "'quoted", Kita-ku, Minami]}
  age: {type: integer, min: 0, max: 119, unit: {ja: 歳, en: years}, missing: allowed}
  moved_in: {type: date, min: 2025-04-01, max: 2026-12-31}
"""
ROWS = "district,age,moved_in\n" + "chuo,20,2025-05-01\n=1+1,70,2026-05-01\n-2,,2026-04-01\n" * 20
GRANTS = [("places", "user", "aoi", "400"), ("places", "user", "ren", "400")]
BANDS = [{"column": "district"}, {"column": "age", "bins": [0, 15, 65, 119], "missing": True}]
ASKED: dict[str, Any] = {
    "select": [{"agg": "count"}, {"as": "old", "agg": "mean", "column": "age"}],
    "where": {"column": "age", "op": ">=", "value": 1},
    "group_by": BANDS,
    "totals": True,
    "budget": {"epsilon": 0.7, "weights": {"count": 1.25}},
}
TOLD = {**ASKED, "select": [{"as": "count", "agg": "count"}, ASKED["select"][1]]}
TOLD["budget"] = {"epsilon": "0.7", "weights": {"count": 1.25}}


@pytest.fixture(scope="module")
def registered(template: Town, tmp_path_factory: pytest.TempPathFactory) -> Town:
    town = template.copy(tmp_path_factory.mktemp("places") / "town")
    town.register(PLACES, ROWS, GRANTS)
    return town


@pytest.fixture(scope="module")
def places(registered: Town) -> Visitor:
    """A town with budget for all tests; each asks under keys of its own."""
    return registered.open()


@pytest.fixture
def fresh(registered: Town, tmp_path: Path) -> Town:
    return registered.copy(tmp_path / "town")


def ask(visitor: Visitor, how: str = "", accept: str = JSON, user: str = "aoi", **changes: Any) -> Any:
    """The answer to the question, changed; each call under a key of its own."""
    ask.keys += 1  # type: ignore[attr-defined]
    path = f"/v1/datasets/places/queries{how}"
    body = {**ASKED, **changes}
    return visitor.post(path, body, user, Accept=accept, Idempotency_Key=f"readable-{ask.keys}")  # type: ignore[attr-defined]


ask.keys = 0  # type: ignore[attr-defined]


# What was asked


def test_an_answer_says_what_was_asked_of_what(places: Visitor) -> None:
    told = ask(places).json
    assert told["question"] == TOLD
    assert told["question_text"]["ja"].startswith(
        "区・age（0、15、65、119 で区切る）ごとの人数、ageの平均。対象："
    )
    assert told["dataset"] == {
        "id": "places",
        "version": 1,
        "title": {"ja": "住民（見本）/1", "en": "Residents (sample)"},
        "reference_date": "2026-04-01",
        "row_is": {"ja": "住民 1 人", "en": "one resident"},
        "body": "131016",
        "contact": {"ja": "統計係", "en": "統計係"},
        "terms": {"ja": "出典を示すこと", "en": "name the source"},
    }
    asked_again = places.post(
        "/v1/datasets/places/queries", told["question"], "aoi", Idempotency_Key="sent-as-it-was-told"
    )
    assert (asked_again.json["fingerprint"], asked_again.json["reused"]) == (told["fingerprint"], True)


@pytest.mark.parametrize("mode", ["quote", "dummy"])
def test_quotes_and_rehearsals_say_it_too(places: Visitor, mode: str) -> None:
    told = ask(places, mode=mode).json
    assert (told["question"], told["mode"]) == (TOLD, mode)
    assert told["question_text"]["en"].endswith("With totals.")


def test_history_and_the_stored_answer_say_it_again(places: Visitor) -> None:
    answer = ask(places, reuse="never")
    asked = {**TOLD, "reuse": "never"}
    again = places.get(f"/v1/queries/{answer.json['id']}")
    assert again.data == answer.data
    item = places.get("/v1/queries?limit=1").json["items"][0]
    assert (item["id"], item["question"]) == (answer.json["id"], asked)
    assert item["question_text"] == answer.json["question_text"]
    assert places.ledger.verify() == []


def test_a_retold_answer_tells_the_question_of_its_own_reader(places: Visitor) -> None:
    first = ask(places).json
    # The same question in other words, under other names and at another price.
    renamed = [{"as": "heads", "agg": "count"}, {"as": "mean", "agg": "mean", "column": "age"}]
    others = ask(places, user="ren", select=renamed, budget={"epsilon": "0.6"}, where=ASKED["where"]).json
    assert others["reused"] is True
    assert others["fingerprint"] == first["fingerprint"]
    assert others["question"]["select"] == renamed
    assert others["question"]["budget"] == {"epsilon": "0.6"}
    item = places.get("/v1/queries?limit=1", "ren").json["items"][0]
    assert item["question"] == others["question"]


def test_numbers_of_a_question_keep_the_digits_of_whoever_asked(places: Visitor) -> None:
    body = '{"select":[{"agg":"count"}],"budget":{"epsilon":"0.5","weights":{"count":1.1234567890123456789}}}'
    told = places.post("/v1/datasets/places/queries", body.encode(), "aoi", Idempotency_Key="digits")
    assert '"weights": {"count": 1.1234567890123456789}' in told.text
    assert "1.1234567890123456789" in places.get("/v1/queries").text


def test_the_header_says_it_in_ascii_unless_it_is_too_long(places: Visitor) -> None:
    where = {"column": "district", "op": "in", "value": ["chuo", "=1+1"]}
    told = ask(places, accept=CSV, where=where)
    header = told.headers["Sudare-Question"]
    assert json.loads(unquote(header)) == {**TOLD, "where": where}
    assert header.isascii()
    assert header.isprintable()
    days = {"column": "moved_in", "op": "in", "value": [f"2026-01-{day:02d}" for day in range(1, 29)] * 30}
    long = ask(places, accept=CSV, where=days)
    assert long.status_code == 200
    assert "Sudare-Question" not in long.headers
    assert places.get(long.headers["Content-Location"]).json["question"]["where"] == days


# Labels


def test_labels_stand_beside_their_keys(places: Visitor) -> None:
    plain, told = ask(places), ask(places, "?labels=ja").json
    names = [column["name"] for column in told["columns"]]
    assert names[:4] == ["district", "district_label", "age", "age_label"]
    label = told["columns"][1]
    assert label == {"name": "district_label", "role": "label", "of": "district", "language": "ja"}
    rows = told["rows"]
    # Cell after cell, then the margins down to the grand total.
    assert [row["district_label"] for row in rows[:16:4]] == ["中央区", "=HYPERLINK(1)", "北区", "@南"]
    assert [row["age_label"] for row in rows[:4]] == ["0〜14歳", "15〜64歳", "65〜119歳", "不明"]
    assert (rows[-1]["district_label"], rows[-1]["age_label"]) == ("合計", "合計")
    without = [{name: value for name, value in row.items() if not name.endswith("_label")} for row in rows]
    assert without == plain.json["rows"]
    assert told["notes"] == plain.json["notes"]


@pytest.mark.parametrize("accept", [CSV, ARROW, XLSX])
def test_every_form_has_the_labels(places: Visitor, accept: str) -> None:
    told = ask(
        places, "?labels=en", accept, group_by=[{"column": "moved_in", "by": "fiscal_year"}], totals=False
    )
    assert told.status_code == 200
    rows = {CSV: _csv, ARROW: _arrow, XLSX: _xlsx}[accept](told.data)
    assert rows[0][:2] == ["moved_in", "moved_in_label"]
    assert [row[1] for row in rows[1:]] == ["FY2025", "FY2026"]


def _csv(body: bytes) -> list[list[Any]]:
    return list(csv.reader(io.StringIO(body.decode())))


def _arrow(body: bytes) -> list[list[Any]]:
    table = pyarrow.ipc.open_stream(body).read_all()
    return [table.column_names, *([row[name] for name in table.column_names] for row in table.to_pylist())]


def _xlsx(body: bytes) -> list[list[Any]]:
    sheet = openpyxl.load_workbook(io.BytesIO(body)).worksheets[0]
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def test_a_statistic_of_that_name_keeps_it(places: Visitor) -> None:
    told = ask(
        places, "?labels=ja", select=[{"as": "district_label", "agg": "count"}], budget={"epsilon": "0.5"}
    ).json
    names = [column["name"] for column in told["columns"]]
    assert names[:2] == ["district", "district_label_"]
    assert "district_label" in names


def test_labels_of_a_workload_with_one_table_without_missing(places: Visitor) -> None:
    tables = [
        {"as": "a", "group_by": [BANDS[0]]},
        {"as": "b", "group_by": [{"column": "moved_in", "by": "year"}]},
    ]
    body = {"mode": "dummy", "select": [{"agg": "count"}], "tables": tables, "budget": {"epsilon": "1"}}
    told = places.post("/v1/datasets/places/workloads?labels=ja", body, "aoi").json
    assert [row["district_label"] for row in told["rows"]] == [
        "中央区",
        "=HYPERLINK(1)",
        "北区",
        "@南",
        "合計",
        "合計",
    ]
    assert [row["moved_in_label"] for row in told["rows"]][-2:] == ["2025年", "2026年"]


def test_labels_are_those_of_the_version_that_was_asked(fresh: Town) -> None:
    answer = ask(fresh.open()).json
    fresh.register(PLACES.replace("中央区", "本町区"), ROWS)
    again = fresh.open().get(f"/v1/queries/{answer['id']}?labels=ja").json
    assert again["rows"][0]["district_label"] == "中央区"


@pytest.mark.parametrize(
    ("how", "pointer", "reason"),
    [
        ("?labels=fr", "/labels", "not_one_of"),
        ("?labels=", "/labels", "not_one_of"),
        ("?labels=JA", "/labels", "not_one_of"),
        ("?bom=2", "/bom", "not_one_of"),
        ("?label=ja", "/label", "unknown_field"),
        ("?labels=ja&labels=en", "/labels", "duplicate_key"),
    ],
)
def test_a_wrong_wish_is_refused_before_anything_is_charged(
    visitor: Visitor, how: str, pointer: str, reason: str
) -> None:
    first = visitor.ask(key="first")
    spent = visitor.spent()
    for key in ("new", "first"):
        refused = visitor.post(
            f"/v1/datasets/residents/queries{how}", first.json["question"], "aoi", Idempotency_Key=key
        )
        assert (refused.status_code, refused.json["code"]) == (422, "invalid_query")
        fault = refused.json["errors"][0]
        assert (fault["pointer"], fault["reason"]) == (pointer, reason)
    assert visitor.get(f"/v1/queries/{first.json['id']}{how}").status_code == 422
    assert visitor.spent() == spent


# Files


def test_a_file_has_a_name(places: Visitor) -> None:
    told = ask(places, accept=CSV)
    id = told.headers["Sudare-Query-Id"]
    name = told.headers["Content-Disposition"]
    assert name.startswith(f"attachment; filename=\"places-{id}.csv\"; filename*=UTF-8''")
    assert unquote(name.rpartition("''")[2]) == f"住民（見本）_1-places-{id}.csv"
    english = ask(places, "?labels=en", XLSX).headers["Content-Disposition"]
    assert unquote(english.rpartition("''")[2]).startswith("Residents (sample)-places-q_")
    assert "Content-Disposition" not in ask(places).headers


def test_excel_gets_its_byte_order_mark_in_csv_and_nowhere_else(places: Visitor) -> None:
    told = ask(places, "?bom=1", CSV)
    assert told.data.startswith(b"\xef\xbb\xbfdistrict,")
    path = told.headers["Content-Location"]
    plain = places.get(f"{path}?bom=0", Accept=CSV).data
    assert told.data == b"\xef\xbb\xbf" + plain
    assert places.get(f"{path}?bom=1").data == places.get(path).data
    assert places.get(f"{path}?bom=1", Accept=XLSX).data[:2] == b"PK"


def test_no_word_of_a_csv_is_run_and_no_number_is_changed(places: Visitor) -> None:
    told = ask(places, "?labels=ja", CSV, group_by=[BANDS[0]], totals=False, budget={"epsilon": "0.1"})
    rows = _csv(told.data)
    assert [row[0] for row in rows[1:]] == ["chuo", "'=1+1", "-2", "'+x"]
    assert [row[1] for row in rows[1:]] == ["中央区", "'=HYPERLINK(1)", "北区", "'@南"]
    numbers = [cell for row in rows[1:] for cell in row[2:] if cell]
    assert any(number.startswith("-") for number in numbers)
    assert all(re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", number) for number in numbers)
    english = _csv(places.get(f"{told.headers['Content-Location']}?labels=en", Accept=CSV).data)
    assert english[2][1] == "''quoted"


def test_a_workbook_holds_numbers_as_numbers_and_words_as_words(places: Visitor) -> None:
    told = ask(places, "?labels=ja", XLSX, reuse="never")
    body = places.get(f"{told.headers['Content-Location']}?labels=ja").json
    book = openpyxl.load_workbook(io.BytesIO(told.data))
    sheet, notes = book.worksheets
    names = [column["name"] for column in body["columns"]]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        names,
        *([row[name] for name in names] for row in body["rows"]),
    ]
    assert sheet.freeze_panes == "A2"
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    # Six characters of full width take the room of twelve.
    assert sheet.column_dimensions["B"].width > 15
    text = "\n".join(str(cell.value) for row in notes.iter_rows() for cell in row)
    for word in (
        *(
            body["question_text"]["ja"],
            body["question_text"]["en"],
            "住民 1 人",
            "2026-04-01",
            "ε = 0.7",
            "95 %",
        ),
        *(body["id"], *(note["text_ja"] for note in body["notes"]), '"op": ">="'),
    ):
        assert word in text, word
    assert places.get(f"{told.headers['Content-Location']}?labels=ja", Accept=XLSX).data == told.data


def test_a_workbook_holds_no_formula(places: Visitor) -> None:
    told = ask(places, "?labels=ja", XLSX)
    with zipfile.ZipFile(io.BytesIO(told.data)) as book:
        sheets = "".join(book.read(name).decode() for name in book.namelist() if "worksheets/" in name)
    assert "<f>" not in sheets
    assert "<hyperlink" not in sheets


def test_a_rehearsed_workbook_says_that_it_is_one(places: Visitor) -> None:
    told = ask(places, "", XLSX, mode="dummy")
    notes = openpyxl.load_workbook(io.BytesIO(told.data)).worksheets[1]
    text = "\n".join(str(cell.value) for row in notes.iter_rows() for cell in row)
    assert "模擬データによる試行の回答" in text


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (f"text/csv;q=0.5, {XLSX}", XLSX),
        (f"{XLSX};q=0.4, text/csv;q=0.5", "text/csv"),
        (f"{XLSX};q=0, */*;q=0.1", JSON),
        ("application/*", JSON),
    ],
)
def test_quality_values_decide_between_forms(places: Visitor, accept: str, kind: str) -> None:
    assert ask(places, "", accept, mode="dummy").mimetype == kind


def test_scales_are_decimals_that_people_write(visitor: Visitor) -> None:
    for epsilon in ("0.1", "0.05", "0.3"):
        told = visitor.ask({"select": [{"agg": "count"}], "budget": {"epsilon": epsilon}, "reuse": "never"})
        scale = told.json["columns"][0]["scale"]
        assert scale == {"0.1": "10", "0.05": "20", "0.3": "3.33333333333"}[epsilon]


# What the owner says


def test_the_catalogue_shows_what_the_owner_said(places: Visitor) -> None:
    about = {
        "reference_date": "2026-04-01",
        "row_is": {"ja": "住民 1 人", "en": "one resident"},
        "contact": {"ja": "統計係", "en": "統計係"},
        "terms": {"ja": "出典を示すこと", "en": "name the source"},
    }
    one = places.get("/v1/datasets/places").json
    (listed,) = (item for item in places.get("/v1/datasets").json["items"] if item["id"] == "places")
    assert about.items() <= one.items()
    assert about.items() <= listed.items()
    columns = {column["name"]: column for column in one["columns"]}
    assert columns["district"]["title"] == {"ja": "区", "en": "District"}
    assert columns["district"]["description"] == {"ja": "住所の区", "en": "住所の区"}
    assert (columns["age"]["unit"], columns["age"]["units"]) == ("years", {"ja": "歳", "en": "years"})
    assert "title" not in columns["age"]


def test_what_nobody_declared_is_told_as_nothing(onlooker: Visitor) -> None:
    told = onlooker.get("/v1/datasets/residents").json
    assert (told["reference_date"], told["row_is"], told["contact"], told["terms"]) == (None, {}, {}, {})
