"""Counts of households: how far one person moves them, against brute force, and what is refused."""

from dataclasses import replace

import pytest
from doubles import crowds, everybody, exact_by_hand, moved, persons, queries, query, register, schemas
from hypothesis import given, settings
from hypothesis import strategies as st
from lanes import first

from datasets.descriptor.descriptor import DescriptorError, parse
from privacy.plan import Plan, plan
from privacy.query import Compare, InvalidQuery, Key, Query, Statistic, WorkloadTable
from privacy.schema import Category, Schema, SecondUnit

HOME = Category(name="home", values=("a", "b"), constant_per_person=True)
KIND = Category(name="kind", values=("x", "y"))
HOUSEHOLD = SecondUnit(name="household", column="hid")
ONE_EACH = replace(HOUSEHOLD, constant_per_person=True)
HOUSEHOLDS = Statistic(name="s", agg="count_units", unit="household")
BY_HOME, BY_KIND = Key(column="home"), Key(column="kind")
A_FEW = settings(deadline=None, derandomize=True, max_examples=12)
MANY = settings(A_FEW, max_examples=150)


def town(*columns: Category, rows: int, unit: SecondUnit = HOUSEHOLD, measure: str = "pure") -> Schema:
    return replace(register(*columns, rows=rows, measure=measure), units=(unit,))  # type: ignore[arg-type]


def both_measures(asked: Query, *columns: Category, rows: int, unit: SecondUnit) -> list[Plan]:
    pure, zcdp = (town(*columns, rows=rows, unit=unit, measure=measure) for measure in ("pure", "zcdp"))
    return [plan(asked, pure), plan(replace(asked, mechanism="discrete_gaussian"), zcdp)]


def sensitivities(planned: Plan) -> list[int]:
    return [draw.mechanism.sensitivity for part in planned.measurements for draw in part.draws]


@pytest.mark.parametrize("rows", first(2, [1, 2, 3]))
@pytest.mark.parametrize("unit", [HOUSEHOLD, ONE_EACH], ids=["several", "one each"])
@pytest.mark.parametrize("group_by", [(), (BY_HOME,), (BY_KIND,), (BY_HOME, BY_KIND)])
def test_sensitivity_is_what_the_most_extreme_person_moves_and_no_more(group_by, unit, rows) -> None:
    columns = [column for column in (HOME, KIND) if Key(column=column.name) in group_by] or [HOME]
    for planned in both_measures(query(HOUSEHOLDS, group_by=group_by), *columns, rows=rows, unit=unit):
        most = max(moved(planned, [], [person])[0] for person in everybody(planned.schema))
        assert sensitivities(planned) == [most]


@pytest.mark.parametrize(
    ("unit", "group_by", "expected"),
    [
        (HOUSEHOLD, (BY_HOME,), [30, 900]),
        (ONE_EACH, (BY_HOME,), [1, 1]),
        (ONE_EACH, (BY_HOME, BY_KIND), [2, 2]),
        (ONE_EACH, (), [1, 1]),
    ],
)
def test_a_person_of_thirty_rows_moves_one_household_where_it_names_one(unit, group_by, expected) -> None:
    planned = both_measures(query(HOUSEHOLDS, group_by=group_by), HOME, KIND, rows=30, unit=unit)
    assert [one for each in planned for one in sensitivities(each)] == expected


def assert_moved_no_further_than_noised_for(data: st.DataObject) -> None:
    """Neighbours whose households are shared with others, under any keys and filters."""
    made = data.draw(schemas())
    columns = tuple(replace(column, constant_per_person=data.draw(st.booleans())) for column in made.columns)
    unit = data.draw(st.sampled_from((HOUSEHOLD, ONE_EACH)))
    schema = replace(made, columns=columns, units=(unit,))
    others, one = data.draw(crowds(schema, most=4)), data.draw(persons(schema))
    asked = replace(data.draw(queries(schema)), select=(HOUSEHOLDS,), totals=False, tables=(), whole=False)
    planned = plan(asked, schema)
    for apart, sensitivity in zip(
        moved(planned, others, [*others, one]), sensitivities(planned), strict=True
    ):
        assert apart <= sensitivity


@pytest.mark.parametrize("often", first(1, [A_FEW, MANY]), ids=["a few times", "many times"])
def test_one_person_moves_households_no_further_than_they_are_noised_for(often: settings) -> None:
    often(given(st.data())(assert_moved_no_further_than_noised_for))()


def test_a_household_of_two_is_one_and_stands_in_each_cell_that_one_of_its_people_is_in() -> None:
    planned = plan(query(HOUSEHOLDS, group_by=(BY_HOME,)), town(HOME, rows=2))
    people = [[(0, 7)], [(0, 7), (0, 8)], [(1, 7)], [(1, 0)]]
    (found,) = exact_by_hand(planned, people).values()
    assert found.tolist() == [2, 1]


