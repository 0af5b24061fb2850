"""Quantiles from exact histograms: by report noisy max, by splitting, or from a noisy tree of bins.

Report noisy max is that of Dwork & Roth 2014 (section 3.3), drawn as permute-and-flip (McKenna & Sheldon 2020)
under ε. Which of the three is used follows from public numbers alone: `plan_method`.

The quantile q of n values is the least value that at least q·n of them do not exceed. A histogram has equal
bins over the clamped domain, of one code each where that is few enough; the released value is a bin's middle.
Reads no data; all randomness comes from the `Noise` that is handed in.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np

from privacy import quantile_bounds, splits, trees
from privacy.aggregates import Get
from privacy.budget import NANO, Price, split
from privacy.distributions import NoiseDistribution
from privacy.exact import ExactAggregate
from privacy.noise import Integers, Mechanism, Noise
from privacy.schema import Measure

BINS_MAX = 1 << 14
CHOICES_MAX = 1 << 18
"""How many noisy scores one statistic may draw: a quarter of a million take under a second."""

ChoiceTarget = Literal["value", "share", "ends"]


@dataclass(frozen=True, slots=True)
class NoisyChoice:
    """One noisy choice: a quantile itself, the share of a bin that splits, or both ends of bounds.

    `q` is the quantile among the rows that are asked; `node` numbers the node of a split.
    """

    q: Fraction
    target: ChoiceTarget
    node: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Quantiles of a column's codes clamped to `low` … `high`, in bins of `width` codes.

    By choice, each quantile is drawn by report-noisy-max with a part of the price, and so is each pair of bounds
    (`privacy.quantile_bounds`). The score of a bin is minus the rows between it and the rank q·n, that is
    -max(0, lt - q·n, q·n - le) with lt rows below it and le up to its end. One row more moves q·n - lt and
    q·n - le by at most max(q, 1-q), so k rows by k·max(q, 1-q); scores are scaled by the denominator of q to
    be whole. Cells are disjoint, and the loss is linear in the rows moved, so k rows in several cells cost no
    more than in one (parallel composition).

    By splits, several quantiles are chosen so that both sides of a split share nothing (`privacy.splits`): the
    prices along each path add up to the whole.

    By tree, counts of all nodes of a tree over the bins get additive noise: k rows move k counts on each of
    h levels, so h·k in L1 and h·k² in squared L2. All quantiles then follow without further price.
    """

    key: str
    column: int
    rows: int
    low: int
    high: int
    width: int
    qs: tuple[Fraction, ...]
    value_bounds: bool
    branching: int
    by_splits: bool = False
    unit: str | None
    step: Decimal
    dates: bool = False

    @property
    def bins(self) -> int:
        return (self.high - self.low) // self.width + 1

    @property
    def exact(self) -> ExactAggregate:
        return ExactAggregate(
            kind="histogram", column=self.column, low=self.low, high=self.high, grid=self.width
        )

    @property
    def exacts(self) -> tuple[ExactAggregate, ...]:
        return (self.exact,)

    @property
    def by_tree(self) -> bool:
        """A tree has a branching factor; 0 means by choice."""
        return self.branching > 0

    @property
    def levels(self) -> tuple[int, ...]:
        """The numbers of nodes of the tree's levels, from the top; the root is not measured."""
        return trees.levels_of(self.bins, self.branching)

    def l1(self, cells: int) -> int:
        """How far one person moves the counts of a tree, in L1; choices have a sensitivity each (`mechanisms`)."""
        return self.rows * len(self.levels)

    def squared(self, cells: int) -> int:
        """How far one person moves the counts of a tree, in L2, squared: all rows may fall into one bin."""
        return self.rows**2 * len(self.levels)

    def choices(self) -> tuple[NoisyChoice, ...]:
        """What is chosen: values (and shares of bins that split), then the bounds."""
        values = [NoisyChoice(q, "value") for q in self.qs]
        if self.by_splits:
            values = []
            for number, node in enumerate(splits.nodes_of(self.qs)):
                values.append(NoisyChoice(node.q, "value", number))
                values += [NoisyChoice(node.q, "share", number)] if node.splits else []
        return (*values, *(NoisyChoice(q, "ends") for q in self.qs if self.value_bounds))

    def mechanisms(self, price: Price, measure: Measure) -> list[Mechanism]:
        """The mechanism of each choice. With bounds, the values get half of the price and the bounds the other.

        Values by splits share their part of the price along each path, since a row is on one path only
        (`splits.path_prices`).
        """
        return [
            Mechanism(
                kind="noisy_max",
                measure=measure,
                # A row more moves q·n by q and a rank by 0 or 1: their distance by at most max(q, 1-q), here times q's
                # denominator.
                sensitivity=self.rows * max(choice.q.numerator, choice.q.denominator - choice.q.numerator),
                price=part,
            )
            for choice, part in zip(self.choices(), self.draw_prices(price), strict=True)
        ]

    def draw_prices(self, price: Price) -> list[Price]:
        """The price of each choice, in the order of `choices`."""
        ends = len(self.qs) if self.value_bounds else 0
        value_price, *end_prices = split(price, [Fraction(max(1, ends)), *([Fraction(1)] * ends)])
        return [*self._value_prices(value_price), *end_prices]

    def price_of_draws(self, least: Price) -> Price:
        """A price at which every choice costs `least` or more: each part rounded up, as `draw_prices` rounds down."""
        levels = splits.depth_of(self.qs) / splits.SHARE_PRICE if self.by_splits else len(self.qs)
        values = math.ceil(least.nano * levels)
        ends = 2 * len(self.qs) * least.nano
        return Price(max(2 * values, ends) if self.value_bounds else values)

    def _value_prices(self, price: Price) -> list[Price]:
        if not self.by_splits:
            return split(price, [Fraction(1)] * len(self.qs))
        found = []
        for node, part in zip(splits.nodes_of(self.qs), splits.path_prices(self.qs, price), strict=True):
            found += split(part, [1 - splits.SHARE_PRICE, splits.SHARE_PRICE]) if node.splits else [part]
        return found

    def choose(self, get: Get, mechanisms: Sequence[Mechanism], noise: Noise) -> Integers:
        """The chosen bins, of shape (values and ends, cells); -1 and `bins` are the ends of the domain.

        For each quantile its value and, with bounds, its low and its high end.
        """
        histograms = get(self.exact).reshape(-1, self.bins)
        ranks = _Ranks.of(histograms)
        known = list(zip(self.choices(), mechanisms, strict=True))
        found = self._split_values(histograms, known, noise) if self.by_splits else []
        for choice, mechanism in known:
            if choice.target == "value" and choice.node < 0:
                # One choice a cell at the whole price: cells are disjoint.
                found.append([noise.top(scores, mechanism) for scores in ranks.scores(choice)])
        rows = [[places] for places in found]
        ends = [(choice.q, mechanism) for choice, mechanism in known if choice.target == "ends"]
        for (q, mechanism), row in zip(ends, rows, strict=bool(ends)):
            pairs = [
                quantile_bounds.choose(histogram, value, q, mechanism, noise)
                for histogram, value in zip(histograms, row[0], strict=True)
            ]
            row += [list(end) for end in zip(*pairs, strict=True)]
        return np.array([places for row in rows for places in row], dtype=np.int64)

    def _split_values(
        self, histograms: Integers, known: Sequence[tuple[NoisyChoice, Mechanism]], noise: Noise
    ) -> list[list[int]]:
        """The bins of all quantiles, of shape (quantiles, cells)."""
        nodes = [
            tuple(mechanism for choice, mechanism in known if choice.node == number)
            for number in range(len(self.qs))
        ]
        cells = [splits.choose(histogram, self.qs, nodes, noise) for histogram in histograms]
        return [list(row) for row in zip(*cells, strict=True)]

    def counts(self, get: Get) -> Integers:
        """The exact counts of the tree's nodes, level by level from the top, of shape (nodes, cells)."""
        histograms = get(self.exact).reshape(-1, self.bins)
        return trees.node_counts(histograms, self.levels, self.branching)

    def from_tree(self, noisy: Integers, distribution: NoiseDistribution, confidence: float) -> Integers:
        """Bins of every quantile and of its bounds, of shape (3·quantiles, cells): value, low, high."""
        leaves = trees.consistent_leaves(noisy.T.astype(np.float64), self.levels, self.branching)
        ranks = trees.monotone(np.cumsum(leaves, axis=1))
        # Noise may make the rows of a small cell negative; every rank sought in it is then 0.
        whole = np.maximum(ranks[:, -1:], 0.0)
        band = self.rank_error(distribution, confidence, [])
        found = []
        for q in self.qs:
            goal = whole * float(q)
            for shift in (0.0, -band, band):
                found.append(np.clip((ranks < goal + shift).sum(axis=1), 0, self.bins - 1))
        return np.array(found, dtype=np.int64)

    def rank_error(
        self, distribution: NoiseDistribution | None, confidence: float, mechanisms: Sequence[Mechanism]
    ) -> int:
        """T: with at least `confidence`, at most T rows lie between each value and the exact quantile.

        By choice: P(score < -T) ≤ N·e^(-Tε/2Δ) over N bins, since some bin has score 0 (McSherry & Talwar
        2007, theorem 6; no worse for permute-and-flip). Several values are put in order, so that each may be
        another's choice: all of them keep T at once, by a part of the doubt for each.
        By tree: a band over all bins, each of a deviation that `trees.rank_deviation` bounds; a sum of Laplace or
        Gaussian draws of deviation s exceeds √½·s·ln(1/p) with probability at most p for p below 0.05
        (compare `privacy.distributions`).
        """
        if self.by_tree:
            assert distribution is not None
            deviation = distribution.deviation * trees.rank_deviation(
                self.bins, self.branching, max(self.qs, key=_worst)
            )
            return math.ceil(deviation * math.log(self.bins / (1 - confidence)) / math.sqrt(2))
        # Union bound: every value must keep the stated error, since sorting may hand one value's error to another.
        doubt = (1 - confidence) / len(self.qs)
        errors: dict[Fraction, int] = {}
        choices, doubt_of_draw = self.choices(), doubt / self._draws_behind
        own = {choice.node: 0 for choice in choices}
        for choice, mechanism in zip(choices, mechanisms, strict=True):
            # A bin is cut in one of so many places; of few bins there are fewer.
            candidates = max(self.bins, splits.PARTS) if choice.target == "share" else self.bins
            stray = math.ceil(_shift(mechanism, candidates, doubt_of_draw) / choice.q.denominator)
            if choice.target == "value" and choice.node < 0:
                errors[choice.q] = stray
            elif choice.target in ("value", "share"):
                own[choice.node] += stray
        for number, node in enumerate(splits.nodes_of(self.qs) if self.by_splits else ()):
            # A value is chosen among the rows between two earlier ones, so it inherits the error of the worse of them.
            before = max(errors.get(node.low, 0), errors.get(node.high, 0))
            errors[self.qs[node.index]] = before + own[number]
        return max(errors.values())

    @property
    def _draws_behind(self) -> int:
        """How many draws a value depends on at most: those that split before it, and its own."""
        return 2 * splits.depth_of(self.qs) if self.by_splits else 1

    @property
    def rank_share(self) -> Fraction:
        """What `rank_error` leaves out: half a share of each bin that splits, of all rows at most."""
        return Fraction(splits.depth_of(self.qs) - 1, 2 * splits.PARTS) if self.by_splits else Fraction(0)

    def code_bounds(self, target: Literal["value", "low", "high"], bin: int) -> float:
        """The code that a bin stands for: its middle as a value, its outer edge as a bound."""
        if bin < 0:
            return self.low
        if bin >= self.bins:
            return self.high
        first = self.low + bin * self.width
        last = min(first + self.width - 1, self.high)
        return {"value": (first + last) / 2, "low": first, "high": last}[target]


