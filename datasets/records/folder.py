"""The folder of a record set: it appears whole under its name, or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datasets.records.errors import FolderRefused
from privacy.words import Words

FOLDER_MODE = 0o700
REPORT = "report.json"


@contextmanager
def appearing(out: Path, *, force: bool) -> Iterator[Path]:
    """A new folder beside `out` to write into; it takes the name `out` when the block ends well, and goes otherwise.

    An existing `out` is refused, and with `force` replaced only if it holds an earlier record set or nothing.
    """
    _check(out, force=force)
    # Beside `out`, hence on the same file system, where a rename is atomic. The random part keeps two runs
    # apart.
    fresh = out.with_name(f".{out.name}.{secrets.token_hex(6)}.partial")
    try:
        fresh.mkdir(mode=FOLDER_MODE)
    except OSError:
        raise FolderRefused(
            Words(
                ja=f"{out.parent} にフォルダーを作成できません", en=f"no folder can be made in {out.parent}"
            )
        ) from None
    try:
        yield fresh
        _take_place(fresh, out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _check(out: Path, *, force: bool) -> None:
    if not os.path.lexists(out):
        return
    if not force:
        raise FolderRefused(
            Words(
                ja=f"{out} は既にあります。以前の記録集を置き換えるには --force を付けてください",
                en=f"{out} is there already; --force replaces an earlier record set",
            )
        )
    # --force must never remove anything but a record set: a mistyped path could be somebody's home.
    if out.is_symlink() or not out.is_dir() or (any(out.iterdir()) and not (out / REPORT).is_file()):
        raise FolderRefused(
            Words(
                ja=f"{out} は以前に作成した記録集ではないため、置き換えません",
                en=f"{out} is no record set of an earlier run; it is not replaced",
            )
        )


def _take_place(fresh: Path, out: Path) -> None:
    """Both renames are atomic; between them the name is free for a moment and the old record set whole."""
    if not out.exists():
        fresh.rename(out)
        return
    old = out.with_name(f".{out.name}.{secrets.token_hex(6)}.old")
    out.rename(old)
    try:
        fresh.rename(out)
    except OSError:
        # Back where it was: better the earlier record set than none.
        old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)
