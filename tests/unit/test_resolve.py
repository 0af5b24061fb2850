"""Every way in which names and literals can fail to fit a schema, each told at its own place."""

from decimal import Decimal

import pytest
from doubles import TOWN, count, query, register

from privacy.plan import CELLS_MAX, KEYS_MAX, plan
from privacy.query import Accuracy, All, Compare, InvalidQuery, Key, Not, Query, Statistic
from privacy.schema import Number, Schema, Text

HELD = register(*TOWN.columns, Text(name="name"))


def problems(asked: Query, schema: Schema = TOWN) -> list[tuple[str, str]]:
    with pytest.raises(InvalidQuery) as refused:
        plan(asked, schema)
    return [(problem.pointer, problem.reason) for problem in refused.value.problems]


def where(column: str, op: str, *values: object) -> Query:
    return query(where=Compare(column=column, op=op, values=values))  # type: ignore[arg-type]


def statistic(agg: str, column: str | None = None, clamp: tuple[object, object] | None = None) -> Query:
    return query(Statistic(name="s", agg=agg, column=column, clamp=clamp))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "pointer", "reason"),
    [
        (where("shoe", "=", 1), "/where/column", "unknown_column"),
        (where("name", "=", "aoi"), "/where/column", "unknown_column"),
        (where("sex", "=", "z"), "/where/value", "undeclared_value"),
        (where("sex", "=", 1), "/where/value", "undeclared_value"),
        (where("sex", "in", "f", "z"), "/where/value/1", "undeclared_value"),
        (where("sex", "<", "f"), "/where/op", "no_order"),
        (where("sex", "between", "f", "m"), "/where/op", "no_order"),
        (where("age", "=", "20"), "/where/value", "not_a_number"),
        (where("age", "=", Decimal("20.5")), "/where/value", "off_step"),
        (where("income", "=", Decimal("0.3")), "/where/value", "off_step"),
        (where("age", "=", 121), "/where/value", "outside_domain"),
        (where("age", "=", -1), "/where/value", "outside_domain"),
        (where("age", "in", 1, 121), "/where/value/1", "outside_domain"),
        (where("age", "<", 122), "/where/value", "outside_domain"),
        (where("age", "<", 10**40), "/where/value", "outside_domain"),
        (where("age", "between", 9, 3), "/where/value", "not_ascending"),
        (where("born", "=", "1970-13-01"), "/where/value", "not_a_date"),
        (where("born", "=", "19700101"), "/where/value", "not_a_date"),
        (where("born", "=", "１970-01-01"), "/where/value", "not_a_date"),
        (where("born", "=", 0), "/where/value", "not_a_date"),
        (where("born", "=", "1900-01-01"), "/where/value", "outside_domain"),
        (statistic("median", "age"), "/select/0/agg", "unknown_aggregate"),
        (statistic("count", "age"), "/select/0/column", "takes_no_member"),
        (statistic("count_persons", None, (0, 1)), "/select/0/clamp", "takes_no_member"),
        (statistic("sum"), "/select/0/column", "column_needed"),
        (statistic("sum", "shoe"), "/select/0/column", "unknown_column"),
        (statistic("mean", "sex"), "/select/0/column", "not_numeric"),
        (statistic("mean", "born"), "/select/0/column", "not_numeric"),
        (statistic("sum", "age", (0, 121)), "/select/0/clamp/1", "outside_domain"),
        (statistic("sum", "age", ("0", 9)), "/select/0/clamp/0", "not_a_number"),
        (statistic("sum", "age", (5, 5)), "/select/0/clamp", "not_ascending"),
        (query(group_by=(Key(column="shoe"),)), "/group_by/0/column", "unknown_column"),
        (query(group_by=(Key(column="sex"), Key(column="sex"))), "/group_by/1/column", "repeated_key"),
        (query(group_by=(Key(column="sex", bins=("f", "m")),)), "/group_by/0/bins", "no_order"),
        (query(group_by=(Key(column="age", bins=(0, 10, 10)),)), "/group_by/0/bins", "not_ascending"),
        (query(group_by=(Key(column="age", bins=(0, 122)),)), "/group_by/0/bins/1", "outside_domain"),
        (query(group_by=(Key(column="age", bins=(0, "9")),)), "/group_by/0/bins/1", "not_a_number"),
        (query(group_by=(Key(column="sex"),) * (KEYS_MAX + 1)), "/group_by", "too_many_keys"),
        (query(select=()), "/select", "too_many_statistics"),
        (query(*(count(f"n{n}") for n in range(21))), "/select", "too_many_statistics"),
        (query(count("n"), count("n")), "/select/1/as", "repeated_name"),
        (query(count("n"), count("n_low")), "/select/1/as", "repeated_name"),
        (query(count("sex"), group_by=(Key(column="sex"),)), "/select/0/as", "repeated_name"),
        (query(weights={"m": 1}), "/budget/weights/m", "unknown_statistic"),
        (query(weights={"a/b~c": 1}), "/budget/weights/a~1b~0c", "unknown_statistic"),
        (query(weights={"n": 0}), "/budget/weights/n", "not_positive"),
        (query(weights={"n": -1}, weights_at="/weights"), "/weights/n", "not_positive"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_at_its_place(asked: Query, pointer: str, reason: str) -> None:
    assert (pointer, reason) in problems(asked, HELD)


@pytest.mark.parametrize(
    ("accuracy", "pointer", "reason"),
    [
        ({"of": "m"}, "/budget/accuracy/of", "unknown_statistic"),
        ({"of": "mean"}, "/budget/accuracy/of", "error_depends_on_data"),
        ({"within": 0}, "/budget/accuracy/within", "not_positive"),
        ({"within": "5"}, "/budget/accuracy/within", "not_positive"),
        ({"confidence": Decimal("0.4")}, "/budget/accuracy/confidence", "outside_domain"),
        ({"confidence": Decimal(1)}, "/budget/accuracy/confidence", "outside_domain"),
    ],
)
def test_an_accuracy_that_means_nothing_is_told_at_its_place(accuracy, pointer: str, reason: str) -> None:
    known = {"of": "n", "within": 5, "confidence": Decimal("0.95"), **accuracy}
    asked = query(count("n"), Statistic(name="mean", agg="mean", column="age"), budget=Accuracy(**known))
    assert problems(asked) == [(pointer, reason)]


def test_every_problem_is_told_at_once() -> None:
    asked = query(
        Statistic(name="s", agg="median"),
        where=All((Compare(column="shoe", op="=", values=(1,)), Not(Compare(column="age", op="=", values=("a",))))),
        group_by=(Key(column="hat"),),
    )  # fmt: skip
    assert problems(asked) == [
        ("/group_by/0/column", "unknown_column"),
        ("/where/all/0/column", "unknown_column"),
        ("/where/all/1/not/value", "not_a_number"),
        ("/select/0/agg", "unknown_aggregate"),
    ]


def test_a_key_with_more_values_than_cells_is_refused_before_they_are_listed() -> None:
    endless = register(Number(name="n", low=0, high=10**15))
    assert problems(query(group_by=(Key(column="n"),)), endless)[0] == (
        "/group_by/0/column",
        "too_many_values",
    )


def test_more_cells_than_the_limit_are_refused() -> None:
    wide = register(Number(name="a", low=1, high=1_000), Number(name="b", low=1, high=CELLS_MAX // 1_000))
    both = (Key(column="a"), Key(column="b"))
    assert plan(query(group_by=both), wide).cells == CELLS_MAX
    assert problems(query(count("n"), count("m"), group_by=both), wide) == [("/group_by", "too_many_cells")]


def test_text_that_is_held_only_is_not_even_named_in_a_refusal() -> None:
    with pytest.raises(InvalidQuery) as refused:
        plan(where("name", "=", "aoi"), HELD)
    assert "name" not in str(refused.value.problems[0].expected)
