"""Quantiles: scores and their sensitivity, trees, and what is released."""

import math
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise

import numpy as np
import pytest
from doubles import AGE, SEX, TOWN, Silence, drawn, exact_by_hand, query, register
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.answer import release, table
from privacy.budget import Price
from privacy.distributions import NoiseDistribution
from privacy.exact import ExactAggregate
from privacy.noise import OpendpNoise
from privacy.plan import Plan, plan
from privacy.quantiles import (
    BINS_MAX,
    CHOICES_MAX,
    NoisyChoice,
    Quantiles,
    bins_max,
    plan_bins,
    plan_method,
)
from privacy.query import InvalidQuery, Key, Statistic
from privacy.schema import Date, Number, Schema
from privacy.trees import consistent_leaves, levels_of, monotone, rank_deviation

SMALL = settings(deadline=None, derandomize=True, max_examples=40)
HALF = Fraction(1, 2)
QS = st.sampled_from([Fraction(0), Fraction(1, 10), HALF, Fraction(3, 4), Fraction(999, 1000), Fraction(1)])
ONE = Price.parse("1")


def quantiles(
    *qs: Fraction, bins: int = 6, rows: int = 1, branching: int = 0, ends: bool = False
) -> Quantiles:
    return Quantiles(
        key="",
        column=0,
        rows=rows,
        low=0,
        high=bins - 1,
        width=1,
        qs=qs,
        value_bounds=ends,
        branching=branching,
        unit=None,
        step=Decimal(1),
    )


class Watching(Silence):
    """Keeps the scores that it chooses from."""

    def __init__(self) -> None:
        self.scores: list[list[int]] = []

    def top(self, scores: np.ndarray, mechanism) -> int:  # type: ignore[no-untyped-def]
        self.scores.append(scores.tolist())
        return super().top(scores, mechanism)


def scores(estimator: Quantiles, codes: tuple[int, ...]) -> list[list[int]]:
    """The scores of every choice over the values of one cell."""
    noise = Watching()
    histogram = np.bincount(codes, minlength=estimator.bins).astype(np.int64)
    estimator.choose(lambda exact: histogram, estimator.mechanisms(ONE, "pure"), noise)
    return noise.scores


def asked(agg: str = "median", schema: Schema = TOWN, *, epsilon: str = "1", **changes: object) -> Plan:
    statistic = {"name": "m", "agg": agg, "column": "age", **changes}
    group_by = statistic.pop("group_by", ())
    return plan(
        query(Statistic(**statistic), budget=Price.parse(epsilon), group_by=group_by),
        schema,  # type: ignore[arg-type]
    )


def rendered(planned: Plan, people, noise=None) -> dict[str, object]:
    made = table(planned, release(planned, exact_by_hand(planned, people), noise or Silence()))
    return {column.name: column.values[0] for column in made.columns}


# Choices


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("q", [Fraction(0), Fraction(1, 4), HALF, Fraction(9, 10), Fraction(1)], ids=str)
def test_no_person_moves_a_score_further_than_its_sensitivity_and_somebody_moves_one_as_far(
    q: Fraction, ends: bool, rows: int
) -> None:
    estimator = quantiles(q, bins=4, rows=rows, ends=ends)
    others = [crowd for size in range(4) for crowd in combinations_with_replacement(range(4), size)]
    bounds = [mechanism.sensitivity for mechanism in estimator.mechanisms(ONE, "pure")]
    most = [0] * len(bounds)
    for crowd in others:
        before = scores(estimator, crowd)
        for person in combinations_with_replacement(range(4), rows):
            after = scores(estimator, crowd + person)
            apart = [
                max(abs(a - b) for a, b in zip(left, right, strict=True))
                for left, right in zip(before, after, strict=True)
            ]
            most = [max(pair) for pair in zip(most, apart, strict=True)]
    assert bounds == [rows * max(q.numerator, q.denominator - q.numerator)] * len(bounds)
    assert most == bounds if not ends else most[0] == bounds[0] and max(most) <= bounds[0]


