"""Backups and the way back: nothing spent, ended or stopped is forgotten, and no bad backup touches anything."""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner
from real_server import Server
from small_town import BY_DISTRICT, COUNT, Town, Visitor, build
from sqlalchemy import select, update
from town import RESIDENTS, SECRET, VISITS, derived, grant, visits_csv

from api.commands.main import main
from datasets.database import chain
from datasets.database.installation import add_line
from datasets.database.locks import SERVING, alone
from datasets.database.store import Store, now, sha256_hex
from datasets.database.tables import InstallationRow, JournalRow, StopRow, VersionRow
from datasets.ledger.accounts import join_population
from datasets.ledger.journal import PURGED, append
from datasets.ledger.service import Ledger
from datasets.people.service import People
from datasets.registration.folders import sweep_abandoned
from datasets.registration.ingest.identity import IDENTITY_FILE

STOPS = select(StopRow.kind, StopRow.subject)
STOPPED_LINES = select(JournalRow.body).where(JournalRow.kind == "stopped")


class Operator:
    """The operator's commands on a town."""

    def __init__(self, town: Town, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.town, self.folder, self._monkeypatch = town, folder, monkeypatch

    def run(self, *words: object, exit_code: int = 0) -> str:
        for name, value in self.town.environment.items():
            self._monkeypatch.setenv(name, value)
        self._monkeypatch.setenv("SUDARE_LANGUAGE", "en")
        result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return result.output

    def refused(self, *words: object) -> str:
        return self.run(*words, exit_code=1)

    def backup(self, name: str = "backup") -> Path:
        self.run("backup", self.folder / name)
        return self.folder / name

    def export(self, name: str = "journal.jsonl") -> Path:
        file = self.folder / name
        # Not by the command: in this process its sessions would stay.
        with closing_store(self) as store, file.open("w", encoding="utf-8") as opened:
            Ledger(store).export(opened.write)
        return file

    def moved(self, name: str) -> "Operator":
        """The same operator at a new machine: nothing is there yet. On SQLite alone."""
        folder = self.folder / name
        settings = replace(
            self.town.settings, data_dir=folder / "data", database_url=f"sqlite:///{folder}/sudare.db"
        )
        return Operator(Town(settings=settings, keys=self.town.keys), self._monkeypatch, self.folder)


@pytest.fixture
def operator(town: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Operator:
    return Operator(town, monkeypatch, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def on_both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Operator:
    """The operator of a town on each database."""
    if request.param == "sqlite":
        town = request.getfixturevalue("town")
    else:
        town = build(tmp_path / "town", database_url=request.getfixturevalue("postgres_url"))
    return Operator(town, monkeypatch, tmp_path)


def live_on(operator: Operator) -> tuple[Path, Path, dict[str, str]]:
    """Ask, back up while serving, ask, rotate Mei's key, disable Kenji: a backup, an export, and the new keys."""
    visitor = operator.town.open()
    assert visitor.ask(key="one").status_code == 200
    backup = operator.backup()
    assert visitor.ask(BY_DISTRICT, key="two").status_code == 200
    assert visitor.ask(user="ren").status_code == 200
    new_key = visitor.services.people.rotate("mei", by="operator:tester")
    visitor.services.people.disable("kenji", by="operator:tester")
    export = operator.export()
    assert visitor.spent()["residents/user:aoi"] == "1"
    visitor.services.store.close()
    return backup, export, {**operator.town.keys, "mei": new_key}


def test_with_the_journal_nothing_is_forgotten(on_both: Operator) -> None:
    backup, export, new_keys = live_on(on_both)
    assert "--replace" in on_both.refused("restore", backup, "--journal", export)
    told = json.loads(_json(on_both.run("restore", backup, "--journal", export, "--replace", "--json")))
    assert told["lines"] > 0
    assert told["stopped"] == []
    visitor = on_both.town.open()
    assert visitor.spent()["residents/user:aoi"] == "1"
    assert visitor.spent()["residents/user:ren"] == "0.5"
    assert visitor.get("/v1/budgets", user="kenji").status_code == 401
    assert visitor.get("/v1/budgets", user="mei").status_code == 401
    assert Visitor(visitor.app, new_keys).get("/v1/budgets", user="mei").status_code == 200
    assert visitor.ledger.verify() == []
    on_both.run("ledger", "verify", "--against", export)
    # What was answered before the backup is there, and the later one is lost: a retry is a question of its own.
    assert visitor.ask(key="one").status_code == 200
    assert visitor.spent()["residents/user:aoi"] == "1"
    assert visitor.ask(BY_DISTRICT, key="two").status_code == 200
    assert visitor.spent()["residents/user:aoi"] == "1.5"
    visitor.services.store.close()
    on_both.run("ledger", "verify", "--against", export)


def test_without_the_journal_everything_is_stopped_and_the_comparison_says_what_is_missing(
    on_both: Operator,
) -> None:
    backup, export, _ = live_on(on_both)
    told = on_both.run("restore", backup, "--replace")
    assert "dataset residents" in told
    assert "user kenji" in told
    assert "sudare resume" in told
    with closing_store(on_both) as store, store.reading() as connection:
        stopped = {tuple(row) for row in connection.execute(STOPS)}
        kinds = list(connection.execute(STOPPED_LINES).scalars())
    assert {("dataset", "residents"), ("dataset", "visits"), ("user", "aoi")} <= stopped
    assert len(kinds) == len(stopped) == 2 + len(on_both.town.keys)
    on_both.run("ledger", "verify")
    visitor = on_both.town.open()
    assert visitor.ask(key="one").json["code"] == visitor.ask().json["code"] == "stopped"
    # Whoever was disabled after the backup is so no more, but stopped: only who is resumed by name comes in.
    assert visitor.get("/v1/budgets", user="kenji").json["code"] == "stopped"
    visitor.services.store.close()
    for words in (["--user", "aoi"], ["--dataset", "residents"]):
        on_both.run("resume", *words, "--reason", "nothing was asked since, as the logs of the proxy show")
    visitor = on_both.town.open()
    assert visitor.ask().status_code == 200
    assert visitor.get("/v1/budgets", user="mei").json["code"] == "stopped"
    assert visitor.ask(dataset="visits").json["code"] == "stopped"
    assert visitor.ledger.verify() == []
    visitor.services.store.close()
    compared = on_both.refused("ledger", "verify", "--against", export, "--json")
    assert len(json.loads(compared)["findings"]) == 2


def _json(output: str) -> str:
    return output[output.index("{\n") :]


@contextmanager
def closing_store(operator: Operator) -> Iterator[Store]:
    store = Store(operator.town.settings.database_url)
    try:
        yield store
    finally:
        store.close()


def test_what_a_restore_set_aside_is_not_swept(operator: Operator) -> None:
    backup = operator.backup()
    operator.town.register(VISITS, visits_csv() + "1,bus,3\n")
    operator.run("restore", backup, "--replace")
    folders = sorted((operator.town.settings.data_dir / "visits").glob("v2*"))
    with closing_store(operator) as store:
        assert sweep_abandoned(operator.town.settings.data_dir, store, timedelta(0)) == []
    assert folders
    assert all(folder.is_dir() for folder in folders)


# On another machine, and what stands there


def state_of(operator: Operator) -> dict[str, str]:
    """Every file of an installation that means something, with its digest; the log of SQLite folded in."""
    folder = operator.town.settings.data_dir.parent
    with closing(sqlite3.connect(folder / "sudare.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != SERVING)
    kept = {str(file.relative_to(folder)): file for file in files if not file.name.endswith(("-wal", "-shm"))}
    return {path: hashlib.sha256(file.read_bytes()).hexdigest() for path, file in kept.items()}


def test_a_backup_moves_to_a_new_machine_where_the_same_answers_are_read_again(operator: Operator) -> None:
    visitor = operator.town.open()
    first = visitor.ask(key="one")
    backup = operator.backup()
    assert backup.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o077 == 0 for file in backup.rglob("*"))
    new = operator.moved("new")
    new.run("restore", backup, "--journal", operator.export())
    moved = new.town.open()
    assert moved.ask(key="one").data == first.data
    assert moved.ask(BY_DISTRICT).status_code == 200
    assert moved.ledger.verify() == []


def test_what_a_population_paid_and_was_granted_after_the_backup_is_back(operator: Operator) -> None:
    backup = operator.backup()
    with closing_store(operator) as store:
        with store.writing() as tx:
            for lineage in ("residents", "visits"):
                join_population(tx, lineage=lineage, name="city", actor="mayor")
        grant(store, [("visits", "user", "ren", "1")])
    visitor = operator.town.open()
    assert visitor.ask().status_code == 200
    assert visitor.ask({**COUNT}, user="ren", dataset="visits").status_code == 200
    spent = visitor.spent()
    visitor.services.store.close()
    operator.run("restore", backup, "--journal", operator.export(), "--replace")
    visitor = operator.town.open()
    assert visitor.spent() == spent
    assert visitor.ledger.verify() == []
    assert visitor.ask(user="ren", dataset="visits").status_code == 200


def test_rows_that_were_purged_after_the_backup_do_not_come_back(operator: Operator) -> None:
    backup = operator.backup()
    with closing_store(operator) as store, store.writing() as tx:
        about = {"dataset": "visits", "version": 1, "by": "operator:tester", "reason": "a wrong file"}
        append(tx, "visits", {"kind": PURGED, "at": now(), **about})
    new = operator.moved("new")
    new.run("restore", backup, "--journal", operator.export())
    (folder,) = (new.town.settings.data_dir / "visits").iterdir()
    assert [file.name for file in folder.iterdir()] == [IDENTITY_FILE]
    # And what is left of it is backed up as it is.
    again = new.backup("again")
    assert [file.name for file in (again / "data" / "visits" / folder.name).iterdir()] == [IDENTITY_FILE]
    assert "residents" in {path.name for path in new.town.settings.data_dir.iterdir()}
    assert new.town.open().ledger.verify() == []


def test_a_dataset_that_was_registered_after_the_backup_has_its_account_and_is_stopped(
    operator: Operator,
) -> None:
    backup = operator.backup()
    csv = "person,name,district,age,score,moved_in\nq1,A,kita,40,5,2020-01-01\n"
    text = derived(RESIDENTS, id="newcomers")
    operator.town.register(text, csv, [("newcomers", "user", "aoi", "1")])
    visitor = operator.town.open()
    assert visitor.ask(dataset="newcomers").status_code == 200
    visitor.services.store.close()
    told = operator.run("restore", backup, "--journal", operator.export(), "--replace")
    assert "dataset newcomers" in told
    with closing_store(operator) as store:
        states = Ledger(store).all_accounts(limit=100)
        assert {str(state.spent) for state in states if state.lineage == "newcomers"} == {"0.5"}
        assert Ledger(store).verify() == []


def test_an_answer_that_is_missing_is_found_wherever_no_restore_put_its_line_back(operator: Operator) -> None:
    visitor = operator.town.open()
    visitor.ask()
    backup = operator.backup()
    visitor.ask(BY_DISTRICT)
    visitor.services.store.close()
    operator.run("restore", backup, "--journal", operator.export(), "--replace")
    with closing(sqlite3.connect(operator.town.settings.data_dir.parent / "sudare.db")) as connection:
        connection.execute("DELETE FROM answers")
        connection.commit()
    assert "a charge without its answer" in operator.refused("ledger", "verify")


def test_a_backup_replaces_another_installation_whose_database_is_kept_and_still_whole(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = operator.town.open()
    visitor.ask()
    visitor.services.store.close()
    backup = operator.backup()
    other = Operator(build(tmp_path / "other"), monkeypatch, tmp_path / "other")
    export = operator.export()
    (kept,) = json.loads(
        _json(other.run("restore", backup, "--journal", export, "--replace", "--discard", "--json"))
    )["kept"].splitlines()
    for file in (other.town.settings.database_url, f"sqlite:///{kept}"):
        settings = replace(other.town.settings, database_url=file)
        visitor = Town(settings=settings, keys=other.town.keys if kept in file else operator.town.keys).open()
        assert visitor.ask(BY_DISTRICT).status_code == 200
        assert visitor.ledger.verify() == []
        visitor.services.store.close()


def test_another_installation_is_replaced_only_where_that_is_said(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, export = operator.backup(), operator.export()
    with closing_store(operator) as store, store.writing() as tx:
        tx.execute(update(InstallationRow).values(id="installation:another"))
    before = state_of(operator)
    for words in ((), ("--journal", export)):
        refused = operator.refused("restore", backup, "--replace", *words)
        assert "another installation stands there (installation:another" in refused
    assert state_of(operator) == before


def test_what_the_standing_database_knows_and_the_export_lacks_is_not_lost_unsaid(operator: Operator) -> None:
    backup, early = operator.backup(), operator.export()
    with closing_store(operator) as store:
        People(store, SECRET.encode()).disable("kenji", by="operator:tester")
    before = state_of(operator)
    refused = operator.refused("restore", backup, "--journal", early, "--replace")
    assert "that stands there has lines" in refused
    assert state_of(operator) == before
    # Without the journal everything is stopped; a copy that is found later is taken then.
    late = operator.export("late.jsonl")
    operator.run("restore", backup, "--replace")
    assert "ends at" in operator.run("restore", backup, "--journal", late, "--replace")
    visitor = operator.town.open()
    assert visitor.ask().status_code == 200
    assert visitor.get("/v1/budgets", user="kenji").status_code == 401


def test_a_later_version_and_a_purged_one_do_not_let_older_rows_answer(operator: Operator) -> None:
    backup = operator.backup()
    operator.town.register(VISITS, visits_csv() + "1,bus,3\n")
    told = operator.run("restore", backup, "--journal", operator.export(), "--replace")
    assert "dataset visits" in told
    assert "dataset residents" not in told
    visitor = operator.town.open()
    assert visitor.ask(dataset="visits").json["code"] == "stopped"
    assert visitor.ask().status_code == 200
    visitor.services.store.close()
    operator.run("ledger", "verify")


def test_vaults_are_backed_up_and_come_back(operator: Operator) -> None:
    backup = operator.backup()
    new = operator.moved("new")
    new.run("restore", backup)
    for folder in operator.town.settings.data_dir.glob("*/v*/vault"):
        moved = new.town.settings.data_dir / folder.relative_to(operator.town.settings.data_dir)
        assert sorted(file.name for file in moved.iterdir()) == sorted(file.name for file in folder.iterdir())
    assert len(list(new.town.settings.data_dir.glob("*/v*/vault/*"))) == 2


class SecretInFile(Town):
    """A town whose secret is a file beside the data."""

    @property
    def environment(self) -> dict[str, str]:
        return {name: value for name, value in super().environment.items() if name != "SUDARE_SECRET_KEY"}


def forge(backup: Path, sql: str) -> None:
    """Change the database of a backup, and its manifest with it."""
    with closing(sqlite3.connect(backup / "database.sqlite")) as connection:
        connection.execute(sql)
        connection.commit()
    content = (backup / "database.sqlite").read_bytes()
    told = json.loads((backup / "manifest.json").read_text())
    told["files"]["database.sqlite"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    del told["digest"]
    told["digest"] = sha256_hex(chain.canonical(told))
    (backup / "manifest.json").write_text(json.dumps(told))


def test_the_secret_of_a_backup_does_not_replace_a_later_one(operator: Operator) -> None:
    settings = replace(operator.town.settings, secret_key="")
    file = settings.data_dir / "secret.key"
    file.write_text(SECRET)
    own = Operator(
        SecretInFile(settings=settings, keys=operator.town.keys), operator._monkeypatch, operator.folder
    )
    operator._monkeypatch.delenv("SUDARE_SECRET_KEY", raising=False)
    backup = own.backup()
    new = "another secret for tests only, and long enough"
    with closing_store(own) as store:
        People(store, new.encode(), SECRET.encode()).prove_secret(by="operator:tester")
    file.write_text(new)
    told = own.run("restore", backup, "--journal", own.export(), "--replace")
    assert "the secret was changed after the backup" in told
    assert file.read_text() == new
    own.run("restore", backup, "--replace")
    assert file.read_text() == SECRET


@pytest.mark.parametrize("folder", ["/etc", "visits/../../x", "visits", "Visits/v1", "visits/v1/vault"])
def test_a_backup_whose_folders_lie_elsewhere_is_refused(operator: Operator, folder: str) -> None:
    backup, before = operator.backup(), state_of(operator)
    forge(backup, f"UPDATE versions SET folder = '{folder}' WHERE dataset = 'visits'")
    assert "damaged: database.sqlite" in operator.refused("restore", backup, "--replace")
    assert state_of(operator) == before
    with closing_store(operator) as store, store.writing() as tx:
        tx.execute(update(VersionRow).where(VersionRow.dataset == "visits").values(folder=folder))
    assert folder in operator.refused("backup", operator.folder / "another")
    assert not (operator.folder / "another").exists()


def test_what_was_decided_is_not_taken_back(operator: Operator) -> None:
    backup, data = operator.backup(), operator.town.settings.data_dir
    shutil.rmtree(next(data.glob("visits/v*")))
    script = (
        "import os\nfrom datasets.operations import sqlite_file\nbefore = os.replace\n"
        "def then(one, other):\n    before(one, other)\n    raise OSError(5, 'the disk is gone')\n"
        "os.replace = then"
    )
    process = child(operator, script, "restore", backup, "--replace")
    said = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 1
    assert "is not known" in said
    assert list(data.glob("visits/v*/statistics.duckdb"))
    visitor = operator.town.open()
    assert visitor.get("/readyz", user=None).status_code == 200


def test_no_command_works_beside_a_restore(operator: Operator) -> None:
    with alone(operator.town.settings.data_dir / SERVING):
        for words in (["user", "disable", "kenji"], ["budget", "show"], ["jobs", "--once"]):
            assert "is being restored" in operator.refused(*words)


def test_jobs_of_another_database_touch_nothing_in_a_data_folder(operator: Operator, tmp_path: Path) -> None:
    town = operator.town
    for folder in town.settings.data_dir.rglob("*"):
        os.utime(folder, (1, 1))
    trial = tmp_path / "trial.db"
    with (
        closing(sqlite3.connect(town.settings.data_dir.parent / "sudare.db")) as standing,
        closing(sqlite3.connect(trial)) as connection,
    ):
        standing.backup(connection)
        connection.execute("UPDATE installations SET id = 'installation:trial'")
        # What it names is there, and what it does not name is another's.
        connection.execute("DELETE FROM versions WHERE dataset = 'residents'")
        connection.execute("DELETE FROM datasets WHERE id = 'residents'")
        connection.commit()
    settings = replace(town.settings, database_url=f"sqlite:///{trial}")
    other = Operator(Town(settings=settings, keys={}), operator._monkeypatch, tmp_path)
    assert "belongs to another database" in other.refused("init")
    assert "done (0)" in other.run("jobs", "--once")
    assert town.open().get("/readyz", user=None).status_code == 200


# Bad input


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_bad_backups_are_refused_and_nothing_is_touched(operator: Operator) -> None:
    operator.town.open().ask()
    backup, before = operator.backup(), state_of(operator)
    for file in sorted(path.relative_to(backup) for path in backup.rglob("*") if path.is_file()):
        copy = operator.folder / "copy"
        shutil.copytree(backup, copy)
        damage(copy / file)
        assert "damaged" in operator.refused("restore", copy, "--replace"), file
        (copy / file).unlink()
        expected = "no whole backup" if file.name == "manifest.json" else "damaged"
        assert expected in operator.refused("restore", copy, "--replace"), file
        shutil.rmtree(copy)
    for name, value in (("revision", "9999"), ("format", 2)):
        shutil.copytree(backup, copy)
        told = json.loads((copy / "manifest.json").read_text())
        (copy / "manifest.json").write_text(json.dumps(told | {name: value, "program": "9.9.9"}))
        refused = operator.refused("restore", copy, "--replace")
        assert "another version: sudare 9.9.9" in refused
        assert version("sudare") in refused
        shutil.rmtree(copy)
    assert "no whole backup" in operator.refused("restore", operator.folder / "nowhere")
    assert "--replace" in operator.refused("restore", backup)
    assert "holds something already" in operator.refused("backup", backup)
    assert state_of(operator) == before


def test_bad_exports_are_refused_and_nothing_is_touched(operator: Operator) -> None:
    early = operator.export("early.jsonl")
    visitor = operator.town.open()
    visitor.ask()
    backup = operator.backup()
    visitor.ask(BY_DISTRICT)
    with visitor.services.store.writing() as tx:
        add_line(tx, "unheard_of", by="somebody")
    visitor.services.store.close()
    lines = operator.export().read_text().splitlines(keepends=True)
    before = state_of(operator)
    own = [line for line in lines if "unheard_of" in line]
    known = [line for line in lines if line not in own]
    exports = {
        "cannot apply again (unheard_of)": lines,
        "ends in the middle": [*known[:-1], known[-1][:-1]],
        "it is not what the journal writes": [*known[:-1], known[-1].replace('","', '", "', 1)],
        "out of order": [*known[:1], *known[2:]],
        "does not follow": [known[0].replace('"head":"', '"head":"0', 1), *known[1:]],
        "older than the backup": early.read_text().splitlines(keepends=True),
    }
    for expected, bad in exports.items():
        file = operator.folder / "bad.jsonl"
        file.write_text("".join(bad), encoding="utf-8")
        assert expected in operator.refused("restore", backup, "--journal", file, "--replace"), expected
    assert state_of(operator) == before


def test_an_export_of_another_installation_is_refused(operator: Operator, tmp_path: Path) -> None:
    backup = operator.backup()
    other = build(tmp_path / "other")
    with closing_store(Operator(other, operator._monkeypatch, tmp_path / "other")) as store:
        People(store, SECRET.encode()).rotate("mei", by="operator:tester")
    export = Operator(other, operator._monkeypatch, tmp_path / "other").export()
    refused = operator.refused("restore", backup, "--journal", export, "--replace")
    assert "another installation" in refused or "differs from the backup" in refused


def test_a_restore_waits_for_no_server_and_no_other_restore(operator: Operator) -> None:
    backup, before = operator.backup(), state_of(operator)
    for kind in (fcntl.LOCK_SH, fcntl.LOCK_EX):
        held = os.open(operator.town.settings.data_dir / SERVING, os.O_RDWR | os.O_CREAT)
        fcntl.flock(held, kind)
        assert "a server is running" in operator.refused("restore", backup, "--replace")
        os.close(held)
    assert state_of(operator) == before
    # A server does not start into a restore either.
    with alone(operator.town.settings.data_dir / SERVING):
        assert "is being restored" in operator.refused("serve")


def child(operator: Operator, script: str, *words: object) -> subprocess.Popen[bytes]:
    """The command line in a process of its own, after a script."""
    script += "\nimport sys\nfrom api.commands.main import main\nmain(sys.argv[1:])"
    environment = {**os.environ, **operator.town.environment, "SUDARE_LANGUAGE": "en"}
    command = [sys.executable, "-c", script, *map(str, words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))"
"""No file may grow past 64 KB, as on a full disk."""


def test_a_full_disk_ends_both_with_a_clear_error_and_leaves_nothing_half_done(operator: Operator) -> None:
    backup, before = operator.backup(), state_of(operator)
    for words in (("backup", operator.folder / "full"), ("restore", backup, "--replace")):
        process = child(operator, SMALL_FILES, *words)
        said = process.communicate(timeout=60)[0].decode()
        assert process.returncode == 1, said
        assert "Error: no" in said
        assert "Traceback" not in said
    assert not (operator.folder / "full").exists()
    assert state_of(operator) == before


KILLED_BEFORE = """
import os, signal
from {module} import {owner} as owner
before = owner.{name}
owner.{name} = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
"""
MOMENTS = (
    ("datasets.operations.restore", "_Folders", "choose_places"),
    ("datasets.operations.restore", "_Folders", "put_in_place"),
    ("datasets.operations.restore", "_Folders", "_put_secret"),
)


@pytest.mark.parametrize(
    "moment",
    [
        *(
            pytest.param(moment, marks=pytest.mark.long)
            for moment in (*(place[2] for place in MOMENTS), "keep", "exchange")
        ),
        "replace",
    ],
)
def test_a_restore_killed_at_any_moment_leaves_the_old_state_answering(
    operator: Operator, moment: str
) -> None:
    visitor = operator.town.open()
    backup = operator.backup()
    assert visitor.ask().status_code == 200
    visitor.services.store.close()
    places = {name: (module, owner) for module, owner, name in MOMENTS}
    if moment in places:
        module, owner = places[moment]
        script = KILLED_BEFORE.format(module=module, owner=owner, name=moment)
    elif moment in ("keep", "exchange"):
        script = (
            "import os, signal\nfrom datasets.operations import restore\n"
            f"restore.{moment} = lambda *given: os.kill(os.getpid(), signal.SIGKILL)"
        )
    else:
        script = "import os, signal\nos.replace = lambda *given: os.kill(os.getpid(), signal.SIGKILL)"
    process = child(operator, script, "restore", backup, "--replace")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == -signal.SIGKILL, said
    visitor = operator.town.open()
    assert visitor.spent()["residents/user:aoi"] == "0.5"
    assert visitor.ask().status_code == 200
    assert visitor.ledger.verify() == []
    visitor.services.store.close()
    # And the next one does what this one could not.
    operator.run("restore", backup, "--replace")
    assert not list(operator.town.settings.data_dir.parent.rglob(".restoring-*"))


@pytest.mark.long
def test_a_restore_over_a_real_server_is_refused_until_its_last_worker_has_ended(operator: Operator) -> None:
    backup = operator.backup()
    server = Server(operator.town)
    server.start()
    try:
        # Safe beside it, and the way back is not.
        operator.backup("while-serving")
        assert "a server is running" in operator.refused("restore", backup, "--replace")
    finally:
        server.stop()
    operator.run("restore", backup, "--replace")
