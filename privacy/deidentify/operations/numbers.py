"""Columns of numbers as text, read exactly: coding of their tails, rounding, and noise.

Noise here hides a value's last digits from a reader; it is not differential privacy, spends no budget, and whoever
knows the seed takes it off again. Refuses a column in which any cell is neither a number nor missing.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.operations.columns import MISSING, Persons, places_in_use
from privacy.deidentify.operations.edges import Edge, kept_inside
from privacy.deidentify.operations.errors import BadOperation, of_column
from privacy.deidentify.randomness import Draws
from privacy.deidentify.table import Column
from privacy.words import Words

DIGITS_MAX = 15
"""Digits of the largest number in units of the column's last decimal place: below 2⁵³, so floats hold it exactly."""
ROWS_NAMED_MAX = 5
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
Units = NDArray[np.int64]


def rows_named(rows: NDArray[np.bool_]) -> Words:
    """ "3 of 7 rows (1, 4, 6)", the first few of them by number."""
    found = np.flatnonzero(rows)
    named = ", ".join(str(row + 1) for row in found[:ROWS_NAMED_MAX])
    numbers = f"{named}{', …' if len(found) > ROWS_NAMED_MAX else ''}"
    return Words(
        ja=f"全 {len(rows)} 行のうち {len(found)} 行（{numbers} 行目）",
        en=f"{len(found)} of {len(rows)} rows ({numbers})",
    )


def _read(text: str) -> Decimal | None:
    """The number a text writes in ASCII digits, or None for "NaN", "1,000", "１２" and all else."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def is_number(text: str) -> bool:
    """Whether a text is read as a number."""
    return _read(text) is not None


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A column read as whole numbers of units of 10^-places.

    `units[v]` belongs to `column.values[v]` and counts only where `known[v]`: the missing text, texts that were
    asked to be kept, and values without a row have no number.
    """

    column: Column
    units: Units
    known: NDArray[np.bool_]
    places: int

    @classmethod
    def of(cls, column: Column, *, kept: frozenset[str] = frozenset()) -> "Numbers":
        """The numbers of a column; `kept` texts (labels of coded tails) are left alone as missing ones are."""
        read = {
            int(place): _read(column.values[place])
            for place in places_in_use(column)
            if column.values[place] != MISSING and column.values[place] not in kept
        }
        _refuse(
            column,
            [place for place, number in read.items() if number is None],
            Words(ja="が数値ではありません", en="are not numbers"),
        )
        found = {place: number for place, number in read.items() if number is not None}
        # One scale for the whole column: sums, ranks and noise are then of whole numbers, and exact.
        places = max((_places(number) for number in found.values()), default=0)
        _refuse(
            column,
            [place for place, number in found.items() if number and number.adjusted() + places >= DIGITS_MAX],
            Words(
                ja=f"が小数点以下 {places} 桁で {DIGITS_MAX} 桁を超えます",
                en=f"have more than {DIGITS_MAX} digits at {places} decimal places",
            ),
        )
        units, known = np.zeros(len(column.values), np.int64), np.zeros(len(column.values), np.bool_)
        for place, number in found.items():
            # A zero such as 0e5 has an exponent of its own, which scaling would take for digits.
            units[place], known[place] = int(number.scaleb(places)) if number else 0, True
        return cls(column, units, known, places)

    def rows(self) -> tuple[Units, NDArray[np.bool_]]:
        """The units of each row, and which rows have a number."""
        return self.units[self.column.codes], self.known[self.column.codes]

    def finer(self, places: int) -> "Numbers":
        """These numbers at no fewer than `places` decimal places; raises `BadOperation` where digits run out."""
        more = max(places - self.places, 0)
        widest = max(1, int(np.abs(self.units).max(initial=0)))
        if more and widest * 10**more >= 10**DIGITS_MAX:
            raise BadOperation(
                Words(
                    ja=f"項目「{self.column.name}」の値が小数点以下 {places} 桁で {DIGITS_MAX} 桁を超えます。",
                    en=f"column {self.column.name} has more than {DIGITS_MAX} digits at {places} decimal places",
                )
            )
        return Numbers(self.column, self.units * 10**more, self.known, self.places + more)

    def text(self, units: int) -> str:
        """A number of units, written with the column's decimal places."""
        return f"{Decimal(units).scaleb(-self.places):f}"

    def written(self, units: Units) -> Column:
        """The column with new numbers in the rows that had one; the others keep their text."""
        here = self.known[self.column.codes]
        distinct, places = np.unique(units[here], return_inverse=True)
        others = [place for place in places_in_use(self.column) if not self.known[place]]
        # Codes of the other texts come after those of the numbers, which are renumbered from 0.
        where = np.zeros(len(self.column.values), dtype=np.int32)
        where[others] = np.arange(len(distinct), len(distinct) + len(others))
        codes = where[self.column.codes]
        codes[here] = places
        texts = [self.text(unit) for unit in distinct.tolist()]
        return Column(self.column.name, (*texts, *(self.column.values[place] for place in others)), codes)


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "infinities and NaN were not read"
    return max(0, -exponent)


