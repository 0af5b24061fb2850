"""Settlement: every payer is charged, every chain gets its line and the answer is kept, all in one transaction.

Who pays is a list: the user, the organisation, a contract, a reserve, the dataset, a population, each in one lineage or
several. They are one loop, and locked in one order by everybody, so that nobody waits in a circle.

An answer from a view is paid in every lineage that the view joins. The first lineage's journal gets the answer's
line; the journals of the others, and of a population, get a `linked` line that names the answer.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from sqlalchemy import select, tuple_

from datasets.database import chain
from datasets.database.closed_lists import CHAINED
from datasets.database.stops import STOPS, Stopped
from datasets.database.store import CHECK_FAILED, REFUSED, Direct, Store, now, sha256_hex
from datasets.ledger import statements
from datasets.ledger.accounts import (
    NOTHING,
    AccountKey,
    Accounts,
    AccountState,
    delta_member,
    population_key,
)
from datasets.ledger.answers import AnswerRecord, Answers, StoredAnswer, balances_of
from datasets.ledger.errors import (
    BudgetExhausted,
    DeltaExhausted,
    LedgerError,
    NoAccount,
    NoAnswer,
    PopulationJoined,
)
from datasets.ledger.journal import LINKED, Line
from privacy import delta
from privacy.budget import Price
from privacy.words import Words

SETTLE_ATTEMPTS_MAX = 10


class AlreadyAnswered(LedgerError):
    """The user has used this idempotency key before; `stored` is what was answered then."""

    code = "already_answered"
    words = Words(ja="{stored.id} として回答済みです", en="answered as {stored.id}")

    def __init__(self, stored: StoredAnswer) -> None:
        super().__init__()
        self.stored = stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer(AccountKey):
    """An account that pays for an answer: so much ε or ρ, and so much δ in 10^-18, which only a cap pays."""

    charge: Price
    delta_atto: int = 0

    def __post_init__(self) -> None:
        assert self.delta_atto == 0 or self.carries_chain, "only a cap over everybody pays δ"
        assert self.delta_atto >= 0, "a charge is never negative"

    @property
    def key(self) -> AccountKey:
        return AccountKey(lineage=self.lineage, kind=self.kind, holder=self.holder)

    @property
    def carries_chain(self) -> bool:
        """Whether this is a chain's own account, which carries its head."""
        return self.kind in CHAINED


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement(AnswerRecord):
    """An answer to be charged and kept, before anybody sees it.

    `payers` stand once each, one of a kind in a lineage, in the order of `AccountKey.place`; the one of `lineage` that
    carries the chain gets the answer's line. `envelope` is the JSON of the answer without its table; it lists the
    payers as they stand here, and what each has left is put in when it is read.
    """

    organisation: str
    payers: tuple[Payer, ...]
    table: bytes

    def __post_init__(self) -> None:
        places = [payer.place for payer in self.payers]
        assert places == sorted(set(places)), "payers are distinct and in order"
        kinds = [(payer.lineage, payer.kind) for payer in self.payers]
        assert len(kinds) == len(set(kinds)), "a line of the journal names one payer of a kind"
        assert self.lineage in self.chains, "an answer is charged to the chain that keeps it"

    @property
    def chains(self) -> tuple[str, ...]:
        """The chains that get a line, that of the answer first."""
        named = [payer.lineage for payer in self.payers if payer.carries_chain]
        return tuple(sorted(named, key=lambda lineage: (lineage != self.lineage, lineage)))


def usual_payers(
    *,
    lineages: Sequence[str],
    user: str,
    organisation: str,
    charge: Price,
    dataset_charge: Price,
    delta_atto: int = 0,
    populations: Sequence[str] = (),
) -> tuple[Payer, ...]:
    """In each lineage the user and its organisation at `charge`, the dataset at `dataset_charge` and the δ.

    Each population, by its name, pays what one dataset does, and once: one person removed from all of its registers
    changes the one answer, however many of them it is computed from.
    """
    payers = [
        Payer(**population_key(name).row, charge=dataset_charge, delta_atto=delta_atto)
        for name in populations
    ]
    for lineage in lineages:
        payers += [
            Payer(lineage=lineage, kind="user", holder=user, charge=charge),
            Payer(lineage=lineage, kind="organisation", holder=organisation, charge=charge),
            Payer(
                lineage=lineage,
                kind="dataset",
                holder=lineage,
                charge=dataset_charge,
                delta_atto=delta_atto,
            ),
        ]
    return tuple(sorted(payers, key=lambda payer: payer.place))


