"""What a search keeps small: the loss of a generalised table, as numbers per column, level and label.

A search looks at thousands of nodes, so a measure is split into what is known before any record is grouped (`base`)
and what each suppressed record adds (`costs`); of both only sums are left to make for each node.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.errors import DeidentifyError
from privacy.deidentify.search.packing import Packing
from privacy.words import Words

Floats = NDArray[np.float64]


class MeasureName(StrEnum):
    """A measure of what generalisation and suppression take away."""

    LOSS = "loss"
    """Share of the domain that a label blurs (Iyengar 2002); a suppressed record counts 1."""
    PRECISION = "precision"
    """Level / top level (Sweeney 2002); a suppressed record counts 1."""
    HEIGHT = "height"
    """Sum of the levels (Samarati 2001); suppression costs nothing."""
    ENTROPY = "entropy"
    """Non-uniform entropy, bits (Gionis & Tassa 2009); the suppressed records' labels are told apart among them."""
    DISCERNIBILITY = "discernibility"
    """Sum of squared class sizes; a suppressed record counts the whole table (Bayardo & Agrawal 2005)."""
    CLASS_SIZE = "average_class_size"
    """Records per class, all suppressed ones being one class (LeFevre et al. 2006)."""


class LossAggregate(StrEnum):
    """How the columns' figures become one."""

    ARITHMETIC_MEAN = "arithmetic_mean"
    GEOMETRIC_MEAN = "geometric_mean"
    """The geometric mean of 1 + x, less 1."""
    MAXIMUM = "maximum"
    SUM = "sum"


HALF = 0.5
BY_CLASS = (MeasureName.DISCERNIBILITY, MeasureName.CLASS_SIZE)
"""Measures of class sizes; they are no sum over columns, so no node can be judged without being looked at."""


@dataclass(frozen=True, slots=True)
class Measure:
    """The measure, its dial between suppression and generalisation, and the columns' weights.

    gs_factor 0.5 weighs both alike; below, what suppression adds to a record's label counts 2·gs; above,
    generalisation 2·(1 - gs). The dial is that of ARX (its generalisation/suppression factor), so that figures of both
    can be compared.
    """

    name: MeasureName = MeasureName.LOSS
    gs_factor: float = 0.5
    aggregate: LossAggregate = LossAggregate.ARITHMETIC_MEAN
    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not 0 <= self.gs_factor <= 1:
            raise DeidentifyError(
                Words(
                    ja=f"gs_factor は 0 以上 1 以下で指定してください（指定は {self.gs_factor!r}）",
                    en=f"gs_factor must lie between 0 and 1, not {self.gs_factor!r}",
                )
            )
        for name, weight in self.weights.items():
            if not weight >= 0:
                raise DeidentifyError(
                    Words(
                        ja=f"項目 {name} の重みは 0 以上で指定してください（指定は {weight!r}）",
                        en=f"the weight of {name} must be at least 0, not {weight!r}",
                    )
                )

    @property
    def of_suppression(self) -> float:
        """What the cost of suppression is multiplied by."""
        return min(1.0, 2 * self.gs_factor)

    @property
    def of_generalisation(self) -> float:
        """What the cost of generalisation is multiplied by."""
        return min(1.0, 2 * (1 - self.gs_factor))


def lost_bits(labels: NDArray[np.int64]) -> float:
    """Bits to tell so many suppressed records' labels of one column: -sum of c log2(c / all)."""
    present = labels[labels > 0]
    return float(-(present * np.log2(present / present.sum())).sum()) if len(present) else 0.0


