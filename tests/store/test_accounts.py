"""Keys prove people; the database alone proves nobody."""

import json
import re
from typing import Any

import pytest
from sqlalchemy import select

from datasets.database.store import Store
from datasets.database.tables import UserRow
from datasets.ledger.journal import pages
from datasets.ledger.service import Ledger
from datasets.people.errors import (
    AlreadyThere,
    InvalidName,
    InvalidRole,
    InvalidTitle,
    NoSuchOrganisation,
    NoSuchUser,
    NotDisabled,
    PeopleError,
    UnknownKey,
    UserDisabled,
    WrongSecret,
)
from datasets.people.keys import looks_like_key, new_key
from datasets.people.service import Caller, People
from datasets.people.titles import Titles

SECRET = b"a secret for tests only"


@pytest.fixture
def people(store: Store) -> People:
    people = People(store, SECRET)
    people.add_organisation("shop", by="tester")
    return people


def test_a_key_proves_its_user(people: People) -> None:
    key = people.add_user("aoi", organisation="shop", role="analyst", by="tester")
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
    key = people.add_user("aoi", organisation="shop", role="analyst", by="tester")
    with store.reading() as connection:
        held = str(connection.exec_driver_sql("SELECT * FROM users").all())
    assert key not in held
    with pytest.raises(WrongSecret):
        People(store, b"another secret, longer").authenticate(key)


def test_a_short_secret_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        People(store, b"short")


def test_a_new_key_ends_the_old_one(people: People) -> None:
    old = people.add_user("aoi", organisation="shop", role="analyst", by="tester")
    new = people.rotate("aoi", by="tester")
    assert people.authenticate(new).name == "aoi"
    with pytest.raises(UnknownKey):
        people.authenticate(old)


def test_a_disabled_user_stays_out_even_with_a_new_key(people: People) -> None:
    key = people.add_user("aoi", organisation="shop", role="analyst", by="tester")
    people.disable("aoi", by="tester")
    with pytest.raises(UserDisabled):
        people.rotate("aoi", by="tester")
    with pytest.raises(UnknownKey):
        people.authenticate(key)
    assert people.user("aoi").disabled_at is not None


def test_access_is_given_back_with_a_new_key_alone(people: People) -> None:
    old = people.add_user("aoi", organisation="shop", role="analyst", by="tester")
    people.disable("aoi", by="tester")
    new = people.enable("aoi", by="tester")
    assert people.authenticate(new).name == "aoi"
    with pytest.raises(UnknownKey):
        people.authenticate(old)
    with pytest.raises(NotDisabled):
        people.enable("aoi", by="tester")
    assert people.authenticate(new).name == "aoi"


def lines(store: Store) -> list[dict[str, Any]]:
    """The journal of the installation but for its secret, without what every line has."""
    with store.reading() as connection:
        bodies = [json.loads(entry.body) for page in pages(connection) for entry in page]
    return [
        {name: value for name, value in body.items() if name not in ("lineage", "at")}
        for body in bodies
        if body["kind"] != "secret_changed"
    ]


def kept_of(store: Store, name: str) -> dict[str, Any]:
    with store.reading() as connection:
        row = connection.execute(
            select(UserRow.key_digest, UserRow.key_made_at).where(UserRow.name == name)
        ).one()
    return dict(row._asdict())


def test_every_change_of_access_is_a_line_of_the_journal(people: People, store: Store) -> None:
    by = {"by": "operator:yui"}
    people.add_organisation("museum", **by, titles=Titles(ja="博物館"))
    people.title_organisation("museum", Titles(en="Museum"), **by)
    people.add_user("aoi", organisation="museum", role="auditor", **by)
    made = [kept_of(store, "aoi")]
    people.rotate("aoi", **by)
    made.append(kept_of(store, "aoi"))
    people.disable("aoi", **by)
    people.disable("aoi", **by)
    people.enable("aoi", **by)
    made.append(kept_of(store, "aoi"))
    assert lines(store)[1:] == [
        {"kind": "organisation_added", "organisation": "museum", "title_ja": "博物館", **by},
        {
            "kind": "organisation_changed",
            "organisation": "museum",
            "title_ja": "博物館",
            "title_en": "Museum",
            **by,
        },
        {
            "kind": "user_added",
            "user_name": "aoi",
            "organisation": "museum",
            "role": "auditor",
            **made[0],
            **by,
        },
        {"kind": "key_rotated", "user_name": "aoi", **made[1], **by},
        {"kind": "user_disabled", "user_name": "aoi", **by},
        {"kind": "user_enabled", "user_name": "aoi", **by},
        {"kind": "key_rotated", "user_name": "aoi", **made[2], **by},
    ]
    assert len({each["key_digest"] for each in made}) == len(made)
    assert people.user("aoi").key_made_at == made[2]["key_made_at"]
    assert Ledger(store).verify() == []


