"""Registers a source in a staging folder, whole or not at all. Knows nothing of versions or of the ledger."""

import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from datasets.database.files import private_folder, remove, sync
from datasets.descriptor.descriptor import Descriptor
from datasets.engines.format import STATISTICS_FILE
from datasets.registration.ingest.engine import ImportEngine, Watch
from datasets.registration.ingest.joining import JoinedPart, fill_joined
from datasets.registration.ingest.limits import Limits
from datasets.registration.ingest.report import CellProblem, IngestReport
from datasets.registration.ingest.source import fill_vault, lines_of
from datasets.registration.ingest.source_file import SourceFile
from datasets.registration.ingest.statistics import SALT_BYTES_MIN, Counts, build

VAULT_FOLDER = "vault"
SCRATCH_FOLDER = "scratch"
VAULT_FILE = "vault.parquet"

Progress = Callable[[str, float], None]
Fill = Callable[[Path, ImportEngine], int]
Examine = Callable[[Path, ImportEngine], None]


def vault_of(folder: Path) -> Path:
    """The vault of the version in a folder: every column as text, never opened for a question."""
    return folder / VAULT_FOLDER / VAULT_FILE


def ingest(
    descriptor: Descriptor,
    source: SourceFile,
    staging: Path,
    salt: bytes,
    progress: Progress,
    limits: Limits | None = None,
    examine: Examine = lambda vault, engine: None,
    seal: str | None = None,
) -> IngestReport:
    """Write `statistics.duckdb` and `vault/vault.parquet` into the empty folder `staging`.

    The source must be the file that it was when it was first looked at, until its last byte has been read.
    `examine` is called with the vault as soon as that is complete, and may refuse what it holds, or write a file beside
    the others. When this returns all files are on the disk and nothing else is in the folder; the caller renames it
    into place. When it raises (ImportProblem, KeyboardInterrupt) it has emptied the folder again. `progress`
    is called with (stage, share done of 0 … 1). The salt, at least 16 secret bytes, decides which rows of a person
    are kept; keep it for the life of the dataset, so that a new version keeps the same ones. `seal` says in the file
    which version it is of, None for a file that answers no questions.
    """
    with _emptied_on_failure(staging, salt) as folder:
        rows, counts = _make(
            descriptor,
            _examined(lambda vault, engine: fill_vault(descriptor, source.path, vault, engine), examine),
            folder,
            salt,
            progress,
            limits=limits or Limits(),
            source_bytes=source.size_bytes,
            seal=seal,
        )
        # A second reading for a few line numbers costs less than keeping the numbers of all rows.
        lines = lines_of(descriptor, source.path, sorted({place for place, _, _ in counts.places}))
        # After the last read: digest, vault and line numbers must be of one file.
        source.must_be_unchanged()
        _finish(folder)
    return _report(rows, counts, lines)


def ingest_joined(
    descriptor: Descriptor,
    parts: Sequence[JoinedPart],
    staging: Path,
    salt: bytes,
    progress: Progress,
    limits: Limits | None = None,
    seal: str | None = None,
) -> IngestReport:
    """Write `statistics.duckdb` and `vault/vault.parquet` from vaults of registered datasets, joined on the person.

    Files, progress, salt, seal and what is left after a failure are those of `ingest`; raises ImportProblem.

    The report names no places: a joined row stands nowhere that an operator could look at.
    """
    with _emptied_on_failure(staging, salt) as folder:
        rows, counts = _make(
            descriptor,
            lambda vault, engine: fill_joined(descriptor, parts, vault, engine),
            folder,
            salt,
            progress,
            limits=limits or Limits(),
            source_bytes=sum(part.vault.stat().st_size for part in parts),
            seal=seal,
        )
        _finish(folder)
    return _report(rows, counts, {})


def _examined(fill: Fill, examine: Examine) -> Fill:
    def filled(vault: Path, engine: ImportEngine) -> int:
        rows = fill(vault, engine)
        # Before the statistics are built: what is refused should be refused early.
        examine(vault, engine)
        return rows

    return filled


@contextmanager
def _emptied_on_failure(staging: Path, salt: bytes) -> Iterator[Path]:
    if len(salt) < SALT_BYTES_MIN:
        raise ValueError(f"a salt has at least {SALT_BYTES_MIN} bytes")
    staging = staging.resolve(strict=True)
    if any(staging.iterdir()):
        raise ValueError("the staging folder is not empty")
    try:
        yield staging
    # Ctrl-C too: half a vault is personal data that nobody would look for.
    except BaseException:
        for entry in staging.iterdir():
            remove(entry)
        raise


def check(
    descriptor: Descriptor,
    source: Path,
    progress: Progress = lambda stage, share: None,
    limits: Limits | None = None,
) -> IngestReport:
    """Read a source as `ingest` does and keep nothing; works in a private temporary folder."""
    with tempfile.TemporaryDirectory(prefix="sudare-check-") as folder:
        return ingest(
            descriptor, SourceFile.at(source), Path(folder), secrets.token_bytes(32), progress, limits
        )


def _make(
    descriptor: Descriptor,
    fill: Fill,
    staging: Path,
    salt: bytes,
    progress: Progress,
    *,
    limits: Limits,
    source_bytes: int,
    seal: str | None,
) -> tuple[int, Counts]:
    """Fill the vault, and build the statistics table from it; returns the rows read and what was counted."""
    scratch = private_folder(staging / SCRATCH_FOLDER)
    private_folder(staging / VAULT_FOLDER)
    vault = vault_of(staging)
    watch = Watch(folder=staging, bytes_max=limits.staging_bytes(source_bytes), progress=progress)
    # Memory and disk are bounded here, so that a registration never takes the server down with it.
    engine = ImportEngine(scratch=scratch, limits=limits, watch=watch)
    try:
        rows = fill(vault, engine)
        counts = build(
            descriptor,
            vault=vault,
            target=staging / STATISTICS_FILE,
            scratch=scratch,
            salt=salt,
            engine=engine,
            seal=seal,
        )
    finally:
        engine.close()
    return rows, counts


def _finish(staging: Path) -> None:
    remove(staging / SCRATCH_FOLDER)
    # The files are synced where they are written; here their names in the folders are.
    sync(staging / VAULT_FOLDER)
    sync(staging)


def _report(rows: int, counts: Counts, lines: Mapping[int, int]) -> IngestReport:
    """`lines` are those of the places worth a look; places without one are left out."""
    return IngestReport(
        rows_read=rows,
        rows_kept=counts.rows_kept,
        persons=counts.persons,
        rows_without_person=counts.rows_without_person,
        # The rest: neither without a person nor kept.
        dropped_by_bound=rows - counts.rows_without_person - counts.rows_kept,
        columns=counts.columns,
        kept_by_bound=counts.kept_by_bound,
        problems=tuple(
            CellProblem(lines[place], column, kind) for place, column, kind in counts.places if place in lines
        ),
        units=counts.units,
    )
