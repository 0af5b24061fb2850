"""A part of a report: measured in full for the report, or on next to nothing to see that it still runs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Generic[Result]):
    """Both take an empty folder to work in and return what the part's table is made of.

    `tiny` is asked for so that no part can be added without one: `tests/bench` runs the tiny size of every part.
    """

    full: Callable[[Path], Result]
    tiny: Callable[[Path], Result]
