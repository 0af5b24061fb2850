"""Microaggregation: groups of k persons, the optimum against brute force, MDAV against a plain telling of it."""

from collections import Counter
from decimal import Decimal
from functools import cache
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.deidentify.operations import grouping
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.operations.grouping import Method, Points, group_many, group_one
from privacy.deidentify.operations.microaggregation import Centre, microaggregate
from privacy.deidentify.table import Codes, Column

SMALL = settings(deadline=None, derandomize=True, max_examples=100)
FEW = st.lists(st.integers(0, 12), min_size=1, max_size=14)


def squares(values: Points, group: Codes) -> float:
    return sum(
        float(((values[group == code] - values[group == code].mean()) ** 2).sum())
        for code in set(group.tolist())
    )


def least_squares(values: list[int], k: int) -> float:
    """Every partition of the sorted values into runs of at least k."""
    ranked = sorted(values)

    @cache
    def best(upto: int) -> float:
        if upto == 0:
            return 0.0
        return min(
            (
                best(start) + float(np.var(ranked[start:upto]) * (upto - start))
                for start in range(upto - k + 1)
            ),
            default=inf,
        )

    return best(len(ranked))


@given(FEW, st.integers(1, 4))
@SMALL
def test_groups_of_one_column_are_the_optimum(values: list[int], k: int) -> None:
    if len(values) < k:
        return
    array = np.array(values, dtype=float)
    found = group_one(array, k=k)
    assert found.method is Method.OPTIMAL
    assert min(Counter(found.group.tolist()).values()) >= k
    assert squares(array, found.group) == pytest.approx(least_squares(values, k), abs=1e-9)


@given(st.lists(st.integers(0, 3), min_size=3, max_size=60), st.integers(2, 3))
@SMALL
def test_long_runs_of_one_value_are_shortened_without_loss(values: list[int], k: int) -> None:
    array = np.array(values, dtype=float)
    found = group_one(array, k=k)
    assert min(Counter(found.group.tolist()).values()) >= k
    assert squares(array, found.group) == pytest.approx(least_squares(values, k), abs=1e-9)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_a_long_run_between_two_lonely_values_serves_both_and_itself(k: int) -> None:
    for run in range(k, 8 * k):
        values = [0, *[5] * run, 11]
        array = np.array(values, dtype=float)
        assert squares(array, group_one(array, k=k).group) == pytest.approx(least_squares(values, k))


def test_in_pieces_nothing_but_the_cuts_can_be_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.Generator(np.random.Philox(3)).lognormal(size=3000)
    whole = squares(values, group_one(values, k=5).group)
    monkeypatch.setattr(grouping, "STEPS_MAX", 10)
    monkeypatch.setattr(grouping, "PIECE_ROWS_MIN", 500)
    found = group_one(values, k=5)
    assert found.method is Method.PIECEWISE
    assert min(Counter(found.group.tolist()).values()) == 5
    assert whole <= squares(values, found.group) <= 1.05 * whole


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), min_size=1, max_size=30), st.integers(1, 4))
@SMALL
def test_groups_hold_k_persons_when_persons_have_several_rows(rows: list[tuple[int, int]], k: int) -> None:
    values = np.array([value for value, _ in rows], dtype=float)
    unit = np.array([person for _, person in rows], dtype=np.int32)
    if len(set(unit.tolist())) < k:
        return
    for group in (
        group_one(values, k=k, unit=unit).group,
        group_many(np.array([values, values[::-1]]), k=k, unit=unit).group,
    ):
        assert all(len(set(unit[group == code].tolist())) >= k for code in set(group.tolist()))
        assert set(group.tolist()) == set(range(group.max() + 1))


def plain_mdav(points: Points, k: int) -> list[list[int]]:
    """MDAV as the papers tell it, row by row; rows come sorted, so that the first of equal ones is taken."""
    left, groups = list(range(points.shape[1])), []

    def apart(row: int, to: Points) -> float:
        return sum(float(gap) ** 2 for gap in points[:, row] - to)

    def around(row: int) -> None:
        near = sorted(left, key=lambda other: apart(other, points[:, row]))[:k]
        groups.append(sorted(near))
        left[:] = [other for other in left if other not in near]

    def farthest(to: Points) -> int:
        return max(left, key=lambda row: apart(row, to))

    while len(left) >= 3 * k:
        first = farthest(points[:, left].mean(axis=1))
        second = farthest(points[:, first])
        around(first)
        around(second if second in left else farthest(points[:, first]))
    if len(left) >= 2 * k:
        around(farthest(points[:, left].mean(axis=1)))
    groups.append(sorted(left))
    return groups


def contents(points: Points, group: Codes) -> Counter[tuple[tuple[float, ...], ...]]:
    return Counter(
        tuple(sorted(map(tuple, points[:, group == code].T.tolist()))) for code in set(group.tolist())
    )


@given(st.integers(2, 40), st.integers(2, 5), st.integers(1, 3), st.integers(0, 10**6))
@SMALL
def test_mdav_is_what_the_papers_tell(rows: int, k: int, dimensions: int, seed: int) -> None:
    if rows < k:
        return
    points = np.random.Generator(np.random.Philox(seed)).integers(0, 50, (dimensions, rows)).astype(float)
    points = points[:, np.lexsort(points[::-1])]
    group = group_many(points, k=k).group
    found = sorted(np.flatnonzero(group == code).tolist() for code in range(group.max() + 1))
    assert found == sorted(plain_mdav(points, k))


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=6, max_size=40))
@SMALL
def test_the_order_of_rows_has_no_part_in_mdav(rows: list[tuple[int, int]]) -> None:
    points = np.array(rows, dtype=float).T
    order = np.random.Generator(np.random.Philox(len(rows))).permutation(len(rows))
    once, again = group_many(points, k=3).group, group_many(points[:, order], k=3).group
    assert contents(points, once) == contents(points[:, order], again)


