"""What a backup says of itself is read strictly: whoever wrote it may be nobody's friend."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datasets.database import chain
from datasets.database.revision import newest
from datasets.database.store import sha256_hex
from datasets.operations.errors import BackupRefused, RestoreRefused
from datasets.operations.manifest import FORMAT, MANIFEST, ChainEnd, FileDigest, read_manifest

DIGEST = "0a" * 32
OWN = "installation:" + "ab" * 16
FILE = {"bytes": 3, "sha256": DIGEST}


def content(**changes: Any) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "program": "0.2.0",
        "revision": newest(),
        "installation": OWN,
        "database": "sqlite",
        "at": "2026-11-28T05:00:00.000001Z",
        "chains": {OWN: {"number": 2, "head": DIGEST}, "residents": {"number": 0, "head": ""}},
        "files": {"database.sqlite": FILE, "data/residents/v1-0123456789abcdef/rows.parquet": FILE},
        "absent": ["visits/v1"],
        **changes,
    }


def write(folder: Path, told: dict[str, Any]) -> None:
    signed = told | {"digest": sha256_hex(chain.canonical(told))}
    (folder / MANIFEST).write_text(json.dumps(signed), encoding="utf-8")


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, content())
    made = read_manifest(tmp_path)
    assert made.chains["residents"] == ChainEnd(number=0, head="")
    assert made.absent == ("visits/v1",)
    (tmp_path / MANIFEST).unlink()
    made.write(tmp_path)
    assert read_manifest(tmp_path) == made


def with_end(name: str = "residents", **end: Any) -> dict[str, Any]:
    return {"chains": content()["chains"] | {name: {"number": 1, "head": DIGEST, **end}}}


def with_file(path: str = "data/a/b", **file: Any) -> dict[str, Any]:
    return {"files": content()["files"] | {path: {**FILE, **file}}}


WRONG: list[dict[str, Any]] = [
    *({"format": value} for value in (True, 1.0, "1", None, -1, "\x1b[2J")),
    *({"program": value} for value in (5, None, "", "\x1b[2J", "0.2.0\nfake", "x" * 65, [])),
    *({"revision": value} for value in (5, "\x1b[2J", ["0005"], {})),
    *(
        {"installation": value}
        for value in (5, "installation:", "residents", f"{OWN}\n", "installation:\x1b")
    ),
    *({"installation": f"{OWN}c"}, {"database": "oracle"}, {"database": 5}, {"database": ["sqlite"]}),
    *(
        {"at": value}
        for value in (5, None, "", "yesterday", "\x1b[2J", "2026-11-28", "2026-13-28T05:00:00.000001Z")
    ),
    *(
        {"at": value}
        for value in ("2026-11-28T05:00:00.000001Z\n", "2026-11-28T05:00:00.000001+09:00", ["a"])
    ),
    *(
        {"chains": value}
        for value in ([], None, "abc", {}, {OWN: 5}, {OWN: [1, DIGEST]}, {OWN: {"number": 2}})
    ),
    *(with_end(number=value) for value in ("2", 2.0, True, -1, None, 0)),
    *(with_end(head=value) for value in (5, "", "abc", DIGEST.upper(), f"{DIGEST}\n", None)),
    *(with_end(name) for name in ("", "\x1b[2J", "a\nb", "x" * 300)),
    *(
        {"files": value}
        for value in ([], None, {}, {"database.sqlite": 5}, {"database.sqlite": {"bytes": 3}})
    ),
    *(with_file(bytes=value) for value in ("3", 3.0, True, -1, None)),
    *(with_file(sha256=value) for value in (5, "abc", "", DIGEST.upper(), None)),
    *(
        with_file(path)
        for path in ("", ".", "./a", "a/./b", "a//b", "a/", "/a", "//a", "../a", "a/../b", "..")
    ),
    *(with_file(path) for path in ("a\nb", "a\x1b[2J", "a\0b", "a\u202eb", "a\ud800")),
    *(
        {"absent": value}
        for value in ("abc", None, {"a": 1}, [5], [None], ["/etc"], ["../a"], ["\x1b[2J"], [["a"]])
    ),
    {"more": 1},
    with_end(more=1),
    with_file(more=1),
]


@pytest.mark.parametrize("change", WRONG, ids=ascii)
def test_what_no_backup_writes_is_damage_and_nothing_of_it_is_told(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    told = content(**change)
    try:
        write(tmp_path, told)
    except UnicodeEncodeError:
        signed = told | {"digest": DIGEST}
        (tmp_path / MANIFEST).write_text(json.dumps(signed), encoding="utf-8")
    with pytest.raises(RestoreRefused) as refused:
        read_manifest(tmp_path)
    assert str(refused.value) == f"the backup is damaged: {MANIFEST}"


@pytest.mark.parametrize("name", list(content()))
def test_a_member_that_is_missing_is_damage(tmp_path: Path, name: str) -> None:
    told = content()
    del told[name]
    write(tmp_path, told)
    with pytest.raises(RestoreRefused, match="damaged"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["[]", "5", "null", '"x"', "{}", "\ufeff{}", "[" * 100_000])
def test_another_text_is_damage(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(RestoreRefused, match="damaged"):
        read_manifest(tmp_path)


def test_a_folder_in_its_place_and_a_name_too_long_for_a_disk_are_damage(tmp_path: Path) -> None:
    write(tmp_path, content())
    made = replace(read_manifest(tmp_path), files={"x" * 5_000: FileDigest(bytes=3, sha256=DIGEST)})
    with pytest.raises(RestoreRefused, match="damaged"):
        made.verify(tmp_path, lambda stage, share: None)
    (tmp_path / MANIFEST).unlink()
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(RestoreRefused, match="damaged"):
        read_manifest(tmp_path)


def test_a_backup_with_a_name_that_could_not_be_read_back_is_none(tmp_path: Path) -> None:
    digest = FileDigest(bytes=3, sha256=DIGEST)
    write(tmp_path, content())
    made = read_manifest(tmp_path)
    (tmp_path / MANIFEST).unlink()
    odd = replace(made, files={**made.files, "data/town/v1/a\nb": digest})
    with pytest.raises(BackupRefused, match="no backup was made"):
        odd.write(tmp_path)
    assert list(tmp_path.iterdir()) == []
