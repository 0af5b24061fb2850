"""`sudare`: the operator's commands. Exit codes: 0 done, 1 refused or found wanting, 2 wrong use (`deid` adds 3)."""

import getpass
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from api.budgets.balances import PRICE_NAMES, balance
from api.commands.deid import deid
from api.commands.language import refusal_text
from api.settings import Settings
from datasets.catalog import Catalog, DatasetVersion, LineageMembers
from datasets.database.store import Store, migrate, now
from datasets.database.tables import ROLES
from datasets.descriptor.descriptor import Descriptor, View, read
from datasets.ledger.ledger import Account, AccountState, Ledger
from datasets.people.service import People
from datasets.registration.ingest import ColumnCounts, IngestReport, check
from datasets.registration.registry import Registered, register, register_view
from privacy import delta
from privacy.budget import InvalidAmount, Price
from privacy.refusal import Refusal

ROOT = Path(__file__).resolve().parents[2]
VIEW_HAS_NO_DATA = "this describes a view, which is joined from registered datasets: leave --data out"


class Refusing(click.Group):
    """A group of commands that turns every refusal into a sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            raise click.ClickException(refusal_text(refusal)) from None


class Office:
    """The parts that commands work with, made from the settings when first needed."""

    def __init__(self) -> None:
        self.settings = Settings.read()
        self.store = Store(self.settings.database_url)
        self.ledger = Ledger(self.store)
        self.catalog = Catalog(self.store, self.settings.data_dir)

    @property
    def people(self) -> People:
        return People(self.store, self.settings.secret())


class PriceParameter(click.ParamType[Price]):
    """A positive decimal."""

    name = "decimal"

    def convert(self, value: Any, param: Any, ctx: Any) -> Price:
        try:
            return value if isinstance(value, Price) else Price.parse(value)
        except InvalidAmount as refusal:
            self.fail(refusal_text(refusal), param, ctx)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=Refusing, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Sudare: differentially private statistics from registers of local governments."""


main.add_command(deid)


def echo(value: Any, *, as_json: bool, text: str) -> None:
    """Print a result for programs or for people."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2) if as_json else text)


@main.command()
def init() -> None:
    """Create or upgrade the database, the data directory and the secret."""
    office = Office()
    office.settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    migrate(office.store)
    office.settings.secret()
    click.echo(f"ready: {office.store.url.render_as_string(hide_password=True)}, {office.settings.data_dir}")


@main.command()
def serve() -> None:
    """Serve until stopped (gunicorn, threads, loaded before forking)."""
    Settings.read()
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": tempfile.mkdtemp(prefix="sudare-metrics-")}
    command = [sys.executable, "-m", "gunicorn", "--pythonpath", str(ROOT)]
    os.execve(sys.executable, [*command, "--config", "python:api.server.gunicorn", "wsgi:app"], environment)


@main.command()
@click.option("--once", is_flag=True, help="Stop after the question.")
@click.option("--residents", default=200_000, show_default=True, help="Residents of the sample city.")
def demo(once: bool, residents: int) -> None:
    """Set up the sample city, ask one question over HTTP, and serve until Ctrl-C."""
    from api.commands import demo as stage

    sys.exit(stage.run(once=once, residents=residents))


@main.group()
def org() -> None:
    """Organisations."""


@org.command("add")
@click.argument("name")
def add_organisation(name: str) -> None:
    """Add an organisation."""
    Office().people.add_organisation(name)
    click.echo(f"added organisation {name}")


@main.group()
def user() -> None:
    """Users and their keys."""


@user.command("add")
@click.argument("name")
@click.option("--org", "organisation", required=True)
@click.option("--role", required=True, type=click.Choice(ROLES))
@as_json
def add_user(name: str, organisation: str, role: str, as_json: bool) -> None:
    """Add a user and print its key, which is shown only now."""
    key = Office().people.add_user(name, organisation=organisation, role=role)
    _show_key(name, key, as_json)


@user.command("rotate")
@click.argument("name")
@as_json
def rotate(name: str, as_json: bool) -> None:
    """Give a user a new key; the old one ends at once."""
    _show_key(name, Office().people.rotate(name), as_json)


@user.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """End a user's access at once."""
    Office().people.disable(name)
    click.echo(f"disabled {name}")


