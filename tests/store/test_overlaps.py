"""One person, many registers: what would give the same people a second lifetime cap is refused, or said why.

Each register here has one row a person unless it says otherwise; `csv` makes it from the numbers of its people.
"""

import json
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from backends import waiting_backend
from sqlalchemy import Connection, func, select, text
from town import VISITS, add, derived, join

from datasets.catalog import Catalog
from datasets.database.store import Store
from datasets.descriptor.descriptor import Descriptor, parse
from datasets.ledger.accounts import population_key
from datasets.ledger.errors import JoinAboveCap
from datasets.ledger.service import Ledger
from datasets.registration.errors import RegistrationRefused
from datasets.registration.identities import identity_secret
from datasets.registration.ingest.identity import IDENTITY_FILE
from datasets.registration.lifecycle import retire
from datasets.registration.registry import REGISTRATION_LOCK, Registered, register

HEAD = "person,kind,cost\n"
TOGETHER = {"population": "people-131016"}
IN_RHO = {"measure": "zcdp", "delta": "1e-9"}


@pytest.fixture
def store_url(sqlite_first_url: str) -> str:
    """What a database decides by itself is the lock, which has a test of its own on PostgreSQL."""
    return sqlite_first_url


@dataclass(frozen=True)
class Office:
    """Where registers are registered: without a reason unless one is given."""

    store: Store
    data_dir: Path

    def add(self, id: str, csv: str, **changes: Any) -> Registered:
        """`reason` is why its people are others; every other change is one of the descriptor."""
        reason = changes.pop("reason", None)
        return add(self.store, self.data_dir, derived(VISITS, id=id, **changes), csv, separate_reason=reason)

    @property
    def ids(self) -> list[str]:
        return [version.id for version in Catalog(self.store, self.data_dir).all()]

    def lines(self, lineage: str) -> list[dict[str, object]]:
        return [json.loads(line.body) for line in Ledger(self.store).journal(lineage=lineage)]

    def folder(self, id: str, version: int = 1) -> Path:
        """The folder of a version, or a path where nothing is."""
        return next((self.data_dir / id).glob(f"v{version}-*"), self.data_dir / id / f"v{version}")


@pytest.fixture
def office(store: Store, tmp_path: Path) -> Office:
    return Office(store, tmp_path / "data")


def csv(people: Iterable[object], *, cost: int = 1) -> str:
    return HEAD + "".join(f"{person},bus,{cost}\n" for person in people)


def refused(words: str) -> "pytest.RaisesExc[RegistrationRefused]":
    return pytest.raises(RegistrationRefused, match=words)


# Identity

TURNED = "cost,kind,person\n" + "".join(f"1,bus,{person}\n" for person in reversed(range(20)))


def test_the_same_rows_in_another_order_get_no_second_cap_whatever_is_said(office: Office) -> None:
    office.add("visits", csv(range(20)))
    ways: dict[str, str]
    for ways in ({}, {"reason": "other people"}, TOGETHER):
        with refused(r"rows of visits \(version 1\), in whatever order.*lineage: visits"):
            office.add("trips", TURNED, **ways)
    # The same column as an ordinary one: without a unit, ε would be one row's.
    with refused("the rows of visits"):
        office.add(
            "rows",
            TURNED,
            reason="other people",
            privacy={"unit": None, "max_rows_per_person": 1},
            columns={"person": {"type": "text"}, **columns()},
        )
    assert office.ids == ["visits"]
    assert not office.folder("trips").exists()
    office.add("trips", TURNED, lineage="visits")
    assert {state.holder for state in Ledger(office.store).all_accounts()} == {"visits"}


def columns() -> dict[str, Any]:
    return {
        "kind": {"type": "category", "values": ["bus", "train"]},
        "cost": {"type": "integer", "min": 0, "max": 1000},
    }


# Overlap


