"""`make bench`: run every benchmark, print the tables and write them to docs/performance.md."""

import os
import platform
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import engine, ledger, mixed, queries, registration
from bench.code import NOW
from bench.part import Part

REPORT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
PLACE = "<!-- {name} -->\n(.*?)<!-- end -->"


TINY_ROWS = 200
ONLY_NOW = (NOW,)
"""The state before is started by one part alone, that of formats: it takes as long as all the rest."""
PARTS: dict[str, Part[list[dict[str, Any]]]] = {
    "queries": Part(
        full=queries.run,
        tiny=lambda folder: queries.run(folder, sizes=(TINY_ROWS,), runs=1, warm_up=0, compared=[NOW]),
    ),
    "engine": Part(
        full=engine.run,
        tiny=lambda folder: engine.run(folder, rows=TINY_ROWS, runs=1, warm_up=0),
    ),
    "timing": Part(
        full=engine.run_timing,
        tiny=lambda folder: engine.run_timing(folder, sizes=(TINY_ROWS,), blocks=1, runs=2, warm_up=0),
    ),
    "formats": Part(
        full=queries.run_formats,
        tiny=lambda folder: queries.run_formats(folder, size=TINY_ROWS, runs=1, warm_up=0),
    ),
    "server": Part(
        full=queries.run_server,
        tiny=lambda folder: queries.run_server(folder, sizes=(TINY_ROWS,), replays=2, clients=1),
    ),
    "mixed": Part(
        full=mixed.run,
        tiny=lambda folder: mixed.run(
            folder, rows=TINY_ROWS, asked=2, clients=2, sizes_max=2, families=("totals",)
        ),
    ),
    "ledger": Part(
        full=ledger.run_on_disk,
        tiny=lambda folder: ledger.run(
            folder,
            clients=(1,),
            pace=ledger.Pace(rounds=1, seconds=0.05, warm_up_seconds=0.0),
            compared=ONLY_NOW,
        ),
    ),
    "registration": Part(
        full=registration.run,
        tiny=lambda folder: registration.run(folder, rows=TINY_ROWS),
    ),
}


def main() -> int:
    """Run the benchmarks named on the command line, or all."""
    for name in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory(prefix="sudare-bench-") as folder:
            table = _table(PARTS[name].full(Path(folder)))
        print(f"\n{name}\n{table}", flush=True)
        _write(name, table)
    _write("machine", f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}\n")
    return 0


def _table(rows: list[dict[str, Any]]) -> str:
    """A Markdown table."""
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *([_shown(row[name]) for name in head] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _write(name: str, table: str) -> None:
    """Put a table into its place in the report."""
    report = REPORT.read_text(encoding="utf-8")
    pattern = re.compile(PLACE.format(name=name), re.DOTALL)
    text, times = pattern.subn(lambda _: f"<!-- {name} -->\n{table}<!-- end -->", report)
    assert times == 1, f"docs/performance.md has no place for {name}"
    REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
