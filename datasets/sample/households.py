"""Who lives with whom: households by composition, and the sex and age of every member.

The ages of heads are fitted so that all members together give the age pyramid. Where a household lives and
what it earns is not decided here.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from datasets.sample.draw import Draws, Floats, Ints, chance, grid_points
from datasets.sample.pyramid import AGES, BORN_SHARE, FEMALE, MALE, pyramid, survival

RELATIONS = ("head", "spouse", "child", "parent", "other")
HEAD, SPOUSE, CHILD, PARENT, OTHER = range(5)

SIZE_MAX = 7
# Years at least between a head and a child or parent of the head.
GENERATION_MIN = 15

# A head's sex and age in one number: sex * 120 + age.
HEAD_CELLS = 2 * AGES

# Where one parent lives with the head, it is the mother this often (a guess from 国勢調査 2020).
MOTHER_OF_HEAD = 0.8

# Brothers and sisters stand this far apart in the distribution of a child's age: two to five years.
SIBLING_STEP = (0.1, 0.3)

FIT_STEPS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A household composition.

    `share`: per cent of all households. `heads`: first guess at the head's age, as (mean, spread, lowest,
    highest). `woman_heads`: share of heads who are women.
    """

    share: float
    heads: tuple[float, float, int, int]
    woman_heads: float = 0.04
    spouse: bool = False
    children: int = 0
    parents: int = 0
    others: int = 0

    @property
    def size(self) -> int:
        return 1 + self.spouse + self.children + self.parents + self.others

    @property
    def slots(self) -> list[int]:
        """The relation of each member to the head, in the order in which members are listed."""
        counts = (1, int(self.spouse), self.children, self.parents, self.others)
        return [relation for relation, count in enumerate(counts) for _ in range(count)]

    @property
    def ranks(self) -> list[int]:
        """How many members of the same relation stand before each member."""
        return [self.slots[:place].count(relation) for place, relation in enumerate(self.slots)]


# Household types in per cent: 38 % live alone, 20 % are couples, 25 % couples with children, 9 % one parent.
#
# Source: 国勢調査 2020 (Population Census), family types and sizes of private households, written from memory and
# rounded; the split by number of children follows 国民生活基礎調査 in the same way. The mean size is 2.2.
TEMPLATES = (
    Template(share=13.0, heads=(30, 9, 18, 45), woman_heads=0.42),
    Template(share=25.1, heads=(66, 18, 30, 112), woman_heads=0.52),
    Template(share=4.5, heads=(34, 8, 20, 55), spouse=True),
    Template(share=15.5, heads=(70, 10, 40, 104), spouse=True),
    Template(share=11.5, heads=(50, 15, 21, 90), spouse=True, children=1),
    Template(share=10.3, heads=(45, 9, 24, 75), spouse=True, children=2),
    Template(share=2.9, heads=(43, 7, 27, 62), spouse=True, children=3),
    Template(share=0.4, heads=(42, 6, 30, 55), spouse=True, children=4),
    Template(share=5.7, heads=(58, 16, 22, 96), woman_heads=0.85, children=1),
    Template(share=2.5, heads=(47, 9, 24, 75), woman_heads=0.87, children=2),
    Template(share=0.8, heads=(43, 7, 27, 58), woman_heads=0.87, children=3),
    Template(share=1.6, heads=(57, 7, 35, 74), woman_heads=0.25, parents=1),
    Template(share=1.4, heads=(60, 7, 35, 74), spouse=True, parents=1),
    Template(share=0.9, heads=(54, 7, 32, 70), spouse=True, children=1, parents=1),
    Template(share=0.9, heads=(48, 7, 30, 64), spouse=True, children=2, parents=1),
    Template(share=0.7, heads=(45, 6, 30, 60), spouse=True, children=2, parents=2),
    Template(share=0.3, heads=(43, 6, 30, 56), spouse=True, children=3, parents=2),
    Template(share=1.5, heads=(45, 20, 18, 95), woman_heads=0.4, others=1),
    Template(share=0.5, heads=(50, 18, 20, 90), woman_heads=0.4, others=2),
)

