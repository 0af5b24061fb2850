"""Whatever is changed behind the ledger's back, the proof finds."""

import json
import re
from pathlib import Path

import pytest
from settlements import ASKED, LINEAGE, asked
from sqlalchemy.exc import DBAPIError
from town import VISITS, add, derived, visits_csv

from datasets.database.chain import next_head
from datasets.database.store import Store, now
from datasets.ledger.accounts import Account
from datasets.ledger.journal import append
from datasets.ledger.proof import PROBLEMS, LedgerFinding
from datasets.ledger.service import Ledger
from privacy.budget import Price

UNLOCK = {
    "sqlite": ["DROP TRIGGER journal_kept_as_it_is", "DROP TRIGGER journal_kept_whole"],
    "postgresql": ["DROP TRIGGER journal_kept ON journal"],
}


@pytest.fixture
def ledger(settled: Ledger) -> Ledger:
    """Four grants and openings, then three answers: lines 5 to 7."""
    ledger = settled
    ledger.settle(ASKED)
    ledger.settle(asked(2, user="mei", dataset_charge=Price(0)))
    ledger.settle(asked(3, table=b'{"rows":[3]}'))
    return ledger


def tamper(store: Store, *statements: str) -> None:
    with store.writing() as tx:
        for statement in (*UNLOCK[tx.dialect.name], *statements):
            tx.exec_driver_sql(statement)


def problems(ledger: Ledger) -> set[tuple[int, str, str]]:
    return {(finding.entry, finding.problem, finding.account) for finding in ledger.verify()}


def test_an_honest_ledger_has_no_findings(ledger: Ledger) -> None:
    assert ledger.verify() == []


def test_the_proof_reports_its_progress(ledger: Ledger) -> None:
    told: list[int] = []
    ledger.verify(told.append)
    # After each page: the installation's own chain, then the dataset's seven lines.
    people, all_lines = told
    assert (all_lines - people, all_lines) == (7, ledger.export(lambda _: None))


@pytest.mark.parametrize("change", ["UPDATE journal SET at = at", "DELETE FROM journal"])
def test_the_database_refuses_to_change_the_journal(store: Store, ledger: Ledger, change: str) -> None:
    with pytest.raises(DBAPIError, match="the journal only grows"), store.writing() as tx:
        tx.exec_driver_sql(change)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("UPDATE journal SET body = replace(body, '\"1\"', '\"0.5\"') WHERE number = 5", (5, "chain", "")),
        ("UPDATE journal SET head = 'forged' WHERE number = 7", (7, "chain", "")),
        ("UPDATE journal SET body = 'x' WHERE number = 5", (5, "unreadable", "")),
        ("UPDATE journal SET body = '[]' WHERE number = 5", (5, "unreadable", "")),
        ("UPDATE journal SET kind = 'replay' WHERE number = 5", (5, "columns", "")),
        ("UPDATE journal SET \"user\" = 'mei' WHERE number = 5", (5, "columns", "")),
        ("DELETE FROM journal WHERE number = 5", (6, "gap", "")),
        ("DELETE FROM journal WHERE number = 7", (0, "end", "")),
        ("DELETE FROM journal", (0, "end", "")),
        ("UPDATE accounts SET spent = 0 WHERE kind = 'user'", (0, "balance", "user:aoi")),
        (
            "UPDATE accounts SET granted = granted + 1 WHERE kind = 'dataset'",
            (0, "balance", "dataset:residents"),
        ),
        ("DELETE FROM accounts WHERE holder = 'shop'", (0, "balance", "organisation:shop")),
        ("DELETE FROM accounts WHERE kind = 'dataset'", (0, "end", "")),
        (
            "INSERT INTO accounts VALUES ('residents', 'user', 'eve', 1, 0, 0, '', 0, 0, NULL)",
            (0, "balance", "user:eve"),
        ),
        ("UPDATE accounts SET entries = 8 WHERE kind = 'dataset'", (0, "end", "")),
        ("DELETE FROM answers WHERE id = 'q_1'", (5, "answer_missing", "")),
        ("UPDATE answers SET \"user\" = 'mei' WHERE id = 'q_1'", (5, "answer_differs", "")),
        ("UPDATE answers SET charge = 2000000000 WHERE id = 'q_1'", (5, "answer_differs", "")),
        ("UPDATE answers SET prices = '{\"count\":9}' WHERE id = 'q_1'", (5, "answer_differs", "")),
        ("UPDATE answers SET question = '{}' WHERE id = 'q_1'", (5, "answer_differs", "")),
        ("UPDATE answers SET entry = 6 WHERE id = 'q_1'", (5, "answer_differs", "")),
        (
            """
            INSERT INTO answers SELECT 'q_0', "user", 'other', request_digest, dataset, lineage, version, entry,
                fingerprint, charge, dataset_charge, prices, outcome, asked_at, question, envelope, table_digest,
                balances
            FROM answers WHERE id = 'q_1'
            """,
            (0, "answer_uncharged", ""),
        ),
    ],
)
def test_what_was_changed_is_found(
    store: Store, ledger: Ledger, change: str, finding: tuple[int, str, str]
) -> None:
    tamper(store, change)
    assert finding in problems(ledger)


