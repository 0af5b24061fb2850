"""What people read in the report of a record set, in English and Japanese; figures come in by name.

The strongest sentence is that checks passed: whether the standard of the law is met is the reviewer's to say.
"""

from typing import Any, Literal

Language = Literal["ja", "en"]

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Report on de-identification", "加工結果報告書"),
    "of_plan": ("Plan: {title}", "加工計画：{title}"),
    "made_at": ("Made at {at} (UTC)", "作成日時：{at}（UTC）"),
    "to_other": ("English", "日本語"),
    # result
    "result": ("Result", "結果"),
    "published": (
        (
            "Of {rows} records, {shown} are published with generalised values, and {suppressed} ({share}) are "
            "suppressed: every one of their items reads “*”. The plan allows up to {limit}."
        ),
        (
            "対象 {rows} 件のうち {shown} 件を一般化して収録し、{suppressed} 件（{share}）はレコード削除としました"
            "（全項目を「*」で表示）。計画上の上限は {limit} です。"
        ),
    ),
    "selected": (
        "The source has {read} records; {asked} were asked for and {rows} are left after the operations.",
        "元データは {read} 件、提案の対象は {asked} 件、加工後に残ったのは {rows} 件です。",
    ),
    "persons": (
        "They are about {persons} persons; persons are counted, not records.",
        "本人の数は {persons} 人で、件数ではなく人数で判定しています。",
    ),
    "models_met": (
        "Every privacy model of the plan was met when it was computed anew from the file as written.",
        "計画で指定したプライバシー基準は、書き出したファイルから計算し直して、すべて満たすことを確認しました。",
    ),
    "model": ("Privacy model", "プライバシー基準"),
    "met": ("Met", "適合"),
    "not_met": ("Not met", "不適合"),
    "value": ("Figure found", "実測値"),
    "judgement": (
        (
            "This report gives the grounds for a judgement and doesn't make it. Whether the record set meets the "
            "processing standard (rule 62 of the PPC, five items) is decided by the reviewer who signs below."
        ),
        (
            "この報告書は判断の根拠を示すもので、判断そのものではありません。加工基準（個人情報保護委員会規則第62条の5項目）に"
            "適合するかどうかは、末尾に署名する審査者が判断します。"
        ),
    ),
    # no solution
    "unsolved": ("There is no solution", "条件を満たす加工はありません"),
    "unsolved_words": (
        (
            "No record set was made: within the hierarchies and the share of records that may be suppressed ({limit}), "
            "no generalisation meets every model of the plan."
        ),
        (
            "記録集は作成していません。計画の階層と、削除してよいレコードの割合（{limit}）の範囲では、"
            "指定したすべての基準を満たす一般化がありません。"
        ),
    ),
    "reasons": ("What stands in the way", "妨げているもの"),
    "nearest": ("The nearest that was found", "最も近い候補"),
    "what_to_change": (
        (
            "Allow more suppression, weaken the model named here, or give the attribute named here a hierarchy with "
            "coarser levels; or leave that attribute out."
        ),
        (
            "削除の上限を上げる、上記の基準を緩める、上記の項目により粗い階層を与える、"
            "又はその項目を対象から外す、のいずれかを検討してください。"
        ),
    ),
    # what was done
    "done": ("What was done", "行った加工"),
    "attribute": ("Item", "項目"),
    "role": ("Role", "区分"),
    "operation": ("Operation", "加工方法"),
    "level": ("Level", "段階"),
    "level_of": ("{level} of {top}", "{top} 段階中 {level}"),
    "by_row": ("by record", "レコードごと"),
    "changed": ("Values changed", "変わった値"),
    "lost": ("Detail lost", "失われた詳しさ"),
    "kept": ("as it is", "元のまま"),
    "generalised": ("generalised (一般化)", "一般化"),
    "left_out": ("not among the items asked for", "提案の対象外"),
    "removed": ("removed (項目削除)", "項目削除"),
    "done_note": (
        "“Detail lost” is 0 % where each value is told as it was and 100 % where nothing is told.",
        "「失われた詳しさ」は、値がそのままなら 0 %、何も示さなければ 100 % です。",
    ),
    "role_identifier": ("identifier", "特定個人識別記述（氏名等）"),
    "role_code": ("individual identification code", "個人識別符号"),
    "role_linkage": ("linking code", "連結符号"),
    "role_quasi": ("quasi-identifier", "準識別子（他の情報と照合され得る項目）"),
    "role_sensitive": ("sensitive", "要保護属性（推測から守る項目）"),
    "role_insensitive": ("other", "その他"),
    "recoding_words": ("Recoding: {recoding}.", "一般化の方式：{recoding}。"),
    "recoding_full_domain": (
        "one level for each item, the same in every record",
        "項目ごとに一つの段階（全レコード共通）",
    ),
    "recoding_few": ("few schemes of levels (local)", "少数の段階の組（局所）"),
    "recoding_some": ("some dozens of schemes of levels (local)", "数十の段階の組（局所）"),
    "recoding_cells": ("a scheme of levels for each group (local)", "集団ごとの段階の組（局所）"),
    "recoding_ranges": ("ranges of their own for each group (local)", "集団ごとの範囲（局所）"),
    "schemes": (
        "{schemes} schemes are in use; schemes.csv lists them, and each record has its scheme.",
        "{schemes} 通りの段階の組を使っています（一覧は schemes.csv、各レコードの組も出力しています）。",
    ),
    "optimal": (
        (
            "No other choice of levels loses less: this was proven over all {nodes} choices, {checked} of which had to "
            "be computed."
        ),
        (
            "これより損失の小さい段階の選び方がないことを、全 {nodes} 通りについて確認しました"
            "（実際に計算したのは {checked} 通り）。"
        ),
    ),
    "not_optimal": (
        "This is the best found so far; a better choice may exist, its loss lower by {gap} at most.",
        "これは探索した範囲で最良の結果です。損失が最大 {gap} 小さい選び方が他に存在する可能性があります。",
    ),
    "local_words": (
        "Records have levels of their own; the choice was made by a fixed rule and isn't proven the best.",
        "レコードごとに段階を選んでいます。一定の規則で選んだもので、最良であることの証明はありません。",
    ),
    # what remains
    "remains": ("What remains", "残る危険性"),
    "risk_words": (
        (
            "Somebody who knows all quasi-identifiers of a person, and that the person is in the record set, finds at "
            "least {smallest} persons that look alike. The chance to point at the right one is {highest} at most and "
            "{mean} on average."
        ),
        (
            "ある人の準識別子をすべて知り、その人が含まれることも知っている者から見ても、同じに見える人が少なくとも "
            "{smallest} 人います。本人を言い当てる確率は、最大 {highest}、平均 {mean} です。"
        ),
    ),
    "attack_words": (
        (
            "The attack was run for real: {targets} persons were looked for with their true values. {narrowed} of them "
            "were narrowed to fewer than {k} candidates, and {unique} to one."
        ),
        (
            "実際に照合を試みました。元データの正しい値を使って {targets} 人を探したところ、"
            "候補が {k} 人未満に絞られたのは {narrowed}、1 人に絞られたのは {unique} でした。"
        ),
    ),
    "attack_sampled": (
        "The targets were a random sample, since there are more than a million records.",
        "100 万件を超えるため、対象者は無作為に抽出しました。",
    ),
    "risk": ("Risk", "危険性"),
    "risk_highest": (
        "highest chance of being found (prosecutor)",
        "識別確率の最大値（検察官型：含まれると知る者）",
    ),
    "risk_mean": ("average chance of being found (marketer)", "識別確率の平均（マーケター型）"),
    "risk_at_risk": ("share of persons above {threshold}", "確率が {threshold} を超える人の割合"),
    "risk_journalist": (
        "highest chance for those who know only the population (journalist)",
        "母集団だけを知る者の識別確率の最大値（記者型）",
    ),
    "risk_unique": ("share of persons alone in their group", "同じ値の組に一人しかいない人の割合"),
    "risk_population": (
        "estimated share of persons unique in the population",
        "母集団で唯一と推定される人の割合",
    ),
    # five items
    "items": ("The five items of the processing standard", "加工基準の5項目"),
    "item_1": (
        "Item 1: descriptions that identify a person",
        "第1号：特定の個人を識別することができる記述等",
    ),
    "item_2": ("Item 2: individual identification codes", "第2号：個人識別符号"),
    "item_3": ("Item 3: codes that link to the source", "第3号：情報を相互に連結する符号"),
    "item_4": ("Item 4: singular descriptions", "第4号：特異な記述等"),
    "item_5": (
        "Item 5: other measures in view of the file's nature",
        "第5号：個人情報データベース等の性質を勘案したその他の措置",
    ),
    "check": ("Check", "検査"),
    "outcome": ("Outcome", "結果"),
    "passed": ("passed", "合格"),
    "finding": ("finding", "指摘あり"),
    "question": ("to be judged", "要判断"),
    "findings": ("Findings", "指摘事項"),
    "finding_rows": ("({rows} records; suggested: {operation})", "（{rows} 件、対応案：{operation}）"),
    "severity_high": ("serious", "重"),
    "severity_medium": ("moderate", "中"),
    "severity_low": ("slight", "軽"),
    "to_judge": ("For the reviewer to judge", "審査者が判断する事項"),
    "figures": ("Figures", "数値"),
    "reviewer": ("Reviewer", "審査者"),
    "date": ("Date", "日付"),
    "decision": ("Decision and reasons", "判断と理由"),
    # usefulness
    "useful": ("What is left to use", "利用価値"),
    "loss": ("Loss (0: as the source, 1: nothing left)", "損失（0：元のまま、1：何も残らない）"),
    "granularity": ("Detail lost, mean of all cells", "失われた詳しさ（全セルの平均）"),
    "entropy": ("Information lost, in bits a record", "失われた情報量（1 件当たりビット）"),
    "class_size": ("Records per group, mean", "同じ値の組の平均件数"),
    "classes": ("Groups of alike records", "同じ値の組の数"),
    "accuracy_words": (
        (
            "From the other items, {target} is predicted rightly for {original} of the records before and {published} "
            "after the processing (always naming the commonest value: {baseline})."
        ),
        (
            "他の項目から「{target}」を予測したときの正答率は、加工前 {original}、加工後 {published} です"
            "（最も多い値を常に答えた場合は {baseline}）。"
        ),
    ),
    "pictures": ("Distributions before and after", "加工前後の分布"),
    # technical
    "technical": ("For the record", "記録"),
    "source_hash": ("SHA-256 of the source", "元データの SHA-256"),
    "plan_hash": ("SHA-256 of the plan", "加工計画の SHA-256"),
    "records_hash": ("SHA-256 of records.csv", "records.csv の SHA-256"),
    "seed": ("Seed", "乱数の種"),
    "key": ("Key of pseudonyms", "仮IDの鍵"),
    "versions": ("Programs", "プログラム"),
    "seconds": ("Seconds", "所要秒数"),
    "notes": ("Notes", "注記"),
    "not_read": ("Removed and not examined (large file)", "大きなファイルのため読まずに削除した項目"),
    "seed_given": ("given by the plan", "計画で指定"),
    "seed_discarded": (
        "drawn, and discarded, as nothing was made",
        "無作為に生成したが、記録集を作らなかったため破棄",
    ),
    "nearest_levels": ("Levels", "段階"),
    "nearest_suppressed": ("Share of records that would be suppressed", "レコード削除となる割合"),
    "seed_drawn": (
        "drawn, kept in the restricted folder",
        "無作為に生成し、restricted フォルダに保管",
    ),
    "key_none": ("none was needed", "不使用"),
    "key_kept": ("kept apart by its owner", "保有者が別に保管"),
    "key_destroyed": (
        "drawn for this run and destroyed with it",
        "この実行のために生成し、終了時に破棄",
    ),
    "restricted": (
        "The folder “restricted” holds information on the processing method. It must not leave with the record set.",
        "restricted フォルダには加工の方法に関する情報があります。記録集とともに提供してはなりません。",
    ),
}


def say(key: str, language: Language, **figures: Any) -> str:
    """One sentence with its figures."""
    english, japanese = WORDS[key]
    return (japanese if language == "ja" else english).format(**figures)
