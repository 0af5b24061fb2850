"""The privacy models that a record set can be asked to meet, as values with their parameters checked.

`ClassModel`s are a condition on every equivalence class (the records published with the same quasi-identifiers);
`TableModel`s one on the sizes of all classes together. What they mean for counts is in `conditions.py`.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log

from privacy.deidentify.errors import BadModel


def _check(holds: bool, words: str) -> None:
    if not holds:
        raise BadModel(words)


def _whole(value: object, least: int, words: str) -> None:
    # Python counts True among the integers.
    _check(isinstance(value, int) and not isinstance(value, bool) and value >= least, words)


class Distance(StrEnum):
    """The ground distance of the earth mover's distance between two distributions of an attribute."""

    EQUAL = "equal"
    """Every two values are 1 apart: half the sum of absolute differences."""
    ORDERED = "ordered"
    """Values lie evenly on a line, the ends 1 apart."""
    HIERARCHICAL = "hierarchical"
    """The level of the lowest common label, divided by the top level."""


@dataclass(frozen=True, slots=True)
class KAnonymity:
    """Each class holds at least k persons (Sweeney 2002)."""

    k: int

    def __post_init__(self) -> None:
        _whole(self.k, 1, f"k_anonymity must be a whole number of at least 1, not {self.k!r}")


@dataclass(frozen=True, slots=True)
class DistinctDiversity:
    """Each class holds at least l different values of the attribute (Machanavajjhala et al. 2007)."""

    attribute: str
    l: int  # noqa: E741 - the parameter's name in the literature

    def __post_init__(self) -> None:
        _whole(self.l, 1, f"distinct l-diversity needs a whole l of at least 1, not {self.l!r}")


@dataclass(frozen=True, slots=True)
class EntropyDiversity:
    """The entropy of the attribute in each class is at least log l (Machanavajjhala et al. 2007)."""

    attribute: str
    l: float  # noqa: E741

    def __post_init__(self) -> None:
        # Not whole, as the entropy of a class is that of any number of equally frequent values in between.
        _check(self.l >= 1, f"entropy l-diversity needs l of at least 1, not {self.l!r}")


@dataclass(frozen=True, slots=True)
class RecursiveDiversity:
    """In each class r₁ < c (r_l + … + r_m), r being the counts from most to least (Machanavajjhala et al. 2007)."""

    attribute: str
    c: float
    l: int  # noqa: E741

    def __post_init__(self) -> None:
        _check(self.c > 0, f"recursive (c, l)-diversity needs c above 0, not {self.c!r}")
        _whole(self.l, 1, f"recursive (c, l)-diversity needs a whole l of at least 1, not {self.l!r}")


@dataclass(frozen=True, slots=True)
class TCloseness:
    """The attribute is distributed in each class as in the whole table, up to a distance t (Li et al. 2007)."""

    attribute: str
    t: float
    distance: Distance = Distance.EQUAL

    def __post_init__(self) -> None:
        # Every ground distance is scaled to at most 1, so t = 1 asks for nothing and more would be a slip.
        _check(0 <= self.t <= 1, f"t-closeness needs t between 0 and 1, not {self.t!r}")


@dataclass(frozen=True, slots=True)
class DeltaDisclosure:
    """For each value of the attribute |log₂(p / q)| < δ, p in the class, q in the table (Brickell & Shmatikov 2008)."""

    attribute: str
    delta: float

    def __post_init__(self) -> None:
        _check(self.delta > 0, f"delta_disclosure needs delta above 0, not {self.delta!r}")


@dataclass(frozen=True, slots=True)
class BetaLikeness:
    """No value's share p in a class exceeds its share q in the table by more than (Cao & Karras 2012)

    p - q ≤ β q (basic) or p - q ≤ min(β, -ln q) q (enhanced).
    """

    attribute: str
    beta: float
    enhanced: bool = True

    def __post_init__(self) -> None:
        _check(self.beta > 0, f"beta_likeness needs beta above 0, not {self.beta!r}")


@dataclass(frozen=True, slots=True)
class DeltaPresence:
    """Of the persons of the population with a class's quasi-identifiers, a share between `low` and `high` is

    in the table (Nergiz et al. 2007); classes that only the population has count too.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        # low = 0 only hides who is in the table; low > 0 also hides who is not.
        _check(
            0 <= self.low <= self.high <= 1,
            f"delta_presence needs 0 ≤ min ≤ max ≤ 1, not {self.low!r} and {self.high!r}",
        )


@dataclass(frozen=True, slots=True)
class KMap:
    """Each class corresponds to at least k persons of the population (Sweeney 2002)."""

    k: int

    def __post_init__(self) -> None:
        _whole(self.k, 1, f"k_map must be a whole number of at least 1, not {self.k!r}")


@dataclass(frozen=True, slots=True)
class AverageRisk:
    """Classes divided by records is at most the threshold: the mean prosecutor risk, which is also the marketer's."""

    threshold: float

    def __post_init__(self) -> None:
        # 0 would need infinitely many records in a class.
        _check(0 < self.threshold <= 1, f"average_risk must lie above 0 and up to 1, not {self.threshold!r}")


