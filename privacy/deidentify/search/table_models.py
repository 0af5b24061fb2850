"""Models that all class sizes together decide: what is left after dropping the smallest classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.models import AverageRisk, PopulationUniqueness, SampleUniqueness, TableModel
from privacy.deidentify.table import Codes

CLOSE = 1e-12


def smallest_dropped(
    model: TableModel, sizes: Codes, cost: NDArray[np.float64], failed: NDArray[np.uint8]
) -> None:
    """Mark as few of the smallest classes as it takes for the model to hold on the rest; all, if it never does.

    Sizes are in persons; among classes of one size those go first whose records cost least to lose.
    """
    # Dropping the smallest class lowers each of these risks the most for one class, so a prefix of this order is enough
    # to try, and halving finds its end.
    kept = np.flatnonzero(failed == 0)
    kept = kept[np.lexsort((cost[kept], sizes[kept]))]
    low, high = 0, len(kept)
    while low < high:
        middle = (low + high) // 2
        if meets(model, sizes[kept[middle:]]):
            high = middle
        else:
            low = middle + 1
    failed[kept[:low]] = 1


def meets(model: TableModel, sizes: NDArray[Any]) -> bool:
    """Whether a table of classes of these sizes meets the model."""
    records = int(sizes.sum())
    match model:
        case AverageRisk(threshold=threshold):
            return len(sizes) / records <= threshold + CLOSE
        case SampleUniqueness(threshold=threshold):
            return int((sizes == 1).sum()) / records <= threshold + CLOSE
        case PopulationUniqueness(threshold=threshold):
            # Imported here: few tasks ask for it, and it brings SciPy.
            from privacy.deidentify.uniqueness import unique_share

            return unique_share(model, sizes) <= threshold
