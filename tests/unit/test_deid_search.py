"""The search for the best full-domain recoding: against every node tried in plain Python, and by what must hold."""

from math import isinf

import pytest
from deid_oracle import (
    KS,
    MEASURES,
    OF_ILLNESS,
    OF_POPULATION,
    OF_TABLE,
    SUMS,
    World,
    gone_at,
    optimum,
    published,
    recoded,
    task,
    worlds,
    worth,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.deidentify import engine, verify
from privacy.deidentify.measure import BY_CLASS
from privacy.deidentify.models import DeltaDisclosure

SMALL = settings(deadline=None, derandomize=True, max_examples=40)


def agrees(world: World) -> None:
    """The engine finds the value that trying every node finds, and what it publishes meets every model."""
    made, best = recoded(world), optimum(world)
    assert (made is None) == isinf(best)
    if made is None:
        return
    assert made.loss == pytest.approx(best, rel=1e-9, abs=1e-9)
    assert made.optimal
    assert made.gap == 0
    node = tuple(made.levels.values())
    gone = gone_at(world, node)
    assert made.suppressed.sum() == len(gone) <= world.limit
    assert worth(world, node, frozenset(made.suppressed.nonzero()[0].tolist())) == pytest.approx(
        best, rel=1e-9, abs=1e-9
    )
    shown = published(world, made)
    unmet = [verdict for verdict in verify.verdicts(world.models, shown) if not verdict.met]
    assert not unmet


@SMALL
@given(worlds(st.tuples(KS), measures=MEASURES))
def test_k_anonymity_by_every_measure(world: World) -> None:
    agrees(world)


@SMALL
@given(worlds(st.tuples(OF_ILLNESS), measures=MEASURES))
def test_one_model_of_a_sensitive_attribute(world: World) -> None:
    agrees(world)


@SMALL
@given(worlds(st.tuples(KS, OF_ILLNESS, OF_ILLNESS), measures=SUMS))
def test_several_models_at_once(world: World) -> None:
    agrees(world)


@SMALL
@given(worlds(st.tuples(KS, OF_ILLNESS), measures=SUMS, units=True))
def test_persons_with_several_rows(world: World) -> None:
    agrees(world)


@SMALL
@given(worlds(st.tuples(KS, OF_TABLE), measures=SUMS))
def test_models_of_all_classes_together(world: World) -> None:
    agrees(world)


@SMALL
@given(worlds(st.tuples(OF_TABLE), measures=SUMS, units=True))
def test_models_of_all_classes_together_count_persons(world: World) -> None:
    agrees(world)


@SMALL
@given(worlds(st.tuples(OF_POPULATION, KS), measures=MEASURES, population=True))
def test_models_of_the_population(world: World) -> None:
    agrees(world)


@SMALL
@given(worlds(st.tuples(OF_POPULATION, OF_ILLNESS), measures=SUMS, population=True, units=True))
def test_models_of_the_population_count_persons(world: World) -> None:
    agrees(world)


# -- what rules nodes out unseen ------------------------------------------------------------------------------


def finer(node: tuple[int, ...], world: World) -> list[tuple[int, ...]]:
    return [other for other in world.nodes() if all(a <= b for a, b in zip(other, node, strict=True))]


def bounds_hold(world: World) -> None:
    """What a look at a node says of every finer one is so."""
    lattice = engine._lattice(task(world))
    seen = {node: lattice.check(node) for node in world.nodes()}
    for node, verdict in seen.items():
        gone = gone_at(world, node)
        if gone is not None and verdict.fixable and len(gone) < len(world.rows):
            assert verdict.suppressed == len(gone)
            assert verdict.value == pytest.approx(worth(world, node, gone), rel=1e-9, abs=1e-9)
        for other in finer(node, world):
            assert verdict.surely <= seen[other].suppressed
            assert verdict.fixable or not seen[other].fixable
            base = [column[level] for column, level in zip(lattice.scale.base, other, strict=True)]
            if world.measure.name not in BY_CLASS:
                least = lattice.scale.together(
                    [b + x for b, x in zip(base, verdict.extra_at_least, strict=True)]
                )
                assert least <= seen[other].value + 1e-9


@SMALL
@given(worlds(st.tuples(OF_ILLNESS), measures=MEASURES, rows_max=14, columns_max=3))
def test_what_one_node_says_of_finer_ones_is_so(world: World) -> None:
    bounds_hold(world)


@SMALL
@given(worlds(st.tuples(OF_ILLNESS, KS), measures=SUMS, rows_max=14, columns_max=3, units=True))
def test_what_one_node_says_of_finer_ones_is_so_of_persons(world: World) -> None:
    bounds_hold(world)


@SMALL
@given(worlds(st.tuples(OF_POPULATION), measures=SUMS, rows_max=14, columns_max=3, population=True))
def test_what_one_node_says_of_finer_ones_is_so_with_a_population(world: World) -> None:
    bounds_hold(world)


@SMALL
@given(
    worlds(
        st.tuples(st.builds(DeltaDisclosure, st.just("illness"), st.sampled_from([0.5, 0.8, 1.2]))),
        rows_max=12,
        columns_max=2,
    )
)
def test_a_class_that_discloses_may_split_into_classes_that_do_not(world: World) -> None:
    bounds_hold(world)


def test_classes_too_poor_in_a_value_may_split_into_classes_without_it() -> None:
    """Cold is too rare where a and b are one class; alone, a has none and b has enough."""
    wards = ["a"] * 6 + ["b"] * 2 + ["c"] * 5
    world = World(
        trees=({"a": ("a", "ab", "*"), "b": ("b", "ab", "*"), "c": ("c", "c", "*")},),
        rows=tuple((ward,) for ward in wards),
        illness=("flu",) * 6 + ("flu", "cold") + ("flu",) * 2 + ("cold",) * 3,
        models=(DeltaDisclosure("illness", 1.0),),
    )
    made = recoded(world)
    assert made is not None
    assert (made.loss, made.levels) == (0.0, {"q0": 0})
    agrees(world)
