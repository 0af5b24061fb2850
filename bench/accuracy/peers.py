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
    Peer(name="tmlt", title="Tumult", runs=40, runs_of_deciles=0, epsilons=("1",)),
)


def measure(registers: dict[str, Register], folder: Path, names: Sequence[str]) -> None:
    """Measure the peers and the cases named, or all of them, and keep each figure as it comes."""
    known = [peer.name for peer in PEERS]
    cases = [name for name in names if name not in known]
    for peer in PEERS:
        if set(names) & set(known) and peer.name not in names:
            continue
        if not environment(peer.name).exists():
            print(f"{peer.name} is not installed: `make accuracy-peers`", file=sys.stderr)
            continue
        _measure(peer, registers, folder, cases)


def measured() -> dict[str, Any]:
    """The figures kept: by peer its version and, by case, its errors or why there are none."""
    return json.loads(MEASURED.read_text("utf-8")) if MEASURED.exists() else {}


def _measure(peer: Peer, registers: dict[str, Register], folder: Path, names: Sequence[str]) -> None:
    asked = {
        case.at(epsilon): (case, registers[case.register], epsilon)
        for case in CASES
        for epsilon in peer.epsilons
        if case.register in registers and case.agg != "ratio" and (len(case.q) < 2 or peer.runs_of_deciles)
        if not names or case.name in names
    }
    job = folder / f"{peer.name}.json"
    job.write_text(as_json([_task(peer, *one, folder) for one in asked.values()]), "utf-8")
    data = {name: register.fingerprint for name, register in registers.items()}
    runner = [environment(peer.name), "-m", f"bench.peers.{peer.name}"]
    with (
        job.open() as given,
        subprocess.Popen(runner, stdin=given, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child,
    ):
        assert child.stdout is not None
        for line in child.stdout:
            told = json.loads(line)
            case, register, _ = asked[told["name"]]
            _keep(peer.name, told, data, _figures(told, case, register))
            print(f"{peer.name}: {told['name']}", flush=True)
    if child.returncode:
        raise RuntimeError(f"the runner of {peer.name} failed")


def _figures(told: dict[str, Any], case: Case, register: Register) -> dict[str, Any]:
    if "not_offered" in told:
        return {"not_offered": told["not_offered"]}
    return asdict(Errors.of(np.array(told["values"]), case.exact(register)))


def _keep(peer: str, told: dict[str, Any], data: dict[str, str], figures: dict[str, Any]) -> None:
    """Keep a figure; those of another version or of other data go."""
    kept = measured()
    before = kept.get(peer, {})
    same = before.get("version") == told["version"] and before.get("data") == data
    cases = {**(before["cases"] if same else {}), told["name"]: figures}
    kept[peer] = {"version": told["version"], "data": data, "cases": cases}
    MEASURED.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")


def _task(peer: Peer, case: Case, register: Register, epsilon: str, folder: Path) -> Task:
    """The task, its rows written to an archive; values are clamped already, so that all clamp alike."""
    file = folder / f"{case.register}-{case.value}-{case.group}.npz"
    rows = case.rows(register)
    value = np.clip(rows.value, *case.clamp) if case.takes_numbers else rows.value
    np.savez(file, person=rows.person, group=rows.group, value=value)
    runs = peer.runs_of_deciles if len(case.q) > 1 else peer.runs
    return case.task(register, str(file), epsilon, runs)