def wished(ledger: Ledger) -> str:
    """A wish for more of the cap, by the mayor."""
    cap = Account(kind="dataset", holder=LINEAGE)
    more = {"lineage": LINEAGE, "account": cap, "amount": Price.parse("1"), "reason": "more"}
    return ledger.grant(**more, requested_by="mayor").id


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE grants SET amount = 9000000000 WHERE state = 'pending'",
        "UPDATE grants SET requested_by = 'someone' WHERE state = 'pending'",
        "UPDATE grants SET kind = 'user', holder = 'aoi' WHERE state = 'pending'",
        "UPDATE grants SET change = 'lower' WHERE state = 'pending'",
        "UPDATE grants SET reason = 'another' WHERE state = 'effective'",
        "UPDATE grants SET state = 'declined' WHERE state = 'pending'",
        "DELETE FROM grants WHERE state = 'pending'",
        """
        INSERT INTO grants (id, lineage, kind, holder, amount, reason, state, requested_by, at)
        VALUES ('g_forged', 'residents', 'dataset', 'residents', 1, 'x', 'pending', 'kenji', '')
        """,
    ],
)
def test_what_was_changed_about_a_grant_is_found(store: Store, ledger: Ledger, change: str) -> None:
    wished(ledger)
    assert ledger.verify() == []
    with store.writing() as tx:
        tx.exec_driver_sql(change)
    assert {finding.problem for finding in ledger.verify()} == {"grant_differs"}


def test_a_wish_that_was_changed_before_it_was_approved_is_found(store: Store, ledger: Ledger) -> None:
    """Somebody asks for little, turns it into much of somebody else's, and approves that."""
    id = wished(ledger)
    with store.writing() as tx:
        tx.exec_driver_sql(
            "UPDATE grants SET amount = 9000000000, requested_by = 'x' WHERE state = 'pending'"
        )
    ledger.approve(grant_id=id, decided_by="mayor")
    assert {finding.problem for finding in ledger.verify()} == {"grant_differs"}


@pytest.mark.parametrize("second", [None, "mayor", "ＭＡＹＯＲ "])
def test_a_cap_that_one_person_raised_in_the_journal_is_found(
    store: Store, ledger: Ledger, second: str | None
) -> None:
    line = {
        "kind": "grant",
        "at": now(),
        "grant": wished(ledger),
        "account": {"kind": "dataset", "holder": LINEAGE},
        "amount": "1",
        "reason": "more",
        "requested_by": "mayor",
        "decided_by": second,
    }
    with store.writing() as tx:
        append(tx, LINEAGE, line)
    assert "one_person" in {finding.problem for finding in ledger.verify()}


