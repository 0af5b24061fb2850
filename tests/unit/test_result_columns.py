"""What quotes expect and say, and how notes and columns describe themselves."""

from decimal import Decimal
from typing import Any

import pytest
from doubles import AGE, FAMILIES, INCOME, SEX, TOWN, Silence, count, exact_by_hand, query, register, schemas
from doubles import queries as any_query
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.answer import AnswerTable, release, table
from privacy.budget import Price
from privacy.notes import NOTES
from privacy.plan import Plan, plan
from privacy.query import Compare, Key, Statistic, WorkloadTable
from privacy.quote import SIZES, expectation, narrower_bound, strategy_comparison

SMALL = settings(deadline=None, derandomize=True, max_examples=25)
ZCDP = register(SEX, AGE, INCOME, rows=3, measure="zcdp")
BY_SEX = (Key(column="sex"),)
AGES = (Key(column="age", bins=(0, 20, 65, 120)),)
MEDIAN = Statistic(name="m", agg="median", column="age")


def rendered(planned: Plan) -> AnswerTable:
    return table(planned, release(planned, exact_by_hand(planned, []), Silence()))


def expected(planned: Plan) -> dict[str, Any]:
    (only,) = expectation(planned)
    return only


def test_a_quote_expects_of_a_count_the_half_width_of_its_bounds() -> None:
    planned = plan(query(), FAMILIES)
    bounds = {column.name: column.values[0] for column in rendered(planned).columns}
    assert expected(planned) == {"of": "n", "confidence": 0.95, "half_width": bounds["n_high"] - bounds["n"]}


@pytest.mark.parametrize("agg", ["mean", "variance", "stddev"])
def test_a_quote_expects_for_a_few_sizes_what_depends_on_the_rows(agg: str) -> None:
    asked = query(Statistic(name="s", agg=agg, column="age"))
    widths = expected(plan(asked, TOWN))["half_width_by_rows"]
    assert [line["rows"] for line in widths] == list(SIZES)
    assert [line["half_width"] for line in widths] == sorted(
        (line["half_width"] for line in widths), reverse=True
    )


@pytest.mark.parametrize("value_bounds", [False, True])
def test_a_quote_expects_of_a_quantile_the_rows_in_between_as_the_answer_will_tell(
    value_bounds: bool,
) -> None:
    asked = query(Statistic(name="m", agg="median", column="age", value_bounds=value_bounds))
    planned = plan(asked, TOWN)
    about = rendered(planned).columns[0].about
    assert expected(planned)["within_rows"] == about["within_rows"] > 0
    assert expected(planned)["method"] == about["mechanism"]
    assert expected(planned)["resolution"] == about["resolution"] == 1


def test_a_median_of_dates_has_a_resolution_of_days() -> None:
    planned = plan(query(Statistic(name="m", agg="median", column="born")), TOWN)
    assert expected(planned)["resolution"] == rendered(planned).columns[0].about["resolution"] == "1 d"


# zCDP


def test_under_zcdp_a_quote_compares_the_mechanisms_and_uses_the_narrower() -> None:
    line = expected(plan(query(), ZCDP))
    widths = line["half_width_by_mechanism"]
    assert line["mechanism"] == "discrete_gaussian" == min(widths, key=widths.get)
    assert line["half_width"] == widths["discrete_gaussian"] < widths["discrete_laplace"]
    assert "3 in L1" in line["why"]
    assert "root of 9 in L2" in line["why"].replace("  ", " ")


def test_who_insists_on_laplace_noise_gets_it_at_its_own_width() -> None:
    line = expected(plan(query(mechanism="discrete_laplace"), ZCDP))
    assert line["mechanism"] == "discrete_laplace"
    assert line["half_width"] == line["half_width_by_mechanism"]["discrete_laplace"]


def test_widths_by_mechanism_are_in_units() -> None:
    steps, units = (
        expected(plan(query(Statistic(name="s", agg="sum", column=column)), ZCDP))["half_width_by_mechanism"]
        for column in ("age", "income")
    )
    assert all(Decimal(str(width)) * 2 % 1 == 0 for width in units.values())
    assert steps["discrete_gaussian"] == pytest.approx(120 / 10 * units["discrete_gaussian"], rel=0.01)


def test_a_pure_quote_knows_one_mechanism_and_does_not_speak_of_it() -> None:
    assert "mechanism" not in expected(plan(query(), TOWN))


def test_a_price_is_told_by_the_name_of_its_measure() -> None:
    pure, zcdp = (rendered(plan(query(), schema)).columns[0].about for schema in (TOWN, ZCDP))
    assert (pure["epsilon"], "rho" in pure) == ("1", False)
    assert (zcdp["rho"], "epsilon" in zcdp) == ("1", False)
    assert pure["mechanism"] == "discrete_laplace"
    assert float(zcdp["scale"]) == pytest.approx(3 / 2**0.5)


