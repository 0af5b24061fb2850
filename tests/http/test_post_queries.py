"""POST /v1/datasets/{id}/queries: what a question costs, what it brings, and in which formats."""

import csv
import io
import json

import pyarrow.ipc
import pytest
from odd_engines import NoEngine, lose_rows, with_engine
from small_town import BY_DISTRICT, COUNT, Town, Visitor
from town import PEOPLE_COUNT

from api.formats.arrow import ARROW
from api.formats.csv import CSV
from datasets.queries.answer import Answer

MIXED = {
    "select": [
        {"as": "residents", "agg": "count"},
        {"as": "persons", "agg": "count_persons"},
        {"as": "points", "agg": "sum", "column": "score"},
        {"as": "mean_score", "agg": "mean", "column": "score", "clamp": [1, 9]},
    ],
    "where": {
        "all": [
            {"column": "age", "op": ">=", "value": 20},
            {"not": {"column": "age", "op": ">", "value": 80}},
        ]
    },
    "group_by": [
        {"column": "district", "missing": True},
        {"column": "moved_in", "bins": ["2000-01-01", "2010-01-01", "2026-12-31"]},
    ],
    "budget": {"epsilon": "2"},
}
GENEROUS = {**COUNT, "budget": {"epsilon": "2"}}


def test_an_answer_tells_what_was_asked_charged_and_found(visitor: Visitor) -> None:
    told = visitor.ask(BY_DISTRICT)
    assert told.status_code == 200
    body = told.json
    assert body["id"].startswith("q_")
    title = {"ja": "住民", "en": "Residents"}
    assert body["dataset"] == {"id": "residents", "version": 1, "body": "131016", "title": title}
    assert body["question"] == BY_DISTRICT
    assert (body["mode"], body["reused"]) == ("run", False)
    assert body["fingerprint"].startswith("sha256:")
    assert body["charge"] == {
        "measure": "epsilon",
        "amount": "0.5",
        "split": {"residents": "0.5"},
        "accounts": [
            {"account": "user:aoi", "charged": "0.5", "remaining": "4.5"},
            {"account": "organisation:shop", "charged": "0.5", "remaining": "7.5"},
            {"account": "dataset:residents", "charged": "0.5", "remaining": "19.5"},
        ],
    }
    assert [row["district"] for row in body["rows"]] == ["chuo", "kita", "minami", None]
    assert [column["name"] for column in body["columns"]] == [
        "district",
        "residents",
        "residents_low",
        "residents_high",
    ]
    assert {note["code"] for note in body["notes"]} == {"may_be_negative", "bounds_per_cell"}


def test_the_answer_is_near_the_truth_and_inside_its_bounds(visitor: Visitor) -> None:
    row = visitor.ask(GENEROUS).json["rows"][0]
    assert abs(row["residents"] - PEOPLE_COUNT) < 60  # 120 noise scales of 1/2
    assert row["residents_low"] <= row["residents"] <= row["residents_high"]


def test_what_is_charged_is_what_the_ledger_holds(visitor: Visitor) -> None:
    visitor.ask(BY_DISTRICT)
    assert visitor.spent() == {
        "residents/dataset:residents": "0.5",
        "residents/organisation:shop": "0.5",
        "residents/user:aoi": "0.5",
    }
    assert visitor.ledger.verify() == []


def test_an_organisation_without_an_account_limits_nobody(visitor: Visitor) -> None:
    accounts = visitor.ask(user="ren").json["charge"]["accounts"]
    assert [line["account"] for line in accounts] == ["user:ren", "dataset:residents"]


def test_noise_of_a_person_with_three_rows_is_three_times_as_wide(visitor: Visitor) -> None:
    def scale(dataset: str) -> float:
        columns = visitor.ask(COUNT, dataset=dataset).json["columns"]
        return float(next(column["scale"] for column in columns if column["role"] == "value"))

    assert scale("visits") == pytest.approx(3 * scale("residents"))


def test_a_price_is_a_decimal_as_text_or_as_number(visitor: Visitor) -> None:
    told = [
        visitor.ask({**COUNT, "budget": {"epsilon": price}}).json["charge"]["amount"]
        for price in (0.25, "0.5", 1)
    ]
    assert told == ["0.25", "0.5", "1"]


