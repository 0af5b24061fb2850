"""The figures of utility: by hand on small tables, and as ARX computed them on 534 runs of real data."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import product
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lanes import first

from privacy.deidentify.errors import BadTable
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.table import Column, Table
from privacy.deidentify.utility.measures import (
    AttributeUtility,
    GeneralisedTable,
    Utility,
    aggregated,
    cells_of,
    spread,
    utility,
)

DATA = Path(__file__).parents[3] / "shared" / "data"
GOLDEN = DATA / "arx_golden_adult.jsonl"
with_golden = pytest.mark.skipif(not GOLDEN.exists(), reason=f"ARX's reference runs are absent: {GOLDEN}")

SMALL = settings(deadline=None, derandomize=True, max_examples=40)
TOWN = Hierarchy.of("town", [("a", "ab", "*"), ("b", "ab", "*"), ("c", "cd", "*"), ("d", "cd", "*")])
SEX = Hierarchy.of("sex", [("f", "*"), ("m", "*")])
BOTH = {"town": TOWN, "sex": SEX}
NONE = 0.0


def table(towns: str, sexes: str) -> Table:
    return Table([Column.of("town", list(towns)), Column.of("sex", list(sexes))])


def published(towns: str, sexes: str, levels: Any, suppressed: str = "") -> GeneralisedTable:
    mask = np.array([mark == "x" for mark in suppressed or "." * len(towns)])
    return GeneralisedTable(table(towns, sexes), BOTH, np.array(levels, dtype=np.int8), mask)


def attributes(given: GeneralisedTable) -> tuple[AttributeUtility, ...]:
    return utility(given).attributes


def losses(given: GeneralisedTable, *, gs_factor: float = 0.5) -> tuple[float, float]:
    """The losses of two columns, the larger first: read from their maximum and sum."""
    loss = utility(given, gs_factor=gs_factor).loss
    return loss.maximum, loss.total - loss.maximum


# by hand


def test_a_table_published_as_it_is_loses_nothing() -> None:
    told = utility(published("aabd", "ffmm", [0, 0]))
    assert (told.loss.arithmetic_mean, told.granularity, told.imprecision, told.entropy_bits) == (0, 0, 0, 0)
    assert told.divergence_bits == 0
    assert told.ambiguity == 1
    assert set(vars_of(told.quality)) == {1.0}
    assert [(each.changed, each.distance) for each in told.attributes] == [(0, 0), (0, 0)]


def vars_of(thing: Any) -> list[Any]:
    return [getattr(thing, name) for name in thing.__slots__]


def test_a_table_with_every_row_suppressed_keeps_nothing() -> None:
    told = utility(published("aabd", "ffmm", [0, 0], "xxxx"))
    assert told.loss.arithmetic_mean == told.granularity == told.imprecision == 1
    assert (told.classes, told.average_published_class_size, told.average_class_size) == (0, 0, 4)
    assert told.ambiguity == 8
    assert told.quality.class_size == told.quality.discernibility == told.quality.ambiguity == 0
    assert [each.level for each in told.attributes] == [None, None]
    assert [each.changed for each in told.attributes] == [1, 1]


def test_loss_counts_the_other_values_of_a_label() -> None:
    assert losses(published("aabd", "ffmm", [1, 0])) == pytest.approx((1 / 3, 0))


def test_a_low_gs_factor_makes_only_what_suppression_adds_cheaper() -> None:
    told = published("aabd", "ffmm", [1, 0], "x...")
    town, sex = losses(told, gs_factor=0.25)
    assert town == pytest.approx((3 * 1 / 3 + 1 / 3 + (1 - 1 / 3) / 2) / 4)
    assert sex == pytest.approx(0.5 / 4)


def test_a_high_gs_factor_makes_labels_cheaper_and_leaves_suppression_whole() -> None:
    town, sex = losses(published("aabd", "ffmm", [1, 0], "x..."), gs_factor=0.75)
    assert town == pytest.approx((3 * 1 / 3 / 2 + 1) / 4)
    assert sex == pytest.approx(1 / 4)


def test_the_aggregates_of_losses_are_those_of_their_names() -> None:
    told = aggregated([0.0, 0.5, 1.0])
    assert (told.arithmetic_mean, told.maximum, told.total) == (0.5, 1.0, 1.5)
    assert told.geometric_mean == pytest.approx((1 * 1.5 * 2) ** (1 / 3) - 1)


def test_classes_are_counted_by_published_texts_and_a_suppressed_row_looks_like_all() -> None:
    told = utility(published("aabd", "ffmm", [1, 0], "...x"))
    assert told.classes == 2  # (ab, f) twice, (ab, m)
    assert told.discernibility == 2**2 + 1 + 1 * 4
    assert told.average_class_size == 4 / 3
    assert told.average_published_class_size == 3 / 2


def test_equal_texts_of_different_levels_are_one_class() -> None:
    same = Hierarchy.of("town", [("a", "a", "*"), ("b", "b", "*")])
    source = Table([Column.of("town", ["a", "a"])])
    told = GeneralisedTable(source, {"town": same}, np.array([[0], [1]], dtype=np.int8), np.zeros(2, bool))
    assert utility(told).classes == 1


def test_ambiguity_is_the_number_of_tuples_that_a_row_may_be() -> None:
    assert utility(published("aabd", "ffmm", [1, 1], "...x")).ambiguity == (3 * 2 * 2 + 8) / 4


def test_entropy_is_what_the_label_leaves_unsaid() -> None:
    told = attributes(published("aaab", "ffmm", [1, 0]))[0]
    assert told.entropy_bits == pytest.approx(3 * log2(4 / 3) + log2(4))
    assert told.entropy == pytest.approx(1)


def test_with_levels_of_their_own_rows_climb_together_among_those_that_climb() -> None:
    told = published("aaab", "ffmm", [[0, 0], [0, 0], [1, 0], [1, 0]])
    assert attributes(told)[0].entropy_bits == pytest.approx(2)


def test_an_attribute_tells_how_many_rows_it_has_at_each_level() -> None:
    town, sex = attributes(published("aabd", "ffmm", [[0, 0], [1, 0], [2, 0], [0, 0]], "...x"))
    assert town.rows_by_level == (1, 1, 1)
    assert (town.level, sex.level) == (None, 0)
    assert (town.distinct_before, town.distinct_after) == (3, 3)
    assert (town.changed, sex.changed) == (3 / 4, 1 / 4)
    assert town.imprecision == (0 + 1 / 2 + 1 + 1) / 4


def test_the_distance_of_distributions_spreads_labels_over_their_values() -> None:
    town = attributes(published("aaac", "fffm", [1, 0]))[0]
    assert town.distance == pytest.approx((3 / 8 + 3 / 8 + 1 / 8 + 1 / 8) / 2)
    assert town.divergence_bits == pytest.approx(3 / 4 * log2(2) + 1 / 4 * log2(2))


def test_the_joint_divergence_of_a_table_told_as_one_label_is_that_of_the_uniform_domain() -> None:
    told = utility(published("aabd", "ffmm", [2, 1]))
    assert told.divergence_bits == pytest.approx(1 / 2 * log2((1 / 2) * 8) + 2 * 1 / 4 * log2((1 / 4) * 8))


def test_the_joint_divergence_asks_every_scheme_for_every_tuple() -> None:
    # Row 1 stays (a, f), row 2 is told (ab, f): half of it may be (a, f) too.
    told = utility(published("ab", "ff", [[0, 0], [1, 0]]))
    assert told.divergence_bits == pytest.approx(
        1 / 2 * log2((1 / 2) / (3 / 4)) + 1 / 2 * log2((1 / 2) / (1 / 4))
    )


def test_a_joint_divergence_too_large_to_compute_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("privacy.deidentify.utility.measures.JOINT_STEPS_MAX", 1)
    assert utility(published("aabd", "ffmm", [1, 0])).divergence_bits is None


def test_the_squared_error_reaches_to_the_farthest_place_a_row_may_have() -> None:
    told = utility(published("aabd", "ffff", [1, 0]))
    places, far, most = np.array([0, 0, 1, 3]), [1, 1, 1, 1], [3, 3, 2, 3]
    assert places.std() > 0  # sex does not vary and adds nothing; one deviation cancels
    assert told.quality.squared_error == pytest.approx(1 - sum(far) / sum(most))


def test_spreading_keeps_the_number_of_rows() -> None:
    source = table("aabd", "ffmm")["town"]
    cells = cells_of(source, TOWN, np.array([0, 1, 1, 2]))
    assert spread(TOWN, cells) == pytest.approx([1 + 1 + 0.25, 1 + 0.25, 0.25, 0.25])
    kept = cells_of(source, TOWN, 1, np.array([True, False, False, True]))
    assert spread(TOWN, kept) == pytest.approx([0.5, 0.5, 0.5, 0.5])


def test_more_columns_than_a_key_has_room_for_are_still_told_apart() -> None:
    # 9 columns of 10 bits: what only the first tells would be shifted out of 64.
    wide = Hierarchy.of("n", [(str(value), "*") for value in range(1024)])
    first = Column("c0", wide.domain, np.array([0, 1, 1, 1023], dtype=np.int32))
    others = [Column(f"c{place}", wide.domain, np.full(4, 1023, dtype=np.int32)) for place in range(1, 9)]
    columns = [first, *others]
    told = GeneralisedTable(Table(columns), {each.name: wide for each in columns}, [0] * 9, np.zeros(4, bool))
    assert utility(told).classes == 3
    assert utility(told).discernibility == 1 + 2 * 2 + 1


def test_a_hierarchy_without_a_column_is_refused_by_name() -> None:
    with pytest.raises(BadTable, match="no column town"):
        GeneralisedTable(Table([Column.of("sex", ["f"])]), BOTH, [0, 0], np.zeros(1, bool))


def test_a_table_without_rows_or_quasi_identifiers_is_refused() -> None:
    with pytest.raises(BadTable, match="no rows"):
        published("", "", [0, 0])
    with pytest.raises(BadTable, match="nothing to measure"):
        GeneralisedTable(table("a", "f"), {}, [], np.zeros(1, bool))


# against a slow reader of the same definitions

ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from("fm"),
        st.integers(0, 2),
        st.integers(0, 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


def boxes(row: tuple[str, str, int, int, bool]) -> set[tuple[str, str]]:
    """The tuples of the domain that a row may be."""
    town, sex, town_level, sex_level, gone = row
    return set(product(leaves(TOWN, town, town_level, gone), leaves(SEX, sex, sex_level, gone)))


def leaves(hierarchy: Hierarchy, value: str, level: int, gone: bool) -> list[str]:
    labels = hierarchy.maps[-1 if gone else level]
    place = hierarchy.domain.index(value)
    return [other for i, other in enumerate(hierarchy.domain) if labels[i] == labels[place]]


@SMALL
@given(ROWS)
def test_local_recoding_is_measured_as_row_by_row(rows: list[tuple[str, str, int, int, bool]]) -> None:
    town, sex, at_town, at_sex, gone = zip(*rows, strict=True)
    mask = "".join("x" if each else "." for each in gone)
    told = utility(published("".join(town), "".join(sex), list(zip(at_town, at_sex, strict=True)), mask))
    sizes = Counter(frozenset(boxes(row)) for row in rows if not row[4])
    assert told.classes == len(sizes)
    assert told.discernibility == sum(n * n for n in sizes.values()) + len(rows) * sum(gone)
    assert told.ambiguity == pytest.approx(np.mean([len(boxes(row)) for row in rows]))
    assert told.granularity == pytest.approx(
        np.mean([
            (len(leaves(h, row[i], row[i + 2], row[4])) - 1) / (len(h.domain) - 1)
            for row in rows
            for i, h in enumerate((TOWN, SEX))
        ])
    )  # fmt: skip
    source, after = Counter((row[0], row[1]) for row in rows), Counter[tuple[str, str]]()
    for row in rows:
        for each in boxes(row):
            after[each] += 1 / len(boxes(row))  # type: ignore[assignment]
    expected = sum(n / len(rows) * log2(n / after[each]) for each, n in source.items())
    assert told.divergence_bits == pytest.approx(expected, abs=1e-12)


@SMALL
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: list[Any], shuffler: Any) -> None:
    def told(asked: list[Any]) -> Utility:
        town, sex, at_town, at_sex, gone = zip(*asked, strict=True)
        levels = list(zip(at_town, at_sex, strict=True))
        return utility(published("".join(town), "".join(sex), levels, "".join(".x"[each] for each in gone)))

    mixed = list(rows)
    shuffler.shuffle(mixed)
    first, second = told(rows), told(mixed)
    assert first.loss.geometric_mean == pytest.approx(second.loss.geometric_mean)
    assert first.entropy_bits == pytest.approx(second.entropy_bits)
    assert vars_of(first.quality) == pytest.approx(vars_of(second.quality))


@SMALL
@given(ROWS)
def test_full_domain_levels_are_measured_as_the_same_levels_on_every_row(rows: list[Any]) -> None:
    town, sex, at_town, at_sex, gone = zip(*rows, strict=True)
    levels, mask = (at_town[0], at_sex[0]), "".join(".x"[each] for each in gone)
    once = utility(published("".join(town), "".join(sex), levels, mask))
    assert once == utility(published("".join(town), "".join(sex), [levels] * len(rows), mask))


# as ARX measured


@cache
def adult() -> Table:
    lines = (DATA / "adult" / "adult.csv").read_text(encoding="utf-8").splitlines()
    names = lines[0].split(";")
    return Table([
        Column.of(name, texts)
        for name, texts in zip(names, zip(*(line.split(";") for line in lines[1:]), strict=True), strict=True)
    ])  # fmt: skip


@cache
def hierarchy(name: str) -> Hierarchy:
    lines = (DATA / "adult" / f"adult_hierarchy_{name}.csv").read_text(encoding="utf-8").splitlines()
    return Hierarchy.of(name, [line.split(";") for line in lines])


def classes(run: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The class of each row at the run's levels, and the occupations of each class."""
    keys, source = np.zeros(adult().rows, dtype=np.int64), adult()
    for name, level in zip(run["qi"], run["levels"], strict=True):
        told = hierarchy(name)
        keys = keys * 200 + told.maps[level][told.places(source[name])[source[name].codes]]
    _, numbers = np.unique(keys, return_inverse=True)
    kinds = len(source["occupation"].values)
    counts = np.bincount(numbers * kinds + source["occupation"].codes, minlength=(numbers.max() + 1) * kinds)
    return numbers, counts.reshape(-1, kinds)


