"""A plan's exact part as SQL aggregates over integers.

The engine does the same work whatever the rows hold: no statement has a WHERE. What a row is asked (the filter, the
bound, whether a cell is missing) becomes one truth value, computed for every row, and enters the aggregates: counts
count true values, and sums add a value that is masked to 0 (docs/decisions/0013-work-that-does-not-depend-on-rows.md).

Each pass over the table is one statement: all plain aggregates over the same cells together, each histogram and
each aggregate over persons by itself. A statement has up to three levels, inside out:

1. each row with what several aggregates ask for, computed once: codes, keys (`k0`, …), the condition (`f0`),
   conditions of single aggregates (`w0`, …), values to add (`v0`, …);
2. for aggregates over persons, one row a key and person; rows outside the condition belong to person -1; second
   units (households) are counted by their numbers as persons are;
3. the aggregates by key.

Literals never enter the text: they are bound, in the order in which `Statement.values` lists them. Codes are widened
before arithmetic and values clamped before they are multiplied, so that no row can overflow, least of all one that
takes no part.

A key travels as its column's own code where the codes of all keys span few combinations ("raw"), and `roll_up` adds
the groups into cells. Elsewhere, and wherever persons are counted (a person may stand in two codes of one bin), it is
first turned into the number of its bucket: `keys` says how.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datasets.engines.expressions import (
    Bound,
    Node,
    Operand,
    all_of,
    any_of,
    cast,
    code,
    count_if,
    listed,
    mask,
    masked,
    name,
    split,
    text,
    total,
)
from datasets.engines.format import PERSON, RANK, ROW_NUMBER, TABLE, code_type, is_column, unit_name
from datasets.engines.keys import (
    ByBin,
    ByBinOfCode,
    CodeTable,
    GroupKey,
    codes_of,
    key_of,
    within,
)
from privacy.exact import AxisSubset, ExactAggregate, ExactRequest, cells_over
from privacy.filters import Every, Filter, Member
from privacy.noise import Integers
from privacy.plan import Plan
from privacy.schema import Column

# Up to so many groups take little memory, and adding them into cells little time.
RAW_GROUPS_MAX = 1 << 18
# Needs a statement of its own: its groups are not those of plain aggregates.
ALONE = ("persons", "histogram", "person_total", "values", "value_persons", "units")
# Has a row for each bin or value even where there are no keys.
GROUPED = ("histogram", "values", "value_persons")
VALUES = ("values", "value_persons")
BY_PERSON = ("persons", "person_total", "value_persons", "units")
# Only rows count where the column is not missing.
OF_PRESENT = ("person_total", "values", "value_persons")

# A comparison takes about a nanosecond a row, a look-up ten, a search ten or twenty a step; binding an entry of a list
# takes a tenth of a microsecond, once.
INTERVALS_COMPARED_MAX, INTERVALS_COMPARED_MAX_WITHOUT_TABLE = 16, 128
ENTRIES_AN_INTERVAL_MAX = 256

# Above every code: codes and their sums stay below 2^62.
CODE_NEVER = 2**63 - 1
# The number of nobody, who stands for the rows that take no part.
OUTSIDE: Node = ("number", -1)
ZERO: Node = ("number", 0)


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text with `?` placeholders and the values to bind.

    Its result is the group's keys, or 0 where there are none, then one column for each exact.
    """

    text: str
    values: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Pass:
    """One statement's part of a plan: exact integers over the same cells and rows."""

    over: AxisSubset
    exacts: tuple[ExactAggregate, ...]

    @property
    def first(self) -> ExactAggregate:
        """What stands alone in its pass, such as a histogram; else the first of several."""
        return self.exacts[0]


def passes(plan: Plan) -> tuple[Pass, ...]:
    """The statements that a plan needs."""
    together: dict[tuple[AxisSubset, bool, ExactAggregate | None], list[ExactAggregate]] = {}
    for over, exact in plan.exact_requests:
        # The aggregate itself is part of the key, so that nothing else can join its statement.
        alone = exact if exact.kind in ALONE else None
        together.setdefault((over, exact.all_rows, alone), []).append(exact)
    return tuple(Pass(key[0], tuple(exacts)) for key, exacts in together.items())


