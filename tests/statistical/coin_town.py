"""Registers made by coins behind a server: hundreds of persons of interest an answer, each of them in or not.

Every person of interest has cells of their own, so one answer is as many experiments as it has persons: `block` and
`lane` have a value for each, `street` one for each of a person's three rows. More persons are further slices, each
asked for by itself, so that no answer is larger than one slice needs. Beside whoever may live there, each cell has one
person who surely does; those rows lie where theory says that they make the choices of quantiles tell most.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from evidence import Bools
from flask.testing import FlaskClient
from town import IN_RHO, VISITS, add, derived, enrol, grant

from api import create_app
from api.http import wire
from api.queries.schemas import QuerySchema, WorkloadSchema, to_query
from api.settings import Settings
from datasets.catalog import Catalog
from datasets.database.store import Store
from privacy.plan import plan

PERSONS = {"few": 900, "many": int(os.environ.get("AUDIT_RUNS", "6000"))}
SLICE = 300
"""Persons of one answer: as many as nine quantiles with bounds may have cells."""

ROWS = 3
"""How many rows a person has: as many as the registers allow."""

COLUMNS = ("person", "slice", "block", "lane", "street", "sex", "flag", "v", "m", "s", "t", "u", "z")
RESIDENT = {"sex": "m", "flag": "n", "v": 0, "m": 1, "s": 10, "t": 5, "u": 63, "z": 5}
"""Who surely lives in a cell."""

PERSON = {"sex": "f", "flag": "y", "v": 10, "m": 0, "s": 0, "t": 0, "u": 0, "z": 0}
"""Who may live there too: at the ends of all clamps."""

TERMS = {"cap": "1000000", "max_per_query": "2", "max_rows_per_person": ROWS}
MEASURES: dict[str, dict[str, str]] = {"pure": {}, "zcdp": IN_RHO}


@dataclass
class CoinTown:
    """A server with one register of each measure; `inside` says, slice by slice, which coins fell on "in"."""

    client: FlaskClient
    key: str
    store: Store
    settings: Settings
    inside: dict[str, Bools]
    asked: int = 0

    @property
    def catalog(self) -> Catalog:
        return Catalog(self.store, self.settings.data_dir)

    def register(self, text: str, csv: str) -> None:
        """Register a dataset with a budget that never ends."""
        add(self.store, self.settings.data_dir, text, csv)
        id = yaml.safe_load(text)["id"]
        grant(self.store, [(self.catalog.current(id).lineage, "user", "aoi", "1000000")])

    def ask(self, dataset: str, question: dict[str, Any]) -> dict[str, Any]:
        """One fresh answer over HTTP."""
        self.asked += 1
        kind = "workloads" if "tables" in question else "queries"
        answer = self.client.post(
            f"/v1/datasets/{dataset}/{kind}",
            data=json.dumps(question | {"reuse": "never"}),
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key}", "Idempotency-Key": f"k{self.asked}"},
        )
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        return answer.json

    def ask_all(self, dataset: str, question: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """An answer for each slice of persons."""
        for slice in range(len(self.inside[dataset])):
            where = {"column": "slice", "op": "=", "value": slice}
            yield self.ask(dataset, question | {"where": where})

    def shares(self, dataset: str, question: dict[str, Any]) -> dict[frozenset[str], float]:
        """The public part of how a question is measured: each grid, by its keys, and its share of the price."""
        schema = WorkloadSchema() if "tables" in question else QuerySchema()
        query = to_query(schema.load(wire.parse(json.dumps(question).encode())))
        layout = plan(query, self.catalog.current(dataset).schema).layout
        return {
            frozenset(layout.axes[axis].name for axis in grid): float(share)
            for grid, share in zip(layout.grids, layout.shares, strict=True)
        }


def coin_town(folder: Path, database: bytes, persons: int) -> CoinTown:
    """Toss the coins, register who is in, and open the server."""
    (folder / "sudare.db").write_bytes(database)
    settings = Settings(
        database_url=f"sqlite:///{folder / 'sudare.db'}",
        data_dir=folder / "data",
        response_quantum_ms=0,
        rate_limit="1000000 per minute",
    )
    store = Store(settings.database_url)
    key = enrol(store, settings.secret())["aoi"]
    # Fresh coins each time: the bound on guesses is over the coins too.
    dice = np.random.default_rng()
    slices = max(1, round(persons / SLICE))
    inside = {measure: dice.random((slices, SLICE)) < 0.5 for measure in MEASURES}
    town = CoinTown(create_app(settings).test_client(), key, store, settings, inside)
    for measure, coins in inside.items():
        text = derived(descriptor(measure, slices), id=measure)
        town.register(text, "\n".join(lines(measure, coins)) + "\n")
    return town


def descriptor(measure: str, slices: int) -> str:
    tops = {"slice": slices, "block": SLICE - 1, "lane": SLICE - 1, "street": ROWS * SLICE - 1}
    tops |= {"v": 10, "m": 19, "s": 19, "t": 10, "u": 63, "z": 10}
    numbers = {name: {"type": "integer", "min": 0, "max": top} for name, top in tops.items()}
    return derived(
        VISITS,
        privacy=TERMS | MEASURES[measure],
        columns={
            **numbers,
            "sex": {"type": "category", "values": ["f", "m"]},
            "flag": {"type": "category", "values": ["y", "n"]},
        },
    )


def lines(measure: str, coins: Bools) -> Iterator[str]:
    """A CSV of who lives where. Names begin with the measure, for no source is registered twice."""
    yield ",".join(COLUMNS)
    for (slice, block), is_in in np.ndenumerate(coins):
        for name, rest in (("r", RESIDENT), ("p", PERSON)):
            if name == "p" and not is_in:
                continue
            for row in range(ROWS):
                cells = [f"{measure}{name}{slice}-{block}", slice, block, block, ROWS * block + row]
                yield ",".join(map(str, [*cells, *rest.values()]))
