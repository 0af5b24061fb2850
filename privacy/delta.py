"""Amounts of δ as whole quintillionths (10^-18). Refuses floats, signs and whatever has more digits.

δ is money like ε: it is read from text exactly, added as integers and printed back without loss.
"""

import re
from fractions import Fraction

from privacy.refusal import Refusal
from privacy.words import Words

ATTO = 10**18
DELTA_MAX = Fraction(1, 1000)
_PLAIN = re.compile(r"0(?:\.([0-9]{1,18}))?", re.ASCII)
_POWER = re.compile(r"([0-9])(?:\.([0-9]{1,17}))?[eE]-([0-9]{1,2})", re.ASCII)


class InvalidDelta(Refusal, ValueError):
    """The text is no amount of δ: above 0, at most 0.001, at most 18 decimals."""

    code = "invalid_delta"
    words = Words(
        ja='δ は 0 より大きく 0.001 以下で、小数は 18 桁までです（例："1e-9"）',
        en='a δ is above 0 and at most 0.001, with at most 18 decimals, such as "1e-9"',
    )


def parse(text: str) -> Fraction:
    """Read a δ such as "1e-9" or "0.000000001", exactly. Raises InvalidDelta."""
    delta = _exact(text)
    if not 0 < delta <= DELTA_MAX or (delta * ATTO).denominator != 1:
        raise InvalidDelta
    return delta


def _exact(text: str) -> Fraction:
    # Text becomes a fraction without a float in between: no float is 1e-9.
    if plain := _PLAIN.fullmatch(text):
        return Fraction(int(plain[1] or 0), 10 ** len(plain[1] or ""))
    if power := _POWER.fullmatch(text):
        decimals = power[2] or ""
        return Fraction(int(power[1] + decimals), 10 ** (len(decimals) + int(power[3])))
    raise InvalidDelta


def atto_of(delta: Fraction | None) -> int:
    """A δ as whole 10^-18; none is 0."""
    amount = (delta or Fraction(0)) * ATTO
    assert amount.denominator == 1, "a δ has at most 18 decimals"
    return amount.numerator


def delta_of(atto: int) -> Fraction:
    """The δ of so many 10^-18."""
    return Fraction(atto, ATTO)


def shown(atto: int) -> str:
    """Plain decimals without trailing zeros, as the journal writes them: 0.000000001."""
    whole, decimals = divmod(atto, ATTO)
    return f"{whole}.{decimals:018d}".rstrip("0").rstrip(".")


def read(text: str) -> int:
    """What `shown` wrote, of any size. Raises ValueError."""
    whole, _, decimals = text.partition(".")
    atto = int(whole) * ATTO + int(decimals.ljust(18, "0"))
    # One way of writing each amount: a line in another was not written by the journal.
    if atto < 0 or shown(atto) != text:
        raise ValueError("not an amount as the journal writes it")
    return atto