def statement(plan: Plan, part: Pass, dialect: str) -> Statement:
    """The aggregate statement of one pass."""
    blank, values = split(_aggregated(plan, part))
    return Statement(text(blank, dialect), values)


def roll_up(plan: Plan, part: Pass, columns: Sequence[Integers]) -> dict[ExactRequest, Integers]:
    """Add the statement's groups into the plan's cells; cells without a group are zero."""
    keys = _keys(plan, part)
    cells = np.zeros(len(columns[0]), dtype=np.int64)
    for key, found in zip(keys, columns, strict=False):
        bucket = key.buckets(found)
        cells = np.where((cells < 0) | (bucket < 0), -1, cells * key.size + bucket)
    # Groups between two buckets belong to no cell: no row is left out before it is counted.
    inside = cells >= 0
    places, totals = cells[inside], {}
    for exact, column in zip(part.exacts, columns[len(keys) :], strict=True):
        summed = np.zeros(cells_over(plan.axes, part.over) * exact.size, dtype=np.int64)
        # Several groups fall into one cell, which `summed[places] += column` would count once.
        np.add.at(summed, places, column[inside])
        totals[part.over, exact] = summed
    return totals


def one_cell(part: Pass, row: Sequence[int]) -> dict[ExactRequest, Integers]:
    """The exact integers of a pass without keys, from the statement's only row."""
    return {
        (part.over, exact): np.array([value], dtype=np.int64)
        for exact, value in zip(part.exacts, row[1:], strict=True)
    }


def values_found(plan: Plan, part: Pass, columns: Sequence[Integers]) -> dict[ExactRequest, Integers]:
    """Codes and counts of the values that occur: which of them are released is for the noise to decide."""
    codes, counts = columns
    # The code of missing stands for the rows that take no part as well.
    occurring = codes != plan.schema.queryable[part.first.column].missing
    return {(part.over, part.first): np.stack([codes[occurring], counts[occurring]])}


def is_grouped(part: Pass) -> bool:
    """Whether the statement has a row for each group, rather than one row."""
    return bool(part.over) or part.first.kind in GROUPED


def is_of_values(part: Pass) -> bool:
    """Whether the groups are the values of an undeclared column."""
    return part.first.kind in VALUES


# Keys


def _keys(plan: Plan, part: Pass) -> list[GroupKey]:
    """What the statement groups by, the values of an undeclared column aside."""
    columns, first = plan.schema.queryable, part.first
    axes = [plan.axes[place] for place in part.over]
    combinations = math.prod(codes_of(columns[axis.column]) for axis in axes) * first.size
    # A person who stands in two codes of one bucket must be counted once there, so no adding up afterwards.
    raw = first.kind not in BY_PERSON and combinations <= RAW_GROUPS_MAX
    keys = [key_of(axis, columns[axis.column], raw=raw) for axis in axes]
    if first.kind == "histogram":
        column = columns[first.column]
        codes = codes_of(column) * combinations // first.size
        keys.append((ByBinOfCode if raw and codes <= RAW_GROUPS_MAX else ByBin)(column, first))
    return keys


# Level 1: rows


