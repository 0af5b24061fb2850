"""How much of its source a published table still shows: figures of loss and distance, per attribute and together.

It refuses to judge: which loss is worth which protection is not decided here. Rows are counted once, as distinct
tuples; all figures are read from those counts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.errors import BadTable
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.table import Codes, Column, Table
from privacy.words import Words

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

KEY_MAX = 2**62
"""Keys stay below it, so that the next multiplication is checked before it overflows 64 bits."""
JOINT_STEPS_MAX = 300_000_000
"""Schemes x distinct tuples x columns up to which the joint divergence is computed."""


@dataclass(frozen=True, slots=True, eq=False)
class GeneralisedTable:
    """A table made coarser: each row's level in the hierarchy of each quasi-identifier, and rows left out.

    `levels` is one level a column, or `int8` of rows x columns (local recoding, cell suppression as the top level);
    columns in the order of `hierarchies`. `suppressed[row]` means that the row is published with no value at all;
    its levels are then what it would have been published with. Raises `BadTable`.
    """

    table: Table
    hierarchies: Mapping[str, Hierarchy]
    levels: Sequence[int] | NDArray[Any]
    suppressed: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not self.hierarchies:
            raise BadTable(
                Words(
                    ja="準識別子が指定されていないため、測るものがありません。",
                    en="no quasi-identifier is given, so there is nothing to measure",
                )
            )
        absent = ", ".join(name for name in self.hierarchies if name not in self.table)
        if absent:
            raise BadTable(
                Words(
                    ja=f"一般化階層のある項目がデータにありません：{absent}。",
                    en=f"the table has no column {absent}, for which there is a hierarchy",
                )
            )
        if not self.table.rows:
            raise BadTable(Words(ja="データに行がありません。", en="the table has no rows"))
        given, rows, columns = np.asarray(self.levels), self.table.rows, len(self.hierarchies)
        assert given.shape in ((columns,), (rows, columns)), "one level a column, or one a row and column"
        assert given.dtype.kind in "iu", "levels are whole numbers"
        assert self.suppressed.shape == (rows,)
        assert self.suppressed.dtype == np.bool_
        for place, hierarchy in enumerate(self.hierarchies.values()):
            level = given[..., place]
            assert 0 <= level.min() <= level.max() < hierarchy.height, "levels lie in the hierarchy"

    @property
    def local(self) -> bool:
        """Whether rows have levels of their own."""
        return np.asarray(self.levels).ndim == 2

    def level(self, place: int) -> NDArray[Any]:
        """The level of a column: one number, or one a row."""
        taken: NDArray[Any] = np.asarray(self.levels)[..., place]
        return taken


@dataclass(frozen=True, slots=True)
class Loss:
    """Loss of all quasi-identifiers together (Iyengar, KDD 2002), by each aggregate that ARX knows.

    The loss of one is the mean over rows of (leaves - 1) / (domain - 1). The gs-factor is ARX's: below 0.5, the part of
    a suppressed cell's cost that suppression adds to its label's is multiplied by 2 gs; above 0.5, the cost of
    published cells by 2 (1 - gs).
    """

    arithmetic_mean: float
    geometric_mean: float
    """The geometric mean of (1 + x), minus 1."""
    maximum: float
    total: float


@dataclass(frozen=True, slots=True)
class Quality:
    """The measures as shares from 0 (nothing left) to 1 (as the source), scaled as ARX's statistics scale them."""

    granularity: float
    precision: float
    entropy: float
    discernibility: float
    class_size: float
    ambiguity: float
    squared_error: float


