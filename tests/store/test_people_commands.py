"""`sudare org` and `sudare user`, as an operator runs them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.commands.main import main
from datasets.people import service

Sudare = Callable[..., str]


@pytest.fixture
def sudare(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sudare:
    monkeypatch.setenv("SUDARE_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("SUDARE_DATA_DIR", str(tmp_path / "data"))

    def run(*words: str, exit_code: int = 0) -> str:
        result = CliRunner().invoke(main, list(words), catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return result.output

    run("org", "add", "shop", "--title-ja", "商店")
    run("user", "add", "aoi", "--org", "shop", "--role", "analyst")
    return run


def test_a_user_is_disabled_and_enabled_with_a_new_key(sudare: Sudare) -> None:
    disabled = json.loads(sudare("user", "disable", "aoi", "--json"))
    assert disabled["disabled_at"] is not None
    assert "user aoi is disabled: `sudare user enable aoi`" in sudare("user", "rotate", "aoi", exit_code=1)
    assert f", disabled {disabled['disabled_at']}" in sudare("user", "show", "aoi")
    assert json.loads(sudare("user", "enable", "aoi", "--json"))["key"].startswith("sdr_")
    shown = json.loads(sudare("user", "show", "aoi", "--json"))
    assert (shown["disabled_at"], shown["under_earlier_secret"]) == (None, False)
    assert shown["key_made_at"] > shown["created_at"]
    assert "user aoi is not disabled" in sudare("user", "enable", "aoi", exit_code=1)
    assert "no user eve" in sudare("user", "show", "eve", exit_code=1)
    kinds = [json.loads(json.loads(line)["body"])["kind"] for line in sudare("ledger", "export").splitlines()]
    assert kinds[-3:] == ["user_disabled", "user_enabled", "key_rotated"]
    assert "agree" in sudare("ledger", "verify")


def test_lists_show_everybody_however_many(sudare: Sudare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE_ROWS_MAX", 2)
    for name in ("ren", "sora", "mei", "noa"):
        sudare("org", "add", name)
        sudare("user", "add", name, "--org", name, "--role", "monitor")
    people = json.loads(sudare("user", "list", "--json"))
    assert [(one["user"], one["role"]) for one in people] == [
        ("aoi", "analyst"),
        *((name, "monitor") for name in ("mei", "noa", "ren", "sora")),
    ]
    assert len(sudare("user", "list").splitlines()) == 5
    assert [one["organisation"] for one in json.loads(sudare("org", "list", "--json"))] == [
        "mei",
        "noa",
        "ren",
        "shop",
        "sora",
    ]


def test_a_key_under_the_earlier_secret_is_marked(
    sudare: Sudare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = (tmp_path / "data" / "secret.key").read_text()
    monkeypatch.setenv("SUDARE_SECRET_KEY", "n" * 40)
    assert "not the one" in sudare("user", "rotate", "aoi", exit_code=1)
    monkeypatch.setenv("SUDARE_SECRET_KEY_PREVIOUS", old)
    sudare("init")
    sudare("user", "add", "mei", "--org", "shop", "--role", "analyst")
    assert ["under the earlier secret" in line for line in sudare("user", "list").splitlines()] == [
        True,
        False,
    ]
    sudare("user", "rotate", "aoi")
    assert "under the earlier secret" not in sudare("user", "list")


def test_organisations_have_display_names(sudare: Sudare) -> None:
    assert "商店" in sudare("org", "list")
    sudare("org", "title", "shop", "--title-en", "The shop")
    assert "商店 / The shop" in sudare("org", "list")
    assert "give --title-ja, --title-en or both" in sudare("org", "title", "shop", exit_code=2)
    assert "no organisation x" in sudare("org", "title", "x", "--title-en", "X", exit_code=1)
    assert "a display name has 1 to 100" in sudare("org", "add", "y", "--title-ja", "a\x1b[1m", exit_code=1)
    assert "y" not in [one["organisation"] for one in json.loads(sudare("org", "list", "--json"))]


def test_all_of_it_is_told_in_japanese(sudare: Sudare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDARE_LANGUAGE", "ja")
    assert sudare("org", "add", "museum") == "組織 museum を追加しました\n"
    assert sudare("org", "title", "museum", "--title-ja", "博物館") == "組織 museum の表示名を変更しました\n"
    assert sudare("user", "add", "mei", "--org", "museum", "--role", "auditor").startswith(
        "mei の API キー（表示は今回限り"
    )
    assert sudare("user", "disable", "mei") == "利用者 mei を無効化しました\n"
    assert "に無効化" in sudare("user", "list")
    assert "利用者 mei は無効化されています" in sudare("user", "rotate", "mei", exit_code=1)
    assert "商店" in sudare("org", "list")
