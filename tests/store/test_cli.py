"""The operator's commands, run as an operator would, on both databases."""

import json
import re

import pytest
from click.testing import CliRunner

from api.cli import main

DESCRIPTOR = """
id: town
title: {ja: 町, en: Town}
body: "131016"
privacy: {unit: id, max_rows_per_person: 1, measure: pure, cap: "2", max_per_query: "1"}
columns:
  sex: {type: category, values: [female, male]}
  age: {type: integer, min: 0, max: 119}
"""
ROWS = "id,sex,age\n" + "".join(
    f"{number},{'female' if number % 2 else 'male'},{number % 90}\n" for number in range(60)
)


@pytest.fixture
def sudare(store_url, tmp_path, monkeypatch):
    monkeypatch.setenv("SUDARE_DATABASE_URL", store_url)
    monkeypatch.setenv("SUDARE_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "town.yaml").write_text(DESCRIPTOR, encoding="utf-8")
    (tmp_path / "town.csv").write_text(ROWS, encoding="utf-8")

    def run(*words, exit_code=0):
        result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return result.output

    run("init")
    return run


@pytest.fixture
def town(sudare, tmp_path):
    sudare("dataset", "register", tmp_path / "town.yaml", "--data", tmp_path / "town.csv")
    sudare("org", "add", "sunrise")
    sudare("user", "add", "aoi", "--org", "sunrise", "--role", "analyst")
    return tmp_path


def test_init_can_be_run_again(sudare):
    assert "ready" in sudare("init")


def test_registering_reports_counts_to_the_operator(sudare, tmp_path):
    output = sudare("dataset", "register", tmp_path / "town.yaml", "--data", tmp_path / "town.csv", "--json")
    report = json.loads(output[output.index("{") :])
    assert (report["dataset"], report["version"], report["rows_read"], report["rows_kept"]) == (
        "town",
        1,
        60,
        60,
    )


def test_registering_again_makes_a_new_version_and_keeps_the_cap(sudare, town):
    (town / "town.csv").write_text(ROWS + "60,female,33\n", encoding="utf-8")
    assert "town version 2 is serving" in sudare(
        "dataset", "register", town / "town.yaml", "--data", town / "town.csv"
    )
    shown = json.loads(sudare("budget", "show", "--dataset", "town", "--json"))
    assert [(line["account"], line["granted"]) for line in shown] == [("dataset:town", "2")]


def test_a_descriptor_cannot_change_a_registered_cap(sudare, town):
    (town / "town.yaml").write_text(DESCRIPTOR.replace('cap: "2"', 'cap: "20"'), encoding="utf-8")
    output = sudare("dataset", "register", town / "town.yaml", "--data", town / "town.csv", exit_code=1)
    assert "never changes a cap" in output


def test_the_same_source_under_another_name_gets_no_second_cap(sudare, town):
    (town / "town.yaml").write_text(DESCRIPTOR.replace("id: town", "id: village"), encoding="utf-8")
    output = sudare("dataset", "register", town / "town.yaml", "--data", town / "town.csv", exit_code=1)
    assert "lineage: town" in output


def test_a_renamed_dataset_shares_the_cap(sudare, town):
    text = DESCRIPTOR.replace("id: town", "id: village\nlineage: town")
    (town / "town.yaml").write_text(text, encoding="utf-8")
    sudare("dataset", "register", town / "town.yaml", "--data", town / "town.csv")
    shown = json.loads(sudare("budget", "show", "--dataset", "village", "--json"))
    assert [line["dataset"] for line in shown] == ["town+village"]


def test_a_retired_dataset_is_not_registered_again(sudare, town):
    sudare("dataset", "retire", "town")
    output = sudare("dataset", "register", town / "town.yaml", "--data", town / "town.csv", exit_code=1)
    assert "retired" in output


def test_a_refused_import_leaves_the_old_version_serving(sudare, town):
    (town / "town.csv").write_text("id,sex\n1,female\n", encoding="utf-8")
    output = sudare("dataset", "register", town / "town.yaml", "--data", town / "town.csv", exit_code=1)
    assert "age is missing from the header" in output
    assert "town v1" in sudare("dataset", "list")
    assert sorted(entry.name for entry in (town / "data" / "town").iterdir()) == [".registering", "v1"]


def test_a_key_is_shown_once_and_not_stored(sudare, town):
    key = json.loads(sudare("user", "rotate", "aoi", "--json"))["key"]
    assert re.fullmatch(r"sdr_[0-9A-Za-z]{49,}", key)
    assert key.encode() not in b"".join(file.read_bytes() for file in town.glob("sudare.db*"))


def test_a_budget_is_granted_with_a_reason_and_shown(sudare, town):
    sudare("grant", "--dataset", "town", "--user", "aoi", "--epsilon", "0.5", "--reason", "contract 12")
    assert "user:aoi: 0 of 0.5 spent" in sudare("budget", "show", "--user", "aoi")
    assert "contract 12" in sudare("ledger", "export")


@pytest.mark.parametrize("epsilon", ["-1", "0", "NaN", "1e3", "１", "1_0", "0.0000000001"])
def test_an_amount_that_is_none_is_wrong_use(sudare, town, epsilon):
    words = ["grant", "--dataset", "town", "--user", "aoi", f"--epsilon={epsilon}", "--reason", "x"]
    assert "an amount" in sudare(*words, exit_code=2)


def test_a_cap_waits_for_a_second_person(sudare, town):
    words = ["grant", "--dataset", "town", "--dataset-cap", "--epsilon", "3", "--reason", "council"]
    assert "waits for a second person" in sudare(*words)
    assert "dataset:town: 0 of 2 spent" in sudare("budget", "show")
    sudare(*words, "--approved-by", "hana")
    assert "dataset:town: 0 of 5 spent" in sudare("budget", "show")


def test_a_grant_to_nobody_is_refused(sudare, town):
    words = ["grant", "--dataset", "town", "--user", "nobody", "--epsilon", "1", "--reason", "x"]
    assert "nobody" in sudare(*words, exit_code=1)


def test_a_grant_names_exactly_one_account(sudare, town):
    sudare("grant", "--dataset", "town", "--epsilon", "1", "--reason", "x", exit_code=2)


def test_the_ledger_verifies_itself(sudare, town):
    assert "agree" in sudare("ledger", "verify")


def test_checking_a_descriptor_names_line_and_column(sudare, tmp_path):
    (tmp_path / "town.yaml").write_text(DESCRIPTOR.replace("max: 119", "max: -1"), encoding="utf-8")
    assert re.search(r"line \d+, column \d+", sudare("dataset", "check", tmp_path / "town.yaml", exit_code=1))


def test_checking_a_source_finds_unreadable_cells_without_quoting_them(sudare, tmp_path):
    (tmp_path / "town.csv").write_text("id,sex,age\n1,female,secret\n", encoding="utf-8")
    output = sudare("dataset", "check", tmp_path / "town.yaml", "--data", tmp_path / "town.csv", exit_code=1)
    assert "line 2, age: unreadable" in output
    assert "secret" not in output


def test_an_unknown_dataset_is_named(sudare):
    assert "no dataset nowhere" in sudare("dataset", "show", "nowhere", exit_code=1)
