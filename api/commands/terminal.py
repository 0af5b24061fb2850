"""What commands share at the terminal: results for people or programs, progress, amounts, who acts."""

import json
import os
import pwd
import sys
from types import TracebackType
from typing import Any, Self

import click

from api.commands.language import refusal_text
from api.commands.spoken import columns, spoken_stage
from privacy.budget import InvalidAmount, Price

BAR_STEPS = 1_000
LINE_STEPS = 10
OPERATOR_CHARACTERS_MAX = 64

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def echo(value: Any, *, as_json: bool, text: str) -> None:
    """Print a result: `value` as JSON for programs, or `text` for people."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2) if as_json else text)


def operator() -> str:
    """Who answers for a command: the account that runs it, by its number where it has no name."""
    # By the system and not by LOGNAME, by which anybody could sign the journal with another name.
    account = os.getuid()
    try:
        name = pwd.getpwuid(account).pw_name
    except KeyError:
        name = str(account)
    # Cut here, since the journal takes no longer name and a command cannot choose its account.
    return f"operator:{name}"[:OPERATOR_CHARACTERS_MAX]


class PriceParameter(click.ParamType[Price]):
    """An amount of budget: a positive decimal of at most nine places."""

    name = "decimal"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Price:
        """The amount; wrong use where it is none."""
        try:
            # click converts a value a second time where it comes from a default.
            return value if isinstance(value, Price) else Price.parse(value)
        except InvalidAmount as refusal:
            self.fail(refusal_text(refusal), param, ctx)


class StageProgress:
    """Stages and how far each is, on standard error: a bar on a terminal, elsewhere a line a stage and tenth.

    Called with the stage's name and its share done, 0 to 1; a new name begins a new stage.
    """

    def __init__(self) -> None:
        self._stage = ""
        self._tenth = -1
        self._steps = 0
        # Off a terminal click's bar would print a stage's name and never how far it is.
        terminal = sys.stderr.isatty()
        self._bar = click.progressbar(length=BAR_STEPS, file=sys.stderr, width=30) if terminal else None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, trace)

    def __call__(self, stage: str, share: float) -> None:
        stage = spoken_stage(stage)
        if self._bar is None:
            self._line(stage, share)
        else:
            self._advance(self._bar, stage, share)

    def _line(self, stage: str, share: float) -> None:
        tenth = int(share * LINE_STEPS)
        if stage != self._stage or tenth > self._tenth:
            self._stage, self._tenth = stage, tenth
            click.echo(f"{stage} {share:.0%}", err=True)

    def _advance(self, bar: Any, stage: str, share: float) -> None:
        if stage != self._stage:
            self._stage, self._steps = stage, 0
            # click's bar knows one stage only; it is put back by hand. The width keeps the bar in its column.
            bar.pos, bar.finished, bar.label = 0, False, stage + " " * (8 - columns(stage))
        # A share may fall where work turns out to be more than thought; a bar that walks back would confuse.
        steps = max(0, int(share * BAR_STEPS) - self._steps)
        self._steps += steps
        bar.update(steps)
