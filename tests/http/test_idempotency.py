"""The Idempotency-Key of a run: one key, one answer, one charge, for ever."""

import threading

import pytest
from odd_engines import BrokenEngine, CountingEngine, WaitingEngine, engine_of, file_of, with_engine
from small_town import BY_DISTRICT, COUNT, Visitor
from werkzeug.test import TestResponse

from datasets.registration.lifecycle import retire
from privacy.noise import OpendpNoise


def test_the_same_key_gives_the_same_bytes_and_one_charge(visitor: Visitor) -> None:
    first, second = visitor.ask(BY_DISTRICT, key="one"), visitor.ask(BY_DISTRICT, key="one")
    assert second.data == first.data
    assert visitor.spent()["residents/user:aoi"] == "0.5"


def test_a_retry_opens_no_data(visitor: Visitor) -> None:
    engine = CountingEngine(engine_of(visitor))
    with_engine(visitor, engine)
    told = [visitor.ask({**COUNT, "reuse": "never"}, key="one").data for _ in range(3)]
    assert len(set(told)) == 1
    assert engine.calls == 1


def test_the_same_question_written_otherwise_is_the_same_request(visitor: Visitor) -> None:
    first = visitor.ask(b'{"select":[{"agg":"count"}],"budget":{"epsilon":0.50}}', key="one")
    second = visitor.ask(b'{ "budget": {"epsilon": 0.5}, "select": [{"agg": "count"}] }', key="one")
    assert second.data == first.data


def test_data_that_cannot_be_opened_costs_nothing_and_the_same_key_is_answered_when_it_can(
    visitor: Visitor,
) -> None:
    file = file_of(visitor, "residents")
    away = file.rename(file.with_name("away"))
    refused = visitor.ask(key="one")
    assert (refused.status_code, refused.json["code"]) == (503, "engine_unavailable")
    assert (visitor.spent(), visitor.get("/v1/queries").json["items"]) == ({}, [])
    file.write_bytes(away.read_bytes()[:-1])
    assert visitor.ask(key="one").json["code"] == "engine_unavailable"
    away.rename(file)
    assert visitor.ask(key="one").status_code == 200
    assert visitor.spent()["residents/user:aoi"] == "0.5"


def test_a_file_that_is_taken_away_while_it_is_open_ends_answers_too(visitor: Visitor) -> None:
    visitor.ask(key="one")
    before, file = visitor.spent(), file_of(visitor, "residents")
    away = file.rename(file.with_name("away"))
    assert visitor.ask({**COUNT, "reuse": "never"}, key="two").json["code"] == "engine_unavailable"
    file.write_bytes(b"")
    assert visitor.ask({**COUNT, "reuse": "never"}, key="two").json["code"] == "engine_unavailable"
    assert visitor.spent() == before
    away.replace(file)
    assert visitor.ask({**COUNT, "reuse": "never"}, key="two").status_code == 200


def test_another_question_under_the_same_key_conflicts(visitor: Visitor) -> None:
    visitor.ask(COUNT, key="one")
    refused = visitor.ask(BY_DISTRICT, key="one")
    assert (refused.status_code, refused.json["code"]) == (409, "idempotency_conflict")
    assert visitor.spent()["residents/user:aoi"] == "0.5"


def test_another_dataset_under_the_same_key_conflicts(visitor: Visitor) -> None:
    visitor.ask(COUNT, key="one")
    assert visitor.ask(COUNT, key="one", dataset="visits").json["code"] == "idempotency_conflict"


def test_a_quoted_key_is_the_same_key(visitor: Visitor) -> None:
    assert visitor.ask(COUNT, key='"one"').data == visitor.ask(COUNT, key="one").data


def test_the_same_key_of_another_user_is_another_question(visitor: Visitor) -> None:
    first, second = visitor.ask(COUNT, key="one"), visitor.ask(COUNT, key="one", user="mei")
    assert first.json["id"] != second.json["id"]


@pytest.mark.parametrize("key", ["", '""', "a b", "x" * 256, "鍵", '"half', "tab\tkey"])
def test_a_run_without_a_proper_key_is_refused(onlooker: Visitor, key: str) -> None:
    path = "/v1/datasets/residents/queries"
    sent = {"Idempotency-Key": key.encode().decode("latin1")} if key else {}
    refused = onlooker.client.post(path, json=COUNT, headers={**onlooker.key_of("aoi"), **sent})
    assert (refused.status_code, refused.json["code"]) == (428, "precondition_required")


def test_quote_and_dummy_need_no_key(onlooker: Visitor) -> None:
    assert {onlooker.ask({**COUNT, "mode": mode}, key="").status_code for mode in ("quote", "dummy")} == {200}


