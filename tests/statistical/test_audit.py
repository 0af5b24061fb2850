"""End to end: how much two neighbouring registers can really be told apart over HTTP.

The same question is put many times to a register and to one with one person more. From how often an answer
reaches the larger exact count follows a lower bound on ε that holds with near certainty: it must not exceed
what was charged. And the best guess must come close to the charge, or the audit would be blind.
"""

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from scipy.stats import beta

from api import create_app
from api.settings import Settings
from datasets.accounts import Accounts
from datasets.catalog import Catalog
from datasets.descriptor import parse
from datasets.ledger import Account, Ledger
from datasets.registry import register
from datasets.store import Store
from privacy.budget import Price

RUNS = int(os.environ.get("AUDIT_RUNS", "1000"))
CHARGE = 2
"""At ε 2 the odds of the two answers differ most for the number of runs; the estimate's error is 0.07."""

CONFIDENCE = 1 - 1e-6
PERSONS = 40
DESCRIPTOR = """
id: {id}
title: {{ja: 監査, en: Audit}}
body: "131016"
privacy:
  unit: person
  max_rows_per_person: 1
  measure: pure
  cap: "1000000"
  max_per_query: "2"
columns:
  sex: {{type: category, values: [f, m]}}
"""


@dataclass
class Town:
    """Two neighbouring registers behind one server, and somebody who may ask both."""

    client: FlaskClient
    key: str
    asked: int = 0

    def count(self, dataset: str) -> int:
        """One fresh answer to "how many women are there?"."""
        self.asked += 1
        question = {
            "select": [{"as": "n", "agg": "count"}],
            "where": {"column": "sex", "op": "=", "value": "f"},
            "budget": {"epsilon": str(CHARGE)},
            "reuse": "never",
        }
        answer = self.client.post(
            f"/v1/datasets/{dataset}/queries",
            data=json.dumps(question),
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key}", "Idempotency-Key": f"k{self.asked}"},
        )
        assert answer.status_code == 200, answer.text
        assert answer.json["charge"]["amount"] == str(CHARGE)
        return int(answer.json["rows"][0]["n"])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, sqlite_template: bytes) -> Town:
    folder = tmp_path_factory.mktemp("audit")
    (folder / "sudare.db").write_bytes(sqlite_template)
    settings = Settings(
        database_url=f"sqlite:///{folder / 'sudare.db'}",
        data_dir=folder / "data",
        response_quantum_ms=0,
        rate_limit="1000000 per minute",
    )
    store = Store(settings.database_url)
    ledger, accounts = Ledger(store), Accounts(store, settings.secret())
    accounts.add_organisation("auditors")
    key = accounts.add_user("aoi", organisation="auditors", role="analyst")
    for id, persons in (("without", PERSONS), ("with", PERSONS + 1)):
        enrol(store, settings.data_dir, id, persons)
        ledger.grant(
            lineage=Catalog(store, settings.data_dir).current(id).lineage,
            account=Account(kind="user", holder="aoi"),
            amount=Price.parse("1000000"),
            reason="audit",
            requested_by="auditor",
        )
    store.close()
    return Town(create_app(settings).test_client(), key)


def enrol(store: Store, data_dir: Path, id: str, women: int) -> None:
    """Register a town of so many women and as many men as there are in the other."""
    source = data_dir / f"{id}.csv"
    people = [("f", number) for number in range(women)] + [("m", 1_000 + number) for number in range(PERSONS)]
    source.write_text("person,sex\n" + "".join(f"{number},{sex}\n" for sex, number in people))
    register(
        store=store,
        data_dir=data_dir,
        descriptor=parse(DESCRIPTOR.format(id=id)),
        source=source,
        actor="test",
        progress=lambda *_: None,
    )


def least(hits: int) -> float:
    """The Clopper-Pearson lower bound of a probability."""
    return float(beta.ppf(1 - CONFIDENCE, hits, RUNS - hits + 1)) if hits else 0.0


def most(hits: int) -> float:
    """The Clopper-Pearson upper bound of a probability."""
    return float(beta.ppf(CONFIDENCE, hits + 1, RUNS - hits)) if hits < RUNS else 1.0


def test_the_loss_measured_from_outside_is_below_the_charge_and_close_to_it(town: Town) -> None:
    """Laplace noise tells most at any count from the larger exact one on, and as much below it."""
    without = sum(town.count("without") > PERSONS for _ in range(RUNS))
    having = sum(town.count("with") > PERSONS for _ in range(RUNS))
    certain = max(
        math.log(least(having) / most(without)),
        math.log(least(RUNS - without) / most(RUNS - having)),
    )
    likely = (math.log(having / without) + math.log((RUNS - without) / (RUNS - having))) / 2
    assert certain < CHARGE
    assert likely > 0.8 * CHARGE
    assert certain > 0.5 * CHARGE
