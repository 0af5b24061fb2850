"""End to end: how much answers tell about single persons is below what they cost, and close to it.

Every question goes over HTTP to registers that were made by coins (`coin_town`); from the answers it is guessed for
each person whether the coin let them in, and the guesses bound the loss from below (`evidence`). A sound server fails
a test with a probability of about a millionth. Noise of known shape is judged by the odds of the whole answer: all of
a person's numbers, in all grids. What a choice or a tree of counts tells is learned from one half of the persons and
guessed for the other half. The best estimate must come as near to the charge as theory lets it, or the audit is blind.

The fast lane asks about a thousand persons, the long one about `AUDIT_RUNS`. Figures stand at the end of the output.
"""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from coin_town import MEASURES, PERSON, PERSONS, ROWS, TERMS, CoinTown, coin_town
from evidence import (
    Bools,
    Floats,
    Frequencies,
    Guesses,
    Numbers,
    best_cut,
    guess,
    learned_evidence,
)
from town import VISITS, derived

from privacy.budget import Price, epsilon_of

CHARGE, RHO = 2, 1
"""At ε 2 the odds differ most for the number of guesses; at ρ 1 a Gaussian number moves by √2 deviations."""

Towns = Callable[[str], CoinTown]
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory, sqlite_template: bytes) -> Towns:
    """A town of a size, made when it is first asked for."""
    made: dict[str, CoinTown] = {}

    def town(size: str) -> CoinTown:
        if size not in made:
            made[size] = coin_town(tmp_path_factory.mktemp(size), sqlite_template, PERSONS[size])
        return made[size]

    return town


def sizes(names: Any, *, fast: Any) -> list[Any]:
    """Each name with many persons in the long lane, and those of the fast lane with few persons too."""
    few = [pytest.param("few", name, id=f"{name}-few") for name in names if name in fast]
    return few + [pytest.param("many", name, id=f"{name}-many", marks=pytest.mark.long) for name in names]


def figures(name: str, charge: object, certain: float, likely: float, persons: int) -> tuple[str, ...]:
    return name, str(charge), f"{certain:.2f}", f"{likely:.2f}", f"{persons:,}"


# Questions whose answers are noisy numbers


@dataclass(frozen=True)
class Moved:
    """A released number of each person: its column and keys, what it is without and how much more with the person."""

    column: str
    base: float
    more: float
    grid: frozenset[str] = frozenset({"block"})
    keys: dict[str, Any] = field(default_factory=dict)
    times: int = 1


@dataclass(frozen=True)
class Asked:
    """A question of one statistic `s`, and the numbers that a person moves."""

    select: dict[str, Any]
    numbers: tuple[Moved, ...]
    more: dict[str, Any] = field(default_factory=lambda: BY_BLOCK)

    def question(self, measure: str) -> dict[str, Any]:
        budget = {"epsilon": str(CHARGE)} if measure == "pure" else {"rho": str(RHO)}
        return {"select": [{"as": "s", **self.select}], "budget": budget, **self.more}


BY_BLOCK = {"group_by": [{"column": "block"}]}
BY_STREET = {"group_by": [{"column": "street"}]}
COUNT, SUM = {"agg": "count"}, {"agg": "sum", "column": "v"}
FLAGGED = {"column": "flag", "op": "=", "value": "y"}
WOMEN = {"column": "sex", "op": "=", "value": "f"}
MOST = ROWS * PERSON["v"]  # type: ignore[operator]


def margins(base: float, more: float, whole: float, **keys: str) -> tuple[Moved, ...]:
    """The person's cell in every margin that has the block: `whole` is what others have where no other key is left."""
    found = []
    for place in range(2 ** len(keys)):
        kept = {name: value for bit, (name, value) in enumerate(keys.items()) if place >> bit & 1}
        totals = dict.fromkeys(keys.keys() - kept.keys(), "*")
        grid = frozenset({"block", *kept})
        found.append(Moved("s_noisy", base if kept else whole, more, grid, kept | totals))
    return tuple(found)


