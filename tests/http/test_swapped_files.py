"""Rows that are not those of the version that is asked answer nothing and cost nothing, however they got there."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from odd_engines import file_of
from small_town import Town, Visitor, build
from sqlalchemy import select
from town import RESIDENTS_VISITS, VISITS, join, visits_csv

from datasets.database.store import Store
from datasets.database.tables import VersionRow
from datasets.engines.format import TABLE

COUNT = {"select": [{"agg": "count"}], "budget": {"epsilon": "0.1"}}
OTHER = {"select": [{"agg": "count"}], "budget": {"epsilon": "0.05"}}


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """The town with a view, and a second version of its visits."""
    town = build(tmp_path_factory.mktemp("joined") / "town")
    store = Store(town.settings.database_url)
    join(store, town.settings.data_dir, RESIDENTS_VISITS)
    store.close()
    town.register(VISITS, visits_csv() + "1,bus,3\n")
    return town


def run(visitor: Visitor, sql: str) -> None:
    with visitor.services.store.writing() as tx:
        assert tx.exec_driver_sql(sql).rowcount == 1


def folder_of(visitor: Visitor, version: str) -> str:
    """The folder of a version, dataset/v1, as the database names it."""
    dataset, _, number = version.partition("/v")
    of_version = select(VersionRow.folder).where(
        VersionRow.dataset == dataset, VersionRow.number == int(number)
    )
    with visitor.services.store.reading() as connection:
        return str(connection.execute(of_version).scalar_one())


def copied(source: str, target: str) -> Callable[[Visitor], None]:
    """What copies the file of one dataset, or of a folder, over that of another."""

    def copy(visitor: Visitor) -> None:
        place = file_of(visitor, target)
        shutil.copy(place.parents[2] / folder_of(visitor, source) / place.name, place)

    return copy


def without_seal(visitor: Visitor) -> None:
    file = file_of(visitor, "visits")
    rows = file.with_name("rows.duckdb")
    # In a process of its own, as an operator does it: this one may have the file open.
    script = (
        f"import duckdb; made = duckdb.connect({str(rows)!r}); made.execute(\"ATTACH '{file}' AS whole (READ_ONLY)\");"
        f" made.execute('CREATE TABLE {TABLE} AS FROM whole.{TABLE}')"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    rows.replace(file)


def updated(sql: str) -> Callable[[Visitor], None]:
    return lambda visitor: run(visitor, f"UPDATE {sql}")


HARMS: dict[str, tuple[str, Callable[[Visitor], None]]] = {
    "another dataset's file": ("residents", copied("visits/v2", "residents")),
    "another dataset's file of the same columns": ("visits", copied("residents-visits/v1", "visits")),
    "an earlier version's file": ("visits", copied("visits/v1", "visits")),
    "another file for a view": ("residents-visits", copied("visits/v2", "residents-visits")),
    "a file without a seal": ("visits", without_seal),
    "another folder": (
        "residents",
        updated(
            "versions SET folder = (SELECT folder FROM versions WHERE dataset = 'visits' AND number = 2)"
            " WHERE dataset = 'residents'"
        ),
    ),
    "a smaller bound": (
        "visits",
        updated(
            "versions SET descriptor = replace(descriptor, 'max_rows_per_person: 3', 'max_rows_per_person: 1')"
            " WHERE dataset = 'visits' AND number = 2"
        ),
    ),
    "a smaller bound of a view": (
        "residents-visits",
        updated(
            """versions SET descriptor = replace(descriptor, '_person": 3', '_person": 1')"""
            " WHERE dataset = 'residents-visits' AND descriptor LIKE '%_person\": 3%'"
        ),
    ),
    "another payer": ("residents", updated("datasets SET lineage = 'visits' WHERE id = 'residents'")),
    "a payer fewer": (
        "residents-visits",
        updated("view_lineages SET dataset = 'visits' WHERE lineage = 'visits'"),
    ),
    "a version that passes for one of before": (
        "visits",
        updated("versions SET sealed = 0 WHERE dataset = 'visits' AND number = 2"),
    ),
}


@pytest.mark.parametrize(
    "asked_before", [False, pytest.param(True, marks=pytest.mark.long)], ids=["closed", "open"]
)
@pytest.mark.parametrize(("dataset", "harm"), HARMS.values(), ids=HARMS)
def test_rows_that_are_not_those_of_the_version_answer_nothing_and_cost_nothing(
    joined: Town,
    tmp_path: Path,
    dataset: str,
    harm: Callable[[Visitor], None],
    asked_before: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    visitor = joined.copy(tmp_path / "town").open()
    if asked_before:
        # Another question, or it would be answered again from what is kept.
        assert visitor.ask(OTHER, dataset=dataset).status_code == 200
    spent = visitor.spent()
    harm(visitor)
    refused = visitor.ask(COUNT, dataset=dataset)
    assert (refused.status_code, refused.json["code"]) == (503, "engine_unavailable")
    assert visitor.spent() == spent
    # Lines of the log go to either, as other tests of the process left it.
    assert "another file" in "".join(capsys.readouterr())
    for _ in range(2):
        assert visitor.get("/readyz", user=None).status_code == 503


def test_a_server_that_has_the_file_open_is_not_ready_once_it_is_swapped(
    joined: Town, tmp_path: Path
) -> None:
    visitor = joined.copy(tmp_path / "town").open()
    file = file_of(visitor, "visits")
    kept = shutil.copy(file, tmp_path / "kept")
    assert visitor.ask(OTHER, dataset="visits").status_code == 200
    copied("visits/v1", "visits")(visitor)
    # Nobody asks in between, so the old connection is still there.
    assert visitor.get("/readyz", user=None).status_code == 503
    shutil.copy(kept, file)
    assert visitor.get("/readyz", user=None).status_code == 200
    assert visitor.ask(COUNT, dataset="visits").status_code == 200
