"""The operator's commands, run as an operator would, on both databases."""

import json
import os
import pwd
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from settlements import changed
from town import SECRET

from api.commands.main import main
from api.commands.terminal import operator
from api.services import Services
from datasets.budgets.service import GrantRequest
from datasets.database.store import Store
from datasets.ledger.accounts import join_population
from privacy.budget import Price

DESCRIPTOR = """
id: town
title: {ja: 町, en: Town}
body: "131016"
privacy: {unit: id, max_rows_per_person: 1, measure: pure, cap: "2", max_per_query: "1"}
columns:
  sex: {type: category, values: [female, male]}
  age: {type: integer, min: 0, max: 119}
"""
CARE = """
id: care
title: {ja: 介護, en: Care}
body: "131016"
privacy: {unit: person, max_rows_per_person: 3, measure: pure, cap: "4", max_per_query: "1"}
columns:
  care_level: {type: integer, min: 1, max: 5}
"""
CARE_ROWS = "person,care_level\n1,1\n1,2\n2,3\n99,4\n"
VIEW = """
id: town-care
title: {ja: 町と介護, en: Town and care}
body: "131016"
view: {of: [town, care]}
privacy: {max_rows_per_person: 2, max_per_query: "1"}
columns:
  sex: {from: town}
  level: {from: care, column: care_level}
"""
IN_RHO = DESCRIPTOR.replace("pure", 'zcdp, delta: "1e-9", delta_per_query: "1e-10", delta_cap: "1e-6"')
ROWS = "id,sex,age\n" + "".join(
    f"{number},{'female' if number % 2 else 'male'},{number % 90}\n" for number in range(60)
)


@pytest.fixture
def store_url(sqlite_first_url: str) -> str:
    """What a database decides is tested with the ledger and the store; here its turn comes in the long lane."""
    return sqlite_first_url


@pytest.fixture
def sudare(store_url, tmp_path, monkeypatch):
    monkeypatch.setenv("SUDARE_DATABASE_URL", store_url)
    monkeypatch.setenv("SUDARE_DATA_DIR", str(tmp_path / "data"))
    if store_url.startswith("postgresql"):
        monkeypatch.setenv("SUDARE_SECRET_KEY", SECRET)
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


def lying(town):
    """What lies in the home of the town's dataset."""
    return sorted(entry.name for entry in (town / "data" / "town").iterdir())


def test_a_refused_import_leaves_the_old_version_serving(sudare, town):
    before = lying(town)
    assert (before[0], before[1][:3], len(before)) == (".registering", "v1-", 2)
    (town / "town.csv").write_text("id,sex\n1,female\n", encoding="utf-8")
    output = sudare("dataset", "register", town / "town.yaml", "--data", town / "town.csv", exit_code=1)
    assert "age is missing from the header" in output
    assert "town v1" in sudare("dataset", "list")
    assert lying(town) == before


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


def key_of(sudare, name, role="administrator"):
    return json.loads(sudare("user", "add", name, "--org", "sunrise", "--role", role, "--json"))["key"]


@pytest.fixture
def wish(sudare, town):
    """The id of a grant to the cap that waits."""
    words = ["grant", "--dataset", "town", "--dataset-cap", "--epsilon", "3", "--reason", "council", "--json"]
    return json.loads(sudare(*words))["id"]


def test_a_cap_waits_for_a_second_person_with_its_key(sudare, wish, monkeypatch):
    assert "dataset:town: 0 of 2 spent" in sudare("budget", "show")
    monkeypatch.setenv("SUDARE_KEY", key_of(sudare, "hana"))
    assert sudare("grant", "approve", wish) == "granted epsilon 3 to dataset:town on town\n"
    assert "dataset:town: 0 of 5 spent" in sudare("budget", "show")
    (made,) = json.loads(sudare("grant", "list", "--json"))
    assert (made["state"], made["decided_by"]) == ("effective", "hana")
    assert "the grant is effective" in sudare("grant", "approve", wish, exit_code=1)
    assert "agree" in sudare("ledger", "verify")


def test_the_key_is_asked_for_and_not_shown(sudare, wish):
    key = key_of(sudare, "hana")
    told = CliRunner().invoke(main, ["grant", "approve", wish], input=f"{key}\n")
    assert (told.exit_code, told.stdout) == (0, "granted epsilon 3 to dataset:town on town\n")
    assert "API key of the administrator who approves" in told.stderr
    assert key not in told.output


