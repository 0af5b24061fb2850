"""End to end: how much two neighbouring registers can really be told apart.

The same question is put many times to a register and to one with one person more, the most revealing one: three
rows at the ends of the clamps, all in one cell or each in another, as theory says that it hurts most. From how
often the answers fall into an event chosen beforehand follows a lower bound on ε that holds with near certainty:
it must not exceed what was charged. And the best guess must come close to the charge, or the audit would be blind.

The event is "every noisy number that the person moves is at least what is exact with the person": beyond it the
odds of Laplace noise are as far apart as anywhere. A noisy choice cannot come quite so near with fifty bins, and
one event tells of Gaussian noise at most three quarters of its ρ: their tests have floors of their own, by theory.

A count is asked a thousand times over HTTP. Everything else is put to the same registers and the same question
language many more times behind the server (`runs` below), and as often over HTTP as it takes to see that the
server answers and charges alike.
"""

import json
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles import RUN, NoiseOfManyRuns, Silence, at, embedded
from flask.testing import FlaskClient
from scipy.stats import beta, binom, norm
from town import IN_RHO, VISITS, add, derived, enrol, grant

from api import create_app
from api.http import wire
from api.queries.schemas import QuerySchema, WorkloadSchema, to_query
from api.settings import Settings
from datasets.catalog import Catalog
from datasets.database.store import Store
from datasets.engines.duckdb import DuckdbEngine
from privacy.answer import AnswerTable, Released, release, table
from privacy.budget import epsilon_of
from privacy.plan import Plan, plan
from privacy.query import Query

pytestmark = pytest.mark.long

RUNS = int(os.environ.get("AUDIT_RUNS", "1000"))
OVER_HTTP = max(100, RUNS // 10)
CHOICES = 14 * RUNS
CHARGE = 2
"""At ε 2 the odds of the two answers differ most for the number of runs; the estimate's error is 0.07."""

CONFIDENCE = 1 - 1e-6
BINS = 50
COLUMNS = ("person", "ward", "sex", "flag", "v", "w")
TERMS = {"cap": "1000000", "max_per_query": "2"}
DESCRIPTORS = {
    measure: derived(
        VISITS,
        privacy=TERMS | terms,
        columns={
            "ward": {"type": "category", "values": ["a", "b", "c"]},
            "sex": {"type": "category", "values": ["f", "m"]},
            "flag": {"type": "category", "values": ["y", "n"]},
            "v": {"type": "integer", "min": 0, "max": 10},
            "w": {"type": "integer", "min": 0, "max": 49},
        },
    )
    for measure, terms in {"pure": {}, "zcdp": IN_RHO}.items()
}
FLAGGED = {"column": "flag", "op": "=", "value": "y"}
WOMEN = {"column": "sex", "op": "=", "value": "f"}


def people() -> list[tuple[object, ...]]:
    """Twenty-one persons of three rows: 30 rows at the low end of w, 3 above it, 30 at the high end."""
    low_and_high = [0] * 30 + [1] * 3 + [BINS - 1] * 30
    return [
        (row // 3, "abc"[row % 3], "fm"[row // 3 % 2], "yn"[row % 5 % 2], row % 11, w)
        for row, w in enumerate(low_and_high)
    ]


ONE_MORE = [(99, ward, "f", "y", 10, 0) for ward in "abc"]


@dataclass
class Town:
    """Neighbouring registers behind one server, somebody who may ask them, and a way behind the server."""

    client: FlaskClient
    key: str
    catalog: Catalog
    engine: DuckdbEngine
    copies: Path
    asked: int = 0

    def ask(self, dataset: str, question: dict[str, Any]) -> dict[str, Any]:
        """One fresh answer."""
        self.asked += 1
        kind = "workloads" if "tables" in question else "queries"
        answer = self.client.post(
            f"/v1/datasets/{dataset}/{kind}",
            data=json.dumps(question | {"reuse": "never"}),
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key}", "Idempotency-Key": f"k{self.asked}"},
        )
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        return answer.json

    def plan(self, dataset: str, question: dict[str, Any]) -> Plan:
        return plan(understood(question), self.catalog.current(dataset).schema)

    def exact(self, dataset: str, planned: Plan) -> Any:
        """From a copy, for the server keeps its files open in a way of its own."""
        copy = self.copies / dataset
        if not copy.exists():
            shutil.copytree(self.catalog.current(dataset).place.location, copy)
        return self.engine.exact(planned, at(copy), RUN)


def understood(question: dict[str, Any]) -> Query:
    """The question as the server reads it."""
    schema = WorkloadSchema() if "tables" in question else QuerySchema()
    return to_query(schema.load(wire.parse(json.dumps(question).encode())))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, sqlite_template: bytes) -> Town:
    folder = tmp_path_factory.mktemp("audit")
    (folder / "sudare.db").write_bytes(sqlite_template)
    settings = Settings(
        database_url=f"sqlite:///{folder / 'sudare.db'}",
        data_dir=folder / "data",
        response_quantum_ms=0,
        rate_limit="1000000 per minute",
    )
    store = Store(settings.database_url)
    catalog = Catalog(store, settings.data_dir)
    key = enrol(store, settings.secret())["aoi"]
    for measure in ("pure", "zcdp"):
        for more in ("without", "with"):
            id = f"{measure}-{more}"
            registered(store, settings.data_dir, id, measure, people() + (ONE_MORE if more == "with" else []))
            grant(store, [(catalog.current(id).lineage, "user", "aoi", "1000000")])
    engine = embedded(folder / "temporary")
    return Town(create_app(settings).test_client(), key, catalog, engine, folder)