def must_fit(states: Iterable[AccountState], payers: Sequence[Payer]) -> None:
    """See whether these accounts can pay, the first payer first.

    Raises NoAccount, BudgetExhausted or DeltaExhausted; PopulationJoined where a register's population is no payer.
    """
    known = {state.key: state for state in states}
    paying = {payer.lineage for payer in payers}
    for payer in payers:
        state = known.get(payer.key)
        if state is None:
            raise NoAccount(kind=payer.kind, holder=payer.holder)
        if state.population is not None and state.population not in paying:
            raise PopulationJoined(lineage=state.lineage, population=state.population)
        if payer.charge > state.remaining:
            raise BudgetExhausted(
                kind=state.kind, holder=state.holder, needed=payer.charge, remaining=state.remaining
            )
        if payer.delta_atto > state.delta_left_atto:
            needed = delta.delta_of(payer.delta_atto)
            raise DeltaExhausted(
                kind=state.kind, holder=state.holder, needed=needed, remaining=state.delta_remaining
            )


class _NotPaid(Exception):
    """Somebody could not pay, and nothing was done."""


class _Paid(NamedTuple):
    """What the database says of a payer that has paid."""

    remaining: int | None
    number: int
    head: str


class Settlements:
    """Charges for answers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def settle(self, settlement: Settlement) -> StoredAnswer:
        """Charge every payer, journal it and keep the answer: all of it or, if this raises, nothing.

        Raises AlreadyAnswered, NoAccount, BudgetExhausted, DeltaExhausted, PopulationJoined or Stopped.
        """
        write = self._write_sqlite if self._store.is_sqlite else self._write_postgresql
        try:
            for _ in range(SETTLE_ATTEMPTS_MAX):
                with suppress(_NotPaid):
                    return write(settlement, now())
                self._refuse_stopped(settlement)
                # If they can pay after all, somebody has been granted more since; then once more.
                keys = [payer.key for payer in settlement.payers]
                must_fit(Accounts(self._store).states(keys), settlement.payers)
        # A constraint fails when another process has written the same key first; an account is too low,
        # perhaps because that very process was paid. Either way the winner's answer is the caller's.
        except (*REFUSED, BudgetExhausted, DeltaExhausted):
            self._refuse_repeated(settlement)
            raise
        raise AssertionError("accounts that can pay were refused again and again")

    def _refuse_stopped(self, settlement: Settlement) -> None:
        """Raise Stopped where that is why nobody paid."""
        stopped = [(payer.kind, payer.holder) for payer in settlement.payers]
        stopped.append(("dataset", settlement.dataset))
        among = tuple_(STOPS.c.kind, STOPS.c.subject).in_(stopped)
        with self._store.reading() as connection:
            kind = connection.execute(select(STOPS.c.kind).where(among).limit(1)).scalar()
        if kind is not None:
            raise Stopped(kind)

    def _write_sqlite(self, settlement: Settlement, asked_at: str) -> StoredAnswer:
        """A few statements; where a payer is missing among those that paid, the transaction ends undone."""
        lines = _lines(settlement, asked_at)
        digest = sha256_hex(settlement.table)
        kept = {"lineage": settlement.lineage, "table_digest": digest, "content": settlement.table}
        debits = json.dumps([_debit(payer, lines) for payer in settlement.payers])
        with self._store.writing() as connection:
            tx = Direct(connection)
            # All rows: SQLite ends a statement only when its last row is fetched.
            rows = tx.execute(
                statements.DEBIT_SQLITE, {"payers": debits, "dataset": settlement.dataset}
            ).fetchall()
            by_key = {row[:3]: _Paid(*row[3:]) for row in rows}
            if len(by_key) < len(settlement.payers):
                raise _NotPaid
            paid = [by_key[payer.lineage, payer.kind, payer.holder] for payer in settlement.payers]
            for payer, account in zip(settlement.payers, paid, strict=True):
                if payer.carries_chain:
                    place = lines[payer.lineage].placed(number=account.number, head=account.head)
                    tx.execute(statements.KEEP_LINE_SQLITE, place)
            stored = _stored(settlement, paid, asked_at)
            added = {"table_digest": digest, "entry": stored.entry, "asked_at": asked_at}
            tx.execute(statements.KEEP_TABLE_SQLITE, kept)
            tx.execute(statements.KEEP_ANSWER_SQLITE, settlement.row | added | {"balances": _written(paid)})
        return stored

    def _write_postgresql(self, settlement: Settlement, asked_at: str) -> StoredAnswer:
        """The one statement; no row comes back if somebody cannot pay."""
        values = _parameters(settlement, _lines(settlement, asked_at), asked_at)
        try:
            with self._store.at_once() as connection:
                rows = Direct(connection).execute(statements.SETTLE_POSTGRESQL, values).fetchall()
        # An account was raised while the statement waited for its row: PostgreSQL holds the charge against the row
        # as it was before, and only then finds that it has changed.
        except CHECK_FAILED:
            raise _NotPaid from None
        if not rows:
            raise _NotPaid
        return _stored(settlement, [_Paid(*row) for row in rows], asked_at)

    def _refuse_repeated(self, settlement: Settlement) -> None:
        """Whoever lost a race for the idempotency key gets the winner's answer, not the reason it lost."""
        try:
            stored = Answers(self._store).earlier(user=settlement.user, key=settlement.idempotency_key)
        except NoAnswer:
            return
        raise AlreadyAnswered(stored)