class _Rows:
    """The rows with what the levels above ask for, each by a name."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self._names: dict[Operand, str] = {}
        self._added: dict[Operand, str] = {}
        self._lists: list[Operand] = []
        self._searches: list[_Search] = []

    def shown(self, value: Operand, prefix: str) -> Node:
        """A value computed once a row, however often it is asked for."""
        taken = sum(known.startswith(prefix) for known in self._names.values())
        return name(self._names.setdefault(value, f"{prefix}{taken}"))

    def added(self, value: Operand) -> Node:
        """A value computed once a row from those shown."""
        return name(self._added.setdefault(value, f"v{len(self._added)}"))

    def column(self, of: Node) -> Node:
        """A column of the table as it is."""
        return name(self._names.setdefault(of, str(of[1])))

    def looked_up(self, column: int, table: CodeTable, entries: Sequence[int], kind: str) -> Node:
        """The entry that a row's code has in a table, as that type."""
        return ("entry", self._beside(listed(entries, kind)), table.expression(column))

    def edges_passed(self, column: int, edges: Sequence[int]) -> Node:
        """How many of the ascending edges a row's code reaches, found by bisection."""
        levels = len(edges).bit_length()
        # A code that no row has fills the list up to a whole tree.
        padded = [*edges, *[CODE_NEVER] * (2**levels - 1 - len(edges))]
        search = _Search(len(self._searches), code(column), self._beside(listed(padded, "BIGINT")), levels)
        self._searches.append(search)
        return search.name_of(0)

    def _beside(self, numbers: Node) -> Node:
        self._lists.append(numbers)
        return name(f"l{len(self._lists) - 1}")

    def source(self) -> Node:
        """Where the level above selects from."""
        if not self._names:
            return ("table", TABLE)
        inner = self._flat()
        if self._lists:
            inner = ("beside", inner, tuple(self._lists))
        for level in reversed(range(max((search.levels for search in self._searches), default=0))):
            steps = tuple(search.step(level) for search in self._searches if level < search.levels)
            inner = ("extended", steps, inner)
        marked: Node = ("subquery", ("select", tuple(self._names.items()), inner, ()), "marked")
        if not self._added:
            return marked
        kept = tuple((name(known), known) for known in self._names.values())
        return ("subquery", ("select", (*kept, *self._added.items()), marked, ()), "valued")

    def _flat(self) -> Node:
        """The table's columns that are asked for, each ORed with a zero that DuckDB computes for every row.

        Where all values of a segment are equal, it is stored and computed with as one value: a person who alone has
        another would be seen.
        """
        used = sorted(_columns_in((*self._names, *(search.value for search in self._searches))))
        if not used:
            return ("table", TABLE)
        zero = cast(("<", name(ROW_NUMBER), ("number", 0)), "TINYINT")
        columns = ((zero, "zero"), *((name(column), column) for column in used))
        numbered: Node = ("subquery", ("select", columns, ("table", TABLE), ()), "numbered")
        flat = tuple((("|", name(column), name("zero")), column) for column in used)
        return ("subquery", ("select", flat, numbered, ()), "flat")


def _columns_in(part: object) -> set[str]:
    """The columns of the table that nodes ask for."""
    if not isinstance(part, tuple):
        return set()
    if part and part[0] == "name":
        return {str(part[1])} if is_column(str(part[1])) else set()
    return set().union(*map(_columns_in, part))


@dataclass(frozen=True, slots=True)
class _Search:
    """A binary search in a list of 2^levels - 1 edges, one bit of the result a step, the highest first."""

    number: int
    value: Node
    edges: Node
    levels: int

    def name_of(self, level: int) -> Node:
        """What is found once all bits down to this one are known."""
        return name(f"s{self.number}_{level}")

    def step(self, level: int) -> tuple[Node, str]:
        bit: Node = ("number", 1 << level)
        first = level == self.levels - 1
        edge: Node = ("entry", self.edges, bit if first else ("|", self.name_of(level + 1), bit))
        reached = masked(bit, ("<=", edge, self.value), "INTEGER")
        found: Node = reached if first else ("|", self.name_of(level + 1), reached)
        return found, str(self.name_of(level)[1])


def _condition_of_rows(plan: Plan, part: Pass, rows: _Rows) -> Node | None:
    """Whether a row takes part in the pass, by its name; None where all do."""
    first, tests = part.first, list[Operand]()
    if plan.filter != Every():
        tests.append(_condition(plan.filter, rows))
    # Ranks beyond the plan's bound must be left out.
    if plan.bound < plan.schema.rows_per_person and not first.all_rows:
        tests.append(("<=", name(RANK), Bound(plan.bound)))
    if first.kind in BY_PERSON and first.where is not None:
        tests.append(_condition(first.where, rows))
    if first.kind in OF_PRESENT:
        tests.append(_is_present(code(first.column), rows.columns[first.column]))
    return rows.shown(all_of(*tests), "f") if tests else None


