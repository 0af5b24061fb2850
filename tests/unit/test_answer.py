"""Answers: what becomes of released integers, and nothing else."""

import json
import math
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from doubles import FAMILIES, TOWN, Silence, count, crowds, exact_by_hand, queries, query, register, schemas
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_noise import RecordedNoise

from privacy.answer import AnswerTable, release, renamed_table, table
from privacy.budget import Price
from privacy.plan import Plan, plan
from privacy.query import Compare, Key, Query, Statistic, WorkloadTable
from privacy.quote import expectation
from privacy.result_columns import AnswerColumn
from privacy.schema import Number

SMALL = settings(deadline=None, derandomize=True, max_examples=30)
BY_SEX = (Key(column="sex"),)
INCOME = Statistic(name="pay", agg="mean", column="income")


def rendered(asked: Query, *released: list[int]) -> AnswerTable:
    """A table made from released integers, several of one component a statistic after each other."""
    planned = plan(asked, TOWN)
    arrays = [
        np.array(cells).reshape(len(part.estimator.components), -1)
        for part, cells in zip(planned.measurements, released, strict=True)
    ]
    return table(planned, tuple(arrays))


def column(made: AnswerTable, name: str) -> tuple[object, ...]:
    return next(tuple(column.values) for column in made.columns if column.name == name)


def width(planned: Plan, place: int = 0) -> int:
    return planned.measurements[place].distributions[0].half_width(0.95)


def test_every_cell_is_told_with_its_keys_in_declared_order() -> None:
    made = rendered(query(group_by=(*BY_SEX, Key(column="age", bins=(0, 20, 120)))), [1, 2, 3, 4, 5, 6])
    assert column(made, "sex") == ("f", "f", "m", "m", "x", "x")
    assert column(made, "age") == ("[0,20)", "[20,120]") * 3
    assert column(made, "n") == (1, 2, 3, 4, 5, 6)


def test_the_cell_of_missing_values_is_the_last_and_its_key_is_null() -> None:
    made = rendered(query(group_by=(Key(column="sex", missing=True),)), [1, 2, 3, 4])
    assert column(made, "sex") == ("f", "m", "x", None)


def test_bounds_lie_evenly_around_a_count_which_may_be_negative() -> None:
    made = rendered(query(), [-7])
    reach = width(plan(query(), TOWN))
    assert [column(made, name) for name in ("n", "n_low", "n_high")] == [(-7,), (-7 - reach,), (-7 + reach,)]


def test_a_sum_is_told_in_units_of_its_column() -> None:
    made = rendered(query(Statistic(name="s", agg="sum", column="income")), [7])
    assert column(made, "s") == (3.5,)
    assert [about.about["unit"] for about in made.columns] == ["JPY"] * 3


@pytest.mark.parametrize(
    ("above", "below", "mean"), [(15, 5, 6.875), (0, 9, -2.5), (9, 0, 10), (1, 2, 1.66665)]
)
def test_a_mean_divides_the_span_in_proportion_to_the_two_sums(above: int, below: int, mean: float) -> None:
    made = rendered(query(INCOME), [above, below])
    assert column(made, "pay") == (mean,)
    assert column(made, "pay_from_low") == (above / 2,)
    assert column(made, "pay_to_high") == (below / 2,)


@pytest.mark.parametrize(
    ("above", "below", "mean"), [(-3, 20, -2.5), (20, -3, 10), (-4, 2, 3.75), (0, 0, 3.75)]
)
def test_a_mean_stays_inside_its_clamps_whatever_the_noise(above: int, below: int, mean: float) -> None:
    assert column(rendered(query(INCOME), [above, below]), "pay") == (mean,)


def test_bounds_of_a_mean_round_outwards() -> None:
    made = rendered(query(INCOME), [1_000, 3_000])
    low, mean, high = (column(made, name)[0] for name in ("pay_low", "pay", "pay_high"))
    assert low < mean < high  # type: ignore[operator]
    assert all(Fraction(str(end)) * 20_000 % 1 == 0 for end in (low, high))


