"""The proof: chains, balances and answers recomputed from the journal. Changes nothing and trusts no text it reads."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain as chained
from typing import Any

from sqlalchemy import Connection, Row, func, select, text, union

from datasets.database.chain import ChainWalk
from datasets.database.closed_lists import CAPS, CHAINED
from datasets.database.installation import PREFIX, installation
from datasets.database.store import Store, sha256_hex
from datasets.database.tables import AccountRow, AnswerRow, GrantRow, JournalRow, LineageRow, ViewLineageRow
from datasets.ledger.accounts import POPULATION, same_person
from datasets.ledger.journal import (
    CHARGES,
    JOINED,
    LINKED,
    PURGED,
    REOPENED,
    RESTORED,
    RESUMED,
    RETIRED,
    SEPARATED,
    STOPPED,
    JournalEntry,
    pages,
)
from privacy import delta
from privacy.budget import Price
from privacy.words import Words

FINDINGS_MAX = 1_000
PROBLEMS = {
    "gap": Words(
        ja="この行の前の行が欠けているか、順序が違います",
        en="lines are missing before this one, or stand in the wrong order",
    ),
    "chain": Words(
        ja="行のハッシュが、本文と前の行から導かれるものと一致しません",
        en="the line's hash doesn't follow from its text and the line before",
    ),
    "columns": Words(
        ja="行の列が本文と一致しません",
        en="the line's columns differ from its text",
    ),
    "unreadable": Words(
        ja="行の本文が予算台帳の書式ではありません",
        en="the line's text is not what the ledger writes",
    ),
    "opened_again": Words(
        ja="口座が 2 回以上開設されています",
        en="the account was opened more than once",
    ),
    "overspent": Words(
        ja="その時点までの付与額を超えて消費されています",
        en="more was spent than had been granted by then",
    ),
    "end": Words(
        ja="予算台帳の最後の行が、口座の記録と一致しません",
        en="the journal's last line is not the one that the account knows",
    ),
    "balance": Words(
        ja="口座の残高が、予算台帳の合計と一致しません",
        en="the account differs from what its lines add up to",
    ),
    "answer_missing": Words(
        ja="予算の消費に対応する回答がありません",
        en="a charge without its answer",
    ),
    "answer_differs": Words(
        ja="回答が、予算の消費の記録と一致しません",
        en="the answer is not the one that was charged for",
    ),
    "answer_uncharged": Words(
        ja="予算の消費が記録されていない回答があります",
        en="answers without a charge",
    ),
    "link_missing": Words(
        ja="他の予算台帳の回答による予算の消費が記録されていません",
        en="answers of other journals whose charge isn't here",
    ),
    "link_differs": Words(
        ja="予算の消費が、参照する回答のものと一致しません",
        en="the charge is not that of the answer it names",
    ),
    "links_differ": Words(
        ja="行が参照する系統が、ビューのものと一致しません",
        en="the line names other lineages than the view belongs to",
    ),
    "join_differs": Words(
        ja="母集団への所属の記録が、母集団の予算台帳と一致しません",
        en="the population that a register belongs to, or what it had spent before, is not what the population's "
        "journal says",
    ),
    "grant_differs": Words(
        ja="付与の記録が、予算台帳の行と一致しません",
        en="a grant is not what its lines say",
    ),
    "one_person": Words(
        ja="生涯上限が 1 人だけで引き上げられています",
        en="a cap was raised by one person alone",
    ),
    "table_differs": Words(
        ja="回答の表が変更されています",
        en="a table of an answer was changed",
    ),
    "chain_missing": Words(
        ja="写しにあるこの予算台帳が、データベースにありません",
        en="the copy has this journal and the database doesn't",
    ),
    "tail_missing": Words(
        ja="写しにはこの行以降があり、データベースにはありません",
        en="the copy has lines from this one on, and the database doesn't",
    ),
    "line_differs": Words(
        ja="この行が写しと一致しません",
        en="the line is not the one that the copy has",
    ),
}
OF_DATASETS = (RETIRED, REOPENED, PURGED)
OF_GRANTS = ("grant_requested", "grant_declined", "grant_returned")
NO_EFFECT = (*OF_GRANTS, SEPARATED, STOPPED, RESUMED, RESTORED, *OF_DATASETS)
OF_ONE_CHAIN = ("gap", "chain", "columns", "unreadable", "opened_again", "overspent", "one_person")
"""The problems that a chain's own lines tell."""
# They have no limit until they are granted one; every other account begins with nothing.
UNLIMITED_AT_FIRST = ("organisation", "population")
_answers = AnswerRow.__table__.c
# From all four tables: a lineage whose row was deleted must still be found by what is left of it.
LINEAGES = union(
    select(LineageRow.id.label("lineage")),
    select(AccountRow.lineage),
    select(JournalRow.lineage),
    select(AnswerRow.lineage),
)
BALANCES = select(AccountRow.__table__)
GRANTS = select(GrantRow.__table__)
STATES = {
    "grant_requested": "pending",
    "grant": "effective",
    "grant_lowered": "effective",
    "grant_declined": "declined",
    "grant_returned": "returned",
}
"""The state of a grant after a line of that kind."""
JOINS = select(JournalRow.lineage, JournalRow.body).where(JournalRow.kind == JOINED)
RESTORATIONS = select(JournalRow.lineage, JournalRow.number, JournalRow.body).where(
    JournalRow.kind == RESTORED
)
POPULATIONS = select(LineageRow.id, LineageRow.population).where(LineageRow.population.is_not(None))
VIEWS = select(ViewLineageRow.dataset, ViewLineageRow.lineage)
ANSWERS = select(
    *(column for column in _answers if column.name not in ("envelope", "balances", "idempotency_key"))
)
ANSWERS_COUNTED = select(_answers.lineage, func.count()).group_by(_answers.lineage)
# Hashed by the database, since the tables of all answers may be larger than memory.
TABLES_CHANGED = {
    "sqlite": text("SELECT DISTINCT lineage FROM answer_tables WHERE digest <> sha256_hex(content)"),
    "postgresql": text(
        "SELECT DISTINCT lineage FROM answer_tables WHERE digest <> encode(sha256(content), 'hex')"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFinding:
    """A contradiction in the records. `entry` is 0 and `account` empty where no single one is meant."""

    lineage: str
    problem: str
    entry: int = 0
    account: str = ""

    def __str__(self) -> str:
        return self.message().en

    def message(self) -> Words:
        """What is wrong, and where."""
        parts = [self.lineage, f"line {self.entry}" if self.entry else "", self.account]
        in_japanese = [self.lineage, f"{self.entry} 行目" if self.entry else "", self.account]
        words = PROBLEMS[self.problem]
        return Words(
            ja=f"{' '.join(filter(None, in_japanese))}：{words.ja}",
            en=f"{' '.join(filter(None, parts))}: {words.en}",
        )


class Proof:
    """Proves the ledger."""

    _store: Store

    def verify(self, progress: Callable[[int], None] = lambda lines: None) -> list[LedgerFinding]:
        """Recompute every chain and balance in one unchanging view; no findings means that all agrees.

        `progress` is called with the number of lines read so far.
        """
        with self._store.viewing() as connection:
            return findings(connection, progress)


def findings(connection: Connection, progress: Callable[[int], None]) -> list[LedgerFinding]:
    """Everything that doesn't agree, at most FINDINGS_MAX; `progress` is called with the lines read so far."""
    found = [_changed_table(lineage) for lineage in _lineages_of_changed_tables(connection)]
    # Counted before the pages are read; the view of the database does not change meanwhile.
    answers_counted = {row[0]: row[1] for row in connection.execute(ANSWERS_COUNTED)}
    views, joins, restored = _views(connection), _joins(connection), _restored(connection)
    populations = {row.id: f"{POPULATION}{row.population}" for row in connection.execute(POPULATIONS)}
    links_named, links_found = Counter[str](), Counter[str]()
    read = 0
    own = installation(connection)
    # Sorted here: databases differ in what comes first.
    for lineage in sorted({*connection.execute(LINEAGES).scalars(), own.id}):
        if lineage.startswith(PREFIX):
            walk = ChainWalk()
            for lines in pages(connection, lineage=lineage):
                found += _of_installation(walk, lines)
                read += len(lines)
                progress(read)
                del found[FINDINGS_MAX:]
            # A chain of another name is none of this installation, wherever it ends.
            if lineage != own.id or not walk.ends_at(own.entries, own.head):
                found.append(_finding(lineage, "end"))
            continue
        recount = _Recount(
            lineage, views, joins.get(lineage), populations.get(lineage), restored.get(lineage, ())
        )
        for lines in pages(connection, lineage=lineage):
            answers = _answers_of(connection, lines)
            for entry in lines:
                found += recount.add(entry, answers)
            read += len(lines)
            progress(read)
            # A broken chain has a finding a line: a long journal must not fill memory with them.
            del found[FINDINGS_MAX:]
        found += recount.grants_that_differ(connection.execute(GRANTS.where(GrantRow.lineage == lineage)))
        rows = connection.execute(BALANCES.where(AccountRow.lineage == lineage))
        found += recount.close(rows, answers=answers_counted.get(lineage, 0))
        links_named += recount.links_named
        links_found[lineage] = recount.links
    # A link may stand in a chain that was read before the one that names it.
    found += [_finding(lineage, "link_missing") for lineage in sorted(links_named - links_found)]
    return found[:FINDINGS_MAX]


def _of_installation(walk: ChainWalk, lines: Iterable[JournalEntry]) -> Iterator[LedgerFinding]:
    """What does not agree in lines of the chain of the installation, which counts nothing: their links and columns."""
    for entry in lines:
        problems = [*walk.step(entry.number, entry.head, entry.body), *_columns(entry, _read(entry.body))]
        for problem in problems:
            yield LedgerFinding(lineage=entry.lineage, entry=entry.number, problem=problem)


def _columns(entry: JournalEntry, body: Mapping[str, Any]) -> Iterator[str]:
    columns = (entry.lineage, entry.at, entry.kind, entry.user)
    if columns != tuple(body.get(name) for name in ("lineage", "at", "kind", "user")):
        yield "columns"


def _lineages_of_changed_tables(connection: Connection) -> list[str]:
    return list(connection.execute(TABLES_CHANGED[connection.dialect.name]).scalars())


def _changed_table(lineage: str) -> LedgerFinding:
    return _finding(lineage, "table_differs")


def _finding(lineage: str, problem: str, *, account: str = "") -> LedgerFinding:
    return LedgerFinding(lineage=lineage, problem=problem, account=account)


def _views(connection: Connection) -> dict[str, list[str]]:
    """The lineages of every view, sorted here: databases differ in what comes first."""
    views: dict[str, list[str]] = {}
    for dataset, lineage in connection.execute(VIEWS):
        views.setdefault(dataset, []).append(lineage)
    return {dataset: sorted(lineages) for dataset, lineages in views.items()}


@dataclass(frozen=True, slots=True)
class _Join:
    """A register's joining as its population tells it: after which line of the register, what that had spent."""

    population: str
    line: int
    spent: int
    delta_spent: int


def _joins(connection: Connection) -> dict[str, _Join]:
    """By register. A line that cannot be read joins nobody: it is found as such when its own chain is read."""
    joins = {}
    for row in connection.execute(JOINS):
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            body = _read(row.body)
            joins[body["register"]] = _Join(row.lineage, body["line"], _nano(body["spent"]), _atto(body))
    return joins


def _restored(connection: Connection) -> dict[str, list[range]]:
    """By chain the lines that were put back from a copy of the journal, whose answers are lost."""
    found: dict[str, list[range]] = {}
    for row in connection.execute(RESTORATIONS):
        body = _read(row.body)
        first, last = body.get("from"), body.get("to")
        # Of the lines right before it alone: no line written later excuses any others.
        if isinstance(first, int) and last == row.number - 1 and 1 <= first <= last:
            found.setdefault(row.lineage, []).append(range(first, row.number))
    return found


def _answers_of(connection: Connection, lines: Iterable[JournalEntry]) -> dict[str, Row[Any]]:
    ids = [body["query"] for entry in lines if isinstance((body := _read(entry.body)).get("query"), str)]
    return {row.id: row for row in connection.execute(ANSWERS.where(AnswerRow.id.in_(ids)))}


def _read(body: str) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def recounted(connection: Connection, lineage: str, *, after: int) -> dict[tuple[str, str], "Balance"]:
    """A chain's accounts by kind and holder, as all of its lines add up to; answers are not asked for.

    Raises LinesDiffer where a line past number `after` is none that the ledger could have written.
    """
    recount = _Recount(lineage, {}, None, None)
    for entry in chained.from_iterable(pages(connection, lineage=lineage)):
        for finding in recount.add(entry, {}):
            # What answers and other chains would have to say is proven by `findings`, of the whole ledger.
            if finding.entry > after and finding.problem in OF_ONE_CHAIN:
                raise LinesDiffer(finding)
    return recount.balances


class LinesDiffer(Exception):
    """A chain that does not add up; `finding` is where and why."""

    def __init__(self, finding: LedgerFinding) -> None:
        super().__init__()
        self.finding = finding


@dataclass(slots=True)
class Balance:
    """An account as lines add up to; None is no limit."""

    granted: int | None = 0
    spent: int = 0
    delta_granted: int | None = 0
    delta_spent: int = 0

    @classmethod
    def first(cls, kind: str) -> "Balance":
        """As an account of this kind begins."""
        return cls(
            granted=None if kind in UNLIMITED_AT_FIRST else 0,
            delta_granted=None if kind == "population" else 0,
        )

    @property
    def is_overspent(self) -> bool:
        return _above(self.spent, self.granted) or _above(self.delta_spent, self.delta_granted)

    def grant(self, nano: int, kind: str) -> None:
        """Grant more. A first limit counts from what was spent by then, that of a cap over everybody from nothing."""
        first = 0 if kind in CHAINED else self.spent
        self.granted = (first if self.granted is None else self.granted) + nano


def _above(spent: int, granted: int | None) -> bool:
    return granted is not None and spent > granted


@dataclass(slots=True)
class _Recount:
    """One chain's accounts as its lines add up to."""

    lineage: str
    views: Mapping[str, list[str]]
    join: _Join | None
    population: str | None
    restored: Sequence[range] = ()
    has_joined: bool = False
    walk: ChainWalk = field(default_factory=ChainWalk)
    answers: int = 0
    links: int = 0
    links_named: Counter[str] = field(default_factory=Counter)
    linked_to: dict[str, int] = field(default_factory=dict)
    grants: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    balances: dict[tuple[str, str], Balance] = field(default_factory=dict)

    def add(self, entry: JournalEntry, answers: Mapping[str, Row[Any]]) -> list[LedgerFinding]:
        body = _read(entry.body)
        problems = [*self.walk.step(entry.number, entry.head, entry.body), *_columns(entry, body)]
        try:
            problems += self._apply(body)
        # A tampered line may hold anything. Whatever it does to our reading is a finding, not a crash.
        except (KeyError, TypeError, ValueError, AttributeError):
            problems.append("unreadable")
        if self.join is not None and entry.number == self.join.line:
            problems += self._register_joins(self.join)
        if body.get("kind") in CHARGES:
            problems += self._answer(entry, body, answers)
        elif body.get("kind") == LINKED:
            problems += self._link(entry, body, answers)
        return [
            LedgerFinding(lineage=self.lineage, entry=entry.number, problem=problem) for problem in problems
        ]

    def _apply(self, body: Mapping[str, Any]) -> Iterator[str]:
        """What a line does to the accounts."""
        problems: list[str] = []
        if body["kind"] in STATES:
            problems += self._grant(body)
        if body["kind"] == "open":
            # Opening is the first line of a chain: any balance before it means that a cap was set anew.
            problems += ["opened_again"] if self.balances else []
            self._open(body)
        elif body["kind"] in ("grant", "grant_lowered"):
            named, nano = body["account"], _nano(body["amount"])
            balance = self._balance(named["kind"], named["holder"])
            balance.grant(nano if body["kind"] == "grant" else -nano, named["kind"])
            problems += ["overspent"] if balance.is_overspent else []
        elif body["kind"] in (*CHARGES, LINKED):
            problems += self._spend(body)
        elif body["kind"] == JOINED:
            problems += self._population_is_joined(body)
        elif body["kind"] not in NO_EFFECT:
            raise ValueError("no such kind of line")
        return iter(problems)

    def _grant(self, body: Mapping[str, Any]) -> Iterator[str]:
        """A grant's line: what was asked for is what is decided, and a cap is raised by two."""
        wish = (body["account"], body["amount"], body["reason"], body["requested_by"])
        before, *_ = self.grants.get(body["grant"], (wish, None))
        if before != wish:
            yield "grant_differs"
        raised = body["kind"] == "grant" and body["account"]["kind"] in CAPS
        second = body["decided_by"]
        if raised and (second is None or same_person(second, body["requested_by"])):
            yield "one_person"
        self.grants[body["grant"]] = (wish, body["kind"], second, body.get("decision_reason"))

    def grants_that_differ(self, rows: Iterable[Row[Any]]) -> list[LedgerFinding]:
        """Grants as they stand against their last lines; more and fewer of them, too."""
        kept = {row.id: _of_grant(row) for row in rows}
        told = {id: _of_grant_lines(*lines) for id, lines in self.grants.items()}
        differing = (id for id in sorted(kept.keys() | told.keys()) if kept.get(id) != told.get(id))
        return [_finding(self.lineage, "grant_differs", account=id) for id in differing]

    def _open(self, body: Mapping[str, Any]) -> None:
        """The chain's own account: a dataset's begins with its cap, a population's without a limit."""
        account = self._balance("population" if self._is_population else "dataset", self.lineage)
        if not self._is_population:
            account.grant(_nano(body["amount"]), "dataset")
            account.delta_granted = _atto(body)

    @property
    def _is_population(self) -> bool:
        return self.lineage.startswith(POPULATION)

    def _spend(self, body: Mapping[str, Any]) -> Iterator[str]:
        own = dict.fromkeys(CHAINED, self.lineage)
        holders = {
            "user": body["user"],
            "organisation": body["organisation"],
            **own,
            **body.get("holders", {}),
        }
        for kind, amount in body["charged"].items():
            balance = self._balance(kind, holders[kind])
            balance.spent += _nano(amount)
            if kind in CHAINED:
                balance.delta_spent += _atto(body)
            # Checked after each line, not only at the end: a later grant must not cover what was overspent by
            # then.
            if balance.is_overspent:
                yield "overspent"

    def _population_is_joined(self, body: Mapping[str, Any]) -> Iterator[str]:
        """What a register had spent by then is the population's from then on."""
        balance = self._balance("population", self.lineage)
        balance.spent += _nano(body["spent"])
        balance.delta_spent += _atto(body)
        if balance.is_overspent:
            yield "overspent"

    def _register_joins(self, join: _Join) -> Iterator[str]:
        """Whether the population was charged what this register had spent by the line that its joining names."""
        self.has_joined = True
        balance = self._balance("dataset", self.lineage)
        if (balance.spent, balance.delta_spent) != (join.spent, join.delta_spent):
            yield "join_differs"

    def _balance(self, kind: str, holder: str) -> Balance:
        return self.balances.setdefault((kind, holder), Balance.first(kind))

    def _answer(
        self, entry: JournalEntry, body: Mapping[str, Any], answers: Mapping[str, Row[Any]]
    ) -> Iterator[str]:
        self.answers += 1
        answer = answers.get(body.get("query", ""))
        if answer is None:
            yield from self._without_answer(entry)
        elif _of_answer(answer) != _of_line(entry, body):
            yield "answer_differs"
        linked = body.get("linked", [])
        self.links_named.update(linked)
        # A dataset that is no view is charged in its own lineage alone, and perhaps to a population.
        lineages = self.views.get(body.get("dataset", ""), [self.lineage])
        others = [name for name in linked if not name.startswith(POPULATION)]
        if lineages != [self.lineage, *others] or not self._pays_population(entry.number, linked):
            yield "links_differ"

    def _without_answer(self, entry: JournalEntry) -> Iterator[str]:
        if not any(entry.number in lines for lines in self.restored):
            yield "answer_missing"

    def _pays_population(self, line: int, linked: list[str]) -> bool:
        """Whether the population of this register pays from the joining on.

        Of the other registers of a view the debit sees to it: this chain cannot tell when they joined.
        """
        return self.join is None or line <= self.join.line or self.join.population in linked

    def _link(
        self, entry: JournalEntry, body: Mapping[str, Any], answers: Mapping[str, Row[Any]]
    ) -> Iterator[str]:
        """A charge for an answer of another chain: the answer's line there makes the pairing one to one.

        Both lines are written while both chains' accounts are locked, so that the numbers of those lines only grow.
        """
        self.links += 1
        answer = answers.get(body.get("query", ""))
        if answer is None:
            yield from self._without_answer(entry)
        elif not _is_link(answer, body) or answer.entry <= self.linked_to.get(answer.lineage, 0):
            yield "link_differs"
        else:
            self.linked_to[answer.lineage] = answer.entry

    def close(self, rows: Iterable[Row[Any]], *, answers: int) -> list[LedgerFinding]:
        """Compare with the accounts as they stand, and with the number of answers."""
        found = []
        accounts = {(row.kind, row.holder): row for row in rows}
        for kind, holder in sorted(accounts.keys() | self.balances.keys()):
            if self._differs(accounts.get((kind, holder)), kind, holder):
                found.append(_finding(self.lineage, "balance", account=f"{kind}:{holder}"))
        own = next((row for (kind, _), row in accounts.items() if kind in CHAINED), None)
        if not self.walk.ends_at(own.entries, own.head) if own else self.walk.number:
            found.append(_finding(self.lineage, "end"))
        joined = self.join.population if self.join is not None else None
        known = {self.population, *(row.population for row in accounts.values() if row.kind == "dataset")}
        if known != {joined} or self.has_joined != (self.join is not None):
            found.append(_finding(self.lineage, "join_differs"))
        # Fewer answers than lines was noticed line by line (answer_missing); more of them only a count can
        # tell.
        if answers > self.answers:
            found.append(_finding(self.lineage, "answer_uncharged"))
        return found

    def _differs(self, account: Row[Any] | None, kind: str, holder: str) -> bool:
        balance = self.balances.get((kind, holder))
        if balance is None and (kind == "organisation" or (kind, holder) == ("population", self.lineage)):
            # Opened beside a user's, or by an earlier version's upgrade, and named by no line yet.
            balance = Balance.first(kind)
        if account is None or balance is None:
            return True
        names = ("granted", "spent", "delta_granted", "delta_spent")
        return any(getattr(account, name) != getattr(balance, name) for name in names)


def _of_grant(row: Row[Any]) -> tuple[Any, ...]:
    """What a grant and its last line must agree in."""
    wish = ({"kind": row.kind, "holder": row.holder}, str(Price(row.amount)), row.reason, row.requested_by)
    return wish, row.state, row.change == "lower", row.decided_by, row.decision_reason


def _of_grant_lines(
    wish: tuple[Any, ...], kind: str, decided_by: str | None, decision_reason: str | None
) -> tuple[Any, ...]:
    return wish, STATES[kind], kind == "grant_lowered", decided_by, decision_reason


def _nano(amount: str) -> int:
    return 0 if amount == "0" else Price.parse(amount).nano


def _atto(body: Mapping[str, Any]) -> int:
    """The δ of a line; most have none."""
    return delta.read(body["delta"]) if "delta" in body else 0


def _is_link(answer: Row[Any], body: Mapping[str, Any]) -> bool:
    """Whether a linked line and the answer it names agree in what both of them tell."""
    of, charged = body.get("of", {}), body.get("charged", {})
    told = {
        "lineage": of.get("lineage"),
        # Lines of earlier versions name the answer's line, too.
        "entry": of.get("entry", answer.entry),
        **{name: body.get(name) for name in ("at", "user", "dataset", "version")},
        # A population is charged nothing but itself.
        "charge": charged.get("user", str(Price(answer.charge))),
        "dataset_charge": charged.get("dataset", charged.get("population")),
    }
    kept = {
        "lineage": answer.lineage,
        "entry": answer.entry,
        "at": answer.asked_at,
        "user": answer.user,
        "dataset": answer.dataset,
        "version": answer.version,
        "charge": str(Price(answer.charge)),
        "dataset_charge": str(Price(answer.dataset_charge)),
    }
    return told == kept


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