def _debit(payer: Payer, lines: Mapping[str, Line]) -> tuple[str | int | None, ...]:
    """A payer as DEBIT_SQLITE reads it."""
    digest = lines[payer.lineage].digest if payer.carries_chain else None
    return payer.lineage, payer.kind, payer.holder, payer.charge.nano, payer.delta_atto, digest


def _parameters(settlement: Settlement, lines: Mapping[str, Line], asked_at: str) -> dict[str, Any]:
    payers = settlement.payers
    of_payers = [lines[payer.lineage] if payer.carries_chain else None for payer in payers]
    return settlement.row | {
        "payers": len(payers),
        "lineages": [payer.lineage for payer in payers],
        "kinds": [payer.kind for payer in payers],
        "holders": [payer.holder for payer in payers],
        "charges": [payer.charge.nano for payer in payers],
        "deltas": [payer.delta_atto for payer in payers],
        "bodies": [line and line.body for line in of_payers],
        "digests": [line and line.digest for line in of_payers],
        "line_kinds": [line and line.kind for line in of_payers],
        "asked_at": asked_at,
        "content": settlement.table,
        "table_digest": sha256_hex(settlement.table),
    }


def _stored(settlement: Settlement, paid: Sequence[_Paid], asked_at: str) -> StoredAnswer:
    kept = {member.name: getattr(settlement, member.name) for member in fields(AnswerRecord)}
    (entry,) = (
        account.number
        for payer, account in zip(settlement.payers, paid, strict=True)
        if payer.carries_chain and payer.lineage == settlement.lineage
    )
    return StoredAnswer(**kept, entry=entry, asked_at=asked_at, balances=balances_of(_written(paid)))


def _written(paid: Sequence[_Paid]) -> str:
    """As PostgreSQL writes it in the statement."""
    return json.dumps([account.remaining for account in paid])


# Lines


def _lines(settlement: Settlement, asked_at: str) -> dict[str, Line]:
    """By chain the line of the answer, and those of the other chains that it is charged to."""
    first, *others = settlement.chains
    return {
        first: Line.of(first, _charge_body(settlement, asked_at)),
        **{lineage: Line.of(lineage, _link_body(settlement, lineage, asked_at)) for lineage in others},
    }


def _charge_body(settlement: Settlement, asked_at: str) -> dict[str, Any]:
    others = list(settlement.chains[1:])
    return {
        "kind": _kind(settlement),
        **_common(settlement, settlement.lineage, asked_at),
        "fingerprint": settlement.fingerprint,
        "request": settlement.request_digest,
        "table": sha256_hex(settlement.table),
        "question": sha256_hex(settlement.question),
        "prices": sha256_hex(chain.canonical(settlement.prices)),
        **({"linked": others} if others else {}),
    }


def _link_body(settlement: Settlement, lineage: str, asked_at: str) -> dict[str, Any]:
    """What the other chains say of an answer: who pays how much, and in whose journal it stands."""
    return {
        "kind": LINKED,
        **_common(settlement, lineage, asked_at),
        "of": {"lineage": settlement.lineage},
    }


def _common(settlement: Settlement, lineage: str, asked_at: str) -> dict[str, Any]:
    payers = [payer for payer in settlement.payers if payer.lineage == lineage]
    # The user, the organisation and the chain are named by every line anyway.
    holders = {payer.kind: payer.holder for payer in payers if payer.kind in ("contract", "reserve")}
    return {
        "at": asked_at,
        "user": settlement.user,
        "organisation": settlement.organisation,
        "dataset": settlement.dataset,
        "version": settlement.version,
        "query": settlement.id,
        "charged": {payer.kind: str(payer.charge) for payer in payers},
        **({"holders": holders} if holders else {}),
        **delta_member(sum(payer.delta_atto for payer in payers)),
    }


def _kind(settlement: Settlement) -> str:
    if settlement.outcome == "failed":
        return "failed"
    if settlement.dataset_charge > NOTHING:
        return "charge"
    return "shared" if settlement.charge > NOTHING else "replay"
