"""What clients of the ledger do: settlements of three and of six payers, and bare updates of as many accounts.

python -P ledger_now.py fill|check URL FOLDER
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import BindParameter, Table, Update, bindparam, func, select, tuple_, update

from datasets.database.closed_lists import CAPS
from datasets.database.ids import new_id
from datasets.database.store import Store, migrate, sha256_hex
from datasets.database.tables import AccountRow
from datasets.ledger.accounts import POPULATION, Account, AccountKey, open_population
from datasets.ledger.service import Ledger
from datasets.ledger.settlement import Payer, Settlement
from datasets.people.service import People
from privacy.budget import PRICE_NANO_MAX, Price

USERS = 16
SETTLED, BARE = "hot", "bare"
"""Two lineages, so that the bare updates leave alone what is proved in the end."""
PLENTY = Price.parse("1000000")
ACCOUNTS = AccountRow.__table__
Work = Callable[[str, int], Callable[[], object]]


def keys(lineage: str, *, payers: int, number: int) -> list[AccountKey]:
    """The accounts that an answer to one client is charged to, in the order in which they pay."""
    everybody = f"{POPULATION}{lineage}"
    found = [
        AccountKey(lineage=lineage, kind="user", holder=f"user-{number}"),
        AccountKey(lineage=lineage, kind="organisation", holder="shop"),
        AccountKey(lineage=lineage, kind="contract", holder="contract"),
        AccountKey(lineage=lineage, kind="reserve", holder=lineage),
        AccountKey(lineage=lineage, kind="dataset", holder=lineage),
        AccountKey(lineage=everybody, kind="population", holder=everybody),
    ]
    usual = ("user", "organisation", "dataset")
    return [key for key in found if payers == len(found) or key.kind in usual]


def fill(url: str, folder: Path) -> None:
    """Two registers with plenty of budget in accounts of six kinds."""
    from bench import town  # not at the top: sixteen clients would load what registers files, and need it not

    store = Store(url)
    migrate(store)
    people = People(store, b"only for the benchmark")
    people.add_organisation("shop", by="bench")
    for number in range(USERS):
        people.add_user(f"user-{number}", organisation="shop", role="analyst", by="bench")
    for lineage in (SETTLED, BARE):
        town.register_rows(store, folder, id=lineage, rows=10)
        _open_accounts(store, lineage)
    store.close()


def _open_accounts(store: Store, lineage: str) -> None:
    holders = [Account(kind="user", holder=f"user-{number}") for number in range(USERS)]
    for account in (Account(kind="organisation", holder="shop"), *holders):
        Ledger(store).grant(
            lineage=lineage, account=account, amount=PLENTY, reason="bench", requested_by="bench"
        )
    with store.writing() as tx:
        open_population(tx, name=lineage, actor="bench")
    for key in keys(lineage, payers=6, number=0):
        if key.kind in ("contract", "reserve"):
            Ledger(store).grant(
                lineage=lineage,
                account=key.account,
                amount=PLENTY,
                reason="bench",
                requested_by="bench",
                approved_by="another" if key.kind in CAPS else None,
            )


def check(url: str) -> None:
    """Whoever settled nothing but what the journal says; the bare updates wrote none."""
    store = Store(url)
    found = [str(finding) for finding in Ledger(store).verify() if BARE not in finding.lineage]
    assert not found, found[:5]
    store.close()


def settles(payers: int) -> Work:
    """Settlements of so many payers."""

    def client(url: str, number: int) -> Callable[[], object]:
        ledger, accounts = Ledger(Store(url)), keys(SETTLED, payers=payers, number=number)
        charged = tuple(Payer(**key.row, charge=Price(1)) for key in accounts)
        return lambda: ledger.settle(_settlement(f"user-{number}", charged))

    return client


def updates(rows: int) -> Work:
    """Transactions of one conditional UPDATE of so many accounts: what any ledger needs at the least."""

    def client(url: str, number: int) -> Callable[[], object]:
        store = Store(url)
        statement = _bare_update(keys(BARE, payers=rows, number=number), is_sqlite=store.is_sqlite)

        def once() -> None:
            with store.writing() as tx:
                assert tx.execute(statement, {"charge": 1}).rowcount == rows

        return once

    return client


def _bare_update(accounts: Sequence[AccountKey], *, is_sqlite: bool) -> Update:
    table = ACCOUNTS
    assert isinstance(table, Table)
    of = table.c
    charge: BindParameter[int] = bindparam("charge")
    account = tuple_(of.lineage, of.kind, of.holder)
    pay = account.in_([(key.lineage, key.kind, key.holder) for key in accounts])
    fits = of.spent + charge <= func.coalesce(of.granted, PRICE_NANO_MAX)
    spend = update(table).values(spent=of.spent + charge)
    if is_sqlite:
        return spend.where(pay, fits)
    # PostgreSQL locks the rows of an UPDATE in the order in which it happens to meet them: several clients would
    # wait in circles, and a deadlock costs a second.
    locked = select(of.lineage, of.kind, of.holder).where(pay, fits).order_by(account).with_for_update()
    found = locked.cte("locked").c
    return spend.where(of.lineage == found.lineage, of.kind == found.kind, of.holder == found.holder)


def _settlement(user: str, payers: tuple[Payer, ...]) -> Settlement:
    """What a grouped count of some forty cells looks like."""
    query = new_id("q")
    return Settlement(
        id=query,
        user=user,
        organisation="shop",
        payers=payers,
        dataset=SETTLED,
        lineage=SETTLED,
        version=1,
        idempotency_key=query,
        request_digest=sha256_hex(query),
        fingerprint="sha256:" + sha256_hex(user),
        prices={"count": 1},
        outcome="answered",
        charge=Price(1),
        dataset_charge=Price(1),
        question='{"group_by":[{"column":"district"},{"column":"sex"}],"select":[{"agg":"count"}]}' * 3,
        envelope=b'{"accounts":["user","organisation","dataset"]}',
        table=(
            query + '{"district":"chuo","sex":"female","n":2130,"n_low":2106,"n_high":2154}' * 40
        ).encode(),
    )


WORKS: dict[str, Work] = {
    "settle 3": settles(3),
    "settle 6": settles(6),
    "update 3": updates(3),
    "update 6": updates(6),
}

if __name__ == "__main__":
    what, url, folder = sys.argv[1:]
    if what == "fill":
        fill(url, Path(folder))
    else:
        check(url)
