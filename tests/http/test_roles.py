"""Who may do what: every operation by every role, and what monitors and auditors read."""

import http.client
import re
from typing import Any

import pytest
from real_server import serving
from small_town import COUNT, Town, Visitor

from api.description.openapi import operations
from datasets.database.closed_lists import ROLES
from datasets.people.service import People

BUT_MONITORS = set(ROLES) - {"monitor"}
GRANT = {"dataset": "residents", "user": "aoi", "epsilon": "1", "reason": "a contract"}
ASKED = {"Idempotency_Key": "k1"}
TABLE: dict[tuple[str, str], set[str]] = {
    ("GET", "/metrics"): {"administrator", "monitor"},
    ("POST", "/v1/datasets/residents/queries"): {"analyst"},
    ("POST", "/v1/datasets/residents/workloads"): {"analyst"},
    ("GET", "/v1/queries"): BUT_MONITORS,
    ("GET", "/v1/queries/q_1"): BUT_MONITORS - {"auditor"},
    ("GET", "/v1/queries?user=aoi"): {"auditor", "administrator"},
    ("GET", "/v1/datasets"): BUT_MONITORS,
    ("GET", "/v1/datasets/residents"): BUT_MONITORS,
    ("GET", "/v1/budgets"): BUT_MONITORS,
    ("GET", "/v1/grants"): {"administrator", "auditor"},
    ("POST", "/v1/grants"): {"administrator"},
    ("POST", "/v1/grants/g_1/decision"): {"administrator"},
    ("GET", "/v1/journal"): {"administrator", "auditor"},
}


@pytest.fixture(scope="module")
def everybody(template: Any, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    """A town with somebody of every role, called like it."""
    town = template.copy(tmp_path_factory.mktemp("roles") / "town")
    visitor: Visitor = town.open()
    people: People = visitor.services.people
    keys = {role: people.add_user(f"a-{role}", organisation="city", role=role, by="tester") for role in ROLES}
    visitor.keys = {**visitor.keys, **keys}
    return visitor


@pytest.mark.parametrize(("method", "path"), TABLE)
def test_an_operation_is_open_to_its_roles_and_forbidden_to_others(
    everybody: Visitor, method: str, path: str
) -> None:
    for role in ROLES:
        # Nothing a role may do succeeds by an empty body: it is refused later, and for another reason.
        answer = everybody.get(path, role) if method == "GET" else everybody.post(path, {}, role)
        assert (answer.status_code == 403) == (role not in TABLE[method, path]), role
        assert answer.status_code < 500


def test_the_table_has_every_operation_that_needs_a_key(onlooker: Visitor) -> None:
    described = {
        (method.upper(), re.sub(r"\{\w+\}", "*", path))
        for path, method, operation in operations(onlooker.app)
        if operation.roles is not None
    }
    told = {
        (method, re.sub(r"/(residents|q_1|g_1)(?=/|$)", "/*", path.partition("?")[0]))
        for method, path in TABLE
    }
    assert described <= told


@pytest.mark.parametrize("reader", ["toma", "hana"])
def test_auditors_and_administrators_read_questions_and_nothing_of_results(
    visitor: Visitor, reader: str
) -> None:
    answer = visitor.ask()
    assert answer.status_code == 200
    (audited,) = visitor.get("/v1/queries?user=aoi", reader).json["items"]
    (own,) = visitor.get("/v1/queries").json["items"]
    assert {name: audited[name] for name in own} == own
    told = {"id", "dataset", "asked_at", "outcome", "charged", "fingerprint", "user", "question"}
    assert set(audited) == told | {"question_text"}
    assert audited["user"] == "aoi"
    assert audited["question"]["select"] == COUNT["select"]
    assert str(answer.json["rows"][0]["residents"]) not in str(audited["question"])
    # An administrator's own answers are open to it, and nobody else's: they are "not there".
    refused = 403 if reader == "toma" else 404
    assert visitor.get(f"/v1/queries/{answer.json['id']}", reader).status_code == refused
    assert visitor.get("/v1/queries?user=nobody", reader).status_code == 404
    assert visitor.get("/v1/queries?user=aoi", "mei").status_code == 403
    assert visitor.get("/v1/queries", reader).json["items"] == []


def test_pages_of_an_audit_lead_to_the_next(visitor: Visitor) -> None:
    for _ in range(2):
        visitor.ask()
    first = visitor.get("/v1/queries?user=aoi&limit=1", "toma")
    assert f"user=aoi&limit=1&after={first.json['next']}" in first.headers["Link"]
    second = visitor.get(f"/v1/queries?user=aoi&limit=1&after={first.json['next']}", "toma")
    assert second.json["items"][0]["id"] != first.json["items"][0]["id"]


def test_an_auditor_sees_every_dataset_grant_and_line(visitor: Visitor) -> None:
    assert [item["id"] for item in visitor.get("/v1/datasets", "toma").json["items"]] == [
        "residents",
        "visits",
    ]
    assert visitor.get("/v1/datasets/residents", "toma").status_code == 200
    assert visitor.get("/v1/grants", "toma").json["items"]
    lines = visitor.get("/v1/journal?limit=200", "toma").json["items"]
    kinds = {line["entry"]["kind"] for line in lines}
    assert {"organisation_added", "user_added", "secret_changed", "grant"} <= kinds


def shown(visitor: Visitor) -> dict[str, float]:
    text = visitor.get("/metrics", "yui").text
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_metrics_tell_budgets_settlements_refusals_and_the_journal(visitor: Visitor) -> None:
    before = shown(visitor)
    assert before['sudare_budget_granted{kind="dataset",name="residents"}'] == 20
    assert before['sudare_budget_remaining{kind="dataset",name="residents"}'] == 20
    assert visitor.ask().status_code == 200
    assert visitor.ask(user="hana").status_code == 403
    after = shown(visitor)
    assert after['sudare_budget_remaining{kind="dataset",name="residents"}'] == 19.5
    assert after["sudare_settlements_total"] - before["sudare_settlements_total"] == 1
    assert after["sudare_journal_lines"] - before["sudare_journal_lines"] == 1
    forbidden = 'sudare_refusals_total{code="forbidden"}'
    assert after[forbidden] - before.get(forbidden, 0) == 1
    assert after["sudare_failures_total"] == before["sudare_failures_total"]
    (build,) = (name for name in after if name.startswith("sudare_build_info"))
    assert re.fullmatch(r'sudare_build_info\{revision="\d{4}",version="[\d.]+"\}', build)
    assert not any(name in series for series in after for name in visitor.keys)


def test_failures_are_counted(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shown(visitor)["sudare_failures_total"]
    monkeypatch.setattr(visitor.services.ledger, "history", lambda **_: 1 / 0)
    assert visitor.get("/v1/queries").status_code == 500
    assert shown(visitor)["sudare_failures_total"] == before + 1


@pytest.mark.long
def test_metrics_add_up_what_all_workers_counted(town: Town) -> None:
    with serving(town, workers=2, threads=2) as server:
        for _ in range(20):
            # A connection each, so that both workers get some.
            read(server.port, "/v1/journal", town.keys["aoi"])
        text = read(server.port, "/metrics", town.keys["yui"])
    (line,) = (
        line for line in text.splitlines() if line.startswith('sudare_refusals_total{code="forbidden"}')
    )
    assert float(line.rsplit(" ", 1)[1]) == 20
    assert text.count("sudare_settlements_total 0.0") == 1


def read(port: int, path: str, key: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        return connection.getresponse().read().decode()
    finally:
        connection.close()
