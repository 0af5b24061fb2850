"""The documents keep pace with the code: settings, problem codes, commands, languages."""

import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

from api import create_app
from api.commands.main import main
from api.description.openapi import operations
from api.http.problem_words import PROBLEMS, REASONS
from api.settings import PREFIX, InvalidSetting, Settings
from privacy.hint_words import HINTS, MISREAD
from privacy.left_out import LEFT_OUT
from privacy.notes import NOTES

ROOT = Path(__file__).resolve().parents[2]
PLACEHOLDER = re.compile(r"\{[a-z]+\}")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_setting_stands_in_the_table_and_no_other():
    documented = re.findall(rf"^\| `({PREFIX}\w+)`", read("docs/settings.md"), re.MULTILINE)
    assert sorted(documented) == sorted(f"{PREFIX}{field.name.upper()}" for field in fields(Settings))


def test_every_default_in_the_table_is_the_real_one():
    rows = dict(re.findall(rf"^\| `{PREFIX}(\w+)` \| `([^`]*)`", read("docs/settings.md"), re.MULTILINE))
    for name, default in rows.items():
        assert str(getattr(Settings(), name.lower())) == default


@pytest.mark.parametrize(
    "bind", ["127.0.0.1:99999", "{x}", "localhost", "127.0.0.1:0", "host name:80", "unix:"]
)
def test_an_address_where_nobody_can_listen_stops_the_start(bind):
    with pytest.raises(InvalidSetting, match="SUDARE_BIND must read like"):
        Settings.read({"SUDARE_BIND": bind})


@pytest.mark.parametrize(
    "bind", ["127.0.0.1:8000", ":80", "[::1]:8000", "town.example:443", "unix:/run/s.sock"]
)
def test_an_address_to_listen_at_is_taken(bind):
    assert Settings.read({"SUDARE_BIND": bind}).bind == bind


def test_an_unknown_setting_stops_the_start():
    with pytest.raises(InvalidSetting, match="SUDARE_WORKRES is not a setting"):
        Settings.read({"SUDARE_WORKRES": "3"})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SUDARE_WORKERS", "two"),
        ("SUDARE_WORKERS", "0"),
        ("SUDARE_WORKERS", "1e3"),
        ("SUDARE_LOG_LEVEL", "loud"),
        ("SUDARE_RATE_LIMIT", "many"),
    ],
)
def test_a_setting_that_cannot_be_read_stops_the_start(name, text):
    with pytest.raises(InvalidSetting, match=name):
        Settings.read({name: text})


def test_a_secret_comes_from_a_file_and_is_never_told(tmp_path):
    file = tmp_path / "secret"
    file.write_text("short\n")
    with pytest.raises(InvalidSetting) as refusal:
        Settings.read({"SUDARE_SECRET_KEY_FILE": str(file)})
    assert "short" not in str(refusal.value)


def test_a_generated_secret_is_kept_and_only_its_owner_reads_it(tmp_path):
    settings = Settings(data_dir=tmp_path)
    first = settings.secret()
    assert settings.secret() == first
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_every_problem_code_is_explained_to_askers():
    documented = set(re.findall(r"^\| `(\w+)` \| \d{3} \|", read("docs/asking.md"), re.MULTILINE))
    assert documented == set(PROBLEMS)


def test_every_code_of_a_note_is_explained_to_askers():
    section = read("docs/asking.md").split("## Notes and hints")[1].split("\n## ")[0]
    lines = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section, re.MULTILINE)
    documented = [code for line in lines for code in re.findall(r"`(\w+)`", line)]
    assert sorted(documented) == sorted({*NOTES, *LEFT_OUT, *HINTS, *MISREAD} - {"reaches"})


def test_every_problem_code_belongs_to_some_operation(tmp_path):
    app = create_app(
        Settings(database_url=f"sqlite:///{tmp_path}/x.db", data_dir=tmp_path, secret_key="x" * 32)
    )
    named = set().union(*(operation.refusals for _, _, operation in operations(app)))
    assert named | {"method_not_allowed"} == set(PROBLEMS)


def test_both_languages_say_the_same_things():
    texts = [words for problem in PROBLEMS.values() for words in (problem.title, problem.detail)]
    for words in (*texts, *REASONS.values()):
        assert sorted(PLACEHOLDER.findall(words.en)) == sorted(PLACEHOLDER.findall(words.ja)), words
        assert re.search(r"[ぁ-んァ-ヶ一-龠{]", words.ja)


def test_every_command_has_help():
    def walk(command, path):
        assert command.help, path
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                walk(command.get_command(context, name), f"{path} {name}")

    walk(main, "sudare")


def test_make_help_lists_every_target():
    text = read("Makefile")
    targets = set(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split())
    assert targets == set(re.findall(r"^([a-z-]+):.*##", text, re.MULTILINE))


DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("file", DOCUMENTS, ids=[file.name for file in DOCUMENTS])
def test_every_link_inside_the_project_leads_somewhere(file):
    for link in re.findall(r"\]\(([^)#: ]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8")):
        assert (file.parent / link).exists(), link


@pytest.mark.parametrize("file", DOCUMENTS, ids=[file.name for file in DOCUMENTS])
def test_every_file_of_the_code_that_is_named_is_there(file):
    """Places for what is to come are named as folders."""
    named = re.findall(
        r"`((?:api|datasets|privacy|tests|bench|scripts)/[\w./-]+\.\w+)`", file.read_text(encoding="utf-8")
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_no_committed_text_names_a_registry():
    hosts = re.compile(r"p[y]pi\.org|pythonh[o]sted|registry\.n[p]mjs|deb\.d[e]bian")
    kinds = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".cfg", ""}
    skipped = {".git", "var", "__pycache__"}
    for file in ROOT.rglob("*"):
        parts = file.relative_to(ROOT).parts
        if parts[0].startswith(".venv") or skipped.intersection(parts):
            continue
        if file.is_file() and file.suffix in kinds:
            assert not hosts.search(file.read_text(encoding="utf-8", errors="ignore")), file


def test_no_two_files_of_tests_have_the_same_name():
    """They would be taken for one module, but only where both are collected by one process."""
    names = [file.name for file in ROOT.glob("tests/**/test_*.py")]
    assert sorted(set(names)) == sorted(names)
