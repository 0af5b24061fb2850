"""`make accuracy` draws our answers and writes docs/accuracy.md; told `peers`, it measures the peers instead."""

import sys
import tempfile
from pathlib import Path

from bench.accuracy import peers, report, run
from bench.accuracy.registers import ROOT, registers

DOCS = ROOT / "docs"


def main(arguments: list[str]) -> int:
    """Measure and write the report, or, told `peers [PEER or CASE …]`, measure these."""
    with tempfile.TemporaryDirectory(prefix="sudare-accuracy-") as name:
        folder = Path(name)
        found = {register.name: register for register in registers(folder)}
        if arguments[:1] == ["peers"]:
            peers.measure(found, folder, arguments[1:])
            return 0
        from bench.accuracy import plots  # needs the extra `accuracy`

        settings = run.Settings(folder / "temporary")
        lines = list(run.lines(found, settings))
        margins = run.compared(found, settings)
        lines = run.beside_peers(lines, found)
        skipped = [] if "adult" in found else ["Adult"]
        titles = {name: register.title for name, register in found.items()}
        text = report.markdown(titles, lines, margins, run.versions(found), skipped)
        (DOCS / "accuracy.md").write_text(text, "utf-8")
        plots.draw(DOCS / "accuracy", lines, margins)
        print(text[text.index("## Targets") :])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
