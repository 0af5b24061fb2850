"""A hierarchy is total, without repeats, of one height, monotone and with one top, or it is refused."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.deidentify.errors import BadHierarchy
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.table import Column

SMALL = settings(deadline=None, derandomize=True, max_examples=200)
AGES = [("20", "20-29", "*"), ("25", "20-29", "*"), ("30", "30-39", "*")]
PATHS = st.integers(1, 4).flatmap(
    lambda height: st.lists(st.tuples(*[st.sampled_from("abcd")] * height), min_size=1, max_size=6)
)


def is_a_tree(paths: Sequence[Sequence[str]]) -> bool:
    """The definition, spelled out over pairs of lines."""
    distinct = len({path[0] for path in paths}) == len(paths)
    topped = len({path[-1] for path in paths}) == 1
    monotone = all(
        one[level + 1] == other[level + 1]
        for one in paths
        for other in paths
        for level in range(len(one) - 1)
        if one[level] == other[level]
    )
    return distinct and topped and monotone


@SMALL
@given(PATHS)
def test_lines_are_taken_just_when_they_are_a_tree_with_one_top(paths: list[tuple[str, ...]]) -> None:
    try:
        made = Hierarchy.of("age", paths)
    except BadHierarchy:
        assert not is_a_tree(paths)
    else:
        assert is_a_tree(paths)
        told = [[made.labels[level][code] for code in made.maps[level]] for level in range(made.height)]
        assert list(zip(*told, strict=True)) == paths


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ([], "is empty"),
        ([()], "line 1 is empty"),
        ([*AGES, ("35", "*")], "line 4 has 2 levels, line 1 has 3"),
        ([*AGES, ("25", "20-29", "*")], "line 4 repeats '25' of line 2"),
        ([("20", "young"), ("30", "old")], "the top level must be one label, and there are 2"),
        ([("1", "a", "x", "*"), ("2", "b", "x", "*"), ("3", "a", "y", "*")], r"'a' of level 1 .*\(line 1\)"),
    ],
)
def test_what_is_wrong_is_said_with_the_line(paths: list[tuple[str, ...]], words: str) -> None:
    with pytest.raises(BadHierarchy, match=f"hierarchy of age.*{words}"):
        Hierarchy.of("age", paths)


def test_errors_name_lines_as_the_caller_numbers_them() -> None:
    with pytest.raises(BadHierarchy, match="line 9 repeats '20' of line 3"):
        Hierarchy.of("age", [*AGES, AGES[0]], lines=[3, 5, 7, 9])


def test_a_value_missing_from_the_hierarchy_is_refused_by_row_number_and_not_quoted() -> None:
    column = Column.of("age", ["20", "77", "30", "77"])
    with pytest.raises(
        BadHierarchy, match=r"misses 1 of the 3 values of column age: rows 2, 4 of"
    ) as refused:
        Hierarchy.of("age", AGES).places(column)
    assert "77" not in str(refused.value)


def test_a_value_that_no_row_holds_any_more_may_be_missing() -> None:
    column = Column("age", ("20", "77"), Column.of("age", ["20", "77"]).codes[:1])
    assert Hierarchy.of("age", AGES).places(column)[0] == 0


def test_labels_know_how_much_of_the_domain_they_cover() -> None:
    ages = Hierarchy.of("age", AGES)
    assert [ages.leaves(level).tolist() for level in range(3)] == [[1, 1, 1], [2, 1], [3]]
    assert [ages.loss(level).tolist() for level in range(3)] == [[0, 0, 0], [0.5, 0], [1]]


def test_a_hierarchy_of_one_value_loses_nothing() -> None:
    assert Hierarchy.of("age", [("20", "*")]).loss(1).tolist() == [0]
