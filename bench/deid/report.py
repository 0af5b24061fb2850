"""Writes what was measured into the marked places of docs/performance.md, leaving all other text alone."""

import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from bench.deid.big import Commanded, Peaked
from bench.deid.cases import (
    DIAL,
    FULL_DOMAIN,
    LOCAL_GOALS,
    PEAK_MIB_MAX,
    SECONDS_MAX,
    SURVEY,
    FullDomain,
)
from bench.deid.timed import Outcome
from privacy.deidentify.search.engine import Recoding

REPORT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
HALF_A_DIGIT = 0.5e-9
STAGES = ("read", "prepare", "search", "write", "verify")

Row = Sequence[str]


def placed(text: str, name: str, content: str) -> str:
    """The text with the content between `<!-- name -->` and the next `<!-- end -->`; the place must exist once."""
    pattern = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    made, times = pattern.subn(lambda place: place[1] + content + place[2], text)
    assert times == 1, f"docs/performance.md has no single place for {name}"
    return made


def write(name: str, content: str) -> None:
    """Put the content of one part into its place in the report, with the machine it was measured on."""
    text = f"{content}\nMeasured on {machine()}.\n"
    REPORT.write_text(placed(REPORT.read_text(encoding="utf-8"), name, text), encoding="utf-8")


def machine() -> str:
    """The machine and the programs that figures depend on."""
    cores = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return f"{cores}, NumPy {version('numpy')}, Numba {version('numba')}"


# The parts


def full_domain(found: Mapping[str, Outcome]) -> str:
    """Times beside ARX's, and then what was found."""
    pairs = [(case, found[case.title]) for case in FULL_DOMAIN]
    times = _table(
        ("case", "ARX ms", "ours ms", "CPU ms", "ours / ARX", "goal", "time"),
        (_time(case, ours) for case, ours in pairs),
    )
    return times + "\n" + _table(FOUND, (_found(case, ours) for case, ours in pairs))


FOUND = (
    *("case", "ARX loss", "our loss", "ARX suppressed", "ours", "ARX levels", "ours"),
    *("proven optimal", "nodes looked at", "models verified", "loss"),
)


def _time(case: FullDomain, ours: Outcome) -> Row:
    ratio = ours.seconds / case.arx.seconds
    return (
        case.title,
        _ms(case.arx.seconds),
        _ms(ours.seconds),
        _ms(ours.cpu_seconds),
        f"{ratio:.2f}",
        f"≤ {case.ratio_max:g}",
        reached(ratio <= case.ratio_max),
    )


def _found(case: FullDomain, ours: Outcome) -> Row:
    return (
        case.title,
        f"{case.arx.loss:.9f}",
        f"{ours.loss:.9f}",
        f"{case.arx.suppressed:,}",
        f"{ours.suppressed:,}",
        _levels(case.arx.levels),
        _levels(ours.levels),
        _yes(ours.optimal),
        f"{ours.checked:,} of {ours.nodes:,}",
        _yes(ours.met),
        reached(is_optimum(case, ours)),
    )


def is_optimum(case: FullDomain, ours: Outcome) -> bool:
    """Whether the loss is the best known to nine digits, or lower, proven and with every model met."""
    return ours.optimal and ours.met and ours.loss <= case.loss_max + HALF_A_DIGIT


def local(found: Mapping[str, Outcome]) -> str:
    """The dial for each k; goals are for a scheme per cell."""
    head = ("k", "recoding", "schemes", "granularity loss", "suppressed", "ms", "CPU ms", "models verified")
    rows = [
        _dial(goal.k, recoding, found[f"{goal.k} {recoding}"]) for goal in LOCAL_GOALS for recoding in DIAL
    ]
    goals = []
    for goal in LOCAL_GOALS:
        ours = found[f"{goal.k} {Recoding.CELLS}"]
        told = f"{ours.granularity_loss:.4f} in {ours.seconds:.2f} s"
        aim = f"≤ {goal.loss_max:g}, under {goal.seconds_max:g} s"
        good = ours.met and ours.granularity_loss <= goal.loss_max and ours.seconds < goal.seconds_max
        goals.append((str(goal.k), goal.arx, told, aim, reached(good)))
    return _table(head, rows) + "\n" + _table(("k", "ARX", "ours (cells)", "goal", "outcome"), goals)


def _dial(k: int, recoding: Recoding, ours: Outcome) -> Row:
    return (
        str(k),
        str(recoding),
        f"{ours.schemes:,}",
        f"{ours.granularity_loss:.6f}",
        f"{ours.suppressed:,}",
        _ms(ours.seconds),
        _ms(ours.cpu_seconds),
        _yes(ours.met),
    )


def survey(found: Mapping[str, Peaked]) -> str:
    """The engine on the made-up survey beside ARX's times on another table."""
    head = (
        *("case", "ARX s (other data)", "ours s", "CPU s", "ours / ARX", "goal", "time"),
        *("loss", "suppressed", "schemes", "proven optimal", "models verified", "peak MiB"),
    )
    rows = []
    for case in SURVEY:
        ours, peak_mib = found[case.name].outcome, found[case.name].peak_mib
        ratio = ours.seconds / case.arx_seconds
        rows.append(
            (
                case.title,
                f"{case.arx_seconds:g}",
                f"{ours.seconds:.2f}",
                f"{ours.cpu_seconds:.2f}",
                f"{ratio:.3f}",
                f"≤ {case.ratio_max:g}",
                reached(ours.met and ratio <= case.ratio_max),
                f"{ours.granularity_loss:.6f}",
                f"{ours.suppressed:,}",
                f"{ours.schemes:,}",
                "–" if ours.levels is None else _yes(ours.optimal),
                _yes(ours.met),
                f"{peak_mib:,.0f}",
            )
        )
    return _table(head, rows)


def commanded(found: Mapping[str, Commanded]) -> str:
    """The command line on ten million rows: against the goals, and where the time goes."""
    head = (
        *("plan", "rows", "s", "CPU s", "peak MiB", "goal", "outcome"),
        *(f"{stage} s" for stage in STAGES),
        "rest s",
        *("granularity loss", "suppressed", "schemes"),
    )
    rows = []
    for title, run in found.items():
        good = run.met and run.seconds <= SECONDS_MAX and run.peak_mib <= PEAK_MIB_MAX
        rows.append(
            (
                title,
                f"{run.rows:,}",
                f"{run.seconds:.1f}",
                f"{run.cpu_seconds:.1f}",
                f"{run.peak_mib:,.0f}",
                f"≤ {SECONDS_MAX:g} s, {PEAK_MIB_MAX:,.0f} MiB",
                reached(good),
                *(f"{run.stages[stage]:.1f}" for stage in STAGES),
                f"{run.seconds - sum(run.stages[stage] for stage in STAGES):.1f}",
                f"{run.granularity_loss:.6f}",
                f"{run.suppressed:,}",
                f"{run.schemes:,}",
            )
        )
    return _table(head, rows)


# Words and figures


def reached(good: bool) -> str:
    """Whether a goal was reached; a missed one is to be seen at a glance."""
    return "reached" if good else "**missed**"


def _yes(holds: bool) -> str:
    return "yes" if holds else "**no**"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f}" if seconds >= 0.1 else f"{seconds * 1000:.1f}"


def _levels(levels: Sequence[int] | None) -> str:
    return "–" if levels is None else ",".join(map(str, levels))


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    assert len({len(line) for line in lines}) == 1, "as many cells in each line"
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
