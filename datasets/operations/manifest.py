"""The manifest of a backup: what it is of, where its chains end, and the digest of every file. Written last.

A folder without one is half a backup, and is refused.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from datasets.database import chain
from datasets.database.files import create_private, sync
from datasets.database.revision import newest
from datasets.database.store import sha256_hex
from datasets.operations.errors import DAMAGED, NO_MANIFEST, OTHER_VERSION, RestoreRefused

FORMAT = 1
MANIFEST, DATA, SECRET_KEY = "manifest.json", "data", "secret.key"
DatabaseKind = Literal["sqlite", "postgresql"]
DATABASE_FILES: Mapping[DatabaseKind, str] = {"sqlite": "database.sqlite", "postgresql": "database.dump"}
CHUNK_BYTES = 1 << 20

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEnd:
    """The last line of a chain of the journal: its number, 0 where there is none, and its head."""

    number: int
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDigest:
    """A file of a backup."""

    bytes: int
    sha256: str


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
        """Write it whole or not at all, and wait until it is on the disk."""
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
    except UnicodeDecodeError:
        raise RestoreRefused(DAMAGED.filled(file=MANIFEST)) from None
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
    content["chains"] = {name: ChainEnd(**end) for name, end in content["chains"].items()}
    content["files"] = {_inside(path): FileDigest(**file) for path, file in content["files"].items()}
    content["absent"] = tuple(content["absent"])
    made = Manifest(**content)
    if made.database_file not in made.files:
        raise ValueError("there is no database in it")
    return made


def _inside(path: str) -> str:
    """A path within the backup: whoever made it could name a file anywhere otherwise. Raises ValueError."""
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or parts[0] == "/":
        raise ValueError("a path leads out of the backup")
    return path


def _found(file: Path) -> FileDigest | None:
    """A file as it is now; None where it is none or cannot be read."""
    if file.is_symlink() or not file.is_file():
        return None
    try:
        return digest_of(file)
    # A disk that cannot read its own file any more is one way in which backups are damaged.
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
