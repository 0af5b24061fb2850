"""The recipes of docs/operating.md fit the program: commands, settings, and the same in both languages."""

import shlex
import sys
from pathlib import Path

import click
import pytest

sys.path.append(str(Path(__file__).parent.parent / "http"))

from recipes import ENGLISH, JAPANESE, blocks, commands, named

from api.commands.main import main
from api.settings import PREFIX, Settings


def test_both_languages_have_the_same_blocks_and_chapters() -> None:
    assert blocks(ENGLISH) == blocks(JAPANESE)
    chapters = [file.read_text(encoding="utf-8").count("\n## ") for file in (ENGLISH, JAPANESE)]
    assert chapters[0] == chapters[1] > 15


def parsed(words: list[str]) -> None:
    """Parse a command with all that belongs to it, and run nothing. Raises click's errors."""
    command, name, above = main, "sudare", None
    while True:
        context = command.make_context(name, list(words), parent=above)
        words = [*getattr(context, "_protected_args", ()), *context.args]
        if not isinstance(command, click.Group) or not words:
            return
        name, above = words[0], context
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"no command {name}")
        command, words = found, words[1:]  # type: ignore[assignment]


@pytest.mark.parametrize("line", commands("run"))
def test_every_command_that_a_recipe_tells_is_there(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("residents.yaml", "residents.csv", "journal.jsonl"):
        Path(name).touch()
    program, *words = shlex.split(line.partition(" > ")[0])
    assert program == "sudare"
    parsed(words)


def test_the_check_of_commands_can_fail() -> None:
    for words in (["backupp", "x"], ["user", "rename", "x"], ["user", "rotate"], ["jobs", "--twice"]):
        with pytest.raises(click.ClickException):
            parsed(words)


def test_the_settings_of_the_recipe_are_settings(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("x" * 64)
    lines = named("env").replace("/etc/sudare", str(tmp_path)).splitlines()
    settings = Settings.read(dict(line.split("=", 1) for line in lines))
    assert settings.public_url.startswith("https://")
    assert all(line.startswith(PREFIX) for line in lines)