def fails(run: dict[str, Any], counts: np.ndarray) -> np.ndarray:
    """Which classes the run suppressed, by its model (occupation is the sensitive attribute)."""
    sizes = counts.sum(axis=1)
    shares, whole = counts / sizes[:, None], counts.sum(axis=0) / counts.sum()
    kind, *given = run["model"].split("-")
    few = sizes < run["k"]
    if kind == "distinct":
        return few | ((counts > 0).sum(axis=1) < int(given[0]))
    if kind == "entropy":
        logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
        return few | (-(shares * logs).sum(axis=1) < np.log(float(given[0])) - 1e-12)
    if kind == "rec":
        most = np.sort(counts, axis=1)[:, ::-1]
        return few | (most[:, 0] >= float(given[0]) * most[:, int(given[1]) - 1 :].sum(axis=1))
    if kind == "teq":
        return few | (np.abs(shares - whole).sum(axis=1) / 2 > float(given[0]) + 1e-12)
    if kind in ("ebl", "bbl"):
        beta = float(given[0])
        most_gain = np.minimum(beta, -np.log(whole)) if kind == "ebl" else beta
        return few | (shares - whole > most_gain * whole + 1e-12).any(axis=1)
    return few


def runs(every: int) -> Iterator[tuple[dict[str, Any], Utility]]:
    """Of each `every`th run, those whose suppressed rows are known, with our figures for their levels and rows."""
    for line in GOLDEN.read_text(encoding="utf-8").splitlines()[::every]:
        run = json.loads(line)
        numbers, counts = classes(run)
        out = fails(run, counts) if run["suppressed"] else np.zeros(len(counts), bool)
        if counts[out].sum() != run["suppressed"] or (~out).sum() != run["classes"]:
            continue
        told = GeneralisedTable(
            adult(), {name: hierarchy(name) for name in run["qi"]}, run["levels"], out[numbers]
        )
        yield run, utility(told, gs_factor=0.2 if run["metric"].endswith("gs0.2") else 0.5)


