"""/healthz, /readyz, /metrics, the description and the pages; methods that every route has."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from odd_engines import file_of
from small_town import Town, Visitor
from structlog.testing import capture_logs

from datasets.database import store
from datasets.engines.duckdb import DuckdbEngine
from datasets.registration.lifecycle import retire


def duckdb_of(visitor: Visitor) -> DuckdbEngine:
    """The engine behind a visitor's door."""
    found = visitor.services.engine._made["duckdb"]
    assert isinstance(found, DuckdbEngine)
    return found


PAGES = ("/docs", "/problems/budget-exhausted", "/problems/invalid-query")


def test_the_process_lives_without_a_database(town: Town) -> None:
    settings = replace(town.settings, database_url=f"sqlite:///{town.settings.data_dir}")
    visitor = Town(settings=settings, keys=town.keys).open()
    assert visitor.get("/healthz", user=None).json == {"status": "ok"}
    refused = visitor.get("/readyz", user=None)
    assert (refused.status_code, refused.json["code"]) == (503, "unavailable")


def test_the_server_is_ready_when_database_and_data_are_there(town: Town) -> None:
    assert town.open().get("/readyz", user=None).json == {"status": "ready"}
    town.settings.data_dir.rename(town.settings.data_dir.with_name("elsewhere"))
    assert town.open().get("/readyz", user=None).status_code == 503


@pytest.fixture
def at_an_empty_database(town: Town, empty_url: str) -> Visitor:
    return Town(settings=replace(town.settings, database_url=empty_url), keys=town.keys).open()


@pytest.mark.parametrize("path", ["/readyz", "/v1/datasets"])
@pytest.mark.parametrize(
    ("language", "told"), [("en", "run sudare init"), ("ja", "sudare init を実行してください")]
)
def test_a_database_that_was_never_initialised_is_told_apart_from_one_that_is_away(
    at_an_empty_database: Visitor, path: str, language: str, told: str
) -> None:
    refused = at_an_empty_database.get(path, Accept_Language=language)
    assert (refused.status_code, refused.json["code"]) == (503, "unavailable")
    assert told in refused.json["detail"]


def test_a_database_of_a_later_version_is_not_ready(town: Town) -> None:
    visitor = town.open()
    with visitor.services.store.writing() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    refused = visitor.get("/readyz", user=None)
    assert (refused.status_code, refused.json["code"]) == (503, "unavailable")
    assert "later version than this program" in refused.json["detail"]


def test_a_table_that_is_missing_from_our_own_version_is_a_fault_of_ours(town: Town) -> None:
    visitor = town.open()
    with visitor.services.store.writing() as tx:
        tx.exec_driver_sql("ALTER TABLE users RENAME TO persons")
    assert visitor.get("/v1/datasets").json["code"] == "internal"


def test_a_server_that_is_not_ready_for_its_database_answers_nobody(town: Town) -> None:
    visitor = town.open()
    assert visitor.ask().status_code == 200
    with visitor.services.store.writing() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    visitor = town.open()
    for refused in (visitor.get("/readyz", user=None), visitor.get("/v1/datasets"), visitor.ask()):
        assert (refused.status_code, refused.json["code"]) == (503, "unavailable")
        assert "later version than this program" in refused.json["detail"]


@pytest.mark.parametrize("harm", [Path.unlink, lambda file: file.write_bytes(file.read_bytes()[:-1])])
def test_the_server_is_not_ready_while_the_data_of_a_dataset_cannot_be_opened(
    town: Town, capsys: pytest.CaptureFixture[str], harm: Any
) -> None:
    visitor = town.open()
    file = file_of(visitor, "visits")
    whole = file.read_bytes()
    harm(file)
    refused = visitor.get("/readyz", user=None)
    assert (refused.status_code, refused.json["code"]) == (503, "unavailable")
    assert "visits" not in refused.text
    assert "visits" in "".join(capsys.readouterr())
    # Of the others questions are answered, and of this one none is charged.
    assert visitor.ask().status_code == 200
    file.write_bytes(whole)
    assert visitor.get("/readyz", user=None).status_code == 200


