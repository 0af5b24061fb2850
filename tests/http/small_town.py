"""The town behind a server: two datasets, two administrators, analysts of two organisations, a portal user.

Made once and copied for whoever wants to spend in it. Tests ask through `Visitor`, over HTTP and only so.
"""

import itertools
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from described import DescribedClient
from flask import Flask
from town import GRANTS, RESIDENTS, SECRET, VISITS, add, enrol, grant, residents_csv, visits_csv
from werkzeug.test import TestResponse

from api import create_app
from api.settings import Settings
from datasets.database.store import Store, migrate
from datasets.ledger.service import Ledger
from privacy.noise import Noise

COUNT = {"select": [{"as": "residents", "agg": "count"}], "budget": {"epsilon": "0.5"}}
BY_DISTRICT = {**COUNT, "group_by": [{"column": "district", "missing": True}]}

_keys = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Where a town lies, and the key of everybody in it."""

    settings: Settings
    keys: dict[str, str]

    def copy(self, folder: Path, **changes: Any) -> "Town":
        """The same town again, to spend in; only for towns on SQLite."""
        shutil.copytree(self.settings.data_dir.parent, folder, dirs_exist_ok=True)
        settings = replace(
            self.settings, data_dir=folder / "data", database_url=f"sqlite:///{folder}/sudare.db"
        )
        return Town(settings=replace(settings, **changes), keys=self.keys)

    def register(self, descriptor: str, csv: str, grants: Iterable[tuple[str, str, str, str]] = ()) -> None:
        """Register one more dataset, and grant budget in it."""
        store = Store(self.settings.database_url)
        add(store, self.settings.data_dir, descriptor, csv)
        grant(store, grants)
        store.close()

    def open(self, noise: Noise | None = None) -> "Visitor":
        """The town's server, in this process."""
        return Visitor(create_app(self.settings, noise), self.keys)

    @property
    def environment(self) -> dict[str, str]:
        """The settings as a real server wants them."""
        return {
            "SUDARE_DATABASE_URL": self.settings.database_url,
            "SUDARE_DATA_DIR": str(self.settings.data_dir),
            "SUDARE_SECRET_KEY": SECRET,
            "SUDARE_RESPONSE_QUANTUM_MS": "1",
        }


class Visitor:
    """Somebody at the town's door: requests as the people of the town, and a look at what they spent."""

    def __init__(self, app: Flask, keys: dict[str, str]) -> None:
        self.app, self.keys = app, keys
        app.test_client_class = DescribedClient
        self.client = app.test_client()

    @property
    def services(self) -> Any:
        return self.app.extensions["sudare"]

    @property
    def ledger(self) -> Ledger:
        ledger: Ledger = self.services.ledger
        return ledger

    def key_of(self, user: str | None) -> dict[str, str]:
        return {} if user is None else {"Authorization": f"Bearer {self.keys[user]}"}

    def get(self, path: str, user: str | None = "aoi", **headers: str) -> TestResponse:
        return self.client.get(path, headers={**self.key_of(user), **_named(headers)})

    def post(self, path: str, body: Any, user: str | None = "hana", **headers: str) -> TestResponse:
        """POST a JSON body; bytes are sent as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body)
        sent = {"Content-Type": "application/json", **self.key_of(user), **_named(headers)}
        return self.client.post(path, data=data, headers=sent)

    def ask(
        self,
        body: Any = COUNT,
        *,
        user: str | None = "aoi",
        dataset: str = "residents",
        key: str | None = None,
        **headers: str,
    ) -> TestResponse:
        """Ask a question, under a new idempotency key unless one is given; an empty one sends none."""
        key = f"key-{next(_keys)}" if key is None else key
        with_key = {"Idempotency-Key": key} if key else {}
        return self.post(f"/v1/datasets/{dataset}/queries", body, user, **with_key, **headers)

    def spent(self) -> dict[str, str]:
        """What every account with a limit has spent so far, those who spent nothing left out."""
        return {
            f"{state.lineage}/{state.kind}:{state.holder}": str(state.spent)
            for state in self.ledger.all_accounts()
            if state.spent.nano and state.is_limited
        }

    def granted(self, account: str) -> str:
        """What a residents account was granted: kind:holder."""
        kind, _, holder = account.partition(":")
        found = [state for state in self.ledger.all_accounts() if state.lineage == "residents"]
        return str(next(state.granted for state in found if (state.kind, state.holder) == (kind, holder)))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def build(folder: Path, *, more: str = "", database_url: str = "", **settings: Any) -> Town:
    """Register the town below `folder`; `more` are further lines of the residents' CSV."""
    chosen = Settings(
        database_url=database_url or f"sqlite:///{folder}/sudare.db",
        data_dir=folder / "data",
        secret_key=SECRET,
        **{"response_quantum_ms": 0, **settings},
    )
    chosen.data_dir.mkdir(parents=True)
    store = Store(chosen.database_url)
    migrate(store)
    add(store, chosen.data_dir, RESIDENTS, residents_csv() + more)
    add(store, chosen.data_dir, VISITS, visits_csv())
    keys = enrol(store)
    grant(store, GRANTS)
    store.close()
    return Town(settings=chosen, keys=keys)
