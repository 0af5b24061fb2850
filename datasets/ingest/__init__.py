"""Turns a source (CSV, Parquet) into a table of integers and a sealed copy. Refuses what it cannot read.

Every promise about people that a later answer makes rests on what happens here, once: coding, clamping and
the bound on rows per person (dp.md 3). Nothing is inferred from the data, and no cell is ever quoted.
"""

from datasets.ingest.problems import ImportProblem, Limits
from datasets.ingest.registration import check, ingest
from datasets.ingest.report import ColumnCounts, IngestReport, Problem

__all__ = ["ColumnCounts", "ImportProblem", "IngestReport", "Limits", "Problem", "check", "ingest"]
