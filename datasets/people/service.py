"""Who may call: organisations, users, roles and API keys. Never holds a key, only its digest.

A key is shown once, when it is made. Names are never given twice: a disabled user's stays taken, so that
the journal means the same person for ever. Every change is a line of the installation's journal, written in the same
transaction, so that a copy of the journal tells who had access when.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import structlog
from sqlalchemy import Connection, Select, Table, bindparam, or_, select, update

from datasets.database.closed_lists import ROLES
from datasets.database.inserts import insert_if_new
from datasets.database.installation import add_line, held_installation, installation
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
    NotDisabled,
    UnknownKey,
    UserDisabled,
    WrongSecret,
)
from datasets.people.secret import accept_secret, digest_of, hold_secret, second_secret_at
from datasets.people.titles import NO_TITLES, Titles

PAGE_ROWS_MAX = 1_000
NAME = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)

ORGANISATION = cast(Table, OrganisationRow.__table__)
USER = cast(Table, UserRow.__table__)

# The key's digest is looked up, never compared with a user's: time tells nothing about whose key it nearly
# is.
CALLER = select(
    USER.c.name,
    USER.c.organisation,
    USER.c.role,
    is_stopped("user", USER.c.name).label("user_stopped"),
    is_stopped("organisation", USER.c.organisation).label("organisation_stopped"),
).where(USER.c.disabled_at.is_(None))
AUTHENTICATE = PreparedSelect(CALLER.where(USER.c.key_digest == bindparam("digest")))
# Both in one statement, whichever it is: time does not tell under which secret a key was made.
AUTHENTICATE_BY_EITHER = PreparedSelect(
    CALLER.where(or_(USER.c.key_digest == bindparam("digest"), USER.c.key_digest == bindparam("previous")))
)
PERSON = select(
    USER.c.name, USER.c.organisation, USER.c.role, USER.c.created_at, USER.c.disabled_at, USER.c.key_made_at
)
ORGANISATIONS = select(ORGANISATION)
SERVER = "server"
"""Who writes a line of the journal that no command caused."""

log = structlog.get_logger("sudare")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is asking, as proved by a key."""

    name: str
    organisation: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user as administrators see it. `key_made_at` is None where the key is older than the record of it.

    `under_earlier_secret` says that the key works only as long as that secret is given, too.
    """

    name: str
    organisation: str
    role: str
    created_at: str
    disabled_at: str | None
    key_made_at: str | None
    under_earlier_secret: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """An organisation: its name for programs, and what people call it."""

    name: str
    created_at: str
    titles: Titles


class People:
    """The people of this server. Digests are keyed with `secret`: without it the database proves nobody.

    Keys that were made under `previous` still prove theirs; new ones are made under `secret`. Whatever changes
    something says `by` whom, for the journal.
    """

    def __init__(self, store: Store, secret: bytes, previous: bytes | None = None) -> None:
        self._store = store
        self._secret, self._previous = secret, previous
        self._digest = keys.digest_with(secret)
        self._previous_digest = None if previous is None else keys.digest_with(previous)
        self._secret_is_known = False

    def prove_secret(self, *, by: str = SERVER) -> None:
        """See that this is the secret of the database's keys, or make it so if it is the first; raises WrongSecret."""
        if self._secret_is_known:
            return
        try:
            with self._store.reading() as connection:
                known = installation(connection).secret_digest
            # Looked at first: most of the time there is nothing to write.
            if known != digest_of(self._secret):
                with self._store.writing() as tx:
                    hold_secret(tx, self._secret, self._previous, by=by)
        except WrongSecret:
            log.error("wrong secret")
            raise
        self._secret_is_known = True

    def accept_secret(self, *, by: str) -> None:
        """Make this the database's secret, whichever it was.

        Keys made under another one prove nobody as long as that is not given. Whoever comes back to it (by this, or as
        the previous one) brings back every key that was made under it and not rotated since.
        """
        with self._store.writing() as tx:
            if held_installation(tx).secret_digest != digest_of(self._secret):
                accept_secret(tx, self._secret, by=by)

    def authenticate(self, key: str) -> Caller:
        """Whose key this is; raises UnknownKey, or Stopped. Text that is no key doesn't reach the database.

        Raises WrongSecret where the database's keys are kept under another secret.
        """
        # The checksum costs microseconds; guesses and mistyped keys are not worth a connection.
        if not keys.looks_like_key(key):
            raise UnknownKey
        # A server may start while the database is away, so its secret is proved at the latest here.
        self.prove_secret()
        row = self._found(key)
        if row is None:
            raise UnknownKey
        # Told to nobody but who has the key.
        if row.user_stopped or row.organisation_stopped:
            raise Stopped("user" if row.user_stopped else "organisation")
        return Caller(name=row.name, organisation=row.organisation, role=row.role)

    def _found(self, key: str) -> Any:
        digest = {"digest": self._digest(key)}
        if self._previous_digest is None:
            return self._store.find_one(AUTHENTICATE, digest)
        return self._store.find_one(
            AUTHENTICATE_BY_EITHER, {**digest, "previous": self._previous_digest(key)}
        )

    @contextmanager
    def _making_keys(self, by: str) -> Iterator[Connection]:
        """A transaction in which keys are made, under the secret that the database knows for as long as it lasts."""
        # Before any user's row is locked: whoever writes lines locks users first nowhere, so nobody waits in a circle.
        with self._store.writing() as tx:
            hold_secret(tx, self._secret, self._previous, by=by)
            yield tx

    def add_organisation(self, name: str, *, by: str, titles: Titles = NO_TITLES) -> None:
        """Add an organisation; raises InvalidName or AlreadyThere."""
        row = {"name": _name(name), "created_at": now(), **titles.columns()}
        with self._store.writing() as tx:
            if not insert_if_new(tx, ORGANISATION, row):
                raise AlreadyThere(name)
            add_line(tx, "organisation_added", by=by, organisation=name, **titles.members())

    def title_organisation(self, name: str, titles: Titles, *, by: str) -> Titles:
        """Give an organisation these display names; a language without one keeps its own. Returns all it has then.

        Raises NoSuchOrganisation.
        """
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
        return after

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
        row = {"name": _name(name), "organisation": organisation, "role": role}
        key = keys.new_key()
        with self._making_keys(by) as tx:
            at, made = self._made(key)
            # Asked in the same transaction as the insert; the foreign key would refuse too, but not say why.
            known = select(ORGANISATION.c.name).where(ORGANISATION.c.name == organisation)
            if tx.execute(known).one_or_none() is None:
                raise NoSuchOrganisation(organisation)
            if not insert_if_new(tx, USER, {**row, "created_at": at, **made}):
                raise AlreadyThere(name)
            add_line(tx, "user_added", by=by, user_name=name, organisation=organisation, role=role, **made)
        return key

    def user(self, name: str) -> Person:
        """One user; raises NoSuchUser."""
        with self._store.reading() as connection:
            row = connection.execute(PERSON.where(USER.c.name == name)).one_or_none()
            if row is None:
                raise NoSuchUser(name)
            return _person(row, second_secret_at(connection))

    def users(self, *, after: str = "", limit: int = 100) -> list[Person]:
        """A page of users by name; `after` is the last name seen."""
        with self._store.reading() as connection:
            since = second_secret_at(connection)
            return [_person(row, since) for row in connection.execute(_page(PERSON, USER, after, limit))]

    def rotate(self, name: str, *, by: str) -> str:
        """Give the user a new key, end the old one at once; raises NoSuchUser or UserDisabled."""
        key = keys.new_key()
        with self._making_keys(by) as tx:
            # A new key would look like access given back, and be none.
            if _is_disabled(tx, name):
                raise UserDisabled(name)
            self._give(tx, name, key, by)
        return key

    def disable(self, name: str, *, by: str) -> None:
        """End the user's access at once; what it spent and was answered stays. Raises NoSuchUser."""
        with self._store.writing() as tx:
            held_installation(tx)  # in the order of whoever makes keys
            # The first date stays: when somebody lost access must not move by disabling twice.
            if _is_disabled(tx, name):
                return
            _set(tx, name, disabled_at=now())
            add_line(tx, "user_disabled", by=by, user_name=name)

    def enable(self, name: str, *, by: str) -> str:
        """Give a disabled user its access back, and return its new key; raises NoSuchUser or NotDisabled."""
        key = keys.new_key()
        with self._making_keys(by) as tx:
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


def _person(row: Any, since: str | None) -> Person:
    """The user of a row; `since` is when a second secret took the place of the first, None for never."""
    earlier = since is not None and (row.key_made_at or "") < since
    return Person(**row._asdict(), under_earlier_secret=earlier)


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
