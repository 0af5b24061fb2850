"""One question's way: replay, price, exact part, noise, settlement; undeclared values are looked up last.

The order is that of the privacy rules and no other: nothing data-dependent is decided before the data is
opened, no answer is released before it and its charge are committed together, and a failure after the data was
opened is charged like an answer.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from datasets.catalog import Catalog, DatasetVersion, NoSuchDataset
from datasets.database.ids import new_id
from datasets.database.locks import LockTaken, alone
from datasets.database.stops import Stopped
from datasets.engines.base import Engine
from datasets.engines.errors import EngineUnavailable
from datasets.ledger.accounts import AccountKey, AccountState
from datasets.ledger.answers import RepeatedQuestion, StoredAnswer
from datasets.ledger.errors import (
    BudgetExhausted,
    DeltaExhausted,
    NoAccount,
    NoAnswer,
    PopulationJoined,
    account_label,
)
from datasets.ledger.service import Ledger
from datasets.ledger.settlement import AlreadyAnswered, Payer, Settlement, must_fit, usual_payers
from datasets.people.service import Caller
from datasets.queries.advice import advice
from datasets.queries.answer import PRESENTATION, Answer, SettledAnswer, settled_answer
from datasets.queries.errors import AnswerFailed, Conflict, InProgress, NotOpen, PlanningBusy, Retired
from datasets.queries.planner import Admit, Planner, uncounted
from privacy import delta
from privacy.answer import AnswerTable, Released, release, released_codes, renamed_table, table
from privacy.budget import Price, epsilon_of, plain_text
from privacy.noise import Noise
from privacy.plan import Plan
from privacy.presentation import presentation_of
from privacy.query import Query
from privacy.sentences import sentence
from privacy.words import Words

NOTHING = Price(0)
EQUAL_QUESTION_WAIT_S = 30.0
log = structlog.get_logger("sudare")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequest:
    """A question as it arrived. `digest` tells it from others; `text` is the canonical JSON of the body.

    `question` is the canonical JSON of the query, which is kept and told; `told` is the sentence that says it, once
    the query is known to fit the dataset. `admit` counts the work of planning it against the caller's rate.
    """

    caller: Caller
    dataset: str
    query: Query
    key: str
    text: str
    question: str
    admit: Admit = uncounted
    told: Words | None = None

    @property
    def digest(self) -> str:
        return digest_of(self.dataset, self.text)


def digest_of(dataset: str, text: str) -> str:
    """What tells a request from others: the dataset asked and the canonical JSON of the body."""
    return hashlib.sha256(f"{dataset}\n{text}".encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDataset:
    """A dataset and what a caller's answers from it are charged to, as it stood when the question was let in."""

    dataset: DatasetVersion
    caller: Caller
    states: tuple[AccountState, ...]

    @property
    def is_outdated(self) -> bool:
        """Whether a register joined a population between the readings of the dataset and of its accounts."""
        paying = {state.lineage for state in self.states}
        return any(state.population not in (None, *paying) for state in self.states)

    def payers(self, *, charge: Price, dataset_charge: Price, delta_atto: int = 0) -> tuple[Payer, ...]:
        """Who pays for an answer, if all of them could when they were read.

        Raises BudgetExhausted, DeltaExhausted, or NotOpen where an account is gone.
        """
        payers = _payers(
            self.dataset, self.caller, charge=charge, dataset_charge=dataset_charge, delta_atto=delta_atto
        )
        try:
            must_fit(self.states, payers)
        # A caller who lost an account learns no more than others.
        except NoAccount:
            raise NotOpen from None
        return payers

    def affords(self, planned: Plan) -> bool:
        """Whether every account could pay for a plan."""
        try:
            self.payers(
                charge=planned.price,
                dataset_charge=planned.price,
                delta_atto=delta.atto_of(planned.delta),
            )
        except (BudgetExhausted, DeltaExhausted):
            return False
        return True

    def account_lines(self) -> list[dict[str, str]]:
        """The accounts that limit the caller, with what each has left."""
        return [
            {"account": name, **several, "remaining": str(state.remaining)}
            for state, (name, several) in zip(self.states, _names(self.dataset, self.states), strict=True)
            if state.is_limited
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What is to be settled and then told: the table, None where it failed.

    `prices` is what each canonical statistic cost when it was measured, `split` what each is charged now, by its name.
    """

    id: str
    table: AnswerTable | None
    prices: Mapping[str, int]
    split: Mapping[str, Price]


class QueryService:
    """Answers questions about the registered datasets."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        catalog: Catalog,
        engine: Engine,
        planner: Planner,
        noise: Noise,
        data_dir: Path,
    ) -> None:
        self._ledger, self._catalog, self._noise = ledger, catalog, noise
        self._engine, self._planner = engine, planner
        self._underway = data_dir / "underway"

    def open_to(self, caller: Caller, id: str) -> OpenDataset:
        """A dataset that the caller has an account for, in every lineage if it is a view. Raises NotOpen."""
        try:
            dataset = self._catalog.current(id)
        # One refusal for "not there" and "not yours": ids of datasets must not be found by trying.
        except NoSuchDataset:
            raise NotOpen from None
        found = self.seen_by(caller, dataset)
        if found.is_outdated:
            found = self.seen_by(caller, self._catalog.current(id))
        # A view is charged in every lineage that it joins, so an account is needed in each of them.
        if sum(state.kind == "user" for state in found.states) < len(dataset.lineages):
            raise NotOpen
        return found

    def asked_by(self, caller: Caller, id: str) -> OpenDataset:
        """A dataset that the caller may ask now. Raises NotOpen or Stopped."""
        opened = self.open_to(caller, id)
        # After the accounts: that a dataset is stopped is told to those alone who may know that it is there.
        if opened.dataset.stopped:
            raise Stopped("dataset")
        return opened

    def seen_by(self, caller: Caller, dataset: DatasetVersion) -> OpenDataset:
        """A dataset with those of its accounts that the caller's answers are charged to, which may be none."""
        payers = _payers(dataset, caller, charge=NOTHING, dataset_charge=NOTHING)
        states = self._ledger.states([payer.key for payer in payers])
        return OpenDataset(dataset=dataset, caller=caller, states=tuple(states))

    def quote(self, caller: Caller, id: str, query: Query, admit: Admit = uncounted) -> dict[str, Any]:
        """What a question would cost and how exact it would be. Opens no data, charges nothing."""
        opened = self.asked_by(caller, id)
        dataset, quoted = opened.dataset, self._planner.quote(query, opened.dataset.schema, admit)
        planned = quoted.plan
        return {
            "dataset": _dataset(dataset),
            "mode": "quote",
            "fingerprint": planned.fingerprint,
            "question_text": sentence(query, dataset.schema).as_json(),
            "charge": _charge(planned, planned.price, _split(planned), delta.atto_of(planned.delta)),
            "fits": opened.affords(planned),
            "accounts": opened.account_lines(),
            "cells": planned.cells,
            **quoted.members,
        }

    def rehearse(
        self, caller: Caller, id: str, query: Query, question: str, admit: Admit = uncounted
    ) -> Answer:
        """The answer to a question from generated data, noise and all. Opens no data, charges nothing."""
        dataset = self.asked_by(caller, id).dataset
        rehearsed = self._planner.rehearse(query, dataset.schema, admit)
        planned = rehearsed.plan
        envelope = {
            "dataset": _dataset(dataset),
            "mode": "dummy",
            "fingerprint": planned.fingerprint,
            "question_text": sentence(query, dataset.schema).as_json(),
            "charge": _charge(planned, NOTHING, _no_split(planned), 0),
        }
        return Answer(
            envelope=_json(envelope),
            question=question,
            made=rehearsed.table,
            presentation=presentation_of(planned.query, planned.layout),
        )

    def replay(self, *, user: str, key: str, digest: str) -> SettledAnswer:
        """What was answered under the same key. Raises NoAnswer, Stopped, Conflict or AnswerFailed."""
        stored, kept = self._ledger.earlier_whole(user=user, key=key)
        return settled_answer(_same(stored, digest), kept)

    def again(self, *, user: str, id: str) -> SettledAnswer:
        """One of the user's own answers as it was given. Raises NoAnswer, Stopped or AnswerFailed."""
        stored, kept = self._ledger.answer_whole(id=id, user=user)
        if stored.outcome == "failed":
            raise AnswerFailed
        return settled_answer(stored, kept)

    def answer(self, request: QueryRequest) -> SettledAnswer:
        """Answer a question of which the caller has seen that it has no replay: charged, kept, committed.

        See the module's order. Of several requests with one key that are underway at once the ledger keeps the first
        answer, and all of them get that one. Raises NotOpen, Stopped, Retired, InvalidQuery or one derived from it,
        PlanningBusy, BudgetExhausted, DeltaExhausted, Conflict, InProgress, EngineUnavailable or AnswerFailed.
        """
        try:
            # Once more if a register joined a population meanwhile, which nobody undoes: nothing was charged or told.
            with suppress(PopulationJoined):
                return self._answer(request)
            return self._answer(request)
        except (
            NotOpen,
            Retired,
            PlanningBusy,
            BudgetExhausted,
            DeltaExhausted,
            InProgress,
            EngineUnavailable,
        ):
            # Perhaps because this very question was answered, and paid for, since the caller looked for a replay.
            with suppress(NoAnswer):
                return self.replay(user=request.caller.name, key=request.key, digest=request.digest)
            raise

    def _answer(self, request: QueryRequest) -> SettledAnswer:
        opened = self.asked_by(request.caller, request.dataset)
        if opened.dataset.retired:
            raise Retired
        planned = self._planner.plan(request.query, opened.dataset.schema, request.admit)
        # Before any data is opened: a fault in wording must cost nothing.
        request = replace(request, told=sentence(request.query, opened.dataset.schema))
        with self._alone(request.caller.name, request.key), self._once(request, opened.dataset, planned):
            earlier = self._earlier_answer(request, opened.dataset, planned)
            if earlier is not None:
                # Whoever cannot pay what it is worth is not told it, nor how much that was.
                with suppress(BudgetExhausted):
                    return self._answer_again(request, opened, planned, earlier)
            try:
                return self._measure(request, opened, planned)
            except (BudgetExhausted, DeltaExhausted) as refusal:
                refusal.advice = advice(opened.dataset.schema, refusal)
                raise

    def _earlier_answer(
        self, request: QueryRequest, dataset: DatasetVersion, planned: Plan
    ) -> StoredAnswer | None:
        """An answer to the same canonical question at the same or better accuracy.

        Of the caller's own, which are free, the most accurate; else the cheapest of those that others had measured, all
        of them or, where the owner confines reuse, those of the caller's organisation.
        """
        # Fresh noise is bought by whoever wants to average it against an earlier answer, at full price.
        if request.query.reuse == "never":
            return None
        prices, confined = planned.prices, dataset.reuse == "organisation"
        question = RepeatedQuestion(
            dataset=dataset.id,
            lineage=dataset.lineage,
            version=dataset.version,
            fingerprint=planned.fingerprint,
            user=request.caller.name,
            least=planned.worth(prices),
            organisation=request.caller.organisation if confined else None,
        )
        for stored in self._ledger.same_question(question):
            # Every statistic must have been bought at least as accurately; a better one somewhere makes up for nothing.
            same = stored.prices.keys() == prices.keys()
            if same and all(stored.prices[key] >= nano for key, nano in prices.items()):
                return stored
        return None

    def _answer_again(
        self, request: QueryRequest, opened: OpenDataset, planned: Plan, earlier: StoredAnswer
    ) -> SettledAnswer:
        """Give an answer again: free for who paid for it; others' own accounts pay what it is worth.

        Not what is asked for: at a price of 10^-6 an answer of any ε would be had. The dataset and its populations are
        charged nothing: no new information leaves. Raises BudgetExhausted.
        """
        is_own = earlier.user == request.caller.name
        payers = opened.payers(
            charge=NOTHING if is_own else planned.worth(earlier.prices), dataset_charge=NOTHING
        )
        # The whole of it: what the earlier question showed of its table is no part of what was released.
        released = renamed_table(settled_answer(earlier, self._ledger.load(id=earlier.id)).released, planned)
        outcome = _Outcome(
            id=new_id("q"),
            table=released,
            prices=earlier.prices,
            split=_no_split(planned) if is_own else _split_again(planned, earlier.prices),
        )
        return self._settle(request, opened, planned, outcome, payers)

    def _measure(self, request: QueryRequest, opened: OpenDataset, planned: Plan) -> SettledAnswer:
        """Open the data, add noise, settle. Once the data is open, failing costs as much as succeeding.

        Raises EngineUnavailable, free of charge, if it cannot be opened.
        """
        price, delta_atto = planned.price, delta.atto_of(planned.delta)
        payers = opened.payers(charge=price, dataset_charge=price, delta_atto=delta_atto)
        dataset = opened.dataset
        self._open(dataset)
        # The answer's name is the run's, too: who cancels the one knows the other.
        id = new_id("q")
        try:
            exact = self._engine.exact(planned, dataset.place, id)
            made = self._table(planned, dataset, release(planned, exact, self._noise), id)
        except Exception as failure:  # noqa: BLE001 - the last resort: whatever failed, the data was open
            # Only the class: the message of an engine or of NumPy may quote values of the data.
            log.error("answer_failed", kind=type(failure).__name__, dataset=dataset.id)
            made = None
        outcome = _Outcome(id=id, table=made, prices=planned.prices, split=_split(planned))
        return self._settle(request, opened, planned, outcome, payers)

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

    def _settle(
        self,
        request: QueryRequest,
        opened: OpenDataset,
        planned: Plan,
        outcome: _Outcome,
        payers: Sequence[Payer],
    ) -> SettledAnswer:
        dataset, released = opened.dataset, outcome.table
        charges = {payer.kind: payer.charge for payer in payers}
        settlement = Settlement(
            id=outcome.id,
            user=request.caller.name,
            organisation=request.caller.organisation,
            dataset=dataset.id,
            lineage=dataset.lineage,
            version=dataset.version,
            idempotency_key=request.key,
            request_digest=request.digest,
            fingerprint=planned.fingerprint,
            prices=outcome.prices,
            outcome="failed" if released is None else "answered",
            charge=charges["user"],
            dataset_charge=charges["dataset"],
            payers=tuple(payers),
            question=request.question,
            envelope=_envelope(dataset, planned, outcome, payers, request.told),
            table=b"{}" if released is None else released.as_json(),
        )
        try:
            stored = self._ledger.settle(settlement)
        except AlreadyAnswered as raced:
            # The table in hand was never told and must not be: the winner's is the answer.
            stored = _same(raced.stored, request.digest)
            return settled_answer(stored, self._ledger.load(id=stored.id))
        if released is None:
            raise AnswerFailed
        return settled_answer(stored, settlement.table, made=released)

    @contextmanager
    def _alone(self, *names: str, wait_s: float = 0.0) -> Iterator[None]:
        """Hold what is named on this machine; the lock dies with the process. Raises InProgress.

        Two machines may still both answer a request: the ledger keeps the first and both tell that one.
        """
        self._underway.mkdir(parents=True, exist_ok=True)
        # A digest, since keys of callers may hold characters that no file name may.
        file = self._underway / hashlib.sha256("\n".join(names).encode()).hexdigest()
        try:
            with alone(file, wait_s=wait_s, remove=True):
                yield
        except LockTaken:
            raise InProgress from None

    def _once(
        self, request: QueryRequest, dataset: DatasetVersion, planned: Plan
    ) -> AbstractContextManager[None]:
        """Let a caller's equal questions follow each other: asked at once under several keys, all would be paid for."""
        if request.query.reuse == "never":
            return nullcontext()
        name, version = request.caller.name, str(dataset.version)
        return self._alone(name, "", dataset.id, version, planned.fingerprint, wait_s=EQUAL_QUESTION_WAIT_S)