def test_what_is_refused_leaves_no_line(people: People, store: Store) -> None:
    people.add_user("aoi", organisation="shop", role="analyst", by="tester")
    before = lines(store)
    for act in (
        lambda: people.add_user("aoi", organisation="shop", role="analyst", by="tester"),
        lambda: people.add_organisation("shop", by="tester"),
        lambda: people.enable("aoi", by="tester"),
        lambda: people.rotate("eve", by="tester"),
        lambda: people.title_organisation("museum", Titles(ja="博物館"), by="tester"),
    ):
        with pytest.raises(PeopleError):
            act()
    assert lines(store) == before


@pytest.mark.parametrize(
    "title", ["", " ", " a", "a ", "a\nb", "a\0", "a\u202eb", "\u200b", "\ufeffa", "a" * 101, "a\u2028b"]
)
def test_display_names_are_a_line_that_can_be_shown(title: str) -> None:
    with pytest.raises(InvalidTitle):
        Titles(ja=title)
    with pytest.raises(InvalidTitle):
        Titles(en=title)


def test_organisations_keep_the_display_name_of_the_other_language(people: People) -> None:
    people.title_organisation("shop", Titles(ja="商店 葛\U000e0100"), by="tester")
    people.title_organisation("shop", Titles(en="The shop"), by="tester")
    (shop,) = people.organisations()
    assert shop.titles == Titles(ja="商店 葛\U000e0100", en="The shop")


def test_names_are_taken_once_even_after_their_end(people: People) -> None:
    people.add_user("aoi", organisation="shop", role="analyst", by="tester")
    people.disable("aoi", by="tester")
    with pytest.raises(AlreadyThere):
        people.add_user("aoi", organisation="shop", role="analyst", by="tester")
    with pytest.raises(AlreadyThere):
        people.add_organisation("shop", by="tester")


@pytest.mark.parametrize("name", ["", "Aoi", "1aoi", "-aoi", "aoi_1", "aoi\n", "あおい", "a" * 64])
def test_names_have_one_grammar(people: People, name: str) -> None:
    with pytest.raises(InvalidName):
        people.add_user(name, organisation="shop", role="analyst", by="tester")
    with pytest.raises(InvalidName):
        people.add_organisation(name, by="tester")


def test_roles_and_organisations_must_exist(people: People) -> None:
    with pytest.raises(InvalidRole):
        people.add_user("aoi", organisation="shop", role="king", by="tester")
    with pytest.raises(NoSuchOrganisation):
        people.add_user("aoi", organisation="museum", role="analyst", by="tester")


def test_nobody_can_not_be_changed(people: People) -> None:
    for act in (people.rotate, people.disable, people.enable):
        with pytest.raises(NoSuchUser):
            act("eve", by="tester")
    with pytest.raises(NoSuchUser):
        people.user("eve")


def test_lists_turn_their_pages(people: People) -> None:
    people.add_organisation("museum", by="tester")
    for name in ("ren", "aoi", "sora"):
        people.add_user(name, organisation="shop", role="analyst", by="tester")
    assert [organisation.name for organisation in people.organisations()] == ["museum", "shop"]
    assert [organisation.name for organisation in people.organisations(after="museum")] == ["shop"]
    assert [person.name for person in people.users(limit=2)] == ["aoi", "ren"]
    assert [person.name for person in people.users(after="ren")] == ["sora"]
