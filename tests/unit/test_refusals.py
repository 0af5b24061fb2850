"""Every refusal of every room: one base, a code of its own, words in both languages; a problem over HTTP."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import api
import datasets
import privacy
from api.commands.language import language, refusal_text
from api.http.problem_of_refusal import PROBLEM_OF
from api.http.problem_words import PROBLEMS
from api.http.problems import RequestRefused
from api.settings import InvalidSetting, Settings
from datasets.database.errors import Unavailable
from datasets.ledger.errors import BudgetExhausted, NoReason
from privacy.budget import Price
from privacy.refusal import Refusal
from privacy.words import Words

PLACE = re.compile(r"\{[\w.]+\}")
RUN_AS_PROGRAMS = ("__main__", "migrations.env")

NOT_OVER_HTTP = {
    # `request_refused` names its own problem.
    "request_refused",
    # Answered with another refusal by the room that meets it.
    "no_account",
    "already_answered",
    "invalid_amount",
    "invalid_delta",
    "not_canonical",
    "above_limit",
    "above_unspent",
    "below_spent",
    # Asked once more by the room that meets it, and then not met again.
    "population_joined",
    # The body's schema refuses it first.
    "nobody_named",
    # People, registration, settings and records are the command line's.
    "invalid_name",
    "invalid_role",
    "invalid_title",
    "user_disabled",
    "user_not_disabled",
    # Refused before anything is served.
    "secret_lost",
    "other_data_folder",
    "already_there",
    "unknown_subject",
    "stopped_already",
    "not_stopped",
    "stop_needs_reason",
    "no_such_organisation",
    "invalid_setting",
    "import_problem",
    "registration_refused",
    "other_population",
    "join_above_cap",
    "faulty_text",
    "bad_descriptor",
    "bad_plan",
    "deidentify",
    "bad_table",
    "bad_hierarchy",
    "bad_model",
    "bad_operation",
    "bad_examination",
    "bad_evidence",
    "no_solution",
    "not_proven",
    "folder_refused",
    "bad_source",
    "not_writable",
    # Operations on a whole installation are the command line's.
    "backup_refused",
    "restore_refused",
    "export_refused",
    "being_restored",
}


def modules() -> Iterator[str]:
    for package in (privacy, datasets, api):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith(RUN_AS_PROGRAMS):
                yield found.name


def below(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for one in kind.__subclasses__():
        yield one
        yield from below(one)


@pytest.fixture(scope="module")
def refusals() -> list[type[Refusal]]:
    for name in modules():
        importlib.import_module(name)
    ours = ("api.", "datasets.", "privacy.")
    return [kind for kind in below(Refusal) if kind.__module__.startswith(ours)]


def test_every_refusal_that_is_raised_has_a_code_of_its_own(refusals: list[type[Refusal]]) -> None:
    leaves = [kind for kind in refusals if not kind.__subclasses__()]
    assert [kind.__name__ for kind in leaves if "code" not in vars(kind)] == []
    codes = [kind.code for kind in refusals if "code" in vars(kind)]
    assert sorted(set(codes)) == sorted(codes)
    assert all(re.fullmatch("[a-z_]+", code) for code in codes)


def test_words_of_a_class_fill_the_same_places_in_both_languages(refusals: list[type[Refusal]]) -> None:
    templates = [vars(kind)["words"] for kind in refusals if isinstance(vars(kind).get("words"), Words)]
    assert len(templates) > 20
    for words in templates:
        assert sorted(PLACE.findall(words.ja)) == sorted(PLACE.findall(words.en))
        assert re.search(r"[ぁ-んァ-ヶ一-龠]", words.ja)


def test_a_refusal_says_its_fields_in_both_languages() -> None:
    refusal = BudgetExhausted(
        kind="user", holder="ann", needed=Price.parse("2"), remaining=Price.parse("0.5")
    )
    assert str(refusal) == "user:ann needs 2 and has 0.5"
    assert refusal.message().ja == "user:ann には 2 が必要ですが、残りは 0.5 です"


def test_a_brace_that_a_caller_sent_is_no_place_to_fill() -> None:
    assert str(InvalidSetting(Words(ja="{x}", en="{x}"))) == "{x}"


def test_only_refusals_of_the_command_line_have_no_problem_over_http(refusals: list[type[Refusal]]) -> None:
    codes = {kind.code for kind in refusals if "code" in vars(kind)}
    assert codes - NOT_OVER_HTTP == set(PROBLEM_OF)
    assert codes >= NOT_OVER_HTTP


def test_every_row_of_the_table_names_a_problem_of_the_closed_list() -> None:
    assert {row.problem for row in PROBLEM_OF.values()} <= set(PROBLEMS)


def test_a_problem_that_a_view_names_is_told_in_its_words() -> None:
    refusal = RequestRefused("forbidden", expected="{analyst}")
    assert str(refusal) == "This needs the role {analyst}."


@pytest.mark.parametrize(
    ("environment", "spoken"),
    [
        ({}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja"}, "ja"),
        ({"LANG": "jam_JM.UTF-8"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": ""}, "ja"),
        ({"LANG": "C", "LC_MESSAGES": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "SUDARE_LANGUAGE": "en"}, "en"),
        ({"SUDARE_LANGUAGE": "ja"}, "ja"),
        ({"SUDARE_LANGUAGE": "ja", "SUDARE_WORKRES": "2"}, "ja"),
    ],
)
def test_the_command_line_speaks_the_language_set_or_that_of_the_locale(
    environment: dict[str, str], spoken: str
) -> None:
    assert language(environment) == spoken


def test_another_language_stops_the_start() -> None:
    with pytest.raises(InvalidSetting, match="SUDARE_LANGUAGE must be ja or en"):
        Settings.read({"SUDARE_LANGUAGE": "fr"})


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("RESPONSE_QUANTUM_MS", "0", "must be 1 to 60000"),
        ("RESPONSE_QUANTUM_MS", "60001", "must be 1 to 60000"),
        ("PLANNING_WORK_MAX", "999", "must be 1000 to 100000000"),
    ],
)
def test_a_setting_outside_of_its_bounds_stops_the_start(name: str, value: str, told: str) -> None:
    with pytest.raises(InvalidSetting, match=f"SUDARE_{name} {told}"):
        Settings.read({f"SUDARE_{name}": value})


def test_the_command_line_shows_words_and_never_a_docstring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    assert refusal_text(Unavailable()) == "データベースを利用できません"
    assert refusal_text(NoReason()) == (
        "付与の理由を 1〜1,000 文字の 1 行で指定してください（制御文字や目に見えない文字は使えません）"
    )
