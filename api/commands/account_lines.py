"""Accounts as `sudare dataset show` and `sudare budget show` print them: one line each, or as JSON."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets.catalog import LineageMembers
    from datasets.ledger.accounts import AccountState
    from datasets.ledger.service import Ledger


def all_accounts(ledger: "Ledger") -> "list[AccountState]":
    """Every account, page after page."""
    states: list[AccountState] = []
    while page := ledger.all_accounts(after=states[-1] if states else None):
        states += page
    # An account without a limit only counts, and is nobody's budget.
    return [state for state in states if state.is_limited]


def account_line(state: "AccountState", members: "Mapping[str, LineageMembers]") -> dict[str, Any]:
    """An account with its balance; `members` are the datasets of each lineage."""
    from api.budgets.balances import balance

    family = members[state.lineage]
    # An account is a lineage's, and a renamed dataset shares it: all names that it pays for stand together.
    ids = "+".join(family.names)
    return {
        "dataset": ids,
        "account": f"{state.kind}:{ids if state.kind == 'dataset' else state.holder}",
        **balance(state, family),
    }


def account_text(line: Mapping[str, Any]) -> str:
    """An account as a line for people, ρ also as the (ε, δ) that they know."""
    text = f"{line['dataset']}  {line['account']}: {line['spent']} of {line['granted']} spent"
    if line["measure"] == "pure":
        return text
    shown = line["spent_as"]
    text += f" (ρ), which is ε {shown['epsilon']} at δ {shown['delta']}"
    # Only where a dataset limits δ for life; without that limit none of it is spent.
    if "delta_cap" in line:
        text += f"; {line['delta_spent']} of {line['delta_cap']} spent of δ"
    return text
