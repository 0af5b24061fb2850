"""The privacy models that a record set can be asked to meet, as values with their parameters checked.

`ClassModel`s are a condition on every equivalence class (the records published with the same quasi-identifiers);
`TableModel`s one on the sizes of all classes together. What they mean for counts is in `conditions.py`.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log

from privacy.deidentify.errors import BadModel
from privacy.words import Words


def _check(holds: bool, *, ja: str, en: str) -> None:
    if not holds:
        raise BadModel(Words(ja=ja, en=en))


def _at_least_one(value: object, *, ja: str, en: str) -> None:
    # Python counts True among the integers.
    _check(isinstance(value, int) and not isinstance(value, bool) and value >= 1, ja=ja, en=en)


def _above_zero(name: str, value: float) -> None:
    _check(
        0 < value <= 1,
        ja=f"{name} は 0 より大きく 1 以下で指定してください（指定は {value!r}）",
        en=f"{name} must lie above 0 and up to 1, not {value!r}",
    )


def _share(name: str, value: float) -> None:
    _check(
        0 <= value <= 1,
        ja=f"{name} は 0 以上 1 以下で指定してください（指定は {value!r}）",
        en=f"{name} must lie between 0 and 1, not {value!r}",
    )


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
        _at_least_one(
            self.k,
            ja=f"k_anonymity は 1 以上の整数で指定してください（指定は {self.k!r}）",
            en=f"k_anonymity must be a whole number of at least 1, not {self.k!r}",
        )


@dataclass(frozen=True, slots=True)
class DistinctDiversity:
    """Each class holds at least l different values of the attribute (Machanavajjhala et al. 2007)."""

    attribute: str
    l: int  # noqa: E741 - the parameter's name in the literature

    def __post_init__(self) -> None:
        _at_least_one(
            self.l,
            ja=f"l-多様性の l は 1 以上の整数で指定してください（指定は {self.l!r}）",
            en=f"distinct l-diversity needs a whole l of at least 1, not {self.l!r}",
        )


@dataclass(frozen=True, slots=True)
class EntropyDiversity:
    """The entropy of the attribute in each class is at least log l (Machanavajjhala et al. 2007)."""

    attribute: str
    l: float  # noqa: E741

    def __post_init__(self) -> None:
        # Not whole, as the entropy of a class is that of any number of equally frequent values in between.
        _check(
            self.l >= 1,
            ja=f"エントロピー l-多様性の l は 1 以上で指定してください（指定は {self.l!r}）",
            en=f"entropy l-diversity needs l of at least 1, not {self.l!r}",
        )


@dataclass(frozen=True, slots=True)
class RecursiveDiversity:
    """In each class r₁ < c (r_l + … + r_m), r being the counts from most to least (Machanavajjhala et al. 2007)."""

    attribute: str
    c: float
    l: int  # noqa: E741

    def __post_init__(self) -> None:
        _check(
            self.c > 0,
            ja=f"再帰的 (c, l)-多様性の c は 0 より大きい数で指定してください（指定は {self.c!r}）",
            en=f"recursive (c, l)-diversity needs c above 0, not {self.c!r}",
        )
        _at_least_one(
            self.l,
            ja=f"再帰的 (c, l)-多様性の l は 1 以上の整数で指定してください（指定は {self.l!r}）",
            en=f"recursive (c, l)-diversity needs a whole l of at least 1, not {self.l!r}",
        )


@dataclass(frozen=True, slots=True)
class TCloseness:
    """The attribute is distributed in each class as in the whole table, up to a distance t (Li et al. 2007)."""

    attribute: str
    t: float
    distance: Distance = Distance.EQUAL

    def __post_init__(self) -> None:
        # Every ground distance is scaled to at most 1, so t = 1 asks for nothing and more would be a slip.
        _check(
            0 <= self.t <= 1,
            ja=f"t-近接性の t は 0 以上 1 以下で指定してください（指定は {self.t!r}）",
            en=f"t-closeness needs t between 0 and 1, not {self.t!r}",
        )


@dataclass(frozen=True, slots=True)
class DeltaDisclosure:
    """For each value of the attribute |log₂(p / q)| < δ, p in the class, q in the table (Brickell & Shmatikov 2008)."""

    attribute: str
    delta: float

    def __post_init__(self) -> None:
        _check(
            self.delta > 0,
            ja=f"delta_disclosure の delta は 0 より大きい数で指定してください（指定は {self.delta!r}）",
            en=f"delta_disclosure needs delta above 0, not {self.delta!r}",
        )


@dataclass(frozen=True, slots=True)
class BetaLikeness:
    """No value's share p in a class exceeds its share q in the table by more than (Cao & Karras 2012)

    p - q ≤ β q (basic) or p - q ≤ min(β, -ln q) q (enhanced).
    """

    attribute: str
    beta: float
    enhanced: bool = True

    def __post_init__(self) -> None:
        _check(
            self.beta > 0,
            ja=f"beta_likeness の beta は 0 より大きい数で指定してください（指定は {self.beta!r}）",
            en=f"beta_likeness needs beta above 0, not {self.beta!r}",
        )


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
            ja=f"delta_presence は 0 ≤ min ≤ max ≤ 1 で指定してください（指定は {self.low!r} と {self.high!r}）",
            en=f"delta_presence needs 0 ≤ min ≤ max ≤ 1, not {self.low!r} and {self.high!r}",
        )


@dataclass(frozen=True, slots=True)
class KMap:
    """Each class corresponds to at least k persons of the population (Sweeney 2002)."""

    k: int

    def __post_init__(self) -> None:
        _at_least_one(
            self.k,
            ja=f"k_map は 1 以上の整数で指定してください（指定は {self.k!r}）",
            en=f"k_map must be a whole number of at least 1, not {self.k!r}",
        )


@dataclass(frozen=True, slots=True)
class AverageRisk:
    """Classes divided by records is at most the threshold: the mean prosecutor risk, which is also the marketer's."""

    threshold: float

    def __post_init__(self) -> None:
        # 0 would need infinitely many records in a class.
        _above_zero("average_risk", self.threshold)


