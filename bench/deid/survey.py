"""A made-up table of the shape of a health interview survey: 9 quasi-identifiers, a lattice of 25,920 nodes.

Persons come in households: they share year, quarter, region and mostly race, and ages, marriages and schooling fit
together. Nobody in it exists, and its shares are round guesses, not those of any real survey.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from privacy.deidentify.hierarchies.hierarchy import SUPPRESSED, Hierarchy
from privacy.deidentify.table import Codes, Column, Table

ROWS = 1_193_504
SEED = 1997
CHUNK_ROWS = 1_000_000

Ints = NDArray[np.int64]
Draws = np.random.Generator
Paths = tuple[tuple[str, ...], ...]


# The hierarchies


def bands(numbers: range, *widths: int) -> Paths:
    """Per number its text, its band of each width (counted from the first number), and the top."""
    first, last = numbers.start, numbers.stop - 1

    def band(number: int, width: int) -> str:
        low = first + (number - first) // width * width
        return f"{low}-{min(low + width - 1, last)}"

    return tuple((str(number), *(band(number, width) for width in widths), SUPPRESSED) for number in numbers)


def groups(**members: Sequence[str]) -> Paths:
    """Per value its text, the group that has it, and the top."""
    return tuple((value, group, SUPPRESSED) for group, values in members.items() for value in values)


def flat(*values: str) -> Paths:
    """Per value its text and the top."""
    return tuple((value, SUPPRESSED) for value in values)


PATHS: Mapping[str, Paths] = {
    "YEAR": bands(range(1997, 2010), 2, 4, 8, 16),
    "QUARTER": groups(first_half=["Q1", "Q2"], second_half=["Q3", "Q4"]),
    "REGION": groups(north=["Northeast", "Midwest"], south_west=["South", "West"]),
    "PERNUM": bands(range(1, 26), 5, 10),
    "AGE": bands(range(86), 5, 10, 20),
    "MARSTAT": groups(
        child=["under 14"],
        together=["married, spouse present", "married, spouse absent", "married, spouse unknown", "partner"],
        alone=["widowed", "divorced", "separated", "never married", "unknown"],
    ),
    "SEX": flat("male", "female"),
    "RACEA": flat(*(f"race {number}" for number in range(1, 17))),
    "EDUC": flat(*(f"grade {number}" for number in range(26))),
}
WIDOWED, DIVORCED, SEPARATED, SINGLE, PARTNER = 5, 6, 7, 8, 4


def hierarchies() -> dict[str, Hierarchy]:
    """The hierarchy of each column."""
    return {name: Hierarchy.of(name, paths) for name, paths in PATHS.items()}


# The persons


def table(rows: int = ROWS, seed: int = SEED) -> Table:
    """The table of codes."""
    parts = list(chunks(rows, seed))
    return Table(
        [
            Column(name, tuple(path[0] for path in paths), np.concatenate([part[name] for part in parts]))
            for name, paths in PATHS.items()
        ]
    )


def chunks(rows: int, seed: int = SEED) -> Iterator[dict[str, Codes]]:
    """The rows by chunks: per column the place of each row's value in its hierarchy."""
    for number, start in enumerate(range(0, rows, CHUNK_ROWS)):
        people = persons(np.random.default_rng([seed, number]), min(CHUNK_ROWS, rows - start))
        yield {name: people[name].astype(np.int32) for name in PATHS}


def persons(draws: Draws, rows: int) -> dict[str, Ints]:
    """Whole households, the last one cut off at the number of rows."""
    size = _sizes(draws, rows)
    home = np.repeat(np.arange(len(size)), size)[:rows]
    place = np.arange(rows) - (np.cumsum(size) - size)[home]
    coupled = (size >= 2) & (draws.random(len(size)) < 0.78)
    married = coupled & (draws.random(len(size)) < 0.86)
    region = draws.choice(4, len(size), p=[0.18, 0.22, 0.37, 0.23])
    head = _head_ages(draws, coupled, size)
    spouse = coupled[home] & (place == 1)
    age = _ages(draws, head[home], place, spouse)
    sex = _sexes(draws, home, place, spouse)
    return {
        "YEAR": draws.choice(13, len(size), p=_falling(1.4, 0.8, 13))[home],
        "QUARTER": draws.integers(0, 4, len(size))[home],
        "REGION": region[home],
        "PERNUM": place,
        "AGE": age,
        "MARSTAT": _marital(draws, age, in_couple=coupled[home] & (place < 2), married=married[home]),
        "SEX": sex,
        "RACEA": _races(draws, region)[home],
        "EDUC": _schooling(draws, age, draws.normal(13.5, 2.2, len(size))[home]),
    }


