"""`make bench-deid`: measure de-identification, print the tables and write them to docs/performance.md."""

import argparse
import sys
import tempfile
from pathlib import Path

from bench.deid import adult, big, report
from bench.part import Part

TINY_ROWS = 300
# The big ones come first: a child's peak memory is at least that of its parent at its start.
BIG: dict[str, Part[str]] = {
    "deid-rows": Part(
        full=lambda folder: report.commanded(big.commanded(folder)),
        tiny=lambda folder: report.commanded(big.commanded(folder, rows=TINY_ROWS)),
    ),
    "deid-survey": Part(
        full=lambda folder: report.survey(big.surveyed()),
        tiny=lambda folder: report.survey(big.surveyed(rows=TINY_ROWS, times=1)),
    ),
}
OF_ADULT: dict[str, Part[str]] = {
    "deid-full-domain": Part(
        full=lambda folder: report.full_domain(adult.full_domain()),
        tiny=lambda folder: report.full_domain(adult.full_domain(rows=TINY_ROWS, times=1)),
    ),
    "deid-local": Part(
        full=lambda folder: report.local(adult.local()),
        tiny=lambda folder: report.local(adult.local(rows=TINY_ROWS, times=1)),
    ),
}
PARTS = BIG | OF_ADULT


def main(arguments: list[str]) -> int:
    """Measure the parts named, or all; a part that is left out keeps the figures it had."""
    asked = _parser().parse_args(arguments)
    for name in asked.parts or PARTS:
        if asked.quick and name in BIG:
            print(f"\n{name}: left out (--quick)", flush=True)
        elif name in OF_ADULT and not adult.is_there():
            print(f"\n{name}: skipped, there is no {adult.FOLDER}", flush=True)
        else:
            with tempfile.TemporaryDirectory(prefix="sudare-bench-") as folder:
                content = PARTS[name].full(Path(folder))
            print(f"\n{name}\n{content}", flush=True)
            if not asked.dry:
                report.write(name, content)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.deid", description=main.__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="leave out the big tables")
    parser.add_argument("--dry", action="store_true", help="print only, write nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
