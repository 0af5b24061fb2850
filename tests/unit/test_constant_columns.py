"""Columns of which all rows of a person have one value: what a person can move by them, against brute force."""

from dataclasses import replace
from fractions import Fraction

import pytest
from doubles import crowds, everybody, moved, persons, queries, query, register, schemas
from hypothesis import given, settings
from hypothesis import strategies as st
from lanes import first

from privacy.exact import Axis, reachable_over
from privacy.partition_selection import UndeclaredValueCount, exposure
from privacy.plan import Plan, plan
from privacy.query import Compare, InvalidQuery, Key, Query, Statistic, WorkloadTable
from privacy.schema import Category, Number, Schema, UndeclaredColumn

HOME = Category(name="home", values=("a", "b"), constant_per_person=True)
SEX = Category(name="sex", values=("f", "m"), constant_per_person=True)
KIND = Category(name="kind", values=("x", "y"))
COST = Number(name="cost", low=-1, high=2)
PERSONS = Statistic(name="s", agg="count_persons")
CLAMPED = Statistic(name="s", agg="sum", column="cost", per_person_clamp=(-1, 1))
LIFTED = Statistic(name="s", agg="sum", column="cost", per_person_clamp=(1, 2))
BY_HOME, BY_SEX, BY_KIND = (Key(column=name, missing=True) for name in ("home", "sex", "kind"))
A_FEW = settings(deadline=None, derandomize=True, max_examples=15)
MANY = settings(A_FEW, max_examples=150)


def both_measures(asked: Query, rows: int, *columns: object) -> list[Plan]:
    pure, zcdp = (register(*columns, rows=rows, measure=measure) for measure in ("pure", "zcdp"))  # type: ignore[arg-type]
    return [plan(asked, pure), plan(replace(asked, mechanism="discrete_gaussian"), zcdp)]


def sensitivities(planned: Plan) -> list[int]:
    return [draw.mechanism.sensitivity for part in planned.measurements for draw in part.draws]


@pytest.mark.parametrize("rows", first(1, [2, 3]))
@pytest.mark.parametrize("group_by", [(BY_HOME,), (BY_KIND,), (BY_HOME, BY_KIND), (BY_HOME, BY_SEX)])
@pytest.mark.parametrize("statistic", [PERSONS, CLAMPED, LIFTED], ids=["persons", "clamped", "lifted"])
def test_sensitivity_is_what_the_most_extreme_person_moves_and_no_more(statistic, group_by, rows) -> None:
    keys = {key.column for key in group_by}
    columns = [column for column in (HOME, SEX, KIND) if column.name in keys]
    columns += [COST] if statistic is not PERSONS else []
    for planned in both_measures(query(statistic, group_by=group_by), rows, *columns):
        most = max(moved(planned, [], [person])[0] for person in everybody(planned.schema))
        assert sensitivities(planned) == [most]


def test_a_person_counts_once_by_keys_that_are_constant_whatever_the_bound() -> None:
    asked = query(PERSONS, group_by=(BY_HOME, BY_SEX))
    for planned in both_measures(asked, 30, HOME, SEX, COST):
        assert sensitivities(planned) == [1]
    varying = [replace(column, constant_per_person=False) for column in (HOME, SEX)]
    # Nine cells, missing among them, and thirty rows to reach them.
    assert sensitivities(plan(asked, register(*varying, rows=30))) == [9]
    # Within the person's one home, each of the three kinds.
    mixed = query(PERSONS, group_by=(BY_HOME, BY_KIND))
    assert sensitivities(plan(mixed, register(HOME, KIND, rows=30))) == [3]


def test_rows_are_many_in_one_cell_whatever_is_constant() -> None:
    counted = query(Statistic(name="s", agg="count"), group_by=(BY_HOME,))
    assert [sensitivities(planned) for planned in both_measures(counted, 30, HOME)] == [[30], [900]]


