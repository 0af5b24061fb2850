"""Links and client addresses: from the settings and trusted proxies, and never from what a client sends."""

import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from small_town import Town, Visitor
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from api.settings import InvalidSetting, PublicUrl, Settings, TrustedProxies

EVIL = "evil.example"
HOSTILE = {
    "Host": EVIL,
    "X-Forwarded-Host": EVIL,
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Prefix": f"//{EVIL}",
    "X-Forwarded-For": "203.0.113.9",
    "X-Real-IP": "203.0.113.9",
    "Forwarded": f"for=203.0.113.9;host={EVIL}",
    "X-Original-URL": f"http://{EVIL}/",
}
PROXY = "10.1.2.3"
CLIENT = "192.0.2.77"


def opened(town: Town, **settings: str) -> Visitor:
    return Town(settings=replace(town.settings, **settings), keys=town.keys).open()


def asked(visitor: Visitor, path: str, *, peer: str = "127.0.0.1", **headers: str) -> TestResponse:
    sent = {**visitor.key_of("hana"), **{name.replace("_", "-"): value for name, value in headers.items()}}
    return visitor.client.get(path, headers=sent, environ_base={"REMOTE_ADDR": peer})


@pytest.mark.parametrize(
    "settings",
    [{}, {"trusted_proxies": PROXY}, {"public_url": "https://stat.example.jp/stat"}],
    ids=["alone", "another is trusted", "public"],
)
def test_no_answer_repeats_a_host_that_the_client_chose(town: Town, settings: dict[str, str]) -> None:
    visitor = opened(town, **settings)
    client = FlaskClient(visitor.app)
    filled = {"id": "residents", "name": "docs.css", "code": "bad-request"}
    for rule in visitor.app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda place: filled.get(place[1], "residents"), rule.rule)
        # Whoever corrects an address redirects to the corrected one.
        for written in (path, f"{path}/", f"/{path}", path.replace("/v1/", "/v1//")):
            for method in ("GET", "POST"):
                answer = client.open(written, method=method, headers={**visitor.key_of("hana"), **HOSTILE})
                told = f"{answer.headers}{answer.get_data(as_text=True)}"
                assert EVIL not in told, (method, written)
                assert "://localhost" not in told, (method, written)


def test_links_are_relative_to_the_host_unless_the_public_address_is_set(town: Town) -> None:
    visitor = opened(town)
    visitor.ask(), visitor.ask()
    page = visitor.get("/v1/queries?limit=1")
    assert page.headers["Link"].startswith("</v1/queries?limit=1&after=")


@pytest.mark.parametrize("written", ["https://stat.example.jp/stat", "https://stat.example.jp/stat/"])
def test_links_begin_with_the_public_address(town: Town, written: str) -> None:
    visitor = opened(town, public_url=written)
    told = visitor.ask()
    assert told.headers["Content-Location"].startswith("https://stat.example.jp/stat/v1/queries/q_")
    assert "<https://stat.example.jp/stat/v1/budgets>" in told.headers["Link"]
    described = visitor.get("/openapi.json", user=None)
    assert described.json["servers"] == [{"url": "https://stat.example.jp/stat/"}]


def test_a_trusted_proxy_tells_the_prefix_that_it_took_off(town: Town) -> None:
    visitor = opened(town, trusted_proxies=PROXY)
    visitor.ask(), visitor.ask()
    page = asked(visitor, "/openapi.json", peer=PROXY, X_Forwarded_Prefix="/stat", X_Forwarded_Host=EVIL)
    assert page.json["servers"] == [{"url": "/stat/"}]
    for hostile in (f"//{EVIL}", f"https://{EVIL}", "/a/../b", "/<script>", "stat", "/stat/"):
        page = asked(visitor, "/openapi.json", peer=PROXY, X_Forwarded_Prefix=hostile)
        assert page.json["servers"] == [{"url": "/"}], hostile
    page = asked(visitor, "/openapi.json", peer="10.1.2.4", X_Forwarded_Prefix="/stat")
    assert page.json["servers"] == [{"url": "/"}]


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ("", "127.0.0.1", CLIENT, "127.0.0.1"),
        ("", "", CLIENT, None),
        (PROXY, "10.1.2.4", CLIENT, "10.1.2.4"),
        (PROXY, PROXY, CLIENT, CLIENT),
        (PROXY, PROXY, f"203.0.113.9, {CLIENT}", CLIENT),
        ("10.0.0.0/8", PROXY, f"203.0.113.9, {CLIENT}, 10.9.9.9", CLIENT),
        ("10.0.0.0/8", PROXY, "10.7.7.7", "10.7.7.7"),
        (PROXY, PROXY, "", PROXY),
        (PROXY, PROXY, f"{CLIENT}, <script>", PROXY),
        (PROXY, f"::ffff:{PROXY}", CLIENT, CLIENT),
        ("::1, fd00::/8", "fd00::7", "2001:db8::5", "2001:db8::5"),
        ("unix", "", CLIENT, CLIENT),
        ("unix", "127.0.0.1", CLIENT, "127.0.0.1"),
    ],
)
def test_the_log_tells_the_client_by_trusted_proxies_alone(
    town: Town, trusted: str, peer: str, forwarded: str, client: str | None
) -> None:
    visitor = opened(town, trusted_proxies=trusted)
    headers = {"X_Forwarded_For": forwarded} if forwarded else {}
    with capture_logs() as lines:
        asked(visitor, "/v1/budgets", peer=peer, **headers)
    assert lines[-1]["client"] == client


@pytest.mark.parametrize(
    "text",
    [
        "stat.example.jp",
        "ftp://stat.example.jp",
        "https://",
        "https://STAT.example.jp",
        "https://user:pass@stat.example.jp",
        "https://stat.example.jp?x",
        "https://stat.example.jp/#x",
        "https://stat.example.jp:0",
        "https://stat.example.jp:99999",
        "https://stat.example.jp/a b",
        "https://stat.example.jp//a",
        "https://stat.example.jp/../a",
        "https://stat.example.jp/\r\nX: y",
        "https://[::1",
        "https://[12]",
        "https://-a.example",
    ],
)
def test_a_public_address_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(InvalidSetting, match="SUDARE_PUBLIC_URL must read like") as refusal:
        Settings.read({"SUDARE_PUBLIC_URL": text})
    assert "pass" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://stat.example.jp", "https://stat.example.jp/x"),
        ("http://localhost:8000/", "http://localhost:8000/x"),
        ("https://[2001:db8::1]:8443/a/b-c", "https://[2001:db8::1]:8443/a/b-c/x"),
    ],
)
def test_a_public_address_is_taken(text: str, address: str) -> None:
    found = PublicUrl.read(Settings.read({"SUDARE_PUBLIC_URL": text}).public_url)
    assert found is not None
    assert found.address("/x") == address


@pytest.mark.parametrize(
    "text", ["proxy.example", "10.0.0.1/8", "*", "10.0.0.0/33", "10.0.0.1,", "unix:/run/x", "1"]
)
def test_proxies_that_are_no_addresses_stop_the_start(text: str) -> None:
    with pytest.raises(InvalidSetting, match="SUDARE_TRUSTED_PROXIES must read like"):
        Settings.read({"SUDARE_TRUSTED_PROXIES": text})


def test_nobody_is_trusted_unless_named() -> None:
    assert Settings().trusted_proxies == ""
    assert not any(TrustedProxies.read("").trust(peer) for peer in ("", "127.0.0.1", "::1", "10.0.0.1"))
