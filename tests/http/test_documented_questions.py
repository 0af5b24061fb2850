"""Every question in the guide for askers is answered as it stands there.

A block of JSON is a question to `residents`, unless a dataset is named behind the word json; `workload` behind
that says where it is sent.
"""

import json
import re
from pathlib import Path

import pytest

from api import create_app
from api.settings import Settings
from datasets.database.store import Store
from datasets.descriptor.descriptor import parse
from datasets.ledger.accounts import Account
from datasets.ledger.service import Ledger
from datasets.people.service import People
from datasets.registration.registry import register
from datasets.sample import generate
from privacy.budget import Price
from privacy.query import AGGREGATES

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "asking.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```json *(\S*) *(\S*)\n(.*?)```", GUIDE, re.DOTALL)
QUESTIONS = [
    (dataset or "residents", "workloads" if kind == "workload" else "queries", json.loads(block))
    for dataset, kind, block in BLOCKS
]
SAMPLE = {"residents": "residents", "care-benefits": "care"}
EMPLOYERS = ROOT / "examples" / "employers.yaml"


@pytest.fixture(scope="module")
def city(tmp_path_factory, sqlite_template):
    """Asks a server that holds the registers of a city of 300."""
    folder = tmp_path_factory.mktemp("city")
    (folder / "sudare.db").write_bytes(sqlite_template)
    settings = Settings(
        database_url=f"sqlite:///{folder / 'sudare.db'}", data_dir=folder / "data", response_quantum_ms=0
    )
    store = Store(settings.database_url)
    people = People(store, settings.secret())
    people.add_organisation("sunrise", by="tester")
    key = people.add_user("aoi", organisation="sunrise", role="analyst", by="tester")
    sources = generate(folder, residents=300, files=tuple(SAMPLE.values()))
    descriptors = {file: ROOT / f"datasets/sample/{file}.yaml" for file in SAMPLE.values()}
    sources["employers"], descriptors["employers"] = employers(folder), EMPLOYERS
    for dataset, file in {**SAMPLE, "employers": "employers"}.items():
        register(
            store=store,
            data_dir=settings.data_dir,
            descriptor=parse(descriptors[file].read_text(encoding="utf-8")),
            source=sources[file],
            actor="test",
            progress=lambda stage, share: None,
        )
        Ledger(store).grant(
            lineage=dataset,
            account=Account(kind="user", holder="aoi"),
            amount=Price.parse("10"),
            reason="test",
            requested_by="test",
        )
    client = create_app(settings).test_client()

    def ask(dataset, kind, question, number):
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"documented-{number}"}
        return client.post(f"/v1/datasets/{dataset}/{kind}", json=question, headers=headers)

    yield ask
    store.close()


def employers(folder):
    """Who works where: two employers of many and some of few."""
    file = folder / "employers.csv"
    words = ["株式会社あおば"] * 200 + ["Kita Bank"] * 150 + [f"Workshop {number}" for number in range(30)]
    lines = [f"p{place},{word},40,permanent\n" for place, word in enumerate(words)]
    file.write_text("resident_id,employer,hours,contract\n" + "".join(lines), encoding="utf-8")
    return file


def test_the_guide_holds_questions_on_every_statistic():
    assert len(QUESTIONS) >= 12
    asked = {statistic["agg"] for _, _, question in QUESTIONS for statistic in question["select"]}
    assert asked == set(AGGREGATES)


@pytest.mark.parametrize("number", range(len(QUESTIONS)))
@pytest.mark.parametrize("mode", ["quote", "dummy", "run"])
def test_a_documented_question_is_answered(city, number, mode):
    dataset, kind, question = QUESTIONS[number]
    answer = city(dataset, kind, {**question, "mode": mode}, number)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.json["mode"] == mode


def test_the_documented_question_by_employers_names_those_of_many_only(city):
    number = next(place for place, (dataset, *_) in enumerate(QUESTIONS) if dataset == "employers")
    dataset, kind, question = QUESTIONS[number]
    answer = city(dataset, kind, question, f"{number}-names").json
    assert {row["employer"] for row in answer["rows"]} == {"株式会社あおば", "Kita Bank"}
