"""The journal, one hash chain of lines for each lineage: how to read and to prove it. Never changes it.

head = SHA-256(previous head ‖ SHA-256(body)), all in hexadecimal text, the first previous head being empty.
Whoever keeps a lineage's head elsewhere can tell later whether a line up to it was changed or removed.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, String, bindparam, text

from datasets.database.store import sha256_hex
from privacy import delta
from privacy.budget import Price

PAGE_ROWS_MAX = 1_000
FINDINGS_MAX = 1_000
CHARGES = ("charge", "shared", "replay", "failed")
LINKED = "linked"  # a charge whose answer stands in another lineage's journal
PROBLEMS = {
    "gap": "lines are missing before this one, or stand in the wrong order",
    "chain": "the line's hash doesn't follow from its text and the line before",
    "columns": "the line's columns differ from its text",
    "unreadable": "the line's text is not what the ledger writes",
    "opened_again": "the account was opened more than once",
    "overspent": "more was spent than had been granted by then",
    "end": "the journal's last line is not the one that the account knows",
    "balance": "the account differs from what its lines add up to",
    "answer_missing": "a charge without its answer",
    "answer_differs": "the answer is not the one that was charged for",
    "answer_uncharged": "answers without a charge",
    "link_missing": "answers from views whose charge to this lineage isn't here",
    "link_differs": "the charge is not that of the answer it names",
    "links_differ": "the line names other lineages than the view belongs to",
    "table_differs": "a table of an answer was changed",
}

JOURNAL_COLUMNS = 'lineage, number, at, kind, "user", body, head'
JOURNAL = text(f"""
    SELECT {JOURNAL_COLUMNS} FROM journal WHERE (lineage, number) > (:lineage, :number)
    ORDER BY lineage, number LIMIT :limit
""")
JOURNAL_OF_LINEAGE = text(f"""
    SELECT {JOURNAL_COLUMNS} FROM journal WHERE lineage = :lineage AND number > :number
    ORDER BY number LIMIT :limit
""")
# From all four tables: a lineage whose row was deleted must still be found by what is left of it.
LINEAGES = text("""
    SELECT id FROM lineages UNION SELECT lineage FROM accounts UNION SELECT lineage FROM journal
    UNION SELECT lineage FROM answers ORDER BY 1
""")
BALANCES = text("""
    SELECT kind, holder, granted, spent, entries, head, delta_granted, delta_spent
    FROM accounts WHERE lineage = :lineage
""")
VIEWS = text("SELECT dataset, lineage FROM view_lineages")
# An answer from a view stands in its first lineage; each other lineage must have a line for it.
LINKS_COUNTED = text("""
    SELECT view_lineages.lineage, count(*)
    FROM answers JOIN view_lineages ON view_lineages.dataset = answers.dataset
    WHERE view_lineages.lineage <> answers.lineage GROUP BY view_lineages.lineage
""")
ANSWERS = text("""
    SELECT id, lineage, entry, "user", dataset, version, fingerprint, request_digest, table_digest,
        question, prices, charge, dataset_charge, outcome, asked_at
    FROM answers WHERE id IN :ids
""").bindparams(bindparam("ids", expanding=True, type_=String))
ANSWERS_COUNTED = text("SELECT lineage, count(*) FROM answers GROUP BY lineage")
# Hashed by the database, since the tables of all answers may be larger than memory.
TABLES_CHANGED = {
    "sqlite": text("SELECT DISTINCT lineage FROM answer_tables WHERE digest <> sha256_hex(content)"),
    "postgresql": text(
        "SELECT DISTINCT lineage FROM answer_tables WHERE digest <> encode(sha256(content), 'hex')"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """A line of a lineage's journal. `body` is the JSON text that was hashed into `head`."""

    lineage: str
    number: int
    at: str
    kind: str
    user: str | None
    body: str
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFinding:
    """A contradiction in the records. `entry` is 0 and `account` empty where no single one is meant."""

    lineage: str
    problem: str
    entry: int = 0
    account: str = ""

    def __str__(self) -> str:
        place = f" line {self.entry}" if self.entry else ""
        return f"{self.lineage}{place} {self.account}: {PROBLEMS[self.problem]}".replace(" :", ":")


