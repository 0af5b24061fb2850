"""Every feature of the larger language over HTTP: quoted, rehearsed, answered, told in three formats, told again."""

import csv
import io
from typing import Any

import pyarrow.ipc
import pytest
from lanes import only
from odd_engines import NoEngine, with_engine
from small_town import Visitor
from town import TAXES, add, taxes_csv
from werkzeug.test import TestResponse

N = {"as": "n", "agg": "count"}
KITA = {"column": "district", "op": "=", "value": "kita"}
OLD = {"column": "age", "op": ">=", "value": 65}
BY_DISTRICT = [{"column": "district", "missing": True}]
AGES = [{"column": "age", "bins": [0, 20, 65, 119]}]
TABLES = [
    {"as": "places", "group_by": [{"column": "district"}]},
    {"as": "ages", "group_by": AGES},
    {"as": "both", "group_by": [*AGES, {"column": "district"}]},
]


def one(**statistic: Any) -> dict[str, Any]:
    return {"select": [{"as": "s", **statistic}]}


QUESTIONS: dict[str, dict[str, Any]] = {
    "variance": one(agg="variance", column="score", clamp=[1, 9]),
    "stddev": one(agg="stddev", column="age"),
    "median": one(agg="median", column="age"),
    "median of dates": one(agg="median", column="moved_in", value_bounds=True),
    "quantile": one(agg="quantile", column="score", q=0.25),
    "quantiles": one(agg="quantile", column="age", q=[0.05, 0.5, 0.995], value_bounds=True),
    "quantiles from a tree": one(agg="quantile", column="age", q=[place / 20 for place in range(1, 20)]),
    "share": one(agg="ratio", numerator=KITA),
    "ratio": one(agg="ratio", numerator=OLD, denominator=KITA),
    "persons": one(agg="count_persons"),
    "sum clamped per person": one(agg="sum", column="score", per_person_clamp=[1, 7]),
    "years": {**one(agg="mean", column="age"), "group_by": [{"column": "moved_in", "by": "year"}]},
    "fiscal years": {**one(agg="count"), "group_by": [{"column": "moved_in", "by": "fiscal_year"}]},
    "groups": {
        **one(agg="mean", column="score"),
        "group_by": [
            {"column": "district", "groups": {"北と南": ["kita", "minami"]}, "missing": True},
            {"column": "moved_in", "groups": {"old": {"from": "2000-01-01", "to": "2009-12-31"}}},
        ],
    },
    "totals of groups": {
        **one(agg="count"),
        "group_by": [
            {
                "column": "age",
                "groups": {"0〜4歳": {"from": 0, "to": 4}, "5〜": [5, 6, {"from": 7, "to": 119}]},
            }
        ],
        "totals": True,
    },
    "clamps by group": {
        **one(agg="mean", column="age", clamp={"kita": [0, 60], "*": [10, 80]}),
        "group_by": [{"column": "district", "missing": True}],
    },
    "filters of statistics": {
        "select": [
            {"as": "s", "agg": "count", "where": KITA},
            {"as": "old", "agg": "mean", "column": "score", "where": {"all": [{"not": KITA}, OLD]}},
            {"as": "median", "agg": "median", "column": "age", "where": OLD},
        ],
    },
    "quarters": {**one(agg="count"), "group_by": [{"column": "moved_in", "by": "quarter"}]},
    "months": {**one(agg="count"), "group_by": [{"column": "moved_in", "by": "month", "missing": True}]},
    "totals": {**one(agg="count"), "group_by": [*BY_DISTRICT, *AGES], "totals": True},
    "totals of ages": {**one(agg="mean", column="score"), "group_by": [{"column": "age"}], "totals": True},
    "whole totals": {
        **one(agg="count"),
        "group_by": [*BY_DISTRICT, *AGES],
        "totals": True,
        "non_negative_integers": True,
    },
    "accuracy": {
        **one(agg="mean", column="age"),
        "group_by": BY_DISTRICT,
        "budget": {"accuracy": {"of": "s", "within": 9, "rows": 80, "every_cell": True, "relative": 0.05}},
    },
    "workload": {"select": [N, {"as": "s", "agg": "sum", "column": "score"}], "tables": TABLES},
}
OF_EACH_KIND = (
    *("variance", "quantiles", "quantiles from a tree", "ratio", "sum clamped per person", "months"),
    *("totals of ages", "whole totals", "accuracy", "workload"),
)
FORMATS = {"csv": "text/csv", "arrow": "application/vnd.apache.arrow.stream"}


