"""Accounts: whose budget, how much of it is spent, and how one is opened. Charges nothing and grants nothing.

An account belongs to a lineage, or is the one of a population, which stands for all lineages of one body of people. An
account without a limit counts what it pays and refuses nothing.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, and_, bindparam, literal, or_, select, tuple_, update

from datasets.database.chain import START
from datasets.database.closed_lists import ACCOUNT_KINDS
from datasets.database.inserts import insert_if_new
from datasets.database.prepared import PreparedSelect
from datasets.database.store import Store, now
from datasets.database.tables import AccountRow, Base, LineageRow, UserRow
from datasets.ledger.errors import (
    PERSON_CHARACTERS_MAX,
    JoinAboveCap,
    NoAccount,
    NobodyNamed,
    OtherPopulation,
)
from datasets.ledger.journal import HEAD, JOINED, append, page_rows
from privacy import delta
from privacy.budget import PRICE_NANO_MAX, Price

AccountKind = Literal["user", "organisation", "contract", "reserve", "dataset", "population"]
NOTHING, MOST = Price(0), Price(PRICE_NANO_MAX)
DELTA_MOST_ATTO = 10**18
POPULATION = "population:"
"""What the chain of a population is called by, before its name; no lineage begins so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose budget: a user's, an organisation's or a contract's name; for a cap the lineage's or population's."""

    kind: AccountKind
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountKey:
    """An account by the lineage or population that it belongs to."""

    lineage: str
    kind: AccountKind
    holder: str

    @property
    def account(self) -> Account:
        return Account(kind=self.kind, holder=self.holder)

    @property
    def place(self) -> tuple[str, int, str]:
        """What everybody sorts by who locks accounts: so nobody waits in a circle. Caps, which all share, come last."""
        return self.lineage, ACCOUNT_KINDS.index(self.kind), self.holder

    @property
    def row(self) -> dict[str, Any]:
        """The columns that name the row."""
        return {"lineage": self.lineage, "kind": self.kind, "holder": self.holder}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What an account was ever granted (None: it has no limit) and has ever spent; δ, in 10^-18, caps alone have.

    `population` is the chain of the population that pays wherever this account of a dataset does, None for none.
    """

    lineage: str
    kind: AccountKind
    holder: str
    granted: Price | None
    spent: Price
    delta_granted: int | None = 0
    delta_spent: int = 0
    population: str | None = None

    @property
    def is_limited(self) -> bool:
        return self.granted is not None

    @property
    def remaining(self) -> Price:
        """What is left; without a limit of its own, what is left of the limit of amounts."""
        return (self.granted or MOST) - self.spent

    @property
    def delta_left_atto(self) -> int:
        """What is left of δ in 10^-18; without a limit of its own, of certainty."""
        return (DELTA_MOST_ATTO if self.delta_granted is None else self.delta_granted) - self.delta_spent

    @property
    def delta_remaining(self) -> Fraction:
        """What is left of δ."""
        return delta.delta_of(self.delta_left_atto)

    @property
    def key(self) -> AccountKey:
        return AccountKey(lineage=self.lineage, kind=self.kind, holder=self.holder)

    @property
    def account(self) -> Account:
        return self.key.account


ACCOUNTS, LINEAGES = (Base.metadata.tables[row.__tablename__] for row in (AccountRow, LineageRow))
_c = ACCOUNTS.c
ACCOUNT_COLUMNS = (
    *(_c.lineage, _c.kind, _c.holder, _c.granted, _c.spent),
    *(_c.delta_granted, _c.delta_spent, _c.population),
)
KEY_COLUMNS = ("lineage", "kind", "holder")
_own = select(_c.lineage).where(_c.kind == "user", _c.holder == bindparam("user"))
_organisation = select(UserRow.organisation).where(UserRow.name == bindparam("user")).scalar_subquery()
_populations = select(literal(POPULATION) + LINEAGES.c.population).where(LINEAGES.c.id.in_(_own))
OF_USER = select(*ACCOUNT_COLUMNS).where(
    or_(
        and_(
            _c.lineage.in_(_own),
            or_(
                and_(_c.kind == "user", _c.holder == bindparam("user")),
                and_(_c.kind == "organisation", _c.holder == _organisation),
                _c.kind == "dataset",
            ),
        ),
        and_(_c.kind == "population", _c.lineage.in_(_populations)),
    )
)
PAGE = (
    select(*ACCOUNT_COLUMNS)
    .where(
        tuple_(_c.lineage, _c.kind, _c.holder)
        > tuple_(bindparam("lineage"), bindparam("kind"), bindparam("holder"))
    )
    .order_by(_c.lineage, _c.kind, _c.holder)
    .limit(bindparam("rows"))
)


class Accounts:
    """Reads accounts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def states(self, keys: Sequence[AccountKey]) -> list[AccountState]:
        """The accounts of these keys in the order in which accounts pay; one that is not there is left out."""
        return _in_order(self._store.find(_of_keys(len(keys)), _names(keys)))

    def accounts_of_user(self, *, user: str) -> list[AccountState]:
        """Everything that this user's answers are charged to: by lineage, then user, organisation, dataset.

        The population of a lineage stands among them under a lineage of its own.
        """
        with self._store.reading() as connection:
            return _in_order(connection.execute(OF_USER, {"user": user}))

    def all_accounts(self, *, after: AccountState | None = None, limit: int = 100) -> list[AccountState]:
        """A page of every account there is, ordered by lineage, kind and holder, for administrators."""
        last = after.key.row if after else {"lineage": "", "kind": "", "holder": ""}
        with self._store.reading() as connection:
            return [account_of(row) for row in connection.execute(PAGE, last | {"rows": page_rows(limit)})]