@dataclass(frozen=True, slots=True)
class AttributeUtility:
    """What became of one quasi-identifier."""

    name: str
    rows_by_level: tuple[int, ...]
    """Published rows at each level of the hierarchy."""
    distinct_before: int
    distinct_after: int
    """Different texts in the published rows."""
    changed: float
    """Share of all rows whose text is no longer the source's, suppressed rows included."""
    loss: float
    """Mean share of the domain that a cell blurs, 0 to 1; a suppressed row blurs all (gs-factor 0.5)."""
    imprecision: float
    """Mean level over top level; a suppressed row is at the top (1 - precision; Sweeney 2002)."""
    entropy_bits: float
    """Bits lost, summed over rows: non-uniform entropy."""
    entropy: float
    """Bits lost over the entropy of the source's column, 0 to 1."""
    distance: float
    """Total variation distance, 0 to 1, of the column's distribution before and after."""
    divergence_bits: float
    """Kullback-Leibler divergence of the source's distribution from the published one."""

    @property
    def level(self) -> int | None:
        """The one level of all published rows; None where they differ or none is published."""
        used = [level for level, rows in enumerate(self.rows_by_level) if rows]
        return used[0] if len(used) == 1 else None


@dataclass(frozen=True, slots=True)
class Utility:
    """Every figure of a published table."""

    rows: int
    suppressed: int
    classes: int
    """Classes of published rows; the suppressed ones are not counted as one."""
    attributes: tuple[AttributeUtility, ...]
    loss: Loss
    granularity: float
    """Mean over rows and columns of (leaves - 1) / (domain - 1), suppressed = 1: 0 is the source."""
    imprecision: float
    """Mean over rows and columns of level over top level, suppressed = 1."""
    entropy_bits: float
    """Non-uniform entropy of all columns, in bits."""
    discernibility: float
    """Sum over rows of how many rows look the same, a suppressed one like all (Bayardo and Agrawal 2005)."""
    average_class_size: float
    """Rows over classes, the suppressed rows being one class more (LeFevre et al. 2006, not divided by k)."""
    average_published_class_size: float
    """Published rows over their classes; 0 where nothing is published."""
    ambiguity: float
    """Mean over rows of how many tuples of the domain it may be (Goldberger and Tassa 2010)."""
    divergence_bits: float | None
    """Kullback-Leibler divergence of the joint distributions; None where too large to compute."""
    quality: Quality


def utility(published: GeneralisedTable, *, gs_factor: float = 0.5) -> Utility:
    """All figures; `gs_factor` weighs generalisation against suppression in `loss` alone."""
    counted = _Counted.of(published)
    cells = [counted.cells(place) for place in range(len(counted.columns))]
    attributes = tuple(
        _attribute(name, each) for name, each in zip(published.hierarchies, cells, strict=True)
    )
    # ARX scales its qualities between the source and the table with everything suppressed: both ends are needed.
    source, classes = counted.class_sizes(at_source=True), counted.class_sizes()
    rows, suppressed = counted.total, counted.total_suppressed
    ambiguity, blur = counted.ambiguity(), counted.squared_error()
    # As floats: the product of ten domains can leave 64 bits.
    worst = float(np.prod([float(len(column.hierarchy.domain)) for column in counted.columns]))
    discernibility = float(classes @ classes) + float(suppressed) * rows
    shown = (rows - suppressed) / len(classes) if len(classes) else 0.0
    granularity = float(np.mean([each.loss for each in attributes]))
    imprecision = float(np.mean([each.imprecision for each in attributes]))
    return Utility(
        rows=rows,
        suppressed=suppressed,
        classes=len(classes),
        attributes=attributes,
        loss=aggregated([_loss(each, gs_factor) for each in cells]),
        granularity=granularity,
        imprecision=imprecision,
        entropy_bits=sum(each.entropy_bits for each in attributes),
        discernibility=discernibility,
        average_class_size=rows / (len(classes) + (suppressed > 0)),
        average_published_class_size=shown,
        ambiguity=ambiguity,
        divergence_bits=counted.divergence(),
        quality=Quality(
            granularity=1 - granularity,
            precision=1 - imprecision,
            entropy=1 - float(np.mean([each.entropy for each in attributes])),
            discernibility=_quality(discernibility, float(source @ source), float(rows) ** 2),
            class_size=_quality(shown, rows / len(source), rows) if len(classes) else 0.0,
            ambiguity=_quality(ambiguity, 1.0, worst),
            squared_error=1 - blur,
        ),
    )