def test_most_of_the_people_of_another_lineage_take_a_shared_cap_a_population_or_a_reason(
    office: Office,
) -> None:
    office.add("visits", csv(range(20)), **TOGETHER)
    most = csv(range(3, 23), cost=2)
    with refused("about 74 % of the people of this register and of visits") as told:
        office.add("trips", most)
    for word in ("`lineage: visits`", "`population:`", "`--separate-lineage`"):
        assert word in told.value.message().en
        assert word in told.value.message().ja
    with refused("one line of 1 to 1,000 characters"):
        office.add("trips", most, reason=" \N{IDEOGRAPHIC SPACE}\t")
    with refused("visits"):
        office.add("trips", most, population="others")
    assert office.ids == ["visits"]
    office.add("shared", most, lineage="visits", **TOGETHER)
    assert office.add("bounded", csv(range(2, 22), cost=3), **TOGETHER).notices == ()
    made = office.add("apart", csv(range(1, 21), cost=4), reason=" ids were drawn anew ")
    assert [(notice.code, notice.lineage) for notice in made.notices] == [
        ("separate", "bounded"),
        ("separate", "visits"),
    ]
    line = office.lines("apart")[-1]
    assert (line["kind"], line["from"], line["reason"], line["by"], line["dataset"], line["version"]) == (
        *("separated", ["bounded", "visits"], "ids were drawn anew", "tester", "apart", 1),
    )
    assert all(line["kind"] != "separated" for line in office.lines("visits") + office.lines("bounded"))
    assert Ledger(office.store).verify() == []


def test_half_of_the_people_is_not_most_of_them(office: Office) -> None:
    office.add("visits", csv(range(30)))
    with refused("about 53 %"):
        office.add("half", csv(range(9, 40), cost=2))
    assert office.add("half", csv(range(10, 40), cost=2)).notices[0].code == "contained"


def test_a_small_register_within_a_large_one_is_told(office: Office) -> None:
    office.add("visits", csv(range(400)))
    (notice,) = office.add("few", csv(range(350, 420), cost=2)).notices
    assert (notice.code, notice.lineage, notice.percent) == ("contained", "visits", 72)
    assert notice.as_json()["text_ja"]
    assert office.add("fewer", csv(range(300, 340), cost=3), reason="why not").notices[0].code == (
        "separate_not_needed"
    )
    assert "separated" not in [line["kind"] for line in office.lines("fewer")]


def test_writing_ids_in_another_way_hides_nobody(office: Office) -> None:
    office.add("visits", csv(range(20)))
    full_width = str.maketrans("0123456789", "０１２３４５６７８９")
    written = [f" {n}\t" if n % 2 else f"{n}".translate(full_width) for n in range(20)]
    with refused("about 100 %"):
        office.add("trips", csv(written, cost=2))


def visits_of(ids: Iterable[str], values: int = 1_000) -> str:
    """Each person in turn with a cost of its own, until there are no others."""
    return HEAD + "".join(
        f"{id},{('bus', 'train')[number % 2]},{number % values}\n" for number, id in enumerate(ids)
    )


RESPELLED: dict[str, Callable[[int], str]] = {
    "another hyphen": lambda number: f"ID\N{HYPHEN}{number:05}",
    "no prefix": lambda number: f"{number}",
    "other ids": lambda number: f"{number * 7919 % 10_007:x}",
}


@pytest.mark.parametrize("written", RESPELLED.values(), ids=RESPELLED)
def test_ids_written_in_another_way_get_nobody_a_second_cap(
    office: Office, written: Callable[[int], str]
) -> None:
    office.add("visits", visits_of(f"ID-{number:05}" for number in range(300)))
    again = visits_of(map(written, range(300)))
    with refused("about 100 % of the people"):
        office.add("trips", again)
    office.add("trips", again, lineage="visits")


def test_a_register_without_its_ids_is_compared_with_itself(office: Office) -> None:
    office.add("visits", visits_of(f"ID-{number:05}" for number in range(300)))
    nobody: dict[str, Any] = {"privacy": {"unit": None, "max_rows_per_person": 1}}
    bare = "".join(line.partition(",")[2] + "\n" for line in visits_of(map(str, range(300))).splitlines())
    with refused("about 100 % of the people"):
        office.add("bare", bare, **nobody)
    (made,) = office.add("bare", bare, reason="a table of fares", **nobody).notices
    assert made.code == "separate"


def test_an_identity_of_before_contents_were_compared_is_made_again(office: Office) -> None:
    office.add("visits", visits_of(f"ID-{number:05}" for number in range(300)))
    file = office.folder("visits") / IDENTITY_FILE
    kept = json.loads(file.read_text("utf-8"))
    del kept["contents"]
    file.write_text(json.dumps({**kept, "format": 1}), "utf-8")
    with refused("about 100 % of the people"):
        office.add("trips", visits_of(f"new {number}" for number in range(300)))
    assert json.loads(file.read_text("utf-8"))["format"] == 2


def test_registers_of_few_values_are_not_each_others(office: Office) -> None:
    office.add("visits", visits_of((f"ID-{number}" for number in range(300)), values=10))
    assert office.add("trips", visits_of((f"new {n}" for n in range(300)), values=10)).notices == ()


