"""Which tables an answer has, over which grids they are measured, and how they add up."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from doubles import (
    AGE,
    FAMILIES,
    SEX,
    TOWN,
    Silence,
    cell_of,
    count,
    crowds,
    drawn,
    exact_by_hand,
    holds,
    queries,
    query,
    register,
    schemas,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.answer import AnswerTable, release, table
from privacy.exact import cells_over
from privacy.noise import OpendpNoise
from privacy.plan import Plan, plan
from privacy.query import InvalidQuery, Key, Query, Statistic, WorkloadTable
from privacy.resolve import Resolver
from privacy.schema import Category, Label, Number, Schema

SMALL = settings(deadline=None, derandomize=True, max_examples=25)
BY_SEX, BY_AGE = Key(column="sex"), Key(column="age", bins=(0, 20, 65, 120))
BORN_BY = Key(column="born", bins=("1969-10-01", "1970-01-01", "1970-07-19"))
ZCDP = register(SEX, AGE, rows=2, measure="zcdp")
PEOPLE = [[(place % 3, 7 * place % 120, place % 20, 13 * place % 200)] for place in range(90)]


def column(made: AnswerTable, name: str) -> list[Label]:
    return next(list(column.values) for column in made.columns if column.name == name)


def asked_of(planned: Plan, people=PEOPLE, noise=None) -> AnswerTable:
    return table(planned, release(planned, exact_by_hand(planned, people), noise or Silence()))


def tables(*keys: tuple[Key, ...]) -> tuple[WorkloadTable, ...]:
    return tuple(WorkloadTable(name=f"t{place}", group_by=key) for place, key in enumerate(keys))


# What a layout holds


def test_totals_bring_every_margin_the_finest_first_the_grand_total_last() -> None:
    planned = plan(query(group_by=(BY_SEX, BY_AGE), totals=True), TOWN)
    assert [table.keys for table in planned.layout.tables] == [(0, 1), (0,), (1,), ()]
    assert planned.cells == 9 + 3 + 3 + 1 == 4 * 4


def test_a_total_is_told_by_a_star_or_more_where_a_value_is_called_so() -> None:
    made = asked_of(plan(query(group_by=(BY_SEX,), totals=True), TOWN))
    assert column(made, "sex") == ["f", "m", "x", "*"]
    starry = register(Category(name="k", values=("*", "**")))
    made = asked_of(plan(query(group_by=(Key(column="k"),), totals=True), starry), [])
    assert column(made, "k") == ["*", "**", "***"]
    assert made.columns[0].about == {"total": "***"}


def test_a_workload_is_told_table_by_table_with_totals_of_the_keys_a_table_lacks() -> None:
    made = asked_of(plan(query(tables=tables((BY_SEX,), (), (BY_AGE,))), TOWN))
    assert column(made, "table") == ["t0"] * 3 + ["t1"] + ["t2"] * 3
    assert column(made, "sex") == ["f", "m", "x", "*", "*", "*", "*"]
    assert column(made, "age")[3:] == ["*", "[0,20)", "[20,65)", "[65,120]"]


def test_keys_of_a_table_stand_in_the_order_asked_for() -> None:
    both = tables((BY_SEX, BY_AGE), (BY_AGE, BY_SEX))
    made = asked_of(plan(query(tables=both), TOWN))
    cells = list(zip(column(made, "sex"), column(made, "age"), column(made, "n"), strict=True))
    assert [cell[:2] for cell in cells[9:12]] == [("f", "[0,20)"), ("m", "[0,20)"), ("x", "[0,20)")]
    assert sorted(cells[:9], key=repr) == sorted(cells[9:], key=repr)


def test_the_column_of_tables_gives_way_to_a_key_of_that_name_and_no_statistic_takes_it() -> None:
    odd = register(Category(name="table", values=("a", "b")))
    made = asked_of(plan(query(tables=tables((Key(column="table"),), ())), odd), [])
    assert [column.name for column in made.columns[:2]] == ["table_", "table"]
    with pytest.raises(InvalidQuery) as refused:
        plan(query(count("table"), tables=tables((BY_SEX,))), TOWN)
    assert [(one.pointer, one.reason) for one in refused.value.problems] == [
        ("/select/0/as", "repeated_name")
    ]


@pytest.mark.parametrize("schema", [TOWN, ZCDP], ids=["pure", "zcdp"])
def test_no_strategy_errs_more_than_each_table_alone_or_one_common_table(schema: Schema) -> None:
    workloads = [
        query(group_by=(BY_SEX, BY_AGE), totals=True),
        query(tables=tables((BY_SEX,), (BY_AGE,))),
        query(tables=tables(*((key,) for key in (BY_SEX, BY_AGE)), (BY_SEX, BY_AGE))),
        query(tables=tables((Key(column="age"),), (BY_SEX,))),
    ]
    for asked in workloads:
        chosen = plan(asked, schema).layout.chosen
        assert chosen is not None
        others = [chosen.error_alone, chosen.error_alone_best, chosen.error_common]
        assert all(chosen.error <= 1.002 * other for other in others if other is not None)


@SMALL
@given(st.data())
def test_grids_share_the_price_and_none_gets_the_whole(data) -> None:
    schema = data.draw(schemas())
    planned = plan(data.draw(queries(schema)), schema)
    assert sum(planned.layout.shares) == 1
    assert all(0 < share <= 1 for share in planned.layout.shares)
    for part in planned.measurements:
        if part.distributions and not planned.layout.direct:
            assert len(part.draws) == len(planned.layout.grids)
            assert sum(draw.mechanism.price.nano for draw in part.draws) == part.price.nano


def test_the_price_of_a_statistic_is_split_over_its_grids() -> None:
    planned = plan(query(tables=tables((BY_SEX,), (Key(column="age"),), (BORN_BY,))), TOWN)
    assert len(planned.layout.grids) > 1
    prices = [draw.mechanism.price.nano for draw in planned.measurements[0].draws]
    assert sum(prices) == planned.price.nano
    assert max(prices) < planned.price.nano


# Estimates


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("power", [1, 2])
def test_the_closed_form_of_variances_is_that_of_the_least_squares_matrix(seed: int, power: int) -> None:
    dice = np.random.default_rng(seed)
    measure = "zcdp" if power == 1 else "pure"
    made = [Category(name=f"k{place}", values=tuple("abcd"[: dice.integers(1, 5)])) for place in range(3)]
    keys = [Key(column=one.name) for one in made]
    subsets = [subset for size in range(4) for subset in combinations(keys, size)]
    chosen = [subsets[place] for place in dice.choice(len(subsets), 3, replace=False)]
    layout = plan(query(tables=tables(*chosen)), register(*made, measure=measure)).layout  # type: ignore[arg-type]
    noise = [1 / float(share) ** power for share in layout.shares]
    sizes = layout.sizes
    cells = int(np.prod(sizes)) if sizes else 1
    whole = np.arange(cells).reshape(sizes)

    def summing(subset: tuple[int, ...]) -> np.ndarray:
        places = np.arange(cells_over(layout.axes, subset)).reshape([sizes[axis] for axis in subset])
        shape = [size if axis in subset else 1 for axis, size in enumerate(sizes)]
        owner = np.broadcast_to(places.reshape(shape), sizes).ravel() if sizes else np.zeros(1, dtype=int)
        matrix = np.zeros((places.size, cells))
        matrix[owner, whole.ravel()] = 1
        return matrix

    information = sum(
        summing(grid).T @ summing(grid) / variance for grid, variance in zip(layout.grids, noise, strict=True)
    )
    covariance = np.linalg.pinv(information)
    expected = [np.diag(summing(one.subset) @ covariance @ summing(one.subset).T) for one in layout.tables]
    for found, diagonal in zip(layout.relative_variances(power), expected, strict=True):
        assert found == pytest.approx(diagonal, rel=1e-6)


@settings(SMALL, max_examples=10)
@given(st.data())
def test_without_noise_every_table_is_that_of_the_rows_its_keys_have_a_cell_for(data) -> None:
    """Of tables of a workload each by itself; margins count the rows that all keys have a cell for."""
    schema = data.draw(schemas())
    asked = data.draw(queries(schema).filter(lambda one: one.totals or one.tables))
    planned = plan(replace(asked, select=(count("s0"),), whole=False), schema)
    people = data.draw(crowds(schema))
    every_key = tuple(key for key in range(len(planned.axes)) if asked.totals)
    inside = [
        row
        for person in people
        for row in sorted(person)[: planned.bound]
        if cell_of(planned, every_key, row) is not None and holds(Resolver(schema).where(asked.where), row)
    ]
    expected = []
    for one in planned.layout.tables:
        for labels in product(*(range(len(planned.axes[key].labels)) for key in one.keys)):
            cell = dict(zip(one.keys, labels, strict=True))
            expected.append(
                sum(
                    all(low <= row[planned.axes[key].column] <= high for key, (low, high) in bounds.items())
                    for row in inside
                    for bounds in [{key: planned.axes[key].buckets[place] for key, place in cell.items()}]
                )
            )
    assert column(asked_of(planned, people), "s0") == pytest.approx(expected, abs=1e-3)


BY_BAND = Key(column="age", bins=(20, 65))


@pytest.mark.parametrize("schema", [TOWN, ZCDP], ids=["pure", "zcdp"])
@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"group_by": (BY_SEX, BY_BAND), "totals": True}, {0, 2}),
        ({"tables": tables((BY_SEX,), (BY_BAND,), (BY_BAND, BY_SEX))}, {0, 2, 5}),
        ({"tables": tables((BY_SEX,), (BY_BAND,))}, {0, 2, 5}),
        ({"tables": tables((BY_BAND,), (BY_BAND, BY_SEX))}, {0, 2}),
    ],
    ids=["totals", "common", "apart", "in all tables"],
)
def test_rows_in_no_bin_pull_no_estimate_away(schema: Schema, changes, found: set[int]) -> None:
    """Two of five people are in the band; a table by sex alone counts all five."""
    people = [[(0, age, *(0,) * (len(schema.queryable) - 2))] for age in (-1, 10, 30, 40, 80)]
    made = asked_of(plan(query(**changes), schema), people)
    assert set(column(made, "n")) == found


# Adding up


def assert_adds_up(made: AnswerTable, names: list[str], value: str, *, within: float) -> None:
    """Every total is the sum of the cells below it, over each key in turn."""
    keys = list(zip(*(column(made, name) for name in names), strict=True))
    cells = dict(zip(keys, column(made, value), strict=True))
    for key, place in product(keys, range(len(names))):
        if key[place] == "*":
            rest = key[:place], key[place + 1 :]
            below = [one for one in keys if one[place] != "*" and (one[:place], one[place + 1 :]) == rest]
            assert cells[key] == pytest.approx(sum(cells[one] for one in below), abs=within)  # type: ignore[misc]


@pytest.mark.parametrize(
    "schema", [FAMILIES, register(*FAMILIES.columns, rows=3, measure="zcdp")], ids=["pure", "zcdp"]
)
@pytest.mark.parametrize("keys", [(BY_SEX,), (BY_SEX, BY_AGE), (BY_SEX, BY_AGE, BORN_BY)], ids=len)
def test_noisy_margins_add_up(schema: Schema, keys: tuple[Key, ...]) -> None:
    select = count(), Statistic(name="s", agg="sum", column="income")
    planned = plan(query(*select, group_by=keys, totals=True, rows_per_person=2), schema)
    made = asked_of(planned, noise=OpendpNoise())
    for value in ("n", "s"):
        assert_adds_up(made, [key.column for key in keys], value, within=0.01 * planned.cells)


@pytest.mark.parametrize("keys", [(BY_SEX,), (BY_SEX, BY_AGE), (BY_SEX, BY_AGE, BORN_BY)], ids=len)
@pytest.mark.parametrize("people", [PEOPLE, PEOPLE[:3], []], ids=len)
def test_whole_tables_add_up_exactly_are_whole_and_not_negative_and_the_raw_numbers_stay(
    keys, people
) -> None:
    planned = plan(query(group_by=keys, totals=True, whole=True), TOWN)
    released = release(planned, exact_by_hand(planned, people), OpendpNoise())
    made = table(planned, released)
    assert_adds_up(made, [key.column for key in keys], "n", within=0)
    values = column(made, "n")
    assert all(isinstance(value, int) and value >= 0 for value in values)
    for value, low, high in zip(values, column(made, "n_low"), column(made, "n_high"), strict=True):
        assert low <= value <= high  # type: ignore[operator]
    raw = [value for value in column(made, "n_noisy") if value is not None]
    assert sorted(raw) == sorted(value for array in released for value in array.ravel().tolist())


def test_sums_that_may_be_negative_are_not_made_whole() -> None:
    income, age = (Statistic(name=name, agg="sum", column=name) for name in ("income", "age"))
    planned = plan(
        query(
            replace(income, name="pay"),
            replace(age, name="years"),
            group_by=(BY_SEX,),
            totals=True,
            whole=True,
        ),
        TOWN,
    )
    made = asked_of(planned, noise=OpendpNoise())
    assert made.postprocessing == ("weighted_least_squares", "non_negative_integers")
    assert all(isinstance(value, int) and value >= 0 for value in column(made, "years"))
    assert_adds_up(made, ["sex"], "years", within=0)
    assert_adds_up(made, ["sex"], "pay", within=0.01)


def test_whole_sums_are_whole_steps_of_their_column() -> None:
    pay = register(SEX, Number(name="pay", low=0, high=100, step=Decimal("0.5")))
    asked = query(Statistic(name="s", agg="sum", column="pay"), group_by=(BY_SEX,), totals=True, whole=True)
    made = asked_of(plan(asked, pay), [[(0, 7)], [(1, 30)]], OpendpNoise())
    assert all(Fraction(str(value)) * 2 % 1 == 0 for value in column(made, "s"))
    assert_adds_up(made, ["sex"], "s", within=0)


def test_the_raw_numbers_stand_beside_the_tables_that_were_measured_and_only_there() -> None:
    planned = plan(query(group_by=(BY_SEX, BY_AGE), totals=True), TOWN)
    made = asked_of(planned, noise=OpendpNoise())
    told = column(made, "n_noisy")
    place = 0
    for one in planned.layout.tables:
        cells = cells_over(planned.axes, one.subset)
        assert all(
            (value is not None) == (one.subset in planned.layout.grids)
            for value in told[place : place + cells]
        )
        place += cells


def test_every_grid_gets_noise_of_its_own() -> None:
    planned = plan(query(group_by=(BY_SEX, Key(column="age")), totals=True), ZCDP)
    draws = drawn(planned, [])
    assert [len(draw.exact) for draw in draws] == [
        cells_over(planned.axes, subset) for subset in planned.layout.grids
    ]


@SMALL
@given(st.data())
def test_a_table_measured_alone_has_the_law_of_its_one_draw(data) -> None:
    schema = data.draw(schemas())
    planned = plan(data.draw(queries(schema).filter(lambda one: not one.totals and not one.tables)), schema)
    assert planned.layout.direct
    for part in planned.measurements:
        if part.distributions:
            (draw,), (distribution,) = part.draws, part.distributions
            assert (distribution.scale, distribution.kind) == (
                draw.mechanism.scale,
                draw.mechanism.kind.removeprefix("discrete_"),
            )


def test_a_workload_of_many_keys_is_planned() -> None:
    """More keys than a machine word has bits."""
    many = [Category(name=f"c{place}", values=("a", "b")) for place in range(70)]
    asked: Query = query(tables=tables(*((Key(column=one.name),) for one in many)))
    planned = plan(asked, register(*many))
    made = asked_of(planned, [[(0,) * 70]])
    assert len(column(made, "n")) == 140