def named(rows: list[tuple[object, ...]], measure: str) -> list[tuple[object, ...]]:
    """The same persons under numbers of their own, for no source is registered twice."""
    return [(f"{measure}{person}", *rest) for person, *rest in rows]


def registered(store: Store, data_dir: Path, id: str, measure: str, rows: list[tuple[object, ...]]) -> None:
    csv = "\n".join(",".join(map(str, row)) for row in [COLUMNS, *named(rows, measure)]) + "\n"
    add(store, data_dir, derived(DESCRIPTORS[measure], id=id), csv)


# Bounds


def least(hits: int, runs: int) -> float:
    """The Clopper-Pearson lower bound of a probability."""
    return float(beta.ppf(1 - CONFIDENCE, hits, runs - hits + 1)) if hits else 0.0


def most(hits: int, runs: int) -> float:
    """The Clopper-Pearson upper bound of a probability."""
    return float(beta.ppf(CONFIDENCE, hits + 1, runs - hits)) if hits < runs else 1.0


@dataclass(frozen=True)
class Told:
    """How often the event happened with and without the person, in so many runs of each."""

    having: int
    without: int
    runs: int

    @property
    def certain(self) -> float:
        """A lower bound on ε that holds with near certainty."""
        return math.log(least(self.having, self.runs) / most(self.without, self.runs))

    @property
    def likely(self) -> float:
        return math.log(self.having / self.without)


# Questions


@dataclass(frozen=True)
class Asked:
    """A question of one statistic `s`; `moved` is how many noisy numbers the person moves."""

    select: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict)
    moved: int = 1

    @property
    def question(self) -> dict[str, Any]:
        return {"select": [{"as": "s", **self.select}], "budget": {"epsilon": str(CHARGE)}, **self.more}