def _show_key(name: str, key: str, as_json: bool) -> None:
    text = f"key of {name} (shown only now; only its digest is kept):\n{key}"
    echo({"user": name, "key": key}, as_json=as_json, text=text)


@main.group()
def dataset() -> None:
    """Datasets: check, register, list, show, retire."""


existing = click.Path(exists=True, path_type=Path)


def _described(file: Path) -> Descriptor | View:
    try:
        return read(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is not UTF-8 text") from None
    except OSError:
        raise click.ClickException(f"{file} cannot be read") from None


@dataset.command("check")
@click.argument("descriptor", type=existing)
@click.option("--data", type=existing, help="Also read this source and report on it.")
@as_json
def check_dataset(descriptor: Path, data: Path | None, as_json: bool) -> None:
    """Check a descriptor, and a source against it, without registering anything."""
    described = _described(descriptor)
    if isinstance(described, View) and data is not None:
        raise click.UsageError(VIEW_HAS_NO_DATA)
    if isinstance(described, View) or data is None:
        is_view = isinstance(described, View)
        id, columns = _summary(described)
        text = f"{descriptor}: {id}, {columns} columns, no faults"
        if is_view:
            text += " in itself; whether its sources allow it is seen when it is registered"
        echo({"id": id, "columns": columns}, as_json=as_json, text=text)
        return
    with _progress() as progress:
        report = check(described, data, progress)
    _show_report(report, as_json)
    if any(problem.kind == "unreadable" for problem in report.problems):
        sys.exit(1)


def _summary(described: Descriptor | View) -> tuple[str, int]:
    if isinstance(described, View):
        return described.id, len(described.columns)
    return described.schema.id, len(described.schema.columns)


@dataset.command("register")
@click.argument("descriptor", type=existing)
@click.option("--data", type=existing, help="CSV or Parquet; a view has none.")
@as_json
def register_dataset(descriptor: Path, data: Path | None, as_json: bool) -> None:
    """Register a source, or a view of registered datasets, as a dataset's next version."""
    office = Office()
    described = _described(descriptor)
    with _progress() as progress:
        made = _register(office, described, data, progress)
    if not as_json:
        click.echo(f"{made.dataset} version {made.version} is serving")
    _show_report(made.report, as_json, dataset=made.dataset, version=made.version)


def _register(
    office: Office, described: Descriptor | View, data: Path | None, progress: Callable[[str, float], None]
) -> Registered:
    store, data_dir = office.store, office.settings.data_dir
    if isinstance(described, View):
        if data is not None:
            raise click.UsageError(VIEW_HAS_NO_DATA)
        return register_view(
            store=store, data_dir=data_dir, view=described, actor=operator(), progress=progress
        )
    if data is None:
        raise click.UsageError("give --data: the source of the dataset, CSV or Parquet")
    return register(
        store=store,
        data_dir=data_dir,
        descriptor=described,
        source=data,
        actor=operator(),
        progress=progress,
    )


def operator() -> str:
    """Who answers for a command: the login name."""
    return f"operator:{getpass.getuser()}"[:64]


class _progress:  # noqa: N801 - used as a context manager like a function
    """A progress bar on standard error; quiet where that is no terminal."""

    def __enter__(self) -> Callable[[str, float], None]:
        self._bar = click.progressbar(length=1000, file=sys.stderr, label="import", width=30)
        self._bar.__enter__()
        self._done = 0
        return self._show

    def _show(self, stage: str, share: float) -> None:
        self._bar.label = stage
        steps = max(0, int(share * 1000) - self._done)
        self._done += steps
        self._bar.update(steps)

    def __exit__(self, *exit: Any) -> None:
        self._bar.__exit__(*exit)


def _show_report(report: IngestReport, as_json: bool, **about: Any) -> None:
    """The operator's report: counts, and problems by line and column, never a value."""
    body = {**about, **asdict(report)}
    kept = ", ".join(f"{bound}: {share:.1%}" for bound, share in report.kept_by_bound.items())
    lines = [
        f"{report.rows_read} rows read, {report.rows_kept} kept of {report.persons} persons",
        f"{report.rows_without_person} named no person, {report.dropped_by_bound} were beyond the bound",
        *(f"  {name}: {_counted(counts)}" for name, counts in report.columns.items()),
        f"share of the rows that a bound of k rows a person keeps: {kept}",
        *(f"  line {problem.line}, {problem.column}: {problem.kind}" for problem in report.problems),
    ]
    echo(body, as_json=as_json, text="\n".join(lines))


def _counted(counts: ColumnCounts) -> str:
    found = [f"{number} {name}" for name, number in asdict(counts).items() if number]
    return ", ".join(found) or "all cells as declared"


@dataset.command("list")
@as_json
def list_datasets(as_json: bool) -> None:
    """List the datasets."""
    items = [
        {
            "id": held.id,
            "version": held.version,
            **_terms(held),
            "title": held.schema.title,
            "retired": held.retired,
        }
        for held in Office().catalog.all()
    ]
    lines = [
        f"{item['id']} v{item['version']} {item['measure']}{_origin(item)}"
        f"{' (retired)' if item['retired'] else ''}"
        for item in items
    ]
    echo(items, as_json=as_json, text="\n".join(lines) or "no datasets")


@dataset.command("show")
@click.argument("id")
@as_json
def show_dataset(id: str, as_json: bool) -> None:
    """Show a dataset's terms and its accounts."""
    office = Office()
    held = office.catalog.current(id)
    states = [state for state in _all_accounts(office) if state.lineage in held.lineages]
    columns = [column.name for column in held.schema.columns]
    members = office.catalog.lineage_members()
    accounts = [_account(state, members) for state in states]
    body = {
        "id": held.id,
        "version": held.version,
        **_terms(held),
        "registered_at": held.registered_at,
        "retired": held.retired,
        "columns": columns,
        "max_rows_per_person": held.schema.rows_per_person,
        "accounts": accounts,
    }
    first = f"{held.id} v{held.version} {held.schema.measure}{_origin(body)}: {', '.join(columns)}"
    echo(body, as_json=as_json, text="\n".join([first, *map(_account_text, accounts)]))


def _terms(held: DatasetVersion) -> dict[str, Any]:
    """Which accounts pay for a dataset's answers, in what, and what a view was joined from."""
    terms: dict[str, Any] = {"lineage": held.lineage, "measure": held.schema.measure}
    if held.schema.delta is not None:
        terms["delta"] = delta.shown(delta.atto_of(held.schema.delta))
    if held.is_view:
        terms |= {"lineages": held.lineages, "sources": held.sources}
    return terms


def _origin(item: Mapping[str, Any]) -> str:
    """The datasets and versions that a view was joined from, in words; nothing for others."""
    sources = item.get("sources", {})
    named = ", ".join(f"{id} v{version}" for id, version in sources.items())
    return f" (a view of {named})" if sources else ""


@dataset.command("retire")
@click.argument("id")
def retire(id: str) -> None:
    """Stop answering new questions; what was told and spent stays."""
    Office().catalog.retire(id, at=now())
    click.echo(f"retired {id}")


@main.command()
@click.option("--dataset", "id", required=True)
@click.option("--user", "to_user")
@click.option("--org", "to_organisation")
@click.option("--dataset-cap", is_flag=True, help="Raise the cap over everybody; needs a second person.")
@click.option("--epsilon", type=PriceParameter(), help="How much, where the measure is pure.")
@click.option("--rho", type=PriceParameter(), help="How much, where the measure is zcdp.")
@click.option("--reason", required=True)
@click.option("--approved-by", help="The second person, for --dataset-cap.")
@as_json
def grant(
    id: str,
    to_user: str | None,
    to_organisation: str | None,
    dataset_cap: bool,
    epsilon: Price | None,
    rho: Price | None,
    reason: str,
    approved_by: str | None,
    as_json: bool,
) -> None:
    """Grant budget, with a reason, to a user, an organisation, or a dataset's cap."""
    office = Office()
    held = office.catalog.current(id)
    if held.is_view:
        raise click.ClickException(
            f"{id} is a view, whose answers its sources pay for: grant on {', '.join(held.sources)}"
        )
    amount = _amount(held, epsilon=epsilon, rho=rho)
    named = [bool(to_user), bool(to_organisation), dataset_cap]
    if sum(named) != 1:
        raise click.UsageError("give exactly one of --user, --org, --dataset-cap")
    account = Account(kind="dataset", holder=held.lineage)
    if to_user or to_organisation:
        account = Account(kind="user" if to_user else "organisation", holder=to_user or to_organisation or "")
    made = office.ledger.grant(
        lineage=held.lineage,
        account=account,
        amount=amount,
        reason=reason,
        requested_by=operator(),
        approved_by=approved_by,
    )
    name = PRICE_NAMES[held.schema.measure]
    text = f"granted {name} {amount} to {account.kind}:{account.holder} on {id}"
    if made.state == "pending":
        text = (
            f"{made.id}: {name} {amount} more for the cap of {id} waits for a second person: an administrator "
            f"approves it by POST /v1/grants/{made.id}/decision, or name one by --approved-by"
        )
    echo({"id": made.id, "state": made.state, name: str(amount)}, as_json=as_json, text=text)


def _amount(held: DatasetVersion, *, epsilon: Price | None, rho: Price | None) -> Price:
    """The one amount that was given, in the dataset's measure."""
    given = {"epsilon": epsilon, "rho": rho}
    fitting = PRICE_NAMES[held.schema.measure]
    amount = given.pop(fitting)
    (other,) = given.values()
    if amount is None or other is not None:
        raise click.UsageError(
            f"{held.id} is accounted in {held.schema.measure}: give --{fitting}, and nothing else"
        )
    return amount


@main.group()
def budget() -> None:
    """Budgets."""


@budget.command("show")
@click.option("--dataset", "id")
@click.option("--user", "of_user")
@as_json
def show_budgets(id: str | None, of_user: str | None, as_json: bool) -> None:
    """Show accounts: granted, spent, remaining; in ρ where the measure is zcdp, then also as (ε, δ)."""
    office = Office()
    states = office.ledger.accounts_of_user(user=of_user) if of_user else _all_accounts(office)
    if id is not None:
        lineages = office.catalog.current(id).lineages
        states = [state for state in states if state.lineage in lineages]
    members = office.catalog.lineage_members()
    items = [_account(state, members) for state in states]
    echo(items, as_json=as_json, text="\n".join(map(_account_text, items)) or "no accounts")


def _all_accounts(office: Office) -> list[AccountState]:
    states: list[AccountState] = []
    while page := office.ledger.all_accounts(after=states[-1] if states else None):
        states += page
    return states


def _account(state: AccountState, members: Mapping[str, LineageMembers]) -> dict[str, Any]:
    family = members[state.lineage]
    ids = "+".join(family.names)
    return {
        "dataset": ids,
        "account": f"{state.kind}:{ids if state.kind == 'dataset' else state.holder}",
        **balance(state, family),
    }


def _account_text(item: Mapping[str, Any]) -> str:
    text = f"{item['dataset']}  {item['account']}: {item['spent']} of {item['granted']} spent"
    if item["measure"] == "pure":
        return text
    shown = item["spent_as"]
    text += f" (ρ), which is ε {shown['epsilon']} at δ {shown['delta']}"
    if "delta_cap" in item:
        text += f"; {item['delta_spent']} of {item['delta_cap']} spent of δ"
    return text


@main.group()
def ledger() -> None:
    """The ledger: verify it, export its journal."""


@ledger.command("verify")
@as_json
def verify(as_json: bool) -> None:
    """Recompute every chain and balance; exit 1 if anything disagrees."""
    lines = 0

    def count(read: int) -> None:
        nonlocal lines
        lines = read

    findings = Office().ledger.verify(count)
    text = "\n".join(map(str, findings)) or f"{lines} journal lines: chains and balances agree"
    body = {"lines": lines, "findings": [str(finding) for finding in findings]}
    echo(body, as_json=as_json, text=text)
    if findings:
        sys.exit(1)


@ledger.command("export")
def export() -> None:
    """Write the journal as JSON lines, with heads."""
    Office().ledger.export(sys.stdout.write)


@main.command()
def openapi() -> None:
    """Print openapi.yaml as the code describes it."""
    from api import create_app
    from api.description.openapi import as_yaml

    app = create_app(Settings(secret_key="x" * 32))
    click.echo(as_yaml(app.extensions["sudare_openapi"]), nl=False)
