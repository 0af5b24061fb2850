"""A second opinion on the search, in plain Python: every node of a small lattice, judged from the definitions.

Nothing of the engine's inside is used: rows are grouped by their published labels, classes that fail are dropped,
and the measure is computed anew from what is left.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import exp, inf, log, log2, prod

import numpy as np
from hypothesis import strategies as st

from privacy.deidentify.hierarchies.hierarchy import SUPPRESSED, Hierarchy
from privacy.deidentify.models import (
    AverageRisk,
    BetaLikeness,
    ClassModel,
    DeltaDisclosure,
    DeltaPresence,
    Distance,
    DistinctDiversity,
    EntropyDiversity,
    KAnonymity,
    KMap,
    Model,
    RecursiveDiversity,
    SampleUniqueness,
    TCloseness,
)
from privacy.deidentify.proof.verify import PublishedTable
from privacy.deidentify.search.engine import NoSolution, Recoded, Recoding, Task, recode
from privacy.deidentify.search.loss import LossAggregate, Measure, MeasureName
from privacy.deidentify.table import Column, Table

Path = tuple[str, ...]
Node = tuple[int, ...]
CLOSE = 1e-9
TABLE = AverageRisk | SampleUniqueness
ILLNESSES = ("flu", "cold", "gout", "mumps")
ILLNESS = Hierarchy.of(
    "illness",
    [
        ("flu", "virus", "infection", "*"),
        ("cold", "virus", "infection", "*"),
        ("mumps", "mumps", "infection", "*"),
        ("gout", "joint", "other", "*"),
    ],
)


@dataclass(frozen=True, kw_only=True)
class World:
    """A small table and what is asked of it; `trees[j][value]` is the value's path, itself first."""

    trees: tuple[dict[str, Path], ...]
    rows: tuple[Path, ...]
    illness: tuple[str, ...]
    units: tuple[str, ...] | None = None
    population: tuple[Path, ...] | None = None
    models: tuple[Model, ...] = ()
    suppression: float = 0.0
    measure: Measure = field(default_factory=Measure)
    recoding: Recoding = Recoding.FULL_DOMAIN

    @property
    def names(self) -> Path:
        return tuple(f"q{j}" for j in range(len(self.trees)))

    @property
    def heights(self) -> Node:
        return tuple(len(next(iter(tree.values()))) for tree in self.trees)

    @property
    def limit(self) -> int:
        return int(self.suppression * len(self.rows) + CLOSE)

    def nodes(self) -> Iterator[Node]:
        return product(*map(range, self.heights))

    def label(self, j: int, value: str, level: int) -> str:
        return self.trees[j][value][level]

    def told(self, rows: Iterable[Path], node: Node) -> list[Path]:
        return [tuple(self.label(j, row[j], node[j]) for j in range(len(node))) for row in rows]


def tabled(names: Sequence[str], rows: Sequence[Path]) -> Table:
    return Table([Column.of(name, [row[j] for row in rows]) for j, name in enumerate(names)])


def hierarchies(world: World) -> dict[str, Hierarchy]:
    return {
        name: Hierarchy.of(name, list(tree.values()))
        for name, tree in zip(world.names, world.trees, strict=True)
    }


def source(world: World) -> Table:
    """The table that the engine is given: quasi-identifiers, the illness and the person."""
    columns = [*tabled(world.names, world.rows).values(), Column.of("illness", world.illness)]
    if world.units is not None:
        columns.append(Column.of("person", world.units))
    return Table(columns)


def task(world: World) -> Task:
    return Task(
        table=source(world),
        quasi=hierarchies(world),
        models=world.models,
        suppression=world.suppression,
        measure=world.measure,
        recoding=world.recoding,
        unit=None if world.units is None else "person",
        population=None if world.population is None else tabled(world.names, world.population),
        sensitive_hierarchies={"illness": ILLNESS},
        sensitive_order={"illness": ILLNESSES},
    )


def ignored(share: float, words: str) -> None:
    """A progress that nobody reads."""


def never() -> bool:
    return False


def recoded(world: World) -> Recoded | None:
    """What the engine makes of it; None where it says that there is no solution."""
    try:
        return recode(task(world), progress=ignored, stop=never)
    except NoSolution:
        return None


def published(world: World, made: Recoded) -> PublishedTable:
    """The output as the verifier takes it, the population told on the levels of a full-domain recoding."""
    table = source(world)
    units = None if world.units is None else table["person"].codes
    population = None
    if world.population is not None and made.levels is not None:
        node = tuple(made.levels[name] for name in world.names)
        population = tabled(world.names, world.told(world.population, node))
    return PublishedTable(
        table=Table([*made.table.values(), table["illness"]]),
        quasi=world.names,
        suppressed=made.suppressed,
        units=units,
        source=table,
        source_units=units,
        orders={"illness": ILLNESSES},
        hierarchies={"illness": ILLNESS},
        population=population,
    )