BY_WARD = {"group_by": [{"column": "ward"}]}
QUESTIONS = {
    "count": Asked({"agg": "count"}),
    "count_persons": Asked({"agg": "count_persons"}, BY_WARD, moved=3),
    "sum": Asked({"agg": "sum", "column": "v"}),
    "sum per person": Asked({"agg": "sum", "column": "v", "per_person_clamp": [0, 5]}, BY_WARD, moved=3),
    "mean": Asked({"agg": "mean", "column": "v"}),
    "variance": Asked({"agg": "variance", "column": "v"}),
    "stddev": Asked({"agg": "stddev", "column": "v"}),
    "share": Asked({"agg": "ratio", "numerator": FLAGGED}),
    "ratio": Asked({"agg": "ratio", "numerator": FLAGGED, "denominator": WOMEN}),
    "share_kept": Asked({"agg": "share_kept"}, {"rows_per_person": 1}, moved=2),
    "totals": Asked({"agg": "count"}, {"group_by": [{"column": "sex"}, {"column": "flag"}], "totals": True}),
    "workload": Asked(
        {"agg": "count"},
        {
            "tables": [
                {"as": "v", "group_by": [{"column": "v"}]},
                {"as": "w", "group_by": [{"column": "w", "bins": [0, 1, 49, 50]}]},
            ]
        },
        moved=2,
    ),
}
MEDIAN = Asked({"agg": "median", "column": "w"})
SPLITS = Asked({"agg": "quantile", "column": "w", "q": [0.25, 0.5, 0.75]})
TREE = Asked(
    {"agg": "quantile", "column": "v", "q": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]},
)


def flat(released: Released) -> np.ndarray:
    return np.concatenate([array.ravel() for array in released])


def noisy_numbers(planned: Plan, answer: AnswerTable) -> np.ndarray:
    """The released numbers as a caller reads them, in the order in which they were drawn; 0 for those not told."""
    raw = [column for column in answer.columns if column.role == "raw"]
    values = [column.values for column in raw or answer.columns if raw or column.role == "value"]
    if planned.layout.direct:
        return np.concatenate([np.array(one, dtype=np.int64) for one in values])
    layout, parts, rest = planned.layout, {}, list(values[0])
    for one in layout.tables:
        shown = [len(layout.axes[axis].labels) for axis in one.subset]
        table = np.zeros([layout.sizes[axis] for axis in one.subset], dtype=np.int64)
        cells, rest = rest[: math.prod(shown)], rest[math.prod(shown) :]
        if None not in cells:
            table[tuple(map(slice, shown))] = np.reshape(np.array(cells, dtype=np.int64), shown)
        parts[one.subset] = table.ravel()
    return np.concatenate([parts[subset] for subset in layout.grids])


@dataclass(frozen=True)
class Revealing:
    """The numbers that the person moves, how far, and what is exact with them."""

    places: np.ndarray
    moved: np.ndarray
    reached: np.ndarray

    @classmethod
    def of(cls, town: Town, having: Plan, without: Plan, measure: str = "pure") -> "Revealing":
        with_one, without_one = (
            flat(release(planned, town.exact(f"{measure}-{more}", planned), Silence()))
            for more, planned in (("with", having), ("without", without))
        )
        places = np.flatnonzero(with_one != without_one)
        return cls(places, (with_one - without_one)[places], with_one[places])

    def happened(self, numbers: np.ndarray) -> bool:
        """Whether all of them reach what is exact with the person."""
        return bool((np.sign(self.moved) * (numbers[self.places] - self.reached) >= 0).all())

    def evidence(self, numbers: np.ndarray, scales: np.ndarray) -> float:
        """The best test of Gaussian noise: what one person moves, in deviations; N(0, 1) without them."""
        weights = self.moved / scales[self.places] ** 2
        found = weights @ (numbers[self.places] - self.reached + self.moved)
        return float(found / math.sqrt(float(weights @ self.moved)))


def frequency(town: Town, dataset: str, planned: Plan, event: Callable[[Released], bool], runs: int) -> int:
    """How often an event happened in so many releases."""
    exact, noise = town.exact(dataset, planned), NoiseOfManyRuns(runs)
    return sum(event(release(planned, exact, noise.next_run())) for _ in range(runs))


