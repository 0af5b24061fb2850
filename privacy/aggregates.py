"""What each additive aggregate measures, how far one person can move it, and how noise becomes an estimate.

Every aggregate here is a vector of integers per cell that adds up over rows (or persons), so that it can be
measured over any cells and corrected by least squares. Quantiles, which do not add up, are in
`privacy.quantiles`. Reads no data and draws nothing.

The sensitivities hold for at most k rows a person, each row in exactly one cell of a table (or in none). A
row's share of the vector is stated with each class; a person moves the table by at most k of them in L1, and
in L2 by as much, since all k may fall into one cell.

`cells` of a sensitivity are those that one person's rows can reach: of keys that are constant per person one bucket,
of the others all (`privacy.exact.reachable_over`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from privacy.bounds import share_of, variance_of
from privacy.distributions import NoiseDistribution
from privacy.exact import ExactAggregate
from privacy.noise import Integers
from privacy.person_totals import farthest_move
from privacy.reachable import CellRange

DIGITS, SHARE_DIGITS = 4, 6
"""Estimates that are no whole numbers are shown to a ten-thousandth of a step, shares to a millionth."""

Get = Callable[[ExactAggregate], Integers]
Numbers = npt.NDArray[np.float64] | Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Values and bounds per cell, as whole multiples of `fine` (in units of the answer); None: no bound."""

    values: list[int]
    low: list[int | None]
    high: list[int | None]
    fine: Decimal


