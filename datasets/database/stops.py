"""What is stopped, as every look-up asks it beside its own question; and the refusal that follows.

`datasets.stops` stops and resumes. Whoever answers, spends or tells again asks here.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, or_, select, text

from datasets.database.tables import StopRow
from privacy.refusal import Refusal
from privacy.words import Words

STOPS = StopRow.__table__
WORDS: Mapping[str, Words] = {
    "dataset": Words(
        ja="このデータセットは停止されています。運用担当者が再開するまで回答しません",
        en="this dataset is stopped: nothing of it is answered until an operator resumes it",
    ),
    "organisation": Words(
        ja="あなたの組織は停止されています。運用担当者が再開するまで利用できません",
        en="your organisation is stopped until an operator resumes it",
    ),
    "user": Words(
        ja="あなたの利用は停止されています。運用担当者が再開するまで利用できません",
        en="you are stopped until an operator resumes you",
    ),
}


# Nor by whom or why: that is for those who read the journal.
class Stopped(Refusal):
    """Who asks, its organisation or the dataset is stopped: `kind` is user, organisation or dataset."""

    code = "stopped"
    words = Words(ja="停止されています", en="stopped")

    def __init__(self, kind: str) -> None:
        super().__init__(WORDS[kind])
        self.kind = kind


def is_stopped(kind: str, *subjects: Any) -> ColumnElement[bool]:
    """Whether one of these subjects is stopped, for a statement that reads them anyway.

    Subjects are columns, or selections of several.
    """
    own = STOPS.alias()
    named = [own.c.subject.in_(one) if isinstance(one, Select) else own.c.subject == one for one in subjects]
    return exists(select(own.c.subject).where(own.c.kind == kind, or_(*named)))


def hold_stops(tx: Connection) -> None:
    """Let no settlement begin or be underway until the transaction ends; SQLite has one writer anyway."""
    # A settlement of PostgreSQL sees the tables as they were when it began: one that waited for an account while
    # the stop was committed would charge after it. It holds this table in share, which this waits for; readers are
    # not held up, so that a backup underway delays no stop.
    if tx.dialect.name == "postgresql":
        tx.execute(text("LOCK TABLE stops IN EXCLUSIVE MODE"))
