"""What answers and quotes say in words, in Japanese and English, by code."""

from privacy.words import Words

NOTES: dict[str, Words] = {
    "may_be_negative": Words(
        ja="件数や合計には 0 を中心とする誤差が加わり、負になることがあります。足しても偏りません。",
        en="Counts and sums carry noise around zero and may be negative; they add up without bias.",
    ),
    "bounds_per_cell": Words(
        ja=(
            "各区間は、そのセルの正確な値を 95 % の確率で含みます。値を範囲に制限する統計では、"
            "制限した後の値から求めたものを正確な値といいます。"
        ),
        en=(
            "Each pair of bounds holds the exact value of its cell with probability 0.95. Where values are "
            "clamped, exact means what the clamped values give."
        ),
    ),
    "mean_from_sums": Words(
        ja="平均は、公表された二つの和（下限からの距離の和と上限までの距離の和）の比です。",
        en="A mean is the ratio of two released sums: distance above the lower clamp and below the upper.",
    ),
    "variance_from_sums": Words(
        ja="分散は母分散（n で割ったもの）で、公表された三つの和から求めています。",
        en="A variance is that of the whole population (divided by n), made from three released sums.",
    ),
    "ratio_from_counts": Words(
        ja="比率は、互いに重ならない区分の公表された件数から求めています。",
        en="A ratio is made from released counts of disjoint groups of rows.",
    ),
    "quantile_ranks": Words(
        ja=(
            "示した分位点と正確な分位点の間にある行の数は、95 % の確率で、その列の説明に示した数"
            "（within_rows）以内です。"
        ),
        en=(
            "Between a quantile told and the exact one lie, with probability 0.95, at most as many rows as the "
            "description of its column says (`within_rows`)."
        ),
    ),
    "totals": Words(
        ja=(
            "* の行はその項目についての合計です。すべての行を合わせて推定しており、足すと一致します。"
            "どの行にも当てはまらない値（欠損や区間の外）はいずれの行にも含まれません。"
        ),
        en=(
            "Rows with * are totals over that key. All were estimated together and add up. What a key has no row "
            "for (values that are missing or in no bin) counts in none of them."
        ),
    ),
    "workload": Words(
        ja=(
            "各表は、その表の項目に当てはまる行を数えています。* はその表にない項目です。"
            "すべての表を合わせて推定しています。"
        ),
        en=(
            "Each table counts the rows that its own keys have a cell for; * stands for a key that a table does not "
            "have. All tables were estimated together."
        ),
    ),
    "narrower_bound": Words(
        ja=(
            "ここでは 1 人につき rows_per_person 行までを数えています。"
            "誤差は小さくなりますが、それを超える行は含まれません。"
        ),
        en=(
            "At most `rows_per_person` rows of each person count here: less noise, but what a person has beyond "
            "that is left out."
        ),
    ),
    "disjoint_filters": Words(
        ja=(
            "条件が互いに重ならない統計は、一つ分の予算を共有しています（charge の split はそれぞれが使った量です）。"
            "どの人の行も、そのうち一つの条件にしか数えられません。"
        ),
        en=(
            "Statistics whose filters exclude each other share one price: `split` tells what each of them got, and "
            "each row of a person counts under one of them only."
        ),
    ),
    "whole_numbers": Words(
        ja="値は 0 以上の整数で合計が一致するように調整しています。調整前の値も併記しています。",
        en="Values were moved to whole numbers of zero or more that still add up; raw values stand beside them.",
    ),
    "above_threshold": Words(
        ja=(
            "誤差を加えた件数がしきい値以上の値だけを示します。まれな値があるかどうかは示しません。"
            "しきい値をわずかに超える件数は、実際より大きいことが多くなります。"
        ),
        en=(
            "Only values whose noisy count reaches the threshold are named; which rare values exist stays hidden. "
            "Counts just above the threshold are more often too high than too low."
        ),
    ),
    "derived_values": Words(
        ja=(
            "計算した列は、公表された値だけから求めています。その区間は、もとの値の区間がすべて正確な値を含むときに"
            "正確な値を含み、その確率は少なくとも confidence です。分母が 0 以下のセルは空です。"
        ),
        en=(
            "Derived columns are computed from released values alone. Their bounds hold the exact value where those "
            "of all values that they are made of do, with a probability of at least `confidence`. Cells whose "
            "denominator is not above zero are empty."
        ),
    ),
    "rows_not_shown": Words(
        ja=(
            "示していない行の公表にも予算を消費しました。derive、having、order_by、limit を除いた同じ質問をすれば、"
            "すべての行が予算の消費なしに得られます。"
        ),
        en=(
            "Rows that are not shown were released and charged, too: the same question without `derive`, `having`, "
            "`order_by` and `limit` tells them all, free."
        ),
    ),
    "selected_by_noise": Words(
        ja=(
            "行は、誤差を加えた値によって選んでいます。選ばれた大きな値は実際より大きいことが多く、小さな値は実際より"
            "小さいことが多くなり、区間が正確な値を含む確率も示した値より下がります。"
        ),
        en=(
            "Rows were selected by noisy values. Of those, large values are more often too high than too low and small "
            "ones more often too low, and their bounds hold the exact value less often than they say."
        ),
    ),
    "dummy_data": Words(
        ja="この回答は生成した模擬データによるもので、実在の人については何も示しません。",
        en="This answer was made from generated data. It says nothing about any person.",
    ),
}