def test_retired_registers_and_earlier_versions_count_and_views_do_not(office: Office) -> None:
    office.add("visits", csv(range(20)))
    office.add("care", csv(range(18, 60), cost=2))
    join(
        office.store,
        office.data_dir,
        """
id: both
title: {en: Both}
body: "131016"
view: {of: [visits, care]}
privacy: {max_rows_per_person: 3, max_per_query: "1"}
columns:
  how: {from: visits, column: kind}
""",
    )
    office.add("visits", csv(range(100, 120)))
    retire(office.store, "visits", by="tester")
    with refused("of visits"):
        office.add("trips", csv(range(20), cost=3))
    # Two people stand in the view, and in both of its sources.
    office.add("two", csv(range(18, 20), cost=4))
    assert not (office.folder("both") / IDENTITY_FILE).exists()


def test_without_a_column_that_names_people_rows_are_compared(office: Office) -> None:
    office.add("visits", csv(range(20)))
    nobody: dict[str, Any] = {
        "privacy": {"unit": None, "max_rows_per_person": 1},
        "columns": {"person": {"type": "text"}, **columns()},
    }
    with refused("about 95 %"):
        office.add("rows", csv(range(1, 20)), **nobody)
    # By another column of the same rows, nobody is the same person; the rows are.
    with refused("about 95 %"):
        office.add(
            "costs",
            csv(range(1, 20)),
            privacy={"unit": "cost"},
            columns={"person": {"type": "text"}, "kind": {"type": "text"}},
        )
    office.add("rows", csv(range(50, 70)), **nobody)
    with refused("of rows"):
        office.add("again", csv(range(52, 72)), **nobody)


def test_a_new_version_brings_no_other_lineages_people_in(office: Office) -> None:
    office.add("visits", csv(range(20)))
    office.add("empty-shell", csv(range(100, 103)))
    with refused("of visits"):
        office.add("empty-shell", csv(range(19)))
    assert not office.folder("empty-shell", 2).exists()


def test_what_overlapped_before_is_told_and_not_refused(office: Office) -> None:
    """A monthly version opens no new cap, on either side."""
    office.add("visits", csv(range(20)))
    office.add("trips", csv(range(20), cost=2), reason="other ids")
    for id in ("visits", "trips"):
        (notice,) = office.add(id, csv(range(1, 22), cost=3 if id == "visits" else 4)).notices
        assert notice.code == "overlap_known"
    # Said later by one and then by the other, the population bounds both.
    office.add("visits", csv(range(1, 23)), **TOGETHER)
    assert office.add("trips", csv(range(1, 24)), **TOGETHER).notices == ()


def test_what_cannot_be_compared_may_hold_the_same_people(office: Office) -> None:
    office.add("visits", csv(range(20)))
    (office.folder("visits") / IDENTITY_FILE).unlink()
    with refused("about 100 % of the people"):
        office.add("trips", csv(range(20), cost=2))
    made = office.folder("visits") / IDENTITY_FILE
    assert made.stat().st_mode & 0o777 == 0o600
    shutil.rmtree(office.folder("visits"))
    with refused("the files of visits that this register is compared with are gone"):
        office.add("trips", csv(range(50, 70)))
    office.add("trips", csv(range(50, 70)), reason="visits was deleted in 2025")
    assert office.lines("trips")[-1]["from"] == ["visits"]


def test_registers_without_rows_are_not_each_others(office: Office) -> None:
    office.add("visits", HEAD)
    office.add("trips", HEAD + "\n")
    assert office.ids == ["trips", "visits"]


# What a lineage keeps


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("person", None, "unit says null.*as the column person tells.*`unit: person`"),
        ("person", "resident", "unit says the column resident.*`unit: person`"),
        (None, "person", "unit says the column person.*`unit: null`"),
    ],
)
def test_a_lineage_never_changes_its_unit(
    office: Office, before: str | None, after: str | None, words: str
) -> None:
    def terms(unit: str | None) -> dict[str, Any]:
        privacy = {"unit": unit, "max_rows_per_person": 1}
        return {
            "privacy": privacy,
            "columns": {**({} if unit else {"person": {"type": "text"}}), **columns()},
        }

    office.add("visits", csv(range(5)), **terms(before))
    source = csv(range(6)).replace("person", after or "person")
    with refused(words):
        office.add("visits", source, **terms(after))
    with refused(words):
        office.add("trips", source, lineage="visits", **terms(after))
    # A bound is of one version.
    if before is not None:
        office.add("visits", csv(range(6)), privacy={"unit": before, "max_rows_per_person": 7})


