"""The one town of the tests: its registers and views, who lives and asks in it, and how it is registered.

Everything goes in through the product (`register`, `register_view`, `People`, `Ledger.grant`), so that a test never
stands on a state that no operator could have made. A test that needs a register with another column or other terms
derives its descriptor from one of these with `derived`.
"""

import itertools
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from datasets.database.store import Store
from datasets.descriptor.descriptor import View, read
from datasets.ledger.accounts import Account
from datasets.ledger.service import Ledger
from datasets.people.service import People
from datasets.registration.registry import Registered, register, register_view
from privacy.budget import Price

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
RESIDENTS_VISITS = """
id: residents-visits
title: {ja: 住民と受診, en: Residents and visits}
body: "131016"
view: {of: [residents, visits]}
privacy: {max_rows_per_person: 3, max_per_query: "1"}
columns:
  district: {from: residents}
  how: {from: visits, column: kind}
"""
CARE = """
id: care
title: {ja: 介護, en: Care}
body: "131016"
privacy: {unit: person, max_rows_per_person: 3, measure: pure, cap: "10", max_per_query: "1"}
columns:
  care_level: {type: integer, min: 1, max: 5}
  month: {type: date, min: 2025-04-01, max: 2026-03-31}
"""
RESIDENTS_CARE = """
id: residents-care
title: {ja: 住民と介護, en: Residents and care}
body: "131016"
view: {of: [residents, care]}
privacy: {max_rows_per_person: 2, max_per_query: "1"}
columns:
  district: {from: residents}
  level: {from: care, column: care_level}
"""
JOBS = """
id: jobs
title: {ja: 勤務先, en: Jobs}
body: "131016"
privacy:
  unit: person
  max_rows_per_person: 2
  measure: zcdp
  delta: "1e-9"
  cap: "10"
  max_per_query: "1"
  delta_per_query: "1e-6"
  delta_cap: "3e-6"
columns:
  employer: {type: open, max_length: 40}
  hours: {type: integer, min: 0, max: 60}
"""
IN_RHO = {"measure": "zcdp", "delta": "1e-9"}
"""What `privacy` says of a register that is accounted in ρ."""

PEOPLE = {
    "hana": ("city", "administrator"),
    "kenji": ("city", "administrator"),
    "aoi": ("shop", "analyst"),
    "mei": ("shop", "analyst"),
    "ren": ("institute", "analyst"),
    "noa": ("institute", "analyst"),
    "sora": ("portal", "portal"),
    "toma": ("city", "auditor"),
    "yui": ("city", "monitor"),
}
GRANTS = (
    ("residents", "user", "aoi", "5"),
    ("residents", "user", "mei", "5"),
    ("residents", "user", "ren", "5"),
    ("residents", "organisation", "shop", "8"),
    ("visits", "user", "aoi", "5"),
)
PEOPLE_COUNT = 300
PERSON_MORE = "p9999,Secret Person,kita,77,9.9,2026-01-02\n"

_sources = itertools.count(1)


def derived(text: str, *, columns: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """A descriptor like `text`: other `columns`, other members; of a mapping such as `privacy` only those named.

    >>> derived(VISITS, id="taxes", privacy=IN_RHO)
    """
    described = yaml.safe_load(text)
    for name, value in changes.items():
        described[name] = described.get(name, {}) | value if isinstance(value, dict) else value
    if columns is not None:
        described["columns"] = dict(columns)
    return str(yaml.safe_dump(described, allow_unicode=True, sort_keys=False))


TAXES = derived(VISITS, id="taxes", privacy=IN_RHO)
"""Visits again, accounted in ρ."""


def add(
    store: Store,
    data_dir: Path,
    text: str,
    csv: str | bytes,
    *,
    separate_reason: str | None = "made up",
) -> Registered:
    """Register what `text` describes from a CSV, in a file that is gone afterwards.

    Most registers of the town are about the same few people, each with a cap of its own; so there is a reason for it.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    source = data_dir.parent / f"source-{next(_sources)}.csv"
    source.write_bytes(csv.encode() if isinstance(csv, str) else csv)
    described = read(text)
    assert not isinstance(described, View)
    try:
        return register(
            store=store,
            data_dir=data_dir,
            descriptor=described,
            source=source,
            actor="tester",
            progress=lambda stage, share: None,
            separate_reason=separate_reason,
        )
    finally:
        source.unlink()


def join(store: Store, data_dir: Path, text: str) -> Registered:
    """Register the view that `text` describes."""
    view = read(text)
    assert isinstance(view, View)
    return register_view(
        store=store, data_dir=data_dir, view=view, actor="tester", progress=lambda stage, share: None
    )


def enrol(store: Store, secret: bytes = SECRET.encode()) -> dict[str, str]:
    """Everybody of PEOPLE, each with a key, which is returned by name."""
    people = People(store, secret)
    for organisation in sorted({organisation for organisation, _ in PEOPLE.values()}):
        people.add_organisation(organisation, by="tester")
    return {
        name: people.add_user(name, organisation=organisation, role=role, by="tester")
        for name, (organisation, role) in PEOPLE.items()
    }


def grant(store: Store, grants: Iterable[tuple[str, str, str, str]], *, by: str = "tester") -> None:
    """Budget for accounts: lineage, kind and holder, amount."""
    ledger = Ledger(store)
    for lineage, kind, holder, amount in grants:
        time.sleep(0.002)  # names of one millisecond sort at random
        ledger.grant(
            lineage=lineage,
            account=Account(kind=kind, holder=holder),  # type: ignore[arg-type]
            amount=Price.parse(amount),
            reason="a contract",
            requested_by=by,
        )


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


CARE_CSV = (
    "person,care_level,month\np1,1,2025-04-01\np1,2,2025-05-01\np1,3,2025-06-01\np3,5,2025-04-01\n"
    "p9,4,2025-04-01\n,4,2025-04-01\n"
)


def taxes_csv() -> str:
    """Rows like those of the visits, of other people: nobody is registered twice without a reason."""
    return visits_csv().replace("\np", "\nq")
