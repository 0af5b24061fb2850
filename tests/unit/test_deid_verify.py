"""The verifier: papers' tables, pycanon where definitions agree, and linear programmes for the earth mover.

Where pycanon differs: δ-disclosure in natural instead of binary logs; entropy l cut to a whole number; recursive
c for the table's own l, with the counts from least to most (it can't be compared); enhanced β bounded by the rarest
value's -ln q instead of each value's own (ditto).
"""

import csv
import json
import math
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycanon import anonymity
from scipy.optimize import linprog

from privacy.deidentify.errors import BadModel
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
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
    PopulationUniqueness,
    RecursiveDiversity,
    SampleUniqueness,
    TCloseness,
    UniquenessEstimator,
)
from privacy.deidentify.proof import verify
from privacy.deidentify.proof.verify import PublishedTable
from privacy.deidentify.table import Column, Table

DATA = Path(__file__).parents[3] / "shared" / "data"
SMALL = settings(deadline=None, derandomize=True, max_examples=25)
Rows = list[tuple[str, ...]]
ROWS = st.lists(
    st.tuples(
        st.sampled_from("pq"), st.sampled_from("rs"), st.sampled_from(["flu", "cold", "gout", "mumps"])
    ),
    min_size=1,
    max_size=14,
)


def tabled(rows: Rows, *names: str) -> Table:
    return Table([Column.of(name, [row[i] for row in rows]) for i, name in enumerate(names)])


def shown(table: Table, *quasi: str, **more: object) -> PublishedTable:
    nobody = np.zeros(table.rows, dtype=np.bool_)
    return PublishedTable(table=table, quasi=quasi, **{"suppressed": nobody, **more})  # type: ignore[arg-type]


def classes_of(*classes: str) -> PublishedTable:
    """One class of patients for each word, a letter an illness."""
    rows = [(str(i), letter) for i, word in enumerate(classes) for letter in word]
    return shown(tabled(rows, "ward", "illness"), "ward")


# -- against papers and by hand -------------------------------------------------------------------------------


def test_the_l_diversity_papers_four_anonymous_table() -> None:
    table = classes_of("HHVV", "CHVV", "CCCC")
    assert verify.value(KAnonymity(4), table) == 4
    assert verify.value(DistinctDiversity("illness", 1), table) == 1
    entropies = np.log(verify.values(EntropyDiversity("illness", 1), table))
    assert entropies == pytest.approx([0.6931, 1.0397, 0], abs=1e-4)


def test_the_l_diversity_papers_three_diverse_table() -> None:
    table = classes_of("HVCC", "HVCC", "HVCC")
    assert verify.value(DistinctDiversity("illness", 3), table) == 3
    assert verify.value(EntropyDiversity("illness", 2.8), table) == pytest.approx(2.828, abs=1e-3)
    assert verify.met(EntropyDiversity("illness", 2.8), table)
    assert not verify.met(EntropyDiversity("illness", 2.9), table)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 49, 1_001])
@pytest.mark.parametrize("least", range(1, 12))
def test_equal_counts_have_entropy_log_l_to_the_last_bit(least: int, count: int) -> None:
    table = classes_of("".join(chr(65 + i) * count for i in range(least)))
    assert verify.met(EntropyDiversity("illness", least), table)
    assert not verify.met(EntropyDiversity("illness", least + 1e-6), table)


@pytest.mark.parametrize(
    ("word", "c", "least", "holds"),
    [("AAABC", 2, 2, True), ("AAABC", 1.5, 2, False), ("AAABC", 3, 3, False), ("AAABC", 3.01, 3, True)],
)
def test_recursive_diversity_is_strict(word: str, c: float, least: int, holds: bool) -> None:
    assert verify.met(RecursiveDiversity("illness", c, least), classes_of(word)) is holds


def test_a_class_without_l_values_is_never_recursively_diverse() -> None:
    table = classes_of("AAB", "ABC")
    assert verify.value(RecursiveDiversity("illness", 1e9, 3), table) == math.inf
    assert not verify.met(RecursiveDiversity("illness", 1e9, 3), table)


def salaries() -> tuple[Table, tuple[str, ...]]:
    """The salaries of the t-closeness paper, 3k to 11k, in its three classes."""
    order = tuple(f"{i}k" for i in range(3, 12))
    groups = [("a", "345"), ("b", ("6", "11", "8")), ("c", ("7", "9", "10"))]
    return tabled([(name, f"{i}k") for name, some in groups for i in some], "ward", "salary"), order


