"""Every question in the guide for askers is answered as it stands there."""

import json
import re
from pathlib import Path

import pytest

from api import create_app
from api.settings import Settings
from datasets.accounts import Accounts
from datasets.descriptor import parse
from datasets.ledger import Account, Ledger
from datasets.registry import register
from datasets.sample import generate
from datasets.store import Store
from privacy.budget import Price

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "asking.md").read_text(encoding="utf-8")
QUESTIONS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]


@pytest.fixture(scope="module")
def residents(tmp_path_factory, sqlite_template):
    """A client of a server that holds the register of a city of 300."""
    folder = tmp_path_factory.mktemp("city")
    (folder / "sudare.db").write_bytes(sqlite_template)
    settings = Settings(
        database_url=f"sqlite:///{folder / 'sudare.db'}", data_dir=folder / "data", response_quantum_ms=0
    )
    store = Store(settings.database_url)
    register(
        store=store,
        data_dir=settings.data_dir,
        descriptor=parse((ROOT / "datasets/sample/residents.yaml").read_text(encoding="utf-8")),
        source=generate(folder, residents=300, files=("residents",))["residents"],
        actor="test",
        progress=lambda stage, share: None,
    )
    accounts = Accounts(store, settings.secret())
    accounts.add_organisation("sunrise")
    key = accounts.add_user("aoi", organisation="sunrise", role="analyst")
    Ledger(store).grant(
        lineage="residents",
        account=Account(kind="user", holder="aoi"),
        amount=Price.parse("10"),
        reason="test",
        requested_by="test",
    )
    client = create_app(settings).test_client()

    def ask(question, number):
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"documented-{number}"}
        return client.post("/v1/datasets/residents/queries", json=question, headers=headers)

    yield ask
    store.close()


def test_the_guide_holds_questions():
    assert len(QUESTIONS) >= 4


@pytest.mark.parametrize("number", range(len(QUESTIONS)))
@pytest.mark.parametrize("mode", ["quote", "dummy", "run"])
def test_a_documented_question_is_answered(residents, number, mode):
    answer = residents({**QUESTIONS[number], "mode": mode}, number)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.json["mode"] == mode
