"""Datasets retired and brought back, and rows of versions destroyed, on both databases."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from town import RESIDENTS, RESIDENTS_VISITS, VISITS, add, derived, join, residents_csv, visits_csv

import datasets.registration.lifecycle as lifecycle
from datasets.catalog import Catalog, NoSuchDataset
from datasets.database.locks import alone
from datasets.database.store import Store
from datasets.database.tables import DatasetRow, VersionRow
from datasets.ledger.service import Ledger
from datasets.registration.errors import RegistrationRefused
from datasets.registration.folders import REGISTERING, sweep_abandoned
from datasets.registration.ingest.identity import IDENTITY_FILE
from datasets.registration.lifecycle import purge, retire, unretire, versions

WHY = {"by": "operator:town", "reason": "a wrong file"}


@pytest.fixture
def data_dir(store: Store, tmp_path: Path) -> Path:
    """A data folder with two versions of the visits."""
    data_dir = tmp_path / "data"
    add(store, data_dir, VISITS, visits_csv())
    add(store, data_dir, VISITS, visits_csv() + "1,bus,3\n")
    return data_dir


def folder(store: Store, data_dir: Path, number: int, dataset: str = "visits") -> Path:
    wanted = select(VersionRow.folder).where(VersionRow.dataset == dataset, VersionRow.number == number)
    with store.reading() as connection:
        return data_dir / str(connection.execute(wanted).scalar_one())


def lines(store: Store, *kinds: str, lineage: str = "visits") -> list[dict[str, Any]]:
    bodies = [json.loads(entry.body) for entry in Ledger(store).journal(lineage=lineage)]
    return [body for body in bodies if body["kind"] in kinds]


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_the_rows_of_a_version_are_destroyed_and_its_people_still_recognised(
    store: Store, data_dir: Path
) -> None:
    made = purge(store, data_dir, "visits", 1, **WHY)
    assert names(folder(store, data_dir, 1)) == [IDENTITY_FILE]
    (told,) = lines(store, "version_purged")
    assert {name: told[name] for name in ("dataset", "version", "by", "reason")} == {
        "dataset": "visits",
        "version": 1,
        **WHY,
    }
    assert [version["purged_at"] for version in versions(store, "visits")] == [made.purged_at, None]
    # The folder is one that the database names, and the same rows get no second cap.
    assert sweep_abandoned(data_dir, store, timedelta(0)) == []
    head, *rows = visits_csv().splitlines(keepends=True)
    with pytest.raises(RegistrationRefused, match=r"rows of visits \(version 1\), in whatever order"):
        add(store, data_dir, derived(VISITS, id="trips"), head + "".join(reversed(rows)))
    assert Ledger(store).verify() == []


def test_the_version_that_answers_is_not_purged_unless_the_dataset_is_retired(
    store: Store, data_dir: Path
) -> None:
    before = names(folder(store, data_dir, 2))
    with pytest.raises(RegistrationRefused, match="version 2 of visits answers now"):
        purge(store, data_dir, "visits", 2, **WHY)
    assert names(folder(store, data_dir, 2)) == before
    assert lines(store, "version_purged") == []
    retire(store, "visits", by="operator:town")
    purge(store, data_dir, "visits", 2, **WHY)
    with pytest.raises(RegistrationRefused, match="were destroyed"):
        unretire(store, "visits", **WHY)
    assert Ledger(store).verify() == []


def test_a_purge_that_was_cut_short_is_finished_by_the_same_command(
    store: Store, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, empty = folder(store, data_dir, 1), lifecycle._empty
    before = names(place)

    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lifecycle, "_empty", killed)
    with pytest.raises(KeyboardInterrupt):
        purge(store, data_dir, "visits", 1, **WHY)
    assert names(place) == before
    monkeypatch.setattr(lifecycle, "_empty", empty)
    first = versions(store, "visits")[0]["purged_at"]
    for _ in range(2):
        assert purge(store, data_dir, "visits", 1, **WHY).purged_at == first
        assert names(place) == [IDENTITY_FILE]
    assert len(lines(store, "version_purged")) == 1


def test_views_that_hold_a_copy_are_told_and_purged_by_themselves(store: Store, data_dir: Path) -> None:
    add(store, data_dir, RESIDENTS, residents_csv())
    join(store, data_dir, RESIDENTS_VISITS)
    add(store, data_dir, VISITS, visits_csv() + "2,bus,3\n")
    assert purge(store, data_dir, "visits", 2, **WHY).views == (("residents-visits", 1),)
    retire(store, "residents-visits", by="operator:town")
    purge(store, data_dir, "residents-visits", 1, **WHY)
    assert purge(store, data_dir, "visits", 2, **WHY).views == ()
    assert [line["dataset"] for line in lines(store, "version_purged", lineage="residents")] == [
        "residents-visits"
    ]
    assert Ledger(store).verify() == []


def elsewhere(store: Store, data_dir: Path) -> None:
    folder(store, data_dir, 1).rename(data_dir / "away")
    purge(store, data_dir, "visits", 1, **WHY)


def underway(store: Store, data_dir: Path) -> None:
    with alone(data_dir / "visits" / REGISTERING):
        purge(store, data_dir, "visits", 1, **WHY)


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda store, data_dir: purge(store, data_dir, "visits", 9, **WHY), "visits has no version 9"),
        (lambda store, data_dir: purge(store, data_dir, "visits", 1, by="x", reason=" "), "give a reason"),
        (lambda store, data_dir: unretire(store, "visits", by="x", reason=""), "give a reason"),
        (lambda store, data_dir: unretire(store, "visits", **WHY), "visits is not retired"),
        (elsewhere, "is not in this data folder"),
        (underway, "a registration of this dataset is running"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    store: Store, data_dir: Path, act: Callable[[Store, Path], None], told: str
) -> None:
    with pytest.raises(RegistrationRefused, match=told):
        act(store, data_dir)
    assert [version["purged_at"] for version in versions(store, "visits")] == [None, None]
    assert lines(store, "version_purged", "dataset_retired", "dataset_reopened") == []
    for wrong in (
        lambda: purge(store, data_dir, "nothing", 1, **WHY),
        lambda: retire(store, "nothing", by="x"),
        lambda: unretire(store, "nothing", **WHY),
    ):
        with pytest.raises(NoSuchDataset):
            wrong()


@pytest.mark.parametrize(("hours", "comes_back"), [(23, True), (25, False)])
def test_retiring_is_taken_back_within_a_day(
    store: Store, data_dir: Path, hours: int, comes_back: bool
) -> None:
    retire(store, "visits", by="operator:town", reason="the contract ended")
    at = (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="microseconds")
    with store.writing() as tx:
        tx.execute(update(DatasetRow).values(retired_at=at.replace("+00:00", "Z")))
    if comes_back:
        unretire(store, "visits", **WHY)
    else:
        with pytest.raises(RegistrationRefused, match="can be taken back for 24 hours"):
            unretire(store, "visits", **WHY)
    assert Catalog(store, data_dir).current("visits").retired is not comes_back
    told = [(line["kind"], line["reason"]) for line in lines(store, "dataset_retired", "dataset_reopened")]
    assert told == [
        ("dataset_retired", "the contract ended"),
        *([("dataset_reopened", "a wrong file")] if comes_back else []),
    ]
    assert Ledger(store).verify() == []
