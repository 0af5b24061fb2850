"""What happened after a backup, brought into the restored database: from a copy of the journal, or stopped as unknown.

Everything here runs in the one transaction that restores, so that no state between is ever served.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, insert, select, update

from datasets.database.closed_lists import CHAINED
from datasets.database.inserts import insert_if_new
from datasets.database.installation import PREFIX, add_line, installation
from datasets.database.store import now
from datasets.database.tables import (
    AccountRow,
    Base,
    DatasetRow,
    GrantRow,
    InstallationRow,
    JournalRow,
    LineageRow,
    OrganisationRow,
    StopRow,
    UserRow,
    VersionRow,
)
from datasets.ledger.accounts import POPULATION
from datasets.ledger.journal import (
    CHARGES,
    JOINED,
    LINKED,
    PURGED,
    REGISTERED,
    REOPENED,
    RESTORED,
    RESUMED,
    RETIRED,
    SEPARATED,
    STOPPED,
    append,
)
from datasets.ledger.proof import STATES, Balance, LinesDiffer, recounted
from datasets.operations.errors import CANNOT_APPLY, ExportRefused
from datasets.operations.exports import ExportLine, ExportTail, in_parts
from privacy.budget import Price

SALT_BYTES = 32
WITHOUT_JOURNAL = (
    "{at} のバックアップから、それ以降の予算台帳なしで復元 / "
    "restored from the backup of {at} without the journal after it"
)
OPENED_AFTER = (
    "{at} のバックアップより後に登録または消去され、行データがありません / "
    "registered or purged after the backup of {at}: it has no rows"
)


def _table(row: type[Base]) -> Table:
    return Base.metadata.tables[row.__tablename__]


ACCOUNTS, GRANTS, JOURNAL, LINEAGES = map(_table, (AccountRow, GrantRow, JournalRow, LineageRow))
ORGANISATIONS, USERS, STOPS, INSTALLATIONS = map(_table, (OrganisationRow, UserRow, StopRow, InstallationRow))
DATASETS, VERSIONS = _table(DatasetRow), _table(VersionRow)
LINEAGES_OF_DATASETS = (
    select(LINEAGES.c.id)
    .where(~LINEAGES.c.id.startswith(POPULATION, autoescape=True))
    .order_by(LINEAGES.c.id)
)
STANDS_STOPPED = select(STOPS.c.kind, STOPS.c.subject)
CURRENT = select(
    DATASETS.c.id,
    DATASETS.c.lineage,
    DATASETS.c.version,
    DATASETS.c.retired_at,
    VERSIONS.c.purged_at,
    VERSIONS.c.sources,
).join(VERSIONS, (VERSIONS.c.dataset == DATASETS.c.id) & (VERSIONS.c.number == DATASETS.c.version))
WITHOUT_ORGANISATION = (
    # An organisation pays with its users, so it has an account wherever one of them has.
    select(ACCOUNTS.c.lineage, USERS.c.organisation)
    .join(USERS, USERS.c.name == ACCOUNTS.c.holder)
    .where(ACCOUNTS.c.kind == "user")
    .distinct()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was done about the time after a backup: how many lines were applied again, and what is stopped now."""

    lines: int
    stopped: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """Who restores, and of when the backup is."""

    by: str
    backup_at: str


def stop_everything(tx: Connection, restoration: Restoration) -> Applied:
    """Stop every dataset and every user, since nobody says what was spent, disabled or rotated after the backup."""
    reason = WITHOUT_JOURNAL.format(at=restoration.backup_at)
    users = select(USERS.c.name).order_by(USERS.c.name)
    subjects = [("dataset", id) for id in tx.execute(LINEAGES_OF_DATASETS).scalars()]
    subjects += [("user", name) for name in tx.execute(users).scalars()]
    stopped = _stop(tx, subjects, restoration.by, reason)
    return Applied(lines=0, stopped=stopped)


def _stop(
    tx: Connection, subjects: list[tuple[str, str]], by: str, reason: str
) -> tuple[tuple[str, str], ...]:
    """Stop these, but for what is stopped already for a reason of its own; all that is stopped then."""
    already = {tuple(row) for row in tx.execute(STANDS_STOPPED)}
    for kind, subject in subjects:
        if (kind, subject) in already:
            continue
        at, told = now(), {"by": by, "reason": reason, "subject": {"kind": kind, "id": subject}}
        tx.execute(insert(STOPS).values(kind=kind, subject=subject, at=at, by=by, reason=reason))
        if kind == "dataset":
            append(tx, subject, {"kind": STOPPED, "at": at, **told})
        else:
            add_line(tx, STOPPED, **told)
    return tuple(subjects)