def test_the_t_closeness_papers_salaries() -> None:
    table, order = salaries()
    published = shown(table, "ward", orders={"salary": order})
    found = verify.values(TCloseness("salary", 0.2, Distance.ORDERED), published)
    assert found[:2] == pytest.approx([0.375, 1 / 6])


def test_a_distance_equal_to_t_but_for_rounding_is_met() -> None:
    table, order = salaries()
    published = shown(table, "ward", orders={"salary": order})
    assert verify.met(TCloseness("salary", 0.375, Distance.ORDERED), published)
    assert not verify.met(TCloseness("salary", 0.3749, Distance.ORDERED), published)


def test_the_whole_source_is_the_reference_with_its_suppressed_rows() -> None:
    table = tabled([("a", "flu"), ("a", "cold"), ("*", "*")], "ward", "illness")
    source = tabled([("a", "flu"), ("a", "cold"), ("b", "gout")], "ward", "illness")
    published = shown(table, "ward", suppressed=np.array([False, False, True]), source=source)
    assert verify.value(TCloseness("illness", 0.5), published) == pytest.approx(1 / 3)
    assert verify.value(BetaLikeness("illness", 1, enhanced=False), published) == pytest.approx(0.5)
    assert verify.value(KAnonymity(2), published) == 2


def test_a_persons_repeated_illness_counts_once_and_so_does_he() -> None:
    table = tabled([("a", "flu"), ("a", "flu"), ("a", "flu"), ("a", "cold")], "ward", "illness")
    published = shown(table, "ward", units=np.array([0, 0, 1, 2], dtype=np.int32))
    assert verify.value(KAnonymity(2), published) == 3
    assert verify.value(RecursiveDiversity("illness", 3, 2), published) == 2
    assert verify.value(EntropyDiversity("illness", 1), published) == pytest.approx(3 / 2 ** (2 / 3))


def test_a_persons_repeated_illness_counts_once_in_the_source_too() -> None:
    table = tabled([("a", "flu"), ("a", "flu"), ("a", "cold")], "ward", "illness")
    units = np.array([0, 0, 1], dtype=np.int32)
    for published in (
        shown(table, "ward", units=units, source=table, source_units=units),
        shown(table, "ward", units=units),
    ):
        assert verify.value(TCloseness("illness", 0), published) == 0


def test_beta_likeness_enhanced_caps_what_a_frequent_value_may_gain() -> None:
    table = classes_of("AAAAAAAAAB", "AAAAAAAAAABBBBBBBBBB")
    q = 19 / 30
    gain = (0.9 - q) / q
    assert verify.value(BetaLikeness("illness", 1, enhanced=False), table) == pytest.approx(gain)
    assert verify.value(BetaLikeness("illness", 1), table) == pytest.approx(gain)
    frequent = classes_of("A" * 99, "B")
    assert verify.value(BetaLikeness("illness", 200, enhanced=False), frequent) == pytest.approx(99)
    assert verify.value(BetaLikeness("illness", 200), frequent) == math.inf
    assert not verify.met(BetaLikeness("illness", 200), frequent)


def test_delta_disclosure_is_strict_and_looks_at_the_values_that_a_class_holds() -> None:
    table = classes_of("AABB", "AAAA", "BBBB")
    assert verify.value(DeltaDisclosure("illness", 2), table) == 1
    assert not verify.met(DeltaDisclosure("illness", 1), table)
    assert verify.met(DeltaDisclosure("illness", 1.01), table)


def test_table_models_count_classes_and_persons() -> None:
    table = classes_of("A", "AB", "ABCDE")
    assert verify.value(AverageRisk(0.5), table) == 3 / 8
    assert verify.value(SampleUniqueness(0.5), table) == 1 / 8
    assert verify.met(SampleUniqueness(1 / 8), table)
    assert not verify.met(SampleUniqueness(0.12), table)
    assert verify.value(PopulationUniqueness(0.5, 8, UniquenessEstimator.ZAYATZ), table) == 1 / 8


def test_k_map_and_presence_look_into_the_population() -> None:
    population = tabled([("b",), ("a",), ("a",), ("a",), ("b",), ("c",)], "ward")
    published = shown(tabled([("a",), ("b",), ("b",)], "ward"), "ward", population=population)
    assert verify.value(KMap(2), published) == 2
    assert not verify.met(KMap(3), published)
    assert verify.values(DeltaPresence(0, 1), published) == pytest.approx([1 / 3, 1, 0])
    assert verify.met(DeltaPresence(0, 1), published)
    assert verify.value(DeltaPresence(0, 0.9), published) == 1
    assert not verify.met(DeltaPresence(0, 0.9), published)
    assert verify.value(DeltaPresence(0.1, 1), published) == 0
    assert not verify.met(DeltaPresence(0.1, 1), published)


