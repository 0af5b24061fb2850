"""The ledger: accounts, their journal and the answers charged to them. Refuses whatever doesn't fit.

Every charge is one transaction of two steps: debit the user, the organisation and the dataset and link the
journal; then write the journal's line and the answer, and commit. Rows are locked in that order by everybody, so
that nobody waits in a circle; the dataset's row, which all callers share, comes last.

An answer from a view costs the same in every lineage that the view joins: the first step is done for one lineage
after the other, in the order of their names, so that again nobody waits in a circle. All pay or nobody does. The
first lineage's journal gets the answer's line, the others' a `linked` line that names it.
What is refused stands in `errors`.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from sqlalchemy import Row, text

from datasets.database.store import REFUSED, Direct, Step, now, sha256_hex
from datasets.ledger import journal
from datasets.ledger.accounts import (
    ACCOUNT,
    ACCOUNT_COLUMNS,
    APPEND,
    CHARGED,
    DEBIT_DATASET,
    KEEP_ENTRY,
    NEXT_HEAD,
    NEXT_HEAD_POSTGRESQL,
    NOTHING,
    Account,
    AccountState,
    account_key,
    account_of,
    delta_member,
    exists,
    open_dataset,
    place_of,
)
from datasets.ledger.errors import BudgetExhausted, DeltaExhausted, LedgerError, NoAccount, NoAnswer
from datasets.ledger.grants import (
    LAST_ID,
    Grant,
    Grants,
    page_rows,
)
from datasets.ledger.journal import JournalEntry, LedgerFinding
from privacy import delta
from privacy.budget import Price
from privacy.words import Words

__all__ = [
    "Account",
    "AccountState",
    "AlreadyAnswered",
    "Grant",
    "Ledger",
    "LedgerFinding",
    "Settlement",
    "StoredAnswer",
    "open_dataset",
]

Outcome = Literal["answered", "failed"]

SAME_QUESTION_ROWS_MAX = 1_000
# The order in which everybody locks rows.
PAYERS = ("user", "organisation", "dataset")


class AlreadyAnswered(LedgerError):
    """The user has used this idempotency key before; `stored` is what was answered then."""

    code = "already_answered"
    words = Words(ja="{stored.id} として回答済みです", en="answered as {stored.id}")

    def __init__(self, stored: "StoredAnswer") -> None:
        super().__init__()
        self.stored = stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """An answer to be charged and kept, before anybody sees it.

    `charge` is paid by the user and, where it has an account, the organisation; `dataset_charge` by the
    dataset: zero if the table was released before and is only given again. `delta_atto` (10^-18) is paid by the
    dataset, too. All of it is paid in each of the `lineages`, of which there are several for a view: distinct and
    sorted, the first is the one under which the answer is kept.
    """

    id: str
    user: str
    organisation: str
    dataset: str
    lineages: tuple[str, ...]
    version: int
    idempotency_key: str
    request_digest: str
    fingerprint: str
    prices: Mapping[str, int]
    outcome: Outcome
    charge: Price
    dataset_charge: Price
    question: str
    table: bytes
    delta_atto: int = 0

    def __post_init__(self) -> None:
        assert self.lineages, "an answer is charged to a lineage"
        assert list(self.lineages) == sorted(set(self.lineages)), "lineages are distinct and sorted"
        assert self.delta_atto >= 0, "a charge is never negative"

    @property
    def lineage(self) -> str:
        return self.lineages[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """An answer as it was given, but for its table: `Ledger.load` gets that."""

    id: str
    user: str
    idempotency_key: str
    request_digest: str
    dataset: str
    lineage: str
    version: int
    entry: int
    fingerprint: str
    charge: Price
    dataset_charge: Price
    prices: Mapping[str, int]
    outcome: Outcome
    asked_at: str
    question: str
    envelope: bytes


Seal = Callable[[list[AccountState]], bytes]

KEEP_TABLE = """
    INSERT INTO answer_tables (lineage, digest, content) VALUES (:lineage, :table_digest, :table)
    ON CONFLICT DO NOTHING
"""
DEBIT_USER = (
    """
    UPDATE accounts SET spent = spent + :charge
    WHERE lineage = :lineage AND kind = 'user' AND holder = :user AND spent + :charge <= granted {and_also}
