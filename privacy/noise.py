"""The only door to randomness: discrete noise on vectors of int64, and noisy choices, drawn by OpenDP.

Refuses everything else: no floats, no OpenDP aggregators, no scale of zero, no seed. Before every draw
OpenDP's own privacy map must agree that the noise costs no more than the price charged. (OpenDP's parts are
imported one by one: its prelude takes in scikit-learn where that is installed, seconds and tens of MiB.)
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from opendp.combinators import make_pureDP_to_zCDP
from opendp.domains import atom_domain, vector_domain
from opendp.measurements import make_gaussian, make_laplace, make_noisy_max
from opendp.measures import max_divergence, zero_concentrated_divergence
from opendp.metrics import l1_distance, l2_distance, linf_distance
from opendp.mod import Measurement, enable_features

from privacy.budget import NANO, Price
from privacy.schema import Measure

# OpenDP keeps constructors whose proofs it has not vetted yet behind this flag; all used here are among them.
enable_features("contrib")

Integers = npt.NDArray[np.int64]
Kind = Literal["discrete_laplace", "discrete_gaussian", "noisy_max"]
# OpenDP draws outside Python's lock, but starting a thread for fewer cells costs more than it saves.
CELLS_PER_THREAD = 500
# Steps of a float; of thousands of mechanisms of all sizes none needed more than 13.
HAIRS_MAX = 100
THREADS_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """One drawing of noise: which distribution, under which measure, at which price, for which sensitivity.

    `sensitivity` is what one person moves the vector by: in L1 for discrete Laplace noise, *squared* in L2
    for discrete Gaussian noise, and in L∞ (over the scores) for a noisy choice.
    """

    kind: Kind
    measure: Measure
    sensitivity: int
    price: Price

    @property
    def scale(self) -> float:
        """The least scale that costs no more than the price: b of Laplace, σ of Gaussian noise.

        Pure ε: b = Δ/ε; a choice 2Δ/ε. zCDP at ρ: σ = Δ/√(2ρ) (Bun & Steinke 2016, proposition 1.6); Laplace
        noise of ε = √(2ρ), since ε-DP implies ε²/2-zCDP (the same, proposition 1.4); a choice of ε = √(8ρ),
        since the exponential mechanism has a bounded range (Cesar & Rogers 2021, lemma 3.4).
        """
        return calibrate(self)

    @property
    def ideal_scale(self) -> float:
        """The scale by its formula alone: within rounding of `scale`, and found without asking OpenDP."""
        return _ideal(self)


class Noise(Protocol):
    """Adds noise to a vector of exact integers, or chooses the largest of noisy scores."""

    def add(self, exact: Integers, mechanism: Mechanism) -> Integers:
        """Return `exact` plus independent noise of `mechanism.scale`, cell by cell.

        Costs no more than the mechanism's price when one person changes `exact` by at most its sensitivity
        (discrete Laplace: Ghosh, Roughgarden & Sundararajan 2009; discrete Gaussian and both samplers:
        Canonne, Kamath & Steinke 2020).
        """
        ...

    def top(self, scores: Integers, mechanism: Mechanism) -> int:
        """The place of the largest score after noise: report noisy max (Dwork & Roth 2014, section 3.3).

        Costs no more than the mechanism's price when one person changes each score by at most its
        sensitivity (permute-and-flip, McKenna & Sheldon 2020; Gumbel noise under zCDP).
        """
        ...


class OpendpNoise:
    """Real noise."""

    def add(self, exact: Integers, mechanism: Mechanism) -> Integers:
        measurement = _measurement(mechanism.kind, mechanism.measure, mechanism.scale)
        assert mechanism.kind != "noisy_max"
        assert _cost(measurement, mechanism) <= mechanism.price.nano, "the noise is too small"
        # OpenDP's privacy map is that of vectors of int64; anything else would be another mechanism.
        assert exact.dtype == np.int64
        assert exact.ndim == 1
        chunks = np.array_split(exact, max(1, min(len(exact) // CELLS_PER_THREAD, THREADS_MAX)))
        if len(chunks) == 1:
            return np.array(measurement(exact.tolist()), dtype=np.int64)
        # This thread takes the first chunk instead of waiting: one thread less to start.
        with ThreadPoolExecutor(len(chunks) - 1) as threads:
            others = [threads.submit(measurement, chunk.tolist()) for chunk in chunks[1:]]
            noisy = [measurement(chunks[0].tolist()), *(other.result() for other in others)]
        return np.concatenate([np.array(part, dtype=np.int64) for part in noisy])

    def top(self, scores: Integers, mechanism: Mechanism) -> int:
        measurement = _measurement(mechanism.kind, mechanism.measure, mechanism.scale)
        assert mechanism.kind == "noisy_max"
        assert _cost(measurement, mechanism) <= mechanism.price.nano, "the noise is too small"
        assert scores.dtype == np.int64
        return int(measurement(scores.tolist()))


@lru_cache(maxsize=4096)
def calibrate(mechanism: Mechanism) -> float:
    """The least scale at which OpenDP prices the mechanism's sensitivity at no more than its price.

    Rounded up: the caller is charged at least what the noise is worth.
    """
    if mechanism.sensitivity < 1 or mechanism.price.nano < 1:
        raise ValueError("noise needs a sensitivity and a price above zero")
    assert mechanism.measure == "zcdp" or mechanism.kind != "discrete_gaussian"
    scale = _ideal(mechanism)
    # OpenDP's map rounds up, so the formula's scale may cost a hair too much: a few steps of a float make up for it.
    for _ in range(HAIRS_MAX):
        if _cost(_measurement(mechanism.kind, mechanism.measure, scale), mechanism) <= mechanism.price.nano:
            return scale
        scale = math.nextafter(scale, math.inf)
    raise AssertionError("OpenDP prices this noise higher than its formula, and not by rounding")


def _ideal(mechanism: Mechanism) -> float:
    """The scale by the formula, rounded down a little where a root is taken."""
    # Two scores may move apart by 2Δ, one up and one down.
    factor = 2 if mechanism.kind == "noisy_max" else 1
    if mechanism.measure == "pure":
        exact = Fraction(factor * mechanism.sensitivity * NANO, mechanism.price.nano)
        scale = float(exact)
        return scale if Fraction(scale) >= exact else math.nextafter(scale, math.inf)
    rho = mechanism.price.nano / NANO
    if mechanism.kind == "discrete_gaussian":
        # A hair below, so that `calibrate` climbs to the least scale and does not begin above it.
        return math.sqrt(mechanism.sensitivity / (2 * rho)) * (1 - 1e-15)
    epsilon = math.sqrt((8 if mechanism.kind == "noisy_max" else 2) * rho)
    return factor * mechanism.sensitivity / epsilon * (1 - 1e-15)


@dataclass(frozen=True, slots=True, eq=False)
class _Sampler:
    """A measurement of OpenDP's that can be a key, by identity: what it costs is asked of the very one that draws."""

    measurement: Measurement

    def __call__(self, exact: list[int]) -> Any:
        return self.measurement(exact)


