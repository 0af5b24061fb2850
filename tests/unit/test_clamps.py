"""Clamps by group: each cell with its own, all at one price, and what they cannot be."""

from dataclasses import replace
from decimal import Decimal

import pytest
from doubles import FAMILIES, ONE, TOWN, Silence, count, exact_by_hand, query

from privacy.answer import AnswerTable, by_statistic, release, renamed_table, table
from privacy.plan import Plan, plan
from privacy.query import Accuracy, Group, InvalidQuery, Key, Statistic
from privacy.quote import expectation
from privacy.result_columns import key_of

BY_SEX = (Key(column="sex", missing=True),)


def clamped(*clamps: tuple[str, tuple[int, int]], agg: str = "sum", **more: object) -> Statistic:
    return Statistic(name="s", agg=agg, column="age", clamps=clamps, **more)  # type: ignore[arg-type]


def told(planned: Plan, people: list[list[tuple[int, ...]]]) -> AnswerTable:
    return table(planned, release(planned, exact_by_hand(planned, people), Silence()))


def values(made: AnswerTable, name: str = "s") -> list[object]:
    return [*next(column.values for column in made.columns if column.name == name)]


PEOPLE = [[(sex, age, 0, 0)] for sex in (-1, 0, 1, 2) for age in (1, 50, 100)]


def test_each_cell_has_its_own_clamp_and_the_others_the_declared_domain():
    planned = plan(query(clamped(("f", (10, 20)), ("m", (0, 60))), group_by=BY_SEX), TOWN)
    assert values(told(planned, PEOPLE)) == [50, 111, 151, 151]
    planned = plan(query(clamped(("f", (10, 20)), ("*", (0, 60))), group_by=BY_SEX), TOWN)
    assert values(told(planned, PEOPLE)) == [50, 111, 111, 111]
    planned = plan(query(clamped(("null", (10, 20))), group_by=BY_SEX), TOWN)
    assert values(told(planned, PEOPLE)) == [151, 151, 151, 50]


def test_all_clamps_cost_one_price_and_each_cell_has_its_own_scale():
    planned = plan(query(clamped(("f", (10, 20)), ("m", (0, 60))), group_by=BY_SEX), TOWN)
    assert planned.price == ONE
    assert {part.price for part in planned.measurements} == {ONE}
    (value,) = [column for column in told(planned, []).columns if column.name == "s"]
    assert [(one["cells"], one["scale"]) for one in value.about["by_cells"]] == [
        (["f"], "20"),
        (["m"], "60"),
        (["x", None], "120"),
    ]
    assert "disjoint_filters" not in told(planned, []).notes
    assert [(one["cells"], one["half_width"] < 100) for one in expectation(planned)] == [
        (["f"], True),
        (["m"], False),
        (["x", None], False),
    ]


def test_a_person_of_several_rows_is_under_several_clamps():
    planned = plan(query(clamped(("f", (10, 20)), ("*", (0, 60))), group_by=BY_SEX), FAMILIES)
    assert [part.draws[0].mechanism.sensitivity for part in planned.measurements] == [60, 180]
    assert values(told(planned, [[(0, 5, 0, 0), (1, 99, 0, 0)]])) == [10, 60, 0, 0]


@pytest.mark.parametrize("agg", ["mean", "variance", "stddev", "median"])
def test_other_statistics_have_clamps_by_group_too(agg):
    planned = plan(query(clamped(("f", (40, 60)), agg=agg), count(), group_by=BY_SEX), TOWN)
    made = told(planned, PEOPLE)
    assert len(values(made)) == len(values(made, "n")) == 4
    assert {str(part.price) for part in planned.measurements} == {"0.5"}


def test_of_two_keys_the_one_that_has_the_labels():
    keys = (Key(column="age", groups=(Group("young", (1, 50)), Group("old", (100,)))), *BY_SEX)
    planned = plan(query(clamped(("young", (0, 10))), group_by=keys), TOWN)
    assert values(told(planned, PEOPLE)) == [11, 11, 11, 11, 100, 100, 100, 100]


def test_an_accuracy_holds_in_the_widest_clamp():
    asked = Accuracy(of="s", within=1000, confidence=Decimal("0.95"))
    planned = plan(query(clamped(("f", (10, 20)), ("m", (0, 60))), group_by=BY_SEX, budget=asked), TOWN)
    widths = [one["half_width"] for one in expectation(planned)]
    assert 900 < max(widths) <= 1000


def test_other_clamps_are_another_question_and_names_are_not():
    one, other = (
        plan(query(clamped(("f", (10, 20)), ("m", (0, high))), group_by=BY_SEX), TOWN) for high in (60, 70)
    )
    assert one.fingerprint != other.fingerprint
    again = plan(
        query(
            Statistic(name="t", agg="sum", column="age", clamps=(("f", (10, 20)), ("m", (0, 60)))),
            group_by=BY_SEX,
        ),
        TOWN,
    )
    assert again.fingerprint == one.fingerprint
    renamed = renamed_table(told(one, PEOPLE), again)
    assert values(renamed, "t") == [50, 111, 151, 151]
    assert len(renamed.columns) == 4


@pytest.mark.parametrize(
    ("statistic", "changes", "reason"),
    [
        (clamped(("q", (0, 1))), {}, "clamp_of_no_cell"),
        (clamped(("f", (0, 1))), {"group_by": ()}, "clamp_of_no_cell"),
        (clamped(("*", (0, 1))), {"group_by": (*BY_SEX, Key(column="born", by="year"))}, "choose_one"),
        (clamped(("f", (0, 1))), {"totals": True}, "clamps_alone"),
        (clamped(("f", (0, 1)), per_person_clamp=(0, 5)), {}, "choose_one"),
        (clamped(("f", (5, 1))), {}, "not_ascending"),
        (
            clamped(*((str(age), (0, age + 1)) for age in range(21))),
            {"group_by": (Key(column="age"),)},
            "too_many_clamps",
        ),
    ],
)
def test_what_clamps_by_group_cannot_be_is_refused_by_name(statistic, changes, reason):
    with pytest.raises(InvalidQuery) as caught:
        plan(query(statistic, **{"group_by": BY_SEX, **changes}), TOWN)
    assert [one.reason for one in caught.value.problems] == [reason]


def test_a_table_kept_with_the_canonical_text_of_conditions_is_told_again():
    planned = plan(query(clamped(("f", (10, 20)), ("*", (0, 60))), group_by=BY_SEX), TOWN)
    made = told(planned, PEOPLE)
    key = key_of(by_statistic(planned)[0])
    columns = [
        replace(column, about={**column.about, "statistic": key}) if "statistic" in column.about else column
        for column in made.columns
    ]
    kept = replace(made, columns=tuple(columns))
    assert kept != made
    assert renamed_table(kept, planned) == kept
    assert renamed_table(made, planned) == made