def _refuse(column: Column, places: Sequence[int], words: Words) -> None:
    """Refuse the rows with some values: by number, since the values themselves are never quoted."""
    if places:
        rows = rows_named(np.isin(column.codes, places))
        raise of_column(column.name, Words(ja=f"{rows.ja}{words.ja}。", en=f"{rows.en} {words.en}"))


class Tail(StrEnum):
    """Which end of a column is coded."""

    TOP = "top"
    BOTTOM = "bottom"


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column whose tail has become one text: the bound, the text, and how many rows lie there."""

    column: Column
    bound: str
    label: str
    rows: int


def code_tail(
    column: Column, *, tail: Tail, at: Decimal, label: str | None = None, kept: frozenset[str] = frozenset()
) -> Coded:
    """All numbers from the bound `at` outwards, itself included, as one text (トップ（ボトム）コーディング).

    The text is the bound, or `label` with `{bound}` in it replaced by the bound ("{bound}以上").
    """
    numbers = Numbers.of(column, kept=kept)
    finer = numbers.finer(_places(at))
    return _coded(numbers, finer.units, _units(at, finer.places), f"{at:f}", tail, label)


def code_tail_of(
    column: Column,
    *,
    tail: Tail,
    least: int,
    label: str | None = None,
    unit: Persons | None = None,
    kept: frozenset[str] = frozenset(),
) -> Coded:
    """A tail coded as one text from the outermost bound that leaves at least `least` persons in it.

    Rows are counted where `unit` is None; `label` as in `code_tail`. The bound is a value of the data: it is
    processing-method information (加工方法等情報) until the set is published. Raises `BadOperation` where there are
    fewer persons with a number.
    """
    numbers = Numbers.of(column, kept=kept)
    units, known = numbers.rows()
    outward = (units if tail is Tail.TOP else -units)[known]
    # A person with ten rows in the tail is one person: each counts with the outermost of their numbers.
    if unit is not None:
        outward = _outermost(outward, unit[known])
    if not 1 <= least <= len(outward):
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の {tail}_code：数値のある {len(outward)} "
                f"{'件' if unit is None else '人'}から、{least} 以上の裾を取ることはできません。",
                en=f"{tail}_code of column {column.name}: a tail of at least {least} cannot be had from "
                f"{len(outward)} {'rows' if unit is None else 'persons'} with a number",
            )
        )
    bound = int(np.partition(outward, -least)[-least]) * (1 if tail is Tail.TOP else -1)
    return _coded(numbers, numbers.units, bound, numbers.text(bound), tail, label)


def _outermost(outward: Units, unit: Persons) -> Units:
    """Each person's largest number."""
    persons, places = np.unique(unit, return_inverse=True)
    # `np.maximum.at` takes every row of a person; plain indexing would keep the last one only.
    best = np.full(len(persons), np.iinfo(np.int64).min)
    np.maximum.at(best, places, outward)
    return best


