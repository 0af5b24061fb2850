"""From a plan and its source to what the search works on: rows chosen, operations done, hierarchies laid.

Everything is checked on the way; nothing is written. Which source row became which record is kept in `origin`.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.records import selection
from datasets.records.plan import checks
from datasets.records.plan.plan import ProcessingPlan, Reference
from datasets.sources.table import BadSource, Progress, Source, Stop, look, read_columns
from privacy.deidentify.errors import DeidentifyError
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.operations import plan as operations
from privacy.deidentify.operations.steps import Applied
from privacy.deidentify.randomness import Draws, draws
from privacy.deidentify.table import Codes, Column, Role, Table
from privacy.words import Words

# Up to this size every column of a source is read, so that the examination can look for traces of removed
# ones; beyond it removed columns are left in the file, and the report says so.
ALL_COLUMNS_BYTES = 1 << 29
# A column of row numbers that travels with the rows through the operations; no column of a file has this
# name.
PLACE = "\0place"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Read:
    """A source as read: its table, its SHA-256, and the columns that were left in the file."""

    source: Source
    table: Table
    sha256: str
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """What the search is given. Row i of `table` and `quasi` comes from row `origin[i]` of the source.

    `table` is what will be published but for generalisation and suppression; `quasi` holds the quasi-identifiers
    at the grain asked for, `whole` their hierarchies and `trees` these from that grain on. `units` names each
    row's person, None where rows are persons.
    """

    table: Table
    quasi: Table
    whole: Mapping[str, Hierarchy]
    trees: Mapping[str, Hierarchy]
    guarded: Mapping[str, Hierarchy]
    orders: Mapping[str, tuple[str, ...]]
    origin: NDArray[np.intp]
    units: Codes | None
    persons: int
    applied: tuple[Applied, ...]
    population: Table | None
    reference: Table | None
    rows_read: int
    rows_asked: int


def read(plan: ProcessingPlan, found: Source, *, progress: Progress, stop: Stop) -> Read:
    """The columns of the source that the plan needs."""
    big = found.path.stat().st_size > ALL_COLUMNS_BYTES
    wanted = checks.needed(plan) if big else list(found.columns)
    table, sha256 = read_columns(found, columns=wanted, progress=progress, stop=stop)
    unread = tuple(name for name in found.columns if name not in table)
    return Read(source=found, table=table, sha256=sha256, unread=unread)


def seed_of(plan: ProcessingPlan, *, seed: bytes, source_sha256: str) -> bytes:
    """The seed of every draw: SHA-256 of the plan's seed, what it asks for, and the source, each with its length."""
    digest = hashlib.sha256()
    for part in (seed, plan.canonical.encode(), bytes.fromhex(source_sha256)):
        # With its length before each part no two triples are the same bytes.
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def prepare(plan: ProcessingPlan, given: Read, *, seed: bytes, key: bytes, stop: Stop) -> Prepared:
    """Choose rows, apply operations, build and check hierarchies; raises what `checks` raises."""
    # The draw has a purpose of its own, so that a change of sampling moves no other draw.
    chosen = _chosen(plan, given.table, draws(seed, "sampling"))
    table, applied = _operated(
        plan, given.table, chosen, draws_for=lambda purpose: draws(seed, purpose), key=key
    )
    origin = chosen[table[PLACE].codes]
    # From the source and not from the table: operations may have removed or replaced the person's column.
    units = None if plan.unit is None else given.table[plan.unit].codes[origin]
    persons = table.rows if units is None else len(np.unique(units))
    names = (
        plan.of(Role.QUASI) if not plan.items else tuple(n for n in plan.of(Role.QUASI) if n in plan.items)
    )
    table = table.without(PLACE)
    whole = checks.hierarchies(plan, table, names)
    # After the operations: they may have dropped rows, and with them persons.
    checks.feasible(plan, table, persons=persons)
    checks.writable(plan, given.source, whole)
    quasi, trees = checks.grained(plan, Table([table[name] for name in names]), whole)
    guarded_names = [
        name
        for name in plan.of(Role.SENSITIVE)
        if plan.attributes[name].hierarchy is not None and name in table
    ]
    return Prepared(
        table=table,
        quasi=quasi,
        whole=whole,
        trees=trees,
        guarded=checks.hierarchies(plan, table, guarded_names),
        orders=checks.orders(plan, table),
        origin=origin,
        units=units,
        persons=persons,
        applied=applied,
        population=_other(plan, "population", plan.population, names, whole, stop),
        reference=_other(plan, "reference", plan.reference, names, whole, stop),
        rows_read=given.table.rows,
        rows_asked=len(chosen),
    )


