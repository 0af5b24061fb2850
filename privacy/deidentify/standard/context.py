"""The context of an examination: the two tables, how their rows belong together, and the thresholds.

It refuses tables and roles that do not fit each other, before any check is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.classes import grouped
from privacy.deidentify.errors import DeidentifyError
from privacy.deidentify.hierarchies.hierarchy import SUPPRESSED, Hierarchy
from privacy.deidentify.table import Codes, Column, Role, Table
from privacy.words import Words

BLANKS = frozenset(("", SUPPRESSED))
"""Cells that hold no value: missing in the source, or suppressed."""
KEPT = (Role.QUASI, Role.SENSITIVE, Role.INSENSITIVE)


class BadExamination(DeidentifyError):
    """Source, output and roles do not fit together."""

    code = "bad_examination"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Where a figure becomes a finding: policy of the administrative body, none of it is in the law."""

    persons_min: int = 10
    """A value held by fewer persons is singular. Ten follows the small-cell rule that many publishers use."""
    k: int = 5
    """The least number of persons with the same quasi-identifiers."""
    age_top: int = 90
    """Ages from here on are singular if fewer than `persons_min` hold them (Kyoto city's example is age 120)."""
    household_large: int = 9
    """A household from this size on is singular."""
    unique_pairs_micro: int = 1_000
    """The share of records, in millionths, that two attributes together may single out."""
    unique_triples_micro: int = 10_000
    """The share of records, in millionths, that three attributes together may single out."""
    order_correlation_micro: int = 100_000
    """The rank correlation of the output's order with the source, in millionths, that chance must not exceed."""
    history_ratio: int = 2
    """A person with this many times the rows of the 99.9th percentile has a long history."""
    linked_records: int = 0
    """How many records may have exactly one partner in the reference."""
    hash_tries: int = 200_000
    """How many distinct source values are hashed and looked for, evenly spread."""
    combination_cells: int = 300_000_000
    """Rows × combinations: beyond this, combinations are not looked at and the reviewer is told."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise BadExamination(
                    Words(
                        ja=f"{name} は 0 以上の整数でなければなりません（指定された値：{value!r}）。",
                        en=f"{name} must be a whole number of at least 0, not {value!r}",
                    )
                )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ExaminationContext:
    """What every check may look at: both tables, their roles, and how their rows belong together."""

    source: Table
    published: Table
    roles: Mapping[str, Role]
    hierarchies: Mapping[str, Hierarchy]
    origin: NDArray[np.intp] | None
    """The source row of each row of the output; None where it is not known and the numbers of rows differ."""
    origin_given: bool
    """Whether the caller gave the origin; else it is a guess by position, which a check must not rely on alone."""
    unit: str | None
    reference: Table | None
    thresholds: Thresholds
    persons: Codes | None
    """A number for the person of each row of the output, if known."""

    @property
    def rows(self) -> int:
        """Rows of the output."""
        return self.published.rows

    def kept(self, *roles: Role) -> tuple[Column, ...]:
        """The output's columns of some roles, by default all that are not identifiers, codes or links."""
        # Identifiers, codes and links are the matter of items 1 to 3: here each of their values would be rare.
        wanted = roles or KEPT
        return tuple(column for name, column in self.published.items() if self.roles.get(name) in wanted)


def blank(column: Column) -> NDArray[np.bool_]:
    """The rows of a column without a value."""
    blanks = np.fromiter((value in BLANKS for value in column.values), np.bool_, len(column.values))
    return blanks[column.codes] if len(column.values) else np.zeros(len(column), np.bool_)


def present(column: Column) -> NDArray[np.intp]:
    """The places of the values that some row has, blanks aside."""
    # A column taken from a larger table keeps the values of rows that are gone: those are not in the output.
    used = np.flatnonzero(column.counts() > 0)
    return np.array([place for place in used if column.values[place] not in BLANKS], dtype=np.intp)


def rows_holding(column: Column, places: NDArray[np.intp]) -> NDArray[np.bool_]:
    """The rows that have one of the values at some places."""
    wanted = np.zeros(len(column.values), np.bool_)
    wanted[places] = True
    return wanted[column.codes] if len(column.values) else np.zeros(len(column), np.bool_)


def numbers(column: Column) -> NDArray[np.float64] | None:
    """The values as numbers, blanks as NaN; None where one in use is not a number, or none is in use."""
    places = present(column)
    if not len(places):
        return None
    texts = [column.values[place] for place in places]
    try:
        parsed = np.array([float(text) for text in texts])
    except ValueError:
        return None
    # float() reads "nan" and "inf", which in a file are words.
    if not np.isfinite(parsed).all():
        return None
    whole = np.full(len(column.values), np.nan)
    whole[places] = parsed
    return whole


