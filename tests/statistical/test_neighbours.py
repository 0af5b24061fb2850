"""Replayed randomness: one person more or less changes the inputs of the noise by at most what was declared.

Made-up schemas, questions and neighbours. The noise of one dataset's answer is recorded and repeated, cell
by cell, on its neighbour: same calls, same scales, same shape of the answer.
"""

from fractions import Fraction
from pathlib import Path

import pytest
from doubles import Person, crowds, exact_by_hand, persons, queries, schemas, write_statistics
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.engines.duckdb import DuckdbEngine
from privacy.answer import Table, release, table
from privacy.budget import NANO
from privacy.noise import Draw, OpendpNoise, RecordedNoise, calibrate
from privacy.plan import Plan, plan
from privacy.schema import Schema

MANY = settings(deadline=None, derandomize=True, max_examples=250)
SOME = settings(deadline=None, derandomize=True, max_examples=25)
TYPES = ("BIGINT",) * 3


@st.composite
def neighbours(draw: st.DrawFn, schema: Schema) -> tuple[list[Person], list[Person]]:
    """A crowd, and the same crowd without one of its persons; either may be the first."""
    others, one = draw(crowds(schema, most=5)), draw(persons(schema))
    place = draw(st.integers(0, len(others)))
    having = [*others[:place], one, *others[place:]]
    return (having, others) if draw(st.booleans()) else (others, having)


def shape(made: Table) -> object:
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


def loss_of(left: Draw, right: Draw) -> Fraction:
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


@MANY
@given(st.data())
def test_one_person_moves_an_answer_no_further_than_its_price(data) -> None:
    schema = data.draw(schemas())
    here, there = data.draw(neighbours(schema))
    for _ in range(4):
        planned = plan(data.draw(queries(schema)), schema)
        assert_private(planned, exact_by_hand(planned, here), exact_by_hand(planned, there))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> DuckdbEngine:
    return DuckdbEngine(threads=1, timeout_s=60, temporary=tmp_path_factory.mktemp("engine"))


@SOME
@given(data=st.data())
def test_the_same_holds_for_the_real_engine(engine: DuckdbEngine, tmp_path_factory, data) -> None:
    folder: Path = tmp_path_factory.mktemp("neighbours")
    schema = data.draw(schemas())
    here, there = (
        write_statistics(folder / f"{number}.duckdb", schema, people, types=TYPES[: len(schema.queryable)])
        for number, people in enumerate(data.draw(neighbours(schema)))
    )
    for _ in range(4):
        planned = plan(data.draw(queries(schema)), schema)
        assert_private(planned, engine.exact(planned, here), engine.exact(planned, there))
