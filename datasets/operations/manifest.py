"""The manifest of a backup: what it is of, where its chains end, and the digest of every file. Written last.

A folder without one is half a backup, and is refused.
"""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self

from datasets.database import chain
from datasets.database.files import create_private, sync
from datasets.database.installation import PREFIX
from datasets.database.revision import newest
from datasets.database.store import sha256_hex
from datasets.database.texts import is_line
from datasets.operations.errors import (
    DAMAGED,
    NO_MANIFEST,
    NOT_RESTORED,
    NOT_WRITTEN,
    OTHER_VERSION,
    BackupRefused,
    RestoreRefused,
)

FORMAT = 1
MANIFEST, DATA, SECRET_KEY = "manifest.json", "data", "secret.key"
DatabaseKind = Literal["sqlite", "postgresql"]
DATABASE_FILES: Mapping[DatabaseKind, str] = {"sqlite": "database.sqlite", "postgresql": "database.dump"}
CHUNK_BYTES = 1 << 20
VERSION = re.compile(r"[0-9A-Za-z.+!_-]{1,64}", re.ASCII)
INSTALLATION = re.compile(re.escape(PREFIX) + r"[0-9a-f]{1,64}", re.ASCII)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
CHAIN_NAME = re.compile(r"[0-9a-z:_-]{1,200}", re.ASCII)

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEnd:
    """The last line of a chain of the journal: its number, 0 where there is none, and its head."""

    number: int
    head: str

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Self:
        """From JSON; raises ValueError, KeyError or TypeError where that is none."""
        made = cls(**content)
        _must(_is_count(made.number), "a number is none")
        _must(made.head == chain.START if made.number == 0 else _is(DIGEST, made.head), "a head is no digest")
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDigest:
    """A file of a backup."""

    bytes: int
    sha256: str

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Self:
        """From JSON; raises ValueError, KeyError or TypeError where that is none."""
        made = cls(**content)
        _must(_is_count(made.bytes) and _is(DIGEST, made.sha256), "a file has no digest")
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A backup. `files` are by their path in it; `absent` are folders of versions that were not there any more."""

    program: str
    revision: str
    installation: str
    database: DatabaseKind
    at: str
    chains: Mapping[str, ChainEnd]
    files: Mapping[str, FileDigest]
    absent: tuple[str, ...]

    @property
    def database_file(self) -> str:
        return DATABASE_FILES[self.database]

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files.values())

    def files_of(self, folder: str) -> dict[str, FileDigest]:
        """The files of a version's folder, by their path in it."""
        within = f"{DATA}/{folder}/"
        return {path.removeprefix(within): self.files[path] for path in self.files if path.startswith(within)}

    def write(self, folder: Path) -> None:
        """Write it whole or not at all, and wait until it is on the disk.

        Raises BackupRefused where a file has a name that no manifest is read with: it could never be restored.
        """
        for path in (*self.files, *self.absent):
            if not _is_inside(path):
                raise BackupRefused(NOT_WRITTEN.filled(cause=ascii(path)))
        content = {"format": FORMAT, **asdict(self), "absent": list(self.absent)}
        content["digest"] = sha256_hex(chain.canonical(content))
        draft = folder / f".{MANIFEST}-{secrets.token_hex(8)}"
        with os.fdopen(create_private(draft), "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(folder / MANIFEST)
        sync(folder)

    def verify(self, folder: Path, progress: Progress) -> None:
        """Read every file of the backup; raises RestoreRefused at the first that is not what was written."""
        done = 0
        for path, expected in self.files.items():
            progress("verify", done / max(1, self.bytes))
            if _found(folder / path) != expected:
                raise RestoreRefused(DAMAGED.filled(file=path))
            done += expected.bytes


def program() -> str:
    """The version of this program."""
    return version("sudare")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup of this program's version; raises RestoreRefused."""
    try:
        text = (folder / MANIFEST).read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise RestoreRefused(NO_MANIFEST.filled(folder=folder)) from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise RestoreRefused(DAMAGED.filled(file=MANIFEST)) from None
    except OSError as failure:
        raise RestoreRefused(NOT_RESTORED.filled(cause=failure.strerror)) from None
    try:
        content = json.loads(text)
        # Before its digest: another version may write another one.
        _must_be_ours(content)
        digest = content.pop("digest")
        if digest != sha256_hex(chain.canonical(content)):
            raise ValueError("the digest is another")
        return _manifest(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RestoreRefused(DAMAGED.filled(file=MANIFEST)) from None


def _must_be_ours(content: Mapping[str, Any]) -> None:
    # Before anything of it is told: it is not signed, and what it says goes to a terminal.
    _must(_is_count(content["format"]), "the format is no number")
    _must(_is(VERSION, content["program"]) and _is(VERSION, content["revision"]), "the version is none")
    if (content["format"], content["revision"]) != (FORMAT, newest()):
        raise RestoreRefused(
            OTHER_VERSION.filled(
                theirs=content["program"],
                their_revision=content["revision"],
                their_format=content["format"],
                ours=program(),
                our_revision=newest(),
                our_format=FORMAT,
            )
        )


def _manifest(content: dict[str, Any]) -> Manifest:
    """From the members of its text. Raises ValueError, KeyError, TypeError or AttributeError."""
    del content["format"]
    _must(isinstance(content["absent"], list), "what is absent is no list")
    content["chains"] = {name: ChainEnd.read(end) for name, end in content["chains"].items()}
    content["files"] = {path: FileDigest.read(file) for path, file in content["files"].items()}
    content["absent"] = tuple(content["absent"])
    made = Manifest(**content)
    _must(_is(TIME, made.at) and datetime.fromisoformat(made.at) is not None, "the time is none")
    _must(_is(INSTALLATION, made.installation) and made.installation in made.chains, "no installation")
    _must(all(_is(CHAIN_NAME, name) for name in made.chains), "the name of a chain is none")
    _must(all(map(_is_inside, (*made.files, *made.absent))), "a path leads out of the backup")
    _must(made.database_file in made.files, "there is no database in it")
    return made


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _is(form: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    # true is an int to Python, and equal to 1.
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_inside(path: object) -> bool:
    """Whether it is the one spelling of a path within the backup: whoever made it could name any file otherwise."""
    if not isinstance(path, str) or not is_line(path):
        return False
    pure = PurePosixPath(path)
    return str(pure) == path and bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts


def _found(file: Path) -> FileDigest | None:
    """A file as it is now; None where it is none or cannot be read."""
    try:
        return None if file.is_symlink() or not file.is_file() else digest_of(file)
    # A name too long for the disk is no file; a disk that cannot read its own file any more damages backups, too.
    except OSError:
        return None


def digest_of(file: Path) -> FileDigest:
    """The digest of a file; raises OSError."""
    digest, count = hashlib.sha256(), 0
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            digest.update(chunk)
            count += len(chunk)
    return FileDigest(bytes=count, sha256=digest.hexdigest())


def copy_file(source: Path, target: Path) -> FileDigest:
    """Copy a file into a new one that only its owner reads, and wait until it is on the disk; its digest."""
    digest, count = hashlib.sha256(), 0
    with source.open("rb") as opened, os.fdopen(create_private(target), "wb") as copy:
        while chunk := opened.read(CHUNK_BYTES):
            digest.update(chunk)
            count += len(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    return FileDigest(bytes=count, sha256=digest.hexdigest())