@pytest.mark.parametrize(
    ("who", "told"),
    [
        ("nobody", "no enabled user has this key"),
        ("disabled", "no enabled user has this key"),
        ("stopped", "you are stopped"),
        ("analyst", "mei is no administrator"),
        ("requester", "whoever asked for it may only take it back"),
    ],
)
def test_a_key_that_may_not_decide_approves_nothing(sudare, wish, monkeypatch, who, told):
    name = {"analyst": "mei", "requester": "hana"}.get(who, "kenji")
    key = (
        "sdr_x"
        if who == "nobody"
        else key_of(sudare, name, "analyst" if who == "analyst" else "administrator")
    )
    if who == "disabled":
        sudare("user", "disable", "kenji")
    if who == "stopped":
        sudare("stop", "--user", "kenji", "--reason", "x")
    if who == "requester":
        wish = asked_by_hana()
    monkeypatch.setenv("SUDARE_KEY", key)
    assert told in sudare("grant", "approve", wish, exit_code=1)
    assert "dataset:town: 0 of 2 spent" in sudare("budget", "show")
    if who in ("nobody", "disabled", "stopped", "analyst"):
        assert told in sudare("grant", "decline", wish, "--reason", "x", exit_code=1)


def asked_by_hana():
    """The id of a grant that hana asked for over HTTP."""
    services = Services.from_environment()
    request = GrantRequest(
        dataset="town", dataset_cap=True, epsilon=Price.parse("3"), reason="mine", requested_by="hana"
    )
    return services.budgets.grant(request).grant.id


def test_a_grant_is_declined_by_the_operator_or_by_a_key(sudare, wish, monkeypatch):
    assert sudare("grant", "decline", wish, "--reason", "a typing error") == f"declined {wish}\n"
    (made,) = json.loads(sudare("grant", "list", "--json"))
    assert (made["state"], made["decision_reason"]) == ("declined", "a typing error")
    assert made["decided_by"].startswith("operator:")
    monkeypatch.setenv("SUDARE_KEY", key_of(sudare, "hana"))
    other = asked_by_hana()
    declined = json.loads(sudare("grant", "decline", other, "--reason", "x", "--json"))
    assert (declined["state"], declined["decided_by"]) == ("declined", "hana")
    assert "--reason" in sudare("grant", "decline", other, exit_code=2)
    for decision in (["approve"], ["decline", "--reason", "x"]):
        assert "the grant is declined" in sudare("grant", decision[0], wish, *decision[1:], exit_code=1)
        assert "no such grant" in sudare("grant", decision[0], "g_none", *decision[1:], exit_code=1)
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    assert sudare("grant", "decline", asked_by_hana(), "--reason", "x").endswith(" を却下しました\n")


def test_a_second_person_is_not_named_any_more(sudare, town):
    words = ["grant", "--dataset", "town", "--dataset-cap", "--epsilon", "3", "--reason", "council"]
    assert "by sudare grant approve ID" in sudare(*words, "--approved-by", "hana", exit_code=2)
    assert sudare("grant", "list") == "no grants\n"
    assert "do not go before" in sudare(*words, "approve", "g_none", exit_code=2)


TO_AOI = ["grant", "--dataset", "town", "--user", "aoi", "--reason", "contract 12", "--epsilon"]


def test_what_is_unspent_is_taken_back(sudare, town):
    sudare(*TO_AOI, "0.5")
    assert sudare(*TO_AOI, "0.2", "--lower") == "took epsilon 0.2 back from user:aoi on town\n"
    assert "user:aoi: 0 of 0.3 spent" in sudare("budget", "show")
    refused = sudare(*TO_AOI, "0.4", "--lower", exit_code=1)
    assert refused == "Error: user:aoi has 0.3 unspent: 0.4 cannot be taken back\n"
    made = json.loads(sudare(*TO_AOI, "0.1", "--lower", "--json"))
    assert (made["change"], made["state"], made["epsilon"]) == ("lower", "effective", "0.1")
    assert "agree" in sudare("ledger", "verify")


def test_more_than_the_cap_has_left_is_granted_and_noticed(sudare, town):
    assert sudare(*TO_AOI, "3").splitlines() == [
        "granted epsilon 3 to user:aoi on town",
        "the cap of town has only 2 left: not all of this can be spent",
    ]


def test_what_an_organisation_spends_without_a_limit_is_shown(sudare, town, monkeypatch):
    sudare(*TO_AOI, "0.5")
    assert "town  organisation:sunrise: 0 spent, without a limit" in sudare("budget", "show")
    lines = json.loads(sudare("budget", "show", "--user", "aoi", "--json"))
    (line,) = (line for line in lines if line["account"] == "organisation:sunrise")
    assert (line["granted"], line["spent"], line["remaining"]) == (None, "0", None)
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    shown = sudare("budget", "show")
    assert "town  organisation:sunrise: 0 使用済み（上限なし）" in shown
    assert "town  user:aoi: 0.5 のうち 0 使用済み" in shown
    assert sudare(*TO_AOI, "0.1") == "town について user:aoi に ε 0.1 を付与しました\n"
    assert sudare(*TO_AOI, "0.1", "--lower") == "town について user:aoi から ε 0.1 を取り消しました\n"


