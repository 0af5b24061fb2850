"""The sample city as `sudare demo` sets it up: registers, a view of two, people and a budget. Made once, then found."""

import contextlib
import tempfile
import time
from pathlib import Path

import click

from api.commands.language import sentence
from api.commands.terminal import operator
from api.services import Services
from datasets.catalog import NoSuchDataset
from datasets.database.store import migrate
from datasets.descriptor.descriptor import View, parse, read
from datasets.ledger.accounts import Account
from datasets.people.errors import AlreadyThere
from datasets.registration.registry import register, register_view
from datasets.sample import generate
from privacy.budget import Price
from privacy.words import Words

FOLDER = Path(__file__).resolve().parents[2] / "datasets" / "sample"
FILES = {"residents": "residents", "care": "care-benefits", "childcare": "childcare"}
VIEW = "residents-care"
PEOPLE = (
    ("hana", "city", "administrator"),
    ("aoi", "sunrise-research", "analyst"),
    ("sora", "city-portal", "portal"),
)
ANALYST = "aoi"
ALLOTMENT = Price.parse("2")
THERE_ALREADY = Words(ja="架空の市は登録済みです", en="the sample city is registered already")
GENERATING = Words(
    ja="住民 {residents:,} 人の架空の市を作っています…", en="generating a city of {residents:,} residents …"
)
READ = Words(
    ja="{dataset} を登録しました（{rows:,} 行を {seconds:.1f} 秒で読込み）",
    en="registered {dataset}: {rows:,} rows read in {seconds:.1f} s",
)
JOINED = Words(
    ja="{dataset} を登録しました（{rows:,} 行を {seconds:.1f} 秒で結合）",
    en="registered {dataset}: {rows:,} rows joined in {seconds:.1f} s",
)


def set_up(services: Services, *, residents: int) -> dict[str, str]:
    """Set up what is missing of the city; the keys of its people by name. Its connections are closed again."""
    services.settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    migrate(services.store)
    _register_city(services, residents)
    _register_view(services)
    keys = {name: _key(services, name, organisation, role) for name, organisation, role in PEOPLE}
    _allot(services)
    # From here on only the server works with the database, and it is a process of its own.
    services.store.close()
    return keys


def _register_city(services: Services, residents: int) -> None:
    """Generate and register the sample city's files that are not registered yet."""
    missing = [file for file, id in FILES.items() if not _is_registered(services, id)]
    if not missing:
        click.echo(sentence(THERE_ALREADY))
        return
    data_dir = services.settings.data_dir
    # Beside the data and not in /tmp, which is often small and in memory.
    with tempfile.TemporaryDirectory(dir=data_dir) as folder:
        click.echo(sentence(GENERATING).format(residents=residents))
        made = generate(Path(folder), residents=residents, files=missing)
        for file in missing:
            started = time.monotonic()
            registered = register(
                store=services.store,
                data_dir=data_dir,
                descriptor=parse(_described(file)),
                source=made[file],
                actor=operator(),
                progress=lambda stage, share: None,
            )
            seconds = time.monotonic() - started
            rows = registered.report.rows_read
            click.echo(sentence(READ).format(dataset=registered.dataset, rows=rows, seconds=seconds))


def _register_view(services: Services) -> None:
    """Join the residents with their care benefits, once."""
    if _is_registered(services, VIEW):
        return
    started = time.monotonic()
    view = read(_described(VIEW))
    assert isinstance(view, View)
    registered = register_view(
        store=services.store,
        data_dir=services.settings.data_dir,
        view=view,
        actor=operator(),
        progress=lambda stage, share: None,
    )
    seconds = time.monotonic() - started
    rows = registered.report.rows_read
    click.echo(sentence(JOINED).format(dataset=registered.dataset, rows=rows, seconds=seconds))


def _described(file: str) -> str:
    return (FOLDER / f"{file}.yaml").read_text(encoding="utf-8")


def _is_registered(services: Services, id: str) -> bool:
    try:
        services.catalog.current(id)
    except NoSuchDataset:
        return False
    return True


def _key(services: Services, name: str, organisation: str, role: str) -> str:
    """A key for a person of the city."""
    people = services.people
    with contextlib.suppress(AlreadyThere):
        people.add_organisation(organisation, by=operator())
    try:
        return people.add_user(name, organisation=organisation, role=role, by=operator())
    except AlreadyThere:
        # Only digests of keys are kept: the key of an earlier run cannot be shown again.
        return people.rotate(name, by=operator())


def _allot(services: Services) -> None:
    """Give the analyst a budget on each dataset, once."""
    mine = {state.lineage for state in services.ledger.accounts_of_user(user=ANALYST)}
    # None on the view: its sources pay for its answers.
    for id in FILES.values():
        lineage = services.catalog.current(id).lineage
        if lineage not in mine:
            services.ledger.grant(
                lineage=lineage,
                account=Account(kind="user", holder=ANALYST),
                amount=ALLOTMENT,
                reason="demonstration",
                requested_by=operator(),
            )
