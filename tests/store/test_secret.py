"""The database knows its secret: another one is noticed before keys die of it, and a transition is told."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from api.commands.main import main
from api.services import Services
from api.settings import InvalidSetting, Settings
from datasets.database.installation import installation
from datasets.database.store import Store
from datasets.database.tables import JournalRow
from datasets.ledger.service import Ledger
from datasets.people.errors import SecretLost, UnknownKey, WrongSecret
from datasets.people.keys import new_key
from datasets.people.secret import digest_of
from datasets.people.service import People

OLD, NEW, OTHER = (letter * 40 for letter in "abc")
ANALYST = {"organisation": "shop", "role": "analyst", "by": "tester"}


def people_of(store: Store, secret: str = OLD, previous: str | None = None) -> People:
    return People(store, secret.encode(), previous.encode() if previous else None)


def secret_lines(store: Store) -> list[dict[str, Any]]:
    with store.reading() as connection:
        found = connection.execute(
            select(JournalRow.body).where(JournalRow.kind == "secret_changed").order_by(JournalRow.number)
        )
        return [json.loads(body) for body in found.scalars()]


def known(store: Store) -> str | None:
    with store.reading() as connection:
        return installation(connection).secret_digest


@pytest.fixture
def key(store: Store) -> str:
    people = people_of(store)
    people.add_organisation("shop", by="tester")
    return people.add_user("aoi", **ANALYST)


def test_the_first_use_tells_the_database_its_secret(store: Store, key: str) -> None:
    assert known(store) == digest_of(OLD.encode()) != digest_of(NEW.encode())
    (line,) = secret_lines(store)
    assert (line["by"], line["secret_digest"]) == ("tester", known(store))
    people_of(store).prove_secret()
    assert len(secret_lines(store)) == 1
    assert not people_of(store).user("aoi").under_earlier_secret


def test_another_secret_proves_nobody_and_makes_no_key(store: Store, key: str) -> None:
    for acts in (
        lambda people: people.prove_secret(),
        lambda people: people.authenticate(new_key()),
        lambda people: people.add_user("mei", **ANALYST),
        lambda people: people.rotate("aoi", by="tester"),
    ):
        for stranger in (people_of(store, NEW), people_of(store, NEW, OTHER)):
            with pytest.raises(WrongSecret):
                acts(stranger)
    assert known(store) == digest_of(OLD.encode())
    assert people_of(store).authenticate(key).name == "aoi"


def test_a_transition_keeps_old_keys_until_the_previous_secret_is_taken_away(store: Store, key: str) -> None:
    people_of(store).add_user("mei", **ANALYST)
    between = people_of(store, NEW, OLD)
    assert between.authenticate(key).name == "aoi"
    assert known(store) == digest_of(NEW.encode())
    assert [line["by"] for line in secret_lines(store)] == ["tester", "server"]
    rotated = between.rotate("mei", by="tester")
    assert between.authenticate(rotated).name == "mei"
    assert {person.name: person.under_earlier_secret for person in between.users()} == {
        "aoi": True,
        "mei": False,
    }
    after = people_of(store, NEW)
    assert after.authenticate(rotated).name == "mei"
    with pytest.raises(UnknownKey):
        after.authenticate(key)
    with pytest.raises(UnknownKey):
        between.authenticate(new_key())
    assert Ledger(store).verify() == []


def test_whoever_returns_to_a_secret_brings_back_the_keys_that_were_not_rotated(
    store: Store, key: str
) -> None:
    rotated = people_of(store).add_user("beni", **ANALYST)
    there, back = people_of(store, NEW), people_of(store)
    there.accept_secret(by="tester")
    there.rotate("beni", by="tester")
    with pytest.raises(UnknownKey):
        there.authenticate(key)
    back.accept_secret(by="tester")
    assert back.authenticate(key).name == "aoi"
    with pytest.raises(UnknownKey):
        back.authenticate(rotated)


def test_a_machine_left_behind_makes_no_keys(store: Store, key: str) -> None:
    left_behind = people_of(store)
    left_behind.prove_secret()
    people_of(store, NEW, OLD).prove_secret()
    with pytest.raises(WrongSecret):
        left_behind.rotate("aoi", by="tester")
    assert left_behind.authenticate(key).name == "aoi"


def test_machines_that_start_at_once_move_the_secret_once(store: Store, key: str) -> None:
    machines = [people_of(store, NEW, OLD) for _ in range(4)]
    with ThreadPoolExecutor(len(machines)) as pool:
        for started in [pool.submit(machine.prove_secret) for machine in machines]:
            started.result()
    assert len(secret_lines(store)) == 2
    assert known(store) == digest_of(NEW.encode())
    assert Ledger(store).verify() == []


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return Settings(database_url=sqlite_url, data_dir=tmp_path / "data")


def test_a_lost_file_is_not_replaced_where_the_database_has_keys(settings: Settings) -> None:
    Services(settings=settings).people.prove_secret()
    settings.secret_file.unlink()
    with pytest.raises(SecretLost, match=r"secret\.key is missing"):
        _ = Services(settings=settings).people
    assert not settings.secret_file.exists()


def test_a_damaged_file_is_refused(settings: Settings) -> None:
    settings.data_dir.mkdir()
    settings.secret_file.write_text("abc\n")
    with pytest.raises(InvalidSetting, match=r"secret\.key must have at least 32 characters"):
        settings.secret()


def test_postgresql_takes_a_given_secret_alone(tmp_path: Path) -> None:
    settings = Settings(database_url="postgresql://host/name", data_dir=tmp_path)
    with pytest.raises(InvalidSetting, match="with PostgreSQL SUDARE_SECRET_KEY or SUDARE_SECRET_KEY_FILE"):
        settings.secret()
    assert not settings.secret_file.exists()
    settings.secret_file.write_text(OLD)
    with pytest.raises(InvalidSetting, match=f"SUDARE_SECRET_KEY_FILE={settings.secret_file}"):
        settings.secret()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SUDARE_SECRET_KEY": OLD, "SUDARE_SECRET_KEY_PREVIOUS": "short"}, "PREVIOUS must have at least 32"),
        ({"SUDARE_SECRET_KEY": OLD, "SUDARE_SECRET_KEY_PREVIOUS": OLD}, "are the same"),
    ],
)
def test_a_previous_secret_is_another_one_and_as_long(given: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidSetting, match=said):
        Settings.read(given)


def test_commands_and_servers_refuse_another_secret_in_a_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDARE_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SUDARE_DATA_DIR", str(settings.data_dir))

    def sudare(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, words, catch_exceptions=False)
        return result.exit_code, result.output

    begun: list[object] = []
    monkeypatch.setattr("os.execve", lambda program, words, environment: begun.append(words))
    assert sudare("init")[0] == 0
    settings.secret_file.unlink()
    for words in (["init"], ["serve"], ["user", "list"]):
        code, said = sudare(*words)
        assert (code, "secret.key is missing" in said) == (1, True), said
    monkeypatch.setenv("SUDARE_SECRET_KEY", NEW)
    for words in (["init"], ["serve"]):
        code, said = sudare(*words)
        assert (code, "the secret is not the one" in said) == (1, True), said
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    assert "シークレットが、このデータベースの API キーに" in sudare("serve")[1]
    assert begun == []
    assert sudare("init", "--new-secret")[0] == 0
    assert sudare("serve")[0] == 0
    assert begun


def test_the_application_itself_refuses_in_a_line(settings: Settings) -> None:
    Services(settings=settings).people.prove_secret()
    environment = {
        **os.environ,
        "SUDARE_DATABASE_URL": settings.database_url,
        "SUDARE_DATA_DIR": str(settings.data_dir),
        "SUDARE_SECRET_KEY": NEW,
    }
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", "import wsgi"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: the secret is not the one that this database's keys are kept under")
    assert "Traceback" not in done.stderr