class AdditiveEstimator(Protocol):
    """One statistic as a vector of `len(components)` integers per cell that adds up over disjoint sets of rows."""

    @property
    def key(self) -> str:
        """The canonical text of the statistic."""
        ...

    @property
    def unit(self) -> str | None:
        """The unit of the values."""
        ...

    @property
    def exacts(self) -> tuple[ExactAggregate, ...]:
        """The exact integers that the vector is made of."""
        ...

    @property
    def components(self) -> tuple[str, ...]:
        """The names of the vector's components; one empty name where the vector is the answer."""
        ...

    def l1(self, cells: int) -> int:
        """How far one person, who can reach that many cells, moves the vector in L1."""
        ...

    def squared(self, cells: int) -> int:
        """How far one person, who can reach that many cells, moves the vector in L2, squared: whole where the root
        is not."""
        ...

    def vector(self, get: Get) -> Integers:
        """The exact vector, of shape (components, cells)."""
        ...

    def estimate(self, noisy: Numbers, distribution: NoiseDistribution, confidence: float) -> Estimate:
        """Values and bounds from the noisy vector, each component's noise following `distribution`."""
        ...

    def half_width(self, distribution: NoiseDistribution, confidence: float, rows: int) -> float:
        """The half-width of the bounds to expect at worst in a cell of so many rows, in units."""
        ...

    @property
    def depends_on_rows(self) -> bool:
        """Whether `half_width` depends on the number of rows, so on the data."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A count or a sum: the noisy integer is the answer. A row moves it by at most `reach`.

    - count: by 1, so k in L1 and in L2.
    - count_persons: a person moves a cell by 1 at most, and at most min(k, cells) cells: min(k, cells) in L1
      and its root in L2. `ranges` are the cells that the question leaves in reach of any row.
    - sum of codes clamped to [l, h]: by max(|l|, |h|), of the codes that the question leaves in reach.
    - sum clamped per person: `privacy.person_totals`, from what k rows can reach in each cell of `ranges`.
    """

    key: str
    exact: ExactAggregate
    rows: int
    reach: int = 1
    unit: str | None = None
    step: Decimal = Decimal(1)
    # None: every cell and every code, as where no question stands behind the estimator.
    ranges: tuple[CellRange, ...] | None = None

    @property
    def exacts(self) -> tuple[ExactAggregate, ...]:
        return (self.exact,)

    @property
    def components(self) -> tuple[str, ...]:
        return ("",)

    @property
    def depends_on_rows(self) -> bool:
        return False

    def l1(self, cells: int) -> int:
        return self._moves(cells, 1)

    def squared(self, cells: int) -> int:
        return self._moves(cells, 2)

    def _moves(self, cells: int, power: Literal[1, 2]) -> int:
        """Σ |moved|^power over the cells, at most, and 1 at least: noise has a scale even where nothing can move."""
        ranges = ((-self.reach, self.reach, cells),) if self.ranges is None else self.ranges
        if self.exact.kind == "persons":
            # Each touched cell moves by 1, and 1² is 1.
            touched = min(self.rows, cells, sum(count for *_, count in ranges))
            return max(1, touched)
        if self.exact.kind == "person_total":
            clamp = self.exact.person_low, self.exact.person_high
            return max(1, farthest_move(self.rows, cells, ranges, clamp, power))
        # All k rows may fall into one cell, so a table of many cells moves no less than one: no minimum with cells.
        return max(1, int((self.rows * self.reach) ** power))

    def vector(self, get: Get) -> Integers:
        return get(self.exact)[None, :]

    def estimate(self, noisy: Numbers, distribution: NoiseDistribution, confidence: float) -> Estimate:
        width = distribution.half_width(confidence)
        # Integers come from a table measured alone; floats from least squares, where an estimate is no whole number.
        if noisy.dtype == np.int64:
            values, fine = [int(value) for value in noisy[0].tolist()], self.step
        else:
            values, fine = _in_digits(noisy[0]), self.step / 10**DIGITS
            # Rounded up: bounds may be wider than stated, never narrower.
            width = math.ceil(distribution.half_width_real(confidence) * 10**DIGITS)
        low = [value - width for value in values]
        return Estimate(values=values, low=[*low], high=[value + width for value in values], fine=fine)

    def half_width(self, distribution: NoiseDistribution, confidence: float, rows: int) -> float:
        return distribution.half_width(confidence) * float(self.step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """The mean of codes clamped to [l, h], from A = Σ(x-l) and B = Σ(h-x): l + (h-l)·A/(A+B).

    A row moves (A, B) by (x-l) + (h-x) = h-l in L1, and by no more in L2. The L1 ball is the convex hull of
    what a row can do to (sum, count), so no other norm fits tighter (the K-norm mechanism of Hardt & Talwar
    2010), and the whole price serves sum and count together instead of being split between them.
    """

    key: str
    column: int
    rows: int
    low: int
    high: int
    unit: str | None
    step: Decimal

    @property
    def exacts(self) -> tuple[ExactAggregate, ...]:
        total = ExactAggregate(kind="total", column=self.column, low=self.low, high=self.high)
        return total, ExactAggregate(kind="present", column=self.column)

    @property
    def components(self) -> tuple[str, ...]:
        return "from_low", "to_high"

    @property
    def depends_on_rows(self) -> bool:
        return True

    def l1(self, cells: int) -> int:
        return self.rows * (self.high - self.low)

    def squared(self, cells: int) -> int:
        return self.l1(cells) ** 2

    def vector(self, get: Get) -> Integers:
        total, present = (get(exact) for exact in self.exacts)
        # Σ(x-l) = Σx - l·n, so an engine gives plain sums. Both are at most 2³³ rows times h-l, inside int64 by
        # `privacy.statistics.largest_reach`.
        return np.stack([total - self.low * present, self.high * present - total])

    def estimate(self, noisy: Numbers, distribution: NoiseDistribution, confidence: float) -> Estimate:
        share, low, high = share_of(noisy[0], noisy[1], distribution, confidence, classes=2)
        span, base, fine = (self.high - self.low) * 10**DIGITS, self.low * 10**DIGITS, self.step / 10**DIGITS
        return Estimate(
            # To the nearest for the value, outwards for its bounds.
            values=[base + round(span * value) for value in share.tolist()],
            low=[base + math.floor(span * value) for value in low.tolist()],
            high=[base + math.ceil(span * value) for value in high.tolist()],
            fine=fine,
        )

    def half_width(self, distribution: NoiseDistribution, confidence: float, rows: int) -> float:
        """The half-width in units for `rows` rows, at worst: where the mean is one of the clamping bounds."""
        span = self.high - self.low
        share = distribution.tail_of_sum(confidence) / (rows * span)
        return min(1.0, share) * span * float(self.step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variance:
    """The population variance of codes clamped to [l, h], or its root.

    Measured as the three sums B₀ = Σ(R-u)², B₁ = 2Σu(R-u), B₂ = Σu², where u is the distance above l in
    steps (or in `grid` steps, rounded, where the square of the whole span would not fit) and R its greatest
    value: the Bernstein polynomials of degree 2. They are non-negative and add up to R² for every row, so a
    row moves them by exactly R² in L1 and by at most R² in L2, and nothing is split. With n = (B₀+B₁+B₂)/R²
    the variance is R²·(B₀B₂ - B₁²/4)/(B₀+B₁+B₂)².
    """

    key: str
    column: int
    rows: int
    low: int
    high: int
    grid: int
    root: bool
    unit: str | None
    step: Decimal

    @property
    def top(self) -> int:
        """R: the greatest distance above `low`, in grids."""
        return (self.high - self.low + self.grid // 2) // self.grid

    @property
    def exacts(self) -> tuple[ExactAggregate, ...]:
        total = ExactAggregate(kind="total", column=self.column, low=self.low, high=self.high, grid=self.grid)
        return ExactAggregate(kind="present", column=self.column), total, replace(total, kind="square")

    @property
    def components(self) -> tuple[str, ...]:
        return "near_low", "between", "near_high"

    @property
    def depends_on_rows(self) -> bool:
        return True

    def l1(self, cells: int) -> int:
        return self.rows * self.top**2

    def squared(self, cells: int) -> int:
        return self.l1(cells) ** 2

    def vector(self, get: Get) -> Integers:
        present, total, square = (get(exact) for exact in self.exacts)
        top = self.top
        # Middle terms may pass 2⁶³ and wrap around; the results fit and int64 is modular, so they are exact.
        return np.stack([top * top * present - 2 * top * total + square, 2 * (top * total - square), square])

    def estimate(self, noisy: Numbers, distribution: NoiseDistribution, confidence: float) -> Estimate:
        value, low, high = variance_of(noisy.astype(np.float64), distribution, confidence)
        side = self.top * self.grid * self.step
        if self.root:
            # The root is monotone, so bounds of the variance are bounds of the deviation with the same confidence.
            value, low, high, unit = np.sqrt(value), np.sqrt(low), np.sqrt(high), side
        else:
            unit = side * side
        fine = self.step / 10**DIGITS if self.root else self.step * self.step / 10**DIGITS
        counts = float(unit / fine)
        return Estimate(
            values=[round(counts * one) for one in value.tolist()],
            low=[math.floor(counts * one) for one in low.tolist()],
            high=[math.ceil(counts * one) for one in high.tolist()],
            fine=fine,
        )

    def half_width(self, distribution: NoiseDistribution, confidence: float, rows: int) -> float:
        """The half-width in (squared) units for `rows` rows, at worst: where all values lie at one of the bounds."""
        side = float(self.top * self.grid * self.step)
        share = min(0.25, distribution.tail_of_sum(confidence) / (rows * self.top**2))
        return side * math.sqrt(share) if self.root else side**2 * share


@dataclass(frozen=True, slots=True, kw_only=True)
class _Classes:
    """Counts of disjoint classes of rows: a row moves one of them by 1."""

    key: str
    rows: int
    unit: str | None = None

    @property
    def depends_on_rows(self) -> bool:
        return True

    def l1(self, cells: int) -> int:
        return self.rows

    def squared(self, cells: int) -> int:
        # Squared L2 of k rows in one class of one cell: spread over classes or cells it is less.
        return self.rows**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Share(_Classes):
    """The share of some rows in all: those that match a condition, or that a narrower bound keeps.

    Counted in two disjoint classes: each row moves one of both by 1, so k in L1 and in L2, and nothing is
    split. `rows` is the *dataset's* bound K where left-out rows count too; then at most `kept` = b < K rows are in
    the first class and at most K - b in the second: b² + (K - b)² in squared L2, convex in how they are spread.
    """

    some: ExactAggregate
    all: ExactAggregate
    components: tuple[str, ...] = ("matching", "others")
    kept: int | None = None

    @property
    def exacts(self) -> tuple[ExactAggregate, ...]:
        return self.some, self.all

    def squared(self, cells: int) -> int:
        # A rank up to the narrower bound is kept and every other one left out, so no more rows than that can be either.
        return self.rows**2 if self.kept is None else self.kept**2 + (self.rows - self.kept) ** 2

    def vector(self, get: Get) -> Integers:
        some, whole = get(self.some), get(self.all)
        # Disjoint classes, not some and all: a row would move both of these, and cost twice.
        return np.stack([some, whole - some])

    def estimate(self, noisy: Numbers, distribution: NoiseDistribution, confidence: float) -> Estimate:
        share, low, high = share_of(noisy[0], noisy[1], distribution, confidence, classes=2)
        return _share_estimate(share.tolist(), low.tolist(), high.tolist())

    def half_width(self, distribution: NoiseDistribution, confidence: float, rows: int) -> float:
        """The half-width of the share for `rows` rows counted in all, at worst over all shares."""
        return min(1.0, distribution.tail_of_sum(confidence) / rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio(_Classes):
    """Rows that match one condition for each row that matches another.

    Measured over the disjoint classes only the first, both, only the second. A row lies in one class at most
    and moves its count by 1, so k in L1 and in L2: nothing is split.
    """

    numerator: ExactAggregate
    both: ExactAggregate
    denominator: ExactAggregate
    components: tuple[str, ...] = ("numerator_only", "both", "denominator_only")

    @property
    def exacts(self) -> tuple[ExactAggregate, ...]:
        return self.numerator, self.both, self.denominator

    def vector(self, get: Get) -> Integers:
        above, both, below = (get(exact) for exact in self.exacts)
        return np.stack([above - both, both, below - both])

    def estimate(self, noisy: Numbers, distribution: NoiseDistribution, confidence: float) -> Estimate:
        """Ratios and bounds by way of s = N/(N+D), so that a ratio without upper bound is an ordinary share."""
        # Rows in both conditions stand on both sides of the ratio, so their noise does too: three classes.
        found = share_of(noisy[0] + noisy[1], noisy[1] + noisy[2], distribution, confidence, classes=3)
        value, low, high = ([_odds(share) for share in shares.tolist()] for shares in found)
        return _share_estimate([one or 0.0 for one in value], [one or 0.0 for one in low], high)

    def half_width(self, distribution: NoiseDistribution, confidence: float, rows: int) -> float:
        """The half-width of the ratio for `rows` rows in the denominator, at worst over ratios up to 1."""
        return distribution.tail_of_sum(confidence, draws=2) / rows


def _odds(share: float) -> float | None:
    """s/(1-s); None where there is no end to it."""
    # Nearer to 1 the ratio in millionths passes 2⁵³, where floats stop holding whole numbers.
    return share / (1 - share) if share < 1 - 1e-9 else None


def _share_estimate(value: Sequence[float], low: Sequence[float], high: Sequence[float | None]) -> Estimate:
    """An estimate in millionths."""
    fine = 10**SHARE_DIGITS
    return Estimate(
        values=[round(one * fine) for one in value],
        low=[math.floor(one * fine) for one in low],
        high=[None if one is None else math.ceil(one * fine) for one in high],
        fine=Decimal(1).scaleb(-SHARE_DIGITS),
    )


def _in_digits(values: Numbers) -> list[int]:
    return [round(value * 10**DIGITS) for value in values.tolist()]
