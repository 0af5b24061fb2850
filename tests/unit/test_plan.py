"""Plans: sensitivities against brute force, fingerprints, and the price of an accuracy."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from doubles import (
    FAMILIES,
    TOWN,
    count,
    every_row,
    everybody,
    moved,
    queries,
    query,
    register,
    schemas,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from lanes import first

from privacy.budget import Price
from privacy.plan import AboveQueryLimit, Plan, plan
from privacy.pricing import PRICE_MIN
from privacy.query import (
    MECHANISMS,
    Accuracy,
    All,
    Any,
    Compare,
    InvalidQuery,
    Key,
    Not,
    Query,
    Statistic,
    WorkloadTable,
)
from privacy.schema import Category, Number, in_units

SMALL = settings(deadline=None, derandomize=True, max_examples=30)
TINY = (Category(name="k", values=("a", "b")), Number(name="n", low=-3, high=1))
WITHIN_5 = Accuracy(of="n", within=5, confidence=Decimal("0.95"))
POSITIVE = Compare(column="n", op=">", values=(0,))
OF_A = Compare(column="k", op="=", values=("a",))
GROUPED = [(), (Key(column="k"),), (Key(column="k", missing=True), Key(column="n"))]


def total(name: str = "s", **changes: object) -> Statistic:
    return Statistic(**{"name": name, "agg": "sum", "column": "n", **changes})  # type: ignore[arg-type]


def variance(**changes: object) -> Statistic:
    return total(**{"agg": "variance", **changes})


def ratio(*conditions: object) -> Statistic:
    numerator, denominator = (*conditions, None)[:2]
    return Statistic(name="s", agg="ratio", numerator=numerator, denominator=denominator)  # type: ignore[arg-type]


def both_measures(asked: Query, rows: int, *columns: object) -> list[Plan]:
    """The same question with Laplace noise on a pure dataset and with Gaussian noise on a zCDP one."""
    pure, zcdp = (register(*(columns or TINY), rows=rows, measure=measure) for measure in ("pure", "zcdp"))
    return [plan(asked, pure), plan(replace(asked, mechanism="discrete_gaussian"), zcdp)]


def sensitivities(planned: Plan) -> list[int]:
    return [draw.mechanism.sensitivity for part in planned.measurements for draw in part.draws]


@pytest.mark.parametrize("rows", first(2, [1, 2, 3]))
@pytest.mark.parametrize("group_by", GROUPED)
@pytest.mark.parametrize(
    "statistic",
    [
        count("s"),
        Statistic(name="s", agg="count_persons"),
        total(),
        total(clamp=(-1, 1)),
        total(clamp=(0, 1)),
        total(agg="mean"),
        total(agg="mean", clamp=(-1, 1)),
        variance(),
        variance(clamp=(-1, 1)),
        variance(agg="stddev", clamp=(0, 1)),
        ratio(OF_A),
        ratio(OF_A, POSITIVE),
        ratio(POSITIVE, Not(OF_A)),
    ],
    ids=lambda statistic: f"{statistic.agg}{statistic.clamp or ''}",
)
def test_sensitivity_is_what_the_most_extreme_person_moves_and_no_more(statistic, group_by, rows) -> None:
    """In L1 for Laplace noise, in squared L2 for Gaussian noise."""
    for planned in both_measures(query(statistic, group_by=group_by), rows):
        most = max(moved(planned, [], [person])[0] for person in everybody(planned.schema))
        assert sensitivities(planned) == [most]


@pytest.mark.parametrize("rows", [2, 3])
@pytest.mark.parametrize("group_by", GROUPED[:2])
@pytest.mark.parametrize(
    ("person", "tight"),
    [
        ((-3, 3), True),
        ((-3, -2), True),
        ((-4, 4), False),
        ((-1, 1), True),
        ((-7, 0), False),
        ((-100, 100), False),
        ((2, 5), False),
        ((-9, -5), False),
    ],
    ids=str,
)  # fmt: skip
def test_sums_clamped_per_person_move_no_further_than_their_sensitivity(
    group_by, rows, person, tight
) -> None:
    """With zero inside the clamp and outside; reached where a single row can reach the clamp's farther end."""
    asked = query(total(per_person_clamp=person), group_by=group_by)
    for planned in both_measures(asked, rows):
        most = max(moved(planned, [], [one])[0] for one in everybody(planned.schema))
        (bound,) = sensitivities(planned)
        assert most == bound if tight else most <= bound


def test_a_clamp_per_person_lowers_the_sensitivity_of_many_rows() -> None:
    asked = query(total(per_person_clamp=(-4, 4)))
    assert [sensitivities(planned) for planned in both_measures(asked, 3)] == [[4], [16]]
    far = query(total(per_person_clamp=(-100, 100)))
    assert sensitivities(both_measures(far, 3)[0]) == [9]