def test_a_population_may_be_said_later_and_stays(office: Office) -> None:
    office.add("visits", csv(range(5)))
    office.add("visits", csv(range(6)), **TOGETHER)
    (held,) = Catalog(office.store, office.data_dir).all()
    assert held.populations == ("people-131016",)
    for changes in ({}, {"population": "people-131020"}):
        with refused("belongs to the population people-131016 and stays there"):
            office.add("visits", csv(range(7)), **changes)
        with refused("belongs to the population people-131016"):
            office.add("trips", csv(range(7)), lineage="visits", **changes)
    key = population_key("people-131016")
    assert [state.holder for state in Ledger(office.store).states([key])] == [key.holder]


def test_a_population_is_counted_in_one_measure(office: Office) -> None:
    office.add("visits", csv(range(5)), **TOGETHER)
    with refused("visits of the population people-131016 is counted in pure"):
        office.add("taxes", csv(range(50, 55)), privacy=IN_RHO, **TOGETHER)
    assert office.ids == ["visits"]


# Two at once


def registering(
    office: Office, id: str, source: str, meanwhile: Callable[[], object], **changes: Any
) -> Registered:
    """A registration in the middle of which, with the source read and compared, something else happens."""
    file = office.data_dir.parent / f"{id}-source.csv"
    file.write_text(source, "utf-8")
    happened: list[object] = []

    def progress(stage: str, share: float) -> None:
        if stage == "writing" and not happened:
            happened.append(stage)
            meanwhile()

    described: Descriptor = parse(derived(VISITS, id=id, **changes))
    return register(
        store=office.store,
        data_dir=office.data_dir,
        descriptor=described,
        source=file,
        actor="tester",
        progress=progress,
    )


@pytest.mark.parametrize("turned", [True, False], ids=["the same rows", "most of the people"])
def test_a_register_that_came_while_another_was_read_counts_too(office: Office, turned: bool) -> None:
    office.data_dir.mkdir()
    with refused("visits"):
        registering(
            office,
            "trips",
            TURNED if turned else csv(range(19), cost=2),
            lambda: office.add("visits", csv(range(20))),
        )
    assert office.ids == ["visits"]
    assert not office.folder("trips").exists()


def test_terms_that_changed_while_a_source_was_read_count_too(office: Office) -> None:
    office.add("visits", csv(range(5)))
    with refused("stays there"):
        registering(
            office,
            "visits",
            csv(range(6)),
            lambda: office.add("trips", csv(range(7)), lineage="visits", **TOGETHER),
        )
    with refused("retired"):
        registering(
            office,
            "trips",
            csv(range(8)),
            lambda: retire(office.store, "trips", by="tester"),
            lineage="visits",
            **TOGETHER,
        )
    assert not office.folder("trips", 2).exists()


def test_one_registration_commits_at_a_time_on_all_machines(postgres_url: str, tmp_path: Path) -> None:
    store = Store(postgres_url)
    office = Office(store, tmp_path / "data")
    other = threading.Thread(target=office.add, args=("visits", csv(range(5))))
    with store.writing() as tx:
        tx.execute(select(func.pg_advisory_xact_lock(REGISTRATION_LOCK)))
        other.start()
        waiting_backend(store)
        assert office.ids == []
    other.join(30)
    assert office.ids == ["visits"]
    store.close()


def test_the_secret_is_drawn_once(store: Store) -> None:
    first = identity_secret(store)
    again = Store(str(store.url.render_as_string(hide_password=False)))
    assert identity_secret(again) == first
    again.close()
    assert len(first) == 32

    def rows(connection: Connection) -> int:
        return int(connection.execute(text("SELECT count(*) FROM installation_secrets")).scalar_one())

    with store.reading() as connection:
        assert rows(connection) == 1


def test_a_register_that_spent_more_than_a_population_has_left_leaves_nothing(office: Office) -> None:
    """A refusal of the ledger comes at the very end: no data of the version may be left over."""
    office.add("visits", csv(range(5)), **TOGETHER)
    office.add("trips", csv(range(50, 55)))
    with office.store.writing() as tx:
        tx.execute(text("UPDATE accounts SET granted = 0 WHERE kind = 'population'"))
        tx.execute(text("UPDATE accounts SET spent = 5 WHERE lineage = 'trips' AND kind = 'dataset'"))
    with pytest.raises(JoinAboveCap):
        office.add("trips", csv(range(50, 56)), **TOGETHER)
    assert not office.folder("trips", 2).exists()
