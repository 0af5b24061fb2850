"""What hints say, in Japanese and English, by code; and the numbers that fill them, as people write them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from privacy.words import Words

HINTS: dict[str, Words] = {
    "count_persons_instead": Words(
        ja="1 人が複数の行をもつデータです。行数ではなく人数を知りたいときは count_persons を使います。",
        en="A person may have many rows here. If persons are meant and not rows, ask for `count_persons`.",
    ),
    "one_row_per_person": Words(
        ja="人数を知りたいときは rows_per_person を 1 にすると、各人を 1 行だけで数えます。",
        en="If persons are meant, `rows_per_person: 1` counts each of them by one row.",
    ),
    "narrower_clamp": Words(
        ja=(
            "{column} は宣言された範囲 {low} から {high} までの全体で測られます。個票を見ずに分かる狭い範囲が"
            "あれば clamp に書きます。外れた値は端に寄せられます。{rule}例えば [{near}, {far}] とすると、"
        ),
        en=(
            "`{column}` is measured over its whole declared range, {low} to {high}. Give a narrower `clamp` if one is "
            "known without the data; values beyond are moved onto its ends. {rule} With [{near}, {far}], for example:"
        ),
    ),
    "per_person_clamp": Words(
        ja=(
            "1 人が {bound} 行までもちます。per_person_clamp で 1 人の合計を抑えると誤差が小さくなります"
            "（超える分は含まれません）。例えば [{near}, {far}] とすると、"
        ),
        en=(
            "A person may have {bound} rows. `per_person_clamp` bounds what one person adds to a cell; what is beyond "
            "is left out. With [{near}, {far}], for example:"
        ),
    ),
    "fewer_rows_per_person": Words(
        ja=(
            "1 人につき {fewer} 行まで（現在 {bound} 行）とすると誤差が小さくなりますが、超える行は含まれません。"
            "残る行の割合は share_kept で（予算を使って）推定できます。"
        ),
        en=(
            "At most {fewer} rows of each person instead of {bound}: rows beyond are left out, and `share_kept` tells, "
            "at a price, what share of the rows is kept."
        ),
    ),
    "shared_price": Words(
        ja="一つの予算を {number} 個の統計で分けています。weights で {of} に多く割り当てられます。",
        en="One price is shared by {number} statistics; `weights` give {of} more of it.",
    ),
    "other_mechanism": Words(
        ja="mechanism の指定 {mechanism} を外すと、誤差の小さい方が選ばれます。",
        en="Without insisting on `{mechanism}` the better mechanism is taken.",
    ),
    "fewer_statistics": Words(
        ja="{of} だけを尋ねると、予算を他の統計と分けずに済みます。",
        en="Ask for {of} alone: then it shares the price with nothing.",
    ),
    "each_cell": Words(
        ja="すべてのセルを同時にではなく、セルごとに精度を求めます（every_cell を false にします）。",
        en="Want the accuracy of each cell and not of all at once (`every_cell: false`).",
    ),
    "coarser_keys": Words(
        ja="{column} を {by} の単位にまとめるとセルが減ります。",
        en="Cut `{column}` by {by}: that makes fewer cells.",
    ),
    "reaches": Words(
        ja="求める精度の予算の消費量は {price} になり、1 回の上限 {limit} に収まります。",
        en="The accuracy wanted then costs {price}, within the limit of {limit} a query.",
    ),
    "wider_accuracy": Words(
        ja="質問を変えない場合、1 回の上限 {limit} で得られる精度は {within} 以内です。",
        en="With the question as it is, within {within} can be had at the limit of {limit} a query.",
    ),
    "price_at_limit": Words(
        ja="1 回の質問で消費できる予算は {limit} までです。",
        en="One query may cost {limit} at most.",
    ),
}
"""What to change, or what is reached, by code of the hint."""

MISREAD: dict[str, Words] = {
    "sums_of_cells": Words(
        ja=(
            "誤差はセルの数だけ重なります。{cells} 個のセルを足した合計の誤差は約 ±{whole} です（1 セルは ±{one}）。"
            '合計も必要なら、別に尋ねず "totals": true を付け、細かい区分が不要なら区間をまとめて尋ねます。'
        ),
        en=(
            "Errors add up: the sum of all {cells} cells errs by about ±{whole}, one cell by ±{one}. If totals are "
            'needed, ask with "totals": true instead of separately; if not every value is, ask for wider bins instead '
            "of adding."
        ),
    ),
    "date_by_day": Words(
        ja=(
            "{column} は 1 日ごとに区切られ、{days} 個に分かれます。by を付けると、"
            "month で {month}、quarter で {quarter}、fiscal_year で {fiscal_year}、year で {year} 個です。"
        ),
        en=(
            "`{column}` is cut by single days, {days} of them. With `by` it would be {month} by month, {quarter} by "
            "quarter, {fiscal_year} by fiscal_year and {year} by year."
        ),
    ),
}
"""What is easily misread in a question, by code of the hint."""

SHARED = Words(
    ja="配分は {before} から {after} に変わります。", en="The split changes from {before} to {after}."
)
BY_WIDTH = Words(ja="誤差は範囲の幅に比例します。", en="The error is in proportion to its width.")
BY_SQUARE = Words(
    ja="誤差は範囲の幅の 2 乗に比例します。", en="The error is in proportion to the square of its width."
)
BY_END = Words(
    ja="誤差は両端の絶対値の大きい方に比例します。",
    en="The error is in proportion to the larger of its ends, signs aside.",
)
BY_BINS = Words(ja="分位点は範囲を区切って求めます。", en="A quantile is looked for in bins of that range.")
ALIKE = Words(
    ja=(
        "キーと条件の列（{columns}）が 1 人のどの行でも同じなら、結果は人数と一致します。"
        "異なる場合は、残る 1 行のセルだけで数えます。"
    ),
    en=(
        "Where keys and conditions ({columns}) are the same in all rows of a person, this is the number of persons; "
        "elsewhere a person counts only in the cell of that row."
    ),
)
DECLARE = Words(
    ja=(
        "保有機関が {columns} に constant_per_person を宣言すると、count_persons は指定なしで同じ精度になります。"
    ),
    en="If the owner declares {columns} `constant_per_person`, `count_persons` is as exact without that.",
)
EFFECTS: dict[str, Words] = {
    "half_width": Words(
        ja="同じ予算の消費で、誤差は ±{before} から ±{after} になります（約 {share} 倍）。",
        en="The same price gives ±{after} instead of ±{before}, {ratio} times narrower.",
    ),
    "half_width_by_rows": Words(
        ja="同じ予算の消費で、{rows} 行のセルの誤差は ±{before} から ±{after} になります（約 {share} 倍）。",
        en="In a cell of {rows} rows the same price gives ±{after} instead of ±{before}, {ratio} times narrower.",
    ),
    "within_rows": Words(
        ja="同じ予算の消費で、正確な分位点との間にある行は {before} 行以内から {after} 行以内になります。",
        en="The same price gives a quantile within {after} rows of the exact one instead of {before}.",
    ),
    "resolution": Words(
        ja="分位点を求める区間の幅が約 {share} 倍になります。",
        en="The bins in which the quantile is found get {ratio} times narrower.",
    ),
    "price": Words(
        ja="同じ精度の予算の消費量は {before} から {after} になります（約 {share} 倍）。",
        en="The same accuracy costs {after} instead of {before}, {ratio} times less.",
    ),
}
"""What a change does, by what is compared."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A number before and after a change, and how many times smaller it gets; `measure` is a key of EFFECTS."""

    measure: str
    before: Any
    after: Any
    ratio: float


def shown(number: Any, digits: int = 4) -> str:
    """A number as people write it: 1,234 or 0.05, rounded to some digits; what is no number as it is."""
    if isinstance(number, int):
        return f"{number:,}"
    if not isinstance(number, float):
        return str(number)
    whole = Decimal(f"{number:.{digits}g}")
    return f"{int(whole):,}" if whole == whole.to_integral_value() else f"{whole:,f}"


def share_of(ratio: float) -> str:
    """What is left of a number that gets so many times smaller: 0.63 for 1.58."""
    return shown(1 / ratio, 2) if ratio else "0"
