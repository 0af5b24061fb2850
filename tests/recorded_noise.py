"""Noise that is written down and repeated: what two neighbouring registers release under the same draws."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from privacy.noise import Integers, Mechanism, Noise


@dataclass
class RecordedDraw:
    """One call of a mechanism: what went in, and the noise (or the place) that came out."""

    mechanism: Mechanism
    exact: Integers
    noise: Integers
    scale: float


@dataclass
class RecordedNoise:
    """Noise that records each draw, and repeats the noise of an earlier recording cell by cell.

    Run once on a dataset with `source=OpendpNoise()`, then on its neighbour with `replay=first.draws`.
    A repeated choice gives the place chosen before.
    """

    source: Noise | None = None
    replay: Sequence[RecordedDraw] = ()
    draws: list[RecordedDraw] = field(default_factory=list)

    def add(self, exact: Integers, mechanism: Mechanism) -> Integers:
        if self.source is not None:
            noise = self.source.add(exact, mechanism) - exact
        else:
            noise = self.replay[len(self.draws)].noise
        self._record(mechanism, exact, noise)
        return exact + noise

    def top(self, scores: Integers, mechanism: Mechanism) -> int:
        if self.source is not None:
            place = self.source.top(scores, mechanism)
        else:
            place = int(self.replay[len(self.draws)].noise[0])
        self._record(mechanism, scores, np.array([place], dtype=np.int64))
        return place

    def _record(self, mechanism: Mechanism, exact: Integers, noise: Integers) -> None:
        self.draws.append(RecordedDraw(mechanism, exact.copy(), noise, mechanism.scale))