def apply_again(tx: Connection, tail: ExportTail, restoration: Restoration) -> Applied:
    """Bring accounts, grants, people and stops to what the lines after the backup say; raises ExportRefused.

    A dataset that was registered after it has its account again, but no rows: it is stopped.
    """
    # People first: accounts and grants are theirs.
    chains = sorted(tail.lines, key=lambda name: (not name.startswith(PREFIX), name))
    opened = [
        name for name in chains if not name.startswith(PREFIX) and _open_lineage(tx, tail.lines[name][0])
    ]
    for name in chains:
        for lines in in_parts(tail.lines[name]):
            tx.execute(insert(JOURNAL), [line.row for line in lines])
    for name in chains:
        _bring_up(tx, tail, name)
    for lines in tail.lines.values():
        for line in lines:
            _apply(tx, tail, line)
    for lineage, organisation in tx.execute(WITHOUT_ORGANISATION).all():
        _open(
            tx,
            lineage=lineage,
            kind="organisation",
            holder=organisation,
            balance=Balance.first("organisation"),
        )
    for name in chains:
        _close(tx, name, tail.lines[name], restoration)
    lost = [("dataset", name) for name in opened if not name.startswith(POPULATION)]
    lost += _without_rows(tx, tail)
    stopped = _stop(
        tx, list(dict.fromkeys(lost)), restoration.by, OPENED_AFTER.format(at=restoration.backup_at)
    )
    return Applied(lines=sum(map(len, tail.lines.values())), stopped=stopped)


def _without_rows(tx: Connection, tail: ExportTail) -> list[tuple[str, str]]:
    """What must not answer: datasets whose last version came after the backup, and those whose current one is purged.

    By lineage, and views by their own name.
    """
    newest = {
        line.body["dataset"]: line.body
        for lines in tail.lines.values()
        for line in lines
        if line.kind == REGISTERED
    }
    current = {row.id: row for row in tx.execute(CURRENT)}
    names = {id for id, told in newest.items() if id not in current or current[id].version != told["version"]}
    names |= {id for id, row in current.items() if row.purged_at is not None and row.retired_at is None}
    found = set()
    for name in names:
        lineages = newest[name]["lineages"] if name in newest else [current[name].lineage]
        is_view = len(lineages) > 1 or (name in current and current[name].sources is not None)
        found.add(name if is_view else lineages[0])
    return [("dataset", subject) for subject in sorted(found)]


def _open_lineage(tx: Connection, first: ExportLine) -> bool:
    # Whatever is registered under it later must choose rows within a person somehow: the lost salt is in no line.
    salt = "" if first.lineage.startswith(POPULATION) else secrets.token_hex(SALT_BYTES)
    row = {"id": first.lineage, "salt": salt, "created_at": first.body["at"]}
    return insert_if_new(tx, LINEAGES, row)


def _bring_up(tx: Connection, tail: ExportTail, name: str) -> None:
    """Bring a chain's accounts, and its end, to what its lines add up to."""
    last = tail.lines[name][-1]
    end = {"entries": last.number, "head": last.head}
    if name.startswith(PREFIX):
        tx.execute(update(INSTALLATIONS).values(end))
        return
    try:
        balances = recounted(tx, name, after=tail.lines[name][0].number - 1)
    except LinesDiffer as differ:
        raise ExportRefused(CANNOT_APPLY.filled(file=tail.file, where=differ.finding)) from None
    for (kind, holder), balance in balances.items():
        _open(tx, lineage=name, kind=kind, holder=holder, balance=balance)
        where = _of(ACCOUNTS, lineage=name, kind=kind, holder=holder)
        tx.execute(update(ACCOUNTS).where(*where).values(_amounts(balance)))
    chained = [*_of(ACCOUNTS, lineage=name, holder=name), ACCOUNTS.c.kind.in_(CHAINED)]
    if tx.execute(update(ACCOUNTS).where(*chained).values(end)).rowcount != 1:
        raise ExportRefused(CANNOT_APPLY.filled(file=tail.file, where=name))


def _open(tx: Connection, *, lineage: str, kind: str, holder: str, balance: Balance) -> None:
    key = {"lineage": lineage, "kind": kind, "holder": holder}
    insert_if_new(tx, ACCOUNTS, {**key, **_amounts(balance), "entries": 0, "head": ""})


def _amounts(balance: Balance) -> dict[str, int | None]:
    return {
        "granted": balance.granted,
        "spent": balance.spent,
        "delta_granted": balance.delta_granted,
        "delta_spent": balance.delta_spent,
    }


def _of(table: Table, **values: str) -> list[ColumnElement[bool]]:
    return [table.c[name] == value for name, value in values.items()]


def _close(tx: Connection, name: str, lines: list[ExportLine], restoration: Restoration) -> None:
    """Say in the chain which of its lines were put back."""
    told: dict[str, Any] = {
        "by": restoration.by,
        "backup_at": restoration.backup_at,
        "from": lines[0].number,
        "to": lines[-1].number,
    }
    if name.startswith(PREFIX):
        assert name == installation(tx).id, "an export is of this installation"
        add_line(tx, RESTORED, **told)
    else:
        append(tx, name, {"kind": RESTORED, "at": now(), **told})


def _apply(tx: Connection, tail: ExportTail, line: ExportLine) -> None:
    """What a line changes beside the accounts."""
    try:
        EFFECTS[line.kind](tx, line.body)
    except (KeyError, TypeError, ValueError, AttributeError):
        where = f"{line.lineage} {line.number}"
        raise ExportRefused(CANNOT_APPLY.filled(file=tail.file, where=where)) from None