# -- the models, from their definitions -----------------------------------------------------------------------


def counts(world: World, rows: Sequence[int]) -> Counter[str]:
    """How often each illness is in some rows; the same illness of the same person counts once."""
    if world.units is None:
        return Counter(world.illness[row] for row in rows)
    return Counter(illness for _, illness in {(world.units[row], world.illness[row]) for row in rows})


def persons(world: World, rows: Sequence[int]) -> int:
    return len(rows) if world.units is None else len({world.units[row] for row in rows})


def meets(model: ClassModel, world: World, rows: Sequence[int], people: int) -> bool:
    """Whether a class of some rows, to which `people` of the population belong, meets a model."""
    match model:
        case KAnonymity(k=k):
            return persons(world, rows) >= k
        case KMap(k=k):
            return people >= k
        case DeltaPresence(low=low, high=high):
            return people > 0 and low - CLOSE <= persons(world, rows) / people <= high + CLOSE
        case _:
            return _meets_of_illness(model, counts(world, rows), counts(world, range(len(world.rows))))


def _meets_of_illness(model: ClassModel, held: Counter[str], whole: Counter[str]) -> bool:
    n, everybody = held.total(), whole.total()
    p = {v: held[v] / n for v in ILLNESSES}
    q = {v: whole[v] / everybody for v in ILLNESSES}
    match model:
        case DistinctDiversity(l=least):
            return len(held) >= least
        case EntropyDiversity(l=least):
            return exp(-sum(x * log(x) for x in p.values() if x)) >= least - CLOSE
        case RecursiveDiversity(c=c, l=least):
            falling = sorted(held.values(), reverse=True)
            return falling[0] < c * sum(falling[least - 1 :]) - CLOSE
        case TCloseness(t=t, distance=distance):
            return earth_moved(p, q, distance) <= t + CLOSE
        case DeltaDisclosure(delta=delta):
            return all(abs(log2(p[v] / q[v])) < delta - CLOSE for v in held)
        case _:
            assert isinstance(model, BetaLikeness)
            bound = {v: min(model.beta, -log(q[v])) if model.enhanced else model.beta for v in held}
            return all((p[v] - q[v]) / q[v] <= bound[v] + CLOSE for v in held)


def earth_moved(p: dict[str, float], q: dict[str, float], distance: Distance) -> float:
    if distance is Distance.EQUAL:
        return sum(abs(p[v] - q[v]) for v in ILLNESSES) / 2
    if distance is Distance.ORDERED:
        runs = [sum(p[v] - q[v] for v in ILLNESSES[: i + 1]) for i in range(len(ILLNESSES))]
        return sum(map(abs, runs)) / (len(ILLNESSES) - 1)
    # On a tree earth crosses each edge once: half of the edge's length times what must cross it.
    crossing = 0.0
    top = ILLNESS.height - 1
    for level in range(top):
        for label in range(len(ILLNESS.labels[level])):
            under = [v for v, at in zip(ILLNESS.domain, ILLNESS.maps[level], strict=True) if at == label]
            crossing += abs(sum(p[v] - q[v] for v in under))
    return crossing / 2 / top


# -- the measures, from their definitions ---------------------------------------------------------------------


def worth(world: World, node: Node, gone: frozenset[int]) -> float:
    """The measure of a node of which some rows are suppressed."""
    measure, n = world.measure, len(world.rows)
    sizes = Counter(told for row, told in enumerate(world.told(world.rows, node)) if row not in gone)
    if measure.name is MeasureName.DISCERNIBILITY:
        return float(sum(size**2 for size in sizes.values()) + len(gone) * n)
    if measure.name is MeasureName.CLASS_SIZE:
        return n / (len(sizes) + bool(gone))
    return together(world, [_of_column(world, j, level, gone) for j, level in enumerate(node)])


def together(world: World, columns: Sequence[float]) -> float:
    weights = [world.measure.weights.get(name, 1.0) for name in world.names]
    pairs = list(zip(weights, columns, strict=True))
    match world.measure.aggregate:
        case LossAggregate.SUM:
            return sum(w * x for w, x in pairs)
        case LossAggregate.ARITHMETIC_MEAN:
            return sum(w * x for w, x in pairs) / sum(weights)
        case LossAggregate.MAXIMUM:
            return max(w * x for w, x in pairs)
        case LossAggregate.GEOMETRIC_MEAN:
            return prod((1 + x) ** (w / sum(weights)) for w, x in pairs) - 1