def _chosen(plan: ProcessingPlan, table: Table, by: Draws) -> NDArray[np.intp]:
    rows = np.arange(table.rows) if not plan.where else np.flatnonzero(selection.chosen(table, plan.where))
    if plan.sampling is None:
        return rows
    unit = None if plan.unit is None else table[plan.unit].codes[rows]
    return rows[selection.sampled(len(rows), plan.sampling, unit=unit, draws=by)]


def _operated(
    plan: ProcessingPlan,
    table: Table,
    chosen: NDArray[np.intp],
    *,
    draws_for: Callable[[str], Draws],
    key: bytes,
) -> tuple[Table, tuple[Applied, ...]]:
    """The chosen rows after the plan's operations, the items alone, with the place of each row among the chosen."""
    # No values, since row numbers are never looked at as texts.
    places = Column(PLACE, (), np.arange(len(chosen), dtype=np.int32))
    chosen_table = table if len(chosen) == table.rows else table.take(chosen)
    taken = Table([*chosen_table.values(), places])
    steps = [
        (name, attribute.operation)
        for name, attribute in plan.attributes.items()
        if attribute.operation is not None and name in table
    ]
    try:
        done, applied = operations.apply(taken, steps, draws_for=draws_for, key=key, unit=plan.unit)
    except DeidentifyError as fault:
        raise plan.refusal(("attributes",), fault.message()) from None
    if not done.rows:
        message = Words(ja="計画の加工の後に行が残りません", en="no row is left after the plan's operations")
        raise plan.refusal(("attributes",), message)
    kept = [name for name in (plan.items or table) if name in done]
    # With every row still there no value can have lost its last one.
    everyone = done.rows == table.rows
    columns = [done[name] if everyone else _without_unused_values(done[name]) for name in kept]
    return Table([*columns, done[PLACE]]), applied


def _without_unused_values(column: Column) -> Column:
    """The column without the values that no row holds any more."""
    occurs = column.counts() > 0
    if occurs.all():
        return column
    places = (np.cumsum(occurs) - 1).astype(np.int32)
    values = tuple(value for value, used in zip(column.values, occurs.tolist(), strict=True) if used)
    return Column(column.name, values, places[column.codes])


def _other(
    plan: ProcessingPlan,
    key: str,
    other: Reference | None,
    names: tuple[str, ...],
    trees: Mapping[str, Hierarchy],
    stop: Stop,
) -> Table | None:
    """Another table's quasi-identifiers at the grain asked for."""
    if other is None:
        return None
    try:
        found = look(other.path, other.style)
        # A population without all quasi-identifiers proves nothing; a register may know fewer of them.
        present = names if key == "population" else tuple(name for name in names if name in found.columns)
        checks.reference(plan, key, other, found, needed=present or names)
        table, _ = read_columns(found, columns=present, progress=lambda share: None, stop=stop)
        for name in present:
            trees[name].places(table[name])
    except BadSource as fault:
        raise plan.refusal((key,), fault.message()) from None
    except DeidentifyError as fault:
        words = fault.message()
        message = Words(ja=f"{other.path.name}：{words.ja}", en=f"{other.path.name}: {words.en}")
        raise plan.refusal((key,), message) from None
    return checks.grained(plan, table, {name: trees[name] for name in present})[0]
