"""Childcare and kindergarten places (保育・幼児教育): one row a child and half-year of fiscal 2025.

Fees are set anew in April and September, so a child has at most two rows; school children have none.
"""

from datetime import date

import numpy as np
import pyarrow as pa

from datasets.sample.columns import coded, dates, day_numbers, integers
from datasets.sample.draw import Draws, Ints, chance
from datasets.sample.income import Incomes, household_incomes
from datasets.sample.places import DISTRICT_CODES
from datasets.sample.residents import Residents

MONTHS = (date(2025, 4, 1), date(2025, 9, 1))
MONTH_DAYS = day_numbers(MONTHS)
# Nurseries take babies from the fifty-seventh day of life.
YOUNGEST_DAYS = 57

# Children of the oldest class of fiscal 2025 are six on the reference date.
AGE_MAX = 6

FACILITIES = ("licensed_nursery", "kodomoen", "small_scale", "kindergarten", "none")
KINDERGARTEN, NO_FACILITY = 3, 4
HOURS = ("standard", "short", "education")
SHORT, EDUCATION = 1, 2
WAITING = ("no", "yes")

# Share of children of class age 0 to 5 with a place or on a waiting list.
#
# Source: 保育所等関連状況取りまとめ 2024 (use by age) and 学校基本調査 (kindergartens), approximated.
APPLY_SHARE = np.array([0.26, 0.55, 0.60, 0.95, 0.98, 0.98], dtype=np.float32)

# Per cent of each kind of place by class age; "none" is the waiting list.
FACILITY_DRAWS = Draws.of(
    [
        (70, 15, 13.5, 0, 1.5),
        (66, 16, 15.0, 0, 3.0),
        (68, 17, 13.5, 0, 1.5),
        (46, 27.3, 0, 26, 0.7),
        (46, 28, 0.0, 26, 0.0),
        (46, 28, 0.0, 26, 0.0),
    ]
)

SHORT_SHARE = 0.18
# Share of children who have their place from April on; the others appear in September.
STAYED_SHARE = 0.9

# Since October 2019 the fee from class age 3 on is nil (幼児教育・保育の無償化).
FREE_FROM_CLASS = 3

FEE_INCOMES = (2_600_000, 4_000_000, 6_000_000, 8_000_000, 12_000_000, 20_000_000)
# Yen a month by household income, in proportion between knots; our own table, below national ceilings.
FEES = (0, 20_000, 38_000, 50_000, 65_000, 78_000)

# Short hours cost 1.7 % less.
SHORT_FACTOR = 0.983

# The second small child of a household pays half, the third nothing.
ORDER_FACTORS = np.array([1.0, 0.5, 0.0])


def small_children(residents: Residents) -> tuple[Ints, Ints]:
    """Return the rows of children under school age and each one's order in its household, oldest first."""
    people = residents.people
    rows = np.flatnonzero(people.age <= AGE_MAX)
    rows = rows[np.lexsort((residents.born[rows], people.household[rows]))]
    households = people.household[rows]
    order = np.arange(len(rows)) - np.searchsorted(households, households)
    return rows, order


def fees(*, income: Ints, order: Ints, class_age: Ints, facility: Ints, hours: Ints) -> Ints:
    """Return the yen a month that parents pay, in hundreds rounded down."""
    fee = np.interp(income, FEE_INCOMES, FEES)
    fee = fee * np.where(hours == SHORT, SHORT_FACTOR, 1.0) * ORDER_FACTORS[np.minimum(order, 2)]
    fee[(class_age >= FREE_FROM_CLASS) | (facility == NO_FACILITY)] = 0
    hundreds: Ints = (fee // 100 * 100).astype(np.int32)
    return hundreds


def draw_hours(rng: np.random.Generator, facility: Ints) -> Ints:
    """Draw the class of hours: half days of education in kindergartens, standard or short care elsewhere."""
    short = chance(rng, SHORT_SHARE, len(facility))
    return np.where(facility == KINDERGARTEN, EDUCATION, np.where(short, SHORT, 0))


def childcare_table(rng: np.random.Generator, residents: Residents, incomes: Incomes) -> pa.Table:
    """Return the rows of these residents' small children, by household, child and half-year."""
    people = residents.people
    rows, order = small_children(residents)
    class_age = np.maximum(people.age[rows].astype(np.int8) - 1, 0)
    applied = chance(rng, APPLY_SHARE[class_age], len(rows))
    facility = FACILITY_DRAWS.draw(rng, class_age)
    hours = draw_hours(rng, facility)
    stayed = chance(rng, STAYED_SHARE, len(rows))
    income = household_incomes(people, incomes)[people.household[rows]]
    fee = fees(income=income, order=order, class_age=class_age, facility=facility, hours=hours)

    old_enough = residents.born[rows][:, None] + YOUNGEST_DAYS <= MONTH_DAYS
    since_april = np.stack([stayed, np.ones_like(stayed)], axis=1)
    child, month = np.nonzero(applied[:, None] & old_enough & since_april)
    row = rows[child]
    return pa.table(
        {
            "child_id": residents.ids(row),
            "month": dates(MONTH_DAYS[month]),
            "facility_type": coded(FACILITIES, facility[child]),
            "hours": coded(HOURS, hours[child]),
            "fee": integers(fee[child]),
            "age": integers(people.age[row]),
            "class_age": integers(class_age[child]),
            "district": coded(DISTRICT_CODES, residents.district[row]),
            "waiting": coded(WAITING, facility[child] == NO_FACILITY),
        }
    )
