"""Stops and settlements on both databases: nothing is charged once a stop is committed, and the journal tells both."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from backends import waiting_backend
from settlements import ASKED, LINEAGE, asked, balances
from sqlalchemy import insert, update

from datasets.database.stops import Stopped, hold_stops
from datasets.database.store import Store, now
from datasets.database.tables import AccountRow, StopRow
from datasets.ledger.errors import NobodyNamed
from datasets.ledger.service import Ledger
from datasets.stops import NotStopped, StopNeedsReason, StoppedAlready, Stops, UnknownSubject

SUBJECTS = [("dataset", "residents"), ("organisation", "shop"), ("user", "aoi")]
WHY = {"by": "operator:town", "reason": "a leak"}


@pytest.mark.parametrize(("kind", "name"), SUBJECTS)
def test_what_is_stopped_pays_nothing_until_it_is_resumed(
    store: Store, settled: Ledger, kind: str, name: str
) -> None:
    stops = Stops(store)
    made = stops.stop(kind, name, **WHY)
    assert stops.stops() == [made]
    with pytest.raises(Stopped) as refused:
        settled.settle(ASKED)
    assert refused.value.kind == kind
    assert balances(settled)["dataset:residents"] == "0"
    stops.resume(kind, name, **WHY)
    settled.settle(ASKED)
    assert settled.verify() == []


@pytest.mark.parametrize(("kind", "name"), SUBJECTS)
def test_a_stop_and_its_end_stand_in_the_journal(store: Store, settled: Ledger, kind: str, name: str) -> None:
    stops = Stops(store)
    stops.stop(kind, name, **WHY)
    stops.resume(kind, name, by="operator:night", reason="it was none")
    lines = [json.loads(entry.body) for entry in settled.journal(limit=1000)]
    told = [line for line in lines if line["kind"] in ("stopped", "resumed")]
    assert [(line["kind"], line["by"], line["reason"]) for line in told] == [
        ("stopped", "operator:town", "a leak"),
        ("resumed", "operator:night", "it was none"),
    ]
    assert {line["lineage"] == LINEAGE for line in told} == {kind == "dataset"}
    assert all(line["subject"] == {"kind": kind, "id": name} for line in told)
    assert settled.verify() == []


def test_of_a_view_alone_its_own_name_is_stopped(store: Store, settled_in_both: Ledger) -> None:
    stops = Stops(store)
    assert stops.stop("dataset", "residents-care", **WHY).subject == "residents-care"
    settled_in_both.settle(ASKED)
    stops.stop("dataset", "care", **WHY)
    assert [stop.subject for stop in stops.stops()] == ["care", "residents-care"]
    stops.stop("user", "aoi", **WHY)
    assert len(stops.resume_all(**WHY)) == 3
    assert stops.stops() == stops.resume_all(**WHY) == []
    assert settled_in_both.verify() == []


@pytest.mark.parametrize(("kind", "name"), SUBJECTS)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    store: Store, settled: Ledger, kind: str, name: str
) -> None:
    stops = Stops(store)
    with pytest.raises(NotStopped, match=f"{kind} {name} is not stopped"):
        stops.resume(kind, name, **WHY)
    for act in (stops.stop, stops.resume):
        with pytest.raises(UnknownSubject, match=f"no {kind} nobody"):
            act(kind, "nobody", **WHY)
        with pytest.raises(StopNeedsReason):
            act(kind, name, by="operator:town", reason=" ")
        with pytest.raises(NobodyNamed):
            act(kind, name, by=" ", reason="a leak")
    first = stops.stop(kind, name, **WHY)
    with pytest.raises(StoppedAlready, match=f"{kind} {name} is stopped already"):
        stops.stop(kind, name, by="operator:night", reason="another")
    assert stops.stops() == [first]
    assert settled.verify() == []


def test_a_settlement_that_meets_a_stop_underway_is_refused(store: Store, settled: Ledger) -> None:
    with ThreadPoolExecutor(1) as pool:
        with store.writing() as tx:
            hold_stops(tx)
            row = {"kind": "dataset", "subject": LINEAGE, "at": now(), **WHY}
            tx.execute(insert(StopRow), row)
            settling = pool.submit(settled.settle, ASKED)
            if not store.is_sqlite:
                waiting_backend(store)
        with pytest.raises(Stopped):
            settling.result(timeout=30)
    assert balances(settled)["dataset:residents"] == "0"


def test_a_stop_waits_for_a_settlement_that_waits_for_an_account(postgres_url: str, tmp_path: Path) -> None:
    """Else the charge, which sees the tables as they were when it began, would follow the stop."""
    from ledger_town import settle_in

    store = Store(postgres_url)
    ledger = settle_in(store)
    with ThreadPoolExecutor(2) as pool:
        with store.writing() as tx:
            tx.execute(
                update(AccountRow).where(AccountRow.kind == "dataset").values(entries=AccountRow.entries)
            )
            settling = pool.submit(ledger.settle, asked(1))
            waiting_backend(store)
            stopping = pool.submit(Stops(store).stop, "dataset", LINEAGE, **WHY)
            assert not stopping.done()
        settling.result(timeout=30)
        stopping.result(timeout=30)
    lines = [entry.kind for entry in ledger.journal(lineage=LINEAGE)]
    assert lines[-2:] == ["charge", "stopped"]
    assert ledger.verify() == []
    store.close()
