"""Turns a source (CSV, Parquet) into a table of integers and a sealed copy. Refuses what it cannot read.

Every promise about people that a later answer makes rests on what happens here, once: coding, clamping and
the bound on rows per person. Nothing is inferred from the data, and no cell is ever quoted.
"""

from datasets.registration.ingest.joining import JoinedPart
from datasets.registration.ingest.limits import Limits
from datasets.registration.ingest.registration import VAULT_FILE, VAULT_FOLDER, check, ingest, ingest_joined
from datasets.registration.ingest.report import CellProblem, ColumnCounts, IngestReport

__all__ = [
    "VAULT_FILE",
    "VAULT_FOLDER",
    "CellProblem",
    "ColumnCounts",
    "IngestReport",
    "JoinedPart",
    "Limits",
    "check",
    "ingest",
    "ingest_joined",
]
