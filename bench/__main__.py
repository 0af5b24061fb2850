"""`make bench`: run every benchmark, print the tables and write them to docs/performance.md."""

import os
import platform
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import ledger, queries, registration

REPORT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
PLACE = "<!-- {name} -->\n(.*?)<!-- end -->"


def main() -> int:
    """Run the benchmarks named on the command line, or all."""
    with tempfile.TemporaryDirectory(prefix="sudare-bench-") as folder:
        parts = {
            "queries": lambda: queries.run(Path(folder)),
            "server": lambda: queries.run_server(Path(folder)),
            "ledger": ledger.run,
            "registration": registration.run,
        }
        for name in sys.argv[1:] or parts:
            table = _table(parts[name]())
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
