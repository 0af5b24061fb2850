"""schemathesis asks the running server whatever its description allows and forbids, as each role."""

import subprocess
import sys
from pathlib import Path

import pytest
from lanes import first
from real_server import Server

from datasets.database.store import Store
from datasets.ledger.accounts import Account
from datasets.ledger.service import Ledger
from privacy.budget import Price

FEW, MANY = 3, 8
"""Examples an operation and phase; all roles are asked many in the long lane."""

ANALYST, ADMINISTRATOR, PORTAL = "aoi", "hana", "sora"
SEED = 20261122
SECONDS_MAX = 300
CAP = {"dataset": "residents", "dataset_cap": True, "epsilon": "5", "reason": "the council decided"}
RESIDENTS = Account(kind="dataset", holder="residents")
COUNT = {"select": [{"agg": "count"}], "budget": {"epsilon": "0.5"}}

# What fits the description may still not fit the data's schema or the state: that is 422, 428 or 406.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 304, 401, 403, 404, 406, 409, 410, 422, 428]

[generation]
database = "none"

[[operations]]
include-path-regex = "^/v1/datasets/"
parameters = {{ "path.id" = "residents" }}

[[operations]]
include-path = "/v1/queries/{{id}}"
parameters = {{ "path.id" = "{query}" }}

[[operations]]
include-path = "/v1/grants/{{id}}/decision"
parameters = {{ "path.id" = "{grant}" }}
"""


@pytest.fixture(scope="session")
def configuration(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names of things that are there, so that not all is 404."""
    as_administrator = {"Authorization": f"Bearer {server.town.keys['hana']}"}
    query = server.ask(COUNT, key="for-the-contract")[1]["id"]
    grant = server.call("POST", "/v1/grants", CAP, as_administrator)[1]["id"]
    file = tmp_path_factory.mktemp("configuration") / "schemathesis.toml"
    file.write_text(CONFIGURATION.format(query=query, grant=grant))
    return file


@pytest.mark.long
@pytest.mark.parametrize(
    ("user", "examples"), first(1, [(ANALYST, FEW), (ANALYST, MANY), (ADMINISTRATOR, MANY), (PORTAL, MANY)])
)
def test_the_server_keeps_its_description(
    server: Server, configuration: Path, user: str, examples: int
) -> None:
    command = [
        str(Path(sys.executable).with_name("st")),
        f"--config-file={configuration}",
        "run",
        f"{server.url}/openapi.json",
        "--checks=all",
        "--generation-deterministic",
        f"--seed={SEED}",
        f"--max-examples={examples}",
        "--continue-on-failure",
        "--no-color",
        f"--header=Authorization: Bearer {server.town.keys[user]}",
    ]
    done = subprocess.run(
        command, cwd=configuration.parent, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    assert '"event": "fault"' not in server.log.read_text()


@pytest.mark.long
def test_nothing_that_was_asked_has_harmed_the_ledger(server: Server, configuration: Path) -> None:
    store = Store(server.town.settings.database_url)
    ledger = Ledger(store)
    spent = next(state.spent for state in ledger.all_accounts() if state.account == RESIDENTS)
    assert spent >= Price.parse("0.5")
    assert ledger.verify() == []
    store.close()
