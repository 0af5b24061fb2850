"""Care-insurance benefits (介護保険給付): one row a person, month and service in fiscal 2025.

Only people who are alive and in the city on the reference date appear; those who died or left do not.
"""

from datetime import date

import numpy as np
import pyarrow as pa

from datasets.sample.columns import coded, dates, day_numbers, integers
from datasets.sample.draw import Bools, Draws, Ints, by_age, chance
from datasets.sample.places import DISTRICT_CODES
from datasets.sample.residents import SEXES, Residents

MONTHS = tuple(date(2025 + (month > 12), (month - 1) % 12 + 1, 1) for month in range(4, 16))
MONTH_DAYS = day_numbers(MONTHS)

LEVELS = ("support1", "support2", "care1", "care2", "care3", "care4", "care5")
HOME_SERVICES = ("home_visit", "visit_nursing", "day_service", "day_rehab", "short_stay", "welfare_equipment")
FACILITIES = ("group_home", "special_nursing_home", "health_facility")
SERVICES = (*HOME_SERVICES, *FACILITIES)

# Yen a month for one service; what lies above is written as this.
AMOUNT_MAX = 500_000

# Share of people certified as needing support or care, by sex and age.
#
# Source: 介護保険事業状況報告 and 介護給付費等実態統計 over 人口推計 (about 19 % of those of
# 65 and over, 60 % at 85 and over), written from memory; women above men from 77 on.
CERTIFIED_SHARE = np.stack(
    [
        by_age(
            (39, 0),
            (40, 0.002),
            (64, 0.008),
            (65, 0.02),
            (72, 0.05),
            (77, 0.13),
            (82, 0.30),
            (87, 0.54),
            (92, 0.78),
            (97, 0.92),
        ),
        by_age(
            (39, 0),
            (40, 0.002),
            (64, 0.010),
            (65, 0.025),
            (72, 0.06),
            (77, 0.11),
            (82, 0.22),
            (87, 0.41),
            (92, 0.64),
            (97, 0.82),
        ),
    ]
)

# Per cent of each level among the certified by age (介護保険事業状況報告, approximated).
LEVEL_DRAWS = Draws.of(
    [
        (12, 14, 18, 19, 13, 12, 12),  # 40 to 74
        (17, 16, 21, 17, 11, 11, 7),  # 75 to 84
        (13, 14, 22, 17, 14, 13, 7),  # 85 to 89
        (7, 10, 21, 18, 18, 17, 9),  # 90 and over
    ]
)

LEVEL_BANDS = (75, 85, 90)

# Per cent of the certified of each level by where they are cared for.
#
# Source: 介護給付費等実態統計, approximated.
SETTING_DRAWS = Draws.of(
    [
        # nothing, at home, group home, special nursing home, health facility
        (45, 55, 0, 0, 0),
        (32, 67, 1, 0, 0),
        (20, 71, 4, 1, 4),
        (13, 70, 5, 4, 8),
        (10, 46, 8, 24, 12),
        (9, 33, 7, 37, 14),
        (11, 28, 5, 43, 13),
    ]
)

AT_HOME, FIRST_FACILITY = 1, 2

# Share of those cared for at home who use each home service, by level.
USE_SHARE = np.array(
    [
        (0.25, 0.06, 0.42, 0.20, 0.00, 0.42),
        (0.25, 0.08, 0.42, 0.24, 0.01, 0.55),
        (0.30, 0.13, 0.60, 0.17, 0.06, 0.42),
        (0.33, 0.17, 0.56, 0.19, 0.12, 0.66),
        (0.35, 0.22, 0.58, 0.17, 0.25, 0.76),
        (0.40, 0.32, 0.52, 0.13, 0.28, 0.82),
        (0.48, 0.48, 0.40, 0.08, 0.24, 0.85),
    ],
    dtype=np.float32,
)

# Share of months in which a user of a service really uses it; hospital stays interrupt.
MONTH_SHARE = np.array([0.95, 0.94, 0.95, 0.94, 0.6, 0.99, 0.97, 0.97, 0.88], dtype=np.float32)