"""
    + CHARGED
)
DEBIT_ORGANISATION = (
    """
    UPDATE accounts SET spent = spent + :charge
    WHERE lineage = :lineage AND kind = 'organisation' AND holder = :organisation
        AND spent + :charge <= granted {and_also}
"""
    + CHARGED
)
ORGANISATION = """
    SELECT 1 FROM accounts WHERE lineage = :lineage AND kind = 'organisation' AND holder = :organisation
"""
# Whether an organisation pays is known only inside the statement, so both digests are handed in.
DIGEST = f"CASE WHEN EXISTS ({ORGANISATION}) THEN :digest_with_organisation ELSE :digest END"
ORGANISATION_FITS = f"AND NOT EXISTS ({ORGANISATION} AND spent + :charge > granted)"
AFTER_TABLE = "AND (SELECT count(*) FROM kept) >= 0"
AFTER_USER = "AND EXISTS (SELECT 1 FROM first)"
AFTER_BOTH = f"{AFTER_USER} AND (EXISTS (SELECT 1 FROM second) OR NOT EXISTS ({ORGANISATION}))"
# On SQLite one writer works at a time, so the dataset may look whether the organisation's turn will go well.
# On PostgreSQL one statement does it all, and each part asks for the rows of the part before: this, and not
# the order in which they are written, makes it lock the user's row, then the organisation's, then the dataset's.
PAY = (
    DEBIT_USER.format(and_also=""),
    DEBIT_DATASET.format(head=NEXT_HEAD.format(digest=DIGEST), and_also=ORGANISATION_FITS),
    DEBIT_ORGANISATION.format(and_also=""),
)
PAY_POSTGRESQL = f"""
            second AS ({DEBIT_ORGANISATION.format(and_also=AFTER_USER)}),
            third AS ({
    DEBIT_DATASET.format(head=NEXT_HEAD_POSTGRESQL.format(digest=DIGEST), and_also=AFTER_BOTH)
})
        SELECT * FROM first UNION ALL SELECT * FROM second UNION ALL SELECT * FROM third
"""
DEBIT = Step.of(
    KEEP_TABLE,
    *PAY,
    postgresql=f"""
        WITH kept AS ({KEEP_TABLE} RETURNING 1),
            first AS ({DEBIT_USER.format(and_also=AFTER_TABLE)}),
            {PAY_POSTGRESQL}
    """,
)
DEBIT_LINKED = Step.of(
    *PAY,
    postgresql=f"WITH first AS ({DEBIT_USER.format(and_also='')}), {PAY_POSTGRESQL}",
)
DEBIT_DELTA = Step.of("""
    UPDATE accounts SET delta_spent = delta_spent + :delta_atto
    WHERE lineage = :lineage AND kind = 'dataset' AND holder = :lineage
        AND delta_spent + :delta_atto <= delta_granted
    RETURNING delta_spent
""")
KEEP_ANSWER = """
    INSERT INTO answers (id, "user", idempotency_key, request_digest, dataset, lineage, version, entry,
        fingerprint, charge, dataset_charge, prices, outcome, asked_at, question, envelope, table_digest)
    VALUES (:id, :user, :idempotency_key, :request_digest, :dataset, :lineage, :version, :entry,
        :fingerprint, :charge, :dataset_charge, :prices, :outcome, :asked_at, :question, :envelope,
        :table_digest)
"""
KEEP = Step.of(KEEP_ENTRY, KEEP_ANSWER, postgresql=f"WITH line AS ({KEEP_ENTRY}) {KEEP_ANSWER}")
# Named as the attributes of StoredAnswer, which `_answer` fills from rows by name.
ANSWER_COLUMNS = """id, "user", idempotency_key, request_digest, dataset, lineage, version, entry,
    fingerprint, charge, dataset_charge, prices, outcome, asked_at, question, envelope"""
EARLIER = text(f'SELECT {ANSWER_COLUMNS} FROM answers WHERE "user" = :user AND idempotency_key = :key')
# The columns of the inner table are renamed, since both tables have a lineage.
EARLIER_WHOLE = text(f"""
    SELECT {ANSWER_COLUMNS}, content FROM answers JOIN (
        SELECT lineage AS of_lineage, digest, content FROM answer_tables
    ) AS released ON of_lineage = lineage AND digest = table_digest
    WHERE "user" = :user AND idempotency_key = :key
