"""What is looked for: every detector with its item of the standard, its form and its chance of a false alarm."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from privacy.deidentify.detectors import digits
from privacy.deidentify.detectors.digits import Rule
from privacy.deidentify.detectors.families import FAMILIES, READINGS
from privacy.words import Words


class Confidence(StrEnum):
    """How likely a match is what its detector is named for."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """One kind of text that points at a person.

    Texts are searched after normalisation (`scan.normalised`), many at once with a line end between them:
    no pattern may cross a line. `marked` is a layout that speaks for itself; `run` is a number that must pass
    the rule for its length in `rules`; the number is the group of that name, or all of the match.
    """

    key: str
    words: Words
    item: int
    """The item of the processing standard: 1 (identifying descriptions) or 2 (個人識別符号)."""
    confidence: Confidence
    chance: float
    """The share of random texts of the same shape that pass: 1 where the shape is all there is."""
    hint: re.Pattern[str]
    """Column names that say what it is: there, one match is a finding."""
    marked: re.Pattern[str] | None = None
    accepts: Callable[[str], bool] | None = None
    """A last look at a marked match."""
    run: re.Pattern[str] | None = None
    rules: Mapping[int, Rule] = field(default_factory=lambda: MappingProxyType({}))
    needs: tuple[str, ...] = ()
    """One of these must occur in the column, else it is not searched at all."""
    rated: bool = False
    """Marked matches are judged by their rate, like numbers with a check digit."""
    tentative: bool = False
    """A marked match is a question to the reviewer, unless the column's name says more."""
    quiet: bool = False
    """Matches no more frequent than chance raise no question."""
    personal: bool = True


