"""`sudare` before any command does its work: what it lists, what it loads for that, and how progress is shown."""

import io
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from api.commands.main import COMMANDS, OperatorCommands, main
from api.commands.terminal import StageProgress
from privacy.refusal import Refusal
from privacy.words import Words

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "alembic",
    "duckdb",
    "flask",
    "numba",
    "numpy",
    "opendp",
    "pyarrow",
    "scipy",
    "sklearn",
    "sqlglot",
    "structlog",
}
LONG = 1_000


class Odd(Refusal):
    code = "odd"
    words = Words(ja="{number} は奇数です。", en="{number} is odd")

    def __init__(self, number):
        super().__init__()
        self.number = number


@click.command()
def refused():
    """Refuse."""
    raise Odd(3)


def loaded_after(script):
    """The modules of other projects that a new interpreter has loaded at the end of a script."""
    script += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def asked(*words):
    """A script that runs the command line with these words."""
    return f"from api.commands.main import main\nmain({list(words)!r}, standalone_mode=False)"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_list_of_commands_and_the_version_load_nothing_heavy(option):
    loaded = loaded_after(asked(option))
    assert "click" in loaded
    assert not loaded & HEAVY
    assert "sqlalchemy" not in loaded


def test_help_of_a_command_loads_no_engine_and_no_web_server():
    # `demo` and `deid` are those whose bodies need most.
    for words in (["grant"], ["budget", "show"], ["dataset", "register"], ["deid"], ["demo"], ["serve"]):
        assert not loaded_after(asked(*words, "--help")) & HEAVY, words


def test_the_list_tells_what_the_commands_tell_of_themselves():
    for name, place in COMMANDS.items():
        command = place.loaded()
        assert command.name == name
        assert place.summary == command.get_short_help_str(limit=LONG), name


def test_the_list_is_written_as_click_writes_it():
    ordinary = click.Group("sudare", commands={name: place.loaded() for name, place in COMMANDS.items()})
    listed = [
        CliRunner().invoke(group, ["--help"]).output.partition("Commands:")[2] for group in (main, ordinary)
    ]
    assert listed[0] == listed[1] != ""


def test_a_mistyped_command_is_wrong_use_and_the_right_one_is_offered():
    result = CliRunner().invoke(main, ["grnt"])
    assert result.exit_code == 2
    assert "grant" in result.output


def test_the_version_is_that_of_the_installed_package():
    result = CliRunner().invoke(main, ["--version"], prog_name="sudare")
    assert result.output == f"sudare {version('sudare')}\n"


def test_the_version_of_the_project_has_a_section_in_the_changelog():
    (number,) = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert f"## {number}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_a_refusal_is_a_sentence_and_exit_1(monkeypatch):
    group = OperatorCommands(name="sudare", places=COMMANDS)
    monkeypatch.setattr(group, "get_command", lambda ctx, name: refused)
    result = CliRunner().invoke(group, ["refused"])
    assert (result.exit_code, result.output) == (1, "Error: 3 is odd\n")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_a_line_a_stage_and_tenth_where_nobody_watches(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with StageProgress() as progress:
        for share in (0.0, 0.01, 0.09, 0.5, 0.55, 1.0):
            progress("read", share)
        progress("search", 0.0)
    assert file.getvalue().splitlines() == ["read 0%", "read 50%", "read 100%", "search 0%"]


def test_progress_is_a_bar_that_begins_again_with_each_stage_on_a_terminal(monkeypatch):
    file = Terminal()
    monkeypatch.setattr(sys, "stderr", file)
    with StageProgress() as progress:
        progress("read", 1.0)
        progress("search", 0.25)
        progress("search", 0.2)
    drawn = re.findall(r"\r(?:\x1b\[\S+l)?(\w+) +\[#*-*\] +(\d+)%", file.getvalue())
    assert drawn[-2:] == [("read", "100"), ("search", "25")]
