"""What is compiled before the clock of a search starts."""

import subprocess
import sys

import pytest

LOADED = """
from privacy.deidentify.search import kernels
from privacy.deidentify.search.engine import warm_up
warm_up()
loops = {name: loop for name, loop in vars(kernels).items() if hasattr(loop, "signatures")}
print(*sorted(name for name, loop in loops.items() if not loop.signatures))
"""
RARE = {"few_persons", "sums"}
"""Persons and populations: quick to compile."""
INNER = {
    "group",
    "group_in_cells",
    "keys_of_cells",
    "changing_parts",
    "strides",
    "entropy_kept",
    "recursive_kept",
    "capped_kept",
}
"""Compiled into the loops that call them."""


@pytest.fixture(scope="module")
def left_to_compile() -> set[str]:
    """A process of its own, as loops stay loaded in this one."""
    done = subprocess.run([sys.executable, "-c", LOADED], stdout=subprocess.PIPE, text=True, check=True)
    return set(done.stdout.split())


def test_after_warming_up_no_loop_is_left_to_compile(left_to_compile: set[str]) -> None:
    assert left_to_compile <= RARE | INNER
