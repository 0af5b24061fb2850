"""Registers a source in a staging folder, whole or not at all. Knows nothing of versions or of the ledger."""

import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from datasets.descriptor import Descriptor
from datasets.ingest.engine import Engine, Watch
from datasets.ingest.files import private_folder, remove, sync
from datasets.ingest.problems import ImportProblem, Limits
from datasets.ingest.report import IngestReport, Problem
from datasets.ingest.source import fill_vault, is_parquet, lines_of
from datasets.ingest.statistics import SALT_BYTES_MIN, Counts, build

STATISTICS_FILE = "statistics.duckdb"
VAULT_FOLDER = "vault"
VAULT_FILE = "vault.parquet"


def ingest(
    descriptor: Descriptor,
    source: Path,
    staging: Path,
    salt: bytes,
    progress: Callable[[str, float], None],
    limits: Limits | None = None,
) -> IngestReport:
    """Write `statistics.duckdb` and `vault/vault.parquet` into the empty folder `staging`.

    When this returns both files are on the disk and nothing else is in the folder; the caller renames it
    into place. When it raises (ImportProblem, KeyboardInterrupt) it has emptied the folder again. `progress`
    is told (stage, share done of 0 … 1). The salt, at least 16 secret bytes, decides which rows of a person
    are kept; keep it for the life of the dataset, so that a new version keeps the same ones.
    """
    if len(salt) < SALT_BYTES_MIN:
        raise ValueError(f"a salt has at least {SALT_BYTES_MIN} bytes")
    staging, source = staging.resolve(strict=True), source.absolute()
    if any(staging.iterdir()):
        raise ValueError("the staging folder is not empty")
    try:
        return _ingest(descriptor, source, staging, salt, progress, limits or Limits())
    except BaseException:
        for entry in staging.iterdir():
            remove(entry)
        raise


def check(
    descriptor: Descriptor,
    source: Path,
    progress: Callable[[str, float], None] = lambda stage, share: None,
    limits: Limits | None = None,
) -> IngestReport:
    """Read a source as `ingest` does and keep nothing; works in a private temporary folder."""
    with tempfile.TemporaryDirectory(prefix="sudare-check-") as folder:
        return ingest(descriptor, source, Path(folder), secrets.token_bytes(32), progress, limits)


def _ingest(
    descriptor: Descriptor,
    source: Path,
    staging: Path,
    salt: bytes,
    progress: Callable[[str, float], None],
    limits: Limits,
) -> IngestReport:
    is_parquet(source)  # refuses what is no plain file, before anything is made
    before = _identity(source)
    scratch = private_folder(staging / "scratch")
    vault_folder = private_folder(staging / VAULT_FOLDER)
    vault = vault_folder / VAULT_FILE
    watch = Watch(folder=staging, bytes_max=limits.staging_bytes(source.stat().st_size), progress=progress)
    engine = Engine(scratch=scratch, limits=limits, watch=watch)
    try:
        rows = fill_vault(descriptor, source, vault, engine)
        counts = build(
            descriptor,
            vault=vault,
            target=staging / STATISTICS_FILE,
            scratch=scratch,
            salt=salt,
            engine=engine,
        )
    finally:
        engine.close()
    report = _report(descriptor, source, rows, counts)
    if _identity(source) != before:
        raise ImportProblem("the source was changed while it was read")
    remove(scratch)
    sync(vault_folder)
    sync(staging)
    return report


def _identity(source: Path) -> tuple[int, int, int]:
    status = source.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _report(descriptor: Descriptor, source: Path, rows: int, counts: Counts) -> IngestReport:
    lines = lines_of(descriptor, source, sorted({place for place, _, _ in counts.places}))
    return IngestReport(
        rows_read=rows,
        rows_kept=counts.rows_kept,
        persons=counts.persons,
        rows_without_person=counts.rows_without_person,
        dropped_by_bound=rows - counts.rows_without_person - counts.rows_kept,
        columns=counts.columns,
        kept_by_bound=counts.kept_by_bound,
        problems=tuple(Problem(lines[place], column, kind) for place, column, kind in counts.places),
    )
