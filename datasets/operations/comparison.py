"""The journal held against a copy of it that was kept elsewhere: what the database has lost or has otherwise."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from sqlalchemy import Connection, bindparam, select

from datasets.database.store import Store
from datasets.database.tables import JournalRow
from datasets.ledger.proof import LedgerFinding
from datasets.operations.exports import ExportLine, in_parts, read_export

_j = JournalRow.__table__.c
LINES = (
    select(_j.number, _j.head, _j.body)
    .where(_j.lineage == bindparam("chain"), _j.number.between(bindparam("first"), bindparam("last")))
    .order_by(_j.number)
)


def compare(store: Store, file: Path) -> list[LedgerFinding]:
    """One finding for each chain of a copy that is not in the database as the copy has it, in one unchanging view.

    Lines that the database has beyond the copy are fine. Raises ExportRefused.
    """
    differing: dict[str, LedgerFinding] = {}
    with store.viewing() as connection:
        for name, lines in groupby(read_export(file), key=lambda line: line.lineage):
            for part in in_parts(lines):
                for finding in _differing(connection, name, part):
                    # A chain that differs once differs in every line after that, since each has the hash of the last.
                    differing.setdefault(name, finding)
    return [differing[name] for name in sorted(differing)]


def _differing(connection: Connection, name: str, lines: list[ExportLine]) -> Iterator[LedgerFinding]:
    wanted = {"chain": name, "first": lines[0].number, "last": lines[-1].number}
    kept = {row.number: (row.head, row.body) for row in connection.execute(LINES, wanted)}
    for line in lines:
        if line.number not in kept:
            problem = "chain_missing" if line.number == 1 else "tail_missing"
        elif kept[line.number] != (line.head, line.text):
            problem = "line_differs"
        else:
            continue
        yield LedgerFinding(lineage=name, entry=line.number, problem=problem)
        return
