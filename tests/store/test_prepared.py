"""Questions that go to the driver past SQLAlchemy: the same rows, and the same refusals when the database is gone."""

import pytest
from backends import terminate
from sqlalchemy import bindparam, select, text

from datasets.database.errors import Unavailable
from datasets.database.prepared import PreparedSelect
from datasets.database.store import Store
from datasets.database.tables import OrganisationRow
from datasets.people.service import People, UnknownKey

NAME = OrganisationRow.__table__.c.name
STARTING = select(NAME, NAME.label("again")).where(NAME.like(bindparam("start")), NAME != "sheep")
NOBODYS_KEY = "sdr_00000000000000000000000000000000"


@pytest.fixture
def people(store: Store) -> People:
    people = People(store, b"a secret for tests only")
    for name in ("shop", "ship", "mine", "sheep"):
        people.add_organisation(name, by="tester")
    return people


def test_rows_are_those_of_the_statement_their_columns_by_name(store: Store, people: People) -> None:
    found = store.find(PreparedSelect(STARTING.order_by(NAME)), {"start": "sh%"})
    assert [(row.name, row.again) for row in found] == [("ship", "ship"), ("shop", "shop")]
    with store.reading() as connection:
        assert [tuple(row) for row in connection.execute(STARTING.order_by(NAME), {"start": "sh%"})] == found


def test_one_row_is_found_or_none_and_more_are_a_fault(store: Store, people: People) -> None:
    question = PreparedSelect(STARTING)
    assert store.find_one(question, {"start": "shi%"}).name == "ship"
    assert store.find_one(question, {"start": "x%"}) is None
    with pytest.raises(AssertionError, match="more rows"):
        store.find_one(question, {"start": "sh%"})


def test_a_list_of_values_must_be_spelt_out(store: Store, people: People) -> None:
    with pytest.raises(AssertionError, match="spell it out"):
        store.find(PreparedSelect(select(NAME).where(NAME.in_(("shop", "ship")))), {})


def test_a_connection_that_was_lost_refuses_once_and_is_replaced(store: Store, people: People) -> None:
    if store.is_sqlite:
        pytest.skip("a file has no server that could end a connection")
    key = people.add_user("aoi", organisation="shop", role="analyst", by="tester")
    assert people.authenticate(key).name == "aoi"
    with store.reading() as connection:
        mine = text("SELECT pg_backend_pid()")
        backend = connection.execute(mine).scalar_one()
    elsewhere = Store(store.url.render_as_string(hide_password=False))
    terminate(elsewhere, backend)
    elsewhere.close()
    with pytest.raises(Unavailable):
        people.authenticate(key)
    assert people.authenticate(key).name == "aoi"
    with pytest.raises(UnknownKey):
        people.authenticate(NOBODYS_KEY)