@dataclass(frozen=True, slots=True)
class SampleUniqueness:
    """The share of records alone in their class is at most the threshold."""

    threshold: float

    def __post_init__(self) -> None:
        _share("sample_uniqueness", self.threshold)


class UniquenessEstimator(StrEnum):
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
    estimator: UniquenessEstimator = UniquenessEstimator.DANKAR

    def __post_init__(self) -> None:
        _share("population_uniqueness", self.threshold)
        _at_least_one(
            self.population,
            ja=f"population_uniqueness には母集団の人数を指定してください（指定は {self.population!r}）",
            en=f"population_uniqueness needs the population's size, not {self.population!r}",
        )


def prosecutor_risk(threshold: float) -> KAnonymity:
    """Every record's chance of being found by somebody who knows that it is here is at most the threshold."""
    _above_zero("prosecutor_risk", threshold)
    # 1 / 0.2 is 5 or just above it in floating point; without the margin the latter would ask for k = 6.
    return KAnonymity(ceil(1 / threshold - 1e-9))


def journalist_risk(threshold: float) -> KMap:
    """Every record's chance of being found by somebody who only knows that the person is in the population."""
    _above_zero("journalist_risk", threshold)
    return KMap(ceil(1 / threshold - 1e-9))


Diversity = DistinctDiversity | EntropyDiversity | RecursiveDiversity
SensitiveModel = Diversity | TCloseness | DeltaDisclosure | BetaLikeness
ClassModel = KAnonymity | SensitiveModel | DeltaPresence | KMap
TableModel = AverageRisk | SampleUniqueness | PopulationUniqueness
Model = ClassModel | TableModel


def name_of(model: Model) -> str:
    """The model as papers write it: "5-anonymity", "entropy 3-diversity of occupation"."""
    return title_of(model).en


def title_of(model: Model) -> Words:
    """The model with its parameters, as a noun phrase; in Japanese sentences it stands within 「」."""
    match model:
        case KAnonymity(k=k):
            return Words(ja=f"{k}-匿名性", en=f"{k}-anonymity")
        case DeltaPresence(low=low, high=high):
            return Words(ja=f"({low:g}, {high:g})-存在性", en=f"({low:g}, {high:g})-presence")
        case KMap(k=k):
            return Words(ja=f"{k}-map", en=f"{k}-map")
        case AverageRisk(threshold=threshold):
            return Words(ja=f"識別確率の平均 {threshold:g} 以下", en=f"average risk at most {threshold:g}")
        case SampleUniqueness(threshold=threshold):
            return Words(ja=f"標本一意率 {threshold:g} 以下", en=f"sample uniqueness at most {threshold:g}")
        case PopulationUniqueness(threshold=threshold, estimator=estimator):
            return Words(
                ja=f"母集団一意率 {threshold:g} 以下（{estimator}）",
                en=f"population uniqueness at most {threshold:g} ({estimator})",
            )
        case _:
            return _title_of_attribute(model)


def _title_of_attribute(model: SensitiveModel) -> Words:
    name = model.attribute
    match model:
        case DistinctDiversity(l=l):
            return Words(ja=f"項目 {name} の {l}-多様性", en=f"distinct {l}-diversity of {name}")
        case EntropyDiversity(l=entropy):
            return Words(
                ja=f"項目 {name} のエントロピー {entropy:g}-多様性",
                en=f"entropy {entropy:g}-diversity of {name}",
            )
        case RecursiveDiversity(c=c, l=l):
            return Words(
                ja=f"項目 {name} の再帰的 ({c:g}, {l})-多様性",
                en=f"recursive ({c:g}, {l})-diversity of {name}",
            )
        case TCloseness(t=t, distance=distance):
            return Words(
                ja=f"項目 {name} の {t:g}-近接性（{_DISTANCES[distance]}）",
                en=f"{t:g}-closeness of {name} ({distance} distance)",
            )
        case DeltaDisclosure(delta=delta):
            return Words(ja=f"項目 {name} の {delta:g}-開示", en=f"{delta:g}-disclosure privacy of {name}")
        case BetaLikeness(beta=beta, enhanced=enhanced):
            return Words(
                ja=f"項目 {name} の{'拡張' if enhanced else '基本'} {beta:g}-類似性",
                en=f"{'enhanced' if enhanced else 'basic'} {beta:g}-likeness of {name}",
            )


_DISTANCES = {
    Distance.EQUAL: "等距離",
    Distance.ORDERED: "順序距離",
    Distance.HIERARCHICAL: "階層距離",
}


def distinct_needed(model: Diversity) -> int:
    """The number of different values that a class of the model surely has: entropy log l needs l of them."""
    match model:
        case DistinctDiversity(l=l) | RecursiveDiversity(l=l):
            return l
        case EntropyDiversity(l=entropy):
            # Fewer than l values have an entropy below log l.
            return max(1, ceil(entropy - 1e-9)) if log(entropy) > 0 else 1
