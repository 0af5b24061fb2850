"""The code that a benchmark runs: this checkout, and beside it an earlier commit of it, exported into a folder.

Each is run in processes of its own by the same interpreter and imports its own modules only, so that one run of the
benchmarks measures both, in turns. Refuses to guess: without the commit in git's history there is no `before`.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEFORE = "b0ceaac"  # before the ledger for any number of payers


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A state of the code, by the folder that it lies in."""

    name: str
    root: Path

    def start(
        self, *words: str, environment: Mapping[str, str] | None = None, piped: bool = False
    ) -> "subprocess.Popen[str]":
        """Start the interpreter with these words. `piped`: its standard input and output are ours, by lines."""
        pipe = subprocess.PIPE if piped else None
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.root,  # `python -m` looks for modules here first
            env={**os.environ, **(environment or {}), "PYTHONPATH": str(self.root)},
            stdin=pipe,
            stdout=pipe,
            text=True,
        )

    def output_of(self, *words: str) -> str:
        """What the interpreter prints when run with these words. Raises CalledProcessError if it fails."""
        process = self.start(*words, piped=True)
        printed, _ = process.communicate()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, words)
        return printed


NOW = Code(name="now", root=ROOT)


def codes(folder: Path) -> list[Code]:
    """The code before and now; only now, with the reason printed, where the history lacks the commit."""
    try:
        return [_exported(BEFORE, folder / "code-before"), NOW]
    except (OSError, subprocess.CalledProcessError) as reason:
        said = getattr(reason, "stderr", None) or str(reason)
        print(f"skipped the state before ({BEFORE}): {said.strip()}", file=sys.stderr)
        return [NOW]


def _exported(commit: str, folder: Path) -> Code:
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=True)
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return Code(name="before", root=folder)
