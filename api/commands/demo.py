"""`sudare demo`: from nothing to a private answer over HTTP. Safe to run again: it finds what it made."""

import contextlib
import http.client
import json
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from api.commands.language import language, sentence
from api.commands.spoken import columns
from api.services import Services
from privacy.words import Words

START_S_MAX = 30
QUESTION = {
    "select": [
        {"as": "residents", "agg": "count"},
        {"as": "mean_income", "agg": "mean", "column": "income", "clamp": [0, 8_000_000]},
    ],
    "where": {"column": "age", "op": ">=", "value": 20},
    "group_by": [{"column": "sex"}, {"column": "age", "bins": [20, 40, 65, 120]}],
    "budget": {"epsilon": "0.5"},
}


SERVING = Words(ja="稼働中です。停止するには Ctrl-C を押してください。", en="Serving. Press Ctrl-C to stop.")
ASKED = Words(
    ja="20 歳以上の住民は何人で、平均所得はいくらですか。",
    en="How many residents of 20 and over are there, and what do they earn on average?",
)
HEADER = (
    Words(ja="性別", en="sex"),
    Words(ja="年齢", en="age"),
    Words(ja="住民", en="residents"),
    Words(ja="95 % 区間", en="95 % bounds"),
    Words(ja="平均所得（円）", en="mean income (JPY)"),
    Words(ja="95 % 区間", en="95 % bounds"),
)
TOLD_AGAIN = Words(ja="以前の回答の再提示（予算の消費なし）", en="told again, free")
COST = Words(ja="予算の消費 ε {amount}", en="cost ε {amount}")
LEFT = Words(ja="{account} の残り {remaining}", en="{account} has {remaining} left")
KEYS = Words(ja="API キー（表示されるのはこの 1 回だけです）：", en="keys (shown only now):")
ADDRESSES = Words(
    ja="API の説明: http://{bind}/docs   データセット: http://{bind}/v1/datasets",
    en="API description: http://{bind}/docs   datasets: http://{bind}/v1/datasets",
)


@click.command()
@click.option("--once", is_flag=True, help="Stop after the question.")
@click.option("--residents", default=200_000, show_default=True, help="Residents of the sample city.")
def demo(once: bool, residents: int) -> None:
    """Set up the sample city, ask one question over HTTP, and serve until Ctrl-C."""
    from api.commands.sample_city import ANALYST, PEOPLE, set_up

    services = Services.from_environment()
    bind = services.settings.bind
    # Before anything is made: the keys of an earlier demonstration that still serves must go on working.
    _must_be_free(bind)
    keys = set_up(services, residents=residents)
    with _serving(services.settings.data_dir) as server:
        _wait_until_ready(bind, server)
        _show_answer(_ask(bind, keys[ANALYST]))
        _show_keys({f"{name} ({role})": keys[name] for name, _, role in PEOPLE})
        _show_addresses(bind, keys[ANALYST])
        if not once:
            sys.exit(_serve_on(server))


def _serve_on(server: subprocess.Popen[bytes]) -> int:
    """Wait for Ctrl-C, or for the server's own end; returns the exit code."""
    click.echo(f"\n{sentence(SERVING)}")
    # Ctrl-C is how this ends well, so it is no failure.
    with contextlib.suppress(KeyboardInterrupt):
        return server.wait()
    return 0


def _must_be_free(bind: str) -> None:
    """Raise ClickException where another server listens on the address."""
    if bind.startswith("unix:"):
        return
    host, _, port = bind.rpartition(":")
    # An empty host is every address, and each of them is reached from here.
    with (
        contextlib.suppress(OSError),
        socket.create_connection((host.strip("[]") or "localhost", int(port)), 1),
    ):
        taken = Words(
            ja=f"{bind} では別のサーバーが応答しています。停止するか、SUDARE_BIND に別のアドレスを指定してください",
            en=f"another server answers on {bind}: stop it, or name another address in SUDARE_BIND",
        )
        raise click.ClickException(sentence(taken))


