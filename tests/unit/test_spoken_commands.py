"""`sudare` in Japanese: helps, wrong use, stages and results hold no English, whoever set the language."""

import gettext
import inspect
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from japanese import JAPANESE, LATIN, PROPER_NAMES, english_in

from api.commands import click_words
from api.commands.click_words import CLICK, FILE, catalogue
from api.commands.help_words import HELP, METAVARS, STAGES
from api.commands.language import CAUSES, cause_of
from api.commands.main import COMMANDS, main
from api.commands.spoken import columns, spoken_stage, wrapped
from api.commands.terminal import StageProgress

ROOT = Path(__file__).resolve().parents[2]
NAMES = {"sudare", "Sudare", "SUDARE_KEY", "json", "h", *COMMANDS}


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the language of whoever runs the tests; the one that a command sets is taken back."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG", "SUDARE_LANGUAGE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def japanese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")


def sudare(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), prog_name="sudare")


def every_command(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from every_command(inner, (*path, name))


ALL = dict(every_command(main))


def typed_in(command: click.Command) -> set[str]:
    """What somebody types for a command: options, their choices, and names of arguments."""
    found: set[str] = set()
    for param in command.params:
        found.update(word for name in param.opts for word in LATIN.findall(name))
        found.update(getattr(param.type, "choices", ()))
        found.add(str(param.metavar or param.name).upper())
    return found


def english(text: str, path: tuple[str, ...]) -> list[str]:
    known = NAMES | set(path) | {name for inner in ALL for name in inner}
    known |= set().union(*(typed_in(command) for command in ALL.values()))
    return [word for word in english_in(text) if word not in known]


def paragraphs(command: click.Command) -> Iterator[str]:
    for part in inspect.cleandoc(command.help or "").split("\n\n"):
        yield " ".join(part.split())
    for param in command.params:
        if getattr(param, "help", None):
            yield " ".join(param.help.split())  # type: ignore[attr-defined]


def test_every_help_has_its_japanese_and_no_japanese_is_left_over() -> None:
    told = {text for command in ALL.values() for text in paragraphs(command)}
    assert told - set(HELP) == set()
    assert set(HELP) - told == {"Show this message and exit."}
    assert {summary for place in COMMANDS.values() for summary in [place.summary]} <= set(HELP)


def test_every_kind_of_value_has_a_japanese_name() -> None:
    kinds = {
        param.type.name
        for command in ALL.values()
        for param in command.params
        if isinstance(param, click.Option)
        and not param.is_flag
        and not param.hidden
        and param.metavar is None
    }
    assert kinds - {"choice"} <= set(METAVARS)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
@pytest.mark.usefixtures("japanese")
def test_help_in_japanese_holds_no_english(path: tuple[str, ...]) -> None:
    shown = sudare(*path, "--help")
    assert shown.exit_code == 0
    assert shown.output.startswith("使い方: sudare")
    assert english(shown.output, path) == []
    assert all(columns(line) <= 80 for line in shown.output.splitlines())


WRONG = (
    ("grnt",),
    ("user", "ad"),
    ("grant", "--dataste", "x"),
    ("dataset", "register"),
    ("dataset", "register", "/nowhere.yaml"),
    ("user", "add", "x", "--org", "y"),
    ("user", "add", "x", "--org", "y", "--role", "z"),
    ("user", "show", "a", "b"),
    ("grant", "--epsilon", "many"),
    ("grant", "--epsilon"),
    ("grant", "--lower=yes"),
    ("dataset", "purge", "x", "--version", "0", "--reason", "r"),
    ("dataset", "purge", "x", "--version", "one", "--reason", "r"),
    ("stop", "--dataset", "x", "list"),
    ("stop",),
)


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
@pytest.mark.usefixtures("japanese")
def test_wrong_use_is_told_in_japanese(words: tuple[str, ...]) -> None:
    told = sudare(*words)
    assert told.exit_code == 2
    assert "エラー: " in told.output or told.output.startswith("使い方: ")
    assert [word for word in english(told.output, words) if word not in " ".join(words)] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("dataset", "register"), "エラー: 引数を指定してください：'DESCRIPTOR'。"),
        (("dataset", "chek"), "エラー: 'chek' というコマンドはありません。（'check' のことですか）"),
        (
            ("dataset", "retir"),
            "エラー: 'retir' というコマンドはありません。（'register', 'retire', 'unretire' のことですか）",
        ),
        (("--helpp",), "エラー: '--helpp' というオプションはありません。（'--help' のことですか）"),
        (("stop", "--dataset", "x", "lst"), ""),
    ],
    ids=str,
)
@pytest.mark.usefixtures("japanese")
def test_what_click_puts_together_is_set_as_japanese_is(words: tuple[str, ...], told: str) -> None:
    shown = sudare(*words)
    assert shown.exit_code == 2
    assert told in shown.output
    assert not re.search(r"[：。] |'\.(\s|$)", shown.output)


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_use_is_told_in_english_without_a_japanese_word(words: tuple[str, ...]) -> None:
    told = sudare(*words)
    assert told.exit_code == 2
    assert not JAPANESE.search(told.output)