def canonical(value: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: the same value is always the same text."""
    # Any other spelling would give another hash, so this must never change.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def line(*, lineage: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A line to be written, but for its number and head; `digest` is what the chain needs of it."""
    written = canonical({**body, "lineage": lineage})
    return {
        "lineage": lineage,
        "at": body["at"],
        "kind": body["kind"],
        "user": body.get("user"),
        "body": written,
        "digest": sha256_hex(written),
    }


def next_head(head: str, body: str) -> str:
    """The chain's rule."""
    return sha256_hex(head + sha256_hex(body))


def page(
    connection: Connection, *, lineage: str | None, after: tuple[str, int], limit: int
) -> list[JournalEntry]:
    """Lines after (lineage, number) in that order, of one lineage or of all."""
    wanted = {"lineage": lineage or after[0], "number": after[1], "limit": limit}
    statement = JOURNAL if lineage is None else JOURNAL_OF_LINEAGE
    return [JournalEntry(**row._asdict()) for row in connection.execute(statement, wanted)]


def pages(connection: Connection, *, lineage: str | None = None) -> Iterator[list[JournalEntry]]:
    """All lines of one lineage or of all, a page in memory at a time."""
    after = ("", 0)
    while lines := page(connection, lineage=lineage, after=after, limit=PAGE_ROWS_MAX):
        yield lines
        after = (lines[-1].lineage, lines[-1].number)


def findings(connection: Connection, progress: Callable[[int], None]) -> list[LedgerFinding]:
    """Everything that doesn't agree, at most FINDINGS_MAX; `progress` is called with the lines read so far."""
    found = [_changed_table(lineage) for lineage in _lineages_of_changed_tables(connection)]
    # Counted before the pages are read; the view of the database does not change meanwhile.
    answers_counted = {row[0]: row[1] for row in connection.execute(ANSWERS_COUNTED)}
    links_counted = {row[0]: row[1] for row in connection.execute(LINKS_COUNTED)}
    views = _views(connection)
    read = 0
    for lineage in connection.execute(LINEAGES).scalars().all():
        recount = _Recount(lineage, views)
        for lines in pages(connection, lineage=lineage):
            answers = _answers_of(connection, lines)
            for entry in lines:
                found += recount.add(entry, answers)
            read += len(lines)
            progress(read)
            # A broken chain has a finding a line: a long journal must not fill memory with them.
            del found[FINDINGS_MAX:]
        rows = connection.execute(BALANCES, {"lineage": lineage})
        found += recount.close(
            rows, answers=answers_counted.get(lineage, 0), links=links_counted.get(lineage, 0)
        )
    return found[:FINDINGS_MAX]


def _lineages_of_changed_tables(connection: Connection) -> list[str]:
    return list(connection.execute(TABLES_CHANGED[connection.dialect.name]).scalars())


def _changed_table(lineage: str) -> LedgerFinding:
    return LedgerFinding(lineage=lineage, problem="table_differs")


def _views(connection: Connection) -> dict[str, list[str]]:
    """The lineages of every view, sorted here: databases differ in what comes first."""
    views: dict[str, list[str]] = {}
    for dataset, lineage in connection.execute(VIEWS):
        views.setdefault(dataset, []).append(lineage)
    return {dataset: sorted(lineages) for dataset, lineages in views.items()}


def _answers_of(connection: Connection, lines: Iterable[JournalEntry]) -> dict[str, Row[Any]]:
    ids = [body["query"] for entry in lines if isinstance((body := _read(entry.body)).get("query"), str)]
    return {row.id: row for row in connection.execute(ANSWERS, {"ids": ids})}


def _read(body: str) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


@dataclass(slots=True)
class _Balance:
    granted: int = 0
    spent: int = 0
    delta_granted: int = 0
    delta_spent: int = 0

    @property
    def is_overspent(self) -> bool:
        return self.spent > self.granted or self.delta_spent > self.delta_granted


@dataclass(slots=True)
class _Recount:
    """One lineage's accounts as its lines add up to."""

    lineage: str
    views: Mapping[str, list[str]]
    number: int = 0
    head: str = ""
    answers: int = 0
    links: int = 0
    linked_to: dict[str, int] = field(default_factory=dict)
    balances: dict[tuple[str, str], _Balance] = field(default_factory=dict)

    def add(self, entry: JournalEntry, answers: Mapping[str, Row[Any]]) -> list[LedgerFinding]:
        body = _read(entry.body)
        problems = [*self._place(entry), *self._columns(entry, body)]
        try:
            problems += self._apply(body)
        # A tampered line may hold anything. Whatever it does to our reading is a finding, not a crash.
        except (KeyError, TypeError, ValueError, AttributeError):
            problems.append("unreadable")
        if body.get("kind") in CHARGES:
            problems += self._answer(entry, body, answers)
        elif body.get("kind") == LINKED:
            problems += self._link(body, answers)
        return [
            LedgerFinding(lineage=self.lineage, entry=entry.number, problem=problem) for problem in problems
        ]

    def _place(self, entry: JournalEntry) -> Iterator[str]:
        """Number and hash, each against the line before; later lines are judged by the line as it stands."""
        if entry.number != self.number + 1:
            yield "gap"
        elif entry.head != next_head(self.head, entry.body):
            yield "chain"
        # Going on from the line as it stands, one bad line is one finding and not all that follow.
        self.number, self.head = entry.number, entry.head

    def _columns(self, entry: JournalEntry, body: Mapping[str, Any]) -> Iterator[str]:
        columns = (entry.lineage, entry.at, entry.kind, entry.user)
        if columns != tuple(body.get(name) for name in ("lineage", "at", "kind", "user")):
            yield "columns"

    def _apply(self, body: Mapping[str, Any]) -> Iterator[str]:
        """What a line does to the accounts."""
        problems = []
        if body["kind"] == "open":
            # Opening is the first line of a lineage: any balance before it means that a cap was set anew.
            problems += ["opened_again"] if self.balances else []
            account = self._balance("dataset", self.lineage)
            account.granted += _nano(body["amount"])
            account.delta_granted += _atto(body)
        elif body["kind"] == "grant":
            named = body["account"]
            self._balance(named["kind"], named["holder"]).granted += _nano(body["amount"])
        elif body["kind"] in (*CHARGES, LINKED):
            problems += self._spend(body)
        elif body["kind"] not in ("grant_requested", "grant_declined"):
            raise ValueError("no such kind of line")
        return iter(problems)

    def _spend(self, body: Mapping[str, Any]) -> Iterator[str]:
        holders = {"user": body["user"], "organisation": body["organisation"], "dataset": self.lineage}
        self._balance("dataset", self.lineage).delta_spent += _atto(body)
        for kind, amount in body["charged"].items():
            balance = self._balance(kind, holders[kind])
            balance.spent += _nano(amount)
            # Checked after each line, not only at the end: a later grant must not cover what was overspent by
            # then.
            if balance.is_overspent:
                yield "overspent"

    def _balance(self, kind: str, holder: str) -> _Balance:
        return self.balances.setdefault((kind, holder), _Balance())

    def _answer(
        self, entry: JournalEntry, body: Mapping[str, Any], answers: Mapping[str, Row[Any]]
    ) -> Iterator[str]:
        self.answers += 1
        answer = answers.get(body.get("query", ""))
        if answer is None:
            yield "answer_missing"
        elif _of_answer(answer) != _of_line(entry, body):
            yield "answer_differs"
        # A dataset that is no view is charged in its own lineage alone.
        lineages = self.views.get(body.get("dataset", ""), [self.lineage])
        if lineages != [self.lineage, *body.get("linked", [])]:
            yield "links_differ"

    def _link(self, body: Mapping[str, Any], answers: Mapping[str, Row[Any]]) -> Iterator[str]:
        """A charge for an answer of another lineage: that one's number makes the pairing one to one.

        Both lines are written while both datasets' rows are locked, so these numbers only grow.
        """
        self.links += 1
        answer = answers.get(body.get("query", ""))
        if answer is None:
            yield "answer_missing"
        elif _linked_answer(answer) != _of_link(body) or answer.entry <= self.linked_to.get(
            answer.lineage, 0
        ):
            yield "link_differs"
        else:
            self.linked_to[answer.lineage] = answer.entry

    def close(self, rows: Iterable[Row[Any]], *, answers: int, links: int) -> list[LedgerFinding]:
        """Compare with the accounts as they stand, and with the number of answers and of links."""
        found = []
        accounts = {(row.kind, row.holder): row for row in rows}
        for kind, holder in sorted(accounts.keys() | self.balances.keys()):
            if self._differs(accounts.get((kind, holder)), self.balances.get((kind, holder))):
                found.append(self._finding("balance", account=f"{kind}:{holder}"))
        dataset = accounts.get(("dataset", self.lineage))
        if (dataset.entries, dataset.head) != (self.number, self.head) if dataset else self.number:
            found.append(self._finding("end"))
        # Fewer answers than lines was noticed line by line (answer_missing); more of them only a count can
        # tell.
        if answers > self.answers:
            found.append(self._finding("answer_uncharged"))
        if links > self.links:
            found.append(self._finding("link_missing"))
        return found

    def _differs(self, account: Row[Any] | None, balance: _Balance | None) -> bool:
        if account is None or balance is None:
            return True
        names = ("granted", "spent", "delta_granted", "delta_spent")
        return any(getattr(account, name) != getattr(balance, name) for name in names)

    def _finding(self, problem: str, *, account: str = "") -> LedgerFinding:
        return LedgerFinding(lineage=self.lineage, problem=problem, account=account)


def _nano(amount: str) -> int:
    return 0 if amount == "0" else Price.parse(amount).nano


def _atto(body: Mapping[str, Any]) -> int:
    """The δ of a line; most have none."""
    return delta.read(body["delta"]) if "delta" in body else 0


def _linked_answer(answer: Row[Any]) -> tuple[Any, ...]:
    """What an answer and its lines in other lineages must agree in."""
    return (
        answer.lineage,
        answer.entry,
        answer.asked_at,
        answer.user,
        answer.dataset,
        answer.version,
        str(Price(answer.charge)),
        str(Price(answer.dataset_charge)),
    )


def _of_link(body: Mapping[str, Any]) -> tuple[Any, ...]:
    of, charged = body.get("of", {}), body.get("charged", {})
    return (
        of.get("lineage"),
        of.get("entry"),
        *(body.get(name) for name in ("at", "user", "dataset", "version")),
        charged.get("user"),
        charged.get("dataset"),
    )


def _of_answer(answer: Row[Any]) -> tuple[Any, ...]:
    """What an answer and its line must agree in. The line's number makes the pairing one to one."""
    return (
        answer.lineage,
        answer.entry,
        answer.asked_at,
        answer.user,
        answer.dataset,
        answer.version,
        answer.fingerprint,
        answer.request_digest,
        answer.table_digest,
        sha256_hex(answer.question),
        sha256_hex(answer.prices),
        str(Price(answer.charge)),
        str(Price(answer.dataset_charge)),
        answer.outcome == "failed",
    )


def _of_line(entry: JournalEntry, body: Mapping[str, Any]) -> tuple[Any, ...]:
    charged = body.get("charged", {})
    texts = ("at", "user", "dataset", "version", "fingerprint", "request", "table", "question", "prices")
    return (
        entry.lineage,
        entry.number,
        *(body.get(name) for name in texts),
        charged.get("user"),
        charged.get("dataset"),
        body.get("kind") == "failed",
    )