@pytest.mark.parametrize("unit", [HOUSEHOLD, ONE_EACH], ids=["several", "one each"])
@pytest.mark.parametrize(
    "changes",
    [
        {"group_by": (BY_HOME,), "totals": True},
        {"tables": (WorkloadTable(name="all", group_by=()), WorkloadTable(name="t", group_by=(BY_HOME,)))},
    ],
    ids=["totals", "workload"],
)
def test_households_do_not_add_up_whatever_is_constant(changes, unit) -> None:
    with pytest.raises(InvalidQuery) as refused:
        plan(query(HOUSEHOLDS, **changes), town(HOME, rows=2, unit=unit))
    assert [problem.reason for problem in refused.value.problems] == ["not_additive"]


@pytest.mark.parametrize(
    ("statistic", "units", "expected"),
    [
        (HOUSEHOLDS, (), ("/select/0/agg", "no_units")),
        (replace(HOUSEHOLDS, unit=None), (HOUSEHOLD,), ("/select/0/unit", "required")),
        (replace(HOUSEHOLDS, unit="school"), (HOUSEHOLD,), ("/select/0/unit", "unknown_unit")),
        (replace(HOUSEHOLDS, column="home"), (HOUSEHOLD,), ("/select/0/column", "takes_no_member")),
        (
            Statistic(name="s", agg="count", unit="household"),
            (HOUSEHOLD,),
            ("/select/0/unit", "takes_no_member"),
        ),
    ],
    ids=["no units", "which", "unknown", "of a column", "another aggregate"],
)
def test_what_cannot_be_counted_is_refused_with_its_reason(statistic, units, expected) -> None:
    with pytest.raises(InvalidQuery) as refused:
        plan(query(statistic), replace(town(HOME, rows=2), units=units))
    assert [(problem.pointer, problem.reason) for problem in refused.value.problems] == [expected]


def test_no_question_can_name_the_column_that_names_households() -> None:
    for changes in (
        {"group_by": (Key(column="hid"),)},
        {"where": Compare(column="hid", op="=", values=("h1",))},
    ):
        with pytest.raises(InvalidQuery) as refused:
            plan(query(HOUSEHOLDS, **changes), town(HOME, rows=2))
        assert [(problem.reason, problem.expected) for problem in refused.value.problems] == [
            ("unknown_column:unit", '{"agg": "count_units", "unit": "household"}')
        ]


def test_questions_that_count_no_units_keep_their_fingerprints() -> None:
    asked = query(Statistic(name="s", agg="count_persons"), group_by=(BY_HOME,))
    with_units, without = town(HOME, rows=2), replace(town(HOME, rows=2), units=())
    assert plan(asked, with_units).fingerprint == plan(asked, without).fingerprint
    two = replace(with_units, units=(HOUSEHOLD, replace(HOUSEHOLD, name="school", column="sid")))
    prints = {
        plan(query(replace(HOUSEHOLDS, unit=unit)), two).fingerprint for unit in ("household", "school")
    }
    assert len(prints) == 2


DESCRIPTOR = """
id: t
title: {en: T}
body: "131016"
privacy: {unit: pid, max_rows_per_person: 2, measure: pure, cap: 9, max_per_query: 1}
units:
  household: {column: hid, title: {ja: 世帯, en: Households}, constant_per_person: true}
columns:
  home: {type: category, values: [a, b]}
  note: {type: text}
"""


def test_a_descriptor_declares_what_can_be_counted() -> None:
    assert parse(DESCRIPTOR).schema.units == (
        SecondUnit(
            name="household",
            column="hid",
            title={"ja": "世帯", "en": "Households"},
            constant_per_person=True,
        ),
    )
    assert parse(DESCRIPTOR.replace("hid", "note")).schema.units[0].column == "note"


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("column: hid", "column: pid", "units.household.column"),
        ("column: hid", "column: home", "units.household.column"),
        ("column: hid", "column: Note", "units.household.column"),
        (
            "  household: {column: hid,",
            "  school: {column: hid}\n  household: {column: hid,",
            "units.household.column",
        ),
        ("column: hid, ", "", "units.household"),
        ("  household:", "  Household:", "units.Household"),
        ("constant_per_person: true", "constant_per_person: yes", "units.household.constant_per_person"),
    ],
)
def test_a_column_that_cannot_name_units_is_told_with_its_place(old, new, path) -> None:
    with pytest.raises(DescriptorError) as refused:
        parse(DESCRIPTOR.replace(old, new))
    assert path in [fault.path for fault in refused.value.faults]
