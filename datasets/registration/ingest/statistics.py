"""Makes the statistics table from the vault: whole numbers only, bounded per person, no source order.

The privacy argument of the bound: a row's place within its person depends on that person's rows and the salt
alone (a hash of the row's own codes, ties broken by the codes themselves, so that rows that still tie are
equal). Hence one person more or less changes no other person's kept rows, and a query moves by at most
`rows_per_person` rows. Row numbers of the source take no part.

Of a column that is constant per person, all kept rows of a person get the code of that person's first row (missing
too, where that row has none). Rows are put in order by what the source says of them, before they are made alike:
equal rows are interchangeable then, and their first codes are equal. So what becomes of a person's rows still depends
on these rows and the salt alone, and afterwards all of them have one code, whatever the source says.

Second units (households) are numbered as persons are. The numbers are never released: how one more person shifts them
matters to nobody. Within a person they put rows in order that are equal but for their units: by the digests that the
numbers follow, so that this order depends on no other person either.

Where nobody declared a column's values, a second table `words` tells which word a code stands for. It is read for
codes that were released already, so it may be exact. A code is 62 bits of a keyed digest, so two words share one
with probability at most words²/2^63; only then could the word given for a code depend on a rare one.
"""

import glob
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.database.files import sync
from datasets.descriptor.descriptor import Descriptor
from datasets.engines.format import (
    CODE,
    PERSON,
    PLACE,
    RANK,
    SEAL,
    SEALED,
    STORAGE,
    TABLE,
    WORD,
    WORDS,
    code_name,
    code_type,
    person_type,
    rank_type,
    unit_name,
    words_columns,
)
from datasets.registration.ingest.coding import EMPTY, STRANGE, final_code, raw_code, word
from datasets.registration.ingest.engine import ImportEngine, named, quoted
from datasets.registration.ingest.errors import ImportProblem
from datasets.registration.ingest.limits import PROBLEMS_SHOWN_MAX
from datasets.registration.ingest.report import ColumnCounts, Kind, UnitCounts
from privacy.schema import Category, Column, Schema, UndeclaredColumn
from privacy.words import Words

# A Mersenne prime: products of two numbers below it stay in 64 bits.
PRIME = 2**31 - 1
SALT_BYTES_MIN = 16
# The planner's work grows with the square of the expressions in one statement.
COLUMNS_AT_ONCE = 50
# Small bounds closely, then divisors of months, weeks and years, which registers often have per person.
SHARES_SHOWN = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 30, 40, 50, 60, 80, 100, 200, 365, 500, 1000)

COLUMN, UNIT = "column", "unit"
CODING, BOUNDING, WRITING = "coding", "bounding", "writing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the statistics table and its making count; `places` are (row of the source from 0, column, kind)."""

    rows_kept: int
    persons: int
    rows_without_person: int
    columns: dict[str, ColumnCounts]
    kept_by_bound: dict[int, float]
    units: dict[str, UnitCounts]
    places: tuple[tuple[int, str, Kind], ...]


def build(
    descriptor: Descriptor,
    *,
    vault: Path,
    target: Path,
    scratch: Path,
    salt: bytes,
    engine: ImportEngine,
    seal: str | None,
) -> Counts:
    """Write the statistics table, and the seal if there is one, to the new database file `target` and sync it."""
    schema = descriptor.schema
    made = scratch / target.name
    _attach(engine, made, "made")
    _attach(engine, scratch / "work.duckdb", "work")
    engine.run(CODING, _coded(schema, vault, salt), end=0.9)
    columns = _column_counts(schema, engine)
    without = _without_person(schema, engine)
    places = _places(schema, columns, without, engine)
    sizes = _sizes(schema, engine)
    units = _number_units(schema, salt, engine)
    _gather_words(schema, engine)
    differing = _write_rows(schema, salt, sizes, units, engine)
    _write_words(schema, engine)
    if seal is not None:
        stored = f"CREATE TABLE made.{SEALED} AS SELECT {quoted(seal)} AS {SEAL}"
        engine.run(WRITING, stored, begin=0.95, end=0.95)
    kept = engine.run(WRITING, f"SELECT count(*) FROM made.{TABLE}", begin=0.95)[0][0]
    # Everything into the one file: it is opened read-only later, when no log could be replayed.
    engine.run(WRITING, "CHECKPOINT made", begin=1.0)
    engine.run(WRITING, "DETACH made", begin=1.0)
    engine.run(WRITING, "DETACH work", begin=1.0)
    # A log that is left over would mean rows that are not in the file.
    if made.with_name(made.name + ".wal").exists():
        raise ImportProblem(
            Words(ja="統計表を完成できませんでした", en="the statistics table could not be completed")
        )
    sync(made)
    # Under its final name only when complete and synced.
    made.rename(target)
    return Counts(
        rows_kept=kept,
        persons=sum(sizes.values()),
        rows_without_person=without,
        columns={
            name: replace(counted, persons_not_constant=differing.get((COLUMN, name), 0))
            for name, counted in columns.items()
        },
        kept_by_bound=_kept_by_bound(sizes, schema.rows_per_person),
        units={
            name: replace(counted, persons_not_constant=differing.get((UNIT, name), 0))
            for name, counted in units.items()
        },
        places=places,
    )


