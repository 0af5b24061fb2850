"""Privacy prices as whole billionths of ε or ρ. Refuses floats, signs, exponents and anything above the limit.

A price is money: it is parsed from plain decimal text, added as integers and printed back without loss.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from privacy.refusal import Refusal
from privacy.words import Words

NANO = 10**9
PRICE_NANO_MAX = 1_000_000 * NANO
_PLAIN = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,9})?", re.ASCII)


class InvalidAmount(Refusal, ValueError):
    """An amount, or the text of one, that no account can hold; the words say which rule it breaks."""

    code = "invalid_amount"


OUTSIDE = Words(ja="予算の量は 0 から 1,000,000 までです", en="the amount is outside 0 to 1,000,000")
NOT_PLAIN = Words(
    ja="予算の量は指数表記を使わない正の十進数で、小数は 9 桁までです",
    en="an amount is a positive decimal in plain notation, at most 9 decimals",
)
NOT_POSITIVE = Words(ja="予算の量は 0 より大きくなければなりません", en="an amount must be above zero")


@dataclass(frozen=True, slots=True, order=True)
class Price:
    """A privacy price of `nano` billionths of ε, or of ρ where the dataset's measure is zCDP.

    Zero is allowed: a replay costs nothing.
    """

    nano: int

    def __post_init__(self) -> None:
        # True is an int in Python, and no price.
        if not isinstance(self.nano, int) or isinstance(self.nano, bool):
            raise TypeError("a price is a whole number of billionths")
        if not 0 <= self.nano <= PRICE_NANO_MAX:
            raise InvalidAmount(OUTSIDE)

    @classmethod
    def parse(cls, text: str) -> "Price":
        """Read a positive amount such as "0.5"; exponents, signs, spaces and non-ASCII digits are refused."""
        if not _PLAIN.fullmatch(text):
            raise InvalidAmount(NOT_PLAIN)
        whole, _, decimals = text.partition(".")
        nano = int(whole) * NANO + int(decimals.ljust(9, "0"))
        if nano == 0:
            raise InvalidAmount(NOT_POSITIVE)
        return cls(nano)

    def __add__(self, other: "Price") -> "Price":
        return Price(self.nano + other.nano)

    def __sub__(self, other: "Price") -> "Price":
        return Price(self.nano - other.nano)

    def __str__(self) -> str:
        whole, decimals = divmod(self.nano, NANO)
        return f"{whole}.{decimals:09d}".rstrip("0").rstrip(".")


def split(total: Price, weights: Sequence[Fraction]) -> list[Price]:
    """Share `total` in proportion to positive `weights`; the shares add up to `total` exactly.

    Basic composition: statistics released with prices ε₁, …, εₙ cost ε₁ + … + εₙ together
    (Dwork & Roth, The Algorithmic Foundations of Differential Privacy, 2014, theorem 3.16).
    """
    # In whole numbers of the same proportions: fractions would be reduced at each step, which takes most of a quote.
    unit = math.lcm(*(weight.denominator for weight in weights))
    parts = [weight.numerator * (unit // weight.denominator) for weight in weights]
    whole = sum(parts)
    shares = [total.nano * part // whole for part in parts]
    # Rounded down, the shares lack fewer billionths than there are shares: one each for the first ones.
    for place in range(total.nano - sum(shares)):
        shares[place] += 1
    return [Price(share) for share in shares]


def plain_text(amount: Fraction) -> str:
    """A decimal amount, such as a δ, in plain notation: 0.000000001."""
    return f"{Decimal(amount.numerator) / Decimal(amount.denominator):f}"


def epsilon_of(rho: Price, delta: Fraction) -> Fraction:
    """The least ε, rounded up to a millionth, at which ρ-zCDP implies (ε, δ)-DP; zero for ρ = 0.

    δ(ε) = inf over α > 1 of exp((α - 1)(αρ - ε)) / (α - 1) · (1 - 1/α)^α (Canonne, Kamath & Steinke, The
    Discrete Gaussian for Differential Privacy, 2020, proposition 12), solved for ε; tighter than the
    ρ + 2·√(ρ·ln(1/δ)) of Bun & Steinke (2016). Any α gives a valid ε, so an inexact search errs upwards.
    """
    if not 0 < delta < 1:
        raise ValueError("delta lies between 0 and 1")
    if rho.nano == 0:
        return Fraction(0)
    whole, log_delta = rho.nano / NANO, math.log(delta)
    # Over orders 1 + e⁻³⁰ … 1 + e³⁰. Whatever order the search ends at, its ε is valid; a bad one is only too large.
    low, high = -30.0, 30.0
    for _ in range(200):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if _epsilon_at(left, whole, log_delta) <= _epsilon_at(right, whole, log_delta):
            high = right
        else:
            low = left
    # Up for the error of floats, then up to a millionth: ε is never understated.
    return Fraction(math.ceil(max(0.0, _epsilon_at(low, whole, log_delta)) * 10**6 * (1 + 1e-12)), 10**6)


def _epsilon_at(order: float, rho: float, log_delta: float) -> float:
    """The ε of the order α = 1 + e^`order`."""
    beyond = math.exp(order)
    alpha = 1 + beyond
    # ln δ = (α-1)(αρ-ε) - ln(α-1) + α·ln(1-1/α), solved for ε with ln(α-1) = `order`.
    return alpha * rho + (alpha * (order - math.log(alpha)) - order - log_delta) / beyond