def open_dataset(
    tx: Connection, *, lineage: str, cap: Price, actor: str, delta_cap_atto: int = 0
) -> AccountState:
    """Open a lineage's dataset account within the transaction that registers it. Never resets one."""
    key = AccountKey(lineage=lineage, kind="dataset", holder=lineage)
    # An account that is there already has paid for answers: its cap changes by grants only.
    if open_account(tx, key, granted=cap.nano, delta_granted=delta_cap_atto):
        body = {"kind": "open", "at": now(), "by": person(actor), "amount": str(cap)}
        append(tx, lineage, body | delta_member(delta_cap_atto))
    return state_of(tx, key)


def open_population(tx: Connection, *, name: str, actor: str) -> AccountState:
    """Open the account over all lineages of one body of people, within a transaction. Its first grant limits it.

    Raises NobodyNamed. A name has 1 to 53 characters.
    """
    key = population_key(name)
    insert_if_new(tx, LINEAGES, {"id": key.lineage, "salt": "", "created_at": now()})
    if open_account(tx, key, granted=None, delta_granted=None):
        append(tx, key.lineage, {"kind": "open", "at": now(), "by": person(actor), "amount": None})
    return state_of(tx, key)


def population_key(name: str) -> AccountKey:
    """The account over all lineages of a population."""
    chain = f"{POPULATION}{name}"
    return AccountKey(lineage=chain, kind="population", holder=chain)


def join_population(tx: Connection, *, lineage: str, name: str, actor: str) -> AccountState:
    """Make a lineage one of a population, for ever, within the transaction that registers it: the population's account.

    The account is opened where there is none, and is charged what the lineage's own has spent so far, so that it tells
    what one resident loses over all registers however late one of them joins. A lineage that belongs to it already
    changes nothing. It locks both accounts: call it before anything else that locks one of a lineage which is there
    already (a line in its journal, say). Raises NobodyNamed, NoAccount, OtherPopulation or JoinAboveCap.
    """
    own, all_registers = AccountKey(lineage=lineage, kind="dataset", holder=lineage), population_key(name)
    lines = {}
    # In the order in which settlements lock them, and before they are read: what is spent meanwhile is counted too.
    for key in sorted((own, all_registers), key=lambda key: key.place):
        if key == all_registers:
            open_population(tx, name=name, actor=actor)
        if (head := tx.execute(HEAD, {"of_chain": key.lineage}).one_or_none()) is None:
            raise NoAccount(kind=key.kind, holder=key.holder)
        lines[key] = head.entries
    register, population = state_of(tx, own), state_of(tx, all_registers)
    if register.population == population.lineage:
        return population
    if register.population is not None:
        raise OtherPopulation(lineage=lineage, population=register.population.removeprefix(POPULATION))
    if register.spent > population.remaining or register.delta_spent > population.delta_left_atto:
        raise JoinAboveCap(
            lineage=lineage, population=name, needed=register.spent, remaining=population.remaining
        )
    _charge_for_the_past(tx, register, population)
    body = {"kind": JOINED, "at": now(), "by": person(actor), "register": lineage, "line": lines[own]}
    spent = {"spent": str(register.spent), **delta_member(register.delta_spent)}
    append(tx, population.lineage, body | spent)
    return state_of(tx, all_registers)


