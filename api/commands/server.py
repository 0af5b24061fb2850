"""`sudare init`, `serve` and `openapi`: the server made ready, run, and described."""

import errno
import os
import socket
import sys
from pathlib import Path

import click

from api.commands.language import cause_of, sentence
from api.commands.terminal import operator
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


CANNOT_LISTEN = Words(ja="{bind} で待ち受けできません：{cause}", en="cannot listen on {bind}: {cause}")
TAKEN = Words(ja="別のプロセスが使用しています", en="another process uses it")
ROTATE_ALL = Words(
    ja="秘密鍵を変更しました。すべての利用者の API キーを再発行してください（sudare user list、sudare user rotate）",
    en="the secret is another now: give everybody a new key (sudare user list, sudare user rotate)",
)
READY = Words(ja="準備ができました：{url}、{folder}", en="ready: {url}, {folder}")


@click.command()
@click.option(
    "--new-secret",
    is_flag=True,
    help="Take the secret though the keys were made under another: every key has to be rotated.",
)
def init(new_secret: bool) -> None:
    """Create or upgrade the database, the data directory and the secret."""
    from datasets.database.owner import claim
    from datasets.database.store import migrate

    services = Services.from_environment()
    services.settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    services.settings.must_name_secret()  # before anything is changed
    migrate(services.store)
    claim(services.settings.data_dir, services.store)
    if new_secret:
        services.settings.secret()  # made here, since elsewhere a lost one is not replaced
        services.people.accept_secret(by=operator())
    services.people.prove_secret(by=operator())
    url = services.store.url.render_as_string(hide_password=True)
    click.echo(sentence(READY.filled(url=url, folder=services.settings.data_dir)))
    if new_secret:
        click.echo(sentence(ROTATE_ALL))


@click.command()
def serve() -> None:
    """Serve until stopped (gunicorn, threads, loaded before forking)."""
    _refuse_what_can_never_serve()
    settings = Settings.read()
    _must_be_able_to_listen(settings.bind)
    # Held again by the server itself; here so that a refusal is a sentence.
    os.close(hold(settings.data_dir))
    click.echo(
        sentence(STARTS.filled(bind=settings.bind, workers=settings.workers, threads=settings.threads)),
        err=True,
    )
    environment = with_new_folder(os.environ)
    # Found through the path alone, wherever the server is started from: `-P` leaves that folder out.
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))
    command = [sys.executable, "-P", "-m", "api.server"]
    # This process becomes gunicorn, so that SIGTERM of whoever started it reaches the server itself.
    os.execve(sys.executable, [*command, "--config", "python:api.server.gunicorn", "wsgi:app"], environment)


def _refuse_what_can_never_serve() -> None:
    """Raise InvalidSetting, NotInitialised or WrongSecret: gunicorn would wrap a wrong setting in a traceback."""
    from datasets.database.errors import Unavailable

    services = Services.from_environment()
    store = services.store
    services.settings.must_name_secret()
    try:
        store.must_be_current()
        services.people.prove_secret(by=operator())
    # A database that is away may come back while the server runs; /readyz says so until then.
    except Unavailable as away:
        click.echo(sentence(away.message()), err=True)
    store.close()


def _must_be_able_to_listen(bind: str) -> None:
    """Raise ClickException where nobody can listen: gunicorn would try for five seconds, and say so line by line."""
    # Whoever started us has opened the socket and hands it on (systemd's socket units).
    if "LISTEN_FDS" in os.environ:
        return
    try:
        _listen(bind)
    except OSError as fault:
        cause = sentence(TAKEN) if fault.errno == errno.EADDRINUSE else cause_of(fault)
        raise click.ClickException(sentence(CANNOT_LISTEN).format(bind=bind, cause=cause)) from None


def _listen(bind: str) -> None:
    """Listen for a moment, as gunicorn will. Raises OSError."""
    if bind.startswith("unix:"):
        _look_at_socket(bind.removeprefix("unix:"))
        return
    host, _, port = bind.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]") or "0.0.0.0", int(port), type=socket.SOCK_STREAM)[0]
    with socket.socket(found[0], socket.SOCK_STREAM) as probe:
        # As gunicorn does: connections of an earlier server that are not quite over are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(found[4])


def _look_at_socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        # Nothing there, or a socket that nobody listens at: gunicorn makes it anew.
        except (FileNotFoundError, ConnectionRefusedError):
            if not os.access(Path(path).parent, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
            return
        # Without this gunicorn would take the address away from the server that answers there.
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


@click.command()
def openapi() -> None:
    """Print openapi.yaml as the code describes it."""
    from api import create_app
    from api.description.openapi import as_yaml

    # A secret is given, since without one a server's would be made and written into the data directory.
    app = create_app(Settings(secret_key="x" * 32))
    click.echo(as_yaml(app.extensions["sudare_openapi"]), nl=False)