@pytest.mark.parametrize("at_top", [True, False])
def test_weights_share_the_price(visitor: Visitor, at_top: bool) -> None:
    weights = {"residents": 1, "points": 3}
    body = {
        "select": [{"as": "residents", "agg": "count"}, {"as": "points", "agg": "sum", "column": "score"}],
        "budget": {"epsilon": "0.5"} if at_top else {"epsilon": "0.5", "weights": weights},
        **({"weights": weights} if at_top else {}),
    }
    assert visitor.ask(body).json["charge"]["split"] == {"residents": "0.125", "points": "0.375"}


def test_weights_given_twice_are_refused(onlooker: Visitor) -> None:
    body = {**COUNT, "budget": {"epsilon": "0.5", "weights": {"residents": 1}}, "weights": {"residents": 1}}
    refused = onlooker.ask(body)
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/weights")


def test_an_accuracy_is_bought_at_the_least_price(visitor: Visitor) -> None:
    wanted = {"of": "residents", "within": 5, "confidence": 0.95}
    told = visitor.ask({**COUNT, "budget": {"accuracy": wanted}}).json
    row = told["rows"][0]
    assert row["residents_high"] - row["residents"] == 5
    dearer_by_nothing = {**COUNT, "budget": {"epsilon": told["charge"]["amount"]}, "mode": "quote"}
    assert visitor.ask(dearer_by_nothing).json["expected"][0]["half_width"] == 5


def test_an_unreachable_accuracy_says_what_is_reachable(onlooker: Visitor) -> None:
    wanted = {"of": "residents", "within": 0, "confidence": 0.999}
    refused = onlooker.ask({**COUNT, "budget": {"accuracy": {**wanted, "within": 1}}})
    assert (refused.status_code, refused.json["code"]) == (422, "accuracy_not_reachable")
    assert refused.json["errors"][0]["message"] == "within 1 is not reachable; within 3 is"
    reachable = onlooker.ask({**COUNT, "mode": "quote", "budget": {"accuracy": {**wanted, "within": 3}}})
    assert reachable.status_code == 200


def test_a_quote_names_price_and_error_opens_no_data_and_costs_nothing(visitor: Visitor) -> None:
    with_engine(visitor, NoEngine())
    quote = visitor.ask({**BY_DISTRICT, "mode": "quote"}, key="").json
    assert (quote["mode"], quote["cells"], quote["fits"]) == ("quote", 4, True)
    assert quote["charge"] == {"measure": "epsilon", "amount": "0.5", "split": {"residents": "0.5"}}
    assert quote["expected"][0]["half_width"] == 6
    assert quote["accounts"][0] == {"account": "user:aoi", "remaining": "5"}
    assert "rows" not in quote
    assert "id" not in quote
    assert visitor.spent() == {}


def test_a_quote_and_its_run_have_the_same_fingerprint_price_and_error(visitor: Visitor) -> None:
    quote, run = visitor.ask({**BY_DISTRICT, "mode": "quote"}).json, visitor.ask(BY_DISTRICT).json
    assert quote["fingerprint"] == run["fingerprint"]
    assert quote["charge"]["split"] == run["charge"]["split"]
    row = run["rows"][0]
    assert quote["expected"][0]["half_width"] == row["residents_high"] - row["residents"]


def test_a_quote_beyond_the_budget_says_that_it_does_not_fit(visitor: Visitor) -> None:
    for _ in range(3):
        assert visitor.ask({**COUNT, "budget": {"epsilon": "1.5"}, "reuse": "never"}).status_code == 200
    quote = visitor.ask({**COUNT, "budget": {"epsilon": "1.5"}, "mode": "quote"})
    assert (quote.status_code, quote.json["fits"]) == (200, False)


def test_a_dummy_answer_is_marked_and_comes_from_no_data(visitor: Visitor) -> None:
    with_engine(visitor, NoEngine())
    dummy = visitor.ask({**BY_DISTRICT, "mode": "dummy"}, key="").json
    assert dummy["mode"] == "dummy"
    assert "dummy_data" in {note["code"] for note in dummy["notes"]}
    assert dummy["charge"]["amount"] == "0"
    assert sum(row["residents"] for row in dummy["rows"]) > 5 * PEOPLE_COUNT  # ten thousand made-up rows
    assert visitor.spent() == {}


def test_quote_and_dummy_work_without_the_data_and_the_run_that_cannot_open_it_is_free(town: Town) -> None:
    for file in town.settings.data_dir.glob("residents/v1-*/*.duckdb"):
        file.unlink()
    visitor = town.open()
    assert visitor.ask({**COUNT, "mode": "quote"}).status_code == 200
    assert visitor.ask({**COUNT, "mode": "dummy"}).status_code == 200
    assert visitor.spent() == {}
    assert visitor.ask(COUNT).json["code"] == "engine_unavailable"
    assert visitor.spent() == {}