def aggregated(losses: Sequence[float]) -> Loss:
    """The aggregates of the attributes' losses."""
    found = np.array(losses)
    return Loss(
        arithmetic_mean=float(found.mean()),
        geometric_mean=float(np.expm1(np.log1p(found).mean())),
        maximum=float(found.max()),
        total=float(found.sum()),
    )


def spread(hierarchy: Hierarchy, cells: Ints) -> Floats:
    """The rows of `cells` (domain value x level) counted by label and shared out evenly among the label's values.

    How a reader who knows nothing else must read a label (uniform spreading, Kifer and Gehrke 2006).
    """
    mass = np.zeros(len(hierarchy.domain))
    for level in np.flatnonzero(cells.any(axis=0)).tolist():
        labels = hierarchy.maps[level]
        rows = np.bincount(labels, weights=cells[:, level], minlength=len(hierarchy.labels[level]))
        mass += (rows / hierarchy.leaves(level))[labels]
    return mass


def cells_of(
    column: Column, hierarchy: Hierarchy, level: int | NDArray[Any], rows: NDArray[np.bool_] | None = None
) -> Ints:
    """How many of some rows (a mask; all) hold each domain value at each level: domain x height."""
    codes = column.codes if rows is None else column.codes[rows]
    levels = np.asarray(level) if rows is None or np.ndim(level) == 0 else np.asarray(level)[rows]
    return _cells(hierarchy, hierarchy.places(column), codes, levels, None)


def _quality(value: float, best: float, worst: float) -> float:
    return 1 - (value - best) / (worst - best) if worst > best else 1.0


