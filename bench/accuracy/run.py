"""Draws every case and gathers the report's lines."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.accuracy import margins, peers
from bench.accuracy.cases import CASES, Case, expected
from bench.accuracy.margins import Compared
from bench.accuracy.ours import Errors, measure
from bench.accuracy.registers import Register
from bench.accuracy.report import Line, errors_of
from bench.accuracy.theory import Expected, gaussian
from privacy.plan import plan
from privacy.quantiles import Quantiles

RHO = "0.1"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the engine may write, and how often ours is drawn (None: as each case says)."""

    temporary: Path
    runs: int | None = None


def lines(registers: Mapping[str, Register], settings: Settings) -> Iterator[Line]:
    """All cases of the registers that are there, at both prices, and some of them in ρ."""
    for case in CASES:
        if case.register in registers:
            for epsilon in peers.EPSILONS:
                yield _line(case, registers[case.register], epsilon, settings)
            if case.name in IN_RHO:
                yield _line_in_rho(case, margins.in_rho(registers[case.register]), settings)


def beside_peers(found: Iterable[Line], registers: Mapping[str, Register]) -> list[Line]:
    """The same lines with the figures kept of peers that were given these very rows."""
    kept = peers.measured()
    return [replace(line, peers=_of_peers(line, registers[line.register], kept)) for line in found]


def _of_peers(line: Line, register: Register, kept: Mapping[str, Any]) -> dict[str, Errors | str]:
    name = f"{line.register}: {line.name} at {line.price.removeprefix('ε ')}"
    return {
        peer: errors_of(told["cases"][name])
        for peer, told in kept.items()
        if told["data"].get(register.name) == register.fingerprint and name in told["cases"]
    }


def compared(registers: Mapping[str, Register], settings: Settings) -> dict[str, Compared]:
    """The margins of Adult under both measures; nothing without Adult."""
    if "adult" not in registers:
        return {}
    runs = settings.runs or margins.RUNS
    adult = registers["adult"]
    return {
        "ε 1": margins.compare(adult, "1", settings.temporary, runs),
        f"ρ {RHO}": margins.compare(margins.in_rho(adult), RHO, settings.temporary, runs),
    }


def versions(registers: Mapping[str, Register]) -> dict[str, str]:
    """The peers measured on these very registers."""
    return {name: peer["version"] for name, peer in peers.measured().items() if _same_data(peer, registers)}


def _same_data(peer: Mapping[str, Any], registers: Mapping[str, Register]) -> bool:
    return all(peer["data"].get(name) == register.fingerprint for name, register in registers.items())


def _line(case: Case, register: Register, epsilon: str, settings: Settings) -> Line:
    (part,) = plan(case.query(epsilon), register.schema).measurements
    note = ""
    if isinstance(part.estimator, Quantiles) and len(part.estimator.qs) > 1:
        note = (
            " (from a tree)" if part.estimator.by_tree else " (by splits)" if part.estimator.by_splits else ""
        )
    return Line(
        register=register.name,
        name=case.name,
        price=f"ε {epsilon}",
        ours=measure(case, register, epsilon, settings.temporary, settings.runs),
        expected=expected(case, register, float(epsilon), part.estimator),
        peers={},
        note=note,
    )


IN_RHO = {"persons by education (16)": 1, "recipients by service (9)": 9, "nine deciles of income": None}
"""Cases also measured under zCDP, with the squared L2 sensitivity of their counts."""


def _line_in_rho(case: Case, register: Register, settings: Settings) -> Line:
    squared = IN_RHO[case.name]
    known: Expected | None = None if squared is None else gaussian(squared, float(RHO))
    errors: Errors = measure(case, register, RHO, settings.temporary, settings.runs)
    return Line(
        register=register.name,
        name=case.name,
        price=f"ρ {RHO}",
        ours=errors,
        expected=known,
        peers={},
        note=" (zCDP)",
    )
