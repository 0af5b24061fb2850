"""Keys prove people; the database alone proves nobody."""

import re

import pytest

from datasets.database.store import Store
from datasets.people.errors import (
    AlreadyThere,
    InvalidName,
    InvalidRole,
    NoSuchOrganisation,
    NoSuchUser,
    UnknownKey,
)
from datasets.people.keys import looks_like_key, new_key
from datasets.people.service import Caller, People

SECRET = b"a secret for tests only"


@pytest.fixture
def people(store: Store) -> People:
    people = People(store, SECRET)
    people.add_organisation("shop")
    return people


def test_a_key_proves_its_user(people: People) -> None:
    key = people.add_user("aoi", organisation="shop", role="analyst")
    assert people.authenticate(key) == Caller(name="aoi", organisation="shop", role="analyst")


def test_a_key_nobody_has_proves_nobody(people: People) -> None:
    with pytest.raises(UnknownKey):
        people.authenticate(new_key())


def test_text_that_is_no_key_does_not_reach_the_database() -> None:
    people = People(None, SECRET)  # type: ignore[arg-type]
    with pytest.raises(UnknownKey):
        people.authenticate("sdr_" + "A" * 49)


def test_keys_have_a_form_and_a_checksum() -> None:
    key = new_key()
    assert re.fullmatch(r"sdr_[0-9A-Za-z]{49}", key)
    assert looks_like_key(key)
    wrong = "B" if key[10] != "B" else "C"
    assert not looks_like_key(key[:10] + wrong + key[11:])
    assert not any(map(looks_like_key, ("", key[:-1], key + "0", key + "\n", "sdr_" + "あ" * 49)))


def test_keys_differ() -> None:
    assert len({new_key() for _ in range(1000)}) == 1000


def test_the_database_holds_no_key_and_is_no_use_without_the_secret(people: People, store: Store) -> None:
    key = people.add_user("aoi", organisation="shop", role="analyst")
    with store.reading() as connection:
        held = str(connection.exec_driver_sql("SELECT * FROM users").all())
    assert key not in held
    with pytest.raises(UnknownKey):
        People(store, b"another secret, longer").authenticate(key)


def test_a_short_secret_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        People(store, b"short")


def test_a_new_key_ends_the_old_one(people: People) -> None:
    old = people.add_user("aoi", organisation="shop", role="analyst")
    new = people.rotate("aoi")
    assert people.authenticate(new).name == "aoi"
    with pytest.raises(UnknownKey):
        people.authenticate(old)


def test_a_disabled_user_stays_out_even_with_a_new_key(people: People) -> None:
    key = people.add_user("aoi", organisation="shop", role="analyst")
    people.disable("aoi")
    for kept in (key, people.rotate("aoi")):
        with pytest.raises(UnknownKey):
            people.authenticate(kept)
    assert people.user("aoi").disabled_at is not None


def test_names_are_taken_once_even_after_their_end(people: People) -> None:
    people.add_user("aoi", organisation="shop", role="analyst")
    people.disable("aoi")
    with pytest.raises(AlreadyThere):
        people.add_user("aoi", organisation="shop", role="analyst")
    with pytest.raises(AlreadyThere):
        people.add_organisation("shop")


@pytest.mark.parametrize("name", ["", "Aoi", "1aoi", "-aoi", "aoi_1", "aoi\n", "あおい", "a" * 64])
def test_names_have_one_grammar(people: People, name: str) -> None:
    with pytest.raises(InvalidName):
        people.add_user(name, organisation="shop", role="analyst")
    with pytest.raises(InvalidName):
        people.add_organisation(name)


def test_roles_and_organisations_must_exist(people: People) -> None:
    with pytest.raises(InvalidRole):
        people.add_user("aoi", organisation="shop", role="king")
    with pytest.raises(NoSuchOrganisation):
        people.add_user("aoi", organisation="museum", role="analyst")


def test_nobody_can_not_be_changed(people: People) -> None:
    for act in (people.rotate, people.disable, people.user):
        with pytest.raises(NoSuchUser):
            act("eve")


def test_lists_turn_their_pages(people: People) -> None:
    people.add_organisation("museum")
    for name in ("ren", "aoi", "sora"):
        people.add_user(name, organisation="shop", role="analyst")
    assert people.organisations() == ["museum", "shop"]
    assert [person.name for person in people.users(limit=2)] == ["aoi", "ren"]
    assert [person.name for person in people.users(after="ren")] == ["sora"]
