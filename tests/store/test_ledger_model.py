"""The ledger against a model of three numbers an account, over random histories."""

import tempfile
from pathlib import Path

import pytest
from databases import sqlite_file
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ledger_town import SETTLED
from settlements import AOI, CAP, LINEAGE, MEI, SHOP, asked

from datasets.database.store import Store
from datasets.ledger.accounts import Account
from datasets.ledger.errors import AboveUnspent, BudgetExhausted
from datasets.ledger.service import Ledger
from datasets.ledger.settlement import AlreadyAnswered
from privacy.budget import Price

AMOUNTS = st.integers(1, 3_000_000_000)
USERS = st.sampled_from([AOI, MEI])


class LedgerAgainstModel(RuleBasedStateMachine):
    """`granted` and `spent` of every account, who used which key, and the grants that wait."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / "sudare.db"
        file.write_bytes(sqlite_file(SETTLED))
        self.store = Store(f"sqlite:///{file}")
        self.ledger = Ledger(self.store)
        nano = 10**9
        self.granted = {AOI: 2 * nano, MEI: 2 * nano, SHOP: 3 * nano, CAP: 10 * nano}
        self.spent = dict.fromkeys(self.granted, 0)
        self.answers: dict[tuple[Account, int], str] = {}
        self.waiting: dict[str, int] = {}

    @rule(user=USERS, key=st.integers(0, 20), charge=AMOUNTS, shared=st.booleans())
    def settle(self, user: Account, key: int, charge: int, shared: bool) -> None:
        charges = {user: charge, SHOP: charge, CAP: 0 if shared else charge}
        question = asked(key, user=user.holder, charge=Price(charge), dataset_charge=Price(charges[CAP]))
        fits = all(self.spent[account] + cost <= self.granted[account] for account, cost in charges.items())
        if (user, key) in self.answers:
            with pytest.raises(AlreadyAnswered) as earlier:
                self.ledger.settle(question)
            assert earlier.value.stored.id == self.answers[user, key]
        elif not fits:
            with pytest.raises(BudgetExhausted):
                self.ledger.settle(question)
        else:
            self.answers[user, key] = self.ledger.settle(question).id
            for account, cost in charges.items():
                self.spent[account] += cost

    @rule(account=st.sampled_from([AOI, MEI, SHOP]), amount=AMOUNTS)
    def grant(self, account: Account, amount: int) -> None:
        self.ledger.grant(
            lineage=LINEAGE, account=account, amount=Price(amount), reason="more", requested_by="mayor"
        )
        self.granted[account] += amount

    @rule(amount=AMOUNTS)
    def ask_for_more_cap(self, amount: int) -> None:
        grant = self.ledger.grant(
            lineage=LINEAGE, account=CAP, amount=Price(amount), reason="more", requested_by="mayor"
        )
        self.waiting[grant.id] = amount

    @rule(account=st.sampled_from([AOI, MEI, SHOP, CAP]), amount=AMOUNTS)
    def lower(self, account: Account, amount: int) -> None:
        less = {
            "lineage": LINEAGE,
            "account": account,
            "amount": Price(amount),
            "reason": "less",
            "requested_by": "mayor",
        }
        if self.granted[account] - amount < self.spent[account]:
            with pytest.raises(AboveUnspent) as refused:
                self.ledger.lower(**less)  # type: ignore[arg-type]
            assert refused.value.remaining.nano == self.granted[account] - self.spent[account]
        else:
            self.ledger.lower(**less)  # type: ignore[arg-type]
            self.granted[account] -= amount

    @precondition(lambda self: self.waiting)
    @rule(how=st.sampled_from(["approve", "decline", "send_back"]))
    def decide(self, how: str) -> None:
        id, amount = self.waiting.popitem()
        getattr(self.ledger, how)(grant_id=id, decided_by="auditor", reason="the council's minutes")
        if how == "approve":
            self.granted[CAP] += amount

    @rule()
    def open_again(self) -> None:
        self.ledger.open(lineage=LINEAGE, cap=Price(1), actor="mayor")

    @invariant()
    def accounts_agree(self) -> None:
        states = {state.account: state for state in self.ledger.all_accounts()}
        assert {
            account: state.granted and state.granted.nano for account, state in states.items()
        } == self.granted
        assert {account: state.spent.nano for account, state in states.items()} == self.spent

    @invariant()
    def proof_agrees(self) -> None:
        assert self.ledger.verify() == []

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


LedgerAgainstModel.TestCase.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLedgerAgainstModel = LedgerAgainstModel.TestCase
