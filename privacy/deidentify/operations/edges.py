"""What happens to a number or date that a random change would carry over a bound."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Edge(StrEnum):
    """The two ways back inside."""

    REFLECT = "reflect"
    """Mirrored at the bound, again and again where the interval is narrow: no value piles up there."""
    CLAMP = "clamp"
    """Set to the bound: values pile up there."""


def kept_inside(
    values: NDArray[np.int64], *, low: int | None, high: int | None, edge: Edge
) -> NDArray[np.int64]:
    """The values brought into [low, high], either end open where None."""
    assert low is None or high is None or low <= high
    # An interval of one number has nothing to reflect in, and a period of 0.
    if edge is Edge.CLAMP or (low is not None and low == high):
        above = values if low is None else np.maximum(values, low)
        return above if high is None else np.minimum(above, high)
    if low is not None and high is not None:
        span = high - low
        # A triangle wave of period 2 × span: any number of reflections at both ends in one step.
        folded: NDArray[np.int64] = low + span - np.abs(np.mod(values - low, 2 * span) - span)
        return folded
    if low is not None:
        return low + np.abs(values - low)
    return values if high is None else high - np.abs(high - values)
