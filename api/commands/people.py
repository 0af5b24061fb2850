"""`sudare org` and `sudare user`: who may call the server. A key is printed once and kept nowhere."""

from typing import TYPE_CHECKING, Any

import click

from api.commands.language import sentence
from api.commands.terminal import as_json, echo, operator
from api.services import Services
from datasets.database.closed_lists import ROLES
from privacy.words import Words

if TYPE_CHECKING:
    from datasets.people.service import Organisation, Person
    from datasets.people.titles import Titles

ADDED = Words(ja="組織 {name} を追加しました", en="added organisation {name}")
TITLED = Words(ja="組織 {name} の表示名を変更しました", en="changed the display names of organisation {name}")
ORGANISATION = Words(ja="{name}{titles}  {since} から", en="{name}{titles}  since {since}")
NO_ORGANISATIONS = Words(ja="組織はありません", en="no organisations")
NO_TITLE = Words(
    ja="--title-ja と --title-en の少なくとも一方を指定してください",
    en="give --title-ja, --title-en or both",
)
DISABLED = Words(ja="利用者 {name} を無効化しました", en="disabled {name}")
KEY = Words(
    ja="{name} の API キー（表示は今回限りで、ダイジェストだけが保存されます）：\n{key}",
    en="key of {name} (shown only now; only its digest is kept):\n{key}",
)
USER = Words(
    ja="{name}  {role}  {organisation}  {since} から、API キー発行 {key_made}{earlier}{disabled}",
    en="{name}  {role}  {organisation}  since {since}, key made {key_made}{earlier}{disabled}",
)
UNKNOWN_TIME = Words(ja="日時不明", en="at an unknown time")
EARLIER = Words(ja="（以前のシークレット）", en=" (under the earlier secret)")
DISABLED_AT = Words(ja="、{at} に無効化", en=", disabled {at}")
NO_USERS = Words(ja="利用者はいません", en="no users")

title_ja = click.option("--title-ja", help="What people call it in Japanese.")
title_en = click.option("--title-en", help="What people call it in English.")


@click.group()
def org() -> None:
    """Organisations."""


@org.command("add")
@click.argument("name")
@title_ja
@title_en
@as_json
def add_organisation(name: str, title_ja: str | None, title_en: str | None, as_json: bool) -> None:
    """Add an organisation."""
    titles = _titles(title_ja, title_en)
    Services.from_environment().people.add_organisation(name, by=operator(), titles=titles)
    _tell(ADDED, {"organisation": name, **titles.columns()}, as_json, name=name)


@org.command("title")
@click.argument("name")
@title_ja
@title_en
@as_json
def title_organisation(name: str, title_ja: str | None, title_en: str | None, as_json: bool) -> None:
    """Change what people call an organisation."""
    if title_ja is None and title_en is None:
        raise click.UsageError(sentence(NO_TITLE))
    after = Services.from_environment().people.title_organisation(
        name, _titles(title_ja, title_en), by=operator()
    )
    _tell(TITLED, {"organisation": name, **after.columns()}, as_json, name=name)


@org.command("list")
@as_json
def list_organisations(as_json: bool) -> None:
    """List all organisations."""
    people = Services.from_environment().people
    found: list[Organisation] = []
    while page := people.organisations(after=found[-1].name if found else ""):
        found += page
    text = "\n".join(map(_organisation_line, found)) or sentence(NO_ORGANISATIONS)
    value = [
        {"organisation": one.name, **one.titles.columns(), "created_at": one.created_at} for one in found
    ]
    echo(value, as_json=as_json, text=text)


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
    people = Services.from_environment().people
    _show_key(name, people.add_user(name, organisation=organisation, role=role, by=operator()), as_json)


@user.command("rotate")
@click.argument("name")
@as_json
def rotate(name: str, as_json: bool) -> None:
    """Give a user a new key; the old one ends at once."""
    _show_key(name, Services.from_environment().people.rotate(name, by=operator()), as_json)


@user.command("disable")
@click.argument("name")
@as_json
def disable(name: str, as_json: bool) -> None:
    """End a user's access at once."""
    people = Services.from_environment().people
    people.disable(name, by=operator())
    _tell(DISABLED, _user(people.user(name)), as_json, name=name)


@user.command("enable")
@click.argument("name")
@as_json
def enable(name: str, as_json: bool) -> None:
    """Give a disabled user its access back, with a new key, which is shown only now."""
    _show_key(name, Services.from_environment().people.enable(name, by=operator()), as_json)


@user.command("list")
@as_json
def list_users(as_json: bool) -> None:
    """List all users."""
    people = Services.from_environment().people
    found: list[Person] = []
    while page := people.users(after=found[-1].name if found else ""):
        found += page
    text = "\n".join(map(_user_line, found)) or sentence(NO_USERS)
    echo([_user(person) for person in found], as_json=as_json, text=text)


@user.command("show")
@click.argument("name")
@as_json
def show_user(name: str, as_json: bool) -> None:
    """Show a user."""
    person = Services.from_environment().people.user(name)
    echo(_user(person), as_json=as_json, text=_user_line(person))


def _titles(ja: str | None, en: str | None) -> "Titles":
    from datasets.people.titles import Titles

    return Titles(ja=ja, en=en)


def _tell(words: Words, value: dict[str, Any], as_json: bool, **filling: str) -> None:
    echo(value, as_json=as_json, text=sentence(words.filled(**filling)))


def _show_key(name: str, key: str, as_json: bool) -> None:
    # Printed and not written to a file: whoever runs the command decides where the only copy goes.
    _tell(KEY, {"user": name, "key": key}, as_json, name=name, key=key)


def _organisation_line(one: "Organisation") -> str:
    titles = " / ".join(one.titles.members().values())
    shown = f"  {titles}" if titles else ""
    return sentence(ORGANISATION.filled(name=one.name, titles=shown, since=one.created_at))


def _user(person: "Person") -> dict[str, Any]:
    return {
        "user": person.name,
        "role": person.role,
        "organisation": person.organisation,
        "created_at": person.created_at,
        "disabled_at": person.disabled_at,
        "key_made_at": person.key_made_at,
        "under_earlier_secret": person.under_earlier_secret,
    }


def _user_line(person: "Person") -> str:
    disabled = person.disabled_at
    filled = USER.filled(
        name=person.name,
        role=person.role,
        organisation=person.organisation,
        since=person.created_at,
        key_made=person.key_made_at or sentence(UNKNOWN_TIME),
        earlier=sentence(EARLIER) if person.under_earlier_secret else "",
        disabled=sentence(DISABLED_AT.filled(at=disabled)) if disabled else "",
    )
    return sentence(filled)