def test_grants_are_listed_newest_first_with_their_people(sudare, town, monkeypatch):
    assert sudare("grant", "list") == "no grants\n"
    sudare(*TO_AOI, "0.5")
    sudare("grant", "--dataset", "town", "--dataset-cap", "--epsilon", "3", "--reason", "council 3")
    first, second = sudare("grant", "list").splitlines()
    assert re.fullmatch(
        r"g_\w+  \S+  town  dataset:town: raised by epsilon 3, pending \(asked by operator:\w+\): council 3",
        first,
    )
    assert "user:aoi: raised by epsilon 0.5, effective" in second
    (pending,) = json.loads(sudare("grant", "list", "--pending", "--json"))
    assert (pending["account"], pending["state"]) == ("dataset:town", "pending")
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    assert "dataset:town: ε 3 増額、承認待ち" in sudare("grant", "list", "--pending")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["grant", "--user", "aoi", "--epsilon", "1", "--reason", "x"], "Missing option '--dataset'"),
        (["grant", "--dataset", "town", "--user", "aoi", "--epsilon", "1"], "Missing option '--reason'"),
        (["grant"], "Missing option '--dataset'"),
        (["grant", "--dataset", "town", "list"], "options of a new grant do not go before list"),
    ],
)
def test_a_new_grant_has_its_options_and_the_list_has_none_of_them(sudare, town, words, message):
    assert message in sudare(*words, exit_code=2)


def test_a_grant_to_nobody_is_refused(sudare, town):
    words = ["grant", "--dataset", "town", "--user", "nobody", "--epsilon", "1", "--reason", "x"]
    assert "nobody" in sudare(*words, exit_code=1)


@pytest.mark.parametrize(
    ("spoken", "sentence"),
    [
        (
            "en",
            (
                "Error: give a reason for the grant: "
                "one line of 1 to 1,000 characters, without control or invisible characters\n"
            ),
        ),
        (
            "ja",
            (
                "エラー: 付与の理由を 1〜1,000 文字の 1 行で指定してください"
                "（制御文字や目に見えない文字は使えません）\n"
            ),
        ),
    ],
)
def test_a_grant_without_a_reason_is_refused_in_the_language_of_the_setting(
    sudare, town, monkeypatch, spoken, sentence
):
    monkeypatch.setenv("SUDARE_LANGUAGE", spoken)
    words = ["grant", "--dataset", "town", "--user", "aoi", "--epsilon", "1", "--reason", ""]
    assert sudare(*words, exit_code=1) == sentence


def test_a_grant_names_exactly_one_account(sudare, town):
    refused = sudare("grant", "--dataset", "town", "--epsilon", "1", "--reason", "x", exit_code=2)
    assert "give exactly one of --user, --org, --dataset-cap" in refused


def test_amounts_have_their_sign_in_japanese_and_no_reason_leaves_no_mark(sudare, town, monkeypatch):
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    words = ["grant", "--dataset", "town", "--user", "aoi", "--epsilon", "1", "--reason", "月報"]
    assert "ε 1 を付与しました" in sudare(*words)
    assert "epsilon" not in sudare("grant", "list")
    sudare("dataset", "retire", "town")
    history = sudare("budget", "history", "--dataset", "town")
    assert "）：月報［" in history
    assert re.search(r"廃止（operator:\w+）［", history)


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


@pytest.mark.parametrize(
    ("spoken", "told"), [("en", "2 persons whose rows differed"), ("ja", "一つの値にそろえた人 2")]
)
def test_persons_made_alike_are_told_when_a_source_is_checked_and_registered(
    sudare, tmp_path, monkeypatch, spoken, told
):
    monkeypatch.setenv("SUDARE_LANGUAGE", spoken)
    text = CARE.replace("max: 5}", "max: 5, constant_per_person: true}")
    text = text.replace("columns:", "units: {household: {column: home, constant_per_person: true}}\ncolumns:")
    (tmp_path / "care.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "care.csv").write_text(
        "person,care_level,home\n1,1,h\n1,2,i\n2,3,j\n2,4,j\n", encoding="utf-8"
    )
    words = ["dataset", "check", tmp_path / "care.yaml", "--data", tmp_path / "care.csv"]
    assert told in sudare(*words)
    output = sudare(*words, "--json")
    report = json.loads(output[output.index("{") :])
    assert report["columns"]["care_level"]["persons_not_constant"] == 2
    assert report["units"]["household"] == {"number": 3, "rows_without": 0, "persons_not_constant": 1}
    words[1] = "register"
    assert told in sudare(*words)
    assert "household" in sudare(*words)


