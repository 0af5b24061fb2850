"""`sudare init`, `serve` and `openapi`: the server made ready, run, and described."""

import os
import sys
from pathlib import Path

import click

from api.commands.language import sentence
from api.server.metrics_folder import with_new_folder
from api.server.serving import hold
from api.services import Services
from api.settings import Settings
from privacy.words import Words

ROOT = Path(__file__).resolve().parents[2]


STARTS = Words(
    ja="{bind} で開始します（{workers} プロセス、各 {threads} スレッド）。停止するには Ctrl-C を押してください",
    en="starting on {bind}: {workers} processes of {threads} threads; Ctrl-C stops them",
)


@click.command()
def init() -> None:
    """Create or upgrade the database, the data directory and the secret."""
    from datasets.database.store import migrate

    services = Services.from_environment()
    services.settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    migrate(services.store)
    services.settings.secret()
    url = services.store.url.render_as_string(hide_password=True)
    click.echo(f"ready: {url}, {services.settings.data_dir}")


@click.command()
def serve() -> None:
    """Serve until stopped (gunicorn, threads, loaded before forking)."""
    _refuse_what_can_never_serve()
    settings = Settings.read()
    # Held again by the server itself; here so that a refusal is a sentence.
    os.close(hold(settings.data_dir))
    click.echo(
        sentence(STARTS.filled(bind=settings.bind, workers=settings.workers, threads=settings.threads)),
        err=True,
    )
    environment = with_new_folder(os.environ)
    command = [sys.executable, "-m", "gunicorn", "--pythonpath", str(ROOT)]
    # This process becomes gunicorn, so that SIGTERM of whoever started it reaches the server itself.
    os.execve(sys.executable, [*command, "--config", "python:api.server.gunicorn", "wsgi:app"], environment)


def _refuse_what_can_never_serve() -> None:
    """Raise InvalidSetting or NotInitialised: gunicorn would wrap a wrong setting in a traceback."""
    from datasets.database.errors import Unavailable

    store = Services.from_environment().store
    try:
        store.must_be_current()
    # A database that is away may come back while the server runs; /readyz says so until then.
    except Unavailable as away:
        click.echo(sentence(away.message()), err=True)
    store.close()


@click.command()
def openapi() -> None:
    """Print openapi.yaml as the code describes it."""
    from api import create_app
    from api.description.openapi import as_yaml

    # A secret is given, since without one a server's would be made and written into the data directory.
    app = create_app(Settings(secret_key="x" * 32))
    click.echo(as_yaml(app.extensions["sudare_openapi"]), nl=False)