@pytest.mark.parametrize(("bound", "rows"), [(1, 2), (1, 3), (2, 3)])
def test_a_narrower_bound_lowers_sensitivities_but_not_that_of_the_share_kept(bound: int, rows: int) -> None:
    """Rows left out count as well, so a person moves the share kept by all rows, but not all of them into one class."""
    asked = query(count("a"), variance(), Statistic(name="kept", agg="share_kept"), rows_per_person=bound)
    for planned in both_measures(asked, rows):
        everyone = [moved(planned, [], [person]) for person in everybody(planned.schema)]
        *most, kept = [max(column) for column in zip(*everyone, strict=True)]
        power = 1 if planned.schema.measure == "pure" else 2
        assert sensitivities(planned) == [*most, kept]
        power = 1 if planned.schema.measure == "pure" else 2
        assert most == [bound**power, (16 * bound) ** power]
        assert kept == (rows if power == 1 else bound**2 + (rows - bound) ** 2)


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("agg", ["count", "sum", "mean", "variance"])
def test_each_grid_of_margins_and_workloads_has_the_sensitivity_of_a_table(agg: str, rows: int) -> None:
    statistic = total(agg=agg) if agg != "count" else count("s")
    keys = (Key(column="k", missing=True), Key(column="n", bins=(-3, 0, 2)))
    tables = tuple(WorkloadTable(name=f"t{place}", group_by=(key,)) for place, key in enumerate(keys))
    for asked in (query(statistic, group_by=keys, totals=True), query(statistic, tables=tables)):
        for planned in both_measures(asked, rows):
            everyone = [moved(planned, [], [person]) for person in everybody(planned.schema)]
            assert sensitivities(planned) == [max(column) for column in zip(*everyone, strict=True)]


@SMALL
@given(st.data())
def test_nobody_moves_a_measurement_further_than_its_sensitivity(data) -> None:
    schema = data.draw(schemas())
    planned = plan(data.draw(queries(schema)), schema)
    rows = st.sampled_from(every_row(schema))
    person = data.draw(st.lists(rows, min_size=1, max_size=schema.rows_per_person))
    others = data.draw(st.lists(st.lists(rows, min_size=1, max_size=schema.rows_per_person), max_size=3))
    for bound, distance in zip(
        sensitivities(planned), moved(planned, others, [*others, person]), strict=True
    ):
        assert distance <= bound


@SMALL
@given(st.data())
def test_prices_of_the_parts_add_up_to_the_price_of_the_question(data) -> None:
    schema = data.draw(schemas())
    planned = plan(data.draw(queries(schema)), schema)
    dearest: dict[int, int] = {}
    for part, number in zip(planned.measurements, planned.sets, strict=True):
        dearest[number] = max(part.price.nano, dearest.get(number, 0))
    assert sum(dearest.values()) == planned.price.nano
    for part in planned.measurements:
        if not getattr(part.estimator, "by_splits", False):  # there the sides of a split share nothing
            assert sum(draw.mechanism.price.nano for draw in part.draws) == part.price.nano


def test_laplace_noise_is_told_l1_and_gaussian_noise_squared_l2() -> None:
    """Three rows of one person: 3 in L1, 9 in squared L2; one person in three cells: 3 in both."""
    zcdp = register(*TINY, rows=3, measure="zcdp")
    persons = Statistic(name="p", agg="count_persons")
    asked = query(count("c"), persons, group_by=(Key(column="n"),))
    found = {kind: sensitivities(plan(replace(asked, mechanism=kind), zcdp)) for kind in MECHANISMS}
    assert found == {"discrete_laplace": [3, 3], "discrete_gaussian": [9, 3]}


def test_weights_share_the_price() -> None:
    planned = plan(query(count("a"), count("b"), weights={"a": Fraction(3)}), TOWN)
    assert [str(part.price) for part in planned.measurements] == ["0.75", "0.25"]


def test_of_two_equal_statistics_the_dearer_price_stands() -> None:
    planned = plan(query(count("a"), count("b"), weights={"b": Fraction(3)}), TOWN)
    assert planned.prices == {"count": 750_000_000}


def test_persons_with_one_row_each_are_counted_as_rows() -> None:
    asked = query(Statistic(name="p", agg="count_persons"))
    assert plan(asked, TOWN).exact_requests == plan(query(), TOWN).exact_requests
    assert plan(asked, FAMILIES).exact_requests != plan(query(), FAMILIES).exact_requests


# Fingerprints