@pytest.mark.parametrize("asked", [PERSONS, CLAMPED, LIFTED], ids=["persons", "clamped", "lifted"])
@pytest.mark.parametrize("totals", [True, False], ids=["totals", "workload"])
def test_persons_add_up_to_margins_of_keys_that_are_constant_and_of_no_others(asked, totals) -> None:
    def asking(*keys: Key) -> Query:
        if totals:
            return query(asked, group_by=keys, totals=True)
        tables = (
            WorkloadTable(name="one", group_by=keys),
            WorkloadTable(name="other", group_by=keys[-1:]),
        )
        return query(asked, tables=tables)

    for planned in both_measures(asking(BY_HOME, BY_SEX), 2, HOME, SEX, COST):
        people = list(everybody(register(HOME, SEX, COST, rows=1)))
        doubled = [[*person, *person] for person in people]
        most = max(max(moved(planned, [], [person])) for person in doubled)
        assert most <= min(sensitivities(planned))
    with pytest.raises(InvalidQuery) as refused:
        plan(asking(BY_HOME, BY_KIND), register(HOME, KIND, COST, rows=2))
    assert [problem.reason for problem in refused.value.problems] == ["not_additive"]


@st.composite
def partly_constant(draw: st.DrawFn) -> Schema:
    schema = draw(schemas())
    made = tuple(replace(column, constant_per_person=draw(st.booleans())) for column in schema.queryable)
    return replace(schema, columns=made, rows_per_person=max(2, schema.rows_per_person))


def assert_moved_no_further_than_noised_for(data: st.DataObject) -> None:
    schema = data.draw(partly_constant())
    others, one = data.draw(crowds(schema, most=3)), data.draw(persons(schema))
    for _ in range(3):
        planned = plan(data.draw(queries(schema)), schema)
        for apart, sensitivity in zip(
            moved(planned, others, [*others, one]), sensitivities(planned), strict=False
        ):
            assert apart <= sensitivity


@pytest.mark.parametrize("often", first(1, [A_FEW, MANY]), ids=["a few times", "many times"])
def test_no_question_is_moved_further_than_it_is_noised_for(often: settings) -> None:
    often(given(st.data())(assert_moved_no_further_than_noised_for))()


def test_only_axes_that_vary_are_reached_in_several_places() -> None:
    made = [
        Axis(name="a", column=0, buckets=((0, 0), (1, 1)), labels=("a", "b"), constant=constant)
        for constant in (True, False)
    ]
    assert [reachable_over(tuple(made), subset) for subset in ((), (0,), (1,), (0, 1))] == [1, 1, 2, 2]


def test_a_person_brings_one_new_value_of_an_open_column_that_is_constant() -> None:
    """Persons by values: one value moves by 1, and one value alone can be new."""

    def counted(*, constant: bool, agg: str = "count_persons") -> UndeclaredValueCount:
        schema = replace(
            register(UndeclaredColumn(name="school", constant_per_person=constant), rows=5, measure="zcdp"),
            delta_per_query=Fraction(1, 10**6),
            delta_cap=Fraction(1, 10**5),
        )
        asked = query(Statistic(name="s", agg=agg), group_by=(Key(column="school"),))
        (part,) = plan(asked, schema).measurements
        estimator = part.estimator
        assert isinstance(estimator, UndeclaredValueCount)
        thresholds[agg, constant] = estimator.threshold(part.draws[0].mechanism)
        scales[agg, constant] = part.draws[0].mechanism.scale
        return estimator

    thresholds: dict[tuple[str, bool], int] = {}
    scales: dict[tuple[str, bool], float] = {}
    assert (counted(constant=True).squared(9), counted(constant=False).squared(9)) == (1, 5)
    # All five rows may have the one value, so rows are noised as ever.
    rows = [counted(constant=constant, agg="count") for constant in (True, False)]
    assert [one.squared(9) for one in rows] == [25, 25]
    told = thresholds["count_persons", True]
    scale = scales["count_persons", True]
    assert (
        exposure(told, scale, 1, persons=True)
        <= Fraction(1, 10**6)
        < exposure(told - 1, scale, 1, persons=True)
    )
    assert thresholds["count", True] == thresholds["count", False]


def test_a_filter_on_what_varies_takes_a_person_away_and_adds_no_cell() -> None:
    asked = query(PERSONS, group_by=(BY_HOME,), where=Compare(column="kind", op="=", values=("x",)))
    for planned in both_measures(asked, 2, HOME, KIND):
        assert max(moved(planned, [], [person])[0] for person in everybody(planned.schema)) == 1
        assert sensitivities(planned) == [1]