""")
# The condition is word for word that of the partial index ix_answers_paid, which serves it. Free replays are
# left out, since the answer that they repeat is in the list.
SAME_QUESTION = text(f"""
    SELECT {ANSWER_COLUMNS} FROM answers
    WHERE lineage = :lineage AND version = :version AND fingerprint = :fingerprint
        AND charge > 0 AND outcome = 'answered'
    ORDER BY charge DESC, id LIMIT :limit
""")
ANSWER = text(f'SELECT {ANSWER_COLUMNS} FROM answers WHERE id = :id AND "user" = :user')
HISTORY = text(f"""
    SELECT {ANSWER_COLUMNS} FROM answers WHERE "user" = :user AND id < :after ORDER BY id DESC LIMIT :limit
""")
LOAD = text("""
    SELECT content FROM answers JOIN answer_tables
        ON answer_tables.lineage = answers.lineage AND answer_tables.digest = answers.table_digest
    WHERE answers.id = :id
""")
# By kind descending: user, organisation, dataset, which is the order in which they pay.
ACCOUNTS = text(f"""
    SELECT {ACCOUNT_COLUMNS} FROM accounts
    WHERE lineage = :lineage AND (kind = 'user' AND holder = :user
        OR kind = 'organisation' AND holder = :organisation
        OR kind = 'dataset' AND holder = :lineage)
    ORDER BY kind DESC
""")
ACCOUNTS_OF_USER = text(f"""
    SELECT {ACCOUNT_COLUMNS} FROM accounts
    WHERE lineage IN (SELECT lineage FROM accounts WHERE kind = 'user' AND holder = :user)
        AND (kind = 'user' AND holder = :user
            OR kind = 'organisation' AND holder = (SELECT organisation FROM users WHERE name = :user)
            OR kind = 'dataset')
    ORDER BY lineage, kind DESC
""")
ALL_ACCOUNTS = text(f"""
    SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE (lineage, kind, holder) > (:lineage, :kind, :holder)
    ORDER BY lineage, kind, holder LIMIT :limit
