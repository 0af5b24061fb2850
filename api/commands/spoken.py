"""Commands in the operator's language: copies whose helps are told in it. Refuses nothing."""

import copy
import inspect
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import click

from api.commands.click_words import speak
from api.commands.help_words import HELP, METAVARS, STAGES
from api.commands.language import language
from privacy.words import Language

# Closing signs never begin a line, and opening ones never end one (JIS X 4051, 6.1.1).
_PIECE = re.compile(r"[（「『]*(?:[!-~]+|[^\s])[、。，．）」』：；…ー]*[ \n]*")


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: two for a full-width letter."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most `width` columns, broken between Japanese letters and between words."""
    lines, line = [], ""
    for piece in _PIECE.findall(text):
        if line and columns(line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece.replace("\n", " ")
    return [*lines, line.rstrip()]


class JapaneseFormatter(click.HelpFormatter):
    """click's formatter, which counts letters where a terminal counts columns and breaks lines at spaces alone."""

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        indent = " " * self.current_indent
        paragraphs = [wrapped(part, self.width - self.current_indent) for part in text.split("\n\n")]
        self.write("\n".join("".join(f"{indent}{line}\n" for line in lines) for lines in paragraphs))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names and what they mean, in two columns."""
        rows = list(rows)
        first = min(max(columns(name) for name, _ in rows), col_max) + col_spacing
        behind = " " * (self.current_indent + first)
        for name, text in rows:
            head = " " * self.current_indent + name
            fits = columns(head) + col_spacing <= len(behind)
            lines = wrapped(text, self.width - len(behind)) if text else []
            if lines and fits:
                head += " " * (len(behind) - columns(head)) + lines.pop(0)
            self.write("\n".join([head, *(behind + line for line in lines)]) + "\n")


class JapaneseContext(click.Context):
    """A context whose helps are laid out for Japanese."""

    formatter_class = JapaneseFormatter


def spoken_stage(stage: str) -> str:
    """A stage of long work as the operator reads it."""
    return stage if language() == "en" else STAGES.get(stage, stage)


def spoken_command(command: click.Command) -> click.Command:
    """A command as the operator reads it: itself in English, a copy of it in Japanese."""
    chosen = language()
    speak(chosen)
    return command if chosen == "en" else _copied(command, chosen)


def tidied(text: str) -> str:
    """A message that click puts together with English full stops and spaces, as Japanese writes it."""
    return re.sub(r"(?<=[：。]) +", "", re.sub(r"(?<=')\.(?:\s+|$)", "。", text))


@contextmanager
def usage_in_japanese() -> Iterator[None]:
    """Within it wrong use is told as Japanese writes it; in English, and where a help is shown, as click does."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as wrong:
        if language() == "en":
            raise
        raise click.UsageError(tidied(wrong.format_message()), ctx=wrong.ctx) from None


def spoken_help(text: str) -> str:
    """A help, or the first sentence of one, in Japanese; itself where there is none."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(HELP.get(flat, flat) for flat in (" ".join(part.split()) for part in paragraphs))


def _copied(command: click.Command, chosen: Language) -> click.Command:
    # Never changed in place: the commands are the program's, and the language is one run's.
    made = copy.copy(command)
    made.help = None if command.help is None else spoken_help(command.help)
    made.short_help = None if made.help is None else made.help.partition("\n\n")[0]
    made.params = [_parameter(param) for param in command.params]
    made.options_metavar = "[オプション]"
    made.context_class = JapaneseContext
    # click keeps the option of the first help that it shows, whatever language that was in.
    made._help_option = None
    if isinstance(made, click.Group):
        made.subcommand_metavar = "コマンド [引数]..."
        made.commands = {name: _copied(inner, chosen) for name, inner in made.commands.items()}
    return made


def _parameter(param: click.Parameter) -> click.Parameter:
    made = copy.copy(param)
    if isinstance(made, click.Option):
        made.help = None if made.help is None else spoken_help(made.help)
        if made.metavar is None and not made.is_flag:
            made.metavar = METAVARS.get(made.type.name)
    if made.type.name in METAVARS:
        # click names a kind of value when it is made, and shows the name in its errors.
        made.type = copy.copy(made.type)
        made.type.name = METAVARS[made.type.name]
    return made
