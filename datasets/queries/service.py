"""One question's way: replay, price, exact part, noise, settlement; undeclared values are looked up last.

The order is that of the privacy rules and no other: nothing data-dependent is decided before the data is
opened, no answer is released before it and its charge are committed together, and a failure after the data was
opened is charged like an answer.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from datasets.catalog import Catalog, DatasetVersion, NoSuchDataset
from datasets.database.locks import LockTaken, alone
from datasets.database.store import new_id, now
from datasets.engines.base import Engine
from datasets.engines.errors import EngineUnavailable
from datasets.ledger.errors import NoAccount, NoAnswer
from datasets.ledger.ledger import (
    AccountState,
    AlreadyAnswered,
    Ledger,
    Settlement,
    StoredAnswer,
)
from datasets.people.service import Caller
from datasets.queries.errors import AnswerFailed, Conflict, InProgress, NotOpen, Retired
from privacy import delta
from privacy.answer import AnswerTable, Released, release, released_codes, renamed_table, table
from privacy.budget import Price, epsilon_of, plain_text
from privacy.noise import Noise
from privacy.plan import Plan, plan
from privacy.query import Query
from privacy.quote import expectation, narrower_bound, strategy_comparison

if TYPE_CHECKING:
    from datasets.engines.rehearsal import DummyEngine

NOTHING = Price(0)
log = structlog.get_logger("sudare")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequest:
    """A question as it arrived. `digest` tells it from others; `text` is its canonical JSON."""

    caller: Caller
    dataset: str
    query: Query
    key: str
    text: str

    @property
    def digest(self) -> str:
        return digest_of(self.dataset, self.text)


def digest_of(dataset: str, text: str) -> str:
    """What tells a request from others: the dataset asked and the canonical JSON of the body."""
    return hashlib.sha256(f"{dataset}\n{text}".encode()).hexdigest()


class QueryService:
    """Answers questions about the registered datasets."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        catalog: Catalog,
        engine: Engine,
        dummy_engine: "DummyEngine",
        noise: Noise,
        data_dir: Path,
    ) -> None:
        self._ledger, self._catalog, self._noise = ledger, catalog, noise
        self._engine, self._dummy_engine = engine, dummy_engine
        self._underway = data_dir / "underway"

    def open_to(self, caller: Caller, id: str) -> DatasetVersion:
        """A dataset that the caller has an account for, in every lineage if it is a view. Raises NotOpen."""
        try:
            dataset = self._catalog.current(id)
        # One refusal for "not there" and "not yours": ids of datasets must not be found by trying.
        except NoSuchDataset:
            raise NotOpen from None
        accounts = self._ledger.accounts(
            lineages=dataset.lineages, user=caller.name, organisation=caller.organisation
        )
        # A view is charged in every lineage that it joins, so an account is needed in each of them.
        if sum(state.kind == "user" for state in accounts) < len(dataset.lineages):
            raise NotOpen
        return dataset

    def quote(self, caller: Caller, id: str, query: Query) -> dict[str, Any]:
        """What a question would cost and how exact it would be. Opens no data, charges nothing."""
        dataset = self.open_to(caller, id)
        planned = plan(query, dataset.schema)
        states = self._ledger.accounts(
            lineages=dataset.lineages, user=caller.name, organisation=caller.organisation
        )
        return {
            "dataset": {"id": dataset.id, "version": dataset.version},
            "mode": "quote",
            "fingerprint": planned.fingerprint,
            "charge": _charge(planned, planned.price, delta.atto_of(planned.delta)),
            "fits": all(_affords(state, planned) for state in states),
            "accounts": account_lines(dataset, states),
            "cells": planned.cells,
            "expected": expectation(planned),
            **strategy_comparison(planned),
            **narrower_bound(planned),
        }

    def rehearse(self, caller: Caller, id: str, query: Query) -> dict[str, Any]:
        """The answer to a question from generated data, noise and all. Opens no data, charges nothing."""
        dataset = self.open_to(caller, id)
        planned = plan(query, dataset.schema)
        # Generated codes stand for no values; numbered ones take their place.
        released = release(planned, self._dummy_engine.exact(planned), self._noise)
        made = table(
            planned, released, [f"value {code + 1}" for code in released_codes(planned, released).tolist()]
        )
        return {
            "dataset": {"id": dataset.id, "version": dataset.version},
            "mode": "dummy",
            "fingerprint": planned.fingerprint,
            "charge": _charge(planned, NOTHING, 0),
            **made.as_json(),
        }

    def replay(self, *, user: str, key: str, digest: str) -> StoredAnswer:
        """What was answered under the same key. Raises NoAnswer, Conflict or AnswerFailed."""
        return _same(self._ledger.earlier(user=user, key=key), digest)

    def replay_whole(self, *, user: str, key: str, digest: str) -> tuple[StoredAnswer, bytes]:
        """What was answered under the same key, with its table. Raises NoAnswer, Conflict or AnswerFailed."""
        stored, table = self._ledger.earlier_whole(user=user, key=key)
        return _same(stored, digest), table

    def answer(self, request: QueryRequest) -> StoredAnswer:
        """Answer a question that has no replay: charged, kept, committed. See the module's order.

        Raises NotOpen, Retired, InvalidQuery or one derived from it, BudgetExhausted, InProgress, EngineUnavailable
        or AnswerFailed.
        """
        dataset = self.open_to(request.caller, request.dataset)
        if dataset.retired:
            raise Retired
        planned = plan(request.query, dataset.schema)
        with self._alone(request):
            # Asked again under the lock: the answer may have been committed since the endpoint looked.
            try:
                return self.replay(user=request.caller.name, key=request.key, digest=request.digest)
            except NoAnswer:
                pass
            earlier = self._earlier_answer(request, dataset, planned)
            if earlier is not None:
                return self._answer_again(request, dataset, planned, earlier)
            return self._measure(request, dataset, planned)

    def table_of(self, stored: StoredAnswer) -> bytes:
        """The table of a stored answer, as JSON."""
        return self._ledger.load(id=stored.id)

    def _earlier_answer(
        self, request: QueryRequest, dataset: DatasetVersion, planned: Plan
    ) -> StoredAnswer | None:
        """An answer to the same canonical question at the same or better accuracy, the caller's own first.

        Datasets of one lineage have versions of equal number, so the dataset must be the same too.
        """
        # Fresh noise is bought by whoever wants to average it against an earlier answer, at full price.
        if request.query.reuse == "never":
            return None
        found = self._ledger.same_question(
            lineage=dataset.lineage, version=dataset.version, fingerprint=planned.fingerprint
        )
        good = [
            stored
            for stored in found
            if stored.dataset == dataset.id
            and stored.prices.keys() == planned.prices.keys()
            # Every statistic must have been bought at least as accurately; a better one somewhere makes up
            # for nothing.
            and all(stored.prices[key] >= nano for key, nano in planned.prices.items())
        ]
        # An own answer is free, another user's costs the caller: the free one first.
        own = [stored for stored in good if stored.user == request.caller.name]
        return next(iter([*own, *good]), None)

    def _answer_again(
        self, request: QueryRequest, dataset: DatasetVersion, planned: Plan, earlier: StoredAnswer
    ) -> StoredAnswer:
        """Give an answer again: free for who paid for it, at the price of a new one for others' own accounts.

        The dataset is charged nothing: no new information leaves.
        """
        charge = NOTHING if earlier.user == request.caller.name else planned.price
        self._must_fit(request, dataset, charge=charge, dataset_charge=NOTHING, delta_atto=0)
        released = renamed_table(AnswerTable.from_json(json.loads(self.table_of(earlier))), planned)
        return self._settle(request, dataset, planned, released, charge=charge, dataset_charge=NOTHING)

    def _measure(self, request: QueryRequest, dataset: DatasetVersion, planned: Plan) -> StoredAnswer:
        """Open the data, add noise, settle. Once the data is open, failing costs as much as succeeding.

        Raises EngineUnavailable, free of charge, if it cannot be opened.
        """
        price, delta_atto = planned.price, delta.atto_of(planned.delta)
        self._must_fit(request, dataset, charge=price, dataset_charge=price, delta_atto=delta_atto)
        self._open(dataset)
        run = new_id("run")
        try:
            exact = self._engine.exact(planned, dataset.place, run)
            made = self._table(planned, dataset, release(planned, exact, self._noise), run)
        except Exception as failure:  # noqa: BLE001 - the last resort: whatever failed, the data was open
            # Only the class: the message of an engine or of NumPy may quote values of the data.
            log.error("answer_failed", kind=type(failure).__name__, dataset=dataset.id)
            made = None
        return self._settle(
            request, dataset, planned, made, charge=price, dataset_charge=price, delta_atto=delta_atto
        )

    def _open(self, dataset: DatasetVersion) -> None:
        try:
            self._engine.ready(dataset.place)
        except EngineUnavailable as failure:
            # The caller is told neither; whoever runs the server looks for a file or an engine by these.
            cause = type(failure.__cause__ or failure).__name__
            log.error("engine_unavailable", kind=cause, engine=dataset.place.engine, dataset=dataset.id)
            raise

    def _table(self, planned: Plan, dataset: DatasetVersion, released: Released, run: str) -> AnswerTable:
        """The table; values of released codes, where there are any, are looked up after the release only."""
        codes = released_codes(planned, released)
        # Looking values up touches the data exactly, which is harmless only for codes that noise has
        # released.
        values = self._engine.values(planned, dataset.place, codes, run) if len(codes) else []
        return table(planned, released, values)

    def _must_fit(
        self,
        request: QueryRequest,
        dataset: DatasetVersion,
        *,
        charge: Price,
        dataset_charge: Price,
        delta_atto: int,
    ) -> None:
        try:
            self._ledger.fits(
                lineages=dataset.lineages,
                user=request.caller.name,
                organisation=request.caller.organisation,
                charge=charge,
                dataset_charge=dataset_charge,
                delta_atto=delta_atto,
            )
        # The account was there when the question was let in; a caller who lost it since learns no more than
        # others.
        except NoAccount:
            raise NotOpen from None

    def _settle(
        self,
        request: QueryRequest,
        dataset: DatasetVersion,
        planned: Plan,
        released: AnswerTable | None,
        *,
        charge: Price,
        dataset_charge: Price,
        delta_atto: int = 0,
    ) -> StoredAnswer:
        settlement = Settlement(
            id=new_id("q"),
            user=request.caller.name,
            organisation=request.caller.organisation,
            dataset=dataset.id,
            lineages=dataset.lineages,
            version=dataset.version,
            idempotency_key=request.key,
            request_digest=request.digest,
            fingerprint=planned.fingerprint,
            prices=planned.prices,
            outcome="failed" if released is None else "answered",
            charge=charge,
            dataset_charge=dataset_charge,
            delta_atto=delta_atto,
            question=request.text,
            table=b"{}" if released is None else _json(released.as_json()),
        )
        try:
            stored = self._ledger.settle(settlement, _sealer(settlement, dataset, planned))
        except AlreadyAnswered as raced:
            stored = raced.stored
        return _same(stored, request.digest)

    @contextmanager
    def _alone(self, request: QueryRequest) -> Iterator[None]:
        """Hold the idempotency key on this machine; the lock dies with the process. Raises InProgress.

        Two machines may still both answer: the ledger keeps the first and both tell that one.
        """
        self._underway.mkdir(parents=True, exist_ok=True)
        # A digest, since keys of callers may hold characters that no file name may.
        name = hashlib.sha256(f"{request.caller.name}\n{request.key}".encode()).hexdigest()
        file = self._underway / name
        try:
            with alone(file):
                try:
                    yield
                finally:
                    # Before the lock goes: whoever unlinked later could remove the file that the next one holds.
                    file.unlink(missing_ok=True)
        except LockTaken:
            raise InProgress from None