def _attach(engine: ImportEngine, path: Path, name: str) -> None:
    """A new database file of mode 0600, in a folder that is private already."""
    engine.run(CODING, f"ATTACH {quoted(str(path))} AS {name}", end=0.0)
    path.chmod(0o600)


def _codes(schema: Schema) -> list[tuple[str, Column]]:
    """The queryable columns with their names in the tables: c0, c1, …"""
    return [(code_name(place), column) for place, column in enumerate(schema.queryable)]


def _open_places(schema: Schema) -> list[int]:
    """The numbers of the columns whose values nobody declared."""
    return [place for place, column in enumerate(schema.queryable) if isinstance(column, UndeclaredColumn)]


def _coded(schema: Schema, vault: Path, salt: bytes) -> str:
    """Raw codes of all rows, undeclared words (w0, …), the row's place in the source, and the unit's text (NULL:
    no person).

    Source columns are renamed first, so that no declared name can mean anything to the code's expressions.
    """
    opened = _open_places(schema)
    texts = [
        f"{word(named(column.name)) if place in opened else named(column.name)} AS t{place}"
        for place, column in enumerate(schema.queryable)
    ]
    # Each use of the salt has a purpose of its own, so that one derived key tells nothing of another.
    key = _derived(salt, b"words").hex()
    columns = [
        f"{raw_code(column, f't{place}', key)} AS {code_name(place)}"
        for place, column in enumerate(schema.queryable)
    ]
    columns += [f"t{place} AS w{place}" for place in opened]
    for place, unit in enumerate(schema.units):
        texts.append(f"{named(unit.column)} AS u{place}_text")
        columns.append(f"CASE WHEN trim(u{place}_text) <> '' THEN u{place}_text END AS {unit_name(place)}")
    if schema.unit is not None:
        texts.append(f"{named(schema.unit)} AS unit_text")
        # An empty unit names nobody: such rows are counted and left out, never joined into one person.
        columns.append("CASE WHEN trim(unit_text) <> '' THEN unit_text END AS unit")
    file = f"read_parquet({quoted(glob.escape(str(vault)))}, file_row_number = true)"
    source = f"SELECT {', '.join(['file_row_number AS place', *texts])} FROM {file}"
    return f"CREATE TABLE work.coded AS SELECT {', '.join(['place', *columns])} FROM ({source})"


# Counting


def _column_counts(schema: Schema, engine: ImportEngine) -> dict[str, ColumnCounts]:
    """One pass over the raw codes for every few columns (the planner's work grows with their square)."""
    counts: dict[str, ColumnCounts] = {}
    columns = _codes(schema)
    for first in range(0, len(columns), COLUMNS_AT_ONCE):
        some = columns[first : first + COLUMNS_AT_ONCE]
        wanted = ", ".join(
            f"count(*) FILTER ({name} = {column.low - EMPTY}), count(*) FILTER ({name} = {column.low - STRANGE}),"
            f" count(*) FILTER ({name} = {column.low - 1} OR {name} = {column.high + 1})"
            for name, column in some
        )
        found = engine.run(CODING, f"SELECT {wanted} FROM work.coded", begin=0.9, end=0.95)[0]
        for place, (_, column) in enumerate(some):
            counts[column.name] = _counts_of(column, *found[3 * place : 3 * place + 3])
    return counts


def _counts_of(column: Column, missing: int, strange: int, clamped: int) -> ColumnCounts:
    if isinstance(column, Category):
        return ColumnCounts(missing=missing, undeclared=strange)
    return ColumnCounts(missing=missing, unreadable=strange, clamped=clamped)


def _without_person(schema: Schema, engine: ImportEngine) -> int:
    if schema.unit is None:
        return 0
    return int(
        engine.run(CODING, "SELECT count(*) FROM work.coded WHERE unit IS NULL", begin=0.95, end=0.96)[0][0]
    )


