"""Risks of classes: by hand, by integration, and against ARX's reference runs."""

import csv
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import hyp2f1

from privacy.deidentify import classes as cl
from privacy.deidentify.errors import BadModel
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.proof import risk
from privacy.deidentify.table import Column, Table

DATA = Path(__file__).parents[3] / "shared" / "data"
ABSENT = not (DATA / "arx_golden_adult.jsonl").exists()
SMALL = settings(deadline=None, derandomize=True, max_examples=50)


def sizes(*counts: int) -> np.ndarray:
    return np.array(counts, dtype=np.int64)


def test_the_prosecutors_chance_is_one_by_the_class() -> None:
    found = risk.prosecutor(sizes(1, 4, 5), threshold=0.2)
    assert (found.highest, found.lowest, found.mean, found.at_risk) == (1.0, 0.2, 0.3, 0.5)


def test_a_chance_equal_to_the_threshold_is_not_at_risk() -> None:
    assert risk.prosecutor(sizes(3, 10), threshold=1 / 3).at_risk == 0


def test_nobody_published_is_nobody_at_risk() -> None:
    found = risk.prosecutor(sizes(), threshold=0.2)
    assert (found.highest, found.mean, found.at_risk) == (0, 0, 0)


def test_the_journalist_looks_for_the_person_in_the_population() -> None:
    found = risk.journalist(sizes(1, 2), sizes(10, 4), threshold=0.2)
    assert found.highest == 0.25
    assert found.mean == pytest.approx((0.1 + 0.5) / 3)
    assert found.at_risk == pytest.approx(2 / 3)
    assert risk.marketer(sizes(1, 2), populations=sizes(10, 4)) == found.mean


def test_a_population_smaller_than_its_sample_is_refused() -> None:
    with pytest.raises(BadModel, match="in 1 classes"):
        risk.journalist(sizes(3, 3), sizes(3, 2), threshold=0.2)
    with pytest.raises(BadModel, match="5 is smaller than the 6 persons"):
        risk.journalist_estimated(sizes(3, 3), population=5, threshold=0.2)


@SMALL
@given(st.integers(1, 400), st.floats(0.002, 0.999))
def test_the_expected_inverse_of_the_population_size_is_the_negative_binomials(
    f: int, fraction: float
) -> None:
    expected = fraction**f * hyp2f1(f, f, f + 1, 1 - fraction) / f if f < 20 else None
    found = risk.expected_inverse(sizes(f), fraction=fraction)[0]
    if expected is not None and np.isfinite(expected):
        assert found == pytest.approx(expected, rel=1e-6)
    assert found <= 1 / f
    assert found >= fraction / f * 0.99


def test_a_population_that_is_the_sample_has_the_prosecutors_risk() -> None:
    ours = risk.journalist_estimated(sizes(1, 2, 7), population=10, threshold=0.2)
    assert ours.highest == pytest.approx(1)
    assert ours.mean == pytest.approx(risk.marketer(sizes(1, 2, 7)))


def sampled(populations: np.ndarray, fraction: float) -> np.ndarray:
    """How many persons of each class a sample of the population has."""
    draws = np.random.default_rng(1)
    people = np.repeat(np.arange(len(populations)), populations)
    drawn = draws.choice(people, round(fraction * len(people)), replace=False)
    return np.bincount(drawn, minlength=len(populations))


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5])
def test_the_estimate_is_right_where_class_sizes_follow_its_law(fraction: float) -> None:
    populations = np.exp(np.random.default_rng(2).uniform(0, np.log(2000), 4_000)).astype(np.int64)
    seen = sampled(populations, fraction)
    truth = risk.journalist(seen, populations, threshold=0.2).mean
    found = risk.journalist_estimated(seen, population=int(populations.sum()), threshold=0.2).mean
    assert found == pytest.approx(truth, rel=0.1)
    assert found < 0.8 * risk.prosecutor(seen, threshold=0.2).mean


def test_the_estimate_is_too_high_rather_than_too_low_where_all_classes_are_alike() -> None:
    populations = np.full(4_000, 10)
    found = risk.journalist_estimated(sampled(populations, 0.2), population=40_000, threshold=0.2)
    assert 0.1 < found.mean < 0.2


@cache
def adult() -> tuple[Table, dict[str, Hierarchy]]:
    """The Adult records and their hierarchies."""
    with (DATA / "adult" / "adult.csv").open(encoding="utf-8") as file:
        names, *rows = csv.reader(file, delimiter=";")
    table = Table([Column.of(name, [row[i] for row in rows]) for i, name in enumerate(names)])
    trees = {}
    for name in names:
        with (DATA / "adult" / f"adult_hierarchy_{name}.csv").open(encoding="utf-8") as file:
            trees[name] = Hierarchy.of(name, list(csv.reader(file, delimiter=";")))
    return table, trees


@cache
def told(name: str, level: int) -> Column:
    table, trees = adult()
    labels = trees[name].labels[level]
    return table[name].recoded(
        [labels[trees[name].maps[level][place]] for place in trees[name].places(table[name])]
    )


@pytest.mark.skipif(ABSENT, reason="the shared folder with ARX's reference runs isn't here")
def test_arx_leaves_suppressed_records_out_of_every_risk() -> None:
    runs = [json.loads(line) for line in (DATA / "arx_golden_adult.jsonl").read_text().splitlines()]
    runs = [run for run in runs if run["model"] == ""]
    assert len(runs) == 108
    for run in runs:
        table = Table([told(*pair) for pair in zip(run["qi"], run["levels"], strict=True)])
        counts = cl.classes(table, run["qi"]).sizes
        kept = counts[counts >= run["k"]]
        assert counts.sum() - kept.sum() == run["suppressed"]
        found = risk.prosecutor(kept, threshold=0.2)
        assert found.highest == pytest.approx(run["prosecutor_max"], rel=1e-12)
        assert found.at_risk == pytest.approx(run["prosecutor_at_risk_0.2"], rel=1e-12)
        assert found.mean == pytest.approx(run["prosecutor_success"], rel=1e-12)
