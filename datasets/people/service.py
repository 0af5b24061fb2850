"""Who may call: organisations, users, roles and API keys. Never holds a key, only its digest.

A key is shown once, when it is made. Names are never given twice: a disabled user's stays taken, so that
the journal means the same person for ever.
"""

import re
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Select, Table, bindparam, func, select, update

from datasets.database.closed_lists import ROLES
from datasets.database.inserts import insert_if_new
from datasets.database.prepared import PreparedSelect
from datasets.database.stops import Stopped, is_stopped
from datasets.database.store import Store, now
from datasets.database.tables import OrganisationRow, UserRow
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

ORGANISATION = cast(Table, OrganisationRow.__table__)
USER = cast(Table, UserRow.__table__)

# The key's digest is looked up, never compared with a user's: time tells nothing about whose key it nearly
# is.
AUTHENTICATE = PreparedSelect(
    select(
        USER.c.name,
        USER.c.organisation,
        USER.c.role,
        is_stopped("user", USER.c.name).label("user_stopped"),
        is_stopped("organisation", USER.c.organisation).label("organisation_stopped"),
    ).where(USER.c.key_digest == bindparam("digest"), USER.c.disabled_at.is_(None))
)
PERSON = select(USER.c.name, USER.c.organisation, USER.c.role, USER.c.created_at, USER.c.disabled_at)


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
        """Whose key this is; raises UnknownKey, or Stopped. Text that is no key doesn't reach the database."""
        # The checksum costs microseconds; guesses and mistyped keys are not worth a connection.
        if not keys.looks_like_key(key):
            raise UnknownKey
        row = self._store.find_one(AUTHENTICATE, {"digest": self._digest(key)})
        if row is None:
            raise UnknownKey
        # Told to nobody but who has the key.
        if row.user_stopped or row.organisation_stopped:
            raise Stopped("user" if row.user_stopped else "organisation")
        return Caller(name=row.name, organisation=row.organisation, role=row.role)

    def add_organisation(self, name: str) -> None:
        """Add an organisation; raises InvalidName or AlreadyThere."""
        row = {"name": _name(name), "created_at": now()}
        with self._store.writing() as tx:
            if not insert_if_new(tx, ORGANISATION, row):
                raise AlreadyThere(name)

    def organisations(self, *, after: str = "", limit: int = 100) -> list[str]:
        """A page of names in order; `after` is the last one seen. For `org list` and the console, which come."""
        with self._store.reading() as connection:
            found = connection.execute(_page(select(ORGANISATION.c.name), ORGANISATION, after, limit))
            return list(found.scalars())

    def add_user(self, name: str, *, organisation: str, role: str) -> str:
        """Add a user and return its key, which can't be shown again.

        Raises InvalidName, InvalidRole, NoSuchOrganisation or AlreadyThere.
        """
        if role not in ROLES:
            raise InvalidRole
        key = keys.new_key()
        row = {"name": _name(name), "organisation": organisation, "role": role}
        row |= {"key_digest": self._digest(key), "created_at": now()}
        with self._store.writing() as tx:
            # Asked in the same transaction as the insert; the foreign key would refuse too, but not say why.
            known = select(ORGANISATION.c.name).where(ORGANISATION.c.name == organisation)
            if tx.execute(known).one_or_none() is None:
                raise NoSuchOrganisation(organisation)
            if not insert_if_new(tx, USER, row):
                raise AlreadyThere(name)
        return key

    def user(self, name: str) -> Person:
        """One user; raises NoSuchUser."""
        with self._store.reading() as connection:
            row = connection.execute(PERSON.where(USER.c.name == name)).one_or_none()
        if row is None:
            raise NoSuchUser(name)
        return Person(**row._asdict())

    def users(self, *, after: str = "", limit: int = 100) -> list[Person]:
        """A page of users by name; `after` is the last name seen."""
        with self._store.reading() as connection:
            found = connection.execute(_page(PERSON, USER, after, limit))
            return [Person(**row._asdict()) for row in found]

    def rotate(self, name: str) -> str:
        """Give the user a new key, end the old one at once. A disabled user stays disabled."""
        key = keys.new_key()
        # One statement, so that at no moment both keys or none are valid.
        self._change(name, key_digest=self._digest(key))
        return key

    def disable(self, name: str) -> None:
        """End the user's access at once and for good; what it spent and was answered stays."""
        # The first date stays: when somebody lost access must not move by disabling twice.
        self._change(name, disabled_at=func.coalesce(USER.c.disabled_at, now()))

    def _change(self, name: str, **values: Any) -> None:
        with self._store.writing() as tx:
            if not tx.execute(update(USER).where(USER.c.name == name).values(values)).rowcount:
                raise NoSuchUser(name)


def _name(given: str) -> str:
    if not NAME.fullmatch(given):
        raise InvalidName
    return given


def _page(of: Select[Any], table: Table, after: str, limit: int) -> Select[Any]:
    """The rows whose name comes after that one, in order."""
    return of.where(table.c.name > after).order_by(table.c.name).limit(max(1, min(limit, PAGE_ROWS_MAX)))