@SMALL
@given(QS, st.lists(st.integers(0, 5), max_size=12), st.lists(st.integers(0, 5), min_size=1, max_size=3))
def test_rows_in_several_cells_move_the_scores_of_all_together_no_further(q, crowd, person) -> None:
    """Cells are disjoint: what a person moves in each adds up to the sensitivity at most."""
    estimator = quantiles(q, rows=len(person), ends=True)
    before = scores(estimator, tuple(crowd))
    total = [0] * len(before)
    for row in person:
        after = scores(estimator, (*crowd, row))
        for place, (left, right) in enumerate(zip(before, after, strict=True)):
            total[place] += max(abs(a - b) for a, b in zip(left, right, strict=True))
    assert all(
        moved <= one.sensitivity for moved, one in zip(total, estimator.mechanisms(ONE, "pure"), strict=True)
    )


@SMALL
@given(QS, st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_a_score_is_minus_the_rows_between_a_bin_and_the_rank(q: Fraction, codes: list[int]) -> None:
    (found,) = scores(quantiles(q), tuple(codes))
    goal = q * len(codes)
    for code, score in enumerate(found):
        below, upto = sum(one < code for one in codes), sum(one <= code for one in codes)
        assert Fraction(score, q.denominator) == -max(0, below - goal, goal - upto)


@SMALL
@given(QS, st.lists(st.integers(0, 120), min_size=1, max_size=30))
def test_without_noise_a_quantile_is_the_least_value_that_enough_do_not_exceed(q, ages: list[int]) -> None:
    planned = asked("quantile", q=(Decimal(q.numerator) / Decimal(q.denominator),))
    found = rendered(planned, [[(0, age, 0, 0)] for age in ages])["m"]
    if planned.measurements[0].estimator.by_tree:  # type: ignore[union-attr]
        return
    below = sum(age < found for age in ages)  # type: ignore[operator]
    upto = sum(age <= found for age in ages)  # type: ignore[operator]
    assert below <= q * len(ages) <= upto


def test_each_choice_costs_its_share_and_all_together_the_price() -> None:
    many = tuple(Fraction(place, 10) for place in (1, 5, 9))
    parts = [one.price.nano for one in quantiles(*many).mechanisms(ONE, "pure")]
    assert parts == [333_333_334, 333_333_333, 333_333_333]
    bounded = quantiles(*many, ends=True).mechanisms(Price.parse("1.2"), "pure")
    assert [str(one.price) for one in bounded] == ["0.2"] * 6


def test_choices_are_drawn_cell_by_cell() -> None:
    planned = asked("median", epsilon="0.5", group_by=(Key(column="sex"),))
    draws = drawn(planned, [[(0, 7, 0, 0)]])
    assert [draw.mechanism.kind for draw in draws] == ["noisy_max"] * 3
    assert {len(draw.exact) for draw in draws} == {121}


# Bins


@pytest.mark.parametrize(("cells", "draws"), [(1, 1), (10, 3), (1_000, 1), (64, 27)])
@pytest.mark.parametrize("span", [1, 120, 16_383, 16_384, 10**6, 10**9])
def test_bins_are_as_narrow_as_the_drawing_allows(span: int, cells: int, draws: int) -> None:
    most = min(BINS_MAX, CHOICES_MAX // (cells * draws))
    width = plan_bins(0, span, bins_max(cells, draws))
    assert span // width + 1 <= most
    assert str(width).rstrip("0") in ("1", "2", "5")
    narrower = {"1": width // 2, "2": width // 2, "5": width * 2 // 5}[str(width)[0]]
    assert width == 1 or span // narrower + 1 > most


def test_no_width_leaves_no_bins_at_all_and_the_search_for_one_ends() -> None:
    assert bins_max(CHOICES_MAX, 1) == 1
    assert bins_max(CHOICES_MAX + 1, 1) == 0
    for most in (0, -1):
        with pytest.raises(ValueError, match="no width"):
            plan_bins(0, 10**9, most)
    assert plan_bins(0, 2**63, 1) > 2**63


@pytest.mark.parametrize("agg", ["median", "quantile"])
def test_more_draws_than_may_be_made_are_refused_and_never_looked_for_a_width(agg: str) -> None:
    wide = register(*(Number(name=name, low=1, high=100_000) for name in ("i", "j", "k")))
    q = tuple(Decimal(tenth) / 10 for tenth in range(1, 10)) if agg == "quantile" else None
    for keys, bounded in (("i", True), ("ijk", False)):
        group_by = tuple(Key(column=name) for name in keys)
        statistic = Statistic(name="m", agg=agg, column="j", q=q, value_bounds=bounded or None)
        with pytest.raises(InvalidQuery) as refused:
            plan(query(statistic, group_by=group_by), wide)
        (problem,) = refused.value.problems
        assert (problem.pointer, problem.reason) == ("/group_by", "too_many_cells")
        assert isinstance(problem.expected, int)


def test_too_many_cells_for_a_fair_number_of_bins_are_refused() -> None:
    wide = register(Number(name="k", low=1, high=50_000), AGE)
    assert asked("median", wide, group_by=(Key(column="age", bins=(0, 9, 120)),)).cells == 2
    crowded = Statistic(name="m", agg="quantile", column="k", q=(Decimal("0.1"), Decimal("0.5")))
    with pytest.raises(InvalidQuery) as refused:
        plan(query(replace(crowded, column="age"), group_by=(Key(column="k"),)), wide)
    assert [(one.pointer, one.reason) for one in refused.value.problems] == [("/group_by", "too_many_cells")]


@pytest.mark.parametrize("high", [16, 100, 119, 50_000, 10**9])
def test_the_limit_that_a_refusal_tells_is_the_limit(high: int) -> None:
    wide = register(Number(name="k", low=1, high=2**17), Number(name="v", low=0, high=high))
    median = Statistic(name="m", agg="median", column="v")
    with pytest.raises(InvalidQuery) as refused:
        plan(query(median, group_by=(Key(column="k", bins=tuple(range(1, 2**16))),)), wide)
    most = refused.value.problems[0].expected
    assert isinstance(most, int)
    assert (
        plan(query(median, group_by=(Key(column="k", bins=tuple(range(1, most + 2))),)), wide).cells == most
    )
    with pytest.raises(InvalidQuery):
        plan(query(median, group_by=(Key(column="k", bins=tuple(range(1, most + 3))),)), wide)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_bin_is_told_as_its_middle_and_a_bound_as_its_outer_edge(width: int) -> None:
    estimator = replace(quantiles(HALF), low=3, high=25, width=width)
    for bin in range(estimator.bins):
        codes = [code for code in range(3, 26) if (code - 3) // width == bin]
        assert estimator.code_bounds("value", bin) == (codes[0] + codes[-1]) / 2
        assert (estimator.code_bounds("low", bin), estimator.code_bounds("high", bin)) == (
            codes[0],
            codes[-1],
        )
    assert (estimator.code_bounds("low", -1), estimator.code_bounds("high", estimator.bins)) == (3, 25)


def test_a_median_of_dates_is_a_date() -> None:
    people = [[(0, 0, 0, day)] for day in (10, 20, 30)]
    assert rendered(asked("median", column="born", epsilon="10"), people)["m"] == "1970-01-21"


def test_wide_dates_are_told_to_the_days_of_a_bin() -> None:
    wide = register(Date(name="d", low=0, high=40_000))
    made = table(
        planned := asked("median", wide, column="d"),
        release(planned, exact_by_hand(planned, [[(1_000,)]]), Silence()),
    )
    assert made.columns[0].about["resolution"] == "5 d"


# Trees


@pytest.mark.parametrize(("bins", "branching"), [(2, 2), (7, 2), (16, 4), (121, 5), (16_384, 16), (10, 10)])
def test_a_tree_has_levels_that_end_in_its_bins(bins: int, branching: int) -> None:
    levels = levels_of(bins, branching)
    assert levels[-1] == bins
    assert levels[0] <= branching
    assert all(above == math.ceil(below / branching) for above, below in pairwise(levels))


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("branching", [2, 3, 6])
def test_a_person_moves_one_count_of_each_level_for_every_row(branching: int, rows: int) -> None:
    """h·k in L1; and in squared L2 h·k² where all rows fall into one bin."""
    estimator = quantiles(HALF, branching=branching, rows=rows)
    empty = estimator.counts(lambda exact: np.zeros(6, dtype=np.int64))
    most = [0, 0]
    for person in combinations_with_replacement(range(6), rows):
        histogram = np.bincount(person, minlength=6).astype(np.int64)
        sizes = np.abs(estimator.counts(lambda exact, histogram=histogram: histogram) - empty)
        most = [max(most[0], int(sizes.sum())), max(most[1], int((sizes**2).sum()))]
    assert most == [estimator.l1(1), estimator.squared(1)]
    assert most == [len(estimator.levels) * rows, len(estimator.levels) * rows**2]


@SMALL
@given(st.integers(2, 30), st.integers(2, 6), st.data())
def test_every_node_of_a_tree_counts_what_stands_below_it(bins: int, branching: int, data) -> None:
    estimator = quantiles(HALF, bins=bins, branching=branching)
    histogram = np.array(data.draw(st.lists(st.integers(0, 9), min_size=bins, max_size=bins)))
    nodes = estimator.counts(lambda exact: histogram)[:, 0].tolist()
    assert len(nodes) == sum(estimator.levels)
    place = 0
    for depth, size in enumerate(estimator.levels):
        reach = branching ** (len(estimator.levels) - 1 - depth)
        for node in range(size):
            assert nodes[place + node] == histogram[node * reach : (node + 1) * reach].sum()
        place += size


@SMALL
@given(st.integers(2, 30), st.integers(2, 6), st.integers(0, 2**32))
def test_consistent_leaves_are_those_of_least_squares(bins: int, branching: int, seed: int) -> None:
    estimator = quantiles(HALF, bins=bins, branching=branching)
    nodes = np.stack(
        [estimator.counts(lambda exact, one=one: one)[:, 0] for one in np.eye(bins, dtype=np.int64)], axis=1
    )
    noisy = np.random.default_rng(seed).normal(5, 3, len(nodes))
    best = np.linalg.lstsq(nodes.astype(float), noisy, rcond=None)[0]
    found = consistent_leaves(noisy[None, :], estimator.levels, branching)[0, :bins]
    assert found == pytest.approx(best, abs=1e-8)


@SMALL
@given(st.integers(2, 200), st.integers(2, 16), QS)
def test_the_deviation_of_a_rank_is_never_understated(bins: int, branching: int, q: Fraction) -> None:
    """Least squares over the tree err no more than the sum of nodes along the path, of which this is a bound."""
    estimator = quantiles(q, bins=min(bins, 40), branching=branching)
    nodes = np.stack(
        [
            estimator.counts(lambda exact, one=one: one)[:, 0]
            for one in np.eye(estimator.bins, dtype=np.int64)
        ],
        axis=1,
    ).astype(float)
    covariance = np.linalg.pinv(nodes.T @ nodes)
    share = float(q)
    worst = 0.0
    for bin in range(estimator.bins + 1):
        weights = np.where(np.arange(estimator.bins) < bin, 1 - share, -share)
        worst = max(worst, math.sqrt(max(0.0, weights @ covariance @ weights)))
    assert worst <= rank_deviation(estimator.bins, branching, q) + 1e-9


def percentiles(*several: int) -> tuple[Fraction, ...]:
    return tuple(Fraction(one, 100) for one in several)


@pytest.mark.parametrize("measure", ["pure", "zcdp"])
def test_one_quantile_is_chosen_several_split_and_many_read_off_a_tree(measure) -> None:
    one = plan_method(121, (HALF,), measure, value_bounds=False)
    deciles = plan_method(16_000, percentiles(*range(10, 100, 10)), measure, value_bounds=False)
    many = plan_method(10, percentiles(*range(1, 100)), measure, value_bounds=False)
    assert (one.branching, one.by_splits) == (0, False)
    assert (deciles.branching, deciles.by_splits) == (0, True)
    assert many.branching > 0


def test_one_bin_needs_no_tree() -> None:
    assert plan_method(1, (HALF,), "pure", value_bounds=True).branching == 0


@SMALL
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20))
def test_ranks_are_made_to_ascend_and_ascending_ones_stay(ranks: list[float]) -> None:
    made = monotone(np.array([ranks]))[0]
    assert (np.diff(made) >= 0).all()
    assert monotone(np.array([sorted(ranks)]))[0].tolist() == sorted(ranks)


# What is released


MANY = tuple(Decimal(place) / 20 for place in range(1, 20))


@pytest.mark.parametrize("epsilon", ["0.05", "1", "10"])
@pytest.mark.parametrize("q", [MANY[:3], MANY], ids=["few", "many"])
@pytest.mark.parametrize("ends", [False, True])
def test_quantiles_ascend_whatever_the_noise(q, epsilon: str, ends: bool) -> None:
    planned = asked("quantile", q=q, value_bounds=ends, epsilon=epsilon)
    people = [[(0, 7 * place % 120, 0, 0)] for place in range(40)]
    for _ in range(3):
        found = rendered(planned, people, OpendpNoise())
        values = [found[name] for name in planned.measurements[0].names]
        assert values == sorted(values)  # type: ignore[type-var]


@pytest.mark.parametrize("q", [MANY[:1], MANY], ids=["choice", "tree"])
def test_bounds_of_quantiles_stay_inside_the_clamp(q) -> None:
    planned = asked("quantile", q=q, value_bounds=True, clamp=(20, 90), epsilon="0.01")
    found = rendered(planned, [[(0, 5, 0, 0)]], OpendpNoise())
    assert all(20 <= value <= 90 for value in found.values())  # type: ignore[operator]


@pytest.mark.parametrize(("q", "kind"), [(MANY[9:10], "noisy_max"), (MANY, "noisy_tree")])
def test_the_rank_error_promised_is_kept_and_bounds_hold_the_quantile(q, kind: str) -> None:
    planned = asked("quantile", q=q, value_bounds=True, epsilon="0.5")
    ages = np.random.default_rng(3).integers(0, 121, 3_000)
    exact = exact_by_hand(planned, [[(0, int(age), 0, 0)] for age in ages])
    inside = held = trials = 0
    ordered = np.sort(ages)
    for _ in range(40):
        made = table(planned, release(planned, exact, OpendpNoise()))
        about = made.columns[0].about
        assert about["mechanism"] == kind
        values = {column.name: column.values[0] for column in made.columns}
        for name, share in zip(planned.measurements[0].names, q, strict=True):
            goal = float(share) * len(ages)
            value = values[name]
            between = max(0, (ages < value).sum() - goal, goal - (ages <= value).sum())
            truth = ordered[max(0, math.ceil(goal) - 1)]
            inside += between <= about["within_rows"]
            held += values[f"{name}_low"] <= truth <= values[f"{name}_high"]
            trials += 1
    assert inside / trials >= 0.95
    assert held / trials >= 0.85 if trials < 100 else held / trials >= 0.93


def test_several_quantiles_are_named_by_their_percents() -> None:
    planned = asked("quantile", q=(Decimal("0.05"), Decimal("0.5"), Decimal("0.9975"), 1))
    assert planned.measurements[0].names == ("m_q5", "m_q50", "m_q99_75", "m_q100")
    assert asked("quantile", q=(Decimal("0.5"),)).measurements[0].names == ("m",)


def test_the_exact_part_of_a_quantile_is_one_histogram() -> None:
    planned = asked("quantile", q=MANY, clamp=(10, 50))
    assert planned.exact_requests == (
        ((), ExactAggregate(kind="histogram", column=1, low=10, high=50, grid=1)),
    )


def test_a_rank_error_falls_with_the_price() -> None:
    for q in (MANY[:1], MANY):
        errors = []
        for epsilon in ("0.1", "0.5", "2"):
            part = asked("quantile", q=q, epsilon=epsilon).measurements[0]
            assert isinstance(part.estimator, Quantiles)
            errors.append(
                part.estimator.rank_error(
                    part.distributions[0] if part.distributions else None, 0.95, part.mechanisms
                )
            )
        assert errors == sorted(errors, reverse=True)
        assert errors[0] > errors[-1]


def test_choices_are_listed_values_before_bounds() -> None:
    assert quantiles(HALF, Fraction(1), ends=True).choices() == (
        NoisyChoice(HALF, "value"),
        NoisyChoice(Fraction(1), "value"),
        NoisyChoice(HALF, "ends"),
        NoisyChoice(Fraction(1), "ends"),
    )


def test_a_law_is_needed_for_a_tree_only() -> None:
    estimator = quantiles(HALF, branching=2)
    with pytest.raises(AssertionError):
        estimator.rank_error(None, 0.95, [])
    assert estimator.rank_error(NoiseDistribution("laplace", 3.0), 0.95, []) > 0


def test_categories_have_no_quantiles() -> None:
    with pytest.raises(InvalidQuery) as refused:
        plan(query(Statistic(name="m", agg="median", column="sex")), register(SEX))
    assert refused.value.problems[0].reason == "not_numeric"
