"""A small registered town: two datasets, two administrators, analysts of two organisations, a portal user.

Made once and copied for whoever wants to spend in it. Tests ask through `Visitor`, over HTTP and only so.
"""

import itertools
import json
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from described import DescribedClient
from flask import Flask
from werkzeug.test import TestResponse

from api import create_app
from api.settings import Settings
from datasets.database.store import Store, migrate
from datasets.descriptor.descriptor import parse
from datasets.ledger.ledger import Account, Ledger
from datasets.people.service import People
from datasets.registration.registry import register
from privacy.budget import Price
from privacy.noise import Noise

SECRET = "a secret for tests only, and long enough"
RESIDENTS = """
id: residents
title: {ja: 住民, en: Residents}
body: "131016"
privacy: {unit: person, max_rows_per_person: 1, measure: pure, cap: "20", max_per_query: "2"}
columns:
  name: {type: text, role: identifier}
  district: {type: category, values: [chuo, kita, minami], missing: allowed}
  age: {type: integer, min: 0, max: 119}
  score: {type: decimal, min: 0, max: 10, step: 0.1, missing: allowed}
  moved_in: {type: date, min: 2000-01-01, max: 2026-12-31}
"""
VISITS = """
id: visits
title: {ja: 受診, en: Visits}
body: "131016"
privacy: {unit: person, max_rows_per_person: 3, measure: pure, cap: "10", max_per_query: "1"}
columns:
  kind: {type: category, values: [bus, train]}
  cost: {type: integer, min: 0, max: 1000, unit: JPY}
"""
PEOPLE = {
    "hana": ("city", "administrator"),
    "kenji": ("city", "administrator"),
    "aoi": ("shop", "analyst"),
    "mei": ("shop", "analyst"),
    "ren": ("institute", "analyst"),
    "noa": ("institute", "analyst"),
    "sora": ("portal", "portal"),
}
GRANTS = (
    ("residents", "user", "aoi", "5"),
    ("residents", "user", "mei", "5"),
    ("residents", "user", "ren", "5"),
    ("residents", "organisation", "shop", "8"),
    ("visits", "user", "aoi", "5"),
)
COUNT = {"select": [{"as": "residents", "agg": "count"}], "budget": {"epsilon": "0.5"}}
BY_DISTRICT = {**COUNT, "group_by": [{"column": "district", "missing": True}]}
PEOPLE_COUNT = 300
PERSON_MORE = "p9999,Secret Person,kita,77,9.9,2026-01-02\n"

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
            "SUDARE_RESPONSE_QUANTUM_MS": "0",
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
        """What every account has spent so far, those who spent nothing left out."""
        return {
            f"{state.lineage}/{state.kind}:{state.holder}": str(state.spent)
            for state in self.ledger.all_accounts()
            if state.spent.nano
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
    _register(store, chosen.data_dir, RESIDENTS, residents_csv() + more)
    _register(store, chosen.data_dir, VISITS, visits_csv())
    keys = _people(store)
    store.close()
    return Town(settings=chosen, keys=keys)


def _register(store: Store, data_dir: Path, descriptor: str, csv: str) -> None:
    source = data_dir.parent / "source.csv"
    source.write_text(csv, encoding="utf-8")
    register(
        store=store,
        data_dir=data_dir,
        descriptor=parse(descriptor),
        source=source,
        actor="tester",
        progress=lambda stage, share: None,
    )
    source.unlink()


def _people(store: Store) -> dict[str, str]:
    people, ledger = People(store, SECRET.encode()), Ledger(store)
    for organisation in sorted({organisation for organisation, _ in PEOPLE.values()}):
        people.add_organisation(organisation)
    keys = {
        name: people.add_user(name, organisation=organisation, role=role)
        for name, (organisation, role) in PEOPLE.items()
    }
    for lineage, kind, holder, amount in GRANTS:
        time.sleep(0.002)  # names of one millisecond sort at random
        account = Account(kind=kind, holder=holder)  # type: ignore[arg-type]
        ledger.grant(
            lineage=lineage,
            account=account,
            amount=Price.parse(amount),
            reason="a contract",
            requested_by="tester",
        )
    return keys


def residents_csv() -> str:
    """Three hundred made-up people; some districts and scores are missing."""
    return "person,name,district,age,score,moved_in\n" + "".join(_residents())


def _residents() -> Iterator[str]:
    dice = random.Random(1)
    for number in range(PEOPLE_COUNT):
        district = dice.choice(["chuo", "kita", "minami", ""])
        score = "" if number % 10 == 0 else f"{dice.randrange(101) / 10}"
        moved = date(2000, 1, 1) + timedelta(days=dice.randrange(9_000))
        yield f"p{number},Person {number},{district},{dice.randrange(100)},{score},{moved}\n"


def visits_csv() -> str:
    """Up to five visits a person, of which three are kept."""
    dice = random.Random(2)
    lines = [
        f"p{number},{dice.choice(['bus', 'train'])},{dice.randrange(1001)}\n"
        for number in range(100)
        for _ in range(number % 6)
    ]
    return "person,kind,cost\n" + "".join(lines)
