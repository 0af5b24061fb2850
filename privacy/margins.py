"""Margins of a table: the orthogonal parts that they are made of, and their best estimates from noisy ones.

Everything here follows from sizes, grids and noise variances; no data is read, nothing is drawn. Refuses
what does not fit together with ValueError; a caller has checked the request long before.

A *grid* is an ascending tuple of axis numbers; its *margin* is the table summed over all other axes, its
cells in C order. With P_T the projection onto the tables that depend on the axes T only and sum to zero
along each of them, the space of all tables is the orthogonal sum of these subspaces T, of dimension
Π_{j∈T} (n_j - 1), and MᵀM = (N / cells) · Σ_{T⊆S} P_T for the margin M of a grid S. So weighted least
squares works on each subspace alone: there a grid S ⊇ T measured with variance v informs by
(N / cells_S) / v, the informations of all grids add up to I_T, and the estimated margin R has the total
variance Σ_{T⊆R} dim_T · (N / cells_R) / I_T. N cancels; the code has J_T = I_T / N.

The setting is that of HDMM's marginals (McKenna, Miklau, Hay & Machanavajjhala 2018, "Optimizing error of
high-dimensional statistical queries under differential privacy") and of ResidualPlanner (Xiao, He, Zhang &
Kifer 2023, "An Optimal and Scalable Matrix Mechanism for Noisy Marginals under Convex Loss Functions").
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from privacy.distributions import Floats

Grid = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedMargin:
    """An estimated margin: `values` per cell in C order, `variance` of each of them.

    `values` has shape (cells,), or (m, cells) where m vectors were fitted at once.
    """

    values: Floats
    variance: float


def fit(
    sizes: Sequence[int],
    grids: Sequence[Grid],
    noisy: Sequence[npt.NDArray[Any]],
    variances: Sequence[float],
    wanted: Sequence[Grid],
) -> list[FittedMargin]:
    """The best linear unbiased estimates of the wanted margins from noisy measurements of `grids`.

    `noisy[i]` is the measured margin of `grids[i]`, flat in C order, of shape (cells,) or (m, cells) for m
    tables at once; `variances[i]` is the variance of its noise per cell, independent between cells. The
    estimates are weighted least squares, so they are margins of one table and add up, up to rounding.
    Every cell of a margin has the same variance, by symmetry. No array larger than a measured or wanted
    margin is built; the time is linear in their cells times axes, and in the subspaces below them.

    In float64: an estimate is off by a few 2⁻⁵³ of the largest cells of the measured grids. A sum over n
    rows is at most n sensitivities and its noise is about one or more, so below 10⁹ rows the rounding is
    less than a millionth of the noise.

    Raises ValueError for a grid that does not fit the sizes, or a wanted margin that none determines.
    """
    asked = [mask_of(sizes, grid) for grid in wanted]
    parts = _parts(sizes, grids, noisy, variances, below(asked))
    # A subspace that nobody measured would count as zero: a biased table that looks like any other.
    if not set(below(asked)) <= set(parts):
        raise ValueError("the measured grids do not determine every wanted margin")
    found = [_margin_of(sizes, mask, parts) for mask in asked]
    return [replace(margin, values=margin.values[0]) for margin in found] if noisy[0].ndim == 1 else found


@dataclass(frozen=True, slots=True)
class _Part:
    """An estimate in one subspace T, in orthonormal coordinates of the margin of T, and J_T behind it."""

    values: Floats
    information: float


def _parts(
    sizes: Sequence[int],
    grids: Sequence[Grid],
    noisy: Sequence[npt.NDArray[Any]],
    variances: Sequence[float],
    exact_requests: Sequence[int],
) -> dict[int, _Part]:
    """The mean of all measurements in each needed subspace, weighted by their informations.

    The reflected margin of a grid S holds, in block T, the deviations of its margin T over
    √(cells_S / cells_T); its noise there has the variance v_S in each coordinate.
    """
    found: dict[int, _Part] = {}
    for grid, values, variance in zip(grids, noisy, variances, strict=True):
        mask = mask_of(sizes, grid)
        turned = _coordinates(sizes, mask, values)
        cells = cells_of(sizes, mask)
        # Inverse variances weigh independent measurements best; here those of the coordinates in this subspace.
        information = 1 / (variance * cells)
        for part in (part for part in exact_requests if part | mask == mask):
            here = turned[block(part, mask)] * math.sqrt(cells / cells_of(sizes, part))
            before = found.get(part, _Part(np.zeros_like(here), 0.0))
            # A running mean: one array a subspace is held, not one a measurement.
            total = before.information + information
            found[part] = _Part(before.values + (here - before.values) * (information / total), total)
    return found


def _coordinates(sizes: Sequence[int], mask: int, values: npt.NDArray[Any]) -> Floats:
    """A flat margin, or m of them, in orthonormal coordinates: shape (m, sizes of the axes of `mask`)."""
    if values.shape[-1] != cells_of(sizes, mask):
        raise ValueError("a measured margin has one number per cell")
    return reflect(values.astype(np.float64).reshape(-1, *(sizes[axis] for axis in axes_of(mask))))


def _margin_of(sizes: Sequence[int], mask: int, parts: dict[int, _Part]) -> FittedMargin:
    """The margin that has these parts in the subspaces below it."""
    cells, variance = cells_of(sizes, mask), 0.0
    # Left empty, since the blocks of all subspaces below the mask cover the whole array.
    turned = np.empty((len(parts[0].values), *(sizes[axis] for axis in axes_of(mask))))
    for part in below([mask]):
        share = cells_of(sizes, part) / cells
        turned[block(part, mask)] = parts[part].values * math.sqrt(share)
        variance += dimension_of(sizes, part) / (cells**2 * parts[part].information)
    return FittedMargin(values=reflect(turned).reshape(len(turned), -1), variance=variance)


def reflect(tables: Floats) -> Floats:
    """Orthonormal coordinates of tables of shape (m, n_1, …, n_d), and back: its own inverse.

    Index 0 of an axis becomes the direction in which the table is constant, the other indices span the
    deviations that sum to zero: the Householder reflection of (1, …, 1)/√n onto (1, 0, …, 0), one axis
    after the other. Time is linear in cells times axes, whatever the sizes.
    """
    shape = tables.shape
    turned = np.moveaxis(tables, 0, -1)
    for size in shape[1:]:
        turned = _reflect_first(turned.reshape(size, -1))
    return turned.reshape(shape)


def _reflect_first(table: Floats) -> Floats:
    """Reflect along the first of two axes, which becomes the last."""
    size, others = table.shape
    # One value deviates from nothing, and 1 - root would be zero.
    if size == 1:
        return table.T
    # The vector (1, …, 1)/√n - e₁ of the reflection is never written down: its product with the table is `across`.
    root = 1 / math.sqrt(size)
    across = table.sum(axis=0) * root - table[0]
    turned = np.empty((others, size))
    turned[:, 0] = table[0] + across
    np.subtract(table[1:], across * (root / (1 - root)), out=turned.T[1:])
    return turned


def block(mask: int, table: int) -> tuple[int | slice, ...]:
    """Where the subspace `mask` lies in reflected tables over the axes of `table`."""
    return (slice(None), *(slice(1, None) if mask >> axis & 1 else 0 for axis in axes_of(table)))


def axes_of(mask: int) -> Grid:
    """The axes in a mask: a set of axes as the bits of an integer."""
    return tuple(axis for axis in range(mask.bit_length()) if mask >> axis & 1)


def mask_of(sizes: Sequence[int], grid: Grid) -> int:
    """The axes of a grid that matter, those of size 2 and more. Raises ValueError if it does not fit."""
    if list(grid) != [axis for axis in range(len(sizes)) if axis in grid] or min(sizes, default=1) < 1:
        raise ValueError("a grid is an ascending tuple of axes, and an axis has at least one value")
    # An axis of one value changes no table: grids that differ in such axes only are one.
    return sum(1 << axis for axis in grid if sizes[axis] > 1)


def cells_of(sizes: Sequence[int], mask: int) -> int:
    """The cells of a grid."""
    return math.prod(sizes[axis] for axis in axes_of(mask))


def below(masks: Iterable[int]) -> list[int]:
    """The subspaces of these grids: every subset of every mask, ascending."""
    found = {0}
    for mask in masks:
        parts = [0]
        for axis in axes_of(mask):
            parts += [part | 1 << axis for part in parts]
        found.update(parts)
    return sorted(found)


def dimension_of(sizes: Sequence[int], part: int) -> int:
    """The dimension of a subspace."""
    return math.prod(sizes[axis] - 1 for axis in axes_of(part))