def _units(number: Decimal, places: int) -> int:
    return int(number.scaleb(places).to_integral_exact())


def _coded(numbers: Numbers, units: Units, bound: int, text: str, tail: Tail, label: str | None) -> Coded:
    column = numbers.column
    beyond = numbers.known & (units >= bound if tail is Tail.TOP else units <= bound)
    # Not str.format: a label is the plan's text, and other braces in it stay as they are.
    shown = text if label is None else label.replace("{bound}", text)
    texts = [shown if out else value for value, out in zip(column.values, beyond, strict=True)]
    # The label may be a value of the column already (the bound itself is): the two become one.
    places = places_in_use(column)
    known: dict[str, int] = {}
    codes = np.zeros(len(texts), dtype=np.int32)
    codes[places] = [known.setdefault(texts[place], len(known)) for place in places]
    rows = int(beyond[column.codes].sum())
    return Coded(Column(column.name, tuple(known), codes[column.codes]), text, shown, rows)


class Rounding(StrEnum):
    """Which of the two multiples of the base beside a number is taken."""

    NEAREST = "nearest"
    """The nearer one; halfway the even multiple."""
    DOWN = "down"
    """The lower one, for negative numbers too."""
    RANDOM = "random"
    """Either, each the likelier the nearer, so that the expected result is the number (unbiased random rounding)."""


def round_to(
    column: Column,
    *,
    base: Decimal,
    method: Rounding = Rounding.NEAREST,
    draws: Draws | None = None,
    kept: frozenset[str] = frozenset(),
) -> Column:
    """Each number as a multiple of `base`, with the more decimal places of column and base.

    Random rounding draws anew for each row and needs `draws`: a number repeated in many rows of a person averages out.
    """
    if not base > 0:
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の round の base は 0 より大きくなければなりません（指定された値：{base}）。",
                en=f"round of column {column.name} needs a base above 0, not {base}",
            )
        )
    numbers = Numbers.of(column, kept=kept).finer(_places(base))
    units, _ = numbers.rows()
    step = _units(base, numbers.places)
    if step >= 10**DIGITS_MAX:
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の round の base {base} は {DIGITS_MAX} 桁を超えます。",
                en=f"round of column {column.name}: base {base} has more than {DIGITS_MAX} digits",
            )
        )
    # Rounded down by division first: np.divmod floors, so that negative numbers go the same way.
    below, rest = np.divmod(units, step)
    if method is Rounding.NEAREST:
        below += (2 * rest > step) | ((2 * rest == step) & (below % 2 == 1))
    elif method is Rounding.RANDOM:
        assert draws is not None, "random rounding draws"
        below += draws.integers(0, step, len(units)) < rest
    return numbers.written(below * step)


class NoiseKind(StrEnum):
    """The distribution of additive noise, of mean 0."""

    UNIFORM = "uniform"
    """Bounded: uniform in ±√3 standard deviations."""
    LAPLACE = "laplace"
    NORMAL = "normal"


_DISTRIBUTIONS: dict[NoiseKind, Callable[[Draws, float, int], NDArray[np.float64]]] = {
    NoiseKind.UNIFORM: lambda draws, sd, rows: draws.uniform(-sqrt(3) * sd, sqrt(3) * sd, rows),
    NoiseKind.LAPLACE: lambda draws, sd, rows: draws.laplace(0, sd / sqrt(2), rows),
    NoiseKind.NORMAL: lambda draws, sd, rows: draws.normal(0, sd, rows),
}


def add_noise(
    column: Column,
    *,
    kind: NoiseKind,
    sd: float,
    draws: Draws,
    low: Decimal | None = None,
    high: Decimal | None = None,
    edge: Edge = Edge.REFLECT,
    kept: frozenset[str] = frozenset(),
) -> Column:
    """Each number plus noise of standard deviation `sd` (the column's unit), rounded to the column's places.

    Not differential privacy. Drawn anew for each row: a number repeated in many rows of a person averages out.
    Results lie in [low, high]; at an edge the standard deviation is smaller than stated.
    """
    numbers = Numbers.of(column, kept=kept)
    units, _ = numbers.rows()
    deviation_in_units = sd * 10**numbers.places
    _check_deviation(column.name, deviation_in_units)
    noise = np.rint(_DISTRIBUTIONS[kind](draws, deviation_in_units, len(units))).astype(np.int64)
    return numbers.written(_inside(numbers, units + noise, low=low, high=high, edge=edge))


