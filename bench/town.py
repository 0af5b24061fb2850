"""A table to measure on: up to three rows a person, 47 regions, registered by the real registration."""

import json
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.code import Code
from datasets.database.store import Store, migrate
from datasets.descriptor.descriptor import parse
from datasets.ledger.accounts import Account
from datasets.ledger.service import Ledger
from datasets.people.service import People
from datasets.registration.registry import register
from privacy.budget import Price

REGIONS = [f"region{number:02d}" for number in range(1, 48)]
CHUNK_ROWS = 1_000_000
BUILD = """
import dataclasses, json, pathlib, sys
from bench.town import build
town = build(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
print(json.dumps(dataclasses.asdict(town), default=str))
"""
SECRET = "b" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A registered dataset `town`, its raw file, and the key of an analyst with a large budget."""

    rows: int
    raw: Path
    data_dir: Path
    database_url: str
    key: str
    registration_s: float

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SUDARE_DATABASE_URL": self.database_url,
            "SUDARE_DATA_DIR": str(self.data_dir),
            "SUDARE_SECRET_KEY": SECRET,
            "SUDARE_RESPONSE_QUANTUM_MS": "1",
            "SUDARE_RATE_LIMIT": "100000000 per minute",
        }


def descriptor(id: str = "town") -> str:
    """The descriptor of the town's register under that id."""
    return f"""
id: {id}
title: {{ja: 計測用の町, en: Town to measure}}
body: "131016"
privacy: {{unit: person, max_rows_per_person: 3, measure: pure, cap: "1000000", max_per_query: "1"}}
columns:
  region: {{type: category, values: [{", ".join(REGIONS)}]}}
  sex: {{type: category, values: [female, male]}}
  age: {{type: integer, min: 0, max: 119}}
  income: {{type: integer, min: 0, max: 30000000, unit: JPY, missing: allowed}}
"""


def build(folder: Path, rows: int) -> Town:
    """Write the raw Parquet file, register it and open an account."""
    folder.mkdir(parents=True)
    store = Store(f"sqlite:///{folder / 'sudare.db'}")
    migrate(store)
    raw, registration_s = register_rows(store, folder, id="town", rows=rows)
    people = People(store, SECRET.encode())
    people.add_organisation("bench", by="bench")
    key = people.add_user("bench", organisation="bench", role="analyst", by="bench")
    Ledger(store).grant(
        lineage="town",
        account=Account(kind="user", holder="bench"),
        amount=Price.parse("1000000"),
        reason="benchmark",
        requested_by="bench",
    )
    store.close()
    return Town(
        rows=rows,
        raw=raw,
        data_dir=folder / "data",
        database_url=f"sqlite:///{folder / 'sudare.db'}",
        key=key,
        registration_s=registration_s,
    )


def built_by(code: Code, folder: Path, rows: int) -> Town:
    """A town made by that code, with the raw file, the database and the prepared table that it makes."""
    fields = json.loads(code.output_of("-c", BUILD, str(folder), str(rows)))
    return Town(**fields | {name: Path(fields[name]) for name in ("raw", "data_dir")})


def register_rows(store: Store, folder: Path, *, id: str, rows: int) -> tuple[Path, float]:
    """Register made-up rows under `folder`/data; the raw Parquet file, and the seconds that registration took."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = folder / f"{id}.parquet"
    # Nobody is registered twice under two lifetime caps, so each register has rows and people of its own.
    if id == "town":
        write(raw, rows)
    else:
        write(raw, rows, seed=[7, *id.encode()], first_person=zlib.crc32(id.encode()))
    started = time.perf_counter()
    register(
        store=store,
        data_dir=folder / "data",
        descriptor=parse(descriptor(id)),
        source=raw,
        actor="bench",
        progress=lambda stage, share: None,
    )
    return raw, time.perf_counter() - started


def write(raw: Path, rows: int, *, seed: int | list[int] = 7, first_person: int = 0) -> None:
    """Rows of persons in random order: 47 regions, two sexes, ages, log-normal incomes, 5 % missing."""
    random = np.random.default_rng(seed)
    regions, sexes = pa.array(REGIONS), pa.array(["female", "male"])
    writer = None
    for start in range(0, rows, CHUNK_ROWS):
        size = min(CHUNK_ROWS, rows - start)
        income = np.clip(random.lognormal(15, 0.8, size), 0, 3e7).astype(np.int64)
        table = pa.table(
            {
                "person": first_person + random.integers(0, int(rows * 0.43) + 1, size),
                "region": regions.take(pa.array(random.integers(0, 47, size))),
                "sex": sexes.take(pa.array(random.integers(0, 2, size))),
                "age": np.clip(random.normal(45, 24, size), 0, 119).astype(np.int64),
                "income": pa.array(income, mask=random.random(size) < 0.05),
            }
        )
        writer = writer or pq.ParquetWriter(raw, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
