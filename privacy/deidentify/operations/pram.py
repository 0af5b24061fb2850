"""Post-randomisation (PRAM): categories replaced at random by a matrix of probabilities that may be published.

Gouweleeuw, Kooiman, Willenborg & De Wolf 1998. Missing cells stay missing. Published with its matrix,
tables can be corrected for it; the seed undoes it and is kept apart.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.operations.columns import MISSING, places_in_use
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.randomness import Draws
from privacy.deidentify.table import Column
from privacy.words import Words

VALUES_MAX = 2_000
BELOW_ONE = 1 - 1e-12
"""The largest draw: added to a row's number it must not round up into the next row."""
Matrix = NDArray[np.float64]


def categories(column: Column) -> tuple[str, ...]:
    """The values in use, without the missing one, in the order of their texts: the order of a matrix."""
    used = sorted(column.values[place] for place in places_in_use(column) if column.values[place] != MISSING)
    if not 2 <= len(used) <= VALUES_MAX:
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の pram には 2 種から {VALUES_MAX} 種までの値が必要ですが、"
                f"{len(used)} 種あります。",
                en=f"pram of column {column.name} needs 2 to {VALUES_MAX} values, and it has {len(used)}",
            )
        )
    return tuple(used)


def frequencies(column: Column) -> Matrix:
    """How many rows have each of `categories`."""
    counts = dict(zip(column.values, column.counts().tolist(), strict=True))
    return np.array([counts[value] for value in categories(column)], dtype=np.float64)


def retaining(retain: float, size: int) -> Matrix:
    """The matrix that keeps a value with probability `retain`, else takes any other one alike."""
    if not 0 <= retain < 1:
        raise BadOperation(
            Words(
                ja=f"pram の retain は 0 以上 1 未満の確率でなければなりません（指定された値：{retain:g}）。",
                en=f"pram retains with a probability from 0 to below 1, not {retain:g}",
            )
        )
    matrix = np.full((size, size), (1 - retain) / (size - 1))
    np.fill_diagonal(matrix, retain)
    return matrix


def stated(rows: Mapping[str, Mapping[str, float]], column: Column) -> Matrix:
    """The matrix of a plan's probabilities by value; each value in use has a row, each row adds up to 1."""
    used = categories(column)
    missing = set(used) - rows.keys()
    if missing:
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の pram の matrix に、値 {len(missing)} 種の行がありません。",
                en=f"the pram matrix of column {column.name} has no row for {len(missing)} of its values",
            )
        )
    # These are the plan's own words and may be quoted; values of the data above are only counted.
    foreign = sorted({to for value in used for to in rows[value]} - set(used))
    if foreign:
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の pram の matrix に、データにない値があります：{foreign}。",
                en=f"the pram matrix of column {column.name} leads to values it does not hold: {foreign}",
            )
        )
    matrix = np.array([[rows[value].get(to, 0.0) for to in used] for value in used], dtype=np.float64)
    check(matrix, column)
    return matrix


def check(matrix: Matrix, column: Column) -> None:
    """Refuse what is not a stochastic matrix over the column's categories."""
    size = len(categories(column))
    if matrix.shape != (size, size):
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の pram の matrix は {size} 行 {size} 列でなければなりません。",
                en=f"the pram matrix of column {column.name} must be {size} by {size}",
            )
        )
    if not ((matrix >= 0).all() and np.allclose(matrix.sum(axis=1), 1, atol=1e-9)):
        raise BadOperation(
            Words(
                ja=f"項目「{column.name}」の pram の matrix の各行は、負の値がなく、合計が 1 でなければなりません。",
                en=f"each row of the pram matrix of column {column.name} must add up to 1, none below 0",
            )
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
    used = categories(column)
    place = {value: index for index, value in enumerate(used)}
    own = np.array([place.get(value, -1) for value in column.values], dtype=np.int64)[column.codes]
    known = own >= 0
    upto = np.cumsum(matrix, axis=1)
    # Rounding leaves a row's sum a trace beside 1; from the last possible category on it is 1 exactly, so that no
    # draw falls into a category of probability 0.
    upto[upto >= upto[:, -1:]] = 1.0
    # The rows of the matrix laid end to end, row i over [i, i + 1): one sorted search draws for all records.
    flat = (upto + np.arange(len(used))[:, None]).ravel()
    drawn = np.minimum(draws.random(len(own)), BELOW_ONE)
    found = np.searchsorted(flat, own + drawn, side="right") - own * len(used)
    new = np.where(known, np.clip(found, 0, len(used) - 1), len(used)).astype(np.int32)
    return Column(column.name, used if known.all() else (*used, MISSING), new)
