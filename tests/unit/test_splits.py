"""Quantiles by splits: what one row more moves, and that nothing is lost where many rows share a value."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from doubles import Silence
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.budget import Price
from privacy.noise import Integers, Mechanism
from privacy.quantiles import Quantiles
from privacy.splits import PARTS, Node, choose, depth_of, nodes_of, predicted_deviation

SMALL = settings(deadline=None, derandomize=True, max_examples=100)
DECILES = tuple(Fraction(place, 10) for place in range(1, 10))
QS = st.lists(st.integers(0, 100), min_size=1, max_size=9, unique=True).map(
    lambda places: tuple(Fraction(place, 100) for place in sorted(places))
)
HISTOGRAMS = st.lists(st.integers(0, 12), min_size=2, max_size=9).map(
    lambda counts: np.array(counts, dtype=np.int64)
)


def mechanisms(qs: Sequence[Fraction], rows: int = 1) -> list[tuple[Mechanism, ...]]:
    """For each node its choices, as a statistic at a price of 1 has them."""
    estimator = estimator_of(tuple(qs), rows)
    known = list(zip(estimator.choices(), estimator.mechanisms(Price.parse("1"), "pure"), strict=True))
    return [tuple(found for choice, found in known if choice.node == node) for node in range(len(qs))]


def estimator_of(qs: tuple[Fraction, ...], rows: int = 1, ends: bool = False) -> Quantiles:
    return Quantiles(
        key="",
        column=0,
        rows=rows,
        low=0,
        high=8,
        width=1,
        qs=qs,
        value_bounds=ends,
        branching=0,
        by_splits=True,
        unit=None,
        step=Decimal(1),
    )


class Told(Silence):
    """Draws what it is told to, over and over, and keeps what it was asked."""

    def __init__(self, places: Sequence[int]) -> None:
        self.places, self.asked = places, []  # type: ignore[var-annotated]

    def top(self, scores: Integers, mechanism: Mechanism) -> int:
        self.asked.append((scores, mechanism))
        return self.places[(len(self.asked) - 1) % len(self.places)] % len(scores)


@SMALL
@given(QS)
def test_every_quantile_has_one_node_and_parents_come_first(qs) -> None:
    nodes = nodes_of(qs)
    assert sorted(node.index for node in nodes) == list(range(len(qs)))
    children = [child for node in nodes for child in (node.left, node.right) if child is not None]
    assert sorted(children) == list(range(1, len(qs)))
    for place, node in enumerate(nodes):
        assert qs[node.index] == node.low + (node.high - node.low) * node.q
        assert all(child > place for child in (node.left, node.right) if child is not None)
    assert depth_of(qs) == len(qs).bit_length()


@SMALL
@given(QS, HISTOGRAMS)
def test_without_noise_each_value_is_the_exact_quantile_to_half_a_share(qs, histogram) -> None:
    """Also where a bin holds most of the rows: its rows are shared out to both sides."""
    found = choose(histogram, qs, mechanisms(qs), Silence())
    upto = np.cumsum(histogram)
    total, slack = int(upto[-1]), depth_of(qs) * (1 + int(histogram.max()) / PARTS)
    for q, bin in zip(qs, found, strict=True):
        assert upto[bin] - histogram[bin] - slack <= float(q) * total <= upto[bin] + slack


@SMALL
@given(
    QS,
    HISTOGRAMS,
    st.lists(st.integers(0, 2000), min_size=1, max_size=30),
    st.lists(st.integers(0, 8), max_size=3),
)
def test_rows_more_move_all_choices_of_a_level_together_no_further_than_one(
    qs, histogram, places, more
) -> None:
    """The same draws on both: at each level the moves, in sensitivities of one row, add up to the rows at most."""
    other = histogram.copy()
    for bin in more:
        other[bin % len(histogram)] += 1
    here, there = Told(places), Told(places)
    assert choose(histogram, qs, mechanisms(qs), here) == choose(other, qs, mechanisms(qs), there)
    moved: dict[tuple[int, int], Fraction] = {}
    for (left, mechanism), (right, _), (level, kind) in zip(here.asked, there.asked, order(qs), strict=True):
        assert left.shape == right.shape
        apart = Fraction(int(np.abs(left - right).max()), mechanism.sensitivity)
        moved[level, kind] = moved.get((level, kind), Fraction(0)) + apart
    assert all(one <= len(more) for one in moved.values())


def order(qs: Sequence[Fraction]) -> list[tuple[int, int]]:
    """Level and kind (0 a bin, 1 its share) of each choice, in the order of drawing."""
    found, nodes = [], nodes_of(tuple(qs))

    def walk(node: Node) -> None:
        found.append((node.depth, 0))
        if node.splits:
            found.append((node.depth, 1))
        for child in (node.left, node.right):
            if child is not None:
                walk(nodes[child])

    walk(nodes[0])
    return found


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("price", ["1", "0.123456789"])
def test_the_levels_prices_add_up_to_the_whole(ends, price) -> None:
    estimator = estimator_of(DECILES, ends=ends)
    known = list(zip(estimator.choices(), estimator.mechanisms(Price.parse(price), "pure"), strict=True))
    nodes = nodes_of(DECILES)
    levels = {}
    for choice, mechanism in known:
        if choice.node >= 0:
            level = levels.setdefault(nodes[choice.node].depth, {})
            level[choice.node] = level.get(choice.node, 0) + mechanism.price.nano
    assert all(len(set(level.values())) == 1 for level in levels.values())
    spent = sum(next(iter(level.values())) for level in levels.values())
    spent += sum(mechanism.price.nano for choice, mechanism in known if choice.node < 0)
    assert spent == Price.parse(price).nano


def test_more_levels_err_more_and_a_single_quantile_as_much_as_a_choice() -> None:
    one = predicted_deviation((Fraction(1, 2),), zcdp=False)
    assert one == pytest.approx(2**0.5)
    assert predicted_deviation(DECILES[3:6], zcdp=False) < predicted_deviation(DECILES, zcdp=False)
    assert predicted_deviation(DECILES, zcdp=True) < predicted_deviation(DECILES, zcdp=False)
