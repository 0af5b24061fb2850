"""What no program can judge, item by item: the reviewer's questions."""

from privacy.deidentify.standard.findings import Question
from privacy.words import Words


def _ask(item: int, key: str, ja: str, en: str) -> Question:
    return Question(item, key, Words(ja=ja, en=en))


QUESTIONS = (
    _ask(
        1,
        "roles_right",
        "各項目の役割（識別子・準識別子・要配慮等）の割当ては、データの実態に合っているか。",
        "Does the role given to each attribute fit what it really holds?",
    ),
    _ask(
        1,
        "free_text",
        "自由記述に、本人・家族・関係者が分かる記述（氏名、勤務先、あだ名など）は残っていないか。",
        "Does any free text still tell of the person, their family or others (names, workplaces, nicknames)?",
    ),
    _ask(
        1,
        "together",
        "住所・生年月日・性別など、残した項目の組合せだけで特定の個人を識別できないか。",
        "Could the attributes that remain (area, birth, sex, …) together identify a person?",
    ),
    _ask(
        2,
        "other_codes",
        "検出器が知らない個人識別符号（生体情報の特徴量、自治体独自の写しなど）はないか。",
        "Are there individual codes that no detector knows (biometric features, copies under local names)?",
    ),
    _ask(
        3,
        "keys_destroyed",
        "仮IDの鍵・乱数・対応表は廃棄したか、又は加工方法等情報として分離して保管しているか。",
        "Are keys, seeds and tables of pseudonyms destroyed, or kept apart as processing-method information?",
    ),
    _ask(
        3,
        "pseudonyms_reused",
        "同じ仮IDを、別の提供先又は別の期間の提供でも使っていないか。",
        "Is the same pseudonym used for another recipient or in another release?",
    ),
    _ask(
        4,
        "known_event",
        "報道された事件・事故・受賞など、世に知られた出来事を示す記録はないか。",
        "Does a record tell of a publicly known event (an accident, a crime, a prize)?",
    ),
    _ask(
        4,
        "rare_in_population",
        "このファイルでは珍しくなくても、地域の母集団では珍しい値（疾病、職業、国籍など）はないか。",
        "Are values that are common in this file rare in the local population (disease, occupation, nationality)?",
    ),
    _ask(
        5,
        "group_sensitive",
        "ファイルに載っていること自体が、要配慮の事実（受給、受診、相談など）を示さないか。",
        "Does being in the file at all tell something sensitive (a benefit, a treatment, a consultation)?",
    ),
    _ask(
        5,
        "other_releases",
        "同じ人々についての他の公表物・過去の提供物と突き合わせると、差分から個人が分からないか。",
        "Would other publications or earlier releases about the same people tell a person by their differences?",
    ),
    _ask(
        5,
        "recipient_knows",
        "提供先が既に持つ情報（顧客名簿、位置情報など）と照合できる項目はないか。",
        "Are there attributes that the recipient could match with what it has (customers, locations)?",
    ),
    _ask(
        5,
        "small_area",
        "地域が狭い、施設が一つしかないなど、ファイルの性質から個人が推測されないか。",
        "Does the file's nature (a small area, a single facility) let a person be guessed?",
    ),
    _ask(
        5,
        "thresholds",
        "検査に用いた閾値（法令に定めのない運用上の値）は、このファイルに適切か。",
        "Are the thresholds used, which are policy and not law, right for this file?",
    ),
)
