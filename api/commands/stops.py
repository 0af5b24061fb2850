"""`sudare stop` and `sudare resume`: the kill switch for a dataset, an organisation or a user, and what is stopped."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from api.commands.language import sentence
from api.commands.terminal import as_json, echo, operator
from api.services import Services
from privacy.words import Words

if TYPE_CHECKING:
    from datasets.stops import Stop, StoppedKind

ONE_OF = Words(
    ja="--dataset、--org、--user のどれか一つだけを指定してください",
    en="give exactly one of --dataset, --org, --user",
)
ONE_OR_ALL = Words(
    ja="--dataset、--org、--user、--all のどれか一つだけを指定してください",
    en="give exactly one of --dataset, --org, --user, --all",
)
REASON_NEEDED = Words(ja="--reason で理由を指定してください", en="give the reason with --reason")
LIST_ALONE = Words(ja="list の前にオプションは指定できません", en="options do not go before list")
STOPPED = Words(ja="{what} を停止しました", en="stopped {what}")
RESUMED = Words(ja="{what} を再開しました", en="resumed {what}")
LINE = Words(ja="{what}  {at}  停止 {by}: {reason}", en="{what}  {at}  stopped by {by}: {reason}")
NOTHING_STOPPED = Words(ja="停止されているものはありません", en="nothing is stopped")


def subject_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that name what is stopped or resumed, and why."""
    options = (
        click.option("--dataset", help="With all of its versions, names and views."),
        click.option("--org", "organisation", help="All of its users."),
        click.option("--user"),
        click.option("--reason", help="Required; for the journal."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@subject_options
@as_json
@click.pass_context
def stop(
    context: click.Context,
    dataset: str | None,
    organisation: str | None,
    user: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Stop a dataset, an organisation or a user at once, until it is resumed.

    Nothing of a stopped dataset is answered or told again; every request of a stopped user is refused.
    """
    if context.invoked_subcommand is not None:
        # Or they would be ignored, and somebody believe that something was stopped.
        if any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in context.params):
            raise click.UsageError(sentence(LIST_ALONE))
        return
    kind, name = _subject(ONE_OF, dataset=dataset, organisation=organisation, user=user)
    made = Services.from_environment().stops.stop(kind, name, by=operator(), reason=_required(reason))
    echo(made.as_json(), as_json=as_json, text=sentence(STOPPED.filled(what=_shown(made))))


@stop.command("list")
@as_json
def list_stops(as_json: bool) -> None:
    """List what is stopped, since when, by whom and why."""
    found = Services.from_environment().stops.stops()
    lines = [sentence(LINE.filled(**made.as_json(), what=_shown(made))) for made in found]
    text = "\n".join(lines) or sentence(NOTHING_STOPPED)
    echo([made.as_json() for made in found], as_json=as_json, text=text)


@click.command()
@subject_options
@click.option("--all", "all_of_them", is_flag=True, help="Everything that is stopped.")
@as_json
def resume(
    dataset: str | None,
    organisation: str | None,
    user: str | None,
    reason: str | None,
    all_of_them: bool,
    as_json: bool,
) -> None:
    """Let a stopped dataset, organisation or user go on."""
    stops = Services.from_environment().stops
    if all_of_them:
        if (dataset, organisation, user) != (None, None, None):
            raise click.UsageError(sentence(ONE_OR_ALL))
        ended = stops.resume_all(by=operator(), reason=_required(reason))
    else:
        kind, name = _subject(ONE_OR_ALL, dataset=dataset, organisation=organisation, user=user)
        ended = [stops.resume(kind, name, by=operator(), reason=_required(reason))]
    lines = [sentence(RESUMED.filled(what=_shown(made))) for made in ended]
    text = "\n".join(lines) or sentence(NOTHING_STOPPED)
    echo([made.as_json() for made in ended], as_json=as_json, text=text)


def _required(reason: str | None) -> str:
    if reason is None:
        raise click.UsageError(sentence(REASON_NEEDED))
    return reason


def _subject(wrong: Words, **given: str | None) -> tuple["StoppedKind", str]:
    """The one subject that is named, by the kind that the option says."""
    named: Mapping[str, str] = {kind: name for kind, name in given.items() if name is not None}
    if len(named) != 1:
        raise click.UsageError(sentence(wrong))
    ((kind, name),) = named.items()
    return kind, name  # type: ignore[return-value]


def _shown(made: "Stop") -> str:
    """A subject as people read it: by its kind."""
    from datasets.stops import KINDS

    return f"{sentence(KINDS[made.kind])} {made.subject}"
