"""Counts by values that nobody declared: noise and a threshold, at a price in ρ and in δ. Reads no data.

A column without a declared domain (employers' names) has no list of values that a table could go through, so
which values an answer names depends on the data. Each value that occurs gets discrete Gaussian noise on its
count and is released only if that reaches a threshold τ.

Why it is (δ, ρ)-approximate zCDP (Bun & Steinke 2016, definition 8.1), for a person of at most k rows:

1. Compare a register x with x' that has this person besides. Let S be the values of x' that do not occur in
   x: all their rows are the person's, so S has at most k values whose counts cᵥ add up to at most k.
2. Let E be the event that no value of S is released. The noise of different values is independent, so given E
   the answers on x' and on x are the same function (add noise, compare with τ) of the counts of the values
   that occur in x. Those differ by at most k in L2 (rows), or by 1 each for at most k values (persons): the
   Gaussian mechanism, of ρ = Δ²/2σ².
3. P(not E) ≤ Σᵥ P(Z ≥ τ - cᵥ) ≤ max over 1 ≤ c ≤ k of (k/c)·P(Z ≥ τ - c), since Σcᵥ ≤ k; for persons each
   cᵥ is 1. τ is the least whole number for which that is at most δ.
4. P(Z ≥ m) is summed up to σ = 200; beyond, it is at most P(N(0, σ²) ≥ m - 1) (Canonne, Kamath & Steinke
   2020, fact 23).

The task is known as partition selection (Desfontaines, Voss, Gipson & Mandayam 2022, "Differentially private
partition selection"). Their rule is best where only the names matter; here the noisy counts are released too.

Forgetting the factor k of step 3 understates δ: a person may bring k new values at once. ρ and δ both add up
over answers, and (ε, δ₀ + Σδ)-DP follows with ε from ρ at δ₀.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from privacy.aggregates import Get
from privacy.distributions import EXACT_SIGMA_MAX, Floats
from privacy.exact import ExactAggregate
from privacy.noise import Integers, Mechanism, Noise


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeclaredValueCount:
    """Rows or persons by the values of an undeclared column, at most `rows` rows a person.

    Where the column is `constant` per person, all rows of a person have one value. Persons are then counted as if each
    had one row: a person moves one value by 1, and S of the proof above has at most one value, of count 1.
    """

    key: str
    column: int
    rows: int
    persons: bool
    delta: Fraction
    unit: str | None
    constant: bool = False

    @property
    def exact(self) -> ExactAggregate:
        distinct = self.persons and self.rows > 1
        return ExactAggregate(kind="value_persons" if distinct else "values", column=self.column)

    @property
    def exacts(self) -> tuple[ExactAggregate, ...]:
        return (self.exact,)

    @property
    def depends_on_rows(self) -> bool:
        return False

    @property
    def _rows_felt(self) -> int:
        """How many rows a person might as well have, for the sensitivities and the threshold."""
        return 1 if self.persons and self.constant else self.rows

    def l1(self, cells: int) -> int:
        return self._rows_felt

    def squared(self, cells: int) -> int:
        """A person's rows may all have one value; as a person each value is moved by 1."""
        # Never the number of values: it depends on data. By persons k rows are k values, each moved by 1.
        return self._rows_felt if self.persons else self.rows**2

    def threshold(self, mechanism: Mechanism) -> int:
        """τ: the least noisy count that is released."""
        return threshold(mechanism.scale, self._rows_felt, self.delta, persons=self.persons)

    def choose(self, get: Get, mechanism: Mechanism, noise: Noise) -> Integers:
        """Codes and noisy counts of the released values, of shape (2, values)."""
        codes, counts = get(self.exact)
        # Values that do not occur get no noise; the threshold hides which these are (steps 1 to 3). OpenDP takes no
        # empty vector.
        noisy = noise.add(counts, mechanism) if len(counts) else counts
        released = noisy >= self.threshold(mechanism)
        return np.stack([codes[released], noisy[released]])


@lru_cache(maxsize=1024)
def threshold(sigma: float, rows: int, delta: Fraction, *, persons: bool) -> int:
    """The least τ at which a person who alone has certain values has one released with probability at most δ."""
    # At 40 deviations the tail is below e⁻⁸⁰⁰, and no δ that can be written is.
    low, high = 0, rows + 2 + math.ceil(sigma * 40)
    assert exposure(high, sigma, rows, persons=persons) <= delta
    while low < high:
        middle = (low + high) // 2
        if exposure(middle, sigma, rows, persons=persons) <= delta:
            high = middle
        else:
            low = middle + 1
    return high


def exposure(at: int, sigma: float, rows: int, *, persons: bool) -> float:
    """A bound on the probability that any value of one person alone reaches `at`."""
    counts = (1,) if persons else range(1, rows + 1)
    return max(rows / count * _tail(at - count, sigma) for count in counts)


def _tail(least: int, sigma: float) -> float:
    """P(Z ≥ least) for discrete Gaussian noise, rounded up."""
    # One is a bound of every probability; thresholds near a person's own counts are never low enough to matter.
    if least <= 0:
        return 1.0
    if sigma > EXACT_SIGMA_MAX:
        return math.erfc((least - 1) / sigma / math.sqrt(2)) / 2 * (1 + 1e-12)
    tails = _tails(sigma)
    return float(tails[least]) * (1 + 1e-9) if least < len(tails) else 0.0


@lru_cache(maxsize=64)
def _tails(sigma: float) -> Floats:
    """P(Z ≥ m) for m = 0, 1, …, by summing e^(-x²/2σ²) from the far end."""
    mass = np.exp(-(np.arange(math.ceil(sigma * 42) + 2) ** 2) / (2 * sigma**2))
    # Summed from the far end, small before large, so that the tail keeps its digits; zero counts once.
    return np.asarray(np.cumsum(mass[::-1])[::-1] / (2 * mass.sum() - 1))