def test_an_unknown_dataset_is_named(sudare):
    assert "no dataset nowhere" in sudare("dataset", "show", "nowhere", exit_code=1)


@pytest.fixture
def view(sudare, town):
    (town / "care.yaml").write_text(CARE, encoding="utf-8")
    (town / "care.csv").write_text(CARE_ROWS, encoding="utf-8")
    (town / "view.yaml").write_text(VIEW, encoding="utf-8")
    sudare("dataset", "register", town / "care.yaml", "--data", town / "care.csv")
    output = sudare("dataset", "register", town / "view.yaml")
    assert "town-care version 1 is serving" in output
    assert "3 rows read, 3 kept of 2 persons" in output
    return town


def test_a_view_tells_which_versions_it_was_joined_from(sudare, view):
    sudare("dataset", "register", view / "care.yaml", "--data", view / "care.csv")
    assert "town-care v1 pure (a view of town v1, care v1)" in sudare("dataset", "list")
    assert "town-care v1 pure (a view of town v1, care v1): sex, level" in sudare(
        "dataset", "show", "town-care"
    )
    shown = json.loads(sudare("dataset", "show", "town-care", "--json"))
    assert (shown["lineages"], shown["sources"]) == (["care", "town"], {"town": 1, "care": 1})
    assert [line["account"] for line in shown["accounts"]] == ["dataset:care", "dataset:town"]


def test_a_view_has_no_data_and_a_dataset_has(sudare, view):
    words = ["dataset", "register", view / "view.yaml", "--data", view / "care.csv"]
    assert "leave --data out" in sudare(*words, exit_code=2)
    words[1] = "check"
    assert "leave --data out" in sudare(*words, exit_code=2)
    assert "give --data" in sudare("dataset", "register", view / "care.yaml", exit_code=2)


def test_checking_a_view_looks_at_the_text_alone(sudare, view):
    assert "town-care, 2 columns, no faults in itself" in sudare("dataset", "check", view / "view.yaml")


def test_a_view_that_its_sources_do_not_allow_names_line_and_column(sudare, view):
    (view / "view.yaml").write_text(VIEW.replace("care_level", "nothing"), encoding="utf-8")
    output = sudare("dataset", "register", view / "view.yaml", exit_code=1)
    assert "line 9, column 31" in output
    assert "care declares no column 'nothing'" in output
    assert "town-care v1" in sudare("dataset", "list")


def test_budget_for_a_view_is_granted_on_its_sources(sudare, view):
    words = ["--user", "aoi", "--epsilon", "1", "--reason", "x"]
    assert "grant on town, care" in sudare("grant", "--dataset", "town-care", *words, exit_code=1)
    sudare("grant", "--dataset", "town", *words)
    sudare("grant", "--dataset", "care", *words)
    shown = sudare("budget", "show", "--dataset", "town-care")
    assert shown.count("user:aoi: 0 of 1 spent") == 2
    assert "agree" in sudare("ledger", "verify")


@pytest.fixture
def city(store_url, view):
    """The town and its care are registers of one population."""
    store = Store(store_url)
    with store.writing() as tx:
        for lineage in ("town", "care"):
            join_population(tx, lineage=lineage, name="city", actor="mayor")
    store.close()


FOR_CITY = ["grant", "--population", "city", "--reason", "council 3", "--epsilon"]


def test_the_cap_of_a_population_is_granted_by_two_people_and_shown(sudare, city, monkeypatch):
    assert "care+town  population:city: 0 spent, without a limit" in sudare("budget", "show")
    wish = json.loads(sudare(*FOR_CITY, "1.5", "--json"))["id"]
    monkeypatch.setenv("SUDARE_KEY", key_of(sudare, "hana"))
    assert sudare("grant", "approve", wish).splitlines() == [
        "granted epsilon 1.5 to the cap of population:city",
        "with this, population:city has a total of 1.5 for its lifetime, of which 0 is spent",
    ]
    assert sudare(*FOR_CITY, "0.5", "--lower").splitlines() == [
        "lowered the cap of population:city by epsilon 0.5",
        "with this, population:city has a total of 1 for its lifetime, of which 0 is spent",
    ]
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    assert sudare(*FOR_CITY, "0.1", "--lower").splitlines() == [
        "population:city の生涯上限を ε 0.1 引き下げました",
        "これにより population:city の生涯の合計は 0.9 となります（うち 0 は使用済み）",
    ]
    for dataset in (["--dataset", "town"], ["--dataset", "town-care"], []):
        assert "population:city: 0.9 のうち 0 使用済み" in sudare("budget", "show", *dataset)
    sudare("grant", "--dataset", "town", "--user", "aoi", "--epsilon", "0.5", "--reason", "x")
    assert "population:city" in sudare("budget", "show", "--user", "aoi")
    assert "population:city" in sudare("dataset", "show", "town")
    _, lowered, *_, first = json.loads(sudare("grant", "list", "--json"))
    assert (lowered["population"], lowered["account"]) == ("city", "population:city")
    assert (first["state"], "dataset" in first) == ("effective", False)
    assert "care+town  population:city: ε 0.1 減額" in sudare("grant", "list")
    monkeypatch.setenv("SUDARE_LANGUAGE", "en")
    assert "agree" in sudare("ledger", "verify")