# Several tables


def test_a_quote_tells_what_is_measured_at_which_share_and_what_other_ways_would_err() -> None:
    planned = plan(query(group_by=(*BY_SEX, *AGES), totals=True), TOWN)
    quoted = strategy_comparison(planned)["strategy"]
    shares = [Decimal(line["share"]) for line in quoted["measured"]]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    errors = quoted["total_squared_error"]
    assert errors["chosen"] == 1
    assert set(errors) == {"chosen", "each_table_alone", "each_table_alone_best_split", "one_common_table"}
    assert min(error for error in errors.values() if error is not None) >= 0.998
    assert {"text", "text_ja"} <= set(quoted)


def test_a_single_table_has_no_strategy() -> None:
    assert strategy_comparison(plan(query(group_by=BY_SEX), TOWN)) == {}


def test_a_quote_expects_an_error_in_every_table() -> None:
    tables = WorkloadTable(name="a", group_by=BY_SEX), WorkloadTable(name="b", group_by=AGES)
    planned = plan(query(tables=tables), TOWN)
    lines = expected(planned)["tables"]
    assert [line["keys"] for line in lines] == [["sex"], ["age"]]
    made = rendered(planned)
    column = {one.name: one.values for one in made.columns}
    for line, place in zip(lines, (0, 3), strict=True):
        reach = (column["n_high"][place] - column["n_low"][place]) / 2
        assert line["half_width"] == pytest.approx(reach, abs=1)


# A narrower bound


def test_a_quote_says_what_a_narrower_bound_means() -> None:
    quoted = narrower_bound(plan(query(rows_per_person=2), FAMILIES))["rows_per_person"]
    assert (quoted["dataset"], quoted["asked"]) == (3, 2)
    assert "1.5 times narrower" in quoted["text"]
    assert "share_kept" in quoted["text_ja"]
    assert narrower_bound(plan(query(), FAMILIES)) == {}


@pytest.mark.parametrize(
    ("asked", "keys", "measure", "times"),
    [
        (count(), (), "pure", "3"),
        (Statistic(name="p", agg="count_persons"), BY_SEX, "pure", "3"),
        (Statistic(name="p", agg="count_persons"), (), "pure", "1"),
        (Statistic(name="p", agg="count_persons"), BY_SEX, "zcdp", "1.73"),
    ],
)
def test_one_row_a_person_is_no_loss_where_persons_are_counted(
    asked: Statistic, keys: tuple[Key, ...], measure: str, times: str
) -> None:
    schema = FAMILIES if measure == "pure" else ZCDP
    told = narrower_bound(plan(query(asked, group_by=keys, rows_per_person=1), schema))["rows_per_person"]
    assert f"noise is {times} times narrower" in told["text"]
    assert "pull" not in told["text"]
    assert "人数" in told["text_ja"]


def test_the_datasets_own_bound_needs_no_words() -> None:
    assert narrower_bound(plan(query(rows_per_person=3), FAMILIES)) == {}
    assert narrower_bound(plan(query(), FAMILIES)) == {}


def test_a_narrower_bound_narrows_the_noise_as_said() -> None:
    whole, one = (expected(plan(query(rows_per_person=rows), FAMILIES))["half_width"] for rows in (3, 1))
    assert one < whole


# Everything


@SMALL
@given(st.data())
def test_every_question_can_be_quoted_and_told_with_notes_that_have_words(data) -> None:
    schema = data.draw(schemas())
    planned = plan(data.draw(any_query(schema)), schema)
    assert [line["of"] for line in expectation(planned)] == [one.name for one in planned.query.select]
    made = rendered(planned)
    assert set(made.notes) <= set(NOTES)
    assert {len(column.values) for column in made.columns} == {planned.cells}
    names = [column.name for column in made.columns]
    assert len(set(names)) == len(names)


def test_the_answer_tells_the_scale_of_its_noise_in_units() -> None:
    asked = query(Statistic(name="s", agg="sum", column="income"), budget=Price.parse("2"))
    columns = {column.name: column.about for column in rendered(plan(asked, TOWN)).columns}
    assert columns["s"]["scale"] == "5"  # 20 steps of 0.5 at ε 2
    ratio = Statistic(name="r", agg="ratio", numerator=Compare(column="sex", op="=", values=("f",)))
    assert rendered(plan(query(ratio), FAMILIES)).columns[0].about["scale"] == "3"


def test_counts_are_the_only_columns_that_may_be_negative() -> None:
    assert "may_be_negative" in rendered(plan(query(count()), TOWN)).notes
    assert "may_be_negative" not in rendered(plan(query(MEDIAN), TOWN)).notes
