"""The secret that keys are kept under, and what the database knows of it: a digest, so that another one is noticed.

Where servers of several machines share a database they must share the secret; one with another would know nobody's key.
"""

import hmac

from sqlalchemy import Connection, func, select, update

from datasets.database.installation import Installation, add_line, held_installation, installation
from datasets.database.store import now
from datasets.database.tables import InstallationRow, JournalRow, UserRow
from datasets.people.errors import WrongSecret

# Keyed like the keys themselves and not a bare hash: a digest found elsewhere of a secret tells nothing here.
PROOF = b"sudare: the secret of this installation"
CHANGED = "secret_changed"


def digest_of(secret: bytes) -> str:
    """What the database keeps of a secret: the HMAC-SHA-256 of a fixed text under it, in hexadecimal."""
    return hmac.digest(secret, PROOF, "sha256").hex()


def hold_secret(tx: Connection, secret: bytes, previous: bytes | None, *, by: str) -> None:
    """See that the database knows this secret, until the transaction ends.

    The first one is taken as it is, and one that follows `previous` takes its place, each with a line of the journal.
    Raises WrongSecret.
    """
    # Locked: of two machines that start with the same secrets one writes, and the other finds it written.
    known, ours = held_installation(tx).secret_digest, digest_of(secret)
    if known == ours:
        return
    if known is not None and (previous is None or known != digest_of(previous)):
        raise WrongSecret
    accept_secret(tx, secret, by=by)


def accept_secret(tx: Connection, secret: bytes, *, by: str) -> None:
    """Make this the secret that the database knows, whichever it knew before."""
    kept = {"secret_digest": digest_of(secret), "secret_at": now()}
    tx.execute(update(InstallationRow).values(kept))
    add_line(tx, CHANGED, by=by, **kept)


def has_secret(connection: Connection) -> bool:
    """Whether keys may exist that another secret than theirs would end."""
    # Databases of earlier versions know no digest, and have users nevertheless.
    users = select(func.count()).select_from(UserRow)
    return (
        installation(connection).secret_digest is not None
        or connection.execute(users).scalar_one_or_none() != 0
    )


def second_secret_at(connection: Connection) -> str | None:
    """Since when the secret is another than the first; None where it is the first. Keys made before are under that."""
    own: Installation = installation(connection)
    lines = select(func.count()).where(JournalRow.lineage == own.id, JournalRow.kind == CHANGED)
    return own.secret_at if connection.execute(lines).scalar_one() > 1 else None
