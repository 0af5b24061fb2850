"""Where versions lie, and what registrations that died left there: staging folders, folders that no version names.

`data_dir/<dataset>/v<number>-<chance>` holds a version; `.staging-<machine>-<chance>` one that is being built.
"""

import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from datasets.database.files import SET_ASIDE
from datasets.database.locks import LockTaken, alone
from datasets.database.owner import is_own
from datasets.database.store import Store
from datasets.database.tables import Base, VersionRow

REGISTERING = ".registering"
"""The file in a dataset's home that a registration holds locked."""
STAGING = ".staging-"
VERSION = re.compile(r"v[1-9][0-9]*(?:-[0-9a-f]{16})?")
"""Folders of versions; those of earlier releases have the number alone."""
ABANDONED_AFTER = timedelta(days=1)
VERSIONS = Base.metadata.tables[VersionRow.__tablename__]


def version_folder(number: int) -> str:
    """A new name for the folder of a version."""
    return f"v{number}-{secrets.token_hex(8)}"


def own_staging() -> str:
    """What the names of this machine's staging folders begin with: others' may be in use, whatever locks say here."""
    machine = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
    return f"{STAGING}{machine}-"


def sweep_abandoned(data_dir: Path, store: Store, older_than: timedelta = ABANDONED_AFTER) -> list[Path]:
    """Remove what dead registrations left for longer than that, unless one is underway there; what was removed.

    Nothing is removed from a data folder of another installation, and no folder of a version where the database misses
    one that it names: another database knows what lies there. Those that a restore set aside stay, too: the operator
    may want that state back.
    """
    if not is_own(data_dir, store):
        return []
    # Listed before the database is read: what is renamed into place in between is not in the list.
    found = [*_candidates(data_dir)]
    with store.reading() as connection:
        kept = select(VERSIONS.c.folder, VERSIONS.c.purged_at)
        named = {data_dir / row.folder: row.purged_at for row in connection.execute(kept)}
    is_ours = bool(named) and all(folder.is_dir() or purged_at for folder, purged_at in named.items())
    latest = time.time() - older_than.total_seconds()
    removed = []
    for folder in found:
        is_staging = folder.name.startswith(STAGING)
        if folder in named or (folder / SET_ASIDE).exists() or not (is_staging or is_ours):
            continue
        with suppress(LockTaken), alone(folder.parent / REGISTERING):
            if _changed_at(folder) < latest:
                # A folder that cannot be removed must not look removed: it holds rows of people.
                shutil.rmtree(folder)
                removed.append(folder)
    return removed


def _candidates(data_dir: Path) -> Iterator[Path]:
    """Staging folders and folders of versions, named by the database or not."""
    for home in sorted(data_dir.iterdir()) if data_dir.is_dir() else ():
        if (home / REGISTERING).is_file():
            for folder in sorted(home.iterdir()):
                if folder.is_dir() and not folder.is_symlink() and _is_ours(folder.name):
                    yield folder


def _is_ours(name: str) -> bool:
    return name.startswith(STAGING) or VERSION.fullmatch(name) is not None


def _changed_at(folder: Path) -> float:
    """When anything below a folder last changed, in seconds since 1970."""
    latest = 0.0
    for root, _, names in os.walk(folder):
        for path in (root, *(os.path.join(root, name) for name in names)):
            with suppress(FileNotFoundError):
                latest = max(latest, os.lstat(path).st_mtime)
    return latest