def _places(
    schema: Schema, counts: Mapping[str, ColumnCounts], without_person: int, engine: ImportEngine
) -> tuple[tuple[int, str, Kind], ...]:
    """The first cells of the source that an operator should look at."""
    # Only kinds that occur are looked for: each costs a pass over the rows.
    faults = list(_faults(schema, counts))
    if schema.unit is not None and without_person:
        faults.append((schema.unit, "without person", "unit IS NULL"))
    found: list[tuple[int, str, Kind]] = []
    for column, kind, test in faults:
        question = f"SELECT place FROM work.coded WHERE {test} ORDER BY place LIMIT {PROBLEMS_SHOWN_MAX}"
        found.extend((int(place), column, kind) for (place,) in engine.run(CODING, question, begin=0.96))
    return tuple(sorted(found)[:PROBLEMS_SHOWN_MAX])


def _faults(schema: Schema, counts: Mapping[str, ColumnCounts]) -> Iterator[tuple[str, Kind, str]]:
    """The columns and kinds of which there are cells to show, and how to find them."""
    for name, column in _codes(schema):
        count = counts[column.name]
        if count.unreadable:
            yield column.name, "unreadable", f"{name} = {column.low - STRANGE}"
        if count.undeclared and isinstance(column, Category) and column.other is None:
            yield column.name, "undeclared", f"{name} = {column.low - STRANGE}"
        if count.missing and not column.missing_allowed:
            yield column.name, "missing", f"{name} = {column.low - EMPTY}"


# Persons and the bound


def _sizes(schema: Schema, engine: ImportEngine) -> dict[int, int]:
    """How many persons have how many rows; without a unit every row is a person."""
    each = "SELECT 1 AS n FROM work.coded"
    if schema.unit is not None:
        each = "SELECT count(*) AS n FROM work.coded WHERE unit IS NOT NULL GROUP BY unit"
    return dict(engine.run(BOUNDING, f"SELECT n, count(*) FROM ({each}) GROUP BY n", end=0.1))


def _kept_by_bound(sizes: Mapping[int, int], declared: int) -> dict[int, float]:
    """The share of rows that a bound k keeps: persons with n rows keep min(n, k)."""
    rows = sum(size * persons for size, persons in sizes.items())
    bounds = sorted({declared, *(bound for bound in SHARES_SHOWN if bound <= max(sizes, default=1))})
    return {
        bound: sum(min(size, bound) * persons for size, persons in sizes.items()) / rows if rows else 1.0
        for bound in bounds
    }


def _write_rows(
    schema: Schema,
    salt: bytes,
    sizes: Mapping[int, int],
    units: Mapping[str, UnitCounts],
    engine: ImportEngine,
) -> dict[tuple[str, str], int]:
    """Fill the table: by rank and person where a person may have several rows, else by content.

    Returns how many persons had several values of what is constant per person, by columns and second units.
    """
    differing: dict[tuple[str, str], int] = {}
    order = _names(schema)
    definitions = [f"{name} {code_type(column)} NOT NULL" for name, column in _codes(schema)]
    definitions += [f"{name} {kind} NOT NULL" for name, kind in _unit_types(schema, units)]
    definitions.append(f"{RANK} {rank_type(schema)} NOT NULL")
    if schema.rows_per_person > 1:
        definitions.append(f"{PERSON} {person_type(sum(sizes.values()))} NOT NULL")
        order = [RANK, PERSON]
    # Nobody has a second row, so nothing is dropped and no person has to be numbered.
    if schema.rows_per_person == 1 and max(sizes, default=1) == 1:
        columns = ", ".join([*_finals(schema), f"1::{rank_type(schema)} AS {RANK}"])
        known = "" if schema.unit is None else " WHERE unit IS NOT NULL"
        rows = f"SELECT {columns} FROM work.coded AS coded{_joined_units(schema)}{known}"
    else:
        _number_persons(salt, engine)
        _join_persons(schema, engine)
        differing = _differing_persons(schema, engine)
        _rank(schema, salt, engine)
        rows = f"SELECT * {f'EXCLUDE ({PERSON})' if schema.rows_per_person == 1 else ''} FROM work.ranked"
    # The order of the source must not survive: it often is that of registration or of addresses.
    ordered = f" ORDER BY {', '.join(order)}" if order else ""
    stored = ", ".join(f"{definition} {STORAGE}" for definition in definitions)
    engine.run(WRITING, f"CREATE TABLE made.{TABLE} ({stored})", end=0.0)
    engine.run(WRITING, f"INSERT INTO made.{TABLE} BY NAME {rows}{ordered}", end=0.95)
    return differing


