"""Accounts, and the journal's lines that charge nothing. Knows neither grants nor answers.

A lineage's dataset account carries the head of its journal, so whoever writes a line changes that row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from sqlalchemy import Connection, text

from datasets.database.store import Direct, Step, now
from datasets.ledger import journal
from datasets.ledger.errors import PERSON_CHARACTERS_MAX, NobodyNamed
from privacy import delta
from privacy.budget import Price

AccountKind = Literal["user", "organisation", "dataset"]
NOTHING = Price(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose budget: a user's or an organisation's name, or for a dataset the lineage's."""

    kind: AccountKind
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What an account was ever granted and has ever spent; of δ, in 10^-18, a dataset's alone."""

    lineage: str
    kind: AccountKind
    holder: str
    granted: Price
    spent: Price
    delta_granted: int = 0
    delta_spent: int = 0

    @property
    def remaining(self) -> Price:
        return self.granted - self.spent

    @property
    def delta_remaining(self) -> Fraction:
        return delta.delta_of(self.delta_granted - self.delta_spent)

    @property
    def account(self) -> Account:
        return Account(kind=self.kind, holder=self.holder)


# `account_of` takes rows apart by this order, and DEBIT_* return it first.
ACCOUNT_COLUMNS = "lineage, kind, holder, granted, spent, delta_granted, delta_spent"
CHARGED = f"RETURNING {ACCOUNT_COLUMNS}, entries, head"
DEBIT_DATASET = (
    """
    UPDATE accounts SET spent = spent + :dataset_charge, entries = entries + 1, head = {head}
    WHERE lineage = :lineage AND kind = 'dataset' AND holder = :lineage
        AND spent + :dataset_charge <= granted {and_also}
"""
    + CHARGED
)
# The head is hashed in the statement that locks the row: a head that was read before could be outdated by
# then. `sha256_hex` is the function that `store` gives to SQLite.
NEXT_HEAD = "sha256_hex(head || {digest})"
NEXT_HEAD_POSTGRESQL = "encode(sha256(convert_to(head || {digest}, 'UTF8')), 'hex')"
LINK = Step.of(
    DEBIT_DATASET.format(head=NEXT_HEAD.format(digest=":digest"), and_also=""),
    postgresql=DEBIT_DATASET.format(head=NEXT_HEAD_POSTGRESQL.format(digest=":digest"), and_also=""),
)
KEEP_ENTRY = """
    INSERT INTO journal (lineage, number, at, kind, "user", body, head)
    VALUES (:lineage, :number, :at, :kind, :user, :body, :head)
"""
APPEND = Step.of(KEEP_ENTRY)
ACCOUNT = Step.of(f"""
    SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE lineage = :lineage AND kind = :kind AND holder = :holder
""")
# DO NOTHING returns no row: whoever came second keeps the amounts of the first.
OPEN = text(f"""
    INSERT INTO accounts (lineage, kind, holder, granted, spent, entries, head, delta_granted, delta_spent)
    VALUES (:lineage, :kind, :holder, :granted, 0, 0, '', :delta_granted, 0) ON CONFLICT DO NOTHING
    RETURNING {ACCOUNT_COLUMNS}
""")


def open_dataset(
    tx: Connection, *, lineage: str, cap: Price, actor: str, delta_cap_atto: int = 0
) -> AccountState:
    """Open a lineage's dataset account within the transaction that registers it. Never resets one."""
    key = account_key(lineage, Account(kind="dataset", holder=lineage))
    limits = {"granted": cap.nano, "delta_granted": delta_cap_atto}
    # An account that is there already has paid for answers: its cap changes by grants only.
    row = tx.execute(OPEN, key | limits).one_or_none()
    if row is None:
        return account_of(Direct(tx).rows(ACCOUNT, key)[0])
    body = {"kind": "open", "at": now(), "by": person(actor), "amount": str(cap)}
    append(tx, lineage, body | delta_member(delta_cap_atto))
    return account_of(row)


def exists(tx: Direct, key: Mapping[str, Any]) -> bool:
    """Whether there is an account of that `account_key`."""
    return tx.rows(ACCOUNT, key) != []


def delta_member(atto: int) -> dict[str, str]:
    """The member of a line that tells an amount of δ; none where there is none."""
    return {"delta": delta.shown(atto)} if atto else {}


def place_of(dataset: Sequence[Any]) -> dict[str, Any]:
    """Where a line stands in its chain, from the row of the dataset that was charged for it."""
    *_, number, head = dataset
    return {"number": number, "head": head}


def append(tx: Connection, lineage: str, body: Mapping[str, Any]) -> None:
    """Journal what charges nothing."""
    line = journal.line(lineage=lineage, body=body)
    # A charge of zero passes the condition of DEBIT_DATASET whatever was spent, so only the head moves.
    values = {"lineage": lineage, "digest": line["digest"], "dataset_charge": 0}
    (dataset,) = Direct(tx).rows(LINK, values)
    Direct(tx).run(APPEND, line | place_of(dataset))


def person(given: str) -> str:
    """The name of who answers for an act. Raises NobodyNamed."""
    name = given.strip()
    if not 1 <= len(name) <= PERSON_CHARACTERS_MAX:
        raise NobodyNamed
    return name


def account_key(lineage: str, account: Account) -> dict[str, Any]:
    """The parameters that name an account's row."""
    return {"lineage": lineage, "kind": account.kind, "holder": account.holder}


def account_of(row: Sequence[Any]) -> AccountState:
    """An account from a row that begins with ACCOUNT_COLUMNS."""
    lineage, kind, holder, granted, spent, delta_granted, delta_spent, *_ = row
    return AccountState(
        lineage=lineage,
        kind=kind,
        holder=holder,
        granted=Price(granted),
        spent=Price(spent),
        delta_granted=delta_granted,
        delta_spent=delta_spent,
    )