def joined(stored: StoredAnswer, table: bytes) -> bytes:
    """The JSON answer of a stored answer and its table, the same bytes each time."""
    # Two JSON objects joined as text: the table is kept once for many answers, and bytes never change by
    # parsing.
    return stored.envelope[:-1] + b", " + table[1:]


def _same(stored: StoredAnswer, digest: str) -> StoredAnswer:
    """A stored answer, if it answered this very request and did not fail."""
    if stored.request_digest != digest:
        raise Conflict
    if stored.outcome == "failed":
        raise AnswerFailed
    return stored


def _sealer(
    settlement: Settlement, dataset: DatasetVersion, planned: Plan
) -> Callable[[list[AccountState]], bytes]:
    """Makes the envelope of an answer once the balances after the debit are known."""
    asked_at = now()

    def seal(states: list[AccountState]) -> bytes:
        charged = {"dataset": settlement.dataset_charge}
        accounts = [
            {"account": line["account"], "charged": str(charged.get(state.kind, settlement.charge)), **line}
            for state, line in zip(states, account_lines(dataset, states), strict=True)
        ]
        envelope = {
            "id": settlement.id,
            "dataset": {"id": dataset.id, "version": dataset.version},
            "mode": "run",
            "reused": settlement.dataset_charge == NOTHING,
            "fingerprint": settlement.fingerprint,
            "asked_at": asked_at,
            "charge": {**_charge(planned, settlement.charge, settlement.delta_atto), "accounts": accounts},
        }
        return _json(envelope)

    return seal


