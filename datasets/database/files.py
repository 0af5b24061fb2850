"""Folders and files that only the owner can open, and that are on the disk when we say so."""

import os
import shutil
from pathlib import Path

SET_ASIDE = ".set-aside"
"""In the folder of a version that no database in use names, and that is kept for whoever wants that state back."""


def private_folder(path: Path) -> Path:
    """Make a folder of mode 0700, whatever the umask."""
    path.mkdir(mode=0o700)
    # mkdir obeys the umask, which may take bits away but also those that the owner needs.
    path.chmod(0o700)
    return path


def private_folders(path: Path) -> Path:
    """Make a folder of mode 0700, and those above it that are missing."""
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            private_folder(folder)
    return path


def create_private(path: Path) -> int:
    """Create a file of mode 0600 before anything is written to it; returns its descriptor."""
    # O_EXCL and O_NOFOLLOW: a file or link that somebody put there first is never written through.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    os.fchmod(handle, 0o600)
    return handle


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's entries, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def size_of(folder: Path) -> int:
    """Bytes used below a folder; files that vanish meanwhile count nothing."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except FileNotFoundError:
                continue
    return total


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it; one that is not there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
