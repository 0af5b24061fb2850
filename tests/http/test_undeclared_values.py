"""Values that nobody declared, asked over HTTP: what is told, what it costs in ρ and δ, what is refused."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from odd_engines import lose_rows
from small_town import Town, Visitor
from town import JOBS

from datasets.descriptor.descriptor import DescriptorError, parse

EMPLOYERS = {"株式会社あおば": 150, "Bank, Kita": 100, "=1+2": 80, "'quoted": 70, "": 50}
RARE = [f"Rare {number}" for number in range(40)]
FORMULA, QUOTED = "=1+2", "'quoted"
BY_EMPLOYER: dict[str, Any] = {
    "select": [{"as": "n", "agg": "count_persons"}],
    "group_by": [{"column": "employer"}],
    "budget": {"rho": "0.5"},
}


def jobs_csv() -> str:
    words = [word for word, persons in EMPLOYERS.items() for _ in range(persons)] + RARE
    return "person,employer,hours\n" + "".join(
        f'p{number},"{word}",{number % 61}\n' for number, word in enumerate(words)
    )


@pytest.fixture(scope="module")
def town_with_jobs(template: Town, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """The town with a register of jobs, open to aoi and mei; nobody spends in it."""
    town = template.copy(tmp_path_factory.mktemp("jobs") / "town")
    town.register(JOBS, jobs_csv(), [("jobs", "user", user, "5") for user in ("aoi", "mei")])
    return town


@pytest.fixture
def jobs(town_with_jobs: Town, tmp_path: Path) -> Visitor:
    return town_with_jobs.copy(tmp_path / "town").open()


def ask(
    jobs: Visitor, user: str = "aoi", *, key: str | None = None, accept: str = "*/*", **changes: Any
) -> Any:
    return jobs.ask({**BY_EMPLOYER, **changes}, user=user, dataset="jobs", key=key, Accept=accept)


def delta_spent(jobs: Visitor) -> str:
    lines = jobs.get("/v1/budgets").json["items"]
    return str(next(line["delta_spent"] for line in lines if line["account"] == "dataset:jobs"))


def lose_data(jobs: Visitor) -> None:
    """From now on the data cannot be opened."""
    for file in Path(jobs.services.settings.data_dir).glob("jobs/v1-*/*.duckdb"):
        file.unlink()


# What is told


def test_words_of_many_persons_are_told_with_bounds_and_rare_ones_are_not(jobs: Visitor) -> None:
    answer = ask(jobs)
    assert answer.status_code == 200, answer.text
    rows = {row["employer"]: row for row in answer.json["rows"]}
    assert set(rows) == {word for word in EMPLOYERS if word}
    assert list(rows) == sorted(rows)
    for word, row in rows.items():
        assert abs(row["n"] - EMPLOYERS[word]) < 20
        assert row["n_low"] < row["n"] < row["n_high"]
    key, value, *_ = answer.json["columns"]
    assert (key["undeclared"], key["delta"]) == (True, "0.000001")
    assert 1 < key["threshold"] < 30
    assert (value["mechanism"], value["rho"]) == ("discrete_gaussian", "0.5")
    assert [note["code"] for note in answer.json["notes"]] == ["above_threshold"]


def test_an_answer_may_name_nothing(jobs: Visitor) -> None:
    nobody = {"where": {"column": "employer", "op": "is_missing"}}
    assert ask(jobs, **nobody).json["rows"] == []
    assert ask(jobs, accept="text/csv", **nobody).text == "employer,n,n_low,n_high\r\n"
    arrow = ask(jobs, accept="application/vnd.apache.arrow.stream", **nobody)
    schema = pa.ipc.open_stream(arrow.data).read_all().schema
    assert schema.types == [pa.string(), pa.int64(), pa.int64(), pa.int64()]


def test_a_word_that_a_spreadsheet_would_run_is_marked_in_csv_and_only_there(jobs: Visitor) -> None:
    first = ask(jobs, key="first")
    told = [row["employer"] for row in first.json["rows"]]
    assert FORMULA in told
    lines = list(csv.DictReader(io.StringIO(ask(jobs, key="first", accept="text/csv").text)))
    shown = [line["employer"] for line in lines]
    assert (f"'{FORMULA}" in shown, f"'{QUOTED}" in shown) == (True, True)
    assert [word.removeprefix("'") for word in shown if word.startswith("'")] == [
        word for word in told if word.startswith(("=", "'"))
    ]
    assert [line["n"] for line in lines] == [str(row["n"]) for row in first.json["rows"]]
    arrow = ask(jobs, key="first", accept="application/vnd.apache.arrow.stream")
    assert pa.ipc.open_stream(arrow.data).read_all()["employer"].to_pylist() == told


def test_a_rehearsal_tells_invented_words_and_costs_nothing(jobs: Visitor) -> None:
    answer = ask(jobs, mode="dummy", budget={"rho": "1"})
    assert {row["employer"] for row in answer.json["rows"]} <= {f"value {number}" for number in range(1, 13)}
    assert len(answer.json["rows"]) == 12
    assert answer.json["charge"]["delta"] == "0"
    assert (jobs.spent(), delta_spent(jobs)) == ({}, "0")


def test_rehearsals_and_quotes_open_no_data(jobs: Visitor) -> None:
    lose_data(jobs)
    assert ask(jobs, mode="quote").status_code == 200


# What it costs


def test_an_answer_is_charged_in_rho_to_all_and_in_delta_to_the_dataset(jobs: Visitor) -> None:
    charge = ask(jobs).json["charge"]
    assert (charge["measure"], charge["amount"], charge["delta"]) == ("rho", "0.5", "0.000001")
    assert jobs.spent() == {"jobs/user:aoi": "0.5", "jobs/dataset:jobs": "0.5"}
    assert delta_spent(jobs) == "0.000001"
    assert jobs.get("/v1/datasets/jobs").json["privacy"]["delta_left"] == "0.000002"
    assert jobs.ledger.verify() == []


def test_other_questions_cost_no_delta(jobs: Visitor) -> None:
    answer = ask(jobs, group_by=[], where={"not": {"column": "employer", "op": "is_missing"}})
    assert "delta" not in answer.json["charge"]
    assert abs(answer.json["rows"][0]["n"] - 440) < 20
    assert delta_spent(jobs) == "0"


def test_a_quote_tells_the_threshold_the_price_and_whether_it_fits(jobs: Visitor) -> None:
    quoted = ask(jobs, mode="quote").json
    assert (quoted["charge"]["delta"], quoted["fits"]) == ("0.000001", True)
    (expected,) = quoted["expected"]
    assert expected["told_at_least_95_percent_from"] == expected["threshold"] + expected["half_width"]
    for _ in range(3):
        ask(jobs, reuse="never")
    assert ask(jobs, mode="quote").json["fits"] is False


def test_delta_runs_out_while_rho_is_left(jobs: Visitor) -> None:
    for _ in range(3):
        assert ask(jobs, reuse="never").status_code == 200
    before = jobs.spent()
    lose_data(jobs)
    refused = ask(jobs, reuse="never")
    assert (refused.status_code, refused.json["code"]) == (403, "budget_exhausted")
    assert "δ 0" in refused.json["detail"]
    assert refused.json["detail"].endswith("ask the administrator of your organisation for more.")
    assert (jobs.spent(), delta_spent(jobs)) == (before, "0.000003")
    assert jobs.get("/v1/datasets/jobs").json["privacy"]["delta_left"] == "0"


def test_the_same_key_gives_the_same_bytes_for_nothing(jobs: Visitor) -> None:
    first, second = ask(jobs, key="same"), ask(jobs, key="same")
    assert first.data == second.data
    assert (jobs.spent()["jobs/user:aoi"], delta_spent(jobs)) == ("0.5", "0.000001")
    again = jobs.get(f"/v1/queries/{first.json['id']}")
    assert again.data == first.data


def test_the_same_question_under_another_name_is_told_again_for_nothing(jobs: Visitor) -> None:
    first = ask(jobs).json
    second = ask(jobs, select=[{"as": "staff", "agg": "count_persons"}]).json
    assert second["reused"] is True
    assert [row["staff"] for row in second["rows"]] == [row["n"] for row in first["rows"]]
    assert [row["employer"] for row in second["rows"]] == [row["employer"] for row in first["rows"]]
    assert second["columns"][0] == first["columns"][0]
    assert (second["charge"]["amount"], second["charge"]["delta"]) == ("0", "0")
    assert delta_spent(jobs) == "0.000001"


def test_another_users_first_telling_costs_their_own_rho_and_no_delta(jobs: Visitor) -> None:
    first, second = ask(jobs).json, ask(jobs, "mei").json
    assert second["reused"] is True
    assert second["rows"] == first["rows"]
    assert (second["charge"]["amount"], second["charge"]["delta"]) == ("0.5", "0")
    assert jobs.spent() == {"jobs/user:aoi": "0.5", "jobs/user:mei": "0.5", "jobs/dataset:jobs": "0.5"}
    assert delta_spent(jobs) == "0.000001"
    assert jobs.ledger.verify() == []


def test_a_failure_after_the_data_was_opened_costs_its_delta(jobs: Visitor) -> None:
    lose_rows(jobs, "jobs")
    assert ask(jobs).json["code"] == "internal"
    assert (jobs.spent()["jobs/dataset:jobs"], delta_spent(jobs)) == ("0.5", "0.000001")


def test_data_that_cannot_be_opened_costs_neither_rho_nor_delta(jobs: Visitor) -> None:
    lose_data(jobs)
    before = jobs.spent(), delta_spent(jobs)
    assert ask(jobs).json["code"] == "engine_unavailable"
    assert (jobs.spent(), delta_spent(jobs)) == before


# The public face


def test_a_dataset_says_how_its_open_columns_can_be_asked(jobs: Visitor) -> None:
    shown = jobs.get("/v1/datasets/jobs").json
    assert shown["columns"][0] == {
        "name": "employer",
        "type": "open",
        "max_length": 40,
        "asked_by": {"group_by": "alone", "select": ["count", "count_persons"], "where": ["is_missing"]},
        "missing": True,
        "queryable": True,
    }
    told = shown["privacy"]
    assert (told["delta_per_query"], told["delta_cap"]) == ("0.000001", "0.000003")
    assert told["delta_left"] == "0.000003"
    assert "delta_left" not in jobs.get("/v1/datasets/residents").json["privacy"]
    assert not any(word in json.dumps(shown, ensure_ascii=False) for word in ("あおば", "Rare"))


# Refusals


@pytest.mark.parametrize(
    ("changes", "pointer", "reason"),
    [
        ({"where": {"column": "employer", "op": "=", "value": "x"}}, "/where/column", "open_column"),
        ({"where": {"column": "employer", "op": "in", "value": ["x"]}}, "/where/column", "open_column"),
        ({"where": {"column": "employer", "op": ">", "value": "x"}}, "/where/column", "open_column"),
        (
            {"group_by": [{"column": "hours", "bins": [0, 30, 60]}, {"column": "employer"}]},
            "/group_by/1/column",
            "open_key_alone",
        ),
        ({"group_by": [{"column": "employer", "bins": [1, 2]}]}, "/group_by/0/column", "open_key_alone"),
        ({"group_by": [{"column": "employer", "missing": True}]}, "/group_by/0/column", "open_key_alone"),
        ({"totals": True}, "/totals", "open_key_alone"),
        ({"select": [{"agg": "count"}, {"agg": "count_persons"}]}, "/select", "open_key_alone"),
        ({"select": [{"agg": "sum", "column": "hours"}]}, "/select/0/agg", "only_counts_open"),
        (
            {"select": [{"agg": "sum", "column": "employer"}], "group_by": []},
            "/select/0/column",
            "not_numeric",
        ),
        ({"budget": {"epsilon": "1"}}, "/budget/epsilon", "wrong_measure"),
        ({"mechanism": "discrete_laplace"}, "/mechanism", "gaussian_only"),
    ],
)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_question_that_does_not_fit_is_refused_with_its_place(
    jobs: Visitor, changes: dict[str, Any], pointer: str, reason: str, language: str
) -> None:
    refused = jobs.ask({**BY_EMPLOYER, **changes}, dataset="jobs", Accept_Language=language)
    assert (refused.status_code, refused.json["code"]) == (422, "invalid_query")
    assert (pointer, reason) in [(error["pointer"], error["reason"]) for error in refused.json["errors"]]
    assert (jobs.spent(), delta_spent(jobs)) == ({}, "0")


def test_a_workload_has_no_table_of_undeclared_values(jobs: Visitor) -> None:
    body = {
        "select": [{"as": "n", "agg": "count"}],
        "tables": [
            {"as": "a", "group_by": [{"column": "hours", "bins": [0, 30, 60]}]},
            {"as": "b", "group_by": [{"column": "employer"}]},
        ],
        "budget": {"rho": "0.5"},
    }
    refused = jobs.post("/v1/datasets/jobs/workloads", body, user="aoi", Idempotency_Key="w")
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/tables/1/group_by/0/column")


def test_a_pure_dataset_cannot_declare_an_open_column() -> None:
    pure = JOBS.replace("zcdp", "pure").replace('  delta: "1e-9"\n', "")
    pure = pure.replace('  delta_per_query: "1e-6"\n  delta_cap: "3e-6"\n', "")
    with pytest.raises(DescriptorError, match=r"line 12, column 20: columns\.employer\.type: open needs"):
        parse(pure)
