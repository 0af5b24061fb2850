"""Grants: who gave whom how much more or less, and why. Refuses whatever lacks a reason or a second person."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, literal, select, update

from datasets.database.closed_lists import CAPS, CHAINED
from datasets.database.ids import new_id
from datasets.database.store import Store, now
from datasets.database.tables import AccountRow, GrantRow, OrganisationRow, UserRow
from datasets.database.texts import line_of
from datasets.ledger.accounts import (
    NOTHING,
    POPULATION,
    Account,
    AccountKey,
    AccountKind,
    AccountState,
    open_account,
    person,
    same_person,
    state_of,
)
from datasets.ledger.answers import LAST_ID
from datasets.ledger.errors import (
    REASON_CHARACTERS_MAX,
    AboveLimit,
    AboveUnspent,
    BelowSpent,
    GrantDecided,
    NoReason,
    NoSuchGrant,
    NoSuchHolder,
    NotLimited,
    SamePerson,
)
from datasets.ledger.journal import append, page_rows
from privacy.budget import NOT_POSITIVE, PRICE_NANO_MAX, InvalidAmount, Price

Change = Literal["raise", "lower"]
BY_ANOTHER_PERSON = ("effective", "returned")
"""Decisions that whoever asked for a grant cannot make: it may only take it back, which declines it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A change of what an account may spend, wished for or made.

    `state` is pending, effective, declined or returned; `decision_reason` says why it was declined, or what is
    missing where it was returned.
    """

    id: str
    lineage: str
    account: Account
    change: Change
    amount: Price
    reason: str
    state: str
    requested_by: str
    decided_by: str | None
    decision_reason: str | None
    at: str

    @property
    def key(self) -> AccountKey:
        return AccountKey(lineage=self.lineage, kind=self.account.kind, holder=self.account.holder)


_grants = GrantRow.__table__
_a, _g = AccountRow.__table__.c, _grants.c
GRANTS = select(_grants).order_by(_g.id.desc())
# Contracts and reserves are named by whoever sets them up: no table lists them.
HOLDERS: Mapping[str, ColumnElement[str]] = {
    "user": UserRow.__table__.c.name,
    "organisation": OrganisationRow.__table__.c.name,
}


class Grants:
    """More budget: to a user or an organisation at once, to a lifetime cap with a second person. Less: at once."""

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
        """Give an account more. A cap over everybody waits for a second person unless `approved_by` names one.

        An account below a cap is opened by its first grant. The first one to a population sets its cap: the total of
        its lifetime, of which what was spent before is a part. Raises NoReason, NobodyNamed, SamePerson, NoAccount,
        NoSuchHolder, AboveLimit, BelowSpent or InvalidAmount.
        """
        # A lifetime cap is what protects the people in the data, so no single person raises it.
        waits = account.kind in CAPS and approved_by is None
        grant = Grant(
            id=new_id("g"),
            lineage=lineage,
            account=account,
            change="raise",
            amount=_positive(amount),
            reason=_reason(reason),
            state="pending" if waits else "effective",
            requested_by=person(requested_by),
            decided_by=None if approved_by is None else person(approved_by),
            decision_reason=None,
            at=now(),
        )
        if approved_by is not None:
            # Before the transaction: a refusal here must leave no line in the journal.
            _must_differ(grant, approved_by)
        return self._make(grant)

    def lower(
        self, *, lineage: str, account: Account, amount: Price, reason: str, requested_by: str
    ) -> Grant:
        """Take back what an account has not spent, at once. Less is never a risk to anybody, so one person does it.

        Of δ nothing changes. Raises AboveUnspent, NotLimited, NoReason, NobodyNamed, NoAccount, NoSuchHolder or
        InvalidAmount.
        """
        grant = Grant(
            id=new_id("g"),
            lineage=lineage,
            account=account,
            change="lower",
            amount=_positive(amount),
            reason=_reason(reason),
            state="effective",
            requested_by=person(requested_by),
            decided_by=None,
            decision_reason=None,
            at=now(),
        )
        return self._make(grant)

    def approve(self, *, grant_id: str, decided_by: str, reason: str | None = None) -> Grant:
        """Make a pending grant effective. Raises as `grant` does, and NoSuchGrant or GrantDecided."""
        return self._decide(grant_id, "effective", person(decided_by), reason)

    def decline(self, *, grant_id: str, decided_by: str, reason: str | None = None) -> Grant:
        """Refuse a pending grant, or take it back. Raises NoSuchGrant, GrantDecided or NoReason."""
        return self._decide(grant_id, "declined", person(decided_by), reason)

    def send_back(self, *, grant_id: str, decided_by: str, reason: str) -> Grant:
        """Return a pending grant to whoever asked for it; `reason` is what is missing. Nothing is granted.

        Raises SamePerson, NoSuchGrant, GrantDecided or NoReason.
        """
        return self._decide(grant_id, "returned", person(decided_by), reason)

    def grants(self, *, after: str | None = None, limit: int = 100) -> list[Grant]:
        """All grants, newest first; `after` is the id of the last one seen."""
        page = GRANTS.where(_g.id < (after or LAST_ID)).limit(page_rows(limit))
        with self._store.reading() as connection:
            return [_one_grant(row) for row in connection.execute(page)]

    def _make(self, grant: Grant) -> Grant:
        with self._store.writing() as tx:
            _must_exist(tx, grant)
            if grant.change == "raise" and grant.account.kind in CHAINED:
                # What is spent only grows: nobody could approve it later.
                _refuse_first_limit(state_of(tx, grant.key), grant.amount)
            tx.execute(insert(GrantRow).values(_grant_row(grant)))
            _carry_out(tx, grant, at=grant.at)
        return grant

    def _decide(self, grant_id: str, state: str, decided_by: str, reason: str | None) -> Grant:
        decision = {
            "state": state,
            "decided_by": decided_by,
            "decision_reason": None if reason is None else _reason(reason),
        }
        # The state is part of the condition, so that of two decisions at once one finds no row.
        decide = update(GrantRow).where(_g.id == grant_id, _g.state == "pending").values(decision)
        with self._store.writing() as tx:
            wish = _found(tx, grant_id)
            if state in BY_ANOTHER_PERSON:
                _must_differ(wish, decided_by)
            if (row := tx.execute(decide.returning(*_g)).one_or_none()) is None:
                # Read again inside the transaction: the row was pending when it was looked at and is not any
                # more.
                raise GrantDecided(state=_found(tx, grant_id).state)
            grant = _one_grant(row)
            _carry_out(tx, grant, at=now())
        return grant


def _carry_out(tx: Connection, grant: Grant, *, at: str) -> None:
    """Journal a grant as it now stands and, if it is effective, change the account."""
    if grant.state == "effective":
        EFFECTS[grant.change](tx, grant)
    # Last: it locks the chain's own account, which everybody takes after those of users and organisations.
    append(tx, grant.lineage, _grant_body(grant, at=at))


def _raise(tx: Connection, grant: Grant) -> None:
    key = grant.key
    if key.kind not in CHAINED:
        # Opened with nothing first, so that a first grant and a further one are the same statement.
        open_account(tx, key, granted=None if key.kind == "organisation" else 0, delta_granted=0)
    raised = func.coalesce(_a.granted, _counted_from(key.kind)) + grant.amount.nano
    # The sum is bounded in the statement: two grants at once could each fit and together overflow.
    if not _set_granted(tx, key, raised, only_if=and_(raised <= PRICE_NANO_MAX, raised >= _a.spent)):
        _refuse_first_limit(state_of(tx, key), grant.amount)
        raise AboveLimit(grant.amount)
    if key.kind == "user":
        # The organisation pays with its users, limited or not, so it has an account wherever one of them has.
        user = UserRow.__table__.c
        organisation = tx.execute(select(user.organisation).where(user.name == key.holder)).scalar_one()
        beside = AccountKey(lineage=key.lineage, kind="organisation", holder=organisation)
        open_account(tx, beside, granted=None, delta_granted=0)


def _counted_from(kind: AccountKind) -> ColumnElement[int]:
    """What a first limit is added to: to what was spent without one, but a cap over everybody is the lifetime's total.

    Whoever sets the cap of a population says what a resident may lose in all, and not what more.
    """
    return literal(0) if kind in CHAINED else _a.spent


def _refuse_first_limit(state: AccountState, amount: Price) -> None:
    """Raise BelowSpent where a first limit would be less than was spent without one."""
    if not state.is_limited and amount < state.spent:
        raise BelowSpent(kind=state.kind, holder=state.holder, amount=amount, spent=state.spent)


def _lower(tx: Connection, grant: Grant) -> None:
    lowered = _a.granted - grant.amount.nano
    # Compared in the statement: what was left when somebody looked may have been spent since.
    if _set_granted(tx, grant.key, lowered, only_if=lowered >= _a.spent):
        return
    state = state_of(tx, grant.key)
    if not state.is_limited:
        raise NotLimited(kind=state.kind, holder=state.holder)
    raise AboveUnspent(kind=state.kind, holder=state.holder, amount=grant.amount, remaining=state.remaining)


EFFECTS: Mapping[Change, Callable[[Connection, Grant], None]] = {"raise": _raise, "lower": _lower}


def _set_granted(
    tx: Connection, key: AccountKey, granted: ColumnElement[int], *, only_if: ColumnElement[bool]
) -> bool:
    """Set an account's limit where the condition holds; whether it did."""
    is_account = [_a[name] == value for name, value in key.row.items()]
    change = update(AccountRow).where(*is_account, only_if).values(granted=granted)
    return tx.execute(change.returning(_a.granted)).one_or_none() is not None