def blur(world: World, j: int, value: str, level: int) -> float:
    """(leaves - 1) / (domain - 1) of a value's label."""
    tree = world.trees[j]
    leaves = sum(path[level] == tree[value][level] for path in tree.values())
    return (leaves - 1) / max(1, len(tree) - 1)


def _of_column(world: World, j: int, level: int, gone: frozenset[int]) -> float:
    name, n = world.measure.name, len(world.rows)
    if name is MeasureName.HEIGHT:
        return float(level)
    if name is MeasureName.ENTROPY:
        return _bits(world, j, level, gone)
    total = 0.0
    for row, values in enumerate(world.rows):
        share = (
            blur(world, j, values[j], level)
            if name is MeasureName.LOSS
            else level / max(1, world.heights[j] - 1)
        )
        total += _cost(share, row in gone, world.measure.gs_factor)
    return total / n


def _cost(share: float, lost: bool, gs: float) -> float:
    told = share * min(1, 2 * (1 - gs))
    if not lost:
        return told
    return 1.0 if gs >= 0.5 else share + 2 * gs * (1 - share)


def _bits(world: World, j: int, level: int, gone: frozenset[int]) -> float:
    """Bits between value and label over all rows, and bits that tell the lost rows' labels apart."""
    gs = world.measure.gs_factor
    values = Counter(row[j] for row in world.rows)
    labels = Counter(world.label(j, row[j], level) for row in world.rows)
    told = -sum(log2(values[row[j]] / labels[world.label(j, row[j], level)]) for row in world.rows)
    lost = Counter(world.label(j, world.rows[row][j], level) for row in gone)
    return told * min(1, 2 * (1 - gs)) - min(1, 2 * gs) * sum(c * log2(c / len(gone)) for c in lost.values())


# -- all nodes ------------------------------------------------------------------------------------------------


def gone_at(world: World, node: Node) -> frozenset[int] | None:
    """The rows suppressed at a node; None where no suppression helps."""
    classes: dict[Path, list[int]] = {}
    for row, told in enumerate(world.told(world.rows, node)):
        classes.setdefault(told, []).append(row)
    people = Counter(world.told(world.population or (), node))
    wanted = [model for model in world.models if not isinstance(model, TABLE)]
    kept = {
        told: rows
        for told, rows in classes.items()
        if all(meets(model, world, rows, people[told]) for model in wanted)
    }
    for model in world.models:
        if isinstance(model, TABLE):
            kept = _largest(model, world, node, kept)
    lows = [model.low for model in world.models if isinstance(model, DeltaPresence)]
    if any(low > CLOSE for low in lows) and people.keys() - kept.keys():
        return None
    return frozenset(range(len(world.rows))) - {row for rows in kept.values() for row in rows}


def _largest(model: TABLE, world: World, node: Node, kept: dict[Path, list[int]]) -> dict[Path, list[int]]:
    """Without the smallest classes, as few as it takes; of those of one size the cheapest go first."""

    def cost(rows: Sequence[int]) -> float:
        gs, weights = world.measure.gs_factor, world.measure.weights
        total = 0.0
        for row in rows:
            for j, name in enumerate(world.names):
                share = (
                    blur(world, j, world.rows[row][j], node[j])
                    if world.measure.name is MeasureName.LOSS
                    else node[j] / max(1, world.heights[j] - 1)
                )
                total += weights.get(name, 1.0) * (_cost(share, True, gs) - _cost(share, False, gs))
        return round(total, 9)

    left = sorted(kept.items(), key=lambda item: (persons(world, item[1]), cost(item[1])))
    while left and not _table_meets(model, [persons(world, rows) for _, rows in left]):
        left.pop(0)
    return dict(left)


def _table_meets(model: TABLE, sizes: Sequence[int]) -> bool:
    if isinstance(model, AverageRisk):
        return len(sizes) / sum(sizes) <= model.threshold + CLOSE
    return sizes.count(1) / sum(sizes) <= model.threshold + CLOSE


def optimum(world: World) -> float:
    """The least measure of all nodes that are solutions, infinite if there are none."""
    best = inf
    for node in world.nodes():
        gone = gone_at(world, node)
        if gone is not None and len(gone) <= world.limit and len(gone) < len(world.rows):
            best = min(best, worth(world, node, gone))
    return best


# -- worlds to try --------------------------------------------------------------------------------------------