BASE = query(count("n"), total("s", column="age"), group_by=(Key(column="age", bins=(0, 20, 120)),))


@pytest.mark.parametrize(
    "same",
    [
        replace(BASE, budget=Price.parse("0.3")),
        replace(BASE, select=BASE.select[::-1]),
        replace(BASE, select=(count("other"), total("t", column="age"))),
        replace(BASE, select=(*BASE.select, count("again"))),
        replace(BASE, select=(BASE.select[0], total("s", column="age", clamp=(0, 120)))),
        replace(BASE, group_by=(Key(column="age", bins=(Decimal("0.0"), 20, 120)),)),
        replace(BASE, weights={"n": Fraction(7)}),
        replace(BASE, reuse="never"),
        replace(BASE, rows_per_person=1),
    ],
)
def test_equal_questions_have_one_fingerprint(same) -> None:
    assert plan(same, TOWN).fingerprint == plan(BASE, TOWN).fingerprint


@pytest.mark.parametrize(
    "other",
    [
        replace(BASE, select=BASE.select[:1]),
        replace(BASE, select=(BASE.select[0], total("s", column="age", agg="mean"))),
        replace(BASE, select=(BASE.select[0], total("s", column="income"))),
        replace(BASE, select=(BASE.select[0], total("s", column="age", clamp=(0, 119)))),
        replace(BASE, group_by=()),
        replace(BASE, group_by=(Key(column="age", bins=(0, 20, 119)),)),
        replace(BASE, group_by=(Key(column="age", bins=(0, 20, 120), missing=True),)),
        replace(BASE, where=Compare(column="age", op="<", values=(120,))),
        replace(BASE, select=(BASE.select[0], total("s", column="age", agg="variance"))),
        replace(BASE, select=(BASE.select[0], total("s", column="age", agg="median"))),
        replace(BASE, select=(BASE.select[0], total("s", column="age", agg="median", value_bounds=True))),
        replace(BASE, select=(BASE.select[0], total("s", column="age", per_person_clamp=(0, 100)))),
        replace(BASE, totals=True),
        replace(BASE, totals=True, whole=True),
        replace(BASE, group_by=(), tables=(WorkloadTable(name="t", group_by=BASE.group_by),)),
        replace(BASE, group_by=(), tables=(WorkloadTable(name="u", group_by=BASE.group_by),)),
    ],
)
def test_different_questions_have_different_fingerprints(other) -> None:
    assert plan(other, TOWN).fingerprint != plan(BASE, TOWN).fingerprint


def ages(*values: int) -> Compare:
    return Compare(column="age", op="in", values=values)


RECORDED = {
    "978f051b1eec1a81": query(count("n")),
    "b05137a1ec05fdc2": query(
        where=All(
            (
                ages(1, 2, 3, 9),
                Not(
                    Any(
                        (
                            Compare(column="sex", op="=", values=("f",)),
                            Compare(column="age", op="between", values=(20, 40)),
                        )
                    )
                ),
            )
        )
    ),
    "f241a1e4c214bc76": query(
        group_by=(Key(column="sex", missing=True), Key(column="age", bins=(0, 20, 65, 119)))
    ),
    "40b666f9a1185840": query(
        total(column="income", clamp=(0, 8)), group_by=(Key(column="born", by="fiscal_year"),)
    ),
    "e5d4fa6a7d9f2b99": query(
        group_by=(Key(column="sex"), Key(column="age", bins=(0, 20, 65, 119))), totals=True, whole=True
    ),
    "81fb1cd9214ffb49": query(
        tables=(
            WorkloadTable(name="a", group_by=(Key(column="sex"),)),
            WorkloadTable(name="b", group_by=(Key(column="age", bins=(0, 20, 65)),)),
        )
    ),
    "9b7d0eb348de7516": query(ratio(ages(5, 7), Compare(column="age", op=">", values=(60,)))),
    "ce0cec658d10fb90": query(
        total("q", agg="quantile", column="income", q=(Decimal("0.25"), Decimal("0.5")), value_bounds=True),
        total("m", agg="mean", column="age"),
    ),
}
"""Beginnings of fingerprints as earlier releases stored them with answers."""


@pytest.mark.parametrize("fingerprint", RECORDED)
def test_fingerprints_are_those_that_answers_were_stored_under(fingerprint: str) -> None:
    assert plan(RECORDED[fingerprint], TOWN).fingerprint.startswith(f"sha256:{fingerprint}")


