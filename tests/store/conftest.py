"""A ledger where the town has settled in already, on both databases.

A registration takes a tenth of a second, so it happens once a run: the database of a test that asks for `settled` or
`settled_in_both` is copied from one in that state. Others begin with an empty one and settle in on their own terms.
"""

from functools import partial

import pytest
from databases import MIGRATED, Beginning
from ledger_town import SETTLED, settle_in_both
from settlements import DELTA_CAP

from datasets.database.store import Store
from datasets.ledger.service import Ledger

BEGINNINGS = {
    "settled": SETTLED,
    "settled_in_both": Beginning(
        name="settled_in_both", prepare=partial(settle_in_both, delta_cap_atto=DELTA_CAP)
    ),
}


@pytest.fixture
def beginning(request: pytest.FixtureRequest) -> Beginning:
    """The state that the test asks for by the name of a fixture."""
    return next((BEGINNINGS[name] for name in BEGINNINGS if name in request.fixturenames), MIGRATED)


@pytest.fixture
def settled(store: Store) -> Ledger:
    """The ledger of a town where Aoi, Mei and their shop have budgets."""
    return Ledger(store)


@pytest.fixture
def settled_in_both(store: Store) -> Ledger:
    """The ledger of a town where care is registered beside the residents, and a view joins both."""
    return Ledger(store)


@pytest.fixture
def ledger(settled: Ledger) -> Ledger:
    return settled