""")


class Ledger(Grants):
    """What was granted, what was spent and what was answered for it."""

    # Accounts

    def open(self, *, lineage: str, cap: Price, actor: str, delta_cap_atto: int = 0) -> AccountState:
        """Open the lineage's dataset account with its lifetime cap. One that exists stays as it is."""
        with self._store.writing() as tx:
            return open_dataset(tx, lineage=lineage, cap=cap, actor=actor, delta_cap_atto=delta_cap_atto)

    def accounts(self, *, lineages: Sequence[str], user: str, organisation: str) -> list[AccountState]:
        """The accounts that a question of this user would be charged to.

        By lineage in the given order, in each the user's, the organisation's, the dataset's.
        """
        states = []
        with self._store.reading() as connection:
            for lineage in lineages:
                who = {"lineage": lineage, "user": user, "organisation": organisation}
                states += [account_of(row) for row in connection.execute(ACCOUNTS, who)]
        return states

    def accounts_of_user(self, *, user: str) -> list[AccountState]:
        """Everything that limits this user: by lineage, then user, organisation, dataset."""
        with self._store.reading() as connection:
            return [account_of(row) for row in connection.execute(ACCOUNTS_OF_USER, {"user": user})]

    def all_accounts(self, *, after: AccountState | None = None, limit: int = 100) -> list[AccountState]:
        """A page of every account there is, ordered by lineage, kind and holder, for administrators."""
        last = (after.lineage, after.kind, after.holder) if after else ("", "", "")
        page = dict(zip(("lineage", "kind", "holder"), last, strict=True)) | {"limit": page_rows(limit)}
        with self._store.reading() as connection:
            return [account_of(row) for row in connection.execute(ALL_ACCOUNTS, page)]

    def fits(
        self,
        *,
        lineages: Sequence[str],
        user: str,
        organisation: str,
        charge: Price,
        dataset_charge: Price,
        delta_atto: int = 0,
    ) -> list[AccountState]:
        """The accounts, if the charge fits them all now.

        Raises NoAccount, BudgetExhausted or DeltaExhausted if not.
        """
        states = self.accounts(lineages=lineages, user=user, organisation=organisation)
        there = {(state.lineage, state.kind) for state in states}
        for lineage in lineages:
            # Without an organisation's account nothing is missing: it then limits nobody.
            if (lineage, "user") not in there:
                raise NoAccount(kind="user", holder=user)
            if (lineage, "dataset") not in there:
                raise NoAccount(kind="dataset", holder=lineage)
        for state in states:
            _must_fit(state, dataset_charge if state.kind == "dataset" else charge)
            if state.kind == "dataset" and delta.delta_of(delta_atto) > state.delta_remaining:
                raise _delta_exhausted(state, delta_atto)
        return states

    # Answers

    def earlier(self, *, user: str, key: str) -> StoredAnswer:
        """What this user was answered under this idempotency key; raises NoAnswer if nothing."""
        with self._store.reading() as connection:
            return _one_answer(connection.execute(EARLIER, {"user": user, "key": key}).one_or_none())

    def earlier_whole(self, *, user: str, key: str) -> tuple[StoredAnswer, bytes]:
        """An earlier answer and its table in one statement, for retries; raises NoAnswer if there is none."""
        with self._store.reading() as connection:
            row = connection.execute(EARLIER_WHOLE, {"user": user, "key": key}).one_or_none()
        if row is None:
            raise NoAnswer
        return _answer(row), bytes(row.content)

    def same_question(self, *, lineage: str, version: int, fingerprint: str) -> list[StoredAnswer]:
        """Paid answers of anybody to this question on this version, the dearest (most accurate) first."""
        question = {"lineage": lineage, "version": version, "fingerprint": fingerprint}
        with self._store.reading() as connection:
            rows = connection.execute(SAME_QUESTION, question | {"limit": SAME_QUESTION_ROWS_MAX})
            return [_answer(row) for row in rows]

    def answer(self, *, id: str, user: str) -> StoredAnswer:
        """One of this user's own answers; raises NoAnswer otherwise."""
        with self._store.reading() as connection:
            return _one_answer(connection.execute(ANSWER, {"id": id, "user": user}).one_or_none())

    def load(self, *, id: str) -> bytes:
        """The table of an answer; raises NoAnswer if there is none."""
        with self._store.reading() as connection:
            content = connection.execute(LOAD, {"id": id}).scalar_one_or_none()
        if content is None:
            raise NoAnswer
        return bytes(content)

    def history(self, *, user: str, after: str | None = None, limit: int = 100) -> list[StoredAnswer]:
        """The user's answers, newest first; `after` is the id of the last one seen."""
        page = {"user": user, "after": after or LAST_ID, "limit": page_rows(limit)}
        with self._store.reading() as connection:
            return [_answer(row) for row in connection.execute(HISTORY, page)]

    def settle(self, settlement: Settlement, seal: Seal) -> StoredAnswer:
        """Charge every account, journal it and keep the answer: all of it or, if this raises, nothing.

        `seal` is given the accounts after the debit, inside the transaction, for each lineage: user,
        organisation if it has an account, dataset. It returns the envelope to keep, and must be quick: others
        wait. Raises AlreadyAnswered, NoAccount, BudgetExhausted or DeltaExhausted.
        """
        table_digest = sha256_hex(settlement.table)
        try:
            with self._store.writing() as tx:
                return _settle(Direct(tx), settlement, table_digest, seal)
        # A constraint fails when another process has written the same key first; an account is too low,
        # perhaps because that very process was paid. Either way the winner's answer is the caller's.
        except (*REFUSED, BudgetExhausted, DeltaExhausted):
            self._refuse_repeated(settlement)
            raise

    def _refuse_repeated(self, settlement: Settlement) -> None:
        """Whoever lost a race for the idempotency key gets the winner's answer, not the reason it lost."""
        try:
            stored = self.earlier(user=settlement.user, key=settlement.idempotency_key)
        except NoAnswer:
            return
        raise AlreadyAnswered(stored)

    # Journal

    def journal(
        self, *, lineage: str | None = None, after: tuple[str, int] | None = None, limit: int = 100
    ) -> list[JournalEntry]:
        """A page by (lineage, number), of one lineage or of all; `after` names the last line seen."""
        with self._store.reading() as connection:
            return journal.page(connection, lineage=lineage, after=after or ("", 0), limit=page_rows(limit))

    def export(self, write: Callable[[str], object]) -> int:
        """Write the whole journal as JSON lines, in one unchanging view; the number of lines is returned.

        Each line holds its head, so that a copy kept elsewhere shows later if lines were changed or removed.
        """
        written = 0
        with self._store.viewing() as connection:
            for entry in chain.from_iterable(journal.pages(connection)):
                write(_exported(entry))
                written += 1
        return written

    def verify(self, progress: Callable[[int], None] = lambda lines: None) -> list[LedgerFinding]:
        """Recompute every chain and balance in one unchanging view; no findings means that all agrees.

        `progress` is called with the number of lines read so far.
        """
        with self._store.viewing() as connection:
            return journal.findings(connection, progress)


