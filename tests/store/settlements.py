"""Settlements to choose from. Racing processes load this, so it imports no registration (see ledger_town.py)."""

from dataclasses import replace

from datasets.database.store import new_id
from datasets.ledger.ledger import Account, AccountState, Ledger, Settlement
from privacy.budget import Price

LINEAGE = "residents"
CARE_LINEAGE = "care"
BOTH = (CARE_LINEAGE, LINEAGE)
SHOP = Account(kind="organisation", holder="shop")
AOI = Account(kind="user", holder="aoi")
MEI = Account(kind="user", holder="mei")
CAP = Account(kind="dataset", holder=LINEAGE)
ONE = Price.parse("1")
DELTA_CAP = 3 * 10**9
"""A lifetime total of 3e-9 in 10^-18."""

ASKED = Settlement(
    id="q_1",
    user="aoi",
    organisation="shop",
    dataset="residents",
    lineages=(LINEAGE,),
    version=1,
    idempotency_key="key-1",
    request_digest="d" * 64,
    fingerprint="sha256:" + "f" * 64,
    prices={"count": 1_000_000_000},
    outcome="answered",
    charge=ONE,
    dataset_charge=ONE,
    question='{"select":[{"agg":"count"}]}',
    table=b'{"rows":[1]}',
)

VIEWED = replace(ASKED, dataset="residents-care", lineages=BOTH)


def asked(number: int, of: Settlement = ASKED, **changes: object) -> Settlement:
    """The settlement of another question."""
    return replace(of, id=new_id("q"), idempotency_key=f"key-{number}", **changes)  # type: ignore[arg-type]


def seal(states: list[AccountState]) -> bytes:
    """An envelope that tells what remains."""
    return ",".join(f"{state.kind}:{state.remaining}" for state in states).encode()


def balances(ledger: Ledger, *, lineage: str = LINEAGE) -> dict[str, str]:
    """What every account of a lineage has spent."""
    return {
        f"{state.kind}:{state.holder}": str(state.spent)
        for state in ledger.all_accounts()
        if state.lineage == lineage
    }
