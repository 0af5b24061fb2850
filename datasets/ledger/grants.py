"""Grants: who gave whom how much more, and why. Refuses whatever lacks a reason or a second person."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from datasets.database.closed_lists import CAPS
from datasets.database.store import Store, new_id, now
from datasets.ledger.accounts import (
    NOTHING,
    Account,
    AccountKey,
    open_account,
    person,
    states_of,
)
from datasets.ledger.answers import LAST_ID
from datasets.ledger.errors import (
    REASON_CHARACTERS_MAX,
    GrantDecided,
    NoAccount,
    NoReason,
    NoSuchGrant,
    NoSuchHolder,
    SamePerson,
)
from datasets.ledger.journal import append, page_rows
from privacy.budget import NOT_POSITIVE, PRICE_NANO_MAX, InvalidAmount, Price
from privacy.words import Words

PAST_LIMIT = Words(
    ja="口座の生涯合計が金額の上限を超えます",
    en="the account's lifetime total would pass the limit of amounts",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A wish for more, or more. `state` is pending, effective or declined."""

    id: str
    lineage: str
    account: Account
    amount: Price
    reason: str
    state: str
    requested_by: str
    decided_by: str | None
    at: str


# The sum is bounded in the statement: two grants at once could each fit and together overflow.
# A first limit counts from what was spent without one.
RAISE = text("""
    UPDATE accounts SET granted = coalesce(granted, spent) + :amount
    WHERE lineage = :lineage AND kind = :kind AND holder = :holder
        AND coalesce(granted, spent) + :amount <= :limit
    RETURNING granted
""")
ORGANISATION_OF = text("SELECT organisation FROM users WHERE name = :holder")
HOLDERS = {
    "user": text("SELECT 1 FROM users WHERE name = :holder"),
    "organisation": text("SELECT 1 FROM organisations WHERE name = :holder"),
}
KEEP_GRANT = text("""
    INSERT INTO grants (id, lineage, kind, holder, amount, reason, state, requested_by, decided_by, at)
    VALUES (:id, :lineage, :kind, :holder, :amount, :reason, :state, :requested_by, :decided_by, :at)
""")
GRANT_COLUMNS = "id, lineage, kind, holder, amount, reason, state, requested_by, decided_by, at"
GRANT = text(f"SELECT {GRANT_COLUMNS} FROM grants WHERE id = :id")
GRANTS = text(f"SELECT {GRANT_COLUMNS} FROM grants WHERE id < :after ORDER BY id DESC LIMIT :limit")
# The state is part of the condition, so that of two decisions at once one finds no row.
DECIDE = text(f"""
    UPDATE grants SET state = :state, decided_by = :decided_by WHERE id = :id AND state = 'pending'
    RETURNING {GRANT_COLUMNS}
""")