# Words


def _gather_words(schema: Schema, engine: ImportEngine) -> None:
    """Which word each code of an open column stands for, among all rows."""
    if not (opened := _open_places(schema)):
        return
    each = [
        f"SELECT {place} AS {PLACE}, {code_name(place)} AS {CODE}, min(w{place}) AS {WORD} FROM work.coded"
        f" WHERE {code_name(place)} >= 0 GROUP BY {CODE}"
        for place in opened
    ]
    engine.run(CODING, f"CREATE TABLE work.words AS {' UNION ALL '.join(each)}", begin=0.97)


def _write_words(schema: Schema, engine: ImportEngine) -> None:
    """Keep the words of codes that occur in the table, in the order of the secret digests."""
    if not (opened := _open_places(schema)):
        return
    # Only words of kept rows: a word that the bound has dropped is not in the table either.
    known = " UNION ".join(
        f"SELECT {place} AS {PLACE}, {code_name(place)} AS {CODE} FROM made.{TABLE}" for place in opened
    )
    columns = ", ".join(f"{name} {kind} NOT NULL" for name, kind in words_columns())
    engine.run(WRITING, f"CREATE TABLE made.{WORDS} ({columns})", begin=0.95, end=0.95)
    engine.run(
        WRITING,
        f"INSERT INTO made.{WORDS} SELECT {PLACE}, {CODE}, {WORD} FROM work.words SEMI JOIN ({known}) AS known"
        f" USING ({PLACE}, {CODE}) ORDER BY {PLACE}, {CODE}",
        begin=0.95,
        end=0.95,
    )


def _finals(schema: Schema) -> list[str]:
    codes = [f"{final_code(column, f'coded.{name}')} AS {name}" for name, column in _codes(schema)]
    # A row that names no unit has the number that no unit has.
    units = [f"coalesce({name}.number, 0) AS {name}" for name in map(unit_name, range(len(schema.units)))]
    return [*codes, *units]


def _names(schema: Schema) -> list[str]:
    """What of a row is neither its person nor its rank: the columns' codes, then the numbers of units."""
    return [*(name for name, _ in _codes(schema)), *map(unit_name, range(len(schema.units)))]


def _constant(schema: Schema) -> dict[str, tuple[str, str]]:
    """By names in the tables, what is constant per person: a column or a second unit, and its declared name."""
    columns = {name: (COLUMN, column.name) for name, column in _codes(schema) if column.constant_per_person}
    units = {
        unit_name(place): (UNIT, unit.name)
        for place, unit in enumerate(schema.units)
        if unit.constant_per_person
    }
    return columns | units


def _unit_types(schema: Schema, units: Mapping[str, UnitCounts]) -> list[tuple[str, str]]:
    return [
        (unit_name(place), person_type(units[unit.name].number)) for place, unit in enumerate(schema.units)
    ]


def _joined_units(schema: Schema) -> str:
    """SQL that brings the numbers of the units that a row names to the row."""
    names = map(unit_name, range(len(schema.units)))
    return "".join(f" LEFT JOIN work.{name} AS {name} ON coded.{name} = {name}.named" for name in names)


def _number_units(schema: Schema, salt: bytes, engine: ImportEngine) -> dict[str, UnitCounts]:
    """Number each kind of units from 1 in an order that the salt hides, and count them."""
    found = {}
    for place, unit in enumerate(schema.units):
        name = unit_name(place)
        # A digest of its own, so that a unit's order tells nothing of a person's of the same text.
        order = f"md5_number({quoted(_derived(salt, b'unit ' + unit.name.encode()).hex())} || named), named"
        engine.run(
            BOUNDING,
            f"CREATE TABLE work.{name} AS SELECT named, row_number() OVER (ORDER BY {order}) AS number"
            f" FROM (SELECT DISTINCT {name} AS named FROM work.coded WHERE {name} IS NOT NULL)",
            begin=0.1,
            end=0.1,
        )
        wanted = f"(SELECT count(*) FROM work.{name}), count(*) FILTER ({name} IS NULL)"
        number, without = engine.run(BOUNDING, f"SELECT {wanted} FROM work.coded", begin=0.1, end=0.1)[0]
        found[unit.name] = UnitCounts(number=int(number), rows_without=int(without))
    return found


