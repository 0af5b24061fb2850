"""What a told answer is worth, and which answers are the same, where statistics have clamps by group."""

import pytest
from doubles import TOWN, CountingNoise, exact_by_hand, query

from privacy.answer import release, renamed_table, table
from privacy.plan import Plan, plan
from privacy.query import Compare, Key, Statistic

BY_SEX = (Key(column="sex"),)


def summed(name: str, **more: object) -> Statistic:
    return Statistic(name=name, agg="sum", column="age", **more)  # type: ignore[arg-type]


CLAMPED = summed("s", clamps=(("f", (10, 20)), ("*", (0, 60))))
OTHERWISE = summed("s", clamps=(("f", (10, 20)), ("*", (0, 70))))
OF_F = summed("t", clamp=(10, 20), where=Compare(column="sex", op="=", values=("f",)))
OF_OTHERS = summed("u", clamp=(0, 60), where=Compare(column="sex", op="in", values=("m", "x")))


def planned(*select: Statistic) -> Plan:
    return plan(query(*select, group_by=BY_SEX), TOWN)


def test_a_statistic_that_equals_a_part_of_another_is_told_and_so_is_paid_for():
    both = planned(CLAMPED, OF_F)
    told = renamed_table(table(both, release(both, exact_by_hand(both, []), CountingNoise())), both)
    # Two draws of independent noise around the same sum of f are told.
    shown = {column.name: column.values[0] for column in told.columns if column.role == "value"}
    assert shown["s"] != shown["t"]
    assert both.worth(both.prices) == both.price


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((CLAMPED,), (CLAMPED, OF_F)),
        ((CLAMPED,), (OF_F, OF_OTHERS)),
        ((CLAMPED, summed("v", clamps=(("f", (0, 5)), ("*", (0, 9))))),
         (summed("s", clamps=(("f", (10, 20)), ("*", (0, 9)))), summed("v", clamps=(("f", (0, 5)), ("*", (0, 60)))))),
        ((CLAMPED, OTHERWISE), (CLAMPED, OTHERWISE)),
    ],
)  # fmt: skip
def test_questions_of_one_fingerprint_can_be_told_each_others_answers(first, second):
    second = tuple(
        Statistic(**{**{name: getattr(one, name) for name in one.__slots__}, "name": f"x{place}"})
        for place, one in enumerate(second)
    )
    first = tuple(
        Statistic(**{**{name: getattr(one, name) for name in one.__slots__}, "name": f"y{place}"})
        for place, one in enumerate(first)
    )
    earlier, later = planned(*first), planned(*second)
    made = table(earlier, release(earlier, exact_by_hand(earlier, []), CountingNoise()))
    if earlier.fingerprint == later.fingerprint:
        assert len(renamed_table(made, later).columns) == 1 + 3 * len(second)
