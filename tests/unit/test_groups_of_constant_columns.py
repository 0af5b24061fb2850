"""Groups of a column that is constant per person: a person stands in one of them."""

from doubles import everybody, moved, query, register

from privacy.plan import plan
from privacy.query import Group, Key, Statistic
from privacy.schema import Category

HOME = Category(name="home", values=("a", "b", "c"), constant_per_person=True)
GROUPS = (Group("ends", ("a", "c")), Group("middle", ("b",)))


def test_persons_by_groups_of_a_constant_column_are_noised_for_one_cell():
    asked = query(
        Statistic(name="n", agg="count_persons"),
        group_by=(Key(column="home", groups=GROUPS),),
        totals=True,
    )
    planned = plan(asked, register(HOME, rows=3))
    for part in planned.measurements:
        assert {draw.mechanism.sensitivity for draw in part.draws} == {1}
    for person in everybody(planned.schema):
        assert max(moved(planned, [], [person])) <= 1
