"""Check digits of Japanese numbers over whole arrays: which pass, and how often a random number would.

The chance is per number, given its own check digit: rules of modulus 11 give one digit twice as often,
so a column of serial numbers that all end in 0 must not look like a column of My Numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Digits = NDArray[np.uint8]
"""One number a row, one digit a column."""

LICENCE_COMMISSIONS = (
    *range(10, 15),
    *range(20, 26),
    30,
    *range(40, 50),
    *range(50, 56),
    *range(60, 66),
    *range(70, 75),
    *range(80, 84),
    *range(90, 98),
)
"""The public safety commissions that begin a driver's licence number: 10 Sapporo … 97 Okinawa."""
INSURER_LAWS = (1, 2, 3, 4, 6, 7, 31, 32, 33, 34, 39, 63, 67, 72, 73, 74, 75)
"""法別番号: the schemes of health insurance that begin an insurer's number of eight digits."""
PREFECTURES = 47


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """`passes[i]`: number i has the right form and check digit. `trials[i]`: it is one independent try of it.

    `chance[i]` is the probability that a number of this form with random other digits would pass.
    """

    passes: NDArray[np.bool_]
    trials: NDArray[np.bool_]
    chance: NDArray[np.float64]


Rule = Callable[[Digits], Tested]


def matrix(numbers: Sequence[str], length: int) -> Digits:
    """The digits of numbers that are all `length` ASCII digits long."""
    # One buffer for all: a million numbers are split in milliseconds, where a loop over texts takes seconds.
    joined = np.frombuffer("".join(numbers).encode("ascii"), dtype=np.uint8)
    return joined.reshape(-1, length) - ord("0")


def _weighted(digits: Digits, weights: Sequence[int]) -> NDArray[np.int64]:
    return digits.astype(np.int64) @ np.array(weights, dtype=np.int64)


