"""A database and a data folder that version 0.1 made open after an upgrade: same answers, budgets and journal.

The town in `tests/data` was made by the released commands of 0.1: two registers, a view of both, an analyst and an
administrator, two paid questions, a cap that waits for a second person. It is never made anew.
"""

import json
import tarfile
from pathlib import Path
from typing import Any

import duckdb
import pytest
from odd_engines import file_of
from small_town import Visitor
from sqlalchemy.exc import IntegrityError
from town import SECRET

from api import create_app
from api.settings import Settings
from datasets.database.store import Store, migrate
from datasets.engines.format import SEAL, SEALED

DATA = Path(__file__).parents[1] / "data"
EXPECTED: dict[str, Any] = json.loads((DATA / "town-0.1.json").read_text(encoding="utf-8"))
BY_DISTRICT = {
    "select": [{"as": "residents", "agg": "count"}],
    "group_by": [{"column": "district", "missing": True}],
    "budget": {"epsilon": "0.5"},
}


@pytest.fixture
def upgraded(tmp_path: Path) -> Visitor:
    with tarfile.open(DATA / "town-0.1.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    settings = Settings(
        database_url=f"sqlite:///{tmp_path}/town/sudare.db",
        data_dir=tmp_path / "town" / "data",
        secret_key=SECRET,
        response_quantum_ms=0,
    )
    store = Store(settings.database_url)
    migrate(store)
    store.close()
    return Visitor(create_app(settings), EXPECTED["keys"])


def test_a_retry_of_an_old_question_gets_the_old_answer(upgraded: Visitor) -> None:
    assert upgraded.ask(BY_DISTRICT, key="old-1").json == EXPECTED["answers"]["old-1"]


def test_old_answers_are_read_again_by_their_ids(upgraded: Visitor) -> None:
    for answer in EXPECTED["answers"].values():
        assert upgraded.get(f"/v1/queries/{answer['id']}").json == answer


def test_old_budgets_stand_and_the_old_journal_verifies(upgraded: Visitor) -> None:
    assert upgraded.get("/v1/budgets").json == EXPECTED["budgets"]
    assert upgraded.ledger.verify() == []


def test_old_answers_still_hold_on_to_their_tables(upgraded: Visitor) -> None:
    with upgraded.services.store.writing() as tx:
        assert tx.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    with pytest.raises(IntegrityError), upgraded.services.store.writing() as tx:
        tx.exec_driver_sql("DELETE FROM answer_tables")


def test_new_questions_are_answered_from_old_versions_and_views(upgraded: Visitor) -> None:
    for dataset in ("residents", "visits", "residents-visits"):
        told = upgraded.ask({"select": [{"agg": "count"}], "budget": {"epsilon": "0.1"}}, dataset=dataset)
        assert told.status_code == 200, told.text
    assert upgraded.ledger.verify() == []


def test_a_file_that_says_whose_it_is_is_no_file_of_an_old_version(upgraded: Visitor) -> None:
    file = file_of(upgraded, "visits")
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"CREATE TABLE {SEALED} AS SELECT 'care v1' AS {SEAL}")
    before = upgraded.spent()
    assert upgraded.ask({"select": [{"agg": "count"}], "budget": {"epsilon": "0.1"}}, dataset="visits").json[
        "code"
    ] == ("engine_unavailable")
    assert upgraded.get("/readyz", user=None).status_code == 503
    assert upgraded.spent() == before


def test_what_waited_for_a_second_person_still_waits(upgraded: Visitor) -> None:
    waiting = [
        grant for grant in upgraded.get("/v1/grants", "hana").json["items"] if grant["state"] == "pending"
    ]
    assert [grant["account"] for grant in waiting] == ["dataset:residents"]
