"""What a workbook says of each column, in Japanese and English: what it tells, in which unit, and how sure it is.

From the column's description alone, so also of answers that are kept from before descriptions said as much.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from privacy.about import spoken
from privacy.result_columns import AnswerColumn
from privacy.words import LANGUAGES, Language, Words

ROLES = {
    "key": Words(ja="分類", en="key"),
    "label": Words(ja="「{of}」の名称", en="what the values of {of} are called"),
    "value": Words(ja="値", en="value"),
    "bound": Words(ja="「{of}」の区間の端", en="bound of {of}"),
    "raw": Words(ja="「{of}」の調整前の値", en="raw value behind {of}"),
    "derived": Words(ja="公表された値から計算した値", en="computed from released values"),
}
UNITS = {
    "persons": Words(ja="人", en="persons"),
    "rows": Words(ja="件", en="rows"),
    "household": Words(ja="世帯", en="households"),
    "households": Words(ja="世帯", en="households"),
    "JPY": Words(ja="円", en="JPY"),
    "years": Words(ja="歳", en="years"),
}
"""How units that the server itself tells, and the most common ones, are called where the owner says nothing."""
MECHANISMS = {
    "discrete_laplace": Words(ja="離散ラプラス分布の誤差", en="discrete Laplace noise"),
    "discrete_gaussian": Words(ja="離散ガウス分布の誤差", en="discrete Gaussian noise"),
    "noisy_max": Words(ja="誤差を加えた得点による選択", en="choice by noisy scores"),
    "noisy_splits": Words(ja="誤差を加えた二分の繰り返し", en="noisy splits"),
    "noisy_tree": Words(ja="誤差を加えた件数の木", en="tree of noisy counts"),
}
COMPUTED = Words(ja="{left} {op} {right}", en="{left} {op} {right}")
SHARE = Words(ja="{of} の合計に占める割合", en="share of {of} in its total")
FACTS = {
    "unit": Words(ja="単位：{}", en="unit: {}"),
    "mechanism": Words(ja="方法：{}", en="mechanism: {}"),
    "scale": Words(ja="誤差の尺度：{}", en="scale of the noise: {}"),
    "epsilon": Words(ja="予算の消費：ε = {}", en="charged: ε = {}"),
    "rho": Words(ja="予算の消費：ρ = {}", en="charged: ρ = {}"),
    "confidence": Words(ja="信頼度：{}", en="confidence: {}"),
    "within_rows": Words(
        ja="正確な分位点との間にある行：95 % の確率で {} 行以内",
        en="rows between it and the exact one, at 95 %: at most {}",
    ),
    "within_share": Words(
        ja="加えてセルの行数のこの割合以内：{}", en="besides at most this share of a cell's rows: {}"
    ),
    "resolution": Words(ja="値の刻み：{}", en="width of the bins: {}"),
    "threshold": Words(ja="示す件数の下限：{}", en="least noisy count that is told: {}"),
    "delta": Words(ja="δ = {}", en="δ = {}"),
    "total": Words(ja="合計の行の表し方：{}", en="totals are told as: {}"),
    "language": Words(ja="言語：{}", en="language: {}"),
}
CELL_SCALE = Words(ja="{cells} の誤差の尺度：{scale}", en="scale of the noise in {cells}: {scale}")
GROUP = Words(ja="グループ「{label}」に含まれる値：{values}", en="group {label} holds: {values}")
LEFT_OUT = Words(ja="どのグループにも含まれない値：{}", en="values in no group: {}")
SPOKEN = {"ja": Words(ja="日本語", en="Japanese"), "en": Words(ja="英語", en="English")}
MISSING = Words(ja="不明", en="missing")
COMMAS: Mapping[Language, str] = {"ja": "、", "en": ", "}


def column_words(column: AnswerColumn) -> Words:
    """A column in a line of each language; beside its name, which stays what a program reads."""
    said = {language: COMMAS[language].join(_parts(column, language)) for language in LANGUAGES}
    return Words(ja=said["ja"], en=said["en"])


def column_title(column: AnswerColumn, language: Language) -> str:
    """What a column is called: a key by its owner's title, a value by what is measured; else nothing."""
    return spoken(column.about.get("title") or column.about.get("statistic_text") or {}, language)


def percent(confidence: float) -> str:
    """A probability as people write it: 95 %."""
    return f"{100 * confidence:g} %"


def _parts(column: AnswerColumn, language: Language) -> Iterator[str]:
    about = column.about
    yield ROLES[column.role].within(language).format(of=about.get("of", ""))
    told = column_title(column, language)
    # Answers of earlier versions have no words, and name the statistic as `statistic` does.
    if told or (column.role == "value" and "statistic" in about):
        yield told or str(about["statistic"])
    if "derived" in about:
        yield _computed(about["derived"], language)
    for name, words in FACTS.items():
        if name in about:
            yield words.within(language).format(_fact(name, about, language))
    yield from _groups(about, language)
    for one in about.get("by_cells", ()):
        cells = [MISSING.within(language) if cell is None else str(cell) for cell in one["cells"]]
        yield CELL_SCALE.within(language).format(cells=_several(cells, language), scale=one["scale"])


def _computed(derived: Mapping[str, Any], language: Language) -> str:
    if "share_of_total" in derived:
        return SHARE.within(language).format(of=derived["share_of_total"])
    left, op, right = derived["of"]
    return COMPUTED.within(language).format(left=left, op=op, right=right)


def _fact(name: str, about: Mapping[str, Any], language: Language) -> str:
    value = about[name]
    match name:
        case "unit":
            known = UNITS.get(str(value), Words(ja=str(value), en=str(value))).within(language)
            return spoken(about.get("units", {}), language, known)
        case "mechanism":
            return MECHANISMS[value].within(language) if value in MECHANISMS else str(value)
        case "confidence":
            return percent(value)
        case "language":
            return SPOKEN[value].within(language)
        case _:
            return str(value)


def _groups(about: Mapping[str, Any], language: Language) -> Iterator[str]:
    """What the groups of a key hold, and which values are in none."""
    for label, values in about.get("groups", {}).items():
        yield GROUP.within(language).format(label=label, values=_several(values, language))
    if "left_out" in about:
        yield LEFT_OUT.within(language).format(_several(about["left_out"], language))


def _several(values: Sequence[str], language: Language) -> str:
    return COMMAS[language].join(values)