def send(
    visitor: Visitor, question: dict[str, Any], *, dataset: str = "residents", **more: Any
) -> TestResponse:
    """Ask a question or a workload at ε 1 unless it says a budget."""
    body = {
        "budget": {"epsilon": "1"},
        **question,
        **{name: more.pop(name) for name in ("mode",) if name in more},
    }
    if "tables" not in body:
        return visitor.ask(body, dataset=dataset, **more)
    headers = {"Idempotency_Key": more.pop("key", "workload-1"), **more}
    return visitor.post(f"/v1/datasets/{dataset}/workloads", body, "aoi", **headers)


@pytest.fixture(params=only([QUESTIONS[name] for name in OF_EACH_KIND], QUESTIONS.values()), ids=QUESTIONS)
def question(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


def test_a_quote_and_a_rehearsal_open_no_data_and_cost_nothing(visitor: Visitor, question) -> None:
    with_engine(visitor, NoEngine())
    quote, dummy = send(visitor, question, mode="quote"), send(visitor, question, mode="dummy")
    assert (quote.status_code, dummy.status_code) == (200, 200), quote.text + dummy.text
    assert quote.json["cells"] == len(dummy.json["rows"])
    assert quote.json["fingerprint"] == dummy.json["fingerprint"]
    assert visitor.spent() == {}


def test_an_answer_is_charged_as_quoted_and_the_same_in_every_format(visitor: Visitor, question) -> None:
    quote = send(visitor, question, mode="quote").json
    told = send(visitor, question)
    assert told.status_code == 200, told.text
    assert told.json["charge"]["amount"] == quote["charge"]["amount"]
    assert told.json["charge"]["split"] == quote["charge"]["split"]
    assert visitor.spent()["residents/user:aoi"] == quote["charge"]["amount"]
    rows, names = told.json["rows"], [column["name"] for column in told.json["columns"]]
    assert len(rows) == quote["cells"]
    path = f"/v1/queries/{told.json['id']}"
    read = list(csv.reader(io.StringIO(visitor.get(path, Accept=FORMATS["csv"]).text)))
    assert read[0] == names
    assert read[1:] == [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
    table = pyarrow.ipc.open_stream(visitor.get(path, Accept=FORMATS["arrow"]).data).read_all()
    assert table.column_names == names
    for row, other in zip(rows, table.to_pylist(), strict=True):
        assert {name: None if value is None else str(value) for name, value in other.items()} == {
            name: None if value is None else shown(value, other[name]) for name, value in row.items()
        }
    assert visitor.ledger.verify() == []


def shown(value: Any, other: Any) -> str:
    """A number as its column shows it: a whole one among fractions is a fraction."""
    return str(float(value)) if isinstance(other, float) else str(value)


def test_the_same_key_is_told_the_same_bytes(visitor: Visitor, question) -> None:
    first = send(visitor, question, key="once")
    with_engine(visitor, NoEngine())
    for accept in ("application/json", *FORMATS.values()):
        replayed = send(visitor, question, key="once", Accept=accept)
        again = visitor.get(f"/v1/queries/{first.json['id']}", Accept=accept)
        assert replayed.data == again.data
    assert send(visitor, question, key="once").data == first.data


def test_the_same_question_under_another_name_is_told_again_free(visitor: Visitor, question) -> None:
    first = send(visitor, question, key="first").json
    with_engine(visitor, NoEngine())
    renamed = {**question, "select": [{**question["select"][-1], "as": "z"}, *question["select"][:-1]]}
    if "budget" in renamed:
        renamed["budget"] = {"epsilon": first["charge"]["amount"]}
    again = send(visitor, renamed, key="second").json
    assert (again["reused"], again["charge"]["amount"]) == (True, "0")
    assert again["fingerprint"] == first["fingerprint"]
    last = question["select"][-1]["as"]

    def values(answer: dict[str, Any], name: str) -> list[list[Any]]:
        names = [column["name"] for column in answer["columns"] if column.get("as") == name]
        return [[row[column] for column in names] for row in answer["rows"]]

    assert values(again, "z") == values(first, last)
    assert all(
        column["name"].startswith("z") and column.get("of", "z").startswith("z")
        for column in again["columns"]
        if column.get("as") == "z"
    )
    if len(question["select"]) > 1:
        assert values(again, "n") == values(first, "n")


def test_values_lie_inside_their_bounds(visitor: Visitor, question) -> None:
    told = send(visitor, question).json
    ends = {column["name"] for column in told["columns"] if column["role"] == "bound"}
    for column in told["columns"]:
        if (
            column["role"] == "value"
            and f"{column['name']}_low" in ends
            and column["statistic"][:8] != "quantile"
        ):
            for row in told["rows"]:
                low, value, high = (row[column["name"] + end] for end in ("_low", "", "_high"))
                assert low <= value
                assert high is None or value <= high


# What a quote says


def test_a_quote_of_margins_tells_its_strategy(onlooker: Visitor) -> None:
    for name in ("totals", "workload"):
        said = send(onlooker, QUESTIONS[name], mode="quote").json["strategy"]
        assert sum(float(line["share"]) for line in said["measured"]) == pytest.approx(1, abs=1e-4)
        assert said["total_squared_error"]["chosen"] == 1
        assert said["text"] != said["text_ja"]
    assert "strategy" not in send(onlooker, QUESTIONS["variance"], mode="quote").json


def test_totals_add_up_and_whole_ones_exactly(visitor: Visitor) -> None:
    for name, within in (("totals", 0.01), ("whole totals", 0)):
        rows = send(visitor, QUESTIONS[name]).json["rows"]
        cells = {(row["district"], row["age"]): row["s"] for row in rows}
        inner = [value for key, value in cells.items() if "*" not in key]
        assert len(inner) == 12
        assert sum(inner) == pytest.approx(cells["*", "*"], abs=within)
        assert any(row["s_noisy"] is not None for row in rows)
        if not within:
            assert all(isinstance(value, int) and value >= 0 for value in cells.values())


def test_a_workload_tells_its_tables_one_after_the_other(visitor: Visitor) -> None:
    told = send(visitor, QUESTIONS["workload"]).json
    assert [row["table"] for row in told["rows"]] == ["places"] * 3 + ["ages"] * 3 + ["both"] * 9
    assert told["columns"][0]["role"] == "key"
    assert {"workload"} <= {note["code"] for note in told["notes"]}


def test_several_quantiles_are_told_by_name_and_ascend(visitor: Visitor) -> None:
    (row,) = send(visitor, QUESTIONS["quantiles"]).json["rows"]
    assert row["s_q5"] <= row["s_q50"] <= row["s_q99_5"]
    assert {"s_q5_low", "s_q99_5_high"} <= set(row)


def test_a_narrower_bound_is_explained_and_narrows_the_noise(visitor: Visitor) -> None:
    ask = {"select": [N, {"as": "kept", "agg": "share_kept"}], "rows_per_person": 1}
    quote = send(visitor, ask, dataset="visits", mode="quote").json
    assert (quote["rows_per_person"]["dataset"], quote["rows_per_person"]["asked"]) == (3, 1)
    assert "share_kept" in quote["rows_per_person"]["text"]
    told = send(visitor, ask, dataset="visits").json
    (row,) = told["rows"]
    assert 0 <= row["kept_low"] <= row["kept"] <= row["kept_high"] <= 1
    assert "narrower_bound" in {note["code"] for note in told["notes"]}
    whole = send(visitor, {"select": [N]}, dataset="visits", mode="quote").json
    half = {"select": [N], "rows_per_person": 1}
    assert (
        send(visitor, half, dataset="visits", mode="quote").json["expected"][0]["half_width"]
        < (whole["expected"][0]["half_width"])
    )


# A dataset accounted in ρ


RHO = {"budget": {"rho": "0.1"}}


@pytest.fixture
def taxes(visitor: Visitor) -> Visitor:
    services = visitor.services
    add(services.store, services.settings.data_dir, TAXES, taxes_csv())
    granted = {"dataset": "taxes", "user": "aoi", "rho": "0.5", "reason": "the contract"}
    assert visitor.post("/v1/grants", granted).status_code == 201
    return visitor


def test_a_quote_in_rho_compares_the_mechanisms_and_tells_epsilon_and_delta(taxes: Visitor) -> None:
    quote = send(taxes, {"select": [N], **RHO}, dataset="taxes", mode="quote").json
    assert (quote["charge"]["measure"], quote["charge"]["amount"]) == ("rho", "0.1")
    assert float(quote["charge"]["as"]["delta"]) == 1e-9
    assert 2.5 < float(quote["charge"]["as"]["epsilon"]) < 3  # ρ + 2√(ρ ln(1/δ)) is 2.98
    (expected,) = quote["expected"]
    widths = expected["half_width_by_mechanism"]
    assert widths["discrete_gaussian"] < widths["discrete_laplace"]
    assert (expected["mechanism"], expected["half_width"]) == (
        "discrete_gaussian",
        widths["discrete_gaussian"],
    )


@pytest.mark.parametrize(
    "question",
    [
        {"select": [N]},
        {"select": [N], "mechanism": "discrete_laplace"},
        {"select": [{"as": "s", "agg": "variance", "column": "cost"}]},
        {"select": [{"as": "s", "agg": "median", "column": "cost"}]},
        {"select": [{"as": "s", "agg": "quantile", "column": "cost", "q": [0.1, 0.2, 0.3, 0.4, 0.6, 0.9]}]},
        {"select": [{"as": "s", "agg": "sum", "column": "cost", "per_person_clamp": [0, 1500]}]},
        {"select": [N], "group_by": [{"column": "kind"}], "totals": True},
        {
            "select": [N],
            "tables": [{"as": "a", "group_by": [{"column": "kind"}]}, {"as": "b", "group_by": []}],
        },
        {"select": [N], "budget": {"accuracy": {"of": "n", "within": 40}}},
    ],
    ids=str,
)
def test_an_answer_in_rho_is_charged_in_rho_and_told_as_epsilon_and_delta(taxes: Visitor, question) -> None:
    told = send(taxes, {**RHO, **question}, dataset="taxes")
    assert told.status_code == 200, told.text
    charge = told.json["charge"]
    assert charge["measure"] == "rho"
    assert float(charge["as"]["epsilon"]) > 0
    assert taxes.spent()["taxes/user:aoi"] == charge["amount"]
    lines = [line for line in taxes.get("/v1/budgets").json["items"] if line["dataset"] == "taxes"]
    line = next(line for line in lines if line["account"] == "user:aoi")
    assert (line["measure"], line["spent"]) == ("zcdp", charge["amount"])
    assert line["spent_as"]["delta"] == "0.000000001"
    assert float(line["spent_as"]["epsilon"]) == pytest.approx(float(charge["as"]["epsilon"]), abs=1e-5)
    values = [column for column in told.json["columns"] if column["role"] == "value"]
    assert all("rho" in column and "epsilon" not in column for column in values)
    assert taxes.ledger.verify() == []


def test_an_answer_in_rho_is_told_again_free(taxes: Visitor) -> None:
    first = send(taxes, {"select": [N], **RHO}, dataset="taxes").json
    again = send(taxes, {"select": [{**N, "as": "m"}], **RHO}, dataset="taxes").json
    assert again["rows"][0]["m"] == first["rows"][0]["n"]
    assert again["charge"] == {**again["charge"], "measure": "rho", "amount": "0"}
    assert float(again["charge"]["as"]["epsilon"]) == 0


def test_what_rho_is_left_cannot_be_overdrawn(taxes: Visitor) -> None:
    for _ in range(5):
        assert send(taxes, {"select": [N], **RHO, "reuse": "never"}, dataset="taxes").status_code == 200
    refused = send(taxes, {"select": [N], **RHO, "reuse": "never"}, dataset="taxes")
    assert (refused.status_code, refused.json["code"]) == (403, "budget_exhausted")


def test_the_schema_tells_in_which_measure_a_dataset_is_accounted(taxes: Visitor) -> None:
    assert taxes.get("/v1/datasets/taxes").json["privacy"]["measure"] == "zcdp"
    assert taxes.get("/v1/datasets/residents").json["privacy"]["measure"] == "pure"
