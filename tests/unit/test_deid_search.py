"""The search for the best full-domain recoding: against every node tried in plain Python, and by what must hold."""

from dataclasses import replace
from itertools import pairwise
from math import inf, isinf
from random import Random

import numpy as np
import pytest
from deid_oracle import (
    ILLNESS,
    ILLNESSES,
    KS,
    MEASURES,
    OF_ILLNESS,
    OF_POPULATION,
    OF_TABLE,
    SUMS,
    World,
    gone_at,
    ignored,
    never,
    optimum,
    published,
    recoded,
    task,
    worlds,
    worth,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.deidentify.errors import BadTable, Cancelled
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.models import DeltaDisclosure, DistinctDiversity, EntropyDiversity, KAnonymity
from privacy.deidentify.proof import verify
from privacy.deidentify.search import engine, lattice, packing
from privacy.deidentify.search.engine import NoSolution, Recoding, recode
from privacy.deidentify.search.loss import BY_CLASS, LossAggregate, Measure
from privacy.deidentify.table import Column, Table

SMALL = settings(deadline=None, derandomize=True, max_examples=30)


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


def test_a_class_that_fails_may_split_into_one_that_holds_and_little_to_suppress() -> None:
    """a and b together are five to four, a alone four to four: b's one record goes, and no other."""
    world = World(
        trees=({"a": ("a", "ab", "*"), "b": ("b", "ab", "*"), "c": ("c", "c", "*")},),
        rows=(("a",),) * 8 + (("b",),) + (("c",),) * 2,
        illness=("flu", "cold") * 4 + ("flu",) + ("flu", "cold"),
        models=(EntropyDiversity("illness", 2.0),),
        suppression=0.1,
    )
    made = recoded(world)
    assert made is not None
    assert (made.levels, made.suppressed.tolist()) == ({"q0": 0}, [False] * 8 + [True] + [False] * 2)
    agrees(world)


# -- what must hold of every answer ---------------------------------------------------------------------------


def loss(world: World) -> float:
    made = recoded(world)
    return inf if made is None else made.loss


def shuffled(world: World, chance: Random) -> World:
    """The same world with rows, columns, values, labels and illnesses in other words and another order."""
    columns = chance.sample(range(len(world.trees)), len(world.trees))
    rows = chance.sample(range(len(world.rows)), len(world.rows))
    trees = []
    for j in columns:
        paths = [tuple(f"new {text}" for text in path) for path in world.trees[j].values()]
        trees.append({path[0]: path for path in chance.sample(paths, len(paths))})
    return replace(
        world,
        trees=tuple(trees),
        rows=tuple(tuple(f"new {world.rows[row][j]}" for j in columns) for row in rows),
        illness=tuple(world.illness[row] for row in rows),
        measure=replace(
            world.measure,
            weights={
                f"q{columns.index(int(name[1:]))}": weight for name, weight in world.measure.weights.items()
            },
        ),
    )


@SMALL
@given(worlds(st.tuples(KS, OF_ILLNESS), measures=MEASURES), st.randoms(use_true_random=False))
def test_order_and_words_change_nothing(world: World, chance: Random) -> None:
    assert loss(shuffled(world, chance)) == pytest.approx(loss(world), rel=1e-9, abs=1e-9)


@SMALL
@given(worlds(st.tuples(OF_ILLNESS), measures=SUMS), st.integers(1, 4))
def test_a_larger_k_and_a_smaller_limit_never_cost_less(world: World, k: int) -> None:
    asked = [replace(world, models=(KAnonymity(least), *world.models)) for least in (k, k + 1)]
    few, many = (loss(one) for one in asked)
    assert few <= many + 1e-9
    assert loss(replace(asked[0], suppression=world.suppression / 2)) >= few - 1e-9


@SMALL
@given(worlds(st.tuples(KS, st.builds(DistinctDiversity, st.just("illness"), st.integers(1, 3)))))
def test_finer_levels_suppress_the_same_rows_and_more(world: World) -> None:
    lattice = engine._lattice(task(world))
    gone = {}
    for node in world.nodes():
        failed, _, _ = lattice.lost(lattice.groups(node))
        tuples, of = lattice.packing.group(lattice.bottom.grouping, node)
        hidden = {
            bytes(key) for key, out in zip(lattice.groups(node).grouping.keys.T, failed, strict=True) if out
        }
        gone[node] = {
            row for row, group in enumerate(of[lattice.of_rows]) if bytes(tuples.keys[:, group]) in hidden
        }
        assert gone[node] == gone_at(world, node)
    for node, rows in gone.items():
        assert all(rows <= gone[other] for other in finer(node, world))


def test_a_tie_between_rounding_errors_is_no_better_and_no_worse() -> None:
    """Three weights of 0.1 and a sum that binary fractions cannot tell: the optimum is still proven."""
    tree = {"a": ("a", "*"), "b": ("b", "*")}
    world = World(
        trees=(tree, tree, tree),
        rows=(("a", "a", "a"), ("b", "b", "b"), ("a", "b", "a")),
        illness=("flu",) * 3,
        models=(KAnonymity(3),),
        measure=Measure(weights={"q0": 0.1, "q1": 0.1, "q2": 0.1}),
    )
    agrees(world)


# -- more than 64 bits ----------------------------------------------------------------------------------------

WIDE = 1 << 12
WIDE_TREE = Hierarchy.of("wide", [(str(i), "*") for i in range(WIDE + 1)])


def widened(asked: engine.Task) -> engine.Task:
    """The same task with five quasi-identifiers of 13 bits before the others that no two rows differ in."""
    names = [f"wide{i}" for i in range(5)]
    zeros = np.zeros(asked.table.rows, np.int32)
    wide = [Column(name, WIDE_TREE.domain, zeros) for name in names]
    return replace(
        asked,
        table=Table([*wide, *asked.table.values()]),
        quasi={**dict.fromkeys(names, WIDE_TREE), **asked.quasi},
    )


@settings(SMALL, max_examples=8)
@given(
    worlds(st.tuples(KS, OF_ILLNESS), measures=SUMS, columns_max=3),
    st.sampled_from([Recoding.FULL_DOMAIN, Recoding.FEW, Recoding.CELLS]),
)
def test_two_words_of_quasi_identifiers_tell_what_one_does(world: World, recoding: Recoding) -> None:
    world = replace(world, measure=replace(world.measure, aggregate=LossAggregate.SUM), recoding=recoding)
    try:
        one = recode(task(world), progress=ignored, stop=never)
    except NoSolution:
        with pytest.raises(NoSolution):
            recode(widened(task(world)), progress=ignored, stop=never)
        return
    two = recode(widened(task(world)), progress=ignored, stop=never)
    if recoding is Recoding.FULL_DOMAIN:
        assert two.loss == pytest.approx(one.loss)
        assert two.suppressed.tolist() == one.suppressed.tolist()
        for name in world.names:
            assert two.table[name].texts().tolist() == one.table[name].texts().tolist()
    else:
        told = verify.PublishedTable(
            table=Table([*two.table.values(), task(world).table["illness"]]),
            quasi=tuple(two.table),
            suppressed=two.suppressed,
            source=task(world).table,
            orders={"illness": ILLNESSES},
            hierarchies={"illness": ILLNESS},
        )
        assert all(verdict.met for verdict in verify.verdicts(world.models, told))
        assert two.suppressed.sum() <= world.limit


def test_nine_columns_of_eight_bits_agree_with_every_node_tried() -> None:
    chance = Random(5)
    tree = {f"v{i}": (f"v{i}", "*") for i in range(200)}
    rows = [tuple(f"v{chance.randrange(200)}" for _ in range(9)) for _ in range(6)]
    rows = [tuple(f"v{i}" for _ in range(9)) for i in range(140)] + [row for row in rows for _ in range(3)]
    world = World(
        trees=(tree,) * 9,
        rows=tuple(rows),
        illness=("flu",) * len(rows),
        models=(KAnonymity(2),),
        suppression=0.9,
    )
    assert engine._lattice(task(world)).packing.words == 2
    made = recoded(world)
    assert made is not None
    assert made.suppressed.sum() == 140
    assert (made.loss, made.optimal) == (pytest.approx(140 / 158), True)
    values = {node: len(gone_at(world, node)) for node in [(0,) * 9, (1,) * 8 + (0,), (1,) * 9]}
    assert values == {(0,) * 9: 140, (1,) * 8 + (0,): values[(1,) * 8 + (0,)], (1,) * 9: 0}


def test_more_than_two_words_are_refused_with_their_bits() -> None:
    names = [f"wide{i}" for i in range(10)]
    wide = [Column(name, WIDE_TREE.domain, np.zeros(2, np.int32)) for name in names]
    asked = engine.Task(table=Table(wide), quasi=dict.fromkeys(names, WIDE_TREE), models=(KAnonymity(2),))
    with pytest.raises(BadTable, match="need 130 bits together; 128 are the most"):
        recode(asked, progress=ignored, stop=never)


# -- stopping -------------------------------------------------------------------------------------------------


class After:
    """Stops at the nth question and from then on."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@SMALL
@given(worlds(st.tuples(KS, OF_ILLNESS), measures=MEASURES), st.integers(0, 25))
def test_a_stopped_search_bounds_how_far_it_is_from_the_best(world: World, calls: int) -> None:
    best = loss(world)
    try:
        made = recode(task(world), progress=ignored, stop=After(calls))
    except (Cancelled, NoSolution):
        return
    assert made.loss >= best - 1e-9
    assert made.loss - made.gap <= best + 1e-9
    assert made.optimal == (made.gap == 0)
    met = verify.verdicts(world.models, published(world, made))
    assert all(verdict.met for verdict in met)


def stopping_world() -> World:
    """Where the descent does not end at the best node: stopping early shows."""
    chance = Random(3)
    trees = tuple({f"v{i}": (f"v{i}", f"g{i // 2}", f"h{i // 4}", "*") for i in range(8)} for _ in range(3))
    rows = tuple(tuple(f"v{min(chance.randrange(8), chance.randrange(8))}" for _ in trees) for _ in range(60))
    return World(
        trees=trees,
        rows=rows,
        illness=tuple(chance.choices(ILLNESSES, k=60)),
        models=(KAnonymity(3), EntropyDiversity("illness", 1.8)),
        suppression=0.2,
    )


def test_the_longer_it_may_search_the_better_and_the_surer() -> None:
    world = stopping_world()
    made = [recode(task(world), progress=ignored, stop=After(calls)) for calls in range(60)]
    assert all(a.loss >= b.loss for a, b in pairwise(made))
    assert all(a.loss - a.gap <= b.loss - b.gap + 1e-9 for a, b in pairwise(made))
    assert not made[0].optimal
    assert made[0].gap > 0
    assert made[-1].optimal
    assert made[-1].loss == pytest.approx(optimum(world))
    assert made[0].loss > made[-1].loss


@pytest.mark.parametrize("recoding", list(Recoding))
def test_stopped_before_anything_was_found_is_cancelled(recoding: Recoding) -> None:
    tree = {f"v{i}": (f"v{i}", "*") for i in range(4)}
    world = World(
        trees=(tree, tree),
        rows=tuple((f"v{i}", f"v{j}") for i in range(4) for j in range(4)),
        illness=("flu",) * 15 + ("cold",),
        models=(KAnonymity(2), DistinctDiversity("illness", 3)),
        recoding=recoding,
    )
    with pytest.raises(Cancelled):
        recode(task(world), progress=ignored, stop=lambda: True)


@pytest.mark.parametrize("recoding", list(Recoding))
def test_progress_goes_up(recoding: Recoding) -> None:
    told: list[tuple[float, str]] = []
    world = replace(stopping_world(), recoding=recoding)
    recode(task(world), progress=lambda share, words: told.append((share, words)), stop=never)
    shares = [share for share, _ in told]
    assert shares
    assert shares == sorted(shares)
    assert shares[0] >= 0
    assert shares[-1] <= 1
    assert all(words for _, words in told)


# -- the limit ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "rows", "limit"),
    [(0.02, 50, 1), (0.02, 49, 0), (0.29, 100, 29), (0.07, 100, 7), (0.57, 100, 57), (1, 7, 7), (0, 9, 0)],
)
def test_the_limit_is_the_share_of_rows_to_the_row(share: float, rows: int, limit: int) -> None:
    tree = {"a": ("a", "*"), "b": ("b", "*")}
    world = World(trees=(tree,), rows=(("a",),) * rows, illness=("flu",) * rows, models=(), suppression=share)
    assert task(world).limit == limit


@pytest.mark.parametrize(("alone", "level"), [(2, 0), (3, 1)])
def test_as_many_rows_as_the_limit_allows_may_go_and_not_one_more(alone: int, level: int) -> None:
    values = [f"v{i}" for i in range(4)]
    world = World(
        trees=({value: (value, "*") for value in values},),
        rows=(("v0",),) * (100 - alone) + tuple((value,) for value in values[1 : alone + 1]),
        illness=("flu",) * 100,
        models=(KAnonymity(2),),
        suppression=0.02,
    )
    made = recoded(world)
    assert made is not None
    assert made.levels == {"q0": level}


@SMALL
@given(worlds(st.tuples(KS, OF_ILLNESS), measures=SUMS))
def test_a_look_at_part_of_the_groups_rules_out_nothing_that_holds(world: World) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lattice, "LARGE", 1)
        patch.setattr(packing, "FIRST_LOOK", 1 / 4)
        patch.setattr(packing, "SECOND_LOOK_MAX", 1)
        agrees(world)


def test_a_look_at_part_of_the_groups_proves_too_many_lost_or_nothing() -> None:
    chance = Random(5)
    tree = Hierarchy.of("a", [(str(i), str(i // 10), "*") for i in range(100)])
    column = Column.of("a", [str(chance.randrange(100)) for _ in range(400)])
    packed = packing.Packing([column], [tree])
    groups, _ = packed.rows()
    for k in range(1, 10):
        lost = int(groups.counts[groups.counts < k].sum())
        assert not packed.loses_more(groups, (0,), k=k, limit=lost)
    assert packed.loses_more(groups, (0,), k=9, limit=5)
