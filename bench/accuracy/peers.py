"""Runs the peers that are installed, each in its own environment, and keeps what they erred by.

Figures are kept in bench/peers/measured.json with the versions that gave them and a digest of the data, so
that the report can be written where the peers are not installed.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.cases import CASES, Case
from bench.accuracy.ours import Errors
from bench.accuracy.registers import ROOT, Register
from bench.peers.job import Task, as_json, environment

MEASURED = ROOT / "bench" / "peers" / "measured.json"
EPSILONS = ("1", "0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A library to measure. One that is slow is drawn less often, at one price only, and asked for no deciles."""

    name: str
    title: str
    runs: int = 200
    runs_of_deciles: int = 50
    epsilons: tuple[str, ...] = EPSILONS


PEERS = (
    Peer(name="diffprivlib", title="diffprivlib"),
    Peer(name="pipelinedp", title="PipelineDP", runs=1_000, runs_of_deciles=200),
    Peer(name="smartnoise", title="SmartNoise"),
    Peer(name="tmlt", title="Tumult", runs=60, runs_of_deciles=0, epsilons=("1",)),
)


def measure(registers: dict[str, Register], folder: Path, names: Sequence[str]) -> None:
    """Measure the peers named, or all that are installed, and keep the figures."""
    for peer in PEERS:
        if names and peer.name not in names:
            continue
        if not environment(peer.name).exists():
            print(f"{peer.name} is not installed: `make accuracy-peers`", file=sys.stderr)
            continue
        found = _measured(peer, registers, folder)
        kept = {**measured(), peer.name: found}
        MEASURED.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")
        print(peer.name, "measured", flush=True)


def measured() -> dict[str, Any]:
    """The figures kept: by peer its version and, by case, its errors or why there are none."""
    return json.loads(MEASURED.read_text("utf-8")) if MEASURED.exists() else {}


def _measured(peer: Peer, registers: dict[str, Register], folder: Path) -> dict[str, Any]:
    asked = {
        case.at(epsilon): (case, registers[case.register], epsilon)
        for case in CASES
        for epsilon in peer.epsilons
        if case.register in registers and case.agg != "ratio" and (len(case.q) < 2 or peer.runs_of_deciles)
    }
    tasks = [_task(peer, case, register, epsilon, folder) for case, register, epsilon in asked.values()]
    child = subprocess.run(
        [environment(peer.name), "-m", f"bench.peers.{peer.name}"],
        input=as_json(tasks),
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        check=True,
    )
    told = json.loads(child.stdout)
    cases = {}
    for name, (case, register, _) in asked.items():
        found = told["results"][name]
        if "values" in found:
            cases[name] = asdict(Errors.of(np.array(found["values"]), case.exact(register)))
        else:
            cases[name] = found
    data = {name: register.fingerprint for name, register in registers.items()}
    return {"version": told["version"], "data": data, "cases": cases}


def _task(peer: Peer, case: Case, register: Register, epsilon: str, folder: Path) -> Task:
    """The task, its rows written to an archive; values are clamped already, so that all clamp alike."""
    file = folder / f"{case.register}-{case.value}-{case.group}.npz"
    rows = case.rows(register)
    value = np.clip(rows.value, *case.clamp) if case.takes_numbers else rows.value
    np.savez(file, person=rows.person, group=rows.group, value=value)
    runs = peer.runs_of_deciles if len(case.q) > 1 else peer.runs
    return case.task(register, str(file), epsilon, runs)