@dataclass(frozen=True, slots=True)
class SampleUniqueness:
    """The share of records alone in their class is at most the threshold."""

    threshold: float

    def __post_init__(self) -> None:
        _check(
            0 <= self.threshold <= 1, f"sample_uniqueness must lie between 0 and 1, not {self.threshold!r}"
        )


class Estimator(StrEnum):
    """How the number of persons unique in the population is estimated from a sample."""

    PITMAN = "pitman"
    ZAYATZ = "zayatz"
    SNB = "snb"
    DANKAR = "dankar"
    """The decision rule of Dankar et al. 2012 between the other three."""


@dataclass(frozen=True, slots=True)
class PopulationUniqueness:
    """The estimated share of the population that is unique in it is at most the threshold (see `uniqueness.py`)."""

    threshold: float
    population: int
    estimator: Estimator = Estimator.DANKAR

    def __post_init__(self) -> None:
        _check(
            0 <= self.threshold <= 1,
            f"population_uniqueness must lie between 0 and 1, not {self.threshold!r}",
        )
        _whole(
            self.population, 1, f"population_uniqueness needs the population's size, not {self.population!r}"
        )


def prosecutor_risk(threshold: float) -> KAnonymity:
    """Every record's chance of being found by somebody who knows that it is here is at most the threshold."""
    _check(0 < threshold <= 1, f"prosecutor_risk must lie above 0 and up to 1, not {threshold!r}")
    # 1 / 0.2 is 5 or just above it in floating point; without the margin the latter would ask for k = 6.
    return KAnonymity(ceil(1 / threshold - 1e-9))


def journalist_risk(threshold: float) -> KMap:
    """Every record's chance of being found by somebody who only knows that the person is in the population."""
    _check(0 < threshold <= 1, f"journalist_risk must lie above 0 and up to 1, not {threshold!r}")
    return KMap(ceil(1 / threshold - 1e-9))


Diversity = DistinctDiversity | EntropyDiversity | RecursiveDiversity
SensitiveModel = Diversity | TCloseness | DeltaDisclosure | BetaLikeness
ClassModel = KAnonymity | SensitiveModel | DeltaPresence | KMap
TableModel = AverageRisk | SampleUniqueness | PopulationUniqueness
Model = ClassModel | TableModel


def name_of(model: Model) -> str:
    """The model as people write it: "5-anonymity", "entropy 3-diversity of occupation"."""
    match model:
        case KAnonymity(k=k):
            return f"{k}-anonymity"
        case DistinctDiversity(attribute=attribute, l=l):
            return f"distinct {l}-diversity of {attribute}"
        case EntropyDiversity(attribute=attribute, l=entropy):
            return f"entropy {entropy:g}-diversity of {attribute}"
        case RecursiveDiversity(attribute=attribute, c=c, l=l):
            return f"recursive ({c:g}, {l})-diversity of {attribute}"
        case TCloseness(attribute=attribute, t=t, distance=distance):
            return f"{t:g}-closeness of {attribute} ({distance} distance)"
        case DeltaDisclosure(attribute=attribute, delta=delta):
            return f"{delta:g}-disclosure privacy of {attribute}"
        case BetaLikeness(attribute=attribute, beta=beta, enhanced=enhanced):
            return f"{'enhanced' if enhanced else 'basic'} {beta:g}-likeness of {attribute}"
        case DeltaPresence(low=low, high=high):
            return f"({low:g}, {high:g})-presence"
        case KMap(k=k):
            return f"{k}-map"
        case AverageRisk(threshold=threshold):
            return f"average risk at most {threshold:g}"
        case SampleUniqueness(threshold=threshold):
            return f"sample uniqueness at most {threshold:g}"
        case PopulationUniqueness(threshold=threshold, estimator=estimator):
            return f"population uniqueness at most {threshold:g} ({estimator})"


def distinct_needed(model: Diversity) -> int:
    """The number of different values that a class of the model surely has: entropy log l needs l of them."""
    match model:
        case DistinctDiversity(l=l) | RecursiveDiversity(l=l):
            return l
        case EntropyDiversity(l=entropy):
            # Fewer than l values have an entropy below log l.
            return max(1, ceil(entropy - 1e-9)) if log(entropy) > 0 else 1