def test_above_its_limit_mdav_works_in_pieces_that_still_hold_k(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "MDAV_ROWS_MAX", 100)
    monkeypatch.setattr(grouping, "MDAV_PIECE_ROWS", 50)
    drawn = np.random.Generator(np.random.Philox(1))
    points, unit = drawn.normal(size=(3, 400)), drawn.integers(0, 90, 400).astype(np.int32)
    for people in (None, unit):
        found = group_many(points, k=4, unit=people)
        counted = np.arange(400) if people is None else people
        assert found.method is Method.MDAV_PIECES
        assert all(
            len(set(counted[found.group == code].tolist())) >= 4 for code in range(found.group.max() + 1)
        )


def told(column: Column) -> list[str]:
    return column.texts().tolist()


@given(st.lists(st.integers(-999, 999), min_size=3, max_size=30), st.integers(2, 3))
@SMALL
def test_means_keep_the_sum_to_half_a_unit_a_row(values: list[int], k: int) -> None:
    column = Column.of("x", [f"{Decimal(value).scaleb(-1):f}" for value in values])
    made = microaggregate([column], k=k)
    after = sum(Decimal(text) for text in told(made.columns[0]))
    assert abs(after - Decimal(sum(values)).scaleb(-1)) <= Decimal("0.05") * len(values)
    assert made.smallest >= k
    assert min(Counter(told(made.columns[0])).values()) >= k


def test_a_worked_example_has_its_means_medians_and_loss() -> None:
    column = Column.of("x", ["1", "2", "6", "20", "21", "28"])
    mean, median = (microaggregate([column], k=3, centre=centre) for centre in Centre)
    assert told(mean.columns[0]) == ["3", "3", "3", "23", "23", "23"]
    assert told(median.columns[0]) == ["2", "2", "2", "21", "21", "21"]
    assert mean.lost == pytest.approx((14 + 38) / (14 + 38 + 6 * 100))
    assert (mean.groups, mean.smallest, mean.method) == (2, 3, Method.OPTIMAL)


def test_an_even_group_is_told_by_the_middle_of_its_two_middle_values_half_to_even() -> None:
    made = microaggregate([Column.of("x", ["1", "2", "-1", "-2"])], k=2, centre=Centre.MEDIAN)
    assert told(made.columns[0]) == ["2", "2", "-2", "-2"]


def test_columns_together_share_groups_whatever_their_scales() -> None:
    income, age = Column.of("i", ["1", "2", "1000000", "1000002"]), Column.of("a", ["10", "12", "70", "72"])
    made = microaggregate([income, age], k=2)
    assert told(made.columns[0]) == ["2", "2", "1000001", "1000001"]
    assert told(made.columns[1]) == ["11", "11", "71", "71"]
    assert made.method is Method.MDAV


def test_the_column_of_large_numbers_does_not_decide_alone() -> None:
    income, age = (
        Column.of("i", ["0", "500000", "400000", "900000"]),
        Column.of("a", ["10", "12", "70", "72"]),
    )
    assert told(microaggregate([income, age], k=2).columns[1]) == ["11", "11", "71", "71"]


def test_rows_with_other_gaps_are_grouped_apart_and_too_few_of_them_blanked() -> None:
    first = Column.of("a", ["1", "3", "", "", "8"])
    second = Column.of("b", ["5", "7", "1", "2", ""])
    made = microaggregate([first, second], k=2)
    assert told(made.columns[0]) == ["2", "2", "", "", ""]
    assert told(made.columns[1]) == ["6", "6", "2", "2", ""]
    assert made.blanked == 1
    assert "8" not in made.columns[0].values


@pytest.mark.parametrize("texts", [["1", "2", ""], ["", "", ""], ["1"], []])
def test_fewer_than_k_numbers_are_refused(texts: list[str]) -> None:
    known = len([text for text in texts if text])
    with pytest.raises(
        BadOperation, match=f"microaggregate of x: groups of k = 3 cannot be made of {known} rows"
    ):
        microaggregate([Column.of("x", texts)], k=3)


def test_k_counts_persons_and_says_so() -> None:
    column, unit = Column.of("x", ["1", "2", "3", "4"]), np.array([0, 0, 1, 1], dtype=np.int32)
    assert microaggregate([column], k=2, unit=unit).smallest == 2
    with pytest.raises(BadOperation, match="k = 3 cannot be made of 2 persons"):
        microaggregate([column], k=3, unit=unit)


def test_no_pattern_of_gaps_with_k_persons_is_refused() -> None:
    with pytest.raises(BadOperation, match="no 2 persons have numbers in the same columns"):
        microaggregate([Column.of("a", ["1", ""]), Column.of("b", ["", "1"])], k=2)


def test_k_of_one_is_no_microaggregation() -> None:
    with pytest.raises(BadOperation, match="k of at least 2"):
        microaggregate([Column.of("a", ["1", "2"])], k=1)
