"""Replayed randomness: one person more or less changes the inputs of the noise by at most what was declared.

Made-up schemas, questions and neighbours. The noise of one dataset's answer is recorded and repeated, cell
by cell, on its neighbour: same calls, same scales, same shape of the answer.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from doubles import (
    ADDITIVE,
    RUN,
    Person,
    crowds,
    embedded,
    exact_by_hand,
    persons,
    queries,
    query,
    register,
    rows_of,
    schemas,
    wide_columns,
    write_statistics,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lanes import first
from recorded_noise import RecordedDraw, RecordedNoise

from datasets.engines.duckdb import DuckdbEngine
from privacy.aggregates import Mean, Plain, Ratio, Share, Variance
from privacy.answer import AnswerTable, release, table
from privacy.budget import NANO, Price
from privacy.noise import Mechanism, OpendpNoise, calibrate
from privacy.plan import Plan, plan
from privacy.quantiles import QuantileMethod, Quantiles
from privacy.query import AGGREGATES, Compare, Key, Statistic
from privacy.schema import Measure, Number, Schema

MANY = settings(deadline=None, derandomize=True, max_examples=400)
A_FEW = settings(MANY, max_examples=60)
"""240 questions: a fault of an aggregate's sensitivity is met by a dozen of them, as each is asked in every 20th."""

SOME = settings(deadline=None, derandomize=True, max_examples=25)
TYPES = ("BIGINT",) * 3


@st.composite
def neighbours(draw: st.DrawFn, schema: Schema) -> tuple[list[Person], list[Person]]:
    """A crowd, and the same crowd without one of its persons; either may be the first.

    That person's rows are often all alike, which moves one cell furthest.
    """
    alike = rows_of(schema).map(lambda row: [row] * schema.rows_per_person)
    others, one = draw(crowds(schema, most=5)), draw(persons(schema) | alike)
    place = draw(st.integers(0, len(others)))
    having = [*others[:place], one, *others[place:]]
    return (having, others) if draw(st.booleans()) else (others, having)


def shape(made: AnswerTable) -> object:
    """Everything about an answer that is no released number."""
    columns = [
        (
            column.name,
            column.role,
            column.about,
            len(column.values),
            column.values if column.role == "key" else (),
        )
        for column in made.columns
    ]
    return columns, made.notes, made.postprocessing


def assert_private(planned: Plan, here: object, there: object) -> None:
    """Answer from both exact parts with the same noise, and compare all that the noise cannot hide."""
    first = RecordedNoise(source=OpendpNoise())
    one = table(planned, release(planned, here, first))  # type: ignore[arg-type]
    second = RecordedNoise(replay=first.draws)
    other = table(planned, release(planned, there, second))  # type: ignore[arg-type]
    assert shape(one) == shape(other)
    assert len(first.draws) == len(second.draws)
    loss = Fraction(0)
    for left, right in zip(first.draws, second.draws, strict=True):
        assert left.mechanism == right.mechanism
        assert left.scale == right.scale == calibrate(left.mechanism)
        assert left.exact.shape == right.exact.shape
        loss += loss_of(left, right)
    assert loss <= Fraction(planned.price.nano, NANO) * (1 + Fraction(1, 10**12))


def loss_of(left: RecordedDraw, right: RecordedDraw) -> Fraction:
    """What a draw costs for these two inputs, by the formula of its mechanism; at most its price.

    Choices of several cells share the person's rows, so their losses add up to one choice's.
    """
    mechanism, scale = left.mechanism, Fraction(left.scale)
    apart = [abs(int(a) - int(b)) for a, b in zip(left.exact, right.exact, strict=True)]
    zcdp = mechanism.measure == "zcdp"
    match mechanism.kind:
        case "discrete_laplace":
            assert sum(apart) <= mechanism.sensitivity
            epsilon = sum(apart) / scale
            return epsilon**2 / 2 if zcdp else epsilon
        case "discrete_gaussian":
            squared = sum(one**2 for one in apart)
            assert squared <= mechanism.sensitivity
            return squared / (2 * scale**2)
        case "noisy_max":
            assert max(apart) <= mechanism.sensitivity
            epsilon = 2 * max(apart) / scale
            return epsilon**2 / 8 if zcdp else epsilon
    raise AssertionError(mechanism.kind)


def assert_one_person_moves_an_answer_no_further_than_its_price(data: st.DataObject) -> None:
    schema = data.draw(schemas(wide_columns))
    here, there = data.draw(neighbours(schema))
    for _ in range(4):
        planned = plan(data.draw(queries(schema)), schema)
        assert_private(planned, exact_by_hand(planned, here), exact_by_hand(planned, there))


@pytest.mark.parametrize("often", first(1, [A_FEW, MANY]), ids=["a few times", "many times"])
def test_one_person_moves_an_answer_no_further_than_its_price(often: settings) -> None:
    often(given(st.data())(assert_one_person_moves_an_answer_no_further_than_its_price))()


# Planted faults