def _grant_body(grant: Grant, *, at: str) -> dict[str, Any]:
    """The line; a grant that waits, or was refused, changes no account and says so by its kind."""
    effective = {"raise": "grant", "lower": "grant_lowered"}[grant.change]
    kinds = {
        "pending": "grant_requested",
        "effective": effective,
        "declined": "grant_declined",
        "returned": "grant_returned",
    }
    return {
        "kind": kinds[grant.state],
        "at": at,
        "grant": grant.id,
        "account": {"kind": grant.account.kind, "holder": grant.account.holder},
        "amount": str(grant.amount),
        "reason": grant.reason,
        "requested_by": grant.requested_by,
        "decided_by": grant.decided_by,
        **({} if grant.decision_reason is None else {"decision_reason": grant.decision_reason}),
    }


def _must_exist(tx: Connection, grant: Grant) -> None:
    """A grant is for somebody known, in a lineage or population that has its cap.

    Raises NoAccount or NoSuchHolder.
    """
    cap: AccountKind = "population" if grant.lineage.startswith(POPULATION) else "dataset"
    chain = AccountKey(lineage=grant.lineage, kind=cap, holder=grant.lineage)
    state_of(tx, chain)
    kind, holder = grant.account.kind, grant.account.holder
    if kind in CHAINED:
        known = grant.key == chain
    elif kind in HOLDERS:
        name = HOLDERS[kind]
        known = tx.execute(select(name).where(name == holder)).one_or_none() is not None
    else:
        known = True
    if not known:
        raise NoSuchHolder(kind=kind, holder=holder)


def _must_differ(grant: Grant, decided_by: str) -> None:
    if same_person(grant.requested_by, decided_by):
        raise SamePerson


def _positive(amount: Price) -> Price:
    if amount == NOTHING:
        raise InvalidAmount(NOT_POSITIVE)
    return amount


def _reason(given: str) -> str:
    reason = line_of(given, most=REASON_CHARACTERS_MAX)
    if reason is None:
        raise NoReason
    return reason


def _found(tx: Connection, grant_id: str) -> Grant:
    row = tx.execute(select(_grants).where(_g.id == grant_id)).one_or_none()
    if row is None:
        raise NoSuchGrant
    return _one_grant(row)


def _one_grant(row: Row[Any]) -> Grant:
    # The row has kind and holder apart, the value has them as one account.
    values = row._asdict()
    account = Account(kind=values.pop("kind"), holder=values.pop("holder"))
    return Grant(**values | {"account": account, "amount": Price(row.amount)})


def _grant_row(grant: Grant) -> dict[str, Any]:
    values = {name: getattr(grant, name) for name in Grant.__slots__ if name != "account"}
    return values | {"kind": grant.account.kind, "holder": grant.account.holder, "amount": grant.amount.nano}
