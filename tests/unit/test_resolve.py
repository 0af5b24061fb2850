"""Every way in which names and literals can fail to fit a schema, each told at its own place."""

from decimal import Decimal

import pytest
from doubles import AGE, BORN, FAMILIES, SEX, TOWN, count, query, register

from privacy.axes import CELLS_MAX, KEYS_MAX
from privacy.plan import plan
from privacy.query import Accuracy, All, Compare, InvalidQuery, Key, Not, Query, Statistic, WorkloadTable
from privacy.schema import Number, Schema, Text

HELD = register(*TOWN.columns, Text(name="name"))


def problems(asked: Query, schema: Schema = TOWN) -> list[tuple[str, str]]:
    with pytest.raises(InvalidQuery) as refused:
        plan(asked, schema)
    return [(problem.pointer, problem.reason) for problem in refused.value.problems]


def where(column: str, op: str, *values: object) -> Query:
    return query(where=Compare(column=column, op=op, values=values))  # type: ignore[arg-type]


def statistic(
    agg: str, column: str | None = None, clamp: tuple[object, object] | None = None, **members: object
) -> Query:
    return query(Statistic(name="s", agg=agg, column=column, clamp=clamp, **members))  # type: ignore[arg-type]


def quantile(*q: object) -> Query:
    return statistic("quantile", "age", q=q)


def tables(*keys: tuple[Key, ...], of: Statistic | None = None) -> Query:
    asked = tuple(WorkloadTable(name=f"t{place}", group_by=key) for place, key in enumerate(keys))
    return query(of or count("c"), tables=asked)


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
        (statistic("mode", "age"), "/select/0/agg", "unknown_aggregate"),
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


HALF = (Decimal("0.5"),)
SEXES = (Key(column="sex"),)
SHOE, OLD = Compare(column="shoe", op="=", values=(1,)), Compare(column="age", op="=", values=("x",))
CUT, OTHERWISE = Key(column="age", bins=(0, 9)), Key(column="age", bins=(0, 8))
TWICE = Key(column="born", by="year", bins=("1970-01-01", "1970-02-01"))


def with_totals(*select: Statistic) -> Query:
    return query(*select, group_by=SEXES, totals=True)


def named(agg: str, **members: object) -> Statistic:
    return Statistic(name="s", agg=agg, **members)  # type: ignore[arg-type]


A = Compare(column="sex", op="=", values=("f",))