def two_tables(base: float, more: float, other: str, *, times: int) -> Asked:
    """A workload of two tables, in which the person has one cell of `more` and `times` cells of a part of it."""
    numbers = (
        Moved("s_noisy", base, more, frozenset({"block"}), {"table": "a"}),
        Moved("s_noisy", base / times, more / times, frozenset({other}), {"table": "b"}, times),
    )
    tables = [
        {"as": "a", "group_by": [{"column": "block"}]},
        {"as": "b", "group_by": [{"column": other}]},
    ]
    return Asked(COUNT if base else SUM, numbers, {"tables": tables})


SEX, SEX_AND_FLAG = (
    {"group_by": [{"column": name} for name in names], "totals": True}
    for names in (("block", "sex"), ("block", "sex", "flag"))
)
STREETS = frozenset({"street"})
QUESTIONS = {
    "count": Asked(COUNT, (Moved("s", ROWS, ROWS),)),
    "count_persons": Asked({"agg": "count_persons"}, (Moved("s", 1, 1, STREETS, {}, ROWS),), BY_STREET),
    "sum": Asked(SUM, (Moved("s", 0, MOST),)),
    "sum per person": Asked(
        SUM | {"per_person_clamp": [0, 5]}, (Moved("s", 0, 5, STREETS, {}, ROWS),), BY_STREET
    ),
    "mean": Asked(SUM | {"agg": "mean"}, (Moved("s_from_low", 0, MOST), Moved("s_to_high", MOST, 0))),
    "variance": Asked(
        SUM | {"agg": "variance"}, (Moved("s_near_low", 10 * MOST, 0), Moved("s_near_high", 0, 10 * MOST))
    ),
    "stddev": Asked(
        SUM | {"agg": "stddev"}, (Moved("s_near_low", 10 * MOST, 0), Moved("s_near_high", 0, 10 * MOST))
    ),
    "share": Asked(
        {"agg": "ratio", "numerator": FLAGGED}, (Moved("s_matching", 0, ROWS), Moved("s_others", ROWS, 0))
    ),
    "ratio": Asked({"agg": "ratio", "numerator": FLAGGED, "denominator": WOMEN}, (Moved("s_both", 0, ROWS),)),
    "share_kept": Asked(
        {"agg": "share_kept"},
        (Moved("s_kept", 1, 1), Moved("s_left_out", 2, 2)),
        BY_BLOCK | {"rows_per_person": 1},
    ),
    "totals": Asked(COUNT, margins(0, ROWS, ROWS, sex="f"), SEX),
    "totals over three keys": Asked(COUNT, margins(0, ROWS, ROWS, sex="f", flag="y"), SEX_AND_FLAG),
    "workload": two_tables(ROWS, ROWS, "lane", times=1),
    "workload, rows apart": two_tables(ROWS, ROWS, "street", times=ROWS),
}
IN_RHO = {
    "count": QUESTIONS["count"],
    "count_persons": QUESTIONS["count_persons"],
    "sum": QUESTIONS["sum"],
    "mean": QUESTIONS["mean"],
    "totals": Asked(SUM, margins(0, MOST, 0, sex="f"), SEX),
    "totals over three keys": Asked(SUM, margins(0, MOST, 0, sex="f", flag="y"), SEX_AND_FLAG),
    "workload": two_tables(0, MOST, "lane", times=1),
}


def numbers_of(town: CoinTown, measure: str, asked: Asked) -> tuple[Numbers, tuple[Moved, ...], float]:
    """The numbers that are released at all, their noise, and the share of the price that was spent on them.

    A person moves each grid by its whole sensitivity, so the scales follow from the grids' shares of the price.
    """
    shares = town.shares(measure, asked.question(measure))
    known = tuple(number for number in asked.numbers if number.grid in shares)
    base, more, scales = [], [], []
    for number in known:
        together = [one for one in known if one.grid == number.grid]
        share = shares[number.grid]
        if measure == "pure":
            scale = sum(abs(one.more) * one.times for one in together) / (share * CHARGE)
        else:
            scale = math.sqrt(sum(one.more**2 * one.times for one in together) / (2 * share * RHO))
        base += [number.base] * number.times
        more += [number.more] * number.times
        scales += [scale] * number.times
    spent = sum(share for grid, share in shares.items() if grid in {number.grid for number in known})
    return Numbers(np.array(base), np.array(more), np.array(scales), measure == "zcdp"), known, spent


