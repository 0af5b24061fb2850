"""Seeded draws from small probability tables, a whole array at a time; knows nothing about people."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

# A table resolves probabilities to 1 / 4096, and a row of it fits the processor's cache.
GRID_BITS = 12

Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Draws:
    """Rows of equally likely outcomes: outcome k stands in row r in proportion to `weights[r, k]`."""

    outcomes: Ints
    bits: int

    @classmethod
    def of(cls, weights: ArrayLike, *, bits: int = GRID_BITS) -> Self:
        """Lay every row of non-negative weights out on a grid of 2**bits equally likely points."""
        rows = np.atleast_2d(np.asarray(weights, dtype=float))
        assert (rows >= 0).all(), "a weight is never negative"
        assert (rows.sum(axis=1) > 0).all(), "every row needs some weight"
        # The middle of each grid cell, so that rounding favours neither neighbour.
        points = (np.arange(1 << bits) + 0.5) / (1 << bits)
        bounds = np.cumsum(rows, axis=1) / rows.sum(axis=1, keepdims=True)
        kind = np.uint8 if rows.shape[1] <= 256 else np.uint16
        laid = [np.searchsorted(bound, points, side="right").astype(kind) for bound in bounds]
        return cls(outcomes=np.concatenate(laid), bits=bits)

    def at(self, row: Ints, point: Ints) -> Ints:
        """Read the outcome of each row at the given grid point (taken modulo the grid)."""
        return self.outcomes.take((row.astype(np.intp) << self.bits) | (point & ((1 << self.bits) - 1)))

    def draw(self, rng: np.random.Generator, row: Ints) -> Ints:
        """Draw one outcome for each entry of `row`."""
        return self.at(row, grid_points(rng, len(row), self.bits))

    def draw_alike(self, rng: np.random.Generator, count: int) -> Ints:
        """Draw `count` outcomes from a table of one row."""
        return self.outcomes.take(grid_points(rng, count, self.bits))


def grid_points(rng: np.random.Generator, count: int, bits: int = GRID_BITS) -> Ints:
    """Draw uniform grid points, in the smallest unsigned type that holds them."""
    return rng.integers(0, 1 << bits, size=count, dtype=np.uint16 if bits <= 16 else np.uint32)


def chance(rng: np.random.Generator, probability: NDArray[np.floating[Any]] | float, count: int) -> Bools:
    """Toss one coin per entry, true with the given probability."""
    return rng.random(count, dtype=np.float32) < probability


def by_age(*knots: tuple[float, float]) -> NDArray[np.float32]:
    """Interpolate (age, value) knots linearly to one value for each age 0 to 119."""
    ages, values = zip(*knots, strict=True)
    filled: NDArray[np.float32] = np.interp(np.arange(120), ages, values).astype(np.float32)
    return filled
