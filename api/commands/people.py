"""`sudare org` and `sudare user`: who may call the server. A key is printed once and kept nowhere."""

import click

from api.commands.terminal import as_json, echo, operator
from api.services import Services
from datasets.database.closed_lists import ROLES


@click.group()
def org() -> None:
    """Organisations."""


@org.command("add")
@click.argument("name")
def add_organisation(name: str) -> None:
    """Add an organisation."""
    Services.from_environment().people.add_organisation(name, by=operator())
    click.echo(f"added organisation {name}")


@click.group()
def user() -> None:
    """Users and their keys."""


@user.command("add")
@click.argument("name")
@click.option("--org", "organisation", required=True)
@click.option("--role", required=True, type=click.Choice(ROLES))
@as_json
def add_user(name: str, organisation: str, role: str, as_json: bool) -> None:
    """Add a user and print its key, which is shown only now."""
    key = Services.from_environment().people.add_user(
        name, organisation=organisation, role=role, by=operator()
    )
    _show_key(name, key, as_json)


@user.command("rotate")
@click.argument("name")
@as_json
def rotate(name: str, as_json: bool) -> None:
    """Give a user a new key; the old one ends at once."""
    _show_key(name, Services.from_environment().people.rotate(name, by=operator()), as_json)


@user.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """End a user's access at once."""
    Services.from_environment().people.disable(name, by=operator())
    click.echo(f"disabled {name}")


def _show_key(name: str, key: str, as_json: bool) -> None:
    # Printed and not written to a file: whoever runs the command decides where the only copy goes.
    text = f"key of {name} (shown only now; only its digest is kept):\n{key}"
    echo({"user": name, "key": key}, as_json=as_json, text=text)