@contextlib.contextmanager
def _serving(data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The real server as a child, its log in a file beside the data."""
    # A file and no pipe: nobody reads while the demonstration talks, and a full pipe would stop the server.
    log = data_dir / "demo-server.log"
    with log.open("wb") as output:
        server = subprocess.Popen([sys.executable, "-m", "api", "serve"], stdout=output, stderr=output)
        # Whoever ends the demonstration, by closing the terminal or otherwise, ends its server too.
        for end in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(end, _leave)
        try:
            yield server
        finally:
            server.send_signal(signal.SIGTERM)
            # Longer than the server's own patience with requests that are still running.
            server.wait(timeout=60)


def _leave(number: int, _frame: object) -> None:
    # As a shell tells of a signal; an exception, so that what is open is closed on the way out.
    sys.exit(128 + number)


def _wait_until_ready(bind: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError):
            # Where another server listens on this address already, it answers, and ours has ended or will soon.
            if _call(bind, "GET", "/readyz")[0] == http.client.OK and server.poll() is None:
                return
        time.sleep(0.05)
    failed = Words(
        ja=f"サーバーが {bind} で起動しませんでした。データ用フォルダの demo-server.log をご覧ください",
        en=f"the server did not start on {bind}; see demo-server.log in the data directory",
    )
    raise click.ClickException(sentence(failed))


def _ask(bind: str, key: str) -> dict[str, Any]:
    # The key would make a retry safe; nothing is retried here, so any new one will do.
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Accept-Language": language(),
        "Idempotency-Key": secrets.token_hex(8),
    }
    body = json.dumps({"mode": "run", **QUESTION})
    status, answer = _call(bind, "POST", f"/v1/datasets/residents/queries?labels={language()}", body, headers)
    if status != http.client.OK:
        why = f"{answer['title']}. {answer['detail']}"
        refused = Words(ja=f"質問が受け付けられませんでした：{why}", en=f"the question was refused: {why}")
        raise click.ClickException(sentence(refused))
    return answer


def _call(
    bind: str, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(bind, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def _show_answer(answer: Mapping[str, Any]) -> None:
    """Print the table with its bounds, what it cost and what is left."""
    click.echo(f"\n{sentence(ASKED)}\n")
    header = tuple(sentence(words) for words in HEADER)
    lines = [header, *map(_cells, answer["rows"])]
    widths = [max(columns(line[place]) for line in lines) for place in range(len(header))]
    for line in lines:
        cells = zip(line, widths, strict=True)
        click.echo("  ".join(" " * (width - columns(text)) + text for text, width in cells))
    charge = answer["charge"]
    cost = TOLD_AGAIN if answer["reused"] else COST.filled(amount=charge["amount"])
    left = [sentence(LEFT.filled(**account)) for account in charge["accounts"]]
    click.echo("\n" + "; ".join([sentence(cost), *left]))


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["sex_label"],
        row["age_label"],
        f"{row['residents']:,}",
        f"{row['residents_low']:,} … {row['residents_high']:,}",
        f"{row['mean_income']:,.0f}",
        f"{row['mean_income_low']:,.0f} … {row['mean_income_high']:,.0f}",
    )


def _show_keys(keys: Mapping[str, str]) -> None:
    click.echo(f"\n{sentence(KEYS)}")
    for who, key in keys.items():
        click.echo(f"  {who}: {key}")


def _show_addresses(bind: str, key: str) -> None:
    """Print where to read on, and a line to paste."""
    click.echo(f"\n{sentence(ADDRESSES.filled(bind=bind))}")
    body = json.dumps({"select": [{"agg": "count"}], "budget": {"epsilon": "0.1"}})
    click.echo(
        f"\ncurl -s http://{bind}/v1/datasets/residents/queries \\\n"
        f"  -H 'Authorization: Bearer {key}' -H 'Idempotency-Key: {secrets.token_hex(8)}' \\\n"
        f"  -H 'Content-Type: application/json' -d '{body}'"
    )
