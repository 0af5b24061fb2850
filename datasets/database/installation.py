"""This installation: its name, and the chain of the journal that holds what belongs to no dataset.

Lines of keys, organisations and stops stand here, so that a copy of the journal tells them too. Knows no rule of any of
them: whoever changes something writes its line in the same transaction.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from datasets.database import chain
from datasets.database.store import now
from datasets.database.tables import InstallationRow, JournalRow

PREFIX = "installation:"
"""What the names of these chains begin with: no dataset's and no population's do."""
OWN = select(InstallationRow.__table__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The row: `id` names the chain, `entries` counts its lines and `head` is the last one's hash."""

    id: str
    created_at: str
    entries: int
    head: str
    secret_digest: str | None
    secret_at: str | None


def installation(connection: Connection) -> Installation:
    """The installation as it stands."""
    return Installation(**connection.execute(OWN).one()._asdict())


def held_installation(tx: Connection) -> Installation:
    """The installation as it stands, and stays until the transaction ends."""
    # FOR UPDATE on PostgreSQL: a head that was read and not held could be outdated when the line is written.
    return Installation(**tx.execute(OWN.with_for_update()).one()._asdict())


def add_line(tx: Connection, kind: str, **members: Any) -> None:
    """Write a line of that kind at the end of the installation's chain, in a transaction that writes.

    Of the members, `by` says who did it; `at` is the time of writing.
    """
    current = held_installation(tx)
    at = now()
    body = chain.canonical({**members, "kind": kind, "at": at, "lineage": current.id})
    number, head = current.entries + 1, chain.next_head(current.head, body)
    tx.execute(update(InstallationRow).values(entries=number, head=head))
    line = {"lineage": current.id, "number": number, "at": at, "kind": kind, "body": body, "head": head}
    tx.execute(insert(JournalRow), line | {"user": members.get("user")})
