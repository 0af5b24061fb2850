"""The resident register (住民基本台帳): one row a person, with identity, home, nationality and income."""

import functools
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from datasets.sample.columns import coded, dates, day_number, day_numbers, decimals, identifiers, integers
from datasets.sample.draw import Bools, Draws, Ints, by_age, chance
from datasets.sample.households import CHILDREN, OTHER, RELATIONS, SPOUSE, CityPeople, draw_people
from datasets.sample.income import Incomes
from datasets.sample.names import FOREIGN, SURNAME_DRAWS, draw_names, name_table
from datasets.sample.places import BLOCKS, CHOME_CODES, DISTRICT_CODES, HOUSES, address_table, draw_chome
from datasets.sample.pyramid import AGES, REFERENCE_YEAR

SEXES = ("female", "male")
NATIONALITIES = ("japan", *FOREIGN)

YEAR_DAYS = 365.2425
REFERENCE_DAY = day_number(date(REFERENCE_YEAR, 4, 1))
# Earlier moves are not on record.
MOVED_IN_FIRST = date(1950, 1, 1)

# A person of age a was born from BIRTHDAYS[a + 1] to the day before BIRTHDAYS[a].
BIRTHDAYS = day_numbers([date(REFERENCE_YEAR - age, 4, 2) for age in range(AGES + 1)])

# Share of households headed by a foreign national by the head's age; about 3 % of all residents.
#
# Source: 在留外国人統計 (end of 2024: 3.8 million people, most in their twenties and thirties), approximated.
FOREIGN_SHARE = by_age(
    (18, 0.07), (22, 0.13), (30, 0.095), (38, 0.055), (48, 0.03), (60, 0.016), (70, 0.008), (90, 0.003)
)

# Relative size of the groups among foreign heads aged 25, 55 and 75 (在留外国人統計, approximated).
GROUP_WEIGHTS = {
    "china": (17, 30, 30),
    "vietnam": (25, 6, 1),
    "korea": (4, 17, 50),
    "philippines": (5, 20, 8),
    "nepal": (11, 2, 0),
    "brazil": (4, 8, 3),
    "indonesia": (10, 1, 0),
    "myanmar": (7, 1, 0),
    "other": (17, 15, 8),
}

GROUP_BY_AGE = Draws.of(
    np.stack([np.interp(np.arange(AGES), (25, 55, 75), GROUP_WEIGHTS[group]) for group in FOREIGN], axis=1)
)

# Share of spouses of Japanese heads who are foreign nationals (人口動態統計, marriages, approximated).
FOREIGN_SPOUSE_SHARE = 0.008

# Share of spouses of foreign heads who are Japanese (a guess).
JAPANESE_SPOUSE_SHARE = 0.25

# Mean years since a household moved in by the head's age; young adults came recently.
#
# Source: 住民基本台帳人口移動報告 (moves peak at 18 to 29) and 国勢調査 2020 (length of residence), approximated.
STAY_YEARS = by_age((18, 1.5), (25, 2.5), (32, 4.5), (40, 9), (50, 16), (60, 24), (75, 33))

# Share of people born in the city, or with no date of moving in on record.
NATIVE_SHARE = 0.2

# Share of moves that fall into the three weeks up to 1 April, when schools and firms begin their year.
SPRING_SHARE = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Residents:
    """People with a home, a nationality and a birthday; `first` is the place of the first one in the city."""

    first: int
    people: CityPeople
    district: Ints
    chome: Ints
    nationality: Ints
    born: Ints

    def ids(self, rows: Ints) -> pa.Array:
        """Return the resident identifiers of the people at these rows."""
        return identifiers("R", self.first + rows.astype(np.int64))


def draw_residents(rng: np.random.Generator, *, first: int, count: int) -> Residents:
    """Draw `count` residents; `first` numbers them within the city."""
    people = draw_people(rng, count)
    group = draw_groups(rng, people)
    district, chome = draw_chome(rng, kinds_of_household(people, group))
    nationality = group[people.household]
    return Residents(
        first=first,
        people=people,
        district=district[people.household],
        chome=chome[people.household],
        nationality=mix_couples(rng, people, nationality),
        born=draw_birthdays(rng, people.age),
    )


def draw_groups(rng: np.random.Generator, people: CityPeople) -> Ints:
    """Draw the nationality group of each household's head: 0 for Japan, then the order of `NATIONALITIES`."""
    age = people.households.head_age
    group = np.zeros(len(age), dtype=np.uint8)
    at = np.flatnonzero(chance(rng, FOREIGN_SHARE[age], len(age)))
    group[at] = 1 + GROUP_BY_AGE.draw(rng, age[at])
    return group