def test_a_server_without_the_data_is_not_ready_and_charges_nothing(town: Town, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    visitor = Town(settings=replace(town.settings, data_dir=tmp_path / "empty"), keys=town.keys).open()
    assert visitor.get("/readyz", user=None).status_code == 503
    assert visitor.ask().json["code"] == "engine_unavailable"
    assert visitor.spent() == {}


def test_data_of_a_retired_dataset_may_be_gone(town: Town) -> None:
    visitor = town.open()
    retire(visitor.services.store, "visits", by="tester")
    file_of(visitor, "visits").unlink()
    assert visitor.get("/readyz", user=None).status_code == 200


def test_asking_whether_the_server_is_ready_opens_nothing_for_long_and_closes_nothing(
    visitor: Visitor,
) -> None:
    assert visitor.ask().status_code == 200
    connections = duckdb_of(visitor).connections
    opened = dict(connections._open)
    assert visitor.get("/readyz", user=None).status_code == 200
    assert dict(connections._open) == opened
    assert len(opened) == 1


def test_metrics_need_an_administrator(onlooker: Visitor) -> None:
    assert onlooker.get("/metrics", user=None).status_code == 401
    assert onlooker.get("/metrics", user="aoi").status_code == 403
    shown = onlooker.get("/metrics", user="hana")
    assert shown.headers["Content-Type"].startswith("text/plain")
    assert 'route="/v1/datasets/<id>"' in _after_a_look(onlooker)


def _after_a_look(onlooker: Visitor) -> str:
    onlooker.get("/v1/datasets/residents")
    return onlooker.get("/metrics", user="hana").text


def test_metrics_hold_routes_and_neither_paths_nor_users_nor_literals(visitor: Visitor) -> None:
    visitor.get("/v1/datasets/verysecret")
    visitor.get("/nothing/verysecret")
    visitor.client.open("/healthz", method="VERYSECRET")
    shown = visitor.get("/metrics", user="hana").text
    assert "verysecret" not in shown.lower()
    assert "aoi" not in shown


def test_the_description_is_openapi(onlooker: Visitor) -> None:
    described = onlooker.get("/openapi.json", user=None)
    assert described.json["openapi"] == "3.1.0"
    assert "/v1/datasets/{id}/queries" in described.json["paths"]


def test_the_first_page_leads_to_the_docs(onlooker: Visitor) -> None:
    answer = onlooker.get("/", user=None)
    assert (answer.status_code, answer.headers["Location"]) == (302, "docs")


@pytest.mark.parametrize("path", PAGES)
def test_pages_speak_the_readers_language(onlooker: Visitor, path: str) -> None:
    pages = {language: onlooker.get(path, user=None, Accept_Language=language) for language in ("en", "ja")}
    for language, page in pages.items():
        assert page.status_code == 200
        assert page.headers["Content-Language"] == language
        assert page.headers["Vary"] == "Accept-Language"
        assert f'<html lang="{language}">' in page.text
    assert pages["en"].text != pages["ja"].text


@pytest.mark.parametrize("path", PAGES)
def test_pages_bring_nothing_from_elsewhere(onlooker: Visitor, path: str) -> None:
    page = onlooker.get(path, user=None)
    assert "//" not in page.text.replace("<!doctype", "")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self';" in policy


@pytest.mark.parametrize(
    "name", ["docs.js", "sudare.css", "swagger-ui/swagger-ui.css", "swagger-ui/swagger-ui-bundle.js"]
)
def test_assets_are_served_to_be_kept(onlooker: Visitor, name: str) -> None:
    asset = onlooker.get(f"/assets/{name}", user=None)
    assert asset.status_code == 200
    assert asset.headers["Cache-Control"] == "public, max-age=86400"


@pytest.mark.parametrize(
    "name", ["../pages.py", "..%2fpages.py", "%2e%2e/pages.py", "/etc/passwd", "", "nothing.js", "a%00b"]
)
def test_nothing_but_assets_is_served_as_one(onlooker: Visitor, name: str) -> None:
    answer = onlooker.client.get(f"/assets/{name}", follow_redirects=True)
    assert answer.status_code == 404
    assert "root:" not in answer.text


def test_a_problem_page_with_a_script_in_its_name_is_not_there(onlooker: Visitor) -> None:
    answer = onlooker.get("/problems/<script>alert(1)<script>", user=None)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "NONSENSE")
GUARDS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
ROUTES = (
    "/",
    "/docs",
    "/openapi.json",
    "/assets/docs.js",
    "/problems/gone",
    "/healthz",
    "/readyz",
    "/metrics",
    "/v1/queries",
    "/v1/queries/q_1",
    "/v1/datasets",
    "/v1/datasets/residents",
    "/v1/datasets/residents/queries",
    "/v1/budgets",
    "/v1/grants",
    "/v1/grants/g_1/decision",
    "/v1/journal",
    "/nothing",
)


@pytest.mark.parametrize("path", ROUTES)
def test_every_response_is_guarded(onlooker: Visitor, path: str) -> None:
    for method, user in itertools.product(METHODS, (None, "hana")):
        answer = onlooker.client.open(path, method=method, headers=onlooker.key_of(user))
        assert answer.status_code < 500
        headers = answer.headers
        assert GUARDS.items() <= dict(headers).items()
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Request-Id"].startswith("r_")
        assert not {"Set-Cookie", "Access-Control-Allow-Origin"} & set(headers.keys())
        assert "no-store" in headers["Cache-Control"] or not path.startswith("/v1")


@pytest.mark.parametrize(
    "path", ["/docs", "/openapi.json", "/healthz", "/v1/datasets", "/v1/datasets/residents", "/v1/budgets"]
)
def test_head_is_get_without_a_body(onlooker: Visitor, path: str) -> None:
    head = onlooker.client.head(path, headers=onlooker.key_of("aoi"))
    get = onlooker.get(path)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_options_names_the_methods_and_charges_nothing(onlooker: Visitor) -> None:
    answer = onlooker.client.options("/v1/datasets/residents/queries")
    assert answer.status_code == 200
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_no_two_requests_have_the_same_id(onlooker: Visitor) -> None:
    assert len({onlooker.get("/healthz", user=None).headers["X-Request-Id"] for _ in range(20)}) == 20


def test_a_database_that_is_away_fills_no_log(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(town.settings, database_url=f"sqlite:///{town.settings.data_dir}")
    visitor = Town(settings=settings, keys=town.keys).open()

    def logged() -> list[Any]:
        with capture_logs() as lines:
            for _ in range(5):
                assert visitor.get("/readyz", user=None).status_code == 503
        return [line.get("repeated") for line in lines if line["event"] == "database unavailable"]

    assert logged() == [None]
    assert logged() == []
    # A minute later it is told again, with how often it was met meanwhile.
    monkeypatch.setattr(store, "FAILURE_LOG_S", 0.0)
    assert logged()[0] == 9
