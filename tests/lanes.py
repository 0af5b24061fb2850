"""Which cases of a test run in `make test`, and which only in `make test-long`.

A story keeps its cheapest telling cases in the fast lane; the others cost seconds each and tell the same story again.
Planted faults (tests/faults/mutants.py) name tests by node, so they run the cases of both lanes.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def first(fast: int, cases: Iterable[Any]) -> list[Any]:
    """The cases, all but the first few of them for the long lane."""
    return [case if place < fast else _long(case) for place, case in enumerate(cases)]


def only(fast: Sequence[Any], cases: Iterable[Any]) -> list[Any]:
    """The cases, all but the chosen ones for the long lane."""
    return [case if case in fast else _long(case) for case in cases]


def _long(case: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.long)