def noisy(town: CoinTown, measure: str, asked: Asked, known: tuple[Moved, ...]) -> Floats:
    """The persons' numbers as they came over HTTP, of shape (persons, numbers)."""
    slices, charge = [], CHARGE if measure == "pure" else RHO
    for answer in town.ask_all(measure, asked.question(measure)):
        assert answer["charge"]["amount"] == str(charge)
        names = [column["name"] for column in answer["columns"] if column["role"] == "key"]
        persons = town.inside[measure].shape[1]
        slices.append(np.hstack([one_number(answer, number, names, persons) for number in known]))
    return np.vstack(slices)


def one_number(answer: dict[str, Any], number: Moved, keys: list[str], persons: int) -> Floats:
    """A number of each person: in the rows of its grid, which have a total in place of all other keys."""
    found = [
        row[number.column]
        for row in answer["rows"]
        if all(row[name] == value for name, value in number.keys.items())
        and all((row[name] == "*") == (name not in number.grid) for name in keys if name != "table")
    ]
    assert len(found) == persons * number.times
    return np.array(found, dtype=np.float64).reshape(persons, number.times)


@pytest.mark.parametrize(
    ("size", "name"), sizes(QUESTIONS, fast=["count", "totals over three keys", "workload"])
)
def test_noisy_numbers_tell_less_than_they_cost(
    towns: Towns, size: str, name: str, record_property: Record
) -> None:
    """All of the price is spent on what one person can do, so the odds come as near to it as chance allows."""
    town, asked = towns(size), QUESTIONS[name]
    numbers, known, spent = numbers_of(town, "pure", asked)
    inside = town.inside["pure"].ravel()
    released = noisy(town, "pure", asked, known)
    scores = numbers.evidence(released)
    for place, alone in zip(np.flatnonzero(numbers.moved), numbers.alone, strict=True):
        assert guess(alone.evidence(released[:, [place]]), inside, alone.most).certain < CHARGE
    made = guess(scores, inside, numbers.rehearsed_cut(len(inside)))
    record_property("audit", figures(f"ε: {name}", CHARGE, made.certain, made.likely, made.made))
    assert made.certain < CHARGE
    assert not_blind(made, 0.93 * spent)


def not_blind(made: Guesses, near: float) -> bool:
    """Whether the estimate is not significantly below a part of the charge, and the bound is worth its name.

    Five standard errors for the estimate, and as many again for the confidence of the bound.
    """
    return made.likely > near * CHARGE - 5 * made.error and made.certain > near * CHARGE - 10 * made.error


@pytest.mark.parametrize(("size", "name"), sizes(IN_RHO, fast=["count", "totals over three keys"]))
def test_gaussian_numbers_tell_less_than_they_cost(
    towns: Towns, size: str, name: str, record_property: Record
) -> None:
    town, asked = towns(size), IN_RHO[name]
    numbers, known, spent = numbers_of(town, "zcdp", asked)
    inside = town.inside["zcdp"].ravel()
    released = noisy(town, "zcdp", asked, known)
    assert_gaussian(name, numbers, released, inside, spent, record_property)


def assert_gaussian(
    name: str, numbers: Numbers, released: Floats, inside: Bools, spent: float, record_property: Record
) -> None:
    """That noisy numbers which one person moves by √(2ρ) deviations together tell no more than ρ, and most of it."""
    deviations = numbers.evidence(released) / math.sqrt(2 * RHO * spent)
    for cut in (0.0, 0.5, 1.0):
        assert_within_rho(Frequencies.of(deviations >= cut, inside))
    for place, alone in zip(np.flatnonzero(numbers.moved), numbers.alone, strict=True):
        assert_within_normal(Frequencies.of(alone.evidence(released[:, [place]]) >= 0, inside))
    middle = Frequencies.of(deviations >= 0, inside)
    assert_within_normal(middle)
    certain, likely = middle.certain_shift**2 / 2, middle.shift**2 / 2
    record_property("audit", figures(f"ρ: {name}", RHO, certain, likely, len(inside)))
    assert middle.shift > math.sqrt(2 * RHO * spent) - 5 * 2 / math.sqrt(min(middle.inside, middle.outside))


