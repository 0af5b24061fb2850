"""The districts and neighbourhoods (町丁目) of the city and who tends to live where; the map is made up."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from datasets.sample.draw import Draws, Ints

# The same in every district, so that a neighbourhood's number is its district's times eight and its own.
CHOME_IN_DISTRICT = 8
# Enough addresses for a small city; in a large one several households share one, as in flats.
BLOCKS, HOUSES = 24, 16
KANJI_DIGITS = "一二三四五六七八九"


@dataclass(frozen=True, slots=True, kw_only=True)
class District:
    """A ward: towns as (Japanese name, ASCII name, number of chome), and its pull on each kind of household.

    `pull`: relative number of households that are [young and alone, with children, other, headed by someone
    of 65 or over, headed by a foreign national].
    """

    code: str
    ja: str
    towns: tuple[tuple[str, str, int], ...]
    pull: tuple[int, int, int, int, int]


DISTRICTS = (
    District(
        code="chuo",
        ja="中央区",
        towns=(("本町", "honcho", 4), ("駅前", "ekimae", 2), ("大手町", "otemachi", 2)),
        pull=(22, 9, 11, 8, 20),
    ),
    District(
        code="kita",
        ja="北区",
        towns=(("北町", "kitamachi", 3), ("高台", "takadai", 3), ("松が丘", "matsugaoka", 2)),
        pull=(9, 10, 10, 11, 7),
    ),
    District(
        code="minami",
        ja="南区",
        towns=(("南町", "minamicho", 3), ("海岸", "kaigan", 3), ("塩見", "shiomi", 2)),
        pull=(9, 8, 9, 9, 10),
    ),
    District(
        code="higashi",
        ja="東区",
        towns=(("東町", "higashicho", 3), ("朝日町", "asahicho", 3), ("日の出", "hinode", 2)),
        pull=(12, 10, 10, 8, 18),
    ),
    District(
        code="nishi",
        ja="西区",
        towns=(("西町", "nishicho", 3), ("富士見", "fujimi", 3), ("緑丘", "midorigaoka", 2)),
        pull=(8, 12, 10, 9, 6),
    ),
    District(
        code="minato",
        ja="港区",
        towns=(("港町", "minatomachi", 3), ("築地", "tsukiji", 2), ("新港", "shinko", 3)),
        pull=(10, 7, 8, 6, 14),
    ),
    District(
        code="midori",
        ja="緑区",
        towns=(("若葉台", "wakabadai", 4), ("青葉", "aoba", 2), ("桜台", "sakuradai", 2)),
        pull=(5, 9, 9, 14, 4),
    ),
    District(
        code="asahi",
        ja="旭区",
        towns=(("旭町", "asahimachi", 4), ("花園", "hanazono", 2), ("栄町", "sakaecho", 2)),
        pull=(7, 8, 8, 9, 8),
    ),
    District(
        code="sakura",
        ja="桜区",
        towns=(("桜木", "sakuragi", 3), ("梅園", "umezono", 2), ("藤の台", "fujinodai", 3)),
        pull=(6, 13, 9, 6, 4),
    ),
    District(
        code="yamate",
        ja="山手区",
        towns=(("山手", "yamate", 4), ("城山", "shiroyama", 2), ("見晴台", "miharashidai", 2)),
        pull=(6, 7, 8, 8, 4),
    ),
    District(
        code="kawabe",
        ja="川辺区",
        towns=(("川辺", "kawabe", 3), ("河原町", "kawaramachi", 3), ("橋本", "hashimoto", 2)),
        pull=(4, 5, 5, 6, 4),
    ),
    District(
        code="satoyama",
        ja="里山区",
        towns=(("里", "sato", 2), ("大沢", "osawa", 2), ("谷", "yato", 2), ("森", "mori", 2)),
        pull=(2, 2, 3, 6, 1),
    ),
)

DISTRICT_CODES = tuple(district.code for district in DISTRICTS)
# A row for each kind of household; the table below has them by district, as people read it.
DISTRICT_PULL = Draws.of(np.array([district.pull for district in DISTRICTS]).T)

# Codes of all neighbourhoods; the eight of district d are those from 8 * d on.
CHOME_CODES = tuple(
    f"{district.code}-{town}-{number}"
    for district in DISTRICTS
    for _, town, count in district.towns
    for number in range(1, count + 1)
)

CHOME_NAMES = tuple(
    f"{district.ja}{town}{KANJI_DIGITS[number - 1]}丁目"
    for district in DISTRICTS
    for town, _, count in district.towns
    for number in range(1, count + 1)
)

# Relative size of the eight neighbourhoods of a district.
CHOME_PULL = Draws.of([(20, 16, 14, 13, 12, 10, 9, 6)])


def address_table() -> pa.Array:
    """Return every address, at chome * 384 + block * 16 + house; in a large city homes share them."""
    plots = [f"{block}番{house}号" for block in range(1, BLOCKS + 1) for house in range(1, HOUSES + 1)]
    return pa.array([f"{chome}{plot}" for chome in CHOME_NAMES for plot in plots], pa.string())


def draw_chome(rng: np.random.Generator, kind: Ints) -> tuple[Ints, Ints]:
    """Draw district and neighbourhood of each household from its kind (see `District.pull`)."""
    district = DISTRICT_PULL.draw(rng, kind)
    return district, district * np.uint8(CHOME_IN_DISTRICT) + CHOME_PULL.draw_alike(rng, len(kind))
