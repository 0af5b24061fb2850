"""Every question in the guide for askers, in both languages, is answered as it stands there.

A block of JSON is a question to `residents`, unless a dataset is named behind the word json; `workload` behind
that says where it is sent. A block `sh question` is a whole line for a shell, and the block after it names the columns
of its answer.
"""

import csv
import json
import re
import shlex
from decimal import Decimal
from pathlib import Path

import pytest

from api import create_app
from api.settings import Settings
from datasets.database.store import Store
from datasets.descriptor.descriptor import View, parse, read
from datasets.ledger.accounts import Account
from datasets.ledger.service import Ledger
from datasets.people.service import People
from datasets.registration.registry import register, register_view
from datasets.sample import generate
from privacy.budget import Price
from privacy.query import AGGREGATES

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("asking.md", "asking.ja.md")]
BLOCK = re.compile(r"```json *(\S*) *(\S*)\n(.*?)```", re.DOTALL)
LINE = re.compile(r"```sh question\n(.*?)```\n+```csv\n(.*?)\n```", re.DOTALL)
# What stands alike in both guides is asked once.
BLOCKS = list(dict.fromkeys(block for guide in GUIDES for block in BLOCK.findall(guide)))
LINES = list(dict.fromkeys(line for guide in GUIDES for line in LINE.findall(guide)))
# What `sudare demo` leaves its analyst after its own question.
LEFT = {"residents": Decimal("1.5"), "care-benefits": Decimal(2)}
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
            # Both guides ask more than one reader may.
            descriptor=parse(re.sub(r'^  cap: "5"$', '  cap: "50"', text_of(descriptors[file]), flags=re.M)),
            source=sources[file],
            actor="test",
            progress=lambda stage, share: None,
        )
        Ledger(store).grant(
            lineage=dataset,
            account=Account(kind="user", holder="aoi"),
            amount=Price.parse("50" if dataset == "residents" else "10"),
            reason="test",
            requested_by="test",
        )
    join_residents_with_care(store, settings.data_dir)
    client = create_app(settings).test_client()

    def ask(dataset, kind, question, number, **more):
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"documented-{number}", **more}
        return client.post(f"/v1/datasets/{dataset}/{kind}", json=question, headers=headers)

    yield ask
    store.close()


def text_of(file):
    return file.read_text(encoding="utf-8")


def join_residents_with_care(store, data_dir):
    view = read((ROOT / "datasets/sample/residents-care.yaml").read_text(encoding="utf-8"))
    assert isinstance(view, View)
    register_view(store=store, data_dir=data_dir, view=view, actor="test", progress=lambda stage, share: None)


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


def typed(line):
    """What a shell makes of a line: the dataset, the question and the headers."""
    words = shlex.split(line.replace("\\\n", " ").replace("$KEY", "KEY"))
    assert words[:2] == ["curl", "-s"]
    (dataset,) = re.fullmatch(r"http://127\.0\.0\.1:8000/v1/datasets/([\w-]+)/queries", words[2]).groups()
    headers = dict(words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
    assert headers.pop("Authorization") == "Bearer KEY"
    return dataset, json.loads(words[words.index("-d") + 1]), headers


@pytest.mark.parametrize("number", range(len(LINES)))
def test_a_documented_line_is_answered_with_the_columns_that_the_guide_names(city, number):
    line, header = LINES[number]
    dataset, question, headers = typed(line)
    answer = city(dataset, "queries", question, number, **headers)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.mimetype == "text/csv"
    rows = list(csv.reader(answer.get_data(as_text=True).splitlines()))
    assert ",".join(rows[0]) == header
    assert len(rows) > 1


def test_the_documented_lines_fit_into_the_budget_of_the_demonstration(city):
    """Each is quoted; a view's price is charged to both of its sources."""
    spent = dict.fromkeys(LEFT, Decimal(0))
    for number, (line, _) in enumerate(LINES):
        dataset, question, _ = typed(line)
        quote = city(dataset, "queries", {**question, "mode": "quote"}, number).json
        for source in LEFT if dataset == "residents-care" else [dataset]:
            spent[source] += Decimal(quote["charge"]["amount"])
    assert len(LINES) >= 8
    assert all(0 < spent[source] <= LEFT[source] for source in LEFT), spent
