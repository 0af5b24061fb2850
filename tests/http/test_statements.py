"""How often a request goes to the database, statement by statement, so that no reading again creeps in."""

import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from marshmallow import Schema
from small_town import BY_DISTRICT, COUNT, Visitor
from sqlalchemy import event

TABLES = re.compile(r'\b(?:FROM|INTO|UPDATE|JOIN)\s+"?([a-z_]+)')

WHO = ["SELECT stops users"]
EARLIER = ["SELECT stops view_lineages answers answer_tables"]
ACCOUNTS = ["SELECT accounts"]
LET_IN = ["SELECT stops datasets versions view_lineages lineages", *ACCOUNTS]
SAME_QUESTION = ["SELECT answers"]
SETTLED = [
    "BEGIN IMMEDIATE",
    "UPDATE accounts json_each stops",
    "INSERT journal",
    "INSERT answer_tables",
    "INSERT answers",
    "COMMIT",
]
FRESH = [*WHO, *EARLIER, *LET_IN, *SETTLED]


def kind_of(statement: str) -> str:
    """What a statement does and to which tables, in their order; transactions as they are written."""
    words = statement.split()
    if words[0] not in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
        return " ".join(words)
    return " ".join([words[0], *dict.fromkeys(TABLES.findall(statement))])


@pytest.fixture
def statements(visitor: Visitor) -> Iterator[list[str]]:
    """The kinds of all statements from now on, whoever sends them."""
    found: list[str] = []
    # The driver's own trace: the ledger settles past SQLAlchemy, whose events would not show it.
    connections: list[sqlite3.Connection] = []

    def trace(connection: sqlite3.Connection, *_: Any) -> None:
        connections.append(connection)
        connection.set_trace_callback(lambda statement: found.append(kind_of(statement)))

    engine = visitor.services.store.engine
    event.listen(engine, "checkout", trace)
    # What a server does once: files are opened, OpenDP's parts made.
    visitor.ask(COUNT, key="before")
    found.clear()
    yield found
    event.remove(engine, "checkout", trace)
    for connection in connections:
        connection.set_trace_callback(None)


@pytest.mark.parametrize("accept", ["application/json", "text/csv", "application/vnd.apache.arrow.stream"])
def test_a_fresh_answer_is_read_from_no_table_that_it_was_just_written_to(
    visitor: Visitor, statements: list[str], accept: str
) -> None:
    assert visitor.ask({**BY_DISTRICT, "reuse": "never"}, Accept=accept).status_code == 200
    assert statements == FRESH


def test_where_reuse_is_welcome_one_statement_looks_for_an_answer(
    visitor: Visitor, statements: list[str]
) -> None:
    assert visitor.ask(BY_DISTRICT).status_code == 200
    assert statements == [*WHO, *EARLIER, *LET_IN, *SAME_QUESTION, *SETTLED]


def test_a_reused_answer_reads_the_table_once(visitor: Visitor, statements: list[str]) -> None:
    assert visitor.ask(COUNT).json["reused"]
    assert statements == [*WHO, *EARLIER, *LET_IN, *SAME_QUESTION, *EARLIER, *SETTLED]


def test_a_retry_takes_two_statements(visitor: Visitor, statements: list[str]) -> None:
    assert visitor.ask(COUNT, key="before").status_code == 200
    assert statements == [*WHO, *EARLIER]


def test_an_answer_is_read_again_in_one_statement(visitor: Visitor, statements: list[str]) -> None:
    id = visitor.ask(COUNT, key="before").json["id"]
    statements.clear()
    assert visitor.get(f"/v1/queries/{id}").status_code == 200
    assert statements == [*WHO, *EARLIER]


@pytest.mark.parametrize("mode", ["quote", "dummy"])
def test_a_quote_and_a_rehearsal_write_nothing(visitor: Visitor, statements: list[str], mode: str) -> None:
    assert visitor.ask({**COUNT, "mode": mode}).status_code == 200
    assert statements == [*WHO, *LET_IN]


def test_a_refusal_for_want_of_budget_looks_for_a_replay_once_more(
    visitor: Visitor, statements: list[str]
) -> None:
    dear = {**COUNT, "budget": {"epsilon": "1"}, "reuse": "never"}
    while visitor.ask(dear).status_code == 200:
        statements.clear()
    assert statements == [*WHO, *EARLIER, *LET_IN, *EARLIER]


def test_no_schema_of_a_request_is_made_while_one_is_answered(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.ask(BY_DISTRICT)
    made: list[Schema] = []
    make = Schema.__init__

    def counted(self: Schema, *args: Any, **options: Any) -> None:
        made.append(self)
        make(self, *args, **options)

    monkeypatch.setattr(Schema, "__init__", counted)
    assert visitor.ask(BY_DISTRICT).status_code == 200
    assert visitor.get("/v1/queries").status_code == 200
    assert made == []