def repeats(columns: Sequence[Column]) -> NDArray[np.int64]:
    """For each row, how many rows agree with it in all of the columns."""
    # A column without values still takes part, as one that is the same everywhere.
    ranks, count = grouped(((c.codes, max(1, len(c.values))) for c in columns), len(columns[0]))
    times: NDArray[np.int64] = np.bincount(ranks, minlength=count).astype(np.int64)[ranks]
    return times


def holders(column: Column, persons: Codes | None) -> NDArray[np.int64]:
    """How many persons have each value of a column; rows are counted where persons are not known."""
    if persons is None:
        return column.counts()
    width = int(persons.max(initial=0)) + 1
    # A person with a value in many rows counts once: the standard protects persons, not rows.
    pairs = np.sort(column.codes.astype(np.int64) * width + persons)
    first = np.append(True, pairs[1:] != pairs[:-1])
    return np.bincount(pairs[first] // width, minlength=len(column.values)).astype(np.int64)


def _origin(
    source: Table,
    published: Table,
    *,
    origin: NDArray[np.intp] | None,
    suppressed: NDArray[np.bool_] | None,
) -> NDArray[np.intp] | None:
    if origin is not None:
        if len(origin) != published.rows:
            raise BadExamination(
                Words(
                    ja=f"元の行の番号が {len(origin)} 件ですが、加工後のデータは {published.rows} 行です。",
                    en=f"origin has {len(origin)} entries, the output {published.rows} rows",
                )
            )
        if len(origin) and not 0 <= int(origin.min()) <= int(origin.max()) < source.rows:
            raise BadExamination(
                Words(
                    ja=f"元の行の番号に、元データの {source.rows} 行の範囲外のものがあります。",
                    en=f"origin names rows outside the source's {source.rows}",
                )
            )
        return origin
    if suppressed is not None and len(suppressed) != source.rows:
        raise BadExamination(
            Words(
                ja=f"suppressed は {len(suppressed)} 件ですが、元データは {source.rows} 行です。",
                en=f"suppressed has {len(suppressed)} entries, the source {source.rows} rows",
            )
        )
    # Equal numbers of rows may still be shuffled: `item3.rows_placed` looks whether unchanged columns agree.
    if published.rows == source.rows:
        return np.arange(source.rows, dtype=np.intp)
    if suppressed is not None and int((~suppressed).sum()) == published.rows:
        return np.flatnonzero(~suppressed)
    if suppressed is not None:
        left = int((~suppressed).sum())
        raise BadExamination(
            Words(
                ja=f"削除されていない行は {left} 行ですが、加工後のデータは {published.rows} 行です。",
                en=f"{left} rows are not suppressed, and the output has {published.rows}",
            )
        )
    return None


def _check_names(source: Table, published: Table, roles: Mapping[str, Role], unit: str | None) -> None:
    known = source.keys() | published.keys()
    if absent := ", ".join(sorted(roles.keys() - known)):
        raise BadExamination(
            Words(
                ja=f"roles に、どちらのデータにもない項目があります：{absent}。",
                en=f"roles names columns that neither table has: {absent}",
            )
        )
    if unit is not None and unit not in known:
        raise BadExamination(
            Words(
                ja=f"本人を示す項目「{unit}」はどちらのデータにもありません。",
                en=f"the unit {unit!r} is a column of neither table",
            )
        )
    # An empty table would pass every check, and a report of checks passed would be about nothing.
    if not len(source) or not source.rows:
        raise BadExamination(
            Words(ja="元データに項目又は行がありません。", en="the source has no columns or no rows")
        )
    if not len(published) or not published.rows:
        raise BadExamination(
            Words(ja="加工後のデータに項目又は行がありません。", en="the output has no columns or no rows")
        )


def context_of(
    source: Table,
    published: Table,
    roles: Mapping[str, Role],
    *,
    hierarchies: Mapping[str, Hierarchy] | None,
    suppressed: NDArray[np.bool_] | None,
    origin: NDArray[np.intp] | None,
    unit: str | None,
    reference: Table | None,
    thresholds: Thresholds,
) -> ExaminationContext:
    """The context, checked.

    `roles` by column of either table, `suppressed` a mask over source rows, `origin` the source row of each output
    row, `unit` the column that names the person. Raises `BadExamination` where they do not fit together.
    """
    _check_names(source, published, roles, unit)
    rows = _origin(source, published, origin=origin, suppressed=suppressed)
    persons: Codes | None = None
    # The source's codes come first: in the output persons may be renumbered, blanked or left out.
    if unit is not None and unit in source and rows is not None:
        persons = source[unit].codes[rows]
    elif unit is not None and unit in published:
        persons = published[unit].codes
    return ExaminationContext(
        source=source,
        published=published,
        roles=roles,
        hierarchies=hierarchies or MappingProxyType({}),
        origin=rows,
        origin_given=origin is not None,
        unit=unit,
        reference=reference,
        thresholds=thresholds,
        persons=persons,
    )