SIZES = np.array([template.size for template in TEMPLATES], dtype=np.uint8)
MARRIED = np.array([template.spouse for template in TEMPLATES])
CHILDREN = np.array([template.children for template in TEMPLATES], dtype=np.uint8)
PARENTS = np.array([template.parents for template in TEMPLATES], dtype=np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Households:
    """One entry a household: its composition, the place of its first member, and its head."""

    template: Ints
    start: Ints
    size: Ints
    head_sex: Ints
    head_age: Ints

    def __len__(self) -> int:
        return len(self.template)


@dataclass(frozen=True, slots=True, kw_only=True)
class CityPeople:
    """One entry a person; members of a household stand together, the head first.

    `household` is the index into `households`, `age` is in completed years on the reference date.
    """

    households: Households
    household: Ints
    relation: Ints
    sex: Ints
    age: Ints

    def __len__(self) -> int:
        return len(self.household)


def bell(mean: ArrayLike, spread: float) -> Floats:
    """Return bell-shaped weights over ages 0 to 119, one row for each mean."""
    weights: Floats = np.exp(-0.5 * ((np.arange(AGES) - np.atleast_1d(mean)[:, None]) / spread) ** 2)
    return weights


def shares(weights: Floats) -> Floats:
    """Scale each row to 1; a row without any weight, which no draw reaches, becomes uniform."""
    filled: Floats = weights + 1e-12 * (weights.sum(axis=1, keepdims=True) < 1e-9)
    filled /= filled.sum(axis=1, keepdims=True)
    return filled


def spouse_ages() -> Floats:
    """Age of the spouse for each head cell: husbands are about two years older (人口動態統計, marriages)."""
    heads = np.arange(AGES)
    adult = (np.arange(AGES) >= 18) & (np.arange(AGES) <= 108)
    rows = [0.88 * bell(heads + gap, 3.2) + 0.12 * bell(heads + 1.5 * gap, 8) for gap in (2.0, -2.0)]
    return shares(np.concatenate(rows) * adult)


def child_ages() -> Floats:
    """Age of a child at home for each age of the mother.

    Mothers give birth at 31 on average (人口動態統計); the share still at home falls from 18 on and keeps a
    tail of grown-up children with old parents (国勢調査 2020), both approximations.
    """
    mothers, children = np.arange(AGES)[:, None], np.arange(AGES)[None, :]
    age_at_birth = mothers - children
    births = np.exp(-0.5 * ((age_at_birth - 31) / 4.9) ** 2) * (age_at_birth >= 17) * (age_at_birth <= 46)
    home = np.interp(
        np.arange(AGES), (0, 17, 19, 23, 28, 34, 45, 60, 75), (1, 1, 0.8, 0.6, 0.38, 0.2, 0.13, 0.1, 0)
    )
    rows = births * home
    rows[rows.sum(axis=1) < 1e-9, 0] = 1.0
    return shares(rows)


def parent_ages() -> Floats:
    """Age of a head's mother (rows 0 to 119) and father (120 to 239) by the head's age, if they are alive."""
    heads = np.arange(AGES)
    older = np.arange(AGES) >= heads[:, None] + GENERATION_MIN
    rows = [older * bell(heads + gap, 4.8) * survival(sex) for sex, gap in ((FEMALE, 28.5), (MALE, 31.0))]
    return shares(np.concatenate(rows))


def other_ages() -> Floats:
    """Age of brothers, sisters, nephews and friends by the head's age: near it, or a generation below."""
    heads = np.arange(AGES)
    return shares(
        (0.7 * bell(heads, 7) + 0.3 * bell(np.maximum(heads - 32, 8), 9)) * (np.arange(AGES) <= 105)
    )


def expected_members(template: Template) -> Floats:
    """Expected number of members of each [sex * 120 + age] for each head cell of a template."""
    wives = spouse_ages()
    children = child_ages()
    alone = np.concatenate([children, children[np.maximum(np.arange(AGES) - 2, 0)]])
    couple = np.concatenate([children, wives[AGES:] @ children])
    child = couple if template.spouse else alone
    parent = np.tile(parent_ages().reshape(2, AGES, AGES), (1, 2, 1))
    other = np.tile(other_ages(), (2, 1))
    mothers = 1.0 if template.parents == 2 else MOTHER_OF_HEAD * template.parents
    members = np.eye(HEAD_CELLS)
    for sex in (FEMALE, MALE):
        ages = members[:, sex * AGES : (sex + 1) * AGES]
        ages += BORN_SHARE[sex] * template.children * child + 0.5 * template.others * other
        ages += (mothers if sex == FEMALE else template.parents - mothers) * parent[sex]
    if template.spouse:
        members[:AGES, AGES:] += wives[:AGES]
        members[AGES:, :AGES] += wives[AGES:]
    return members


def first_guess(template: Template) -> Floats:
    """Share of each head cell in a template before the fit; adds up to 1."""
    mean, spread, lowest, highest = template.heads
    ages = np.arange(AGES)
    weights = (bell(mean, spread)[0] + 0.02) * (ages >= lowest) * (ages <= highest)
    weights /= weights.sum()
    return np.concatenate([template.woman_heads * weights, (1 - template.woman_heads) * weights])


def fitted_heads() -> Floats:
    """Share of each [template, head cell] such that all members together give the pyramid.

    Multiplicative deconvolution (Richardson-Lucy): each step scales a cell by how much its members
    are wanted, then puts the share of each template back to what was published.
    """
    share = np.array([template.share for template in TEMPLATES])
    share /= share.sum()
    members = np.array([expected_members(template) for template in TEMPLATES])
    sizes = SIZES[:, None].astype(float)
    wanted = pyramid().ravel() * (share[:, None] * sizes).sum()
    heads: Floats = np.array([first_guess(template) for template in TEMPLATES]) * share[:, None]
    for _ in range(FIT_STEPS):
        had = np.einsum("tc,tcm->m", heads, members)
        heads *= members @ (wanted / np.maximum(had, 1e-12)) / sizes
        # The fit may move heads between ages but not households between types, whose shares are published.
        heads *= (share / heads.sum(axis=1))[:, None]
    return heads


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The fitted tables, ready to draw from."""

    heads: Draws
    heads_alone: Draws
    spouse: Draws
    child: Draws
    parent: Draws
    other: Draws
    slots: Ints
    ranks: Ints


@functools.cache
def model() -> Model:
    """Fit the tables once in a process; takes about a third of a second."""
    heads = fitted_heads()
    singles = SIZES[:, None] == 1
    pad = [(*template.slots, *[0] * (SIZE_MAX - template.size)) for template in TEMPLATES]
    ranks = [(*template.ranks, *[0] * (SIZE_MAX - template.size)) for template in TEMPLATES]
    return Model(
        heads=Draws.of(heads.ravel(), bits=20),
        heads_alone=Draws.of((heads * singles).ravel(), bits=20),
        spouse=Draws.of(spouse_ages()),
        child=Draws.of(child_ages()),
        parent=Draws.of(parent_ages()),
        other=Draws.of(other_ages()),
        slots=np.array(pad, dtype=np.uint8).ravel(),
        ranks=np.array(ranks, dtype=np.uint8).ravel(),
    )


def draw_households(rng: np.random.Generator, residents: int) -> Households:
    """Draw households with exactly `residents` members; one that would overflow becomes people alone."""
    cells = model().heads.draw_alike(rng, residents // 2 + 64)
    ends = np.cumsum(SIZES[cells // HEAD_CELLS], dtype=np.int32)
    assert ends[-1] >= residents, "households hold more than two people on average"
    whole = int(np.searchsorted(ends, residents, side="right"))
    # The number of residents is exact, so whoever does not fit a whole household lives alone.
    left = residents - (int(ends[whole - 1]) if whole else 0)
    cells = np.concatenate([cells[:whole], model().heads_alone.draw_alike(rng, left)])
    template, head = np.divmod(cells, HEAD_CELLS)
    size = SIZES[template]
    return Households(
        template=template.astype(np.uint8),
        start=np.cumsum(size, dtype=np.int32) - size,
        size=size,
        head_sex=(head // AGES).astype(np.uint8),
        head_age=(head % AGES).astype(np.uint8),
    )


def draw_people(rng: np.random.Generator, residents: int) -> CityPeople:
    """Draw `residents` people in households, with relation, sex and age."""
    homes = draw_households(rng, residents)
    household = np.repeat(np.arange(len(homes), dtype=np.int32), homes.size)
    slot = np.arange(residents, dtype=np.int32) - homes.start[household]
    place = homes.template.astype(np.int32)[household] * SIZE_MAX + slot
    relation, rank = model().slots[place], model().ranks[place]
    sex, age = homes.head_sex[household], homes.head_age[household]
    spouse_age = model().spouse.draw(rng, homes.head_sex * np.int32(AGES) + homes.head_age)

    at = np.flatnonzero(relation == SPOUSE)
    sex[at], age[at] = 1 - sex[at], spouse_age[household[at]]

    at = np.flatnonzero(relation == CHILD)
    sex[at], age[at] = draw_children(rng, homes, spouse_age, household[at], rank[at])

    at = np.flatnonzero(relation == PARENT)
    both = PARENTS[homes.template[household[at]]] == 2
    father = (rank[at] == 1) | (~both & chance(rng, 1 - MOTHER_OF_HEAD, len(at)))
    sex[at], age[at] = father, model().parent.draw(rng, father * AGES + age[at])

    at = np.flatnonzero(relation == OTHER)
    sex[at], age[at] = chance(rng, 0.5, len(at)), model().other.draw(rng, age[at])
    return CityPeople(households=homes, household=household, relation=relation, sex=sex, age=age)


def draw_children(
    rng: np.random.Generator, homes: Households, spouse_age: Ints, household: Ints, rank: Ints
) -> tuple[Ints, Ints]:
    """Draw sex and age of children from the mother's age, spreading siblings over the distribution."""
    father_alone = np.maximum(homes.head_age, 2) - 2
    mother = np.where(
        homes.head_sex == FEMALE, homes.head_age, np.where(MARRIED[homes.template], spouse_age, father_alone)
    )
    first = grid_points(rng, len(homes))
    narrow, wide = (int(share * (1 << model().child.bits)) for share in SIBLING_STEP)
    step = rng.integers(narrow, wide, len(homes), dtype=np.uint16)
    age = model().child.at(mother[household], first[household] + rank * step[household])
    age = np.minimum(age, homes.head_age[household] - GENERATION_MIN)
    return chance(rng, BORN_SHARE[MALE], len(household)).astype(np.uint8), age
