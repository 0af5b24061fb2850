"""A ledger with the people of `town` in it, on both databases."""

import pytest
from town import settle_in

from datasets.ledger import Ledger
from datasets.store import Store


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return settle_in(store)