def _cells(
    hierarchy: Hierarchy, places: Codes, codes: Codes, levels: NDArray[Any], weights: Ints | None
) -> Ints:
    """Rows counted by domain value and level."""
    at = places.astype(np.int64)[codes] * hierarchy.height + levels
    size = len(hierarchy.domain) * hierarchy.height
    # bincount with weights adds floats, exact below 2⁵³: rounding only restores the type.
    found = np.bincount(at, weights=weights, minlength=size)
    return np.rint(found).astype(np.int64).reshape(len(hierarchy.domain), hierarchy.height)


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """One column's rows, counted by domain value and level: domain x height."""

    hierarchy: Hierarchy
    published: Ints
    suppressed: Ints

    @property
    def source(self) -> Ints:
        """Rows of the source at each domain value."""
        found: Ints = (self.published + self.suppressed).sum(axis=1)
        return found

    def at_top(self) -> Ints:
        """All rows, the suppressed ones published at the top level."""
        found = self.published.copy()
        found[:, -1] += self.suppressed.sum(axis=1)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Tuples:
    """A quasi-identifier of the distinct tuples: each one's place in the domain, and its level."""

    hierarchy: Hierarchy
    places: Codes
    levels: NDArray[Any]

    def taking(self, by_level: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """For each tuple the entry of its label, given what holds for each domain value on each level."""
        taken: NDArray[Any] = np.stack(by_level)[self.levels, self.places]
        return taken

    def leaves(self) -> Ints:
        """How many domain values each tuple's label covers."""
        hierarchy = self.hierarchy
        return self.taking([hierarchy.leaves(i)[hierarchy.maps[i]] for i in range(hierarchy.height)])

    def texts(self) -> NDArray[Any]:
        """A number for each tuple's published text: equal texts of two levels are one."""
        # Texts, not labels: where a value and its group read alike, the published rows look the same.
        numbers: dict[str, int] = {}
        by_level = [
            np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int32)[labels]
            for texts, labels in zip(self.hierarchy.labels, self.hierarchy.maps, strict=True)
        ]
        return self.taking(by_level)


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    """The distinct (tuple of the source, levels, suppressed or not) and how many rows each has."""

    columns: tuple[_Tuples, ...]
    suppressed: NDArray[np.bool_]
    rows: Ints

    @classmethod
    def of(cls, published: GeneralisedTable) -> "_Counted":
        """Counted once over all rows; everything else is read from here."""
        columns = [published.table[name] for name in published.hierarchies]
        keys = _keys(published.table.rows, _parts(published))
        _, first, rows = np.unique(keys, return_index=True, return_counts=True)
        tuples = []
        for place, (column, hierarchy) in enumerate(
            zip(columns, published.hierarchies.values(), strict=True)
        ):
            # One example of each distinct tuple stands for all of its rows.
            level = published.level(place)
            levels = level[first] if published.local else np.full(len(first), level, np.int16)
            tuples.append(_Tuples(hierarchy, hierarchy.places(column)[column.codes[first]], levels))
        return cls(tuple(tuples), published.suppressed[first], rows.astype(np.int64))

    @property
    def total(self) -> int:
        return int(self.rows.sum())

    @property
    def total_suppressed(self) -> int:
        return int(self.rows[self.suppressed].sum())

    def cells(self, place: int) -> _Cells:
        """One column's rows by domain value and level."""
        column = self.columns[place]
        every = np.arange(len(column.hierarchy.domain), dtype=np.int32)
        published, suppressed = (
            _cells(column.hierarchy, every, column.places[mask], column.levels[mask], self.rows[mask])
            for mask in (~self.suppressed, self.suppressed)
        )
        return _Cells(column.hierarchy, published, suppressed)

    def class_sizes(self, *, at_source: bool = False) -> Ints:
        """Rows of each class of published rows, or of each distinct tuple of the source."""
        counted = np.ones(len(self.rows), bool) if at_source else ~self.suppressed
        shown = (column.places if at_source else column.texts() for column in self.columns)
        keys = _keys(int(counted.sum()), ((each[counted], int(each.max()) + 1) for each in shown))
        _, classes = np.unique(keys, return_inverse=True)
        return np.rint(np.bincount(classes, weights=self.rows[counted])).astype(np.int64)

    def ambiguity(self) -> float:
        """Mean over rows of the product of leaves; of a suppressed row, the whole domain."""
        product: Floats = np.ones(len(self.rows))
        for column in self.columns:
            product *= np.where(self.suppressed, len(column.hierarchy.domain), column.leaves())
        return float(product @ self.rows) / self.total

    def squared_error(self) -> float:
        """Distance of each row to the farthest tuple it may be, over the farthest there is, 0 to 1.

        Euclidean over the columns in units of the source's standard deviation, a value being its place in the
        hierarchy (ARX's sum of squared errors of data without numbers; the ends are those that occur).
        """
        real, most = np.zeros(len(self.rows)), np.zeros(len(self.rows))
        for column in self.columns:
            at = column.places.astype(float)
            mean = float(at @ self.rows) / self.total
            # A column of one value has no unit; divided by infinity it adds nothing.
            deviation = float(np.sqrt(((at - mean) ** 2) @ self.rows / self.total)) or np.inf
            low, high = _ends(column, self.suppressed)
            real += (np.maximum(at - low, high - at) / deviation) ** 2
            most += (np.maximum(at - low.min(), high.max() - at) / deviation) ** 2
        farthest = float(np.sqrt(most) @ self.rows)
        return float(np.sqrt(real) @ self.rows) / farthest if farthest else 0.0

    def divergence(self) -> float | None:
        """Sum over the source's tuples of p log₂(p / q), q being the published rows spread over their domains.

        Every row spreads evenly over all tuples that it may be (Kifer and Gehrke 2006); a tuple may lie in the
        labels of several schemes, so each scheme is asked for each tuple.
        """
        places = [(column.places, len(column.hierarchy.domain)) for column in self.columns]
        _, first, of = np.unique(_keys(len(self.rows), places), return_index=True, return_inverse=True)
        source = np.bincount(of, weights=self.rows) / self.total
        heights = [column.hierarchy.height for column in self.columns]
        levels = [column.levels for column in self.columns]
        keys = _keys(len(self.rows), zip(levels, heights, strict=True))
        _, scheme_first, scheme = np.unique(keys, return_index=True, return_inverse=True)
        # Local recoding can have thousands of schemes: the figure is then left out rather than waited for.
        if len(scheme_first) * len(first) * len(self.columns) > JOINT_STEPS_MAX:
            return None
        domain = np.prod([float(len(column.hierarchy.domain)) for column in self.columns])
        # A suppressed row may be any tuple of the domain, so it spreads over all of it.
        density = np.full(len(first), self.total_suppressed / domain)
        for number, example in enumerate(scheme_first):
            rows = np.flatnonzero((scheme == number) & ~self.suppressed)
            density += self._density([int(each[example]) for each in levels], first, rows)
        return _divergence_bits(source, density / self.total)

    def _density(self, scheme: Sequence[int], asked: NDArray[np.intp], rows: NDArray[np.intp]) -> Floats:
        """Published rows of one scheme for each tuple asked, spread over the tuples of its class."""
        # Tuples asked and rows are labelled together, so that equal label tuples get equal class numbers.
        both = np.concatenate([asked, rows])
        on_level = list(zip(self.columns, scheme, strict=True))
        parts = (
            (column.hierarchy.maps[level][column.places[both]], len(column.hierarchy.labels[level]))
            for column, level in on_level
        )
        _, classes = np.unique(_keys(len(both), parts), return_inverse=True)
        leaves: Floats = np.ones(len(asked))
        for column, level in on_level:
            labels = column.hierarchy.maps[level][column.places[asked]]
            leaves *= column.hierarchy.leaves(level)[labels]
        sizes = np.bincount(classes[len(asked) :], weights=self.rows[rows], minlength=int(classes.max()) + 1)
        density: Floats = sizes[classes[: len(asked)]] / leaves
        return density