def _charge_for_the_past(tx: Connection, register: AccountState, population: AccountState) -> None:
    """Both accounts are locked; the register's charges are the population's, too, from here on."""
    name = population.lineage.removeprefix(POPULATION)
    tx.execute(update(LINEAGES).where(LINEAGES.c.id == register.lineage).values(population=name))
    tx.execute(update(ACCOUNTS).where(*_is(register.key)).values(population=population.lineage))
    spent = {"spent": _c.spent + register.spent.nano, "delta_spent": _c.delta_spent + register.delta_spent}
    tx.execute(update(ACCOUNTS).where(*_is(population.key)).values(spent))


def _is(key: AccountKey) -> list[ColumnElement[bool]]:
    return [_c[name] == value for name, value in key.row.items()]


def open_account(tx: Connection, key: AccountKey, *, granted: int | None, delta_granted: int | None) -> bool:
    """Open an account that has spent nothing; whether it was opened, False where there is one already."""
    row = {**key.row, "granted": granted, "spent": 0, "entries": 0, "head": START}
    row |= {"delta_granted": delta_granted, "delta_spent": 0}
    # Whoever came second keeps the amounts of the first.
    return insert_if_new(tx, ACCOUNTS, row)


def state_of(tx: Connection, key: AccountKey) -> AccountState:
    """An account within a transaction. Raises NoAccount."""
    for state in states_of(tx, [key]):
        return state
    raise NoAccount(kind=key.kind, holder=key.holder)


def states_of(connection: Connection, keys: Sequence[AccountKey]) -> list[AccountState]:
    """The accounts of these keys in the order in which accounts pay; one that is not there is left out."""
    driver = connection.connection.driver_connection
    return _in_order(_of_keys(len(keys)).all(driver, connection.dialect, _names(keys)))


def _names(keys: Sequence[AccountKey]) -> dict[str, str]:
    return {f"{column}_{place}": value for place, key in enumerate(keys) for column, value in key.row.items()}


# Spelt out for each number of keys: for a list of triples SQLite would read the whole table.
@lru_cache(maxsize=64)
def _of_keys(count: int) -> PreparedSelect:
    keys = (
        and_(*(_c[column] == bindparam(f"{column}_{place}") for column in KEY_COLUMNS))
        for place in range(count)
    )
    return PreparedSelect(select(*ACCOUNT_COLUMNS).where(or_(*keys)))


def _in_order(rows: Iterable[Any]) -> list[AccountState]:
    return sorted(map(account_of, rows), key=lambda state: state.key.place)


def delta_member(atto: int) -> dict[str, str]:
    """The member of a line that tells an amount of δ; none where there is none."""
    return {"delta": delta.shown(atto)} if atto else {}


def person(given: str) -> str:
    """The name of who answers for an act. Raises NobodyNamed."""
    name = given.strip()
    if not 1 <= len(name) <= PERSON_CHARACTERS_MAX:
        raise NobodyNamed
    return name


def same_person(one: str, other: str) -> bool:
    """Whether two names are one: they are typed by hand, and capitals, widths and spaces make no second person."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def account_of(row: Any) -> AccountState:
    """An account from a row that has ACCOUNT_COLUMNS."""
    return AccountState(
        lineage=row.lineage,
        kind=row.kind,
        holder=row.holder,
        granted=None if row.granted is None else Price(row.granted),
        spent=Price(row.spent),
        delta_granted=row.delta_granted,
        delta_spent=row.delta_spent,
        population=row.population,
    )
