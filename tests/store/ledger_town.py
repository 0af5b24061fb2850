"""The town with budgets of Aoi, Mei and their shop: 2, 2 and 3, under a cap of 10; and the same with care beside it."""

import tempfile
from pathlib import Path

from databases import Beginning
from settlements import CARE_LINEAGE, LINEAGE
from town import (
    CARE,
    CARE_CSV,
    IN_RHO,
    RESIDENTS,
    RESIDENTS_CARE,
    VISITS,
    add,
    derived,
    enrol,
    grant,
    join,
    residents_csv,
    visits_csv,
)

from datasets.database.closed_lists import CAPS
from datasets.database.store import Store
from datasets.ledger.accounts import AccountKey, open_population
from datasets.ledger.service import Ledger
from privacy.budget import Price
from privacy.delta import shown


def settle_in(
    store: Store, *, user: str = "2", shop: str = "3", cap: str = "10", delta_cap_atto: int = 0
) -> Ledger:
    """Aoi and Mei of the shop, each with an account on the residents, under the shop's and the register's."""
    with tempfile.TemporaryDirectory(prefix="sudare-town-") as folder:
        add(store, Path(folder) / "data", terms(RESIDENTS, cap, delta_cap_atto), residents_csv())
    _live(store, user=user, shop=shop)
    return Ledger(store)


def settle_in_without_budgets(store: Store, *, cap: str = "10") -> Ledger:
    """The same people and residents, and nobody was granted anything yet."""
    with tempfile.TemporaryDirectory(prefix="sudare-town-") as folder:
        add(store, Path(folder) / "data", terms(RESIDENTS, cap), residents_csv())
    enrol(store)
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


def settle_in_six(
    store: Store,
    *,
    user: str = "2",
    shop: str = "3",
    contract: str = "9",
    reserve: str = "9",
    cap: str = "10",
    population: str | None = "9",
) -> Ledger:
    """The town where a contract, a reserve and a population pay beside Aoi, Mei, their shop and the register."""
    ledger = settle_in(store, user=user, shop=shop, cap=cap)
    with store.writing() as tx:
        chain = open_population(tx, name="city", actor="mayor").lineage
    limit(store, AccountKey(lineage=LINEAGE, kind="contract", holder="k-1"), contract)
    limit(store, AccountKey(lineage=LINEAGE, kind="reserve", holder="r-1"), reserve)
    if population is not None:
        limit(store, AccountKey(lineage=chain, kind="population", holder=chain), population)
    return ledger


def limit(store: Store, key: AccountKey, amount: str) -> None:
    """A limit for an account, by two people where it is a cap."""
    Ledger(store).grant(
        lineage=key.lineage,
        account=key.account,
        amount=Price.parse(amount),
        reason="a contract",
        requested_by="mayor",
        approved_by="auditor" if key.kind in CAPS else None,
    )


def settle_in_three(store: Store, *, purse: str = "9", visits: str = "9") -> Ledger:
    """The town with care and visits beside the residents, and the view that joins all three."""
    with tempfile.TemporaryDirectory(prefix="sudare-town-") as folder:
        data_dir = Path(folder) / "data"
        for descriptor, rows in ((RESIDENTS, residents_csv()), (CARE, CARE_CSV), (VISITS, visits_csv())):
            add(store, data_dir, terms(descriptor, "9"), rows)
        join(store, data_dir, RESIDENTS_CARE_VISITS)
    enrol(store)
    purses = {CARE_LINEAGE: purse, LINEAGE: purse, "visits": visits}
    grant(store, [(lineage, "user", "aoi", amount) for lineage, amount in purses.items()], by="mayor")
    return Ledger(store)


RESIDENTS_CARE_VISITS = derived(
    RESIDENTS_CARE,
    id="residents-care-visits",
    view={"of": ["residents", "care", "visits"]},
)


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