def assert_within_normal(event: Frequencies) -> None:
    """Against normal noise. Counts are whole, which lets one of deviation 2.1 seem to move by 1 % more (σ² - 1/12)."""
    assert event.certain_shift**2 / 2 < 1.02 * RHO


def assert_within_rho(event: Frequencies) -> None:
    """Against ρ-zCDP by its definition, and against the (ε, δ) that people are shown."""
    assert event.certain < RHO
    surely, hardly = event.bounds
    for delta in (Fraction(1, 1_000), Fraction(1, 100), Fraction(1, 20)):
        assert surely <= math.exp(epsilon_of(Price.parse(str(RHO)), delta)) * hardly + delta


# Questions whose answers are choices, or post-processed trees of counts


@dataclass(frozen=True)
class Ranked:
    """Quantiles of a column, what of the answer tells apart who is in, and how near to the charge that comes."""

    column: str
    qs: tuple[float, ...]
    seen: Callable[[tuple[float, ...]], Hashable]
    near: float
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def asked(self) -> Asked:
        return Asked({"agg": "quantile", "column": self.column, "q": list(self.qs), **self.more}, ())


def up_to(*edges: int) -> Callable[[tuple[float, ...]], Hashable]:
    """Of each quantile the number of edges that it reaches."""
    return lambda values: tuple(sum(value >= edge for edge in edges) for value in values)


def at_the_end(values: tuple[float, ...]) -> Hashable:
    """How many of the quantiles lie in the lowest bin."""
    return sum(value < 1 for value in values)


NINE = tuple(place / 10 for place in range(1, 10))
RANKED_IN_EPSILON = {
    "median": Ranked("m", (0.5,), up_to(1, 2, 19), 0.65),
    "two quantiles by choice": Ranked("m", (0.49, 0.51), up_to(1, 2, 19), 0.3),
    "three quantiles by splits": Ranked("s", (0.25, 0.5, 0.75), up_to(1, 2, 11, 19), 0.35),
    "tree of one level": Ranked("t", NINE, at_the_end, 0.55),
    "tree of two levels": Ranked("u", NINE, at_the_end, 0.5, {"value_bounds": True}),
}
RANKED_IN_RHO = {
    "median": Ranked("m", (0.5,), up_to(1, 2, 19), 0.25),
    "three quantiles by splits": Ranked("m", (0.25, 0.5, 0.75), up_to(1, 2, 19), 0.1),
    "tree of one level, Gaussian": Ranked("z", NINE, at_the_end, 0.2, {"value_bounds": True}),
}


@dataclass(frozen=True)
class Halves:
    """Evidence of who is in, as learned from one half of the persons: of that half again, and of the other."""

    learned: Floats
    learned_inside: Bools
    scores: Floats
    inside: Bools

    @classmethod
    def of(cls, town: CoinTown, measure: str, ranked: Ranked) -> "Halves":
        answers, inside = seen(town, measure, ranked), town.inside[measure].ravel()
        half = len(answers) // 2
        learned = learned_evidence(answers[:half], inside[:half], answers[:half])
        scores = learned_evidence(answers[:half], inside[:half], answers[half:])
        return cls(learned, inside[:half], scores, inside[half:])


def seen(town: CoinTown, measure: str, ranked: Ranked) -> list[Hashable]:
    """What the persons' cells answered over HTTP, as far as it is looked at."""
    found: list[Hashable] = []
    charge = CHARGE if measure == "pure" else RHO
    for answer in town.ask_all(measure, ranked.asked.question(measure)):
        assert answer["charge"]["amount"] == str(charge)
        names = [column["name"] for column in answer["columns"] if column["role"] == "value"]
        found += [ranked.seen(tuple(row[name] for name in names)) for row in answer["rows"]]
    return found