def test_notes_follow_from_the_question_alone() -> None:
    assert rendered(query(), [1]).notes == ("may_be_negative", "bounds_per_cell")
    assert rendered(query(INCOME), [1, 1]).notes == ("bounds_per_cell", "mean_from_sums")
    assert rendered(query(mode="dummy"), [1]).notes[-1] == "dummy_data"
    assert answered(query(RICH["variance"])).notes == ("bounds_per_cell", "variance_from_sums")
    assert answered(query(RICH["ratio"])).notes == ("bounds_per_cell", "ratio_from_counts")
    assert "quantile_ranks" in answered(query(RICH["median"])).notes
    assert "narrower_bound" in answered(query(rows_per_person=2)).notes
    assert answered(query(group_by=BY_SEX, totals=True)).notes == (
        "may_be_negative",
        "bounds_per_cell",
        "totals",
    )
    whole = answered(query(group_by=BY_SEX, totals=True, whole=True))
    assert whole.notes == ("bounds_per_cell", "totals", "whole_numbers")
    assert whole.postprocessing == ("weighted_least_squares", "non_negative_integers")
    assert rendered(query(INCOME), [1, 1]).postprocessing == ("mean_from_sums",)


@SMALL
@given(st.data())
def test_json_reads_back_as_the_same_table(data) -> None:
    schema = data.draw(schemas())
    planned = plan(data.draw(queries(schema)), schema)
    made = table(planned, release(planned, exact_by_hand(planned, data.draw(crowds(schema))), Silence()))
    written = made.as_json()
    assert AnswerTable.from_json(json.loads(written)) == made
    assert len(json.loads(written)["rows"]) == planned.cells
    assert written == dumped(made)


def dumped(made: AnswerTable) -> bytes:
    """The table as the standard library writes it, a dict a row."""
    names = [column.name for column in made.columns]
    rows = zip(*(column.values for column in made.columns), strict=True)
    whole = {
        "columns": [column.description() for column in made.columns],
        "rows": [dict(zip(names, row, strict=True)) for row in rows],
        **made.annotations(),
    }
    return json.dumps(whole, ensure_ascii=False, allow_nan=False).encode()


def test_json_is_written_as_the_standard_library_writes_it_whatever_stands_in_a_column() -> None:
    columns = {
        "100 % 件数": [1, -(10**30), None],
        'quoted "name" %s\\': ["a, b", "é\u2028\n", None],
        "mixed": [1, 1.0, "1"],
        "fractions": [0.1, -0.0, 1e-300],
        "empty": [None, None, None],
    }
    made = AnswerTable(
        columns=tuple(
            AnswerColumn(name=name, role="value", values=values, about={"unit": "%"})
            for name, values in columns.items()
        ),
        notes=("totals",),
        postprocessing=("mean_from_sums",),
    )
    assert made.as_json() == dumped(made)
    none = replace(made, columns=tuple(replace(column, values=[]) for column in made.columns))
    assert none.as_json() == dumped(none)


def test_what_is_no_number_is_never_written() -> None:
    column = AnswerColumn(name="n", role="value", values=[1, math.nan], about={})
    with pytest.raises(ValueError, match="JSON compliant"):
        AnswerTable(columns=(column,), notes=(), postprocessing=()).as_json()


@SMALL
@given(st.data())
def test_without_noise_an_answer_is_exact(data) -> None:
    schema = data.draw(schemas())
    asked = query(count(), Statistic(name="p", agg="count_persons"))
    planned = plan(asked, schema)
    people = data.draw(crowds(schema))
    made = table(planned, release(planned, exact_by_hand(planned, people), Silence()))
    assert column(made, "n") == (sum(map(len, people)),)
    assert column(made, "p") == (len(people),)


def test_every_statistic_gets_its_own_noise_at_its_own_price() -> None:
    asked = query(count("n"), INCOME, count("m"), weights={"n": Fraction(2)}, group_by=BY_SEX)
    planned, noise = plan(asked, FAMILIES), RecordedNoise(source=Silence())
    release(planned, exact_by_hand(planned, []), noise)
    drawn = [(draw.mechanism.sensitivity, str(draw.mechanism.price), len(draw.exact)) for draw in noise.draws]
    assert drawn == [(3, "0.5", 3), (75, "0.25", 6), (3, "0.25", 3)]


# Telling again


BOTH = query(count("n"), INCOME, group_by=BY_SEX)


def test_an_answer_is_told_again_under_other_names_and_in_another_order() -> None:
    first = rendered(BOTH, [1, 2, 3], [10, 20, 30, 40, 50, 60])
    renamed = replace(BOTH, select=(replace(INCOME, name="mean_income"), count("people")))
    again = renamed_table(first, plan(renamed, TOWN))
    assert again == rendered(renamed, [10, 20, 30, 40, 50, 60], [1, 2, 3])


def test_an_answer_told_again_under_its_own_names_is_the_same() -> None:
    first = rendered(BOTH, [1, 2, 3], [10, 20, 30, 40, 50, 60])
    assert renamed_table(first, plan(BOTH, TOWN)) == first