def test_questions_that_differ_in_one_member_all_have_their_own_fingerprint() -> None:
    quantile = total("q", column="age", agg="quantile")
    asked = [
        query(replace(quantile, q=(Decimal("0.5"),))),
        query(replace(quantile, q=(Decimal("0.9"),))),
        query(replace(quantile, q=(Decimal("0.5"), Decimal("0.9")))),
        query(replace(quantile, q=(Decimal("0.5"),), value_bounds=True)),
        query(ratio(Compare(column="age", op="<", values=(9,)))),
        query(ratio(Compare(column="age", op="<", values=(8,)))),
        query(
            ratio(Compare(column="age", op="<", values=(9,)), Compare(column="sex", op="=", values=("f",)))
        ),
        query(),
        query(rows_per_person=1),
        query(group_by=(Key(column="born", by="year"),)),
        query(group_by=(Key(column="born", by="fiscal_year"),)),
        query(mechanism="discrete_laplace"),
    ]
    assert len({plan(one, FAMILIES).fingerprint for one in asked}) == len(asked)


def test_the_median_and_the_half_quantile_are_one_question() -> None:
    half = total("q", column="age", agg="quantile", q=(Decimal("0.50"),))
    assert (
        plan(query(half), TOWN).fingerprint
        == plan(query(total("m", column="age", agg="median")), TOWN).fingerprint
    )


# Prices and limits


def test_a_question_above_the_limit_of_one_query_is_refused_with_both_amounts() -> None:
    with pytest.raises(AboveQueryLimit) as refused:
        plan(query(budget=Price.parse("10.000000001")), TOWN)
    assert (str(refused.value.price), str(refused.value.limit)) == ("10.000000001", "10")


def test_the_limit_of_one_query_itself_is_allowed() -> None:
    assert str(plan(query(budget=Price.parse("10")), TOWN).price) == "10"


def test_a_share_below_the_least_price_is_refused() -> None:
    assert plan(query(budget=PRICE_MIN), TOWN).price == PRICE_MIN
    with pytest.raises(InvalidQuery) as refused:
        plan(query(count("n"), count("m"), budget=PRICE_MIN), TOWN)
    assert [(problem.pointer, problem.reason) for problem in refused.value.problems] == [
        ("/select/0", "share_too_small"),
        ("/select/1", "share_too_small"),
    ]


N_AND_S = (count("n"), total("s", column="age"))
BY_AGE = (Key(column="age", bins=(0, 20, 65, 120)), Key(column="k"))
FEW = Accuracy(of="s", within=10**9, confidence=Decimal("0.95"), rows=1)
SHARED = {
    "plain": query(*N_AND_S),
    "totals": query(*N_AND_S, group_by=BY_AGE, totals=True),
    "workload": query(
        *N_AND_S, tables=tuple(WorkloadTable(name=key.column, group_by=(key,)) for key in BY_AGE)
    ),
    "by choice": query(count("n"), total("s", column="age", agg="median")),
    "by splits": query(
        count("n"),
        total("s", column="age", agg="quantile", q=tuple(Decimal(tenth) / 10 for tenth in range(1, 10))),
    ),
    "with bounds": query(count("n"), total("s", column="age", agg="median", value_bounds=True)),
    "of a ratio": query(count("n"), ratio(POSITIVE)),
}


@pytest.mark.parametrize("way", SHARED)
@pytest.mark.parametrize("measure", ["pure", "zcdp"])
@pytest.mark.parametrize("weight", [Fraction(1, 10**11), Fraction(1, 10**39), Fraction(1234567891, 10**38)])
@pytest.mark.parametrize(
    "accuracy", [None, FEW, replace(FEW, of="n")], ids=["price", "accuracy", "accuracy of another"]
)
def test_a_share_of_next_to_nothing_is_refused_before_noise_is_made_for_it(
    way: str, measure: str, weight: Fraction, accuracy: Accuracy | None
) -> None:
    schema = register(*TINY, Number(name="age", low=0, high=120), measure=measure)  # type: ignore[arg-type]
    asked = replace(SHARED[way], weights={"n": Fraction(10**9), "s": weight})
    if accuracy is not None:
        asked = replace(asked, budget=accuracy)
    with pytest.raises(InvalidQuery) as refused:
        plan(asked, schema)
    (problem,) = refused.value.problems
    assert (problem.pointer, problem.reason) == ("/select/1", "share_too_small")
    assert Decimal(str(problem.given)) < Decimal(str(problem.expected)) == Decimal("0.000001")


# Units


@pytest.mark.parametrize(
    ("steps", "step", "units"), [(3, "1000", 3000), (-5, "0.5", -2.5), (3, "0.1", 0.3), (2, "1", 2)]
)
def test_steps_are_told_in_units(steps: int, step: str, units: float) -> None:
    assert in_units(steps, Decimal(step)) == units
