"""How much answers tell about single persons: evidence, guesses, and lower bounds on ε and ρ that follow from them.

A register is made by coins: each person of interest is in it or not, independently, with probability one half. Whoever
reads the answers guesses for some persons which it was. Under ε-differential privacy the number of right guesses is
stochastically at most Binomial(guesses, e^ε/(1+e^ε)), whatever the answers look like and however the guesses are made
(Steinke, Nasr & Jagielski 2023, "Privacy auditing with one (1) training run", for δ = 0). So one answer
about a thousand persons is a thousand experiments, and needs no assumption that its noise is independent.

ρ-zCDP has no such bound that is tight. There the frequencies of one event among those who are in and those who are not
are compared: that takes the noise of different cells to be independent, and the definition then gives ρ at every order.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, norm

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CONFIDENCE = 1 - 1e-6
ORDERS = np.concatenate([np.linspace(1.01, 3, 60), np.linspace(3.1, 20, 60)])


def least(hits: int, runs: int) -> float:
    """The Clopper-Pearson lower bound of a probability."""
    return float(beta.ppf(1 - CONFIDENCE, hits, runs - hits + 1)) if hits else 0.0


def most(hits: int, runs: int) -> float:
    """The Clopper-Pearson upper bound of a probability."""
    return float(beta.ppf(CONFIDENCE, hits + 1, runs - hits)) if hits < runs else 1.0


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


# ε


@dataclass(frozen=True)
class Guesses:
    """How many guesses were made whether a person is in the register, and how many were right."""

    right: int
    made: int

    @property
    def certain(self) -> float:
        """A lower bound on ε that holds with near certainty."""
        probability = least(self.right, self.made)
        return logit(probability) if probability > 0.5 else 0.0

    @property
    def likely(self) -> float:
        """The ε at which as many right guesses are to be expected."""
        return logit(min(max(self.right, 1), self.made - 0.5) / self.made) if self.made else 0.0

    @property
    def error(self) -> float:
        """The standard error of `likely`, were it the truth."""
        probability = min(max(self.right, 1), self.made - 0.5) / self.made
        return 1 / math.sqrt(self.made * probability * (1 - probability))


def guess(scores: Floats, inside: Bools, cut: float) -> Guesses:
    """In where the score reaches the cut, out where its opposite does, and no guess between.

    Scores are rounded, so that sums of the same evidence in another order pass the same cut.
    """
    scores = scores.round(9)
    said_in, said_out = scores >= round(cut, 9), scores <= -round(cut, 9)
    return Guesses(
        int((said_in & inside).sum() + (said_out & ~inside).sum()), int(said_in.sum() + said_out.sum())
    )


def best_cut(scores: Floats, inside: Bools, weight: float) -> float:
    """The cut whose guesses bound ε highest, were there `weight` times as many persons."""

    def floor(cut: float) -> float:
        made = guess(scores, inside, cut)
        return Guesses(int(made.right * weight), int(made.made * weight)).certain

    levels = np.unique(np.abs(scores).round(9))
    return max(levels[levels > 0][:: max(1, len(levels) // 200)], key=floor, default=math.inf)


# Evidence


@dataclass(frozen=True)
class Numbers:
    """Noisy numbers that one person moves: what they are without, how far they move, and the scale of each one's noise.

    `gaussian` says which noise it is: discrete Laplace of scale b, or discrete Gaussian of deviation σ.
    """

    base: Floats
    moved: Floats
    scales: Floats
    gaussian: bool

    def evidence(self, noisy: Floats) -> Floats:
        """The logarithm of the odds that the person is in, for each row of noisy numbers."""
        apart = noisy - self.base
        if self.gaussian:
            return np.asarray((self.moved * (apart - self.moved / 2) / self.scales**2).sum(axis=1))
        return np.asarray(((np.abs(apart) - np.abs(apart - self.moved)) / self.scales).sum(axis=1))

    @property
    def alone(self) -> list["Numbers"]:
        """Each number by itself: noise that is missing from one of many would drown in the evidence of all."""
        return [
            Numbers(self.base[[place]], self.moved[[place]], self.scales[[place]], self.gaussian)
            for place in np.flatnonzero(self.moved)
        ]

    @property
    def most(self) -> float:
        """The strongest evidence there can be: Laplace noise bounds it, beyond the number's whole way."""
        return float((np.abs(self.moved) / self.scales).sum())

    def rehearsed_cut(self, persons: int) -> float:
        """The best cut for so many persons, from noise of the test's own: no answer is looked at."""
        dice, many = np.random.default_rng(1), 20_000
        inside = dice.random(many) < 0.5
        noise = np.rint(dice.laplace(0, self.scales, (many, len(self.scales))))
        noisy = self.base + self.moved * inside[:, None] + noise
        return best_cut(self.evidence(noisy), inside, persons / many)


def learned_evidence(seen: Sequence[Hashable], inside: Bools, others: Sequence[Hashable]) -> Floats:
    """The logarithm of the odds of what is seen of `others`, from how often it was seen of known persons."""
    having = Counter(one for one, is_in in zip(seen, inside, strict=True) if is_in)
    without = Counter(one for one, is_in in zip(seen, inside, strict=True) if not is_in)
    return np.array([math.log((having[one] + 0.5) / (without[one] + 0.5)) for one in others])


# ρ


@dataclass(frozen=True)
class Frequencies:
    """How often an event happened among persons who are in the register, and among those who are not."""

    having: int
    inside: int
    without: int
    outside: int

    @classmethod
    def of(cls, happened: Bools, inside: Bools) -> "Frequencies":
        return cls(
            int((happened & inside).sum()),
            int(inside.sum()),
            int((happened & ~inside).sum()),
            int((~inside).sum()),
        )

    @property
    def bounds(self) -> tuple[float, float]:
        """A lower bound of the first probability and an upper bound of the second."""
        return least(self.having, self.inside), most(self.without, self.outside)

    @property
    def certain(self) -> float:
        """A lower bound on ρ by its definition: the Rényi divergence of order α is at most αρ, for every α > 1."""
        surely, hardly = self.bounds
        return divergence(surely, hardly) if surely > hardly else 0.0

    @property
    def likely(self) -> float:
        """The ρ that the frequencies themselves would show."""
        return divergence(self.having / self.inside, max(self.without, 0.5) / self.outside)

    @property
    def shift(self) -> float:
        """How many deviations apart a normal number is with and without the person, if that is what is seen."""
        return float(norm.ppf(self.having / self.inside) - norm.ppf(self.without / self.outside))

    @property
    def certain_shift(self) -> float:
        surely, hardly = self.bounds
        return max(0.0, float(norm.ppf(surely) - norm.ppf(hardly)))


def divergence(having: float, without: float) -> float:
    """The highest Rényi divergence of an event's two probabilities over its order."""
    if not 0 < without < 1:
        return 0.0 if having == without else math.inf
    with np.errstate(divide="ignore"):
        both = [
            ORDERS * math.log(p) + (1 - ORDERS) * math.log(q) if p > 0 else np.full(len(ORDERS), -np.inf)
            for p, q in ((having, without), (1 - having, 1 - without))
        ]
    return float((np.logaddexp(*both) / (ORDERS - 1) / ORDERS).max())
