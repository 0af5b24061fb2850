"""The age pyramid the city is fitted to: births of each year, thinned by mortality and swelled by migration.

It refuses detail it cannot know: one municipality's own history is not in it.
"""

import functools

import numpy as np
from numpy.typing import NDArray

from datasets.sample.draw import Floats

AGES = 120
# Ages are those of 1 April of this year, the first day of the Japanese fiscal year.
REFERENCE_YEAR = 2026

FEMALE, MALE = 0, 1

FIRST_BIRTH_YEAR = 1925
# fmt: off
# Births of each calendar year in thousands.
#
# Source: 人口動態統計 (Vital Statistics), written from memory and rounded; not a copied table.
BIRTHS_THOUSAND = (
    2086, 2104, 2061, 2136, 2077, 2085, 2103, 2183, 2121, 2044,  # 1925-1934
    2191, 2102, 2181, 1928, 1902, 2116, 2277, 2234, 2254, 2149,  # 1935-1944
    1700, 1650, 2679, 2682, 2697, 2338, 2138, 2005, 1868, 1770,  # 1945-1954; 1945-46 are guesses
    1731, 1665, 1567, 1653, 1626, 1606, 1589, 1619, 1660, 1717,  # 1955-1964
    1824, 1361, 1936, 1872, 1890, 1934, 2001, 2039, 2092, 2030,  # 1965-1974; 1966 was hinoe-uma
    1901, 1833, 1755, 1709, 1643, 1577, 1529, 1515, 1509, 1490,  # 1975-1984
    1432, 1383, 1347, 1314, 1247, 1222, 1223, 1209, 1188, 1238,  # 1985-1994
    1187, 1207, 1192, 1203, 1178, 1191, 1171, 1154, 1124, 1111,  # 1995-2004
    1063, 1093, 1090, 1091, 1070, 1071, 1051, 1037, 1030, 1004,  # 2005-2014
    1006, 977, 946, 918, 865, 841, 812, 771, 727, 686, 670, 670,  # 2015-2026; the last two are guesses
)

# Modal age at death and yearly growth of mortality (Gompertz), chosen to come near 人口推計.
MORTALITY = {FEMALE: (91.3, 0.124), MALE: (86.0, 0.108)}

# Sex at birth: about 105 boys for 100 girls (人口動態統計).
BORN_SHARE = {FEMALE: 0.487, MALE: 0.513}


def births_by_age() -> Floats:
    """Return the births, in thousands, of each one-year cohort as of 1 April of the reference year."""
    births = np.array(BIRTHS_THOUSAND, dtype=float)
    ages = np.arange(AGES)

    def in_year(years: NDArray[np.int_]) -> Floats:
        return births[np.clip(years - FIRST_BIRTH_YEAR, 0, len(births) - 1)]

    return 0.75 * in_year(REFERENCE_YEAR - 1 - ages) + 0.25 * in_year(REFERENCE_YEAR - ages)


def survival(sex: int) -> Floats:
    """Return the share of each cohort still alive: a Gompertz curve times the losses of early life."""
    ages = np.arange(AGES)
    mode, growth = MORTALITY[sex]
    early_life = 1 - 0.003 * np.clip(ages - 50, 0, 40)
    alive: Floats = early_life * np.exp(-np.exp(growth * (ages - mode)))
    return alive


@functools.cache
def pyramid() -> Floats:
    """Return the share of each [sex, age] in the population; shares add up to 1.

    Near 人口推計 (Population Estimates) of 2024-25: 29 % are 65 or over, bulges stand at 51-55 (born 1971-74)
    and 76-79 (born 1947-49), and a dent at 59-60 (1966). Net migration adds up to 11 % around age 24.
    """
    ages = np.arange(AGES)
    migration = 1 + 0.11 * np.exp(-(((ages - 24) / 9.0) ** 2))
    people: Floats = np.array(
        [births_by_age() * survival(s) * BORN_SHARE[s] * migration for s in (FEMALE, MALE)]
    )
    share: Floats = people / people.sum()
    return share
