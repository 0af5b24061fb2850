"""Local recoding of random small tables: what is published meets its models, and says of a record what is true.

Of how good it is only this is said: its loss is told rightly, and a single scheme does not lose less.
"""

from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from deid_oracle import (
    ILLNESSES,
    KS,
    OF_ILLNESS,
    OF_TABLE,
    World,
    blur,
    hierarchies,
    ignored,
    mask,
    never,
    published,
    recoded,
    source,
    task,
    worlds,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from privacy.deidentify.hierarchies.hierarchy import SUPPRESSED
from privacy.deidentify.models import DeltaDisclosure, DistinctDiversity, KAnonymity
from privacy.deidentify.proof import attack, verify
from privacy.deidentify.search import engine
from privacy.deidentify.search.engine import NoSolution, Recoded, Recoding, recode
from privacy.deidentify.search.local import by_rows
from privacy.deidentify.search.loss import Measure, MeasureName

SMALL = settings(deadline=None, derandomize=True, max_examples=30)
LABELS = (Recoding.FEW, Recoding.SOME, Recoding.CELLS)
LOCAL = st.sampled_from([r for r in Recoding if r is not Recoding.FULL_DOMAIN])
WEIGHED = st.sampled_from([Measure(), Measure(weights={"q0": 3.0}), Measure(weights={"q0": 0.0})])


def texts(made: Recoded) -> list[tuple[str, ...]]:
    return list(zip(*(column.texts().tolist() for column in made.table.values()), strict=True))


def is_right(world: World, made: Recoded) -> None:
    """The models hold on the published texts, rows suppressed are those told by `*`, within the limit."""
    unmet = [one for one in verify.verdicts(world.models, published(world, made)) if not one.met]
    assert not unmet
    assert made.suppressed.sum() <= world.limit
    assert (made.levels, made.optimal) == (None, False)
    assert np.isnan(made.gap)
    assert all(
        set(told) == {SUPPRESSED} for told, out in zip(texts(made), made.suppressed, strict=True) if out
    )


def schemes_tell_the_texts(world: World, made: Recoded) -> None:
    assert ((made.scheme < 0) == made.suppressed).all()
    assert set(made.scheme[~made.suppressed].tolist()) == set(range(len(made.schemes)))
    assert len(set(made.schemes)) == len(made.schemes)
    for row, told, scheme in zip(world.rows, texts(made), made.scheme.tolist(), strict=True):
        if scheme >= 0:
            node = made.schemes[scheme]
            assert told == tuple(world.label(j, row[j], node[j]) for j in range(len(node)))


def by_hand(world: World, made: Recoded) -> tuple[float, float]:
    """The mean loss by the world's weights, and by none."""
    weights = np.array([world.measure.weights.get(name, 1.0) for name in world.names])
    each = np.ones((len(world.rows), len(weights)))
    for i, (row, scheme) in enumerate(zip(world.rows, made.scheme.tolist(), strict=True)):
        if scheme >= 0:
            each[i] = [blur(world, j, row[j], made.schemes[scheme][j]) for j in range(len(weights))]
    return float((each @ weights).mean() / weights.sum()), float(each.mean())


def loss_is_told_rightly(world: World, made: Recoded) -> None:
    assert (made.loss, made.granularity_loss) == (
        pytest.approx(by_hand(world, made)[0]),
        pytest.approx(by_hand(world, made)[1]),
    )


def all_is_well(world: World) -> None:
    made = recoded(world)
    if made is not None:
        is_right(world, made)
        if world.recoding is not Recoding.RANGES:
            schemes_tell_the_texts(world, made)
            loss_is_told_rightly(world, made)


@SMALL
@given(worlds(st.tuples(KS), measures=WEIGHED), LOCAL)
def test_k_anonymity(world: World, recoding: Recoding) -> None:
    all_is_well(replace(world, recoding=recoding))


@SMALL
@given(worlds(st.tuples(KS, OF_ILLNESS), measures=WEIGHED), LOCAL)
def test_models_of_an_attribute(world: World, recoding: Recoding) -> None:
    all_is_well(replace(world, recoding=recoding))


@SMALL
@given(worlds(st.tuples(KS, OF_ILLNESS, OF_ILLNESS), units=True), LOCAL)
def test_persons_with_several_rows(world: World, recoding: Recoding) -> None:
    all_is_well(replace(world, recoding=recoding))


@SMALL
@given(worlds(st.tuples(KS, OF_TABLE), units=True), LOCAL)
def test_models_of_all_classes_together_are_checked(world: World, recoding: Recoding) -> None:
    all_is_well(replace(world, recoding=recoding))


@SMALL
@given(
    worlds(
        st.tuples(
            st.builds(KAnonymity, st.integers(1, 3)),
            st.builds(DeltaDisclosure, st.just("illness"), st.sampled_from([0.5, 1.0, 1.6])),
        )
    ),
    LOCAL,
)
def test_disclosure_which_two_classes_may_meet_and_not_their_union(world: World, recoding: Recoding) -> None:
    all_is_well(replace(world, recoding=recoding))


@SMALL
@given(worlds(st.tuples(KS), rows_max=25), LOCAL)
def test_who_can_be_told_alike_is_never_refused(world: World, recoding: Recoding) -> None:
    """All rows together meet k-anonymity, so a local recoding exists, and none need be suppressed."""
    (model,) = world.models
    if model.k <= len(world.rows):
        made = recoded(replace(world, recoding=recoding, suppression=0.0))
        assert made is not None
        assert not made.suppressed.any()


@SMALL
@given(worlds(st.tuples(KS, OF_ILLNESS), numbers=True), LOCAL)
def test_what_is_published_covers_what_is_true(world: World, recoding: Recoding) -> None:
    world = replace(world, recoding=recoding)
    made = recoded(world)
    if made is None:
        return
    trees, table = hierarchies(world), source(world)
    for name, told in made.table.items():
        covers = attack.covers(told, table[name], hierarchy=trees[name])
        assert covers[told.codes, table[name].codes].all()
        if recoding in LABELS:
            known = {text for level in trees[name].labels for text in level}
            assert set(told.texts()) <= known | {SUPPRESSED}


@pytest.mark.long
@SMALL
@given(worlds(st.tuples(KS, OF_ILLNESS), numbers=True))
def test_ranges_tell_the_least_and_the_most_of_each_class_of_cells(world: World) -> None:
    cells = recoded(replace(world, recoding=Recoding.CELLS))
    ranges = recoded(replace(world, recoding=Recoding.RANGES))
    assert (cells is None) == (ranges is None)
    if cells is None:
        return
    is_right(replace(world, recoding=Recoding.RANGES), ranges)
    assert ranges.suppressed.tolist() == cells.suppressed.tolist()
    classes: dict[tuple[str, ...], list[int]] = {}
    for i, told in enumerate(texts(cells)):
        if not cells.suppressed[i]:
            classes.setdefault((*told, str(cells.scheme[i])), []).append(i)
    lost, label = np.ones((2, len(world.rows), len(world.names)))
    told = np.array(texts(cells), dtype=object)
    for rows in classes.values():
        for j, tree in enumerate(world.trees):
            domain = sorted(map(int, tree))
            places = [domain.index(int(world.rows[i][j])) for i in rows]
            lost[rows, j] = (max(places) - min(places)) / (len(domain) - 1)
            label[rows, j] = [
                blur(world, j, world.rows[i][j], cells.schemes[cells.scheme[i]][j]) for i in rows
            ]
            low, high = domain[min(places)], domain[max(places)]
            told[rows, j] = str(low) if low == high else f"[{low}, {high}]"
    worse = lost.sum(axis=0) > label.sum(axis=0) + 1e-9
    lost[:, worse] = label[:, worse]
    told[:, worse] = np.array(texts(cells), dtype=object)[:, worse]
    assert texts(ranges) == [tuple(row) for row in told]
    assert (ranges.loss, ranges.granularity_loss) == (pytest.approx(lost.mean()), pytest.approx(lost.mean()))


# Four records alike and one apart: with a model beside k nothing lends, and the sweep alone ends at the coarsest node.
ONE_APART = World(
    trees=({"v0": ("v0", "*"), "v1": ("v1", "*")}, {"v0": ("v0", "*"), "v1": ("v1", "*")}),
    rows=(*[("v0", "v0")] * 4, ("v0", "v1")),
    illness=("flu",) * 5,
    models=(KAnonymity(k=2), DistinctDiversity(attribute="illness", l=1)),
)


@SMALL
@given(worlds(st.tuples(KS, OF_ILLNESS)), LOCAL)
@example(ONE_APART, Recoding.FEW)
def test_local_recoding_never_loses_more_than_the_best_single_scheme(
    world: World, recoding: Recoding
) -> None:
    single = recoded(replace(world, recoding=Recoding.FULL_DOMAIN))
    local = recoded(replace(world, recoding=recoding))
    assert (local is None) <= (single is None), "where one scheme is a solution, several are"
    if local is not None and single is not None:
        assert local.loss <= single.loss + 1e-9


@SMALL
@given(worlds(st.tuples(KS, OF_ILLNESS)), LOCAL, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_loss(world: World, recoding: Recoding, chance: Random) -> None:
    world = replace(world, recoding=recoding)
    order = chance.sample(range(len(world.rows)), len(world.rows))
    other = replace(
        world,
        rows=tuple(world.rows[i] for i in order),
        illness=tuple(world.illness[i] for i in order),
    )
    one, two = recoded(world), recoded(other)
    assert (one is None) == (two is None)
    if one is not None:
        assert two.loss == pytest.approx(one.loss)
        assert Counter(texts(two)) == Counter(texts(one))


@SMALL
@given(worlds(st.tuples(KS, OF_ILLNESS)), st.sampled_from(list(MeasureName)), LOCAL)
def test_a_local_recoding_tells_its_loss_whatever_measure_is_asked_for(
    world: World, name: MeasureName, recoding: Recoding
) -> None:
    plain = recoded(replace(world, recoding=recoding))
    other = recoded(replace(world, recoding=recoding, measure=Measure(name=name, gs_factor=0.1)))
    assert (plain is None) == (other is None)
    if plain is not None:
        assert other.loss == plain.loss
        assert texts(other) == texts(plain)


def pairs(*, recoding: Recoding, suppression: float = 0.0) -> World:
    """Two pairs that are alike, and one person alone."""
    tree = {v: (v, g, "*") for v, g in [("a", "ab"), ("b", "ab"), ("c", "cd"), ("d", "cd")]}
    return World(
        trees=(tree,),
        rows=(("a",), ("a",), ("c",), ("d",), ("b",)),
        illness=("flu", "cold", "flu", "cold", "flu"),
        models=(KAnonymity(2),),
        suppression=suppression,
        recoding=recoding,
    )


def test_who_fits_nowhere_is_suppressed_within_the_limit_and_brought_in_beyond_it() -> None:
    out = recoded(pairs(recoding=Recoding.FEW, suppression=0.2))
    assert out is not None
    assert texts(out) == [("a",), ("a",), ("cd",), ("cd",), ("*",)]
    assert out.suppressed.tolist() == mask(pairs(recoding=Recoding.FEW), [4]).tolist()
    brought = recoded(pairs(recoding=Recoding.FEW))
    assert brought is not None
    assert not brought.suppressed.any()
    assert Counter(Counter(texts(brought)).values()) in (Counter({2: 1, 3: 1}), Counter({5: 1}))


def test_a_class_with_one_to_spare_lends_it() -> None:
    """b and one of three a are told as ab, rather than all of them or b by *."""
    world = replace(
        pairs(recoding=Recoding.CELLS),
        rows=(("a",), ("a",), ("a",), ("b",), ("c",), ("d",)),
        illness=("flu",) * 6,
    )
    made = recoded(world)
    assert made is not None
    assert sorted(texts(made)) == [("a",), ("a",), ("ab",), ("ab",), ("cd",), ("cd",)]


def test_nobody_publishable_is_no_solution() -> None:
    world = replace(
        pairs(recoding=Recoding.CELLS, suppression=1.0), models=(DistinctDiversity("illness", 4),)
    )
    with pytest.raises(NoSolution):
        recode(task(world), progress=ignored, stop=never)


def of_three_hundred(seed: int) -> World:
    """A table with many classes, where those that can spare records lend some."""
    chance = Random(seed)
    tree = {str(i): (str(i), f"g{i // 3}", f"h{i // 9}", "*") for i in range(27)}
    rows = tuple(tuple(str(int(chance.triangular(0, 27, 9))) for _ in range(3)) for _ in range(300))
    ill = tuple(chance.choice(ILLNESSES) for _ in rows)
    return World(
        trees=(tree, tree, tree),
        rows=rows,
        illness=ill,
        units=None,
        population=None,
        models=(KAnonymity(3),),
        suppression=0.0,
        measure=Measure(),
        recoding=Recoding.CELLS,
    )


def test_classes_lend_what_they_can_spare_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = [of_three_hundred(seed) for seed in range(6)]
    lent = [recoded(world) for world in tables]
    for world, made in zip(tables, lent, strict=True):
        is_right(world, made)
        loss_is_told_rightly(world, made)
    monkeypatch.setattr(
        engine, "reallocate", lambda lattice, sweep, assigned, stop: by_rows(lattice, assigned)
    )
    kept = [recoded(world) for world in tables]
    assert all(a.loss <= b.loss for a, b in zip(lent, kept, strict=True))
    assert sum(made.loss for made in lent) < 0.99 * sum(made.loss for made in kept)
