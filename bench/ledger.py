"""Settlements a second, before and now, against the bare conditional UPDATE that any ledger needs at the least.

All on durable databases of one machine, from the same number of client processes, in rounds that take turns; a ratio
is the median of those of the rounds. A settlement charges its payers, links and writes the journal's line and keeps
the table and the answer. The usual three payers are a client's own user and, shared by all, an organisation and the
dataset; six are these and a contract, a reserve and a population. The bare update is one statement in one transaction,
through SQLAlchemy Core, that raises what as many accounts have spent if it fits.

    python -m bench ledger
"""

import contextlib
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.clients import Clients, running
from bench.code import Code, codes
from tests.postgres_server import NoPostgres, address, server

CLIENTS = (1, 4, 16)
ROUNDS = 5
SECONDS = 1.0
WARM_UP_SECONDS = 0.2
NOT_MEASURED = "–"
RATIO_MIN = 0.5
PROGRAMS = {name: Path(__file__).with_name(f"ledger_{name}.py") for name in ("before", "now")}
Rates = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long each work is warmed up and measured, and how often they take turns."""

    rounds: int = ROUNDS
    seconds: float = SECONDS
    warm_up_seconds: float = WARM_UP_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A kind of database, and the URL of one of it for each code."""

    kind: str
    urls: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Settlements by one code beside updates of as many accounts as pay."""

    title: str
    code: str
    payers: int


COLUMNS = (
    Compared(title="before", code="before", payers=3),
    Compared(title="now", code="now", payers=3),
    Compared(title="now, 6 payers", code="now", payers=6),
)
WORKS = (
    ("before", "settle 3"),
    ("now", "update 3"),
    ("now", "settle 3"),
    ("now", "update 6"),
    ("now", "settle 6"),
)


def run_on_disk(_: Path) -> list[dict[str, Any]]:
    """All sizes, below the working folder: where /tmp lies in memory, a commit would cost nothing there."""
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as folder:
        return run(Path(folder).resolve())


def run(
    folder: Path,
    *,
    clients: tuple[int, ...] = CLIENTS,
    pace: Pace | None = None,
    compared: Sequence[Code] | None = None,
) -> list[dict[str, Any]]:
    """One row for each database and number of client processes; `ratio` is settlements over bare updates."""
    rows, pace = [], pace or Pace()
    compared = compared or codes(folder)
    for database in _databases(folder, compared):
        _run_programs(compared, "fill", database, folder / database.kind)
        with contextlib.ExitStack() as ends:
            at_work = {
                code.name: ends.enter_context(
                    running(code, PROGRAMS[code.name], database.urls[code.name], clients=max(clients))
                )
                for code in compared
            }
            for count in clients:
                rounds = [_round(at_work, count, pace) for _ in range(pace.rounds)]
                rows.append({"database": database.kind, "clients": count} | _summary(rounds))
        _run_programs(compared, "check", database, folder / database.kind)
    return rows


def _databases(folder: Path, compared: Sequence[Code]) -> Iterator[Database]:
    names = [code.name for code in compared]
    yield Database(kind="sqlite", urls={name: f"sqlite:///{folder}/{name}.db" for name in names})
    try:
        with server(durable=True) as home:
            with psycopg.connect(f"host={home} user=postgres dbname=postgres", autocommit=True) as connection:
                for name in names:
                    connection.execute(f"CREATE DATABASE {name}")
            yield Database(kind="postgresql", urls={name: address(home, name) for name in names})
    except NoPostgres as reason:
        print(f"skipped postgresql: {reason}", file=sys.stderr)


def _run_programs(compared: Sequence[Code], what: str, database: Database, folder: Path) -> None:
    for code in compared:
        url, own_folder = database.urls[code.name], folder / code.name
        code.output_of("-P", str(PROGRAMS[code.name]), what, url, str(own_folder))


def _round(at_work: dict[str, Clients], count: int, pace: Pace) -> Rates:
    """Every work once, one right after the other, so that whatever else the machine does hits all."""
    return {
        f"{code} {work}": at_work[code].rate(
            work, clients=count, warm_up_seconds=pace.warm_up_seconds, seconds=pace.seconds
        )
        for code, work in WORKS
        if code in at_work
    }


def _summary(rounds: list[Rates]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in COLUMNS:
        bare, settled = f"now update {column.payers}", f"{column.code} settle {column.payers}"
        row[f"UPDATE of {column.payers} / s"] = _median(rounds, bare)
        row[f"{column.title} / s"] = NOT_MEASURED
        row[f"{column.title}: ratio"] = NOT_MEASURED
        if settled in rounds[0]:
            row[f"{column.title} / s"] = _median(rounds, settled)
            ratios = [rates[settled] / rates[bare] for rates in rounds]
            row[f"{column.title}: ratio"] = _ratio(ratios)
            if column.code == "now":
                row[f"{column.title}: goal"] = (
                    "reached" if statistics.median(ratios) >= RATIO_MIN else "**missed**"
                )
    return row


def _median(rounds: list[Rates], work: str) -> int:
    return round(statistics.median(rates[work] for rates in rounds))


def _ratio(ratios: list[float]) -> str:
    """The median, and from where to where the rounds differ."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