_LEFT = r"[0-9](?<![0-9]{2})(?<![0-9][-.][0-9])"
"""The first digit of a number that is not the continuation of another."""
_RIGHT = r"(?![0-9]|[-.][0-9])"
_LEFT_GROUP = rf"{_LEFT}(?<![0-9] [0-9])"
_RIGHT_GROUP = r"(?![0-9]|[-. ][0-9])"
_KANJI = r"[一-龥々〆ヶ]"
_PREFECTURE = rf"(?:北海道|東京都|京都府|大阪府|{_KANJI}{{2,3}}県)"
_BLOCK = r"(?:[0-9]+番|[0-9]+-[0-9]+|[〇一二三四五六七八九十百]+番|番地)"
_ROOM = r"(?:マンション|アパート|ハイツ|コーポ|ハイム|メゾン|レジデンス|荘|団地)[^\n]{0,12}[0-9]{1,4}号?室?"
_ERA = r"(?:明治|大正|昭和|平成|令和)(?:元|[0-9]{1,2})年[0-9]{1,2}月[0-9]{1,2}日"
_DAY = (
    r"(?:(?:18|19|20)[0-9]{2}(?:年|[-/.])[0-9]{1,2}(?:月|[-/.])[0-9]{1,2}日?(?![0-9])"
    rf"|{_ERA}|[MTSHR][0-9]{{1,2}}\.[0-9]{{1,2}}\.[0-9]{{1,2}}(?![0-9.]))"
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
# Family names are place names too: 山口県 and 千葉駅 are no persons.
_PLACE_ENDS = "市区町村郡県府都道駅川橋島丁"
# The longest first: a pattern takes the first alternative that fits, and 久保田 begins like 久保.
_FAMILY = "|".join(sorted(FAMILIES, key=len, reverse=True))
_READING = "|".join(sorted(READINGS, key=len, reverse=True))
_FAMILIES = frozenset(FAMILIES)


def _hint(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


def _begins_with_a_family_name(text: str) -> bool:
    return any(text[:length] in _FAMILIES for length in (1, 2, 3))


DETECTORS: tuple[Detector, ...] = (
    Detector(
        key="my_number",
        words=Words(ja="個人番号（マイナンバー）", en="Individual Number (My Number)"),
        item=2,
        confidence=Confidence.HIGH,
        chance=0.1,
        hint=_hint("個人番号|マイナンバー|my_?number"),
        run=re.compile(
            rf"{_LEFT}[0-9]{{11}}{_RIGHT}|{_LEFT_GROUP}[0-9]{{3}}([- ])[0-9]{{4}}\1[0-9]{{4}}{_RIGHT_GROUP}"
        ),
        rules={12: digits.my_number},
    ),
    Detector(
        key="corporate_number",
        words=Words(ja="法人番号（個人の番号ではない）", en="corporate number (not of a person)"),
        item=1,
        confidence=Confidence.HIGH,
        chance=0.1,
        hint=_hint("法人番号|corporate_?number"),
        run=re.compile(rf"{_LEFT}(?:-?[0-9]{{4}}){{3}}{_RIGHT}"),
        rules={13: digits.corporate_number},
        personal=False,
        quiet=True,
    ),
    Detector(
        key="resident_code",
        words=Words(ja="住民票コード", en="resident record code"),
        item=2,
        confidence=Confidence.MEDIUM,
        chance=0.1,
        hint=_hint("住民票コード|住基コード|resident_?(record_?)?code"),
        # Its name before it makes any eleven digits one: the check digit's weights are not official (see `digits`).
        marked=re.compile(r"住民票コード[^0-9\n]{0,6}[0-9]{11}(?![0-9])"),
        run=re.compile(rf"{_LEFT}[0-9]{{10}}{_RIGHT}"),
        rules={11: digits.resident_code},
    ),
    Detector(
        key="driving_licence",
        words=Words(ja="運転免許証番号", en="driver's licence number"),
        item=2,
        confidence=Confidence.HIGH,
        chance=0.1 * len(digits.LICENCE_COMMISSIONS) / 100,
        hint=_hint("免許証?番号|licen[cs]e_?(number|no)"),
        run=re.compile(rf"{_LEFT}[0-9]{{11}}{_RIGHT}"),
        rules={12: digits.licence},
    ),
    Detector(
        key="passport",
        words=Words(ja="旅券番号", en="passport number"),
        item=2,
        confidence=Confidence.MEDIUM,
        chance=1.0,
        hint=_hint("旅券|パスポート|passport"),
        marked=re.compile(r"[A-Z](?<![A-Za-z0-9][A-Z])[A-Z][0-9]{7}(?![A-Za-z0-9])"),
    ),
    Detector(
        key="residence_card",
        words=Words(ja="在留カード等の番号", en="residence card number"),
        item=2,
        confidence=Confidence.HIGH,
        chance=1.0,
        hint=_hint("在留カード|特別永住者|residence_?card"),
        marked=re.compile(r"[A-Z](?<![A-Za-z0-9][A-Z])[A-Z][0-9]{8}[A-Z]{2}(?![A-Za-z0-9])"),
    ),
    Detector(
        key="insurer_number",
        words=Words(ja="保険者番号", en="health insurer's number"),
        item=2,
        confidence=Confidence.MEDIUM,
        chance=0.1 * len(digits.INSURER_LAWS) / 100 * digits.PREFECTURES / 100,
        hint=_hint("保険者番号|insurer"),
        # 被保険者番号, which holds this name, is another number.
        run=re.compile(r"(?<!被)保険者番号[^0-9\n]{0,6}(?P<number>[0-9]{8}|[0-9]{6})(?![0-9])"),
        rules={8: digits.insurer_of_eight, 6: digits.insurer_of_six},
        quiet=True,
    ),
    Detector(
        key="insured_number",
        words=Words(ja="被保険者証の記号・番号", en="symbol and number of an insured person"),
        item=2,
        confidence=Confidence.MEDIUM,
        chance=1.0,
        hint=_hint("被保険者.*番号|記号.*番号|保険証|insured_?(number|no|id)"),
        marked=re.compile(
            r"記号[^0-9\n]{0,4}[0-9A-Za-z-]{1,12}[^0-9\n]{0,4}番号[^0-9\n]{0,4}[0-9]{1,10}"
            r"|被保険者(?:証)?(?:の)?(?:記号)?・?番号[^0-9\n]{0,4}[0-9]{3,10}"
        ),
        rules=dict.fromkeys(range(5, 11), digits.any_digits),
        quiet=True,
    ),
    Detector(
        key="elderly_insured_number",
        words=Words(
            ja="後期高齢者医療の被保険者番号", en="number of a person insured in medical care for the elderly"
        ),
        item=2,
        confidence=Confidence.MEDIUM,
        chance=1.0,
        hint=_hint("後期高齢.*番号"),
        marked=re.compile(r"後期高齢[^0-9\n]{0,20}[0-9]{8}(?![0-9])"),
        rules={8: digits.any_digits},
        quiet=True,
    ),
    Detector(
        key="care_insured_number",
        words=Words(ja="介護保険の被保険者番号", en="number of a person insured in long-term care"),
        item=2,
        confidence=Confidence.MEDIUM,
        chance=1.0,
        hint=_hint("介護.*番号|care_?insur"),
        marked=re.compile(r"介護[^0-9\n]{0,20}[0-9]{10}(?![0-9])"),
        rules={10: digits.any_digits},
        quiet=True,
    ),
    Detector(
        key="pension_number",
        words=Words(ja="基礎年金番号", en="basic pension number"),
        item=2,
        confidence=Confidence.MEDIUM,
        chance=1.0,
        hint=_hint("年金.*番号|pension_?(number|no)"),
        marked=re.compile(
            rf"{_LEFT}[0-9]{{3}}-[0-9]{{6}}{_RIGHT}|年金番号[^0-9\n]{{0,6}}[0-9]{{10}}(?![0-9])"
        ),
        rules={10: digits.any_digits},
        quiet=True,
    ),
    Detector(
        key="phone",
        words=Words(ja="電話番号", en="telephone number"),
        item=1,
        confidence=Confidence.HIGH,
        chance=0.09,
        hint=_hint("電話|携帯|phone|tel(?![a-z])|mobile"),
        marked=re.compile(
            r"0(?<![0-9]0)(?<![0-9]-0)(?:[1-9][-( )]{1,2}[0-9]{4}|[1-9][0-9][-( )]{1,2}[0-9]{3}"
            r"|[1-9][0-9]{2}[-( )]{1,2}[0-9]{2}|[1-9][0-9]{3}[-( )]{1,2}[0-9]|[5-9]0[-( )]{1,2}[0-9]{4})"
            r"[-( )]{1,2}[0-9]{4}(?![0-9-])"
            r"|\+81[- ]?(?:\(0\))?[0-9]{1,4}[- ]?[0-9]{1,4}[- ]?[0-9]{4}(?![0-9])"
            r"|(?:電話|TEL|Tel|tel)(?:番号)?[:. ]{0,2}0[1-9][0-9]{8,9}(?![0-9])"
        ),
        run=re.compile(rf"0(?<![0-9]0)(?<![0-9][-.]0)[5-9]0[0-9]{{8}}{_RIGHT}"),
        rules={10: digits.phone, 11: digits.phone},
    ),
    Detector(
        key="email",
        words=Words(ja="電子メールアドレス", en="e-mail address"),
        item=1,
        confidence=Confidence.HIGH,
        chance=1.0,
        hint=_hint("メール|e-?mail"),
        marked=re.compile(r"(?<![\w.%+'-])[\w.%+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"),
        needs=("@",),
    ),
    Detector(
        key="address",
        words=Words(ja="番地までの住所", en="address down to the block or room"),
        item=1,
        confidence=Confidence.MEDIUM,
        chance=1.0,
        hint=_hint("住所|所在地|address"),
        marked=re.compile(
            rf"{_PREFECTURE}[^0-9\n,、。]{{1,24}}[^\n,、。]{{0,12}}?{_BLOCK}"
            rf"|[市区町村郡][^\n,、。 ]{{1,20}}?(?:[0-9]+番(?:地|[0-9]+号)|番地|丁目[0-9]+-[0-9]+|[0-9]+-[0-9]+-[0-9]+)"
            rf"|{_ROOM}"
        ),
        # A column without any of these is not searched: the pattern is slow on long texts.
        needs=("県", "都", "府", "道", "市", "区", "町", "村", "郡", "室", "号"),
    ),
    Detector(
        key="postcode",
        words=Words(ja="郵便番号", en="postcode"),
        item=1,
        confidence=Confidence.LOW,
        chance=1.0,
        # No column name makes a postcode identify somebody: the pattern never matches.
        hint=_hint("(?!)"),
        marked=re.compile(rf"〒 ?[0-9]{{3}}-?[0-9]{{4}}(?![0-9])|{_LEFT}[0-9]{{2}}-[0-9]{{4}}{_RIGHT}"),
        needs=("-", "〒"),
        # 123-4567 is as often a part number or an extension.
        tentative=True,
    ),
    Detector(
        key="birth_date",
        words=Words(ja="生年月日（年月日すべて）", en="full date of birth"),
        item=1,
        confidence=Confidence.MEDIUM,
        chance=1.0,
        hint=_hint("生年月日|誕生日|birth|^dob$"),
        marked=re.compile(rf"(?:生年月日|誕生日)[^0-9\n]{{0,6}}{_DAY}|{_DAY} ?(?:生まれ|生(?![一-龥]))"),
        needs=("生",),
    ),
    Detector(
        key="full_date",
        words=Words(ja="年月日", en="full date"),
        item=1,
        confidence=Confidence.LOW,
        chance=1.0,
        hint=_hint("生年月日|誕生日|birth|^dob$"),
        marked=re.compile(_DAY),
        # Most dates in a register are of events, which only the plan's author can tell from births.
        tentative=True,
    ),
    Detector(
        key="person_name",
        words=Words(ja="氏名", en="personal name"),
        item=1,
        confidence=Confidence.LOW,
        chance=0.15,
        hint=_hint("氏名|姓名|^name$|full_?name|フリガナ|ふりがな|世帯主"),
        marked=re.compile(
            rf"^(?:(?:{_FAMILY}) ?(?:{_KANJI}{{1,3}}|[ぁ-ん]{{2,4}}|[ァ-ヶー]{{2,5}})(?<![{_PLACE_ENDS}])"
            rf"|(?:{_READING}) ?[ァ-ヶー]{{2,6}})$",
            re.MULTILINE,
        ),
        # 林業 and 森林 have the form of a name: only a column with more of such words than chance is one of names.
        rated=True,
    ),
    Detector(
        key="name_in_text",
        words=Words(ja="文中の人名", en="personal name within a text"),
        item=1,
        confidence=Confidence.LOW,
        chance=1.0,
        hint=_hint("(?!)"),
        marked=re.compile(
            rf"{_KANJI}{{1,3}} ?(?:{_KANJI}|[ぁ-ん]){{0,3}}? ?(?:さん|様|氏(?!名)|くん|ちゃん|先生)"
        ),
        # お客様 and 奥さん have the form of a name and an honorific.
        accepts=_begins_with_a_family_name,
        needs=("さん", "様", "氏", "くん", "ちゃん", "先生"),
    ),
    Detector(
        key="bank_account",
        words=Words(ja="銀行口座番号", en="bank account"),
        item=1,
        confidence=Confidence.MEDIUM,
        chance=1.0,
        hint=_hint("口座番号|account_?(number|no)"),
        marked=re.compile(
            rf"(?:普通|当座|貯蓄|口座)(?:預金|番号)?[^0-9\n]{{0,6}}[0-9]{{6,8}}(?![0-9])|{_LEFT}[0-9]{{3}}-[0-9]{{3}}-[0-9]{{7}}{_RIGHT}"
        ),
        rules={7: digits.any_digits},
        quiet=True,
    ),
    Detector(
        key="vehicle_plate",
        words=Words(ja="自動車登録番号", en="vehicle registration plate"),
        item=1,
        confidence=Confidence.MEDIUM,
        chance=1.0,
        hint=_hint("車両番号|登録番号標|ナンバープレート|plate"),
        marked=re.compile(
            r"[一-龥ぁ-んァ-ヶ] ?[0-9]{2,3}[A-Z]? ?[ぁ-ん] ?(?:[0-9]{2}-[0-9]{2}|[・.]{1,3} ?[0-9]{1,3})(?![0-9])"
        ),
    ),
    Detector(
        key="card",
        words=Words(ja="クレジットカード番号", en="payment card number"),
        item=1,
        confidence=Confidence.HIGH,
        chance=0.028,
        hint=_hint("カード番号|card_?(number|no)"),
        run=re.compile(
            rf"{_LEFT}[0-9]{{13,15}}{_RIGHT}"
            rf"|{_LEFT_GROUP}[0-9]{{3}}([- ])"
            rf"(?:[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}|[0-9]{{6}}\1[0-9]{{4,5}}){_RIGHT_GROUP}"
        ),
        rules=dict.fromkeys((14, 15, 16), digits.card),
    ),
    Detector(
        key="url",
        words=Words(ja="URL", en="web address"),
        item=1,
        confidence=Confidence.MEDIUM,
        chance=1.0,
        hint=_hint("^url$|ホームページ"),
        marked=re.compile(r"https?://[^\s]{3}|www\.[A-Za-z0-9-]{2}"),
        needs=("://", "www."),
    ),
    Detector(
        key="ip_address",
        words=Words(ja="IPアドレス", en="IP address"),
        item=1,
        confidence=Confidence.MEDIUM,
        chance=0.45,
        hint=_hint("ip_?addr|IPアドレス"),
        marked=re.compile(
            rf"(?<![0-9.])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9]|\.[0-9])|(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{{1,4}}:){{7}}[0-9A-Fa-f]{{1,4}}(?![0-9A-Fa-f:])"
        ),
        needs=(".", ":"),
    ),
)
