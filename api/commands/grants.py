"""`sudare grant` and `sudare budget`: budget given with a reason, and what is spent of it."""

from typing import TYPE_CHECKING, Any

import click

from api.commands.account_lines import account_line, account_text, all_accounts
from api.commands.language import sentence
from api.commands.terminal import PriceParameter, as_json, echo, operator
from api.services import Services
from privacy.budget import Price
from privacy.words import Words

if TYPE_CHECKING:
    from datasets.catalog import DatasetVersion
    from datasets.ledger.accounts import Account
    from datasets.ledger.grants import Grant


ONE_ACCOUNT = Words(
    ja="--user、--org、--dataset-cap のどれか一つだけを指定してください",
    en="give exactly one of --user, --org, --dataset-cap",
)


@click.command()
@click.option("--dataset", "id", required=True)
@click.option("--user", "to_user")
@click.option("--org", "to_organisation")
@click.option("--dataset-cap", is_flag=True, help="Raise the cap over everybody; needs a second person.")
@click.option("--epsilon", type=PriceParameter(), help="How much, where the measure is pure.")
@click.option("--rho", type=PriceParameter(), help="How much, where the measure is zcdp.")
@click.option("--reason", required=True)
@click.option("--approved-by", help="The second person, for --dataset-cap.")
@as_json
def grant(
    id: str,
    to_user: str | None,
    to_organisation: str | None,
    dataset_cap: bool,
    epsilon: Price | None,
    rho: Price | None,
    reason: str,
    approved_by: str | None,
    as_json: bool,
) -> None:
    """Grant budget, with a reason, to a user, an organisation, or a dataset's cap."""
    services = Services.from_environment()
    version = services.catalog.current(id)
    # An answer of a view is charged to each of its sources: an account of the view itself would pay for nothing.
    if version.is_view:
        sources = ", ".join(version.sources)
        raise click.ClickException(
            sentence(
                Words(
                    ja=f"{id} はビューです。回答の代価は元のデータセットが支払うため、{sources} に付与してください",
                    en=f"{id} is a view, whose answers its sources pay for: grant on {sources}",
                )
            )
        )
    name, amount = _amount(version, epsilon=epsilon, rho=rho)
    account = _account(version, user=to_user, organisation=to_organisation, cap=dataset_cap)
    made = services.ledger.grant(
        lineage=version.lineage,
        account=account,
        amount=amount,
        reason=reason,
        requested_by=operator(),
        approved_by=approved_by,
    )
    text = _outcome(made, f"{name} {amount}", id=id, account=account)
    echo({"id": made.id, "state": made.state, name: str(amount)}, as_json=as_json, text=text)


def _amount(version: "DatasetVersion", *, epsilon: Price | None, rho: Price | None) -> tuple[str, Price]:
    """The one amount that was given, with its name; wrong use where it is not in the dataset's measure."""
    from api.budgets.balances import PRICE_NAMES

    name = PRICE_NAMES[version.schema.measure]
    # Never converted: ε and ρ buy different things, so an amount in the other measure is a mistake.
    amount, other = (epsilon, rho) if name == "epsilon" else (rho, epsilon)
    if amount is None or other is not None:
        measure = version.schema.measure
        raise click.UsageError(
            sentence(
                Words(
                    ja=f"{version.id} は {measure} で計上されます。--{name} だけを指定してください",
                    en=f"{version.id} is accounted in {measure}: give --{name}, and nothing else",
                )
            )
        )
    return name, amount


def _account(
    version: "DatasetVersion", *, user: str | None, organisation: str | None, cap: bool
) -> "Account":
    """The one account that was named; wrong use where it is none or several."""
    from datasets.ledger.accounts import Account

    if sum([bool(user), bool(organisation), cap]) != 1:
        raise click.UsageError(sentence(ONE_ACCOUNT))
    if user:
        return Account(kind="user", holder=user)
    if organisation:
        return Account(kind="organisation", holder=organisation)
    return Account(kind="dataset", holder=version.lineage)


def _outcome(made: "Grant", amount: str, *, id: str, account: "Account") -> str:
    if made.state == "pending":
        return (
            f"{made.id}: {amount} more for the cap of {id} waits for a second person: an administrator "
            f"approves it by POST /v1/grants/{made.id}/decision, or name one by --approved-by"
        )
    return f"granted {amount} to {account.kind}:{account.holder} on {id}"


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
        lineages = catalog.current(id).lineages
        states = [state for state in states if state.lineage in lineages]
    members = catalog.lineage_members()
    lines: list[dict[str, Any]] = [account_line(state, members) for state in states]
    echo(lines, as_json=as_json, text="\n".join(map(account_text, lines)) or "no accounts")
