"""The cells of a table: bins, declared values, and the periods of the calendar."""

from datetime import date, timedelta

import pytest
from doubles import AGE, TOWN, query, register
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.axes import CELLS_MAX, periods
from privacy.plan import plan
from privacy.query import CALENDAR, Key
from privacy.schema import Date, day_number, day_of

SMALL = settings(deadline=None, derandomize=True, max_examples=60)
DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))


def dates(first: str, last: str) -> Date:
    return Date(
        name="d", low=day_number(date.fromisoformat(first)), high=day_number(date.fromisoformat(last))
    )


def shown(column: Date, by: str) -> list[tuple[str, str, str]]:
    """First day, last day and name of each period."""
    return [
        (day_of(low).isoformat(), day_of(high).isoformat(), name) for (low, high), name in periods(column, by)
    ]


# Bins and values


def test_bins_cover_from_the_first_edge_to_the_last_which_is_inside() -> None:
    axis = plan(query(group_by=(Key(column="age", bins=(0, 20, 65, 120), missing=True),)), TOWN).axes[0]
    assert axis.buckets == ((0, 19), (20, 64), (65, 120), (-1, -1))
    assert axis.labels == ("[0,20)", "[20,65)", "[65,120]", None)


def test_an_edge_one_step_above_the_domain_closes_the_last_bin_at_the_domain() -> None:
    assert plan(query(group_by=(Key(column="age", bins=(100, 121)),)), TOWN).axes[0].buckets == ((100, 120),)


def test_a_key_without_bins_has_every_declared_value_in_order() -> None:
    assert plan(query(group_by=(Key(column="sex"),)), TOWN).axes[0].labels == ("f", "m", "x")
    assert plan(query(group_by=(Key(column="born"),)), TOWN).axes[0].labels[100] == "1970-01-01"


def test_dates_may_be_binned_by_edges_too() -> None:
    axis = plan(
        query(group_by=(Key(column="born", bins=("1970-01-01", "1970-02-01", "1970-03-01")),)), TOWN
    ).axes[0]
    assert axis.buckets == ((0, 30), (31, 59))
    assert axis.labels == ("[1970-01-01,1970-02-01)", "[1970-02-01,1970-03-01]")


# The calendar


def test_years_run_from_january_and_the_first_and_the_last_are_cut_to_the_domain() -> None:
    assert shown(dates("2023-11-30", "2025-02-01"), "year") == [
        ("2023-11-30", "2023-12-31", "2023"),
        ("2024-01-01", "2024-12-31", "2024"),
        ("2025-01-01", "2025-02-01", "2025"),
    ]


def test_fiscal_years_run_from_april() -> None:
    assert shown(dates("2024-03-31", "2026-04-01"), "fiscal_year") == [
        ("2024-03-31", "2024-03-31", "FY2023"),
        ("2024-04-01", "2025-03-31", "FY2024"),
        ("2025-04-01", "2026-03-31", "FY2025"),
        ("2026-04-01", "2026-04-01", "FY2026"),
    ]


def test_quarters_are_those_of_the_calendar() -> None:
    assert shown(dates("2024-02-15", "2025-01-01"), "quarter") == [
        ("2024-02-15", "2024-03-31", "2024-Q1"),
        ("2024-04-01", "2024-06-30", "2024-Q2"),
        ("2024-07-01", "2024-09-30", "2024-Q3"),
        ("2024-10-01", "2024-12-31", "2024-Q4"),
        ("2025-01-01", "2025-01-01", "2025-Q1"),
    ]


def test_months_know_leap_years() -> None:
    february = [line for line in shown(dates("2023-01-01", "2024-12-31"), "month") if "-02" in line[2]]
    assert february == [("2023-02-01", "2023-02-28", "2023-02"), ("2024-02-01", "2024-02-29", "2024-02")]
    assert shown(dates("2000-02-29", "2000-02-29"), "month") == [("2000-02-29", "2000-02-29", "2000-02")]
    assert shown(dates("1900-02-28", "1900-03-01"), "month")[0][1] == "1900-02-28"


@SMALL
@given(DAYS, st.integers(0, 2_000), st.sampled_from(CALENDAR))
def test_every_day_lies_in_exactly_one_period_and_that_has_its_name(first: date, days: int, by: str) -> None:
    column = Date(name="d", low=day_number(first), high=day_number(first + timedelta(days=days)))
    found = periods(column, by)
    assert [low for (low, _), _ in found] == [column.low, *(high + 1 for (_, high), _ in found[:-1])]
    assert found[-1][0][1] == column.high
    assert len({name for _, name in found}) == len(found)
    for (low, high), name in found:
        for day in (day_of(low), day_of((low + high) // 2), day_of(high)):
            assert name == named(day, by)


def named(day: date, by: str) -> str:
    """The period of a day, said another way."""
    return {
        "year": f"{day:%Y}",
        "fiscal_year": f"FY{day.year - (day < date(day.year, 4, 1))}",
        "quarter": f"{day:%Y}-Q{-(-day.month // 3)}",
        "month": f"{day:%Y-%m}",
    }[by]


@pytest.mark.parametrize("by", CALENDAR)
def test_the_ends_of_the_calendar_itself_are_no_obstacle(by: str) -> None:
    whole = dates("0001-01-01", "9999-12-31")
    found = periods(whole, by)
    assert (found[0][0][0], found[-1][0][1]) == (whole.low, whole.high)


def test_periods_have_a_cell_for_missing_dates_on_request() -> None:
    axis = plan(query(group_by=(Key(column="born", by="year", missing=True),)), TOWN).axes[0]
    assert axis.labels == ("1969", "1970", None)
    assert axis.buckets[-1] == (-101, -101)


def test_a_long_time_fits_by_its_years_though_not_by_its_days() -> None:
    long = register(dates("1700-01-01", "2026-12-31"), AGE)
    assert long.queryable[0].high - long.queryable[0].low > CELLS_MAX
    assert plan(query(group_by=(Key(column="d", by="year"),)), long).cells == 327