@pytest.mark.parametrize("mode", ["quote", "dummy"])
def test_a_malformed_key_is_refused_even_where_none_is_needed(onlooker: Visitor, mode: str) -> None:
    assert onlooker.ask({**COUNT, "mode": mode}, key="a b").status_code == 428


def test_a_retry_is_answered_after_the_dataset_is_retired(visitor: Visitor) -> None:
    first = visitor.ask(COUNT, key="one")
    retire(visitor.services.store, "residents", by="tester")
    assert visitor.ask(COUNT, key="one").data == first.data
    assert visitor.ask(COUNT, key="two").json["code"] == "gone"


def test_a_retry_is_answered_when_the_budget_is_spent(visitor: Visitor) -> None:
    body = {**COUNT, "budget": {"epsilon": "2"}, "reuse": "never"}
    told = [visitor.ask(body, key=key) for key in ("one", "two", "three")]
    assert [answer.status_code for answer in told] == [200, 200, 403]
    assert visitor.ask(body, key="two").data == told[1].data


def test_a_retry_in_another_format_holds_the_same_numbers(visitor: Visitor) -> None:
    first = visitor.ask(COUNT, key="one")
    retry = visitor.ask(COUNT, key="one", Accept="text/csv")
    assert str(first.json["rows"][0]["residents"]) == retry.text.splitlines()[1].split(",")[0]


def test_a_key_stays_free_when_its_question_was_refused(visitor: Visitor) -> None:
    assert visitor.ask({**COUNT, "budget": {"epsilon": "3"}}, key="one").status_code == 403
    assert visitor.ask(COUNT, key="one").status_code == 200


def test_a_second_request_under_a_key_in_use_is_told_to_wait(visitor: Visitor) -> None:
    engine = WaitingEngine(engine_of(visitor))
    with_engine(visitor, engine)
    told: list[TestResponse] = []
    asking = threading.Thread(target=lambda: told.append(visitor.ask(COUNT, key="one")))
    asking.start()
    try:
        assert engine.entered.wait(timeout=30)
        early = visitor.ask(COUNT, key="one")
    finally:
        engine.go_on.set()
        asking.join(timeout=30)
    assert (early.status_code, early.json["code"]) == (409, "in_progress")
    assert early.headers["Retry-After"] == "1"
    assert visitor.ask(COUNT, key="one").data == told[0].data
    assert visitor.spent()["residents/user:aoi"] == "0.5"


def test_eight_at_once_under_one_key_get_one_answer_and_one_charge(visitor: Visitor) -> None:
    told: list[TestResponse] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        told.append(visitor.ask(BY_DISTRICT, key="one"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    answers = {answer.data for answer in told if answer.status_code == 200}
    refusals = {answer.json["code"] for answer in told if answer.status_code != 200}
    assert len(told) == 8
    assert len(answers) == 1
    assert refusals <= {"in_progress"}
    assert visitor.spent()["residents/user:aoi"] == "0.5"


@pytest.mark.parametrize("failure", [None, MemoryError(), ValueError("a secret cell")])
def test_a_failure_after_the_data_was_opened_is_charged_once_and_replayed(
    visitor: Visitor, failure: Exception | None
) -> None:
    engine = BrokenEngine(failure)
    with_engine(visitor, engine)
    told = [visitor.ask(COUNT, key="one") for _ in range(3)]
    assert [(answer.status_code, answer.json["code"]) for answer in told] == [(500, "internal")] * 3
    assert engine.calls == 1
    assert visitor.spent()["residents/dataset:residents"] == "0.5"
    assert visitor.ledger.verify() == []
    assert not any("secret" in answer.text for answer in told)


@pytest.mark.parametrize(
    "select", [{"agg": "count"}, {"agg": "median", "column": "age"}], ids=["noise", "choice"]
)
def test_a_failure_of_the_noise_is_charged_too(visitor: Visitor, select: dict[str, str]) -> None:
    class NoNoise(OpendpNoise):
        def add(self, *args: object, **options: object) -> object:  # type: ignore[override]
            raise RuntimeError("out of randomness")

        top = add  # type: ignore[assignment]

    visitor.services.queries._noise = NoNoise()
    assert visitor.ask({**COUNT, "select": [select]}).status_code == 500
    assert visitor.spent()["residents/user:aoi"] == "0.5"


def test_a_failed_answer_is_not_reused(visitor: Visitor) -> None:
    real = engine_of(visitor)
    with_engine(visitor, BrokenEngine())
    visitor.ask(COUNT)
    with_engine(visitor, real)
    told = visitor.ask(COUNT)
    assert (told.status_code, told.json["reused"]) == (200, False)
    assert visitor.spent()["residents/user:aoi"] == "1"