def _exported(entry: JournalEntry) -> str:
    line = {"lineage": entry.lineage, "number": entry.number, "head": entry.head, "body": entry.body}
    return journal.canonical(line) + "\n"


# One settlement


def _settle(tx: Direct, settlement: Settlement, table_digest: str, seal: Seal) -> StoredAnswer:
    body = _charge_body(settlement, table_digest)
    values = _values(settlement, table_digest)
    states, line = _debit(tx, DEBIT, settlement, settlement.lineage, body, values)  # from here on others wait
    links = []
    for lineage in settlement.lineages[1:]:
        more, link = _debit(tx, DEBIT_LINKED, settlement, lineage, _link_body(settlement, line), values)
        states += more
        links.append(link)
    # Sealed between the two steps, because the envelope names the balances after the debit.
    stored = _stored(settlement, at=line["at"], entry=line["number"], envelope=seal(states))
    with tx.committing():
        for link in links:
            tx.run(APPEND, link)
        tx.run(KEEP, line | _answer_row(stored) | {"table_digest": table_digest})
    return stored


def _debit(
    tx: Direct,
    step: Step,
    settlement: Settlement,
    lineage: str,
    body: Mapping[str, Any],
    values: Mapping[str, Any],
) -> tuple[list[AccountState], dict[str, Any]]:
    """Charge one lineage's accounts; returns them and the lineage's line, linked to its journal."""
    alone, together = _lines(settlement, lineage, body)
    digests = {"digest": alone["digest"], "digest_with_organisation": together["digest"]}
    # By kind, the second of ACCOUNT_COLUMNS. A kind that is missing has not paid.
    rows = {row[1]: row for row in tx.rows(step, {**values, "lineage": lineage, **digests})}
    if "user" not in rows or "dataset" not in rows:
        raise _refusal(tx, settlement, lineage, paid=rows.keys())
    if settlement.delta_atto:
        _debit_delta(tx, lineage, settlement.delta_atto)
    line = (together if "organisation" in rows else alone) | place_of(rows["dataset"])
    return [account_of(rows[kind]) for kind in PAYERS if kind in rows], line


def _debit_delta(tx: Direct, lineage: str, delta_atto: int) -> None:
    """The dataset's row is locked already, so that this waits for nobody."""
    if not tx.rows(DEBIT_DELTA, {"lineage": lineage, "delta_atto": delta_atto}):
        key = account_key(lineage, Account(kind="dataset", holder=lineage))
        raise _delta_exhausted(account_of(tx.rows(ACCOUNT, key)[0]), delta_atto)


