"""Joins the vaults of registered datasets on the person, as the vault of a view. Knows no codes and no bounds.

The privacy argument: a joined row is made of rows of one person only, so a person's joined rows depend on that
person's rows in the sources alone. One person more or less, with all rows in all sources, changes these and no
others; what is done with them next is what is done with the rows of any source.
"""

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from datasets.database.files import create_private, sync
from datasets.descriptor.descriptor import Descriptor
from datasets.registration.ingest.engine import ImportEngine, named, quoted
from datasets.registration.ingest.errors import ImportProblem
from datasets.registration.ingest.limits import ROWS_MAX
from privacy.words import Words

JOINING = "joining"


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedPart:
    """One source of a view: its vault, the column that names the person, and the view's columns from it.

    `columns` are by the view's names; the values are the source's own.
    """

    vault: Path
    unit: str
    columns: Mapping[str, str]

    @property
    def file(self) -> str:
        return f"read_parquet({quoted(glob.escape(str(self.vault)))})"


def fill_joined(
    descriptor: Descriptor, parts: Sequence[JoinedPart], vault: Path, engine: ImportEngine
) -> int:
    """Write the vault file from the parts, row by row as they are joined; returns the rows written.

    The number of rows is known before any is written: a few people with many rows in each part make
    more of them than a disk holds.
    """
    expected = engine.run(JOINING, _rows_expected(parts), end=0.2)[0][0] or 0
    if expected > ROWS_MAX:
        raise ImportProblem(
            Words(
                ja="結合後の行数が 2^33 を超えます。結合を減らすか、行数の少ないデータセットを結合してください",
                en="the joined rows would be more than 2^33: join less, or datasets of fewer rows",
            )
        )
    create_and_close(vault)
    engine.connection.execute("SET preserve_insertion_order = false")  # joined rows have no order to keep
    # USE_TMP_FILE is off: DuckDB would write a file of its own and rename it over ours of mode 0600.
    engine.run(JOINING, f"COPY ({_joined(descriptor, parts)}) TO {quoted(str(vault))} ({FORMAT})", begin=0.2)
    engine.connection.execute("SET preserve_insertion_order = true")
    sync(vault)
    return int(pq.read_metadata(vault).num_rows)


FORMAT = "FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false"


def create_and_close(vault: Path) -> None:
    """Make the file with mode 0600 before anything is written to it."""
    with open(create_private(vault), "wb"):
        pass


def _rows_expected(parts: Sequence[JoinedPart]) -> str:
    """How many rows the parts make: for each person the product of its rows in each. As a float: any size."""
    counts = [
        f"(SELECT {named(part.unit)} AS person, count(*)::DOUBLE AS n FROM {part.file}"
        f" WHERE trim({named(part.unit)}) <> '' GROUP BY person) AS part{place}"
        for place, part in enumerate(parts)
    ]
    product = " * ".join(f"part{place}.n" for place in range(len(parts)))
    return f"SELECT sum({product}) FROM {_on_person(counts)}"


def _joined(descriptor: Descriptor, parts: Sequence[JoinedPart]) -> str:
    """All rows of the view: the unit, then its columns in declared order.

    Each part's columns are renamed first, so that no declared name can mean anything to the join.
    """
    tables, shown = [], {descriptor.schema.unit: "part0.person"}
    for place, part in enumerate(parts):
        columns = [f"{named(part.unit)} AS person"]
        # Numbers instead of names: a declared name may be a word of SQL or that of another part's column.
        for number, (name, column) in enumerate(part.columns.items()):
            columns.append(f"{named(column)} AS c{number}")
            shown[name] = f"part{place}.c{number}"
        # Rows without a person would all be joined with each other as if they were one.
        person = f"trim({named(part.unit)}) <> ''"
        tables.append(f"(SELECT {', '.join(columns)} FROM {part.file} WHERE {person}) AS part{place}")
    names = [str(descriptor.schema.unit), *(column.name for column in descriptor.schema.columns)]
    return (
        f"SELECT {', '.join(f'{shown[name]} AS {named(name)}' for name in names)} FROM {_on_person(tables)}"
    )


def _on_person(tables: Sequence[str]) -> str:
    first, *others = tables
    return " ".join([first, *(f"JOIN {table} USING (person)" for table in others)])