def test_a_run_that_fails_after_the_data_was_opened_is_charged(visitor: Visitor) -> None:
    lose_rows(visitor, "residents")
    assert visitor.ask(COUNT).status_code == 500
    assert visitor.spent()["residents/user:aoi"] == "0.5"


def test_all_formats_hold_the_same_numbers(visitor: Visitor) -> None:
    told = visitor.ask(MIXED)
    path = f"/v1/queries/{told.json['id']}"
    rows = told.json["rows"]
    names = [column["name"] for column in told.json["columns"]]
    as_csv = visitor.get(path, Accept="text/csv")
    read = list(csv.reader(io.StringIO(as_csv.text)))
    assert read[0] == names
    assert read[1:] == [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
    as_arrow = visitor.get(path, Accept="application/vnd.apache.arrow.stream")
    table = pyarrow.ipc.open_stream(as_arrow.data).read_all()
    assert table.column_names == names
    assert table.to_pylist() == rows
    assert json.loads(table.schema.metadata[b"charge"]) == told.json["charge"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/json;q=0.5, text/csv", "text/csv; charset=utf-8; header=present"),
        ("text/csv", "text/csv; charset=utf-8; header=present"),
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
        ("image/png, application/json;q=0.1", "application/json"),
    ],
)
@pytest.mark.parametrize("mode", ["run", "dummy"])
def test_the_format_follows_accept(visitor: Visitor, accept: str, content_type: str, mode: str) -> None:
    told = visitor.ask({**BY_DISTRICT, "mode": mode}, Accept=accept)
    assert (told.status_code, told.headers["Content-Type"]) == (200, content_type)
    assert told.headers["Vary"] == "Accept"


def test_the_charge_and_the_query_id_stand_in_the_headers_of_every_format(visitor: Visitor) -> None:
    told = visitor.ask(BY_DISTRICT, Accept="text/csv")
    again = visitor.get(told.headers["Content-Location"])
    assert again.json["id"] == told.headers["Sudare-Query-Id"]
    assert told.headers["Sudare-Charge"] == "0.5"
    assert (
        told.headers["Link"] == f'</v1/queries/{again.json["id"]}>; rel="self", </v1/budgets>; rel="budget"'
    )


@pytest.mark.parametrize("mode", ["run", "dummy"])
def test_a_format_that_is_not_there_is_refused_before_anything_is_charged(
    visitor: Visitor, mode: str
) -> None:
    refused = visitor.ask({**COUNT, "mode": mode}, Accept="image/png")
    assert (refused.status_code, refused.json["code"]) == (406, "not_acceptable")
    assert "text/csv" in refused.json["detail"]
    assert visitor.spent() == {}


def test_nobody_but_analysts_asks(onlooker: Visitor) -> None:
    assert {onlooker.ask(user=user).json["code"] for user in ("sora", "hana")} == {"forbidden"}


def test_the_same_404_for_not_yours_and_does_not_exist(onlooker: Visitor) -> None:
    refused = [onlooker.ask(user="noa", dataset=dataset) for dataset in ("residents", "nothing", "NOTHING")]
    assert [answer.status_code for answer in refused] == [404, 404, 404]
    assert len({answer.data.replace(answer.json["request_id"].encode(), b"") for answer in refused}) == 1


def test_a_parameter_in_the_address_is_refused_rather_than_ignored(visitor: Visitor) -> None:
    refused = visitor.post("/v1/datasets/residents/queries?mode=quote", COUNT, "aoi", Idempotency_Key="k")
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/mode")
    assert visitor.spent() == {}


def test_a_sum_beyond_64_bits_is_still_told_in_every_format(onlooker: Visitor) -> None:
    dummy = onlooker.ask({**COUNT, "mode": "dummy"}).json
    rows = [dict.fromkeys(dummy["rows"][0], value) for value in (-(10**23), None)]
    huge = Answer(envelope=b'{"dataset": {}}', kept=json.dumps({**dummy, "rows": rows}).encode())
    table = pyarrow.ipc.open_stream(ARROW.render(huge)).read_all()
    assert [int(value) for value in table.to_pylist()[0].values()] == [-(10**23)] * 3
    assert list(table.to_pylist()[1].values()) == [None] * 3
    assert CSV.render(huge).decode().splitlines()[1:] == [",".join([str(-(10**23))] * 3), ",,"]