@pytest.mark.parametrize(
    ("asked", "pointer", "reason"),
    [
        (statistic("quantile", "age"), "/select/0/q", "required"),
        (quantile(Decimal("-0.1")), "/select/0/q", "outside_domain"),
        (quantile(Decimal("1.0001")), "/select/0/q", "outside_domain"),
        (quantile("0.5"), "/select/0/q", "not_a_number"),
        (quantile(0, "a"), "/select/0/q/1", "not_a_number"),
        (quantile(0, 2), "/select/0/q/1", "outside_domain"),
        (quantile(Decimal("0.00001")), "/select/0/q", "off_step"),
        (quantile(0, Decimal("0.12345")), "/select/0/q/1", "off_step"),
        (quantile(Decimal("0.9"), Decimal("0.1")), "/select/0/q", "not_ascending"),
        (quantile(Decimal("0.5"), Decimal("0.50")), "/select/0/q", "not_ascending"),
        (statistic("median", "age", q=HALF), "/select/0/q", "takes_no_member"),
        (statistic("median", "sex"), "/select/0/column", "not_numeric"),
        (statistic("median"), "/select/0/column", "column_needed"),
        (statistic("median", "born", ("1970-01-05", "1970-01-05")), "/select/0/clamp", "not_ascending"),
        (statistic("median", "born", ("1900-01-01", "1970-01-05")), "/select/0/clamp/0", "outside_domain"),
        (statistic("variance", "born"), "/select/0/column", "not_numeric"),
        (statistic("variance", "age", (9, 9)), "/select/0/clamp", "not_ascending"),
        (statistic("stddev", "age", (0, 121)), "/select/0/clamp/1", "outside_domain"),
        (statistic("mean", "age", per_person_clamp=(0, 9)), "/select/0/per_person_clamp", "takes_no_member"),
        (statistic("count", value_bounds=True), "/select/0/value_bounds", "takes_no_member"),
        (statistic("sum", "age", value_bounds=False), "/select/0/value_bounds", "takes_no_member"),
        (statistic("count", numerator=A), "/select/0/numerator", "takes_no_member"),
        (statistic("ratio", "age", numerator=A), "/select/0/column", "takes_no_member"),
        (statistic("ratio"), "/select/0/numerator", "required"),
        (statistic("ratio", denominator=A), "/select/0/numerator", "required"),
        (statistic("ratio", numerator=SHOE), "/select/0/numerator/column", "unknown_column"),
        (statistic("ratio", numerator=A, denominator=Not(OLD)), "/select/0/denominator/not/value", "not_a_number"),
        (statistic("sum", "age", per_person_clamp=(5, 5)), "/select/0/per_person_clamp", "not_ascending"),
        (statistic("sum", "age", per_person_clamp=(9, 5)), "/select/0/per_person_clamp", "not_ascending"),
        (statistic("sum", "age", per_person_clamp=("a", 5)), "/select/0/per_person_clamp/0", "not_a_number"),
        (statistic("sum", "income", per_person_clamp=(0, Decimal("0.3"))), "/select/0/per_person_clamp/1", "off_step"),
        (statistic("sum", "age", per_person_clamp=(0, 10**40)), "/select/0/per_person_clamp", "outside_domain"),
        (statistic("share_kept"), "/select/0/agg", "needs_narrower_bound"),
        (query(rows_per_person=0), "/rows_per_person", "outside_domain"),
        (query(rows_per_person=-1), "/rows_per_person", "outside_domain"),
        (query(rows_per_person=4), "/rows_per_person", "outside_domain"),
        (query(group_by=(Key(column="age", by="year"),)), "/group_by/0/by", "not_a_date_column"),
        (query(group_by=(Key(column="sex", by="year"),)), "/group_by/0/by", "not_a_date_column"),
        (query(group_by=(TWICE,)), "/group_by/0", "choose_one"),
        (query(group_by=(Key(column="age", bins=(0, 20, 10)),)), "/group_by/0/bins", "not_ascending"),
        (query(totals=True), "/totals", "needs_keys"),
        (query(whole=True), "/non_negative_integers", "needs_totals"),
        (query(whole=True, group_by=(Key(column="sex"),)), "/non_negative_integers", "needs_totals"),
        (query(mechanism="discrete_gaussian"), "/mechanism", "needs_zcdp"),
        (query(priced_in="rho"), "/budget/rho", "wrong_measure"),
        (with_totals(named("median", column="age")), "/select/0/agg", "not_additive"),
        (with_totals(named("count_persons")), "/select/0/agg", "not_additive"),
        (with_totals(named("sum", column="age", per_person_clamp=(0, 9))), "/select/0/agg", "not_additive"),
        (tables(SEXES, of=named("median", column="age")), "/select/0/agg", "not_additive"),
        (tables((CUT,), (*SEXES, OTHERWISE)), "/tables/1/group_by/1", "cut_differently"),
        (tables((Key(column="sex"),), (Key(column="sex", missing=True),)), "/tables/1/group_by/0", "cut_differently"),
        (tables((Key(column="shoe"),)), "/tables/0/group_by/0/column", "unknown_column"),
        (tables((), (Key(column="sex"), Key(column="sex"))), "/tables/1/group_by/1/column", "repeated_key"),
        (query(count("c"), tables=(WorkloadTable(name="t", group_by=()),) * 2), "/tables/1/as", "repeated_name"),
        (with_totals(count("c"), count("c_noisy")), "/select/1/as", "repeated_name"),
        (query(named("quantile", column="age", q=(0, 1)), count("s_q0")), "/select/1/as", "repeated_name"),
        (query(Statistic(name="r", agg="ratio", numerator=A), count("r_others")), "/select/1/as", "repeated_name"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_larger_language_is_told_at_its_place(
    asked: Query, pointer: str, reason: str
) -> None:
    assert problems(asked, FAMILIES)[0] == (pointer, reason)


def test_a_dataset_in_rho_takes_no_epsilon() -> None:
    zcdp = register(SEX, AGE, measure="zcdp")
    assert problems(query(priced_in="epsilon"), zcdp) == [("/budget/epsilon", "wrong_measure")]
    assert plan(query(priced_in="rho", mechanism="discrete_laplace"), zcdp).price.nano == 10**9


def test_clamps_per_person_that_hold_no_row_of_a_person_with_one_row_are_refused() -> None:
    apart = statistic("sum", "age", per_person_clamp=(200, 300))
    assert problems(apart, TOWN) == [("/select/0/per_person_clamp", "apart")]
    assert plan(apart, FAMILIES).cells == 1


def test_totals_and_workloads_beyond_the_cells_are_refused_before_anything_is_planned() -> None:
    wide = register(Number(name="a", low=1, high=1_000), Number(name="b", low=1, high=99))
    both = (Key(column="a"), Key(column="b"))
    assert plan(query(count("c"), group_by=both), wide).cells == 99_000
    assert problems(query(count("c"), group_by=both, totals=True), wide) == [("/totals", "too_many_cells")]
    assert problems(tables(both, (both[0],), (both[1],)), wide) == [("/tables", "too_many_cells")]


def test_bins_and_calendar_are_given_one_at_a_time() -> None:
    with pytest.raises(InvalidQuery) as refused:
        plan(query(group_by=(TWICE,)), register(BORN))
    assert refused.value.problems[0].expected == "bins, by"


@pytest.mark.parametrize(
    ("accuracy", "pointer", "reason"),
    [
        ({"of": "m"}, "/budget/accuracy/of", "unknown_statistic"),
        ({"of": "mean"}, "/budget/accuracy/rows", "error_depends_on_rows"),
        ({"within": 0}, "/budget/accuracy/within", "not_positive"),
        ({"within": -1}, "/budget/accuracy/within", "not_positive"),
        ({"within": "5"}, "/budget/accuracy/within", "not_a_number"),
        ({"within": Decimal("1e-300")}, "/budget/accuracy/within", "outside_domain"),
        ({"within": Decimal("9e-13")}, "/budget/accuracy/within", "outside_domain"),
        ({"rows": 0}, "/budget/accuracy/rows", "not_positive"),
        ({"of": "mean", "rows": -5}, "/budget/accuracy/rows", "not_positive"),
        ({"relative": Decimal(0)}, "/budget/accuracy/relative", "outside_domain"),
        ({"relative": Decimal(1)}, "/budget/accuracy/relative", "outside_domain"),
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
        Statistic(name="s", agg="mode"),
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
