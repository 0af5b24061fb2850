"""Accounts as `sudare dataset show` and `sudare budget show` print them: one line each, or as JSON."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from api.commands.language import sentence
from privacy.words import Words

if TYPE_CHECKING:
    from datasets.catalog import LineageMembers
    from datasets.ledger.accounts import AccountState
    from datasets.ledger.service import Ledger

SPENT = Words(
    ja="{dataset}  {account}: {granted} のうち {spent} 使用済み",
    en="{dataset}  {account}: {spent} of {granted} spent",
)
SPENT_WITHOUT_LIMIT = Words(
    ja="{dataset}  {account}: {spent} 使用済み（上限なし）",
    en="{dataset}  {account}: {spent} spent, without a limit",
)
SPENT_AS = Words(
    ja="（ρ）。δ {spent_as[delta]} のとき ε {spent_as[epsilon]} に相当",
    en=" (ρ), which is ε {spent_as[epsilon]} at δ {spent_as[delta]}",
)
DELTA_SPENT = Words(
    ja="。δ は {delta_cap} のうち {delta_spent} 使用済み", en="; {delta_spent} of {delta_cap} spent of δ"
)

DELTA_SPENT_WITHOUT_LIMIT = Words(ja="。δ は {delta_spent} 使用済み", en="; {delta_spent} spent of δ")


def all_accounts(ledger: "Ledger") -> "list[AccountState]":
    """Every account, page after page."""
    states: list[AccountState] = []
    while page := ledger.all_accounts(after=states[-1] if states else None):
        states += page
    return states


def account_line(state: "AccountState", members: "Mapping[str, LineageMembers]") -> dict[str, Any]:
    """An account with its balance; `members` are the datasets of each lineage."""
    from api.budgets.balances import balance
    from datasets.budgets.service import account_name

    family = members[state.lineage]
    # An account is a lineage's, and a renamed dataset shares it: all names that it pays for stand together.
    ids = "+".join(family.names)
    return {
        "dataset": ids,
        "account": account_name(state.account, ids),
        **balance(state, family),
    }


def account_text(line: Mapping[str, Any]) -> str:
    """An account as a line for people, ρ also as the (ε, δ) that they know."""
    parts = [SPENT_WITHOUT_LIMIT if line["granted"] is None else SPENT]
    if line["measure"] == "zcdp":
        parts.append(SPENT_AS)
    # Only where a dataset limits δ for life; without that limit none of it is spent, but by a population.
    if "delta_cap" in line:
        parts.append(DELTA_SPENT)
    elif "delta_spent" in line:
        parts.append(DELTA_SPENT_WITHOUT_LIMIT)
    return "".join(sentence(words.filled(**line)) for words in parts)