@pytest.mark.parametrize(
    ("environment", "usage"),
    [
        ({}, "Usage:"),
        ({"LANG": "ja_JP.UTF-8"}, "使い方:"),
        ({"LC_ALL": "ja_JP.UTF-8", "LANG": "en_US.UTF-8"}, "使い方:"),
        ({"LANG": "ja_JP.UTF-8", "SUDARE_LANGUAGE": "en"}, "Usage:"),
        ({"LANG": "C", "SUDARE_LANGUAGE": "ja"}, "使い方:"),
        # gettext's own name, which belongs to other programs, decides nothing here.
        ({"LANGUAGE": "ja"}, "Usage:"),
    ],
)
def test_the_language_is_the_settings_or_the_locales(environment: dict[str, str], usage: str) -> None:
    rest = {name: text for name, text in os.environ.items() if not name.startswith(("LC_", "SUDARE_"))}
    shown = subprocess.run(
        [sys.executable, "-m", "api", "grant", "--help"],
        env={**rest, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert shown.stdout.startswith(usage)


def test_another_language_is_refused_by_a_command_that_reads_no_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUDARE_LANGUAGE", "fr")
    refused = sudare("openapi")
    assert (refused.exit_code, refused.output) == (1, "Error: SUDARE_LANGUAGE must be ja or en\n")


def test_the_catalogue_that_gettext_reads_is_made_from_the_messages() -> None:
    assert FILE.read_bytes() == catalogue()
    read = gettext.GNUTranslations(io.BytesIO(catalogue()))
    for key, text in CLICK.items():
        if isinstance(key, str):
            assert read.gettext(key) == text
        else:
            assert read.ngettext(*key, 1) == read.ngettext(*key, 2) == text


def test_messages_are_clicks_own_and_fill_the_same_places() -> None:
    source = "".join(file.read_text("utf-8") for file in Path(click.__file__).parent.glob("*.py"))
    for key, text in CLICK.items():
        keys = (key,) if isinstance(key, str) else key
        for one in keys:
            assert repr(one)[1:-1] in source or one in source, one
        places = [set(re.findall(r"\{\w+", one)) for one in keys]
        # A language without plural is told by the form that has all the places of what is shown.
        assert set(re.findall(r"\{\w+", text)) <= set.union(*places)
        assert english_in(re.sub(r"\{[^}]*\}", " ", text)) == []
    assert click_words.FOLDER.is_dir()


@pytest.mark.usefixtures("japanese")
def test_stages_are_told_in_japanese(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with StageProgress() as progress:
        progress("read", 1.0)
        progress("search", 0.0)
    assert file.getvalue().splitlines() == ["読込み 100%", "探索 0%"]


def test_every_stage_that_work_names_has_a_japanese_name(monkeypatch: pytest.MonkeyPatch) -> None:
    named = set()
    for file in (ROOT / "datasets").rglob("*.py"):
        text = file.read_text("utf-8")
        named.update(re.findall(r'(?:progress|watch\.stage)\("(\w+)"', text))
        named.update(
            re.findall(
                r'^(?:READING|CODING|BOUNDING|WRITING|JOINING|IDENTIFYING) = "(\w+)"', text, re.MULTILINE
            )
        )
    assert len(named) > 8
    assert named <= set(STAGES)
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    assert all(JAPANESE.search(spoken_stage(stage)) for stage in named)


@pytest.mark.usefixtures("japanese")
def test_what_the_system_refuses_is_told_in_japanese() -> None:
    for number in CAUSES:
        assert english_in(cause_of(OSError(number, os.strerror(number)))) == []
    assert cause_of(OSError(9999, "odd")) == "odd"


def test_a_sentence_is_not_told_a_placeholder() -> None:
    placeholder = re.compile(r"(?<![A-Za-z_-])(FOLDER|DATA|EXPORT|REASON|DESCRIPTOR|NAME|PLAN)(?![A-Za-z_-])")
    assert [told for told in HELP.values() if placeholder.search(told)] == []


def test_a_japanese_sentence_calls_the_key_by_its_whole_name() -> None:
    assert [told for told in HELP.values() if re.search(r"(?<!API )キー", told)] == []


def test_lines_break_between_japanese_letters_and_never_before_a_full_stop() -> None:
    text = "これは長い説明です。sudare ledger export で書き出した写しを（別に）保管してください。"
    lines = wrapped(text, 20)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(columns(line) <= 22 for line in lines)
    assert not any(line.startswith(("、", "。", "）")) or line.endswith("（") for line in lines)
    assert "ledger" in " ".join(lines)


def test_proper_names_are_no_help_for_commands() -> None:
    assert NAMES.isdisjoint(PROPER_NAMES - {"Sudare"})
