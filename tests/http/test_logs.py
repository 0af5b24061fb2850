"""What the log may hold: routes, users and codes; neither keys, nor literals, nor cells, nor words of a fault."""

import json
from collections.abc import Iterator

import pytest
import structlog
from odd_engines import BrokenEngine, file_of, with_engine
from small_town import BY_DISTRICT, Town, Visitor, build
from structlog.testing import LogCapture
from town import PERSON_MORE

from api.server.logs import set_up_logs

SECRET_WORDS = {
    "select": [{"as": "secretname", "agg": "sum", "column": "score", "clamp": [1.5, 7.5]}],
    "where": {
        "all": [
            {"column": "age", "op": "=", "value": 77},
            {"column": "moved_in", "op": ">=", "value": "2019-07-13"},
            {"column": "district", "op": "in", "value": ["kita", "minami"]},
        ]
    },
    "budget": {"epsilon": "0.5"},
}


@pytest.fixture
def log() -> Iterator[LogCapture]:
    before = structlog.get_config()
    capture = LogCapture()
    structlog.configure(processors=[capture])
    yield capture
    structlog.configure(**before)


def text_of(log: LogCapture) -> str:
    return json.dumps(log.entries, default=str)


def test_a_request_is_one_line_with_its_route_and_user(visitor: Visitor, log: LogCapture) -> None:
    answer = visitor.ask(SECRET_WORDS)
    assert len(log.entries) == 1
    line = log.entries[0]
    assert {
        "event": "request",
        "method": "POST",
        "route": "/v1/datasets/<id>/queries",
        "status": 200,
        "user": "aoi",
        "request_id": answer.headers["X-Request-Id"],
    }.items() <= line.items()


@pytest.mark.parametrize(
    "change", [{}, {"mode": "quote"}, {"mode": "dummy"}, {"budget": {"epsilon": "9"}}, {"x": "secretfield"}]
)
def test_the_log_holds_no_literal_of_a_question(
    visitor: Visitor, log: LogCapture, change: dict[str, object]
) -> None:
    visitor.ask({**SECRET_WORDS, **change}, key="secretkey")
    text = text_of(log)
    for word in ("77", "2019", "minami", "secretname", "secretkey", "secretfield", "7.5"):
        assert word not in text.replace(log.entries[-1]["request_id"], "").replace(
            str(log.entries[-1]["ms"]), ""
        )


def test_the_log_holds_no_cell_of_an_answer(visitor: Visitor, log: LogCapture) -> None:
    rows = visitor.ask(BY_DISTRICT).json["rows"]
    for line in log.entries:
        values = {value for name, value in line.items() if name != "ms"}
        assert not values & {row["residents"] for row in rows}


def test_the_log_holds_no_key_nor_what_was_sent_as_one(visitor: Visitor, log: LogCapture) -> None:
    visitor.get("/v1/budgets")
    visitor.client.get("/v1/budgets", headers={"Authorization": "Bearer sdr_mistyped"})
    visitor.client.get(f"/v1/queries?after={visitor.keys['mei']}", headers=visitor.key_of("aoi"))
    visitor.client.get(f"/{visitor.keys['ren']}")
    assert "sdr_" not in text_of(log)


def test_a_failure_is_logged_by_kind_and_never_by_its_words(visitor: Visitor, log: LogCapture) -> None:
    with_engine(visitor, BrokenEngine(ValueError("cell 4711 of Secret Person"))).ask()
    assert log.entries[0] == {
        "event": "answer_failed",
        "kind": "ValueError",
        "dataset": "residents",
        "log_level": "error",
    }
    assert "4711" not in text_of(log)


def test_a_fault_is_logged_by_place_and_never_by_its_words(visitor: Visitor, log: LogCapture) -> None:
    visitor.services.queries.quote = None  # type: ignore[method-assign]
    answer = visitor.ask({**SECRET_WORDS, "mode": "quote"})
    fault = log.entries[0]
    assert (answer.status_code, fault["event"], fault["kind"]) == (500, "fault", "TypeError")
    assert "api/queries/views.py" in fault["place"]
    assert fault["request_id"] == answer.json["request_id"]


def test_a_broken_file_is_not_quoted(tmp_path_factory: pytest.TempPathFactory, log: LogCapture) -> None:
    town: Town = build(tmp_path_factory.mktemp("broken") / "town", more=PERSON_MORE)
    for file in town.settings.data_dir.glob("residents/v1-*/*.duckdb"):
        file.chmod(0o600)
        file.write_bytes(b"Secret Person" + file.read_bytes()[13:])
    answer = town.open().ask()
    assert answer.json["code"] == "engine_unavailable"
    assert "Secret" not in answer.text + text_of(log)


def test_data_that_cannot_be_opened_is_logged_by_dataset_and_never_by_a_path(
    visitor: Visitor, log: LogCapture
) -> None:
    file_of(visitor, "residents").unlink()
    visitor.ask()
    assert log.entries[0] == {
        "event": "engine_unavailable",
        "kind": "FileNotFoundError",
        "engine": "duckdb",
        "dataset": "residents",
        "log_level": "error",
    }
    assert "/v1/statistics" not in text_of(log)


def test_quiet_routes_are_not_logged(onlooker: Visitor, log: LogCapture) -> None:
    for path in ("/healthz", "/readyz"):
        onlooker.get(path, user=None)
    assert log.entries == []


def test_the_servers_log_is_one_json_object_a_line(
    onlooker: Visitor, capsys: pytest.CaptureFixture[str], log: LogCapture
) -> None:
    set_up_logs("info")
    onlooker.get("/v1/budgets")
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["route"] for line in lines] == ["/v1/budgets"]