class Grants:
    """More budget: to a user or an organisation at once, to a lifetime cap with a second person."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def grant(
        self,
        *,
        lineage: str,
        account: Account,
        amount: Price,
        reason: str,
        requested_by: str,
        approved_by: str | None = None,
    ) -> Grant:
        """Give an account more. A dataset's cap waits for a second person unless `approved_by` names one.

        A user's or an organisation's account is opened by its first grant.
        """
        if amount == NOTHING:
            raise InvalidAmount(NOT_POSITIVE)
        # The lifetime cap is what protects the people in the data, so no single person raises it.
        waits = account.kind == "dataset" and approved_by is None
        grant = Grant(
            id=new_id("g"),
            lineage=lineage,
            account=account,
            amount=amount,
            reason=_reason(reason),
            state="pending" if waits else "effective",
            requested_by=person(requested_by),
            decided_by=None if approved_by is None else person(approved_by),
            at=now(),
        )
        if approved_by is not None:
            # Before the transaction: a refusal here must leave no line in the journal.
            _must_differ(grant, approved_by)
        with self._store.writing() as tx:
            _must_exist(tx, grant)
            tx.execute(KEEP_GRANT, _grant_row(grant))
            _carry_out(tx, grant, at=grant.at)
        return grant

    def approve(self, *, grant_id: str, decided_by: str) -> Grant:
        """Make a pending grant effective. Raises SamePerson, NoSuchGrant or GrantDecided."""
        return self._decide(grant_id, "effective", person(decided_by))

    def decline(self, *, grant_id: str, decided_by: str) -> Grant:
        """Refuse a pending grant, or take it back. Raises NoSuchGrant or GrantDecided."""
        return self._decide(grant_id, "declined", person(decided_by))

    def _decide(self, grant_id: str, state: str, decided_by: str) -> Grant:
        with self._store.writing() as tx:
            wish = _one_grant(tx.execute(GRANT, {"id": grant_id}).one_or_none())
            if state == "effective":
                _must_differ(wish, decided_by)
            decision = {"id": grant_id, "state": state, "decided_by": decided_by}
            if (row := tx.execute(DECIDE, decision).one_or_none()) is None:
                # Read again inside the transaction: the row was pending when it was looked at and is not any
                # more.
                raise GrantDecided(state=_one_grant(tx.execute(GRANT, {"id": grant_id}).one()).state)
            grant = _one_grant(row)
            _carry_out(tx, grant, at=now())
        return grant

    def grants(self, *, after: str | None = None, limit: int = 100) -> list[Grant]:
        """All grants, newest first; `after` is the id of the last one seen."""
        with self._store.reading() as connection:
            rows = connection.execute(GRANTS, {"after": after or LAST_ID, "limit": page_rows(limit)})
            return [_one_grant(row) for row in rows]


def _carry_out(tx: Connection, grant: Grant, *, at: str) -> None:
    """Journal a grant as it now stands and, if it is effective, raise the account."""
    if grant.state == "effective":
        _raise(tx, grant)
    append(tx, grant.lineage, _grant_body(grant, at=at))


def _raise(tx: Connection, grant: Grant) -> None:
    key = _key(grant)
    if grant.account.kind not in CAPS:
        # Opened with nothing first, so that a first grant and a further one are the same statement.
        limit = None if grant.account.kind == "organisation" else 0
        open_account(tx, key, granted=limit, delta_granted=0)
    if grant.account.kind == "user":
        # The organisation pays with its users, limited or not, so it has an account wherever one of them has.
        organisation = tx.execute(ORGANISATION_OF, {"holder": grant.account.holder}).scalar_one()
        beside = AccountKey(lineage=grant.lineage, kind="organisation", holder=organisation)
        open_account(tx, beside, granted=None, delta_granted=0)
    amounts = {"amount": grant.amount.nano, "limit": PRICE_NANO_MAX}
    if tx.execute(RAISE, key.row | amounts).one_or_none() is None:
        raise InvalidAmount(PAST_LIMIT)


def _key(grant: Grant) -> AccountKey:
    return AccountKey(lineage=grant.lineage, kind=grant.account.kind, holder=grant.account.holder)


def _grant_body(grant: Grant, *, at: str) -> dict[str, Any]:
    kinds = {"pending": "grant_requested", "effective": "grant", "declined": "grant_declined"}
    return {
        "kind": kinds[grant.state],
        "at": at,
        "grant": grant.id,
        "account": {"kind": grant.account.kind, "holder": grant.account.holder},
        "amount": str(grant.amount),
        "reason": grant.reason,
        "requested_by": grant.requested_by,
        "decided_by": grant.decided_by,
    }


def _must_exist(tx: Connection, grant: Grant) -> None:
    """A grant is for somebody known, on a lineage that has its cap."""
    if not states_of(tx, [AccountKey(lineage=grant.lineage, kind="dataset", holder=grant.lineage)]):
        raise NoAccount(kind="dataset", holder=grant.lineage)
    kind, holder = grant.account.kind, grant.account.holder
    if kind == "dataset":
        known = holder == grant.lineage
    else:
        known = tx.execute(HOLDERS[kind], {"holder": holder}).one_or_none() is not None
    if not known:
        raise NoSuchHolder(kind=kind, holder=holder)


def _must_differ(grant: Grant, decided_by: str) -> None:
    # Names are typed by hand; capitals and spaces make no second person.
    if grant.requested_by.casefold() == decided_by.strip().casefold():
        raise SamePerson


def _reason(given: str) -> str:
    reason = given.strip()
    if not 1 <= len(reason) <= REASON_CHARACTERS_MAX:
        raise NoReason
    return reason


def _one_grant(row: Row[Any] | None) -> Grant:
    if row is None:
        raise NoSuchGrant
    # The row has kind and holder apart, the value has them as one account.
    values = row._asdict()
    account = Account(kind=values.pop("kind"), holder=values.pop("holder"))
    return Grant(**values | {"account": account, "amount": Price(row.amount)})


def _grant_row(grant: Grant) -> dict[str, Any]:
    values = {name: getattr(grant, name) for name in Grant.__slots__ if name != "account"}
    return values | {"kind": grant.account.kind, "holder": grant.account.holder, "amount": grant.amount.nano}
