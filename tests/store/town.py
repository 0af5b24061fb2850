"""A small town for tests of the ledger: two users of one shop, one register, and settlements to choose from."""

from dataclasses import replace

from sqlalchemy import text

from datasets.database.store import Store, new_id, now
from datasets.ledger.ledger import Account, AccountState, Ledger, Settlement
from datasets.people.service import People
from privacy.budget import Price

LINEAGE = "residents-1"
SHOP = Account(kind="organisation", holder="shop")
AOI = Account(kind="user", holder="aoi")
REN = Account(kind="user", holder="ren")
CAP = Account(kind="dataset", holder=LINEAGE)
ONE = Price.parse("1")

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


def found(store: Store, *, lineage: str = LINEAGE, dataset: str = "residents") -> None:
    """Register a dataset, as datasets.register will, without its account."""
    with store.writing() as tx:
        at = {"at": now(), "lineage": lineage, "dataset": dataset}
        tx.execute(text("INSERT INTO lineages (id, salt, created_at) VALUES (:lineage, '00', :at)"), at)
        tx.execute(
            text(
                "INSERT INTO datasets (id, lineage, version, created_at) VALUES (:dataset, :lineage, 1, :at)"
            ),
            at,
        )
        tx.execute(
            text("""
                INSERT INTO versions (dataset, number, descriptor, folder, source_digest, registered_at)
                VALUES (:dataset, 1, '', '', '', :at)
            """),
            at,
        )


CARE = "care-1"
BOTH = (CARE, LINEAGE)
VIEWED = replace(ASKED, dataset="residents-care", lineages=BOTH)


def found_view(store: Store) -> None:
    """Register care beside the residents, and the view that joins them."""
    found(store, lineage=CARE, dataset="care")
    sources = '{"care": 1, "residents": 1}'
    at = {"at": now(), "lineage": CARE, "view": "residents-care", "other": LINEAGE, "sources": sources}
    with store.writing() as tx:
        tx.execute(
            text("INSERT INTO datasets (id, lineage, version, created_at) VALUES (:view, :lineage, 1, :at)"),
            at,
        )
        tx.execute(
            text("""
                INSERT INTO versions (dataset, number, descriptor, folder, source_digest, registered_at, sources)
                VALUES (:view, 1, '', '', '', :at, :sources)
            """),
            at,
        )
        for lineage in (":lineage", ":other"):
            tx.execute(text(f"INSERT INTO view_lineages (dataset, lineage) VALUES (:view, {lineage})"), at)


def settle_in_both(
    store: Store, *, care: str = "2", care_cap: str = "10", delta_cap_atto: int = 0, **limits: str
) -> Ledger:
    """The same town with care registered, too: Aoi and Ren, but not the shop, have an account on it."""
    ledger = settle_in(store, delta_cap_atto=delta_cap_atto, **limits)
    found_view(store)
    ledger.open(lineage=CARE, cap=Price.parse(care_cap), actor="mayor", delta_cap_atto=delta_cap_atto)
    for account in (AOI, REN):
        ledger.grant(
            lineage=CARE, account=account, amount=Price.parse(care), reason="a contract", requested_by="mayor"
        )
    return ledger


def settle_in(
    store: Store, *, user: str = "2", shop: str = "3", cap: str = "10", delta_cap_atto: int = 0
) -> Ledger:
    """Aoi and Ren of the shop, each with an account on the register, under the shop's and the register's."""
    people = People(store, b"a secret for tests only")
    people.add_organisation("shop")
    people.add_user("aoi", organisation="shop", role="analyst")
    people.add_user("ren", organisation="shop", role="analyst")
    found(store)
    ledger = Ledger(store)
    ledger.open(lineage=LINEAGE, cap=Price.parse(cap), actor="mayor", delta_cap_atto=delta_cap_atto)
    for account, amount in ((AOI, user), (REN, user), (SHOP, shop)):
        ledger.grant(
            lineage=LINEAGE,
            account=account,
            amount=Price.parse(amount),
            reason="a contract",
            requested_by="mayor",
        )
    return ledger


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
