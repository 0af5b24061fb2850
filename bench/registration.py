"""How fast a register becomes a dataset, and how much memory that takes: the sample city, Parquet and CSV.

Each import runs in a process of its own, so that the peak resident memory is that of one import, Python
included.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

from datasets.descriptor.descriptor import parse
from datasets.registration.ingest import SourceFile, ingest
from datasets.sample.write import generate

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "datasets" / "sample"
CARE_ROWS_PER_RESIDENT = 0.87


def run(folder: Path, *, rows: int = 10_000_000) -> list[dict[str, Any]]:
    """One row a register and format: rows, seconds, CPU seconds, rows a second, peak MiB of the process."""
    residents = generate(folder, residents=rows, files=["residents"])["residents"]
    care = generate(folder, residents=int(rows / CARE_ROWS_PER_RESIDENT), files=["care"])["care"]
    return [
        _measured("residents, Parquet", residents, SAMPLE / "residents.yaml"),
        _measured("residents, CSV", _as_csv(residents), SAMPLE / "residents.yaml"),
        _measured("care (30 rows a person), Parquet", care, SAMPLE / "care.yaml"),
        _measured("care (30 rows a person), CSV", _as_csv(care), SAMPLE / "care.yaml"),
    ]


def _as_csv(parquet: Path) -> Path:
    csv = parquet.with_suffix(".csv")
    with duckdb.connect(
        config={"memory_limit": "1GB", "temp_directory": str(parquet.parent / "spill")}
    ) as engine:
        engine.execute("SET enable_progress_bar_print = false")
        engine.execute(f"COPY (FROM read_parquet('{parquet}')) TO '{csv}' (HEADER)")
    return csv


def _measured(name: str, source: Path, descriptor: Path) -> dict[str, Any]:
    child = subprocess.run(
        [sys.executable, "-m", "bench.registration", str(source), str(descriptor)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(child.stdout)
    return {
        "register": name,
        "rows": found["rows"],
        "source MiB": source.stat().st_size / 2**20,
        "seconds": found["seconds"],
        "CPU seconds": found["cpu_seconds"],
        "rows / s": found["rows"] / found["seconds"],
        "peak MiB": found["peak_mib"],
    }


def _import(source: Path, descriptor: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="sudare-bench-") as staging:
        began = time.perf_counter()
        described, file = parse(descriptor.read_text("utf-8")), SourceFile.at(source)
        report = ingest(described, file, Path(staging), b"bench" * 8, _quiet)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"rows": report.rows_read, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak / unit}


def _quiet(stage: str, share: float) -> None:
    """Progress nobody looks at."""


if __name__ == "__main__":
    print(json.dumps(_import(Path(sys.argv[1]), Path(sys.argv[2]))))