@lru_cache(maxsize=1024)
def _measurement(kind: Kind, measure: Measure, scale: float) -> _Sampler:
    assert scale > 0, "a scale of zero means no noise"
    vector = vector_domain(atom_domain(T="i64"))
    if kind == "noisy_max":
        divergence = max_divergence() if measure == "pure" else zero_concentrated_divergence()
        return _Sampler(make_noisy_max(vector, linf_distance(T="i64"), divergence, scale=scale))
    if kind == "discrete_gaussian":
        return _Sampler(make_gaussian(vector, l2_distance(T="f64"), scale=scale))
    laplace = make_laplace(vector, l1_distance(T="i64"), scale=scale)
    return _Sampler(laplace if measure == "pure" else make_pureDP_to_zCDP(laplace))


# Looked at before every draw; OpenDP itself is asked once, since its answer to the same question is the same.
@lru_cache(maxsize=4096)
def _cost(sampler: _Sampler, mechanism: Mechanism) -> Fraction:
    """What OpenDP says that the mechanism's sensitivity costs at that noise, in billionths."""
    moved: float = mechanism.sensitivity
    if mechanism.kind == "discrete_gaussian":
        moved = math.sqrt(mechanism.sensitivity)
        # The root rounded up: a sensitivity that is a float too small would understate the cost.
        moved = moved if Fraction(moved) ** 2 >= mechanism.sensitivity else math.nextafter(moved, math.inf)
    return Fraction(sampler.measurement.map(moved)) * NANO