def test_a_class_that_the_population_lacks_is_no_map() -> None:
    published = shown(tabled([("a",)], "ward"), "ward", population=tabled([("b",)], "ward"))
    assert not verify.met(KMap(1), published)
    assert not verify.met(DeltaPresence(0, 1), published)


def test_nothing_published_meets_everything() -> None:
    table = tabled([("*", "*")], "ward", "illness")
    published = shown(table, "ward", suppressed=np.array([True]))
    for model in (KAnonymity(5), EntropyDiversity("illness", 3), TCloseness("illness", 0), AverageRisk(0.1)):
        assert verify.met(model, published)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (TCloseness("illness", 0.1, Distance.ORDERED), "needs the order of the attribute's values"),
        (TCloseness("illness", 0.1, Distance.HIERARCHICAL), "needs the attribute's hierarchy"),
        (KMap(2), "need a population table"),
    ],
)
def test_what_a_model_lacks_is_said(model: Model, words: str) -> None:
    with pytest.raises(BadModel, match=words):
        verify.value(model, classes_of("AB"))


def test_an_order_that_misses_values_is_refused_by_their_number() -> None:
    published = shown(
        tabled([("a", "flu"), ("a", "cold")], "w", "illness"), "w", orders={"illness": ("cold",)}
    )
    with pytest.raises(BadModel, match="misses 1 of its 2 values"):
        verify.value(TCloseness("illness", 0.1, Distance.ORDERED), published)


def test_verdicts_name_each_model() -> None:
    (one,) = verify.verdicts([KAnonymity(2)], classes_of("AB"))
    assert (one.name, one.met, one.value) == ("2-anonymity", True, 2)


# -- against others' programs ---------------------------------------------------------------------------------


@SMALL
@given(ROWS)
def test_pycanon_agrees(rows: Rows) -> None:
    published = shown(tabled(rows, "x", "y", "illness"), "x", "y")
    frame, quasi, of = pd.DataFrame(rows, columns=["x", "y", "illness"]), ["x", "y"], ["illness"]
    a = "illness"
    assert verify.value(KAnonymity(1), published) == anonymity.k_anonymity(frame, quasi)
    assert verify.value(DistinctDiversity(a, 1), published) == anonymity.l_diversity(frame, quasi, of)
    entropy = verify.value(EntropyDiversity(a, 1), published)
    assert anonymity.entropy_l_diversity(frame, quasi, of) in (
        math.floor(entropy + 1e-9),
        math.floor(entropy - 1e-9),
    )
    equal = verify.value(TCloseness(a, 1), published)
    assert equal == pytest.approx(anonymity.t_closeness(frame, quasi, of), abs=1e-12)
    beta = verify.value(BetaLikeness(a, 1, enhanced=False), published)
    assert beta == pytest.approx(anonymity.basic_beta_likeness(frame, quasi, of), abs=1e-12)
    delta = verify.value(DeltaDisclosure(a, 1), published)
    assert delta * math.log(2) == pytest.approx(anonymity.delta_disclosure(frame, quasi, of), abs=1e-12)


@SMALL
@given(st.lists(st.tuples(st.sampled_from("pqr"), st.integers(0, 6)), min_size=1, max_size=14))
def test_pycanon_agrees_on_the_ordered_distance(rows: list[tuple[str, int]]) -> None:
    order = tuple(str(i) for i in sorted({number for _, number in rows}))
    if len(order) == 1:
        return
    published = shown(
        tabled([(x, str(number)) for x, number in rows], "x", "number"), "x", orders={"number": order}
    )
    found = verify.value(TCloseness("number", 1, Distance.ORDERED), published)
    frame = pd.DataFrame(rows, columns=["x", "number"]).assign(same="s")
    assert found == pytest.approx(anonymity.t_closeness(frame, ["x", "same"], ["number"]), abs=1e-12)


TREE = Hierarchy.of(
    "illness",
    [
        ("flu", "virus", "infection", "*"),
        ("cold", "virus", "infection", "*"),
        ("mumps", "mumps", "infection", "*"),
        ("gout", "joint", "other", "*"),
        ("ache", "joint", "other", "*"),
    ],
)


def moved(p: np.ndarray, q: np.ndarray, costs: np.ndarray) -> float:
    """The least cost of turning p into q, as a linear programme."""
    n = len(p)
    rows = np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))
    return float(linprog(costs.ravel(), A_eq=np.vstack(rows), b_eq=np.concatenate([p, q])).fun)


