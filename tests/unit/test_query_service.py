"""One question's way: what is charged when, and what is told to whom. A made-up engine, a real ledger."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest
from doubles import TOWN, CountingNoise, MadeUpDummy, MadeUpEngine, RacedStore, Shelf, count, query
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from datasets.catalog import DatasetVersion
from datasets.database.errors import Unavailable
from datasets.database.store import Store, now
from datasets.engines.base import Place
from datasets.engines.errors import EngineFailed, EngineUnavailable
from datasets.ledger.accounts import Account, join_population, population_key
from datasets.ledger.answers import StoredAnswer
from datasets.ledger.errors import BudgetExhausted, NoAnswer
from datasets.ledger.service import Ledger
from datasets.ledger.settlement import Settlement
from datasets.people.service import Caller, People
from datasets.queries.answer import SettledAnswer
from datasets.queries.errors import AnswerFailed, Conflict, InProgress, NotOpen, Retired
from datasets.queries.planner import Planner
from datasets.queries.preparation import Preparation
from datasets.queries.service import OpenDataset, QueryRequest, QueryService
from privacy.budget import Price
from privacy.query import InvalidQuery, Query, Statistic

AOI = Caller(name="aoi", organisation="shop", role="analyst")
REN = Caller(name="ren", organisation="shop", role="analyst")
EVE = Caller(name="eve", organisation="shop", role="analyst")
HELD = DatasetVersion(
    id="town",
    lineages=("town",),
    populations=(),
    version=1,
    reuse="everyone",
    schema=TOWN,
    place=Place("made up", Path("town-1")),
    registered_at="",
    retired=False,
)
TWIN = replace(HELD, id="twin", place=Place("made up", Path("twin-1")))


class LostAtTheEnd(Ledger):
    """A ledger that loses its database when an answer is to be settled."""

    def settle(self, settlement: Settlement) -> StoredAnswer:
        raise Unavailable


@pytest.fixture
def store(sqlite_url: str) -> Iterator[RacedStore]:
    store = RacedStore(sqlite_url)
    people = People(store, b"a secret for tests only")
    people.add_organisation("shop", by="tester")
    for name in ("aoi", "ren", "eve"):
        people.add_user(name, organisation="shop", role="analyst", by="tester")
    ledger = Ledger(store)
    with store.writing() as tx:
        at = now()
        tx.execute(text("INSERT INTO lineages (id, salt, created_at) VALUES ('town', '00', :at)"), {"at": at})
        for id in ("town", "twin"):
            tx.execute(
                text("INSERT INTO datasets (id, lineage, version, created_at) VALUES (:id, 'town', 1, :at)"),
                {"id": id, "at": at},
            )
            tx.execute(
                text(
                    "INSERT INTO versions (dataset, number, descriptor, folder, source_digest, registered_at)"
                    " VALUES (:id, 1, '', '', '', :at)"
                ),
                {"id": id, "at": at},
            )
    ledger.open(lineage="town", cap=Price.parse("5"), actor="mayor")
    for name in ("aoi", "ren"):
        ledger.grant(
            lineage="town",
            account=Account(kind="user", holder=name),
            amount=Price.parse("3"),
            reason="a contract",
            requested_by="mayor",
        )
    yield store
    store.close()


@pytest.fixture
def engine() -> MadeUpEngine:
    return MadeUpEngine()


@pytest.fixture
def service(store: Store, engine: MadeUpEngine, tmp_path: Path) -> QueryService:
    return service_of(Ledger(store), engine, tmp_path)


def service_of(
    ledger: Ledger, engine: MadeUpEngine, folder: Path, *held: DatasetVersion, draws: int = 0
) -> QueryService:
    noise = CountingNoise(draws)
    return QueryService(
        ledger=ledger,
        catalog=Shelf(list(held or (HELD, TWIN))),  # type: ignore[arg-type]
        engine=engine,
        planner=Planner(Preparation(MadeUpDummy(), noise), work_max=10_000_000, slots=1),  # type: ignore[arg-type]
        noise=noise,
        data_dir=folder,
    )


def asked(
    key: str = "k1", *, caller: Caller = AOI, about: Query | None = None, dataset: str = "town"
) -> QueryRequest:
    question = about or query()
    return QueryRequest(
        caller=caller, dataset=dataset, query=question, key=key, text=repr(question), question="{}"
    )


def looked_and_asked(service: QueryService, question: QueryRequest) -> SettledAnswer:
    """As the endpoint asks: what was answered under the key before, or else an answer."""
    with suppress(NoAnswer):
        return service.replay(user=question.caller.name, key=question.key, digest=question.digest)
    return service.answer(question)


def told(service: QueryService, question: QueryRequest) -> tuple[int, str]:
    """The first value of an answer and what it was charged."""
    answer = json.loads(service.answer(question).body)
    return answer["rows"][0][answer["columns"][0]["name"]], answer["charge"]["amount"]


def spent(store: Store) -> dict[str, str]:
    """What those have spent that have a limit, which their shop has not."""
    states = Ledger(store).all_accounts()
    return {state.holder: str(state.spent) for state in states if state.spent.nano and state.is_limited}


NEVER = query(reuse="never")


def test_an_answer_is_charged_to_the_user_and_the_dataset(service: QueryService, store: Store) -> None:
    assert told(service, asked()) == (101, "1")
    assert spent(store) == {"aoi": "1", "town": "1"}


def test_the_same_key_is_told_the_same_bytes_and_opens_no_data(
    service: QueryService, engine: MadeUpEngine, store: Store
) -> None:
    first, second = (looked_and_asked(service, asked(about=NEVER)) for _ in range(2))
    assert (second.stored, second.body) == (first.stored, first.body)
    assert second.table == first.table
    assert len(engine.opened) == 1
    assert spent(store) == {"aoi": "1", "town": "1"}


@pytest.mark.parametrize("reuse", ["prefer", "never"])
def test_a_retry_that_looked_before_its_first_answer_was_kept_gets_that_answer(
    service: QueryService, store: Store, reuse: Literal["prefer", "never"]
) -> None:
    first = service.answer(asked(about=query(reuse=reuse)))
    second = service.answer(asked(about=query(reuse=reuse)))
    assert (second.stored, second.body) == (first.stored, first.body)
    assert spent(store) == {"aoi": "1", "town": "1"}


def test_the_same_key_for_another_question_is_a_conflict(service: QueryService) -> None:
    service.answer(asked())
    with pytest.raises(Conflict):
        service.answer(asked(about=query(count("m"))))


def test_the_same_question_again_is_free_and_tells_the_same(
    service: QueryService, engine: MadeUpEngine, store: Store
) -> None:
    service.answer(asked())
    assert told(service, asked("k2", about=query(count("m"), budget=Price.parse("0.5")))) == (101, "0")
    assert len(engine.opened) == 1
    assert spent(store) == {"aoi": "1", "town": "1"}


def test_the_same_question_at_a_better_accuracy_is_measured_anew(service: QueryService, store: Store) -> None:
    service.answer(asked(about=query(budget=Price.parse("0.5"))))
    assert told(service, asked("k2")) == (102, "1")
    assert spent(store) == {"aoi": "1.5", "town": "1.5"}


def test_who_wants_no_reuse_pays_for_fresh_noise(service: QueryService, store: Store) -> None:
    service.answer(asked())
    assert told(service, asked("k2", about=NEVER)) == (102, "1")
    assert spent(store) == {"aoi": "2", "town": "2"}


def test_another_user_pays_as_much_and_the_dataset_nothing(
    service: QueryService, engine: MadeUpEngine, store: Store
) -> None:
    service.answer(asked())
    assert told(service, asked("k1", caller=REN)) == (101, "1")
    assert len(engine.opened) == 1
    assert spent(store) == {"aoi": "1", "ren": "1", "town": "1"}


def test_an_answer_about_another_dataset_of_the_lineage_is_not_told_again(
    service: QueryService, engine: MadeUpEngine
) -> None:
    service.answer(asked())
    assert told(service, asked("k2", dataset="twin")) == (102, "1")
    assert engine.opened == [HELD.place, TWIN.place]


# Refusals read nothing


@pytest.mark.parametrize(
    ("question", "refusal"),
    [
        (asked(about=query(Statistic(name="m", agg="median"))), InvalidQuery),
        (asked(dataset="city"), NotOpen),
        (asked(caller=EVE), NotOpen),
        (asked(about=query(budget=Price.parse("3.000000001"))), BudgetExhausted),
    ],
    ids=["invalid", "no such dataset", "no account", "no budget"],
)
def test_a_refusal_opens_no_data_and_costs_nothing(
    service: QueryService,
    engine: MadeUpEngine,
    store: Store,
    question: QueryRequest,
    refusal: type[Exception],
) -> None:
    with pytest.raises(refusal):
        service.answer(question)
    assert engine.opened == []
    assert spent(store) == {}


def test_a_retired_dataset_answers_nothing_new(store: Store, engine: MadeUpEngine, tmp_path: Path) -> None:
    with pytest.raises(Retired):
        service_of(Ledger(store), engine, tmp_path, replace(HELD, retired=True)).answer(asked())
    assert engine.opened == []


def test_a_question_that_cannot_be_put_into_words_opens_no_data_and_costs_nothing(
    service: QueryService, engine: MadeUpEngine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def speechless(*_: object) -> None:
        raise LookupError

    monkeypatch.setattr("datasets.queries.service.sentence", speechless)
    with pytest.raises(LookupError):
        service.answer(asked())
    assert engine.opened == []
    assert spent(store) == {}


def test_quotes_and_rehearsals_open_no_data_and_cost_nothing(
    service: QueryService, engine: MadeUpEngine, store: Store
) -> None:
    assert service.quote(AOI, "town", query())["charge"]["amount"] == "1"
    assert service.rehearse(AOI, "town", query(mode="dummy"), "{}").members["charge"]["amount"] == "0"
    assert engine.opened == []
    assert spent(store) == {}


# Populations


@dataclass
class JoiningShelf(Shelf):
    """A catalog whose town is found in its population once it has joined it."""

    store: Store | None = None

    def current(self, id: str) -> DatasetVersion:
        assert self.store is not None
        with self.store.reading() as connection:
            joined = connection.execute(text("SELECT population FROM lineages WHERE id = 'town'")).scalar()
        return replace(super().current(id), populations=(joined,) if joined else ())


def join(store: Store) -> None:
    with store.writing() as tx:
        join_population(tx, lineage="town", name="city", actor="mayor")


def of_city(store: Store) -> str:
    (state,) = Ledger(store).states([population_key("city")])
    return str(state.spent)


@pytest.fixture
def joining(store: Store, engine: MadeUpEngine, tmp_path: Path) -> QueryService:
    service = service_of(Ledger(store), engine, tmp_path)
    service._catalog = JoiningShelf([HELD], store)  # type: ignore[assignment]
    return service


def test_a_register_that_joins_while_a_question_is_answered_is_asked_anew(
    joining: QueryService, store: RacedStore, engine: MadeUpEngine
) -> None:
    store.rival = lambda: join(store)
    # The first draw is told to nobody: its population would not have paid.
    assert told(joining, asked()) == (102, "1")
    assert len(engine.opened) == 2
    assert (spent(store), of_city(store)) == ({"aoi": "1", "town": "1"}, "1")
    assert Ledger(store).verify() == []


def test_a_register_that_joins_between_two_readings_is_read_again(
    joining: QueryService, store: RacedStore, engine: MadeUpEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_by = QueryService.seen_by

    def joined_before(self: QueryService, caller: Caller, dataset: DatasetVersion) -> OpenDataset:
        join(store)
        return seen_by(self, caller, dataset)

    monkeypatch.setattr(QueryService, "seen_by", joined_before)
    assert joining.quote(AOI, "town", query())["fits"] is True
    assert told(joining, asked()) == (101, "1")
    assert (len(engine.opened), of_city(store)) == (1, "1")


# Failing is never free


@pytest.mark.parametrize("failure", [EngineFailed(), MemoryError(), ValueError("a cell")], ids=repr)
def test_a_failure_after_data_was_opened_is_charged_and_stays_one(
    service: QueryService, engine: MadeUpEngine, store: Store, failure: Exception
) -> None:
    engine.failure = failure
    with pytest.raises(AnswerFailed):
        service.answer(asked())
    engine.failure = None
    with pytest.raises(AnswerFailed):
        looked_and_asked(service, asked())
    assert len(engine.opened) == 1
    # Nor is a retry that looked too early told anything better.
    with pytest.raises(AnswerFailed):
        service.answer(asked())
    assert spent(store) == {"aoi": "1", "town": "1"}


def test_data_that_cannot_be_opened_costs_nothing_and_the_same_key_is_answered_later(
    service: QueryService, engine: MadeUpEngine, store: Store
) -> None:
    engine.closed = EngineUnavailable()
    with pytest.raises(EngineUnavailable):
        service.answer(asked())
    assert (engine.opened, spent(store), Ledger(store).history(user="aoi")) == ([], {}, [])
    engine.closed = None
    assert told(service, asked())[1] == "1"
    assert spent(store) == {"aoi": "1", "town": "1"}


def test_a_question_that_does_not_fit_is_refused_whether_or_not_the_data_could_be_opened(
    service: QueryService, engine: MadeUpEngine
) -> None:
    engine.closed = EngineUnavailable()
    with pytest.raises(BudgetExhausted):
        service.answer(asked(about=query(budget=Price.parse("4"))))


def test_an_answer_is_given_again_while_the_data_cannot_be_opened(
    service: QueryService, engine: MadeUpEngine
) -> None:
    first = told(service, asked("k1"))
    engine.closed = EngineUnavailable()
    assert told(service, asked("k1")) == first
    assert told(service, asked("k2")) == (first[0], "0")


def test_each_question_has_a_run_of_its_own(service: QueryService, engine: MadeUpEngine) -> None:
    for key in ("k1", "k2"):
        service.answer(asked(key, about=query(reuse="never")))
    assert len(set(engine.runs)) == 2


def test_a_failed_answer_is_not_told_to_anybody_else(service: QueryService, engine: MadeUpEngine) -> None:
    engine.failure = EngineFailed()
    with pytest.raises(AnswerFailed):
        service.answer(asked())
    engine.failure = None
    assert told(service, asked("k2", caller=REN)) == (101, "1")


def test_what_could_not_be_settled_is_not_told(store: Store, engine: MadeUpEngine, tmp_path: Path) -> None:
    service = service_of(LostAtTheEnd(store), engine, tmp_path)
    with pytest.raises(Unavailable):
        service.answer(asked())
    with pytest.raises(NoAnswer):
        Ledger(store).earlier(user="aoi", key="k1")
    assert spent(store) == {}


# Races


def test_a_charge_that_no_longer_fits_when_it_is_settled_is_refused(
    service: QueryService, store: RacedStore, engine: MadeUpEngine
) -> None:
    two = query(budget=Price.parse("2"), reuse="never")
    store.rival = lambda: service.answer(asked("k2", about=two))
    with pytest.raises(BudgetExhausted):
        service.answer(asked("k1", about=two))
    assert len(engine.opened) == 2
    assert spent(store) == {"aoi": "2", "town": "2"}


def test_who_can_no_longer_pay_for_an_earlier_answer_when_it_is_settled_gets_a_fresh_one(
    service: QueryService, store: RacedStore, engine: MadeUpEngine
) -> None:
    service.answer(asked(about=query(budget=Price.parse("2"))))
    half = query(budget=Price.parse("0.5"))
    other = query(count("m"), Statistic(name="k", agg="count_persons"), budget=Price.parse("2"))
    store.rival = lambda: service.answer(asked("k2", caller=REN, about=other))
    assert told(service, asked("k1", caller=REN, about=half))[1] == "0.5"
    assert spent(store) == {"aoi": "2", "ren": "2.5", "town": "4.5"}
    assert Ledger(store).verify() == []


def test_an_answer_that_others_were_told_too_cheaply_is_not_told_on_at_that_price(
    service: QueryService, store: RacedStore
) -> None:
    """Earlier versions kept the price asked beside a better table, and charged no more."""
    service.answer(asked(about=query(budget=Price.parse("2"))))
    service.answer(asked("k1", caller=REN, about=query(budget=Price.parse("0.5"))))
    with store.writing() as tx:
        # The prices of a table of 2, kept as if it were one of 0.000001.
        cheap = "charge = 1000, prices = replace(prices, '2000000000', '1000')"
        tx.execute(text(f"UPDATE answers SET {cheap} WHERE \"user\" = 'ren'"))
    ledger = Ledger(store)
    ledger.grant(
        lineage="town",
        account=Account(kind="user", holder="eve"),
        amount=Price.parse("3"),
        reason="a contract",
        requested_by="mayor",
    )
    assert told(service, asked("k1", caller=EVE, about=query(budget=Price(1_000))))[1] == "2"


def test_two_charges_at_once_are_both_counted(service: QueryService, store: RacedStore) -> None:
    store.rival = lambda: service.answer(asked("k2", about=NEVER))
    service.answer(asked("k1", about=NEVER))
    assert spent(store) == {"aoi": "2", "town": "2"}


def test_the_lifetime_cap_holds_between_users_that_race(service: QueryService, store: RacedStore) -> None:
    three = query(budget=Price.parse("3"), reuse="never")
    store.rival = lambda: service.answer(asked("k2", caller=REN, about=three))
    with pytest.raises(BudgetExhausted) as refused:
        service.answer(asked("k1", about=three))
    assert refused.value.kind == "dataset"
    assert spent(store) == {"ren": "3", "town": "3"}


def test_a_rival_with_the_same_key_on_another_machine_wins_and_both_tell_its_answer(
    service: QueryService, store: RacedStore, engine: MadeUpEngine, tmp_path: Path
) -> None:
    elsewhere = service_of(Ledger(store), engine, tmp_path / "elsewhere", draws=50)
    store.rival = lambda: elsewhere.answer(asked(about=NEVER))
    told_here = service.answer(asked(about=NEVER))
    told_there = looked_and_asked(elsewhere, asked(about=NEVER))
    assert (told_here.stored, told_here.body) == (told_there.stored, told_there.body)
    # The noise that lost is in nothing that is given out, in whatever format.
    assert told_here.table == told_there.table
    assert spent(store) == {"aoi": "1", "town": "1"}


def test_a_retry_that_no_longer_fits_because_its_first_answer_was_paid_gets_that_answer(
    service: QueryService, engine: MadeUpEngine, store: Store
) -> None:
    three = query(budget=Price.parse("3"), reuse="never")
    first = service.answer(asked(about=three))
    assert service.answer(asked(about=three)).body == first.body
    assert len(engine.opened) == 1
    with pytest.raises(BudgetExhausted):
        service.answer(asked("k2", about=three))
    with pytest.raises(Conflict):
        service.answer(asked(about=query(count("m"), budget=Price.parse("3"))))
    assert spent(store) == {"aoi": "3", "town": "3"}


def test_a_retry_is_answered_though_the_dataset_was_retired_or_closed_to_the_caller_since(
    service: QueryService, store: Store, engine: MadeUpEngine, tmp_path: Path
) -> None:
    first = service.answer(asked())
    retired = service_of(Ledger(store), engine, tmp_path, replace(HELD, retired=True))
    assert retired.answer(asked()).body == first.body
    closed = service_of(Ledger(store), engine, tmp_path, TWIN)
    assert closed.answer(asked()).body == first.body


def test_a_retry_that_meets_its_first_request_still_at_work_gets_what_that_has_kept(
    service: QueryService,
) -> None:
    first = service.answer(asked())
    with service._alone(AOI.name, asked().key):
        assert service.answer(asked()).body == first.body


def test_a_question_underway_is_not_begun_a_second_time(service: QueryService) -> None:
    with service._alone(AOI.name, asked().key), pytest.raises(InProgress):
        service.answer(asked())


def test_the_database_itself_refuses_to_hold_more_spent_than_granted(store: Store) -> None:
    with pytest.raises(IntegrityError), store.writing() as tx:
        tx.execute(text("UPDATE accounts SET spent = granted + 1 WHERE kind = 'dataset'"))