def _condition(tree: Filter, rows: _Rows) -> Operand:
    """A filter as one truth value, every term of it computed for every row."""
    if isinstance(tree, Member):
        return _membership(tree, rows)
    if not tree.terms:
        return ("true",) if isinstance(tree, Every) else ("false",)
    combine = all_of if isinstance(tree, Every) else any_of
    return combine(*(_condition(term, rows) for term in tree.terms))


def _membership(member: Member, rows: _Rows) -> Operand:
    """Whether a code lies in one of the intervals: by comparisons, or where they are many by way of a list."""
    value, intervals = code(member.column), member.intervals
    if len(intervals) > INTERVALS_COMPARED_MAX:
        table = CodeTable.of(rows.columns[member.column], intervals)
        if table.size <= ENTRIES_AN_INTERVAL_MAX * len(intervals):
            entries = table.entries([(interval, 1) for interval in intervals], outside=0)
            return rows.looked_up(member.column, table, entries, "BOOLEAN")
        if len(intervals) > INTERVALS_COMPARED_MAX_WITHOUT_TABLE:
            # Inside one of them an odd number of edges lies behind.
            edges = [edge for low, high in intervals for edge in (low, high + 1)]
            return cast(("&", rows.edges_passed(member.column, edges), ("number", 1)), "BOOLEAN")
    return any_of(
        *(
            ("=", value, Bound(low)) if low == high else ("between", value, Bound(low), Bound(high))
            for low, high in intervals
        )
    )


def _is_present(value: Node, column: Column) -> Node:
    # Missing is the code below the lowest.
    return (">=", value, Bound(column.low))


# Level 3 and, where there are no persons, all that is above the rows


def _aggregated(plan: Plan, part: Pass) -> Node:
    rows = _Rows(plan.schema.queryable)
    keys = [_named_key(key, rows) for key in _keys(plan, part)]
    if _first_rows_tell(plan, part):
        # Every person has a row of rank 1, so that persons are counted without telling them apart.
        tests: list[Operand] = [("=", rows.column(name(RANK)), ("number", 1))]
        if plan.filter != Every():
            tests.append(rows.shown(_condition(plan.filter, rows), "f"))
        return _grouped(keys, [count_if(all_of(*tests))], rows.source())
    taking_part = _condition_of_rows(plan, part, rows)
    if part.first.kind in VALUES:
        value = rows.column(code(part.first.column))
        # The code of missing, -1, wherever the row takes no part.
        assert taking_part is not None
        keys = [(("|", value, mask(("not", taking_part), "BIGINT")), "value")]
    if part.first.kind in BY_PERSON:
        return _of_persons(part.first, keys, taking_part, rows)
    aggregates = [_aggregate(exact, taking_part, rows) for exact in part.exacts]
    return _grouped(keys, aggregates, rows.source())


Named = tuple[Node, str]


def _named_key(key: GroupKey, rows: _Rows) -> Named:
    known = rows.shown(key.expression(rows), "k")
    return known, str(known[1])


def _grouped(keys: Sequence[Named], aggregates: Sequence[Node], source: Node) -> Node:
    """The aggregates by keys, or one row of 0 and the aggregates."""
    columns = (*(keys or [(ZERO, "k")]), *((one, f"a{place}") for place, one in enumerate(aggregates)))
    return ("select", columns, source, tuple(known for _, known in keys))


def _aggregate(exact: ExactAggregate, taking_part: Node | None, rows: _Rows) -> Node:
    """An aggregate over rows, of which those outside the condition add nothing."""
    tests: list[Operand] = [] if taking_part is None else [taking_part]
    if exact.where is not None:
        tests.append(rows.shown(_condition(exact.where, rows), "w"))
    if exact.kind in ("total", "square"):
        return total(_added(exact, all_of(*tests) if tests else None, rows))
    if exact.kind == "present":
        tests.append(_is_present(rows.column(code(exact.column)), rows.columns[exact.column]))
    return count_if(all_of(*tests)) if tests else cast(("count",), "BIGINT")


