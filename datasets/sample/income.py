"""Yearly income of each person before tax, shaped by age, sex and the luck a household shares.

Not a model of any tax: it serves only to give money a believable spread.
"""

from dataclasses import dataclass

import numpy as np

from datasets.sample.draw import Bools, Ints, by_age, chance
from datasets.sample.households import SPOUSE, CityPeople
from datasets.sample.pyramid import FEMALE

# Incomes above this are written as this (top coding), in yen.
INCOME_MAX = 30_000_000

# Below this age no income is recorded.
AGE_MIN = 15

UNKNOWN_SHARE = 0.03

# Median income of those who have any, in million yen, by sex and age.
MEDIAN_MILLION = np.stack(
    [
        by_age(
            (15, 0.5),
            (18, 0.8),
            (20, 1.3),
            (25, 2.7),
            (32, 3.0),
            (45, 2.9),
            (55, 2.7),
            (62, 1.9),
            (66, 1.2),
            (90, 1.0),
        ),
        by_age(
            (15, 0.5),
            (18, 0.9),
            (20, 1.6),
            (25, 3.0),
            (35, 4.4),
            (45, 5.2),
            (57, 5.7),
            (62, 4.0),
            (66, 2.6),
            (80, 1.9),
        ),
    ]
)

# Share of people with any income, pensions included, by sex and age.
EARNING_SHARE = np.stack(
    [
        by_age(
            (15, 0.12),
            (18, 0.4),
            (22, 0.75),
            (27, 0.88),
            (36, 0.8),
            (50, 0.83),
            (60, 0.78),
            (65, 0.93),
            (75, 0.98),
        ),
        by_age(
            (15, 0.12), (18, 0.35), (22, 0.75), (27, 0.94), (40, 0.97), (55, 0.95), (63, 0.92), (66, 0.98)
        ),
    ]
)

# Married women earn less than single ones: many work part-time below the limits of tax and insurance.
WIFE_FACTOR = 0.8

# Standard deviations of the logarithm: what members share, and what is their own.
HOUSEHOLD_SPREAD, PERSON_SPREAD = 0.36, 0.46

# One in fifty has a multiple of it: exp(exponential of mean 0.55), a Pareto tail.
TOP_SHARE, TOP_SPREAD = 0.02, 0.55


@dataclass(frozen=True, slots=True, kw_only=True)
class Incomes:
    """Yen a year for each person; `missing` where none is recorded (the amount is then 0)."""

    yen: Ints
    missing: Bools


def draw_incomes(rng: np.random.Generator, people: CityPeople) -> Incomes:
    """Draw log-normal incomes with a heavy tail, correlated within households.

    Shape after 国民生活基礎調査 2023 (households: mean about 5.2, median about 4.1 million yen) and
    民間給与実態統計調査 (pay by age and sex); medians are approximations from memory, the spread is ours.
    """
    count = len(people)
    shared = rng.standard_normal(len(people.households), dtype=np.float32)[people.household]
    own = rng.standard_normal(count, dtype=np.float32)
    cell = people.sex.astype(np.int32) * MEDIAN_MILLION.shape[1] + people.age
    amount = MEDIAN_MILLION.ravel()[cell] * np.exp(HOUSEHOLD_SPREAD * shared + PERSON_SPREAD * own)
    amount[(people.relation == SPOUSE) & (people.sex == FEMALE)] *= np.float32(WIFE_FACTOR)
    top = np.flatnonzero(chance(rng, TOP_SHARE, count))
    amount[top] *= np.exp(TOP_SPREAD * rng.standard_exponential(len(top), dtype=np.float32))
    amount *= chance(rng, EARNING_SHARE.ravel()[cell], count)
    missing = (people.age < AGE_MIN) | chance(rng, UNKNOWN_SHARE, count)
    yen = np.minimum(amount * 1e6, INCOME_MAX).astype(np.int32)
    yen[missing] = 0
    return Incomes(yen=yen, missing=missing)


def household_incomes(people: CityPeople, incomes: Incomes) -> Ints:
    """Return the yen a year of each household, all members together."""
    return np.bincount(people.household, weights=incomes.yen, minlength=len(people.households)).astype(
        np.int64
    )
