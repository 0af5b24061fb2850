"""Problems: every code of the contract is reached, in one shape, in the reader's language."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from odd_engines import BrokenEngine, WaitingEngine, engine_of, file_of, with_engine, with_parts
from small_town import COUNT, Town, Visitor
from werkzeug.test import TestResponse

from api.http.problem_words import PROBLEMS
from datasets.queries.errors import PlanningBusy
from datasets.registration.lifecycle import retire

HUGE = b" " * ((1 << 20) + 1)
QUERIES = "/v1/datasets/residents/queries"
Reach = Callable[[Visitor], TestResponse]


def conflicting(visitor: Visitor) -> TestResponse:
    visitor.ask(COUNT, key="one")
    return visitor.ask({**COUNT, "reuse": "never"}, key="one")


def waiting(visitor: Visitor) -> TestResponse:
    engine = WaitingEngine(engine_of(visitor))
    with_engine(visitor, engine)
    asking = threading.Thread(target=lambda: visitor.ask(COUNT, key="one"))
    asking.start()
    try:
        assert engine.entered.wait(timeout=30)
        return visitor.ask(COUNT, key="one")
    finally:
        engine.go_on.set()
        asking.join(timeout=30)


def exhausted(visitor: Visitor) -> TestResponse:
    body = {**COUNT, "budget": {"epsilon": "2"}, "reuse": "never"}
    return [visitor.ask(body) for _ in range(3)][-1]


def retired(visitor: Visitor) -> TestResponse:
    retire(visitor.services.store, "residents", by="tester")
    return visitor.ask()


def stopped(visitor: Visitor) -> TestResponse:
    visitor.services.stops.stop("dataset", "residents", by="operator:town", reason="a leak")
    return visitor.ask()


def hurried(visitor: Visitor) -> TestResponse:
    return [visitor.get("/v1/budgets") for _ in range(3)][-1]


def broken(visitor: Visitor) -> TestResponse:
    return with_engine(visitor, BrokenEngine()).ask()


def without_data(visitor: Visitor) -> TestResponse:
    file_of(visitor, "residents").unlink()
    return visitor.ask({**COUNT, "reuse": "never"})


def crowded(visitor: Visitor) -> TestResponse:
    class Crowded:
        """All of its places are taken."""

        def plan(self, *asked: object) -> None:
            raise PlanningBusy

    return with_parts(visitor, planner=Crowded()).ask()


def decided(visitor: Visitor) -> TestResponse:
    wish = {"dataset": "residents", "dataset_cap": True, "epsilon": "1", "reason": "more"}
    path = f"/v1/grants/{visitor.post('/v1/grants', wish).json['id']}/decision"
    return [visitor.post(path, {"decision": "decline"}, "kenji") for _ in range(2)][-1]


def impatient(visitor: Visitor) -> TestResponse:
    accuracy = {"of": "residents", "within": 1, "confidence": 0.999}
    return visitor.ask({**COUNT, "budget": {"accuracy": accuracy}})


def laborious(visitor: Visitor) -> TestResponse:
    medians = [{"as": f"m{number}", "agg": "median", "column": "age"} for number in range(20)]
    listed = {"column": "age", "op": "in", "value": [number % 120 for number in range(900)]}
    return visitor.ask({**COUNT, "select": medians, "where": listed})


REACHED: dict[str, tuple[int, Reach]] = {
    "malformed_json": (400, lambda visitor: visitor.ask(b"{")),
    "unauthenticated": (401, lambda visitor: visitor.ask(user=None)),
    "forbidden": (403, lambda visitor: visitor.ask(user="sora")),
    "stopped": (403, stopped),
    "budget_exhausted": (403, exhausted),
    "above_query_limit": (403, lambda visitor: visitor.ask({**COUNT, "budget": {"epsilon": "2.000000001"}})),
    "not_found": (404, lambda visitor: visitor.ask(dataset="nothing")),
    "method_not_allowed": (405, lambda visitor: visitor.client.put(QUERIES)),
    "not_acceptable": (406, lambda visitor: visitor.ask(Accept="image/png")),
    "idempotency_conflict": (409, conflicting),
    "in_progress": (409, waiting),
    "conflict": (409, decided),
    "gone": (410, retired),
    "body_too_large": (413, lambda visitor: visitor.ask(HUGE)),
    "unsupported_media_type": (415, lambda visitor: visitor.ask(Content_Type="text/plain")),
    "invalid_query": (422, lambda visitor: visitor.ask({})),
    "accuracy_not_reachable": (422, impatient),
    "planning_too_dear": (422, laborious),
    "precondition_required": (428, lambda visitor: visitor.ask(key="")),
    "rate_limited": (429, hurried),
    "internal": (500, broken),
    "unavailable": (503, lambda visitor: visitor.ask()),
    "planning_busy": (503, crowded),
    "engine_unavailable": (503, without_data),
}
# Answered by the worker, before there is a request that a view could refuse: tests/faults/test_server_start.py.
NEVER_SENT = {"bad_request", "request_timeout"}


def visitor_for(code: str, town: Town) -> Visitor:
    """A door where this code can be met."""
    settings = town.settings
    if code == "rate_limited":
        settings = replace(settings, rate_limit="2 per minute")
    if code == "unavailable":
        settings = replace(settings, database_url=f"sqlite:///{settings.data_dir}")
    return Town(settings=settings, keys=town.keys).open()


def test_no_code_of_the_contract_is_left_out() -> None:
    assert set(REACHED) == set(PROBLEMS) - NEVER_SENT


@pytest.mark.parametrize("code", REACHED)
def test_every_code_is_reached_over_http_in_one_shape(town: Town, code: str) -> None:
    status, reach = REACHED[code]
    refused = reach(visitor_for(code, town))
    body = refused.json
    assert (refused.status_code, body["code"], body["status"]) == (status, code, status)
    assert body["type"] == f"/problems/{code.replace('_', '-')}"
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Cache-Control"] == "no-store"
    assert body["request_id"] == refused.headers["X-Request-Id"]
    assert set(body) <= {"type", "code", "title", "status", "detail", "errors", "hints", "request_id"}
    # Where something costs too much, what would not; elsewhere there is nothing to hint at.
    assert ("hints" in body) == (code in ("above_query_limit", "accuracy_not_reachable"))


def test_what_is_refused_is_not_charged_but_a_failure_is(town: Town) -> None:
    for code in ("malformed_json", "forbidden", "above_query_limit", "not_acceptable", "body_too_large"):
        visitor = town.open()
        REACHED[code][1](visitor)
        assert visitor.spent() == {}
    assert REACHED["internal"][1](town.open()).status_code == 500
    assert town.open().spent()["residents/user:aoi"] == "0.5"


def test_what_is_refused_for_now_says_when_to_try_again(town: Town) -> None:
    waits = {
        code: int(REACHED[code][1](visitor_for(code, town)).headers["Retry-After"])
        for code in ("rate_limited", "in_progress", "unavailable", "engine_unavailable")
    }
    assert 1 <= waits.pop("rate_limited") <= 60
    assert waits == {"in_progress": 1, "unavailable": 5, "engine_unavailable": 60}


def test_one_callers_hurry_is_not_anothers(town: Town) -> None:
    visitor = visitor_for("rate_limited", town)
    hurried(visitor)
    assert visitor.get("/v1/budgets", user="mei").status_code == 200


def test_a_method_that_is_not_there_names_those_that_are(onlooker: Visitor) -> None:
    refused = onlooker.client.delete(QUERIES)
    assert set(refused.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_no_key_at_all_is_asked_for_one(onlooker: Visitor) -> None:
    refused = onlooker.get("/v1/budgets", user=None)
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="sudare"'


ENDPOINTS = (
    ("POST", QUERIES),
    ("GET", "/v1/queries"),
    ("GET", "/v1/queries/q_1"),
    ("GET", "/v1/datasets"),
    ("GET", "/v1/datasets/residents"),
    ("GET", "/v1/budgets"),
    ("POST", "/v1/grants"),
    ("GET", "/v1/grants"),
    ("POST", "/v1/grants/g_1/decision"),
    ("GET", "/v1/journal"),
    ("GET", "/metrics"),
    ("GET", "/nothing"),
    ("DELETE", "/healthz"),
    ("DELETE", "/readyz"),
    ("DELETE", "/openapi.json"),
    ("DELETE", "/docs"),
    ("DELETE", "/"),
    ("GET", "/problems/nothing"),
    ("GET", "/assets/nothing.js"),
    ("GET", "/assets/../pages.py"),
)


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_endpoint_refuses_in_the_same_shape_and_the_readers_language(
    onlooker: Visitor, method: str, path: str
) -> None:
    def refused(language: str) -> TestResponse:
        return onlooker.client.open(path, method=method, headers={"Accept-Language": language})

    spoken = {language: refused(language) for language in ("en", "ja", "ja-JP", "fr", "ja;q=0.5, en", "")}
    bodies = {language: answer.json for language, answer in spoken.items()}
    for answer in spoken.values():
        assert answer.status_code >= 400
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Cache-Control"] == "no-store"
    assert bodies["ja"]["title"] == bodies["ja-JP"]["title"] != bodies["en"]["title"]
    assert bodies["ja"]["detail"] != bodies["en"]["detail"]
    assert (
        bodies["en"]["title"]
        == bodies["fr"]["title"]
        == bodies["ja;q=0.5, en"]["title"]
        == bodies[""]["title"]
    )
    assert len({(body["code"], body["type"], body["status"]) for body in bodies.values()}) == 1
    assert spoken["ja"].headers["Content-Language"] == "ja"


def test_every_problem_has_words_in_both_languages() -> None:
    for problem in PROBLEMS.values():
        assert problem.title.ja != problem.title.en


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer sdr_nothing",
        "Bearer " + "x" * 10_000,
        "sdr_key",
        "Bearer \x7f",
    ],
)
def test_what_is_no_key_is_nobody(onlooker: Visitor, header: str) -> None:
    refused = onlooker.client.get("/v1/budgets", headers={"Authorization": header})
    assert (refused.status_code, refused.json["code"]) == (401, "unauthenticated")


def test_a_disabled_user_is_nobody_at_once(visitor: Visitor) -> None:
    visitor.services.people.disable("aoi", by="tester")
    assert visitor.ask().json["code"] == "unauthenticated"


def test_a_rotated_key_is_nobodys_at_once(visitor: Visitor) -> None:
    visitor.services.people.rotate("aoi", by="tester")
    assert visitor.ask().json["code"] == "unauthenticated"


def test_the_scheme_may_be_written_in_any_case(onlooker: Visitor) -> None:
    header = {"Authorization": f"bEARER {onlooker.keys['aoi']}"}
    assert onlooker.client.get("/v1/budgets", headers=header).status_code == 200


def test_a_fault_of_ours_tells_its_kind_to_nobody(visitor: Visitor) -> None:
    class Bewildered:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError("a secret of the machine")

    with_parts(visitor, ledger=Bewildered())
    refused = visitor.get("/v1/budgets")
    assert (refused.status_code, refused.json["code"]) == (500, "internal")
    assert "secret" not in refused.text
