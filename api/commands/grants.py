"""`sudare grant` and `sudare budget`: budget given or taken back with a reason, and what is spent of it."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from api.commands.account_lines import account_line, account_text, all_accounts
from api.commands.language import sentence
from api.commands.terminal import PriceParameter, as_json, echo, operator
from api.services import Services
from datasets.database.closed_lists import GRANT_STATES
from privacy.budget import Price
from privacy.words import Words

if TYPE_CHECKING:
    from datasets.budgets.history import HistoryLine
    from datasets.budgets.service import KnownGrant

OPTIONS = {
    "dataset": "--dataset",
    "user": "--user",
    "organisation": "--org",
    "dataset_cap": "--dataset-cap",
    "population": "--population",
    "epsilon": "--epsilon",
    "rho": "--rho",
}
"""What the members of a grant are called on the command line."""

SYMBOLS = {"epsilon": "ε", "rho": "ρ"}
GRANTED = Words(
    ja="{dataset} について {account} に {symbol} {amount} を付与しました",
    en="granted {price_name} {amount} to {account} on {dataset}",
)
RAISED_FOR_POPULATION = Words(
    ja="{account} の生涯上限に {symbol} {amount} を付与しました",
    en="granted {price_name} {amount} to the cap of {account}",
)
LOWERED_FOR_POPULATION = Words(
    ja="{account} の生涯上限を {symbol} {amount} 引き下げました",
    en="lowered the cap of {account} by {price_name} {amount}",
)
LOWERED = Words(
    ja="{dataset} について {account} から {symbol} {amount} を取り消しました",
    en="took {price_name} {amount} back from {account} on {dataset}",
)
WAITS = Words(
    ja="{id}: {dataset} の生涯上限を {symbol} {amount} 引き上げるには 2 人目の承認が必要です。別の管理者が"
    "自分の API キーを使い sudare grant approve {id} または POST /v1/grants/{id}/decision で承認します",
    en="{id}: {price_name} {amount} more for the cap of {dataset} waits for a second person: another administrator "
    "approves it with its own key by sudare grant approve {id} or POST /v1/grants/{id}/decision",
)
DECLINED = Words(ja="{id} を却下しました", en="declined {id}")
NO_APPROVED_BY = Words(
    ja="--approved-by は廃止されました。申請の後に、2 人目の管理者が自分の API キーを使い "
    "sudare grant approve ID で承認します",
    en="there is no --approved-by any more: once it is asked for, the second person approves it with its own key by "
    "sudare grant approve ID",
)
KEY_OF_SECOND = Words(ja="承認する管理者の API キー", en="API key of the administrator who approves")
NO_ADMINISTRATOR = Words(
    ja="{name} は管理者ではありません。付与を決定できるのは管理者です",
    en="{name} is no administrator: an administrator decides on grants",
)
KEY_NAME = "SUDARE_KEY"
"""Where the environment holds the API key of whoever decides."""
LINE = Words(
    ja="{id}  {at}  {dataset}  {account}: {symbol} {amount} {change}、{state}"
    "（申請 {requested_by}{decided}）: {reason}",
    en="{id}  {at}  {dataset}  {account}: {change} by {price_name} {amount}, {state} "
    "(asked by {requested_by}{decided}): {reason}",
)
DECIDED = Words(ja="、決定 {decided_by}", en=", decided by {decided_by}")
CHANGES = {"raise": Words(ja="増額", en="raised"), "lower": Words(ja="減額", en="lowered")}
STATES = dict(
    zip(
        GRANT_STATES,
        (
            Words(ja="承認待ち", en="pending"),
            Words(ja="有効", en="effective"),
            Words(ja="却下", en="declined"),
            Words(ja="差戻し", en="returned"),
        ),
        strict=True,
    )
)
NO_GRANTS = Words(ja="付与はありません", en="no grants")
NO_ACCOUNTS = Words(ja="口座はありません", en="no accounts")
LIST_ALONE = Words(
    ja="list、approve、decline の前にオプションは指定できません",
    en="options of a new grant do not go before list, approve or decline",
)


@click.group(invoke_without_command=True)
@click.option("--dataset", "id", help="Required, but for --population.")
@click.option("--user", "to_user")
@click.option("--org", "to_organisation")
@click.option(
    "--dataset-cap", is_flag=True, help="Change the cap over everybody; more needs a second person."
)
@click.option(
    "--population", help="Change the cap over all registers of a population; more needs a second person."
)
@click.option("--epsilon", type=PriceParameter(), help="How much, where the measure is pure.")
@click.option("--rho", type=PriceParameter(), help="How much, where the measure is zcdp.")
@click.option("--reason", help="Required.")
@click.option("--lower", is_flag=True, help="Take back what is unspent, at once.")
@click.option("--approved-by", hidden=True)
@as_json
@click.pass_context
def grant(
    context: click.Context,
    id: str | None,
    to_user: str | None,
    to_organisation: str | None,
    dataset_cap: bool,
    population: str | None,
    epsilon: Price | None,
    rho: Price | None,
    reason: str | None,
    lower: bool,
    approved_by: str | None,
    as_json: bool,
) -> None:
    """Grant budget, with a reason, to a user, an organisation, or the cap of a dataset or a population."""
    if context.invoked_subcommand is not None:
        _must_be_alone(context)
        return
    if approved_by is not None:
        raise click.UsageError(sentence(NO_APPROVED_BY))
    from datasets.budgets.errors import WrongMembers
    from datasets.budgets.service import GrantRequest

    request = GrantRequest(
        dataset=id if population is not None else _required(context, "id", id),
        user=to_user,
        organisation=to_organisation,
        # A flag that is not given chooses nothing, while False would be a choice.
        dataset_cap=dataset_cap or None,
        population=population,
        epsilon=epsilon,
        rho=rho,
        reason=_required(context, "reason", reason),
        change="lower" if lower else "raise",
        requested_by=operator(),
    )
    try:
        made = Services.from_environment().budgets.grant(request)
    except WrongMembers as refusal:
        raise click.UsageError(sentence(refusal.naming(OPTIONS))) from None
    _show(made, request.dataset or made.account, as_json)


@grant.command("list")
@click.option("--pending", is_flag=True, help="Only those that wait for a second person.")
@as_json
def list_grants(pending: bool, as_json: bool) -> None:
    """List grants, newest first."""
    budgets = Services.from_environment().budgets
    found: list[KnownGrant] = []
    while page := budgets.grants(after=found[-1].grant.id if found else None):
        found += page
    shown = [made for made in found if made.grant.state == "pending" or not pending]
    text = "\n".join(map(_line, shown)) or sentence(NO_GRANTS)
    echo([made.as_json() for made in shown], as_json=as_json, text=text)


@grant.command("approve")
@click.argument("id")
@as_json
def approve(id: str, as_json: bool) -> None:
    """Approve a pending grant as a second administrator, by its API key: from SUDARE_KEY, or asked for."""
    services = Services.from_environment()
    key = os.environ.get(KEY_NAME) or click.prompt(sentence(KEY_OF_SECOND), hide_input=True, err=True)
    made = services.budgets.decide(
        grant_id=id, decision="approve", decided_by=_administrator(services, key.strip())
    )
    _show(made, made.account if made.is_of_population else made.datasets[0], as_json)


@grant.command("decline")
@click.argument("id")
@click.option("--reason", required=True)
@as_json
def decline(id: str, reason: str, as_json: bool) -> None:
    """Decline a pending grant: as the administrator of the key in SUDARE_KEY, or else as the operator."""
    services = Services.from_environment()
    key = os.environ.get(KEY_NAME)
    who = _administrator(services, key.strip()) if key else operator()
    made = services.budgets.decide(grant_id=id, decision="decline", decided_by=who, reason=reason)
    echo(made.as_json(), as_json=as_json, text=sentence(DECLINED.filled(id=id)))


def _administrator(services: Services, key: str) -> str:
    """The administrator whose key this is, by the rules that hold over HTTP. Raises UnknownKey or Stopped."""
    who = services.people.authenticate(key)
    if who.role != "administrator":
        raise click.ClickException(sentence(NO_ADMINISTRATOR.filled(name=who.name)))
    return who.name


def _show(made: "KnownGrant", dataset: str, as_json: bool) -> None:
    """What became of a grant, and its notices."""
    lines = [_outcome(made, dataset), *(sentence(notice.message()) for notice in made.notices)]
    echo(made.as_json(), as_json=as_json, text="\n".join(lines))


def _required(context: click.Context, name: str, given: str | None) -> str:
    """An option that a new grant needs and the list does not: click knows no such option."""
    if given is None:
        (option,) = (option for option in context.command.params if option.name == name)
        raise click.MissingParameter(ctx=context, param=option)
    return given


def _must_be_alone(context: click.Context) -> None:
    # Or they would be ignored, and somebody believe that the list is of one dataset.
    if any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in context.params):
        raise click.UsageError(sentence(LIST_ALONE))


def _outcome(made: "KnownGrant", dataset: str) -> str:
    """What happened, on the dataset by the name that the operator called it."""
    from datasets.budgets.service import account_name

    raised, lowered = GRANTED, LOWERED
    if made.is_of_population:
        raised, lowered = RAISED_FOR_POPULATION, LOWERED_FOR_POPULATION
    words = lowered if made.grant.change == "lower" else raised
    return sentence(
        (WAITS if made.grant.state == "pending" else words).filled(
            id=made.grant.id,
            dataset=dataset,
            account=account_name(made.grant.account, dataset),
            price_name=made.price_name,
            symbol=SYMBOLS[made.price_name],
            amount=made.grant.amount,
        )
    )


def _line(made: "KnownGrant") -> str:
    body = made.as_json()
    decided = "" if made.grant.decided_by is None else sentence(DECIDED.filled(**body))
    shown = body | {
        "dataset": "+".join(made.datasets) if made.is_of_population else body["dataset"],
        "price_name": made.price_name,
        "symbol": SYMBOLS[made.price_name],
        "amount": made.grant.amount,
        "change": sentence(CHANGES[made.grant.change]),
        "state": sentence(STATES[made.grant.state]),
        "decided": decided,
    }
    return sentence(LINE.filled(**shown))


HISTORY_KINDS = {
    "open": Words(ja="上限の開設", en="cap opened"),
    "grant_requested": Words(ja="増額の申請", en="more asked for"),
    "grant": Words(ja="増額", en="raised"),
    "grant_lowered": Words(ja="減額", en="lowered"),
    "grant_declined": Words(ja="申請の却下", en="declined"),
    "grant_returned": Words(ja="申請の差戻し", en="returned"),
    "joined": Words(ja="母集団への所属", en="a register joined"),
    "separated": Words(ja="別系統としての登録", en="kept apart from another lineage"),
    "stopped": Words(ja="停止", en="stopped"),
    "resumed": Words(ja="再開", en="resumed"),
    "dataset_retired": Words(ja="廃止", en="retired"),
    "dataset_reopened": Words(ja="廃止の取消し", en="brought back"),
    "version_purged": Words(ja="バージョンの消去", en="a version purged"),
}
"""What the lines of a journal are called; another kind is called by its own name."""
HISTORY_LINE = Words(
    ja="{at}  {chain}  {what}{amount}（{people}）{reason}［その時点の使用済み {spent}］",
    en="{at}  {chain}  {what}{amount} (by {people}){reason} [spent by then: {spent}]",
)
COLON = Words(ja="：", en=": ")
DECIDED_BY = Words(ja="{by}、決定 {decided_by}", en="{by}, decided by {decided_by}")


@click.group()
def budget() -> None:
    """Budgets."""


@budget.command("show")
@click.option("--dataset", "id")
@click.option("--user", "of_user")
@as_json
def show_budgets(id: str | None, of_user: str | None, as_json: bool) -> None:
    """Show accounts: granted, spent, remaining; in ρ where the measure is zcdp, then also as (ε, δ)."""
    services = Services.from_environment()
    ledger, catalog = services.ledger, services.catalog
    states = ledger.accounts_of_user(user=of_user) if of_user else all_accounts(ledger)
    if id is not None:
        # By lineage and not by name: a view shows the accounts of all that it joins.
        version = catalog.current(id)
        paying = (*version.lineages, *(f"population:{name}" for name in version.populations))
        states = [state for state in states if state.lineage in paying]
    members = catalog.lineage_members()
    # A population that no register belongs to yet has spent nothing, and is counted in nothing.
    lines: list[dict[str, Any]] = [
        account_line(state, members) for state in states if state.lineage in members
    ]
    text = "\n".join(map(account_text, lines)) or sentence(NO_ACCOUNTS)
    echo(lines, as_json=as_json, text=text)


@budget.command("history")
@click.option("--dataset", "id", required=True)
@as_json
def show_history(id: str, as_json: bool) -> None:
    """Show what changed a dataset's limits, the oldest first: who, why, and what was spent by then."""
    lines = Services.from_environment().budgets.history(id)
    echo([asdict(line) for line in lines], as_json=as_json, text="\n".join(map(_history_line, lines)))


def _history_line(line: "HistoryLine") -> str:
    what = HISTORY_KINDS.get(line.kind)
    people = line.by or ""
    if line.decided_by is not None:
        people = sentence(DECIDED_BY.filled(by=people, decided_by=line.decided_by))
    shown = asdict(line) | {
        "what": line.kind if what is None else sentence(what),
        "amount": f" {line.account} {line.amount}" if line.amount else "",
        "people": people,
        "reason": f"{sentence(COLON)}{line.reason}" if line.reason else "",
    }
    return sentence(HISTORY_LINE.filled(**shown))