def runs_of(planned: Plan) -> int:
    """Twenty for each run over HTTP, fewer where an answer has very many numbers."""
    numbers = sum(
        math.prod(planned.layout.sizes[axis] for axis in draw.subset)
        for draw in planned.measurements[0].draws
    )
    return 20 * RUNS if numbers < 8 else 8 * RUNS


def agrees(hits: int, runs: int, others: int, of: int) -> bool:
    """Whether some runs may have the probability that many others showed."""
    chance = (others + 1) / (of + 2)
    return bool(min(binom.cdf(hits, runs, chance), binom.sf(hits - 1, runs, chance)) > 1e-7)


def shape(answer: dict[str, Any]) -> object:
    """What an answer looks like, apart from its numbers: columns, keys, notes, postprocessing."""
    keys = [column["name"] for column in answer["columns"] if column["role"] == "key"]
    return (
        answer["columns"],
        [{key: row[key] for key in keys} for row in answer["rows"]],
        answer["notes"],
        answer["postprocessing"],
    )


# What is measured


def test_the_loss_measured_from_outside_is_below_the_charge_and_close_to_it(town: Town) -> None:
    """A count over HTTP: whether it reaches the larger exact count, and whether it stays at the smaller one."""
    lower, upper = len(people()), len(people()) + len(ONE_MORE)
    counts: dict[str, np.ndarray] = {}
    for dataset in ("pure-without", "pure-with"):
        answers = [town.ask(dataset, QUESTIONS["count"].question) for _ in range(RUNS)]
        assert {answer["charge"]["amount"] for answer in answers} == {str(CHARGE)}
        counts[dataset] = np.array([answer["rows"][0]["s"] for answer in answers])
    without, having = counts["pure-without"], counts["pure-with"]
    above = Told(int((having >= upper).sum()), int((without >= upper).sum()), RUNS)
    below = Told(int((without <= lower).sum()), int((having <= lower).sum()), RUNS)
    assert max(above.certain, below.certain) < CHARGE
    assert (above.likely + below.likely) / 2 > 0.8 * CHARGE
    assert max(above.certain, below.certain) > 0.5 * CHARGE


@pytest.mark.parametrize("name", QUESTIONS)
def test_one_person_changes_the_odds_of_an_answer_by_less_than_its_price(town: Town, name: str) -> None:
    """All of the price is spent on what one person can do: nothing is split, nothing left over."""
    asked = QUESTIONS[name]
    having, without = (town.plan(dataset, asked.question) for dataset in ("pure-with", "pure-without"))
    event = Revealing.of(town, having, without)
    assert len(event.places) == asked.moved
    runs = runs_of(having)
    told = Told(
        frequency(town, "pure-with", having, lambda released: event.happened(flat(released)), runs),
        frequency(town, "pure-without", without, lambda released: event.happened(flat(released)), runs),
        runs,
    )
    assert told.certain < CHARGE
    assert told.likely > 0.8 * CHARGE
    assert told.certain > 0.5 * CHARGE
    for dataset, hits in (("pure-with", told.having), ("pure-without", told.without)):
        answers = [town.ask(dataset, asked.question) for _ in range(OVER_HTTP)]
        assert {answer["charge"]["amount"] for answer in answers} == {str(CHARGE)}
        assert {shape(answer) == shape_behind(town, dataset, having) for answer in answers} == {True}
        numbers = [noisy_numbers(having, AnswerTable.from_json(answer)) for answer in answers]
        assert agrees(sum(map(event.happened, numbers)), OVER_HTTP, hits, runs)


def shape_behind(town: Town, dataset: str, planned: Plan) -> object:
    made = table(planned, release(planned, town.exact(dataset, planned), Silence()))
    return shape(json.loads(made.as_json()))


def left_of(bins: int, place: int = 0) -> Callable[[Released], bool]:
    return lambda released: bool(released[0][place, 0] < bins)


