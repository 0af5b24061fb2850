"""Adult, its hierarchies and the engine on them, for tests that compare with reference figures."""

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pycanon import anonymity

from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.models import Model
from privacy.deidentify.proof import verify
from privacy.deidentify.search.engine import Recoded, Recoding, Task, recode
from privacy.deidentify.search.loss import Measure
from privacy.deidentify.table import Column, Table

DATA = Path(__file__).parents[2] / "shared" / "data"
NEEDS_ADULT = pytest.mark.skipif(
    not DATA.exists(), reason="the shared folder with ARX's reference runs isn't here"
)
EIGHT = ["sex", "age", "race", "marital-status", "education", "native-country", "workclass", "salary-class"]
NINE = [*EIGHT[:7], "occupation", "salary-class"]
SENSITIVE = "occupation"


@cache
def adult() -> tuple[Table, dict[str, Hierarchy]]:
    with (DATA / "adult" / "adult.csv").open(encoding="utf-8") as file:
        names, *rows = csv.reader(file, delimiter=";")
    trees = {}
    for name in names:
        with (DATA / "adult" / f"adult_hierarchy_{name}.csv").open(encoding="utf-8") as file:
            trees[name] = Hierarchy.of(name, [line for line in csv.reader(file, delimiter=";") if line])
    columns = [Column.of(name, [row[i] for row in rows]) for i, name in enumerate(names)]
    return Table(columns), trees


def asked(
    quasi: list[str],
    models: tuple[Model, ...],
    suppression: float = 0.0,
    measure: Measure | None = None,
    recoding: Recoding = Recoding.FULL_DOMAIN,
) -> Task:
    table, trees = adult()
    return Task(
        table=table,
        quasi={name: trees[name] for name in quasi},
        models=models,
        suppression=suppression,
        measure=measure or Measure(),
        recoding=recoding,
        sensitive_hierarchies=trees,
    )


def run(task: Task) -> Recoded:
    return recode(task, progress=lambda share, words: None, stop=lambda: False)


def meets(made: Recoded, models: tuple[Model, ...]) -> bool:
    """Whether the published table meets its models, by the verifier and (of k and l) by pycanon."""
    source = adult()[0]
    others = [source[SENSITIVE]] if SENSITIVE not in made.table else []
    table = Table([*made.table.values(), *others])
    quasi = tuple(made.table)
    shown = verify.PublishedTable(table=table, quasi=quasi, suppressed=made.suppressed, source=source)
    return all(verdict.met for verdict in verify.verdicts(models, shown))


def pycanon_k(made: Recoded) -> int:
    shown = np.flatnonzero(~made.suppressed)
    frame = pd.DataFrame({name: column.texts()[shown] for name, column in made.table.items()})
    return int(anonymity.k_anonymity(frame, list(frame)))