KS = st.builds(KAnonymity, st.integers(1, 5))
OF_ILLNESS = st.one_of(
    st.builds(DistinctDiversity, st.just("illness"), st.integers(1, 3)),
    st.builds(EntropyDiversity, st.just("illness"), st.sampled_from([1.0, 1.5, 2.0, 2.8, 3.0])),
    st.builds(
        RecursiveDiversity, st.just("illness"), st.sampled_from([0.5, 1.0, 2.0, 3.5]), st.integers(1, 3)
    ),
    st.builds(
        TCloseness, st.just("illness"), st.sampled_from([0.1, 0.25, 0.4, 0.6]), st.sampled_from(Distance)
    ),
    st.builds(DeltaDisclosure, st.just("illness"), st.sampled_from([0.5, 1.0, 1.5, 2.5])),
    st.builds(BetaLikeness, st.just("illness"), st.sampled_from([0.3, 1.0, 2.0]), st.booleans()),
)
OF_TABLE = st.one_of(
    st.builds(AverageRisk, st.sampled_from([0.15, 0.3, 0.5])),
    st.builds(SampleUniqueness, st.sampled_from([0.0, 0.1, 0.3])),
)
OF_POPULATION = st.one_of(
    st.builds(KMap, st.integers(1, 6)),
    st.sampled_from([DeltaPresence(*pair) for pair in [(0, 0.4), (0, 0.7), (0.1, 0.8), (0.3, 0.9), (0, 1)]]),
)
SHARES = st.sampled_from([0.0, 0.1, 0.5, 1.0])


@st.composite
def trees(draw: st.DrawFn, *, numbers: bool = False) -> dict[str, Path]:
    """A nested hierarchy of 2 to 6 values and 2 to 4 levels; a lone label may keep its text above."""
    size, height = draw(st.integers(2, 6)), draw(st.integers(2, 4))
    paths = [[str(3 * i) if numbers else f"v{i}"] for i in range(size)]
    groups = [[i] for i in range(size)]
    for level in range(1, height - 1):
        parents = draw(st.lists(st.integers(0, 3), min_size=len(groups), max_size=len(groups)))
        groups = [
            [i for group, other in zip(groups, parents, strict=True) if other == parent for i in group]
            for parent in sorted(set(parents))
        ]
        for at, group in enumerate(groups):
            for i in group:
                paths[i].append(paths[i][-1] if len(group) == 1 else f"g{level}.{at}")
    return {path[0]: (*path, SUPPRESSED) for path in paths}


MEASURES = st.builds(
    Measure,
    name=st.sampled_from(MeasureName),
    gs_factor=st.sampled_from([0.0, 0.2, 0.5, 0.5, 0.8, 1.0]),
    aggregate=st.sampled_from(LossAggregate),
    weights=st.sampled_from([{}, {}, {"q0": 3.0}, {"q0": 0.0, "q1": 0.5}]),
)
SUMS = st.builds(
    Measure,
    name=st.sampled_from([MeasureName.LOSS, MeasureName.PRECISION]),
    gs_factor=st.sampled_from([0.2, 0.5, 0.8]),
    aggregate=st.sampled_from([LossAggregate.ARITHMETIC_MEAN, LossAggregate.SUM]),
    weights=st.sampled_from([{}, {"q0": 3.0}]),
)


@st.composite
def worlds(
    draw: st.DrawFn,
    models: st.SearchStrategy[tuple[Model, ...]],
    *,
    measures: st.SearchStrategy[Measure] | None = None,
    units: bool = False,
    population: bool = False,
    numbers: bool = False,
    rows_max: int = 40,
    columns_max: int = 4,
) -> World:
    """A random table with random hierarchies and what is asked of it."""
    its_trees = tuple(draw(trees(numbers=numbers)) for _ in range(draw(st.integers(2, columns_max))))
    row = st.tuples(*(st.sampled_from(sorted(tree)) for tree in its_trees))
    rows = draw(st.lists(row, min_size=5, max_size=rows_max))
    n = len(rows)
    return World(
        trees=its_trees,
        rows=tuple(rows),
        illness=tuple(draw(st.lists(st.sampled_from(ILLNESSES), min_size=n, max_size=n))),
        units=tuple(f"p{draw(st.integers(0, 2 * n // 3))}" for _ in rows) if units else None,
        population=(*rows, *draw(st.lists(row, max_size=30))) if population else None,
        models=draw(models),
        suppression=draw(SHARES),
        measure=draw(measures) if measures is not None else Measure(),
    )


def mask(world: World, gone: Iterable[int]) -> np.ndarray:
    return np.isin(np.arange(len(world.rows)), list(gone))