def test_one_person_changes_the_odds_of_a_median_by_less_than_its_price(town: Town) -> None:
    """The three rows at the low end raise the score of its bin by 3/2 and lower those of 47 bins by 3/2.

    The bins that fall behind must outweigh all others for the odds to move by the whole ε: with 50 bins they
    move by 0.948 of it (the law of permute-and-flip, computed).
    """
    having, without = (town.plan(dataset, MEDIAN.question) for dataset in ("pure-with", "pure-without"))
    assert without.measurements[0].draws[0].mechanism.kind == "noisy_max"
    told = Told(
        frequency(town, "pure-with", having, left_of(1), CHOICES),
        frequency(town, "pure-without", without, left_of(1), CHOICES),
        CHOICES,
    )
    assert told.certain < CHARGE
    assert told.likely > 0.8 * CHARGE
    assert told.certain > 0.5 * CHARGE
    for dataset, hits in (("pure-with", told.having), ("pure-without", told.without)):
        answers = [town.ask(dataset, MEDIAN.question) for _ in range(OVER_HTTP)]
        assert {answer["charge"]["amount"] for answer in answers} == {str(CHARGE)}
        assert {shape(answer) == shape_behind(town, dataset, having) for answer in answers} == {True}
        assert agrees(sum(answer["rows"][0]["s"] == 0 for answer in answers), OVER_HTTP, hits, CHOICES)


def test_one_person_changes_the_odds_of_quantiles_by_splits_by_less_than_its_price(town: Town) -> None:
    """The middle of three quantiles is chosen at four tenths of the price: half of it for each level, a fifth of
    that to cut the bin. The same event tells of no more here, for what the rest buys lies elsewhere.
    """
    having, without = (town.plan(dataset, SPLITS.question) for dataset in ("pure-with", "pure-without"))
    assert without.measurements[0].estimator.by_splits  # type: ignore[union-attr]
    told = Told(
        frequency(town, "pure-with", having, left_of(1, 1), 6 * RUNS),
        frequency(town, "pure-without", without, left_of(1, 1), 6 * RUNS),
        6 * RUNS,
    )
    assert told.certain < CHARGE
    assert told.likely > 0.15 * CHARGE
    for dataset, hits in (("pure-with", told.having), ("pure-without", told.without)):
        answers = [town.ask(dataset, SPLITS.question) for _ in range(OVER_HTTP)]
        assert {answer["charge"]["amount"] for answer in answers} == {str(CHARGE)}
        assert {shape(answer) == shape_behind(town, dataset, having) for answer in answers} == {True}
        assert agrees(sum(answer["rows"][0]["s_q50"] == 0 for answer in answers), OVER_HTTP, hits, 6 * RUNS)


def test_one_person_changes_the_odds_of_a_tree_of_counts_by_less_than_its_price(town: Town) -> None:
    """Its three rows lie in one bin, so that they move a count of three on every level of the tree."""
    having, without = (town.plan(dataset, TREE.question) for dataset in ("pure-with", "pure-without"))
    event = Revealing.of(town, having, without)
    levels = len(having.measurements[0].estimator.levels)  # type: ignore[union-attr]
    assert len(event.places) == levels
    runs = 8 * RUNS
    told = Told(
        frequency(town, "pure-with", having, lambda released: event.happened(flat(released)), runs),
        frequency(town, "pure-without", without, lambda released: event.happened(flat(released)), runs),
        runs,
    )
    assert told.certain < CHARGE
    assert told.likely > 0.8 * CHARGE
    assert told.certain > 0.5 * CHARGE
    for dataset in ("pure-with", "pure-without"):
        answers = [town.ask(dataset, TREE.question) for _ in range(OVER_HTTP)]
        assert {answer["charge"]["amount"] for answer in answers} == {str(CHARGE)}
        assert {shape(answer) == shape_behind(town, dataset, having) for answer in answers} == {True}


