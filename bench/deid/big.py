"""The big made-up tables, each run in a process of its own so that its peak memory is its own.

A child's peak is at least its parent's at the time of its start; the parent does nothing heavy before.
"""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.deid import survey, timed
from bench.deid.cases import ROWS_BIG, SURVEY, SURVEY_TIMES, Survey
from bench.deid.timed import Outcome
from privacy.deidentify.models import KAnonymity
from privacy.deidentify.search.engine import Task, warm_up

ROOT = Path(__file__).resolve().parent.parent.parent
K = 5
ASKED = {
    "full domain, 5 %": survey.Asked(k=K, suppression=0.05, recoding="full_domain"),
    "local, a scheme per cell, 0 %": survey.Asked(k=K, suppression=0.0, recoding="{local: cells}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaked:
    """An outcome and the peak resident memory of its process: Python, the table and all."""

    outcome: Outcome
    peak_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Commanded:
    """A run of `sudare deid`: seconds of the whole process, of its stages, of the processors; its peak memory."""

    rows: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    stages: dict[str, float]
    suppressed: int
    granularity_loss: float
    schemes: int
    met: bool


# The engine on the survey


def surveyed(*, rows: int = survey.ROWS, times: int = SURVEY_TIMES) -> dict[str, Peaked]:
    """Each case of the survey by its name."""
    return {case.name: _in_child(case.name, str(rows), str(times)) for case in SURVEY}


def _in_child(*words: str) -> Peaked:
    child = subprocess.run(
        [sys.executable, "-m", "bench.deid.big", *words], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    told = json.loads(child.stdout)
    levels = told["outcome"].pop("levels")
    outcome = Outcome(levels=None if levels is None else tuple(levels), **told["outcome"])
    return Peaked(outcome=outcome, peak_mib=told["peak_mib"])


def _survey(case: Survey, rows: int, times: int) -> Peaked:
    task = Task(
        table=survey.table(rows),
        quasi=survey.hierarchies(),
        models=(KAnonymity(K),),
        suppression=case.suppression,
        recoding=case.recoding,
    )
    warm_up()
    outcome = timed.measured({case.name: task}, times)[case.name]
    return Peaked(outcome=outcome, peak_mib=_mib(resource.getrusage(resource.RUSAGE_SELF)))


def _mib(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


# The command line on ten million rows


def commanded(folder: Path, *, rows: int = ROWS_BIG) -> dict[str, Commanded]:
    """Each plan on a file of so many rows, by its title; one run each."""
    data = folder / "survey.parquet"
    survey.write_parquet(data, rows)
    return {title: command(folder, data, asked) for title, asked in ASKED.items()}


def command(folder: Path, data: Path, asked: survey.Asked) -> Commanded:
    """One run of the command, as an operator starts it; raises where it fails."""
    plan, out = survey.write_plan(folder, asked), folder / "out"
    began = time.perf_counter()
    used = _ran(["deid", str(plan), "--data", str(data), "--out", str(out), "--force"])
    seconds = time.perf_counter() - began
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return Commanded(
        rows=report["rows"]["read"],
        seconds=seconds,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_mib=_mib(used),
        stages=report["seconds"],
        suppressed=report["suppressed"],
        granularity_loss=report["granularity_loss"],
        schemes=report["schemes"],
        met=all(model["met"] for model in report["models"]),
    )


def _ran(words: list[str]) -> resource.struct_rusage:
    """What the process used that ran this command."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-m", "api", *words], _environment())
    _, status, used = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), words)
    return used


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _told(peaked: Peaked) -> dict[str, Any]:
    return asdict(peaked)


if __name__ == "__main__":
    case_name, rows_asked, times_asked = sys.argv[1:]
    case_asked = next(case for case in SURVEY if case.name == case_name)
    print(json.dumps(_told(_survey(case_asked, int(rows_asked), int(times_asked)))))
