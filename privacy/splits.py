"""Several quantiles by splitting: the middle one first, then each side among its own rows.

With m quantiles there are L = ⌊log₂ m⌋ + 1 levels instead of m choices, since the sides of a split are disjoint: a
row more lies on one side, so each side is asked at the whole of what its split leaves (Kaplan, Schnapp & Stemmer
2022, "Differentially private approximate quantiles"). They give each level the same part of the price; here each
path from the first node to a last one spends the whole price, so that short paths have larger parts (`path_prices`).
Reads no data; draws through `Noise` alone.

Where many rows share the bin that splits, it must be known how many of them belong to either side, or the ranks
of both sides are off by up to that many. So a split also chooses a share s of its bin: the left side gets
⌊s·c⌋ of its c rows, the right side the rest. One row more in the bin changes ⌊s·c⌋ by 0 or 1, so it changes
exactly one of both sides by exactly one row, and k rows change k: what is disjoint stays so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np

from privacy.budget import NANO, Price, split
from privacy.noise import Integers, Mechanism, Noise

PARTS = 1 << 10
"""Into how many shares a splitting bin can be cut: its rows are placed to within half of that."""

SHARE_PRICE = Fraction(1, 6)
"""The part of a level's price that cuts the bin; the rest chooses it. Choosing errs 6/5 as much as it would alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One choice: quantile number `index`, which among the rows of its side is the quantile `q`.

    `left` and `right` are numbers of nodes, or None; `low` and `high` are the quantiles between which it lies.
    `height` is the number of levels from it down to the last node below it, its own included.
    """

    index: int
    q: Fraction
    low: Fraction
    high: Fraction
    depth: int
    height: int
    left: int | None
    right: int | None

    @property
    def splits(self) -> bool:
        return self.left is not None or self.right is not None


@lru_cache(maxsize=256)
def nodes_of(qs: tuple[Fraction, ...]) -> tuple[Node, ...]:
    """The nodes of ascending quantiles, parents before children."""
    found: list[Node] = []

    def grow(first: int, last: int, low: Fraction, high: Fraction, depth: int) -> int | None:
        if first >= last:
            return None
        # Numbered before its children, so that parents stand before children: errors are added up in that order.
        place, middle = len(found), first + _left_of(last - first, deep_left=low > 0 and high == 1)
        q = qs[middle]
        relative = (q - low) / (high - low) if high > low else Fraction(0)
        node = Node(
            index=middle,
            q=relative,
            low=low,
            high=high,
            depth=depth,
            height=(last - first).bit_length(),
            left=None,
            right=None,
        )
        found.append(node)
        left = grow(first, middle, low, q, depth + 1)
        right = grow(middle + 1, last, q, high, depth + 1)
        found[place] = replace(node, left=left, right=right)
        return place

    grow(0, len(qs), Fraction(0), Fraction(1), 0)
    return tuple(found)


def _left_of(count: int, *, deep_left: bool) -> int:
    """How many of so many quantiles lie left of the one that splits them.

    One side is as small as the other's levels allow and has a level less where it can: its paths are shorter and have
    larger parts of the price. That is the outer side, since values lie furthest apart at the ends of most columns.
    """
    levels = count.bit_length() - 1
    # A side of so many levels has at most 2^levels - 1 nodes, and one of a level less is full at 2^(levels-1) - 1.
    deep = min((1 << levels) - 1, count - 1 - ((1 << levels >> 1) - 1))
    return deep if deep_left else count - 1 - deep


def path_prices(qs: tuple[Fraction, ...], price: Price) -> list[Price]:
    """The price of each node: of what its parents leave, one part in as many as there are levels from it downwards.

    Both sides of a split may spend all that it leaves, however they spend it: a row more changes the rows of one side
    only, so it moves the draws of one path, and those of any path cost the whole price or less (parallel composition,
    McSherry 2009, node by node). k rows may lie on several paths: each costs at most a kth of what k rows on one cost.
    """
    nodes = nodes_of(qs)
    left, own = {0: price}, []
    # Parents come first, so that what is left for a node is known when its turn comes.
    for number, node in enumerate(nodes):
        mine, rest = split(left[number], [Fraction(1), Fraction(node.height - 1)])
        own.append(mine)
        left |= {child: rest for child in (node.left, node.right) if child is not None}
    return own


def depth_of(qs: tuple[Fraction, ...]) -> int:
    """The number of levels of the nodes: the nodes that one row takes part in at most, one after the other."""
    # The fewest that will do: as many levels as the number of quantiles has binary digits.
    return len(qs).bit_length()


def choose(
    histogram: Integers, qs: tuple[Fraction, ...], mechanisms: Sequence[tuple[Mechanism, ...]], noise: Noise
) -> list[int]:
    """The bin of each quantile of one cell's `histogram` of shape (bins,), in the order of `qs`.

    `mechanisms` are those of each node: of its choice, and of its share where it splits. The score of a bin is
    minus the scaled rows between it and the rank sought, that of a share minus those between the rank and the
    place where the share cuts the bin.
    """
    nodes = nodes_of(qs)
    found = [0] * len(qs)
    # A loop and no recursion: the order of draws is fixed, which a repeated recording of noise relies on.
    waiting = [(0, histogram, 0)]
    while waiting:
        place, rows, offset = waiting.pop()
        node = nodes[place]
        upto = np.cumsum(rows)
        goal, scale = node.q.numerator * int(upto[-1]), node.q.denominator
        scores = -np.maximum(np.maximum((upto - rows) * scale - goal, goal - upto * scale), 0)
        bin = noise.top(scores, mechanisms[place][0])
        found[node.index] = offset + bin
        if not node.splits:
            continue
        count, below = int(rows[bin]), int(upto[bin] - rows[bin])
        # At most 2¹⁰ · 2³³, far inside int64.
        cut = np.arange(PARTS + 1, dtype=np.int64) * count // PARTS
        share = noise.top(-np.abs((below + cut) * scale - goal), mechanisms[place][1])
        left, right = rows[: bin + 1].copy(), rows[bin:].copy()
        # Each row of the bin goes to one side, none to both: that keeps the sides disjoint and a level at one price.
        left[-1], right[0] = cut[share], count - cut[share]
        for child, side, start in ((node.right, right, offset + bin), (node.left, left, offset)):
            if child is not None:
                waiting.append((child, side, start))
    return found


def predicted_deviation(qs: tuple[Fraction, ...], *, zcdp: bool) -> float:
    """The deviation of the worst rank at a price of one and k = 1, for comparison with other ways.

    A choice of range 2Δ at ε has ranks of about a Laplace distribution with scale 2Δ/ε; the rank aimed at lies
    between those of its parents, in proportion, so their errors come down in proportion too.
    """
    prices = path_prices(qs, Price(NANO))
    errors: dict[Fraction, float] = {Fraction(0): 0.0, Fraction(1): 0.0}
    worst = 0.0
    for node, part in zip(nodes_of(qs), prices, strict=True):
        # A node that splits pays for the share as well, the last ones do not.
        price = part.nano / NANO * (1 - float(SHARE_PRICE) if node.splits else 1.0)
        epsilon = math.sqrt(8 * price) if zcdp else price
        own = math.sqrt(2) * 2 * float(max(node.q, 1 - node.q)) / epsilon
        q = float(node.q)
        above = math.hypot((1 - q) * errors.get(node.low, 0.0), q * errors.get(node.high, 0.0))
        errors[node.low + (node.high - node.low) * node.q] = math.hypot(own, above)
        worst = max(worst, math.hypot(own, above))
    return worst
