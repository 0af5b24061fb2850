"""Numbers, addresses and names are found by their form, and random numbers are not taken for them."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from privacy.deidentify.detectors import DETECTORS, Detector, DetectorResult, Matched, detect, tail_bound
from privacy.deidentify.detectors import digits as rules
from privacy.deidentify.detectors.catalogue import Confidence
from privacy.deidentify.detectors.scan import normalised


def my_number(body: int) -> str:
    text = f"{body:011d}"
    total = sum(int(digit) * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(text), 1))
    return text + str(0 if total % 11 <= 1 else 11 - total % 11)


def resident_code(body: int) -> str:
    text = f"{body:010d}"
    total = sum(int(digit) * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(text), 1))
    return text + str(0 if total % 11 <= 1 else 11 - total % 11)


def licence(body: int, *, commission: int = 30, reissued: int = 0) -> str:
    text = f"{commission:02d}{body:08d}"
    total = sum(
        int(digit) * weight for digit, weight in zip(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=True)
    )
    return f"{text}{(11 - total % 11) % 10}{reissued}"


def with_luhn(text: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(text)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return text + str(-total % 10)


def insurer(body: int) -> str:
    return with_luhn(f"0613{body:03d}")


def card(body: int) -> str:
    return with_luhn(f"4{body:014d}")


def corporate_number(body: int) -> str:
    text = f"{body:012d}"
    total = sum(int(digit) * (1 if n % 2 else 2) for n, digit in enumerate(reversed(text), 1))
    return f"{9 - total % 9}{text}"


CHECKED: dict[str, tuple[Callable[[int], str], int]] = {
    "my_number": (my_number, 10**11),
    "resident_code": (resident_code, 10**10),
    "driving_licence": (licence, 10**8),
    "card": (card, 10**14),
}


def found(name: str, *values: str) -> dict[str, Matched]:
    return {matched.detector.key: matched for matched in detect(name, values)}


def verdicts(name: str, *values: str) -> dict[str, DetectorResult]:
    return {key: matched.verdict for key, matched in found(name, *values).items()}


def rule_of(key: str, length: int) -> Callable[[str], bool]:
    rule = next(detector for detector in DETECTORS if detector.key == key).rules[length]
    return lambda number: bool(rule(rules.matrix([number], length)).passes[0])


@pytest.mark.parametrize("key", CHECKED)
def test_a_column_of_numbers_with_right_check_digits_is_found(key: str) -> None:
    make, bodies = CHECKED[key]
    column = [make(body) for body in range(bodies // 7, bodies // 7 + 40_000, 1_111)]
    assert verdicts("x", *column)[key] is DetectorResult.FINDING
    assert found("x", *column)[key].passing == len(column)


def test_published_examples_of_check_digits_pass() -> None:
    assert rule_of("my_number", 12)("123456789018")
    assert rule_of("driving_licence", 12)("309012345620")
    assert rule_of("insurer_number", 8)("33120015")
    assert rule_of("corporate_number", 13)("7000012050002")
    assert rule_of("card", 16)("4111111111111111")


@given(st.integers(1, 10**11 - 1), st.integers(0, 10), st.integers(1, 9))
def test_one_wrong_digit_breaks_my_number_unless_both_remainders_give_zero(
    body: int, place: int, step: int
) -> None:
    number = my_number(body)
    other = str((int(number[place]) + step) % 10)
    wrong = number[:place] + other + number[place + 1 :]
    passes = rule_of("my_number", 12)(wrong)
    assert rule_of("my_number", 12)(number)
    assert not passes or (number[-1] == "0" and my_number(int(wrong[:-1])) == wrong)


@given(st.integers(0, 10**11 - 1), st.integers(1, 9))
def test_a_wrong_check_digit_never_passes(body: int, step: int) -> None:
    number = my_number(body)
    assert not rule_of("my_number", 12)(number[:-1] + str((int(number[-1]) + step) % 10))


@given(st.integers(0, 10**14 - 1), st.integers(1, 15), st.integers(1, 9))
def test_one_wrong_digit_always_breaks_a_card_number(body: int, place: int, step: int) -> None:
    number = card(body)
    wrong = number[:place] + str((int(number[place]) + step) % 10) + number[place + 1 :]
    assert rule_of("card", 16)(number)
    assert not rule_of("card", 16)(wrong)


@given(st.integers(0, 999), st.integers(4, 7), st.integers(1, 9))
def test_one_wrong_digit_always_breaks_an_insurer_number(body: int, place: int, step: int) -> None:
    number = insurer(body)
    wrong = number[:place] + str((int(number[place]) + step) % 10) + number[place + 1 :]
    assert rule_of("insurer_number", 8)(number)
    assert not rule_of("insurer_number", 8)(wrong)


@given(st.integers(0, 10**8 - 1), st.integers(1, 9))
def test_a_wrong_check_digit_breaks_a_licence_and_the_count_of_reissues_does_not(
    body: int, step: int
) -> None:
    number = licence(body, reissued=step)
    wrong = number[:10] + str((int(number[10]) + step) % 10) + number[11:]
    assert rule_of("driving_licence", 12)(number)
    assert not rule_of("driving_licence", 12)(wrong)
    assert not rule_of("driving_licence", 12)(licence(body, commission=98))


@given(st.integers(0, 10**12 - 1))
def test_a_corporate_number_is_a_note_and_never_my_number(body: int) -> None:
    here = verdicts("番号", corporate_number(body))
    assert here["corporate_number"] is DetectorResult.NOTE
    assert "my_number" not in here


@pytest.mark.parametrize("key", CHECKED)
@pytest.mark.parametrize("seed", range(3))
def test_random_numbers_pass_as_often_as_said_and_only_raise_a_question(key: str, seed: int) -> None:
    length = len(CHECKED[key][0](1))
    draws = np.random.default_rng(seed).integers(0, 10, (20_000, length))
    column = ["".join(map(str, row)) for row in draws]
    matched = found("x", *column)[key]
    chance = next(detector for detector in DETECTORS if detector.key == key).chance
    assert matched.verdict is DetectorResult.QUESTION
    assert len(matched.places) / len(column) == pytest.approx(chance, abs=5 * (chance / 20_000) ** 0.5)


@pytest.mark.parametrize("step", [1, 3, 10, 100])
def test_serial_numbers_of_twelve_digits_are_no_my_numbers(step: int) -> None:
    column = [f"{202400000000 + step * place:012d}" for place in range(5_000)]
    here = verdicts("受付番号", *column)
    assert here["my_number"] is DetectorResult.QUESTION
    assert here.get("driving_licence") is not DetectorResult.FINDING


def test_serial_numbers_that_share_a_licence_check_are_one_trial() -> None:
    right = licence(12345678)[:-1]
    column = [right + str(reissued) for reissued in range(10)]
    matched = found("受付番号", *column)["driving_licence"]
    assert (matched.candidates, matched.passing) == (1, 10)
    assert matched.verdict is DetectorResult.QUESTION


def test_serial_numbers_with_a_prefix_are_judged_by_their_rate_too() -> None:
    serial = [f"A-{number:012d}" for number in range(202400000000, 202400002000, 7)]
    real = [f"A-{my_number(body)}" for body in range(10**10, 10**10 + 200)]
    assert verdicts("受付番号", *serial)["my_number"] is DetectorResult.QUESTION
    assert verdicts("受付番号", *real)["my_number"] is DetectorResult.FINDING


def test_some_my_numbers_among_as_many_random_numbers_are_above_chance() -> None:
    random = [f"{number:012d}" for number in np.random.default_rng(5).integers(0, 10**12, 300)]
    hidden = [my_number(body) for body in range(10**10, 10**10 + 100)]
    assert verdicts("x", *random, *hidden)["my_number"] is DetectorResult.FINDING


def test_a_column_that_says_my_number_needs_one_match() -> None:
    assert verdicts("x", my_number(5))["my_number"] is DetectorResult.QUESTION
    assert verdicts("個人番号", my_number(5))["my_number"] is DetectorResult.FINDING
    assert verdicts("ＭｙＮｕｍｂｅｒ", my_number(5))["my_number"] is DetectorResult.FINDING


@pytest.mark.parametrize(
    "text",
    ["本人の番号は{}です", "番号:{} 確認済", "{}（写し）", "マイナンバー{}", "{}"],
)
def test_my_number_in_free_text_is_a_finding(text: str) -> None:
    plain = my_number(12345678901)
    others = ["転入の届出", "転出の届出", "証明書の交付"]
    grouped = f"{plain[:4]}-{plain[4:8]}-{plain[8:]}"
    wide = plain.translate({ord("0") + digit: ord("０") + digit for digit in range(10)})
    for number in (plain, grouped, grouped.replace("-", " "), grouped.replace("-", "ー"), wide):
        matched = found("備考", *others, text.format(number))["my_number"]
        assert matched.verdict is DetectorResult.FINDING
        assert matched.places.tolist() == [3]


def test_part_of_a_longer_number_is_no_my_number() -> None:
    plain = my_number(12345678901)
    assert "my_number" not in found(
        "備考", f"伝票 1{plain}", f"伝票 {plain}1", f"伝票 0.{plain}", f"伝票 {plain}-1"
    )


def test_a_card_number_in_four_groups_is_not_my_number_and_a_card() -> None:
    here = verdicts("備考", "届出", "支払", "4111 1111 1111 1111 で支払", "4111-1111-1111-1111")
    assert here["card"] is DetectorResult.FINDING
    assert "my_number" not in here


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("passport", "旅券 TK1234567 を提示"),
        ("passport", "ＴＫ１２３４５６７"),
        ("residence_card", "AB12345678CD"),
        ("insurer_number", f"保険者番号は{insurer(1)}"),
        ("insured_number", "記号12-34 番号567"),
        ("insured_number", "被保険者番号 01234567"),
        ("elderly_insured_number", "後期高齢者医療 被保険者番号 01234567"),
        ("care_insured_number", "介護保険被保険者番号:0012345678"),
        ("pension_number", "1234-567890"),
        ("pension_number", "基礎年金番号1234567890"),
        ("resident_code", "住民票コード:12345678901"),
        ("phone", "03-1234-5678"),
        ("phone", "電話は０４５－１２３－４５６７まで"),
        ("phone", "090-1234-5678"),
        ("phone", "連絡先 08012345678"),
        ("phone", "03(1234)5678"),
        ("phone", "+81 90-1234-5678"),
        ("phone", "tel:0312345678"),
        ("email", "hanako.sato@example.lg.jp に送付"),
        ("address", "東京都千代田区霞が関1-3-1"),
        ("address", "札幌市中央区北１条西２丁目１番地"),
        ("address", "みどり市緑町三番地"),
        ("address", "みどりハイツ201号室"),
        ("birth_date", "昭和55年1月2日生まれ"),
        ("birth_date", "生年月日:1980/01/02"),
        ("name_in_text", "隣の佐藤花子さんから相談"),
        ("bank_account", "普通 1234567"),
        ("bank_account", "0001-123-1234567"),
        ("vehicle_plate", "品川 300 あ 12-34"),
        ("url", "https://example.jp/~hanako"),
        ("ip_address", "192.168.10.1 から"),
        ("ip_address", "2001:db8:0:0:0:0:0:1"),
    ],
)
def test_a_layout_that_speaks_for_itself_is_a_finding(key: str, text: str) -> None:
    matched = found("備考", "届出", text, "証明")[key]
    assert matched.verdict is DetectorResult.FINDING
    assert matched.places.tolist() == [1]


@pytest.mark.parametrize(
    ("key", "text"), [("postcode", "〒100-0001"), ("full_date", "1980-01-02"), ("full_date", "S55.1.2")]
)
def test_a_postcode_or_a_date_alone_is_a_question(key: str, text: str) -> None:
    assert verdicts("備考", text)[key] is DetectorResult.QUESTION


def test_a_full_date_in_a_column_of_births_is_a_finding() -> None:
    assert verdicts("生年月日", "1980-01-02")["full_date"] is DetectorResult.FINDING


@pytest.mark.parametrize(
    "column",
    [
        [str(age) for age in range(120)],
        [f"{start}-{start + 4}" for start in range(0, 90, 5)],
        ["*", "", "男", "女", "その他"],
        ["緑町三丁目", "桜町一丁目", "東町", "みどり市"],
        ["会社員", "公務員", "自営業", "無職", "学生"],
        [f"{amount}.5" for amount in range(1_000, 100_000, 777)],
        ["131016", "131024", "141003"],
        ["Married-civ-spouse", "Never-married", "Craft-repair", "United-States"],
        ["2020", "2021年度", "昭和50年代", "1980年1月"],
        ["区分1-2", "町内会2-3", "条例第5号"],
        ["患者さん", "皆様", "利用者様"],
    ],
)
def test_harmless_columns_raise_nothing(column: list[str]) -> None:
    assert verdicts("項目", *column) == {}


def test_a_column_of_names_is_found_by_its_rate_and_one_place_name_is_not() -> None:
    given = ["太郎", "花子", "一郎", "みどり", "健", "美咲", "翔"]
    families = ["佐藤", "鈴木", "高橋", "田中"]
    names = [f"{family}{first}" for family in families for first in given]
    assert verdicts("x", *names)["person_name"] is DetectorResult.FINDING
    assert (
        verdicts("x", *(f"{name[:2]}　{name[2:]}" for name in names))["person_name"] is DetectorResult.FINDING
    )
    assert verdicts("x", "ｻﾄｳ ﾊﾅｺ", "スズキ タロウ", "タナカ ミサキ")["person_name"] is DetectorResult.FINDING
    towns = ["本町", "緑町", "桜町", "中央", "南台", "若葉", "栄", "泉", "青葉", "林間", "東町", "西町"]
    assert verdicts("x", *towns, "山田花子")["person_name"] is DetectorResult.QUESTION


def test_numbers_with_no_public_check_are_found_by_the_column_name_only() -> None:
    column = [f"{number:010d}" for number in range(7_000_000_000, 7_000_000_050)]
    assert verdicts("整理番号", *column) == {}
    assert verdicts("介護保険被保険者番号", *column)["care_insured_number"] is DetectorResult.FINDING
    assert verdicts("基礎年金番号", *column)["pension_number"] is DetectorResult.FINDING


def test_line_breaks_inside_a_value_do_not_shift_the_places() -> None:
    matched = found("備考", "一行目\n二行目", "a\r\nb", "hanako@example.jp\n", "終")["email"]
    assert matched.places.tolist() == [2]


def test_digits_within_digests_and_uuids_are_no_numbers() -> None:
    number = my_number(12345678901)
    digests = [hashlib.sha256(str(place).encode()).hexdigest()[:12] for place in range(2_000)]
    assert verdicts("x", *digests, number) == {}
    assert verdicts("x", f"ab{number}cdef0123", f"4a6e15f0-12d3-a456-9abc-{number}") == {}
    assert verdicts("備考", "届出", f"番号{number}")["my_number"] is DetectorResult.FINDING


def test_no_value_is_repeated_by_a_match() -> None:
    number = my_number(12345678901)
    assert number not in repr(detect("備考", ["届出", number, f"番号{number}"]))


@given(st.lists(st.text(max_size=30), max_size=20, unique=True))
def test_any_text_can_be_searched(values: list[str]) -> None:
    for matched in detect("備考", values):
        assert len(matched.places)
        assert 0 <= matched.places.min() <= matched.places.max() < len(values)


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing_and_leaves_one_line(text: str) -> None:
    once = normalised(text)
    assert len(once.splitlines()) <= 1
    assert normalised(once) == once


@given(st.integers(1, 60), st.floats(0.01, 0.9), st.data())
def test_the_tail_bound_is_above_the_exact_binomial_tail(
    trials: int, chance: float, data: st.DataObject
) -> None:
    passing = data.draw(st.integers(0, trials))
    bound = tail_bound(trials=trials, passing=passing, chance=chance)
    assert bound <= 1
    assert bound >= binom.sf(passing - 1, trials, chance) - 1e-12


def test_the_tail_of_all_passing_is_exact() -> None:
    assert tail_bound(trials=3, passing=3, chance=0.1) == pytest.approx(0.001)
    assert tail_bound(trials=0, passing=0, chance=0.1) == 1


def test_every_detector_says_what_it_is() -> None:
    keys = [detector.key for detector in DETECTORS]
    assert len(set(keys)) == len(keys)
    for detector in DETECTORS:
        assert isinstance(detector, Detector)
        assert detector.words.ja
        assert detector.words.en
        assert detector.item in (1, 2)
        assert 0 < detector.chance <= 1
        assert detector.confidence in Confidence
        assert detector.marked is not None or detector.run is not None
