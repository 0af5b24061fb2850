"""Groups of values as keys: what they are read as, what is refused, and what falls out."""

from dataclasses import replace

import pytest
from doubles import AGE, BORN, FAMILIES, INCOME, SEX, TOWN, Silence, exact_by_hand, query, register

from privacy import left_out as values_left_out
from privacy.answer import release, table
from privacy.groups import left_out
from privacy.plan import Plan, plan
from privacy.query import Group, InvalidQuery, Key, Span, Statistic, WorkloadTable
from privacy.schema import Category, Grouping
from privacy.words import Words

GIRLS_AND_BOYS = (Group("children", ("f", "m")),)
BANDS = (Group("0〜4歳", (Span(0, 4),)), Group("old", (Span(100, 120), 99, 7)))
AREAS = Category(
    name="area",
    values=("a", "b", "c"),
    groupings=(
        Grouping(name="school", labels=("east", "west"), intervals=(((0, 0),), ((2, 2),))),
        Grouping(name="police", labels=("all",), intervals=(((0, 2),),)),
    ),
)


def by(column: str, groups: object, **more: object) -> Plan:
    key = Key(column=column, groups=groups, **more)  # type: ignore[arg-type]
    return plan(query(group_by=(key,)), TOWN)


def refused(*keys: Key, schema=TOWN) -> list[tuple[str, str, object]]:
    with pytest.raises(InvalidQuery) as caught:
        plan(query(group_by=keys), schema)
    return [(one.pointer, one.reason, one.expected) for one in caught.value.problems]


@pytest.mark.parametrize("agg", ["count_persons", "count"])
@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (Key(column="area", groups="police box"), "unknown_grouping"),
        (Key(column="area", groups=True), "choose_grouping"),
        (Key(column="age", bins=(5, 3)), "not_ascending"),
        (Key(column="age", by="year"), "not_a_date_column"),
    ],
)
def test_a_refused_key_is_refused_where_persons_have_several_rows_too(key, reason, agg):
    several = register(AREAS, AGE, rows=3)
    with pytest.raises(InvalidQuery) as caught:
        plan(query(Statistic(name="s", agg=agg), group_by=(key,)), several)
    assert [one.reason for one in caught.value.problems] == [reason]


def test_a_person_is_in_one_group_of_a_column_that_is_constant():
    constant = replace(AREAS, constant_per_person=True)
    keys = (Key(column="area", groups="school"),)
    for asked, moves in ((constant, 1), (AREAS, 2)):
        planned = plan(
            query(Statistic(name="s", agg="count_persons"), group_by=keys), register(asked, rows=5)
        )
        assert [draw.mechanism.sensitivity for part in planned.measurements for draw in part.draws] == [moves]


def test_a_group_is_one_cell_of_all_its_values():
    planned = by("age", BANDS, missing=True)
    (axis,) = planned.axes
    assert axis.labels == ("0〜4歳", "old", None)
    assert axis.pieces == [((-1, -1), 2), ((0, 4), 0), ((7, 7), 1), ((99, 120), 1)]
    people = [[(0, age, 0, 0)] for age in (0, 4, 5, 7, 99, 120, -1)]
    (counts,) = exact_by_hand(planned, people).values()
    assert counts.tolist() == [2, 3, 1]


def test_values_in_no_group_are_named_in_answer_and_quote():
    planned = by("sex", GIRLS_AND_BOYS)
    (axis,) = planned.axes
    assert left_out(SEX, axis) == ["x"]
    (said,) = values_left_out.notes(planned)
    assert said["code"] == "values_left_out"
    assert "sex: x" in said["text"]
    assert "sex: x" in said["text_ja"]
    made = table(planned, release(planned, exact_by_hand(planned, []), Silence()))
    assert said in made.annotations()["notes"]
    assert made.columns[0].about["left_out"] == ["x"]


def test_where_no_value_falls_out_nothing_is_said():
    assert values_left_out.notes(by("sex", (Group("all", ("f", "m", "x")),))) == []


def table_notes(planned: Plan) -> tuple[str, ...]:
    return table(planned, release(planned, exact_by_hand(planned, []), Silence())).notes


def test_what_falls_out_of_ranges_is_told_as_ranges():
    (axis,) = by("age", BANDS).axes
    assert left_out(AGE, axis) == ["5 … 6", "8 … 98"]
    (axis,) = by("income", (Group("low", (Span(-2, 0),)),)).axes
    assert left_out(INCOME, axis) == ["-2.5", "0.5 … 10.0"]
    (axis,) = by("born", (Group("d", (Span("1969-09-23", "1970-07-19"),)),)).axes
    assert left_out(BORN, axis) == ["1970-07-20"]


def test_many_values_that_fall_out_are_counted():
    wide = Category(name="town", values=tuple(f"t{place}" for place in range(100)))
    key = Key(column="town", groups=(Group("one", ("t7",)),))
    (axis,) = plan(query(group_by=(key,)), register(wide)).axes
    assert left_out(wide, axis) == [*(f"t{place}" for place in (*range(7), *range(8, 21))), "… (99)"]


