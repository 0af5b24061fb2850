"""Post-randomisation (PRAM): categories replaced at random by a matrix of probabilities that may be published.

Gouweleeuw, Kooiman, Willenborg & De Wolf 1998. Missing cells stay missing. Published with its matrix,
tables can be corrected for it; the seed undoes it and is kept apart.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.operations.columns import MISSING, held_places
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.randomness import Draws
from privacy.deidentify.table import Column

VALUES_MAX = 2_000
BELOW_ONE = 1 - 1e-12
"""The largest draw: added to a row's number it must not round up into the next row."""
Matrix = NDArray[np.float64]


def categories(column: Column) -> tuple[str, ...]:
    """The values held, without the missing one, in the order of their texts: the order of a matrix."""
    held = sorted(column.values[place] for place in held_places(column) if column.values[place] != MISSING)
    if not 2 <= len(held) <= VALUES_MAX:
        raise BadOperation(
            f"pram of column {column.name} needs 2 to {VALUES_MAX} values, and it has {len(held)}"
        )
    return tuple(held)


def frequencies(column: Column) -> Matrix:
    """How many rows hold each of `categories`."""
    counts = dict(zip(column.values, column.counts().tolist(), strict=True))
    return np.array([counts[value] for value in categories(column)], dtype=np.float64)


def retaining(retain: float, size: int) -> Matrix:
    """The matrix that keeps a value with probability `retain`, else takes any other one alike."""
    if not 0 <= retain < 1:
        raise BadOperation(f"pram retains with a probability from 0 to below 1, not {retain:g}")
    matrix = np.full((size, size), (1 - retain) / (size - 1))
    np.fill_diagonal(matrix, retain)
    return matrix


def stated(rows: Mapping[str, Mapping[str, float]], column: Column) -> Matrix:
    """The matrix of probabilities told by value; each held value has a row, each row adds up to 1."""
    held = categories(column)
    missing = set(held) - rows.keys()
    if missing:
        raise BadOperation(
            f"the pram matrix of column {column.name} has no row for {len(missing)} of its values"
        )
    known = set(held)
    foreign = sorted({to for value in held for to in rows[value]} - known)
    if foreign:
        raise BadOperation(
            f"the pram matrix of column {column.name} leads to values it does not hold: {foreign}"
        )
    matrix = np.array([[rows[value].get(to, 0.0) for to in held] for value in held], dtype=np.float64)
    check(matrix, column)
    return matrix


def check(matrix: Matrix, column: Column) -> None:
    """Refuse what is not a stochastic matrix over the column's categories."""
    size = len(categories(column))
    if matrix.shape != (size, size):
        raise BadOperation(f"the pram matrix of column {column.name} must be {size} by {size}")
    if not ((matrix >= 0).all() and np.allclose(matrix.sum(axis=1), 1, atol=1e-9)):
        raise BadOperation(
            f"each row of the pram matrix of column {column.name} must add up to 1, none below 0"
        )


def invariant(matrix: Matrix, counts: Matrix) -> Matrix:
    """R = P Q with Q[l, k] = P[k, l] t[k] / Σ_j P[j, l] t[j], so that t R = t: expected counts stay.

    The two-stage construction of invariant PRAM (Gouweleeuw et al. 1998; De Wolf et al. 1998). R is drawn from
    the counts t of the data, so it is processing-method information. It keeps a value less often than P does.
    """
    joint = matrix * counts[:, None]
    reached = joint.sum(axis=0)
    back = np.divide(joint, reached, out=np.zeros_like(joint), where=reached > 0).T
    both: Matrix = matrix @ back
    return both


def pram(column: Column, *, matrix: Matrix, draws: Draws) -> Column:
    """Each cell replaced by a category drawn from its value's row of the matrix, rows independently."""
    check(matrix, column)
    held = categories(column)
    place = {value: index for index, value in enumerate(held)}
    own = np.array([place.get(value, -1) for value in column.values], dtype=np.int64)[column.codes]
    known = own >= 0
    upto = np.cumsum(matrix, axis=1)
    upto[upto >= upto[:, -1:]] = 1.0
    flat = (upto + np.arange(len(held))[:, None]).ravel()
    drawn = np.minimum(draws.random(len(own)), BELOW_ONE)
    found = np.searchsorted(flat, own + drawn, side="right") - own * len(held)
    new = np.where(known, np.clip(found, 0, len(held) - 1), len(held)).astype(np.int32)
    return Column(column.name, held if known.all() else (*held, MISSING), new)
