"""Adult: 30,162 real records and their hierarchies, where they lie beside the checkout."""

import csv
from pathlib import Path

from bench.deid import timed
from bench.deid.cases import DIAL, FULL_DOMAIN, LOCAL_GOALS
from bench.deid.timed import Outcome
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.hierarchies.layout import parse
from privacy.deidentify.models import KAnonymity
from privacy.deidentify.search.engine import Task, warm_up
from privacy.deidentify.table import Column, Table

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "adult"
TIMES = 5


def is_there() -> bool:
    """Whether the records are on this machine."""
    return (FOLDER / "adult.csv").is_file()


def full_domain(*, rows: int | None = None, times: int = TIMES) -> dict[str, Outcome]:
    """Each full-domain case by its title, of the first `rows` records or all."""
    table, trees = _read(rows)
    warm_up()
    tasks = {
        case.title: Task(
            table=table,
            quasi={name: trees[name] for name in case.quasi},
            models=case.models,
            suppression=case.suppression,
        )
        for case in FULL_DOMAIN
    }
    return timed.measured(tasks, times)


def local(*, rows: int | None = None, times: int = TIMES) -> dict[str, Outcome]:
    """Each position of the dial for each k, without suppression, by "k recoding"; of the first `rows` or all."""
    table, trees = _read(rows)
    warm_up()
    tasks = {
        f"{goal.k} {recoding}": Task(
            table=table, quasi=trees, models=(KAnonymity(goal.k),), recoding=recoding
        )
        for goal in LOCAL_GOALS
        for recoding in DIAL
    }
    return timed.measured(tasks, times)


def _read(rows: int | None) -> tuple[Table, dict[str, Hierarchy]]:
    with (FOLDER / "adult.csv").open(encoding="utf-8", newline="") as file:
        head, *records = csv.reader(file, delimiter=";")
    columns = [
        Column.of(name, texts) for name, texts in zip(head, zip(*records[:rows], strict=True), strict=True)
    ]
    return Table(columns), {name: _tree(name) for name in head}


def _tree(name: str) -> Hierarchy:
    return parse(name, (FOLDER / f"adult_hierarchy_{name}.csv").read_text(encoding="utf-8"))
