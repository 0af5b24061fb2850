"""One process at a time: locks on files of this machine. Never waits for another process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LockTaken(Exception):
    """Another process, or another thread of this one, holds the lock."""


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Hold the lock of `file`, which is made where it is missing, while the block runs. Raises LockTaken.

    The file's content means nothing and it may stay: the kernel drops the lock when its holder closes the file
    or dies, so that a killed process blocks nobody.
    """
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockTaken from None
        yield
    finally:
        os.close(descriptor)