# ρ

RHO = 1
ORDER = 3
DEVIATIONS = 2.7
"""At ρ 1, of events that are no rarer than 1 in 300, this one tells most: 0.735 ρ, at the order 3."""


def divergence(having: float, without: float) -> float:
    """The Rényi divergence of an event's probabilities, over the order: at most ρ of ρ-zCDP."""
    total = having**ORDER * without ** (1 - ORDER) + (1 - having) ** ORDER * (1 - without) ** (1 - ORDER)
    return math.log(total) / (ORDER - 1) / ORDER


def scales_of(planned: Plan) -> np.ndarray:
    """The deviation of each released number."""
    (part,) = planned.measurements
    cells = [math.prod(planned.layout.sizes[axis] for axis in draw.subset) for draw in part.draws]
    parts = len(part.estimator.components)  # type: ignore[union-attr]
    return np.repeat([draw.mechanism.scale for draw in part.draws], [size * parts for size in cells])


@pytest.mark.parametrize("name", ["count", "count_persons", "totals", "workload"])
def test_an_answer_accounted_in_rho_tells_no_more_than_its_price(town: Town, name: str) -> None:
    """Against the definition of ρ-zCDP, against the (ε, δ) that people are shown, and against the noise."""
    question = {**QUESTIONS[name].question, "budget": {"rho": str(RHO)}}
    having, without = (town.plan(dataset, question) for dataset in ("zcdp-with", "zcdp-without"))
    assert {draw.mechanism.kind for draw in without.measurements[0].draws} == {"discrete_gaussian"}
    event, scales = Revealing.of(town, having, without, "zcdp"), scales_of(without)

    def happened(numbers: np.ndarray) -> bool:
        return event.evidence(numbers, scales) >= DEVIATIONS

    runs = 2 * runs_of(having)
    told = Told(
        frequency(town, "zcdp-with", having, lambda released: happened(flat(released)), runs),
        frequency(town, "zcdp-without", without, lambda released: happened(flat(released)), runs),
        runs,
    )
    surely, hardly = least(told.having, runs), most(told.without, runs)
    assert divergence(surely, hardly) < RHO
    for delta in (Fraction(1, 1_000), Fraction(1, 100), Fraction(1, 20)):
        assert surely <= math.exp(epsilon_of(having.price, delta)) * hardly + delta
    apart = float(norm.ppf(told.having / runs) - norm.ppf(told.without / runs))
    assert apart == pytest.approx(math.sqrt(2 * RHO), rel=0.15)
    if runs == 40 * RUNS:
        assert divergence(told.having / runs, told.without / runs) > 0.8 * 0.735 * RHO
    for dataset, hits in (("zcdp-with", told.having), ("zcdp-without", told.without)):
        answers = [town.ask(dataset, question) for _ in range(OVER_HTTP)]
        assert {answer["charge"]["amount"] for answer in answers} == {str(RHO)}
        assert {shape(answer) == shape_behind(town, dataset, having) for answer in answers} == {True}
        numbers = [noisy_numbers(having, AnswerTable.from_json(answer)) for answer in answers]
        assert agrees(sum(map(happened, numbers)), OVER_HTTP, hits, runs)


# The audit is not blind


def test_an_audit_of_noise_sold_for_less_than_it_tells_finds_more_than_the_charge(town: Town) -> None:
    """The same measurement of the same noise, had it been sold at ε 1.5."""
    having, without = (
        town.plan(dataset, QUESTIONS["count"].question) for dataset in ("pure-with", "pure-without")
    )
    event = Revealing.of(town, having, without)
    hits = [
        frequency(town, dataset, planned, lambda released: event.happened(flat(released)), 20 * RUNS)
        for dataset, planned in (("pure-with", having), ("pure-without", without))
    ]
    assert Told(hits[0], hits[1], 20 * RUNS).certain > 0.75 * CHARGE
