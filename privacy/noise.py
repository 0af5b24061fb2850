"""The only door to randomness: discrete Laplace noise on vectors of int64, drawn by OpenDP.

Refuses everything else: no floats, no OpenDP aggregators, no scale of zero, no seed. Before every draw
OpenDP's own privacy map must agree that the noise costs no more than the price charged.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

import numpy as np
import numpy.typing as npt
import opendp.prelude as dp

from privacy.budget import NANO, Price

dp.enable_features("contrib")

Integers = npt.NDArray[np.int64]
CELLS_PER_THREAD = 500
THREADS_MAX = 4


class Noise(Protocol):
    """Adds noise to a vector of exact integers."""

    def laplace(self, exact: Integers, *, sensitivity: int, price: Price) -> Integers:
        """Return `exact` plus discrete Laplace noise of scale `calibrate(sensitivity, price)`, cell by cell.

        ε-differentially private for ε = `price` when one person changes `exact` by at most `sensitivity`
        in L1 (Ghosh, Roughgarden & Sundararajan 2009; sampler of Canonne, Kamath & Steinke 2020).
        """
        ...


class OpendpNoise:
    """Real noise."""

    def laplace(self, exact: Integers, *, sensitivity: int, price: Price) -> Integers:
        measurement = _measurement(calibrate(sensitivity, price))
        assert _cost(measurement, sensitivity) <= Fraction(price.nano, NANO), "the noise is too small"
        assert exact.dtype == np.int64
        assert exact.ndim == 1
        chunks = np.array_split(exact, max(1, math.ceil(len(exact) / CELLS_PER_THREAD)))
        if len(chunks) == 1:
            return np.array(measurement(exact.tolist()), dtype=np.int64)
        with ThreadPoolExecutor(THREADS_MAX) as threads:
            noisy = threads.map(lambda chunk: measurement(chunk.tolist()), chunks)
            return np.concatenate([np.array(part, dtype=np.int64) for part in noisy])


@dataclass
class Draw:
    """One call of the mechanism: what went in, and the noise that came out."""

    sensitivity: int
    price: Price
    scale: float
    exact: Integers
    noise: Integers


@dataclass
class RecordedNoise:
    """Noise for tests: records each draw, and repeats the noise of an earlier recording cell by cell.

    Run once on a dataset with `source=OpendpNoise()`, then on its neighbour with `replay=first.draws`.
    """

    source: Noise | None = None
    replay: Sequence[Draw] = ()
    draws: list[Draw] = field(default_factory=list)

    def laplace(self, exact: Integers, *, sensitivity: int, price: Price) -> Integers:
        if self.source is not None:
            noise = self.source.laplace(exact, sensitivity=sensitivity, price=price) - exact
        else:
            noise = self.replay[len(self.draws)].noise
        scale = calibrate(sensitivity, price)
        self.draws.append(
            Draw(sensitivity=sensitivity, price=price, scale=scale, exact=exact.copy(), noise=noise)
        )
        return exact + noise


@lru_cache(maxsize=4096)
def calibrate(sensitivity: int, price: Price) -> float:
    """The least scale b at which OpenDP prices a change of `sensitivity` in L1 at no more than `price`.

    b ≥ sensitivity / ε, rounded up: the caller is charged at least what the noise is worth.
    """
    if sensitivity < 1 or price.nano < 1:
        raise ValueError("noise needs a sensitivity and a price above zero")
    exact = Fraction(sensitivity * NANO, price.nano)
    scale = float(exact)
    while Fraction(scale) < exact or _cost(_measurement(scale), sensitivity) > Fraction(price.nano, NANO):
        scale = math.nextafter(scale, math.inf)
    return scale


@lru_cache(maxsize=1024)
def _measurement(scale: float) -> dp.Measurement:
    assert scale > 0, "a scale of zero means no noise"
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
    return dp.m.make_laplace(*space, scale=scale)


def _cost(measurement: dp.Measurement, sensitivity: int) -> Fraction:
    return Fraction(measurement.map(sensitivity))
