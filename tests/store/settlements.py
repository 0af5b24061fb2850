"""Settlements to choose from, in the town with budgets of Aoi, Mei and their shop: 2, 2 and 3, under a cap of 10."""

import tempfile
from dataclasses import replace
from pathlib import Path

from databases import Beginning
from town import (
    CARE,
    CARE_CSV,
    IN_RHO,
    RESIDENTS,
    RESIDENTS_CARE,
    add,
    derived,
    enrol,
    grant,
    join,
    residents_csv,
)

from datasets.database.store import Store, new_id
from datasets.ledger.ledger import Account, AccountState, Ledger, Settlement
from privacy.budget import Price
from privacy.delta import shown

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


def settle_in(
    store: Store, *, user: str = "2", shop: str = "3", cap: str = "10", delta_cap_atto: int = 0
) -> Ledger:
    """Aoi and Mei of the shop, each with an account on the residents, under the shop's and the register's."""
    with tempfile.TemporaryDirectory(prefix="sudare-town-") as folder:
        add(store, Path(folder) / "data", terms(RESIDENTS, cap, delta_cap_atto), residents_csv())
    _live(store, user=user, shop=shop)
    return Ledger(store)


def settle_in_both(
    store: Store,
    *,
    user: str = "2",
    shop: str = "3",
    cap: str = "10",
    care: str = "2",
    care_cap: str = "10",
    delta_cap_atto: int = 0,
) -> Ledger:
    """The town with care beside the residents, and the view of both: the shop has no account on care."""
    with tempfile.TemporaryDirectory(prefix="sudare-town-") as folder:
        data_dir = Path(folder) / "data"
        add(store, data_dir, terms(RESIDENTS, cap, delta_cap_atto), residents_csv())
        add(store, data_dir, terms(CARE, care_cap, delta_cap_atto), CARE_CSV)
        join(store, data_dir, RESIDENTS_CARE)
    _live(store, user=user, shop=shop)
    grant(store, [(CARE_LINEAGE, "user", holder, care) for holder in ("aoi", "mei")], by="mayor")
    return Ledger(store)


def terms(descriptor: str, cap: str, delta_cap_atto: int = 0) -> str:
    """The descriptor under a cap of the test's own; with a lifetime total of δ it is accounted in ρ."""
    delta = shown(delta_cap_atto)
    purse = IN_RHO | {"delta_per_query": delta, "delta_cap": delta} if delta_cap_atto else {}
    return derived(descriptor, privacy={"cap": cap, "max_per_query": min(cap, "1", key=float), **purse})


def _live(store: Store, *, user: str, shop: str) -> None:
    enrol(store)
    users = [(LINEAGE, "user", holder, user) for holder in ("aoi", "mei")]
    grant(store, [*users, (LINEAGE, "organisation", "shop", shop)], by="mayor")


SETTLED = Beginning(name="settled", prepare=settle_in)


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
