"""Each privacy model as a sentence that somebody who reads no papers understands, in Japanese and English."""

from privacy.deidentify.models import (
    AverageRisk,
    BetaLikeness,
    DeltaDisclosure,
    DeltaPresence,
    DistinctDiversity,
    EntropyDiversity,
    KAnonymity,
    KMap,
    Model,
    PopulationUniqueness,
    RecursiveDiversity,
    SampleUniqueness,
    TCloseness,
)
from privacy.words import Words


def words_of_model(model: Model) -> Words:
    """What the model asks for."""
    # Written for the head of a section who decides, not for whoever searched: no symbol without its word.
    match model:
        # 人 and not 行: classes are counted in persons where a unit is named.
        case KAnonymity(k=k):
            return Words(
                ja=f"準識別子の値がすべて同じ人が {k} 人以上いる（k-匿名性）",
                en=f"at least {k} persons share all quasi-identifiers (k-anonymity)",
            )
        case KMap(k=k):
            return Words(
                ja=f"準識別子の値がすべて同じ人が母集団に {k} 人以上いる（k-map）",
                en=f"at least {k} persons of the population share all quasi-identifiers (k-map)",
            )
        case DeltaPresence(low=low, high=high):
            return Words(
                ja=f"同じ準識別子の人のうち、収録された人の割合が {low:g} 以上 {high:g} 以下（δ-存在性）",
                en=(
                    f"of the persons who share all quasi-identifiers, a share of {low:g} to {high:g} is here "
                    "(δ-presence)"
                ),
            )
        case AverageRisk(threshold=threshold):
            return Words(
                ja=f"識別確率の平均が {threshold:g} 以下",
                en=f"the average chance of being found is at most {threshold:g}",
            )
        case SampleUniqueness(threshold=threshold):
            return Words(
                ja=f"準識別子の組合せが一人しかいない人の割合が {threshold:g} 以下",
                en=f"the share of persons alone with their quasi-identifiers is at most {threshold:g}",
            )
        case PopulationUniqueness(threshold=threshold, population=population):
            return Words(
                ja=f"母集団 {population:,} 人の中で唯一と推定される人の割合が {threshold:g} 以下",
                en=f"of a population of {population:,}, an estimated share of at most {threshold:g} is unique",
            )
        # The others guard one attribute, whose name is part of the sentence.
        case _:
            return _of_attribute(model)


def _of_attribute(
    model: DistinctDiversity
    | EntropyDiversity
    | RecursiveDiversity
    | TCloseness
    | DeltaDisclosure
    | BetaLikeness,
) -> Words:
    """Those that guard a sensitive attribute inside each group of alike persons."""
    # The plan's own name of the column, in both languages.
    name = model.attribute
    match model:
        case DistinctDiversity(l=least):
            return Words(
                ja=f"同じ準識別子の組の中に「{name}」の値が {least} 種類以上ある（l-多様性）",
                en=f"each group of alike persons has at least {least} different values of {name} (l-diversity)",
            )
        case EntropyDiversity(l=entropy):
            return Words(
                ja=f"同じ準識別子の組の中で「{name}」の偏りが小さい（エントロピー l-多様性、l = {entropy:g}）",
                en=(
                    f"no few values of {name} prevail in a group of alike persons "
                    f"(entropy l-diversity, l = {entropy:g})"
                ),
            )
        case RecursiveDiversity(c=c, l=least):
            return Words(
                ja=f"同じ準識別子の組の中で「{name}」の最多の値が多すぎない（再帰的 ({c:g}, {least})-多様性）",
                en=(
                    f"no value of {name} is too common in a group of alike persons "
                    f"(recursive ({c:g}, {least})-diversity)"
                ),
            )
        case TCloseness(t=t):
            return Words(
                ja=f"同じ準識別子の組の中の「{name}」の分布が全体の分布に近い（t-近接性、距離 {t:g} 以下）",
                en=f"{name} is distributed in each group of alike persons as in the whole (t-closeness, up to {t:g})",
            )
        case DeltaDisclosure(delta=delta):
            return Words(
                ja=f"同じ準識別子の組の中の「{name}」の割合が全体と大きく違わない（δ-開示、{delta:g} 未満）",
                en=f"no share of {name} in a group differs much from the whole (δ-disclosure, below {delta:g})",
            )
        case BetaLikeness(beta=beta):
            return Words(
                ja=f"同じ準識別子の組の中で「{name}」のどの値も全体より大きく増えない（β-類似性、{beta:g} 以下）",
                en=f"no value of {name} is much commoner in a group than in the whole (β-likeness, up to {beta:g})",
            )
