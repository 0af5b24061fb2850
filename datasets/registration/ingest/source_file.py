"""A source as it was when it was first looked at. Refuses what is no plain file, and what has changed since.

A registration reads its source several times: for its digest, for the vault, and for the numbers of lines. All of
these must be of one file, or the digest would not be that of the rows that are registered.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from datasets.registration.ingest.errors import ImportProblem
from datasets.registration.ingest.source import is_parquet
from privacy.words import Words

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The absolute path of a source, and what told the file there from others when it was first looked at."""

    path: Path
    size_bytes: int
    identity: tuple[int, ...]

    @classmethod
    def at(cls, path: Path) -> "SourceFile":
        """The file at a path, guarded from now on. Raises ImportProblem for what is no plain file, or packed."""
        absolute = path.absolute()
        is_parquet(absolute)
        status = absolute.stat()
        return cls(absolute, status.st_size, _identity(status))

    def digest(self) -> str:
        """SHA-256 of its bytes, in hexadecimal."""
        digest = hashlib.sha256()
        with self.path.open("rb") as opened:
            # Sources are larger than memory.
            while chunk := opened.read(CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def must_be_unchanged(self) -> None:
        """Raises ImportProblem if another file stands at the path now, or other bytes in this one."""
        try:
            now = _identity(self.path.stat())
        except OSError:
            now = ()
        if now != self.identity:
            raise ImportProblem(
                Words(ja="読取り中に元データが変更されました", en="the source was changed while it was read")
            )


def _identity(status: os.stat_result) -> tuple[int, ...]:
    # No second digest: a source is large. Programs can set the time of a change back, but not that of the status.
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