def test_names_that_begin_alike_are_not_confused() -> None:
    asked = query(count("n"), Statistic(name="n_", agg="sum", column="age"))
    first = rendered(asked, [1], [2])
    assert renamed_table(first, plan(asked, TOWN)) == first


def test_of_two_equal_statistics_the_more_exact_is_told_again() -> None:
    first = rendered(query(count("rough"), count("fine"), weights={"fine": Fraction(9)}), [111], [222])
    again = renamed_table(first, plan(query(count("n"), budget=Price.parse("0.9")), TOWN))
    assert column(again, "n") == (222,)


YOUNG = Compare(column="age", op="<", values=(20,))
KNOWN = Compare(column="sex", op="!=", values=("x",))
RICH = {
    "variance": Statistic(name="s", agg="variance", column="age"),
    "stddev": Statistic(name="s", agg="stddev", column="income"),
    "ratio": Statistic(
        name="s", agg="ratio", numerator=YOUNG, denominator=Compare(column="sex", op="!=", values=("x",))
    ),
    "share": Statistic(name="s", agg="ratio", numerator=YOUNG),
    "median": Statistic(name="s", agg="median", column="born"),
    "bounded median": Statistic(name="s", agg="median", column="age", value_bounds=True),
    "quantiles": Statistic(name="s", agg="quantile", column="age", q=(Decimal("0.1"), Decimal("0.975"))),
    "one quantile": Statistic(name="s", agg="quantile", column="age", q=(Decimal("0.25"),)),
    "clamped sum": Statistic(name="s", agg="sum", column="income", per_person_clamp=(0, 30)),
    "share kept": Statistic(name="s", agg="share_kept"),
}
PEOPLE = [
    [(place % 3, 7 * place % 120, place % 20, 11 * place % 200)] * (1 + place % 3) for place in range(50)
]


def answered(asked: Query) -> AnswerTable:
    planned = plan(asked, FAMILIES)
    return table(planned, release(planned, exact_by_hand(planned, PEOPLE), Silence()))


@pytest.mark.parametrize("statistic", RICH.values(), ids=RICH)
@pytest.mark.parametrize("group_by", [(), BY_SEX], ids=["alone", "grouped"])
def test_every_statistic_is_told_again_with_its_bounds_and_raw_numbers_renamed(statistic, group_by) -> None:
    before = query(count("n"), statistic, group_by=group_by, rows_per_person=2)
    after = replace(before, select=(replace(statistic, name="other"), count("s")))
    again = renamed_table(answered(before), plan(after, FAMILIES))
    assert again == answered(after)
    assert [column.description() for column in again.columns] == [
        column.description() for column in answered(after).columns
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"group_by": (*BY_SEX, Key(column="age", bins=(0, 20, 120))), "totals": True},
        {"group_by": BY_SEX, "totals": True, "whole": True},
        {"tables": (WorkloadTable(name="a", group_by=BY_SEX), WorkloadTable(name="b", group_by=()))},
    ],
    ids=["totals", "whole", "tables"],
)
def test_margins_and_workloads_are_told_again_with_their_noisy_numbers_renamed(changes) -> None:
    before = query(count("n"), RICH["variance"], **changes)
    after = replace(before, select=(replace(RICH["variance"], name="n"), count("people")))
    again, fresh = renamed_table(answered(before), plan(after, FAMILIES)), answered(after)
    assert (again.columns, again.notes) == (fresh.columns, fresh.notes)
    assert set(again.postprocessing) == set(fresh.postprocessing)


# What to expect


def test_the_error_to_expect_of_counts_and_sums_is_that_of_their_bounds() -> None:
    planned = plan(query(count(), Statistic(name="s", agg="sum", column="income")), FAMILIES)
    expected = [about["half_width"] for about in expectation(planned)]
    assert expected == [width(planned, 0), width(planned, 1) / 2]


def test_the_error_to_expect_of_a_mean_falls_with_the_rows_of_its_cell() -> None:
    widths = [line["half_width"] for line in expectation(plan(query(INCOME), TOWN))[0]["half_width_by_rows"]]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == len(widths)


def test_large_steps_keep_whole_numbers_whole() -> None:
    pay = register(Number(name="pay", low=0, high=100, step=Decimal(100_000)))
    planned = plan(query(Statistic(name="m", agg="mean", column="pay")), pay)
    made = table(planned, (np.array([[10_000], [30_000]]),))
    assert column(made, "m") == (2_500_000,)