def _parts(published: GeneralisedTable) -> Iterator[tuple[NDArray[Any], int]]:
    """What distinguishes rows for every figure: suppressed or not, the values, and the levels if they differ."""
    yield published.suppressed, 2
    for place, (name, hierarchy) in enumerate(published.hierarchies.items()):
        column = published.table[name]
        yield column.codes, len(column.values)
        if published.local:
            yield published.level(place), hierarchy.height


def _keys(rows: int, parts: Iterable[tuple[NDArray[Any], int]]) -> Ints:
    """One number for each row's numbers, those of a part lying below its bound; equal exactly where they are."""
    keys, size = np.zeros(rows, dtype=np.int64), 1
    for numbers, bound in parts:
        # Ranks instead of mixed-radix digits, where the next digit would overflow.
        if size * bound > KEY_MAX:
            keys = np.unique(keys, return_inverse=True)[1].astype(np.int64)
            size = rows
        keys *= bound
        keys += numbers
        size *= bound
    return keys


def _ends(column: _Tuples, suppressed: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """The first and last place of the hierarchy that each tuple's label covers; all of it where suppressed."""
    hierarchy = column.hierarchy
    # By place in the hierarchy and not by value: labels of categories have an order, and no distance.
    lows, highs = [], []
    every = np.arange(len(hierarchy.domain), dtype=np.int64)
    for labels, texts in zip(hierarchy.maps, hierarchy.labels, strict=True):
        low, high = np.full(len(texts), len(every)), np.zeros(len(texts), dtype=np.int64)
        np.minimum.at(low, labels, every)
        np.maximum.at(high, labels, every)
        lows.append(low[labels])
        highs.append(high[labels])
    last = len(every) - 1
    return np.where(suppressed, 0, column.taking(lows)), np.where(suppressed, last, column.taking(highs))


def _loss(cells: _Cells, gs_factor: float) -> float:
    assert 0 <= gs_factor <= 1
    suppression, generalisation = min(1.0, 2 * gs_factor), min(1.0, 2 * (1 - gs_factor))
    hierarchy = cells.hierarchy
    shares = np.stack([hierarchy.loss(i)[hierarchy.maps[i]] for i in range(hierarchy.height)], axis=1)
    published = float((cells.published * shares).sum()) * generalisation
    suppressed = float((cells.suppressed * (shares + suppression * (1 - shares))).sum())
    # Exactly 1 a cell, which (1 - share) + share need not be in floats.
    if suppression == 1:
        suppressed = float(cells.suppressed.sum())
    return (published + suppressed) / float(cells.source.sum())


def _attribute(name: str, cells: _Cells) -> AttributeUtility:
    hierarchy, rows = cells.hierarchy, int(cells.source.sum())
    by_level = cells.published.sum(axis=0)
    # A hierarchy of one level has no height to divide by; nothing can be lost in it.
    top = max(1, hierarchy.height - 1)
    bits, most = _entropy_bits(cells), _bits(cells.source, np.full(len(hierarchy.domain), rows))
    before, after = cells.source / rows, _after(cells) / rows
    return AttributeUtility(
        name=name,
        rows_by_level=tuple(by_level.tolist()),
        distinct_before=int((cells.source > 0).sum()),
        distinct_after=_distinct(cells),
        changed=1 - _unchanged(cells) / rows,
        loss=_loss(cells, 0.5),
        imprecision=float(by_level @ np.arange(hierarchy.height) / top + cells.suppressed.sum()) / rows,
        entropy_bits=bits,
        entropy=bits / most if most else 0.0,
        distance=float(np.abs(before - after).sum()) / 2,
        divergence_bits=_divergence_bits(before, after),
    )


def _after(cells: _Cells) -> Floats:
    """The published rows shared out over the domain; a suppressed row may be any value."""
    # A suppressed row says nothing: it is shared out over all values, as a reader must.
    blind = float(cells.suppressed.sum()) / len(cells.hierarchy.domain)
    return spread(cells.hierarchy, cells.published) + blind


def _distinct(cells: _Cells) -> int:
    hierarchy, texts = cells.hierarchy, set[str]()
    for level in range(hierarchy.height):
        shown = np.unique(hierarchy.maps[level][cells.published[:, level] > 0])
        texts.update(hierarchy.labels[level][label] for label in shown)
    return len(texts)


def _unchanged(cells: _Cells) -> int:
    """Published rows whose label reads as their value."""
    hierarchy = cells.hierarchy
    domain = np.array(hierarchy.domain, dtype=object)
    return sum(
        int(cells.published[np.array(texts, dtype=object)[labels] == domain, level].sum())
        for level, (texts, labels) in enumerate(zip(hierarchy.labels, hierarchy.maps, strict=True))
    )


def _entropy_bits(cells: _Cells) -> float:
    """Bits that the labels leave unsaid about the values (non-uniform entropy: De Waal and Willenborg 1999,

    Gionis and Tassa 2009). With several levels, the rows on a level or above it climb together from the level
    before, labels being counted among these rows only (Prasser, Bild and Kuhn, MIE 2016); suppressed rows are
    at the top.
    """
    hierarchy, at = cells.hierarchy, cells.at_top()
    # Rows above a level take part in the step to it: they have climbed through it, too.
    lost, below = 0.0, 0
    for level in np.flatnonzero(at.any(axis=0)).tolist():
        climbing = at[:, level:].sum(axis=1)
        finer = np.bincount(hierarchy.maps[below], weights=climbing)
        coarser = np.bincount(hierarchy.maps[level], weights=climbing)
        parents = np.zeros(len(finer), dtype=np.int64)
        parents[hierarchy.maps[below]] = hierarchy.maps[level]
        lost += _bits(finer, coarser[parents])
        below = level
    return lost


def _bits(parts: NDArray[Any], wholes: NDArray[Any]) -> float:
    """Sum of part · log₂(whole / part), parts of nothing left out: x log x is 0 in the limit."""
    some = parts > 0
    return float(parts[some] @ np.log2(wholes[some] / parts[some]))


def _divergence_bits(source: Floats, published: Floats) -> float:
    """Kullback-Leibler divergence in bits; never below 0, where rounding could take it."""
    # Finite for any recoding: a source value lies in its own published label, so its published mass is above 0.
    return max(0.0, -_bits(source, published))