def _added(exact: ExactAggregate, test: Operand | None, rows: _Rows) -> Operand:
    """What a row adds to a sum: its clamped code or (the square of) its distance, 0 where missing or outside."""
    value = rows.added(_clamped(exact, [] if test is None else [test], rows))
    # Clamped already, so that no row's square leaves 64 bits.
    return ("*", value, value) if exact.kind == "square" else value


def _clamped(exact: ExactAggregate, tests: Sequence[Operand], rows: _Rows) -> Node:
    """The clamped code, or its distance above the lower clamp in grids; 0 where missing or a test fails.

    A clamp no tighter than the stored codes is left out: registration has clamped to those already.
    """
    column, value = rows.columns[exact.column], rows.column(code(exact.column))
    if exact.grid:
        # Rounded to the nearest grid: half a grid is added before a division that truncates.
        half = exact.grid // 2
        inner: Node = ("-", cast(value, "BIGINT"), Bound(exact.low - half))
        inner = ("//", inner, Bound(exact.grid)) if exact.grid > 1 else inner
        kind, top = "BIGINT", (exact.high - exact.low + half) // exact.grid
    else:
        inner, kind, top = value, code_type(column), exact.high
    clamped = masked(inner, all_of(*tests, *within(value, column, exact)), kind)
    if exact.high < column.high:
        above: Node = (">", value, Bound(exact.high))
        clamped = ("|", clamped, masked(cast(Bound(top), kind), all_of(*tests, above), kind))
    if not exact.grid and exact.low > column.low:
        below: Node = ("between", value, Bound(column.low), Bound(exact.low - 1))
        clamped = ("|", clamped, masked(cast(Bound(exact.low), kind), all_of(*tests, below), kind))
    return clamped


# Level 2: persons


def _first_rows_tell(plan: Plan, part: Pass) -> bool:
    """Whether a person is counted in the cell of its row of rank 1, or nowhere as that is.

    So it is where all keys and conditions are about columns of which all rows of a person have one code.
    """
    asked = {plan.axes[place].column for place in part.over} | _columns_of(plan.filter)
    constant = all(plan.schema.queryable[place].constant_per_person for place in asked)
    return part.first == ExactAggregate(kind="persons") and constant


def _columns_of(tree: Filter) -> set[int]:
    """The numbers of the columns that a filter asks about."""
    if isinstance(tree, Member):
        return {tree.column}
    return set().union(*map(_columns_of, tree.terms))


def _of_persons(exact: ExactAggregate, keys: Sequence[Named], taking_part: Node | None, rows: _Rows) -> Node:
    """Aggregates over one row a key and person, or a key and second unit."""
    of_units = exact.kind == "units"
    person: Node = rows.column(name(unit_name(exact.column) if of_units else PERSON))
    if taking_part is not None:
        # All rows that take no part are one person, so that they cost no memory.
        person = ("|", person, mask(("not", taking_part), "INTEGER"))
    columns = [*keys, (person, "p")]
    if exact.kind == "person_total":
        # Masked as well, or the rows outside, all one person's, could leave 64 bits together.
        columns.append((total(_added(exact, taking_part, rows)), "total"))
    each = ("select", tuple(columns), rows.source(), tuple(known for _, known in columns[: len(keys) + 1]))
    # A row that names no unit has its number 0, and counts none.
    is_person: Node = (">", name("p"), ZERO if of_units else OUTSIDE)
    aggregate = (
        count_if(is_person) if exact.kind != "person_total" else total(_clamped_total(exact, is_person))
    )
    return _grouped([(name(known), known) for _, known in keys], [aggregate], ("subquery", each, "persons"))


def _clamped_total(exact: ExactAggregate, is_person: Node) -> Node:
    """A person's total, clamped as a whole; 0 for the rows that take no part."""
    low, high, of_person = exact.person_low, exact.person_high, name("total")
    inside: Node = ("between", of_person, Bound(low), Bound(high))
    ends = (
        masked(cast(Bound(end), "BIGINT"), all_of(is_person, (side, of_person, Bound(end))), "BIGINT")
        for side, end in (("<", low), (">", high))
    )
    kept: Node = masked(of_person, all_of(is_person, inside), "BIGINT")
    for end in ends:
        kept = ("|", kept, end)
    return kept
