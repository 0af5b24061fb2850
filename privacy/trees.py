"""Trees of bins: noisy counts of nested intervals, and the ranks that follow from them all.

A tree over bins has levels of nodes, each the sum of `branching` nodes below it; the root is not measured. One
row more lies in exactly one node of each level. Hierarchical histograms and their consistent estimates are those
of Hay, Rastogi, Miklau & Suciu 2010, "Boosting the accuracy of differentially private histograms through
consistency". Reads no data and draws nothing.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from privacy.distributions import Floats
from privacy.noise import Integers


def levels_of(bins: int, branching: int) -> tuple[int, ...]:
    """The numbers of nodes of a tree's levels, from the top down to the bins themselves."""
    sizes = [bins]
    # The total is left out: nobody asks for it alone, and a level less is that much less noise on all others.
    while sizes[0] > branching:
        sizes.insert(0, math.ceil(sizes[0] / branching))
    return tuple(sizes)


def node_counts(histograms: Integers, levels: Sequence[int], branching: int) -> Integers:
    """The exact counts of all nodes, level by level from the top: (cells, bins) → (nodes, cells)."""
    level = histograms
    found = [level]
    for size in reversed(levels[:-1]):
        level = _families(level, size, branching).sum(axis=2)
        found.append(level)
    return np.asarray(np.concatenate(found[::-1], axis=1).T)


def consistent_leaves(noisy: Floats, levels: Sequence[int], branching: int) -> Floats:
    """Least-squares bins of a tree with equal noise on every node: (cells, nodes) → (cells, bins).

    Upwards each node is averaged with the sum of its children, weighted by 1/variance; downwards each
    family's children share what is left of their parent (Hay et al. 2010; here also for families that are not
    full).
    """
    ends = np.cumsum(levels)
    parts = [noisy[:, end - size : end] for end, size in zip(ends, levels, strict=True)]
    means, variances = [parts[-1]], [np.ones(levels[-1])]
    sums: list[Floats] = []
    family_variances: list[Floats] = []
    for part in reversed(parts[:-1]):
        size = part.shape[1]
        family = _families(means[0], size, branching).sum(axis=2)
        family_variance = _families(variances[0][None, :], size, branching)[0].sum(axis=1)
        sums.insert(0, family)
        family_variances.insert(0, family_variance)
        # The node's own noise has variance 1 in these units, its children's sum `family_variance`.
        means.insert(0, (part * family_variance + family) / (1 + family_variance))
        variances.insert(0, family_variance / (1 + family_variance))
    final = means[0]
    for place in range(1, len(parts)):
        # What the family lacks is shared in proportion to variance: children that know less give way more.
        missing = (final - sums[place - 1]) / family_variances[place - 1]
        size = levels[place]
        final = means[place] + np.repeat(missing, branching, axis=1)[:, :size] * variances[place]
    return final


def _families(values: npt.NDArray[Any], parents: int, branching: int) -> npt.NDArray[Any]:
    """Children by parent, of shape (cells, parents, branching), the last family filled up with zeros."""
    padded = np.pad(values, ((0, 0), (0, parents * branching - values.shape[1])))
    return padded.reshape(len(values), parents, branching)


def monotone(ranks: Floats) -> Floats:
    """Ascending ranks: the mean of the running maximum from the left and the running minimum from the right.

    Noise may let ranks fall from bin to bin, and a search in them needs an order. Both envelopes stay inside any
    band of one width around the exact ranks that holds the noisy ones, since exact ranks ascend; so does their mean.
    """
    rising = np.maximum.accumulate(ranks, axis=1)
    falling = np.minimum.accumulate(ranks[:, ::-1], axis=1)[:, ::-1]
    return np.asarray((rising + falling) / 2)


@lru_cache(maxsize=4096)
def rank_deviation(bins: int, branching: int, q: Fraction) -> float:
    """The deviation, per draw of deviation 1, of (1-q)·(rows up to a bin) - q·(rows above), at its largest.

    Each level adds at most branching-1 whole nodes beside the path and the path's own last node. This is the error
    of adding nodes along the path; least squares err no more, being the best linear unbiased estimate.
    """
    below, above = float(1 - q), float(q)
    nodes = sum(min(branching, size) for size in levels_of(bins, branching))
    return math.sqrt(max(below**2, above**2, (below**2 + above**2) / 2) * nodes)
