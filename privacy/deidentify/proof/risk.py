"""Re-identification risks of classes: what a prosecutor, a journalist and a marketer may hope for.

Sizes are persons (or records, where a record is a person) of each published class. Suppressed records are in no
class: ARX's figures for its reference runs come out only if they are left out of every sum, and if a class whose
every quasi-identifier is published as the top label is taken for suppressed too.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.classes import Ints
from privacy.deidentify.errors import BadModel
from privacy.words import Words

Floats = NDArray[np.float64]


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
    present = sizes > 0
    chances, sizes = chances[present], sizes[present]
    total = int(sizes.sum())
    if total == 0:
        return Risk(highest=0, lowest=0, mean=0, at_risk=0, threshold=threshold)
    return Risk(
        highest=float(chances.max()),
        lowest=float(chances.min()),
        mean=float(chances @ sizes) / total,
        # A chance of 1 / 5 is not above a threshold of 0.2, whatever the last bits of the two say.
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
    # Such a population does not contain the table: every 1 / F would be too high, and F = 0 infinite.
    if (populations < sizes).any():
        smaller = int((populations < sizes).sum())
        raise BadModel(
            Words(
                ja=f"{smaller} 個の組で、母集団の人数が表の人数を下回っています",
                en=f"in {smaller} classes the population has fewer persons than the table",
            )
        )
    return _risk(1 / np.maximum(populations, 1), sizes, threshold)
