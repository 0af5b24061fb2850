"""Attacks run for real on a published table: linkage by quasi-identifiers, and minimality.

Each attacker is given the source and never the levels or schemes that were chosen. Figures say how far persons
were narrowed down; they're evidence, not a promise about other attackers.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify import classes as cl
from privacy.deidentify.classes import Classes, Ints, Mask, Places
from privacy.deidentify.errors import DeidentifyError
from privacy.deidentify.hierarchies.hierarchy import SUPPRESSED, Hierarchy
from privacy.deidentify.randomness import Draws
from privacy.deidentify.table import Codes, Column, Table
from privacy.words import Words

Bits = NDArray[np.uint64]
Floats = NDArray[np.float64]

TARGETS_MAX = 50_000
CELLS_MAX = 1 << 26
"""Targets times published tuples that are laid out at once: 64 MiB as bytes, 8 MiB as bits."""
WORLDS_MAX = 50_000

RANGE = re.compile(r"\[\s*([^\s,;\[\]]+)\s*[,;]\s*([^\s,;\[\]()]+)\s*([\]\[)])")
SET = re.compile(r"\{(.*)\}")


# -- what a published label covers ----------------------------------------------------------------------------


def covers(published: Column, source: Column, *, hierarchy: Hierarchy | None = None) -> Mask:
    """Which source values each published label may stand for, [labels, source values].

    A label covers itself, on any level of the hierarchy its leaves, `*` everything, `[a, b]` and `[a, b[` the
    numbers between, `{a, b}` the values listed. A label in use that is none of these is a fault, as an attacker
    who can't read it would look harmless.
    """
    # A label may have several readings, and an attacker takes all of them: what one reading covers is covered.
    labels = {label: place for place, label in enumerate(published.values)}
    found = np.zeros((len(published.values), len(source.values)), dtype=np.bool_)
    read = np.zeros(len(published.values), dtype=np.bool_)
    for place, value in enumerate(source.values):
        if value in labels:
            found[labels[value], place] = read[labels[value]] = True
    if hierarchy is not None:
        _cover_leaves(found, read, labels, source, hierarchy)
    # Texts that are no numbers become NaN, which lies in no range.
    numbers = np.array([_number(value) for value in source.values])
    for place, label in enumerate(published.values):
        covered = _covered(label, source, numbers)
        if covered is not None:
            found[place] |= covered
            read[place] = True
    # Labels that no row uses may be unreadable: a column keeps the values of the table that it was taken from.
    unread = int((~read & (published.counts() > 0)).sum())
    if unread:
        raise DeidentifyError(
            Words(
                ja=f"項目 {published.name} の公表されたラベル {unread} 個が、元の値、一般化階層のラベル、範囲、"
                "値の集合のいずれでもないため、攻撃の試験で解釈できません",
                en=f"the attack can't read {unread} published labels of column {published.name}: "
                "no value of the source, label of the hierarchy, range or set",
            )
        )
    return found


def _cover_leaves(
    found: Mask, read: Mask, labels: dict[str, int], source: Column, hierarchy: Hierarchy
) -> None:
    known = {value: place for place, value in enumerate(hierarchy.domain)}
    leaves = np.array([known.get(value, -1) for value in source.values], dtype=np.intp)
    inside = np.flatnonzero(leaves >= 0)
    for texts, places in zip(hierarchy.labels, hierarchy.maps, strict=True):
        places_published = np.array([labels.get(text, -1) for text in texts], dtype=np.intp)
        read[places_published[places_published >= 0]] = True
        label = places_published[places[leaves[inside]]]
        found[label[label >= 0], inside[label >= 0]] = True


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _covered(label: str, source: Column, numbers: Floats) -> Mask | None:
    """The source values under a label that says so by itself."""
    if label == SUPPRESSED:
        return np.ones(len(numbers), dtype=np.bool_)
    if (ends := RANGE.fullmatch(label)) is not None:
        low, high = _number(ends[1]), _number(ends[2])
        return np.asarray((numbers >= low) & (numbers <= high if ends[3] == "]" else numbers < high))
    if (listed := SET.fullmatch(label)) is not None:
        among = {value.strip() for value in listed[1].split(",")}
        return np.array([value in among for value in source.values], dtype=np.bool_)
    return None


# -- linkage --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linkage:
    """What somebody learns who knows all quasi-identifiers of a person and that he is in the table.

    Candidates are the persons (records, where a record is a person) whose published labels cover all the
    target knows. `targets` of them are published, `suppressed_targets` are suppressed; suppressed records fit
    everybody, so candidates are counted without them (`least`, `mean`, of published targets) and with them
    (`least_with_suppressed`, `mean_with_suppressed`, of all targets). Shares are of published targets:
    `narrowed` to fewer than k, `unique` to one, `correct` to one who is the target, `covered` with the target
    among the candidates, `success` the expected share of right guesses among candidates. Of suppressed targets,
    `narrowed_suppressed` is the share with fewer than k candidates, suppressed records counted; they learn at
    most what a suppressed record still says. `rows` are the source rows behind `narrowed`.
    Where there is no target a least is infinite and a share or mean 0.
    """

    k: int
    targets: int
    suppressed_targets: int
    least: float
    mean: float
    least_with_suppressed: float
    mean_with_suppressed: float
    narrowed: float
    unique: float
    correct: float
    covered: float
    success: float
    narrowed_suppressed: float
    rows: Places


@dataclass(frozen=True, kw_only=True, eq=False)
class MatchedRecords:
    """Source and published table, rows matched: published row i comes from source row `origin[i]`.

    Without `origin` the rows are in the same order. `suppressed` and `units` are of published rows; source rows
    that were not published are nobody's target.
    """

    source: Table
    published: Table
    suppressed: Mask
    origin: Places | None = None
    units: Codes | None = None

    def __post_init__(self) -> None:
        assert self.suppressed.shape == (self.published.rows,)
        assert self.origin is not None or self.source.rows == self.published.rows

    def targets(self, most: int, draws: Draws | None) -> Places:
        """Published rows whose persons are attacked: all, or a random sample if there are more than `most`."""
        rows = np.arange(self.published.rows)
        if len(rows) <= most:
            return rows
        # Without a seed the report could not be made again, so there is no default.
        if draws is None:
            raise DeidentifyError(
                Words(
                    ja=f"{len(rows)} 行のうち {most} 行を選んで攻撃を試すには、抽出のためのシードが必要です",
                    en=f"an attack on {most} of {len(rows)} rows needs a seed to draw them by",
                )
            )
        return np.sort(draws.choice(len(rows), most, replace=False))

    def origins(self, rows: Places) -> Places:
        """The source rows of some published rows."""
        return rows if self.origin is None else self.origin[rows]


def linkage(
    records: MatchedRecords,
    quasi: Sequence[str],
    *,
    hierarchies: Mapping[str, Hierarchy],
    k: int,
    targets_max: int = TARGETS_MAX,
    draws: Draws | None = None,
) -> Linkage:
    """Attack every person, or `targets_max` of them drawn by `draws`, with all true quasi-identifiers known."""
    rows = records.targets(targets_max, draws)
    # Targets alike in all quasi-identifiers have the same candidates: the work is by distinct tuples on both sides.
    crowd = _PublishedTuples(records, quasi)
    known = Table([_in_use(records.source[name].take(records.origins(rows))) for name in quasi])
    tuples = cl.classes(known, quasi)
    table = known.take(tuples.first)
    matrices = [covers(crowd.columns[name], known[name], hierarchy=hierarchies.get(name)).T for name in quasi]
    alone, together = np.zeros(len(tuples), dtype=np.int64), np.zeros(len(tuples), dtype=np.int64)
    own = np.zeros(len(rows), dtype=np.bool_)
    order = np.argsort(tuples.of, kind="stable")
    step = max(1, CELLS_MAX // max(1, len(crowd.classes), crowd.pairs))
    for start in range(0, len(tuples), step):
        some = slice(start, start + step)
        bits = crowd.fitting(
            [(name, m, table[name].codes[some]) for name, m in zip(quasi, matrices, strict=True)]
        )
        alone[some], together[some] = crowd.counted(bits)
        # `order` sorts targets by tuple, so that those of this step are one slice of it.
        mine = order[slice(*np.searchsorted(tuples.of[order], (start, start + step)))]
        own[mine] = crowd.has(bits, tuples.of[mine] - start, rows[mine])
    return _linked(records, rows, k, alone[tuples.of], together[tuples.of], own)


def _linked(records: MatchedRecords, rows: Places, k: int, alone: Ints, together: Ints, own: Mask) -> Linkage:
    hidden = records.suppressed[rows]
    shown, mine = alone[~hidden], own[~hidden]
    return Linkage(
        k=k,
        targets=len(shown),
        suppressed_targets=int(hidden.sum()),
        least=float(shown.min()) if len(shown) else math.inf,
        mean=_mean(shown),
        least_with_suppressed=float(together.min()) if len(together) else math.inf,
        mean_with_suppressed=_mean(together),
        narrowed=_mean(shown < k),
        unique=_mean(shown == 1),
        correct=_mean((shown == 1) & mine),
        covered=_mean(mine),
        # A target without candidates cannot be guessed: 0 of 1.
        success=_mean(mine / np.maximum(shown, 1)),
        narrowed_suppressed=_mean(together[hidden] < k),
        rows=np.sort(records.origins(rows[~hidden][shown < k])),
    )


def _mean(amounts: Mask | Ints | Floats) -> float:
    return float(np.mean(amounts)) if len(amounts) else 0.0


def _in_use(column: Column) -> Column:
    """The column with only those values that some row has."""
    places, codes = np.unique(column.codes, return_inverse=True)
    return Column(column.name, tuple(column.values[place] for place in places), codes.astype(np.int32))


class _PublishedTuples:
    """The distinct published tuples as bit positions, and who stands behind each.

    Whether a tuple fits a target is one bit for each column, and the tuples that fit in all columns are the AND of
    rows of words.
    """

    def __init__(self, records: MatchedRecords, quasi: Sequence[str]) -> None:
        self.classes: Classes = cl.classes(records.published, quasi, rows=~records.suppressed)
        self.columns = Table([_in_use(records.published[name].take(self.classes.first)) for name in quasi])
        self.words = max(1, -(-len(self.classes) // 64))
        self._suppressed = int(records.suppressed.sum())
        self._planes = self._planes_of(self.classes.sizes)
        self._persons = None if records.units is None else _PersonsOfTuples(self.classes, records)
        self._bits: dict[str, Bits] = {}

    @property
    def pairs(self) -> int:
        """The pairs of person and tuple, 0 where records are persons."""
        return 0 if self._persons is None else len(self._persons.of)

    def _packed(self, flags: Mask) -> Bits:
        """Flags [n, tuples] as words [n, words]."""
        # packbits fills bytes; padding to whole words lets eight of them be ANDed at once.
        padded = np.zeros((len(flags), self.words * 8), dtype=np.uint8)
        bits = np.packbits(flags, axis=1, bitorder="little")
        padded[:, : bits.shape[1]] = bits
        return padded.view(np.uint64)

    def _planes_of(self, sizes: Ints) -> Bits:
        """The binary digits of the sizes, one row of words for each digit."""
        digits = np.arange(int(sizes.max(initial=0)).bit_length())
        return self._packed((sizes[None, :] >> digits[:, None] & 1).astype(np.bool_))

    def fitting(self, columns: Sequence[tuple[str, Mask, Codes]]) -> Bits:
        """The tuples that fit each target: `covers` by value [values, labels] and each target's value, ANDed."""
        bits: Bits | None = None
        for name, by_value, wanted in columns:
            if name not in self._bits:
                self._bits[name] = self._packed(by_value[:, self.columns[name].codes])
            # Indexing copied the rows, so that they may be ANDed in place.
            one = self._bits[name][wanted]
            if bits is None:
                bits = one
            else:
                bits &= one
        if bits is None:
            raise DeidentifyError(
                Words(
                    ja="攻撃の試験には準識別子が 1 つ以上必要です",
                    en="an attack needs at least one quasi-identifier",
                )
            )
        return bits

    def counted(self, bits: Bits) -> tuple[Ints, Ints]:
        """The candidates of each target, without and with the suppressed."""
        if self._persons is not None:
            return self._persons.counted(self._flags(bits))
        # The sum of the sizes of the tuples that fit, digit by digit: bit counts instead of a product with each size.
        found = np.zeros(len(bits), dtype=np.int64)
        for digit, plane in enumerate(self._planes):
            found += np.bitwise_count(bits & plane).sum(axis=1, dtype=np.int64) << digit
        return found, found + self._suppressed

    def _flags(self, bits: Bits) -> Mask:
        found = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little", count=len(self.classes))
        return found.view(np.bool_)

    def has(self, bits: Bits, targets: Places, rows: Places) -> Mask:
        """Whether the tuple of a published row is among a target's; not so for a suppressed row."""
        of = self.classes.of[rows]
        words = bits[targets, np.maximum(of, 0) // 64]
        return np.asarray(
            (of >= 0) & (words >> (np.maximum(of, 0) % 64).astype(np.uint64) & np.uint64(1) == 1)
        )


class _PersonsOfTuples:
    """Which persons stand behind each tuple, for tables with several rows a person; the last tuple is suppression.

    `of` has the tuple of each pair of person and tuple, sorted by person.
    """

    def __init__(self, classes: Classes, records: MatchedRecords) -> None:
        assert records.units is not None
        of = np.where(classes.of < 0, len(classes), classes.of)
        pairs = np.unique(np.stack([records.units, of], axis=1), axis=0)
        self.of = pairs[:, 1]
        self._starts = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))

    def counted(self, flags: Mask) -> tuple[Ints, Ints]:
        """The different persons behind the flagged tuples [targets, tuples], without and with the suppressed."""
        # A person is a candidate if any of his tuples is flagged: an OR over his run of pairs.
        alone, together = (
            np.logical_or.reduceat(
                np.pad(flags, ((0, 0), (0, 1)), constant_values=last)[:, self.of], self._starts, 1
            )
            for last in (False, True)
        )
        return alone.sum(axis=1), together.sum(axis=1)


