"""How an account is shown: in the measure of its datasets, and ρ also as the (ε, δ) that people know."""

from typing import Any

from datasets.catalog import LineageMembers
from datasets.ledger.accounts import AccountState
from privacy import delta
from privacy.budget import Price, epsilon_of, plain_text


def balance(state: AccountState, members: LineageMembers) -> dict[str, Any]:
    """Granted, spent and remaining of an account, the measure, and for zcdp what the spent ρ amounts to.

    `delta_cap` and `delta_spent` are the lifetime total of δ that answers with undeclared keys cost beside. Without a
    limit nothing is said to be granted or to remain (None).
    """
    line: dict[str, Any] = {
        "measure": members.measure,
        "granted": str(state.granted) if state.is_limited else None,
        "spent": str(state.spent),
        "remaining": str(state.remaining) if state.is_limited else None,
    }
    if members.delta is not None:
        line["spent_as"] = {"epsilon": _epsilon(state.spent, members), "delta": _shown(members)}
    # Only accounts of datasets that allow undeclared keys were granted any δ; a population has no limit of it.
    if state.delta_granted:
        line["delta_cap"] = delta.shown(state.delta_granted)
    if state.delta_granted or state.delta_spent:
        line["delta_spent"] = delta.shown(state.delta_spent)
    return line


def _epsilon(rho: Price, members: LineageMembers) -> str:
    """Rounded up to six decimals."""
    # Up, because a loss of privacy must never be shown smaller than it is.
    assert members.delta is not None
    return plain_text(epsilon_of(rho, members.delta))


def _shown(members: LineageMembers) -> str:
    return delta.shown(delta.atto_of(members.delta))