def _falling(first: float, last: float, steps: int) -> NDArray[np.float64]:
    weights = np.linspace(first, last, steps)
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _sizes(draws: Draws, rows: int) -> Ints:
    """Sizes of enough households for the rows: mostly one to four, never more than 25."""
    usual = draws.choice(np.arange(1, 7), rows, p=[0.27, 0.33, 0.16, 0.14, 0.07, 0.03])
    size = np.minimum(np.where(usual == 6, 5 + draws.geometric(0.45, rows), usual), 25)
    return size[: int(np.searchsorted(np.cumsum(size), rows)) + 1]


def _head_ages(draws: Draws, coupled: NDArray[np.bool_], size: Ints) -> Ints:
    """Small households are young or old, those with children in between."""
    small = 18 + draws.beta(1.3, 1.5, len(size)) * 70
    large = 20 + draws.beta(3.0, 5.0, len(size)) * 60
    return np.where(size > 2, large, np.where(coupled, small + 4, small)).astype(np.int64)


def _ages(draws: Draws, head: Ints, place: Ints, spouse: NDArray[np.bool_]) -> Ints:
    rows = len(place)
    beside = head + draws.normal(-1.5, 4.0, rows)
    child = head - draws.gamma(9.0, 3.0, rows) - 2 * np.maximum(place - 2, 0)
    other = np.where((child < 0) | (draws.random(rows) < 0.06), draws.integers(0, 86, rows), child)
    age = np.where(place == 0, head, np.where(spouse, np.maximum(beside, 17), other))
    return np.clip(age, 0, 85).astype(np.int64)


def _sexes(draws: Draws, home: Ints, place: Ints, spouse: NDArray[np.bool_]) -> Ints:
    """Most couples are of two sexes."""
    own = (draws.random(len(place)) < np.where(place == 0, 0.47, 0.5)).astype(np.int64)
    first = np.flatnonzero(place == 0)
    opposite = 1 - own[first][home]
    return np.where(spouse & (draws.random(len(place)) < 0.985), opposite, own)


def _marital(draws: Draws, age: Ints, *, in_couple: NDArray[np.bool_], married: NDArray[np.bool_]) -> Ints:
    """Of those not in a couple the young are single, then divorced, and widowed the older they get."""
    chance = draws.random(len(age))
    ever = np.clip((age - 18) / 40, 0, 0.9)
    widowed = np.clip((age - 45) / 45, 0, 0.9)
    once = np.where(draws.random(len(age)) < widowed, WIDOWED, np.where(chance < 0.12, SEPARATED, DIVORCED))
    alone = np.where(draws.random(len(age)) < ever, once, SINGLE)
    alone[chance > 0.99] = 9
    wed = np.where(chance < 0.97, 1, np.where(chance < 0.99, 2, 3))
    return np.where(age < 14, 0, np.where(in_couple, np.where(married, wed, PARTNER), alone))


def _races(draws: Draws, region: Ints) -> Ints:
    """One race a household: the first by far the most common, how far depending on the region."""
    first = draws.random(len(region)) < np.array([0.8, 0.87, 0.74, 0.76])[region]
    return np.where(first, 0, np.minimum(draws.geometric(0.5, len(region)), 15))


def _schooling(draws: Draws, age: Ints, household: NDArray[np.float64]) -> Ints:
    """Children by age, adults around what is usual in their household."""
    rows = len(age)
    adult = np.clip(np.rint(household + draws.normal(0, 1.8, rows)), 1, 25)
    child = np.clip(age - 5 + draws.integers(-1, 2, rows), 0, 13)
    return np.where(age < 5, 0, np.where(age < 19, child, adult)).astype(np.int64)


# Files


def write_parquet(path: Path, rows: int, seed: int = SEED) -> None:
    """The rows as texts, a chunk at a time."""
    with pq.ParquetWriter(path, pa.schema([(name, pa.string()) for name in PATHS])) as writer:
        for part in chunks(rows, seed):
            writer.write_table(pa.table({name: _texts(PATHS[name], codes) for name, codes in part.items()}))


def _texts(paths: Paths, codes: Codes) -> "pa.Array":
    return pa.array([path[0] for path in paths]).take(pa.array(codes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a plan asks for: the share of rows that may go, and the recoding as a plan says it."""

    k: int
    suppression: float
    recoding: str


def write_plan(folder: Path, asked: Asked) -> Path:
    """A processing plan for the rows, its hierarchies beside it."""
    for name, paths in PATHS.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";", lineterminator="\n").writerows(paths)
    attributes = "".join(f"  {name}: {{role: quasi, hierarchy: {{file: {name}.csv}}}}\n" for name in PATHS)
    plan = folder / "plan.yaml"
    plan.write_text(
        f"title: benchmark\nattributes:\n{attributes}models:\n  - {{k_anonymity: {asked.k}}}\n"
        f"suppression: {asked.suppression}\nrecoding: {asked.recoding}\nseed: 1\n",
        encoding="utf-8",
    )
    return plan