@pytest.mark.parametrize("distance", list(Distance))
@settings(deadline=None, derandomize=True, max_examples=15)
@given(st.lists(st.tuples(st.sampled_from("pq"), st.sampled_from(TREE.domain)), min_size=1, max_size=10))
def test_the_distances_are_least_costs_of_moving_earth(distance: Distance, rows: Rows) -> None:
    published = shown(
        tabled(rows, "x", "illness"), "x", orders={"illness": TREE.domain}, hierarchies={"illness": TREE}
    )
    costs = {
        Distance.EQUAL: 1 - np.eye(5),
        Distance.ORDERED: np.abs(np.subtract.outer(np.arange(5), np.arange(5))) / 4,
        Distance.HIERARCHICAL: sum(level[:, None] != level[None, :] for level in TREE.maps) / 3,
    }[distance]
    shares = [
        np.array([sum(row[1] == value for row in some) for value in TREE.domain]) / len(some)
        for some in ([row for row in rows if row[0] == x] for x in "pq")
        if some
    ]
    whole = np.array([sum(row[1] == value for row in rows) for value in TREE.domain]) / len(rows)
    expected = max(moved(share, whole, costs) for share in shares)
    assert verify.value(TCloseness("illness", 1, distance), published) == pytest.approx(expected, abs=1e-7)


def test_many_classes_are_measured_in_parts_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(3)
    rows = [(str(a), TREE.domain[b]) for a, b in chance.integers(0, (30, 5), size=(200, 2))]
    published = shown(tabled(rows, "x", "illness"), "x", hierarchies={"illness": TREE})
    model = TCloseness("illness", 1, Distance.HIERARCHICAL)
    whole = verify.values(model, published)
    monkeypatch.setattr(verify, "CELLS_MAX", 40)
    assert verify.values(model, published).tolist() == whole.tolist()


# -- against ARX ----------------------------------------------------------------------------------------------


@cache
def adult() -> tuple[Table, dict[str, Hierarchy]]:
    with (DATA / "adult" / "adult.csv").open(encoding="utf-8") as file:
        names, *rows = csv.reader(file, delimiter=";")
    trees = {}
    for name in names:
        with (DATA / "adult" / f"adult_hierarchy_{name}.csv").open(encoding="utf-8") as file:
            trees[name] = Hierarchy.of(name, list(csv.reader(file, delimiter=";")))
    return tabled(rows, *names), trees


@cache
def told(name: str, level: int) -> Column:
    table, trees = adult()
    tree = trees[name]
    return table[name].recoded([tree.labels[level][tree.maps[level][p]] for p in tree.places(table[name])])


def model_of(words: str) -> ClassModel:
    """A run's model of the attribute occupation."""
    kind, first, *second = words.split("-")
    match kind:
        case "distinct":
            return DistinctDiversity("occupation", int(first))
        case "entropy":
            return EntropyDiversity("occupation", float(first))
        case "rec":
            return RecursiveDiversity("occupation", float(first), int(second[0]))
        case "teq":
            return TCloseness("occupation", float(first))
        case "ddisc":
            return DeltaDisclosure("occupation", float(first))
        case _:
            return BetaLikeness("occupation", float(first), enhanced=kind == "ebl")


@pytest.mark.skipif(not DATA.exists(), reason="the shared folder with ARX's reference runs isn't here")
def test_arx_suppresses_the_classes_that_fail_here_and_the_rest_meets_the_model() -> None:
    runs = [json.loads(line) for line in (DATA / "arx_golden_adult.jsonl").read_text().splitlines()]
    runs = [run for run in runs if run["model"] and run["model"].split("-")[0] not in ("avg", "uniq")]
    different = []
    for run in runs:
        model = model_of(run["model"])
        table = adult()[0].replacing(*(told(*pair) for pair in zip(run["qi"], run["levels"], strict=True)))
        everything = shown(table, *run["qi"], source=adult()[0])
        good = verify.holds(model, everything) & (everything.sizes >= run["k"])
        hidden = ~good[everything.classes.of]
        top = all(
            level == adult()[1][name].height - 1 for name, level in zip(run["qi"], run["levels"], strict=True)
        )
        if hidden.sum() != (0 if top else run["suppressed"]):
            different.append((run["model"], int(hidden.sum()), run["suppressed"]))
        assert verify.met(model, shown(table, *run["qi"], source=adult()[0], suppressed=hidden))
    assert different == [("entropy-4", 252, 260)], "where ARX loses uniform classes to rounding"


def test_more_is_asked_of_the_larger_k() -> None:
    table = classes_of("AAB", "ABCD")
    verdicts = [verify.met(KAnonymity(k), table) for k in range(1, 7)]
    assert all(before >= after for before, after in pairwise(verdicts))
    assert verdicts.count(True) == 3