def test_a_population_is_granted_to_by_itself_and_by_its_name(sudare, city):
    assert "no dataset belongs to a population nowhere" in sudare(
        "grant", "--population", "nowhere", "--reason", "x", "--epsilon", "1", exit_code=1
    )
    assert "leave --dataset out" in sudare(*FOR_CITY, "1", "--dataset", "town", exit_code=2)
    assert "--population" in sudare(*FOR_CITY, "1", "--user", "aoi", exit_code=2)
    assert "give --epsilon" in sudare(*FOR_CITY[:-1], "--rho", "1", exit_code=2)
    assert "has no limit" in sudare(*FOR_CITY, "1", "--lower", exit_code=1)
    assert "waits for a second person" in sudare(*FOR_CITY, "1")


@pytest.fixture
def town_in_rho(sudare, tmp_path):
    (tmp_path / "town.yaml").write_text(IN_RHO, encoding="utf-8")
    sudare("dataset", "register", tmp_path / "town.yaml", "--data", tmp_path / "town.csv")
    sudare("org", "add", "sunrise")
    sudare("user", "add", "aoi", "--org", "sunrise", "--role", "analyst")
    return tmp_path


def test_budget_in_rho_is_granted_by_rho_and_shown_as_epsilon_and_delta(sudare, town_in_rho):
    words = ["grant", "--dataset", "town", "--user", "aoi", "--reason", "x"]
    assert "granted rho 0.5 to user:aoi" in sudare(*words, "--rho", "0.5")
    shown = sudare("budget", "show")
    assert "user:aoi: 0 of 0.5 spent (ρ), which is ε 0 at δ 0.000000001" in shown
    assert "dataset:town: 0 of 2 spent (ρ)" in shown
    assert "0 of 0.000001 spent of δ" in shown
    (line,) = (
        item for item in json.loads(sudare("budget", "show", "--json")) if item["account"] == "user:aoi"
    )
    assert (line["measure"], line["spent_as"]) == ("zcdp", {"epsilon": "0", "delta": "0.000000001"})
    assert "town v1 zcdp" in sudare("dataset", "list")


def test_spent_rho_is_shown_as_an_epsilon_rounded_up(sudare, town_in_rho, store_url):
    store = Store(store_url)
    with store.writing() as tx:
        tx.exec_driver_sql("UPDATE accounts SET spent = 100000000 WHERE kind = 'dataset'")
    store.close()
    (line,) = json.loads(sudare("budget", "show", "--json"))
    assert line["spent"] == "0.1"
    assert (
        2.5 < float(line["spent_as"]["epsilon"]) < 2.96
    )  # above, ρ + 2√(ρ ln 1/δ): the rule that is not tight
    assert "at δ 0.000000001" in sudare("budget", "show")


@pytest.mark.parametrize(
    ("given", "dataset", "message"),
    [
        (["--epsilon", "1"], "rho", "the budget of town is counted in ρ: give --rho, and nothing else"),
        (["--epsilon", "1", "--rho", "1"], "rho", "give --rho, and nothing else"),
        ([], "rho", "give --rho, and nothing else"),
        (["--rho", "1"], "pure", "the budget of town is counted in ε: give --epsilon, and nothing else"),
        (["--epsilon", "1", "--rho", "1"], "pure", "give --epsilon, and nothing else"),
        ([], "pure", "give --epsilon, and nothing else"),
    ],
)
def test_an_amount_in_the_wrong_measure_is_wrong_use(sudare, request, given, dataset, message):
    request.getfixturevalue("town_in_rho" if dataset == "rho" else "town")
    words = ["grant", "--dataset", "town", "--user", "aoi", "--reason", "x", *given]
    assert message in sudare(*words, exit_code=2)


def test_a_dataset_never_changes_its_measure(sudare, town):
    (town / "town.yaml").write_text(IN_RHO, encoding="utf-8")
    output = sudare("dataset", "register", town / "town.yaml", "--data", town / "town.csv", exit_code=1)
    assert "a lineage never changes its measure. Keep `measure: pure`" in output


