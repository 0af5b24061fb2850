"""The kill switch: datasets, organisations and users are stopped at once, and resumed, with a reason in the journal.

A dataset is stopped by its lineage, so that every version, every name and every view of it is; a view alone by its own
name. What is stopped keeps its accounts, answers and keys: budget can still be granted to it and taken back.

StopRefused (Refusal)
├── UnknownSubject   no dataset, organisation or user of that name
├── StoppedAlready   it is stopped
├── NotStopped       it is not stopped
└── StopNeedsReason  a reason is missing, too long or not one line
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select

from datasets.database.installation import add_line
from datasets.database.stops import STOPS, hold_stops
from datasets.database.store import Store, now
from datasets.database.tables import Base, DatasetRow, OrganisationRow, StopRow, UserRow, ViewLineageRow
from datasets.database.texts import line_of
from datasets.ledger.accounts import person
from datasets.ledger.errors import REASON_CHARACTERS_MAX
from datasets.ledger.journal import RESUMED, STOPPED, append
from privacy.refusal import Refusal
from privacy.words import Words

StoppedKind = Literal["dataset", "organisation", "user"]
KINDS: Mapping[str, Words] = {
    "dataset": Words(ja="データセット", en="dataset"),
    "organisation": Words(ja="組織", en="organisation"),
    "user": Words(ja="利用者", en="user"),
}
TABLES = Base.metadata.tables
DATASETS, VIEW_LINEAGES = TABLES[DatasetRow.__tablename__], TABLES[ViewLineageRow.__tablename__]
NAMES = {
    "organisation": TABLES[OrganisationRow.__tablename__].c.name,
    "user": TABLES[UserRow.__tablename__].c.name,
}


class StopRefused(Refusal):
    """Something cannot be stopped or resumed."""


class _OfSubject(StopRefused):
    """A refusal about one dataset, organisation or user, as the operator called it."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__()
        self.kind, self.name = kind, name

    def message(self) -> Words:
        """What the operator is told."""
        of_kind = KINDS[self.kind]
        return Words(
            ja=self.words.ja.format(kind=of_kind.ja, name=self.name),
            en=self.words.en.format(kind=of_kind.en, name=self.name),
        )


class UnknownSubject(_OfSubject):
    """No dataset, organisation or user has that name."""

    code = "unknown_subject"
    words = Words(ja="{kind} {name} はありません", en="no {kind} {name}")


class StoppedAlready(_OfSubject):
    """It is stopped already; the first reason stays."""

    code = "stopped_already"
    words = Words(ja="{kind} {name} はすでに停止されています", en="the {kind} {name} is stopped already")


class NotStopped(_OfSubject):
    """It is not stopped."""

    code = "not_stopped"
    words = Words(ja="{kind} {name} は停止されていません", en="the {kind} {name} is not stopped")


