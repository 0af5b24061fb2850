"""Re-identification risks of classes: what a prosecutor, a journalist and a marketer may hope for.

Sizes are persons (or records, where a record is a person) of each published class. Suppressed records are in no
class: ARX's figures for its reference runs come out only if they are left out of every sum, and if a class whose
every quasi-identifier is told as the top label is taken for suppressed too.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.classes import Ints
from privacy.deidentify.errors import BadModel

Floats = NDArray[np.float64]

NODES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """One attacker's chances over n persons; all 0 where nobody is published.

    `highest` and `lowest` are the largest and least chance of a person to be found, `mean` the average chance,
    which is the expected share of right guesses if each person is guessed once, and `at_risk` the share of persons
    whose chance exceeds `threshold`.
    """

    highest: float
    lowest: float
    mean: float
    at_risk: float
    threshold: float


def _risk(chances: Floats, sizes: Ints, threshold: float) -> Risk:
    assert 0 < threshold <= 1
    held = sizes > 0
    chances, sizes = chances[held], sizes[held]
    total = int(sizes.sum())
    if total == 0:
        return Risk(highest=0, lowest=0, mean=0, at_risk=0, threshold=threshold)
    return Risk(
        highest=float(chances.max()),
        lowest=float(chances.min()),
        mean=float(chances @ sizes) / total,
        at_risk=int(sizes[chances > threshold * (1 + 1e-12)].sum()) / total,
        threshold=threshold,
    )


def prosecutor(sizes: Ints, *, threshold: float) -> Risk:
    """The attacker knows that the person is published: a chance of 1 / f in a class of f.

    (El Emam & Dankar, Journal of the American Medical Informatics Association 15, 2008.) The mean is classes
    by persons, which is the marketer's risk where the table is the population.
    """
    return _risk(1 / np.maximum(sizes, 1), sizes, threshold)


def journalist(sizes: Ints, populations: Ints, *, threshold: float) -> Risk:
    """The attacker knows that the person is in the population: 1 / F, F persons of it being like the class.

    `populations` [classes] are the F; one that is smaller than its class is a fault. The mean is the
    marketer's risk, (1 / n) Σ f / F (the same paper; Dankar & El Emam, PAIS 2010).
    """
    if (populations < sizes).any():
        raise BadModel(
            f"in {int((populations < sizes).sum())} classes the population has fewer persons than the table"
        )
    return _risk(1 / np.maximum(populations, 1), sizes, threshold)


def journalist_estimated(sizes: Ints, *, population: int, threshold: float) -> Risk:
    """The journalist's risk where only the population's size is known: the expectation of 1 / F given f."""
    total = int(sizes.sum())
    if population < total:
        raise BadModel(f"a population of {population} is smaller than the {total} persons of the table")
    places, of = np.unique(np.maximum(sizes, 1), return_inverse=True)
    return _risk(
        expected_inverse(places, fraction=total / population if total else 1.0)[of], sizes, threshold
    )


def expected_inverse(sizes: Ints, *, fraction: float) -> Floats:
    """E[1 / F | f] for a class with f persons in a sample of a fraction π of the population.

    F given f is negative binomial, P(F = h) = C(h - 1, f - 1) π^f (1 - π)^{h-f} (Benedetti & Franconi 1998), so
    that E[1 / F] = π ∫₀¹ u^{f-1} / (π + (1 - π) u) du; by Gauss's rule in v, u = v^{4/f}.
    """
    assert 0 < fraction <= 1
    nodes, parts = np.polynomial.legendre.leggauss(NODES)
    v, weights = (nodes + 1) / 2, parts / 2
    u = v[None, :] ** (4 / sizes)[:, None]
    inside = 4 * v**3 / (fraction + (1 - fraction) * u)
    found: Floats = fraction * (inside @ weights) / sizes
    return np.minimum(found, 1 / sizes)


def marketer(sizes: Ints, *, populations: Ints | None = None) -> float:
    """The share of persons that an attacker who matches everybody at random in his class finds: (1 / n) Σ f / F.

    Without a population the table is taken for it: classes by persons.
    """
    found = (
        prosecutor(sizes, threshold=1.0)
        if populations is None
        else journalist(sizes, populations, threshold=1.0)
    )
    return found.mean