# Typical benefit in thousand yen a month by level and service (介護給付費等実態統計, approximated).
AMOUNT_THOUSAND = np.array(
    [
        (17, 24, 18, 28, 18, 5, 0, 0, 0),
        (27, 31, 33, 40, 24, 7, 225, 0, 0),
        (42, 38, 68, 60, 45, 8, 235, 190, 240),
        (56, 42, 84, 72, 62, 13, 245, 210, 255),
        (84, 46, 106, 85, 96, 17, 252, 232, 272),
        (108, 52, 120, 92, 112, 19, 258, 252, 288),
        (142, 66, 132, 96, 118, 21, 264, 272, 304),
    ],
    dtype=np.float32,
)

# Standard deviations of the logarithm of home-service amounts: by person and service, and by month.
HABIT_SPREAD, MONTH_SPREAD = 0.32, 0.12

FACILITY_SPREAD = 0.04

# Share of users who have benefits from April on; the others begin in a later month.
WHOLE_YEAR_SHARE = 0.78


def draw_certified(rng: np.random.Generator, residents: Residents) -> tuple[Ints, Ints]:
    """Draw which residents are certified (their rows) and at which level."""
    people = residents.people
    rows = np.flatnonzero(people.age >= 40)
    share = CERTIFIED_SHARE[people.sex[rows], people.age[rows]]
    rows = rows[chance(rng, share, len(rows))]
    return rows, LEVEL_DRAWS.draw(rng, np.searchsorted(LEVEL_BANDS, people.age[rows], side="right"))


def draw_services(rng: np.random.Generator, level: Ints, setting: Ints) -> Bools:
    """Draw which services each user has, as [user, service]; everybody has at least one."""
    uses = np.zeros((len(level), len(SERVICES)), dtype=bool)
    home = np.flatnonzero(setting == AT_HOME)
    chosen = rng.random((len(home), len(HOME_SERVICES)), dtype=np.float32) < USE_SHARE[level[home]]
    chosen[~chosen.any(axis=1), HOME_SERVICES.index("day_service")] = True
    uses[home, : len(HOME_SERVICES)] = chosen
    facility = np.flatnonzero(setting >= FIRST_FACILITY)
    uses[facility, len(HOME_SERVICES) + setting[facility] - FIRST_FACILITY] = True
    return uses


def draw_use(rng: np.random.Generator, uses: Bools) -> tuple[Ints, Ints, Ints]:
    """Draw in which months services are used; return the sorted (user, month, service) of every row."""
    users = len(uses)
    begin = np.where(chance(rng, WHOLE_YEAR_SHARE, users), 0, rng.integers(1, len(MONTHS), users))
    present = np.arange(len(MONTHS)) >= begin[:, None]
    kept = rng.random((users, len(MONTHS), len(SERVICES)), dtype=np.float32) < MONTH_SHARE
    user, month, service = np.nonzero(uses[:, None, :] & present[:, :, None] & kept)
    return user, month, service


def draw_amounts(rng: np.random.Generator, *, level: Ints, user: Ints, service: Ints) -> Ints:
    """Draw the yen of each row around what is typical for its level and service."""
    habit = rng.standard_normal((len(level), len(SERVICES)), dtype=np.float32)[user, service]
    spread = HABIT_SPREAD * habit + MONTH_SPREAD * rng.standard_normal(len(user), dtype=np.float32)
    facility = service >= len(HOME_SERVICES)
    spread[facility] = FACILITY_SPREAD * habit[facility]
    yen = 1000 * AMOUNT_THOUSAND[level[user], service] * np.exp(spread)
    return np.minimum(yen, AMOUNT_MAX).astype(np.int32)


def care_table(rng: np.random.Generator, residents: Residents) -> pa.Table:
    """Return the benefit rows of these residents, by person and month."""
    certified, level = draw_certified(rng, residents)
    setting = SETTING_DRAWS.draw(rng, level)
    users = np.flatnonzero(setting > 0)
    level = level[users]
    user, month, service = draw_use(rng, draw_services(rng, level, setting[users]))
    row = certified[users][user]
    people = residents.people
    return pa.table(
        {
            "resident_id": residents.ids(row),
            "month": dates(MONTH_DAYS[month]),
            "service": coded(SERVICES, service),
            "care_level": coded(LEVELS, level[user]),
            "amount": integers(draw_amounts(rng, level=level, user=user, service=service)),
            "age": integers(people.age[row]),
            "sex": coded(SEXES, people.sex[row]),
            "district": coded(DISTRICT_CODES, residents.district[row]),
        }
    )