class Scale:
    """A measure laid over a packing: figures that need no look at the classes.

    `base[j][level]` is what column j costs on a level without suppression; losing one record of a label costs
    `costs[cost_start[j, level] + label]` more, never less than 0. Of the measures of class sizes both are 0, and
    of the entropy the costs (`lost_bits` has them).
    """

    def __init__(
        self, packing: Packing, measure: Measure, *, counted: NDArray[np.bool_] | None = None
    ) -> None:
        """`counted` marks the rows that are the table's, where the packing has a population's too."""
        self.measure = measure
        self._counts = [
            (column if counted is None else column.take(counted)).counts() for column in packing.columns
        ]
        self.names = tuple(column.name for column in packing.columns)
        unknown = [name for name in measure.weights if name not in self.names]
        if unknown:
            raise DeidentifyError(
                Words(
                    ja=f"準識別子でない項目に重みが指定されています：{'、'.join(unknown)}",
                    en=f"weights are given for {', '.join(unknown)}, not a quasi-identifier",
                )
            )
        self.weights = np.array([measure.weights.get(name, 1.0) for name in self.names])
        if not self.weights.any():
            raise DeidentifyError(
                Words(
                    ja="準識別子の重みをすべて 0 にすることはできません",
                    en="the weights of the quasi-identifiers must not all be 0",
                )
            )
        # One flat array of costs for all columns and levels: compiled loops take arrays, not lists of arrays.
        self.base: list[Floats] = []
        self.cost_start = np.full((len(packing.heights), max(packing.heights)), -1, np.int64)
        parts: list[Floats] = []
        at = 0
        for j, height in enumerate(packing.heights):
            base = np.zeros(height)
            counts = self._counts[j].astype(np.float64)
            for level in range(height):
                reached = len(packing.reached[j][level])
                shares: Floats = np.bincount(packing.labels[j][level], counts, reached).astype(np.float64)
                figure, cost = self._figures(packing, j, level, shares)
                base[level] = (figure * shares).sum()
                self.cost_start[j, level] = at
                parts.append(cost)
                at += len(cost)
            self.base.append(base)
        self.costs = np.concatenate(parts)
        # The bound of finer nodes rests on it: a suppressed record never costs less than its label.
        assert (self.costs >= 0).all()

    def _figures(self, packing: Packing, j: int, level: int, shares: Floats) -> tuple[Floats, Floats]:
        """What one record of each label costs, and what losing it costs more; a column's figures sum to its own."""
        rows, labels = shares.sum(), len(shares)
        match self.measure.name:
            case MeasureName.LOSS:
                share = packing.hierarchies[j].loss(level)[packing.reached[j][level]]
            # A column of one level has nothing to generalise and costs 0 rather than 0 / 0.
            case MeasureName.PRECISION:
                share = np.full(labels, level / max(packing.heights[j] - 1, 1))
            case MeasureName.HEIGHT:
                return np.full(labels, level / rows), np.zeros(labels)
            # Bits of suppressed records depend on all of them together, see `lost_bits`, so no label has a cost alone.
            case MeasureName.ENTROPY:
                bits = self._bits(packing, j, level, shares)
                return bits * self.measure.of_generalisation, np.zeros(labels)
            case _:
                return np.zeros(labels), np.zeros(labels)
        return share * self.measure.of_generalisation / rows, self._lost(share) / rows

    def _lost(self, share: Floats) -> Floats:
        """What losing a record costs beyond its label: all the rest of it, or 2·gs of that rest."""
        # Either dial leaves a suppressed record at 1 or below and above its label, so that losing one never gains.
        if self.measure.gs_factor >= HALF:
            return 1.0 - share * self.measure.of_generalisation
        return self.measure.of_suppression * (1.0 - share)

    def _bits(self, packing: Packing, j: int, level: int, shares: Floats) -> Floats:
        """Bits to tell a record's value from its label: the mean of -log2(f(value) / f(label)) over the label."""
        counts, label = self._counts[j], packing.labels[j][level]
        # Values that no row has would give 0 log 0; they stay at 0 bits.
        bits = np.zeros(len(counts))
        present = counts > 0
        bits[present] = -np.log2(counts[present] / shares[label[present]])
        total = np.bincount(label, bits * counts, len(shares))
        return np.divide(total, shares, out=np.zeros(len(shares)), where=shares > 0)

    def together(self, columns: list[Floats] | Floats) -> Floats:
        """The aggregate of the columns' figures (arrays that broadcast against each other)."""
        weights = self.weights
        match self.measure.aggregate:
            case LossAggregate.ARITHMETIC_MEAN:
                total = sum(w * x for w, x in zip(weights, columns, strict=True))
                return np.asarray(total / weights.sum())
            case LossAggregate.SUM:
                return np.asarray(sum(w * x for w, x in zip(weights, columns, strict=True)))
            case LossAggregate.MAXIMUM:
                most = columns[0] * weights[0]
                for w, x in zip(weights[1:], columns[1:], strict=True):
                    most = np.maximum(most, w * x)
                return np.asarray(most)
            case LossAggregate.GEOMETRIC_MEAN:
                product = np.asarray(1.0)
                for w, x in zip(weights, columns, strict=True):
                    product = product * (1.0 + x) ** (w / weights.sum())
                return np.asarray(product - 1.0)

    def one(self, columns: Floats) -> float:
        """The aggregate of one figure a column: `together` without arrays, as it is asked for at every node."""
        if not self.additive:
            return float(self.together(columns))
        total = float(self.weights @ columns)
        return total if self.measure.aggregate is LossAggregate.SUM else total / float(self.weights.sum())

    @property
    def additive(self) -> bool:
        """Whether the aggregate is a weighted sum, so that one number bounds all columns."""
        return self.measure.aggregate in (LossAggregate.ARITHMETIC_MEAN, LossAggregate.SUM)