def test_groups_have_margins_and_stand_in_workloads():
    key = Key(column="sex", groups=GIRLS_AND_BOYS)
    assert plan(query(group_by=(key,), totals=True), TOWN).cells == 2
    tables = (WorkloadTable(name="a", group_by=(key,)), WorkloadTable(name="b", group_by=()))
    planned = plan(query(tables=tables), TOWN)
    # In the table without the key everybody counts, so a bucket for the rest is measured as well.
    assert (planned.cells, planned.axes[0].size) == (2, 2)


@pytest.mark.parametrize(
    ("groups", "problem"),
    [
        ((Group("a", ("f",)), Group("b", ("m", "f"))), ("/b", "overlapping_groups", "a, b")),
        ((Group("a/~", ("q",)),), ("/a~1~0/0", "undeclared_value", Words(ja="f, m, x", en="f, m, x"))),
        ((Group("a", ()),), ("/a", "empty_group", None)),
        ((), ("", "too_many_groups", 1_000)),
        (tuple(Group(f"g{place}", ("f",)) for place in range(1_001)), ("", "too_many_groups", 1_000)),
        ((Group("a", ("f",) * 10_001),), ("", "too_many_group_values", 10_000)),
        ((Group("a", (Span("f", "m"),)),), ("/a/0", "no_order", None)),
        ((Group("a\n", ("f",)),), ("/a\n", "bad_label", 200)),
        ((Group(" a", ("f",)),), ("/ a", "bad_label", 200)),
        ((Group("", ("f",)),), ("/", "bad_label", 200)),
        ("school", ("", "no_groupings", None)),
        (True, ("", "no_groupings", None)),
    ],
)
def test_what_is_no_grouping_is_refused_by_name(groups, problem):
    where, reason, expected = problem
    assert refused(Key(column="sex", groups=groups)) == [(f"/group_by/0/groups{where}", reason, expected)]


@pytest.mark.parametrize(
    ("groups", "pointer", "reason"),
    [
        ((Group("a", (Span(0, 5),)), Group("b", (Span(5, 9),))), "/b", "overlapping_groups"),
        ((Group("a", (3,)), Group("b", (Span(0, 9),))), "/b", "overlapping_groups"),
        ((Group("a", (Span(5, 4),)),), "/a/0", "not_ascending"),
        ((Group("a", (Span(0, 121),)),), "/a/0/to", "outside_domain"),
        ((Group("a", ("x",)),), "/a/0", "not_a_number"),
    ],
)
def test_ranges_are_held_against_the_domain(groups, pointer, reason):
    ((found, why, _),) = refused(Key(column="age", groups=groups))
    assert (found, why) == (f"/group_by/0/groups{pointer}", reason)


def test_a_long_range_overlaps_whatever_stands_inside():
    groups = (Group("a", (Span(0, 100),)), Group("b", (Span(5, 9),)), Group("c", (50,)))
    assert [pointer[-1] for pointer, _, _ in refused(Key(column="age", groups=groups))] == ["b", "c"]


def test_one_way_to_cut_a_key():
    key = Key(column="age", groups=BANDS, bins=(0, 9))
    assert refused(key) == [("/group_by/0", "choose_one", "groups, bins, by")]


def test_declared_groups_are_asked_for_by_name():
    schema = register(AREAS)
    asked = plan(query(group_by=(Key(column="area", groups="school"),)), schema)
    assert asked.axes[0].labels == ("east", "west")
    written = (Group("east", ("a",)), Group("west", ("c",)))
    assert (
        plan(query(group_by=(Key(column="area", groups=written),)), schema).fingerprint == asked.fingerprint
    )
    assert refused(Key(column="area", groups=True), schema=schema) == [
        ("/group_by/0/groups", "choose_grouping", "school, police")
    ]
    assert refused(Key(column="area", groups="ward"), schema=schema) == [
        ("/group_by/0/groups", "unknown_grouping", "school, police")
    ]
    only = register(Category(name="area", values=AREAS.values, groupings=AREAS.groupings[:1]))
    assert plan(query(group_by=(Key(column="area", groups=True),)), only).axes[0].labels == ("east", "west")


def test_groups_of_another_name_are_another_question():
    one, other = by("sex", (Group("a", ("f",)),)), by("sex", (Group("b", ("f",)),))
    # An answer is told again under the labels it was made with.
    assert one.fingerprint != other.fingerprint


def test_persons_in_two_values_of_a_group_are_counted_once():
    key = Key(column="sex", groups=(Group("all", ("f", "m", "x")),))
    planned = plan(query(Statistic(name="n", agg="count_persons"), group_by=(key,)), FAMILIES)
    people = [[(0, 1, 0, 0), (1, 1, 0, 0)], [(2, 1, 0, 0)]]
    (found,) = exact_by_hand(planned, people).values()
    assert found.tolist() == [2]


def test_margins_count_only_rows_that_every_key_has_a_cell_for():
    keys = (Key(column="age", bins=(0, 10)), Key(column="sex"))
    planned = plan(query(group_by=keys, totals=True), TOWN)
    age = [term for term in planned.filter.terms if term.column == planned.axes[0].column]
    assert [term.intervals for term in age] == [((0, 10),)]