def bins_max(cells: int, draws: int) -> int:
    """How many bins a quantile in each of so many cells may have for the drawing; 0 where even one is too many."""
    return min(BINS_MAX, CHOICES_MAX // max(1, cells * draws))


def draws_max(low: int, high: int, enough: int) -> int:
    """How many draws over all cells leave at least `enough` bins of a round width to each."""
    bins = ((high - low) // width + 1 for width in _ROUND_NUMBERS)
    return CHOICES_MAX // min(one for one in bins if one >= enough)


def plan_bins(low: int, high: int, most: int) -> int:
    """The width of the bins: the least of 1, 2, 5, 10, 20 … codes that leaves at most `most` bins, one or more.

    Raises ValueError for a domain of more than 10²⁰ codes a bin, which no column has.
    """
    # A closed list and no counting up: where no width is wide enough the search ends.
    for width in _ROUND_NUMBERS:
        if (high - low) // width + 1 <= most:
            return width
    raise ValueError("no width leaves so few bins")


_ROUND_NUMBERS: tuple[int, ...] = tuple(digit * 10**power for power in range(21) for digit in (1, 2, 5))


@dataclass(frozen=True, slots=True)
class QuantileMethod:
    """How quantiles are found: by a tree of that `branching` factor, by splits, or each by a choice."""

    branching: int = 0
    by_splits: bool = False


@lru_cache(maxsize=1024)
def plan_method(
    bins: int, qs: tuple[Fraction, ...], measure: Measure, *, value_bounds: bool
) -> QuantileMethod:
    """The method with the least predicted error.

    Compared is the standard deviation of a value's rank at equal price, for the worst of the quantiles. A
    choice of range 2Δ at ε has ranks of about a Laplace distribution with scale 2Δ/ε, Δ = max(q, 1-q); m
    choices share the price (ε/m each, or √(8ρ/m) of zCDP). Splits: see `privacy.splits`. A tree's rank is a
    weighted sum of node counts, and its bounds cost nothing more.
    """
    if bins < 2:
        return QuantileMethod()
    worst = max(qs, key=_worst)
    pure = measure == "pure"
    # Bounds by choice take half of the price: twice the scale under ε, √2 times under ρ. A tree's bounds are free.
    halved = (2 if pure else math.sqrt(2)) if value_bounds else 1
    choice_deviation = 2 * math.sqrt(2) * float(_worst(worst))
    shared = len(qs) if pure else math.sqrt(len(qs) / 8)
    best, method = halved * choice_deviation * shared, QuantileMethod()
    # Two quantiles have two levels as well as two choices: splitting gains nothing.
    if len(qs) > 2:
        error = halved * splits.predicted_deviation(qs, zcdp=not pure)
        if error < best:
            best, method = error, QuantileMethod(by_splits=True)
    # Small factors mean many levels to pay for, large ones many nodes to add up; no formula beats trying them.
    for factor in range(2, min(bins, 256) + 1):
        levels = len(trees.levels_of(bins, factor))
        scale = levels * math.sqrt(2) if pure else math.sqrt(levels / 2)
        error = scale * trees.rank_deviation(bins, factor, worst)
        if error < best:
            best, method = error, QuantileMethod(branching=factor)
    return method


def _worst(q: Fraction) -> Fraction:
    return max(q, 1 - q)


def _shift(mechanism: Mechanism, bins: int, doubt: float) -> int:
    """How far, in scaled ranks, a choice among `bins` + 2 strays with probability `doubt` at most."""
    epsilon = mechanism.price.nano / NANO
    # A choice of ε has bounded range and costs ρ = ε²/8 (Cesar & Rogers 2021, lemma 3.4).
    if mechanism.measure == "zcdp":
        epsilon = math.sqrt(8 * epsilon)
    return math.ceil(2 * mechanism.sensitivity / epsilon * math.log((bins + 2) / doubt)) + 1


@dataclass(frozen=True, slots=True)
class _Ranks:
    """Rows below each bin and up to its end, per cell."""

    below: Integers
    upto: Integers

    @classmethod
    def of(cls, histograms: Integers) -> "_Ranks":
        upto = np.cumsum(histograms, axis=1)
        return cls(upto - histograms, upto)

    def scores(self, choice: NoisyChoice) -> Iterator[Integers]:
        """The scores of all bins, cell by cell."""
        scale, part = choice.q.denominator, choice.q.numerator
        for below, upto in zip(self.below, self.upto, strict=True):
            yield _score(below * scale, upto * scale, part * int(upto[-1]))


def _score(below: Integers, upto: Integers, goal: int) -> Integers:
    """Minus the ranks between a bin and the goal: 0 for the bin that holds it."""
    return -np.maximum(np.maximum(below - goal, goal - upto), 0)
