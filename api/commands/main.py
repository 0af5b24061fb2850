"""`sudare`: the group of all commands, each loaded when it is called. Knows no command but by name and place."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import click

from api.commands.language import cause_of, must_be_spoken, refusal_text, sentence
from api.commands.spoken import spoken_command, usage_in_japanese
from api.server.serving import hold
from api.settings import InvalidSetting, Settings
from privacy.refusal import Refusal
from privacy.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandPlace:
    """Where a command stands, and what the list of commands tells about it: the first sentence of its help."""

    module: str
    attribute: str
    summary: str

    def loaded(self) -> click.Command:
        """The command itself."""
        command = getattr(import_module(self.module), self.attribute)
        assert isinstance(command, click.Command)
        return command


def _place(module: str, attribute: str, summary: str) -> CommandPlace:
    return CommandPlace(module=f"api.commands.{module}", attribute=attribute, summary=summary)


# The summaries stand here a second time because reading them off the commands would load what the commands load.
# tests/unit/test_command_line.py holds them against the commands.
COMMANDS = {
    "backup": _place(
        "backup", "backup", "Back everything up into a new FOLDER, also while the server serves."
    ),
    "budget": _place("grants", "budget", "Budgets."),
    "dataset": _place("datasets", "dataset", "Datasets: check, register, list, show, retire, purge."),
    "deid": _place(
        "deid",
        "deid",
        "Make a de-identified record set from DATA as a processing plan says, with a report.",
    ),
    "demo": _place(
        "demo", "demo", "Set up the sample city, ask one question over HTTP, and serve until Ctrl-C."
    ),
    "grant": _place(
        "grants",
        "grant",
        "Grant budget, with a reason, to a user, an organisation, or the cap of a dataset or a population.",
    ),
    "init": _place("server", "init", "Create or upgrade the database, the data directory and the secret."),
    "jobs": _place(
        "jobs",
        "jobs",
        "Do what waits for time, until stopped: clean up what interrupted work left behind.",
    ),
    "ledger": _place("ledger", "ledger", "The ledger: verify it, export its journal."),
    "openapi": _place("server", "openapi", "Print openapi.yaml as the code describes it."),
    "org": _place("people", "org", "Organisations."),
    "restore": _place(
        "backup", "restore", "Restore the backup in FOLDER into the configured database and data folder."
    ),
    "resume": _place("stops", "resume", "Let a stopped dataset, organisation or user go on."),
    "serve": _place("server", "serve", "Serve until stopped (gunicorn, threads, loaded before forking)."),
    "stop": _place(
        "stops", "stop", "Stop a dataset, an organisation or a user at once, until it is resumed."
    ),
    "user": _place("people", "user", "Users and their keys."),
}


NOT_TEXT = Words(
    ja="引数に UTF-8 ではない文字が含まれています。端末の文字コードを確認してください",
    en="an argument holds characters that are no UTF-8: look which encoding the terminal uses",
)
BESIDE_NO_RESTORE = frozenset(
    ("backup", "budget", "dataset", "grant", "init", "ledger", "org", "resume", "stop", "user")
)
"""Those that change an installation, or tell what stands in it. The server and jobs hold the data folder themselves."""


def _hold_data_folder(context: click.Context) -> None:
    """Hold the data folder until the command has ended; raises BeingRestored."""
    # What is committed to a database just before another takes its place would be lost, and told as done.
    with suppress(InvalidSetting):
        folder = Settings.read().data_dir
        if folder.is_dir():
            context.call_on_close(partial(os.close, hold(folder)))


class OperatorCommands(click.Group):
    """A group that loads the one command that is called and prints refusals as sentences, with exit code 1."""

    def __init__(self, *, places: Mapping[str, CommandPlace], **attributes: Any) -> None:
        # Stand-ins are enough for the list of commands, and for "did you mean" after a mistyped one.
        named = {name: click.Command(name, help=place.summary) for name, place in places.items()}
        super().__init__(commands=named, **attributes)
        self._places = places

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command that is called, loaded."""
        place = self._places.get(cmd_name)
        return None if place is None else spoken_command(place.loaded())

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of a run, in which the group speaks the operator's language."""
        spoken = spoken_command(self)
        assert isinstance(spoken, click.Group)
        with usage_in_japanese():
            return click.Group.make_context(spoken, info_name, args, parent, **extra)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called; while it runs, nobody restores over what it changes."""
        found = super().resolve_command(ctx, args)
        if found[0] in BESIDE_NO_RESTORE:
            _hold_data_folder(ctx)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        # click asks `get_command` for every line of this list: an ordinary group answers with the stand-ins.
        click.Group(commands=self.commands).format_commands(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is called."""
        try:
            must_be_spoken()
            with usage_in_japanese():
                return super().invoke(ctx)
        except Refusal as refusal:
            # Without `from None` a terminal would show where in the code it was refused, which helps no operator.
            raise click.ClickException(refusal_text(refusal)) from None
        # Bytes of another encoding, which a terminal handed on: no database and no output takes them.
        except UnicodeEncodeError:
            raise click.ClickException(sentence(NOT_TEXT)) from None
        # click ends quietly where whoever reads the output has gone.
        except BrokenPipeError:
            raise
        except OSError as fault:
            # Only what the system says, and of which file: a folder that is none, a disk that is full.
            named = "" if fault.filename is None else f"{fault.filename}: "
            raise click.ClickException(f"{named}{cause_of(fault)}") from None


@click.group(cls=OperatorCommands, places=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sudare", message="%(prog)s %(version)s")
def main() -> None:
    """Sudare: differentially private statistics from registers of local governments."""