@pytest.mark.parametrize(
    "url", ["", "{x}", "mysql://h/d", "sqlite://", "postgresql://u:p@[bad", "nope+nope://x"]
)
def test_an_address_that_is_no_databases_is_refused_without_being_repeated(monkeypatch, tmp_path, url):
    """It may hold a password."""
    monkeypatch.setenv("SUDARE_DATABASE_URL", url)
    monkeypatch.setenv("SUDARE_DATA_DIR", str(tmp_path))
    result = CliRunner().invoke(main, ["dataset", "list"])
    assert (result.exit_code, result.exception.__class__) == (1, SystemExit)
    assert result.output.strip().endswith("must read like sqlite:///path or postgresql://host/name")


def test_a_file_that_is_no_database_is_not_available(monkeypatch, tmp_path):
    (tmp_path / "notes.csv").write_text("a,b\n" * 1_000, encoding="utf-8")
    monkeypatch.setenv("SUDARE_DATABASE_URL", f"sqlite:///{tmp_path}/notes.csv")
    result = CliRunner().invoke(main, ["dataset", "list"])
    assert (result.exit_code, result.stdout) == (1, "")
    *logged, told = result.stderr.splitlines()
    assert told == "Error: the database is not available"
    assert 'cause="file is not a database"' in "".join(logged)


@pytest.mark.parametrize(
    "words",
    [["org", "add", "shop"], ["dataset", "list"], ["ledger", "verify"], ["budget", "show"], ["serve"]],
)
def test_before_init_every_command_says_what_to_run(monkeypatch, tmp_path, empty_url, words):
    monkeypatch.setenv("SUDARE_DATABASE_URL", empty_url)
    monkeypatch.setenv("SUDARE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SUDARE_SECRET_KEY", SECRET)
    monkeypatch.setattr("os.execve", lambda *_: pytest.fail("a server was started"))
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == "Error: the database is not initialised: run sudare init"


def test_a_database_newer_than_the_program_is_left_as_it_is(monkeypatch, sudare, store):
    with store.writing() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert "upgrade the program" in sudare("init", exit_code=1)
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    assert "プログラムを更新してください" in sudare("serve", exit_code=1)


def test_serving_begins_while_the_database_is_away(monkeypatch, tmp_path):
    monkeypatch.setenv("SUDARE_DATABASE_URL", f"postgresql://nobody@/none?host={tmp_path}")
    monkeypatch.setenv("SUDARE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SUDARE_SECRET_KEY", SECRET)
    begun = []
    monkeypatch.setattr("os.execve", lambda program, words, environment: begun.append(words))
    assert CliRunner().invoke(main, ["serve"]).exit_code == 0
    assert "wsgi:app" in begun[0]


def test_a_data_folder_that_is_a_file_is_named(monkeypatch, tmp_path):
    file = tmp_path / "data"
    file.write_text("", encoding="utf-8")
    monkeypatch.setenv("SUDARE_DATABASE_URL", f"sqlite:///{tmp_path}/sudare.db")
    monkeypatch.setenv("SUDARE_DATA_DIR", str(file))
    result = CliRunner().invoke(main, ["init"])
    assert (result.exit_code, result.output) == (1, f"Error: {file}: File exists\n")


# Registers about the same people


@pytest.fixture
def twin(town):
    """A second register of the same people, with one column more."""
    (town / "twin.yaml").write_text(DESCRIPTOR.replace("id: town", "id: twin"), encoding="utf-8")
    (town / "twin.csv").write_text(ROWS.replace(",1\n", ",2\n"), encoding="utf-8")
    return ["dataset", "register", town / "twin.yaml", "--data", town / "twin.csv"]


def test_a_second_register_of_the_same_people_takes_a_reason(sudare, twin, monkeypatch):
    refused = sudare(*twin, exit_code=1)
    assert "about 100 % of the people of this register and of town, more than half" in refused
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    assert "town の人々の半数を超える約 100 % が共通" in sudare(*twin, exit_code=1)
    assert "理由を 1〜1,000 文字" in sudare(*twin, "--separate-lineage", " ", exit_code=1)
    assert "town とは別の系統とし" in sudare(*twin, "--separate-lineage", "番号を付け直したため")
    line = sudare("ledger", "export").splitlines()[-1]
    assert '\\"reason\\":\\"番号を付け直したため' in line or "番号を付け直したため" in line
    assert "一致" in sudare("ledger", "verify")


def test_notices_of_a_registration_are_told_in_json_too(sudare, twin):
    output = sudare(*twin, "--separate-lineage", "ids were drawn anew", "--json")
    (notice,) = json.loads(output[output.index("{") :])["notices"]
    assert (notice["code"], notice["lineage"]) == ("separate", "town")
    assert notice["text_ja"]


