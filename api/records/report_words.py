"""What people read in the report of a record set, in Japanese and English; figures come in by name.

The strongest sentence is that checks passed: whether the standard of the law is met is the reviewer's to say.
"""

from typing import Any

from privacy.words import Language, Words

WORDS: dict[str, Words] = {
    "title": Words(ja="加工結果報告書", en="Report on de-identification"),
    "of_plan": Words(ja="加工計画：{title}", en="Plan: {title}"),
    "made_at": Words(ja="作成日時：{at}（UTC）", en="Made at {at} (UTC)"),
    "to_other": Words(ja="日本語", en="English"),
    # result
    "result": Words(ja="結果", en="Result"),
    "published": Words(
        ja=(
            "対象 {rows} 件のうち {shown} 件を一般化して収録し、{suppressed} 件（{share}）はレコード削除としました"
            "（全項目を「*」で表示）。計画上の上限は {limit} です。"
        ),
        en=(
            "Of {rows} records, {shown} are published with generalised values, and {suppressed} ({share}) are "
            "suppressed: every one of their items reads “*”. The plan allows up to {limit}."
        ),
    ),
    "selected": Words(
        ja="元データは {read} 件、提案の対象は {asked} 件、加工後に残ったのは {rows} 件です。",
        en="The source has {read} records; {asked} were asked for and {rows} are left after the operations.",
    ),
    "persons": Words(
        ja="本人の数は {persons} 人で、件数ではなく人数で判定しています。",
        en="They are about {persons} persons; persons are counted, not records.",
    ),
    "models_met": Words(
        ja="計画で指定したプライバシー基準は、書き出したファイルから計算し直して、すべて満たすことを確認しました。",
        en="Every privacy model of the plan was met when it was computed anew from the file as written.",
    ),
    "model": Words(ja="プライバシー基準", en="Privacy model"),
    "met": Words(ja="適合", en="Met"),
    "not_met": Words(ja="不適合", en="Not met"),
    "value": Words(ja="実測値", en="Figure found"),
    "judgement": Words(
        ja=(
            "この報告書は判断の根拠を示すもので、判断そのものではありません。加工基準（個人情報保護委員会規則第62条の5項目）に"
            "適合するかどうかは、末尾に署名する審査者が判断します。"
        ),
        en=(
            "This report gives the grounds for a judgement and doesn't make it. Whether the record set meets the "
            "processing standard (rule 62 of the PPC, five items) is decided by the reviewer who signs below."
        ),
    ),
    # no solution
    "unsolved": Words(ja="条件を満たす加工はありません", en="There is no solution"),
    "unsolved_words": Words(
        ja=(
            "記録集は作成していません。計画の階層と、削除してよいレコードの割合（{limit}）の範囲では、"
            "指定したすべての基準を満たす一般化がありません。"
        ),
        en=(
            "No record set was made: within the hierarchies and the share of records that may be suppressed ({limit}), "
            "no generalisation meets every model of the plan."
        ),
    ),
    "reasons": Words(ja="妨げているもの", en="What stands in the way"),
    "nearest": Words(ja="最も近い候補", en="The nearest that was found"),
    "what_to_change": Words(
        ja=(
            "削除の上限を上げる、上記の基準を緩める、上記の項目により粗い階層を与える、"
            "又はその項目を対象から外す、のいずれかを検討してください。"
        ),
        en=(
            "Allow more suppression, weaken the model named here, or give the attribute named here a hierarchy with "
            "coarser levels; or leave that attribute out."
        ),
    ),
    # what was done
    "done": Words(ja="行った加工", en="What was done"),
    "attribute": Words(ja="項目", en="Item"),
    "role": Words(ja="区分", en="Role"),
    "operation": Words(ja="加工方法", en="Operation"),
    "level": Words(ja="段階", en="Level"),
    "level_of": Words(ja="{top} 段階中 {level}", en="{level} of {top}"),
    "by_row": Words(ja="レコードごと", en="by record"),
    "changed": Words(ja="変わった値", en="Values changed"),
    "lost": Words(ja="失われた詳しさ", en="Detail lost"),
    "kept": Words(ja="元のまま", en="as it is"),
    "generalised": Words(ja="一般化", en="generalised (一般化)"),
    "left_out": Words(ja="提案の対象外", en="not among the items asked for"),
    "removed": Words(ja="項目削除", en="removed (項目削除)"),
    "done_note": Words(
        ja="「失われた詳しさ」は、値がそのままなら 0 %、何も示さなければ 100 % です。",
        en="“Detail lost” is 0 % where each value is told as it was and 100 % where nothing is told.",
    ),
    "role_identifier": Words(ja="特定個人識別記述（氏名等）", en="identifier"),
    "role_code": Words(ja="個人識別符号", en="individual identification code"),
    "role_linkage": Words(ja="連結符号", en="linking code"),
    "role_quasi": Words(ja="準識別子（他の情報と照合され得る項目）", en="quasi-identifier"),
    "role_sensitive": Words(ja="要保護属性（推測から守る項目）", en="sensitive"),
    "role_insensitive": Words(ja="その他", en="other"),
    "recoding_words": Words(ja="一般化の方式：{recoding}。", en="Recoding: {recoding}."),
    "recoding_full_domain": Words(
        ja="項目ごとに一つの段階（全レコード共通）", en="one level for each item, the same in every record"
    ),
    "recoding_few": Words(ja="少数の段階の組（局所）", en="few schemes of levels (local)"),
    "recoding_some": Words(ja="数十の段階の組（局所）", en="some dozens of schemes of levels (local)"),
    "recoding_cells": Words(ja="集団ごとの段階の組（局所）", en="a scheme of levels for each group (local)"),
    "recoding_ranges": Words(ja="集団ごとの範囲（局所）", en="ranges of their own for each group (local)"),
    "schemes": Words(
        ja="{schemes} 通りの段階の組を使っています（一覧は schemes.csv、各レコードの組も出力しています）。",
        en="{schemes} schemes are in use; schemes.csv lists them, and each record has its scheme.",
    ),
    "optimal": Words(
        ja=(
            "これより損失の小さい段階の選び方がないことを、全 {nodes} 通りについて確認しました"
            "（実際に計算したのは {checked} 通り）。"
        ),
        en=(
            "No other choice of levels loses less: this was proven over all {nodes} choices, {checked} of which had to "
            "be computed."
        ),
    ),
    "not_optimal": Words(
        ja="これは探索した範囲で最良の結果です。損失が最大 {gap} 小さい選び方が他に存在する可能性があります。",
        en="This is the best found so far; a better choice may exist, its loss lower by {gap} at most.",
    ),
    "local_words": Words(
        ja="レコードごとに段階を選んでいます。一定の規則で選んだもので、最良であることの証明はありません。",
        en="Records have levels of their own; the choice was made by a fixed rule and isn't proven the best.",
    ),
    # what remains
    "remains": Words(ja="残る危険性", en="What remains"),
    "risk_words": Words(
        ja=(
            "ある人の準識別子をすべて知り、その人が含まれることも知っている者から見ても、同じに見える人が少なくとも "
            "{smallest} 人います。本人を言い当てる確率は、最大 {highest}、平均 {mean} です。"
        ),
        en=(
            "Somebody who knows all quasi-identifiers of a person, and that the person is in the record set, finds at "
            "least {smallest} persons that look alike. The chance to point at the right one is {highest} at most and "
            "{mean} on average."
        ),
    ),
    "attack_words": Words(
        ja=(
            "実際に照合を試みました。元データの正しい値を使って {targets} 人を探したところ、"
            "候補が {k} 人未満に絞られたのは {narrowed}、1 人に絞られたのは {unique} でした。"
        ),
        en=(
            "The attack was run for real: {targets} persons were looked for with their true values. {narrowed} of them "
            "were narrowed to fewer than {k} candidates, and {unique} to one."
        ),
    ),
    "attack_sampled": Words(
        ja="100 万件を超えるため、対象者は無作為に抽出しました。",
        en="The targets were a random sample, since there are more than a million records.",
    ),
    "risk": Words(ja="危険性", en="Risk"),
    "risk_highest": Words(
        ja="識別確率の最大値（検察官型：含まれると知る者）", en="highest chance of being found (prosecutor)"
    ),
    "risk_mean": Words(ja="識別確率の平均（マーケター型）", en="average chance of being found (marketer)"),
    "risk_at_risk": Words(ja="確率が {threshold} を超える人の割合", en="share of persons above {threshold}"),
    "risk_journalist": Words(
        ja="母集団だけを知る者の識別確率の最大値（記者型）",
        en="highest chance for those who know only the population (journalist)",
    ),
    "risk_unique": Words(ja="同じ値の組に一人しかいない人の割合", en="share of persons alone in their group"),
    "risk_population": Words(
        ja="母集団で唯一と推定される人の割合", en="estimated share of persons unique in the population"
    ),
    # five items
    "items": Words(ja="加工基準の5項目", en="The five items of the processing standard"),
    "item_1": Words(
        ja="第1号：特定の個人を識別することができる記述等", en="Item 1: descriptions that identify a person"
    ),
    "item_2": Words(ja="第2号：個人識別符号", en="Item 2: individual identification codes"),
    "item_3": Words(ja="第3号：情報を相互に連結する符号", en="Item 3: codes that link to the source"),
    "item_4": Words(ja="第4号：特異な記述等", en="Item 4: singular descriptions"),
    "item_5": Words(
        ja="第5号：個人情報データベース等の性質を勘案したその他の措置",
        en="Item 5: other measures in view of the file's nature",
    ),
    "check": Words(ja="検査", en="Check"),
    "outcome": Words(ja="結果", en="Outcome"),
    "passed": Words(ja="合格", en="passed"),
    "finding": Words(ja="指摘あり", en="finding"),
    "question": Words(ja="要判断", en="to be judged"),
    "findings": Words(ja="指摘事項", en="Findings"),
    "finding_rows": Words(
        ja="（{rows} 件、対応案：{operation}）", en="({rows} records; suggested: {operation})"
    ),
    "severity_high": Words(ja="重", en="serious"),
    "severity_medium": Words(ja="中", en="moderate"),
    "severity_low": Words(ja="軽", en="slight"),
    "to_judge": Words(ja="審査者が判断する事項", en="For the reviewer to judge"),
    "figures": Words(ja="数値", en="Figures"),
    "reviewer": Words(ja="審査者", en="Reviewer"),
    "date": Words(ja="日付", en="Date"),
    "decision": Words(ja="判断と理由", en="Decision and reasons"),
    # usefulness
    "useful": Words(ja="利用価値", en="What is left to use"),
    "loss": Words(ja="損失（0：元のまま、1：何も残らない）", en="Loss (0: as the source, 1: nothing left)"),
    "granularity": Words(ja="失われた詳しさ（全セルの平均）", en="Detail lost, mean of all cells"),
    "entropy": Words(ja="失われた情報量（1 件当たりビット）", en="Information lost, in bits a record"),
    "class_size": Words(ja="同じ値の組の平均件数", en="Records per group, mean"),
    "classes": Words(ja="同じ値の組の数", en="Groups of alike records"),
    "accuracy_words": Words(
        ja=(
            "他の項目から「{target}」を予測したときの正答率は、加工前 {original}、加工後 {published} です"
            "（最も多い値を常に答えた場合は {baseline}）。"
        ),
        en=(
            "From the other items, {target} is predicted rightly for {original} of the records before and {published} "
            "after the processing (always naming the commonest value: {baseline})."
        ),
    ),
    "pictures": Words(ja="加工前後の分布", en="Distributions before and after"),
    # technical
    "technical": Words(ja="記録", en="For the record"),
    "source_hash": Words(ja="元データの SHA-256", en="SHA-256 of the source"),
    "plan_hash": Words(ja="加工計画の SHA-256", en="SHA-256 of the plan"),
    "records_hash": Words(ja="records.csv の SHA-256", en="SHA-256 of records.csv"),
    "seed": Words(ja="乱数の種", en="Seed"),
    "key": Words(ja="仮IDの鍵", en="Key of pseudonyms"),
    "versions": Words(ja="プログラム", en="Programs"),
    "remedy_remove": Words(ja="項目削除", en="remove"),
    "remedy_remove_records": Words(ja="レコード削除", en="remove records"),
    "remedy_suppress_cells": Words(ja="セル削除", en="suppress cells"),
    "remedy_suppress_rare": Words(ja="まれな値のセル削除", en="suppress rare values"),
    "remedy_pseudonym": Words(ja="仮IDへの置換え", en="pseudonym"),
    "remedy_shuffle": Words(ja="レコードの並べ替え", en="shuffle"),
    "remedy_generalise": Words(ja="一般化", en="generalise"),
    "remedy_top_code": Words(ja="トップコーディング", en="top code"),
    "remedy_bottom_code": Words(ja="ボトムコーディング", en="bottom code"),
    "remedy_noise": Words(ja="ノイズ（誤差）付加", en="noise"),
    "remedy_review": Words(ja="審査者による判断", en="a person must decide"),
    "seconds": Words(ja="所要秒数", en="Seconds"),
    "stage_read": Words(ja="読込", en="read"),
    "stage_prepare": Words(ja="準備", en="prepare"),
    "stage_search": Words(ja="探索", en="search"),
    "stage_write": Words(ja="書出し", en="write"),
    "stage_verify": Words(ja="検証", en="verify"),
    "stage_report": Words(ja="報告", en="report"),
    "stage_total": Words(ja="合計", en="total"),
    "notes": Words(ja="注記", en="Notes"),
    "not_read": Words(
        ja="大きなファイルのため読まずに削除した項目", en="Removed and not examined (large file)"
    ),
    "seed_given": Words(ja="計画で指定", en="given by the plan"),
    "seed_discarded": Words(
        ja="無作為に生成したが、記録集を作らなかったため破棄", en="drawn, and discarded, as nothing was made"
    ),
    "nearest_levels": Words(ja="段階", en="Levels"),
    "nearest_suppressed": Words(ja="レコード削除となる割合", en="Share of records that would be suppressed"),
    "seed_drawn": Words(
        ja="無作為に生成し、restricted フォルダに保管", en="drawn, kept in the restricted folder"
    ),
    "key_none": Words(ja="不使用", en="none was needed"),
    "key_kept": Words(ja="保有者が別に保管", en="kept apart by its owner"),
    "key_destroyed": Words(
        ja="この実行のために生成し、終了時に破棄", en="drawn for this run and destroyed with it"
    ),
    "restricted": Words(
        ja="restricted フォルダには加工の方法に関する情報があります。記録集とともに提供してはなりません。",
        en="The folder “restricted” holds information on the processing method. It must not leave with the record set.",
    ),
}


def say(key: str, language: Language, **figures: Any) -> str:
    """One sentence with its figures."""
    return WORDS[key].filled(**figures).within(language)