def _lines(
    settlement: Settlement, lineage: str, body: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The journal's line without and with a charge to the organisation: the debit tells which one holds."""
    charged = {"user": str(settlement.charge), "dataset": str(settlement.dataset_charge)}
    together = charged | {"organisation": str(settlement.charge)}
    alone = journal.line(lineage=lineage, body={**body, "charged": charged})
    return alone, journal.line(lineage=lineage, body={**body, "charged": together})


def _values(settlement: Settlement, table_digest: str) -> dict[str, Any]:
    return {
        "user": settlement.user,
        "organisation": settlement.organisation,
        "charge": settlement.charge.nano,
        "dataset_charge": settlement.dataset_charge.nano,
        "table_digest": table_digest,
        "table": settlement.table,
    }


def _refusal(tx: Direct, settlement: Settlement, lineage: str, *, paid: Collection[str]) -> LedgerError:
    """Why not everybody has paid: the user comes first, then the organisation, then the dataset."""
    if "user" not in paid:
        return _why_not(tx, lineage, Account(kind="user", holder=settlement.user), settlement.charge)
    organisation = Account(kind="organisation", holder=settlement.organisation)
    if "organisation" not in paid and exists(tx, account_key(lineage, organisation)):
        return _why_not(tx, lineage, organisation, settlement.charge)
    dataset = Account(kind="dataset", holder=lineage)
    return _why_not(tx, lineage, dataset, settlement.dataset_charge)


def _why_not(tx: Direct, lineage: str, account: Account, charge: Price) -> LedgerError:
    for row in tx.rows(ACCOUNT, account_key(lineage, account)):
        return _exhausted(account_of(row), charge)
    return NoAccount(kind=account.kind, holder=account.holder)


def _exhausted(state: AccountState, charge: Price) -> BudgetExhausted:
    return BudgetExhausted(kind=state.kind, holder=state.holder, needed=charge, remaining=state.remaining)


def _delta_exhausted(state: AccountState, delta_atto: int) -> DeltaExhausted:
    needed = delta.delta_of(delta_atto)
    return DeltaExhausted(holder=state.holder, needed=needed, remaining=state.delta_remaining)


def _must_fit(state: AccountState, charge: Price) -> None:
    if charge > state.remaining:
        raise _exhausted(state, charge)


def _charge_body(settlement: Settlement, table_digest: str) -> dict[str, Any]:
    return {
        "kind": _kind(settlement),
        "at": now(),
        "user": settlement.user,
        "organisation": settlement.organisation,
        "dataset": settlement.dataset,
        "version": settlement.version,
        "query": settlement.id,
        "fingerprint": settlement.fingerprint,
        "request": settlement.request_digest,
        "table": table_digest,
        "question": sha256_hex(settlement.question),
        "prices": sha256_hex(journal.canonical(settlement.prices)),
        **delta_member(settlement.delta_atto),
        **({"linked": list(settlement.lineages[1:])} if settlement.lineages[1:] else {}),
    }


def _link_body(settlement: Settlement, line: Mapping[str, Any]) -> dict[str, Any]:
    """What the other lineages' journals say of an answer: who pays how much, and where its line stands."""
    return {
        "kind": journal.LINKED,
        "at": line["at"],
        "user": settlement.user,
        "organisation": settlement.organisation,
        "dataset": settlement.dataset,
        "version": settlement.version,
        "query": settlement.id,
        "of": {"lineage": line["lineage"], "entry": line["number"]},
        **delta_member(settlement.delta_atto),
    }


def _kind(settlement: Settlement) -> str:
    if settlement.outcome == "failed":
        return "failed"
    if settlement.dataset_charge > NOTHING:
        return "charge"
    return "shared" if settlement.charge > NOTHING else "replay"


def _stored(settlement: Settlement, *, at: str, entry: int, envelope: bytes) -> StoredAnswer:
    return StoredAnswer(
        id=settlement.id,
        user=settlement.user,
        idempotency_key=settlement.idempotency_key,
        request_digest=settlement.request_digest,
        dataset=settlement.dataset,
        lineage=settlement.lineage,
        version=settlement.version,
        entry=entry,
        fingerprint=settlement.fingerprint,
        charge=settlement.charge,
        dataset_charge=settlement.dataset_charge,
        prices=settlement.prices,
        outcome=settlement.outcome,
        asked_at=at,
        question=settlement.question,
        envelope=envelope,
    )


# Rows


def _one_answer(row: Row[Any] | None) -> StoredAnswer:
    if row is None:
        raise NoAnswer
    return _answer(row)


def _answer(row: Row[Any]) -> StoredAnswer:
    values = row._asdict()
    # Only EARLIER_WHOLE has it.
    values.pop("content", None)
    values["prices"] = json.loads(row.prices)
    values["charge"] = Price(row.charge)
    values["dataset_charge"] = Price(row.dataset_charge)
    values["envelope"] = bytes(row.envelope)
    return StoredAnswer(**values)


def _answer_row(stored: StoredAnswer) -> dict[str, Any]:
    values = {name: getattr(stored, name) for name in StoredAnswer.__slots__}
    values["prices"] = journal.canonical(stored.prices)
    values["charge"] = stored.charge.nano
    values["dataset_charge"] = stored.dataset_charge.nano
    return values