MEASURES = {
    "loss-arith": lambda told: told.loss.arithmetic_mean,
    "loss-arith-gs0.2": lambda told: told.loss.arithmetic_mean,
    "loss-geo": lambda told: told.loss.geometric_mean,
    "loss-max": lambda told: told.loss.maximum,
    "prec-arith": lambda told: told.imprecision,
    "nue-sum": lambda told: told.entropy_bits,
    "dm": lambda told: told.discernibility,
    "aecs": lambda told: told.average_class_size,
    "height-sum": lambda told: sum(each.level for each in told.attributes),
}
QUALITIES = {
    "granularity": "granularity",
    "precision": "precision",
    "nue": "entropy",
    "dm_q": "discernibility",
    "aecs_q": "class_size",
    "ambiguity_q": "ambiguity",
    "sse_q": "squared_error",
}


@with_golden
@pytest.mark.parametrize(("every", "least"), first(1, [(12, 40), (1, 500)]))
def test_arx_measured_the_same_utility_in_every_run_whose_suppressed_rows_are_known(
    every: int, least: int
) -> None:
    compared = 0
    for run, told in runs(every):
        case = (run["qi"], run["levels"], run["model"], run["metric"])
        got = {field: getattr(told.quality, ours) for field, ours in QUALITIES.items()}
        assert got == pytest.approx({field: run[field] for field in QUALITIES}, abs=1e-9, rel=0), case
        assert MEASURES[run["metric"]](told) == pytest.approx(float(run["loss"]), abs=1e-9, rel=1e-12), case
        compared += 1
    assert compared >= least
