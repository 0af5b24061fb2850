"""`sudare demo`: from nothing to a private answer over HTTP. Safe to run again: it finds what it made."""

import contextlib
import http.client
import json
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from api.commands.main import Office, operator
from datasets.catalog import NoSuchDataset
from datasets.database.store import migrate
from datasets.descriptor.descriptor import View, parse, read
from datasets.ledger.ledger import Account
from datasets.people.errors import AlreadyThere
from datasets.registration.registry import register, register_view
from datasets.sample import generate
from privacy.budget import Price

FOLDER = Path(__file__).resolve().parents[2] / "datasets" / "sample"
FILES = {"residents": "residents", "care": "care-benefits", "childcare": "childcare"}
VIEW = "residents-care"
PEOPLE = (
    ("hana", "city", "administrator"),
    ("aoi", "sunrise-research", "analyst"),
    ("sora", "city-portal", "portal"),
)
ALLOTMENT = Price.parse("2")
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


def run(*, once: bool, residents: int) -> int:
    """Set up, serve, ask, print; then serve on until Ctrl-C unless `once`. Returns the exit code."""
    office = Office()
    office.settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    migrate(office.store)
    _register_city(office, residents)
    _register_view(office)
    keys = {name: _key(office, name, organisation, role) for name, organisation, role in PEOPLE}
    _allot(office)
    office.store.close()
    with _serving() as server:
        _wait_until_ready(office.settings.bind, server)
        answer = _ask(office.settings.bind, keys["aoi"])
        _tell(answer)
        _tell_how_to_go_on(office.settings.bind, keys)
        if once:
            return 0
        click.echo("\nServing. Press Ctrl-C to stop.")
        with contextlib.suppress(KeyboardInterrupt):
            return server.wait()
    return 0


def _register_city(office: Office, residents: int) -> None:
    """Generate and register the sample city's files that are not registered yet."""
    missing = [file for file, id in FILES.items() if not _is_registered(office, id)]
    if not missing:
        click.echo("the sample city is registered already")
        return
    with tempfile.TemporaryDirectory(dir=office.settings.data_dir) as folder:
        click.echo(f"generating a city of {residents:,} residents …")
        made = generate(Path(folder), residents=residents, files=missing)
        for file in missing:
            started = time.monotonic()
            registered = register(
                store=office.store,
                data_dir=office.settings.data_dir,
                descriptor=parse((FOLDER / f"{file}.yaml").read_text(encoding="utf-8")),
                source=made[file],
                actor=operator(),
                progress=lambda stage, share: None,
            )
            seconds = time.monotonic() - started
            rows = registered.report.rows_read
            click.echo(f"registered {registered.dataset}: {rows:,} rows read in {seconds:.1f} s")


def _register_view(office: Office) -> None:
    """Join the residents with their care benefits, once."""
    if _is_registered(office, VIEW):
        return
    started = time.monotonic()
    view = read((FOLDER / f"{VIEW}.yaml").read_text(encoding="utf-8"))
    assert isinstance(view, View)
    registered = register_view(
        store=office.store,
        data_dir=office.settings.data_dir,
        view=view,
        actor=operator(),
        progress=lambda stage, share: None,
    )
    seconds = time.monotonic() - started
    rows = registered.report.rows_read
    click.echo(f"registered {registered.dataset}: {rows:,} rows joined in {seconds:.1f} s")


def _is_registered(office: Office, id: str) -> bool:
    try:
        office.catalog.current(id)
    except NoSuchDataset:
        return False
    return True


def _key(office: Office, name: str, organisation: str, role: str) -> str:
    """A key for a user of the demonstration; a new one at every run, since none is kept."""
    people = office.people
    with contextlib.suppress(AlreadyThere):
        people.add_organisation(organisation)
    try:
        return people.add_user(name, organisation=organisation, role=role)
    except AlreadyThere:
        return people.rotate(name)


def _allot(office: Office) -> None:
    """Give the analyst a budget on each dataset, once."""
    mine = {state.lineage for state in office.ledger.accounts_of_user(user="aoi")}
    for id in FILES.values():
        lineage = office.catalog.current(id).lineage
        if lineage not in mine:
            office.ledger.grant(
                lineage=lineage,
                account=Account(kind="user", holder="aoi"),
                amount=ALLOTMENT,
                reason="demonstration",
                requested_by=operator(),
            )


@contextlib.contextmanager
def _serving() -> Iterator[subprocess.Popen[bytes]]:
    """The real server as a child, its log in a file beside the data."""
    log = Office().settings.data_dir / "demo-server.log"
    with log.open("wb") as output:
        server = subprocess.Popen([sys.executable, "-m", "api", "serve"], stdout=output, stderr=output)
        try:
            yield server
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=60)


def _wait_until_ready(bind: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError):
            if _call(bind, "GET", "/readyz")[0] == http.client.OK and server.poll() is None:
                return
        time.sleep(0.05)
    raise click.ClickException(
        f"the server did not start on {bind}; see demo-server.log in the data directory"
    )


def _ask(bind: str, key: str) -> dict[str, Any]:
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Idempotency-Key": secrets.token_hex(8),
    }
    body = json.dumps({"mode": "run", **QUESTION})
    status, answer = _call(bind, "POST", "/v1/datasets/residents/queries", body, headers)
    if status != http.client.OK:
        raise click.ClickException(f"the question was refused: {answer['title']}. {answer['detail']}")
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


def _tell(answer: dict[str, Any]) -> None:
    """Print the table with its bounds, what it cost and what is left."""
    click.echo("\nHow many residents of 20 and over are there, and what do they earn on average?\n")
    header = ("sex", "age", "residents", "95 % bounds", "mean income (JPY)", "95 % bounds")
    lines = [header]
    for row in answer["rows"]:
        lines.append(
            (
                row["sex"],
                row["age"],
                f"{row['residents']:,}",
                f"{row['residents_low']:,} … {row['residents_high']:,}",
                f"{row['mean_income']:,.0f}",
                f"{row['mean_income_low']:,.0f} … {row['mean_income_high']:,.0f}",
            )
        )
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    for line in lines:
        click.echo("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))
    charge = answer["charge"]
    told = "told again, free" if answer["reused"] else f"cost ε {charge['amount']}"
    left = "; ".join(
        f"{account['account']} has {account['remaining']} left" for account in charge["accounts"]
    )
    click.echo(f"\n{told}; {left}")


def _tell_how_to_go_on(bind: str, keys: dict[str, str]) -> None:
    """Print keys, addresses and a line to paste."""
    click.echo("\nkeys (shown only now):")
    for name, _, role in PEOPLE:
        click.echo(f"  {name} ({role}): {keys[name]}")
    click.echo(f"\nAPI description: http://{bind}/docs   datasets: http://{bind}/v1/datasets")
    body = json.dumps({"select": [{"agg": "count"}], "budget": {"epsilon": "0.1"}})
    click.echo(
        f"\ncurl -s http://{bind}/v1/datasets/residents/queries \\\n"
        f"  -H 'Authorization: Bearer {keys['aoi']}' -H 'Idempotency-Key: {secrets.token_hex(8)}' \\\n"
        f"  -H 'Content-Type: application/json' -d '{body}'"
    )
