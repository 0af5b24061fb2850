"""`make accuracy` draws our answers and writes docs/accuracy.md; told `peers`, it measures the peers instead."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.accuracy import peers, report, run
from bench.accuracy.margins import Compared
from bench.accuracy.registers import RESIDENTS, ROOT, registers
from bench.accuracy.report import Line
from bench.part import Part

DOCS = ROOT / "docs"


TINY_RESIDENTS, TINY_RUNS = 300, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the report is written and drawn from."""

    text: str
    lines: list[Line]
    margins: dict[str, Compared]


def measured(
    folder: Path, *, residents: int = RESIDENTS, runs: int | None = None, with_adult: bool = True
) -> Measured:
    """Draw every case `runs` times, or as often as each says, and put the kept figures of peers beside it."""
    found = {
        register.name: register for register in registers(folder, residents=residents, with_adult=with_adult)
    }
    settings = run.Settings(folder / "temporary", runs)
    lines = list(run.lines(found, settings))
    margins = run.compared(found, settings)
    lines = run.beside_peers(lines, found)
    skipped = [] if "adult" in found else ["Adult"]
    titles = {name: register.title for name, register in found.items()}
    text = report.markdown(titles, lines, margins, run.versions(found), skipped)
    return Measured(text=text, lines=lines, margins=margins)


PARTS: dict[str, Part[Measured]] = {
    "accuracy": Part(
        full=measured,
        # The cases of Adult are drawn on a made-up one by tests/unit/test_accuracy_report.py.
        tiny=lambda folder: measured(folder, residents=TINY_RESIDENTS, runs=TINY_RUNS, with_adult=False),
    )
}


def main(arguments: list[str]) -> int:
    """Measure and write the report, or, told `peers [PEER or CASE …]`, measure these."""
    with tempfile.TemporaryDirectory(prefix="sudare-accuracy-") as name:
        folder = Path(name)
        if arguments[:1] == ["peers"]:
            found = {register.name: register for register in registers(folder)}
            peers.measure(found, folder, arguments[1:])
            return 0
        from bench.accuracy import plots  # needs the extra `accuracy`

        made = PARTS["accuracy"].full(folder)
        (DOCS / "accuracy.md").write_text(made.text, "utf-8")
        plots.draw(DOCS / "accuracy", made.lines, made.margins)
        print(made.text[made.text.index("## Targets") :])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
