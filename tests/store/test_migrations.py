"""A database of an earlier version is brought forward with all that was spent in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from settlements import ASKED, LINEAGE, asked, balances
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from datasets.database.chain import next_head
from datasets.database.errors import NotInitialised
from datasets.database.store import Store, migrate
from datasets.ledger.errors import DeltaExhausted
from datasets.ledger.journal import Line
from datasets.ledger.service import Ledger

AT = "2026-10-01T00:00:00.000000Z"
OPENED = {"kind": "open", "at": AT, "by": "mayor", "amount": "10"}
GRANTED = {
    "kind": "grant",
    "at": AT,
    "grant": "g_1",
    "account": {"kind": "user", "holder": "aoi"},
    "amount": "2",
    "reason": "a contract",
    "requested_by": "mayor",
    "decided_by": None,
}


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A database of revision 0001 that holds a dataset, its accounts and its journal."""
    if request.param == "postgresql":
        store = Store(request.getfixturevalue("postgres_url"))
        with store.writing() as tx:
            tx.exec_driver_sql("DROP SCHEMA public CASCADE")
            tx.exec_driver_sql("CREATE SCHEMA public")
    else:
        store = Store(f"sqlite:///{tmp_path}/old.db")
    migrate(store, revision="0001")
    fill(store)
    yield store
    store.close()


def fill(store: Store) -> None:
    head, lines = "", []
    for number, body in enumerate((OPENED, GRANTED), start=1):
        written = Line.of(LINEAGE, body)
        head = next_head(head, written.body)
        lines.append(written.placed(number=number, head=head))
    with store.writing() as tx:
        # By hand: this program writes more of a user than that version had.
        tx.execute(text("INSERT INTO organisations VALUES ('shop', :at)"), {"at": AT})
        tx.execute(text("INSERT INTO users VALUES ('aoi', 'shop', 'analyst', '00', :at, NULL)"), {"at": AT})
        tx.execute(text("INSERT INTO lineages VALUES (:lineage, '00', :at)"), {"lineage": LINEAGE, "at": AT})
        tx.execute(
            text("INSERT INTO datasets VALUES ('residents', :lineage, 1, :at, NULL)"),
            {"lineage": LINEAGE, "at": AT},
        )
        tx.execute(
            text("INSERT INTO versions VALUES ('residents', 1, '', 'residents/v1', '', :at)"), {"at": AT}
        )
        for kind, holder, granted, entries, last in (
            ("dataset", LINEAGE, 10 * 10**9, 2, head),
            ("user", "aoi", 2 * 10**9, 0, ""),
        ):
            tx.execute(
                text("INSERT INTO accounts VALUES (:lineage, :kind, :holder, :granted, 0, :entries, :head)"),
                {
                    "lineage": LINEAGE,
                    "kind": kind,
                    "holder": holder,
                    "granted": granted,
                    "entries": entries,
                    "head": last,
                },
            )
        tx.execute(
            text(
                "INSERT INTO grants (id, lineage, kind, holder, amount, reason, state, requested_by, at)"
                " VALUES ('g_1', :lineage, 'user', 'aoi', 2000000000, 'a contract', 'effective', 'mayor', :at)"
            ),
            {"lineage": LINEAGE, "at": AT},
        )
        for written in lines:
            tx.execute(
                text("INSERT INTO journal VALUES (:lineage, :number, :at, :kind, :user, :body, :head)"),
                written,
            )


def test_a_database_of_the_first_version_is_not_current(old: Store) -> None:
    with pytest.raises(NotInitialised, match="earlier version"):
        old.must_be_current()


def test_what_was_granted_and_written_stays_and_is_proved(old: Store) -> None:
    migrate(old)
    ledger = Ledger(old)
    old.must_be_current()
    assert ledger.verify() == []
    assert [entry.kind for entry in ledger.journal(lineage=LINEAGE)] == ["open", "grant"]
    assert {state.holder: str(state.granted) for state in ledger.all_accounts()} == {
        LINEAGE: "10",
        "shop": "None",
        "aoi": "2",
    }


def test_accounts_of_before_are_charged_as_ever_and_hold_no_delta(old: Store) -> None:
    migrate(old)
    ledger = Ledger(old)
    ledger.settle(ASKED)
    assert balances(ledger) == {"dataset:residents": "1", "organisation:shop": "1", "user:aoi": "1"}
    with pytest.raises(DeltaExhausted):
        ledger.settle(asked(2, delta_atto=1))
    with pytest.raises(IntegrityError), old.writing() as tx:
        tx.exec_driver_sql("UPDATE accounts SET delta_spent = 1")
    assert ledger.verify() == []


def test_the_journal_still_only_grows(old: Store) -> None:
    migrate(old)
    with pytest.raises(Exception, match="only grows"), old.writing() as tx:
        tx.exec_driver_sql("DELETE FROM journal")