# -- minimality -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Minimality:
    """`worlds` assignments of the sensitive values explain what was published; `posterior` [rows, values] is how sure

    the attacker then is of each of the column's values for each person.
    """

    worlds: int
    posterior: Floats

    @property
    def highest(self) -> float:
        """The attacker's largest certainty about anybody; l-diversity promises at most 1 / l."""
        return float(self.posterior.max(initial=0.0))


def minimality(table: Table, sensitive: str, publish: Callable[[Table], Table]) -> Minimality:
    """The attacker of Wong, Fu, Wang & Pei (VLDB 2007) on a table of a few rows.

    He knows everybody's other columns, how often each sensitive value occurs, the program `publish` and what
    it published of the true table, up to the order of rows. Every assignment of the sensitive values that
    makes the program publish just that is to him equally likely. More than 50,000 assignments are a fault.
    """
    # Not asked for by any report, as it takes a table of a few rows and many runs of the program. Tests ask it of the
    # search: the margin that the guides advise rests on what it finds.
    column = table[sensitive]
    counts = column.counts()
    total = math.factorial(table.rows) // math.prod(math.factorial(int(count)) for count in counts)
    if total > WORLDS_MAX:
        raise DeidentifyError(
            Words(
                ja=f"{table.rows} 行に対する {sensitive} の割当ては {total} 通りで、上限の {WORLDS_MAX} を超えます",
                en=f"{table.rows} rows have {total} assignments of {sensitive}; at most {WORLDS_MAX}",
            )
        )
    seen = _released(publish, table)
    tally, worlds = np.zeros((table.rows, len(column.values))), 0
    for codes in _assignments(counts.tolist(), table.rows):
        world = table.replacing(Column(sensitive, column.values, np.array(codes, dtype=np.int32)))
        if _released(publish, world) == seen:
            worlds += 1
            tally[np.arange(table.rows), codes] += 1
    return Minimality(worlds, tally / max(1, worlds))


def _released(publish: Callable[[Table], Table], table: Table) -> list[tuple[str, ...]] | None:
    """What was published, as sorted rows since their order is no evidence; None where the program refused."""
    try:
        published = publish(table)
    except DeidentifyError:
        return None
    return sorted(zip(*(column.texts().tolist() for column in published.values()), strict=True))


def _assignments(left: list[int], rows: int) -> Iterator[tuple[int, ...]]:
    """All different orders of a multiset of codes."""
    if rows == 0:
        yield ()
    for code in range(len(left)):
        if left[code]:
            rest = [count - (place == code) for place, count in enumerate(left)]
            for tail in _assignments(rest, rows - 1):
                yield (code, *tail)
