"""Filters of statistics: what they count, and that those which exclude each other share one price, and no others."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from doubles import (
    FAMILIES,
    ONE,
    SEX,
    TOWN,
    crowds,
    exact_by_hand,
    moved,
    persons,
    queries,
    query,
    register,
    schemas,
)
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from privacy.budget import Price
from privacy.filters import EVERYTHING, Member, every, some
from privacy.parallel import are_disjoint, box_of
from privacy.plan import Plan, plan
from privacy.query import Accuracy, All, Any, Compare, InvalidQuery, Key, Not, Statistic, Where
from privacy.schema import UndeclaredColumn


def sex(*values: str) -> Compare:
    return Compare(column="sex", op="in", values=values)


def age(op: str, *values: int) -> Compare:
    return Compare(column="age", op=op, values=values)


def counts(*wheres: Where | None, agg: str = "count", column: str | None = None) -> list[Statistic]:
    return [
        Statistic(name=f"s{place}", agg=agg, column=column, where=where) for place, where in enumerate(wheres)
    ]


def split_of(planned: Plan) -> list[str]:
    return [str(part.price) for part in planned.measurements]


def test_each_statistic_counts_the_rows_of_its_own_filter():
    planned = plan(query(*counts(sex("f"), None), where=age("<", 50), group_by=(Key(column="sex"),)), TOWN)
    people = [[(0, 20, 0, 0)], [(0, 60, 0, 0)], [(1, 20, 0, 0)]]
    mine, all_of_them = exact_by_hand(planned, people).values()
    assert (mine.tolist(), all_of_them.tolist()) == ([1, 0, 0], [1, 1, 0])


def test_filters_that_exclude_each_other_share_one_price():
    assert split_of(plan(query(*counts(sex("f"), sex("m"), sex("x"))), TOWN)) == ["1"] * 3


@pytest.mark.parametrize(
    ("wheres", "split"),
    [
        # Whoever is counted twice costs twice.
        ([sex("f"), None], ["0.5", "0.5"]),
        ([sex("f"), sex("f", "m")], ["0.5", "0.5"]),
        ([None, None], ["0.5", "0.5"]),
        ([sex("f"), sex("m"), None], ["0.5", "0.5", "0.5"]),
        ([sex("f"), sex("m"), sex("f")], ["0.5", "0.5", "0.5"]),
        ([age("<", 20), age("between", 20, 64), age(">", 64)], ["1", "1", "1"]),
        ([age("<", 20), age("between", 19, 64), age(">", 64)], ["0.5", "0.5", "0.5"]),
        ([sex("f"), Not(sex("f"))], ["1", "1"]),
        ([sex("f"), Compare(column="sex", op="is_missing")], ["1", "1"]),
        ([All((sex("f"), age("<", 9))), All((sex("f"), age(">", 9)))], ["1", "1"]),
        ([Any((sex("f"), age("<", 9))), All((sex("m"), age(">", 9)))], ["0.5", "0.5"]),
        ([Any((All((sex("f"), age("<", 9))), All((sex("x"), age("<", 5))))), age(">", 9)], ["1", "1"]),
        ([All((sex("f"), sex("m"))), sex("m")], ["1", "1"]),
    ],
)
def test_what_can_be_seen_to_exclude_each_other(wheres, split):
    assert split_of(plan(query(*counts(*wheres)), TOWN)) == split


def test_weights_stay_the_callers():
    planned = plan(
        query(
            *counts(sex("f"), sex("m"), None),
            weights={"s0": Fraction(3), "s1": Fraction(1), "s2": Fraction(1)},
        ),
        TOWN,
    )
    assert split_of(planned) == ["0.75", "0.25", "0.25"]


def test_persons_of_several_rows_pay_for_each_filter():
    select = counts(sex("f"), sex("m"), agg="count_persons")
    # One of three rows moves a count of persons as far as all three, so a person would cost twice.
    assert split_of(plan(query(*select), FAMILIES)) == ["0.5", "0.5"]
    assert split_of(plan(query(*select), TOWN)) == ["1", "1"]
    assert split_of(plan(query(*counts(sex("f"), sex("m"))), FAMILIES)) == ["1", "1"]


def test_rows_beyond_a_narrower_bound_are_no_part_of_it():
    shares = [
        Statistic(name="a", agg="share_kept", where=sex("f")),
        Statistic(name="b", agg="count", where=sex("m")),
    ]
    assert split_of(plan(query(*shares, rows_per_person=1), FAMILIES)) == ["0.5", "0.5"]


def test_totals_of_persons_pay_for_each_filter():
    select = [
        Statistic(name=name, agg="sum", column="age", per_person_clamp=(0, 9), where=sex(name))
        for name in ("f", "m")
    ]
    assert split_of(plan(query(*select), FAMILIES)) == ["0.5", "0.5"]


def test_an_accuracy_is_reached_at_the_price_of_one():
    asked = Accuracy(of="s1", within=20, confidence=Decimal("0.95"))
    alone = plan(
        query(*counts(sex("m")), budget=Accuracy(of="s0", within=20, confidence=Decimal("0.95"))), TOWN
    )
    both = plan(query(*counts(sex("f"), sex("m")), budget=asked), TOWN)
    assert alone.price <= both.price <= Price(alone.price.nano + 3)


def test_what_a_told_answer_is_worth():
    planned = plan(query(*counts(sex("f"), sex("m"), None)), TOWN)
    assert planned.worth(planned.prices) == planned.price == ONE
    equal = plan(query(*counts(None, None)), TOWN)
    assert equal.worth(equal.prices) == Price.parse("0.5")


def test_a_filter_of_everything_is_none():
    everything, none = (plan(query(*counts(where)), TOWN) for where in (All(()), None))
    assert everything.fingerprint == none.fingerprint
    assert plan(query(*counts(sex("f"))), TOWN).fingerprint != none.fingerprint


def test_by_undeclared_values_the_question_has_the_filter():
    schema = register(SEX, UndeclaredColumn(name="employer"), measure="zcdp")
    schema = replace(schema, delta_per_query=Fraction(1, 10**6))
    with pytest.raises(InvalidQuery) as caught:
        plan(query(*counts(sex("f")), group_by=(Key(column="employer"),)), schema)
    assert [(one.pointer, one.reason) for one in caught.value.problems] == [
        ("/select/0/where", "where_of_question")
    ]


def test_boxes_hold_every_row_that_matches():
    tree = some([every([Member(0, ((0, 0),)), Member(1, ((0, 9),))]), Member(0, ((2, 2),))])
    assert box_of(tree) == {0: ((0, 0), (2, 2))}
    assert box_of(EVERYTHING) == {}
    assert are_disjoint(box_of(some([])), box_of(EVERYTHING))
    assert not are_disjoint(box_of(EVERYTHING), box_of(tree))


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_person_costs_no_more_than_the_price(data):
    """All statistics together: what each draw is moved, as a share of its price, adds up to no more than the plan's."""
    schema = data.draw(schemas())
    planned = plan(data.draw(queries(schema)), schema)
    assume(len(planned.measurements) > 1)
    crowd, newcomer = data.draw(crowds(schema, most=3)), data.draw(persons(schema))
    distances = iter(moved(planned, crowd, [*crowd, newcomer]))
    spent = Fraction(0)
    for part in planned.measurements:
        shares = [next(distances) / draw.mechanism.sensitivity for draw in part.draws]
        if part.draws[0].mechanism.kind == "noisy_max":
            # `moved` tells the same part of the statistic's whole price for each of its choices.
            spent += shares[0] * part.price.nano
            continue
        for share, draw in zip(shares, part.draws, strict=True):
            laplace_in_rho = schema.measure == "zcdp" and draw.mechanism.kind == "discrete_laplace"
            spent += draw.mechanism.price.nano * (share**2 if laplace_in_rho else share)
    event(f"sharing: {len(set(planned.sets)) < len(planned.sets)}")
    assert spent <= planned.price.nano
