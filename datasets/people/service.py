"""Who may call: organisations, users, roles and API keys. Never holds a key, only its digest.

A key is shown once, when it is made. Names are never given twice: a disabled user's stays taken, so that
the journal means the same person for ever. Every change is a line of the installation's journal, written in the same
transaction, so that a copy of the journal tells who had access when.
"""

import re
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Select, Table, bindparam, select, update

from datasets.database.closed_lists import ROLES
from datasets.database.inserts import insert_if_new
from datasets.database.installation import add_line
from datasets.database.prepared import PreparedSelect
from datasets.database.store import Store, now
from datasets.database.tables import OrganisationRow, UserRow
from datasets.people import keys
from datasets.people.errors import (
    AlreadyThere,
    InvalidName,
    InvalidRole,
    NoSuchOrganisation,
    NoSuchUser,
    NotDisabled,
    UnknownKey,
    UserDisabled,
)
from datasets.people.titles import NO_TITLES, Titles

PAGE_ROWS_MAX = 1_000
NAME = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)

ORGANISATION = cast(Table, OrganisationRow.__table__)
USER = cast(Table, UserRow.__table__)

# The key's digest is looked up, never compared with a user's: time tells nothing about whose key it nearly
# is.
AUTHENTICATE = PreparedSelect(
    select(USER.c.name, USER.c.organisation, USER.c.role).where(
        USER.c.key_digest == bindparam("digest"), USER.c.disabled_at.is_(None)
    )
)
PERSON = select(
    USER.c.name, USER.c.organisation, USER.c.role, USER.c.created_at, USER.c.disabled_at, USER.c.key_made_at
)
ORGANISATIONS = select(ORGANISATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is asking, as proved by a key."""

    name: str
    organisation: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user as administrators see it. `key_made_at` is None where the key is older than the record of it."""

    name: str
    organisation: str
    role: str
    created_at: str
    disabled_at: str | None
    key_made_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """An organisation: its name for programs, and what people call it."""

    name: str
    created_at: str
    titles: Titles


class People:
    """The people of this server. Digests are keyed with `secret`: without it the database proves nobody.

    Whatever changes something says `by` whom, for the journal.
    """

    def __init__(self, store: Store, secret: bytes) -> None:
        self._store = store
        self._digest = keys.digest_with(secret)

    def authenticate(self, key: str) -> Caller:
        """Whose key this is; raises UnknownKey. Text that is no key doesn't reach the database."""
        # The checksum costs microseconds; guesses and mistyped keys are not worth a connection.
        if not keys.looks_like_key(key):
            raise UnknownKey
        row = self._store.find_one(AUTHENTICATE, {"digest": self._digest(key)})
        if row is None:
            raise UnknownKey
        return Caller(name=row.name, organisation=row.organisation, role=row.role)

    def add_organisation(self, name: str, *, by: str, titles: Titles = NO_TITLES) -> None:
        """Add an organisation; raises InvalidName or AlreadyThere."""
        row = {"name": _name(name), "created_at": now(), **titles.columns()}
        with self._store.writing() as tx:
            if not insert_if_new(tx, ORGANISATION, row):
                raise AlreadyThere(name)
            add_line(tx, "organisation_added", by=by, organisation=name, **titles.members())

    def title_organisation(self, name: str, titles: Titles, *, by: str) -> None:
        """Give an organisation these display names; a language without one keeps its own. Raises NoSuchOrganisation."""
        with self._store.writing() as tx:
            held = tx.execute(
                ORGANISATIONS.where(ORGANISATION.c.name == name).with_for_update()
            ).one_or_none()
            if held is None:
                raise NoSuchOrganisation(name)
            after = titles.over(Titles(ja=held.title_ja, en=held.title_en))
            tx.execute(update(ORGANISATION).where(ORGANISATION.c.name == name).values(after.columns()))
            # What both are from now on, so that this line alone tells them.
            add_line(tx, "organisation_changed", by=by, organisation=name, **after.members())

    def organisations(self, *, after: str = "", limit: int = 100) -> list[Organisation]:
        """A page of organisations by name; `after` is the last name seen."""
        with self._store.reading() as connection:
            found = connection.execute(_page(ORGANISATIONS, ORGANISATION, after, limit))
            return [_organisation(row) for row in found]

    def add_user(self, name: str, *, organisation: str, role: str, by: str) -> str:
        """Add a user and return its key, which can't be shown again.

        Raises InvalidName, InvalidRole, NoSuchOrganisation or AlreadyThere.
        """
        if role not in ROLES:
            raise InvalidRole
        key = keys.new_key()
        at, made = self._made(key)
        row = {"name": _name(name), "organisation": organisation, "role": role, "created_at": at, **made}
        with self._store.writing() as tx:
            # Asked in the same transaction as the insert; the foreign key would refuse too, but not say why.
            known = select(ORGANISATION.c.name).where(ORGANISATION.c.name == organisation)
            if tx.execute(known).one_or_none() is None:
                raise NoSuchOrganisation(organisation)
            if not insert_if_new(tx, USER, row):
                raise AlreadyThere(name)
            add_line(tx, "user_added", by=by, user_name=name, organisation=organisation, role=role, **made)
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

    def rotate(self, name: str, *, by: str) -> str:
        """Give the user a new key, end the old one at once; raises NoSuchUser or UserDisabled."""
        key = keys.new_key()
        with self._store.writing() as tx:
            # A new key would look like access given back, and be none.
            if _is_disabled(tx, name):
                raise UserDisabled(name)
            self._give(tx, name, key, by)
        return key

    def disable(self, name: str, *, by: str) -> None:
        """End the user's access at once; what it spent and was answered stays. Raises NoSuchUser."""
        with self._store.writing() as tx:
            # The first date stays: when somebody lost access must not move by disabling twice.
            if _is_disabled(tx, name):
                return
            _set(tx, name, disabled_at=now())
            add_line(tx, "user_disabled", by=by, user_name=name)

    def enable(self, name: str, *, by: str) -> str:
        """Give a disabled user its access back, and return its new key; raises NoSuchUser or NotDisabled."""
        key = keys.new_key()
        with self._store.writing() as tx:
            if not _is_disabled(tx, name):
                raise NotDisabled(name)
            _set(tx, name, disabled_at=None)
            add_line(tx, "user_enabled", by=by, user_name=name)
            # Never the old one: it may be in the hands because of which it was ended.
            self._give(tx, name, key, by)
        return key

    def _give(self, tx: Connection, name: str, key: str, by: str) -> None:
        """Make this the user's only key."""
        _, made = self._made(key)
        # One statement, so that at no moment both keys or none are valid.
        _set(tx, name, **made)
        add_line(tx, "key_rotated", by=by, user_name=name, **made)

    def _made(self, key: str) -> tuple[str, dict[str, str]]:
        """The time, and what is kept of a key that is made now."""
        at = now()
        return at, {"key_digest": self._digest(key), "key_made_at": at}


def _is_disabled(tx: Connection, name: str) -> bool:
    """Whether the user is disabled, and stays so until the transaction ends; raises NoSuchUser."""
    # FOR UPDATE on PostgreSQL: of two commands at once the second sees what the first one did.
    row = tx.execute(select(USER.c.disabled_at).where(USER.c.name == name).with_for_update()).one_or_none()
    if row is None:
        raise NoSuchUser(name)
    return row.disabled_at is not None


def _set(tx: Connection, name: str, **values: Any) -> None:
    tx.execute(update(USER).where(USER.c.name == name).values(values))


def _organisation(row: Any) -> Organisation:
    titles = Titles(ja=row.title_ja, en=row.title_en)
    return Organisation(name=row.name, created_at=row.created_at, titles=titles)


def _name(given: str) -> str:
    if not NAME.fullmatch(given):
        raise InvalidName
    return given


def _page(of: Select[Any], table: Table, after: str, limit: int) -> Select[Any]:
    """The rows whose name comes after that one, in order."""
    return of.where(table.c.name > after).order_by(table.c.name).limit(max(1, min(limit, PAGE_ROWS_MAX)))