def _first_of_each(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The first place of each distinct key."""
    first = np.zeros(len(keys), dtype=np.bool_)
    first[np.unique(keys, return_index=True)[1]] = True
    return first


def _two_digits(digits: Digits, start: int) -> NDArray[np.int64]:
    return _weighted(digits[:, start : start + 2], (10, 1))


def _not_zero(digits: Digits) -> NDArray[np.bool_]:
    """The numbers that are not all zeros: a filler, and it passes the rule."""
    filled: NDArray[np.bool_] = np.any(digits, axis=1)
    return filled


def _zero_twice(check: Digits, remainder: NDArray[np.int64], eligible: NDArray[np.bool_]) -> Tested:
    """The rule 11 - remainder, 0 if the remainder is at most 1, by which 0 comes of two remainders of eleven."""
    expected = np.where(remainder <= 1, 0, 11 - remainder)
    return Tested(eligible & (check == expected), eligible, np.where(check == 0, 2 / 11, 1 / 11))


def my_number(digits: Digits) -> Tested:
    """個人番号: 11 - (Σ P_n Q_n mod 11), 0 if the remainder is at most 1; P_n is digit n of the eleven counted

    from the right, Q_n = n + 1 up to 6 and n - 5 above (ordinance No. 85 of 2014 of the MIC, article 5).
    """
    remainder = _weighted(digits[:, :11], (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return _zero_twice(digits[:, 11], remainder, _not_zero(digits))


def resident_code(digits: Digits) -> Tested:
    """住民票コード: ten digits and a check digit by the rule of modulus 11 of `my_number`, over ten places.

    The weights are those of article 5 above cut to ten digits: no official text of them was at hand, so a
    column whose name says 住民票コード is found by its shape alone (see the catalogue).
    """
    remainder = _weighted(digits[:, :10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return _zero_twice(digits[:, 10], remainder, _not_zero(digits))


def licence(digits: Digits) -> Tested:
    """運転免許証番号: commission (2), year (2), serial (6), check digit (11 - Σ mod 11) mod 10, times reissued.

    Numbers that differ only in the last digit pass or fail together and are one trial.
    """
    eligible = np.isin(_two_digits(digits, 0), LICENCE_COMMISSIONS)
    check = digits[:, 10]
    expected = (11 - _weighted(digits[:, :10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 10
    body = _weighted(digits[:, :11], [10**place for place in range(10, -1, -1)])
    # The last digit counts reissues and is no part of the check.
    trials = eligible & _first_of_each(body)
    # Modulo 10 after modulo 11: 11 and 1 both end in 1, so a check digit of 1 is twice as frequent.
    return Tested(eligible & (check == expected), trials, np.where(check == 1, 2 / 11, 1 / 11))


def _doubled_sum(digits: Digits) -> NDArray[np.int64]:
    """Σ of the digits, every second one from the last but one doubled with its own digits added."""
    doubled = digits.astype(np.int64)
    doubled[:, -2::-2] *= 2
    # A two-digit number less 9 is the sum of its digits, up to 18.
    summed: NDArray[np.int64] = (doubled - 9 * (doubled > 9)).sum(axis=1)
    return summed


def _luhn(digits: Digits, eligible: NDArray[np.bool_]) -> Tested:
    return Tested(eligible & (_doubled_sum(digits) % 10 == 0), eligible, np.full(len(digits), 0.1))


def insurer_of_eight(digits: Digits) -> Tested:
    """保険者番号: scheme (2), prefecture (2), insurer (3), check digit by weights 2, 1 (MHLW's 設定要領)."""
    prefecture = _two_digits(digits, 2)
    known = np.isin(_two_digits(digits, 0), INSURER_LAWS)
    return _luhn(digits, known & (prefecture >= 1) & (prefecture <= PREFECTURES))


def insurer_of_six(digits: Digits) -> Tested:
    """保険者番号 of national health insurance: prefecture (2), insurer (3), check digit."""
    prefecture = _two_digits(digits, 0)
    return _luhn(digits, (prefecture >= 1) & (prefecture <= PREFECTURES))


def corporate_number(digits: Digits) -> Tested:
    """法人番号: the first digit is 9 - (Σ P_n Q_n mod 9), Q_n = 1 for odd and 2 for even n from the right

    (法人番号の指定等に関する省令 article 2); a number of a company, not of a person.
    """
    check = digits[:, 0]
    expected = 9 - _weighted(digits[:, 1:], (2, 1) * 6) % 9
    # The rule never gives 0, so a number that begins with 0 has no chance to pass.
    everywhere = np.ones(len(digits), dtype=np.bool_)
    return Tested(check == expected, everywhere, np.where(check == 0, 0.0, 1 / 9))


def card(digits: Digits) -> Tested:
    """Payment cards: an issuer's first digits (ISO/IEC 7812) and the Luhn check."""
    first, two = digits[:, 0], _two_digits(digits, 0)
    issued = (first == 4) | np.isin(two, (*range(22, 28), 30, 34, 35, 36, 37, *range(50, 56), 60, 62, 65))
    return _luhn(digits, issued)


def phone(digits: Digits) -> Tested:
    """Ten digits from 01 to 09 (fixed) or eleven with 050 to 090: no check digit, so the prefix is the test."""
    # The chance of the prefix among random digits: 1/10 × 9/10, and 1/10 × 5/10 × 1/10.
    length = digits.shape[1]
    if length == 10:
        passes, chance = (digits[:, 0] == 0) & (digits[:, 1] > 0), 0.09
    else:
        passes, chance = (digits[:, 0] == 0) & (digits[:, 1] >= 5) & (digits[:, 2] == 0), 0.005
    return Tested(passes, np.ones(len(digits), dtype=np.bool_), np.full(len(digits), chance))


def any_digits(digits: Digits) -> Tested:
    """A number without a public check: every number of the length passes."""
    everywhere = np.ones(len(digits), dtype=np.bool_)
    return Tested(everywhere, everywhere, np.ones(len(digits)))
