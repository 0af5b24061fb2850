"""Refusals of a cell or a column tell the cells in their order with labels, and what was probably meant."""

from dataclasses import replace

import pytest
from doubles import count, query, register

from privacy.about import About, ColumnAbout
from privacy.clamps import CLAMPS_MAX
from privacy.hint_words import share_of
from privacy.plan import plan
from privacy.query import Compare, Group, InvalidQuery, Key, Problem, Query, Statistic
from privacy.schema import Category, Number, Text
from privacy.words import Words, grouped

WARD = Category(
    name="ward",
    values=("minato", "chuo", "adachi"),
    labels={"ja": ("港区", "中央区", "足立区"), "en": ("Minato City", "Chuo City", "Adachi City")},
)
SEX = Category(name="sex", values=("m", "f"))
AGE = Number(name="age", low=0, high=99)
TITLES = {
    "age": ColumnAbout(title={"ja": "年齢", "en": "Completed years"}),
    "hid": ColumnAbout(title={"ja": "世帯"}),
}
CITY = replace(register(WARD, SEX, AGE, Text(name="hid")), about=About(columns=TITLES))
LISTED = Words(
    ja="minato（港区）, chuo（中央区）, adachi（足立区）",
    en="minato (Minato City), chuo (Chuo City), adachi (Adachi City)",
)
BY_WARD, BY_SEX = Key(column="ward"), Key(column="sex")


def refused(asked: Query) -> Problem:
    with pytest.raises(InvalidQuery) as found:
        plan(asked, CITY)
    (problem,) = found.value.problems
    return problem


def clamped(name: str, *keys: Key) -> Query:
    return query(Statistic(name="s", agg="sum", column="age", clamps=((name, (0, 9)),)), group_by=keys)


def having(value: str, *keys: Key) -> Query:
    return query(count(), group_by=keys, having=Compare(column="ward", op="=", values=(value,)))


@pytest.mark.parametrize("asked", [clamped, having])
@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("中央区", "chuo"),
        ("Adachi City", "adachi"),
        ("chuoo", "chuo"),
        ("ＭＩＮＡＴＯ", "minato"),
        ("x", None),
    ],
)
def test_cells_are_listed_in_their_order_with_labels_and_the_nearest(asked, given, meant) -> None:
    problem = refused(asked(given, BY_WARD, BY_SEX))
    assert (problem.given, problem.expected, problem.nearest) == (given, LISTED, meant)


def test_a_clamp_by_label_is_looked_for_in_the_key_that_has_the_label() -> None:
    assert refused(clamped("中央区", BY_SEX, BY_WARD)).nearest == "chuo"
    assert refused(clamped("q", BY_SEX, BY_WARD)).expected == "m, f"


def test_the_cell_of_a_missing_value_is_listed_too() -> None:
    problem = refused(clamped("中央区", replace(BY_WARD, missing=True)))
    assert problem.expected.en.endswith("adachi (Adachi City), null")  # type: ignore[union-attr]


def test_a_label_whose_code_is_no_cell_is_not_suggested() -> None:
    groups = (Group(label="east", members=("adachi",)), Group(label="bay", members=("minato", "chuo")))
    problem = refused(clamped("中央区", Key(column="ward", groups=groups)))
    assert problem.nearest is None
    assert problem.expected == Words(ja="east, bay", en="east, bay")


def test_of_several_strange_names_all_are_quoted() -> None:
    names = tuple((name, (0, 9)) for name in ("港区", "zzz"))
    asked = query(Statistic(name="s", agg="sum", column="age", clamps=names), group_by=(BY_WARD,))
    problem = refused(asked)
    assert len(names) < CLAMPS_MAX
    assert problem.given == "zzz, 港区"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("年齢", "age"), ("Completed years", "age"), ("completed year", "age"), ("agee", "age"), ("世帯", None)],
)
def test_a_column_is_known_by_its_titles_too_but_not_one_that_is_held_only(
    name: str, meant: str | None
) -> None:
    problem = refused(query(group_by=(Key(column=name),)))
    assert (problem.reason, problem.nearest) == ("unknown_column", meant)
    assert problem.expected == "ward, sex, age"


@pytest.mark.parametrize(
    ("plain", "shown"),
    [("89872", "89,872"), ("1234.50", "1,234.50"), ("-0.5", "-0.5"), ("x", "x"), ("20", "20")],
)
def test_a_large_number_is_told_with_its_thousands_apart(plain: str, shown: str) -> None:
    assert grouped(plain) == shown


@pytest.mark.parametrize(("ratio", "share"), [(1.58, "0.63"), (30.0, "0.033"), (1.0, "1"), (1e5, "0.00001")])
def test_what_is_left_is_told_as_a_share(ratio: float, share: str) -> None:
    assert share_of(ratio) == share