def _affords(state: AccountState, planned: Plan) -> bool:
    """Whether an account could pay for a plan now; δ is the dataset's alone to pay."""
    paid_in_delta = state.kind != "dataset" or planned.delta <= state.delta_remaining
    return planned.price <= state.remaining and paid_in_delta


def _charge(planned: Plan, amount: Price, delta_atto: int) -> dict[str, Any]:
    """The price of a plan and its split; all zero where nothing is charged. Telling again costs no δ."""
    free = amount == NOTHING
    split = {part.name: "0" if free else str(part.price) for part in planned.measurements}
    charge: dict[str, Any] = {"measure": "epsilon", "amount": str(amount), "split": split}
    if planned.schema.measure == "zcdp":
        assert planned.schema.delta is not None
        epsilon = epsilon_of(amount, planned.schema.delta)
        charge |= {
            "measure": "rho",
            "as": {"epsilon": plain_text(epsilon), "delta": plain_text(planned.schema.delta)},
        }
    if planned.delta:
        charge["delta"] = delta.shown(delta_atto)
    return charge


def account_lines(dataset: DatasetVersion, states: list[AccountState]) -> list[dict[str, str]]:
    """The accounts as callers see them: a dataset by its id, and for a view which lineage each belongs to."""
    lines = []
    for state in states:
        several = {"lineage": state.lineage} if len(dataset.lineages) > 1 else {}
        holder = dataset.id if state.kind == "dataset" and not several else state.holder
        lines.append({"account": f"{state.kind}:{holder}", **several, "remaining": str(state.remaining)})
    return lines


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
