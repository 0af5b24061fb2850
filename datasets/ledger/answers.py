"""Answers as they were settled: kept for the life of the dataset, found by key, by question and by user."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from sqlalchemy import ColumnElement, Select, bindparam, case, or_, select

from datasets.database import chain
from datasets.database.prepared import PreparedSelect
from datasets.database.stops import Stopped, is_stopped
from datasets.database.store import Store
from datasets.database.tables import AnswerRow, AnswerTableRow, UserRow, ViewLineageRow
from datasets.ledger.errors import NoAnswer
from datasets.ledger.journal import page_rows
from privacy.budget import Price

SAME_QUESTION_ROWS_MAX = 1_000
LAST_ID = "z" * 33  # sorts after every id, whatever the collation


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRecord:
    """What is charged and kept of an answer, named as the columns of its row; its table is kept apart.

    `charge` is what the user pays, `dataset_charge` what the dataset does: zero if the table was released before and
    is only given again. `prices` tell what each canonical statistic cost when it was measured, in nano-ε or nano-ρ,
    also where it is given again. `question` is the canonical question; earlier versions kept the body as it was sent.
    """

    id: str
    user: str
    idempotency_key: str
    request_digest: str
    dataset: str
    lineage: str
    version: int
    fingerprint: str
    prices: Mapping[str, int]
    outcome: str
    charge: Price
    dataset_charge: Price
    question: str
    envelope: bytes

    @property
    def row(self) -> dict[str, Any]:
        """The columns, as both databases keep them."""
        values = {member.name: getattr(self, member.name) for member in fields(AnswerRecord)}
        values["prices"] = chain.canonical(self.prices)
        values["charge"], values["dataset_charge"] = self.charge.nano, self.dataset_charge.nano
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedQuestion:
    """A question that may have been answered before, and whose answers may be told to `user`.

    `least` is what an answer cost at least that is accurate enough. With an `organisation`, of others' answers only
    those that its users had measured.
    """

    dataset: str
    lineage: str
    version: int
    fingerprint: str
    user: str
    least: Price
    organisation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer(AnswerRecord):
    """An answer as it was settled: by which line of the journal, when, and what its accounts had left then.

    `balances` has a member for each account of the envelope, None for one without a limit; it is None for an answer
    of an earlier version, whose envelope holds them.
    """

    entry: int
    asked_at: str
    balances: tuple[Price | None, ...] | None

    @classmethod
    def of(cls, row: Any) -> Self:
        """From a row that has STORED."""
        values = {member.name: getattr(row, member.name) for member in fields(cls)}
        values["prices"] = json.loads(row.prices)
        values["charge"], values["dataset_charge"] = Price(row.charge), Price(row.dataset_charge)
        values["envelope"] = bytes(row.envelope)
        values["balances"] = balances_of(row.balances)
        return cls(**values)


def balances_of(written: str | None) -> tuple[Price | None, ...] | None:
    """Balances as the settlement writes them: a JSON list of nano-ε, null for an account without a limit."""
    if written is None:
        return None
    return tuple(None if left is None else Price(left) for left in json.loads(written))


_c, _t = AnswerRow.__table__.c, AnswerTableRow.__table__.c
_v = ViewLineageRow.__table__.c
STORED = [_c[member.name] for member in fields(StoredAnswer)]
_table = (_t.lineage == _c.lineage) & (_t.digest == _c.table_digest)
_of_key = (_c.user == bindparam("of_user")) & (_c.idempotency_key == bindparam("key"))


def _answers(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(*STORED).where(*conditions)


OF_KEY = PreparedSelect(_answers(_of_key))
# A stopped dataset's answers are not told again: nor those of a view that joins it.
_stopped = is_stopped(
    "dataset",
    _c.dataset,
    _c.lineage,
    select(_v.lineage).where(_v.dataset == _c.dataset),
).label("stopped")
_whole = select(*STORED, _t.content, _stopped).join_from(AnswerRow, AnswerTableRow, _table)
OF_KEY_WHOLE = PreparedSelect(_whole.where(_of_key))
_of_id = (_c.id == bindparam("of_id")) & (_c.user == bindparam("of_user"))
OF_ID, OF_ID_WHOLE = PreparedSelect(_answers(_of_id)), PreparedSelect(_whole.where(_of_id))
_own = _c.user == bindparam("of_user")
_measured = _c.dataset_charge > 0
_organisation = select(UserRow.name).where(UserRow.organisation == bindparam("of_organisation"))


def _same_question(whose: ColumnElement[bool]) -> PreparedSelect:
    """Paid answers to a question, those first that are asked for first.

    All that a row must be is asked here, before the limit: else rows that may not be told would hide others. Of a paid
    answer that was itself told again nobody but its buyer hears, since the measured one stands here, too.
    """
    question = (
        _c.lineage == bindparam("of_lineage"),
        _c.version == bindparam("of_version"),
        _c.fingerprint == bindparam("of_fingerprint"),
        # Datasets of one lineage have versions of equal number.
        _c.dataset == bindparam("of_dataset"),
        _c.charge >= bindparam("least"),
        # The conditions of the partial index ix_answers_paid, which serves it. Free replays are left out, since the
        # answer that they repeat is in the list.
        _c.charge > 0,
        _c.outcome == "answered",
    )
    # Own ones are free, so the most accurate comes first; others' are paid for, so the cheapest does.
    first = (case((_own, 0), else_=1), case((_own, -_c.charge), else_=_c.charge), _c.id)
    return PreparedSelect(
        _answers(*question, or_(_own, whose)).order_by(*first).limit(SAME_QUESTION_ROWS_MAX)
    )


OF_EVERYONE = _same_question(_measured)
OF_ORGANISATION = _same_question(_measured & _c.user.in_(_organisation))
OF_USER = (
    _answers(_c.user == bindparam("of_user"), _c.id < bindparam("after"))
    .order_by(_c.id.desc())
    .limit(bindparam("rows"))
)
TABLE = (
    select(_t.content, _stopped)
    .join_from(AnswerRow, AnswerTableRow, _table)
    .where(_c.id == bindparam("of_id"))
)


class Answers:
    """Finds answers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def earlier(self, *, user: str, key: str) -> StoredAnswer:
        """What this user was answered under this idempotency key; raises NoAnswer if nothing."""
        return self._one(OF_KEY, {"of_user": user, "key": key})

    def earlier_whole(self, *, user: str, key: str) -> tuple[StoredAnswer, bytes]:
        """An earlier answer and its table in one statement, for retries; raises NoAnswer or Stopped."""
        return self._whole(OF_KEY_WHOLE, {"of_user": user, "key": key})

    def same_question(self, question: RepeatedQuestion) -> list[StoredAnswer]:
        """Paid answers that may be told again: the user's own, the dearest first, then others', the cheapest first."""
        values = {
            "of_dataset": question.dataset,
            "of_lineage": question.lineage,
            "of_version": question.version,
            "of_fingerprint": question.fingerprint,
            "of_user": question.user,
            "least": question.least.nano,
        }
        if question.organisation is None:
            rows = self._store.find(OF_EVERYONE, values)
        else:
            rows = self._store.find(OF_ORGANISATION, values | {"of_organisation": question.organisation})
        return [StoredAnswer.of(row) for row in rows]

    def answer(self, *, id: str, user: str) -> StoredAnswer:
        """One of this user's own answers; raises NoAnswer otherwise."""
        return self._one(OF_ID, {"of_id": id, "of_user": user})

    def answer_whole(self, *, id: str, user: str) -> tuple[StoredAnswer, bytes]:
        """One of this user's own answers with its table, in one statement; raises NoAnswer otherwise, or Stopped."""
        return self._whole(OF_ID_WHOLE, {"of_id": id, "of_user": user})

    def load(self, *, id: str) -> bytes:
        """The table of an answer; raises NoAnswer if there is none, Stopped if its dataset is."""
        with self._store.reading() as connection:
            return _content(connection.execute(TABLE, {"of_id": id}).one_or_none())

    def history(self, *, user: str, after: str | None = None, limit: int = 100) -> list[StoredAnswer]:
        """The user's answers, newest first; `after` is the id of the last one seen."""
        page = {"of_user": user, "after": after or LAST_ID, "rows": page_rows(limit)}
        with self._store.reading() as connection:
            return [StoredAnswer.of(row) for row in connection.execute(OF_USER, page)]

    def _one(self, question: PreparedSelect, wanted: Mapping[str, str]) -> StoredAnswer:
        row = self._store.find_one(question, wanted)
        if row is None:
            raise NoAnswer
        return StoredAnswer.of(row)

    def _whole(self, question: PreparedSelect, wanted: Mapping[str, str]) -> tuple[StoredAnswer, bytes]:
        row = self._store.find_one(question, wanted)
        content = _content(row)
        return StoredAnswer.of(row), content


def _content(row: Any) -> bytes:
    """The table of an answer that was looked for with `_stopped` beside it."""
    if row is None:
        raise NoAnswer
    if row.stopped:
        raise Stopped("dataset")
    return bytes(row.content)