class StopNeedsReason(StopRefused):
    """A reason is missing, blank, longer than REASON_CHARACTERS_MAX, or not one line that can be shown."""

    code = "stop_needs_reason"
    words = Words(
        ja=f"停止・再開の理由を 1〜{REASON_CHARACTERS_MAX:,} 文字の 1 行で指定してください"
        "（制御文字や目に見えない文字は使えません）",
        en=f"give a reason for stopping or resuming: one line of 1 to {REASON_CHARACTERS_MAX:,} characters, without "
        "control or invisible characters",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Somebody or something that is stopped. `subject` of a dataset is its lineage, of a view its own name."""

    kind: StoppedKind
    subject: str
    at: str
    by: str
    reason: str

    def as_json(self) -> dict[str, str]:
        """As the command line shows it."""
        return asdict(self)


class Stops:
    """Stops and resumes, each with a line of the journal in the same transaction; tells what is stopped."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def stop(self, kind: StoppedKind, name: str, *, by: str, reason: str) -> Stop:
        """Stop what has that name. Raises UnknownSubject, StoppedAlready, StopNeedsReason or NobodyNamed."""
        reason, by = _reason(reason), person(by)
        with self._store.writing() as tx:
            hold_stops(tx)
            stop = Stop(kind=kind, subject=_subject(tx, kind, name), at=now(), by=by, reason=reason)
            if tx.execute(_one(stop)).one_or_none() is not None:
                raise StoppedAlready(kind, name)
            tx.execute(insert(StopRow), asdict(stop))
            _journal(tx, STOPPED, stop, by=by, reason=reason)
        return stop

    def resume(self, kind: StoppedKind, name: str, *, by: str, reason: str) -> Stop:
        """End a stop; what it was is returned. Raises UnknownSubject, NotStopped, StopNeedsReason or NobodyNamed."""
        reason, by = _reason(reason), person(by)
        with self._store.writing() as tx:
            hold_stops(tx)
            wanted = Stop(kind=kind, subject=_subject(tx, kind, name), at="", by="", reason="")
            row = tx.execute(_one(wanted)).one_or_none()
            if row is None:
                raise NotStopped(kind, name)
            stop = Stop(**row._asdict())
            _end(tx, stop, by=by, reason=reason)
        return stop

    def resume_all(self, *, by: str, reason: str) -> list[Stop]:
        """End every stop, all or none; what was stopped is returned. Raises StopNeedsReason or NobodyNamed."""
        reason, by = _reason(reason), person(by)
        with self._store.writing() as tx:
            hold_stops(tx)
            stops = _all(tx)
            for stop in stops:
                _end(tx, stop, by=by, reason=reason)
        return stops

    def stops(self) -> list[Stop]:
        """What is stopped, by kind and subject."""
        with self._store.reading() as connection:
            return _all(connection)


def _reason(given: str) -> str:
    reason = line_of(given, most=REASON_CHARACTERS_MAX)
    if reason is None:
        raise StopNeedsReason
    return reason


def _all(connection: Connection) -> list[Stop]:
    # Sorted here: databases differ in what comes first. Chains are locked in this order, too.
    found = [Stop(**row._asdict()) for row in connection.execute(select(STOPS))]
    return sorted(found, key=lambda stop: (stop.kind, stop.subject))


def _one(stop: Stop) -> Any:
    return select(STOPS).where(STOPS.c.kind == stop.kind, STOPS.c.subject == stop.subject)


def _subject(tx: Connection, kind: StoppedKind, name: str) -> str:
    """What is stopped when this name is. Raises UnknownSubject."""
    if kind != "dataset":
        found = tx.execute(select(NAMES[kind]).where(NAMES[kind] == name)).scalar()
    else:
        lineage = tx.execute(select(DATASETS.c.lineage).where(DATASETS.c.id == name)).scalar()
        found = name if _lineages_of_view(tx, name) else lineage
    if found is None:
        raise UnknownSubject(kind, name)
    return str(found)


def _lineages_of_view(connection: Connection, name: str) -> list[str]:
    """The lineages of a view; none of any other dataset."""
    of_view = select(VIEW_LINEAGES.c.lineage).where(VIEW_LINEAGES.c.dataset == name)
    return sorted(connection.execute(of_view).scalars())


def _end(tx: Connection, stop: Stop, *, by: str, reason: str) -> None:
    tx.execute(delete(StopRow).where(STOPS.c.kind == stop.kind, STOPS.c.subject == stop.subject))
    _journal(tx, RESUMED, stop, by=by, reason=reason)


def _journal(tx: Connection, line: str, stop: Stop, *, by: str, reason: str) -> None:
    """In the chain of the dataset, of a view's first lineage, or of the installation."""
    about: dict[str, Any] = {
        "by": by,
        "reason": reason,
        "subject": {"kind": stop.kind, "id": stop.subject},
    }
    if stop.kind != "dataset":
        add_line(tx, line, **about)
        return
    lineage = (_lineages_of_view(tx, stop.subject) or [stop.subject])[0]
    append(tx, lineage, {"kind": line, "at": now(), **about})