def mix_couples(rng: np.random.Generator, people: CityPeople, nationality: Ints) -> Ints:
    """Give some spouses another nationality than the head's."""
    at = np.flatnonzero(people.relation == SPOUSE)
    of_head = nationality[at]
    foreign = 1 + GROUP_BY_AGE.draw(rng, np.maximum(people.age[at], 40))
    luck = rng.random(len(at), dtype=np.float32)
    nationality[at] = np.where(
        of_head == 0,
        np.where(luck < FOREIGN_SPOUSE_SHARE, foreign, 0),
        np.where(luck < JAPANESE_SPOUSE_SHARE, 0, of_head),
    )
    return nationality


def kinds_of_household(people: CityPeople, group: Ints) -> Ints:
    """Sort households into the kinds of `District.pull`."""
    homes = people.households
    with_children = CHILDREN[homes.template] > 0
    kind = np.full(len(homes), 2, dtype=np.uint8)
    kind[with_children & (homes.head_age < 60)] = 1
    kind[(homes.size == 1) & (homes.head_age < 40)] = 0
    kind[homes.head_age >= 65] = 3
    kind[group > 0] = 4
    return kind


def draw_birthdays(rng: np.random.Generator, age: Ints) -> Ints:
    """Draw the day of birth, in days since 1970-01-01, uniformly over the year that gives this age."""
    first = BIRTHDAYS[1:][age]
    days = (BIRTHDAYS[:-1] - BIRTHDAYS[1:]).astype(np.float32)[age]
    after = np.minimum(rng.random(len(age), dtype=np.float32) * days, days - 1).astype(np.int32)
    born: Ints = first + after
    return born


def draw_moves(rng: np.random.Generator, residents: Residents) -> tuple[Ints, Bools]:
    """Draw when each person moved in, in days since 1970-01-01, and for whom no date is on record.

    A household moves together; members born later, like natives, have no date.
    """
    people = residents.people
    homes = people.households
    years = STAY_YEARS[homes.head_age] * rng.standard_exponential(len(homes), dtype=np.float32)
    ago = (years * np.float32(YEAR_DAYS)).astype(np.int32)
    spring = np.flatnonzero(chance(rng, SPRING_SHARE, len(homes)))
    whole_years = np.floor(years[spring]) * YEAR_DAYS
    ago[spring] = whole_years.astype(np.int32) + rng.integers(0, 21, len(spring), dtype=np.int32)
    day = (REFERENCE_DAY - ago)[people.household]
    missing = (
        chance(rng, NATIVE_SHARE, len(people)) | (day < residents.born) | (day < day_number(MOVED_IN_FIRST))
    )
    return day, missing


def draw_surnames(rng: np.random.Generator, people: CityPeople) -> Ints:
    """Give all members the head's surname, but for those who are neither spouse, child nor parent."""
    surname = SURNAME_DRAWS.draw_alike(rng, len(people.households))[people.household]
    at = np.flatnonzero(people.relation == OTHER)
    surname[at] = SURNAME_DRAWS.draw_alike(rng, len(at))
    return surname


@functools.cache
def addresses() -> pa.Array:
    """Return the address table, made once in a process."""
    return address_table()


def resident_table(rng: np.random.Generator, residents: Residents, incomes: Incomes) -> pa.Table:
    """Return the rows of the register, one a person."""
    people = residents.people
    homes = people.households
    plot = rng.integers(0, BLOCKS * HOUSES, len(homes), dtype=np.uint16)[people.household]
    names = draw_names(
        rng,
        surname=draw_surnames(rng, people),
        sex=people.sex,
        age=people.age,
        nationality=residents.nationality,
    )
    moved_in, unmoved = draw_moves(rng, residents)
    first_member = residents.first + homes.start.astype(np.int64)[people.household]
    return pa.table(
        {
            "resident_id": residents.ids(np.arange(len(people))),
            "name": coded(name_table(), names),
            "address": coded(addresses(), residents.chome.astype(np.int32) * (BLOCKS * HOUSES) + plot),
            "district": coded(DISTRICT_CODES, residents.district),
            "chome": coded(CHOME_CODES, residents.chome),
            "sex": coded(SEXES, people.sex),
            "birth_date": dates(residents.born),
            "age": integers(people.age),
            "household_id": identifiers("H", first_member),
            "household_size": integers(homes.size[people.household]),
            "relation": coded(RELATIONS, people.relation),
            "nationality": coded(NATIONALITIES, residents.nationality),
            "moved_in": dates(moved_in, missing=unmoved),
            "income": decimals(incomes.yen, missing=incomes.missing),
        }
    )