def test_a_reason_that_was_not_needed_is_told_and_not_kept(sudare, town):
    (town / "town.csv").write_text(ROWS + "60,female,33\n", encoding="utf-8")
    words = ["dataset", "register", town / "town.yaml", "--data", town / "town.csv"]
    assert "was not needed" in sudare(*words, "--separate-lineage", "why not")
    assert "why not" not in sudare("ledger", "export")


def test_a_view_has_no_lineage_of_its_own(sudare, tmp_path):
    (tmp_path / "view.yaml").write_text(VIEW, encoding="utf-8")
    words = ["dataset", "register", tmp_path / "view.yaml", "--separate-lineage", "x"]
    assert "leave --separate-lineage out" in sudare(*words, exit_code=2)


def test_a_dataset_is_shown_with_its_population_and_whose_answers_are_told_again(sudare, town):
    terms = "id: town\npopulation: people-131016\nreuse: organisation"
    (town / "town.yaml").write_text(DESCRIPTOR.replace("id: town", terms), encoding="utf-8")
    sudare("dataset", "register", town / "town.yaml", "--data", town / "town.csv")
    listed = "town v2 pure (of people-131016; told again within an organisation)"
    assert listed in sudare("dataset", "list")
    assert listed in sudare("dataset", "show", "town")
    shown = json.loads(sudare("dataset", "show", "town", "--json"))
    assert (shown["populations"], shown["reuse"]) == (["people-131016"], "organisation")


@pytest.mark.parametrize(
    ("spoken", "sentence"),
    [("en", "Error: stopped; the dataset is as it was before\n"), ("ja", "データセットは以前のまま")],
)
def test_ctrl_c_ends_a_registration_with_a_sentence(sudare, town, monkeypatch, spoken, sentence):
    monkeypatch.setenv("SUDARE_LANGUAGE", spoken)
    before = lying(town)

    def interrupted(*arguments, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr("datasets.registration.registry.ingest", interrupted)
    words = ["dataset", "register", town / "town.yaml", "--data", town / "town.csv"]
    assert sentence in sudare(*words, exit_code=130)
    assert lying(town) == before


def test_a_stop_is_made_listed_and_ended(sudare, town, monkeypatch):
    why = ["--reason", "a leak"]
    assert sudare("stop", "--dataset", "town", *why) == "stopped dataset town\n"
    assert "is stopped already" in sudare("stop", "--dataset", "town", *why, exit_code=1)
    assert sudare("stop", "--org", "sunrise", *why) == "stopped organisation sunrise\n"
    (of_town, _) = json.loads(sudare("stop", "list", "--json"))
    assert (of_town["kind"], of_town["subject"], of_town["reason"]) == ("dataset", "town", "a leak")
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    assert sudare("resume", "--org", "sunrise", *why) == "組織 sunrise を再開しました\n"
    assert sudare("resume", "--all", *why) == "データセット town を再開しました\n"
    assert sudare("stop", "list") == "停止されているものはありません\n"
    assert "停止されていません" in sudare("resume", "--user", "aoi", *why, exit_code=1)
    assert "一致しています" in sudare("ledger", "verify")


def test_the_account_that_runs_a_command_answers_for_it_whatever_the_environment_says(
    sudare, town, monkeypatch
):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "somebody-else")
    sudare("stop", "--user", "aoi", "--reason", "x")
    (stop,) = json.loads(sudare("stop", "list", "--json"))
    assert stop["by"] == f"operator:{pwd.getpwuid(os.getuid()).pw_name}"


def test_an_account_without_a_name_is_known_by_its_number(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 3_999_999_999)
    assert operator() == "operator:3999999999"


NOT_ONE_LINE = ["ok\nuser hana  2026  stopped by operator:root: fake", "a\r", "\x07", "\u202e", "\udcff"]


@pytest.mark.parametrize("reason", NOT_ONE_LINE, ids=ascii)
def test_a_reason_that_is_not_one_line_is_refused_by_every_command(sudare, town, reason):
    for words in (
        ["stop", "--user", "aoi"],
        ["resume", "--all"],
        ["grant", "--dataset", "town", "--user", "aoi", "--epsilon", "0.1"],
        ["dataset", "retire", "town"],
        ["dataset", "unretire", "town"],
        ["dataset", "purge", "town", "--version", "1"],
    ):
        assert "one line" in sudare(*words, "--reason", reason, exit_code=1), words
    assert sudare("stop", "list") == "nothing is stopped\n"
    assert "town v1 pure" in sudare("dataset", "list")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["stop", "--reason", "x"], "exactly one of --dataset, --org, --user"),
        (["stop", "--user", "aoi", "--org", "sunrise", "--reason", "x"], "exactly one of"),
        (["stop", "--user", "aoi"], "give the reason with --reason"),
        (["stop", "--user", "aoi", "list"], "options do not go before list"),
        (
            ["resume", "--all", "--user", "aoi", "--reason", "x"],
            "exactly one of --dataset, --org, --user, --all",
        ),
        (["resume", "--reason", "x"], "exactly one of"),
    ],
)
def test_a_stop_that_names_none_or_several_is_wrong_use(sudare, words, told):
    assert told in sudare(*words, exit_code=2)


