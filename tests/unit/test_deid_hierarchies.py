"""Hierarchies from layouts, intervals, dates, Japanese areas, masks, orders and trees, as plans describe them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.deidentify.errors import BadHierarchy
from privacy.deidentify.hierarchies.areas import check_digit, of_address, of_code
from privacy.deidentify.hierarchies.dates import era_of, parsed
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.hierarchies.layout import parse
from privacy.deidentify.hierarchies.plan import KINDS, build

SMALL = settings(deadline=None, derandomize=True, max_examples=60)
ADULT = Path(__file__).parents[3] / "shared" / "data" / "adult"


def built(spec: Mapping[str, Any] | str, *values: str) -> Hierarchy:
    return build(spec, name="attribute", values=values)


def path(hierarchy: Hierarchy, value: str) -> tuple[str, ...]:
    place = hierarchy.domain.index(value)
    return tuple(labels[codes[place]] for labels, codes in zip(hierarchy.labels, hierarchy.maps, strict=True))


def told(spec: Mapping[str, Any], value: str, *others: str) -> tuple[str, ...]:
    """The labels over one value."""
    return path(built(spec, value, *others), value)[1:]


def is_refused(spec: Mapping[str, Any] | str, *values: str, words: str) -> str:
    with pytest.raises(BadHierarchy, match=words) as refused:
        built(spec, *values)
    assert "hierarchy of attribute" in str(refused.value)
    return str(refused.value)


# Layout


def test_a_layout_is_one_line_a_value_with_quotes_blank_lines_and_a_byte_order_mark() -> None:
    text = '\ufeffa;"x;y";*\r\n\r\n"b""c";"x;y";*\n   \nd;"two\nlines";*'
    made = parse("attribute", text)
    assert made.domain == ("a", 'b"c', "d")
    assert made.labels[1:] == (("x;y", "two\nlines"), ("*",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a;*\n\nb;x;*\n", "line 3 has 3 levels, line 1 has 2"),
        ("a;*\n\n\na;*\n", "line 4 repeats 'a' of line 1"),
        ('a;"two\nlines"\nb\n', "line 3 has 1 levels, line 1 has 2"),
        ('a;*\nb;"*\nc;*\n', "line 2 is not CSV"),
        ('a;*\nb;"x"y;*\n', "line 2 is not CSV"),
        ("", "is empty"),
        ("\n1;a;x;*\n2;b;y;*\n3;a;y;*", "not monotone.*line 2"),
    ],
)
def test_a_bad_layout_is_refused_by_its_line(text: str, words: str) -> None:
    is_refused(text, words=words)


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n"])
def test_a_delimiter_is_one_character_that_csv_can_tell(delimiter: str) -> None:
    with pytest.raises(BadHierarchy, match="delimiter must be one character"):
        parse("attribute", "a;*", delimiter=delimiter)


def test_the_hierarchies_of_arx_are_read() -> None:
    if not ADULT.exists():
        pytest.skip("needs the Adult data beside the checkout")
    heights = {
        file.stem.removeprefix("adult_hierarchy_"): parse(file.stem, file.read_text(encoding="utf-8")).height
        for file in ADULT.glob("adult_hierarchy_*.csv")
    }
    assert len(heights) == 9
    assert (heights["age"], heights["sex"]) == (5, 2)


# Intervals


def test_ages_fall_into_blocks_aligned_at_the_range_and_cut_with_it() -> None:
    ages = built({"intervals": [5, 10, 20], "from": 0, "to": 109})
    assert path(ages, "24") == ("24", "20-24", "20-29", "20-39", "*")
    assert path(ages, "25") == ("25", "25-29", "20-29", "20-39", "*")
    assert path(ages, "109")[3] == "100-109"


def test_the_domain_is_the_range_whatever_the_data_hold() -> None:
    spec = {"intervals": [5], "from": 0, "to": 119}
    few, many = built(spec, "007"), built(spec, "1", "2", "3")
    assert len(few.domain) == len(many.domain) == 120
    assert path(few, "007")[1] == "5-9"


def test_two_spellings_of_a_number_lie_together() -> None:
    ages = built({"intervals": [5], "from": 0, "to": 9}, "07", "7", "+7", " 7")
    assert {path(ages, text)[1] for text in ("07", "7", "+7", " 7")} == {"5-9"}
    assert len(ages.domain) == 13


def test_decimals_fall_into_half_open_blocks_exactly() -> None:
    fever = built({"intervals": [0.5, 2.5], "from": 35, "to": 42, "step": 0.1}, "36.5", "36.4", "40.30")
    assert path(fever, "36.4")[1:3] == ("[36.0,36.5)", "[35.0,37.5)")
    assert path(fever, "36.5")[1:3] == ("[36.5,37.0)", "[35.0,37.5)")
    assert path(fever, "40.30")[1] == "[40.0,40.5)"
    assert len(fever.domain) == 71


def test_negative_whole_numbers_have_labels_that_can_be_read() -> None:
    assert told({"intervals": [1, 5], "from": -10, "to": 9}, "-3") == ("-3", "-5…-1", "*")


def test_numbers_outside_are_coded_from_level_one_on() -> None:
    spec = {"intervals": [10, 20], "from": 0, "to": 119, "outside": "code"}
    assert told(spec, "120", "-1") == ("≥120", "≥120", "*")
    assert told(spec, "-1") == ("<0", "<0", "*")


def test_numbers_outside_are_counted_and_not_quoted_where_they_are_refused() -> None:
    spec = {"intervals": [10], "from": 0, "to": 119}
    said = is_refused(spec, "5", "123", "-77", "-78", words=r"3 of 4 .*0 to 119 \(2 below, 1 above\)")
    assert "123" not in said
    assert "77" not in said


@pytest.mark.parametrize("text", ["", "n/a", "1e3", "nan", "1_0", "0x1", "٣"])
def test_texts_that_are_no_numbers_are_counted_or_told_by_a_label(text: str) -> None:
    spec: dict[str, Any] = {"intervals": [10, 20], "from": 0, "to": 119}
    is_refused(spec, "5", text, words="1 of 2 distinct values are not numbers")
    assert told({**spec, "unknown": "不明"}, text, "5") == ("不明", "不明", "*")


def test_a_number_between_two_steps_is_refused() -> None:
    is_refused({"intervals": [10], "from": 0, "to": 119}, "5", "5.5", words="step: 1 of 2")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"intervals": [5, 12]}, "12 must be a multiple of 5"),
        ({"intervals": [10, 5]}, "5 must be a multiple of 10"),
        ({"intervals": [5, 5]}, "twice"),
        ({"intervals": [0]}, "intervals: 0"),
        ({"intervals": []}, "intervals must be a list"),
        ({"intervals": 5}, "intervals must be a list"),
        ({"intervals": [True]}, "intervals must be a number, not True"),
        ({"intervals": [float("nan")]}, "intervals must be a number"),
        ({"intervals": [5], "from": "0"}, "from must be a number, not '0'"),
        ({"intervals": [5], "from": 120}, "from: .* is empty"),
        ({"intervals": [5], "to": 10**9}, "at most 1,000,000"),
        ({"intervals": [5], "step": 0}, "step must be above 0"),
        ({"intervals": [14], "step": 7, "to": 118}, "no whole steps"),
        ({"intervals": [5], "outside": "drop"}, "outside must be one of refuse, code, not 'drop'"),
        ({"intervals": [5], "unknown": "0-4"}, "unknown '0-4' is the label of known values too"),
    ],
)
def test_bad_intervals_are_refused_by_parameter(spec: dict[str, Any], words: str) -> None:
    is_refused({"from": 0, "to": 119, **spec}, words=words)


def test_cuts_are_blocks_up_to_the_next_cut() -> None:
    spec = {"cuts": [[0, 20, 65, 120], [0, 65, 120]]}
    assert told(spec, "64") == ("20-64", "0-64", "*")
    assert told(spec, "65") == ("65-119", "65-119", "*")
    assert len(built(spec).domain) == 120


@pytest.mark.parametrize(
    ("cuts", "words"),
    [
        ([[0, 20, 120], [0, 60, 120]], "list 2 cuts where list 1 does not"),
        ([[0, 20, 65, 120], [0, 65, 120], [0, 20, 120]], "list 3 cuts where list 2 does not"),
        ([[0, 20, 120], [0, 20]], "list 2 must begin and end as list 1"),
        ([[0, 120, 20, 130]], "list 1 must rise"),
        ([[0, 20.5, 120]], "list 1 leaves the step"),
        ([[5]], "is empty"),
        ([0, 20], "cuts must be a list"),
    ],
)
def test_bad_cuts_are_refused_by_list(cuts: list[Any], words: str) -> None:
    is_refused({"cuts": cuts}, words=words)


# Dates


DAYS = {"from": date(1906, 4, 2), "to": date(2026, 4, 1)}


@pytest.mark.parametrize(
    "text",
    [
        "2024-04-01",
        "2024/4/1",
        "2024.4.1",
        "20240401",
        "2024年4月1日",
        "令和6年4月1日",
        "R6.4.1",
        "r06/04/01",
        "R6-4-1",
        "Ｒ6．４．1",
        "㋿6年4月1日",
    ],
)
def test_a_day_is_read_in_many_spellings(text: str) -> None:
    assert parsed(text) == date(2024, 4, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-02-30",
        "2024/4-1",
        "平成31年5月1日",
        "平成元年1月7日",
        "昭和64年1月8日",
        "令和0年5月1日",
        "明治5年12月31日",
        "2024-04",
    ],
)
def test_what_is_no_day_is_not_read(text: str) -> None:
    assert parsed(text) is None


def test_the_day_an_era_changed_has_both_names_where_both_were_in_force() -> None:
    assert parsed("明治45年7月30日") == parsed("大正元年7月30日") == date(1912, 7, 30)
    assert parsed("大正15年12月25日") == parsed("昭和元年12月25日") == date(1926, 12, 25)
    assert parsed("昭和64年1月7日") == date(1989, 1, 7)


def test_days_rise_to_months_years_and_decades_over_the_whole_range() -> None:
    days = built({"dates": ["month", "year", "decade"], **DAYS}, "R6.4.1")
    assert path(days, "R6.4.1")[1:] == ("2024-04", "2024", "2020-2029", "*")
    assert len(days.domain) == 43_830


def test_a_fiscal_year_begins_in_april() -> None:
    spec = {"dates": ["month", "fiscal_year"], **DAYS}
    assert told(spec, "2024-03-31")[1] == "2023年度"
    assert told(spec, "2024-04-01")[1] == "2024年度"


@pytest.mark.long
def test_a_year_with_two_eras_is_told_as_two_below_eras() -> None:
    spec = {"dates": ["month", "year", "era"], **DAYS}
    assert told(spec, "2019-04-30") == ("平成31年4月", "平成31年", "平成", "*")
    assert told(spec, "2019-05-01") == ("令和元年5月", "令和元年", "令和", "*")
    assert told(spec, "1989-01-07")[0] == "昭和64年1月"
    assert told(spec, "1989-01-08")[0] == "平成元年1月"


@SMALL
@given(st.dates(date(1873, 1, 1), date(2030, 12, 31)))
def test_a_day_written_in_its_era_is_that_day(day: date) -> None:
    era = era_of(day)
    year = day.year - era.first.year + 1
    assert parsed(f"{era.letter}{year}.{day.month}.{day.day}") == day
    assert parsed(f"{era.name}{'元' if year == 1 else year}年{day.month}月{day.day}日") == day


@pytest.mark.parametrize(
    "steps",
    [
        ["fiscal_year", "year"],
        ["year", "fiscal_year"],
        ["decade", "era"],
        ["era", "decade"],
        ["fiscal_year", "era"],
        ["fiscal_year", "decade"],
        ["year", "month"],
        ["month", "month"],
    ],
)
def test_steps_that_do_not_nest_are_refused(steps: list[str]) -> None:
    is_refused({"dates": steps, **DAYS}, words=f"dates: {steps[1]} does not nest over {steps[0]}")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"dates": ["week"]}, "dates must be one of month, .*not 'week'"),
        ({"dates": []}, "dates must be a list"),
        ({"from": "soon"}, "from must be a date like 2024-04-01, not 'soon'"),
        ({"to": 2024}, "to must be a date"),
        ({"to": "1900-01-01"}, "holds no day"),
        ({"dates": ["era"], "from": "1868-01-25"}, "era needs from of at least 1873-01-01"),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "at most 1,000,000"),
    ],
)
def test_bad_dates_are_refused_by_parameter(spec: dict[str, Any], words: str) -> None:
    is_refused({"dates": ["year"], **DAYS, **spec}, words=words)


def test_days_outside_are_counted_or_coded_and_blanks_are_unknown() -> None:
    spec = {"dates": ["year"], "from": "2020-01-01", "to": "2020-12-31"}
    is_refused(spec, "2019-12-31", "2021-01-01", words=r"2 of 2 .*\(1 before, 1 after\)")
    coded = built({**spec, "outside": "code", "unknown": "不明"}, "2019-12-31", "2021-01-01", "")
    assert path(coded, "2019-12-31")[1:] == ("<2020-01-01", "*")
    assert path(coded, "2021-01-01")[1:] == (">2020-12-31", "*")
    assert path(coded, "")[1:] == ("不明", "*")


# Areas


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("東京都千代田区丸の内一丁目1番1号", "東京都 千代田区 - 丸の内 一丁目"),
        ("東京都 千代田区 丸の内 1丁目1-1", "東京都 千代田区 - 丸の内 一丁目"),
        ("東京都千代田区丸の内1-1-1", "東京都 千代田区 - 丸の内 -"),
        ("東京都千代田区3番町5番地", "東京都 千代田区 - 三番町 -"),
        ("東京都千代田区大手町三番地五", "東京都 千代田区 - 大手町 -"),
        ("東京都千代田区大手町三−五", "東京都 千代田区 - 大手町 -"),
        ("東京都", "東京都 - - - -"),
        ("神奈川県横浜市中区本町6丁目50-10", "神奈川県 横浜市 中区 本町 六丁目"),
        ("横浜市中区本町六丁目", "神奈川県 横浜市 中区 本町 六丁目"),
        ("愛知県名古屋市中村区名駅三丁目", "愛知県 名古屋市 中村区 名駅 三丁目"),
        ("北海道札幌市中央区北1条西12丁目", "北海道 札幌市 中央区 北一条西 十二丁目"),
        ("千葉県市川市八幡1-1", "千葉県 市川市 - 八幡 -"),
        ("三重県四日市市諏訪町1", "三重県 四日市市 - 諏訪町 -"),
        ("東京都町田市森野二丁目2-22", "東京都 町田市 - 森野 二丁目"),
        ("長野県大町市大町3887", "長野県 大町市 - 大町 -"),
        ("広島県廿日市市下平良一丁目", "広島県 廿日市市 - 下平良 一丁目"),
        ("北海道余市郡余市町黒川町3丁目", "北海道 余市町 - 黒川町 三丁目"),
        ("北海道余市町黒川町3丁目", "北海道 余市町 - 黒川町 三丁目"),
        ("佐賀県杵島郡大町町大字大町", "佐賀県 大町町 - 大町 -"),
        ("福島県田村市船引町", "福島県 田村市 - 船引町 -"),
        ("福島県田村郡三春町字大町", "福島県 三春町 - 字大町 -"),
        ("福島県郡山市朝日1", "福島県 郡山市 - 朝日 -"),
        ("岐阜県郡上市八幡町", "岐阜県 郡上市 - 八幡町 -"),
        ("兵庫県赤穂郡上郡町大持", "兵庫県 上郡町 - 大持 -"),
        ("山形県東村山郡山辺町緑ケ丘", "山形県 山辺町 - 緑ケ丘 -"),
        ("東京都東村山市本町", "東京都 東村山市 - 本町 -"),
        ("山梨県西八代郡市川三郷町市川大門", "山梨県 市川三郷町 - 市川大門 -"),
        ("沖縄県国頭郡東村字平良", "沖縄県 東村 - 字平良 -"),
        ("秋田県横手市十文字町字海道下", "秋田県 横手市 - 十文字町 -"),
        ("東京都三宅島三宅村阿古", "東京都 三宅村 - 阿古 -"),
    ],
)
def test_an_address_is_cut_into_its_parts(text: str, labels: str) -> None:
    parts = ["" if part == "-" else part for part in labels.split()]
    prefixes = ["".join(parts[:end]) for end in range(5, 0, -1)]
    assert (of_address(text) or ())[:5] == tuple(prefixes)


@pytest.mark.parametrize("text", ["", "不明", "千代田区丸の内", "東京都foo", "神奈川", "北海道1番地"])
def test_an_address_without_prefecture_or_municipality_is_not_read(text: str) -> None:
    assert of_address(text) is None


def test_areas_end_in_prefecture_and_region() -> None:
    assert told({"areas": "address"}, "三重県津市")[-3:] == ("三重県", "近畿", "*")
    assert told({"areas": "address", "levels": ["town", "prefecture"]}, "三重県津市一丁目")[0] == "三重県津市"


def test_every_prefecture_has_its_code_and_its_region() -> None:
    known = {1: "北海道", 7: "福島県", 13: "東京都", 15: "新潟県", 24: "三重県", 30: "和歌山県", 35: "山口県"}
    known |= {36: "徳島県", 40: "福岡県", 47: "沖縄県"}
    for number, prefecture in known.items():
        assert (of_code(f"{number:02}000") or ())[2] == prefecture
    assert of_code("48000") is None
    assert of_code("00000") is None


@pytest.mark.parametrize(
    "code", ["131016", "011002", "141003", "271004", "472018", "010006", "131041", "131130"]
)
def test_check_digits_of_known_codes_hold(code: str) -> None:
    """Chiyoda, Sapporo, Yokohama, Osaka, Naha, Hokkaido, Shinjuku and Shibuya, as the ministry publishes them."""
    assert check_digit(code[:5]) == code[5]


@SMALL
@given(st.integers(1001, 47999), st.integers(0, 4), st.integers(1, 9))
def test_one_wrong_digit_of_a_code_is_found_unless_the_sums_are_0_and_10(
    number: int, place: int, change: int
) -> None:
    """Another digit moves the weighted sum modulo 11, and only the remainders 0 and 10 have one check digit, 1."""
    code = f"{number:05}"
    other = code[:place] + str((int(code[place]) + change) % 10) + code[place + 1 :]
    sums = {
        sum(w * int(d) for w, d in zip((6, 5, 4, 3, 2), text, strict=True)) % 11 for text in (code, other)
    }
    assert len(sums) == 2
    assert (check_digit(code) == check_digit(other)) == (sums == {0, 10})


def test_a_ward_belongs_to_its_city_and_a_special_ward_to_tokyo() -> None:
    assert told({"areas": "code"}, "14131") == ("14131", "14130", "神奈川県", "関東", "*")
    assert told({"areas": "code"}, "141046") == ("14104", "14100", "神奈川県", "関東", "*")
    assert told({"areas": "code"}, "14201")[:2] == ("14201", "14201"), "Yokosuka is a city of its own"
    assert told({"areas": "code"}, "131016") == ("13101", "13101", "東京都", "関東", "*")


@pytest.mark.parametrize("code", ["131017", "1310", "13101a", "480002"])
def test_a_code_with_a_wrong_check_digit_is_refused_and_not_quoted(code: str) -> None:
    said = is_refused(
        {"areas": "code"}, "131016", code, words="1 of 2 distinct values cannot be read as code"
    )
    assert code not in said
    assert told({"areas": "code", "unknown": "不明"}, code)[0] == "不明"


def test_a_postcode_loses_its_digits_from_the_right() -> None:
    codes = built({"areas": "postcode", "levels": [5, 3]}, "100-0001", "〒1000001")
    assert path(codes, "100-0001")[1:] == path(codes, "〒1000001")[1:] == ("10000**", "100****", "*")
    assert told({"areas": "postcode"}, "1000001")[0] == "100000*"
    is_refused({"areas": "postcode"}, "10-0001", words="cannot be read as postcode")


def test_levels_of_areas_go_from_fine_to_coarse() -> None:
    is_refused({"areas": "code", "levels": ["region", "ward"]}, words="levels must go from fine to coarse")
    is_refused({"areas": "code", "levels": ["town"]}, words="levels must be one of ward, .*not 'town'")
    is_refused({"areas": "planet"}, words="areas must be one of address, code, postcode, not 'planet'")


WORDS = "東京都 横浜市 中区 大町 市川 余市 郡 市 町 村 区 田 上 大字 字 一 1 2 丁目 番地 番 号 - 十 の 条"
PIECES = st.sampled_from(WORDS.split())
ADDRESSES = st.lists(
    st.lists(PIECES, min_size=1, max_size=9).map(lambda pieces: "北海道" + "".join(pieces)),
    min_size=1,
    max_size=8,
)


@pytest.mark.long
@settings(SMALL, max_examples=500)
@given(ADDRESSES)
def test_addresses_pieced_together_from_the_hard_signs_still_make_a_tree(texts: list[str]) -> None:
    values = sorted(set(texts))
    assert set(build({"areas": "address", "unknown": "?"}, name="a", values=values).domain) == set(values)


# Masks


def test_a_postcode_is_masked_a_character_a_level() -> None:
    assert told({"mask": "right"}, "1000001")[:2] == ("100000*", "10000**")
    assert told({"mask": "right"}, "1000001")[-2:] == ("1******", "*")
    assert told({"mask": "left", "character": "#"}, "abc") == ("#bc", "##c", "*")


def test_steps_mask_several_characters_a_level() -> None:
    assert told({"mask": "right", "steps": 3}, "1000001") == ("1000***", "1******", "*")
    assert told({"mask": "right", "steps": [2, 2]}, "1000001") == ("10000**", "100****", "*")
    assert told({"mask": "right", "steps": [2, 2]}, "abcd") == ("ab**", "*")


def test_texts_of_unequal_length_are_padded() -> None:
    numbers = built({"mask": "right", "align": "right", "padding": "0"}, "7", "12", "105")
    assert [path(numbers, text)[1] for text in ("7", "12", "105")] == ["00*", "01*", "10*"]
    assert told({"mask": "right"}, "ab", "abcd") == ("ab**", "ab**", "a***", "*")
    assert told({"mask": "left"}, "ab", "abc") == ("*ab", "**b", "*")


def test_a_length_makes_the_levels_independent_of_the_data() -> None:
    spec = {"mask": "right", "length": 4}
    assert built(spec, "a").height == built(spec, "abcd").height == 5
    is_refused(spec, "abcde", "a", words="length: 1 of 2 distinct values are longer than 4")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"mask": "up"}, "mask must be one of right, left, not 'up'"),
        ({"character": "**"}, "character must be one character"),
        ({"padding": ""}, "padding must be one character"),
        ({"steps": 0}, "steps must be a whole number from 1"),
        ({"steps": []}, "steps must be a list"),
        ({"steps": True}, "steps must be a whole number"),
        ({"align": "middle"}, "align must be one of"),
        ({"length": 0}, "length must be a whole number from 1"),
    ],
)
def test_bad_masks_are_refused_by_parameter(spec: dict[str, Any], words: str) -> None:
    is_refused({"mask": "right", **spec}, "abc", words=words)


# Orders


def test_neighbours_join_by_the_fanout_until_one_group_is_left() -> None:
    order = built({"order": list("abcdefg"), "fanout": 2}, "a")
    assert order.labels == (
        tuple("abcdefg"),
        ("a", "b…c", "d…e", "f…g"),
        ("a…c", "d…g"),
        ("*",),
    )


def test_groups_say_how_many_a_level_has() -> None:
    order = built({"order": "numeric", "groups": [3, 2]}, *map(str, range(12)))
    assert [len(labels) for labels in order.labels] == [12, 3, 2, 1]
    assert order.labels[1] == ("0…3", "4…7", "8…11")


def test_numbers_are_ordered_as_numbers_and_texts_as_texts() -> None:
    assert built({"order": "numeric"}, "10", "9", "-1.5").domain == ("-1.5", "9", "10")
    assert built({"order": "lexicographic"}, "10", "9", "-1.5").domain == ("-1.5", "10", "9")


@SMALL
@given(st.integers(1, 60), st.integers(2, 5))
def test_groups_of_the_first_level_hold_as_many_values_up_to_one(length: int, fanout: int) -> None:
    order = built({"order": [f"v{place}" for place in range(length)], "fanout": fanout})
    leaves = order.leaves(1)
    assert leaves.max() - leaves.min() <= 1 or order.height == 2
    assert order.height == 2 or leaves.max() <= fanout


def test_counts_of_records_do_not_move_the_groups() -> None:
    spec = {"order": list("abcd")}
    assert built(spec, "a").labels == built(spec, "a", "b", "c", "d").labels


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"order": ["a", "c"]}, "order misses 1 of 2 distinct values"),
        ({"order": ["a", "b", "a"]}, "line 3 repeats 'a' of line 1"),
        ({"order": ["a", True]}, "True is neither"),
        ({"order": "random"}, "order must be numeric, lexicographic or a list"),
        ({"order": "numeric"}, "order: 2 of 2 distinct values are not numbers"),
        ({"order": "lexicographic", "fanout": 1}, "fanout must be a whole number from 2"),
        ({"order": "lexicographic", "groups": [2, 3]}, "groups must fall"),
        ({"order": "lexicographic", "groups": [2], "fanout": 2}, "exclude each other"),
        ({"order": ["a", "b", "a…b"]}, "1 values hold the character …"),
    ],
)
def test_bad_orders_are_refused_by_parameter(spec: dict[str, Any], words: str) -> None:
    is_refused(spec, "a", "b", words=words)


# Trees


def test_a_shallow_branch_repeats_its_highest_label() -> None:
    school = built({"tree": {"Higher": ["a", "b"], "Lower": {"x": ["c"]}}}, "c")
    assert path(school, "a") == ("a", "Higher", "Higher", "*")
    assert path(school, "c") == ("c", "x", "Lower", "*")


def test_a_single_root_is_the_top() -> None:
    assert told({"tree": {"All": {"x": ["a"], "y": ["b"]}}}, "a") == ("x", "All")
    assert told({"tree": {"All": ["a", 1]}, "unknown": "other"}, "z") == ("other", "*")


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"X": ["a"], "Y": {"X": ["b"]}}, "label 'X' stands in two places"),
        ({"X": ["a"], "Y": ["b", "a"]}, "repeats 'a'"),
        ({"X": ["a", "b"], "Y": None}, "'Y' must hold a list or further labels"),
        ({"X": ["a", "b"], "Y": []}, "'Y' must hold a list or further labels"),
        ({"X": ["a", "b"], "Y": [False]}, "False is neither"),
        ({}, "tree must map labels to values"),
        (["a", "b"], "tree must map labels to values"),
        ({"X": ["a"], "Y": ["c"]}, "1 of 2 distinct values are not in the tree"),
        ({"X": ["a", "c"]}, "1 of 2 distinct values are not in the tree"),
    ],
)
def test_bad_trees_are_refused(tree: Any, words: str) -> None:
    is_refused({"tree": tree}, "a", "b", words=words)


TREES = st.recursive(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3),
    lambda below: st.dictionaries(st.sampled_from("ABCDEFGH"), below, min_size=1, max_size=3),
    max_leaves=6,
)


@SMALL
@given(st.dictionaries(st.sampled_from("ABCDEFGH"), TREES, min_size=1, max_size=3))
def test_any_tree_without_repeats_is_a_hierarchy(tree: dict[str, Any]) -> None:
    labels, values = _members(tree)
    if len(set(labels)) == len(labels) and len(set(values)) == len(values):
        assert built({"tree": tree}, *values).domain == tuple(values)
    else:
        is_refused({"tree": tree}, words="two places|repeats")


def _members(node: Any) -> tuple[list[str], list[str]]:
    if isinstance(node, list):
        return [], node
    labels, values = list(node), []
    for below in node.values():
        more, found = _members(below)
        labels, values = labels + more, values + found
    return labels, values


# Plans


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"ranges": [5]},
            "one kind of intervals, cuts, dates, areas, mask, order, tree, and it says 'ranges'",
        ),
        ({"mask": "right", "order": "numeric"}, "it says mask and order"),
        ({}, "it says nothing"),
        ({"mask": "right", "from": 0}, "mask does not know 'from'; it knows mask, character"),
        ({"intervals": [5], "from": 0}, "intervals needs to too"),
        (["a"], "must be a file or a mapping"),
    ],
)
def test_a_plan_says_one_kind_and_what_that_kind_knows(spec: Any, words: str) -> None:
    is_refused(spec, words=words)


NUMBERS = st.lists(st.integers(0, 99).map(str) | st.integers(0, 99).map("{:03}".format), unique=True)
TEXTS = st.lists(st.text("ab*1…", max_size=5), min_size=1, max_size=8, unique=True)
SPECS = st.one_of(
    st.tuples(
        st.lists(st.integers(1, 4), min_size=1, max_size=3).map(
            lambda factors: {"intervals": _products(factors), "from": 0, "to": 99}
        ),
        NUMBERS,
    ),
    st.tuples(
        st.sets(st.integers(1, 99)).map(
            lambda cuts: {"cuts": [[0, *sorted(cuts), 100], [0, *sorted(cuts)[::2], 100]]}
        ),
        NUMBERS,
    ),
    st.tuples(
        st.sampled_from(
            [["month", "year", "decade"], ["month", "fiscal_year"], ["month", "year", "era"]]
        ).map(lambda steps: {"dates": steps, "from": "1988-06-01", "to": "1990-12-31", "unknown": "?"}),
        st.lists(
            st.integers(0, 900).map(lambda days: str(date(1988, 6, 1) + timedelta(days=days))), unique=True
        ),
    ),
    st.tuples(
        st.fixed_dictionaries(
            {"mask": st.sampled_from(["left", "right"]), "steps": st.integers(1, 3)},
            optional={"align": st.sampled_from(["left", "right"]), "padding": st.sampled_from("a0*")},
        ),
        TEXTS,
    ),
    st.tuples(
        st.fixed_dictionaries({"order": st.just("lexicographic"), "fanout": st.integers(2, 4)}),
        TEXTS.filter(lambda texts: not any("…" in text for text in texts)),
    ),
)


def _products(factors: Sequence[int]) -> list[int]:
    widths = [2]
    for factor in factors:
        widths.append(widths[-1] * (factor + 1))
    return widths


@settings(SMALL, max_examples=300)
@given(SPECS)
def test_what_a_plan_accepts_is_total_monotone_and_the_same_for_any_order_of_values(
    case: tuple[dict[str, Any], list[str]],
) -> None:
    spec, values = case
    made, again = built(spec, *values), built(spec, *values[::-1])
    assert set(values) <= set(made.domain)
    assert made.labels == again.labels
    assert made.labels[-1] == ("*",)
    for finer, coarser in zip(made.maps, made.maps[1:], strict=False):
        pairs = set(zip(finer.tolist(), coarser.tolist(), strict=True))
        assert len(pairs) == len({label for label, _ in pairs})


def test_every_kind_is_named_in_the_reference() -> None:
    words = build.__doc__ or ""
    for kind in KINDS.values():
        assert all(parameter in words for parameter in kind.parameters)
