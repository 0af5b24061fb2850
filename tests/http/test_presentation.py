"""Questions with `derive`, `having`, `order_by` and `limit`: told alike for ever, whole on request, free of charge."""

import csv
import io
from typing import Any

import pyarrow.ipc
import pytest
from odd_engines import NoEngine, with_engine
from odd_requests import ARROW, CSV
from small_town import Visitor

PLAIN: dict[str, Any] = {
    "select": [{"as": "n", "agg": "count"}, {"as": "points", "agg": "sum", "column": "score"}],
    "group_by": [{"column": "district"}, {"column": "age", "bins": [0, 20, 65, 119]}],
    "budget": {"epsilon": "1"},
}
MEMBERS: dict[str, Any] = {
    "derive": [{"as": "each", "of": ["points", "/", "n"]}, {"as": "share", "share_of_total": "n"}],
    "having": {"n": ">0"},
    "order_by": [{"column": "n", "descending": True}],
    "limit": 3,
}
TOP = {**PLAIN, **MEMBERS}


def rows(visitor: Visitor, body: dict[str, Any], user: str = "aoi", **options: Any) -> Any:
    answer = visitor.ask(body, user=user, **options)
    assert answer.status_code == 200, answer.text
    return answer.json


def top_of(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What MEMBERS ask for, in plain Python."""
    whole = sum(row["n"] for row in told)
    kept = sorted((row for row in told if row["n"] > 0), key=lambda row: -row["n"])[:3]
    return [{**row, "each": row["points"] / row["n"], "share": row["n"] / whole} for row in kept]


def without_ends(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: cell for name, cell in row.items() if name not in ("each_low", "each_high")} for row in told
    ]


def test_the_question_that_a_newcomer_writes_is_answered(visitor: Visitor) -> None:
    asked = {
        "select": [{"as": "n", "agg": "count"}],
        "group_by": [{"column": "district"}],
        "order_by": "n",
        "limit": 2,
        "having": {"n": ">10"},
        "budget": {"epsilon": "1"},
    }
    counts = [row["n"] for row in rows(visitor, asked)["rows"]]
    assert len(counts) == 2
    assert counts == sorted(counts)
    assert min(counts) > 10


def test_what_is_shown_is_made_of_the_whole_answer_which_is_told_free(visitor: Visitor) -> None:
    shown = rows(visitor, TOP)
    spent = visitor.spent()
    whole = rows(visitor, PLAIN)
    assert whole["fingerprint"] == shown["fingerprint"]
    assert (whole["reused"], whole["charge"]["amount"]) == (True, "0")
    assert visitor.spent() == spent
    assert len(whole["rows"]) == shown["released_rows"] == 9
    assert "released_rows" not in whole
    told = without_ends(shown["rows"])
    assert [row | {"each": pytest.approx(row["each"])} for row in top_of(whole["rows"])] == told
    assert shown["postprocessing"] == [*whole["postprocessing"], "derived", "selected", "ordered", "limited"]
    assert {note["code"] for note in shown["notes"]} >= {
        "derived_values",
        "rows_not_shown",
        "selected_by_noise",
    }


def test_rows_are_selected_anew_from_an_answer_that_is_told_again(visitor: Visitor) -> None:
    whole = rows(visitor, PLAIN)
    with_engine(visitor, NoEngine())
    for user in ("aoi", "ren"):
        expected = [row | {"each": pytest.approx(row["each"])} for row in top_of(whole["rows"])]
        assert without_ends(rows(visitor, TOP, user)["rows"]) == expected
        # Of an answer that was cut before, the whole is told again, and another part of it.
        least = rows(visitor, {**PLAIN, "order_by": "n", "limit": 1}, user)["rows"]
        assert least == sorted(whole["rows"], key=lambda row: row["n"])[:1]


def test_a_key_and_an_id_give_the_same_bytes_for_ever(visitor: Visitor) -> None:
    first = visitor.ask(TOP, key="once")
    with_engine(visitor, NoEngine())
    assert visitor.ask(TOP, key="once").data == first.data
    assert visitor.get(f"/v1/queries/{first.json['id']}").data == first.data
    other = visitor.ask({**TOP, "limit": 2}, key="once")
    assert (other.status_code, other.json["code"]) == (409, "idempotency_conflict")
    assert "presentation" not in first.json


def test_words_of_notes_stay_as_they_were_told(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    from privacy.notes import NOTES
    from privacy.words import Words

    first = visitor.ask(TOP, key="once")
    for code in NOTES:
        monkeypatch.setitem(NOTES, code, Words(ja="別の言葉", en="put better"))
    assert visitor.ask(TOP, key="once").data == first.data


def test_every_format_shows_the_same_rows(visitor: Visitor) -> None:
    first = visitor.ask(TOP, key="once").json
    path = f"/v1/queries/{first['id']}"
    in_csv = list(csv.DictReader(io.StringIO(visitor.get(path, Accept=CSV).text)))
    in_arrow = pyarrow.ipc.open_stream(visitor.get(path, Accept=ARROW).data).read_all().to_pylist()
    assert in_arrow == first["rows"]
    assert [{name: str(cell) for name, cell in row.items()} for row in first["rows"]] == in_csv


def test_an_answer_of_no_rows_is_an_answer_in_every_format(visitor: Visitor) -> None:
    first = visitor.ask({**TOP, "having": {"n": ">1000000"}}).json
    assert (first["rows"], first["released_rows"]) == ([], 9)
    path = f"/v1/queries/{first['id']}"
    assert visitor.get(path, Accept=CSV).text.splitlines()[0].startswith("district,age,n,")
    assert pyarrow.ipc.open_stream(visitor.get(path, Accept=ARROW).data).read_all().num_rows == 0


@pytest.mark.parametrize(
    "more",
    [
        {"totals": True},
        {"select": [{"as": "n", "agg": "median", "column": "age", "value_bounds": True}]},
        {
            "select": [{"as": "n", "agg": "quantile", "column": "moved_in", "q": [0.25, 0.75]}],
            "order_by": "n_q25",
        },
        {"group_by": [], "limit": 1},
        {"mode": "dummy"},
        {"mode": "quote"},
    ],
)
def test_all_kinds_of_questions_take_them(onlooker: Visitor, more: dict[str, Any]) -> None:
    asked = {**PLAIN, "mode": "dummy", "order_by": "n", "limit": 2, **more}
    answer = onlooker.ask(asked)
    assert answer.status_code == 200, answer.text
    assert len(answer.json.get("rows", [])) == (0 if asked["mode"] == "quote" else asked["limit"])


def test_workloads_take_them(onlooker: Visitor) -> None:
    asked = {
        "mode": "dummy",
        "select": [{"as": "n", "agg": "count"}],
        "tables": [{"as": "a", "group_by": [{"column": "district"}]}, {"as": "b", "group_by": []}],
        "budget": {"epsilon": "1"},
        "derive": [{"as": "x", "share_of_total": "n"}],
        "having": {"column": "table", "op": "=", "value": "b"},
    }
    answer = onlooker.post("/v1/datasets/residents/workloads", asked, "aoi")
    assert [row["x"] for row in answer.json["rows"]] == [1]


def of(*sides: Any) -> list[dict[str, Any]]:
    return [{"as": "x", "of": list(sides)}]


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    *[({"order_by": bad}, "/order_by", "order_by_form") for bad in (3, True, "-n", "n desc", {"column": 3})],
    ({"order_by": "score"}, "/order_by", "no_released_column"),
    ({"order_by": []}, "/order_by", "wrong_length"),
    ({"order_by": ["n", "x"]}, "/order_by/1", "no_released_column"),
    ({"order_by": {"column": "n", "desc": True}}, "/order_by/desc", "order_by_form"),
    ({"order_by": {"column": "n", "descending": 1}}, "/order_by/descending", "not_a_boolean"),
    *[({"limit": bad}, "/limit", "not_an_integer") for bad in (0, -1, 10**9)],
    *[({"limit": bad}, "/limit", "not_a_whole_number") for bad in ("3", True, 1.5, [3])],
    ({"having": "n > 10"}, "/having", "having_form"),
    ({"having": {"n": 10}}, "/having/n", "having_form"),
    ({"having": {"n": ">ten"}}, "/having/n", "having_form"),
    ({"having": {"age": ">10", "n": ">1"}}, "/having", "having_form"),
    ({"having": {"score": ">10"}}, "/having", "no_released_column"),
    ({"having": {"all": [{"n": ">1"}, {"score": ">10"}]}}, "/having/all/1", "no_released_column"),
    ({"having": {"column": "n", "op": ">", "value": "10"}}, "/having", "not_a_number"),
    ({"having": {"column": "district", "op": ">", "value": "a"}}, "/having", "key_without_order"),
    ({"having": {"column": "district", "op": "=", "value": "nowhere"}}, "/having", "undeclared_value"),
    ({"having": {"any": [{"n": ">1"}] * 21}}, "/having/any/20", "too_many_comparisons"),
    ({"derive": of("points", "/", 0)}, "/derive/0/of/2", "divides_by_zero"),
    ({"derive": of("points", "**", 2)}, "/derive/0/of/1", "not_one_of"),
    ({"derive": of("x", "+", 1)}, "/derive/0/of/0", "no_released_number"),
    (
        {"derive": [*of("y", "+", 1), {"as": "y", "of": ["x", "+", 1]}]},
        "/derive/0/of/0",
        "no_released_number",
    ),
    ({"derive": of("district", "+", 1)}, "/derive/0/of/0", "no_released_number"),
    ({"derive": of(1, "+", 2)}, "/derive/0/of", "no_released_number"),
    ({"derive": of(["n", "+", 1], "+", 2)}, "/derive/0/of/0", "nested_operand"),
    ({"derive": of(True, "+", "n")}, "/derive/0/of/0", "not_scalar"),
    ({"derive": of("n", "*", 10**41)}, "/derive/0/of/2", "not_scalar"),
    ({"derive": [{"as": "x", "of": "points / n"}]}, "/derive/0/of", "not_operands"),
    ({"derive": of("n")}, "/derive/0/of", "not_operands"),
    *[
        ({"derive": [{"as": name, "share_of_total": "n"}]}, "/derive/0/as", "repeated_name")
        for name in ("n", "n_low", "district", "points")
    ],
    ({"derive": of("n", "+", 1) * 2}, "/derive/1/as", "repeated_name"),
    ({"derive": [{"as": "1x", "share_of_total": "n"}]}, "/derive/0/as", "bad_name"),
    ({"derive": [{"as": "x"}]}, "/derive/0", "choose_one"),
    ({"derive": [{"as": "x", "share_of_total": "n_low"}]}, "/derive/0/share_of_total", "no_share_of"),
    (
        {"derive": [{"as": f"x{place}", "share_of_total": "n"} for place in range(100)]},
        "/derive",
        "wrong_length",
    ),
    (
        {"budget": {"accuracy": {"of": "x", "within": 5}}, "derive": of("n", "+", 1)},
        "/budget/accuracy/of",
        "unknown_statistic",
    ),
    ({"where": "age > 20"}, "/where", "not_an_object"),
    ({"where": {"column": "age + 1", "op": ">", "value": 20}}, "/where/column", "expression"),
    (
        {"where": {"column": "age", "op": ">", "value": {"column": "score"}}},
        "/where/value",
        "compares_a_cell",
    ),
    ({"where": {"column": "age", "op": "in", "value": {"select": "age"}}}, "/where/value", "compares_a_cell"),
    ({"select": "*"}, "/select", "not_a_list"),
    ({"select": ["count"]}, "/select/0", "not_an_object"),
    ({"select": "SELECT age FROM residents"}, "/select", "not_a_list"),
    ({"sql": "SELECT age FROM residents"}, "/sql", "unknown_field"),
]


@pytest.mark.parametrize(("more", "pointer", "reason"), REFUSED)
def test_what_cannot_be_done_is_refused_at_its_place_and_free(
    onlooker: Visitor, more: dict[str, Any], pointer: str, reason: str
) -> None:
    answer = onlooker.ask({**PLAIN, **more})
    assert answer.status_code == 422, answer.text
    found = [(error["pointer"], error["reason"]) for error in answer.json["errors"]]
    assert (pointer, reason) in found
    assert onlooker.spent() == {}


AGGREGATES = [
    *[(name, "not_one_of", '"q": 0.99') for name in ("min", "max", "MAX", "first")],
    *[(name, "not_one_of", "count_persons") for name in ("distinct", "count_distinct", "nunique")],
    *[(name, "not_one_of", "order_by") for name in ("mode", "top")],
    *[(name, "not_one_of", '{"agg": "mean"}') for name in ("avg", "average", "AVG")],
    *[("p90", "not_one_of", '"q": 0.9}'), ("p05", "not_one_of", '"q": 0.05}')],
    *[("p99.5", "not_one_of", '"q": 0.995}'), ("Sum", "not_one_of", '{"agg": "sum"}')],
    *[("list", "not_one_of", "group_by"), ("nothing", "not_one_of", "share_kept")],
]


@pytest.mark.parametrize(("agg", "reason", "nearest"), AGGREGATES)
def test_a_foreign_aggregate_is_refused_with_the_nearest_of_ours(
    onlooker: Visitor, agg: str, reason: str, nearest: str
) -> None:
    asked = {**PLAIN, "select": [{"agg": agg, "column": "score"}]}
    for language in ("en", "ja"):
        (error,) = onlooker.ask(asked, Accept_Language=language).json["errors"]
        assert (error["pointer"], error["reason"]) == ("/select/0/agg", reason)
        assert nearest in error["message"]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("age > 20", '{"column": "age", "op": ">", "value": 20}'),
        ("district = 'kita'", '{"column": "district", "op": "=", "value": "kita"}'),
        ("age<>3", '{"column": "age", "op": "!=", "value": 3}'),
    ],
)
def test_a_condition_in_text_is_refused_with_its_own_form(onlooker: Visitor, text: str, form: str) -> None:
    (error,) = onlooker.ask({**PLAIN, "where": text}).json["errors"]
    assert form in error["message"]