def _number_persons(salt: bytes, engine: ImportEngine) -> None:
    """Number the persons from 1 in an order that the salt hides.

    The keyed digest only orders: persons are told apart by their whole text, so equal digests merge nobody.
    """
    order = f"md5_number({quoted(_derived(salt, b'persons').hex())} || unit), unit"
    engine.run(
        BOUNDING,
        f"CREATE TABLE work.persons AS SELECT unit, row_number() OVER (ORDER BY {order}) AS {PERSON}"
        " FROM (SELECT DISTINCT unit FROM work.coded WHERE unit IS NOT NULL)",
        begin=0.1,
        end=0.3,
    )


def _join_persons(schema: Schema, engine: ImportEngine) -> None:
    """The final codes of all rows with the numbers of their persons."""
    engine.run(
        BOUNDING,
        f"CREATE TABLE work.coded_persons AS SELECT {', '.join([PERSON, *_finals(schema)])}"
        " FROM work.coded AS coded JOIN work.persons AS persons ON coded.unit = persons.unit"
        f"{_joined_units(schema)}",
        begin=0.3,
        end=0.5,
    )
    # The largest table, not needed any more; what follows sorts and spills to the same disk.
    engine.run(BOUNDING, "DROP TABLE work.coded", begin=0.5, end=0.5)


def _differing_persons(schema: Schema, engine: ImportEngine) -> dict[tuple[str, str], int]:
    """For the operator: how many persons have rows that differ in what is constant per person."""
    constant = _constant(schema)
    if not constant:
        return {}
    differ = ", ".join(f"min({name}) <> max({name}) AS {name}" for name in constant)
    wanted = ", ".join(f"count(*) FILTER ({name})" for name in constant)
    each = f"SELECT {differ} FROM work.coded_persons GROUP BY {PERSON}"
    counted = engine.run(BOUNDING, f"SELECT {wanted} FROM ({each})", begin=0.5, end=0.5)[0]
    return dict(zip(constant.values(), map(int, counted), strict=True))


def _rank(schema: Schema, salt: bytes, engine: ImportEngine) -> None:
    """Keep each person's first `rows_per_person` rows in the order of the salted hash of their content.

    Columns that are constant per person get the first row's code in all of them.
    """
    names, constant = _names(schema), _constant(schema)
    columns = ", ".join([PERSON, *names])
    # By a hash of the content and then the content: no row number takes part, and rows that still tie are
    # equal.
    within = f"PARTITION BY {PERSON} ORDER BY {', '.join([content_hash(schema, salt), *names])}"
    given = [f"first_value({name}) OVER ({within}) AS {name}" if name in constant else name for name in names]
    engine.run(
        BOUNDING,
        f"CREATE TABLE work.ranked AS SELECT {columns}, place::{rank_type(schema)} AS {RANK}"
        f" FROM (SELECT {', '.join([PERSON, *given])}, row_number() OVER ({within}) AS place"
        " FROM work.coded_persons)"
        f" WHERE place <= {schema.rows_per_person}",
        begin=0.5,
    )


def content_hash(schema: Schema, salt: bytes) -> str:
    """SQL for a salted hash of a row's codes, from whole numbers that every engine computes alike.

    Two rounds of a polynomial modulo 2^31 - 1, each followed by a fifth power (a permutation, since 5 does
    not divide 2^31 - 2), which breaks the line on which equally spaced values would otherwise lie. All
    products stay below 2^62.
    """
    codes = ", ".join(f"({name}::BIGINT - ({column.missing})) % {PRIME}" for name, column in _codes(schema))
    value = f"{_number_below_prime(salt, b'start')}::BIGINT"
    for purpose in (b"first round", b"second round"):
        factor = _number_below_prime(salt, purpose)
        value = f"list_reduce([{codes}]::BIGINT[], lambda h, x: (h * {factor} + x) % {PRIME}, {value})"
        value = (
            f"list_transform(list_transform([{value}], lambda v: {{'v': v, 'w': v * v % {PRIME}}}),"
            f" lambda s: s.v * (s.w * s.w % {PRIME}) % {PRIME})[1]"
        )
    return value


def _number_below_prime(salt: bytes, purpose: bytes) -> int:
    """A number from 2 to 2^31 - 2 that only the salt's holder knows."""
    return 2 + int.from_bytes(_derived(salt, purpose), "big") % (PRIME - 3)


def _derived(salt: bytes, purpose: bytes) -> bytes:
    # BLAKE2b takes keys of up to 64 bytes.
    return hashlib.blake2b(purpose, key=salt[:64], digest_size=16).digest()
