"""Quantiles from exact histograms: by report-noisy-max, or from a noisy tree of bins where that is better.

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

from privacy.aggregates import Get
from privacy.budget import NANO, Price, split
from privacy.exact import Exact
from privacy.laws import Floats, Law
from privacy.noise import Integers, Mechanism, Noise
from privacy.schema import Measure

BINS_MAX = 1 << 14
CHOICES_MAX = 1 << 18
_FAR = 1 << 61
"""How many noisy scores one statistic may draw: a quarter of a million take under a second."""

Place = Literal["value", "low", "high"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One noisy choice: the quantile itself, or an end of its bounds."""

    q: Fraction
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Quantiles of a column's codes clamped to `low` … `high`, in bins of `width` codes.

    By choice, each quantile (and each end of its bounds) is drawn by report-noisy-max with a part of the
    price. The score of a bin is minus the rows between it and the rank q·n, that is
    -max(0, lt - q·n, q·n - le) with lt rows below it and le up to its end. One row more moves q·n - lt and
    q·n - le by at most max(q, 1-q), so k rows by k·max(q, 1-q); scores are scaled by the denominator of q to
    be whole. Cells are disjoint, and the loss is linear in the rows moved, so k rows in several cells cost no
    more than in one (parallel composition).

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
    unit: str | None
    step: Decimal
    dates: bool = False

    @property
    def bins(self) -> int:
        return (self.high - self.low) // self.width + 1

    @property
    def exact(self) -> Exact:
        return Exact(kind="spread", column=self.column, low=self.low, high=self.high, grid=self.width)

    @property
    def exacts(self) -> tuple[Exact, ...]:
        return (self.exact,)

    @property
    def by_tree(self) -> bool:
        """A tree has a branching factor; 0 means by choice."""
        return self.branching > 0

    @property
    def levels(self) -> tuple[int, ...]:
        """The numbers of nodes of the tree's levels, from the top; the root is not measured."""
        return _levels(self.bins, self.branching)

    def l1(self, cells: int) -> int:
        """Of the tree's counts."""
        return self.rows * len(self.levels)

    def squared(self, cells: int) -> int:
        """Of the tree's counts, in squared L2."""
        return self.rows**2 * len(self.levels)

    def choices(self) -> tuple[Choice, ...]:
        """What is chosen, in the order of release."""
        places: tuple[Place, ...] = ("value", "low", "high") if self.value_bounds else ("value",)
        return tuple(Choice(q, place) for q in self.qs for place in places)

    def mechanisms(self, price: Price, measure: Measure) -> list[Mechanism]:
        """The mechanism of each choice. With bounds, a value gets half of its price and each end a quarter."""
        weights = [
            Fraction(2 if choice.place == "value" and self.value_bounds else 1) for choice in self.choices()
        ]
        return [
            Mechanism(
                kind="noisy_max",
                measure=measure,
                sensitivity=self.rows * max(choice.q.numerator, choice.q.denominator - choice.q.numerator),
                price=part,
            )
            for choice, part in zip(self.choices(), split(price, weights), strict=True)
        ]

    def choose(self, get: Get, mechanisms: Sequence[Mechanism], noise: Noise) -> Integers:
        """The chosen bins, of shape (choices, cells); -1 and `bins` are the ends of the domain."""
        histograms = get(self.exact).reshape(-1, self.bins)
        ranks = _Ranks.of(histograms)
        chosen = [
            [noise.top(scores, mechanism) for scores in ranks.scores(choice, _shift(mechanism, self.bins))]
            for choice, mechanism in zip(self.choices(), mechanisms, strict=True)
        ]
        places = np.array(chosen, dtype=np.int64)
        offsets = [0 if choice.place == "value" else 1 for choice in self.choices()]
        return np.asarray(places - np.array(offsets)[:, None])

    def counts(self, get: Get) -> Integers:
        """The exact counts of the tree's nodes, level by level from the top, of shape (nodes, cells)."""
        histograms = get(self.exact).reshape(-1, self.bins)
        below = self.levels[-1]
        level = np.zeros((len(histograms), below), dtype=np.int64)
        level[:, : self.bins] = histograms
        found = [level]
        for size in reversed(self.levels[:-1]):
            level = np.pad(level, ((0, 0), (0, size * self.branching - level.shape[1])))
            level = level.reshape(len(histograms), size, self.branching).sum(axis=2)
            found.append(level)
        return np.asarray(np.concatenate(found[::-1], axis=1).T)

    def from_tree(self, noisy: Integers, law: Law, confidence: float) -> Integers:
        """Bins of every quantile and of its bounds, of shape (3·quantiles, cells): value, low, high."""
        leaves = _consistent(noisy.T.astype(np.float64), self.levels, self.branching)[:, : self.bins]
        ranks = _monotone(np.cumsum(leaves, axis=1))
        whole = np.maximum(ranks[:, -1:], 0.0)
        band = self.rank_error(law, confidence, [])
        found = []
        for q in self.qs:
            goal = whole * float(q)
            for shift in (0.0, -band, band):
                found.append(np.clip((ranks < goal + shift).sum(axis=1), 0, self.bins - 1))
        return np.array(found, dtype=np.int64)

    def rank_error(self, law: Law | None, confidence: float, mechanisms: Sequence[Mechanism]) -> int:
        """T: with at least `confidence`, at most T rows lie between each value and the exact quantile.

        By choice: P(score < -T) ≤ N·e^(-Tε/2Δ) over N bins, since some bin has score 0 (McSherry & Talwar
        2007, theorem 6; no worse for permute-and-flip). Several values are put in order, so that each may be
        another's choice: all of them keep T at once, by a part of the doubt for each.
        By tree: a band over all bins, each of a deviation that `_rank_deviation` bounds; a sum of Laplace or
        Gaussian draws of deviation s exceeds √½·s·ln(1/p) with probability at most p for p below 0.05
        (compare `privacy.laws`).
        """
        if self.by_tree:
            assert law is not None
            deviation = law.deviation * _rank_deviation(self.bins, self.branching, max(self.qs, key=_worst))
            return math.ceil(deviation * math.log(self.bins / (1 - confidence)) / math.sqrt(2))
        errors = [
            math.ceil(_shift(mechanism, self.bins, (1 - confidence) / len(self.qs)) / choice.q.denominator)
            for choice, mechanism in zip(self.choices(), mechanisms, strict=True)
            if choice.place == "value"
        ]
        return max(errors)

    def code_bounds(self, place: Place, bin: int) -> float:
        """The code that a bin stands for: its middle as a value, its outer edge as a bound."""
        if bin < 0:
            return self.low
        if bin >= self.bins:
            return self.high
        first = self.low + bin * self.width
        last = min(first + self.width - 1, self.high)
        return {"value": (first + last) / 2, "low": first, "high": last}[place]


