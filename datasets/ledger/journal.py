"""The journal: one hash chain of lines for each lineage and each population. Adds lines and reads them; changes none.

The row of the chain's own account carries its head, so whoever writes a line locks and changes that row.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain as chained
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, text, update

from datasets.database import chain
from datasets.database.closed_lists import CHAINED
from datasets.database.store import Store, sha256_hex
from datasets.database.tables import AccountRow, JournalRow

PAGE_ROWS_MAX = 1_000
CHARGES = ("charge", "shared", "replay", "failed")
LINKED = "linked"
"""The kind of a charge whose answer stands in another chain."""
JOINED = "joined"
"""The kind of a population's line about a register that is one of its from then on, and what that had spent."""
SEPARATED = "separated"
"""The kind of a line that says why a lineage has most of its people in common with others and yet a cap of its own."""
STOPPED, RESUMED = "stopped", "resumed"
"""The kinds of the lines about a dataset, organisation or user that is stopped, and answers again."""
REGISTERED = "version_registered"
"""The kind of a line of the installation's chain: a version that answers from then on, of which lineages."""
RETIRED, REOPENED, PURGED = "dataset_retired", "dataset_reopened", "version_purged"
"""The kinds of the lines about a dataset that is retired, one that is brought back, and rows that are destroyed."""
RESTORED = "restored"
"""The kind of a line after those that were put back from a copy of the journal: their answers were not."""

JOURNAL_COLUMNS = 'lineage, number, at, kind, "user", body, head'
JOURNAL = text(f"""
    SELECT {JOURNAL_COLUMNS} FROM journal WHERE (lineage, number) > (:lineage, :number)
    ORDER BY lineage, number LIMIT :limit
""")
JOURNAL_OF_LINEAGE = text(f"""
    SELECT {JOURNAL_COLUMNS} FROM journal WHERE lineage = :lineage AND number > :number
    ORDER BY number LIMIT :limit
""")
_accounts = AccountRow.__table__.c
CHAIN_ACCOUNT = (
    (_accounts.lineage == bindparam("of_chain"))
    & (_accounts.holder == bindparam("of_chain"))
    & _accounts.kind.in_(CHAINED)
)
# FOR UPDATE on PostgreSQL: a head that was read and not held could be outdated when the line is written.
HEAD = select(_accounts.entries, _accounts.head).where(CHAIN_ACCOUNT).with_for_update()
MOVE_HEAD = (
    update(AccountRow)
    .where(CHAIN_ACCOUNT)
    .values(entries=bindparam("last_number"), head=bindparam("last_head"))
)
KEEP_LINE = insert(JournalRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """A line of a chain. `body` is the JSON text that was hashed into `head`."""

    lineage: str
    number: int
    at: str
    kind: str
    user: str | None
    body: str
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line to be written: its number and head are known only while the chain's account is locked."""

    lineage: str
    at: str
    kind: str
    user: str | None
    body: str

    @classmethod
    def of(cls, lineage: str, body: Mapping[str, Any]) -> "Line":
        """From the members of its body: `kind`, `at`, perhaps `user`, and whatever the kind tells."""
        written = chain.canonical({**body, "lineage": lineage})
        return cls(lineage=lineage, at=body["at"], kind=body["kind"], user=body.get("user"), body=written)

    @property
    def digest(self) -> str:
        """What the chain needs of it."""
        return sha256_hex(self.body)

    def placed(self, *, number: int, head: str) -> dict[str, Any]:
        """The row, at its place."""
        return {
            "lineage": self.lineage,
            "number": number,
            "at": self.at,
            "kind": self.kind,
            "user": self.user,
            "body": self.body,
            "head": head,
        }


def append(tx: Connection, lineage: str, body: Mapping[str, Any]) -> None:
    """Journal what charges nothing, within a transaction that writes. The chain's account must exist."""
    line = Line.of(lineage, body)
    entries, head = tx.execute(HEAD, {"of_chain": lineage}).one()
    number, head = entries + 1, chain.head_after(head, line.digest)
    tx.execute(MOVE_HEAD, {"of_chain": lineage, "last_number": number, "last_head": head})
    tx.execute(KEEP_LINE, line.placed(number=number, head=head))


def page_rows(limit: int) -> int:
    """How many rows a page of the ledger's lists may have."""
    return max(1, min(limit, PAGE_ROWS_MAX))


def page(
    connection: Connection, *, lineage: str | None, after: tuple[str, int], limit: int
) -> list[JournalEntry]:
    """Lines after (lineage, number) in that order, of one chain or of all."""
    wanted = {"lineage": lineage or after[0], "number": after[1], "limit": limit}
    statement = JOURNAL if lineage is None else JOURNAL_OF_LINEAGE
    return [JournalEntry(**row._asdict()) for row in connection.execute(statement, wanted)]


def pages(connection: Connection, *, lineage: str | None = None) -> Iterator[list[JournalEntry]]:
    """All lines of one chain or of all, a page in memory at a time."""
    after = ("", 0)
    while lines := page(connection, lineage=lineage, after=after, limit=PAGE_ROWS_MAX):
        yield lines
        after = (lines[-1].lineage, lines[-1].number)


class Journal:
    """The journal as it is read from outside."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def journal(
        self, *, lineage: str | None = None, after: tuple[str, int] | None = None, limit: int = 100
    ) -> list[JournalEntry]:
        """A page by (lineage, number), of one chain or of all; `after` names the last line seen."""
        with self._store.reading() as connection:
            return page(connection, lineage=lineage, after=after or ("", 0), limit=page_rows(limit))

    def export(self, write: Callable[[str], object]) -> int:
        """Write the whole journal as JSON lines, in one unchanging view; the number of lines is returned.

        Each line holds its head, so that a copy kept elsewhere shows later if lines were changed or removed.
        """
        written = 0
        with self._store.viewing() as connection:
            for entry in chained.from_iterable(pages(connection)):
                write(_exported(entry))
                written += 1
        return written


def _exported(entry: JournalEntry) -> str:
    line = {"lineage": entry.lineage, "number": entry.number, "head": entry.head, "body": entry.body}
    return chain.canonical(line) + "\n"