def _same(stored: StoredAnswer, digest: str) -> StoredAnswer:
    """A stored answer, if it answered this very request and did not fail."""
    if stored.request_digest != digest:
        raise Conflict
    if stored.outcome == "failed":
        raise AnswerFailed
    return stored


def _payers(
    dataset: DatasetVersion, caller: Caller, *, charge: Price, dataset_charge: Price, delta_atto: int = 0
) -> tuple[Payer, ...]:
    """Who pays for this caller's answers."""
    return usual_payers(
        lineages=dataset.lineages,
        user=caller.name,
        organisation=caller.organisation,
        charge=charge,
        dataset_charge=dataset_charge,
        delta_atto=delta_atto,
        populations=dataset.populations,
    )


def _dataset(dataset: DatasetVersion) -> dict[str, Any]:
    """A dataset as answers tell it: which and whose, and what its owner says to whoever was not there."""
    schema = dataset.schema
    words = {"title": schema.title, "body": schema.body, **schema.about.members}
    return {
        "id": dataset.id,
        "version": dataset.version,
        **{name: said for name, said in words.items() if said},
    }


def _envelope(
    dataset: DatasetVersion,
    planned: Plan,
    outcome: _Outcome,
    payers: Sequence[Payer],
    told: Words | None,
) -> bytes:
    """What an answer says besides its table, but for what is put in when it is read.

    That is the question, which is kept by itself, when it was asked, and what is left then (`envelope_of`).
    """
    assert told is not None, "a question is put into words before data is opened"
    of_kind = {payer.kind: payer for payer in payers}
    charge, dataset_charge = of_kind["user"].charge, of_kind["dataset"].charge
    # Kept beside the whole released table, and not done to it: the same question may be told again without it.
    asked = presentation_of(planned.query, planned.layout)
    accounts = [
        {"account": name, "charged": str(payer.charge), **several}
        for payer, (name, several) in zip(payers, _names(dataset, payers), strict=True)
    ]
    return _json(
        {
            "id": outcome.id,
            "dataset": _dataset(dataset),
            "mode": "run",
            "reused": dataset_charge == NOTHING,
            "fingerprint": planned.fingerprint,
            "question_text": told.as_json(),
            "charge": {
                **_charge(planned, charge, outcome.split, of_kind["dataset"].delta_atto),
                "accounts": accounts,
            },
            **({} if asked is None else {PRESENTATION: asked.as_json()}),
        }
    )


