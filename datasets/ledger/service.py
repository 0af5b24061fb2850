"""The ledger as its callers see it: accounts, grants, settlements, answers, the journal and its proof."""

from datasets.database.store import Store
from datasets.ledger.accounts import Accounts, AccountState, open_dataset
from datasets.ledger.answers import Answers
from datasets.ledger.grants import Grants
from datasets.ledger.journal import Journal
from datasets.ledger.proof import Proof
from datasets.ledger.settlement import Settlements
from privacy.budget import Price


class Ledger(Accounts, Grants, Settlements, Answers, Journal, Proof):
    """What was granted, what was spent and what was answered for it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(self, *, lineage: str, cap: Price, actor: str, delta_cap_atto: int = 0) -> AccountState:
        """Open the lineage's dataset account with its lifetime cap. One that exists stays as it is."""
        with self._store.writing() as tx:
            return open_dataset(tx, lineage=lineage, cap=cap, actor=actor, delta_cap_atto=delta_cap_atto)