def add_correlated_noise(
    columns: Sequence[Column], *, relative: float, draws: Draws, kept: frozenset[str] = frozenset()
) -> tuple[Column, ...]:
    """Normal noise with `relative`² times the covariance of the data, so that correlations stay (Kim 1986).

    Each column's noise has `relative` times its standard deviation. The covariance is that of the rows complete
    in all columns; every cell with a number gets noise. Not differential privacy.
    """
    read = [Numbers.of(column, kept=kept) for column in columns]
    units = np.array([numbers.rows()[0] for numbers in read], dtype=np.float64)
    complete = np.logical_and.reduce([numbers.rows()[1] for numbers in read])
    if complete.sum() < 2:
        names = ", ".join(column.name for column in columns)
        raise BadOperation(
            Words(
                ja=f"相関のあるノイズには、項目 {names} がすべて埋まった行が 2 行以上必要です"
                f"（該当する行：{complete.sum()}）。",
                en=f"correlated noise needs 2 rows complete in {names}; there are {complete.sum()}",
            )
        )
    # A root of the covariance by its axes: unlike Cholesky's it exists for columns that depend on each other, whose
    # zero variances rounding may leave a trace below 0.
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(units[:, complete])))
    root = axes * np.sqrt(np.maximum(variances, 0)) * relative
    noise = np.rint(root @ draws.standard_normal(units.shape)).astype(np.int64)
    return tuple(numbers.written(numbers.rows()[0] + add) for numbers, add in zip(read, noise, strict=True))


def deviation(column: Column, *, kept: frozenset[str] = frozenset()) -> float:
    """The standard deviation of the numbers of a column, in its unit; 0 for none or one."""
    numbers = Numbers.of(column, kept=kept)
    units, known = numbers.rows()
    # Of the rows, as noise is drawn for each of them; the units are divided away last to keep them exact.
    return float(units[known].std()) / 10**numbers.places if known.any() else 0.0


def _check_deviation(name: str, units: float) -> None:
    # Above the bound noise would leave 64-bit integers; NaN fails both comparisons.
    if not 0 < units < 10**DIGITS_MAX:
        raise BadOperation(
            Words(
                ja=f"項目「{name}」のノイズの標準偏差は、0 より大きく、データと同程度の大きさでなければなりません。",
                en=f"noise of column {name} needs a standard deviation above 0 and of the data's size",
            )
        )


def _inside(
    numbers: Numbers, units: Units, *, low: Decimal | None, high: Decimal | None, edge: Edge
) -> Units:
    # Bounds finer than the column's places are taken inwards: results must lie in [low, high] as written.
    least = None if low is None else _whole_units(low, numbers.places, ROUND_CEILING)
    most = None if high is None else _whole_units(high, numbers.places, ROUND_FLOOR)
    if least is not None and most is not None and least > most:
        raise BadOperation(
            Words(
                ja=f"項目「{numbers.column.name}」のノイズ：{low} から {high} までに入る数値がありません。",
                en=f"noise of column {numbers.column.name}: no number lies from {low} to {high}",
            )
        )
    return kept_inside(units, low=least, high=most, edge=edge)


def _whole_units(number: Decimal, places: int, rounding: str) -> int:
    if abs(number.scaleb(places)) >= 10**DIGITS_MAX:
        raise BadOperation(
            Words(
                ja=f"範囲の端 {number} は {DIGITS_MAX} 桁を超えます。",
                en=f"the bound {number} has more than {DIGITS_MAX} digits",
            )
        )
    return int(number.scaleb(places).to_integral_value(rounding=rounding))
