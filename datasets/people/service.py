"""Who may call: organisations, users, roles and API keys. Never holds a key, only its digest.

A key is shown once, when it is made. Names are never given twice: a disabled user's stays taken, so that
the journal means the same person for ever.
"""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from datasets.database.closed_lists import ROLES
from datasets.database.store import Store, now
from datasets.people import keys
from datasets.people.errors import (
    AlreadyThere,
    InvalidName,
    InvalidRole,
    NoSuchOrganisation,
    NoSuchUser,
    UnknownKey,
)

PAGE_ROWS_MAX = 1_000
NAME = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)

# The key's digest is looked up, never compared with a user's: time tells nothing about whose key it nearly
# is.
AUTHENTICATE = text("""
    SELECT name, organisation, role FROM users WHERE key_digest = :digest AND disabled_at IS NULL
""")
ADD_ORGANISATION = text("""
    INSERT INTO organisations (name, created_at) VALUES (:name, :at) ON CONFLICT DO NOTHING RETURNING name
""")
FIND_ORGANISATION = text("SELECT 1 FROM organisations WHERE name = :name")
ORGANISATIONS = text("SELECT name FROM organisations WHERE name > :after ORDER BY name LIMIT :limit")
ADD_USER = text("""
    INSERT INTO users (name, organisation, role, key_digest, created_at, disabled_at)
    VALUES (:name, :organisation, :role, :digest, :at, NULL) ON CONFLICT (name) DO NOTHING RETURNING name
""")
# One statement, so that at no moment both keys or none are valid.
ROTATE = text("UPDATE users SET key_digest = :digest WHERE name = :name RETURNING name")
# COALESCE keeps the first date: when somebody lost access must not move by disabling twice.
DISABLE = text("""
    UPDATE users SET disabled_at = COALESCE(disabled_at, :at) WHERE name = :name RETURNING name
""")
USER_COLUMNS = "name, organisation, role, created_at, disabled_at"
USER = text(f"SELECT {USER_COLUMNS} FROM users WHERE name = :name")
USERS = text(f"SELECT {USER_COLUMNS} FROM users WHERE name > :after ORDER BY name LIMIT :limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is asking, as proved by a key."""

    name: str
    organisation: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user as administrators see it."""

    name: str
    organisation: str
    role: str
    created_at: str
    disabled_at: str | None


class People:
    """The people of this server. Digests are keyed with `secret`: without it the database proves nobody."""

    def __init__(self, store: Store, secret: bytes) -> None:
        self._store = store
        self._digest = keys.digest_with(secret)

    def authenticate(self, key: str) -> Caller:
        """Whose key this is; raises UnknownKey. Text that is no key doesn't reach the database."""
        # The checksum costs microseconds; guesses and mistyped keys are not worth a connection.
        if not keys.looks_like_key(key):
            raise UnknownKey
        with self._store.reading() as connection:
            row = connection.execute(AUTHENTICATE, {"digest": self._digest(key)}).one_or_none()
        if row is None:
            raise UnknownKey
        return Caller(name=row.name, organisation=row.organisation, role=row.role)

    def add_organisation(self, name: str) -> None:
        """Add an organisation; raises InvalidName or AlreadyThere."""
        with self._store.writing() as tx:
            if tx.execute(ADD_ORGANISATION, {"name": _name(name), "at": now()}).one_or_none() is None:
                raise AlreadyThere(name)

    def organisations(self, *, after: str = "", limit: int = 100) -> list[str]:
        """A page of names in order; `after` is the last one seen. For `org list` and the console, which come."""
        with self._store.reading() as connection:
            return list(connection.execute(ORGANISATIONS, _page(after, limit)).scalars())

    def add_user(self, name: str, *, organisation: str, role: str) -> str:
        """Add a user and return its key, which can't be shown again.

        Raises InvalidName, InvalidRole, NoSuchOrganisation or AlreadyThere.
        """
        if role not in ROLES:
            raise InvalidRole
        key = keys.new_key()
        user = {"name": _name(name), "organisation": organisation, "role": role}
        with self._store.writing() as tx:
            # Asked in the same transaction as the insert; the foreign key would refuse too, but not say why.
            if tx.execute(FIND_ORGANISATION, {"name": organisation}).one_or_none() is None:
                raise NoSuchOrganisation(organisation)
            if tx.execute(ADD_USER, user | {"digest": self._digest(key), "at": now()}).one_or_none() is None:
                raise AlreadyThere(name)
        return key

    def user(self, name: str) -> Person:
        """One user; raises NoSuchUser."""
        with self._store.reading() as connection:
            row = connection.execute(USER, {"name": name}).one_or_none()
        if row is None:
            raise NoSuchUser(name)
        return Person(**row._asdict())

    def users(self, *, after: str = "", limit: int = 100) -> list[Person]:
        """A page of users by name; `after` is the last name seen."""
        with self._store.reading() as connection:
            return [Person(**row._asdict()) for row in connection.execute(USERS, _page(after, limit))]

    def rotate(self, name: str) -> str:
        """Give the user a new key, end the old one at once. A disabled user stays disabled."""
        key = keys.new_key()
        with self._store.writing() as tx:
            _must_be_somebody(
                tx.execute(ROTATE, {"name": name, "digest": self._digest(key)}).one_or_none(), name
            )
        return key

    def disable(self, name: str) -> None:
        """End the user's access at once and for good; what it spent and was answered stays."""
        with self._store.writing() as tx:
            _must_be_somebody(tx.execute(DISABLE, {"name": name, "at": now()}).one_or_none(), name)


def _name(given: str) -> str:
    if not NAME.fullmatch(given):
        raise InvalidName
    return given


def _must_be_somebody(row: Row[Any] | None, name: str) -> None:
    if row is None:
        raise NoSuchUser(name)


def _page(after: str, limit: int) -> dict[str, Any]:
    return {"after": after, "limit": max(1, min(limit, PAGE_ROWS_MAX))}