def _split(planned: Plan) -> dict[str, Price]:
    """What each statistic of a plan costs, by the name that it is asked under."""
    return {part.name: part.price for part in planned.measurements}


def _no_split(planned: Plan) -> dict[str, Price]:
    """The split of what costs nothing."""
    return dict.fromkeys(_split(planned), NOTHING)


def _split_again(planned: Plan, prices: Mapping[str, int]) -> dict[str, Price]:
    """What each statistic of an answer that is told again costs; `prices` are the told answer's.

    Of equal statistics, which are told the same numbers, the first pays for all, so that the split adds up.
    """
    unpaid = dict(prices)
    return {part.name: Price(unpaid.pop(part.key, 0)) for part in planned.measurements}


def _charge(planned: Plan, amount: Price, split: Mapping[str, Price], delta_atto: int) -> dict[str, Any]:
    """What is charged and its split, as answers tell it. Telling again costs no δ."""
    charge: dict[str, Any] = {
        "measure": "epsilon",
        "amount": str(amount),
        "split": {name: str(price) for name, price in split.items()},
    }
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


def _names(
    dataset: DatasetVersion, keys: Iterable[AccountKey | AccountState]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Accounts as callers know them: a dataset by its id, and for a view which lineage each belongs to.

    A population is all lineages', and belongs to none of them.
    """
    for key in keys:
        is_of_one = len(dataset.lineages) > 1 and key.kind != "population"
        several = {"lineage": key.lineage} if is_of_one else {}
        holder = dataset.id if key.kind == "dataset" and not several else key.holder
        yield account_label(key.kind, holder), several


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