@pytest.mark.long
def test_made_up_questions_reach_every_aggregate_in_every_layout() -> None:
    """Each aggregate, alone and with margins or in a workload where it may, under both measures."""
    seen: Counter[tuple[str, str, str]] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()

    @given(st.data())
    def look(data) -> None:
        schema = data.draw(schemas(wide_columns))
        for _ in range(4):
            planned = plan(data.draw(queries(schema)), schema)
            layout = "totals" if planned.query.totals else "workload" if planned.query.tables else "plain"
            for part in planned.measurements:
                seen[part.agg, layout, schema.measure] += 1
                kinds[part.draws[0].mechanism.kind, schema.measure] += 1

    settings(MANY, phases=[Phase.generate], database=None)(look)()
    for measure in ("pure", "zcdp"):
        assert min(seen[agg, "plain", measure] for agg in AGGREGATES if agg != "count_units") >= 5
        assert kinds["discrete_laplace", measure] >= 10
        assert kinds["noisy_max", measure] >= 10
    assert kinds["discrete_gaussian", "zcdp"] >= 10
    for agg in ADDITIVE:
        for layout in ("totals", "workload"):
            assert seen[agg, layout, "pure"] + seen[agg, layout, "zcdp"] >= 5


def halved(estimator: type, name: str) -> Callable[..., int]:
    declared = getattr(estimator, name)
    return lambda self, cells: (declared(self, cells) + 1) // 2


def of_one_level(self: Quantiles, cells: int) -> int:
    return self.rows


def without_the_scaling(self: Quantiles, price: Price, measure: Measure) -> list[Mechanism]:
    """As if scores were ranks, not ranks times the denominator of q."""
    return [replace(one, sensitivity=self.rows) for one in DECLARED(self, price, measure)]


def of_one_choice(self: Quantiles, price: Price) -> list[Price]:
    """As if all choices of a split were of disjoint rows, whatever their level."""
    return [price for choice in self.choices() if choice.node >= 0]


DECLARED = Quantiles.mechanisms
WIDE = Number(name="k0", low=0, high=119)
N, S, A = "k0", "s0", Compare(column="k0", op=">=", values=(60,))
B = Compare(column="k0", op="<", values=(90,))
FEW = (Decimal("0.5"),)
OF_ESTIMATOR: dict[type, Statistic] = {
    Plain: Statistic(name=S, agg="sum", column=N),
    Mean: Statistic(name=S, agg="mean", column=N),
    Variance: Statistic(name=S, agg="variance", column=N),
    Share: Statistic(name=S, agg="ratio", numerator=A),
    Ratio: Statistic(name=S, agg="ratio", numerator=A, denominator=B),
    Quantiles: Statistic(name=S, agg="quantile", column=N, q=FEW),
}
SPLITS = Statistic(name=S, agg="quantile", column=N, q=tuple(Decimal(place) / 8 for place in range(1, 8)))
NINTH = Statistic(name=S, agg="quantile", column=N, q=(Decimal("0.9"),))
PERSONS = Statistic(name=S, agg="count_persons")
FAULTS: dict[str, tuple[Statistic, type, str, Callable[..., object]]] = {
    **{
        f"half of {name} of {estimator.__name__}": (select, estimator, name, halved(estimator, name))
        for estimator, select in OF_ESTIMATOR.items()
        for name in ("l1", "squared")
    },
    "l1 of one level of a tree": (OF_ESTIMATOR[Quantiles], Quantiles, "l1", of_one_level),
    "squared of one level of a tree": (OF_ESTIMATOR[Quantiles], Quantiles, "squared", of_one_level),
    "scores without the scaling by q": (NINTH, Quantiles, "mechanisms", without_the_scaling),
    "splits without levels": (SPLITS, Quantiles, "_value_prices", of_one_choice),
    "l1 of persons in one cell only": (PERSONS, Plain, "l1", lambda self, cells: 1),
    "squared of persons in one cell only": (PERSONS, Plain, "squared", lambda self, cells: 1),
}


@pytest.mark.parametrize("fault", first(1, FAULTS))
def test_a_planted_fault_of_a_sensitivity_is_found(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    select, estimator, name, planted = FAULTS[fault]
    measure: Measure = "zcdp" if name == "squared" else "pure"
    by_bins = (Key(column=N, bins=(0, 40, 80, 120)),)
    asked = query(select, group_by=by_bins if select is PERSONS else ())
    schema = register(WIDE, rows=3, measure=measure)
    if select is OF_ESTIMATOR[Quantiles]:
        monkeypatch.setattr("privacy.statistics.plan_method", lambda *_, **__: QuantileMethod(branching=11))

    @settings(MANY, phases=[Phase.generate], database=None)
    @given(neighbours(schema))
    def look(pair) -> None:
        planned = plan(asked, schema)
        here, there = (exact_by_hand(planned, people) for people in pair)
        assert_private(planned, here, there)

    look()
    monkeypatch.setattr(estimator, name, planted)
    with pytest.raises(AssertionError):
        look()


# The real engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> DuckdbEngine:
    return embedded(tmp_path_factory.mktemp("engine"))


@pytest.mark.long
@pytest.mark.parametrize("often", first(1, [settings(SOME, max_examples=12), SOME]), ids=["a few", "some"])
def test_the_same_holds_for_the_real_engine(engine: DuckdbEngine, tmp_path_factory, often: settings) -> None:
    @often
    @given(data=st.data())
    def hold(data) -> None:
        folder: Path = tmp_path_factory.mktemp("neighbours")
        schema = data.draw(schemas(wide_columns))
        here, there = (
            write_statistics(folder / str(number), schema, people, types=TYPES[: len(schema.queryable)])
            for number, people in enumerate(data.draw(neighbours(schema)))
        )
        for _ in range(4):
            planned = plan(data.draw(queries(schema)), schema)
            assert_private(planned, engine.exact(planned, here, RUN), engine.exact(planned, there, RUN))

    hold()
