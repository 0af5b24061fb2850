"""A ledger with the people of `town` in it, on both databases."""

import pytest
from town import settle_in

from datasets.database.store import Store
from datasets.ledger.ledger import Ledger


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return settle_in(store)