def test_a_dataset_is_retired_brought_back_and_purged_in_the_operators_language(sudare, town, monkeypatch):
    assert sudare("dataset", "retire", "town") == "retired town\n"
    assert "town v1 pure (retired)" in sudare("dataset", "list")
    assert sudare("dataset", "unretire", "town", "--reason", "x") == "town answers again\n"
    purge = ["dataset", "purge", "town", "--version", "1", "--reason", "a wrong file"]
    assert "answers now" in sudare(*purge, exit_code=1)
    sudare("dataset", "register", town / "town.yaml", "--data", town / "town.csv")
    assert sudare(*purge) == "destroyed the rows of version 1 of town\n"
    shown = json.loads(sudare("dataset", "show", "town", "--json"))
    assert [bool(version["purged_at"]) for version in shown["versions"]] == [True, False]
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    assert sudare(*purge) == "town のバージョン 1 の行を消去しました\n"
    assert "バージョン 1: 登録" in sudare("dataset", "show", "town")
    assert sudare("dataset", "retire", "town", "--reason", "x") == "town を廃止しました\n"
    assert "（廃止）" in sudare("dataset", "list")
    assert "一致しています" in sudare("ledger", "verify")


def test_the_history_of_a_budget_tells_who_changed_it_and_why(sudare, wish, monkeypatch):
    sudare(*TO_AOI, "0.5")
    settle_one()
    monkeypatch.setenv("SUDARE_KEY", key_of(sudare, "hana"))
    sudare("grant", "approve", wish)
    sudare(*TO_AOI, "0.1", "--lower")
    sudare("stop", "--dataset", "town", "--reason", "a leak")
    lines = json.loads(sudare("budget", "history", "--dataset", "town", "--json"))
    assert [(line["kind"], line["amount"], line["spent"]) for line in lines] == [
        ("open", "2", "0"),
        ("grant_requested", "3", "0"),
        ("grant", "0.5", "0"),
        ("grant", "3", "0.25"),
        ("grant_lowered", "0.1", "0.25"),
        ("stopped", None, "0.25"),
    ]
    assert (lines[3]["account"], lines[3]["decided_by"], lines[3]["reason"]) == (
        "dataset:town",
        "hana",
        "council",
    )
    told = sudare("budget", "history", "--dataset", "town").splitlines()
    assert "raised dataset:town 3 (by operator:" in told[3]
    assert told[3].endswith(", decided by hana): council [spent by then: 0.25]")
    assert told[5].endswith(": a leak [spent by then: 0.25]")
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    assert "停止" in sudare("budget", "history", "--dataset", "town")
    assert "ありません" in sudare("budget", "history", "--dataset", "nothing", exit_code=1)


def settle_one():
    """Aoi is answered something on the town for 0.25."""
    services = Services.from_environment()
    price = Price.parse("0.25")
    asked = changed(
        dataset="town", organisation="sunrise", lineages=("town",), charge=price, dataset_charge=price
    )
    services.ledger.settle(asked)


COMMANDS_THAT_ASK = {
    "org": ["org", "add", "x"],
    "user": ["user", "disable", "aoi"],
    "dataset": ["dataset", "list"],
    "budget": ["budget", "show", "--dataset", "residents"],
    "grant": ["grant", "list"],
    "ledger": ["ledger", "verify"],
    "jobs": ["jobs", "--once"],
    "serve": ["serve"],
}


@pytest.mark.parametrize("command", COMMANDS_THAT_ASK.values(), ids=COMMANDS_THAT_ASK)
@pytest.mark.parametrize(
    ("language", "told"), [("en", "run sudare init"), ("ja", "sudare init を実行してください")]
)
def test_every_command_says_that_the_database_was_never_initialised(
    empty_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    language: str,
    told: str,
) -> None:
    given = {"DATABASE_URL": empty_url, "DATA_DIR": str(tmp_path), "LANGUAGE": language, "SECRET_KEY": SECRET}
    for name, value in given.items():
        monkeypatch.setenv(f"SUDARE_{name}", value)
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1
    assert told in done.stderr
    assert isinstance(done.exception, SystemExit)


@pytest.mark.parametrize(
    "words", [["stop", "--user", "\udcff", "--reason", "x"], ["user", "disable", "\udcff"]]
)
def test_an_argument_that_is_no_text_is_refused_as_such(sudare, town, words):
    assert "no UTF-8" in sudare(*words, exit_code=1)