def plan_bins(low: int, high: int, cells: int, draws: int) -> int:
    """The width of the bins: the least of 1, 2, 5, 10, 20 … codes with few enough bins for the drawing."""
    most = min(BINS_MAX, CHOICES_MAX // max(1, cells * draws))
    for width in _round_numbers():
        if (high - low) // width + 1 <= most:
            return width
    raise AssertionError


def _round_numbers() -> Iterator[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


@lru_cache(maxsize=1024)
def plan_branching(bins: int, qs: tuple[Fraction, ...], measure: Measure, *, value_bounds: bool) -> int:
    """The branching factor of the best tree, or 0 where choices have less predicted error.

    Compared is the standard deviation of a value's rank at equal price, for the worst of the quantiles. A
    choice of range 2Δ at ε has ranks of about Laplace law with scale 2Δ/ε, Δ = max(q, 1-q); m choices share
    the price (ε/m each, or √(8ρ/m) of zCDP). A tree's rank is a weighted sum of node counts.
    """
    if bins < 2:
        return 0
    worst = max(qs, key=_worst)
    spread = 2 * math.sqrt(2) * float(_worst(worst))
    draws = len(qs) * (2 if value_bounds else 1)
    best, branching = (spread * draws if measure == "pure" else spread * math.sqrt(draws / 8)), 0
    for factor in range(2, min(bins, 256) + 1):
        levels = len(_levels(bins, factor))
        scale = levels * math.sqrt(2) if measure == "pure" else math.sqrt(levels / 2)
        error = scale * _rank_deviation(bins, factor, worst)
        if error < best:
            best, branching = error, factor
    return branching


def _worst(q: Fraction) -> Fraction:
    return max(q, 1 - q)


@lru_cache(maxsize=4096)
def _rank_deviation(bins: int, branching: int, q: Fraction) -> float:
    """The deviation, per draw of deviation 1, of (1-q)·(rows up to a bin) - q·(rows above), at its largest.

    Each level adds at most branching-1 whole nodes beside the path and the path's own last node.
    """
    below, above = float(1 - q), float(q)
    levels = _levels(bins, branching)
    nodes = sum(min(branching, size) for size in levels)
    return math.sqrt(max(below**2, above**2, (below**2 + above**2) / 2) * nodes)


def _levels(bins: int, branching: int) -> tuple[int, ...]:
    sizes = [bins]
    while sizes[0] > branching:
        sizes.insert(0, math.ceil(sizes[0] / branching))
    return tuple(sizes)


def _shift(mechanism: Mechanism, bins: int, doubt: float = 0.025) -> int:
    """How far, in scaled ranks, a choice among `bins` + 2 strays with probability `doubt` at most."""
    epsilon = mechanism.price.nano / NANO
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

    def scores(self, choice: Choice, shift: int) -> Iterator[Integers]:
        """The scores of all bins, cell by cell.

        A bound aims `shift` ranks lower or higher, so that it misses the quantile's rank only if the choice
        strays further than that; the ends of the domain are two bins more, below and above everything.
        """
        scale, part = choice.q.denominator, choice.q.numerator
        for below, upto in zip(self.below, self.upto, strict=True):
            goal = part * int(upto[-1])
            if choice.place == "value":
                yield _score(below * scale, upto * scale, goal)
                continue
            goal += shift if choice.place == "high" else -shift
            whole = int(upto[-1]) * scale
            left = np.concatenate([[-_FAR], below * scale, [whole]])
            yield _score(left, np.concatenate([[0], upto * scale, [_FAR]]), goal)


def _score(below: Integers, upto: Integers, goal: int) -> Integers:
    """Minus the ranks between a bin and the goal: 0 for the bin that holds it."""
    return -np.maximum(np.maximum(below - goal, goal - upto), 0)


def _consistent(noisy: Floats, levels: Sequence[int], branching: int) -> Floats:
    """Least-squares leaves of a tree with equal noise on every node (Hay, Rastogi, Miklau & Suciu 2010).

    Upwards each node is averaged with the sum of its children, weighted by 1/variance; downwards each
    family's children share what is left of their parent. `noisy` is (cells, nodes), levels from the top.
    """
    ends = np.cumsum(levels)
    parts = [noisy[:, end - size : end] for end, size in zip(ends, levels, strict=True)]
    means, variances = [parts[-1]], [np.ones(levels[-1])]
    sums: list[Floats] = []
    spreads: list[Floats] = []
    for part in reversed(parts[:-1]):
        size = part.shape[1]
        family = _families(means[0], size, branching).sum(axis=2)
        spread = _families(variances[0][None, :], size, branching)[0].sum(axis=1)
        sums.insert(0, family)
        spreads.insert(0, spread)
        means.insert(0, (part * spread + family) / (1 + spread))
        variances.insert(0, spread / (1 + spread))
    final = means[0]
    for place in range(1, len(parts)):
        missing = (final - sums[place - 1]) / spreads[place - 1]
        size = levels[place]
        final = means[place] + np.repeat(missing, branching, axis=1)[:, :size] * variances[place]
    return final


def _families(values: Floats, parents: int, branching: int) -> Floats:
    """Children by parent, the last family filled up with zeros."""
    padded = np.pad(values, ((0, 0), (0, parents * branching - values.shape[1])))
    return padded.reshape(len(values), parents, branching)


def _monotone(ranks: Floats) -> Floats:
    """Ascending ranks: the mean of the running maximum from the left and the running minimum from the right."""
    rising = np.maximum.accumulate(ranks, axis=1)
    falling = np.minimum.accumulate(ranks[:, ::-1], axis=1)[:, ::-1]
    return np.asarray((rising + falling) / 2)
