"""Privacy prices as whole billionths of ε or ρ. Refuses floats, signs, exponents and anything above the limit.

A price is money: it is parsed from plain decimal text, added as integers and printed back without loss.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

NANO = 10**9
PRICE_NANO_MAX = 1_000_000 * NANO
_PLAIN = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,9})?", re.ASCII)


class InvalidAmount(ValueError):
    """The text is not a positive amount in plain decimal notation with at most nine decimals."""


@dataclass(frozen=True, slots=True, order=True)
class Price:
    """A privacy price of `nano` billionths of ε, or of ρ where the dataset's measure is zCDP.

    Zero is allowed: a replay costs nothing.
    """

    nano: int

    def __post_init__(self) -> None:
        if not isinstance(self.nano, int) or isinstance(self.nano, bool):
            raise TypeError("a price is a whole number of billionths")
        if not 0 <= self.nano <= PRICE_NANO_MAX:
            raise InvalidAmount("the amount is outside 0 to 1,000,000")

    @classmethod
    def parse(cls, text: str) -> "Price":
        """Read a positive amount such as "0.5"; exponents, signs, spaces and non-ASCII digits are refused."""
        if not _PLAIN.fullmatch(text):
            raise InvalidAmount("an amount is a positive decimal in plain notation, at most 9 decimals")
        whole, _, decimals = text.partition(".")
        nano = int(whole) * NANO + int(decimals.ljust(9, "0"))
        if nano == 0:
            raise InvalidAmount("an amount must be above zero")
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
    whole = sum(weights, Fraction(0))
    shares = [int(total.nano * weight / whole) for weight in weights]
    for place in range(total.nano - sum(shares)):
        shares[place] += 1
    return [Price(share) for share in shares]
