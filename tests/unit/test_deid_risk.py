"""Risks of classes: by hand, and against ARX's reference runs."""

import csv
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from privacy.deidentify import classes as cl
from privacy.deidentify.errors import BadModel
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.proof import risk
from privacy.deidentify.table import Column, Table

DATA = Path(__file__).parents[3] / "shared" / "data"
ABSENT = not (DATA / "arx_golden_adult.jsonl").exists()


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


def test_a_population_smaller_than_its_sample_is_refused() -> None:
    with pytest.raises(BadModel, match="in 1 classes"):
        risk.journalist(sizes(3, 3), sizes(3, 2), threshold=0.2)


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
