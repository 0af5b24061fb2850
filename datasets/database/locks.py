"""One process at a time, or many and then not that one: locks on files of this machine."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOK_S = 0.01
SERVING = ".serving"
"""The file in the data folder that servers lock together, and a restore alone: so neither works beside the other."""


class LockTaken(Exception):
    """Another process, or another thread of this one, holds the lock."""


@contextmanager
def alone(file: Path, *, wait_s: float = 0.0, remove: bool = False) -> Iterator[None]:
    """Hold the lock of `file`, which is made where it is missing, while the block runs. Raises LockTaken.

    Waits for another holder for at most `wait_s` seconds. The file's content means nothing and it may stay, or is
    removed with the lock: the kernel drops the lock when its holder closes the file or dies, so that a killed process
    blocks nobody.
    """
    descriptor = _locked(file, time.monotonic() + wait_s, fcntl.LOCK_EX)
    try:
        yield
    finally:
        # Before the lock goes: whoever removed it later could remove the file that the next one holds.
        if remove:
            file.unlink(missing_ok=True)
        os.close(descriptor)


def share(file: Path) -> int:
    """Hold the lock of `file`, which is made where it is missing, together with all who share it; its descriptor.

    Raises LockTaken where one holds it alone. Held until the descriptor is closed by this process and by all that were
    forked from it.
    """
    return _locked(file, time.monotonic(), fcntl.LOCK_SH)


def _locked(file: Path, deadline: float, kind: int) -> int:
    """The descriptor of the file once it is locked. Raises LockTaken after the deadline (monotonic seconds)."""
    while True:
        descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            if time.monotonic() >= deadline:
                raise LockTaken from None
            time.sleep(LOOK_S)
            continue
        # Removed between our opening and locking it, it is a file that nobody else will meet.
        if _is_at(descriptor, file):
            return descriptor
        os.close(descriptor)


def _is_at(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    except FileNotFoundError:
        return False
