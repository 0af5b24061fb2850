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
from privacy.splits import PARTS, choose, depth_of, nodes_of, path_prices, predicted_deviation

SMALL = settings(deadline=None, derandomize=True, max_examples=100)
DECILES = tuple(Fraction(place, 10) for place in range(1, 10))
QUARTERS_AND_MORE = tuple(Fraction(place, 20) for place in (1, 5, 10, 15, 19))
PRICE = Price.parse("1")
QS = st.lists(st.integers(0, 100), min_size=1, max_size=9, unique=True).map(
    lambda places: tuple(Fraction(place, 100) for place in sorted(places))
)
HISTOGRAMS = st.lists(st.integers(0, 12), min_size=2, max_size=9).map(
    lambda counts: np.array(counts, dtype=np.int64)
)


def mechanisms(qs: Sequence[Fraction], rows: int = 1) -> list[tuple[Mechanism, ...]]:
    """For each node its choices, as a statistic at a price of 1 has them."""
    estimator = estimator_of(tuple(qs), rows)
    known = list(zip(estimator.choices(), estimator.mechanisms(PRICE, "pure"), strict=True))
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
def test_rows_more_cost_on_all_paths_together_no_more_than_their_number_of_prices(
    qs, histogram, places, more
) -> None:
    """The same draws on both: what each choice tells of the rows, at its price, adds up to a price a row at most."""
    other = histogram.copy()
    for bin in more:
        other[bin % len(histogram)] += 1
    here, there = Told(places), Told(places)
    assert choose(histogram, qs, mechanisms(qs), here) == choose(other, qs, mechanisms(qs), there)
    told = Fraction(0)
    for (left, mechanism), (right, other_mechanism) in zip(here.asked, there.asked, strict=True):
        assert left.shape == right.shape
        assert mechanism == other_mechanism
        apart = Fraction(int(np.abs(left - right).max()), mechanism.sensitivity)
        told += apart * mechanism.price.nano
    assert told <= len(more) * PRICE.nano


def paths(qs: Sequence[Fraction]) -> list[list[int]]:
    """The nodes from the first one down to each that has nothing below it on some side."""
    nodes, found = nodes_of(tuple(qs)), []

    def walk(place: int, above: list[int]) -> None:
        for child in (nodes[place].left, nodes[place].right):
            if child is None:
                found.append([*above, place])
            else:
                walk(child, [*above, place])

    walk(0, [])
    return found


@pytest.mark.parametrize("count", range(1, 64))
def test_there_are_as_few_levels_as_can_be_and_a_node_knows_its_height(count: int) -> None:
    qs = tuple(Fraction(place, 64) for place in range(1, count + 1))
    nodes = nodes_of(qs)
    assert max(map(len, paths(qs))) == depth_of(qs) == nodes[0].height
    for node in nodes:
        below = [nodes[child].height for child in (node.left, node.right) if child is not None]
        assert node.height == 1 + max(below, default=0)


def test_the_first_and_the_last_of_nine_have_short_paths() -> None:
    """Deciles lie furthest apart at the ends: both take part in three draws, not in four."""
    depths = {node.index: node.depth for node in nodes_of(DECILES)}
    assert [depths[place] for place in range(9)] == [2, 1, 2, 0, 3, 2, 3, 1, 2]


@pytest.mark.parametrize("price", ["1", "0.123456789", "0.000000031"])
@pytest.mark.parametrize("qs", [DECILES[:3], DECILES[:4], DECILES, QUARTERS_AND_MORE], ids=len)
def test_each_path_spends_the_price_and_none_more(qs, price: str) -> None:
    prices, whole = path_prices(qs, Price.parse(price)), Price.parse(price)
    spent = [sum(prices[node].nano for node in path) for path in paths(qs)]
    assert max(spent) == whole.nano
    nodes = nodes_of(qs)
    for path, amount in zip(paths(qs), spent, strict=True):
        assert nodes[path[-1]].splits or amount == whole.nano


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("price", ["1", "0.123456789"])
def test_the_prices_of_a_path_and_of_the_ends_add_up_to_the_whole(ends, price) -> None:
    estimator = estimator_of(DECILES, ends=ends)
    known = list(zip(estimator.choices(), estimator.mechanisms(Price.parse(price), "pure"), strict=True))
    own = [
        sum(one.price.nano for choice, one in known if choice.node == node) for node in range(len(DECILES))
    ]
    spent = max(sum(own[node] for node in path) for path in paths(DECILES))
    spent += sum(mechanism.price.nano for choice, mechanism in known if choice.node < 0)
    assert spent == Price.parse(price).nano


def test_more_levels_err_more_and_a_single_quantile_as_much_as_a_choice() -> None:
    one = predicted_deviation((Fraction(1, 2),), zcdp=False)
    assert one == pytest.approx(2**0.5)
    assert predicted_deviation(DECILES[3:6], zcdp=False) < predicted_deviation(DECILES, zcdp=False)
    assert predicted_deviation(DECILES, zcdp=True) < predicted_deviation(DECILES, zcdp=False)