# Effects

Body = Mapping[str, Any]


def _nothing(_tx: Connection, _body: Body) -> None:
    """Accounts alone, which are counted anew."""


def _grant(tx: Connection, body: Body) -> None:
    """A grant as its line has it: asked for, decided, or both at once."""
    decided = {
        "state": STATES[body["kind"]],
        "decided_by": body["decided_by"],
        "decision_reason": body.get("decision_reason"),
    }
    wish = {
        "id": body["grant"],
        "lineage": body["lineage"],
        "kind": body["account"]["kind"],
        "holder": body["account"]["holder"],
        "amount": Price.parse(body["amount"]).nano,
        "reason": body["reason"],
        "requested_by": body["requested_by"],
        "at": body["at"],
        "change": "lower" if body["kind"] == "grant_lowered" else "raise",
    }
    if not insert_if_new(tx, GRANTS, wish | decided):
        tx.execute(update(GRANTS).where(GRANTS.c.id == body["grant"]).values(decided))


def _join(tx: Connection, body: Body) -> None:
    """A register that is one of a population from then on."""
    register, population = body["register"], body["lineage"]
    named = update(LINEAGES).where(LINEAGES.c.id == register)
    tx.execute(named.values(population=population.removeprefix(POPULATION)))
    where = _of(ACCOUNTS, lineage=register, kind="dataset", holder=register)
    tx.execute(update(ACCOUNTS).where(*where).values(population=population))


def _stopped(tx: Connection, body: Body) -> None:
    subject = body["subject"]
    row = {"kind": subject["kind"], "subject": subject["id"]}
    insert_if_new(tx, STOPS, row | {name: body[name] for name in ("at", "by", "reason")})


def _resumed(tx: Connection, body: Body) -> None:
    subject = body["subject"]
    tx.execute(STOPS.delete().where(*_of(STOPS, kind=subject["kind"], subject=subject["id"])))


def _titles(body: Body) -> dict[str, Any]:
    return {name: body[name] for name in ("title_ja", "title_en") if name in body}


def _organisation_added(tx: Connection, body: Body) -> None:
    insert_if_new(
        tx, ORGANISATIONS, {"name": body["organisation"], "created_at": body["at"], **_titles(body)}
    )


def _organisation_changed(tx: Connection, body: Body) -> None:
    if titles := _titles(body):
        tx.execute(update(ORGANISATIONS).where(ORGANISATIONS.c.name == body["organisation"]).values(titles))


def _user_added(tx: Connection, body: Body) -> None:
    told = {name: body[name] for name in ("organisation", "role", "key_digest", "key_made_at")}
    insert_if_new(tx, USERS, {"name": body["user_name"], "created_at": body["at"], **told})


def _key_rotated(tx: Connection, body: Body) -> None:
    _change_user(tx, body, key_digest=body["key_digest"], key_made_at=body["key_made_at"])


def _user_disabled(tx: Connection, body: Body) -> None:
    _change_user(tx, body, disabled_at=func.coalesce(USERS.c.disabled_at, body["at"]))


def _user_enabled(tx: Connection, body: Body) -> None:
    _change_user(tx, body, disabled_at=None)


def _change_user(tx: Connection, body: Body, **values: Any) -> None:
    if tx.execute(update(USERS).where(USERS.c.name == body["user_name"]).values(values)).rowcount != 1:
        raise ValueError("there is no such user")


def _secret_changed(tx: Connection, body: Body) -> None:
    """Keys are kept under another secret from then on."""
    tx.execute(update(INSTALLATIONS).values(secret_digest=body["secret_digest"], secret_at=body["secret_at"]))


def _retired(tx: Connection, body: Body) -> None:
    tx.execute(update(DATASETS).where(DATASETS.c.id == body["dataset"]).values(retired_at=body["at"]))


def _reopened(tx: Connection, body: Body) -> None:
    tx.execute(update(DATASETS).where(DATASETS.c.id == body["dataset"]).values(retired_at=None))


def _purged(tx: Connection, body: Body) -> None:
    """Rows that were destroyed stay so: a restore puts nothing but the sketch of a purged version's people in place."""
    where = (VERSIONS.c.dataset == body["dataset"], VERSIONS.c.number == body["version"])
    tx.execute(update(VERSIONS).where(*where).values(purged_at=body["at"]))


EFFECTS: Mapping[str, Callable[[Connection, Body], None]] = {
    **dict.fromkeys((*CHARGES, LINKED, "open", SEPARATED, RESTORED, REGISTERED), _nothing),
    **dict.fromkeys(STATES, _grant),
    JOINED: _join,
    STOPPED: _stopped,
    RESUMED: _resumed,
    "organisation_added": _organisation_added,
    "organisation_changed": _organisation_changed,
    "user_added": _user_added,
    "key_rotated": _key_rotated,
    "user_disabled": _user_disabled,
    "user_enabled": _user_enabled,
    "secret_changed": _secret_changed,
    RETIRED: _retired,
    REOPENED: _reopened,
    PURGED: _purged,
}
"""By kind of line. A line of another kind stops a restore before anything is touched."""
