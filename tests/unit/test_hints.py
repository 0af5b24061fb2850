"""Hints: each stands where it pays, its numbers are those of the pasted change planned, and it is absent elsewhere."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from doubles import AGE, BORN, SEX, Silence, exact_by_hand, register

from api.http import wire
from api.http.changes import with_changes
from api.queries.schemas import QuerySchema, WorkloadSchema, to_query
from datasets.engines.base import EngineLimits
from datasets.queries.preparation import preparation
from privacy import hints, left_out
from privacy.answer import AnswerTable, release, renamed_table, table
from privacy.hint_words import HINTS, shown
from privacy.plan import AboveQueryLimit, Plan, plan
from privacy.query import NotReachable, Query
from privacy.quote import expectation
from privacy.schema import Number, Schema

AMOUNT = Number(name="amount", low=0, high=30_000_000, unit="JPY")
MOVED = replace(BORN, name="moved", low=17_000, high=18_999, missing_allowed=True)
COLUMNS = (SEX, AGE, AMOUNT, MOVED)
PEOPLE, CARE = register(*COLUMNS), register(*COLUMNS, rows=30)
CARE_ZCDP = register(*COLUMNS, rows=30, measure="zcdp")
N, PERSONS = {"as": "s", "agg": "count"}, {"as": "s", "agg": "count_persons"}
BY_SEX = [{"column": "sex"}]


def of(agg: str, **more: Any) -> dict[str, Any]:
    return {"as": "s", "agg": agg, "column": "amount", **more}


def asked(*select: Any, **more: Any) -> dict[str, Any]:
    return {"select": list(select), "budget": {"epsilon": "1"}, "mode": "quote", **more}


def planned(body: Mapping[str, Any], schema: Schema) -> Plan:
    return plan(as_read(body), schema)


def as_read(body: Mapping[str, Any]) -> Query:
    """A question as the server reads it."""
    form = WorkloadSchema() if "tables" in body else QuerySchema()
    return to_query(form.load(wire.parse(json.dumps(body).encode())))


def told(body: Mapping[str, Any], schema: Schema) -> dict[str, dict[str, Any]]:
    """The hints of a quote by code, with their changes as a caller gets them."""
    return {note["code"]: note for note in with_changes(hints.notes(planned(body, schema)), body)}


def pasted(body: Any, change: Mapping[str, Any]) -> Any:
    """RFC 7396, by itself."""
    found = dict(body) if isinstance(body, dict) else {}
    for name, value in change.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = pasted(found.get(name), value) if isinstance(value, dict) else value
    return found


def quoted(body: Mapping[str, Any], schema: Schema) -> Any:
    """What a quote expects of the statistic s: its half-width, in a cell of 1,000 rows where that matters."""
    (line,) = [line for line in expectation(planned(body, schema)) if line["of"] == "s"]
    if "half_width_by_rows" in line:
        return next(each["half_width"] for each in line["half_width_by_rows"] if each["rows"] == 1_000)
    return line.get("half_width", line.get("within_rows"))


HELPED = {
    "count by keys": (asked(N, group_by=BY_SEX), CARE, "one_row_per_person", 30),
    "count": (asked(N), CARE, "count_persons_instead", 30),
    "count by few cells": (asked(N, group_by=BY_SEX), CARE, "count_persons_instead", 10),
    "persons by keys": (asked(PERSONS, group_by=BY_SEX), CARE, "one_row_per_person", 3),
    "mean": (asked(of("mean")), PEOPLE, "narrower_clamp", 2),
    "mean of the whole domain": (asked(of("mean", clamp=[0, 30_000_000])), PEOPLE, "narrower_clamp", 2),
    "stddev": (asked(of("stddev")), PEOPLE, "narrower_clamp", 2),
    "variance": (asked(of("variance")), PEOPLE, "narrower_clamp", 4),
    "sum": (asked(of("sum"), group_by=BY_SEX), PEOPLE, "narrower_clamp", 2),
    "sum of many rows": (asked(of("sum", clamp=[0, 1_000_000])), CARE, "per_person_clamp", 30 / 7),
    "median of many rows": (asked(of("median")), CARE, "fewer_rows_per_person", 2),
    "mean of many rows": (asked(of("mean", clamp=[0, 100])), CARE, "fewer_rows_per_person", 2),
    "two at one price": (asked(N, {**of("mean", clamp=[0, 100]), "as": "t"}), PEOPLE, "shared_price", 1.6),
}


@pytest.mark.parametrize(("body", "schema", "code", "ratio"), HELPED.values(), ids=HELPED)
def test_a_hint_tells_what_its_change_gives_when_it_is_pasted(
    body: dict[str, Any], schema: Schema, code: str, ratio: float
) -> None:
    hint = told(body, schema)[code]
    if code == "shared_price":
        body = {**body, "select": [{**body["select"][1], "as": "s"}, {**N, "as": "n"}]}
        hint = {**told(body, schema)[code], "of": "s"}
    before, after = quoted(body, schema), quoted(pasted(body, hint["change"]), schema)
    name = "within_rows" if "within_rows_before" in hint else "half_width"
    assert (hint[f"{name}_before"], hint[f"{name}_after"]) == (before, after)
    assert hint["ratio"] == round(before / after, 2) == pytest.approx(ratio, rel=0.04)
    for text in (hint["text"], hint["text_ja"]):
        assert shown(before) in text
        assert shown(after) in text
    assert hint["of"] == "s"


def test_an_accuracy_is_told_by_how_much_less_it_costs() -> None:
    body = asked(PERSONS, group_by=BY_SEX)
    body["budget"] = {"accuracy": {"of": "s", "within": 30}}
    hint = told(body, CARE)["one_row_per_person"]
    prices = [planned(each, CARE).price for each in (body, pasted(body, hint["change"]))]
    assert (hint["price_before"], hint["price_after"]) == (str(prices[0]), str(prices[1]))
    assert hint["ratio"] == round(prices[0].nano / prices[1].nano, 2) >= 2.9


def test_a_median_of_a_narrower_range_is_found_in_narrower_bins() -> None:
    body = asked(of("median"))
    hint = told(body, PEOPLE)["narrower_clamp"]
    lines = [expectation(planned(each, PEOPLE))[0] for each in (body, pasted(body, hint["change"]))]
    assert [hint["resolution_before"], hint["resolution_after"]] == [line["resolution"] for line in lines]
    assert hint["ratio"] == 2


def test_who_insists_on_the_worse_mechanism_is_told_of_the_better() -> None:
    body = {**asked(N, group_by=BY_SEX, mechanism="discrete_laplace"), "budget": {"rho": "0.01"}}
    schema = register(SEX, rows=1, measure="zcdp")
    several = {**body, "select": [{"as": "s", "agg": "count_persons"}]}
    hint = told(several, replace(schema, rows_per_person=3, unit="person"))["other_mechanism"]
    after = pasted(several, hint["change"])
    assert "mechanism" not in after
    wide = replace(schema, rows_per_person=3, unit="person")
    assert (hint["half_width_before"], hint["half_width_after"]) == (
        quoted(several, wide),
        quoted(after, wide),
    )
    assert "other_mechanism" not in told({**several, "mechanism": "discrete_gaussian"}, wide)


SILENT = {
    "count of persons": (asked(N), PEOPLE),
    "by declared values": (asked(N, group_by=BY_SEX), PEOPLE),
    "persons without keys": (asked(PERSONS), CARE),
    "one row asked for": (asked(N, rows_per_person=1), CARE),
    "mean with a clamp": (asked(of("mean", clamp=[0, 8_000_000])), PEOPLE),
    "weights given": (
        {**asked(N, {"as": "t", "agg": "count"}), "weights": {"s": 2}},
        PEOPLE,
    ),
    "bins of everything": (asked(N, group_by=[{"column": "age", "bins": [0, 65, 120]}]), PEOPLE),
    "years and missing": (
        asked(N, group_by=[{"column": "moved", "by": "fiscal_year", "missing": True}]),
        PEOPLE,
    ),
    "a ratio": (
        asked({"as": "s", "agg": "ratio", "numerator": {"column": "age", "op": "<", "value": 9}}),
        PEOPLE,
    ),
}


@pytest.mark.parametrize(("body", "schema"), SILENT.values(), ids=SILENT)
def test_a_question_that_nothing_would_help_gets_no_hint(body: dict[str, Any], schema: Schema) -> None:
    assert told(body, schema) == {}


def test_rows_are_not_taken_from_a_sum_without_a_word() -> None:
    codes = told(asked(N, {**of("sum"), "as": "t"}), CARE)
    assert "one_row_per_person" not in codes
    assert "count_persons_instead" in codes


def test_a_declaration_is_named_where_it_would_help_the_planner() -> None:
    hint = told(asked(PERSONS, group_by=BY_SEX), CARE)["one_row_per_person"]
    assert "declares sex `constant_per_person`" in hint["text"]
    assert "constant_per_person" in hint["text_ja"]
    assert "constant_per_person" not in told(asked(N), CARE).get("one_row_per_person", {"text": ""})["text"]


def test_conditions_are_named_among_what_must_be_the_same_in_all_rows() -> None:
    where = {"column": "amount", "op": ">", "value": 5}
    hint = told(asked(PERSONS, group_by=BY_SEX, where=where), CARE)["one_row_per_person"]
    assert "(sex, amount)" in hint["text"]
    assert "（sex, amount）" in hint["text_ja"]


def test_at_most_five_notes_and_the_changes_by_what_they_gain() -> None:
    many = asked(
        N,
        {**of("sum"), "as": "a"},
        {**of("mean"), "as": "b"},
        {**of("variance"), "as": "c"},
        group_by=[{"column": "age", "bins": [20, 40]}, {"column": "moved"}],
    )
    found = hints.notes(planned(many, CARE))
    assert [note["code"] for note in found[:3]] == ["values_left_out", "missing_left_out", "date_by_day"]
    assert len(found) == hints.HINTS_MAX
    gains = [note["ratio"] for note in hints.notes(planned(asked(of("sum")), CARE))]
    assert len(gains) == 3
    assert gains == sorted(gains, reverse=True)
    assert min(gains) >= hints.GAIN_MIN


def test_a_heavy_question_is_not_planned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    body = planned(asked(of("mean"), *({"as": f"n{n}", "agg": "count"} for n in range(19))), PEOPLE)
    light = planned(asked(of("mean")), PEOPLE)
    monkeypatch.setattr(hints, "HEAVY", 5_000)
    assert hints.notes(body) == []
    assert [note["code"] for note in hints.notes(light)] == ["narrower_clamp"]
    several = planned(asked(of("mean"), {**of("mean"), "as": "t"}), PEOPLE)
    tried: list[object] = []
    monkeypatch.setattr(hints, "WORK_MAX", 0)
    monkeypatch.setattr(hints, "HEAVY", 20_000)
    monkeypatch.setattr(hints, "plan", lambda query, schema: tried.append(query) or plan(query, schema))
    assert len(hints.notes(several)) == len(tried) == 1


# What is easily misread


def test_a_date_by_day_says_how_many_cells_it_is_and_would_be() -> None:
    body = asked(N, group_by=[{"column": "moved", "missing": True}])
    hint = told(body, PEOPLE)["date_by_day"]
    for by, cells in hint["cells_by"].items():
        keys = [{"column": "moved", **({} if by == "day" else {"by": by})}]
        assert planned({**body, "group_by": keys}, PEOPLE).cells == cells
        assert f"{cells:,}" in hint["text"]
        assert f"{cells:,}" in hint["text_ja"]
    assert pasted(body, hint["change"])["group_by"] == [{"column": "moved", "missing": True, "by": "month"}]


def test_what_a_sum_of_cells_errs_is_told_of_many_cells() -> None:
    body = asked(N, group_by=[{"column": "age"}])
    hint = told(body, PEOPLE)["sums_of_cells"]
    part = planned(body, PEOPLE).measurements[0]
    expected = 1.959964 * (part.distributions[0].deviation ** 2 * 121) ** 0.5
    assert hint["half_width_of_sum"] == pytest.approx(expected, rel=0.005)
    assert pasted(body, hint["change"])["totals"] is True
    assert "sums_of_cells" not in told({**body, "totals": True}, PEOPLE)
    with_median = asked(N, {"as": "m", "agg": "median", "column": "age"}, group_by=[{"column": "age"}])
    assert "change" not in told(with_median, PEOPLE)["sums_of_cells"]


LEFT = {
    "bins": ([{"column": "age", "bins": [20, 40, 65]}], None, "age: 0 … 19, 66 … 120"),
    "one value": ([{"column": "age", "bins": [1, 120]}], None, "age: 0"),
    "amounts": ([{"column": "amount", "bins": [0, 10]}], None, "amount: 11 … 30000000"),
    "dates": (
        [{"column": "moved", "bins": ["2020-01-01", "2021-01-01"], "missing": True}],
        None,
        "moved: 2016-07-18 … 2019-12-31, 2021-01-02 … 2022-01-07",
    ),
    "less by a condition": (
        [{"column": "age", "bins": [20, 40]}],
        {"column": "age", "op": ">=", "value": 20},
        "age: 41 … 120",
    ),
    "excluded by the condition": (
        [{"column": "age", "bins": [20, 40]}],
        {
            "all": [
                {"column": "age", "op": "between", "value": [20, 40]},
                {"column": "sex", "op": "=", "value": "f"},
            ]
        },
        None,
    ),
    "not excluded by a condition of others": (
        [{"column": "age", "bins": [20, 40]}],
        {
            "any": [
                {"column": "age", "op": "between", "value": [20, 40]},
                {"column": "sex", "op": "=", "value": "f"},
            ]
        },
        "age: 0 … 19, 41 … 120",
    ),
}


@pytest.mark.parametrize(("keys", "where", "ranges"), LEFT.values(), ids=LEFT)
@pytest.mark.parametrize("totals", [False, True])
def test_values_that_no_bin_takes_are_named_in_quote_and_answer(
    keys: Any, where: Any, ranges: str | None, totals: bool
) -> None:
    body = asked(N, group_by=keys, totals=totals) | ({"where": where} if where else {})
    note = told(body, PEOPLE).get("values_left_out")
    answer = answered(planned(body, PEOPLE))
    in_answer = [each for each in answer.annotations()["notes"] if each["code"] == "values_left_out"]
    if ranges is None:
        assert note is None
        assert in_answer == []
    else:
        assert note is not None
        assert note["text"].endswith(f"cell: {ranges}")
        assert note["text_ja"].endswith(f"：{ranges}")
        assert in_answer == [note]


def answered(made: Plan) -> AnswerTable:
    return table(made, release(made, exact_by_hand(made, []), Silence()))


def test_missing_values_without_a_cell_are_told_and_how_to_get_one() -> None:
    body = asked(N, group_by=[{"column": "sex"}, {"column": "moved", "by": "year"}])
    hint = told(body, PEOPLE)["missing_left_out"]
    assert "moved" in hint["text"]
    assert "sex" not in hint["text"]
    assert "missing_left_out" not in told(pasted(body, hint["change"]), PEOPLE)
    later = {**body, "where": {"column": "moved", "op": ">=", "value": "2020-01-01"}}
    assert "missing_left_out" not in told(later, PEOPLE)


def test_a_workload_changes_a_key_in_every_table() -> None:
    tables = [
        {"as": "a", "group_by": [{"column": "moved", "by": "year"}]},
        {"as": "b", "group_by": [{"column": "moved", "by": "year"}, {"column": "sex"}]},
    ]
    body = asked(N, tables=tables)
    again = pasted(body, told(body, PEOPLE)["missing_left_out"]["change"])
    assert [each["group_by"][0]["missing"] for each in again["tables"]] == [True, True]
    assert "missing_left_out" not in told(again, PEOPLE)


def test_a_kept_answer_keeps_the_words_it_was_told_with(monkeypatch: pytest.MonkeyPatch) -> None:
    made = planned(asked(N, group_by=[{"column": "age", "bins": [20, 40]}]), PEOPLE)
    answer = answered(made)
    kept = answer.as_json()
    monkeypatch.setitem(left_out.LEFT_OUT, "values_left_out", HINTS["reaches"])
    read = AnswerTable.from_json(json.loads(kept))
    assert read.as_json() == kept
    renamed = planned(
        asked({"as": "other", "agg": "count"}, group_by=[{"column": "age", "bins": [20, 40]}]), PEOPLE
    )
    assert renamed_table(read, renamed).details == answer.details != ()


def test_an_answer_holds_no_hint_and_plans_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "plan", lambda *_: pytest.fail("an answer planned another question"))
    codes = [note["code"] for note in answered(planned(asked(of("mean")), CARE)).annotations()["notes"]]
    assert not set(codes) & set(HINTS)


# Refusals


def refused(body: Mapping[str, Any], schema: Schema) -> Any:
    preparing = preparation(EngineLimits(threads=1, timeout_s=1, temporary=Path()))
    with pytest.raises((NotReachable, AboveQueryLimit)) as refusal:
        preparing.plan(as_read(body), schema)
    return with_changes(refusal.value.hints, body)


def within(amount: Any, **more: Any) -> dict[str, Any]:
    return {"accuracy": {"of": "s", "within": amount, **more}}


TIGHT = {
    "persons": (asked(N), within(60), CARE, "count_persons_instead"),
    "one row": (asked(N, group_by=BY_SEX), within(60), CARE, "one_row_per_person"),
    "clamp": (asked(of("mean")), within(400_000, rows=1_000), PEOPLE, "narrower_clamp"),
    "much narrower clamp": (asked(of("mean")), within(120_000, rows=1_000), PEOPLE, "narrower_clamp"),
    "alone": (asked(N, {"as": "t", "agg": "count"}), within(45), PEOPLE, "fewer_statistics"),
    "each cell": (asked(N, group_by=BY_SEX), within(32, every_cell=True), PEOPLE, "each_cell"),
    "months": (asked(N, group_by=[{"column": "moved"}]), within(75, every_cell=True), PEOPLE, "coarser_keys"),
    "per person": (asked(of("sum", clamp=[0, 1_000])), within(300_000), CARE, "per_person_clamp"),
    "fewer rows": (asked(of("mean", clamp=[0, 100])), within(50, rows=1_000), CARE, "fewer_rows_per_person"),
}


@pytest.mark.parametrize(("body", "budget", "schema", "code"), TIGHT.values(), ids=TIGHT)
def test_an_accuracy_beyond_the_limit_is_refused_with_what_reaches_it(
    body: dict[str, Any], budget: dict[str, Any], schema: Schema, code: str
) -> None:
    schema = register(*COLUMNS, rows=schema.rows_per_person, limit="0.1")
    body = {**body, "budget": budget}
    found = refused(body, schema)
    assert code in {hint["code"] for hint in found}
    prices = []
    for hint in found:
        price = planned(pasted(body, hint["change"]), schema).price
        assert price <= schema.price_per_query_max
        if hint["code"] != "wider_accuracy":
            assert hint["price_after"] == str(price)
            assert str(price) in hint["text"]
            prices.append(price)
    assert prices == sorted(prices)
    assert found[-1]["code"] == "wider_accuracy"


def test_a_price_beyond_the_limit_is_refused_with_the_limit() -> None:
    body = asked(N) | {"budget": {"epsilon": "11"}}
    (hint,) = refused(body, PEOPLE)
    assert planned(pasted(body, hint["change"]), PEOPLE).price == PEOPLE.price_per_query_max


# Writing


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1_234, "1,234"),
        (0.05, "0.05"),
        (89_871.968, "89,870"),
        (1.5e-7, "0.00000015"),
        (2.0, "2"),
        ("a", "a"),
    ],
)
def test_numbers_are_written_as_people_write_them(number: Any, text: str) -> None:
    assert shown(number) == text


def test_a_change_leaves_everything_else_as_it_was_written() -> None:
    body = asked({**of("mean"), "unknown": [Decimal("0.5"), {"x": 1}]}, {"as": "t", "agg": "count"})
    (note,) = with_changes(
        [{"code": "x", "edits": [["/select/0/clamp", [0, 1]], ["/budget/weights", {"s": 4}]]}], body
    )
    assert note == {
        "code": "x",
        "change": {
            "select": [
                {**of("mean"), "unknown": [0.5, {"x": 1}], "clamp": [0, 1]},
                {"as": "t", "agg": "count"},
            ],
            "budget": {"weights": {"s": 4}},
        },
    }
    assert "clamp" not in body["select"][0]