@pytest.mark.parametrize(("size", "name"), sizes(RANKED_IN_EPSILON, fast=["tree of one level"]))
def test_quantiles_tell_less_than_they_cost(
    towns: Towns, size: str, name: str, record_property: Record
) -> None:
    ranked = RANKED_IN_EPSILON[name]
    halves = Halves.of(towns(size), "pure", ranked)
    cut = best_cut(halves.learned, halves.learned_inside, 1)
    made = guess(halves.scores, halves.inside, cut)
    record_property("audit", figures(f"ε: {name}", CHARGE, made.certain, made.likely, made.made))
    assert made.certain < CHARGE
    assert not_blind(made, ranked.near)


@pytest.mark.parametrize(("size", "name"), sizes(RANKED_IN_RHO, fast=[]))
def test_quantiles_accounted_in_rho_tell_less_than_they_cost(
    towns: Towns, size: str, name: str, record_property: Record
) -> None:
    """By the definition of ρ-zCDP alone: one event of a choice tells half of its ρ at most."""
    ranked = RANKED_IN_RHO[name]
    halves = Halves.of(towns(size), "zcdp", ranked)

    def learned(cut: float) -> float:
        return Frequencies.of(halves.learned >= cut, halves.learned_inside).certain

    event = Frequencies.of(halves.scores >= max(np.unique(halves.learned), key=learned), halves.inside)
    record_property("audit", figures(f"ρ: {name}", RHO, event.certain, event.likely, len(halves.inside)))
    assert_within_rho(event)
    assert event.likely > ranked.near


# All of an answer, one person more


KEYS = {"sex": "f", "flag": "y", "kind": "a"}
"""The keys of a table with all of its margins, and the cell of the person who is there or not."""

AMONG = derived(
    VISITS,
    privacy=TERMS | MEASURES["zcdp"],
    columns={
        "sex": {"type": "category", "values": ["f", "m"]},
        "flag": {"type": "category", "values": ["y", "n"]},
        "kind": {"type": "category", "values": ["a", "b", "c"]},
        "v": {"type": "integer", "min": 0, "max": 10},
    },
)
OTHERS = [(f"{row // ROWS}", "fm"[row % 2], "yn"[row % 3 % 2], "abc"[row % 3], row % 11) for row in range(63)]


def all_margins(spent: dict[frozenset[str], float]) -> tuple[Numbers, list[dict[str, str]]]:
    """The person's cell in every margin that is measured, and where the answer has it."""
    base, scales, cells = [], [], []
    for grid, share in spent.items():
        cells.append({name: value if name in grid else "*" for name, value in KEYS.items()})
        here = [row for row in OTHERS if all(row[1 + list(KEYS).index(name)] == KEYS[name] for name in grid)]
        base.append(sum(int(row[-1]) for row in here))
        scales.append(MOST / math.sqrt(2 * share * RHO))
    return Numbers(np.array(base, dtype=float), np.full(len(base), MOST), np.array(scales), True), cells


@pytest.mark.long
def test_all_margins_together_tell_less_than_they_cost(towns: Towns, record_property: Record) -> None:
    """Where persons share a margin, as all do the grand total, an answer is one experiment: two registers that differ
    in one person are asked again and again for a table with all of its margins.
    """
    town, runs = towns("few"), PERSONS["many"] // 20
    question = Asked(SUM, (), {"group_by": [{"column": name} for name in KEYS], "totals": True}).question(
        "zcdp"
    )
    person = [("99", *KEYS.values(), 10)] * ROWS
    for id, rows in (("with", OTHERS + person), ("without", OTHERS)):
        csv = [("person", *KEYS, "v"), *((id + name, *rest) for name, *rest in rows)]
        town.register(derived(AMONG, id=id), "\n".join(",".join(map(str, row)) for row in csv) + "\n")
    numbers, cells = all_margins(town.shares("with", question))
    assert dict.fromkeys(KEYS, "*") in cells, "the grand total is one of them"
    answers = [town.ask(id, question) for id in ("with", "without") for _ in range(runs)]
    assert {answer["charge"]["amount"] for answer in answers} == {str(RHO)}
    released = [
        [row["s_noisy"] for cell in cells for row in answer["rows"] if cell.items() <= row.items()]
        for answer in answers
    ]
    inside = np.arange(2 * runs) < runs
    assert_gaussian(
        "totals, all margins", numbers, np.array(released, dtype=float), inside, 1.0, record_property
    )
