"""Leases of jobs in the database: who does a job now, until when, and how it last ended.

Time is the database's: clocks of machines differ, and a lease that ran out on one would still hold on another.
"""

import secrets
import socket
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Table, Update, and_, func, or_, select, update

from datasets.database.inserts import insert_if_new
from datasets.database.store import Store
from datasets.database.tables import Base, LeaseRow

LEASE_S = 120.0
"""For so long nobody else does a job whose holder died; a living holder renews it, however long it takes."""
HOST_CHARACTERS_MAX = 40
LEASES: Table = Base.metadata.tables[LeaseRow.__tablename__]


def new_holder() -> str:
    """A name for one runner, never used again: the machine's, for people, and a random part."""
    return f"{socket.gethostname()[:HOST_CHARACTERS_MAX]}:{secrets.token_hex(8)}"


class Leases:
    """The leases as one holder sees them."""

    def __init__(self, store: Store, *, holder: str | None = None, lease_s: float = LEASE_S) -> None:
        self.holder, self.lease_s = holder or new_holder(), lease_s
        self._store = store

    def take(self, name: str, *, after_s: float, retry_s: float) -> bool:
        """Lease a job if nobody holds it and it is due; whether it is ours now.

        Due is what never ended, ended well at least `after_s` seconds ago, or failed at least `retry_s` seconds ago.
        """
        with self._store.writing() as tx:
            at = _time(tx)
            insert_if_new(tx, LEASES, {"name": name})
            free = or_(LEASES.c.holder.is_(None), LEASES.c.until < _text(at))
            # One statement: on PostgreSQL a second runner waits here for the first one's row and looks at it again.
            taken = tx.execute(
                update(LEASES)
                .where(LEASES.c.name == name, free, _due(at, after_s, retry_s))
                .values(holder=self.holder, until=_text(at + timedelta(seconds=self.lease_s)))
            )
            return taken.rowcount == 1

    def renew(self, name: str) -> bool:
        """Hold a job for longer; False where the lease ran out and another has taken it."""
        with self._store.writing() as tx:
            until = _text(_time(tx) + timedelta(seconds=self.lease_s))
            return tx.execute(self._own(name).values(until=until)).rowcount == 1

    def end(self, name: str, failure: str | None) -> None:
        """Note how a job ended, by the class of its failure or None, and let go of it."""
        with self._store.writing() as tx:
            ended = {"holder": None, "until": None, "ended_at": _text(_time(tx)), "failure": failure}
            tx.execute(self._own(name).values(**ended))

    def release(self, name: str) -> None:
        """Let go of a job that did not end: it is due as before."""
        with self._store.writing() as tx:
            tx.execute(self._own(name).values(holder=None, until=None))

    def holder_of(self, name: str) -> str | None:
        """Who does a job now."""
        with self._store.reading() as connection:
            found = select(LEASES.c.holder).where(
                LEASES.c.name == name, LEASES.c.until >= _text(_time(connection))
            )
            return connection.execute(found).scalar()

    def _own(self, name: str) -> Update:
        # Of another holder's lease nothing is changed: ours may have run out in the meantime.
        return update(LEASES).where(LEASES.c.name == name, LEASES.c.holder == self.holder)


def _due(at: datetime, after_s: float, retry_s: float) -> ColumnElement[bool]:
    well, failed = _text(at - timedelta(seconds=after_s)), _text(at - timedelta(seconds=retry_s))
    return or_(
        LEASES.c.ended_at.is_(None),
        and_(LEASES.c.failure.is_(None), LEASES.c.ended_at <= well),
        and_(LEASES.c.failure.is_not(None), LEASES.c.ended_at <= failed),
    )


def _time(connection: Connection) -> datetime:
    """The time of the database; SQLite has but this machine's."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    found: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return found.astimezone(UTC)


def _text(at: datetime) -> str:
    """As all times stand in the database: sorts as text."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