def test_a_changed_table_is_found(store: Store, ledger: Ledger) -> None:
    cast = "X'00'" if store.is_sqlite else "'\\x00'"
    tamper(store, f"UPDATE answer_tables SET content = {cast}")
    assert problems(ledger) == {(0, "table_differs", "")}


def test_a_journal_forged_to_the_end_is_found_by_the_account_it_charged(store: Store, ledger: Ledger) -> None:
    """Somebody rewrites the last line and its hash, and even the account's head: the answer gives them away."""
    before, last = ledger.journal(lineage=LINEAGE)[-2:]
    body = last.body.replace('"1"', '"0.5"')
    head = next_head(before.head, body)
    with store.writing() as tx:
        for statement in UNLOCK[tx.dialect.name]:
            tx.exec_driver_sql(statement)
        for table, column in (("journal", "head"), ("accounts", "head")):
            tx.exec_driver_sql(f"UPDATE {table} SET {column} = '{head}' WHERE {column} = '{last.head}'")
        tx.exec_driver_sql(f"UPDATE journal SET body = '{body}' WHERE number = 7")
    assert (7, "answer_differs", "") in problems(ledger)
    assert (0, "balance", "user:aoi") in problems(ledger)


def test_one_lineage_is_not_blamed_for_another(store: Store, ledger: Ledger, tmp_path: Path) -> None:
    add(store, tmp_path / "data", derived(VISITS, id="taxes", privacy={"cap": "1"}), visits_csv())
    tamper(store, "UPDATE accounts SET granted = granted + 1 WHERE lineage = 'taxes'")
    assert ledger.verify() == [LedgerFinding(lineage="taxes", problem="balance", account="dataset:taxes")]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_has_words_in_both_languages(problem: str) -> None:
    told = LedgerFinding(lineage="care", problem=problem, entry=4, account="user:aoi").message()
    assert told.en == f"care line 4 user:aoi: {PROBLEMS[problem].en}"
    assert told.ja == f"care 4 行目 user:aoi：{PROBLEMS[problem].ja}"
    assert not re.search("[a-z]", PROBLEMS[problem].ja)
    assert LedgerFinding(lineage="care", problem=problem).message().en == f"care: {PROBLEMS[problem].en}"


def test_the_export_can_be_checked_without_the_database(ledger: Ledger) -> None:
    written: list[str] = []
    assert ledger.export(written.append) == len(written)
    counted: list[int] = []
    assert ledger.verify(counted.append) == []
    assert counted[-1] == len(written)
    heads: dict[str, str] = {}
    for line in map(json.loads, written):
        heads[line["lineage"]] = next_head(heads.get(line["lineage"], ""), line["body"])
        assert line["head"] == heads[line["lineage"]]
    people, dataset = sorted(heads)
    assert (people.startswith("installation:"), dataset) == (True, LINEAGE)
    assert sum(json.loads(line)["lineage"] == LINEAGE for line in written) == 7


def test_the_journal_turns_its_pages_over_all_lineages(store: Store, ledger: Ledger, tmp_path: Path) -> None:
    add(store, tmp_path / "data", derived(VISITS, id="taxes", privacy={"cap": "1"}), visits_csv())
    # After the installation's own chain, whose lines are those of people and keys.
    first = ledger.journal(limit=5, after=("installation:~", 0))
    rest = ledger.journal(limit=5, after=(first[-1].lineage, first[-1].number))
    assert ledger.journal(limit=1)[0].lineage.startswith("installation:")
    assert [(entry.lineage, entry.number) for entry in (*first, *rest)] == [
        *((LINEAGE, number) for number in range(1, 8)),
        ("taxes", 1),
        # Why its people are others: of the settled town's register only the database was copied.
        ("taxes", 2),
    ]
    assert ledger.journal(lineage=LINEAGE, after=(LINEAGE, 7)) == []
