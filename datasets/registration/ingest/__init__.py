"""Turns a source (CSV, Parquet) into a table of integers and a sealed copy. Refuses what it cannot read.

Every promise about people that a later answer makes rests on what happens here, once: coding, clamping and
the bound on rows per person. Nothing is inferred from the data, and no cell is ever quoted.
"""

from datasets.registration.ingest.engine import ImportEngine
from datasets.registration.ingest.errors import ImportProblem
from datasets.registration.ingest.identity import (
    Identifier,
    RegisterIdentity,
    read_identity,
    write_identity,
)
from datasets.registration.ingest.joining import JoinedPart
from datasets.registration.ingest.limits import Limits
from datasets.registration.ingest.registration import check, ingest, ingest_joined, vault_of
from datasets.registration.ingest.report import CellProblem, ColumnCounts, IngestReport, UnitCounts
from datasets.registration.ingest.source_file import SourceFile

__all__ = [
    "CellProblem",
    "ColumnCounts",
    "Identifier",
    "ImportEngine",
    "ImportProblem",
    "IngestReport",
    "JoinedPart",
    "Limits",
    "RegisterIdentity",
    "SourceFile",
    "UnitCounts",
    "check",
    "ingest",
    "ingest_joined",
    "read_identity",
    "vault_of",
    "write_identity",
]
