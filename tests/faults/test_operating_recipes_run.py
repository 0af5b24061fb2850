"""The recipes of docs/operating.md, run: shell on PostgreSQL, nginx in front of a real server, systemd's own check."""

import http.client
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "http"))

from real_server import Server, free_port
from recipes import commands, named
from small_town import build
from town import RESIDENTS, SECRET, residents_csv

ROOT = Path(__file__).parents[2]
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
PUBLIC = "https://www.example.jp/stat"
CLIENT = "127.0.0.2"
"""Another address of this machine, which is not the proxy's."""
UNITS = ("sudare.service", "sudare-jobs.service", "sudare-jobs.timer")


def program(folder: Path) -> Path:
    """`sudare` as an executable file."""
    file = folder / "sudare"
    file.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m api "$@"\n')
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


@pytest.mark.long
def test_the_recipes_run_one_after_the_other(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "residents.yaml").write_text(RESIDENTS)
    (tmp_path / "residents.csv").write_text(residents_csv())
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SUDARE_")}
    environment = {
        **clean,
        "PATH": f"{program(tmp_path).parent}:{os.environ['PATH']}",
        "SUDARE_DATABASE_URL": empty_url,
        "SUDARE_DATA_DIR": str(tmp_path / "data"),
        "SUDARE_SECRET_KEY": SECRET,
    }
    script = "set -eu\n" + "\n".join(commands("run"))
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("sdr_") == 4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    town = build(tmp_path_factory.mktemp("behind") / "town")
    settings = dict(line.split("=", 1) for line in named("env").splitlines())
    names = ("SUDARE_PUBLIC_URL", "SUDARE_TRUSTED_PROXIES")
    made = Server(town, workers=1, threads=2, **{name: settings[name] for name in names})
    made.start()
    yield made
    made.stop()


def configuration(folder: Path, port: int, server: Server) -> Path:
    """The server block of the recipe in a configuration for an unprivileged nginx below a folder."""
    block = named("server").replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    block = block.replace("/etc/ssl/www.example.jp", f"{folder}/tls").replace(
        "127.0.0.1:8000", f"127.0.0.1:{server.port}"
    )
    temporary = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\n    access_log off;\n{temporary}{block}}}\n"
    )
    return file


@pytest.fixture(scope="module")
def port(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """nginx as the recipe says, in front of the server; skipped where it is not installed."""
    if NGINX is None or shutil.which("openssl") is None:
        pytest.skip("nginx and openssl are not both installed")
    folder, chosen = tmp_path_factory.mktemp("nginx"), free_port()
    key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=www.example.jp"]
    files = ["-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.pem"]
    subprocess.run([*key, *files], check=True, capture_output=True)
    file = configuration(folder, chosen, server)
    command = [NGINX, "-e", f"{folder}/error.log", "-p", str(folder), "-c", str(file)]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with running(command, chosen):
        yield chosen


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command) as process:
        try:
            deadline = time.monotonic() + 20
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.02)
            yield
        finally:
            process.terminate()


def call(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(
        "127.0.0.1", port, timeout=30, context=context, source_address=(CLIENT, 0)
    )
    try:
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def test_behind_nginx_links_are_public_and_the_client_is_the_real_one(server: Server, port: int) -> None:
    before = len(server.log.read_text().splitlines())
    hostile = {
        "Host": "evil.example",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_For": "203.0.113.9",
        "X_Forwarded_Prefix": "/evil",
    }
    body = json.dumps({"select": [{"as": "n", "agg": "count"}], "budget": {"epsilon": "0.1"}}).encode()
    key = f"Bearer {server.town.keys['aoi']}"
    answer, told = call(
        port,
        "POST",
        "/stat/v1/datasets/residents/queries",
        body,
        Authorization=key,
        Content_Type="application/json",
        Idempotency_Key="behind",
        **hostile,
    )
    assert answer.status == 200, told
    assert answer.headers["Content-Location"].startswith(f"{PUBLIC}/v1/queries/q_")
    assert f'<{PUBLIC}/v1/budgets>; rel="budget"' in answer.headers["Link"]
    answer, told = call(port, "GET", "/stat/openapi.json", **hostile)
    assert json.loads(told)["servers"] == [{"url": f"{PUBLIC}/"}]
    assert b"evil" not in told
    answer, _ = call(port, "GET", "/stat/", **hostile)
    assert (answer.status, "evil" in str(answer.headers)) == (302, False)
    lines = [json.loads(line) for line in server.log.read_text().splitlines()[before:] if line[0] == "{"]
    # What nginx said of its client counts, and what the client said of itself does not.
    assert {line["client"] for line in lines if line["event"] == "request"} == {CLIENT}


def test_behind_nginx_large_bodies_are_refused_as_a_problem_and_metrics_are_hidden(
    server: Server, port: int
) -> None:
    key = f"Bearer {server.town.keys['aoi']}"
    path = "/stat/v1/datasets/residents/queries"
    large = b" " * ((1 << 20) + 1)
    answer, told = call(port, "POST", path, large, Authorization=key, Content_Type="application/json")
    assert (answer.status, json.loads(told)["code"]) == (413, "body_too_large")
    assert call(port, "GET", "/stat/metrics", Authorization=key)[0].status == 404
    assert call(port, "GET", "/stat/readyz")[0].status == 200


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for name in UNITS:
        text = named(name).replace("/opt/sudare/bin/sudare", str(program(tmp_path)))
        (tmp_path / name).write_text(text)
    checked = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name in UNITS)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    # The machine's own units are looked at too; of those ours wants, nothing is said here.
    ours = [line for line in checked.stderr.splitlines() if "sudare" in line]
    assert (checked.returncode, ours) == (0, []), checked.stderr
